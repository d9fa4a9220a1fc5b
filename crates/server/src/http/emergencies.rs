//! Emergencies and task forces: listed, shown, begun and ended.

use axum::Json;
use axum::http::StatusCode;
use kapell_api as api;
use kapell_api::{Ack, ErrorCode, Page, Problem};
use kapell_core::{
    Action, ActionTaken, Command, Emergency, EmergencyKind, EmergencyState, Force, Scope, State, Task,
};
use kapell_model::{AgentId, EmergencyId, ForceId, limits};
use serde::Deserialize;
use utoipa::IntoParams;

use super::agents::{cursor, limit};
use super::convert::time;
use super::door::{Asked, Body, Door, Path};
use super::problem::Refusals;
use super::{Refusal, created, parse};
use crate::fleet::View;
use crate::token::Access;

/// Rows that are looked at for one page; a page may be short, and the cursor goes on.
const EXAMINED_MAX: usize = 20_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct EmergencyQuery {
    /// Only those that are `open`, `ending`, `ended`, or `unsettled`: open or ending.
    state: Option<String>,
    /// Only `agent_cascade_failure`, `critical_task_failure` or `deadline_risk`.
    kind: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

/// Lists the emergencies in the order in which they were declared.
#[utoipa::path(get, path = "/v1/emergencies", params(EmergencyQuery), tag = "emergencies",
    responses((status = 200, body = Page<api::Emergency>), Refusals))]
pub(super) async fn list(
    door: Door,
    Asked(query): Asked<EmergencyQuery>,
) -> Result<Json<Page<api::Emergency>>, Refusal> {
    let states = states(query.state.as_deref())?;
    let kind = query.kind.as_deref().map(|kind| self::kind("kind", kind)).transpose()?;
    let (from, limit) = (cursor(query.cursor.as_deref())?, limit(query.limit)?);
    let page = door.app.fleet.query(move |view| {
        let (all, mut items, mut next) = (&view.state.emergencies().all, Vec::new(), from);
        for emergency in all.skip(from).take(EXAMINED_MAX) {
            if items.len() == limit {
                break;
            }
            next += 1;
            if states.contains(&emergency.state) && kind.is_none_or(|kind| kind == emergency.kind) {
                items.push(shown(view, emergency));
            }
        }
        Page { items, next_cursor: (next < all.len()).then(|| next.to_string()) }
    });
    Ok(Json(page.await?))
}

fn states(text: Option<&str>) -> Result<Vec<EmergencyState>, Problem> {
    match text {
        None => Ok(EmergencyState::ALL.to_vec()),
        Some("unsettled") => Ok(vec![EmergencyState::Open, EmergencyState::Ending]),
        Some(text) => EmergencyState::parse(text).map(|state| vec![state]).ok_or_else(|| {
            let given = format!("`{}`", text.escape_default().take(100).collect::<String>());
            Problem::field("state", given, "open, ending, ended, unsettled")
        }),
    }
}

fn kind(field: &str, text: &str) -> Result<EmergencyKind, Problem> {
    parse::word(field, text, EmergencyKind::ALL, EmergencyKind::parse, EmergencyKind::as_str)
}

/// Shows an emergency, with what was done about it.
#[utoipa::path(get, path = "/v1/emergencies/{emergency}", tag = "emergencies",
    params(("emergency" = String, Path, description = "X-2")),
    responses((status = 200, body = api::Emergency), Refusals))]
pub(super) async fn show(door: Door, Path(emergency): Path<String>) -> Result<Json<api::Emergency>, Refusal> {
    let id = named(&emergency)?;
    let found =
        door.app.fleet.query(move |view| view.state.emergencies().all.get(id).map(|it| shown(view, it)));
    Ok(Json(found.await?.ok_or_else(unknown)?))
}

/// Declares an emergency. What is done about it is done at once, and undone or confirmed when it ends. For managers.
#[utoipa::path(post, path = "/v1/emergencies", request_body = api::NewEmergency, tag = "emergencies",
    params(("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused")),
    responses((status = 201, body = Ack), Refusals))]
pub(super) async fn declare(
    door: Door,
    body: Body<api::NewEmergency>,
) -> Result<(StatusCode, Json<Ack>), Refusal> {
    door.require(Access::Manager)?;
    let new = parse::emergency(&body.value)?;
    let command = Command::DeclareEmergency(Box::new(new));
    let Json(ack) = door.acknowledged(body.fingerprint, None, command).await?;
    Ok(created(ack))
}

/// Ends an emergency: what was done about it is undone. For managers.
#[utoipa::path(post, path = "/v1/emergencies/{emergency}/end", request_body = api::Ending, tag = "emergencies",
    params(("emergency" = String, Path, description = "X-2")),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn end(
    door: Door,
    Path(emergency): Path<String>,
    body: Body<api::Ending>,
) -> Result<Json<Ack>, Refusal> {
    door.require(Access::Manager)?;
    let emergency = named(&emergency)?;
    let reason = parse::filled("reason", &body.value.reason, limits::NOTE_BYTES_MAX)?;
    door.acknowledged(body.fingerprint, None, Command::EndEmergency { emergency, reason }).await
}

fn named(text: &str) -> Result<EmergencyId, Problem> {
    text.parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::new(ErrorCode::NotFound, "there is no such emergency; emergencies are named X-2")
        .hint("`kapell emergency list` shows them")
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ForceQuery {
    /// Only those that are `at_work` or `disbanded`.
    state: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

/// Lists the task forces in the order in which they were made.
#[utoipa::path(get, path = "/v1/forces", params(ForceQuery), tag = "emergencies",
    responses((status = 200, body = Page<api::TaskForce>), Refusals))]
pub(super) async fn forces(
    door: Door,
    Asked(query): Asked<ForceQuery>,
) -> Result<Json<Page<api::TaskForce>>, Refusal> {
    let at_work = match query.state.as_deref() {
        None => None,
        Some("at_work") => Some(true),
        Some("disbanded") => Some(false),
        Some(text) => {
            let given = format!("`{}`", text.escape_default().take(100).collect::<String>());
            return Err(Problem::field("state", given, "at_work, disbanded").into());
        }
    };
    let (from, limit) = (cursor(query.cursor.as_deref())?, limit(query.limit)?);
    let page = door.app.fleet.query(move |view| {
        let (all, mut items, mut next) = (&view.state.forces().all, Vec::new(), from);
        for force in all.skip(from).take(EXAMINED_MAX) {
            if items.len() == limit {
                break;
            }
            next += 1;
            if at_work.is_none_or(|at_work| at_work == force.disbanded.is_none()) {
                items.push(shown_force(view.state, force));
            }
        }
        Page { items, next_cursor: (next < all.len()).then(|| next.to_string()) }
    });
    Ok(Json(page.await?))
}

/// Shows a task force: who is in it, who answers for what, and how far it is.
#[utoipa::path(get, path = "/v1/forces/{force}", tag = "emergencies",
    params(("force" = String, Path, description = "F-2")),
    responses((status = 200, body = api::TaskForce), Refusals))]
pub(super) async fn force(door: Door, Path(force): Path<String>) -> Result<Json<api::TaskForce>, Refusal> {
    let id = named_force(&force)?;
    let found = door
        .app
        .fleet
        .query(move |view| view.state.forces().all.get(id).map(|it| shown_force(view.state, it)));
    Ok(Json(found.await?.ok_or_else(unknown_force)?))
}

/// Makes a task force: the best lead, and the smallest set of members that covers what is required. For managers.
#[utoipa::path(post, path = "/v1/forces", request_body = api::NewTaskForce, tag = "emergencies",
    params(("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused")),
    responses((status = 201, body = Ack), Refusals))]
pub(super) async fn form(
    door: Door,
    body: Body<api::NewTaskForce>,
) -> Result<(StatusCode, Json<Ack>), Refusal> {
    door.require(Access::Manager)?;
    let command = Command::FormForce(Box::new(parse::force(&body.value)?));
    let Json(ack) = door.acknowledged(body.fingerprint, None, command).await?;
    Ok(created(ack))
}

/// Disbands a task force. One that an emergency has made ends with that. For managers.
#[utoipa::path(post, path = "/v1/forces/{force}/disband", request_body = api::Ending, tag = "emergencies",
    params(("force" = String, Path, description = "F-2")),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn disband(
    door: Door,
    Path(force): Path<String>,
    body: Body<api::Ending>,
) -> Result<Json<Ack>, Refusal> {
    door.require(Access::Manager)?;
    let force = named_force(&force)?;
    let reason = parse::filled("reason", &body.value.reason, limits::NOTE_BYTES_MAX)?;
    door.acknowledged(body.fingerprint, None, Command::DisbandForce { force, reason }).await
}

fn named_force(text: &str) -> Result<ForceId, Problem> {
    text.parse().map_err(|_| unknown_force())
}

fn unknown_force() -> Problem {
    Problem::new(ErrorCode::NotFound, "there is no such task force; they are named F-2")
        .hint("`kapell force list` shows them")
}

fn name(state: &State, agent: AgentId) -> String {
    state.agent(agent).spec.name.to_string()
}

/// Shows an emergency.
pub(super) fn shown(view: &View<'_>, it: &Emergency) -> api::Emergency {
    let state = view.state;
    let late = it.scope.project().filter(|_| it.state != EmergencyState::Ended);
    let forecast = late.and_then(|project| state.forecast(project.as_str()));
    let forecast = forecast.map(|forecast| super::forecasts::shown(state, forecast));
    api::Emergency {
        path_hours: forecast.as_ref().map(|forecast| forecast.path_hours),
        slack_hours: forecast.as_ref().and_then(|forecast| forecast.slack_hours),
        path: forecast.map(|forecast| forecast.path).unwrap_or_default(),
        id: it.id.to_string(),
        kind: it.kind.as_str().to_owned(),
        state: it.state.as_str().to_owned(),
        task: it.scope.task().map(|task| task.to_string()),
        project: it.scope.project().map(ToString::to_string),
        cause: it.cause.as_str().to_owned(),
        detail: it.detail.to_string(),
        because: because(view, it),
        declared_at: time(it.at),
        position: it.position.0,
        ending_at: it.ending.as_ref().map(|(at, _)| time(*at)),
        ended_because: it.ending.as_ref().map(|(_, reason)| reason.to_string()),
        ended_at: it.ended.map(time),
        actions: (1..).zip(&it.actions).map(|(number, taken)| action(state, number, taken)).collect(),
    }
}

fn because(view: &View<'_>, it: &Emergency) -> Vec<String> {
    let state = view.state;
    let mut facts = Vec::new();
    if let Some(pause) = state.emergencies().pause().filter(|pause| pause.emergency == it.id) {
        facts.push(match pause.next {
            Some(next) => {
                format!("{} more assignments are let through until {}, then more", pause.allowed, time(next))
            }
            None => "nothing new is assigned or claimed".to_owned(),
        });
    }
    if it.state == EmergencyState::Open && it.kind == EmergencyKind::AgentCascadeFailure {
        let (online, registered) = (state.online(), state.registered());
        let constants = state.policy().emergencies;
        let since =
            it.well_since.map(|since| format!(", for {} now", view.now.since(since))).unwrap_or_default();
        facts.push(format!(
            "{online} of {registered} agents are online{since}; it ends above a share of {} for {}",
            constants.recovered_share, constants.recovered_for
        ));
    }
    let pending = it.pending().filter(|(_, action)| action.is_undone()).count();
    if it.state != EmergencyState::Ended && pending > 0 {
        facts.push(format!("{pending} of its actions are in effect and will be undone"));
    }
    facts
}

fn action(state: &State, number: u32, taken: &ActionTaken) -> api::EmergencyAction {
    let agents: Vec<AgentId> = match &taken.action {
        Action::CheckpointsAsked { agents } | Action::ReplacementsAsked { agents } => agents.clone(),
        Action::StandbyRaised { agent } | Action::OvertimeRaised { agent } => vec![*agent],
        Action::WorkMoved { from, to, .. } => vec![*from, *to],
        _ => Vec::new(),
    };
    let agents: Vec<String> = agents.into_iter().map(|agent| name(state, agent)).collect();
    api::EmergencyAction {
        number,
        action: taken.action.as_str().to_owned(),
        says: says(&taken.action, &agents),
        task: taken.action.task().map(|task| task.to_string()),
        force: match taken.action {
            Action::ForceFormed { force } => Some(force.to_string()),
            _ => None,
        },
        agents,
        at: time(taken.at),
        settled: taken.settled.map(|(_, how)| how.as_str().to_owned()),
        settled_at: taken.settled.map(|(at, _)| time(at)),
    }
}

fn says(action: &Action, agents: &[String]) -> String {
    match action {
        Action::AssignmentsPaused {} => "nothing new is assigned or claimed".to_owned(),
        Action::LeasesExtended {} => "who owns work may be silent for twice as long".to_owned(),
        Action::CheckpointsAsked { .. } => {
            format!("asked to leave the state of their work where others find it: {}", agents.join(", "))
        }
        Action::StandbyRaised { .. } => format!("{} stands by and gets work now", agents.join(", ")),
        Action::ReplacementsAsked { .. } => format!("replacements are wanted for {}", agents.join(", ")),
        Action::ForceFormed { force } => format!("task force {force} was made"),
        Action::OvertimeRaised { .. } => format!("{} may own one task more", agents.join(", ")),
        Action::WorkMoved { task, .. } => format!("{task} went from {}", agents.join(" to ")),
        Action::WorkDeferred { task } => format!("{task} is set aside"),
        Action::EdgeOffered { task, on } => {
            format!(
                "{task} waits for {on} by its text alone: `dep remove {task} {on}` shortens the longest path where that is wrong"
            )
        }
        Action::BreakdownOffered { task } => {
            format!(
                "{task} is large and on the longest path: broken down, parts of it can be done side by side"
            )
        }
        Action::CapabilityAsked { capability, saved } => {
            format!("one agent more in {capability} would save {saved}")
        }
    }
}

/// Shows a task force.
pub(super) fn shown_force(state: &State, it: &Force) -> api::TaskForce {
    let formation = &it.formation;
    let member = |&agent: &AgentId| {
        let own = formation.responsibilities.iter().filter(|(_, answers)| *answers == agent);
        api::ForceMember {
            agent: name(state, agent),
            answers_for: own.map(|(name, _)| name.to_string()).collect(),
        }
    };
    let checkpoint = |it: &kapell_core::Checkpoint| api::ForceCheckpoint {
        title: it.title.to_string(),
        wanted_percent: it.wanted,
        due: time(it.due),
        done_percent: it.found.map(|(_, done, _)| done),
        found: it.found.map(|(_, _, found)| found.as_str().to_owned()),
    };
    api::TaskForce {
        id: it.id.to_string(),
        state: if it.disbanded.is_some() { "disbanded" } else { "at_work" }.to_owned(),
        task: formation.scope.task().map(|task| task.to_string()),
        project: formation.scope.project().map(ToString::to_string),
        emergency: formation.emergency.map(|emergency| emergency.to_string()),
        lead: name(state, formation.lead),
        members: formation.members.iter().map(member).collect(),
        channel: formation.channel.as_ref().map(ToString::to_string),
        done_percent: state.force_done(it),
        checkpoints: formation.checkpoints.iter().map(checkpoint).collect(),
        formed_at: time(it.at),
        disbanded_at: it.disbanded.as_ref().map(|(at, _)| time(*at)),
        disbanded_because: it.disbanded.as_ref().map(|(_, reason)| reason.to_string()),
    }
}

/// Says in words what emergencies and task forces mean for a task.
pub(super) fn about_task(view: &View<'_>, task: &Task) -> Vec<String> {
    let state = view.state;
    let scope = Scope::Task(task.id);
    let mut facts = Vec::new();
    if let Some(emergency) = state.set_aside_by(task.id).filter(|_| task.is_open()) {
        facts.push(format!("set aside by emergency {} until that ends: {}", emergency.id, emergency.detail));
    }
    if let Some(emergency) = state.emergencies().all.of(&(EmergencyKind::CriticalTaskFailure, scope.clone()))
    {
        facts.push(format!(
            "emergency {} is {}: {}",
            emergency.id,
            emergency.state.as_str(),
            emergency.detail
        ));
    }
    if let Some(pause) = state.emergencies().pause().filter(|_| task.is_open() && task.owner.is_none()) {
        facts.push(match pause.next {
            Some(next) => format!(
                "assignments are let through little by little after emergency {}, more at {}",
                pause.emergency,
                time(next)
            ),
            None => format!("assignments are held back by emergency {}", pause.emergency),
        });
    }
    if let Some(force) = state.forces().all.of(&scope) {
        facts.push(format!(
            "task force {} works on it, led by {}",
            force.id,
            name(state, force.formation.lead)
        ));
    }
    facts
}
