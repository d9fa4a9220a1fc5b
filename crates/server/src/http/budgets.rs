//! Budgets: what was spent, what may be, and how both are said.

use axum::Json;

use kapell_api::{self as api, Ack, BudgetStanding, Costs, NewBudget, Page, Problem, TaskCost};
use kapell_core::{BudgetOf, BudgetTarget, Command, Event, Grade, Ledger, State, Task, UsageReport};
use kapell_model::{Budget, Budgets, Cost, Day, Limit, Limits, Period, Unit, Usage, limits};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::agents::{cursor, limit};
use super::convert::{ack, time};
use super::door::{Asked, Body, Door, Path};
use super::problem::Refusals;
use super::published::About;
use super::{Refusal, parse};
use crate::fleet::View;
use crate::token::Access;

/// Agents and projects that costs name.
const NAMED_MAX: usize = 20;
/// Closed budgets that costs name.
const CLOSED_MAX: usize = 100;
const KINDS: [&str; 4] = ["fleet", "project", "agent", "task"];

/// Reports what an attempt has used in all since it began. Under an outdated token it counts too, since it was spent.
#[utoipa::path(post, path = "/v1/tasks/{task}/usage", request_body = api::UsageReport, tag = "budgets",
    params(
        ("task" = String, Path, description = "T-12 or its key"),
        ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
    ),
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn usage(
    door: Door,
    Path(task): Path<String>,
    body: Body<api::UsageReport>,
) -> Result<Json<Ack>, Refusal> {
    let agent = parse::name("agent", &body.value.agent)?;
    door.speak_for(&agent)?;
    let report = UsageReport {
        task: parse::task("task", &task)?,
        agent: agent.clone(),
        assignment: parse::assignment(&body.value.assignment)?,
        usage: used(&body.value.usage),
    };
    let reply = door.command(body.fingerprint, Some(agent), Command::ReportUsage(report)).await?;
    Ok(Json(ack(&reply)))
}

/// Sets what a task, an agent, a project or the fleet may cost, or takes that back.
#[utoipa::path(put, path = "/v1/budgets", request_body = NewBudget, tag = "budgets",
    responses((status = 200, body = Ack), Refusals))]
pub(super) async fn set(door: Door, body: Body<NewBudget>) -> Result<Json<Ack>, Refusal> {
    door.require(Access::Manager)?;
    let NewBudget { of, name, budget } = &body.value;
    let of = kind("of", of)?;
    let name = match (of, name.as_deref()) {
        ("fleet", Some(_)) => return Err(Problem::field("name", "there", "absent for the fleet").into()),
        ("fleet", None) => "",
        (_, Some(name)) => name,
        (_, None) => return Err(Problem::field("name", "missing", format!("which {of}")).into()),
    };
    let target = match of {
        "task" => BudgetTarget::Task(parse::task("name", name)?),
        "agent" => BudgetTarget::Agent(parse::name("name", name)?),
        "project" => BudgetTarget::Project(parse::name("name", name)?),
        _ => BudgetTarget::Fleet,
    };
    let budget = budget.as_ref().map(budget_in);
    door.acknowledged(body.fingerprint, None, Command::SetBudget { target, budget }).await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct BudgetQuery {
    /// Only of a `task`, an `agent`, a `project` or the `fleet`.
    of: Option<String>,
    /// `closed`: only those under which nothing is assigned.
    state: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items a page, 1 to 1000; 100 where absent.
    limit: Option<usize>,
}

/// Lists how budgets stand: of the fleet, of projects and agents that have spent something or have one of their own, and of tasks
/// that are closed. A task says itself how its budget stands.
#[utoipa::path(get, path = "/v1/budgets", params(BudgetQuery), tag = "budgets",
    responses((status = 200, body = Page<BudgetStanding>), Refusals))]
pub(super) async fn list(
    door: Door,
    Asked(query): Asked<BudgetQuery>,
) -> Result<Json<Page<BudgetStanding>>, Refusal> {
    let of = query.of.as_deref().map(|of| kind("of", of)).transpose()?;
    let closed = match query.state.as_deref() {
        None => false,
        Some("closed") => true,
        Some(other) => {
            let given: String = other.escape_default().take(100).collect();
            return Err(Problem::field("state", format!("`{given}`"), "closed").into());
        }
    };
    let (from, limit) = (cursor(query.cursor.as_deref())?, limit(query.limit)?);
    let found = door.app.fleet.query(move |view| {
        let ledgers = view.state.ledgers();
        let projects = ledgers.projects().keys().map(|project| BudgetOf::Project(project.clone()));
        let agents = ledgers.agents().keys().map(|&agent| BudgetOf::Agent(agent));
        let tasks = ledgers.closed().iter().filter(|of| matches!(of, BudgetOf::Task(_))).cloned();
        let all = [BudgetOf::Fleet {}].into_iter().chain(projects).chain(agents).chain(tasks);
        let wanted = all.filter(|it| of.is_none_or(|of| of == word(it)));
        let mut wanted = wanted.filter(|it| !closed || ledgers.closed().contains(it)).skip(from);
        let items: Vec<_> = wanted.by_ref().take(limit).map(|of| standing(view.state, &of)).collect();
        let next_cursor = wanted.next().map(|_| (from + limit).to_string());
        Page { items, next_cursor }
    });
    Ok(Json(found.await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct CostQuery {
    /// Days that are shown one by one, 0 to 400; 30 where absent.
    days: Option<usize>,
    /// As of this position of the log, or this time by RFC 3339; now where absent.
    at: Option<String>,
}

/// Shows what the fleet has spent: in all, by day, by agent, by project and by the type of task.
#[utoipa::path(get, path = "/v1/costs", params(CostQuery), tag = "budgets",
    responses((status = 200, body = Costs), Refusals))]
pub(super) async fn costs(door: Door, Asked(query): Asked<CostQuery>) -> Result<Json<Costs>, Refusal> {
    let days = query.days.unwrap_or(30);
    if days > limits::COST_DAYS_MAX {
        return Err(Problem::field("days", days.to_string(), "0 to 400").into());
    }
    Ok(Json(door.view(query.at.as_deref(), move |view| spent(view, days)).await?))
}

/// Gathers what the fleet has spent.
pub(super) fn spent(view: &View<'_>, days: usize) -> Costs {
    let (state, ledgers) = (view.state, view.state.ledgers());
    let (fleet, today) = (ledgers.fleet(), Day::of(view.now));
    let agents = ledgers.agents().iter().map(|(&id, it)| (state.agent(id).spec.name.to_string(), it));
    let projects = ledgers.projects().iter().map(|(name, it)| (name.to_string(), it));
    let types = ledgers.types().iter().map(|(name, it)| (name.to_string(), it));
    let ((agents, agents_total), (projects, projects_total)) = (named(agents, today), named(projects, today));
    let (types, types_total) = named(types, today);
    Costs {
        currency: state.policy().budgets.currency.to_string(),
        total: usage_of(&fleet.total),
        today: usage_of(&fleet.used(Period::Day, today)),
        running: cost(fleet.committed),
        days: ledgers.days().iter().rev().take(days).map(|(&day, usage)| of_day(day, usage)).collect(),
        agents,
        agents_total,
        projects,
        projects_total,
        types,
        types_total,
        closed: ledgers.closed().iter().take(CLOSED_MAX).map(|of| standing(state, of)).collect(),
        closed_total: u32::try_from(ledgers.closed().len()).unwrap_or(u32::MAX),
    }
}

/// Returns what the fleet has spent, in short.
pub(super) fn totals(view: &View<'_>) -> api::CostTotals {
    let ledgers = view.state.ledgers();
    api::CostTotals {
        currency: view.state.policy().budgets.currency.to_string(),
        total: usage_of(&ledgers.fleet().total),
        today: usage_of(&ledgers.fleet().used(Period::Day, Day::of(view.now))),
        budgets_closed: u32::try_from(ledgers.closed().len()).unwrap_or(u32::MAX),
    }
}

/// Says in words why an agent's budget keeps it from getting work.
pub(super) fn about_agent(state: &State, agent: kapell_model::AgentId) -> Option<String> {
    let of = BudgetOf::Agent(agent);
    let (_, closing) = state.ledger(&of)?.closed?;
    Some(state.closing_text(&of, &closing))
}

fn of_day(day: Day, usage: &Usage) -> api::DayCost {
    api::DayCost { day: time(day.begins()).chars().take(10).collect(), usage: usage_of(usage) }
}

/// Returns those that used most, and how many there are in all.
fn named<'a>(all: impl Iterator<Item = (String, &'a Ledger)>, today: Day) -> (Vec<api::NamedCost>, u32) {
    let mut all: Vec<(String, &Ledger)> = all.filter(|(_, ledger)| !ledger.total.is_none()).collect();
    all.sort_by_key(|(_, ledger)| {
        let cost = ledger.total.cost();
        std::cmp::Reverse((cost.money, cost.tokens))
    });
    let shown = |(name, ledger): (String, &Ledger)| api::NamedCost {
        name,
        total: usage_of(&ledger.total),
        today: usage_of(&ledger.used(Period::Day, today)),
    };
    let total = u32::try_from(all.len()).unwrap_or(u32::MAX);
    (all.into_iter().take(NAMED_MAX).map(shown).collect(), total)
}

fn kind(field: &str, text: &str) -> Result<&'static str, Problem> {
    KINDS.into_iter().find(|kind| *kind == text).ok_or_else(|| {
        let given: String = text.escape_default().take(100).collect();
        Problem::field(field, format!("`{given}`"), KINDS.join(", "))
    })
}

const fn word(of: &BudgetOf) -> &'static str {
    match of {
        BudgetOf::Task(_) => "task",
        BudgetOf::Agent(_) => "agent",
        BudgetOf::Project(_) => "project",
        BudgetOf::Fleet {} => "fleet",
    }
}

/// Shows how a budget stands.
fn standing(state: &State, of: &BudgetOf) -> BudgetStanding {
    let (nothing, day) = (Ledger::default(), state.ledgers().day());
    let (ledger, budget) = (state.ledger(of).unwrap_or(&nothing), state.budget(of));
    let warned = budget.limits().filter(|&(period, measure, _)| ledger.is_warned(period, measure, day));
    BudgetStanding {
        of: word(of).to_owned(),
        name: match of {
            BudgetOf::Task(task) => Some(task.to_string()),
            BudgetOf::Agent(agent) => Some(state.agent(*agent).spec.name.to_string()),
            BudgetOf::Project(project) => Some(project.to_string()),
            BudgetOf::Fleet {} => None,
        },
        budget: budget_out(&budget),
        own: ledger.own.is_some(),
        total: usage_of(&ledger.total),
        today: usage_of(&ledger.used(Period::Day, day)),
        running: cost(ledger.committed),
        state: ledger.closed.map_or("open", |(_, closing)| closing.grade.as_str()).to_owned(),
        because: ledger.closed.map(|(_, closing)| state.closing_text(of, &closing)),
        since: ledger.closed.map(|(at, _)| time(at)),
        warned: warned
            .map(|(period, measure, _)| format!("{}.{}", period.as_str(), measure.as_str()))
            .collect(),
    }
}

/// Shows what a task costs; nothing where nothing was used, limited or learned.
pub(super) fn of_task(state: &State, task: &Task) -> Option<TaskCost> {
    let expected = state.expected_cost(&task.spec).filter(|_| task.is_open());
    let of = BudgetOf::Task(task.id);
    let limited = task.is_open() && state.budget(&of) != Budget::default();
    if task.account.is_none() && expected.is_none() && !limited {
        return None;
    }
    let owner = task.owner.as_ref().map(|owner| (owner.assignment, owner.agent));
    let whose = |assignment| {
        let mut all = task.past.iter().copied().chain(owner);
        all.find(|(other, _)| *other == assignment).map(|(_, agent)| state.agent(agent).spec.name.to_string())
    };
    let attempts = task.account.iter().flat_map(|account| &account.attempts);
    Some(TaskCost {
        currency: state.policy().budgets.currency.to_string(),
        standing: standing(state, &of),
        attempts: attempts
            .map(|(assignment, usage)| api::AttemptCost {
                assignment: assignment.to_string(),
                agent: whose(*assignment).unwrap_or_default(),
                usage: usage_of(usage),
            })
            .collect(),
        expected: expected.map(|it| api::ExpectedCost {
            p50: cost(it.p50),
            p90: cost(it.p90),
            from: it.from,
        }),
        to_finish: state.cost_to_finish(task).filter(|_| task.is_open()).map(cost),
    })
}

/// Says in words what a task's budgets have to do with where it is.
pub(super) fn about_task(state: &State, task: &Task) -> Vec<String> {
    let waits = task.owner.is_none() && task.is_open();
    let closed = state.closed_for(task).filter(|_| waits);
    let mut facts: Vec<String> =
        closed.map(|(of, closing)| state.closing_text(&of, &closing)).into_iter().collect();
    let used = task.account.as_ref().map(|account| account.ledger.total.cost()).unwrap_or_default();
    if task.is_open() && !used.is_none() {
        let rest = state.cost_to_finish(task).map(|rest| format!(", {} more expected", amounts(state, rest)));
        facts.push(format!("{} used so far{}", amounts(state, used), rest.unwrap_or_default()));
    }
    facts
}

fn amounts(state: &State, cost: Cost) -> String {
    let all = Unit::ALL.into_iter().rev().filter(|&measure| cost.of(measure) > 0);
    let all: Vec<String> = all.map(|measure| state.amount(measure, cost.of(measure))).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(" and ") }
}

/// Reads what was used. Ranges are the core's business.
pub(super) fn used(usage: &api::Usage) -> Usage {
    Usage {
        input: usage.input_tokens,
        cached: usage.cached_tokens,
        output: usage.output_tokens,
        money: usage.money_micros,
    }
}

fn usage_of(usage: &Usage) -> api::Usage {
    api::Usage {
        input_tokens: usage.input,
        cached_tokens: usage.cached,
        output_tokens: usage.output,
        money_micros: usage.money,
    }
}

fn cost(cost: Cost) -> api::Cost {
    api::Cost { tokens: cost.tokens, money_micros: cost.money }
}

pub(super) fn limits_in(all: &api::Limits) -> Limits {
    let limit = |limit: api::Limit| Limit { soft: limit.soft, hard: limit.hard };
    Limits { tokens: limit(all.tokens), money: limit(all.money_micros) }
}

fn limits_out(all: &Limits) -> api::Limits {
    let limit = |limit: Limit| api::Limit { soft: limit.soft, hard: limit.hard };
    api::Limits { tokens: limit(all.tokens), money_micros: limit(all.money) }
}

fn budget_in(budget: &api::Budget) -> Budget {
    Budget { total: limits_in(&budget.total), day: limits_in(&budget.day) }
}

fn budget_out(budget: &Budget) -> api::Budget {
    api::Budget { total: limits_out(&budget.total), day: limits_out(&budget.day) }
}

/// Reads the part of the policy.
pub(super) fn policy_in(budgets: &api::Budgets) -> Result<Budgets, Problem> {
    Ok(Budgets {
        currency: parse::text("budgets.currency", &budgets.currency, 3)?,
        task: limits_in(&budgets.task),
        agent: budget_in(&budgets.agent),
        project: budget_in(&budgets.project),
        fleet: budget_in(&budgets.fleet),
    })
}

/// Shows the part of the policy.
pub(super) fn policy_out(budgets: &Budgets) -> api::Budgets {
    api::Budgets {
        currency: budgets.currency.to_string(),
        task: limits_out(&budgets.task),
        agent: budget_out(&budgets.agent),
        project: budget_out(&budgets.project),
        fleet: budget_out(&budgets.fleet),
    }
}

/// Returns whose budget an event is about.
fn of_event(event: &Event) -> Option<&BudgetOf> {
    match event {
        Event::BudgetSet { of, .. }
        | Event::BudgetWarned { of, .. }
        | Event::BudgetClosed { of, .. }
        | Event::BudgetOpened { of } => Some(of),
        _ => None,
    }
}

/// Returns what an event about costs and budgets is about.
pub(super) fn about(event: &Event) -> About {
    let none = About::default();
    if let Event::UsageReported { task, agent, assignment, .. } = *event {
        return About { task: Some(task), agent: Some(agent), assignment: Some(assignment) };
    }
    match of_event(event) {
        Some(BudgetOf::Task(task)) => About { task: Some(*task), ..none },
        Some(BudgetOf::Agent(agent)) => About { agent: Some(*agent), ..none },
        Some(BudgetOf::Project(_) | BudgetOf::Fleet {}) | None => none,
    }
}

/// Shows what an event about costs and budgets says.
pub(super) fn event(event: &Event, agent: impl Fn(kapell_model::AgentId) -> String) -> Value {
    let name = |of: &BudgetOf| match of {
        BudgetOf::Task(task) => json!(task.to_string()),
        BudgetOf::Agent(id) => json!(agent(*id)),
        BudgetOf::Project(project) => json!(project),
        BudgetOf::Fleet {} => Value::Null,
    };
    let mut shown = match event {
        Event::UsageReported { usage, .. } => json!({ "usage": usage_of(usage) }),
        Event::BudgetDayBegan { day } => json!({ "day": time(day.begins()) }),
        Event::BudgetSet { budget, .. } => json!({ "budget": budget.as_ref().map(budget_out) }),
        Event::BudgetWarned { period, measure, limit, spent, .. } => json!({
            "period": period, "measure": measure, "limit": limit, "spent": spent,
        }),
        Event::BudgetClosed { closing, .. } => json!({
            "state": closing.grade.as_str(),
            "period": closing.period,
            "measure": closing.measure,
            "limit": closing.limit,
            "spent": closing.spent,
            "running": closing.committed,
            "expected": cost(closing.expected),
        }),
        _ => json!({}),
    };
    if let Some(of) = of_event(event) {
        shown["of"] = json!(word(of));
        shown["name"] = name(of);
    }
    shown
}

/// Tells what a budget has done to a task, in words.
pub(super) fn told(event: &Event) -> Option<String> {
    Some(match event {
        Event::BudgetSet { budget: Some(_), .. } => "a budget of its own was set".to_owned(),
        Event::BudgetSet { budget: None, .. } => "its own budget was taken back".to_owned(),
        Event::BudgetClosed { closing, .. } => match closing.grade {
            Grade::Reached => "its budget is spent".to_owned(),
            Grade::Short | Grade::Tight => "its budget has no room for another attempt".to_owned(),
        },
        Event::BudgetOpened { .. } => "its budget has room again".to_owned(),
        _ => return None,
    })
}
