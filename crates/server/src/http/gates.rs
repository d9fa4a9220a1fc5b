//! Gates: finished work that waits for a review, an approval or a command, and what is said about it.

use axum::Json;
use kapell_api::{Ack, CheckReport, NewVerdict, OpenGate, Page, Problem, TaskGate as Shown};
use kapell_core::{Acceptance, Command, GateStanding, GateWord, Task};
use kapell_model::{AgentId, TaskGate, limits};
use serde::Deserialize;
use utoipa::IntoParams;

use super::agents::limit;
use super::convert::time;
use super::door::{Asked, Body, Door, Path};
use super::problem::Refusals;
use super::reservations::speaker;
use super::{Refusal, parse};
use crate::fleet::View;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct GateQuery {
    /// Only those before a `command`, a `review` or an `approval`.
    kind: Option<String>,
    /// Only reviews that this agent is asked for.
    reviewer: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

const KINDS: [&str; 3] = ["command", "review", "approval"];

/// Lists finished work that stands before a gate, in the order of submission.
#[utoipa::path(get, path = "/v1/gates", params(GateQuery), tag = "gates",
    responses((status = 200, body = Page<OpenGate>), Refusals))]
pub(super) async fn list(
    door: Door,
    Asked(query): Asked<GateQuery>,
) -> Result<Json<Page<OpenGate>>, Refusal> {
    if let Some(kind) = query.kind.as_deref().filter(|kind| !KINDS.contains(kind)) {
        let given = format!("`{}`", kind.escape_default().take(100).collect::<String>());
        return Err(Problem::field("kind", given, KINDS.join(", ")).into());
    }
    let reviewer = query.reviewer.as_deref().map(|agent| parse::name("reviewer", agent)).transpose()?;
    let (from, limit) = (super::agents::cursor(query.cursor.as_deref())?, limit(query.limit)?);
    let found = door.app.fleet.query(move |view| -> Result<Page<OpenGate>, Problem> {
        let reviewer = reviewer.map(|name| {
            view.state.agent_id(name.as_str()).ok_or_else(|| super::agents::unknown(name.as_str()))
        });
        let (reviewer, kind) = (reviewer.transpose()?, query.kind.as_deref());
        let open = |task: &Task| passes(task, kind, reviewer).then(|| open_gate(view, task)).flatten();
        let mut all = view.state.before_gates().filter_map(open).skip(from);
        let items: Vec<OpenGate> = all.by_ref().take(limit).collect();
        let next_cursor = all.next().map(|_| (from + limit).to_string());
        Ok(Page { items, next_cursor })
    });
    Ok(Json(found.await??))
}

fn passes(task: &Task, kind: Option<&str>, reviewer: Option<AgentId>) -> bool {
    let Some((_, gate)) = task.pending_gate() else { return false };
    kind.is_none_or(|kind| kind == gate.gate.as_str())
        && reviewer.is_none_or(|reviewer| gate.reviewer == Some(reviewer))
}

fn open_gate(view: &View<'_>, task: &Task) -> Option<OpenGate> {
    let acceptance = task.acceptance.as_ref()?;
    let (index, standing) = task.pending_gate()?;
    Some(OpenGate {
        task: task.id.to_string(),
        title: task.spec.title.to_string(),
        priority: task.effective.to_string(),
        state: task.state().to_string(),
        because: view.state.gate_text(task)?,
        gate: standing_of(view, acceptance, index, standing),
        author: view.state.agent(acceptance.agent).spec.name.to_string(),
        assignment: acceptance.assignment.to_string(),
        since: time(acceptance.at),
        result: acceptance.result.as_ref().map(ToString::to_string),
        rejections: acceptance.rejections,
    })
}

/// Shows the gates of a task: as they stand, or as they are ahead of it.
pub(super) fn of_task(view: &View<'_>, task: &Task) -> Vec<Shown> {
    match &task.acceptance {
        Some(acceptance) => {
            let all = acceptance.gates.iter().enumerate();
            all.map(|(index, standing)| standing_of(view, acceptance, index, standing)).collect()
        }
        None if task.is_open() => {
            let gates = view.state.gates_of(&task.spec);
            gates.iter().enumerate().map(|(index, gate)| shown(index, gate, "ahead")).collect()
        }
        None => Vec::new(),
    }
}

fn shown(index: usize, gate: &TaskGate, state: &str) -> Shown {
    let (role, command) = match gate {
        TaskGate::Command { line } => (None, Some(line.to_string())),
        TaskGate::Review { role } => (role.as_ref().map(ToString::to_string), None),
        TaskGate::Approval {} => (None, None),
    };
    let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
    let (kind, state) = (gate.as_str().to_owned(), state.to_owned());
    Shown { number, kind, role, command, state, ..Shown::default() }
}

fn standing_of(view: &View<'_>, acceptance: &Acceptance, index: usize, standing: &GateStanding) -> Shown {
    let pending =
        acceptance.open.then(|| acceptance.gates.iter().position(|gate| !gate.is_passed())).flatten();
    let state = match &standing.verdict {
        Some((_, verdict)) if verdict.passed => "passed",
        Some(_) => "rejected",
        None if pending == Some(index) => "open",
        None => "ahead",
    };
    let name = |agent: AgentId| view.state.agent(agent).spec.name.to_string();
    let said = standing.verdict.as_ref();
    let verdict = said.map(|(_, verdict)| verdict);
    let run = verdict.and_then(|verdict| verdict.run.as_ref());
    Shown {
        reviewer: standing.reviewer.map(name),
        due: standing.due.filter(|_| state == "open").map(time),
        by: verdict.map(|verdict| verdict.by.map_or_else(|| "manager".to_owned(), name)),
        at: said.map(|(at, _)| time(*at)),
        notes: verdict.map(|verdict| verdict.notes.to_string()).filter(|notes| !notes.is_empty()),
        score: verdict.and_then(|verdict| verdict.score).map(|score| score.as_decimal()),
        exit_code: run.map(|run| run.exit_code),
        digest: run.map(|run| run.digest.to_string()),
        ..shown(index, &standing.gate, state)
    }
}

/// Says whether finished work is right: a review by another agent than its author, or an approval by a person. Work that is
/// rejected goes back to its author with the notes. With `request` a person, or a manager, answers what the owner wants leave for.
#[utoipa::path(post, path = "/v1/tasks/{task}/verdict", request_body = NewVerdict, tag = "gates",
    params(
        ("task" = String, Path, description = "T-12 or its key"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn verdict(
    door: Door,
    Path(task): Path<String>,
    body: Body<NewVerdict>,
) -> Result<Json<Ack>, Refusal> {
    let task = parse::task("task", &task)?;
    let agent = speaker(&door, body.value.agent.as_deref())?;
    if let Some(request) = &body.value.request {
        let command = super::permissions::answer(task, agent.clone(), request, &body.value)?;
        return door.acknowledged(body.fingerprint, agent, command).await;
    }
    if body.value.option.is_some() {
        return Err(
            Problem::field("option", "without `request`", "an option of the request that is named").into()
        );
    }
    let score = body.value.score.map(|score| parse::ratio("score", score)).transpose()?;
    let word = match body.value.verdict.as_str() {
        "approve" => GateWord::Passed {
            notes: parse::text("notes", &body.value.notes, limits::NOTE_BYTES_MAX)?,
            score,
        },
        "reject" => GateWord::Rejected {
            notes: parse::filled("notes", &body.value.notes, limits::NOTE_BYTES_MAX)?,
            score,
        },
        other => return Err(no_verdict(other).into()),
    };
    let command = Command::JudgeGate { task, gate: body.value.gate, agent: agent.clone(), word };
    door.acknowledged(body.fingerprint, agent, command).await
}

/// Refuses what is no verdict.
pub(super) fn no_verdict(given: &str) -> Problem {
    let given = format!("`{}`", given.escape_default().take(100).collect::<String>());
    Problem::field("verdict", given, "approve, reject")
}

/// Reports how a command ended that finished work must pass; 0 passes.
#[utoipa::path(post, path = "/v1/tasks/{task}/check", request_body = CheckReport, tag = "gates",
    params(
        ("task" = String, Path, description = "T-12 or its key"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn check(
    door: Door,
    Path(task): Path<String>,
    body: Body<CheckReport>,
) -> Result<Json<Ack>, Refusal> {
    let task = parse::task("task", &task)?;
    let agent = speaker(&door, body.value.agent.as_deref())?;
    let word = GateWord::Ran {
        notes: parse::text("notes", &body.value.notes, limits::NOTE_BYTES_MAX)?,
        exit_code: body.value.exit_code,
        digest: parse::filled("digest", &body.value.digest, limits::GATE_DIGEST_BYTES_MAX)?,
    };
    let command = Command::JudgeGate { task, gate: body.value.gate, agent: agent.clone(), word };
    door.acknowledged(body.fingerprint, agent, command).await
}
