//! The table of records: adding behind the end, reading from any place.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::failure::Failure;
use super::fleet::{self, Fleet};
use crate::batch::{Row, RowBatch};
use crate::chain::Chain;
use crate::error::DamageKind;
use crate::limits::READ_BYTES_MAX;
use crate::store::FleetKey;

const INSERT: &str =
    "INSERT INTO record (fleet, position, epoch, at_ms, command, actor, kind, body, checksum)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const SELECT: &str = "SELECT position, epoch, at_ms, command, actor, kind, body, checksum FROM record
                      WHERE fleet = ?1 AND position > ?2 AND position <= ?3 ORDER BY position LIMIT ?4";

/// A record as it is stored, with its checksum.
pub(super) type Stored<'a> = (Row<'a>, u64);

/// A record that has a value in it which cannot be there.
pub(super) struct Unreadable {
    pub position: Option<u64>,
    pub field: &'static str,
    pub checksum: Option<u64>,
}

/// Adds a batch behind the fleet's end and moves the end. Runs inside the caller's transaction.
pub(super) fn append(connection: &Connection, fleet: &mut Fleet, rows: &RowBatch) -> Result<(), Failure> {
    let mut end = fleet.end();
    let mut insert = connection.prepare_cached(INSERT)?;
    insert.raw_bind_parameter(1, fleet.key.0)?;
    insert.raw_bind_parameter(3, fleet.epoch as i64)?;
    for row in rows.rows(fleet.epoch, fleet.position) {
        let checksum = end.extend(&row);
        insert.raw_bind_parameter(2, row.position as i64)?;
        insert.raw_bind_parameter(4, row.at_ms)?;
        insert.raw_bind_parameter(5, &row.command[..])?;
        insert.raw_bind_parameter(6, row.actor)?;
        insert.raw_bind_parameter(7, row.kind)?;
        insert.raw_bind_parameter(8, Text(row.body))?;
        insert.raw_bind_parameter(9, checksum as i64)?;
        insert.raw_execute()?;
    }
    fleet.advance(end);
    fleet::update(connection, fleet)
}

/// Bytes that are known to be UTF-8: the batch was checked as a whole.
struct Text<'a>(&'a [u8]);

impl ToSql for Text<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}

/// Shows the rows behind `after`, each verified first, and returns the position of the last one.
pub(super) fn read(
    connection: &Connection,
    fleet: &Fleet,
    after: u64,
    max_rows: usize,
    visit: &mut dyn FnMut(Row<'_>),
) -> Result<u64, Failure> {
    if after >= fleet.position || max_rows == 0 {
        return Ok(after);
    }
    let mut chain = chain_at(connection, fleet, after)?;
    let (mut rows, mut bytes) = (0, 0);
    scan(connection, fleet.key, after, fleet.position, max_rows, |stored| {
        let (row, checksum) = stored.map_err(|unreadable| {
            let position = unreadable.position.unwrap_or(chain.position + 1);
            fleet.damage(position, DamageKind::FieldUnreadable { field: unreadable.field })
        })?;
        let position = chain.position + 1;
        chain.accept(&row, checksum).map_err(|kind| fleet.damage(position, kind))?;
        rows += 1;
        bytes += row.body.len();
        visit(row);
        Ok(bytes < READ_BYTES_MAX)
    })?;
    if rows < max_rows && bytes < READ_BYTES_MAX && chain.position < fleet.position {
        return Err(fleet.damage(chain.position + 1, DamageKind::EndMissing { head: fleet.position }).into());
    }
    Ok(chain.position)
}

/// Shows the stored rows with `after < position <= end`, up to `max_rows` of them, until `visit` answers false.
pub(super) fn scan(
    connection: &Connection,
    fleet: FleetKey,
    after: u64,
    end: u64,
    max_rows: usize,
    mut visit: impl FnMut(Result<Stored<'_>, Unreadable>) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(SELECT)?;
    let limit = i64::try_from(max_rows).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![fleet.0, after as i64, end as i64, limit])?;
    while let Some(row) = rows.next()? {
        if !visit(decode(row))? {
            break;
        }
    }
    Ok(())
}

/// Says whether the log has rows behind its end.
pub(super) fn has_surplus(connection: &Connection, fleet: &Fleet) -> Result<bool, Failure> {
    let sql = "SELECT EXISTS (SELECT 1 FROM record WHERE fleet = ?1 AND position > ?2)";
    Ok(connection
        .prepare_cached(sql)?
        .query_row(params![fleet.key.0, fleet.position as i64], |row| row.get(0))?)
}

/// Refuses a log whose end is not the one that was acknowledged last.
pub(super) fn check_end(connection: &Connection, fleet: &Fleet) -> Result<(), Failure> {
    if has_surplus(connection, fleet)? {
        let kind = DamageKind::EndUnknown { head: fleet.position };
        return Err(fleet.damage(fleet.position + 1, kind).into());
    }
    if chain_at(connection, fleet, fleet.position)?.checksum != fleet.checksum {
        return Err(fleet.damage(fleet.position, DamageKind::LinkBroken).into());
    }
    Ok(())
}

/// Returns what the row behind `position` must fit.
fn chain_at(connection: &Connection, fleet: &Fleet, position: u64) -> Result<Chain, Failure> {
    if position == 0 {
        return Ok(Chain::start(&fleet.name));
    }
    let sql = "SELECT epoch, checksum FROM record WHERE fleet = ?1 AND position = ?2";
    let found: Option<(i64, i64)> = connection
        .prepare_cached(sql)?
        .query_row(params![fleet.key.0, position as i64], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match found {
        Some((epoch, checksum)) => Ok(Chain { position, epoch: epoch as u64, checksum: checksum as u64 }),
        None => Err(fleet.damage(position, DamageKind::EndMissing { head: fleet.position }).into()),
    }
}

fn decode<'a>(row: &'a rusqlite::Row<'_>) -> Result<Stored<'a>, Unreadable> {
    let number = |index: usize| row.get::<_, i64>(index).ok();
    let position = number(0).map(|value| value as u64);
    let checksum = number(7).map(|value| value as u64);
    let bad = |field| Unreadable { position, field, checksum };
    let text = |index, field| {
        row.get_ref(index).ok().and_then(|value| value.as_str().ok()).ok_or_else(|| bad(field))
    };
    let stored = Row {
        position: position.ok_or_else(|| bad("position"))?,
        epoch: number(1).ok_or_else(|| bad("epoch"))? as u64,
        at_ms: number(2).ok_or_else(|| bad("at_ms"))?,
        command: row.get(3).map_err(|_| bad("command"))?,
        actor: text(4, "actor")?,
        kind: text(5, "kind")?,
        body: match row.get_ref(6) {
            Ok(ValueRef::Text(bytes)) => bytes,
            Ok(_) | Err(_) => return Err(bad("body")),
        },
    };
    Ok((stored, checksum.ok_or_else(|| bad("checksum"))?))
}
