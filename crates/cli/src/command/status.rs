//! `kapell status`.

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};

pub fn run(context: &Context) -> anyhow::Result<Exit> {
    let client = context.client()?;
    let status = client.status()?;
    if context.format() == Format::Json {
        output::json(&status)?;
        return Ok(Exit::Ok);
    }
    let (tasks, agents) = (&status.tasks, &status.agents);
    output::line(format!(
        "{} tasks: {} ready, {} blocked, {} deferred, {} assigned, {} in progress, {} completed, {} failed, {} cancelled",
        tasks.total,
        tasks.ready,
        tasks.blocked,
        tasks.deferred,
        tasks.assigned,
        tasks.in_progress,
        tasks.completed,
        tasks.failed,
        tasks.cancelled
    ));
    output::line(format!(
        "{} agents: {} online, {} unreachable, {} offline; {} of {} slots taken",
        agents.total, agents.online, agents.unreachable, agents.offline, agents.slots_used, agents.slots
    ));
    output::line(format!(
        "needs a person: {} escalations, {} late results",
        status.escalations_open, status.offers_open
    ));
    if !status.projects.is_empty() {
        let rows = status.projects.iter().map(|project| {
            let tasks = &project.tasks;
            let open = tasks.total - tasks.completed - tasks.failed - tasks.cancelled;
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
    let busy: Vec<_> =
        client.agents(Some("online"))?.into_iter().filter(|agent| !agent.tasks.is_empty()).collect();
    if !busy.is_empty() {
        output::line("");
        super::agent::list(&busy);
    }
    Ok(Exit::Ok)
}
