//! `kapell gates`, `approve`, `reject` and `check`: finished work before its gates, and what agents want leave for.

use kapell_api::{CheckReport, Gate, NewVerdict, OpenGate};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

/// Reads `review`, `review:qa_engineer`, `approval` or `command:make test`.
pub fn gate(text: &str) -> Result<Gate, String> {
    let (kind, rest) =
        text.split_once(':').map_or((text, None), |(kind, rest)| (kind, Some(rest.to_owned())));
    match (kind, rest) {
        ("review", role) => Ok(Gate { kind: kind.to_owned(), role, command: None }),
        ("approval", None) => Ok(Gate { kind: kind.to_owned(), role: None, command: None }),
        ("command", Some(line)) if !line.trim().is_empty() => {
            Ok(Gate { kind: kind.to_owned(), role: None, command: Some(line) })
        }
        _ => Err("review, review:ROLE, approval or command:LINE".to_owned()),
    }
}

#[derive(Debug, clap::Args)]
pub struct Gates {
    /// command, review or approval
    #[arg(long)]
    kind: Option<String>,
    /// Reviews that this agent is asked for
    #[arg(long, value_name = "AGENT")]
    reviewer: Option<String>,
}

impl Gates {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let filters = [("kind", self.kind.as_deref()), ("reviewer", self.reviewer.as_deref())];
        let query: Vec<(&str, &str)> =
            filters.iter().filter_map(|&(name, value)| Some((name, value?))).collect();
        let gates = context.client()?.gates(&query)?;
        if context.format() == Format::Json {
            output::json(&gates)?;
            return Ok(Exit::Ok);
        }
        let row = |it: &OpenGate| {
            vec![
                it.task.clone(),
                it.gate.kind.clone(),
                it.priority.clone(),
                it.author.clone(),
                it.gate.reviewer.clone().unwrap_or_default(),
                words::age(&it.since),
                output::cut(&it.because, 60),
            ]
        };
        output::table(
            &["TASK", "GATE", "PRIORITY", "AUTHOR", "REVIEWER", "AGE", "WAITS FOR"],
            gates.iter().map(row).collect(),
        );
        Ok(Exit::Ok)
    }
}

#[derive(Debug, clap::Args)]
pub struct Approve {
    /// T-12, or its key
    task: String,
    /// What is to be known
    #[arg(long, default_value = "")]
    notes: String,
    #[command(flatten)]
    word: Word,
}

#[derive(Debug, clap::Args)]
pub struct Reject {
    /// T-12, or its key
    task: String,
    /// What is to be done; needed for finished work
    #[arg(long, required_unless_present = "request")]
    notes: Option<String>,
    #[command(flatten)]
    word: Word,
}

#[derive(Debug, clap::Args)]
struct Word {
    /// What the owner wants leave for, as `kapell inbox` names it (P-227), instead of finished work
    #[arg(long, conflicts_with_all = ["score", "gate"])]
    request: Option<String>,
    /// Which of the answers that its agent offers; the first that fits where nothing is said
    #[arg(long, requires = "request")]
    option: Option<String>,
    /// How good the work is, 0 to 1
    #[arg(long)]
    score: Option<f64>,
    /// Which gate, counted from 1; the one before which it stands where nothing is said
    #[arg(long)]
    gate: Option<u8>,
    /// Who says so; a manager needs none
    #[arg(long)]
    agent: Option<String>,
}

impl Word {
    fn say(self, context: &Context, task: &str, verdict: &str, notes: String) -> anyhow::Result<Exit> {
        let Self { request, option, score, gate, agent } = self;
        let body = NewVerdict { verdict: verdict.to_owned(), notes, score, gate, request, option, agent };
        super::work::told(context, &context.client()?.verdict(task, &body)?)?;
        Ok(Exit::Ok)
    }
}

impl Approve {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        self.word.say(context, &self.task, "approve", self.notes)
    }
}

impl Reject {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        self.word.say(context, &self.task, "reject", self.notes.unwrap_or_default())
    }
}

#[derive(Debug, clap::Args)]
pub struct Check {
    /// T-12, or its key
    task: String,
    /// How the command ended; 0 passes
    #[arg(long, allow_negative_numbers = true)]
    exit_code: i32,
    /// A digest of its whole output, such as sha256:2c26…
    #[arg(long)]
    digest: String,
    /// The end of its output
    #[arg(long, default_value = "")]
    notes: String,
    /// Which gate, counted from 1; the one before which it stands where nothing is said
    #[arg(long)]
    gate: Option<u8>,
    /// The author, for whom it was run; a manager needs none
    #[arg(long)]
    agent: Option<String>,
}

impl Check {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let Self { task, exit_code, digest, notes, gate, agent } = self;
        let body = CheckReport { exit_code, digest, notes, gate, agent };
        super::work::told(context, &context.client()?.check(&task, &body)?)?;
        Ok(Exit::Ok)
    }
}
