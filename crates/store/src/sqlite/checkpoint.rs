//! Moving the write-ahead log into the main file, beside the writer.
//!
//! A commit only adds to the write-ahead log. What it holds has to be copied into the main file some time, and flushed
//! there, before its place can be used again. SQLite does this in the commit that comes over a bound, which makes
//! that commit some ten times slower; here a thread with a connection of its own does it while the writer goes on. The
//! writer lends a hand only where the thread has never caught up with it for [`LIMIT_BYTES`]: what is left to copy then is
//! little, and afterwards the write-ahead log begins anew.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, ErrorCode};

use super::failure::Failure;
use super::open;
use crate::error::{StoreError, Unavailable};
use crate::poison::Poison;

/// The thread is woken when about this much has been written: 8 MiB, some tens of milliseconds of its work.
const STEP_BYTES: u64 = 8 * 1024 * 1024;

/// The writer waits for the thread, and copies what is left, when about this much has been written: 16 MiB. The
/// write-ahead log stays near this size, unless a reader holds on to an old moment. A larger bound made small commits
/// slower, because a flush is slower while the file still grows.
const LIMIT_BYTES: u64 = 16 * 1024 * 1024;

/// Shared by the writing handles of one storage.
#[derive(Debug)]
pub(super) struct Checkpointer {
    since_wake: AtomicU64,
    since_reset: AtomicU64,
    /// Held during a checkpoint, so that the writer can wait for the thread's to end.
    gate: Arc<Mutex<()>>,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread. A failure of it poisons the storage.
    pub(super) fn start(path: &Path, poison: Poison) -> Result<Self, StoreError> {
        let connection = open::writer(path)?;
        let gate = Arc::new(Mutex::new(()));
        let (wake, woken) = sync_channel(1);
        let worker = Worker { connection, gate: gate.clone(), poison, path: path.to_owned() };
        let thread =
            thread::Builder::new().name("kapell-checkpoint".to_owned()).spawn(move || worker.run(&woken));
        let failed = |source| Unavailable {
            doing: "start the checkpoint thread of",
            path: path.to_owned(),
            source: Box::new(source),
        };
        Ok(Self {
            since_wake: AtomicU64::new(0),
            since_reset: AtomicU64::new(0),
            gate,
            wake: Some(wake),
            thread: Some(thread.map_err(failed)?),
        })
    }

    /// Counts what a transaction on `connection`, which is over, has written.
    pub(super) fn wrote(&self, connection: &Connection, bytes: usize) -> Result<(), Failure> {
        let bytes = bytes as u64;
        if count(&self.since_wake, bytes, STEP_BYTES)
            && let Some(wake) = &self.wake
        {
            // Where the channel is full the thread has not begun yet, and will see this write too.
            let _ = wake.try_send(());
        }
        if count(&self.since_reset, bytes, LIMIT_BYTES) {
            checkpoint(connection, &self.gate)?;
        }
        Ok(())
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already; there is nothing left to tell.
            let _ = thread.join();
        }
    }
}

/// Adds to a count and says whether the bound is reached; then the count begins anew.
fn count(counter: &AtomicU64, bytes: u64, bound: u64) -> bool {
    let reached = counter.fetch_add(bytes, Ordering::Relaxed) + bytes >= bound;
    if reached {
        counter.store(0, Ordering::Relaxed);
    }
    reached
}

struct Worker {
    connection: Connection,
    gate: Arc<Mutex<()>>,
    poison: Poison,
    path: std::path::PathBuf,
}

impl Worker {
    fn run(self, woken: &Receiver<()>) {
        while woken.recv().is_ok() && self.poison.check().is_ok() {
            if let Err(failure) = checkpoint(&self.connection, &self.gate) {
                self.poison.set(failure.while_doing("checkpoint", &self.path));
            }
        }
    }
}

/// Copies what no reader and no writer stands in the way of. That another handle is at it is no failure.
fn checkpoint(connection: &Connection, gate: &Mutex<()>) -> Result<(), Failure> {
    let _alone = gate.lock().unwrap_or_else(PoisonError::into_inner);
    match connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(()),
        result => Ok(result?),
    }
}
