//! One value of a score for every agent, with what it adds at hand.

use crate::id::AgentId;
use crate::ratio::Ratio;

/// What each agent's past is worth for tasks of one type, or of one project.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    otherwise: Ratio,
    weight: Ratio,
    values: Vec<Option<Ratio>>,
    weighted: Vec<u32>,
    most: u32,
}

impl Track {
    /// Returns the track in which nobody has a value yet, so that everybody has `otherwise`.
    pub(crate) fn new(otherwise: Ratio, weight: Ratio, agents: usize) -> Self {
        let mut track = Self { otherwise, weight, values: vec![None; agents], weighted: Vec::new(), most: 0 };
        track.reweigh(otherwise, weight);
        track
    }

    /// Takes an agent more.
    pub(crate) fn push(&mut self) {
        self.values.push(None);
        self.weighted.push(self.weight.times(self.otherwise).as_micros());
        self.most = self.most.max(self.weight.times(self.otherwise).as_micros());
    }

    /// Sets one value and returns whether it is larger than before.
    pub(crate) fn set(&mut self, agent: AgentId, value: Ratio) -> bool {
        let old = self.value(agent);
        self.values[agent.index()] = Some(value);
        self.weighted[agent.index()] = self.weight.times(value).as_micros();
        self.most = self.most.max(self.weighted[agent.index()]);
        value > old
    }

    /// Takes another weight, and another value for those who have none.
    pub(crate) fn reweigh(&mut self, otherwise: Ratio, weight: Ratio) {
        (self.otherwise, self.weight) = (otherwise, weight);
        let values = self.values.iter().map(|value| value.unwrap_or(otherwise));
        self.weighted = values.map(|value| weight.times(value).as_micros()).collect();
        self.most = self.weighted.iter().copied().max().unwrap_or(0);
    }

    /// Returns a number that none of [`Track::weighted`] exceeds; values that have gone down may have left it too large.
    pub(crate) fn most(&self) -> u32 {
        self.most
    }

    /// Returns what those have who have no value.
    pub(crate) fn otherwise(&self) -> Ratio {
        self.otherwise
    }

    /// Returns an agent's value.
    pub(crate) fn value(&self, agent: AgentId) -> Ratio {
        self.values[agent.index()].unwrap_or(self.otherwise)
    }

    /// Returns what each agent's value adds to its score, in millionths, in the order of ids.
    pub(crate) fn weighted(&self) -> &[u32] {
        &self.weighted
    }
}
