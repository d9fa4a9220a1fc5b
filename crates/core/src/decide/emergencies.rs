//! Emergencies and task forces: declared and ended by a person, and what time brings (SEMANTICS 11 and 12).

use kapell_model::{EmergencyId, ForceId, Moment, Text, limits};

use super::tasks::OPEN;
use super::{invalid, require_state};
use crate::command::{NewEmergency, NewForce};
use crate::decide::agents::own_text;
use crate::emergency::{
    Action, EmergencyCause, EmergencyKind, EmergencyState, RESUMING_ROUNDS, Scope, Settlement,
};
use crate::engine::Reply;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;

/// One in so many agents that are online: assignments that the first round lets through.
const FIRST_ALLOWED: usize = 8;

impl State {
    /// A person declares an emergency. What is done about it follows in the same step.
    pub(super) fn declare_emergency(
        &self,
        new: &NewEmergency,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let scope = match (new.kind, &new.task, &new.project) {
            (EmergencyKind::AgentCascadeFailure, None, None) => Scope::Fleet {},
            (EmergencyKind::CriticalTaskFailure, Some(task), None) => {
                let task = self.find_task(task)?;
                require_state(task, "an emergency about it", OPEN)?;
                Scope::Task(task.id)
            }
            (EmergencyKind::DeadlineRisk, None, Some(project)) => {
                let known = self
                    .projects
                    .get(project)
                    .ok_or_else(|| Rejection::NotFound { what: "project", given: project.to_string() })?;
                if known.open() == 0 {
                    return Err(invalid(
                        "project",
                        format!("`{project}`, without open tasks"),
                        "one with open tasks",
                    ));
                }
                Scope::Project(project.clone())
            }
            (kind, ..) => {
                let needs = match kind {
                    EmergencyKind::AgentCascadeFailure => "neither a task nor a project",
                    EmergencyKind::CriticalTaskFailure => "a task and no project",
                    EmergencyKind::DeadlineRisk => "a project and no task",
                };
                return Err(invalid("kind", format!("`{}`, with something else", kind.as_str()), needs));
            }
        };
        if let Some(open) = self.emergencies.all.of(&(new.kind, scope.clone())) {
            return Err(Rejection::Duplicate {
                what: "an emergency",
                given: new.kind.as_str().to_owned(),
                existing: Some(open.id.to_string()),
            });
        }
        if self.emergencies.all.open_ids().len() >= limits::OPEN_EMERGENCIES_MAX {
            let limit = limits::OPEN_EMERGENCIES_MAX;
            return Err(Rejection::LimitExceeded { what: "open emergencies of a fleet", limit });
        }
        let emergency = self.emergencies.all.next_id();
        let cause = EmergencyCause::Declared;
        out.push(Event::EmergencyDeclared {
            emergency,
            kind: new.kind,
            scope,
            cause,
            detail: new.reason.clone(),
        });
        Ok(Reply { emergency: Some(emergency), ..Reply::default() })
    }

    /// A person ends an emergency. What was done about it is undone in the same step, as far as that can be.
    pub(super) fn end_emergency(
        &self,
        id: EmergencyId,
        reason: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let not_found = || Rejection::NotFound { what: "emergency", given: id.to_string() };
        let emergency = self.emergencies.all.get(id).ok_or_else(not_found)?;
        if emergency.state != EmergencyState::Open {
            return Err(Rejection::Settled { what: id.to_string(), state: emergency.state.as_str() });
        }
        out.push(Event::EmergencyEnding { emergency: id, reason: reason.clone(), by_hand: true });
        Ok(Reply { emergency: Some(id), ..Reply::default() })
    }

    /// Puts into `out` what has come due: the end of an emergency about agents, and more assignments behind a pause.
    pub(super) fn lapse_emergencies(&self, now: Moment, out: &mut Vec<Event>) {
        let cascade = self.emergencies.all.of(&(EmergencyKind::AgentCascadeFailure, Scope::Fleet {}));
        if let Some(cascade) = cascade.filter(|it| self.recovered_at(it).is_some_and(|at| at <= now)) {
            let (online, registered) = (self.online, self.registered);
            let held = self.policy.emergencies.recovered_for;
            let reason = own_text(&format!("{online} of {registered} agents have been online for {held}"));
            out.push(Event::EmergencyEnding { emergency: cascade.id, reason, by_hand: false });
        }
        let Some(pause) = self.emergencies.pause.filter(|pause| pause.next.is_some_and(|at| at <= now))
        else {
            return;
        };
        if pause.rounds < RESUMING_ROUNDS {
            out.push(self.more_allowed(pause.emergency, pause.rounds, now));
        } else if let Some(action) = self.pausing_action(pause.emergency) {
            out.push(Event::EmergencySettled { emergency: pause.emergency, action, how: Settlement::Undone });
        }
    }

    /// Returns the letting through of some assignments: twice as many in each round.
    pub(crate) fn more_allowed(&self, emergency: EmergencyId, rounds: u32, now: Moment) -> Event {
        let first = self.online.div_ceil(FIRST_ALLOWED).max(1);
        let allowed = u32::try_from(first << rounds.min(RESUMING_ROUNDS)).unwrap_or(u32::MAX);
        Event::AssignmentsResuming {
            emergency,
            allowed,
            next: now.after(self.policy.emergencies.resume_every),
        }
    }

    fn pausing_action(&self, id: EmergencyId) -> Option<u32> {
        let mut pending = self.emergencies.all.get(id)?.pending();
        pending.find(|(_, action)| matches!(action, Action::AssignmentsPaused {})).map(|(number, _)| number)
    }

    /// A manager makes a task force.
    pub(super) fn form_force(
        &self,
        now: Moment,
        new: &NewForce,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        if new.requires.len() > limits::REQUIREMENTS_MAX {
            let limit = limits::REQUIREMENTS_MAX;
            return Err(Rejection::LimitExceeded { what: "requirements of a task force", limit });
        }
        let scope = match (&new.task, &new.project) {
            (Some(task), None) => {
                let task = self.find_task(task)?;
                require_state(task, "a task force for it", OPEN)?;
                Scope::Task(task.id)
            }
            (None, Some(project)) => {
                let known = self
                    .projects
                    .get(project)
                    .ok_or_else(|| Rejection::NotFound { what: "project", given: project.to_string() })?;
                if known.open() == 0 {
                    return Err(invalid(
                        "project",
                        format!("`{project}`, without open tasks"),
                        "one with open tasks",
                    ));
                }
                if new.requires.is_empty() {
                    return Err(invalid("requires", "nothing", "the capabilities that the project needs"));
                }
                Scope::Project(project.clone())
            }
            _ => return Err(invalid("task, project", "both or neither", "a task, or a project")),
        };
        if let Some(open) = self.forces.all.of(&scope) {
            let existing = Some(open.id.to_string());
            return Err(Rejection::Duplicate {
                what: "a task force for",
                given: scope_text(&scope),
                existing,
            });
        }
        if self.forces.all.open_ids().len() >= limits::OPEN_FORCES_MAX {
            return Err(Rejection::LimitExceeded {
                what: "task forces of a fleet",
                limit: limits::OPEN_FORCES_MAX,
            });
        }
        let gathered = self.gathered(&scope, &new.requires, false);
        let Some(gathered) = gathered else {
            return Err(invalid(
                "requires",
                "what nobody who is online and has room could lead",
                "what somebody has",
            ));
        };
        let force = self.forces.all.next_id();
        self.form(now, scope, None, gathered, out);
        Ok(Reply { force: Some(force), ..Reply::default() })
    }

    /// A manager disbands a task force.
    pub(super) fn disband_force(
        &self,
        id: ForceId,
        reason: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let not_found = || Rejection::NotFound { what: "task force", given: id.to_string() };
        let force = self.forces.all.get(id).ok_or_else(not_found)?;
        if force.disbanded.is_some() {
            return Err(Rejection::Settled { what: id.to_string(), state: "disbanded" });
        }
        if let Some(emergency) = force.formation.emergency.and_then(|id| self.emergencies.all.get(id)) {
            let given = format!("{id}, made by {}", emergency.id);
            return Err(invalid("force", given, "one that no emergency has made; it ends with that"));
        }
        self.disband(id, reason.as_str(), out);
        Ok(Reply { force: Some(id), ..Reply::default() })
    }

    /// Refuses a claim while assignments are held back.
    pub(super) fn require_unpaused(&self) -> Result<(), Rejection> {
        match self.emergencies.pause.filter(|pause| pause.allowed == 0) {
            Some(pause) => Err(Rejection::Paused { emergency: pause.emergency, next: pause.next }),
            None => Ok(()),
        }
    }
}

/// Says in words what something is about.
pub(crate) fn scope_text(scope: &Scope) -> String {
    match scope {
        Scope::Fleet {} => "the fleet".to_owned(),
        Scope::Task(task) => task.to_string(),
        Scope::Project(project) => format!("project `{project}`"),
    }
}
