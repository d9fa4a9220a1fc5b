//! A deterministic simulation of Kapell: the real core, placing and log format, scripted callers, a network and a storage that
//! break, and an oracle that remembers what callers were told.
//!
//! One seed gives everything, and the same seed twice gives the same digest. Time is virtual. The ledger judges every event;
//! every invariant of the core is checked after every event in every second seed, and in the others after every few commands
//! that changed something, at every start and at the end. After every death the log is read again, and what was acknowledged
//! must still be so. At the end the faults stop, and every task that can end must end. What fails is cut down to a
//! small scenario that can be played again.

mod actor;
mod bug;
mod leases;
mod ledger;
mod manage;
mod mutations;
mod network;
mod node;
mod oracle;
mod orders;
mod scenario;
mod shrink;
mod watcher;
mod work;
mod world;

pub use bug::{Bug, ServerBug};
pub use mutations::{Found, Hunt, hunt};
pub use node::Seen;
pub use scenario::{Character, Knob, Scenario};
pub use shrink::{Shrunk, shrink};
pub use world::{Report, simulate};

/// A promise that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its id: of an invariant of the core, or of what the simulation promises itself.
    pub id: String,
    /// Where and how.
    pub what: String,
}

impl Broken {
    fn log(what: String) -> Self {
        Self { id: "log-reads-back".to_owned(), what }
    }
}

/// What a play has shown to be broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The seed.
    pub seed: u64,
    /// At which step.
    pub step: u64,
    /// What.
    pub broken: Broken,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {} step {}: {} is broken: {}", self.seed, self.step, self.broken.id, self.broken.what)
    }
}
