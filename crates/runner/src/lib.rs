//! The runner: starts agents on this machine for the assignments that they get.
//!
//! One assignment is one process tree, in one git worktree on a branch of its own, under a supervisor that outlives
//! nobody: where the runner is gone it ends the whole tree, and what even that misses is ended by the next start. What
//! is under way stands in files (the ledger), so that a runner that was killed goes on where it was, and one
//! that has lost the server keeps its agents and reports later.
//!
//! This room knows the contract alone. It isolates work from work, not the machine from an agent: an agent has the
//! rights of the account that the runner has. Linux only, since it lives on what `/proc` and the kernel's process
//! features tell.
#![cfg(target_os = "linux")]

mod acp;
mod attempt;
mod check;
mod config;
mod crew;
mod dialect;
mod environment;
mod git;
mod ledger;
mod log;
mod outcome;
mod permission;
mod process;
mod prompt;
mod redact;
mod reserve;
mod runner;
mod supervise;
mod template;

pub use config::{AgentSettings, Config, ConfigError};
pub use runner::{Runner, RunnerError, Stop, Tell};
pub use supervise::{CHILD_VERB, Child};
