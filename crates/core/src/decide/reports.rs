//! What owners report. Every report carries the fencing token of its assignment.

use kapell_model::{AssignmentId, Moment, Name, OfferId, Span, TaskState, Text, limits};

use super::{OWNED, invalid, require_state};
use crate::agent::Agent;
use crate::command::TaskRef;
use crate::dispute::DisputeCause;
use crate::engine::Reply;
use crate::event::{Cause, Event};
use crate::mutation::mutated;
use crate::rejection::Rejection;
use crate::state::State;
use crate::task::Task;

impl State {
    pub(super) fn start(
        &self,
        reference: &TaskRef,
        name: &Name,
        assignment: AssignmentId,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (task, agent) = self.owned(reference, name, assignment)?;
        if task.state() == TaskState::Assigned {
            out.push(Event::TaskStarted { task: task.id, agent: agent.id, assignment });
        }
        Ok(Reply::about(task.id))
    }

    pub(super) fn progress(
        &self,
        reference: &TaskRef,
        name: &Name,
        assignment: AssignmentId,
        percent: Option<u8>,
        note: Option<&Text>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (task, agent) = self.owned(reference, name, assignment)?;
        if let Some(percent) = percent.filter(|&percent| percent > 100) {
            return Err(invalid("percent", percent.to_string(), "0 to 100"));
        }
        let (task_id, agent) = (task.id, agent.id);
        if task.state() == TaskState::Assigned {
            out.push(Event::TaskStarted { task: task_id, agent, assignment });
        }
        out.push(Event::TaskProgressed { task: task_id, agent, assignment, percent, note: note.cloned() });
        Ok(Reply::about(task_id))
    }

    pub(super) fn finish(
        &self,
        now: Moment,
        reference: &TaskRef,
        name: &Name,
        assignment: AssignmentId,
        result: Option<&Text>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        if self.is_before_gates(reference, name, assignment) {
            return Ok(Reply::about(self.find_task(reference)?.id));
        }
        let (task, agent) = match self.owned(reference, name, assignment) {
            Ok(owned) => owned,
            Err(stale @ Rejection::StaleAssignment { .. }) => {
                return self.late_result(now, reference, (name, assignment), result, stale, out);
            }
            Err(other) => return Err(other),
        };
        self.finished(task, (agent.id, assignment), result, None, out);
        Ok(Reply::about(task.id))
    }

    /// Keeps a result that comes under an outdated token as an offer, where the token was really this agent's
    /// (SEMANTICS 15, "Late results are kept"). The same report twice is answered as the first time.
    fn late_result(
        &self,
        now: Moment,
        reference: &TaskRef,
        (name, assignment): (&Name, AssignmentId),
        result: Option<&Text>,
        stale: Rejection,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        let agent = self.find_agent(name)?.id;
        let finished_by = task.ending.as_ref().filter(|ending| ending.state == TaskState::Completed);
        if finished_by.is_some_and(|ending| ending.by == Some((agent, assignment))) {
            return Ok(Reply::about(task.id));
        }
        if !task.past.contains(&(assignment, agent)) {
            return Err(stale);
        }
        let about_it = |id: &&OfferId| self.offer(**id).is_some_and(|offer| offer.assignment == assignment);
        let known = task.offers.iter().find(about_it).copied();
        if known.is_none() && task.offers.len() >= limits::OFFERS_PER_TASK_MAX {
            return Err(stale);
        }
        let next = || OfferId(u32::try_from(self.offers.len() + 1).expect("offers are fewer than events"));
        let offer = known.unwrap_or_else(next);
        let mut reply = Reply::about(task.id);
        if known.is_none() {
            out.push(Event::OfferMade { offer, task: task.id, agent, assignment, result: result.cloned() });
            let another = task.owner.as_ref().filter(|owner| owner.agent != agent);
            if another.is_some_and(|owner| self.lost_already(task, owner, agent).is_none()) {
                reply = self.open_dispute(now, task, DisputeCause::LateResult, (agent, agent), None, out)?;
            }
        }
        Ok(Reply { offer: Some(offer), stale: true, ..reply })
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one report")]
    pub(super) fn fail(
        &self,
        now: Moment,
        reference: &TaskRef,
        name: &Name,
        assignment: AssignmentId,
        reason: &Text,
        retry: bool,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (task, agent) = self.owned(reference, name, assignment)?;
        let attempts_max = task.spec.attempts_max.unwrap_or(self.policy.attempts_max);
        let again = retry && task.failures + 1 < attempts_max;
        let pause = if mutated!(BackoffIgnored) { Span(0) } else { self.backoff(task) };
        let retry_at = again.then(|| now.after(pause));
        out.push(Event::AttemptFailed {
            task: task.id,
            agent: agent.id,
            assignment,
            reason: reason.clone(),
            retry_at,
        });
        if !again {
            let count = task.failures + 1;
            let text = format!("attempt {count} of {attempts_max} failed, by `{name}`: {reason}");
            self.give_up(task.id, &text, out);
        }
        Ok(Reply::about(task.id))
    }

    /// Returns the pause before the next attempt: doubled with every failure, bounded, and moved by up to a
    /// fifth either way by a number made from the task and the attempt, so that replay needs no chance.
    fn backoff(&self, task: &Task) -> Span {
        let doubled = if mutated!(BackoffNotDoubled) { 0 } else { task.failures.min(40) };
        let base = i128::from(self.policy.retry_backoff.0) << doubled;
        let base = base.min(i128::from(self.policy.retry_backoff_max.0));
        let seed = u64::from(task.id.0) << 32 | u64::from(task.attempts);
        let fifths = i128::from(mixed(seed) % 401) - 200;
        let span = base + base * fifths / 1_000;
        Span(i64::try_from(span).expect("bounded by the longest pause"))
    }

    pub(super) fn release(
        &self,
        reference: &TaskRef,
        name: &Name,
        assignment: AssignmentId,
        note: Option<&Text>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (task, agent) = self.owned(reference, name, assignment)?;
        out.push(Event::TaskReturned {
            task: task.id,
            agent: agent.id,
            assignment,
            cause: Cause::Released,
            boosted: false,
            note: note.cloned(),
        });
        Ok(Reply::about(task.id))
    }

    /// Finds a task and checks that `name` holds it under the current token.
    pub(super) fn owned(
        &self,
        reference: &TaskRef,
        name: &Name,
        assignment: AssignmentId,
    ) -> Result<(&Task, &Agent), Rejection> {
        let task = self.find_task(reference)?;
        let agent = self.find_agent(name)?;
        let current = task.owner.as_ref();
        match current {
            Some(owner)
                if (owner.assignment == assignment || mutated!(FenceUnchecked))
                    && owner.agent == agent.id =>
            {
                require_state(task, "a report", OWNED)?;
                Ok((task, agent))
            }
            Some(owner) if owner.assignment == assignment => Err(Rejection::NotOwner {
                task: task.id,
                agent: name.clone(),
                owner: self.name_of(owner.agent),
            }),
            _ => Err(self.no_longer(task, agent, assignment)),
        }
    }

    /// Returns why a token is not the task's current one: it was, or it never was one of it.
    pub(super) fn no_longer(&self, task: &Task, agent: &Agent, assignment: AssignmentId) -> Rejection {
        let held = |id: &&kapell_model::TaskId| {
            self.task(**id).owner.as_ref().is_some_and(|owner| owner.assignment == assignment)
        };
        let of = agent.tasks.iter().find(held).copied();
        if of.is_some_and(|of| of != task.id) || assignment > self.last_assignment || assignment.0 == 0 {
            return Rejection::WrongAssignment { task: task.id, given: assignment, of };
        }
        let current = task.owner.as_ref().map(|owner| (owner.assignment, self.name_of(owner.agent)));
        Rejection::StaleAssignment { task: task.id, given: assignment, current }
    }
}

/// Mixes a number so that neighbours give unlike results (the finaliser of SplitMix64).
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
