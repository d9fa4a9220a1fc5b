//! Tasks, as submitted and as shown.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::breakdown::{Component, TaskBreakdown};
use crate::capability::{Evidence, RequiredCapability};
use crate::gate::{Gate, TaskGate};
use crate::reservation::ResourceNeed;

/// A required capability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Its name.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9._/@:+#-]*$")]
    pub capability: String,
    /// Its weight relative to the others. Default 1.
    #[serde(default = "weight_one")]
    #[schema(minimum = 0.000001, maximum = 1000)]
    pub weight: f64,
    /// The least score that a candidate must have. Default 0.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    pub minimum: f64,
}

const fn weight_one() -> f64 {
    1.0
}

/// Another task, and what this one has to do with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RelatedTask {
    /// The other task, `T-12` or its key.
    pub task: String,
    /// `related`, `discovered_from` or `parent_child`.
    #[schema(pattern = "^(related|discovered_from|parent_child)$")]
    pub kind: String,
}

/// Finished work that an import brings along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClosedWork {
    /// `completed`, `failed` or `cancelled`.
    #[schema(pattern = "^(completed|failed|cancelled)$")]
    pub state: String,
    /// When, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub at: Option<String>,
    /// Why. At most 4 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A task to be submitted. Only the title is needed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskSubmission {
    /// One line to a person.
    #[schema(min_length = 1, max_length = 500, example = "Add a retry to the payment client")]
    pub title: String,
    /// All of it. At most 64 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 65536)]
    pub description: String,
    /// Its type. Default `task`.
    #[serde(default = "task", rename = "type")]
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9._/@:+#-]*$")]
    pub kind: String,
    /// `critical`, `high`, `medium` or `low`. Default `medium`.
    #[serde(default = "medium")]
    #[schema(pattern = "^(critical|high|medium|low)$")]
    pub priority: String,
    /// The submitter's own id of it, unique in the fleet; it can be used wherever `T-12` can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9._/@:+#-]*$")]
    pub key: Option<String>,
    /// The project; made where it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9._/@:+#-]*$")]
    pub project: Option<String>,
    /// The task that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Required capabilities. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requirement>,
    /// Only agents of this role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9._/@:+#-]*$")]
    pub role: Option<String>,
    /// Only this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// None of these agents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Declared effort in hours, above 0 and at most 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.000001, maximum = 10000)]
    pub estimate_hours: Option<f64>,
    /// 1 (trivial) to 5 (very complex).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 5)]
    pub complexity: Option<u8>,
    /// Tasks that must be completed first, `T-12` or keys. At most 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Tasks that it has to do with otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<RelatedTask>,
    /// When it should be done, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
    /// Not before this time, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub not_before: Option<String>,
    /// Free words. At most 50 of 100 bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Attempts allowed, where they differ from the policy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 100)]
    pub max_attempts: Option<u32>,
    /// Fields of an import that nothing here stands for. Kept as they are, and exported again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub source: Option<Map<String, Value>>,
    /// Finished work of an import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<ClosedWork>,
    /// Resources that are reserved with the assignment, for as long as the task is owned. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub resources: Vec<ResourceNeed>,
    /// What finished work must pass before it counts as completed, beside what its type must. At most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 8)]
    pub gates: Vec<Gate>,
    /// What it would be broken down into. At most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub components: Vec<Component>,
    /// What it may cost in all, instead of what the policy allows each task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<crate::budget::Limits>,
}

fn task() -> String {
    "task".to_owned()
}

fn medium() -> String {
    "medium".to_owned()
}

/// An edge to another task, as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Dependency {
    /// The other task.
    pub task: String,
    /// `blocks`, `related`, `discovered_from` or `parent_child`.
    pub kind: String,
    /// The other task's state.
    pub state: String,
    /// Taken away by a manager; kept for the record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waived: bool,
    /// Taken away because it closed a cycle; it is waived then too, and can be put back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broken: bool,
    /// Read out of the task's text; nobody declared it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inferred: bool,
    /// What it was read from, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// Its id, `T-12`.
    pub id: String,
    /// The submitter's own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// One line to a person.
    pub title: String,
    /// All of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its own priority, after at most one boost.
    pub priority: String,
    /// Its own priority as it was declared, without a boost.
    #[serde(default)]
    pub declared_priority: String,
    /// The highest of its own and of every open task that waits for it.
    pub effective_priority: String,
    /// Where it stands.
    pub state: String,
    /// Since when.
    pub state_since: String,
    /// What makes it so, in words.
    pub because: Vec<String>,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Required capabilities: declared, or inferred with what they were read from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<RequiredCapability>,
    /// Only agents of this role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Only this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_agent: Option<String>,
    /// None of these agents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// What placing takes it to need, in hours.
    pub estimate_hours: f64,
    /// What nine of ten such tasks are expected to be done within, in hours: learned, else twice the estimate.
    pub estimate_p90_hours: f64,
    /// `declared`, `learned` or `by_complexity`.
    pub estimate_source: String,
    /// From how many completed tasks of its type and complexity it was learned, at most 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_learned_from: Option<u32>,
    /// 1 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complexity: Option<u8>,
    /// What it waits for or has to do with.
    pub depends_on: Vec<Dependency>,
    /// Who waits for it.
    pub dependents: Vec<String>,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The live fencing token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<String>,
    /// Assignments so far.
    pub attempts: u32,
    /// Attempts that failed in this series.
    pub failures: u32,
    /// Failed attempts allowed.
    pub max_attempts: u32,
    /// Where the task itself says so: the attempts allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_max_attempts: Option<u32>,
    /// Owners that were lost in this series.
    pub losses: u32,
    /// Percent done, as its owner says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_percent: Option<u8>,
    /// What its owner said last, or the last one left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Who finished it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_by: Option<String>,
    /// Why it failed or was called off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// When it must start for everything that waits for it to be done in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_start: Option<String>,
    /// Before when it is not to be begun, as declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// Set aside until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred_until: Option<String>,
    /// Held back until then, because it was handed out and taken back over and over; settle its escalation to release it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<String>,
    /// How often it was taken back lately without any progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    /// When it was submitted.
    pub submitted_at: String,
    /// When what it is was last edited: its title, its priority and whatever else can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<String>,
    /// When its present owner began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// Since when its owner is under investigation for its silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled_since: Option<String>,
    /// Why: `quiet`, `overdue` or `aside`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stall_cause: Option<String>,
    /// Until when an answer is wanted; once that is past, the task goes to whoever can take it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_due: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// Free words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Late results that nobody has decided about.
    pub offers_open: u32,
    /// Fields of an import that nothing here stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub source: Option<Map<String, Value>>,
    /// Where in the log it last changed.
    pub changed: u64,
    /// Resources that are reserved with its assignment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceNeed>,
    /// What is reserved for it now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reservations: Vec<String>,
    /// What finished work on it must pass, and how it stands before that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<TaskGate>,
    /// What its owner wants leave for, or last wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<crate::permission::Permission>,
    /// The gates that it declares itself, without those of its type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared_gates: Vec<Gate>,
    /// What it declares that it would be broken down into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    /// How often finished work was sent back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejections: u32,
    /// Where it is a part of another one, has become several, or should: how large it is and what that means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakdown: Option<TaskBreakdown>,
    /// What it costs; absent where nothing was used, limited or learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<crate::budget::TaskCost>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Changes of a task: what is absent stays as it is, `null` takes a declaration back, lists are replaced as a whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskEdit {
    /// One line to a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// All of it. At most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `critical`, `high`, `medium` or `low`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// Free words. At most 50 of 100 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Required capabilities. At most 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<Vec<Requirement>>,
    /// Only agents of this role.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub role: Option<Option<String>>,
    /// Only this agent.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub agent: Option<Option<String>>,
    /// None of these agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Vec<String>>,
    /// Declared effort in hours, above 0 and at most 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    #[schema(minimum = 0.000001, maximum = 10000)]
    pub estimate_hours: Option<Option<f64>>,
    /// 1 (trivial) to 5 (very complex).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    #[schema(minimum = 1, maximum = 5)]
    pub complexity: Option<Option<u8>>,
    /// When it should be done, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub deadline: Option<Option<String>>,
    /// Attempts allowed, where they differ from the policy's.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub max_attempts: Option<Option<u32>>,
    /// What it may cost in all, instead of what it might before; what the policy allows each task where it is null.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "said")]
    pub budget: Option<Option<crate::budget::Limits>>,
    /// `changed` of the task as the editor saw it: where it is another by now, the edit is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<u64>,
}

/// Reads a member that is there, `null` being a value.
fn said<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    reader: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(reader).map(Some)
}

/// Why, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Why. At most 4 KiB.
    #[serde(default)]
    pub reason: String,
}

/// An agent, for an assignment by hand or a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentChoice {
    /// Its name.
    pub agent: String,
}

/// Who should own a task, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveTo {
    /// The name of the agent.
    pub agent: String,
    /// Why, and what the new owner should know. At most 4 KiB.
    #[serde(default)]
    #[schema(max_length = 4096)]
    pub note: String,
}

/// An edge to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDependency {
    /// The other task, `T-12` or its key.
    pub on: String,
    /// `blocks`, `related`, `discovered_from` or `parent_child`. Default `blocks`.
    #[serde(default = "blocks")]
    #[schema(pattern = "^(blocks|related|discovered_from|parent_child)$")]
    pub kind: String,
    /// `declared` (a cycle is refused; the default), `imported` or `inferred` (the cycle is broken, with a record).
    #[serde(default = "declared")]
    #[schema(pattern = "^(declared|imported|inferred)$")]
    pub source: String,
}

fn declared() -> String {
    "declared".to_owned()
}

fn blocks() -> String {
    "blocks".to_owned()
}

/// A task with what it waits for, or with what waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tree {
    /// The task.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Its state.
    pub state: String,
    /// Its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Shown in full elsewhere in the same tree, or too deep.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// The next ones.
    #[schema(no_recursion)]
    pub children: Vec<Tree>,
}
