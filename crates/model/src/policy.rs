//! The policy of a fleet: every constant of the rules, with its default and its range.

use serde::{Deserialize, Serialize};

use crate::balancing::Balancing;
use crate::breaking::Breaking;
use crate::budget::Budgets;
use crate::emergencies::Emergencies;
use crate::escalating::Escalating;
use crate::flow::Flow;
use crate::forecast::Forecasting;
use crate::gating::Gating;
use crate::handing::{Handing, Messaging};
use crate::limits;
use crate::moment::Span;
use crate::patience::{Redispatch, Stalls};
use crate::ratio::Ratio;
use crate::reporting::Reporting;
use crate::vocabulary::Priority;

/// The four weights of the score (SEMANTICS 3.1). Each is above 0 and they add up to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// Of the capability match. Default 0.4.
    pub capability: Ratio,
    /// Of the free share of the agent's slots. Default 0.3.
    pub workload: Ratio,
    /// Of the agent's record with the task's type. Default 0.2.
    pub performance: Ratio,
    /// Of the agent's familiarity with the project's team. Default 0.1.
    pub cohesion: Ratio,
}

/// How long an owner may take to fetch an assignment, by priority (SEMANTICS 4 and 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Default 5 min.
    pub critical: Span,
    /// Default 30 min.
    pub high: Span,
    /// Default 2 h.
    pub medium: Span,
    /// Default 24 h.
    pub low: Span,
}

impl Ack {
    /// Returns the time that belongs to `priority`.
    #[must_use]
    pub const fn of(&self, priority: Priority) -> Span {
        match priority {
            Priority::Critical => self.critical,
            Priority::High => self.high,
            Priority::Medium => self.medium,
            Priority::Low => self.low,
        }
    }
}

/// Who may take a named task by itself (SEMANTICS 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claims {
    /// A candidate gets a ready task where its score is above the threshold and no idle one scores higher.
    Scored,
    /// The first candidate that asks gets a ready task, whatever its score.
    First,
    /// Nobody.
    Off,
}

/// How free slots are filled (SEMANTICS 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Task by task in the order of the queue, in the very step that freed a slot or made a task ready.
    #[default]
    Greedy,
    /// In rounds that maximise the total score, priority level by priority level; planned beside the writer.
    Optimal,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: &'static [Self] = &[Self::Greedy, Self::Optimal];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Greedy => "greedy",
            Self::Optimal => "optimal",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|strategy| strategy.as_str() == text)
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_greedy(&self) -> bool {
        *self == Self::Greedy
    }
}

/// What becomes of tasks whose dependency failed for good or was cancelled (SEMANTICS 6 and 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailedDependency {
    /// They stay blocked, with that reason, until somebody waives, replaces or cancels.
    Block,
    /// They are cancelled, with that reason.
    Cancel,
}

/// Whether a task's text is read for what it does not declare (SEMANTICS 2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inference {
    /// Required capabilities, and in imports what a task waits for, are inferred and marked so.
    #[default]
    On,
    /// Only what is declared counts.
    Off,
}

impl Inference {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_on(&self) -> bool {
        *self == Self::On
    }
}

/// By which scores agents are chosen (SEMANTICS 15, "Measured capability").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capabilities {
    /// By those that were declared.
    #[default]
    Declared,
    /// By what outcomes have made of them.
    Measured,
}

impl Capabilities {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Measured => "measured",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_declared(&self) -> bool {
        *self == Self::Declared
    }
}

/// How long reservations last and requests for them wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserving {
    /// Of a reservation that does not say. Default 30 min.
    pub ttl: Span,
    /// At least. Default 1 s.
    pub ttl_min: Span,
    /// At most. Default 24 h.
    pub ttl_max: Span,
    /// In line, where the request does not say, and at most. Default 1 h.
    pub wait: Span,
}

impl Default for Reserving {
    fn default() -> Self {
        Self {
            ttl: Span::minutes(30),
            ttl_min: Span::seconds(1),
            ttl_max: Span::hours(24),
            wait: Span::hours(1),
        }
    }
}

impl Reserving {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of an edge that nobody vouches for and that closes a cycle (SEMANTICS 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cycles {
    /// The least trusted edge of the cycle is taken away.
    #[default]
    Break,
    /// Only inferred edges are taken away; where all are declared, the new one is kept out and somebody is called.
    Escalate,
}

impl Cycles {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Break => "break",
            Self::Escalate => "escalate",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_break(&self) -> bool {
        *self == Self::Break
    }
}

/// The policy of a fleet. Durations are 10 ms to 366 days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// A task is placed only where the score is above this, strictly. Default 0.7.
    pub threshold: Ratio,
    /// The weights of the score.
    pub weights: Weights,
    /// The performance of an agent with no record. Default 0.7.
    pub performance_default: Ratio,
    /// The cohesion where there is no project or no team. Default 0.5.
    pub cohesion_default: Ratio,
    /// How free slots are filled. Default greedy.
    #[serde(default, skip_serializing_if = "Strategy::is_greedy")]
    pub strategy: Strategy,
    /// Who may claim.
    pub claims: Claims,
    /// Lease of an agent that heartbeats. Default 120 s.
    pub lease_heartbeat: Span,
    /// Lease of an agent that just calls in. Default 30 min.
    pub lease_call: Span,
    /// Lease of a person. Default 3 days.
    pub lease_person: Span,
    /// From unreachable to offline. Default 30 s.
    pub lease_grace: Span,
    /// Time to fetch an assignment.
    pub ack: Ack,
    /// Failed attempts until a task is failed, 1..=100. Default 3.
    pub attempts_max: u32,
    /// Lost owners until a task is failed, 1..=100. Default 10.
    pub losses_max: u32,
    /// Pause before the second attempt; doubles with each. Default 30 s.
    pub retry_backoff: Span,
    /// The longest such pause. Default 1 h.
    pub retry_backoff_max: Span,
    /// What becomes of dependents of what failed.
    pub on_failed_dependency: OnFailedDependency,
    /// Estimate of a task that declares none, by complexity 1..=5. Default 1, 2, 4, 8, 16 h.
    pub estimate_by_complexity: [Span; 5],
    /// Whether texts are read for what is not declared. Default on.
    #[serde(default, skip_serializing_if = "Inference::is_on")]
    pub inference: Inference,
    /// By which scores agents are chosen. Default declared.
    #[serde(default, skip_serializing_if = "Capabilities::is_declared")]
    pub capabilities: Capabilities,
    /// What health and reports go by.
    #[serde(default, skip_serializing_if = "Reporting::is_default")]
    pub reporting: Reporting,
    /// How long reservations last.
    #[serde(default, skip_serializing_if = "Reserving::is_default")]
    pub reservations: Reserving,
    /// What becomes of cycles that imported and inferred edges close. Default break.
    #[serde(default, skip_serializing_if = "Cycles::is_break")]
    pub cycles: Cycles,
    /// How load is evened out.
    #[serde(default, skip_serializing_if = "Balancing::is_default")]
    pub balancing: Balancing,
    /// When a task counts as stalled. Not written where nothing of it was changed, as in logs from before it was there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stalls: Stalls,
    /// When a task counts as being handed out and taken back over and over. Written like `stalls`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub redispatch: Redispatch,
    /// How supervised handoffs are run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub handoffs: Handing,
    /// How agents send each other messages.
    #[serde(default, skip_serializing_if = "is_default")]
    pub messages: Messaging,
    /// When forecasts are made.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forecasts: Forecasting,
    /// What finished work must pass before it counts as completed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gates: Gating,
    /// To whom escalations go that nobody takes on.
    #[serde(default, skip_serializing_if = "is_default")]
    pub escalations: Escalating,
    /// When there is an emergency, and how it ends.
    #[serde(default, skip_serializing_if = "is_default")]
    pub emergencies: Emergencies,
    /// How bottlenecks are looked for, and what is done about them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bottlenecks: Flow,
    /// When a task is too large to be done as a whole.
    #[serde(default, skip_serializing_if = "is_default")]
    pub breakdown: Breaking,
    /// What work may cost. Nothing is limited by default.
    #[serde(default, skip_serializing_if = "is_default")]
    pub budgets: Budgets,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            threshold: Ratio::micros(700_000),
            weights: Weights {
                capability: Ratio::micros(400_000),
                workload: Ratio::micros(300_000),
                performance: Ratio::micros(200_000),
                cohesion: Ratio::micros(100_000),
            },
            performance_default: Ratio::micros(700_000),
            cohesion_default: Ratio::micros(500_000),
            strategy: Strategy::Greedy,
            claims: Claims::First,
            lease_heartbeat: Span::seconds(120),
            lease_call: Span::minutes(30),
            lease_person: Span::hours(72),
            lease_grace: Span::seconds(30),
            ack: Ack {
                critical: Span::minutes(5),
                high: Span::minutes(30),
                medium: Span::hours(2),
                low: Span::hours(24),
            },
            attempts_max: 3,
            losses_max: 10,
            retry_backoff: Span::seconds(30),
            retry_backoff_max: Span::hours(1),
            on_failed_dependency: OnFailedDependency::Block,
            estimate_by_complexity: [1, 2, 4, 8, 16].map(Span::hours),
            inference: Inference::On,
            capabilities: Capabilities::Declared,
            reporting: Reporting::default(),
            reservations: Reserving::default(),
            stalls: Stalls::default(),
            redispatch: Redispatch::default(),
            handoffs: Handing::default(),
            messages: Messaging::default(),
            forecasts: Forecasting::default(),
            gates: Gating::default(),
            escalations: Escalating::default(),
            emergencies: Emergencies::default(),
            bottlenecks: Flow::default(),
            breakdown: Breaking::default(),
            budgets: Budgets::default(),
            cycles: Cycles::Break,
            balancing: Balancing::default(),
        }
    }
}

/// A value of a policy that is out of its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy field `{field}` is {given}; allowed is {allowed}")]
pub struct PolicyError {
    /// The field, dotted.
    pub field: &'static str,
    /// What came.
    pub given: String,
    /// The range.
    pub allowed: &'static str,
}

impl Policy {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// The first field that is out of its range, with the value and the range.
    pub fn check(&self) -> Result<(), PolicyError> {
        self.check_weights()?;
        for (field, span) in self.durations() {
            if !(limits::DURATION_MIN..=limits::DURATION_MAX).contains(&span) {
                let given = format!("{} ms", span.0);
                return Err(PolicyError { field, given, allowed: "10 ms to 366 days" });
            }
        }
        for (field, count) in [("max_attempts", self.attempts_max), ("max_losses", self.losses_max)] {
            if !(1..=limits::ATTEMPTS_MAX).contains(&count) {
                return Err(PolicyError { field, given: count.to_string(), allowed: "1 to 100" });
            }
        }
        self.check_patience()?;
        if self.retry_backoff_max < self.retry_backoff {
            let given = format!("{} ms", self.retry_backoff_max.0);
            return Err(PolicyError {
                field: "retry_backoff_max_ms",
                given,
                allowed: "at least retry_backoff_ms",
            });
        }
        let Reserving { ttl, ttl_min, ttl_max, .. } = self.reservations;
        if !(ttl_min..=ttl_max).contains(&ttl) {
            let given = format!("{} ms", ttl.0);
            let allowed = "reservations.ttl_min_ms to reservations.ttl_max_ms";
            return Err(PolicyError { field: "reservations.ttl_ms", given, allowed });
        }
        self.messages.check()?;
        self.gates.check()?;
        self.escalations.check()?;
        self.breakdown.check()?;
        self.balancing.check()?;
        self.emergencies.check()?;
        self.bottlenecks.check()?;
        self.budgets.check()?;
        self.reporting.check()
    }

    fn check_patience(&self) -> Result<(), PolicyError> {
        let (factor, turns) = (self.stalls.overdue_factor, self.redispatch.turns_max);
        if !(Ratio::UNIT / 10..=100 * Ratio::UNIT).contains(&factor) {
            let given = format!("{}.{:06}", factor / Ratio::UNIT, factor % Ratio::UNIT);
            return Err(PolicyError { field: "stalls.overdue_factor", given, allowed: "0.1 to 100" });
        }
        if !(2..=limits::ATTEMPTS_MAX).contains(&turns) {
            let given = turns.to_string();
            return Err(PolicyError { field: "redispatch.max_turns", given, allowed: "2 to 100" });
        }
        if self.redispatch.pause_max < self.redispatch.pause {
            let given = format!("{} ms", self.redispatch.pause_max.0);
            let allowed = "at least redispatch.pause_ms";
            return Err(PolicyError { field: "redispatch.pause_max_ms", given, allowed });
        }
        Ok(())
    }

    fn check_weights(&self) -> Result<(), PolicyError> {
        let weights = [
            ("weights.capability", self.weights.capability),
            ("weights.workload", self.weights.workload),
            ("weights.performance", self.weights.performance),
            ("weights.cohesion", self.weights.cohesion),
        ];
        for (field, weight) in weights {
            if weight == Ratio::ZERO {
                return Err(PolicyError { field, given: weight.to_string(), allowed: "above 0" });
            }
        }
        let sum: u32 = weights.iter().map(|(_, weight)| weight.as_micros()).sum();
        if sum != Ratio::UNIT {
            let given = format!("{}.{:06} in all", sum / Ratio::UNIT, sum % Ratio::UNIT);
            return Err(PolicyError { field: "weights", given, allowed: "four numbers that add up to 1" });
        }
        Ok(())
    }

    /// Returns every duration with the name of its field.
    fn durations(&self) -> [(&'static str, Span); 33] {
        let [one, two, three, four, five] = self.estimate_by_complexity;
        [
            ("heartbeat_lease_ms", self.lease_heartbeat),
            ("call_lease_ms", self.lease_call),
            ("person_lease_ms", self.lease_person),
            ("grace_ms", self.lease_grace),
            ("ack_ms.critical", self.ack.critical),
            ("ack_ms.high", self.ack.high),
            ("ack_ms.medium", self.ack.medium),
            ("ack_ms.low", self.ack.low),
            ("balancing.period_ms", self.balancing.period),
            ("balancing.cooling_ms", self.balancing.cooling),
            ("retry_backoff_ms", self.retry_backoff),
            ("retry_backoff_max_ms", self.retry_backoff_max),
            ("estimate_hours_by_complexity[0]", one),
            ("estimate_hours_by_complexity[1]", two),
            ("estimate_hours_by_complexity[2]", three),
            ("estimate_hours_by_complexity[3]", four),
            ("estimate_hours_by_complexity[4]", five),
            ("reservations.ttl_ms", self.reservations.ttl),
            ("reservations.ttl_min_ms", self.reservations.ttl_min),
            ("reservations.ttl_max_ms", self.reservations.ttl_max),
            ("reservations.wait_ms", self.reservations.wait),
            ("stalls.quiet_min_ms", self.stalls.quiet_min),
            ("stalls.aside_min_ms", self.stalls.aside_min.unwrap_or(limits::DURATION_MAX)),
            ("redispatch.window_ms", self.redispatch.window),
            ("redispatch.pause_ms", self.redispatch.pause),
            ("redispatch.pause_max_ms", self.redispatch.pause_max),
            ("handoffs.package_ms", self.handoffs.package),
            ("forecasts.period_ms", self.forecasts.period),
            ("gates.review_ms", self.gates.review),
            ("emergencies.window_ms", self.emergencies.window),
            ("emergencies.recovered_for_ms", self.emergencies.recovered_for),
            ("emergencies.resume_every_ms", self.emergencies.resume_every),
            ("breakdown.max_estimate_hours", self.breakdown.estimate_max),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_founding_policy_is_allowed() {
        assert_eq!(Policy::default().check(), Ok(()));
    }

    #[test]
    fn a_field_out_of_range_is_named_with_value_and_range() {
        let mut policy = Policy { lease_grace: Span(9), ..Policy::default() };
        let error = policy.check().expect_err("9 ms is too short");
        assert_eq!(error.to_string(), "policy field `grace_ms` is 9 ms; allowed is 10 ms to 366 days");
        policy.lease_grace = Span(10);
        policy.weights.cohesion = Ratio::ZERO;
        assert_eq!(policy.check().expect_err("a weight of 0").field, "weights.cohesion");
        policy.weights.cohesion = Ratio::micros(100_001);
        assert_eq!(policy.check().expect_err("more than 1 in all").given, "1.000001 in all");
        policy = Policy::default();
        policy.stalls.overdue_factor = 99_999;
        let error = policy.check().expect_err("too small").to_string();
        assert_eq!(error, "policy field `stalls.overdue_factor` is 0.099999; allowed is 0.1 to 100");
        policy.stalls.overdue_factor = 100_000;
        policy.stalls.aside_min = Some(Span(1));
        assert_eq!(policy.check().expect_err("too short").field, "stalls.aside_min_ms");
        policy.stalls.aside_min = None;
        policy.redispatch.turns_max = 1;
        assert_eq!(policy.check().expect_err("every return").field, "redispatch.max_turns");
        policy.redispatch.turns_max = 2;
        policy.redispatch.pause_max = Span::minutes(9);
        assert_eq!(policy.check().expect_err("below the first").field, "redispatch.pause_max_ms");
    }
}
