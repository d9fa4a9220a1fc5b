//! Seating one more slot: the shortest way to a task that is left over, or to a slot that had better be idle.

use super::book::{Book, LEVELS, RowId, Seat, SlotId, Worth, worth};

/// Where a way ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// This slot goes idle.
    Idle(SlotId),
    /// This slot takes a task of the row that nobody holds.
    Left(SlotId, RowId),
}

/// The largest score.
const SCORE_MAX: i32 = 1_000_000;

impl Book {
    /// Takes a slot into the matching, which is the best one again afterwards.
    pub(crate) fn seat(&mut self, first: SlotId) {
        self.search.begin(self.rows.len());
        self.slots[first as usize].gain = 0;
        let (mut limit, mut end) = (0, End::Idle(first));
        self.scan(first, 0, &mut limit, &mut end);
        while let Some((distance, row)) = self.search.pop() {
            if distance >= limit {
                self.search.done.pop();
                break;
            }
            for at in 0..self.rows[row as usize].holders.len() {
                let slot = self.rows[row as usize].holders[at];
                let idle = distance + self.slots[slot as usize].gain;
                if idle < limit {
                    (limit, end) = (idle, End::Idle(slot));
                }
                self.scan(slot, distance, &mut limit, &mut end);
            }
        }
        self.reprice(first, limit);
        self.shift(first, end);
    }

    /// Looks from a slot at every row that it could take instead of its own.
    fn scan(&mut self, slot: SlotId, distance: Worth, limit: &mut Worth, end: &mut End) {
        let seat = self.slots[slot as usize];
        let start = distance + seat.gain;
        let bar = self.market.threshold - seat.adds;
        for level in 0..LEVELS {
            // Even the best score at this level leads no further.
            if start - worth(level, SCORE_MAX) >= *limit {
                break;
            }
            let desk = &self.desks[seat.agent as usize];
            for &(row, base) in &desk.known[level] {
                if base <= bar {
                    continue;
                }
                let there = &self.rows[row as usize];
                let reached = start - worth(level, base + seat.adds) + there.price;
                if reached < *limit {
                    if there.has_left() {
                        (*limit, *end) = (reached, End::Left(slot, row));
                    } else {
                        self.search.reach(row, reached, slot);
                    }
                }
            }
            if let Some((base, row)) = self.best_unknown(seat.agent, level).filter(|&(base, _)| base > bar) {
                let reached = start - worth(level, base + seat.adds);
                if reached < *limit {
                    (*limit, *end) = (reached, End::Left(slot, row));
                }
            }
        }
    }

    fn reprice(&mut self, first: SlotId, limit: Worth) {
        self.slots[first as usize].gain = -limit;
        for at in 0..self.search.done.len() {
            let row = self.search.done[at] as usize;
            let step = limit - self.search.distance[row];
            self.rows[row].price += step;
            for &holder in &self.rows[row].holders {
                self.slots[holder as usize].gain -= step;
            }
        }
    }

    fn shift(&mut self, first: SlotId, end: End) {
        self.slots[first as usize].seat = Seat::Idle;
        let (mut slot, mut row) = match end {
            End::Left(slot, row) => {
                self.make_known(row);
                (slot, row)
            }
            End::Idle(slot) => match self.unlink(slot, Seat::Idle) {
                Some(row) => (self.search.over[row as usize], row),
                None => return,
            },
        };
        loop {
            let old = self.unlink(slot, Seat::Idle);
            self.link(slot, row);
            let Some(old) = old else { return };
            row = old;
            slot = self.search.over[row as usize];
        }
    }
}
