//! What each agent's capabilities are worth to a class, kept while nobody's capabilities change.
//!
//! Load, performance and cohesion are not in here: they change with every task.

use kapell_model::{AgentId, Class, ClassId, Situation, Standing, able};

use crate::score;

/// Entries that are kept in all columns together, 4 bytes each: 400 classes of a fleet of 10,000 agents.
const ENTRIES_MAX: usize = 4_000_000;

/// What a class has got under the present roster.
#[derive(Clone, Debug, Default)]
struct Column {
    /// One number for each agent, in the order of ids: its weighted capability part in millionths, or
    /// [`Standing::EXCLUDED`] where it can never be a candidate. Empty until it pays.
    entries: Vec<u32>,
    /// Numbers that have been worked out one by one instead.
    singles: usize,
}

/// The columns of the classes that have been looked at under one version of the roster.
///
/// A column is made when as many single numbers have been worked out as it has entries: a class that is looked
/// at once, for a few agents, costs no more than those, and none costs more than twice what it must.
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
        if self.columns.len() < situation.class_count() {
            self.columns.resize_with(situation.class_count(), Column::default);
        }
    }

    /// Returns the column of class `id` where it is there, or pays now that `wanted` of its entries are needed.
    pub(crate) fn column(&mut self, situation: &Situation, id: ClassId, wanted: usize) -> Option<&[u32]> {
        let column = &self.columns[id.index()];
        if column.entries.is_empty() {
            if column.singles + wanted < situation.agents().len() {
                return None;
            }
            self.fill(situation, id);
        }
        Some(&self.columns[id.index()].entries)
    }

    /// Returns one number of a column, without making the column.
    pub(crate) fn entry(&mut self, situation: &Situation, id: ClassId, agent: AgentId) -> u32 {
        let column = &mut self.columns[id.index()];
        if let Some(&entry) = column.entries.get(agent.index()) {
            return entry;
        }
        column.singles += 1;
        entry(situation, situation.class(id), agent)
    }

    fn fill(&mut self, situation: &Situation, id: ClassId) {
        let agents = situation.agents().len();
        if self.entries + agents > ENTRIES_MAX {
            self.clear();
            self.columns.resize_with(situation.class_count(), Column::default);
        }
        let class = situation.class(id);
        let ids = (0..).map(AgentId).take(agents);
        self.columns[id.index()].entries = ids.map(|agent| entry(situation, class, agent)).collect();
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
