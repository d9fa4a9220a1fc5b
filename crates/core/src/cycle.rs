//! Edges that were taken away because they closed a cycle (SEMANTICS 6): which, why, and that they can be put back.

use std::sync::Arc;

use kapell_model::{Moment, Position, TaskId, limits};
use serde::{Deserialize, Serialize};

use crate::state::State;
use crate::task::Edge;

/// Why this edge of a cycle went, and not another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakCause {
    /// It was inferred, the others were declared.
    Inferred,
    /// Of the least trusted it is the one whose dependent has the lowest effective priority.
    LeastUrgent,
    /// Of those that are equal otherwise it came last.
    Newest,
    /// Its dependent has an owner already, and cannot be made to wait.
    InWork,
    /// It would close more cycles than one command breaks.
    TooMany,
    /// All edges are declared, and the policy wants a person to decide: the new one is kept out until then.
    KeptOut,
    /// A manager chose it, to put another one back.
    ByHand,
}

impl BreakCause {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inferred => "inferred",
            Self::LeastUrgent => "least_urgent",
            Self::Newest => "newest",
            Self::InWork => "in_work",
            Self::TooMany => "too_many",
            Self::KeptOut => "kept_out",
            Self::ByHand => "by_hand",
        }
    }

    /// Says it in words.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Inferred => "it was inferred, the others were declared",
            Self::LeastUrgent => "its dependent is the least urgent",
            Self::Newest => "it is the newest of those that are equal otherwise",
            Self::InWork => "its dependent has an owner already",
            Self::TooMany => "it would close more cycles than are broken at once",
            Self::KeptOut => "all edges are declared, and the policy wants a person to decide",
            Self::ByHand => "a manager chose it to put another one back",
        }
    }
}

/// An edge that was taken away, or never let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenEdge {
    /// The dependent.
    pub task: TaskId,
    /// What it would wait for.
    pub on: TaskId,
    /// Whether it was inferred.
    pub inferred: bool,
    /// The whole cycle, beginning and ending with the dependent of the edge that closed it.
    pub cycle: Vec<TaskId>,
    /// The edge that closed it.
    pub closed_by: (TaskId, TaskId),
    /// Why this one went.
    pub because: BreakCause,
    /// When.
    pub at: Moment,
    /// Where in the log.
    pub position: Position,
    /// When it was put back.
    pub restored: Option<Moment>,
}

impl BrokenEdge {
    /// Returns the word for how it stands: `broken`, `kept_out` (a person has to decide) or `restored`.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match (self.restored, self.because) {
            (Some(_), _) => "restored",
            (None, BreakCause::KeptOut) => "kept_out",
            (None, _) => "broken",
        }
    }
}

/// Writes a cycle: `T-1 waits for T-2 waits for T-1`.
#[must_use]
pub fn cycle_text(cycle: &[TaskId]) -> String {
    cycle.iter().map(ToString::to_string).collect::<Vec<_>>().join(" waits for ")
}

impl State {
    /// Returns the edges that were taken away because they closed a cycle, oldest first; the oldest are forgotten at a bound.
    pub fn broken_edges(&self) -> impl DoubleEndedIterator<Item = &BrokenEdge> + ExactSizeIterator + '_ {
        self.broken.iter().map(Arc::as_ref)
    }

    pub(crate) fn cycle_broken(&mut self, broken: BrokenEdge) {
        let (id, on) = (broken.task, broken.on);
        if self.tasks[id].edges.iter().any(|edge| edge.on == on && edge.gates()) {
            self.dependency_waived(id, on);
            let edges = &mut self.tasks[id].edges;
            if let Some(edge) =
                edges.iter_mut().rev().find(|edge| edge.on == on && edge.waived && !edge.broken)
            {
                edge.broken = true;
            }
        } else {
            let added = self.position;
            let task = &mut self.tasks[id];
            task.edges.push(Edge {
                on,
                kind: kapell_model::DependencyKind::Blocks,
                waived: true,
                inferred: broken.inferred,
                broken: true,
                added,
            });
            self.touch(id);
        }
        if self.broken.len() == limits::BROKEN_EDGES_MAX {
            self.broken.pop_front();
        }
        self.broken.push_back(Arc::new(broken));
    }

    pub(crate) fn dependency_restored(&mut self, id: TaskId, on: TaskId) {
        let edges = &mut self.tasks[id].edges;
        let at = edges.iter().position(|edge| edge.on == on && edge.broken).expect("a broken edge");
        let edge = edges.remove(at);
        self.put_edge(id, Edge { waived: false, broken: false, ..edge });
        let now = self.at;
        let records = self.broken.iter_mut().rev();
        for record in records.filter(|record| (record.task, record.on) == (id, on)) {
            Arc::make_mut(record).restored.get_or_insert(now);
        }
    }
}
