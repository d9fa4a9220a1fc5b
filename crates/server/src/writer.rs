//! The writer: one thread that owns the state of a fleet and decides everything in one order.
//!
//! ```text
//!   doors --queue--> writer --batch--> appender --> store
//!                      ^                  |
//!                      +----- Appended ---+---> replies, published events
//! ```
//!
//! The writer folds what it decides at once and goes on deciding the next batch while the last one is being
//! written; there is one append under way at a time (group commit), and under load a full one waits behind it, so
//! that the appender never waits for the writer. Whatever leaves, replies, refusals and answers to questions alike,
//! leaves with the batch whose state it saw, once that is durable.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use kapell_core::{
    Command, Engine, Event, ForecastMonitor, Liveness, Notice, Record, Rejection, Reply, Request,
    SNAPSHOT_FORMAT, WorkloadMonitor,
};
use kapell_model::{
    AgentId, AgentState, CommandId, MessageId, Moment, Name, NoticeId, Plan, PlanKind, Policy, Position,
    Span, TaskState,
};
use kapell_plan::Greedy;
use kapell_store::RowBatch;

use crate::appender::{Batch, Progress, StoredSnapshot};
use crate::fleet::{
    Answer, Answering, Ask, Deferred, Fleet, Handed, Handout, Line, LineAnswers, Message, Refused, View,
};
use crate::hearing::Hearing;
use crate::planner::{Job, Wanted};
use crate::zones;

/// Events after which no further message is taken into a batch: bounds the time of one append.
const BATCH_EVENTS_MAX: usize = 20_000;
/// Bytes of rows beyond which nothing more is taken until the appender has room: an eighth of what the storage takes at once, since
/// a single command can bring some millions.
const GATHERED_BYTES: usize = 32 << 20;
/// How often it is looked whether the appender has room meanwhile.
const ROOM_LOOK: Duration = Duration::from_millis(1);
/// How often it is looked at the stop whether the appender is there still.
const GONE_LOOK: Duration = Duration::from_millis(100);
/// Events that are handed over, where the appender has nothing to do, before further messages are taken.
const HAND_OVER_EVENTS: usize = 1_000;
/// How long further messages are taken, where the appender has nothing to do: a look can cost as much as a thousand commands.
const HAND_OVER_AFTER: Duration = Duration::from_millis(2);
/// Events of a batch that may wait behind the one that is being written.
const AHEAD_EVENTS: usize = 4_000;
/// Batches that the appender may hold: one under way, one behind it.
pub(crate) const BATCHES_MAX: usize = 2;
/// Events behind a snapshot before there is another one, at least.
const SNAPSHOT_EVENTS_MIN: u64 = 100_000;
/// And at most: what a start folds in a few seconds. Between the two the distance grows with the log, so that writing
/// snapshots stays a small part of what is written.
const SNAPSHOT_EVENTS_MAX: u64 = 4_000_000;
/// The longest pause between two looks at the leases.
const TICK_MAX: Span = Span::seconds(1);
/// And the shortest.
const TICK_MIN: Span = Span(5);

/// Messages that an agent is shown with its next assignment; the others stand in its inbox.
const MESSAGES_SHOWN_MAX: usize = 10;
/// What an agent was shown that was shown nothing yet.
const NOTHING_SHOWN: (NoticeId, MessageId) = (NoticeId(0), MessageId(0));

struct Waiter {
    agent: AgentId,
    max: usize,
    answer: Answering<Result<Handout, Refused>>,
}

/// Who works beside the writer.
pub(crate) struct Beside {
    pub(crate) appender: Sender<Batch>,
    pub(crate) planner: Sender<Job>,
    pub(crate) forecasts: Sender<Wanted>,
}

pub(crate) struct Writer {
    engine: Engine<Greedy>,
    liveness: Liveness,
    workload: WorkloadMonitor,
    planner: Sender<Job>,
    forecasts: Sender<Wanted>,
    forecast: ForecastMonitor,
    /// Whether the planner has an optimal round.
    rounding: bool,
    fleet: Fleet,
    queue: Receiver<Message>,
    appender: Sender<Batch>,
    records: Vec<Record>,
    /// The records as they are written.
    rows: RowBatch,
    /// Row batches that were written, to be filled again.
    spare: Vec<RowBatch>,
    deferred: Vec<Deferred>,
    /// Batches that were handed over.
    handed: u64,
    progress: Arc<Progress>,
    waiters: Vec<Vec<Waiter>>,
    /// The last notice and the last message that each agent was shown: one that has not been read ends a wait once, not every
    /// time.
    shown: Vec<(NoticeId, MessageId)>,
    ticked: Moment,
    hearing: Hearing,
    /// Whether an append hung when silence was last to be judged.
    was_stuck: bool,
    snapshot_at: u64,
    registered: bool,
    zones: zones::Look,
    clock_actor: Arc<str>,
    door_actor: Arc<str>,
}

/// Returns the present moment of this machine.
pub(crate) fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Makes a fresh command id: a UUID of version 7.
pub(crate) fn fresh_id() -> CommandId {
    CommandId(uuid::Uuid::now_v7().as_u128())
}

/// Makes a fresh seed of chance.
pub(crate) fn fresh_seed() -> u64 {
    uuid::Uuid::now_v7().as_u64_pair().1
}

impl Writer {
    pub(crate) fn new(
        engine: Engine<Greedy>,
        snapshot_at: u64,
        fleet: Fleet,
        queue: Receiver<Message>,
        Beside { appender, planner, forecasts }: Beside,
        progress: Arc<Progress>,
    ) -> Self {
        let start = now();
        let liveness = Liveness::new(engine.state(), start);
        let workload = WorkloadMonitor::new(engine.state(), start);
        let forecast = ForecastMonitor::new(engine.state(), start);
        for task in engine.state().tasks().iter() {
            if let (TaskState::Assigned, Some(owner)) = (task.state(), &task.owner) {
                fleet.awaited.set(&engine.state().agent(owner.agent).spec.name, true);
            }
        }
        Self {
            engine,
            liveness,
            workload,
            planner,
            forecasts,
            forecast,
            rounding: false,
            fleet,
            queue,
            appender,
            records: Vec::new(),
            rows: RowBatch::new(),
            spare: Vec::new(),
            deferred: Vec::new(),
            handed: 0,
            progress,
            waiters: Vec::new(),
            shown: Vec::new(),
            ticked: start,
            hearing: Hearing::default(),
            was_stuck: false,
            snapshot_at,
            registered: true,
            zones: zones::Look::default(),
            clock_actor: Arc::from("clock"),
            door_actor: Arc::from("door"),
        }
    }

    /// Serves until it is told to stop, or the appender is gone.
    pub(crate) fn run(mut self) {
        // What was watched while nobody served is told so before anything else happens.
        for command in self.liveness.lapsed(self.engine.state(), now()) {
            self.command(command);
        }
        self.command(Command::Tick);
        self.look_at_zones(now());
        loop {
            self.wait_for_room();
            self.hand_over();
            let stopped = match self.queue.recv_timeout(self.pause()) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            if stopped || self.drain() {
                break;
            }
            self.look_at_round();
            self.tick();
        }
        self.finish();
    }

    /// Takes what else is waiting, until the batch is full. Returns whether it was told to stop.
    fn drain(&mut self) -> bool {
        let began = Instant::now();
        while self.records.len() < BATCH_EVENTS_MAX && self.rows.bytes() < GATHERED_BYTES {
            let enough = self.records.len() >= HAND_OVER_EVENTS || began.elapsed() > HAND_OVER_AFTER;
            if enough && self.in_flight() == 0 {
                break;
            }
            match self.queue.try_recv() {
                Ok(message) => {
                    if self.take(message) {
                        return true;
                    }
                }
                Err(_) => break,
            }
        }
        false
    }

    fn take(&mut self, message: Message) -> bool {
        self.hearing.taken();
        match message {
            Message::Lines { lines, answer } => self.lines(lines, answer),
            Message::Next { agent, max, wait, answer } => self.next(&agent, max, wait, answer),
            Message::Query(ask) => {
                let (state, liveness, workload) = (self.engine.state(), &self.liveness, &self.workload);
                let view = View { state, liveness, workload, now: now() };
                let answer = ask(&view);
                self.defer(answer);
            }
            Message::Appended(rows) => self.spare.push(rows),
            Message::Planned(plan) => self.planned(plan),
            Message::Forecast(forecast) => {
                self.command(Command::RecordForecast(forecast));
                self.forecast.forecast(now());
            }
            Message::Stop => return true,
        }
        false
    }

    fn lines(&mut self, lines: Vec<Line>, answer: Answering<LineAnswers>) {
        let at = now();
        let mut answers = Vec::with_capacity(lines.len());
        for line in lines {
            answers.push(self.line(line, at));
            if self.rows.bytes() >= GATHERED_BYTES {
                self.wait_for_room();
                self.hand_over();
            }
        }
        self.defer(Box::new(move |durable| {
            answer.send(if durable { Ok(answers) } else { Err(Refused::Down) });
        }));
    }

    fn line(&mut self, line: Line, at: Moment) -> Result<Answer, Rejection> {
        match line {
            Line::Command(ask) => self.ask(ask, at).map(Answer::Reply),
            Line::Next { agent, max } => {
                let agent = self.contact(&agent, at)?;
                Ok(Answer::Handed(self.hand_out(agent, max)))
            }
            Line::Heartbeat { agent } => {
                self.contact(&agent, at).map(|agent| Answer::Alive { notices: self.unread(agent) })
            }
        }
    }

    fn ask(&mut self, ask: Ask, at: Moment) -> Result<Reply, Rejection> {
        // An unknown agent is refused by the command itself, with the field that names it.
        let caller = ask.contact.as_ref().and_then(|agent| self.contact(agent, at).ok());
        let Ask { id, fingerprint, actor, command, .. } = ask;
        let reply = self.execute(Request { id, fingerprint, actor, at, command })?;
        Ok(Reply { notices: caller.map_or(0, |agent| self.unread(agent)), ..reply })
    }

    /// Notes that an agent was heard of; one that could not be reached is back.
    fn contact(&mut self, name: &Name, at: Moment) -> Result<AgentId, Rejection> {
        let state = self.engine.state();
        let known = state.agent_id(name.as_str()).filter(|&id| state.agent(id).state != AgentState::Removed);
        let id = known.ok_or_else(|| Rejection::NotFound { what: "agent", given: name.to_string() })?;
        self.liveness.renew(id, at);
        if state.agent(id).state != AgentState::Online {
            let actor = Arc::clone(&self.door_actor);
            let command = Command::AgentBack { agent: name.clone() };
            self.execute(Request { id: fresh_id(), fingerprint: None, actor, at, command })?;
        }
        Ok(id)
    }

    fn command(&mut self, command: Command) {
        let actor = Arc::clone(&self.clock_actor);
        let request = Request { id: fresh_id(), fingerprint: None, actor, at: now(), command };
        if let Err(rejection) = self.execute(request) {
            tracing::debug!(%rejection, "a command of the clock came too late");
        }
    }

    fn execute(&mut self, request: Request) -> Result<Reply, Rejection> {
        let before = self.records.len();
        let reply = self.engine.execute(&request, &mut self.records);
        for index in before..self.records.len() {
            let Record { at, command, actor, event, .. } = &self.records[index];
            self.rows.push(at.0, command.0.to_be_bytes(), actor, event.kind(), |out| event.encode(out));
            self.liveness.note(event, request.at);
            match *event {
                Event::TaskAssigned { agent, assignment, .. }
                | Event::TaskMoved { agent, assignment, .. } => {
                    self.liveness.assigned(assignment, self.engine.state(), request.at);
                    self.given(agent);
                }
                // Work that was sent back is fetched anew, under the same token.
                Event::GateRejected { task, .. } => {
                    let owner = self.engine.state().task(task).owner.as_ref();
                    if let Some((agent, assignment)) = owner.map(|owner| (owner.agent, owner.assignment)) {
                        self.liveness.assigned(assignment, self.engine.state(), request.at);
                        self.given(agent);
                    }
                }
                // Whether its new owner has it is asked by the handoff itself.
                Event::HandoffTransferred { agent, .. } => self.given(agent),
                Event::NoticeSent { agent, .. } => self.wake(agent),
                Event::MessageResent { agent, message, .. } => {
                    // Sent again, it ends a wait again.
                    if let Some((_, shown)) = self.shown.get_mut(agent.index()) {
                        *shown = (*shown).min(MessageId(message.0 - 1));
                    }
                    self.wake(agent);
                }
                Event::MessagesFolded { agent, gathered: Some(_), .. } => self.wake(agent),
                Event::MessagesDelivered { agent, ref messages } => {
                    // What comes late is older than what was shown.
                    let first = messages.first().map_or(0, |message| message.0 - 1);
                    if let Some((_, shown)) = self.shown.get_mut(agent.index()) {
                        *shown = (*shown).min(MessageId(first));
                    }
                    self.wake(agent);
                }
                Event::MessageSent { ref to, .. } => {
                    for agent in to.clone() {
                        self.wake(agent);
                    }
                }
                Event::TaskStarted { assignment, .. }
                | Event::TaskCompleted { assignment, .. }
                | Event::TaskReturned { assignment, .. } => self.liveness.fetched(assignment),
                Event::AgentRegistered { agent, .. } => {
                    self.registered = true;
                    self.liveness.renew(agent, request.at);
                }
                _ => {}
            }
        }
        reply
    }

    fn next(&mut self, name: &Name, max: usize, wait: bool, mut answer: Answering<Result<Handout, Refused>>) {
        let agent = match self.contact(name, now()) {
            Ok(agent) => agent,
            Err(rejection) => {
                self.defer(Box::new(move |_| {
                    answer.send(Err(rejection.into()));
                }));
                return;
            }
        };
        if !wait || self.has_something(agent) {
            let handout = self.hand_out(agent, max);
            self.answer_next(handout, answer);
        } else {
            if self.waiters.len() <= agent.index() {
                self.waiters.resize_with(agent.index() + 1, Vec::new);
            }
            answer.heard();
            let waiters = &mut self.waiters[agent.index()];
            waiters.retain(|waiter| !waiter.answer.is_closed());
            waiters.push(Waiter { agent, max, answer });
        }
    }

    /// Tells whether there is anything that an agent waits for: an assignment that it has not started, or a notice that it
    /// was not shown yet.
    fn has_something(&self, id: AgentId) -> bool {
        let state = self.engine.state();
        let agent = state.agent(id);
        let (notice, message) = self.shown.get(id.index()).copied().unwrap_or(NOTHING_SHOWN);
        let waits = |id: &kapell_model::TaskId| state.task(*id).state() == TaskState::Assigned;
        agent.tasks.iter().any(waits)
            || agent.inbox.unread().last().is_some_and(|last| last.id > notice)
            || state.messages().last_for(id).is_some_and(|last| last > message)
    }

    fn unread(&self, agent: AgentId) -> u32 {
        u32::try_from(self.engine.state().agent(agent).inbox.unread().count()).unwrap_or(u32::MAX)
    }

    /// Answers at once where everything that is handed out is durable already, else with the batch.
    fn answer_next(&mut self, handout: Handout, answer: Answering<Result<Handout, Refused>>) {
        let durable = self.fleet.durable();
        let state = self.engine.state();
        let decided = |handed: &Handed| {
            let task = state.task(handed.task);
            // What was sent back was decided about again.
            let decided = if task.acceptance.is_some() { Some(task.changed) } else { task.decided };
            decided.unwrap_or_default()
        };
        let Handout { assignments, notices, messages } = &handout;
        if !assignments.is_empty()
            && notices.is_empty()
            && messages.0.is_empty()
            && assignments.iter().all(|handed| decided(handed) <= durable)
        {
            answer.send(Ok(handout));
            return;
        }
        self.defer(Box::new(move |durable| {
            answer.send(if durable { Ok(handout) } else { Err(Refused::Down) });
        }));
    }

    /// Tells an agent that it has been given work: if it waits for some by an answer, else once it asks, however much else is
    /// asked.
    fn given(&mut self, agent: AgentId) {
        self.fleet.awaited.set(&self.engine.state().agent(agent).spec.name, true);
        self.wake(agent);
    }

    fn wake(&mut self, agent: AgentId) {
        let Some(waiters) = self.waiters.get_mut(agent.index()) else { return };
        waiters.retain(|waiter| !waiter.answer.is_closed());
        if waiters.is_empty() || !self.has_something(agent) {
            return;
        }
        let waiter = self.waiters[agent.index()].remove(0);
        let handout = self.hand_out(waiter.agent, waiter.max);
        self.answer_next(handout, waiter.answer);
    }

    /// Returns the open, not started assignments of an agent, oldest first, which count as fetched, and what it has not read.
    fn hand_out(&mut self, id: AgentId, max: usize) -> Handout {
        let state = self.engine.state();
        let agent = state.agent(id);
        let open = agent.tasks.iter().map(|&id| state.task(id));
        let mut waiting = open.filter(|task| task.state() == TaskState::Assigned);
        let assignments: Vec<Handed> = waiting.by_ref().take(max).filter_map(Handed::of).collect();
        if waiting.next().is_none() {
            self.fleet.awaited.set(&agent.spec.name, false);
        }
        let notices: Vec<Notice> = agent.inbox.unread().cloned().collect();
        for handed in &assignments {
            self.liveness.fetched(handed.assignment);
        }
        let mut messages: Vec<_> = state.messages().inbox(id).map(|(sent, it)| (sent.clone(), *it)).collect();
        let unread = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        messages.sort_by_key(|(sent, _)| (sent.priority, sent.id));
        messages.truncate(MESSAGES_SHOWN_MAX);
        let last = state.messages().last_for(id);
        if !notices.is_empty() || last.is_some() {
            if self.shown.len() <= id.index() {
                self.shown.resize(id.index() + 1, NOTHING_SHOWN);
            }
            let (notice, message) = &mut self.shown[id.index()];
            *notice = notices.last().map_or(*notice, |last| last.id);
            *message = last.unwrap_or(*message);
        }
        Handout { assignments, notices, messages: (messages, unread) }
    }

    /// Sends an answer with the batch whose state it saw: at once where all of that is durable.
    fn defer(&mut self, answer: Deferred) {
        if self.records.is_empty() && self.deferred.is_empty() && self.in_flight() == 0 {
            answer(!self.progress.failed.load(Ordering::Acquire));
        } else {
            self.deferred.push(answer);
        }
    }

    /// Returns how many batches the appender has.
    fn in_flight(&self) -> u64 {
        self.handed - self.progress.answered.load(Ordering::Acquire)
    }

    /// Waits, where as much has gathered as is handed over at once, until the appender takes it.
    fn wait_for_room(&self) {
        while self.rows.bytes() >= GATHERED_BYTES
            && self.in_flight() >= BATCHES_MAX as u64
            && !self.is_alone()
        {
            std::thread::sleep(ROOM_LOOK);
        }
    }

    /// Tells whether the appender has ended.
    fn is_alone(&self) -> bool {
        self.progress.gone.load(Ordering::Acquire)
    }

    /// Gives what has gathered to the appender, unless it has enough.
    fn hand_over(&mut self) {
        let ready = match self.in_flight() {
            0 => !self.records.is_empty() || !self.deferred.is_empty(),
            1 => self.records.len() >= AHEAD_EVENTS || self.rows.bytes() >= GATHERED_BYTES,
            _ => false,
        };
        if !ready {
            return;
        }
        let batch = self.batch();
        match self.appender.try_send(batch) {
            Ok(()) => self.handed += 1,
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => batch.fail(),
        }
    }

    fn batch(&mut self) -> Batch {
        if self.registered {
            self.registered = false;
            self.fleet.set_names(
                self.engine.state().agents().iter().map(|agent| agent.spec.name.clone()).collect(),
            );
        }
        let snapshot = self.due_snapshot();
        let empty = self.spare.pop().unwrap_or_default();
        Batch {
            rows: std::mem::replace(&mut self.rows, empty),
            records: std::mem::take(&mut self.records),
            deferred: std::mem::take(&mut self.deferred),
            snapshot,
        }
    }

    fn due_snapshot(&mut self) -> Option<StoredSnapshot> {
        let due = (3 * self.snapshot_at).clamp(SNAPSHOT_EVENTS_MIN, SNAPSHOT_EVENTS_MAX);
        (self.engine.state().position().0 >= self.snapshot_at + due).then(|| self.snapshot())
    }

    fn snapshot(&mut self) -> StoredSnapshot {
        let facts = self.engine.state().facts();
        self.snapshot_at = facts.position().0;
        StoredSnapshot { format: SNAPSHOT_FORMAT, facts: Box::new(facts) }
    }

    /// Looks at the leases, where it is time.
    fn tick(&mut self) {
        let at = now();
        let period = self.period();
        let passed = at.since(self.ticked).0;
        if self.engine.is_unsettled() {
            self.command(Command::Tick);
        }
        if at < self.ticked || passed >= i64::try_from(period.as_millis()).unwrap_or(i64::MAX) {
            self.ticked = at;
            self.look_at_workload(at);
            self.look_at_forecasts(at);
            self.look_at_zones(at);
            self.hearing.ask(at, self.queue.len());
        }
        if self.fleet.admission.stuck().is_some() {
            // Whoever waits for an answer cannot call again.
            self.was_stuck = true;
            return;
        }
        if std::mem::take(&mut self.was_stuck) {
            self.liveness.begin_again(self.engine.state(), at);
        }
        let Some(at) = self.hearing.complete() else { return };
        for agent in self.fleet.heard.take() {
            // One that is not there is not silent either.
            let _ = self.contact(&agent, at);
        }
        for waiters in &self.waiters {
            if let Some(waiter) = waiters.iter().find(|waiter| !waiter.answer.is_closed()) {
                self.liveness.renew(waiter.agent, at);
            }
        }
        for command in self.liveness.lapsed(self.engine.state(), at) {
            self.command(command);
        }
    }

    /// Tells the core of changes of clocks that it does not know yet.
    fn look_at_zones(&mut self, at: Moment) {
        for command in self.zones.outdated(self.engine.state(), at) {
            self.command(command);
        }
    }

    /// Hands the load to the planner, where it is uneven and something has changed.
    fn look_at_workload(&mut self, at: Moment) {
        if !self.workload.is_due(self.engine.state(), at) {
            return;
        }
        let Some(view) = self.engine.state().balance_view(at) else {
            return self.workload.planned(self.engine.state(), 0, at);
        };
        // One plan of each kind at a time is asked for, so there is always room.
        let _ = self.planner.try_send(Job::Balance(Box::new(view)));
    }

    /// Hands a project to who makes forecasts, where its last one is outdated.
    fn look_at_forecasts(&mut self, at: Moment) {
        let state = self.engine.state();
        let Some(project) = self.forecast.is_due(state, at) else { return };
        let seed = fresh_seed();
        if let Some(source) = state.forecast_source(project, at) {
            // One at a time is asked for, so there is room.
            let _ = self.forecasts.try_send((Box::new(source), seed));
        }
    }

    /// Lets a plan be judged, item by item; one without items is nothing that has happened.
    fn planned(&mut self, plan: Box<Plan>) {
        match plan.kind {
            PlanKind::Balance => self.workload.planned(self.engine.state(), plan.items.len(), now()),
            PlanKind::Optimal => self.rounding = false,
        }
        if self.engine.is_worth_applying(&plan) {
            self.command(Command::ApplyPlan(plan));
        }
    }

    /// Hands what has changed to the planner, where the policy wants optimal rounds: one at a time, so that all that changes
    /// meanwhile goes into the next.
    fn look_at_round(&mut self) {
        if self.rounding {
            return;
        }
        if let Some((excerpt, seen)) = self.engine.take_round() {
            self.rounding = self.planner.try_send(Job::Round(Box::new(excerpt), seen)).is_ok();
        }
    }

    fn period(&self) -> Duration {
        let period = task_period(self.engine.state().policy());
        Duration::from_millis(u64::try_from(period.0).unwrap_or(0))
    }

    fn pause(&self) -> Duration {
        let room = self.in_flight() == 0 || self.records.len() < AHEAD_EVENTS;
        if self.engine.is_unsettled() && room { Duration::ZERO } else { self.period() }
    }

    /// Writes what has gathered and a last snapshot, then lets go of the appender.
    fn finish(mut self) {
        self.progress.stopping.store(true, Ordering::Release);
        while self.in_flight() > 0 {
            // Every batch is answered with a message; what else comes now is told that the server stops.
            let ended = matches!(self.queue.recv_timeout(GONE_LOOK), Err(RecvTimeoutError::Disconnected));
            if ended || self.is_alone() {
                return;
            }
        }
        let moved = self.engine.state().position().0 > self.snapshot_at;
        let snapshot = moved.then(|| self.snapshot());
        let batch = Batch { snapshot, ..self.batch() };
        if let Err(error) = self.appender.send(batch) {
            error.into_inner().fail();
        }
    }
}

/// Returns how often leases and the other monitors are looked at: a quarter of the shortest duration that could lapse.
pub(crate) fn task_period(policy: &Policy) -> Span {
    let lapses = [
        policy.lease_heartbeat,
        policy.lease_grace,
        policy.ack.critical,
        policy.retry_backoff,
        policy.balancing.period,
        policy.stalls.quiet_min,
        policy.handoffs.package,
        policy.forecasts.period,
        policy.gates.review,
        policy.emergencies.recovered_for,
        policy.emergencies.resume_every,
    ];
    let shortest = lapses.iter().map(|span| span.0 / 4).min().unwrap_or(0);
    Span(shortest).clamp(TICK_MIN, TICK_MAX)
}

impl Handed {
    /// Returns what an agent must know of a task that it owns; nothing where its work is finished and stands before a gate.
    #[must_use]
    pub fn of(task: &kapell_core::Task) -> Option<Self> {
        let owner = task.owner.as_ref().filter(|_| !task.is_before_gates())?;
        Some(Self {
            assignment: owner.assignment,
            task: task.id,
            agent: owner.agent,
            spec: Arc::clone(&task.spec),
            priority: task.effective,
            attempt: task.attempts,
            since: owner.since,
            started: owner.started_at.is_some(),
            note: task.note.clone(),
        })
    }
}

impl Fleet {
    pub(crate) fn mark_durable(&self, position: Position) {
        self.durable.store(position.0, Ordering::Release);
    }
}
