//! Since when and by which of its needs a class was held back, so that what its tasks have waited is known by resource (SEMANTICS 8,
//! `RESOURCE_CONSTRAINT`).

use std::collections::VecDeque;

use kapell_model::{Moment, Need, Span, limits};
use serde::{Deserialize, Serialize};

/// Some needs out of a list of them, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NeedSet(u16);

const _: () = assert!(limits::RESOURCES_MAX <= 16, "a bit for each");

impl NeedSet {
    pub(crate) fn put(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    pub(crate) fn has(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Visits those of `needs` that are among them.
    pub(crate) fn of<'a>(self, needs: &'a [Need]) -> impl Iterator<Item = &'a Need> + 'a {
        needs.iter().enumerate().filter(move |&(index, _)| self.has(index)).map(|(_, need)| need)
    }
}

/// A time in which the same needs stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Moment, Moment, NeedSet)", into = "(Moment, Moment, NeedSet)")]
struct Stretch {
    from: Moment,
    /// Open where that is never.
    until: Moment,
    by: NeedSet,
}

impl From<(Moment, Moment, NeedSet)> for Stretch {
    fn from((from, until, by): (Moment, Moment, NeedSet)) -> Self {
        Self { from, until, by }
    }
}

impl From<Stretch> for (Moment, Moment, NeedSet) {
    fn from(it: Stretch) -> Self {
        (it.from, it.until, it.by)
    }
}

/// When a class was held back, the last [`limits::STRETCHES_MAX`] times while tasks of it waited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeldBack(VecDeque<Stretch>);

impl HeldBack {
    /// Takes note of what stands in the way from `at` on.
    pub(crate) fn note(&mut self, at: Moment, by: NeedSet) {
        if let Some(last) = self.0.back_mut().filter(|last| last.until == Moment::NEVER) {
            if last.by == by {
                return;
            }
            last.until = at;
            if last.from == at {
                self.0.pop_back();
            }
        }
        if by.is_empty() {
            return;
        }
        // Free for no time at all, for the next of the same class.
        match self.0.back_mut().filter(|last| last.until == at && last.by == by) {
            Some(last) => last.until = Moment::NEVER,
            None => {
                if self.0.len() == limits::STRETCHES_MAX {
                    self.0.pop_front();
                }
                self.0.push_back(Stretch { from: at, until: Moment::NEVER, by });
            }
        }
    }

    /// Returns what stands in the way now.
    pub(crate) fn now(&self) -> NeedSet {
        let open = self.0.back().filter(|last| last.until == Moment::NEVER);
        open.map(|last| last.by).unwrap_or_default()
    }

    /// Returns for how long the need at `index` has held back what waits since `since`.
    pub(crate) fn by(&self, index: usize, since: Moment, now: Moment) -> Span {
        let own = self.0.iter().filter(|it| it.by.has(index));
        Span(own.map(|it| it.until.min(now).since(it.from.max(since)).0.max(0)).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(bits: u16) -> NeedSet {
        NeedSet(bits)
    }

    #[test]
    fn what_one_waited_is_what_stood_in_its_way_while_it_waited() {
        let mut held = HeldBack::default();
        held.note(Moment(10), needs(0b01));
        held.note(Moment(20), needs(0b11));
        held.note(Moment(30), needs(0));
        held.note(Moment(30), needs(0b11));
        held.note(Moment(40), needs(0));
        held.note(Moment(50), needs(0b10));
        let by = |index, since, now| held.by(index, Moment(since), Moment(now)).0;
        assert_eq!((by(0, 0, 60), by(1, 0, 60)), (30, 30));
        assert_eq!((by(0, 15, 25), by(1, 15, 25)), (10, 5));
        assert_eq!((by(0, 41, 60), by(1, 41, 60)), (0, 10));
        assert_eq!(held.0.len(), 3, "free for no time at all is not free");
    }

    #[test]
    fn only_the_last_times_are_kept() {
        let mut held = HeldBack::default();
        for at in 0..100 {
            held.note(Moment(2 * at), needs(1));
            held.note(Moment(2 * at + 1), needs(0));
        }
        assert_eq!(held.0.len(), limits::STRETCHES_MAX);
    }
}
