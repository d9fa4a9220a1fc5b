//! Ids as types: dense numbers that the core counts, shown with a letter in front.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// What was given where an id was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not an id of the form {prefix}-<number>")]
pub struct ParseIdError {
    /// The text that came.
    pub given: String,
    /// The letter that such ids begin with.
    pub prefix: &'static str,
}

macro_rules! shown_id {
    ($(#[$doc:meta])* $name:ident, $number:ty, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $number);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.strip_prefix(concat!($prefix, "-"))
                    .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
                    .and_then(|digits| digits.parse().ok())
                    .map(Self)
                    .ok_or_else(|| ParseIdError { given: text.chars().take(64).collect(), prefix: $prefix })
            }
        }
    };
}

macro_rules! dense_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// Returns the place of this id in a vector that it indexes.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

shown_id!(
    /// A task, counted from 1 in its fleet: `T-12`.
    TaskId, u32, "T"
);
shown_id!(
    /// One agent's ownership of one task for one attempt: `A-34`. It is the fencing token: it only grows.
    #[derive(Default)]
    AssignmentId, u64, "A"
);
shown_id!(
    /// A late result that is kept beside its task: `O-5`.
    OfferId, u32, "O"
);
shown_id!(
    /// A lease on resources: `R-7`. It is a fencing token: it only grows.
    #[derive(Default)]
    ReservationId, u64, "R"
);
shown_id!(
    /// A request for resources that waits in line: `W-3`.
    #[derive(Default)]
    WaitId, u64, "W"
);
shown_id!(
    /// Something that only a role or a person can settle: `E-2`.
    EscalationId, u32, "E"
);
shown_id!(
    /// A conflict, or a decision that members may differ about: `C-4`.
    ConflictId, u32, "C"
);
shown_id!(
    /// Something that holds the work up: `B-2`.
    BottleneckId, u32, "B"
);
shown_id!(
    /// Something that is done about it: `D-7`.
    ActionId, u32, "D"
);
shown_id!(
    /// A word to an agent: `N-3`.
    NoticeId, u32, "N"
);

shown_id!(
    /// A supervised handoff: `H-3`.
    HandoffId, u32, "H"
);

shown_id!(
    /// A message between agents: `M-3`.
    #[derive(Default)]
    MessageId, u32, "M"
);

shown_id!(
    /// An emergency: `X-2`.
    #[derive(Default)]
    EmergencyId, u32, "X"
);

shown_id!(
    /// What an owner wants leave for: `P-227`, by the place in the log at which it was asked.
    #[derive(Default)]
    PermissionId, u64, "P"
);

shown_id!(
    /// A task force: `F-2`.
    #[derive(Default)]
    ForceId, u32, "F"
);

impl HandoffId {
    /// Returns the place of this id in a vector of handoffs (`H-1` is at 0).
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize - 1
    }
}

impl ReservationId {
    /// Returns the next one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl WaitId {
    /// Returns the next one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl TaskId {
    /// Returns the place of this id in a vector of tasks (`T-1` is at 0).
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize - 1
    }
}

dense_id!(
    /// An agent, counted from 0 in the order of registration. A name keeps its id for ever.
    AgentId
);
dense_id!(
    /// A class of tasks that are alike for placing (SEMANTICS 16, "Class").
    ClassId
);
dense_id!(
    /// An interned capability, type, role or project name of one fleet.
    Word
);

/// The place of an event in its fleet's log; the first event is at 1, and 0 is before all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The UUID of a command, made by the caller's idempotency key or at the door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(pub u128);

impl CommandId {
    /// Returns the moment that its first 48 bits say, as in every UUID of version 7: of a keyed command the one at which
    /// its key was made.
    #[must_use]
    pub fn made_at(self) -> Moment {
        Moment(i64::try_from(self.0 >> 80).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_ids_read_back() {
        assert_eq!("T-12".parse(), Ok(TaskId(12)));
        assert_eq!(AssignmentId(7).to_string(), "A-7");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "T-", "T-+1", "t-1", "T-1x", "T--1", "A-1", "T-99999999999"] {
            assert!(text.parse::<TaskId>().is_err(), "{text}");
        }
    }
}
