//! Classes whose requirements were inferred, and how much of that somebody could meet.
//!
//! A guess must not make a task unplaceable. So inferred requirements count only as far as at least one agent of the fleet,
//! online or not, could be given the task with them: idle, with no record, its score would be above the threshold. Where nobody
//! could with all of them, the weakest (least weight, then last by number) is set aside, and so on, until somebody can. It costs
//! time when an agent joins or leaves, or has another score, in how many different inferences name one of its capabilities; never
//! when a task moves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kapell_model::{
    AgentId, AgentState, Class, ClassId, Name, Parts, Policy, Ratio, Requirement, Situation, Word, capable,
    kept_from,
};

use crate::mutation::mutated;
use crate::state::State;

/// Such classes that no agent can tell apart: alike in all but type, project and resources.
#[derive(Clone, Debug)]
struct Soft {
    /// One of them, with all that was inferred.
    class: Arc<Class>,
    classes: Vec<ClassId>,
    /// How many agents could take their tasks with all requirements, with all but the weakest, and so on down to one.
    agents: Vec<u32>,
}

impl Soft {
    /// Returns what is asked for: the most that somebody can meet.
    fn requires(&self) -> Box<[Requirement]> {
        without_weakest(&self.class.requires, self.set_aside())
    }

    fn set_aside(&self) -> usize {
        self.agents.iter().take_while(|&&agents| agents == 0).count()
    }
}

/// What decides who could take the tasks of a class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Terms {
    requires: Vec<(Word, u32, Ratio)>,
    pin: Option<AgentId>,
    role: Option<Word>,
    exclude: Vec<AgentId>,
}

impl Terms {
    fn of(class: &Class) -> Self {
        let terms = class.requires.iter().map(|it| (it.capability, it.weight, it.minimum));
        Self { requires: terms.collect(), pin: class.pin, role: class.role, exclude: class.exclude.to_vec() }
    }
}

/// Every such class.
#[derive(Clone, Debug, Default)]
pub(crate) struct SoftClasses {
    groups: Vec<Soft>,
    classes: BTreeMap<ClassId, usize>,
    by_terms: BTreeMap<Terms, usize>,
    by_capability: BTreeMap<Word, Vec<usize>>,
}

/// What an agent could take of the classes that ask for some capabilities: by group, at each number of requirements set aside.
pub(crate) type Takes = Vec<(usize, Vec<bool>)>;

impl State {
    /// Takes note of a new class whose requirements were inferred.
    pub(crate) fn soft_class(&mut self, id: ClassId, class: Arc<Class>) {
        let terms = Terms::of(&class);
        let group = match self.soft.by_terms.get(&terms) {
            Some(&group) => group,
            None => {
                let group = self.soft.groups.len();
                for requirement in &class.requires {
                    self.soft.by_capability.entry(requirement.capability).or_default().push(group);
                }
                let agents = self.able_to_take(&class);
                self.soft.groups.push(Soft { class, classes: Vec::new(), agents });
                self.soft.by_terms.insert(terms, group);
                group
            }
        };
        self.soft.groups[group].classes.push(id);
        self.soft.classes.insert(id, group);
        self.ask_for(id, self.soft.groups[group].requires());
    }

    /// Takes note that an agent has joined the fleet, or is about to leave it.
    pub(crate) fn soft_agent(&mut self, agent: AgentId, joined: bool) {
        let words: Vec<Word> =
            self.situation.agent(agent).capabilities.iter().map(|&(word, _)| word).collect();
        let takes = self.soft_takes(agent, &words);
        let nothing = takes.iter().map(|(group, could)| (*group, vec![false; could.len()])).collect();
        if joined { self.soft_changed(nothing, &takes) } else { self.soft_changed(takes, &nothing) }
    }

    /// Returns what an agent could take of the classes that ask for one of these capabilities.
    pub(crate) fn soft_takes(&self, agent: AgentId, words: &[Word]) -> Takes {
        let groups = words.iter().filter_map(|word| self.soft.by_capability.get(word)).flatten();
        let groups: BTreeSet<usize> = groups.copied().collect();
        let could = |group: usize| {
            let soft = &self.soft.groups[group];
            let could = |set_aside| {
                let requires = without_weakest(&soft.class.requires, set_aside);
                could_take(&self.policy, &self.situation, &soft.class, &requires, agent)
            };
            (group, (0..soft.agents.len()).map(could).collect())
        };
        groups.into_iter().map(could).collect()
    }

    /// Counts an agent anew for the classes of which it could take other ones than before. Only where nobody is left who could, or
    /// somebody is the first, are the classes themselves touched.
    pub(crate) fn soft_changed(&mut self, before: Takes, now: &Takes) {
        for ((group, before), (_, now)) in before.into_iter().zip(now) {
            let soft = &mut self.soft.groups[group];
            let set_aside = soft.set_aside();
            for ((agents, before), &now) in soft.agents.iter_mut().zip(before).zip(now) {
                *agents = (*agents + u32::from(now)).saturating_sub(u32::from(before));
            }
            if soft.set_aside() != set_aside {
                self.ask_all(group);
            }
        }
    }

    /// Counts anew, after a change of policy.
    pub(crate) fn soft_recount(&mut self) {
        for group in 0..self.soft.groups.len() {
            let class = Arc::clone(&self.soft.groups[group].class);
            self.soft.groups[group].agents = self.able_to_take(&class);
            self.ask_all(group);
        }
    }

    fn ask_all(&mut self, group: usize) {
        let soft = &self.soft.groups[group];
        let (requires, classes) = (soft.requires(), soft.classes.clone());
        for class in classes {
            self.ask_for(class, requires.clone());
        }
    }

    /// Tells whether a capability that was inferred for the tasks of a class is set aside, since nobody could take them with it.
    #[must_use]
    pub fn is_set_aside(&self, class: ClassId, capability: &Name) -> bool {
        let Some(&group) = self.soft.classes.get(&class) else { return false };
        let soft = &self.soft.groups[group];
        let Some(word) = self.words.find(capability.as_str()) else { return false };
        let names = |requires: &[Requirement]| requires.iter().any(|it| it.capability == word);
        names(&soft.class.requires) && !names(&self.situation.class(class).requires)
    }

    fn ask_for(&mut self, id: ClassId, requires: Box<[Requirement]>) {
        if self.situation.class(id).requires != requires {
            self.situation.set_requires(id, requires);
        }
    }

    fn able_to_take(&self, class: &Class) -> Vec<u32> {
        let count = |set_aside| {
            let requires = without_weakest(&class.requires, set_aside);
            let present = self.agents.iter().filter(|agent| agent.state != AgentState::Removed);
            let able =
                present.filter(|agent| could_take(&self.policy, &self.situation, class, &requires, agent.id));
            u32::try_from(able.count()).unwrap_or(u32::MAX)
        };
        (0..class.requires.len()).map(count).collect()
    }

    /// Finds a class whose counts or requirements are not what they should be.
    pub(crate) fn check_soft(&self) -> Result<(), String> {
        for (&id, &group) in &self.soft.classes {
            let soft = &self.soft.groups[group];
            let agents = self.able_to_take(&soft.class);
            if agents != soft.agents {
                return Err(format!("{id:?}: {agents:?} agents can, {:?} counted", soft.agents));
            }
            let requires = &self.situation.class(id).requires;
            if *requires != soft.requires() {
                return Err(format!("{id:?}: {} requirements, {agents:?} agents can", requires.len()));
            }
        }
        Ok(())
    }
}

/// Returns the requirements without the `set_aside` weakest, in their order.
fn without_weakest(requires: &[Requirement], set_aside: usize) -> Box<[Requirement]> {
    let mut strongest: Vec<usize> = (0..requires.len()).collect();
    strongest.sort_by_key(|&at| std::cmp::Reverse(u64::from(requires[at].weight)));
    strongest.truncate(requires.len() - set_aside);
    strongest.sort_unstable();
    strongest.into_iter().map(|at| requires[at]).collect()
}

/// Tells whether an agent, idle and without a record, would be given a task of `class` that asks for `requires`,
/// where it is not kept for anything.
pub(crate) fn could_take(
    policy: &Policy,
    situation: &Situation,
    class: &Class,
    requires: &[Requirement],
    id: AgentId,
) -> bool {
    let agent = situation.agent(id);
    let kept = mutated!(KeptCannot) && kept_from(class, agent).is_some();
    if kept || capable(class, id, agent).is_err() {
        return false;
    }
    let (mut sum, mut weights) = (0_u64, 0_u64);
    for requirement in requires {
        let weight = u64::from(requirement.weight);
        sum += weight * u64::from(agent.score_in(requirement.capability).as_micros());
        weights += weight;
    }
    let micros = (2 * sum + weights).checked_div(2 * weights).unwrap_or(0);
    let capability = Ratio::micros(u32::try_from(micros).unwrap_or(Ratio::UNIT));
    let (performance, cohesion) = (policy.performance_default, policy.cohesion_default);
    Parts::weigh(&policy.weights, capability, Ratio::ONE, performance, cohesion).total > policy.threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_no_agent_can_tell_apart_are_looked_at_once() {
        let mut state = State::default();
        let name = |text: &str| Name::new(text).expect("a name");
        let backend = state.words.intern(&name("backend"));
        for number in 0..1_000 {
            let kind = state.words.intern(&name(&format!("type-{number}")));
            let class = Class {
                requires: [Requirement { capability: backend, weight: 1_000_000, minimum: Ratio::ZERO }]
                    .into(),
                kind,
                project: None,
                role: Some(kind).filter(|_| number % 500 == 1),
                pin: None,
                exclude: Box::default(),
                needs: Box::default(),
            };
            let (id, new) = state.classes.intern(class, true, &mut state.situation);
            state.soft_class(id, new.expect("a new class"));
        }
        assert_eq!((state.soft.groups.len(), state.soft.classes.len()), (3, 1_000));
        assert_eq!(state.soft.by_capability[&backend].len(), 3);
        assert_eq!(state.check_soft(), Ok(()));
    }
}
