//! Handoffs in trouble (SEMANTICS 10, `MEDIATE_HANDOFF`): whatever needs the placer to find somebody else.

use kapell_model::{AgentId, Considered, HandoffId, Moment, Placer};

use super::{Engine, Step};
use crate::command::Command;
use crate::decide::agents::own_text;
use crate::escalation::{EscalationKind, Subject};
use crate::event::{Cause, Event};
use crate::handoff::{Handoff, Outcome, Stage, Trouble};
use crate::notice::NoticeKind;

impl<P: Placer> Engine<P> {
    /// Chooses the recipient of a handoff for which nobody was named: the best other agent above the threshold.
    pub(super) fn with_recipient(&mut self, command: &Command) -> Option<Command> {
        let Command::RequestHandoff { task, owner, to: None, note } = command else { return None };
        let id = self.state.task_id(task)?;
        let donor = self.state.task(id).owner.as_ref()?.agent;
        let best = self.best_recipient(id, &[donor])?;
        let to = Some(self.state.agent(best.agent).spec.name.clone());
        Some(Command::RequestHandoff { task: task.clone(), owner: owner.clone(), to, note: note.clone() })
    }

    /// Sees to the handoffs that are in trouble.
    pub(super) fn mediate(&mut self, step: &mut Step<'_>) {
        while !step.is_full() {
            let Some(id) = self.state.handoffs.troubled.pop_first() else { return };
            let Some(handoff) = self.state.handoffs.get(id).filter(|it| it.stage == Stage::Mediation) else {
                continue;
            };
            let handoff = handoff.clone();
            self.put_right(step, &handoff);
        }
    }

    fn put_right(&mut self, step: &mut Step<'_>, handoff: &Handoff) {
        let trouble = handoff.trouble.expect("what is in mediation has trouble");
        let mut out = Vec::new();
        let done = if trouble.is_of_recipient() {
            self.next_recipient(handoff, step.at, &mut out)
        } else if self.is_gone(handoff.from) {
            self.pass_on(handoff, step.at, &mut out)
        } else {
            self.remind(handoff, step.at, &mut out)
        };
        out.into_iter().for_each(|event| self.emit(step, event));
        if !done {
            self.call_for(step, handoff.id);
        }
    }

    fn is_gone(&self, agent: AgentId) -> bool {
        self.state.agent(agent).state != kapell_model::AgentState::Online
    }

    /// Asks the donor once more for what is missing.
    fn remind(&self, handoff: &Handoff, now: Moment, out: &mut Vec<Event>) -> bool {
        if handoff.reminded {
            return false;
        }
        let state = &self.state;
        let (id, task, agent) = (handoff.id, handoff.task, handoff.from);
        let due = state.due_for(agent, now, state.policy.handoffs.package);
        let missing = match &handoff.package {
            Some(_) => handoff.missing.clone(),
            None => vec![own_text("no package has come")],
        };
        let said: Vec<&str> = missing.iter().map(|text| text.as_str()).collect();
        let text = format!("{id}: the package of {task} is still wanted: {}", said.join("; "));
        out.push(Event::HandoffPackageDue { handoff: id, task, agent, due, missing: missing.clone() });
        state.notify(agent, NoticeKind::PackageWanted, Some(task), &text, Some(due), out);
        true
    }

    /// The donor is gone: its work goes to the recipient on the last recorded progress, or to the next best.
    fn pass_on(&mut self, handoff: &Handoff, now: Moment, out: &mut Vec<Event>) -> bool {
        let task = self.state.task(handoff.task);
        if let Some(to) = handoff.to.filter(|&to| self.state.can_receive(task, to)) {
            self.state.transfer(now, handoff, to, Vec::new(), out);
            return true;
        }
        let Some(best) = self.successor(handoff) else { return false };
        self.state.transfer(now, handoff, best.agent, vec![best], out);
        true
    }

    /// The recipient is out: the next best takes its place. After the transfer the task goes on to it at once, else back to the
    /// donor; before, the donor packs for the new one.
    fn next_recipient(&mut self, handoff: &Handoff, now: Moment, out: &mut Vec<Event>) -> bool {
        if let Some(best) = self.successor(handoff) {
            if handoff.is_transferred() || handoff.is_packed() {
                self.state.transfer(now, handoff, best.agent, vec![best], out);
            } else {
                self.redirect(handoff, best, now, out);
            }
            return true;
        }
        let state = &self.state;
        let task = state.task(handoff.task);
        let back = handoff.is_transferred() && self.is_owned_by_recipient(handoff);
        let fits = kapell_model::fit(
            state.situation.class(task.class),
            handoff.from,
            state.situation.agent(handoff.from),
        );
        if back && fits.is_ok() && state.obstacle_to_hand_over(task.id, handoff.from).is_none() {
            state.transfer(now, handoff, handoff.from, Vec::new(), out);
            state.end_handoff(handoff, Outcome::SentBack, "nobody else can take it now", out);
        }
        false
    }

    fn is_owned_by_recipient(&self, handoff: &Handoff) -> bool {
        let owner = self.state.task(handoff.task).owner.as_ref();
        owner.is_some_and(|owner| Some(owner.agent) == handoff.to)
    }

    fn redirect(&self, handoff: &Handoff, best: Considered, now: Moment, out: &mut Vec<Event>) {
        let state = &self.state;
        let (id, task, to) = (handoff.id, handoff.task, best.agent);
        let due = match handoff.due.filter(|&due| due > now) {
            Some(due) => due,
            None => state.due_for(handoff.from, now, state.policy.handoffs.package),
        };
        out.push(Event::HandoffRedirected { handoff: id, task, to, due, considered: vec![best] });
        let (from, name) = (state.agent(handoff.from).spec.name.clone(), state.agent(to).spec.name.clone());
        let text = format!("{id}: `{from}` is to hand {task} over to you; a slot is kept free for it");
        state.notify(to, NoticeKind::HandoffOffered, Some(task), &text, None, out);
        let text = format!("{id}: {task} goes to `{name}` now; the package is wanted as before");
        state.notify(handoff.from, NoticeKind::PackageWanted, Some(task), &text, Some(due), out);
    }

    /// Calls somebody: nobody could be found, or the donor does not send what is wanted.
    fn call_for(&mut self, step: &mut Step<'_>, id: HandoffId) {
        let state = &self.state;
        let Some(handoff) = state.handoffs.get(id) else { return };
        let task = state.task(handoff.task);
        let owner = task.owner.as_ref().map_or_else(String::new, |owner| {
            format!("; it stays with `{}`", state.agent(owner.agent).spec.name)
        });
        let trouble = match handoff.trouble {
            Some(Trouble::PackageLate) => "no whole package came, after a reminder",
            Some(Trouble::PackageIncomplete) => "the package was not whole, after a reminder",
            Some(Trouble::DonorGone) => "its donor is gone, and nobody can take it",
            Some(Trouble::RecipientGone) => "its recipient is gone, and nobody else can take it",
            Some(Trouble::Declined) => "its recipient declined, and nobody else can take it",
            Some(Trouble::NotConfirmed) => "its recipient did not confirm, and nobody else can take it",
            None => "nobody can take it",
        };
        let detail = format!("handoff {id} of {} is stuck: {trouble}{owner}", task.id);
        let mut raised = Vec::new();
        state.raise(
            EscalationKind::HandoffStuck,
            Subject::Task(task.id),
            task.effective,
            || detail,
            &mut raised,
        );
        raised.into_iter().for_each(|event| self.emit(step, event));
    }

    /// Returns the best agent that is not out of the question for a handoff, above the threshold and with a free slot.
    fn successor(&mut self, handoff: &Handoff) -> Option<Considered> {
        if handoff.tried.len() >= kapell_model::limits::HANDOFF_TRIES_MAX {
            return None;
        }
        let owner = self.state.task(handoff.task).owner.as_ref().map(|owner| owner.agent);
        let mut out = handoff.tried.clone();
        out.extend([Some(handoff.from), owner].into_iter().flatten());
        self.best_recipient(handoff.task, &out)
    }

    fn best_recipient(&mut self, task: kapell_model::TaskId, out: &[AgentId]) -> Option<Considered> {
        let state = &self.state;
        let may = |agent: &AgentId| {
            !out.contains(agent)
                && !state.is_silent(*agent)
                && state.obstacle_to_hand_over(task, *agent).is_none()
        };
        let others: Vec<AgentId> = state.situation.free().iter().copied().filter(may).collect();
        self.placer.best_of(&state.situation, state.task(task).class, &others)
    }

    /// Passes on what an agent that is going has in handoffs, before it is gone: to the recipient, to the next best, back to the
    /// donor; to the queue only where nobody is left. So its work has an owner that exists after every event.
    pub(super) fn leaves(&mut self, step: &mut Step<'_>, agent: AgentId, cause: Cause) {
        self.state.lost_recipient(agent).into_iter().for_each(|trouble| self.emit(step, trouble));
        self.state.reviews_lost(agent).into_iter().for_each(|lost| self.emit(step, lost));
        let tasks = self.state.agent(agent).tasks.clone();
        let in_handoff = tasks.into_iter().filter(|&task| self.state.handoffs.of(task).is_some());
        let in_handoff: Vec<_> = in_handoff.collect();
        if in_handoff.is_empty() {
            return;
        }
        self.state.own_released(agent).into_iter().for_each(|event| self.emit(step, event));
        for task in in_handoff {
            let handoff = self.state.handoffs.of(task).expect("nothing has ended it").clone();
            let received = handoff.is_transferred() && handoff.to == Some(agent);
            let trouble = if received { Trouble::RecipientGone } else { Trouble::DonorGone };
            let mediation = self.state.trouble(&handoff, trouble);
            self.emit(step, mediation);
            self.state.handoffs.troubled.remove(&handoff.id);
            let handoff = self.state.handoffs.of(task).expect("mediation ends nothing").clone();
            let mut out = Vec::new();
            if received {
                self.next_recipient(&handoff, step.at, &mut out);
            } else {
                self.pass_on(&handoff, step.at, &mut out);
            }
            if out.is_empty() {
                self.state.return_task(task, cause, &mut out);
            }
            out.into_iter().for_each(|event| self.emit(step, event));
        }
    }
}
