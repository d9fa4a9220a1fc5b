//! Whom a step asks for a review: another agent than the author, with the fewest open reviews, best score first.

use kapell_model::{AgentId, Placer, TaskId, limits};

use super::{Engine, Step};
use crate::escalation::{EscalationKind, Subject};
use crate::event::Event;
use crate::notice::NoticeKind;

impl<P: Placer> Engine<P> {
    /// Looks for reviewers of finished work that nobody is asked about; where there is nobody, somebody is called once.
    pub(super) fn place_reviews(&mut self, step: &mut Step<'_>) {
        for _ in 0..limits::REVIEWS_PLACED_AT_ONCE_MAX {
            if step.is_full() {
                return;
            }
            let Some(task) = self.state.unplaced_reviews.pop_first() else { return };
            if self.state.gates.unplaced.contains(&task) {
                self.place_review(step, task);
            }
        }
    }

    fn place_review(&mut self, step: &mut Step<'_>, id: TaskId) {
        let (mut out, task) = (Vec::new(), self.state.task(id));
        let (index, standing) = task.pending_gate().expect("a review is open");
        let gate = u8::try_from(index).expect("gates are bounded");
        let (called, others) = (standing.called, self.state.reviewers(task, standing));
        if let Some(agent) = self.best_reviewer(id, &others) {
            let due = self.state.due_for(agent, step.at, self.state.policy.gates.review);
            out.push(Event::ReviewPlaced { task: id, gate, agent: Some(agent), due: Some(due) });
            let author = self.state.task(id).acceptance.as_ref().expect("finished work").agent;
            let text = format!("{id} by `{}` is to be reviewed by you", self.state.agent(author).spec.name);
            self.state.notify(agent, NoticeKind::ReviewAsked, Some(id), &text, Some(due), &mut out);
        } else if !called {
            let text = || {
                let waits = self.state.gate_text(self.state.task(id)).unwrap_or_default();
                format!("finished work on {id} cannot be reviewed: {waits}")
            };
            let severity = self.state.task(id).effective;
            self.state.raise(EscalationKind::NoReviewer, Subject::Task(id), severity, text, &mut out);
        }
        out.into_iter().for_each(|event| self.emit(step, event));
    }

    fn best_reviewer(&mut self, task: TaskId, others: &[AgentId]) -> Option<AgentId> {
        let class = self.state.task(task).class;
        let mut best = None;
        for &agent in others {
            let total = self.placer.consider(&self.state.situation, class, agent).parts.total;
            if best.is_none_or(|(most, _)| total > most) {
                best = Some((total, agent));
            }
        }
        best.map(|(_, agent)| agent)
    }
}
