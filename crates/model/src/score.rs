//! A score with its parts, as decisions record it (SEMANTICS 3.1).

use serde::{Deserialize, Serialize};

use crate::id::AgentId;
use crate::policy::Weights;
use crate::ratio::Ratio;

/// The version of the scoring formula; recorded with every decision, since a score can be
/// recomputed only by the scorer that made it.
pub const SCORER_VERSION: u32 = 3;

/// The four values of a score, each in 0..=1, and the weighted sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Weighted mean of the agent's scores over the required capabilities; 1 where none is required.
    pub capability: Ratio,
    /// 1 - active / max.
    pub workload: Ratio,
    /// Record with tasks of this type.
    pub performance: Ratio,
    /// Familiarity and affinity with the project's team.
    pub cohesion: Ratio,
    /// The weighted sum; each part is rounded to 10^-6 before it is added, so that what is shown adds up.
    pub total: Ratio,
}

impl Parts {
    /// Weighs the four values.
    #[must_use]
    pub fn weigh(
        weights: &Weights,
        capability: Ratio,
        workload: Ratio,
        performance: Ratio,
        cohesion: Ratio,
    ) -> Self {
        let total = weights.capability.times(capability).as_micros()
            + weights.workload.times(workload).as_micros()
            + weights.performance.times(performance).as_micros()
            + weights.cohesion.times(cohesion).as_micros();
        Self { capability, workload, performance, cohesion, total: Ratio::micros(total) }
    }
}

/// A candidate with its score, as decisions record it.
///
/// Written as `[agent, capability, workload, performance, cohesion, total]`, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Considering", into = "Considering")]
pub struct Considered {
    /// Who.
    pub agent: AgentId,
    /// Its score.
    pub parts: Parts,
}

type Considering = (AgentId, Ratio, Ratio, Ratio, Ratio, Ratio);

impl From<Considering> for Considered {
    fn from((agent, capability, workload, performance, cohesion, total): Considering) -> Self {
        Self { agent, parts: Parts { capability, workload, performance, cohesion, total } }
    }
}

impl From<Considered> for Considering {
    fn from(Considered { agent, parts }: Considered) -> Self {
        (agent, parts.capability, parts.workload, parts.performance, parts.cohesion, parts.total)
    }
}
