//! `kapell task`, `ready`, `blocked` and `dep`.

use kapell_api::{
    BrokenEdge, EdgeName, Evidence, RequiredCapability, Requirement, ResourceNeed, Task, TaskEdit,
    TaskSubmission, Tree,
};

use crate::context::Context;
use crate::exit::{Ends, Exit};
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Subcommand)]
pub enum TaskVerb {
    /// Submit a task
    Add(Box<Add>),
    /// Change what a task is
    Edit(Box<Edit>),
    /// List tasks
    List(List),
    /// Show a task
    Show {
        /// T-12, or its key
        task: String,
        /// As of this position of the log, or this time, such as 2026-01-31T12:00:00Z
        #[arg(long, value_name = "POSITION|TIME")]
        at: Option<String>,
    },
    /// Break a large task down: planning, an implementation for each component, integration, testing
    Breakdown(super::breakdown::Breakdown),
    /// Propose the components of a task, as whoever does its planning
    Propose(super::breakdown::Propose),
    /// Read the text of tasks again, for what they need and wait for
    Analyse(Analyse),
    /// Call a task off
    Cancel(Reasoned),
    /// Give a failed or cancelled task a new series of attempts
    Reopen(Reasoned),
}

#[derive(Debug, clap::Args)]
pub struct Analyse {
    /// T-12, or its key; every task that nobody owns where absent
    tasks: Vec<String>,
}

impl Analyse {
    fn run(self, context: &Context) -> anyhow::Result<()> {
        let client = context.client()?;
        let mut tasks = self.tasks;
        if tasks.is_empty() {
            for state in ["ready", "blocked", "deferred"] {
                tasks.extend(client.tasks(&[("state", state)])?.into_iter().map(|task| task.id));
            }
        }
        for task in &tasks {
            client.analyse(task)?;
        }
        if context.format() == Format::Human {
            output::line(format!("{} tasks read", tasks.len()));
        }
        Ok(())
    }
}

#[derive(Debug, clap::Args)]
pub struct Reasoned {
    /// T-12, or its key
    task: String,
    /// Why; it is kept with the task
    #[arg(long, allow_hyphen_values = true)]
    reason: String,
}

#[derive(Debug, clap::Args)]
pub struct List {
    /// blocked, ready, deferred, assigned, in_progress, in_review, waiting, completed, failed, cancelled or archived
    #[arg(long)]
    state: Option<String>,
    /// Of this project
    #[arg(long)]
    project: Option<String>,
    /// Owned by this agent
    #[arg(long)]
    agent: Option<String>,
    /// Of this type
    #[arg(long = "type")]
    kind: Option<String>,
    /// Of this effective priority
    #[arg(long)]
    priority: Option<String>,
    /// Only those whose owners have been asked for a status and have not answered
    #[arg(long)]
    stalled: bool,
}

#[derive(Debug, clap::Args)]
pub struct Add {
    /// One line
    title: String,
    /// All of it
    #[arg(long, short, default_value = "", allow_hyphen_values = true)]
    description: String,
    /// task, bug, feature, ...
    #[arg(long = "type", default_value = "task")]
    kind: String,
    /// critical, high, medium or low
    #[arg(long, short, default_value = "medium")]
    priority: String,
    /// Your own id of it
    #[arg(long)]
    key: Option<String>,
    /// The project; made where it is new
    #[arg(long)]
    project: Option<String>,
    /// A required capability with weight and minimum, such as rust, rust=2 or rust=2:0.5; may be repeated
    #[arg(long = "needs", value_name = "NAME[=WEIGHT][:MINIMUM]", value_parser = words::requirement)]
    needs: Vec<Requirement>,
    /// Only agents of this role
    #[arg(long)]
    role: Option<String>,
    /// Only this agent
    #[arg(long)]
    agent: Option<String>,
    /// Effort, such as 2h
    #[arg(long, value_parser = words::hours)]
    estimate: Option<f64>,
    /// 1 (trivial) to 5 (very complex)
    #[arg(long)]
    complexity: Option<u8>,
    /// Tasks that must be completed first, such as T-1,T-2
    #[arg(long, value_delimiter = ',', value_name = "TASK")]
    after: Vec<String>,
    /// When it should be done: RFC 3339, or +2h
    #[arg(long, value_parser = words::time)]
    deadline: Option<String>,
    /// Not before this time: RFC 3339, or +2h
    #[arg(long, value_parser = words::time)]
    not_before: Option<String>,
    /// A free word; may be repeated
    #[arg(long = "label")]
    labels: Vec<String>,
    /// A resource that the owner alone has while it owns the task, such as path:src/**; may be repeated
    #[arg(long = "takes", value_name = "RESOURCE")]
    takes: Vec<String>,
    /// A resource that the owner only reads, and has for itself unless it is a bottleneck; may be repeated
    #[arg(long = "reads", value_name = "RESOURCE")]
    reads: Vec<String>,
    /// A resource that the owner shares with others that share it; may be repeated
    #[arg(long = "shares", value_name = "RESOURCE")]
    shares: Vec<String>,
    /// What finished work must pass: `review`, `review:ROLE`, `approval`, or `command:LINE`; may be repeated
    #[arg(long = "gate", value_name = "GATE", value_parser = super::gate::gate)]
    gates: Vec<kapell_api::Gate>,
    #[command(flatten)]
    budget: super::budget::OwnBudget,
}

impl Add {
    fn submission(self) -> TaskSubmission {
        let need = |mode: &'static str| move |resource| ResourceNeed { resource, mode: mode.to_owned() };
        let taken = self.takes.into_iter().map(need("exclusive"));
        let taken = taken.chain(self.reads.into_iter().map(need("reads")));
        let resources = taken.chain(self.shares.into_iter().map(need("shared"))).collect();
        TaskSubmission {
            title: self.title,
            description: self.description,
            kind: self.kind,
            priority: self.priority,
            key: self.key,
            project: self.project,
            requires: self.needs,
            role: self.role,
            agent: self.agent,
            estimate_hours: self.estimate,
            complexity: self.complexity,
            depends_on: self.after,
            deadline: self.deadline,
            not_before: self.not_before,
            labels: self.labels,
            resources,
            gates: self.gates,
            budget: self.budget.limits(),
            ..TaskSubmission::default()
        }
    }
}

/// A declaration that can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Declared {
    Description,
    Labels,
    Needs,
    Role,
    Agent,
    Exclude,
    Estimate,
    Complexity,
    Deadline,
    MaxAttempts,
    Budget,
}

#[derive(Debug, clap::Args)]
pub struct Edit {
    /// T-12, or its key
    task: String,
    /// One line
    #[arg(long)]
    title: Option<String>,
    /// All of it
    #[arg(long, short, allow_hyphen_values = true)]
    description: Option<String>,
    /// critical, high, medium or low
    #[arg(long, short)]
    priority: Option<String>,
    /// A required capability, in place of those that are declared; may be repeated
    #[arg(long = "needs", value_name = "NAME[=WEIGHT][:MINIMUM]", value_parser = words::requirement)]
    needs: Vec<Requirement>,
    /// Only agents of this role
    #[arg(long)]
    role: Option<String>,
    /// Only this agent
    #[arg(long)]
    agent: Option<String>,
    /// Not this agent, in place of those that are excluded; may be repeated
    #[arg(long)]
    exclude: Vec<String>,
    /// Effort, such as 2h
    #[arg(long, value_parser = words::hours)]
    estimate: Option<f64>,
    /// 1 (trivial) to 5 (very complex)
    #[arg(long)]
    complexity: Option<u8>,
    /// When it should be done: RFC 3339, or +2h
    #[arg(long, value_parser = words::time)]
    deadline: Option<String>,
    /// A free word, in place of those that are there; may be repeated
    #[arg(long = "label")]
    labels: Vec<String>,
    /// Failed attempts allowed
    #[arg(long)]
    max_attempts: Option<u32>,
    #[command(flatten)]
    budget: super::budget::OwnBudget,
    /// What is to be taken back, such as deadline,role
    #[arg(long, value_delimiter = ',')]
    clear: Vec<Declared>,
    /// Refuse where the task has changed since: `changed` of `task show --json`
    #[arg(long, value_name = "POSITION")]
    changed: Option<u64>,
}

impl Edit {
    fn is_empty(&self) -> bool {
        TaskEdit { changed: None, ..self.edit() } == TaskEdit::default()
    }

    fn edit(&self) -> TaskEdit {
        let clears = |field| self.clear.contains(&field);
        fn maybe<T: Clone>(given: &Option<T>, clears: bool) -> Option<Option<T>> {
            given.clone().map(Some).or(clears.then_some(None))
        }
        fn list<T: Clone>(given: &[T], clears: bool) -> Option<Vec<T>> {
            (clears || !given.is_empty()).then(|| given.to_vec())
        }
        TaskEdit {
            title: self.title.clone(),
            description: self.description.clone().or(clears(Declared::Description).then(String::new)),
            priority: self.priority.clone(),
            labels: list(&self.labels, clears(Declared::Labels)),
            requires: list(&self.needs, clears(Declared::Needs)),
            role: maybe(&self.role, clears(Declared::Role)),
            agent: maybe(&self.agent, clears(Declared::Agent)),
            exclude: list(&self.exclude, clears(Declared::Exclude)),
            estimate_hours: maybe(&self.estimate, clears(Declared::Estimate)),
            complexity: maybe(&self.complexity, clears(Declared::Complexity)),
            deadline: maybe(&self.deadline, clears(Declared::Deadline)),
            max_attempts: maybe(&self.max_attempts, clears(Declared::MaxAttempts)),
            budget: maybe(&self.budget.limits(), clears(Declared::Budget)),
            changed: self.changed,
        }
    }
}

impl TaskVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        match self {
            Self::Add(add) => super::work::told(context, &client.submit(&add.submission())?)?,
            Self::Edit(it) if it.is_empty() => {
                let what = "there is nothing to change; name what changes, such as --priority high, or what is to be taken back by --clear";
                return Err(Ends { exit: Exit::Usage, what: what.to_owned() }.into());
            }
            Self::Edit(it) => super::work::told(context, &client.edit(&it.task, &it.edit())?)?,
            Self::List(list) => {
                let query: Vec<(&str, &str)> = [
                    ("state", &list.state),
                    ("project", &list.project),
                    ("agent", &list.agent),
                    ("type", &list.kind),
                    ("priority", &list.priority),
                ]
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.as_deref()?)))
                .chain(list.stalled.then_some(("stalled", "true")))
                .collect();
                listed(context, &client.tasks(&query)?)?;
            }
            Self::Show { task, at } => {
                let task = client.task_at(&task, at.as_deref())?;
                match context.format() {
                    Format::Json => output::json(&task)?,
                    Format::Human => show(&task),
                }
            }
            Self::Breakdown(it) => return it.run(context),
            Self::Propose(it) => return it.run(context),
            Self::Analyse(it) => it.run(context)?,
            Self::Cancel(it) => super::work::told(context, &client.cancel(&it.task, &it.reason)?)?,
            Self::Reopen(it) => super::work::told(context, &client.reopen(&it.task, &it.reason)?)?,
        }
        Ok(Exit::Ok)
    }
}

pub fn ready(context: &Context) -> anyhow::Result<Exit> {
    listed(context, &context.client()?.tasks(&[("state", "ready")])?)?;
    Ok(Exit::Ok)
}

pub fn blocked(context: &Context) -> anyhow::Result<Exit> {
    let tasks = context.client()?.tasks(&[("state", "blocked")])?;
    match context.format() {
        Format::Json => output::json(&tasks)?,
        Format::Human => {
            let row = |task: &Task| {
                vec![
                    task.id.clone(),
                    task.effective_priority.clone(),
                    output::cut(&task.title, 40),
                    task.because.join("; "),
                ]
            };
            output::table(&["TASK", "PRIORITY", "TITLE", "BECAUSE"], tasks.iter().map(row).collect());
        }
    }
    Ok(Exit::Ok)
}

fn listed(context: &Context, tasks: &[Task]) -> anyhow::Result<()> {
    if context.format() == Format::Json {
        return output::json(&tasks);
    }
    let row = |task: &Task| {
        vec![
            task.id.clone(),
            task.key.clone().unwrap_or_default(),
            task.state.clone(),
            words::age(&task.state_since),
            task.effective_priority.clone(),
            task.owner.clone().unwrap_or_default(),
            task.project.clone().unwrap_or_default(),
            output::cut(&task.title, 50),
        ]
    };
    let rows = tasks.iter().map(row).collect();
    output::table(&["TASK", "KEY", "STATE", "SINCE", "PRIORITY", "OWNER", "PROJECT", "TITLE"], rows);
    Ok(())
}

fn show(task: &Task) {
    output::line(format!("{}  {}", task.id, output::plain(&task.title)));
    output::line(format!("{} for {}", task.state, words::age(&task.state_since)));
    for fact in &task.because {
        output::line(format!("  {}", output::plain(fact)));
    }
    let mut facts = vec![("type", task.kind.clone()), ("priority", task.effective_priority.clone())];
    facts.extend(task.key.clone().map(|key| ("key", key)));
    facts.extend(task.project.clone().map(|project| ("project", project)));
    let learned = task.estimate_learned_from.map(|count| format!(" from {count}")).unwrap_or_default();
    facts.push((
        "estimate",
        format!(
            "{:.2} h, {}{learned}; nine of ten within {:.2} h",
            task.estimate_hours, task.estimate_source, task.estimate_p90_hours
        ),
    ));
    let needs = task.requires.iter().map(needed);
    facts.push(("needs", needs.collect::<Vec<_>>().join(", ")));
    let edges = task.depends_on.iter().map(|edge| {
        let inferred = match &edge.evidence {
            Some(evidence) => format!(", inferred from {}", said(evidence)),
            None if edge.inferred => ", inferred".to_owned(),
            None => String::new(),
        };
        format!("{} {} ({}{inferred})", edge.kind, edge.task, edge.state)
    });
    facts.push(("edges", edges.collect::<Vec<_>>().join(", ")));
    facts.push(("waiting", task.dependents.join(" ")));
    facts.push((
        "attempts",
        format!(
            "{}, {} failed of {}, {} owners lost",
            task.attempts, task.failures, task.max_attempts, task.losses
        ),
    ));
    facts.extend(task.cost.as_ref().map(|cost| ("cost", super::budget::told(cost))));
    facts.extend(task.deadline.clone().map(|deadline| ("deadline", deadline)));
    facts.extend(task.note.clone().map(|note| ("note", note)));
    facts.extend(task.result.clone().map(|result| ("result", result)));
    if task.offers_open > 0 {
        facts.push(("offers", format!("{} late results wait for a decision", task.offers_open)));
    }
    if let Some(permission) = task.permission.as_ref().filter(|permission| permission.state == "open") {
        output::line(super::settle::permission(permission));
    }
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        output::line(format!("{:<9} {}", format!("{name}:"), output::plain(value)));
    }
    if !task.description.is_empty() {
        output::line(format!("\n{}", output::plain(&task.description)));
    }
}

/// Shows a requirement, and what it was inferred from where nobody declared it.
fn needed(need: &RequiredCapability) -> String {
    if !need.inferred {
        return format!("{} (weight {}, minimum {})", need.capability, need.weight, need.minimum);
    }
    let evidence: Vec<_> = need.evidence.iter().map(said).collect();
    let set_aside = if need.set_aside { "; set aside, nobody could take it so" } else { "" };
    let (name, weight) = (&need.capability, need.weight);
    format!("{name} (weight {weight}, inferred from {}{set_aside})", evidence.join(", "))
}

fn said(evidence: &Evidence) -> String {
    format!("{} \"{}\"", evidence.field, evidence.words)
}

#[derive(Debug, clap::Subcommand)]
pub enum DepVerb {
    /// Make a task wait for another; an edge that would close a cycle is refused with the cycle
    Add {
        /// The one that waits
        task: String,
        /// The one that it waits for
        on: String,
        /// blocks, related, discovered_from or parent_child
        #[arg(long, default_value = "blocks")]
        kind: String,
    },
    /// Take an edge away, so that the task no longer waits
    Rm {
        /// The one that waits
        task: String,
        /// The one that it waits for
        on: String,
    },
    /// List the edges that were taken out of cycles, and those that wait for a person
    Cycles {
        /// broken, kept_out or restored
        #[arg(long)]
        state: Option<String>,
    },
    /// Put an edge back that was taken out of a cycle
    Restore {
        /// The one that waits
        task: String,
        /// The one that it waits for
        on: String,
        /// The edge of the cycle that goes instead, such as T-3,T-2
        #[arg(long, value_name = "TASK,ON", value_parser = words::edge)]
        instead: Option<EdgeName>,
    },
    /// Show what a task waits for
    Tree {
        /// T-12, or its key
        task: String,
        /// What waits for it instead
        #[arg(long)]
        down: bool,
        /// Levels
        #[arg(long, default_value_t = 10)]
        depth: u32,
    },
}

impl DepVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        match self {
            Self::Add { task, on, kind } => {
                super::work::told(context, &client.add_dependency(&task, &on, &kind)?)?;
            }
            Self::Cycles { state } => {
                let broken = client.cycles(state.as_deref())?;
                match context.format() {
                    Format::Json => output::json(&broken)?,
                    Format::Human => cycles(&broken),
                }
            }
            Self::Restore { task, on, instead } => {
                super::work::told(context, &client.restore_dependency(&task, &on, instead)?)?;
            }
            Self::Rm { task, on } => super::work::told(context, &client.waive_dependency(&task, &on)?)?,
            Self::Tree { task, down, depth } => {
                let tree = client.tree(&task, down, depth)?;
                match context.format() {
                    Format::Json => output::json(&tree)?,
                    Format::Human => branch(&tree, ""),
                }
            }
        }
        Ok(Exit::Ok)
    }
}

fn cycles(broken: &[BrokenEdge]) {
    let row = |it: &BrokenEdge| {
        vec![
            it.task.clone(),
            it.on.clone(),
            it.state.clone(),
            words::age(&it.at),
            if it.inferred { "inferred" } else { "declared" }.to_owned(),
            it.cycle.join(" > "),
            it.reason.clone(),
        ]
    };
    let rows = broken.iter().map(row).collect();
    output::table(&["TASK", "WAITED FOR", "STATE", "SINCE", "EDGE", "CYCLE", "BECAUSE"], rows);
}

fn branch(tree: &Tree, indent: &str) {
    let owner = tree.owner.as_ref().map(|owner| format!(" by {owner}")).unwrap_or_default();
    let cut = if tree.cut { " ..." } else { "" };
    output::line(format!(
        "{indent}{} [{}{owner}] {}{cut}",
        tree.task,
        tree.state,
        output::cut(&tree.title, 60)
    ));
    for child in &tree.children {
        branch(child, &format!("{indent}  "));
    }
}
