//! The lines about costs and budgets.
//!
//! ```text
//! usage t1 A in=100 out=20 money=0.5       what an attempt has used in all -> counted, or stale
//! with t1 A money=0.5 done t1 A            a report that says both
//! budget t1 | budget @A | budget %web | budget fleet   then hard=1 soft=0.5 tokens=1000 day=5, or default
//! spent fleet                              -> 0.5 120 tokens, +0.3 for running work, reached
//! costs t1                                 -> 0.5 to 1 from 3, 0.2 to finish
//! calls                                    -> the open escalations: budget_reached T-1
//! ```

use kapell_core::{BudgetOf, BudgetTarget, Command, Subject, UsageReport};
use kapell_model::{Budget, Budgets, Period, Placer, Usage};

use super::{Scenario, name, reference};

impl<P: Placer> Scenario<P> {
    pub(super) fn spent(&self, of: &str) -> String {
        let state = self.engine.state();
        let of = match target(of) {
            BudgetTarget::Task(task) => BudgetOf::Task(state.task_id(&task).expect("a task")),
            BudgetTarget::Agent(agent) => BudgetOf::Agent(state.agent_id(agent.as_str()).expect("an agent")),
            BudgetTarget::Project(project) => BudgetOf::Project(project),
            BudgetTarget::Fleet => BudgetOf::Fleet {},
        };
        let Some(ledger) = state.ledger(&of) else { return "nothing".to_owned() };
        let (cost, today) = (ledger.total.cost(), ledger.used(Period::Day, state.ledgers().day()).cost());
        let mut shown = format!("{} {} tokens", decimal(cost.money), cost.tokens);
        if today != cost {
            shown += &format!(", {} today", decimal(today.money));
        }
        if !ledger.committed.is_none() {
            shown += &format!(", +{} for running work", decimal(ledger.committed.money));
        }
        ledger.closed.map_or(shown.clone(), |(_, closing)| format!("{shown}, {}", closing.grade.as_str()))
    }

    pub(super) fn costs(&self, task: &str) -> String {
        let state = self.engine.state();
        let task = state.task(state.task_id(&reference(task)).expect("a task"));
        let Some(expected) = state.expected_cost(&task.spec) else { return "unknown".to_owned() };
        let finish = state.cost_to_finish(task).expect("something is known");
        let (low, high) = (decimal(expected.p50.money), decimal(expected.p90.money));
        format!("{low} to {high} from {}, {} to finish", expected.from, decimal(finish.money))
    }

    pub(super) fn calls(&self) -> String {
        let state = self.engine.state();
        let shown = state.escalations_to_settle().into_iter().map(|it| {
            let about = match &it.subject {
                Subject::Task(task) => task.to_string(),
                Subject::Agent(agent) => state.agent(*agent).spec.name.to_string(),
                Subject::Project(project) => project.to_string(),
                _ => "fleet".to_owned(),
            };
            format!("{} {} {about}", it.id, it.kind.as_str())
        });
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
    }

    pub(super) fn usage(&self, words: &[&str]) -> UsageReport {
        let find = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        let number = |key: &str| find(key).map_or(0, |text| text.parse().expect("a number"));
        UsageReport {
            task: reference(words[0]),
            agent: name(words[1]),
            assignment: self.token(words[0], words[1]),
            usage: Usage {
                input: number("in="),
                cached: number("cached="),
                output: number("out="),
                money: find("money=").map_or(0, micros),
            },
        }
    }
}

pub(super) fn set(words: &[&str]) -> Command {
    let find = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)).map(micros);
    let mut budget = Budget::default();
    budget.total.money.hard = find("hard=");
    budget.total.money.soft = find("soft=");
    budget.day.money.hard = find("day=");
    budget.day.money.soft = find("daysoft=");
    budget.total.tokens.hard = find("tokens=").map(|micros| micros / 1_000_000);
    let budget = (words.get(1) != Some(&"default")).then_some(budget);
    Command::SetBudget { target: target(words[0]), budget }
}

/// Reads `task_budget=1`, `day_budget=1` or `day_soft=1`: of every task, of a day of the fleet.
pub(super) fn policy(word: &str) -> Budgets {
    let (field, given) = word.split_once('=').unwrap_or((word, ""));
    let (limit, mut budgets) = (Some(micros(given)), Budgets::default());
    match field {
        "task_budget" => budgets.task.money.hard = limit,
        "day_budget" => budgets.fleet.day.money.hard = limit,
        "day_soft" => budgets.fleet.day.money.soft = limit,
        other => panic!("{other}"),
    }
    budgets
}

fn target(word: &str) -> BudgetTarget {
    match word.split_at(1) {
        ("@", agent) => BudgetTarget::Agent(name(agent)),
        ("%", project) => BudgetTarget::Project(name(project)),
        _ if word == "fleet" => BudgetTarget::Fleet,
        _ => BudgetTarget::Task(reference(word)),
    }
}

/// Reads `1.25` as millionths.
fn micros(text: &str) -> u64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: u64 = format!("{part:0<6}").parse().expect("a decimal");
    whole.parse::<u64>().expect("a number") * 1_000_000 + part
}

fn decimal(millionths: u64) -> String {
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
