//! Costs and budgets.

use super::{Client, Result, queried, task_path};
use crate::{Ack, BudgetStanding, Costs, NewBudget, UsageReport};

impl Client {
    /// Returns what the fleet has spent, with the last `days` days one by one.
    pub fn costs(&self, days: u32) -> Result<Costs> {
        self.get(&format!("/v1/costs?days={days}"))
    }

    /// Returns how budgets stand, as `query` asks for, such as `[("state", "closed")]`; all pages.
    pub fn budgets(&self, query: &[(&str, &str)]) -> Result<Vec<BudgetStanding>> {
        self.all(&format!("/v1/budgets?limit=1000{}", queried(query)))
    }

    /// Sets a budget, or takes it back.
    pub fn set_budget(&self, budget: &NewBudget) -> Result<Ack> {
        let body = self.send("PUT", "/v1/budgets", Some(budget), true)?;
        self.read("/v1/budgets", &body)
    }

    /// Reports what an attempt has used in all so far.
    pub fn report_usage(&self, task: &str, report: &UsageReport) -> Result<Ack> {
        self.post(&task_path(task, "/usage"), report)
    }
}
