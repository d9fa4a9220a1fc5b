//! What placing sees of an agent.

use std::sync::Arc;

use crate::id::{Position, Word};
use crate::ratio::Ratio;
use crate::vocabulary::AgentState;

/// What placing sees of an agent.
#[derive(Clone, Debug)]
pub struct AgentView {
    /// Only online agents are candidates.
    pub state: AgentState,
    /// Whether it gets no new work by a manager's word.
    pub draining: bool,
    /// Tasks that it owns.
    pub active: u32,
    /// Tasks that it may own; at least 1.
    pub max: u32,
    /// Its role.
    pub role: Word,
    /// Its capabilities, in order of their ids.
    pub capabilities: Arc<[(Word, Ratio)]>,
    /// The capabilities for which it is kept, where it is: it gets nothing then that needs none of them.
    pub kept: Arc<[Word]>,
    /// Where in the log its load last went down, or it came; smaller is longer idle.
    pub idle_since: Position,
}

impl AgentView {
    /// Returns its score in `capability`; a missing one scores 0.
    #[must_use]
    pub fn score_in(&self, capability: Word) -> Ratio {
        match self.capabilities.binary_search_by_key(&capability, |&(word, _)| word) {
            Ok(at) => self.capabilities[at].1,
            Err(_) => Ratio::ZERO,
        }
    }

    /// Tells whether it is online, not draining and below its limit.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.state == AgentState::Online && !self.draining && self.active < self.max
    }

    /// Returns the utilization, active / max; nothing where it is not online or draining.
    #[must_use]
    pub fn utilization(&self) -> Option<Ratio> {
        let active = self.state == AgentState::Online && !self.draining;
        active.then(|| Ratio::of(u64::from(self.active), u64::from(self.max)))
    }

    /// Returns the workload value, 1 - active / max (SEMANTICS 3.1).
    #[must_use]
    pub fn workload(&self) -> Ratio {
        Ratio::of(u64::from(self.max.saturating_sub(self.active)), u64::from(self.max))
    }
}
