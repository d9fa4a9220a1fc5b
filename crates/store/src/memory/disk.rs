//! What lies on the memory disk.

use std::collections::BTreeMap;

use crate::batch::{Row, RowBatch};
use crate::chain::Chain;
use crate::error::{Conflict, Damage, DamageKind, Fenced, Refusal, StoreError, UnknownFleet};
use crate::limits::{READ_BYTES_MAX, SNAPSHOT_BYTES_MAX, SNAPSHOTS_KEPT};
use crate::mutation::mutated;
use crate::report::{Verifier, VerifyReport};
use crate::store::{FleetHead, FleetKey, LatestSnapshot, Snapshot};

/// Everything that is stored.
#[derive(Debug, Default)]
pub(super) struct Disk {
    pub fleets: Vec<FleetLog>,
    pub documents: BTreeMap<String, Vec<u8>>,
}

impl Disk {
    pub(super) fn fleet_names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.fleets.iter().map(|log| log.name.clone()).collect();
        names.sort();
        names
    }

    pub(super) fn find(&self, fleet: &str) -> Option<FleetKey> {
        self.fleets.iter().position(|log| log.name == fleet).map(|index| FleetKey(index as u32))
    }

    pub(super) fn find_or_make(&mut self, fleet: &str) -> FleetKey {
        self.find(fleet).unwrap_or_else(|| {
            self.fleets.push(FleetLog::new(fleet));
            FleetKey(self.fleets.len() as u32 - 1)
        })
    }

    pub(super) fn fleet(&self, key: FleetKey) -> Result<&FleetLog, StoreError> {
        self.fleets.get(key.0 as usize).ok_or_else(|| UnknownFleet { key: key.0 }.into())
    }

    pub(super) fn fleet_mut(&mut self, key: FleetKey) -> Result<&mut FleetLog, StoreError> {
        self.fleets.get_mut(key.0 as usize).ok_or_else(|| UnknownFleet { key: key.0 }.into())
    }

    pub(super) fn damage_snapshot(&mut self, fleet: &str) -> bool {
        let newest = self.find(fleet).and_then(|key| self.fleets[key.0 as usize].snapshots.last_mut());
        newest.is_some_and(|(_, checksum)| {
            *checksum ^= 1;
            true
        })
    }

    pub(super) fn damage_row(&mut self, fleet: &str, position: u64) -> bool {
        let log = self.find(fleet).map(|key| &mut self.fleets[key.0 as usize]);
        let checksum = log.and_then(|log| log.checksums.get_mut(position.checked_sub(1)? as usize));
        checksum.is_some_and(|checksum| {
            *checksum ^= 1;
            true
        })
    }
}

/// One fleet: its rows, of which those up to the head's position count, and its snapshots.
#[derive(Debug)]
pub(super) struct FleetLog {
    name: String,
    epoch: u64,
    head: Chain,
    rows: RowBatch,
    epochs: Vec<u64>,
    checksums: Vec<u64>,
    /// With their checksums, oldest first.
    snapshots: Vec<(Snapshot, u32)>,
}

impl FleetLog {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            epoch: 0,
            head: Chain::start(name),
            rows: RowBatch::new(),
            epochs: Vec::new(),
            checksums: Vec::new(),
            snapshots: Vec::new(),
        }
    }

    pub(super) fn head(&self, key: FleetKey) -> FleetHead {
        FleetHead { key, epoch: self.epoch, position: self.head.position }
    }

    /// Throws away what no head covers and gives the fleet to a new owner.
    pub(super) fn open(&mut self, key: FleetKey) -> Result<FleetHead, StoreError> {
        self.discard_uncommitted();
        if let Some(stored) = self.checksums.last()
            && *stored != self.head.checksum
        {
            return Err(Damage::log(&self.name, self.head.position, DamageKind::LinkBroken).into());
        }
        self.epoch += 1;
        Ok(self.head(key))
    }

    /// Writes the first `count` rows of a batch behind the head, which does not move.
    pub(super) fn write(
        &mut self,
        epoch: u64,
        after: u64,
        batch: &RowBatch,
        count: usize,
    ) -> Result<(), StoreError> {
        if epoch != self.epoch && !mutated!(EpochUnchecked) {
            return Err(Fenced { fleet: self.name.clone(), given: epoch, current: self.epoch }.into());
        }
        if after != self.head.position {
            return Err(
                Conflict { fleet: self.name.clone(), expected: after, found: self.head.position }.into()
            );
        }
        self.discard_uncommitted();
        let mut chain = self.head;
        let count = count - usize::from(mutated!(LastRowLost) && count > 1);
        for (index, row) in batch.rows(epoch, after).take(count).enumerate() {
            self.checksums.push(chain.extend(&row));
            self.epochs.push(epoch);
            self.rows.push_from(batch, index);
        }
        Ok(())
    }

    /// Moves the head over all rows and returns its position.
    pub(super) fn commit(&mut self) -> u64 {
        if let (Some(epoch), Some(checksum)) = (self.epochs.last(), self.checksums.last()) {
            self.head = Chain { position: self.rows.len() as u64, epoch: *epoch, checksum: *checksum };
        }
        self.head.position
    }

    fn discard_uncommitted(&mut self) {
        if mutated!(TornRowsCount) {
            self.commit();
            return;
        }
        let rows = self.head.position as usize;
        self.rows.truncate(rows);
        self.epochs.truncate(rows);
        self.checksums.truncate(rows);
    }

    pub(super) fn read(
        &self,
        after: u64,
        max_rows: usize,
        visit: &mut dyn FnMut(Row<'_>),
    ) -> Result<u64, StoreError> {
        if after >= self.head.position {
            return Ok(after);
        }
        let mut chain = self.chain_at(after);
        let mut bytes = 0;
        let end = after.saturating_add(max_rows as u64).min(self.head.position);
        for position in after + 1..=end {
            let (row, stored) = self.stored(position);
            chain.accept(&row, stored).map_err(|kind| Damage::log(&self.name, position, kind))?;
            bytes += row.body.len();
            visit(row);
            if bytes >= READ_BYTES_MAX {
                break;
            }
        }
        Ok(chain.position)
    }

    fn chain_at(&self, position: u64) -> Chain {
        if position == 0 {
            return Chain::start(&self.name);
        }
        let (row, checksum) = self.stored(position);
        Chain { position, epoch: row.epoch, checksum }
    }

    fn stored(&self, position: u64) -> (Row<'_>, u64) {
        let index = position as usize - 1;
        (self.rows.row(index, self.epochs[index], position), self.checksums[index])
    }

    pub(super) fn verify(&self) -> VerifyReport {
        let mut verifier = Verifier::new(&self.name, self.head.position, self.head.checksum);
        for position in 1..=self.head.position {
            let (row, stored) = self.stored(position);
            verifier.row(&row, stored);
        }
        let mut report = verifier.finish(false);
        for (snapshot, checksum) in self.snapshots.iter().rev() {
            match self.check_snapshot(snapshot, *checksum) {
                Ok(()) => report.snapshots.push(snapshot.position),
                Err(damage) => report.note(damage),
            }
        }
        report
    }

    pub(super) fn write_snapshot(
        &mut self,
        position: u64,
        format: u32,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        Refusal::over("bytes in a snapshot", bytes.len(), SNAPSHOT_BYTES_MAX)?;
        if position > self.head.position {
            return Err(Refusal::SnapshotAhead { given: position, durable: self.head.position }.into());
        }
        self.snapshots.retain(|(snapshot, _)| snapshot.position != position);
        self.snapshots.push((Snapshot { position, format, bytes: bytes.to_vec() }, crc32fast::hash(bytes)));
        self.snapshots.sort_by_key(|(snapshot, _)| snapshot.position);
        let surplus = self.snapshots.len().saturating_sub(SNAPSHOTS_KEPT);
        self.snapshots.drain(..surplus);
        Ok(())
    }

    pub(super) fn snapshot_at_most(&self, position: u64) -> LatestSnapshot {
        let mut latest = LatestSnapshot::default();
        let up_to = self.snapshots.iter().rev().filter(|(snapshot, _)| snapshot.position <= position);
        for (snapshot, checksum) in up_to {
            match self.check_snapshot(snapshot, *checksum) {
                Err(damage) => latest.skipped.push(damage),
                Ok(()) => {
                    latest.snapshot = Some(snapshot.clone());
                    break;
                }
            }
        }
        latest
    }

    fn check_snapshot(&self, snapshot: &Snapshot, checksum: u32) -> Result<(), Damage> {
        if crc32fast::hash(&snapshot.bytes) == checksum {
            return Ok(());
        }
        Err(Damage::snapshot(&self.name, snapshot.position, DamageKind::ContentChanged))
    }
}
