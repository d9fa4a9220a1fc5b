//! The fleet at a glance, and whose token it is that looks.

use axum::Json;
use axum::response::Response;
use kapell_api::{AgentLoad, FlowHour, HealthNow, HealthShare, Late, Overview, Queued, Session, WorkItem};
use kapell_core::{Agent, State, Task};
use kapell_model::{AgentState, Moment, Span};

use super::door::Door;
use super::problem::Refusals;
use super::{Refusal, convert, fleet, webhooks, why};
use crate::fleet::View;
use crate::serve::DEFAULT_FLEET;

/// Agents that are shown with their load.
const LOADS_MAX: usize = 200;
/// Tasks of one agent that are shown.
const ITEMS_MAX: usize = 10;
/// Lines of each other list.
const LINES_MAX: usize = 10;

/// Tells whose token it is.
#[utoipa::path(get, path = "/v1/session", tag = "tokens", responses((status = 200, body = Session), Refusals))]
pub(super) async fn session(door: Door) -> Json<Session> {
    Json(Session {
        access: door.caller.access.as_str().to_owned(),
        agent: door.caller.agent.as_ref().map(ToString::to_string),
        actor: door.caller.actor.to_string(),
        fleet: DEFAULT_FLEET.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Returns the fleet at a glance: health, who does what, what waits and why, what is late, what needs a person.
#[utoipa::path(get, path = "/v1/overview", tag = "fleet", responses((status = 200, body = Overview), Refusals))]
pub(super) async fn overview(door: Door) -> Result<Response, Refusal> {
    let app = door.app.clone();
    let make = move || {
        let app = app.clone();
        async move {
            let mut overview = app.fleet.query(glance).await?;
            overview.webhooks_stuck = webhooks::stuck(&app);
            Ok(overview)
        }
    };
    door.app.shared.answer("overview".to_owned(), make).await
}

fn glance(view: &View<'_>) -> Overview {
    let (state, status) = (view.state, fleet::in_numbers(view));
    let queue = state.situation().first_waiting(LINES_MAX).into_iter();
    let escalations = state.escalations_to_settle().into_iter().take(LINES_MAX);
    let offers = state.offers_to_settle().take(LINES_MAX);
    Overview {
        at: status.at,
        position: status.position,
        health: health(view),
        tasks: status.tasks,
        agents: status.agents,
        loads: loads(state),
        queue: queue.map(|key| queued(view, state.task(key.task))).collect(),
        late: late(view),
        late_total: u32::try_from(state.late_total(view.now)).unwrap_or(u32::MAX),
        flow: flow(view),
        escalations: escalations.map(|open| convert::escalation(view, open)).collect(),
        escalations_open: status.escalations_open,
        offers: offers.map(|offer| convert::offer(state, offer)).collect(),
        offers_open: status.offers_open,
        webhooks_stuck: Vec::new(),
    }
}

fn health(view: &View<'_>) -> HealthNow {
    let (policy, health) = (view.state.policy(), view.state.health(view.now));
    let part = |(part, share, weight): (&str, kapell_core::Share, kapell_model::Ratio)| HealthShare {
        part: part.to_owned(),
        good: share.good,
        all: share.all,
        weight: weight.as_decimal(),
        adds: weight.times(share.value()).as_decimal(),
    };
    HealthNow {
        total: health.total.as_decimal(),
        minimum: policy.reporting.health_min.as_decimal(),
        low_since: view.state.health_low_since().map(convert::time),
        parts: health.parts(&policy.reporting.weights).map(part).into(),
    }
}

fn loads(state: &State) -> Vec<AgentLoad> {
    let mut agents: Vec<&Agent> = state
        .agents()
        .iter()
        .filter(|agent| agent.state != AgentState::Removed)
        .map(|agent| &**agent)
        .collect();
    agents.sort_by_key(|agent| {
        (agent.tasks.is_empty(), std::cmp::Reverse(agent.tasks.len()), agent.state != AgentState::Online)
    });
    agents.truncate(LOADS_MAX);
    agents.into_iter().map(|agent| load(state, agent)).collect()
}

fn load(state: &State, agent: &Agent) -> AgentLoad {
    let item = |task: &Task| {
        let owner = task.owner.as_ref()?;
        Some(WorkItem {
            task: task.id.to_string(),
            title: task.spec.title.to_string(),
            state: task.state().to_string(),
            priority: task.effective.to_string(),
            percent: owner.percent,
            since: convert::time(owner.since),
            reported_at: convert::time(owner.reported_at),
        })
    };
    AgentLoad {
        name: agent.spec.name.to_string(),
        role: agent.spec.role.to_string(),
        kind: agent.spec.kind.to_string(),
        state: agent.state.to_string(),
        draining: agent.draining,
        slots: agent.spec.max_concurrent.saturating_add(state.emergencies().overtime(agent.id)),
        used: u32::try_from(agent.tasks.len()).unwrap_or(u32::MAX),
        tasks: agent.tasks.iter().take(ITEMS_MAX).filter_map(|&task| item(state.task(task))).collect(),
    }
}

fn late(view: &View<'_>) -> Vec<Late> {
    let late = view.state.late(view.now).take(LINES_MAX);
    let line = |task: &Task| Late {
        task: task.id.to_string(),
        title: task.spec.title.to_string(),
        state: task.state().to_string(),
        deadline: task.spec.deadline.map(convert::time),
        latest_start: task.must_start_by().map(convert::time),
        lateness: match task.spec.deadline.filter(|&deadline| deadline < view.now) {
            Some(_) => "overdue".to_owned(),
            None => "at_risk".to_owned(),
        },
    };
    late.map(line).collect()
}

fn queued(view: &View<'_>, task: &Task) -> Queued {
    let held_back = view.state.held_back(task.id);
    Queued {
        task: task.id.to_string(),
        title: task.spec.title.to_string(),
        priority: task.effective.to_string(),
        since: convert::time(task.state_since),
        reason: match held_back {
            Some(obstacle) => view.state.resource_held(&obstacle, view.now).to_string(),
            None => why::waiting_reason(view.state, task),
        },
    }
}

fn flow(view: &View<'_>) -> Vec<FlowHour> {
    let by_hour = view.state.metrics().by_hour(view.now);
    let hour = Span::hours(1).0;
    let last = view.now.0.div_euclid(hour);
    let first = last - i64::try_from(by_hour.len()).unwrap_or(0) + 1;
    let shown = by_hour.iter().zip(first..).map(|(tally, at)| FlowHour {
        from: convert::time(Moment(at * hour)),
        submitted: tally.submitted,
        completed: tally.completed,
        failed: tally.failed,
    });
    shown.collect()
}
