//! `kapell export`.

use std::path::PathBuf;

use anyhow::Context as _;
use kapell_api::Client;

use crate::context::Context;
use crate::exit::{Ends, Exit};
use crate::import::Format;
use crate::{export, output, progress};

#[derive(Debug, clap::Args)]
pub struct Export {
    /// The format
    format: Format,
    /// The file, or - for standard output
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Only tasks of this project
    #[arg(long)]
    project: Option<String>,
}

impl Export {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let total = client.status()?.tasks.total;
        let progress = progress::bar(context.format(), "reading tasks", Some(total.into()));
        let mut tasks = Vec::new();
        client.each_task(|task| {
            tasks.push(task);
            progress.more(1);
        })?;
        drop(progress);
        if let Some(project) = &self.project {
            self.check_project(&client, project)?;
        }
        let exported = export::write(self.format, tasks, self.project.as_deref())?;
        let to_stdout = self.file.as_os_str() == "-";
        if to_stdout {
            output::bytes(&exported.bytes)?;
        } else {
            self.save(&exported.bytes)?;
        }
        match context.format() {
            output::Format::Json if !to_stdout => output::json(&exported.report)?,
            _ => eprintln!("{}", output::plain(&exported.report.to_string())),
        }
        Ok(Exit::Ok)
    }

    fn check_project(&self, client: &Client, project: &str) -> anyhow::Result<()> {
        let names: Vec<String> = client.projects()?.into_iter().map(|project| project.name).collect();
        if names.iter().any(|name| name == project) {
            return Ok(());
        }
        let allowed = if names.is_empty() { "there is none yet".to_owned() } else { names.join(", ") };
        let what = format!("there is no project `{project}`; allowed are: {allowed}");
        Err(Ends { exit: Exit::NotFound, what }.into())
    }

    /// Writes beside the file and puts it in its place, so that a full disk takes nothing away.
    fn save(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut beside = self.file.clone().into_os_string();
        beside.push(".new");
        std::fs::write(&beside, bytes)
            .and_then(|()| std::fs::rename(&beside, &self.file))
            .with_context(|| format!("cannot write {}", self.file.display()))
    }
}
