//! `kapell events`.

use kapell_api::Event;

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};

/// Events that one request asks for.
const PAGE: usize = 1_000;

#[derive(Debug, clap::Args)]
pub struct Events {
    /// Only events behind this position
    #[arg(long, default_value_t = 0)]
    after: u64,
    /// Only events of this task
    #[arg(long)]
    task: Option<String>,
    /// Only events of this agent
    #[arg(long)]
    agent: Option<String>,
    /// Only events of this kind, such as task.assigned
    #[arg(long)]
    kind: Option<String>,
    /// Go on with what comes
    #[arg(long, short)]
    follow: bool,
}

impl Events {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let mut filter = Vec::new();
        for (name, value) in [("task", &self.task), ("agent", &self.agent), ("kind", &self.kind)] {
            filter.extend(value.as_deref().map(|value| (name, value)));
        }
        let mut after = self.after;
        loop {
            let page = client.events(after, PAGE, &filter)?;
            for event in &page.events {
                print(context, event)?;
            }
            after = page.next_after;
            if page.at_end {
                break;
            }
        }
        if !self.follow {
            return Ok(Exit::Ok);
        }
        // The stream has no filter: what it brings is looked at here.
        let task = self.task.as_deref().map(|task| client.task(task)).transpose()?.map(|task| task.id);
        loop {
            for event in client.follow(after)? {
                let event = event?;
                after = event.position;
                let wanted = task.as_ref().is_none_or(|task| event.task.as_ref() == Some(task))
                    && self.agent.as_ref().is_none_or(|agent| event.agent.as_ref() == Some(agent))
                    && self.kind.as_ref().is_none_or(|kind| event.kind == *kind);
                if wanted {
                    print(context, &event)?;
                }
            }
        }
    }
}

fn print(context: &Context, event: &Event) -> anyhow::Result<()> {
    if context.format() == Format::Json {
        output::line(serde_json::to_string(event)?);
        return Ok(());
    }
    let about: Vec<&str> =
        [&event.task, &event.agent, &event.assignment].into_iter().filter_map(|it| it.as_deref()).collect();
    let data = serde_json::to_string(&event.data)?;
    let line = format!(
        "{:>7} {} {:<20} {:<12} {} {}",
        event.position,
        event.at,
        event.kind,
        event.actor,
        about.join(" "),
        data
    );
    output::line(output::cut(&line, 240));
    Ok(())
}
