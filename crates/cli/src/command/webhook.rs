//! `kapell webhook`: what happens is told to addresses outside.

use kapell_api::{
    DeadLetter, DeadLetterChoice, MadeWebhook, NewWebhook, RotateWebhook, StuckWebhook, Webhook,
};

use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Subcommand)]
pub enum WebhookVerb {
    /// Send events to an address from now on; its secret is shown this once
    Add {
        /// What it is called
        name: String,
        /// Where events go, http or https
        url: String,
        /// Which events, such as kapell.task.failed, 'kapell.escalation.*' or '*' [default: kapell.escalation.*]
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        /// Events behind this position of the log too
        #[arg(long, value_name = "POSITION")]
        after: Option<u64>,
    },
    /// List the webhooks with how far they are
    List,
    /// Send an event that says nothing, and say what came of it
    Test {
        /// Its name
        name: String,
    },
    /// Make a new secret; those before sign beside it for a while
    Rotate {
        /// Its name
        name: String,
        /// Seconds for that, up to a week
        #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(i64).range(0..=604_800))]
        grace: i64,
    },
    /// Let a webhook go on that was stopped
    Resume {
        /// Its name
        name: String,
    },
    /// Remove a webhook
    Remove {
        /// Its name
        name: String,
    },
    /// List the events that were tried too often
    Dead {
        /// Its name
        name: String,
    },
    /// Try the dead events of a webhook again, and what waits
    Retry {
        /// Its name
        name: String,
        /// Only the event at this position
        #[arg(long)]
        position: Option<u64>,
    },
    /// Discard the dead events of a webhook
    Discard {
        /// Its name
        name: String,
        /// Only the event at this position
        #[arg(long)]
        position: Option<u64>,
    },
}

impl WebhookVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        match self {
            Self::Add { name, url, types, after } => {
                made(context, &client.add_webhook(&NewWebhook { name, url, types, after })?)?;
            }
            Self::Rotate { name, grace } => {
                made(context, &client.rotate_webhook(&name, &RotateWebhook { grace_ms: grace * 1_000 })?)?;
            }
            Self::List => {
                let webhooks = client.webhooks()?;
                match context.format() {
                    Format::Json => output::json(&webhooks)?,
                    Format::Human => list(&webhooks),
                }
            }
            Self::Test { name } => {
                let test = client.test_webhook(&name)?;
                match context.format() {
                    Format::Json => output::json(&test)?,
                    Format::Human => match &test.reason {
                        None => output::line(format!("accepted in {} ms", test.took_ms)),
                        Some(reason) => {
                            output::line(format!("not accepted after {} ms: {reason}", test.took_ms));
                        }
                    },
                }
                return Ok(if test.accepted { Exit::Ok } else { Exit::Refused });
            }
            Self::Resume { name } => {
                let webhook = client.resume_webhook(&name)?;
                match context.format() {
                    Format::Json => output::json(&webhook)?,
                    Format::Human => output::line(format!("{name} is {}", webhook.state)),
                }
            }
            Self::Remove { name } => {
                client.remove_webhook(&name)?;
                match context.format() {
                    Format::Json => output::json(&json!({ "removed": name }))?,
                    Format::Human => output::line(format!("{name} is removed")),
                }
            }
            Self::Dead { name } => {
                let letters = client.dead_letters(&name)?;
                match context.format() {
                    Format::Json => output::json(&letters)?,
                    Format::Human => {
                        let row = |it: &DeadLetter| {
                            vec![
                                it.position.to_string(),
                                it.kind.clone(),
                                it.attempts.to_string(),
                                words::age(&it.last_at),
                                output::cut(&it.reason, 80),
                            ]
                        };
                        let rows = letters.iter().map(row).collect();
                        output::table(&["EVENT", "TYPE", "ATTEMPTS", "LAST", "REASON"], rows);
                    }
                }
            }
            Self::Retry { name, position } => {
                let count = client.retry_webhook(&name, &DeadLetterChoice { position })?;
                match context.format() {
                    Format::Json => output::json(&count)?,
                    Format::Human => output::line(format!("{} events are tried again", count.count)),
                }
            }
            Self::Discard { name, position } => {
                let count = client.discard_dead_letters(&name, &DeadLetterChoice { position })?;
                match context.format() {
                    Format::Json => output::json(&count)?,
                    Format::Human => output::line(format!("{} events are let go", count.count)),
                }
            }
        }
        Ok(Exit::Ok)
    }
}

fn made(context: &Context, made: &MadeWebhook) -> anyhow::Result<()> {
    match context.format() {
        Format::Json => output::json(made)?,
        Format::Human => {
            eprintln!(
                "{} is {}; what signs it is shown this once:",
                output::plain(&made.made.name),
                made.made.state
            );
            output::line(&made.secret);
        }
    }
    Ok(())
}

fn list(webhooks: &[Webhook]) {
    let row = |it: &Webhook| {
        let why = it.reason.as_ref().or(it.last_reason.as_ref()).cloned().unwrap_or_default();
        vec![
            it.name.clone(),
            it.state.clone(),
            it.types.join(" "),
            it.delivered.to_string(),
            it.waiting.to_string(),
            it.dead.to_string(),
            it.behind.to_string(),
            output::cut(&it.url, 60),
            output::cut(&why, 80),
        ]
    };
    output::table(
        &["NAME", "STATE", "TYPES", "DELIVERED", "WAITING", "DEAD", "BEHIND", "URL", "WHY"],
        webhooks.iter().map(row).collect(),
    );
}

/// Says which webhooks do not deliver, and why.
pub fn stuck(webhooks: &[StuckWebhook]) -> Vec<String> {
    let line = |it: &StuckWebhook| format!("webhook `{}` is {}: {}", it.name, it.state, it.reason);
    webhooks.iter().map(line).collect()
}
