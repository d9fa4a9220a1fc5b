//! Agents that are kept for what needs a capability give the rest of their unstarted work to others (SEMANTICS 8,
//! `TEMPORARY_WORKLOAD_ADJUSTMENT`).

use std::collections::BTreeSet;

use kapell_model::{AgentId, Moment, Placer, TaskId, TaskState, able, limits};

use super::{Engine, Step};
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

    /// Moves what is not begun and does not need the capability from those who are kept for it to the best others: so much in one
    /// look, and the rest in the next ones.
    pub(super) fn move_away(&mut self, step: &mut Step<'_>) {
        let (mut tries, mut moves) = (limits::KEPT_TRIES_MAX, limits::KEPT_MOVES_MAX);
        let mut nobody = BTreeSet::new();
        for task in self.state.work_to_move(step.at) {
            let state = &self.state;
            let (class, owner) = (state.task(task).class, state.task(task).owner.as_ref());
            let Some(owner) = owner.map(|owner| owner.agent).filter(|_| !nobody.contains(&class)) else {
                continue;
            };
            if tries == 0 || moves == 0 {
                break;
            }
            tries -= 1;
            let fits = |agent: &AgentId| owner != *agent && state.obstacle_to_move(task, *agent).is_none();
            let others: Vec<AgentId> = state.situation.free().iter().copied().filter(fits).collect();
            let Some(best) = self.placer.best_of(&self.state.situation, class, &others) else {
                nobody.insert(class);
                continue;
            };
            moves -= 1;
            let (state, agent, mut moved) = (&self.state, best.agent, Vec::new());
            let why = state.why_kept(owner);
            state.move_task(state.task(task), agent, MoveCause::Kept, Some(&why), vec![best], &mut moved);
            moved.into_iter().for_each(|event| self.emit(step, event));
        }
    }
}

impl State {
    /// Tells whether anybody who is kept has work that could go to somebody who is free.
    pub(crate) fn has_work_to_move(&self, now: Moment) -> bool {
        let kept: BTreeSet<AgentId> = self.situation.kept().collect();
        self.situation.free().iter().any(|agent| !kept.contains(agent)) && !self.work_to_move(now).is_empty()
    }

    /// Returns what those who are kept have not begun and would not get any more, as far as it can move.
    fn work_to_move(&self, now: Moment) -> Vec<TaskId> {
        let others = self.situation.kept().flat_map(|agent| self.other_work(agent));
        others.filter(|&task| self.transferable(self.task(task), now).is_ok()).collect()
    }

    /// Says for what, and by which actions, an agent is kept.
    fn why_kept(&self, agent: AgentId) -> String {
        let keepers: Vec<String> = self.keepers_of(agent).map(|id| id.to_string()).collect();
        let needed: Vec<&str> = self.kept_for(agent).iter().map(|name| name.as_str()).collect();
        format!("its owner is kept for work that needs {} ({})", needed.join(" or "), keepers.join(", "))
    }

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
