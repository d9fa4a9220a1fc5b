//! Walking through everything that a fleet has stored.

use std::path::Path;

use rusqlite::Connection;

use super::failure::{Failure, file_damage};
use super::fleet::{self, Fleet};
use super::{record, snapshot};
use crate::report::{Verifier, VerifyReport};
use crate::store::FleetKey;

/// Rows per transaction: a long one would keep the write-ahead log from being emptied.
const STEP_ROWS: usize = 50_000;

pub(super) fn verify(
    connection: &mut Connection,
    path: &Path,
    key: FleetKey,
) -> Result<VerifyReport, Failure> {
    let (fleet, surplus) = ends(connection, key)?;
    let mut verifier = Verifier::new(&fleet.name, fleet.position, fleet.checksum);
    let walked = walk(connection, &fleet, &mut verifier);
    let mut report = verifier.finish(surplus);
    if let Err(failure) = walked {
        let detail = failure.corruption().ok_or(failure)?;
        report.note(file_damage(path, detail));
    }
    verify_snapshots(connection, &fleet, &mut report)?;
    verify_file(connection, path, &mut report)?;
    Ok(report)
}

/// Reads the acknowledged end and what lies behind it, at one moment.
fn ends(connection: &mut Connection, key: FleetKey) -> Result<(Fleet, bool), Failure> {
    let transaction = connection.transaction()?;
    let fleet = fleet::by_key(&transaction, key)?;
    let surplus = record::has_surplus(&transaction, &fleet)?;
    Ok((fleet, surplus))
}

fn walk(connection: &Connection, fleet: &Fleet, verifier: &mut Verifier) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let mut last = after;
        record::scan(connection, fleet.key, after, fleet.position, STEP_ROWS, |stored| {
            match stored {
                Ok((row, checksum)) => {
                    last = row.position;
                    verifier.row(&row, checksum);
                }
                Err(unreadable) => {
                    last = unreadable.position.unwrap_or(last + 1);
                    verifier.unreadable(last, unreadable.field, unreadable.checksum);
                }
            }
            Ok(true)
        })?;
        if last == after {
            return Ok(());
        }
        after = last;
    }
}

fn verify_snapshots(
    connection: &Connection,
    fleet: &Fleet,
    report: &mut VerifyReport,
) -> Result<(), Failure> {
    for position in snapshot::positions(connection, fleet.key)? {
        match snapshot::load(connection, fleet, position) {
            Ok(_) => report.snapshots.push(position),
            Err(failure) => report.note(snapshot::as_damage(failure, fleet, position)?),
        }
    }
    Ok(())
}

/// Lets SQLite check its own structure: pages, order, counts.
fn verify_file(connection: &Connection, path: &Path, report: &mut VerifyReport) -> Result<(), Failure> {
    let mut statement = connection.prepare("PRAGMA quick_check(20)")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    for line in lines.collect::<Result<Vec<_>, _>>()? {
        if line != "ok" {
            report.note(file_damage(path, line));
        }
    }
    Ok(())
}

/// Refuses a file in which one of the small tables cannot be trusted: there, what is lost would look as if it had
/// never been. The log itself is verified as it is read.
pub(super) fn verify_small_tables(connection: &Connection, path: &Path) -> Result<(), Failure> {
    fleet::names(connection)?;
    for table in ["fleet", "snapshot", "document"] {
        let check = format!("PRAGMA integrity_check({table})");
        let line: String = connection.query_row(&check, [], |row| row.get(0))?;
        if line != "ok" {
            return Err(file_damage(path, line).into());
        }
    }
    Ok(())
}
