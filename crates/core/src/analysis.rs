//! What a task's text says of what it needs and of what it waits for, where nobody declared it (SEMANTICS 2.2).
//!
//! What was found is frozen in the event that it came with, each finding with the words that it was read from: replay
//! never reads a text again, and an explanation stays true when the vocabulary has changed since.

mod defaults;
mod reading;
mod vocabulary;
mod words;

use kapell_model::{Name, Ratio, TaskId};
use serde::{Deserialize, Serialize};

pub(crate) use reading::requirements;
pub use vocabulary::CapabilitySpec;
pub(crate) use vocabulary::Vocabulary;

/// Where in a task words stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// One of its labels.
    Labels,
    /// Its type.
    Type,
    /// Its title.
    Title,
    /// Its description.
    Description,
}

impl Field {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Type => "type",
            Self::Title => "title",
            Self::Description => "description",
        }
    }
}

/// The words that something was read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where they stand.
    pub field: Field,
    /// The words, as they stand there.
    pub words: Box<str>,
}

/// A capability that the text asks for. It has no minimum: a guess excludes nobody by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InferredRequire {
    /// Which.
    pub capability: Name,
    /// Its weight in millionths of one, in proportion to the evidence; above 0.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
    /// What it was read from.
    pub evidence: Vec<Evidence>,
}

const fn one() -> u32 {
    Ratio::UNIT
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_one(weight: &u32) -> bool {
    *weight == Ratio::UNIT
}

/// A task that the text says this one waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InferredEdge {
    /// Which.
    pub on: TaskId,
    /// What it was read from.
    pub evidence: Evidence,
}

/// Why something that the text says became no edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unresolved {
    /// No task of the fleet has that key.
    Unknown,
    /// It would close a cycle.
    Cycle,
    /// That task failed or was called off.
    Ended,
}

impl Unresolved {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Cycle => "cycle",
            Self::Ended => "ended",
        }
    }
}

/// Something that the text says it waits for, and that became no edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// Why.
    pub because: Unresolved,
    /// What it was read from.
    pub evidence: Evidence,
}

/// What a task's text was taken to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Analysis {
    /// What it needs, where nothing was declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<InferredRequire>,
    /// What it waits for, besides what was declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<InferredEdge>,
    /// What it seems to wait for, and does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<PassedOver>,
}
