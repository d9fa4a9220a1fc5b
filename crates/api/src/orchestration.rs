//! The report on a fleet: how well it is, what holds it up, and what could be done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::budget::Costs;
use crate::conflict::Conflict;
use crate::emergency::{Emergency, TaskForce};
use crate::fleet::{AgentTotals, Escalation, Project, TaskTotals};
use crate::forecast::Forecast;

/// One part of the health: value times weight is what it adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HealthPart {
    /// `online`, `success`, `running`, `queued` or `escalations`.
    pub name: String,
    /// What is counted.
    pub counts: String,
    /// So many are as they should be.
    pub good: u64,
    /// Of so many.
    pub all: u64,
    /// Whether there is nothing to count; the value is then 1.
    pub no_data: bool,
    /// The share, within 0..=1.
    pub value: f64,
    /// Within 0..=1; the five weights add up to 1.
    pub weight: f64,
    /// What it adds to the health.
    pub adds: f64,
    /// Who or what makes it low, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

/// How well a fleet is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SystemHealth {
    /// The sum of what the parts add, within 0..=1.
    pub total: f64,
    /// Below this there is an alert.
    pub alert_below: f64,
    /// Since when the present episode of low health lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_since: Option<String>,
    /// The parts.
    pub parts: Vec<HealthPart>,
}

/// Tasks in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskMetrics {
    /// By state.
    #[serde(flatten)]
    pub by_state: TaskTotals,
    /// Completed since midnight, UTC.
    pub completed_today: u32,
    /// Open and of critical priority.
    pub critical: u32,
}

/// Completion times of one type: all of them in count and mean, the last 50 in the percentiles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KindTimes {
    /// The type; nothing for those beyond the first 1,000 types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Completed attempts.
    pub count: u64,
    /// Their mean, from start to report.
    pub mean_ms: i64,
    /// Half of the last 50 took no more.
    pub p50_ms: i64,
    /// Nine of ten of the last 50 took no more.
    pub p90_ms: i64,
}

/// How long was waited: of what was over within the last 24 hours the last 50, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitTimes {
    /// The effective priority with which tasks left the queue, or the resource that was waited for.
    pub about: String,
    /// How many waits, within 1..=50.
    pub count: u32,
    /// Half of them took no more.
    pub p50_ms: i64,
    /// Nine of ten took no more.
    pub p90_ms: i64,
    /// The longest.
    pub longest_ms: i64,
}

/// Rates over 24 whole hours.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rates {
    /// Tasks that were submitted.
    pub submitted: u32,
    /// Tasks that were completed.
    pub completed: u32,
    /// Attempts that failed.
    pub failed: u32,
    /// Mean from start to report of completed attempts; nothing where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_mean_ms: Option<i64>,
    /// Mean from submission to completion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_mean_ms: Option<i64>,
    /// Share of the ended attempts that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
    /// Mean of min(1, estimate / actual) over the completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efficiency_score: Option<f64>,
    /// Messages that were sent; one to many counts once.
    #[serde(default)]
    pub messages: u32,
    /// Messages for each completed task, to the hundredth; nothing where none was completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages_per_task: Option<f64>,
    /// Tasks that went over in a handoff.
    #[serde(default)]
    pub handoffs: u32,
    /// Handoffs for each completed task, to the hundredth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoffs_per_task: Option<f64>,
}

/// How the work goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Performance {
    /// The last 24 hours, the present one included.
    pub last_day: Rates,
    /// The 24 hours before.
    pub day_before: Rates,
    /// Completed tasks in each of the last 24 hours, oldest first.
    pub completed_by_hour: Vec<u32>,
    /// Submitted tasks in each of the last 24 hours, oldest first.
    pub submitted_by_hour: Vec<u32>,
    /// Failed attempts in each of the last 24 hours, oldest first.
    #[serde(default)]
    pub failed_by_hour: Vec<u32>,
    /// By type, the most frequent first, at most 20.
    pub by_type: Vec<KindTimes>,
    /// How long tasks were in the queue until they got an owner, by effective priority, the most urgent first; a priority of which
    /// none got one is left out. From the event that made the task ready to the one that gave it an owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queue_waits: Vec<WaitTimes>,
    /// How long resources were waited for, the slowest in p90 first, at most 20: from the request for a reservation to its grant, or
    /// the end of the place in line, and for a ready task the time within which what is held kept it back. Out of the same waits bottlenecks are found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_waits: Vec<WaitTimes>,
}

/// Something that holds the work up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bottleneck {
    /// `critical_without_agent`, `capability_gap`, `resource_constraint`, `communication_overhead`, `failed_dependency` or
    /// `long_wait`.
    pub kind: String,
    /// The task, capability, resource or pair of agents.
    pub about: String,
    /// What is the matter, with its numbers.
    pub detail: String,
    /// Its id, `B-2`, where something is done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `low` (above the bound), `medium` (twice) or `high` (four times, or what nobody online could do).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// What was measured last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// When it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_at: Option<String>,
    /// When it was gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<String>,
    /// What is or was done about it, the newest first, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<BottleneckAction>,
}

/// What was measured, and the bound that it should not exceed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Measured {
    /// `demand_over_supply`, `wait_p90_ms`, `messages_per_joint_task` or, of a channel, `unread_per_member`: by how much it has grown.
    pub of: String,
    /// What was measured.
    pub value: f64,
    /// What it should not exceed.
    pub bound: f64,
}

/// Something that is or was done about a bottleneck. It has an end, and is undone there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BottleneckAction {
    /// Its id, `D-7`.
    pub id: String,
    /// About which bottleneck.
    pub bottleneck: String,
    /// What that is about.
    pub about: String,
    /// `training`, `staffing`, `kept`, `shorter_leases`, `sharing`, `batching`, `direct_channel`, `together` or `digest`.
    pub kind: String,
    /// What it does, in words.
    pub does: String,
    /// The agents that it concerns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
    /// When it began.
    pub at: String,
    /// When it ends at the latest.
    pub expires_at: String,
    /// When it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// `expired`, `relieved`, or `needed`: critical work needs who was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_because: Option<String>,
    /// What was measured before.
    pub before: Measured,
    /// What was measured when it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Measured>,
    /// Whether that is `better`, `the same` or `worse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}

/// Something that could be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recommendation {
    /// What.
    pub action: String,
    /// Why, with its numbers.
    pub evidence: String,
    /// What to type for it.
    pub command: String,
}

/// How the fleet stood at one moment; so it stood until the next one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    /// When.
    pub at: String,
    /// The health, within 0..=1.
    pub health: f64,
    /// Its parts by name, within 0..=1: `online`, `success`, `running`, `queued` and `escalations`.
    pub parts: BTreeMap<String, f64>,
    /// Slots of the agents that were online.
    pub slots: u32,
    /// Of these taken.
    pub slots_used: u32,
    /// Tasks that waited for others.
    pub blocked: u32,
    /// Tasks in the queue.
    pub ready: u32,
    /// Tasks that were set aside.
    pub deferred: u32,
    /// Tasks that were owned and not finished.
    pub running: u32,
    /// Finished tasks before their gates.
    pub gated: u32,
    /// The lead time that half of the last 50 completed tasks did not exceed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_p50_ms: Option<i64>,
    /// The one that nine of ten did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_p90_ms: Option<i64>,
}

/// An agent in a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentLine {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: String,
    /// Its state.
    pub state: String,
    /// Tasks that it owns.
    pub tasks: u32,
    /// Tasks that it may own.
    pub slots: u32,
    /// Tasks that it completed.
    pub completed: u32,
    /// Attempts that it failed.
    pub failed: u32,
    /// Tasks that it lost.
    pub lost: u32,
    /// Mean of min(1, estimate / actual) over what it completed in the last 24 hours; nothing where it completed nothing, or is
    /// not one of the 1,000 agents that ended attempts last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efficiency_score: Option<f64>,
    /// The same of the 24 hours before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub efficiency_before: Option<f64>,
    /// Share of its attempts that ended in the last 24 hours and succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
}

/// The report on a fleet at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// When.
    pub at: String,
    /// The last position of the log that is in it.
    pub position: u64,
    /// How well the fleet is.
    pub health: SystemHealth,
    /// Agents that are online.
    pub active_agents: u32,
    /// Agents by state.
    pub agents: AgentTotals,
    /// Tasks in numbers.
    pub tasks: TaskMetrics,
    /// How the work goes.
    pub performance: Performance,
    /// How the fleet has stood, oldest first, and how it stands as the last one; at most 193.
    #[serde(default)]
    pub course: Vec<Sample>,
    /// What holds the work up, at most 20 of each kind.
    pub bottlenecks: Vec<Bottleneck>,
    /// What was done about bottlenecks, and whether it moved what was measured; the newest first, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<BottleneckAction>,
    /// Since when the fleet does worse than it did, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded_since: Option<String>,
    /// What could be done.
    pub recommendations: Vec<Recommendation>,
    /// Escalations that are open in all.
    pub escalations_open: u32,
    /// The most urgent of them, those past their time first, at most 50.
    pub escalations: Vec<Escalation>,
    /// Conflicts that are not settled, in all.
    #[serde(default)]
    pub conflicts_open: u32,
    /// The newest of them, then the last that were settled; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<Conflict>,
    /// The emergencies that have not ended, and the last ones that have, with what was done about each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emergencies: Vec<Emergency>,
    /// The task forces at work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forces: Vec<TaskForce>,
    /// The last forecasts of projects with a deadline, those at risk first, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forecasts: Vec<Forecast>,
    /// The agents in the order of registration, at most 200.
    pub agent_table: Vec<AgentLine>,
    /// The projects by name, at most 200.
    pub projects: Vec<Project>,
    /// What the fleet has spent: in all, by agent, project and type of task, and on the last 14 days.
    #[serde(default)]
    pub costs: Costs,
    /// The policy's version.
    pub policy_version: u32,
}

/// Where a report was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SavedReport {
    /// The Markdown file, on the server's machine.
    pub markdown: String,
    /// The same as one HTML file, with plots.
    pub html: String,
    /// The same as JSON.
    pub json: String,
}
