//! `kapell forecast`.

use kapell_api::{ErrorCode, Forecast};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

/// Path tasks that are shown to a person.
const STEPS_SHOWN: usize = 20;

/// Show when a project will be done.
#[derive(Debug, clap::Args)]
pub struct Forecasts {
    /// The project
    project: String,
    /// Make a new forecast, even where there is one already
    #[arg(long)]
    now: bool,
    /// Draw chance from this seed, 16 hexadecimal digits, as an earlier forecast shows it
    #[arg(long, requires = "now")]
    seed: Option<String>,
}

impl Forecasts {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let known = if self.now { None } else { Some(client.forecast(&self.project)) };
        let forecast = match known {
            Some(Err(error)) if error.problem().is_some_and(|it| it.code == ErrorCode::NotFound) => {
                client.make_forecast(&self.project, None)?
            }
            Some(known) => known?,
            None => client.make_forecast(&self.project, self.seed)?,
        };
        match context.format() {
            Format::Json => output::json(&forecast)?,
            Format::Human => show(&forecast),
        }
        Ok(Exit::Ok)
    }
}

fn show(it: &Forecast) {
    let outdated = if it.outdated { ", something has changed since" } else { "" };
    output::line(format!(
        "{}: {} open tasks; forecast {} ago{outdated}",
        it.project,
        it.open,
        words::age(&it.at)
    ));
    output::line(format!("  p50 {}   p80 {}   p90 {}", it.p50, it.p80, it.p90));
    match (&it.deadline, it.slack_hours) {
        (Some(deadline), Some(slack)) if it.at_risk => {
            output::line(format!("  deadline {deadline}: AT RISK, p80 is {:.1} h past it", -slack));
        }
        (Some(deadline), Some(slack)) => {
            output::line(format!("  deadline {deadline}: {slack:.1} h after p80"));
        }
        _ => output::line("  no deadline"),
    }
    if !it.path.is_empty() {
        output::line(format!("longest path, {:.1} h:", it.path_hours));
        let step = |it: &kapell_api::ForecastStep| {
            vec![it.task.clone(), it.state.clone(), format!("{:.1}", it.hours), output::cut(&it.title, 60)]
        };
        output::table(
            &["TASK", "STATE", "HOURS LEFT", "TITLE"],
            it.path.iter().take(STEPS_SHOWN).map(step).collect(),
        );
        if it.path.len() > STEPS_SHOWN {
            output::line(format!("  and {} more", it.path.len() - STEPS_SHOWN));
        }
    }
    for gain in &it.gains {
        output::line(format!("one more agent in {} would save {:.1} h", gain.capability, gain.hours_saved));
    }
    for task in it.critical.iter().filter(|task| task.at_risk) {
        let deadline = task.deadline.as_deref().unwrap_or_default();
        output::line(format!("{} is critical: p50 {} is past its deadline {deadline}", task.task, task.p50));
    }
    for fact in &it.because {
        output::line(format!("  {fact}"));
    }
}
