//! A deterministic simulation of Kapell: the real core, placing and log format, scripted agents, a storage that breaks, and
//! an oracle that remembers what callers were told.
//!
//! One seed gives everything, and the same seed twice gives the same digest. Time is virtual. After every event every
//! invariant of the core is checked on a state that only folds; after every crash the log is folded anew, with
//! and without its snapshot, and what was acknowledged must still be so. At the end the faults stop, and every task
//! that can end must end.

mod actor;
mod node;
mod oracle;
mod world;

pub use world::{Report, simulate};

/// A bug put in on purpose, to show that the simulation can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Replies leave before their events are durable.
    AckBeforeDurable,
    /// Some appends are acknowledged and never written.
    LostAppend,
    /// Idempotency keys are ignored.
    KeysIgnored,
    /// The door puts the current token into every report.
    FenceRewritten,
}

impl Bug {
    /// Every bug.
    pub const ALL: &'static [Self] =
        &[Self::AckBeforeDurable, Self::LostAppend, Self::KeysIgnored, Self::FenceRewritten];
}

/// What a seed has shown to be broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The seed.
    pub seed: u64,
    /// At which step.
    pub step: u64,
    /// What.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {} step {}: {}", self.seed, self.step, self.what)
    }
}
