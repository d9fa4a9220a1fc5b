//! `kapell bottlenecks`: what holds the work up, and what is done about it.

use kapell_api::{Bottleneck, BottleneckAction, Measured};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Args)]
pub struct Bottlenecks {
    /// open, gone or all
    #[arg(long, default_value = "open")]
    state: String,
}

impl Bottlenecks {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let all = context.client()?.bottlenecks(&self.state)?;
        match context.format() {
            Format::Json => output::json(&all)?,
            Format::Human => show(&all),
        }
        Ok(Exit::Ok)
    }
}

fn show(all: &[Bottleneck]) {
    let row = |it: &Bottleneck| {
        vec![
            it.id.clone().unwrap_or_default(),
            it.kind.replace('_', " "),
            output::cut(&it.about, 30),
            it.severity.clone().unwrap_or_default(),
            it.measured.as_ref().map(measured).unwrap_or_default(),
            it.found_at.as_deref().map(words::age).unwrap_or_default(),
            output::cut(&it.detail, 80),
        ]
    };
    let heads = ["ID", "KIND", "ABOUT", "SEVERITY", "MEASURED", "SINCE", "DETAIL"];
    output::table(&heads, all.iter().map(row).collect());
    let actions: Vec<&BottleneckAction> = all.iter().flat_map(|it| &it.actions).collect();
    if actions.is_empty() {
        return;
    }
    let row = |it: &&BottleneckAction| {
        let ended = it.ended_because.clone().unwrap_or_else(|| format!("until {}", it.expires_at));
        let after = it.after.as_ref().map(measured).unwrap_or_default();
        vec![
            it.id.clone(),
            it.bottleneck.clone(),
            output::cut(&it.does, 60),
            output::cut(&it.agents.join(" "), 30),
            ended,
            measured(&it.before),
            after,
            it.effect.clone().unwrap_or_default(),
        ]
    };
    let heads = ["ACTION", "FOR", "DOES", "AGENTS", "ENDED", "BEFORE", "AFTER", "EFFECT"];
    output::table(&heads, actions.iter().map(row).collect());
}

fn measured(it: &Measured) -> String {
    if it.of.ends_with("_ms") {
        let minutes = |millis: f64| format!("{:.1} min", millis / 60_000.0);
        return format!("{} of {}", minutes(it.value), minutes(it.bound));
    }
    format!("{:.2} of {:.2}", it.value, it.bound)
}
