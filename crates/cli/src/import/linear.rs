//! Reads what Linear exports as CSV.
//!
//! | Linear | Kapell |
//! | --- | --- |
//! | `ID` | the key |
//! | `Project` | the project, as a name |
//! | `Completed`, or the status `Done` | completed |
//! | `Canceled`, `Archived`, or the status `Canceled`, `Duplicate` | cancelled |
//! | Urgent, High, Medium, Low, No priority | critical, high, medium, low, medium |
//! | `Labels`, apart by commas | labels; `Bug` and `Feature` are the type too |
//! | `Parent issue` | the parent |
//! | `Blocked by` | waits |
//! | `Related to`, `Duplicate of` | related |
//! | `Due Date` | the deadline |
//!
//! `Estimate` is in points, which are no hours: it is kept with the task, like every other column.

use kapell_model::{DependencyKind, Priority, limits};
use serde_json::{Map, Value};

use super::record::{Draft, DraftEdge, Record, key_of, with_findings};
use super::report::{ImportReport, Refusal};
use super::table::{self, Day, listed};
use super::task::{ImportedState, ImportedTask};

/// The format's name in the task's source.
pub const NAME: &str = "linear";

/// Whether these are columns of Linear.
pub fn looks_like(columns: &[String]) -> bool {
    ["ID", "Team", "Title", "Status"].iter().all(|name| columns.iter().any(|column| column == name))
}

/// Reads the table; what is refused is in the report.
pub fn read(bytes: &[u8], report: &mut ImportReport) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for (line, cells) in table::rows(bytes, report) {
        match with_findings(report, |findings| draft(line, &cells, findings)) {
            Ok(draft) => drafts.push(draft),
            Err(refusal) => report.refused.push(refusal),
        }
    }
    drafts
}

fn draft(line: usize, cells: &Map<String, Value>, report: &mut ImportReport) -> Result<Draft, Refusal> {
    let nameless = Record { line, key: String::new(), fields: cells };
    let id = nameless.text("ID")?.ok_or_else(|| nameless.refuse("ID", "missing"))?;
    let key = key_of(NAME, id).map_err(|reason| nameless.refuse("ID", reason))?;
    let record = Record { key, ..nameless };
    let title = record.title("Title", record.text("Title")?.unwrap_or_default(), report)?;
    let description = record.description("Description", &[], report)?;
    let given = listed(&record, "Labels", ",");
    let only = Map::from_iter([("Labels".to_owned(), Value::from(given))]);
    let labels = Record { line, key: record.key.clone(), fields: &only }.labels("Labels", report)?;
    let status = record.text("Status")?.unwrap_or_default().to_owned();
    let (state, closed_at) = state(&record, &status, report);
    let (priority, priority_word) = priority(&record, report)?;
    let kind = labels
        .iter()
        .map(|label| label.to_lowercase())
        .find(|label| ["bug", "feature"].contains(&label.as_str()));
    let assignee = record.text("Assignee")?.map(str::to_owned);
    if let (Some(who), ImportedState::Open) = (&assignee, &state) {
        let what = format!("assigned to {} in the source; in the queue here", who.escape_debug());
        report.changed.push(record.finding("Assignee", what));
    }
    let same = record.text("Description")? == Some(description.as_str());
    let unchanged: &[&str] = if same { &["Title", "Description"] } else { &["Title"] };
    let task = ImportedTask {
        description,
        kind: kind.unwrap_or_else(|| "task".to_owned()),
        priority,
        project: record.text("Project")?.and_then(table::name),
        parent: None,
        labels,
        estimate_hours: None,
        depends_on: Vec::new(),
        related: Vec::new(),
        assignee,
        closed_at,
        deadline: table::moment(&record, "Due Date", Day::Ends, report),
        not_before: None,
        source: record.source(
            NAME,
            if record.text("Title")? == Some(title.as_str()) { unchanged } else { &unchanged[1..] },
            report,
        ),
        title,
        state,
        key: record.key.clone(),
    };
    let settled = matches!(task.state, ImportedState::Cancelled { .. });
    let edges = edges(&record)?;
    Ok(Draft {
        line,
        task,
        edges,
        status,
        priority: priority_word,
        kind: String::new(),
        settled,
        gathers: false,
    })
}

/// Returns the state and since when.
fn state(record: &Record<'_>, status: &str, report: &mut ImportReport) -> (ImportedState, Option<String>) {
    let word = status.to_lowercase();
    let since = |column: &str, report: &mut ImportReport| table::moment(record, column, Day::Begins, report);
    let said = |column: &str| record.value(column).is_some();
    if said("Canceled") || ["canceled", "cancelled", "duplicate"].contains(&word.as_str()) {
        let reason = format!("`{status}` in Linear");
        return (ImportedState::Cancelled { reason }, since("Canceled", report));
    }
    if said("Completed") || ["done", "completed"].contains(&word.as_str()) {
        return (ImportedState::Completed { reason: None }, since("Completed", report));
    }
    if said("Archived") {
        return (
            ImportedState::Cancelled { reason: "archived in Linear".to_owned() },
            since("Archived", report),
        );
    }
    if !["backlog", "todo", "triage", ""].contains(&word.as_str()) {
        report
            .changed
            .push(record.finding("Status", format!("{status} in the source; back in the queue here")));
    }
    (ImportedState::Open, None)
}

fn priority(record: &Record<'_>, report: &mut ImportReport) -> Result<(Priority, String), Refusal> {
    let word = record.text("Priority")?.unwrap_or("No priority");
    let priority = match word.to_lowercase().as_str() {
        "urgent" => Priority::Critical,
        "high" => Priority::High,
        "medium" => Priority::Medium,
        "low" => Priority::Low,
        _ => {
            report
                .inferred
                .push(record.finding("Priority", format!("`{}`, taken as medium", word.escape_debug())));
            Priority::Medium
        }
    };
    Ok((priority, word.to_owned()))
}

fn edges(record: &Record<'_>) -> Result<Vec<DraftEdge>, Refusal> {
    let mut edges = Vec::new();
    for (column, kind) in [
        ("Parent issue", DependencyKind::ParentChild),
        ("Blocked by", DependencyKind::Blocks),
        ("Related to", DependencyKind::Related),
        ("Duplicate of", DependencyKind::Related),
    ] {
        for id in listed(record, column, ",") {
            let on = key_of(NAME, &id).unwrap_or(id);
            edges.push(DraftEdge { on, source_kind: column.to_owned(), kind: Some(kind), owner: None });
        }
    }
    if edges.iter().filter(|edge| edge.kind == Some(DependencyKind::Blocks)).count()
        > limits::DEPENDENCIES_MAX
    {
        return Err(record.refuse("Blocked by", format!("more than {} waits", limits::DEPENDENCIES_MAX)));
    }
    Ok(edges)
}

#[cfg(test)]
mod tests {
    use super::super::{Format, read_bytes};

    const ISSUES: &str = "\"ID\",\"Team\",\"Title\",\"Description\",\"Status\",\"Estimate\",\"Priority\",\"Project\",\"Assignee\",\"Labels\",\"Completed\",\"Canceled\",\"Archived\",\"Due Date\",\"Parent issue\",\"Related to\",\"Blocked by\",\"Duplicate of\"\n\
        \"RM-1\",\"RM\",\"Serve the list\",\"Two\nlines\",\"In Progress\",\"3\",\"Urgent\",\"The Rooms!\",\"kim@rooms.invalid\",\"Bug, web\",\"\",\"\",\"\",\"Thu Jun 25 2026 23:00:00 GMT+0000 (GMT+00:00)\",\"RM-3\",\"\",\"RM-2, RM-8\",\"\"\n\
        \"RM-2\",\"RM\",\"Store\",\"\",\"Shipped\",\"\",\"No priority\",\"\",\"\",\"\",\"Wed May 13 2026 11:21:41 GMT+0000 (GMT+00:00)\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"\n\
        \"RM-3\",\"RM\",\"Paint\",\"\",\"Canceled\",\"\",\"Low\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"RM-2\"\n";

    #[test]
    fn issues_become_tasks_and_every_column_is_kept() {
        let imported = read_bytes("issues.csv", ISSUES.as_bytes(), None, true).expect("a table");
        assert_eq!((imported.report.format, imported.tasks.len()), (Format::Linear, 3));
        let task =
            |key: &str| imported.tasks.iter().find(|it| it.key.as_deref() == Some(key)).expect("a task");
        let open = task("RM-1");
        assert_eq!(
            (open.priority.as_str(), open.kind.as_str(), open.project.as_deref()),
            ("critical", "bug", Some("The-Rooms"))
        );
        assert_eq!(open.deadline.as_deref(), Some("2026-06-25T23:00:00.000Z"));
        assert_eq!((open.parent.as_deref(), &open.depends_on), (Some("RM-3"), &vec!["RM-2".to_owned()]));
        let source = open.source.as_ref().expect("a source");
        assert_eq!((&source["Estimate"], source.get("Description")), (&"3".into(), None));
        let done = task("RM-2").closed.clone().expect("closed");
        assert_eq!(
            (done.state.as_str(), done.at.as_deref()),
            ("completed", Some("2026-05-13T11:21:41.000Z"))
        );
        assert_eq!(task("RM-3").closed.as_ref().map(|closed| closed.state.as_str()), Some("cancelled"));
        let waits = imported.report.edges_of("Blocked by");
        assert_eq!((waits.found, waits.kept, waits.dangling), (2, 1, 1), "{}", imported.report);
    }
}
