//! Writes the `tasks.json` of Task Master, with tags or, where it came so, without.
//!
//! | Kapell now | Task Master |
//! | --- | --- |
//! | nothing has happened since the import | as it was |
//! | completed, cancelled | `done`, `cancelled` |
//! | in progress | `in-progress`; who has it has no field |
//! | failed | `deferred`: it is not done, and not to be handed out |
//! | any other | `pending` |
//! | a task of Kapell's own | the next number of its tag, its project being the tag; a part of a task becomes its subtask |

use std::collections::{BTreeMap, BTreeSet};

use kapell_api::{Task, TaskSubmission};
use serde_json::{Map, Value};

use super::changes::{self, Record, set};
use super::ordered::Ordered;
use super::report::ExportReport;
use super::{Names, Submissions, number};
use crate::import::taskmaster::{DEFAULT_TAG, NAME, SECTIONS, full_id};
use crate::import::{self, Format};

/// The order in which Task Master itself writes the members of a task.
const ORDER: &[&str] = &[
    "tasks",
    "id",
    "title",
    "description",
    "details",
    "testStrategy",
    "priority",
    "dependencies",
    "status",
    "subtasks",
    "metadata",
    "created",
    "updated",
];

/// Where a task stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Seat {
    /// Its tag, as a project.
    project: String,
    /// `29`, or `29.2` of a subtask.
    id: String,
    /// The id of the task that a subtask belongs to.
    parent: Option<String>,
}

impl Seat {
    fn key(&self) -> String {
        format!("{}:{}", self.project, self.id)
    }
}

type Seats = BTreeMap<String, Seat>;
type Records = BTreeMap<String, Record>;

/// Writes the tasks, and returns the key that an import would give each.
pub fn write(all: &[Task], tasks: &[&Task], report: &mut ExportReport) -> anyhow::Result<(Vec<u8>, Names)> {
    let seats = seats(all, report);
    let file = File::of(all);
    let ours = |task: &&&Task| super::source(task, Format::Taskmaster).is_some();
    let originals: Vec<&Task> = tasks.iter().filter(ours).copied().collect();
    let records: Records =
        originals.iter().map(|task| (task.id.clone(), original(task, &seats[&task.id]))).collect();
    let base = file.document(&originals, &seats, &records);
    let base =
        import::read_bytes("the originals", &serde_json::to_vec(&base)?, Some(Format::Taskmaster), false);
    // Without a task there is no document to read.
    let base = if originals.is_empty() { Submissions::new() } else { super::submissions(base?) };
    let siblings = siblings(all, &seats);
    let mut updated = Records::new();
    for &task in tasks {
        super::note_foreign_source(task, Format::Taskmaster, report);
        if task.owner.is_some() {
            report.lost("owner and progress", &task.id);
        }
        if task.result.is_some() {
            report.lost("result", &task.id);
        }
        let mut record = match records.get(&task.id) {
            Some(record) => {
                let mut record = record.clone();
                if let Some(base) = base.get(&seats[&task.id].key()) {
                    update(&mut record, task, base);
                }
                record
            }
            None => made(task, &seats[&task.id]),
        };
        edges(&mut record, task, &seats, &siblings);
        updated.insert(task.id.clone(), record);
    }
    let document = file.document(tasks, &seats, &updated);
    let mut bytes = serde_json::to_vec_pretty(&Ordered { value: &document, order: ORDER })?;
    bytes.push(b'\n');
    Ok((bytes, seats.iter().map(|(task, seat)| (task.clone(), seat.key())).collect()))
}

/// Finds the seat of every task: the source's, or the next number of its tag.
fn seats(all: &[Task], report: &mut ExportReport) -> Seats {
    let mut seats = Seats::new();
    for task in all.iter().filter(|task| super::source(task, Format::Taskmaster).is_some()) {
        let Some((project, id)) = task.key.as_deref().and_then(|key| key.rsplit_once(':')) else { continue };
        let parent = (task.kind == "subtask").then(|| id.rsplit_once('.')).flatten();
        let parent = parent.map(|(parent, _)| parent.to_owned());
        seats.insert(task.id.clone(), Seat { project: project.to_owned(), id: id.to_owned(), parent });
    }
    let mut last: BTreeMap<(String, Option<String>), u64> = BTreeMap::new();
    for seat in seats.values() {
        let own = seat.parent.as_ref().and_then(|parent| seat.id.strip_prefix(parent)?.strip_prefix('.'));
        let taken = own.unwrap_or(&seat.id).parse().unwrap_or(0);
        let last = last.entry((seat.project.clone(), seat.parent.clone())).or_default();
        *last = taken.max(*last);
    }
    for task in all {
        if seats.contains_key(&task.id) {
            continue;
        }
        let mut parents = task.depends_on.iter().filter(|edge| edge.kind == "parent_child" && !edge.waived);
        let parent = parents.next().and_then(|edge| seats.get(&edge.task)).filter(|seat| {
            seat.parent.is_none() && task.project.as_deref().is_none_or(|project| project == seat.project)
        });
        let project = match parent {
            Some(seat) => seat.project.clone(),
            None => task.project.clone().unwrap_or_else(|| DEFAULT_TAG.to_owned()),
        };
        let parent = parent.map(|seat| seat.id.clone());
        let next = last.entry((project.clone(), parent.clone())).or_default();
        *next += 1;
        let id = parent.as_ref().map_or_else(|| next.to_string(), |parent| format!("{parent}.{next}"));
        let seat = Seat { project, id, parent };
        report.renamed.push((task.id.clone(), seat.key()));
        seats.insert(task.id.clone(), seat);
    }
    seats
}

/// The ids of the tasks in each task's place: of the same tag, and of the same parent.
struct Siblings {
    tops: BTreeSet<(String, String)>,
    subs: BTreeSet<(String, String)>,
}

fn siblings(all: &[Task], seats: &Seats) -> Siblings {
    let of = |sub: bool| {
        let seats = all.iter().filter_map(|task| seats.get(&task.id));
        let seats = seats.filter(move |seat| seat.parent.is_some() == sub);
        seats.map(|seat| (seat.project.clone(), seat.id.clone())).collect()
    };
    Siblings { tops: of(false), subs: of(true) }
}

impl Siblings {
    /// What a dependency that is written as `given` at `seat` means: the importer's own reading.
    fn meaning(&self, seat: &Seat, given: &str) -> String {
        let Some(parent) = &seat.parent else { return given.to_owned() };
        let sibling = full_id(parent, given);
        let is =
            |set: &BTreeSet<(String, String)>, id: &str| set.contains(&(seat.project.clone(), id.to_owned()));
        if is(&self.subs, &sibling) || !is(&self.tops, given) { sibling } else { given.to_owned() }
    }

    /// How a dependency of `seat` on `on` is written, where it can be.
    fn writing(&self, seat: &Seat, on: &Seat) -> Option<Value> {
        if seat.project != on.project {
            return None;
        }
        let own = on.parent.as_ref().filter(|parent| seat.parent.as_ref() == Some(*parent));
        let short = own.and_then(|parent| on.id.strip_prefix(parent.as_str())?.strip_prefix('.'));
        let given = short.unwrap_or(&on.id);
        let value = given.parse::<u64>().map_or_else(|_| Value::from(given), Value::from);
        (self.meaning(seat, given) == on.id).then_some(value)
    }
}

fn original(task: &Task, seat: &Seat) -> Record {
    let source = super::source(task, Format::Taskmaster).cloned().unwrap_or_default();
    let mut record = super::original(&source, task, &SECTIONS);
    if !record.contains_key("id") {
        set(&mut record, "id", seat.id.as_str());
    }
    record
}

fn update(record: &mut Record, task: &Task, base: &TaskSubmission) {
    changes::texts(record, task, base, &SECTIONS);
    if task.declared_priority != base.priority {
        set(record, "priority", task.declared_priority.as_str());
    }
    if !changes::is_where_it_was(task, base) {
        set(record, "status", status(task));
    }
}

/// Makes the record of a task that did not come from Task Master.
fn made(task: &Task, seat: &Seat) -> Record {
    let own = seat.parent.as_ref().and_then(|parent| seat.id.strip_prefix(parent)?.strip_prefix('.'));
    let id = own.unwrap_or(&seat.id);
    let mut record = Record::new();
    set(&mut record, "id", id.parse::<u64>().map_or_else(|_| Value::from(id), Value::from));
    set(&mut record, "title", task.title.as_str());
    set(&mut record, "description", task.description.as_str());
    set(&mut record, "details", "");
    set(&mut record, "testStrategy", "");
    set(&mut record, "priority", task.declared_priority.as_str());
    set(&mut record, "dependencies", Vec::<Value>::new());
    set(&mut record, "status", status(task));
    if seat.parent.is_none() {
        set(&mut record, "subtasks", Vec::<Value>::new());
    }
    record
}

fn status(task: &Task) -> &'static str {
    match task.state.as_str() {
        "completed" => "done",
        "cancelled" | "archived" => "cancelled",
        "in_progress" => "in-progress",
        "in_review" | "waiting" => "review",
        "failed" => "deferred",
        _ => "pending",
    }
}

/// Adds the waits that the record does not have yet, and takes out those that were waived.
fn edges(record: &mut Record, task: &Task, seats: &Seats, siblings: &Siblings) {
    let seat = &seats[&task.id];
    let listed = match record.get("dependencies") {
        Some(Value::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    let means = |item: &Value| {
        let given = item.as_str().map_or_else(|| item.to_string(), |text| text.trim().to_owned());
        siblings.meaning(seat, &given)
    };
    let mut items = listed.clone();
    for edge in task.depends_on.iter().filter(|edge| edge.kind == "blocks") {
        let Some(on) = seats.get(&edge.task).filter(|on| on.project == seat.project) else { continue };
        let again =
            task.depends_on.iter().any(|it| it.task == edge.task && it.kind == "blocks" && !it.waived);
        if edge.waived && !again {
            items.retain(|item| means(item) != on.id);
        } else if !edge.waived && !items.iter().any(|item| means(item) == on.id) {
            items.extend(siblings.writing(seat, on));
        }
    }
    if items != listed {
        set(record, "dependencies", items);
    }
}

/// What the files said beside their tasks.
struct File {
    frame: Map<String, Value>,
    /// Tags by the project that each became.
    tags: BTreeMap<String, String>,
}

impl File {
    fn of(all: &[Task]) -> Self {
        let (mut frame, mut tags) = (Map::new(), BTreeMap::new());
        let sources = all.iter().filter_map(|task| super::source(task, Format::Taskmaster));
        for file in sources.filter_map(|source| source.get(import::task::FILE_FIELD)) {
            let members =
                |field: &str| file.get(field).and_then(Value::as_object).cloned().unwrap_or_default();
            for (name, value) in members("frame") {
                frame.entry(name).or_insert(value);
            }
            for (project, tag) in members("tags") {
                tags.entry(project).or_insert_with(|| tag.as_str().unwrap_or(NAME).to_owned());
            }
        }
        Self { frame, tags }
    }

    /// Puts the records into the frame, each under its tag or task.
    fn document(&self, tasks: &[&Task], seats: &Seats, records: &Records) -> Value {
        let mut lists: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        let mut tops: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let order = |task: &&&Task| (super::place(task, Format::Taskmaster), number(&task.id));
        let mut sorted: Vec<&&Task> = tasks.iter().collect();
        sorted.sort_by_key(order);
        for (sub, task) in [false, true].iter().flat_map(|sub| sorted.iter().map(move |task| (*sub, **task)))
        {
            let (seat, record) = (&seats[&task.id], &records[&task.id]);
            let list = lists.entry(&seat.project).or_default();
            let top = seat.parent.as_ref().and_then(|parent| tops.get(&(&*seat.project, &**parent))).copied();
            match (sub, &seat.parent, top) {
                (false, None, _) => {
                    tops.insert((&seat.project, &seat.id), list.len());
                    list.push(Value::Object(record.clone()));
                }
                (true, Some(_), Some(top)) => {
                    if let Some(Value::Array(subtasks)) = list[top].get_mut("subtasks") {
                        subtasks.push(Value::Object(record.clone()));
                    } else {
                        list[top]["subtasks"] = Value::Array(vec![Value::Object(record.clone())]);
                    }
                }
                // Its task is not in this export: it stands alone, under its whole id.
                (true, Some(_), None) => {
                    let mut record = record.clone();
                    set(&mut record, "id", seat.id.as_str());
                    list.push(Value::Object(record));
                }
                _ => {}
            }
        }
        self.filled(lists)
    }

    fn filled(&self, mut lists: BTreeMap<&str, Vec<Value>>) -> Value {
        let mut frame = self.frame.clone();
        if frame.get("tasks").is_some_and(Value::is_null) {
            if lists.keys().all(|project| *project == DEFAULT_TAG) {
                frame.insert("tasks".to_owned(), lists.remove(DEFAULT_TAG).unwrap_or_default().into());
                return Value::Object(frame);
            }
            // Beside other tags, a file without tags is the tag that it always was.
            frame = Map::from_iter([(DEFAULT_TAG.to_owned(), Value::Object(frame))]);
        }
        let tag_of = |project: &str| self.tags.get(project).map_or(project, String::as_str).to_owned();
        for (project, list) in lists {
            let tag = frame.entry(tag_of(project)).or_insert_with(|| Value::Object(Map::new()));
            tag["tasks"] = list.into();
        }
        for tag in frame.values_mut().filter(|tag| tag.get("tasks").is_some_and(Value::is_null)) {
            tag["tasks"] = Vec::<Value>::new().into();
        }
        Value::Object(frame)
    }
}
