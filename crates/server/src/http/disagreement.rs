//! How a conflict is shown.

use std::collections::BTreeSet;

use kapell_api as api;
use kapell_core::{
    Conflict, ConflictMatter, ConflictState, Deliberation, Dispute, Hundredths, Impact, MARGIN_MIN,
    Precedence, Ruler, SUPPORT_MIN, State, Task, Voice, Votes, asked_by,
};
use kapell_model::{AgentId, Considered, Priority, Span, TaskId};

use super::convert::{self, time};
use crate::fleet::View;

/// Millionths of a millionth, as weights are counted.
const WEIGHT_UNIT: f64 = 1e12;

/// Orders that are told with a task.
const ORDERS_TOLD_MAX: usize = 10;

/// Shows a conflict.
pub(super) fn conflict(view: &View<'_>, conflict: &Conflict) -> api::Conflict {
    let state = view.state;
    let (wait, reservation) = match &conflict.matter {
        ConflictMatter::Contention { wait, reservation } => (Some(*wait), *reservation),
        _ => (None, None),
    };
    api::Conflict {
        id: conflict.id.to_string(),
        kind: conflict.kind().as_str().to_owned(),
        state: conflict.state.as_str().to_owned(),
        because: because(view, conflict),
        parties: conflict.parties.iter().map(|&agent| name(state, agent)).collect(),
        tasks: conflict.tasks.iter().map(ToString::to_string).collect(),
        opened_at: time(conflict.at),
        position: conflict.position.0,
        settled_at: conflict.settled.as_ref().map(|(at, _)| time(*at)),
        ruling: conflict.settled.as_ref().map(|(_, ruling)| ruling.to_string()),
        wait: wait.map(|wait| wait.to_string()),
        reservation: reservation.map(|reservation| reservation.to_string()),
        decision: conflict.deliberation().map(|it| deliberation(state, it)),
        dispute: conflict.dispute().map(|it| dispute(state, conflict, it)),
        precedence: conflict.precedence().map(|it| precedence(state, it)),
    }
}

fn said_by(state: &State, by: Ruler) -> String {
    match by {
        Ruler::Manager => "manager".to_owned(),
        Ruler::Agent(agent) => name(state, agent),
    }
}

fn name(state: &State, agent: AgentId) -> String {
    state.agent(agent).spec.name.to_string()
}

fn because(view: &View<'_>, conflict: &Conflict) -> Vec<String> {
    match (&conflict.matter, conflict.state) {
        (_, ConflictState::Resolved | ConflictState::Withdrawn) => Vec::new(),
        (ConflictMatter::Contention { wait, .. }, _) => {
            let wait = kapell_core::ReservationRef::Waiting(*wait);
            convert::reservation(view, wait).map(|shown| shown.because).unwrap_or_default()
        }
        (ConflictMatter::Decision(it), state) => stands(view, it, state),
        (ConflictMatter::Dispute(_) | ConflictMatter::Precedence(_), _) => Vec::new(),
    }
}

fn stands(view: &View<'_>, it: &Deliberation, state: ConflictState) -> Vec<String> {
    let (topic, votes) = (&it.topic, Votes::of(&it.proposals));
    let passed = topic.deadline <= view.now;
    let mut facts = vec![votes.text()];
    if let Err(why) = topic.decided(&votes, passed) {
        facts.push(format!("the tally does not decide: {}", why.text()));
    }
    let unheard = topic.asked.iter().filter(|agent| it.proposals.iter().all(|said| said.agent != **agent));
    let unheard: Vec<String> = unheard.map(|&agent| name(view.state, agent)).collect();
    if !unheard.is_empty() && !passed {
        facts.push(format!("asked and not heard yet: {}", unheard.join(", ")));
    }
    if state == ConflictState::Escalated {
        facts.push("the role `architect` has been called; its ruling, or a person's, is binding".to_owned());
    } else {
        facts.push(format!("proposals are taken for another {}", topic.deadline.since(view.now)));
    }
    facts
}

/// Says in one line why a task waits for a decision.
pub(super) fn awaited(view: &View<'_>, conflict: &Conflict) -> String {
    let topic = conflict.deliberation().map(|it| it.topic.title.to_string()).unwrap_or_default();
    let how = match conflict.state {
        ConflictState::Escalated => "escalated to the architect",
        _ => "open",
    };
    format!("waits for the decision {} ({how} for {}): {topic}", conflict.id, view.now.since(conflict.at))
}

fn deliberation(state: &State, it: &Deliberation) -> api::Deliberation {
    let topic = &it.topic;
    let votes = Votes::of(&it.proposals);
    api::Deliberation {
        topic: topic.title.to_string(),
        capability: topic.capability.to_string(),
        deadline: time(topic.deadline),
        irreversible: topic.irreversible,
        architectural: topic.architectural,
        options: topic.options.iter().map(ToString::to_string).collect(),
        asked: topic.asked.iter().map(|&agent| name(state, agent)).collect(),
        opened_by: topic.by.map(|agent| name(state, agent)),
        proposals: it
            .proposals
            .iter()
            .map(|it| api::Proposal {
                agent: name(state, it.agent),
                option: it.option.to_string(),
                reasons: it.reasons.to_string(),
                confidence: it.confidence.as_decimal(),
                score: it.score.as_decimal(),
                weight: it.score.times(it.confidence).as_decimal(),
                at: time(it.at),
            })
            .collect(),
        tally: tally(&votes),
        margin: votes.margin().as_decimal(),
        support_needed: SUPPORT_MIN.as_decimal(),
        margin_needed: MARGIN_MIN.as_decimal(),
        decided: it.outcome.as_ref().map(|outcome| outcome.option.to_string()),
        decided_by: it
            .outcome
            .as_ref()
            .map(|outcome| outcome.ruled.map_or_else(|| "tally".to_owned(), |by| said_by(state, by))),
    }
}

fn dispute(state: &State, conflict: &Conflict, it: &Dispute) -> api::Dispute {
    let award = it.award.as_ref();
    let weights = state.situation().weights();
    let scored = |considered: &Considered| {
        super::why::scored(name(state, considered.agent), &considered.parts, weights)
    };
    api::Dispute {
        cause: it.cause.as_str().to_owned(),
        opened_by: name(state, it.by),
        reason: it.reason.as_ref().map(ToString::to_string),
        holder: conflict.parties.first().map(|&agent| name(state, agent)).unwrap_or_default(),
        assignment: it.assignment.to_string(),
        stalled: it.stalled,
        awarded_to: award.map(|award| name(state, award.agent)),
        rule: award.map(|award| award.rule.as_str().to_owned()),
        scores: award.map(|award| award.considered.iter().map(scored).collect()).unwrap_or_default(),
    }
}

/// Shows an order that stands.
pub(super) fn order(state: &State, first: TaskId, then: TaskId) -> api::Order {
    let (said, conflict) = (state.orders().get(first, then), state.orders().ruled(first, then));
    let settled = conflict.and_then(|id| state.conflict(id)?.settled.as_ref());
    let ruled = || settled.map(|(at, reason)| ("ruling".to_owned(), reason.to_string(), time(*at)));
    let said = said.map(|said| (said_by(state, said.by), said.reason.to_string(), time(said.at)));
    let (by, reason, at) = said.or_else(ruled).unwrap_or_default();
    let conflict = conflict.map(|id| id.to_string());
    api::Order { first: first.to_string(), then: then.to_string(), by, reason, at, conflict }
}

/// Says in words what a task comes before and after by the orders that stand.
pub(super) fn ordered(state: &State, task: &Task) -> Vec<String> {
    let told = |(first, then): (TaskId, TaskId)| {
        let it = order(state, first, then);
        let by = match (it.by.as_str(), &it.conflict) {
            ("ruling", Some(conflict)) => format!("as was ruled in {conflict}"),
            _ => format!("as {} says: {}", it.by, it.reason),
        };
        if first == task.id {
            let raised = task.effective < task.priority && state.task(then).effective == task.effective;
            let raised = if raised { format!(", so it is {} too", task.effective) } else { String::new() };
            format!("comes before {then}{raised}, {by}")
        } else {
            format!("comes after {first}, {by}")
        }
    };
    let all: Vec<_> = state.orders().around(task.id).collect();
    let more = all.len().saturating_sub(ORDERS_TOLD_MAX);
    let more = (more > 0).then(|| format!("{more} more orders name it; `order list` shows them"));
    all.into_iter().take(ORDERS_TOLD_MAX).map(told).chain(more).collect()
}

fn precedence(state: &State, it: &Precedence) -> api::Precedence {
    let ruling = it.ruling.as_ref();
    let asked = |typical: Span| {
        let levels = it.said.iter().filter_map(|voice| match voice {
            Voice::Priority { priority, .. } => Some(*priority),
            Voice::Order { .. } => None,
        });
        let levels: BTreeSet<Priority> = levels.collect();
        let asked = |level: Priority| (level.as_str().to_owned(), decimal(asked_by(level, typical)));
        levels.into_iter().map(asked).collect()
    };
    api::Precedence {
        said: it.said.iter().map(|voice| voiced(voice, |by| said_by(state, by))).collect(),
        order: ruling.map(|ruling| ranked(&ruling.order, &ruling.carried)).unwrap_or_default(),
        priority: ruling.and_then(|ruling| ruling.priority).map(|level| level.as_str().to_owned()),
        asked_for: ruling.map(|ruling| asked(ruling.typical)).unwrap_or_default(),
        typical_hours: ruling.map(|ruling| convert::hours(ruling.typical)),
    }
}

/// Shows what is said about what comes first.
pub(super) fn voiced(voice: &Voice, by_whom: impl Fn(Ruler) -> String) -> api::Voice {
    match voice {
        Voice::Priority { by, priority } => api::Voice {
            by: by.map_or_else(|| "given".to_owned(), by_whom),
            priority: Some(priority.as_str().to_owned()),
            first: None,
            then: None,
        },
        Voice::Order { by, first, then } => api::Voice {
            by: by_whom(*by),
            priority: None,
            first: Some(first.to_string()),
            then: Some(then.to_string()),
        },
    }
}

/// Shows tasks in the order of their impact, each with that by which it has its place.
pub(super) fn ranked(order: &[Impact], carried: &[(TaskId, TaskId)]) -> Vec<api::Impact> {
    let carrier =
        |task: TaskId| carried.iter().find(|(carried, _)| *carried == task).map(|(_, by)| by.to_string());
    order.iter().map(|it| api::Impact { goes_with: carrier(it.task), ..impact(it) }).collect()
}

/// Shows what the delay of a task costs, with every number.
fn impact(it: &Impact) -> api::Impact {
    api::Impact {
        task: it.task.to_string(),
        value: decimal(it.value),
        time_criticality: decimal(it.criticality),
        enablement: decimal(it.enablement),
        waiting: it.waiting,
        slack_ms: it.slack.map(|slack| slack.0),
        cost_of_delay: decimal(it.delay()),
        duration_hours: convert::hours(it.duration),
        wsjf: decimal(it.wsjf),
        goes_with: None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "points are far below 2^52")]
pub(super) fn decimal(number: Hundredths) -> f64 {
    number.0 as f64 / 100.0
}

/// Shows what stands behind each option.
#[expect(clippy::cast_precision_loss, reason = "a hundred weights of at most one")]
pub(super) fn tally(votes: &Votes) -> Vec<api::OptionTally> {
    let shown = votes.0.iter().map(|option| api::OptionTally {
        option: option.option.to_string(),
        proposals: option.proposals,
        weight: option.weight as f64 / WEIGHT_UNIT,
        support: option.support.as_decimal(),
    });
    shown.collect()
}
