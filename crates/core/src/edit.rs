//! What can be changed about a task after it was submitted.

use kapell_model::{Moment, Name, Priority, Span, Text};
use serde::{Deserialize, Serialize};

use crate::command::{Require, TaskSpec};

/// A change of something that may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change<T> {
    /// Nothing is said about it any more.
    Clear,
    /// This is said.
    To(T),
}

impl<T: Clone + PartialEq> Change<T> {
    fn value(&self) -> Option<T> {
        match self {
            Self::Clear => None,
            Self::To(value) => Some(value.clone()),
        }
    }
}

macro_rules! edits {
    ($( $(#[$doc:meta])* $field:ident : $type:ty, $kind:ident ),* $(,)?) => {
        /// The fields that are changed; the others stay as they are. Lists are replaced as a whole.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct TaskEdit {
            $( $(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<$type> ),*
        }

        impl TaskEdit {
            /// Returns what a task is with the changes.
            #[must_use]
            pub fn of(&self, spec: &TaskSpec) -> TaskSpec {
                let mut edited = spec.clone();
                $( if let Some(change) = &self.$field { edited.$field = edits!(@$kind change); } )*
                edited
            }

            /// Returns only those changes that change something.
            pub(crate) fn effective(&self, spec: &TaskSpec) -> Self {
                Self { $( $field: self.$field.clone().filter(|change| spec.$field != edits!(@$kind change)) ),* }
            }
        }
    };
    (@plain $change:ident) => { $change.clone() };
    (@maybe $change:ident) => { $change.value() };
}

edits! {
    /// One line to a person.
    title: Text, plain,
    /// All of it.
    description: Text, plain,
    /// How urgent.
    priority: Priority, plain,
    /// Free words.
    labels: Vec<Text>, plain,
    /// Required capabilities.
    requires: Vec<Require>, plain,
    /// Only agents of this role.
    role: Change<Name>, maybe,
    /// Only this agent.
    agent: Change<Name>, maybe,
    /// None of these agents.
    exclude: Vec<Name>, plain,
    /// The declared estimate.
    estimate: Change<Span>, maybe,
    /// 1 (trivial) to 5 (very complex).
    complexity: Change<u8>, maybe,
    /// When it should be done.
    deadline: Change<Moment>, maybe,
    /// Attempts allowed, where they differ from the policy's.
    attempts_max: Change<u32>, maybe,
}

impl TaskEdit {
    /// Tells whether it says another thing about who may do the task, or how long that takes: what an owner has relied on.
    pub(crate) fn touches_placing(&self) -> bool {
        self.requires.is_some()
            || self.role.is_some()
            || self.agent.is_some()
            || self.exclude.is_some()
            || self.touches_effort()
    }

    pub(crate) fn touches_effort(&self) -> bool {
        self.estimate.is_some() || self.complexity.is_some()
    }

    /// Tells whether it changes what requirements and waits are read from.
    pub(crate) fn touches_text(&self) -> bool {
        self.title.is_some() || self.description.is_some() || self.labels.is_some() || self.requires.is_some()
    }
}
