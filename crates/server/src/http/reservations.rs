//! Reservations: who holds what, who waits, and how that changes.

use axum::Json;
use axum::http::StatusCode;
use kapell_api::{
    Ack, ErrorCode, NewReservation, Page, Problem, ReleaseReservation, RenewReservation, Reservation,
};
use kapell_core::{Command, InLine, ReservationRef, Reservations};
use kapell_model::{AgentId, Name, ReservationId, Span, TaskId, WaitId, limits};
use serde::Deserialize;
use utoipa::IntoParams;

use super::agents::limit;
use super::door::{Asked, Body, Door, Path};
use super::problem::Refusals;
use super::{Refusal, convert, created, parse};
use crate::fleet::View;
use crate::token::Access;

/// Reservations that are looked at for one page; a page may be short, and the cursor goes on.
const EXAMINED_MAX: usize = 20_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ReservationQuery {
    /// Only those `held`, or only those `waiting`.
    state: Option<String>,
    /// Only those of this agent.
    agent: Option<String>,
    /// Only those for this task, `T-12` or its key.
    task: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

/// Where a page goes on: those that are held come first, oldest first, then those who wait.
#[derive(Clone, Copy)]
struct Cursor(ReservationRef);

impl Cursor {
    fn read(text: Option<&str>) -> Result<Self, Problem> {
        let Some(text) = text else { return Ok(Self(ReservationRef::Held(ReservationId(0)))) };
        reference(text).map(Self).map_err(|_| {
            Problem::field("cursor", "an unknown cursor", "the `next_cursor` of the page before")
        })
    }
}

struct Filter {
    held: bool,
    waiting: bool,
    agent: Option<AgentId>,
    task: Option<TaskId>,
}

impl Filter {
    fn passes(&self, agent: AgentId, task: Option<TaskId>) -> bool {
        self.agent.is_none_or(|wanted| wanted == agent) && self.task.is_none_or(|wanted| task == Some(wanted))
    }
}

/// Lists what is held, oldest first, and then who waits, oldest first.
#[utoipa::path(get, path = "/v1/reservations", params(ReservationQuery), tag = "reservations",
    responses((status = 200, body = Page<Reservation>), Refusals))]
pub(super) async fn list(
    door: Door,
    Asked(query): Asked<ReservationQuery>,
) -> Result<Json<Page<Reservation>>, Refusal> {
    let (held, waiting) = match query.state.as_deref() {
        None => (true, true),
        Some("held") => (true, false),
        Some("waiting") => (false, true),
        Some(other) => {
            let given = format!("`{}`", other.escape_default().take(100).collect::<String>());
            return Err(Problem::field("state", given, "held, waiting").into());
        }
    };
    let (limit, from) = (limit(query.limit)?, Cursor::read(query.cursor.as_deref())?);
    let agent = query.agent.as_deref().map(|agent| parse::name("agent", agent)).transpose()?;
    let task = query.task.as_deref().map(|task| parse::task("task", task)).transpose()?;
    let found = door.app.fleet.query(move |view| -> Result<Page<Reservation>, Problem> {
        let agent = agent.map(|name| {
            view.state.agent_id(name.as_str()).ok_or_else(|| super::agents::unknown(name.as_str()))
        });
        let task = task.map(|task| {
            view.state
                .task_id(&task)
                .ok_or_else(|| Problem::new(ErrorCode::NotFound, "there is no such task"))
        });
        let filter = Filter { held, waiting, agent: agent.transpose()?, task: task.transpose()? };
        Ok(page(view, &filter, from, limit))
    });
    Ok(Json(found.await??))
}

fn page(view: &View<'_>, filter: &Filter, Cursor(from): Cursor, limit: usize) -> Page<Reservation> {
    let reservations: &Reservations = view.state.reservations();
    let (first_held, first_wait) = match from {
        ReservationRef::Held(id) => (id, WaitId(0)),
        ReservationRef::Waiting(id) => (ReservationId(u64::MAX), id),
    };
    let held = reservations.held_from(first_held).filter(|_| filter.held);
    let held = held.map(|it| (ReservationRef::Held(it.id), it.agent, it.task));
    let waiting = reservations.waiting_from(first_wait).filter(|_| filter.waiting);
    let waiting = waiting.map(|it| (ReservationRef::Waiting(it.id), it.agent, it.task));
    let mut items = Vec::new();
    for (examined, (id, agent, task)) in held.chain(waiting).enumerate() {
        if items.len() == limit || examined == EXAMINED_MAX {
            return Page { items, next_cursor: Some(shown(id)) };
        }
        if filter.passes(agent, task) {
            items.extend(convert::reservation(view, id));
        }
    }
    Page { items, next_cursor: None }
}

fn shown(id: ReservationRef) -> String {
    match id {
        ReservationRef::Held(id) => id.to_string(),
        ReservationRef::Waiting(id) => id.to_string(),
    }
}

/// Shows a reservation or a place in line. A place in line whose turn has come is shown as what it has become.
#[utoipa::path(get, path = "/v1/reservations/{reservation}", tag = "reservations",
    params(("reservation" = String, Path, description = "R-7 or W-3")),
    responses((status = 200, body = Reservation), Refusals))]
pub(super) async fn show(door: Door, Path(reservation): Path<String>) -> Result<Json<Reservation>, Refusal> {
    let id = reference(&reservation)?;
    let found = door.app.fleet.query(move |view| convert::reservation(view, id));
    let ended = || {
        let detail = format!("there is no reservation or place in line {reservation}, or it has ended");
        Problem::new(ErrorCode::NotFound, detail).hint("`kapell reserve list` shows who holds what")
    };
    Ok(Json(found.await?.ok_or_else(ended)?))
}

/// Reserves resources, all of them or none. Where something is held the answer is `resource_held` with the holder, or with
/// `wait` a place in line.
#[utoipa::path(post, path = "/v1/reservations", request_body = NewReservation, tag = "reservations",
    params(("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused")),
    responses((status = 201, body = Ack), Refusals))]
pub(super) async fn reserve(
    door: Door,
    body: Body<NewReservation>,
) -> Result<(StatusCode, Json<Ack>), Refusal> {
    let (agent, command) = asked(&door, &body.value)?;
    let Json(ack) = door.acknowledged(body.fingerprint, Some(agent), command).await?;
    Ok(created(ack))
}

/// Begins the lease of a reservation anew. For its holder, and managers.
#[utoipa::path(post, path = "/v1/reservations/{reservation}/renew", request_body = RenewReservation,
    params(("reservation" = String, Path, description = "R-7")), tag = "reservations",
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn renew(
    door: Door,
    Path(reservation): Path<String>,
    body: Body<RenewReservation>,
) -> Result<Json<Ack>, Refusal> {
    let (agent, command) = renewed(&door, Some(&reservation), &body.value)?;
    door.acknowledged(body.fingerprint, agent, command).await
}

/// Releases a reservation, or leaves the line. For its holder; for managers by force, with a reason.
#[utoipa::path(post, path = "/v1/reservations/{reservation}/release", request_body = ReleaseReservation,
    params(("reservation" = String, Path, description = "R-7 or W-3")), tag = "reservations",
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn release(
    door: Door,
    Path(reservation): Path<String>,
    body: Body<ReleaseReservation>,
) -> Result<Json<Ack>, Refusal> {
    let (agent, command) = released(&door, Some(&reservation), &body.value)?;
    door.acknowledged(body.fingerprint, agent, command).await
}

/// Reads a request for resources; the caller may speak for its agent.
pub(super) fn asked(door: &Door, body: &NewReservation) -> Result<(Name, Command), Problem> {
    let agent = parse::name("agent", &body.agent)?;
    door.speak_for(&agent)?;
    if let Some(span) = body.wait_ms.filter(|_| !body.wait) {
        return Err(Problem::field("wait_ms", span.to_string(), "absent without `wait`"));
    }
    let line = if body.wait { InLine::For(body.wait_ms.map(Span)) } else { InLine::Refused };
    let command = Command::Reserve {
        agent: agent.clone(),
        task: body.task.as_deref().map(|task| parse::task("task", task)).transpose()?,
        needs: parse::needs(&body.resources)?.into(),
        ttl: body.ttl_ms.map(Span),
        line,
    };
    Ok((agent, command))
}

/// Reads a renewal.
pub(super) fn renewed(
    door: &Door,
    path: Option<&str>,
    body: &RenewReservation,
) -> Result<(Option<Name>, Command), Problem> {
    let reservation = match named(path, body.reservation.as_deref())? {
        ReservationRef::Held(id) => id,
        ReservationRef::Waiting(id) => {
            return Err(Problem::field("reservation", format!("`{id}`, which waits"), "an id such as R-7"));
        }
    };
    let agent = speaker(door, body.agent.as_deref())?;
    Ok((agent.clone(), Command::RenewReservation { reservation, agent, ttl: body.ttl_ms.map(Span) }))
}

/// Reads a release.
pub(super) fn released(
    door: &Door,
    path: Option<&str>,
    body: &ReleaseReservation,
) -> Result<(Option<Name>, Command), Problem> {
    let reservation = named(path, body.reservation.as_deref())?;
    let agent = speaker(door, body.agent.as_deref())?;
    let reason = body.reason.as_deref();
    let reason = reason.map(|reason| parse::filled("reason", reason, limits::NOTE_BYTES_MAX)).transpose()?;
    Ok((agent.clone(), Command::ReleaseReservation { reservation, agent, reason }))
}

/// Returns whom the caller speaks for: the agent that it names, else its own; a manager may speak for nobody.
pub(super) fn speaker(door: &Door, agent: Option<&str>) -> Result<Option<Name>, Problem> {
    match agent {
        Some(agent) => {
            let agent = parse::name("agent", agent)?;
            door.speak_for(&agent)?;
            Ok(Some(agent))
        }
        None if door.caller.agent.is_some() => Ok(door.caller.agent.clone()),
        None => door.require(Access::Manager).map(|()| None),
    }
}

fn named(path: Option<&str>, own: Option<&str>) -> Result<ReservationRef, Problem> {
    match (path, own) {
        (Some(path), Some(own)) if path != own => {
            let given = format!("`{}`", own.escape_default().take(100).collect::<String>());
            Err(Problem::field("reservation", given, "the reservation of the path"))
        }
        (Some(text), _) | (None, Some(text)) => reference(text),
        (None, None) => Err(Problem::field("reservation", "missing", "an id such as R-7 or W-3")),
    }
}

fn reference(text: &str) -> Result<ReservationRef, Problem> {
    let held = text.parse().map(ReservationRef::Held);
    held.or_else(|_| text.parse().map(ReservationRef::Waiting)).map_err(|_| {
        let given = format!("`{}`", text.escape_default().take(100).collect::<String>());
        Problem::field("reservation", given, "an id such as R-7 or W-3")
    })
}
