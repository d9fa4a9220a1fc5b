//! What each agent's capabilities are worth to a class, kept while nobody's capabilities change.
//!
//! Load, performance and cohesion are not in here: they change with every task.

use kapell_model::{AgentId, Class, ClassId, Situation, Standing, able};

use crate::score;

/// Entries that are kept in all columns together, 4 bytes each: 400 classes of a fleet of 10,000 agents.
const ENTRIES_MAX: usize = 4_000_000;

/// One number for each agent, in the order of ids: its weighted capability part in millionths, or
/// [`Standing::EXCLUDED`] where it can never be a candidate.
type Column = Vec<u32>;

/// The columns of the classes that have been looked at under one version of the roster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    roster_version: u64,
    columns: Vec<Column>,
    entries: usize,
}

impl Columns {
    /// Forgets everything where the roster has changed since.
    pub(crate) fn refresh(&mut self, situation: &Situation) {
        if self.roster_version != situation.roster_version() {
            self.clear();
            self.roster_version = situation.roster_version();
        }
    }

    /// Returns the column of class `id`, which it makes where it is not there yet.
    pub(crate) fn column(&mut self, situation: &Situation, id: ClassId) -> &[u32] {
        if self.columns.get(id.index()).is_none_or(Vec::is_empty) {
            self.fill(situation, id);
        }
        &self.columns[id.index()]
    }

    /// Returns one number of a column, without making the column.
    pub(crate) fn entry(&self, situation: &Situation, id: ClassId, agent: AgentId) -> u32 {
        match self.columns.get(id.index()).and_then(|column| column.get(agent.index())) {
            Some(&entry) => entry,
            None => entry(situation, situation.class(id), agent),
        }
    }

    fn fill(&mut self, situation: &Situation, id: ClassId) {
        let agents = situation.agents().len();
        if self.entries + agents > ENTRIES_MAX {
            self.clear();
        }
        if self.columns.len() <= id.index() {
            self.columns.resize_with(situation.class_count(), Vec::new);
        }
        let class = situation.class(id);
        let ids = (0..).map(AgentId).take(agents);
        self.columns[id.index()] = ids.map(|agent| entry(situation, class, agent)).collect();
        self.entries += agents;
    }

    fn clear(&mut self) {
        self.columns.clear();
        self.entries = 0;
    }
}

fn entry(situation: &Situation, class: &Class, id: AgentId) -> u32 {
    let agent = situation.agent(id);
    if able(class, id, agent).is_err() {
        return Standing::EXCLUDED;
    }
    situation.weights().capability.times(score::capability(class, agent)).as_micros()
}
