//! Finding a place for a task that is left over although its row has a price: the shortest way to an idle slot, or to
//! a row that had better have a task left over.

use super::book::{Book, RowId, Seat, SlotId, Worth, worth};

/// Where a way ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// A task of this row is left over.
    Left(RowId),
    /// This slot, which is idle, takes a task of the row.
    Idle(SlotId, RowId),
}

impl Book {
    /// Places what a row has left over, as far as it has a price; the matching is the best one again afterwards.
    pub(crate) fn release(&mut self, row: RowId) {
        while self.rows[row as usize].has_left() && self.rows[row as usize].price > 0 {
            self.make_known(row);
            self.release_one(row);
        }
    }

    fn release_one(&mut self, first: RowId) {
        self.search.begin(self.rows.len());
        // Which row a slot was reached from: that of the first way to it, which is the shortest, once it is taken.
        let mut from = std::mem::take(&mut self.from);
        from.resize(self.slots.len(), 0);
        let (mut limit, mut end) = (self.rows[first as usize].price, End::Left(first));
        self.search.reach(first, 0, SlotId::MAX);
        while let Some((distance, row)) = self.search.pop() {
            if distance >= limit {
                self.search.done.pop();
                break;
            }
            let left = distance + self.rows[row as usize].price;
            if left < limit {
                (limit, end) = (left, End::Left(row));
            }
            self.look_around(row, distance, &mut limit, &mut end, &mut from);
        }
        self.lower(limit);
        self.hand_on(first, end, &from);
        self.from = from;
    }

    /// Looks from a row at every slot that could take a task of it.
    fn look_around(
        &mut self,
        id: RowId,
        distance: Worth,
        limit: &mut Worth,
        end: &mut End,
        from: &mut [RowId],
    ) {
        let row = &self.rows[id as usize];
        let start = distance + row.price;
        for &(agent, base) in &row.agents {
            for &slot in &self.desks[agent as usize].slots {
                let seat = &self.slots[slot as usize];
                if base + seat.adds <= self.market.threshold {
                    break;
                }
                let reached = start + seat.gain - worth(row.level, base + seat.adds);
                if reached >= *limit {
                    continue;
                }
                match seat.seat {
                    Seat::Out => {}
                    Seat::Idle => (*limit, *end) = (reached, End::Idle(slot, id)),
                    Seat::Holds(other) if reached < self.search.distance[other as usize] => {
                        from[slot as usize] = id;
                        self.search.reach(other, reached, slot);
                    }
                    Seat::Holds(_) => {}
                }
            }
        }
    }

    fn lower(&mut self, limit: Worth) {
        for at in 0..self.search.done.len() {
            let row = self.search.done[at] as usize;
            let step = limit - self.search.distance[row];
            self.rows[row].price -= step;
            for &holder in &self.rows[row].holders {
                self.slots[holder as usize].gain += step;
            }
        }
    }

    fn hand_on(&mut self, first: RowId, end: End, from: &[RowId]) {
        let mut row = match end {
            End::Left(row) => row,
            End::Idle(slot, row) => {
                self.link(slot, row);
                row
            }
        };
        while row != first {
            let slot = self.search.over[row as usize];
            self.unlink(slot, Seat::Idle);
            row = from[slot as usize];
            self.link(slot, row);
        }
    }
}
