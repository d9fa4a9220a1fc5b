//! Emergencies and task forces.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::forecast::ForecastStep;
use crate::task::Requirement;

/// An emergency, with what was done about it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Emergency {
    /// Its id, `X-2`.
    pub id: String,
    /// `agent_cascade_failure`, `critical_task_failure` or `deadline_risk`.
    pub kind: String,
    /// `open`, `ending` (its cause is gone, and what was done is being undone) or `ended`.
    pub state: String,
    /// The task that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The project that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// `declared` (by a person), `agents`, `failed`, `stalled` or `forecast`.
    pub cause: String,
    /// What is the matter, in words.
    pub detail: String,
    /// What makes its state so, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
    /// When it was declared.
    pub declared_at: String,
    /// Where in the log.
    pub position: u64,
    /// When it began to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending_at: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_because: Option<String>,
    /// When everything was undone or confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// What was done about it, in that order.
    pub actions: Vec<EmergencyAction>,
    /// Of a project that will be late, until that is over: the longest path of what is left, by the last forecast.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<ForecastStep>,
    /// What the whole of that path takes in hours, whoever is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_hours: Option<f64>,
    /// Hours from p80 of that forecast to the deadline; below 0 where that is passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack_hours: Option<f64>,
}

/// Something that was done about an emergency.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EmergencyAction {
    /// Its number in the emergency, from 1.
    pub number: u32,
    /// What, in a word: `assignments_paused`, `leases_extended`, `checkpoints_asked`, `standby_raised`, `replacements_asked`,
    /// `force_formed`, `overtime_raised`, `work_moved`, `work_deferred`, `edge_offered`, `breakdown_offered` or `capability_asked`.
    pub action: String,
    /// What, in a sentence.
    pub says: String,
    /// The task that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The agents that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
    /// The task force that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<String>,
    /// When.
    pub at: String,
    /// `undone` or `confirmed`; absent while it is in effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<String>,
    /// When it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<String>,
}

/// Declares an emergency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEmergency {
    /// `agent_cascade_failure` (of the fleet), `critical_task_failure` (of `task`) or `deadline_risk` (of `project`).
    #[schema(pattern = "^(agent_cascade_failure|critical_task_failure|deadline_risk)$")]
    pub kind: String,
    /// The task, `T-12` or its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// What is the matter. At most 4 KiB.
    #[schema(min_length = 1)]
    pub reason: String,
}

/// Ends an emergency, or disbands a task force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ending {
    /// Why. At most 4 KiB.
    #[schema(min_length = 1)]
    pub reason: String,
}

/// A task force.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskForce {
    /// Its id, `F-2`.
    pub id: String,
    /// `at_work` or `disbanded`.
    pub state: String,
    /// The task that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The project that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The emergency that it was made by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<String>,
    /// Who leads.
    pub lead: String,
    /// Everybody, the lead first, and what each answers for.
    pub members: Vec<ForceMember>,
    /// Where they talk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// How much of the work is done, in percent.
    pub done_percent: u8,
    /// When it is looked how far they are.
    pub checkpoints: Vec<ForceCheckpoint>,
    /// When it was made.
    pub formed_at: String,
    /// When it was disbanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disbanded_at: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disbanded_because: Option<String>,
}

/// A member of a task force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForceMember {
    /// Who.
    pub agent: String,
    /// The capabilities that it answers for.
    pub answers_for: Vec<String>,
}

/// A moment at which it is looked how far a task force is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForceCheckpoint {
    /// What it is called.
    pub title: String,
    /// How much should be done by then.
    pub wanted_percent: u8,
    /// When it is due.
    pub due: String,
    /// How much was done then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_percent: Option<u8>,
    /// `on_track`, `at_risk` (three quarters of what is wanted at least) or `missed`; absent before it is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

/// Makes a task force, for a task or for a project.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTaskForce {
    /// For which task, `T-12` or its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// For which project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// What is required: needed for a project; a task's own requirements where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub requires: Vec<Requirement>,
}
