//! What managers do.

use kapell_api::Problem;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{acknowledged, agent_path, anything, listed, task_path};
use crate::gate::escaped;
use crate::tool::Effect::{Adds, Ends, Reads};
use crate::tool::{Entry, Tier, Visit};

/// Returns the tools that the tier `all` adds.
pub(crate) fn all() -> Vec<Entry> {
    let tier = Tier::All;
    vec![
        Entry::new(
            tier,
            Reads,
            ("agents", "List agents", "List the agents of the fleet with state and load."),
            listed(),
            agents,
        ),
        Entry::new(
            tier,
            Adds,
            ("assign", "Assign a task", "Assign a task to an agent by hand."),
            acknowledged(),
            assign,
        ),
        Entry::new(
            tier,
            Adds,
            ("move_task", "Move a task", "Move an owned task to another agent."),
            acknowledged(),
            move_task,
        ),
        Entry::new(
            tier,
            Adds,
            ("prioritise", "Assert a priority", "Say how urgent a task is; where words differ, it is ruled."),
            anything(),
            prioritise,
        ),
        Entry::new(
            tier,
            Adds,
            ("order", "Order two tasks", "Say that one task is to be done before another."),
            anything(),
            order,
        ),
        Entry::new(
            tier,
            Ends,
            (
                "break_down",
                "Break a task down",
                "Break a large task down that nobody has begun: planning, a task for each component, integration, testing.",
            ),
            anything(),
            break_down,
        ),
        Entry::new(tier, Ends, ("cancel", "Cancel a task", "Cancel a task."), acknowledged(), cancel),
        Entry::new(
            tier,
            Adds,
            ("reopen", "Reopen a task", "Reopen a failed or cancelled task."),
            acknowledged(),
            reopen,
        ),
        Entry::new(
            tier,
            Adds,
            ("drain", "Drain an agent", "Give an agent no new work; it ends what it has."),
            acknowledged(),
            drain,
        ),
        Entry::new(
            tier,
            Adds,
            ("resume", "Resume an agent", "Give a drained agent work again."),
            acknowledged(),
            resume,
        ),
        Entry::new(
            tier,
            Reads,
            ("escalations", "List escalations", "List what only a manager or a person can settle."),
            listed(),
            escalations,
        ),
        Entry::new(
            tier,
            Adds,
            ("settle", "Settle an escalation", "Settle an escalation, with a note on what was decided."),
            acknowledged(),
            settle,
        ),
        Entry::new(
            tier,
            Reads,
            ("inbox", "Show what waits", "Show what waits for you, or for a role: most pressing first."),
            anything(),
            inbox,
        ),
        Entry::new(
            tier,
            Adds,
            (
                "take_on",
                "Take an escalation on",
                "Say that you see to an escalation, so that it is not raised again.",
            ),
            acknowledged(),
            take_on,
        ),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Listing {
    /// next_cursor of the answer before
    #[serde(default)]
    cursor: Option<String>,
}

fn page(path: &str, it: Listing) -> String {
    let cursor = it.cursor.map(|cursor| format!("&cursor={}", escaped(&cursor))).unwrap_or_default();
    format!("{path}?limit=50{cursor}")
}

async fn agents(visit: Visit, it: Listing) -> Result<Value, Problem> {
    visit.get(page("/v1/agents", it)).await
}

async fn escalations(visit: Visit, it: Listing) -> Result<Value, Problem> {
    visit.get(page("/v1/escalations", it)).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Assign {
    /// Such as T-12
    task: String,
    /// To whom
    agent: String,
}

async fn assign(visit: Visit, it: Assign) -> Result<Value, Problem> {
    visit.post(task_path(&it.task, "/assign"), json!({"agent": it.agent})).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Move {
    /// Such as T-12
    task: String,
    /// To whom
    agent: String,
    /// Why, and what the new owner should know
    note: String,
}

async fn move_task(visit: Visit, it: Move) -> Result<Value, Problem> {
    visit.post(task_path(&it.task, "/move"), json!({"agent": it.agent, "note": it.note})).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ended {
    /// Such as T-12
    task: String,
    /// Why
    reason: String,
}

async fn cancel(visit: Visit, it: Ended) -> Result<Value, Problem> {
    visit.post(task_path(&it.task, "/cancel"), json!({"reason": it.reason})).await
}

async fn reopen(visit: Visit, it: Ended) -> Result<Value, Problem> {
    visit.post(task_path(&it.task, "/reopen"), json!({"reason": it.reason})).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OneAgent {
    /// Its name
    agent: String,
}

async fn drain(visit: Visit, it: OneAgent) -> Result<Value, Problem> {
    visit.post(agent_path(&it.agent, "/drain"), json!({})).await
}

async fn resume(visit: Visit, it: OneAgent) -> Result<Value, Problem> {
    visit.post(agent_path(&it.agent, "/resume"), json!({})).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settle {
    /// Such as E-2
    escalation: String,
    /// What was decided
    note: String,
}

async fn settle(visit: Visit, it: Settle) -> Result<Value, Problem> {
    let path = format!("/v1/escalations/{}/settle", escaped(&it.escalation));
    visit.post(path, json!({"note": it.note})).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OneRole {
    /// Such as agent_manager; your own inbox where it is left out
    #[serde(default)]
    role: Option<String>,
}

async fn inbox(visit: Visit, it: OneRole) -> Result<Value, Problem> {
    let role = it.role.map(|role| format!("&role={}", escaped(&role))).unwrap_or_default();
    visit.get(format!("/v1/inbox?limit=50{role}")).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Prioritise {
    /// Such as T-12
    task: String,
    /// critical, high, medium or low
    priority: String,
    /// Why
    reason: String,
    /// From join; without it the manager says so
    #[serde(default)]
    handle: Option<String>,
}

async fn prioritise(visit: Visit, it: Prioritise) -> Result<Value, Problem> {
    let mut body = json!({"priority": it.priority, "reason": it.reason});
    if let Some(handle) = it.handle {
        body["agent"] = json!(visit.agent(&handle)?);
    }
    visit.post(task_path(&it.task, "/priority"), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OneEscalation {
    /// Such as E-2
    escalation: String,
}

async fn take_on(visit: Visit, it: OneEscalation) -> Result<Value, Problem> {
    visit.post(format!("/v1/escalations/{}/acknowledge", escaped(&it.escalation)), json!({})).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    /// What comes first, such as T-12
    first: String,
    /// What comes after it
    then: String,
    /// Why
    reason: String,
    /// From join; without it the manager says so
    #[serde(default)]
    handle: Option<String>,
}

async fn order(visit: Visit, it: Order) -> Result<Value, Problem> {
    let mut body = json!({"first": it.first, "then": it.then, "reason": it.reason});
    if let Some(handle) = it.handle {
        body["agent"] = json!(visit.agent(&handle)?);
    }
    visit.post("/v1/orders".to_owned(), body).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BreakDown {
    /// Such as T-12
    task: String,
    /// A line each; by default those of its text, else its planning says them
    #[serde(default)]
    components: Vec<String>,
}

async fn break_down(visit: Visit, it: BreakDown) -> Result<Value, Problem> {
    let components: Vec<Value> = it.components.iter().map(|title| json!({"title": title})).collect();
    visit.post(task_path(&it.task, "/breakdown"), json!({"components": components})).await
}
