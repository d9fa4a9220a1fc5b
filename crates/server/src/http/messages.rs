//! Messages and channels: sent, read, acknowledged, shown.

use axum::Json;
use axum::http::StatusCode;
use kapell_api::{
    Ack, Channel, ChannelMember, ErrorCode, Message, MessageAck, MessagesRead, NewChannel, NewMessage, Page,
    Problem,
};
use kapell_core::{Address, Command, Delivery};
use kapell_model::{MessageId, Name, limits};
use serde::Deserialize;
use utoipa::IntoParams;

use super::agents::{agent_name, limit, unknown};
use super::door::{Asked, Body, Door, Path};
use super::pages::ListQuery;
use super::problem::Refusals;
use super::{Refusal, convert, created, parse};
use crate::token::Access;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageQuery {
    /// Only those sent to this channel.
    channel: Option<String>,
    /// Only this thread, by its first message: `M-3`.
    thread: Option<String>,
    /// Only those about this task, `T-12` or its key.
    task: Option<String>,
    /// At most so many, the newest: 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

/// Lists messages that are still known, newest first.
#[utoipa::path(get, path = "/v1/messages", params(MessageQuery), tag = "messages",
    responses((status = 200, body = Page<Message>), Refusals))]
pub(super) async fn list(
    door: Door,
    Asked(query): Asked<MessageQuery>,
) -> Result<Json<Page<Message>>, Refusal> {
    let limit = limit(query.limit)?;
    let channel = query.channel.as_deref().map(|name| parse::name("channel", name)).transpose()?;
    let thread = query.thread.as_deref().map(|id| parse::message("thread", id)).transpose()?;
    let task = query.task.as_deref().map(|task| parse::task("task", task)).transpose()?;
    let found = door.app.fleet.query(move |view| -> Result<Vec<Message>, Problem> {
        let missing = || Problem::new(ErrorCode::NotFound, "there is no such task");
        let task = task.map(|task| view.state.task_id(&task).ok_or_else(missing)).transpose()?;
        let passes = |message: &&kapell_core::Message| {
            channel.as_ref().is_none_or(|channel| message.channel.as_ref() == Some(channel))
                && thread.is_none_or(|thread| message.thread == Some(thread) || message.id == thread)
                && task.is_none_or(|task| message.task == Some(task))
        };
        let shown = view.state.messages().newest().filter(passes).take(limit);
        Ok(shown.map(|message| convert::message(view.state, message, None)).collect())
    });
    Ok(Json(Page { items: found.await??, next_cursor: None }))
}

/// Sends a message to an agent, or to the other members of a channel. It is to be read within the ack time of its priority: else it
/// is sent once more, and then somebody is called.
#[utoipa::path(post, path = "/v1/messages", request_body = NewMessage, tag = "messages",
    params(("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused")),
    responses((status = 201, body = Ack), Refusals))]
pub(super) async fn send(door: Door, body: Body<NewMessage>) -> Result<(StatusCode, Json<Ack>), Refusal> {
    let asked = &body.value;
    let from = asked.from.as_deref().map(|from| parse::name("from", from)).transpose()?;
    match &from {
        Some(from) => door.speak_for(from)?,
        None => door.require(Access::Manager)?,
    }
    let to = match (&asked.to, &asked.channel) {
        (Some(to), None) => Address::Agent(parse::name("to", to)?),
        (None, Some(channel)) => Address::Channel(parse::name("channel", channel)?),
        (given, _) => {
            let given = if given.is_some() { "beside `channel`" } else { "missing" };
            return Err(Problem::field("to", given, "either `to` or `channel`").into());
        }
    };
    let command = Command::SendMessage(Box::new(kapell_core::NewMessage {
        from: from.clone(),
        to,
        text: parse::filled("text", &asked.text, limits::NOTE_BYTES_MAX)?,
        priority: parse::priority(&asked.priority)?,
        task: asked.task.as_deref().map(|task| parse::task("task", task)).transpose()?,
        reply_to: asked.reply_to.as_deref().map(|id| parse::message("reply_to", id)).transpose()?,
        ack: asked.ack,
    }));
    let Json(ack) = door.acknowledged(body.fingerprint, from, command).await?;
    Ok(created(ack))
}

/// Shows a message that is still known, and who has to read it.
#[utoipa::path(get, path = "/v1/messages/{message}", tag = "messages",
    params(("message" = String, Path, description = "M-3")),
    responses((status = 200, body = Message), Refusals))]
pub(super) async fn show(door: Door, Path(message): Path<String>) -> Result<Json<Message>, Refusal> {
    let id = named(&message)?;
    let found = door.app.fleet.query(move |view| {
        let mut shown = convert::message(view.state, view.state.messages().get(id)?, None);
        let unread = view.state.messages().unread_by(id);
        shown.unread_by = unread.map(|agent| view.state.agent(agent).spec.name.to_string()).collect();
        Some(shown)
    });
    Ok(Json(found.await?.ok_or_else(no_message)?))
}

/// Acknowledges a message.
#[utoipa::path(post, path = "/v1/messages/{message}/ack", request_body = MessageAck, tag = "messages",
    params(("message" = String, Path, description = "M-3")),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn acknowledge(
    door: Door,
    Path(message): Path<String>,
    body: Body<MessageAck>,
) -> Result<Json<Ack>, Refusal> {
    let agent = parse::name("agent", &body.value.agent)?;
    door.speak_for(&agent)?;
    let command = Command::AcknowledgeMessage { agent: agent.clone(), message: named(&message)? };
    door.acknowledged(body.fingerprint, Some(agent), command).await
}

fn named(text: &str) -> Result<MessageId, Problem> {
    text.parse().map_err(|_| no_message())
}

fn no_message() -> Problem {
    Problem::new(ErrorCode::NotFound, "there is no such message, or it is long past; they are named M-3")
}

/// Lists what an agent has to read or acknowledge, oldest first.
#[utoipa::path(get, path = "/v1/agents/{agent}/messages",
    params(("agent" = String, Path, description = "its name"), ListQuery), tag = "messages",
    responses((status = 200, body = Page<Message>), Refusals))]
pub(super) async fn inbox(
    door: Door,
    Path(agent): Path<String>,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<Page<Message>>, Refusal> {
    let name = agent_name(&agent)?;
    let page = door.app.fleet.query(move |view| {
        let id = view.state.agent_id(name.as_str()).ok_or_else(|| unknown(name.as_str()))?;
        let place = |message: MessageId, delivery: &Delivery| match delivery.behind {
            Some(behind) => (behind, Some(message)),
            None => (message, None),
        };
        let inbox = view.state.messages().inbox(id);
        let all = inbox.map(|(message, delivery)| (place(message.id, delivery), (message, delivery)));
        query.page(all, |_, (message, delivery)| convert::message(view.state, message, Some(delivery)))
    });
    Ok(Json(page.await??))
}

/// Tells that an agent has read its messages up to one. What must be acknowledged stays.
#[utoipa::path(post, path = "/v1/agents/{agent}/messages/read", request_body = MessagesRead,
    params(("agent" = String, Path, description = "its name")), tag = "messages",
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn read(
    door: Door,
    Path(agent): Path<String>,
    body: Body<MessagesRead>,
) -> Result<Json<Ack>, Refusal> {
    let agent = agent_name(&agent)?;
    door.speak_for(&agent)?;
    let up_to = parse::message("up_to", &body.value.up_to)?;
    door.acknowledged(body.fingerprint, Some(agent.clone()), Command::ReadMessages { agent, up_to }).await
}

/// Lists the channels by name.
#[utoipa::path(get, path = "/v1/channels", params(ListQuery), tag = "messages",
    responses((status = 200, body = Page<Channel>), Refusals))]
pub(super) async fn channels(
    door: Door,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<Page<Channel>>, Refusal> {
    let page = door.app.fleet.query(move |view| {
        let all = view.state.messages().channels().map(|(name, channel)| (name.clone(), channel));
        query.page(all, |name, channel| convert::channel(view.state, name, channel))
    });
    Ok(Json(page.await??))
}

/// Makes a channel. An agent may make one that it is a member of itself.
#[utoipa::path(post, path = "/v1/channels", request_body = NewChannel, tag = "messages",
    params(("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused")),
    responses((status = 201, body = Ack), Refusals))]
pub(super) async fn open(door: Door, body: Body<NewChannel>) -> Result<(StatusCode, Json<Ack>), Refusal> {
    let channel = parse::name("name", &body.value.name)?;
    let members = body.value.members.iter().map(|member| parse::name("members", member));
    let members: Vec<Name> = members.collect::<Result<_, _>>()?;
    let own = door.caller.agent.clone().filter(|own| members.contains(own));
    if own.is_none() {
        door.require(Access::Manager)?;
    }
    let Json(ack) =
        door.acknowledged(body.fingerprint, own, Command::OpenChannel { channel, members }).await?;
    Ok(created(ack))
}

/// Brings an agent into a channel.
#[utoipa::path(post, path = "/v1/channels/{channel}/join", request_body = ChannelMember, tag = "messages",
    params(("channel" = String, Path, description = "its name")),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn join(
    door: Door,
    Path(channel): Path<String>,
    body: Body<ChannelMember>,
) -> Result<Json<Ack>, Refusal> {
    member(door, &channel, body, true).await
}

/// Takes an agent out of a channel; what it has to read stays in its inbox.
#[utoipa::path(post, path = "/v1/channels/{channel}/leave", request_body = ChannelMember, tag = "messages",
    params(("channel" = String, Path, description = "its name")),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn leave(
    door: Door,
    Path(channel): Path<String>,
    body: Body<ChannelMember>,
) -> Result<Json<Ack>, Refusal> {
    member(door, &channel, body, false).await
}

async fn member(
    door: Door,
    channel: &str,
    body: Body<ChannelMember>,
    joins: bool,
) -> Result<Json<Ack>, Refusal> {
    let channel = parse::name("channel", channel)?;
    let agent = parse::name("agent", &body.value.agent)?;
    door.speak_for(&agent)?;
    let command = Command::ChannelMember { channel, agent: agent.clone(), joins };
    door.acknowledged(body.fingerprint, Some(agent), command).await
}
