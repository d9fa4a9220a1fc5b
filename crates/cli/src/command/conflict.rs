//! `kapell conflict` and `kapell decision`.

use kapell_api::{
    Conflict, Deliberation, Dispute, NewDecision, NewDispute, NewProposal, NewRuling, Withdrawal,
};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Subcommand)]
pub enum ConflictVerb {
    /// List the conflicts of all kinds: those that nobody has settled, or in one state
    List {
        /// open, escalated, resolved, withdrawn, unsettled, or all
        #[arg(long, default_value = "unsettled")]
        state: String,
        /// resource_contention, task_dispute, decision_conflict or priority_conflict
        #[arg(long)]
        kind: Option<String>,
        /// That this agent is in
        #[arg(long)]
        agent: Option<String>,
        /// About this task: T-12, or its key
        #[arg(long)]
        task: Option<String>,
    },
    /// Show a conflict: parties, how it stands, how it was ruled and by which numbers
    Show {
        /// C-4
        conflict: String,
    },
    /// Say that an owned task is an agent's own; it is ruled at once
    Dispute {
        /// T-12, or its key
        task: String,
        /// Who says so
        #[arg(long)]
        agent: String,
        /// Who takes it for its own too; needed where the owner says so
        #[arg(long)]
        against: Option<String>,
        /// Why
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
    },
    /// Rule on a decision, as the architect or a manager
    Rule(Rule),
    /// Take a decision back that nobody has made
    Withdraw {
        /// C-4
        conflict: String,
        /// Who opened it; a manager needs none
        #[arg(long)]
        agent: Option<String>,
        /// Why
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
    },
}

#[derive(Debug, clap::Subcommand)]
pub enum DecisionVerb {
    /// Open a decision: who knows best proposes, the tally or the architect decides
    Open(Open),
    /// Propose an option
    Propose {
        /// C-4
        decision: String,
        /// Who
        #[arg(long)]
        agent: String,
        /// Which option
        #[arg(long)]
        option: String,
        /// Why
        #[arg(long)]
        reasons: String,
        /// How sure, 0 to 1
        #[arg(long, default_value_t = 1.0)]
        confidence: f64,
    },
    /// Show a decision with its proposals and its tally
    Show {
        /// C-4
        decision: String,
    },
    /// Rule on a decision, as the architect or a manager
    Rule(Rule),
}

#[derive(Debug, clap::Args)]
pub struct Rule {
    /// C-4
    conflict: String,
    /// The option that is decided for
    #[arg(long)]
    option: String,
    /// Why
    #[arg(long, allow_hyphen_values = true)]
    reason: String,
    /// Who rules: an agent of the role `architect`, or a person; a manager needs none
    #[arg(long)]
    agent: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Open {
    /// The question
    topic: String,
    /// The capability whose holders' words count
    #[arg(long)]
    capability: String,
    /// Until when proposals are taken: 2026-01-31T12:00:00Z, or +2h from now
    #[arg(long, value_parser = words::time)]
    deadline: Option<String>,
    /// It cannot be taken back: only the architect or a person decides
    #[arg(long)]
    irreversible: bool,
    /// It shapes what is built on it: only the architect or a person decides
    #[arg(long)]
    architectural: bool,
    /// What there is to choose from; may be repeated
    #[arg(long = "option", value_name = "OPTION")]
    options: Vec<String>,
    /// Who is asked; may be repeated
    #[arg(long, value_name = "AGENT")]
    ask: Vec<String>,
    /// A task that waits for it; may be repeated
    #[arg(long = "task", value_name = "TASK")]
    tasks: Vec<String>,
    /// Who opens it; a manager needs none
    #[arg(long)]
    agent: Option<String>,
}

impl Open {
    fn request(self) -> NewDecision {
        NewDecision {
            topic: self.topic,
            capability: self.capability,
            deadline: self.deadline,
            irreversible: self.irreversible,
            architectural: self.architectural,
            options: self.options,
            ask: self.ask,
            tasks: self.tasks,
            agent: self.agent,
        }
    }
}

impl Rule {
    fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let body = NewRuling { agent: self.agent, option: Some(self.option), reason: self.reason };
        let client = context.client()?;
        client.rule(&self.conflict, &body)?;
        shown(context, &client.conflict(&self.conflict)?)
    }
}

impl ConflictVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        match self {
            Self::List { state, kind, agent, task } => {
                let state = Some(state).filter(|state| state != "all");
                let query = [("state", &state), ("kind", &kind), ("agent", &agent), ("task", &task)];
                let query: Vec<(&str, &str)> =
                    query.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
                let all = client.conflicts(&query)?;
                match context.format() {
                    Format::Json => output::json(&all)?,
                    Format::Human => list(&all),
                }
            }
            Self::Show { conflict } => return shown(context, &client.conflict(&conflict)?),
            Self::Dispute { task, agent, against, reason } => {
                let ack = client.dispute(&task, &NewDispute { agent, against, reason })?;
                return shown(context, &client.conflict(&ack.conflict.unwrap_or_default())?);
            }
            Self::Rule(it) => return it.run(context),
            Self::Withdraw { conflict, agent, reason } => {
                client.withdraw(&conflict, &Withdrawal { agent, reason })?;
                return shown(context, &client.conflict(&conflict)?);
            }
        }
        Ok(Exit::Ok)
    }
}

impl DecisionVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let decision = match self {
            Self::Open(it) => client.open_decision(&it.request())?.conflict.unwrap_or_default(),
            Self::Propose { decision, agent, option, reasons, confidence } => {
                client.propose(&decision, &NewProposal { agent, option, reasons, confidence })?;
                decision
            }
            Self::Show { decision } => decision,
            Self::Rule(it) => return it.run(context),
        };
        shown(context, &client.conflict(&decision)?)
    }
}

fn list(all: &[Conflict]) {
    let rows = all.iter().map(|it| {
        vec![
            it.id.clone(),
            it.kind.replace('_', " "),
            it.state.clone(),
            output::cut(&it.parties.join(" "), 40),
            output::cut(&it.tasks.join(" "), 30),
            words::age(&it.opened_at),
            output::cut(&summary(it), 60),
        ]
    });
    output::table(&["ID", "KIND", "STATE", "PARTIES", "TASKS", "OPENED", "HOW IT STANDS"], rows.collect());
}

fn summary(it: &Conflict) -> String {
    let topic = it.decision.as_ref().map(|decision| decision.topic.clone());
    topic.or_else(|| it.ruling.clone()).or_else(|| it.because.first().cloned()).unwrap_or_default()
}

pub(super) fn shown(context: &Context, it: &Conflict) -> anyhow::Result<Exit> {
    if context.format() == Format::Json {
        output::json(it)?;
        return Ok(Exit::Ok);
    }
    let kind = it.kind.replace('_', " ");
    output::line(format!("{} {kind}, {}, opened {} ago", it.id, it.state, words::age(&it.opened_at)));
    for (what, names) in [("parties", &it.parties), ("tasks", &it.tasks)] {
        if !names.is_empty() {
            output::line(format!("  {what}: {}", names.join(", ")));
        }
    }
    if let Some(decision) = &it.decision {
        show_decision(decision);
    }
    if let Some(dispute) = &it.dispute {
        show_dispute(dispute);
    }
    if let Some(precedence) = &it.precedence {
        super::precedence::show(precedence);
    }
    for fact in &it.because {
        output::line(format!("  {}", output::plain(fact)));
    }
    if let Some(ruling) = &it.ruling {
        output::line(format!("ruling: {}", output::plain(ruling)));
    }
    Ok(Exit::Ok)
}

fn show_dispute(it: &Dispute) {
    let cause = it.cause.replace('_', " ");
    let reason = it.reason.as_ref().map(|reason| format!(": {}", output::plain(reason))).unwrap_or_default();
    output::line(format!("{cause} by {}{reason}", it.opened_by));
    let stalled = if it.stalled { "stalled" } else { "not stalled" };
    output::line(format!("  held by {} under {}, {stalled}", it.holder, it.assignment));
    if !it.scores.is_empty() {
        output::line(super::why::scores(&it.scores));
    }
    if let (Some(agent), Some(rule)) = (&it.awarded_to, &it.rule) {
        output::line(format!("awarded to {agent} by {}", rule.replace('_', " ")));
    }
}

fn show_decision(it: &Deliberation) {
    output::line(format!("topic: {} ({})", output::plain(&it.topic), it.capability));
    let flags = [("irreversible", it.irreversible), ("architectural", it.architectural)];
    for (flag, _) in flags.iter().filter(|(_, set)| *set) {
        output::line(format!("  {flag}: the architect or a person decides"));
    }
    let rows = it.proposals.iter().map(|it| {
        vec![
            it.agent.clone(),
            output::cut(&it.option, 30),
            format!("{} x {} = {}", it.score, it.confidence, it.weight),
            output::cut(&it.reasons, 60),
        ]
    });
    output::table(&["AGENT", "OPTION", "SCORE x CONFIDENCE", "REASONS"], rows.collect());
    let rows = it.tally.iter().map(|it| {
        vec![
            output::cut(&it.option, 30),
            it.proposals.to_string(),
            it.weight.to_string(),
            it.support.to_string(),
        ]
    });
    output::table(&["OPTION", "PROPOSALS", "WEIGHT", "SUPPORT"], rows.collect());
    let (margin, support_needed, margin_needed) = (it.margin, it.support_needed, it.margin_needed);
    output::line(format!(
        "margin {margin}; the tally decides from a support of {support_needed} and a margin of {margin_needed}"
    ));
    match (&it.decided, &it.decided_by) {
        (Some(option), Some(by)) => output::line(format!("decided for {} by {by}", output::plain(option))),
        _ => output::line(format!("open until {}", it.deadline)),
    }
}
