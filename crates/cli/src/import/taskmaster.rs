//! Reads the `tasks.json` of Task Master: `{tag: {"tasks": [...]}}` and the older `{"tasks": [...]}`.
//!
//! | Task Master | Kapell |
//! | --- | --- |
//! | task 29 of the tag `master` | key `master:29`, project `master`; an older file counts as the tag `master` |
//! | subtask 2 or 29.2 of it | a task `master:29.2` whose parent is `master:29` |
//! | `pending`, `in-progress`, `review`, `blocked` | open |
//! | `deferred` | open with low priority and the label `deferred` |
//! | `done`, `completed` | completed |
//! | `cancelled` | cancelled; what waits for it stays blocked, with that reason |
//! | priority `critical`, `high`, `medium`, `low` | the same; a subtask without one has its task's |
//! | `dependencies` | waits; a subtask's plain number is a sibling, where there is one |
//! | `description`, `details`, `testStrategy` | one description, in sections |
//!
//! Membership is no wait: a subtask does not wait for what its task waits for, nor a task for its subtasks.
//! Ids are read as they are written, since 29.1 and 29.10 are the same number and two subtasks.

use std::collections::BTreeSet;

use kapell_model::{DependencyKind, Name, Priority, limits};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::beads::mark_deferred;
use super::lines::{self, Object};
use super::record::{Draft, DraftEdge, Record, sort_of};
use super::report::{ImportReport, Refusal};
use super::task::{FILE_FIELD, ImportedState, ImportedTask, UNTITLED_FIELD};

/// The format's name in the task's source.
pub const NAME: &str = "taskmaster";

/// Bytes that the importer itself adds to a source beside the fields of the record.
const ROOM: usize = 128;

/// The tag that an older file without tags counts as, as Task Master itself has it.
pub const DEFAULT_TAG: &str = "master";

/// Fields that stand in the description under a heading of their own.
pub const SECTIONS: [(&str, &str); 2] = [("details", "Details"), ("testStrategy", "Test strategy")];

/// Reads the file.
///
/// # Errors
/// Where the file as a whole is not JSON or not of this shape.
pub fn read(text: &str, report: &mut ImportReport) -> Result<Vec<Draft>, Refusal> {
    let file = File { text };
    let mut drafts = Vec::new();
    let mut projects = Vec::new();
    for (tag, tasks) in file.lists()? {
        let project = project_of(&tag, report);
        projects.push((tag.clone(), project.clone()));
        let context = Context { file: &file, project, ids: file.ids(&tasks) };
        for task in tasks {
            context.read_task(task, &mut drafts, report);
        }
    }
    keep_frame(text, &projects, &mut drafts, report);
    Ok(drafts)
}

/// Keeps with the first task what the file says beside its tasks, so that an export can say it again.
fn keep_frame(text: &str, projects: &[(String, String)], drafts: &mut [Draft], report: &mut ImportReport) {
    let Some(first) = drafts.first_mut() else { return };
    let Ok(Value::Object(mut frame)) = serde_json::from_str::<Value>(text) else { return };
    if frame.get("tasks").is_some_and(Value::is_array) {
        frame.insert("tasks".to_owned(), Value::Null);
    } else {
        let tags = frame.values_mut().filter_map(Value::as_object_mut);
        for tag in tags.filter(|tag| tag.get("tasks").is_some_and(Value::is_array)) {
            tag.insert("tasks".to_owned(), Value::Null);
        }
    }
    let names = projects.iter().map(|(tag, project)| (project.clone(), Value::from(tag.as_str()))).collect();
    let file = Value::Object(Map::from_iter([
        ("frame".to_owned(), Value::Object(frame)),
        ("tags".to_owned(), Value::Object(names)),
    ]));
    let kept = serde_json::to_string(&first.task.source).map_or(0, |text| text.len());
    if kept + file.to_string().len() + ROOM > limits::SOURCE_BYTES_MAX {
        let what = format!("lost: the fields beside the tasks pass {} bytes", limits::SOURCE_BYTES_MAX);
        report.not_kept.push(super::report::Finding {
            file: None,
            line: 1,
            task: first.task.key.clone(),
            field: "metadata".to_owned(),
            what,
        });
        return;
    }
    first.task.source.insert(FILE_FIELD.to_owned(), file);
}

/// Makes a project name of a tag, signs that no name may have becoming `-`.
pub fn project_of(tag: &str, report: &mut ImportReport) -> String {
    let mut name: String = tag
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-/@:+#".contains(c) { c } else { '-' })
        .collect();
    name.truncate(limits::NAME_BYTES_MAX / 2);
    if Name::new(&name).is_err() {
        name = format!("tag{name}");
    }
    if name != tag {
        let what = format!("the tag `{}` became the project `{name}`", tag.escape_debug());
        report.changed.push(super::report::Finding {
            file: None,
            line: 1,
            task: name.clone(),
            field: "tag".to_owned(),
            what,
        });
    }
    name
}

struct File<'a> {
    text: &'a str,
}

/// A list of tasks under its tag, each still as it is written.
type TagList<'a> = (String, Vec<&'a RawValue>);

impl<'a> File<'a> {
    /// Finds the lists of tasks by tag.
    fn lists(&self) -> Result<Vec<TagList<'a>>, Refusal> {
        let fields = self.fields(self.text)?;
        if let Some((_, tasks)) = fields.iter().find(|(field, value)| field == "tasks" && is_list(value)) {
            return Ok(vec![(DEFAULT_TAG.to_owned(), self.items(tasks)?)]);
        }
        let mut lists = Vec::new();
        for (tag, value) in fields {
            let inner = if value.get().starts_with('{') { self.fields(value.get())? } else { Vec::new() };
            if let Some((_, tasks)) =
                inner.into_iter().find(|(field, value)| field == "tasks" && is_list(value))
            {
                lists.push((tag, self.items(tasks)?));
            }
        }
        match lists.is_empty() {
            false => Ok(lists),
            true => Err(self.refusal(1, "no list `tasks`, neither at the top nor under a tag")),
        }
    }

    fn fields(&self, text: &'a str) -> Result<Vec<(String, &'a RawValue)>, Refusal> {
        serde_json::from_str::<RawFields<'a>>(text)
            .map(|fields| fields.0)
            .map_err(|error| self.broken(text, &error))
    }

    fn items(&self, list: &'a RawValue) -> Result<Vec<&'a RawValue>, Refusal> {
        serde_json::from_str(list.get()).map_err(|error| self.broken(list.get(), &error))
    }

    /// The line, from 1, at which a part of the text begins.
    fn line_of(&self, part: &str) -> usize {
        let offset =
            (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize).min(self.text.len());
        1 + self.text.as_bytes()[..offset].iter().filter(|&&byte| byte == b'\n').count()
    }

    fn broken(&self, part: &str, error: &serde_json::Error) -> Refusal {
        let line = self.line_of(part) + error.line().saturating_sub(1);
        let reason = format!("not JSON: {}", lines::without_place(error));
        Refusal { file: None, line, column: Some(error.column().max(1)), field: None, reason }
    }

    fn refusal(&self, line: usize, reason: &str) -> Refusal {
        Refusal { file: None, line, column: None, field: None, reason: reason.to_owned() }
    }

    /// The ids of the top-level tasks, as they are written.
    fn ids(&self, tasks: &[&'a RawValue]) -> BTreeSet<String> {
        tasks.iter().filter_map(|task| Raw::of(task).ok()).filter_map(|raw| literal(raw.id?)).collect()
    }
}

fn is_list(value: &RawValue) -> bool {
    value.get().starts_with('[')
}

/// The fields of an object in their order, each still as it is written.
struct RawFields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for RawFields<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> serde::de::Visitor<'de> for Fields {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = access.next_entry()? {
                    fields.push(entry);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Fields).map(RawFields)
    }
}

/// The parts of a task whose writing matters.
#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    dependencies: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    subtasks: Option<Vec<&'a RawValue>>,
}

impl<'a> Raw<'a> {
    fn of(task: &'a RawValue) -> Result<Self, serde_json::Error> {
        serde_json::from_str(task.get())
    }
}

/// Writes ids as texts where the number alone would not come back as it was written: 29.10 is no 29.1.
fn as_written(fields: &mut Map<String, Value>, raw: &Raw<'_>) {
    let text = |value: &Value, written: &RawValue| {
        let again = value.to_string();
        (value.is_number() && again != written.get()).then(|| literal(written).map(Value::from)).flatten()
    };
    if let (Some(id), Some(written)) = (fields.get_mut("id"), raw.id) {
        *id = text(id, written).unwrap_or(id.take());
    }
    if let (Some(Value::Array(items)), Some(written)) = (fields.get_mut("dependencies"), &raw.dependencies) {
        for (item, written) in items.iter_mut().zip(written) {
            *item = text(item, written).unwrap_or(item.take());
        }
    }
}

/// Returns an id as it is written, without quotes; only texts and numbers are ids.
fn literal(id: &RawValue) -> Option<String> {
    match serde_json::from_str(id.get()).ok()? {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(_) => Some(id.get().to_owned()),
        _ => None,
    }
}

/// One tag while its tasks are read.
struct Context<'a> {
    file: &'a File<'a>,
    project: String,
    ids: BTreeSet<String>,
}

/// The task that a subtask belongs to.
struct Parent<'p> {
    id: &'p str,
    priority: Priority,
    siblings: BTreeSet<String>,
}

impl<'a> Context<'a> {
    fn read_task(&self, task: &'a RawValue, drafts: &mut Vec<Draft>, report: &mut ImportReport) {
        let Some((id, priority)) = self.read_one(task, None, drafts, report) else {
            self.refuse_orphans(task, report);
            return;
        };
        let subtasks = self.subtasks(task);
        let siblings = subtasks.iter().filter_map(|subtask| Raw::of(subtask).ok()?.id).filter_map(literal);
        let parent = Parent { id: &id, priority, siblings: siblings.map(|own| full_id(&id, &own)).collect() };
        for subtask in subtasks {
            self.read_one(subtask, Some(&parent), drafts, report);
        }
    }

    fn subtasks(&self, task: &'a RawValue) -> Vec<&'a RawValue> {
        Raw::of(task).ok().and_then(|raw| raw.subtasks).unwrap_or_default()
    }

    /// A refused task takes its subtasks with it: each is named.
    fn refuse_orphans(&self, task: &'a RawValue, report: &mut ImportReport) {
        for subtask in self.subtasks(task) {
            report.records += 1;
            report.refused.push(self.file.refusal(self.file.line_of(subtask.get()), "its task was refused"));
        }
    }

    /// Reads a task or subtask and returns its id and priority, or refuses it.
    fn read_one(
        &self,
        task: &'a RawValue,
        parent: Option<&Parent<'_>>,
        drafts: &mut Vec<Draft>,
        report: &mut ImportReport,
    ) -> Option<(String, Priority)> {
        report.records += 1;
        // Findings of a task that is refused in the end would speak of one that nobody gets.
        let mut findings = ImportReport::new("", report.format);
        match self.draft(task, parent, &mut findings) {
            Ok((id, draft)) => {
                report.inferred.append(&mut findings.inferred);
                report.changed.append(&mut findings.changed);
                report.not_kept.append(&mut findings.not_kept);
                let priority = draft.task.priority;
                drafts.push(draft);
                Some((id, priority))
            }
            Err(refusal) => {
                report.refused.push(refusal);
                None
            }
        }
    }

    fn draft(
        &self,
        task: &'a RawValue,
        parent: Option<&Parent<'_>>,
        report: &mut ImportReport,
    ) -> Result<(String, Draft), Refusal> {
        let Object(mut fields) =
            serde_json::from_str(task.get()).map_err(|error| self.not_a_task(task, &error))?;
        let line = self.file.line_of(task.get());
        // Subtasks become tasks of their own; the rest of the object is theirs no longer to say.
        let subtasks = fields.get_mut("subtasks");
        if let Some(Value::Array(subtasks)) = subtasks {
            subtasks.clear();
        }
        let record = Record { line, key: String::new(), fields: &fields };
        if !matches!(fields.get("subtasks"), None | Some(Value::Null | Value::Array(_))) {
            return Err(record.refuse("subtasks", "a list is expected"));
        }
        let raw =
            Raw::of(task).map_err(|error| record.refuse("dependencies", lines::without_place(&error)))?;
        as_written(&mut fields, &raw);
        let record = Record { line, key: String::new(), fields: &fields };
        let own = raw.id.and_then(literal).filter(|id| !id.is_empty());
        let own = own.ok_or_else(|| record.refuse("id", "a number or text is expected"))?;
        let id = parent.map_or_else(|| own.clone(), |parent| full_id(parent.id, &own));
        let key = self.key(&id).map_err(|reason| record.refuse("id", reason))?;
        let record = Record { key, ..record };
        let draft = self.checked(&record, &id, parent, raw.dependencies.unwrap_or_default(), report)?;
        Ok((id, draft))
    }

    fn not_a_task(&self, task: &RawValue, error: &serde_json::Error) -> Refusal {
        let line = self.file.line_of(task.get()) + error.line().saturating_sub(1);
        Refusal { file: None, line, column: None, field: None, reason: lines::without_place(error) }
    }

    fn key(&self, id: &str) -> Result<String, String> {
        let key = format!("{}:{id}", self.project);
        Name::new(&key).map(|_| key).map_err(|error| error.to_string())
    }

    fn checked(
        &self,
        record: &Record<'_>,
        id: &str,
        parent: Option<&Parent<'_>>,
        dependencies: Vec<&RawValue>,
        report: &mut ImportReport,
    ) -> Result<Draft, Refusal> {
        let title = title(record, report)?;
        let description = record.description("description", &SECTIONS, report)?;
        let unchanged = unchanged(record, &title, &description);
        let mut source = record.source(NAME, &unchanged, report);
        if record.text("title")?.is_none_or(|title| title.trim().is_empty()) {
            source.insert(UNTITLED_FIELD.to_owned(), Value::from(true));
        }
        let status = record.status("pending", report)?;
        let state = state(record, &status, report);
        let (mut priority, priority_word) = priority(record, parent, report)?;
        let mut labels = Vec::new();
        if state == ImportedState::Deferred {
            priority = Priority::Low;
            mark_deferred(&mut labels);
        }
        let edges = self.edges(record, id, parent, dependencies, report)?;
        let task = ImportedTask {
            key: record.key.clone(),
            title,
            description,
            kind: if parent.is_some() { "subtask" } else { "task" }.to_owned(),
            priority,
            project: Some(self.project.clone()),
            parent: None,
            labels,
            estimate_hours: None,
            depends_on: Vec::new(),
            related: Vec::new(),
            state,
            assignee: record.text("assignee")?.filter(|name| !name.is_empty()).map(str::to_owned),
            closed_at: None,
            deadline: None,
            not_before: None,
            source,
        };
        let kind = String::new();
        Ok(Draft {
            line: record.line,
            task,
            edges,
            status,
            priority: priority_word,
            kind,
            settled: false,
            gathers: false,
        })
    }

    fn edges(
        &self,
        record: &Record<'_>,
        id: &str,
        parent: Option<&Parent<'_>>,
        dependencies: Vec<&RawValue>,
        report: &mut ImportReport,
    ) -> Result<Vec<DraftEdge>, Refusal> {
        let mut edges = Vec::new();
        if let Some(parent) = parent {
            edges.push(self.edge(parent.id, "subtask", DependencyKind::ParentChild));
        }
        if dependencies.len() > limits::DEPENDENCIES_MAX {
            return Err(
                record.refuse("dependencies", format!("more than {} waits", limits::DEPENDENCIES_MAX))
            );
        }
        for dependency in dependencies {
            let Some(given) = literal(dependency) else {
                let sort =
                    serde_json::from_str(dependency.get()).map_or("something else", |value| sort_of(&value));
                return Err(
                    record.refuse("dependencies", format!("a number or text is expected, not {sort}"))
                );
            };
            let on = self.target(record, id, parent, &given, report);
            edges.push(self.edge(&on, "dependencies", DependencyKind::Blocks));
        }
        Ok(edges)
    }

    fn edge(&self, on: &str, source_kind: &str, kind: DependencyKind) -> DraftEdge {
        // What cannot be a key cannot be in the file either: it will be found dangling, in its own words.
        let on = self.key(on).unwrap_or_else(|_| on.to_owned());
        DraftEdge { on, source_kind: source_kind.to_owned(), kind: Some(kind), owner: None }
    }

    /// Finds what a dependency means: a subtask's plain id is a sibling, else a task of the tag.
    fn target(
        &self,
        record: &Record<'_>,
        id: &str,
        parent: Option<&Parent<'_>>,
        given: &str,
        report: &mut ImportReport,
    ) -> String {
        let Some(parent) = parent else { return given.to_owned() };
        let sibling = full_id(parent.id, given);
        if parent.siblings.contains(&sibling) || !self.ids.contains(given) {
            return sibling;
        }
        let what = format!("{given} is no sibling of {id}: taken as the task of that id");
        report.inferred.push(record.finding("dependencies", what));
        given.to_owned()
    }
}

/// Returns the id of a subtask with its task's id in front, once.
pub fn full_id(parent: &str, own: &str) -> String {
    match own.contains('.') {
        true => own.to_owned(),
        false => format!("{parent}.{own}"),
    }
}

fn title(record: &Record<'_>, report: &mut ImportReport) -> Result<String, Refusal> {
    if let Some(given) = record.text("title")?.filter(|title| !title.trim().is_empty()) {
        return record.title("title", given, report);
    }
    let line =
        record.text("description")?.unwrap_or_default().lines().map(str::trim).find(|line| !line.is_empty());
    let Some(line) = line else {
        return Err(record.refuse("title", "missing, and there is no description either"));
    };
    report.inferred.push(record.finding("title", "missing, taken from the first line of the description"));
    let mut title = line.to_owned();
    title.truncate(title.floor_char_boundary(limits::TITLE_BYTES_MAX));
    record.title("description", &title, report)
}

fn unchanged(record: &Record<'_>, title: &str, description: &str) -> Vec<&'static str> {
    let is = |field: &str, text: &str| record.fields.get(field).and_then(Value::as_str) == Some(text);
    let mut unchanged = Vec::new();
    if is("title", title) {
        unchanged.push("title");
    }
    if !description.is_empty() && is("description", description) {
        unchanged.push("description");
    }
    unchanged
}

fn state(record: &Record<'_>, status: &str, report: &mut ImportReport) -> ImportedState {
    match status {
        "pending" | "blocked" => ImportedState::Open,
        "in-progress" | "review" => {
            report
                .changed
                .push(record.finding("status", format!("{status} in the source; back in the queue here")));
            ImportedState::Open
        }
        "deferred" => {
            report
                .changed
                .push(record.finding("status", "deferred: open with low priority and the label `deferred`"));
            ImportedState::Deferred
        }
        "done" | "completed" => ImportedState::Completed { reason: None },
        "cancelled" => ImportedState::Cancelled { reason: "cancelled in Task Master".to_owned() },
        other => {
            report.inferred.push(
                record.finding("status", format!("`{}` is unknown, taken as open", other.escape_debug())),
            );
            ImportedState::Open
        }
    }
}

fn priority(
    record: &Record<'_>,
    parent: Option<&Parent<'_>>,
    report: &mut ImportReport,
) -> Result<(Priority, String), Refusal> {
    let Some(word) = record.text("priority")?.filter(|word| !word.is_empty()) else {
        let (priority, whose) =
            parent.map_or((Priority::Medium, ""), |parent| (parent.priority, ", its task's"));
        report.inferred.push(record.finding("priority", format!("missing, taken as {priority}{whose}")));
        return Ok((priority, "missing".to_owned()));
    };
    match Priority::parse(word) {
        Some(priority) => Ok((priority, word.to_owned())),
        None => Err(record
            .refuse("priority", format!("`{}` is none of critical, high, medium, low", word.escape_debug()))),
    }
}
