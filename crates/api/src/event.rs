//! What happened.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// One event of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its place in the log, from 1, without gaps.
    pub position: u64,
    /// When.
    pub at: String,
    /// Who sent the command that it follows from.
    pub actor: String,
    /// The command's id, a UUID.
    pub command: String,
    /// What happened: `task.assigned`, ...
    pub kind: String,
    /// The task that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The agent that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The assignment that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<String>,
    /// The rest, by kind.
    #[schema(value_type = Object)]
    pub data: Map<String, Value>,
}

/// A page of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Events {
    /// In order.
    pub events: Vec<Event>,
    /// Where to go on: `after` of the next request.
    pub next_after: u64,
    /// Whether the end of the log was reached.
    pub at_end: bool,
}
