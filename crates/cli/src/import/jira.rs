//! Reads what Jira exports as CSV, with all fields or with some.
//!
//! | Jira | Kapell |
//! | --- | --- |
//! | `Issue key` | the key |
//! | `Project key` | the project |
//! | `Status Category` `Done`, a `Resolution`, or a status like `Done`, `Closed`, `Resolved` | completed |
//! | `Resolution` like `Won't Do`, `Duplicate`, `Cannot Reproduce` | cancelled |
//! | Highest, Blocker, Critical; High, Major; Medium; Low, Minor, Lowest, Trivial | critical; high; medium; low |
//! | `Issue Type` | the type in small letters, a sub-task being a task |
//! | `Parent key`, `Parent`, `Parent id`, `Custom field (Epic Link)` | the parent |
//! | `Inward issue link (Blocks)` | a wait; `Outward` is a wait of the other |
//! | other issue links | related |
//! | `Original estimate`, in seconds | the estimate |
//! | `Due date` | the deadline: the end of that day in UTC |
//!
//! A column that stands there more than once is a list. Every column is kept with the task.

use std::collections::BTreeMap;

use kapell_model::{DependencyKind, Priority, limits};
use serde_json::{Map, Value};

use super::record::{Draft, DraftEdge, Record, key_of, with_findings};
use super::report::{ImportReport, Refusal};
use super::table::{self, Day, listed};
use super::task::{ImportedState, ImportedTask};

/// The format's name in the task's source.
pub const NAME: &str = "jira";

/// Whether these are columns of Jira.
pub fn looks_like(columns: &[String]) -> bool {
    let has = |name: &str| columns.iter().any(|column| column == name);
    has("Issue key") && has("Summary")
}

/// Reads the table; what is refused is in the report.
pub fn read(bytes: &[u8], report: &mut ImportReport) -> Vec<Draft> {
    let rows = table::rows(bytes, report);
    let ids: BTreeMap<&str, &str> = rows
        .iter()
        .filter_map(|(_, cells)| Some((cells.get("Issue id")?.as_str()?, cells.get("Issue key")?.as_str()?)))
        .collect();
    let (mut drafts, mut blocked) = (Vec::new(), Vec::new());
    for (line, cells) in &rows {
        match with_findings(report, |findings| draft(*line, cells, &ids, findings)) {
            Ok((draft, blocks)) => {
                blocked.extend(blocks.into_iter().map(|other| (other, draft.task.key.clone())));
                drafts.push(draft);
            }
            Err(refusal) => report.refused.push(refusal),
        }
    }
    for (task, on) in blocked {
        turned(&mut drafts, &task, &on);
    }
    drafts
}

/// Adds what the other side of a link says, where the task's own row does not say it.
fn turned(drafts: &mut [Draft], task: &str, on: &str) {
    let edge =
        |on: &str, kind| DraftEdge { on: on.to_owned(), source_kind: "Blocks".to_owned(), kind, owner: None };
    match drafts.iter_mut().find(|draft| draft.task.key == task) {
        Some(draft)
            if draft.edges.iter().any(|it| it.on == on && it.kind == Some(DependencyKind::Blocks)) => {}
        Some(draft) => draft.edges.push(edge(on, Some(DependencyKind::Blocks))),
        // What is blocked is not in the file: a dangling edge of the task that blocks it.
        None => {
            if let Some(draft) = drafts.iter_mut().find(|draft| draft.task.key == on) {
                draft.edges.push(edge(task, None));
            }
        }
    }
}

/// Reads a row: the task, and the keys of what it blocks.
fn draft(
    line: usize,
    cells: &Map<String, Value>,
    ids: &BTreeMap<&str, &str>,
    report: &mut ImportReport,
) -> Result<(Draft, Vec<String>), Refusal> {
    let nameless = Record { line, key: String::new(), fields: cells };
    let id = nameless.text("Issue key")?.ok_or_else(|| nameless.refuse("Issue key", "missing"))?;
    let key = key_of(NAME, id).map_err(|reason| nameless.refuse("Issue key", reason))?;
    let record = Record { key, ..nameless };
    let title = record.title("Summary", record.text("Summary")?.unwrap_or_default(), report)?;
    let description = record.description("Description", &[], report)?;
    // One cell holds labels apart by spaces, which no label can have.
    let given = listed(&record, "Labels", " ");
    let only = Map::from_iter([("Labels".to_owned(), Value::from(given))]);
    let labels = Record { line, key: record.key.clone(), fields: &only }.labels("Labels", report)?;
    let status = record.text("Status")?.unwrap_or_default().to_owned();
    let (priority, priority_word) = priority(&record, report)?;
    let kind_word = record.text("Issue Type")?.unwrap_or_default().to_owned();
    let kind = kind(&record, &kind_word, report);
    let state = state(&record, &status, report)?;
    let assignee = record.text("Assignee")?.map(str::to_owned);
    if let (Some(who), ImportedState::Open) = (&assignee, &state) {
        let what = format!("assigned to {} in the source; in the queue here", who.escape_debug());
        report.changed.push(record.finding("Assignee", what));
    }
    let same = record.text("Description")? == Some(description.as_str());
    let unchanged: &[&str] = if same { &["Description"] } else { &[] };
    let blocks = listed(&record, "Outward issue link (Blocks)", "\u{0}");
    let task = ImportedTask {
        title,
        description,
        priority,
        project: project(&record, id)?,
        parent: None,
        labels,
        estimate_hours: estimate_hours(&record, report),
        depends_on: Vec::new(),
        related: Vec::new(),
        assignee,
        closed_at: table::moment(&record, "Resolved", Day::Begins, report)
            .filter(|_| !matches!(state, ImportedState::Open)),
        deadline: table::moment(&record, "Due date", Day::Ends, report),
        not_before: None,
        state,
        source: record.source(NAME, unchanged, report),
        key: record.key.clone(),
        kind,
    };
    let settled = matches!(task.state, ImportedState::Cancelled { .. });
    let gathers = kind_word.eq_ignore_ascii_case("epic");
    let edges = edges(&record, ids)?;
    let draft =
        Draft { line, task, edges, status, priority: priority_word, kind: kind_word, settled, gathers };
    Ok((draft, blocks.iter().map(|id| key_of(NAME, id).unwrap_or_else(|_| id.clone())).collect()))
}

fn project(record: &Record<'_>, id: &str) -> Result<Option<String>, Refusal> {
    let named = record.text("Project key")?.or_else(|| id.rsplit_once('-').map(|(project, _)| project));
    Ok(named.and_then(table::name))
}

fn state(record: &Record<'_>, status: &str, report: &mut ImportReport) -> Result<ImportedState, Refusal> {
    let word = status.to_lowercase();
    let resolution = record.text("Resolution")?.filter(|word| !word.eq_ignore_ascii_case("unresolved"));
    let category = record.text("Status Category")?;
    let closed = match (category, resolution) {
        (Some(category), _) => category.eq_ignore_ascii_case("done"),
        (None, Some(_)) => true,
        (None, None) => ["done", "closed", "resolved", "complete", "completed"].contains(&word.as_str()),
    };
    let off = [
        "won't do",
        "won't fix",
        "wont do",
        "wont fix",
        "duplicate",
        "declined",
        "rejected",
        "obsolete",
        "cannot reproduce",
        "cancelled",
        "canceled",
        "abandoned",
    ];
    let called_off = |word: &str| off.contains(&word.to_lowercase().as_str());
    if closed || called_off(&word) {
        let reason = [resolution, Some(status)].into_iter().flatten().find(|word| called_off(word));
        return Ok(match reason {
            Some(reason) => ImportedState::Cancelled { reason: format!("`{reason}` in Jira") },
            None => ImportedState::Completed { reason: resolution.map(str::to_owned) },
        });
    }
    if !["to do", "open", "backlog", "new", "reopened", ""].contains(&word.as_str()) {
        report
            .changed
            .push(record.finding("Status", format!("{status} in the source; back in the queue here")));
    }
    Ok(ImportedState::Open)
}

fn priority(record: &Record<'_>, report: &mut ImportReport) -> Result<(Priority, String), Refusal> {
    let word = record.text("Priority")?.unwrap_or_default();
    let priority = match word.to_lowercase().as_str() {
        "highest" | "blocker" | "critical" | "p0" => Priority::Critical,
        "high" | "major" | "p1" => Priority::High,
        "medium" | "normal" | "p2" => Priority::Medium,
        "low" | "minor" | "lowest" | "trivial" | "p3" | "p4" => Priority::Low,
        _ => {
            let what = if word.is_empty() {
                "missing, taken as medium".to_owned()
            } else {
                format!("`{}` is unknown, taken as medium", word.escape_debug())
            };
            report.inferred.push(record.finding("Priority", what));
            Priority::Medium
        }
    };
    Ok((priority, if word.is_empty() { "missing".to_owned() } else { word.to_owned() }))
}

fn kind(record: &Record<'_>, word: &str, report: &mut ImportReport) -> String {
    match word.to_lowercase().as_str() {
        "" => {
            report.inferred.push(record.finding("Issue Type", "missing, taken as `task`"));
            "task".to_owned()
        }
        "sub-task" | "subtask" => "task".to_owned(),
        word => table::name(word).unwrap_or_else(|| {
            report.changed.push(record.finding("Issue Type", "taken as `task`: no name"));
            "task".to_owned()
        }),
    }
}

fn estimate_hours(record: &Record<'_>, report: &mut ImportReport) -> Option<f64> {
    let text = listed(record, "Original estimate", "\u{0}").into_iter().next()?;
    let hours = text.parse::<f64>().ok().map(|seconds| seconds / 3_600.0);
    let hours = hours.filter(|hours| *hours > 0.0 && *hours <= limits::ESTIMATE_MAX.0 as f64 / 3_600_000.0);
    if hours.is_none() {
        report
            .not_kept
            .push(record.finding("Original estimate", "no number of seconds above 0 and up to 10,000 h"));
    }
    hours
}

fn edges(record: &Record<'_>, ids: &BTreeMap<&str, &str>) -> Result<Vec<DraftEdge>, Refusal> {
    let key = |id: &str| {
        let id = ids.get(id).copied().unwrap_or(id);
        key_of(NAME, id).unwrap_or_else(|_| id.to_owned())
    };
    let mut edges = Vec::new();
    for column in ["Parent key", "Parent", "Parent id", "Custom field (Epic Link)"] {
        if let Some(parent) = listed(record, column, "\u{0}").first() {
            let (on, source_kind) = (key(parent), "Parent".to_owned());
            edges.push(DraftEdge { on, source_kind, kind: Some(DependencyKind::ParentChild), owner: None });
            break;
        }
    }
    for column in record.fields.keys() {
        let link = |side: &str| column.strip_prefix(side)?.strip_suffix(')').map(str::to_owned);
        let inward = link("Inward issue link (");
        let Some(source_kind) = inward.clone().or_else(|| link("Outward issue link (")) else { continue };
        let kind = match source_kind.as_str() {
            "Blocks" if inward.is_some() => DependencyKind::Blocks,
            "Blocks" => continue,
            _ => DependencyKind::Related,
        };
        for id in listed(record, column, "\u{0}") {
            edges.push(DraftEdge {
                on: key(&id),
                source_kind: source_kind.clone(),
                kind: Some(kind),
                owner: None,
            });
        }
    }
    if edges.iter().filter(|edge| edge.kind == Some(DependencyKind::Blocks)).count()
        > limits::DEPENDENCIES_MAX
    {
        let what = format!("more than {} waits", limits::DEPENDENCIES_MAX);
        return Err(record.refuse("Inward issue link (Blocks)", what));
    }
    Ok(edges)
}

#[cfg(test)]
mod tests {
    use super::super::{Format, read_bytes};

    const ISSUES: &str = "\u{feff}Summary,Issue key,Issue id,Issue Type,Status,Project key,Priority,Resolution,Assignee,Due date,Original estimate,Labels,Labels,Description,Inward issue link (Blocks),Outward issue link (Blocks),Outward issue link (Relates),Parent,Custom field (Team)\n\
        The rooms,RM-1,10001,Epic,To Do,RM,High,,,,,,,,,,,,\n\
        \"Serve the list, \"\"fast\"\"\",RM-2,10002,Story,In Progress,RM,Highest,,Kim,02/Mar/26,7200,api,web,\"Two\nlines\",RM-3,RM-9,RM-4,10001,Blue\n\
        Store,RM-3,10003,Sub-task,Done,RM,Medium,Done,,,,,,,,RM-2,,10001,\n\
        Paint,RM-4,10004,Bug,Closed,RM,Odd,Won't Do,,,,,,,,,,,\n\
        broken\n";

    #[test]
    fn issues_become_tasks_and_every_column_is_kept() {
        let imported = read_bytes("issues.csv", ISSUES.as_bytes(), None, false).expect("a table");
        assert_eq!(
            (imported.report.format, imported.report.records, imported.tasks.len()),
            (Format::Jira, 5, 4)
        );
        let task =
            |key: &str| imported.tasks.iter().find(|it| it.key.as_deref() == Some(key)).expect("a task");
        let open = task("RM-2");
        assert_eq!(
            (open.title.as_str(), open.description.as_str()),
            ("Serve the list, \"fast\"", "Two\nlines")
        );
        assert_eq!(
            (open.priority.as_str(), open.kind.as_str(), open.estimate_hours),
            ("critical", "story", Some(2.0))
        );
        assert_eq!((open.parent.as_deref(), &open.depends_on), (Some("RM-1"), &vec!["RM-3".to_owned()]));
        assert_eq!(open.related[0].task, "RM-4");
        assert_eq!(open.deadline.as_deref(), Some("2026-03-02T23:59:59.999Z"));
        assert_eq!(open.labels, ["api", "web"]);
        let source = open.source.as_ref().expect("a source");
        assert_eq!((&source["Custom field (Team)"], &source["$format"]), (&"Blue".into(), &"jira".into()));
        let closed = |key: &str| task(key).closed.as_ref().map(|closed| closed.state.clone());
        assert_eq!(closed("RM-3").as_deref(), Some("completed"));
        assert_eq!(closed("RM-4").as_deref(), Some("cancelled"));
        let blocks = imported.report.edges_of("Blocks");
        assert_eq!((blocks.found, blocks.kept, blocks.dangling), (2, 1, 1), "{}", imported.report);
        let refused = &imported.report.refused[0];
        assert!(refused.line == 7 && refused.reason.contains("1 cells"), "{refused:?}");
    }

    #[test]
    fn a_table_with_semicolons_or_tabs_is_read_like_one_with_commas() {
        let text = "Summary,Issue key,Issue Type,Status,Priority,Description\n\
            \"The rooms; all, of them\",RM-1,Epic,To Do,High,\"One\tand \"\"two\"\"\"\n\
            Store,RM-2,Bug,Done,Low,\n\
            broken\n";
        let with = |separator: &str| {
            let quoted = text.split('"').enumerate();
            let other = |(place, part): (usize, &str)| {
                if place % 2 == 0 { part.replace(',', separator) } else { part.to_owned() }
            };
            let text: Vec<String> = quoted.map(other).collect();
            read_bytes("issues.csv", text.join("\"").as_bytes(), None, false).expect("a table")
        };
        let commas = with(",");
        assert_eq!(commas.tasks[0].title, "The rooms; all, of them");
        assert_eq!((commas.tasks.len(), commas.report.refused.len()), (2, 1));
        assert_eq!(with(";"), commas);
        assert_eq!(with("\t"), commas);
    }
}
