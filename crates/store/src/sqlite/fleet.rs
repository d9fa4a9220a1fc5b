//! The table of fleets: who owns each, and where its log ends.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::failure::Failure;
use crate::chain::Chain;
use crate::error::{Conflict, Damage, DamageKind, Fenced, UnknownFleet};
use crate::store::{FleetHead, FleetKey};

/// One row of the table.
pub(super) struct Fleet {
    pub key: FleetKey,
    pub name: String,
    pub epoch: u64,
    pub position: u64,
    pub checksum: u64,
}

impl Fleet {
    pub(super) fn head(&self) -> FleetHead {
        FleetHead { key: self.key, epoch: self.epoch, position: self.position }
    }

    /// Returns what the next row must fit. The epoch is that of the present owner, who is about to write.
    pub(super) fn end(&self) -> Chain {
        Chain { position: self.position, epoch: self.epoch, checksum: self.checksum }
    }

    pub(super) fn damage(&self, position: u64, kind: DamageKind) -> Damage {
        Damage::log(&self.name, position, kind)
    }

    /// Refuses an owner that is not the present one, then an append that does not begin at the end.
    pub(super) fn check(&self, epoch: u64, after: u64) -> Result<(), Failure> {
        if epoch != self.epoch {
            return Err(Fenced { fleet: self.name.clone(), given: epoch, current: self.epoch }.into());
        }
        if after != self.position {
            return Err(Conflict { fleet: self.name.clone(), expected: after, found: self.position }.into());
        }
        Ok(())
    }
}

pub(super) fn names(connection: &Connection) -> Result<Vec<String>, Failure> {
    let mut statement = connection.prepare_cached("SELECT name FROM fleet ORDER BY name")?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

pub(super) fn by_name(connection: &Connection, name: &str) -> Result<Option<Fleet>, Failure> {
    let sql = "SELECT id, name, epoch, position, checksum FROM fleet WHERE name = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([name], decode).optional()?)
}

pub(super) fn by_key(connection: &Connection, key: FleetKey) -> Result<Fleet, Failure> {
    let sql = "SELECT id, name, epoch, position, checksum FROM fleet WHERE id = ?1";
    let found = connection.prepare_cached(sql)?.query_row([key.0], decode).optional()?;
    found.ok_or_else(|| UnknownFleet { key: key.0 }.into())
}

/// Gives the fleet to a new owner; makes it where it is not there.
pub(super) fn claim(connection: &Connection, name: &str) -> Result<Fleet, Failure> {
    let sql = "INSERT INTO fleet (name, epoch, position, checksum) VALUES (?1, 1, 0, ?2)
               ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1
               RETURNING id, name, epoch, position, checksum";
    let start = Chain::start(name).checksum as i64;
    Ok(connection.prepare_cached(sql)?.query_row(params![name, start], decode)?)
}

/// Moves the end of the log.
pub(super) fn advance(connection: &Connection, key: FleetKey, end: Chain) -> Result<(), Failure> {
    let sql = "UPDATE fleet SET position = ?2, checksum = ?3 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![key.0, end.position as i64, end.checksum as i64])?;
    Ok(())
}

fn decode(row: &Row<'_>) -> rusqlite::Result<Fleet> {
    let number = |index| row.get::<_, i64>(index).map(|value| value as u64);
    Ok(Fleet {
        key: FleetKey(row.get(0)?),
        name: row.get(1)?,
        epoch: number(2)?,
        position: number(3)?,
        checksum: number(4)?,
    })
}
