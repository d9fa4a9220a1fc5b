//! What holds the work up, and what to type against it.

use kapell_api::{Bottleneck, Recommendation};
use kapell_core::{EscalationKind, Subject};
use kapell_model::{AgentState, Ratio, Span, TaskState};

use super::gather::{NAMED_MAX, is_ready, waits};
use crate::fleet::View;

/// What an agent must have in a capability to count as able (SEMANTICS 8).
const ABLE: Ratio = Ratio::micros(600_000);
/// Hours of work that a free slot is good for when demand is set against it: a working day.
const SLOT_HOURS: i64 = 8;
/// Demand over supply above which a capability is short, in hundredths (SEMANTICS 8).
const GAP_HUNDREDTHS: i64 = 150;

/// A bottleneck with what to do about it.
pub(super) struct Found {
    pub(super) shown: Bottleneck,
    action: Option<(String, String)>,
}

/// Finds what can be named: at most 20 of each kind.
pub(super) fn bottlenecks(view: &View<'_>) -> Vec<Found> {
    let mut found = without_agent(view);
    found.extend(capability_gaps(view));
    found.extend(failed_dependencies(view));
    found.extend(long_waits(view));
    found
}

fn found(kind: &str, about: String, detail: String, action: Option<(String, String)>) -> Found {
    Found { shown: Bottleneck { kind: kind.to_owned(), about, detail }, action }
}

/// Critical tasks that nobody can take, from the escalations that they raised.
fn without_agent(view: &View<'_>) -> Vec<Found> {
    let state = view.state;
    let mut critical = Vec::new();
    for escalation in state.open().filter(|it| it.kind == EscalationKind::NoSuitableAgent) {
        let Subject::Task(id) = escalation.subject else { continue };
        if !is_ready(state.task(id)) {
            continue;
        }
        let action = (
            format!("give {id} to somebody by hand, or register an agent for it"),
            format!("kapell why {id}"),
        );
        critical.push(found(
            "critical_without_agent",
            id.to_string(),
            escalation.detail.to_string(),
            Some(action),
        ));
        if critical.len() == NAMED_MAX {
            break;
        }
    }
    critical
}

/// Capabilities of which more is wanted than there is, the widest gaps first.
fn capability_gaps(view: &View<'_>) -> Vec<Found> {
    let state = view.state;
    let demand = state.demand();
    let mut gaps = Vec::new();
    let online = || state.situation().agents().iter().filter(|agent| agent.state == AgentState::Online);
    for (&word, &wanted) in &demand {
        let (mut able, mut free) = (0_i64, 0_i64);
        for agent in online().filter(|agent| agent.score_in(word) >= ABLE) {
            able += 1;
            if !agent.draining {
                free += i64::from(agent.max.saturating_sub(agent.active));
            }
        }
        let supply = Span::hours(free * SLOT_HOURS);
        if able > 0 && i128::from(wanted.0) * 100 <= i128::from(supply.0) * i128::from(GAP_HUNDREDTHS) {
            continue;
        }
        gaps.push((
            able > 0,
            std::cmp::Reverse(wanted.0.saturating_sub(supply.0)),
            word,
            able,
            free,
            wanted,
            supply,
        ));
    }
    gaps.sort_unstable();
    let said = gaps.into_iter().take(NAMED_MAX).map(|(_, _, word, able, free, wanted, supply)| {
        let name = state.word(word);
        let detail = if able == 0 {
            format!("{wanted} of queued work needs {name}; no agent that is online has at least {ABLE} in it")
        } else {
            format!(
                "{wanted} of queued work needs {name}; {able} able agents online have {free} free slots, {supply} at \
                 {SLOT_HOURS} h a slot: more than 1.5 times what there is"
            )
        };
        let action = (
            format!("bring in an agent with {name}, or train one"),
            format!("kapell agent add NAME --role developer --cap {name}=0.8"),
        );
        found("capability_gap", name.to_string(), detail, Some(action))
    });
    said.collect()
}

/// Failed and cancelled tasks that others wait for.
fn failed_dependencies(view: &View<'_>) -> Vec<Found> {
    let state = view.state;
    let said = state.dead_ends().take(NAMED_MAX).map(|task| {
        let waiting: Vec<_> = task.dependents.iter().filter(|id| state.task(**id).is_open()).collect();
        let named: Vec<String> = waiting.iter().take(5).map(ToString::to_string).collect();
        let more = if waiting.len() > named.len() {
            format!(" and {} more", waiting.len() - named.len())
        } else {
            String::new()
        };
        let detail = format!("{} is {}; {}{more} wait for it", task.id, task.state(), named.join(", "));
        let action = (
            format!("reopen {}, or waive what waits for it", task.id),
            format!("kapell task reopen {}", task.id),
        );
        found("failed_dependency", task.id.to_string(), detail, Some(action))
    });
    said.collect()
}

/// Tasks that wait longest past what was expected.
fn long_waits(view: &View<'_>) -> Vec<Found> {
    let waiting = view.state.waiting_too_long(view.now).take(NAMED_MAX);
    let said =
        waiting.map(|task| found("long_wait", task.id.to_string(), waits(view.state, task, view.now), None));
    said.collect()
}

/// Returns what could be done, each with its evidence and what to type.
pub(super) fn recommendations(view: &View<'_>, bottlenecks: &[Found]) -> Vec<Recommendation> {
    let (state, now) = (view.state, view.now);
    let of = |action: String, evidence: String, command: String| Recommendation { action, evidence, command };
    let mut all: Vec<Recommendation> = Vec::new();
    for found in bottlenecks {
        if let Some((action, command)) = &found.action {
            all.push(of(action.clone(), found.shown.detail.clone(), command.clone()));
        }
    }
    let late = state.overdue_waits(now);
    if let Some(first) = state.waiting_too_long(now).next() {
        let ready = state.counts().of(TaskState::Ready);
        let evidence =
            format!("{late} of {ready} queued tasks wait longer than expected; {}", waits(state, first, now));
        all.push(of(
            "find out why the queue stands".to_owned(),
            evidence,
            format!("kapell why {}", first.id),
        ));
    }
    for task in state.stalled_tasks().take(5) {
        let Some(owner) = &task.owner else { continue };
        let Some(stall) = owner.stall() else { continue };
        let name = &state.agent(owner.agent).spec.name;
        let evidence = format!(
            "{}; asked for a status {} ago{}",
            stall.text(),
            now.since(stall.since),
            if stall.unanswered { ", no answer came in time" } else { "" }
        );
        all.push(of(
            format!("ask {name} about {}", task.id),
            evidence,
            format!("kapell task show {}", task.id),
        ));
    }
    let overdue = state.overdue_escalations(now);
    if overdue > 0 {
        let evidence =
            format!("{overdue} of {} open escalations are past their ack time", state.open_escalations());
        all.push(of(
            "see to the overdue escalations".to_owned(),
            evidence,
            "kapell escalations --overdue".to_owned(),
        ));
    }
    let away = state.registered() - state.online();
    if away > 0 {
        let evidence = format!("{away} of {} agents are not online", state.registered());
        all.push(of(
            "start the agents that are away, or remove them".to_owned(),
            evidence,
            "kapell agent list".to_owned(),
        ));
    }
    all
}
