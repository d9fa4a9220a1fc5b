//! `kapell export`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use kapell_api::Client;

use crate::context::Context;
use crate::exit::{Ends, Exit};
use crate::import::Format;
use crate::import::backlog::Page;
use crate::{export, output, progress};

#[derive(Debug, clap::Args)]
pub struct Export {
    /// The format
    #[arg(value_parser = written())]
    format: Format,
    /// The file, or - for standard output; the folder, for backlog
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Only tasks of this project
    #[arg(long)]
    project: Option<String>,
}

/// Takes the formats that can be written; more can be read.
fn written() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(["beads", "taskmaster", "backlog", "kapell"])
        .try_map(|word| <Format as clap::ValueEnum>::from_str(&word, false))
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
        if self.format == Format::Backlog {
            anyhow::ensure!(!to_stdout, "an export to backlog wants the folder that it is written to");
            self.save_pages(&exported.bytes)?;
        } else if to_stdout {
            output::bytes(&exported.bytes)?;
        } else {
            save(&self.file, &exported.bytes)?;
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

    /// Writes the files that are others now, and takes away those that have moved.
    fn save_pages(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let pages: Vec<Page> = serde_json::from_slice(bytes)?;
        for page in &pages {
            let path = self.file.join(&page.path);
            if std::fs::read(&path).is_ok_and(|there| there == page.text.as_bytes()) {
                continue;
            }
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make {}", folder.display()))?;
            }
            save(&path, page.text.as_bytes())?;
        }
        for was in pages.iter().filter_map(|page| page.was.as_ref()) {
            let path = self.file.join(was);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Writes beside the file and puts it in its place, so that a full disk takes nothing away.
fn save(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut beside = path.to_owned().into_os_string();
    beside.push(".new");
    std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| format!("cannot write {}", path.display()))
}
