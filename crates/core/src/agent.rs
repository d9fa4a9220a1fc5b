//! An agent and a project as the state holds them.

use std::collections::BTreeSet;
use std::sync::Arc;

use kapell_model::{AgentId, AgentKind, AgentState, Moment, Policy, Position, Span, TaskId, TaskState};
use serde::{Deserialize, Serialize};

use crate::command::{AgentSpec, ProjectSpec};
use crate::duty::Duty;
use crate::emergency::OPTIONAL;
use crate::notice::Inbox;
use crate::task::Task;

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// As it was registered.
    pub spec: Arc<AgentSpec>,
    /// Whether it can be reached.
    pub state: AgentState,
    /// Since when.
    pub state_since: Moment,
    /// Whether it was ever heard of.
    pub seen: bool,
    /// Whether it is missed where it is away: it was heard of, and has neither signed off nor fallen silent with nothing to do.
    pub missed: bool,
    /// Whether it gets no new work by a manager's word.
    pub draining: bool,
    /// The tasks that it owns, in the order in which it got them.
    pub tasks: Vec<TaskId>,
    /// Where in the log its load last went down, or it came.
    pub idle_since: Position,
    /// Tasks that it completed.
    pub completed: u32,
    /// Attempts that it failed.
    pub failed: u32,
    /// Attempts that it failed since it last completed one.
    #[serde(default)]
    pub failed_in_row: u32,
    /// Tasks that it lost by going offline.
    pub lost: u32,
    /// When it was registered.
    pub registered_at: Moment,
    /// What it has been told.
    pub inbox: Inbox,
    /// Its working hours, where it does not always work.
    #[serde(default)]
    pub duty: Option<Arc<Duty>>,
}

impl Agent {
    /// Returns how long it may be silent under `policy` before it counts as unreachable: its own lease, else
    /// its kind's (SEMANTICS 16, "Liveness by door").
    #[must_use]
    pub fn lease(&self, policy: &Policy) -> Span {
        self.spec.lease.unwrap_or(match self.spec.kind {
            AgentKind::Service => policy.lease_heartbeat,
            AgentKind::Agent => policy.lease_call,
            AgentKind::Person => policy.lease_person,
        })
    }
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// As it was made.
    pub spec: ProjectSpec,
    /// Its tasks by state, in the order of [`kapell_model::TaskState::ALL`].
    #[serde(skip)]
    pub counts: crate::state::Counts,
    /// When it was made.
    pub created_at: Moment,
    /// Where in the log it or one of its tasks last changed.
    #[serde(default)]
    pub changed: Position,
    /// The sum of the estimates of its open tasks, in ms.
    #[serde(skip)]
    pub open_ms: u64,
    /// And of those that were completed.
    #[serde(skip)]
    pub done_ms: u64,
    /// Its open tasks that it can do without.
    #[serde(skip)]
    pub optional: BTreeSet<TaskId>,
}

impl Project {
    /// Takes a task into its sums.
    pub(crate) fn enters(&mut self, task: &Task) {
        let (state, estimate) = (task.state(), task.estimate.0.unsigned_abs());
        self.counts.add(state);
        if !state.is_terminal() {
            self.open_ms += estimate;
            if task.spec.labels.iter().any(|label| label.as_str() == OPTIONAL) {
                self.optional.insert(task.id);
            }
        } else if state == TaskState::Completed {
            self.done_ms += estimate;
        }
    }

    /// Takes a task out of its sums.
    pub(crate) fn leaves(&mut self, task: &Task) {
        let (state, estimate) = (task.state(), task.estimate.0.unsigned_abs());
        self.counts.sub(state);
        if !state.is_terminal() {
            self.open_ms -= estimate;
            self.optional.remove(&task.id);
        } else if state == TaskState::Completed {
            self.done_ms -= estimate;
        }
    }

    /// Returns how many of its tasks have not ended.
    #[must_use]
    pub fn open(&self) -> u32 {
        let open = TaskState::ALL.iter().filter(|state| !state.is_terminal());
        open.map(|&state| self.counts.of(state)).sum()
    }
}
