//! Handoffs: asked for, packed, confirmed, declined, called off, and shown.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use kapell_api::{
    Ack, ErrorCode, Handoff, HandoffCancellation, HandoffConfirmation, HandoffPackage, HandoffRefusal,
    HandoffRequest, Page, Problem,
};
use kapell_core::{Command, Stage};
use kapell_model::{AgentId, HandoffId, TaskId, limits};
use serde::Deserialize;
use utoipa::IntoParams;

use super::agents::{cursor, limit};
use super::door::{Asked, AtQuery, Body, Door, Path};
use super::problem::Refusals;
use super::{Refusal, convert, created, parse};
use crate::token::Access;

/// Handoffs that are looked at for one page; a page may be short, and the cursor goes on.
const EXAMINED_MAX: usize = 20_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct HandoffQuery {
    /// Only those that are `open`, those that are `closed`, or those at one stage, such as `mediation`.
    state: Option<String>,
    /// Only those from or to this agent.
    agent: Option<String>,
    /// Only those of this task, `T-12` or its key.
    task: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

struct Filter {
    open: Option<bool>,
    stage: Option<Stage>,
    agent: Option<AgentId>,
    task: Option<TaskId>,
}

impl Filter {
    fn passes(&self, handoff: &kapell_core::Handoff) -> bool {
        let with = |agent: AgentId| handoff.from == agent || handoff.to == Some(agent);
        self.open.is_none_or(|open| handoff.is_open() == open)
            && self.stage.is_none_or(|stage| handoff.stage == stage)
            && self.agent.is_none_or(with)
            && self.task.is_none_or(|task| handoff.task == task)
    }
}

/// Lists the handoffs in the order in which they were asked for.
#[utoipa::path(get, path = "/v1/handoffs", params(HandoffQuery), tag = "handoffs",
    responses((status = 200, body = Page<Handoff>), Refusals))]
pub(super) async fn list(
    door: Door,
    Asked(query): Asked<HandoffQuery>,
) -> Result<Json<Page<Handoff>>, Refusal> {
    let (open, stage) = match query.state.as_deref() {
        None => (None, None),
        Some("open") => (Some(true), None),
        Some("closed") => (Some(false), None),
        Some(word) => (None, Some(stage(word)?)),
    };
    let (from, limit) = (cursor(query.cursor.as_deref())?, limit(query.limit)?);
    let agent = query.agent.as_deref().map(|agent| parse::name("agent", agent)).transpose()?;
    let task = query.task.as_deref().map(|task| parse::task("task", task)).transpose()?;
    let found = door.app.fleet.query(move |view| -> Result<Page<Handoff>, Problem> {
        let agent = agent.map(|name| {
            view.state.agent_id(name.as_str()).ok_or_else(|| super::agents::unknown(name.as_str()))
        });
        let unknown = || Problem::new(ErrorCode::NotFound, "there is no such task");
        let task = task.map(|task| view.state.task_id(&task).ok_or_else(unknown));
        let filter = Filter { open, stage, agent: agent.transpose()?, task: task.transpose()? };
        let (mut items, mut next) = (Vec::new(), from);
        for handoff in view.state.handoffs().skip(from).take(EXAMINED_MAX) {
            if items.len() == limit {
                break;
            }
            next += 1;
            if filter.passes(handoff) {
                items.push(convert::handoff(view, handoff));
            }
        }
        let more = next < view.state.handoffs().len();
        Ok(Page { items, next_cursor: more.then(|| next.to_string()) })
    });
    Ok(Json(found.await??))
}

fn stage(word: &str) -> Result<Stage, Problem> {
    let found = Stage::ALL.iter().copied().find(|stage| stage.as_str() == word);
    found.ok_or_else(|| {
        let stages: Vec<&str> = Stage::ALL.iter().map(|stage| stage.as_str()).collect();
        let given = format!("`{}`", word.escape_default().take(100).collect::<String>());
        Problem::field("state", given, format!("open, closed, {}", stages.join(", ")))
    })
}

/// Shows a handoff with its package.
#[utoipa::path(get, path = "/v1/handoffs/{handoff}", tag = "handoffs",
    params(AtQuery, ("handoff" = String, Path, description = "H-3")),
    responses((status = 200, body = Handoff), Refusals))]
pub(super) async fn show(
    door: Door,
    Path(handoff): Path<String>,
    Asked(query): Asked<AtQuery>,
) -> Result<Json<Handoff>, Refusal> {
    let unknown = || Problem::new(ErrorCode::NotFound, "there is no such handoff; they are named H-3");
    let id: HandoffId = handoff.parse().map_err(|_| unknown())?;
    let found = door.view(query.at.as_deref(), move |view| {
        view.state.handoffs().get(id).map(|handoff| convert::handoff(view, handoff))
    });
    Ok(Json(found.await?.ok_or_else(unknown)?))
}

/// Begins a supervised handoff. The owner says who it is and shows its token; a manager does not. The recipient is told first and
/// keeps a slot free, then the package is wanted from the owner.
#[utoipa::path(post, path = "/v1/tasks/{task}/handoff", request_body = HandoffRequest, tag = "handoffs",
    params(
        ("task" = String, Path, description = "T-12 or its key"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 201, body = Ack), Refusals))]
pub(super) async fn request(
    door: Door,
    Path(task): Path<String>,
    body: Body<HandoffRequest>,
) -> Result<(StatusCode, Json<Ack>), Refusal> {
    let asked = &body.value;
    let owner = match (&asked.agent, &asked.assignment) {
        (None, None) => {
            door.require(Access::Manager)?;
            None
        }
        (Some(agent), Some(assignment)) => {
            let agent = parse::name("agent", agent)?;
            door.speak_for(&agent)?;
            Some((agent, parse::assignment(assignment)?))
        }
        (Some(agent), None) => {
            let agent = parse::name("agent", agent)?;
            door.speak_for(&agent)?;
            return Err(
                Problem::field("assignment", "missing", "the owner's fencing token, with `agent`").into()
            );
        }
        (None, Some(_)) => {
            door.require(Access::Manager)?;
            return Err(Problem::field("agent", "missing", "the owner, with `assignment`").into());
        }
    };
    let note = parse::text("note", &asked.note, limits::NOTE_BYTES_MAX)?;
    let command = Command::RequestHandoff {
        task: parse::task("task", &task)?,
        to: asked.to.as_deref().map(|to| parse::name("to", to)).transpose()?,
        note: Some(note).filter(|note| !note.is_empty()),
        owner: owner.clone(),
    };
    let contact = owner.map(|(agent, _)| agent);
    let Json(ack) = door.acknowledged(body.fingerprint, contact, command).await?;
    Ok(created(ack))
}

/// Takes the package. A whole one moves the task at once; what is missing in another is in the answer, and wanted once more.
#[utoipa::path(post, path = "/v1/tasks/{task}/handoff/package", request_body = HandoffPackage, tag = "handoffs",
    params(
        ("task" = String, Path, description = "T-12 or its key"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn package(
    door: Door,
    Path(task): Path<String>,
    body: Body<HandoffPackage>,
) -> Result<Json<Ack>, Refusal> {
    let agent = parse::name("agent", &body.value.agent)?;
    door.speak_for(&agent)?;
    let command = Command::SubmitPackage {
        task: parse::task("task", &task)?,
        agent: agent.clone(),
        assignment: parse::assignment(&body.value.assignment)?,
        package: Arc::new(parse::package(&body.value)?),
    };
    door.acknowledged(body.fingerprint, Some(agent), command).await
}

/// The recipient has what it needs: the donor is released. Any report of the recipient does the same.
#[utoipa::path(post, path = "/v1/tasks/{task}/handoff/confirm", request_body = HandoffConfirmation, tag = "handoffs",
    params(
        ("task" = String, Path, description = "T-12 or its key"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn confirm(
    door: Door,
    Path(task): Path<String>,
    body: Body<HandoffConfirmation>,
) -> Result<Json<Ack>, Refusal> {
    let agent = parse::name("agent", &body.value.agent)?;
    door.speak_for(&agent)?;
    let command = Command::ConfirmHandoff { task: parse::task("task", &task)?, agent: agent.clone() };
    door.acknowledged(body.fingerprint, Some(agent), command).await
}

/// The recipient does not want the task: the next best agent is asked; a task that has changed hands goes on to it, or back.
#[utoipa::path(post, path = "/v1/tasks/{task}/handoff/decline", request_body = HandoffRefusal, tag = "handoffs",
    params(
        ("task" = String, Path, description = "T-12 or its key"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn decline(
    door: Door,
    Path(task): Path<String>,
    body: Body<HandoffRefusal>,
) -> Result<Json<Ack>, Refusal> {
    let agent = parse::name("agent", &body.value.agent)?;
    door.speak_for(&agent)?;
    let reason = parse::filled("reason", &body.value.reason, limits::NOTE_BYTES_MAX)?;
    let command = Command::DeclineHandoff { task: parse::task("task", &task)?, agent: agent.clone(), reason };
    door.acknowledged(body.fingerprint, Some(agent), command).await
}

/// Calls a handoff off before the task has changed hands: the owner keeps it. For the owner, and managers.
#[utoipa::path(post, path = "/v1/tasks/{task}/handoff/cancel", request_body = HandoffCancellation, tag = "handoffs",
    params(
        ("task" = String, Path, description = "T-12 or its key"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn cancel(
    door: Door,
    Path(task): Path<String>,
    body: Body<HandoffCancellation>,
) -> Result<Json<Ack>, Refusal> {
    let agent = body.value.agent.as_deref().map(|agent| parse::name("agent", agent)).transpose()?;
    match &agent {
        Some(agent) => door.speak_for(agent)?,
        None => door.require(Access::Manager)?,
    }
    let reason = parse::filled("reason", &body.value.reason, limits::NOTE_BYTES_MAX)?;
    let task = parse::task("task", &task)?;
    let command = Command::CancelHandoff { task, agent: agent.clone(), reason };
    door.acknowledged(body.fingerprint, agent, command).await
}

/// Shows a package, as an event has it.
pub(super) fn packed(package: &kapell_core::Package) -> serde_json::Value {
    serde_json::json!({
        "completed": package.completed,
        "state": package.state,
        "remaining": package.remaining,
        "context": package.context,
        "files": package.files,
        "reservations": package.reservations.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
