//! The bounds of what a storage takes, in one place. Whoever comes over one gets a [`crate::Refusal`] and nothing is
//! written.

/// Most rows in one batch. A batch is one transaction: this keeps its size in memory and in the write-ahead log bounded.
pub const BATCH_ROWS_MAX: usize = 1_000_000;

/// Most bytes of actors, kinds and bodies in one batch, for the same reason: 256 MiB.
pub const BATCH_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Most bytes in one record's body: 16 MiB, the largest request that the doors let in.
pub const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Most bytes in the name of a fleet, an actor, a kind or a document. They are words, not texts.
pub const NAME_BYTES_MAX: usize = 255;

/// Most bytes in one document: 4 MiB. Documents are settings and tokens, read and written whole.
pub const DOCUMENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Most bytes in one snapshot: 2 GiB. It is held in memory whole when read.
pub const SNAPSHOT_BYTES_MAX: usize = 2 * 1024 * 1024 * 1024;

/// Bytes of a snapshot written in one transaction: 4 MiB, so that a large snapshot never holds up an append for long.
pub const SNAPSHOT_PART_BYTES: usize = 4 * 1024 * 1024;

/// Snapshots kept per fleet: the newest, and one to fall back on.
pub const SNAPSHOTS_KEPT: usize = 2;

/// Most bytes of rows that one read gives (it always gives at least one row): 32 MiB. A read keeps the storage from
/// tidying up behind it, so it should end soon.
pub const READ_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Most findings in one report of a verification: 100. A log with more is not mended by reading the list.
pub const FINDINGS_MAX: usize = 100;
