//! What waits for a role, an agent or a person, and what is said about escalations.

use axum::Json;
use kapell_api::{Ack, ErrorCode, EscalationWord, Inbox, InboxItem, Problem};
use kapell_core::{Agent, Command, Escalation, EscalationKind, Handoff, Stage, Subject, Task};
use kapell_model::{AgentId, EscalationId, Moment, Priority, limits};
use serde::Deserialize;
use utoipa::IntoParams;

use super::agents::{limit, unknown};
use super::convert::time;
use super::door::{Asked, Body, Door, Path};
use super::problem::Refusals;
use super::reservations::speaker;
use super::{Refusal, parse};
use crate::fleet::View;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct InboxQuery {
    /// Of this agent or person: what calls its role, and what it alone is asked. An agent's token asks for its own where nothing is said.
    agent: Option<String>,
    /// Of this role, such as `agent_manager`.
    role: Option<String>,
    /// Items, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

/// Shows what waits for an agent or a person, a role, or anybody: most pressing first.
#[utoipa::path(get, path = "/v1/inbox", params(InboxQuery), tag = "fleet",
    responses((status = 200, body = Inbox), Refusals))]
pub(super) async fn show(door: Door, Asked(query): Asked<InboxQuery>) -> Result<Json<Inbox>, Refusal> {
    let limit = limit(query.limit)?;
    if query.agent.is_some() && query.role.is_some() {
        return Err(Problem::field("role", "beside `agent`", "either `agent` or `role`").into());
    }
    let role = query.role.as_deref().map(|role| parse::name("role", role)).transpose()?;
    let agent = query.agent.as_deref().map(|agent| parse::name("agent", agent)).transpose()?;
    let agent = agent.or_else(|| door.caller.agent.clone().filter(|_| role.is_none()));
    let found = door.app.fleet.query(move |view| -> Result<Inbox, Problem> {
        let agent =
            agent.map(|name| view.state.agent_id(name.as_str()).ok_or_else(|| unknown(name.as_str())));
        let agent = agent.transpose()?.map(|id| view.state.agent(id));
        let role = role.as_ref().or(agent.map(|agent| &agent.spec.role));
        let calls = |it: &&Escalation| role.is_none_or(|role| it.calls(role));
        let mut items: Vec<Waiting> =
            view.state.open().filter(calls).map(|it| escalation(view, it)).collect();
        match agent {
            Some(agent) => asked_of(view, agent, &mut items),
            None if role.is_none() => items.extend(offers(view)),
            None => {}
        }
        items.sort_by_key(|it| (!it.overdue, it.priority, it.due.unwrap_or(Moment::NEVER), it.since));
        let total = u32::try_from(items.len()).unwrap_or(u32::MAX);
        Ok(Inbox {
            agent: agent.map(|agent| agent.spec.name.to_string()),
            role: role.map(ToString::to_string),
            total,
            items: items.into_iter().take(limit).map(Waiting::shown).collect(),
        })
    });
    Ok(Json(found.await??))
}

/// One matter, before it is shown.
struct Waiting {
    priority: Priority,
    since: Moment,
    due: Option<Moment>,
    overdue: bool,
    item: InboxItem,
}

impl Waiting {
    fn new(view: &View<'_>, priority: Priority, since: Moment, due: Option<Moment>, item: InboxItem) -> Self {
        Self { priority, since, due, overdue: due.is_some_and(|due| due < view.now), item }
    }

    fn shown(self) -> InboxItem {
        InboxItem {
            priority: self.priority.to_string(),
            since: time(self.since),
            due: self.due.map(time),
            overdue: self.overdue,
            ..self.item
        }
    }
}

fn escalation(view: &View<'_>, it: &Escalation) -> Waiting {
    let id = it.id.to_string();
    let answer = match (&it.subject, it.kind) {
        (Subject::Conflict(conflict), _) => format!("kapell decision rule {conflict}"),
        (Subject::Task(task), EscalationKind::ApprovalNeeded) => format!("kapell approve {task}"),
        (Subject::Task(task), EscalationKind::NoReviewer) => format!("kapell approve {task}"),
        (Subject::Task(task), EscalationKind::NoSuitableAgent) => format!("kapell why {task}"),
        (Subject::Task(task), EscalationKind::TaskFailed) => format!("kapell task reopen {task}"),
        _ => format!("kapell escalations settle {id}"),
    };
    let by = it.acknowledged.as_ref().map(|said| match said.agent {
        Some(agent) => name(view, agent),
        None => said.by.to_string(),
    });
    let item = InboxItem {
        kind: "escalation".to_owned(),
        id,
        matter: Some(it.kind.as_str().to_owned()),
        task: it.task().map(|task| task.to_string()),
        detail: it.detail.to_string(),
        raised_again: u32::try_from(it.raised_again()).unwrap_or(u32::MAX),
        acknowledged_by: by,
        answer,
        ..InboxItem::default()
    };
    Waiting { overdue: it.is_overdue(view.now), ..Waiting::new(view, it.severity, it.at, Some(it.due), item) }
}

/// Late results, which managers settle.
fn offers(view: &View<'_>) -> impl Iterator<Item = Waiting> {
    view.state.offers_to_settle().map(|offer| {
        let task = view.state.task(offer.task);
        let item = InboxItem {
            kind: "offer".to_owned(),
            id: offer.id.to_string(),
            task: Some(task.id.to_string()),
            detail: format!("a late result by `{}` for {}", name(view, offer.agent), task.id),
            answer: format!("kapell offers accept {}", offer.id),
            ..InboxItem::default()
        };
        Waiting::new(view, task.effective, offer.at, None, item)
    })
}

/// Adds what an agent alone is asked.
fn asked_of(view: &View<'_>, agent: &Agent, items: &mut Vec<Waiting>) {
    items.extend(view.state.reviews_of(agent.id).filter_map(|task| review(view, task)));
    let handoffs = agent.tasks.iter().filter_map(|&task| view.state.handoffs().of(task));
    items.extend(handoffs.filter_map(|it| handoff(view, agent.id, it)));
    for conflict in view.state.open_conflicts() {
        let Some(it) = conflict.deliberation() else { continue };
        let spoke = it.proposals.iter().any(|said| said.agent == agent.id);
        if it.topic.asked.contains(&agent.id) && !spoke && it.topic.deadline >= view.now {
            let item = InboxItem {
                kind: "proposal".to_owned(),
                id: conflict.id.to_string(),
                task: conflict.tasks.first().map(ToString::to_string),
                detail: it.topic.title.to_string(),
                answer: format!("kapell decision propose {}", conflict.id),
                ..InboxItem::default()
            };
            let priority = conflict.tasks.iter().map(|&task| view.state.task(task).effective).min();
            let priority = priority.unwrap_or(Priority::Medium);
            items.push(Waiting::new(view, priority, conflict.at, Some(it.topic.deadline), item));
        }
    }
    items.extend(view.state.messages().inbox(agent.id).map(|(message, delivery)| {
        let item = InboxItem {
            kind: "message".to_owned(),
            id: message.id.to_string(),
            task: message.task.map(|task| task.to_string()),
            detail: message.text.to_string(),
            answer: format!("kapell message inbox {}", agent.spec.name),
            ..InboxItem::default()
        };
        Waiting::new(view, message.priority, message.at, Some(delivery.due), item)
    }));
}

fn review(view: &View<'_>, task: &Task) -> Option<Waiting> {
    let (_, gate) = task.pending_gate()?;
    let acceptance = task.acceptance.as_ref()?;
    let item = InboxItem {
        kind: "review".to_owned(),
        id: task.id.to_string(),
        task: Some(task.id.to_string()),
        detail: format!("{}, finished by `{}`", task.spec.title, name(view, acceptance.agent)),
        answer: format!("kapell approve {}", task.id),
        ..InboxItem::default()
    };
    Some(Waiting::new(view, task.effective, acceptance.at, gate.due, item))
}

fn handoff(view: &View<'_>, agent: AgentId, it: &Handoff) -> Option<Waiting> {
    let (detail, verb) = match it.stage {
        Stage::Requested | Stage::PackageDue if it.from == agent => ("its package is wanted", "package"),
        Stage::Transferred if it.to == Some(agent) => ("it is yours: confirm it, or decline it", "confirm"),
        _ => return None,
    };
    let item = InboxItem {
        kind: "handoff".to_owned(),
        id: it.id.to_string(),
        matter: Some(it.stage.as_str().to_owned()),
        task: Some(it.task.to_string()),
        detail: detail.to_owned(),
        answer: format!("kapell handoff {verb} {}", it.task),
        ..InboxItem::default()
    };
    Some(Waiting::new(view, view.state.task(it.task).effective, it.stage_since, it.due, item))
}

fn name(view: &View<'_>, agent: AgentId) -> String {
    view.state.agent(agent).spec.name.to_string()
}

/// Takes an escalation on: it is not raised again. For managers, and agents and people of a role that it calls.
#[utoipa::path(post, path = "/v1/escalations/{escalation}/acknowledge", request_body = EscalationWord, tag = "fleet",
    params(("escalation" = String, Path, description = "E-2")),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn acknowledge(
    door: Door,
    Path(escalation): Path<String>,
    body: Body<EscalationWord>,
) -> Result<Json<Ack>, Refusal> {
    let agent = speaker(&door, body.value.agent.as_deref())?;
    let escalation = named(&escalation)?;
    if !body.value.note.is_empty() {
        let allowed = "nothing where it is taken on; how it was settled is said when it is";
        return Err(Problem::field("note", "a text", allowed).into());
    }
    let command = Command::AcknowledgeEscalation { escalation, agent: agent.clone() };
    door.acknowledged(body.fingerprint, agent, command).await
}

/// Closes an escalation, and lets what waits for it go on. For managers, and agents and people of a role that it calls.
#[utoipa::path(post, path = "/v1/escalations/{escalation}/settle", request_body = EscalationWord, tag = "fleet",
    params(("escalation" = String, Path, description = "E-2")),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn settle(
    door: Door,
    Path(escalation): Path<String>,
    body: Body<EscalationWord>,
) -> Result<Json<Ack>, Refusal> {
    let agent = speaker(&door, body.value.agent.as_deref())?;
    let escalation = named(&escalation)?;
    let note = parse::text("note", &body.value.note, limits::NOTE_BYTES_MAX)?;
    let command = Command::SettleEscalation { escalation, agent: agent.clone(), note };
    door.acknowledged(body.fingerprint, agent, command).await
}

fn named(text: &str) -> Result<EscalationId, Problem> {
    text.parse()
        .map_err(|_| Problem::new(ErrorCode::NotFound, "there is no such escalation; they are named E-2"))
}
