//! Tokens: who may do what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// `admin`, `manager`, `agent` or `viewer`.
    #[schema(pattern = "^(admin|manager|agent|viewer)$")]
    pub access: String,
    /// The agent that it is bound to; needed with access `agent`, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What it is for.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub label: String,
}

/// A token, without itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// A number to speak of it.
    pub id: u32,
    /// What it may do.
    pub access: String,
    /// The agent that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What it is for.
    pub label: String,
    /// When it was made.
    pub made_at: String,
}

/// A token that was just made. It is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MadeToken {
    /// The token itself.
    pub token: String,
    /// What it is.
    #[serde(flatten)]
    pub made: Token,
}
