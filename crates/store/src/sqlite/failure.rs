//! What SQLite says, in the words of this room.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{
    Busy, Conflict, Damage, DamageKind, DamagePlace, Fenced, Refusal, StoreError, Unavailable, UnknownFleet,
};

/// An error inside the engine, before it is known what was being done to which file.
#[derive(Debug)]
pub(super) enum Failure {
    Sqlite(rusqlite::Error),
    /// Another program was writing, and nothing was begun.
    Busy,
    Store(StoreError),
}

impl Failure {
    /// Adds what was being done, fit to go before the file: "append to".
    pub(super) fn while_doing(self, doing: &'static str, path: &Path) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Busy => Busy { doing, path: path.to_owned() }.into(),
            Self::Sqlite(error) if is_corrupt(&error) => file_damage(path, error.to_string()).into(),
            Self::Sqlite(error) => {
                Unavailable { doing, path: path.to_owned(), source: Box::new(error) }.into()
            }
        }
    }

    /// Returns SQLite's words where it cannot read its own file.
    pub(super) fn corruption(&self) -> Option<String> {
        match self {
            Self::Sqlite(error) if is_corrupt(error) => Some(error.to_string()),
            Self::Sqlite(_) | Self::Busy | Self::Store(_) => None,
        }
    }
}

/// A damage of the file as a whole.
pub(super) fn file_damage(path: &Path, detail: String) -> Damage {
    Damage { place: DamagePlace::File { path: path.to_owned() }, kind: DamageKind::FileUnreadable { detail } }
}

fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

macro_rules! from_fact {
    ($($fact:ty),*) => {
        $(impl From<$fact> for Failure {
            fn from(fact: $fact) -> Self {
                Self::Store(fact.into())
            }
        })*
    };
}

from_fact!(Conflict, Damage, Fenced, Refusal, UnknownFleet);
