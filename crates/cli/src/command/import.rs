//! `kapell import` and `team`.

use std::path::{Path, PathBuf};

use kapell_api::{BulkAnswer, BulkLine, Client, TaskSubmission};

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
}

impl Import {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let imported = import::read(&self.file, self.format, self.strict)?;
        match context.format() {
            output::Format::Json => output::json(&imported.report)?,
            output::Format::Human => output::line(imported.report.to_string()),
        }
        if self.dry_run {
            return Ok(Exit::Ok);
        }
        let client = context.client()?;
        let total = imported.tasks.len() + imported.later.len();
        let progress = progress::bar(context.format(), "importing", u64::try_from(total).ok());
        let mut refused = submit(&client, &imported.tasks, |count| progress.more(count))?;
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
        eprintln!(
            "{} tasks submitted, {} refused",
            imported.tasks.len() - refused.len().min(imported.tasks.len()),
            refused.len()
        );
        Ok(if refused.is_empty() && imported.report.refused.is_empty() { Exit::Ok } else { Exit::Refused })
    }
}

/// Submits tasks in their order and returns what was refused; `told` hears how many more are done.
pub fn submit(
    client: &Client,
    tasks: &[TaskSubmission],
    told: impl Fn(usize),
) -> anyhow::Result<Vec<String>> {
    let mut refused = Vec::new();
    for chunk in tasks.chunks(CHUNK) {
        let lines: Vec<BulkLine> =
            chunk.iter().map(|task| BulkLine::Submit(Box::new(task.clone()))).collect();
        for (task, answer) in chunk.iter().zip(client.bulk(&lines)?) {
            if let BulkAnswer::Error(problem) = answer {
                let name = task.key.as_deref().unwrap_or(&task.title);
                refused.push(format!("{name}: {problem}"));
            }
        }
        told(chunk.len());
    }
    Ok(refused)
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
            client.register(&agent)?;
            output::line(format!("registered {}", agent.name));
        }
        Ok(Exit::Ok)
    }
}
