//! What must hold of gates after every event.

use kapell_model::{TaskGate, TaskState};

use crate::gate::Gates;
use crate::state::State;

pub(super) fn are_passed(state: &State) -> Result<(), String> {
    for task in state.tasks().iter() {
        let Some(ending) = task.ending.as_ref().filter(|ending| ending.by.is_some()) else { continue };
        if ending.state != TaskState::Completed {
            continue;
        }
        let gates = task.acceptance.as_ref().map_or(&[][..], |acceptance| &acceptance.gates);
        if let Some(gate) = gates.iter().find(|gate| !gate.is_passed()) {
            return Err(format!("{} is completed, its {} is not passed", task.id, gate.gate.as_str()));
        }
        if let Some(lacking) = task.spec.gates.iter().find(|own| !gates.iter().any(|gate| gate.gate == **own))
        {
            return Err(format!(
                "{} is completed and has never stood before its {}",
                task.id,
                lacking.as_str()
            ));
        }
        if let Some(acceptance) = &task.acceptance
            && ending.by != Some((acceptance.agent, acceptance.assignment))
        {
            return Err(format!("{} is completed with other work than what has passed its gates", task.id));
        }
    }
    Ok(())
}

pub(super) fn others_review(state: &State) -> Result<(), String> {
    for task in state.tasks().iter() {
        let Some(acceptance) = &task.acceptance else { continue };
        for gate in &acceptance.gates {
            let said = gate.verdict.as_ref().and_then(|(_, verdict)| verdict.by);
            let own = said == Some(acceptance.agent) && !matches!(gate.gate, TaskGate::Command { .. });
            if own || gate.reviewer == Some(acceptance.agent) {
                return Err(format!("the author of {} gives its {}", task.id, gate.gate.as_str()));
            }
            let run = gate.verdict.as_ref().and_then(|(_, verdict)| verdict.run.as_ref());
            if gate.is_passed() && run.is_some_and(|run| run.exit_code != 0) {
                return Err(format!("{} has passed a command that failed", task.id));
            }
        }
    }
    Ok(())
}

pub(super) fn are_indexed(state: &State) -> Result<(), String> {
    let mut so = Gates::default();
    state.tasks().iter().for_each(|task| so.put(task, true));
    if so == state.gates { Ok(()) } else { Err(format!("{:?} is kept, {so:?} is so", state.gates)) }
}
