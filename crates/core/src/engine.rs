//! One step: judge a command, fold what follows, place what it has freed.

mod handoffs;

use std::collections::BTreeMap;

use kapell_model::{
    AgentId, AssignmentId, Claims, Considered, EscalationId, Excerpt, Gate, HandoffId, Moment, Name,
    NoticeId, OfferId, Placement, Placer, Plan, PlanItem, PlanKind, Position, Priority, Ratio,
    SCORER_VERSION, Situation, StartedWork, Strategy, TaskId, TaskState, Text, Word, fit, limits, relieves,
};
use serde::{Deserialize, Serialize};

use crate::command::{Command, Request};
use crate::decide::agents::own_text;
use crate::escalation::{EscalationKind, Subject};
use crate::event::{Cause, Decision, Dropped, Event, MoveCause, Record};
use crate::handoff::HandoffCause;
use crate::rejection::Rejection;
use crate::state::State;
use crate::task::Task;

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
    /// What keeps the package that it brought from being whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Text>,
    /// The conflict that it opened, or was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<kapell_model::ConflictId>,
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
}

/// Who is best in each capability, as far as anybody has asked under the present roster.
#[derive(Debug, Default)]
struct BestInCapability {
    roster_version: u64,
    best: BTreeMap<Word, Option<(Ratio, AgentId)>>,
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
        if let Some(fingerprint) = request.fingerprint
            && let Some(known) = self.state.keys.get(request.id)
        {
            return if known.fingerprint == fingerprint {
                Ok(known.reply.clone())
            } else {
                Err(Rejection::KeyReused)
            };
        }
        let now = request.at.max(self.state.at);
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
        self.settle(&mut step);
        self.complete(&mut reply);
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
            || !state.reservations.stirred.is_empty()
            || !state.handoffs.troubled.is_empty()
            || (state.policy.strategy == Strategy::Greedy && !state.critical_arrivals.is_empty())
    }

    /// Returns what the next optimal round has to look at, with the last event that is in it, where the policy wants such
    /// rounds and something has changed since the last one was taken. What it plans comes back as [`Command::ApplyPlan`].
    pub fn take_round(&mut self) -> Option<(Excerpt, Position)> {
        let taken = std::mem::take(&mut self.round_wanted) && self.state.policy.strategy == Strategy::Optimal;
        taken.then(|| (self.state.situation.excerpt(), self.state.position))
    }

    /// Tells whether a plan has anything to say: it places something, or a critical task waits to hear that it does not.
    #[must_use]
    pub fn is_worth_applying(&self, plan: &Plan) -> bool {
        !plan.items.is_empty() || (plan.kind == PlanKind::Optimal && !self.state.critical_arrivals.is_empty())
    }

    fn emit(&mut self, step: &mut Step<'_>, event: Event) {
        match event {
            Event::AgentOffline { agent, .. } => self.leaves(step, agent, Cause::OwnerOffline),
            Event::AgentRemoved { agent } => self.leaves(step, agent, Cause::OwnerRemoved),
            _ => {}
        }
        let mut first = std::mem::take(&mut self.ahead);
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
        let contends = match event {
            Event::ReservationGranted { agent, .. }
            | Event::ReservationRequested { agent, .. }
            | Event::HandoffTransferred { agent, .. } => Some(agent),
            _ => None,
        };
        self.fold(step, event);
        for settled in settles {
            self.fold(step, settled);
        }
        for told in first.drain(..) {
            self.fold(step, told);
        }
        self.ahead = first;
        if let Some(reserved) = assigned.and_then(|task| self.state.reserved_with(task)) {
            self.emit(step, reserved);
        }
        if let Some(agent) = contends {
            self.break_rings(step, agent);
        }
    }

    /// Folds an event with the settling of the escalations whose cause it takes away.
    fn fold_settling(&mut self, step: &mut Step<'_>, event: Event) {
        let settles = self.state.settled_by(&event);
        self.fold(step, event);
        settles.into_iter().for_each(|settled| self.fold(step, settled));
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

    /// Carries out what of a plan still fits what is so, and records what fell away.
    fn apply_plan(&mut self, step: &mut Step<'_>, plan: &Plan) {
        let (mut applied, mut dropped) = (0, Vec::new());
        for item in &plan.items {
            let mut events = Vec::new();
            let judged = self.state.judge_item(plan.kind, item, step.at, &mut events);
            let judged = judged.and_then(|()| self.state.not_just_given_back(item, plan.seen));
            let judged = judged.and_then(|()| self.score_anew(&mut events));
            match judged {
                Ok(()) => {
                    applied += 1;
                    events.into_iter().for_each(|event| self.emit(step, event));
                }
                Err(reason) => {
                    dropped.push(Dropped {
                        task: item.task(),
                        agent: item.agent(),
                        reason: own_text(&reason),
                    });
                }
            }
        }
        self.emit(step, Event::PlanApplied { kind: plan.kind, seen: plan.seen, applied, dropped });
        if plan.kind == PlanKind::Optimal {
            // What it placed may have lifted a veto, what fell away may go elsewhere, and its size has a bound: only an empty
            // round is the last, and only that says that there is nobody for a critical task.
            if plan.items.is_empty() {
                self.escalate(step, Some(plan.seen));
            } else {
                self.round_wanted = true;
            }
        }
    }

    /// Brings the score of a placement that was planned some time ago up to date; below the threshold it falls away.
    fn score_anew(&mut self, placed: &mut [Event]) -> Result<(), String> {
        let Some(Event::TaskAssigned { task, agent, considered, .. }) = placed.first_mut() else {
            return Ok(());
        };
        let class = self.state.task(*task).class;
        let now = self.placer.consider(&self.state.situation, class, *agent);
        let (score, threshold) = (now.parts.total, self.state.situation.threshold());
        if score <= threshold {
            return Err(format!("its score is {score} by now, not above {threshold}"));
        }
        considered.retain(|other| other.agent != *agent);
        considered.insert(0, now);
        Ok(())
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
        self.hold_back(step);
        self.mediate(step);
        self.relieve(step);
        if step.is_full() {
            return;
        }
        if self.state.policy.strategy == Strategy::Optimal {
            self.round_wanted |= self.state.situation.is_unsettled();
            self.state.situation.settle();
        } else if self.state.situation.is_unsettled() {
            self.placer.begin(&self.state.situation);
            while let Some(placement) = self.placer.next(&self.state.situation) {
                if let Some(event) = self.state.judge(placement) {
                    self.emit(step, event);
                }
                if step.is_full() {
                    break;
                }
            }
            if self.placer.is_under_way() {
                self.state.situation.pause();
                return;
            }
            if step.is_full() {
                return;
            }
            self.state.situation.settle();
        }
        self.serve_line(step);
        if step.is_full() {
            return;
        }
        if self.state.policy.strategy == Strategy::Greedy {
            self.escalate(step, None);
        }
    }

    /// Serves those who wait for resources that have become free, in the order of their turns. Ready tasks whose turn came before
    /// theirs were placed in the round just over; gates kept the others back.
    fn serve_line(&mut self, step: &mut Step<'_>) {
        if self.state.reservations.stirred.is_empty() {
            return;
        }
        let mut waits = self.state.take_stirred().into_iter();
        for wait in waits.by_ref() {
            if let Some(granted) = self.state.granted_in_line(wait, step.at) {
                self.emit(step, granted);
            }
            if step.is_full() {
                break;
            }
        }
        self.state.reservations.stirred.extend(waits);
    }

    /// Sets aside what has been handed out and taken back once too often, before it could be handed out again, and calls.
    fn hold_back(&mut self, step: &mut Step<'_>) {
        for task in std::mem::take(&mut self.state.churned) {
            let Some(held) = self.state.held_event(task, step.at) else { continue };
            self.emit(step, held);
            let (kind, subject) = (EscalationKind::RedispatchLoop, Subject::Task(task));
            let (task, mut raised) = (self.state.task(task), Vec::new());
            let detail = self.state.churn_text(task);
            self.state.raise(kind, subject, task.effective, &detail, &mut raised);
            raised.into_iter().for_each(|event| self.emit(step, event));
        }
    }

    /// Sees to stalled work whose owner has not answered: escalates what is new, and moves what somebody else can take.
    /// What nobody could take is tried again with those alone who have gained room since, before they get new work.
    fn relieve(&mut self, step: &mut Step<'_>) {
        for task in std::mem::take(&mut self.state.unanswered) {
            if self.state.stranded.contains(&task) {
                let free = self.state.situation.free().to_vec();
                let best = self.reliever(task, &free);
                let (detail, mut raised) = (self.state.stranded_text(task, best.as_ref()), Vec::new());
                let severity = self.state.task(task).effective;
                self.state.raise(
                    EscalationKind::Stalled,
                    Subject::Task(task),
                    severity,
                    &detail,
                    &mut raised,
                );
                raised.into_iter().for_each(|event| self.emit(step, event));
                self.hand_on(step, task, best);
            }
        }
        let situation = &self.state.situation;
        if self.state.stranded.is_empty() || !situation.is_unsettled() {
            return;
        }
        let gained = if situation.all_changed() { situation.free() } else { situation.freed() }.to_vec();
        if gained.is_empty() {
            return;
        }
        for task in self.state.stranded_by_urgency() {
            if step.is_full() {
                return;
            }
            let best = self.reliever(task, &gained);
            self.hand_on(step, task, best);
        }
    }

    /// Returns the best other agent for stalled work, among `agents` without those that are silent themselves.
    fn reliever(&mut self, task: TaskId, agents: &[AgentId]) -> Option<Considered> {
        let silent = self.state.silent_owners();
        // What the task has reserved goes along, so it must not be in the way of what the other one works beside.
        let state = &self.state;
        // Whoever has had it before does not get it again by silence, so that it cannot go round for ever.
        let past = &state.task(task).past;
        let able = |agent: &AgentId| {
            !silent.contains(agent)
                && past.iter().all(|(_, had)| had != agent)
                && state.obstacle_to_move(task, *agent).is_none()
        };
        let others: Vec<AgentId> = agents.iter().copied().filter(able).collect();
        self.placer.best_of(&self.state.situation, self.state.task(task).class, &others)
    }

    fn hand_on(&mut self, step: &mut Step<'_>, task: TaskId, best: Option<Considered>) {
        let Some(best) = best else { return };
        let (why, mut moved) = (self.state.unanswered_text(task), Vec::new());
        let (task, agent) = (self.state.task(task), best.agent);
        self.state.move_task(task, agent, MoveCause::Stalled, Some(&why), vec![best], &mut moved);
        moved.into_iter().for_each(|event| self.emit(step, event));
    }

    /// Raises an escalation for every critical task that has entered the queue and found nobody: in the round just over, or
    /// in a plan that has seen it as it is. What is beyond the bound of a step waits for the next one, or the next plan.
    fn escalate(&mut self, step: &mut Step<'_>, seen: Option<Position>) {
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
                let (detail, mut raised) = (self.shortfall(task), Vec::new());
                self.state.raise(kind, subject, Priority::Critical, &detail, &mut raised);
                raised.into_iter().for_each(|event| self.emit(step, event));
            }
        }
    }

    /// Says per required capability what the fleet lacks for a task.
    fn shortfall(&mut self, id: TaskId) -> String {
        let state = &self.state;
        let class = state.situation.class(state.task(id).class);
        let mut text = format!(
            "no agent scores above {} for critical task {id}; {} of {} agents online, {} with a free slot",
            state.policy.threshold,
            state.online,
            state.agents.len(),
            state.situation.free().len()
        );
        for requirement in &class.requires {
            let name = state.word(requirement.capability);
            match self.best.of(&state.situation, requirement.capability) {
                Some((score, agent)) => {
                    let agent = state.agent(agent);
                    text += &format!("; {name}: best {score} by `{}` ({})", agent.spec.name, agent.state);
                }
                None => text += &format!("; {name}: nobody has it"),
            }
        }
        text
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

impl BestInCapability {
    fn of(&mut self, situation: &Situation, capability: Word) -> Option<(Ratio, AgentId)> {
        if self.roster_version != situation.roster_version() {
            self.best.clear();
            self.roster_version = situation.roster_version();
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
    /// Judges one item of a plan against what is so now; a stale item falls away.
    fn judge(&self, placement: Placement) -> Option<Event> {
        let task = self.tasks.get(placement.task).filter(|task| task.state() == TaskState::Ready)?;
        let agent = self.agents.get(placement.agent.index())?;
        fit(self.situation.class(task.class), agent.id, self.situation.agent(agent.id)).ok()?;
        if self.obstacle_for(task.id, agent.id).is_some() {
            return None;
        }
        Some(self.assigned_event(task.id, agent.id, Decision::Placed, placement.considered))
    }

    /// Refuses a placement with an agent that has had the task, and lost it, since the plan was made: the next round knows.
    fn not_just_given_back(&self, item: &PlanItem, seen: Position) -> Result<(), String> {
        let task = self.task(item.task());
        let placed = matches!(item, PlanItem::Place(_));
        if placed && task.failed_by == Some(item.agent()) && task.changed > seen {
            return Err("it has just had the task and does not have it any more".to_owned());
        }
        Ok(())
    }

    /// Judges one item of a plan; puts what follows into `out`, or says why it falls away.
    fn judge_item(
        &self,
        kind: PlanKind,
        item: &PlanItem,
        now: Moment,
        out: &mut Vec<Event>,
    ) -> Result<(), String> {
        let task = self.tasks.get(item.task()).ok_or("there is no such task")?;
        let agent = self.agents.get(item.agent().index()).ok_or("there is no such agent")?;
        match item {
            PlanItem::Place(_) if task.state() != TaskState::Ready => {
                return Err(format!("the task is {}", task.state()));
            }
            PlanItem::Move { from, .. } if task.owner.as_ref().is_none_or(|owner| owner.agent != *from) => {
                return Err(format!("the task is {} and not that agent's any more", task.state()));
            }
            _ => {}
        }
        let fits = fit(self.situation.class(task.class), agent.id, self.situation.agent(agent.id));
        fits.map_err(|unfit| self.unfit_text(unfit))?;
        let obstacle = match item {
            PlanItem::Place(_) => self.obstacle_for(task.id, agent.id),
            PlanItem::Move { .. } if self.reservations.holds_exclusively(task.id) => {
                return Err("something is reserved exclusively for it".to_owned());
            }
            PlanItem::Move { .. } => self.obstacle_to_move(task.id, agent.id),
        };
        if let Some(obstacle) = obstacle {
            return Err(self.resource_held(&obstacle, self.at).to_string());
        }
        if let (PlanKind::Balance, PlanItem::Move { from, to, .. }) = (kind, item) {
            self.transferable(task, now)?;
            let loads = self.move_loads(*from, *to);
            if !relieves(loads.from, loads.to) {
                return Err("it would not make the larger utilization smaller any more".to_owned());
            }
        }
        match item {
            PlanItem::Place(Placement { considered, .. }) => {
                out.push(self.assigned_event(task.id, agent.id, Decision::Placed, considered.clone()));
            }
            PlanItem::Move { to, considered, .. } if self.is_handed_over(task) => {
                let cause = HandoffCause::Balancing;
                self.hand_over(now, task, *to, cause, None, considered.clone(), out);
            }
            PlanItem::Move { to, considered, .. } => {
                self.move_task(task, *to, MoveCause::Balancing, None, considered.clone(), out);
            }
        }
        Ok(())
    }

    /// Tells whether balancing moves a task by a supervised handoff: it has been begun, and the policy wants that.
    pub(crate) fn is_handed_over(&self, task: &Task) -> bool {
        let begun = task.owner.as_ref().is_some_and(|owner| owner.started_at.is_some());
        begun && self.policy.handoffs.started == StartedWork::Handoff
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
            assignment: AssignmentId(self.last_assignment.0 + 1),
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

    /// Tells whether a critical task waits and nobody has been called for it yet.
    fn lacks_an_agent(&self, id: TaskId) -> bool {
        let task = self.task(id);
        let waits = task.state() == TaskState::Ready && task.priority == Priority::Critical;
        // What is held back by resources lacks no agent; it is looked at again when they are free.
        let free = self.situation.gate(task.class) == Gate::Open;
        let called = task.called || self.is_escalated(EscalationKind::NoSuitableAgent, &Subject::Task(id));
        waits && free && !called
    }

    /// Finds what a step that was cut off has left to do, from the facts alone: nothing that a fleet that went on would not do.
    pub(crate) fn resume(&mut self) {
        self.situation.unsettle();
        self.critical_arrivals.clear();
        self.reservations.stirred = self.reservations.waiting.keys().copied().collect();
        let uncalled = |id: &&TaskId| {
            self.task(**id).owner.as_ref().and_then(|it| it.stall()).is_some_and(|it| !it.called)
        };
        self.unanswered = self.stranded.iter().filter(uncalled).copied().collect();
        self.churned.clear();
        let called = |task| self.is_escalated(EscalationKind::HandoffStuck, &Subject::Task(task));
        let troubled = self.handoffs.in_mediation().filter(|handoff| !called(handoff.task));
        self.handoffs.troubled = troubled.map(|handoff| handoff.id).collect();
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
