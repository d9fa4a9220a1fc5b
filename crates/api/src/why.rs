//! Why a task is where it is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::agent::CapabilityScore;

/// One part of a score: value times weight is what it adds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Part {
    /// Within 0..=1.
    pub value: f64,
    /// Within 0..=1; the four weights add up to 1.
    pub weight: f64,
    /// What it adds to the score.
    pub adds: f64,
}

/// A candidate with its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Scored {
    /// Who.
    pub agent: String,
    /// Weighted mean of its scores over the required capabilities; 1 where none is required.
    pub capability: Part,
    /// Its scores in what is required, as they are now; not told of decisions of the past.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<CapabilityScore>,
    /// 1 - active / max.
    pub workload: Part,
    /// Its record with tasks of this type.
    pub performance: Part,
    /// Its familiarity with the project's team.
    pub cohesion: Part,
    /// The sum.
    #[serde(rename = "final")]
    pub total: f64,
}

/// An agent that is no candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotCandidate {
    /// Who.
    pub agent: String,
    /// Why not.
    pub reason: String,
}

/// How the present or last owner was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Placement {
    /// `placed` (by score), `claimed`, `by_hand`, `moved` from another agent, or `handed_over` by one.
    pub decision: String,
    /// From whom it was moved, and how both stood, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<MovedFrom>,
    /// When.
    pub at: String,
    /// Where in the log.
    pub position: u64,
    /// Who got it.
    pub agent: String,
    /// Under which token.
    pub assignment: String,
    /// The policy version of the decision.
    pub policy_version: u32,
    /// The version of the scoring formula of the decision.
    pub scorer_version: u32,
    /// What the score had to exceed; 0 for what was moved.
    pub threshold: f64,
    /// The best candidates at that moment, the chosen one first, at most three.
    pub considered: Vec<Scored>,
}

/// From whom a task was moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MovedFrom {
    /// Who had it.
    pub agent: String,
    /// `balancing` or `by_hand`.
    pub cause: String,
    /// How the one that had it stood before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<LoadOf>,
    /// How the one that got it stood before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<LoadOf>,
    /// The average utilization of the active agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<f64>,
}

/// How much an agent had.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LoadOf {
    /// Tasks that it owned.
    pub tasks: u32,
    /// Tasks that it might own.
    pub max_concurrent_tasks: u32,
    /// One by the other.
    pub utilization: f64,
}

/// How everybody stands for a waiting task now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Standing {
    /// What a score must exceed.
    pub threshold: f64,
    /// The candidates, best first.
    pub candidates: Vec<Scored>,
    /// The others, with the reason.
    pub not_candidates: Vec<NotCandidate>,
}

/// A decision about a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Decided {
    /// Where in the log.
    pub position: u64,
    /// When.
    pub at: String,
    /// The kind of event, such as `task.assigned`.
    pub kind: String,
    /// Who decided: `clock`, a token's name, an agent.
    pub actor: String,
    /// What was decided and why, in words.
    pub reason: String,
}

/// Where in the log an answer stands, and by which rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AsOf {
    /// The last position that is in it.
    pub position: u64,
    /// The moment that it is about.
    pub at: String,
    /// The policy's version then.
    pub policy_version: u32,
    /// The version of the scoring formula that worked the scores out.
    pub scorer_version: u32,
}

/// Why a task is where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// The task.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Its state.
    pub state: String,
    /// What makes it so, in words.
    pub reasons: Vec<String>,
    /// How its present or last owner was chosen, where it ever had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Placement>,
    /// How everybody stands now, where it waits in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Standing>,
    /// The last decisions about it, oldest first, at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decided>,
    /// Which point of the log this is as of.
    #[serde(default)]
    pub as_of: AsOf,
}

/// Why an agent does not have a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyNot {
    /// The task.
    pub task: String,
    /// The agent.
    pub agent: String,
    /// Whether it is a candidate now.
    pub candidate: bool,
    /// Its score now, candidate or not.
    pub score: Scored,
    /// What a score must exceed.
    pub threshold: f64,
    /// The capability value that it would have to exceed at its present load; nothing where not even 1 would do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability_needed: Option<f64>,
    /// In words.
    pub reasons: Vec<String>,
    /// Which point of the log this is as of.
    #[serde(default)]
    pub as_of: AsOf,
}
