//! The embedded engine: one SQLite file, `kapell.db`, in a data directory.
//!
//! One transaction per batch, flushed at commit (`synchronous = FULL` over a write-ahead log). The tables are in
//! `schema_1.sql`; `sqlite3 kapell.db 'select * from log'` shows the log to a person. What closes which door, and why,
//! is in `docs/adr/0001-log-in-sqlite.md`.
//!
//! The owner's handle, further writing handles and readers each have a connection of their own: readers never wait for
//! the writer, nor it for them. Writing handles stand in one line.

mod checkpoint;
mod document;
mod failure;
mod fleet;
mod line;
mod open;
mod record;
mod snapshot;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use crate::batch::{Row, RowBatch};
use crate::data_dir::DataDir;
use crate::error::{Refusal, StoreError};
use crate::poison::Poison;
use crate::report::VerifyReport;
use crate::store::{FleetHead, FleetKey, LatestSnapshot, Reader, Store};

use checkpoint::Checkpointer;
use failure::Failure;
use line::Line;

/// The database's name in its data directory.
const FILE: &str = "kapell.db";

/// About what a record takes beside its texts.
const ENVELOPE_BYTES: usize = 64;

/// A handle that reads, on a connection of its own.
#[derive(Debug)]
pub struct SqliteReader {
    connection: Connection,
    path: PathBuf,
    poison: Poison,
}

/// A handle that writes. It keeps the lock on the data directory.
///
/// The fields are dropped in this order: connection, checkpoint thread, lock of the directory.
#[derive(Debug)]
pub struct SqliteStore {
    inner: SqliteReader,
    checkpointer: Arc<Checkpointer>,
    line: Arc<Line>,
    directory: DataDir,
}

impl SqliteReader {
    /// Opens the database in a directory for reading, without its lock: beside a running server, or to look at a
    /// directory that nobody uses.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Self::beside(directory.join(FILE), Poison::default())
    }

    fn beside(path: PathBuf, poison: Poison) -> Result<Self, StoreError> {
        Ok(Self { connection: open::reader(&path)?, path, poison })
    }

    /// Looks at one moment of the database.
    fn look<T>(
        &mut self,
        doing: &'static str,
        look: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.poison.check()?;
        let moment = self.connection.transaction().map_err(Failure::from);
        moment.and_then(|moment| look(&moment)).map_err(|failure| failure.while_doing(doing, &self.path))
    }
}

/// What a change does to which file, and whose turn it waits for.
struct Change<'a> {
    doing: &'static str,
    path: &'a Path,
    line: &'a Line,
    poison: &'a Poison,
}

impl Change<'_> {
    /// Makes one durable transaction of `change`. A failure of the disk or the file is the end of this storage, before
    /// anybody else has the turn.
    fn transact<T>(
        &self,
        connection: &mut Connection,
        change: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let _turn = self.line.turn();
        self.poison.check()?;
        let changed = begin(connection).and_then(|transaction| {
            let result = change(&transaction)?;
            transaction.commit()?;
            Ok(result)
        });
        changed.map_err(|failure| self.failed(failure))
    }

    fn failed(&self, failure: Failure) -> StoreError {
        match failure {
            Failure::Sqlite(_) => self.poison.set(failure.while_doing(self.doing, self.path)),
            Failure::Busy | Failure::Store(_) => failure.while_doing(self.doing, self.path),
        }
    }
}

/// Begins to write. Where another program is writing and goes on for [`open::BUSY`], nothing has begun.
fn begin(connection: &mut Connection) -> Result<Transaction<'_>, Failure> {
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    begun.map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy) => Failure::Busy,
        _ => error.into(),
    })
}

impl SqliteStore {
    /// Opens the database in a locked data directory; makes it where it is not there.
    pub fn open(directory: &DataDir) -> Result<Self, StoreError> {
        let path = directory.path().join(FILE);
        let poison = Poison::default();
        let connection = open::writer(&path)?;
        verify::verify_small_tables(&connection, &path)
            .map_err(|failure| failure.while_doing("open", &path))?;
        let checkpointer = Arc::new(Checkpointer::start(&path, poison.clone())?);
        let inner = SqliteReader { connection, path, poison };
        Ok(Self { inner, checkpointer, line: Arc::default(), directory: directory.clone() })
    }

    /// Makes one durable transaction of `change`, which writes about `bytes`.
    fn change<T>(
        &mut self,
        doing: &'static str,
        bytes: usize,
        change: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let Self { inner: SqliteReader { connection, path, poison }, checkpointer, line, .. } = self;
        let this = Change { doing, path, line, poison };
        let result = this.transact(connection, change)?;
        let wrote = checkpointer.wrote(connection, bytes + 2 * open::PAGE_BYTES);
        wrote.map_err(|failure| this.failed(failure))?;
        Ok(result)
    }
}

impl Reader for SqliteReader {
    fn fleets(&mut self) -> Result<Vec<String>, StoreError> {
        self.look("read", fleet::names)
    }

    fn fleet(&mut self, fleet: &str) -> Result<Option<FleetHead>, StoreError> {
        self.look("read", |moment| Ok(fleet::by_name(moment, fleet)?.map(|fleet| fleet.head())))
    }

    fn read(
        &mut self,
        fleet: FleetKey,
        after: u64,
        max_rows: usize,
        visit: &mut dyn FnMut(Row<'_>),
    ) -> Result<u64, StoreError> {
        self.look("read", |moment| {
            let fleet = fleet::by_key(moment, fleet)?;
            record::read(moment, &fleet, after, max_rows, visit)
        })
    }

    fn snapshot_at_most(&mut self, fleet: FleetKey, position: u64) -> Result<LatestSnapshot, StoreError> {
        self.look("read a snapshot from", |moment| {
            let fleet = fleet::by_key(moment, fleet)?;
            snapshot::latest(moment, &fleet, position)
        })
    }

    fn get_document(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.look("read a document from", |moment| document::get(moment, name))
    }

    fn verify(&mut self, fleet: FleetKey) -> Result<VerifyReport, StoreError> {
        self.poison.check()?;
        let verified = verify::verify(&mut self.connection, &self.path, fleet);
        verified.map_err(|failure| failure.while_doing("verify", &self.path))
    }
}

impl Reader for SqliteStore {
    fn fleets(&mut self) -> Result<Vec<String>, StoreError> {
        self.inner.fleets()
    }

    fn fleet(&mut self, fleet: &str) -> Result<Option<FleetHead>, StoreError> {
        self.inner.fleet(fleet)
    }

    fn read(
        &mut self,
        fleet: FleetKey,
        after: u64,
        max_rows: usize,
        visit: &mut dyn FnMut(Row<'_>),
    ) -> Result<u64, StoreError> {
        self.inner.read(fleet, after, max_rows, visit)
    }

    fn snapshot_at_most(&mut self, fleet: FleetKey, position: u64) -> Result<LatestSnapshot, StoreError> {
        self.inner.snapshot_at_most(fleet, position)
    }

    fn get_document(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get_document(name)
    }

    fn verify(&mut self, fleet: FleetKey) -> Result<VerifyReport, StoreError> {
        self.inner.verify(fleet)
    }
}

impl Store for SqliteStore {
    fn open_fleet(&mut self, fleet: &str) -> Result<FleetHead, StoreError> {
        Refusal::name("fleet", fleet)?;
        self.change("open a fleet in", 0, |transaction| {
            let fleet = fleet::claim(transaction, fleet)?;
            record::check_end(transaction, &fleet)?;
            Ok(fleet.head())
        })
    }

    fn append(
        &mut self,
        fleet: FleetKey,
        epoch: u64,
        after: u64,
        rows: &RowBatch,
    ) -> Result<u64, StoreError> {
        rows.check()?;
        let bytes = rows.bytes() + rows.len() * ENVELOPE_BYTES;
        self.change("append to", bytes, |transaction| {
            let mut fleet = fleet::by_key(transaction, fleet)?;
            fleet.check(epoch, after)?;
            if !rows.is_empty() {
                record::append(transaction, &mut fleet, rows)?;
            }
            Ok(fleet.position)
        })
    }

    fn write_snapshot(
        &mut self,
        fleet: FleetKey,
        position: u64,
        format: u32,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let Self { inner: SqliteReader { connection, path, poison }, checkpointer, line, .. } = self;
        poison.check()?;
        let this = Change { doing: "write a snapshot to", path, line, poison };
        let written = snapshot::write(connection, checkpointer, &this, fleet, position, format, bytes);
        written.map_err(|failure| this.failed(failure))
    }

    fn put_document(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.change("write a document to", bytes.len(), |transaction| document::put(transaction, name, bytes))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.inner.poison.check()?;
        Ok(Box::new(SqliteReader::beside(self.inner.path.clone(), self.inner.poison.clone())?))
    }

    fn second(&self) -> Result<Box<dyn Store>, StoreError> {
        self.inner.poison.check()?;
        let (path, poison) = (self.inner.path.clone(), self.inner.poison.clone());
        let inner = SqliteReader { connection: open::writer(&path)?, path, poison };
        let (checkpointer, line) = (self.checkpointer.clone(), self.line.clone());
        Ok(Box::new(Self { inner, checkpointer, line, directory: self.directory.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn batch() -> RowBatch {
        let mut batch = RowBatch::new();
        batch.push(1, [1; 16], "ann", "noted", |body| body.extend_from_slice(b"{}"));
        batch
    }

    /// Three handles that ask SQLite once and never again: without the line most of their writes would fail.
    #[test]
    fn handles_of_one_storage_never_find_the_file_busy() {
        let place = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(&DataDir::lock(place.path()).unwrap()).unwrap();
        let head = store.open_fleet("default").unwrap();
        let hasty = |store: &SqliteStore| {
            let inner = SqliteReader::beside(store.inner.path.clone(), store.inner.poison.clone()).unwrap();
            let (checkpointer, line) = (store.checkpointer.clone(), store.line.clone());
            let mut second = SqliteStore { inner, checkpointer, line, directory: store.directory.clone() };
            second.inner.connection = open::writer(&store.inner.path).unwrap();
            second.inner.connection.busy_timeout(Duration::ZERO).unwrap();
            second
        };
        let (mut documents, mut snapshots) = (hasty(&store), hasty(&store));
        store.inner.connection.busy_timeout(Duration::ZERO).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                for after in 0..200 {
                    store.append(head.key, head.epoch, after, &batch()).unwrap();
                }
            });
            scope.spawn(|| {
                for number in 0..200_u32 {
                    documents.put_document("tokens", &number.to_le_bytes()).unwrap();
                }
            });
            scope.spawn(|| {
                for number in 0..20 {
                    snapshots.write_snapshot(head.key, 0, number, b"state").unwrap();
                }
            });
        });
        assert!(store.verify(head.key).unwrap().is_whole());
    }

    #[test]
    fn another_program_that_writes_for_long_is_told_and_does_no_harm() {
        let place = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(&DataDir::lock(place.path()).unwrap()).unwrap();
        let head = store.open_fleet("default").unwrap();
        store.inner.connection.busy_timeout(Duration::from_millis(20)).unwrap();
        let other = Connection::open(place.path().join(FILE)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let path = place.path().join(FILE);
        let told = format!(
            "append to {}: another program has been writing to it for more than 10 s; nothing has changed",
            path.display()
        );
        let busy = store.append(head.key, head.epoch, 0, &batch()).unwrap_err();
        assert!(matches!(&busy, StoreError::Busy(_)) && busy.to_string() == told, "{busy}");
        assert!(matches!(store.put_document("tokens", b"[]"), Err(StoreError::Busy(_))));
        assert!(matches!(store.write_snapshot(head.key, 0, 1, b""), Err(StoreError::Busy(_))));
        assert_eq!(store.fleet("default").unwrap(), Some(head), "it is read");
        other.execute_batch("COMMIT").unwrap();
        assert_eq!(store.append(head.key, head.epoch, 0, &batch()).unwrap(), 1);
        store.put_document("tokens", b"[]").unwrap();
        store.write_snapshot(head.key, 1, 1, b"").unwrap();
    }
}
