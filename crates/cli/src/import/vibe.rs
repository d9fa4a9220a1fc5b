//! Reads the tasks of vibe-kanban, as its own server answers: `curl 'http://127.0.0.1:PORT/api/tasks?project_id=ID'`.
//!
//! | vibe-kanban | Kapell |
//! | --- | --- |
//! | `id` | the key |
//! | `project_id` | the project |
//! | `todo`, `inprogress`, `inreview` | open |
//! | `done`, `cancelled` | completed, cancelled |
//!
//! Its tasks have no priority, no type and no edges: a parent is an attempt, not a task. Every field is kept with the task.

use kapell_model::Priority;
use serde_json::{Map, Value};

use super::record::{Draft, Record, key_of, sort_of, with_findings};
use super::report::{ImportReport, Refusal};
use super::table;
use super::task::{ImportedState, ImportedTask};

/// The format's name in the task's source.
pub const NAME: &str = "vibe-kanban";

/// Returns whether a value looks like its answer.
pub fn looks_like(value: &Value) -> bool {
    list(value).and_then(|list| list.first()).is_some_and(|first| {
        ["id", "project_id", "title", "status"]
            .iter()
            .all(|field| first.get(*field).is_some_and(Value::is_string))
    })
}

fn list(value: &Value) -> Option<&Vec<Value>> {
    value.as_array().or_else(|| value.get("data")?.as_array())
}

/// Reads the answer. A record's line is its place in the list, from 1.
///
/// # Errors
/// Where the file as a whole is no list.
pub fn read(text: &str, report: &mut ImportReport) -> Result<Vec<Draft>, Refusal> {
    let refuse = |line: usize, column: Option<usize>, reason: String| Refusal {
        file: None,
        line,
        column,
        field: None,
        reason,
    };
    let value: Value = serde_json::from_str(text).map_err(|error| {
        refuse(
            error.line(),
            Some(error.column().max(1)),
            format!("not JSON: {}", super::lines::without_place(&error)),
        )
    })?;
    let Some(list) = list(&value) else {
        return Err(refuse(
            1,
            None,
            "a list of tasks is expected, or an object with one in `data`".to_owned(),
        ));
    };
    let mut drafts = Vec::new();
    for (place, item) in list.iter().enumerate() {
        report.records += 1;
        let line = place + 1;
        let Value::Object(fields) = item else {
            report.refused.push(refuse(line, None, format!("an object is expected, not {}", sort_of(item))));
            continue;
        };
        match with_findings(report, |findings| draft(line, fields, findings)) {
            Ok(draft) => drafts.push(draft),
            Err(refusal) => report.refused.push(refusal),
        }
    }
    Ok(drafts)
}

fn draft(line: usize, fields: &Map<String, Value>, report: &mut ImportReport) -> Result<Draft, Refusal> {
    let nameless = Record { line, key: String::new(), fields };
    let id = nameless.text("id")?.ok_or_else(|| nameless.refuse("id", "missing"))?;
    let key = key_of(NAME, id).map_err(|reason| nameless.refuse("id", reason))?;
    let record = Record { key, ..nameless };
    let title = record.title("title", record.text("title")?.unwrap_or_default(), report)?;
    let description = record.description("description", &[], report)?;
    let status = record.status("todo", report)?;
    let state = match status.as_str() {
        "todo" => ImportedState::Open,
        "done" => ImportedState::Completed { reason: None },
        "cancelled" => ImportedState::Cancelled { reason: "cancelled in vibe-kanban".to_owned() },
        "inprogress" | "inreview" => {
            report
                .changed
                .push(record.finding("status", format!("{status} in the source; back in the queue here")));
            ImportedState::Open
        }
        other => {
            let what = format!("`{}` is unknown, taken as open", other.escape_debug());
            report.inferred.push(record.finding("status", what));
            ImportedState::Open
        }
    };
    let same = record.text("description")? == Some(description.as_str());
    let task = ImportedTask {
        title,
        kind: "task".to_owned(),
        priority: Priority::Medium,
        project: record.text("project_id")?.and_then(table::name),
        parent: None,
        labels: Vec::new(),
        estimate_hours: None,
        depends_on: Vec::new(),
        related: Vec::new(),
        assignee: None,
        closed_at: None,
        deadline: None,
        not_before: None,
        source: record.source(NAME, if same { &["description"] } else { &[] }, report),
        description,
        state,
        key: record.key.clone(),
    };
    let settled = matches!(task.state, ImportedState::Cancelled { .. });
    Ok(Draft {
        line,
        task,
        edges: Vec::new(),
        status,
        priority: "none".to_owned(),
        kind: String::new(),
        settled,
        gathers: false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Format, read_bytes};

    #[test]
    fn tasks_of_its_server_become_tasks() {
        let text = r#"{"success": true, "data": [
            {"id": "a1b2", "project_id": "p-1", "title": "Serve", "description": "All", "status": "inreview", "parent_workspace_id": "w", "odd": 1},
            {"id": "c3", "project_id": "p-1", "title": "Store", "description": null, "status": "done"},
            {"id": "d4", "project_id": "p-1", "title": "Paint", "status": "cancelled"},
            {"id": "e5", "project_id": "p-1", "title": 5}]}"#;
        let imported = read_bytes("tasks.json", text.as_bytes(), None, false).expect("a list");
        assert_eq!((imported.report.format, imported.tasks.len()), (Format::VibeKanban, 3));
        let first = &imported.tasks[0];
        assert_eq!((first.key.as_deref(), first.project.as_deref()), (Some("a1b2"), Some("p-1")));
        assert_eq!(first.source.as_ref().expect("a source")["odd"], 1);
        let closed = |place: usize| imported.tasks[place].closed.as_ref().map(|closed| closed.state.clone());
        assert_eq!((closed(1).as_deref(), closed(2).as_deref()), (Some("completed"), Some("cancelled")));
        let refused = &imported.report.refused[0];
        assert_eq!((refused.line, refused.field.as_deref()), (4, Some("title")));
    }
}
