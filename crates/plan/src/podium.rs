//! The best three of the candidates that have been looked at.

use std::cmp::Ordering;

use kapell_model::{AgentId, Class, Considered, Situation, Standing};

use crate::score;

/// How many candidates a placement records.
pub(crate) const PLACES: usize = 3;

/// The best candidates so far, best first: by score, then fewer tasks, longer idle, smaller id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Podium {
    ranks: [i64; PLACES],
    agents: [AgentId; PLACES],
    taken: usize,
}

impl Podium {
    pub(crate) fn new() -> Self {
        Self { ranks: [0; PLACES], agents: [AgentId(0); PLACES], taken: 0 }
    }

    /// Returns the rank below which an offer comes to nothing.
    pub(crate) fn floor(&self) -> i64 {
        self.ranks[PLACES - 1]
    }

    /// Takes a candidate where it is among the best, and returns the new floor.
    #[inline(never)]
    pub(crate) fn offer(&mut self, situation: &Situation, rank: i64, agent: AgentId) -> i64 {
        let mut place = self.taken;
        while place > 0 && self.goes_before(situation, rank, agent, place - 1) {
            place -= 1;
        }
        if place < PLACES {
            let last = self.taken.min(PLACES - 1);
            self.ranks.copy_within(place..last, place + 1);
            self.agents.copy_within(place..last, place + 1);
            self.ranks[place] = rank;
            self.agents[place] = agent;
            self.taken = last + 1;
        }
        self.floor()
    }

    fn goes_before(&self, situation: &Situation, rank: i64, agent: AgentId, place: usize) -> bool {
        match rank.cmp(&self.ranks[place]) {
            Ordering::Equal => tie_order(situation, agent, self.agents[place]).is_lt(),
            order => order.is_gt(),
        }
    }

    /// Picks the agent for a task: the best above the threshold, and where `veto` has just failed this very
    /// task, the next best above it, if there is one.
    pub(crate) fn pick(&self, threshold: u32, veto: Option<AgentId>) -> Option<usize> {
        let above = |place: &usize| Standing::total(self.ranks[*place]) > threshold;
        let first = Some(0).filter(|_| self.taken > 0).filter(above)?;
        if veto != Some(self.agents[first]) {
            return Some(first);
        }
        let second = Some(1).filter(|_| self.taken > 1).filter(above);
        second.or(Some(first))
    }

    /// Tells whether somebody is in `place` and scores above `threshold`.
    pub(crate) fn is_above(&self, place: usize, threshold: u32) -> bool {
        place < self.taken && Standing::total(self.ranks[place]) > threshold
    }

    pub(crate) fn agent(&self, place: usize) -> AgentId {
        self.agents[place]
    }

    /// Returns the candidates with their scores, the one at `chosen` first.
    pub(crate) fn considered(&self, situation: &Situation, class: &Class, chosen: usize) -> Vec<Considered> {
        let mut agents = self.agents;
        agents[..=chosen].rotate_right(1);
        let taken = agents[..self.taken].iter();
        taken.map(|&agent| Considered { agent, parts: score::parts(situation, class, agent) }).collect()
    }

    /// Returns `agent` and the best of the others that are above the threshold, with their scores.
    pub(crate) fn considered_with(
        &self,
        situation: &Situation,
        class: &Class,
        agent: AgentId,
        threshold: u32,
    ) -> Vec<Considered> {
        let above = |place: &usize| Standing::total(self.ranks[*place]) > threshold;
        let others = (0..self.taken).filter(above).map(|place| self.agents[place]).filter(|&it| it != agent);
        let agents = std::iter::once(agent).chain(others).take(PLACES);
        agents.map(|agent| Considered { agent, parts: score::parts(situation, class, agent) }).collect()
    }
}

/// Orders two agents of equal score: fewer tasks, longer idle, smaller id.
pub(crate) fn tie_order(situation: &Situation, left: AgentId, right: AgentId) -> Ordering {
    let key = |id: AgentId| {
        let agent = situation.agent(id);
        (agent.active, agent.idle_since, id)
    };
    key(left).cmp(&key(right))
}
