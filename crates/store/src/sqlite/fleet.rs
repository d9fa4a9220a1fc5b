//! The table of fleets: who owns each, and where its log ends. Each entry is sealed with a checksum of its own.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::failure::Failure;
use crate::chain::Chain;
use crate::error::{Conflict, Damage, DamageKind, DamagePlace, Fenced, UnknownFleet};
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

    /// Moves the end of the log.
    pub(super) fn advance(&mut self, end: Chain) {
        self.position = end.position;
        self.checksum = end.checksum;
    }

    fn seal(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.key.0.to_le_bytes());
        hasher.update(&self.epoch.to_le_bytes());
        hasher.update(&self.position.to_le_bytes());
        hasher.update(&self.checksum.to_le_bytes());
        hasher.update(self.name.as_bytes());
        hasher.finalize()
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

/// Returns the names of all fleets, sorted; refuses where one entry is not as it was written.
pub(super) fn names(connection: &Connection) -> Result<Vec<String>, Failure> {
    let sql = "SELECT id, name, epoch, position, checksum, seal FROM fleet ORDER BY name";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_map([], decode)?;
    found.map(|entry| Ok(sealed(entry?)?.name)).collect()
}

pub(super) fn by_name(connection: &Connection, name: &str) -> Result<Option<Fleet>, Failure> {
    let sql = "SELECT id, name, epoch, position, checksum, seal FROM fleet WHERE name = ?1";
    connection.prepare_cached(sql)?.query_row([name], decode).optional()?.map(sealed).transpose()
}

pub(super) fn by_key(connection: &Connection, key: FleetKey) -> Result<Fleet, Failure> {
    let sql = "SELECT id, name, epoch, position, checksum, seal FROM fleet WHERE id = ?1";
    let found = connection.prepare_cached(sql)?.query_row([key.0], decode).optional()?;
    found.map_or_else(|| Err(UnknownFleet { key: key.0 }.into()), sealed)
}

/// Gives the fleet to a new owner; makes it where it is not there.
pub(super) fn claim(connection: &Connection, name: &str) -> Result<Fleet, Failure> {
    match by_name(connection, name)? {
        Some(mut fleet) => {
            fleet.epoch += 1;
            update(connection, &fleet)?;
            Ok(fleet)
        }
        None => make(connection, name),
    }
}

fn make(connection: &Connection, name: &str) -> Result<Fleet, Failure> {
    let key = connection.query_row("SELECT coalesce(max(id), 0) + 1 FROM fleet", [], |row| row.get(0))?;
    let start = Chain::start(name).checksum;
    let fleet = Fleet { key: FleetKey(key), name: name.to_owned(), epoch: 1, position: 0, checksum: start };
    let sql = "INSERT INTO fleet (id, name, epoch, position, checksum, seal) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (epoch, position) = (fleet.epoch as i64, fleet.position as i64);
    connection.execute(sql, params![key, name, epoch, position, start as i64, fleet.seal()])?;
    Ok(fleet)
}

/// Writes owner and end of log.
pub(super) fn update(connection: &Connection, fleet: &Fleet) -> Result<(), Failure> {
    let sql = "UPDATE fleet SET epoch = ?2, position = ?3, checksum = ?4, seal = ?5 WHERE id = ?1";
    let (epoch, position, checksum) = (fleet.epoch as i64, fleet.position as i64, fleet.checksum as i64);
    connection.prepare_cached(sql)?.execute(params![fleet.key.0, epoch, position, checksum, fleet.seal()])?;
    Ok(())
}

/// Refuses the fleet where its entry is not as it was written.
fn sealed((fleet, seal): (Fleet, i64)) -> Result<Fleet, Failure> {
    if seal == i64::from(fleet.seal()) {
        return Ok(fleet);
    }
    Err(Damage { place: DamagePlace::Fleet { name: fleet.name }, kind: DamageKind::ContentChanged }.into())
}

fn decode(row: &Row<'_>) -> rusqlite::Result<(Fleet, i64)> {
    let number = |index| row.get::<_, i64>(index).map(|value| value as u64);
    let fleet = Fleet {
        key: FleetKey(row.get(0)?),
        name: row.get(1)?,
        epoch: number(2)?,
        position: number(3)?,
        checksum: number(4)?,
    };
    Ok((fleet, row.get(5)?))
}
