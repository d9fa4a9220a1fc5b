//! Capabilities: what they are, and what was inferred of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a capability is, and by which words it is known in texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CapabilityDefinition {
    /// Words and file endings that speak for it, such as `postgres` or `.sql`. At most 32 of 100 bytes. They replace those
    /// that are known of common capabilities without a definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// What it is, in a line. At most 1 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub definition: String,
}

/// A capability that the fleet knows: an agent declares it, or it is defined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Capability {
    /// Its name.
    pub name: String,
    /// Agents that declare it, removed ones not counted.
    pub agents: u32,
    /// Whether the fleet defines it.
    pub defined: bool,
    /// The aliases of its definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Its definition.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub definition: String,
}

/// The words that something was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// `labels`, `type`, `title` or `description`.
    pub field: String,
    /// The words, as they stand there.
    pub words: String,
}

/// A required capability of a task, as shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RequiredCapability {
    /// Its name.
    pub capability: String,
    /// Its weight relative to the others.
    pub weight: f64,
    /// The least score that a candidate must have.
    pub minimum: f64,
    /// Read out of the task's text; nobody declared it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inferred: bool,
    /// Inferred, and not asked for: no agent of the fleet could take the task with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub set_aside: bool,
    /// What it was read from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}
