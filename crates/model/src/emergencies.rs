//! When there is an emergency, and how it ends: a part of the policy (SEMANTICS 12).

use serde::{Deserialize, Serialize};

use crate::moment::Span;
use crate::policy::PolicyError;
use crate::ratio::Ratio;

/// The constants of emergencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emergencies {
    /// Whether they are detected; a person can declare them anyway. Default yes.
    pub detect: bool,
    /// Within which time agents must be lost for it to be one failure that spreads. Default 5 min.
    pub window: Span,
    /// How many at least, 2..=1000. Default 3.
    pub agents_min: u32,
    /// And which share of those online at least. Default 0.2.
    pub share_min: Ratio,
    /// Above which share of the registered agents online it can end. Default 0.8.
    pub recovered_share: Ratio,
    /// And for how long that must be so. Default 5 min.
    pub recovered_for: Span,
    /// How long each of the rounds is in which assignments are let through little by little. Default 30 s.
    pub resume_every: Span,
}

impl Default for Emergencies {
    fn default() -> Self {
        Self {
            detect: true,
            window: Span::minutes(5),
            agents_min: 3,
            share_min: Ratio::micros(200_000),
            recovered_share: Ratio::micros(800_000),
            recovered_for: Span::minutes(5),
            resume_every: Span::seconds(30),
        }
    }
}

impl Emergencies {
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        if !(2..=1_000).contains(&self.agents_min) {
            let given = self.agents_min.to_string();
            return Err(PolicyError { field: "emergencies.agents_min", given, allowed: "2 to 1000" });
        }
        if self.recovered_share == Ratio::ONE {
            let given = self.recovered_share.to_string();
            return Err(PolicyError { field: "emergencies.recovered_share", given, allowed: "below 1" });
        }
        Ok(())
    }
}
