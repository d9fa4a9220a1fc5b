//! Takes up a fleet: reads its log, starts its threads, and says what it found (SEMANTICS 14).

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kapell_core::{DecodeError, Engine, Event, Record, SnapshotError, State};
use kapell_model::{AgentState, CommandId, Moment, Position, TaskState};
use kapell_plan::Greedy;
use kapell_store::{Reader, Row, Store, StoreError};
use tokio::sync::{broadcast, oneshot};

use crate::admission::Admission;
use crate::appender::{Appender, Progress};
use crate::fleet::{Asking, Awaited, Fleet, Heard, QUEUE_MAX};
use crate::planner;
use crate::writer::{BATCHES_MAX, Beside, Writer};

/// Rows that are decoded at once while the rows before are folded.
const REPLAY_ROWS: usize = 8_192;
/// Batches that a slow reader of live events may be behind before it has to read them from the log.
const PUBLISHED_MAX: usize = 64;

/// A fleet could not be taken up.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The storage says no.
    #[error("the log of fleet `{fleet}` cannot be read")]
    Store {
        /// Which fleet.
        fleet: String,
        /// What the storage says.
        #[source]
        source: StoreError,
    },
    /// A row is no event.
    #[error("the log of fleet `{fleet}` has a row at position {position} that is no event of this version")]
    Event {
        /// Which fleet.
        fleet: String,
        /// Where.
        position: u64,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
    /// A thread could not be started.
    #[error("a thread could not be started")]
    Thread(#[from] std::io::Error),
}

/// What a start found and did, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The fleet.
    pub fleet: String,
    /// The epoch of this ownership.
    pub epoch: u64,
    /// The last position of the log.
    pub position: u64,
    /// The position of the snapshot that was used; 0 where there was none.
    pub snapshot: u64,
    /// Snapshots that were passed over, and why.
    pub skipped: Vec<String>,
    /// Events that were folded after it.
    pub replayed: u64,
    /// How long that took.
    pub took: Duration,
    /// Registered agents.
    pub agents: usize,
    /// Of these online, as the log has it; every lease begins again.
    pub online: usize,
    /// Open tasks that are owned, ready, blocked and deferred.
    pub owned: u32,
    /// Tasks in the queue.
    pub ready: u32,
    /// Tasks that wait for others.
    pub blocked: u32,
    /// Tasks that ended.
    pub ended: u32,
}

/// A fleet that runs.
#[derive(Debug)]
pub struct Running {
    /// The door to it.
    pub fleet: Fleet,
    /// What the start found.
    pub found: Found,
    /// Told where the log could not be written any more.
    pub failed: oneshot::Receiver<StoreError>,
    pub(crate) threads: Vec<JoinHandle<()>>,
}

impl Running {
    /// Stops the fleet: what was accepted becomes durable, a snapshot is written, the threads end.
    pub fn stop(self) {
        self.fleet.stop();
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

/// Takes up the fleet `name` of `store`.
///
/// # Errors
/// Where the log is damaged or of another version, or threads cannot be started.
pub fn open(mut store: Box<dyn Store>, name: &str) -> Result<Running, OpenError> {
    let failed = |source| OpenError::Store { fleet: name.to_owned(), source };
    let head = store.open_fleet(name).map_err(failed)?;
    let started = Instant::now();
    let mut reader = store.reader().map_err(failed)?;
    let loaded = load(reader.as_mut(), name, head.key).map_err(|error| *error)?;
    let took = started.elapsed();
    let engine = Engine::new(loaded.state, Greedy::default());
    let found = found(name, head.epoch, engine.state(), loaded.snapshot, loaded.skipped, took);

    let (queue, messages) = crossbeam_channel::bounded(QUEUE_MAX);
    let (batches, appends) = crossbeam_channel::bounded(BATCHES_MAX);
    let (failing, failure) = oneshot::channel();
    let (published, _) = broadcast::channel(PUBLISHED_MAX);
    let durable = Arc::new(AtomicU64::new(head.position));
    let progress = Arc::new(Progress::default());
    let names = engine.state().agents().iter().map(|agent| agent.spec.name.clone()).collect();
    let fleet = Fleet {
        queue: queue.clone(),
        durable,
        published,
        names: Arc::new(RwLock::new(Arc::new(names))),
        asking: Asking::default(),
        commanding: Asking::default(),
        heard: Heard::default(),
        admission: Admission::new(),
        awaited: Awaited::default(),
    };
    let appender = Appender {
        store,
        key: head.key,
        epoch: head.epoch,
        position: head.position,
        fleet: fleet.clone(),
        writer: queue.clone(),
        progress: Arc::clone(&progress),
        failed: Some(failing),
    };
    let (jobs, thinking) = crossbeam_channel::bounded(planner::JOBS_MAX);
    let (wanted, forecasting) = crossbeam_channel::bounded(1);
    let beside = Beside { appender: batches, planner: jobs, forecasts: wanted };
    let writer = Writer::new(engine, loaded.snapshot, fleet.clone(), messages, beside, progress);
    let threads = vec![
        std::thread::Builder::new().name("writer".to_owned()).spawn(move || writer.run())?,
        std::thread::Builder::new().name("appender".to_owned()).spawn(move || appender.run(&appends))?,
        planner::start(thinking, queue.clone())?,
        planner::start_forecasts(forecasting, queue)?,
    ];
    Ok(Running { fleet, found, failed: failure, threads })
}

/// A state read from a storage.
#[derive(Debug)]
pub struct Loaded {
    /// The state at the end of the log.
    pub state: State,
    /// The position of the snapshot that was used; 0 where there was none.
    pub snapshot: u64,
    /// Snapshots that were passed over, and why.
    pub skipped: Vec<String>,
}

/// Reads the newest whole snapshot and folds the log behind it.
///
/// # Errors
/// Where the log is damaged or of another version.
pub fn load(
    reader: &mut dyn Reader,
    name: &str,
    key: kapell_store::FleetKey,
) -> Result<Loaded, Box<OpenError>> {
    let failed = |source| Box::new(OpenError::Store { fleet: name.to_owned(), source });
    let latest = reader.latest_snapshot(key).map_err(failed)?;
    let mut skipped: Vec<String> = latest.skipped.iter().map(ToString::to_string).collect();
    let mut state = State::default();
    let mut snapshot = 0;
    if let Some(stored) = latest.snapshot {
        match State::from_snapshot(stored.format, &stored.bytes) {
            Ok(restored) => {
                state = restored;
                snapshot = stored.position;
            }
            Err(error) => skipped.push(skipped_text(stored.position, &error)),
        }
    }
    let state = fold(reader, name, key, state, |_| {})?;
    Ok(Loaded { state, snapshot, skipped })
}

fn skipped_text(position: u64, error: &SnapshotError) -> String {
    format!("snapshot at position {position} is passed over, the log is folded instead: {error}")
}

/// Folds the log behind `state`; rows are read and decoded on one thread while this one folds and shows `look` the
/// state after every event.
pub(crate) fn fold(
    reader: &mut dyn Reader,
    name: &str,
    key: kapell_store::FleetKey,
    mut state: State,
    mut look: impl FnMut(&State),
) -> Result<State, Box<OpenError>> {
    let (sender, records) = crossbeam_channel::bounded::<Result<Vec<Record>, Box<OpenError>>>(4);
    let after = state.position().0;
    std::thread::scope(|scope| {
        scope.spawn(move || read_all(reader, name, key, after, &sender));
        for chunk in records {
            for record in chunk? {
                state.apply(&record);
                look(&state);
            }
            state.settle_replayed();
        }
        Ok(state)
    })
}

/// Reads and decodes the log behind `after`, until its end or until nobody listens any more.
pub(crate) fn read_all(
    reader: &mut dyn Reader,
    name: &str,
    key: kapell_store::FleetKey,
    mut after: u64,
    sender: &crossbeam_channel::Sender<Result<Vec<Record>, Box<OpenError>>>,
) {
    let mut actor: Arc<str> = Arc::from("");
    loop {
        let mut chunk = Vec::with_capacity(REPLAY_ROWS);
        let mut wrong = None;
        let read = reader.read(key, after, REPLAY_ROWS, &mut |row| match record_of(&row, &mut actor) {
            Ok(record) => chunk.push(record),
            Err(source) => {
                let position = row.position;
                wrong.get_or_insert(OpenError::Event { fleet: name.to_owned(), position, source });
            }
        });
        let result = match (read, wrong) {
            (Err(source), _) => Err(Box::new(OpenError::Store { fleet: name.to_owned(), source })),
            (Ok(_), Some(error)) => Err(Box::new(error)),
            (Ok(last), None) if last == after => return,
            (Ok(last), None) => {
                after = last;
                Ok(chunk)
            }
        };
        let ends = result.is_err();
        if sender.send(result).is_err() || ends {
            return;
        }
    }
}

/// Reads a row as an event; `actor` keeps the last one, since neighbours often share theirs.
///
/// # Errors
/// Where the row is no event of this version.
pub fn record_of(row: &Row<'_>, actor: &mut Arc<str>) -> Result<Record, DecodeError> {
    if **actor != *row.actor {
        *actor = Arc::from(row.actor);
    }
    Ok(Record {
        position: Position(row.position),
        at: Moment(row.at_ms),
        command: CommandId(u128::from_be_bytes(row.command)),
        actor: Arc::clone(actor),
        event: Event::decode(row.kind, row.body)?,
    })
}

fn found(
    name: &str,
    epoch: u64,
    state: &State,
    snapshot: u64,
    skipped: Vec<String>,
    took: Duration,
) -> Found {
    let counts = state.counts();
    let online = state.agents().iter().filter(|agent| agent.state == AgentState::Online).count();
    let position = state.position().0;
    Found {
        fleet: name.to_owned(),
        epoch,
        position,
        snapshot,
        skipped,
        replayed: position - snapshot,
        took,
        agents: state.agents().iter().filter(|agent| agent.state != AgentState::Removed).count(),
        online,
        owned: counts.of(TaskState::Assigned) + counts.of(TaskState::InProgress),
        ready: counts.of(TaskState::Ready),
        blocked: counts.of(TaskState::Blocked),
        ended: counts.of(TaskState::Completed)
            + counts.of(TaskState::Failed)
            + counts.of(TaskState::Cancelled)
            + counts.of(TaskState::Archived),
    }
}
