//! What must hold of reservations after every event.

use std::collections::BTreeSet;

use kapell_model::{AgentId, AgentState, ClassId, TaskId};

use crate::reservations::{Lapse, clash};
use crate::state::State;

pub(super) fn no_two_hold(state: &State) -> Result<(), String> {
    let held: Vec<_> = state.reservations().held().collect();
    for (index, one) in held.iter().enumerate() {
        for other in &held[index + 1..] {
            if one.party().is_with(other.party()) {
                continue;
            }
            if let Some((mine, theirs)) = clash(&one.needs, &other.needs) {
                let (mine, theirs) = (&mine.resource, &theirs.resource);
                return Err(format!("{} holds {mine} and {} holds {theirs}", one.id, other.id));
            }
        }
    }
    Ok(())
}

pub(super) fn tokens_grow(state: &State) -> Result<(), String> {
    let reservations = state.reservations();
    if let Some(last) = reservations.held().next_back().filter(|held| held.id > reservations.last) {
        return Err(format!("{} is held, the last one is {}", last.id, reservations.last));
    }
    let waits =
        reservations.waiting().map(|wait| wait.id).chain(reservations.held().filter_map(|held| held.wait));
    match waits.max().filter(|&wait| wait > reservations.last_wait) {
        Some(wait) => Err(format!("{wait} is known, the last one is {}", reservations.last_wait)),
        None => Ok(()),
    }
}

pub(super) fn gone_reserve_nothing(state: &State) -> Result<(), String> {
    let holders = state.reservations().held().map(|held| (held.id.to_string(), held.agent));
    let waiting = state.reservations().waiting().map(|wait| (wait.id.to_string(), wait.agent));
    for (id, agent) in holders.chain(waiting) {
        let agent = state.agent(agent);
        if matches!(agent.state, AgentState::Offline | AgentState::Removed) {
            return Err(format!("{id} belongs to `{}`, which is {}", agent.spec.name, agent.state));
        }
    }
    Ok(())
}

pub(super) fn reserved_by_owner(state: &State) -> Result<(), String> {
    let holders = state.reservations().held().map(|held| (held.id.to_string(), held.agent, held.task));
    let waiting = state.reservations().waiting().map(|wait| (wait.id.to_string(), wait.agent, wait.task));
    for (id, agent, task) in holders.chain(waiting) {
        let Some(task) = task.map(|task| state.task(task)) else { continue };
        let owner = task.owner.as_ref().map(|owner| owner.agent);
        if owner != Some(agent) {
            return Err(format!("{id} of agent {agent:?} is for {}, whose owner is {owner:?}", task.id));
        }
    }
    Ok(())
}

pub(super) fn waits_behind_something(state: &State) -> Result<(), String> {
    let reservations = state.reservations();
    // Those whose turn may have come are looked at in the same step.
    let settled = reservations.waiting().filter(|wait| !reservations.stirred.contains(&wait.id));
    match settled.into_iter().find(|wait| state.obstacle_of(wait).is_none()) {
        Some(wait) => Err(format!("nothing stands in the way of {}", wait.id)),
        None => Ok(()),
    }
}

pub(super) fn gates_agree(state: &State) -> Result<(), String> {
    for class in 0..state.situation().class_count() {
        let class = ClassId(u32::try_from(class).expect("classes are bounded"));
        let (kept, so) = (state.situation().gate(class), state.gate_of(class));
        if kept != so {
            let needs = &state.situation().class(class).needs;
            return Err(format!("the gate of {class:?} is {kept:?} and should be {so:?}: {needs:?}"));
        }
    }
    Ok(())
}

pub(super) fn held_back_as_noted(state: &State) -> Result<(), String> {
    let mut noted = 0;
    for class in 0..state.situation().class_count() {
        let class = ClassId(u32::try_from(class).expect("classes are bounded"));
        let key = state.watch.key_of(class).ok_or("a class without a fingerprint")?;
        let held = state.reservations().held_back.get(&key);
        noted += usize::from(held.is_some());
        let so = state.situation().first(class).map(|head| {
            let turn = state.turn_of_task(state.task(head.task));
            state.in_the_way(None, &state.situation().class(class).needs, turn, None)
        });
        let kept = held.map(crate::held_back::HeldBack::now);
        if kept.unwrap_or_default() != so.unwrap_or_default() || (so.is_none() && held.is_some()) {
            return Err(format!("{so:?} is in the way of {class:?}, {kept:?} is noted"));
        }
    }
    let kept = state.reservations().held_back.len();
    if kept == noted { Ok(()) } else { Err(format!("{kept} classes are noted, {noted} are there")) }
}

pub(super) fn shares_agree(state: &State) -> Result<(), String> {
    let reservations = state.reservations();
    let mut lapses = BTreeSet::new();
    let mut listed: BTreeSet<(AgentId, Option<TaskId>, String)> = BTreeSet::new();
    for held in reservations.held() {
        lapses.extend(held.expires_at.map(|at| (at, Lapse::Held(held.id))));
        listed.insert((held.agent, held.task, held.id.to_string()));
        if !reservations.by_agent.get(&held.agent).is_some_and(|share| share.held.contains(&held.id)) {
            return Err(format!("{} is not on its holder's list", held.id));
        }
    }
    for wait in reservations.waiting() {
        lapses.insert((wait.expires_at, Lapse::Waiting(wait.id)));
        listed.insert((wait.agent, wait.task, wait.id.to_string()));
        if !reservations.by_agent.get(&wait.agent).is_some_and(|share| share.waits.contains(&wait.id)) {
            return Err(format!("{} is not on its agent's list", wait.id));
        }
    }
    let counted = |share: &crate::reservations::Share| share.held.len() + share.waits.len();
    let by_agent: usize = reservations.by_agent.values().map(counted).sum();
    let by_task: usize = reservations.by_task.values().map(counted).sum();
    let for_tasks = listed.iter().filter(|(_, task, _)| task.is_some()).count();
    if lapses != reservations.lapses || by_agent != listed.len() || by_task != for_tasks {
        let (all, ends) = (listed.len(), reservations.lapses.len());
        return Err(format!(
            "{all} in all, {by_agent} by agent, {by_task} of {for_tasks} by task, {ends} ends"
        ));
    }
    Ok(())
}
