//! A task as the state holds it.

use std::collections::VecDeque;
use std::sync::Arc;

use kapell_model::{
    AgentId, AssignmentId, ClassId, ConflictId, Cost, DependencyKind, EmergencyId, Moment, OfferId, Position,
    Priority, QueueKey, Span, TaskId, TaskState, Text, limits,
};
use serde::{Deserialize, Serialize};

use crate::analysis::Analysis;
use crate::breakdown::Broken;
use crate::budget::Account;
use crate::churn::Churn;
use crate::command::TaskSpec;
use crate::conflict::TaskConflicts;
use crate::effort::{Learned, spread};
use crate::gate::Acceptance;
use crate::permission::Permission;
use crate::stall::{Clocks, Stall};

/// One edge to another task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The other task.
    pub on: TaskId,
    /// What this one has to do with it. Only `blocks` gates.
    pub kind: DependencyKind,
    /// Taken away by a manager; kept for the record.
    pub waived: bool,
    /// Read out of the task's text, and so less trusted than what was declared.
    #[serde(default)]
    pub inferred: bool,
    /// Taken away because it closed a cycle; it is waived then too, and can be put back.
    #[serde(default)]
    pub broken: bool,
    /// Where in the log it came.
    #[serde(default)]
    pub added: Position,
}

impl Edge {
    /// Tells whether the dependent waits for it.
    #[must_use]
    pub fn gates(&self) -> bool {
        self.kind == DependencyKind::Blocks && !self.waived
    }
}

/// Who owns a task, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The agent.
    pub agent: AgentId,
    /// The fencing token.
    pub assignment: AssignmentId,
    /// Since when.
    pub since: Moment,
    /// Where in the log it was decided.
    pub position: Position,
    /// When it began.
    pub started_at: Option<Moment>,
    /// Percent done, as reported.
    pub percent: u8,
    /// The last note.
    pub note: Option<Text>,
    /// When it last told anything.
    pub reported_at: Moment,
    /// The clocks by which it is watched.
    #[serde(default)]
    pub clocks: Clocks,
    /// What it was expected to cost when it was given out.
    #[serde(default, skip_serializing_if = "Cost::is_none")]
    pub expected: Cost,
    /// What it last wanted leave for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<Box<Permission>>,
    /// How often it has wanted leave.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub asked: u32,
    /// How long it has waited for leave in all.
    #[serde(default, skip_serializing_if = "Rested::is_none")]
    pub rested: Rested,
}

/// A time that counts for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rested {
    /// Of working hours; all of it for whoever has none.
    pub worked: Span,
    /// By the clock on the wall.
    pub passed: Span,
}

impl Rested {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn add(&mut self, worked: Span, passed: Span) {
        self.worked = Span(self.worked.0.saturating_add(worked.0));
        self.passed = Span(self.passed.0.saturating_add(passed.0));
    }
}

impl Owner {
    /// Returns the investigation of its silence, where there is one.
    #[must_use]
    pub fn stall(&self) -> Option<&Stall> {
        self.clocks.stall.as_deref()
    }
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Completed, failed or cancelled.
    pub state: TaskState,
    /// When.
    pub at: Moment,
    /// Who finished it, under which token.
    pub by: Option<(AgentId, AssignmentId)>,
    /// What came of it.
    pub result: Option<Text>,
    /// Why it failed or was called off.
    pub reason: Option<Text>,
}

/// A task. What most open tasks do not have is boxed, and not written where it is not there: there are a million of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// As it was submitted.
    pub spec: Arc<TaskSpec>,
    /// The class that it is placed as; derived again when a snapshot is read.
    #[serde(skip, default = "no_class")]
    pub class: ClassId,
    /// What placing and forecasting take it to need.
    pub estimate: Span,
    /// Where that was learned: how far it may go, and from how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<Learned>,
    /// What its text was taken to say, where it said anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Arc<Analysis>>,
    /// Its own priority, raised by at most one boost.
    pub priority: Priority,
    /// The highest of its own and of every open task that transitively waits for it.
    pub effective: Priority,
    /// Deadline minus remaining critical path, over itself and all that wait for it; see [`Task::must_start_by`].
    pub latest_start: Moment,
    /// When it counts as having to start in the queue of its level, where orders have it come before others that would stand before
    /// it; see [`Task::queue_key`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Moment>,
    /// What it waits for or has to do with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Edge>,
    /// Who waits for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependents: Vec<TaskId>,
    /// How many of those that it waits for are not completed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub open_blockers: u32,
    /// Set aside until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred_until: Option<Moment>,
    /// Set aside by this emergency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aside: Option<EmergencyId>,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Box<Owner>>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Box<Ending>>,
    /// Assignments so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// How often it went from one owner to another without a return to the queue.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub moves: u32,
    /// When it last did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_at: Option<Moment>,
    /// Attempts that failed, in this series.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// Owners that were lost, in this series.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub losses: u32,
    /// Whether its priority has been boosted after a loss.
    pub boosted: bool,
    /// Whether somebody has been called because nobody can take it, since it last entered the queue as a critical one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub called: bool,
    /// Who failed its last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_by: Option<AgentId>,
    /// How often it was taken back since it last got anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churn: Option<Box<Churn>>,
    /// What the last owner left for the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Text>,
    /// When it was submitted.
    pub submitted_at: Moment,
    /// Where in the log it was submitted.
    pub submitted: Position,
    /// Where in the log it last changed.
    pub changed: Position,
    /// When it last changed its state.
    pub state_since: Moment,
    /// When what it is was last edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Moment>,
    /// Where in the log its last assignment was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Position>,
    /// When it is expected to leave the queue, while it is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_by: Option<Moment>,
    /// Where in the log the last decisions about it stand, oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub decisions: VecDeque<Position>,
    /// Ended assignments and whose they were, to tell a late report from an invented one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<(AssignmentId, AgentId)>,
    /// Late results that are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offers: Vec<OfferId>,
    /// The conflicts that it is or was in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflicts: Option<Box<TaskConflicts>>,
    /// Its finished work before the gates, where it has any; the last time that it was finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<Box<Acceptance>>,
    /// What it is a part of, and what it has become, where it is or has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakdown: Option<Box<Broken>>,
    /// What was spent on it, and its own budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Box<Account>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

fn no_class() -> ClassId {
    ClassId(u32::MAX)
}

impl Task {
    /// Returns its state, derived from what is so.
    #[must_use]
    pub fn state(&self) -> TaskState {
        if let Some(state) = self.gate_state() {
            return state;
        }
        match (&self.ending, &self.owner) {
            (Some(ending), _) => ending.state,
            (None, Some(owner)) if owner.started_at.is_some() => TaskState::InProgress,
            (None, Some(_)) => TaskState::Assigned,
            (None, None) if self.open_blockers > 0 || !self.awaits().is_empty() => TaskState::Blocked,
            (None, None) if self.is_to_be_broken_down() => TaskState::Waiting,
            (None, None) if self.deferred_until.is_some() || self.is_set_aside() => TaskState::Deferred,
            (None, None) => TaskState::Ready,
        }
    }

    /// Tells whether it waits for something without a time: the end of an emergency, or more budget.
    #[must_use]
    pub fn is_set_aside(&self) -> bool {
        let closed = |account: &Account| account.ledger.closed.is_some();
        self.aside.is_some() || self.account.as_deref().is_some_and(closed)
    }

    /// Takes note of another state, where it is not `before` any more: what was so of the old one is not of the new one.
    pub(crate) fn since(&mut self, before: TaskState, at: Moment) {
        if self.state() != before {
            self.state_since = at;
            self.expected_by = None;
            self.called = false;
        }
    }

    /// Tells whether it has not ended.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ending.is_none()
    }

    /// Returns the open decisions that it waits for. What is owned goes on; it waits where it comes back.
    #[must_use]
    pub fn awaits(&self) -> &[ConflictId] {
        self.conflicts.as_ref().map_or(&[], |conflicts| &conflicts.awaits)
    }

    /// Returns the priority that it was given, whatever was ruled since.
    #[must_use]
    pub fn given_priority(&self) -> Priority {
        let ruled = self.conflicts.as_ref().and_then(|conflicts| conflicts.given);
        ruled.unwrap_or(self.spec.priority)
    }

    /// Tells whether its priority is a level above what it was given, since it lost an owner.
    #[must_use]
    pub fn is_boosted(&self) -> bool {
        self.boosted && self.priority != self.spec.priority
    }

    /// Returns its place in the queue of its class.
    #[must_use]
    pub fn queue_key(&self) -> QueueKey {
        QueueKey {
            priority: self.effective,
            latest_start: self.place.map_or(self.latest_start, |place| place.min(self.latest_start)),
            submitted: self.submitted_at,
            task: self.id,
        }
    }

    /// Returns when it must start for every deadline on its way to be held; nothing where there is none.
    #[must_use]
    pub fn must_start_by(&self) -> Option<Moment> {
        Some(self.latest_start).filter(|&moment| moment < Moment::NEVER.before(limits::PATH_MAX))
    }

    /// Returns the moment after which it is late: its deadline once it has begun, before that when it must start; nothing where
    /// there is none, or it has ended.
    #[must_use]
    pub fn late_after(&self) -> Option<Moment> {
        match self.state() {
            TaskState::InProgress => self.spec.deadline,
            _ => self.must_start_by().filter(|_| self.is_open()),
        }
    }

    /// Returns what nine of ten such tasks are expected to be done within: learned, else twice the estimate.
    #[must_use]
    pub fn estimate_p90(&self) -> Span {
        self.learned.map_or_else(|| spread(self.estimate), |learned| learned.p90)
    }

    /// Returns those that it waits for, completed or not.
    pub fn gates(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.edges.iter().filter(|edge| edge.gates()).map(|edge| edge.on)
    }
}
