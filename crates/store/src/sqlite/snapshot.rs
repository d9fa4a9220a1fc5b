//! The tables of snapshots.
//!
//! A snapshot is written in parts, a transaction each, so that appends come in between; the row that makes it count is
//! written last, together with the removal of older ones. Parts without a row are what a crash left: the next snapshot
//! sweeps them away.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Change;
use super::checkpoint::Checkpointer;
use super::failure::Failure;
use super::fleet::{self, Fleet};
use crate::error::{Damage, DamageKind, Refusal};
use crate::limits::{SNAPSHOT_BYTES_MAX, SNAPSHOT_PART_BYTES, SNAPSHOTS_KEPT};
use crate::store::{FleetKey, LatestSnapshot, Snapshot};

/// What makes a snapshot count.
struct Header {
    position: u64,
    format: u32,
    size: u64,
    checksum: u32,
}

pub(super) fn write(
    connection: &mut Connection,
    checkpointer: &Checkpointer,
    change: &Change<'_>,
    key: FleetKey,
    position: u64,
    format: u32,
    bytes: &[u8],
) -> Result<(), Failure> {
    Refusal::over("bytes in a snapshot", bytes.len(), SNAPSHOT_BYTES_MAX)?;
    let fleet = fleet::by_key(connection, key)?;
    if position > fleet.position {
        return Err(Refusal::SnapshotAhead { given: position, durable: fleet.position }.into());
    }
    change.transact(connection, |transaction| clear_way(transaction, key, position))?;
    for (part, content) in bytes.chunks(SNAPSHOT_PART_BYTES).enumerate() {
        change.transact(connection, |transaction| write_part(transaction, key, position, part, content))?;
        checkpointer.wrote(connection, content.len())?;
    }
    let checksum = checksum(&fleet.name, position, format, bytes);
    let header = Header { position, format, size: bytes.len() as u64, checksum };
    Ok(change.transact(connection, |transaction| finish(transaction, key, &header))?)
}

/// Removes a former snapshot at this position and all parts that belong to no snapshot.
fn clear_way(transaction: &Connection, key: FleetKey, position: u64) -> Result<(), Failure> {
    let former = "DELETE FROM snapshot WHERE fleet = ?1 AND position = ?2";
    transaction.execute(former, params![key.0, position as i64])?;
    remove_orphans(transaction, key)
}

fn write_part(
    transaction: &Connection,
    key: FleetKey,
    position: u64,
    part: usize,
    content: &[u8],
) -> Result<(), Failure> {
    let sql = "INSERT INTO snapshot_part (fleet, position, part, content) VALUES (?1, ?2, ?3, ?4)";
    transaction.prepare_cached(sql)?.execute(params![key.0, position as i64, part as i64, content])?;
    Ok(())
}

fn finish(transaction: &Connection, key: FleetKey, header: &Header) -> Result<(), Failure> {
    let insert = "INSERT INTO snapshot (fleet, position, format, size, checksum) VALUES (?1, ?2, ?3, ?4, ?5)";
    let (position, size) = (header.position as i64, header.size as i64);
    transaction.execute(insert, params![key.0, position, header.format, size, header.checksum])?;
    let surplus = "DELETE FROM snapshot WHERE fleet = ?1 AND position NOT IN
                   (SELECT position FROM snapshot WHERE fleet = ?1 ORDER BY position DESC LIMIT ?2)";
    transaction.execute(surplus, params![key.0, SNAPSHOTS_KEPT as i64])?;
    remove_orphans(transaction, key)
}

fn remove_orphans(connection: &Connection, key: FleetKey) -> Result<(), Failure> {
    let sql = "DELETE FROM snapshot_part WHERE fleet = ?1 AND position NOT IN
               (SELECT position FROM snapshot WHERE fleet = ?1)";
    connection.execute(sql, [key.0])?;
    Ok(())
}

/// Returns the newest whole snapshot up to `at_most` and names the damaged ones between.
pub(super) fn latest(
    connection: &Connection,
    fleet: &Fleet,
    at_most: u64,
) -> Result<LatestSnapshot, Failure> {
    let mut latest = LatestSnapshot::default();
    for position in positions(connection, fleet.key)?.into_iter().filter(|&position| position <= at_most) {
        match load(connection, fleet, position) {
            Ok(snapshot) => {
                latest.snapshot = Some(snapshot);
                break;
            }
            Err(failure) => latest.skipped.push(as_damage(failure, fleet, position)?),
        }
    }
    Ok(latest)
}

/// Turns a failure to load a snapshot into a finding, unless it is one of the machine.
pub(super) fn as_damage(failure: Failure, fleet: &Fleet, position: u64) -> Result<Damage, Failure> {
    match (failure.corruption(), failure) {
        (Some(detail), _) => {
            Ok(Damage::snapshot(&fleet.name, position, DamageKind::FileUnreadable { detail }))
        }
        (None, Failure::Store(crate::StoreError::Damaged(damage))) => Ok(damage),
        (None, failure) => Err(failure),
    }
}

/// Returns the positions of all snapshots, newest first.
pub(super) fn positions(connection: &Connection, key: FleetKey) -> Result<Vec<u64>, Failure> {
    let sql = "SELECT position FROM snapshot WHERE fleet = ?1 ORDER BY position DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let positions = statement.query_map([key.0], |row| row.get::<_, i64>(0).map(|value| value as u64))?;
    Ok(positions.collect::<Result<_, _>>()?)
}

pub(super) fn load(connection: &Connection, fleet: &Fleet, position: u64) -> Result<Snapshot, Failure> {
    let damage = || Damage::snapshot(&fleet.name, position, DamageKind::ContentChanged);
    let header = header(connection, fleet.key, position)?.ok_or_else(damage)?;
    if header.size > SNAPSHOT_BYTES_MAX as u64 {
        return Err(damage().into());
    }
    let bytes = content(connection, fleet.key, &header)?;
    if bytes.len() as u64 != header.size
        || checksum(&fleet.name, position, header.format, &bytes) != header.checksum
    {
        return Err(damage().into());
    }
    Ok(Snapshot { position, format: header.format, bytes })
}

fn header(connection: &Connection, key: FleetKey, position: u64) -> Result<Option<Header>, Failure> {
    let sql = "SELECT format, size, checksum FROM snapshot WHERE fleet = ?1 AND position = ?2";
    let decode = |row: &rusqlite::Row<'_>| {
        // Out-of-range numbers become 0, which the checksum then finds out.
        let number = |index| row.get::<_, i64>(index);
        Ok(Header {
            position,
            format: u32::try_from(number(0)?).unwrap_or(0),
            size: number(1)? as u64,
            checksum: u32::try_from(number(2)?).unwrap_or(0),
        })
    };
    Ok(connection.prepare_cached(sql)?.query_row(params![key.0, position as i64], decode).optional()?)
}

fn content(connection: &Connection, key: FleetKey, header: &Header) -> Result<Vec<u8>, Failure> {
    let sql = "SELECT content FROM snapshot_part WHERE fleet = ?1 AND position = ?2 ORDER BY part";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![key.0, header.position as i64])?;
    let mut bytes = Vec::with_capacity(header.size as usize);
    while let Some(row) = rows.next()? {
        if let Ok(part) = row.get_ref(0)?.as_blob() {
            bytes.extend_from_slice(part);
        }
    }
    Ok(bytes)
}

/// Covers the header too, so that a snapshot of one fleet or place cannot pass as that of another.
fn checksum(fleet: &str, position: u64, format: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(fleet.as_bytes());
    hasher.update(&position.to_le_bytes());
    hasher.update(&format.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}
