//! Tasks: submitted, listed, moved by hand, tied to each other.

use std::collections::BTreeSet;

use axum::Json;
use axum::http::StatusCode;
use kapell_api::{
    Ack, AgentChoice, ErrorCode, MoveTo, NewDependency, Offer, Page, Problem, Reason, Restoration, Task,
    TaskEdit, TaskSubmission, Tree,
};
use kapell_core::{Command, State, TaskRef};
use kapell_model::{Name, Position, Priority, TaskId, TaskState, Text, limits};
use serde::Deserialize;
use utoipa::IntoParams;

use super::agents::{cursor, limit};
use super::door::{Asked, AtQuery, Body, Door, NoBody, Path, fingerprint};
use super::problem::Refusals;
use super::{Refusal, convert, created, parse};
use crate::token::Access;

/// Tasks that are looked at for one page; a page may be short, and the cursor goes on.
const EXAMINED_MAX: usize = 20_000;
/// Tasks in one tree.
const TREE_MAX: usize = 5_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskQuery {
    /// Only tasks in this state.
    state: Option<String>,
    /// Only tasks of this project.
    project: Option<String>,
    /// Only tasks that this agent owns.
    agent: Option<String>,
    /// Only tasks of this type.
    r#type: Option<String>,
    /// Only tasks of this effective priority.
    priority: Option<String>,
    /// Only tasks whose owners are under investigation for their silence, or only the others.
    stalled: Option<bool>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

struct Filter {
    state: Option<TaskState>,
    project: Option<Name>,
    agent: Option<Name>,
    kind: Option<Name>,
    priority: Option<Priority>,
    stalled: Option<bool>,
}

impl Filter {
    fn of(query: &TaskQuery) -> Result<Self, Problem> {
        let name =
            |field, text: &Option<String>| text.as_deref().map(|text| parse::name(field, text)).transpose();
        Ok(Self {
            state: query.state.as_deref().map(|state| parse::task_state("state", state)).transpose()?,
            project: name("project", &query.project)?,
            agent: name("agent", &query.agent)?,
            kind: name("type", &query.r#type)?,
            priority: query.priority.as_deref().map(parse::priority).transpose()?,
            stalled: query.stalled,
        })
    }

    fn passes(&self, state: &State, task: &kapell_core::Task) -> bool {
        let owner = || task.owner.as_ref().map(|owner| &state.agent(owner.agent).spec.name);
        let stalled = || task.owner.as_ref().is_some_and(|owner| owner.stall().is_some());
        self.state.is_none_or(|wanted| task.state() == wanted)
            && self.stalled.is_none_or(|wanted| stalled() == wanted)
            && self.priority.is_none_or(|wanted| task.effective == wanted)
            && self.project.as_ref().is_none_or(|wanted| task.spec.project.as_ref() == Some(wanted))
            && self.kind.as_ref().is_none_or(|wanted| task.spec.kind == *wanted)
            && self.agent.as_ref().is_none_or(|wanted| owner() == Some(wanted))
    }
}

/// Lists tasks in the order of submission.
#[utoipa::path(get, path = "/v1/tasks", params(TaskQuery), tag = "tasks",
    responses((status = 200, body = Page<Task>), Refusals))]
pub(super) async fn list(door: Door, Asked(query): Asked<TaskQuery>) -> Result<Json<Page<Task>>, Refusal> {
    let (filter, limit) = (Filter::of(&query)?, limit(query.limit)?);
    let from = cursor(query.cursor.as_deref())?;
    let page = door.app.fleet.query(move |view| {
        let tasks = view.state.tasks();
        let mut items = Vec::new();
        let mut at = from;
        for task in tasks.skip(from).take(EXAMINED_MAX) {
            if items.len() == limit {
                break;
            }
            if filter.passes(view.state, task) {
                items.push(convert::task(view, task));
            }
            at += 1;
        }
        Page { items, next_cursor: (at < tasks.len()).then(|| at.to_string()) }
    });
    Ok(Json(page.await?))
}

/// Submits a task. It may have an owner by the time of the answer.
#[utoipa::path(post, path = "/v1/tasks", request_body = TaskSubmission, tag = "tasks",
    params(("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused")),
    responses((status = 201, body = Ack), Refusals))]
pub(super) async fn submit(
    door: Door,
    body: Body<TaskSubmission>,
) -> Result<(StatusCode, Json<Ack>), Refusal> {
    door.require(Access::Manager)?;
    let command = parse::submission(&body.value)?;
    let Json(ack) = door.acknowledged(body.fingerprint, None, command).await?;
    Ok(created(ack))
}

/// Shows a task.
#[utoipa::path(get, path = "/v1/tasks/{task}", params(AtQuery, ("task" = String, Path, description = "T-12 or its key")),
    tag = "tasks", responses((status = 200, body = Task), Refusals))]
pub(super) async fn show(
    door: Door,
    Path(task): Path<String>,
    Asked(query): Asked<AtQuery>,
) -> Result<Json<Task>, Refusal> {
    let reference = parse::task("task", &task)?;
    let found = door.view(query.at.as_deref(), move |view| {
        let id = view.state.task_id(&reference)?;
        Some(convert::task(view, view.state.task(id)))
    });
    Ok(Json(found.await?.ok_or_else(|| unknown(&task))?))
}

/// Changes what a task is. An owned one keeps its requirements, agents and effort; with `changed` an edit of a task that
/// has changed meanwhile is refused.
#[utoipa::path(patch, path = "/v1/tasks/{task}", request_body = TaskEdit, tag = "tasks",
    params(
        ("task" = String, Path, description = "T-12 or its key"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn edit(
    door: Door,
    Path(task): Path<String>,
    body: Body<TaskEdit>,
) -> Result<Json<Ack>, Refusal> {
    door.require(Access::Manager)?;
    let command = Command::Edit {
        task: parse::task("task", &task)?,
        edit: Box::new(parse::edit(&body.value)?),
        seen: body.value.changed.map(Position),
    };
    let command = parse::with_budget(body.value.budget.as_ref().map(Option::as_ref), command);
    door.acknowledged(body.fingerprint, None, command).await
}

pub(super) fn unknown(task: &str) -> Problem {
    let shown: String = task.escape_default().take(100).collect();
    Problem::new(ErrorCode::NotFound, format!("there is no task `{shown}`"))
        .hint("tasks are named T-12 or by the key that they were submitted with")
}

fn reason(text: &str) -> Result<Text, Problem> {
    parse::filled("reason", text, limits::NOTE_BYTES_MAX)
}

macro_rules! by_hand {
    ($($(#[$doc:meta])* $name:ident, $path:literal, $body:ty, |$door:ident, $task:ident, $value:ident| $command:expr;)+) => {$(
        $(#[$doc])*
        #[utoipa::path(post, path = $path, request_body = $body, tag = "tasks",
            params(
                ("task" = String, Path, description = "T-12 or its key"),
                ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
            ),
            responses((status = 200, body = Ack), Refusals))]
        pub(super) async fn $name(
            $door: Door,
            Path(task): Path<String>,
            body: Body<$body>,
        ) -> Result<Json<Ack>, Refusal> {
            let ($task, $value) = (parse::task("task", &task)?, body.value);
            let (contact, command): (Option<Name>, Command) = $command;
            $door.acknowledged(body.fingerprint, contact, command).await
        }
    )+};
}

by_hand! {
    /// Calls a task off.
    cancel, "/v1/tasks/{task}/cancel", Reason, |door, task, value| {
        door.require(Access::Manager)?;
        (None, Command::Cancel { task, reason: reason(&value.reason)? })
    };
    /// Gives a failed or cancelled task a new series of attempts.
    reopen, "/v1/tasks/{task}/reopen", Reason, |door, task, value| {
        door.require(Access::Manager)?;
        (None, Command::Reopen { task, reason: reason(&value.reason)? })
    };
    /// Places a task by hand, above any threshold, up to the agent's limit.
    assign, "/v1/tasks/{task}/assign", AgentChoice, |door, task, value| {
        door.require(Access::Manager)?;
        (None, Command::Assign { task, agent: parse::name("agent", &value.agent)? })
    };
    /// Gives an owned task to another agent, above any threshold, up to the agent's limit. The old owner is told.
    move_to, "/v1/tasks/{task}/move", MoveTo, |door, task, value| {
        door.require(Access::Manager)?;
        let note = Some(parse::text("note", &value.note, limits::NOTE_BYTES_MAX)?);
        let note = note.filter(|note| !note.is_empty());
        (None, Command::Move { task, agent: parse::name("agent", &value.agent)?, note })
    };
    /// Asks for a named task. The first candidate that asks gets a ready one, where the policy allows claims.
    claim, "/v1/tasks/{task}/claim", AgentChoice, |door, task, value| {
        let agent = parse::name("agent", &value.agent)?;
        door.speak_for(&agent)?;
        (Some(agent.clone()), Command::Claim { task, agent })
    };
    /// Adds an edge. A declared one that would close a cycle is refused with the whole cycle; for an imported or inferred one
    /// the cycle is broken, with a record.
    add_dependency, "/v1/tasks/{task}/dependencies", NewDependency, |door, task, value| {
        door.require(Access::Manager)?;
        let kind = parse::dependency_kind("kind", &value.kind)?;
        let source = parse::edge_source("source", &value.source)?;
        (None, Command::AddDependency { task, on: parse::task("on", &value.on)?, kind, source })
    };
}

/// Reads the text of a task that nobody owns again, for what it needs and waits for: as after a change of the vocabulary.
#[utoipa::path(post, path = "/v1/tasks/{task}/analyse", tag = "tasks",
    params(("task" = String, Path, description = "T-12 or its key")),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn analyse(door: Door, Path(task): Path<String>, _: NoBody) -> Result<Json<Ack>, Refusal> {
    door.require(Access::Manager)?;
    let digest = fingerprint(&format!("analyse {task}"), &[]);
    let command = Command::Analyse { task: parse::task("task", &task)? };
    door.acknowledged(digest, None, command).await
}

/// Takes an edge away, so that the task no longer waits.
#[utoipa::path(delete, path = "/v1/tasks/{task}/dependencies/{on}", tag = "tasks",
    params(
        ("task" = String, Path, description = "the one that waits, T-12 or its key"),
        ("on" = String, Path, description = "the one that it waits for"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn waive_dependency(
    door: Door,
    Path((task, on)): Path<(String, String)>,
) -> Result<Json<Ack>, Refusal> {
    door.require(Access::Manager)?;
    let digest = fingerprint(&format!("waive {task} {on}"), &[]);
    let command = Command::WaiveDependency { task: parse::task("task", &task)?, on: parse::task("on", &on)? };
    door.acknowledged(digest, None, command).await
}

/// Puts an edge back that was taken out of a cycle. Where it still would close one, `instead` names the edge that goes.
#[utoipa::path(post, path = "/v1/tasks/{task}/dependencies/{on}/restore", request_body = Restoration, tag = "tasks",
    params(
        ("task" = String, Path, description = "the one that waits, T-12 or its key"),
        ("on" = String, Path, description = "the one that it waits for"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn restore_dependency(
    door: Door,
    Path((task, on)): Path<(String, String)>,
    body: Body<Restoration>,
) -> Result<Json<Ack>, Refusal> {
    door.require(Access::Manager)?;
    let (task, on) = (parse::task("task", &task)?, parse::task("on", &on)?);
    let instead = body.value.instead.as_ref();
    let instead = instead
        .map(|edge| Ok((parse::task("instead.task", &edge.task)?, parse::task("instead.on", &edge.on)?)))
        .transpose()
        .map_err(|problem: Problem| Refusal(problem))?;
    door.acknowledged(body.fingerprint, None, Command::RestoreDependency { task, on, instead }).await
}

/// Lists the late results that are kept beside a task.
#[utoipa::path(get, path = "/v1/tasks/{task}/offers", params(("task" = String, Path, description = "T-12 or its key")),
    tag = "tasks", responses((status = 200, body = Page<Offer>), Refusals))]
pub(super) async fn offers(door: Door, Path(task): Path<String>) -> Result<Json<Page<Offer>>, Refusal> {
    let reference = parse::task("task", &task)?;
    let found = door.app.fleet.query(move |view| {
        let task = view.state.task(view.state.task_id(&reference)?);
        let offers = task.offers.iter().filter_map(|&id| view.state.offer(id));
        Some(offers.map(|offer| convert::offer(view.state, offer)).collect::<Vec<_>>())
    });
    let items = found.await?.ok_or_else(|| unknown(&task))?;
    Ok(Json(Page { items, next_cursor: None }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TreeQuery {
    /// `up` (what it waits for; the default) or `down` (what waits for it).
    direction: Option<String>,
    /// Levels, 1 to 100; 10 where absent.
    depth: Option<u32>,
}

/// Shows what a task waits for, or what waits for it, as a tree; a task that occurs twice is shown in full once.
#[utoipa::path(get, path = "/v1/tasks/{task}/dependencies",
    params(("task" = String, Path, description = "T-12 or its key"), TreeQuery),
    tag = "tasks", responses((status = 200, body = Tree), Refusals))]
pub(super) async fn tree(
    door: Door,
    Path(task): Path<String>,
    Asked(query): Asked<TreeQuery>,
) -> Result<Json<Tree>, Refusal> {
    let reference: TaskRef = parse::task("task", &task)?;
    let down = match query.direction.as_deref() {
        None | Some("up") => false,
        Some("down") => true,
        Some(other) => return Err(Problem::field("direction", format!("`{other}`"), "up, down").into()),
    };
    let depth = query.depth.unwrap_or(10);
    if !(1..=100).contains(&depth) {
        return Err(Problem::field("depth", depth.to_string(), "1 to 100").into());
    }
    let found = door.app.fleet.query(move |view| {
        let id = view.state.task_id(&reference)?;
        Some(grown(view.state, id, down, depth, &mut BTreeSet::new()))
    });
    Ok(Json(found.await?.ok_or_else(|| unknown(&task))?))
}

fn grown(state: &State, id: TaskId, down: bool, depth: u32, shown: &mut BTreeSet<TaskId>) -> Tree {
    let task = state.task(id);
    let next: Vec<TaskId> = if down { task.dependents.clone() } else { task.gates().collect() };
    let first = shown.insert(id);
    let cut = !next.is_empty() && (!first || depth == 0 || shown.len() >= TREE_MAX);
    let children = if cut { Vec::new() } else { next };
    Tree {
        task: id.to_string(),
        title: task.spec.title.to_string(),
        state: task.state().to_string(),
        owner: task.owner.as_ref().map(|owner| state.agent(owner.agent).spec.name.to_string()),
        cut,
        children: children.into_iter().map(|id| grown(state, id, down, depth - 1, shown)).collect(),
    }
}
