//! Edges between tasks: added where they close no cycle, waived by a manager.

use kapell_model::{DependencyKind, TaskId, TaskState, limits};

use super::{invalid, require_state};
use crate::command::{EdgeSource, TaskRef};
use crate::engine::Reply;
use crate::event::Event;
use crate::mutation::mutated;
use crate::rejection::Rejection;
use crate::state::State;

/// A task that nobody owns yet can be made to wait for another one.
pub(super) const WAITING: &[TaskState] = &[TaskState::Blocked, TaskState::Ready, TaskState::Deferred];

impl State {
    pub(super) fn add_dependency(
        &self,
        reference: &TaskRef,
        on: &TaskRef,
        kind: DependencyKind,
        source: EdgeSource,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        let on = self.stands_for(self.find_task(on)?.id);
        if on == task.id {
            return Err(invalid("on", format!("{on}, the task itself"), "another task"));
        }
        if task.edges.iter().any(|edge| edge.on == on && edge.kind == kind && !edge.waived) {
            let given = format!("{} {kind} {on}", task.id);
            return Err(Rejection::Duplicate { what: "an edge", given, existing: None });
        }
        if task.edges.len() >= limits::DEPENDENCIES_MAX {
            return Err(Rejection::LimitExceeded {
                what: "dependencies of a task",
                limit: limits::DEPENDENCIES_MAX,
            });
        }
        if kind == DependencyKind::Blocks {
            // A file's edge into work that has an owner can only be recorded, and only where it would have closed a cycle.
            let recorded = source != EdgeSource::Declared
                && task.owner.is_some()
                && self.cycle_without(task.id, on, &[]).is_some();
            if !recorded {
                require_state(task, "waiting for another task", WAITING)?;
            }
            if source != EdgeSource::Declared {
                self.add_breaking(task, on, source == EdgeSource::Inferred, &mut Vec::new(), out);
                return Ok(Reply::about(task.id));
            }
            if let Some(cycle) = self.cycle_without(task.id, on, &[]) {
                return Err(Rejection::Cycle { task: task.id, on, cycle });
            }
            out.push(Self::let_in(task, on, false));
            return Ok(Reply::about(task.id));
        }
        let inferred = source == EdgeSource::Inferred;
        out.push(Event::DependencyAdded { task: task.id, on, kind, inferred });
        Ok(Reply::about(task.id))
    }

    pub(super) fn waive_dependency(
        &self,
        reference: &TaskRef,
        on: &TaskRef,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        let on = self.find_task(on)?.id;
        if !task.edges.iter().any(|edge| edge.on == on && edge.gates()) {
            return Err(Rejection::NotFound { what: "dependency", given: format!("{} on {on}", task.id) });
        }
        out.push(Event::DependencyWaived { task: task.id, on });
        Ok(Reply::about(task.id))
    }

    /// Returns a cycle that an edge from `task` to `on` would close, beginning and ending with `task`, if the edges in `gone`
    /// were not there.
    ///
    /// Looks from `on` upwards through what is still open; the cost is in what `on` transitively waits for.
    pub(super) fn cycle_without(
        &self,
        task: TaskId,
        on: TaskId,
        gone: &[(TaskId, TaskId)],
    ) -> Option<Vec<TaskId>> {
        if mutated!(CycleUnseen) {
            return None;
        }
        let mut path = vec![task, on];
        let mut branches = vec![self.open_gates(on, gone)];
        let mut seen = std::collections::BTreeSet::from([on]);
        while let Some(branch) = branches.last_mut() {
            match branch.pop() {
                Some(next) if next == task => {
                    path.push(task);
                    return Some(path);
                }
                Some(next) if seen.insert(next) => {
                    path.push(next);
                    branches.push(self.open_gates(next, gone));
                }
                Some(_) => {}
                None => {
                    branches.pop();
                    path.pop();
                }
            }
        }
        None
    }

    fn open_gates(&self, id: TaskId, gone: &[(TaskId, TaskId)]) -> Vec<TaskId> {
        let task = self.task(id);
        if task.state() == TaskState::Completed {
            return Vec::new();
        }
        task.gates().filter(|&on| !gone.contains(&(id, on))).collect()
    }
}
