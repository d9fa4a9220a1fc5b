//! What must hold of messages after every event.

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::{Priority, limits};

use crate::escalation::{EscalationKind, Subject};
use crate::message::Talk;
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
    for (&agent, waiting) in &messages.undelivered {
        if waiting.is_empty() || waiting.len() > limits::UNDELIVERED_MAX {
            return Err(format!("{} messages wait for room in the inbox of {agent:?}", waiting.len()));
        }
        for &id in waiting {
            let there = messages.inboxes.get(&agent).is_some_and(|inbox| inbox.contains_key(&id));
            if there || messages.get(id).is_none_or(|message| message.channel.is_none()) {
                return Err(format!("{id} waits for room in the inbox of {agent:?}, or is there, or is not"));
            }
            *open.entry(id).or_default() += 1;
        }
        // Who is called may have said that it is known.
        let newest = waiting.last().and_then(|&id| messages.get(id)).map(|message| message.at);
        let called = state.escalations().iter().rev().any(|it| {
            let about = it.kind == EscalationKind::MessageUnanswered && it.subject == Subject::Agent(agent);
            about && it.settled.as_ref().is_none_or(|(at, _)| Some(*at) >= newest)
        });
        if !called {
            return Err(format!("{} messages wait for room and nobody was called", waiting.len()));
        }
    }
    let mut digests = BTreeSet::new();
    for ((agent, talk), gathered) in &messages.gathered {
        if gathered.messages.is_empty() || gathered.messages.len() > limits::GATHERED_MAX {
            return Err(format!("{} messages are gathered for {agent:?}", gathered.messages.len()));
        }
        for &id in &gathered.messages {
            let Some(message) = messages.get(id) else {
                return Err(format!("{id} is gathered for {agent:?} and is not there"));
            };
            let member = match talk {
                Talk::Pair(one, other) => message.from == Some(if agent == one { *other } else { *one }),
                Talk::Channel(channel) => message.channel.as_ref() == Some(channel),
            };
            if !member || message.ack || message.priority < Priority::Medium {
                return Err(format!("{id} is gathered for {agent:?} with what was said in {talk:?}"));
            }
            *open.entry(id).or_default() += 1;
        }
        digests.insert((gathered.due, *agent, talk.clone()));
    }
    if digests != messages.digests {
        return Err(format!("{} digests will come, {} are kept", digests.len(), messages.digests.len()));
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
