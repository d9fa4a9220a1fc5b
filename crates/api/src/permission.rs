//! What agents want leave for in the middle of their work.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One answer that an agent offers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionOption {
    /// What the agent calls it. At most 200 bytes.
    #[schema(min_length = 1, max_length = 200)]
    pub id: String,
    /// What it says to people. At most 200 bytes.
    #[schema(max_length = 200)]
    pub name: String,
    /// What it means: `allow_once`, `allow_always`, `reject_once` or `reject_always`.
    #[schema(pattern = "^(allow|reject)_(once|always)$")]
    pub kind: String,
}

/// The owner of a task wants leave for something. The same again, word by word, changes nothing; anything else takes its place. At
/// most 1000 under one assignment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPermission {
    /// Who asks.
    pub agent: String,
    /// The fencing token, `A-34`.
    #[schema(pattern = "^A-[0-9]{1,19}$", example = "A-34")]
    pub assignment: String,
    /// What whoever asks calls the request, so that the same again is known: a name, at most 100 bytes.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What it would do, in a line. At most 1000 bytes.
    #[schema(min_length = 1, max_length = 1000)]
    pub title: String,
    /// What sort of thing that is, as `execute`. At most 200 bytes.
    #[schema(min_length = 1, max_length = 200)]
    pub kind: String,
    /// The command, the paths, and what else is to be known. At most 4 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 4096)]
    pub detail: String,
    /// What may be answered, 1 to 8.
    #[schema(min_items = 1, max_items = 8)]
    pub options: Vec<PermissionOption>,
}

/// What was asked for is not wanted any more. Refused where it is answered: whoever asked goes by the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PermissionWithdrawal {
    /// Who asked.
    pub agent: String,
    /// The fencing token, `A-34`.
    #[schema(pattern = "^A-[0-9]{1,19}$", example = "A-34")]
    pub assignment: String,
    /// Why. At most 4 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 4096)]
    pub reason: String,
}

/// What the owner of a task wants leave for, or last wanted. Title and detail are the agent's words, not to be trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Permission {
    /// The task.
    pub task: String,
    /// Its owner, who asks.
    pub agent: String,
    /// Under which assignment.
    pub assignment: String,
    /// What an answer names, `P-227`: no other request is ever called so.
    pub request: String,
    /// What whoever asks calls it.
    pub name: String,
    /// What it would do, in a line.
    pub title: String,
    /// What sort of thing that is, as `execute`.
    pub kind: String,
    /// The command, the paths, and what else is to be known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What may be answered.
    pub options: Vec<PermissionOption>,
    /// `open`, `allowed` or `refused`.
    pub state: String,
    /// Since when it waits.
    pub since: String,
    /// Which option was chosen; nothing where it was refused and the agent offers none for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option: Option<String>,
    /// Who has answered: a person, or `manager`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What was said with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}
