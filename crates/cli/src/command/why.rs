//! `kapell why` and `why-not`.

use kapell_api::{Part, Scored};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Args)]
pub struct Why {
    /// T-12, or its key
    task: String,
    /// As of this position of the log, or this time, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "POSITION|TIME")]
    at: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct WhyNot {
    /// The agent
    agent: String,
    /// T-12, or its key
    task: String,
    /// As of this position of the log, or this time, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "POSITION|TIME")]
    at: Option<String>,
}

impl Why {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let why = context.client()?.why_at(&self.task, self.at.as_deref())?;
        match context.format() {
            Format::Json => output::json(&why)?,
            Format::Human => {
                output::line(explained(&why));
                output::line(story(&why));
            }
        }
        Ok(Exit::Ok)
    }
}

impl WhyNot {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let why = context.client()?.why_not(&self.agent, &self.task, self.at.as_deref())?;
        match context.format() {
            Format::Json => output::json(&why)?,
            Format::Human => {
                output::line(format!("why {} does not have {}:", why.agent, why.task));
                for reason in &why.reasons {
                    output::line(format!("  {}", output::plain(reason)));
                }
                output::line(scores(std::slice::from_ref(&why.score)));
            }
        }
        Ok(Exit::Ok)
    }
}

/// Returns the decisions about a task for people, and as of when they are.
fn story(why: &kapell_api::Why) -> String {
    let as_of = &why.as_of;
    let (policy, scorer) = (as_of.policy_version, as_of.scorer_version);
    let mut text = if why.decisions.is_empty() { String::new() } else { "decisions".to_owned() };
    for it in &why.decisions {
        text += &format!(
            "\n  {} event {} by {}: {}",
            it.at,
            it.position,
            output::plain(&it.actor),
            output::plain(&it.reason)
        );
    }
    text + &format!("\nas of event {}, {} (policy {policy}, scorer {scorer})", as_of.position, as_of.at)
}

/// Returns an explanation for people.
pub fn explained(why: &kapell_api::Why) -> String {
    let mut text = format!("{} {}\n{}", why.task, output::plain(&why.title), why.state);
    for reason in &why.reasons {
        text += &format!("\n  {}", output::plain(reason));
    }
    if let Some(decision) = &why.decision {
        let how = match decision.decision.as_str() {
            "placed" => "placed by score with",
            "claimed" => "claimed by",
            "moved" => "moved to",
            "handed_over" => "handed over to",
            _ => "assigned by hand to",
        };
        let how = match &decision.moved {
            Some(moved) => moved_from(moved),
            None => how.to_owned(),
        };
        let bar = match &decision.moved {
            Some(_) => String::new(),
            None => format!("; a placement must score above {}", decision.threshold),
        };
        text += &format!(
            "\n{how} {} under {} {} ago (event {}, policy {}, scorer {}){bar}\n{}",
            decision.agent,
            decision.assignment,
            words::age_at(&decision.at, Some(&why.as_of.at)),
            decision.position,
            decision.policy_version,
            decision.scorer_version,
            scores(&decision.considered)
        );
    }
    if let Some(now) = &why.now {
        text += &format!("\nas it stands now; a placement must score above {}", now.threshold);
        if !now.candidates.is_empty() {
            text += &format!("\n{}", scores(&now.candidates));
        }
        for not in &now.not_candidates {
            text += &format!("\n  {} is no candidate: {}", not.agent, not.reason);
        }
    }
    text
}

fn moved_from(moved: &kapell_api::MovedFrom) -> String {
    let loads = match (&moved.from, &moved.to, moved.average) {
        (Some(from), Some(to), Some(average)) if moved.cause == "balancing" => format!(
            " to even the load ({} of {} tasks there, {} of {} here, {average} on average)",
            from.tasks, from.max_concurrent_tasks, to.tasks, to.max_concurrent_tasks
        ),
        _ if moved.cause == "by_hand" => " by hand".to_owned(),
        _ => format!(" ({})", moved.cause),
    };
    format!("moved from {}{loads} to", moved.agent)
}

/// Says how somebody stands in what is required, where anything of it has been measured.
fn in_words(scored: &Scored) -> Option<String> {
    let score = |score: Option<f64>| score.map_or_else(|| "none".to_owned(), |score| score.to_string());
    let one = |it: &kapell_api::CapabilityScore| {
        let (declared, measured) = (score(it.declared), score(it.measured));
        format!("{} declared {declared}, measured {measured}, used {}", it.capability, it.used)
    };
    let measured = scored.scores.iter().any(|it| it.measured.is_some());
    let all: Vec<String> = scored.scores.iter().map(one).collect();
    measured.then(|| format!("  {}: {}", scored.agent, all.join("; ")))
}

pub(super) fn scores(scored: &[Scored]) -> String {
    let part = |part: &Part| format!("{} x {} = {}", part.value, part.weight, part.adds);
    let row = |it: &Scored| {
        vec![
            it.agent.clone(),
            part(&it.capability),
            part(&it.workload),
            part(&it.performance),
            part(&it.cohesion),
            it.total.to_string(),
        ]
    };
    let table = output::grid(
        &["AGENT", "CAPABILITY", "WORKLOAD", "PERFORMANCE", "COHESION", "FINAL"],
        scored.iter().map(row).collect(),
    );
    scored.iter().filter_map(in_words).fold(table, |text, line| text + "\n" + &line)
}
