//! Supervised handoffs of owned work.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a handoff. The owner says who it is and shows its token; a manager does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoffRequest {
    /// To whom; to the best other agent above the threshold where nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The owner; absent where a manager asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The owner's fencing token; with `agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^A-[0-9]{1,19}$", example = "A-34")]
    pub assignment: Option<String>,
    /// Why. At most 4 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// What the next owner must know. Each part must say something; what is missing is told, and wanted once more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoffPackage {
    /// The donor, who owns the task.
    pub agent: String,
    /// Its fencing token.
    #[schema(pattern = "^A-[0-9]{1,19}$", example = "A-34")]
    pub assignment: String,
    /// What is done. Each text has at most 16 KiB.
    #[serde(default)]
    pub completed: String,
    /// How things stand now.
    #[serde(default)]
    pub state: String,
    /// What is left to do.
    #[serde(default)]
    pub remaining: String,
    /// What else is to be known.
    #[serde(default)]
    pub context: String,
    /// The files that belong to it, at most 500 of 512 bytes; or the word `none` alone.
    #[serde(default)]
    #[schema(max_items = 500)]
    pub files: Vec<String>,
    /// Everything that is reserved for the task, `R-7`; it goes along.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub reservations: Vec<String>,
}

/// The recipient has what it needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoffConfirmation {
    /// The recipient.
    pub agent: String,
}

/// The recipient does not want the task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoffRefusal {
    /// The recipient.
    pub agent: String,
    /// Why. At most 4 KiB.
    #[schema(min_length = 1)]
    pub reason: String,
}

/// Calls a handoff off before the task has changed hands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoffCancellation {
    /// The owner; absent where a manager says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Why. At most 4 KiB.
    #[schema(min_length = 1)]
    pub reason: String,
}

/// A package as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Packed {
    /// What is done.
    pub completed: String,
    /// How things stand.
    pub state: String,
    /// What is left to do.
    pub remaining: String,
    /// What else is to be known.
    pub context: String,
    /// The files that belong to it, or `none`.
    pub files: Vec<String>,
    /// What was reserved for the task, by its number before the transfer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reservations: Vec<String>,
}

/// A handoff.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Handoff {
    /// `H-3`.
    pub id: String,
    /// The task.
    pub task: String,
    /// The donor.
    pub from: String,
    /// The present recipient; absent where none is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Who wanted it: `by_owner`, `by_manager` or `balancing`.
    pub cause: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// `requested`, `package_due`, `package_received`, `validated`, `transferred`, `confirmed`, `released`, `mediation` or `ended`.
    pub stage: String,
    /// What makes it so, in words.
    pub because: Vec<String>,
    /// When it was asked for.
    pub since: String,
    /// Since when it stands where it does.
    pub stage_since: String,
    /// Until when the package or the confirmation is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// The last package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Packed>,
    /// What is missing in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// What went wrong last: `package_late`, `package_incomplete`, `donor_gone`, `recipient_gone`, `declined` or `not_confirmed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// How often it was in mediation.
    pub mediations: u32,
    /// Recipients that are out of the question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<String>,
    /// The fencing tokens that it has given out, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// How it ended without reaching its aim: `cancelled`, `overtaken` or `sent_back`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
