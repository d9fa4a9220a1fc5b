//! `kapell completions` and `man`: what a shell and its reader want to know.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;
use crate::exit::Exit;
use crate::output;

#[derive(Debug, clap::Args)]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub fn run(self) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "kapell", &mut script);
        // A reader that has gone is no error.
        let _ = std::io::stdout().lock().write_all(&script);
        Ok(Exit::Ok)
    }
}

#[derive(Debug, clap::Args)]
pub struct Man {
    /// Where the pages go, one a verb; made where it is not there
    directory: PathBuf,
}

impl Man {
    pub fn run(self) -> anyhow::Result<Exit> {
        let shown = self.directory.display();
        std::fs::create_dir_all(&self.directory).with_context(|| format!("cannot make {shown}"))?;
        clap_mangen::generate_to(Cli::command(), &self.directory)
            .with_context(|| format!("cannot write to {shown}"))?;
        output::line(format!("wrote the pages to {shown}; `man -l {shown}/kapell.1` shows the first"));
        Ok(Exit::Ok)
    }
}
