//! The whole list behind a pick: every candidate with its score, and why the others are none.
//!
//! Computed when somebody asks, from the situation as it is; nothing of it is kept.

use std::cmp::Reverse;

use kapell_model::{AgentId, Class, Considered, Ratio, Situation};

use crate::podium::tie_order;
use crate::score::{self, Refusal};

/// Everyone's standing for a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The candidates, best first: by score, then fewer tasks, longer idle, smaller id.
    pub candidates: Vec<Considered>,
    /// Who would get the task now: the best above the threshold after the veto.
    pub choice: Option<AgentId>,
    /// Who would have got it, had it not failed this very task in its last attempt.
    pub passed_over: Option<AgentId>,
    /// The others with the first reason why they are no candidates, in order of their ids.
    pub refused: Vec<(AgentId, Refusal)>,
}

/// Ranks every agent for a task of `class`, which agent `veto` has just failed.
#[must_use]
pub fn candidates(situation: &Situation, class: &Class, veto: Option<AgentId>) -> Explained {
    let (mut candidates, mut refused) = (Vec::new(), Vec::new());
    for agent in (0..).map(AgentId).take(situation.agents().len()) {
        match score::candidate(situation, class, agent) {
            Ok(parts) => candidates.push(Considered { agent, parts }),
            Err(refusal) => refused.push((agent, refusal)),
        }
    }
    candidates.sort_by(|left, right| {
        let score = Reverse(left.parts.total).cmp(&Reverse(right.parts.total));
        score.then_with(|| tie_order(situation, left.agent, right.agent))
    });
    let mut above = candidates
        .iter()
        .filter(|candidate| candidate.parts.total > situation.threshold())
        .map(|candidate| candidate.agent);
    let first = above.next();
    let second = above.next().filter(|_| first == veto);
    let (choice, passed_over) = if second.is_some() { (second, first) } else { (first, None) };
    Explained { candidates, choice, passed_over, refused }
}

/// Returns the least capability value with which `agent`, at its present load, would pass the threshold for a
/// task of `class`; nothing where even 1 would not do.
///
/// It asks about the score alone: the agent may be no candidate for other reasons.
///
/// # Panics
/// Where no such agent is registered.
#[must_use]
pub fn capability_needed(situation: &Situation, class: &Class, agent: AgentId) -> Option<Ratio> {
    // The weighted part, round(weight * value / 10^6), must reach `missing` + 1 millionths.
    let Some(missing) = capability_part_missing(situation, class, agent) else { return Some(Ratio::ZERO) };
    let unit = u64::from(Ratio::UNIT);
    let weight = u64::from(situation.weights().capability.as_micros());
    within_one(((u64::from(missing) + 1) * unit - unit / 2).div_ceil(weight))
}

/// Returns the capability value that `agent`, at its present load, must exceed for a task of `class`, apart from
/// the rounding of the parts to a millionth: (threshold - other parts) / weight. Nothing where not even 1
/// exceeds it.
///
/// Under the founding policy it is 0.525 for an idle agent and 0.90 for one with one of two slots taken
/// (SEMANTICS 16, "A round").
///
/// # Panics
/// Where no such agent is registered.
#[must_use]
pub fn capability_bar(situation: &Situation, class: &Class, agent: AgentId) -> Option<Ratio> {
    capability_needed(situation, class, agent)?;
    let missing = capability_part_missing(situation, class, agent).unwrap_or(0);
    let weight = u64::from(situation.weights().capability.as_micros());
    within_one(u64::from(missing) * u64::from(Ratio::UNIT) / weight)
}

/// Returns what the weighted capability part must exceed, in millionths; nothing where the other parts pass
/// the threshold by themselves.
fn capability_part_missing(situation: &Situation, class: &Class, agent: AgentId) -> Option<u32> {
    let (weights, parts) = (situation.weights(), score::parts(situation, class, agent));
    let others = weights.workload.times(parts.workload).as_micros()
        + weights.performance.times(parts.performance).as_micros()
        + weights.cohesion.times(parts.cohesion).as_micros();
    situation.threshold().as_micros().checked_sub(others)
}

fn within_one(micros: u64) -> Option<Ratio> {
    u32::try_from(micros).ok().filter(|&micros| micros <= Ratio::UNIT).map(Ratio::micros)
}
