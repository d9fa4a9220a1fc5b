//! Stalled work whose owner has not answered: somebody is called, and it goes to whoever can take it (SEMANTICS 4).
//!
//! What nobody could take is tried again with those alone who have gained room since, the most urgent first. Such a pass stops
//! after a bounded number of tries and goes on with the next step.

use std::collections::BTreeSet;

use kapell_model::{AgentId, Considered, Placer, QueueKey, TaskId};

use super::{Engine, Step};
use crate::escalation::{EscalationKind, Subject};
use crate::event::MoveCause;
use crate::state::State;

/// Stalled tasks that are tried in one step.
const TRIES_MAX: usize = 256;
/// Pairs of a stalled task and somebody who has gained room that are looked at in one step; one task is in any case.
const LOOKS_MAX: usize = 65_536;

/// A pass through the stalled work that found nobody.
#[derive(Debug, Default)]
pub(super) struct Relief {
    /// Who has gained room.
    gained: BTreeSet<AgentId>,
    /// Who of them joined while the pass was under way, so that there is another one for them.
    joined: BTreeSet<AgentId>,
    /// The task that was tried last.
    last: Option<QueueKey>,
}

impl Relief {
    /// Tells whether there is something left to try.
    pub(super) fn is_under_way(&self) -> bool {
        !self.gained.is_empty()
    }

    fn join(&mut self, agents: &[AgentId]) {
        self.gained.extend(agents);
        if self.last.is_some() {
            self.joined.extend(agents);
        }
    }

    /// Begins again for those who have joined on the way.
    fn next_pass(&mut self) {
        *self = Self { gained: std::mem::take(&mut self.joined), ..Self::default() };
    }
}

impl<P: Placer> Engine<P> {
    /// Sees to stalled work whose owner has not answered: escalates what is new, and moves what somebody else can take.
    pub(super) fn relieve(&mut self, step: &mut Step<'_>) {
        self.call_about_silence(step);
        let situation = &self.state.situation;
        if self.state.stranded.is_empty() {
            self.relief = Relief::default();
            return;
        }
        if std::mem::take(&mut self.state.way_cleared) || situation.all_changed() {
            self.relief.join(situation.free());
        } else {
            self.relief.join(situation.freed());
        }
        self.try_the_stranded(step);
    }

    /// Escalates the silence of owners who have just failed to answer, and looks for somebody else at once.
    fn call_about_silence(&mut self, step: &mut Step<'_>) {
        for task in std::mem::take(&mut self.state.unanswered) {
            if !self.state.is_stranded(task) {
                continue;
            }
            let free = self.state.situation.free().to_vec();
            let best = self.reliever(task, &free);
            let (state, mut raised) = (&self.state, Vec::new());
            let (kind, severity) = (EscalationKind::Stalled, state.task(task).effective);
            let detail = || state.stranded_text(task, best.as_ref());
            state.raise(kind, Subject::Task(task), severity, detail, &mut raised);
            raised.into_iter().for_each(|event| self.emit(step, event));
            if let Some(best) = best {
                self.hand_on(step, task, best);
            }
        }
    }

    /// Tries stalled work with those who have gained room, before they get new work.
    fn try_the_stranded(&mut self, step: &mut Step<'_>) {
        let has_room = |state: &State, agent: AgentId| state.situation.agent(agent).is_free();
        let mut agents: Vec<AgentId> = self.relief.gained.iter().copied().collect();
        agents.retain(|&agent| has_room(&self.state, agent));
        for _ in 0..(LOOKS_MAX / agents.len().max(1)).clamp(1, TRIES_MAX) {
            if agents.is_empty() {
                // Whoever of them gains room again is told of then.
                self.relief = Relief::default();
                return;
            }
            if step.is_full() {
                return;
            }
            let Some(key) = self.state.stranded_after(self.relief.last) else {
                self.relief.next_pass();
                agents.retain(|agent| self.relief.gained.contains(agent));
                continue;
            };
            self.relief.last = Some(key);
            if let Some(best) = self.reliever(key.task, &agents) {
                let to = best.agent;
                let from = self.state.task(key.task).owner.as_ref().expect("stalled work has an owner").agent;
                self.hand_on(step, key.task, best);
                agents.retain(|&other| other != to || has_room(&self.state, other));
                if !self.state.is_silent(from) && has_room(&self.state, from) && !agents.contains(&from) {
                    self.relief.join(&[from]);
                    agents.push(from);
                }
            }
        }
    }

    /// Returns the best other agent for stalled work, among `agents` without those that are silent themselves.
    fn reliever(&mut self, task: TaskId, agents: &[AgentId]) -> Option<Considered> {
        // What the task has reserved goes along, so it must not be in the way of what the other one works beside.
        let state = &self.state;
        // Whoever has had it before does not get it again by silence, so that it cannot go round for ever.
        let past = &state.task(task).past;
        let able = |agent: &AgentId| {
            !state.is_silent(*agent)
                && past.iter().all(|(_, had)| had != agent)
                && state.obstacle_to_move(task, *agent).is_none()
        };
        let others: Vec<AgentId> = agents.iter().copied().filter(able).collect();
        self.placer.best_of(&self.state.situation, self.state.task(task).class, &others)
    }

    fn hand_on(&mut self, step: &mut Step<'_>, task: TaskId, best: Considered) {
        let (why, mut moved) = (self.state.unanswered_text(task), Vec::new());
        let (task, agent) = (self.state.task(task), best.agent);
        self.state.move_task(task, agent, MoveCause::Stalled, Some(&why), vec![best], &mut moved);
        moved.into_iter().for_each(|event| self.emit(step, event));
    }
}
