//! `kapell handoff`.

use kapell_api::{Ack, Handoff, HandoffCancellation, HandoffPackage, HandoffRefusal, HandoffRequest};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Subcommand)]
pub enum HandoffVerb {
    /// Hand owned work over: by its owner with --agent and --assignment, else by a manager
    Request(Request),
    /// Send the package of a handoff: the task changes hands when it is whole
    Package(Box<Package>),
    /// Confirm that the recipient has what it needs
    Confirm {
        /// T-12, or its key
        task: String,
        /// The recipient
        #[arg(long)]
        agent: String,
    },
    /// Decline for the recipient; what has changed hands goes on to the next, or back
    Decline {
        /// T-12, or its key
        task: String,
        /// The recipient
        #[arg(long)]
        agent: String,
        /// Why
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
    },
    /// Call a handoff off before the task has changed hands
    Cancel {
        /// T-12, or its key
        task: String,
        /// The owner; a manager needs none
        #[arg(long)]
        agent: Option<String>,
        /// Why
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
    },
    /// List the handoffs
    List {
        /// open, closed, or a stage such as mediation
        #[arg(long)]
        state: Option<String>,
        /// From or to this agent
        #[arg(long)]
        agent: Option<String>,
        /// Of this task: T-12, or its key
        #[arg(long)]
        task: Option<String>,
    },
    /// Show a handoff with its package
    Show {
        /// H-3
        handoff: String,
    },
}

#[derive(Debug, clap::Args)]
pub struct Request {
    /// T-12, or its key
    task: String,
    /// To whom; to the best other agent where nobody is named
    #[arg(long)]
    to: Option<String>,
    /// The owner; a manager needs none
    #[arg(long, requires = "assignment")]
    agent: Option<String>,
    /// The owner's token, such as A-34
    #[arg(long, requires = "agent")]
    assignment: Option<String>,
    /// Why
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    note: String,
}

#[derive(Debug, clap::Args)]
pub struct Package {
    /// T-12, or its key
    task: String,
    /// The donor
    #[arg(long)]
    agent: String,
    /// Its token, such as A-34
    #[arg(long)]
    assignment: String,
    /// What is done
    #[arg(long)]
    completed: String,
    /// How things stand now
    #[arg(long)]
    state: String,
    /// What is left to do
    #[arg(long)]
    remaining: String,
    /// What else is to be known
    #[arg(long)]
    context: String,
    /// A file that belongs to it, or `none`; may be repeated
    #[arg(long = "file", value_name = "FILE", required = true)]
    files: Vec<String>,
    /// What is reserved for the task, such as R-7; may be repeated
    #[arg(long = "reservation", value_name = "R-7")]
    reservations: Vec<String>,
}

impl HandoffVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let ack = match self {
            Self::Request(it) => {
                let Request { task, to, agent, assignment, note } = it;
                client.request_handoff(&task, &HandoffRequest { to, agent, assignment, note })?
            }
            Self::Package(it) => {
                let it = *it;
                let package = HandoffPackage {
                    agent: it.agent,
                    assignment: it.assignment,
                    completed: it.completed,
                    state: it.state,
                    remaining: it.remaining,
                    context: it.context,
                    files: it.files,
                    reservations: it.reservations,
                };
                client.send_package(&it.task, &package)?
            }
            Self::Confirm { task, agent } => client.confirm_handoff(&task, &agent)?,
            Self::Decline { task, agent, reason } => {
                client.decline_handoff(&task, &HandoffRefusal { agent, reason })?
            }
            Self::Cancel { task, agent, reason } => {
                client.cancel_handoff(&task, &HandoffCancellation { agent, reason })?
            }
            Self::List { state, agent, task } => {
                let query = [("state", &state), ("agent", &agent), ("task", &task)];
                let query: Vec<(&str, &str)> =
                    query.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
                let all = client.handoffs(&query)?;
                match context.format() {
                    Format::Json => output::json(&all)?,
                    Format::Human => list(&all),
                }
                return Ok(Exit::Ok);
            }
            Self::Show { handoff } => {
                let it = client.handoff(&handoff)?;
                match context.format() {
                    Format::Json => output::json(&it)?,
                    Format::Human => show(&it),
                }
                return Ok(Exit::Ok);
            }
        };
        told(context, &ack)?;
        Ok(Exit::Ok)
    }
}

fn told(context: &Context, ack: &Ack) -> anyhow::Result<()> {
    if context.format() == Format::Json {
        return output::json(ack);
    }
    let (handoff, task) = (ack.handoff.as_deref().unwrap_or("?"), ack.task.as_deref().unwrap_or("?"));
    let owner = ack.agent.as_deref().map(|agent| format!(" is with {agent}")).unwrap_or_default();
    let token = ack.assignment.as_deref().map(|token| format!(" under {token}")).unwrap_or_default();
    output::line(format!("{handoff}: {task}{owner}{token}"));
    for missing in &ack.missing {
        output::line(format!("  missing: {}", output::plain(missing)));
    }
    Ok(())
}

fn list(all: &[Handoff]) {
    let rows = all.iter().map(|it| {
        vec![
            it.id.clone(),
            it.task.clone(),
            it.from.clone(),
            it.to.clone().unwrap_or_else(|| "?".to_owned()),
            it.outcome.clone().unwrap_or_else(|| it.stage.clone()),
            it.cause.clone(),
            words::age(&it.since),
            it.due.clone().unwrap_or_default(),
        ]
    });
    output::table(&["ID", "TASK", "FROM", "TO", "STAGE", "CAUSE", "SINCE", "DUE"], rows.collect());
}

fn show(it: &Handoff) {
    let to = it.to.as_deref().unwrap_or("nobody now");
    output::line(format!("{} of {} from {} to {to}, {}", it.id, it.task, it.from, it.stage));
    for fact in &it.because {
        output::line(format!("  {}", output::plain(fact)));
    }
    let Some(package) = &it.package else { return };
    let parts = [
        ("completed", &package.completed),
        ("state", &package.state),
        ("remaining", &package.remaining),
        ("context", &package.context),
    ];
    for (part, text) in parts {
        output::line(format!("{part}: {}", output::plain(text)));
    }
    output::line(format!("files: {}", output::plain(&package.files.join(" "))));
    if !package.reservations.is_empty() {
        output::line(format!("reservations: {}", package.reservations.join(" ")));
    }
}
