//! Webhooks: what happens is sent to addresses outside.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A subscription to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// What it is called.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Where events go: http or https, at most 2000 bytes, without a user in it.
    #[schema(min_length = 1, max_length = 2000)]
    pub url: String,
    /// Which events, by their CloudEvents types, 1 to 50: `kapell.task.failed`, with `*` at the end what begins so, `*` alone
    /// everything. `kapell.escalation.*` where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub types: Vec<String>,
    /// Only events behind this position of the log; its end where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// A webhook that does not deliver what happens until somebody does something about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StuckWebhook {
    /// What it is called.
    pub name: String,
    /// `stopped` or `full`.
    pub state: String,
    /// Why.
    pub reason: String,
}

/// A subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// What it is called.
    pub name: String,
    /// Where events go.
    pub url: String,
    /// Which events.
    pub types: Vec<String>,
    /// `active`, `stopped` (by an answer 410, or without a secret), or `full`: so much waits or is dead that nothing new is begun.
    pub state: String,
    /// Why, where it is not active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was made.
    pub made_at: String,
    /// Every event up to this position was accepted, waits, is dead, or was not asked for.
    pub cursor: u64,
    /// Events of the log behind that.
    pub behind: u64,
    /// Events that were accepted.
    pub delivered: u64,
    /// When the last one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<String>,
    /// Events that are tried again.
    pub waiting: u32,
    /// When the next one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<String>,
    /// What came of the last attempt at one that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reason: Option<String>,
    /// Events that were tried too often.
    pub dead: u32,
    /// Secrets that sign.
    pub secrets: u32,
}

/// A subscription with its new secret, which is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MadeWebhook {
    /// Its secret, `whsec_` and base64 of 32 bytes.
    pub secret: String,
    /// What it is.
    #[serde(flatten)]
    pub made: Webhook,
}

/// How a secret is followed by a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RotateWebhook {
    /// Milliseconds for which those before sign beside it, 0 to 604800000; a day where absent.
    #[schema(minimum = 0, maximum = 604_800_000)]
    pub grace_ms: i64,
}

impl Default for RotateWebhook {
    fn default() -> Self {
        Self { grace_ms: 86_400_000 }
    }
}

/// What came of an event that was sent to try a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookTest {
    /// Whether the receiver answered 200 to 299.
    pub accepted: bool,
    /// What it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why it was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How long it took.
    pub took_ms: i64,
}

/// An event that was tried too often. What it says is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// Its place in the log.
    pub position: u64,
    /// Its CloudEvents type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Attempts.
    pub attempts: u32,
    /// When the first was.
    pub first_at: String,
    /// When the last was.
    pub last_at: String,
    /// What came of that.
    pub reason: String,
}

/// Which dead letters are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadLetterChoice {
    /// Only the event at this position; all where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
}

/// How many were meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterCount {
    /// So many.
    pub count: u32,
}
