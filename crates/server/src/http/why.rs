//! Why a task is where it is, and why an agent does not have it.

use axum::Json;
use kapell_api::{
    AsOf, CapabilityScore, LoadOf, MovedFrom, NotCandidate, Part, Placement, Problem, Scored, Standing, Why,
    WhyNot,
};
use kapell_core::{Agent, Event, Record, State, Task};
use kapell_model::{Considered, Name, Parts, Position, Ratio, SCORER_VERSION, TaskState, Weights};
use kapell_plan::{candidates, capability_bar, score};

use super::agents::{agent_name, unknown as unknown_agent};
use super::door::{Asked, AtQuery, Door, Path};
use super::problem::Refusals;
use super::tasks::unknown;
use super::{Refusal, convert, parse, story};
use crate::fleet::View;

/// Candidates and refusals that one answer lists.
const LISTED_MAX: usize = 200;

/// Explains why a task is where it is: how its owner was chosen, or how everybody stands for it now; now, or as of any
/// point of the log.
#[utoipa::path(get, path = "/v1/tasks/{task}/why",
    params(AtQuery, ("task" = String, Path, description = "T-12 or its key")),
    tag = "tasks", responses((status = 200, body = Why), Refusals))]
pub(super) async fn why(
    door: Door,
    Path(task): Path<String>,
    Asked(query): Asked<AtQuery>,
) -> Result<Json<Why>, Refusal> {
    let reference = parse::task("task", &task)?;
    let found = door.view(query.at.as_deref(), move |view| {
        let task = view.state.task(view.state.task_id(&reference)?);
        let names = view.state.agents().iter().map(|agent| agent.spec.name.clone()).collect::<Vec<_>>();
        let decisions: Vec<Position> = task.decisions.iter().copied().collect();
        let weights = *view.state.situation().weights();
        Some((explained(view, task), task.decided, decisions, weights, names))
    });
    let (mut why, decided, decisions, weights, names) = found.await?.ok_or_else(|| unknown(&task))?;
    let scored = |candidate: &Considered| {
        let name = names.get(candidate.agent.index()).map(ToString::to_string).unwrap_or_default();
        scored(name, &candidate.parts, &weights)
    };
    for position in decisions {
        let Some(record) = door.app.log.record(position).await? else { continue };
        if Some(position) == decided {
            why.decision = placement(&record, &scored, &names);
        }
        why.decisions.extend(story::decided(&record, &names));
    }
    if let (None, Some(position)) = (&why.decision, decided) {
        let record = door.app.log.record(position).await?;
        why.decision = record.and_then(|record| placement(&record, &scored, &names));
    }
    why.reasons.extend(why.decision.as_ref().and_then(|decision| mismatch(decision, &why.as_of)));
    Ok(Json(why))
}

/// Says where a decision was made by other rules than those by which it is explained.
fn mismatch(decision: &Placement, as_of: &AsOf) -> Option<String> {
    let mut differs = Vec::new();
    if decision.scorer_version != as_of.scorer_version {
        differs.push(format!(
            "it was scored by version {} of the formula, which this program (version {}) does not work out again",
            decision.scorer_version, as_of.scorer_version
        ));
    }
    if decision.policy_version != as_of.policy_version {
        differs.push(format!(
            "it was decided under policy {}; the weights shown beside its score are those of policy {}: ask as of event {} for \
             those of then",
            decision.policy_version, as_of.policy_version, decision.position
        ));
    }
    (!differs.is_empty()).then(|| differs.join("; "))
}

fn as_of(view: &View<'_>) -> AsOf {
    AsOf {
        position: view.state.position().0,
        at: convert::time(view.now),
        policy_version: view.state.policy_version(),
        scorer_version: SCORER_VERSION,
    }
}

fn explained(view: &View<'_>, task: &Task) -> Why {
    let state = view.state;
    let mut reasons = convert::because(view, task);
    reasons.extend(convert::read_from_text(state, task));
    let now = (task.state() == TaskState::Ready).then(|| standing(state, task, &mut reasons));
    Why {
        task: task.id.to_string(),
        title: task.spec.title.to_string(),
        state: task.state().to_string(),
        reasons,
        decision: None,
        now,
        decisions: Vec::new(),
        as_of: as_of(view),
    }
}

/// Says in words why nobody has a task that waits in the queue.
pub(super) fn waiting_reason(state: &State, task: &Task) -> String {
    let situation = state.situation();
    let explained = candidates(situation, situation.class(task.class), situation.veto(task.id));
    reason(state, task, explained.candidates.first())
}

fn reason(state: &State, task: &Task, best: Option<&Considered>) -> String {
    let threshold = state.situation().threshold();
    let held_back = best.and_then(|best| state.obstacle_for(task.id, best.agent)).is_some();
    match best {
        Some(_) if held_back => "it is placed as soon as its resources are free".to_owned(),
        Some(best) if best.parts.total <= threshold => format!(
            "best score {} by {}, which is not above {threshold}: capability {}, workload {}",
            best.parts.total,
            state.agent(best.agent).spec.name,
            best.parts.capability,
            best.parts.workload
        ),
        Some(_) => "it will be placed in the next round".to_owned(),
        None if state.agents().is_empty() => "no agent is registered".to_owned(),
        None => format!("none of {} agents is a candidate", state.agents().len()),
    }
}

/// Says how everybody stands for a waiting task, and adds the reason why nobody has it.
fn standing(state: &State, task: &Task, reasons: &mut Vec<String>) -> Standing {
    let situation = state.situation();
    let weights = situation.weights();
    let explained = candidates(situation, situation.class(task.class), situation.veto(task.id));
    let threshold = situation.threshold();
    reasons.push(reason(state, task, explained.candidates.first()));
    let named = |candidate: &Considered| {
        let agent = state.agent(candidate.agent);
        let scores = scores(state, task, agent);
        Scored { scores, ..scored(agent.spec.name.to_string(), &candidate.parts, weights) }
    };
    let refused = explained.refused.iter().map(|&(agent, refusal)| NotCandidate {
        agent: state.agent(agent).spec.name.to_string(),
        reason: state.unfit_text(agent, refusal),
    });
    Standing {
        threshold: threshold.as_decimal(),
        candidates: explained.candidates.iter().take(LISTED_MAX).map(named).collect(),
        not_candidates: refused.take(LISTED_MAX).collect(),
    }
}

/// Shows how an agent stands in a capability.
pub(super) fn capability(it: &kapell_core::Capability) -> CapabilityScore {
    CapabilityScore {
        capability: it.name.to_string(),
        declared: it.declared.map(Ratio::as_decimal),
        measured: it.measured.map(Ratio::as_decimal),
        outcomes: it.outcomes,
        used: it.used.as_decimal(),
    }
}

/// Shows how an agent stands in each capability that a task asks for.
fn scores(state: &State, task: &Task, agent: &Agent) -> Vec<CapabilityScore> {
    let required = state.situation().class(task.class).requires.iter();
    required.map(|it| capability(&state.capability_of(agent, state.word(it.capability)))).collect()
}

pub(super) fn scored(agent: String, parts: &Parts, weights: &Weights) -> Scored {
    let part = |value: Ratio, weight: Ratio| Part {
        value: value.as_decimal(),
        weight: weight.as_decimal(),
        adds: weight.times(value).as_decimal(),
    };
    Scored {
        agent,
        capability: part(parts.capability, weights.capability),
        scores: Vec::new(),
        workload: part(parts.workload, weights.workload),
        performance: part(parts.performance, weights.performance),
        cohesion: part(parts.cohesion, weights.cohesion),
        total: parts.total.as_decimal(),
    }
}

fn placement(record: &Record, scored: &impl Fn(&Considered) -> Scored, names: &[Name]) -> Option<Placement> {
    let (how, assignment, policy, scorer, threshold, considered) = match &record.event {
        Event::TaskAssigned { assignment, decision, policy, scorer, threshold, considered, .. } => {
            let how = serde_json::to_value(decision).ok()?.as_str()?.to_owned();
            (how, assignment, policy, scorer, threshold.as_decimal(), considered)
        }
        Event::TaskMoved { assignment, policy, scorer, considered, .. } => {
            ("moved".to_owned(), assignment, policy, scorer, 0.0, considered)
        }
        Event::HandoffTransferred { assignment, policy, scorer, considered, .. } => {
            ("handed_over".to_owned(), assignment, policy, scorer, 0.0, considered)
        }
        _ => return None,
    };
    let considered: Vec<Scored> = considered.iter().map(scored).collect();
    Some(Placement {
        decision: how,
        moved: moved(record, names),
        at: convert::time(record.at),
        position: record.position.0,
        agent: considered.first().map(|first| first.agent.clone()).unwrap_or_default(),
        assignment: assignment.to_string(),
        policy_version: *policy,
        scorer_version: *scorer,
        threshold,
        considered,
    })
}

/// Says from whom a task was moved, and how both stood; nothing for other decisions.
fn moved(record: &Record, names: &[Name]) -> Option<MovedFrom> {
    let (from, cause, loads) = match &record.event {
        Event::TaskMoved { from, cause, loads, .. } => (from, cause.as_str(), *loads),
        Event::HandoffTransferred { from, .. } => (from, "handoff", None),
        _ => return None,
    };
    let load = |(tasks, max): (u32, u32)| LoadOf {
        tasks,
        max_concurrent_tasks: max,
        utilization: Ratio::of(u64::from(tasks), u64::from(max)).as_decimal(),
    };
    Some(MovedFrom {
        agent: names.get(from.index()).map(ToString::to_string).unwrap_or_default(),
        cause: cause.to_owned(),
        from: loads.map(|loads| load(loads.from)),
        to: loads.map(|loads| load(loads.to)),
        average: loads.map(|loads| loads.average.as_decimal()),
    })
}

/// Explains why an agent does not have a task, and what it would need.
#[utoipa::path(get, path = "/v1/tasks/{task}/why-not/{agent}",
    params(
        AtQuery,
        ("task" = String, Path, description = "T-12 or its key"),
        ("agent" = String, Path, description = "its name"),
    ),
    tag = "tasks", responses((status = 200, body = WhyNot), Refusals))]
pub(super) async fn why_not(
    door: Door,
    Path((task, agent)): Path<(String, String)>,
    Asked(query): Asked<AtQuery>,
) -> Result<Json<WhyNot>, Refusal> {
    let (reference, name) = (parse::task("task", &task)?, agent_name(&agent)?);
    let found = door.view(query.at.as_deref(), move |view| -> Result<WhyNot, Problem> {
        let state = view.state;
        let id = state.task_id(&reference).ok_or_else(|| unknown(&task))?;
        let agent = state.agent_id(name.as_str()).ok_or_else(|| unknown_agent(&agent))?;
        Ok(compared(view, state.task(id), state.agent(agent)))
    });
    Ok(Json(found.await??))
}

fn compared(view: &View<'_>, task: &Task, agent: &Agent) -> WhyNot {
    let situation = view.state.situation();
    let class = situation.class(task.class);
    let judged = score::candidate(situation, class, agent.id);
    let obstacle = task.owner.is_none().then(|| view.state.obstacle_for(task.id, agent.id)).flatten();
    let free = obstacle.is_none();
    let parts = score::parts(situation, class, agent.id);
    let threshold = situation.threshold();
    let bar = capability_bar(situation, class, agent.id);
    let mut reasons = Vec::new();
    match &task.owner {
        Some(owner) if owner.agent == agent.id => reasons.push("it does have the task".to_owned()),
        _ if task.state() != TaskState::Ready => {
            reasons.push(format!("the task is {}", task.state()));
            reasons.extend(convert::because(view, task));
        }
        _ => {}
    }
    match judged {
        Err(refusal) => reasons.push(format!("no candidate: {}", view.state.unfit_text(agent.id, refusal))),
        Ok(_) if obstacle.is_some() => reasons.extend(
            obstacle
                .map(|obstacle| format!("no candidate: {}", view.state.resource_held(&obstacle, view.now))),
        ),
        Ok(_) if parts.total <= threshold => {
            reasons.push(format!("its score {} is not above {threshold}", parts.total));
        }
        Ok(_) => reasons.push(format!(
            "its score {} is above {threshold}; a better or longer idle agent goes before it",
            parts.total
        )),
    }
    let (active, max) = (agent.tasks.len(), agent.spec.max_concurrent);
    reasons.push(match bar {
        Some(bar) => format!(
            "with {active} of {max} slots taken it needs a capability above {bar}; it has {}",
            parts.capability
        ),
        None => format!("with {active} of {max} slots taken not even a capability of 1 would do"),
    });
    WhyNot {
        task: task.id.to_string(),
        agent: agent.spec.name.to_string(),
        candidate: judged.is_ok() && free,
        score: Scored {
            scores: scores(view.state, task, agent),
            ..scored(agent.spec.name.to_string(), &parts, situation.weights())
        },
        threshold: threshold.as_decimal(),
        capability_needed: bar.map(Ratio::as_decimal),
        reasons,
        as_of: as_of(view),
    }
}
