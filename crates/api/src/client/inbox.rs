//! Inboxes, and words about escalations.

use super::{Client, Result, escaped, queried};
use crate::{Ack, EscalationWord, Inbox};

impl Client {
    /// Returns what waits for an agent, a role, or anybody; `filters` are pairs of `agent` or `role` with its name.
    pub fn waiting_for(&self, filters: &[(&str, &str)]) -> Result<Inbox> {
        self.get(&format!("/v1/inbox?limit=1000{}", queried(filters)))
    }

    /// Takes an escalation on.
    pub fn acknowledge_escalation(&self, escalation: &str, word: &EscalationWord) -> Result<Ack> {
        self.post(&format!("/v1/escalations/{}/acknowledge", escaped(escalation)), word)
    }

    /// Closes an escalation.
    pub fn settle(&self, escalation: &str, word: &EscalationWord) -> Result<Ack> {
        self.post(&format!("/v1/escalations/{}/settle", escaped(escalation)), word)
    }
}
