//! Whoever decides placements, as the core knows it.

use crate::id::{AgentId, ClassId, TaskId};
use crate::score::Considered;
use crate::situation::Situation;

/// One item of a plan: this task to this agent. It is judged by the core before it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The task.
    pub task: TaskId,
    /// The agent.
    pub agent: AgentId,
    /// The best candidates, at most three, the chosen one first.
    pub considered: Vec<Considered>,
}

/// Whoever decides placements. `kapell-plan` does; the core only knows this trait.
pub trait Placer {
    /// Begins a round, or takes up the one that is under way: everything that has changed since the last one is marked in `situation`.
    fn begin(&mut self, situation: &Situation);

    /// Answers the next placement of the round, or nothing where the round is over or has done a step's work. Between two calls
    /// the placement has been applied to `situation`, or has fallen away.
    fn next(&mut self, situation: &Situation) -> Option<Placement>;

    /// Tells whether the round is not over and is remembered: the next [`Placer::begin`] takes it up where it stopped, and
    /// needs to be told only what has changed since ([`Situation::pause`]).
    fn is_under_way(&self) -> bool {
        false
    }

    /// Scores one pair, whatever the threshold says.
    fn consider(&mut self, situation: &Situation, class: ClassId, agent: AgentId) -> Considered;

    /// Returns the best candidate that owns nothing and scores higher than `than`, where there is one.
    fn better_idle(&mut self, situation: &Situation, class: ClassId, than: &Considered)
    -> Option<Considered>;

    /// Returns the best candidate among `agents`, where its score is above the threshold. Agents without room are no
    /// candidates; ties go to fewer tasks, longer idle, smaller id.
    fn best_of(&mut self, situation: &Situation, class: ClassId, agents: &[AgentId]) -> Option<Considered>;
}
