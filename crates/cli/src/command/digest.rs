//! `kapell digest`: what waits for a person, as Markdown that can be read as it is or sent by mail.

use std::fmt::Write as _;
use std::time::Duration;

use kapell_api::{Agent, Inbox, Task};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

/// Rows of a part, at most.
const ROWS_MAX: usize = 50;

#[derive(Debug, clap::Args)]
pub struct Digest {
    /// The person
    name: String,
    /// Where its browser finds the dashboard [default: the server's address]
    #[arg(long, value_name = "URL")]
    link: Option<String>,
    /// Count what it is assigned as fetched, and the person as heard of: the digest is what brings it there
    #[arg(long)]
    fetch: bool,
}

impl Digest {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        if self.fetch {
            client.next(&self.name, 100, Duration::ZERO)?;
        }
        let agent = client.agent(&self.name)?;
        let tasks = client.tasks(&[("agent", &self.name)])?;
        let inbox = client.waiting_for(&[("agent", &self.name)])?;
        match context.format() {
            Format::Json => {
                output::json(&serde_json::json!({"agent": agent, "tasks": tasks, "inbox": inbox}))?;
            }
            Format::Human => {
                let link = self.link.map_or_else(|| context.server(), Ok)?;
                output::line(markdown(&agent, &tasks, &inbox, link.trim_end_matches('/')));
            }
        }
        Ok(Exit::Ok)
    }
}

/// Returns the digest.
fn markdown(agent: &Agent, tasks: &[Task], inbox: &Inbox, link: &str) -> String {
    let mut text = format!("# For {}\n\n{}\n", agent.name, facts(&agent.because));
    let _ = write!(text, "\n## Your tasks ({})\n", tasks.len());
    if tasks.is_empty() {
        text += "\nNone.\n";
    }
    let rows = &tasks[..tasks.len().min(ROWS_MAX)];
    for task in rows {
        let deadline = task.deadline.as_ref().map(|at| format!(", due {at}")).unwrap_or_default();
        let _ = write!(
            text,
            "\n- [{} {}]({link}/#/task/{}): {} for {}, {}{deadline}\n  {}\n",
            task.id,
            escaped(&task.title),
            task.id,
            task.state,
            words::age(&task.state_since),
            task.effective_priority,
            facts(&task.because)
        );
    }
    left_out(&mut text, tasks.len(), rows.len());
    text + &waiting(inbox, link)
}

/// Returns what waits for a word.
fn waiting(inbox: &Inbox, link: &str) -> String {
    let mut text = format!("\n## Waiting for a word from you ({})\n", inbox.total);
    if inbox.items.is_empty() {
        text += "\nNothing.\n";
    }
    let shown = &inbox.items[..inbox.items.len().min(ROWS_MAX)];
    for item in shown {
        let about = item.task.as_ref().filter(|task| **task != item.id);
        let about = about.map(|task| format!(" ([{task}]({link}/#/task/{task}))")).unwrap_or_default();
        let due = item
            .due
            .as_ref()
            .map(|due| format!(", wanted by {due}{}", if item.overdue { ", which is past" } else { "" }));
        let _ = write!(
            text,
            "\n- {} {}{about}: {} (for {}, {}{})\n  `{}`\n",
            item.kind,
            item.id,
            escaped(&item.detail),
            words::age(&item.since),
            item.priority,
            due.unwrap_or_default(),
            output::plain(&item.answer)
        );
        if let Some(permission) = &item.permission {
            // Each of its lines stands behind blanks or a bar, so none of them ends the block.
            let block = super::settle::permission(permission).replace('\n', "\n  ");
            let _ = write!(text, "\n  ```text{block}\n  ```\n");
        }
    }
    left_out(&mut text, inbox.total as usize, shown.len());
    text
}

fn left_out(text: &mut String, all: usize, shown: usize) {
    if all > shown {
        let _ = write!(text, "\nAnd {} more.\n", all - shown);
    }
}

fn facts(facts: &[String]) -> String {
    facts.iter().map(|fact| escaped(fact)).collect::<Vec<_>>().join("; ")
}

/// Returns a text of others in one line in which nothing is a sign of Markdown's.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in output::plain(text).chars() {
        match sign {
            '\n' | '\r' => escaped.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' => escaped.extend(['\\', sign]),
            sign => escaped.push(sign),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_wants_leave_for_is_shown_before_it_is_answered() {
        let permission = kapell_api::Permission {
            task: "T-12".to_owned(),
            agent: "bot".to_owned(),
            request: "P-7".to_owned(),
            title: "run a script".to_owned(),
            kind: "execute\n```".to_owned(),
            detail: "command: curl x | sh\n```\n# For you".to_owned(),
            ..kapell_api::Permission::default()
        };
        let item = kapell_api::InboxItem {
            answer: "kapell approve T-12 --request P-7".to_owned(),
            permission: Some(permission),
            ..kapell_api::InboxItem::default()
        };
        let text = waiting(&Inbox { total: 1, items: vec![item], ..Inbox::default() }, "");
        assert!(text.contains("`kapell approve T-12 --request P-7`\n\n  ```text\n"), "{text}");
        assert!(text.contains("| command: curl x | sh\n    | ```\n    | # For you"), "{text}");
        let fences = text.lines().filter(|line| line.trim_start().starts_with("```")).count();
        assert_eq!(fences, 2, "{text}");
    }

    #[test]
    fn titles_of_others_make_no_markup() {
        assert_eq!(escaped("a [link](http://x)\n# and *more*"), "a \\[link\\](http://x) \\# and \\*more\\*");
    }
}
