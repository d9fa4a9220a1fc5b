//! From events inside to events outside. The two never share a struct, so that either can change.

mod parts;

use kapell_api as api;
use kapell_core::{Dropped, Event, Record, Ruler, Subject};
use kapell_model::{AgentId, Moment, Name, ReservationId, TaskId};
use serde_json::{Map, Value, json};

use super::breakdown::factors;
use super::convert::{gates, hours, needs, policy, time};
use super::disagreement::{ranked, tally, voiced};
use parts::{
    agent, edited, health, inferred, message, moved_loads, narrow, project, remedy, scored, talk, task,
    waits_for,
};

/// The names of agents by id; an id that is missing is shown as a number.
pub(crate) type Names = [Name];

/// Shows an event.
pub(crate) fn event(record: &Record, names: &Names) -> api::Event {
    let about = about(&record.event);
    api::Event {
        position: record.position.0,
        at: time(record.at),
        actor: record.actor.to_string(),
        command: uuid::Uuid::from_u128(record.command.0).to_string(),
        kind: record.event.kind().to_owned(),
        task: about.task.map(|task| task.to_string()),
        agent: about.agent.map(|agent| name(agent, names)),
        assignment: about.assignment.map(|assignment| assignment.to_string()),
        data: data(record, names),
    }
}

/// What an event is about.
#[derive(Default)]
pub(crate) struct About {
    pub(crate) task: Option<TaskId>,
    pub(crate) agent: Option<AgentId>,
    pub(crate) assignment: Option<kapell_model::AssignmentId>,
}

/// Returns what an event is about.
pub(crate) fn about(event: &Event) -> About {
    let none = About::default();
    match *event {
        Event::AgentRegistered { agent, .. }
        | Event::AgentRemoved { agent }
        | Event::AgentUnreachable { agent, .. }
        | Event::AgentOffline { agent, .. }
        | Event::AgentBack { agent }
        | Event::AgentDrained { agent }
        | Event::CapabilitiesAged { agent }
        | Event::AgentHoursSet { agent, .. }
        | Event::AgentShift { agent, .. }
        | Event::AgentResumed { agent } => About { agent: Some(agent), ..none },
        Event::EmergencyActed { ref what, .. } => About { task: what.task(), ..none },
        Event::TaskAssigned { task, agent, assignment, .. }
        | Event::TaskStarted { task, agent, assignment }
        | Event::TaskProgressed { task, agent, assignment, .. }
        | Event::TaskCompleted { task, agent, assignment, .. }
        | Event::AttemptFailed { task, agent, assignment, .. }
        | Event::TaskReturned { task, agent, assignment, .. }
        | Event::TaskMoved { task, agent, assignment, .. }
        | Event::GatesOpened { task, agent, assignment, .. }
        | Event::GateOwnerLeft { task, agent, assignment, .. }
        | Event::PermissionAsked { task, agent, assignment, .. }
        | Event::PermissionAnswered { task, agent, assignment, .. }
        | Event::PermissionWithdrawn { task, agent, assignment, .. }
        | Event::TaskStalled { task, agent, assignment, .. }
        | Event::StallUnanswered { task, agent, assignment }
        | Event::HandoffRequested { task, agent, assignment, .. }
        | Event::HandoffTransferred { task, agent, assignment, .. }
        | Event::OfferMade { task, agent, assignment, .. } => {
            About { task: Some(task), agent: Some(agent), assignment: Some(assignment) }
        }
        Event::TaskSubmitted { task, .. }
        | Event::TaskFailed { task, .. }
        | Event::TaskResumed { task }
        | Event::TaskHeld { task, .. }
        | Event::HoldReleased { task }
        | Event::StallSettled { task }
        | Event::TaskCancelled { task, .. }
        | Event::TaskReopened { task, .. }
        | Event::TaskEdited { task, .. }
        | Event::TaskEstimated { task, .. }
        | Event::TaskAnalysed { task, .. }
        | Event::DependencyAdded { task, .. }
        | Event::DependencyWaived { task, .. }
        | Event::CycleBroken { task, .. }
        | Event::DependencyRestored { task, .. }
        | Event::HandoffPackageReceived { task, .. }
        | Event::HandoffValidated { task, .. }
        | Event::HandoffMediation { task, .. }
        | Event::HandoffRedirected { task, .. }
        | Event::HandoffEnded { task, .. }
        | Event::OfferAccepted { task, .. }
        | Event::OfferDeclined { task, .. } => About { task: Some(task), ..none },
        Event::BreakdownWanted { task, .. }
        | Event::BreakdownDeclined { task }
        | Event::BrokenDown { task, .. }
        | Event::BreakdownPlanned { task, .. }
        | Event::DependencyRewired { task, .. }
        | Event::TaskArchived { task, .. } => About { task: Some(task), ..none },
        Event::ComponentsProposed { task, agent, .. } => {
            About { task: Some(task), agent: Some(agent), ..none }
        }
        Event::ReviewPlaced { task, agent, .. } => About { task: Some(task), agent, ..none },
        Event::GatePassed { task, ref verdict, .. } | Event::GateRejected { task, ref verdict, .. } => {
            About { task: Some(task), agent: verdict.by, ..none }
        }
        Event::EscalationRaised { ref subject, .. } => match *subject {
            Subject::Task(task) | Subject::Edge { task, .. } => About { task: Some(task), ..none },
            Subject::Agent(agent) => About { agent: Some(agent), ..none },
            Subject::Project(_)
            | Subject::Resource(_)
            | Subject::Conflict(_)
            | Subject::Capability(_)
            | Subject::Taker(_)
            | Subject::Fleet {} => none,
        },
        Event::HandoffPackageDue { task, agent, .. }
        | Event::HandoffConfirmed { task, agent, .. }
        | Event::HandoffReleased { task, agent, .. } => {
            About { task: Some(task), agent: Some(agent), ..none }
        }
        Event::UsageReported { .. }
        | Event::BudgetSet { .. }
        | Event::BudgetWarned { .. }
        | Event::BudgetClosed { .. }
        | Event::BudgetOpened { .. } => super::budgets::about(event),
        Event::MessageSent { ref message, .. } => About { task: message.task, agent: message.from, ..none },
        Event::MessagesRead { agent, .. }
        | Event::MessagesDelivered { agent, .. }
        | Event::MessageAcknowledged { agent, .. }
        | Event::MessageResent { agent, .. }
        | Event::MessageEscalated { agent, .. }
        | Event::MessagesFolded { agent, .. }
        | Event::ChannelJoined { agent, .. }
        | Event::ChannelLeft { agent, .. } => About { agent: Some(agent), ..none },
        Event::ChannelOpened { .. } => none,
        Event::NoticeSent { agent, task, .. } => About { task, agent: Some(agent), ..none },
        Event::EscalationAcknowledged { agent, .. } => About { agent, ..none },
        Event::EscalationDropped { agent, .. } => About { agent: Some(agent), ..none },
        Event::NoticesRead { agent, .. } => About { agent: Some(agent), ..none },
        Event::ReservationGranted { agent, task, .. } | Event::ReservationRequested { agent, task, .. } => {
            About { task, agent: Some(agent), ..none }
        }
        Event::ReservationReleased { agent, .. } | Event::ReservationWithdrawn { agent, .. } => {
            About { agent: Some(agent), ..none }
        }
        Event::ContentionOpened { ref tasks, ref parties, .. } => {
            About { task: tasks.first().copied(), agent: parties.first().copied(), ..none }
        }
        Event::DecisionOpened { ref topic, .. } => {
            About { task: topic.tasks.first().copied(), agent: topic.by, ..none }
        }
        Event::DisputeOpened { task, by, assignment, .. } => {
            About { task: Some(task), agent: Some(by), assignment: Some(assignment) }
        }
        Event::PriorityAsserted { task, by, .. } | Event::OrderAsserted { first: task, by, .. } => {
            About { task: Some(task), agent: speaker(by), ..none }
        }
        Event::OrderDropped { first, .. } => About { task: Some(first), ..none },
        Event::OrderRuled { ref order, .. } => About { task: order.first().copied(), ..none },
        Event::RulingLifted { .. } => none,
        Event::PlacesSet { ref places } => About { task: places.first().map(|&(task, _)| task), ..none },
        Event::PrecedenceOpened { ref tasks, ref parties, .. } => {
            About { task: tasks.first().copied(), agent: parties.first().copied(), ..none }
        }
        Event::PrecedenceRuled { ref order, .. } => {
            About { task: order.first().map(|impact| impact.task), ..none }
        }
        Event::DisputeRuled { task, agent, .. } => About { task: Some(task), agent: Some(agent), ..none },
        Event::DecisionProposed { ref proposal, .. } => About { agent: Some(proposal.agent), ..none },
        Event::ContentionResolved { .. }
        | Event::DecisionEscalated { .. }
        | Event::DecisionMade { .. }
        | Event::DecisionWithdrawn { .. }
        | Event::BottleneckFound { .. }
        | Event::BottleneckGone { .. }
        | Event::ActionTaken { .. }
        | Event::ActionEnded { .. }
        | Event::PerformanceDegraded { .. }
        | Event::PerformanceRecovered { .. }
        | Event::ReservationRenewed { .. }
        | Event::ReservationRing { .. }
        | Event::ReservationsExtended { .. }
        | Event::ProjectCreated { .. }
        | Event::ForecastMade { .. }
        | Event::EmergencyDeclared { .. }
        | Event::EmergencySettled { .. }
        | Event::AssignmentsResuming { .. }
        | Event::EmergencyEnding { .. }
        | Event::EmergencyEnded { .. }
        | Event::ForceFormed { .. }
        | Event::ForceChecked { .. }
        | Event::ForceDisbanded { .. }
        | Event::PolicySet { .. }
        | Event::BudgetDayBegan { .. }
        | Event::CapabilityDefined { .. }
        | Event::CapabilityRemoved { .. }
        | Event::PlanApplied { .. }
        | Event::ServingResumed { .. }
        | Event::EscalationSettled { .. }
        | Event::EscalationReraised { .. }
        | Event::EscalationUpdated { .. }
        | Event::HealthFell { .. }
        | Event::HealthRecovered { .. }
        | Event::CourseNoted { .. }
        | Event::CommandKeyed { .. } => none,
    }
}

fn name(agent: AgentId, names: &Names) -> String {
    names.get(agent.index()).map_or_else(|| format!("#{}", agent.0), ToString::to_string)
}

fn speaker(by: Ruler) -> Option<AgentId> {
    match by {
        Ruler::Agent(agent) => Some(agent),
        Ruler::Manager => None,
    }
}

fn said_by(by: Ruler, names: &Names) -> String {
    speaker(by).map_or_else(|| "manager".to_owned(), |agent| name(agent, names))
}

fn data(record: &Record, names: &Names) -> Map<String, Value> {
    let event = &record.event;
    let data = match event {
        Event::AgentRegistered { spec, online, .. } => agent(spec, *online),
        Event::AgentRemoved { .. }
        | Event::AgentBack { .. }
        | Event::AgentDrained { .. }
        | Event::CapabilitiesAged { .. }
        | Event::AgentResumed { .. } => json!({}),
        Event::AgentUnreachable { last_seen, .. } => json!({ "last_seen": time(*last_seen) }),
        Event::AgentOffline { last_seen, signed_off, .. } => {
            json!({ "last_seen": time(*last_seen), "signed_off": signed_off })
        }
        Event::AgentHoursSet { hours, .. } => json!({ "hours": hours.as_deref().map(super::hours::shown) }),
        Event::AgentShift { working, until, .. } => json!({ "working": working, "until": until.map(time) }),
        Event::ProjectCreated { spec } => project(spec),
        Event::TaskSubmitted { spec, edges, estimate, learned, analysis, .. } => {
            let edges: Vec<_> = edges
                .iter()
                .map(|(on, kind)| json!({ "task": on.to_string(), "kind": kind.as_str() }))
                .collect();
            let mut submitted = task(spec);
            submitted["edges"] = Value::from(edges);
            submitted["estimate_hours"] = json!(hours(*estimate));
            if let Some(learned) = learned {
                submitted["estimate_p90_hours"] = json!(hours(learned.p90));
                submitted["estimate_learned_from"] = json!(learned.from);
            }
            if let Some(analysis) = analysis {
                submitted["inferred"] = inferred(analysis);
            }
            submitted
        }
        Event::TaskAssigned { decision, policy, scorer, threshold, considered, .. } => json!({
            "decision": decision,
            "policy_version": policy,
            "scorer_version": scorer,
            "threshold": threshold.as_decimal(),
            "considered": considered.iter().map(|candidate| scored(candidate, names)).collect::<Vec<_>>(),
        }),
        Event::TaskStarted { .. } | Event::TaskResumed { .. } => json!({}),
        Event::TaskProgressed { percent, note, .. } => json!({ "percent": percent, "note": note }),
        Event::TaskCompleted { result, offer, .. } => {
            json!({ "result": result, "offer": offer.map(|offer| offer.to_string()) })
        }
        Event::BreakdownWanted { factors: found, .. } => json!({ "factors": factors(found) }),
        Event::BreakdownDeclined { .. } => json!({}),
        Event::BrokenDown {
            by_policy,
            factors: found,
            source,
            model,
            planning,
            implementations,
            integration,
            testing,
            ..
        } => json!({
            "by_policy": by_policy,
            "factors": factors(found),
            "components_from": source.map(|source| source.as_str()),
            "model": model,
            "planning": planning.to_string(),
            "implementations": implementations.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "integration": integration.to_string(),
            "testing": testing.to_string(),
        }),
        Event::ComponentsProposed { components, .. } => json!({
            "components": components.iter().map(|it| &it.title).collect::<Vec<_>>(),
        }),
        Event::BreakdownPlanned { implementations, .. } => json!({
            "implementations": implementations.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
        Event::DependencyRewired { from, on, .. } => {
            json!({ "from": from.to_string(), "on": on.to_string() })
        }
        Event::TaskArchived { reason, .. } => json!({ "reason": reason }),
        Event::GatesOpened { result, offer, gates: all, .. } => json!({
            "result": result, "offer": offer.map(|offer| offer.to_string()), "gates": gates(all),
        }),
        Event::ReviewPlaced { gate, due, .. } => json!({ "gate": gate + 1, "due": due.map(time) }),
        Event::GatePassed { gate, verdict, .. } | Event::GateRejected { gate, verdict, .. } => json!({
            "gate": gate + 1,
            "notes": verdict.notes,
            "score": verdict.score.map(|score| score.as_decimal()),
            "exit_code": verdict.run.as_ref().map(|run| run.exit_code),
            "digest": verdict.run.as_ref().map(|run| &run.digest),
        }),
        Event::UsageReported { .. }
        | Event::BudgetSet { .. }
        | Event::BudgetDayBegan { .. }
        | Event::BudgetWarned { .. }
        | Event::BudgetClosed { .. }
        | Event::BudgetOpened { .. } => super::budgets::event(event, |agent| name(agent, names)),
        Event::GateOwnerLeft { cause, .. } => json!({ "cause": cause }),
        Event::PermissionAsked { .. }
        | Event::PermissionAnswered { .. }
        | Event::PermissionWithdrawn { .. } => {
            super::permissions::event(record.position, event, |agent| name(agent, names))
        }
        Event::AttemptFailed { reason, retry_at, .. } => {
            json!({ "reason": reason, "retry_at": retry_at.map(time) })
        }
        Event::TaskFailed { reason, .. } | Event::TaskReopened { reason, .. } => json!({ "reason": reason }),
        Event::TaskReturned { cause, boosted, note, .. } => {
            json!({ "cause": cause, "boosted": boosted, "note": note })
        }
        Event::TaskMoved { from, ended, cause, note, loads, policy, scorer, considered, .. } => json!({
            "from": name(*from, names),
            "ended": ended.to_string(),
            "cause": cause.as_str(),
            "note": note,
            "loads": loads.map(moved_loads),
            "policy_version": policy,
            "scorer_version": scorer,
            "considered": considered.iter().map(|candidate| scored(candidate, names)).collect::<Vec<_>>(),
        }),
        Event::TaskStalled { cause, silent, elapsed, allowed, due, .. } => json!({
            "cause": cause.as_str(),
            "silent_ms": silent.0,
            "elapsed_ms": elapsed.0,
            "allowed_ms": allowed.0,
            "due": time(*due),
        }),
        Event::TaskHeld { turns, until, .. } => json!({ "turns": turns, "until": time(*until) }),
        Event::StallUnanswered { .. } | Event::HoldReleased { .. } => json!({}),
        Event::ServingResumed { away } => json!({ "away_ms": away.0 }),
        Event::PlanApplied { kind, seen, applied, dropped } => {
            let fell = |item: &Dropped| {
                json!({
                    "task": item.task.to_string(), "agent": name(item.agent, names), "reason": item.reason,
                })
            };
            json!({
                "kind": kind.as_str(),
                "seen": seen.0,
                "applied": applied,
                "dropped": dropped.iter().map(fell).collect::<Vec<_>>(),
            })
        }
        Event::HandoffRequested { handoff, to, cause, note, considered, .. } => json!({
            "handoff": handoff.to_string(),
            "to": name(*to, names),
            "cause": cause.as_str(),
            "note": note,
            "considered": considered.iter().map(|candidate| scored(candidate, names)).collect::<Vec<_>>(),
        }),
        Event::HandoffPackageDue { handoff, due, missing, .. } => {
            json!({ "handoff": handoff.to_string(), "due": time(*due), "missing": missing })
        }
        Event::HandoffPackageReceived { handoff, package: sent, missing, .. } => json!({
            "handoff": handoff.to_string(),
            "package": super::handoffs::packed(sent),
            "missing": missing,
        }),
        Event::HandoffTransferred {
            handoff,
            from,
            ended,
            due,
            reservations,
            note,
            policy,
            scorer,
            considered,
            ..
        } => {
            let moved = |(old, new): &(ReservationId, ReservationId)| json!({ "ended": old.to_string(), "reservation": new.to_string() });
            json!({
                "handoff": handoff.to_string(),
                "from": name(*from, names),
                "ended": ended.to_string(),
                "due": time(*due),
                "reservations": reservations.iter().map(moved).collect::<Vec<_>>(),
                "note": note,
                "policy_version": policy,
                "scorer_version": scorer,
                "considered": considered.iter().map(|candidate| scored(candidate, names)).collect::<Vec<_>>(),
            })
        }
        Event::HandoffValidated { handoff, .. }
        | Event::HandoffConfirmed { handoff, .. }
        | Event::HandoffReleased { handoff, .. } => json!({ "handoff": handoff.to_string() }),
        Event::HandoffMediation { handoff, trouble, detail, .. } => {
            json!({ "handoff": handoff.to_string(), "trouble": trouble.as_str(), "detail": detail })
        }
        Event::HandoffRedirected { handoff, to, due, considered, .. } => json!({
            "handoff": handoff.to_string(),
            "to": name(*to, names),
            "due": time(*due),
            "considered": considered.iter().map(|candidate| scored(candidate, names)).collect::<Vec<_>>(),
        }),
        Event::HandoffEnded { handoff, outcome, reason, .. } => {
            json!({ "handoff": handoff.to_string(), "outcome": outcome.as_str(), "reason": reason })
        }
        Event::MessageSent { message: sent, to, gathered, full } => {
            let mut shown = message(sent);
            if let Some((_, until)) = gathered {
                shown["gathered_until"] = json!(time(*until));
            }
            shown["to"] = json!(to.iter().map(|&agent| name(agent, names)).collect::<Vec<_>>());
            if !full.is_empty() {
                shown["full"] = json!(full.iter().map(|&agent| name(agent, names)).collect::<Vec<_>>());
            }
            shown
        }
        Event::MessagesDelivered { messages, .. } => {
            json!({ "messages": messages.iter().map(ToString::to_string).collect::<Vec<_>>() })
        }
        Event::MessagesRead { up_to, .. } => json!({ "up_to": up_to.to_string() }),
        Event::MessageAcknowledged { message, .. } | Event::MessageEscalated { message, .. } => {
            json!({ "message": message.to_string() })
        }
        Event::MessageResent { message, due, .. } => {
            json!({ "message": message.to_string(), "due": time(*due) })
        }
        Event::MessagesFolded { digest, gathered, .. } => {
            let folded: Vec<String> = digest.digest.iter().map(ToString::to_string).collect();
            let mut shown = message(digest);
            shown["gathered"] = json!(gathered.as_ref().map(|it| talk(it, names)));
            shown["folded"] = json!(folded);
            shown
        }
        Event::ChannelOpened { channel, members } => json!({
            "channel": channel,
            "members": members.iter().map(|&agent| name(agent, names)).collect::<Vec<_>>(),
        }),
        Event::ChannelJoined { channel, .. } | Event::ChannelLeft { channel, .. } => {
            json!({ "channel": channel })
        }
        Event::NoticeSent { notice, kind, text, due, .. } => {
            json!({ "notice": notice.to_string(), "kind": kind.as_str(), "text": text, "due": due.map(time) })
        }
        Event::NoticesRead { up_to, .. } => json!({ "up_to": up_to.to_string() }),
        Event::TaskCancelled { reason, after, .. } => {
            json!({ "reason": reason, "after": after.map(|task| task.to_string()) })
        }
        Event::DependencyAdded { on, kind, inferred, .. } => json!({
            "on": on.to_string(), "kind": kind.as_str(), "inferred": inferred.then_some(true),
        }),
        Event::DependencyWaived { on, .. } | Event::DependencyRestored { on, .. } => {
            json!({ "on": on.to_string() })
        }
        Event::CycleBroken { on, inferred, cycle, closed_by, because, .. } => json!({
            "on": on.to_string(),
            "inferred": inferred.then_some(true),
            "cycle": cycle.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "closed_by": { "task": closed_by.0.to_string(), "on": closed_by.1.to_string() },
            "because": because.as_str(),
            "reason": because.says(),
        }),
        Event::OfferMade { offer, result, .. } => json!({ "offer": offer.to_string(), "result": result }),
        Event::OfferAccepted { offer, .. } => json!({ "offer": offer.to_string() }),
        Event::OfferDeclined { offer, reason, .. } => json!({ "offer": offer.to_string(), "reason": reason }),
        Event::CapabilityDefined { spec } => {
            json!({ "name": spec.name, "aliases": spec.aliases, "definition": spec.definition })
        }
        Event::CapabilityRemoved { name } => json!({ "name": name }),
        Event::TaskEdited { edit, estimate, learned, .. } => edited(edit, *estimate, *learned),
        Event::TaskEstimated { estimate, learned, .. } => json!({
            "estimate_hours": hours(*estimate),
            "estimate_learned_from": learned.map(|learned| learned.from),
        }),
        Event::TaskAnalysed { analysis, .. } => json!({ "inferred": inferred(analysis) }),
        Event::PolicySet { version, policy: set } => json!({ "policy": policy(set, *version) }),
        Event::EscalationRaised { escalation, kind, subject, severity, detail } => {
            let (project, resource, about) = match subject {
                Subject::Project(project) => (Some(project), None, None),
                Subject::Resource(resource) => (None, Some(resource), None),
                Subject::Conflict(conflict) => (None, None, Some(("conflict", conflict.to_string()))),
                Subject::Capability(name) => (None, None, Some(("capability", name.to_string()))),
                Subject::Edge { on, .. } => (None, None, Some(("on", on.to_string()))),
                Subject::Task(_) | Subject::Agent(_) | Subject::Taker(_) | Subject::Fleet {} => {
                    (None, None, None)
                }
            };
            let about = |what| about.as_ref().filter(|(field, _)| *field == what).map(|(_, id)| id);
            json!({
                "escalation": escalation.to_string(),
                "kind": kind.as_str(),
                "severity": severity.as_str(),
                "detail": detail,
                "project": project,
                "resource": resource,
                "conflict": about("conflict"),
                "capability": about("capability"),
                "on": about("on"),
            })
        }
        Event::EscalationAcknowledged { escalation, .. } => json!({ "escalation": escalation.to_string() }),
        Event::EscalationDropped { escalation, due, .. } => {
            json!({ "escalation": escalation.to_string(), "due": time(*due) })
        }
        Event::EscalationReraised { escalation, role, due } => {
            json!({ "escalation": escalation.to_string(), "role": role, "due": time(*due) })
        }
        Event::EscalationUpdated { escalation, severity, detail } => json!({
            "escalation": escalation.to_string(),
            "severity": severity.as_str(),
            "detail": detail,
        }),
        Event::EscalationSettled { escalation, note } => {
            json!({ "escalation": escalation.to_string(), "note": note })
        }
        Event::HealthFell { health: fell, below } => {
            json!({ "health": health(fell), "below": below.as_decimal() })
        }
        Event::HealthRecovered { health: recovered } => json!({ "health": health(recovered) }),
        Event::CourseNoted { sample } => json!({
            "health": health(&sample.health),
            "slots": sample.slots,
            "slots_used": sample.slots_used,
            "blocked": sample.blocked,
            "ready": sample.ready,
            "deferred": sample.deferred,
            "running": sample.running,
            "gated": sample.gated,
            "lead_p50_ms": sample.lead.map(|(half, _)| half.0),
            "lead_p90_ms": sample.lead.map(|(_, most)| most.0),
        }),
        Event::ReservationGranted { reservation, needs: all, ttl, expires_at, wait, .. } => json!({
            "reservation": reservation.to_string(),
            "resources": needs(all),
            "ttl_ms": ttl.map(|ttl| ttl.0),
            "expires_at": expires_at.map(time),
            "wait": wait.map(|wait| wait.to_string()),
        }),
        Event::ReservationRenewed { reservation, expires_at } => {
            json!({ "reservation": reservation.to_string(), "expires_at": time(*expires_at) })
        }
        Event::ReservationReleased { reservation, cause, reason, .. } => {
            json!({ "reservation": reservation.to_string(), "cause": cause, "reason": reason })
        }
        Event::ReservationRequested { wait, needs: all, ttl, expires_at, behind, .. } => json!({
            "wait": wait.to_string(),
            "resources": needs(all),
            "ttl_ms": ttl.0,
            "expires_at": time(*expires_at),
            "behind": behind.map(|reservation| reservation.to_string()),
        }),
        Event::ReservationWithdrawn { wait, cause, reason, .. } => {
            json!({ "wait": wait.to_string(), "cause": cause, "reason": reason })
        }
        Event::ReservationRing { ring, reservation, until } => json!({
            "ring": ring.iter().map(|step| waits_for(step, names)).collect::<Vec<_>>(),
            "reservation": reservation.to_string(),
            "until": time(*until),
        }),
        Event::ReservationsExtended { leases, waits } => json!({ "leases": leases, "waits": waits }),
        Event::ContentionOpened { conflict, wait, parties, tasks } => json!({
            "conflict": conflict.to_string(),
            "wait": wait.to_string(),
            "parties": parties.iter().map(|&agent| name(agent, names)).collect::<Vec<_>>(),
            "tasks": tasks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
        Event::ContentionResolved { conflict, reservation, reason } => json!({
            "conflict": conflict.to_string(),
            "reservation": reservation.map(|reservation| reservation.to_string()),
            "reason": reason,
        }),
        Event::DecisionOpened { conflict, topic } => json!({
            "conflict": conflict.to_string(),
            "topic": topic.title,
            "capability": topic.capability,
            "deadline": time(topic.deadline),
            "irreversible": topic.irreversible,
            "architectural": topic.architectural,
            "options": topic.options,
            "asked": topic.asked.iter().map(|&agent| name(agent, names)).collect::<Vec<_>>(),
            "tasks": topic.tasks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
        Event::DecisionProposed { conflict, proposal } => json!({
            "conflict": conflict.to_string(),
            "option": proposal.option,
            "reasons": proposal.reasons,
            "confidence": proposal.confidence.as_decimal(),
            "score": proposal.score.as_decimal(),
        }),
        Event::DecisionEscalated { conflict, tally: votes, because } => {
            json!({ "conflict": conflict.to_string(), "tally": tally(votes), "because": because })
        }
        Event::DecisionMade { conflict, option, ruled, tally: votes, reason } => json!({
            "conflict": conflict.to_string(),
            "option": option,
            "ruled_by": ruled.map(|ruler| said_by(ruler, names)),
            "tally": tally(votes),
            "reason": reason,
        }),
        Event::EmergencyDeclared { emergency, kind, scope, cause, detail } => json!({
            "emergency": emergency.to_string(),
            "kind": kind.as_str(),
            "about_task": scope.task().map(|task| task.to_string()),
            "project": scope.project(),
            "cause": cause.as_str(),
            "detail": detail,
        }),
        Event::EmergencyActed { emergency, action, what } => json!({
            "emergency": emergency.to_string(), "action": action, "what": what.as_str(), "is_undone": what.is_undone(),
        }),
        Event::EmergencySettled { emergency, action, how } => {
            json!({ "emergency": emergency.to_string(), "action": action, "how": how.as_str() })
        }
        Event::AssignmentsResuming { emergency, allowed, next } => {
            json!({ "emergency": emergency.to_string(), "allowed": allowed, "next": time(*next) })
        }
        Event::EmergencyEnding { emergency, reason, by_hand } => json!({
            "emergency": emergency.to_string(), "reason": reason, "by_hand": by_hand.then_some(true),
        }),
        Event::EmergencyEnded { emergency } => json!({ "emergency": emergency.to_string() }),
        Event::ForceFormed { force, formation } => json!({
            "force": force.to_string(),
            "for_task": formation.scope.task().map(|task| task.to_string()),
            "project": formation.scope.project(),
            "emergency": formation.emergency.map(|emergency| emergency.to_string()),
            "lead": name(formation.lead, names),
            "members": formation.members.iter().map(|&agent| name(agent, names)).collect::<Vec<_>>(),
            "channel": formation.channel,
        }),
        Event::ForceChecked { force, checkpoint, done, found } => json!({
            "force": force.to_string(), "checkpoint": checkpoint, "done_percent": done, "found": found.as_str(),
        }),
        Event::ForceDisbanded { force, reason } => json!({ "force": force.to_string(), "reason": reason }),
        Event::ForecastMade { forecast } => json!({
            "project": forecast.project,
            "seen": forecast.seen.0,
            "seed": format!("{:016x}", forecast.seed),
            "trials": forecast.trials,
            "open": forecast.open,
            "p50": time(forecast.p50),
            "p80": time(forecast.p80),
            "p90": time(forecast.p90),
            "path": forecast.path.iter().map(|(task, _)| task.to_string()).collect::<Vec<_>>(),
            "path_hours": hours(forecast.length),
            "gains": forecast.gains.iter().map(|(name, saved)| json!({"capability": name, "hours_saved": hours(*saved)})).collect::<Vec<_>>(),
        }),
        Event::DecisionWithdrawn { conflict, reason } => {
            json!({ "conflict": conflict.to_string(), "reason": reason })
        }
        Event::DisputeOpened { conflict, stalled, parties, cause, reason, .. } => json!({
            "conflict": conflict.to_string(),
            "stalled": stalled,
            "parties": parties.iter().map(|&agent| name(agent, names)).collect::<Vec<_>>(),
            "cause": cause.as_str(),
            "reason": reason,
        }),
        Event::DisputeRuled { conflict, rule, considered, reason, .. } => json!({
            "conflict": conflict.to_string(),
            "rule": rule.as_str(),
            "considered": considered.iter().map(|candidate| scored(candidate, names)).collect::<Vec<_>>(),
            "reason": reason,
        }),
        Event::PriorityAsserted { by, priority, reason, .. } => {
            json!({ "by": said_by(*by, names), "priority": priority.as_str(), "reason": reason })
        }
        Event::OrderAsserted { first, then, by, reason } => json!({
            "first": first.to_string(),
            "then": then.to_string(),
            "by": said_by(*by, names),
            "reason": reason,
        }),
        Event::OrderDropped { first, then, ruling_stays } => json!({
            "first": first.to_string(),
            "then": then.to_string(),
            "ruling_stays": ruling_stays,
        }),
        Event::OrderRuled { conflict, order } => json!({
            "conflict": conflict.to_string(),
            "order": order.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
        Event::RulingLifted { conflict } => json!({ "conflict": conflict.to_string() }),
        Event::PlacesSet { places } => {
            let place = |&(task, start): &(TaskId, Moment)| json!({ "task": task.to_string(), "as_if_to_start_by": time(start) });
            json!({ "places": places.iter().map(place).collect::<Vec<_>>() })
        }
        Event::PrecedenceOpened { conflict, tasks, parties, said } => json!({
            "conflict": conflict.to_string(),
            "tasks": tasks.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "parties": parties.iter().map(|&agent| name(agent, names)).collect::<Vec<_>>(),
            "said": said.iter().map(|voice| voiced(voice, |by| said_by(by, names))).collect::<Vec<_>>(),
        }),
        Event::PrecedenceRuled { conflict, order, priority, typical, carried, reason } => json!({
            "conflict": conflict.to_string(),
            "order": ranked(order, carried),
            "priority": priority.map(|priority| priority.as_str()),
            "typical_hours": hours(*typical),
            "reason": reason,
        }),
        Event::BottleneckFound { bottleneck, about, severity, measure, detail } => json!({
            "bottleneck": bottleneck.to_string(),
            "kind": about.kind().as_str(),
            "about": narrow(about, names),
            "severity": severity.as_str(),
            "measured": measure.value,
            "bound": measure.bound,
            "detail": detail,
        }),
        Event::BottleneckGone { bottleneck, measure } => json!({
            "bottleneck": bottleneck.to_string(), "measured": measure.value, "bound": measure.bound,
        }),
        Event::ActionTaken { action, bottleneck, remedy: does, before, expires_at } => json!({
            "action": action.to_string(),
            "bottleneck": bottleneck.to_string(),
            "kind": does.as_str(),
            "of": remedy(does, names),
            "before": before.value,
            "bound": before.bound,
            "expires_at": time(*expires_at),
        }),
        Event::ActionEnded { action, because, after } => json!({
            "action": action.to_string(),
            "because": because.as_str(),
            "after": after.value,
            "bound": after.bound,
        }),
        Event::PerformanceDegraded { causes } => json!({ "causes": causes }),
        Event::PerformanceRecovered { since } => json!({ "since": time(*since) }),
        Event::StallSettled { .. } | Event::CommandKeyed { .. } => json!({}),
    };
    match data {
        Value::Object(members) => members.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}
