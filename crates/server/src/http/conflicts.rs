//! Conflicts: listed, shown, and decisions from their opening to their end.

use std::collections::BTreeSet;

use axum::Json;
use axum::http::StatusCode;
use kapell_api::{
    Ack, Conflict, ErrorCode, NewAssertion, NewDecision, NewDispute, NewOrder, NewProposal, NewRuling, Order,
    OrderTakenBack, Page, Problem, Withdrawal,
};
use kapell_core::{Command, ConflictKind, ConflictState};
use kapell_model::{AgentId, ConflictId, Priority, TaskId, limits};
use serde::Deserialize;
use utoipa::IntoParams;

use super::agents::{cursor, limit};
use super::door::{Asked, Body, Door, Path};
use super::pages::ListQuery;
use super::problem::Refusals;
use super::reservations::speaker;
use super::{Refusal, created, disagreement, parse};
use crate::fleet::View;

/// Conflicts that are looked at for one page; a page may be short, and the cursor goes on.
const EXAMINED_MAX: usize = 20_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ConflictQuery {
    /// Only those that are `open`, `escalated`, `resolved`, `withdrawn`, or `unsettled`: open or escalated.
    state: Option<String>,
    /// Only `resource_contention`, `task_dispute`, `decision_conflict` or `priority_conflict`.
    kind: Option<String>,
    /// Only those that this agent is a party of.
    agent: Option<String>,
    /// Only those about this task, `T-12` or its key.
    task: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

struct Filter {
    states: Vec<ConflictState>,
    kind: Option<ConflictKind>,
    agent: Option<AgentId>,
    task: Option<TaskId>,
}

impl Filter {
    fn passes(&self, conflict: &kapell_core::Conflict) -> bool {
        self.states.contains(&conflict.state)
            && self.kind.is_none_or(|kind| kind == conflict.kind())
            && self.agent.is_none_or(|agent| conflict.parties.contains(&agent))
            && self.task.is_none_or(|task| conflict.tasks.contains(&task))
    }
}

fn states(text: Option<&str>) -> Result<Vec<ConflictState>, Problem> {
    match text {
        None => Ok(ConflictState::ALL.to_vec()),
        Some("unsettled") => Ok(vec![ConflictState::Open, ConflictState::Escalated]),
        Some(text) => ConflictState::parse(text).map(|state| vec![state]).ok_or_else(|| {
            let given = format!("`{}`", text.escape_default().take(100).collect::<String>());
            Problem::field("state", given, "open, escalated, resolved, withdrawn, unsettled")
        }),
    }
}

/// Lists the conflicts of all kinds in the order in which they were opened.
#[utoipa::path(get, path = "/v1/conflicts", params(ConflictQuery), tag = "conflicts",
    responses((status = 200, body = Page<Conflict>), Refusals))]
pub(super) async fn list(
    door: Door,
    Asked(query): Asked<ConflictQuery>,
) -> Result<Json<Page<Conflict>>, Refusal> {
    let states = states(query.state.as_deref())?;
    let kind = query
        .kind
        .as_deref()
        .map(|kind| parse::word("kind", kind, ConflictKind::ALL, ConflictKind::parse, ConflictKind::as_str));
    let kind = kind.transpose()?;
    let agent = query.agent.as_deref().map(|agent| parse::name("agent", agent)).transpose()?;
    let task = query.task.as_deref().map(|task| parse::task("task", task)).transpose()?;
    let (from, limit) = (cursor(query.cursor.as_deref())?, limit(query.limit)?);
    let found = door.app.fleet.query(move |view| -> Result<Page<Conflict>, Problem> {
        let agent = agent.map(|name| {
            view.state.agent_id(name.as_str()).ok_or_else(|| super::agents::unknown(name.as_str()))
        });
        let task = task.map(|task| {
            let no_task = || Problem::new(ErrorCode::NotFound, "there is no such task");
            view.state.task_id(&task).ok_or_else(no_task)
        });
        let filter = Filter { states, kind, agent: agent.transpose()?, task: task.transpose()? };
        Ok(page(view, &filter, from, limit))
    });
    Ok(Json(found.await??))
}

fn page(view: &View<'_>, filter: &Filter, from: usize, limit: usize) -> Page<Conflict> {
    let (mut items, mut next) = (Vec::new(), from);
    for conflict in view.state.conflicts().skip(from).take(EXAMINED_MAX) {
        if items.len() == limit {
            break;
        }
        next += 1;
        if filter.passes(conflict) {
            items.push(disagreement::conflict(view, conflict));
        }
    }
    let more = next < view.state.conflicts().len();
    Page { items, next_cursor: more.then(|| next.to_string()) }
}

/// Shows a conflict: its parties, how it stands, and how it was ruled, with the numbers.
#[utoipa::path(get, path = "/v1/conflicts/{conflict}", tag = "conflicts",
    params(("conflict" = String, Path, description = "C-4")),
    responses((status = 200, body = Conflict), Refusals))]
pub(super) async fn show(door: Door, Path(conflict): Path<String>) -> Result<Json<Conflict>, Refusal> {
    let id = named(&conflict)?;
    let found = door
        .app
        .fleet
        .query(move |view| view.state.conflict(id).map(|conflict| disagreement::conflict(view, conflict)));
    Ok(Json(found.await?.ok_or_else(unknown)?))
}

/// Opens a decision. It is made by the tally as soon as that may decide, else by the architect or a person.
#[utoipa::path(post, path = "/v1/decisions", request_body = NewDecision, tag = "conflicts",
    params(("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused")),
    responses((status = 201, body = Ack), Refusals))]
pub(super) async fn open(door: Door, body: Body<NewDecision>) -> Result<(StatusCode, Json<Ack>), Refusal> {
    let agent = speaker(&door, body.value.agent.as_deref())?;
    let decision = parse::decision(&body.value, agent.clone())?;
    let command = Command::OpenDecision(Box::new(decision));
    let Json(ack) = door.acknowledged(body.fingerprint, agent, command).await?;
    Ok(created(ack))
}

/// Proposes an option.
#[utoipa::path(post, path = "/v1/conflicts/{conflict}/proposals", request_body = NewProposal, tag = "conflicts",
    params(("conflict" = String, Path, description = "C-4")),
    responses((status = 201, body = Ack), Refusals))]
pub(super) async fn propose(
    door: Door,
    Path(conflict): Path<String>,
    body: Body<NewProposal>,
) -> Result<(StatusCode, Json<Ack>), Refusal> {
    let proposal = parse::proposal(named(&conflict)?, &body.value)?;
    door.speak_for(&proposal.agent)?;
    let agent = Some(proposal.agent.clone());
    let Json(ack) = door.acknowledged(body.fingerprint, agent, Command::Propose(Box::new(proposal))).await?;
    Ok(created(ack))
}

/// Rules on a decision; the word is binding. For agents of the role `architect`, people, and managers.
#[utoipa::path(post, path = "/v1/conflicts/{conflict}/rule", request_body = NewRuling, tag = "conflicts",
    params(("conflict" = String, Path, description = "C-4")),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn rule(
    door: Door,
    Path(conflict): Path<String>,
    body: Body<NewRuling>,
) -> Result<Json<Ack>, Refusal> {
    let conflict = named(&conflict)?;
    let agent = speaker(&door, body.value.agent.as_deref())?;
    let option = body.value.option.as_deref();
    let option =
        option.map(|option| parse::filled("option", option, limits::OPTION_BYTES_MAX)).transpose()?;
    let reason = parse::filled("reason", &body.value.reason, limits::NOTE_BYTES_MAX)?;
    let command = Command::Rule { conflict, agent: agent.clone(), option, reason };
    door.acknowledged(body.fingerprint, agent, command).await
}

/// Takes a decision back that nobody has made; what waits for it goes on. For who opened it, and managers.
#[utoipa::path(post, path = "/v1/conflicts/{conflict}/withdraw", request_body = Withdrawal, tag = "conflicts",
    params(("conflict" = String, Path, description = "C-4")),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn withdraw(
    door: Door,
    Path(conflict): Path<String>,
    body: Body<Withdrawal>,
) -> Result<Json<Ack>, Refusal> {
    let conflict = named(&conflict)?;
    let agent = speaker(&door, body.value.agent.as_deref())?;
    let reason = parse::filled("reason", &body.value.reason, limits::NOTE_BYTES_MAX)?;
    let command = Command::WithdrawConflict { conflict, agent: agent.clone(), reason };
    door.acknowledged(body.fingerprint, agent, command).await
}

/// Says that an owned task is one's own. It is ruled at once: the answer names the owner and the conflict.
#[utoipa::path(post, path = "/v1/tasks/{task}/dispute", request_body = NewDispute, tag = "conflicts",
    params(("task" = String, Path, description = "T-12 or its key")),
    responses((status = 201, body = Ack), Refusals))]
pub(super) async fn dispute(
    door: Door,
    Path(task): Path<String>,
    body: Body<NewDispute>,
) -> Result<(StatusCode, Json<Ack>), Refusal> {
    let task = parse::task("task", &task)?;
    let agent = parse::name("agent", &body.value.agent)?;
    let against = body.value.against.as_deref().map(|name| parse::name("against", name)).transpose()?;
    let reason = parse::filled("reason", &body.value.reason, limits::NOTE_BYTES_MAX)?;
    door.speak_for(&agent)?;
    let command = Command::FileDispute { task, agent: agent.clone(), against, reason };
    let Json(ack) = door.acknowledged(body.fingerprint, Some(agent), command).await?;
    Ok(created(ack))
}

/// Says how urgent a task is. Where others say otherwise, the business impact rules at once: the answer names the conflict.
#[utoipa::path(post, path = "/v1/tasks/{task}/priority", request_body = NewAssertion, tag = "conflicts",
    params(("task" = String, Path, description = "T-12 or its key")),
    responses((status = 201, body = Ack), Refusals))]
pub(super) async fn assert_priority(
    door: Door,
    Path(task): Path<String>,
    body: Body<NewAssertion>,
) -> Result<(StatusCode, Json<Ack>), Refusal> {
    let task = parse::task("task", &task)?;
    let given = &body.value.priority;
    let priority = parse::word("priority", given, Priority::ALL, Priority::parse, Priority::as_str)?;
    let reason = parse::filled("reason", &body.value.reason, limits::NOTE_BYTES_MAX)?;
    let agent = speaker(&door, body.value.agent.as_deref())?;
    let command = Command::AssertPriority { task, agent: agent.clone(), priority, reason };
    let Json(ack) = door.acknowledged(body.fingerprint, agent, command).await?;
    Ok(created(ack))
}

/// Lists the orders of two open tasks that stand, those that were ruled among them, by what comes first.
#[utoipa::path(get, path = "/v1/orders", params(ListQuery), tag = "conflicts",
    responses((status = 200, body = Page<Order>), Refusals))]
pub(super) async fn orders(door: Door, Asked(query): Asked<ListQuery>) -> Result<Json<Page<Order>>, Refusal> {
    let page = door.app.fleet.query(move |view| {
        let pairs: BTreeSet<(TaskId, TaskId)> = view.state.orders().pairs().collect();
        let all = pairs.into_iter().map(|pair| (pair, ()));
        query.page(all, |&(first, then), ()| disagreement::order(view.state, first, then))
    });
    Ok(Json(page.await??))
}

/// Says that one task is to come before another. That holds in the queue, whatever changes, until it is taken back or one of the
/// tasks ends. Where orders contradict, the business impact rules at once: the answer names the conflict.
#[utoipa::path(post, path = "/v1/orders", request_body = NewOrder, tag = "conflicts",
    responses((status = 201, body = Ack), Refusals))]
pub(super) async fn assert_order(
    door: Door,
    body: Body<NewOrder>,
) -> Result<(StatusCode, Json<Ack>), Refusal> {
    let (first, then) = (parse::task("first", &body.value.first)?, parse::task("then", &body.value.then)?);
    let reason = parse::filled("reason", &body.value.reason, limits::NOTE_BYTES_MAX)?;
    let agent = speaker(&door, body.value.agent.as_deref())?;
    let command = Command::AssertOrder { first, then, agent: agent.clone(), reason };
    let Json(ack) = door.acknowledged(body.fingerprint, agent, command).await?;
    Ok(created(ack))
}

/// Takes an order back, and with it what it has moved. For who said so, and managers.
#[utoipa::path(post, path = "/v1/orders/drop", request_body = OrderTakenBack, tag = "conflicts",
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn drop_order(door: Door, body: Body<OrderTakenBack>) -> Result<Json<Ack>, Refusal> {
    let (first, then) = (parse::task("first", &body.value.first)?, parse::task("then", &body.value.then)?);
    let agent = speaker(&door, body.value.agent.as_deref())?;
    let command = Command::DropOrder { first, then, agent: agent.clone() };
    door.acknowledged(body.fingerprint, agent, command).await
}

fn named(text: &str) -> Result<ConflictId, Problem> {
    text.parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::new(ErrorCode::NotFound, "there is no such conflict; conflicts are named C-4")
        .hint("`kapell conflict list` shows them")
}
