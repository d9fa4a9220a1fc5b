//! Agents: who is there, and what each is handed.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use kapell_api::{
    Ack, Agent, AgentRegistration, Alive, Assignment, Assignments, ErrorCode, NextRequest, Notice,
    NoticesRead, Page, Problem,
};
use kapell_core::Command;
use kapell_model::{AgentState, Name};
use serde::Deserialize;
use utoipa::IntoParams;

use super::door::{Asked, Body, Door, NoBody, Path, fingerprint};
use super::problem::Refusals;
use super::{Refusal, convert, created, parse};
use crate::fleet::{Handed, Refused};
use crate::token::Access;

/// Items of a page, unless asked otherwise.
pub(super) const PAGE_DEFAULT: usize = 100;
/// Items of a page, at most.
pub(super) const PAGE_MAX: usize = 1_000;

/// Checks a page's size.
pub(super) fn limit(limit: Option<usize>) -> Result<usize, Problem> {
    match limit {
        None => Ok(PAGE_DEFAULT),
        Some(limit @ 1..=PAGE_MAX) => Ok(limit),
        Some(other) => Err(Problem::field("limit", other.to_string(), "1 to 1000")),
    }
}

/// Reads a cursor that this server gave out.
pub(super) fn cursor(cursor: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = cursor else { return Ok(0) };
    text.parse()
        .map_err(|_| Problem::field("cursor", "an unknown cursor", "the `next_cursor` of the page before"))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentQuery {
    /// Only agents in this state: online, unreachable, offline, removed.
    state: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

/// Lists the agents. Removed ones are listed only where asked for.
#[utoipa::path(get, path = "/v1/agents", params(AgentQuery), tag = "agents",
    responses((status = 200, body = Page<Agent>), Refusals))]
pub(super) async fn list(door: Door, Asked(query): Asked<AgentQuery>) -> Result<Json<Page<Agent>>, Refusal> {
    let wanted = query
        .state
        .as_deref()
        .map(|state| parse::word("state", state, AgentState::ALL, AgentState::parse, AgentState::as_str));
    let (wanted, limit, from) = (wanted.transpose()?, limit(query.limit)?, cursor(query.cursor.as_deref())?);
    let page = door.app.fleet.query(move |view| {
        let mut items = Vec::new();
        let mut next_cursor = None;
        for (index, agent) in view.state.agents().iter().enumerate().skip(from) {
            if items.len() == limit {
                next_cursor = Some(index.to_string());
                break;
            }
            if wanted.map_or(agent.state != AgentState::Removed, |wanted| wanted == agent.state) {
                items.push(convert::agent(view, agent));
            }
        }
        Page { items, next_cursor }
    });
    Ok(Json(page.await?))
}

/// Registers an agent. It counts as offline until it is first heard of.
#[utoipa::path(post, path = "/v1/agents", request_body = AgentRegistration, tag = "agents",
    params(("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused")),
    responses((status = 201, body = Ack), Refusals))]
pub(super) async fn register(
    door: Door,
    body: Body<AgentRegistration>,
) -> Result<(StatusCode, Json<Ack>), Refusal> {
    door.require(Access::Manager)?;
    let spec = parse::agent(&body.value)?;
    let Json(ack) =
        door.acknowledged(body.fingerprint, None, Command::RegisterAgent { spec, online: false }).await?;
    Ok(created(ack))
}

/// Shows an agent.
#[utoipa::path(get, path = "/v1/agents/{agent}", params(("agent" = String, Path, description = "its name")),
    tag = "agents", responses((status = 200, body = Agent), Refusals))]
pub(super) async fn show(door: Door, Path(agent): Path<String>) -> Result<Json<Agent>, Refusal> {
    let name = agent_name(&agent)?;
    let found = door.app.fleet.query(move |view| {
        let id = view.state.agent_id(name.as_str())?;
        Some(convert::agent(view, view.state.agent(id)))
    });
    Ok(Json(found.await?.ok_or_else(|| unknown(&agent))?))
}

/// Takes an agent out of the fleet; its open tasks return to the queue.
#[utoipa::path(delete, path = "/v1/agents/{agent}", params(("agent" = String, Path, description = "its name")),
    tag = "agents", responses((status = 204), Refusals))]
pub(super) async fn remove(door: Door, Path(agent): Path<String>) -> Result<StatusCode, Refusal> {
    door.require(Access::Manager)?;
    let name = agent_name(&agent)?;
    let digest = fingerprint(&format!("remove {agent}"), &[]);
    door.command(digest, None, Command::RemoveAgent { agent: name }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Drains an agent: it ends what it has and gets nothing new.
#[utoipa::path(post, path = "/v1/agents/{agent}/drain",
    params(("agent" = String, Path, description = "its name")), tag = "agents",
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn drain(door: Door, Path(agent): Path<String>, _: NoBody) -> Result<Json<Ack>, Refusal> {
    drained(door, agent, true).await
}

/// Gives an agent work again that was drained.
#[utoipa::path(post, path = "/v1/agents/{agent}/resume",
    params(("agent" = String, Path, description = "its name")), tag = "agents",
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn resume(door: Door, Path(agent): Path<String>, _: NoBody) -> Result<Json<Ack>, Refusal> {
    drained(door, agent, false).await
}

async fn drained(door: Door, agent: String, draining: bool) -> Result<Json<Ack>, Refusal> {
    door.require(Access::Manager)?;
    let name = agent_name(&agent)?;
    let digest = fingerprint(&format!("drain {agent} {draining}"), &[]);
    door.acknowledged(digest, None, Command::DrainAgent { agent: name, draining }).await
}

/// Renews an agent's lease.
#[utoipa::path(post, path = "/v1/agents/{agent}/heartbeat",
    params(("agent" = String, Path, description = "its name")), tag = "agents",
    responses((status = 200, body = Alive), Refusals))]
pub(super) async fn heartbeat(
    door: Door,
    Path(agent): Path<String>,
    _: NoBody,
) -> Result<Json<Alive>, Refusal> {
    let name = agent_name(&agent)?;
    door.speak_for(&name)?;
    let mut answers = door.app.fleet.lines(vec![crate::fleet::Line::Heartbeat { agent: name }]).await?;
    match answers.pop().transpose()? {
        Some(crate::fleet::Answer::Alive { notices }) => Ok(Json(Alive { notices })),
        _ => Err(Refused::Down.into()),
    }
}

/// Signs an agent off: it goes, and nobody waits for it. What it owns returns to the queue; any later call brings it back.
#[utoipa::path(post, path = "/v1/agents/{agent}/leave",
    params(("agent" = String, Path, description = "its name")), tag = "agents",
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn leave(door: Door, Path(agent): Path<String>, _: NoBody) -> Result<Json<Ack>, Refusal> {
    let name = agent_name(&agent)?;
    door.speak_for(&name)?;
    let digest = fingerprint(&format!("leave {agent}"), &[]);
    door.acknowledged(digest, None, Command::SignOff { agent: name }).await
}

/// Returns the agent's assignments that it has not started, oldest first, and the notices that it has not read; waits until
/// there is an assignment, or a notice that it was not shown before. They are durable.
#[utoipa::path(post, path = "/v1/agents/{agent}/next", request_body = NextRequest,
    params(("agent" = String, Path, description = "its name")), tag = "agents",
    responses((status = 200, body = Assignments), Refusals))]
pub(super) async fn next(
    door: Door,
    Path(agent): Path<String>,
    body: Body<NextRequest>,
) -> Result<Json<Assignments>, Refusal> {
    let name = agent_name(&agent)?;
    door.speak_for(&name)?;
    let NextRequest { wait_ms, max } = body.value;
    if wait_ms > 30_000 {
        return Err(Problem::field("wait_ms", wait_ms.to_string(), "0 to 30000").into());
    }
    if !(1..=100).contains(&max) {
        return Err(Problem::field("max", max.to_string(), "1 to 100").into());
    }
    let handout = door.app.fleet.next(name, max, Duration::from_millis(wait_ms)).await?;
    let notices = handout.notices.iter().map(|notice| convert::notice(notice, false)).collect();
    let (messages, messages_unread) = handout.messages;
    let names = door.app.fleet.names();
    let messages = messages.iter().map(|(sent, it)| convert::message_named(&names, sent, Some(it))).collect();
    Ok(Json(Assignments {
        assignments: shown(&handout.assignments, &agent),
        notices,
        messages,
        messages_unread,
    }))
}

/// Shows what was handed to `agent`.
pub(super) fn shown(handed: &[Handed], agent: &str) -> Vec<Assignment> {
    handed.iter().map(|handed| convert::assignment(handed, agent)).collect()
}

/// Returns everything that an agent has to work on, started or not, oldest first; finished work before a gate is not among it.
#[utoipa::path(get, path = "/v1/agents/{agent}/assignments",
    params(("agent" = String, Path, description = "its name")), tag = "agents",
    responses((status = 200, body = Assignments), Refusals))]
pub(super) async fn assignments(door: Door, Path(agent): Path<String>) -> Result<Json<Assignments>, Refusal> {
    let name = agent_name(&agent)?;
    let found = door.app.fleet.query(move |view| {
        let id = view.state.agent_id(name.as_str())?;
        let tasks = view.state.agent(id).tasks.iter().map(|&task| view.state.task(task));
        Some(tasks.filter_map(Handed::of).collect::<Vec<_>>())
    });
    let handed = found.await?.ok_or_else(|| unknown(&agent))?;
    Ok(Json(Assignments { assignments: shown(&handed, &agent), ..Assignments::default() }))
}

/// Lists what an agent was told, oldest first: the last 100 notices.
#[utoipa::path(get, path = "/v1/agents/{agent}/notices",
    params(("agent" = String, Path, description = "its name")), tag = "agents",
    responses((status = 200, body = Page<Notice>), Refusals))]
pub(super) async fn notices(door: Door, Path(agent): Path<String>) -> Result<Json<Page<Notice>>, Refusal> {
    let name = agent_name(&agent)?;
    let found = door.app.fleet.query(move |view| {
        let inbox = &view.state.agent(view.state.agent_id(name.as_str())?).inbox;
        let shown = inbox.all().map(|notice| convert::notice(notice, notice.id <= inbox.read_up_to()));
        Some(shown.collect::<Vec<_>>())
    });
    let items = found.await?.ok_or_else(|| unknown(&agent))?;
    Ok(Json(Page { items, next_cursor: None }))
}

/// Tells that an agent has read its notices.
#[utoipa::path(post, path = "/v1/agents/{agent}/notices/read", request_body = NoticesRead,
    params(("agent" = String, Path, description = "its name")), tag = "agents",
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn read_notices(
    door: Door,
    Path(agent): Path<String>,
    body: Body<NoticesRead>,
) -> Result<Json<Ack>, Refusal> {
    let agent = agent_name(&agent)?;
    door.speak_for(&agent)?;
    let up_to = parse::notice("up_to", &body.value.up_to)?;
    door.acknowledged(body.fingerprint, Some(agent.clone()), Command::ReadNotices { agent, up_to }).await
}

pub(super) fn agent_name(text: &str) -> Result<Name, Problem> {
    parse::name("agent", text)
}

pub(super) fn unknown(agent: &str) -> Problem {
    let shown: String = agent.escape_default().take(100).collect();
    Problem::new(ErrorCode::NotFound, format!("there is no agent `{shown}`"))
        .hint("`kapell agent list` shows who is registered")
}
