//! What a dashboard shows at a glance: the fleet now, a board of cards, the graph of what waits for what, and who did
//! what when.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::fleet::{AgentTotals, Escalation, Offer, TaskTotals};

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// `admin`, `manager`, `agent` or `viewer`.
    pub access: String,
    /// The agent that the token is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// How the log shows what it does.
    pub actor: String,
    /// The fleet.
    pub fleet: String,
    /// The program's version.
    pub version: String,
}

/// One part of the health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HealthShare {
    /// `online`, `success`, `running`, `queued` or `escalations`.
    pub part: String,
    /// So many are as they should be.
    pub good: u64,
    /// Of so many; 0 where there is nothing to have a share of, which counts as all well.
    pub all: u64,
    /// Within 0..=1.
    pub weight: f64,
    /// What it adds to the health.
    pub adds: f64,
}

/// The health in one number, with its parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HealthNow {
    /// Within 0..=1; the sum of what the parts add.
    pub total: f64,
    /// Below this there is an alert.
    pub minimum: f64,
    /// Since when it has been low, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_since: Option<String>,
    /// The parts.
    pub parts: Vec<HealthShare>,
}

/// A task in an agent's hands, in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkItem {
    /// The task.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Its state.
    pub state: String,
    /// Its effective priority.
    pub priority: String,
    /// Percent done, as reported.
    pub percent: u8,
    /// Since when it is owned.
    pub since: String,
    /// When its owner last told anything.
    pub reported_at: String,
}

/// An agent with its load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentLoad {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: String,
    /// `agent`, `service` or `person`.
    pub kind: String,
    /// `online`, `unreachable` or `offline`.
    pub state: String,
    /// Whether it gets no new work.
    pub draining: bool,
    /// Tasks that it may own at once.
    pub slots: u32,
    /// Tasks that it owns.
    pub used: u32,
    /// At most ten of them, oldest first.
    pub tasks: Vec<WorkItem>,
}

/// A task that waits in the queue, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Queued {
    /// The task.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Its effective priority.
    pub priority: String,
    /// Since when it waits.
    pub since: String,
    /// Why nobody has it.
    pub reason: String,
}

/// An open task whose deadline has passed, or that should have been begun for it to be held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Late {
    /// The task.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Its state.
    pub state: String,
    /// Its own deadline, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// When it must have started for every deadline on its way to be held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_start: Option<String>,
    /// `overdue` (its deadline has passed) or `at_risk` (not begun, and it must have been).
    pub lateness: String,
}

/// What happened within one hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlowHour {
    /// When the hour began.
    pub from: String,
    /// Tasks that were submitted.
    pub submitted: u32,
    /// Tasks that were completed.
    pub completed: u32,
    /// Attempts that failed.
    pub failed: u32,
}

/// The fleet at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// When.
    pub at: String,
    /// The last position of the log that is in it.
    pub position: u64,
    /// How well it is.
    pub health: HealthNow,
    /// Tasks by state.
    pub tasks: TaskTotals,
    /// Agents by state.
    pub agents: AgentTotals,
    /// At most 200 agents: those with work first, the fullest first.
    pub loads: Vec<AgentLoad>,
    /// The first ten of the queue.
    pub queue: Vec<Queued>,
    /// The ten latest.
    pub late: Vec<Late>,
    /// How many are late in all.
    pub late_total: u32,
    /// The last 24 hours, oldest first; the present one is the last.
    pub flow: Vec<FlowHour>,
    /// At most ten open escalations, oldest first.
    pub escalations: Vec<Escalation>,
    /// How many are open.
    pub escalations_open: u32,
    /// At most ten late results that nobody has decided about, oldest first.
    pub offers: Vec<Offer>,
    /// How many there are.
    pub offers_open: u32,
    /// Webhooks that do not deliver.
    #[serde(default)]
    pub webhooks_stuck: Vec<crate::StuckWebhook>,
}

/// A task in one line of a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Card {
    /// The task.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its state.
    pub state: String,
    /// Since when.
    pub since: String,
    /// Its effective priority.
    pub priority: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The submitter's own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Who owns it, or has finished it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Percent done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// When it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// Free words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// How many of those that it waits for are not completed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub blockers: u32,
    /// Late results that nobody has decided about.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offers: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Cards in the order in which the tasks were submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Board {
    /// When.
    pub at: String,
    /// The last position of the log that is in it: `since` of the next request.
    pub position: u64,
    /// The cards.
    pub cards: Vec<Card>,
    /// Tasks that were left out for the bound: ended ones, the oldest first, and then open ones.
    pub left_out: u32,
    /// With `since`: more has changed than is shown, and the board is to be asked for anew.
    pub anew: bool,
    /// How long to wait at least until it is asked again, in ms: 200 or more, by the size of the fleet.
    pub refresh_ms: u32,
}

/// A task in the graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GraphNode {
    /// The task.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its state.
    pub state: String,
    /// Its effective priority.
    pub priority: String,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Its column: 0 waits for nothing that is shown.
    pub layer: u32,
    /// Its place within the column, from the top, in rows.
    pub row: f64,
    /// What is left of it, in hours.
    pub hours: f64,
    /// How long it may slip without the end of everything shown slipping, in hours.
    pub slack_hours: f64,
    /// Whether it lies on the longest remaining path.
    pub critical: bool,
}

/// What waits for what, laid out in layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Graph {
    /// The last position of the log that is in it.
    pub position: u64,
    /// The tasks.
    pub nodes: Vec<GraphNode>,
    /// From a task to one that waits for it, by their places in `nodes`.
    pub edges: Vec<(u32, u32)>,
    /// The longest remaining path, in order, by places in `nodes`.
    pub critical: Vec<u32>,
    /// Its length in hours.
    pub critical_hours: f64,
    /// Layers.
    pub layers: u32,
    /// Rows of the highest layer.
    pub rows: f64,
    /// Tasks that wait for nothing and for which nothing waits; they are not shown.
    pub alone: u32,
    /// Tasks that were left out for the bound.
    pub left_out: u32,
}

/// One assignment from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bar {
    /// Who.
    pub agent: String,
    /// What.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Under which token.
    pub assignment: String,
    /// Since when it was owned.
    pub from: String,
    /// When it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// Since when its work waits at the gates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// Until when; nothing while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `completed`, `failed`, `returned`, `moved`, `cancelled`, `sent_back` (by a gate; the same token has another bar from then on) or
    /// `open`.
    pub end: String,
}

/// The fleet at the end of a step of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// When the step ends.
    pub at: String,
    /// The last position of the log in it.
    pub position: u64,
    /// Tasks that were submitted in it.
    pub submitted: u32,
    /// Tasks that were completed in it.
    pub completed: u32,
    /// Attempts that failed in it.
    pub failed: u32,
    /// Tasks that were broken down in it: their parts count in their place.
    #[serde(default)]
    pub archived: u32,
}

/// Who did what when, read from the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// Where it begins.
    pub from: String,
    /// Where it ends.
    pub to: String,
    /// The last position of the log that is in it.
    pub position: u64,
    /// The first position that was read.
    pub first: u64,
    /// Agents that occur, in the order of registration.
    pub agents: Vec<String>,
    /// Assignments by their beginning.
    pub bars: Vec<Bar>,
    /// At most 240 equal steps of time.
    pub steps: Vec<Step>,
    /// Whether the log goes back further than was read.
    pub cut: bool,
}
