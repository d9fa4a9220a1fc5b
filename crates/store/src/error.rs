//! What a storage can answer instead of what was asked.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// Why a call on a storage did not do what was asked.
///
/// Whatever the variant: a write that answers an error has changed nothing that is known. Only after
/// [`StoreError::Unavailable`] and [`StoreError::Poisoned`] is the outcome of the write unknown; open the storage again
/// and read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The log has grown since the caller looked.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// Another owner has taken the fleet.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// The key belongs to no fleet of this storage.
    #[error(transparent)]
    UnknownFleet(#[from] UnknownFleet),
    /// The request is over a bound or not text.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What is stored is not what was written.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// What is stored was written by another program, or by a newer one.
    #[error(transparent)]
    Format(#[from] FormatUnknown),
    /// An earlier write failed on the disk; this storage must be opened again.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
    /// Another program is writing to the file. It may be tried again.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The disk, the file system or the database engine failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// An append that does not begin where the log ends.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the log of fleet `{fleet}` ends at position {found}, not at {expected}")]
pub struct Conflict {
    /// The fleet.
    pub fleet: String,
    /// Where the caller thought that the log ends.
    pub expected: u64,
    /// Where it ends.
    pub found: u64,
}

/// An append by an owner that is not the owner any more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("fleet `{fleet}` has a newer owner: its epoch is {current}, not {given}")]
pub struct Fenced {
    /// The fleet.
    pub fleet: String,
    /// The epoch that the caller holds.
    pub given: u64,
    /// The epoch of the present owner.
    pub current: u64,
}

/// A key that belongs to no fleet here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no fleet with key {key} in this storage")]
pub struct UnknownFleet {
    /// The key.
    pub key: u32,
}

/// A request that is never carried out as it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Too many, or too much.
    #[error("{given} {what}, {allowed} are allowed")]
    Over {
        /// What was counted, in the plural and with its unit.
        what: &'static str,
        /// How much came.
        given: usize,
        /// How much may come.
        allowed: usize,
    },
    /// A name of a fleet or document that is empty or has a control character.
    #[error("the name of a {what} is empty or has a control character: {given:?}")]
    Name {
        /// What the name is for.
        what: &'static str,
        /// The name that came.
        given: String,
    },
    /// A body that is not UTF-8.
    #[error("the body of row {index} of the batch is not UTF-8")]
    BodyNotText {
        /// Which row of the batch, the first is 0.
        index: usize,
    },
    /// A snapshot of what is not durable yet.
    #[error("a snapshot at position {given} is ahead of the log, which ends at {durable}")]
    SnapshotAhead {
        /// The snapshot's position.
        given: u64,
        /// The last durable position.
        durable: u64,
    },
}

impl Refusal {
    pub(crate) fn over(what: &'static str, given: usize, allowed: usize) -> Result<(), Self> {
        if given <= allowed { Ok(()) } else { Err(Self::Over { what, given, allowed }) }
    }

    pub(crate) fn name(what: &'static str, name: &str) -> Result<(), Self> {
        Self::over("bytes in a name", name.len(), crate::limits::NAME_BYTES_MAX)?;
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Self::Name { what, given: name.to_owned() });
        }
        Ok(())
    }
}

/// Something stored that is not what was written. The text says what, where and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place} is damaged: {kind}; {}", self.remedy())]
pub struct Damage {
    /// Where.
    pub place: DamagePlace,
    /// What.
    pub kind: DamageKind,
}

/// Where a damage lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DamagePlace {
    /// A fleet's log, at a position.
    Log {
        /// The fleet.
        fleet: String,
        /// The first position that is not right.
        position: u64,
    },
    /// One of a fleet's snapshots.
    Snapshot {
        /// The fleet.
        fleet: String,
        /// The snapshot's position.
        position: u64,
    },
    /// A document.
    Document {
        /// Its name.
        name: String,
    },
    /// A fleet's entry in the list of fleets: its name, owner or end of log.
    Fleet {
        /// The name that stands there.
        name: String,
    },
    /// The file as a whole.
    File {
        /// Where it is.
        path: PathBuf,
    },
}

/// What is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DamageKind {
    /// A body's checksum does not fit.
    BodyChanged,
    /// The rest of a row does not fit its checksum, or the row does not fit the one before it.
    LinkBroken,
    /// The log goes on at another position than the next.
    RowsMissing {
        /// The position at which it goes on.
        next: u64,
    },
    /// The log ends before the position that was acknowledged last.
    EndMissing {
        /// The last acknowledged position.
        head: u64,
    },
    /// The log has rows behind the position that was acknowledged last.
    EndUnknown {
        /// The last acknowledged position.
        head: u64,
    },
    /// A row of an earlier owner stands behind one of a later owner.
    EpochFell {
        /// The epoch of the row before.
        before: u64,
        /// The epoch of this row.
        found: u64,
    },
    /// A field holds what it cannot hold.
    FieldUnreadable {
        /// The field.
        field: &'static str,
    },
    /// The bytes as a whole do not fit their checksum or length.
    ContentChanged,
    /// The database engine cannot read its file.
    FileUnreadable {
        /// The engine's words.
        detail: String,
    },
}

impl Damage {
    pub(crate) fn log(fleet: &str, position: u64, kind: DamageKind) -> Self {
        Self { place: DamagePlace::Log { fleet: fleet.to_owned(), position }, kind }
    }

    pub(crate) fn snapshot(fleet: &str, position: u64, kind: DamageKind) -> Self {
        Self { place: DamagePlace::Snapshot { fleet: fleet.to_owned(), position }, kind }
    }

    pub(crate) fn document(name: &str) -> Self {
        Self { place: DamagePlace::Document { name: name.to_owned() }, kind: DamageKind::ContentChanged }
    }

    /// Says what a person can do about it.
    pub fn remedy(&self) -> &'static str {
        match self.place {
            DamagePlace::Log { .. } | DamagePlace::Fleet { .. } | DamagePlace::File { .. } => {
                "nothing was repaired: stop the server, keep a copy of the data directory, and restore it from a backup"
            }
            DamagePlace::Snapshot { .. } => "the log is complete without it: the next snapshot replaces it",
            DamagePlace::Document { .. } => "nothing was repaired: restore it from a backup or write it anew",
        }
    }
}

impl fmt::Display for DamagePlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log { fleet, position } => {
                write!(formatter, "the log of fleet `{fleet}` at position {position}")
            }
            Self::Snapshot { fleet, position } => {
                write!(formatter, "the snapshot of fleet `{fleet}` at position {position}")
            }
            Self::Document { name } => write!(formatter, "the document `{name}`"),
            Self::Fleet { name } => write!(formatter, "the entry of fleet `{name}`"),
            Self::File { path } => write!(formatter, "the file {}", path.display()),
        }
    }
}

impl fmt::Display for DamageKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BodyChanged => write!(formatter, "its body does not fit its checksum"),
            Self::LinkBroken => write!(formatter, "the row does not fit its checksum or the row before it"),
            Self::RowsMissing { next } => write!(formatter, "rows are missing, the log goes on at {next}"),
            Self::EndMissing { head } => {
                write!(formatter, "rows are missing up to {head}, where the log ended")
            }
            Self::EndUnknown { head } => {
                write!(formatter, "there are rows behind {head}, where the log ended")
            }
            Self::EpochFell { before, found } => {
                write!(formatter, "its epoch is {found}, that of the row before {before}")
            }
            Self::FieldUnreadable { field } => write!(formatter, "its field `{field}` cannot be read"),
            Self::ContentChanged => write!(formatter, "the content does not fit its checksum"),
            Self::FileUnreadable { detail } => write!(formatter, "{detail}"),
        }
    }
}

/// A file that this version of Kapell does not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormatUnknown {
    /// Written by a newer version.
    #[error(
        "{} has format version {found}, and this version of Kapell knows up to {known}; use a newer version of Kapell",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// Not written by Kapell.
    #[error("{} is a database of another program (application id {found:#010x}); choose another data directory", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The application id found in it; 0 where the program gave none.
        found: i64,
    },
}

/// A storage on which an earlier write failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("an earlier write failed ({cause}); open the storage again")]
pub struct Poisoned {
    /// The failure, with its causes.
    pub cause: String,
}

/// A file to which another program has been writing for too long.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{doing} {}: another program has been writing to it for more than 10 s; nothing has changed", path.display())]
pub struct Busy {
    /// What was to be done, fit to go before the file: "append to".
    pub doing: &'static str,
    /// The file.
    pub path: PathBuf,
}

/// A failure of the disk, the file system or the database engine.
#[derive(Debug, Error)]
#[error("{doing} {}", path.display())]
pub struct Unavailable {
    /// What was being done, fit to go before the file: "append to".
    pub doing: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The cause.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}
