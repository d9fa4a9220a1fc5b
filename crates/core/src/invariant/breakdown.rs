//! What must hold of breakdowns after every event.

use std::collections::BTreeSet;

use kapell_model::TaskState;

use crate::breakdown::{Breakdown, ComponentSource, Part};
use crate::state::State;
use crate::task::Task;

pub(super) fn subtasks_take_over(state: &State) -> Result<(), String> {
    let mut wanted = BTreeSet::new();
    for task in state.tasks().iter() {
        if task.state() == TaskState::Waiting && task.is_to_be_broken_down() {
            wanted.insert(task.id);
        }
        if task.level() > 3 {
            return Err(format!("{} lies {} levels deep", task.id, task.level()));
        }
        if let Some(into) = task.broken_into() {
            followed(state, task, into)?;
        }
        if task.state() != TaskState::Archived {
            continue;
        }
        if task.broken_into().is_none() {
            return Err(format!("{} is archived and was not broken down", task.id));
        }
        let waits = |id: &&kapell_model::TaskId| state.task(**id).gates().any(|on| on == task.id);
        if let Some(dependent) = task.dependents.iter().find(waits) {
            return Err(format!("{dependent} waits for {}, which was broken down", task.id));
        }
    }
    if wanted == state.breakdowns {
        Ok(())
    } else {
        Err(format!("{:?} is kept, {wanted:?} is so", state.breakdowns))
    }
}

/// The subtasks know what they are of the whole, and were tied to each other.
fn followed(state: &State, whole: &Task, into: &Breakdown) -> Result<(), String> {
    let components = into.implementations.iter().map(|&id| (id, Part::Implementation));
    let ends = [
        (into.planning, Part::Planning),
        (into.integration, Part::Integration),
        (into.testing, Part::Testing),
    ];
    for (id, part) in ends.into_iter().chain(components) {
        let member = state.task(id).membership();
        if member.is_none_or(|member| (member.of, member.part) != (whole.id, part)) {
            return Err(format!("{id} should be the {} of {}", part.as_str(), whole.id));
        }
    }
    // What a manager has waived is a tie too.
    let tied =
        |id, on| state.task(id).edges.iter().any(|edge| edge.on == state.stands_for(on) || edge.on == on);
    let pairs = into.implementations.iter().map(|&it| (it, into.planning));
    // An integration that somebody had, or that had ended, when the planning said the components waits for none of them.
    let begun = into.source == Some(ComponentSource::Planning)
        && !into.implementations.iter().any(|&it| tied(into.integration, it));
    let before = into.implementations.iter().map(|&it| (into.integration, it));
    let before = before.filter(|_| into.source.is_some() && !begun);
    for (id, on) in pairs.chain(before).chain([(into.testing, into.integration)]) {
        if !tied(id, on) {
            return Err(format!("{id} should wait for {on}"));
        }
    }
    Ok(())
}
