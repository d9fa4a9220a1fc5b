//! When a task is too large to be done as a whole: the part of the policy (SEMANTICS 9).

use serde::{Deserialize, Serialize};

use crate::moment::Span;
use crate::policy::PolicyError;
use crate::ratio::Ratio;

/// Who has large tasks broken down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakdownBy {
    /// Whoever asks for it; that a task is large is said.
    #[default]
    Asking,
    /// Every new task that is large, before anybody works on it.
    Policy,
}

impl BreakdownBy {
    /// Every way.
    pub const ALL: &'static [Self] = &[Self::Asking, Self::Policy];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Policy => "policy",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|way| way.as_str() == text)
    }
}

/// The constants of breaking tasks down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaking {
    /// Who has it done. Default asking.
    pub by: BreakdownBy,
    /// A task is large from this weighted mean of the four factors on. Default 0.6.
    pub factor_min: Ratio,
    /// And above this estimate, whatever the factors say. Default 40 h.
    pub estimate_max: Span,
    /// Levels below a task that nobody has broken down, 1..=3. Default 3.
    pub levels_max: u8,
}

impl Default for Breaking {
    fn default() -> Self {
        Self {
            by: BreakdownBy::Asking,
            factor_min: Ratio::micros(600_000),
            estimate_max: Span::hours(40),
            levels_max: 3,
        }
    }
}

impl Breaking {
    /// Checks every field against its range; the durations are checked with the others.
    ///
    /// # Errors
    /// The first field that is out of its range, with the value and the range.
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        if !(1..=3).contains(&self.levels_max) {
            let given = self.levels_max.to_string();
            return Err(PolicyError { field: "breakdown.max_levels", given, allowed: "1 to 3" });
        }
        Ok(())
    }
}
