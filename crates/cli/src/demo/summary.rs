//! What came of it: who did what, what the orchestrator did and why, and whether the log holds what it promises.

use std::collections::BTreeMap;
use std::path::Path;

use kapell_api::{Client, Event, Task};

use crate::command::why::explained;
use crate::output;

/// Tells the end. Returns whether every task ended completed, or cancelled with its reason.
pub fn tell(client: &Client) -> anyhow::Result<bool> {
    let tasks = client.tasks(&[])?;
    let events = all_events(client)?;
    let count = |state: &str| tasks.iter().filter(|task| task.state == state).count();
    output::line(format!(
        "\n{} tasks: {} completed, {} cancelled, {} failed; {} events in the log",
        tasks.len(),
        count("completed"),
        count("cancelled"),
        count("failed"),
        events.len()
    ));
    by_agent(client)?;
    by_decision(&events);
    for (title, task) in examples(&tasks, &events) {
        output::line(format!("\n-- {title}: kapell why {task}"));
        output::line(explained(&client.why(&task)?));
    }
    for offer in client.offers(None)? {
        output::line(format!(
            "\nlate result {} of {} for {}: {}",
            offer.id, offer.agent, offer.task, offer.state
        ));
    }
    let well =
        |task: &Task| task.state == "completed" || (task.state == "cancelled" && task.reason.is_some());
    Ok(tasks.iter().all(well))
}

fn all_events(client: &Client) -> anyhow::Result<Vec<Event>> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = client.events(after, 1_000, &[])?;
        events.extend(page.events);
        after = page.next_after;
        if page.at_end {
            return Ok(events);
        }
    }
}

fn by_agent(client: &Client) -> anyhow::Result<()> {
    let mut agents = client.agents(None)?;
    agents.sort_by(|a, b| b.completed.cmp(&a.completed).then_with(|| a.name.cmp(&b.name)));
    let row = |agent: &kapell_api::Agent| {
        let record = [agent.completed, agent.failed, agent.lost].map(|count| count.to_string());
        [vec![agent.name.clone(), agent.role.clone()], record.to_vec()].concat()
    };
    output::line("");
    output::table(
        &["AGENT", "ROLE", "COMPLETED", "FAILED ATTEMPTS", "LOST"],
        agents.iter().map(row).collect(),
    );
    Ok(())
}

/// What the log says of each kind of event, for people.
const MEANINGS: &[(&str, &str)] = &[
    ("task.assigned", "placements: each to the best candidate above the threshold"),
    (
        "task.attempt_failed",
        "failed attempts: tried again after a pause, by somebody else where there is one",
    ),
    ("agent.unreachable", "missed leases: no new work, but nothing is taken away yet"),
    ("agent.offline", "agents lost: their work returns to the queue"),
    ("task.returned", "tasks taken back"),
    ("task.stalled", "owners asked how far they are, since they said nothing about their work"),
    ("task.moved", "tasks given to somebody else without a return to the queue"),
    ("cycle.broken", "cycles of tasks that waited for each other, broken and recorded"),
    ("agent.back", "agents that were heard of (again)"),
    ("offer.made", "late results: kept beside the task, never in place of another's"),
    ("escalation.raised", "calls for the agent manager"),
    ("escalation.settled", "of these settled"),
];

fn by_decision(events: &[Event]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events {
        *counts.entry(&event.kind).or_default() += 1;
    }
    output::line("\nwhat the orchestrator did:");
    for (kind, meaning) in MEANINGS {
        if let Some(count) = counts.get(kind) {
            output::line(format!("  {count:>5}  {meaning}"));
        }
    }
}

/// Picks tasks worth an explanation: recovered, with a late result, moved, and an ordinary one.
fn examples(tasks: &[Task], events: &[Event]) -> Vec<(&'static str, String)> {
    let about = |kind: &str, data: &str| {
        let found = events.iter().filter(|event| event.kind == kind);
        found
            .filter(|event| data.is_empty() || event.data.get("cause").is_some_and(|cause| cause == data))
            .find_map(|event| event.task.clone())
    };
    let mut examples = Vec::new();
    let late = about("offer.made", "");
    if let Some(task) = about("task.returned", "owner_offline").filter(|task| Some(task) != late.as_ref()) {
        examples.push(("recovered from a lost agent", task));
    }
    examples.extend(late.map(|task| ("with a late result", task)));
    examples.extend(about("task.moved", "balancing").map(|task| ("taken off a full agent", task)));
    let ordinary = tasks.iter().rev().filter(|task| task.state == "completed" && task.attempts > 0);
    for task in ordinary {
        if examples.len() < 4 && examples.iter().all(|(_, known)| *known != task.id) {
            examples.push(("an ordinary one", task.id.clone()));
        }
    }
    examples
}

/// Says why what is left cannot be done.
pub fn stuck(client: &Client) -> anyhow::Result<()> {
    let mut left = client.tasks(&[("state", "ready")])?;
    left.truncate(5);
    for task in left {
        output::line(explained(&client.why(&task.id)?));
    }
    Ok(())
}

/// Checks the log that the play has left: every row, and every invariant after every event.
pub fn verify(data: &Path) -> anyhow::Result<bool> {
    let verified = kapell_server::verify(data)?;
    output::line("");
    verified.iter().flat_map(crate::command::doctor::told).for_each(output::line);
    Ok(verified.iter().all(kapell_server::Verified::is_whole))
}
