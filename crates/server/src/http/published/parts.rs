//! The parts of what events tell, as values.

use kapell_core::{
    AgentSpec, Analysis, Evidence, Health, Learned, Message, MoveLoads, Narrow, ProjectSpec, Remedy, Share,
    Talk, TaskEdit, TaskSpec, WaitsFor,
};
use kapell_model::{AgentId, Considered, Ratio, Span, Text};
use serde_json::{Map, Value, json};

use super::super::convert::{gates, hours, needs, time, weight};
use super::{Names, name};

pub(super) fn narrow(about: &Narrow, names: &Names) -> Value {
    match about {
        Narrow::Capability(capability) => json!({ "capability": capability }),
        Narrow::Taker(who) => json!({ "who": who }),
        Narrow::Resource(resource) => json!({ "resource": resource }),
        Narrow::Pair(one, other) => json!({ "agents": [name(*one, names), name(*other, names)] }),
        Narrow::Channel(channel) => json!({ "channel": channel }),
    }
}

pub(super) fn remedy(remedy: &Remedy, names: &Names) -> Value {
    let named =
        |agents: &[AgentId]| -> Vec<String> { agents.iter().map(|&agent| name(agent, names)).collect() };
    match remedy {
        Remedy::Training { capability } => json!({ "capability": capability }),
        Remedy::Staffing { who } => json!({ "who": who }),
        Remedy::Kept { capability, agents } => json!({ "capability": capability, "agents": named(agents) }),
        Remedy::Sharing { resource } | Remedy::Batching { resource } => json!({ "resource": resource }),
        Remedy::ShorterLeases { resource, ttl } => json!({ "resource": resource, "ttl_ms": ttl.0 }),
        Remedy::DirectChannel { channel, pair: (one, other) } => {
            json!({ "channel": channel, "agents": named(&[*one, *other]) })
        }
        Remedy::Together { pair: (one, other) } => json!({ "agents": named(&[*one, *other]) }),
        Remedy::Digest { talk } => self::talk(talk, names),
    }
}

pub(super) fn talk(talk: &Talk, names: &Names) -> Value {
    match talk {
        Talk::Pair(one, other) => json!({ "agents": [name(*one, names), name(*other, names)] }),
        Talk::Channel(channel) => json!({ "channel": channel }),
    }
}

/// Shows a message; who sent it stands beside.
pub(super) fn message(message: &Message) -> Value {
    json!({
        "message": message.id.to_string(),
        "channel": message.channel,
        "thread": message.thread.map(|thread| thread.to_string()),
        "priority": message.priority.as_str(),
        "text": message.text,
        "ack": message.ack,
    })
}

/// Shows what a task's text was taken to say.
pub(super) fn inferred(analysis: &Analysis) -> Value {
    let requires = analysis.requires.iter().map(|require| {
        json!({
            "capability": require.capability,
            "weight": weight(require.weight),
            "evidence": evidence(&require.evidence),
        })
    });
    let edges = analysis.edges.iter().map(|edge| {
        json!({
            "task": edge.on.to_string(),
            "kind": "blocks",
            "evidence": evidence(std::slice::from_ref(&edge.evidence)),
        })
    });
    let passed_over = analysis.passed_over.iter().map(|passed| {
        json!({
            "because": passed.because.as_str(),
            "evidence": evidence(std::slice::from_ref(&passed.evidence)),
        })
    });
    json!({
        "requires": requires.collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
        "passed_over": passed_over.collect::<Vec<_>>(),
    })
}

pub(super) fn health(health: &Health) -> Value {
    let share = |share: Share| json!({ "good": share.good, "all": share.all });
    json!({
        "total": health.total.as_decimal(),
        "online": share(health.online),
        "success": share(health.success),
        "running": share(health.running),
        "queued": share(health.queued),
        "escalations": share(health.escalations),
    })
}

fn evidence(evidence: &[Evidence]) -> Vec<Value> {
    evidence.iter().map(|it| json!({ "field": it.field.as_str(), "words": it.words })).collect()
}

pub(super) fn waits_for(step: &WaitsFor, names: &Names) -> Value {
    json!({
        "agent": name(step.agent, names),
        "wait": step.wait.to_string(),
        "for": name(step.holder, names),
        "reservation": step.reservation.map(|reservation| reservation.to_string()),
    })
}

/// Shows how two agents stood before a task went from one to the other.
pub(super) fn moved_loads(loads: MoveLoads) -> Value {
    let side = |(active, max): (u32, u32)| {
        let utilization = Ratio::of(u64::from(active), u64::from(max));
        json!({ "tasks": active, "max_concurrent_tasks": max, "utilization": utilization.as_decimal() })
    };
    json!({ "from": side(loads.from), "to": side(loads.to), "average": loads.average.as_decimal() })
}

pub(super) fn scored(candidate: &Considered, names: &Names) -> Value {
    let parts = &candidate.parts;
    json!({
        "agent": name(candidate.agent, names),
        "capability": parts.capability.as_decimal(),
        "workload": parts.workload.as_decimal(),
        "performance": parts.performance.as_decimal(),
        "cohesion": parts.cohesion.as_decimal(),
        "final": parts.total.as_decimal(),
    })
}

pub(super) fn agent(spec: &AgentSpec, online: bool) -> Value {
    let capabilities: Map<String, Value> =
        spec.capabilities.iter().map(|(name, score)| (name.to_string(), json!(score.as_decimal()))).collect();
    json!({
        "role": spec.role,
        "kind": spec.kind.as_str(),
        "capabilities": capabilities,
        "max_concurrent_tasks": spec.max_concurrent,
        "lease_ms": spec.lease.map(|lease| lease.0),
        "online": online,
    })
}

pub(super) fn project(spec: &ProjectSpec) -> Value {
    json!({ "name": spec.name, "title": spec.title, "deadline": spec.deadline.map(time) })
}

/// Shows the fields that were changed; what was taken back is `null`.
pub(super) fn edited(edit: &TaskEdit, estimate: Option<Span>, learned: Option<Learned>) -> Value {
    let whole = task(&edit.of(&TaskSpec::titled(Text::default())));
    let changed = [
        ("title", edit.title.is_some()),
        ("description", edit.description.is_some()),
        ("priority", edit.priority.is_some()),
        ("labels", edit.labels.is_some()),
        ("requires", edit.requires.is_some()),
        ("role", edit.role.is_some()),
        ("pinned_agent", edit.agent.is_some()),
        ("exclude", edit.exclude.is_some()),
        ("complexity", edit.complexity.is_some()),
        ("deadline", edit.deadline.is_some()),
        ("max_attempts", edit.attempts_max.is_some()),
    ];
    let fields = changed.iter().filter(|(_, changed)| *changed);
    let fields: Map<String, Value> =
        fields.map(|(field, _)| ((*field).to_owned(), whole[*field].clone())).collect();
    json!({
        "changes": fields,
        "estimate_hours": estimate.map(hours),
        "estimate_learned_from": learned.map(|learned| learned.from),
    })
}

pub(super) fn task(spec: &TaskSpec) -> Value {
    let requires: Vec<_> = spec
        .requires
        .iter()
        .map(|require| {
            json!({
                "capability": require.capability,
                "weight": weight(require.weight),
                "minimum": require.minimum.as_decimal(),
            })
        })
        .collect();
    let source = spec.source.as_ref().and_then(|source| serde_json::from_str::<Value>(source).ok());
    json!({
        "title": spec.title,
        "description": spec.description,
        "type": spec.kind,
        "priority": spec.priority.as_str(),
        "key": spec.key,
        "project": spec.project,
        "requires": requires,
        "role": spec.role,
        "pinned_agent": spec.agent,
        "exclude": spec.exclude,
        "complexity": spec.complexity,
        "deadline": spec.deadline.map(time),
        "not_before": spec.not_before.map(time),
        "labels": spec.labels,
        "max_attempts": spec.attempts_max,
        "resources": needs(&spec.resources),
        "gates": gates(&spec.gates),
        "components": spec.components.iter().map(|it| &it.title).collect::<Vec<_>>(),
        "source": source,
        "closed": spec.closed.as_ref().map(|closed| json!({
            "state": closed.state.as_str(), "at": closed.at.map(time), "reason": closed.reason,
        })),
    })
}
