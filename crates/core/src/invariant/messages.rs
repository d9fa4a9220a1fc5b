//! What must hold of messages after every event.

use std::collections::{BTreeMap, BTreeSet};

use crate::state::State;

/// Nothing is lost: whoever has to read a message can, and it is due, or somebody has been called.
pub(super) fn unread_is_kept(state: &State) -> Result<(), String> {
    let messages = state.messages();
    let (mut timers, mut open) = (BTreeSet::new(), BTreeMap::<_, u32>::new());
    for (&agent, inbox) in &messages.inboxes {
        if inbox.is_empty() {
            return Err(format!("{agent:?} has an empty inbox that is kept"));
        }
        for (&id, delivery) in inbox {
            if messages.get(id).is_none() {
                return Err(format!("{agent:?} has to read {id}, which is not there"));
            }
            *open.entry(id).or_default() += 1;
            if !delivery.escalated {
                timers.insert((delivery.due, agent, id));
            }
        }
    }
    if timers != messages.timers || open != messages.open {
        return Err(format!("{} are due and {} kept", timers.len(), messages.timers.len()));
    }
    let closed: BTreeSet<_> = messages.closed.iter().collect();
    match messages.all.keys().find(|&id| closed.contains(id) == open.contains_key(id)) {
        Some(id) => Err(format!("{id} is both to be read and not, or neither")),
        None => Ok(()),
    }
}

pub(super) fn message_ids_grow(state: &State) -> Result<(), String> {
    let messages = state.messages();
    match messages.all.keys().next_back().filter(|&&id| id > messages.last) {
        Some(id) => Err(format!("{id} is known, the last one is {}", messages.last)),
        None => Ok(()),
    }
}
