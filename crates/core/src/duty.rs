//! Who is at work and who is away (SEMANTICS 15, "People are members").
//!
//! Whether an agent with [`Hours`] is at work is a fact that the clock brings about, at the begin and the end of each shift. Whoever
//! is away is set apart from placing and is asked nothing: what is wanted of it, and how long it may be silent, counts worked time.

use std::sync::Arc;

use kapell_model::{AgentId, AgentKind, AgentState, AssignmentId, Hours, Moment, Span, TaskId};
use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::mutation::mutated;
use crate::state::State;

/// The hours of an agent, and how it stands by them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duty {
    /// When it works.
    pub hours: Hours,
    /// Whether it is outside of them.
    pub away: bool,
    /// When that changes next; nothing where no change is in sight.
    pub turns_at: Option<Moment>,
}

impl Agent {
    /// Returns when it works, where that is not always.
    #[must_use]
    pub fn hours(&self) -> Option<&Hours> {
        self.duty.as_ref().map(|duty| &duty.hours)
    }

    /// Tells whether it is outside its working hours.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.duty.as_ref().is_some_and(|duty| duty.away)
    }

    /// Returns until when it is away, where it is; [`Moment::NEVER`] where no other shift is in sight.
    #[must_use]
    pub fn away_until(&self) -> Option<Moment> {
        let duty = self.duty.as_ref().filter(|duty| duty.away)?;
        Some(duty.turns_at.unwrap_or(Moment::NEVER))
    }

    /// Returns when `span` has passed for it since `from`: by the clock, or of its working hours.
    #[must_use]
    pub fn after(&self, from: Moment, span: Span) -> Moment {
        self.hours().map_or_else(|| from.after(span), |hours| hours.advance(from, span))
    }

    /// Returns how much of the time from `from` up to `to` lies in its hours; all of it where it has none.
    #[must_use]
    pub fn worked(&self, from: Moment, to: Moment) -> Span {
        self.hours().map_or_else(|| to.since(from), |hours| hours.worked(from, to))
    }

    /// Returns how long it may be silent where its lease is `lease`: of its working hours, where it has any. A person's lease
    /// counts working days.
    #[must_use]
    pub fn borne(&self, lease: Span) -> Span {
        let person = self.spec.kind == AgentKind::Person;
        self.hours().filter(|_| person).map_or(lease, |hours| hours.in_working_days(lease))
    }

    /// Tells whether it is at work and has been silent since `seen` for more than `lease` and `grace`.
    #[must_use]
    pub fn is_overdue(&self, seen: Moment, lease: Span, grace: Span, now: Moment) -> bool {
        let hours = self.hours().filter(|_| !mutated!(DisownedAtNight));
        let lease = if hours.is_some() { self.borne(lease) } else { lease };
        let borne = Span(lease.0.saturating_add(grace.0));
        // What is worked is never more than what has passed, which is far cheaper to say.
        now.since(seen) > borne
            && hours.is_none_or(|hours| hours.contains(now) && hours.worked(seen, now) > borne)
    }
}

impl State {
    /// Returns until when an answer of `agent` is awaited that gets `span` for it, from `from` on.
    pub(crate) fn due_for(&self, agent: AgentId, from: Moment, span: Span) -> Moment {
        self.agent(agent).after(from, span)
    }

    /// Tells whether the owner of a live assignment is away at `now`.
    pub(crate) fn is_owner_away(&self, assignment: AssignmentId, now: Moment) -> bool {
        let owner = self.task_of(assignment).and_then(|task| task.owner.as_ref());
        owner.is_some_and(|owner| self.is_off(owner.agent, now))
    }

    /// Tells whether `now` lies outside the working hours of an agent, whether or not that was noticed.
    pub(crate) fn is_off(&self, agent: AgentId, now: Moment) -> bool {
        let hours = self.agent(agent).hours().filter(|_| !mutated!(LapsesAtNight));
        hours.is_some_and(|hours| !hours.contains(now))
    }

    /// Tells whether placing passes an agent over: it is set apart, or outside its working hours.
    #[must_use]
    pub fn is_passed_over(&self, id: AgentId) -> bool {
        self.is_set_apart(id) || self.agent(id).is_away()
    }

    /// Returns when the next shift begins or ends.
    pub(crate) fn next_duty(&self) -> Option<Moment> {
        self.duties.first().map(|&(at, _)| at)
    }

    // Folding.

    pub(crate) fn agent_hours_set(&mut self, id: AgentId, hours: Option<&Hours>) {
        let duty = hours.map(|hours| Duty {
            away: !hours.contains(self.at),
            turns_at: hours.next_change(self.at),
            hours: hours.clone(),
        });
        self.set_duty(id, duty);
    }

    pub(crate) fn shift_turned(&mut self, id: AgentId, away: bool, turns_at: Option<Moment>) {
        let duty = self.agent(id).duty.as_deref().cloned();
        self.set_duty(id, duty.map(|duty| Duty { away, turns_at, ..duty }));
    }

    fn set_duty(&mut self, id: AgentId, duty: Option<Duty>) {
        self.index_duty(id, false);
        let agent = self.agent_mut(id);
        agent.duty = duty.map(Arc::new);
        let away = agent.is_away();
        self.index_duty(id, true);
        if !mutated!(AwayStillFree) {
            self.situation.set_apart(id, self.is_passed_over(id));
        }
        for task in self.agents[id.index()].tasks.clone() {
            self.reset_clocks(task, |_| {});
            self.touch(task);
        }
        match self.agents[id.index()].away_until() {
            Some(until) if away && !mutated!(LapsesAtNight) => self.put_off(id, until),
            Some(_) => {}
            None => self.reviewer_came(),
        }
    }

    /// Puts off what is wanted of somebody who is away, where it was due before that ends.
    fn put_off(&mut self, id: AgentId, until: Moment) {
        for task in self.agents[id.index()].tasks.clone() {
            self.put_off_handoff(task, id, until);
        }
        let reviews: Vec<TaskId> = self.reviews_of(id).map(|task| task.id).collect();
        for task in reviews {
            self.put_off_review(task, until);
        }
    }

    /// Puts the next begin or end of somebody's shift into the order of time, or takes it out.
    pub(crate) fn index_duty(&mut self, id: AgentId, enters: bool) {
        let agent = &self.agents[id.index()];
        let duty = agent.duty.as_ref().filter(|_| agent.state != AgentState::Removed);
        let Some(at) = duty.and_then(|duty| duty.turns_at) else { return };
        if enters {
            self.duties.insert((at, id));
        } else {
            self.duties.remove(&(at, id));
        }
    }
}
