//! What a report says, gathered from the state. Costs time in the agents and in what is listed, not in the tasks.

use kapell_api::{
    AgentLine, AgentTotals, Escalation, HealthPart, KindTimes, Performance, Rates, Report, Sample,
    SystemHealth, TaskMetrics, WaitTimes,
};
use kapell_core::{State, Tally, Task};
use kapell_model::{AgentState, Moment, Ratio, TaskState};

use super::bottlenecks::{bottlenecks, recommendations};
use crate::fleet::View;
use crate::http::bottlenecks::last_actions;
use crate::http::convert::{self, time};
use crate::http::disagreement::{conflict, decimal};
use crate::http::emergencies::{shown as shown_emergency, shown_force};

/// Causes of a part of the health, and bottlenecks of a kind, that one report names.
pub(super) const NAMED_MAX: usize = 20;
/// Conflicts among which a report looks for those that were settled last.
const SETTLED_LOOKED_AT: usize = 1_000;
/// Escalations that one report lists.
const ESCALATIONS_MAX: usize = 50;
/// Days whose costs one report lists.
const COST_DAYS: usize = 14;
/// Agents and projects that one report lists.
const ROWS_MAX: usize = 200;

/// Reports on a fleet.
pub(crate) fn report(view: &View<'_>) -> Report {
    let (state, now) = (view.state, view.now);
    let agents = totals(state);
    let bottlenecks = bottlenecks(view);
    Report {
        at: time(now),
        position: state.position().0,
        health: health(view),
        active_agents: agents.online,
        agents,
        tasks: TaskMetrics {
            by_state: convert::totals(state.counts()),
            completed_today: state.metrics().today(now).completed,
            critical: state.critical(),
        },
        performance: performance(state, now),
        recommendations: recommendations(view, &bottlenecks),
        course: course(state, now),
        bottlenecks: bottlenecks.into_iter().map(|found| found.shown).collect(),
        actions: last_actions(state),
        degraded_since: state.bottlenecks().degraded_since().map(time),
        escalations_open: u32::try_from(state.open_escalations()).unwrap_or(u32::MAX),
        escalations: escalations(view),
        conflicts_open: u32::try_from(state.open_conflicts().count()).unwrap_or(u32::MAX),
        conflicts: conflicts(view),
        emergencies: emergencies(view),
        forces: state.forces().all.open().take(NAMED_MAX).map(|it| shown_force(state, it)).collect(),
        forecasts: forecasts(state),
        agent_table: state
            .agents()
            .iter()
            .filter(|agent| agent.state != AgentState::Removed)
            .take(ROWS_MAX)
            .map(|agent| line(state, agent, now))
            .collect(),
        projects: state.projects().values().take(ROWS_MAX).map(convert::project).collect(),
        costs: crate::http::budgets::spent(view, COST_DAYS),
        policy_version: state.policy_version(),
    }
}

/// Counts the agents.
pub(crate) fn totals(state: &State) -> AgentTotals {
    let mut agents = AgentTotals::default();
    for agent in state.agents() {
        match agent.state {
            AgentState::Online => agents.online += 1,
            AgentState::Unreachable => agents.unreachable += 1,
            AgentState::Offline => agents.offline += 1,
            AgentState::Removed => continue,
        }
        agents.total += 1;
        if agent.state == AgentState::Online {
            agents.slots += state.limit_of(agent.id);
            agents.slots_used += u32::try_from(agent.tasks.len()).unwrap_or(u32::MAX);
        }
    }
    agents
}

/// Shows the health with its parts and what makes each low.
pub(crate) fn health(view: &View<'_>) -> SystemHealth {
    let (state, now) = (view.state, view.now);
    let (health, reporting) = (state.health(now), &state.policy().reporting);
    let parts = health.parts(&reporting.weights).into_iter().map(|(name, share, weight)| {
        let (counts, causes) = explained(view, name);
        HealthPart {
            name: name.to_owned(),
            counts: counts.to_owned(),
            good: share.good,
            all: share.all,
            no_data: share.all == 0,
            value: share.value().as_decimal(),
            weight: weight.as_decimal(),
            adds: weight.times(share.value()).as_decimal(),
            causes: if share.good < share.all { causes } else { Vec::new() },
        }
    });
    SystemHealth {
        total: health.total.as_decimal(),
        alert_below: reporting.health_min.as_decimal(),
        low_since: state.health_low_since().map(time),
        parts: parts.collect(),
    }
}

/// Says what a part counts, and who or what makes it low.
fn explained(view: &View<'_>, part: &str) -> (&'static str, Vec<String>) {
    let (state, now) = (view.state, view.now);
    match part {
        "online" => ("agents that are online", away(state, now)),
        "success" => ("attempts of the last 24 hours that succeeded", failing(state)),
        "running" => {
            let causes = state.stalled_tasks().take(NAMED_MAX).map(|task| silent(state, task));
            ("running tasks that are not stalled", causes.collect())
        }
        "queued" => {
            let causes = state.waiting_too_long(now).take(NAMED_MAX);
            ("queued tasks within their expected wait", causes.map(|task| waits(state, task, now)).collect())
        }
        _ => {
            let causes = state.escalations_overdue(now).take(NAMED_MAX);
            let said =
                causes.map(|it| format!("{}: {}, due {} ago", it.id, it.kind.as_str(), now.since(it.due)));
            ("open escalations within their ack time", said.collect())
        }
    }
}

fn away(state: &State, now: Moment) -> Vec<String> {
    let away = state
        .agents()
        .iter()
        .filter(|agent| matches!(agent.state, AgentState::Offline | AgentState::Unreachable));
    let said = away.take(NAMED_MAX).map(|agent| match agent.seen {
        true => format!("{} is {} for {}", agent.spec.name, agent.state, now.since(agent.state_since)),
        false => format!("{} was never heard of", agent.spec.name),
    });
    said.collect()
}

/// Names those with most failed attempts.
fn failing(state: &State) -> Vec<String> {
    let mut failing: Vec<_> = state.agents().iter().filter(|agent| agent.failed > 0).collect();
    failing.sort_by_key(|agent| std::cmp::Reverse(agent.failed));
    let said = failing.iter().take(NAMED_MAX).map(|agent| {
        format!(
            "{} failed {} attempts in all and completed {}",
            agent.spec.name, agent.failed, agent.completed
        )
    });
    said.collect()
}

fn silent(state: &State, task: &Task) -> String {
    let Some((owner, stall)) = task.owner.as_ref().and_then(|owner| Some((owner, owner.stall()?))) else {
        return task.id.to_string();
    };
    format!("{} with {}: {}", task.id, state.agent(owner.agent).spec.name, stall.text())
}

pub(super) fn waits(state: &State, task: &Task, now: Moment) -> String {
    let expected = task.expected_by.map(|by| by.since(task.state_since)).unwrap_or_default();
    let kind = &task.spec.kind;
    let expected = if expected.0 == 0 { state.expected_wait(task) } else { expected };
    format!(
        "{} ({kind}, {}) waits for {}; expected {expected}",
        task.id,
        task.effective,
        now.since(task.state_since)
    )
}

fn performance(state: &State, now: Moment) -> Performance {
    let metrics = state.metrics();
    let hours = metrics.by_hour(now);
    let mut by_type: Vec<KindTimes> = metrics
        .completions()
        .map(|(kind, times)| KindTimes {
            kind: kind.map(ToString::to_string),
            count: times.count(),
            mean_ms: times.mean().unwrap_or_default().0,
            p50_ms: times.percentile(50).unwrap_or_default().0,
            p90_ms: times.percentile(90).unwrap_or_default().0,
        })
        .collect();
    by_type.sort_by_key(|times| std::cmp::Reverse(times.count));
    by_type.truncate(NAMED_MAX);
    Performance {
        last_day: rates(&metrics.last_day(now)),
        day_before: rates(&metrics.day_before(now)),
        completed_by_hour: hours.iter().map(|hour| hour.completed).collect(),
        submitted_by_hour: hours.iter().map(|hour| hour.submitted).collect(),
        failed_by_hour: hours.iter().map(|hour| hour.failed).collect(),
        by_type,
        queue_waits: metrics.queue_waits(now).into_iter().map(|(it, times)| wait_times(it, times)).collect(),
        resource_waits: metrics
            .resource_waits(now)
            .into_iter()
            .take(NAMED_MAX)
            .map(|(it, times)| wait_times(it, times))
            .collect(),
    }
}

fn wait_times(about: impl ToString, times: kapell_core::WaitTimes) -> WaitTimes {
    WaitTimes {
        about: about.to_string(),
        count: u32::try_from(times.count).unwrap_or(u32::MAX),
        p50_ms: times.p50.0,
        p90_ms: times.p90.0,
        longest_ms: times.longest.0,
    }
}

fn success_rate(tally: &Tally) -> Option<f64> {
    let ended = tally.attempts();
    (ended > 0).then(|| Ratio::of(u64::from(tally.succeeded), u64::from(ended)).as_decimal())
}

fn rates(tally: &Tally) -> Rates {
    let by_task = |count| tally.by_task(count).map(decimal);
    Rates {
        submitted: tally.submitted,
        completed: tally.completed,
        failed: tally.failed,
        completion_mean_ms: tally.effort_mean().map(|span| span.0),
        lead_mean_ms: tally.lead_mean().map(|span| span.0),
        success_rate: success_rate(tally),
        efficiency_score: tally.efficiency().map(Ratio::as_decimal),
        messages: tally.messages,
        messages_per_task: by_task(tally.messages),
        handoffs: tally.handoffs,
        handoffs_per_task: by_task(tally.handoffs),
    }
}

fn escalations(view: &View<'_>) -> Vec<Escalation> {
    let (state, now) = (view.state, view.now);
    let mut open: Vec<_> = state.open().collect();
    open.sort_by_key(|it| (it.due >= now, it.severity, it.due));
    open.iter().take(ESCALATIONS_MAX).map(|it| convert::escalation(view, it)).collect()
}

/// Shows how the fleet has stood, and how it stands.
fn course(state: &State, now: Moment) -> Vec<Sample> {
    let present = state.sample(now);
    let all = state.course().iter().chain([(now, &present)]);
    let weights = &state.policy().reporting.weights;
    let shown = all.map(|(at, sample)| Sample {
        at: time(at),
        health: sample.health.total.as_decimal(),
        parts: sample
            .health
            .parts(weights)
            .map(|(name, share, _)| (name.to_owned(), share.value().as_decimal()))
            .into(),
        slots: sample.slots,
        slots_used: sample.slots_used,
        blocked: sample.blocked,
        ready: sample.ready,
        deferred: sample.deferred,
        running: sample.running,
        gated: sample.gated,
        lead_p50_ms: sample.lead.map(|(half, _)| half.0),
        lead_p90_ms: sample.lead.map(|(_, most)| most.0),
    });
    shown.collect()
}

/// Shows the newest conflicts that are not settled, then the last ones that were.
fn conflicts(view: &View<'_>) -> Vec<kapell_api::Conflict> {
    let state = view.state;
    let settled = state.conflicts().iter().rev().take(SETTLED_LOOKED_AT).filter(|it| it.settled.is_some());
    let all = state.open_conflicts().rev().chain(settled);
    all.take(NAMED_MAX).map(|it| conflict(view, it)).collect()
}

/// Shows the emergencies that have not ended, then the last ones that have.
fn emergencies(view: &View<'_>) -> Vec<kapell_api::Emergency> {
    let all = &view.state.emergencies().all;
    let ended = all.iter().rev().filter(|it| it.ended.is_some());
    all.open().chain(ended).take(NAMED_MAX).map(|it| shown_emergency(view, it)).collect()
}

/// Shows the forecasts of projects that should be done by a time and are not, those at risk first.
fn forecasts(state: &State) -> Vec<kapell_api::Forecast> {
    let due = state.projects().values().filter(|it| it.spec.deadline.is_some() && it.open() > 0);
    let known = due.filter_map(|it| state.forecast(it.spec.name.as_str()));
    let mut shown: Vec<_> = known.map(|it| super::super::forecasts::shown(state, it)).collect();
    shown.sort_by(|a, b| (!a.at_risk, &a.deadline).cmp(&(!b.at_risk, &b.deadline)));
    shown.truncate(ESCALATIONS_MAX);
    shown
}

fn line(state: &State, agent: &kapell_core::Agent, now: Moment) -> AgentLine {
    let [day, before] = state.metrics().of_agent(agent.id, now);
    AgentLine {
        name: agent.spec.name.to_string(),
        role: agent.spec.role.to_string(),
        state: agent.state.to_string(),
        tasks: u32::try_from(agent.tasks.len()).unwrap_or(u32::MAX),
        slots: agent.spec.max_concurrent,
        completed: agent.completed,
        failed: agent.failed,
        lost: agent.lost,
        efficiency_score: day.efficiency().map(Ratio::as_decimal),
        efficiency_before: before.efficiency().map(Ratio::as_decimal),
        success_rate: success_rate(&day),
    }
}

/// Tells whether a task waits in the queue.
pub(super) fn is_ready(task: &Task) -> bool {
    task.state() == TaskState::Ready
}
