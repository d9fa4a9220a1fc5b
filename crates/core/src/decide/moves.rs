//! Owned work that goes to another agent, and what agents are told.

use kapell_model::{AgentId, Considered, Moment, Name, NoticeId, SCORER_VERSION, Text};

use super::agents::own_text;
use super::{OWNED, invalid, require_state};
use crate::command::TaskRef;
use crate::engine::Reply;
use crate::event::{Event, MoveCause};
use crate::notice::NoticeKind;
use crate::rejection::Rejection;
use crate::state::State;
use crate::task::Task;

impl State {
    pub(super) fn move_by_hand(
        &self,
        now: Moment,
        reference: &TaskRef,
        name: &Name,
        note: Option<&Text>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let task = self.find_task(reference)?;
        let agent = self.find_agent(name)?;
        require_state(task, "moving", OWNED)?;
        let owner = task.owner.as_ref().expect("an owned task has an owner");
        if owner.agent == agent.id {
            return Err(invalid("agent", format!("`{name}`, its owner"), "another agent"));
        }
        let class = self.situation.class(task.class);
        self.fit_by_hand(class, agent.id).map_err(|unfit| Rejection::NotCandidate {
            task: task.id,
            agent: name.clone(),
            reason: self.unfit_text(agent.id, unfit),
        })?;
        if let Some((of, closing)) = self.over_budget_to(task, agent.id) {
            let reason = self.closing_text(&of, &closing);
            return Err(Rejection::NotCandidate { task: task.id, agent: name.clone(), reason });
        }
        if let Some(obstacle) = self.obstacle_to_move(task.id, agent.id) {
            return Err(self.resource_held(&obstacle, now));
        }
        self.move_task(task, agent.id, MoveCause::ByHand, note.map(Text::as_str), Vec::new(), out);
        Ok(Reply::about(task.id))
    }

    /// Gives an owned task to another agent and tells the one that had it. That the other may have it is checked.
    pub(crate) fn move_task(
        &self,
        task: &Task,
        to: AgentId,
        cause: MoveCause,
        why: Option<&str>,
        considered: Vec<Considered>,
        out: &mut Vec<Event>,
    ) {
        let owner = task.owner.as_ref().expect("an owned task has an owner");
        let (from, to_name) = (self.name_of(owner.agent), self.name_of(to));
        let left = owner.note.as_ref().or(task.note.as_ref());
        let mut handed_on = Vec::new();
        if owner.started_at.is_some() {
            handed_on.push(format!("`{from}` had done {} %", owner.percent));
        }
        handed_on.extend(why.map(str::to_owned));
        handed_on.extend(left.map(|note| format!("its last note: {note}")));
        let note = Some(own_text(&handed_on.join("; "))).filter(|note| !note.is_empty());
        out.push(Event::TaskMoved {
            task: task.id,
            from: owner.agent,
            ended: owner.assignment,
            agent: to,
            assignment: kapell_model::AssignmentId(self.last_assignment.0 + 1),
            cause,
            note,
            loads: Some(self.move_loads(owner.agent, to)),
            policy: self.policy_version,
            scorer: SCORER_VERSION,
            considered,
        });
        if cause == MoveCause::Disputed {
            let text = format!("{}; stop working on it", why.unwrap_or_default());
            return self.notify(owner.agent, NoticeKind::DisputeRuled, Some(task.id), &text, None, out);
        }
        let reason = match cause {
            MoveCause::Stalled => "no answer about how far it is".to_owned(),
            MoveCause::Balancing => {
                let loads = self.move_loads(owner.agent, to);
                let ((has, of), (other, of_other)) = (loads.from, loads.to);
                format!("to even the load, {has} of {of} tasks here and {other} of {of_other} there")
            }
            MoveCause::ByHand | MoveCause::Disputed | MoveCause::Kept => {
                why.map_or_else(|| "by a manager".to_owned(), str::to_owned)
            }
            MoveCause::Emergency => why.map_or_else(|| "for an emergency".to_owned(), str::to_owned),
        };
        let text = format!("{} went to `{to_name}`: {reason}; stop working on it", task.id);
        self.notify(owner.agent, NoticeKind::Moved, Some(task.id), &text, None, out);
    }

    pub(super) fn read_notices(
        &self,
        name: &Name,
        up_to: NoticeId,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let agent = self.find_agent(name)?;
        if agent.inbox.all().last().is_none_or(|last| last.id < up_to) {
            return Err(Rejection::NotFound { what: "notice", given: up_to.to_string() });
        }
        if up_to > agent.inbox.read_up_to() {
            out.push(Event::NoticesRead { agent: agent.id, up_to });
        }
        Ok(Reply { agent: Some(name.clone()), ..Reply::default() })
    }
}
