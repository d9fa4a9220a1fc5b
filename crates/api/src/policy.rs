//! The policy of a fleet.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The four weights of the score. Each is above 0 and they add up to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Of the capability match.
    #[schema(minimum = 0.000001, maximum = 1)]
    pub capability: f64,
    /// Of the free share of the agent's slots.
    #[schema(minimum = 0.000001, maximum = 1)]
    pub workload: f64,
    /// Of the agent's record.
    #[schema(minimum = 0.000001, maximum = 1)]
    pub performance: f64,
    /// Of the agent's familiarity with the team.
    #[schema(minimum = 0.000001, maximum = 1)]
    pub cohesion: f64,
}

/// Time to fetch an assignment, in ms, by priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AckTimes {
    /// Of critical tasks.
    pub critical: i64,
    /// Of high ones.
    pub high: i64,
    /// Of medium ones.
    pub medium: i64,
    /// Of low ones.
    pub low: i64,
}

/// What each part of the health weighs. They add up to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthWeights {
    /// Of the share of agents that are online.
    pub online: f64,
    /// Of the share of attempts that succeed.
    pub success: f64,
    /// Of the share of running tasks that are not stalled.
    pub running: f64,
    /// Of the share of queued tasks within their expected wait.
    pub queued: f64,
    /// Of the share of escalations within their ack time.
    pub escalations: f64,
}

/// What health and reports go by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reporting {
    /// What each part of the health weighs.
    pub health_weights: HealthWeights,
    /// Below this health there is an alert.
    #[schema(minimum = 0, maximum = 1)]
    pub health_min: f64,
    /// How far above that the health must come before the alert is over.
    #[schema(minimum = 0, maximum = 1)]
    pub health_margin: f64,
    /// How often the health is looked at.
    pub period_ms: i64,
    /// The wait that is expected of work of which none has waited yet.
    pub expected_wait_ms: i64,
    /// When the daily report is written, `HH:MM` in UTC.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    pub daily_at: String,
    /// How often it is noted how the fleet stands, where that has changed; the last 192 times are kept. Default 15 min.
    #[serde(default = "quarter_of_an_hour")]
    pub course_ms: i64,
}

fn quarter_of_an_hour() -> i64 {
    900_000
}

/// How long reservations last and requests for them wait, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reserving {
    /// Of a reservation that does not say. Default 30 min.
    pub ttl_ms: i64,
    /// At least. Default 1 s.
    pub ttl_min_ms: i64,
    /// At most. Default 24 h.
    pub ttl_max_ms: i64,
    /// In line, where the request does not say, and at most. Default 1 h.
    pub wait_ms: i64,
}

/// When a task counts as stalled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Stalls {
    /// The least silence about progress that is looked into.
    pub quiet_min_ms: i64,
    /// The silence that is borne, as a share of the task's p50 estimate, where that is longer.
    #[schema(minimum = 0, maximum = 1)]
    pub quiet_share: f64,
    /// How many times its p90 estimate an attempt may take.
    #[schema(minimum = 0.1, maximum = 100)]
    pub overdue_factor: f64,
    /// The silence that is looked into where the owner has begun other work since its last word; null: no such rule.
    pub aside_min_ms: Option<i64>,
}

impl Default for Stalls {
    fn default() -> Self {
        Self { quiet_min_ms: 1_800_000, quiet_share: 0.25, overdue_factor: 2.0, aside_min_ms: None }
    }
}

/// When a task counts as being handed out and taken back over and over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redispatch {
    /// Times that a task may be taken back within the window without progress; at this many it is held back.
    #[schema(minimum = 2, maximum = 100)]
    pub max_turns: u32,
    /// The window.
    pub window_ms: i64,
    /// The first pause; doubles with each further turn.
    pub pause_ms: i64,
    /// The longest pause.
    pub pause_max_ms: i64,
}

impl Default for Redispatch {
    fn default() -> Self {
        Self { max_turns: 6, window_ms: 3_600_000, pause_ms: 600_000, pause_max_ms: 86_400_000 }
    }
}

fn greedy() -> String {
    "greedy".to_owned()
}

/// The policy. Every duration is 10 ms to 366 days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// How often it has been set. With a change: the version that was read, so that nobody overwrites another's change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// A task is placed only where the score is above this, strictly.
    #[schema(minimum = 0, maximum = 1)]
    pub threshold: f64,
    /// The weights of the score.
    pub weights: Weights,
    /// The performance of an agent with no record.
    #[schema(minimum = 0, maximum = 1)]
    pub performance_default: f64,
    /// The cohesion where there is no project or no team.
    #[schema(minimum = 0, maximum = 1)]
    pub cohesion_default: f64,
    /// How free slots are filled: `greedy` (task by task in the order of the queue, at once) or `optimal` (in rounds that
    /// maximise the total score, priority level by priority level). Default `greedy`.
    #[serde(default = "greedy")]
    #[schema(pattern = "^(greedy|optimal)$")]
    pub strategy: String,
    /// `scored` (a candidate above the threshold gets a ready task, unless an idle one scores higher), `first` (the first
    /// candidate that asks gets it) or `off`.
    #[schema(pattern = "^(scored|first|off)$")]
    pub claims: String,
    /// Lease of an agent that heartbeats.
    pub heartbeat_lease_ms: i64,
    /// Lease of an agent that just calls in.
    pub call_lease_ms: i64,
    /// Lease of a person.
    pub person_lease_ms: i64,
    /// From unreachable to offline.
    pub grace_ms: i64,
    /// Time to fetch an assignment.
    pub ack_ms: AckTimes,
    /// Failed attempts until a task is failed.
    #[schema(minimum = 1, maximum = 100)]
    pub max_attempts: u32,
    /// Lost owners until a task is failed.
    #[schema(minimum = 1, maximum = 100)]
    pub max_losses: u32,
    /// Pause before the second attempt; doubles with each.
    pub retry_backoff_ms: i64,
    /// The longest such pause.
    pub retry_backoff_max_ms: i64,
    /// `block` or `cancel`: what becomes of tasks whose dependency failed for good.
    #[schema(pattern = "^(block|cancel)$")]
    pub on_failed_dependency: String,
    /// Estimate in hours of a task that declares none, by complexity 1 to 5.
    #[schema(min_items = 5, max_items = 5)]
    pub estimate_hours_by_complexity: Vec<f64>,
    /// How long reservations last; the defaults where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservations: Option<Reserving>,
    /// `on` or `off`: whether texts are read for capabilities that nobody declared, and in imports for waits. Default `on`.
    #[serde(default = "on")]
    #[schema(pattern = "^(on|off)$")]
    pub inference: String,
    /// `declared` or `measured`: by which scores agents are chosen. Default `declared`.
    #[serde(default = "declared")]
    #[schema(pattern = "^(declared|measured)$")]
    pub capabilities: String,
    /// What health and reports go by; the defaults where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporting: Option<Reporting>,
    /// When a task counts as stalled. The founding values where absent.
    #[serde(default)]
    pub stalls: Stalls,
    /// When a task counts as being handed out and taken back over and over. The founding values where absent.
    #[serde(default)]
    pub redispatch: Redispatch,
    /// `break` or `escalate`: what becomes of a cycle of declared edges that an import brings in. Default `break`.
    #[serde(default = "break_cycles")]
    #[schema(pattern = "^(break|escalate)$")]
    pub cycles: String,
    /// How load is evened out.
    #[serde(default)]
    pub balancing: Balancing,
    /// How supervised handoffs are run.
    #[serde(default)]
    pub handoffs: Handing,
    /// How agents send each other messages.
    #[serde(default)]
    pub messages: Messaging,
    /// When forecasts are made.
    #[serde(default)]
    pub forecasts: Forecasting,
    /// What finished work must pass before it counts as completed.
    #[serde(default)]
    pub gates: crate::gate::Gating,
    /// To whom escalations go that nobody takes on.
    #[serde(default)]
    pub escalations: crate::inbox::Escalating,
    /// When there is an emergency, and how it ends.
    #[serde(default)]
    pub emergencies: Emergencies,
    /// How bottlenecks are looked for, and what is done about them.
    #[serde(default)]
    pub bottlenecks: Flow,
    /// When tasks are large, and who has them broken down.
    #[serde(default)]
    pub breakdown: crate::breakdown::Breaking,
    /// What work may cost.
    #[serde(default)]
    pub budgets: crate::budget::Budgets,
}

/// When there is an emergency, and how it ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Emergencies {
    /// Whether emergencies are detected; they can be declared anyway.
    pub detect: bool,
    /// Within which time agents must be lost for it to be one failure that spreads.
    pub window_ms: i64,
    /// How many at least.
    #[schema(minimum = 2, maximum = 1000)]
    pub agents_min: u32,
    /// And which share of those online at least.
    #[schema(minimum = 0, maximum = 1)]
    pub share_min: f64,
    /// Above which share of the registered agents online it can end; below 1.
    #[schema(minimum = 0, maximum = 1)]
    pub recovered_share: f64,
    /// And for how long that must be so.
    pub recovered_for_ms: i64,
    /// How long each of the four rounds is in which assignments are let through little by little.
    pub resume_every_ms: i64,
}

impl Default for Emergencies {
    fn default() -> Self {
        Self {
            detect: true,
            window_ms: 300_000,
            agents_min: 3,
            share_min: 0.2,
            recovered_share: 0.8,
            recovered_for_ms: 300_000,
            resume_every_ms: 30_000,
        }
    }
}

/// When forecasts are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Forecasting {
    /// The shortest time between two forecasts of a project that nobody asked for.
    pub period_ms: i64,
}

impl Default for Forecasting {
    fn default() -> Self {
        Self { period_ms: 300_000 }
    }
}

/// How bottlenecks are looked for, and what is done about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Flow {
    /// How often they are looked for.
    pub period_ms: i64,
    /// How long agents are kept for a capability that is short; at most 4 h.
    #[schema(maximum = 14400000)]
    pub kept_ms: i64,
    /// `on` or `off`: whether they are.
    #[schema(pattern = "^(on|off)$")]
    pub act: String,
}

impl Default for Flow {
    fn default() -> Self {
        Self { period_ms: 300_000, kept_ms: 14_400_000, act: on() }
    }
}

/// How agents send each other messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Messaging {
    /// Messages that an agent may have to read before the oldest unimportant ones are folded into a digest.
    #[schema(minimum = 2, maximum = 10000)]
    pub inbox_max: u32,
    /// After how long a digest comes at the latest, where a pair or a channel gets digests instead of single messages, 10 ms to 24 h.
    #[schema(minimum = 10, maximum = 86_400_000)]
    pub digest_ms: i64,
}

impl Default for Messaging {
    fn default() -> Self {
        Self { inbox_max: 200, digest_ms: 900_000 }
    }
}

/// How supervised handoffs are run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Handing {
    /// Time to send the package, from the request and again from the reminder on.
    pub package_ms: i64,
    /// How balancing takes work that has been begun: `handoff` (its owner packs it first) or `move` (at once).
    #[schema(pattern = "^(handoff|move)$")]
    pub started: String,
}

impl Default for Handing {
    fn default() -> Self {
        Self { package_ms: 3_600_000, started: "handoff".to_owned() }
    }
}

/// How load is evened out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Balancing {
    /// How often it is looked at, where anything has changed.
    pub period_ms: i64,
    /// Overloaded is whose utilization is above this many times the average.
    #[schema(minimum = 1, maximum = 10)]
    pub overload: f64,
    /// And is at least this.
    #[schema(minimum = 0, maximum = 1)]
    pub overload_min: f64,
    /// Underloaded is whose utilization is below this share of the average.
    #[schema(minimum = 0, maximum = 1)]
    pub underload: f64,
    /// Percent done up to which started work may still be moved.
    #[schema(minimum = 0, maximum = 100)]
    pub progress_max_percent: u8,
    /// How long a task that was moved stays where it is.
    pub cooling_ms: i64,
    /// How often a task may be moved; with 0 nothing is balanced.
    #[schema(minimum = 0, maximum = 100)]
    pub max_moves: u32,
    /// The capability match that a recipient must exceed, strictly.
    #[schema(minimum = 0, maximum = 1)]
    pub match_min: f64,
}

impl Default for Balancing {
    fn default() -> Self {
        Self {
            period_ms: 60_000,
            overload: 1.5,
            overload_min: 0.5,
            underload: 0.5,
            progress_max_percent: 10,
            cooling_ms: 600_000,
            max_moves: 2,
            match_min: 0.7,
        }
    }
}

fn break_cycles() -> String {
    "break".to_owned()
}

fn declared() -> String {
    "declared".to_owned()
}

fn on() -> String {
    "on".to_owned()
}
