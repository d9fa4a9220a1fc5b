//! Reservations: asked for, renewed, released, lapsed; and what follows from other events for them.

use std::sync::Arc;

use kapell_model::{AgentId, AgentState, Moment, Name, Need, ReservationId, Span, TaskId, Text, limits};

use super::{OWNED, invalid, require_state};
use crate::command::{InLine, ReservationRef, TaskRef};
use crate::engine::Reply;
use crate::event::{Event, ReleaseCause};
use crate::mutation::mutated;
use crate::notice::NoticeKind;
use crate::rejection::Rejection;
use crate::reservations::{Lapse, Obstacle, Party, Reservation, Share, Taken, Wait};
use crate::state::State;

/// What is asked for.
pub(super) struct Asked<'a> {
    pub(super) agent: &'a Name,
    pub(super) task: Option<&'a TaskRef>,
    pub(super) needs: &'a Arc<[Need]>,
    pub(super) ttl: Option<Span>,
    pub(super) line: InLine,
}

impl State {
    /// Grants what is free, puts the request in line where it wants that, else refuses it with the holder.
    pub(super) fn reserve(
        &self,
        now: Moment,
        asked: &Asked<'_>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let party = self.asking(asked.agent, asked.task)?;
        check_needs("resources", asked.needs)?;
        let policy = &self.policy.reservations;
        let ttl = asked.ttl.unwrap_or(policy.ttl);
        within("ttl_ms", ttl, policy.ttl_min, policy.ttl_max)?;
        let ttl = self.shortened(asked.needs, ttl);
        if let InLine::For(Some(span)) = asked.line {
            within("wait_ms", span, limits::DURATION_MIN, policy.wait)?;
        }
        self.room_for(party)?;
        let (agent, task, needs) = (party.agent, party.task, Arc::clone(asked.needs));
        let given = self.as_given_out(&needs);
        let reply = Reply { agent: Some(asked.agent.clone()), task, ..Reply::default() };
        let obstacle = self.obstacle(party, &needs, self.turn_for(task, now), None);
        let Some(obstacle) = obstacle.filter(|_| !mutated!(ExclusiveShared)) else {
            let (reservation, expires_at) = (self.next_reservation(), now.after(ttl));
            out.push(Event::ReservationGranted {
                reservation,
                agent,
                task,
                needs: given,
                ttl: Some(ttl),
                expires_at: Some(expires_at),
                wait: None,
            });
            return Ok(Reply { reservation: Some(reservation), expires_at: Some(expires_at), ..reply });
        };
        let InLine::For(span) = asked.line else { return Err(self.resource_held(&obstacle, now)) };
        let wait = self.reservations.last_wait.next();
        let expires_at = now.after(span.unwrap_or(policy.wait));
        let behind = match obstacle.by {
            Taken::Held(reservation, _) => Some(reservation),
            Taken::Awaited(..) => None,
        };
        out.push(Event::ReservationRequested { wait, agent, task, needs, ttl, expires_at, behind });
        Ok(Reply { wait: Some(wait), expires_at: Some(expires_at), ..reply })
    }

    /// Returns who asks: an agent that is not gone, for a task that it owns where one is named.
    fn asking(&self, name: &Name, task: Option<&TaskRef>) -> Result<Party, Rejection> {
        let agent = self.find_agent(name)?;
        let task = task.map(|task| self.find_task(task)).transpose()?;
        if agent.state == AgentState::Offline {
            return Err(Rejection::AgentState { agent: name.clone(), state: agent.state });
        }
        if let Some(task) = task {
            require_state(task, "reserving for it", OWNED)?;
            let owner = task.owner.as_ref().map(|owner| owner.agent);
            if let Some(owner) = owner.filter(|&owner| owner != agent.id) {
                let (agent, owner) = (name.clone(), self.name_of(owner));
                return Err(Rejection::NotOwner { task: task.id, agent, owner });
            }
        }
        Ok(Party { agent: agent.id, task: task.map(|task| task.id) })
    }

    /// Returns for how long what is wanted is given out, where it is narrow and leases on it are kept shorter.
    fn shortened(&self, needs: &[Need], ttl: Span) -> Span {
        self.lease_most(needs).map_or(ttl, |most| most.min(ttl))
    }

    /// Checks the bounds. What is reserved with an assignment is bounded by the slots and does not count.
    fn room_for(&self, party: Party) -> Result<(), Rejection> {
        let share = self.reservations.by_agent.get(&party.agent);
        let asked_for = |share: &Share| {
            let leases = share.held.iter().filter(|id| self.reservations.held[id].ttl.is_some());
            leases.count() + share.waits.len()
        };
        if share.map_or(0, asked_for) >= limits::RESERVATIONS_PER_AGENT_MAX {
            let limit = limits::RESERVATIONS_PER_AGENT_MAX;
            return Err(Rejection::LimitExceeded { what: "reservations and waits of an agent", limit });
        }
        if self.reservations.count() >= limits::RESERVATIONS_MAX {
            let limit = limits::RESERVATIONS_MAX;
            return Err(Rejection::LimitExceeded { what: "reservations and waits of a fleet", limit });
        }
        Ok(())
    }

    fn next_reservation(&self) -> ReservationId {
        self.reservations.last.next()
    }

    /// Says who has what somebody else wants.
    #[must_use]
    pub fn resource_held(&self, obstacle: &Obstacle, now: Moment) -> Rejection {
        Rejection::ResourceHeld { obstacle: obstacle.clone(), holder: self.name_of(obstacle.agent), now }
    }

    pub(super) fn renew_reservation(
        &self,
        now: Moment,
        id: ReservationId,
        agent: Option<&Name>,
        ttl: Option<Span>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let held = self.find_reservation(id)?;
        self.check_holder(held, agent)?;
        let policy = &self.policy.reservations;
        if let Some(ttl) = ttl {
            within("ttl_ms", ttl, policy.ttl_min, policy.ttl_max)?;
        }
        if held.asked.is_some() {
            let left = held.expires_at.map(|at| at.since(now)).unwrap_or_default();
            return Err(Rejection::AskedToRelease { reservation: id, left });
        }
        let reply =
            Reply { reservation: Some(id), agent: Some(self.name_of(held.agent)), ..Reply::default() };
        let Some(own) = held.ttl else { return Ok(Reply { task: held.task, ..reply }) };
        let expires_at = now.after(self.shortened(&held.needs, ttl.unwrap_or(own)));
        out.push(Event::ReservationRenewed { reservation: id, expires_at });
        Ok(Reply { expires_at: Some(expires_at), ..reply })
    }

    /// Releases a reservation, or takes a request out of the line. Without an agent it is by force, and needs a reason.
    pub(super) fn release_reservation(
        &self,
        reference: ReservationRef,
        agent: Option<&Name>,
        reason: Option<&Text>,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let cause = if agent.is_some() { ReleaseCause::Released } else { ReleaseCause::Forced };
        let wait = match reference {
            ReservationRef::Held(id) => return self.release_held(id, agent, reason, cause, out),
            ReservationRef::Waiting(id) => id,
        };
        let Some(waiting) = self.reservations.wait(wait) else {
            // Its turn may have come meanwhile: who gives up the place gives up what it became.
            return match self.reservations.granted(wait) {
                Some(held) => self.release_held(held.id, agent, reason, cause, out),
                None => Err(Rejection::NotFound { what: "waiting request", given: wait.to_string() }),
            };
        };
        let holder = self.name_of(waiting.agent);
        if let Some(agent) = agent.filter(|&agent| *agent != holder) {
            return Err(Rejection::NotHolder { what: wait.to_string(), agent: agent.clone(), holder });
        }
        check_reason(cause, reason)?;
        let reason = reason.cloned();
        out.push(Event::ReservationWithdrawn { wait, agent: waiting.agent, cause, reason });
        Ok(Reply { wait: Some(wait), agent: Some(holder), ..Reply::default() })
    }

    fn release_held(
        &self,
        id: ReservationId,
        agent: Option<&Name>,
        reason: Option<&Text>,
        cause: ReleaseCause,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let held = self.find_reservation(id)?;
        self.check_holder(held, agent)?;
        check_reason(cause, reason)?;
        let reason = reason.cloned();
        out.push(Event::ReservationReleased { reservation: id, agent: held.agent, cause, reason });
        Ok(Reply { reservation: Some(id), agent: Some(self.name_of(held.agent)), ..Reply::default() })
    }

    fn find_reservation(&self, id: ReservationId) -> Result<&Reservation, Rejection> {
        match self.reservations.reservation(id) {
            Some(held) => Ok(held),
            None if (1..=self.reservations.last.0).contains(&id.0) => {
                Err(Rejection::StaleReservation { reservation: id })
            }
            None => Err(Rejection::NotFound { what: "reservation", given: id.to_string() }),
        }
    }

    fn check_holder(&self, held: &Reservation, agent: Option<&Name>) -> Result<(), Rejection> {
        let holder = self.name_of(held.agent);
        match agent.filter(|&agent| *agent != holder) {
            Some(agent) => {
                Err(Rejection::NotHolder { what: held.id.to_string(), agent: agent.clone(), holder })
            }
            None => Ok(()),
        }
    }

    /// Begins every lease anew, with its full length: nobody loses one by our own absence.
    pub(super) fn begin_leases_again(&self, out: &mut Vec<Event>) -> Reply {
        if self.reservations.next_lapse().is_some() {
            let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
            let leases = self.reservations.held().filter(|held| held.ttl.is_some()).count();
            let waits = self.reservations.waiting().count();
            out.push(Event::ReservationsExtended { leases: count(leases), waits: count(waits) });
        }
        Reply::default()
    }

    /// Ends what has lapsed by `now`; more than a bound's worth waits for the next tick.
    pub(super) fn lapse_reservations(&self, now: Moment, out: &mut Vec<Event>) {
        let due = self.reservations.lapses.iter().take_while(|&&(at, _)| at <= now);
        let due = due.filter(|_| !mutated!(ReservationNeverLapses));
        let cause = ReleaseCause::Expired;
        out.extend(due.take(limits::EVENTS_PER_COMMAND_MAX / 4).map(|&(_, lapse)| match lapse {
            Lapse::Held(reservation) => self.released(reservation, cause),
            Lapse::Waiting(wait) => {
                let agent = self.reservations.waiting[&wait].agent;
                Event::ReservationWithdrawn { wait, agent, cause, reason: None }
            }
        }));
    }

    fn released(&self, reservation: ReservationId, cause: ReleaseCause) -> Event {
        let agent = self.reservations.held[&reservation].agent;
        Event::ReservationReleased { reservation, agent, cause, reason: None }
    }

    /// Puts into `out` what must be released before `event` happens: a task that ends or loses its owner holds nothing, nor
    /// does an agent that is gone.
    pub(crate) fn released_before(&self, event: &Event, out: &mut Vec<Event>) {
        if self.reservations.by_agent.is_empty() {
            return;
        }
        let (share, cause) = match event {
            Event::GatesOpened { task, assignment, .. } => {
                let owner = self.task(*task).owner.as_ref();
                if owner.is_none_or(|owner| owner.assignment == *assignment) {
                    return;
                }
                (self.reservations.by_task.get(task), ReleaseCause::TaskEnded)
            }
            Event::TaskCompleted { .. } if mutated!(ReservationOutlivesTask) => return,
            Event::TaskCompleted { task, .. }
            | Event::AttemptFailed { task, .. }
            | Event::TaskFailed { task, .. }
            | Event::TaskReturned { task, .. }
            | Event::GateOwnerLeft { task, .. }
            | Event::TaskMoved { task, .. }
            | Event::TaskCancelled { task, .. } => {
                (self.reservations.by_task.get(task), ReleaseCause::TaskEnded)
            }
            Event::AgentOffline { agent, .. } | Event::AgentRemoved { agent } => {
                (self.reservations.by_agent.get(agent), ReleaseCause::HolderGone)
            }
            _ => return,
        };
        let Some(share) = share else { return };
        out.extend(share.waits.iter().map(|&wait| {
            let agent = self.reservations.waiting[&wait].agent;
            Event::ReservationWithdrawn { wait, agent, cause, reason: None }
        }));
        out.extend(share.held.iter().map(|&reservation| self.released(reservation, cause)));
    }

    /// Returns the reservation that goes with a new assignment: what its task declares, for as long as it is owned.
    pub(crate) fn reserved_with(&self, task: TaskId) -> Option<Event> {
        let task = self.task(task);
        let needs = &self.situation.class(task.class).needs;
        let owner = task.owner.as_ref().filter(|_| !needs.is_empty())?;
        Some(Event::ReservationGranted {
            reservation: self.next_reservation(),
            agent: owner.agent,
            task: Some(task.id),
            needs: self.as_given_out(&Arc::from(needs.as_ref())),
            ttl: None,
            expires_at: None,
            wait: None,
        })
    }

    /// Takes the waits whose turn may have come, in the order in which they are served.
    pub(crate) fn take_stirred(&mut self) -> Vec<kapell_model::WaitId> {
        let stirred = std::mem::take(&mut self.reservations.stirred);
        let mut waits: Vec<&Wait> =
            stirred.iter().filter_map(|id| self.reservations.waiting.get(id)).collect();
        waits.sort_by_cached_key(|wait| (self.turn_of(wait), wait.id));
        waits.into_iter().map(|wait| wait.id).collect()
    }

    /// Returns the grant of a place in line, where nothing stands in its way any more.
    pub(crate) fn granted_in_line(&self, id: kapell_model::WaitId, now: Moment) -> Option<Event> {
        self.reservations.wait(id).filter(|wait| self.obstacle_of(wait).is_none())?;
        self.granted_from_line(id, now)
    }

    /// Returns the grant of a place in line, whatever comes before it there.
    pub(crate) fn granted_from_line(&self, id: kapell_model::WaitId, now: Moment) -> Option<Event> {
        let wait = self.reservations.wait(id)?;
        let ttl = self.shortened(&wait.needs, wait.ttl);
        Some(Event::ReservationGranted {
            reservation: self.next_reservation(),
            agent: wait.agent,
            task: wait.task,
            needs: self.as_given_out(&wait.needs),
            ttl: Some(ttl),
            expires_at: Some(now.after(ttl)),
            wait: Some(id),
        })
    }

    /// Tells the holder in `out` what `event` does to what it has reserved; called before the event is folded in.
    pub(crate) fn tell_holder(&self, event: &Event, out: &mut Vec<Event>) {
        let (agent, task, kind, text, due) = match event {
            Event::ReservationGranted { reservation, agent, task, wait: Some(wait), expires_at, .. } => {
                let text = format!("the turn of {wait} has come: it is reservation {reservation} now");
                (*agent, *task, NoticeKind::ReservationGranted, text, *expires_at)
            }
            Event::ReservationReleased { reservation, cause: ReleaseCause::Forced, reason, .. } => {
                let held = &self.reservations.held[reservation];
                let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                let text = format!("reservation {reservation} was taken away by a manager{reason}");
                (held.agent, held.task, NoticeKind::ReservationTaken, text, None)
            }
            Event::ReservationRing { ring, reservation, until } => {
                let held = &self.reservations.held[reservation];
                let names: Vec<String> =
                    ring.iter().map(|step| self.name_of(step.agent).to_string()).collect();
                let ring = names.join(" waits for ");
                let text = format!(
                    "{ring} waits for {}: release {reservation} where you can; it cannot be renewed",
                    names.first().map_or("", String::as_str)
                );
                (held.agent, held.task, NoticeKind::ReleaseAsked, text, Some(*until))
            }
            _ => return,
        };
        self.notify(agent, kind, task, &text, due, out);
    }

    /// Returns the event that breaks a ring in which `agent` waits: the weakest holder is asked to release.
    pub(crate) fn ring_broken(&self, agent: AgentId, now: Moment) -> Option<Event> {
        if self.reservations.waiting.is_empty() {
            return None;
        }
        let ring = self.ring(agent)?;
        let reservation = self.weakest(&ring)?;
        let latest = now.after(self.policy.reservations.ttl);
        let until = self.reservations.held[&reservation].expires_at.map_or(latest, |at| at.min(latest));
        Some(Event::ReservationRing { ring, reservation, until })
    }
}

/// Checks what a reservation or a task wants.
pub(super) fn check_needs(field: &str, needs: &[Need]) -> Result<(), Rejection> {
    if needs.len() > limits::RESOURCES_MAX || needs.is_empty() {
        let given = format!("{} resources", needs.len());
        return Err(invalid(field, given, format!("1 to {} resources", limits::RESOURCES_MAX)));
    }
    for (index, need) in needs.iter().enumerate() {
        if needs[..index].iter().any(|other| other.resource == need.resource) {
            let given = format!("`{}` twice", need.resource);
            return Err(invalid(format!("{field}[{index}]"), given, "each resource once"));
        }
    }
    Ok(())
}

fn within(field: &'static str, given: Span, least: Span, most: Span) -> Result<(), Rejection> {
    if (least..=most).contains(&given) {
        return Ok(());
    }
    Err(invalid(field, format!("{} ms", given.0), format!("{} to {} ms, by the policy", least.0, most.0)))
}

fn check_reason(cause: ReleaseCause, reason: Option<&Text>) -> Result<(), Rejection> {
    if cause == ReleaseCause::Forced && reason.is_none_or(|reason| reason.as_str().trim().is_empty()) {
        return Err(invalid("reason", "missing", "a reason, where it is released by force"));
    }
    Ok(())
}
