//! Brings a backlog in: beads, Task Master, Backlog.md, GitHub issues, exports of Jira and Linear, vibe-kanban, or Kapell's own
//! JSON Lines. Nothing of a file is lost in silence: what was
//! mapped, inferred and left out stands in the report, and every field that has no place is kept with the task.

pub mod backlog;
pub mod beads;
pub mod front;
pub mod github;
pub mod jira;
pub mod linear;
mod lines;
mod link;
pub mod order;
pub mod record;
pub(crate) mod report;
mod table;
pub mod task;
pub mod taskmaster;
pub mod vibe;

use std::path::Path;

use anyhow::{Context as _, bail};
use kapell_api::{ClosedWork, Objects, RelatedTask, TaskSubmission};
use kapell_model::{DependencyKind, Priority, limits};
use serde::{Deserialize as _, Serialize};

pub use report::{EdgeCounts, ImportReport};
pub use task::FORMAT_FIELD;
use task::{ImportedState, ImportedTask};

/// What a file is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// beads, `issues.jsonl`.
    Beads,
    /// Task Master, `tasks.json`.
    Taskmaster,
    /// A folder of Backlog.md.
    Backlog,
    /// GitHub issues, as `gh issue list --json` writes them.
    Github,
    /// What Jira exports as CSV.
    Jira,
    /// What Linear exports as CSV.
    Linear,
    /// Tasks of vibe-kanban, as its server answers.
    #[serde(rename = "vibe-kanban")]
    VibeKanban,
    /// Kapell's own: one task submission a line.
    Kapell,
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Beads => "beads",
            Self::Taskmaster => "Task Master",
            Self::Backlog => "Backlog.md",
            Self::Github => "GitHub",
            Self::Jira => "Jira",
            Self::Linear => "Linear",
            Self::VibeKanban => "vibe-kanban",
            Self::Kapell => "Kapell",
        })
    }
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The tasks; each stands after all that it names.
    pub tasks: Vec<TaskSubmission>,
    /// Relations between tasks that name each other, and waits that close a cycle: task, other task, kind. To be added when
    /// all are there.
    pub later: Vec<(String, String, String)>,
    /// What became of what.
    pub report: ImportReport,
}

/// Reads a file. With `strict`, one record that cannot be read refuses all of it.
pub fn read(path: &Path, format: Option<Format>, strict: bool) -> anyhow::Result<Imported> {
    let name = path.display().to_string();
    if path.is_dir() {
        let folder = backlog::folder(path).filter(|_| format.is_none_or(|format| format == Format::Backlog));
        let folder =
            folder.with_context(|| format!("{name} is no folder of Backlog.md: it has no `tasks`"))?;
        let pages = serde_json::to_vec(&backlog::gather(&folder)?)?;
        return read_bytes(&name, &pages, Some(Format::Backlog), strict);
    }
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
    read_bytes(&name, &bytes, format, strict)
}

/// Reads the bytes of a file called `name`; those of a folder are its [pages](backlog::Page) in JSON.
pub fn read_bytes(
    name: &str,
    bytes: &[u8],
    format: Option<Format>,
    strict: bool,
) -> anyhow::Result<Imported> {
    let named = format.is_some();
    let format = match format {
        Some(format) => format,
        None => {
            is_text(name, bytes)?;
            detect(bytes).with_context(|| {
                format!(
                    "{name} is none of: beads JSON Lines, Task Master, GitHub issues, an export of Jira or Linear, tasks of \
                     vibe-kanban, Kapell's own; name it with --format"
                )
            })?
        }
    };
    let mut report = ImportReport::new(name, format);
    let (tasks, later) = match format {
        Format::Kapell => relations_apart(own(bytes, &mut report)),
        Format::Beads => linked(beads::read(bytes, &mut report), &mut report),
        Format::Jira => linked(jira::read(bytes, &mut report), &mut report),
        Format::Linear => linked(linear::read(bytes, &mut report), &mut report),
        Format::Backlog => {
            let pages: Vec<backlog::Page> = serde_json::from_slice(bytes)
                .with_context(|| format!("{name} is no folder; name the folder that has `tasks` in it"))?;
            linked(backlog::read(&pages, &mut report), &mut report)
        }
        Format::Taskmaster | Format::Github | Format::VibeKanban => {
            let text = std::str::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8"))?;
            let drafts = match format {
                Format::Github => github::read(text, &mut report),
                Format::VibeKanban => vibe::read(text, &mut report),
                _ => taskmaster::read(text, &mut report),
            };
            let drafts =
                drafts.map_err(|refusal| anyhow::anyhow!("{name}:{}: {}", refusal.line, refusal.reason))?;
            linked(drafts, &mut report)
        }
    };
    let mostly_refused = !named && report.refused.len() * 2 > report.records;
    if let Some(refusal) = report.refused.first().filter(|_| strict || mostly_refused) {
        let column = refusal.column.map(|column| format!(":{column}")).unwrap_or_default();
        let field = refusal.field.as_ref().map(|field| format!("field `{field}`: ")).unwrap_or_default();
        let file = refusal.file.as_ref().map(|file| format!(" {file}:")).unwrap_or_default();
        let most = match (strict, report.refused.len(), report.records) {
            (false, refused, records) => format!(
                "{name} is hardly a backlog of {format}: {refused} of its {records} records cannot be read; \
                 name it with --format to take the others. "
            ),
            (true, ..) => String::new(),
        };
        bail!("{most}{name}:{file}{}{column}: {field}{}", refusal.line, refusal.reason);
    }
    Ok(Imported { tasks, later, report })
}

/// Bytes at the beginning of a file by which it is seen whether it is text.
const LOOKED_AT: usize = 8 * 1024;

/// Lines at the beginning of a file of which one must be an object: before it may stand the mark of an unfinished git merge.
const LINES_LOOKED_AT: usize = 10;

/// Refuses a file that is no text, such as a program, though some of its lines may be records.
fn is_text(name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let beginning = &bytes[..bytes.len().min(LOOKED_AT)];
    if let Some(place) = beginning.iter().position(|&byte| byte == 0) {
        bail!("{name} is no text: byte {} is NUL; a backlog is a file in UTF-8", place + 1);
    }
    match std::str::from_utf8(beginning) {
        // A sign may be cut off by the end of what is looked at.
        Err(error) if error.error_len().is_some() => {
            bail!(
                "{name} is not UTF-8, from byte {} on; a backlog is a file in UTF-8",
                error.valid_up_to() + 1
            )
        }
        _ => Ok(()),
    }
}

/// Tells a format by the members of its first object.
fn detect(bytes: &[u8]) -> Option<Format> {
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Ok(value) if looks_like_taskmaster(&value) => return Some(Format::Taskmaster),
        Ok(value) if github::looks_like(&value) => return Some(Format::Github),
        Ok(value) if vibe::looks_like(&value) => return Some(Format::VibeKanban),
        _ => {}
    }
    match table::columns(bytes) {
        Some(columns) if jira::looks_like(&columns) => return Some(Format::Jira),
        Some(columns) if linear::looks_like(&columns) => return Some(Format::Linear),
        _ => {}
    }
    let first =
        lines::of(bytes).take(LINES_LOOKED_AT).find_map(|(line, bytes)| lines::object(line, bytes).ok())?;
    match (first.contains_key("id"), first.contains_key("title")) {
        (true, _) => Some(Format::Beads),
        (false, true) => Some(Format::Kapell),
        (false, false) => None,
    }
}

fn looks_like_taskmaster(value: &serde_json::Value) -> bool {
    let Some(object) = value.as_object() else { return false };
    let has_tasks = |value: &serde_json::Value| value.get("tasks").is_some_and(serde_json::Value::is_array);
    has_tasks(value) || (!object.contains_key("title") && object.values().any(has_tasks))
}

/// Reads Kapell's own JSON Lines; the order of the file stands.
fn own(bytes: &[u8], report: &mut ImportReport) -> Vec<TaskSubmission> {
    let mut tasks = Vec::new();
    for (line, bytes) in lines::of(bytes) {
        report.records += 1;
        let read = lines::object(line, bytes).and_then(|object| {
            TaskSubmission::deserialize(Objects::new(serde_json::Value::Object(object))).map_err(|error| {
                report::Refusal { file: None, line, column: None, field: None, reason: error.to_string() }
            })
        });
        match read {
            Ok(task) => {
                let state = task.closed.as_ref().map_or("open", |closed| closed.state.as_str());
                report.statuses.count(state, state);
                report.priorities.count(&task.priority, &task.priority);
                report.types.count(&task.kind, &task.kind);
                for _ in &task.depends_on {
                    report.edge_kept("blocks");
                }
                for related in &task.related {
                    report.edge_kept(&related.kind);
                }
                tasks.push(task);
            }
            Err(refusal) => report.refused.push(refusal),
        }
    }
    report.tasks = tasks.len();
    tasks
}

/// Takes relations to tasks that only come later in the file apart, to be added when all are there.
fn relations_apart(mut tasks: Vec<TaskSubmission>) -> Linked {
    let keys = tasks.iter().enumerate().filter_map(|(place, task)| Some((task.key.clone()?, place)));
    let places: std::collections::BTreeMap<String, usize> = keys.collect();
    let mut later = Vec::new();
    for (place, task) in tasks.iter_mut().enumerate() {
        let Some(key) = task.key.clone() else { continue };
        let comes_later = |on: &RelatedTask| places.get(&on.task).is_some_and(|&other| other > place);
        let (after, now) = std::mem::take(&mut task.related).into_iter().partition(comes_later);
        task.related = now;
        let after: Vec<RelatedTask> = after;
        later.extend(after.into_iter().map(|on| (key.clone(), on.task, on.kind)));
        // A parent may wait for its parts, and so stand behind them.
        let parent = task.parent.take_if(|parent| places.get(parent).is_some_and(|&other| other > place));
        later.extend(parent.map(|parent| (key, parent, DependencyKind::ParentChild.to_string())));
    }
    (tasks, later)
}

type Linked = (Vec<TaskSubmission>, Vec<(String, String, String)>);

fn linked(mut drafts: Vec<record::Draft>, report: &mut ImportReport) -> Linked {
    for (place, draft) in drafts.iter_mut().enumerate() {
        draft.task.source.insert(task::PLACE_FIELD.to_owned(), place.into());
    }
    let linked = link::link(drafts, report);
    let tasks = linked.tasks.into_iter().map(submission).collect();
    let later =
        linked.later.into_iter().map(|later| (later.task, later.on, later.kind.to_string())).collect();
    (tasks, later)
}

/// Makes a text one that may stand as a reason, such as the source's own word for a state: what is cut off or replaced stays in
/// the task's source.
fn reason_of(text: &str) -> String {
    let strange = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let mut reason = text.replace(strange, "\u{fffd}");
    reason.truncate(reason.floor_char_boundary(limits::NOTE_BYTES_MAX));
    reason
}

fn submission(task: ImportedTask) -> TaskSubmission {
    let closed = |state: &str, reason: Option<String>| {
        Some(ClosedWork {
            state: state.to_owned(),
            at: task.closed_at.clone(),
            reason: reason.map(|reason| reason_of(&reason)).unwrap_or_default(),
        })
    };
    let (priority, closed) = match &task.state {
        ImportedState::Open => (task.priority, None),
        ImportedState::Deferred => (Priority::Low, None),
        ImportedState::Completed { reason } => (task.priority, closed("completed", reason.clone())),
        ImportedState::Cancelled { reason } => (task.priority, closed("cancelled", Some(reason.clone()))),
    };
    let related = |(task, kind): (String, DependencyKind)| RelatedTask { task, kind: kind.to_string() };
    TaskSubmission {
        title: task.title,
        description: task.description,
        kind: task.kind,
        priority: priority.to_string(),
        key: Some(task.key),
        project: task.project,
        parent: task.parent,
        estimate_hours: task.estimate_hours,
        depends_on: task.depends_on,
        related: task.related.into_iter().map(related).collect(),
        deadline: task.deadline,
        not_before: task.not_before,
        labels: task.labels,
        source: Some(task.source).filter(|source| !source.is_empty()),
        closed,
        ..TaskSubmission::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    const BACKLOGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/backlogs");

    fn states(imported: &Imported) -> BTreeMap<&str, usize> {
        let mut states = BTreeMap::new();
        for task in &imported.tasks {
            *states.entry(task.closed.as_ref().map_or("open", |closed| &closed.state)).or_default() += 1;
        }
        states
    }

    fn beads_file(name: &str) -> (Vec<Value>, Imported) {
        let path = Path::new(BACKLOGS).join("beads").join(name);
        let text = std::fs::read_to_string(&path).expect("the real backlogs are beside the project");
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let values = lines.map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
        (values, read(&path, None, true).expect("it is read whole"))
    }

    #[test]
    fn every_task_status_priority_and_edge_of_the_real_beads_files_survives() {
        let folder = std::fs::read_dir(Path::new(BACKLOGS).join("beads")).expect("the real backlogs");
        let mut files = 0;
        for name in folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
            if !name.ends_with(".jsonl") {
                continue;
            }
            files += 1;
            let (values, imported) = beads_file(&name);
            assert_eq!(imported.tasks.len(), values.len(), "{name}");
            let status = |word: &str| values.iter().filter(|value| value["status"] == word).count();
            let states = states(&imported);
            assert_eq!(states.get("completed").copied().unwrap_or(0), status("closed"), "{name}");
            let cancelled = status("tombstone") + status("pinned");
            assert_eq!(states.get("cancelled").copied().unwrap_or(0), cancelled, "{name}");
            let critical = values.iter().filter(|value| value["priority"] == 0).count();
            let imported_critical = imported.tasks.iter().filter(|task| task.priority == "critical").count();
            assert_eq!(imported_critical, critical, "{name}");
            let edges =
                values.iter().flat_map(|value| value["dependencies"].as_array().into_iter().flatten());
            let found: usize = imported.report.edges.values().map(|counts| counts.found).sum();
            assert_eq!(found, edges.clone().count(), "{name}");
            let blocks = edges.filter(|edge| edge["type"] == "blocks").count();
            let waits: usize = imported.tasks.iter().map(|task| task.depends_on.len()).sum();
            let counts = imported.report.edges_of("blocks");
            assert_eq!((counts.found, counts.kept), (blocks, waits), "{name}");
        }
        assert!(files >= 2, "{files} files");
    }

    #[test]
    fn every_task_of_the_real_task_master_files_survives() {
        let folder = std::fs::read_dir(Path::new(BACKLOGS).join("taskmaster")).expect("the real backlogs");
        let mut files = 0;
        for path in folder.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).expect("a file");
            let value: Value = serde_json::from_str(&text).expect("JSON");
            let lists: Vec<&Value> = match value.get("tasks") {
                Some(list) => vec![list],
                None => value.as_object().expect("tags").values().map(|tag| &tag["tasks"]).collect(),
            };
            let tasks = || lists.iter().flat_map(|list| list.as_array().into_iter().flatten());
            let subtasks = tasks().flat_map(|task| task["subtasks"].as_array().into_iter().flatten());
            let imported = read(&path, None, true).expect("it is read whole");
            assert_eq!(
                imported.tasks.len(),
                tasks().count() + subtasks.clone().count(),
                "{}",
                path.display()
            );
            let done = tasks()
                .chain(subtasks)
                .filter(|task| task["status"] == "done" || task["status"] == "completed");
            assert_eq!(
                states(&imported).get("completed").copied().unwrap_or(0),
                done.count(),
                "{}",
                path.display()
            );
            let given: usize = tasks().map(|task| task["dependencies"].as_array().map_or(0, Vec::len)).sum();
            let found: usize = imported.report.edges.values().map(|counts| counts.found).sum();
            assert!(found >= given, "{}: {found} of {given} edges", path.display());
        }
        assert!(files >= 1, "{files} files");
    }

    #[test]
    fn every_task_of_the_real_backlog_md_folder_survives() {
        let folder = Path::new(BACKLOGS).join("backlog-md");
        let imported = read(&folder, None, true).expect("it is read whole");
        let pages = backlog::gather(&folder).expect("files");
        let fronts: Vec<_> =
            pages.iter().filter_map(|page| Some((page, front::split(&page.text)?.0.to_owned()))).collect();
        assert_eq!((imported.tasks.len(), imported.report.records), (fronts.len(), fronts.len()));
        assert_eq!(fronts.len(), 339);
        let said = |field: &str, word: &str| {
            let line = format!("{field}: {word}");
            fronts.iter().filter(|(_, front)| front.lines().any(|it| it.replace('"', "") == line)).count()
        };
        let finished = |page: &backlog::Page, front: &str| {
            page.path.starts_with("completed/")
                || front.lines().any(|line| line.replace('"', "") == "status: Done")
        };
        let done = fronts.iter().filter(|(page, front)| finished(page, front)).count();
        let archived =
            fronts.iter().filter(|(page, front)| page.path.starts_with("archive/") && !finished(page, front));
        let states = states(&imported);
        assert_eq!((states["completed"], states["cancelled"]), (done, archived.count()));
        let high = imported.tasks.iter().filter(|task| task.priority == "high").count();
        assert_eq!(high, said("priority", "high"));
        let waits = imported.report.edges_of("dependencies");
        // 52 in lists of lines, of which none dangles, and 15 in brackets.
        assert_eq!((waits.found, waits.dangling), (67, 5), "{}", imported.report);
        assert_eq!(waits.found, waits.kept + waits.settled + waits.repeated + waits.cyclic + waits.dangling);
        let parents = imported.report.edges_of("parent_task_id");
        assert_eq!(parents.found, 78);
        assert!(imported.report.duplicates.is_empty());
    }

    #[test]
    fn what_is_found_in_a_folder_is_told_with_its_file_and_line() {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(folder.path().join("tasks")).expect("a directory");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join("tasks").join(name), text).expect("a file");
        };
        let one = "---\nid: task-1\ntitle: One\ndependencies:\n  - task-9\nlabels:\n  - ''\nstatus: Odd\n---\n\nA\u{7}\n";
        write("task-1.md", one);
        write("task-2.md", "---\nid: task-2\ntitle: Two\nstatus: To Do\npriority: huge\n---\n");
        write("task-3.md", "---\nid: task-3\nno field\n---\n");
        for name in ["task-4.md", "task-4b.md", "task-4c.md"] {
            write(name, "---\ntitle: Four\nid: task-4\nstatus: To Do\npriority: low\n---\n");
        }
        let imported = read(folder.path(), None, false).expect("it is read");
        let told = imported.report.to_string();
        for line in [
            "tasks/task-1.md:8: task-1, status: `Odd` is unknown",
            "tasks/task-1.md:1: task-1, priority: missing",
            "tasks/task-1.md:10: task-1, body: 1 control characters",
            "tasks/task-1.md:2: task-1 dependencies task-9: not in this file",
            "tasks/task-2.md:5, priority: `huge` is none of",
            "tasks/task-3.md:3: a field `name: value` is expected",
            "tasks/task-4c.md:3: tasks/task-4 stands in tasks/task-4b.md:3 already",
        ] {
            assert!(told.contains(line), "{line}: {told}");
        }
        let json = serde_json::to_value(&imported.report).expect("JSON");
        assert_eq!(
            (&json["not_kept"][0]["file"], &json["not_kept"][0]["line"]),
            (&"tasks/task-1.md".into(), &6.into())
        );
        let strict = read(folder.path(), None, true).expect_err("it is refused").to_string();
        assert!(strict.ends_with(": tasks/task-3.md:3: a field `name: value` is expected"), "{strict}");
    }

    #[test]
    fn what_a_task_waits_for_stands_before_it() {
        let (_, imported) = beads_file("beads-2025-12-16.issues.jsonl");
        let mut seen = std::collections::BTreeSet::new();
        for task in &imported.tasks {
            for on in &task.depends_on {
                assert!(seen.contains(on.as_str()), "{:?} names {on} too early", task.key);
            }
            seen.insert(task.key.as_deref().expect("a key"));
        }
    }

    #[test]
    fn dangling_and_cyclic_edges_are_told() {
        let text = r#"{"id":"a","title":"A","status":"open","priority":1,"dependencies":[{"issue_id":"a","depends_on_id":"b","type":"blocks"}]}
{"id":"b","title":"B","status":"open","priority":1,"dependencies":[{"issue_id":"b","depends_on_id":"a","type":"blocks"},{"issue_id":"b","depends_on_id":"gone","type":"blocks"}]}"#;
        let imported = read_bytes("x", text.as_bytes(), None, true).expect("it is read");
        let counts = imported.report.edges_of("blocks");
        assert_eq!((counts.found, counts.kept, counts.cyclic, counts.dangling), (3, 1, 1, 1));
        assert_eq!(
            imported.later,
            [("b".to_owned(), "a".to_owned(), "blocks".to_owned())],
            "the server breaks it"
        );
        assert_eq!((imported.report.closing.len(), imported.report.left_out.len()), (1, 1));
        assert!(imported.report.to_string().contains("closes the cycle a -> b -> a"), "{}", imported.report);
    }

    #[test]
    fn what_a_text_waits_for_comes_first_and_is_told() {
        let text = r#"{"id":"x-1","title":"A","description":"Blocked by #2.","status":"open","priority":1}
{"id":"x-2","title":"B, after x-3","status":"open","priority":1}
{"id":"x-3","title":"C","description":"depends on x-1","status":"open","priority":1}
{"id":"x-4","title":"D","description":"depends on x-1","status":"closed","priority":1}"#;
        let imported = read_bytes("x", text.as_bytes(), None, true).expect("it is read");
        let keys: Vec<_> = imported.tasks.iter().filter_map(|task| task.key.as_deref()).collect();
        assert_eq!(keys.len(), 4);
        let told: Vec<_> = imported.report.inferred.iter().filter(|it| it.field == "text").collect();
        let shown: Vec<_> = told.iter().map(|it| (it.task.as_str(), it.what.ends_with("no edge"))).collect();
        // The three make a cycle; one of them has to be passed over, and says so.
        assert_eq!(shown.iter().filter(|(_, dropped)| *dropped).count(), 1, "{told:?}");
        assert_eq!(shown.iter().map(|(task, _)| *task).collect::<Vec<_>>(), ["x-1", "x-2", "x-3"]);
        let place = |key: &str| keys.iter().position(|other| *other == key).expect("it is there");
        for finding in told.iter().filter(|it| !it.what.ends_with("no edge")) {
            let on = finding.what.split(" waits for ").nth(1).and_then(|rest| rest.split(':').next());
            assert!(place(on.expect("a key")) < place(&finding.task), "{finding:?}");
        }
    }

    #[test]
    fn a_relation_of_a_task_with_itself_is_left_out_and_told() {
        let edge = r#"{"depends_on_id":"a","type":"related"}"#;
        let text =
            format!(r#"{{"id":"a","title":"A","status":"open","priority":1,"dependencies":[{edge}]}}"#);
        let imported = read_bytes("x", text.as_bytes(), None, true).expect("it is read");
        assert_eq!((imported.tasks[0].related.len(), imported.later.len()), (0, 0));
        assert_eq!(imported.report.edges_of("related").cyclic, 1, "{}", imported.report);
    }

    #[test]
    fn a_state_in_any_words_becomes_a_reason_that_is_taken() {
        let words = format!("Done\u{1b}[1m{}", "x".repeat(5_000));
        let text = format!("ID,Team,Title,Status,Canceled\na,t,A,{words},2025-01-01\n");
        let imported = read_bytes("x", text.as_bytes(), None, true).expect("it is read");
        let reason = &imported.tasks[0].closed.as_ref().expect("it is closed").reason;
        assert!(reason.len() <= limits::NOTE_BYTES_MAX && !reason.contains('\u{1b}'), "{reason}");
    }

    #[test]
    fn a_broken_line_is_listed_or_refuses_all() {
        let text = b"{\"id\":\"a\",\"title\":\"A\",\"status\":\"open\",\"priority\":1}\n{\"id\": oops}\n";
        let imported = read_bytes("x.jsonl", text, None, false).expect("it is read");
        assert_eq!((imported.tasks.len(), imported.report.refused.len()), (1, 1));
        let error = read_bytes("x.jsonl", text, None, true).expect_err("strict");
        assert!(error.to_string().starts_with("x.jsonl:2:"), "{error}");
    }

    #[test]
    fn a_file_of_another_kind_is_refused_by_name() {
        let error = read_bytes("notes.txt", b"hello", None, false).expect_err("no backlog");
        assert!(error.to_string().contains("notes.txt"), "{error}");
    }

    #[test]
    fn a_file_in_which_some_line_is_a_task_is_no_backlog() {
        const TASK: &str = "{\"title\":\"A\"}\n";
        let told = |bytes: &[u8]| read_bytes("x", bytes, None, false).expect_err("no backlog").to_string();
        let program = [b"\x7fELF\0\n", TASK.as_bytes()].concat();
        assert_eq!(told(&program), "x is no text: byte 5 is NUL; a backlog is a file in UTF-8");
        let latin = [b"M\xfcll\n", TASK.as_bytes()].concat();
        assert_eq!(told(&latin), "x is not UTF-8, from byte 2 on; a backlog is a file in UTF-8");
        let late = format!("{}{TASK}", "a word\n".repeat(LINES_LOOKED_AT));
        assert!(told(late.as_bytes()).starts_with("x is none of: "), "{}", told(late.as_bytes()));

        let most = format!("{TASK}one\ntwo\n");
        let error = told(most.as_bytes());
        assert!(error.starts_with("x is hardly a backlog of Kapell: 2 of its 3 records"), "{error}");
        assert!(error.ends_with("x:2:1: not JSON: expected value"), "{error}");
        let asked = read_bytes("x", most.as_bytes(), Some(Format::Kapell), false).expect("it was named");
        assert_eq!((asked.tasks.len(), asked.report.refused.len()), (1, 2));
        let half = read_bytes("x", format!("{TASK}one\n").as_bytes(), None, false).expect("half is read");
        assert_eq!((half.tasks.len(), half.report.refused.len()), (1, 1));
    }

    #[test]
    fn a_sign_that_is_cut_by_what_is_looked_at_is_text() {
        let title = "x".repeat(LOOKED_AT - "{\"title\":\"".len() - 1);
        let text = format!("{{\"title\":\"{title}\u{fc}\"}}\n");
        assert_eq!(text.as_bytes()[LOOKED_AT - 1], 0xc3);
        let error = read_bytes("x", text.as_bytes(), None, false);
        assert!(error.is_ok(), "{error:?}");
    }
}
