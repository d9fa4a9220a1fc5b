//! What must hold of handoffs after every event.

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::AgentState;

use crate::handoff::Stage;
use crate::state::State;

/// The owner is the donor until the transfer and the recipient from then on; so a task in a handoff has one owner.
pub(super) fn donor_or_recipient_owns(state: &State) -> Result<(), String> {
    let mut open = BTreeMap::new();
    for handoff in state.handoffs().iter().filter(|handoff| handoff.is_open()) {
        if let Some(other) = open.insert(handoff.task, handoff.id) {
            return Err(format!("{} is in {other} and in {}", handoff.task, handoff.id));
        }
        let owner = state.task(handoff.task).owner.as_ref();
        let Some(owner) = owner else {
            return Err(format!("{} is in {} and nobody's", handoff.task, handoff.id));
        };
        let due = if handoff.is_transferred() { handoff.to } else { Some(handoff.from) };
        if due != Some(owner.agent) {
            let (id, task, agent) = (handoff.id, handoff.task, owner.agent);
            return Err(format!("{id}: {task} is {agent:?}'s and should be {due:?}'s"));
        }
        if handoff.tokens.last().is_some_and(|&token| token != owner.assignment) {
            return Err(format!("{} gave out {:?}, {} is so", handoff.id, handoff.tokens, owner.assignment));
        }
        if handoff.to == Some(handoff.from) && !handoff.is_transferred() {
            return Err(format!("{} goes from an agent to itself", handoff.id));
        }
    }
    if open != state.handoffs().open {
        return Err(format!("{:?} is kept, {open:?} is so", state.handoffs().open));
    }
    Ok(())
}

pub(super) fn slots_are_kept(state: &State) -> Result<(), String> {
    let (mut reserved, mut leaving) = (BTreeMap::<_, BTreeSet<_>>::new(), BTreeMap::<_, BTreeSet<_>>::new());
    for handoff in state.handoffs().iter() {
        if let Some(agent) = handoff.reserved_at() {
            reserved.entry(agent).or_default().insert(handoff.id);
            leaving.entry(handoff.from).or_default().insert(handoff.id);
            if matches!(state.agent(agent).state, AgentState::Offline | AgentState::Removed) {
                let agent = state.agent(agent);
                return Err(format!(
                    "{} keeps a slot at `{}`, which is {}",
                    handoff.id, agent.spec.name, agent.state
                ));
            }
        }
    }
    if reserved != state.handoffs().reserved || leaving != state.handoffs().leaving {
        return Err(format!("{reserved:?} and {leaving:?} are so, the index says otherwise"));
    }
    let counted = |agent| leaving.get(&agent).map_or(0, BTreeSet::len);
    match state.agents().iter().find(|it| state.situation().leaving(it.id) as usize != counted(it.id)) {
        Some(agent) => Err(format!("`{}` hands {} over", agent.spec.name, counted(agent.id))),
        None => Ok(()),
    }
}

pub(super) fn deadlines_are_kept(state: &State) -> Result<(), String> {
    let timed = |stage| matches!(stage, Stage::PackageDue | Stage::Transferred);
    let due = state.handoffs().iter().filter(|handoff| timed(handoff.stage));
    let due: BTreeSet<_> = due.filter_map(|handoff| Some((handoff.due?, handoff.id))).collect();
    if due != state.handoffs().timers {
        return Err(format!("{:?} is kept, {due:?} is so", state.handoffs().timers));
    }
    Ok(())
}

pub(super) fn tokens_go_up(state: &State) -> Result<(), String> {
    for handoff in state.handoffs().iter() {
        let tokens = &handoff.tokens;
        if !tokens.is_sorted_by(|one, next| one < next) || tokens.last() > Some(&state.last_assignment) {
            return Err(format!("{} gave out {tokens:?}", handoff.id));
        }
    }
    Ok(())
}
