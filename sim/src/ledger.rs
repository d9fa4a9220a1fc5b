//! What the log must say of itself: a small account of each task, kept from the events alone and apart from the core, and
//! held against every further event. Each promise has an id.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use kapell_core::{
    Action, BudgetOf, Cause, Change, Decision, EscalationKind, Event, MoveCause, PermissionAsk, Record,
    Settlement, StallCause, Subject, Verdict,
};
use kapell_model::{
    AgentId, AssignmentId, Budget, CommandId, ConflictId, EmergencyId, EscalationId, MessageId, Moment, Name,
    OfferId, Period, PermissionId, Policy, ReservationId, Span, TaskGate, TaskId, TaskState, Text, Unit,
    WaitId, limits,
};

use crate::Broken;
use crate::orders::Orders;

/// Whose finished work, and which of its gates it has passed.
type Finished = ((AgentId, AssignmentId), Vec<(TaskGate, bool)>);

/// The account of one task.
#[derive(Clone, Debug, Default)]
struct Track {
    owner: Option<(AgentId, AssignmentId)>,
    ended: Option<TaskState>,
    attempts_max: Option<u32>,
    failures: u32,
    boosted: bool,
    /// Set aside until then: no placing before.
    until: Option<Moment>,
    turns: Vec<Moment>,
    holds: u32,
    hold_due: bool,
    moves: u32,
    moved_at: Option<Moment>,
    /// What its work must pass by its own word.
    gates: Vec<TaskGate>,
    kind: Option<Name>,
    /// Whose finished work stands before which gates, and which of them it has passed.
    finished: Option<Finished>,
    /// When its owner got it, or last said anything about it.
    heard: Moment,
    /// What an owner last wanted leave for and did not withdraw, and whether it waits for it.
    asked: Option<Asked>,
}

/// What an owner wants leave for.
#[derive(Clone, Debug)]
struct Asked {
    assignment: AssignmentId,
    request: Text,
    ask: PermissionAsk,
    open: bool,
}

/// What was spent, counted apart from the core.
#[derive(Clone, Debug, Default)]
struct Spent {
    attempts: BTreeMap<AssignmentId, u64>,
    total: BTreeMap<BudgetOf, u64>,
    today: BTreeMap<BudgetOf, u64>,
    budgets: BTreeMap<BudgetOf, Budget>,
    /// The project of each task.
    projects: Vec<Option<Name>>,
}

impl Spent {
    fn payers(&self, task: TaskId, agent: AgentId) -> impl Iterator<Item = BudgetOf> + use<> {
        let project = self.projects[task.index()].clone().map(BudgetOf::Project);
        [BudgetOf::Task(task), BudgetOf::Agent(agent), BudgetOf::Fleet {}].into_iter().chain(project)
    }

    fn of(&self, of: &BudgetOf, period: Period) -> u64 {
        let sums = if period == Period::Day { &self.today } else { &self.total };
        sums.get(of).copied().unwrap_or(0)
    }

    fn is_over(&self, of: &BudgetOf) -> bool {
        let over = |period: Period, budget: &Budget| {
            budget.of(period).money.hard.is_some_and(|hard| self.of(of, period) >= hard)
        };
        self.budgets.get(of).is_some_and(|budget| Period::ALL.into_iter().any(|period| over(period, budget)))
    }
}

/// The account of one log.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The last position.
    pub position: u64,
    at: Moment,
    tasks: Vec<Track>,
    draining: BTreeSet<AgentId>,
    policy: Policy,
    last_assignment: AssignmentId,
    last_reservation: ReservationId,
    last_wait: WaitId,
    last_notice: u32,
    open: BTreeMap<EscalationId, (EscalationKind, Subject)>,
    /// Escalations that somebody has taken on, by which agent, and how often others were raised again.
    taken_on: BTreeMap<EscalationId, Option<AgentId>>,
    /// Those of whoever has just gone, and in which command; they are to be dropped in it.
    left: BTreeMap<EscalationId, CommandId>,
    reraised: BTreeMap<EscalationId, u32>,
    /// What waits for room in whose inbox.
    undelivered: BTreeSet<(AgentId, MessageId)>,
    /// The last command by which somebody has read anything.
    reads: Option<CommandId>,
    offers_settled: BTreeSet<OfferId>,
    decided: BTreeSet<ConflictId>,
    /// What was done about each emergency and is neither undone nor confirmed.
    pending: BTreeMap<EmergencyId, BTreeMap<u32, Action>>,
    emergencies_ended: BTreeSet<EmergencyId>,
    /// What was said of each assignment, and what is limited by whom.
    spent: Spent,
    /// What comes before what.
    pub(crate) orders: Orders,
    /// How many assignments are let through while others are held back.
    allowed: Option<u32>,
    /// Commands whose answers are remembered: nothing may follow from them any more.
    sealed: HashSet<CommandId>,
}

fn broken<T>(id: &'static str, what: impl FnOnce() -> String) -> Result<T, Broken> {
    Err(Broken { id: id.to_owned(), what: what() })
}

fn hold(id: &'static str, holds: bool, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { broken(id, what) }
}

impl Ledger {
    /// Takes an event into account.
    ///
    /// # Errors
    /// The promise that it breaks.
    pub fn note(&mut self, record: &Record) -> Result<(), Broken> {
        let at = record.at;
        hold("log-is-contiguous", record.position.0 == self.position + 1, || {
            format!("{} follows {}", record.position, self.position)
        })?;
        hold("time-moves-on", at >= self.at, || format!("{at:?} follows {:?}", self.at))?;
        hold("one-key-once", !self.sealed.contains(&record.command), || {
            format!(
                "{} at {} follows from a command that was answered before",
                record.event.kind(),
                record.position
            )
        })?;
        (self.position, self.at) = (record.position.0, at);
        let dropped = self.left.iter().find(|&(_, command)| *command != record.command);
        hold("nobody-gone-has-taken-on", dropped.is_none(), || {
            format!("{dropped:?} is left with somebody who has gone")
        })?;
        match &record.event {
            Event::CommandKeyed { .. } => {
                self.sealed.insert(record.command);
            }
            Event::PolicySet { policy, .. } => self.policy = (**policy).clone(),
            Event::AgentDrained { agent } => {
                self.draining.insert(*agent);
            }
            Event::AgentResumed { agent } | Event::AgentRegistered { agent, .. } => {
                self.draining.remove(agent);
            }
            Event::EscalationRaised { escalation, kind, subject, .. } => {
                let cause = (*kind, subject.clone());
                hold("escalated-once", self.open.values().all(|open| *open != cause), || {
                    format!("{escalation} is raised for {cause:?}, for which one is open")
                })?;
                self.open.insert(*escalation, cause);
            }
            Event::EscalationAcknowledged { escalation, agent } => {
                let new = self.taken_on.insert(*escalation, *agent).is_none();
                let new = new && self.open.contains_key(escalation);
                hold("taken-on-once", new, || {
                    format!("{escalation} is taken on, and was before, or is not open")
                })?;
            }
            Event::EscalationDropped { escalation, agent, .. } => {
                self.left.remove(escalation);
                hold("taken-on-once", self.taken_on.remove(escalation) == Some(Some(*agent)), || {
                    format!("{escalation} is dropped by {agent:?}, who had not taken it on")
                })?;
            }
            Event::EscalationReraised { escalation, .. } => {
                let rests = !self.open.contains_key(escalation) || self.taken_on.contains_key(escalation);
                hold("taken-on-rests", !rests, || {
                    format!("{escalation} is raised again though somebody has taken it on, or settled it")
                })?;
                let times = self.reraised.entry(*escalation).or_default();
                *times += 1;
                hold("reraised-boundedly", *times <= self.policy.escalations.reraises_max, || {
                    format!("{escalation} is raised again for the {times}th time")
                })?;
            }
            Event::EscalationUpdated { escalation, .. } => {
                hold("settled-once", self.open.contains_key(escalation), || {
                    format!("{escalation} is not open and changes")
                })?;
            }
            Event::EscalationSettled { escalation, .. } => {
                self.left.remove(escalation);
                let cause = self.open.remove(escalation);
                hold("settled-once", cause.is_some(), || format!("{escalation} is not open"))?;
                // Settled by a word it leaves what waits waiting.
                if let Some((EscalationKind::MessageUnanswered, Subject::Agent(agent))) = cause
                    && self.reads == Some(record.command)
                {
                    let waits = self.undelivered.iter().find(|(to, _)| *to == agent);
                    hold("what-has-no-room-comes", waits.is_none(), || {
                        format!("{escalation} is settled, and {waits:?} has not come")
                    })?;
                }
            }
            Event::MessageSent { message, full, .. } => {
                for &agent in full {
                    let cause = (EscalationKind::MessageUnanswered, Subject::Agent(agent));
                    hold("what-has-no-room-comes", self.open.values().any(|open| *open == cause), || {
                        format!("{} has no room at {agent:?}, and nobody is called", message.id)
                    })?;
                    self.undelivered.insert((agent, message.id));
                }
            }
            Event::MessagesDelivered { agent, messages } => {
                for &message in messages {
                    hold("what-has-no-room-comes", self.undelivered.remove(&(*agent, message)), || {
                        format!("{message} comes to {agent:?}, for whom it does not wait")
                    })?;
                }
            }
            Event::MessagesRead { .. } => self.reads = Some(record.command),
            Event::MessageAcknowledged { agent, message } => {
                self.reads = Some(record.command);
                self.undelivered.remove(&(*agent, *message));
            }
            Event::OfferAccepted { offer, .. } | Event::OfferDeclined { offer, .. } => {
                hold("settled-once", self.offers_settled.insert(*offer), || {
                    format!("{offer} is settled again")
                })?;
            }
            Event::DecisionMade { conflict, .. } | Event::DecisionWithdrawn { conflict, .. } => {
                hold("settled-once", self.decided.insert(*conflict), || {
                    format!("{conflict} is settled again")
                })?;
            }
            Event::ReservationGranted { reservation, .. } => {
                hold("reservation-tokens-grow", *reservation > self.last_reservation, || {
                    format!("{reservation} follows {}", self.last_reservation)
                })?;
                self.last_reservation = *reservation;
            }
            Event::ReservationRequested { wait, .. } => {
                hold("reservation-tokens-grow", *wait > self.last_wait, || {
                    format!("{wait} follows {}", self.last_wait)
                })?;
                self.last_wait = *wait;
            }
            Event::NoticeSent { notice, .. } => {
                hold("notices-are-numbered", notice.0 > self.last_notice, || {
                    format!("{notice} follows N-{}", self.last_notice)
                })?;
                self.last_notice = notice.0;
            }
            event => {
                if let Event::AgentOffline { agent, .. } | Event::AgentRemoved { agent } = event {
                    let own = self.taken_on.iter().filter(|&(_, by)| *by == Some(*agent));
                    let open = own.filter(|(escalation, _)| self.open.contains_key(escalation));
                    self.left.extend(open.map(|(&escalation, _)| (escalation, record.command)));
                }
                self.note_emergency(event)?;
                self.note_cost(event)?;
                self.orders.note(event);
                self.note_task(event, at)?;
            }
        }
        Ok(())
    }

    fn note_emergency(&mut self, event: &Event) -> Result<(), Broken> {
        match event {
            Event::EmergencyActed { emergency, action, what } => {
                let ended = self.emergencies_ended.contains(emergency);
                hold("ended-emergencies-rest", !ended, || format!("{emergency} has ended and acts"))?;
                if matches!(what, Action::AssignmentsPaused {}) {
                    self.allowed = Some(0);
                }
                self.pending.entry(*emergency).or_default().insert(*action, what.clone());
            }
            Event::EmergencySettled { emergency, action, how } => {
                let done = self.pending.get_mut(emergency).and_then(|pending| pending.remove(action));
                let Some(done) = done else {
                    return broken("settled-once", || {
                        format!("action {action} of {emergency} is settled again")
                    });
                };
                let undone = *how == Settlement::Undone;
                hold("emergencies-are-undone", undone == done.is_undone(), || {
                    format!("{done:?} of {emergency} is {}", how.as_str())
                })?;
                if matches!(done, Action::AssignmentsPaused {}) {
                    self.allowed = None;
                }
            }
            Event::AssignmentsResuming { allowed, .. } => self.allowed = Some(*allowed),
            Event::EmergencyEnded { emergency } => {
                let pending = self.pending.remove(emergency).unwrap_or_default();
                hold("emergencies-are-undone", pending.is_empty(), || {
                    format!("{emergency} has ended, and {pending:?} is in effect")
                })?;
                self.emergencies_ended.insert(*emergency);
            }
            Event::TaskAssigned { task, decision, .. } if *decision != Decision::ByHand => {
                let aside =
                    |what: &Action| matches!(what, Action::WorkDeferred { task: aside } if aside == task);
                let aside = self.pending.values().flat_map(BTreeMap::values).any(aside);
                hold("set-aside-until-then", !aside, || format!("{task} is set aside and was handed out"))?;
                if let Some(allowed) = &mut self.allowed {
                    hold("paused-is-paused", *allowed > 0, || {
                        format!("{task} was handed out while assignments are held back")
                    })?;
                    *allowed -= 1;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Counts the money of all reports by itself, and holds what was assigned against the limits.
    fn note_cost(&mut self, event: &Event) -> Result<(), Broken> {
        match event {
            Event::TaskSubmitted { spec, .. } => self.spent.projects.push(spec.project.clone()),
            Event::BudgetDayBegan { .. } => self.spent.today.clear(),
            Event::BudgetSet { of, budget } => {
                self.spent.budgets.insert(of.clone(), budget.unwrap_or_default());
            }
            Event::UsageReported { task, agent, assignment, usage } => {
                let before = self.spent.attempts.insert(*assignment, usage.money).unwrap_or(0);
                hold("costs-only-grow", usage.money >= before, || {
                    format!("{assignment} has cost {} and then {before}", usage.money)
                })?;
                for of in self.spent.payers(*task, *agent) {
                    *self.spent.total.entry(of.clone()).or_default() += usage.money - before;
                    *self.spent.today.entry(of).or_default() += usage.money - before;
                }
            }
            Event::BudgetClosed { of, closing } if closing.measure == Unit::Money => {
                let spent = self.spent.of(of, closing.period);
                hold("costs-add-up", spent == closing.spent, || {
                    format!("{of:?} has spent {spent}, and is closed for {closing:?}")
                })?;
            }
            Event::TaskAssigned { task, agent, .. } => {
                let over = self.spent.payers(*task, *agent).find(|of| self.spent.is_over(of));
                hold("budgets-are-limits", over.is_none(), || {
                    format!("{task} was assigned to {agent:?}, and {over:?} has nothing left")
                })?;
            }
            _ => {}
        }
        Ok(())
    }

    fn note_task(&mut self, event: &Event, at: Moment) -> Result<(), Broken> {
        match event {
            Event::TaskSubmitted { spec, .. } => self.tasks.push(Track {
                ended: spec.closed.as_ref().map(|closed| closed.state),
                attempts_max: spec.attempts_max,
                gates: spec.gates.clone(),
                kind: Some(spec.kind.clone()),
                ..Track::default()
            }),
            Event::TaskEdited { task, edit, .. } => match edit.attempts_max {
                Some(Change::To(most)) => self.track(*task).attempts_max = Some(most),
                Some(Change::Clear) => self.track(*task).attempts_max = None,
                None => {}
            },
            Event::TaskAssigned { task, agent, assignment, decision, .. } => {
                self.token(*assignment)?;
                let drained = self.draining.contains(agent);
                let track = self.track(*task);
                hold("one-owner-at-a-time", track.owner.is_none(), || {
                    format!("{task} has an owner already")
                })?;
                hold("ended-stays-ended", track.ended.is_none(), || {
                    format!("{task} has ended and is assigned")
                })?;
                if matches!(decision, Decision::Placed | Decision::Together) {
                    hold("drained-gets-nothing", !drained, || format!("{task} was placed with {agent:?}"))?;
                    hold("set-aside-until-then", track.until.is_none_or(|until| until <= at), || {
                        format!("{task} was placed before {:?}", track.until)
                    })?;
                    hold("loops-are-held", !track.hold_due, || {
                        format!("{task} went round and was placed again")
                    })?;
                }
                (track.owner, track.until, track.heard) = (Some((*agent, *assignment)), None, at);
            }
            Event::TaskMoved { task, from, ended, agent, assignment, cause, .. } => {
                self.owns("moved-from-its-owner", *task, (*from, *ended))?;
                self.token(*assignment)?;
                let (cooling, moves_max) = (self.policy.balancing.cooling, self.policy.balancing.moves_max);
                let drained = self.draining.contains(agent);
                let track = self.track(*task);
                if *cause == MoveCause::Balancing {
                    let rested = track.moved_at.is_none_or(|moved| moved.after(cooling) <= at);
                    hold("balancing-rests", rested && track.moves < moves_max, || {
                        format!(
                            "{task} was moved at {:?} already, {} times in all",
                            track.moved_at, track.moves
                        )
                    })?;
                }
                hold("drained-gets-nothing", !drained || *cause == MoveCause::ByHand, || {
                    format!("{task} went to {agent:?}")
                })?;
                (track.owner, track.moved_at, track.heard) = (Some((*agent, *assignment)), Some(at), at);
                track.moves += 1;
                if *cause == MoveCause::Stalled {
                    self.turn(*task, at);
                }
            }
            Event::HandoffTransferred { task, from, ended, agent, assignment, reservations, .. } => {
                self.owns("moved-from-its-owner", *task, (*from, *ended))?;
                self.token(*assignment)?;
                let track = self.track(*task);
                (track.owner, track.heard) = (Some((*agent, *assignment)), at);
                for (_, new) in reservations {
                    hold("reservation-tokens-grow", *new > self.last_reservation, || {
                        format!("{new} follows {}", self.last_reservation)
                    })?;
                    self.last_reservation = *new;
                }
            }
            Event::TaskStarted { task, agent, assignment } => {
                self.owns("reports-under-the-token", *task, (*agent, *assignment))?;
                self.track(*task).heard = at;
            }
            Event::TaskStalled { task, agent, assignment, cause: StallCause::Quiet, allowed, .. } => {
                self.owns("silence-is-silence", *task, (*agent, *assignment))?;
                let track = self.track(*task);
                let waits = track.asked.as_ref().is_some_and(|it| it.assignment == *assignment && it.open);
                let silent = at.since(track.heard);
                hold("silence-is-silence", silent >= *allowed && !waits, || {
                    format!("{agent:?} is asked about {task} after a silence of {silent} of {allowed}")
                })?;
            }
            Event::PermissionAsked { task, agent, assignment, ask } => {
                self.owns("reports-under-the-token", *task, (*agent, *assignment))?;
                let position = self.position;
                let track = self.track(*task);
                let known = |it: &Asked| it.assignment == *assignment && it.ask == **ask;
                hold("asked-once", !track.asked.as_ref().is_some_and(known), || {
                    format!("the owner of {task} wants leave for {} again", ask.name)
                })?;
                let request = Text::new(&PermissionId(position).to_string(), 100).unwrap_or_default();
                let asked = Asked { assignment: *assignment, request, ask: (**ask).clone(), open: true };
                (track.asked, track.heard) = (Some(asked), at);
            }
            Event::PermissionAnswered { task, agent, assignment, request, answer } => {
                let read = self.leave_ends(*task, (*agent, *assignment), request)?;
                // Whoever answers says what it has read.
                hold("answered-as-read", answer.notes == read, || {
                    format!(
                        "{request} of {task} is about `{read}`, and gets what was said about `{}`",
                        answer.notes
                    )
                })?;
                hold("others-answer", answer.by != Some(*agent), || {
                    format!("the owner of {task} gives itself leave for {request}")
                })?;
            }
            Event::PermissionWithdrawn { task, agent, assignment, request, .. } => {
                self.leave_ends(*task, (*agent, *assignment), request)?;
                self.track(*task).asked = None;
            }
            Event::TaskProgressed { task, agent, assignment, .. } => {
                self.owns("reports-under-the-token", *task, (*agent, *assignment))?;
                self.track(*task).heard = at;
                self.track(*task).forget_turns();
            }
            Event::GatesOpened { task, agent, assignment, offer, gates, .. } => {
                if offer.is_none() {
                    self.owns("reports-under-the-token", *task, (*agent, *assignment))?;
                }
                // Finished work wants no leave; work that is sent back may ask again under the same token.
                self.track(*task).asked = None;
                let wanted = self.gates_of(*task);
                hold("gates-are-kept", wanted.iter().all(|gate| gates.contains(gate)), || {
                    format!("{task} must pass {wanted:?} and stands before {gates:?}")
                })?;
                let track = self.track(*task);
                hold("ended-stays-ended", track.ended.is_none(), || format!("{task} has ended"))?;
                track.owner = track.owner.filter(|&owner| owner == (*agent, *assignment));
                let gates = gates.iter().map(|gate| (gate.clone(), false)).collect();
                (track.finished, track.until) = (Some(((*agent, *assignment), gates)), None);
                track.forget_turns();
            }
            Event::TaskArchived { task, .. } => {
                let owner = self.track(*task).owner;
                hold("only-unowned-is-broken-down", owner.is_none(), || {
                    format!("{task} is {owner:?}'s and is broken down")
                })?;
                self.end(*task, TaskState::Archived)?;
            }
            Event::GatePassed { task, gate, verdict } => self.gate_passed(*task, *gate, verdict)?,
            Event::GateRejected { task, .. } => {
                let track = self.track(*task);
                hold("gates-are-kept", track.finished.take().is_some(), || {
                    format!("{task} is sent back and stands before no gate")
                })?;
                track.heard = at;
            }
            Event::GateOwnerLeft { task, agent, assignment, .. } => {
                self.owns("returned-by-its-owner", *task, (*agent, *assignment))?;
                self.track(*task).owner = None;
            }
            Event::TaskCompleted { task, agent, assignment, offer, .. } => {
                if let Some((by, gates)) = self.track(*task).finished.take() {
                    let passed = by == (*agent, *assignment) && gates.iter().all(|(_, passed)| *passed);
                    hold("gates-are-kept", passed, || format!("{task} is completed before {gates:?}"))?;
                } else {
                    let wanted = self.gates_of(*task);
                    hold("gates-are-kept", wanted.is_empty(), || {
                        format!("{task} is completed and must pass {wanted:?}")
                    })?;
                    if offer.is_none() {
                        self.owns("reports-under-the-token", *task, (*agent, *assignment))?;
                    }
                }
                self.end(*task, TaskState::Completed)?;
            }
            Event::AttemptFailed { task, agent, assignment, retry_at, .. } => {
                self.owns("reports-under-the-token", *task, (*agent, *assignment))?;
                self.attempt_failed(*task, at, *retry_at)?;
            }
            Event::TaskFailed { task, .. } => self.end(*task, TaskState::Failed)?,
            Event::TaskCancelled { task, .. } => self.end(*task, TaskState::Cancelled)?,
            Event::TaskReopened { task, .. } => {
                let track = self.track(*task);
                let may = matches!(track.ended, Some(TaskState::Failed | TaskState::Cancelled));
                hold("ended-stays-ended", may, || format!("{task} was reopened from {:?}", track.ended))?;
                (track.ended, track.failures) = (None, 0);
            }
            Event::TaskReturned { task, agent, assignment, boosted, cause, .. } => {
                self.owns("returned-by-its-owner", *task, (*agent, *assignment))?;
                let track = self.track(*task);
                hold("one-boost", !(*boosted && track.boosted), || format!("{task} was boosted twice"))?;
                track.boosted |= *boosted;
                track.owner = None;
                if !matches!(cause, Cause::SetAside | Cause::OverBudget) {
                    self.turn(*task, at);
                }
            }
            Event::TaskHeld { task, until, .. } => {
                let track = self.track(*task);
                (track.until, track.hold_due) = (Some(*until), false);
                track.holds += 1;
            }
            Event::TaskResumed { task } => {
                let track = self.track(*task);
                hold("set-aside-until-then", track.until.is_none_or(|until| until <= at), || {
                    format!("{task} came back before {:?}", track.until)
                })?;
                track.until = None;
            }
            Event::HoldReleased { task } => {
                let track = self.track(*task);
                track.until = None;
                track.forget_turns();
            }
            _ => {}
        }
        Ok(())
    }

    fn track(&mut self, task: TaskId) -> &mut Track {
        &mut self.tasks[task.index()]
    }

    fn token(&mut self, assignment: AssignmentId) -> Result<(), Broken> {
        hold("fencing-tokens-grow", assignment > self.last_assignment, || {
            format!("{assignment} follows {}", self.last_assignment)
        })?;
        self.last_assignment = assignment;
        Ok(())
    }

    fn owns(&mut self, id: &'static str, task: TaskId, by: (AgentId, AssignmentId)) -> Result<(), Broken> {
        let owner = self.track(task).owner;
        hold(id, owner == Some(by), || format!("{task} is {owner:?}'s, the event is {by:?}'s"))
    }

    fn end(&mut self, task: TaskId, state: TaskState) -> Result<(), Broken> {
        let track = self.track(task);
        hold("ended-stays-ended", track.ended.is_none(), || format!("{task} was {:?} already", track.ended))?;
        (track.owner, track.ended, track.until) = (None, Some(state), None);
        track.finished = None;
        track.forget_turns();
        self.orders.ended(task);
        Ok(())
    }

    /// What an owner wanted leave for is over: it was open, and it is its own still.
    fn leave_ends(
        &mut self,
        task: TaskId,
        by: (AgentId, AssignmentId),
        request: &Text,
    ) -> Result<Text, Broken> {
        self.owns("answered-to-who-asks", task, by)?;
        let at = self.at;
        let track = self.track(task);
        let known = |it: &&mut Asked| it.assignment == by.1 && it.request == *request && it.open;
        let Some(asked) = track.asked.as_mut().filter(known) else {
            return broken("answered-once", || format!("{request} of {task} ends and is not open"));
        };
        asked.open = false;
        track.heard = at;
        Ok(asked.ask.detail.clone())
    }

    /// Returns what work on a task must pass by now.
    fn gates_of(&self, task: TaskId) -> Vec<TaskGate> {
        let track = &self.tasks[task.index()];
        let of_type = track.kind.as_ref().and_then(|kind| self.policy.gates.by_type.get(kind));
        track.gates.iter().chain(of_type.into_iter().flatten()).cloned().collect()
    }

    fn gate_passed(&mut self, task: TaskId, gate: u8, verdict: &Verdict) -> Result<(), Broken> {
        let finished = self.track(task).finished.as_mut();
        let Some(((author, _), gates)) = finished else {
            return broken("gates-are-kept", || format!("{task} passes a gate and stands before none"));
        };
        let (gate, passed) = &mut gates[usize::from(gate)];
        let runs = matches!(gate, TaskGate::Command { .. });
        hold("others-review", runs || verdict.by != Some(*author), || {
            format!("the author of {task} gives its {}", gate.as_str())
        })?;
        let well = verdict.run.as_ref().map_or(!runs, |run| runs && run.exit_code == 0);
        hold("gates-are-kept", well && verdict.passed, || format!("{task} passes {gate:?} by {verdict:?}"))?;
        *passed = true;
        Ok(())
    }

    fn attempt_failed(&mut self, task: TaskId, at: Moment, retry_at: Option<Moment>) -> Result<(), Broken> {
        let (most, base, longest) =
            (self.policy.attempts_max, self.policy.retry_backoff, self.policy.retry_backoff_max);
        let track = self.track(task);
        let doubled = i128::from(base.0) << track.failures.min(40);
        let least = Span(i64::try_from(doubled.min(i128::from(longest.0)) * 4 / 5).unwrap_or(0) - 1);
        track.failures += 1;
        track.owner = None;
        track.until = retry_at;
        let Some(retry_at) = retry_at else { return Ok(()) };
        hold("attempts-are-bounded", track.failures < track.attempts_max.unwrap_or(most), || {
            format!("{task} has failed {} times and is tried again", track.failures)
        })?;
        hold("backoff-grows", retry_at.since(at) >= least, || {
            format!("{task} is tried again after {}, at least {least} is due", retry_at.since(at))
        })
    }

    fn turn(&mut self, task: TaskId, at: Moment) {
        let (most, window) = (self.policy.redispatch.turns_max as usize, self.policy.redispatch.window);
        let track = self.track(task);
        if track.holds == 0 {
            track.turns.retain(|&earlier| earlier >= at.before(window));
        }
        track.turns.push(at);
        if track.turns.len() > most.min(limits::ATTEMPTS_MAX as usize) {
            track.turns.remove(0);
        }
        track.hold_due = track.holds > 0 || track.turns.len() >= most;
    }
}

impl Track {
    fn forget_turns(&mut self) {
        self.turns.clear();
        (self.holds, self.hold_due) = (0, false);
    }
}
