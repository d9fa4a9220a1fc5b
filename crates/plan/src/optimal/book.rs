//! The matching under way, with its prices.
//!
//! *Rows* are tasks that are alike (class, level, who steps back), with a count; *slots* are places at agents, each
//! with what its load adds to a score. A slot *holds* a row, or is idle, or has not been seated yet. Prices prove
//! that the matching is the best one of the seated slots (linear programming duality):
//!
//! - a row has a price of 0 or more; 0 where some of its tasks are left over;
//! - a seated slot has a gain of 0 or more; 0 where it is idle;
//! - gain + price is at least the worth of every pair above the threshold, and equal to that of every pair that is held.
//!
//! Worths of the four levels lie in one number, the higher ones further up: less than a step of the higher level is all
//! that the lower ones can add up to. So one search serves all levels, and is exact level by level.

use std::collections::BinaryHeap;
use std::sync::Arc;

use kapell_model::{Class, ClassId, Gate, limits};

use super::market::{Market, Need};
use super::shortlist::Shortlist;

pub(crate) type RowId = u32;
pub(crate) type SlotId = u32;
/// A sum of scores, level by level.
pub(crate) type Worth = i128;

/// Levels of priority.
pub(crate) const LEVELS: usize = 4;
/// Bits of a level: twice what the scores of all items of a plan can add up to.
const LEVEL_BITS: u32 = 34;
const _: () = assert!((limits::PLAN_ITEMS_MAX as u128) * 1_000_000 * 2 <= 1 << LEVEL_BITS);

/// Rows that are gone and still looked at, at most.
const GONE_MAX: usize = 256;

/// A price that nobody pays: of rows that are gone.
const NEVER: Worth = Worth::MAX / 4;

/// Returns what a score is worth at a level, 0 being the most urgent.
#[inline]
pub(crate) const fn worth(level: usize, micros: i32) -> Worth {
    (micros as Worth) << (LEVEL_BITS * (LEVELS - 1 - level) as u32)
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) class: ClassId,
    /// What the class was when the row was made.
    pub(crate) terms: Arc<Class>,
    /// Who could take it then, as far as its resources went.
    pub(crate) gate: Gate,
    pub(crate) level: usize,
    pub(crate) need: Need,
    /// Tasks that wait.
    pub(crate) count: usize,
    pub(crate) holders: Vec<SlotId>,
    pub(crate) price: Worth,
    /// Whether somebody has bid for it; then `agents` is there, and the agents know it.
    pub(crate) known: bool,
    /// Agents that could take one at their lightest load, with their bases, in order.
    pub(crate) agents: Vec<(u32, i32)>,
}

impl Row {
    pub(crate) fn has_left(&self) -> bool {
        self.holders.len() < self.count
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seat {
    /// Not in the matching yet, or not any more.
    Out,
    /// In it, with nothing to do.
    Idle,
    /// In it, with a task of this row.
    Holds(RowId),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    /// The agent's place in the market.
    pub(crate) agent: u32,
    /// How many tasks the agent has before this one.
    pub(crate) load: u32,
    /// What that adds to a score, in millionths.
    pub(crate) adds: i32,
    pub(crate) seat: Seat,
    pub(crate) gain: Worth,
}

/// What one agent knows of the rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Desk {
    /// Rows that somebody has bid for and it could take, with its base, by level.
    pub(crate) known: [Vec<(RowId, i32)>; LEVELS],
    /// The best of the others.
    pub(crate) best: [Shortlist; LEVELS],
    /// Its slots, lightest load first.
    pub(crate) slots: Vec<SlotId>,
}

#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) market: Market,
    pub(crate) rows: Vec<Row>,
    pub(crate) by_level: [Vec<RowId>; LEVELS],
    pub(crate) desks: Vec<Desk>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) found: Vec<(u32, i32)>,
    /// Known rows that are gone, and that the agents still look at.
    gone: usize,
    pub(crate) search: Search,
    /// In a search for a place: the row from which a slot was reached.
    pub(crate) from: Vec<RowId>,
}

/// How far a search has come to each row.
#[derive(Debug, Default)]
pub(crate) struct Search {
    pub(crate) heap: BinaryHeap<std::cmp::Reverse<(Worth, RowId)>>,
    pub(crate) distance: Vec<Worth>,
    /// The slot over which the row was reached.
    pub(crate) over: Vec<SlotId>,
    pub(crate) reached: Vec<RowId>,
    pub(crate) done: Vec<RowId>,
}

/// Farther than any row.
pub(crate) const FAR: Worth = Worth::MAX;

impl Search {
    pub(crate) fn begin(&mut self, rows: usize) {
        self.heap.clear();
        for row in self.reached.drain(..) {
            self.distance[row as usize] = FAR;
        }
        self.done.clear();
        self.distance.resize(rows, FAR);
        self.over.resize(rows, 0);
    }

    /// Takes a way to a row where it is the shortest one so far.
    #[inline]
    pub(crate) fn reach(&mut self, row: RowId, distance: Worth, over: SlotId) {
        let known = &mut self.distance[row as usize];
        if distance < *known {
            if *known == FAR {
                self.reached.push(row);
            }
            *known = distance;
            self.over[row as usize] = over;
            self.heap.push(std::cmp::Reverse((distance, row)));
        }
    }

    /// Takes the nearest row that has not been taken yet.
    pub(crate) fn pop(&mut self) -> Option<(Worth, RowId)> {
        while let Some(std::cmp::Reverse((distance, row))) = self.heap.pop() {
            if self.distance[row as usize] == distance {
                self.done.push(row);
                // Never reached again: distances only grow from here on.
                return Some((distance, row));
            }
        }
        None
    }
}

impl Book {
    /// Gives a task of `row` to a slot that holds nothing.
    pub(crate) fn link(&mut self, slot: SlotId, row: RowId) {
        self.slots[slot as usize].seat = Seat::Holds(row);
        self.rows[row as usize].holders.push(slot);
    }

    /// Takes its task from a slot; returns the row.
    pub(crate) fn unlink(&mut self, slot: SlotId, seat: Seat) -> Option<RowId> {
        let Seat::Holds(row) = std::mem::replace(&mut self.slots[slot as usize].seat, seat) else {
            return None;
        };
        let holders = &mut self.rows[row as usize].holders;
        let at = holders.iter().position(|&holder| holder == slot).expect("a held row knows its holder");
        holders.remove(at);
        Some(row)
    }

    /// Tells every agent that could take a row of it; from now on it has a price.
    pub(crate) fn make_known(&mut self, id: RowId) {
        if self.rows[id as usize].known {
            return;
        }
        let mut agents = std::mem::take(&mut self.rows[id as usize].agents);
        self.candidates(id, &mut agents);
        let row = &mut self.rows[id as usize];
        for &(agent, base) in &agents {
            self.desks[agent as usize].known[row.level].push((id, base));
        }
        row.known = true;
        row.agents = agents;
    }

    /// Finds the agents that could take a row at their lightest load.
    pub(crate) fn candidates(&mut self, id: RowId, found: &mut Vec<(u32, i32)>) {
        let threshold = self.market.threshold;
        let bars: Vec<i32> = self.market.lightest.iter().map(|&lightest| threshold - lightest).collect();
        self.market.find(&self.rows[id as usize].need, &bars, found);
    }

    /// Takes a row out of the matching, or some of its tasks; its slots are out of it too.
    pub(crate) fn shrink(&mut self, id: RowId, count: usize) {
        self.rows[id as usize].count = count;
        while self.rows[id as usize].holders.len() > count {
            let slot = *self.rows[id as usize].holders.last().expect("more than none");
            self.unlink(slot, Seat::Out);
        }
        if count == 0 {
            self.rows[id as usize].price = NEVER;
            self.gone += usize::from(self.rows[id as usize].known);
        }
    }

    /// Lets the agents forget rows that are gone, once these are many.
    pub(crate) fn tidy(&mut self) {
        if self.gone > GONE_MAX {
            self.gone = 0;
            for known in self.desks.iter_mut().flat_map(|desk| &mut desk.known) {
                known.retain(|&(row, _)| self.rows[row as usize].count > 0);
            }
        }
    }

    /// Returns the best row for an agent among those that nobody has bid for, at one level.
    pub(crate) fn best_unknown(&mut self, agent: u32, level: usize) -> Option<(i32, RowId)> {
        loop {
            let list = &mut self.desks[agent as usize].best[level];
            let rows = &self.rows;
            let open = |row: RowId| !rows[row as usize].known && rows[row as usize].count > 0;
            match list.is_filled().then(|| list.best(open)) {
                Some(Ok(best)) => return best,
                Some(Err(())) | None => self.fill(agent, level),
            }
        }
    }

    /// Fills the list of one agent; or those of all, where nobody has one for the level yet.
    fn fill(&mut self, agent: u32, level: usize) {
        if self.desks.iter().any(|desk| desk.best[level].is_filled()) {
            self.fill_one(agent as usize, level);
        } else {
            self.fill_all(level);
        }
    }

    fn fill_one(&mut self, agent: usize, level: usize) {
        let bar = self.market.threshold - self.market.lightest[agent];
        let list = &mut self.desks[agent].best[level];
        list.open(bar);
        for &id in &self.by_level[level] {
            let row = &self.rows[id as usize];
            if row.count > 0 && !row.known {
                let base = self.market.base(&row.need, agent);
                if base > list.floor() {
                    list.offer(base, id);
                }
            }
        }
        list.close();
    }

    fn fill_all(&mut self, level: usize) {
        let threshold = self.market.threshold;
        let mut floors: Vec<i32> =
            self.market.lightest.iter().map(|&lightest| threshold - lightest).collect();
        for (desk, &floor) in self.desks.iter_mut().zip(&floors) {
            desk.best[level].open(floor);
        }
        let mut found = std::mem::take(&mut self.found);
        for &id in &self.by_level[level] {
            let row = &self.rows[id as usize];
            if row.count == 0 || row.known {
                continue;
            }
            self.market.find(&row.need, &floors, &mut found);
            for &(agent, base) in &found {
                let list = &mut self.desks[agent as usize].best[level];
                list.offer(base, id);
                floors[agent as usize] = list.floor();
            }
        }
        self.found = found;
        self.desks.iter_mut().for_each(|desk| desk.best[level].close());
    }
}
