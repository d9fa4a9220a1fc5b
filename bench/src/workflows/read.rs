//! Reads workflows in the format of `WfCommons`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/wfinstances");

/// A task of a workflow.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its id in the file.
    pub id: String,
    /// What it runs.
    pub program: String,
    /// How long that took, in ms, at least 1.
    pub duration: i64,
    /// Places of those that it waits for, all before its own.
    pub parents: Vec<usize>,
}

/// A workflow; each task stands behind those that it waits for.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// The file's name.
    pub name: String,
    /// What it is an instance of: blast, montage, ...
    pub application: String,
    /// The tasks.
    pub tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct File {
    workflow: Parts,
}

#[derive(Deserialize)]
struct Parts {
    specification: Tasks<Specified>,
    execution: Tasks<Executed>,
}

#[derive(Deserialize)]
struct Tasks<T> {
    tasks: Vec<T>,
}

#[derive(Deserialize)]
struct Specified {
    id: String,
    parents: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Executed {
    id: String,
    runtime_in_seconds: f64,
    command: Option<Program>,
}

#[derive(Deserialize)]
struct Program {
    program: Option<String>,
}

/// Reads every workflow, in the order of their paths.
pub fn all() -> anyhow::Result<Vec<Workflow>> {
    let mut paths = Vec::new();
    collect(Path::new(FOLDER), &mut paths)?;
    paths.sort();
    paths.iter().map(|path| read(path).with_context(|| path.display().to_string())).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Workflow> {
    let Parts { specification, execution } = serde_json::from_slice::<File>(&std::fs::read(path)?)?.workflow;
    let ran: BTreeMap<&str, &Executed> = execution.tasks.iter().map(|task| (&*task.id, task)).collect();
    let mut places = BTreeMap::new();
    let mut tasks = Vec::new();
    for specified in in_order(&specification.tasks)? {
        let executed = ran.get(&*specified.id).with_context(|| format!("{} never ran", specified.id))?;
        let program = executed.command.as_ref().and_then(|command| command.program.clone());
        #[expect(clippy::cast_possible_truncation, reason = "runtimes are days at most")]
        let duration = ((executed.runtime_in_seconds * 1_000.0).round() as i64).max(1);
        let parents: BTreeSet<usize> = specified.parents.iter().map(|parent| places[&**parent]).collect();
        places.insert(&*specified.id, tasks.len());
        tasks.push(Task {
            id: specified.id.clone(),
            program: first_word(&program.unwrap_or_default()),
            duration,
            parents: parents.into_iter().collect(),
        });
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let application = name.split('-').next().unwrap_or_default().to_owned();
    Ok(Workflow { name, application, tasks })
}

/// Returns what is run first: some files hold a whole shell script in place of a program.
fn first_word(program: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let mut words = program.split(|c| !is_name(c)).filter(|word| word.starts_with(char::is_alphabetic));
    words.next().map_or_else(|| "unknown".to_owned(), |word| word.chars().take(60).collect())
}

/// Puts each task behind its parents; where the edges leave a choice, the file's order stands.
fn in_order(tasks: &[Specified]) -> anyhow::Result<Vec<&Specified>> {
    let mut open: Vec<&Specified> = tasks.iter().collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut order = Vec::with_capacity(tasks.len());
    while !open.is_empty() {
        let before = open.len();
        open.retain(|task| {
            let free = task.parents.iter().all(|parent| done.contains(&**parent));
            if free {
                done.insert(&task.id);
                order.push(*task);
            }
            !free
        });
        anyhow::ensure!(open.len() < before, "the workflow has a cycle, or a parent that is not there");
    }
    Ok(order)
}

impl Workflow {
    /// Returns the programs of its tasks.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.tasks.iter().map(|task| &*task.program)
    }

    /// Returns the tasks of all `workflows` as those of one.
    pub fn joined(workflows: &[Self]) -> Self {
        let mut tasks = Vec::new();
        for workflow in workflows {
            let first = tasks.len();
            tasks.extend(workflow.tasks.iter().cloned().map(|mut task| {
                task.parents.iter_mut().for_each(|parent| *parent += first);
                task
            }));
        }
        Self { name: "all".to_owned(), application: "all".to_owned(), tasks }
    }

    /// Returns how long each task and the longest path behind it take together, in ms.
    pub fn paths(&self) -> Vec<i64> {
        let mut paths: Vec<i64> = self.tasks.iter().map(|task| task.duration).collect();
        for (place, task) in self.tasks.iter().enumerate().rev() {
            for &parent in &task.parents {
                paths[parent] = paths[parent].max(self.tasks[parent].duration + paths[place]);
            }
        }
        paths
    }

    /// Returns the makespan that no schedule on `agents` agents can pass, in ms: the longest path, or all work spread
    /// evenly.
    pub fn bound(&self, agents: usize) -> i64 {
        let work: i64 = self.tasks.iter().map(|task| task.duration).sum();
        let longest = self.paths().into_iter().max().unwrap_or(0);
        longest.max(work.div_euclid(agents as i64) + i64::from(work % agents as i64 > 0))
    }
}
