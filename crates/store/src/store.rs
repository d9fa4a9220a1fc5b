//! The door to a storage: what every engine offers.

use crate::batch::{Row, RowBatch};
use crate::error::{Damage, StoreError};
use crate::report::VerifyReport;

/// A fleet's number inside one storage. It is worth nothing in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FleetKey(pub(crate) u32);

impl FleetKey {
    /// Returns the bare number, for messages.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// Where a fleet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetHead {
    /// The key for further calls.
    pub key: FleetKey,
    /// The epoch of the present owner; 0 where nobody has owned it yet.
    pub epoch: u64,
    /// The last durable position; 0 for an empty log.
    pub position: u64,
}

/// A stored state of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The position of the last record in it.
    pub position: u64,
    /// The caller's version number for the bytes.
    pub format: u32,
    /// The bytes, as they were written.
    pub bytes: Vec<u8>,
}

/// The answer to the question for the newest snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LatestSnapshot {
    /// The newest one that is whole; none where there is none.
    pub snapshot: Option<Snapshot>,
    /// Newer ones that are damaged, newest first. Whoever goes on with the older one says so.
    pub skipped: Vec<Damage>,
}

/// A handle that looks at a storage and changes nothing.
pub trait Reader: Send {
    /// Returns the names of all fleets, sorted.
    fn fleets(&mut self) -> Result<Vec<String>, StoreError>;

    /// Returns where a fleet stands; none where the storage does not know it.
    fn fleet(&mut self, fleet: &str) -> Result<Option<FleetHead>, StoreError>;

    /// Shows the rows behind position `after`, in order, up to `max_rows` of them and about
    /// [`READ_BYTES_MAX`](crate::limits::READ_BYTES_MAX) bytes, and returns the position of the last one shown: `after`
    /// where there was none.
    ///
    /// Each row is verified before it is shown; a damaged one ends the read with [`StoreError::Damaged`]. `visit` must
    /// not call the storage: an engine may hold it still during the read.
    fn read(
        &mut self,
        fleet: FleetKey,
        after: u64,
        max_rows: usize,
        visit: &mut dyn FnMut(Row<'_>),
    ) -> Result<u64, StoreError>;

    /// Returns the newest whole snapshot, and what was passed over to find it.
    fn latest_snapshot(&mut self, fleet: FleetKey) -> Result<LatestSnapshot, StoreError> {
        self.snapshot_at_most(fleet, u64::MAX)
    }

    /// Returns the newest whole snapshot at `position` or before it, and what was passed over to find it.
    fn snapshot_at_most(&mut self, fleet: FleetKey, position: u64) -> Result<LatestSnapshot, StoreError>;

    /// Returns a document; none where there is none of that name.
    fn get_document(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Walks a fleet's whole log and its snapshots and reports what is damaged.
    ///
    /// Damage is in the report; an error means that the walk could not be made.
    fn verify(&mut self, fleet: FleetKey) -> Result<VerifyReport, StoreError>;
}

/// A handle that also writes. Every write is durable when it returns.
pub trait Store: Reader {
    /// Makes the caller the owner of a fleet, which is made where it is not there: gives out an epoch larger than any
    /// before.
    ///
    /// Fails with [`StoreError::Damaged`] where the end of the log is not the one that was acknowledged last.
    fn open_fleet(&mut self, fleet: &str) -> Result<FleetHead, StoreError>;

    /// Appends a batch as one transaction and returns the new last position.
    ///
    /// `epoch` must be the fleet's present one, else [`StoreError::Fenced`]; then `after` must be its last position,
    /// else [`StoreError::Conflict`]; in both cases nothing changes. An empty batch makes the same two checks.
    fn append(&mut self, fleet: FleetKey, epoch: u64, after: u64, rows: &RowBatch)
    -> Result<u64, StoreError>;

    /// Stores a snapshot of the state after the record at `position` and forgets all but the newest
    /// [`SNAPSHOTS_KEPT`](crate::limits::SNAPSHOTS_KEPT). One at the same position is replaced.
    ///
    /// `format` is the caller's version number for the bytes. May be called on a second handle while the owner appends.
    fn write_snapshot(
        &mut self,
        fleet: FleetKey,
        position: u64,
        format: u32,
        bytes: &[u8],
    ) -> Result<(), StoreError>;

    /// Stores a document in the place of the former one of that name.
    fn put_document(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// Returns a second handle that reads, so that readers do not stop the writer.
    fn reader(&self) -> Result<Box<dyn Reader>, StoreError>;

    /// Returns a second handle that also writes: for snapshots and documents beside the writer.
    fn second(&self) -> Result<Box<dyn Store>, StoreError>;
}
