//! What a fleet has done, in sums and windows of bounded size (SEMANTICS 8 and 13).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kapell_model::{AgentId, Moment, Name, Position, Priority, Ratio, Span, Text, limits};
use serde::{Deserialize, Serialize};

use crate::bottleneck::{Measure, RecentWaits, WaitTimes};
use crate::effort::Efforts;
use crate::impact::Hundredths;

const HOUR: i64 = Span::hours(1).0;
/// Hours of the window that rates are taken over.
const WINDOW_HOURS: i64 = 24;
/// Worse is what is above so many hundredths of what it was.
const WORSE_PERCENT: i128 = 125;
/// Tasks, and attempts, without which a window says nothing.
const WINDOW_LEAST: usize = 10;
/// Failed attempts without which nothing is said about errors.
const FAILED_LEAST: i128 = 3;

/// What happened within one hour, or some.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Tasks that were submitted.
    pub submitted: u32,
    /// Tasks that were completed, by their owner's report or by an accepted late result.
    pub completed: u32,
    /// Attempts that their owner completed.
    pub succeeded: u32,
    /// Attempts that failed.
    pub failed: u32,
    /// What those that succeeded have taken from start to report.
    pub effort: Span,
    /// From submission to completion of those that succeeded.
    pub lead: Span,
    /// The sum of min(1, estimate / actual) of those that succeeded, in millionths.
    pub efficiency_micros: u64,
    /// Messages that were sent; one to many counts once, and a digest does not count beside what is in it.
    pub messages: u32,
    /// Tasks that went over in a handoff.
    pub handoffs: u32,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.submitted += other.submitted;
        self.completed += other.completed;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.effort.0 = self.effort.0.saturating_add(other.effort.0);
        self.lead.0 = self.lead.0.saturating_add(other.lead.0);
        self.efficiency_micros += other.efficiency_micros;
        self.messages += other.messages;
        self.handoffs += other.handoffs;
    }

    /// Returns so many by the tasks that were completed, in hundredths.
    #[must_use]
    pub fn by_task(&self, count: u32) -> Option<Hundredths> {
        let completed = u64::from(self.completed);
        (completed > 0).then(|| Hundredths((u64::from(count) * 100 + completed / 2) / completed))
    }

    /// Returns the attempts that ended.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.succeeded + self.failed
    }

    /// Returns the mean of what an attempt that succeeded has taken.
    #[must_use]
    pub fn effort_mean(&self) -> Option<Span> {
        (self.succeeded > 0).then(|| Span(self.effort.0 / i64::from(self.succeeded)))
    }

    /// Returns the mean time from submission to completion.
    #[must_use]
    pub fn lead_mean(&self) -> Option<Span> {
        (self.succeeded > 0).then(|| Span(self.lead.0 / i64::from(self.succeeded)))
    }

    /// Returns the mean of min(1, estimate / actual).
    #[must_use]
    pub fn efficiency(&self) -> Option<Ratio> {
        let of = || Ratio::of(self.efficiency_micros, u64::from(self.succeeded) * u64::from(Ratio::UNIT));
        (self.succeeded > 0).then(of)
    }
}

/// Completion times of one type: sums over all, percentiles over the last 50.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completions {
    count: u64,
    sum: Span,
    recent: Efforts,
}

impl Completions {
    /// Returns how many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns their mean.
    #[must_use]
    pub fn mean(&self) -> Option<Span> {
        let count = i64::try_from(self.count).ok().filter(|&count| count > 0)?;
        Some(Span(self.sum.0 / count))
    }

    /// Returns what `percent` of the last 50 did not exceed (nearest rank).
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Option<Span> {
        self.recent.percentile(percent)
    }
}

/// The last waits of one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Waits {
    recent: Efforts,
    last: Position,
}

/// Hours since 1970 in which anything happened, oldest first: two days of them at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Hours(VecDeque<(i64, Tally)>);

impl Hours {
    /// Returns what happened in the 24 hours up to `now`, or the 24 before those.
    fn day(&self, now: Moment, before: bool) -> Tally {
        let last = now.0.div_euclid(HOUR) - if before { WINDOW_HOURS } else { 0 };
        self.sum(last - WINDOW_HOURS + 1, last)
    }

    fn sum(&self, first: i64, last: i64) -> Tally {
        let mut sum = Tally::default();
        for (_, tally) in self.0.iter().filter(|(hour, _)| (first..=last).contains(hour)) {
            sum.add(tally);
        }
        sum
    }

    fn last(&self) -> i64 {
        self.0.back().map_or(i64::MIN, |(hour, _)| *hour)
    }

    fn at(&mut self, at: Moment) -> &mut Tally {
        let hour = at.0.div_euclid(HOUR);
        if self.last() < hour {
            if self.0.len() == limits::METRIC_HOURS_MAX {
                self.0.pop_front();
            }
            self.0.push_back((hour, Tally::default()));
        }
        &mut self.0.back_mut().expect("one was just made").1
    }
}

/// What a fleet has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    hours: Hours,
    /// The attempts of each agent.
    agents: BTreeMap<AgentId, Hours>,
    /// The same agents by the hour of their last.
    attempted: BTreeSet<(i64, AgentId)>,
    kinds: BTreeMap<Name, Completions>,
    other_kinds: Completions,
    /// Waits by the class's fingerprint.
    waits: BTreeMap<u64, Waits>,
    /// The same classes by when one of them was placed last.
    placed: BTreeMap<Position, u64>,
    /// The last 50 times from submission to completion, and the 50 before those.
    #[serde(default)]
    leads: Efforts,
    #[serde(default)]
    leads_before: Efforts,
    /// When the last of them was.
    led: Option<Moment>,
    /// The last waits for what was held, by resource.
    #[serde(default)]
    resources: BTreeMap<Text, RecentWaits>,
    /// The last waits in the queue, by the priority with which the task left it.
    #[serde(default)]
    queue: BTreeMap<Priority, RecentWaits>,
}

impl Metrics {
    /// Returns what happened in the 24 hours up to `now`, counted in whole hours with the present one as the last.
    #[must_use]
    pub fn last_day(&self, now: Moment) -> Tally {
        self.hours.day(now, false)
    }

    /// Returns what happened in the 24 hours before those of [`Metrics::last_day`].
    #[must_use]
    pub fn day_before(&self, now: Moment) -> Tally {
        self.hours.day(now, true)
    }

    /// Returns how the attempts of an agent went in the hours of [`Metrics::last_day`], and in those of [`Metrics::day_before`].
    #[must_use]
    pub fn of_agent(&self, agent: AgentId, now: Moment) -> [Tally; 2] {
        let hours = self.agents.get(&agent);
        [false, true].map(|before| hours.map_or_else(Tally::default, |hours| hours.day(now, before)))
    }

    /// Returns what happened since midnight, UTC.
    #[must_use]
    pub fn today(&self, now: Moment) -> Tally {
        let last = now.0.div_euclid(HOUR);
        self.hours.sum(last.div_euclid(24) * 24, last)
    }

    /// Returns what happened in each of the 24 hours up to `now`, oldest first.
    #[must_use]
    pub fn by_hour(&self, now: Moment) -> Vec<Tally> {
        let last = now.0.div_euclid(HOUR);
        (last - WINDOW_HOURS + 1..=last).map(|hour| self.hours.sum(hour, hour)).collect()
    }

    /// Visits the completion times by type, those of types beyond the bound last and without a name.
    pub fn completions(&self) -> impl Iterator<Item = (Option<&Name>, &Completions)> {
        let others = Some((None, &self.other_kinds)).filter(|(_, others)| others.count > 0);
        self.kinds.iter().map(|(name, completions)| (Some(name), completions)).chain(others)
    }

    /// Returns the median of the last 50 waits of a class; nothing where none is remembered.
    pub(crate) fn expected_wait(&self, class: u64) -> Option<Span> {
        self.waits.get(&class)?.recent.percentile(50)
    }

    /// Returns the lead times that half of the last 50 completed tasks did not exceed, and that nine of ten did not.
    pub(crate) fn lead(&self) -> Option<(Span, Span)> {
        Some((self.leads.percentile(50)?, self.leads.percentile(90)?))
    }

    /// Visits the resources that were waited for within a day, with what was measured.
    pub(crate) fn resources(&self, now: Moment) -> impl Iterator<Item = (&Text, Measure)> {
        self.resources.iter().filter_map(move |(resource, waits)| Some((resource, waits.measured(now)?)))
    }

    /// Returns the last waits for a resource.
    pub(crate) fn resource(&self, resource: &Text) -> Option<&RecentWaits> {
        self.resources.get(resource)
    }

    /// Returns how long tasks have waited in the queue that got an owner within 24 hours, the last 50 of each priority, the most
    /// urgent first.
    #[must_use]
    pub fn queue_waits(&self, now: Moment) -> Vec<(Priority, WaitTimes)> {
        self.queue.iter().filter_map(|(&priority, waits)| Some((priority, waits.times(now)?))).collect()
    }

    /// Returns how long resources were waited for, the last 50 waits of each that were over within 24 hours, the slowest first.
    #[must_use]
    pub fn resource_waits(&self, now: Moment) -> Vec<(&Text, WaitTimes)> {
        let all = self.resources.iter().filter_map(|(resource, waits)| Some((resource, waits.times(now)?)));
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(_, times)| std::cmp::Reverse((times.p90, times.longest)));
        all
    }

    /// Notes how long somebody has waited for a resource, and what the task is estimated at for the sake of which.
    pub(crate) fn waited_for(&mut self, resource: Text, wait: Span, estimate: Option<Span>, at: Moment) {
        let full = self.resources.len() >= limits::METRIC_RESOURCES_MAX;
        if full && !self.resources.contains_key(&resource) {
            let longest_ago = self.resources.iter().min_by_key(|(_, waits)| waits.last());
            if let Some(longest_ago) = longest_ago.map(|(resource, _)| resource.clone()) {
                self.resources.remove(&longest_ago);
            }
        }
        self.resources.entry(resource).or_default().push(wait, estimate, at);
    }

    /// Says in words what is worse by a quarter than in the window before: the median lead time of the last 50 completed tasks
    /// beside that of the 50 before, and the error rate of the last 24 hours beside that of the day before.
    pub(crate) fn worse(&self, now: Moment) -> Vec<String> {
        let mut worse = Vec::new();
        let recent = self.led.is_some_and(|at| now.since(at) <= Span::hours(WINDOW_HOURS));
        let medians = (self.leads.percentile(50).filter(|_| recent), self.leads_before.percentile(50));
        if let (Some(lead), Some(before)) = medians
            && self.leads_before.len() >= WINDOW_LEAST
            && i128::from(lead.0) * 100 > i128::from(before.0) * WORSE_PERCENT
        {
            worse.push(format!("the median lead time is {lead}, {before} in the window before"));
        }
        let (day, before) = (self.last_day(now), self.day_before(now));
        let (failed, attempts) = (i128::from(day.failed), i128::from(day.attempts()));
        let (failed_before, attempts_before) = (i128::from(before.failed), i128::from(before.attempts()));
        let enough = attempts.min(attempts_before) >= WINDOW_LEAST as i128 && failed >= FAILED_LEAST;
        if enough && failed * attempts_before * 100 > failed_before * attempts * WORSE_PERCENT {
            worse.push(format!(
                "{failed} of {attempts} attempts failed in 24 hours, {failed_before} of {attempts_before} the day before"
            ));
        }
        worse
    }

    /// Returns what an agent does in the hour of `at`; beyond the bound the one goes whose last attempt is longest past.
    fn agent(&mut self, agent: AgentId, at: Moment) -> &mut Tally {
        let (hour, last) = (at.0.div_euclid(HOUR), self.agents.get(&agent).map(Hours::last));
        if last.is_none()
            && self.agents.len() >= limits::METRIC_AGENTS_MAX
            && let Some((_, longest_ago)) = self.attempted.pop_first()
        {
            self.agents.remove(&longest_ago);
        }
        if last.is_none_or(|last| last < hour) {
            last.map(|last| self.attempted.remove(&(last, agent)));
            self.attempted.insert((hour, agent));
        }
        self.agents.entry(agent).or_default().at(at)
    }

    pub(crate) fn submitted(&mut self, at: Moment) {
        self.hours.at(at).submitted += 1;
    }

    pub(crate) fn completed(&mut self, at: Moment) {
        self.hours.at(at).completed += 1;
    }

    pub(crate) fn failed(&mut self, at: Moment, agent: AgentId) {
        self.hours.at(at).failed += 1;
        self.agent(agent, at).failed += 1;
    }

    pub(crate) fn messaged(&mut self, at: Moment) {
        self.hours.at(at).messages += 1;
    }

    pub(crate) fn handed_over(&mut self, at: Moment) {
        self.hours.at(at).handoffs += 1;
    }

    /// Notes an attempt that its owner completed.
    pub(crate) fn succeeded(
        &mut self,
        at: Moment,
        agent: AgentId,
        kind: &Name,
        (effort, lead): (Span, Span),
        efficiency: Ratio,
    ) {
        let efficiency_micros = u64::from(efficiency.as_micros());
        let one = Tally { succeeded: 1, effort, lead, efficiency_micros, ..Tally::default() };
        self.hours.at(at).add(&one);
        self.agent(agent, at).add(&one);
        let known = self.kinds.contains_key(kind) || self.kinds.len() < limits::METRIC_KINDS_MAX;
        let completions =
            if known { self.kinds.entry(kind.clone()).or_default() } else { &mut self.other_kinds };
        completions.count += 1;
        completions.sum.0 = completions.sum.0.saturating_add(effort.0);
        completions.recent.push(effort);
        self.led = Some(at);
        if let Some(left) = self.leads.push(lead) {
            self.leads_before.push(left);
        }
    }

    /// Notes how long a task of a class has waited in the queue.
    pub(crate) fn waited(
        &mut self,
        (position, at): (Position, Moment),
        class: u64,
        priority: Priority,
        wait: Span,
    ) {
        self.queue.entry(priority).or_default().push(wait, None, at);
        if let Some(waits) = self.waits.get_mut(&class) {
            self.placed.remove(&waits.last);
            waits.last = position;
            waits.recent.push(wait);
        } else {
            if self.waits.len() == limits::METRIC_CLASSES_MAX
                && let Some((_, longest_ago)) = self.placed.pop_first()
            {
                self.waits.remove(&longest_ago);
            }
            let mut recent = Efforts::default();
            recent.push(wait);
            self.waits.insert(class, Waits { recent, last: position });
        }
        self.placed.insert(position, class);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_midnight_and_a_window_after_24_hours() {
        let mut metrics = Metrics::default();
        let day = 20_000 * 24 * HOUR;
        for hour in [-30, -20, -1, 0, 3] {
            metrics.completed(Moment(day + hour * HOUR + 5));
        }
        let now = Moment(day + 3 * HOUR + 10);
        assert_eq!(metrics.today(now).completed, 2);
        assert_eq!(metrics.last_day(now).completed, 4);
        assert_eq!(metrics.day_before(now).completed, 1);
        let by_hour: Vec<u32> = metrics.by_hour(now).iter().map(|tally| tally.completed).collect();
        assert_eq!((by_hour.len(), by_hour[0], by_hour[23]), (24, 1, 1));
        assert_eq!(metrics.last_day(Moment(day + 27 * HOUR)).completed, 0);
        for hour in 4..200 {
            metrics.completed(Moment(day + hour * HOUR));
        }
        assert_eq!(metrics.hours.0.len(), limits::METRIC_HOURS_MAX);
    }

    #[test]
    fn the_agent_whose_last_attempt_is_longest_past_is_forgotten() {
        let mut metrics = Metrics::default();
        let agents = u32::try_from(limits::METRIC_AGENTS_MAX).expect("few");
        let at = |hour: u32| Moment(i64::from(hour) * HOUR / 100);
        for agent in 0..agents {
            metrics.failed(at(agent), AgentId(agent));
        }
        metrics.failed(at(agents), AgentId(0));
        metrics.failed(at(agents + 1), AgentId(agents));
        let failed = |agent: u32| metrics.of_agent(AgentId(agent), at(agents + 1))[0].failed;
        assert_eq!((failed(0), failed(agents), failed(agents - 1)), (2, 1, 1));
        assert_eq!(metrics.agents.len(), limits::METRIC_AGENTS_MAX);
        assert_eq!(metrics.attempted.len(), limits::METRIC_AGENTS_MAX);
        assert!(!metrics.agents.contains_key(&AgentId(1)));
    }

    #[test]
    fn by_task_as_worked_out_by_hand() {
        let tally = Tally { completed: 3, ..Tally::default() };
        assert_eq!(tally.by_task(2), Some(Hundredths(67)));
        assert_eq!(Tally::default().by_task(2), None);
    }

    #[test]
    fn the_class_of_which_none_was_placed_for_longest_is_forgotten() {
        let mut metrics = Metrics::default();
        let classes = limits::METRIC_CLASSES_MAX as u64;
        for class in 0..classes {
            metrics.waited((Position(class + 1), Moment(0)), class, Priority::Low, Span(10));
        }
        metrics.waited((Position(classes + 1), Moment(0)), 0, Priority::Low, Span(30));
        metrics.waited((Position(classes + 2), Moment(0)), classes, Priority::Low, Span(20));
        assert_eq!(metrics.expected_wait(0), Some(Span(10)));
        assert_eq!(metrics.expected_wait(1), None);
        assert_eq!(metrics.expected_wait(classes), Some(Span(20)));
        assert_eq!(
            (metrics.waits.len(), metrics.placed.len()),
            (limits::METRIC_CLASSES_MAX, limits::METRIC_CLASSES_MAX)
        );
    }
}
