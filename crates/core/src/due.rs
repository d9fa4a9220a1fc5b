//! What is due when, and how much of it is past due.

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::Moment;

/// Widths of the counted blocks of time, in bits of milliseconds: 12 days, 17 minutes, a second.
const BITS: [u32; 3] = [30, 20, 10];

/// Numbered things in the order in which they are due. To count what is past due costs time in the number of blocks,
/// not of things: whole blocks are counted, and only the last second is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    entries: BTreeSet<(Moment, u32)>,
    counts: [BTreeMap<i64, u32>; 3],
}

impl Due {
    pub(crate) fn insert(&mut self, due: Moment, id: u32) {
        if self.entries.insert((due, id)) {
            for (counts, bits) in self.counts.iter_mut().zip(BITS) {
                *counts.entry(due.0 >> bits).or_default() += 1;
            }
        }
    }

    pub(crate) fn remove(&mut self, due: Moment, id: u32) {
        if !self.entries.remove(&(due, id)) {
            return;
        }
        for (counts, bits) in self.counts.iter_mut().zip(BITS) {
            let block = due.0 >> bits;
            if let Some(count) = counts.get_mut(&block) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&block);
                }
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns how many were due before `now`.
    pub(crate) fn past(&self, now: Moment) -> usize {
        let (mut past, mut from) = (0, None);
        for (counts, bits) in self.counts.iter().zip(BITS) {
            let block = now.0 >> bits;
            // The wider block that `now` is in was left out; what of it lies in whole narrower ones comes here.
            let first = from.map_or(i64::MIN, |moment: i64| moment >> bits);
            past += counts.range(first..block).map(|(_, &count)| count as usize).sum::<usize>();
            from = Some(block << bits);
        }
        let from = Moment(from.unwrap_or(i64::MIN));
        past + self.entries.range((from, 0)..(now, 0)).count()
    }

    /// Returns what was due before `now`, longest past due first.
    pub(crate) fn overdue(&self, now: Moment) -> impl Iterator<Item = u32> + '_ {
        self.entries.range(..(now, 0)).map(|&(_, id)| id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counting_by_blocks_equals_counting(
            dues in prop::collection::vec((prop_oneof![0..5_000_i64, 0..(1_i64 << 34), Just(i64::MAX)], any::<bool>()), 0..200),
            now in prop_oneof![0..5_000_i64, 0..(1_i64 << 34), Just(i64::MAX)],
        ) {
            let mut index = Due::default();
            let mut plain = Vec::new();
            for (id, &(due, stays)) in (0..).zip(&dues) {
                index.insert(Moment(due), id);
                plain.push((Moment(due), id));
                if !stays {
                    let (due, id) = plain.swap_remove(plain.len() / 2);
                    index.remove(due, id);
                }
            }
            plain.sort_unstable();
            let past: Vec<u32> = plain.iter().filter(|(due, _)| due.0 < now).map(|&(_, id)| id).collect();
            prop_assert_eq!(index.past(Moment(now)), past.len());
            prop_assert_eq!(index.overdue(Moment(now)).collect::<Vec<_>>(), past);
            prop_assert_eq!(index.len(), plain.len());
        }
    }
}
