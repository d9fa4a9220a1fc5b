//! Balancing: its constants, what it looks at, and the load of an agent (SEMANTICS 5).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::agent_view::AgentView;
use crate::class::Class;
use crate::id::{AgentId, ClassId, Position, TaskId};
use crate::moment::Span;
use crate::policy::PolicyError;
use crate::ratio::Ratio;

/// The constants of balancing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balancing {
    /// How often the load is looked at, where anything has changed. Default 60 s.
    pub period: Span,
    /// Overloaded is whose utilization is above this many times the average, in millionths; 1 to 10. Default 1.5.
    pub overload: u32,
    /// And is at least this. Default 0.5.
    pub overload_min: Ratio,
    /// Underloaded is whose utilization is below this share of the average. Default 0.5.
    pub underload: Ratio,
    /// Percent done up to which started work may still be moved, 0..=100. Default 10.
    pub progress_max: u8,
    /// How long a task that was moved stays where it is. Default 10 min.
    pub cooling: Span,
    /// How often a task may be moved, 0..=100; with 0 nothing is balanced. Default 2.
    pub moves_max: u32,
    /// The capability match that a recipient must exceed, strictly. Default 0.7.
    pub match_min: Ratio,
}

impl Default for Balancing {
    fn default() -> Self {
        Self {
            period: Span::seconds(60),
            overload: 1_500_000,
            overload_min: Ratio::micros(500_000),
            underload: Ratio::micros(500_000),
            progress_max: 10,
            cooling: Span::minutes(10),
            moves_max: 2,
            match_min: Ratio::micros(700_000),
        }
    }
}

/// The largest factor of overload, in millionths: beyond it nobody is ever overloaded.
const OVERLOAD_MAX: u32 = 10 * Ratio::UNIT;

impl Balancing {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        if !(Ratio::UNIT..=OVERLOAD_MAX).contains(&self.overload) {
            let given = format!("{}.{:06}", self.overload / Ratio::UNIT, self.overload % Ratio::UNIT);
            return Err(PolicyError { field: "balancing.overload", given, allowed: "1 to 10" });
        }
        if self.progress_max > 100 {
            let given = self.progress_max.to_string();
            return Err(PolicyError { field: "balancing.progress_max_percent", given, allowed: "0 to 100" });
        }
        if self.moves_max > 100 {
            let given = self.moves_max.to_string();
            return Err(PolicyError { field: "balancing.max_moves", given, allowed: "0 to 100" });
        }
        Ok(())
    }

    /// Tells whether a utilization is too high beside the average.
    #[must_use]
    pub fn is_overloaded(&self, utilization: Ratio, average: Average) -> bool {
        // At most 10^6 * 10^5 * 10^6 on the left and 10^7 * 10^11 on the right: both below 2^63.
        let scaled = u64::from(utilization.as_micros()) * average.agents * u64::from(Ratio::UNIT);
        utilization >= self.overload_min && scaled > u64::from(self.overload) * average.sum
    }

    /// Tells whether a utilization is low beside the average.
    #[must_use]
    pub fn is_underloaded(&self, utilization: Ratio, average: Average) -> bool {
        let scaled = u64::from(utilization.as_micros()) * average.agents * u64::from(Ratio::UNIT);
        scaled < u64::from(self.underload.as_micros()) * average.sum
    }
}

/// The average utilization, as its sum and its count, so that nothing is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Average {
    /// The sum of utilizations, in millionths.
    pub sum: u64,
    /// Over how many agents.
    pub agents: u64,
}

impl Average {
    /// Returns the average, rounded; 0 where there are no agents.
    #[must_use]
    pub fn value(self) -> Ratio {
        if self.agents == 0 { Ratio::ZERO } else { Ratio::of(self.sum, self.agents * u64::from(Ratio::UNIT)) }
    }
}

/// What the plan of a move began with: while that still holds, what it has worked out about too much and too little does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MoveSeen {
    /// The average utilization.
    pub average: Average,
    /// Tasks and slots of the owner.
    pub from: (u32, u32),
    /// Tasks and slots of the recipient.
    pub to: (u32, u32),
}

/// Tells whether one task more at `to` makes the larger of both utilizations strictly smaller; loads are given as
/// (active, max).
#[must_use]
pub fn relieves(from: (u32, u32), to: (u32, u32)) -> bool {
    let before = u64::from(from.0) * u64::from(to.1);
    let after = (u64::from(to.0) + 1) * u64::from(from.1);
    // The donor's own falls by one task in any case.
    after < before && from.0 > 0
}

/// The utilization of every active agent, in order: who has much, who has little and what the average is are at hand.
///
/// Active is who is online and not draining: the others get nothing new, and what they have is not theirs to give.
#[derive(Clone, Debug, Default)]
pub struct Loads {
    order: BTreeSet<(Ratio, AgentId)>,
    listed: Vec<Option<Ratio>>,
    sum: u64,
    version: u64,
}

impl Loads {
    pub(crate) fn put(&mut self, id: AgentId, utilization: Option<Ratio>) {
        if self.listed.len() <= id.index() {
            self.listed.resize(id.index() + 1, None);
        }
        self.version += 1;
        let old = self.listed[id.index()];
        if old == utilization {
            return;
        }
        if let Some(old) = old {
            self.order.remove(&(old, id));
            self.sum -= u64::from(old.as_micros());
        }
        if let Some(new) = utilization {
            self.order.insert((new, id));
            self.sum += u64::from(new.as_micros());
        }
        self.listed[id.index()] = utilization;
    }

    pub(crate) fn touch(&mut self) {
        self.version += 1;
    }

    /// Returns a number that changes with everything that balancing looks at, but the passing of time.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns the average over the active agents.
    #[must_use]
    pub fn average(&self) -> Average {
        Average { sum: self.sum, agents: self.order.len() as u64 }
    }

    /// Returns the active agents, least utilized first.
    pub fn ascending(&self) -> impl DoubleEndedIterator<Item = (Ratio, AgentId)> + '_ {
        self.order.iter().copied()
    }

    /// Tells whether somebody has too much while somebody else has little; takes no longer in a large fleet.
    #[must_use]
    pub fn is_uneven(&self, policy: &Balancing) -> bool {
        let average = self.average();
        let (first, last) = (self.order.first(), self.order.last());
        policy.moves_max > 0
            && last.is_some_and(|&(most, _)| policy.is_overloaded(most, average))
            && first.is_some_and(|&(least, _)| policy.is_underloaded(least, average))
    }
}

/// What balancing sees of an agent.
#[derive(Clone, Debug)]
pub struct BalanceAgent {
    /// Who.
    pub agent: AgentId,
    /// What it can do, and how much it has, without what it is handing over.
    pub view: AgentView,
    /// Slots that are taken by what it is handing over.
    pub leaving: u32,
    /// What is left of the estimates of its tasks.
    pub remaining: Span,
    /// What it may give away, in the order in which it would.
    pub tasks: Vec<BalanceTask>,
}

/// A task that may be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceTask {
    /// Which.
    pub task: TaskId,
    /// As what it is placed.
    pub class: ClassId,
    /// How often it may still be moved, at least 1.
    pub moves_left: u32,
    /// Whether it keeps its owner's slot until it is packed.
    pub packed: bool,
}

/// What balancing looks at: a copy, so that it can be thought about while the fleet goes on.
#[derive(Clone, Debug)]
pub struct BalanceView {
    /// The last event that it saw.
    pub seen: Position,
    /// The constants.
    pub policy: Balancing,
    /// Over all active agents, listed here or not.
    pub average: Average,
    /// Those who have, or could come to have, too much or little, in order of their ids.
    pub agents: Vec<BalanceAgent>,
    /// The classes of the tasks, in order of their ids.
    pub classes: Vec<(ClassId, Class)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thresholds_are_strict() {
        let policy = Balancing::default();
        let average = Average { sum: 800_000, agents: 2 };
        assert_eq!(average.value(), Ratio::micros(400_000));
        assert!(
            !policy.is_overloaded(Ratio::micros(600_000), average),
            "1.5 times the average is not above it"
        );
        assert!(policy.is_overloaded(Ratio::micros(600_001), average));
        assert!(
            !policy.is_underloaded(Ratio::micros(200_000), average),
            "half of the average is not below it"
        );
        assert!(policy.is_underloaded(Ratio::micros(199_999), average));
        let low = Average { sum: 200_000, agents: 2 };
        assert!(!policy.is_overloaded(Ratio::micros(499_999), low), "below one half nobody is overloaded");
        assert!(policy.is_overloaded(Ratio::micros(500_000), low));
    }

    #[test]
    fn a_move_must_make_the_larger_utilization_smaller() {
        assert!(relieves((2, 2), (0, 2)));
        assert!(!relieves((1, 1), (0, 1)), "it would only change places");
        assert!(!relieves((2, 4), (0, 2)), "0.5 again");
        assert!(relieves((3, 4), (0, 2)));
        assert!(!relieves((0, 4), (0, 9)));
    }

    #[test]
    fn the_sum_is_that_of_the_listed() {
        let mut loads = Loads::default();
        loads.put(AgentId(2), Some(Ratio::ONE));
        loads.put(AgentId(0), Some(Ratio::ZERO));
        assert_eq!(loads.average(), Average { sum: 1_000_000, agents: 2 });
        assert!(loads.is_uneven(&Balancing::default()));
        loads.put(AgentId(0), Some(Ratio::ONE));
        assert!(!loads.is_uneven(&Balancing::default()), "all have the same");
        let version = loads.version();
        loads.put(AgentId(2), None);
        assert_eq!(loads.average(), Average { sum: 1_000_000, agents: 1 });
        assert!(loads.version() > version);
    }
}
