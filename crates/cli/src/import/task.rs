//! A task as an importer sees it: what Kapell understood, and beside it all that the source said.

use kapell_model::{DependencyKind, Priority};
use serde_json::{Map, Value};

/// A task of another tool, in Kapell's words.
///
/// Requirements are missing on purpose: these files state none, and an importer does not guess.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedTask {
    /// The submitter's own key: the source's id, where that is a valid key.
    pub key: String,
    /// One line, filled, without control characters.
    pub title: String,
    /// What an agent needs to know; may be empty.
    pub description: String,
    /// The task's type.
    pub kind: String,
    /// How urgent it is.
    pub priority: Priority,
    /// The project that it belongs to.
    pub project: Option<String>,
    /// Key of the task that it is a part of.
    pub parent: Option<String>,
    /// Short texts to find it by.
    pub labels: Vec<String>,
    /// Expected effort in hours, above 0.
    pub estimate_hours: Option<f64>,
    /// Keys of the tasks that it waits for.
    pub depends_on: Vec<String>,
    /// Keys of tasks that it has to do with, without waiting for them.
    pub related: Vec<(String, DependencyKind)>,
    /// Where it stands.
    pub state: ImportedState,
    /// Who had it in the source. Kapell hands work out itself: this is told, not used.
    pub assignee: Option<String>,
    /// When it was finished, RFC 3339 in UTC with milliseconds.
    pub closed_at: Option<String>,
    /// When it must be finished, in the same form.
    pub deadline: Option<String>,
    /// Before when it is not to be begun, in the same form.
    pub not_before: Option<String>,
    /// What the source said and Kapell has no exact place for: every field whose content cannot be had back
    /// from the fields above, and the name of the format under [`FORMAT_FIELD`].
    pub source: Map<String, Value>,
}

/// The field of [`ImportedTask::source`] that names the format; no format has a field of this name.
pub const FORMAT_FIELD: &str = "$format";

/// The field of [`ImportedTask::source`] that holds the record's place in its file, from 0: an export keeps the order.
pub const PLACE_FIELD: &str = "$at";

/// The field of the first task's [`ImportedTask::source`] that holds what the file said outside of its records.
pub const FILE_FIELD: &str = "$file";

/// The field of [`ImportedTask::source`] that says that the record had no title of its own.
pub const UNTITLED_FIELD: &str = "$untitled";

/// Where an imported task stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportedState {
    /// To be done; its waits decide whether it is ready or blocked.
    Open,
    /// To be done when there is time.
    Deferred,
    /// Finished, with what the source said about it.
    Completed {
        /// Why or how it was finished.
        reason: Option<String>,
    },
    /// Called off, with the reason.
    Cancelled {
        /// Why it was called off.
        reason: String,
    },
}

impl ImportedState {
    /// Returns Kapell's word for the state, `open` standing for ready or blocked.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Deferred => "open, low",
            Self::Completed { .. } => "completed",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}
