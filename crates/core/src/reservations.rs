//! What is reserved, and who waits in line for it (SEMANTICS 4 and 7).
//!
//! A reservation holds all of its resources or none. Its id is the fencing token: it only grows, so that whoever guards
//! a resource can turn away everybody who comes with a smaller one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kapell_model::{AgentId, ClassId, Mode, Moment, Need, Priority, ReservationId, Span, TaskId, WaitId};
use serde::{Deserialize, Serialize};

use crate::held_back::{HeldBack, NeedSet};
use crate::mutation::mutated;
use crate::overlaps::Overlaps;

/// A lease on resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Its id, the fencing token.
    pub id: ReservationId,
    /// Who holds it.
    pub agent: AgentId,
    /// The task that it is for.
    pub task: Option<TaskId>,
    /// What is held.
    pub needs: Arc<[Need]>,
    /// How long it lasts from a renewal on; nothing where it lasts as long as its task is owned.
    pub ttl: Option<Span>,
    /// Since when.
    pub since: Moment,
    /// When it ends unless it is renewed; nothing where it ends with the ownership of its task.
    pub expires_at: Option<Moment>,
    /// The place in line that it came from.
    pub wait: Option<WaitId>,
    /// Since when its holder has been asked to release it, because others wait for each other in a ring.
    pub asked: Option<Moment>,
}

/// A request that waits in line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Its id.
    pub id: WaitId,
    /// Who waits.
    pub agent: AgentId,
    /// The task that it is for.
    pub task: Option<TaskId>,
    /// What is wanted.
    pub needs: Arc<[Need]>,
    /// How long the reservation is to last.
    pub ttl: Span,
    /// Since when.
    pub since: Moment,
    /// When it leaves the line unserved.
    pub expires_at: Moment,
    /// Which of the needs stood in the way when it got in line.
    pub(crate) behind: NeedSet,
}

/// Somebody who holds or wants resources, perhaps for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) agent: AgentId,
    pub(crate) task: Option<TaskId>,
}

impl Party {
    /// Tells whether the two work together: an agent does not stand in its own way, but two tasks of it do.
    pub(crate) fn is_with(self, other: Self) -> bool {
        let apart = self.task.is_some() && other.task.is_some() && self.task != other.task;
        self.agent == other.agent && !apart
    }
}

impl Reservation {
    pub(crate) fn party(&self) -> Party {
        Party { agent: self.agent, task: self.task }
    }
}

impl Wait {
    pub(crate) fn party(&self) -> Party {
        Party { agent: self.agent, task: self.task }
    }
}

/// The order of the line: the smallest is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    pub(crate) priority: Priority,
    pub(crate) deadline: Moment,
    pub(crate) since: Moment,
}

/// What stands in the way of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The resource that is wanted.
    pub wanted: Need,
    /// The one that overlaps it.
    pub taken: Need,
    /// Whose that is.
    pub agent: AgentId,
    /// The task that it is for.
    pub task: Option<TaskId>,
    /// How it is taken.
    pub by: Taken,
}

/// How a resource is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is held, until then; without a time as long as its task is owned.
    Held(ReservationId, Option<Moment>),
    /// Somebody waits for it whose turn comes first.
    Awaited(WaitId, Moment),
}

/// What ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lapse {
    Held(ReservationId),
    Waiting(WaitId),
}

/// Reservations and waits of one agent or one task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) held: BTreeSet<ReservationId>,
    pub(crate) waits: BTreeSet<WaitId>,
}

/// Everything that is reserved or waited for in one fleet.
#[derive(Clone, Debug, Default)]
pub struct Reservations {
    pub(crate) held: BTreeMap<ReservationId, Reservation>,
    pub(crate) waiting: BTreeMap<WaitId, Wait>,
    pub(crate) last: ReservationId,
    pub(crate) last_wait: WaitId,
    /// Classes with waiting tasks that resources hold back or have held back, by fingerprint.
    pub(crate) held_back: BTreeMap<u64, HeldBack>,
    // Derived.
    pub(crate) by_agent: BTreeMap<AgentId, Share>,
    pub(crate) by_task: BTreeMap<TaskId, Share>,
    pub(crate) from_line: BTreeMap<WaitId, ReservationId>,
    pub(crate) lapses: BTreeSet<(Moment, Lapse)>,
    pub(crate) held_near: Overlaps<ReservationId>,
    pub(crate) waiting_near: Overlaps<WaitId>,
    pub(crate) classes_near: Overlaps<ClassId>,
    /// Waits whose turn may have come; looked at in the same step.
    pub(crate) stirred: BTreeSet<WaitId>,
    /// Who waits in another turn than before, so that a ring of waits may have closed; looked at with the event that did it.
    pub(crate) turned: BTreeSet<AgentId>,
}

/// The facts among them, as a snapshot holds them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ReservationFacts {
    pub(crate) held: Vec<Reservation>,
    pub(crate) waiting: Vec<Wait>,
    pub(crate) last: ReservationId,
    pub(crate) last_wait: WaitId,
    pub(crate) held_back: BTreeMap<u64, HeldBack>,
}

impl Reservations {
    /// Visits what is held, oldest grant first.
    pub fn held(&self) -> impl DoubleEndedIterator<Item = &Reservation> + Clone {
        self.held.values()
    }

    /// Visits those who wait, oldest first.
    pub fn waiting(&self) -> impl DoubleEndedIterator<Item = &Wait> + Clone {
        self.waiting.values()
    }

    /// Visits what is held from `first` on.
    pub fn held_from(&self, first: ReservationId) -> impl Iterator<Item = &Reservation> + '_ {
        self.held.range(first..).map(|(_, held)| held)
    }

    /// Visits those who wait from `first` on.
    pub fn waiting_from(&self, first: WaitId) -> impl Iterator<Item = &Wait> + '_ {
        self.waiting.range(first..).map(|(_, wait)| wait)
    }

    /// Returns the reservation `id`, where it has not ended.
    #[must_use]
    pub fn reservation(&self, id: ReservationId) -> Option<&Reservation> {
        self.held.get(&id)
    }

    /// Returns the waiting request `id`.
    #[must_use]
    pub fn wait(&self, id: WaitId) -> Option<&Wait> {
        self.waiting.get(&id)
    }

    /// Returns the reservation that a place in line has become, where it has not ended.
    #[must_use]
    pub fn granted(&self, id: WaitId) -> Option<&Reservation> {
        self.from_line.get(&id).and_then(|reservation| self.held.get(reservation))
    }

    /// Returns what is reserved for `task`.
    pub fn of_task(&self, task: TaskId) -> impl Iterator<Item = &Reservation> + '_ {
        self.by_task.get(&task).into_iter().flat_map(|share| &share.held).map(|id| &self.held[id])
    }

    /// Tells whether something is reserved exclusively for `task`; such work is not moved to even the load.
    #[must_use]
    pub fn holds_exclusively(&self, task: TaskId) -> bool {
        let mut needs = self.of_task(task).flat_map(|held| held.needs.iter());
        needs.any(|need| need.mode != Mode::Shared)
    }

    /// Returns how many reservations and waits there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.held.len() + self.waiting.len()
    }

    /// Returns when the next of them ends by itself.
    pub(crate) fn next_lapse(&self) -> Option<Moment> {
        self.lapses.first().map(|&(at, _)| at)
    }

    pub(crate) fn facts(&self) -> ReservationFacts {
        ReservationFacts {
            held: self.held.values().cloned().collect(),
            waiting: self.waiting.values().cloned().collect(),
            last: self.last,
            last_wait: self.last_wait,
            held_back: self.held_back.clone(),
        }
    }

    pub(crate) fn insert(&mut self, reservation: Reservation) {
        let id = reservation.id;
        self.last = self.last.max(id);
        self.by_agent.entry(reservation.agent).or_default().held.insert(id);
        if let Some(task) = reservation.task {
            self.by_task.entry(task).or_default().held.insert(id);
        }
        self.from_line.extend(reservation.wait.map(|wait| (wait, id)));
        self.lapses.extend(reservation.expires_at.map(|at| (at, Lapse::Held(id))));
        self.held_near.insert(&reservation.needs, id);
        self.held.insert(id, reservation);
    }

    pub(crate) fn remove(&mut self, id: ReservationId) -> Reservation {
        let reservation = self.held.remove(&id).expect("what is released is held");
        leave(&mut self.by_agent, reservation.agent, |share| share.held.remove(&id));
        if let Some(task) = reservation.task {
            leave(&mut self.by_task, task, |share| share.held.remove(&id));
        }
        if let Some(wait) = reservation.wait {
            self.from_line.remove(&wait);
        }
        if let Some(at) = reservation.expires_at {
            self.lapses.remove(&(at, Lapse::Held(id)));
        }
        self.held_near.remove(&reservation.needs, id);
        reservation
    }

    /// Moves the end of a reservation.
    pub(crate) fn set_expiry(&mut self, id: ReservationId, at: Moment) -> &mut Reservation {
        let reservation = self.held.get_mut(&id).expect("what is renewed is held");
        if let Some(before) = reservation.expires_at.replace(at).filter(|_| !mutated!(RenewalKeepsTimer)) {
            self.lapses.remove(&(before, Lapse::Held(id)));
        }
        self.lapses.insert((at, Lapse::Held(id)));
        reservation
    }

    /// Moves the end of a place in line.
    pub(crate) fn set_wait_expiry(&mut self, id: WaitId, at: Moment) {
        let wait = self.waiting.get_mut(&id).expect("who is given time stands in line");
        self.lapses.remove(&(std::mem::replace(&mut wait.expires_at, at), Lapse::Waiting(id)));
        self.lapses.insert((at, Lapse::Waiting(id)));
    }

    pub(crate) fn insert_wait(&mut self, wait: Wait) {
        let id = wait.id;
        self.last_wait = self.last_wait.max(id);
        self.by_agent.entry(wait.agent).or_default().waits.insert(id);
        if let Some(task) = wait.task {
            self.by_task.entry(task).or_default().waits.insert(id);
        }
        self.lapses.insert((wait.expires_at, Lapse::Waiting(id)));
        self.waiting_near.insert(&wait.needs, id);
        self.waiting.insert(id, wait);
    }

    pub(crate) fn remove_wait(&mut self, id: WaitId) -> Wait {
        let wait = self.waiting.remove(&id).expect("who leaves the line stands in it");
        leave(&mut self.by_agent, wait.agent, |share| share.waits.remove(&id));
        if let Some(task) = wait.task {
            leave(&mut self.by_task, task, |share| share.waits.remove(&id));
        }
        self.lapses.remove(&(wait.expires_at, Lapse::Waiting(id)));
        self.waiting_near.remove(&wait.needs, id);
        self.stirred.remove(&id);
        wait
    }

    /// Marks those who wait for something near `needs`: their turn may have come.
    pub(crate) fn stir(&mut self, needs: &[Need]) {
        let near = self.waiting_near.near(needs);
        self.stirred.extend(near);
    }
}

fn leave<K: Ord>(shares: &mut BTreeMap<K, Share>, key: K, take: impl FnOnce(&mut Share) -> bool) {
    if let Some(share) = shares.get_mut(&key) {
        take(share);
        if share.held.is_empty() && share.waits.is_empty() {
            shares.remove(&key);
        }
    }
}

/// Returns the first pair of needs that cannot be held at the same time, as they are held.
pub(crate) fn clash<'a>(wanted: &'a [Need], taken: &'a [Need]) -> Option<(&'a Need, &'a Need)> {
    wanted.iter().find_map(|want| {
        let taken = taken.iter().find(|taken| want.conflicts(taken))?;
        Some((want, taken))
    })
}
