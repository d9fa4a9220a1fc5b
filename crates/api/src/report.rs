//! What owners report. Each report carries the fencing token of its assignment.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::budget::Usage;

macro_rules! reports {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Which task, `T-12` or its key. In the path of a single request; needed in a bulk line.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub task: Option<String>,
            /// Who reports.
            pub agent: String,
            /// The fencing token, `A-34`.
            #[schema(pattern = "^A-[0-9]{1,19}$", example = "A-34")]
            pub assignment: String,
            $($(#[$field_doc])* pub $field: $type),*
        }
    )+};
}

reports! {
    /// The owner has begun.
    StartReport {}
    /// The owner tells how far it is.
    ProgressReport {
        /// Percent done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(minimum = 0, maximum = 100)]
        percent: Option<u8>,
        /// What it is doing. At most 4 KiB.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// What the attempt has used in all so far.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
    }
    /// The owner has finished.
    DoneReport {
        /// What came of it. At most 64 KiB.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<String>,
        /// What the attempt has used in all so far.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
    }
    /// The owner could not do it.
    FailReport {
        /// Why. At most 4 KiB.
        #[schema(min_length = 1)]
        reason: String,
        /// Whether another attempt makes sense. Default yes.
        #[serde(default = "yes")]
        retry: bool,
        /// What the attempt has used in all so far.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
    }
    /// The owner gives it back, without blame.
    ReleaseReport {
        /// Why, and what the next one should know. At most 4 KiB.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// What the attempt has used in all so far.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
    }
}

const fn yes() -> bool {
    true
}

/// What an accepted command did. The same command under the same idempotency key gets the same one again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ack {
    /// The task that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Its state right after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Its owner right after, or the agent that the command was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The live assignment of the task right after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<String>,
    /// The late result that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// The escalation that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<String>,
    /// The reservation that it made, renewed or released: the fencing token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<String>,
    /// The place in line that it made or gave up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
    /// When the reservation, or the place in line, ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// The conflict that it opened, or was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<String>,
    /// The handoff that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoff: Option<String>,
    /// The message that it sent or acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What keeps the package that it brought from being whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The emergency that it declared or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<String>,
    /// The task force that it made or disbanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<String>,
    /// The policy version that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<u32>,
    /// How many notices the agent that sent it has not read; absent where it has read all.
    #[serde(default, skip_serializing_if = "no_notices")]
    pub notices: u32,
    /// What could not be had, and what was done without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn no_notices(notices: &u32) -> bool {
    *notices == 0
}
