//! What a delay costs, set against how long the work takes (SEMANTICS 7, `EVALUATE_BUSINESS_IMPACT`): weighted shortest job first.
//!
//! ```text
//! WSJF = (business value + time criticality + enablement) / hours
//! business value    the mean of what is said about the priority: critical 13, high 8, medium 5, low 2
//! time criticality  13 * estimate / (estimate + slack); nothing without a deadline
//! enablement        a point for each open task that transitively waits for it, at most 13
//! ```
//! All of it in hundredths of a point.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use kapell_model::{Moment, Priority, Span, TaskId, limits};
use serde::{Deserialize, Serialize};

use crate::mutation::mutated;
use crate::state::State;
use crate::task::Task;

/// The most that one part of the cost of delay can be.
const POINTS_MAX: u64 = 1_300;
/// What is shorter counts as this.
const DURATION_LEAST: Span = Span::minutes(6);
const HOUR: u64 = Span::hours(1).0.unsigned_abs();

/// A number in hundredths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hundredths(pub u64);

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// Returns the points of a priority.
fn points(priority: Priority) -> u64 {
    match priority {
        Priority::Critical => POINTS_MAX,
        Priority::High => 800,
        Priority::Medium => 500,
        Priority::Low => 200,
    }
}

/// Returns points an hour.
fn hourly(points: u64, duration: Span) -> Hundredths {
    Hundredths(points * HOUR / duration.max(DURATION_LEAST).0.unsigned_abs())
}

/// What the delay of one task costs, with every number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impact {
    /// Which.
    pub task: TaskId,
    /// Business value.
    pub value: Hundredths,
    /// Time criticality.
    pub criticality: Hundredths,
    /// Risk and enablement.
    pub enablement: Hundredths,
    /// Open tasks that transitively wait for it; they are counted up to [`limits::ENABLED_TASKS_MAX`].
    pub waiting: u32,
    /// How much time there is before it must start; nothing without a deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<Span>,
    /// How long it is expected to take.
    pub duration: Span,
    /// Cost of delay divided by duration, an hour.
    pub wsjf: Hundredths,
}

impl Impact {
    /// Returns the cost of delay.
    #[must_use]
    pub fn delay(&self) -> Hundredths {
        Hundredths(self.value.0 + self.criticality.0 + self.enablement.0)
    }

    /// Tells whether the result is what the parts amount to.
    pub(crate) fn adds_up(&self) -> bool {
        self.wsjf == hourly(self.delay().0, self.duration)
    }

    /// Says in words how it was worked out.
    #[must_use]
    pub fn text(&self) -> String {
        let slack = self.slack.map_or_else(|| "no deadline".to_owned(), |slack| format!("slack {slack}"));
        format!(
            "{} WSJF {} = (value {} + time criticality {} ({slack}) + enablement {} ({} wait)) / {}",
            self.task, self.wsjf, self.value, self.criticality, self.enablement, self.waiting, self.duration
        )
    }
}

/// Returns what a priority asks for: the WSJF of a task that takes the typical time, with nothing but that priority.
#[must_use]
pub fn asked_by(priority: Priority, typical: Span) -> Hundredths {
    hourly(points(priority), typical)
}

/// Returns the most urgent of the priorities that `wsjf` earns; where it earns none, the least urgent of them.
pub(crate) fn earned(levels: &BTreeSet<Priority>, wsjf: Hundredths, typical: Span) -> Option<Priority> {
    let earned = levels.iter().find(|&&level| wsjf >= asked_by(level, typical));
    earned.or(levels.last()).copied()
}

impl State {
    /// Works out what the delay of a task costs at `now`, where `said` is what is said about its priority.
    pub(crate) fn impact(&self, task: &Task, said: &[Priority], now: Moment) -> Impact {
        let count = said.len().max(1) as u64;
        let sum: u64 = said.iter().map(|&priority| points(priority)).sum();
        let value = (sum + count / 2) / count;
        let estimate = task.estimate.max(DURATION_LEAST).0.unsigned_abs();
        let slack = task.must_start_by().map(|start| start.since(now));
        let criticality =
            slack.map_or(0, |slack| POINTS_MAX * estimate / estimate.saturating_add(slack.0.unsigned_abs()));
        let waiting = self.waiting_for(task.id);
        let enablement = (u64::from(waiting) * 100).min(POINTS_MAX);
        let delay = value + criticality + enablement;
        Impact {
            task: task.id,
            value: Hundredths(value),
            criticality: Hundredths(criticality),
            enablement: Hundredths(enablement),
            waiting,
            slack,
            duration: task.estimate,
            wsjf: hourly(delay, task.estimate),
        }
    }

    /// Counts the open tasks that transitively wait for one, up to a bound.
    fn waiting_for(&self, id: TaskId) -> u32 {
        let (mut seen, mut next) = (BTreeSet::new(), VecDeque::from([id]));
        while let Some(id) = next.pop_front() {
            for &dependent in &self.tasks[id].dependents {
                if seen.len() == limits::ENABLED_TASKS_MAX {
                    break;
                }
                if self.tasks[dependent].is_open() && seen.insert(dependent) {
                    next.push_back(dependent);
                }
            }
        }
        u32::try_from(seen.len()).unwrap_or(u32::MAX)
    }

    /// Puts tasks into the order of their impact, the largest first; of equal ones the one whose turn comes first.
    pub(crate) fn by_impact(&self, mut impacts: Vec<Impact>) -> Vec<Impact> {
        impacts.sort_by_key(|impact| {
            let key = self.tasks[impact.task].queue_key();
            (Reverse(impact.wsjf), key)
        });
        if mutated!(ImpactTurnedRound) {
            impacts.reverse();
        }
        impacts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_earned_by_what_it_asks_for() {
        let typical = Span::hours(4);
        let levels = BTreeSet::from([Priority::Critical, Priority::High, Priority::Low]);
        let asked = [325, 200, 125, 50];
        for (priority, asked) in Priority::ALL.iter().zip(asked) {
            assert_eq!(asked_by(*priority, typical), Hundredths(asked), "{priority}");
        }
        for (wsjf, level) in [
            (326, Priority::Critical),
            (325, Priority::Critical),
            (324, Priority::High),
            (199, Priority::Low),
            (1, Priority::Low),
        ] {
            assert_eq!(earned(&levels, Hundredths(wsjf), typical), Some(level), "{wsjf}");
        }
        assert_eq!(earned(&BTreeSet::new(), Hundredths(1), typical), None);
        assert_eq!(Hundredths(1_205).to_string(), "12.05");
        // Six minutes at the least.
        assert_eq!(hourly(100, Span(1)), Hundredths(1_000));
    }
}
