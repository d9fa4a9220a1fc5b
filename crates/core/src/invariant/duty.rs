//! Promises about working hours.

use std::collections::BTreeSet;

use kapell_model::AgentState;

use crate::state::State;

/// Finds somebody whose shift is not what its hours say, or whom placing sees otherwise.
pub(super) fn shifts_run_true(state: &State) -> Result<(), String> {
    let mut turns = BTreeSet::new();
    for agent in state.agents().iter().filter(|agent| agent.state != AgentState::Removed) {
        let name = &agent.spec.name;
        let Some(duty) = &agent.duty else { continue };
        turns.extend(duty.turns_at.map(|at| (at, agent.id)));
        // What is due by now is seen to with the next tick.
        let due = duty.turns_at.is_some_and(|at| at <= state.at);
        if !due && duty.away == duty.hours.contains(state.at) {
            return Err(format!("`{name}` is kept as {}", if duty.away { "away" } else { "at work" }));
        }
        if duty.away && !state.situation.agent(agent.id).draining {
            return Err(format!("`{name}` is placed while it is away"));
        }
    }
    if turns != state.duties {
        return Err(format!("{:?} are kept as the next turns, {turns:?} are so", state.duties));
    }
    Ok(())
}
