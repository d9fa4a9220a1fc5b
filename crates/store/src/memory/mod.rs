//! The engine that keeps everything in memory: for tests and for the simulator.
//!
//! The disk outlives its handles: dropping a [`MemoryStore`] is a crash, and [`MemoryDisk::open`] is the restart.
//! A row counts when the fleet's head has moved over it. Rows behind the head are what a crash in the middle of a
//! transaction leaves; opening the fleet throws them away, as the journal of a database would.

mod disk;

use std::sync::{Arc, RwLock};

use crate::batch::{Row, RowBatch};
use crate::error::{Refusal, StoreError};
use crate::faulty::Tearable;
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::report::VerifyReport;
use crate::store::{FleetHead, FleetKey, LatestSnapshot, Reader, Store};

use disk::Disk;

/// A storage in memory. Clones are the same storage.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk(Arc<RwLock<Disk>>);

impl MemoryDisk {
    /// Returns an empty storage.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a handle on the storage.
    pub fn open(&self) -> MemoryStore {
        MemoryStore(self.clone())
    }

    /// Changes a byte of a fleet's newest snapshot, as a failing disk would, and says whether there was one.
    pub fn damage_snapshot(&self, fleet: &str) -> bool {
        self.change(|disk| disk.damage_snapshot(fleet))
    }

    /// Changes a byte of a row's body, as a failing disk would, and says whether there was one.
    pub fn damage_row(&self, fleet: &str, position: u64) -> bool {
        self.change(|disk| disk.damage_row(fleet, position))
    }

    fn look<T>(&self, look: impl FnOnce(&Disk) -> T) -> T {
        look(&self.0.read().expect("no writer of the memory disk has panicked"))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Disk) -> T) -> T {
        change(&mut self.0.write().expect("no writer of the memory disk has panicked"))
    }
}

/// A handle on a [`MemoryDisk`].
#[derive(Debug)]
pub struct MemoryStore(MemoryDisk);

impl Reader for MemoryStore {
    fn fleets(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(self.0.look(Disk::fleet_names))
    }

    fn fleet(&mut self, fleet: &str) -> Result<Option<FleetHead>, StoreError> {
        Ok(self.0.look(|disk| disk.find(fleet).map(|key| disk.fleets[key.0 as usize].head(key))))
    }

    fn read(
        &mut self,
        fleet: FleetKey,
        after: u64,
        max_rows: usize,
        visit: &mut dyn FnMut(Row<'_>),
    ) -> Result<u64, StoreError> {
        self.0.look(|disk| disk.fleet(fleet)?.read(after, max_rows, visit))
    }

    fn snapshot_at_most(&mut self, fleet: FleetKey, position: u64) -> Result<LatestSnapshot, StoreError> {
        self.0.look(|disk| Ok(disk.fleet(fleet)?.snapshot_at_most(position)))
    }

    fn get_document(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.look(|disk| disk.documents.get(name).cloned()))
    }

    fn verify(&mut self, fleet: FleetKey) -> Result<VerifyReport, StoreError> {
        self.0.look(|disk| Ok(disk.fleet(fleet)?.verify()))
    }
}

impl Store for MemoryStore {
    fn open_fleet(&mut self, fleet: &str) -> Result<FleetHead, StoreError> {
        Refusal::name("fleet", fleet)?;
        self.0.change(|disk| {
            let key = disk.find_or_make(fleet);
            disk.fleet_mut(key)?.open(key)
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
        self.0.change(|disk| {
            let log = disk.fleet_mut(fleet)?;
            log.write(epoch, after, rows, rows.len())?;
            Ok(log.commit())
        })
    }

    fn write_snapshot(
        &mut self,
        fleet: FleetKey,
        position: u64,
        format: u32,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        self.0.change(|disk| disk.fleet_mut(fleet)?.write_snapshot(position, format, bytes))
    }

    fn put_document(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        Refusal::name("document", name)?;
        Refusal::over("bytes in a document", bytes.len(), DOCUMENT_BYTES_MAX)?;
        self.0.change(|disk| disk.documents.insert(name.to_owned(), bytes.to_vec()));
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(self.0.open()))
    }

    fn second(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(self.0.open()))
    }
}

impl Tearable for MemoryStore {
    fn append_torn(
        &mut self,
        fleet: FleetKey,
        epoch: u64,
        after: u64,
        rows: &RowBatch,
        written: usize,
    ) -> Result<(), StoreError> {
        rows.check()?;
        self.0.change(|disk| disk.fleet_mut(fleet)?.write(epoch, after, rows, written))
    }

    fn second_tearable(&self) -> Result<Box<dyn Tearable>, StoreError> {
        Ok(Box::new(self.0.open()))
    }
}
