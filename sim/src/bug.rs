//! Bugs put in on purpose, to show that the simulation can fail.

use std::fmt;

/// A bug of the server around the core, as this simulation plays it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerBug {
    /// Replies leave before their events are durable.
    AckBeforeDurable,
    /// Assignments leave before their events are durable.
    NextBeforeDurable,
    /// Some appends are acknowledged and never written.
    LostAppend,
    /// Idempotency keys are ignored.
    KeysIgnored,
    /// A key is taken to stand for whatever body comes with it.
    BodyIgnored,
    /// The door puts the current token into every report.
    FenceRewritten,
    /// A snapshot is written of what is not durable yet.
    SnapshotAhead,
    /// What lies behind the snapshot is not read.
    TailForgotten,
    /// Two rows are folded in the wrong order at a start.
    ReplayOutOfOrder,
    /// Calls of agents do not renew their leases.
    HeartbeatIgnored,
}

impl ServerBug {
    /// Every one of them.
    pub const ALL: &'static [Self] = &[
        Self::AckBeforeDurable,
        Self::NextBeforeDurable,
        Self::LostAppend,
        Self::KeysIgnored,
        Self::BodyIgnored,
        Self::FenceRewritten,
        Self::SnapshotAhead,
        Self::TailForgotten,
        Self::ReplayOutOfOrder,
        Self::HeartbeatIgnored,
    ];
}

/// A bug put in on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// In the server around the core.
    Server(ServerBug),
    /// In the rules.
    #[cfg(feature = "mutations")]
    Core(kapell_core::mutation::Mutation),
    /// In the storage.
    #[cfg(feature = "mutations")]
    Store(kapell_store::mutation::Mutation),
}

impl Bug {
    /// Returns every bug that this build knows.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let all = ServerBug::ALL.iter().map(|&bug| Self::Server(bug));
        #[cfg(feature = "mutations")]
        let all = all
            .chain(kapell_store::mutation::Mutation::ALL.iter().map(|&bug| Self::Store(bug)))
            .chain(kapell_core::mutation::Mutation::ALL.iter().map(|&bug| Self::Core(bug)));
        all.collect()
    }

    /// Returns the bug of that name.
    #[must_use]
    pub fn read(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|bug| bug.to_string() == name)
    }

    pub(crate) fn server(self) -> Option<ServerBug> {
        match self {
            Self::Server(bug) => Some(bug),
            #[cfg(feature = "mutations")]
            _ => None,
        }
    }

    /// Switches the bug on in the rooms below, and all others off.
    pub(crate) fn switch(bug: Option<Self>) {
        #[cfg(feature = "mutations")]
        {
            kapell_core::mutation::set(match bug {
                Some(Self::Core(bug)) => Some(bug),
                _ => None,
            });
            kapell_store::mutation::set(match bug {
                Some(Self::Store(bug)) => Some(bug),
                _ => None,
            });
        }
        let _ = bug;
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(bug) => write!(f, "server.{bug:?}"),
            #[cfg(feature = "mutations")]
            Self::Core(bug) => write!(f, "core.{bug:?}"),
            #[cfg(feature = "mutations")]
            Self::Store(bug) => write!(f, "store.{bug:?}"),
        }
    }
}
