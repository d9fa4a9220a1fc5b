//! What must hold after every event of what owners want leave for.

use kapell_model::{AgentKind, TaskState};

use crate::state::State;

pub(super) fn are_wanted_at_work(state: &State) -> Result<(), String> {
    for task in state.tasks().iter().filter(|task| task.wanted().is_some()) {
        if task.state() != TaskState::InProgress {
            return Err(format!("{} waits for leave and is {}", task.id, task.state()));
        }
        if task.owner.as_ref().is_some_and(|owner| owner.stall().is_some()) {
            return Err(format!("the owner of {} waits for leave and is asked how far it is", task.id));
        }
    }
    Ok(())
}

pub(super) fn are_answered_by_people(state: &State) -> Result<(), String> {
    for task in state.tasks().iter() {
        let Some(owner) = &task.owner else { continue };
        let said = owner.permission.as_ref().and_then(|permission| permission.answer.as_ref());
        let Some(by) = said.and_then(|(_, answer)| answer.by) else { continue };
        if by == owner.agent || state.agent(by).spec.kind != AgentKind::Person {
            let name = &state.agent(by).spec.name;
            return Err(format!("`{name}` answers what the owner of {} wants leave for", task.id));
        }
    }
    Ok(())
}
