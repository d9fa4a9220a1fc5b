//! From the last round to this one: what has gone leaves the matching, what has come is taken in.

use std::collections::BTreeMap;
use std::sync::Arc;

use kapell_model::{AgentId, ClassId, Excerpt, QueueKey, Ratio, Situation, limits};

use super::book::{Book, Desk, LEVELS, Row, RowId, Seat, Slot, SlotId, Worth, worth};
use super::market::{Market, NO_CANDIDATE};
use super::{Optimal, RowKey, level};

/// Rows that are gone, and kept all the same, beside as many that are there.
const GONE_MAX: usize = 10_000;

/// The tasks of each row, in the order of the queue.
pub(super) type Tasks = Vec<(RowId, Vec<QueueKey>)>;

/// What an agent has to offer now: how many tasks it has, and of how many it gets more at most.
#[derive(Clone, Copy, Debug, Default)]
struct Room {
    active: u32,
    max: u32,
    slots: u32,
}

impl Optimal {
    /// Takes up an excerpt, so that what is left of the last round is a matching with true prices, and the rest is
    /// marked: rows with something left over at a price, slots that are out.
    pub(super) fn sync(&mut self, excerpt: &Excerpt) -> Tasks {
        let situation = &excerpt.situation;
        let terms = (situation.threshold(), *situation.weights());
        let kept: Vec<_> =
            situation.kept().map(|agent| (agent, Arc::clone(&situation.agent(agent).kept))).collect();
        let crowded = self.book.rows.len() > 2 * self.rows.len() + GONE_MAX;
        if self.terms != Some(terms) || self.kept != kept || crowded || situation.class_count() < self.classes
        {
            *self = Self { terms: Some(terms), kept, ..Self::default() };
            self.book.market = Market::new(situation);
        }
        self.classes = situation.class_count();
        self.sync_agents(situation);
        self.sync_rows(excerpt)
    }

    fn sync_agents(&mut self, situation: &Situation) {
        let rooms = rooms(situation);
        let known = self.book.desks.len();
        for &agent in rooms.keys() {
            if !self.places.contains_key(&agent) {
                let place = self.book.market.push(situation, agent);
                self.book.desks.push(Desk::default());
                self.places.insert(agent, place);
            }
        }
        let mut changed = Vec::new();
        for place in 0..self.book.desks.len() {
            let room = rooms.get(&self.book.market.agents[place]).copied().unwrap_or_default();
            let differs = place >= known || room.slots > 0 && self.book.market.read(situation, place);
            if self.sync_slots(situation, place, room, differs) {
                changed.push(place);
            }
        }
        let (threshold, lightest) = (self.book.market.threshold, &self.book.market.lightest);
        self.book.market.bar = threshold - lightest.iter().copied().max().unwrap_or(NO_CANDIDATE);
        for place in changed {
            self.book.introduce(place);
        }
    }

    /// Takes up the slots of an agent. Returns whether what it knows of the rows is outdated.
    fn sync_slots(&mut self, situation: &Situation, place: usize, room: Room, differs: bool) -> bool {
        let wanted: Vec<(u32, i32)> = (0..room.slots).map(|at| slot_of(situation, room, at)).collect();
        let lightest = wanted.first().map_or(NO_CANDIDATE, |&(_, adds)| adds);
        let outdated = differs || lightest > self.book.market.lightest[place];
        let old = std::mem::take(&mut self.book.desks[place].slots);
        let mut kept = BTreeMap::new();
        for slot in old {
            let Slot { load, adds, .. } = self.book.slots[slot as usize];
            if !outdated && wanted.contains(&(load, adds)) {
                kept.insert(load, slot);
            } else {
                self.book.unlink(slot, Seat::Out);
                self.book.slots[slot as usize].seat = Seat::Out;
                self.spare.push(slot);
            }
        }
        for (load, adds) in wanted {
            let slot = kept.get(&load).copied().unwrap_or_else(|| self.new_slot(place, load, adds));
            self.book.desks[place].slots.push(slot);
        }
        self.book.market.lightest[place] = lightest;
        outdated
    }

    fn new_slot(&mut self, place: usize, load: u32, adds: i32) -> SlotId {
        let slot = Slot { agent: place as u32, load, adds, seat: Seat::Out, gain: 0 };
        if let Some(id) = self.spare.pop() {
            self.book.slots[id as usize] = slot;
            return id;
        }
        self.book.slots.push(slot);
        (self.book.slots.len() - 1) as SlotId
    }

    fn sync_rows(&mut self, excerpt: &Excerpt) -> Tasks {
        let mut sorted: Vec<(RowKey, QueueKey)> = Vec::with_capacity(excerpt.waiting.len());
        for task in &excerpt.waiting {
            let veto = task.veto.filter(|&veto| self.has_another(&excerpt.situation, task.class, veto));
            sorted.push(((level(&task.key), task.class, veto), task.key));
        }
        sorted.sort_unstable();
        let groups = sorted.chunk_by(|left, right| left.0 == right.0);
        let mut rows = BTreeMap::new();
        let mut fresh = Vec::new();
        let mut tasks = Tasks::new();
        for group in groups {
            let key = group[0].0;
            let known = self.rows.remove(&key);
            let row = match known.filter(|&row| self.is_still(&excerpt.situation, row)) {
                Some(row) => {
                    self.book.shrink(row, group.len());
                    row
                }
                None => {
                    if let Some(outdated) = known {
                        self.book.shrink(outdated, 0);
                    }
                    let row = self.new_row(&excerpt.situation, key, group.len());
                    fresh.push(row);
                    row
                }
            };
            rows.insert(key, row);
            tasks.push((row, group.iter().map(|&(_, key)| key).collect()));
        }
        for row in std::mem::replace(&mut self.rows, rows).into_values() {
            self.book.shrink(row, 0);
        }
        self.book.tidy();
        if self.settled {
            for row in fresh {
                self.book.announce(row);
            }
        }
        tasks
    }

    /// Tells whether the class of a row asks for what it asked for when the row was made.
    fn is_still(&self, situation: &Situation, row: RowId) -> bool {
        let Row { class, terms, gate, .. } = &self.book.rows[row as usize];
        let now = situation.shared_class(*class);
        *gate == situation.gate(*class) && (Arc::ptr_eq(now, terms) || now == terms)
    }

    fn new_row(&mut self, situation: &Situation, (level, class, veto): RowKey, count: usize) -> RowId {
        let need = self.book.market.need(situation, class, veto);
        let id = self.book.rows.len() as RowId;
        let terms = Arc::clone(situation.shared_class(class));
        let (gate, holders, agents) = (situation.gate(class), Vec::new(), Vec::new());
        self.book.rows.push(Row {
            class,
            terms,
            gate,
            level,
            need,
            count,
            holders,
            price: 0,
            known: false,
            agents,
        });
        self.book.by_level[level].push(id);
        id
    }

    /// Tells whether somebody else than `veto` could take a task of `class`.
    fn has_another(&mut self, situation: &Situation, class: ClassId, veto: AgentId) -> bool {
        let market = &mut self.book.market;
        let need = market.need(situation, class, Some(veto));
        (0..market.agents.len())
            .any(|place| market.base(&need, place) > market.threshold - market.lightest[place])
    }
}

impl Book {
    /// Makes an agent that has come or changed, and whose slots are all out, known to the rows, and these to it.
    fn introduce(&mut self, place: usize) {
        let desk = &mut self.desks[place];
        desk.known.iter_mut().for_each(Vec::clear);
        desk.best.iter_mut().for_each(super::shortlist::Shortlist::forget);
        let (bar, agent) = (self.market.threshold - self.market.lightest[place], place as u32);
        for (row, id) in self.rows.iter_mut().zip(0..).filter(|(row, _)| row.known && row.count > 0) {
            let base = self.market.base(&row.need, place);
            let found = row.agents.binary_search_by_key(&agent, |&(agent, _)| agent);
            match (found, base > bar) {
                (Ok(at), true) => row.agents[at].1 = base,
                (Ok(at), false) => drop(row.agents.remove(at)),
                (Err(at), true) => row.agents.insert(at, (agent, base)),
                (Err(_), false) => {}
            }
            if base > bar {
                desk.known[row.level].push((id, base));
            }
        }
    }

    /// Takes a new row in beside those that are there: at the price that keeps every seated slot where it is.
    fn announce(&mut self, id: RowId) {
        let mut found = std::mem::take(&mut self.found);
        self.candidates(id, &mut found);
        let level = self.rows[id as usize].level;
        let mut price: Worth = 0;
        for &(agent, base) in &found {
            for &slot in &self.desks[agent as usize].slots {
                let seat = &self.slots[slot as usize];
                if seat.seat != Seat::Out && base + seat.adds > self.market.threshold {
                    price = price.max(worth(level, base + seat.adds) - seat.gain);
                }
            }
        }
        self.rows[id as usize].price = price;
        for &(agent, base) in &found {
            let list = &mut self.desks[agent as usize].best[level];
            if list.is_filled() {
                list.insert(base, id);
            }
        }
        self.found = found;
        if price > 0 {
            self.make_known(id);
        }
    }
}

/// Returns what each agent with room has to offer; where that is more than a plan may hold, nobody gets more than a
/// certain number of tasks in the round.
fn rooms(situation: &Situation) -> BTreeMap<AgentId, Room> {
    let mut free = situation.free().to_vec();
    free.sort_unstable();
    free.truncate(limits::PLAN_ITEMS_MAX);
    let room = |id: AgentId| situation.agent(id).max - situation.agent(id).active;
    let sum = |most: u32| free.iter().map(|&id| u64::from(room(id).min(most))).sum::<u64>();
    let (mut least, mut most) = (1, limits::CONCURRENT_TASKS_MAX);
    while least < most {
        let middle = (least + most).div_ceil(2);
        if sum(middle) <= limits::PLAN_ITEMS_MAX as u64 {
            least = middle;
        } else {
            most = middle - 1;
        }
    }
    let offer = |&id: &AgentId| {
        let agent = situation.agent(id);
        (id, Room { active: agent.active, max: agent.max, slots: room(id).min(least) })
    };
    free.iter().map(offer).collect()
}

/// Returns the load before an agent's `at`th task of the round, and what that adds to a score.
fn slot_of(situation: &Situation, room: Room, at: u32) -> (u32, i32) {
    let load = room.active + at;
    let workload = Ratio::of(u64::from(room.max - load), u64::from(room.max));
    (load, situation.weights().workload.times(workload).as_micros() as i32)
}

const _: () = assert!(LEVELS == kapell_model::Priority::ALL.len());
