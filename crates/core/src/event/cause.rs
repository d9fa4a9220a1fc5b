//! Why something happened, as events say it.

use kapell_model::{AgentId, TaskId, Text};
use serde::{Deserialize, Serialize};

/// How an assignment came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// By score.
    Placed,
    /// By score, but with another than the best: with whom its work is kept together.
    Together,
    /// The agent asked for it.
    Claimed,
    /// A manager said so.
    ByHand,
}

/// Why an owned task returned to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The owner gave it back.
    Released,
    /// The owner went offline; counts as a loss and boosts the task once.
    OwnerOffline,
    /// The owner was taken out of the fleet.
    OwnerRemoved,
    /// Nobody fetched it in time; no blame.
    NotFetched,
    /// It was set aside for an emergency; no blame.
    SetAside,
    /// A budget that it counts against is spent; no blame.
    OverBudget,
}

/// Why an owned task went from one agent to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveCause {
    /// Its owner had too much, the other too little.
    Balancing,
    /// A manager said so.
    ByHand,
    /// Its owner went quiet and did not answer.
    Stalled,
    /// It was another's by the rule of disputes.
    Disputed,
    /// Its owner is wanted for an emergency, or another one is faster.
    Emergency,
    /// Its owner is kept for other work.
    Kept,
}

impl MoveCause {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Balancing => "balancing",
            Self::ByHand => "by_hand",
            Self::Stalled => "stalled",
            Self::Disputed => "disputed",
            Self::Emergency => "emergency",
            Self::Kept => "kept",
        }
    }
}

/// An item of a plan that fell away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The task.
    pub task: TaskId,
    /// Who should have owned it.
    pub agent: AgentId,
    /// Why it did not come to that.
    pub reason: Text,
}

/// Why a reservation ended, or somebody left the line unserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseCause {
    /// The holder let go.
    Released,
    /// Its time was over.
    Expired,
    /// The task that it was for has ended or lost its owner.
    TaskEnded,
    /// The holder went offline or was taken out.
    HolderGone,
    /// A manager took it away.
    Forced,
}

impl ReleaseCause {
    /// Says in words why somebody left the line unserved.
    pub(crate) const fn left_the_line(self) -> &'static str {
        match self {
            Self::Released => "the place in line was given up",
            Self::Expired => "it waited as long as it wanted to",
            Self::TaskEnded => "the task that it was for has ended or lost its owner",
            Self::HolderGone => "who waited has gone",
            Self::Forced => "a manager took it out of the line",
        }
    }
}
