//! The score of an agent for a class of tasks (SEMANTICS 3.1), plainly.
//!
//! This is the formula as a person would write it down. [`crate::Greedy`] computes the same numbers faster;
//! that both agree is a property test.

use kapell_model::{AgentId, AgentView, Class, Parts, Ratio, Situation, fit};

/// Why an agent is no candidate. Checked in this order: online, not draining, below its limit, pin, role, exclusion, minima.
pub use kapell_model::Unfit as Refusal;

/// Scores `agent` for `class`, whatever the threshold says.
///
/// # Errors
/// The first reason why it is no candidate.
///
/// # Panics
/// Where no such agent is registered.
pub fn candidate(situation: &Situation, class: &Class, agent: AgentId) -> Result<Parts, Refusal> {
    fit(class, agent, situation.agent(agent))?;
    Ok(parts(situation, class, agent))
}

/// Scores `agent` for `class`, candidate or not: final = 0.4 capability + 0.3 workload + 0.2 performance +
/// 0.1 cohesion under the founding weights.
///
/// # Panics
/// Where no such agent is registered.
#[must_use]
pub fn parts(situation: &Situation, class: &Class, agent: AgentId) -> Parts {
    let view = situation.agent(agent);
    Parts::weigh(
        situation.weights(),
        capability(class, view),
        view.workload(),
        situation.performance(agent, class.kind),
        situation.cohesion(agent, class.project),
    )
}

/// Returns sum(score * weight) / sum(weight) over the required capabilities, rounded half up; a missing one
/// scores 0, and where nothing is required it is 1.
#[must_use]
pub fn capability(class: &Class, agent: &AgentView) -> Ratio {
    // At most 32 requirements of at most 10^9 each, times 10^6: far below 2^64.
    let (mut sum, mut weights) = (0_u64, 0_u64);
    for requirement in &class.requires {
        let weight = u64::from(requirement.weight);
        sum += weight * u64::from(agent.score_in(requirement.capability).as_micros());
        weights += weight;
    }
    if weights == 0 {
        return Ratio::ONE;
    }
    let micros = (2 * sum + weights) / (2 * weights);
    Ratio::micros(u32::try_from(micros).unwrap_or(Ratio::UNIT))
}
