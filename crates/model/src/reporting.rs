//! What a fleet's health and reports go by (SEMANTICS 13): one part of the policy.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::moment::Span;
use crate::policy::PolicyError;
use crate::ratio::Ratio;

/// What each part of the health weighs. They add up to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthWeights {
    /// Of the share of agents that are online. Default 0.25.
    pub online: Ratio,
    /// Of the share of attempts that succeed. Default 0.25.
    pub success: Ratio,
    /// Of the share of running tasks that are not stalled. Default 0.20.
    pub running: Ratio,
    /// Of the share of queued tasks within their expected wait. Default 0.15.
    pub queued: Ratio,
    /// Of the share of escalations within their ack time. Default 0.15.
    pub escalations: Ratio,
}

/// What health and reports go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reporting {
    /// What the parts of the health weigh.
    pub weights: HealthWeights,
    /// Below this health there is an alert. Default 0.7.
    pub health_min: Ratio,
    /// How far above that the health must come before the alert is over. Default 0.05.
    pub health_margin: Ratio,
    /// How often the health is looked at. Default 60 s.
    pub period: Span,
    /// The wait that is expected of work of which none has waited yet. Default 15 min.
    pub expected_wait: Span,
    /// When the daily report is written: time since midnight, UTC; below 24 h. Default 23:55.
    pub daily_at: Span,
    /// How often it is noted how the fleet stands, where that has changed; the last 192 times are kept. Default 15 min.
    #[serde(default = "quarter_of_an_hour", skip_serializing_if = "is_quarter_of_an_hour")]
    pub course: Span,
}

fn quarter_of_an_hour() -> Span {
    Span::minutes(15)
}

fn is_quarter_of_an_hour(span: &Span) -> bool {
    *span == quarter_of_an_hour()
}

impl Default for Reporting {
    fn default() -> Self {
        Self {
            weights: HealthWeights {
                online: Ratio::micros(250_000),
                success: Ratio::micros(250_000),
                running: Ratio::micros(200_000),
                queued: Ratio::micros(150_000),
                escalations: Ratio::micros(150_000),
            },
            health_min: Ratio::micros(700_000),
            health_margin: Ratio::micros(50_000),
            period: Span::seconds(60),
            expected_wait: Span::minutes(15),
            daily_at: Span::minutes(23 * 60 + 55),
            course: quarter_of_an_hour(),
        }
    }
}

impl Reporting {
    /// Tells whether nothing was changed.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the health from which on an alert is over.
    #[must_use]
    pub fn health_recovered(&self) -> Ratio {
        Ratio::micros((self.health_min.as_micros() + self.health_margin.as_micros()).min(Ratio::UNIT))
    }

    /// Checks every field against its range.
    ///
    /// # Errors
    /// The first field that is out of its range, with the value and the range.
    pub fn check(&self) -> Result<(), PolicyError> {
        let HealthWeights { online, success, running, queued, escalations } = self.weights;
        let sum: u32 = [online, success, running, queued, escalations].map(Ratio::as_micros).iter().sum();
        if sum != Ratio::UNIT {
            let given = format!("{}.{:06} in all", sum / Ratio::UNIT, sum % Ratio::UNIT);
            let allowed = "five numbers that add up to 1";
            return Err(PolicyError { field: "reporting.health_weights", given, allowed });
        }
        for (field, span) in [
            ("reporting.period_ms", self.period),
            ("reporting.expected_wait_ms", self.expected_wait),
            ("reporting.course_ms", self.course),
        ] {
            if !(limits::DURATION_MIN..=limits::DURATION_MAX).contains(&span) {
                let given = format!("{} ms", span.0);
                return Err(PolicyError { field, given, allowed: "10 ms to 366 days" });
            }
        }
        if !(0..Span::hours(24).0).contains(&self.daily_at.0) {
            let given = format!("{} ms after midnight", self.daily_at.0);
            return Err(PolicyError { field: "reporting.daily_at", given, allowed: "00:00 to 23:59" });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_out_of_range_is_named_with_value_and_range() {
        let mut reporting = Reporting::default();
        assert_eq!(reporting.check(), Ok(()));
        assert_eq!(reporting.health_recovered(), Ratio::micros(750_000));
        reporting.weights.online = Ratio::micros(250_001);
        assert_eq!(reporting.check().expect_err("too much").given, "1.000001 in all");
        reporting = Reporting { daily_at: Span::hours(24), ..Reporting::default() };
        assert_eq!(reporting.check().expect_err("no such time").field, "reporting.daily_at");
        reporting = Reporting { course: Span(9), ..Reporting::default() };
        assert_eq!(reporting.check().expect_err("too often").field, "reporting.course_ms");
        reporting = Reporting { period: Span(9), ..Reporting::default() };
        assert_eq!(reporting.check().expect_err("too often").field, "reporting.period_ms");
    }
}
