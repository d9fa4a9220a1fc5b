//! Agents that are kept for what needs a capability give the rest of their unstarted work to others (SEMANTICS 8,
//! `TEMPORARY_WORKLOAD_ADJUSTMENT`).

use kapell_model::{ActionId, AgentId, Placer, TaskId, TaskState, able, limits};

use super::{Engine, Step};
use crate::bottleneck::Remedy;
use crate::event::MoveCause;
use crate::state::State;

impl<P: Placer> Engine<P> {
    /// Lets those go who are kept from critical work that has found nobody; tells whether there were any.
    pub(super) fn let_go_for_critical(&mut self, step: &mut Step<'_>) -> bool {
        if self.state.situation.kept().next().is_none() {
            return false;
        }
        let mut any = false;
        for task in self.state.critical_arrivals.clone() {
            for ended in self.state.kept_from_critical(task, step.at) {
                any = true;
                self.emit(step, ended);
            }
        }
        any
    }

    /// Moves what is not begun and does not need the capability from those who are kept for it to the best others.
    pub(super) fn move_away(&mut self, step: &mut Step<'_>, id: ActionId) {
        let Some(action) = self.state.bottlenecks.action(id) else { return };
        let Remedy::Kept { capability, agents } = &action.remedy else { return };
        let why = format!("its owner is kept for work that needs {capability} ({id})");
        let tasks: Vec<TaskId> = agents.iter().flat_map(|&agent| self.state.other_work(agent)).collect();
        for task in tasks.into_iter().take(limits::KEPT_MOVES_MAX) {
            let state = &self.state;
            let owned = state.task(task).owner.as_ref().map(|owner| owner.agent);
            let fits =
                |agent: &AgentId| owned != Some(*agent) && state.obstacle_to_move(task, *agent).is_none();
            let others: Vec<AgentId> = state.situation.free().iter().copied().filter(fits).collect();
            let Some(best) = self.placer.best_of(&self.state.situation, self.state.task(task).class, &others)
            else {
                continue;
            };
            if self.state.transferable(self.state.task(task), step.at).is_err() {
                continue;
            }
            let mut moved = Vec::new();
            let (state, agent) = (&self.state, best.agent);
            state.move_task(state.task(task), agent, MoveCause::Kept, Some(&why), vec![best], &mut moved);
            moved.into_iter().for_each(|event| self.emit(step, event));
        }
    }
}

impl State {
    /// Returns what an agent owns and has not begun, and would not get any more.
    fn other_work(&self, agent: AgentId) -> Vec<TaskId> {
        let view = self.situation.agent(agent);
        let other = |task: &&TaskId| {
            let task = self.task(**task);
            task.state() == TaskState::Assigned
                && able(self.situation.class(task.class), agent, view).is_err()
        };
        self.agent(agent).tasks.iter().filter(other).copied().collect()
    }
}
