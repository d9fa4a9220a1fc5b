//! What was decided about a task, in words, from the log.

use kapell_api::Decided;
use kapell_core::{Cause, Decision, Event, Record, Ruler};
use kapell_model::{AgentId, Name};

use super::convert;

/// Tells a decision; nothing for an event that is none.
pub(super) fn decided(record: &Record, names: &[Name]) -> Option<Decided> {
    Some(Decided {
        position: record.position.0,
        at: convert::time(record.at),
        kind: record.event.kind().to_owned(),
        actor: record.actor.to_string(),
        reason: told(&record.event, names)?,
    })
}

fn told(event: &Event, names: &[Name]) -> Option<String> {
    let name = |agent: &AgentId| {
        names.get(agent.index()).map_or_else(|| format!("#{}", agent.0), ToString::to_string)
    };
    let told = match event {
        Event::TaskAssigned {
            agent, assignment, decision, policy, scorer, threshold, considered, ..
        } => {
            let how = match decision {
                Decision::Placed => "placed by score with",
                Decision::Together => "kept together with the work that it waited for, by",
                Decision::Claimed => "claimed by",
                Decision::ByHand => "assigned by hand to",
            };
            let score = considered.first().map(|first| format!(", score {}", first.parts.total));
            format!(
                "{how} {} under {assignment}{}, bar {threshold} (policy {policy}, scorer {scorer})",
                name(agent),
                score.unwrap_or_default()
            )
        }
        Event::TaskMoved { from, agent, assignment, cause, note, policy, scorer, considered, .. } => {
            let score = considered.first().map(|first| format!(", score {}", first.parts.total));
            let note = note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
            format!(
                "moved from {} to {} under {assignment}: {}{} (policy {policy}, scorer {scorer}){note}",
                name(from),
                name(agent),
                cause.as_str().replace('_', " "),
                score.unwrap_or_default()
            )
        }
        Event::HandoffRequested { handoff, agent, to, cause, note, .. } => {
            let note = note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            let cause = cause.as_str().replace('_', " ");
            format!("{handoff} asked for, {cause}: from {} to {}{note}", name(agent), name(to))
        }
        Event::HandoffTransferred { handoff, from, agent, assignment, reservations, .. } => {
            let along = match reservations.len() {
                0 => String::new(),
                count => format!(", with {count} reservations"),
            };
            format!("{handoff}: went from {} to {} under {assignment}{along}", name(from), name(agent))
        }
        Event::HandoffReleased { handoff, agent, .. } => {
            format!("{handoff} is through: confirmed, and {} released", name(agent))
        }
        Event::HandoffMediation { handoff, detail, .. } => format!("{handoff} in mediation: {detail}"),
        Event::HandoffRedirected { handoff, to, .. } => format!("{handoff} goes to {} now", name(to)),
        Event::HandoffEnded { handoff, outcome, reason, .. } => {
            format!("{handoff} is {}: {reason}", outcome.as_str().replace('_', " "))
        }
        Event::TaskReturned { agent, assignment, cause, boosted, note, .. } => {
            let why = match cause {
                Cause::Released => "gave it back",
                Cause::OwnerOffline => "went offline",
                Cause::OwnerRemoved => "was removed",
                Cause::NotFetched => "did not fetch it in time",
                Cause::OverBudget => "was stopped: a budget is spent",
                Cause::SetAside => "has it no more: it was set aside for an emergency",
            };
            let boost = if *boosted { "; its priority was raised by a level" } else { "" };
            let note = note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
            format!("back in the queue: {}, who had it under {assignment}, {why}{boost}{note}", name(agent))
        }
        Event::AttemptFailed { agent, reason, retry_at, .. } => {
            let again = retry_at.map(|at| format!("; again at {}", convert::time(at))).unwrap_or_default();
            format!("the attempt of {} failed: {reason}{again}", name(agent))
        }
        Event::TaskFailed { reason, .. } => format!("given up: {reason}"),
        Event::TaskCancelled { reason, .. } => format!("cancelled: {reason}"),
        Event::TaskReopened { reason, .. } => format!("reopened: {reason}"),
        Event::TaskEdited { edit, .. } => match edit.priority {
            Some(priority) => format!("edited; it is {priority} now"),
            None => "edited".to_owned(),
        },
        Event::PriorityAsserted { by, priority, reason, .. } => {
            let by = match by {
                Ruler::Agent(agent) => name(agent),
                Ruler::Manager => "a manager".to_owned(),
            };
            format!("{by} says that it is {priority}: {reason}")
        }
        Event::OrderAsserted { first, then, by, reason } => {
            let by = match by {
                Ruler::Agent(agent) => name(agent),
                Ruler::Manager => "a manager".to_owned(),
            };
            format!("{by} says that {first} comes before {then}: {reason}")
        }
        Event::OrderDropped { first, then, ruling_stays } => {
            let still = if *ruling_stays { " by word; it is still ruled so" } else { "" };
            format!("that {first} comes before {then} does not stand any more{still}")
        }
        Event::PrecedenceRuled { conflict, reason, .. } => {
            format!("{conflict} ruled by the impact: {reason}")
        }
        Event::DisputeRuled { conflict, agent, reason, .. } => {
            format!("{conflict} ruled: it is {}'s, {reason}", name(agent))
        }
        Event::DependencyWaived { on, .. } => format!("it no longer waits for {on}"),
        Event::EscalationRaised { escalation, kind, severity, detail, .. } => {
            format!("{escalation} raised ({}, {severity}): {detail}", kind.as_str())
        }
        Event::EscalationAcknowledged { escalation, agent } => match agent {
            Some(agent) => format!("{escalation} acknowledged by {}", name(agent)),
            None => format!("{escalation} acknowledged by a manager"),
        },
        Event::EscalationDropped { escalation, .. } => {
            format!("who had taken {escalation} on is gone; it is called for anew")
        }
        Event::EscalationReraised { escalation, role, .. } => {
            format!("nobody acknowledged {escalation}: it calls the role `{role}`")
        }
        Event::EscalationUpdated { escalation, severity, detail } => {
            format!("{escalation} ({severity}) is now: {detail}")
        }
        Event::EscalationSettled { escalation, note } => format!("{escalation} settled: {note}"),
        Event::StallSettled { .. } => "somebody has seen to its silence; its clocks begin anew".to_owned(),
        other => return super::budgets::told(other),
    };
    Some(told)
}
