//! Breakdown: a large task becomes several that follow each other.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::task::Requirement;

/// One part of the work that can be done by itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// One line to a person.
    #[schema(min_length = 1, max_length = 500)]
    pub title: String,
    /// All of it. At most 64 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schema(max_length = 65536)]
    pub description: String,
    /// Required capabilities; those of the whole where nothing stands here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requirement>,
    /// Declared effort in hours, above 0 and at most 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.000001, maximum = 10000)]
    pub estimate_hours: Option<f64>,
}

/// Breaks a task down, or keeps one whole that the policy wants broken down.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBreakdown {
    /// Into which components, at most 50. Where nothing stands here: those that the task declares, else the open items of the
    /// checklist in its description, else its headed sections, else what the model says where one is configured, else those that
    /// whoever does the planning will say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub components: Vec<Component>,
    /// The task stays whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_whole: bool,
}

/// What whoever does a planning proposes; it is applied when the planning is reported done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposedComponents {
    /// The owner of the planning.
    pub agent: String,
    /// The fencing token.
    pub assignment: String,
    /// The components, 1 to 50. They take the place of what was proposed before.
    #[schema(min_items = 1, max_items = 50)]
    pub components: Vec<Component>,
}

/// How large a task is: four factors within 0..=1 and their weighted mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Factors {
    /// The mean of complexity / 5 and min(1, distinct capabilities / 5); weighs 0.35.
    pub technical: f64,
    /// min(1, estimate / 40 h); weighs 0.30.
    pub size: f64,
    /// min(1, dependencies / 10); weighs 0.15.
    pub dependencies: f64,
    /// The share of what is not known: when it is done, its estimate, answers to open questions, declared requirements; weighs 0.20.
    pub unknowns: f64,
    /// The weighted mean.
    pub total: f64,
}

/// What breakdowns mean for a task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskBreakdown {
    /// How large it is, or was found to be.
    pub factors: Factors,
    /// By these, or by its estimate, it should be broken down.
    pub needed: bool,
    /// It waits for that, since the policy wants it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wanted: bool,
    /// The task that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<String>,
    /// As what: `planning`, `implementation`, `integration` or `testing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// How deep below a task that is no part of another.
    pub level: u8,
    /// What it has become, in the order in which it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub into: Vec<Subtask>,
    /// Where the components come from: `declared`, `checklist`, `sections`, `planning`, `model`; absent while the planning is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components_from: Option<String>,
    /// Which model has said them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// When it was broken down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// A subtask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Subtask {
    /// Its id.
    pub task: String,
    /// As what.
    pub part: String,
    /// One line to a person.
    pub title: String,
    /// Where it stands.
    pub state: String,
}

/// When tasks are large, and who has them broken down: a part of the policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Breaking {
    /// `asking` (whoever asks for it) or `policy` (every new task that is large, before anybody works on it).
    #[schema(pattern = "^(asking|policy)$")]
    pub by: String,
    /// A task is large from this weighted mean of its factors on.
    #[schema(minimum = 0, maximum = 1)]
    pub min_factor: f64,
    /// And above this estimate.
    pub max_estimate_hours: f64,
    /// Levels below a task that is no part of another.
    #[schema(minimum = 1, maximum = 3)]
    pub max_levels: u8,
}

impl Default for Breaking {
    fn default() -> Self {
        Self { by: "asking".to_owned(), min_factor: 0.6, max_estimate_hours: 40.0, max_levels: 3 }
    }
}
