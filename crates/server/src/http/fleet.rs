//! The fleet as a whole: health, status, policy, projects, offers, escalations.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use kapell_api::{
    Ack, BrokenEdge, Decision, ErrorCode, Escalation, Health, Monitor, NewProject, Offer, Page, Policy,
    Problem, Project, Status,
};
use kapell_core::{Command, OfferState};
use kapell_model::{Priority, limits};
use serde::Deserialize;
use utoipa::IntoParams;

use super::agents::{cursor, limit};
use super::door::{Asked, AtQuery, Body, Door, Path};
use super::orchestration;
use super::problem::Refusals;
use super::{App, Refusal, convert, created, parse};
use crate::fleet::{Refused, View};
use crate::token::Access;

/// Escalations that are looked at for one page.
const EXAMINED_MAX: usize = 20_000;

/// Tells whether the server serves: `busy` where the log has not been written for some seconds. Open to everybody.
#[utoipa::path(get, path = "/v1/health", tag = "fleet", security(()), responses((status = 200, body = Health), Refusals))]
pub(super) async fn health(State(app): State<App>) -> Result<Json<Health>, Refusal> {
    if let Some(since) = app.fleet.admission.stuck() {
        return Err(Refused::Stuck { since }.into());
    }
    Ok(Json(Health {
        status: "ok".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        durable_position: app.fleet.durable().0,
    }))
}

/// Explains an error code, as Markdown. Open to everybody.
#[utoipa::path(get, path = "/v1/errors/{code}", tag = "fleet", security(()),
    params(("code" = String, Path, description = "the code")),
    responses((status = 200, body = String, content_type = "text/markdown"), Refusals))]
pub(super) async fn error_page(Path(code): Path<String>) -> Result<impl IntoResponse, Refusal> {
    let found = ErrorCode::ALL.iter().find(|known| known.as_str() == code);
    let page = found.ok_or_else(|| Problem::new(ErrorCode::NotFound, "there is no such error code"))?.page();
    Ok(([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], page))
}

/// Returns the fleet in numbers.
#[utoipa::path(get, path = "/v1/status", params(AtQuery), tag = "fleet", responses((status = 200, body = Status), Refusals))]
pub(super) async fn status(door: Door, Asked(query): Asked<AtQuery>) -> Result<Json<Status>, Refusal> {
    let mut status = door.view(query.at.as_deref(), in_numbers).await?;
    if query.at.is_none() {
        status.webhooks_stuck = super::webhooks::stuck(&door.app);
    }
    Ok(Json(status))
}

pub(super) fn in_numbers(view: &View<'_>) -> Status {
    let state = view.state;
    Status {
        at: convert::time(view.now),
        position: state.position().0,
        tasks: convert::totals(state.counts()),
        stalled: u32::try_from(state.stalled()).unwrap_or(u32::MAX),
        agents: orchestration::totals(state),
        projects: state.projects().values().map(convert::project).collect(),
        offers_open: state.open_offers(),
        escalations_open: u32::try_from(state.open_escalations()).unwrap_or(u32::MAX),
        escalations_overdue: u32::try_from(state.overdue_escalations(view.now)).unwrap_or(u32::MAX),
        health: orchestration::health(view),
        policy_version: state.policy_version(),
        monitors: monitors(view),
        cost: super::budgets::totals(view),
        webhooks_stuck: Vec::new(),
    }
}

/// Returns the policy.
#[utoipa::path(get, path = "/v1/policy", tag = "fleet", responses((status = 200, body = Policy), Refusals))]
pub(super) async fn policy(door: Door) -> Result<Json<Policy>, Refusal> {
    let policy =
        door.app.fleet.query(|view| convert::policy(view.state.policy(), view.state.policy_version()));
    Ok(Json(policy.await?))
}

/// Sets the policy for what is decided later. With a `version`, only where that is still the present one.
#[utoipa::path(put, path = "/v1/policy", request_body = Policy, tag = "fleet",
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn set_policy(door: Door, body: Body<Policy>) -> Result<Json<Ack>, Refusal> {
    door.require(Access::Manager)?;
    let command = Command::SetPolicy(parse::policy(&body.value)?);
    door.acknowledged(body.fingerprint, None, command).await
}

fn monitors(view: &View<'_>) -> Vec<Monitor> {
    let policy = view.state.policy();
    let next = Some(convert::time(view.workload.next())).filter(|_| policy.balancing.moves_max > 0);
    vec![
        Monitor { name: "task".to_owned(), period_ms: crate::writer::task_period(policy).0, next: None },
        Monitor { name: "workload".to_owned(), period_ms: policy.balancing.period.0, next },
    ]
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// Only those in this state, such as `open`.
    state: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

impl PageQuery {
    /// Returns the page of what `all` yields, after the state filter.
    pub(super) fn page<T>(&self, all: impl Iterator<Item = (&'static str, T)>) -> Result<Page<T>, Problem> {
        let (from, limit) = (cursor(self.cursor.as_deref())?, limit(self.limit)?);
        let wanted = |state: &str| self.state.as_deref().is_none_or(|wanted| wanted == state);
        let mut items = all.enumerate().skip(from).filter(|(_, (state, _))| wanted(state)).peekable();
        let mut page = Vec::new();
        while page.len() < limit {
            match items.next() {
                Some((_, (_, item))) => page.push(item),
                None => break,
            }
        }
        Ok(Page { items: page, next_cursor: items.peek().map(|(index, _)| index.to_string()) })
    }

    pub(super) fn check_state(&self, allowed: &[&str]) -> Result<(), Problem> {
        match &self.state {
            Some(state) if !allowed.contains(&state.as_str()) => {
                let given = format!("`{}`", state.escape_default().take(100).collect::<String>());
                Err(Problem::field("state", given, allowed.join(", ")))
            }
            _ => Ok(()),
        }
    }
}

/// Lists the projects by name.
#[utoipa::path(get, path = "/v1/projects", params(PageQuery), tag = "fleet",
    responses((status = 200, body = Page<Project>), Refusals))]
pub(super) async fn projects(
    door: Door,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Page<Project>>, Refusal> {
    query.check_state(&["open"])?;
    let page = door.app.fleet.query(move |view| {
        query.page(view.state.projects().values().map(|project| ("open", convert::project(project))))
    });
    Ok(Json(page.await??))
}

/// Makes a project.
#[utoipa::path(post, path = "/v1/projects", request_body = NewProject, tag = "fleet",
    params(("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused")),
    responses((status = 201, body = Ack), Refusals))]
pub(super) async fn create_project(
    door: Door,
    body: Body<NewProject>,
) -> Result<(StatusCode, Json<Ack>), Refusal> {
    door.require(Access::Manager)?;
    let command = Command::CreateProject(parse::project(&body.value)?);
    let Json(ack) = door.acknowledged(body.fingerprint, None, command).await?;
    Ok(created(ack))
}

/// Lists the late results in the order in which they came.
#[utoipa::path(get, path = "/v1/offers", params(PageQuery), tag = "fleet",
    responses((status = 200, body = Page<Offer>), Refusals))]
pub(super) async fn offers(door: Door, Asked(query): Asked<PageQuery>) -> Result<Json<Page<Offer>>, Refusal> {
    query.check_state(&["open", "accepted", "declined"])?;
    let page = door.app.fleet.query(move |view| {
        let shown = |offer| convert::offer(view.state, offer);
        query.page(view.state.offers().iter().map(|offer| (offer.state.as_str(), shown(offer))))
    });
    Ok(Json(page.await??))
}

/// Makes a late result the task's result. For managers, and the task's present owner.
#[utoipa::path(post, path = "/v1/offers/{offer}/accept", request_body = Decision, tag = "fleet",
    params(("offer" = String, Path, description = "O-5")),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn accept_offer(
    door: Door,
    Path(offer): Path<String>,
    body: Body<Decision>,
) -> Result<Json<Ack>, Refusal> {
    let offer = may_settle(&door, &offer).await?;
    door.acknowledged(body.fingerprint, None, Command::AcceptOffer { offer }).await
}

/// Puts a late result away. For managers, and the task's present owner.
#[utoipa::path(post, path = "/v1/offers/{offer}/decline", request_body = Decision, tag = "fleet",
    params(("offer" = String, Path, description = "O-5")),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn decline_offer(
    door: Door,
    Path(offer): Path<String>,
    body: Body<Decision>,
) -> Result<Json<Ack>, Refusal> {
    let offer = may_settle(&door, &offer).await?;
    let reason = parse::text("note", &body.value.note, limits::NOTE_BYTES_MAX)?;
    door.acknowledged(body.fingerprint, None, Command::DeclineOffer { offer, reason }).await
}

async fn may_settle(door: &Door, offer: &str) -> Result<kapell_model::OfferId, Refusal> {
    let unknown = || Problem::new(ErrorCode::NotFound, "there is no such offer; offers are named O-5");
    let id: kapell_model::OfferId = offer.parse().map_err(|_| unknown())?;
    if door.caller.access <= Access::Manager {
        return Ok(id);
    }
    let own = door.caller.agent.clone();
    let owner = door.app.fleet.query(move |view| {
        let offer = view.state.offer(id).filter(|offer| offer.state == OfferState::Open)?;
        let owner = view.state.task(offer.task).owner.as_ref()?;
        Some(view.state.agent(owner.agent).spec.name.clone())
    });
    if own.is_some() && owner.await? == own {
        return Ok(id);
    }
    let detail = "a late result is decided about by a manager or the task's present owner";
    Err(Problem::new(ErrorCode::Forbidden, detail).into())
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct EscalationQuery {
    /// Only those that are `open`, `settled`, or `overdue`: open past their ack time.
    state: Option<String>,
    /// Only those for this role, such as `agent_manager`.
    role: Option<String>,
    /// Only those of this severity: `critical`, `high`, `medium` or `low`.
    severity: Option<String>,
    /// Only those about this: T-12, an agent's or project's name, a resource as it is written, or `fleet`.
    about: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

/// Lists the escalations in the order in which they were raised.
#[utoipa::path(get, path = "/v1/escalations", params(EscalationQuery), tag = "fleet",
    responses((status = 200, body = Page<Escalation>), Refusals))]
pub(super) async fn escalations(
    door: Door,
    Asked(query): Asked<EscalationQuery>,
) -> Result<Json<Page<Escalation>>, Refusal> {
    allowed("state", query.state.as_deref(), &["open", "settled", "overdue"])?;
    let severities: Vec<&str> = Priority::ALL.iter().map(|priority| priority.as_str()).collect();
    allowed("severity", query.severity.as_deref(), &severities)?;
    let (from, limit) = (cursor(query.cursor.as_deref())?, limit(query.limit)?);
    let page = door.app.fleet.query(move |view| {
        let rows = view.state.escalations().iter().enumerate().skip(from).take(EXAMINED_MAX);
        let (mut items, mut next) = (Vec::new(), from);
        for (index, escalation) in rows {
            if items.len() == limit {
                break;
            }
            next = index + 1;
            let shown = convert::escalation(view, escalation);
            if query.passes(&shown) {
                items.push(shown);
            }
        }
        let more = next < view.state.escalations().len();
        Page { items, next_cursor: more.then(|| next.to_string()) }
    });
    Ok(Json(page.await?))
}

impl EscalationQuery {
    fn passes(&self, escalation: &Escalation) -> bool {
        let state = match self.state.as_deref() {
            Some("overdue") => escalation.overdue,
            Some(state) => state == escalation.state,
            None => true,
        };
        let is =
            |wanted: &Option<String>, given: &str| wanted.as_deref().is_none_or(|wanted| wanted == given);
        state
            && is(&self.role, &escalation.role)
            && is(&self.severity, &escalation.severity)
            && is(&self.about, escalation.about().unwrap_or("fleet"))
    }
}

fn allowed(field: &str, given: Option<&str>, allowed: &[&str]) -> Result<(), Problem> {
    match given {
        Some(given) if !allowed.contains(&given) => {
            let given = format!("`{}`", given.escape_default().take(100).collect::<String>());
            Err(Problem::field(field, given, allowed.join(", ")))
        }
        _ => Ok(()),
    }
}

/// Lists the edges that were taken out of cycles, or kept out of them, oldest first.
#[utoipa::path(get, path = "/v1/cycles", params(PageQuery), tag = "fleet",
    responses((status = 200, body = Page<BrokenEdge>), Refusals))]
pub(super) async fn cycles(
    door: Door,
    Asked(query): Asked<PageQuery>,
) -> Result<Json<Page<BrokenEdge>>, Refusal> {
    query.check_state(&["broken", "kept_out", "restored"])?;
    let page = door.app.fleet.query(move |view| {
        let broken = view.state.broken_edges();
        query.page(broken.map(|broken| (broken.state(), convert::broken_edge(broken))))
    });
    Ok(Json(page.await??))
}
