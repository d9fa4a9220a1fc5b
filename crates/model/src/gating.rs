//! Gates: what must be so before finished work counts as completed (SEMANTICS 15).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::moment::Span;
use crate::name::{Name, Text};
use crate::policy::PolicyError;

/// One thing that finished work must pass. In the order in which they are looked at: what is cheap goes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskGate {
    /// A command that must end with 0, run by whoever runs the agent, where the work is.
    Command {
        /// The command line.
        line: Text,
    },
    /// Another agent than the author says that it is right.
    Review {
        /// Only agents of this role.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Name>,
    },
    /// A person says so.
    Approval {},
}

impl TaskGate {
    /// Returns the word of its kind.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Command { .. } => "command",
            Self::Review { .. } => "review",
            Self::Approval {} => "approval",
        }
    }
}

/// The gates of a fleet: the part of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gating {
    /// The gates of every task of a type. None by default.
    pub by_type: BTreeMap<Name, Vec<TaskGate>>,
    /// Time for a review until another agent is asked. Default 1 h.
    pub review: Span,
    /// Times that work is sent back until somebody is called, 1..=100. Default 3.
    pub rejections_max: u32,
}

impl Default for Gating {
    fn default() -> Self {
        Self { by_type: BTreeMap::new(), review: Span::hours(1), rejections_max: 3 }
    }
}

impl Gating {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// The first field that is out of its range, with the value and the range.
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        let refused =
            |field, given: usize, allowed| Err(PolicyError { field, given: given.to_string(), allowed });
        if self.by_type.len() > limits::GATED_TYPES_MAX {
            return refused("gates.by_type", self.by_type.len(), "at most 1000 types");
        }
        let most = self.by_type.values().map(Vec::len).max().unwrap_or(0);
        if most > limits::GATES_PER_TASK_MAX {
            return refused("gates.by_type", most, "at most 8 gates of one type");
        }
        if !(1..=limits::ATTEMPTS_MAX).contains(&self.rejections_max) {
            return refused("gates.rejections_max", self.rejections_max as usize, "1 to 100");
        }
        Ok(())
    }
}
