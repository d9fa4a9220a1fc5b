//! The server in small: a door that knows keys, batches, one append under way, replies that wait, and a death that loses
//! what was not durable.

use std::sync::Arc;

use kapell_core::{
    Command, Engine, Event, Liveness, MoveCause, Record, Rejection, Reply, Request, SNAPSHOT_FORMAT, State,
    WorkloadMonitor,
};
use kapell_model::{AgentState, AssignmentId, CommandId, Moment, Name, Plan, Position, TaskId, TaskState};
use kapell_plan::{Greedy, Optimal};
use kapell_store::{Faulty, FleetKey, Reader as _, RowBatch, Store as _};

use crate::Broken;
use crate::actor::{Call, Wish};
use crate::bug::{Bug, ServerBug};
use crate::leases::Leases;
use crate::watcher::{Durable, Watcher};

/// What comes back to a caller.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Of a command.
    Told(Result<Reply, Rejection>),
    /// Of a fetch: tasks with their tokens.
    Handed(Vec<(TaskId, AssignmentId)>),
}

/// An answer on its way out.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// What it answers.
    pub call: Call,
    /// What the body of a command came to.
    pub fingerprint: u64,
    /// What it says.
    pub answer: Answer,
    /// Where the log stood in it.
    pub seen: u64,
    /// The last row that the command left.
    pub row: Option<u64>,
}

#[derive(Default)]
struct Batch {
    rows: RowBatch,
    /// The rows as they read back.
    records: Vec<Record>,
    answers: Vec<Waiting>,
}

/// What lives through what has happened, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Events that were folded and checked.
    pub events: u64,
    /// Whole looks at every invariant.
    pub looks: u64,
    /// Commands that were executed.
    pub commands: u64,
    /// Owners that were asked for a status.
    pub stalls: u64,
    /// Tasks that went to somebody else for want of an answer.
    pub relieved: u64,
    /// Tasks that were held back for going round in a loop.
    pub held: u64,
    /// Tasks that were moved to even the load.
    pub balanced: u64,
    /// Tasks that were handed over under supervision.
    pub handed_over: u64,
    /// Handoffs in which something went wrong.
    pub mediated: u64,
    /// Edges that were taken out of cycles.
    pub broken: u64,
    /// Emergencies that were declared.
    pub emergencies: u64,
    /// Task forces that were made.
    pub forces: u64,
    /// Optimal rounds that placed something.
    pub rounds: u64,
    /// Keys that were too old, or too new, to be told apart.
    pub out_of_time: u64,
}

/// One life of the server.
pub struct Node {
    store: Faulty,
    key: FleetKey,
    epoch: u64,
    durable: u64,
    engine: Engine<Greedy>,
    watcher: Watcher,
    liveness: Liveness,
    leases: Leases,
    workload: WorkloadMonitor,
    /// What was thought beside the server, and comes back with the next tick.
    thought: Option<Box<Plan>>,
    optimal: Optimal,
    /// An optimal round that was planned, and comes back with the next tick.
    round: Option<Box<Plan>>,
    gathering: Batch,
    under_way: Option<Batch>,
    bug: Option<ServerBug>,
    appends: u64,
    /// Rows of an append of which it is not known whether it was carried out.
    unsure: u64,
    commands: u64,
    /// Whether it tells every event on standard error.
    tells: bool,
    /// What has happened in this life.
    pub seen: Seen,
}

/// What an append has come to.
pub enum Appended {
    /// Nothing yet.
    Nothing,
    /// Rows are durable, and answers leave.
    Answers(Vec<Waiting>),
    /// The life has ended.
    Dead,
}

impl Node {
    /// Takes the fleet up where the log ends. Nothing comes back where the disk does not let it.
    ///
    /// # Errors
    /// The promise that turns out to be broken.
    pub fn start(
        mut store: Faulty,
        now: Moment,
        check_every: u32,
        bug: Option<Bug>,
        durable: &mut Durable,
    ) -> Result<Option<Self>, Broken> {
        let bug = bug.and_then(Bug::server);
        let Ok(head) = store.open_fleet("default") else { return Ok(None) };
        let mut end = Vec::new();
        read(&mut store, head.key, durable.position(), &mut end)?;
        durable.note(&end)?;
        let state = load(&mut store, head.key, bug)?;
        durable.compare(&state, "what a start reads differs from what was written")?;
        let engine = Engine::new(state.clone(), Greedy::default());
        let liveness = Liveness::new(engine.state(), now);
        let leases = Leases::new(engine.state(), now);
        let workload = WorkloadMonitor::new(engine.state(), now);
        Ok(Some(Self {
            store,
            key: head.key,
            epoch: head.epoch,
            durable: head.position,
            watcher: Watcher::new(state, durable, check_every)?,
            engine,
            liveness,
            leases,
            workload,
            thought: None,
            optimal: Optimal::new(),
            round: None,
            gathering: Batch::default(),
            under_way: None,
            bug,
            appends: 0,
            unsure: 0,
            commands: 0,
            tells: false,
            seen: Seen::default(),
        }))
    }

    /// Has every event told on standard error, or not.
    pub fn tell(&mut self, tells: bool) {
        self.tells = tells;
    }

    /// Returns the state, durable or not.
    #[must_use]
    pub fn state(&self) -> &State {
        self.engine.state()
    }

    /// Returns up to where the log is durable.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// Returns where the log may end when this life is over: batches are written as a whole or not at all.
    #[must_use]
    pub fn ends(&self) -> [u64; 2] {
        [self.durable, self.durable + self.unsure]
    }

    /// Reads rows of the log.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn rows(&mut self, after: u64) -> Result<Vec<Record>, Broken> {
        let mut records = Vec::new();
        read(&mut self.store, self.key, after, &mut records)?;
        Ok(records)
    }

    /// Takes a request as the door does.
    ///
    /// # Errors
    /// The promise that it breaks.
    pub fn take(&mut self, call: Call, name: Option<&Name>, now: Moment) -> Result<Vec<Waiting>, Broken> {
        if let Some(name) = name {
            self.heard(name, now)?;
        }
        let before = self.engine.state().position().0;
        let (answer, fingerprint) = match &*call.wish {
            Wish::Next { resume } => {
                let Some(name) = name else { return Ok(Vec::new()) };
                (self.next(name, *resume), 0)
            }
            Wish::Command { id, keyed, command } => {
                let digest = if *keyed { fingerprint(command) } else { 0 };
                let mut command = command.clone();
                if self.bug == Some(ServerBug::FenceRewritten) {
                    self.rewrite(&mut command);
                }
                let keyed = *keyed && self.bug != Some(ServerBug::KeysIgnored);
                let actor: Arc<str> =
                    name.map_or_else(|| Arc::from("manager"), |name| Arc::from(name.as_str()));
                let print =
                    keyed.then_some(if self.bug == Some(ServerBug::BodyIgnored) { 7 } else { digest });
                let request = Request { id: *id, fingerprint: print, actor, at: now, command };
                let told = self.execute(&request)?;
                self.seen.out_of_time += u64::from(matches!(told, Err(Rejection::KeyOutOfTime { .. })));
                (Answer::Told(told), digest)
            }
        };
        let after = self.engine.state().position().0;
        let row = (after > before).then_some(after);
        let waiting = Waiting { call, fingerprint, answer, seen: after, row };
        let hasty = match self.bug {
            Some(ServerBug::AckBeforeDurable) => true,
            Some(ServerBug::NextBeforeDurable) => matches!(waiting.answer, Answer::Handed(_)),
            _ => false,
        };
        if hasty {
            return Ok(vec![waiting]);
        }
        self.gathering.answers.push(waiting);
        Ok(Vec::new())
    }

    fn next(&mut self, name: &Name, resume: bool) -> Answer {
        let state = self.engine.state();
        let Some(agent) = state.agent_id(name.as_str()) else { return Answer::Handed(Vec::new()) };
        let tasks = state.agent(agent).tasks.iter().map(|&task| state.task(task));
        let assigned = tasks.filter(|task| resume || task.state() == TaskState::Assigned);
        let handed: Vec<_> =
            assigned.filter_map(|task| Some((task.id, task.owner.as_ref()?.assignment))).collect();
        for (_, assignment) in &handed {
            self.liveness.fetched(*assignment);
        }
        Answer::Handed(handed)
    }

    /// Renews a lease; an agent that could not be reached is back.
    ///
    /// # Errors
    /// The promise that it breaks.
    pub fn heard(&mut self, name: &Name, now: Moment) -> Result<(), Broken> {
        let state = self.engine.state();
        let Some(id) = state.agent_id(name.as_str()) else { return Ok(()) };
        self.leases.heard(id, now);
        if self.bug != Some(ServerBug::HeartbeatIgnored) {
            self.liveness.renew(id, now);
        }
        if matches!(state.agent(id).state, AgentState::Unreachable | AgentState::Offline) {
            self.command(Command::AgentBack { agent: name.clone() }, now)?;
        }
        Ok(())
    }

    /// Lets time pass: leases, ack times, what was set aside.
    ///
    /// # Errors
    /// The promise that it breaks.
    pub fn tick(&mut self, now: Moment) -> Result<(), Broken> {
        self.leases.tick(self.engine.state(), now);
        for command in self.liveness.lapsed(self.engine.state(), now) {
            self.command(command, now)?;
        }
        self.break_down(now)?;
        self.balance(now)?;
        self.play_round(now)?;
        self.command(Command::Tick, now)?;
        self.leases.check(self.engine.state(), now)?;
        self.watcher.after_tick(self.engine.state(), now)
    }

    /// Breaks down what the policy wants broken down, as a server does that finds two parts in every second description.
    fn break_down(&mut self, now: Moment) -> Result<(), Broken> {
        let wanted: Vec<_> = self.engine.state().breakdowns_wanted().take(10).map(|task| task.id).collect();
        for task in wanted {
            let components = crate::manage::components(2 * (task.0 as usize % 2));
            let task = kapell_core::TaskRef::Id(task);
            self.command(
                Command::BreakDown { task, components, source: None, model: None, by_policy: true },
                now,
            )?;
        }
        Ok(())
    }

    /// Lets the last optimal round come back, and plans the next one where something has changed.
    fn play_round(&mut self, now: Moment) -> Result<(), Broken> {
        if let Some(plan) = self.round.take().filter(|plan| self.engine.is_worth_applying(plan)) {
            self.seen.rounds += u64::from(!plan.items.is_empty());
            self.command(Command::ApplyPlan(plan), now)?;
        }
        if let Some((excerpt, seen)) = self.engine.take_round() {
            self.round = Some(Box::new(self.optimal.propose(&excerpt, seen)));
        }
        Ok(())
    }

    /// Lets the plan of the last look come back, judged by what is so by now, and looks again where it is time.
    fn balance(&mut self, now: Moment) -> Result<(), Broken> {
        if let Some(plan) = self.thought.take() {
            self.workload.planned(self.engine.state(), plan.items.len(), now);
            if !plan.items.is_empty() {
                self.command(Command::ApplyPlan(plan), now)?;
            }
        }
        if self.workload.is_due(self.engine.state(), now) {
            match self.engine.state().balance_view(now) {
                Some(view) => self.thought = Some(Box::new(kapell_plan::balance(&view))),
                None => self.workload.planned(self.engine.state(), 0, now),
            }
        }
        Ok(())
    }

    /// Executes a command of the server's own, or of whoever sets a fleet up.
    ///
    /// # Errors
    /// The promise that it breaks.
    pub fn command(&mut self, command: Command, at: Moment) -> Result<(), Broken> {
        self.commands += 1;
        let id = CommandId(u128::from(self.epoch) << 96 | u128::from(self.commands) << 16 | 0xc);
        let request = Request { id, fingerprint: None, actor: Arc::from("clock"), at, command };
        let _ = self.execute(&request)?;
        Ok(())
    }

    /// Looks whether what was asked in a command that was taken is what a person is asked now.
    fn stands(&self, command: &Command) -> Result<(), Broken> {
        let Command::AskPermission { task, ask, .. } = command else { return Ok(()) };
        let state = self.engine.state();
        let owner = state.task_id(task).and_then(|id| state.task(id).owner.as_ref());
        if owner.and_then(|owner| owner.permission.as_ref()).is_some_and(|it| it.ask == **ask) {
            return Ok(());
        }
        let what =
            format!("leave for {} ({}) is asked, and something else stands there", ask.name, ask.detail);
        Err(Broken { id: "what-is-asked-stands".to_owned(), what })
    }

    /// Executes, writes and reads back what follows, and has every promise looked at.
    fn execute(&mut self, request: &Request) -> Result<Result<Reply, Rejection>, Broken> {
        self.seen.commands += 1;
        let mut records = Vec::new();
        let told = self.engine.execute(request, &mut records);
        if told.is_err() && !records.is_empty() {
            let what = "a refused command left events behind".to_owned();
            return Err(Broken { id: "refusals-change-nothing".to_owned(), what });
        }
        if told.is_ok() && (request.fingerprint.is_none() || !records.is_empty()) {
            self.stands(&request.command)?;
        }
        let from = self.gathering.records.len();
        for record in records {
            let Record { position, at, command, actor, event } = record;
            let mut body = Vec::new();
            event.encode(&mut body);
            self.gathering.rows.push(at.0, command.0.to_be_bytes(), &actor, event.kind(), |out| {
                out.extend_from_slice(&body);
            });
            let read = Event::decode(event.kind(), &body).map_err(|error| Broken::log(error.to_string()))?;
            self.count(&event);
            if self.tells {
                eprintln!("{} ms {position} {actor} {}: {event:?}", at.0, command.0);
            }
            if let Event::TaskAssigned { assignment, .. }
            | Event::TaskMoved { assignment, .. }
            | Event::HandoffTransferred { assignment, .. } = event
            {
                self.liveness.assigned(assignment, self.engine.state(), request.at);
            }
            self.liveness.note(&event, request.at);
            if let Event::GateRejected { task, .. } = event
                && let Some(owner) = &self.engine.state().task(task).owner
            {
                self.liveness.assigned(owner.assignment, self.engine.state(), request.at);
            }
            self.leases.event(&event, self.engine.state(), (request.at, at))?;
            self.gathering.records.push(Record { position, at, command, actor, event: read });
        }
        let new = &self.gathering.records[from..];
        self.seen.looks += self.watcher.note(new, &self.engine)?;
        Ok(told)
    }

    fn count(&mut self, event: &Event) {
        let seen = &mut self.seen;
        seen.events += 1;
        match event {
            Event::TaskStalled { .. } => seen.stalls += 1,
            Event::EmergencyDeclared { .. } => seen.emergencies += 1,
            Event::ForceFormed { .. } => seen.forces += 1,
            Event::TaskHeld { .. } => seen.held += 1,
            Event::HandoffTransferred { .. } => seen.handed_over += 1,
            Event::HandoffMediation { .. } => seen.mediated += 1,
            Event::CycleBroken { .. } => seen.broken += 1,
            Event::TaskMoved { cause: MoveCause::Balancing, .. } => seen.balanced += 1,
            Event::TaskMoved { cause: MoveCause::Stalled, .. } => seen.relieved += 1,
            _ => {}
        }
    }

    /// Puts the wrong token right, as a door with this bug would.
    fn rewrite(&self, command: &mut Command) {
        if let Command::Finish { task, agent, assignment, .. } = command
            && let Some(id) = self.engine.state().task_id(task)
            && let Some(owner) = &self.engine.state().task(id).owner
        {
            *agent = self.engine.state().agent(owner.agent).spec.name.clone();
            *assignment = owner.assignment;
        }
    }

    /// Hands over what has gathered, or finishes what is under way and lets its answers out.
    ///
    /// # Errors
    /// The promise that it breaks.
    pub fn append(&mut self, durable: &mut Durable) -> Result<Appended, Broken> {
        let Some(batch) = self.under_way.take() else {
            if !self.gathering.answers.is_empty() || !self.gathering.records.is_empty() {
                self.under_way = Some(std::mem::take(&mut self.gathering));
            }
            return Ok(Appended::Nothing);
        };
        self.appends += 1;
        if self.bug == Some(ServerBug::LostAppend) && self.appends.is_multiple_of(9) {
            return Ok(Appended::Answers(batch.answers));
        }
        if batch.records.is_empty() {
            return Ok(Appended::Answers(batch.answers));
        }
        match self.store.append(self.key, self.epoch, self.durable, &batch.rows) {
            Ok(position) => {
                self.durable = position;
                durable.note(&batch.records)?;
                Ok(Appended::Answers(batch.answers))
            }
            Err(_) => {
                self.unsure = batch.records.len() as u64;
                Ok(Appended::Dead)
            }
        }
    }

    /// Goes on writing after another process has taken the fleet up.
    ///
    /// # Errors
    /// Where the storage lets it.
    pub fn append_as_zombie(mut self) -> Result<(), Broken> {
        for batch in [self.under_way.take(), Some(std::mem::take(&mut self.gathering))].into_iter().flatten()
        {
            if batch.records.is_empty() {
                continue;
            }
            if self.store.append(self.key, self.epoch, self.durable, &batch.rows).is_ok() {
                let what = format!("epoch {} wrote behind its successor", self.epoch);
                return Err(Broken { id: "one-writer".to_owned(), what });
            }
        }
        Ok(())
    }

    /// Writes a snapshot of what is durable, where nothing else is there, and compares it with what a fold over the log gives.
    ///
    /// # Errors
    /// The promise that it breaks.
    pub fn snapshot(&mut self, durable: &Durable) -> Result<bool, Broken> {
        let quiet = self.under_way.is_none() && self.gathering.records.is_empty();
        if !quiet && self.bug != Some(ServerBug::SnapshotAhead) {
            return Ok(true);
        }
        let bytes = self.engine.state().to_snapshot();
        if self.bug != Some(ServerBug::SnapshotAhead) {
            durable.compare_bytes(&bytes, "the live state differs from the folded one")?;
        }
        Ok(self.store.write_snapshot(self.key, self.durable, SNAPSHOT_FORMAT, &bytes).is_ok())
    }

    /// Looks at every promise about the state, whenever that was done last.
    ///
    /// # Errors
    /// The promise that is broken.
    pub fn look(&mut self) -> Result<(), Broken> {
        self.seen.looks += 1;
        self.watcher.look(&self.engine)
    }
}

/// Reads the newest snapshot and folds the log behind it, as the server does.
fn load(store: &mut Faulty, key: FleetKey, bug: Option<ServerBug>) -> Result<State, Broken> {
    let (mut state, mut after) = (State::default(), 0);
    let latest = store.latest_snapshot(key).map_err(|error| Broken::log(error.to_string()))?;
    if let Some(snapshot) = latest.snapshot {
        state = State::from_snapshot(snapshot.format, &snapshot.bytes)
            .map_err(|error| Broken::log(error.to_string()))?;
        after = snapshot.position;
    }
    if bug == Some(ServerBug::TailForgotten) && after > 0 {
        return Ok(state);
    }
    let mut records = Vec::new();
    read(store, key, after, &mut records)?;
    if bug == Some(ServerBug::ReplayOutOfOrder) && records.len() > 2 {
        let last = records.len() - 1;
        records.swap(last - 1, last);
    }
    Ok(fold(state, &records))
}

/// Folds records into a state.
#[must_use]
pub fn fold(mut state: State, records: &[Record]) -> State {
    for record in records {
        state.apply(record);
    }
    state.settle_replayed();
    state
}

fn read(store: &mut Faulty, key: FleetKey, mut after: u64, out: &mut Vec<Record>) -> Result<(), Broken> {
    loop {
        let mut wrong = None;
        let read = store.read(key, after, 512, &mut |row| match Event::decode(row.kind, row.body) {
            Ok(event) => out.push(Record {
                position: Position(row.position),
                at: Moment(row.at_ms),
                command: CommandId(u128::from_be_bytes(row.command)),
                actor: Arc::from(row.actor),
                event,
            }),
            Err(error) => wrong = Some(error.to_string()),
        });
        let read = read.map_err(|error| Broken::log(error.to_string()))?;
        match wrong {
            Some(wrong) => return Err(Broken::log(wrong)),
            None if read == after => return Ok(()),
            None => after = read,
        }
    }
}

/// Returns a digest of what a command asks for (FNV-1a over what it looks like).
fn fingerprint(command: &Command) -> u64 {
    let mut digest = Digest(0xcbf2_9ce4_8422_2325);
    let _ = std::fmt::Write::write_fmt(&mut digest, format_args!("{command:?}"));
    digest.0
}

/// A digest of text.
struct Digest(u64);

impl std::fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        Ok(())
    }
}
