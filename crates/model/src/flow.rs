//! What is done about what holds the work up (SEMANTICS 8): one part of the policy.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::moment::Span;
use crate::policy::PolicyError;

/// The longest that agents are kept for a capability.
const KEPT_MAX: Span = Span::hours(4);

/// Whether agents are kept for a capability that is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjust {
    /// Those who are able are kept for what needs it, for a while.
    #[default]
    On,
    /// Nobody is.
    Off,
}

impl Adjust {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }

    /// Tells whether agents are kept.
    #[must_use]
    pub const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }
}

/// How bottlenecks are looked for, and what is done about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// How often they are looked for. Default 5 min.
    pub period: Span,
    /// How long agents are kept for a capability that is short, at most 4 h. Default 4 h.
    pub kept: Span,
    /// Whether they are. Default on.
    pub act: Adjust,
}

impl Default for Flow {
    fn default() -> Self {
        Self { period: Span::minutes(5), kept: KEPT_MAX, act: Adjust::On }
    }
}

impl Flow {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// The first field that is out of its range, with the value and the range.
    pub fn check(&self) -> Result<(), PolicyError> {
        let given = |span: Span| format!("{} ms", span.0);
        if !(limits::DURATION_MIN..=limits::DURATION_MAX).contains(&self.period) {
            let (field, given) = ("bottlenecks.period_ms", given(self.period));
            return Err(PolicyError { field, given, allowed: "10 ms to 366 days" });
        }
        if !(limits::DURATION_MIN..=KEPT_MAX).contains(&self.kept) {
            let (field, given) = ("bottlenecks.kept_ms", given(self.kept));
            return Err(PolicyError { field, given, allowed: "10 ms to 4 h" });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_out_of_range_is_named_with_value_and_range() {
        assert_eq!(Flow::default().check(), Ok(()));
        let flow = Flow { kept: Span(KEPT_MAX.0 + 1), ..Flow::default() };
        let error = flow.check().expect_err("too long").to_string();
        assert_eq!(error, "policy field `bottlenecks.kept_ms` is 14400001 ms; allowed is 10 ms to 4 h");
        let flow = Flow { period: Span(9), ..Flow::default() };
        assert_eq!(flow.check().expect_err("too often").field, "bottlenecks.period_ms");
    }
}
