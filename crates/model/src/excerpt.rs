//! What a planner takes along, so that it can think while the fleet goes on.

use crate::id::{AgentId, ClassId};
use crate::queues::QueueKey;
use crate::situation::Situation;

/// A task that waits, as planning sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its class.
    pub class: ClassId,
    /// Its place in the queue.
    pub key: QueueKey,
    /// The agent that failed it in its last attempt.
    pub veto: Option<AgentId>,
}

/// The agents and classes of one moment, with those waiting tasks that a round could place.
///
/// Making one costs time in what is taken and, for a copy of what is one word of each, in the agents; not in the classes or in
/// what waits ([`Situation::excerpt`]). It shares what is large and seldom changes with the situation that it was made of.
#[derive(Clone, Debug)]
pub struct Excerpt {
    /// The situation, with empty queues of the classes that have tasks here, and no others.
    pub situation: Situation,
    /// The tasks, in the order of all queues together.
    pub waiting: Vec<Waiting>,
}

impl Excerpt {
    /// Returns the situation with the tasks in their queues, and everything marked as changed.
    #[must_use]
    pub fn restored(&self) -> Situation {
        let mut situation = self.situation.clone();
        for task in &self.waiting {
            situation.enqueue(task.class, task.key, task.veto);
        }
        situation.unsettle();
        situation
    }
}
