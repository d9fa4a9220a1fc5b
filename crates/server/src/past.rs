//! The fleet as it was at any point of the log, folded beside the writer (SEMANTICS 3.3).
//!
//! One such fold is under way at a time; who comes meanwhile is told that it is busy. The state that was folded last is
//! kept for a while, so that a walk forward through the log folds each event once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kapell_core::{Liveness, Record, State};
use kapell_model::{Moment, Position};
use kapell_store::{FleetKey, Reader};
use tokio::sync::Semaphore;

use crate::fleet::View;
use crate::open::{OpenError, read_all};

/// How long a folded state is kept after it was last asked.
const KEPT: Duration = Duration::from_secs(300);

/// A point of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Behind the event at this position.
    Position(Position),
    /// Behind everything that had happened by this moment.
    Time(Moment),
}

impl Point {
    fn lies_behind(self, record: &Record) -> bool {
        match self {
            Self::Position(position) => record.position <= position,
            Self::Time(moment) => record.at <= moment,
        }
    }

    /// Tells whether a state can be folded on to this point.
    fn follows(self, state: &State) -> bool {
        match self {
            Self::Position(position) => state.position() <= position,
            Self::Time(moment) => state.at() <= moment,
        }
    }
}

/// Why the past cannot be seen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PastError {
    /// Somebody else looks at it.
    #[error("another look at the past is under way")]
    Busy,
    /// The log cannot be read or folded.
    #[error("the log cannot be folded")]
    Log(#[from] Box<OpenError>),
    /// The program ends.
    #[error("the server is shutting down")]
    Down,
}

struct Kept {
    state: State,
    asked: Instant,
}

struct Inner {
    fleet: String,
    key: FleetKey,
    reader: Mutex<Box<dyn Reader>>,
    kept: Mutex<Option<Kept>>,
    turns: Arc<Semaphore>,
}

/// The past of one fleet.
#[derive(Clone)]
pub(crate) struct Past(Arc<Inner>);

impl Past {
    pub(crate) fn new(fleet: &str, key: FleetKey, reader: Box<dyn Reader>) -> Self {
        Self(Arc::new(Inner {
            fleet: fleet.to_owned(),
            key,
            reader: Mutex::new(reader),
            kept: Mutex::new(None),
            turns: Arc::new(Semaphore::new(1)),
        }))
    }

    /// Asks the state at `point`. Leases are not in the log: every agent shows as heard of at that moment.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        point: Point,
        ask: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Result<T, PastError> {
        let turn = Arc::clone(&self.0.turns).try_acquire_owned().map_err(|_| PastError::Busy)?;
        let past = Arc::clone(&self.0);
        let looked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let state = past.fold(point)?;
            let now = match point {
                Point::Position(_) => state.at(),
                Point::Time(moment) => moment,
            };
            let liveness = Liveness::new(&state, now);
            let workload = kapell_core::WorkloadMonitor::new(&state, now);
            let answer = ask(&View { state: &state, liveness: &liveness, workload: &workload, now });
            past.keep(state);
            Ok(answer)
        });
        let answer = looked.await.map_err(|_| PastError::Down)?;
        self.forget_later();
        answer
    }

    /// Lets go of the kept state once nobody has asked it for long.
    fn forget_later(&self) {
        let past = Arc::clone(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(KEPT).await;
            let mut kept = past.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.as_ref().is_some_and(|kept| kept.asked.elapsed() >= KEPT) {
                *kept = None;
            }
        });
    }
}

impl Inner {
    fn keep(&self, state: State) {
        let kept = Kept { state, asked: Instant::now() };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }

    /// Folds the log up to `point`: from the kept state, a snapshot, or the beginning, whatever is nearest before it.
    fn fold(&self, point: Point) -> Result<State, Box<OpenError>> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let kept = kept.map(|kept| kept.state).filter(|state| point.follows(state));
        let state = match kept {
            Some(state) => state,
            None => self.nearest(reader.as_mut(), point)?,
        };
        self.fold_on(reader.as_mut(), state, point)
    }

    fn nearest(&self, reader: &mut dyn Reader, point: Point) -> Result<State, Box<OpenError>> {
        let mut at_most = match point {
            Point::Position(Position(position)) => position,
            Point::Time(_) => u64::MAX,
        };
        loop {
            let found = reader.snapshot_at_most(self.key, at_most);
            let failed = |source| Box::new(OpenError::Store { fleet: self.fleet.clone(), source });
            let Some(stored) = found.map_err(failed)?.snapshot else { return Ok(State::default()) };
            // One of another format, or from behind the point, is passed over.
            match State::from_snapshot(stored.format, &stored.bytes) {
                Ok(state) if point.follows(&state) => return Ok(state),
                _ if stored.position == 0 => return Ok(State::default()),
                _ => at_most = stored.position - 1,
            }
        }
    }

    fn fold_on(
        &self,
        reader: &mut dyn Reader,
        mut state: State,
        point: Point,
    ) -> Result<State, Box<OpenError>> {
        let (sender, chunks) = crossbeam_channel::bounded(2);
        let after = state.position().0;
        std::thread::scope(|scope| {
            scope.spawn(move || read_all(reader, &self.fleet, self.key, after, &sender));
            // Leaving the loop early lets go of the channel, which ends the reading.
            'log: for chunk in chunks {
                for record in chunk? {
                    if !point.lies_behind(&record) {
                        break 'log;
                    }
                    state.apply(&record);
                }
                state.settle_replayed();
            }
            state.settle_replayed();
            Ok(state)
        })
    }
}

#[cfg(test)]
mod tests {
    use kapell_store::{MemoryDisk, RowBatch, Store};

    use super::*;

    const MINUTE: i64 = 60_000;

    /// A log in which a task comes every minute, and a snapshot of its middle.
    fn disk(snapshot: bool) -> (MemoryDisk, FleetKey) {
        let disk = MemoryDisk::new();
        let mut store = disk.open();
        let head = store.open_fleet("default").expect("a fleet");
        let mut rows = RowBatch::new();
        for task in 1..=10 {
            let body = format!(
                r#"{{"task":{task},"spec":{{"title":"t","kind":"task","priority":"low"}},"estimate":1}}"#
            );
            rows.push(task * MINUTE, [1; 16], "admin", "task.submitted", |out| {
                out.extend_from_slice(body.as_bytes());
            });
        }
        store.append(head.key, head.epoch, 0, &rows).expect("it is taken");
        if snapshot {
            let past = Past::new("default", head.key, Box::new(disk.open()));
            let state = past.0.fold(Point::Position(Position(5))).expect("it folds");
            let bytes = state.to_snapshot();
            store.write_snapshot(head.key, 5, kapell_core::SNAPSHOT_FORMAT, &bytes).expect("it is taken");
        }
        (disk, head.key)
    }

    #[test]
    fn any_point_can_be_folded_in_any_order_with_and_without_snapshots() {
        for snapshot in [false, true] {
            let (disk, key) = disk(snapshot);
            let past = Past::new("default", key, Box::new(disk.open()));
            for position in [3, 7, 10, 5, 6, 0, 4] {
                let state = past.0.fold(Point::Position(Position(position))).expect("it folds");
                assert_eq!((state.position().0, state.tasks().len() as u64), (position, position));
                past.0.keep(state);
            }
            for (millis, tasks) in
                [(7 * MINUTE, 7), (7 * MINUTE - 1, 6), (0, 0), (3 * MINUTE + 5, 3), (i64::MAX, 10)]
            {
                let state = past.0.fold(Point::Time(Moment(millis))).expect("it folds");
                assert_eq!(state.tasks().len(), tasks, "at {millis}");
                past.0.keep(state);
            }
        }
    }

    #[tokio::test]
    async fn one_looks_at_a_time() {
        let (disk, key) = disk(false);
        let past = Past::new("default", key, Box::new(disk.open()));
        let other = past.clone();
        let looking = Arc::clone(&past.0.turns).try_acquire_owned().expect("it is free");
        let refused = other.look(Point::Position(Position(2)), |_| ()).await;
        assert!(matches!(refused, Err(PastError::Busy)), "{refused:?}");
        drop(looking);
        let seen = other.look(Point::Position(Position(2)), |view| view.state.tasks().len()).await;
        assert_eq!(seen.expect("it folds"), 2);
    }
}
