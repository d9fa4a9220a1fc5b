//! Conflicts: who differs about what, how it was ruled, and by which numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::why::Scored;

/// A conflict, or a decision that members may differ about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Conflict {
    /// Its id, `C-4`.
    pub id: String,
    /// `resource_contention`, `task_dispute`, `decision_conflict` or `priority_conflict`.
    pub kind: String,
    /// `open`, `escalated` (a role has been called), `resolved` or `withdrawn`.
    pub state: String,
    /// What makes it so, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
    /// The agents in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parties: Vec<String>,
    /// The tasks that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// When it was opened.
    pub opened_at: String,
    /// Where in the log.
    pub position: u64,
    /// When it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<String>,
    /// How, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<String>,
    /// The place in line that a contention is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
    /// The reservation that it has become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<String>,
    /// What is to be decided, and how that stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Deliberation>,
    /// Whose the task is, where more than one agent takes it for its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispute: Option<Dispute>,
    /// What comes first, where members say different things about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precedence: Option<Precedence>,
}

/// A conflict over what comes first. It is ruled in the step in which it is opened, by the business impact: weighted shortest job
/// first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Precedence {
    /// What is said.
    pub said: Vec<Voice>,
    /// The tasks in the order of their impact, the largest first, with every number; what waits comes behind what it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<Impact>,
    /// The priority that the task has earned, where its priority was what it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// The WSJF that each priority which was named asks for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub asked_for: BTreeMap<String, f64>,
    /// How long a typical task takes: what a priority asks for is its points by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typical_hours: Option<f64>,
}

/// What one member says about what comes first: a priority, or an order of two tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Voice {
    /// Whose word: the name of an agent, `manager`, or `given` for the priority that the task had.
    pub by: String,
    /// Which priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// What is to come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// What is to come after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
}

/// What the delay of a task costs, with every number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Impact {
    /// Which.
    pub task: String,
    /// Business value: the mean of what is said, critical 13, high 8, medium 5, low 2.
    pub value: f64,
    /// 13 * estimate / (estimate + slack); 0 without a deadline.
    pub time_criticality: f64,
    /// A point for each open task that transitively waits for it, at most 13.
    pub enablement: f64,
    /// How many those are, counted up to 1000.
    pub waiting: u32,
    /// How much time there is before it must start; absent without a deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack_ms: Option<i64>,
    /// The sum of the three.
    pub cost_of_delay: f64,
    /// The estimate.
    pub duration_hours: f64,
    /// Cost of delay divided by duration.
    pub wsjf: f64,
    /// The task by whose impact it has its place, where that is another one: it waits for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goes_with: Option<String>,
}

/// Says how urgent a task is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAssertion {
    /// Who says so. By default the agent of the token; a manager needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// `critical`, `high`, `medium` or `low`.
    pub priority: String,
    /// Why. At most 4 KiB.
    #[schema(min_length = 1)]
    pub reason: String,
}

/// One task comes before another: a member says so, or it was ruled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Order {
    /// What comes first.
    pub first: String,
    /// What comes after it.
    pub then: String,
    /// Whose word: the name of an agent, or `manager`; `ruling` where nobody's, and the conflict says it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it was said or ruled.
    pub at: String,
    /// The conflict in which it was ruled, `C-1`; absent where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<String>,
}

/// Says that one task is to come before another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// What is to come first, `T-12` or its key.
    pub first: String,
    /// What is to come after it.
    pub then: String,
    /// Who says so. By default the agent of the token; a manager needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Why. At most 4 KiB.
    #[schema(min_length = 1)]
    pub reason: String,
}

/// Takes an order back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderTakenBack {
    /// What was to come first, `T-12` or its key.
    pub first: String,
    /// What was to come after it.
    pub then: String,
    /// Who had said so. By default the agent of the token; a manager needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// A dispute over a task. It is ruled in the step in which it is opened: the rightful owner is the holder of a live assignment
/// that is not stalled, else the highest score of those who could have it, else the first claim.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Dispute {
    /// How it came about: `claimed`, `late_result` or `filed`.
    pub cause: String,
    /// Who opened it.
    pub opened_by: String,
    /// Why, in the opener's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who held the task.
    pub holder: String,
    /// Under which assignment.
    pub assignment: String,
    /// Whether that was stalled.
    pub stalled: bool,
    /// Whose the task is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awarded_to: Option<String>,
    /// By which part of the rule: `live_assignment`, `highest_score` or `first_claim`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Those who could have it with their scores, in the order of their claims; only where scores decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<Scored>,
}

/// Says that a task is one's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDispute {
    /// Who says so.
    pub agent: String,
    /// Who takes it for its own too; needed where the owner says so, else the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// Why. At most 4 KiB.
    #[schema(min_length = 1)]
    pub reason: String,
}

/// What is to be decided, and how that stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Deliberation {
    /// The question.
    pub topic: String,
    /// The capability whose holders' words count.
    pub capability: String,
    /// Until when proposals are taken.
    pub deadline: String,
    /// It cannot be taken back: only the architect or a person decides.
    #[serde(default)]
    pub irreversible: bool,
    /// It shapes what is built on it: only the architect or a person decides.
    #[serde(default)]
    pub architectural: bool,
    /// What there is to choose from; whatever is proposed where nothing stands here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Who is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<String>,
    /// The agent that opened it; absent where a manager did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_by: Option<String>,
    /// What was proposed, in the order in which each agent came first.
    pub proposals: Vec<Proposal>,
    /// What stands behind each option, most first.
    pub tally: Vec<OptionTally>,
    /// By how much of the support the first option is ahead of the second.
    pub margin: f64,
    /// The support that the tally needs to decide.
    pub support_needed: f64,
    /// The margin that it needs.
    pub margin_needed: f64,
    /// What was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<String>,
    /// Who decided: `tally`, `manager`, or the name of an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
}

/// What an agent proposes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Proposal {
    /// Who.
    pub agent: String,
    /// Which option.
    pub option: String,
    /// Why.
    pub reasons: String,
    /// How sure it is, 0..=1.
    pub confidence: f64,
    /// Its score in the capability when it said so, 0..=1.
    pub score: f64,
    /// Score times confidence.
    pub weight: f64,
    /// When.
    pub at: String,
}

/// What stands behind one option.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OptionTally {
    /// Which.
    pub option: String,
    /// How many propose it.
    pub proposals: u32,
    /// The sum of their weights.
    pub weight: f64,
    /// Its share of the weight of all, 0..=1.
    pub support: f64,
}

/// Asks for a decision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDecision {
    /// The question, in one line.
    #[schema(min_length = 1, max_length = 500)]
    pub topic: String,
    /// The capability whose holders' words count: a proposal weighs its agent's score in it times its confidence.
    #[schema(min_length = 1, max_length = 100)]
    pub capability: String,
    /// Until when proposals are taken, RFC 3339; by default for as long as something of medium priority may stay
    /// unanswered (policy `ack`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
    /// It cannot be taken back: only the architect or a person decides.
    #[serde(default)]
    pub irreversible: bool,
    /// It shapes what is built on it: only the architect or a person decides.
    #[serde(default)]
    pub architectural: bool,
    /// What there is to choose from: none, or 2 to 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub options: Vec<String>,
    /// Who is asked, at most 100: before the deadline nothing is decided until all of them have answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub ask: Vec<String>,
    /// The tasks that wait for it, at most 100; what is owned goes on, and waits where it comes back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub tasks: Vec<String>,
    /// Who opens it. By default the agent of the token; a manager needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// Proposes an option. It takes the place of what the same agent proposed before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProposal {
    /// Who.
    pub agent: String,
    /// Which option.
    #[schema(min_length = 1, max_length = 200)]
    pub option: String,
    /// Why. At most 4 KiB.
    #[schema(min_length = 1)]
    pub reasons: String,
    /// How sure it is, 0..=1; 1 where nothing is said.
    #[serde(default = "sure")]
    #[schema(minimum = 0.0, maximum = 1.0)]
    pub confidence: f64,
}

const fn sure() -> f64 {
    1.0
}

/// Rules on a conflict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRuling {
    /// Who rules: an agent of the role `architect`, or a person. By default the agent of the token; a manager needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The option that is decided for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option: Option<String>,
    /// Why. At most 4 KiB.
    #[schema(min_length = 1)]
    pub reason: String,
}

/// Takes a decision back that nobody has made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    /// Who opened it. By default the agent of the token; a manager needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Why. At most 4 KiB.
    #[schema(min_length = 1)]
    pub reason: String,
}
