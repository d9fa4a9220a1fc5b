//! `kapell emergency` and `kapell force`.

use kapell_api::{Emergency, Ending, NewEmergency, NewTaskForce, Requirement, TaskForce};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Subcommand)]
pub enum EmergencyVerb {
    /// List the emergencies: those that have not ended, or in one state
    List {
        /// open, ending, ended, unsettled, or all
        #[arg(long, default_value = "unsettled")]
        state: String,
        /// agent_cascade_failure, critical_task_failure or deadline_risk
        #[arg(long)]
        kind: Option<String>,
    },
    /// Show an emergency with everything that was done about it
    Show {
        ///
        emergency: String,
    },
    /// Declare an emergency: of the fleet, of a task, or of a project
    Declare {
        /// agent_cascade_failure, critical_task_failure or deadline_risk
        kind: String,
        /// The task that fails: T-12, or its key
        #[arg(long)]
        task: Option<String>,
        /// The project that will be late
        #[arg(long)]
        project: Option<String>,
        /// What is the matter
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
    },
    /// End an emergency: what was done about it is undone
    End {
        ///
        emergency: String,
        /// Why
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
    },
}

#[derive(Debug, clap::Subcommand)]
pub enum ForceVerb {
    /// List the task forces: those at work, or all
    List {
        /// at_work, disbanded, or all
        #[arg(long, default_value = "at_work")]
        state: String,
    },
    /// Show a task force: members, responsibilities, checkpoints
    Show {
        /// F-2
        force: String,
    },
    /// Make a task force for a task or a project
    Form {
        /// For which task: T-12, or its key
        #[arg(long)]
        task: Option<String>,
        /// For which project
        #[arg(long)]
        project: Option<String>,
        /// What is required: rust, or rust:2 with a weight; may be repeated
        #[arg(long = "needs", value_name = "CAPABILITY", value_parser = words::requirement)]
        requires: Vec<Requirement>,
    },
    /// Disband a task force
    Disband {
        /// F-2
        force: String,
        /// Why
        #[arg(long, allow_hyphen_values = true)]
        reason: String,
    },
}

impl EmergencyVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let id = match self {
            Self::List { state, kind } => {
                let state = Some(state).filter(|state| state != "all");
                let query = [("state", &state), ("kind", &kind)];
                let query: Vec<(&str, &str)> =
                    query.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
                let all = client.emergencies(&query)?;
                match context.format() {
                    Format::Json => output::json(&all)?,
                    Format::Human => list(&all),
                }
                return Ok(Exit::Ok);
            }
            Self::Show { emergency } => emergency,
            Self::Declare { kind, task, project, reason } => client
                .declare_emergency(&NewEmergency { kind, task, project, reason })?
                .emergency
                .unwrap_or_default(),
            Self::End { emergency, reason } => {
                client.end_emergency(&emergency, &Ending { reason })?;
                emergency
            }
        };
        let it = client.emergency(&id)?;
        match context.format() {
            Format::Json => output::json(&it)?,
            Format::Human => show(&it),
        }
        Ok(Exit::Ok)
    }
}

impl ForceVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let id = match self {
            Self::List { state } => {
                let query = [("state", state.as_str())];
                let query = if state == "all" { &[][..] } else { &query[..] };
                let all = client.forces(query)?;
                match context.format() {
                    Format::Json => output::json(&all)?,
                    Format::Human => list_forces(&all),
                }
                return Ok(Exit::Ok);
            }
            Self::Show { force } => force,
            Self::Form { task, project, requires } => {
                client.form_force(&NewTaskForce { task, project, requires })?.force.unwrap_or_default()
            }
            Self::Disband { force, reason } => {
                client.disband_force(&force, &Ending { reason })?;
                force
            }
        };
        let it = client.force(&id)?;
        match context.format() {
            Format::Json => output::json(&it)?,
            Format::Human => show_force(&it),
        }
        Ok(Exit::Ok)
    }
}

fn about<'a>(task: Option<&'a String>, project: Option<&'a String>) -> &'a str {
    task.or(project).map_or("fleet", String::as_str)
}

fn list(all: &[Emergency]) {
    let rows = all.iter().map(|it| {
        vec![
            it.id.clone(),
            it.kind.replace('_', " "),
            it.state.clone(),
            about(it.task.as_ref(), it.project.as_ref()).to_owned(),
            words::age(&it.declared_at),
            output::cut(&it.detail, 70),
        ]
    });
    output::table(&["ID", "KIND", "STATE", "ABOUT", "DECLARED", "WHAT IS THE MATTER"], rows.collect());
}

fn show(it: &Emergency) {
    let kind = it.kind.replace('_', " ");
    let about = about(it.task.as_ref(), it.project.as_ref());
    output::line(format!(
        "{} {kind} of {about}, {}, declared {} ago",
        it.id,
        it.state,
        words::age(&it.declared_at)
    ));
    output::line(format!("  {}", output::plain(&it.detail)));
    for fact in &it.because {
        output::line(format!("  {}", output::plain(fact)));
    }
    if let Some(reason) = &it.ended_because {
        output::line(format!("  over: {}", output::plain(reason)));
    }
    if let Some(hours) = it.path_hours {
        let slack = it.slack_hours.map(|slack| format!("; {slack:.1} h of slack")).unwrap_or_default();
        output::line(format!("  longest path: {hours:.1} h{slack}"));
        for step in &it.path {
            output::line(format!("    {} {:.1} h  {}", step.task, step.hours, output::cut(&step.title, 70)));
        }
    }
    let rows = it.actions.iter().map(|it| {
        vec![
            it.number.to_string(),
            it.action.replace('_', " "),
            it.settled.clone().unwrap_or_else(|| "in effect".to_owned()),
            output::cut(&it.says, 90),
        ]
    });
    output::table(&["#", "ACTION", "STATE", ""], rows.collect());
}

fn list_forces(all: &[TaskForce]) {
    let rows = all.iter().map(|it| {
        let members: Vec<&str> = it.members.iter().map(|member| member.agent.as_str()).collect();
        vec![
            it.id.clone(),
            it.state.replace('_', " "),
            about(it.task.as_ref(), it.project.as_ref()).to_owned(),
            it.lead.clone(),
            output::cut(&members.join(" "), 50),
            format!("{} %", it.done_percent),
            words::age(&it.formed_at),
        ]
    });
    output::table(&["ID", "STATE", "FOR", "LEAD", "MEMBERS", "DONE", "FORMED"], rows.collect());
}

fn show_force(it: &TaskForce) {
    let about = about(it.task.as_ref(), it.project.as_ref());
    let by = it.emergency.as_ref().map(|emergency| format!(", for {emergency}")).unwrap_or_default();
    output::line(format!(
        "{} for {about}{by}, {}, formed {} ago; {} % done",
        it.id,
        it.state.replace('_', " "),
        words::age(&it.formed_at),
        it.done_percent
    ));
    if let Some(channel) = &it.channel {
        output::line(format!("  channel: {channel}"));
    }
    for member in &it.members {
        let lead = if member.agent == it.lead { " (lead)" } else { "" };
        let own = if member.answers_for.is_empty() {
            String::new()
        } else {
            format!(": {}", member.answers_for.join(", "))
        };
        output::line(format!("  {}{lead}{own}", member.agent));
    }
    let rows = it.checkpoints.iter().map(|it| {
        let done = it.done_percent.map(|done| format!("{done} %")).unwrap_or_default();
        vec![
            output::plain(&it.title),
            format!("{} %", it.wanted_percent),
            it.due.clone(),
            done,
            it.found.as_deref().unwrap_or("to come").replace('_', " "),
        ]
    });
    output::table(&["CHECKPOINT", "WANTED", "DUE", "DONE", ""], rows.collect());
    if let Some(reason) = &it.disbanded_because {
        output::line(format!("disbanded: {}", output::plain(reason)));
    }
}
