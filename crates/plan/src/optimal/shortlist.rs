//! For each agent the best rows that nobody has bid for yet, so that finding the best one is a look at the front.

use std::cmp::Reverse;

use super::book::RowId;

/// Rows that a list holds when it is fresh.
const KEPT: usize = 64;

/// The best rows of one level for one agent, best first. Every row of the level that nobody has bid for is in it, or
/// has a base of at most [`Shortlist::floor`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Shortlist {
    /// Base and row; sorted where `sorted`, and then read from `front` on.
    entries: Vec<(i32, RowId)>,
    front: usize,
    /// The largest base that may be missing.
    floor: i32,
    /// What helps over the threshold at all.
    bar: i32,
    filled: bool,
}

impl Shortlist {
    /// Empties the list, to be filled with what is above `bar`.
    pub(crate) fn open(&mut self, bar: i32) {
        *self = Self { entries: std::mem::take(&mut self.entries), front: 0, floor: bar, bar, filled: true };
        self.entries.clear();
    }

    /// Forgets everything.
    pub(crate) fn forget(&mut self) {
        self.filled = false;
    }

    pub(crate) fn is_filled(&self) -> bool {
        self.filled
    }

    pub(crate) fn floor(&self) -> i32 {
        self.floor
    }

    /// Takes a row while the list is being filled.
    pub(crate) fn offer(&mut self, base: i32, row: RowId) {
        self.entries.push((base, row));
        if self.entries.len() >= 2 * KEPT {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let order = |&(base, row): &(i32, RowId)| (Reverse(base), row);
        let (_, &mut (floor, _), _) = self.entries.select_nth_unstable_by_key(KEPT, order);
        self.entries.truncate(KEPT);
        self.floor = floor;
    }

    /// Ends the filling.
    pub(crate) fn close(&mut self) {
        if self.entries.len() > KEPT {
            self.cut();
        }
        self.entries.sort_unstable_by_key(|&(base, row)| (Reverse(base), row));
    }

    /// Takes a new row into a filled list.
    pub(crate) fn insert(&mut self, base: i32, row: RowId) {
        if base > self.floor {
            let key = |&(base, row): &(i32, RowId)| (Reverse(base), row);
            let at = self.entries[self.front..].partition_point(|entry| key(entry) < (Reverse(base), row));
            self.entries.insert(self.front + at, (base, row));
        }
    }

    /// Returns the best row that is still `open`; `Err` where the list is used up and must be filled again.
    pub(crate) fn best(&mut self, open: impl Fn(RowId) -> bool) -> Result<Option<(i32, RowId)>, ()> {
        while let Some(&(base, row)) = self.entries.get(self.front) {
            if open(row) {
                return Ok(Some((base, row)));
            }
            self.front += 1;
        }
        if self.floor > self.bar { Err(()) } else { Ok(None) }
    }
}
