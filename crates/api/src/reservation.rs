//! Reservations: leases on paths, environments, branches and devices.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A resource, and how it is wanted or held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceNeed {
    /// `path:GLOB` (relative; with `*`, `**`, `?`, `[a-z]`, `{a,b}`), `env:NAME`, `branch:NAME` or `device:NAME`.
    #[schema(min_length = 5, max_length = 261, example = "path:src/**/*.rs")]
    pub resource: String,
    /// `exclusive` (nobody else), `shared` (others may hold it shared too) or `reads` (nobody else, but only to read it: where it is a
    /// bottleneck it is shared). Default `exclusive`.
    #[serde(default = "exclusive")]
    #[schema(pattern = "^(exclusive|reads|shared)$")]
    pub mode: String,
}

fn exclusive() -> String {
    "exclusive".to_owned()
}

/// Asks for resources, all of them or none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReservation {
    /// Who gets them.
    pub agent: String,
    /// The task that they are for, `T-12` or its key; the agent owns it. They are released when it ends or goes elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What. At most 16.
    #[schema(min_items = 1, max_items = 16)]
    pub resources: Vec<ResourceNeed>,
    /// For how long, in ms, within the policy's bounds; it can be renewed. By default the policy's `reservations.ttl_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<i64>,
    /// Whether to wait in line where something is held, rather than to be refused. Default no.
    #[serde(default)]
    pub wait: bool,
    /// How long to stay in line, in ms; with `wait`. By default, and at most, the policy's `reservations.wait_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<i64>,
}

/// Begins a lease anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewReservation {
    /// Which, `R-7`. In the path of a single request; needed in a bulk line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<String>,
    /// The holder. By default the agent of the token; a manager needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// For how long from now on, in ms; by default as long as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<i64>,
}

/// Releases a reservation, or leaves the line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseReservation {
    /// Which, `R-7` or `W-3`. In the path of a single request; needed in a bulk line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<String>,
    /// The holder. By default the agent of the token; without one a manager takes it away by force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Why. Needed with force. At most 4 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A reservation, or a request that waits to become one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reservation {
    /// `R-7` where it is held: the fencing token, which only grows. `W-3` where it waits.
    pub id: String,
    /// `held` or `waiting`.
    pub state: String,
    /// What makes it so, in words: what it waits behind, or why it ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
    /// Whose.
    pub agent: String,
    /// The task that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What.
    pub resources: Vec<ResourceNeed>,
    /// Since when.
    pub since: String,
    /// When it ends by itself; absent where it lasts as long as its task is owned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// How long a renewal lasts, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<i64>,
    /// The place in line that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
    /// Since when its holder has been asked to release it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<String>,
}
