//! Bugs put in on purpose, so that the simulator can show that it would find a real one. None of them is in a build without
//! the feature `mutations`, and no room that is shipped switches it on.

/// Tells whether a seeded bug is on: never, without the feature.
macro_rules! mutated {
    ($name:ident) => {{
        #[cfg(feature = "mutations")]
        let on = crate::mutation::is(crate::mutation::Mutation::$name);
        #[cfg(not(feature = "mutations"))]
        let on = false;
        on
    }};
}
pub(crate) use mutated;

#[cfg(feature = "mutations")]
mod seeded {
    use std::cell::Cell;

    /// Stands in every build with seeded bugs, so that one that is shipped by mistake can be told.
    #[used]
    static MARK: &[u8] = b"kapell: this build has seeded bugs";

    macro_rules! mutations {
        ($( $(#[$doc:meta])* $name:ident, )+) => {
            /// One seeded bug.
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum Mutation { $( $(#[$doc])* $name ),+ }

            impl Mutation {
                /// Every one of them.
                pub const ALL: &'static [Self] = &[ $( Self::$name ),+ ];
            }
        };
    }

    mutations! {
        /// A process that was replaced can still write.
        EpochUnchecked,
        /// A part of a batch that was written when the process died counts.
        TornRowsCount,
        /// The last row of a batch of several is not written.
        LastRowLost,
    }

    thread_local! {
        static ON: Cell<Option<Mutation>> = const { Cell::new(None) };
    }

    /// Switches one on for this thread, and all others off.
    pub fn set(mutation: Option<Mutation>) {
        ON.set(mutation);
    }

    pub(crate) fn is(mutation: Mutation) -> bool {
        ON.get() == Some(mutation)
    }
}

#[cfg(feature = "mutations")]
pub(crate) use seeded::is;
#[cfg(feature = "mutations")]
pub use seeded::{Mutation, set};
