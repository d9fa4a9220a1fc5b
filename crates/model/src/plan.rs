//! What planning proposes for the whole fleet at once. A plan comes back through the front door as a command, and
//! each of its items is judged against what is so by then.

use serde::{Deserialize, Serialize};

use crate::balancing::MoveSeen;
use crate::id::{AgentId, Position, TaskId};
use crate::placer::Placement;
use crate::score::Considered;

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanKind {
    /// A round that maximises the total score, level by level (SEMANTICS 3.2).
    Optimal,
    /// Work moved from the overloaded to the underloaded (SEMANTICS 5).
    Balance,
}

impl PlanKind {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Optimal => "optimal",
            Self::Balance => "balance",
        }
    }
}

/// One item of a plan. It stands alone: the others happen whether it does or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanItem {
    /// A ready task gets an owner.
    Place(Placement),
    /// An owned task goes from one agent to another.
    Move {
        /// The task.
        task: TaskId,
        /// Its owner, as the plan saw it.
        from: AgentId,
        /// Who should own it.
        to: AgentId,
        /// The score of that.
        considered: Vec<Considered>,
        /// By which loads one has too much and the other too little.
        seen: MoveSeen,
    },
}

impl PlanItem {
    /// Returns the task that it is about.
    #[must_use]
    pub const fn task(&self) -> TaskId {
        match self {
            Self::Place(placement) => placement.task,
            Self::Move { task, .. } => *task,
        }
    }

    /// Returns who should own it.
    #[must_use]
    pub const fn agent(&self) -> AgentId {
        match self {
            Self::Place(placement) => placement.agent,
            Self::Move { to, .. } => *to,
        }
    }
}

/// A proposal for the whole fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it is for.
    pub kind: PlanKind,
    /// The last event that it saw.
    pub seen: Position,
    /// What should happen, in this order; at most [`crate::limits::PLAN_ITEMS_MAX`].
    pub items: Vec<PlanItem>,
}
