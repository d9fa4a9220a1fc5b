//! How long silence is borne, and how often a task may come back: the part of the policy that watches running work.

use serde::{Deserialize, Serialize};

use crate::moment::Span;
use crate::ratio::Ratio;

/// When a task counts as stalled (SEMANTICS 4, `TASK_STALLED`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stalls {
    /// The least silence about progress that is looked into. Default 30 min.
    pub quiet_min: Span,
    /// The silence that is borne, as a share of the task's p50 estimate, where that is longer. Default 0.25.
    pub quiet_share: Ratio,
    /// How many times its p90 estimate an attempt may take, in millionths: 0.1 to 100. Default 2.
    pub overdue_factor: u32,
    /// The silence that is looked into where the owner has begun other work since its last word. Default off.
    #[serde(default)]
    pub aside_min: Option<Span>,
}

impl Default for Stalls {
    fn default() -> Self {
        Self {
            quiet_min: Span::minutes(30),
            quiet_share: Ratio::micros(250_000),
            overdue_factor: 2 * Ratio::UNIT,
            aside_min: None,
        }
    }
}

impl Stalls {
    /// Returns the silence about progress that is borne for a task of the estimate `p50`.
    #[must_use]
    pub fn quiet(&self, p50: Span) -> Span {
        self.quiet_min.max(scaled(p50, self.quiet_share.as_micros()))
    }

    /// Returns how long an attempt at a task may take that nine of ten finish within `p90`.
    #[must_use]
    pub fn overdue(&self, p90: Span) -> Span {
        scaled(p90, self.overdue_factor)
    }
}

fn scaled(span: Span, millionths: u32) -> Span {
    let scaled = i128::from(span.0) * i128::from(millionths) / i128::from(Ratio::UNIT);
    Span(i64::try_from(scaled).unwrap_or(i64::MAX))
}

/// When a task counts as being handed out and taken back over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redispatch {
    /// Times that a task may be taken back within the window without progress in between; at this many it is held
    /// back, 2..=100. Default 6.
    pub turns_max: u32,
    /// The window. Default 1 h.
    pub window: Span,
    /// The first pause; doubles with each further turn. Default 10 min.
    pub pause: Span,
    /// The longest pause. Default 24 h.
    pub pause_max: Span,
}

impl Default for Redispatch {
    fn default() -> Self {
        Self { turns_max: 6, window: Span::hours(1), pause: Span::minutes(10), pause_max: Span::hours(24) }
    }
}

impl Redispatch {
    /// Returns the pause after a task was held back `before` times.
    #[must_use]
    pub fn pause_after(&self, before: u32) -> Span {
        let doubled = i128::from(self.pause.0) << before.min(40);
        Span(i64::try_from(doubled.min(i128::from(self.pause_max.0))).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_borne_for_the_longer_of_floor_and_share() {
        let stalls = Stalls::default();
        assert_eq!(stalls.quiet(Span::hours(1)), Span::minutes(30));
        assert_eq!(stalls.quiet(Span::hours(16)), Span::hours(4));
        assert_eq!(stalls.overdue(Span::hours(3)), Span::hours(6));
        assert_eq!(stalls.overdue(Span(i64::MAX)), Span(i64::MAX));
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let redispatch = Redispatch::default();
        let pauses = [0, 1, 2, 100].map(|before| redispatch.pause_after(before));
        assert_eq!(pauses, [Span::minutes(10), Span::minutes(20), Span::minutes(40), Span::hours(24)]);
    }
}
