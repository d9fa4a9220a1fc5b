//! `kapell task breakdown` and `propose`.

use kapell_api::{Component, NewBreakdown, ProposedComponents, TaskBreakdown};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Breakdown {
    /// T-12, or its key
    task: String,
    /// A component, in one line; may be repeated. By default those that the task declares, the open items of its checklist, or its
    /// headed sections, else what the server's language model says where it has one; else its planning says them
    #[arg(long = "component", value_name = "TITLE")]
    components: Vec<String>,
    /// Only show how large it is, and what it is a part of or has become
    #[arg(long, conflicts_with_all = ["components", "keep_whole"])]
    show: bool,
    /// Keep a task whole that the policy wants broken down
    #[arg(long, conflicts_with = "components")]
    keep_whole: bool,
}

fn component(title: &str) -> Component {
    Component { title: title.to_owned(), ..Component::default() }
}

impl Breakdown {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        if !self.show {
            let components = self.components.iter().map(|title| component(title)).collect();
            let ack =
                client.break_down(&self.task, &NewBreakdown { components, keep_whole: self.keep_whole })?;
            if let Some(note) = ack.note {
                eprintln!("note: {}", output::plain(&note));
            }
        }
        let breakdown = client.breakdown(&self.task)?;
        match context.format() {
            Format::Json => output::json(&breakdown)?,
            _ => show(&self.task, &breakdown),
        }
        Ok(Exit::Ok)
    }
}

fn show(task: &str, it: &TaskBreakdown) {
    let factors = &it.factors;
    let needed = if it.needed { "; it should be broken down" } else { "" };
    output::line(format!(
        "{task}: {:.2}{needed} (technical {:.2}, size {:.2}, dependencies {:.2}, unknowns {:.2})",
        factors.total, factors.technical, factors.size, factors.dependencies, factors.unknowns
    ));
    if let (Some(part), Some(whole)) = (&it.part, &it.part_of) {
        output::line(format!("the {part} of {whole}, {} levels deep", it.level));
    }
    if let Some(from) = &it.components_from {
        let model = it.model.as_ref().map(|model| format!(" {model}")).unwrap_or_default();
        output::line(format!("components from: {from}{model}"));
    }
    if !it.into.is_empty() {
        let rows = it
            .into
            .iter()
            .map(|it| vec![it.task.clone(), it.part.clone(), it.state.clone(), it.title.clone()]);
        output::table(&["TASK", "PART", "STATE", "TITLE"], rows.collect());
    }
}

#[derive(Debug, clap::Args)]
pub struct Propose {
    /// The planning, T-12
    task: String,
    /// Who does it
    #[arg(long)]
    agent: String,
    /// Its assignment, A-34
    #[arg(long)]
    assignment: String,
    /// A component, in one line; may be repeated
    #[arg(long = "component", value_name = "TITLE", required = true)]
    components: Vec<String>,
}

impl Propose {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let components = self.components.iter().map(|title| component(title)).collect();
        let body = ProposedComponents { agent: self.agent, assignment: self.assignment, components };
        super::work::told(context, &context.client()?.propose_components(&self.task, &body)?)?;
        Ok(Exit::Ok)
    }
}
