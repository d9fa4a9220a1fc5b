//! Disputes over tasks: opened by a claim, a late result or an agent's word (SEMANTICS 3.4 and 7).

use kapell_model::{AgentId, Moment, Name, Text};

use super::{OWNED, invalid, require_state};
use crate::command::TaskRef;
use crate::dispute::DisputeCause;
use crate::engine::Reply;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;
use crate::task::Task;

impl State {
    /// Opens a dispute for an agent that says that a task is its own. The owner says against whom.
    pub(super) fn file_dispute(
        &self,
        now: Moment,
        reference: &TaskRef,
        name: &Name,
        against: Option<&Name>,
        reason: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        let agent = self.find_agent(name)?.id;
        let against = against.map(|name| self.find_agent(name).map(|agent| agent.id)).transpose()?;
        require_state(task, "disputing", OWNED)?;
        let owner = task.owner.as_ref().expect("an owned task has an owner");
        let other = match against {
            _ if owner.agent != agent => {
                let wrong = against.filter(|&against| against != owner.agent);
                match wrong {
                    Some(other) => {
                        let allowed = format!("the owner, `{}`, or nothing", self.name_of(owner.agent));
                        return Err(invalid("against", format!("`{}`", self.name_of(other)), allowed));
                    }
                    None => agent,
                }
            }
            Some(other) if other != agent => other,
            Some(_) => {
                return Err(invalid("against", format!("`{name}`, the owner itself"), "another agent"));
            }
            None => {
                let allowed = "the agent that takes it for its own too: the task is yours";
                return Err(invalid("against", "missing", allowed));
            }
        };
        if let Some(known) = self.lost_already(task, owner, other) {
            return Ok(Reply { conflict: Some(known), ..Reply::about(task.id) });
        }
        self.open_dispute(now, task, DisputeCause::Filed, (agent, other), Some(reason), out)
    }

    /// Opens a dispute between the owner of a task, those who have claimed it from the same owner before, and `other`.
    pub(super) fn open_dispute(
        &self,
        now: Moment,
        task: &Task,
        cause: DisputeCause,
        (by, other): (AgentId, AgentId),
        reason: Option<&Text>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let owner = task.owner.as_ref().expect("a disputed task has an owner");
        let mut parties = vec![owner.agent];
        let before = self.disputes_of(task, owner).flat_map(|(conflict, _)| conflict.parties.iter().copied());
        for agent in before.chain([other]) {
            if !parties.contains(&agent) {
                parties.push(agent);
            }
        }
        let conflict = self.next_conflict();
        out.push(Event::DisputeOpened {
            conflict,
            task: task.id,
            assignment: owner.assignment,
            stalled: self.is_forsaken(owner, now),
            parties,
            cause,
            by,
            reason: reason.cloned(),
        });
        Ok(Reply { conflict: Some(conflict), ..Reply::about(task.id) })
    }
}
