//! The fleet as a whole: status, projects, offers, escalations, pages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::orchestration::SystemHealth;

/// Whether the server serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// The program's version.
    pub version: String,
    /// The last durable position of the log.
    pub durable_position: u64,
}

/// Tasks by state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskTotals {
    /// All.
    pub total: u32,
    /// Waiting for other tasks.
    pub blocked: u32,
    /// In the queue.
    pub ready: u32,
    /// Set aside until a time.
    pub deferred: u32,
    /// Owned, not started.
    pub assigned: u32,
    /// Owned and started.
    pub in_progress: u32,
    /// Finished, and another agent is to review it.
    #[serde(default)]
    pub in_review: u32,
    /// Finished, and a person or a command is to say whether it is right.
    #[serde(default)]
    pub waiting: u32,
    /// Done.
    pub completed: u32,
    /// Given up.
    pub failed: u32,
    /// Called off.
    pub cancelled: u32,
    /// Replaced by what they were broken down into.
    #[serde(default)]
    pub archived: u32,
}

/// Agents by state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentTotals {
    /// All that are registered.
    pub total: u32,
    /// Within their lease.
    pub online: u32,
    /// Missed their lease.
    pub unreachable: u32,
    /// Stayed away, or were never seen.
    pub offline: u32,
    /// Slots of those online.
    pub slots: u32,
    /// Of these taken.
    pub slots_used: u32,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// One line to a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// When all of it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// When parts of it should be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub milestones: Vec<Milestone>,
    /// Its tasks by state.
    pub tasks: TaskTotals,
}

/// A project to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProject {
    /// Its name.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9][A-Za-z0-9._/@:+#-]*$")]
    pub name: String,
    /// One line to a person.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub title: String,
    /// When all of it should be done, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
    /// When parts of it should be: equal parts, in the order of time. They are the checkpoints of a task force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub milestones: Vec<Milestone>,
}

/// A moment at which a part of a project should be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Milestone {
    /// What it is called.
    #[schema(min_length = 1, max_length = 500)]
    pub title: String,
    /// When, RFC 3339.
    #[schema(format = DateTime)]
    pub at: String,
}

/// The fleet in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// When.
    pub at: String,
    /// The last position of the log that is in these numbers.
    pub position: u64,
    /// Tasks by state.
    pub tasks: TaskTotals,
    /// Owned tasks whose owners have been asked for a status and have not answered yet.
    #[serde(default)]
    pub stalled: u32,
    /// Agents by state.
    pub agents: AgentTotals,
    /// Projects by name.
    pub projects: Vec<Project>,
    /// Late results that nobody has decided about.
    pub offers_open: u32,
    /// Escalations that nobody has settled.
    pub escalations_open: u32,
    /// Of these past their ack time.
    #[serde(default)]
    pub escalations_overdue: u32,
    /// How well the fleet is, with the parts.
    pub health: SystemHealth,
    /// The policy's version.
    pub policy_version: u32,
    /// What looks at the fleet by itself, how often, and when next.
    #[serde(default)]
    pub monitors: Vec<Monitor>,
    /// What was spent.
    #[serde(default)]
    pub cost: crate::budget::CostTotals,
    /// Webhooks that do not deliver. Of now alone: a look back names none.
    #[serde(default)]
    pub webhooks_stuck: Vec<crate::StuckWebhook>,
}

/// Something that looks at the fleet by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Monitor {
    /// `task` (leases, ack times, what was set aside) or `workload` (balancing).
    pub name: String,
    /// How often it looks.
    pub period_ms: i64,
    /// When it looks next, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items. A page may hold fewer than were asked for, even none, and not be the last.
    pub items: Vec<T>,
    /// Where to go on; nothing on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A late result that is kept beside its task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    /// Its id, `O-5`.
    pub id: String,
    /// The task.
    pub task: String,
    /// Whose result.
    pub agent: String,
    /// Under which outdated token.
    pub assignment: String,
    /// The result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// When it came.
    pub at: String,
    /// `open`, `accepted` or `declined`.
    pub state: String,
    /// Why it was declined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Something that only a role or a person can settle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Escalation {
    /// Its id, `E-2`.
    pub id: String,
    /// What sort of matter it is, such as `no_suitable_agent`, `approval_needed` or `stalled`.
    pub kind: String,
    /// Who is called now.
    pub role: String,
    /// How often it was raised again because nobody had acknowledged it.
    #[serde(default)]
    pub raised_again: u32,
    /// When it goes to the next role up, unless somebody acknowledges it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_again_at: Option<String>,
    /// How urgent it is: `critical`, `high`, `medium` or `low`.
    pub severity: String,
    /// The task that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What that would wait for, where it is about a wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// The agent that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The project that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The resource that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The capability that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
    /// The conflict that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<String>,
    /// What is the matter.
    pub detail: String,
    /// When it was raised.
    pub raised_at: String,
    /// When somebody should have acknowledged it.
    pub due: String,
    /// Whether it is open past that, and nobody has.
    #[serde(default)]
    pub overdue: bool,
    /// When somebody has taken it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<String>,
    /// Who: an agent, or as the log names whoever sent it, such as `admin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    /// `open` or `settled`.
    pub state: String,
    /// When it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<String>,
    /// How.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Escalation {
    /// Returns the name of what it is about; nothing where that is the fleet.
    #[must_use]
    pub fn about(&self) -> Option<&str> {
        let about = self.task.as_ref().or(self.agent.as_ref());
        about
            .or(self.project.as_ref())
            .or(self.resource.as_ref())
            .or(self.conflict.as_ref())
            .or(self.capability.as_ref())
            .map(String::as_str)
    }
}

/// How something was decided, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// In words. At most 4 KiB.
    #[serde(default)]
    pub note: String,
}
