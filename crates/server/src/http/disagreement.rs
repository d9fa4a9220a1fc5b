//! How a conflict is shown.

use kapell_api as api;
use kapell_core::{
    Conflict, ConflictMatter, ConflictState, Deliberation, MARGIN_MIN, Ruler, SUPPORT_MIN, State, Votes,
};
use kapell_model::AgentId;

use super::convert::{self, time};
use crate::fleet::View;

/// Millionths of a millionth, as weights are counted.
const WEIGHT_UNIT: f64 = 1e12;

/// Shows a conflict.
pub(super) fn conflict(view: &View<'_>, conflict: &Conflict) -> api::Conflict {
    let state = view.state;
    let (wait, reservation) = match &conflict.matter {
        ConflictMatter::Contention { wait, reservation } => (Some(*wait), *reservation),
        ConflictMatter::Decision(_) => (None, None),
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
        decided_by: it.outcome.as_ref().map(|outcome| match outcome.ruled {
            None => "tally".to_owned(),
            Some(Ruler::Manager) => "manager".to_owned(),
            Some(Ruler::Agent(agent)) => name(state, agent),
        }),
    }
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
