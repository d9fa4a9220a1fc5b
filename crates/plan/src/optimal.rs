//! The optimal strategy (SEMANTICS 3.2): a round that maximises the total score of what it places, priority level by
//! priority level from critical down.
//!
//! # Rulings
//! - Threshold and candidates are those of [`crate::Greedy`]. The k-th task that an agent gets in the round counts with
//!   the load that it then has, so every slot has its own, lower, score.
//! - The agent that failed a task in its last attempt is no candidate for it while, at the beginning of the round,
//!   another one scores above the threshold. Greedy asks that anew at each pick, and can thereby place a task that this
//!   leaves for the next round; where greedy's round is worth more for it, its round is the answer.
//! - The runners-up that a placement records are the best of those above the threshold.
//!
//! # How
//! An assignment problem in integers, solved by shortest augmenting paths from the slots, of which there are few, into
//! the tasks, of which there are many (`seat`). Tasks that nobody bids for are never priced: each agent keeps a short
//! list of the best of them. What is left of the last round, matching and prices, is where the next one begins:
//! only what has changed is taken out, found a place (`release`), and seated again.

mod book;
mod market;
mod release;
mod seat;
mod settle;
mod shortlist;
mod sync;

use std::collections::BTreeMap;
use std::sync::Arc;

use kapell_model::{
    AgentId, ClassId, Excerpt, Placement, Placer, Plan, PlanItem, PlanKind, Position, Priority, QueueKey,
    Ratio, Weights, Word, limits,
};

use crate::greedy::{Greedy, Tuning};
use book::{Book, LEVELS, RowId};

/// The total score of a round by level, from critical down, in millionths.
pub type Totals = [u64; LEVELS];

/// What a row of the matching is about: the level, the class, and who steps back.
type RowKey = (usize, ClassId, Option<AgentId>);

/// The optimal strategy, with what it remembers from round to round to be quick. What it remembers changes which of
/// several equally good rounds is chosen, never how good it is. Each fleet has its own.
#[derive(Debug, Default)]
pub struct Optimal {
    book: Book,
    rows: BTreeMap<RowKey, RowId>,
    places: BTreeMap<AgentId, usize>,
    spare: Vec<book::SlotId>,
    /// Threshold and weights of the last round; others make everything new.
    terms: Option<(Ratio, Weights)>,
    /// Who was kept for what in the last round; others make everything new too.
    kept: Vec<(AgentId, Arc<[Word]>)>,
    classes: usize,
    /// Whether a round has been planned since everything was made new.
    settled: bool,
}

/// A planned round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// What should be placed, in this order.
    pub placements: Vec<Placement>,
    /// What that is worth.
    pub totals: Totals,
}

impl Optimal {
    /// Returns the strategy with nothing remembered.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Plans a round.
    pub fn plan(&mut self, excerpt: &Excerpt) -> Round {
        let tasks = self.sync(excerpt);
        self.solve();
        self.settled = true;
        let round = settle::round(&self.book, excerpt, &tasks);
        if self.rows.keys().any(|(_, _, veto)| veto.is_some()) {
            let greedy = greedy_round(excerpt);
            if greedy.totals > round.totals {
                return greedy;
            }
        }
        round
    }

    /// Plans a round over what was so at `seen`, as it goes back to the fleet.
    pub fn propose(&mut self, excerpt: &Excerpt, seen: Position) -> Plan {
        let items = self.plan(excerpt).placements.into_iter().map(PlanItem::Place);
        let items = items.take(limits::PLAN_ITEMS_MAX).collect();
        Plan { kind: PlanKind::Optimal, seen, items }
    }

    /// Finds places for what is left over at a price, and seats the slots that are out.
    fn solve(&mut self) {
        for row in 0..self.book.rows.len() {
            self.book.release(row as RowId);
        }
        for agent in 0..self.book.desks.len() {
            for at in 0..self.book.desks[agent].slots.len() {
                let slot = self.book.desks[agent].slots[at];
                if self.book.slots[slot as usize].seat == book::Seat::Out {
                    self.book.seat(slot);
                }
            }
        }
    }
}

/// Plays a greedy round.
#[must_use]
pub fn greedy_round(excerpt: &Excerpt) -> Round {
    // In one step, however long.
    let tuning = Tuning { looks_max: i64::MAX, ..Tuning::default() };
    let (mut situation, mut greedy) = (excerpt.restored(), Greedy::tuned(tuning));
    let waiting: BTreeMap<_, _> = excerpt.waiting.iter().map(|it| (it.key.task, it)).collect();
    let (mut placements, mut totals) = (Vec::new(), Totals::default());
    greedy.begin(&situation);
    while let Some(placement) = greedy.next(&situation) {
        let task = waiting[&placement.task];
        situation.dequeue(task.class, &task.key);
        situation.take_slot(placement.agent);
        totals[level(&task.key)] += u64::from(placement.considered[0].parts.total.as_micros());
        placements.push(placement);
        if placements.len() == limits::PLAN_ITEMS_MAX {
            break;
        }
    }
    Round { placements, totals }
}

/// Returns the level of a task, 0 being the most urgent.
fn level(key: &QueueKey) -> usize {
    Priority::ALL.iter().position(|&priority| priority == key.priority).expect("one of all")
}
