//! The appender: one thread that makes batches durable, then lets out what waited for them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam_channel::{Receiver, Sender};
use kapell_core::{Facts, Record};
use kapell_model::Position;
use kapell_store::{FleetKey, RowBatch, Store, StoreError};
use tokio::sync::oneshot;

use crate::fleet::{Deferred, Fleet, Message, Published};

/// A snapshot on its way to the store: facts that are still to be written as bytes.
pub(crate) struct StoredSnapshot {
    pub(crate) format: u32,
    pub(crate) facts: Box<Facts>,
}

/// What goes into one append, and what waits for it.
pub(crate) struct Batch {
    pub(crate) rows: RowBatch,
    /// What the rows say, for those who follow the events.
    pub(crate) records: Vec<Record>,
    pub(crate) deferred: Vec<Deferred>,
    pub(crate) snapshot: Option<StoredSnapshot>,
}

/// How far the appender is, for the writer to look at without waiting.
#[derive(Default)]
pub(crate) struct Progress {
    /// Batches that are durable, or failed, and whose replies leave.
    pub(crate) answered: AtomicU64,
    /// Whether the log could not be written: what the writer has decided since is not known to have happened.
    pub(crate) failed: AtomicBool,
    /// Whether the server stops: a file that another program holds is waited for no more.
    pub(crate) stopping: AtomicBool,
    /// Whether the appender has ended, in whatever way: nobody answers any more.
    pub(crate) gone: AtomicBool,
}

/// Says at the appender's end that it is gone, also where it has panicked.
struct Gone(Arc<Progress>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.gone.store(true, Ordering::Release);
    }
}

impl Batch {
    /// Tells everybody who waits that it will not become durable.
    pub(crate) fn fail(self) {
        for answer in self.deferred {
            answer(false);
        }
    }
}

pub(crate) struct Appender {
    pub(crate) store: Box<dyn Store>,
    pub(crate) key: FleetKey,
    pub(crate) epoch: u64,
    pub(crate) position: u64,
    pub(crate) fleet: Fleet,
    pub(crate) writer: Sender<Message>,
    pub(crate) progress: Arc<Progress>,
    /// Told once, when the log could not be written.
    pub(crate) failed: Option<oneshot::Sender<StoreError>>,
}

impl Appender {
    /// Serves until the writer lets go. A failed append is the end of this fleet's engine: what waits, then and
    /// later, is told that it is not known to have happened, and the process ends.
    pub(crate) fn run(mut self, batches: &Receiver<Batch>) {
        let _gone = Gone(Arc::clone(&self.progress));
        let snapshots = self.snapshot_thread();
        for batch in batches {
            if self.progress.failed.load(Ordering::Relaxed) {
                self.let_down(batch);
                continue;
            }
            match self.append(&batch.rows) {
                Ok(()) => self.let_out(batch, snapshots.as_ref().map(|(sender, _)| sender)),
                Err(error) => {
                    tracing::error!(%error, "the log could not be written");
                    self.progress.failed.store(true, Ordering::Release);
                    self.let_down(batch);
                    if let Some(failed) = self.failed.take() {
                        let _ = failed.send(error);
                    }
                }
            }
        }
        if let Some((sender, thread)) = snapshots {
            drop(sender);
            let _ = thread.join();
        }
    }

    fn append(&mut self, rows: &RowBatch) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.fleet.admission.append_begins();
        let appended = loop {
            match self.store.append(self.key, self.epoch, self.position, rows) {
                // Nothing has changed: it is a wait, as for a disk that hangs.
                Err(StoreError::Busy(busy)) if !self.progress.stopping.load(Ordering::Acquire) => {
                    tracing::warn!("{busy}; it is tried again");
                }
                appended => break appended,
            }
        };
        self.fleet.admission.append_ended();
        self.position = appended?;
        self.fleet.mark_durable(Position(self.position));
        Ok(())
    }

    /// Wakes the writer. One whose queue is full is awake, and the rows are made anew.
    fn tell_writer(&self, rows: RowBatch) {
        let _ = self.writer.try_send(Message::Appended(rows));
    }

    fn let_down(&self, batch: Batch) {
        self.progress.answered.fetch_add(1, Ordering::Release);
        batch.fail();
        self.tell_writer(RowBatch::new());
    }

    fn let_out(&self, mut batch: Batch, snapshots: Option<&Sender<StoredSnapshot>>) {
        self.progress.answered.fetch_add(1, Ordering::Release);
        for answer in batch.deferred {
            answer(true);
        }
        batch.rows.clear();
        self.tell_writer(batch.rows);
        if let (Some(snapshot), Some(snapshots)) = (batch.snapshot, snapshots) {
            // One that is still being written makes this one superfluous.
            let _ = snapshots.try_send(snapshot);
        }
        if !batch.records.is_empty() && self.fleet.published.receiver_count() > 0 {
            let published = Published { records: batch.records, shown: OnceLock::new() };
            let _ = self.fleet.published.send(Arc::new(published));
        }
    }

    /// Snapshots are written by a handle and a thread of their own, so that no append waits for one, and
    /// neither does the writer.
    fn snapshot_thread(&self) -> Option<(Sender<StoredSnapshot>, std::thread::JoinHandle<()>)> {
        let mut store =
            self.store.second().inspect_err(|error| tracing::warn!(%error, "no snapshots")).ok()?;
        let key = self.key;
        let (sender, snapshots) = crossbeam_channel::bounded::<StoredSnapshot>(1);
        let write = move || {
            for snapshot in snapshots {
                let StoredSnapshot { format, facts } = snapshot;
                let (Position(position), bytes) = (facts.position(), facts.to_bytes());
                // What the writer has changed since is held twice until here.
                drop(facts);
                if let Err(error) = store.write_snapshot(key, position, format, &bytes) {
                    tracing::warn!(%error, position, "a snapshot could not be written; the log has everything");
                }
            }
        };
        let thread = std::thread::Builder::new().name("snapshots".to_owned()).spawn(write).ok()?;
        Some((sender, thread))
    }
}
