//! Budgets: what work has used, and what it may cost. Money is counted in millionths of the fleet's currency.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Usage {
    /// Tokens read, those from a cache included.
    #[schema(maximum = 1_000_000_000_000_u64)]
    pub input_tokens: u64,
    /// Of these, from a cache.
    #[schema(maximum = 1_000_000_000_000_u64)]
    pub cached_tokens: u64,
    /// Tokens written.
    #[schema(maximum = 1_000_000_000_000_u64)]
    pub output_tokens: u64,
    /// Money, in millionths: 1.25 is 1250000.
    #[schema(maximum = 1_000_000_000_000_u64)]
    pub money_micros: u64,
}

/// An amount of tokens, read and written, and of money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cost {
    /// Tokens.
    pub tokens: u64,
    /// Money, in millionths.
    pub money_micros: u64,
}

/// What an attempt has used in all since it began. The same report twice, or an older one, changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageReport {
    /// Whose attempt.
    #[schema(min_length = 1, max_length = 100)]
    pub agent: String,
    /// Under which token, `A-34`; also one that is outdated, since it was spent.
    #[schema(pattern = "^A-[0-9]{1,19}$", example = "A-34")]
    pub assignment: String,
    /// All of it so far.
    pub usage: Usage,
}

/// A limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limit {
    /// From it on it is warned, once; not above `hard`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000_000_000_000_u64)]
    pub soft: Option<u64>,
    /// Nothing is assigned that would pass it, and what runs is stopped at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000_000_000_000_u64)]
    pub hard: Option<u64>,
}

/// The limits of one period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Of tokens, read and written.
    #[serde(skip_serializing_if = "is_default")]
    pub tokens: Limit,
    /// Of money, in millionths.
    #[serde(skip_serializing_if = "is_default")]
    pub money_micros: Limit,
}

/// What something may cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// In all.
    #[serde(skip_serializing_if = "is_default")]
    pub total: Limits,
    /// From one midnight UTC to the next. A task has none.
    #[serde(skip_serializing_if = "is_default")]
    pub day: Limits,
}

/// The part of the policy for budgets: of everything that has none of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budgets {
    /// In what money is counted, as in `USD`.
    #[schema(pattern = "^[A-Z]{3}$")]
    pub currency: String,
    /// Of each task.
    #[serde(skip_serializing_if = "is_default")]
    pub task: Limits,
    /// Of each agent.
    #[serde(skip_serializing_if = "is_default")]
    pub agent: Budget,
    /// Of each project.
    #[serde(skip_serializing_if = "is_default")]
    pub project: Budget,
    /// Of the fleet.
    #[serde(skip_serializing_if = "is_default")]
    pub fleet: Budget,
}

impl Default for Budgets {
    fn default() -> Self {
        let (agent, project, fleet) = (Budget::default(), Budget::default(), Budget::default());
        Self { currency: "USD".to_owned(), task: Limits::default(), agent, project, fleet }
    }
}

/// A budget that is set, or taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBudget {
    /// `task`, `agent`, `project` or `fleet`.
    #[schema(pattern = "^(task|agent|project|fleet)$")]
    pub of: String,
    /// Which: `T-12` or its key, or a name. Absent for the fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What it may cost, instead of what it might before; what the policy says where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// How a budget stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BudgetStanding {
    /// `task`, `agent`, `project` or `fleet`.
    pub of: String,
    /// Which; absent for the fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it may cost.
    pub budget: Budget,
    /// Whether that is its own budget, and not the policy's.
    pub own: bool,
    /// What was used in all.
    pub total: Usage,
    /// What was used today, UTC.
    pub today: Usage,
    /// What running work is expected to use yet.
    pub running: Cost,
    /// `open`; `tight` (running work may take the rest; it opens by itself), `short` (an assignment would pass a hard limit) or
    /// `reached` (nothing is left, and what ran under it was stopped).
    pub state: String,
    /// Why it is not open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Since when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The soft limits that are passed: `total.tokens`, `day.money`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warned: Vec<String>,
}

/// What a task costs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TaskCost {
    /// In what money is counted.
    pub currency: String,
    /// What was used on it, and what it may cost.
    pub standing: BudgetStanding,
    /// What was used by attempt, oldest first, as far as attempts are remembered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<AttemptCost>,
    /// What such work costs; absent where nothing is known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<ExpectedCost>,
    /// What is expected to be used until it is done; absent where nothing is known, or it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_finish: Option<Cost>,
}

/// What one attempt has used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttemptCost {
    /// Which.
    pub assignment: String,
    /// Whose.
    pub agent: String,
    /// What it has used.
    pub usage: Usage,
}

/// What work of a kind costs, learned from completed tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExpectedCost {
    /// Half of it costs no more.
    pub p50: Cost,
    /// Nine of ten cost no more.
    pub p90: Cost,
    /// Completed tasks of its type and complexity that it was learned from, at most 50; 0 where it is what all work costs.
    pub from: u32,
}

/// What a fleet has spent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Costs {
    /// In what money is counted.
    pub currency: String,
    /// In all.
    pub total: Usage,
    /// Today, UTC.
    pub today: Usage,
    /// What running work is expected to use yet.
    pub running: Cost,
    /// By day, the last first; days on which nothing was used are left out.
    pub days: Vec<DayCost>,
    /// The agents that used most money, then tokens; at most 20.
    pub agents: Vec<NamedCost>,
    /// How many agents have used anything.
    #[serde(default)]
    pub agents_total: u32,
    /// The projects that used most money, then tokens; at most 20.
    pub projects: Vec<NamedCost>,
    /// How many projects have used anything.
    #[serde(default)]
    pub projects_total: u32,
    /// The types of tasks on which most money was used, then tokens; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<NamedCost>,
    /// On how many types anything was used.
    #[serde(default)]
    pub types_total: u32,
    /// Budgets under which nothing is assigned, at most 100.
    pub closed: Vec<BudgetStanding>,
    /// How many there are.
    #[serde(default)]
    pub closed_total: u32,
}

/// What a fleet has spent, in short.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CostTotals {
    /// In what money is counted.
    pub currency: String,
    /// In all.
    pub total: Usage,
    /// Today, UTC.
    pub today: Usage,
    /// Budgets under which nothing is assigned.
    pub budgets_closed: u32,
}

/// What was used on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayCost {
    /// Which, `2026-11-30`, UTC.
    pub day: String,
    /// What.
    pub usage: Usage,
}

/// What an agent, a project or a type of task has used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamedCost {
    /// Its name.
    pub name: String,
    /// In all.
    pub total: Usage,
    /// Today, UTC.
    pub today: Usage,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
