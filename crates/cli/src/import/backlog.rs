//! Reads a folder of Backlog.md: one Markdown file a task, with front matter; the folder that it is in says where it stands.
//!
//! | Backlog.md | Kapell |
//! | --- | --- |
//! | `tasks/`, status `To Do`, `In Progress` | open; who had it stays with the source |
//! | `tasks/`, the last status of `config.yml`, or `Done` | completed |
//! | `completed/` | completed |
//! | `archive/` | completed where its status says so, else cancelled; nothing waits for it |
//! | `drafts/` | open with low priority and the label `deferred`, unless it is done |
//! | `priority` high, medium, low, none | high, medium, low, medium |
//! | `dependencies` | waits |
//! | `parent_task_id` | the parent |
//! | the text behind the front matter | the description, as it is |
//!
//! Ids are matched by their number, since a prefix may change over time (`task-12`, `BACK-12`). A second task of the same id,
//! as an archive may have one, gets its folder in front.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use kapell_model::{DependencyKind, Priority};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::beads::mark_deferred;
use super::front;
use super::record::{Draft, DraftEdge, Record, key_of, with_findings};
use super::report::{ImportReport, Refusal};
use super::task::{FILE_FIELD, ImportedState, ImportedTask};

/// The format's name in the task's source.
pub const NAME: &str = "backlog";
/// The field of a task's source that has the file's path in the folder.
pub const PATH_FIELD: &str = "$path";
/// The field with the front matter as it stands in the file.
pub const FRONT_FIELD: &str = "$front";
/// The field with the number of line breaks before and behind the text, where they are not one each.
pub const AROUND_FIELD: &str = "$around";
/// The file that says which statuses there are.
pub const CONFIG: &str = "config.yml";

/// The folders, in the order in which an id is theirs.
const FOLDERS: [&str; 4] = ["tasks", "completed", "drafts", "archive"];

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its path in the folder, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
    /// Where it was before, where an export puts it elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
}

/// Returns the folder of a project that has one.
pub fn folder(path: &Path) -> Option<std::path::PathBuf> {
    let inside = [path.to_owned(), path.join("backlog"), path.join(".backlog")];
    inside.into_iter().find(|path| path.join("tasks").is_dir() || path.join(CONFIG).is_file())
}

/// Reads the files of a folder that can be tasks, and its configuration.
pub fn gather(folder: &Path) -> anyhow::Result<Vec<Page>> {
    let mut pages = Vec::new();
    for name in FOLDERS {
        gather_in(folder, name, &mut pages)?;
    }
    if pages.is_empty() {
        bail!("{} has no task in tasks, completed, drafts or archive", folder.display());
    }
    if folder.join(CONFIG).is_file() {
        pages.push(page(folder, CONFIG)?);
    }
    Ok(pages)
}

fn gather_in(folder: &Path, inside: &str, pages: &mut Vec<Page>) -> anyhow::Result<()> {
    let path = folder.join(inside);
    if !path.is_dir() {
        return Ok(());
    }
    let entries = std::fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| anyhow::anyhow!("{name:?} is no UTF-8"))?;
        names.push((name, entry.file_type()?.is_dir()));
    }
    names.sort();
    for (name, is_folder) in names {
        let inside = format!("{inside}/{name}");
        if is_folder {
            gather_in(folder, &inside, pages)?;
        } else if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            pages.push(page(folder, &inside)?);
        }
    }
    Ok(())
}

fn page(folder: &Path, inside: &str) -> anyhow::Result<Page> {
    let path = folder.join(inside);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Page { path: inside.to_owned(), text, was: None })
}

/// The statuses of a folder, from the first to the last.
pub fn statuses(pages: &[Page]) -> Vec<String> {
    let config = pages.iter().find(|page| page.path == CONFIG);
    let fields = config.and_then(|page| front::fields(&page.text).ok()).unwrap_or_default();
    let listed = fields.get("statuses").and_then(Value::as_array).cloned().unwrap_or_default();
    let listed: Vec<String> = listed.iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect();
    if listed.is_empty() { ["To Do", "In Progress", "Done"].map(str::to_owned).to_vec() } else { listed }
}

/// Reads the pages. A file without front matter is no task; what is refused is in the report, with its path.
pub fn read(pages: &[Page], report: &mut ImportReport) -> Vec<Draft> {
    let statuses = statuses(pages);
    let mut found = Vec::new();
    for page in pages.iter().filter(|page| page.path != CONFIG) {
        let Some((front, body)) = front::split(&page.text) else { continue };
        report.records += 1;
        let refuse = |(line, reason): (usize, String)| Refusal {
            file: Some(page.path.clone()),
            line: line + 1,
            column: None,
            field: None,
            reason,
        };
        match front::fields(front) {
            Ok(mut fields) => {
                fields.insert("body".to_owned(), Value::from(body.trim_matches('\n')));
                found.push((page, front, body, fields));
            }
            Err(error) => report.refused.push(refuse(error)),
        }
    }
    let keys = keys(&found);
    let mut drafts = Vec::new();
    for (place, (page, front, body, fields)) in found.iter().enumerate() {
        let mut lines = front::lines(front);
        lines.insert("body".to_owned(), front.lines().count() + 3);
        let line = |field: &str| lines.get(field).copied().unwrap_or(1);
        let read = with_findings(report, |findings| {
            let record = record(fields, keys.get(&place))?;
            let mut draft = checked(&record, &page.path, &statuses, &keys, findings)?;
            for finding in
                findings.inferred.iter_mut().chain(&mut findings.changed).chain(&mut findings.not_kept)
            {
                (finding.file, finding.line) = (Some(page.path.clone()), line(&finding.field));
            }
            draft.line = line("id");
            let source = &mut draft.task.source;
            source.insert(PATH_FIELD.to_owned(), Value::from(page.path.as_str()));
            source.insert(FRONT_FIELD.to_owned(), Value::from(*front));
            let around = [
                body.len() - body.trim_start_matches('\n').len(),
                body.len() - body.trim_end_matches('\n').len(),
            ];
            if around != [1, 1] {
                source.insert(AROUND_FIELD.to_owned(), Value::from(around.to_vec()));
            }
            Ok(draft)
        });
        match read {
            Ok(draft) => drafts.push(draft),
            Err(refusal) => {
                let line = refusal.field.as_deref().map_or(refusal.line, line);
                report.refused.push(Refusal { file: Some(page.path.clone()), line, ..refusal });
            }
        }
    }
    let config = pages.iter().find(|page| page.path == CONFIG);
    if let (Some(config), Some(first)) = (config, drafts.first_mut()) {
        first.task.source.insert(FILE_FIELD.to_owned(), Value::from(config.text.as_str()));
    }
    drafts
}

/// What every task is called, and whose a number is.
struct Keys {
    of: Vec<Option<String>>,
    numbers: BTreeMap<String, String>,
}

impl Keys {
    fn get(&self, place: &usize) -> Option<&str> {
        self.of[*place].as_deref()
    }

    /// Returns the key of what an id means.
    fn named(&self, id: &str) -> String {
        self.numbers.get(&number(id)).cloned().unwrap_or_else(|| id.to_owned())
    }
}

fn keys(found: &[(&Page, &str, &str, Map<String, Value>)]) -> Keys {
    let mut keys = Keys { of: Vec::new(), numbers: BTreeMap::new() };
    for (page, _, _, fields) in found {
        let id = fields.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let key = id.and_then(|id| key_of(NAME, id).ok());
        let key = match (id, key) {
            (Some(id), Some(key)) if keys.numbers.contains_key(&number(id)) => {
                Some(format!("{}/{key}", folder_of(&page.path)))
            }
            (Some(id), Some(key)) => {
                keys.numbers.insert(number(id), key.clone());
                Some(key)
            }
            _ => None,
        };
        keys.of.push(key);
    }
    keys
}

/// Returns what of an id never changes: `24.1` of `task-24.01`. Drafts and milestones count for themselves.
pub fn number(id: &str) -> String {
    let id = id.to_lowercase();
    let (prefix, rest) = id.split_once('-').unwrap_or(("", &id));
    let parts: Vec<&str> = rest.split('.').map(|part| part.trim_start_matches('0')).collect();
    match prefix {
        "draft" | "m" => format!("{prefix}-{}", parts.join(".")),
        _ => parts.join("."),
    }
}

fn folder_of(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

fn record<'a>(fields: &'a Map<String, Value>, key: Option<&str>) -> Result<Record<'a>, Refusal> {
    let record = Record { line: 1, key: key.unwrap_or_default().to_owned(), fields };
    match (record.text("id")?, key) {
        (Some(_), Some(_)) => Ok(record),
        (Some(id), None) => Err(record.refuse("id", key_of(NAME, id).err().unwrap_or_default())),
        (None, _) => Err(record.refuse("id", "missing")),
    }
}

fn checked(
    record: &Record<'_>,
    path: &str,
    statuses: &[String],
    keys: &Keys,
    report: &mut ImportReport,
) -> Result<Draft, Refusal> {
    let id = record.text("id")?.unwrap_or_default();
    if record.key != id {
        report.changed.push(record.finding("id", format!("`{id}` stands for another task, too")));
    }
    let title = record.title("title", record.text("title")?.unwrap_or_default(), report)?;
    let description = record.description("body", &[], report)?;
    let given = texts(record, "labels")?;
    let only = Map::from_iter([("labels".to_owned(), Value::from(given))]);
    let mut labels = Record { line: 1, key: record.key.clone(), fields: &only }.labels("labels", report)?;
    let status = record.status(statuses.first().map_or("To Do", String::as_str), report)?;
    let state = state(record, path, &status, statuses, report);
    let (mut priority, priority_word) = priority(record, report)?;
    if state == ImportedState::Deferred {
        priority = Priority::Low;
        mark_deferred(&mut labels);
    }
    let who = texts(record, "assignee")?;
    if state == ImportedState::Open && !who.is_empty() {
        let what = format!("assigned to {} in the source; in the queue here", who.join(", ").escape_debug());
        report.changed.push(record.finding("assignee", what));
    }
    let same_body = record.text("body")? == Some(description.as_str());
    let source = record.source(NAME, if same_body { &["body"] } else { &[] }, report);
    let task = ImportedTask {
        key: record.key.clone(),
        title,
        description,
        kind: "task".to_owned(),
        priority,
        project: None,
        parent: None,
        labels,
        estimate_hours: None,
        depends_on: Vec::new(),
        related: Vec::new(),
        assignee: who.first().cloned(),
        closed_at: None,
        deadline: None,
        not_before: None,
        source,
        state,
    };
    let settled = matches!(task.state, ImportedState::Cancelled { .. });
    let edges = edges(record, keys)?;
    Ok(Draft {
        line: 1,
        task,
        edges,
        status,
        priority: priority_word,
        kind: String::new(),
        settled,
        gathers: false,
    })
}

/// Returns the texts of a field that is a list, or one text.
fn texts(record: &Record<'_>, field: &str) -> Result<Vec<String>, Refusal> {
    if let Some(Value::String(text)) = record.value(field) {
        return Ok(Some(text.clone()).filter(|text| !text.is_empty()).into_iter().collect());
    }
    Ok(record.list(field)?.iter().filter_map(|item| Some(item.as_str()?.to_owned())).collect())
}

/// Tells whether a status says that a task is finished.
pub fn is_done(status: &str, statuses: &[String]) -> bool {
    let last = statuses.last().is_some_and(|last| last.eq_ignore_ascii_case(status));
    last || ["done", "completed", "closed"].contains(&status.to_lowercase().as_str())
}

fn state(
    record: &Record<'_>,
    path: &str,
    status: &str,
    statuses: &[String],
    report: &mut ImportReport,
) -> ImportedState {
    let folder = folder_of(path);
    let called_off =
        ["won't do", "wont do", "cancelled", "canceled"].contains(&status.to_lowercase().as_str());
    if folder == "completed" || is_done(status, statuses) {
        return ImportedState::Completed { reason: None };
    }
    if folder == "archive" || called_off {
        let reason = if called_off {
            format!("`{status}` in Backlog.md")
        } else {
            "archived in Backlog.md".to_owned()
        };
        return ImportedState::Cancelled { reason };
    }
    if folder == "drafts" {
        report
            .changed
            .push(record.finding("status", "a draft: open with low priority and the label `deferred`"));
        return ImportedState::Deferred;
    }
    let first = statuses.first().is_some_and(|first| first.eq_ignore_ascii_case(status));
    if statuses.iter().any(|known| known.eq_ignore_ascii_case(status)) && !first {
        report
            .changed
            .push(record.finding("status", format!("{status} in the source; back in the queue here")));
    } else if !first {
        let what = format!("`{}` is unknown, taken as open", status.escape_debug());
        report.inferred.push(record.finding("status", what));
    }
    ImportedState::Open
}

fn priority(record: &Record<'_>, report: &mut ImportReport) -> Result<(Priority, String), Refusal> {
    let Some(word) = record.text("priority")?.filter(|word| !word.is_empty()) else {
        report.inferred.push(record.finding("priority", "missing, taken as medium"));
        return Ok((Priority::Medium, "missing".to_owned()));
    };
    let priority = match word.to_lowercase().as_str() {
        "critical" => Priority::Critical,
        "high" => Priority::High,
        "medium" => Priority::Medium,
        "low" => Priority::Low,
        _ => {
            return Err(
                record.refuse("priority", format!("`{}` is none of high, medium, low", word.escape_debug()))
            );
        }
    };
    Ok((priority, word.to_owned()))
}

fn edges(record: &Record<'_>, keys: &Keys) -> Result<Vec<DraftEdge>, Refusal> {
    let edge = |id: &str, source_kind: &str, kind| DraftEdge {
        on: keys.named(id),
        source_kind: source_kind.to_owned(),
        kind: Some(kind),
        owner: None,
    };
    let waits = texts(record, "dependencies")?;
    let mut edges: Vec<DraftEdge> =
        waits.iter().map(|id| edge(id, "dependencies", DependencyKind::Blocks)).collect();
    if let Some(parent) = record.text("parent_task_id")?.filter(|parent| !parent.is_empty()) {
        edges.push(edge(parent, "parent_task_id", DependencyKind::ParentChild));
    }
    Ok(edges)
}
