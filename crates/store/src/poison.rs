//! One storage's memory of a write that failed on the disk.

use std::sync::{Arc, OnceLock};

use crate::error::{Poisoned, StoreError};

/// Shared by all handles of one storage. After a failed write or flush the operating system may have dropped pages
/// that it reports as clean, so a later flush that succeeds proves nothing: no handle may go on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Poison(Arc<OnceLock<String>>);

impl Poison {
    /// Refuses where a write has failed before.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.0.get() {
            None => Ok(()),
            Some(cause) => Err(Poisoned { cause: cause.clone() }.into()),
        }
    }

    /// Remembers the first cause and hands the error on.
    pub(crate) fn set(&self, error: StoreError) -> StoreError {
        self.0.get_or_init(|| describe(&error));
        error
    }
}

fn describe(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
