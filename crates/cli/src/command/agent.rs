//! `kapell agent`.

use kapell_api::{Agent, AgentRegistration, CapabilityScore};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Subcommand)]
pub enum AgentVerb {
    /// Register an agent; it is offline until it is first heard of
    Add(Add),
    /// List the agents
    List {
        /// Only those in this state: online, unreachable, offline, removed
        #[arg(long)]
        state: Option<String>,
    },
    /// Show an agent
    Show {
        /// Its name
        name: String,
    },
    /// Say when an agent works, a person above all, or show it
    Hours(super::hours::Hours),
    /// Let an agent end what it has, and give it nothing new
    Drain {
        /// Its name
        name: String,
    },
    /// Give a drained agent work again
    Resume {
        /// Its name
        name: String,
    },
    /// Say that an agent goes, such as at the end of its session: nobody waits for it, and what it has returns to the queue
    Leave {
        /// Its name
        name: String,
    },
    /// Take an agent out; its open tasks return to the queue
    Remove {
        /// Its name
        name: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct Add {
    /// Its name, unique in the fleet
    name: String,
    /// A word of the team: developer, architect, qa_engineer, ...
    #[arg(long, default_value = "developer")]
    role: String,
    /// agent (calls in), service (heartbeats) or person
    #[arg(long, default_value = "agent")]
    kind: String,
    /// A capability with its score within 0..=1, such as rust=0.9; may be repeated
    #[arg(long = "cap", value_name = "NAME=SCORE", value_parser = words::capability)]
    capabilities: Vec<(String, f64)>,
    /// Tasks that it may own at once
    #[arg(long, default_value_t = 1)]
    slots: u32,
    /// It gets work only in an emergency
    #[arg(long)]
    standby: bool,
    /// How long it may be silent, such as 30m
    #[arg(long, value_parser = words::duration)]
    lease: Option<i64>,
}

impl AgentVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        match self {
            Self::Add(add) => {
                let name = add.name.clone();
                let ack = client.register(&add.registration())?;
                match context.format() {
                    Format::Json => output::json(&ack)?,
                    Format::Human => {
                        output::line(format!("registered {name}; it is offline until it calls in"));
                    }
                }
            }
            Self::List { state } => {
                let mut agents = client.agents(state.as_deref())?;
                agents.sort_by(|a, b| a.name.cmp(&b.name));
                match context.format() {
                    Format::Json => output::json(&agents)?,
                    Format::Human => list(&agents),
                }
            }
            Self::Show { name } => {
                let agent = client.agent(&name)?;
                match context.format() {
                    Format::Json => output::json(&agent)?,
                    Format::Human => show(&agent),
                }
            }
            Self::Hours(hours) => return hours.run(context),
            Self::Drain { name } => drained(context, &name, true)?,
            Self::Resume { name } => drained(context, &name, false)?,
            Self::Leave { name } => {
                let ack = client.leave(&name)?;
                match context.format() {
                    Format::Json => output::json(&ack)?,
                    Format::Human => {
                        output::line(format!("{name} has signed off; its next call brings it back"));
                    }
                }
            }
            Self::Remove { name } => {
                client.remove_agent(&name)?;
                if context.format() == Format::Human {
                    output::line(format!("removed {name}; its open tasks are back in the queue"));
                }
            }
        }
        Ok(Exit::Ok)
    }
}

impl Add {
    fn registration(self) -> AgentRegistration {
        AgentRegistration {
            name: self.name,
            role: self.role,
            kind: self.kind,
            capabilities: self.capabilities.into_iter().collect(),
            max_concurrent_tasks: self.slots,
            lease_ms: self.lease,
            standby: self.standby,
        }
    }
}

fn drained(context: &Context, name: &str, draining: bool) -> anyhow::Result<()> {
    let client = context.client()?;
    let ack = client.drain_agent(name, draining)?;
    match context.format() {
        Format::Json => output::json(&ack)?,
        Format::Human if draining => {
            let left = client.agent(name)?.tasks;
            let left = if left.is_empty() { "it has nothing left".to_owned() } else { left.join(" ") };
            output::line(format!("{name} gets nothing new; still with it: {left}"));
        }
        Format::Human => output::line(format!("{name} gets work again")),
    }
    Ok(())
}

/// Prints agents as a table.
pub fn list(agents: &[Agent]) {
    let rows = agents.iter().map(|agent| {
        vec![
            agent.name.clone(),
            agent.role.clone(),
            match (agent.draining, &agent.away_until) {
                (true, _) => format!("{}, draining", agent.state),
                (false, Some(_)) => format!("{}, away", agent.state),
                (false, None) => agent.state.clone(),
            },
            words::age(&agent.state_since),
            format!("{}/{}", agent.tasks.len(), agent.max_concurrent_tasks),
            output::cut(&agent.tasks.join(" "), 30),
            format!("{}/{}/{}", agent.completed, agent.failed, agent.lost),
        ]
    });
    output::table(&["AGENT", "ROLE", "STATE", "SINCE", "SLOTS", "TASKS", "DONE/FAILED/LOST"], rows.collect());
}

/// Returns scores as a table.
pub fn scores(scores: &[CapabilityScore]) -> String {
    let score = |score: Option<f64>| score.map_or_else(|| "-".to_owned(), |score| score.to_string());
    let row = |it: &CapabilityScore| {
        let measured = match it.measured {
            Some(measured) => format!("{measured} by {} outcomes", it.outcomes),
            None if it.outcomes > 0 => format!("- ({} of 3 outcomes)", it.outcomes),
            None => "-".to_owned(),
        };
        vec![it.capability.clone(), score(it.declared), measured, it.used.to_string()]
    };
    output::grid(&["CAPABILITY", "DECLARED", "MEASURED", "USED"], scores.iter().map(row).collect())
}

fn show(agent: &Agent) {
    output::line(format!(
        "{} ({}, {}), {} for {}",
        agent.name,
        agent.role,
        agent.kind,
        agent.state,
        words::age(&agent.state_since)
    ));
    for fact in &agent.because {
        output::line(format!("  {fact}"));
    }
    if let Some(hours) = &agent.hours {
        output::line(super::hours::shown(hours));
    }
    if agent.scores.is_empty() {
        output::line("capabilities: none");
    } else {
        output::line(scores(&agent.scores));
    }
    output::line(format!(
        "slots: {} of {} taken {}",
        agent.tasks.len(),
        agent.max_concurrent_tasks,
        agent.tasks.join(" ")
    ));
    output::line(format!(
        "record: {} completed, {} attempts failed, {} lost",
        agent.completed, agent.failed, agent.lost
    ));
}
