//! Scores of one class against every agent that has room, by number tables and an index by capability.
//!
//! A *base* is what the score is without the part of the load: capability, performance and cohesion, weighted, in
//! millionths. It equals the plain formula to the last digit; a property test holds that.

use std::collections::BTreeMap;

use kapell_model::{AgentId, ClassId, Gate, Ratio, Situation, Word, kept_from};

/// The base of an agent that is no candidate: no load makes up for it.
pub(crate) const NO_CANDIDATE: i32 = -10_000_000;

/// What a class asks for, in the places of the tables.
#[derive(Clone, Debug)]
pub(crate) struct Need {
    /// Column of the capability, its weight, and the least score.
    requires: Vec<(usize, u64, u32)>,
    weights: u64,
    kind: usize,
    team: usize,
    role: Option<Word>,
    pin: Option<AgentId>,
    exclude: Box<[AgentId]>,
}

/// What performance or cohesion adds, and the most that it has ever added for anybody.
#[derive(Clone, Debug)]
struct Column {
    entries: Vec<u32>,
    most: u32,
}

impl Column {
    fn new(agents: &[AgentId], known: &[u32]) -> Self {
        let entries: Vec<u32> = agents.iter().map(|agent| known[agent.index()]).collect();
        let most = entries.iter().copied().max().unwrap_or(0);
        Self { entries, most }
    }

    fn set(&mut self, place: usize, entry: u32) -> bool {
        self.most = self.most.max(entry);
        std::mem::replace(&mut self.entries[place], entry) != entry
    }
}

/// The tables: an entry an agent that has had room, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Market {
    pub(crate) threshold: i32,
    weight: Ratio,
    pub(crate) agents: Vec<AgentId>,
    /// What the load adds at the lightest; below any threshold where the agent has no room.
    pub(crate) lightest: Vec<i32>,
    /// No base below this helps anybody over the threshold.
    pub(crate) bar: i32,
    roles: Vec<Word>,
    capabilities: BTreeMap<Word, usize>,
    scores: Vec<Vec<u32>>,
    /// Who has the capability at all; may name some who have lost it.
    holders: Vec<Vec<u32>>,
    kinds: BTreeMap<Word, usize>,
    records: Vec<Column>,
    teams: BTreeMap<Option<Word>, usize>,
    cohesions: Vec<Column>,
    sums: Vec<u64>,
    bases: Vec<i32>,
    stamps: Vec<u32>,
    stamp: u32,
}

impl Market {
    pub(crate) fn new(situation: &Situation) -> Self {
        Self {
            threshold: i32::try_from(situation.threshold().as_micros()).expect("at most a million"),
            weight: situation.weights().capability,
            ..Self::default()
        }
    }

    /// Adds an agent and returns its place.
    pub(crate) fn push(&mut self, situation: &Situation, agent: AgentId) -> usize {
        let place = self.agents.len();
        self.agents.push(agent);
        self.lightest.push(NO_CANDIDATE);
        self.roles.push(situation.agent(agent).role);
        self.scores.iter_mut().for_each(|column| column.push(0));
        self.records.iter_mut().chain(&mut self.cohesions).for_each(|column| column.entries.push(0));
        self.stamps.push(0);
        self.read(situation, place);
        place
    }

    /// Takes what an agent can do now, and tells whether that differs from before.
    pub(crate) fn read(&mut self, situation: &Situation, place: usize) -> bool {
        let agent = self.agents[place];
        let view = situation.agent(agent);
        let mut differs = self.roles[place] != view.role;
        self.roles[place] = view.role;
        for (&word, &column) in &self.capabilities {
            let score = view.score_in(word).as_micros();
            let old = std::mem::replace(&mut self.scores[column][place], score);
            differs |= old != score;
            if old == 0 && score > 0 {
                self.holders[column].push(place as u32);
            }
        }
        for (&kind, &column) in &self.kinds {
            let record = situation.performances(kind)[agent.index()];
            differs |= self.records[column].set(place, record);
        }
        for (&team, &column) in &self.teams {
            let cohesion = situation.cohesions(team)[agent.index()];
            differs |= self.cohesions[column].set(place, cohesion);
        }
        differs
    }

    /// Reads a class, and makes the columns that it needs.
    pub(crate) fn need(&mut self, situation: &Situation, id: ClassId, veto: Option<AgentId>) -> Need {
        let class = situation.class(id);
        let divisor = class.requires.iter().fold(0, |all, requirement| gcd(all, requirement.weight)).max(1);
        let requires: Vec<_> = class
            .requires
            .iter()
            .map(|it| (self.capability(situation, it.capability), it.weight / divisor, it.minimum))
            .map(|(column, weight, minimum)| (column, u64::from(weight), minimum.as_micros()))
            .collect();
        let (agents, records) = (&self.agents, &mut self.records);
        let kind = *self.kinds.entry(class.kind).or_insert_with(|| {
            let known = situation.performances(class.kind);
            records.push(Column::new(agents, known));
            records.len() - 1
        });
        let cohesions = &mut self.cohesions;
        let team = *self.teams.entry(class.project).or_insert_with(|| {
            let known = situation.cohesions(class.project);
            cohesions.push(Column::new(agents, known));
            cohesions.len() - 1
        });
        let only = match situation.gate(id) {
            Gate::Only(agent) => Some(agent),
            Gate::Open | Gate::Shut => None,
        };
        let shut_out = only.filter(|_| class.pin.is_some() && class.pin != only);
        let kept = situation.kept().filter(|&agent| kept_from(class, situation.agent(agent)).is_some());
        let exclude = class.exclude.iter().copied().chain(veto).chain(shut_out).chain(kept).collect();
        let weights = requires.iter().map(|&(_, weight, _)| weight).sum();
        Need { requires, weights, kind, team, role: class.role, pin: only.or(class.pin), exclude }
    }

    fn capability(&mut self, situation: &Situation, word: Word) -> usize {
        let (agents, scores, holders) = (&self.agents, &mut self.scores, &mut self.holders);
        *self.capabilities.entry(word).or_insert_with(|| {
            let column: Vec<u32> =
                agents.iter().map(|&agent| situation.agent(agent).score_in(word).as_micros()).collect();
            holders
                .push((0..).zip(&column).filter(|&(_, &score)| score > 0).map(|(place, _)| place).collect());
            scores.push(column);
            scores.len() - 1
        })
    }

    /// Returns the base of one agent.
    pub(crate) fn base(&self, need: &Need, place: usize) -> i32 {
        let agent = self.agents[place];
        if need.pin.is_some_and(|pin| pin != agent)
            || need.role.is_some_and(|role| role != self.roles[place])
            || need.exclude.contains(&agent)
        {
            return NO_CANDIDATE;
        }
        let mut sum = 0;
        for &(column, weight, minimum) in &need.requires {
            let score = self.scores[column][place];
            if score < minimum {
                return NO_CANDIDATE;
            }
            sum += weight * u64::from(score);
        }
        self.finished(need, place, sum)
    }

    fn finished(&self, need: &Need, place: usize, sum: u64) -> i32 {
        let capability = match need.weights {
            0 => Ratio::ONE,
            weights => Ratio::micros(((2 * sum + weights) / (2 * weights)) as u32),
        };
        let others = self.records[need.kind].entries[place] + self.cohesions[need.team].entries[place];
        (self.weight.times(capability).as_micros() + others) as i32
    }

    /// Puts into `found` the agents with a base above their entry of `bars`, in order of their places.
    pub(crate) fn find(&mut self, need: &Need, bars: &[i32], found: &mut Vec<(u32, i32)>) {
        found.clear();
        if let Some(pin) = need.pin {
            let place = self.agents.iter().position(|&agent| agent == pin);
            let hit = place.map(|place| (place as u32, self.base(need, place)));
            found.extend(hit.filter(|&(place, base)| base > bars[place as usize]));
        } else if let Some(lists) = self.index(need) {
            self.find_indexed(need, bars, &lists, found);
        } else {
            self.find_everywhere(need, bars, found);
        }
    }

    /// Returns capabilities of which every candidate must have one, where that leaves few to look at.
    fn index(&self, need: &Need) -> Option<Vec<usize>> {
        let others = (self.records[need.kind].most + self.cohesions[need.team].most) as i32;
        let mut requires: Vec<_> = need
            .requires
            .iter()
            .map(|&(column, weight, _)| (self.holders[column].len(), column, weight))
            .collect();
        requires.sort_unstable();
        let (mut looked, mut rest, mut lists) = (0, need.weights, Vec::new());
        for (holders, column, weight) in requires {
            looked += holders;
            rest -= weight;
            lists.push(column);
            let most = self.weight.times(Ratio::of(rest, need.weights)).as_micros() as i32;
            if most + others <= self.bar {
                return (looked * 4 < self.agents.len()).then_some(lists);
            }
        }
        None
    }

    fn find_indexed(&mut self, need: &Need, bars: &[i32], lists: &[usize], found: &mut Vec<(u32, i32)>) {
        self.stamp += 1;
        for &list in lists {
            for at in 0..self.holders[list].len() {
                let place = self.holders[list][at];
                if std::mem::replace(&mut self.stamps[place as usize], self.stamp) == self.stamp {
                    continue;
                }
                let base = self.base(need, place as usize);
                if base > bars[place as usize] {
                    found.push((place, base));
                }
            }
        }
        found.sort_unstable();
    }

    fn find_everywhere(&mut self, need: &Need, bars: &[i32], found: &mut Vec<(u32, i32)>) {
        let agents = self.agents.len();
        let (mut sums, mut bases) = (std::mem::take(&mut self.sums), std::mem::take(&mut self.bases));
        self.sum(need, &mut sums);
        bases.clear();
        let (records, cohesions) = (&self.records[need.kind].entries, &self.cohesions[need.team].entries);
        let others = records.iter().zip(cohesions);
        bases.extend(others.map(|(record, cohesion)| (record + cohesion) as i32));
        if need.weights == 0 {
            let all = self.weight.as_micros() as i32;
            bases.iter_mut().for_each(|base| *base += all);
        } else {
            let divide = Reciprocal::of(2 * need.weights);
            for (base, &sum) in bases.iter_mut().zip(&sums) {
                let capability = divide.quotient(2 * sum + need.weights);
                *base += self.weight.times(Ratio::micros(capability as u32)).as_micros() as i32;
            }
        }
        for &(column, _, minimum) in need.requires.iter().filter(|it| it.2 > 0) {
            for (base, &score) in bases.iter_mut().zip(&self.scores[column]) {
                *base = if score < minimum { NO_CANDIDATE } else { *base };
            }
        }
        if let Some(wanted) = need.role {
            for (base, &role) in bases.iter_mut().zip(&self.roles) {
                *base = if role == wanted { *base } else { NO_CANDIDATE };
            }
        }
        for place in 0..agents {
            if bases[place] > bars[place] && !need.exclude.contains(&self.agents[place]) {
                found.push((place as u32, bases[place]));
            }
        }
        (self.sums, self.bases) = (sums, bases);
    }

    fn sum(&self, need: &Need, sums: &mut Vec<u64>) {
        sums.clear();
        sums.resize(self.agents.len(), 0);
        for &(column, weight, _) in &need.requires {
            let weight = u32::try_from(weight).expect("weights are bounded");
            for (sum, &score) in sums.iter_mut().zip(&self.scores[column]) {
                *sum += u64::from(weight) * u64::from(score);
            }
        }
    }
}

const fn gcd(mut left: u32, mut right: u32) -> u32 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

/// Division by a number that stays, for quotients of at most a million.
#[derive(Clone, Copy, Debug)]
struct Reciprocal {
    divisor: u64,
    factor: u64,
}

/// Numerators below 2^32 and divisors of at most 2^12 are exact with this many bits, and the product stays below 2^64.
const SHIFT: u32 = 44;

impl Reciprocal {
    const fn of(divisor: u64) -> Self {
        let factor = if divisor <= 1 << 12 { (1 << SHIFT) / divisor + 1 } else { 0 };
        Self { divisor, factor }
    }

    const fn quotient(self, numerator: u64) -> u64 {
        if self.factor == 0 { numerator / self.divisor } else { (numerator * self.factor) >> SHIFT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reciprocal_divides_exactly() {
        for divisor in (1..=4_098_u64).step_by(2).chain([2, 8, 4_096, 4_098, 10_000]) {
            let divide = Reciprocal::of(divisor);
            for whole in [0, 1, 2, 499_999, 500_000, 700_001, 999_999, 1_000_000] {
                for rest in [0, 1, divisor / 2, divisor - 1] {
                    let numerator = whole * divisor + rest.min(divisor - 1);
                    assert_eq!(divide.quotient(numerator), whole, "{numerator} / {divisor}");
                }
            }
        }
    }
}
