//! A report as one HTML file: plots as inline SVG, each with its numbers as a table, no script and nothing from outside. What came
//! from outside is data: every text goes through [`text`].

use std::fmt::Write as _;

use jiff::Timestamp;
use kapell_api::{BottleneckAction, Report, Sample, Usage};
use kapell_core::money;
use kapell_model::{Span, is_unseen};

use super::plot::{self, Line, Plot, Scale};
use super::{measured, path, slack};

const STYLE: &str = include_str!("../../../assets/report.css");
const HOUR: i64 = Span::hours(1).0;

/// Shows a report as HTML.
pub(crate) fn html(report: &Report) -> String {
    let day = text(report.at.get(..10).unwrap_or_default());
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         <title>Orchestration report, {day}</title>\n<style>{STYLE}</style></head>\n<body><header><h1>Orchestration report, {day}</h1>"
    );
    let _ = write!(
        page,
        "<p class=\"note\">As of {}, event {} of the log, policy {}. Times are UTC.</p></header>\n<main>",
        text(&clock(&report.at)),
        report.position,
        report.policy_version
    );
    tiles(&mut page, report);
    let course = Course::of(report);
    health(&mut page, report, &course);
    load(&mut page, &course);
    flow(&mut page, report, &course);
    lead_times(&mut page, report, &course);
    waits(&mut page, report);
    bottlenecks(&mut page, report);
    recommendations(&mut page, report);
    conflicts(&mut page, report);
    emergencies(&mut page, report);
    forecasts(&mut page, report);
    escalations(&mut page, report);
    costs(&mut page, report);
    rows(&mut page, report);
    page + "</main></body></html>\n"
}

/// Takes its meaning from every sign that HTML would act on, and from those that are invisible.
pub(super) fn text(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            '\n' | '\t' | '\r' => shown.push(' '),
            c if c.is_control() || is_unseen(c) => shown.push('\u{fffd}'),
            c => shown.push(c),
        }
    }
    shown
}

/// What stands in one place of a table.
enum Cell {
    Text(String),
    Number(String),
    /// A word with a class of the page's style.
    Word(&'static str, String),
    Code(String),
    /// A share of one.
    Meter(f64),
    /// A picture that was made here.
    Picture(String),
}

impl Cell {
    fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    fn number(number: impl ToString) -> Self {
        Self::Number(number.to_string())
    }

    fn optional<T>(value: Option<T>, show: impl Fn(T) -> String) -> Self {
        value.map_or_else(|| Self::text("no data"), |value| Self::Number(show(value)))
    }

    fn put(&self, page: &mut String) {
        let _ = match self {
            Self::Text(it) => write!(page, "<td>{}</td>", text(it)),
            Self::Number(it) => write!(page, "<td class=\"number\">{}</td>", text(it)),
            Self::Word(class, it) => {
                write!(page, "<td><span class=\"word {class}\">{}</span></td>", text(it))
            }
            Self::Code(it) => write!(page, "<td><code>{}</code></td>", text(it)),
            Self::Meter(share) => {
                let width = (share.clamp(0.0, 1.0) * 100.0).round();
                write!(
                    page,
                    "<td><svg class=\"meter\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
                     <path class=\"rest\" d=\"M0 4H100\"/><path class=\"key c1\" d=\"M0 4H{width:.0}\"/></svg></td>"
                )
            }
            Self::Picture(it) => write!(page, "<td>{it}</td>"),
        };
    }
}

fn table(page: &mut String, headings: &[&str], rows: impl IntoIterator<Item = Vec<Cell>>) {
    page.push_str("<div class=\"scroll\"><table><thead><tr>");
    for heading in headings {
        let _ = write!(page, "<th scope=\"col\">{}</th>", text(heading));
    }
    page.push_str("</tr></thead><tbody>");
    for row in rows {
        page.push_str("<tr>");
        row.iter().for_each(|cell| cell.put(page));
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table></div>");
}

/// Gives a plot its numbers.
fn twin(page: &mut String, headings: &[&str], rows: impl IntoIterator<Item = Vec<Cell>>) {
    page.push_str("<details><summary>The numbers</summary>");
    table(page, headings, rows);
    page.push_str("</details>");
}

fn section(page: &mut String, title: &str, body: impl FnOnce(&mut String)) {
    let _ = write!(page, "\n<section><h2>{}</h2>", text(title));
    body(page);
    page.push_str("</section>");
}

fn span(millis: i64) -> String {
    Span(millis).to_string()
}

fn decimal(value: f64) -> String {
    value.to_string()
}

/// Shows a moment without what nobody reads.
fn clock(at: &str) -> String {
    let (day, time) = (at.get(..10).unwrap_or(at), at.get(11..16).unwrap_or_default());
    format!("{day} {time}")
}

/// Shows a moment to the second: samples may be close to each other.
fn to_the_second(at: &str) -> String {
    format!("{} {}", at.get(..10).unwrap_or(at), at.get(11..19).unwrap_or_default())
}

fn millis(at: &str) -> Option<i64> {
    Some(at.parse::<Timestamp>().ok()?.as_millisecond())
}

/// How a fleet has stood: the samples of the report with their moments, ascending.
struct Course<'a> {
    samples: Vec<&'a Sample>,
    moments: Vec<i64>,
}

impl<'a> Course<'a> {
    fn of(report: &'a Report) -> Self {
        let mut course = Self { samples: Vec::new(), moments: Vec::new() };
        for sample in &report.course {
            if let Some(at) =
                millis(&sample.at).filter(|at| course.moments.last().is_none_or(|last| last < at))
            {
                course.samples.push(sample);
                course.moments.push(at);
            }
        }
        course
    }

    fn row(&self, of: impl Fn(&Sample) -> Option<f64>) -> Vec<Option<f64>> {
        self.samples.iter().map(|sample| of(sample)).collect()
    }

    /// Draws a plot with its numbers, where there is more than the present.
    fn plot(
        &self,
        page: &mut String,
        draw: fn(&Plot<'_>) -> String,
        plot: &Plot<'_>,
        show: impl Fn(f64) -> String,
    ) {
        if self.moments.len() < 2 {
            page.push_str("<p class=\"note\">No course yet: nothing was noted before this moment.</p>");
            return;
        }
        page.push_str(&draw(plot));
        let mut headings = vec!["At"];
        headings.extend(plot.lines.iter().map(|line| line.name));
        let rows = self.samples.iter().enumerate().rev().map(|(place, sample)| {
            let values = plot.lines.iter().map(|line| Cell::optional(line.values[place], &show));
            [Cell::text(to_the_second(&sample.at))].into_iter().chain(values).collect()
        });
        twin(page, &headings, rows);
    }
}

fn tiles(page: &mut String, report: &Report) {
    let by = &report.tasks.by_state;
    let open = by.total - by.completed - by.failed - by.cancelled - by.archived;
    let health = if report.health.total < report.health.alert_below { "bad" } else { "good" };
    let emergencies = report.emergencies.iter().filter(|it| it.state != "ended").count();
    let tiles = [
        ("health", decimal(report.health.total), health),
        ("agents online", format!("{} of {}", report.active_agents, report.agents.total), ""),
        ("slots taken", format!("{} of {}", report.agents.slots_used, report.agents.slots), ""),
        ("open tasks", open.to_string(), ""),
        ("in progress", by.in_progress.to_string(), ""),
        ("blocked", by.blocked.to_string(), ""),
        ("critical", report.tasks.critical.to_string(), ""),
        ("completed today", report.tasks.completed_today.to_string(), ""),
        ("open conflicts", report.conflicts_open.to_string(), ""),
        ("open escalations", report.escalations_open.to_string(), ""),
        ("emergencies", emergencies.to_string(), if emergencies > 0 { "bad" } else { "" }),
    ];
    page.push_str("<ul class=\"tiles\">");
    for (name, value, class) in tiles {
        let _ =
            write!(page, "<li><strong class=\"{class}\">{}</strong><span>{name}</span></li>", text(&value));
    }
    page.push_str("</ul>");
    if let Some(since) = &report.degraded_since {
        let _ = write!(
            page,
            "<p class=\"trouble\">The fleet does worse than it did, since {}.</p>",
            text(&clock(since))
        );
    }
}

fn health(page: &mut String, report: &Report, course: &Course<'_>) {
    let health = &report.health;
    section(page, &format!("Health: {}", health.total), |page| {
        let low = health
            .low_since
            .as_ref()
            .map_or_else(String::new, |since| format!(" Low since {}.", clock(since)));
        let _ =
            write!(page, "<p class=\"note\">The alert is below {}.{}</p>", health.alert_below, text(&low));
        let plot = Plot {
            says: "The health over time, with the value below which there is an alert",
            scale: Scale::Share,
            moments: &course.moments,
            lines: vec![Line { name: "health", class: "c1", values: course.row(|it| Some(it.health)) }],
            mark: Some(health.alert_below),
        };
        course.plot(page, plot::lines, &plot, decimal);
        page.push_str("<h3>Its parts</h3>");
        let rows = health.parts.iter().map(|part| {
            let values = course.row(|it| it.parts.get(part.name.as_str()).copied());
            let says = format!("{} over time", part.name);
            vec![
                Cell::text(&part.name),
                Cell::Meter(part.value),
                Cell::text(if part.no_data {
                    "no data".to_owned()
                } else {
                    format!("{} of {}", part.good, part.all)
                }),
                Cell::text(format!("{} x {} = {}", part.value, part.weight, part.adds)),
                Cell::text(&part.counts),
                Cell::Picture(if course.moments.len() < 2 {
                    String::new()
                } else {
                    plot::spark(&says, &course.moments, &values)
                }),
            ]
        });
        table(page, &["Part", "Now", "Count", "Adds", "What is counted", "Over time"], rows);
        if course.moments.len() > 1 {
            let mut headings = vec!["At"];
            headings.extend(health.parts.iter().map(|part| part.name.as_str()));
            let rows = course.samples.iter().rev().map(|sample| {
                let values = health
                    .parts
                    .iter()
                    .map(|part| Cell::optional(sample.parts.get(part.name.as_str()).copied(), decimal));
                [Cell::text(to_the_second(&sample.at))].into_iter().chain(values).collect()
            });
            twin(page, &headings, rows);
        }
        for part in health.parts.iter().filter(|part| !part.causes.is_empty()) {
            let _ = write!(page, "<h3>What makes {} low</h3><ul>", text(&part.name));
            for cause in &part.causes {
                let _ = write!(page, "<li>{}</li>", text(cause));
            }
            page.push_str("</ul>");
        }
    });
}

fn load(page: &mut String, course: &Course<'_>) {
    section(page, "Load over time", |page| {
        let line = |name, class, of: fn(&Sample) -> u32| Line {
            name,
            class,
            values: course.row(|it| Some(f64::from(of(it)))),
        };
        let plot = Plot {
            says: "Slots of the agents online over time, and how many of them are taken",
            scale: Scale::Count,
            moments: &course.moments,
            lines: vec![
                line("slots taken", "c1", |it| it.slots_used),
                line("slots online", "c4 dashed", |it| it.slots),
                line("waiting in the queue", "c3 dotted", |it| it.ready),
            ],
            mark: None,
        };
        course.plot(page, plot::lines, &plot, decimal);
    });
}

fn flow(page: &mut String, report: &Report, course: &Course<'_>) {
    section(page, "Flow", |page| {
        page.push_str("<h3>By hour, the last 24</h3>");
        let performance = &report.performance;
        // The present hour ends after the report.
        let last = (millis(&report.at).unwrap_or_default().div_euclid(HOUR) + 1) * HOUR;
        let hours = i64::try_from(performance.completed_by_hour.len()).unwrap_or(0);
        let moments: Vec<i64> = (0..hours).map(|hour| last - HOUR * (hours - 1 - hour)).collect();
        let line = |name, class, numbers: &[u32]| {
            let values = numbers.iter().map(|&number| Some(f64::from(number)));
            Line { name, class, values: values.collect() }
        };
        let plot = Plot {
            says: "Tasks submitted and completed, and attempts failed, in each of the last 24 hours",
            scale: Scale::Count,
            moments: &moments,
            lines: vec![
                line("submitted", "c4", &performance.submitted_by_hour),
                line("completed", "c1", &performance.completed_by_hour),
                line("failed", "bad", &performance.failed_by_hour),
            ],
            mark: None,
        };
        page.push_str(&plot::bars(&plot));
        let rows = moments.iter().enumerate().rev().map(|(place, &end)| {
            let start = Timestamp::from_millisecond(end - HOUR).map(|it| it.to_string()).unwrap_or_default();
            let values = plot
                .lines
                .iter()
                .map(|line| Cell::optional(line.values.get(place).copied().flatten(), decimal));
            [Cell::text(clock(&start))].into_iter().chain(values).collect()
        });
        twin(page, &["Hour from", "Submitted", "Completed", "Failed"], rows);
        page.push_str("<h3>Open work by state</h3>");
        let line = |name, class, of: fn(&Sample) -> u32| Line {
            name,
            class,
            values: course.row(|it| Some(f64::from(of(it)))),
        };
        let plot = Plot {
            says: "Open tasks over time by state, on top of each other",
            scale: Scale::Count,
            moments: &course.moments,
            lines: vec![
                line("before their gates", "c4", |it| it.gated),
                line("assigned or in progress", "c1", |it| it.running),
                line("ready", "c2", |it| it.ready),
                line("blocked", "c3", |it| it.blocked),
                line("deferred", "c5", |it| it.deferred),
            ],
            mark: None,
        };
        course.plot(page, plot::stack, &plot, decimal);
        page.push_str("<h3>Rates</h3>");
        let (day, before) = (&performance.last_day, &performance.day_before);
        let row = |name: &str, now: Cell, then: Cell| vec![Cell::text(name), now, then];
        let count = |name: &str, now: u32, then: u32| row(name, Cell::number(now), Cell::number(then));
        let time = |name: &str, now, then| row(name, Cell::optional(now, span), Cell::optional(then, span));
        let share =
            |name: &str, now, then| row(name, Cell::optional(now, decimal), Cell::optional(then, decimal));
        let rows = [
            time("average completion", day.completion_mean_ms, before.completion_mean_ms),
            time("average lead time", day.lead_mean_ms, before.lead_mean_ms),
            share("success rate", day.success_rate, before.success_rate),
            share("efficiency score", day.efficiency_score, before.efficiency_score),
            share("messages per task", day.messages_per_task, before.messages_per_task),
            share("handoffs per task", day.handoffs_per_task, before.handoffs_per_task),
            count("completed", day.completed, before.completed),
            count("submitted", day.submitted, before.submitted),
            count("failed attempts", day.failed, before.failed),
        ];
        table(page, &["", "Last 24 h", "24 h before"], rows);
    });
}

fn lead_times(page: &mut String, report: &Report, course: &Course<'_>) {
    section(page, "Lead times", |page| {
        page.push_str(
            "<p class=\"note\">From submission to completion, of the last 50 completed at each moment.</p>",
        );
        let time = |of: fn(&Sample) -> Option<i64>| {
            course.row(move |it| {
                of(it)
                    .map(|millis| std::time::Duration::from_millis(millis.unsigned_abs()).as_secs_f64() * 1e3)
            })
        };
        let plot = Plot {
            says: "The lead time that half of the last 50 did not exceed, and that nine of ten did not, over time",
            scale: Scale::Span,
            moments: &course.moments,
            lines: vec![
                Line { name: "p50", class: "c1", values: time(|it| it.lead_p50_ms) },
                Line { name: "p90", class: "c3 dashed", values: time(|it| it.lead_p90_ms) },
            ],
            mark: None,
        };
        course.plot(page, plot::lines, &plot, |value| Scale::Span.label(value));
        page.push_str("<h3>Completion times by type, from start to report</h3>");
        let rows = report.performance.by_type.iter().map(|times| {
            vec![
                Cell::text(times.kind.as_deref().unwrap_or("others")),
                Cell::number(times.count),
                Cell::Number(span(times.mean_ms)),
                Cell::Number(span(times.p50_ms)),
                Cell::Number(span(times.p90_ms)),
            ]
        });
        table(page, &["Type", "Completed", "Mean", "p50 of the last 50", "p90"], rows);
    });
}

fn waits(page: &mut String, report: &Report) {
    section(page, "Waits", |page| {
        page.push_str("<p class=\"note\">Of what was over within 24 hours, the last 50 of each.</p>");
        let performance = &report.performance;
        for (title, about, waits) in [
            ("In the queue, until a task got an owner", "Priority", &performance.queue_waits),
            ("For resources, the slowest first", "Resource", &performance.resource_waits),
        ] {
            let _ = write!(page, "<h3>{title}</h3>");
            if waits.is_empty() {
                page.push_str("<p class=\"note\">None.</p>");
                continue;
            }
            let rows = waits.iter().map(|it| {
                let times = [it.p50_ms, it.p90_ms, it.longest_ms].map(|it| Cell::Number(span(it)));
                [Cell::text(&it.about), Cell::number(it.count)].into_iter().chain(times).collect()
            });
            table(page, &[about, "Waits", "p50", "p90", "Longest"], rows);
        }
    });
}

/// Returns the class for a severity or a priority.
fn urgency(word: &str) -> &'static str {
    match word {
        "critical" | "high" => "bad",
        "medium" => "warn",
        _ => "",
    }
}

fn bottlenecks(page: &mut String, report: &Report) {
    section(page, "Bottlenecks", |page| {
        if report.bottlenecks.is_empty() {
            page.push_str("<p class=\"note\">None.</p>");
        } else {
            let rows = report.bottlenecks.iter().map(|it| {
                let severity = it.severity.clone().unwrap_or_default();
                vec![
                    Cell::number(it.id.as_deref().unwrap_or_default()),
                    Cell::text(it.kind.replace('_', " ")),
                    Cell::text(&it.about),
                    Cell::Word(urgency(&severity), severity),
                    Cell::Number(it.measured.as_ref().map(measured).unwrap_or_default()),
                    Cell::text(&it.detail),
                ]
            });
            table(page, &["", "Kind", "About", "Severity", "Measured", "What is the matter"], rows);
        }
        if !report.actions.is_empty() {
            page.push_str("<h3>What was done, and what came of it</h3>");
            table(
                page,
                &["", "About", "Does", "From", "Until", "Before", "After", "Effect"],
                report.actions.iter().map(action),
            );
        }
    });
}

fn action(it: &BottleneckAction) -> Vec<Cell> {
    let effect = it.effect.as_deref();
    let class = match effect {
        Some("better") => "good",
        Some("worse") => "bad",
        _ => "",
    };
    let until = match (&it.ended_at, &it.ended_because) {
        (Some(at), Some(because)) => format!("{}, {because}", clock(at)),
        _ => format!("{} at the latest", clock(&it.expires_at)),
    };
    let agents = if it.agents.is_empty() { String::new() } else { format!(": {}", it.agents.join(", ")) };
    vec![
        Cell::number(&it.id),
        Cell::text(&it.about),
        Cell::text(format!("{}{agents}", it.does)),
        Cell::text(clock(&it.at)),
        Cell::text(until),
        Cell::Number(measured(&it.before)),
        Cell::Number(it.after.as_ref().map(measured).unwrap_or_default()),
        Cell::Word(class, effect.unwrap_or("goes on").to_owned()),
    ]
}

fn recommendations(page: &mut String, report: &Report) {
    section(page, "Recommendations", |page| {
        if report.recommendations.is_empty() {
            page.push_str("<p class=\"note\">None.</p>");
            return;
        }
        let rows = report
            .recommendations
            .iter()
            .map(|it| vec![Cell::text(&it.action), Cell::Code(it.command.clone()), Cell::text(&it.evidence)]);
        table(page, &["What could be done", "Command", "Why"], rows);
    });
}

fn conflicts(page: &mut String, report: &Report) {
    section(page, &format!("Conflicts: {} open", report.conflicts_open), |page| {
        if report.conflicts.is_empty() {
            page.push_str("<p class=\"note\">None.</p>");
            return;
        }
        let rows = report.conflicts.iter().map(|it| {
            let how = it.ruling.clone().unwrap_or_else(|| it.because.join("; "));
            let class = if it.settled_at.is_none() { "warn" } else { "" };
            vec![
                Cell::number(&it.id),
                Cell::text(it.kind.replace('_', " ")),
                Cell::Word(class, it.state.clone()),
                Cell::text(it.tasks.join(", ")),
                Cell::text(it.parties.join(", ")),
                Cell::text(clock(&it.opened_at)),
                Cell::text(how),
            ]
        });
        table(page, &["", "Kind", "State", "Tasks", "Parties", "Opened", "How it stands"], rows);
    });
}

fn emergencies(page: &mut String, report: &Report) {
    if report.emergencies.is_empty() && report.forces.is_empty() {
        return;
    }
    section(page, "Emergencies", |page| {
        for it in &report.emergencies {
            let about = it.task.as_deref().or(it.project.as_deref()).unwrap_or("the fleet");
            let title = format!("{} {} of {about}, {}", it.id, it.kind.replace('_', " "), it.state);
            let _ = write!(page, "<h3>{}</h3><p>", text(&title));
            let _ = write!(page, "Declared {}: {}.", text(&clock(&it.declared_at)), text(&it.detail));
            if let Some(reason) = &it.ended_because {
                let _ = write!(page, " Over: {}.", text(reason));
            }
            if let Some(hours) = it.path_hours {
                let (path, slack) = (path(&it.path, hours), slack(it.slack_hours));
                let _ = write!(page, " Longest path: {}. Slack: {}.", text(&path), text(&slack));
            }
            page.push_str("</p>");
            let rows = it.actions.iter().map(|action| {
                let settled = action.settled.as_deref().unwrap_or("in effect");
                let class = if action.settled.is_none() { "warn" } else { "" };
                let at = action.settled_at.as_deref().map(clock).unwrap_or_default();
                vec![
                    Cell::text(&action.says),
                    Cell::text(clock(&action.at)),
                    Cell::Word(class, settled.to_owned()),
                    Cell::text(at),
                ]
            });
            table(page, &["What was done", "At", "Now", "Since"], rows);
        }
        if !report.forces.is_empty() {
            page.push_str("<h3>Task forces</h3>");
            let rows = report.forces.iter().map(|it| {
                let about = it.task.as_deref().or(it.project.as_deref()).unwrap_or_default();
                let members: Vec<&str> = it.members.iter().map(|member| member.agent.as_str()).collect();
                let last =
                    it.checkpoints.iter().rev().find_map(|it| it.found.as_deref()).unwrap_or("none yet");
                vec![
                    Cell::number(&it.id),
                    Cell::text(about),
                    Cell::text(&it.lead),
                    Cell::text(members.join(", ")),
                    Cell::Number(format!("{} %", it.done_percent)),
                    Cell::text(last.replace('_', " ")),
                ]
            });
            table(page, &["", "For", "Lead", "Members", "Done", "Last checkpoint"], rows);
        }
    });
}

fn forecasts(page: &mut String, report: &Report) {
    if report.forecasts.is_empty() {
        return;
    }
    section(page, "Forecasts", |page| {
        let rows = report.forecasts.iter().map(|it| {
            let (class, word) = if it.at_risk { ("bad", "at risk") } else { ("good", "in time") };
            vec![
                Cell::text(&it.project),
                Cell::text(it.deadline.as_deref().map(clock).unwrap_or_default()),
                Cell::text(clock(&it.p50)),
                Cell::text(clock(&it.p80)),
                Cell::text(clock(&it.p90)),
                Cell::Word(class, word.to_owned()),
                Cell::Number(slack(it.slack_hours)),
                Cell::text(path(&it.path, it.path_hours)),
            ]
        });
        let heads = ["Project", "Deadline", "p50", "p80", "p90", "", "Slack", "Longest path"];
        table(page, &heads, rows);
    });
}

fn escalations(page: &mut String, report: &Report) {
    section(page, &format!("Escalations: {} open", report.escalations_open), |page| {
        let rows = report.escalations.iter().map(|it| {
            let class = if it.overdue { "bad" } else { "" };
            vec![
                Cell::number(&it.id),
                Cell::text(it.kind.replace('_', " ")),
                Cell::Word(urgency(&it.severity), it.severity.clone()),
                Cell::text(it.about().unwrap_or("the fleet")),
                Cell::Word(class, clock(&it.due) + if it.overdue { ", overdue" } else { "" }),
                Cell::text(&it.detail),
            ]
        });
        table(page, &["", "Kind", "Severity", "About", "Due", "Detail"], rows);
    });
}

/// Shows what was spent; nothing where nothing was, and nothing is closed.
fn costs(page: &mut String, report: &Report) {
    let costs = &report.costs;
    if costs.total == Usage::default() && costs.closed.is_empty() {
        return;
    }
    let amount = |usage: &Usage| {
        let tokens = usage.input_tokens + usage.output_tokens;
        format!("{} {} and {tokens} tokens", money(usage.money_micros), costs.currency)
    };
    let columns = |name: &str, usage: &Usage| {
        let tokens = [usage.input_tokens, usage.cached_tokens, usage.output_tokens].map(Cell::number);
        [Cell::text(name), Cell::number(money(usage.money_micros))].into_iter().chain(tokens).collect()
    };
    section(page, "Costs", |page| {
        let running = money(costs.running.money_micros);
        let said = format!(
            "{} in all, {} today; running work is expected to cost {running} {} more.",
            amount(&costs.total),
            amount(&costs.today),
            costs.currency
        );
        let _ = write!(page, "<p>{}</p>", text(&said));
        for it in &costs.closed {
            let said = format!("{}: {}", it.state, it.because.as_deref().unwrap_or_default());
            let _ = write!(page, "<p>{}</p>", text(&said));
        }
        for (heading, all) in
            [("Project", &costs.projects), ("Agent", &costs.agents), ("Type of task", &costs.types)]
        {
            if !all.is_empty() {
                let rows = all.iter().map(|it| columns(&it.name, &it.total));
                table(page, &[heading, &costs.currency, "Read", "Cached", "Written"], rows);
            }
        }
        if !costs.days.is_empty() {
            let rows = costs.days.iter().map(|it| columns(&it.day, &it.usage));
            table(page, &["Day", &costs.currency, "Read", "Cached", "Written"], rows);
        }
    });
}

fn rows(page: &mut String, report: &Report) {
    section(page, "Agents", |page| {
        let rows = report.agent_table.iter().map(|agent| {
            let class = if agent.state == "online" { "good" } else { "" };
            vec![
                Cell::text(&agent.name),
                Cell::text(&agent.role),
                Cell::Word(class, agent.state.clone()),
                Cell::Number(format!("{}/{}", agent.tasks, agent.slots)),
                Cell::number(agent.completed),
                Cell::number(agent.failed),
                Cell::number(agent.lost),
                Cell::optional(agent.efficiency_score, decimal),
                Cell::optional(agent.efficiency_before, decimal),
                Cell::optional(agent.success_rate, decimal),
            ]
        });
        let heads = ["Agent", "Role", "State", "Slots taken", "Completed", "Failed", "Lost"];
        let day = ["Efficiency, last 24 h", "24 h before", "Success, last 24 h"];
        table(page, &[&heads[..], &day[..]].concat(), rows);
    });
    section(page, "Projects", |page| {
        let rows = report.projects.iter().map(|project| {
            let tasks = &project.tasks;
            let open = tasks.total - tasks.completed - tasks.failed - tasks.cancelled - tasks.archived;
            vec![
                Cell::text(&project.name),
                Cell::Number(format!("{}/{}", tasks.completed, tasks.total)),
                Cell::number(open),
                Cell::number(tasks.failed),
                Cell::text(project.deadline.as_deref().map(clock).unwrap_or_default()),
            ]
        });
        table(page, &["Project", "Done", "Open", "Failed", "Deadline"], rows);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_steer_the_page() {
        assert_eq!(
            text("<script>alert('a')</script> & \"b\"\n\u{1b}[31m \u{202e}\u{200b}\u{e0041}"),
            "&lt;script&gt;alert(&#39;a&#39;)&lt;/script&gt; &amp; &quot;b&quot; \u{fffd}[31m \u{fffd}\u{fffd}\u{fffd}"
        );
        for cell in [
            Cell::Text("<i>".into()),
            Cell::Number("<i>".into()),
            Cell::Word("", "<i>".into()),
            Cell::Code("<i>".into()),
        ] {
            let mut page = String::new();
            cell.put(&mut page);
            assert!(page.contains("&lt;i&gt;") && !page.contains("<i>"), "{page}");
        }
    }
}
