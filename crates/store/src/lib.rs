//! Ordered records, durability and snapshots.
//!
//! A storage holds fleets; a fleet has one log of records at dense positions 1, 2, 3, ..., a few snapshots, and one
//! owner at a time, told apart by its epoch. Beside the fleets there are small named documents. The room knows no
//! tasks: a record's body is text that it keeps, checks and gives back.
//!
//! Two traits are the door: [`Reader`] looks, [`Store`] also writes. The engines behind it are [`MemoryDisk`] (tests
//! and simulation), [`SqliteStore`] (the embedded default) and [`Faulty`], which breaks another engine on purpose.
//! [`conformance`] is the suite that each of them runs.
//!
//! Promises:
//! - [`Store::append`] returns when its rows are on the disk, all of them, or changes nothing.
//! - A former owner's append is refused ([`StoreError::Fenced`]), and so is one that does not begin where the log ends
//!   ([`StoreError::Conflict`]).
//! - Each record's checksum also covers the record before it, and is verified at every read. Damage is reported with
//!   what, where and what to do; nothing is repaired in silence.
//! - After a write that failed on the disk every handle of that storage answers [`StoreError::Poisoned`]: what the disk
//!   holds is unknown until it is opened again.
//! - The writing handles of a storage take turns. Only another program can keep them waiting; where it does so for long,
//!   nothing has changed and nothing is lost ([`StoreError::Busy`]).
//!
//! It deliberately has no clock, no retries and no async: a call blocks until it is done.

mod batch;
mod chain;
pub mod conformance;
mod data_dir;
mod error;
mod faulty;
pub mod limits;
mod memory;
#[cfg(not(feature = "mutations"))]
mod mutation;
#[cfg(feature = "mutations")]
pub mod mutation;
mod poison;
mod report;
mod sqlite;
mod store;

pub use batch::{Row, RowBatch};
pub use data_dir::{DataDir, DataDirError, DirectoryHeld};
pub use error::{
    Busy, Conflict, Damage, DamageKind, DamagePlace, Fenced, FormatUnknown, Poisoned, Refusal, StoreError,
    Unavailable, UnknownFleet,
};
pub use faulty::{Chance, Fault, FaultCounts, FaultPlan, FaultRates, Faults, Faulty, Tearable};
pub use memory::{MemoryDisk, MemoryStore};
pub use report::VerifyReport;
pub use sqlite::{SqliteReader, SqliteStore};
pub use store::{FleetHead, FleetKey, LatestSnapshot, Reader, Snapshot, Store};
