//! A report as Markdown. What came from outside is data: it cannot steer the page it stands on.

use std::fmt::Write as _;

use kapell_api::{HealthPart, Report, Sample, Usage};
use kapell_core::money;
use kapell_model::{Span, is_unseen};

use super::{measured, path, slack};

/// Eighths of a block, for small plots of text.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Signs of a full bar.
const BAR: usize = 20;

/// Shows a report as Markdown.
pub(crate) fn markdown(report: &Report) -> String {
    let mut page = String::new();
    head(&mut page, report);
    health(&mut page, report);
    tasks(&mut page, report);
    performance(&mut page, report);
    course(&mut page, report);
    bottlenecks(&mut page, report);
    conflicts(&mut page, report);
    escalations(&mut page, report);
    emergencies(&mut page, report);
    forecasts(&mut page, report);
    costs(&mut page, report);
    tables(&mut page, report);
    page
}

fn conflicts(page: &mut String, report: &Report) {
    if report.conflicts.is_empty() {
        return;
    }
    let _ = writeln!(page, "## Conflicts: {} open\n", report.conflicts_open);
    let row = |it: &kapell_api::Conflict| {
        let how = it.ruling.clone().unwrap_or_else(|| it.because.join("; "));
        vec![
            it.id.clone(),
            it.kind.replace('_', " "),
            it.state.clone(),
            plain(&it.tasks.join(", ")),
            plain(&it.parties.join(", ")),
            it.opened_at.clone(),
            plain(&how),
        ]
    };
    let headings = ["Conflict", "Kind", "State", "Tasks", "Parties", "Opened", "How it stands"];
    table(page, &headings, report.conflicts.iter().map(row));
}

/// Shows how the fleet has stood, a sign for each time that it was noted.
fn course(page: &mut String, report: &Report) {
    let (Some(first), true) = (report.course.first(), report.course.len() > 1) else { return };
    let _ = writeln!(page, "## Course\n\nSince {}, each time that it was noted:\n", first.at);
    let row = |name: &str, numbers: Vec<u32>, show: fn(u32) -> String| {
        let (least, most) = (numbers.iter().min().copied(), numbers.iter().max().copied());
        let bound = |number: Option<u32>| number.map(show).unwrap_or_default();
        vec![name.to_owned(), format!("`{}`", sparkline(&numbers)), bound(least), bound(most)]
    };
    let of = |of: fn(&Sample) -> u32| report.course.iter().map(of).collect::<Vec<_>>();
    let seconds = |millis: Option<i64>| u32::try_from(millis.unwrap_or(0) / 1_000).unwrap_or(u32::MAX);
    let count = |number: u32| number.to_string();
    let lead = report.course.iter().map(|it| seconds(it.lead_p50_ms)).collect();
    let rows = [
        row("health, in hundredths", report.course.iter().map(|it| hundredths(it.health)).collect(), count),
        row("slots taken", of(|it| it.slots_used), count),
        row("slots online", of(|it| it.slots), count),
        row("ready", of(|it| it.ready), count),
        row("blocked", of(|it| it.blocked), count),
        row("lead time, p50", lead, |seconds| span(i64::from(seconds) * 1_000)),
    ];
    table(page, &["", "", "Least", "Most"], rows.into_iter());
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share within 0..=1")]
fn hundredths(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 100.0).round() as u32
}

fn emergencies(page: &mut String, report: &Report) {
    if report.emergencies.is_empty() && report.forces.is_empty() {
        return;
    }
    let _ = writeln!(page, "## Emergencies\n");
    for it in &report.emergencies {
        let about = it.task.as_deref().or(it.project.as_deref()).unwrap_or("the fleet");
        let kind = it.kind.replace('_', " ");
        let _ = writeln!(page, "### {} {kind} of {}, {}\n", it.id, plain(about), it.state);
        let _ = writeln!(page, "Declared {}: {}.", it.declared_at, plain(&it.detail));
        if let Some(reason) = &it.ended_because {
            let _ = writeln!(page, "Over: {}.", plain(reason));
        }
        if let Some(hours) = it.path_hours {
            let (path, slack) = (path(&it.path, hours), slack(it.slack_hours));
            let _ = writeln!(page, "Longest path: {}. Slack: {slack}.", plain(&path));
        }
        page.push('\n');
        for action in &it.actions {
            let settled = action.settled.as_deref().unwrap_or("in effect");
            let _ = writeln!(page, "- {}: {settled}", plain(&action.says));
        }
        page.push('\n');
    }
    if !report.forces.is_empty() {
        let row = |it: &kapell_api::TaskForce| {
            let about = it.task.as_deref().or(it.project.as_deref()).unwrap_or_default();
            let members: Vec<&str> = it.members.iter().map(|member| member.agent.as_str()).collect();
            let last = it.checkpoints.iter().rev().find_map(|it| it.found.as_deref()).unwrap_or("none yet");
            vec![
                it.id.clone(),
                plain(about),
                plain(&it.lead),
                plain(&members.join(", ")),
                format!("{} %", it.done_percent),
                last.replace('_', " "),
            ]
        };
        let headings = ["Task force", "For", "Lead", "Members", "Done", "Last checkpoint"];
        table(page, &headings, report.forces.iter().map(row));
    }
}

fn forecasts(page: &mut String, report: &Report) {
    if report.forecasts.is_empty() {
        return;
    }
    let _ = writeln!(page, "## Forecasts\n");
    let row = |it: &kapell_api::Forecast| {
        vec![
            plain(&it.project),
            it.deadline.clone().unwrap_or_default(),
            it.p50.clone(),
            it.p80.clone(),
            it.p90.clone(),
            if it.at_risk { "at risk" } else { "in time" }.to_owned(),
            slack(it.slack_hours),
            plain(&path(&it.path, it.path_hours)),
        ]
    };
    let heads = ["Project", "Deadline", "p50", "p80", "p90", "", "Slack", "Longest path"];
    table(page, &heads, report.forecasts.iter().map(row));
}

/// Shows what was spent; nothing where nothing was, and nothing is closed.
fn costs(page: &mut String, report: &Report) {
    let costs = &report.costs;
    let currency = plain(&costs.currency);
    if costs.total == Usage::default() && costs.closed.is_empty() {
        return;
    }
    let amount = |usage: &Usage| {
        let tokens = usage.input_tokens + usage.output_tokens;
        format!("{} {currency} and {tokens} tokens", money(usage.money_micros))
    };
    let _ = writeln!(page, "## Costs: {}\n", amount(&costs.total));
    let running = money(costs.running.money_micros);
    let _ = writeln!(
        page,
        "Today {}; running work is expected to cost {running} {currency} more.\n",
        amount(&costs.today)
    );
    for it in &costs.closed {
        let _ = writeln!(page, "- {}: {}", it.state, plain(it.because.as_deref().unwrap_or_default()));
    }
    if !costs.closed.is_empty() {
        page.push('\n');
    }
    let columns = |name: &str, usage: &Usage| {
        let tokens = [usage.input_tokens, usage.cached_tokens, usage.output_tokens].map(|it| it.to_string());
        [vec![plain(name), money(usage.money_micros)], tokens.into()].concat()
    };
    for (heading, all) in
        [("Project", &costs.projects), ("Agent", &costs.agents), ("Type of task", &costs.types)]
    {
        if !all.is_empty() {
            let rows = all.iter().map(|it| columns(&it.name, &it.total));
            table(page, &[heading, &currency, "Read", "Cached", "Written"], rows);
        }
    }
    if !costs.days.is_empty() {
        let rows = costs.days.iter().map(|it| columns(&it.day, &it.usage));
        table(page, &["Day", &currency, "Read", "Cached", "Written"], rows);
    }
}

/// Takes its meaning from every sign that Markdown or a terminal would act on, and puts a text on one line.
fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' | '\r' => shown.push(' '),
            // Those that are invisible can make a line say something else.
            c if c.is_control() || is_unseen(c) => shown.push('\u{fffd}'),
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~' => {
                shown.push('\\');
                shown.push(c);
            }
            c => shown.push(c),
        }
    }
    shown
}

/// Shows a command; a sign that would end it cannot stand in it, since it is made of ids and names.
fn code(text: &str) -> String {
    let safe: String = text.chars().filter(|c| !c.is_control() && *c != '`' && *c != '|').collect();
    format!("`{safe}`")
}

fn span(millis: i64) -> String {
    Span(millis).to_string()
}

fn optional<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "no data".to_owned(), show)
}

fn table(page: &mut String, headings: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let _ = writeln!(page, "| {} |", headings.join(" | "));
    let _ = writeln!(page, "|{}", " --- |".repeat(headings.len()));
    for row in rows {
        let _ = writeln!(page, "| {} |", row.join(" | "));
    }
    page.push('\n');
}

fn head(page: &mut String, report: &Report) {
    let day = report.at.get(..10).unwrap_or_default();
    let _ = writeln!(page, "# Orchestration report, {day}\n");
    let _ = writeln!(
        page,
        "As of {}, event {} of the log, policy {}.\n",
        report.at, report.position, report.policy_version
    );
}

fn health(page: &mut String, report: &Report) {
    let health = &report.health;
    let _ = writeln!(page, "## Health: {}\n", health.total);
    match &health.low_since {
        Some(since) => {
            let _ = writeln!(page, "Low since {since}: the alert is below {}.\n", health.alert_below);
        }
        None => {
            let _ = writeln!(page, "The alert is below {}.\n", health.alert_below);
        }
    }
    let row = |part: &HealthPart| {
        vec![
            part.name.clone(),
            bar(part.value),
            if part.no_data { "no data".to_owned() } else { format!("{} of {}", part.good, part.all) },
            format!("{} x {} = {}", part.value, part.weight, part.adds),
            part.counts.clone(),
        ]
    };
    table(page, &["Part", "", "Count", "Adds", "What is counted"], health.parts.iter().map(row));
    for part in health.parts.iter().filter(|part| !part.causes.is_empty()) {
        let _ = writeln!(page, "What makes `{}` low:\n", part.name);
        for cause in &part.causes {
            let _ = writeln!(page, "- {}", plain(cause));
        }
        page.push('\n');
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share within 0..=1 of twenty signs"
)]
fn bar(value: f64) -> String {
    let full = ((value.clamp(0.0, 1.0) * BAR as f64).round() as usize).min(BAR);
    format!("{}{}", "█".repeat(full), "░".repeat(BAR - full))
}

/// Draws numbers as a line of blocks, the highest as a full one.
fn sparkline(numbers: &[u32]) -> String {
    let most = numbers.iter().copied().max().unwrap_or(0).max(1);
    let block = |&number: &u32| {
        let eighth = (u64::from(number) * 7).div_ceil(u64::from(most));
        BLOCKS[usize::try_from(eighth).unwrap_or(0).min(7)]
    };
    numbers.iter().map(block).collect()
}

fn tasks(page: &mut String, report: &Report) {
    let (tasks, agents) = (&report.tasks, &report.agents);
    let by = &tasks.by_state;
    let _ = writeln!(page, "## Tasks\n");
    let rows = [
        ("total", by.total),
        ("in progress", by.in_progress),
        ("completed today", tasks.completed_today),
        ("blocked", by.blocked),
        ("critical", tasks.critical),
        ("ready", by.ready),
        ("deferred", by.deferred),
        ("assigned", by.assigned),
        ("in review", by.in_review),
        ("waiting", by.waiting),
        ("completed", by.completed),
        ("failed", by.failed),
        ("cancelled", by.cancelled),
        ("archived", by.archived),
    ];
    table(page, &["Tasks", ""], rows.iter().map(|(name, count)| vec![(*name).to_owned(), count.to_string()]));
    let _ = writeln!(
        page,
        "Active agents: {} of {} online, {} of {} slots taken.\n",
        report.active_agents, agents.total, agents.slots_used, agents.slots
    );
}

fn performance(page: &mut String, report: &Report) {
    let performance = &report.performance;
    let _ = writeln!(page, "## Performance\n");
    let (day, before) = (&performance.last_day, &performance.day_before);
    let decimal = |value: f64| value.to_string();
    let rows = [
        (
            "average completion",
            optional(day.completion_mean_ms, span),
            optional(before.completion_mean_ms, span),
        ),
        ("average lead time", optional(day.lead_mean_ms, span), optional(before.lead_mean_ms, span)),
        ("success rate", optional(day.success_rate, decimal), optional(before.success_rate, decimal)),
        (
            "efficiency score",
            optional(day.efficiency_score, decimal),
            optional(before.efficiency_score, decimal),
        ),
        (
            "messages per task",
            optional(day.messages_per_task, decimal),
            optional(before.messages_per_task, decimal),
        ),
        (
            "handoffs per task",
            optional(day.handoffs_per_task, decimal),
            optional(before.handoffs_per_task, decimal),
        ),
        ("completed", day.completed.to_string(), before.completed.to_string()),
        ("submitted", day.submitted.to_string(), before.submitted.to_string()),
        ("failed attempts", day.failed.to_string(), before.failed.to_string()),
    ];
    let rows = rows.into_iter().map(|(name, now, before)| vec![name.to_owned(), now, before]);
    table(page, &["", "Last 24 h", "24 h before"], rows);
    for (name, numbers) in
        [("Completed", &performance.completed_by_hour), ("Submitted", &performance.submitted_by_hour)]
    {
        let most = numbers.iter().max().copied().unwrap_or(0);
        let _ = writeln!(page, "{name} by hour, the last 24: `{}` (most: {most})\n", sparkline(numbers));
    }
    let numbers = performance.completed_by_hour.iter().zip(&performance.submitted_by_hour);
    let hours = (0_i64..).zip(numbers).filter(|(_, (completed, submitted))| **completed + **submitted > 0);
    let rows = hours.map(|(index, (completed, submitted))| {
        let ago = match 23 - index {
            0 => "this hour".to_owned(),
            hours => format!("{hours} h ago"),
        };
        vec![ago, completed.to_string(), submitted.to_string()]
    });
    table(page, &["Hour", "Completed", "Submitted"], rows);
    let rows = performance.by_type.iter().map(|times| {
        let kind = times.kind.as_deref().map_or_else(|| "others".to_owned(), plain);
        vec![kind, times.count.to_string(), span(times.mean_ms), span(times.p50_ms), span(times.p90_ms)]
    });
    table(page, &["Type", "Completed", "Mean", "p50 of the last 50", "p90"], rows);
    for (name, about, waits) in [
        ("in the queue", "Priority", &performance.queue_waits),
        ("for resources", "Resource", &performance.resource_waits),
    ] {
        let _ = writeln!(page, "### Waits {name}, the last 50 of each in 24 h\n");
        if waits.is_empty() {
            let _ = writeln!(page, "None.\n");
            continue;
        }
        let rows = waits.iter().map(|it| {
            let times = [it.p50_ms, it.p90_ms, it.longest_ms].map(span);
            [vec![plain(&it.about), it.count.to_string()], times.into()].concat()
        });
        table(page, &[about, "Waits", "p50", "p90", "Longest"], rows);
    }
}

fn bottlenecks(page: &mut String, report: &Report) {
    let _ = writeln!(page, "## Bottlenecks\n");
    if report.bottlenecks.is_empty() {
        let _ = writeln!(page, "None.\n");
    }
    if !report.bottlenecks.is_empty() {
        let rows = report.bottlenecks.iter().map(|it| {
            vec![
                it.id.clone().unwrap_or_default(),
                it.kind.replace('_', " "),
                plain(&it.about),
                it.severity.clone().unwrap_or_default(),
                it.measured.as_ref().map(measured).unwrap_or_default(),
                plain(&it.detail),
            ]
        });
        let heads = ["Bottleneck", "Kind", "About", "Severity", "Measured", "What is the matter"];
        table(page, &heads, rows);
    }
    if let Some(since) = &report.degraded_since {
        let _ = writeln!(page, "\nThe fleet does worse than it did, since {since}.");
    }
    if !report.actions.is_empty() {
        let _ = writeln!(page, "\n### What was done, and what came of it\n");
        let rows = report.actions.iter().map(|it| {
            vec![
                it.id.clone(),
                plain(&it.about),
                plain(&it.does),
                it.at.clone(),
                it.ended_at.clone().unwrap_or_else(|| format!("until {}", it.expires_at)),
                measured(&it.before),
                it.after.as_ref().map(measured).unwrap_or_default(),
                it.effect.clone().unwrap_or_else(|| "goes on".to_owned()),
            ]
        });
        let heads = ["Action", "About", "Does", "From", "Ended", "Before", "After", "Effect"];
        table(page, &heads, rows);
    }
    let _ = writeln!(page, "\n## Recommendations\n");
    if report.recommendations.is_empty() {
        let _ = writeln!(page, "None.");
    }
    for each in &report.recommendations {
        let _ =
            writeln!(page, "- {}: {}. {}", plain(&each.action), code(&each.command), plain(&each.evidence));
    }
    page.push('\n');
}

fn escalations(page: &mut String, report: &Report) {
    let _ = writeln!(page, "## Escalations: {} open\n", report.escalations_open);
    let rows = report.escalations.iter().map(|it| {
        vec![
            it.id.clone(),
            it.kind.clone(),
            it.severity.clone(),
            plain(it.about().unwrap_or("the fleet")),
            it.due.clone() + if it.overdue { ", overdue" } else { "" },
            plain(&it.detail),
        ]
    });
    table(page, &["Escalation", "Kind", "Severity", "About", "Due", "Detail"], rows);
}

fn tables(page: &mut String, report: &Report) {
    let _ = writeln!(page, "## Agents\n");
    let rows = report.agent_table.iter().map(|agent| {
        vec![
            plain(&agent.name),
            plain(&agent.role),
            agent.state.clone(),
            format!("{}/{}", agent.tasks, agent.slots),
            agent.completed.to_string(),
            agent.failed.to_string(),
            agent.lost.to_string(),
            optional(agent.efficiency_score, |it| it.to_string()),
            optional(agent.efficiency_before, |it| it.to_string()),
            optional(agent.success_rate, |it| it.to_string()),
        ]
    });
    let heads = ["Agent", "Role", "State", "Slots taken", "Completed", "Failed", "Lost"];
    let day = ["Efficiency, last 24 h", "24 h before", "Success, last 24 h"];
    table(page, &[&heads[..], &day[..]].concat(), rows);
    let _ = writeln!(page, "## Projects\n");
    let rows = report.projects.iter().map(|project| {
        let tasks = &project.tasks;
        let open = tasks.total - tasks.completed - tasks.failed - tasks.cancelled - tasks.archived;
        vec![
            plain(&project.name),
            format!("{}/{}", tasks.completed, tasks.total),
            open.to_string(),
            tasks.failed.to_string(),
            project.deadline.clone().unwrap_or_default(),
        ]
    });
    table(page, &["Project", "Done", "Open", "Failed", "Deadline"], rows);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_steer_the_page() {
        let text = "a|b\n# head <script> [x](http://y) `c` \u{1b}[31m \u{202e}\u{200b}\u{e0041}";
        let shown = plain(text);
        assert_eq!(
            shown,
            "a\\|b \\# head &lt;script&gt; \\[x\\]\\(http://y\\) \\`c\\` \u{fffd}\\[31m \u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(code("kapell why `x` | y\n"), "`kapell why x  y`");
    }

    #[test]
    fn plots_of_text() {
        assert_eq!(sparkline(&[0, 1, 4, 8]), "▁▂▅█");
        assert_eq!(sparkline(&[0, 0]), "▁▁");
        assert_eq!(bar(0.5), format!("{}{}", "█".repeat(10), "░".repeat(10)));
    }
}
