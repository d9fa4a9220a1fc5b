//! Who has been heard of, and which assignments have been fetched.
//!
//! This is kept in memory and not in the log (SEMANTICS 16, "Liveness by door"): only what follows from silence
//! is an event. It has no clock: every call brings the moment. After a start, and after a jump of the clock,
//! every lease and every ack time begins again with its full length: nobody is disowned for our own absence.

use std::collections::BTreeMap;

use kapell_model::{AgentId, AgentState, AssignmentId, Moment, Span, TaskState, limits};

use crate::command::Command;
use crate::event::Event;
use crate::mutation::mutated;
use crate::state::State;
use crate::task::Task;

/// The leases of one fleet.
#[derive(Debug)]
pub struct Liveness {
    seen: Vec<Moment>,
    unfetched: BTreeMap<AssignmentId, Moment>,
    checked: Moment,
    health_seen: Moment,
    flow_seen: Moment,
    course_seen: Moment,
    /// When estimates were last looked at, and how many of the tasks have been gone through.
    estimates_seen: (Moment, u32),
    /// The same of agents' measured scores.
    scores_seen: (Moment, u32),
    /// Whether reservations have been given their full length after the start.
    begun: bool,
    /// How long nobody has served, as far as the log does not say so yet.
    away: Span,
}

impl Liveness {
    /// Begins every lease and every ack time at `now`.
    #[must_use]
    pub fn new(state: &State, now: Moment) -> Self {
        let mut liveness = Self {
            seen: Vec::new(),
            unfetched: BTreeMap::new(),
            checked: now,
            health_seen: now,
            flow_seen: now,
            course_seen: now,
            estimates_seen: (now, 0),
            scores_seen: (now, 0),
            begun: false,
            away: Span(0),
        };
        // Up to its last event the log shows that somebody served; what came after it is not known and counts as absence.
        liveness.away = if state.is_watching() { now.since(state.at()) } else { Span(0) };
        liveness.begin_again(state, now);
        liveness
    }

    /// Begins every lease at `now`: nobody could be heard of before.
    pub fn begin_again(&mut self, state: &State, now: Moment) {
        self.seen.clear();
        self.seen.resize(state.agents().len(), now);
        self.unfetched.clear();
        for (assignment, task) in state.assignments().filter(|(_, task)| task.state() == TaskState::Assigned)
        {
            self.unfetched.extend(fetch_due(state, task, now).map(|due| (assignment, due)));
        }
    }

    /// Renews the lease of an agent that has just been heard of.
    pub fn renew(&mut self, agent: AgentId, now: Moment) {
        if agent.index() >= self.seen.len() {
            self.seen.resize(agent.index() + 1, now);
        }
        self.seen[agent.index()] = now;
    }

    /// Takes note of an event. Where the hours of an agent change its lease begins anew: what was before is no silence by these.
    pub fn note(&mut self, event: &Event, now: Moment) {
        if let Event::AgentHoursSet { agent, .. } = *event
            && !mutated!(HoursJudgeThePast)
        {
            self.renew(agent, now);
        }
    }

    /// Returns when an agent was last heard of.
    #[must_use]
    pub fn last_seen(&self, agent: AgentId) -> Option<Moment> {
        self.seen.get(agent.index()).copied()
    }

    /// Begins the ack time of a new assignment.
    pub fn assigned(&mut self, assignment: AssignmentId, state: &State, now: Moment) {
        if let Some(task) = state.task_of(assignment) {
            self.unfetched.extend(fetch_due(state, task, now).map(|due| (assignment, due)));
        }
    }

    /// Ends the ack time of an assignment that its agent has been told, or that has ended.
    pub fn fetched(&mut self, assignment: AssignmentId) {
        self.unfetched.remove(&assignment);
    }

    /// Returns the commands that follow from what was not heard by `now`.
    pub fn lapsed(&mut self, state: &State, now: Moment) -> Vec<Command> {
        let passed = Span(now.0.saturating_sub(self.checked.0));
        if (passed > limits::CLOCK_JUMP || passed.0 < 0) && !mutated!(JumpNotForgiven) {
            self.begin_again(state, now);
            self.begun = false;
            self.away = Span(self.away.0.saturating_add(passed.0.max(0)));
        }
        self.checked = now;
        self.seen.resize(state.agents().len(), now);
        let away = std::mem::take(&mut self.away);
        let away = if away > limits::CLOCK_JUMP && state.is_watching() { away } else { Span(0) };
        let mut commands = Vec::new();
        if away > Span(0) {
            commands.push(Command::ResumeServing { away });
        }
        if !self.begun && state.next_reservation_end().is_some() {
            commands.push(Command::ExtendReservations);
        }
        self.begun = true;
        // Who goes home first is not asked afterwards.
        let turns = state.next_duty().is_some_and(|at| at <= now);
        if turns {
            commands.push(Command::Tick);
        }
        let lapsed: Vec<Command> =
            state.agents().iter().filter_map(|agent| self.lapse(state, agent.id, now)).collect();
        commands.extend(lapsed);
        let due: Vec<AssignmentId> = self
            .unfetched
            .iter()
            .filter(|&(&assignment, &due)| due <= now && !state.is_owner_away(assignment, now))
            .map(|(&assignment, _)| assignment)
            .collect();
        for assignment in &due {
            self.unfetched.remove(assignment);
        }
        // A command has a bound; what is beyond it goes into another one.
        commands.extend(
            due.chunks(limits::EVENTS_PER_COMMAND_MAX / 4)
                .map(|due| Command::ReturnUnfetched { assignments: due.to_vec() }),
        );
        if !turns && state.next_timer().is_some_and(|at| at <= now) {
            commands.push(Command::Tick);
        }
        // What is watched is due later by an absence; of whoever has hours perhaps not by all of it.
        let later = if state.next_duty().is_some() { Span(0) } else { away };
        if state.next_check().is_some_and(|at| at.after(later) <= now) {
            commands.push(Command::CheckProgress);
        }
        if now.since(self.health_seen) >= state.policy().reporting.period || now < self.health_seen {
            self.health_seen = now;
            if state.health_turns(now) {
                commands.push(Command::LookAtHealth);
            }
        }
        if now.since(self.flow_seen) >= state.policy().bottlenecks.period || now < self.flow_seen {
            self.flow_seen = now;
            if state.bottlenecks_turn(now) {
                commands.push(Command::LookForBottlenecks);
            }
        }
        if now.since(self.course_seen) >= state.policy().reporting.course || now < self.course_seen {
            self.course_seen = now;
            if state.course_turns(now) {
                commands.push(Command::NoteCourse);
            }
        }
        commands.extend(self.stale_estimates(state, now));
        commands.extend(self.stale_scores(state, now));
        commands
    }

    /// Goes through the tasks of the fleet, so many a period, for waiting ones whose estimates are outdated.
    fn stale_estimates(&mut self, state: &State, now: Moment) -> Option<Command> {
        let (seen, after) = self.estimates_seen;
        if now.since(seen) < limits::ESTIMATES_PERIOD && now >= seen {
            return None;
        }
        let next = after as usize + limits::ESTIMATES_PER_LOOK_MAX;
        let next = if next < state.tasks().len() { u32::try_from(next).unwrap_or(0) } else { 0 };
        self.estimates_seen = (now, next);
        state.has_stale_estimates(after).then_some(Command::RefreshEstimates { after })
    }

    /// Goes through the agents of the fleet, so many a period, for measured scores that are outdated.
    fn stale_scores(&mut self, state: &State, now: Moment) -> Option<Command> {
        let (seen, after) = self.scores_seen;
        if now.since(seen) < limits::ESTIMATES_PERIOD && now >= seen {
            return None;
        }
        let next = after as usize + limits::AGENTS_PER_LOOK_MAX;
        let next = if next < state.agents().len() { u32::try_from(next).unwrap_or(0) } else { 0 };
        self.scores_seen = (now, next);
        state.has_stale_scores(after, now).then_some(Command::AgeCapabilities { after })
    }

    fn lapse(&self, state: &State, id: AgentId, now: Moment) -> Option<Command> {
        let agent = state.agent(id);
        let last_seen = self.seen[id.index()];
        let (lease, grace) = (state.lease_of(id), state.policy().lease_grace);
        let name = || agent.spec.name.clone();
        match agent.state {
            AgentState::Online
                if agent.is_overdue(last_seen, lease, Span(0), now) && !mutated!(LeaseNeverLapses) =>
            {
                Some(Command::AgentUnreachable { agent: name(), last_seen })
            }
            AgentState::Unreachable if agent.is_overdue(last_seen, lease, grace, now) => {
                Some(Command::AgentOffline { agent: name(), last_seen })
            }
            _ => None,
        }
    }
}

/// Returns until when an assigned task is to be fetched.
fn fetch_due(state: &State, task: &Task, now: Moment) -> Option<Moment> {
    let owner = task.owner.as_ref()?;
    Some(state.due_for(owner.agent, now, state.policy().ack.of(task.effective)))
}
