//! The server in small: batches, one append under way, replies that wait, and a death that loses what was not durable.

use std::sync::Arc;

use kapell_core::{
    Command, Engine, Event, Liveness, MoveCause, Record, Rejection, Reply, Request, SNAPSHOT_FORMAT, State,
    WorkloadMonitor, invariant,
};
use kapell_model::{AgentState, AssignmentId, CommandId, Moment, Name, Plan, Position, TaskId, TaskState};
use kapell_plan::{Greedy, Optimal};
use kapell_store::{Faulty, FleetKey, Reader as _, RowBatch, Store as _};

use crate::Bug;

/// What comes back to a caller.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Of a command.
    Told(Result<Reply, Rejection>),
    /// Of a fetch: tasks with their tokens.
    Handed(Vec<(TaskId, AssignmentId)>),
}

/// An answer on its way: for whom, and about which of its requests.
pub type Waiting = (usize, u64, Answer);

struct Batch {
    records: Vec<Record>,
    answers: Vec<Waiting>,
}

/// One life of the server.
pub struct Node {
    store: Faulty,
    key: FleetKey,
    epoch: u64,
    durable: u64,
    engine: Engine<Greedy>,
    shadow: State,
    liveness: Liveness,
    workload: WorkloadMonitor,
    /// What was thought beside the server, and comes back with the next tick.
    thought: Option<Box<Plan>>,
    optimal: Optimal,
    /// An optimal round that was planned, and comes back with the next tick.
    round: Option<Box<Plan>>,
    gathering: Batch,
    under_way: Option<Batch>,
    bug: Option<Bug>,
    appends: u64,
    /// Events that were folded and checked.
    pub events: u64,
    /// Owners that were asked for a status.
    pub stalls: u64,
    /// Tasks that went to somebody else for want of an answer.
    pub relieved: u64,
    /// Tasks that were held back for going round in a loop.
    pub held: u64,
    /// Tasks that were moved to even the load.
    pub balanced: u64,
    /// Edges that were taken out of cycles.
    pub broken: u64,
    /// Optimal rounds that placed something.
    pub rounds: u64,
}

impl Node {
    /// Takes the fleet up: folds the log, from its snapshot and from its beginning, and compares both.
    pub fn start(mut store: Faulty, now: Moment, bug: Option<Bug>) -> Result<Self, String> {
        let head = store.open_fleet("default").map_err(|error| error.to_string())?;
        let mut all = Vec::new();
        let mut after = 0;
        loop {
            let mut wrong = None;
            let read = store
                .read(head.key, after, 512, &mut |row| match Event::decode(row.kind, row.body) {
                    Ok(event) => all.push(Record {
                        position: Position(row.position),
                        at: Moment(row.at_ms),
                        command: CommandId(u128::from_be_bytes(row.command)),
                        actor: Arc::from(row.actor),
                        event,
                    }),
                    Err(error) => wrong = Some(error.to_string()),
                })
                .map_err(|error| error.to_string())?;
            if let Some(wrong) = wrong {
                return Err(wrong);
            }
            if read == after {
                break;
            }
            after = read;
        }
        let state = fold(State::default(), &all);
        if let Some(snapshot) = store.latest_snapshot(head.key).map_err(|error| error.to_string())?.snapshot {
            let restored =
                State::from_snapshot(snapshot.format, &snapshot.bytes).map_err(|error| error.to_string())?;
            let from = usize::try_from(snapshot.position).unwrap_or(usize::MAX).min(all.len());
            if fold(restored, &all[from..]).to_snapshot() != state.to_snapshot() {
                return Err("replay from the snapshot differs from replay of the log".to_owned());
            }
        }
        let engine = Engine::new(state.clone(), Greedy::default());
        let liveness = Liveness::new(engine.state(), now);
        let workload = WorkloadMonitor::new(engine.state(), now);
        let gathering = Batch { records: Vec::new(), answers: Vec::new() };
        let (key, epoch, durable) = (head.key, head.epoch, head.position);
        Ok(Self {
            store,
            key,
            epoch,
            durable,
            engine,
            shadow: state,
            liveness,
            workload,
            thought: None,
            optimal: Optimal::new(),
            round: None,
            gathering,
            under_way: None,
            bug,
            appends: 0,
            events: 0,
            stalls: 0,
            relieved: 0,
            held: 0,
            balanced: 0,
            broken: 0,
            rounds: 0,
        })
    }

    /// Returns the state, durable or not.
    pub fn state(&self) -> &State {
        self.engine.state()
    }

    /// Executes a request; the answer waits with the batch.
    pub fn take(
        &mut self,
        who: usize,
        number: u64,
        contact: Option<&Name>,
        mut request: Request,
    ) -> Result<Vec<Waiting>, String> {
        if let Some(name) = contact {
            self.heard(name, request.at)?;
        }
        match self.bug {
            Some(Bug::KeysIgnored) => request.fingerprint = None,
            Some(Bug::FenceRewritten) => self.rewrite(&mut request.command),
            _ => {}
        }
        let told = self.execute(&request)?;
        Ok(self.wait((who, number, Answer::Told(told))))
    }

    /// Fetches the assignments of an agent that it has not started; with `resume` those that it has begun too, as an
    /// agent asks that has forgotten what it was doing.
    pub fn next(
        &mut self,
        who: usize,
        number: u64,
        name: &Name,
        now: Moment,
        resume: bool,
    ) -> Result<Vec<Waiting>, String> {
        self.heard(name, now)?;
        let state = self.engine.state();
        let Some(agent) = state.agent_id(name.as_str()) else { return Ok(Vec::new()) };
        let tasks = state.agent(agent).tasks.iter().map(|&task| state.task(task));
        let assigned = tasks.filter(|task| resume || task.state() == TaskState::Assigned);
        let handed: Vec<_> =
            assigned.filter_map(|task| Some((task.id, task.owner.as_ref()?.assignment))).collect();
        for (_, assignment) in &handed {
            self.liveness.fetched(*assignment);
        }
        Ok(self.wait((who, number, Answer::Handed(handed))))
    }

    fn heard(&mut self, name: &Name, now: Moment) -> Result<(), String> {
        let state = self.engine.state();
        let Some(id) = state.agent_id(name.as_str()) else { return Ok(()) };
        self.liveness.renew(id, now);
        if matches!(state.agent(id).state, AgentState::Unreachable | AgentState::Offline) {
            self.command(Command::AgentBack { agent: name.clone() }, now)?;
        }
        Ok(())
    }

    /// Renews a lease without anything else.
    pub fn heartbeat(&mut self, name: &Name, now: Moment) -> Result<(), String> {
        self.heard(name, now)
    }

    /// Lets time pass: leases, ack times, what was set aside.
    pub fn tick(&mut self, now: Moment) -> Result<(), String> {
        for command in self.liveness.lapsed(self.engine.state(), now) {
            self.command(command, now)?;
        }
        self.balance(now)?;
        self.play_round(now)?;
        self.command(Command::Tick, now)
    }

    /// Lets the last optimal round come back, and plans the next one where something has changed.
    fn play_round(&mut self, now: Moment) -> Result<(), String> {
        if let Some(plan) = self.round.take().filter(|plan| self.engine.is_worth_applying(plan)) {
            self.rounds += u64::from(!plan.items.is_empty());
            self.command(Command::ApplyPlan(plan), now)?;
        }
        if let Some((excerpt, seen)) = self.engine.take_round() {
            self.round = Some(Box::new(self.optimal.propose(&excerpt, seen)));
        }
        Ok(())
    }

    /// Lets the plan of the last look come back, judged by what is so by now, and looks again where it is time.
    fn balance(&mut self, now: Moment) -> Result<(), String> {
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

    fn command(&mut self, command: Command, at: Moment) -> Result<(), String> {
        let id = CommandId(u128::from(self.engine.state().position().0) << 64 | 1);
        let request = Request { id, fingerprint: None, actor: Arc::from("clock"), at, command };
        let _ = self.execute(&request)?;
        Ok(())
    }

    /// Executes, folds the events on the shadow too, and checks every promise after each.
    fn execute(&mut self, request: &Request) -> Result<Result<Reply, Rejection>, String> {
        let mut records = Vec::new();
        let told = self.engine.execute(request, &mut records);
        if told.is_err() && !records.is_empty() {
            return Err("a refused command left events behind".to_owned());
        }
        for record in &records {
            let mut body = Vec::new();
            record.event.encode(&mut body);
            let event = Event::decode(record.event.kind(), &body).map_err(|error| error.to_string())?;
            self.shadow.apply(&Record { event, ..record.clone() });
            self.events += 1;
            invariant::check(&self.shadow).map_err(|broken| broken.to_string())?;
            self.stalls += u64::from(matches!(record.event, Event::TaskStalled { .. }));
            self.held += u64::from(matches!(record.event, Event::TaskHeld { .. }));
            self.broken += u64::from(matches!(record.event, Event::CycleBroken { .. }));
            self.balanced +=
                u64::from(matches!(record.event, Event::TaskMoved { cause: MoveCause::Balancing, .. }));
            self.relieved +=
                u64::from(matches!(record.event, Event::TaskMoved { cause: MoveCause::Stalled, .. }));
            if let Event::TaskAssigned { assignment, .. } | Event::TaskMoved { assignment, .. } = record.event
            {
                self.liveness.assigned(assignment, self.engine.state(), request.at);
            }
        }
        self.gathering.records.extend(records);
        Ok(told)
    }

    fn wait(&mut self, waiting: Waiting) -> Vec<Waiting> {
        if self.bug == Some(Bug::AckBeforeDurable) {
            return vec![waiting];
        }
        self.gathering.answers.push(waiting);
        Vec::new()
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

    /// Drops answers that nobody waits for.
    pub fn forget_answers(&mut self) {
        self.gathering.answers.clear();
    }

    /// Hands over what has gathered, or finishes what is under way and lets its answers out. Nothing comes back where
    /// this life has ended.
    pub fn append(&mut self) -> Option<Vec<Waiting>> {
        let Some(batch) = self.under_way.take() else {
            let empty = Batch { records: Vec::new(), answers: Vec::new() };
            self.under_way = Some(std::mem::replace(&mut self.gathering, empty));
            return Some(Vec::new());
        };
        self.appends += 1;
        if self.bug == Some(Bug::LostAppend) && self.appends.is_multiple_of(9) {
            return Some(batch.answers);
        }
        let mut rows = RowBatch::new();
        for record in &batch.records {
            let command = record.command.0.to_be_bytes();
            rows.push(record.at.0, command, &record.actor, record.event.kind(), |out| {
                record.event.encode(out);
            });
        }
        match self.store.append(self.key, self.epoch, self.durable, &rows) {
            Ok(position) => {
                self.durable = position;
                Some(batch.answers)
            }
            Err(_) => None,
        }
    }

    /// Writes a snapshot of what is durable, where nothing else is there.
    pub fn snapshot(&mut self) -> bool {
        let quiet = self.under_way.is_none() && self.gathering.records.is_empty();
        if !quiet || self.engine.state().position().0 != self.durable {
            return true;
        }
        let bytes = self.engine.state().to_snapshot();
        self.store.write_snapshot(self.key, self.durable, SNAPSHOT_FORMAT, &bytes).is_ok()
    }

    /// Compares the live state with the one that only folds.
    pub fn compare(&self) -> Result<(), String> {
        if self.engine.state().to_snapshot() == self.shadow.to_snapshot() {
            Ok(())
        } else {
            Err("the live state differs from the folded one".to_owned())
        }
    }
}

fn fold(mut state: State, records: &[Record]) -> State {
    for record in records {
        state.apply(record);
    }
    state.settle_replayed();
    state
}
