//! Idempotency keys: the same key again gives the same answer and changes nothing.

use std::collections::VecDeque;

use kapell_model::{CommandId, Moment, limits};
use serde::{Deserialize, Serialize};

use crate::engine::Reply;
use crate::map::Map;

/// What is remembered of a keyed command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Keyed {
    pub(crate) command: CommandId,
    pub(crate) at: Moment,
    pub(crate) fingerprint: u64,
    pub(crate) reply: Reply,
}

/// The keyed commands of the last day, at most a million.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    by_command: Map<CommandId, (u64, Reply)>,
    in_order: VecDeque<(Moment, CommandId)>,
}

impl Keys {
    pub(crate) fn get(&self, command: CommandId) -> Option<&(u64, Reply)> {
        self.by_command.get(&command)
    }

    pub(crate) fn remember(&mut self, keyed: Keyed) {
        self.in_order.push_back((keyed.at, keyed.command));
        self.by_command.insert(keyed.command, (keyed.fingerprint, keyed.reply));
        let oldest = keyed.at.before(limits::KEY_AGE_MAX);
        while let Some(&(at, command)) = self.in_order.front() {
            if at >= oldest && self.in_order.len() <= limits::KEYS_MAX {
                break;
            }
            self.in_order.pop_front();
            self.by_command.remove(&command);
        }
    }

    pub(crate) fn all(&self) -> Vec<Keyed> {
        let keyed = |&(at, command): &(Moment, CommandId)| {
            let (fingerprint, reply) = self.by_command.get(&command)?.clone();
            Some(Keyed { command, at, fingerprint, reply })
        };
        self.in_order.iter().filter_map(keyed).collect()
    }
}
