//! Inboxes, and words about escalations.

use std::collections::BTreeSet;

use super::{Client, Result, escaped, queried};
use crate::{Ack, EscalationWord, Inbox, InboxItem};

fn named(item: &InboxItem) -> (String, String) {
    (item.kind.clone(), item.id.clone())
}

impl Client {
    /// Returns what waits for an agent, a role, or anybody; `filters` are pairs of `agent` or `role` with its name.
    pub fn waiting_for(&self, filters: &[(&str, &str)]) -> Result<Inbox> {
        let path = format!("/v1/inbox?limit=1000{}", queried(filters));
        let mut inbox: Inbox = self.get(&path)?;
        let mut known: BTreeSet<(String, String)> = inbox.items.iter().map(named).collect();
        while let Some(cursor) = inbox.next_cursor.take() {
            let page: Inbox = self.get(&format!("{path}&cursor={}", escaped(&cursor)))?;
            // The order may have changed between two pages.
            inbox.items.extend(page.items.into_iter().filter(|it| known.insert(named(it))));
            inbox.next_cursor = page.next_cursor;
        }
        Ok(inbox)
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
