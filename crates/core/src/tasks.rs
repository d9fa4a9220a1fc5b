//! Where the tasks lie.

use std::ops::{Index, IndexMut};

use kapell_model::TaskId;
use serde::{Deserialize, Serialize};

use crate::segments::Segments;
use crate::task::Task;

/// Every task of a fleet in the order of submission. A clone shares what is not changed afterwards.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tasks(Segments<Task>);

impl Tasks {
    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the task `id`, where there is one.
    #[must_use]
    pub fn get(&self, id: TaskId) -> Option<&Task> {
        self.0.get(id.index())
    }

    /// Returns the id of every task.
    pub(crate) fn ids(&self) -> impl Iterator<Item = TaskId> + use<> {
        (1..).map(TaskId).take(self.len())
    }

    /// Visits every task in the order of submission.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Task> + Clone {
        self.0.iter()
    }

    /// Visits the tasks behind the first `count`.
    pub fn skip(&self, count: usize) -> impl Iterator<Item = &Task> + Clone {
        self.0.skip(count)
    }

    pub(crate) fn push(&mut self, task: Task) {
        self.0.push(task);
    }
}

impl Index<TaskId> for Tasks {
    type Output = Task;

    fn index(&self, id: TaskId) -> &Task {
        self.0.get(id.index()).expect("a task of this fleet")
    }
}

impl IndexMut<TaskId> for Tasks {
    fn index_mut(&mut self, id: TaskId) -> &mut Task {
        self.0.get_mut(id.index()).expect("a task of this fleet")
    }
}
