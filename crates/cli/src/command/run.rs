//! `kapell run`: starts agents on this machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use kapell_runner::{Child, Config, Runner, Stop};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;

/// The longest wait for an answer. The server holds a request for work back for 5 s; what takes longer is a server that is away.
const ANSWER: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
pub struct Run {
    /// The runner's file: which agents, how they are started, where they work
    #[arg(default_value = "kapell.toml")]
    file: PathBuf,
    /// Read the file, look at everything that must be there, register the agents that the fleet does not know, and end
    #[arg(long)]
    check: bool,
}

impl Run {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let config = Config::read(&self.file)?;
        let (names, state) = (names(&config), config.state().display().to_string());
        // Not all need what is handed on to them: it is said, and no more.
        for agent in &config.agents {
            for variable in agent.env.iter().filter(|name| std::env::var_os(name).is_none()) {
                eprintln!("{}: `env` hands on {variable}, which is not set here", agent.name);
            }
        }
        let stop = Stop::default();
        let tell = Arc::new(|line: &str| eprintln!("{}", output::plain(line)));
        if !self.check {
            stop_by_signal(stop.clone())?;
            context.wait(|line| eprintln!("{}", output::plain(&line)), || stop.asked())?;
        }
        let client = context.client()?.with_answer_within(ANSWER);
        let runner = Runner::new(config, client, &context.token()?, (stop, tell), !self.check)?;
        if self.check {
            output::line(format!("{} is well: {names} can start", self.file.display()));
            return Ok(Exit::Ok);
        }
        eprintln!("{names} wait for work; runs and worktrees in {state}; stop with Ctrl-C");
        runner.run();
        eprintln!("stopped: no agent is running");
        Ok(Exit::Ok)
    }
}

fn names(config: &Config) -> String {
    let each = config.agents.iter().map(|agent| match (agent.at_once, agent.reserve) {
        (1, false) => agent.name.clone(),
        (1, true) => format!("{} (in reserve)", agent.name),
        (many, false) => format!("{} ({many} at once)", agent.name),
        (many, true) => format!("{} ({many} at once, in reserve)", agent.name),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// Asks for the stop with every signal to end.
fn stop_by_signal(stop: Stop) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                eprintln!("stopping the agents; once more kills them");
                stop.ask();
            }
        });
    });
    Ok(())
}

/// What the runner starts this program as.
#[derive(Debug, clap::Subcommand)]
pub enum RunnerChild {
    /// Start an agent and answer for its tree
    Supervise { run: PathBuf },
    /// Become the agent
    BecomeAgent { run: PathBuf, supervisor: i32 },
}

impl RunnerChild {
    pub fn run(self) -> anyhow::Result<Exit> {
        let child = match self {
            Self::Supervise { run } => Child::Supervise { run },
            Self::BecomeAgent { run, supervisor } => Child::BecomeAgent { run, supervisor },
        };
        child.run().context("this part of a run has failed")?;
        Ok(Exit::Ok)
    }
}
