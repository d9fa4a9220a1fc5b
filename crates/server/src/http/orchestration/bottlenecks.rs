//! What holds the work up, and what to type against it.

use kapell_api::{Bottleneck, Recommendation};
use kapell_core::{EscalationKind, Narrow, Subject};
use kapell_model::{Name, TaskState};

use super::gather::{NAMED_MAX, is_ready, waits};
use crate::fleet::View;
use crate::http::bottlenecks::bottleneck;

/// A bottleneck with what to do about it.
pub(super) struct Found {
    pub(super) shown: Bottleneck,
    action: Option<(String, String)>,
}

/// Finds what can be named: at most 20 of each kind.
pub(super) fn bottlenecks(view: &View<'_>) -> Vec<Found> {
    let mut found = without_agent(view);
    found.extend(capability_gaps(view));
    found.extend(narrow(view));
    found.extend(failed_dependencies(view));
    found.extend(long_waits(view));
    found
}

fn found(kind: &str, about: String, detail: String, action: Option<(String, String)>) -> Found {
    let shown = Bottleneck { kind: kind.to_owned(), about, detail, ..Bottleneck::default() };
    Found { shown, action }
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

/// Capabilities of which more is wanted than there is, the widest gaps first; those that are known with what is done about them.
fn capability_gaps(view: &View<'_>) -> Vec<Found> {
    let state = view.state;
    let known = |name: &Name| {
        let about = Narrow::Capability(name.clone());
        state.bottlenecks().open().find(|it| it.about == about)
    };
    let said = state.capability_gaps(view.now).into_iter().take(NAMED_MAX).map(|gap| {
        let name = state.word(gap.capability);
        let action = (
            format!("bring in an agent with {name}, or train one"),
            format!("kapell agent add NAME --role developer --cap {name}=0.8"),
        );
        let mut found = found("capability_gap", name.to_string(), gap.text(name), Some(action));
        if let Some(it) = known(name) {
            found.shown = Bottleneck { detail: found.shown.detail, ..bottleneck(state, it) };
        }
        found
    });
    said.collect()
}

/// Work that nobody could take, resources that are waited for too long, and pairs that talk too much.
fn narrow(view: &View<'_>) -> Vec<Found> {
    let state = view.state;
    let open = state.bottlenecks().open().filter(|it| !matches!(it.about, Narrow::Capability(_)));
    let said = open.take(2 * NAMED_MAX).map(|it| {
        let action = match &it.about {
            Narrow::Taker(who) => Some((
                format!("bring in who can take it ({who}), or edit the tasks that ask for it"),
                "kapell list --state ready".to_owned(),
            )),
            Narrow::Resource(resource) => Some((
                format!("share {resource}, hold it for less long, or provide more of it"),
                "kapell reserve list".to_owned(),
            )),
            Narrow::Pair(..) => Some((
                "let one of the two have what belongs together".to_owned(),
                "kapell handoff list".to_owned(),
            )),
            Narrow::Channel(channel) => Some((
                format!("say less in {channel}, or let those leave it who need not read it"),
                "kapell channels".to_owned(),
            )),
            Narrow::Capability(_) => None,
        };
        Found { shown: bottleneck(state, it), action }
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
