//! Keeps a beads file and the fleet in step, both ways.
//!
//! Three say what a record is: the file, the fleet, and what both said when they last agreed. What differs from that in the file
//! goes into the fleet, what differs in the fleet goes into the file; where both have changed the same field, the file's word
//! stands, since a person or another program wrote it knowing it.
//!
//! | in the file | in the fleet |
//! | --- | --- |
//! | a new record | a new task |
//! | title, description, priority, labels, estimate, due date changed | the same |
//! | closed, while an agent has it | done by that agent, with the close reason |
//! | closed, while nobody has it | called off as "closed in the file", and nothing waits for it any more |
//! | open again | reopened |
//! | an edge more, or less | the same; a wait that is gone is waived |
//! | a record that is gone | nothing: it comes back |
//!
//! A file that cannot be read whole is left alone, and that is said.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use kapell_api::{Client, DoneReport, Task, TaskEdit, TaskSubmission};
use serde_json::Value;

use crate::command::import::submit;
use crate::export::{self, Names, Submissions, changes};
use crate::import::report::LeftOut;
use crate::import::{self, Format};

/// How a task is called off that the file has closed.
const CLOSED: &str = "closed in the file";

/// A file that is watched, and what both sides said when they last agreed; kept in a file of its own, so that a watch that
/// begins again knows it.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    memory: PathBuf,
    agreed: Submissions,
    /// Edges that were told of.
    dangling: BTreeSet<String>,
}

/// What a round did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// What the fleet was told, a line each.
    pub told: Vec<String>,
    /// Edges of the file that lead nowhere, a line each, once.
    pub dangling: Vec<String>,
    /// What could not be done, a line each.
    pub refused: Vec<String>,
    /// Whether the file was written.
    pub written: bool,
}

/// A change of the file that the fleet is told.
#[derive(Debug, Clone, PartialEq)]
enum Change {
    Edit(Box<TaskEdit>),
    Close { reason: String },
    CallOff { reason: String },
    Reopen,
    Relate { on: String, kind: String },
    Waive { on: String },
}

impl Watch {
    /// Begins to watch a file. `memory` is the folder for what is kept.
    ///
    /// # Errors
    /// Where the file is not there, or what is kept cannot be read.
    pub fn open(path: &Path, memory: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let full = path.canonicalize().with_context(|| format!("cannot read {shown}"))?;
        let name = full.to_string_lossy().replace('/', "%");
        let cut = (name.len().saturating_sub(200)..).find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        let memory = memory.join(&name[cut..]);
        let agreed = match std::fs::read(&memory) {
            Ok(bytes) => {
                export::submissions(import::read_bytes("the memory", &bytes, Some(Format::Beads), false)?)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Submissions::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", memory.display())),
        };
        Ok(Self { path: full, memory, agreed, dangling: BTreeSet::new() })
    }

    /// Brings file and fleet in step once.
    ///
    /// # Errors
    /// Where the file cannot be read whole or written, or the server does not answer.
    pub fn round(&mut self, client: &Client) -> anyhow::Result<Round> {
        let path = self.path.clone();
        let before = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let imported = import::read_bytes(&path.display().to_string(), &before, Some(Format::Beads), true)?;
        if let Some(twice) = imported.report.duplicates.first() {
            bail!("{}:{}: `{}` stands there twice", path.display(), twice.line, twice.id);
        }
        let (order, later) = (imported.tasks.clone(), imported.later.clone());
        let left_out = imported.report.left_out.iter().filter(|edge| edge.why == LeftOut::Dangling);
        let dangling: BTreeSet<String> = left_out.map(ToString::to_string).collect();
        let file = export::submissions(imported);
        let mut round =
            Round { dangling: dangling.difference(&self.dangling).cloned().collect(), ..Round::default() };
        self.dangling = dangling;
        let known = tasks(client)?;
        let keys = keys(&known, &file);
        let ids: BTreeMap<&str, &str> = keys.iter().map(|(id, key)| (key.as_str(), id.as_str())).collect();
        let named = |key: &str| ids.get(key).copied().unwrap_or(key).to_owned();
        let is_new = |task: &&TaskSubmission| task.key.as_deref().is_some_and(|key| !ids.contains_key(key));
        let over: BTreeSet<&str> =
            known.iter().filter(|task| is_closed(task)).map(|task| task.id.as_str()).collect();
        let mut new: Vec<TaskSubmission> =
            order.iter().filter(is_new).map(|task| renamed(task, &named)).collect();
        new.iter_mut().for_each(|task| task.depends_on.retain(|on| !over.contains(on.as_str())));
        round.told.extend(new.iter().filter_map(|task| Some(format!("{} is new", task.key.as_ref()?))));
        round.refused.extend(submit(client, &new, |_| {})?.not_taken());
        for (task, on, kind) in later.iter().filter(|(task, _, _)| !ids.contains_key(task.as_str())) {
            if let Err(error) = client.import_dependency(task, &named(on), kind) {
                round.refused.push(format!("{task} {kind} {on}: {error}"));
            }
        }
        let bases = export::beads_bases(&known)?;
        for task in &known {
            let key = &keys[&task.id];
            let (Some(now), Some(agreed)) = (file.get(key), self.agreed.get(key).or_else(|| bases.get(key)))
            else {
                continue;
            };
            for change in wanted(now, agreed, task, &keys) {
                match apply(client, task, &change, &known, &named) {
                    Ok(what) => round.told.push(format!("{key} {what}")),
                    Err(error) => round.refused.push(format!("{key}: {error:#}")),
                }
            }
        }
        // A record that the fleet refused would be missing in what is written.
        if round.refused.is_empty() {
            self.write(client, &before, &file, &mut round)?;
        }
        Ok(round)
    }

    /// Writes what the fleet knows better, unless somebody has written the file meanwhile.
    fn write(
        &mut self,
        client: &Client,
        before: &[u8],
        file: &Submissions,
        round: &mut Round,
    ) -> anyhow::Result<()> {
        let mut all = tasks(client)?;
        let keys = keys(&all, file);
        let closed: BTreeSet<String> =
            all.iter().filter(|task| is_closed(task)).map(|task| task.id.clone()).collect();
        for task in &mut all {
            if let Some(now) = file.get(&keys[&task.id]) {
                as_in_file(task, now, &keys[&task.id], &closed);
            }
        }
        let after = export::write(Format::Beads, all, None)?.bytes;
        self.agreed =
            export::submissions(import::read_bytes("the export", &after, Some(Format::Beads), false)?);
        let Some(after) = merged(before, &after) else { return self.remember(before) };
        if std::fs::read(&self.path).with_context(|| format!("cannot read {}", self.path.display()))?
            != before
        {
            // The next round sees it.
            self.agreed.clone_from(file);
            return self.remember(before);
        }
        replace(&self.path, &after)?;
        round.written = true;
        self.remember(&after)
    }

    fn remember(&self, bytes: &[u8]) -> anyhow::Result<()> {
        if std::fs::read(&self.memory).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        if let Some(folder) = self.memory.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        replace(&self.memory, bytes)
    }
}

/// Writes beside a file and puts it in its place.
fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Names every task by its key in the file: tasks that began in the fleet stand there under a name that was made of their number.
fn keys(all: &[Task], file: &Submissions) -> Names {
    let mut keys = export::beads_keys(all);
    let unnamed: BTreeMap<&str, &Task> =
        all.iter().filter(|task| task.key.is_none()).map(|task| (task.id.as_str(), task)).collect();
    for key in
        file.keys().filter(|key| !keys.values().any(|known| known == *key)).cloned().collect::<Vec<_>>()
    {
        let id = key.rsplit_once("-t").map(|(_, number)| format!("T-{number}"));
        if let Some(task) = id.and_then(|id| unnamed.get(id.as_str()).copied()) {
            keys.insert(task.id.clone(), key);
        }
    }
    keys
}

/// Lets a new task name those that have no key of their own by their ids.
fn renamed(task: &TaskSubmission, named: &impl Fn(&str) -> String) -> TaskSubmission {
    let mut task = task.clone();
    task.depends_on.iter_mut().for_each(|on| *on = named(on));
    task.parent = task.parent.map(|on| named(&on));
    task.related.iter_mut().for_each(|related| related.task = named(&related.task));
    task
}

/// Puts lines of the file, as they stand there, in the place of lines that say the same; nothing where all of them do.
fn merged(before: &[u8], after: &[u8]) -> Option<Vec<u8>> {
    let lines = |bytes: &[u8]| -> Vec<(Option<Value>, Vec<u8>)> {
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        lines.map(|line| (serde_json::from_slice(line).ok(), line.to_vec())).collect()
    };
    let old = lines(before);
    let by_id =
        |value: &Option<Value>| value.as_ref().and_then(|value| Some(value.get("id")?.as_str()?.to_owned()));
    let ids: BTreeMap<String, &(Option<Value>, Vec<u8>)> =
        old.iter().filter_map(|line| Some((by_id(&line.0)?, line))).collect();
    let new: Vec<Vec<u8>> = lines(after)
        .into_iter()
        .map(|(value, line)| match by_id(&value).and_then(|id| ids.get(&id)) {
            Some((same, kept)) if *same == value => kept.clone(),
            Some((Some(Value::Object(old)), _)) => match value {
                Some(Value::Object(value)) => export::beads_newer(value, old),
                _ => line,
            },
            _ => line,
        })
        .collect();
    if new.iter().eq(old.iter().map(|(_, line)| line)) {
        return None;
    }
    let mut bytes = new.join(&b'\n');
    bytes.push(b'\n');
    Some(bytes)
}

/// Tells whether a task was called off since the file had closed it.
fn is_closed(task: &Task) -> bool {
    task.state == "cancelled" && task.reason.as_deref().is_some_and(|reason| reason.starts_with(CLOSED))
}

fn tasks(client: &Client) -> anyhow::Result<Vec<Task>> {
    let mut tasks = Vec::new();
    client.each_task(|task| tasks.push(task))?;
    Ok(tasks)
}

/// Lets a task say what the file says where the fleet cannot say it better: fields that nothing but an import sets, the end of a
/// task that the file closed, and waits for it.
fn as_in_file(task: &mut Task, now: &TaskSubmission, key: &str, closed: &BTreeSet<String>) {
    task.source.clone_from(&now.source);
    if task.key.is_none() {
        task.source.get_or_insert_default().insert("id".to_owned(), Value::from(key));
    }
    task.kind.clone_from(&now.kind);
    // Who has edited it, the file or the fleet, only the records say: one that differs is made newer.
    task.edited_at = None;
    task.not_before.clone_from(&now.not_before);
    if let Some(end) = now.closed.as_ref().filter(|end| is_closed(task) || end.state == task.state) {
        task.state.clone_from(&end.state);
        task.attempts = 0;
    }
    task.depends_on.iter_mut().for_each(|edge| edge.waived &= !closed.contains(&edge.task));
}

/// Returns what the file wants to be so, and was not when both sides last agreed, and is not so in the fleet.
fn wanted(now: &TaskSubmission, agreed: &TaskSubmission, task: &Task, keys: &Names) -> Vec<Change> {
    let mut changes = Vec::new();
    if let Some(edit) = edited(now, agreed, task) {
        changes.push(Change::Edit(Box::new(edit)));
    }
    let edges = |task: &TaskSubmission| -> Vec<(String, String)> {
        let waits = task.depends_on.iter().map(|on| ("blocks".to_owned(), on.clone()));
        let parent = task.parent.iter().map(|on| ("parent_child".to_owned(), on.clone()));
        let related = task.related.iter().map(|related| (related.kind.clone(), related.task.clone()));
        waits.chain(parent).chain(related).collect()
    };
    let standing: Vec<(String, String)> = task
        .depends_on
        .iter()
        .filter(|edge| !edge.waived)
        .filter_map(|edge| Some((edge.kind.clone(), keys.get(&edge.task)?.clone())))
        .collect();
    let (wanted, before) = (edges(now), edges(agreed));
    for (kind, on) in wanted.iter().filter(|edge| !before.contains(edge) && !standing.contains(edge)) {
        changes.push(Change::Relate { on: on.clone(), kind: kind.clone() });
    }
    for (kind, on) in before.iter().filter(|edge| !wanted.contains(edge) && standing.contains(edge)) {
        if kind == "blocks" {
            changes.push(Change::Waive { on: on.clone() });
        }
    }
    let ended = changes::is_ended(task);
    match (&now.closed, &agreed.closed) {
        (Some(closed), None) if !ended => {
            let reason = closed.reason.clone();
            let close = closed.state == "completed" && task.assignment.is_some();
            changes.push(if close { Change::Close { reason } } else { Change::CallOff { reason } });
        }
        (None, Some(_)) if ended => changes.push(Change::Reopen),
        _ => {}
    }
    changes
}

fn edited(now: &TaskSubmission, agreed: &TaskSubmission, task: &Task) -> Option<TaskEdit> {
    let mut edit = TaskEdit::default();
    if now.title != agreed.title && now.title != task.title {
        edit.title = Some(now.title.clone());
    }
    if now.description != agreed.description && now.description != task.description {
        edit.description = Some(now.description.clone());
    }
    if now.priority != agreed.priority && now.priority != task.declared_priority {
        edit.priority = Some(now.priority.clone());
    }
    if now.labels != agreed.labels && now.labels != task.labels {
        edit.labels = Some(now.labels.clone());
    }
    let estimate = changes::declared_estimate(task);
    if !changes::same_effort(now.estimate_hours, agreed.estimate_hours)
        && !changes::same_effort(now.estimate_hours, estimate)
    {
        edit.estimate_hours = Some(now.estimate_hours);
    }
    let (deadline, before) = (now.deadline.as_deref(), agreed.deadline.as_deref());
    if !changes::same_moment(deadline, before) && !changes::same_moment(deadline, task.deadline.as_deref()) {
        edit.deadline = Some(now.deadline.clone());
    }
    (edit != TaskEdit::default()).then_some(edit)
}

/// Tells the fleet; returns what was done, in words.
fn apply(
    client: &Client,
    task: &Task,
    change: &Change,
    all: &[Task],
    named: &impl Fn(&str) -> String,
) -> anyhow::Result<String> {
    let id = task.id.as_str();
    Ok(match change {
        Change::Edit(edit) => {
            client.edit(id, edit)?;
            "is edited".to_owned()
        }
        Change::Close { reason } => {
            let (agent, assignment) = (task.owner.clone().unwrap_or_default(), task.assignment.clone());
            let result = Some(reason.clone()).filter(|reason| !reason.is_empty());
            let assignment = assignment.unwrap_or_default();
            client.done(id, &DoneReport { task: None, agent, assignment, result, usage: None })?;
            "is done".to_owned()
        }
        Change::CallOff { reason } => {
            for other in all {
                let waits =
                    |edge: &kapell_api::Dependency| edge.task == id && edge.kind == "blocks" && !edge.waived;
                if !changes::is_ended(other) && other.depends_on.iter().any(waits) {
                    client.waive_dependency(&other.id, id)?;
                }
            }
            let reason = if reason.is_empty() { CLOSED.to_owned() } else { format!("{CLOSED}: {reason}") };
            client.cancel(id, &reason)?;
            "is closed".to_owned()
        }
        Change::Reopen => {
            client.reopen(id, "open again in the file")?;
            "is open again".to_owned()
        }
        Change::Relate { on, kind } => {
            client.import_dependency(id, &named(on), kind)?;
            if kind == "blocks" && all.iter().any(|other| other.id == named(on) && is_closed(other)) {
                client.waive_dependency(id, &named(on))?;
            }
            format!("{kind} {on}")
        }
        Change::Waive { on } => {
            client.waive_dependency(id, &named(on))?;
            format!("does not wait for {on} any more")
        }
    })
}
