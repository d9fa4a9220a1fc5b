//! The lines about emergencies, task forces and projects.

use kapell_core::{Command, EmergencyKind, Milestone, NewEmergency, NewForce, ProjectSpec, Require, Scope};
use kapell_model::{Moment, Placer, Ratio, Text};

use super::{Scenario, duration, name, reference, text};

impl<P: Placer> Scenario<P> {
    /// Lists the emergencies with what was done about each.
    pub(super) fn emergencies(&self) -> String {
        let shown = self.engine.state().emergencies().all.iter().map(|it| {
            let actions = it.actions.iter().map(|taken| {
                let settled = taken.settled.map(|(_, how)| format!(" {}", how.as_str())).unwrap_or_default();
                format!("{}{settled}", taken.action.as_str())
            });
            let actions: Vec<String> = actions.collect();
            let actions = if actions.is_empty() { "nothing".to_owned() } else { actions.join(", ") };
            format!("{} {} {}: {actions}", it.id, it.kind.as_str(), it.state.as_str())
        });
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join("; ") }
    }

    /// Lists the task forces.
    pub(super) fn forces(&self) -> String {
        let state = self.engine.state();
        let name = |agent| state.agent(agent).spec.name.to_string();
        let shown = state.forces().all.iter().map(|it| {
            let about = match &it.formation.scope {
                Scope::Task(task) => task.to_string(),
                Scope::Project(project) => project.to_string(),
                Scope::Fleet {} => "fleet".to_owned(),
            };
            if it.disbanded.is_some() {
                return format!("{} {about} disbanded", it.id);
            }
            let members: Vec<String> = it.formation.members.iter().map(|&agent| name(agent)).collect();
            let own =
                it.formation.responsibilities.iter().map(|(what, agent)| format!(" {what}:{}", name(*agent)));
            format!(
                "{} {about} {} [{}]{}",
                it.id,
                name(it.formation.lead),
                members.join(" "),
                own.collect::<String>()
            )
        });
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join("; ") }
    }

    /// Lists the checkpoints of a task force.
    pub(super) fn checkpoints(&self, force: &str) -> String {
        let force =
            self.engine.state().forces().all.get(force.parse().expect("a task force")).expect("it is there");
        let shown = force.formation.checkpoints.iter().map(|it| {
            let found = it.found.map(|(_, _, found)| format!(":{}", found.as_str())).unwrap_or_default();
            format!("{}%{found}", it.wanted)
        });
        shown.collect::<Vec<_>>().join(" ")
    }
}

/// Reads `critical_task_failure task=t1`, or `project=web`.
pub(super) fn declared(words: &[&str]) -> Command {
    let find = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    Command::DeclareEmergency(Box::new(NewEmergency {
        kind: EmergencyKind::parse(words[0]).expect("a kind"),
        task: find("task=").map(reference),
        project: find("project=").map(name),
        reason: Text::from("because"),
    }))
}

/// Reads `task=t1`, or `project=web needs=rust,lisp`.
pub(super) fn gathered(words: &[&str]) -> Command {
    let find = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let require = |it| Require { capability: name(it), weight: Ratio::UNIT, minimum: Ratio::ZERO };
    Command::FormForce(Box::new(NewForce {
        task: find("task=").map(reference),
        project: find("project=").map(name),
        requires: find("needs=").into_iter().flat_map(|needs| needs.split(',')).map(require).collect(),
    }))
}

/// Reads `web deadline=10h milestones=2h,8h`.
pub(super) fn project(words: &[&str], now: i64) -> ProjectSpec {
    let find = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let at = |time: &str| Moment(now + duration(time));
    let milestone = |time: &str| Milestone { title: text(time), at: at(time) };
    ProjectSpec {
        name: name(words[0]),
        title: Text::default(),
        deadline: find("deadline=").map(at),
        milestones: find("milestones=")
            .into_iter()
            .flat_map(|times| times.split(','))
            .map(milestone)
            .collect(),
    }
}
