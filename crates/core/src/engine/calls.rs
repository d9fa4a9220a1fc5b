//! Whom a step calls: somebody for a critical task that nobody can take, and for one that goes round in a loop.

use std::collections::BTreeMap;

use kapell_model::{
    AgentId, Gate, Placer, Position, Priority, Ratio, Situation, TaskId, TaskState, Word, limits,
};

use super::{Engine, Step};
use crate::escalation::{EscalationKind, Subject};
use crate::state::State;

/// Who is best in each capability, as far as anybody has asked under the present roster.
#[derive(Debug, Default)]
pub(super) struct BestInCapability {
    version: (u64, u64),
    best: BTreeMap<Word, Option<(Ratio, AgentId)>>,
}

impl<P: Placer> Engine<P> {
    /// Sets aside what has been handed out and taken back once too often, before it could be handed out again, and calls.
    pub(super) fn hold_back(&mut self, step: &mut Step<'_>) {
        for task in std::mem::take(&mut self.state.churned) {
            let Some(held) = self.state.held_event(task, step.at) else { continue };
            self.emit(step, held);
            let (task, mut raised) = (self.state.task(task), Vec::new());
            let (kind, subject) = (EscalationKind::RedispatchLoop, Subject::Task(task.id));
            self.state.raise(kind, subject, task.effective, || self.state.churn_text(task), &mut raised);
            raised.into_iter().for_each(|event| self.emit(step, event));
        }
    }

    /// Raises an escalation for every critical task that has entered the queue and found nobody: in the round just over, or
    /// in a plan that has seen it as it is. What is beyond the bound of a step waits for the next one, or the next plan.
    pub(super) fn escalate(&mut self, step: &mut Step<'_>, seen: Option<Position>) {
        let mut arrivals = std::mem::take(&mut self.state.critical_arrivals);
        let now = arrivals.len().min(limits::EVENTS_PER_COMMAND_MAX.saturating_sub(step.emitted).max(1));
        self.state.critical_arrivals = arrivals.split_off(now);
        self.round_wanted |= seen.is_some() && !self.state.critical_arrivals.is_empty();
        for task in arrivals {
            if self.state.lacks_an_agent(task) {
                if seen.is_some_and(|seen| self.state.task(task).changed > seen) {
                    self.state.critical_arrivals.push(task);
                    self.round_wanted = true;
                    continue;
                }
                let (kind, subject) = (EscalationKind::NoSuitableAgent, Subject::Task(task));
                let (state, best, mut raised) = (&self.state, &mut self.best, Vec::new());
                state.raise(kind, subject, Priority::Critical, || state.shortfall(task, best), &mut raised);
                raised.into_iter().for_each(|event| self.emit(step, event));
            }
        }
    }
}

impl State {
    /// Tells whether a critical task waits and nobody has been called for it yet.
    fn lacks_an_agent(&self, id: TaskId) -> bool {
        let task = self.task(id);
        let waits = task.state() == TaskState::Ready && task.priority == Priority::Critical;
        // What is held back by resources lacks no agent; it is looked at again when they are free.
        let free = self.situation.gate(task.class) == Gate::Open;
        let called = task.called || self.is_escalated(EscalationKind::NoSuitableAgent, &Subject::Task(id));
        waits && free && !called
    }

    /// Says per required capability what the fleet lacks for a task.
    fn shortfall(&self, id: TaskId, best: &mut BestInCapability) -> String {
        let class = self.situation.class(self.task(id).class);
        let mut text = format!(
            "no agent scores above {} for critical task {id}; {} of {} agents online, {} with a free slot",
            self.policy.threshold,
            self.online,
            self.agents.len(),
            self.situation.free().len()
        );
        for requirement in &class.requires {
            let name = self.word(requirement.capability);
            match best.of(&self.situation, requirement.capability) {
                Some((score, agent)) => {
                    let agent = self.agent(agent);
                    text += &format!("; {name}: best {score} by `{}` ({})", agent.spec.name, agent.state);
                }
                None => text += &format!("; {name}: nobody has it"),
            }
        }
        text
    }
}

impl BestInCapability {
    fn of(&mut self, situation: &Situation, capability: Word) -> Option<(Ratio, AgentId)> {
        let version = (situation.roster_version(), situation.rescored());
        if self.version != version {
            self.best.clear();
            self.version = version;
        }
        let find = || {
            let agents =
                situation.agents().iter().zip(0..).map(|(view, id)| (view.score_in(capability), AgentId(id)));
            let best = agents.max_by_key(|&(score, agent)| (score, std::cmp::Reverse(agent)));
            best.filter(|&(score, _)| score > Ratio::ZERO)
        };
        *self.best.entry(capability).or_insert_with(find)
    }
}
