//! What work costs, and what it may cost (SEMANTICS 15, "Budgets are constraints").
//!
//! Money is counted in millionths of one currency, which a fleet names once; tokens one by one.

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::moment::Moment;
use crate::name::Text;
use crate::policy::PolicyError;

/// What an agent has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read, those from a cache included.
    pub input: u64,
    /// Of these, from a cache.
    pub cached: u64,
    /// Tokens written.
    pub output: u64,
    /// Money, in millionths.
    pub money: u64,
}

impl Usage {
    /// Returns what counts against a budget.
    #[must_use]
    pub fn cost(&self) -> Cost {
        Cost { tokens: self.input.saturating_add(self.output), money: self.money }
    }

    /// Tells whether nothing was used.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the larger of each: a report that comes twice or late takes nothing back.
    #[must_use]
    pub fn most(&self, other: &Self) -> Self {
        self.with(other, u64::max)
    }

    /// Returns both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    /// Returns what is more in it than in `other`.
    #[must_use]
    pub fn less(&self, other: &Self) -> Self {
        self.with(other, u64::saturating_sub)
    }

    fn with(&self, other: &Self, both: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            input: both(self.input, other.input),
            cached: both(self.cached, other.cached),
            output: both(self.output, other.output),
            money: both(self.money, other.money),
        }
    }
}

/// What counts against a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Tokens read and written.
    pub tokens: u64,
    /// Money, in millionths.
    pub money: u64,
}

impl Cost {
    /// Nothing.
    pub const NONE: Self = Self { tokens: 0, money: 0 };

    /// Tells whether it is nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Returns one part of it.
    #[must_use]
    pub const fn of(&self, measure: Unit) -> u64 {
        match measure {
            Unit::Tokens => self.tokens,
            Unit::Money => self.money,
        }
    }

    /// Returns both together.
    #[must_use]
    pub const fn plus(&self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            money: self.money.saturating_add(other.money),
        }
    }

    /// Returns what is more in it than in `other`.
    #[must_use]
    pub const fn less(&self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_sub(other.tokens),
            money: self.money.saturating_sub(other.money),
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Tokens read and written.
    Tokens,
    /// Money.
    Money,
}

impl Unit {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Tokens, Self::Money];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Money => "money",
        }
    }
}

/// Over which time it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From the beginning on.
    Total,
    /// From one midnight UTC to the next.
    Day,
}

impl Period {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Total, Self::Day];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Day => "day",
        }
    }
}

/// A limit of one measure over one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// From it on it is warned, once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft: Option<u64>,
    /// Nothing is assigned that would pass it, and what runs is stopped at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard: Option<u64>,
}

/// The limits of one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Of tokens.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tokens: Limit,
    /// Of money, in millionths.
    #[serde(default, skip_serializing_if = "is_default")]
    pub money: Limit,
}

impl Limits {
    /// Returns the limit of one measure.
    #[must_use]
    pub const fn of(&self, measure: Unit) -> Limit {
        match measure {
            Unit::Tokens => self.tokens,
            Unit::Money => self.money,
        }
    }
}

/// What something may cost. Nothing is limited by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// In all.
    #[serde(default, skip_serializing_if = "is_default")]
    pub total: Limits,
    /// In a day, UTC.
    #[serde(default, skip_serializing_if = "is_default")]
    pub day: Limits,
}

impl Budget {
    /// Returns the limits of one period.
    #[must_use]
    pub const fn of(&self, period: Period) -> &Limits {
        match period {
            Period::Total => &self.total,
            Period::Day => &self.day,
        }
    }

    /// Visits every limit that is set, with its period and measure.
    pub fn limits(&self) -> impl Iterator<Item = (Period, Unit, Limit)> + '_ {
        let all = Period::ALL.into_iter().flat_map(|period| Unit::ALL.map(|measure| (period, measure)));
        all.map(|(period, measure)| (period, measure, self.of(period).of(measure)))
            .filter(|(_, _, limit)| *limit != Limit::default())
    }

    /// Finds a limit that is out of its range, with what is allowed; limits are 1 to 10^15, and soft ones not above hard ones.
    #[must_use]
    pub fn out_of_range(&self) -> Option<(Period, Unit, u64, &'static str)> {
        let range = 1..=limits::BUDGET_MAX;
        self.limits().find_map(|(period, measure, limit)| {
            let given = [limit.soft, limit.hard].into_iter().flatten().find(|given| !range.contains(given));
            if let Some(given) = given {
                return Some((period, measure, given, "1 to 10^15"));
            }
            let above = limit.soft.zip(limit.hard).filter(|(soft, hard)| soft > hard);
            above.map(|(soft, _)| (period, measure, soft, "a soft limit that is not above the hard one"))
        })
    }
}

/// What everything of a fleet may cost, where nothing else is said of it: the part of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budgets {
    /// In what money is counted. Default USD.
    pub currency: Text,
    /// Of each task.
    pub task: Limits,
    /// Of each agent.
    pub agent: Budget,
    /// Of each project.
    pub project: Budget,
    /// Of the fleet.
    pub fleet: Budget,
}

impl Default for Budgets {
    fn default() -> Self {
        let (agent, project, fleet) = (Budget::default(), Budget::default(), Budget::default());
        Self { currency: Text::from("USD"), task: Limits::default(), agent, project, fleet }
    }
}

impl Budgets {
    /// Checks every field against its range.
    ///
    /// # Errors
    /// The first field that is out of its range, with the value and the range.
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        let currency = self.currency.as_str();
        if !(currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase())) {
            let allowed = "three capital letters, as in USD";
            return Err(PolicyError { field: "budgets.currency", given: currency.to_owned(), allowed });
        }
        let task = Budget { total: self.task, day: Limits::default() };
        let all = [
            ("budgets.task", &task),
            ("budgets.agent", &self.agent),
            ("budgets.project", &self.project),
            ("budgets.fleet", &self.fleet),
        ];
        for (field, budget) in all {
            if let Some((period, measure, given, allowed)) = budget.out_of_range() {
                let given = format!("{given} ({}, {})", measure.as_str(), period.as_str());
                return Err(PolicyError { field, given, allowed });
            }
        }
        Ok(())
    }
}

/// What work of a kind is expected to cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Half of such work costs no more.
    pub p50: Cost,
    /// Nine of ten cost no more.
    pub p90: Cost,
    /// Completed tasks of its type and complexity that it was learned from, at most 50; 0 where it is what all work costs.
    pub from: u32,
}

/// A day of which costs are counted, UTC: days since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(pub i64);

impl Day {
    const MS: i64 = 86_400_000;

    /// Returns the day in which a moment lies.
    #[must_use]
    pub const fn of(moment: Moment) -> Self {
        Self(moment.0.div_euclid(Self::MS))
    }

    /// Returns when it begins.
    #[must_use]
    pub const fn begins(self) -> Moment {
        Moment(self.0.saturating_mul(Self::MS))
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_out_of_its_range_is_named() {
        let money = |soft, hard| Limits { money: Limit { soft, hard }, tokens: Limit::default() };
        let budgets = |task| Budgets { task, ..Budgets::default() };
        assert_eq!(budgets(money(Some(1), Some(1))).check(), Ok(()));
        let error = budgets(money(Some(2), Some(1))).check().expect_err("soft above hard").to_string();
        assert!(error.contains("`budgets.task` is 2 (money, total)"), "{error}");
        assert!(budgets(money(None, Some(0))).check().is_err(), "nothing at all is no budget");
        assert!(budgets(money(None, Some(limits::BUDGET_MAX + 1))).check().is_err());
        let currency = Budgets { currency: Text::from("usd"), ..Budgets::default() };
        assert_eq!(currency.check().expect_err("small letters").field, "budgets.currency");
    }

    #[test]
    fn a_day_begins_at_midnight() {
        assert_eq!((Day::of(Moment(86_399_999)), Day::of(Moment(86_400_000))), (Day(0), Day(1)));
        assert_eq!(Day(3).begins(), Moment(3 * 86_400_000));
    }
}
