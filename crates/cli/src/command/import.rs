//! `kapell import` and `team`.

use std::path::{Path, PathBuf};

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use kapell_api::{BulkAnswer, BulkLine, Client, ClientError, ErrorCode, TaskSubmission};

use crate::context::Context;
use crate::exit::Exit;
use crate::import::{self, Format};
use crate::{output, progress, team};

/// Lines of one bulk request.
const CHUNK: usize = 1_000;

#[derive(Debug, clap::Args)]
pub struct Import {
    /// The file, or the folder of Backlog.md
    file: PathBuf,
    /// What it is [default: by its content]
    #[arg(long)]
    format: Option<Format>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Refuse the whole file where one record cannot be read
    #[arg(long)]
    strict: bool,
    /// Put this and a colon before every key of the file, so that backlogs that number their tasks alike stay apart
    #[arg(long, value_name = "NAME")]
    prefix: Option<String>,
    /// Take the file for one of the same backlog, though titles differ: what is new in it is submitted, what is here stays as it
    /// is. `kapell watch` brings changes
    #[arg(long)]
    again: bool,
}

/// Keys that are named where they are other tasks.
const OTHERS_NAMED: usize = 3;

impl Import {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let mut imported = import::read(&self.file, self.format, self.strict)?;
        if let Some(prefix) = &self.prefix {
            put_before(prefix, &mut imported);
        }
        match context.format() {
            output::Format::Json => output::json(&imported.report)?,
            output::Format::Human => output::line(imported.report.to_string()),
        }
        if self.dry_run {
            return Ok(if imported.report.refused.is_empty() { Exit::Ok } else { Exit::Refused });
        }
        let client = context.client()?;
        let others = if self.again { Vec::new() } else { others(&client, &imported.tasks)? };
        if !others.is_empty() {
            bail!(
                "{} keys of the file are other tasks here: {}. Nothing was submitted. `--prefix NAME` keeps two backlogs apart; `--again` \
                 takes the file for one of the same backlog, and submits what is new in it",
                others.len(),
                others[..others.len().min(OTHERS_NAMED)].join(", ")
            );
        }
        let total = imported.tasks.len() + imported.later.len();
        let progress = progress::bar(context.format(), "importing", u64::try_from(total).ok());
        let Submitted { done, here, mut refused } =
            submit(&client, &imported.tasks, |count| progress.more(count))?;
        for (task, on, kind) in &imported.later {
            progress.more(1);
            if let Err(error) = client.import_dependency(task, on, kind) {
                refused.push(format!("{task} {kind} {on}: {error}"));
            }
        }
        drop(progress);
        if !imported.report.closing.is_empty() {
            let broken = client.cycles(Some("broken"))?.len() + client.cycles(Some("kept_out"))?.len();
            eprintln!("{broken} edges stand outside of cycles in this fleet; kapell dep cycles shows them");
        }
        for refusal in &refused {
            eprintln!("refused: {}", output::plain(refusal));
        }
        let here = match here.len() {
            0 => String::new(),
            here => format!(", {here} already here and left as they are"),
        };
        eprintln!("{done} tasks submitted{here}, {} refused", refused.len());
        Ok(if refused.is_empty() && imported.report.refused.is_empty() { Exit::Ok } else { Exit::Refused })
    }
}

/// Puts a word before every key of the file, wherever it is named.
fn put_before(prefix: &str, imported: &mut import::Imported) {
    let keys: BTreeSet<String> = imported.tasks.iter().filter_map(|task| task.key.clone()).collect();
    let change = |name: &mut String| {
        if keys.contains(name) {
            *name = format!("{prefix}:{name}");
        }
    };
    for task in &mut imported.tasks {
        task.key.iter_mut().chain(&mut task.parent).chain(&mut task.depends_on).for_each(change);
        task.related.iter_mut().map(|related| &mut related.task).for_each(change);
    }
    for (task, on, _) in &mut imported.later {
        [task, on].into_iter().for_each(change);
    }
}

/// Returns the tasks of the fleet that have a key of the file and another title: what waits for that key in the file would wait for
/// them.
fn others(client: &Client, tasks: &[TaskSubmission]) -> anyhow::Result<Vec<String>> {
    let titles: BTreeMap<&str, &str> =
        tasks.iter().filter_map(|task| Some((task.key.as_deref()?, task.title.as_str()))).collect();
    let mut others = Vec::new();
    client.each_task(|task| {
        if let Some(key) = &task.key
            && titles.get(key.as_str()).is_some_and(|title| *title != task.title)
        {
            others.push(format!("`{key}` is {}, \"{}\"", task.id, output::cut(&task.title, 60)));
        }
    })?;
    Ok(others)
}

/// What became of tasks that were submitted.
#[derive(Debug, Default)]
pub struct Submitted {
    /// New ones.
    pub done: usize,
    /// Those whose key was a task's before, with the reason.
    pub here: Vec<String>,
    /// What else was refused, with the reason.
    pub refused: Vec<String>,
}

impl Submitted {
    /// Returns all that was not taken, for those who submit only what should be new.
    pub fn not_taken(self) -> impl Iterator<Item = String> {
        self.here.into_iter().chain(self.refused)
    }
}

/// Submits tasks in their order; `told` hears how many more are done.
pub fn submit(client: &Client, tasks: &[TaskSubmission], told: impl Fn(usize)) -> anyhow::Result<Submitted> {
    let mut submitted = Submitted::default();
    let mut new = BTreeSet::new();
    for chunk in tasks.chunks(CHUNK) {
        let lines: Vec<BulkLine> =
            chunk.iter().map(|task| BulkLine::Submit(Box::new(task.clone()))).collect();
        for (task, answer) in chunk.iter().zip(client.bulk(&lines)?) {
            let key = task.key.as_deref();
            let BulkAnswer::Error(problem) = answer else {
                submitted.done += 1;
                new.extend(key);
                continue;
            };
            // One that stands twice in the file is none that was here.
            let here = problem.code == ErrorCode::Duplicate && key.is_some_and(|key| !new.contains(key));
            let to = if here { &mut submitted.here } else { &mut submitted.refused };
            to.push(format!("{}: {problem}", key.unwrap_or(&task.title)));
        }
        told(chunk.len());
    }
    Ok(submitted)
}

#[derive(Debug, clap::Args)]
pub struct Team {
    /// The TOML file, with definitions of capabilities too; or a folder of Markdown files, such as .claude/agents
    file: PathBuf,
}

impl Team {
    /// Reads a folder, and tells what was inferred from what.
    fn folder(folder: &Path, client: &Client) -> anyhow::Result<team::Team> {
        let known: Vec<String> =
            client.capabilities()?.into_iter().map(|capability| capability.name).collect();
        let read = team::folder::read(folder, &known)?;
        for line in &read.inferred {
            eprintln!("inferred: {}", output::plain(line));
        }
        for file in &read.passed_over {
            eprintln!("no agent: {}", output::plain(file));
        }
        Ok(read.team)
    }

    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let team =
            if self.file.is_dir() { Self::folder(&self.file, &client)? } else { team::read(&self.file)? };
        for (name, definition) in &team.capabilities {
            client.define_capability(name, definition)?;
            output::line(format!("defined {name}"));
        }
        for agent in team.agents {
            match client.register(&agent) {
                Err(ClientError::Problem(problem)) if problem.code == ErrorCode::Duplicate => {
                    output::line(format!("{} is known, and left as it is", agent.name));
                }
                registered => {
                    registered?;
                    output::line(format!("registered {}", agent.name));
                }
            }
        }
        Ok(Exit::Ok)
    }
}
