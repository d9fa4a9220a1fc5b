//! How agents pass work and words to each other: the part of the policy for handoffs (SEMANTICS 10) and messages.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::moment::Span;
use crate::policy::PolicyError;

/// How balancing takes work that has been begun from its owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartedWork {
    /// By a supervised handoff: its owner packs it first.
    #[default]
    Handoff,
    /// At once, like work that has not been begun.
    Move,
}

impl StartedWork {
    /// Every way.
    pub const ALL: &'static [Self] = &[Self::Handoff, Self::Move];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handoff => "handoff",
            Self::Move => "move",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|way| way.as_str() == text)
    }
}

/// The constants of handoffs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handing {
    /// Time to send the package, from the request and again from the reminder on. Default 3600 s.
    pub package: Span,
    /// How balancing takes work that has been begun. Default handoff.
    pub started: StartedWork,
}

impl Default for Handing {
    fn default() -> Self {
        Self { package: Span::seconds(3_600), started: StartedWork::Handoff }
    }
}

/// The constants of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messaging {
    /// Messages that an agent may have to read before the oldest unimportant ones are folded, 2..=10000. Default 200.
    pub inbox_max: u32,
    /// After how long a digest comes at the latest, where single messages are too many, 10 ms..=24 h. Default 15 min.
    #[serde(default = "digest")]
    pub digest: Span,
}

fn digest() -> Span {
    Span::minutes(15)
}

impl Messaging {
    /// Refuses what is out of range.
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        if !(2..=limits::INBOX_MAX).contains(&self.inbox_max) {
            let given = self.inbox_max.to_string();
            return Err(PolicyError { field: "messages.inbox_max", given, allowed: "2 to 10000" });
        }
        if !(limits::DURATION_MIN..=Span::hours(24)).contains(&self.digest) {
            let given = format!("{} ms", self.digest.0);
            return Err(PolicyError { field: "messages.digest_ms", given, allowed: "10 ms to 24 h" });
        }
        Ok(())
    }
}

impl Default for Messaging {
    fn default() -> Self {
        Self { inbox_max: 200, digest: digest() }
    }
}
