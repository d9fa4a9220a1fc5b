//! What agents have done, and with whom: the sources of performance and cohesion (SEMANTICS 3.1).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use kapell_model::{AgentId, Name, Ratio, limits};
use serde::{Deserialize, Serialize};

use crate::measured::Tracks;

/// Tasks of a project after which an agent counts as wholly familiar with it.
const FAMILIAR_AFTER: u64 = 5;
/// What the prior of an affinity is worth: (0 + 1) / (0 + 2).
const HALF: i64 = Ratio::UNIT as i64 / 2;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its time efficiency, where it was completed; nothing where it failed.
    pub efficiency: Option<Ratio>,
    /// The mean of what its reviews gave it, where any gave a score.
    pub review: Option<Ratio>,
}

/// The last finished attempts of one agent at tasks of one type, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Outcomes(VecDeque<Outcome>);

impl Outcomes {
    fn push(&mut self, outcome: Outcome) {
        if self.0.len() == limits::OUTCOMES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(outcome);
    }

    /// Returns 0.5 success rate + 0.3 time efficiency + 0.2 quality, each within 0..=1. The time efficiency is the mean of
    /// min(1, estimate / actual) over what was completed; the quality is the mean over what was given a score by its reviews, the
    /// success rate where nothing was.
    #[must_use]
    pub fn performance(&self) -> Ratio {
        let (completed, efficiency) = mean(self.0.iter().filter_map(|outcome| outcome.efficiency));
        let (reviewed, review) = mean(self.0.iter().filter_map(|outcome| outcome.review));
        let success = Ratio::of(completed, self.0.len() as u64);
        let quality = if reviewed == 0 { success } else { review };
        let parts = [(500_000, success), (300_000, efficiency), (200_000, quality)];
        let micros = parts.map(|(weight, value)| Ratio::micros(weight).times(value).as_micros());
        Ratio::micros(micros.iter().sum())
    }
}

/// Returns how many there are, and their mean; 0 where there are none.
fn mean(values: impl Iterator<Item = Ratio>) -> (u64, Ratio) {
    let (count, sum) =
        values.fold((0, 0), |(count, sum), value| (count + 1, sum + u64::from(value.as_micros())));
    (count, Ratio::of(sum, count.max(1) * u64::from(Ratio::UNIT)))
}

/// What two agents have done together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Joint {
    good: u32,
    all: u32,
}

impl Joint {
    /// Returns (good + 1) / (all + 2), less the half that two strangers have, in millionths.
    fn above_half(self) -> i64 {
        let affinity = Ratio::of(u64::from(self.good) + 1, u64::from(self.all) + 2);
        i64::from(affinity.as_micros()) - HALF
    }
}

/// What one agent is to one project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Membership {
    /// Tasks of it that the agent completed; a member has at least one.
    completed: u32,
    /// The sum of [`Joint::above_half`] over the other members.
    above_half: i64,
}

/// A project's team.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Team {
    members: u32,
    /// Members, and those who have worked with members.
    known: BTreeMap<AgentId, Membership>,
}

/// The past of a fleet. Its parts are shared with a clone until they change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    outcomes: BTreeMap<AgentId, Arc<BTreeMap<Name, Outcomes>>>,
    pub(crate) tracks: BTreeMap<AgentId, Arc<Tracks>>,
    teams: BTreeMap<Name, Arc<Team>>,
    /// The projects of each member.
    projects: BTreeMap<AgentId, Arc<BTreeSet<Name>>>,
    joint: BTreeMap<AgentId, Arc<BTreeMap<AgentId, Joint>>>,
}

impl History {
    /// What an agent has to whom a team is strange: the mean of no familiarity and half an affinity.
    pub(crate) const STRANGER: Ratio = Ratio::micros(Ratio::UNIT / 4);

    /// Notes an attempt that ended. Returns the performance since.
    pub(crate) fn finished(&mut self, agent: AgentId, kind: &Name, outcome: Outcome) -> Ratio {
        let outcomes =
            Arc::make_mut(self.outcomes.entry(agent).or_default()).entry(kind.clone()).or_default();
        outcomes.push(outcome);
        outcomes.performance()
    }

    /// Notes that an agent completed a task of a project. Returns whose cohesion with which project has changed.
    pub(crate) fn completed(&mut self, agent: AgentId, project: &Name) -> Vec<(AgentId, Name)> {
        let team = Arc::make_mut(self.teams.entry(project.clone()).or_default());
        let membership = team.known.entry(agent).or_default();
        membership.completed += 1;
        if membership.completed > 1 {
            return vec![(agent, project.clone())];
        }
        // It joins: the mean is over one more for everybody.
        team.members += 1;
        Arc::make_mut(self.projects.entry(agent).or_default()).insert(project.clone());
        for (&other, joint) in self.joint.get(&agent).into_iter().flat_map(|joint| joint.iter()) {
            team.known.entry(other).or_default().above_half += joint.above_half();
        }
        team.known.keys().map(|&known| (known, project.clone())).collect()
    }

    /// Notes that two agents have worked together, well or not. Returns whose cohesion with which project has changed.
    pub(crate) fn worked_together(
        &mut self,
        one: AgentId,
        other: AgentId,
        well: bool,
    ) -> Vec<(AgentId, Name)> {
        let mut changed = Vec::new();
        for (agent, with) in [(one, other), (other, one)] {
            let joint = Arc::make_mut(self.joint.entry(agent).or_default()).entry(with).or_default();
            let before = joint.above_half();
            joint.good = joint.good.saturating_add(u32::from(well));
            joint.all = joint.all.saturating_add(1);
            let more = joint.above_half() - before;
            for project in self.projects.get(&with).into_iter().flat_map(|projects| projects.iter()) {
                let team = Arc::make_mut(self.teams.entry(project.clone()).or_default());
                team.known.entry(agent).or_default().above_half += more;
                changed.push((agent, project.clone()));
            }
        }
        changed
    }

    /// Returns the mean of familiarity and affinity of an agent with the team of `project`: familiarity =
    /// min(1, completed / 5); affinity = mean over the other members of (good + 1) / (all + 2), a half where there
    /// is none. Nothing where the project has no team yet. The costs are those of one look-up.
    pub(crate) fn cohesion(&self, agent: AgentId, project: &Name) -> Option<Ratio> {
        let team = self.teams.get(project)?;
        let own = team.known.get(&agent).copied().unwrap_or_default();
        let others = i64::from(team.members) - i64::from(own.completed > 0);
        let affinity = HALF + if others == 0 { 0 } else { rounded(own.above_half, others) };
        let familiarity = Ratio::of(u64::from(own.completed).min(FAMILIAR_AFTER), FAMILIAR_AFTER);
        let twice = i64::from(familiarity.as_micros()) + affinity;
        Some(Ratio::micros(u32::try_from((twice + 1) / 2).unwrap_or(0)))
    }
}

impl History {
    /// Visits every record there is: who, of which type, what it is worth.
    pub(crate) fn performances(&self) -> impl Iterator<Item = (AgentId, &Name, Ratio)> {
        self.outcomes.iter().flat_map(|(&agent, kinds)| Self::kinds(agent, kinds))
    }

    fn kinds(
        agent: AgentId,
        kinds: &BTreeMap<Name, Outcomes>,
    ) -> impl Iterator<Item = (AgentId, &Name, Ratio)> {
        kinds.iter().map(move |(kind, outcomes)| (agent, kind, outcomes.performance()))
    }

    /// Visits everybody who is no stranger to a team.
    pub(crate) fn known(&self) -> impl Iterator<Item = (AgentId, &Name)> {
        self.teams.iter().flat_map(|(project, team)| team.known.keys().map(move |&agent| (agent, project)))
    }
}

/// Divides and rounds half up.
fn rounded(sum: i64, count: i64) -> i64 {
    (2 * sum + count).div_euclid(2 * count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a name")
    }

    #[test]
    fn performance_as_worked_out_by_hand() {
        let mut outcomes = Outcomes::default();
        let failed = Outcome::default();
        let after = |micros| Outcome { efficiency: Some(Ratio::micros(micros)), review: None };
        // One of one, in time: 0.5 + 0.3 + 0.2.
        outcomes.push(after(1_000_000));
        assert_eq!(outcomes.performance(), Ratio::ONE);
        // One of two: 0.5 * 0.5 + 0.3 * 1 + 0.2 * 0.5.
        outcomes.push(failed);
        assert_eq!(outcomes.performance(), Ratio::micros(650_000));
        // Two of three, the second took twice as long: 0.7 * 2/3 + 0.3 * 0.75.
        outcomes.push(after(500_000));
        assert_eq!(outcomes.performance(), Ratio::micros(691_667));
        // Three of four, and the only two reviews gave 0.9 and 0.2: 0.5 * 3/4 + 0.3 * 5/6 + 0.2 * 0.55.
        outcomes.push(Outcome { review: Some(Ratio::micros(900_000)), ..after(1_000_000) });
        outcomes.push(Outcome { review: Some(Ratio::micros(200_000)), ..failed });
        assert_eq!(outcomes.performance(), Ratio::micros(660_000));
        // Fifty failures later nothing else counts.
        for _ in 0..limits::OUTCOMES_MAX {
            outcomes.push(failed);
        }
        assert_eq!(outcomes.performance(), Ratio::ZERO);
    }

    #[test]
    fn cohesion_as_worked_out_by_hand() {
        let mut history = History::default();
        let (ada, bob, eve) = (AgentId(0), AgentId(1), AgentId(2));
        let web = name("web");
        assert_eq!(history.cohesion(ada, &web), None);
        history.completed(ada, &web);
        // Alone: (1/5 + 1/2) / 2. A stranger: (0 + 1/2) / 2.
        assert_eq!(history.cohesion(ada, &web), Some(Ratio::micros(350_000)));
        assert_eq!(history.cohesion(bob, &web), Some(History::STRANGER));
        // bob has worked with ada once: affinity 2/3.
        history.worked_together(ada, bob, true);
        assert_eq!(history.cohesion(bob, &web), Some(Ratio::micros(333_334)));
        // eve joins: bob's affinity is the mean of 2/3 and 1/2.
        history.completed(eve, &web);
        assert_eq!(history.cohesion(bob, &web), Some(Ratio::micros(291_667)));
        for _ in 0..9 {
            history.completed(ada, &web);
        }
        // Wholly familiar, and the only other member is a stranger: (1 + 1/2) / 2.
        assert_eq!(history.cohesion(ada, &web), Some(Ratio::micros(750_000)));
    }

    /// The definition, from nothing but what happened.
    fn plainly(log: &[Step], agent: AgentId, project: u8) -> Option<Ratio> {
        let completed =
            |who: AgentId| log.iter().filter(|step| **step == Step::Completed(who, project)).count();
        let members: Vec<AgentId> = (0..5).map(AgentId).filter(|&who| completed(who) > 0).collect();
        if members.is_empty() {
            return None;
        }
        let met = |other: AgentId| {
            let pair = |step: &&Step| {
                **step == Step::Together(agent, other) || **step == Step::Together(other, agent)
            };
            log.iter().filter(pair).count() as u64
        };
        let others: Vec<AgentId> = members.into_iter().filter(|&other| other != agent).collect();
        let above =
            |&other: &AgentId| i64::from(Ratio::of(met(other) + 1, met(other) + 2).as_micros()) - 500_000;
        let sum: i64 = others.iter().map(above).sum();
        let count = i64::try_from(others.len()).expect("few");
        let affinity = 500_000 + if count == 0 { 0 } else { (2 * sum + count).div_euclid(2 * count) };
        let familiarity = Ratio::of((completed(agent) as u64).min(5), 5);
        let twice = i64::from(familiarity.as_micros()) + affinity;
        Some(Ratio::micros(u32::try_from((twice + 1) / 2).expect("within 0..=1")))
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Step {
        Completed(AgentId, u8),
        Together(AgentId, AgentId),
    }

    fn step() -> impl Strategy<Value = Step> {
        let agent = || (0_u32..5).prop_map(AgentId);
        prop_oneof![
            (agent(), 0_u8..3).prop_map(|(agent, project)| Step::Completed(agent, project)),
            (agent(), agent())
                .prop_filter("two", |(one, other)| one != other)
                .prop_map(|(one, other)| Step::Together(one, other)),
        ]
    }

    proptest! {
        #[test]
        fn sums_kept_along_the_way_equal_the_definition(steps in proptest::collection::vec(step(), 0..60)) {
            let mut history = History::default();
            let mut told: BTreeMap<(AgentId, Name), Ratio> = BTreeMap::new();
            let projects = [name("p0"), name("p1"), name("p2")];
            for (count, step) in steps.iter().enumerate() {
                let changed = match *step {
                    Step::Completed(agent, project) => history.completed(agent, &projects[usize::from(project)]),
                    Step::Together(one, other) => history.worked_together(one, other, true),
                };
                for (agent, project) in changed {
                    let value = history.cohesion(agent, &project).expect("a team");
                    told.insert((agent, project), value);
                }
                for agent in (0..5).map(AgentId) {
                    for (number, project) in (0_u8..).zip(&projects) {
                        let expected = plainly(&steps[..=count], agent, number);
                        prop_assert_eq!(history.cohesion(agent, project), expected);
                        // Whoever was not told of has what a stranger has.
                        let known = told.get(&(agent, project.clone())).copied();
                        prop_assert_eq!(known.or(expected.map(|_| History::STRANGER)), expected);
                    }
                }
            }
        }
    }
}
