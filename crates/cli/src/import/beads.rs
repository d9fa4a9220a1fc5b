//! Reads the JSON Lines of beads (`issues.jsonl`), old and new.
//!
//! | beads | Kapell |
//! | --- | --- |
//! | `open`, `in_progress`, `hooked`, `blocked` | open; who had it stays with the source |
//! | `deferred` | open with low priority and the label `deferred` |
//! | `closed` | completed |
//! | `tombstone` | cancelled, "deleted in beads"; what waited for it no longer does, as in beads |
//! | `pinned` | cancelled: a note that is meant to stand for ever is no work; nothing waits for it, as in beads |
//! | priority 0, 1, 2, 3, 4 | critical, high, medium, low, low |
//! | `blocks` | a wait, and the only one |
//! | `parent-child`, `parent` | the parent; a second one becomes a relation |
//! | `discovered-from` | the relation of that name |
//! | `related`, `tracks`, `supersedes`, ... | related |
//!
//! It does not look at `dependency_count` and its like: they repeat what the edges say.

use kapell_model::{DependencyKind, Priority, limits};
use serde_json::{Map, Value};

use super::lines;
use super::record::{Draft, DraftEdge, Record, key_of, sort_of, with_findings};
use super::report::{ImportReport, Refusal};
use super::task::{ImportedState, ImportedTask};

/// The format's name in the task's source.
pub const NAME: &str = "beads";

/// Fields that stand in the description under a heading of their own.
pub const SECTIONS: [(&str, &str); 3] =
    [("design", "Design"), ("acceptance_criteria", "Acceptance criteria"), ("notes", "Notes")];

/// Reads every line; what is refused is in the report.
pub fn read(text: &[u8], report: &mut ImportReport) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (line, bytes) in lines::of(text) {
        report.records += 1;
        match lines::object(line, bytes).and_then(|fields| draft(line, &fields, report)) {
            Ok(draft) => drafts.push(draft),
            Err(refusal) => report.refused.push(refusal),
        }
    }
    drafts
}

fn draft(line: usize, fields: &Map<String, Value>, report: &mut ImportReport) -> Result<Draft, Refusal> {
    let nameless = Record { line, key: String::new(), fields };
    let id = nameless.text("id")?.ok_or_else(|| nameless.refuse("id", "missing"))?;
    let key = key_of(NAME, id).map_err(|reason| nameless.refuse("id", reason))?;
    let record = Record { key, ..nameless };
    with_findings(report, |findings| checked(&record, id, findings))
}

fn checked(record: &Record<'_>, id: &str, report: &mut ImportReport) -> Result<Draft, Refusal> {
    if record.key != id {
        report.changed.push(record.finding("id", format!("`{id}` looks like an id of Kapell's own")));
    }
    let given_title = record.text("title")?.unwrap_or_default();
    let title = record.title("title", given_title, report)?;
    let description = record.description("description", &SECTIONS, report)?;
    let mut labels = record.labels("labels", report)?;
    let unchanged = unchanged(record, id, &title, &description, &labels);
    let source = record.source(NAME, &unchanged, report);
    let status = record.status("open", report)?;
    let (state, settled) = state(record, &status, report)?;
    let (mut priority, priority_word) = priority(record, report)?;
    if state == ImportedState::Deferred {
        priority = Priority::Low;
        mark_deferred(&mut labels);
    }
    let kind = record.kind("issue_type", report)?;
    let assignee = record.text("assignee")?.filter(|name| !name.is_empty()).map(str::to_owned);
    note_assignee(record, &status, assignee.as_deref(), report);
    let edges = edges(record, id, report)?;
    let task = ImportedTask {
        key: record.key.clone(),
        title,
        description,
        priority,
        project: None,
        parent: None,
        labels,
        estimate_hours: estimate_hours(record, report)?,
        depends_on: Vec::new(),
        related: Vec::new(),
        assignee,
        closed_at: record.moment("closed_at", report)?,
        deadline: record.moment("due_at", report)?,
        not_before: record.moment("defer_until", report)?,
        state,
        source,
        kind: kind.clone(),
    };
    let source_kind = record.text("issue_type")?.unwrap_or_default().to_owned();
    let gathers = kind == "epic";
    Ok(Draft {
        line: record.line,
        task,
        edges,
        status,
        priority: priority_word,
        kind: source_kind,
        settled,
        gathers,
    })
}

/// Lists the fields whose content can be had back from the task itself.
fn unchanged(
    record: &Record<'_>,
    id: &str,
    title: &str,
    description: &str,
    labels: &[String],
) -> Vec<&'static str> {
    let is = |field: &str, text: &str| record.fields.get(field).and_then(Value::as_str) == Some(text);
    let same_labels = record.fields.get("labels").and_then(Value::as_array).is_some_and(|given| {
        !given.is_empty()
            && given.iter().map(Value::as_str).eq(labels.iter().map(|label| Some(label.as_str())))
    });
    let mut unchanged = Vec::new();
    for (field, same) in [
        ("id", record.key == id),
        ("title", is("title", title)),
        ("description", !description.is_empty() && is("description", description)),
        ("labels", same_labels && !is("status", "deferred")),
    ] {
        if same {
            unchanged.push(field);
        }
    }
    unchanged
}

/// Returns the state, and whether beads no longer waits for such a task.
fn state(
    record: &Record<'_>,
    status: &str,
    report: &mut ImportReport,
) -> Result<(ImportedState, bool), Refusal> {
    let cancelled = |reason: &str| (ImportedState::Cancelled { reason: reason.to_owned() }, true);
    Ok(match status {
        "open" | "in_progress" | "hooked" | "blocked" => (ImportedState::Open, false),
        "deferred" => {
            report
                .changed
                .push(record.finding("status", "deferred: open with low priority and the label `deferred`"));
            (ImportedState::Deferred, false)
        }
        "closed" => (ImportedState::Completed { reason: record.reason("close_reason", report)? }, false),
        "tombstone" => match record.reason("delete_reason", report)? {
            Some(reason) => cancelled(&format!("deleted in beads: {reason}")),
            None => cancelled("deleted in beads"),
        },
        "pinned" => {
            report
                .changed
                .push(record.finding("status", "pinned: a standing note, no work to hand out; cancelled"));
            cancelled("pinned in beads: a standing note, no work to hand out")
        }
        other => {
            report.inferred.push(
                record.finding("status", format!("`{}` is unknown, taken as open", other.escape_debug())),
            );
            (ImportedState::Open, false)
        }
    })
}

fn priority(record: &Record<'_>, report: &mut ImportReport) -> Result<(Priority, String), Refusal> {
    let Some(value) = record.value("priority") else {
        report.inferred.push(record.finding("priority", "missing, taken as medium"));
        return Ok((Priority::Medium, "missing".to_owned()));
    };
    let priority = match value.as_u64() {
        Some(0) => Priority::Critical,
        Some(1) => Priority::High,
        Some(2) => Priority::Medium,
        Some(3 | 4) => Priority::Low,
        _ => return Err(record.refuse("priority", format!("{value} is none of 0, 1, 2, 3, 4"))),
    };
    Ok((priority, value.to_string()))
}

fn estimate_hours(record: &Record<'_>, report: &mut ImportReport) -> Result<Option<f64>, Refusal> {
    let Some(value) = record.value("estimated_minutes") else { return Ok(None) };
    let Some(minutes) = value.as_f64() else {
        return Err(
            record.refuse("estimated_minutes", format!("a number is expected, not {}", sort_of(value)))
        );
    };
    let hours = minutes / 60.0;
    let hours_max = limits::ESTIMATE_MAX.0 as f64 / 3_600_000.0;
    if hours > 0.0 && hours <= hours_max {
        return Ok(Some(hours));
    }
    report.not_kept.push(
        record.finding("estimated_minutes", format!("{value} min is not above 0 and up to {hours_max} h")),
    );
    Ok(None)
}

/// Adds the label by which deferred work is found again.
pub fn mark_deferred(labels: &mut Vec<String>) {
    if labels.len() < limits::LABELS_MAX && !labels.iter().any(|label| label == "deferred") {
        labels.push("deferred".to_owned());
    }
}

fn note_assignee(record: &Record<'_>, status: &str, assignee: Option<&str>, report: &mut ImportReport) {
    if !matches!(status, "in_progress" | "hooked") {
        return;
    }
    let who = assignee.map_or(String::new(), |name| format!(" by {}", name.escape_debug()));
    report
        .changed
        .push(record.finding("status", format!("{status}{who} in the source; back in the queue here")));
}

fn edges(record: &Record<'_>, id: &str, report: &mut ImportReport) -> Result<Vec<DraftEdge>, Refusal> {
    let mut edges = Vec::new();
    for item in record.list("dependencies")? {
        edges.push(edge(record, id, item)?);
    }
    if edges.iter().filter(|edge| edge.kind == Some(DependencyKind::Blocks)).count()
        > limits::DEPENDENCIES_MAX
    {
        return Err(record.refuse("dependencies", format!("more than {} waits", limits::DEPENDENCIES_MAX)));
    }
    // Newer files say the parent a second time, in a field of its own.
    if let Some(parent) = record.text("parent")?.filter(|parent| !parent.is_empty()) {
        let on = key_of(NAME, parent).unwrap_or_else(|_| parent.to_owned());
        if !edges.iter().any(|edge| edge.kind == Some(DependencyKind::ParentChild) && edge.on == on) {
            report.inferred.push(record.finding("parent", "an edge of kind parent-child, from the field"));
            let source_kind = "parent-child".to_owned();
            edges.push(DraftEdge { on, source_kind, kind: Some(DependencyKind::ParentChild), owner: None });
        }
    }
    Ok(edges)
}

fn edge(record: &Record<'_>, id: &str, item: &Value) -> Result<DraftEdge, Refusal> {
    let Value::Object(fields) = item else {
        return Err(record.refuse("dependencies", format!("an object is expected, not {}", sort_of(item))));
    };
    let text = |field: &str| fields.get(field).and_then(Value::as_str);
    let Some(on) = text("depends_on_id") else {
        return Err(record.refuse("dependencies", "an edge without the text `depends_on_id`"));
    };
    let source_kind = text("type").unwrap_or("blocks").to_owned();
    let owner = text("issue_id").filter(|owner| !owner.is_empty() && *owner != id).map(str::to_owned);
    // What cannot be a key cannot be in the file either: it will be found dangling, in its own words.
    let on = key_of(NAME, on).unwrap_or_else(|_| on.to_owned());
    Ok(DraftEdge { on, kind: edge_kind(&source_kind), source_kind, owner })
}

/// Returns what an edge of beads is here; nothing where it is not one.
pub fn edge_kind(source_kind: &str) -> Option<DependencyKind> {
    match source_kind {
        "blocks" => Some(DependencyKind::Blocks),
        "parent-child" => Some(DependencyKind::ParentChild),
        "discovered-from" => Some(DependencyKind::DiscoveredFrom),
        "related" | "relates-to" | "tracks" | "supersedes" | "duplicates" | "replies-to" | "caused-by"
        | "validates" => Some(DependencyKind::Related),
        _ => None,
    }
}
