//! When a project will be done: what the forecast looks at, and what it answers (SEMANTICS 12 and 16, "Forecasts").

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{Position, TaskId};
use crate::moment::{Moment, Span};
use crate::name::Name;

/// What a forecast of one project looks at: its open tasks, what they wait for, and the other work that keeps the same agents
/// busy. The tasks stand in the order in which they would be handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastView {
    /// The project.
    pub project: Name,
    /// The last event that it has seen.
    pub seen: Position,
    /// When it begins.
    pub at: Moment,
    /// When the project should be done.
    pub deadline: Option<Moment>,
    /// The tasks, the most urgent first.
    pub tasks: Vec<ForecastTask>,
    /// Slots of groups of agents that can do the same.
    pub pools: Vec<u32>,
    /// Who can take the tasks of one sort: places in `pools`, the least versatile first.
    pub takers: Vec<Vec<u32>>,
    /// What such tasks have taken beside their median, in thousandths, for each sort of effort.
    pub efforts: Vec<Arc<[u32]>>,
    /// The capabilities that the project needs most, each with the pool of whoever is best in it.
    pub helpers: Vec<(Name, u32)>,
    /// Open tasks of the project.
    pub open: u32,
    /// Tasks of it that are not among `tasks`, there being too many, and the sum of their estimates.
    pub left_out: (u32, Span),
    /// Tasks of it that wait for what failed, was called off, or is to be decided: taken as if that were settled now.
    pub stuck: u32,
}

/// One task of a forecast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastTask {
    /// Which.
    pub task: TaskId,
    /// What it has to do with the project.
    pub role: ForecastRole,
    /// Its estimate.
    pub estimate: Span,
    /// Percent done, 0..=100.
    pub percent: u8,
    /// For how long it has been under way.
    pub elapsed: Span,
    /// Which of the efforts is its own.
    pub effort: u32,
    /// Which of the takers are its own.
    pub takers: u32,
    /// The pool of its owner.
    pub owner: Option<u32>,
    /// How long it is set aside yet.
    pub aside: Span,
    /// The places of those that it waits for.
    pub gates: Vec<u32>,
    /// Whether its own end is wanted: it is critical and has a deadline.
    pub watched: bool,
}

/// What a task has to do with the project of a forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForecastRole {
    /// It is part of it.
    Own,
    /// The project waits for it.
    Gate,
    /// It keeps agents busy that the project needs too.
    Other,
}

/// When a project will be done, by chance drawn from what such work has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// The project.
    pub project: Name,
    /// The last event that it has seen.
    pub seen: Position,
    /// When it was made.
    pub at: Moment,
    /// What chance was drawn from: the same view and seed give the same forecast.
    pub seed: u64,
    /// How often the rest was played through.
    pub trials: u32,
    /// Open tasks of the project.
    pub open: u32,
    /// Of these not looked at one by one, there being too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u32,
    /// Of these such that no agent can take: taken as if somebody were found at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unstaffed: u32,
    /// Of these such that wait for what will not come by itself: taken as if that were settled at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stuck: u32,
    /// Half of the trials end by then.
    pub p50: Moment,
    /// Eight of ten.
    pub p80: Moment,
    /// Nine of ten.
    pub p90: Moment,
    /// The longest path of what is left, in its order, with what is left of each by its estimate.
    pub path: Vec<(TaskId, Span)>,
    /// What the whole of that path takes, whoever is free.
    pub length: Span,
    /// By how much p80 comes sooner with one agent more like the best in a capability, the largest gain first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gains: Vec<(Name, Span)>,
    /// The critical tasks with a deadline: by when half of the trials have done each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watched: Vec<(TaskId, Moment)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// When forecasts are made: a part of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecasting {
    /// The shortest time between two forecasts of a project that nobody asked for. One in which nothing has changed is forecast
    /// again after twelve times as long where it has a deadline, and not at all where it has none. Default 5 min.
    pub period: Span,
}

impl Default for Forecasting {
    fn default() -> Self {
        Self { period: Span::minutes(5) }
    }
}
