//! Which write breaks, and how.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// What happens at one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The write is refused by the disk: nothing is written.
    FailBefore,
    /// The write is carried out, and then the flush reports an error: the caller cannot know.
    FailAfter,
    /// The process dies before the write.
    CrashBefore,
    /// The process dies after the write, before it is acknowledged.
    CrashAfter,
    /// The process dies when a part of the rows is on the disk; none of them may ever be seen. At a snapshot the same
    /// as [`Fault::CrashBefore`].
    Torn {
        /// How many of 256 parts of the rows are written.
        part_of_256: u8,
    },
    /// Another program is writing: nothing is written, and this life goes on.
    Busy,
    /// The write takes long. It is only counted: there is no clock here.
    Slow,
}

/// How often each fault comes, in parts of a thousand writes; together at most 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultRates {
    /// For [`Fault::FailBefore`].
    pub fail_before_per_1000: u16,
    /// For [`Fault::FailAfter`].
    pub fail_after_per_1000: u16,
    /// For [`Fault::CrashBefore`].
    pub crash_before_per_1000: u16,
    /// For [`Fault::CrashAfter`].
    pub crash_after_per_1000: u16,
    /// For [`Fault::Torn`].
    pub torn_per_1000: u16,
    /// For [`Fault::Slow`].
    pub slow_per_1000: u16,
}

/// A small generator of numbers (SplitMix64): the same seed gives the same numbers on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chance(u64);

impl Chance {
    /// Returns the generator of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Which writes break: those that are named, and of the others a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultPlan {
    appends: BTreeMap<u64, Fault>,
    snapshots: BTreeMap<u64, Fault>,
    rates: FaultRates,
    chance: Chance,
    /// What becomes of the next write.
    next: Option<Fault>,
    /// Whether there is no room for anything.
    full: bool,
}

impl FaultPlan {
    /// Returns the plan in which nothing breaks.
    pub fn none() -> Self {
        Self::random(Chance::new(0), FaultRates::default())
    }

    /// Returns the plan in which appends and snapshots break at the given rates.
    pub fn random(chance: Chance, rates: FaultRates) -> Self {
        Self { appends: BTreeMap::new(), snapshots: BTreeMap::new(), rates, chance, next: None, full: false }
    }

    /// Adds a fault at an append; the first append has the number 1.
    #[must_use]
    pub fn at_append(mut self, number: u64, fault: Fault) -> Self {
        self.appends.insert(number, fault);
        self
    }

    /// Adds a fault at a snapshot; the first snapshot has the number 1.
    #[must_use]
    pub fn at_snapshot(mut self, number: u64, fault: Fault) -> Self {
        self.snapshots.insert(number, fault);
        self
    }

    /// Draws one number per write, whether it breaks or not, so that a changed rate moves no other choice.
    fn draw(&mut self) -> Option<Fault> {
        let drawn = self.chance.draw();
        let torn = Fault::Torn { part_of_256: (drawn >> 56) as u8 };
        let rates = [
            (self.rates.fail_before_per_1000, Fault::FailBefore),
            (self.rates.fail_after_per_1000, Fault::FailAfter),
            (self.rates.crash_before_per_1000, Fault::CrashBefore),
            (self.rates.crash_after_per_1000, Fault::CrashAfter),
            (self.rates.torn_per_1000, torn),
            (self.rates.slow_per_1000, Fault::Slow),
        ];
        let mut place = ((drawn & 0xffff_ffff) * 1000) >> 32;
        for (rate, fault) in rates {
            if place < u64::from(rate) {
                return Some(fault);
            }
            place -= u64::from(rate);
        }
        None
    }
}

/// How many writes there were, and how many of them broke in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultCounts {
    /// Appends, broken ones too.
    pub appends: u64,
    /// Snapshots, broken ones too.
    pub snapshots: u64,
    /// [`Fault::FailBefore`] and [`Fault::FailAfter`].
    pub failed: u64,
    /// [`Fault::CrashBefore`] and [`Fault::CrashAfter`].
    pub crashed: u64,
    /// [`Fault::Torn`].
    pub torn: u64,
    /// [`Fault::Busy`].
    pub busy: u64,
    /// [`Fault::Slow`].
    pub slow: u64,
}

/// A plan at work. Clones are the same, so it outlives the handles that it breaks.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Mutex<(FaultPlan, FaultCounts)>>);

impl Faults {
    /// Puts a plan to work.
    pub fn new(plan: FaultPlan) -> Self {
        Self(Arc::new(Mutex::new((plan, FaultCounts::default()))))
    }

    /// Returns the counts up to now.
    pub fn counts(&self) -> FaultCounts {
        self.lock().1
    }

    /// Says what becomes of the next write; nothing is as the plan has it.
    pub fn break_next(&self, fault: Option<Fault>) {
        self.lock().0.next = fault;
    }

    /// Says whether the disk is full: then nothing is written, and no fleet is taken up.
    pub fn set_full(&self, full: bool) {
        self.lock().0.full = full;
    }

    pub(super) fn is_full(&self) -> bool {
        self.lock().0.full
    }

    /// Ends the faults: from now on nothing breaks.
    pub fn heal(&self) {
        self.lock().0 = FaultPlan::none();
    }

    pub(super) fn next_append(&self) -> Option<Fault> {
        let (plan, counts) = &mut *self.lock();
        counts.appends += 1;
        let drawn = plan.draw();
        let named = plan.appends.get(&counts.appends).copied().or(plan.next.take());
        count(counts, plan.full.then_some(Fault::FailBefore).or(named).or(drawn))
    }

    pub(super) fn next_snapshot(&self) -> Option<Fault> {
        let (plan, counts) = &mut *self.lock();
        counts.snapshots += 1;
        let drawn = plan.draw();
        let named = plan.snapshots.get(&counts.snapshots).copied().or(plan.next.take());
        count(counts, plan.full.then_some(Fault::FailBefore).or(named).or(drawn))
    }

    fn lock(&self) -> MutexGuard<'_, (FaultPlan, FaultCounts)> {
        self.0.lock().expect("no holder of the faults has panicked")
    }
}

fn count(counts: &mut FaultCounts, fault: Option<Fault>) -> Option<Fault> {
    match fault? {
        Fault::FailBefore | Fault::FailAfter => counts.failed += 1,
        Fault::CrashBefore | Fault::CrashAfter => counts.crashed += 1,
        Fault::Torn { .. } => counts.torn += 1,
        Fault::Busy => counts.busy += 1,
        Fault::Slow => counts.slow += 1,
    }
    fault
}
