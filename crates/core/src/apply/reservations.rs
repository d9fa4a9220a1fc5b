//! Reservations, the line behind them, and the gates of the classes that need what they hold.

use std::sync::Arc;

use kapell_model::{
    ClassId, Gate, Mode, Moment, Need, Priority, ReservationId, Span, TaskId, WaitId, limits,
};

use crate::decide::agents::own_text;
use crate::event::ReleaseCause;
use crate::mutation::mutated;
use crate::reservations::{Reservation, ReservationFacts, Wait};
use crate::state::State;

impl State {
    pub(super) fn reservation_granted(&mut self, reservation: Reservation) {
        if let Some(wait) = reservation.wait {
            let waited = self.reservations.remove_wait(wait);
            self.count_wait(&waited);
        }
        let needs = Arc::clone(&reservation.needs);
        self.reservations.insert(reservation);
        self.look_at_gates(&needs);
    }

    pub(super) fn reservation_renewed(&mut self, id: ReservationId, expires_at: Moment) {
        self.reservations.set_expiry(id, expires_at);
    }

    fn count_wait(&mut self, wait: &Wait) {
        let estimate = wait.task.map(|task| self.tasks[task].estimate);
        for need in wait.behind.of(&wait.needs) {
            let resource = own_text(&need.resource.to_string());
            self.metrics.waited_for(resource, self.at.since(wait.since), estimate, self.at);
        }
    }

    pub(super) fn reservation_released(&mut self, id: ReservationId) {
        let needs = self.reservations.remove(id).needs;
        self.reservations.stir(&needs);
        self.look_at_gates(&needs);
        self.way_cleared |= !self.stranded.is_empty();
    }

    pub(super) fn reservation_requested(&mut self, wait: Wait) {
        let needs = Arc::clone(&wait.needs);
        self.reservations.insert_wait(wait);
        self.look_at_gates(&needs);
    }

    /// A place in line that has lapsed was a wait too, and one in vain.
    pub(super) fn reservation_withdrawn(&mut self, id: WaitId, cause: ReleaseCause) {
        let waited = self.reservations.remove_wait(id);
        if cause == ReleaseCause::Expired {
            self.count_wait(&waited);
        }
        let needs = waited.needs;
        self.reservations.stir(&needs);
        self.look_at_gates(&needs);
    }

    pub(super) fn release_asked(&mut self, id: ReservationId, until: Moment) {
        let at = self.at;
        self.reservations.set_expiry(id, until).asked = Some(at);
    }

    /// Gives every lease its full length from now on, and every wait as long as it had.
    pub(super) fn reservations_extended(&mut self) {
        let leases: Vec<(ReservationId, Span)> = self
            .reservations
            .held()
            .filter(|held| held.asked.is_none())
            .filter_map(|held| Some((held.id, held.ttl?)))
            .collect();
        for (id, ttl) in leases {
            let fresh = self.at.after(ttl);
            if self.reservations.held[&id].expires_at.is_some_and(|at| at < fresh) {
                self.reservations.set_expiry(id, fresh);
            }
        }
        let longest = self.policy.reservations.wait;
        let waits: Vec<Wait> = self.reservations.waiting().cloned().collect();
        for wait in waits {
            let span = Span(wait.expires_at.since(wait.since).0.min(longest.0));
            self.reservations.set_wait_expiry(wait.id, wait.expires_at.max(self.at.after(span)));
        }
    }

    /// What is held near `narrow` and only reads is shared from now on, where it is to be; or it is not any more. Whoever waits for
    /// any of what is held or wanted near it may wait for others than before.
    pub(super) fn share_out(&mut self, narrow: &Need) {
        let near = std::slice::from_ref(narrow);
        let mut touched = vec![narrow.clone()];
        for id in self.reservations.held_near.near(near) {
            let given = self.as_given_out(&self.reservations.held[&id].needs);
            if let Some(held) = self.reservations.held.get_mut(&id) {
                touched.extend(held.needs.iter().filter(|need| need.mode == Mode::Reads).cloned());
                held.needs = given;
            }
        }
        let reads = |need: &&Need| need.mode == Mode::Reads && need.resource.overlaps(&narrow.resource);
        for id in self.reservations.waiting_near.near(near) {
            touched.extend(self.reservations.waiting[&id].needs.iter().filter(reads).cloned());
        }
        let waiting = self.reservations.waiting_near.near(&touched);
        let agents: Vec<_> = waiting.iter().map(|id| self.reservations.waiting[id].agent).collect();
        self.reservations.turned.extend(agents);
        self.stirred_near(&touched);
    }

    /// Takes note that something near `needs` has changed hands.
    pub(super) fn stirred_near(&mut self, needs: &[Need]) {
        self.reservations.stir(needs);
        self.look_at_gates(needs);
    }

    /// Looks anew at the gates of the classes that need something near `needs`.
    fn look_at_gates(&mut self, needs: &[Need]) {
        for class in self.reservations.classes_near.near(needs) {
            self.look_at_gate(class);
        }
    }

    /// Looks anew at the gate of a class: somebody has taken or released what it needs, or its first task is another one.
    pub(crate) fn look_at_gate(&mut self, class: ClassId) {
        if !self.situation.class(class).needs.is_empty() && !mutated!(GateNotLookedAt) {
            self.turn_gate(class);
        }
    }

    /// Sets the gate of a class as things stand.
    pub(crate) fn turn_gate(&mut self, class: ClassId) {
        let gate = self.gate_of(class);
        self.note_held_back(class);
        let before = self.situation.set_gate(class, gate);
        if before != Gate::Open && gate == Gate::Open {
            // Whether a critical task finds nobody can be told only now.
            self.call_for_critical(class);
        }
    }

    /// Takes note of what holds the tasks of a class back, as long as any wait.
    fn note_held_back(&mut self, id: ClassId) {
        let Some(key) = self.watch.key_of(id) else { return };
        let Some(head) = self.situation.first(id) else {
            self.reservations.held_back.remove(&key);
            return;
        };
        let turn = self.turn_of_task(self.task(head.task));
        let by = self.in_the_way(None, &self.situation.class(id).needs, turn, None);
        let news = !by.is_empty() || self.reservations.held_back.contains_key(&key);
        if news && !mutated!(HeldBackNotNoted) {
            self.reservations.held_back.entry(key).or_default().note(self.at, by);
        }
    }

    /// Takes note that the turn of what waits for a task's sake has moved: others may come first now, or it itself.
    pub(crate) fn turn_moved(&mut self, task: TaskId) {
        let Some(share) = self.reservations.by_task.get(&task) else { return };
        let waits = share.waits.iter().map(|wait| &self.reservations.waiting[wait]);
        let waits: Vec<_> = waits.map(|wait| (wait.agent, Arc::clone(&wait.needs))).collect();
        for (agent, needs) in waits {
            self.reservations.turned.insert(agent);
            self.reservations.stir(&needs);
            self.look_at_gates(&needs);
        }
    }

    fn call_for_critical(&mut self, class: ClassId) {
        let waiting = self.situation.queue(class);
        let critical = waiting.take_while(|key| key.priority == Priority::Critical).map(|key| key.task);
        self.critical_arrivals.extend(critical.take(limits::CALLED_AT_ONCE_MAX));
    }

    /// Makes a class that needs resources known to those that hold them.
    pub(super) fn class_needs(&mut self, class: ClassId) {
        let needs = self.situation.class(class).needs.clone();
        self.reservations.classes_near.insert(&needs, class);
        self.look_at_gate(class);
    }

    /// Takes the facts of a snapshot; agents and tasks are there already.
    pub(crate) fn restore_reservations(&mut self, facts: ReservationFacts) {
        for held in facts.held {
            let needs = Arc::clone(&held.needs);
            self.reservations.insert(held);
            self.look_at_gates(&needs);
        }
        for wait in facts.waiting {
            self.reservation_requested(wait);
        }
        // A snapshot may lie between a release and what follows from it.
        self.reservations.stirred = self.reservations.waiting.keys().copied().collect();
        self.reservations.last = facts.last;
        self.reservations.last_wait = facts.last_wait;
        self.reservations.held_back = facts.held_back;
    }
}
