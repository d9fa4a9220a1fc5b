//! `kapell status`.

use kapell_api::{HealthPart, SystemHealth};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Args)]
pub struct Status {
    /// As of this position of the log, or this time, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "POSITION|TIME")]
    at: Option<String>,
}

impl Status {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        run(context, self.at.as_deref())
    }
}

fn run(context: &Context, at: Option<&str>) -> anyhow::Result<Exit> {
    let client = context.client()?;
    let status = client.status_at(at)?;
    if context.format() == Format::Json {
        output::json(&status)?;
        return Ok(Exit::Ok);
    }
    let (tasks, agents) = (&status.tasks, &status.agents);
    output::line(format!(
        "{} tasks: {} ready, {} blocked, {} deferred, {} assigned, {} in progress, {} in review, {} waiting, {} completed, {} failed, {} cancelled, {} broken down",
        tasks.total,
        tasks.ready,
        tasks.blocked,
        tasks.deferred,
        tasks.assigned,
        tasks.in_progress,
        tasks.in_review,
        tasks.waiting,
        tasks.completed,
        tasks.failed,
        tasks.cancelled,
        tasks.archived
    ));
    output::line(format!(
        "{} agents: {} online, {} unreachable, {} offline; {} of {} slots taken",
        agents.total, agents.online, agents.unreachable, agents.offline, agents.slots_used, agents.slots
    ));
    output::line(format!(
        "needs a person: {} escalations ({} overdue), {} late results; {} tasks stalled",
        status.escalations_open, status.escalations_overdue, status.offers_open, status.stalled
    ));
    super::webhook::stuck(&status.webhooks_stuck).into_iter().for_each(output::line);
    let cost = &status.cost;
    if cost.total != kapell_api::Usage::default() || cost.budgets_closed > 0 {
        output::line(format!(
            "spent today: {}; {} in all; {} budgets without room",
            super::budget::used(&cost.today, &cost.currency),
            super::budget::money(cost.total.money_micros),
            cost.budgets_closed
        ));
    }
    output::line(health(&status.health, at.map(|_| status.at.as_str())));
    let monitors: Vec<String> = status
        .monitors
        .iter()
        .map(|monitor| format!("{} every {}", monitor.name, kapell_model::Span(monitor.period_ms)))
        .collect();
    output::line(format!("monitors: {}", monitors.join(", ")));
    if !status.projects.is_empty() {
        let rows = status.projects.iter().map(|project| {
            let tasks = &project.tasks;
            let open = tasks.total - tasks.completed - tasks.failed - tasks.cancelled - tasks.archived;
            vec![
                project.name.clone(),
                format!("{}/{}", tasks.completed, tasks.total),
                open.to_string(),
                tasks.failed.to_string(),
            ]
        });
        output::line("");
        output::table(&["PROJECT", "DONE", "OPEN", "FAILED"], rows.collect());
    }
    if at.is_some() {
        output::line(format!("as of event {}, {}", status.position, status.at));
        return Ok(Exit::Ok);
    }
    let busy: Vec<_> =
        client.agents(Some("online"))?.into_iter().filter(|agent| !agent.tasks.is_empty()).collect();
    if !busy.is_empty() {
        output::line("");
        super::agent::list(&busy);
    }
    Ok(Exit::Ok)
}

/// Returns the health with its parts in a line.
fn health(health: &SystemHealth, now: Option<&str>) -> String {
    let part = |part: &HealthPart| match part.no_data {
        true => format!("{} no data", part.name),
        false => format!("{} {}/{}", part.name, part.good, part.all),
    };
    let parts: Vec<String> = health.parts.iter().map(part).collect();
    let low = health.low_since.as_deref().map(|since| format!(", low for {}", words::age_at(since, now)));
    format!("health {}{}: {}", health.total, low.unwrap_or_default(), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_health_with_its_parts_is_a_line() {
        let part = |name: &str, good, all| HealthPart {
            name: name.to_owned(),
            counts: String::new(),
            good,
            all,
            no_data: all == 0,
            value: 1.0,
            weight: 0.5,
            adds: 0.5,
            causes: Vec::new(),
        };
        let parts = vec![part("online", 2, 3), part("queued", 0, 0)];
        let shown = health(&SystemHealth { total: 0.75, alert_below: 0.7, low_since: None, parts }, None);
        assert_eq!(shown, "health 0.75: online 2/3, queued no data");
    }
}
