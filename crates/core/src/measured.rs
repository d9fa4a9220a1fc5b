//! What outcomes say of agents' capabilities (SEMANTICS 15, "Measured capability").
//!
//! ```text
//! measured = (5 * declared + S) / (5 + N)    N = sum of 2^(-days / 90) over the outcomes, S = the same over those that succeeded
//! ```
//! This is the mean of a beta-binomial whose prior is worth five outcomes, with older outcomes worth less. An outcome is an attempt
//! that ended by its owner's report; it counts for every capability that its task asked for. Days are whole days of UTC.
//!
//! The sums decay forwards (Cormode, Shkapenyuk, Srivastava, Xu: "Forward Decay", ICDE 2009): an outcome is worth the more the
//! later it comes, 2^(day / 90) in all, and a mean is worked out with five of what one would be worth then. So an outcome adds to
//! two sums, whatever their number, and ageing costs nothing; every 90 days the sums are halved, which keeps them small.

use std::collections::BTreeMap;
use std::sync::Arc;

use kapell_model::{AgentId, AgentState, Capabilities, Moment, Name, Ratio, TaskId, Word, limits};
use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::command::AgentSpec;
use crate::engine::Reply;
use crate::event::Event;
use crate::history::History;
use crate::mutation::mutated;
use crate::state::State;

/// What a declared score is worth, in outcomes.
const PRIOR_WEIGHT: u64 = 5;
/// Fewer outcomes change nothing.
pub(crate) const OUTCOMES_MIN: u32 = 3;
/// Days after which an outcome counts half.
const HALF_LIFE: i64 = 90;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// A measured score that differs by less from what is known of it by now stays as it is.
const TOLERANCE: u32 = 10_000;

/// 2^(1/90), times 2^62.
const STEP: u128 = 4_647_340_665_749_425_515;

/// 2^(day / 90) for the days of a half-life, times 2^30.
const WORTH: [u64; HALF_LIFE as usize] = {
    let mut worth = [0; HALF_LIFE as usize];
    let (mut exact, mut day) = (1_u128 << 62, 0);
    while day < worth.len() {
        worth[day] = ((exact + (1 << 31)) >> 32) as u64;
        exact = (exact * STEP) >> 62;
        day += 1;
    }
    worth
};

/// A day of UTC: which half-life since 1970, and which day of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Day(i64);

impl Day {
    pub(crate) fn of(at: Moment) -> Self {
        Self(at.0.div_euclid(DAY_MS))
    }

    fn half_life(self) -> i64 {
        self.0.div_euclid(HALF_LIFE)
    }

    /// Returns what one outcome of this day is worth, in the units of its half-life.
    fn worth(self) -> u64 {
        WORTH[self.0.rem_euclid(HALF_LIFE) as usize]
    }
}

/// What one agent's outcomes say of one capability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Track {
    outcomes: u32,
    /// In the units of the half-life of `day`.
    good: u64,
    all: u64,
    /// Up to when the score that is used has been worked out.
    day: Day,
}

impl Track {
    /// Lets the outcomes age up to `day`.
    fn age(&mut self, day: Day) {
        let halvings = day.half_life() - self.day.half_life();
        self.good = halved(self.good, halvings);
        self.all = halved(self.all, halvings);
        self.day = self.day.max(day);
    }

    fn note(&mut self, day: Day, good: bool) {
        self.age(day);
        let worth = self.day.worth();
        self.outcomes = self.outcomes.saturating_add(1);
        self.all = self.all.saturating_add(worth);
        self.good = self.good.saturating_add(if good { worth } else { 0 });
    }

    fn aged(mut self, day: Day) -> Self {
        self.age(day);
        self
    }

    /// Returns the measured score; nothing of too few outcomes.
    fn score(&self, declared: Ratio) -> Option<Ratio> {
        if self.outcomes < OUTCOMES_MIN {
            return None;
        }
        let (unit, prior) = (u128::from(Ratio::UNIT), u128::from(PRIOR_WEIGHT * self.day.worth()));
        let part = prior * u128::from(declared.as_micros()) + u128::from(self.good) * unit;
        let whole = prior + u128::from(self.all);
        Some(Ratio::micros(u32::try_from((2 * part + whole) / (2 * whole)).unwrap_or(Ratio::UNIT)))
    }
}

/// Halves so many times and rounds half up.
fn halved(sum: u64, times: i64) -> u64 {
    match times {
        ..=0 => sum,
        1..=63 => (sum >> times) + ((sum >> (times - 1)) & 1),
        _ => 0,
    }
}

/// The tracks of one agent.
pub(crate) type Tracks = BTreeMap<Name, Track>;

/// A capability of an agent: what was declared, what was measured, what is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Its name.
    pub name: Name,
    /// The declared score, where there is one.
    pub declared: Option<Ratio>,
    /// What outcomes have made of it; nothing on fewer than three.
    pub measured: Option<Ratio>,
    /// Outcomes that it was measured by.
    pub outcomes: u32,
    /// By which the agent is chosen.
    pub used: Ratio,
}

impl State {
    /// Returns the capabilities of an agent: those that it has declared, in their order, then those that it has only shown.
    #[must_use]
    pub fn capabilities_of(&self, agent: &Agent) -> Vec<Capability> {
        let declared = agent.spec.capabilities.iter().map(|(name, _)| name);
        let tracks = self.history.tracks(agent.id).into_iter().flat_map(BTreeMap::keys);
        let shown = tracks.filter(|name| agent.spec.capabilities.iter().all(|(own, _)| own != *name));
        declared.chain(shown).map(|name| self.capability_of(agent, name)).collect()
    }

    /// Returns how an agent stands in one capability.
    #[must_use]
    pub fn capability_of(&self, agent: &Agent, name: &Name) -> Capability {
        let declared = agent.spec.capabilities.iter().find(|(own, _)| own == name).map(|&(_, score)| score);
        let track = self.history.tracks(agent.id).and_then(|tracks| tracks.get(name));
        let measured = track.and_then(|track| track.score(declared.unwrap_or(Ratio::ZERO)));
        let counts = measured.filter(|_| self.policy.capabilities == Capabilities::Measured);
        let outcomes = track.map_or(0, |track| track.outcomes);
        let used = counts.or(declared).unwrap_or(Ratio::ZERO);
        Capability { name: name.clone(), declared, measured, outcomes, used }
    }

    /// Returns what an agent is, with the scores that are used.
    pub(crate) fn spec_as_used(&self, agent: &Agent) -> Arc<AgentSpec> {
        match self.policy.capabilities {
            Capabilities::Declared => Arc::clone(&agent.spec),
            Capabilities::Measured => {
                let used = self.capabilities_of(agent).into_iter().map(|it| (it.name, it.used)).collect();
                Arc::new(AgentSpec { capabilities: used, ..(*agent.spec).clone() })
            }
        }
    }

    /// Takes the outcome of an attempt into what is known of its agent's capabilities.
    pub(crate) fn note_capabilities(&mut self, id: TaskId, agent: AgentId, good: bool) {
        let class = self.situation.shared_class(self.tasks[id].class).clone();
        let day = Day::of(self.at);
        let words: Vec<Word> = class.requires.iter().map(|requirement| requirement.capability).collect();
        for &word in &words {
            self.history.track(agent, self.words.name(word)).note(day, good);
        }
        self.rescore(agent, &words);
    }

    /// Lets what is known of an agent's capabilities age up to now.
    pub(crate) fn capabilities_aged(&mut self, agent: AgentId) {
        let day = Day::of(self.at);
        let names: Vec<Name> =
            self.history.tracks(agent).into_iter().flat_map(BTreeMap::keys).cloned().collect();
        let mut words = Vec::with_capacity(names.len());
        for name in &names {
            self.history.track(agent, name).age(day);
            words.push(self.words.intern(name));
        }
        self.rescore(agent, &words);
    }

    /// Takes the scores of an agent that are used now into the situation.
    fn rescore(&mut self, id: AgentId, words: &[Word]) {
        if self.policy.capabilities == Capabilities::Declared || mutated!(MeasureNotTaken) {
            return;
        }
        let agent = &self.agents[id.index()];
        let used = |&word: &Word| (word, self.capability_of(agent, self.words.name(word)).used);
        let view = self.situation.agent(id);
        let changed: Vec<(Word, Ratio)> =
            words.iter().map(used).filter(|&(word, score)| view.score_in(word) != score).collect();
        let words: Vec<Word> = changed.iter().map(|&(word, _)| word).collect();
        let before = self.soft_takes(id, &words);
        for (word, score) in changed {
            self.situation.set_score(id, word, score);
        }
        let now = self.soft_takes(id, &words);
        self.soft_changed(before, &now);
    }

    /// Visits those of the agents behind `after`, up to a bound, of whose measured scores one would be another one by now.
    fn stale_scores(&self, after: u32, now: Moment) -> impl Iterator<Item = Event> + '_ {
        let day = Day::of(now.max(self.at));
        let agents = self.agents.iter().skip(after as usize).take(limits::AGENTS_PER_LOOK_MAX);
        let present = agents.filter(|agent| agent.state != AgentState::Removed);
        let stale = present.filter(move |agent| {
            self.history.tracks(agent.id).into_iter().flatten().any(|(name, track)| {
                let declared = self.capability_of(agent, name).declared.unwrap_or(Ratio::ZERO);
                let micros = |track: Track| track.score(declared).map_or(0, Ratio::as_micros);
                micros(*track).abs_diff(micros(track.aged(day))) >= TOLERANCE
            })
        });
        stale.map(|agent| Event::CapabilitiesAged { agent: agent.id })
    }

    /// Tells whether any of the agents behind `after` that [`State::age_capabilities`] would look at has an outdated score.
    pub(crate) fn has_stale_scores(&self, after: u32, now: Moment) -> bool {
        self.stale_scores(after, now).next().is_some()
    }

    pub(crate) fn age_capabilities(&self, after: u32, now: Moment, out: &mut Vec<Event>) -> Reply {
        out.extend(self.stale_scores(after, now));
        Reply::default()
    }

    /// Finds an agent whose scores are not those that are to be used.
    pub(crate) fn check_scores(&self) -> Result<(), String> {
        for agent in self.agents.iter().filter(|agent| agent.state != AgentState::Removed) {
            for capability in self.capabilities_of(agent) {
                let word = self.words.find(capability.name.as_str());
                let score = word.map_or(Ratio::ZERO, |word| self.situation.agent(agent.id).score_in(word));
                if score != capability.used {
                    return Err(format!(
                        "{} has {score}, placing sees it of {capability:?}",
                        agent.spec.name
                    ));
                }
            }
        }
        Ok(())
    }
}

impl History {
    fn track(&mut self, agent: AgentId, name: &Name) -> &mut Track {
        let tracks = Arc::make_mut(self.tracks.entry(agent).or_default());
        tracks.entry(name.clone()).or_default()
    }

    fn tracks(&self, agent: AgentId) -> Option<&Tracks> {
        self.tracks.get(&agent).map(Arc::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn track(outcomes: &[(i64, bool)]) -> Track {
        let mut track = Track::default();
        outcomes.iter().for_each(|&(day, good)| track.note(Day(day), good));
        track
    }

    #[test]
    fn the_worths_of_a_half_life_are_powers_of_two() {
        for (day, &worth) in (0_i32..).zip(&WORTH) {
            let exact = 2_f64.powf(f64::from(day) / 90.0) * f64::from(1 << 30);
            assert!((worth as f64 - exact).abs() <= 0.51, "day {day}: {worth} is not {exact}");
        }
    }

    #[test]
    fn scores_as_worked_out_by_hand() {
        let declared = Ratio::micros(800_000);
        assert_eq!(track(&[(0, true), (0, false)]).score(declared), None, "two outcomes say nothing");
        // (5 * 0.8 + 1) / (5 + 3).
        let three = track(&[(0, true), (0, false), (0, false)]);
        assert_eq!(three.score(declared), Some(Ratio::micros(625_000)));
        // Half a year later they are worth a quarter each: (4 + 0.25) / (5 + 0.75).
        assert_eq!(three.aged(Day(180)).score(declared), Some(Ratio::micros(739_130)));
        // One more then: (4 + 0.25 + 1) / (5 + 0.75 + 1).
        let four = track(&[(0, true), (0, false), (0, false), (180, true)]);
        assert_eq!(four.score(declared), Some(Ratio::micros(777_778)));
        // What nobody has declared counts from nothing: 3 / (5 + 3).
        let shown = track(&[(7, true), (7, true), (7, true)]);
        assert_eq!(shown.score(Ratio::ZERO), Some(Ratio::micros(375_000)));
        // After a hundred years only the declaration is left.
        assert_eq!(three.aged(Day(36_500)).score(declared), Some(declared));
    }

    proptest! {
        /// Against the definition, in floats: every outcome by itself, by its age.
        #[test]
        fn sums_are_the_definition(
            days in prop::collection::vec((0_i64..400, any::<bool>()), 3..60),
            later in 0_i64..800,
            declared in 0_u32..=1_000_000,
        ) {
            let mut days = days;
            days.sort_unstable();
            let now = days.last().map_or(0, |&(day, _)| day) + later;
            let worth = |day: i64| 0.5_f64.powf((now - day) as f64 / 90.0);
            let all: f64 = days.iter().map(|&(day, _)| worth(day)).sum();
            let good: f64 = days.iter().filter(|(_, good)| *good).map(|&(day, _)| worth(day)).sum();
            let exact = (5.0 * f64::from(declared) + good * 1e6) / (5.0 + all);
            let score = track(&days).aged(Day(now)).score(Ratio::micros(declared)).expect("three at least");
            prop_assert!((f64::from(score.as_micros()) - exact).abs() <= 1.0, "{score:?} is not {exact}");
        }

        /// When it is looked at in between changes nothing but the last digit.
        #[test]
        fn ageing_in_steps_is_ageing_at_once(steps in prop::collection::vec(1_i64..200, 1..12)) {
            let start = track(&[(11, true), (12, false), (12, true), (13, true)]);
            let (mut stepwise, mut day) = (start, 13);
            for step in &steps {
                day += step;
                stepwise.age(Day(day));
            }
            let (once, stepwise) = (start.aged(Day(day)), stepwise);
            let score = |track: Track| track.score(Ratio::micros(300_000)).expect("four").as_micros();
            prop_assert!(score(once).abs_diff(score(stepwise)) <= 1);
        }
    }
}
