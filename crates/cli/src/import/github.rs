//! Reads GitHub issues as `gh issue list --state all --limit 10000 --json number,title,body,state,stateReason,labels,assignees,milestone,url,closedAt`
//! writes them: one JSON list, whatever fields were asked for beside `number` and `title`.
//!
//! | GitHub | Kapell |
//! | --- | --- |
//! | issue 12 of `owner/repo`, by its `url` | key `owner/repo#12`, project `owner/repo`; `gh-12` without an address |
//! | `OPEN`, or no state | open |
//! | `CLOSED` | completed; with the reason `NOT_PLANNED` or `DUPLICATE` cancelled |
//! | labels `critical`, `P0`, `priority: high`, `prio/low`, ... | the priority; medium where no label says it |
//! | labels `bug`, `enhancement`, `feature`, `documentation` | the type; `task` where no label says it |
//! | `milestone.dueOn` | the deadline |
//!
//! Labels stay labels. What texts say about waits ("blocked by #7") is found like in any other import; GitHub's own lists of
//! blocking issues are not in what the command writes.

use kapell_model::Priority;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::lines::Object;
use super::record::{Draft, Record, sort_of, with_findings};
use super::report::{ImportReport, Refusal};
use super::task::{ImportedState, ImportedTask};

/// The format's name in the task's source.
pub const NAME: &str = "github";

/// Returns whether a value looks like a list of issues.
pub fn looks_like(value: &Value) -> bool {
    value.as_array().and_then(|list| list.first()).is_some_and(|first| {
        first.get("number").is_some_and(Value::is_u64) && first.get("title").is_some_and(Value::is_string)
    })
}

/// Reads the list.
///
/// # Errors
/// Where the file as a whole is no list.
pub fn read(text: &str, report: &mut ImportReport) -> Result<Vec<Draft>, Refusal> {
    let list: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| Refusal {
        file: None,
        line: error.line(),
        column: Some(error.column().max(1)),
        field: None,
        reason: format!("no list of issues: {}", super::lines::without_place(&error)),
    })?;
    let mut drafts = Vec::new();
    for issue in list {
        report.records += 1;
        let before = issue.get().as_ptr() as usize - text.as_ptr() as usize;
        let line = text[..before].matches('\n').count() + 1;
        let refuse = |reason: String| Refusal { file: None, line, column: None, field: None, reason };
        let object = serde_json::from_str::<Object>(issue.get());
        let object = object.map_err(|error| refuse(super::lines::without_place(&error)));
        match object.and_then(|Object(fields)| draft(line, &fields, report)) {
            Ok(draft) => drafts.push(draft),
            Err(refusal) => report.refused.push(refusal),
        }
    }
    Ok(drafts)
}

fn draft(line: usize, fields: &Map<String, Value>, report: &mut ImportReport) -> Result<Draft, Refusal> {
    let nameless = Record { line, key: String::new(), fields };
    let number = match nameless.value("number") {
        Some(value) if value.is_u64() => value.as_u64().unwrap_or(0),
        Some(other) => {
            return Err(nameless.refuse("number", format!("a number is expected, not {}", sort_of(other))));
        }
        None => return Err(nameless.refuse("number", "missing")),
    };
    let repository = nameless.text("url")?.and_then(repository);
    let key = match &repository {
        Some(repository) => format!("{repository}#{number}"),
        None => format!("gh-{number}"),
    };
    kapell_model::Name::new(&key).map_err(|error| nameless.refuse("url", error.to_string()))?;
    with_findings(report, |findings| checked(&Record { key, ..nameless }, repository, findings))
}

fn checked(
    record: &Record<'_>,
    repository: Option<String>,
    report: &mut ImportReport,
) -> Result<Draft, Refusal> {
    let title = record.title("title", record.text("title")?.unwrap_or_default(), report)?;
    let description = record.description("body", &[], report)?;
    let names = members(record, "labels", "name")?;
    let named = Value::from(names.clone());
    let only_names = Map::from_iter([("labels".to_owned(), named)]);
    let labels = Record { line: record.line, key: record.key.clone(), fields: &only_names }
        .labels("labels", report)?;
    let unchanged: &[&str] =
        if record.text("body")? == Some(description.as_str()) { &["title", "body"] } else { &["title"] };
    let source = record.source(NAME, unchanged, report);
    let status = record.text("state")?.unwrap_or("OPEN").to_owned();
    let (priority, priority_word) = priority(&names, record, report);
    let (kind, kind_word) = kind(&names, record, report);
    let who = members(record, "assignees", "login")?;
    if !who.is_empty() && !status.eq_ignore_ascii_case("closed") {
        let what = format!("assigned to {} in the source; in the queue here", who.join(", ").escape_debug());
        report.changed.push(record.finding("assignees", what));
    }
    let milestone = record.value("milestone").and_then(Value::as_object).cloned().unwrap_or_default();
    let due = Record { line: record.line, key: record.key.clone(), fields: &milestone };
    let task = ImportedTask {
        key: record.key.clone(),
        title,
        description,
        kind,
        priority,
        project: repository,
        parent: None,
        labels,
        estimate_hours: None,
        depends_on: Vec::new(),
        related: Vec::new(),
        state: state(record, &status, report)?,
        assignee: who.first().cloned(),
        closed_at: record.moment("closedAt", report)?,
        deadline: due.moment("dueOn", report)?,
        not_before: None,
        source,
    };
    let line = record.line;
    let (settled, gathers) = (matches!(task.state, ImportedState::Cancelled { .. }), false);
    Ok(Draft {
        line,
        task,
        edges: Vec::new(),
        status,
        priority: priority_word,
        kind: kind_word,
        settled,
        gathers,
    })
}

/// Returns `owner/repo` of an issue's address.
fn repository(url: &str) -> Option<String> {
    let mut parts = url.split_once("://")?.1.split('/').skip(1);
    let (owner, name, kind) = (parts.next()?, parts.next()?, parts.next()?);
    let repository = format!("{owner}/{name}");
    (kind == "issues" && kapell_model::Name::new(&repository).is_ok()).then_some(repository)
}

/// Returns one text of each object in a list, such as the names of labels.
fn members(record: &Record<'_>, field: &str, member: &str) -> Result<Vec<String>, Refusal> {
    let one = |item: &Value| match (item, &item[member]) {
        (Value::String(text), _) | (_, Value::String(text)) => Ok(text.clone()),
        _ => Err(record
            .refuse(field, format!("an object with the text `{member}` is expected, not {}", sort_of(item)))),
    };
    record.list(field)?.iter().map(one).collect()
}

fn state(record: &Record<'_>, status: &str, report: &mut ImportReport) -> Result<ImportedState, Refusal> {
    if status.eq_ignore_ascii_case("open") {
        return Ok(ImportedState::Open);
    }
    if !status.eq_ignore_ascii_case("closed") {
        report
            .inferred
            .push(record.finding("state", format!("`{}` is unknown, taken as open", status.escape_debug())));
        return Ok(ImportedState::Open);
    }
    let reason = record.text("stateReason")?.unwrap_or_default().to_ascii_lowercase();
    Ok(match reason.as_str() {
        "not_planned" => ImportedState::Cancelled { reason: "closed on GitHub as not planned".to_owned() },
        "duplicate" => ImportedState::Cancelled { reason: "closed on GitHub as a duplicate".to_owned() },
        _ => ImportedState::Completed { reason: None },
    })
}

fn priority(labels: &[String], record: &Record<'_>, report: &mut ImportReport) -> (Priority, String) {
    for label in labels {
        let word = label.to_ascii_lowercase();
        let word = word
            .trim_start_matches("priority")
            .trim_start_matches("prio")
            .trim_start_matches([':', '/', '-', '_', ' ']);
        let found = match word {
            "critical" | "urgent" | "p0" | "blocker" => Some(Priority::Critical),
            "high" | "p1" => Some(Priority::High),
            "medium" | "normal" | "p2" => Some(Priority::Medium),
            "low" | "p3" | "p4" => Some(Priority::Low),
            _ => None,
        };
        if let Some(found) = found {
            return (found, label.clone());
        }
    }
    report.inferred.push(record.finding("labels", "no label is a priority, taken as medium"));
    (Priority::Medium, "none".to_owned())
}

fn kind(labels: &[String], record: &Record<'_>, report: &mut ImportReport) -> (String, String) {
    for label in labels {
        let word = label.to_ascii_lowercase();
        let word =
            word.trim_start_matches("type").trim_start_matches("kind").trim_start_matches([':', '/', ' ']);
        let found = match word {
            "bug" => Some("bug"),
            "enhancement" | "feature" => Some("feature"),
            "documentation" | "docs" => Some("docs"),
            _ => None,
        };
        if let Some(found) = found {
            return (found.to_owned(), label.clone());
        }
    }
    report.inferred.push(record.finding("labels", "no label is a type, taken as `task`"));
    ("task".to_owned(), "none".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{Format, read_bytes};

    const ISSUES: &str = r##"[
  {"number": 12, "title": "Serve the list", "body": "Blocked by #7.", "state": "OPEN", "stateReason": "",
   "labels": [{"id": "x", "name": "bug", "color": "red"}, {"name": "Priority: High"}],
   "assignees": [{"login": "mona"}], "milestone": {"title": "v1", "dueOn": "2026-03-01T00:00:00Z"},
   "url": "https://github.com/acme/rooms/issues/12", "closedAt": null},
  {"number": 7, "title": "Store the rooms", "body": "", "state": "CLOSED", "stateReason": "COMPLETED", "labels": [],
   "url": "https://github.com/acme/rooms/issues/7", "closedAt": "2026-01-02T03:04:05Z"},
  {"number": 8, "title": "Paint the rooms", "state": "CLOSED", "stateReason": "NOT_PLANNED",
   "url": "https://github.com/acme/rooms/issues/8"},
  {"number": "9", "title": "Broken"}
]"##;

    #[test]
    fn issues_become_tasks_and_nothing_is_lost_in_silence() {
        let imported = read_bytes("issues.json", ISSUES.as_bytes(), None, false).expect("a list");
        assert_eq!(imported.report.format, Format::Github);
        let task =
            |key: &str| imported.tasks.iter().find(|it| it.key.as_deref() == Some(key)).expect("a task");
        let open = task("acme/rooms#12");
        assert_eq!((open.priority.as_str(), open.kind.as_str()), ("high", "bug"));
        assert_eq!(
            (open.project.as_deref(), open.deadline.as_deref()),
            (Some("acme/rooms"), Some("2026-03-01T00:00:00.000Z"))
        );
        assert_eq!(open.labels, ["bug", "Priority: High"]);
        let source = open.source.as_ref().expect("a source");
        assert_eq!(
            (&source["assignees"][0]["login"], &source["labels"][0]["color"]),
            (&"mona".into(), &"red".into())
        );
        let closed = |key: &str| task(key).closed.clone().expect("closed");
        assert_eq!(
            (closed("acme/rooms#7").state, closed("acme/rooms#7").at),
            ("completed".to_owned(), Some("2026-01-02T03:04:05.000Z".to_owned()))
        );
        assert_eq!(closed("acme/rooms#8").state, "cancelled");
        let refused = &imported.report.refused[0];
        assert_eq!((imported.tasks.len(), refused.line, refused.field.as_deref()), (3, 10, Some("number")));
        assert!(imported.report.changed.iter().any(|it| it.what.contains("assigned to mona")));
    }

    #[test]
    fn an_issue_without_an_address_has_a_key_all_the_same() {
        let imported = read_bytes("x", br#"[{"number":3,"title":"A"}]"#, None, true).expect("a list");
        assert_eq!(imported.tasks[0].key.as_deref(), Some("gh-3"));
        let error = read_bytes("x", b"{}", Some(Format::Github), true).expect_err("no list");
        assert!(error.to_string().contains("no list of issues"), "{error}");
    }
}
