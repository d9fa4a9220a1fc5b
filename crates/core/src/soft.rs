//! Classes whose requirements were inferred, and whether anybody could take their tasks.
//!
//! A guess must not make a task unplaceable. So an inferred requirement counts only while at least one agent of the fleet,
//! online or not, could be given the task with it: idle, with no record, its score would be above the threshold. Where nobody
//! could, the class requires nothing until somebody can. It costs time when an agent joins or leaves, in the number of
//! inferred classes that name one of its capabilities; never when a task moves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kapell_model::{AgentId, AgentState, Class, ClassId, Parts, Policy, Ratio, Situation, Word, able};

use crate::state::State;

/// One such class.
#[derive(Clone, Debug)]
struct Soft {
    /// With all that was inferred.
    class: Arc<Class>,
    /// Agents that could take its tasks so.
    agents: u32,
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
        let agents = self.able_to_take(&class);
        if agents == 0 {
            self.situation.set_requires(id, Box::default());
        }
        for requirement in &class.requires {
            self.soft.by_capability.entry(requirement.capability).or_default().push(id);
        }
        self.soft.classes.insert(id, Soft { class, agents });
    }

    /// Takes note that an agent has joined the fleet, or is about to leave it.
    pub(crate) fn soft_agent(&mut self, agent: AgentId, joined: bool) {
        let capabilities = self.situation.agent(agent).capabilities.iter();
        let classes = capabilities.filter_map(|(word, _)| self.soft.by_capability.get(word)).flatten();
        let classes: BTreeSet<ClassId> = classes.copied().collect();
        for id in classes {
            let Some(soft) = self.soft.classes.get_mut(&id) else { continue };
            if !could_take(&self.policy, &self.situation, &soft.class, agent) {
                continue;
            }
            soft.agents = if joined { soft.agents + 1 } else { soft.agents.saturating_sub(1) };
            match (joined, soft.agents) {
                (true, 1) => self.situation.set_requires(id, soft.class.requires.clone()),
                (false, 0) => self.situation.set_requires(id, Box::default()),
                _ => {}
            }
        }
    }

    /// Counts anew, after a change of policy.
    pub(crate) fn soft_recount(&mut self) {
        let classes: Vec<(ClassId, Arc<Class>)> =
            self.soft.classes.iter().map(|(&id, soft)| (id, Arc::clone(&soft.class))).collect();
        for (id, class) in classes {
            let agents = self.able_to_take(&class);
            let requires = if agents == 0 { Box::default() } else { class.requires.clone() };
            if self.situation.class(id).requires != requires {
                self.situation.set_requires(id, requires);
            }
            if let Some(soft) = self.soft.classes.get_mut(&id) {
                soft.agents = agents;
            }
        }
    }

    /// Tells whether what was inferred for the tasks of a class is set aside, since nobody could take them with it.
    #[must_use]
    pub fn is_set_aside(&self, class: ClassId) -> bool {
        self.soft.classes.get(&class).is_some_and(|soft| soft.agents == 0)
    }

    fn able_to_take(&self, class: &Class) -> u32 {
        let present = self.agents.iter().filter(|agent| agent.state != AgentState::Removed);
        let able = present.filter(|agent| could_take(&self.policy, &self.situation, class, agent.id));
        u32::try_from(able.count()).unwrap_or(u32::MAX)
    }

    /// Finds a class whose count or requirements are not what they should be.
    pub(crate) fn check_soft(&self) -> Result<(), String> {
        for (&id, soft) in &self.soft.classes {
            let agents = self.able_to_take(&soft.class);
            let requires = &self.situation.class(id).requires;
            let as_inferred = *requires == soft.class.requires;
            if agents != soft.agents || as_inferred == (agents == 0) {
                let count = requires.len();
                return Err(format!(
                    "{id:?}: {agents} agents can, {} counted, {count} requirements",
                    soft.agents
                ));
            }
        }
        Ok(())
    }
}

/// Tells whether an agent, idle and without a record, would be given a task of `class`.
fn could_take(policy: &Policy, situation: &Situation, class: &Class, id: AgentId) -> bool {
    let agent = situation.agent(id);
    if able(class, id, agent).is_err() {
        return false;
    }
    let (mut sum, mut weights) = (0_u64, 0_u64);
    for requirement in &class.requires {
        let weight = u64::from(requirement.weight);
        sum += weight * u64::from(agent.score_in(requirement.capability).as_micros());
        weights += weight;
    }
    let micros = (2 * sum + weights).checked_div(2 * weights).unwrap_or(0);
    let capability = Ratio::micros(u32::try_from(micros).unwrap_or(Ratio::UNIT));
    let (performance, cohesion) = (policy.performance_default, policy.cohesion_default);
    Parts::weigh(&policy.weights, capability, Ratio::ONE, performance, cohesion).total > policy.threshold
}
