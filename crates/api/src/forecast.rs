//! When a project will be done.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// When a project will be done, by chance drawn from what such work has taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Forecast {
    /// The project.
    pub project: String,
    /// The last event that it has seen.
    pub position: u64,
    /// When it was made.
    pub at: String,
    /// Whether something of the project or of the agents has changed since.
    pub outdated: bool,
    /// What chance was drawn from, sixteen hexadecimal digits: the same seed and the same fleet give the same forecast.
    pub seed: String,
    /// How often the rest was played through.
    pub trials: u32,
    /// Open tasks of the project.
    pub open: u32,
    /// Half of the trials end by then.
    pub p50: String,
    /// Eight of ten.
    pub p80: String,
    /// Nine of ten.
    pub p90: String,
    /// When the project should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// Hours from p80 to the deadline; below 0 where that is passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack_hours: Option<f64>,
    /// Whether p80 is past the deadline.
    pub at_risk: bool,
    /// The longest path of what is left, in its order; `/v1/graph` has the slack of every other task.
    pub path: Vec<ForecastStep>,
    /// What the whole of it takes in hours, whoever is free.
    pub path_hours: f64,
    /// What one agent more would save, the most first; told where the project is at risk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gains: Vec<ForecastGain>,
    /// The critical tasks with a deadline.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub critical: Vec<ForecastTask>,
    /// What it takes for granted, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
}

/// One task of the longest path.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ForecastStep {
    /// Which, `T-12`.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Its state.
    pub state: String,
    /// What is left of it in hours, by its estimate.
    pub hours: f64,
}

/// What one agent more would save.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ForecastGain {
    /// One like the best in this capability.
    pub capability: String,
    /// By so many hours p80 comes sooner.
    pub hours_saved: f64,
}

/// When a critical task will be done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ForecastTask {
    /// Which, `T-12`.
    pub task: String,
    /// Half of the trials have it done by then.
    pub p50: String,
    /// When it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// Whether p50 is past its deadline.
    pub at_risk: bool,
}

/// Asks for a forecast.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewForecast {
    /// What chance is drawn from, as an earlier forecast shows it; a fresh one where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9a-fA-F]{16}$")]
    pub seed: Option<String>,
}
