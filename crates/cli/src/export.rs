//! Writes a backlog out: beads, Task Master, Backlog.md, or Kapell's own JSON Lines. What came from a file of the same format goes
//! back as it came, unknown fields included, with what Kapell knows better now in the source's own fields. What the
//! format cannot say is found by reading the export again, and told.

mod backlog;
mod beads;
pub mod changes;
mod loss;
mod ordered;
mod own;
mod report;
mod taskmaster;

use std::collections::BTreeMap;

use kapell_api::{Task, TaskSubmission};
use serde_json::{Map, Value};

use crate::import::{self, Format, Imported};
pub use beads::{bases as beads_bases, keys as beads_keys, newer as beads_newer};
pub use report::ExportReport;

/// An export.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it does not say.
    pub report: ExportReport,
}

/// Writes those of `all` that belong to `project`, or all of them. Edges that were only inferred are not written: whoever
/// reads the texts again can infer them again. One that was taken out of a cycle is: that it closes one is for whoever
/// reads the file to find again.
///
/// # Errors
/// Where the export cannot be read again, which would be a fault of ours.
pub fn write(format: Format, mut all: Vec<Task>, project: Option<&str>) -> anyhow::Result<Exported> {
    for task in &mut all {
        task.depends_on.retain(|edge| !edge.inferred);
        task.depends_on.iter_mut().for_each(|edge| edge.waived &= !edge.broken);
    }
    let wanted = |task: &&Task| project.is_none_or(|project| task.project.as_deref() == Some(project));
    let mut tasks: Vec<&Task> = all.iter().filter(wanted).collect();
    tasks.sort_by_key(|task| (place(task, format), number(&task.id)));
    let mut report = ExportReport::new(format, tasks.len());
    let (bytes, names) = match format {
        Format::Beads => beads::write(&all, &tasks, &mut report)?,
        Format::Taskmaster => taskmaster::write(&all, &tasks, &mut report)?,
        Format::Backlog => backlog::write(&all, &tasks, &mut report)?,
        Format::Kapell => own::write(&all, &tasks, &mut report)?,
        Format::Github | Format::Jira | Format::Linear | Format::VibeKanban => {
            anyhow::bail!("there is no export to {format}; allowed are beads, taskmaster, backlog and kapell")
        }
    };
    if !tasks.is_empty() {
        let again = import::read_bytes("the export", &bytes, Some(format), true)?;
        loss::find(&tasks, &names, &submissions(again), &mut report);
    }
    Ok(Exported { bytes, report })
}

/// Names of tasks by their ids, `T-12`.
pub type Names = BTreeMap<String, String>;

/// Tasks by their keys, as an import would submit them, each with every relation.
pub type Submissions = BTreeMap<String, TaskSubmission>;

/// Returns tasks by their keys, each with every relation.
pub fn submissions(imported: Imported) -> Submissions {
    let keyed = imported.tasks.into_iter().filter_map(|task| Some((task.key.clone()?, task)));
    let mut tasks: Submissions = keyed.collect();
    for (task, on, kind) in imported.later {
        if let Some(task) = tasks.get_mut(&task) {
            task.related.push(kapell_api::RelatedTask { task: on, kind });
        }
    }
    tasks
}

/// The number of `T-12`.
fn number(id: &str) -> u64 {
    id.strip_prefix("T-").and_then(|number| number.parse().ok()).unwrap_or(u64::MAX)
}

/// The word by which an importer marks what came from a format.
fn mark(format: Format) -> &'static str {
    match format {
        Format::Beads => import::beads::NAME,
        Format::Taskmaster => import::taskmaster::NAME,
        Format::Backlog => import::backlog::NAME,
        Format::Github => import::github::NAME,
        Format::Jira => import::jira::NAME,
        Format::Linear => import::linear::NAME,
        Format::VibeKanban => import::vibe::NAME,
        Format::Kapell => "kapell",
    }
}

/// Returns what the source said of a task that came from a file of `format`.
fn source(task: &Task, format: Format) -> Option<&Map<String, Value>> {
    let is_ours = |source: &&Map<String, Value>| {
        source.get(import::FORMAT_FIELD).and_then(Value::as_str) == Some(mark(format))
    };
    task.source.as_ref().filter(is_ours)
}

/// The place in its file of a task that came from one of `format`; the others stand behind.
fn place(task: &Task, format: Format) -> u64 {
    let source = source(task, format);
    source.and_then(|source| source.get(import::task::PLACE_FIELD)?.as_u64()).unwrap_or(u64::MAX)
}

/// Makes the record anew that a task was read from: what was kept, and what stands in the task itself.
fn original(source: &Map<String, Value>, task: &Task, sections: &[(&str, &str)]) -> Map<String, Value> {
    let mut record: Map<String, Value> = source
        .iter()
        .filter(|(field, _)| !field.starts_with('$'))
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect();
    let untitled = source.contains_key(import::task::UNTITLED_FIELD);
    if !untitled && !record.contains_key("title") {
        record.insert("title".to_owned(), Value::from(task.title.as_str()));
    }
    let in_sections = sections.iter().any(|(field, _)| changes::filled(&record, field).is_some());
    if !in_sections && !record.contains_key("description") && !task.description.is_empty() {
        record.insert("description".to_owned(), Value::from(task.description.as_str()));
    }
    record
}

/// The source of a task is another format's, or its submitter's own: nothing here has a place for its fields.
fn note_foreign_source(task: &Task, format: Format, report: &mut ExportReport) {
    if task.source.as_ref().is_some_and(|fields| !fields.is_empty()) && source(task, format).is_none() {
        report.lost("source fields", &task.id);
    }
}

#[cfg(test)]
mod tests;
