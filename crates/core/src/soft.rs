//! Classes whose requirements were inferred, and how much of that somebody could meet.
//!
//! A guess must not make a task unplaceable. So inferred requirements count only as far as at least one agent of the fleet,
//! online or not, could be given the task with them: idle, with no record, its score would be above the threshold. Where nobody
//! could with all of them, the weakest (least weight, then last by number) is set aside, and so on, until somebody can. It costs
//! time when an agent joins or leaves, in the number of inferred classes that name one of its capabilities; never when a
//! task moves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kapell_model::{
    AgentId, AgentState, Class, ClassId, Name, Parts, Policy, Ratio, Requirement, Situation, Word, capable,
    kept_from,
};

use crate::mutation::mutated;
use crate::state::State;

/// One such class.
#[derive(Clone, Debug)]
struct Soft {
    /// With all that was inferred.
    class: Arc<Class>,
    /// How many agents could take its tasks with all requirements, with all but the weakest, and so on down to one.
    agents: Vec<u32>,
}

impl Soft {
    /// Returns what is asked for: the most that somebody can meet.
    fn requires(&self) -> Box<[Requirement]> {
        let set_aside = self.agents.iter().take_while(|&&agents| agents == 0).count();
        without_weakest(&self.class.requires, set_aside)
    }
}

/// Every such class.
#[derive(Clone, Debug, Default)]
pub(crate) struct SoftClasses {
    classes: BTreeMap<ClassId, Soft>,
    by_capability: BTreeMap<Word, Vec<ClassId>>,
}

impl State {
    /// Takes note of a new class whose requirements were inferred.
    pub(crate) fn soft_class(&mut self, id: ClassId, class: Arc<Class>) {
        for requirement in &class.requires {
            self.soft.by_capability.entry(requirement.capability).or_default().push(id);
        }
        let soft = Soft { agents: self.able_to_take(&class), class };
        self.ask_for(id, soft.requires());
        self.soft.classes.insert(id, soft);
    }

    /// Takes note that an agent has joined the fleet, or is about to leave it.
    pub(crate) fn soft_agent(&mut self, agent: AgentId, joined: bool) {
        let words: Vec<Word> =
            self.situation.agent(agent).capabilities.iter().map(|&(word, _)| word).collect();
        self.soft_scores(agent, &words, joined);
    }

    /// Counts an agent, or counts it no more, for the classes that ask for one of these capabilities.
    pub(crate) fn soft_scores(&mut self, agent: AgentId, words: &[Word], joined: bool) {
        let classes = words.iter().filter_map(|word| self.soft.by_capability.get(word)).flatten();
        let classes: BTreeSet<ClassId> = classes.copied().collect();
        for id in classes {
            let Some(soft) = self.soft.classes.get_mut(&id) else { continue };
            for (set_aside, agents) in soft.agents.iter_mut().enumerate() {
                let requires = without_weakest(&soft.class.requires, set_aside);
                if could_take(&self.policy, &self.situation, &soft.class, &requires, agent) {
                    *agents = if joined { *agents + 1 } else { agents.saturating_sub(1) };
                }
            }
            let requires = soft.requires();
            self.ask_for(id, requires);
        }
    }

    /// Counts anew, after a change of policy.
    pub(crate) fn soft_recount(&mut self) {
        let classes: Vec<(ClassId, Arc<Class>)> =
            self.soft.classes.iter().map(|(&id, soft)| (id, Arc::clone(&soft.class))).collect();
        for (id, class) in classes {
            let soft = Soft { agents: self.able_to_take(&class), class };
            self.ask_for(id, soft.requires());
            self.soft.classes.insert(id, soft);
        }
    }

    /// Tells whether a capability that was inferred for the tasks of a class is set aside, since nobody could take them with it.
    #[must_use]
    pub fn is_set_aside(&self, class: ClassId, capability: &Name) -> bool {
        let Some(soft) = self.soft.classes.get(&class) else { return false };
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
        for (&id, soft) in &self.soft.classes {
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
