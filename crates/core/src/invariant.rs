//! What must hold after every event, one function and one id each.
//!
//! They look at the whole state, so they are for tests, the simulator and `kapell doctor`, not for the writer.

mod bottlenecks;
mod breakdown;
mod budgets;
mod conflicts;
mod duty;
mod emergencies;
mod gates;
mod handoffs;
mod messages;
mod permissions;
mod reservations;

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::{AgentState, OnFailedDependency, TaskState, limits};

use crate::apply::graph::start_before;
use crate::escalation::{Matter, Subject};
use crate::state::{Counts, State};

/// One promise about the state.
#[derive(Clone, Copy, Debug)]
pub struct Invariant {
    /// Its id, as reports and tests name it.
    pub id: &'static str,
    /// What it says.
    pub says: &'static str,
    /// Finds a breach and says where.
    pub check: fn(&State) -> Result<(), String>,
}

/// A promise that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invariant {id} is broken ({says}): {found}")]
pub struct Broken {
    /// Which.
    pub id: &'static str,
    /// What it says.
    pub says: &'static str,
    /// Where and how.
    pub found: String,
}

/// Every promise.
pub const ALL: &[Invariant] = &[
    Invariant {
        id: "one-owner",
        says: "an owned task is on its owner's list exactly once, and nobody else's",
        check: one_owner,
    },
    Invariant { id: "within-limit", says: "no agent owns more tasks than it may", check: within_limit },
    Invariant {
        id: "offline-owns-nothing",
        says: "an agent that is offline or removed owns nothing",
        check: offline_owns_nothing,
    },
    Invariant {
        id: "fence-grows",
        says: "no assignment id is above the last one, and no two tasks share one",
        check: fence_grows,
    },
    Invariant {
        id: "gates-hold",
        says: "no task is owned or completed by an agent while it waits for another",
        check: gates_hold,
    },
    Invariant {
        id: "subtasks-take-over",
        says: "what was broken down is archived, nothing waits for it, and its subtasks follow each other",
        check: breakdown::subtasks_take_over,
    },
    Invariant {
        id: "gates-are-passed",
        says: "no gated task is completed without its gates",
        check: gates::are_passed,
    },
    Invariant {
        id: "others-review",
        says: "nobody reviews or approves of its own work, and is asked to",
        check: gates::others_review,
    },
    Invariant {
        id: "gates-are-indexed",
        says: "what stands before a gate is kept by what it waits for",
        check: gates::are_indexed,
    },
    Invariant {
        id: "leave-is-wanted-at-work",
        says: "only who is at work waits for leave, and is not asked how far it is",
        check: permissions::are_wanted_at_work,
    },
    Invariant {
        id: "others-answer",
        says: "nobody gives itself leave, and no agent another one",
        check: permissions::are_answered_by_people,
    },
    Invariant {
        id: "costs-add-up",
        says: "what the fleet, its projects, agents and days cost is what their tasks and attempts do",
        check: budgets::sums_agree,
    },
    Invariant {
        id: "commitments-agree",
        says: "what is kept for running work is what it is expected to cost yet",
        check: budgets::commitments_agree,
    },
    Invariant {
        id: "closed-budgets-agree",
        says: "budgets without room are kept as such, and placing knows of them",
        check: budgets::closed_agree,
    },
    Invariant {
        id: "spent-work-stops",
        says: "nothing runs under a budget that is spent, but what this very step stops",
        check: budgets::spent_work_stops,
    },
    Invariant {
        id: "blockers-counted",
        says: "the count of open blockers is the number of gates that are not completed",
        check: blockers_counted,
    },
    Invariant {
        id: "queue-is-ready",
        says: "the queues hold exactly the ready tasks",
        check: queue_is_ready,
    },
    Invariant {
        id: "doomed-wait-in-vain",
        says: "what is marked to be cancelled waits for something that will not come, and the policy wants that",
        check: doomed_wait_in_vain,
    },
    Invariant {
        id: "timers-are-deferred",
        says: "the timers hold exactly the deferred tasks",
        check: timers_are_deferred,
    },
    Invariant {
        id: "clocks-are-owned",
        says: "every owned task is watched or waits for somebody to take it over, and no other",
        check: clocks_are_owned,
    },
    Invariant {
        id: "clocks-run-true",
        says: "running work is looked at when the first of its clocks runs out",
        check: clocks_run_true,
    },
    Invariant {
        id: "investigations-have-owners",
        says: "what is under investigation is owned, and kept as stalled exactly then",
        check: investigations_have_owners,
    },
    Invariant {
        id: "turns-are-bounded",
        says: "only open tasks remember how often they were taken back, and no more turns than can make a loop",
        check: turns_are_bounded,
    },
    Invariant {
        id: "one-escalation-per-cause",
        says: "the open escalations are indexed by their causes, each of which has one",
        check: one_escalation_per_cause,
    },
    Invariant {
        id: "calls-rest",
        says: "what is raised again stands under that moment, is open, taken on by nobody and was not raised too often",
        check: calls_rest,
    },
    Invariant { id: "counts-agree", says: "the counts by state are those of the tasks", check: counts_agree },
    Invariant {
        id: "urgency-flows",
        says: "a task is at least as urgent as every open task that waits for it, and no more than it has reason to be",
        check: urgency_flows,
    },
    Invariant {
        id: "guesses-exclude-nobody",
        says: "an inferred requirement counts exactly while an agent of the fleet could take the task with it",
        check: State::check_soft,
    },
    Invariant {
        id: "scores-agree",
        says: "placing sees of every agent the scores that the policy wants to be used",
        check: State::check_scores,
    },
    Invariant {
        id: "shifts-run-true",
        says: "whoever has working hours is at work exactly within them, and the next change stands in the order of time",
        check: duty::shifts_run_true,
    },
    Invariant {
        id: "watch-agrees",
        says: "what the health is worked out from is what the tasks, agents and escalations say",
        check: State::check_watch,
    },
    Invariant {
        id: "changes-are-told",
        says: "whoever follows is told of exactly what has changed",
        check: State::check_changes,
    },
    Invariant {
        id: "situation-agrees",
        says: "placing sees the agents as they are",
        check: situation_agrees,
    },
    Invariant {
        id: "no-two-hold",
        says: "no two that do not work together hold overlapping resources, unless both are shared",
        check: reservations::no_two_hold,
    },
    Invariant {
        id: "tokens-grow",
        says: "no reservation and no place in line has a number above the last one",
        check: reservations::tokens_grow,
    },
    Invariant {
        id: "gone-reserve-nothing",
        says: "an agent that is offline or removed holds no resource and waits for none",
        check: reservations::gone_reserve_nothing,
    },
    Invariant {
        id: "reserved-by-owner",
        says: "what is reserved or awaited for a task is its owner's",
        check: reservations::reserved_by_owner,
    },
    Invariant {
        id: "waits-behind-something",
        says: "nobody waits in line whom nothing stands in the way of",
        check: reservations::waits_behind_something,
    },
    Invariant {
        id: "gates-agree",
        says: "the tasks of a class are held back exactly where the resources that they need are taken or awaited",
        check: reservations::gates_agree,
    },
    Invariant {
        id: "held-back-as-noted",
        says: "of each class with waiting tasks it is known which of its needs stand in their way, and of no other class",
        check: reservations::held_back_as_noted,
    },
    Invariant {
        id: "shares-agree",
        says: "reservations and waits are listed by agent, task and end as they are",
        check: reservations::shares_agree,
    },
    Invariant {
        id: "handoff-has-one-owner",
        says: "a task in a handoff is the donor's until the transfer and the recipient's from then on, in one handoff at a time",
        check: handoffs::donor_or_recipient_owns,
    },
    Invariant {
        id: "handoff-keeps-slots",
        says: "a slot is kept free exactly at the recipients of what has not changed hands, none of them gone",
        check: handoffs::slots_are_kept,
    },
    Invariant {
        id: "handoff-deadlines",
        says: "the deadlines of handoffs are those of the packages and confirmations that are wanted",
        check: handoffs::deadlines_are_kept,
    },
    Invariant {
        id: "handoff-tokens-grow",
        says: "each move of a handoff gave out a larger token than the one before",
        check: handoffs::tokens_go_up,
    },
    Invariant {
        id: "messages-are-kept",
        says: "whatever an agent has to read is there, and due or escalated",
        check: messages::unread_is_kept,
    },
    Invariant {
        id: "message-ids-grow",
        says: "no message has a number above the last one",
        check: messages::message_ids_grow,
    },
    Invariant {
        id: "no-cycles",
        says: "no tasks that are not completed wait for each other in a circle",
        check: no_cycles,
    },
    Invariant {
        id: "broken-gates-nothing",
        says: "an edge that was taken out of a cycle gates nothing until it is put back",
        check: broken_gates_nothing,
    },
    Invariant {
        id: "conflicts-agree",
        says: "the conflicts that are kept as open, over a place in line, and due are those that are so",
        check: conflicts::lists_agree,
    },
    Invariant {
        id: "waits-have-reasons",
        says: "what is blocked waits for a task or for an open decision about it, and for nothing that is settled",
        check: conflicts::waits_have_reasons,
    },
    Invariant {
        id: "decided-by-right",
        says: "what was decided is what the proposals amount to by their definition, or a ruling",
        check: conflicts::decided_by_right,
    },
    Invariant {
        id: "awarded-by-right",
        says: "a disputed task is the holder's unless its assignment was stalled, else the highest score's, else the first claim's",
        check: conflicts::awarded_by_right,
    },
    Invariant {
        id: "ranked-by-impact",
        says: "a ruling on what comes first goes by the impact, and its numbers add up",
        check: conflicts::ranked_by_impact,
    },
    Invariant {
        id: "orders-agree",
        says: "orders stand between open tasks, and never come round to where they began",
        check: conflicts::orders_agree,
    },
    Invariant {
        id: "one-emergency-of-a-kind",
        says: "there is one emergency of each kind about each thing, and it is known as open",
        check: emergencies::one_of_each_kind,
    },
    Invariant {
        id: "emergencies-are-undone",
        says: "whatever was done about an emergency that has ended is undone or confirmed",
        check: emergencies::actions_are_undone,
    },
    Invariant {
        id: "emergency-effects-agree",
        says: "what is in effect for an emergency is what it has done and not undone",
        check: emergencies::effects_have_actions,
    },
    Invariant {
        id: "forces-agree",
        says: "there is one task force for each thing, its lead is a member, and its next checkpoint is known",
        check: emergencies::forces_agree,
    },
    Invariant {
        id: "forces-end-with-emergencies",
        says: "no task force outlives the emergency that it was made for",
        check: emergencies::forces_end_with_emergencies,
    },
    Invariant {
        id: "actions-end",
        says: "what is done about a bottleneck lasts no longer than it, and agents are kept for at most 4 h",
        check: bottlenecks::actions_end,
    },
    Invariant {
        id: "readers-share",
        says: "what is held and only reads is held shared while that is narrow and shared",
        check: bottlenecks::readers_share,
    },
    Invariant {
        id: "kept-as-told",
        says: "placing sees agents as kept exactly for what running actions keep them for",
        check: bottlenecks::kept_as_told,
    },
    Invariant {
        id: "loads-agree",
        says: "the utilizations are those of the agents that are online and not passed over",
        check: loads_agree,
    },
];

/// Checks every promise.
///
/// # Errors
/// The first that does not hold.
pub fn check(state: &State) -> Result<(), Broken> {
    for invariant in ALL {
        (invariant.check)(state).map_err(|found| Broken { id: invariant.id, says: invariant.says, found })?;
    }
    Ok(())
}

fn one_owner(state: &State) -> Result<(), String> {
    let mut listed = 0;
    for agent in state.agents() {
        for &id in &agent.tasks {
            listed += 1;
            let owner = state.task(id).owner.as_ref().map(|owner| owner.agent);
            if owner != Some(agent.id) {
                return Err(format!("{id} is on the list of `{}`, its owner is {owner:?}", agent.spec.name));
            }
        }
    }
    let owned = state.tasks().iter().filter(|task| task.owner.is_some()).count();
    if owned != listed || state.assigned.len() != owned {
        return Err(format!(
            "{owned} owned tasks, {listed} on lists, {} live assignments",
            state.assigned.len()
        ));
    }
    Ok(())
}

fn within_limit(state: &State) -> Result<(), String> {
    for agent in state.agents() {
        let has = agent.tasks.len() + state.handoffs.reserved(agent.id);
        let may = state.limit_of(agent.id);
        if has > may as usize {
            return Err(format!("`{}` owns {has} of {may}, with what is on its way", agent.spec.name));
        }
    }
    Ok(())
}

fn offline_owns_nothing(state: &State) -> Result<(), String> {
    for agent in state.agents() {
        if matches!(agent.state, AgentState::Offline | AgentState::Removed) && !agent.tasks.is_empty() {
            return Err(format!("`{}` is {} and owns {:?}", agent.spec.name, agent.state, agent.tasks));
        }
    }
    Ok(())
}

fn fence_grows(state: &State) -> Result<(), String> {
    for task in state.tasks().iter() {
        let Some(owner) = &task.owner else { continue };
        if owner.assignment > state.last_assignment {
            return Err(format!(
                "{} has {}, the last one is {}",
                task.id, owner.assignment, state.last_assignment
            ));
        }
        if let Some(&(past, _)) = task.past.iter().find(|(past, _)| *past >= owner.assignment) {
            return Err(format!("{} went from {past} to {}", task.id, owner.assignment));
        }
        if state.assigned.get(&owner.assignment) != Some(&task.id) {
            return Err(format!("{} of {} is not among the live assignments", owner.assignment, task.id));
        }
    }
    Ok(())
}

fn gates_hold(state: &State) -> Result<(), String> {
    for task in state.tasks().iter() {
        let finished_here = task.ending.as_ref().is_some_and(|ending| ending.by.is_some());
        if task.owner.is_none() && !finished_here {
            continue;
        }
        if let Some(open) = task.gates().find(|&on| state.task(on).state() != TaskState::Completed) {
            return Err(format!(
                "{} is {} though {open} is {}",
                task.id,
                task.state(),
                state.task(open).state()
            ));
        }
    }
    Ok(())
}

fn blockers_counted(state: &State) -> Result<(), String> {
    for task in state.tasks().iter() {
        let open = task.gates().filter(|&on| state.task(on).state() != TaskState::Completed).count();
        if open != task.open_blockers as usize {
            return Err(format!("{} counts {} open blockers, {open} are", task.id, task.open_blockers));
        }
        for on in task.gates() {
            if state.task(on).dependents.iter().filter(|&&id| id == task.id).count() != 1 {
                return Err(format!("{} waits for {on}, which does not know it exactly once", task.id));
            }
        }
    }
    Ok(())
}

fn queue_is_ready(state: &State) -> Result<(), String> {
    let mut ready = 0;
    for task in state.tasks().iter() {
        let waits = state.situation.is_waiting(task.class, &task.queue_key());
        if waits != (task.state() == TaskState::Ready) {
            return Err(format!("{} is {}, in the queue: {waits}", task.id, task.state()));
        }
        ready += usize::from(waits);
    }
    let mut keys: Vec<_> = state.tasks().iter().filter(|task| task.state() == TaskState::Ready).collect();
    keys.sort_by_key(|task| task.queue_key());
    let first: Vec<_> = keys.iter().take(3).map(|task| task.queue_key()).collect();
    if state.situation.first_waiting(3) != first {
        return Err(format!("{first:?} come first, not {:?}", state.situation.first_waiting(3)));
    }
    let heads = state.situation.heads(None).count();
    let classes = (0..state.situation.class_count()).filter(|&class| {
        state.situation.head(kapell_model::ClassId(u32::try_from(class).unwrap_or(u32::MAX))).is_some()
    });
    let nonempty = classes.count();
    if ready != state.situation.waiting() || heads != nonempty {
        return Err(format!(
            "{ready} ready, {} in queues; {heads} heads of {nonempty} queues",
            state.situation.waiting()
        ));
    }
    Ok(())
}

fn doomed_wait_in_vain(state: &State) -> Result<(), String> {
    if !state.doomed.is_empty() && state.policy().on_failed_dependency != OnFailedDependency::Cancel {
        return Err("tasks are marked, and the policy lets them wait".to_owned());
    }
    match state.doomed.iter().find(|&&id| state.gone_blocker(id).is_none()) {
        Some(id) => {
            Err(format!("{id} is marked, and nothing that it waits for has failed or been called off"))
        }
        None => Ok(()),
    }
}

fn timers_are_deferred(state: &State) -> Result<(), String> {
    let deferred: BTreeSet<_> = state
        .tasks()
        .iter()
        .filter(|task| task.state() == TaskState::Deferred)
        .filter_map(|task| task.deferred_until.map(|until| (until, task.id)))
        .collect();
    if deferred != state.timers {
        return Err(format!("{} deferred tasks, {} timers", deferred.len(), state.timers.len()));
    }
    Ok(())
}

fn clocks_are_owned(state: &State) -> Result<(), String> {
    let (mut watched, mut stranded, mut silent) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    for task in state.tasks().iter() {
        let Some(owner) = task.owner.as_ref().filter(|_| !task.rests()) else { continue };
        match owner.stall() {
            Some(stall) if stall.unanswered => {
                *silent.entry(owner.agent).or_default() += 1;
                stranded.insert(task.queue_key());
            }
            _ => {
                watched.insert((owner.clocks.check_at, task.id));
            }
        }
    }
    if watched != state.checks || stranded != state.stranded || silent != state.silent {
        return Err(format!(
            "{} watches and {} without an answer are kept, {} and {} are so",
            state.checks.len(),
            state.stranded.len(),
            watched.len(),
            stranded.len()
        ));
    }
    Ok(())
}

fn clocks_run_true(state: &State) -> Result<(), String> {
    for task in state.tasks().iter() {
        let Some(owner) = task.owner.as_ref().filter(|_| !task.rests()) else { continue };
        let (kept, so) = (owner.clocks.check_at, state.looked_at(task, owner));
        if kept != so && owner.stall().is_none_or(|stall| !stall.unanswered) {
            return Err(format!("{} is looked at at {kept:?}, its clocks run out at {so:?}", task.id));
        }
    }
    Ok(())
}

fn investigations_have_owners(state: &State) -> Result<(), String> {
    let stalled: BTreeSet<_> = state
        .tasks()
        .iter()
        .filter(|task| task.owner.as_ref().is_some_and(|owner| owner.stall().is_some()))
        .map(|task| task.id)
        .collect();
    if stalled != state.stalled {
        return Err(format!("{:?} is kept, {stalled:?} is so", state.stalled));
    }
    let running = stalled.iter().filter(|&&id| state.task(id).state() == TaskState::InProgress);
    if !running.clone().eq(&state.stalled_running) {
        return Err(format!(
            "{:?} are kept as begun, {:?} are",
            state.stalled_running,
            running.collect::<Vec<_>>()
        ));
    }
    Ok(())
}

fn turns_are_bounded(state: &State) -> Result<(), String> {
    for task in state.tasks().iter() {
        let Some(churn) = &task.churn else { continue };
        if churn.turns().len() > kapell_model::limits::ATTEMPTS_MAX as usize {
            return Err(format!("{} remembers {} turns", task.id, churn.turns().len()));
        }
        if !task.is_open() {
            return Err(format!("{} is {} and remembers turns", task.id, task.state()));
        }
    }
    Ok(())
}

fn one_escalation_per_cause(state: &State) -> Result<(), String> {
    let open = state.escalations().iter().filter(|escalation| escalation.settled.is_none());
    let mut count = 0;
    for escalation in open {
        count += 1;
        if state.open_escalations.get(&escalation.matter()) != Some(&escalation.id) {
            return Err(format!("{} is open and not the one of its cause", escalation.id));
        }
    }
    if count != state.open_escalations.len() {
        return Err(format!("{count} are open, {} causes are kept", state.open_escalations.len()));
    }
    let about = |matter: &Matter| match matter.subject {
        Subject::Edge { task, on } => Some([(task, on), (on, task)]),
        _ => None,
    };
    let edges: BTreeSet<_> = state.open_escalations.keys().filter_map(about).flatten().collect();
    if edges != state.kept_out {
        return Err(format!("{edges:?} are called about, {:?} is kept", state.kept_out));
    }
    Ok(())
}

fn calls_rest(state: &State) -> Result<(), String> {
    let mut calls = BTreeSet::new();
    for escalation in state.escalations().iter() {
        if escalation.called.is_empty() || escalation.raised_again() > limits::RERAISES_MAX as usize {
            return Err(format!("{} has called {:?}", escalation.id, escalation.called));
        }
        if let Some(at) = escalation.again_at.filter(|_| escalation.settled.is_none()) {
            if let Some(acknowledged) = &escalation.acknowledged {
                let by = &acknowledged.by;
                return Err(format!(
                    "{} is raised again at {at:?}, though {by} has taken it on",
                    escalation.id
                ));
            }
            calls.insert((at, escalation.id));
        }
    }
    let taken = state.escalations().iter().filter(|it| it.settled.is_none());
    let taken = taken.filter_map(|it| Some((it.acknowledged.as_ref()?.agent?, it.id)));
    if state.taken_on != taken.collect() {
        return Err(format!("{:?} is taken on, and should not or should more", state.taken_on));
    }
    if calls != state.calls {
        return Err(format!("{calls:?} are raised again, {:?} are kept", state.calls));
    }
    let missing = state.agents().iter().find(|agent| {
        agent.state != AgentState::Removed && state.of_role(&agent.spec.role).all(|other| other != agent.id)
    });
    missing.map_or(Ok(()), |agent| Err(format!("`{}` is not found by its role", agent.spec.name)))
}

fn counts_agree(state: &State) -> Result<(), String> {
    let mut counts = Counts::default();
    for task in state.tasks().iter() {
        counts.add(task.state());
    }
    if counts != state.counts {
        return Err(format!("{:?} is kept, {counts:?} is so", state.counts));
    }
    let in_projects: u32 = state.projects.values().map(|project| project.counts.total()).sum();
    let with_project = state.tasks().iter().filter(|task| task.spec.project.is_some()).count();
    if in_projects as usize != with_project {
        return Err(format!("{in_projects} tasks in projects, {with_project} name one"));
    }
    Ok(())
}

fn urgency_flows(state: &State) -> Result<(), String> {
    // What is being broken down is archived in the same step, and its dependents are not its reason any more.
    let counts = |task: &&crate::task::Task| task.is_open() && task.broken_into().is_none();
    for task in state.tasks().iter().filter(counts) {
        let waiting = || task.dependents.iter().map(|&id| state.task(id)).filter(|task| task.is_open());
        let after = state.orders.after(task.id).map(|then| state.task(then));
        let reason = waiting().chain(after).map(|task| task.effective).min();
        let reason = reason.map_or(task.priority, |p| p.min(task.priority));
        if task.effective != reason {
            return Err(format!("{} is {} and has reason to be {reason}", task.id, task.effective));
        }
        let place = state.place_of(task.id, task.effective, task.latest_start);
        if task.place != place {
            return Err(format!("{} stands at {:?}, by the orders at {place:?}", task.id, task.place));
        }
        for dependent in waiting() {
            if task.latest_start > start_before(dependent.latest_start, task.estimate) {
                return Err(format!("{} starts too late for {}", task.id, dependent.id));
            }
        }
    }
    Ok(())
}

fn situation_agrees(state: &State) -> Result<(), String> {
    let online = state.agents().iter().filter(|agent| agent.state == AgentState::Online).count();
    if online != state.online {
        return Err(format!("{online} agents are online, {} are counted", state.online));
    }
    for agent in state.agents() {
        let view = state.situation.agent(agent.id);
        let free = state.situation.free().contains(&agent.id);
        let active = agent.tasks.len() + state.handoffs.reserved(agent.id);
        if view.active as usize != active || view.state != agent.state || free != view.is_free() {
            return Err(format!(
                "`{}`: {} of {} active, free {free}",
                agent.spec.name, view.active, view.max
            ));
        }
    }
    Ok(())
}

fn no_cycles(state: &State) -> Result<(), String> {
    let open = |id: &kapell_model::TaskId| state.task(*id).state() != TaskState::Completed;
    // By task; what is completed waits for nothing, and nothing for it.
    let mut waits = vec![0_usize; state.tasks().len()];
    let mut free = Vec::new();
    let mut left = 0;
    for task in state.tasks().iter().filter(|task| open(&task.id)) {
        left += 1;
        waits[task.id.index()] = task.gates().filter(open).count();
        if waits[task.id.index()] == 0 {
            free.push(task.id);
        }
    }
    while let Some(id) = free.pop() {
        left -= 1;
        for dependent in state.task(id).dependents.iter().filter(|dependent| open(dependent)) {
            let waits = &mut waits[dependent.index()];
            *waits -= 1;
            if *waits == 0 {
                free.push(*dependent);
            }
        }
    }
    if left == 0 {
        return Ok(());
    }
    let first = state.tasks().iter().find(|task| waits[task.id.index()] > 0).map(|task| task.id.to_string());
    Err(format!("{left} tasks are in a circle or wait for one, {} among them", first.unwrap_or_default()))
}

fn broken_gates_nothing(state: &State) -> Result<(), String> {
    for task in state.tasks().iter() {
        if let Some(edge) = task.edges.iter().find(|edge| edge.broken && edge.gates()) {
            return Err(format!("{} waits for {} all the same", task.id, edge.on));
        }
    }
    Ok(())
}

fn loads_agree(state: &State) -> Result<(), String> {
    let active = state
        .agents()
        .iter()
        .filter(|agent| agent.state == AgentState::Online && !state.is_passed_over(agent.id));
    let mut expected: Vec<_> = active
        .map(|agent| {
            let active = agent.tasks.len() + state.handoffs.reserved(agent.id);
            let stays = active as u64 - u64::from(state.situation.leaving(agent.id));
            (kapell_model::Ratio::of(stays, u64::from(state.limit_of(agent.id))), agent.id)
        })
        .collect();
    expected.sort_unstable();
    let loads = state.situation.loads();
    let sum: u64 = expected.iter().map(|(utilization, _)| u64::from(utilization.as_micros())).sum();
    if !loads.ascending().eq(expected.iter().copied()) || loads.average().sum != sum {
        return Err(format!("{expected:?} is so, {:?} is kept", loads.ascending().collect::<Vec<_>>()));
    }
    Ok(())
}
