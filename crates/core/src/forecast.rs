//! What a forecast gets to see, and what is kept of the ones that were made (SEMANTICS 12 and 16, "Forecasts").
//!
//! The writer only takes a view of what lies in shared segments ([`State::forecast_source`]); the tasks are gone through
//! elsewhere ([`ForecastSource::gather`]), and the forecast comes back as a command with the place in the log that it saw.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kapell_model::{
    AgentId, AgentState, Forecast, ForecastRole, ForecastTask, ForecastView, Moment, Name, Policy, Position,
    Priority, QueueKey, Ratio, Span, TaskId, TaskState, limits,
};

use crate::command::{AgentSpec, Require, TaskSpec};
use crate::effort::Learning;
use crate::engine::Reply;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use crate::task::Task;
use crate::tasks::Tasks;

/// Tasks of a project, and of what it waits for, that a forecast looks at one by one; the most urgent ones.
const TASKS_MAX: usize = 5_000;
/// Waiting tasks of others that it takes into account; the most urgent ones.
const OTHERS_MAX: usize = 1_000;
/// Sorts of tasks by who can take them; tasks of further sorts count as if everybody could.
const SORTS_MAX: usize = 256;
/// Capabilities of which it is asked what one agent more would save.
const HELPERS_MAX: usize = 5;
/// Periods after which the forecast of a project with a deadline is outdated though nothing has changed.
const AGED_PERIODS: i64 = 12;
/// Names and tasks in each list of a forecast that comes in.
const LISTED_MAX: usize = 1_000;

/// What a forecast is gathered from, as it was at one moment.
#[derive(Debug)]
pub struct ForecastSource {
    project: Name,
    deadline: Option<Moment>,
    seen: Position,
    at: Moment,
    policy: Policy,
    tasks: Tasks,
    learning: Learning,
    agents: Vec<Seat>,
}

/// An agent as a forecast sees it.
#[derive(Debug)]
struct Seat {
    id: AgentId,
    spec: Arc<AgentSpec>,
    slots: u32,
}

/// By what it is decided who can take a task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sort {
    requires: Vec<(Name, u32, Ratio)>,
    /// What is required was only read out of the text: it excludes nobody where everybody would be.
    soft: bool,
    role: Option<Name>,
    agent: Option<Name>,
    exclude: Vec<Name>,
}

impl State {
    /// Returns the last forecast of a project.
    #[must_use]
    pub fn forecast(&self, project: &str) -> Option<&Forecast> {
        self.forecasts.get(project).map(Arc::as_ref)
    }

    /// Tells whether something of its project or of the agents has changed since a forecast was made.
    #[must_use]
    pub fn has_changed_since(&self, forecast: &Forecast) -> bool {
        let changed =
            self.projects.get(&forecast.project).map_or(self.agents_changed, |project| project.changed);
        forecast.seen < changed.max(self.agents_changed)
    }

    /// Takes a view of what a forecast of `project` needs; nothing where there is no such project. It costs time in the agents
    /// and a pointer for every few hundred tasks.
    #[must_use]
    pub fn forecast_source(&self, project: &Name, now: Moment) -> Option<ForecastSource> {
        let known = self.projects.get(project)?;
        let present = self.agents.iter().filter(|agent| agent.state != AgentState::Removed);
        let agents = present.map(|agent| {
            let works = matches!(agent.state, AgentState::Online | AgentState::Unreachable)
                && !self.is_set_apart(agent.id);
            let slots = if works { self.situation.agent(agent.id).max } else { 0 };
            Seat { id: agent.id, spec: self.spec_as_used(agent), slots }
        });
        Some(ForecastSource {
            project: project.clone(),
            deadline: known.spec.deadline,
            seen: self.position,
            at: now.max(self.at),
            policy: self.policy.clone(),
            agents: agents.collect(),
            tasks: self.tasks.clone(),
            learning: self.learning.clone(),
        })
    }

    /// Takes a forecast in, unless a later one is known.
    pub(crate) fn record_forecast(
        &self,
        forecast: &Forecast,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let invalid = |field: &str, given: String, allowed: &str| {
            Err(Rejection::Invalid { field: field.to_owned(), given, allowed: allowed.to_owned() })
        };
        if !self.projects.contains_key(&forecast.project) {
            return Err(Rejection::NotFound { what: "project", given: forecast.project.to_string() });
        }
        if forecast.seen > self.position {
            return invalid("seen", forecast.seen.to_string(), "a position of the log");
        }
        let Forecast { p50, p80, p90, .. } = *forecast;
        if !(p50 <= p80 && p80 <= p90) {
            let given = format!("{}, {}, {}", p50.0, p80.0, p90.0);
            return invalid("p50, p80, p90", given, "moments in ascending order");
        }
        let lists = [forecast.path.len(), forecast.gains.len(), forecast.watched.len()];
        if lists.iter().any(|&count| count > LISTED_MAX) {
            return Err(Rejection::LimitExceeded { what: "items of a forecast's list", limit: LISTED_MAX });
        }
        let mut named =
            forecast.path.iter().map(|(task, _)| task).chain(forecast.watched.iter().map(|(task, _)| task));
        let unknown = |id: &&TaskId| id.0 == 0 || self.tasks.get(**id).is_none();
        if let Some(task) = named.find(unknown) {
            return Err(Rejection::NotFound { what: "task", given: task.to_string() });
        }
        let known = self.forecasts.get(&forecast.project);
        if known.is_none_or(|known| known.seen <= forecast.seen) {
            out.push(Event::ForecastMade { forecast: Box::new(forecast.clone()) });
        }
        Ok(Reply::default())
    }

    pub(crate) fn forecast_made(&mut self, forecast: &Forecast) {
        self.forecasts.insert(forecast.project.clone(), Arc::new(forecast.clone()));
        self.note_forecast(&forecast.project);
    }

    /// Returns the project whose forecast is outdated for longest, among those with open tasks: something of it or of the agents
    /// has changed since and it is a `period` old, or it is twelve periods old and the project has a deadline.
    #[must_use]
    pub fn outdated_forecast(&self, now: Moment, period: Span) -> Option<&Name> {
        let outdated = self.projects.iter().filter_map(|(name, project)| {
            if project.open() == 0 {
                return None;
            }
            let Some(known) = self.forecasts.get(name) else { return Some((Moment(i64::MIN), name)) };
            let changed = known.seen < project.changed || known.seen < self.agents_changed;
            let age = now.since(known.at);
            let aged = project.spec.deadline.is_some() && age.0 / AGED_PERIODS >= period.0;
            ((changed && age >= period) || aged).then_some((known.at, name))
        });
        outdated.min().map(|(_, name)| name)
    }
}

impl ForecastSource {
    /// Gathers what the forecast looks at. It goes through every task, so it is no work for the writer.
    #[must_use]
    pub fn gather(&self) -> ForecastView {
        let (mut chosen, left_out) = self.chosen();
        chosen.sort_unstable_by_key(|&(key, ..)| key);
        let mut gathering = Gathering::new(self, &chosen);
        let tasks = chosen.iter().map(|&(_, id, role)| gathering.task(&self.tasks[id], role));
        let mut tasks: Vec<ForecastTask> = tasks.collect();
        let Seating { pools, takers, pool_of } = self.seating(&gathering.sorts);
        for (task, &(_, id, _)) in tasks.iter_mut().zip(&chosen) {
            let owner = self.tasks[id].owner.as_ref();
            task.owner = owner.and_then(|owner| pool_of.get(&owner.agent).copied());
        }
        let own = self.tasks.iter().filter(|task| task.is_open() && self.is_own(task));
        let dead = |on: TaskId| matches!(self.tasks[on].state(), TaskState::Failed | TaskState::Cancelled);
        let stuck =
            |task: &&Task| task.owner.is_none() && (!task.awaits().is_empty() || task.gates().any(dead));
        ForecastView {
            project: self.project.clone(),
            seen: self.seen,
            at: self.at,
            deadline: self.deadline,
            helpers: self.helpers(&tasks, &pool_of),
            open: u32::try_from(own.clone().count()).unwrap_or(u32::MAX),
            stuck: u32::try_from(own.filter(stuck).count()).unwrap_or(u32::MAX),
            tasks,
            pools,
            takers,
            efforts: gathering.efforts,
            left_out,
        }
    }

    fn is_own(&self, task: &Task) -> bool {
        task.spec.project.as_ref() == Some(&self.project)
    }

    /// Returns what is looked at one by one, and how much of the project is not.
    #[expect(
        clippy::type_complexity,
        reason = "the places of tasks, with what they have to do with the project"
    )]
    fn chosen(&self) -> (Vec<(QueueKey, TaskId, ForecastRole)>, (u32, Span)) {
        let mut own: Vec<(QueueKey, TaskId)> = Vec::new();
        let mut others: Vec<(QueueKey, TaskId)> = Vec::new();
        let mut busy: Vec<(QueueKey, TaskId)> = Vec::new();
        for task in self.tasks.iter().filter(|task| task.is_open()) {
            let key = (task.queue_key(), task.id);
            if self.is_own(task) {
                own.push(key);
            } else if task.owner.is_some() {
                busy.push(key);
            } else if task.state() == TaskState::Ready {
                others.push(key);
                // So that what is kept of them stays small.
                if others.len() >= 2 * OTHERS_MAX {
                    others.select_nth_unstable(OTHERS_MAX);
                    others.truncate(OTHERS_MAX);
                }
            }
        }
        own.sort_unstable();
        let out = own.split_off(own.len().min(TASKS_MAX));
        let beyond = out.iter().map(|&(_, id)| self.tasks[id].estimate.0).sum();
        let left_out = (u32::try_from(out.len()).unwrap_or(u32::MAX), Span(beyond));
        let mut roles: BTreeMap<TaskId, ForecastRole> =
            own.iter().map(|&(_, id)| (id, ForecastRole::Own)).collect();
        let mut next: Vec<TaskId> = own.iter().map(|&(_, id)| id).collect();
        while let Some(id) = next.pop() {
            for on in
                self.tasks[id].gates().filter(|&on| self.tasks[on].is_open() && !self.is_own(&self.tasks[on]))
            {
                if roles.len() < 2 * TASKS_MAX && !roles.contains_key(&on) {
                    roles.insert(on, ForecastRole::Gate);
                    next.push(on);
                }
            }
        }
        others.sort_unstable();
        others.truncate(OTHERS_MAX);
        for (_, id) in busy.into_iter().chain(others) {
            roles.entry(id).or_insert(ForecastRole::Other);
        }
        let chosen = roles.into_iter().map(|(id, role)| (self.tasks[id].queue_key(), id, role));
        (chosen.collect(), left_out)
    }

    /// Groups the agents by which sorts of tasks they can take.
    fn seating(&self, sorts: &BTreeMap<Sort, u32>) -> Seating {
        let mut abilities: Vec<Vec<bool>> = vec![vec![false; sorts.len()]; self.agents.len()];
        for (sort, &place) in sorts {
            let place = place as usize;
            let able =
                |seat: &Seat, requires: bool| sort.admits(seat) && (!requires || self.scores(sort, seat));
            let anybody = self.agents.iter().any(|seat| able(seat, true));
            for (seat, abilities) in self.agents.iter().zip(&mut abilities) {
                abilities[place] = able(seat, anybody || !sort.soft);
            }
        }
        let mut groups: BTreeMap<&[bool], u32> = BTreeMap::new();
        let mut seating =
            Seating { pools: Vec::new(), takers: vec![Vec::new(); sorts.len()], pool_of: BTreeMap::new() };
        let mut versatile: Vec<(usize, u32)> = Vec::new();
        for (seat, abilities) in self.agents.iter().zip(&abilities) {
            let next = u32::try_from(seating.pools.len()).unwrap_or(u32::MAX);
            let pool = *groups.entry(abilities).or_insert(next);
            if pool == next {
                seating.pools.push(0);
                versatile.push((abilities.iter().filter(|able| **able).count(), pool));
            }
            seating.pools[pool as usize] = seating.pools[pool as usize].saturating_add(seat.slots);
            seating.pool_of.insert(seat.id, pool);
        }
        versatile.sort_unstable();
        let abilities: BTreeMap<u32, &[bool]> = groups.into_iter().map(|(able, pool)| (pool, able)).collect();
        for (_, pool) in versatile {
            for (takers, _) in seating.takers.iter_mut().zip(abilities[&pool]).filter(|(_, able)| **able) {
                if seating.pools[pool as usize] > 0 {
                    takers.push(pool);
                }
            }
        }
        seating
    }

    /// Tells whether an idle agent without a record would be above the threshold for such tasks.
    fn scores(&self, sort: &Sort, seat: &Seat) -> bool {
        let score = |name: &Name| {
            let known = seat.spec.capabilities.iter().find(|(own, _)| own == name);
            known.map_or(Ratio::ZERO, |&(_, score)| score)
        };
        if sort.requires.iter().any(|(name, _, minimum)| score(name) < *minimum) {
            return false;
        }
        let weights: u64 = sort.requires.iter().map(|&(_, weight, _)| u64::from(weight)).sum();
        let sum = sort
            .requires
            .iter()
            .map(|(name, weight, _)| u64::from(*weight) * u64::from(score(name).as_micros()));
        let unit = u64::from(Ratio::UNIT);
        let capability =
            sum.sum::<u64>().checked_div(weights).map_or(Ratio::ONE, |mean| Ratio::of(mean, unit));
        let Policy { weights, performance_default, cohesion_default, threshold, .. } = &self.policy;
        let parts = [
            weights.capability.times(capability),
            weights.workload,
            weights.performance.times(*performance_default),
            weights.cohesion.times(*cohesion_default),
        ];
        parts.iter().map(|part| part.as_micros()).sum::<u32>() > threshold.as_micros()
    }

    /// Returns the capabilities that the project's open tasks need most hours of, with the pool of the best in each.
    fn helpers(&self, tasks: &[ForecastTask], pool_of: &BTreeMap<AgentId, u32>) -> Vec<(Name, u32)> {
        let mut hours: BTreeMap<Name, i64> = BTreeMap::new();
        for task in tasks.iter().filter(|task| task.role == ForecastRole::Own) {
            let (requires, _) = requires(&self.tasks[task.task]);
            for (name, ..) in requires {
                *hours.entry(name).or_default() += task.estimate.0;
            }
        }
        let mut most: Vec<(i64, Name)> = hours.into_iter().map(|(name, hours)| (-hours, name)).collect();
        most.sort();
        let best = |name: Name| {
            let having = self.agents.iter().filter(|seat| seat.slots > 0).filter_map(|seat| {
                let known = seat.spec.capabilities.iter().find(|(own, _)| *own == name)?;
                Some((known.1, std::cmp::Reverse(seat.id)))
            });
            let (_, std::cmp::Reverse(best)) = having.max()?;
            Some((name, *pool_of.get(&best)?))
        };
        most.into_iter().filter_map(|(_, name)| best(name)).take(HELPERS_MAX).collect()
    }
}

/// The agents in groups.
struct Seating {
    pools: Vec<u32>,
    takers: Vec<Vec<u32>>,
    pool_of: BTreeMap<AgentId, u32>,
}

/// What is interned while tasks are gathered.
struct Gathering<'a> {
    source: &'a ForecastSource,
    places: BTreeMap<TaskId, u32>,
    sorts: BTreeMap<Sort, u32>,
    kinds: BTreeMap<(Name, u8), u32>,
    efforts: Vec<Arc<[u32]>>,
}

impl<'a> Gathering<'a> {
    fn new(source: &'a ForecastSource, chosen: &[(QueueKey, TaskId, ForecastRole)]) -> Self {
        let places = chosen.iter().zip(0..).map(|(&(_, id, _), place)| (id, place)).collect();
        Self { source, places, sorts: BTreeMap::new(), kinds: BTreeMap::new(), efforts: Vec::new() }
    }

    fn task(&mut self, task: &Task, role: ForecastRole) -> ForecastTask {
        let owner = task.owner.as_ref();
        let at = self.source.at;
        let gates: BTreeSet<u32> = match (role, owner) {
            (ForecastRole::Other, _) | (_, Some(_)) => BTreeSet::new(),
            _ => task.gates().filter_map(|on| self.places.get(&on).copied()).collect(),
        };
        ForecastTask {
            task: task.id,
            role,
            estimate: task.estimate,
            percent: owner.map_or(0, |owner| owner.percent),
            elapsed: owner.and_then(|owner| owner.started_at).map_or(Span(0), |started| at.since(started)),
            effort: self.effort(&task.spec),
            takers: self.sort(task),
            owner: None,
            aside: task.deferred_until.map_or(Span(0), |until| until.since(at)),
            gates: gates.into_iter().collect(),
            watched: task.priority == Priority::Critical
                && task.spec.deadline.is_some()
                && role == ForecastRole::Own,
        }
    }

    fn effort(&mut self, spec: &TaskSpec) -> u32 {
        let key = (spec.kind.clone(), spec.complexity_or_middle());
        let next = u32::try_from(self.efforts.len()).unwrap_or(u32::MAX);
        if let Some(&known) = self.kinds.get(&key) {
            return known;
        }
        self.efforts.push(self.source.learning.factors(&key.0, key.1).into());
        self.kinds.insert(key, next);
        next
    }

    fn sort(&mut self, task: &Task) -> u32 {
        let spec = &task.spec;
        let (requires, soft) = requires(task);
        let mut sort = Sort {
            requires,
            soft,
            role: spec.role.clone(),
            agent: spec.agent.clone(),
            exclude: spec.exclude.clone(),
        };
        if self.sorts.len() >= SORTS_MAX && !self.sorts.contains_key(&sort) {
            sort = Sort { requires: Vec::new(), soft: false, role: None, agent: None, exclude: Vec::new() };
        }
        let next = u32::try_from(self.sorts.len()).unwrap_or(u32::MAX);
        *self.sorts.entry(sort).or_insert(next)
    }
}

impl Sort {
    fn admits(&self, seat: &Seat) -> bool {
        let spec = &seat.spec;
        self.role.as_ref().is_none_or(|role| *role == spec.role)
            && self.agent.as_ref().is_none_or(|agent| *agent == spec.name)
            && !self.exclude.contains(&spec.name)
    }
}

/// Returns what a task requires, and whether that was only read out of its text.
fn requires(task: &Task) -> (Vec<(Name, u32, Ratio)>, bool) {
    let declared = |it: &Require| (it.capability.clone(), it.weight, it.minimum);
    let mut requires: Vec<_> = task.spec.requires.iter().map(declared).collect();
    let soft = requires.is_empty();
    if let Some(analysis) = task.analysis.as_ref().filter(|_| soft) {
        requires =
            analysis.requires.iter().map(|it| (it.capability.clone(), it.weight, Ratio::ZERO)).collect();
    }
    requires.sort_unstable();
    (requires, soft)
}

impl Learning {
    /// Returns what tasks of a type and complexity have taken beside their median, in thousandths, at most
    /// [`limits::OUTCOMES_MAX`] of them.
    fn factors(&self, kind: &Name, complexity: u8) -> Vec<u32> {
        let (efforts, median) = self.seen(kind, complexity);
        let factor = |effort: &Span| {
            let thousandths = i128::from(effort.0) * 1_000 / i128::from(median.0.max(1));
            u32::try_from(thousandths.clamp(1, 100_000)).unwrap_or(1_000)
        };
        efforts.iter().take(limits::OUTCOMES_MAX).map(factor).collect()
    }
}
