//! What must hold of conflicts and of what waits for them.

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::TaskState;

use crate::conflict::{ConflictMatter, ConflictState};
use crate::deliberation::Votes;
use crate::dispute::{Award, AwardRule};
use crate::state::State;

pub(super) fn lists_agree(state: &State) -> Result<(), String> {
    let (mut open, mut contended, mut due) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
    for (number, conflict) in (1..).zip(state.conflicts().iter()) {
        if conflict.id.0 != number {
            return Err(format!("{} stands at place {number}", conflict.id));
        }
        if conflict.state.is_open() != conflict.settled.is_none() {
            return Err(format!(
                "{} is {} and settled: {:?}",
                conflict.id,
                conflict.state.as_str(),
                conflict.settled
            ));
        }
        if !conflict.state.is_open() {
            continue;
        }
        open.insert(conflict.id);
        match &conflict.matter {
            ConflictMatter::Contention { wait, .. } => {
                contended.insert(*wait, conflict.id);
            }
            ConflictMatter::Decision(it) if conflict.state == ConflictState::Open => {
                due.insert((it.topic.deadline, conflict.id));
            }
            ConflictMatter::Decision(_) | ConflictMatter::Dispute(_) | ConflictMatter::Precedence(_) => {}
        }
    }
    if (&open, &contended, &due) != (&state.open_conflicts, &state.contended, &state.decisions_due) {
        return Err(format!("{open:?}, {contended:?} and {due:?} are so, something else is kept"));
    }
    match contended.keys().find(|wait| state.reservations().wait(**wait).is_none()) {
        Some(wait) => Err(format!("there is a conflict over {wait}, which does not stand in line")),
        None => Ok(()),
    }
}

pub(super) fn waits_have_reasons(state: &State) -> Result<(), String> {
    for task in state.tasks().iter() {
        for &id in task.awaits() {
            let awaited = state.conflict(id).filter(|it| it.state.is_open() && it.deliberation().is_some());
            if !awaited.is_some_and(|it| it.tasks.contains(&task.id)) {
                return Err(format!("{} waits for {id}, which is no open decision about it", task.id));
            }
        }
        let waits_for_task = task.gates().any(|on| state.task(on).state() != TaskState::Completed);
        if task.state() == TaskState::Blocked && !waits_for_task && task.awaits().is_empty() {
            return Err(format!("{} is blocked by nothing", task.id));
        }
    }
    for conflict in state.open_conflicts().filter(|conflict| conflict.deliberation().is_some()) {
        for &task in &conflict.tasks {
            if state.task(task).awaits().iter().filter(|&&id| id == conflict.id).count() != 1 {
                return Err(format!("{task} does not wait for {} exactly once", conflict.id));
            }
        }
    }
    Ok(())
}

pub(super) fn decided_by_right(state: &State) -> Result<(), String> {
    for conflict in state.conflicts().iter() {
        let Some(it) = conflict.deliberation() else { continue };
        let Some(outcome) = &it.outcome else { continue };
        if outcome.tally != Votes::of(&it.proposals) {
            return Err(format!("{} was tallied as {}", conflict.id, outcome.tally.text()));
        }
        let by_tally = it.topic.decided(&outcome.tally, true).map(|leading| &leading.option);
        if outcome.ruled.is_none() && by_tally != Ok(&outcome.option) {
            return Err(format!("{} was decided for `{}` by {by_tally:?}", conflict.id, outcome.option));
        }
    }
    Ok(())
}

pub(super) fn awarded_by_right(state: &State) -> Result<(), String> {
    for conflict in state.conflicts().iter() {
        let Some(it) = conflict.dispute() else { continue };
        let Some(award) = &it.award else { continue };
        let holder = conflict.parties.first().copied();
        let right = if it.stalled {
            holder.map(|holder| Award::among(holder, award.considered.clone()))
        } else {
            holder.map(|agent| Award { agent, rule: AwardRule::LiveAssignment, considered: Vec::new() })
        };
        if right.as_ref() != Some(award) {
            return Err(format!("{} was awarded by {award:?}, by right {right:?}", conflict.id));
        }
        if let Some(stranger) = award.considered.iter().find(|it| !conflict.parties.contains(&it.agent)) {
            return Err(format!("{} considered {}, who is no party", conflict.id, stranger.agent.0));
        }
    }
    Ok(())
}

pub(super) fn ranked_by_impact(state: &State) -> Result<(), String> {
    let flawed = |conflict: &crate::conflict::Conflict| Some((conflict.id, conflict.precedence()?.flaw()?));
    match state.conflicts().iter().find_map(flawed) {
        Some((id, flaw)) => Err(format!("{id}: {flaw}")),
        None => Ok(()),
    }
}

pub(super) fn orders_agree(state: &State) -> Result<(), String> {
    state.orders.flaw(state).map_or(Ok(()), Err)
}
