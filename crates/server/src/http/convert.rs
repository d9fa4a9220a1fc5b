//! From the state to the wire.

mod because;

use std::fmt::Display;

use jiff::Timestamp;
use kapell_api as api;
use kapell_core::{
    Agent, Channel, Counts, Delivery, Escalation, Handoff, Message, Notice, Offer, OfferState, Project,
    Reply, Reservation, ReservationRef, Stage, State, Subject, Task,
};
use kapell_core::{BrokenEdge, Evidence, InferredRequire, Unresolved};
use kapell_model::{
    AgentId, Inference, Moment, Name, Need, Policy, Ratio, Reporting, Span, TaskGate, TaskState,
};

use crate::fleet::{Handed, View};
pub(crate) use because::because;

/// Shows a moment by RFC 3339 in UTC.
pub(crate) fn time(moment: Moment) -> String {
    Timestamp::from_millisecond(moment.0).map(|timestamp| timestamp.to_string()).unwrap_or_default()
}

/// Shows a span in hours.
#[expect(clippy::cast_precision_loss, reason = "spans are far below 2^52 ms")]
pub(crate) fn hours(span: Span) -> f64 {
    span.0 as f64 / 3_600_000.0
}

/// Shows a weight in whole units.
pub(crate) fn weight(millionths: u32) -> f64 {
    f64::from(millionths) / f64::from(Ratio::UNIT)
}

fn shown(id: impl Display) -> String {
    id.to_string()
}

/// Shows what an accepted command did.
pub(crate) fn ack(reply: &Reply) -> api::Ack {
    api::Ack {
        task: reply.task.map(shown),
        state: reply.state.map(|state| state.as_str().to_owned()),
        agent: reply.agent.as_ref().map(shown),
        assignment: reply.assignment.map(shown),
        offer: reply.offer.map(shown),
        escalation: reply.escalation.map(shown),
        reservation: reply.reservation.map(shown),
        wait: reply.wait.map(shown),
        expires_at: reply.expires_at.map(time),
        conflict: reply.conflict.map(shown),
        handoff: reply.handoff.map(shown),
        message: reply.message.map(shown),
        missing: reply.missing.iter().map(shown).collect(),
        emergency: reply.emergency.map(shown),
        force: reply.force.map(shown),
        policy_version: reply.policy_version,
        notices: reply.notices,
        note: None,
    }
}

/// Shows an assignment to its agent.
pub(crate) fn assignment(handed: &Handed, agent: &str) -> api::Assignment {
    let spec = &handed.spec;
    api::Assignment {
        assignment: shown(handed.assignment),
        task: shown(handed.task),
        agent: agent.to_owned(),
        key: spec.key.as_ref().map(shown),
        title: shown(&spec.title),
        description: shown(&spec.description),
        kind: shown(&spec.kind),
        priority: shown(handed.priority),
        project: spec.project.as_ref().map(shown),
        attempt: handed.attempt,
        started: handed.started,
        since: time(handed.since),
        deadline: spec.deadline.map(time),
        note: handed.note.as_ref().map(shown),
        estimate_hours: spec.estimate.map(hours),
    }
}

/// Shows an agent.
pub(crate) fn agent(view: &View<'_>, agent: &Agent) -> api::Agent {
    let last_seen = view.liveness.last_seen(agent.id).filter(|_| agent.seen);
    let lease = view.state.lease_of(agent.id);
    let load = view.state.load(agent.id);
    let worked =
        agent.hours().map_or_else(String::new, |_| format!(", {} of its working hours", agent.borne(lease)));
    let mut because = vec![match last_seen {
        Some(seen) => format!("last heard of {} ago; its lease is {lease}{worked}", view.now.since(seen)),
        None => "never heard of".to_owned(),
    }];
    because.extend(super::hours::fact(agent));
    if agent.draining {
        because.push("it is being drained: it ends what it has and gets nothing new".to_owned());
    }
    because.extend(super::budgets::about_agent(view.state, agent.id));
    if agent.spec.standby {
        because.push(match view.state.emergencies().is_raised(agent.id) {
            true => "it stands by, and gets work for as long as an emergency lasts".to_owned(),
            false => "it stands by: it gets work only in an emergency".to_owned(),
        });
    }
    let more = view.state.emergencies().overtime(agent.id);
    if more > 0 {
        let tasks = if more == 1 { "task" } else { "tasks" };
        because.push(format!("it may own {more} {tasks} more for as long as an emergency lasts"));
    }
    for force in view.state.forces_with(agent.id) {
        because.push(format!("it is in task force {}", force.id));
    }
    api::Agent {
        name: shown(&agent.spec.name),
        role: shown(&agent.spec.role),
        kind: shown(agent.spec.kind),
        state: shown(agent.state),
        state_since: time(agent.state_since),
        because,
        draining: agent.draining,
        standby: agent.spec.standby,
        last_seen: last_seen.map(time),
        lease_ms: lease.0,
        capabilities: agent
            .spec
            .capabilities
            .iter()
            .map(|(name, score)| (name.to_string(), score.as_decimal()))
            .collect(),
        hours: agent.hours().map(super::hours::shown),
        away_until: agent.away_until().filter(|&until| until < Moment::NEVER).map(time),
        scores: view.state.capabilities_of(agent).iter().map(super::why::capability).collect(),
        max_concurrent_tasks: view.state.limit_of(agent.id),
        utilization: load.utilization.as_decimal(),
        remaining_hours: hours(load.remaining),
        complexity: load.complexity,
        tasks: agent.tasks.iter().map(shown).collect(),
        completed: agent.completed,
        failed: agent.failed,
        lost: agent.lost,
    }
}

fn agent_name(state: &State, id: AgentId) -> String {
    state.agent(id).spec.name.to_string()
}

/// Shows a task.
pub(crate) fn task(view: &View<'_>, task: &Task) -> api::Task {
    let (state, spec, owner, ending) = (view.state, &task.spec, task.owner.as_ref(), task.ending.as_ref());
    let source = spec.source.as_ref().and_then(|source| serde_json::from_str(source).ok());
    let open_offer =
        |id: &&kapell_model::OfferId| state.offer(**id).is_some_and(|o| o.state == OfferState::Open);
    let note = owner.and_then(|owner| owner.note.as_ref()).or(task.note.as_ref());
    let stall = owner.and_then(|owner| owner.stall());
    api::Task {
        id: shown(task.id),
        key: spec.key.as_ref().map(shown),
        title: shown(&spec.title),
        description: shown(&spec.description),
        kind: shown(&spec.kind),
        priority: shown(task.priority),
        declared_priority: shown(spec.priority),
        effective_priority: shown(task.effective),
        state: shown(task.state()),
        state_since: time(task.state_since),
        because: because(view, task),
        project: spec.project.as_ref().map(shown),
        requires: requires(state, task),
        role: spec.role.as_ref().map(shown),
        pinned_agent: spec.agent.as_ref().map(shown),
        exclude: spec.exclude.iter().map(shown).collect(),
        estimate_hours: hours(task.estimate),
        estimate_p90_hours: hours(task.estimate_p90()),
        estimate_source: match (spec.estimate, task.learned) {
            (Some(_), _) => "declared",
            (None, Some(_)) => "learned",
            (None, None) => "by_complexity",
        }
        .to_owned(),
        estimate_learned_from: task.learned.map(|learned| learned.from),
        complexity: spec.complexity,
        depends_on: task
            .edges
            .iter()
            .map(|edge| api::Dependency {
                task: shown(edge.on),
                kind: shown(edge.kind),
                state: shown(state.task(edge.on).state()),
                waived: edge.waived,
                broken: edge.broken,
                inferred: edge.inferred,
                evidence: task.analysis.as_ref().filter(|_| edge.inferred).and_then(|analysis| {
                    let read = analysis.edges.iter().find(|read| read.on == edge.on);
                    read.map(|read| evidence(&read.evidence))
                }),
            })
            .collect(),
        dependents: task.dependents.iter().map(shown).collect(),
        owner: owner.map(|owner| agent_name(state, owner.agent)),
        assignment: owner.map(|owner| shown(owner.assignment)),
        attempts: task.attempts,
        failures: task.failures,
        max_attempts: spec.attempts_max.unwrap_or(state.policy().attempts_max),
        declared_max_attempts: spec.attempts_max,
        losses: task.losses,
        progress_percent: owner.map(|owner| owner.percent),
        note: note.map(shown),
        result: ending.and_then(|ending| ending.result.as_ref()).map(shown),
        finished_by: ending.and_then(|ending| ending.by).map(|(agent, _)| agent_name(state, agent)),
        reason: ending.and_then(|ending| ending.reason.as_ref()).map(shown),
        deadline: spec.deadline.map(time),
        latest_start: task.must_start_by().map(time),
        not_before: spec.not_before.map(time),
        deferred_until: task.deferred_until.map(time),
        held_until: task.held_until().map(time),
        turns: task.churn.as_ref().map(|churn| u32::try_from(churn.turns().len()).unwrap_or(u32::MAX)),
        submitted_at: time(task.submitted_at),
        edited_at: task.edited_at.map(time),
        started_at: owner.and_then(|owner| owner.started_at).map(time),
        stalled_since: stall.map(|stall| time(stall.since)),
        stall_cause: stall.map(|stall| stall.cause.as_str().to_owned()),
        answer_due: stall.map(|stall| time(stall.due)),
        finished_at: ending.map(|ending| time(ending.at)),
        labels: spec.labels.iter().map(shown).collect(),
        offers_open: u32::try_from(task.offers.iter().filter(open_offer).count()).unwrap_or(u32::MAX),
        source,
        changed: task.changed.0,
        resources: needs(&spec.resources),
        reservations: state.reservations().of_task(task.id).map(|held| shown(held.id)).collect(),
        gates: super::gates::of_task(view, task),
        permission: super::permissions::of_task(state, task),
        declared_gates: gates(&spec.gates),
        components: super::breakdown::components_shown(&spec.components),
        rejections: task.acceptance.as_ref().map_or(0, |finished| finished.rejections),
        breakdown: Some(super::breakdown::shown(state, task))
            .filter(|it| task.breakdown.is_some() || it.needed),
        cost: super::budgets::of_task(state, task),
    }
}

fn requires(state: &State, task: &Task) -> Vec<api::RequiredCapability> {
    let declared = task.spec.requires.iter().map(|require| api::RequiredCapability {
        capability: shown(&require.capability),
        weight: weight(require.weight),
        minimum: require.minimum.as_decimal(),
        inferred: false,
        set_aside: false,
        evidence: Vec::new(),
    });
    let inferred = inferred(task).iter().map(|require| api::RequiredCapability {
        capability: shown(&require.capability),
        weight: weight(require.weight),
        minimum: 0.0,
        inferred: true,
        set_aside: state.is_set_aside(task.class, &require.capability),
        evidence: require.evidence.iter().map(evidence).collect(),
    });
    declared.chain(inferred).collect()
}

/// What a task was taken to need, where it declares nothing.
fn inferred(task: &Task) -> &[InferredRequire] {
    match &task.analysis {
        Some(analysis) if task.spec.requires.is_empty() => &analysis.requires,
        _ => &[],
    }
}

fn evidence(evidence: &Evidence) -> api::Evidence {
    api::Evidence { field: evidence.field.as_str().to_owned(), words: evidence.words.to_string() }
}

/// Says in words what a task's text was taken to say.
pub(crate) fn read_from_text(state: &State, task: &Task) -> Vec<String> {
    let said = |evidence: &Evidence| format!("{} \"{}\"", evidence.field.as_str(), evidence.words);
    let mut facts = Vec::new();
    for require in inferred(task) {
        let evidence: Vec<_> = require.evidence.iter().map(said).collect();
        let (name, evidence) = (&require.capability, evidence.join(", "));
        let set_aside = if state.is_set_aside(task.class, name) {
            "; set aside: no agent of the fleet could take the task with it"
        } else {
            ""
        };
        facts.push(format!("needs {name}, inferred from {evidence}{set_aside}"));
    }
    if task.is_open() && task.spec.requires.is_empty() && facts.is_empty() {
        facts.push(match state.policy().inference {
            Inference::On => "needs no capability: none is declared, and its text names none".to_owned(),
            Inference::Off => "needs no capability: none is declared, and inference is off".to_owned(),
        });
    }
    let analysis = task.analysis.iter();
    for edge in analysis.clone().flat_map(|analysis| &analysis.edges) {
        facts.push(format!("waits for {}, inferred from {}", edge.on, said(&edge.evidence)));
    }
    for passed in analysis.flat_map(|analysis| &analysis.passed_over) {
        let why = match passed.because {
            Unresolved::Unknown => "no such task was there",
            Unresolved::Cycle => "it would close a cycle",
            Unresolved::Ended => "that task had failed or was called off",
        };
        facts.push(format!("does not wait for what {} names: {why}", said(&passed.evidence)));
    }
    facts
}

/// Shows counts by state.
pub(crate) fn totals(counts: &Counts) -> api::TaskTotals {
    api::TaskTotals {
        total: counts.total(),
        blocked: counts.of(TaskState::Blocked),
        ready: counts.of(TaskState::Ready),
        deferred: counts.of(TaskState::Deferred),
        assigned: counts.of(TaskState::Assigned),
        in_progress: counts.of(TaskState::InProgress),
        completed: counts.of(TaskState::Completed),
        failed: counts.of(TaskState::Failed),
        cancelled: counts.of(TaskState::Cancelled),
        in_review: counts.of(TaskState::InReview),
        waiting: counts.of(TaskState::Waiting),
        archived: counts.of(TaskState::Archived),
    }
}

/// Shows a project.
pub(crate) fn project(project: &Project) -> api::Project {
    api::Project {
        name: shown(&project.spec.name),
        title: shown(&project.spec.title),
        deadline: project.spec.deadline.map(time),
        milestones: project
            .spec
            .milestones
            .iter()
            .map(|it| api::Milestone { title: shown(&it.title), at: time(it.at) })
            .collect(),
        tasks: totals(&project.counts),
    }
}

/// Shows a late result.
pub(crate) fn offer(state: &State, offer: &Offer) -> api::Offer {
    api::Offer {
        id: shown(offer.id),
        task: shown(offer.task),
        agent: agent_name(state, offer.agent),
        assignment: shown(offer.assignment),
        result: offer.result.as_ref().map(shown),
        at: time(offer.at),
        state: offer.state.as_str().to_owned(),
        reason: offer.reason.as_ref().map(shown),
    }
}

/// Shows a notice.
pub(crate) fn notice(notice: &Notice, read: bool) -> api::Notice {
    api::Notice {
        id: shown(notice.id),
        kind: notice.kind.as_str().to_owned(),
        task: notice.task.map(shown),
        text: shown(&notice.text),
        at: time(notice.at),
        due: notice.due.map(time),
        read,
    }
}

/// Shows resources with their modes.
pub(crate) fn needs(needs: &[Need]) -> Vec<api::ResourceNeed> {
    let need = |need: &Need| api::ResourceNeed {
        resource: shown(&need.resource),
        mode: need.mode.as_str().to_owned(),
    };
    needs.iter().map(need).collect()
}

/// Shows a reservation, or a place in line as what it is or has become; nothing where it has ended.
pub(crate) fn reservation(view: &View<'_>, id: ReservationRef) -> Option<api::Reservation> {
    let (state, all) = (view.state, view.state.reservations());
    let wait = match id {
        ReservationRef::Held(id) => return Some(held(view, all.reservation(id)?)),
        ReservationRef::Waiting(id) => match all.wait(id) {
            Some(wait) => wait,
            None => return Some(held(view, all.granted(id)?)),
        },
    };
    let behind = state.obstacle_of(wait).map(|obstacle| state.resource_held(&obstacle, view.now).to_string());
    Some(api::Reservation {
        id: shown(wait.id),
        state: "waiting".to_owned(),
        because: behind.into_iter().collect(),
        agent: agent_name(state, wait.agent),
        task: wait.task.map(shown),
        resources: needs(&wait.needs),
        since: time(wait.since),
        expires_at: Some(time(wait.expires_at)),
        ttl_ms: Some(wait.ttl.0),
        wait: None,
        asked_at: None,
    })
}

fn held(view: &View<'_>, held: &Reservation) -> api::Reservation {
    let mut because = Vec::new();
    if let Some(asked) = held.asked {
        let ago = view.now.since(asked);
        because.push(format!(
            "its holder was asked {ago} ago to release it: agents wait for each other in a ring"
        ));
    }
    if let (None, Some(task)) = (held.ttl, held.task) {
        because.push(format!("came with the assignment of {task}, and goes with it"));
    }
    api::Reservation {
        id: shown(held.id),
        state: "held".to_owned(),
        because,
        agent: agent_name(view.state, held.agent),
        task: held.task.map(shown),
        resources: needs(&held.needs),
        since: time(held.since),
        expires_at: held.expires_at.map(time),
        ttl_ms: held.ttl.map(|ttl| ttl.0),
        wait: held.wait.map(shown),
        asked_at: held.asked.map(time),
    }
}

/// Shows a message, and how it stands with whose inbox it is in.
pub(crate) fn message(state: &State, message: &Message, delivery: Option<&Delivery>) -> api::Message {
    let unread = Some(state.messages().unread(message.id));
    api::Message { unread, ..sent(|agent| agent_name(state, agent), message, delivery) }
}

/// Shows a message beside the writer, which knows the state.
pub(crate) fn message_named(names: &[Name], message: &Message, delivery: Option<&Delivery>) -> api::Message {
    let name = |agent: AgentId| names.get(agent.index()).map_or_else(|| format!("#{}", agent.0), shown);
    sent(name, message, delivery)
}

fn sent(name: impl Fn(AgentId) -> String, message: &Message, delivery: Option<&Delivery>) -> api::Message {
    api::Message {
        id: shown(message.id),
        from: message.from.map(&name),
        to: message.to.map(&name),
        channel: message.channel.as_ref().map(shown),
        thread: message.thread.map(shown),
        task: message.task.map(shown),
        priority: shown(message.priority),
        text: shown(&message.text),
        ack: message.ack,
        digest: message.digest.iter().map(shown).collect(),
        at: time(message.at),
        due: delivery.map(|delivery| time(delivery.due)),
        resent: delivery.is_some_and(|delivery| delivery.resent),
        escalated: delivery.is_some_and(|delivery| delivery.escalated),
        unread: None,
        unread_by: Vec::new(),
    }
}

/// Shows a channel.
pub(crate) fn channel(state: &State, name: &Name, channel: &Channel) -> api::Channel {
    api::Channel {
        name: shown(name),
        members: channel.members.iter().map(|&agent| agent_name(state, agent)).collect(),
        sent: channel.sent,
        since: time(channel.at),
    }
}

/// Shows a handoff.
pub(crate) fn handoff(view: &View<'_>, handoff: &Handoff) -> api::Handoff {
    let state = view.state;
    let waits = matches!(handoff.stage, Stage::PackageDue | Stage::Transferred);
    api::Handoff {
        id: shown(handoff.id),
        task: shown(handoff.task),
        from: agent_name(state, handoff.from),
        to: handoff.to.map(|to| agent_name(state, to)),
        cause: handoff.cause.as_str().to_owned(),
        note: handoff.note.as_ref().map(shown),
        stage: handoff.stage.as_str().to_owned(),
        because: handed_over(view, handoff),
        since: time(handoff.since),
        stage_since: time(handoff.stage_since),
        due: handoff.due.filter(|_| waits).map(time),
        package: handoff.package.as_ref().map(|package| api::Packed {
            completed: shown(&package.completed),
            state: shown(&package.state),
            remaining: shown(&package.remaining),
            context: shown(&package.context),
            files: package.files.iter().map(shown).collect(),
            reservations: package.reservations.iter().map(shown).collect(),
        }),
        missing: handoff.missing.iter().map(shown).collect(),
        trouble: handoff.trouble.map(|trouble| trouble.as_str().to_owned()),
        mediations: handoff.mediations,
        tried: handoff.tried.iter().map(|&agent| agent_name(state, agent)).collect(),
        tokens: handoff.tokens.iter().map(shown).collect(),
        outcome: handoff.outcome.as_ref().map(|(outcome, _)| outcome.as_str().to_owned()),
        reason: handoff.outcome.as_ref().map(|(_, reason)| shown(reason)),
    }
}

/// Says in words what makes a handoff stand where it does.
fn handed_over(view: &View<'_>, handoff: &Handoff) -> Vec<String> {
    let name = |agent| agent_name(view.state, agent);
    let (id, from) = (handoff.id, name(handoff.from));
    let to = handoff.to.map_or_else(|| "nobody now".to_owned(), name);
    let due = handoff.due.map(time).unwrap_or_default();
    let mut facts = vec![match handoff.stage {
        Stage::Requested => format!("{id}: {from} is to hand it over to {to}"),
        Stage::PackageDue => {
            format!(
                "{id}: {from} is to hand it over to {to}, who keeps a slot free; the package is due by {due}"
            )
        }
        Stage::PackageReceived => format!("{id}: {from} has sent a package for {to}"),
        Stage::Validated => format!("{id}: {from} has sent a whole package for {to}"),
        Stage::Transferred => format!("{id}: {from} has handed it over to {to}, who is to confirm by {due}"),
        Stage::Confirmed => format!("{id}: {to} has confirmed it"),
        Stage::Released => format!("{id}: {to} has confirmed it, and {from} was released"),
        Stage::Mediation => {
            let trouble = handoff.trouble.map_or("trouble", |trouble| trouble.as_str()).replace('_', " ");
            format!("{id} from {from} to {to} is stuck: {trouble}; somebody is called")
        }
        Stage::Ended => match &handoff.outcome {
            Some((outcome, reason)) => format!("{id} is {}: {reason}", outcome.as_str().replace('_', " ")),
            None => format!("{id} has ended"),
        },
    }];
    if handoff.reminded && handoff.is_open() && !handoff.is_transferred() {
        facts.push(format!("{from} was reminded of the package"));
    }
    facts.extend(handoff.missing.iter().map(|missing| format!("missing: {missing}")));
    if !handoff.tried.is_empty() {
        let tried: Vec<String> = handoff.tried.iter().map(|&agent| name(agent)).collect();
        facts.push(format!("out of the question: {}", tried.join(", ")));
    }
    facts
}

/// Shows an edge that was taken out of a cycle.
pub(crate) fn broken_edge(broken: &BrokenEdge) -> api::BrokenEdge {
    api::BrokenEdge {
        task: shown(broken.task),
        on: shown(broken.on),
        inferred: broken.inferred,
        cycle: broken.cycle.iter().map(shown).collect(),
        closed_by: api::EdgeName { task: shown(broken.closed_by.0), on: shown(broken.closed_by.1) },
        because: broken.because.as_str().to_owned(),
        reason: broken.because.says().to_owned(),
        state: broken.state().to_owned(),
        at: time(broken.at),
        position: broken.position.0,
        restored_at: broken.restored.map(time),
    }
}

/// Shows an escalation.
pub(crate) fn escalation(view: &View<'_>, escalation: &Escalation) -> api::Escalation {
    let (state, subject) = (view.state, &escalation.subject);
    api::Escalation {
        id: shown(escalation.id),
        kind: escalation.kind.as_str().to_owned(),
        role: shown(escalation.role()),
        raised_again: u32::try_from(escalation.raised_again()).unwrap_or(u32::MAX),
        raised_again_at: escalation.again_at.filter(|_| escalation.is_awaited()).map(time),
        severity: shown(escalation.severity),
        task: escalation.task().map(shown),
        on: if let Subject::Edge { on, .. } = subject { Some(shown(*on)) } else { None },
        agent: if let Subject::Agent(agent) = subject { Some(agent_name(state, *agent)) } else { None },
        project: if let Subject::Project(project) = subject { Some(shown(project)) } else { None },
        resource: if let Subject::Resource(resource) = subject { Some(shown(resource)) } else { None },
        capability: if let Subject::Capability(name) = subject { Some(shown(name)) } else { None },
        conflict: if let Subject::Conflict(conflict) = subject { Some(shown(conflict)) } else { None },
        detail: shown(&escalation.detail),
        raised_at: time(escalation.at),
        due: time(escalation.due),
        overdue: escalation.is_overdue(view.now),
        acknowledged_at: escalation.acknowledged.as_ref().map(|it| time(it.at)),
        acknowledged_by: escalation.acknowledged.as_ref().map(|it| match it.agent {
            Some(agent) => agent_name(state, agent),
            None => shown(&it.by),
        }),
        state: if escalation.settled.is_some() { "settled" } else { "open" }.to_owned(),
        settled_at: escalation.settled.as_ref().map(|(at, _)| time(*at)),
        note: escalation.settled.as_ref().map(|(_, note)| shown(note)),
    }
}

/// Shows a policy.
pub(crate) fn policy(policy: &Policy, version: u32) -> api::Policy {
    api::Policy {
        version: Some(version),
        threshold: policy.threshold.as_decimal(),
        weights: api::Weights {
            capability: policy.weights.capability.as_decimal(),
            workload: policy.weights.workload.as_decimal(),
            performance: policy.weights.performance.as_decimal(),
            cohesion: policy.weights.cohesion.as_decimal(),
        },
        performance_default: policy.performance_default.as_decimal(),
        cohesion_default: policy.cohesion_default.as_decimal(),
        strategy: policy.strategy.as_str().to_owned(),
        claims: match policy.claims {
            kapell_model::Claims::Scored => "scored",
            kapell_model::Claims::First => "first",
            kapell_model::Claims::Off => "off",
        }
        .to_owned(),
        heartbeat_lease_ms: policy.lease_heartbeat.0,
        call_lease_ms: policy.lease_call.0,
        person_lease_ms: policy.lease_person.0,
        grace_ms: policy.lease_grace.0,
        ack_ms: api::AckTimes {
            critical: policy.ack.critical.0,
            high: policy.ack.high.0,
            medium: policy.ack.medium.0,
            low: policy.ack.low.0,
        },
        max_attempts: policy.attempts_max,
        max_losses: policy.losses_max,
        retry_backoff_ms: policy.retry_backoff.0,
        retry_backoff_max_ms: policy.retry_backoff_max.0,
        on_failed_dependency: match policy.on_failed_dependency {
            kapell_model::OnFailedDependency::Block => "block",
            kapell_model::OnFailedDependency::Cancel => "cancel",
        }
        .to_owned(),
        estimate_hours_by_complexity: policy.estimate_by_complexity.iter().map(|&span| hours(span)).collect(),
        inference: policy.inference.as_str().to_owned(),
        capabilities: policy.capabilities.as_str().to_owned(),
        cycles: policy.cycles.as_str().to_owned(),
        balancing: balancing(&policy.balancing),
        reservations: Some(api::Reserving {
            ttl_ms: policy.reservations.ttl.0,
            ttl_min_ms: policy.reservations.ttl_min.0,
            ttl_max_ms: policy.reservations.ttl_max.0,
            wait_ms: policy.reservations.wait.0,
        }),
        stalls: api::Stalls {
            quiet_min_ms: policy.stalls.quiet_min.0,
            quiet_share: policy.stalls.quiet_share.as_decimal(),
            overdue_factor: weight(policy.stalls.overdue_factor),
            aside_min_ms: policy.stalls.aside_min.map(|aside| aside.0),
        },
        redispatch: api::Redispatch {
            max_turns: policy.redispatch.turns_max,
            window_ms: policy.redispatch.window.0,
            pause_ms: policy.redispatch.pause.0,
            pause_max_ms: policy.redispatch.pause_max.0,
        },
        reporting: Some(reporting(&policy.reporting)),
        handoffs: api::Handing {
            package_ms: policy.handoffs.package.0,
            started: policy.handoffs.started.as_str().to_owned(),
        },
        messages: api::Messaging {
            inbox_max: policy.messages.inbox_max,
            digest_ms: policy.messages.digest.0,
        },
        forecasts: api::Forecasting { period_ms: policy.forecasts.period.0 },
        gates: api::Gating {
            by_type: policy.gates.by_type.iter().map(|(kind, all)| (shown(kind), gates(all))).collect(),
            review_ms: policy.gates.review.0,
            rejections_max: policy.gates.rejections_max,
        },
        escalations: api::Escalating {
            ladder: policy.escalations.ladder.iter().map(shown).collect(),
            reraises_max: policy.escalations.reraises_max,
        },
        emergencies: emergencies(&policy.emergencies),
        bottlenecks: api::Flow {
            period_ms: policy.bottlenecks.period.0,
            kept_ms: policy.bottlenecks.kept.0,
            act: policy.bottlenecks.act.as_str().to_owned(),
        },
        breakdown: super::breakdown::breaking_shown(&policy.breakdown),
        budgets: super::budgets::policy_out(&policy.budgets),
    }
}

fn emergencies(emergencies: &kapell_model::Emergencies) -> api::Emergencies {
    api::Emergencies {
        detect: emergencies.detect,
        window_ms: emergencies.window.0,
        agents_min: emergencies.agents_min,
        share_min: emergencies.share_min.as_decimal(),
        recovered_share: emergencies.recovered_share.as_decimal(),
        recovered_for_ms: emergencies.recovered_for.0,
        resume_every_ms: emergencies.resume_every.0,
    }
}

/// Shows gates as they are declared.
pub(crate) fn gates(gates: &[TaskGate]) -> Vec<api::Gate> {
    let shown = |gate: &TaskGate| {
        let (role, command) = match gate {
            TaskGate::Command { line } => (None, Some(shown(line))),
            TaskGate::Review { role } => (role.as_ref().map(shown), None),
            TaskGate::Approval {} => (None, None),
        };
        api::Gate { kind: gate.as_str().to_owned(), role, command }
    };
    gates.iter().map(shown).collect()
}

fn balancing(balancing: &kapell_model::Balancing) -> api::Balancing {
    api::Balancing {
        period_ms: balancing.period.0,
        overload: f64::from(balancing.overload) / f64::from(Ratio::UNIT),
        overload_min: balancing.overload_min.as_decimal(),
        underload: balancing.underload.as_decimal(),
        progress_max_percent: balancing.progress_max,
        cooling_ms: balancing.cooling.0,
        max_moves: balancing.moves_max,
        match_min: balancing.match_min.as_decimal(),
    }
}

fn reporting(reporting: &Reporting) -> api::Reporting {
    let (weights, minutes) = (reporting.weights, reporting.daily_at.0 / 60_000);
    api::Reporting {
        health_weights: api::HealthWeights {
            online: weights.online.as_decimal(),
            success: weights.success.as_decimal(),
            running: weights.running.as_decimal(),
            queued: weights.queued.as_decimal(),
            escalations: weights.escalations.as_decimal(),
        },
        health_min: reporting.health_min.as_decimal(),
        health_margin: reporting.health_margin.as_decimal(),
        period_ms: reporting.period.0,
        expected_wait_ms: reporting.expected_wait.0,
        daily_at: format!("{:02}:{:02}", minutes / 60, minutes % 60),
        course_ms: reporting.course.0,
    }
}
