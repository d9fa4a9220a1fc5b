//! Opening the file: its format, its settings, and the first time.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::failure::Failure;
use crate::error::{FormatUnknown, StoreError, Unavailable};

/// The format that this version writes, kept in the file as `user_version`.
pub(super) const FORMAT: i64 = 1;

/// "Kapl", kept in the file as `application_id`.
pub(super) const APPLICATION: i64 = 0x4b61_706c;

const SCHEMA: &str = include_str!("schema_1.sql");

/// Fits some forty records to a page: fewer, larger writes for large batches, and still one small page for a small one.
pub(super) const PAGE_BYTES: usize = 8192;

/// How long a write waits for another program; handles of the same storage take turns.
pub(super) const BUSY: Duration = Duration::from_secs(10);

/// Opens the file for reading and writing; makes it where it is not there or empty.
pub(super) fn writer(path: &Path) -> Result<Connection, StoreError> {
    make_file(path)?;
    let opened = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        if is_fresh(&connection)? {
            create(&mut connection)?;
        }
        check_format(&connection, path)?;
        settings(&connection)?;
        Ok(connection)
    };
    opened().map_err(|failure: Failure| failure.while_doing("open", path))
}

/// Opens the file for reading only.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let opened = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        check_format(&connection, path)?;
        connection.execute_batch("PRAGMA cache_size = -8192; PRAGMA trusted_schema = OFF;")?;
        Ok(connection)
    };
    opened().map_err(|failure: Failure| failure.while_doing("open", path))
}

/// The database holds hashes of tokens: it is its owner's alone. SQLite gives the same mode to the files beside it.
fn make_file(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map_err(|source| Unavailable { doing: "open", path: path.to_owned(), source: Box::new(source) })?;
    Ok(())
}

fn is_fresh(connection: &Connection) -> Result<bool, Failure> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && pragma(connection, "application_id")? == 0 && pragma(connection, "user_version")? == 0)
}

/// All in one transaction, format version included: a crash leaves either nothing or everything. Two handles may come
/// here at once; the second finds the work done.
fn create(connection: &mut Connection) -> Result<(), Failure> {
    connection.execute_batch(&format!("PRAGMA page_size = {PAGE_BYTES}; PRAGMA journal_mode = WAL;"))?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if is_fresh(&transaction)? {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.commit()?;
    }
    Ok(())
}

fn check_format(connection: &Connection, path: &Path) -> Result<(), Failure> {
    let application = pragma(connection, "application_id")?;
    let version = pragma(connection, "user_version")?;
    let path = path.to_owned();
    if application != APPLICATION {
        return Err(StoreError::from(FormatUnknown::Foreign { path, found: application }).into());
    }
    if version != FORMAT {
        return Err(StoreError::from(FormatUnknown::Newer { path, found: version, known: FORMAT }).into());
    }
    Ok(())
}

/// `FULL` flushes the write-ahead log at each commit; `fullfsync` makes the flush real on macOS. The log is moved into
/// the main file by the checkpointer.
fn settings(connection: &Connection) -> Result<(), Failure> {
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA fullfsync = ON;
         PRAGMA checkpoint_fullfsync = ON;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -65536;
         PRAGMA trusted_schema = OFF;",
    )?;
    Ok(())
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, Failure> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}
