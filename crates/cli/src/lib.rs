//! The program `kapell` as a library: `main.rs` runs it, and the importers can be reached by tests and fuzzing.

mod command;
mod context;
mod demo;
mod exit;
mod export;
pub mod import;
mod output;
mod progress;
mod scripted;
pub mod team;
mod watch;
mod words;

use std::process::ExitCode;

use clap::Parser as _;

use crate::command::Cli;

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let format = cli.format();
    match cli.run() {
        Ok(exit) => exit.code(),
        Err(error) => exit::report(&error, format).code(),
    }
}
