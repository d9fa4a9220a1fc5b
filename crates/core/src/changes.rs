//! What has changed lately, so that whoever follows the tasks is told in time of that alone, not of all that are there.

use std::collections::VecDeque;

use kapell_model::{Position, TaskId};

use crate::state::State;
use crate::task::Task;

/// Changes that are remembered. Whoever is further behind begins anew.
const REMEMBERED_MAX: usize = 32_768;

/// The last changes of tasks, oldest first. Derived from nothing: it begins empty at a start, where those who follow begin anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    recent: VecDeque<(Position, TaskId)>,
    /// Everything that has changed behind this place is remembered.
    complete_after: Position,
}

impl Changes {
    /// Begins at `position`, before which nothing is known.
    pub(crate) fn beginning_at(position: Position) -> Self {
        Self { recent: VecDeque::new(), complete_after: position }
    }

    fn note(&mut self, position: Position, task: TaskId) {
        if self.recent.back() == Some(&(position, task)) {
            return;
        }
        if self.recent.len() == REMEMBERED_MAX
            && let Some((forgotten, _)) = self.recent.pop_front()
        {
            self.complete_after = forgotten;
        }
        self.recent.push_back((position, task));
    }

    /// Returns the changes behind `after`, a task as often as it has changed; nothing where that is further back than is known.
    fn since(&self, after: Position) -> Option<impl Iterator<Item = (Position, TaskId)> + '_> {
        let first = self.recent.partition_point(|&(position, _)| position <= after);
        (after >= self.complete_after).then(|| self.recent.range(first..).copied())
    }
}

impl State {
    /// Marks a task as changed by the event that is being folded in.
    pub(crate) fn touch(&mut self, id: TaskId) {
        self.tasks[id].changed = self.position;
        self.changes.note(self.position, id);
        let project = self.tasks[id].spec.project.as_ref();
        if let Some(project) = project.and_then(|name| self.projects.get_mut(name)) {
            project.changed = self.position;
        }
    }

    /// Returns the tasks that have changed behind `after`, in the order of submission; nothing where more has happened since than
    /// is remembered. It costs time in what has changed.
    #[must_use]
    pub fn changed_since(&self, after: Position) -> Option<Vec<&Task>> {
        let changes = self.changes.since(after)?;
        // An entry that is not the task's last change has a later one behind it.
        let last = changes.filter(|&(position, id)| self.tasks[id].changed == position);
        let mut ids: Vec<TaskId> = last.map(|(_, id)| id).collect();
        ids.sort_unstable();
        ids.dedup();
        Some(ids.into_iter().map(|id| &self.tasks[id]).collect())
    }

    /// Compares what is remembered with the tasks.
    pub(crate) fn check_changes(&self) -> Result<(), String> {
        let after = self.changes.complete_after;
        let mut told = vec![false; self.tasks.len() + 1];
        for (position, id) in self.changes.since(after).into_iter().flatten() {
            told[id.0 as usize] |= self.tasks[id].changed == position;
        }
        match self.tasks.iter().find(|task| told[task.id.0 as usize] != (task.changed > after)) {
            Some(task) => {
                Err(format!("{} changed at {}, of which not everybody hears", task.id, task.changed))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(changes: &Changes, after: u64) -> Option<Vec<u32>> {
        changes.since(Position(after)).map(|since| since.map(|(_, task)| task.0).collect())
    }

    #[test]
    fn what_is_looked_at_is_what_has_changed_however_much_was_before() {
        let mut changes = Changes::beginning_at(Position(10));
        assert_eq!(seen(&changes, 9), None);
        assert_eq!(seen(&changes, 10), Some(vec![]));
        for position in 11..5_011 {
            changes.note(Position(position), TaskId(1 + u32::try_from(position).unwrap_or(0) % 900));
        }
        changes.note(Position(5_011), TaskId(7));
        changes.note(Position(5_011), TaskId(7));
        changes.note(Position(5_011), TaskId(3));
        assert_eq!(seen(&changes, 5_010), Some(vec![7, 3]));
        assert_eq!(seen(&changes, 5_011), Some(vec![]));
        assert_eq!(seen(&changes, 10).map(|all| all.len()), Some(5_002));
    }

    #[test]
    fn whoever_is_further_behind_than_is_remembered_begins_anew() {
        let mut changes = Changes::default();
        let last = REMEMBERED_MAX as u64 + 100;
        for position in 1..=last {
            changes.note(Position(position), TaskId(1));
        }
        assert_eq!(seen(&changes, 99), None);
        assert_eq!(seen(&changes, 100).map(|all| all.len()), Some(REMEMBERED_MAX));
    }
}
