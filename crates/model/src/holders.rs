//! Who has a capability, so that a class does not have to look at every agent.

use std::sync::Arc;

use crate::id::{AgentId, Word};
use crate::ratio::Ratio;

/// By word: who has it, in order of ids, with its score. A clone shares the lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holders {
    holders: Vec<Arc<Vec<(AgentId, Ratio)>>>,
}

impl Holders {
    pub(crate) fn of(&self, capability: Word) -> &[(AgentId, Ratio)] {
        self.holders.get(capability.index()).map_or(&[], |list| list.as_slice())
    }

    /// Takes one score of an agent.
    pub(crate) fn set(&mut self, id: AgentId, word: Word, score: Ratio) {
        if self.holders.len() <= word.index() {
            self.holders.resize_with(word.index() + 1, Arc::default);
        }
        let list = Arc::make_mut(&mut self.holders[word.index()]);
        match list.binary_search_by_key(&id, |&(agent, _)| agent) {
            Ok(at) => list[at].1 = score,
            Err(at) => list.insert(at, (id, score)),
        }
    }

    /// Takes what an agent can do now instead of what it could before.
    pub(crate) fn amend(&mut self, id: AgentId, before: &[(Word, Ratio)], now: &[(Word, Ratio)]) {
        if before == now {
            return;
        }
        for (word, _) in before {
            let list = Arc::make_mut(&mut self.holders[word.index()]);
            if let Ok(at) = list.binary_search_by_key(&id, |&(agent, _)| agent) {
                list.remove(at);
            }
        }
        for &(word, score) in now {
            if self.holders.len() <= word.index() {
                self.holders.resize_with(word.index() + 1, Arc::default);
            }
            let list = Arc::make_mut(&mut self.holders[word.index()]);
            if let Err(at) = list.binary_search_by_key(&id, |&(agent, _)| agent) {
                list.insert(at, (id, score));
            }
        }
    }
}
