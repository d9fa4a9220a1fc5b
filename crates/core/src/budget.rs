//! Budgets (SEMANTICS 15): what work has used, what it may cost, and what becomes of it at a limit.
//!
//! Costs are kept in a ledger per task, agent, project and for the fleet. A ledger without room is closed:
//!
//! ```text
//! open --an assignment would pass it--> tight    running work may take the rest: it opens by itself, or becomes short
//!      --it would, whatever runs------> short    somebody is called: only more room helps, or another day
//!      --all of it is spent-----------> reached  and what runs under it is stopped
//! ```
//! A closed task is set aside, an agent is no candidate, the classes of a project are behind a shut gate, and where it is the
//! fleet's nothing is placed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kapell_model::{
    AgentId, AssignmentId, Budget, Cost, Day, Expected, Moment, Name, Period, Priority, TaskId, TaskState,
    Unit, Usage, limits,
};
use serde::{Deserialize, Serialize};

use crate::command::{TaskRef, TaskSpec};
use crate::effort::{Efforts, bounded};
use crate::escalation::Subject;
use crate::mutation::mutated;
use crate::state::State;
use crate::task::Task;

/// Weight of what all work of a fleet costs beside what such work did, in tasks.
const PRIOR_WEIGHT: u64 = 3;

/// Whose budget it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetOf {
    /// A task's.
    Task(TaskId),
    /// An agent's.
    Agent(AgentId),
    /// A project's.
    Project(Name),
    /// The fleet's.
    Fleet {},
}

impl BudgetOf {
    pub(crate) fn subject(&self) -> Subject {
        match self {
            Self::Task(task) => Subject::Task(*task),
            Self::Agent(agent) => Subject::Agent(*agent),
            Self::Project(project) => Subject::Project(project.clone()),
            Self::Fleet {} => Subject::Fleet {},
        }
    }

    pub(crate) fn of(subject: &Subject) -> Option<Self> {
        Some(match subject {
            Subject::Task(task) => Self::Task(*task),
            Subject::Agent(agent) => Self::Agent(*agent),
            Subject::Project(project) => Self::Project(project.clone()),
            Subject::Fleet {} => Self::Fleet {},
            _ => return None,
        })
    }
}

/// What an attempt has used in all since it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageReport {
    /// The task.
    pub task: TaskRef,
    /// Whose attempt.
    pub agent: Name,
    /// Under which token.
    pub assignment: AssignmentId,
    /// All of it so far, each number 0 to 10^12.
    pub usage: Usage,
}

/// Whose budget is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BudgetTarget {
    /// A task's.
    Task(TaskRef),
    /// An agent's.
    Agent(Name),
    /// A project's.
    Project(Name),
    /// The fleet's.
    Fleet,
}

/// How little room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// What running work is expected to cost yet leaves too little.
    Tight,
    /// There is too little, whatever runs.
    Short,
    /// There is nothing left.
    Reached,
}

impl Grade {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tight => "tight",
            Self::Short => "short",
            Self::Reached => "reached",
        }
    }
}

/// Why nothing is assigned under a budget: the limit that stands in the way, in tokens or millionths of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// How little room there is.
    pub grade: Grade,
    /// Over which time.
    pub period: Period,
    /// What is counted.
    pub measure: Unit,
    /// The hard limit.
    pub limit: u64,
    /// What was spent of it.
    pub spent: u64,
    /// What running work is expected to take yet.
    pub committed: u64,
    /// What the assignment was expected to cost that would have passed it.
    pub expected: Cost,
    /// The task that was to be assigned; when it is no more, the budget opens again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
}

/// What was spent under one budget, and how it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// From the beginning on.
    pub total: Usage,
    /// On `day`.
    today: Usage,
    day: Day,
    /// Its own budget, where the policy's does not hold for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Budget>,
    /// Since when and why nothing is assigned under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<(Moment, Closing)>,
    /// Whether somebody has been called since it last became short.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub called: bool,
    /// The soft limits that were warned of; those of a day on which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    warned: Vec<(Period, Unit, Day)>,
    /// What running work is expected to take yet. Derived.
    #[serde(skip)]
    pub committed: Cost,
}

impl Ledger {
    /// Returns what was used in a period that `day` is in.
    #[must_use]
    pub fn used(&self, period: Period, day: Day) -> Usage {
        match period {
            Period::Total => self.total,
            Period::Day if self.day == day => self.today,
            Period::Day => Usage::default(),
        }
    }

    /// Tells whether a soft limit has been warned of that still counts.
    #[must_use]
    pub fn is_warned(&self, period: Period, measure: Unit, day: Day) -> bool {
        let same = |warned: &&(Period, Unit, Day)| (warned.0, warned.1) == (period, measure);
        let known = self.warned.iter().find(same);
        known.is_some_and(|&(_, _, on)| period == Period::Total || on == day)
    }

    fn spend(&mut self, more: &Usage, day: Day) {
        if self.day != day {
            (self.day, self.today) = (day, Usage::default());
        }
        self.today = self.today.plus(more);
        self.total = self.total.plus(more);
    }

    /// Tells whether work under it is to be stopped.
    fn is_reached(&self) -> bool {
        self.closed.is_some_and(|(_, closing)| closing.grade == Grade::Reached)
    }
}

/// What was spent on one task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// All of it.
    pub ledger: Ledger,
    /// What was said of each attempt, as far as attempts are remembered.
    pub attempts: Vec<(AssignmentId, Usage)>,
}

impl Account {
    /// Returns what was used under an assignment.
    #[must_use]
    pub fn of(&self, assignment: AssignmentId) -> Usage {
        let same = |attempt: &&(AssignmentId, Usage)| attempt.0 == assignment;
        self.attempts.iter().find(same).map(|&(_, usage)| usage).unwrap_or_default()
    }
}

/// The costs of one kind of work: tokens and money each by itself, since not every agent tells both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    tokens: Efforts<u64>,
    money: Efforts<u64>,
}

impl Seen {
    fn push(&mut self, cost: Cost) {
        if cost.tokens > 0 {
            self.tokens.push(cost.tokens);
        }
        if cost.money > 0 {
            self.money.push(cost.money);
        }
    }

    /// Returns a percentile, each part a mean with that of `prior`, which counts as much as three tasks.
    fn percentile(&self, percent: usize, prior: Cost) -> Cost {
        let shrunk = |seen: &Efforts<u64>, prior: u64| {
            let count = seen.len() as u64;
            let Some(value) = seen.percentile(percent) else { return prior };
            let sum = u128::from(prior) * u128::from(PRIOR_WEIGHT) + u128::from(value) * u128::from(count);
            u64::try_from(sum / u128::from(PRIOR_WEIGHT + count)).unwrap_or(u64::MAX)
        };
        Cost { tokens: shrunk(&self.tokens, prior.tokens), money: shrunk(&self.money, prior.money) }
    }
}

/// The ledgers of a fleet, but those of tasks, and what was learned of costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledgers {
    /// The day that is counted now.
    pub(crate) day: Day,
    pub(crate) fleet: Ledger,
    pub(crate) agents: BTreeMap<AgentId, Ledger>,
    pub(crate) projects: BTreeMap<Name, Ledger>,
    /// What tasks of each type have used.
    pub(crate) types: BTreeMap<Name, Ledger>,
    /// What the fleet used by day.
    days: BTreeMap<Day, Usage>,
    /// What all work costs, and what work of a type and complexity does.
    all: Seen,
    seen: BTreeMap<(Name, u8), Seen>,
    // Derived.
    #[serde(skip)]
    pub(crate) closed: BTreeSet<BudgetOf>,
    /// The tasks for which there was no room, each with the budgets that it closed.
    #[serde(skip)]
    closers: BTreeSet<(TaskId, BudgetOf)>,
    /// Those whose sums or limits have changed; looked at in the same step.
    #[serde(skip)]
    pub(crate) due: BTreeSet<BudgetOf>,
    /// Running work under a budget that is spent; stopped in the same step.
    #[serde(skip)]
    pub(crate) stops: BTreeSet<TaskId>,
}

impl Ledgers {
    /// Returns the day that is counted now.
    #[must_use]
    pub fn day(&self) -> Day {
        self.day
    }

    /// Returns the ledger of the fleet.
    #[must_use]
    pub fn fleet(&self) -> &Ledger {
        &self.fleet
    }

    /// Returns the ledgers of agents.
    #[must_use]
    pub fn agents(&self) -> &BTreeMap<AgentId, Ledger> {
        &self.agents
    }

    /// Returns the ledgers of projects.
    #[must_use]
    pub fn projects(&self) -> &BTreeMap<Name, Ledger> {
        &self.projects
    }

    /// Returns what was used by the type of task.
    #[must_use]
    pub fn types(&self) -> &BTreeMap<Name, Ledger> {
        &self.types
    }

    /// Returns what the fleet used by day.
    #[must_use]
    pub fn days(&self) -> &BTreeMap<Day, Usage> {
        &self.days
    }

    /// Returns the budgets under which nothing is assigned.
    #[must_use]
    pub fn closed(&self) -> &BTreeSet<BudgetOf> {
        &self.closed
    }

    /// Returns when the next day begins, where that changes anything.
    pub(crate) fn next_timer(&self) -> Option<Moment> {
        Some(Day(self.day.0 + 1).begins()).filter(|_| self.is_day_open())
    }

    /// Tells whether anything stands in the sums of the day.
    pub(crate) fn is_day_open(&self) -> bool {
        !self.closed.is_empty() || !self.fleet.used(Period::Day, self.day).is_none()
    }
}

impl State {
    /// Returns what was spent and is limited.
    #[must_use]
    pub fn ledgers(&self) -> &Ledgers {
        &self.ledgers
    }

    /// Returns the ledger of a budget, where anything stands in it.
    #[must_use]
    pub fn ledger(&self, of: &BudgetOf) -> Option<&Ledger> {
        match of {
            BudgetOf::Task(task) => self.task(*task).account.as_ref().map(|account| &account.ledger),
            BudgetOf::Agent(agent) => self.ledgers.agents.get(agent),
            BudgetOf::Project(project) => self.ledgers.projects.get(project),
            BudgetOf::Fleet {} => Some(&self.ledgers.fleet),
        }
    }

    /// Returns what may be spent under a budget: its own limits, else the policy's.
    #[must_use]
    pub fn budget(&self, of: &BudgetOf) -> Budget {
        let policy = &self.policy.budgets;
        self.ledger(of).and_then(|ledger| ledger.own).unwrap_or(match of {
            BudgetOf::Task(_) => Budget { total: policy.task, ..Budget::default() },
            BudgetOf::Agent(_) => policy.agent,
            BudgetOf::Project(_) => policy.project,
            BudgetOf::Fleet {} => policy.fleet,
        })
    }

    /// Returns what a task is expected to cost, where anything is known: the median of completed tasks of its type and complexity,
    /// a mean with what all work costs, of which one counts as much as three tasks.
    #[must_use]
    pub fn expected_cost(&self, spec: &TaskSpec) -> Option<Expected> {
        let all = &self.ledgers.all;
        let (p50, p90) = (all.percentile_alone(50), all.percentile_alone(90));
        if p50.is_none() {
            return None;
        }
        let key = (spec.kind.clone(), spec.complexity_or_middle());
        let Some(seen) = self.ledgers.seen.get(&key) else { return Some(Expected { p50, p90, from: 0 }) };
        let (low, high) = (seen.percentile(50, p50), seen.percentile(90, p90));
        let high = low.plus(high.less(low));
        let from = u32::try_from(seen.tokens.len().max(seen.money.len())).unwrap_or(u32::MAX);
        Some(Expected { p50: low, p90: high, from })
    }

    /// Returns what is expected to be spent on a task until it is done: what such a task costs less what was used in the running
    /// attempt; where that has used as much already, what nine of ten cost.
    #[must_use]
    pub fn cost_to_finish(&self, task: &Task) -> Option<Cost> {
        let expected = self.expected_cost(&task.spec)?;
        let live = task.owner.as_ref().map(|owner| owner.assignment);
        let used = task.account.as_ref().zip(live).map(|(account, live)| account.of(live).cost());
        let used = used.unwrap_or_default();
        let part = |measure| match expected.p50.of(measure).saturating_sub(used.of(measure)) {
            0 => expected.p90.of(measure).saturating_sub(used.of(measure)),
            rest => rest,
        };
        Some(Cost { tokens: part(Unit::Tokens), money: part(Unit::Money) })
    }

    /// Returns the budgets that work on a task counts against, where `agent` does it.
    pub(crate) fn payers(&self, task: &Task, agent: AgentId) -> impl Iterator<Item = BudgetOf> + use<> {
        let project = task.spec.project.clone().map(BudgetOf::Project);
        [BudgetOf::Task(task.id), BudgetOf::Agent(agent)]
            .into_iter()
            .chain(project)
            .chain([BudgetOf::Fleet {}])
    }

    /// Returns the tightest limit of a budget in which `expected` has no room.
    pub(crate) fn closing(&self, of: &BudgetOf, expected: Cost) -> Option<Closing> {
        let (budget, day) = (self.budget(of), self.ledgers.day);
        let ledger = self.ledger(of);
        let mut found: Option<Closing> = None;
        for (period, measure, limit) in budget.limits() {
            let Some(limit) = limit.hard else { continue };
            let spent = ledger.map_or(0, |ledger| ledger.used(period, day).cost().of(measure));
            let committed = ledger.map_or(0, |ledger| ledger.committed.of(measure));
            let more = expected.of(measure);
            let grade = if spent >= limit {
                Grade::Reached
            } else if spent.saturating_add(more) > limit {
                Grade::Short
            } else if more > 0 && spent.saturating_add(committed).saturating_add(more) > limit {
                Grade::Tight
            } else {
                continue;
            };
            if found.is_none_or(|found| grade > found.grade) {
                found =
                    Some(Closing { grade, period, measure, limit, spent, committed, expected, task: None });
            }
        }
        found
    }

    /// Returns the first budget that an assignment would pass, and why.
    #[must_use]
    pub fn over_budget(&self, task: &Task, agent: AgentId) -> Option<(BudgetOf, Closing)> {
        if mutated!(BudgetIgnored) {
            return None;
        }
        self.payers(task, agent).find_map(|of| self.closing_for(&of, task).map(|closing| (of, closing)))
    }

    /// Returns the tightest limit of a budget in which a task has no room.
    fn closing_for(&self, of: &BudgetOf, task: &Task) -> Option<Closing> {
        let expected = self.expected_cost(&task.spec).map_or(Cost::NONE, |expected| expected.p50);
        self.closing(of, expected).map(|closing| Closing { task: Some(task.id), ..closing })
    }

    /// Returns the tightest limit of a closed budget in which what has closed it has no room now. What is done, cancelled or set
    /// aside needs none; what another agent works on may come back to this one.
    pub(crate) fn still_closing(&self, of: &BudgetOf, before: &Closing) -> Option<Closing> {
        let Some(task) = before.task.map(|task| self.task(task)) else {
            return self.closing(of, before.expected);
        };
        if wants_room(of, task) || mutated!(BudgetStaysShut) {
            self.closing_for(of, task)
        } else {
            self.closing(of, Cost::NONE)
        }
    }

    /// Returns the budget that moving a task to an agent would pass, and why: the others pay for it already.
    pub(crate) fn over_budget_to(&self, task: &Task, agent: AgentId) -> Option<(BudgetOf, Closing)> {
        let of = BudgetOf::Agent(agent);
        self.closing_for(&of, task).map(|closing| (of, closing))
    }

    /// Returns the budget that keeps a task from being assigned to anybody, and why.
    #[must_use]
    pub fn closed_for(&self, task: &Task) -> Option<(BudgetOf, Closing)> {
        let project = task.spec.project.clone().map(BudgetOf::Project);
        let all = [BudgetOf::Task(task.id)].into_iter().chain(project).chain([BudgetOf::Fleet {}]);
        all.filter(|_| !self.ledgers.closed.is_empty())
            .find_map(|of| Some((of.clone(), self.ledger(&of)?.closed?.1)))
    }

    /// Tells whether an agent gets no more work because of its budget.
    #[must_use]
    pub fn is_out_of_budget(&self, agent: AgentId) -> bool {
        self.ledgers.agents.get(&agent).is_some_and(|ledger| ledger.closed.is_some())
    }

    pub(crate) fn is_project_closed(&self, project: &Name) -> bool {
        self.ledgers.projects.get(project).is_some_and(|ledger| ledger.closed.is_some())
    }

    /// Says in words whose budget it is.
    #[must_use]
    pub fn budget_name(&self, of: &BudgetOf) -> String {
        match of {
            BudgetOf::Task(task) => format!("the budget of {task}"),
            BudgetOf::Agent(agent) => format!("the budget of agent `{}`", self.agent(*agent).spec.name),
            BudgetOf::Project(project) => format!("the budget of project `{project}`"),
            BudgetOf::Fleet {} => "the budget of the fleet".to_owned(),
        }
    }

    /// Says in words how little room there is under a budget.
    #[must_use]
    pub fn closing_text(&self, of: &BudgetOf, closing: &Closing) -> String {
        let amount = |value| self.amount(closing.measure, value);
        let day = if closing.period == Period::Day { " for the day" } else { "" };
        let so_far = format!(
            "{}{day}: {} of {} spent",
            self.budget_name(of),
            amount(closing.spent),
            amount(closing.limit)
        );
        let expected = amount(closing.expected.of(closing.measure));
        match closing.grade {
            Grade::Reached => so_far,
            Grade::Short => format!("{so_far}, and the next assignment is expected to cost {expected}"),
            Grade::Tight => {
                let running = amount(closing.committed);
                format!(
                    "{so_far}, running work is expected to cost {running} and the next assignment {expected}"
                )
            }
        }
    }

    /// Writes an amount with its unit.
    #[must_use]
    pub fn amount(&self, measure: Unit, value: u64) -> String {
        match measure {
            Unit::Tokens => format!("{value} tokens"),
            Unit::Money => format!("{} {}", money(value), self.policy.budgets.currency),
        }
    }

    // Folding.

    /// Keeps an open task whose budget is closed among those, and has the budgets looked at that a task has closed.
    pub(crate) fn index_budget(&mut self, id: TaskId) {
        if !self.ledgers.closers.is_empty() {
            let closed = self.ledgers.closers.range((id, BudgetOf::Task(TaskId(0)))..);
            let closed: Vec<BudgetOf> =
                closed.take_while(|(task, _)| *task == id).map(|(_, of)| of.clone()).collect();
            self.ledgers.due.extend(closed);
        }
        let task = &self.tasks[id];
        let Some(account) = &task.account else { return };
        if task.is_open() && account.ledger.closed.is_some() {
            self.ledgers.closed.insert(BudgetOf::Task(id));
            self.ledgers.due.insert(BudgetOf::Task(id));
        } else if !self.ledgers.closed.is_empty() {
            self.ledgers.closed.remove(&BudgetOf::Task(id));
        }
    }

    /// Takes what an owned task is expected to cost yet into the sums of those who pay for it, or out of them.
    pub(crate) fn commit(&mut self, id: TaskId, enters: bool) {
        let task = &self.tasks[id];
        let Some(owner) = &task.owner else { return };
        if !matches!(task.state(), TaskState::Assigned | TaskState::InProgress) {
            return;
        }
        let used = task.account.as_ref().map(|account| account.of(owner.assignment).cost());
        let rest = owner.expected.less(used.unwrap_or_default());
        let (agent, project) = (owner.agent, task.spec.project.clone());
        let watched = !self.ledgers.closed.is_empty();
        if enters && watched && !mutated!(StopForgotten) && self.is_to_stop(&self.tasks[id]) {
            self.ledgers.stops.insert(id);
        } else if !enters && !self.ledgers.stops.is_empty() {
            self.ledgers.stops.remove(&id);
        }
        if rest.is_none() {
            return;
        }
        let put = |ledger: &mut Ledger| {
            let sum = ledger.committed;
            ledger.committed = if enters { sum.plus(rest) } else { sum.less(rest) };
        };
        put(self.ledgers.agents.entry(agent).or_default());
        put(&mut self.ledgers.fleet);
        if let Some(project) = &project {
            put(self.ledgers.projects.entry(project.clone()).or_default());
        }
        if watched && !enters {
            let all = [BudgetOf::Agent(agent), BudgetOf::Fleet {}];
            let all = all.into_iter().chain(project.map(BudgetOf::Project));
            let closed = all.filter(|of| self.ledgers.closed.contains(of)).collect::<Vec<_>>();
            self.ledgers.due.extend(closed);
        }
    }

    /// Tells whether a task runs under a budget that is spent.
    pub(crate) fn is_to_stop(&self, task: &Task) -> bool {
        let Some(owner) = &task.owner else { return false };
        matches!(task.state(), TaskState::Assigned | TaskState::InProgress)
            && self.payers(task, owner.agent).any(|of| self.ledger(&of).is_some_and(Ledger::is_reached))
    }

    /// Returns the budget that is spent under which a task runs.
    pub(crate) fn spent_under(&self, task: &Task) -> Option<(BudgetOf, Closing)> {
        let owner = task.owner.as_ref()?;
        let spent = |of: BudgetOf| {
            let closing = self.ledger(&of)?.closed?.1;
            Some((of, closing)).filter(|(_, closing)| closing.grade == Grade::Reached)
        };
        self.payers(task, owner.agent).find_map(spent)
    }

    pub(crate) fn usage_reported(
        &mut self,
        id: TaskId,
        agent: AgentId,
        assignment: AssignmentId,
        usage: &Usage,
    ) {
        let day = self.ledgers.day;
        self.commit(id, false);
        let account = self.tasks[id].account.get_or_insert_default();
        let before = account.of(assignment);
        let more = if mutated!(UsageAdded) { *usage } else { usage.less(&before) };
        match account.attempts.iter_mut().find(|attempt| attempt.0 == assignment) {
            Some(attempt) => attempt.1 = before.most(usage),
            None => {
                if account.attempts.len() > limits::PAST_ASSIGNMENTS_MAX {
                    account.attempts.remove(0);
                }
                account.attempts.push((assignment, *usage));
            }
        }
        account.ledger.spend(&more, day);
        self.commit(id, true);
        self.ledgers.agents.entry(agent).or_default().spend(&more, day);
        self.ledgers.fleet.spend(&more, day);
        let of_day = self.ledgers.days.entry(day).or_default();
        *of_day = of_day.plus(&more);
        if self.ledgers.days.len() > limits::COST_DAYS_MAX {
            self.ledgers.days.pop_first();
        }
        let spec = Arc::clone(&self.tasks[id].spec);
        self.ledgers.types.entry(spec.kind.clone()).or_default().spend(&more, day);
        if let Some(project) = &spec.project {
            self.ledgers.projects.entry(project.clone()).or_default().spend(&more, day);
        }
        let payers = self.payers(&self.tasks[id], agent);
        self.ledgers.due.extend(payers);
        self.touch(id);
    }

    /// Learns what a completed task has cost.
    pub(crate) fn note_cost(&mut self, id: TaskId) {
        let task = &self.tasks[id];
        let Some(cost) = task.account.as_ref().map(|account| account.ledger.total.cost()) else { return };
        let key = (task.spec.kind.clone(), task.spec.complexity_or_middle());
        if !cost.is_none() {
            self.ledgers.all.push(cost);
            if let Some(seen) = bounded(&mut self.ledgers.seen, key) {
                seen.push(cost);
            }
        }
    }

    /// Changes a ledger, and looks at it in the same step.
    fn change_ledger(&mut self, of: &BudgetOf, change: impl FnOnce(&mut Ledger)) {
        match of {
            BudgetOf::Task(task) => self.change(*task, |task| {
                change(&mut task.account.get_or_insert_default().ledger);
            }),
            BudgetOf::Agent(agent) => change(self.ledgers.agents.entry(*agent).or_default()),
            BudgetOf::Project(project) => change(self.ledgers.projects.entry(project.clone()).or_default()),
            BudgetOf::Fleet {} => change(&mut self.ledgers.fleet),
        }
        self.ledgers.due.insert(of.clone());
    }

    pub(crate) fn budget_set(&mut self, of: &BudgetOf, budget: Option<Budget>) {
        self.change_ledger(of, |ledger| {
            ledger.own = budget;
            ledger.warned.clear();
        });
    }

    pub(crate) fn budget_day_began(&mut self, day: Day) {
        self.ledgers.day = day;
        let closed = self.ledgers.closed.clone();
        self.ledgers.due.extend(closed);
    }

    pub(crate) fn budget_warned(&mut self, of: &BudgetOf, period: Period, measure: Unit) {
        let day = self.ledgers.day;
        self.change_ledger(of, |ledger| {
            ledger.warned.retain(|warned| (warned.0, warned.1) != (period, measure));
            ledger.warned.push((period, measure, day));
        });
    }

    pub(crate) fn budget_called(&mut self, of: &BudgetOf) {
        self.change_ledger(of, |ledger| ledger.called = true);
    }

    pub(crate) fn budget_closed(&mut self, of: &BudgetOf, closing: &Closing) {
        let at = self.at;
        self.forget_closer(of);
        self.ledgers.closers.extend(closer(of, Some(closing)));
        self.change_ledger(of, |ledger| {
            let before = ledger.closed.map(|(_, closing)| closing.grade);
            ledger.called &= before.is_some_and(|grade| grade >= Grade::Short);
            ledger.closed = Some((at, *closing));
        });
        if !matches!(of, BudgetOf::Task(_)) {
            self.ledgers.closed.insert(of.clone());
        }
        self.budget_turned(of);
        if closing.grade == Grade::Reached && !mutated!(StopForgotten) {
            let running = self.running_under(of);
            self.ledgers.stops.extend(running);
        }
    }

    fn forget_closer(&mut self, of: &BudgetOf) {
        let closing = self.ledger(of).and_then(|ledger| ledger.closed).map(|(_, closing)| closing);
        if let Some(closer) = closer(of, closing.as_ref()) {
            self.ledgers.closers.remove(&closer);
        }
    }

    pub(crate) fn budget_opened(&mut self, of: &BudgetOf) {
        self.forget_closer(of);
        if !matches!(of, BudgetOf::Task(_)) {
            self.ledgers.closed.remove(of);
        }
        self.change_ledger(of, |ledger| {
            ledger.closed = None;
            ledger.called = false;
        });
        self.budget_turned(of);
    }

    /// Lets placing know that a budget has closed or opened.
    fn budget_turned(&mut self, of: &BudgetOf) {
        match of {
            BudgetOf::Task(_) => {}
            BudgetOf::Agent(agent) => self.situation.set_apart(*agent, self.is_passed_over(*agent)),
            BudgetOf::Project(project) => {
                let Some(word) = self.words.find(project.as_str()) else { return };
                for class in self.classes.of_project(word).to_vec() {
                    self.turn_gate(class);
                }
            }
            BudgetOf::Fleet {} => {
                if !self.ledgers.closed.contains(of) {
                    self.situation.unsettle();
                }
            }
        }
    }

    fn running_under(&self, of: &BudgetOf) -> Vec<TaskId> {
        let runs = |task: &&TaskId| {
            let task = self.task(**task);
            task.owner.as_ref().is_some_and(|owner| self.payers(task, owner.agent).any(|other| other == *of))
                && matches!(task.state(), TaskState::Assigned | TaskState::InProgress)
        };
        match of {
            BudgetOf::Task(task) => [*task].iter().filter(runs).copied().collect(),
            BudgetOf::Agent(agent) => self.agent(*agent).tasks.iter().filter(runs).copied().collect(),
            BudgetOf::Project(_) | BudgetOf::Fleet {} => {
                self.assigned.values().filter(runs).copied().collect()
            }
        }
    }

    /// Lets a reopened task be looked at as if nothing had been said of its budget.
    pub(crate) fn budget_reopened(&mut self, id: TaskId) {
        if self.tasks[id].account.is_some() {
            self.budget_opened(&BudgetOf::Task(id));
        }
    }

    /// Looks at every budget in the same step: the limits of the policy have changed, or the fleet starts.
    pub(crate) fn budgets_due(&mut self) {
        let agents = self.ledgers.agents.keys().map(|&agent| BudgetOf::Agent(agent));
        let projects = self.ledgers.projects.keys().map(|project| BudgetOf::Project(project.clone()));
        let paid = self.tasks.iter().filter(|task| task.is_open() && task.account.is_some());
        let tasks = paid.map(|task| BudgetOf::Task(task.id));
        let all: Vec<BudgetOf> = agents.chain(projects).chain(tasks).chain([BudgetOf::Fleet {}]).collect();
        self.ledgers.due.extend(all);
    }

    /// Finds what a step that was cut off has left to do about budgets.
    pub(crate) fn resume_budgets(&mut self) {
        self.budgets_due();
        let running = self.assigned.values().copied().filter(|&task| self.is_to_stop(self.task(task)));
        self.ledgers.stops = running.collect();
    }

    /// Takes the facts of a snapshot; tasks are not there yet.
    pub(crate) fn restore_ledgers(&mut self, ledgers: Ledgers) {
        self.ledgers = ledgers;
        let closed = |ledger: &Ledger| ledger.closed.is_some();
        let agents = self.ledgers.agents.iter().filter(|(_, it)| closed(it));
        let projects = self.ledgers.projects.iter().filter(|(_, it)| closed(it));
        let fleet = Some(BudgetOf::Fleet {}).filter(|_| closed(&self.ledgers.fleet));
        self.ledgers.closed = agents
            .map(|(&agent, _)| BudgetOf::Agent(agent))
            .chain(projects.map(|(project, _)| BudgetOf::Project(project.clone())))
            .chain(fleet)
            .collect();
        let closing =
            |of: &BudgetOf| self.ledger(of).and_then(|ledger| ledger.closed).map(|(_, closing)| closing);
        let closers = self.ledgers.closed.iter().filter_map(|of| closer(of, closing(of).as_ref()));
        self.ledgers.closers = closers.collect();
    }

    /// Returns how urgent it is that somebody sees to a budget.
    pub(crate) fn budget_severity(&self, of: &BudgetOf) -> Priority {
        match of {
            BudgetOf::Task(task) => self.task(*task).effective,
            _ => Priority::High,
        }
    }
}

impl Seen {
    fn percentile_alone(&self, percent: usize) -> Cost {
        let tokens = self.tokens.percentile(percent).unwrap_or(0);
        Cost { tokens, money: self.money.percentile(percent).unwrap_or(0) }
    }
}

/// Tells whether a task may be assigned yet under a budget that it has closed.
pub(crate) fn wants_room(of: &BudgetOf, task: &Task) -> bool {
    match of {
        BudgetOf::Task(_) | BudgetOf::Agent(_) => task.is_open(),
        BudgetOf::Project(project) => {
            task.state() == TaskState::Ready && task.spec.project.as_ref() == Some(project)
        }
        BudgetOf::Fleet {} => task.state() == TaskState::Ready,
    }
}

/// Returns the task that has closed a budget which is not its own.
fn closer(of: &BudgetOf, closing: Option<&Closing>) -> Option<(TaskId, BudgetOf)> {
    let task = closing?.task.filter(|_| !matches!(of, BudgetOf::Task(_)))?;
    Some((task, of.clone()))
}

/// Writes millionths of money as a decimal with at least two places.
#[must_use]
pub fn money(millionths: u64) -> String {
    let all = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    let short = all.trim_end_matches('0');
    let places = short.len() - short.find('.').unwrap_or(0) - 1;
    format!("{short}{}", "0".repeat(2_usize.saturating_sub(places)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_with_two_places_or_as_many_as_it_has() {
        let written: Vec<String> = [0, 1, 500_000, 12_340_000, 1_234_567].map(money).into();
        assert_eq!(written, ["0.00", "0.000001", "0.50", "12.34", "1.234567"]);
    }
}
