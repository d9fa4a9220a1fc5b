//! Importers: the counts of a report agree with what is emitted, nothing vanishes without a line, and what is emitted is taken
//! by the door and read back as Kapell's own.
//!
//! The first byte chooses the format, its highest bit whether the others are the file or choose what stands in it.

use std::collections::BTreeSet;

use arbitrary::Unstructured;
use kapell_cli::import::{Format, Imported, read_bytes};
use serde_json::{Map, Value};

use crate::{made, requests};

const FORMATS: &[Option<Format>] = &[
    None,
    Some(Format::Beads),
    Some(Format::Taskmaster),
    Some(Format::Backlog),
    Some(Format::Github),
    Some(Format::Jira),
    Some(Format::Linear),
    Some(Format::VibeKanban),
    Some(Format::Kapell),
];
const NAME: &str = "the-file";

/// Runs the target.
///
/// # Panics
/// Where a report does not agree with what was emitted, or what was emitted is not taken.
pub fn run(bytes: &[u8]) {
    let Some((&sort, rest)) = bytes.split_first() else { return };
    let format = FORMATS[usize::from(sort & 0x7f) % FORMATS.len()];
    let file = if sort & 0x80 == 0 { rest.to_vec() } else { file(format, &mut Unstructured::new(rest)) };
    let imported = match read_bytes(NAME, &file, format, false) {
        Ok(imported) => imported,
        Err(error) => {
            assert!(format!("{error:#}").contains(NAME), "{error:#}");
            return;
        }
    };
    strictly(&file, format, &imported);
    counts(&imported);
    order(&imported);
    as_own(&imported);
    requests::taken(&imported.tasks, imported.report.format != Format::Kapell);
}

/// With `strict` the same file is refused where one record is, and the refusal names its line.
fn strictly(file: &[u8], format: Option<Format>, imported: &Imported) {
    match (read_bytes(NAME, file, format, true), imported.report.refused.first()) {
        (Ok(strict), None) => assert!(strict == *imported, "the same file is read in two ways"),
        (Err(error), Some(refusal)) => {
            let told = format!("{error:#}");
            let file = refusal.file.as_ref().map(|file| format!(" {file}:")).unwrap_or_default();
            assert!(told.starts_with(&format!("{NAME}:{file}{}", refusal.line)), "{told}");
            assert!(!refusal.reason.is_empty(), "{told}");
        }
        (strict, refused) => panic!("strict {} with {refused:?} refused", strict.is_ok()),
    }
}

fn counts(imported: &Imported) {
    let report = &imported.report;
    assert_eq!(report.tasks, imported.tasks.len(), "{report}");
    let told = report.tasks + report.duplicates.len() + report.refused.len();
    assert_eq!(told, report.records, "a record vanished: {report}");
    for tally in [&report.statuses, &report.priorities] {
        assert_eq!(tally.total(), report.tasks, "{report}");
    }
    // Some formats know no types, and some tasks have none.
    assert!(report.types.total() <= report.tasks, "{report}");
    for (kind, counts) in &report.edges {
        let parts =
            counts.kept + counts.dangling + counts.cyclic + counts.repeated + counts.settled + counts.unknown;
        assert_eq!(parts, counts.found, "{kind}: {report}");
    }
    let total =
        |part: fn(&kapell_cli::import::EdgeCounts) -> usize| report.edges.values().map(part).sum::<usize>();
    let emitted: usize = imported
        .tasks
        .iter()
        .map(|task| task.depends_on.len() + task.related.len() + usize::from(task.parent.is_some()))
        .sum();
    if report.format != Format::Kapell {
        let kept = total(|counts| counts.kept) + report.closing.len();
        assert_eq!(kept, emitted + imported.later.len(), "{report}");
        assert_eq!(
            total(|counts| counts.found - counts.kept),
            report.left_out.len() + report.closing.len(),
            "{report}"
        );
    }
}

/// Each task stands after all that it names, and no two have one key.
fn order(imported: &Imported) {
    if imported.report.format == Format::Kapell {
        return;
    }
    let mut before = BTreeSet::new();
    for task in &imported.tasks {
        let related = task.related.iter().map(|related| &related.task);
        for named in task.depends_on.iter().chain(&task.parent).chain(related) {
            assert!(before.contains(named), "{:?} names {named}, which comes later", task.key);
        }
        let key = task.key.clone().expect("an imported task has a key");
        assert!(before.insert(key), "{:?} comes twice", task.key);
    }
    for (task, on, _) in &imported.later {
        assert!(before.contains(task) && before.contains(on), "{task} and {on}");
    }
}

/// What was emitted, written as Kapell's own, is read as it was.
fn as_own(imported: &Imported) {
    let mut own = Vec::new();
    for task in &imported.tasks {
        own.extend(serde_json::to_vec(task).expect("a task can be written"));
        own.push(b'\n');
    }
    let again = read_bytes(NAME, &own, Some(Format::Kapell), true).expect("Kapell's own is read");
    let mut tasks = imported.tasks.clone();
    // Relations to later tasks are told apart by the reader.
    let mut read = again.tasks;
    for task in tasks.iter_mut().chain(&mut read) {
        task.related.clear();
    }
    assert!(tasks == read, "{tasks:?} became {read:?}");
}

fn file(format: Option<Format>, bytes: &mut Unstructured<'_>) -> Vec<u8> {
    match format {
        None | Some(Format::Beads) => json_lines(bytes, beads),
        Some(Format::Kapell) => json_lines(bytes, own),
        Some(Format::Taskmaster) => written(&taskmaster(bytes)),
        Some(Format::Backlog) => written(&backlog(bytes)),
        Some(Format::Github) => written(&list(bytes, github)),
        Some(Format::VibeKanban) => written(&list(bytes, vibe)),
        Some(Format::Jira) => table(bytes, JIRA),
        Some(Format::Linear) => table(bytes, LINEAR),
    }
}

fn written(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a value can be written")
}

fn list(bytes: &mut Unstructured<'_>, one: fn(&mut Unstructured<'_>) -> Map<String, Value>) -> Value {
    let mut items = Vec::new();
    while !bytes.is_empty() && items.len() < 12 {
        items.push(Value::Object(one(bytes)));
    }
    Value::Array(items)
}

fn json_lines(bytes: &mut Unstructured<'_>, one: fn(&mut Unstructured<'_>) -> Map<String, Value>) -> Vec<u8> {
    let mut lines = Vec::new();
    while !bytes.is_empty() && lines.len() < 64 * 1024 {
        lines.extend(written(&Value::Object(one(bytes))));
        lines.extend(if made::rarely(bytes, 8) { &b"\r\n"[..] } else { b"\n" });
    }
    lines
}

const IDS: &[&str] = &["a", "b", "c", "d", "T-1", "x.1", "1", "2", "3", "é", "two words", "29.1"];

fn id(bytes: &mut Unstructured<'_>) -> Value {
    if made::rarely(bytes, 16) { made::value(bytes) } else { Value::from(made::word(bytes, IDS)) }
}

fn ids(bytes: &mut Unstructured<'_>) -> Value {
    (0..made::few(bytes)).map(|_| id(bytes)).collect()
}

fn beads(bytes: &mut Unstructured<'_>) -> Map<String, Value> {
    let mut object = made::object(
        bytes,
        &[
            "title",
            "description",
            "design",
            "notes",
            "status",
            "issue_type",
            "assignee",
            "created_at",
            "closed_at",
            "close_reason",
            "other",
        ],
    );
    object.insert("id".to_owned(), id(bytes));
    object.insert("priority".to_owned(), Value::from(bytes.arbitrary::<u8>().unwrap_or(0) % 6));
    if made::rarely(bytes, 2) {
        object.insert("labels".to_owned(), ids(bytes));
    }
    let edge = |bytes: &mut Unstructured<'_>| {
        let mut edge = made::object(bytes, &["created_by"]);
        edge.insert("depends_on_id".to_owned(), id(bytes));
        if made::rarely(bytes, 4) {
            edge.insert("issue_id".to_owned(), id(bytes));
        }
        let kinds = ["blocks", "parent-child", "related", "discovered-from", "invented"];
        edge.insert("type".to_owned(), Value::from(made::word(bytes, &kinds)));
        Value::Object(edge)
    };
    let edges = (0..made::few(bytes)).map(|_| edge(bytes)).collect();
    object.insert("dependencies".to_owned(), edges);
    object
}

fn own(bytes: &mut Unstructured<'_>) -> Map<String, Value> {
    let mut object =
        made::object(bytes, &["title", "description", "type", "priority", "project", "deadline", "parent"]);
    object.insert("key".to_owned(), id(bytes));
    object.insert("depends_on".to_owned(), ids(bytes));
    object.insert("labels".to_owned(), ids(bytes));
    if made::rarely(bytes, 4) {
        object.insert("estimate_hours".to_owned(), made::number(bytes));
    }
    object
}

fn taskmaster(bytes: &mut Unstructured<'_>) -> Value {
    fn task(bytes: &mut Unstructured<'_>, depth: usize) -> Value {
        let fields = ["title", "description", "details", "testStrategy", "status", "priority"];
        let mut object = made::object(bytes, &fields);
        let number = |bytes: &mut Unstructured<'_>| match bytes.arbitrary::<u8>().unwrap_or(0) % 8 {
            0 => Value::from("29.1"),
            1 => made::number(bytes),
            2 => Value::from(1.1),
            other => Value::from(other),
        };
        object.insert("id".to_owned(), number(bytes));
        let on: Value = (0..made::few(bytes)).map(|_| number(bytes)).collect();
        object.insert("dependencies".to_owned(), on);
        if depth > 0 {
            let subtasks: Value = (0..made::few(bytes)).map(|_| task(bytes, depth - 1)).collect();
            object.insert("subtasks".to_owned(), subtasks);
        }
        Value::Object(object)
    }
    let mut tags = Map::new();
    while !bytes.is_empty() && tags.len() < 3 {
        let mut tasks = Vec::new();
        for _ in 0..6 {
            tasks.push(task(bytes, 1));
        }
        let mut tag = made::object(bytes, &["metadata"]);
        tag.insert("tasks".to_owned(), tasks.into());
        if made::rarely(bytes, 4) {
            return tag.into();
        }
        tags.insert((made::word(bytes, &["master", "feature", "a b", ""])).to_owned(), tag.into());
    }
    tags.into()
}

fn backlog(bytes: &mut Unstructured<'_>) -> Value {
    const PATHS: &[&str] = &[
        "tasks/task-1 - a.md",
        "tasks/task-2 - b.md",
        "completed/task-1 - a.md",
        "drafts/draft-1 - c.md",
        "archive/tasks/task-3 - d.md",
        "tasks/BACK-4.md",
        "config.yml",
        "tasks/none.md",
        "",
    ];
    const LINES: &[&str] = &[
        "---",
        "id: task-1",
        "id: task-2",
        "id: BACK-3",
        "id:",
        "title: One",
        "title: 'a ''b'''",
        "title: >-",
        "  folded",
        "status: Done",
        "status: To Do",
        "status: \"In Progress\"",
        "priority: high",
        "priority: odd",
        "labels: [a, 'b, c', \"d\"]",
        "labels:",
        "  - x",
        "- y",
        "dependencies:",
        "  - task-1",
        "  - TASK-2",
        "dependencies: [task-3]",
        "parent_task_id: task-1",
        "assignee: ['@a']",
        "created_date: '2025-01-01 10:00'",
        "a: {b: c}",
        "\tb: c",
        "statuses: [\"To Do\", \"Finished\"]",
        "## Description",
        "text",
        "",
        "\u{1b}[1m",
        "- [ ] #1 do",
        "key: [",
        "key: \"open",
    ];
    let mut pages = Vec::new();
    while !bytes.is_empty() && pages.len() < 8 {
        let mut text = String::from("---\n");
        for _ in 0..bytes.arbitrary::<u8>().unwrap_or(0) % 16 {
            text.push_str(made::word(bytes, LINES));
            text.push('\n');
        }
        pages.push(serde_json::json!({"path": made::one(bytes, PATHS), "text": text}));
    }
    pages.into()
}

fn github(bytes: &mut Unstructured<'_>) -> Map<String, Value> {
    let mut object = made::object(bytes, &["title", "body", "state", "stateReason", "closedAt", "extra"]);
    object.insert("number".to_owned(), Value::from(bytes.arbitrary::<u8>().unwrap_or(0) % 6));
    let url = ["https://github.com/o/r/issues/1", "https://github.com/o/r/pull/2", "nowhere"];
    object.insert("url".to_owned(), Value::from(made::word(bytes, &url)));
    let labels: Value =
        (0..made::few(bytes)).map(|_| Value::Object(made::object(bytes, &["name", "color"]))).collect();
    object.insert("labels".to_owned(), labels);
    if made::rarely(bytes, 4) {
        object.insert("milestone".to_owned(), made::object(bytes, &["title", "dueOn"]).into());
    }
    object
}

fn vibe(bytes: &mut Unstructured<'_>) -> Map<String, Value> {
    let mut object =
        made::object(bytes, &["title", "description", "status", "project_id", "parent_workspace_id"]);
    object.insert("id".to_owned(), id(bytes));
    object
}

const JIRA: &[&str] = &[
    "Issue key",
    "Issue id",
    "Summary",
    "Issue Type",
    "Status",
    "Status Category",
    "Resolution",
    "Priority",
    "Project key",
    "Description",
    "Labels",
    "Labels",
    "Parent",
    "Parent key",
    "Parent id",
    "Custom field (Epic Link)",
    "Inward issue link (Blocks)",
    "Outward issue link (Blocks)",
    "Inward issue link (Relates)",
    "Original estimate",
    "Due date",
    "Resolved",
    "Assignee",
];
const LINEAR: &[&str] = &[
    "ID",
    "Team",
    "Title",
    "Status",
    "Description",
    "Priority",
    "Labels",
    "Estimate",
    "Project",
    "Parent issue",
    "Blocked by",
    "Related to",
    "Duplicate of",
    "Due Date",
    "Completed",
    "Canceled",
    "Archived",
    "Assignee",
];

fn table(bytes: &mut Unstructured<'_>, columns: &[&str]) -> Vec<u8> {
    let kept: Vec<&str> = columns.iter().copied().filter(|_| !made::rarely(bytes, 16)).collect();
    let mut text = kept.join(",");
    text.push('\n');
    while !bytes.is_empty() && text.len() < 32 * 1024 {
        for (place, column) in kept.iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            let names = ["Issue key", "Issue id", "ID", "Parent", "Parent key", "Parent issue", "Blocked by"];
            let cell = if names.contains(column) || column.contains("issue link") {
                (made::word(bytes, &["", "a", "b", "c", "ABC-1", "ABC-2", "1", "a, b"])).to_owned()
            } else {
                made::text(bytes)
            };
            if cell.contains([',', '"', '\n', '\r']) && !made::rarely(bytes, 16) {
                text.push('"');
                text.push_str(&cell.replace('"', "\"\""));
                text.push('"');
            } else {
                text.push_str(&cell);
            }
        }
        text.push('\n');
    }
    text.into_bytes()
}
