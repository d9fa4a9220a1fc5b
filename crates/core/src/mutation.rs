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
        /// A report under an outdated token counts as one under the present one.
        FenceUnchecked,
        /// A new assignment gets the token of the last one.
        TokenUsedTwice,
        /// Who loses a task does not gain room for placing.
        SlotNotGivenBack,
        /// Who loses a task keeps it on the list.
        OwnerListKept,
        /// By hand an agent gets one task more than it may have.
        LimitOverByOne,
        /// Placing does not hear of agents that are drained.
        DrainedStillFree,
        /// A new task does not count what it waits for.
        GateNotCounted,
        /// What waits for a completed task is not told, where it is the last to wait.
        BlockerNotCounted,
        /// Nobody looks whether an edge closes a cycle.
        CycleUnseen,
        /// What a task waits for does not become as urgent as it.
        UrgencyNotRaised,
        /// What a task waited for stays as urgent when it is called off.
        UrgencyNotLowered,
        /// A task that becomes more urgent keeps its place in the queue.
        QueueKeyStale,
        /// What is set aside is not put under a timer.
        TimerNotSet,
        /// What was set aside does not come back.
        TimerNotLookedAt,
        /// The counts by state are not brought up to date when a task is called off.
        CountNotUpdated,
        /// A failed attempt is not counted.
        RetryNotCounted,
        /// There is no pause before the next attempt.
        BackoffIgnored,
        /// The pause before the next attempt does not grow.
        BackoffNotDoubled,
        /// Every loss boosts a task, not only the first.
        BoostedTwice,
        /// Nobody counts how often a task is taken back.
        TurnsNotCounted,
        /// An escalation is raised though one of its cause is open.
        EscalatedTwice,
        /// What takes the cause of an escalation away does not settle it.
        EscalationKept,
        /// The ack times of escalations pass unnoticed.
        CallNeverDue,
        /// An escalation is raised again though somebody has taken it on.
        AcknowledgedRaisedAgain,
        /// A late result is taken up though it was settled before.
        OfferTwice,
        /// A completed task can be reopened.
        CompletedReopened,
        /// A completed task can be cancelled.
        CompletedCancelled,
        /// What is reserved exclusively is granted to another one as well.
        ExclusiveShared,
        /// What was reserved for a task stays reserved when it completes.
        ReservationOutlivesTask,
        /// What was reserved for a while is not released when that is over.
        ReservationNeverLapses,
        /// What is released is not offered to those who wait for it.
        LineNotServed,
        /// The tasks that need what is taken are not held back.
        GateNotLookedAt,
        /// A renewed reservation stands under its old end too.
        RenewalKeepsTimer,
        /// An agent that falls silent is not missed.
        LeaseNeverLapses,
        /// A jump of the clock counts as silence.
        JumpNotForgiven,
        /// Silent work is not asked about.
        StallNotAsked,
        /// A report does not begin the clock of silence anew.
        StallClockKept,
        /// A task is moved to even the load though it was moved a moment ago.
        BalancingNeverRests,
        /// A handoff gives the new owner the token of the old one.
        HandoffKeepsToken,
        /// The slot that is kept free for a handoff is given away.
        HandoffSlotNotKept,
        /// The deadlines of handoffs pass unnoticed.
        HandoffNeverDue,
        /// What is reserved for a task stays with the donor.
        HandoffLeavesReservations,
        /// A decision that was made is made again.
        DecisionTwice,
        /// The deadlines of decisions pass unnoticed.
        DecisionNeverDue,
        /// A disputed task stays with its holder though that is stalled.
        StalledHolderWins,
        /// What costs least to delay comes first.
        ImpactTurnedRound,
        /// An order moves its task when it is said, and does not follow urgencies that change later.
        OrderForgotten,
        /// An order is said and does not hold.
        OrderNotKept,
        /// A ruling on orders holds on when none of them stands any more.
        RulingOutlives,
        /// What waited for a task that is broken down is left to wait for it.
        DependentsNotRewired,
        /// The integration waits for the planning alone.
        IntegrationNotLast,
        /// There is no bound to the levels of breakdowns.
        LevelsUnbounded,
        /// Finished work is completed whatever its gates.
        GatesSkipped,
        /// Work is completed with the first gate that it passes.
        FirstGateSuffices,
        /// The author may review its own work.
        AuthorReviews,
        /// Any agent may give any agent leave, itself too.
        AnyoneAnswers,
        /// An answer goes to whatever the owner wants leave for now.
        AnswersTheNext,
        /// What is asked under a name that is known is taken for what was asked before.
        NameIsAll,
        /// A command that fails lets the work pass.
        ExitCodeIgnored,
        /// Reviews that are not given in time stay where they are.
        ReviewNeverDue,
        /// What was done about an emergency stays in effect though it is said to be undone.
        EmergencyNotUndone,
        /// An emergency ends though not everything that was done about it is undone.
        EmergencyEndsEarly,
        /// Assignments go on though they are paused.
        PauseIgnored,
        /// The checkpoints of task forces pass unnoticed.
        CheckpointNeverDue,
        /// What is done about a bottleneck is never undone.
        ActionOutlives,
        /// Who is kept for a capability counts as one who cannot, where requirements were inferred.
        KeptCannot,
        /// Nobody hears that what only reads is shared from now on.
        SharingNotSeen,
        /// What does not fit into an inbox is forgotten.
        FullForgotten,
        /// The ack times of messages pass unnoticed.
        MessageNeverDue,
        /// What is gathered for a digest stays where it is.
        DigestNeverComes,
        /// What somebody has taken on who is gone stays taken on.
        AcknowledgedByTheGone,
        /// Nobody notes what holds the tasks of a class back.
        HeldBackNotNoted,
        /// Placing does not hear of what outcomes have made of a score.
        MeasureNotTaken,
        /// What an attempt has used in all is added to what was known of it.
        UsageAdded,
        /// Work is assigned whatever its budgets.
        BudgetIgnored,
        /// A budget stays closed for a task that has ended.
        BudgetStaysShut,
        /// Work goes on under a budget that is spent.
        StopForgotten,
        /// Whoever is outside its working hours counts as being at work.
        AwayStillFree,
        /// The leases of those who have working hours run at night too.
        DisownedAtNight,
        /// What somebody who is away has to confirm or to review is taken from it all the same.
        LapsesAtNight,
        /// Hours that are set count for the silence before, too.
        HoursJudgeThePast,
        /// Every eighth answer is not remembered under its key.
        KeyForgotten,
        /// A key that may have been forgotten is taken for a new one.
        KeyOutlived,
        /// The body that comes with a key is not compared.
        KeyOfAnyBody,
        /// A snapshot does not hold the number of the last notice.
        SnapshotLacksNotices,
        /// A snapshot does not hold the keys.
        SnapshotLacksKeys,
        /// A snapshot does not hold how long nobody served.
        SnapshotLacksAbsence,
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
