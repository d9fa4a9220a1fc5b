//! `kapell reserve`.

use kapell_api::{Ack, NewReservation, ReleaseReservation, RenewReservation, Reservation, ResourceNeed};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Subcommand)]
pub enum ReserveVerb {
    /// Reserve resources for an agent: all of them or none
    Add(Add),
    /// List who holds what, and who waits
    List {
        /// Only those held, or only those waiting
        #[arg(long)]
        state: Option<String>,
        /// Of this agent
        #[arg(long)]
        agent: Option<String>,
        /// For this task: T-12, or its key
        #[arg(long)]
        task: Option<String>,
    },
    /// Show a reservation or a place in line
    Show {
        /// R-7 or W-3
        reservation: String,
    },
    /// Begin the lease of a reservation anew
    Renew {
        ///
        reservation: String,
        /// Its holder; a manager needs none
        #[arg(long)]
        agent: Option<String>,
        /// For how long from now on, such as 30m; as long as before where nothing is said
        #[arg(long, value_parser = words::duration)]
        ttl: Option<i64>,
    },
    /// Release a reservation or leave the line; without --agent by force, with a reason
    Release {
        /// R-7 or W-3
        reservation: String,
        /// Its holder
        #[arg(long)]
        agent: Option<String>,
        /// Why; needed with force
        #[arg(long, allow_hyphen_values = true)]
        reason: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub struct Add {
    /// path:GLOB, env:NAME, branch:NAME or device:NAME
    #[arg(required = true, value_name = "RESOURCE")]
    resources: Vec<String>,
    /// Who gets them
    #[arg(long)]
    agent: String,
    /// The task that they are for, which the agent owns: T-12, or its key
    #[arg(long)]
    task: Option<String>,
    /// Nobody else may hold them; the default
    #[arg(long, conflicts_with_all = ["shared", "reads"])]
    exclusive: bool,
    /// Nobody else, but only to read them: where they are a bottleneck they are shared
    #[arg(long, conflicts_with = "shared")]
    reads: bool,
    /// Others may hold them shared too
    #[arg(long)]
    shared: bool,
    /// For how long, such as 30m
    #[arg(long, value_parser = words::duration)]
    ttl: Option<i64>,
    /// Wait in line where something is held, so long at most: --wait or --wait 10m
    #[arg(long, value_name = "DURATION", num_args = 0..=1, value_parser = words::duration)]
    wait: Option<Option<i64>>,
}

impl Add {
    fn request(self) -> NewReservation {
        let mode = match (self.shared, self.reads) {
            (true, _) => "shared",
            (false, true) => "reads",
            (false, false) => "exclusive",
        };
        let need = |resource: String| ResourceNeed { resource, mode: mode.to_owned() };
        NewReservation {
            agent: self.agent,
            task: self.task,
            resources: self.resources.into_iter().map(need).collect(),
            ttl_ms: self.ttl,
            wait: self.wait.is_some(),
            wait_ms: self.wait.flatten(),
        }
    }
}

impl ReserveVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        match self {
            Self::Add(add) => told(context, &client.reserve(&add.request())?, "holds")?,
            Self::List { state, agent, task } => {
                let query = [("state", &state), ("agent", &agent), ("task", &task)];
                let query: Vec<(&str, &str)> =
                    query.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
                let all = client.reservations(&query)?;
                match context.format() {
                    Format::Json => output::json(&all)?,
                    Format::Human => list(&all),
                }
            }
            Self::Show { reservation } => {
                let it = client.reservation(&reservation)?;
                match context.format() {
                    Format::Json => output::json(&it)?,
                    Format::Human => show(&it),
                }
            }
            Self::Renew { reservation, agent, ttl } => {
                let body = RenewReservation { reservation: None, agent, ttl_ms: ttl };
                told(context, &client.renew_reservation(&reservation, &body)?, "holds")?;
            }
            Self::Release { reservation, agent, reason } => {
                let body = ReleaseReservation { reservation: None, agent, reason };
                told(context, &client.release_reservation(&reservation, &body)?, "has released")?;
            }
        }
        Ok(Exit::Ok)
    }
}

fn told(context: &Context, ack: &Ack, does: &str) -> anyhow::Result<()> {
    if context.format() == Format::Json {
        return output::json(ack);
    }
    let agent = ack.agent.as_deref().unwrap_or("the agent");
    let until = ack.expires_at.as_ref().map(|at| format!(" until {at}")).unwrap_or_default();
    output::line(match (&ack.reservation, &ack.wait) {
        (Some(reservation), _) => format!("{agent} {does} {reservation}{until}"),
        (None, Some(wait)) if until.is_empty() => format!("{agent} has left the line ({wait})"),
        (None, Some(wait)) => format!("{agent} waits as {wait}{until}"),
        (None, None) => "done".to_owned(),
    });
    Ok(())
}

fn resources(it: &Reservation) -> String {
    let shown = |need: &ResourceNeed| match need.mode.as_str() {
        "shared" => format!("{} (shared)", need.resource),
        _ => need.resource.clone(),
    };
    it.resources.iter().map(shown).collect::<Vec<_>>().join(" ")
}

fn end(it: &Reservation) -> String {
    match (&it.expires_at, &it.task) {
        (Some(at), _) => at.clone(),
        (None, Some(task)) => format!("with {task}"),
        (None, None) => String::new(),
    }
}

fn list(all: &[Reservation]) {
    let rows = all.iter().map(|it| {
        vec![
            it.id.clone(),
            it.state.clone(),
            it.agent.clone(),
            it.task.clone().unwrap_or_default(),
            output::cut(&resources(it), 60),
            words::age(&it.since),
            end(it),
        ]
    });
    output::table(&["ID", "STATE", "AGENT", "TASK", "RESOURCES", "SINCE", "ENDS"], rows.collect());
}

fn show(it: &Reservation) {
    let task = it.task.as_ref().map(|task| format!(" for {task}")).unwrap_or_default();
    output::line(format!("{} {} by {}{task}, for {}", it.id, it.state, it.agent, words::age(&it.since)));
    for fact in &it.because {
        output::line(format!("  {}", output::plain(fact)));
    }
    output::line(format!("resources: {}", resources(it)));
    output::line(format!("ends: {}", end(it)));
}
