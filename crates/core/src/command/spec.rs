//! What agents, projects and tasks are, as they are registered, made and submitted.

use std::sync::Arc;

use kapell_model::{AgentKind, Moment, Name, Need, Priority, Ratio, Span, TaskGate, TaskState, Text};
use serde::{Deserialize, Serialize};

use crate::breakdown::Component;

/// What an agent is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSpec {
    /// Its name in the fleet.
    pub name: Name,
    /// A word of the team: `developer`, `architect`, ...
    pub role: Name,
    /// What sort of worker it is.
    pub kind: AgentKind,
    /// Its declared scores.
    pub capabilities: Vec<(Name, Ratio)>,
    /// Tasks that it may own at once, at least 1.
    pub max_concurrent: u32,
    /// Its lease, where it differs from its kind's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Span>,
    /// It gets work only in an emergency.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standby: bool,
}

/// What a project is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSpec {
    /// Its name in the fleet.
    pub name: Name,
    /// One line to a person.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub title: Text,
    /// When all of it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Moment>,
    /// When parts of it should be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub milestones: Vec<Milestone>,
}

/// A moment at which a part of a project should be done: equal parts, in the order of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Milestone {
    /// What it is called.
    pub title: Text,
    /// When.
    pub at: Moment,
}

/// One required capability of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Require {
    /// Which.
    pub capability: Name,
    /// Its weight in millionths of one; above 0.
    #[serde(default = "weight_one", skip_serializing_if = "is_weight_one")]
    pub weight: u32,
    /// The least score that a candidate must have.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub minimum: Ratio,
}

const fn weight_one() -> u32 {
    Ratio::UNIT
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_weight_one(weight: &u32) -> bool {
    *weight == Ratio::UNIT
}

fn is_zero(ratio: &Ratio) -> bool {
    *ratio == Ratio::ZERO
}

/// Finished work that an import brings along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Completed, failed or cancelled.
    pub state: TaskState,
    /// When, where the source tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,
    /// Why, where the source tells.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub reason: Text,
}

/// What a task is, as submitted. Names of agents, projects and tasks are resolved in the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// One line to a person.
    pub title: Text,
    /// All of it.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub description: Text,
    /// Its type: `task`, `bug`, `feature`, ...
    pub kind: Name,
    /// How urgent.
    pub priority: Priority,
    /// The submitter's own id, unique in the fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Name>,
    /// The project; made where it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Name>,
    /// Required capabilities.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Require>,
    /// Only agents of this role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Name>,
    /// Only this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Name>,
    /// None of these agents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Name>,
    /// The declared estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Span>,
    /// 1 (trivial) to 5 (very complex).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complexity: Option<u8>,
    /// When it should be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Moment>,
    /// Not before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Moment>,
    /// Free words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Text>,
    /// Attempts allowed, where they differ from the policy's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_max: Option<u32>,
    /// Fields of an import that nothing here stands for, as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Arc<str>>,
    /// Finished work of an import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
    /// Resources that are reserved with the assignment, for as long as the task is owned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Need>,
    /// What finished work on it must pass, beside what its type must.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<TaskGate>,
    /// What it would be broken down into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
}

impl TaskSpec {
    /// Returns its complexity, 3 of 1 to 5 where none was declared.
    #[must_use]
    pub fn complexity_or_middle(&self) -> u8 {
        self.complexity.unwrap_or(3)
    }

    /// Returns a task of type `task` and medium priority with nothing but a title.
    #[must_use]
    pub fn titled(title: Text) -> Self {
        Self {
            title,
            description: Text::default(),
            kind: Name::new("task").expect("a name"),
            priority: Priority::Medium,
            key: None,
            project: None,
            requires: Vec::new(),
            role: None,
            agent: None,
            exclude: Vec::new(),
            estimate: None,
            complexity: None,
            deadline: None,
            not_before: None,
            labels: Vec::new(),
            attempts_max: None,
            source: None,
            closed: None,
            resources: Vec::new(),
            gates: Vec::new(),
            components: Vec::new(),
        }
    }
}
