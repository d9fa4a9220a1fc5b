//! The embedded engine: one SQLite file, `kapell.db`, in a data directory.
//!
//! One transaction per batch, flushed at commit (`synchronous = FULL` over a write-ahead log). The tables are in
//! `schema_1.sql`; `sqlite3 kapell.db 'select * from log'` shows the log to a person. What closes which door, and why,
//! is in `docs/adr/0001-log-in-sqlite.md`.
//!
//! The owner's handle, further writing handles and readers each have a connection of their own: readers never wait for
//! the writer, nor it for them.

mod checkpoint;
mod document;
mod failure;
mod fleet;
mod open;
mod record;
mod snapshot;
mod verify;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, TransactionBehavior};

use crate::batch::{Row, RowBatch};
use crate::data_dir::DataDir;
use crate::error::{Refusal, StoreError};
use crate::poison::Poison;
use crate::report::VerifyReport;
use crate::store::{FleetHead, FleetKey, LatestSnapshot, Reader, Store};

use checkpoint::Checkpointer;
use failure::Failure;

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
/// The fields are dropped in this order: connection, checkpoint thread, lock.
#[derive(Debug)]
pub struct SqliteStore {
    inner: SqliteReader,
    checkpointer: Arc<Checkpointer>,
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

fn transact<T>(
    connection: &mut Connection,
    change: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let result = change(&transaction)?;
    transaction.commit()?;
    Ok(result)
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
        Ok(Self { inner, checkpointer, directory: directory.clone() })
    }

    /// Makes one durable transaction of `change`, which writes about `bytes`.
    fn change<T>(
        &mut self,
        doing: &'static str,
        bytes: usize,
        change: impl FnOnce(&Connection) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.inner.poison.check()?;
        let changed = transact(&mut self.inner.connection, change).and_then(|result| {
            self.checkpointer.wrote(&self.inner.connection, bytes + 2 * open::PAGE_BYTES)?;
            Ok(result)
        });
        self.written(doing, changed)
    }

    /// Passes a write's result on; a failure of the disk or the file is the end of this storage.
    fn written<T>(&self, doing: &'static str, result: Result<T, Failure>) -> Result<T, StoreError> {
        result.map_err(|failure| match failure {
            Failure::Sqlite(_) => self.inner.poison.set(failure.while_doing(doing, &self.inner.path)),
            Failure::Store(error) => error,
        })
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
        self.inner.poison.check()?;
        let written =
            snapshot::write(&mut self.inner.connection, &self.checkpointer, fleet, position, format, bytes);
        self.written("write a snapshot to", written)
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
        let (checkpointer, directory) = (self.checkpointer.clone(), self.directory.clone());
        Ok(Box::new(Self { inner, checkpointer, directory }))
    }
}
