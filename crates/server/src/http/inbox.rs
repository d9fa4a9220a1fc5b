//! What waits for a role, an agent or a person, and what is said about escalations.

use axum::Json;
use kapell_api::{Ack, ErrorCode, EscalationWord, Inbox, InboxItem, Problem};
use kapell_core::{
    Agent, Command, Conflict, Delivery, Escalation, EscalationKind, Handoff, Message, Offer, Stage, Subject,
    Task, Topic,
};
use kapell_model::{AgentId, AgentKind, EscalationId, Moment, Priority, limits};
use serde::Deserialize;
use utoipa::IntoParams;

use super::agents::{cursor, limit, unknown};
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
    /// `next_cursor` of the page before. What presses changes while one reads: an item may come again, or have gone ahead.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

/// Shows what waits for an agent or a person, a role, or anybody: most pressing first.
#[utoipa::path(get, path = "/v1/inbox", params(InboxQuery), tag = "fleet",
    responses((status = 200, body = Inbox), Refusals))]
pub(super) async fn show(door: Door, Asked(query): Asked<InboxQuery>) -> Result<Json<Inbox>, Refusal> {
    let (from, limit) = (cursor(query.cursor.as_deref())?, limit(query.limit)?);
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
        let calls = |it: &&Escalation| {
            role.is_none_or(|role| it.calls(role)) || agent.is_some_and(|agent| is_for(view, agent, it))
        };
        let mut all: Vec<Waiting<'_>> =
            view.state.open().filter(calls).map(|it| Waiting::of(view, Matter::Escalation(it))).collect();
        match agent {
            Some(agent) => asked_of(view, agent, &mut all),
            None if role.is_none() => {
                all.extend(view.state.offers_to_settle().map(|it| Waiting::of(view, Matter::Offer(it))));
            }
            None => {}
        }
        let (total, end) = (u32::try_from(all.len()).unwrap_or(u32::MAX), from.saturating_add(limit));
        let next_cursor = (end < all.len()).then(|| end.to_string());
        Ok(Inbox {
            agent: agent.map(|agent| agent.spec.name.to_string()),
            role: role.map(ToString::to_string),
            total,
            items: first(all, end).iter().skip(from).map(|it| it.shown(view)).collect(),
            next_cursor,
        })
    });
    Ok(Json(found.await??))
}

/// Tells whether an escalation asks what a person may say whatever its role is.
fn is_for(view: &View<'_>, agent: &Agent, escalation: &Escalation) -> bool {
    let Some(task) = escalation.task().map(|id| view.state.task(id)) else { return false };
    let whose = match escalation.kind {
        EscalationKind::PermissionNeeded => task.owner.as_ref().map(|owner| owner.agent),
        EscalationKind::ApprovalNeeded => task.acceptance.as_ref().map(|finished| finished.agent),
        _ => return false,
    };
    agent.spec.kind == AgentKind::Person && whose != Some(agent.id)
}

/// What something that waits is about.
#[derive(Clone, Copy)]
enum Matter<'a> {
    Escalation(&'a Escalation),
    /// A late result, which managers settle.
    Offer(&'a Offer),
    Review(&'a Task),
    /// With what is wanted, and the verb that does it.
    Handoff(&'a Handoff, &'a str, &'a str),
    Proposal(&'a Conflict, &'a Topic),
    Message(&'a Agent, &'a Message, &'a Delivery),
}

/// One matter with what it is sorted by. There may be very many of which few are shown: words are made for those alone.
struct Waiting<'a> {
    priority: Priority,
    since: Moment,
    due: Option<Moment>,
    overdue: bool,
    /// Where it stands among those that are found: what else is alike stays in that order.
    place: usize,
    matter: Matter<'a>,
}

/// Returns the most pressing of what waits, in their order.
fn first(mut all: Vec<Waiting<'_>>, limit: usize) -> Vec<Waiting<'_>> {
    all.iter_mut().enumerate().for_each(|(place, it)| it.place = place);
    if all.len() > limit {
        all.select_nth_unstable_by_key(limit, Waiting::key);
        all.truncate(limit);
    }
    all.sort_by_key(Waiting::key);
    all
}

impl<'a> Waiting<'a> {
    fn of(view: &View<'_>, matter: Matter<'a>) -> Self {
        let state = view.state;
        let (priority, since, due) = match matter {
            Matter::Escalation(it) => (it.severity, it.at, Some(it.due)),
            Matter::Offer(it) => (state.task(it.task).effective, it.at, None),
            Matter::Review(task) => {
                let since = task.acceptance.as_ref().map_or(task.state_since, |it| it.at);
                (task.effective, since, task.pending_gate().and_then(|(_, gate)| gate.due))
            }
            Matter::Handoff(it, ..) => (state.task(it.task).effective, it.stage_since, it.due),
            Matter::Proposal(conflict, topic) => {
                let priority = conflict.tasks.iter().map(|&task| state.task(task).effective).min();
                (priority.unwrap_or(Priority::Medium), conflict.at, Some(topic.deadline))
            }
            Matter::Message(_, it, delivery) => (it.priority, it.at, Some(delivery.due)),
        };
        let overdue = match matter {
            Matter::Escalation(it) => it.is_overdue(view.now),
            _ => due.is_some_and(|due| due < view.now),
        };
        Self { priority, since, due, overdue, place: 0, matter }
    }

    /// What is overdue goes first, then the more urgent, then what is due sooner, then the older.
    fn key(&self) -> (bool, Priority, Moment, Moment, usize) {
        (!self.overdue, self.priority, self.due.unwrap_or(Moment::NEVER), self.since, self.place)
    }

    fn shown(&self, view: &View<'_>) -> InboxItem {
        InboxItem {
            priority: self.priority.to_string(),
            since: time(self.since),
            due: self.due.map(time),
            overdue: self.overdue,
            ..self.matter.item(view)
        }
    }
}

/// Adds what an agent alone is asked.
fn asked_of<'a>(view: &View<'a>, agent: &'a Agent, all: &mut Vec<Waiting<'a>>) {
    let state = view.state;
    let finished = |task: &&Task| task.pending_gate().is_some() && task.acceptance.is_some();
    all.extend(state.reviews_of(agent.id).filter(finished).map(|it| Waiting::of(view, Matter::Review(it))));
    let handoffs = agent.tasks.iter().filter_map(|&task| state.handoffs().of(task));
    all.extend(handoffs.filter_map(|it| {
        let (detail, verb) = match it.stage {
            Stage::Requested | Stage::PackageDue if it.from == agent.id => {
                ("its package is wanted", "package")
            }
            Stage::Transferred if it.to == Some(agent.id) => {
                ("it is yours: confirm it, or decline it", "confirm")
            }
            _ => return None,
        };
        Some(Waiting::of(view, Matter::Handoff(it, detail, verb)))
    }));
    all.extend(state.open_conflicts().filter_map(|conflict| {
        let it = conflict.deliberation()?;
        let spoke = it.proposals.iter().any(|said| said.agent == agent.id);
        let asked = it.topic.asked.contains(&agent.id) && !spoke && it.topic.deadline >= view.now;
        asked.then(|| Waiting::of(view, Matter::Proposal(conflict, &it.topic)))
    }));
    let inbox = state.messages().inbox(agent.id);
    all.extend(inbox.map(|(message, delivery)| Waiting::of(view, Matter::Message(agent, message, delivery))));
}

impl Matter<'_> {
    fn item(self, view: &View<'_>) -> InboxItem {
        match self {
            Self::Escalation(it) => escalation(view, it),
            Self::Offer(it) => InboxItem {
                kind: "offer".to_owned(),
                id: it.id.to_string(),
                task: Some(it.task.to_string()),
                detail: format!("a late result by `{}` for {}", name(view, it.agent), it.task),
                answer: format!("kapell offers accept {}", it.id),
                ..InboxItem::default()
            },
            Self::Review(task) => {
                let author = task.acceptance.as_ref().map(|it| name(view, it.agent)).unwrap_or_default();
                InboxItem {
                    kind: "review".to_owned(),
                    id: task.id.to_string(),
                    task: Some(task.id.to_string()),
                    detail: format!("{}, finished by `{author}`", task.spec.title),
                    answer: format!("kapell approve {}", task.id),
                    ..InboxItem::default()
                }
            }
            Self::Handoff(it, detail, verb) => InboxItem {
                kind: "handoff".to_owned(),
                id: it.id.to_string(),
                matter: Some(it.stage.as_str().to_owned()),
                task: Some(it.task.to_string()),
                detail: detail.to_owned(),
                answer: format!("kapell handoff {verb} {}", it.task),
                ..InboxItem::default()
            },
            Self::Proposal(conflict, topic) => InboxItem {
                kind: "proposal".to_owned(),
                id: conflict.id.to_string(),
                task: conflict.tasks.first().map(ToString::to_string),
                detail: topic.title.to_string(),
                answer: format!("kapell decision propose {}", conflict.id),
                ..InboxItem::default()
            },
            Self::Message(agent, it, _) => InboxItem {
                kind: "message".to_owned(),
                id: it.id.to_string(),
                task: it.task.map(|task| task.to_string()),
                detail: it.text.to_string(),
                answer: format!("kapell message inbox {}", agent.spec.name),
                ..InboxItem::default()
            },
        }
    }
}

fn escalation(view: &View<'_>, it: &Escalation) -> InboxItem {
    let id = it.id.to_string();
    let needed = it.task().filter(|_| it.kind == EscalationKind::PermissionNeeded);
    let permission = needed.and_then(|task| super::permissions::of_task(view.state, view.state.task(task)));
    let answer = match (&it.subject, it.kind) {
        (Subject::Conflict(conflict), _) => format!("kapell decision rule {conflict}"),
        (Subject::Task(task), EscalationKind::ApprovalNeeded) => format!("kapell approve {task}"),
        (Subject::Task(task), EscalationKind::PermissionNeeded) => {
            let request = permission.as_ref().map(|it| it.request.as_str()).unwrap_or_default();
            format!("kapell approve {task} --request {request}")
        }
        (Subject::Task(task), EscalationKind::NoReviewer) => format!("kapell approve {task}"),
        (Subject::Task(task), EscalationKind::NoSuitableAgent) => format!("kapell why {task}"),
        (Subject::Task(task), EscalationKind::TaskFailed) => format!("kapell task reopen {task}"),
        _ => format!("kapell escalations settle {id}"),
    };
    let by = it.acknowledged.as_ref().map(|said| match said.agent {
        Some(agent) => name(view, agent),
        None => said.by.to_string(),
    });
    InboxItem {
        kind: "escalation".to_owned(),
        id,
        matter: Some(it.kind.as_str().to_owned()),
        task: it.task().map(|task| task.to_string()),
        detail: it.detail.to_string(),
        raised_again: u32::try_from(it.raised_again()).unwrap_or(u32::MAX),
        acknowledged_by: by,
        permission,
        answer,
        ..InboxItem::default()
    }
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
