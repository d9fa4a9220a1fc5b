//! Conflicts (SEMANTICS 7): one list of all four kinds, each with its parties, its state, how it was ruled and by which numbers.
//!
//! ```text
//! resource contention   opened when somebody waits in line     resolved when the turn comes or the place is given up
//! task dispute          opened by a claim, a late result       ruled in the same step
//! decision              opened by a member                     made by the tally, or escalated and ruled
//! priority              opened by words that contradict        ruled in the same step by the business impact
//! ```

use kapell_model::{
    AgentId, ConflictId, Moment, Position, Priority, ReservationId, TaskId, Text, WaitId, limits,
};
use serde::{Deserialize, Serialize};

use crate::deliberation::{Proposal, Topic, Votes};
use crate::dispute::Dispute;
use crate::precedence::{Asserted, Precedence};
use crate::state::State;

/// What sort of conflict it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConflictKind {
    /// Somebody waits for a resource that another has.
    ResourceContention,
    /// More than one agent takes a task for its own.
    TaskDispute,
    /// Members differ, or may differ, about how something is to be done.
    DecisionConflict,
    /// Members differ about what is more urgent.
    PriorityConflict,
}

impl ConflictKind {
    /// Every kind.
    pub const ALL: &'static [Self] =
        &[Self::ResourceContention, Self::TaskDispute, Self::DecisionConflict, Self::PriorityConflict];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResourceContention => "resource_contention",
            Self::TaskDispute => "task_dispute",
            Self::DecisionConflict => "decision_conflict",
            Self::PriorityConflict => "priority_conflict",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

/// How far a conflict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictState {
    /// Nothing is settled yet.
    Open,
    /// A role has been called to rule.
    Escalated,
    /// It is settled.
    Resolved,
    /// Whoever opened it, or a manager, has taken it back.
    Withdrawn,
}

impl ConflictState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Open, Self::Escalated, Self::Resolved, Self::Withdrawn];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Escalated => "escalated",
            Self::Resolved => "resolved",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.as_str() == text)
    }

    /// Tells whether nobody has settled it yet.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Escalated)
    }
}

/// One conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Its id.
    pub id: ConflictId,
    /// How far it is.
    pub state: ConflictState,
    /// Who is in it, in the order in which they came.
    pub parties: Vec<AgentId>,
    /// The tasks that it is about.
    pub tasks: Vec<TaskId>,
    /// When it was opened.
    pub at: Moment,
    /// Where in the log.
    pub position: Position,
    /// When and how it was settled, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<(Moment, Text)>,
    /// What belongs to its kind alone.
    pub matter: ConflictMatter,
}

/// What belongs to one kind of conflict alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictMatter {
    /// Somebody waits for a resource.
    Contention {
        /// The place in line.
        wait: WaitId,
        /// What it has become.
        reservation: Option<ReservationId>,
    },
    /// Something is to be decided.
    Decision(Box<Deliberation>),
    /// More than one agent takes a task for its own.
    Dispute(Box<Dispute>),
    /// Members differ about what comes first.
    Precedence(Box<Precedence>),
}

/// How a decision stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliberation {
    /// What is to be decided.
    pub topic: Topic,
    /// What members have proposed, in the order in which each came first.
    pub proposals: Vec<Proposal>,
    /// What was decided.
    pub outcome: Option<Resolution>,
}

/// What was decided, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// The option.
    pub option: Text,
    /// Who ruled; nothing where the tally decided.
    pub ruled: Option<Ruler>,
    /// How the proposals stood.
    pub tally: Votes,
}

/// Whose word a ruling is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruler {
    /// An agent that may rule.
    Agent(AgentId),
    /// A manager; the event says who.
    Manager,
}

impl Conflict {
    /// Returns its kind.
    #[must_use]
    pub fn kind(&self) -> ConflictKind {
        match self.matter {
            ConflictMatter::Contention { .. } => ConflictKind::ResourceContention,
            ConflictMatter::Decision(_) => ConflictKind::DecisionConflict,
            ConflictMatter::Dispute(_) => ConflictKind::TaskDispute,
            ConflictMatter::Precedence(_) => ConflictKind::PriorityConflict,
        }
    }

    /// Returns how a decision stands, where it is one.
    #[must_use]
    pub fn deliberation(&self) -> Option<&Deliberation> {
        match &self.matter {
            ConflictMatter::Decision(deliberation) => Some(deliberation),
            _ => None,
        }
    }

    /// Adds a party that is not among them yet.
    pub(crate) fn joined(&mut self, agent: AgentId) {
        if !self.parties.contains(&agent) {
            self.parties.push(agent);
        }
    }
}

/// What conflicts mean for one task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskConflicts {
    /// Those that it is or was about, the last ones, oldest first.
    pub all: Vec<ConflictId>,
    /// Open decisions that it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awaits: Vec<ConflictId>,
    /// What members say about its priority, one word each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asserted: Vec<Asserted>,
    /// The priority that it was given, where another one was ruled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Priority>,
}

impl TaskConflicts {
    pub(crate) fn note(&mut self, id: ConflictId) {
        if self.all.len() == limits::CONFLICTS_PER_TASK_MAX {
            self.all.remove(0);
        }
        self.all.push(id);
    }
}

impl State {
    /// Returns every conflict in the order in which they were opened.
    #[must_use]
    pub fn conflicts(&self) -> &crate::segments::Segments<Conflict> {
        &self.conflicts
    }

    /// Returns the conflict `id`.
    #[must_use]
    pub fn conflict(&self, id: ConflictId) -> Option<&Conflict> {
        self.conflicts.get((id.0 as usize).checked_sub(1)?)
    }

    /// Visits the conflicts that nobody has settled, oldest first.
    pub fn open_conflicts(&self) -> impl DoubleEndedIterator<Item = &Conflict> + '_ {
        self.open_conflicts.iter().filter_map(|&id| self.conflict(id))
    }

    /// Returns how many conflicts nobody has settled.
    #[must_use]
    pub fn open_conflict_count(&self) -> usize {
        self.open_conflicts.len()
    }

    /// Returns the next conflict's id.
    pub(crate) fn next_conflict(&self) -> ConflictId {
        ConflictId(u32::try_from(self.conflicts.len() + 1).expect("conflicts are fewer than events"))
    }

    /// Returns when the next decision is due.
    pub(crate) fn next_decision_due(&self) -> Option<Moment> {
        self.decisions_due.first().map(|&(at, _)| at)
    }
}
