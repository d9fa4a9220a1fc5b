//! Writes the JSON Lines of beads (`issues.jsonl`).
//!
//! | Kapell now | beads |
//! | --- | --- |
//! | nothing has happened since the import | as it was |
//! | completed | `closed`, with `closed_at` and the result as `close_reason` |
//! | cancelled | `closed`, `close_reason` "cancelled: ..." |
//! | failed | `blocked`: it is not done, and needs a person |
//! | in progress; assigned | `in_progress`; `open`; both with the `assignee` |
//! | any other | `open` |
//! | critical, high, medium, low | priority 0, 1, 2, 3 |
//! | an edge that was added | an entry of `dependencies`; one that was waived leaves them |
//!
//! Whatever changes a record moves `updated_at` on, to the moment of the edit or the change of status, the later one, or else to
//! now: beads takes only what is newer than what it has.

use std::collections::{BTreeMap, BTreeSet};

use kapell_api::{Task, TaskSubmission};
use kapell_model::DependencyKind;
use serde_json::{Value, json};

use super::changes::{self, Record, declared_estimate, same_effort, same_moment, set, set_or_remove};
use super::ordered::Ordered;
use super::report::ExportReport;
use super::{Names, Submissions};
use crate::import::record::key_of;
use crate::import::{self, Format};

/// The order in which beads itself writes the members of issues and dependencies.
const ORDER: &[&str] = &[
    "issue_id",
    "depends_on_id",
    "type",
    "id",
    "title",
    "description",
    "design",
    "acceptance_criteria",
    "notes",
    "status",
    "priority",
    "issue_type",
    "assignee",
    "owner",
    "estimated_minutes",
    "created_at",
    "created_by",
    "updated_at",
    "closed_at",
    "close_reason",
    "due_at",
    "defer_until",
    "labels",
    "dependencies",
    "comments",
];

/// Writes the tasks, and returns the key that an import would give each.
pub fn write(all: &[Task], tasks: &[&Task], report: &mut ExportReport) -> anyhow::Result<(Vec<u8>, Names)> {
    let ids = ids(all, report);
    let base = base(tasks, &ids)?;
    let keys: Names = ids.iter().map(|(task, id)| (task.clone(), key(id))).collect();
    let mut bytes = Vec::new();
    for &task in tasks {
        super::note_foreign_source(task, Format::Beads, report);
        let record = match super::source(task, Format::Beads).zip(base.get(&keys[&task.id])) {
            Some((source, base)) => {
                let before = original(task, source, &ids);
                let mut record = before.clone();
                update(&mut record, task, base);
                edges(&mut record, task, &ids);
                move_to_edit(&mut record, task);
                if record != before {
                    move_past(&mut record, &before);
                }
                record
            }
            None => {
                let mut record = made(task, &ids);
                edges(&mut record, task, &ids);
                move_to_edit(&mut record, task);
                record
            }
        };
        serde_json::to_writer(&mut bytes, &Ordered { value: &Value::Object(record), order: ORDER })?;
        bytes.push(b'\n');
    }
    Ok((bytes, keys))
}

/// Returns the key that each task has in a file of all.
pub fn keys(all: &[Task]) -> Names {
    let ids = ids(all, &mut ExportReport::new(Format::Beads, all.len()));
    ids.into_iter().map(|(task, id)| (task, key(&id))).collect()
}

/// Returns what the records said that tasks were read from, by their keys.
///
/// # Errors
/// Where they cannot be read again, which would be a fault of ours.
pub fn bases(all: &[Task]) -> anyhow::Result<Submissions> {
    let tasks: Vec<&Task> = all.iter().collect();
    base(&tasks, &ids(all, &mut ExportReport::new(Format::Beads, all.len())))
}

/// The key that an import makes of an id.
fn key(id: &str) -> String {
    key_of(import::beads::NAME, id).unwrap_or_else(|_| id.to_owned())
}

/// Names every task: by the source's id, else by its key, else by its number behind the prefix of the others.
fn ids(all: &[Task], report: &mut ExportReport) -> Names {
    let id_of = |task: &Task| {
        let source = super::source(task, Format::Beads);
        let given = source.and_then(|source| source.get("id")?.as_str().map(str::to_owned));
        given.or_else(|| task.key.clone())
    };
    let mut ids: Names = all.iter().filter_map(|task| Some((task.id.clone(), id_of(task)?))).collect();
    let mut prefixes: BTreeMap<&str, usize> = BTreeMap::new();
    for task in all.iter().filter(|task| super::source(task, Format::Beads).is_some()) {
        if let Some((prefix, _)) = ids.get(&task.id).and_then(|id| id.rsplit_once('-')) {
            *prefixes.entry(prefix).or_default() += 1;
        }
    }
    let prefix = prefixes.iter().max_by_key(|(_, count)| **count).map_or("kapell", |(prefix, _)| *prefix);
    let taken: BTreeSet<&String> = ids.values().collect();
    let mut made = Vec::new();
    for task in all.iter().filter(|task| !ids.contains_key(&task.id)) {
        let mut id = format!("{prefix}-t{}", super::number(&task.id));
        while taken.contains(&id) {
            id.push('x');
        }
        report.renamed.push((task.id.clone(), id.clone()));
        made.push((task.id.clone(), id));
    }
    ids.extend(made);
    ids
}

fn original(task: &Task, source: &Record, ids: &Names) -> Record {
    let mut record = super::original(source, task, &import::beads::SECTIONS);
    set(&mut record, "id", ids[&task.id].as_str());
    if !record.contains_key("labels") && !task.labels.is_empty() {
        set(&mut record, "labels", task.labels.clone());
    }
    record
}

/// Imports the original records again: what Kapell knows better is what differs from that.
fn base(tasks: &[&Task], ids: &Names) -> anyhow::Result<Submissions> {
    let mut bytes = Vec::new();
    for &task in tasks {
        if let Some(source) = super::source(task, Format::Beads) {
            serde_json::to_writer(&mut bytes, &original(task, source, ids))?;
            bytes.push(b'\n');
        }
    }
    Ok(super::submissions(import::read_bytes("the originals", &bytes, Some(Format::Beads), false)?))
}

/// Writes what differs from `base` into the record.
fn update(record: &mut Record, task: &Task, base: &TaskSubmission) {
    changes::texts(record, task, base, &import::beads::SECTIONS);
    if task.declared_priority != base.priority {
        set(record, "priority", priority(&task.declared_priority));
    }
    if task.labels != base.labels {
        set(record, "labels", task.labels.clone());
    }
    if task.kind != base.kind {
        set(record, "issue_type", task.kind.as_str());
    }
    if !same_effort(declared_estimate(task), base.estimate_hours) {
        set_or_remove(record, "estimated_minutes", minutes(task));
    }
    if !same_moment(task.deadline.as_deref(), base.deadline.as_deref()) {
        set_or_remove(record, "due_at", task.deadline.clone());
    }
    if !same_moment(task.not_before.as_deref(), base.not_before.as_deref()) {
        set_or_remove(record, "defer_until", task.not_before.clone());
    }
    if !changes::is_where_it_was(task, base) {
        status(record, task);
    }
}

/// Makes the record of a task that did not come from beads.
fn made(task: &Task, ids: &Names) -> Record {
    let mut record = Record::new();
    set(&mut record, "id", ids[&task.id].as_str());
    set(&mut record, "title", task.title.as_str());
    set(&mut record, "description", task.description.as_str());
    set(&mut record, "priority", priority(&task.declared_priority));
    set(&mut record, "issue_type", task.kind.as_str());
    set(&mut record, "created_at", task.submitted_at.as_str());
    set(&mut record, "updated_at", task.submitted_at.as_str());
    set_or_remove(&mut record, "labels", Some(task.labels.clone()).filter(|labels| !labels.is_empty()));
    set_or_remove(&mut record, "estimated_minutes", minutes(task));
    set_or_remove(&mut record, "due_at", task.deadline.clone());
    set_or_remove(&mut record, "defer_until", task.not_before.clone());
    status(&mut record, task);
    record
}

fn status(record: &mut Record, task: &Task) {
    for field in ["closed_at", "close_reason", "deleted_at", "deleted_by", "delete_reason"] {
        record.remove(field);
    }
    let word = match task.state.as_str() {
        "completed" | "cancelled" | "archived" => "closed",
        "failed" => "blocked",
        "in_progress" | "in_review" | "waiting" => "in_progress",
        _ => "open",
    };
    set(record, "status", word);
    let reason = match task.state.as_str() {
        "completed" => task.result.clone().or_else(|| task.reason.clone()),
        "archived" => task.reason.clone(),
        "cancelled" => Some(format!("cancelled: {}", task.reason.as_deref().unwrap_or("called off"))),
        _ => None,
    };
    set_or_remove(record, "close_reason", reason);
    if word == "closed" {
        set_or_remove(record, "closed_at", task.finished_at.clone());
    }
    let who = task.owner.as_ref().or(task.finished_by.as_ref());
    if who.is_some() || word != "closed" {
        set_or_remove(record, "assignee", who.cloned());
    }
    move_on(record, &task.state_since);
}

/// Moves `updated_at` on to `moment`, where that is later.
fn move_on(record: &mut Record, moment: &str) {
    let read = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let before = record.get("updated_at").and_then(Value::as_str).and_then(read);
    if before.is_none() || read(moment) > before {
        set(record, "updated_at", moment);
    }
}

/// Moves `updated_at` on to the last edit, where there was one. What a title was before stands nowhere.
fn move_to_edit(record: &mut Record, task: &Task) {
    if let Some(at) = &task.edited_at {
        move_on(record, at);
    }
}

/// Moves `updated_at` of a record that has changed since `before` on to now, unless it has moved already.
fn move_past(record: &mut Record, before: &Record) {
    if record.get("updated_at") == before.get("updated_at") {
        set(record, "updated_at", jiff::Timestamp::now().to_string());
    }
}

/// Writes a record that has changed since `before`, newer than that.
///
/// # Panics
/// Never: what was read as JSON can be written.
pub fn newer(mut record: Record, before: &Record) -> Vec<u8> {
    move_past(&mut record, before);
    serde_json::to_vec(&Ordered { value: &Value::Object(record), order: ORDER }).expect("JSON can be written")
}

/// Adds the edges that the record does not have yet, and takes out those that were waived.
fn edges(record: &mut Record, task: &Task, ids: &Names) {
    let listed = match record.get("dependencies") {
        Some(Value::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    let parent = record.get("parent").and_then(Value::as_str).map(str::to_owned);
    let says = |item: &Value, kind: DependencyKind, on: &str| {
        let text = |field: &str| item.get(field).and_then(Value::as_str);
        let same_kind = import::beads::edge_kind(text("type").unwrap_or("blocks")) == Some(kind);
        same_kind && text("depends_on_id") == Some(on)
    };
    let mut items = listed.clone();
    for edge in &task.depends_on {
        let (Some(on), Some(kind)) = (ids.get(&edge.task), DependencyKind::parse(&edge.kind)) else {
            continue;
        };
        let again =
            task.depends_on.iter().any(|it| it.task == edge.task && it.kind == edge.kind && !it.waived);
        if edge.waived && !again {
            items.retain(|item| !says(item, kind, on));
        }
        let is_parent = kind == DependencyKind::ParentChild && parent.as_deref() == Some(on);
        if !edge.waived && !is_parent && !items.iter().any(|item| says(item, kind, on)) {
            let word = match kind {
                DependencyKind::Blocks => "blocks",
                DependencyKind::ParentChild => "parent-child",
                DependencyKind::DiscoveredFrom => "discovered-from",
                DependencyKind::Related => "related",
            };
            items.push(json!({ "issue_id": ids[&task.id], "depends_on_id": on, "type": word }));
        }
    }
    if items != listed {
        set(record, "dependencies", items);
    }
}

fn priority(word: &str) -> u8 {
    match word {
        "critical" => 0,
        "high" => 1,
        "medium" => 2,
        _ => 3,
    }
}

/// The declared effort in minutes, a whole number where it is one.
fn minutes(task: &Task) -> Option<Value> {
    let minutes = declared_estimate(task)? * 60.0;
    #[expect(clippy::cast_possible_truncation, reason = "an estimate is at most 10,000 hours")]
    let whole = minutes.round() as i64;
    #[expect(clippy::cast_precision_loss, reason = "an estimate is at most 10,000 hours")]
    let is_whole = whole > 0 && (minutes - whole as f64).abs() < 1e-4;
    Some(if is_whole { whole.into() } else { minutes.into() })
}
