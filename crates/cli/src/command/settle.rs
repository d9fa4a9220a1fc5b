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
            super::work::told(context, &client.settle(&escalation, &note)?)?;
            return Ok(Exit::Ok);
        }
        let escalations = client.escalations()?;
        if context.format() == Format::Json {
            output::json(&escalations)?;
            return Ok(Exit::Ok);
        }
        let row = |it: &Escalation| {
            vec![
                it.id.clone(),
                it.kind.clone(),
                it.severity.clone(),
                it.about().unwrap_or_default().to_owned(),
                it.state.clone(),
                words::age(&it.raised_at),
                output::cut(&it.detail, 100),
            ]
        };
        let rows = escalations.iter().map(row).collect();
        output::table(&["ESCALATION", "KIND", "SEVERITY", "ABOUT", "STATE", "AGE", "DETAIL"], rows);
        Ok(Exit::Ok)
    }
}
