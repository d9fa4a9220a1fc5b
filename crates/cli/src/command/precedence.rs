//! `kapell priority` and `kapell order`: what members say about what comes first.

use kapell_api::{Ack, Impact, NewAssertion, NewOrder, OrderTakenBack, Precedence};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Args)]
pub struct Priority {
    /// T-12, or its key
    task: String,
    /// critical, high, medium or low
    priority: String,
    /// Why
    #[arg(long, allow_hyphen_values = true)]
    reason: String,
    /// Who says so; a manager needs none
    #[arg(long)]
    agent: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
pub enum OrderVerb {
    /// List the orders that stand
    List,
    /// Say that one task is to come before another
    Set {
        /// What is to come first: T-12, or its key
        first: String,
        /// What is to come after it
        then: String,
        /// Why
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
        /// Who says so; a manager needs none
        #[arg(long)]
        agent: Option<String>,
    },
    /// Take an order back, and with it what it has moved
    Drop {
        /// What was to come first: T-12, or its key
        first: String,
        /// What was to come after it
        then: String,
        /// Who had said so; a manager needs none
        #[arg(long)]
        agent: Option<String>,
    },
}

impl Priority {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let body = NewAssertion { agent: self.agent, priority: self.priority, reason: self.reason };
        let ack = context.client()?.assert_priority(&self.task, &body)?;
        told(context, &ack)
    }
}

impl OrderVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let ack = match self {
            Self::List => {
                let all = client.orders()?;
                match context.format() {
                    Format::Json => output::json(&all)?,
                    Format::Human => {
                        let row = |it: &kapell_api::Order| {
                            let reason = output::cut(&it.reason, 60);
                            vec![it.first.clone(), it.then.clone(), it.by.clone(), words::age(&it.at), reason]
                        };
                        output::table(&["FIRST", "THEN", "BY", "SAID", "WHY"], all.iter().map(row).collect());
                    }
                }
                return Ok(Exit::Ok);
            }
            Self::Set { first, then, reason, agent } => {
                client.assert_order(&NewOrder { first, then, agent, reason })?
            }
            Self::Drop { first, then, agent } => client.drop_order(&OrderTakenBack { first, then, agent })?,
        };
        told(context, &ack)
    }
}

/// Shows what came of it: the conflict with its numbers, where there is one.
fn told(context: &Context, ack: &Ack) -> anyhow::Result<Exit> {
    if let Some(conflict) = &ack.conflict {
        return super::conflict::shown(context, &context.client()?.conflict(conflict)?);
    }
    match context.format() {
        Format::Json => output::json(ack)?,
        Format::Human => {
            output::line(format!(
                "{}: noted; nobody says otherwise",
                ack.task.as_deref().unwrap_or_default()
            ));
        }
    }
    Ok(Exit::Ok)
}

/// Shows what was said about what comes first, and how it was ruled.
pub(super) fn show(it: &Precedence) {
    for voice in &it.said {
        let said = match (&voice.priority, &voice.first, &voice.then) {
            (Some(priority), ..) => priority.clone(),
            (None, Some(first), Some(then)) => format!("{first} before {then}"),
            _ => String::new(),
        };
        output::line(format!("  {} says {said}", voice.by));
    }
    let row = |it: &Impact| {
        vec![
            it.task.clone(),
            it.value.to_string(),
            it.time_criticality.to_string(),
            format!("{} ({} wait)", it.enablement, it.waiting),
            it.cost_of_delay.to_string(),
            format!("{:.2}", it.duration_hours),
            it.wsjf.to_string(),
        ]
    };
    let heads = ["TASK", "VALUE", "TIME", "ENABLEMENT", "COST OF DELAY", "HOURS", "WSJF"];
    output::table(&heads, it.order.iter().map(row).collect());
    for (task, by) in it.order.iter().filter_map(|it| Some((&it.task, it.goes_with.as_ref()?))) {
        output::line(format!("  {task} goes with {by}, which waits for it"));
    }
    for (priority, asked) in &it.asked_for {
        output::line(format!("  {priority} asks for a WSJF of {asked}"));
    }
    if let Some(priority) = &it.priority {
        output::line(format!("the priority that it has earned: {priority}"));
    }
}
