//! What an agent that works off tasks needs.

use kapell_api::{ErrorCode, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{acknowledged, agent_path, anything, task_path};
use crate::gate::escaped;
use crate::handle;
use crate::tool::Effect::{Adds, Ends, Reads};
use crate::tool::{Entry, Tier, Visit};

/// What a capability that is named without a number counts as.
const CAPABILITY: f64 = 0.8;
/// How long `next` waits unless told otherwise, in seconds.
const WAIT_SECONDS: u64 = 20;

/// Returns the tools of the tier `core`.
pub(crate) fn core() -> Vec<Entry> {
    let tier = Tier::Core;
    vec![
        Entry::new(
            tier,
            Adds,
            (
                "join",
                "Join the fleet",
                "Join the Kapell orchestrator as an agent, or attach again after a restart (register, resume). \
              Returns the handle that every other call needs, and the tasks that are already yours: finish those first.",
            ),
            json!({"type": "object", "properties": {
                "handle": {"type": "string"},
                "agent": {"type": "string"},
                "assignments": assignments(),
                "hint": {"type": "string"},
            }, "required": ["handle", "agent", "assignments", "hint"]}),
            join,
        ),
        Entry::new(
            tier,
            Adds,
            (
                "next",
                "Get the next task",
                "Get your next task from the Kapell backlog (claim work, poll queue, heartbeat). Waits up to \
              wait_seconds; an empty answer is normal: call it again. Also returns notices to you, such as a task that was taken away.",
            ),
            json!({"type": "object", "properties": {
                "assignments": assignments(),
                "notices": {"type": "array", "items": {"type": "object"}},
                "messages": {"type": "array", "items": {"type": "object"}},
                "hint": {"type": "string"},
            }, "required": ["assignments", "hint"]}),
            next,
        ),
        Entry::new(
            tier,
            Adds,
            (
                "progress",
                "Report progress",
                "Report that you began a task or how far you are (start, status, heartbeat). \
              Call it when you begin and at least every 10 minutes, or your task may go to somebody else.",
            ),
            acknowledged(),
            progress,
        ),
        Entry::new(
            tier,
            Adds,
            (
                "done",
                "Report a task as done",
                "Report that a task is finished and what came of it (complete, result).",
            ),
            acknowledged(),
            done,
        ),
        Entry::new(
            tier,
            Ends,
            (
                "fail",
                "Report a failed attempt",
                "Report that you could not do a task, and why (error, give up). \
              It returns to the queue unless no_retry is set.",
            ),
            acknowledged(),
            fail,
        ),
        Entry::new(
            tier,
            Adds,
            (
                "reserve",
                "Reserve files and other resources",
                "Reserve files, branches, environments or devices before you change them (lock), \
              so that no other agent does at the same time.",
            ),
            json!({"type": "object", "properties": {
                "reservation": {"type": "string", "description": "It is yours"},
                "wait": {"type": "string", "description": "You stand in line; next tells when it is yours"},
                "expires_at": {"type": "string"},
            }}),
            reserve,
        ),
        Entry::new(
            tier,
            Adds,
            (
                "message",
                "Send a message",
                "Send a message to another agent or a channel (ask, answer, tell), or acknowledge one that wants it.",
            ),
            json!({"type": "object", "properties": {"message": {"type": "string"}}}),
            message,
        ),
        Entry::new(
            tier,
            Reads,
            (
                "why",
                "Explain a task",
                "Explain why a task is where it is: who got it and by which score, or what it waits for.",
            ),
            anything(),
            why,
        ),
    ]
}

/// The schema of tasks in an agent's hands.
fn assignments() -> Value {
    json!({"type": "array", "items": {"type": "object", "properties": {
        "task": {"type": "string"},
        "assignment": {"type": "string"},
        "title": {"type": "string"},
        "description": {"type": "string"},
        "note": {"type": "string"},
    }, "required": ["task", "assignment", "title"]}})
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Join {
    /// Your name in the fleet, such as backend-1; the same one after a restart
    #[serde(default)]
    name: Option<String>,
    /// What you are: developer, reviewer, ...
    #[serde(default)]
    role: Option<String>,
    /// What you can do, such as rust or sql=0.9 (0 to 1)
    #[serde(default)]
    capabilities: Vec<String>,
}

async fn join(visit: Visit, it: Join) -> Result<Value, Problem> {
    let name = it.name.clone().or_else(|| visit.agent.clone()).ok_or_else(handle::nameless)?;
    let known = visit.get(agent_path(&name, "")).await;
    let mut hint = String::new();
    match known {
        Ok(agent) if agent["state"] == "removed" => {
            let detail = format!("agent `{name}` was removed from the fleet");
            return Err(Problem::new(ErrorCode::WrongState, detail).hint("join under another name"));
        }
        Ok(_) if !it.capabilities.is_empty() => {
            hint += "You are known already; your capabilities were left as they are. ";
        }
        Ok(_) => {}
        Err(problem) if problem.code == ErrorCode::NotFound => register(&visit, &name, &it).await?,
        Err(problem) => return Err(problem),
    }
    visit.post(agent_path(&name, "/heartbeat"), json!({})).await?;
    let owned = visit.get(agent_path(&name, "/assignments")).await?;
    let assignments = owned.get("assignments").cloned().unwrap_or_else(|| json!([]));
    hint += if assignments.as_array().is_some_and(|owned| !owned.is_empty()) {
        "These tasks are yours: go on with them, and report with progress, done or fail."
    } else {
        "Nothing is yours yet: call next."
    };
    let handle = handle::made(&name, visit.gate.token());
    Ok(json!({"handle": handle, "agent": name, "assignments": assignments, "hint": hint}))
}

async fn register(visit: &Visit, name: &str, it: &Join) -> Result<(), Problem> {
    let mut body = json!({"name": name, "capabilities": scores(&it.capabilities)?});
    if let Some(role) = &it.role {
        body["role"] = json!(role);
    }
    match visit.post("/v1/agents".to_owned(), body).await {
        Ok(_) => Ok(()),
        Err(problem) if problem.code == ErrorCode::Forbidden => {
            let detail = format!("there is no agent `{name}`, and your token may not register one");
            let hint = format!(
                "a manager runs `kapell agent add {name}`; or join under the name that your token was made for"
            );
            Err(Problem::new(ErrorCode::Forbidden, detail).hint(hint))
        }
        Err(problem) => Err(problem),
    }
}

/// Reads `rust` and `sql=0.9`.
fn scores(words: &[String]) -> Result<Map<String, Value>, Problem> {
    let mut scores = Map::new();
    for word in words {
        let (name, score) = match word.split_once('=') {
            None => (word.as_str(), CAPABILITY),
            Some((name, score)) => {
                let allowed = "a name, or a name and a number from 0 to 1: sql=0.9";
                let wrong =
                    |_| Problem::field("capabilities", format!("`{}`", word.escape_default()), allowed);
                (name, score.trim().parse::<f64>().map_err(wrong)?)
            }
        };
        scores.insert(name.trim().to_owned(), json!(score));
    }
    Ok(scores)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Next {
    /// From join
    handle: String,
    /// 0 to 30, default 20
    #[serde(default)]
    #[schemars(range(min = 0, max = 30))]
    wait_seconds: Option<u64>,
    /// The last notice that you have read, such as N-3
    #[serde(default)]
    notices_read: Option<String>,
    /// The last message that you have read, such as M-3
    #[serde(default)]
    messages_read: Option<String>,
}

async fn next(visit: Visit, it: Next) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    let wait_seconds = it.wait_seconds.unwrap_or(WAIT_SECONDS);
    if wait_seconds > 30 {
        return Err(Problem::field("wait_seconds", wait_seconds.to_string(), "0 to 30"));
    }
    if let Some(up_to) = it.notices_read {
        visit.post(agent_path(&agent, "/notices/read"), json!({"up_to": up_to})).await?;
    }
    if let Some(up_to) = it.messages_read {
        visit.post(agent_path(&agent, "/messages/read"), json!({"up_to": up_to})).await?;
    }
    let body = json!({"wait_ms": wait_seconds * 1000, "max": 1});
    let mut answer = visit.post(agent_path(&agent, "/next"), body).await?;
    let some = answer["assignments"].as_array().is_some_and(|handed| !handed.is_empty());
    let hint = if some {
        "Call progress with this task and assignment as you begin, then do the work, then call done or fail."
    } else {
        "No task for you now: call next again."
    };
    answer["hint"] = json!(hint);
    Ok(answer)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Progress {
    /// From join
    handle: String,
    /// Such as T-12
    task: String,
    /// From next, such as A-34
    assignment: String,
    /// Percent done
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    percent: Option<u8>,
    /// What you are doing, and what somebody who took over should know
    #[serde(default)]
    note: Option<String>,
    /// What this attempt has used in all so far
    #[serde(default)]
    #[schemars(with = "Usage")]
    usage: Option<Usage>,
}

/// What an attempt has used; the door says what is allowed.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Usage {
    /// Read
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u64>,
    /// Written
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u64>,
    /// Millionths: 1.25 is 1250000
    #[serde(default, skip_serializing_if = "Option::is_none")]
    money_micros: Option<u64>,
}

async fn progress(visit: Visit, it: Progress) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    let mut body =
        json!({"agent": agent, "assignment": it.assignment, "percent": it.percent, "note": it.note});
    body["usage"] = json!(it.usage);
    visit.post(task_path(&it.task, "/progress"), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Done {
    /// From join
    handle: String,
    /// Such as T-12
    task: String,
    /// From next, such as A-34
    assignment: String,
    /// What came of it: what you changed, where, and how it was checked
    result: String,
    /// What this attempt has used in all so far
    #[serde(default)]
    #[schemars(with = "Usage")]
    usage: Option<Usage>,
}

async fn done(visit: Visit, it: Done) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    let body = json!({"agent": agent, "assignment": it.assignment, "result": it.result, "usage": it.usage});
    visit.post(task_path(&it.task, "/done"), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fail {
    /// From join
    handle: String,
    /// Such as T-12
    task: String,
    /// From next, such as A-34
    assignment: String,
    /// Why, and what you tried
    reason: String,
    /// Another attempt makes no sense
    #[serde(default)]
    no_retry: bool,
}

async fn fail(visit: Visit, it: Fail) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    let body =
        json!({"agent": agent, "assignment": it.assignment, "reason": it.reason, "retry": !it.no_retry});
    visit.post(task_path(&it.task, "/fail"), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reserve {
    /// From join
    handle: String,
    /// Each path:GLOB, branch:NAME, env:NAME or device:NAME, such as path:src/**/*.rs
    #[schemars(length(min = 1, max = 16))]
    resources: Vec<String>,
    /// Your task that it is for: released when it ends
    #[serde(default)]
    task: Option<String>,
    /// Others may read the same
    #[serde(default)]
    shared: bool,
    /// You only read them: others may too where they are a bottleneck
    #[serde(default)]
    reads: bool,
    /// Stand in line where somebody has it
    #[serde(default)]
    wait: bool,
}

async fn reserve(visit: Visit, it: Reserve) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    let mode = match (it.shared, it.reads) {
        (true, true) => return Err(Problem::field("reads", "true", "false, or true without shared")),
        (true, false) => "shared",
        (false, true) => "reads",
        (false, false) => "exclusive",
    };
    let needs: Vec<Value> =
        it.resources.iter().map(|resource| json!({"resource": resource, "mode": mode})).collect();
    let mut body = json!({"agent": agent, "resources": needs, "wait": it.wait});
    if let Some(task) = it.task {
        body["task"] = json!(task);
    }
    visit.post("/v1/reservations".to_owned(), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Message {
    /// From join
    handle: String,
    /// The agent that is to read it, or channel
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    text: Option<String>,
    /// critical, high, medium or low: how soon it is to be read
    #[serde(default)]
    priority: Option<String>,
    /// The message that you answer, such as M-3
    #[serde(default)]
    reply_to: Option<String>,
    /// Instead of sending: the message that you acknowledge
    #[serde(default)]
    ack: Option<String>,
}

async fn message(visit: Visit, it: Message) -> Result<Value, Problem> {
    let agent = visit.agent(&it.handle)?;
    if let Some(id) = it.ack {
        return visit.post(format!("/v1/messages/{}/ack", escaped(&id)), json!({"agent": agent})).await;
    }
    let mut body = json!({"from": agent, "text": it.text.unwrap_or_default()});
    for (name, value) in
        [("to", it.to), ("channel", it.channel), ("priority", it.priority), ("reply_to", it.reply_to)]
    {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    visit.post("/v1/messages".to_owned(), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Why {
    /// Such as T-12
    task: String,
}

async fn why(visit: Visit, it: Why) -> Result<Value, Problem> {
    visit.get(task_path(&it.task, "/why")).await
}
