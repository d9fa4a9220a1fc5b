//! What work of a kind has really taken, and what to expect of the next of it (SEMANTICS 2.2).

use std::collections::{BTreeMap, VecDeque};

use kapell_model::{Name, Span, limits};
use serde::{Deserialize, Serialize};

/// Complexities of a task.
const COMPLEXITIES: usize = 5;
/// Weight of the table beside what was seen, in tasks.
const PRIOR_WEIGHT: i64 = 3;
/// How far the 90th percentile of what nothing is known of lies above its median.
const PRIOR_SPREAD: i64 = 2;

/// An expectation that was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// Nine of ten are expected to be done within it.
    pub p90: Span,
    /// Completed tasks that it was learned from, at most 50.
    pub from: u32,
}

/// The 90th percentile of an estimate that was not learned.
pub(crate) fn spread(p50: Span) -> Span {
    Span(p50.0.saturating_mul(PRIOR_SPREAD))
}

/// The last efforts, or costs, of one sort of work, in the order of time and in the order of size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "VecDeque<T>", into = "VecDeque<T>")]
#[serde(bound(serialize = "T: Clone + Serialize", deserialize = "T: Ord + Copy + Deserialize<'de>"))]
pub(crate) struct Efforts<T = Span> {
    recent: VecDeque<T>,
    sorted: Vec<T>,
}

impl<T: Ord + Copy> From<VecDeque<T>> for Efforts<T> {
    fn from(recent: VecDeque<T>) -> Self {
        let mut sorted: Vec<T> = recent.iter().copied().collect();
        sorted.sort_unstable();
        Self { recent, sorted }
    }
}

impl<T> From<Efforts<T>> for VecDeque<T> {
    fn from(efforts: Efforts<T>) -> Self {
        efforts.recent
    }
}

impl<T: Ord + Copy> Efforts<T> {
    /// Returns how many there are.
    pub(crate) fn len(&self) -> usize {
        self.recent.len()
    }

    /// Takes one more, and returns the oldest one where that goes for it.
    pub(crate) fn push(&mut self, effort: T) -> Option<T> {
        let full = self.recent.len() == limits::OUTCOMES_MAX;
        let oldest = if full { self.recent.pop_front() } else { None };
        if let Some(at) = oldest.and_then(|oldest| self.sorted.binary_search(&oldest).ok()) {
            self.sorted.remove(at);
        }
        self.recent.push_back(effort);
        let at = self.sorted.partition_point(|&other| other < effort);
        self.sorted.insert(at, effort);
        oldest
    }

    /// Returns the smallest effort that `percent` of all do not exceed (nearest rank).
    pub(crate) fn percentile(&self, percent: usize) -> Option<T> {
        let rank = (self.sorted.len() * percent).div_ceil(100);
        self.sorted.get(rank.saturating_sub(1)).copied()
    }
}

/// Returns what is kept of a type and complexity; nothing where it is new and as many types as are told apart are there.
pub(crate) fn bounded<T: Default>(all: &mut BTreeMap<(Name, u8), T>, key: (Name, u8)) -> Option<&mut T> {
    let known = all.contains_key(&key) || all.len() < limits::METRIC_KINDS_MAX * COMPLEXITIES;
    known.then(|| all.entry(key).or_default())
}

/// What a fleet has learned of efforts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Learning(BTreeMap<(Name, u8), Efforts>);

impl Learning {
    /// Notes what a completed task of a type and complexity has taken.
    pub(crate) fn completed(&mut self, kind: &Name, complexity: u8, effort: Span) {
        if let Some(efforts) = bounded(&mut self.0, (kind.clone(), complexity)) {
            efforts.push(effort);
        }
    }

    /// Returns the efforts of a type and complexity in ascending order, and their median.
    pub(crate) fn seen(&self, kind: &Name, complexity: u8) -> (&[Span], Span) {
        let Some(efforts) = self.0.get(&(kind.clone(), complexity)) else { return (&[], Span(1)) };
        (&efforts.sorted, efforts.percentile(50).unwrap_or(Span(1)))
    }

    /// Returns what a task of a type and complexity is expected to take, where any was completed: the median and the 90th
    /// percentile of those seen, each a mean with what the table says, of which one counts as much as three tasks.
    pub(crate) fn expected(&self, kind: &Name, complexity: u8, table: Span) -> Option<(Span, Learned)> {
        let efforts = self.0.get(&(kind.clone(), complexity))?;
        let count = i64::try_from(efforts.sorted.len()).ok()?;
        let shrunk = |seen: Span, prior: Span| {
            let sum = i128::from(prior.0) * i128::from(PRIOR_WEIGHT) + i128::from(seen.0) * i128::from(count);
            let mean = sum / i128::from(PRIOR_WEIGHT + count);
            Span(i64::try_from(mean).unwrap_or(i64::MAX).clamp(1, limits::ESTIMATE_MAX.0))
        };
        let p50 = shrunk(efforts.percentile(50)?, table);
        let p90 = shrunk(efforts.percentile(90)?, spread(table)).max(p50);
        Some((p50, Learned { p90, from: u32::try_from(count).ok()? }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn what_was_seen_outweighs_the_table_in_the_end() {
        let kind = Name::new("bug").expect("a name");
        let table = Span(4 * HOUR);
        let mut learning = Learning::default();
        assert_eq!(learning.expected(&kind, 3, table), None);
        learning.completed(&kind, 3, Span(2 * HOUR));
        // (3 * 4 h + 1 * 2 h) / 4, and (3 * 8 h + 1 * 2 h) / 4.
        let (p50, learned) = learning.expected(&kind, 3, table).expect("one was seen");
        assert_eq!((p50.0, learned.p90.0, learned.from), (7 * HOUR / 2, 13 * HOUR / 2, 1));
        assert_eq!(learning.expected(&kind, 2, table), None, "another complexity");
        // Nine of one hour, and one of 20: the median is 1 h, nine of ten take no more than 2 h.
        for effort in [1, 1, 1, 1, 1, 1, 1, 1, 20] {
            learning.completed(&kind, 3, Span(effort * HOUR));
        }
        let (p50, learned) = learning.expected(&kind, 3, table).expect("ten were seen");
        assert_eq!((p50.0, learned.p90.0), ((12 + 10) * HOUR / 13, (24 + 20) * HOUR / 13));
    }

    #[test]
    fn no_more_types_are_told_apart_than_there_is_room_for() {
        let mut learning = Learning::default();
        let kind = |number: usize| Name::new(&format!("type-{number}")).expect("a name");
        for number in 0..2 * limits::METRIC_KINDS_MAX {
            (1..=5).for_each(|complexity| learning.completed(&kind(number), complexity, Span(HOUR)));
        }
        assert_eq!(learning.0.len(), 5 * limits::METRIC_KINDS_MAX);
        learning.completed(&kind(0), 1, Span(HOUR));
        assert_eq!(learning.expected(&kind(0), 1, Span(HOUR)).map(|(_, learned)| learned.from), Some(2));
        assert_eq!(learning.expected(&kind(limits::METRIC_KINDS_MAX), 1, Span(HOUR)), None);
    }

    #[test]
    fn only_the_last_fifty_count_and_come_back_from_a_snapshot() {
        let kind = Name::new("task").expect("a name");
        let mut learning = Learning::default();
        for effort in 1..=120 {
            learning.completed(&kind, 1, Span(effort % 7 * HOUR + 1));
        }
        let mut plain: Vec<i64> = (71..=120).map(|effort| effort % 7 * HOUR + 1).collect();
        plain.sort_unstable();
        let efforts = &learning.0[&(kind, 1)];
        assert_eq!(efforts.sorted.iter().map(|span| span.0).collect::<Vec<_>>(), plain);
        assert_eq!(
            (efforts.percentile(50), efforts.percentile(90)),
            (Some(Span(plain[24])), Some(Span(plain[44])))
        );
        assert_eq!(Efforts::from(efforts.recent.clone()), *efforts);
    }
}
