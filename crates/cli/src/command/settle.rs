//! `kapell offers` and `escalations`: what waits for a decision.

use kapell_api::{Escalation, Offer};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Args)]
pub struct Offers {
    #[command(subcommand)]
    verb: Option<OfferVerb>,
}

#[derive(Debug, clap::Subcommand)]
enum OfferVerb {
    /// Make a late result the task's result
    Accept {
        /// O-5
        offer: String,
    },
    /// Put a late result away
    Decline {
        /// O-5
        offer: String,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
}

impl Offers {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        match self.verb {
            Some(OfferVerb::Accept { offer }) => super::work::told(context, &client.accept_offer(&offer)?)?,
            Some(OfferVerb::Decline { offer, reason }) => {
                super::work::told(context, &client.decline_offer(&offer, &reason)?)?;
            }
            None => {
                let offers = client.offers(None)?;
                if context.format() == Format::Json {
                    output::json(&offers)?;
                    return Ok(Exit::Ok);
                }
                let row = |it: &Offer| {
                    let result = it.result.clone().unwrap_or_default();
                    vec![
                        it.id.clone(),
                        it.task.clone(),
                        it.agent.clone(),
                        it.state.clone(),
                        words::age(&it.at),
                        output::cut(&result, 50),
                    ]
                };
                output::table(
                    &["OFFER", "TASK", "AGENT", "STATE", "AGE", "RESULT"],
                    offers.iter().map(row).collect(),
                );
            }
        }
        Ok(Exit::Ok)
    }
}

#[derive(Debug, clap::Args)]
pub struct Escalations {
    #[command(subcommand)]
    verb: Option<EscalationVerb>,
    /// Only those that are open, settled or overdue
    #[arg(long)]
    state: Option<String>,
    /// Only those that are open past their ack time
    #[arg(long, conflicts_with = "state")]
    overdue: bool,
    /// Only those for this role
    #[arg(long)]
    role: Option<String>,
    /// Only those of this severity: critical, high, medium, low
    #[arg(long)]
    severity: Option<String>,
    /// Only those of this kind, such as stalled
    #[arg(long)]
    kind: Option<String>,
    /// Only those about this: T-12, an agent, a project, a resource, or fleet
    #[arg(long)]
    about: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum EscalationVerb {
    /// Close an escalation
    Settle {
        /// E-2
        escalation: String,
        /// How
        #[arg(long, default_value = "")]
        note: String,
    },
}

impl Escalations {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        if let Some(EscalationVerb::Settle { escalation, note }) = self.verb {
            let ack = client.settle(&escalation, &note)?;
            match context.format() {
                Format::Json => output::json(&ack)?,
                Format::Human => output::line(format!("{escalation} is settled")),
            }
            return Ok(Exit::Ok);
        }
        let state = self.state.or_else(|| self.overdue.then(|| "overdue".to_owned()));
        let filters =
            [("state", state), ("role", self.role), ("severity", self.severity), ("about", self.about)];
        let filters: Vec<_> =
            filters.iter().filter_map(|(name, value)| value.as_deref().map(|value| (*name, value))).collect();
        let mut escalations = client.escalations(&filters)?;
        escalations.retain(|it| self.kind.as_ref().is_none_or(|kind| it.kind == *kind));
        // What is still to be done first, each in the order in which it was raised.
        escalations.sort_by_key(|it| it.state == "settled");
        if context.format() == Format::Json {
            output::json(&escalations)?;
            return Ok(Exit::Ok);
        }
        let row = |it: &Escalation| {
            vec![
                it.id.clone(),
                it.kind.clone(),
                it.severity.clone(),
                it.about().unwrap_or("fleet").to_owned(),
                if it.overdue { "overdue".to_owned() } else { it.state.clone() },
                words::age(&it.raised_at),
                it.due.clone(),
                output::cut(&it.detail, 100),
            ]
        };
        let rows = escalations.iter().map(row).collect();
        output::table(&["ESCALATION", "KIND", "SEVERITY", "ABOUT", "STATE", "AGE", "DUE", "DETAIL"], rows);
        Ok(Exit::Ok)
    }
}
