//! Messages between agents, and the channels that they go to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A message to be sent, to an agent or to a channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// The sender; absent where a manager sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The agent that is to read it; or `channel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The channel whose other members are to read it; or `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What it says. At most 4 KiB.
    #[schema(min_length = 1)]
    pub text: String,
    /// `critical`, `high`, `medium` or `low`: it is to be read within the ack time of the policy. Default `medium`.
    #[serde(default = "medium")]
    #[schema(pattern = "^(critical|high|medium|low)$")]
    pub priority: String,
    /// The task that it is about, `T-12` or its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The message that it answers, `M-3`: it goes into its thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Whether it must be acknowledged; reading is not enough then. Default no.
    #[serde(default)]
    pub ack: bool,
}

fn medium() -> String {
    "medium".to_owned()
}

/// A message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// `M-3`; later ones are larger.
    pub id: String,
    /// Who sent it; absent where a manager did, and in a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The agent that it was sent to; absent where it went to a channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The channel that it was sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The first message of its thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// The task that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// How urgent it is.
    pub priority: String,
    /// What it says.
    pub text: String,
    /// Whether it must be acknowledged.
    pub ack: bool,
    /// What was folded into it, where it is a digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digest: Vec<String>,
    /// When it was sent.
    pub at: String,
    /// In an inbox: until when it is to be read, and acknowledged where that is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// In an inbox: whether it was sent again because nobody read it.
    #[serde(default)]
    pub resent: bool,
    /// In an inbox: whether somebody was called for it.
    #[serde(default)]
    pub escalated: bool,
    /// How many have to read or acknowledge it still; absent where it is handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<u32>,
    /// Who has to read or acknowledge it still; of a message that was asked for by its number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread_by: Vec<String>,
}

/// Tells that an agent has read its messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessagesRead {
    /// The last one that it has read.
    #[schema(pattern = "^M-[0-9]{1,10}$", example = "M-3")]
    pub up_to: String,
}

/// An agent acknowledges a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageAck {
    /// Who.
    pub agent: String,
}

/// A channel to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChannel {
    /// Its name.
    pub name: String,
    /// Who is in it. At most 1000.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub members: Vec<String>,
}

/// Somebody comes into a channel, or leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelMember {
    /// Who.
    pub agent: String,
}

/// A channel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// Who is in it.
    pub members: Vec<String>,
    /// How many messages were sent to it.
    pub sent: u64,
    /// When it was made.
    pub since: String,
}
