//! Who is called by an escalation, who has taken it on, and to whom it goes where nobody does (SEMANTICS 1).
//!
//! ```text
//! raised --acknowledged--> taken on --------+
//!   |  ^                                    +--settled
//!   +--+ its ack time passes: raised again, --+
//!        to the next role up, a bounded number of times
//! ```
//! Raised again it is the same escalation: there is still one of its cause.

use kapell_model::{AgentId, AgentState, EscalationId, Moment, Name, Priority, Span, Text, limits};
use serde::{Deserialize, Serialize};

use crate::escalation::{Escalation, EscalationKind};
use crate::event::Event;
use crate::mutation::mutated;
use crate::notice::NoticeKind;
use crate::state::State;

/// Who has taken an escalation on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// When.
    pub at: Moment,
    /// Who said so, as the log shows it: `admin`, `agent:ann`.
    pub by: Text,
    /// In the name of which agent or person; nothing where a manager did in its own.
    pub agent: Option<AgentId>,
}

impl Escalation {
    /// Returns the role that is called now.
    ///
    /// # Panics
    /// Never: at least one role is called.
    #[must_use]
    pub fn role(&self) -> &Name {
        self.called.last().expect("somebody is called")
    }

    /// Returns how often it was raised again.
    #[must_use]
    pub fn raised_again(&self) -> usize {
        self.called.len() - 1
    }

    /// Tells whether `role` is called, or was before it went up.
    #[must_use]
    pub fn calls(&self, role: &Name) -> bool {
        self.called.contains(role)
    }

    /// Tells whether somebody must still say that they have taken it on.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.settled.is_none() && self.acknowledged.is_none()
    }

    /// Tells whether nobody has taken it on in time.
    #[must_use]
    pub fn is_overdue(&self, now: Moment) -> bool {
        self.is_awaited() && self.due < now
    }

    /// Returns when it is late: its ack time, as long as it is not acknowledged.
    pub(crate) fn late_at(&self) -> Moment {
        if self.acknowledged.is_some() { Moment::NEVER } else { self.due }
    }
}

impl State {
    /// Returns the escalation `id`.
    #[must_use]
    pub fn escalation(&self, id: EscalationId) -> Option<&Escalation> {
        self.escalations.get((id.0 as usize).checked_sub(1)?)
    }

    /// Returns the role to which an escalation goes that `role` has not taken on: the next one up, or the last once more.
    fn role_above(&self, role: &Name) -> Name {
        let ladder = &self.policy.escalations.ladder;
        let place = ladder.iter().position(|step| step == role).map_or(0, |place| place + 1);
        ladder.get(place).or(ladder.last()).unwrap_or(role).clone()
    }

    /// Raises again in `out` what nobody has taken on by `now`.
    pub(crate) fn lapse_escalations(&self, now: Moment, out: &mut Vec<Event>) {
        let due = self.calls.iter().take_while(|&&(at, _)| at <= now);
        for &(_, id) in due.take(limits::EVENTS_PER_COMMAND_MAX / 16).filter(|_| !mutated!(CallNeverDue)) {
            let escalation = self.escalation(id).expect("an open one");
            let (role, due) =
                (self.role_above(escalation.role()), now.after(self.policy.ack.of(escalation.severity)));
            out.push(Event::EscalationReraised { escalation: id, role, due });
        }
    }

    /// Returns what an agent drops that goes: what it has taken on is called for anew.
    pub(crate) fn dropped_by(&self, agent: AgentId, now: Moment) -> Vec<Event> {
        let own = self.taken_on.range((agent, EscalationId(0))..=(agent, EscalationId(u32::MAX)));
        let own = own.filter(|_| !mutated!(AcknowledgedByTheGone)).filter_map(|&(_, id)| self.escalation(id));
        let dropped = own.map(|it| {
            let due = now.after(self.policy.ack.of(it.severity));
            Event::EscalationDropped { escalation: it.id, agent, due }
        });
        dropped.collect()
    }

    /// Returns the words to those whom an escalation calls that has just been raised, or raised again.
    pub(crate) fn told_of_call(&self, id: EscalationId) -> Vec<Event> {
        let Some(escalation) = self.escalation(id) else { return Vec::new() };
        let (role, mut out) = (escalation.role(), Vec::new());
        let text = format!("{} calls the role `{role}`: {}", escalation.id, escalation.detail);
        let due = Some(escalation.again_at.unwrap_or(escalation.due));
        for agent in self.of_role(role).take(limits::CALLED_BY_ROLE_MAX) {
            self.notify(agent, NoticeKind::Called, escalation.task(), &text, due, &mut out);
        }
        out
    }

    /// Visits the agents of a role by id.
    pub fn of_role<'a>(&'a self, role: &'a Name) -> impl Iterator<Item = AgentId> + 'a {
        let all = self.by_role.get(role).into_iter().flatten().copied();
        all.filter(move |&id| {
            let agent = self.agent(id);
            agent.state != AgentState::Removed && agent.spec.role == *role
        })
    }

    // Folding.

    pub(crate) fn note_role(&mut self, id: AgentId) {
        let role = self.agents[id.index()].spec.role.clone();
        self.by_role.entry(role).or_default().insert(id);
    }

    /// Changes an open escalation, and where it stands in the indexes by time.
    pub(crate) fn change_escalation(&mut self, id: EscalationId, change: impl FnOnce(&mut Escalation)) {
        self.index_call(id, false);
        let escalation = self.escalations.get_mut(id.0 as usize - 1).expect("an escalation of this fleet");
        change(escalation);
        self.index_call(id, true);
    }

    /// Puts an escalation into the indexes by time, or takes it out; one that is settled stands in none.
    pub(crate) fn index_call(&mut self, id: EscalationId, enters: bool) {
        let Some(escalation) = self.escalation(id).filter(|it| it.settled.is_none()) else { return };
        let (again, late, counts) =
            (escalation.again_at, escalation.late_at(), escalation.kind != EscalationKind::HealthLow);
        let taken = escalation.acknowledged.as_ref().and_then(|it| it.agent);
        if let Some(at) = again {
            if enters {
                self.calls.insert((at, id));
            } else {
                self.calls.remove(&(at, id));
            }
        }
        if counts {
            self.watch_escalation(late, id, enters);
        }
        if let Some(agent) = taken {
            if enters {
                self.taken_on.insert((agent, id));
            } else {
                self.taken_on.remove(&(agent, id));
            }
        }
    }

    pub(crate) fn escalation_dropped(&mut self, id: EscalationId, due: Moment) {
        let most = self.policy.escalations.reraises_max as usize;
        self.change_escalation(id, |escalation| {
            escalation.acknowledged = None;
            escalation.due = due;
            escalation.again_at = Some(due).filter(|_| escalation.raised_again() < most);
        });
    }

    pub(crate) fn escalation_acknowledged(&mut self, id: EscalationId, acknowledged: Acknowledged) {
        self.change_escalation(id, |escalation| {
            escalation.acknowledged = Some(acknowledged);
            if !mutated!(AcknowledgedRaisedAgain) {
                escalation.again_at = None;
            }
        });
    }

    pub(crate) fn escalation_reraised(&mut self, id: EscalationId, role: &Name, due: Moment) {
        let most = self.policy.escalations.reraises_max as usize;
        self.change_escalation(id, |escalation| {
            escalation.called.push(role.clone());
            escalation.again_at = Some(due).filter(|_| escalation.raised_again() < most);
        });
    }

    /// Says anew what is the matter. What is more urgent than before is to be taken on sooner.
    pub(crate) fn escalation_updated(&mut self, id: EscalationId, severity: Priority, detail: &Text) {
        let due = self.at.after(self.policy.ack.of(severity));
        self.change_escalation(id, |escalation| {
            escalation.detail = detail.clone();
            escalation.severity = severity;
            if escalation.again_at == Some(escalation.due) {
                escalation.due = escalation.due.min(due);
                escalation.again_at = Some(escalation.due);
            }
        });
    }

    /// Takes the ack times over a time in which nobody served.
    pub(crate) fn escalations_resumed(&mut self, away: Span) {
        for (_, id) in self.calls.clone() {
            self.change_escalation(id, |escalation| {
                if escalation.raised_again() == 0 || escalation.again_at == Some(escalation.due) {
                    escalation.due = escalation.due.after(away);
                }
                escalation.again_at = escalation.again_at.map(|at| at.after(away));
            });
        }
    }
}
