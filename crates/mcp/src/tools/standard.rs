//! What an agent needs to find its way: looking, claiming, handing in new tasks, giving back.

use kapell_api::Problem;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{acknowledged, agent_path, anything, listed, task_path};
use crate::gate::escaped;
use crate::tool::Effect::{Adds, Ends, Reads};
use crate::tool::{Entry, Tier, Visit};

/// Returns the tools that the tier `standard` adds.
pub(crate) fn standard() -> Vec<Entry> {
    let tier = Tier::Standard;
    vec![
        Entry::new(
            tier,
            Reads,
            (
                "status",
                "Show the fleet",
                "Show the fleet in numbers: tasks, agents, projects, what needs a person.",
            ),
            anything(),
            status,
        ),
        Entry::new(
            tier,
            Reads,
            ("tasks", "List tasks", "List the tasks of the backlog, by state, project or owner."),
            listed(),
            tasks,
        ),
        Entry::new(
            tier,
            Reads,
            ("task", "Show a task", "Show a task in full: state, owner, dependencies, last note, result."),
            anything(),
            task,
        ),
        Entry::new(
            tier,
            Reads,
            ("mine", "List your tasks", "List the tasks that are yours now, with their assignments."),
            anything(),
            mine,
        ),
        Entry::new(
            tier,
            Adds,
            ("claim", "Claim a task", "Claim a named task for yourself."),
            acknowledged(),
            claim,
        ),
        Entry::new(
            tier,
            Adds,
            ("submit", "Add a task", "Add a task to the backlog, such as follow-up work that you found."),
            acknowledged(),
            submit,
        ),
        Entry::new(
            tier,
            Ends,
            ("give_back", "Give a task back", "Give a task back to the queue without blame (release)."),
            acknowledged(),
            give_back,
        ),
        Entry::new(
            tier,
            Adds,
            (
                "handoff",
                "Hand a task over",
                "Hand a task that you have begun over to another agent, or confirm or decline one that comes to you.",
            ),
            acknowledged(),
            handoff,
        ),
        Entry::new(
            tier,
            Adds,
            (
                "handoff_package",
                "Send a handoff's package",
                "Send what the next owner must know; the task is its own then. Work on it until that.",
            ),
            acknowledged(),
            handoff_package,
        ),
        Entry::new(
            tier,
            Adds,
            (
                "verdict",
                "Judge finished work",
                "Approve or reject finished work of another that you were asked to review.",
            ),
            acknowledged(),
            verdict,
        ),
        Entry::new(
            tier,
            Adds,
            (
                "check",
                "Report a check",
                "Report how a command ended that your finished work must pass; run it where the work is.",
            ),
            acknowledged(),
            check,
        ),
        Entry::new(
            tier,
            Adds,
            (
                "dispute",
                "Dispute a task",
                "Say that a task is yours which another has, or that another takes yours; ruled at once.",
            ),
            anything(),
            dispute,
        ),
        Entry::new(
            tier,
            Adds,
            (
                "components",
                "Propose components",
                "Propose the components of a large task whose planning you do; they become tasks when you call done.",
            ),
            acknowledged(),
            components,
        ),
        Entry::new(
            tier,
            Adds,
            ("renew", "Renew a reservation", "Renew a reservation before it expires."),
            anything(),
            renew,
        ),
        Entry::new(
            tier,
            Ends,
            ("free", "Free a reservation", "Free a reservation, or leave its line."),
            anything(),
            free,
        ),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

async fn status(visit: Visit, _: Nothing) -> Result<Value, Problem> {
    visit.get("/v1/status".to_owned()).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tasks {
    /// ready, blocked, assigned, in_progress, completed, failed, cancelled, ...
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    project: Option<String>,
    /// Only what this agent owns
    #[serde(default)]
    agent: Option<String>,
    /// At most so many, default 20
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// next_cursor of the answer before
    #[serde(default)]
    cursor: Option<String>,
}

async fn tasks(visit: Visit, it: Tasks) -> Result<Value, Problem> {
    let mut path = format!("/v1/tasks?limit={}", it.limit.unwrap_or(20).min(100));
    for (name, value) in
        [("state", it.state), ("project", it.project), ("agent", it.agent), ("cursor", it.cursor)]
    {
        if let Some(value) = value {
            path += &format!("&{name}={}", escaped(&value));
        }
    }
    visit.get(path).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OneTask {
    /// Such as T-12, or its own key
    task: String,
}

async fn task(visit: Visit, it: OneTask) -> Result<Value, Problem> {
    visit.get(task_path(&it.task, "")).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Mine {
    /// From join
    handle: String,
}

async fn mine(visit: Visit, it: Mine) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    visit.get(agent_path(&agent, "/assignments")).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Claim {
    /// From join
    handle: String,
    /// Such as T-12
    task: String,
}

async fn claim(visit: Visit, it: Claim) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    visit.post(task_path(&it.task, "/claim"), json!({"agent": agent})).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Submit {
    /// One line
    title: String,
    #[serde(default)]
    description: Option<String>,
    /// critical, high, medium or low
    #[serde(default)]
    priority: Option<String>,
    #[serde(default)]
    project: Option<String>,
    /// Tasks that must be completed first, such as T-12
    #[serde(default)]
    depends_on: Vec<String>,
}

async fn submit(visit: Visit, it: Submit) -> Result<Value, Problem> {
    let mut body = json!({"title": it.title, "depends_on": it.depends_on});
    for (name, value) in [("description", it.description), ("priority", it.priority), ("project", it.project)]
    {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    visit.post("/v1/tasks".to_owned(), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GiveBack {
    /// From join
    handle: String,
    /// Such as T-12
    task: String,
    /// From next, such as A-34
    assignment: String,
    /// Why, and what the next one should know
    note: String,
}

async fn give_back(visit: Visit, it: GiveBack) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    let body = json!({"agent": agent, "assignment": it.assignment, "note": it.note});
    visit.post(task_path(&it.task, "/release"), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Handoff {
    /// From join
    handle: String,
    /// Such as T-12
    task: String,
    /// request, confirm or decline
    action: String,
    /// With request: from next, such as A-34
    #[serde(default)]
    assignment: Option<String>,
    /// With request: to whom; the best other agent by default
    #[serde(default)]
    to: Option<String>,
    /// Why; with decline
    #[serde(default)]
    note: Option<String>,
}

async fn handoff(visit: Visit, it: Handoff) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    let (path, body) = match it.action.as_str() {
        "request" => {
            let mut body = json!({"agent": agent, "assignment": it.assignment, "to": it.to});
            if let Some(note) = it.note {
                body["note"] = json!(note);
            }
            ("/handoff", body)
        }
        "confirm" => ("/handoff/confirm", json!({"agent": agent})),
        "decline" => ("/handoff/decline", json!({"agent": agent, "reason": it.note.unwrap_or_default()})),
        other => {
            let given = format!("`{}`", other.escape_default().take(100).collect::<String>());
            return Err(Problem::field("action", given, "request, confirm, decline"));
        }
    };
    visit.post(task_path(&it.task, path), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HandoffPackage {
    /// From join
    handle: String,
    /// Such as T-12
    task: String,
    /// From next, such as A-34
    assignment: String,
    /// What is done
    completed: String,
    /// How things stand now
    state: String,
    /// What is left to do
    remaining: String,
    /// What else is to be known
    context: String,
    /// Files that belong to it, or none
    files: Vec<String>,
    /// All that is reserved for the task, such as R-7
    #[serde(default)]
    reservations: Vec<String>,
}

async fn handoff_package(visit: Visit, it: HandoffPackage) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    let body = json!({
        "agent": agent,
        "assignment": it.assignment,
        "completed": it.completed,
        "state": it.state,
        "remaining": it.remaining,
        "context": it.context,
        "files": it.files,
        "reservations": it.reservations,
    });
    visit.post(task_path(&it.task, "/handoff/package"), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Verdict {
    /// From join
    handle: String,
    /// Such as T-12
    task: String,
    /// approve or reject
    verdict: String,
    /// Why, and what is to be done; with reject
    #[serde(default)]
    notes: String,
    /// How good it is
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    score: Option<f64>,
}

async fn verdict(visit: Visit, it: Verdict) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    let mut body = json!({"agent": agent, "verdict": it.verdict, "notes": it.notes});
    if let Some(score) = it.score {
        body["score"] = json!(score);
    }
    visit.post(task_path(&it.task, "/verdict"), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Check {
    /// From join
    handle: String,
    /// Such as T-12
    task: String,
    /// 0 passes
    exit_code: i32,
    /// Of the whole output, such as sha256:2c26b46b68ff
    digest: String,
    /// The end of the output
    #[serde(default)]
    notes: String,
}

async fn check(visit: Visit, it: Check) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    let body = json!({"agent": agent, "exit_code": it.exit_code, "digest": it.digest, "notes": it.notes});
    visit.post(task_path(&it.task, "/check"), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Dispute {
    /// From join
    handle: String,
    /// Such as T-12
    task: String,
    /// Who takes it too; where you own it
    #[serde(default)]
    against: Option<String>,
    /// Why
    reason: String,
}

async fn dispute(visit: Visit, it: Dispute) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    let mut body = json!({"agent": agent, "reason": it.reason});
    if let Some(against) = it.against {
        body["against"] = json!(against);
    }
    visit.post(task_path(&it.task, "/dispute"), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Components {
    /// From join
    handle: String,
    /// The planning, such as T-12
    task: String,
    /// From next, such as A-34
    assignment: String,
    /// 1 to 50, in the place of what you proposed before
    components: Vec<Component>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Component {
    /// One line
    title: String,
    /// What is to be done, and by what it is known to be done
    #[serde(default)]
    description: String,
}

async fn components(visit: Visit, it: Components) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    let shown = |it: &Component| json!({"title": it.title, "description": it.description});
    let components: Vec<Value> = it.components.iter().map(shown).collect();
    let body = json!({"agent": agent, "assignment": it.assignment, "components": components});
    visit.post(task_path(&it.task, "/components"), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Held {
    /// From join
    handle: String,
    /// Such as R-7, or W-3 in line
    reservation: String,
}

async fn renew(visit: Visit, it: Held) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    let path = format!("/v1/reservations/{}/renew", escaped(&it.reservation));
    visit.post(path, json!({"agent": agent})).await
}

async fn free(visit: Visit, it: Held) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    let path = format!("/v1/reservations/{}/release", escaped(&it.reservation));
    visit.post(path, json!({"agent": agent})).await
}
