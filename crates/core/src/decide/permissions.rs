//! What an agent wants leave for in the middle of its work: asked, answered by a person, withdrawn (SEMANTICS 15).

use kapell_model::{AssignmentId, Name, PermissionId, TaskId, TaskState, Text, limits};

use super::agents::own_text;
use super::{invalid, require_state};
use crate::command::TaskRef;
use crate::engine::Reply;
use crate::event::Event;
use crate::mutation::mutated;
use crate::permission::{OptionKind, PermissionAnswer, PermissionAsk};
use crate::rejection::Rejection;
use crate::state::State;

impl State {
    /// Asks for leave. The same again, word by word, changes nothing; anything else takes the place of what is open.
    pub(super) fn ask_permission(
        &self,
        reference: &TaskRef,
        name: &Name,
        assignment: AssignmentId,
        ask: &PermissionAsk,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (task, agent) = self.owned(reference, name, assignment)?;
        require_state(task, "leave for something", &[TaskState::InProgress])?;
        let owner = task.owner.as_ref().expect("an owned task");
        if owner.permission.as_ref().is_some_and(|known| is_same(&known.ask, ask)) {
            return Ok(Reply::about(task.id));
        }
        check_ask(ask)?;
        if owner.asked >= limits::PERMISSIONS_PER_ASSIGNMENT_MAX {
            let limit = limits::PERMISSIONS_PER_ASSIGNMENT_MAX as usize;
            return Err(Rejection::LimitExceeded { what: "requests for leave under one assignment", limit });
        }
        let (task_id, agent) = (task.id, agent.id);
        if let Some(before) = owner.wanted() {
            let (request, reason) = (named(before.id), Text::from("the agent wants something else now"));
            out.push(Event::PermissionWithdrawn { task: task_id, agent, assignment, request, reason });
        }
        out.push(Event::PermissionAsked { task: task_id, agent, assignment, ask: Box::new(ask.clone()) });
        Ok(Reply::about(task_id))
    }

    /// Takes back what was asked for; nothing happens where nothing is open. Refused where it is answered: whoever asked has to
    /// go by the answer.
    pub(super) fn withdraw_permission(
        &self,
        reference: &TaskRef,
        name: &Name,
        assignment: AssignmentId,
        reason: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (task, agent) = self.owned(reference, name, assignment)?;
        let last = task.owner.as_ref().and_then(|owner| owner.permission.as_ref());
        if let Some(open) = last {
            if open.answer.is_some() {
                return Err(answered(task.id, open.id));
            }
            let (request, reason) = (named(open.id), reason.clone());
            out.push(Event::PermissionWithdrawn {
                task: task.id,
                agent: agent.id,
                assignment,
                request,
                reason,
            });
        }
        Ok(Reply::about(task.id))
    }

    /// Answers what the owner of a task wants leave for. Without an agent it is a manager.
    pub(super) fn answer_permission(
        &self,
        reference: &TaskRef,
        name: Option<&Name>,
        request: PermissionId,
        (allowed, option): (bool, Option<&Text>),
        notes: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        let agent = name.map(|name| self.find_agent(name)).transpose()?;
        let asked = task.owner.as_ref().zip(task.owner.as_ref().and_then(|owner| owner.permission.as_ref()));
        let Some((owner, permission)) =
            asked.filter(|(_, asked)| asked.id == request || mutated!(AnswersTheNext))
        else {
            let given = format!("{request} of {}", task.id);
            return Err(Rejection::NotFound { what: "request for leave", given });
        };
        if permission.answer.is_some() {
            return Err(answered(task.id, permission.id));
        }
        if let Some((agent, reason)) =
            agent.and_then(|agent| Some((agent, self.may_not_answer(owner, agent)?)))
        {
            let agent = agent.spec.name.clone();
            return Err(Rejection::MayNotPass { task: task.id, gate: "request for leave", agent, reason });
        }
        let option = chosen(&permission.ask, allowed, option)?;
        let answer = PermissionAnswer { allowed, option, by: agent.map(|it| it.id), notes: notes.clone() };
        out.push(Event::PermissionAnswered {
            task: task.id,
            agent: owner.agent,
            assignment: owner.assignment,
            request: named(permission.id),
            answer,
        });
        Ok(Reply::about(task.id))
    }
}

/// Tells whether what is asked is what was asked before: the same name stands for nothing where the rest is another.
fn is_same(known: &PermissionAsk, ask: &PermissionAsk) -> bool {
    if mutated!(NameIsAll) { known.name == ask.name } else { known == ask }
}

fn answered(task: TaskId, request: PermissionId) -> Rejection {
    Rejection::Settled { what: format!("request {request} of {task}"), state: "answered" }
}

fn named(request: PermissionId) -> Text {
    own_text(&request.to_string())
}

/// Returns the option that an answer stands for: the one that is named, else the first of its sort.
fn chosen(ask: &PermissionAsk, allowed: bool, named: Option<&Text>) -> Result<Option<Text>, Rejection> {
    let mut fitting = ask.options.iter().filter(|option| option.kind.allows() == allowed);
    if let Some(named) = named {
        if fitting.any(|option| option.id == *named) {
            return Ok(Some(named.clone()));
        }
        let fitting = ask.options.iter().filter(|option| option.kind.allows() == allowed);
        let ids: Vec<&str> = fitting.map(|option| option.id.as_str()).collect();
        return Err(invalid("option", named.to_string(), format!("one of: {}", ids.join(", "))));
    }
    let first = OptionKind::ALL
        .into_iter()
        .filter(|kind| kind.allows() == allowed)
        .find_map(|kind| ask.options.iter().find(|option| option.kind == kind));
    match first {
        None if allowed => Err(invalid("verdict", "approve", "reject: the agent offers nothing else")),
        first => Ok(first.map(|option| option.id.clone())),
    }
}

fn check_ask(ask: &PermissionAsk) -> Result<(), Rejection> {
    let most = limits::PERMISSION_OPTIONS_MAX;
    if ask.options.is_empty() || ask.options.len() > most {
        return Err(invalid("options", ask.options.len().to_string(), format!("1 to {most} options")));
    }
    for (index, option) in ask.options.iter().enumerate() {
        if ask.options[..index].iter().any(|other| other.id == option.id) {
            return Err(invalid(format!("options[{index}].id"), option.id.to_string(), "each id once"));
        }
    }
    Ok(())
}
