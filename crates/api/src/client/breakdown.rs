//! Breakdown of tasks.

use super::{Client, Result, escaped};
use crate::{Ack, NewBreakdown, ProposedComponents, TaskBreakdown};

impl Client {
    /// Breaks a task down, or keeps one whole.
    pub fn break_down(&self, task: &str, body: &NewBreakdown) -> Result<Ack> {
        self.post(&format!("/v1/tasks/{}/breakdown", escaped(task)), body)
    }

    /// Returns how large a task is, what it is a part of and what it has become.
    pub fn breakdown(&self, task: &str) -> Result<TaskBreakdown> {
        self.get(&format!("/v1/tasks/{}/breakdown", escaped(task)))
    }

    /// Proposes the components of a task whose planning is to say them.
    pub fn propose_components(&self, task: &str, body: &ProposedComponents) -> Result<Ack> {
        self.post(&format!("/v1/tasks/{}/components", escaped(task)), body)
    }
}
