//! Working hours.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// When an agent works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkingHours {
    /// The IANA time zone, such as `Europe/Berlin`.
    #[schema(min_length = 1, max_length = 100, example = "Europe/Berlin")]
    pub zone: String,
    /// The shifts of each day, `mon` to `sun`, such as `09:00-17:00`, by the clock on the wall there; at most 42 in all. A shift
    /// over midnight is two.
    pub week: BTreeMap<String, Vec<String>>,
    /// Times away, in order: nothing is asked, placed or taken away then. At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quiet: Vec<QuietTime>,
}

/// A time in which somebody is away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietTime {
    /// From when, by RFC 3339.
    pub from: String,
    /// Up to when, by RFC 3339, within 366 days.
    pub to: String,
}
