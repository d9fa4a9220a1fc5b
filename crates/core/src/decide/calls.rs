//! Escalations: taken on, and settled, with what that does to what waits for them.

use kapell_model::{EscalationId, Name, Text};

use crate::agent::Agent;
use crate::engine::Reply;
use crate::escalation::{Escalation, EscalationKind, Subject};
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;

impl State {
    /// Takes an escalation on: nobody else is called for it. Without an agent it is a manager. Said again it changes nothing.
    pub(super) fn acknowledge_escalation(
        &self,
        id: EscalationId,
        name: Option<&Name>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let escalation = self.open_escalation(id)?;
        let agent = self.called_agent(escalation, name)?.map(|agent| agent.id);
        if escalation.acknowledged.is_none() {
            out.push(Event::EscalationAcknowledged { escalation: id, agent });
        }
        Ok(Reply { escalation: Some(id), task: escalation.task(), ..Reply::default() })
    }

    /// Settles an escalation by a word. Where something waits for it, that goes on.
    pub(super) fn settle_escalation(
        &self,
        id: EscalationId,
        name: Option<&Name>,
        note: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let escalation = self.open_escalation(id)?;
        self.called_agent(escalation, name)?;
        if let Subject::Conflict(conflict) = escalation.subject {
            return Err(Rejection::NeedsRuling { escalation: id, conflict });
        }
        let task = escalation.task();
        if let Some(task) = task.filter(|_| escalation.kind == EscalationKind::ApprovalNeeded) {
            return Err(Rejection::NeedsVerdict { escalation: id, task });
        }
        if let Some(task) = task.filter(|_| escalation.kind == EscalationKind::PermissionNeeded) {
            return Err(Rejection::NeedsAnswer { escalation: id, task });
        }
        out.push(Event::EscalationSettled { escalation: id, note: note.clone() });
        match (task, escalation.kind) {
            (Some(task), EscalationKind::HandoffStuck) => self.handoff_settled(task, note, out),
            // Who settles a loop has seen to its cause: the task is handed out again, and begins with a clean sheet.
            (Some(task), EscalationKind::RedispatchLoop) if self.task(task).is_open() => {
                out.push(Event::HoldReleased { task });
            }
            // The work stays where it is. Its owner is asked anew where it goes on saying nothing.
            (Some(task), EscalationKind::Stalled) if self.is_stranded(task) => {
                out.push(Event::StallSettled { task });
            }
            _ => {}
        }
        Ok(Reply { escalation: Some(id), task, ..Reply::default() })
    }

    fn open_escalation(&self, id: EscalationId) -> Result<&Escalation, Rejection> {
        let escalation = self.escalation(id);
        let escalation =
            escalation.ok_or_else(|| Rejection::NotFound { what: "escalation", given: id.to_string() })?;
        match escalation.settled {
            Some(_) => Err(Rejection::Settled { what: id.to_string(), state: "settled" }),
            None => Ok(escalation),
        }
    }

    /// Returns the agent who speaks, where that is among those who are called.
    fn called_agent(
        &self,
        escalation: &Escalation,
        name: Option<&Name>,
    ) -> Result<Option<&Agent>, Rejection> {
        let Some(name) = name else { return Ok(None) };
        let agent = self.find_agent(name)?;
        if escalation.calls(&agent.spec.role) {
            return Ok(Some(agent));
        }
        let (escalation, role) = (escalation.id, escalation.role().clone());
        Err(Rejection::NotCalled { escalation, agent: name.clone(), role })
    }
}
