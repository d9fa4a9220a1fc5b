//! Writes a folder of Backlog.md.
//!
//! | Kapell now | Backlog.md |
//! | --- | --- |
//! | nothing has happened since the import | as it was |
//! | completed | the last status; a draft goes to `completed/` |
//! | cancelled | `archive/tasks/` |
//! | assigned, in progress | the second status of three or more, with the owner as assignee |
//! | any other | the first status, in `tasks/` |
//! | critical, high; medium; low | high, medium, low |
//! | an edge that was added | an entry of `dependencies`; one that was waived leaves them |
//! | a task that did not come from there | a file of its own, with the next number |
//!
//! What is not said here stays in a file's front matter as it stood there.

use kapell_api::{Task, TaskSubmission};
use serde_json::Value;

use super::Names;
use super::changes;
use super::report::ExportReport;
use crate::import::backlog::{self, AROUND_FIELD, CONFIG, FRONT_FIELD, PATH_FIELD, Page};
use crate::import::{self, Format, front, task::FILE_FIELD};

/// Writes the tasks as the files of a folder, in JSON, and returns the key that an import would give each.
pub fn write(all: &[Task], tasks: &[&Task], report: &mut ExportReport) -> anyhow::Result<(Vec<u8>, Names)> {
    let config = all.iter().find_map(|task| task.source.as_ref()?.get(FILE_FIELD)?.as_str());
    let config = config.map(|text| Page { path: CONFIG.to_owned(), text: text.to_owned(), was: None });
    let statuses = backlog::statuses(config.as_slice());
    let names = names(all, tasks, config.as_ref(), report);
    let originals: Vec<Page> = tasks.iter().filter_map(|task| original(task)).chain(config.clone()).collect();
    let originals = serde_json::to_vec(&originals)?;
    let base =
        super::submissions(import::read_bytes("the originals", &originals, Some(Format::Backlog), false)?);
    let mut pages = Vec::new();
    for &task in tasks {
        super::note_foreign_source(task, Format::Backlog, report);
        let page = match original(task).zip(task.key.as_ref().and_then(|key| base.get(key))) {
            Some((page, base)) => updated(page, task, base, &statuses, &names, report),
            None => made(task, &statuses, &names),
        };
        pages.push(page);
    }
    pages.extend(config);
    Ok((serde_json::to_vec(&pages)?, names))
}

/// Makes the file anew that a task was read from.
fn original(task: &Task) -> Option<Page> {
    let source = super::source(task, Format::Backlog)?;
    let text = |field: &str| source.get(field).and_then(Value::as_str);
    let body = text("body").unwrap_or(&task.description);
    let page = Page { path: text(PATH_FIELD)?.to_owned(), text: String::new(), was: None };
    Some(filled(page, text(FRONT_FIELD)?, body, source.get(AROUND_FIELD)))
}

fn filled(page: Page, front: &str, body: &str, around: Option<&Value>) -> Page {
    let breaks = |place: usize| {
        let count = around.and_then(|around| around.get(place)?.as_u64()).unwrap_or(1);
        "\n".repeat(usize::try_from(count).unwrap_or(1))
    };
    // An empty text has its breaks before and behind in one.
    let behind = if body.is_empty() && around.is_some() { String::new() } else { breaks(1) };
    Page { text: format!("---\n{front}---\n{}{body}{behind}", breaks(0)), ..page }
}

/// Names every task: by its key, else by the next number behind the prefix of the folder.
fn names(all: &[Task], tasks: &[&Task], config: Option<&Page>, report: &mut ExportReport) -> Names {
    let mut names: Names = all.iter().filter_map(|task| Some((task.id.clone(), task.key.clone()?))).collect();
    let fields = config.and_then(|page| front::fields(&page.text).ok()).unwrap_or_default();
    let prefix = fields.get("task_prefix").and_then(Value::as_str).unwrap_or("task").to_uppercase();
    let number = |key: &String| key.rsplit_once('-')?.1.split('.').next()?.parse::<u64>().ok();
    let mut next = names.values().filter_map(number).max().unwrap_or(0);
    for task in tasks.iter().filter(|task| task.key.is_none()) {
        next += 1;
        let name = format!("{prefix}-{next}");
        report.renamed.push((task.id.clone(), name.clone()));
        names.insert(task.id.clone(), name);
    }
    names
}

/// Writes what differs from `base` into the file.
fn updated(
    page: Page,
    task: &Task,
    base: &TaskSubmission,
    statuses: &[String],
    names: &Names,
    report: &mut ExportReport,
) -> Page {
    let Some((front, _)) = front::split(&page.text) else { return page };
    let mut front = front.to_owned();
    let mut set = |field: &str, value: Value| front = front::replaced(&front, field, &value);
    if task.title != base.title {
        set("title", Value::from(task.title.as_str()));
    }
    if task.declared_priority != base.priority {
        set("priority", Value::from(priority(&task.declared_priority)));
    }
    if task.labels != base.labels {
        set("labels", Value::from(task.labels.clone()));
    }
    let same = (&task.title, &task.declared_priority, &task.labels, &task.description)
        == (&base.title, &base.priority, &base.labels, &base.description);
    if let Some(at) = task.edited_at.as_ref().filter(|_| !same) {
        set("updated_date", Value::from(minute(at)));
    }
    let mut path = page.path.clone();
    if !changes::is_where_it_was(task, base) {
        set("status", Value::from(status(task, statuses)));
        if let Some(owner) = &task.owner {
            set("assignee", Value::from(vec![format!("@{owner}")]));
        }
        let edited = task.edited_at.as_deref().map(minute).unwrap_or_default();
        set("updated_date", Value::from(minute(&task.state_since).max(edited)));
        path = place(task, &page.path);
        if task.result.is_some() {
            report.lost("result", &task.id);
        }
    }
    let listed = front::fields(&front).unwrap_or_default();
    let listed = listed.get("dependencies").cloned().unwrap_or_default();
    let waits = waits(&listed, task, base, names);
    if let Some(waits) = waits {
        front = front::replaced(&front, "dependencies", &Value::from(waits));
    }
    let source = task.source.as_ref();
    let around = source.and_then(|source| source.get(AROUND_FIELD));
    let kept = source.and_then(|source| source.get("body")?.as_str());
    let body = if task.description == base.description { kept } else { None };
    let was = (path != page.path).then(|| page.path.clone());
    filled(Page { path, text: String::new(), was }, &front, body.unwrap_or(&task.description), around)
}

/// Returns the waits of a task where they are others than the file lists.
fn waits(listed: &Value, task: &Task, base: &TaskSubmission, names: &Names) -> Option<Vec<String>> {
    let before: Vec<String> = match listed {
        Value::String(one) => vec![one.clone()],
        Value::Array(items) => items.iter().filter_map(|item| Some(item.as_str()?.to_owned())).collect(),
        _ => Vec::new(),
    };
    let mut waits = before.clone();
    for edge in task.depends_on.iter().filter(|edge| edge.kind == "blocks") {
        let Some(on) = names.get(&edge.task) else { continue };
        let known = base.depends_on.contains(on);
        let again =
            task.depends_on.iter().any(|it| it.task == edge.task && it.kind == edge.kind && !it.waived);
        if edge.waived && known && !again {
            waits.retain(|id| backlog::number(id) != backlog::number(on));
        } else if !edge.waived && !known {
            waits.push(on.clone());
        }
    }
    (waits != before).then_some(waits)
}

/// Makes the file of a task that did not come from there.
fn made(task: &Task, statuses: &[String], names: &Names) -> Page {
    let id = &names[&task.id];
    let words: Vec<&str> =
        task.title.split(|c: char| !c.is_alphanumeric()).filter(|it| !it.is_empty()).collect();
    let short: String = words.join("-").chars().take(80).collect();
    let named = |kind: &'static str| {
        let edges = task.depends_on.iter().filter(move |edge| edge.kind == kind && !edge.waived);
        edges.filter_map(|edge| names.get(&edge.task).cloned()).collect::<Vec<_>>()
    };
    let mut fields: Vec<(&str, Value)> = vec![
        ("id", Value::from(id.as_str())),
        ("title", Value::from(task.title.as_str())),
        ("status", Value::from(status(task, statuses))),
        ("assignee", Value::from(task.owner.iter().map(|owner| format!("@{owner}")).collect::<Vec<_>>())),
        ("created_date", Value::from(minute(&task.submitted_at))),
        ("labels", Value::from(task.labels.clone())),
        ("dependencies", Value::from(named("blocks"))),
    ];
    if let Some(parent) = named("parent_child").first() {
        fields.push(("parent_task_id", Value::from(parent.as_str())));
    }
    fields.push(("priority", Value::from(priority(&task.declared_priority))));
    let front =
        fields.iter().fold(String::new(), |front, (field, value)| front::replaced(&front, field, value));
    let path = place(task, &format!("tasks/{} - {short}.md", id.to_lowercase()));
    filled(Page { path, text: String::new(), was: None }, &front, &task.description, None)
}

fn status<'a>(task: &Task, statuses: &'a [String]) -> &'a str {
    let (first, last) =
        (statuses.first().map_or("To Do", String::as_str), statuses.last().map_or("Done", String::as_str));
    match task.state.as_str() {
        "completed" => last,
        "assigned" | "in_progress" if statuses.len() > 2 => &statuses[1],
        _ => first,
    }
}

/// Returns where the file of a task belongs whose state has changed.
fn place(task: &Task, path: &str) -> String {
    let (folder, name) =
        (path.split('/').next().unwrap_or_default(), path.rsplit('/').next().unwrap_or_default());
    match (task.state.as_str(), folder) {
        ("cancelled", "archive") | ("completed", "tasks" | "completed") => path.to_owned(),
        ("cancelled", _) => format!("archive/tasks/{name}"),
        ("completed", _) => format!("completed/{name}"),
        _ => format!("tasks/{name}"),
    }
}

fn priority(word: &str) -> &str {
    if word == "critical" { "high" } else { word }
}

/// A moment as Backlog.md writes it, in UTC: `2026-03-01 12:30`.
fn minute(moment: &str) -> String {
    moment.replace('T', " ").chars().take(16).collect()
}
