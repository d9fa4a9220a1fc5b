//! Edges that were taken out of cycles, and how one is put back.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An edge: a task and what it waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EdgeName {
    /// The one that waits, `T-12` or its key.
    pub task: String,
    /// The one that it waits for.
    pub on: String,
}

/// An edge that was taken away, or never let in, because it closed a cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BrokenEdge {
    /// The one that would wait.
    pub task: String,
    /// What it would wait for.
    pub on: String,
    /// Whether it was read out of a text.
    pub inferred: bool,
    /// The whole cycle: each waits for the next, and the first is named again at the end.
    pub cycle: Vec<String>,
    /// The edge that would have closed it.
    pub closed_by: EdgeName,
    /// `inferred`, `least_urgent`, `newest`, `in_work`, `too_many`, `kept_out` or `by_hand`.
    pub because: String,
    /// The same in words.
    pub reason: String,
    /// `broken`, `kept_out` (a person has to decide) or `restored`.
    pub state: String,
    /// When.
    pub at: String,
    /// Where in the log.
    pub position: u64,
    /// When it was put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_at: Option<String>,
}

/// Puts an edge back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Restoration {
    /// The edge of the cycle that goes instead, where it still would close one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<EdgeName>,
}
