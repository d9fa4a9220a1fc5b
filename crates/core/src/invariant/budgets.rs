//! What must hold of budgets after every event.

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::{AgentId, ClassId, Cost, Gate, Name, Period, TaskState, Usage, limits};

use crate::budget::{BudgetOf, Grade, Ledger, wants_room};
use crate::state::State;
use crate::task::Task;

fn running(task: &Task) -> bool {
    matches!(task.state(), TaskState::Assigned | TaskState::InProgress)
}

pub(super) fn sums_agree(state: &State) -> Result<(), String> {
    let ledgers = &state.ledgers;
    let (mut all, mut projects) = (Usage::default(), BTreeMap::<&Name, Usage>::new());
    let mut types = BTreeMap::<&Name, Usage>::new();
    for task in state.tasks().iter() {
        let Some(account) = &task.account else { continue };
        let of_attempts = account.attempts.iter().fold(Usage::default(), |sum, (_, usage)| sum.plus(usage));
        let whole = account.attempts.len() < limits::PAST_ASSIGNMENTS_MAX;
        if whole && of_attempts != account.ledger.total {
            return Err(format!(
                "{}: {of_attempts:?} in attempts, {:?} in all",
                task.id, account.ledger.total
            ));
        }
        all = all.plus(&account.ledger.total);
        let sum = types.entry(&task.spec.kind).or_default();
        *sum = sum.plus(&account.ledger.total);
        if let Some(project) = &task.spec.project {
            let sum = projects.entry(project).or_default();
            *sum = sum.plus(&account.ledger.total);
        }
    }
    let agents = ledgers.agents.values().fold(Usage::default(), |sum, ledger| sum.plus(&ledger.total));
    if (all, agents) != (ledgers.fleet.total, ledgers.fleet.total) {
        let fleet = ledgers.fleet.total;
        return Err(format!("{fleet:?} of the fleet, {all:?} of its tasks, {agents:?} of its agents"));
    }
    let today = ledgers.fleet.used(Period::Day, ledgers.day);
    if ledgers.days().get(&ledgers.day).copied().unwrap_or_default() != today {
        return Err(format!("{today:?} of today, {:?} among the days", ledgers.days().get(&ledgers.day)));
    }
    for (name, sum) in &types {
        let kept = ledgers.types.get(*name).map(|ledger| ledger.total).unwrap_or_default();
        if kept != *sum {
            return Err(format!("type `{name}`: {kept:?} is kept, {sum:?} is so"));
        }
    }
    let wrong = ledgers
        .projects
        .iter()
        .find(|(name, ledger)| projects.get(name).copied().unwrap_or_default() != ledger.total);
    wrong.map_or(Ok(()), |(name, ledger)| Err(format!("project `{name}`: {:?}", ledger.total)))
}

pub(super) fn commitments_agree(state: &State) -> Result<(), String> {
    let mut fleet = Cost::NONE;
    let (mut agents, mut projects) = (BTreeMap::<AgentId, Cost>::new(), BTreeMap::<&Name, Cost>::new());
    for task in state.tasks().iter().filter(|task| running(task)) {
        let Some(owner) = &task.owner else { continue };
        let used = task.account.as_ref().map(|account| account.of(owner.assignment).cost());
        let rest = owner.expected.less(used.unwrap_or_default());
        fleet = fleet.plus(rest);
        let sum = agents.entry(owner.agent).or_default();
        *sum = sum.plus(rest);
        if let Some(project) = &task.spec.project {
            let sum = projects.entry(project).or_default();
            *sum = sum.plus(rest);
        }
    }
    let ledgers = &state.ledgers;
    let of = |ledger: Option<&Ledger>| ledger.map_or(Cost::NONE, |ledger| ledger.committed);
    if fleet != ledgers.fleet.committed
        || agents.iter().any(|(agent, &sum)| of(ledgers.agents.get(agent)) != sum)
        || projects.iter().any(|(project, &sum)| of(ledgers.projects.get(*project)) != sum)
    {
        return Err(format!("{:?} is kept for the fleet, {fleet:?} is so", ledgers.fleet.committed));
    }
    Ok(())
}

pub(super) fn closed_agree(state: &State) -> Result<(), String> {
    let ledgers = &state.ledgers;
    let closed = |ledger: &Ledger| ledger.closed.is_some();
    let paid = |task: &&Task| task.is_open() && task.account.as_ref().is_some_and(|it| closed(&it.ledger));
    let tasks = state.tasks().iter().filter(paid).map(|task| BudgetOf::Task(task.id));
    let agents = ledgers.agents.iter().filter(|(_, ledger)| closed(ledger));
    let projects = ledgers.projects.iter().filter(|(_, ledger)| closed(ledger));
    let so: BTreeSet<BudgetOf> = tasks
        .chain(agents.map(|(&agent, _)| BudgetOf::Agent(agent)))
        .chain(projects.map(|(project, _)| BudgetOf::Project(project.clone())))
        .chain(Some(BudgetOf::Fleet {}).filter(|_| closed(&ledgers.fleet)))
        .collect();
    if so != ledgers.closed {
        return Err(format!("{:?} is kept, {so:?} is so", ledgers.closed));
    }
    for of in ledgers.closed.difference(&ledgers.due) {
        let closing = state.ledger(of).and_then(|ledger| ledger.closed).map(|(_, closing)| closing);
        let closer =
            closing.filter(|closing| closing.grade < Grade::Reached).and_then(|closing| closing.task);
        if let Some(task) = closer.filter(|&task| !wants_room(of, state.task(task))) {
            return Err(format!("{of:?} is closed for {task}, which wants no room"));
        }
    }
    for agent in ledgers.agents.keys().filter(|&&agent| state.is_out_of_budget(agent)) {
        if !state.situation.agent(*agent).draining {
            return Err(format!("`{}` is placed without a budget", state.agent(*agent).spec.name));
        }
    }
    for index in 0..state.situation.class_count() {
        let id = ClassId(u32::try_from(index).unwrap_or(u32::MAX));
        let project = state.situation.class(id).project.map(|word| state.word(word));
        let shut = state.situation.gate(id) == Gate::Shut;
        if project.is_some_and(|project| state.is_project_closed(project)) && !shut {
            return Err(format!("a class of project `{}` is open", project.map_or("", Name::as_str)));
        }
    }
    Ok(())
}

pub(super) fn spent_work_stops(state: &State) -> Result<(), String> {
    for task in state.tasks().iter().filter(|task| running(task)) {
        if state.spent_under(task).is_some() && !state.ledgers.stops.contains(&task.id) {
            return Err(format!("{} goes on under a budget that is spent", task.id));
        }
    }
    Ok(())
}
