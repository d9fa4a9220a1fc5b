//! `kapell offers`, `escalations` and `inbox`: what waits for somebody.

use kapell_api::{Escalation, EscalationWord, InboxItem, Offer, Permission, PermissionOption};

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
        #[arg(long, default_value = "", allow_hyphen_values = true)]
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
        #[arg(long, default_value = "", allow_hyphen_values = true)]
        note: String,
        /// Who says so, of a role that is called; a manager needs none
        #[arg(long)]
        agent: Option<String>,
    },
    /// Take an escalation on, so that it is not raised again
    Ack {
        /// E-2
        escalation: String,
        /// Who says so, of a role that is called; a manager needs none
        #[arg(long)]
        agent: Option<String>,
    },
}

impl Escalations {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        if let Some(verb) = self.verb {
            let (ack, told) = match verb {
                EscalationVerb::Settle { escalation, note, agent } => {
                    let ack = client.settle(&escalation, &EscalationWord { agent, note })?;
                    (ack, format!("{escalation} is settled"))
                }
                EscalationVerb::Ack { escalation, agent } => {
                    let word = EscalationWord { agent, note: String::new() };
                    let ack = client.acknowledge_escalation(&escalation, &word)?;
                    (ack, format!("{escalation} is acknowledged: it is not raised again"))
                }
            };
            match context.format() {
                Format::Json => output::json(&ack)?,
                Format::Human => output::line(told),
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
                standing(it),
                it.role.clone(),
                words::age(&it.raised_at),
                it.due.clone(),
                output::cut(&it.detail, 100),
            ]
        };
        let rows = escalations.iter().map(row).collect();
        output::table(
            &["ESCALATION", "KIND", "SEVERITY", "ABOUT", "STATE", "CALLS", "AGE", "DUE", "DETAIL"],
            rows,
        );
        Ok(Exit::Ok)
    }
}

/// Says how an escalation stands: who has taken it on, how often it was raised again.
fn standing(it: &Escalation) -> String {
    let state = match &it.acknowledged_by {
        Some(by) if it.state == "open" => format!("with {by}"),
        _ if it.overdue => "overdue".to_owned(),
        _ => it.state.clone(),
    };
    match it.raised_again {
        0 => state,
        times => format!("{state}, again {times}x"),
    }
}

/// Writes what an agent wants leave for: its own words stand behind a bar, so that none of them passes for another's.
pub fn permission(it: &Permission) -> String {
    let mut text =
        format!("\n{} {} wants leave ({}, {}):", it.task, it.agent, it.request, output::cut(&it.kind, 40));
    let said = output::plain(&format!("{}\n{}", it.title, it.detail));
    for line in said.trim_end().lines() {
        text += &format!("\n  | {line}");
    }
    let option = |option: &PermissionOption| {
        let (id, name) = (output::cut(&option.id, 40), output::cut(&option.name, 40));
        format!("{id} ({}: {name})", option.kind)
    };
    text + &format!("\n  options: {}", it.options.iter().map(option).collect::<Vec<_>>().join(", "))
}

#[derive(Debug, clap::Args)]
pub struct Inbox {
    /// Of this role, such as agent_manager
    #[arg(long, conflicts_with = "agent")]
    role: Option<String>,
    /// Of this agent or person: what calls its role, and what it alone is asked
    #[arg(long)]
    agent: Option<String>,
}

impl Inbox {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let filters = [("role", self.role.as_deref()), ("agent", self.agent.as_deref())];
        let filters: Vec<_> =
            filters.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
        let inbox = context.client()?.waiting_for(&filters)?;
        if context.format() == Format::Json {
            output::json(&inbox)?;
            return Ok(Exit::Ok);
        }
        if inbox.items.is_empty() {
            output::line("nothing waits");
            return Ok(Exit::Ok);
        }
        let row = |it: &InboxItem| {
            let what = it.matter.as_ref().map_or(it.kind.clone(), |matter| format!("{}: {matter}", it.kind));
            let with = it.acknowledged_by.as_ref().map(|by| format!("with {by}"));
            let due = if it.overdue { "overdue".to_owned() } else { it.due.clone().unwrap_or_default() };
            vec![
                it.id.clone(),
                what,
                it.priority.clone(),
                with.unwrap_or(due),
                words::age(&it.since),
                output::cut(&it.detail, 70),
                it.answer.clone(),
            ]
        };
        let rows = inbox.items.iter().map(row).collect();
        output::table(&["ID", "WHAT", "PRIORITY", "DUE", "AGE", "DETAIL", "ANSWER"], rows);
        for it in inbox.items.iter().filter_map(|it| it.permission.as_ref()) {
            output::line(permission(it));
        }
        if inbox.total as usize > inbox.items.len() {
            output::line(format!("{} of {} are shown", inbox.items.len(), inbox.total));
        }
        Ok(Exit::Ok)
    }
}
