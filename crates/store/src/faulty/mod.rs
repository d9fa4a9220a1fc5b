//! An engine that breaks on purpose, at the writes that a plan says.
//!
//! A fault ends the life of the handle and of all handles made from it, unless it is only that the file is busy: each
//! later call answers [`StoreError::Poisoned`]. The restart is a new [`Faulty`] on the same storage with the same [`Faults`], whose counts
//! go on. Nothing here is left to chance that the plan does not carry, so the same plan gives the same run.

mod plan;

use std::io;
use std::path::PathBuf;

use crate::batch::{Row, RowBatch};
use crate::error::{Busy, StoreError, Unavailable};
use crate::poison::Poison;
use crate::report::VerifyReport;
use crate::store::{FleetHead, FleetKey, LatestSnapshot, Reader, Store};

pub use plan::{Chance, Fault, FaultCounts, FaultPlan, FaultRates, Faults};

/// What stands in errors where a file would.
const PATH: &str = "the faulty storage";

/// An engine that can be stopped in the middle of an append.
pub trait Tearable: Store {
    /// Writes the first `written` rows of a batch as an append would and stops before they count. Makes the same
    /// checks as [`Store::append`].
    fn append_torn(
        &mut self,
        fleet: FleetKey,
        epoch: u64,
        after: u64,
        rows: &RowBatch,
        written: usize,
    ) -> Result<(), StoreError>;

    /// Returns a second handle on the same storage.
    fn second_tearable(&self) -> Result<Box<dyn Tearable>, StoreError>;
}

/// A handle whose writes fail, or crash, as its plan says.
pub struct Faulty {
    inner: Box<dyn Tearable>,
    faults: Faults,
    life: Poison,
}

impl Faulty {
    /// Wraps a handle; a new life begins.
    pub fn new(inner: impl Tearable + 'static, faults: Faults) -> Self {
        Self { inner: Box::new(inner), faults, life: Poison::default() }
    }

    /// Ends this life as a crash between two writes does: nothing acknowledged is lost.
    pub fn crash(&mut self) {
        self.stop("crash");
    }

    /// Says whether a fault has ended this life.
    pub fn is_stopped(&self) -> bool {
        self.life.check().is_err()
    }

    fn stop(&self, doing: &'static str) -> StoreError {
        let source = io::Error::other("fault by plan").into();
        self.life.set(Unavailable { doing, path: PathBuf::from(PATH), source }.into())
    }

    /// Writes through `write` unless a fault comes before, and loses the answer where one comes after.
    fn write<T>(
        &mut self,
        fault: Option<Fault>,
        write: impl FnOnce(&mut dyn Tearable) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match fault {
            None | Some(Fault::Slow) => write(&mut *self.inner),
            Some(Fault::Busy) => Err(Busy { doing: "write to", path: PathBuf::from(PATH) }.into()),
            Some(Fault::FailBefore) => Err(self.stop("fail to write to")),
            Some(Fault::CrashBefore | Fault::Torn { .. }) => Err(self.stop("crash before a write to")),
            Some(Fault::FailAfter) => {
                write(&mut *self.inner)?;
                Err(self.stop("fail to flush"))
            }
            Some(Fault::CrashAfter) => {
                write(&mut *self.inner)?;
                Err(self.stop("crash after a write to"))
            }
        }
    }
}

impl Reader for Faulty {
    fn fleets(&mut self) -> Result<Vec<String>, StoreError> {
        self.life.check()?;
        self.inner.fleets()
    }

    fn fleet(&mut self, fleet: &str) -> Result<Option<FleetHead>, StoreError> {
        self.life.check()?;
        self.inner.fleet(fleet)
    }

    fn read(
        &mut self,
        fleet: FleetKey,
        after: u64,
        max_rows: usize,
        visit: &mut dyn FnMut(Row<'_>),
    ) -> Result<u64, StoreError> {
        self.life.check()?;
        self.inner.read(fleet, after, max_rows, visit)
    }

    fn snapshot_at_most(&mut self, fleet: FleetKey, position: u64) -> Result<LatestSnapshot, StoreError> {
        self.life.check()?;
        self.inner.snapshot_at_most(fleet, position)
    }

    fn get_document(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.life.check()?;
        self.inner.get_document(name)
    }

    fn verify(&mut self, fleet: FleetKey) -> Result<VerifyReport, StoreError> {
        self.life.check()?;
        self.inner.verify(fleet)
    }
}

impl Store for Faulty {
    fn open_fleet(&mut self, fleet: &str) -> Result<FleetHead, StoreError> {
        self.life.check()?;
        if self.faults.is_full() {
            return Err(self.stop("take up"));
        }
        self.inner.open_fleet(fleet)
    }

    fn append(
        &mut self,
        fleet: FleetKey,
        epoch: u64,
        after: u64,
        rows: &RowBatch,
    ) -> Result<u64, StoreError> {
        self.life.check()?;
        let fault = self.faults.next_append();
        if let Some(Fault::Torn { part_of_256 }) = fault {
            let written = rows.len() * usize::from(part_of_256) / 256;
            self.inner.append_torn(fleet, epoch, after, rows, written)?;
            return Err(self.stop("crash in the middle of a write to"));
        }
        self.write(fault, |inner| inner.append(fleet, epoch, after, rows))
    }

    fn write_snapshot(
        &mut self,
        fleet: FleetKey,
        position: u64,
        format: u32,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        self.life.check()?;
        let fault = self.faults.next_snapshot();
        self.write(fault, |inner| inner.write_snapshot(fleet, position, format, bytes))
    }

    fn put_document(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.life.check()?;
        self.inner.put_document(name, bytes)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(self.beside()?))
    }

    fn second(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(self.beside()?))
    }
}

impl Faulty {
    /// Another handle in the same life.
    fn beside(&self) -> Result<Self, StoreError> {
        self.life.check()?;
        Ok(Self {
            inner: self.inner.second_tearable()?,
            faults: self.faults.clone(),
            life: self.life.clone(),
        })
    }
}
