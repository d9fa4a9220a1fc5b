//! The appender: one thread that makes batches durable, then lets out what waited for them.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use kapell_core::Record;
use kapell_model::Position;
use kapell_store::{FleetKey, RowBatch, Store, StoreError};
use tokio::sync::oneshot;

use crate::fleet::{Deferred, Fleet, Message};

/// A snapshot on its way to the store.
pub(crate) struct StoredSnapshot {
    pub(crate) position: u64,
    pub(crate) format: u32,
    pub(crate) bytes: Vec<u8>,
}

/// What goes into one append, and what waits for it.
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    pub(crate) deferred: Vec<Deferred>,
    pub(crate) snapshot: Option<StoredSnapshot>,
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
    /// Told once, when the log could not be written.
    pub(crate) failed: oneshot::Sender<StoreError>,
}

impl Appender {
    /// Serves until the writer lets go, or an append fails. A failed append is the end of this fleet's engine: what
    /// waited is told that it is not known to have happened, and the process ends.
    pub(crate) fn run(mut self, batches: &Receiver<Batch>) {
        let snapshots = self.snapshot_thread();
        let mut rows = RowBatch::new();
        while let Ok(batch) = batches.recv() {
            if let Err(error) = self.append(&batch.records, &mut rows) {
                tracing::error!(%error, "the log could not be written");
                batch.fail();
                let _ = self.failed.send(error);
                return;
            }
            self.let_out(batch, snapshots.as_ref().map(|(sender, _)| sender));
        }
        if let Some((sender, thread)) = snapshots {
            drop(sender);
            let _ = thread.join();
        }
    }

    fn append(&mut self, records: &[Record], rows: &mut RowBatch) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        rows.clear();
        for record in records {
            let command = record.command.0.to_be_bytes();
            rows.push(record.at.0, command, &record.actor, record.event.kind(), |out| {
                record.event.encode(out);
            });
        }
        self.position = self.store.append(self.key, self.epoch, self.position, rows)?;
        self.fleet.mark_durable(Position(self.position));
        Ok(())
    }

    fn let_out(&self, batch: Batch, snapshots: Option<&Sender<StoredSnapshot>>) {
        for answer in batch.deferred {
            answer(true);
        }
        let _ = self.writer.send(Message::Appended);
        if let (Some(snapshot), Some(snapshots)) = (batch.snapshot, snapshots) {
            // One that is still being written makes this one superfluous.
            let _ = snapshots.try_send(snapshot);
        }
        if !batch.records.is_empty() && self.fleet.published.receiver_count() > 0 {
            let _ = self.fleet.published.send(Arc::new(batch.records));
        }
    }

    /// Snapshots are written by a handle and a thread of their own, so that no append waits for one.
    fn snapshot_thread(&self) -> Option<(Sender<StoredSnapshot>, std::thread::JoinHandle<()>)> {
        let mut store =
            self.store.second().inspect_err(|error| tracing::warn!(%error, "no snapshots")).ok()?;
        let key = self.key;
        let (sender, snapshots) = crossbeam_channel::bounded::<StoredSnapshot>(1);
        let write = move || {
            for snapshot in snapshots {
                let StoredSnapshot { position, format, bytes } = snapshot;
                if let Err(error) = store.write_snapshot(key, position, format, &bytes) {
                    tracing::warn!(%error, position, "a snapshot could not be written; the log has everything");
                }
            }
        };
        let thread = std::thread::Builder::new().name("snapshots".to_owned()).spawn(write).ok()?;
        Some((sender, thread))
    }
}
