//! What each agent's capabilities are worth to a class, kept while nobody's capabilities change.
//!
//! Load, performance and cohesion are not in here: they change with every task.

use kapell_model::{AgentId, Class, ClassId, Ratio, Situation, Standing, able};

use crate::score;

/// Entries that are kept in all columns together, 4 bytes each: 400 classes of a fleet of 10,000 agents.
const ENTRIES_MAX: usize = 4_000_000;

/// What a class has got under the present roster.
#[derive(Clone, Debug, Default)]
struct Column {
    /// One number for each agent, in the order of ids: its weighted capability part in millionths, or
    /// [`Standing::EXCLUDED`] where it can never be a candidate. Empty until it pays.
    entries: Vec<u32>,
    /// How many single scores had changed when they were worked out.
    rescored: u64,
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
    sums: Sums,
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

    /// Returns the column of class `id` where it is there.
    pub(crate) fn known(&mut self, situation: &Situation, id: ClassId) -> Option<&[u32]> {
        self.mend(situation, id);
        Some(self.columns[id.index()].entries.as_slice()).filter(|entries| !entries.is_empty())
    }

    /// Returns the column of class `id`, which is made where it is not there.
    pub(crate) fn whole(&mut self, situation: &Situation, id: ClassId) -> &[u32] {
        self.mend(situation, id);
        if self.columns[id.index()].entries.is_empty() {
            self.fill(situation, id);
        }
        &self.columns[id.index()].entries
    }

    /// Visits the agents whose weighted mean over what class `id` requires is at least `least` above nothing; costs
    /// time in the number of those who have any of it.
    pub(crate) fn capable(
        &mut self,
        situation: &Situation,
        class: &Class,
        least: Ratio,
        mut visit: impl FnMut(AgentId),
    ) {
        self.sums.gather(situation, class);
        self.sums.drain_from(situation, class, least, |agent, _| visit(agent));
    }

    /// Returns the column of class `id` where it is there, or pays now that `wanted` of its entries are needed.
    pub(crate) fn column(&mut self, situation: &Situation, id: ClassId, wanted: usize) -> Option<&[u32]> {
        self.mend(situation, id);
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
        self.mend(situation, id);
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
        let column = &mut self.columns[id.index()];
        column.entries = self.sums.column(situation, situation.class(id));
        column.rescored = situation.rescored();
        self.entries += agents;
    }

    /// Works out anew the entries of those whose scores have changed since the column was made; forgets it where that is not
    /// known.
    fn mend(&mut self, situation: &Situation, id: ClassId) {
        let column = &mut self.columns[id.index()];
        let times = situation.rescored();
        if column.rescored == times || column.entries.is_empty() {
            return;
        }
        match situation.rescored_since(column.rescored) {
            Some(agents) => {
                for agent in agents {
                    column.entries[agent.index()] = entry(situation, situation.class(id), agent);
                }
            }
            None => {
                self.entries -= column.entries.len();
                column.entries = Vec::new();
            }
        }
        column.rescored = times;
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

/// Room for one number per agent, all zero between two uses.
#[derive(Clone, Debug, Default)]
pub struct Sums(Vec<u64>);

impl Sums {
    /// Returns what each agent's capabilities are worth to `class`: the weighted capability part of its score in
    /// millionths, or [`Standing::EXCLUDED`] where it can never be a candidate, in the order of ids.
    ///
    /// It looks only at those who have something of what is required; all others have the same.
    #[must_use]
    pub fn column(&mut self, situation: &Situation, class: &Class) -> Vec<u32> {
        let agents = situation.agents().len();
        let ids = || (0..).map(AgentId).take(agents);
        if class.requires.is_empty() || class.pin.is_some() || class.role.is_some() {
            return ids().map(|agent| entry(situation, class, agent)).collect();
        }
        let weight = situation.weights().capability;
        let strict = class.requires.iter().any(|requirement| requirement.minimum > Ratio::ZERO);
        let mut column = vec![if strict { Standing::EXCLUDED } else { 0 }; agents];
        let weights = weights(class);
        self.gather(situation, class);
        self.drain_from(situation, class, Ratio::ZERO, |agent, sum| {
            let unfit = strict && able(class, agent, situation.agent(agent)).is_err();
            let part = || weight.times(mean(sum, weights)).as_micros();
            column[agent.index()] = if unfit { Standing::EXCLUDED } else { part() };
        });
        for kept in situation.kept() {
            if able(class, kept, situation.agent(kept)).is_err() {
                column[kept.index()] = Standing::EXCLUDED;
            }
        }
        for excluded in class.exclude.iter().filter(|agent| agent.index() < agents) {
            column[excluded.index()] = Standing::EXCLUDED;
        }
        column
    }

    /// Sums up weight times score for everybody who has something of what is required.
    fn gather(&mut self, situation: &Situation, class: &Class) {
        self.0.resize(situation.agents().len(), 0);
        for requirement in &class.requires {
            let weight = u64::from(requirement.weight);
            for &(agent, score) in situation.holders(requirement.capability) {
                self.0[agent.index()] += weight * u64::from(score.as_micros());
            }
        }
    }

    /// Takes the sums out again, and shows those above 0 that are worth at least `least`.
    fn drain_from(
        &mut self,
        situation: &Situation,
        class: &Class,
        least: Ratio,
        mut visit: impl FnMut(AgentId, u64),
    ) {
        // The mean, rounded half up, is at least `least` from here on.
        let (weights, least) = (weights(class), u64::from(least.as_micros()));
        let from = (2 * weights * least).saturating_sub(weights).div_ceil(2).max(1);
        for requirement in &class.requires {
            for &(agent, _) in situation.holders(requirement.capability) {
                let sum = std::mem::take(&mut self.0[agent.index()]);
                if sum >= from {
                    visit(agent, sum);
                }
            }
        }
    }
}

fn weights(class: &Class) -> u64 {
    class.requires.iter().map(|requirement| u64::from(requirement.weight)).sum()
}

/// Divides and rounds half up, as [`score::capability`] does.
fn mean(sum: u64, weights: u64) -> Ratio {
    Ratio::micros(u32::try_from((2 * sum + weights) / (2 * weights)).unwrap_or(Ratio::UNIT))
}
