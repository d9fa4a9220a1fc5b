//! What agents do, by hand: next, claim, start, progress, done, fail, release; and assign for managers.

use std::time::Duration;

use anyhow::Context as _;
use kapell_api::{
    Ack, Assignments, Client, DoneReport, FailReport, Notice, ProgressReport, ReleaseReport, StartReport,
};

use super::budget::Used;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

/// Tells what a command did.
pub fn told(context: &Context, ack: &Ack) -> anyhow::Result<()> {
    if context.format() == Format::Json {
        return output::json(ack);
    }
    let mut text = ack.task.clone().unwrap_or_default();
    if let Some(state) = &ack.state {
        text += &format!(" is {state}");
    }
    if let (Some(agent), Some(assignment)) = (&ack.agent, &ack.assignment) {
        text += &format!(", owned by {agent} under {assignment}");
    }
    output::line(text.trim());
    Ok(())
}

#[derive(Debug, clap::Args)]
pub struct Assign {
    /// T-12, or its key
    task: String,
    /// To whom
    agent: String,
}

impl Assign {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        told(context, &context.client()?.assign(&self.task, &self.agent)?)?;
        Ok(Exit::Ok)
    }
}

#[derive(Debug, clap::Args)]
pub struct Move {
    /// T-12, or its key
    task: String,
    /// To whom
    #[arg(long)]
    to: String,
    /// Why, and what the new owner should know
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    note: String,
}

impl Move {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        told(context, &context.client()?.move_to(&self.task, &self.to, &self.note)?)?;
        Ok(Exit::Ok)
    }
}

#[derive(Debug, clap::Args)]
pub struct Notices {
    /// Whose
    agent: String,
    /// Note that the agent has read them
    #[arg(long)]
    read: bool,
}

impl Notices {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let notices = client.notices(&self.agent)?;
        if self.read
            && let Some(last) = notices.last().filter(|last| !last.read)
        {
            client.read_notices(&self.agent, &last.id)?;
        }
        if context.format() == Format::Json {
            output::json(&notices)?;
            return Ok(Exit::Ok);
        }
        let row = |it: &Notice| {
            let (task, due) = (it.task.clone().unwrap_or_default(), it.due.as_deref().map(words::age));
            let read = if it.read { "read" } else { "new" };
            vec![
                it.id.clone(),
                it.kind.clone(),
                task,
                read.to_owned(),
                words::age(&it.at),
                due.unwrap_or_default(),
                output::cut(&it.text, 100),
            ]
        };
        let rows = notices.iter().map(row).collect();
        output::table(&["NOTICE", "KIND", "TASK", "STATE", "AGE", "DUE", "TEXT"], rows);
        Ok(Exit::Ok)
    }
}

#[derive(Debug, clap::Args)]
pub struct Next {
    /// Whose
    #[arg(long, short)]
    agent: String,
    /// How long to wait until there is one, such as 30s
    #[arg(long, default_value = "0s", value_parser = words::duration)]
    wait: i64,
    /// At most so many
    #[arg(long, default_value_t = 1)]
    max: usize,
}

impl Next {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let wait = Duration::from_millis(u64::try_from(self.wait).unwrap_or(0));
        let next = context.client()?.next(&self.agent, self.max, wait)?;
        let Assignments { assignments, notices, messages, messages_unread } = &next;
        match context.format() {
            Format::Json => output::json(&next)?,
            Format::Human => {
                for it in assignments {
                    output::line(format!(
                        "{} {} {} [{}]",
                        it.assignment,
                        it.task,
                        output::plain(&it.title),
                        it.priority
                    ));
                    if let Some(note) = &it.note {
                        output::line(format!("  from before: {}", output::plain(note)));
                    }
                }
                for it in notices {
                    eprintln!("{} {}: {}", it.id, it.kind, output::plain(&it.text));
                }
                for it in messages {
                    let from = it.from.as_deref().unwrap_or("a manager");
                    eprintln!("{} from {from} ({}): {}", it.id, it.priority, output::plain(&it.text));
                }
                if *messages_unread as usize > messages.len() {
                    eprintln!("{messages_unread} messages in all; `kapell message inbox` shows them");
                }
                if assignments.is_empty() {
                    eprintln!("nothing for {} now", self.agent);
                }
            }
        }
        Ok(if assignments.is_empty() { Exit::Nothing } else { Exit::Ok })
    }
}

#[derive(Debug, clap::Args)]
pub struct Claim {
    /// T-12, or its key
    task: String,
    /// For whom
    #[arg(long, short)]
    agent: String,
}

impl Claim {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        told(context, &context.client()?.claim(&self.task, &self.agent)?)?;
        Ok(Exit::Ok)
    }
}

/// Who reports on what.
#[derive(Debug, clap::Args)]
struct Reporter {
    /// T-12, or its key
    task: String,
    /// Who reports [default: the task's owner]
    #[arg(long, short)]
    agent: Option<String>,
    /// The fencing token, A-34 [default: the task's current one]
    #[arg(long)]
    assignment: Option<String>,
}

impl Reporter {
    /// Fills in what was not named from the task as it is.
    fn complete(&self, client: &Client) -> anyhow::Result<(String, String)> {
        if let (Some(agent), Some(assignment)) = (&self.agent, &self.assignment) {
            return Ok((agent.clone(), assignment.clone()));
        }
        let task = client.task(&self.task)?;
        let nobody =
            || format!("nobody owns {}, which is {}; name --agent and --assignment", task.id, task.state);
        let agent = self.agent.clone().or(task.owner.clone()).with_context(nobody)?;
        let assignment = self.assignment.clone().or(task.assignment.clone()).with_context(nobody)?;
        Ok((agent, assignment))
    }
}

macro_rules! report {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* } |$client:ident, $it:ident, $agent:ident, $assignment:ident| $send:expr) => {
        $(#[$doc])*
        #[derive(Debug, clap::Args)]
        pub struct $name {
            #[command(flatten)]
            reporter: Reporter,
            $($(#[$attribute])* $field: $type),*
        }

        impl $name {
            pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
                let $client = context.client()?;
                let ($agent, $assignment) = self.reporter.complete(&$client)?;
                let $it = self;
                told(context, &$send?)?;
                Ok(Exit::Ok)
            }
        }
    };
}

report! {
    Start {} |client, it, agent, assignment|
    client.start(&it.reporter.task, &StartReport { task: None, agent, assignment })
}

report! {
    Progress {
        /// Percent done
        #[arg(long)]
        percent: Option<u8>,
        /// What it is doing
        #[arg(long, allow_hyphen_values = true)]
        note: Option<String>,
        #[command(flatten)]
        used: Used
    } |client, it, agent, assignment|
    client.progress(&it.reporter.task, &ProgressReport { task: None, agent, assignment, percent: it.percent, note: it.note, usage: it.used.usage() })
}

report! {
    Done {
        /// What came of it
        #[arg(long, allow_hyphen_values = true)]
        result: Option<String>,
        #[command(flatten)]
        used: Used
    } |client, it, agent, assignment|
    client.done(&it.reporter.task, &DoneReport { task: None, agent, assignment, result: it.result, usage: it.used.usage() })
}

report! {
    Fail {
        /// Why
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
        /// Another attempt makes no sense
        #[arg(long)]
        no_retry: bool,
        #[command(flatten)]
        used: Used
    } |client, it, agent, assignment|
    client.fail(&it.reporter.task, &FailReport { task: None, agent, assignment, reason: it.reason, retry: !it.no_retry, usage: it.used.usage() })
}

report! {
    Release {
        /// Why, and what the next one should know
        #[arg(long, allow_hyphen_values = true)]
        note: Option<String>,
        #[command(flatten)]
        used: Used
    } |client, it, agent, assignment|
    client.release(&it.reporter.task, &ReleaseReport { task: None, agent, assignment, note: it.note, usage: it.used.usage() })
}
