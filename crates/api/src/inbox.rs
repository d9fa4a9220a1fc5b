//! What waits for a role, an agent or a person, and words about escalations.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The part of the policy for escalations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Escalating {
    /// Roles from the lowest to the highest, 1 to 8: what one does not acknowledge in the ack time of its severity goes to the next.
    #[schema(min_items = 1, max_items = 8)]
    pub ladder: Vec<String>,
    /// Times that one escalation is raised again.
    #[schema(minimum = 0, maximum = 20)]
    pub reraises_max: u32,
}

impl Default for Escalating {
    fn default() -> Self {
        Self { ladder: ["architect", "agent_manager", "owner"].map(str::to_owned).into(), reraises_max: 3 }
    }
}

/// A word about an escalation: it is taken on, or settled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalationWord {
    /// Who says it: an agent or a person of a role that is called. A manager needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// How it was settled; not kept where it is only taken on. At most 4 KiB.
    #[serde(default)]
    pub note: String,
}

/// What waits for somebody, most pressing first: past due, then by urgency, then by when it is due.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Inbox {
    /// Whose: an agent or a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Of which role; nothing where it is that of everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How much waits in all.
    pub total: u32,
    /// A page of it.
    pub items: Vec<InboxItem>,
    /// Where to go on; nothing on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One matter that waits for somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InboxItem {
    /// `escalation`, `offer` (a late result), `review`, `proposal` (a decision wants a word), `handoff` or `message`.
    pub kind: String,
    /// What it is called: E-2, O-5, T-12, C-4, H-3 or M-9.
    pub id: String,
    /// Of an escalation: what sort of matter it is. Of a handoff: its stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matter: Option<String>,
    /// How urgent it is: `critical`, `high`, `medium` or `low`.
    pub priority: String,
    /// The task that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What is the matter.
    pub detail: String,
    /// Since when it waits.
    pub since: String,
    /// Until when a word is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// Whether that is past.
    pub overdue: bool,
    /// Of an escalation: how often it was raised again.
    pub raised_again: u32,
    /// Of an escalation: who has taken it on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    /// Of `permission_needed`: what is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<crate::permission::Permission>,
    /// A command that answers it.
    pub answer: String,
}
