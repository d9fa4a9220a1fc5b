//! To whom escalations go that nobody takes on (SEMANTICS 1).

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::name::Name;
use crate::policy::PolicyError;

/// The escalations of a fleet: the part of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalating {
    /// Roles from the lowest to the highest, 1..=8, each once. What one does not acknowledge goes to the next, and what the last
    /// does not to that one again; a role that is not among them hands on to the first. Default architect, `agent_manager`, owner.
    pub ladder: Vec<Name>,
    /// Times that one escalation is raised again, 0..=20. Default 3.
    pub reraises_max: u32,
}

impl Default for Escalating {
    fn default() -> Self {
        let role = |name| Name::new(name).expect("a name");
        Self { ladder: ["architect", "agent_manager", "owner"].map(role).into(), reraises_max: 3 }
    }
}

impl Escalating {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// The first field that is out of its range, with the value and the range.
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        let refused = |field, given, allowed| Err(PolicyError { field, given, allowed });
        if !(1..=limits::LADDER_MAX).contains(&self.ladder.len()) {
            return refused("escalations.ladder", format!("{} roles", self.ladder.len()), "1 to 8 roles");
        }
        let twice = self.ladder.iter().enumerate().find(|(index, role)| self.ladder[..*index].contains(role));
        if let Some((_, role)) = twice {
            return refused("escalations.ladder", format!("`{role}` twice"), "each role once");
        }
        if self.reraises_max > limits::RERAISES_MAX {
            return refused("escalations.reraises_max", self.reraises_max.to_string(), "0 to 20");
        }
        Ok(())
    }
}
