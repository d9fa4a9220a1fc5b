//! What agents want leave for in the middle of their work.

use axum::Json;
use kapell_api::{
    Ack, NewPermission, NewVerdict, Page, Permission, PermissionOption, PermissionWithdrawal, Problem,
};
use kapell_core::{Command, EscalationKind, Event, OptionKind, PermissionAsk, State, Task};
use kapell_model::{AgentId, Name, PermissionId, Position, Text, limits};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::agents::limit;
use super::convert::time;
use super::door::{Asked, Body, Door, Path};
use super::problem::Refusals;
use super::{Refusal, parse};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PermissionQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

/// Lists what owners of tasks wait for leave for, by task.
#[utoipa::path(get, path = "/v1/permissions", params(PermissionQuery), tag = "gates",
    responses((status = 200, body = Page<Permission>), Refusals))]
pub(super) async fn list(
    door: Door,
    Asked(query): Asked<PermissionQuery>,
) -> Result<Json<Page<Permission>>, Refusal> {
    let (from, limit) = (super::agents::cursor(query.cursor.as_deref())?, limit(query.limit)?);
    let page = door.app.fleet.query(move |view| {
        let needed = view.state.open().filter(|it| it.kind == EscalationKind::PermissionNeeded);
        let mut all = needed.filter_map(|it| of_task(view.state, view.state.task(it.task()?))).skip(from);
        let items: Vec<Permission> = all.by_ref().take(limit).collect();
        let next_cursor = all.next().map(|_| (from + limit).to_string());
        Page { items, next_cursor }
    });
    Ok(Json(page.await?))
}

/// Asks for leave in the name of the owner of a task that is in progress; a person is called. The answer stands with the task.
#[utoipa::path(post, path = "/v1/tasks/{task}/permission", request_body = NewPermission, tag = "gates",
    params(
        ("task" = String, Path, description = "T-12 or its key"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn ask(
    door: Door,
    Path(task): Path<String>,
    body: Body<NewPermission>,
) -> Result<Json<Ack>, Refusal> {
    let (task, it) = (parse::task("task", &task)?, &body.value);
    let agent = parse::name("agent", &it.agent)?;
    door.speak_for(&agent)?;
    let name = |field: &str, text: &str| parse::filled(field, text, limits::PERMISSION_NAME_BYTES_MAX);
    let options = it.options.iter().take(limits::PERMISSION_OPTIONS_MAX + 1).enumerate();
    let options = options.map(|(index, option)| -> Result<_, Problem> {
        let field = |name: &str| format!("options[{index}].{name}");
        let kind = OptionKind::parse(&option.kind).ok_or_else(|| {
            let given = format!("`{}`", option.kind.escape_default().take(100).collect::<String>());
            Problem::field(field("kind"), given, OptionKind::ALL.map(OptionKind::as_str).join(", "))
        })?;
        Ok(kapell_core::PermissionOption {
            id: name(&field("id"), &option.id)?,
            name: parse::text(&field("name"), &option.name, limits::PERMISSION_NAME_BYTES_MAX)?,
            kind,
        })
    });
    let ask = Box::new(PermissionAsk {
        name: named(&it.name)?,
        title: parse::filled("title", &it.title, limits::PERMISSION_TITLE_BYTES_MAX)?,
        kind: name("kind", &it.kind)?,
        detail: parse::text("detail", &it.detail, limits::NOTE_BYTES_MAX)?,
        options: options.collect::<Result<_, Problem>>()?,
    });
    let assignment = parse::assignment(&it.assignment)?;
    let command = Command::AskPermission { task, agent: agent.clone(), assignment, ask };
    door.acknowledged(body.fingerprint, Some(agent), command).await
}

/// Takes back what the owner of a task wanted leave for, where it has no answer yet.
#[utoipa::path(post, path = "/v1/tasks/{task}/permission/withdraw", request_body = PermissionWithdrawal, tag = "gates",
    params(
        ("task" = String, Path, description = "T-12 or its key"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn withdraw(
    door: Door,
    Path(task): Path<String>,
    body: Body<PermissionWithdrawal>,
) -> Result<Json<Ack>, Refusal> {
    let task = parse::task("task", &task)?;
    let agent = parse::name("agent", &body.value.agent)?;
    door.speak_for(&agent)?;
    let assignment = parse::assignment(&body.value.assignment)?;
    let reason = parse::text("reason", &body.value.reason, limits::NOTE_BYTES_MAX)?;
    let command = Command::WithdrawPermission { task, agent: agent.clone(), assignment, reason };
    door.acknowledged(body.fingerprint, Some(agent), command).await
}

/// Reads what whoever asks calls a request.
fn named(name: &str) -> Result<Text, Problem> {
    parse::name("name", name)?;
    parse::filled("name", name, limits::PERMISSION_NAME_BYTES_MAX)
}

/// Reads an answer to the request `request`, which is what a verdict is that names one.
pub(super) fn answer(
    task: kapell_core::TaskRef,
    agent: Option<Name>,
    request: &str,
    verdict: &NewVerdict,
) -> Result<Command, Problem> {
    for (field, given) in [("gate", verdict.gate.is_some()), ("score", verdict.score.is_some())] {
        if given {
            return Err(Problem::field(field, "beside `request`", "nothing where a request is answered"));
        }
    }
    let name = |field: &str, text: &str| parse::filled(field, text, limits::PERMISSION_NAME_BYTES_MAX);
    let allowed = match verdict.verdict.as_str() {
        "approve" => true,
        "reject" => false,
        other => return Err(super::gates::no_verdict(other)),
    };
    let option = verdict.option.as_deref().map(|option| name("option", option)).transpose()?;
    let notes = parse::text("notes", &verdict.notes, limits::NOTE_BYTES_MAX)?;
    let request = request.parse().map_err(|_| {
        let shown: String = request.escape_default().take(100).collect();
        Problem::field("request", format!("`{shown}`"), "what the inbox names, such as P-227")
    })?;
    Ok(Command::AnswerPermission { task, agent, request, allowed, option, notes })
}

/// Shows what the owner of a task wants leave for, or last wanted.
pub(super) fn of_task(state: &State, task: &Task) -> Option<Permission> {
    let owner = task.owner.as_ref()?;
    let permission = owner.permission.as_ref()?;
    let (ask, said) = (&permission.ask, permission.answer.as_ref());
    let name = |agent: AgentId| state.agent(agent).spec.name.to_string();
    let options = ask.options.iter().map(|option| PermissionOption {
        id: option.id.to_string(),
        name: option.name.to_string(),
        kind: option.kind.as_str().to_owned(),
    });
    Some(Permission {
        task: task.id.to_string(),
        agent: name(owner.agent),
        assignment: owner.assignment.to_string(),
        request: permission.id.to_string(),
        name: ask.name.to_string(),
        title: ask.title.to_string(),
        kind: ask.kind.to_string(),
        detail: ask.detail.to_string(),
        options: options.collect(),
        state: match said {
            None => "open",
            Some((_, answer)) if answer.allowed => "allowed",
            Some(_) => "refused",
        }
        .to_owned(),
        since: time(permission.at),
        option: said.and_then(|(_, answer)| answer.option.as_ref()).map(Text::to_string),
        by: said.map(|(_, answer)| answer.by.map_or_else(|| "manager".to_owned(), name)),
        at: said.map(|&(at, _)| time(at)),
        notes: said.map(|(_, answer)| answer.notes.to_string()).filter(|notes| !notes.is_empty()),
    })
}

/// Shows what an event says of what was wanted.
pub(super) fn event(at: Position, event: &Event, name: impl Fn(AgentId) -> String) -> Value {
    match event {
        Event::PermissionAsked { ask, .. } => json!({
            "request": PermissionId(at.0).to_string(), "name": ask.name, "title": ask.title, "kind": ask.kind, "detail": ask.detail,
            "options": ask.options.iter().map(|it| json!({"id": it.id, "name": it.name, "kind": it.kind})).collect::<Vec<_>>(),
        }),
        Event::PermissionAnswered { request, answer, .. } => json!({
            "request": request, "allowed": answer.allowed, "option": answer.option, "notes": answer.notes,
            "by": answer.by.map_or_else(|| "manager".to_owned(), name),
        }),
        Event::PermissionWithdrawn { request, reason, .. } => json!({ "request": request, "reason": reason }),
        _ => Value::Null,
    }
}
