//! `kapell message` and `kapell channel`.

use kapell_api::{Message, NewChannel, NewMessage};

use super::work::told;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Subcommand)]
pub enum MessageVerb {
    /// Send a message to an agent, or with --channel to the other members of a channel
    Send(Send),
    /// List what an agent has to read or acknowledge
    Inbox {
        /// The agent
        agent: String,
        /// Tell that it has read all of it
        #[arg(long)]
        read: bool,
    },
    /// Acknowledge a message
    Ack {
        /// M-3
        message: String,
        /// Who
        #[arg(long)]
        agent: String,
    },
    /// Show a message, and who has to read it
    Show {
        /// M-3
        message: String,
    },
    /// List messages, newest first
    List {
        /// Of this channel
        #[arg(long)]
        channel: Option<String>,
        /// Of this thread, by its first message: M-3
        #[arg(long)]
        thread: Option<String>,
        /// About this task: T-12, or its key
        #[arg(long)]
        task: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub struct Send {
    /// What it says
    text: String,
    /// The agent that is to read it
    #[arg(long, conflicts_with = "channel", required_unless_present = "channel")]
    to: Option<String>,
    /// The channel whose other members are to read it
    #[arg(long)]
    channel: Option<String>,
    /// The sender; a manager needs none
    #[arg(long)]
    from: Option<String>,
    /// critical, high, medium or low
    #[arg(long, default_value = "medium")]
    priority: String,
    /// The task that it is about: T-12, or its key
    #[arg(long)]
    task: Option<String>,
    /// The message that it answers, such as M-3
    #[arg(long)]
    reply_to: Option<String>,
    /// It must be acknowledged
    #[arg(long)]
    ack: bool,
}

impl MessageVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        match self {
            Self::Send(it) => {
                let Send { text, to, channel, from, priority, task, reply_to, ack } = it;
                let sent = client.send_message(&NewMessage {
                    from,
                    to,
                    channel,
                    text,
                    priority,
                    task,
                    reply_to,
                    ack,
                })?;
                match context.format() {
                    Format::Json => output::json(&sent)?,
                    Format::Human => output::line(format!("sent {}", sent.message.unwrap_or_default())),
                }
            }
            Self::Inbox { agent, read } => {
                let inbox = client.inbox(&agent)?;
                match context.format() {
                    Format::Json => output::json(&inbox)?,
                    Format::Human => list(&inbox),
                }
                if let Some(last) = inbox.last().filter(|_| read) {
                    client.read_messages(&agent, &last.id)?;
                }
            }
            Self::Ack { message, agent } => told(context, &client.acknowledge(&message, &agent)?)?,
            Self::Show { message } => {
                let it = client.message(&message)?;
                match context.format() {
                    Format::Json => output::json(&it)?,
                    Format::Human => show(&it),
                }
            }
            Self::List { channel, thread, task } => {
                let query = [("channel", &channel), ("thread", &thread), ("task", &task)];
                let query: Vec<(&str, &str)> =
                    query.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
                let all = client.messages(&query)?;
                match context.format() {
                    Format::Json => output::json(&all)?,
                    Format::Human => list(&all),
                }
            }
        }
        Ok(Exit::Ok)
    }
}

fn list(all: &[Message]) {
    let rows = all.iter().map(|it| {
        let mut flags = Vec::new();
        flags.extend(it.ack.then_some("ack"));
        flags.extend(it.resent.then_some("resent"));
        flags.extend(it.escalated.then_some("escalated"));
        vec![
            it.id.clone(),
            it.from.clone().unwrap_or_else(|| "-".to_owned()),
            addressee(it),
            it.priority.clone(),
            words::age(&it.at),
            flags.join(" "),
            output::cut(&it.text, 60),
        ]
    });
    output::table(&["ID", "FROM", "TO", "PRIORITY", "AGE", "", "TEXT"], rows.collect());
}

/// Returns to whom it went: an agent, or a channel with its mark.
fn addressee(it: &Message) -> String {
    let channel = it.channel.as_ref().map(|channel| format!("#{channel}"));
    channel.or_else(|| it.to.clone()).unwrap_or_default()
}

fn show(it: &Message) {
    let (from, to) = (it.from.as_deref().unwrap_or("a manager"), addressee(it));
    output::line(format!("{} from {from} to {to}, {}, {} ago", it.id, it.priority, words::age(&it.at)));
    output::line(output::plain(&it.text));
    if !it.unread_by.is_empty() {
        output::line(format!("to be read by: {}", it.unread_by.join(" ")));
    }
}

#[derive(Debug, clap::Subcommand)]
pub enum ChannelVerb {
    /// Make a channel
    Add {
        /// Its name
        name: String,
        /// Who is in it; may be repeated
        #[arg(long = "member", value_name = "AGENT")]
        members: Vec<String>,
    },
    /// List the channels with their members
    List,
    /// Bring an agent into a channel
    Join {
        /// Its name
        name: String,
        /// Who
        #[arg(long)]
        agent: String,
    },
    /// Take an agent out of a channel
    Leave {
        /// Its name
        name: String,
        /// Who
        #[arg(long)]
        agent: String,
    },
}

impl ChannelVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let (ack, said) = match self {
            Self::Add { name, members } => {
                let said = format!("made {name}");
                (client.open_channel(&NewChannel { name, members })?, said)
            }
            Self::Join { name, agent } => {
                (client.channel_member(&name, &agent, true)?, format!("{agent} is in {name}"))
            }
            Self::Leave { name, agent } => {
                (client.channel_member(&name, &agent, false)?, format!("{agent} is not in {name}"))
            }
            Self::List => {
                let all = client.channels()?;
                match context.format() {
                    Format::Json => output::json(&all)?,
                    Format::Human => {
                        let row = |it: &kapell_api::Channel| {
                            let members = output::cut(&it.members.join(" "), 60);
                            vec![it.name.clone(), it.sent.to_string(), words::age(&it.since), members]
                        };
                        let rows = all.iter().map(row).collect();
                        output::table(&["CHANNEL", "SENT", "AGE", "MEMBERS"], rows);
                    }
                }
                return Ok(Exit::Ok);
            }
        };
        match context.format() {
            Format::Json => output::json(&ack)?,
            Format::Human => output::line(said),
        }
        Ok(Exit::Ok)
    }
}
