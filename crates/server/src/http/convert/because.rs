//! Why a task is where it is, in words: the facts behind its state.

use kapell_core::{State, Task};
use kapell_model::{Gate, Moment, TaskState};

use super::{handed_over, time};
use crate::fleet::View;
use crate::http::{budgets, disagreement, emergencies};

/// Says in words what makes a task's state so. Facts of the task and its neighbours alone; who would get it is the
/// business of `why`.
pub(crate) fn because(view: &View<'_>, task: &Task) -> Vec<String> {
    let state = view.state;
    let mut facts = match task.state() {
        TaskState::Blocked => {
            let awaited = state.awaited_decisions(task);
            let awaited = awaited.into_iter().map(|conflict| disagreement::awaited(view, conflict));
            blocked_by(state, task).into_iter().chain(awaited).collect()
        }
        TaskState::Ready => {
            let queued =
                format!("in the queue for {}, as {}", view.now.since(task.state_since), task.effective);
            let held_back = state.held_back(task.id).map(|obstacle| {
                let taken = state.resource_held(&obstacle, view.now);
                match state.situation().gate(task.class) {
                    Gate::Only(agent) => {
                        format!("held back from all but {}: {taken}", state.agent(agent).spec.name)
                    }
                    Gate::Open | Gate::Shut => format!("held back: {taken}"),
                }
            });
            [queued].into_iter().chain(held_back).collect()
        }
        TaskState::Deferred => {
            let until = task.deferred_until.unwrap_or_default();
            let why = match (&task.note, task.failures) {
                (Some(note), 1..) => format!(": attempt {} failed: {note}", task.failures),
                _ => String::new(),
            };
            match task.held_until() {
                Some(until) => vec![format!("held back until {}: {}", time(until), state.churn_text(task))],
                None if task.deferred_until.is_none() => Vec::new(),
                None => vec![format!("set aside until {}{why}", time(until))],
            }
        }
        TaskState::Assigned | TaskState::InProgress => owned_by(view, task),
        TaskState::Waiting if task.is_to_be_broken_down() => {
            vec!["it is large, and is to be broken down before anybody works on it".to_owned()]
        }
        TaskState::InReview | TaskState::Waiting => before_its_gate(view, task),
        TaskState::Archived => archived(state, task),
        TaskState::Completed | TaskState::Failed | TaskState::Cancelled => ended(state, task),
    };
    facts.extend(emergencies::about_task(view, task));
    facts.extend(budgets::about_task(state, task));
    if let Some(handoff) = state.handoffs().of(task.id) {
        facts.extend(handed_over(view, handoff));
    }
    if task.effective < task.priority && task.is_open() {
        let source = task.dependents.iter().map(|&id| state.task(id));
        let source = source
            .filter(|dependent| dependent.is_open() && dependent.effective == task.effective)
            .min_by_key(|d| d.id);
        if let Some(source) = source {
            facts.push(format!("raised to {} because {} waits for it", task.effective, source.id));
        }
    }
    facts.extend(disagreement::ordered(state, task));
    for edge in task.edges.iter().filter(|edge| edge.broken && task.is_open()) {
        facts.push(format!("does not wait for {}: that closed a cycle; `dep cycles` shows it", edge.on));
    }
    if let Some(at) = task.moved_at.filter(|_| task.owner.is_some()) {
        facts.push(format!("was moved {} times, last {} ago", task.moves, view.now.since(at)));
    }
    if task.is_boosted() && task.is_open() {
        let (now, given) = (task.priority, task.spec.priority);
        facts.push(format!(
            "boosted to {now} after it lost an owner; `task edit --priority {given}` takes that back"
        ));
    }
    facts
}

fn blocked_by(state: &State, task: &Task) -> Vec<String> {
    let open = task.gates().map(|on| state.task(on)).filter(|on| on.state() != TaskState::Completed);
    let say = |on: &Task| match (on.state(), &on.owner) {
        (gone @ (TaskState::Failed | TaskState::Cancelled), _) => {
            format!("waits for {}, which is {gone}: waive the dependency, reopen {} or cancel", on.id, on.id)
        }
        (present, Some(owner)) => {
            format!("waits for {} ({present} by {})", on.id, state.agent(owner.agent).spec.name)
        }
        (present, None) => format!("waits for {} ({present})", on.id),
    };
    open.map(say).collect()
}

fn owned_by(view: &View<'_>, task: &Task) -> Vec<String> {
    let Some(owner) = &task.owner else { return Vec::new() };
    let name = &view.state.agent(owner.agent).spec.name;
    let ago = |moment: Moment| view.now.since(moment);
    let mut facts = match owner.started_at {
        Some(started) => vec![format!(
            "{name} works on it under {} since {} ago, {} %, last report {} ago",
            owner.assignment,
            ago(started),
            owner.percent,
            ago(owner.reported_at)
        )],
        None => vec![format!(
            "{name} owns it under {} since {} ago, not started",
            owner.assignment,
            ago(owner.since)
        )],
    };
    if let Some(wanted) = owner.wanted() {
        let (id, ask) = (wanted.id, &wanted.ask);
        facts.push(format!("waits for leave since {} ({id}, {}): {}", time(wanted.at), ask.kind, ask.title));
    }
    if let Some(until) = view.state.agent(owner.agent).away_until() {
        let until = if until == Moment::NEVER { String::new() } else { format!(" until {}", time(until)) };
        facts.push(format!("{name} is outside its working hours{until}: the clocks of the task stand still"));
    }
    if let Some(stall) = owner.stall() {
        let (since, due) = (time(stall.since), time(stall.due));
        facts.push(format!("stalled since {since} ({} ago): {}", ago(stall.since), stall.text()));
        facts.push(if stall.unanswered {
            format!("asked for a status then, no answer by {due}; it goes to the first who has room and scores enough")
        } else {
            format!("asked for a status then; an answer is wanted by {due}")
        });
    }
    facts
}

fn archived(state: &State, task: &Task) -> Vec<String> {
    let Some(into) = task.broken_into() else { return Vec::new() };
    let (factors, testing) = (&into.factors, state.task(into.testing));
    let by = if into.by_policy { "by the policy" } else { "as was asked for" };
    let components = match into.source {
        Some(source) => {
            let model = into.model.as_ref().map(|model| format!(" `{model}`")).unwrap_or_default();
            format!("{} components ({}{model})", into.implementations.len(), source.as_str())
        }
        None => format!("components as the planning {} will say", into.planning),
    };
    vec![
        format!(
            "broken down {by} into {components}; it is done when {} is, which is {}",
            testing.id,
            testing.state()
        ),
        format!(
            "its size was {}: technical {}, size {}, dependencies {}, unknowns {}",
            factors.total, factors.technical, factors.size, factors.dependencies, factors.unknowns
        ),
    ]
}

fn before_its_gate(view: &View<'_>, task: &Task) -> Vec<String> {
    let Some(finished) = &task.acceptance else { return Vec::new() };
    let author = &view.state.agent(finished.agent).spec.name;
    let ago = view.now.since(finished.at);
    let mut facts = vec![format!("finished by {author} under {} {ago} ago", finished.assignment)];
    let passed = finished.gates.iter().filter(|gate| gate.is_passed()).count();
    let waits = view.state.gate_text(task).unwrap_or_default();
    facts.push(format!("gate {} of {}: {waits}", passed + 1, finished.gates.len()));
    if finished.rejections > 0 {
        facts.push(format!("sent back {} times before", finished.rejections));
    }
    facts
}

fn ended(state: &State, task: &Task) -> Vec<String> {
    let Some(ending) = &task.ending else { return Vec::new() };
    let mut facts = Vec::new();
    match ending.by {
        Some((agent, assignment)) => {
            facts.push(format!("{} by {} under {assignment}", ending.state, state.agent(agent).spec.name));
        }
        None if task.attempts == 0 && ending.state == TaskState::Completed => {
            facts.push("was completed where it was imported from".to_owned());
        }
        None => {}
    }
    if let Some(reason) = &ending.reason {
        facts.push(format!("{}: {reason}", ending.state));
    }
    facts
}
