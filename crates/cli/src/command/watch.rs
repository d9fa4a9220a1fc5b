//! `kapell watch`: a beads file and the fleet in step, both ways.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::watch::{self, Round};

#[derive(Debug, clap::Args)]
pub struct Watch {
    /// The file, such as .beads/issues.jsonl
    file: PathBuf,
    /// Bring both in step once, and end
    #[arg(long)]
    once: bool,
    /// How often both sides are looked at, in ms
    #[arg(long, default_value = "1000", value_name = "MS", value_parser = clap::value_parser!(u64).range(50..=3_600_000))]
    every: u64,
}

impl Watch {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let mut watch = watch::Watch::open(&self.file, &memory()?)?;
        if self.once {
            let round = watch.round(&client)?;
            tell(&round);
            return Ok(if round.refused.is_empty() { Exit::Ok } else { Exit::Refused });
        }
        eprintln!("{} and the fleet are kept in step; stop with Ctrl-C", self.file.display());
        let mut seen = None;
        let mut last = String::new();
        loop {
            // Nothing is read again while nothing has changed on either side.
            let state = client.status().map(|status| (status.position, std::fs::read(&self.file).ok()));
            let trouble = match state {
                Ok(state) if seen.as_ref() == Some(&state) => None,
                Ok(state) => match watch.round(&client) {
                    Ok(round) => {
                        tell(&round);
                        // What the round itself did is looked at once more.
                        seen = Some(state);
                        None
                    }
                    Err(error) => Some(format!("{error:#}")),
                },
                Err(error) => Some(error.to_string()),
            };
            if let Some(trouble) = &trouble
                && *trouble != last
            {
                eprintln!("waiting: {}", output::plain(trouble));
            }
            last = trouble.unwrap_or_default();
            std::thread::sleep(Duration::from_millis(self.every));
        }
    }
}

/// Returns the folder for what is known of watched files.
fn memory() -> anyhow::Result<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    Ok(state.or_else(home).context("neither XDG_STATE_HOME nor HOME is set")?.join("kapell/watch"))
}

fn tell(round: &Round) {
    for line in &round.told {
        output::line(output::plain(line));
    }
    for line in &round.dangling {
        eprintln!("leads nowhere yet: {}", output::plain(line));
    }
    for line in &round.refused {
        eprintln!("refused: {}", output::plain(line));
    }
    if round.written {
        output::line("the file is written");
    }
}
