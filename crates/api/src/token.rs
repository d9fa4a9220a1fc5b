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
    /// Milliseconds after which it ends, 1000 to 315360000000; never where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1000, maximum = 315_360_000_000_i64)]
    pub expires_in_ms: Option<i64>,
}

/// A token to be put in the place of another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateToken {
    /// Milliseconds that the one before is still let in, 0 to 86400000.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 86_400_000)]
    pub grace_ms: i64,
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
    /// When it was made, or last rotated.
    pub made_at: String,
    /// When it ends; never where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
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
