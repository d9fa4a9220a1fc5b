//! What must hold of emergencies and task forces after every event.

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::{AgentId, EmergencyId, TaskId};

use crate::emergency::{Action, EmergencyState};
use crate::state::State;

/// One of each kind about each thing, indexed as it is.
pub(super) fn one_of_each_kind(state: &State) -> Result<(), String> {
    let mut open = BTreeMap::new();
    for emergency in state.emergencies().all.iter().filter(|it| it.state != EmergencyState::Ended) {
        if let Some(other) = open.insert((emergency.kind, emergency.scope.clone()), emergency.id) {
            return Err(format!("{other} and {} are about the same", emergency.id));
        }
    }
    if open != *state.emergencies.all.open_ids() {
        return Err(format!("{open:?} are open, {:?} are kept", state.emergencies.all.open_ids()));
    }
    match state.emergencies.alarms.keys().find(|key| open.contains_key(key)) {
        Some(key) => Err(format!("{key:?} is to be declared and is")),
        None => Ok(()),
    }
}

/// Nothing that was done outlives its emergency.
pub(super) fn actions_are_undone(state: &State) -> Result<(), String> {
    for emergency in state.emergencies().all.iter() {
        if emergency.state == EmergencyState::Ended
            && let Some((number, action)) = emergency.pending().next()
        {
            return Err(format!(
                "{} has ended, its action {number} is neither undone nor confirmed: {action:?}",
                emergency.id
            ));
        }
    }
    Ok(())
}

/// What is in effect is what open emergencies have done and not undone.
pub(super) fn effects_have_actions(state: &State) -> Result<(), String> {
    let (mut overtime, mut raised, mut aside) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
    let (mut pause, mut leases) = (None, false);
    for emergency in state.emergencies().all.open() {
        for (_, action) in emergency.pending() {
            match *action {
                Action::OvertimeRaised { agent } => *overtime.entry(agent).or_default() += 1,
                Action::StandbyRaised { agent } => {
                    raised.insert(agent);
                }
                Action::WorkDeferred { task } => {
                    aside.insert(task, emergency.id);
                }
                Action::AssignmentsPaused {} => pause = Some(emergency.id),
                Action::LeasesExtended {} => leases = true,
                _ => {}
            }
        }
    }
    let kept = &state.emergencies;
    let overtime: BTreeMap<AgentId, u32> = overtime;
    if overtime != kept.overtime || raised != kept.raised {
        return Err(format!(
            "overtime is {:?} and should be {overtime:?}; raised are {:?} and should be {raised:?}",
            kept.overtime, kept.raised
        ));
    }
    let found: BTreeMap<TaskId, EmergencyId> =
        state.tasks().iter().filter_map(|task| Some((task.id, task.aside?))).collect();
    if found != aside {
        return Err(format!("{found:?} are set aside and {aside:?} should be"));
    }
    if pause != kept.pause.map(|pause| pause.emergency) || leases != kept.leases_extended {
        return Err(format!("the pause is of {:?} and should be of {pause:?}", kept.pause));
    }
    Ok(())
}

/// The task forces at work are those that are not disbanded, each with its next checkpoint.
pub(super) fn forces_agree(state: &State) -> Result<(), String> {
    let (mut open, mut timers) = (BTreeMap::new(), BTreeSet::new());
    for force in state.forces().all.iter().filter(|force| force.disbanded.is_none()) {
        if let Some(other) = open.insert(force.formation.scope.clone(), force.id) {
            return Err(format!("{other} and {} are for the same", force.id));
        }
        timers.extend(force.next_checkpoint().map(|(_, checkpoint)| (checkpoint.due, force.id)));
        if !force.formation.members.contains(&force.formation.lead) {
            return Err(format!("the lead of {} is no member", force.id));
        }
    }
    if open != *state.forces.all.open_ids() || timers != state.forces.timers {
        return Err(format!(
            "{open:?} with {timers:?} are at work, {:?} with {:?} are kept",
            state.forces.all.open_ids(),
            state.forces.timers
        ));
    }
    Ok(())
}

/// An emergency's task force ends with it.
pub(super) fn forces_end_with_emergencies(state: &State) -> Result<(), String> {
    let outlived = state.forces().all.open().find(|force| {
        let emergency = force.formation.emergency.and_then(|id| state.emergencies().all.get(id));
        emergency.is_some_and(|it| it.state == EmergencyState::Ended)
    });
    match outlived {
        Some(force) => Err(format!("{} is at work though its emergency has ended", force.id)),
        None => Ok(()),
    }
}
