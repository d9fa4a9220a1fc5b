//! Gates: what finished work must pass before it counts as completed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One gate, as declared by a task or by the policy for a type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// `command` (it must end with 0), `review` (by another agent) or `approval` (by a person). They are passed in this order.
    #[schema(pattern = "^(command|review|approval)$")]
    pub kind: String,
    /// Of a review: only agents of this role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub role: Option<String>,
    /// Of a command: its line, run where the work is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 2000)]
    pub command: Option<String>,
}

/// The part of the policy for gates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gating {
    /// The gates of every task of a type, beside those of the task itself. At most 8 each.
    pub by_type: std::collections::BTreeMap<String, Vec<Gate>>,
    /// Time for a review until another agent is asked.
    pub review_ms: i64,
    /// Times that work is sent back until somebody is called.
    #[schema(minimum = 1, maximum = 100)]
    pub rejections_max: u32,
}

impl Default for Gating {
    fn default() -> Self {
        Self { by_type: std::collections::BTreeMap::new(), review_ms: 3_600_000, rejections_max: 3 }
    }
}

/// A gate of a task, and how its work stands before it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskGate {
    /// Its number, counted from 1.
    pub number: u32,
    /// `command`, `review` or `approval`.
    pub kind: String,
    /// Of a review: only agents of this role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Of a command: its line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// `ahead`, `open` (the work stands before it), `passed` or `rejected`.
    pub state: String,
    /// Who is asked for the review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewer: Option<String>,
    /// Until when; then another one is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Which agent has said it; `manager` where a manager did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What was said, or the end of the command's output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// How good the work is, 0..=1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// How the command ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The digest of its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Finished work that stands before a gate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenGate {
    /// The task.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Its effective priority.
    pub priority: String,
    /// `in_review` or `waiting`.
    pub state: String,
    /// What it waits for, in words.
    pub because: String,
    /// The gate.
    pub gate: TaskGate,
    /// Whose work it is.
    pub author: String,
    /// Under which assignment.
    pub assignment: String,
    /// When it was finished.
    pub since: String,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// How often work on it was sent back before.
    pub rejections: u32,
}

/// A word about finished work, a review or an approval; or with `request` an answer to what the owner wants leave for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVerdict {
    /// `approve` or `reject`.
    #[schema(pattern = "^(approve|reject)$")]
    pub verdict: String,
    /// Why, and what is to be done; needed to reject. At most 4 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 4096)]
    pub notes: String,
    /// How good the work is, 0..=1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1)]
    pub score: Option<f64>,
    /// Which gate, counted from 1; refused where the work stands before another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<u8>,
    /// Which request for leave is answered, `P-227`; neither `score` nor `gate` goes with it, and to reject needs no `notes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^P-[0-9]{1,19}$", example = "P-227")]
    pub request: Option<String>,
    /// Which of its options; the first that fits where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub option: Option<String>,
    /// Who says so. By default the agent of the token; a manager needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// How a command ended that finished work must pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckReport {
    /// Its exit code; 0 passes.
    pub exit_code: i32,
    /// A digest of its whole output, with the name of the algorithm in front. At most 200 bytes.
    #[schema(min_length = 1, max_length = 200, example = "sha256:2c26b46b68ff")]
    pub digest: String,
    /// The end of its output. At most 4 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 4096)]
    pub notes: String,
    /// Which gate, counted from 1; refused where the work stands before another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<u8>,
    /// The author, for whom it was run. By default the agent of the token; a manager needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}
