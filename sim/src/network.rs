//! What lies between callers and server: messages get lost, come twice, come late and out of order; callers are cut off.

use std::collections::BTreeMap;

use kapell_store::Chance;

use crate::actor::Call;
use crate::node::Answer;
use crate::scenario::{Knob, Scenario, below};

/// A message on its way.
#[derive(Debug, Clone)]
pub enum Message {
    /// To the server.
    Request(Call),
    /// Back to caller `who`, about its request `number`.
    Response {
        /// The caller.
        who: usize,
        /// Its request.
        number: u64,
        /// What the server says.
        answer: Answer,
    },
}

/// The network of one play.
#[derive(Debug, Default)]
pub struct Network {
    /// By the time at which they come; those of the same time in the order in which they were sent.
    under_way: BTreeMap<(i64, u64), Message>,
    sent: u64,
    /// Until when each caller is cut off.
    cut: Vec<i64>,
}

/// A copy that is held comes after a day or later: by then the server may have forgotten its key.
const HELD: i64 = 24 * 3_600_000;

impl Network {
    /// Sends a message, or does not.
    pub fn send(
        &mut self,
        message: Message,
        now: i64,
        scenario: &Scenario,
        chance: &mut Chance,
        healing: bool,
    ) {
        let who = match &message {
            Message::Request(call) => call.who,
            Message::Response { who, .. } => *who,
        };
        let quick = now + i64::from(below(chance, 50));
        if healing {
            return self.put(quick, message);
        }
        if self.cut.get(who).is_some_and(|&until| now < until) {
            return;
        }
        let mut happens = |knob: Knob| below(chance, 1_000) < scenario.get(knob);
        let [lost, twice, late, held] =
            [Knob::Lose, Knob::Duplicate, Knob::Delay, Knob::Hold].map(&mut happens);
        if held && matches!(message, Message::Request(_)) {
            self.put(now + HELD + i64::from(below(chance, 4 * 3_600_000)), message.clone());
        }
        if twice {
            self.put(now + i64::from(below(chance, 90_000)), message.clone());
        }
        if !lost {
            let at = if late { now + i64::from(below(chance, 40_000)) } else { quick };
            self.put(at, message);
        }
    }

    /// Cuts a caller off until then.
    pub fn cut(&mut self, who: usize, until: i64) {
        if self.cut.len() <= who {
            self.cut.resize(who + 1, 0);
        }
        self.cut[who] = until;
    }

    /// Returns the next message that has come by `now`.
    pub fn deliver(&mut self, now: i64) -> Option<Message> {
        let next = self.under_way.first_entry().filter(|next| next.key().0 <= now)?;
        Some(next.remove())
    }

    /// Drops the connections of a server that has died: what was under way to callers is gone; requests come to the next one.
    pub fn server_died(&mut self) {
        self.under_way.retain(|_, message| matches!(message, Message::Request(_)));
    }

    fn put(&mut self, at: i64, message: Message) {
        self.sent += 1;
        self.under_way.insert((at, self.sent), message);
    }
}
