//! What tasks must have in common to be alike for placing.

use crate::id::{AgentId, Word};
use crate::ratio::Ratio;
use crate::resource::Need;

/// One required capability of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// Which capability.
    pub capability: Word,
    /// Its weight relative to the others, in millionths of one; above 0.
    pub weight: u32,
    /// The least score that a candidate must have in it.
    pub minimum: Ratio,
}

/// What tasks must have in common to be alike for placing (SEMANTICS 16, "Class").
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Class {
    /// Required capabilities, in order of their ids.
    pub requires: Box<[Requirement]>,
    /// The task type.
    pub kind: Word,
    /// The project, since cohesion depends on it.
    pub project: Option<Word>,
    /// Only agents of this role.
    pub role: Option<Word>,
    /// Only this agent.
    pub pin: Option<AgentId>,
    /// None of these agents, in order.
    pub exclude: Box<[AgentId]>,
    /// Resources that are reserved with the assignment.
    pub needs: Box<[Need]>,
}

/// Who may take the tasks of a class, as far as the resources go that they need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Everybody: what they need is free.
    Open,
    /// Only this agent, which holds for itself what they need.
    Only(AgentId),
    /// Nobody: what they need is taken, or awaited by somebody who comes first.
    Shut,
}
