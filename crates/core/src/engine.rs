//! One step: judge a command, fold what follows, place what it has freed.

mod budgets;
mod calls;
mod disputes;
mod emergencies;
mod handoffs;
mod keeping;
mod plans;
mod relief;
mod reviews;

use kapell_model::{
    AgentId, AssignmentId, Claims, Considered, EmergencyId, EscalationId, ForceId, HandoffId, MessageId,
    Name, NoticeId, OfferId, Placement, Placer, Position, Priority, SCORER_VERSION, Strategy, TaskId,
    TaskState, Text, fit, limits,
};
use serde::{Deserialize, Serialize};

use crate::command::{Command, Request};
use crate::decide::agents::own_text;
use crate::escalation::{EscalationKind, Subject};
use crate::event::{Cause, Decision, Event, Record};
use crate::mutation::mutated;
use crate::rejection::Rejection;
use crate::state::State;
use crate::task::Task;
use calls::BestInCapability;
use relief::Relief;

/// What an accepted command is answered with. Only the members that fit the command are there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The task that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Its state after the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TaskState>,
    /// The agent that it was about, or that owns the task after the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Name>,
    /// The live assignment of the task after the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment: Option<AssignmentId>,
    /// The late result that it made or settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<OfferId>,
    /// The reservation that it made, renewed or released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<kapell_model::ReservationId>,
    /// The place in line that it made or gave up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<kapell_model::WaitId>,
    /// When the reservation, or the place in line, ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<kapell_model::Moment>,
    /// The escalation that it settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<EscalationId>,
    /// The handoff that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handoff: Option<HandoffId>,
    /// The message that it sent or acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
    /// What keeps the package that it brought from being whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Text>,
    /// The conflict that it opened, or was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<kapell_model::ConflictId>,
    /// The emergency that it declared or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<EmergencyId>,
    /// The task force that it made or disbanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<ForceId>,
    /// The policy version that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<u32>,
    /// What the agent that sent it has not read yet. A hint of this moment and no part of the answer that is remembered.
    #[serde(skip)]
    pub notices: u32,
    /// The report came under an outdated token: the task was not changed, its result is kept as `offer`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

impl Reply {
    pub(crate) fn about(task: TaskId) -> Self {
        Self { task: Some(task), ..Self::default() }
    }
}

/// A fleet's state with the placer that serves it.
#[derive(Debug)]
pub struct Engine<P> {
    state: State,
    placer: P,
    scratch: Vec<Event>,
    /// What must happen before an event does.
    ahead: Vec<Event>,
    best: BestInCapability,
    /// Whether something has changed that the next optimal round should see.
    round_wanted: bool,
    relief: Relief,
}

impl<P: Placer> Engine<P> {
    /// Takes up a fleet where its log ends. The next step begins with a round over everything.
    #[must_use]
    pub fn new(mut state: State, placer: P) -> Self {
        state.resume();
        Self {
            state,
            placer,
            scratch: Vec::new(),
            ahead: Vec::new(),
            best: BestInCapability::default(),
            round_wanted: false,
            relief: Relief::default(),
        }
    }

    /// Returns the state.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Returns the state, and lets go of the placer.
    #[must_use]
    pub fn into_state(self) -> State {
        self.state
    }

    /// Executes one request: judges it, folds its events and those that follow from them at once (unblocked,
    /// cancelled and placed tasks), and puts all of them behind what stands in `out`.
    ///
    /// A request with a remembered idempotency key is answered as the first time and changes nothing. At most
    /// about [`limits::EVENTS_PER_COMMAND_MAX`] events follow; what is left over is done by the next request,
    /// and [`Engine::is_unsettled`] tells.
    ///
    /// # Errors
    /// The reason why nothing happened; `out` is then as it was.
    pub fn execute(&mut self, request: &Request, out: &mut Vec<Record>) -> Result<Reply, Rejection> {
        let now = request.at.max(self.state.at);
        if let Some(fingerprint) = request.fingerprint {
            if let Some(known) = self.state.keys.get(request.id) {
                let same = known.fingerprint == fingerprint || mutated!(KeyOfAnyBody);
                return if same { Ok(known.reply.clone()) } else { Err(Rejection::KeyReused) };
            }
            if !mutated!(KeyOutlived) {
                self.state.keys.in_time(request.id, now)?;
            }
        }
        let mut events = std::mem::take(&mut self.scratch);
        let aimed = self.with_recipient(&request.command);
        let command = aimed.as_ref().unwrap_or(&request.command);
        let decided = self.state.decide(now, command, &mut events);
        let decided = decided.and_then(|reply| self.earned(&events).map(|()| reply));
        let mut reply = match decided {
            Ok(reply) => reply,
            Err(rejection) => {
                events.clear();
                self.scratch = events;
                return Err(rejection);
            }
        };
        let mut step = Step { request, at: now, emitted: 0, out };
        for event in events.drain(..) {
            self.emit(&mut step, event);
        }
        self.scratch = events;
        if let Command::ApplyPlan(plan) = &request.command {
            self.apply_plan(&mut step, plan);
        }
        if let Command::LookForBottlenecks = request.command {
            self.move_away(&mut step);
        }
        self.see_to_emergencies(&mut step, false);
        self.settle(&mut step);
        // What the step itself has brought: an owner that did not answer, a project that is done.
        if self.see_to_emergencies(&mut step, true) {
            self.settle(&mut step);
        }
        self.complete(&mut reply);
        if let Command::Claim { agent, .. } | Command::FileDispute { agent, .. } = &request.command
            && reply.agent.as_ref() != Some(agent)
        {
            // The token is its holder's business alone.
            reply.assignment = None;
        }
        if let Command::ReportUsage(report) = &request.command {
            reply.assignment = reply.assignment.filter(|&own| own == report.assignment);
        }
        if let Some(fingerprint) = request.fingerprint {
            self.emit(&mut step, Event::CommandKeyed { fingerprint, reply: reply.clone() });
        }
        Ok(reply)
    }

    /// Refuses a claim that the policy wants to be earned by its score (SEMANTICS 3.4).
    fn earned(&mut self, events: &[Event]) -> Result<(), Rejection> {
        if self.state.policy.claims != Claims::Scored {
            return Ok(());
        }
        let claimed = events.iter().find_map(|event| match event {
            Event::TaskAssigned { task, agent, decision: Decision::Claimed, .. } => Some((*task, *agent)),
            _ => None,
        });
        let Some((task, agent)) = claimed else { return Ok(()) };
        let (class, situation) = (self.state.task(task).class, &self.state.situation);
        let own = self.placer.consider(situation, class, agent);
        let (score, threshold) = (own.parts.total, situation.threshold());
        let reason = if score <= threshold {
            format!("its score {score} is not above {threshold}")
        } else if let Some(better) = self.placer.better_idle(situation, class, &own) {
            let name = &self.state.agent(better.agent).spec.name;
            format!("its score is {score}, and `{name}`, who is idle, has {}", better.parts.total)
        } else {
            return Ok(());
        };
        Err(Rejection::NotCandidate { task, agent: self.state.agent(agent).spec.name.clone(), reason })
    }

    /// Tells whether a step hit its bound, so that a [`crate::Command::Tick`] should follow at once.
    #[must_use]
    pub fn is_unsettled(&self) -> bool {
        let state = &self.state;
        state.situation.is_unsettled()
            || !state.doomed.is_empty()
            || self.relief.is_under_way()
            || !state.reservations.stirred.is_empty()
            || !state.handoffs.troubled.is_empty()
            || !state.unplaced_reviews.is_empty()
            || (state.policy.strategy == Strategy::Greedy
                && !state.critical_arrivals.is_empty()
                && state.calls_for_critical())
            || !state.ledgers.due.is_empty()
            || !state.ledgers.stops.is_empty()
    }

    fn emit(&mut self, step: &mut Step<'_>, event: Event) {
        match event {
            Event::AgentOffline { agent, .. } => self.leaves(step, agent, Cause::OwnerOffline),
            Event::AgentRemoved { agent } => self.leaves(step, agent, Cause::OwnerRemoved),
            _ => {}
        }
        let mut first = std::mem::take(&mut self.ahead);
        self.state.ruled_before(step.at, &event, &mut first);
        self.state.handoff_before(&event, &mut first);
        for before in first.drain(..) {
            self.fold_settling(step, before);
        }
        self.state.released_before(&event, &mut first);
        for released in first.drain(..) {
            self.end_contention(step, &released);
            self.fold(step, released);
        }
        self.end_contention(step, &event);
        self.state.tell_holder(&event, &mut first);
        first.extend(self.state.contention_begun(&event));
        let event = self.with_score(event);
        let settles = self.state.settled_by(&event);
        let assigned = match event {
            Event::TaskAssigned { task, .. } | Event::TaskMoved { task, .. } => Some(task),
            _ => None,
        };
        let disputed = match event {
            Event::DisputeOpened { conflict, .. } => Some(conflict),
            _ => None,
        };
        let called = match event {
            Event::EscalationRaised { .. } => Some(self.state.escalation_after(0)),
            Event::EscalationReraised { escalation, .. } | Event::EscalationDropped { escalation, .. } => {
                Some(escalation)
            }
            _ => None,
        };
        let gone = match event {
            Event::AgentOffline { agent, .. } | Event::AgentRemoved { agent } => Some(agent),
            _ => None,
        };
        let read = match event {
            Event::MessagesRead { agent, .. } | Event::MessageAcknowledged { agent, .. } => Some(agent),
            _ => None,
        };
        let gated = match event {
            Event::GatesOpened { task, .. } | Event::GatePassed { task, .. } => Some(task),
            _ => None,
        };
        let asked = match event {
            Event::PermissionAsked { task, .. } => Some(task),
            _ => None,
        };
        let contends = match event {
            Event::ReservationGranted { agent, .. }
            | Event::ReservationRequested { agent, .. }
            | Event::HandoffTransferred { agent, .. } => Some(agent),
            _ => None,
        };
        self.fold_orders(step, event);
        for settled in settles {
            self.fold(step, settled);
        }
        first.extend(called.into_iter().flat_map(|escalation| self.state.told_of_call(escalation)));
        for told in first.drain(..) {
            self.fold(step, told);
        }
        if let Some(agent) = gone {
            let dropped = self.state.dropped_by(agent, step.at);
            dropped.into_iter().for_each(|event| self.emit(step, event));
        }
        if let Some(agent) = read {
            let comes = self.state.comes_now(agent);
            comes.into_iter().for_each(|event| self.emit(step, event));
        }
        if let Some(call) = gated.and_then(|task| self.state.approval_called(task)) {
            self.emit(step, call);
        }
        if let Some(call) = asked.and_then(|task| self.state.permission_called(task)) {
            self.emit(step, call);
        }
        self.ahead = first;
        if let Some(reserved) = assigned.and_then(|task| self.state.reserved_with(task)) {
            self.emit(step, reserved);
        }
        if let Some(agent) = contends {
            self.break_rings(step, agent);
        }
        if let Some(conflict) = disputed {
            self.rule_dispute(step, conflict);
        }
        while let Some(agent) = self.state.reservations.turned.pop_first() {
            self.break_rings(step, agent);
        }
    }

    /// Folds an event with the settling of the escalations whose cause it takes away.
    fn fold_settling(&mut self, step: &mut Step<'_>, event: Event) {
        let settles = self.state.settled_by(&event);
        self.fold_orders(step, event);
        settles.into_iter().for_each(|settled| self.fold(step, settled));
    }

    /// Folds an event, and lifts the rulings on orders that rest on none any more where it ends one.
    fn fold_orders(&mut self, step: &mut Step<'_>, event: Event) {
        let said = self.state.orders().said();
        self.fold(step, event);
        if self.state.orders().said() < said && !mutated!(RulingOutlives) {
            let lifted = self.state.unfounded().into_iter();
            lifted.for_each(|conflict| self.fold(step, Event::RulingLifted { conflict }));
        }
    }

    /// Asks a holder to let go, for every ring of waits that the last event has closed around `agent`.
    fn break_rings(&mut self, step: &mut Step<'_>, agent: AgentId) {
        while let Some(ring) = self.state.ring_broken(agent, step.at) {
            self.emit(step, ring);
        }
    }

    /// Settles the conflict over a place in line, before `event` ends that.
    fn end_contention(&mut self, step: &mut Step<'_>, event: &Event) {
        if let Some(resolved) = self.state.contention_ended(event) {
            self.fold(step, resolved);
        }
    }

    fn fold(&mut self, step: &mut Step<'_>, mut event: Event) {
        // What comes ahead of an event may be a word or a call too: they are numbered in the order in which they happen.
        match &mut event {
            Event::NoticeSent { notice, .. } => *notice = NoticeId(self.state.last_notice.0 + 1),
            Event::EscalationRaised { escalation, .. } => *escalation = self.state.escalation_after(0),
            _ => {}
        }
        let record = Record {
            position: Position(self.state.position.0 + 1),
            at: step.at,
            command: step.request.id,
            actor: step.request.actor.clone(),
            event,
        };
        self.state.apply(&record);
        step.emitted += 1;
        step.out.push(record);
    }

    /// Fills in the score of an assignment that was not made by score, so that `why` can show it too.
    fn with_score(&mut self, mut event: Event) -> Event {
        if let Event::TaskAssigned { task, agent, considered, .. }
        | Event::TaskMoved { task, agent, considered, .. }
        | Event::HandoffRequested { task, to: agent, considered, .. }
        | Event::HandoffTransferred { task, agent, considered, .. } = &mut event
            && considered.is_empty()
        {
            let class = self.state.task(*task).class;
            *considered = vec![self.placer.consider(&self.state.situation, class, *agent)];
        }
        event
    }

    /// Does what follows at once: cancels what waits for what will not come, and fills the free slots.
    fn settle(&mut self, step: &mut Step<'_>) {
        while let Some(task) = self.state.doomed.pop_first() {
            if let Some(cancelled) = self.state.cancelled_with_its_blocker(task) {
                self.emit(step, cancelled);
            }
            if step.is_full() {
                return;
            }
        }
        self.see_to_budgets(step);
        self.freeze_estimates(step);
        self.hold_back(step);
        self.mediate(step);
        self.place_reviews(step);
        self.relieve(step);
        if step.is_full() {
            return;
        }
        if self.state.is_held_back() {
            // Everything is looked at again when more is let through.
            self.round_wanted = false;
            self.state.situation.settle();
        } else if self.state.policy.strategy == Strategy::Optimal {
            self.round_wanted |= self.state.situation.is_unsettled();
            self.state.situation.settle();
        } else {
            loop {
                if !self.place(step) {
                    return;
                }
                if self.state.is_held_back() || !self.let_go_for_critical(step) {
                    break;
                }
            }
        }
        self.see_to_budgets(step);
        self.serve_line(step);
        if step.is_full() {
            return;
        }
        if self.state.policy.strategy == Strategy::Greedy && self.state.calls_for_critical() {
            self.escalate(step, None);
        }
    }

    /// Fills the free slots; tells whether the round is over.
    fn place(&mut self, step: &mut Step<'_>) -> bool {
        while self.state.situation.is_unsettled() {
            let mut again = false;
            self.placer.begin(&self.state.situation);
            while let Some(placement) = self.placer.next(&self.state.situation) {
                if let Some(event) = self.rather(&placement).or_else(|| self.state.judge(placement)) {
                    again |= budgets::takes_an_agent_out(&event);
                    self.emit(step, event);
                }
                if step.is_full() || self.state.is_held_back() {
                    break;
                }
            }
            if self.placer.is_under_way() && !self.state.is_held_back() {
                self.state.situation.pause();
                return false;
            }
            if step.is_full() {
                return false;
            }
            self.state.situation.settle();
            if again && !self.state.is_held_back() {
                self.state.situation.unsettle();
            }
        }
        true
    }

    /// Returns the assignment of a task with another than the best, where an action keeps work together and that one can take it.
    fn rather(&mut self, best: &Placement) -> Option<Event> {
        let (_, other) = self.state.rather(best.task, best.agent).filter(|_| !self.state.is_held_back())?;
        // Whoever has just had it and does not have it any more is passed over while another can take it.
        let task = self.state.tasks.get(best.task).filter(|task| task.failed_by != Some(other))?;
        let class = task.class;
        let taker = self.placer.best_of(&self.state.situation, class, &[other])?;
        let considered =
            std::iter::once(taker).chain(best.considered.iter().cloned().filter(|it| it.agent != other));
        let considered = considered.take(best.considered.len().max(1)).collect();
        let instead = Placement { task: best.task, agent: other, considered };
        match self.state.judge(instead)? {
            Event::TaskAssigned { task, agent, considered, .. } => {
                Some(self.state.assigned_event(task, agent, Decision::Together, considered))
            }
            _ => None,
        }
    }

    /// Fixes what tasks that have become ready are expected to take, by what is known now.
    fn freeze_estimates(&mut self, step: &mut Step<'_>) {
        for task in std::mem::take(&mut self.state.estimable) {
            if let Some(estimated) = self.state.estimated_anew(task) {
                self.emit(step, estimated);
            }
        }
    }

    /// Serves those who wait for resources that have become free, in the order of their turns. Ready tasks whose turn came before
    /// theirs were placed in the round just over; gates kept the others back.
    fn serve_line(&mut self, step: &mut Step<'_>) {
        if self.state.reservations.stirred.is_empty() {
            return;
        }
        if mutated!(LineNotServed) {
            self.state.reservations.stirred.clear();
            return;
        }
        let mut waits = self.state.take_stirred().into_iter();
        for wait in waits.by_ref() {
            if let Some(granted) = self.state.granted_in_line(wait, step.at) {
                let reservation = match granted {
                    Event::ReservationGranted { reservation, .. } => reservation,
                    _ => self.state.reservations.last,
                };
                self.emit(step, granted);
                for wait in self.state.served_with(reservation) {
                    let granted = self.state.granted_from_line(wait, step.at);
                    granted.into_iter().for_each(|granted| self.emit(step, granted));
                }
            }
            if step.is_full() {
                break;
            }
        }
        self.state.reservations.stirred.extend(waits);
    }

    fn complete(&self, reply: &mut Reply) {
        let Some(task) = reply.task.map(|task| self.state.task(task)) else { return };
        reply.state = Some(task.state());
        if let Some(owner) = &task.owner {
            reply.assignment = Some(owner.assignment);
            reply.agent = Some(self.state.agent(owner.agent).spec.name.clone());
        }
    }
}

/// One step under way.
struct Step<'a> {
    request: &'a Request,
    at: kapell_model::Moment,
    emitted: usize,
    out: &'a mut Vec<Record>,
}

impl Step<'_> {
    fn is_full(&self) -> bool {
        self.emitted >= limits::EVENTS_PER_COMMAND_MAX
    }
}

impl State {
    /// Tells whether no assignment is let through now.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        let paused =
            self.emergencies.pause.is_some_and(|pause| pause.allowed == 0) && !mutated!(PauseIgnored);
        paused || self.ledgers.fleet().closed.is_some()
    }

    /// Tells whether somebody is called for critical tasks that nobody takes: not where none is let through.
    fn calls_for_critical(&self) -> bool {
        self.emergencies.pause.is_none() && self.ledgers.fleet().closed.is_none()
    }

    /// Judges one item of a plan against what is so now; a stale item falls away.
    fn judge(&self, placement: Placement) -> Option<Event> {
        let task = self.tasks.get(placement.task).filter(|task| task.state() == TaskState::Ready)?;
        let agent = self.agents.get(placement.agent.index())?;
        fit(self.situation.class(task.class), agent.id, self.situation.agent(agent.id)).ok()?;
        if self.obstacle_for(task.id, agent.id).is_some() {
            return None;
        }
        if let Some((of, closing)) = self.over_budget(task, agent.id) {
            return Some(Event::BudgetClosed { of, closing });
        }
        Some(self.assigned_event(task.id, agent.id, Decision::Placed, placement.considered))
    }

    pub(crate) fn assigned_event(
        &self,
        task: TaskId,
        agent: AgentId,
        decision: Decision,
        considered: Vec<Considered>,
    ) -> Event {
        Event::TaskAssigned {
            task,
            agent,
            assignment: AssignmentId(self.last_assignment.0 + u64::from(!mutated!(TokenUsedTwice))),
            decision,
            policy: self.policy_version,
            scorer: SCORER_VERSION,
            threshold: self.policy.threshold,
            considered,
        }
    }

    /// Returns the cancelling of a doomed task with what it waits for.
    fn cancelled_with_its_blocker(&self, id: TaskId) -> Option<Event> {
        let blocker = self.gone_blocker(id)?;
        let reason = own_text(&format!("{blocker}, which it waits for, is {}", self.task(blocker).state()));
        Some(Event::TaskCancelled { task: id, reason, after: Some(blocker) })
    }

    /// Finds what a step that was cut off has left to do, from the facts alone: nothing that a fleet that went on would not do.
    pub(crate) fn resume(&mut self) {
        self.situation.unsettle();
        self.critical_arrivals.clear();
        self.reservations.stirred = self.reservations.waiting.keys().copied().collect();
        let stranded = self.stranded.iter().map(|key| self.task(key.task));
        let called = |task: &Task| task.owner.as_ref().and_then(|it| it.stall()).is_some_and(|it| it.called);
        self.unanswered = stranded.filter(|task| !called(task)).map(|task| task.id).collect();
        self.churned.clear();
        let called = |task| self.is_escalated(EscalationKind::HandoffStuck, &Subject::Task(task));
        let troubled = self.handoffs.in_mediation().filter(|handoff| !called(handoff.task));
        self.handoffs.troubled = troubled.map(|handoff| handoff.id).collect();
        let uncalled = |&&id: &&TaskId| self.task(id).pending_gate().is_some_and(|(_, gate)| !gate.called);
        self.unplaced_reviews = self.gates.unplaced.iter().filter(uncalled).copied().collect();
        self.estimable.clear();
        self.resume_budgets();
        self.reservations.turned.clear();
        for task in self.tasks.iter().filter(|task| task.state() == TaskState::Ready) {
            if task.is_hold_due() {
                self.churned.push(task.id);
            }
            if task.priority == Priority::Critical && !task.called {
                self.critical_arrivals.push(task.id);
            }
        }
    }
}
