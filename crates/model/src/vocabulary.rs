//! The closed sets of words: priorities, states, kinds.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every word of this kind, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the word as it is written everywhere.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the word, or answers nothing.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words!(
    /// How urgent a task is; the first is the most urgent.
    Priority {
        /// Nothing goes before it, and it escalates where nobody can take it.
        Critical = "critical",
        /// Before the usual.
        High = "high",
        /// The usual.
        Medium = "medium",
        /// When there is time.
        Low = "low",
    }
);

impl Priority {
    /// Returns the next more urgent priority; critical stays.
    #[must_use]
    pub const fn raised(self) -> Self {
        match self {
            Self::Critical | Self::High => Self::Critical,
            Self::Medium => Self::High,
            Self::Low => Self::Medium,
        }
    }
}

words!(
    /// Where a task stands (SEMANTICS 2.1).
    TaskState {
        /// A dependency is open.
        Blocked = "blocked",
        /// In the queue.
        Ready = "ready",
        /// Owned, not started.
        Assigned = "assigned",
        /// Owned and started.
        InProgress = "in_progress",
        /// Finished with a result.
        Completed = "completed",
        /// Given up after the attempts that were allowed.
        Failed = "failed",
        /// Called off.
        Cancelled = "cancelled",
        /// Set aside until a time.
        Deferred = "deferred",
        /// Finished, and another agent is to say whether it is right.
        InReview = "in_review",
        /// Finished, and a person or a command is to say whether it is right.
        Waiting = "waiting",
        /// Replaced by what it was broken down into.
        Archived = "archived",
    }
);

impl TaskState {
    /// Tells whether nothing more happens to such a task by itself.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled | Self::Archived)
    }
}

words!(
    /// Whether an agent can be reached (SEMANTICS 4).
    AgentState {
        /// Its lease holds.
        Online = "online",
        /// Its lease was missed; its work is still its own.
        Unreachable = "unreachable",
        /// The grace has passed too, or it was never seen; it owns nothing.
        Offline = "offline",
        /// Taken out of the fleet.
        Removed = "removed",
    }
);

words!(
    /// What sort of worker an agent is; decides its lease.
    AgentKind {
        /// An AI agent that calls in.
        Agent = "agent",
        /// A program that heartbeats.
        Service = "service",
        /// A human being, whose lease is counted in days.
        Person = "person",
    }
);

words!(
    /// What one task has to do with another (SEMANTICS 6). Only `blocks` gates.
    DependencyKind {
        /// The dependent waits for it.
        Blocks = "blocks",
        /// Worth knowing.
        Related = "related",
        /// Found while working on it.
        DiscoveredFrom = "discovered_from",
        /// Membership; not a wait.
        ParentChild = "parent_child",
    }
);
