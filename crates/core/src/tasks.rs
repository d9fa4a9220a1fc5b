//! Where the tasks lie.

use std::ops::{Index, IndexMut};

use kapell_model::TaskId;
use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};

use crate::task::Task;

/// Tasks of one segment.
const SEGMENT: usize = 1_024;

/// Every task of a fleet in the order of submission.
///
/// They lie in segments that never move: adding the millionth costs what adding the first did, where one growing
/// array would copy all of them every now and then.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    segments: Vec<Vec<Task>>,
    len: usize,
}

impl Tasks {
    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the task `id`, where there is one.
    #[must_use]
    pub fn get(&self, id: TaskId) -> Option<&Task> {
        self.segments.get(id.index() / SEGMENT)?.get(id.index() % SEGMENT)
    }

    /// Visits every task in the order of submission.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Task> + Clone {
        self.segments.iter().flatten()
    }

    /// Visits the tasks behind the first `count`.
    pub fn skip(&self, count: usize) -> impl Iterator<Item = &Task> + Clone {
        let first = self
            .segments
            .get(count / SEGMENT)
            .map_or(&[][..], |segment| segment.get(count % SEGMENT..).unwrap_or_default());
        first.iter().chain(self.segments.iter().skip(count / SEGMENT + 1).flatten())
    }

    pub(crate) fn push(&mut self, task: Task) {
        if self.len.is_multiple_of(SEGMENT) {
            self.segments.push(Vec::with_capacity(SEGMENT));
        }
        if let Some(last) = self.segments.last_mut() {
            last.push(task);
            self.len += 1;
        }
    }
}

impl Index<TaskId> for Tasks {
    type Output = Task;

    fn index(&self, id: TaskId) -> &Task {
        &self.segments[id.index() / SEGMENT][id.index() % SEGMENT]
    }
}

impl IndexMut<TaskId> for Tasks {
    fn index_mut(&mut self, id: TaskId) -> &mut Task {
        &mut self.segments[id.index() / SEGMENT][id.index() % SEGMENT]
    }
}

impl Serialize for Tasks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.len))?;
        for task in self.iter() {
            sequence.serialize_element(task)?;
        }
        sequence.end()
    }
}
