//! From the matching to the items of a plan, in an order in which each stands above the threshold by itself.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use kapell_model::{Excerpt, Placement, QueueKey, Situation, Standing};

use super::book::{Book, RowId};
use super::sync::Tasks;
use super::{Round, Totals};
use crate::podium::Podium;

/// Writes the matching down. An agent gets its tasks in the order of its slots; apart from that the order is that of
/// the queue.
pub(super) fn round(book: &Book, excerpt: &Excerpt, tasks: &Tasks) -> Round {
    let mut chains = chains(book, tasks);
    let mut heads: BinaryHeap<_> =
        chains.iter().map(|(&agent, chain)| Reverse((chain[chain.len() - 1].1, agent))).collect();
    let mut standings = Standings::new(book, excerpt);
    let (mut placements, mut totals) = (Vec::new(), Totals::default());
    while let Some(Reverse((key, agent))) = heads.pop() {
        let chain = chains.get_mut(&agent).expect("a head has its chain");
        let (_, _, row) = chain.pop().expect("a head is the last of its chain");
        if let Some(&(_, next, _)) = chain.last() {
            heads.push(Reverse((next, agent)));
        }
        let placement = standings.place(key, agent, row);
        debug_assert!(placement.considered[0].parts.total > excerpt.situation.threshold());
        totals[book.rows[row as usize].level] += u64::from(placement.considered[0].parts.total.as_micros());
        placements.push(placement);
    }
    Round { placements, totals }
}

/// Returns what each agent gets, the last first: the load before it, the task, and its row.
fn chains(book: &Book, tasks: &Tasks) -> BTreeMap<u32, Vec<(u32, QueueKey, RowId)>> {
    let mut chains: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for (row, keys) in tasks {
        let mut holders: Vec<_> = book.rows[*row as usize]
            .holders
            .iter()
            .map(|&slot| &book.slots[slot as usize])
            .map(|slot| (slot.load, book.market.agents[slot.agent as usize], slot.agent))
            .collect();
        holders.sort_unstable();
        for (&key, (load, _, agent)) in keys.iter().zip(holders) {
            chains.entry(agent).or_default().push((load, key, *row));
        }
    }
    chains.values_mut().for_each(|chain| chain.sort_unstable_by_key(|&(load, ..)| Reverse(load)));
    chains
}

/// How everybody stands while the round goes on.
struct Standings<'a> {
    book: &'a Book,
    situation: Situation,
    /// By place in the market; nothing for those that are full.
    standings: Vec<Option<Standing>>,
}

impl<'a> Standings<'a> {
    fn new(book: &'a Book, excerpt: &Excerpt) -> Self {
        let situation = excerpt.situation.clone();
        let agents = book.market.agents.iter();
        let standing = |&agent| situation.agent(agent).is_free().then(|| situation.standing(agent));
        let standings = agents.map(standing).collect();
        Self { book, situation, standings }
    }

    fn place(&mut self, key: QueueKey, place: u32, row: RowId) -> Placement {
        let row = &self.book.rows[row as usize];
        let agent = self.book.market.agents[place as usize];
        let mut podium = Podium::new();
        for &(other, base) in &row.agents {
            let Some(standing) = self.standings[other as usize] else { continue };
            let rank = standing.with(base as u32);
            if rank >= podium.floor() {
                podium.offer(&self.situation, rank, self.book.market.agents[other as usize]);
            }
        }
        let threshold = self.situation.threshold().as_micros();
        let considered =
            podium.considered_with(&self.situation, self.situation.class(row.class), agent, threshold);
        self.situation.take_slot(agent);
        let free = self.situation.agent(agent).is_free();
        self.standings[place as usize] = free.then(|| self.situation.standing(agent));
        Placement { task: key.task, agent, considered }
    }
}
