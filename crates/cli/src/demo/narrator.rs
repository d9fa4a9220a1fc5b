//! Live progress: a bar per project where there is a terminal, and a line for everything out of the ordinary.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use kapell_api::{Client, Event, Status};

use crate::output;

/// The voice of the demo.
pub struct Narrator {
    started: Instant,
    bars: MultiProgress,
    projects: BTreeMap<String, ProgressBar>,
    line: ProgressBar,
    events: Receiver<Event>,
    moved: Cell<u32>,
    first_ended: u32,
}

impl Narrator {
    /// Begins, and follows the events in the background.
    pub fn new(client: &Client) -> anyhow::Result<Self> {
        let (sender, events) = channel();
        let follower = client.clone();
        let after = client.status()?.position;
        std::thread::Builder::new().name("narrator".to_owned()).spawn(move || {
            let Ok(stream) = follower.follow(after) else { return };
            for event in stream.map_while(Result::ok) {
                if sender.send(event).is_err() {
                    return;
                }
            }
        })?;
        let status = client.status()?;
        let bars = MultiProgress::new();
        let line = bars.add(ProgressBar::new_spinner());
        line.set_style(
            ProgressStyle::with_template("{spinner} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        let first_ended = status.tasks.completed + status.tasks.cancelled;
        Ok(Self {
            started: Instant::now(),
            bars,
            projects: BTreeMap::new(),
            line,
            events,
            moved: Cell::new(0),
            first_ended,
        })
    }

    /// Shows how far it is, and tells what has happened.
    pub fn show(&mut self, status: &Status) {
        for project in &status.projects {
            let bars = &self.bars;
            let bar = self.projects.entry(project.name.clone()).or_insert_with(|| {
                let bar = bars.add(ProgressBar::new(0));
                let style = ProgressStyle::with_template("  {prefix:12} [{bar:40}] {pos}/{len}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
                bar.set_prefix(output::cut(&project.name, 12));
                bar
            });
            bar.set_length(u64::from(project.tasks.total));
            bar.set_position(u64::from(
                project.tasks.completed + project.tasks.cancelled + project.tasks.failed,
            ));
        }
        let tasks = &status.tasks;
        self.moved.set((tasks.completed + tasks.cancelled).saturating_sub(self.first_ended));
        self.line.set_message(format!(
            "{} done, {} at work, {} ready, {} blocked, {} of {} agents online",
            tasks.completed,
            tasks.in_progress + tasks.assigned,
            tasks.ready,
            tasks.blocked,
            status.agents.online,
            status.agents.total
        ));
        self.line.tick();
        while let Ok(event) = self.events.try_recv() {
            if let Some(text) = remarkable(&event) {
                self.say(&text);
            }
        }
    }

    /// Tells whether the team has finished something since the beginning.
    pub fn moved(&self) -> bool {
        self.moved.get() > 0
    }

    /// Says a line.
    pub fn say(&self, text: &str) {
        let at = self.started.elapsed().as_secs_f64();
        let line = format!("{at:5.1}s  {}", output::cut(text, 150));
        if self.bars.is_hidden() {
            eprintln!("{line}");
        } else {
            let _ = self.bars.println(line);
        }
    }

    /// Ends: what is still on its way is told.
    pub fn end(&self) {
        while let Ok(event) = self.events.recv_timeout(Duration::from_millis(100)) {
            if let Some(text) = remarkable(&event) {
                self.say(&text);
            }
        }
        let _ = self.bars.clear();
    }
}

/// Returns what is out of the ordinary, in words.
fn remarkable(event: &Event) -> Option<String> {
    let task = event.task.as_deref().unwrap_or_default();
    let agent = event.agent.as_deref().unwrap_or_default();
    let text =
        |member: &str| event.data.get(member).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    Some(match event.kind.as_str() {
        "agent.unreachable" => format!("{agent} has missed its lease; its work is still its own"),
        "agent.offline" => format!("{agent} is offline"),
        "task.returned" => {
            let boosted = event.data.get("boosted").and_then(serde_json::Value::as_bool).unwrap_or(false);
            let boost = if boosted { ", one priority higher" } else { "" };
            format!("{task} is taken back from {agent} ({}) and returns to the queue{boost}", text("cause"))
        }
        "task.moved" => {
            let why = match text("cause").as_str() {
                "balancing" => "who has less to do",
                "stalled" => "since nothing was heard of it",
                _ => "by hand",
            };
            format!("{task} goes from {} to {agent}, {why}", text("from"))
        }
        "task.stalled" => format!("{agent} says nothing about {task}, and is asked how far it is"),
        "cycle.broken" => {
            format!("{task} and {} wait for each other: the edge between them is taken away", text("on"))
        }
        "task.attempt_failed" => {
            format!("{agent} failed {task}: {}; another attempt follows", text("reason"))
        }
        "task.failed" => format!("{task} is given up: {}", text("reason")),
        "task.cancelled" => format!("{task} is cancelled: {}", text("reason")),
        "offer.made" => format!(
            "{agent} reports {task} under the outdated {}; its result is kept as {}",
            event.assignment.as_deref().unwrap_or_default(),
            text("offer")
        ),
        "escalation.raised" => format!("escalation {}: {}", text("escalation"), text("detail")),
        _ => return None,
    })
}
