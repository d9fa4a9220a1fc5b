//! What an export could not say.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::import::Format;

/// Tasks that the text names for one field; the JSON has all.
const SHOWN_MAX: usize = 5;

/// The account of one export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// What was written.
    pub format: Format,
    /// Tasks that were written.
    pub tasks: usize,
    /// What the format has no place for: the field, and the tasks of which it is missing.
    pub not_expressed: BTreeMap<&'static str, Vec<String>>,
    /// Tasks that were called something for the format's sake.
    pub renamed: Vec<(String, String)>,
}

impl ExportReport {
    /// Returns the account of an export that could say everything.
    pub fn new(format: Format, tasks: usize) -> Self {
        Self { format, tasks, not_expressed: BTreeMap::new(), renamed: Vec::new() }
    }

    /// Notes that a field of a task is missing; once per field and task.
    pub fn lost(&mut self, field: &'static str, task: &str) {
        let tasks = self.not_expressed.entry(field).or_default();
        if tasks.last().is_none_or(|last| last != task) {
            tasks.push(task.to_owned());
        }
    }
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tasks as {}", self.tasks, self.format)?;
        for (field, tasks) in &self.not_expressed {
            let shown = tasks.iter().take(SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if tasks.len() > SHOWN_MAX { ", ..." } else { "" };
            write!(f, "\n  not expressed: {field} of {} tasks ({shown}{more})", tasks.len())?;
        }
        for (task, name) in self.renamed.iter().take(SHOWN_MAX) {
            write!(f, "\n  {task} is called {name} there")?;
        }
        match self.renamed.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more have a new name"),
        }
    }
}
