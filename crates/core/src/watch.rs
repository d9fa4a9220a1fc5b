//! What must be seen without looking at every task: indexes by due time, sums and sets, kept with every change.

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::{
    AgentState, Class, ClassId, EscalationId, Mode, Moment, Priority, Span, TaskId, TaskState, Word,
};

use crate::decide::agents::own_text;
use crate::due::Due;
use crate::escalation::{Escalation, EscalationKind};
use crate::state::State;
use crate::task::Task;

/// The indexes. All of them are derived, and made again when a snapshot is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    /// Tasks in the queue, by when they are expected to leave it.
    waiting: Due,
    /// Open escalations but the alert about the health itself, by their ack time; those that somebody has taken on are never late.
    escalations: Due,
    /// Open tasks by when they are late, where they can be.
    late: Due,
    /// Open tasks of critical priority.
    critical: u32,
    /// Work in the queue by class, in milliseconds of estimate.
    demand: Vec<u64>,
    /// Work that is set aside until a time, by the hour of that and class.
    later: BTreeMap<(i64, ClassId), u64>,
    /// Fingerprints of the classes.
    class_keys: Vec<u64>,
    /// Failed and cancelled tasks that open ones wait for.
    dead_ends: BTreeSet<TaskId>,
}

impl Watch {
    fn count(&mut self, task: &Task, enters: bool) {
        let put = |due: &mut Due, moment| {
            if enters { due.insert(moment, task.id.0) } else { due.remove(moment, task.id.0) }
        };
        if task.state() == TaskState::Ready {
            put(&mut self.waiting, task.expected_by.unwrap_or(Moment::NEVER));
        }
        if let Some(late) = task.late_after() {
            put(&mut self.late, late);
        }
        let estimate = task.estimate.0.unsigned_abs();
        let sum = |sum: u64| if enters { sum + estimate } else { sum - estimate };
        if task.state() == TaskState::Deferred
            && let Some(until) = task.deferred_until.filter(|_| !task.is_set_aside())
        {
            let key = (hour_of(until), task.class);
            match sum(self.later.get(&key).copied().unwrap_or(0)) {
                0 => self.later.remove(&key),
                left => self.later.insert(key, left),
            };
        }
        if task.state() == TaskState::Ready {
            let class = task.class.index();
            if self.demand.len() <= class {
                self.demand.resize(class + 1, 0);
            }
            self.demand[class] = sum(self.demand[class]);
        }
        if task.is_open() && task.priority == Priority::Critical {
            self.critical = if enters { self.critical + 1 } else { self.critical - 1 };
        }
    }

    /// Visits the classes with work in their queues, in milliseconds of estimate.
    pub(crate) fn ready_work(&self) -> impl Iterator<Item = (ClassId, u64)> + '_ {
        self.demand
            .iter()
            .zip(0_u32..)
            .filter(|&(&millis, _)| millis > 0)
            .map(|(&millis, id)| (ClassId(id), millis))
    }

    /// Visits the work that is set aside until `until` at the latest, by whole hours.
    pub(crate) fn work_due(&self, until: Moment) -> impl Iterator<Item = (ClassId, u64)> + '_ {
        let due = self.later.range(..=(hour_of(until), ClassId(u32::MAX)));
        due.map(|(&(_, class), &millis)| (class, millis))
    }

    /// Returns the fingerprint of a class; nothing before it has one.
    pub(crate) fn key_of(&self, class: ClassId) -> Option<u64> {
        self.class_keys.get(class.index()).copied()
    }
}

fn hour_of(at: Moment) -> i64 {
    at.0.div_euclid(Span::hours(1).0)
}

impl State {
    /// Takes a task out of the indexes.
    pub(crate) fn unwatch(&mut self, id: TaskId) {
        self.watch.count(&self.tasks[id], false);
    }

    /// Puts a task into the indexes; one that has just entered the queue is expected to leave it in time.
    pub(crate) fn watch(&mut self, id: TaskId) {
        let task = &self.tasks[id];
        if task.state() == TaskState::Ready && task.expected_by.is_none() {
            let expected = self.expected_wait(task);
            let task = &mut self.tasks[id];
            task.expected_by = Some(task.state_since.after(expected));
        }
        self.watch.count(&self.tasks[id], true);
    }

    /// Returns the wait that is expected of a task: the median of the last 50 of its class, else what the policy says.
    #[must_use]
    pub fn expected_wait(&self, task: &Task) -> Span {
        let key = self.watch.key_of(task.class);
        let known = key.and_then(|key| self.metrics.expected_wait(key));
        known.unwrap_or(self.policy.reporting.expected_wait)
    }

    /// Notes how long a task has waited that gets an owner now.
    pub(crate) fn note_wait(&mut self, id: TaskId) {
        let task = &self.tasks[id];
        if task.state() == TaskState::Ready {
            let wait = self.at.since(task.state_since);
            let key = self.watch.class_keys[task.class.index()];
            self.metrics.waited((self.position, self.at), key, task.effective, wait);
            self.note_held_back_by(key, id);
        }
    }

    /// Notes for how long which resources have held a task back that gets an owner now.
    fn note_held_back_by(&mut self, key: u64, id: TaskId) {
        let Some(held) = self.reservations.held_back.get(&key) else { return };
        let (task, at) = (&self.tasks[id], self.at);
        for (index, need) in self.situation.class(task.class).needs.iter().enumerate() {
            let wait = held.by(index, task.state_since, at);
            if wait > Span(0) {
                let resource = own_text(&need.resource.to_string());
                self.metrics.waited_for(resource, wait, Some(task.estimate), at);
            }
        }
    }

    /// Makes the fingerprint of a new class. It is made of names, so that it is the same after a restart.
    pub(crate) fn fingerprint_class(&mut self, class: &Class, soft: bool) {
        let name = |word: Word| self.words.name(word).as_str();
        let mut hash = Fingerprint::default();
        let mut requires: Vec<_> = class.requires.iter().map(|it| (name(it.capability), it)).collect();
        requires.sort_unstable_by_key(|&(name, _)| name);
        for (name, required) in requires {
            hash.add(name.as_bytes());
            hash.add(&required.weight.to_le_bytes());
            hash.add(&required.minimum.as_micros().to_le_bytes());
        }
        for word in [Some(class.kind), class.project, class.role] {
            hash.add(word.map_or("", name).as_bytes());
        }
        for agent in class.pin.iter().chain(&class.exclude) {
            hash.add(&agent.0.to_le_bytes());
        }
        hash.add(&[u8::from(class.pin.is_some()), u8::from(soft)]);
        for need in &class.needs {
            hash.add(need.resource.to_string().as_bytes());
            hash.add(&[match need.mode {
                Mode::Exclusive => 0,
                Mode::Shared => 1,
                Mode::Reads => 2,
            }]);
        }
        self.watch.class_keys.push(hash.0);
    }

    /// Notes that an open escalation is late from a moment on, or no longer.
    pub(crate) fn watch_escalation(&mut self, late: Moment, id: EscalationId, enters: bool) {
        if enters {
            self.watch.escalations.insert(late, id.0);
        } else {
            self.watch.escalations.remove(late, id.0);
        }
    }

    /// Notes whether open tasks wait for one that failed or was called off.
    pub(crate) fn watch_dead_end(&mut self, id: TaskId) {
        if self.is_dead_end(id) {
            self.watch.dead_ends.insert(id);
        } else {
            self.watch.dead_ends.remove(&id);
        }
    }

    fn is_dead_end(&self, id: TaskId) -> bool {
        let task = &self.tasks[id];
        let waits = |&dependent: &TaskId| self.tasks[dependent].is_open();
        matches!(task.state(), TaskState::Failed | TaskState::Cancelled) && task.dependents.iter().any(waits)
    }

    /// Returns how many open tasks are critical by their own priority.
    #[must_use]
    pub fn critical(&self) -> u32 {
        self.watch.critical
    }

    /// Returns how many of the tasks in the queue have waited longer than was expected.
    #[must_use]
    pub fn overdue_waits(&self, now: Moment) -> usize {
        self.watch.waiting.past(now)
    }

    /// Visits the tasks in the queue that have waited longer than was expected, the longest past that first.
    pub fn waiting_too_long(&self, now: Moment) -> impl Iterator<Item = &Task> + '_ {
        self.watch.waiting.overdue(now).map(|id| &self.tasks[TaskId(id)])
    }

    /// Notes that a task, which stays where it is, is late at another moment.
    pub(crate) fn watch_lateness(&mut self, id: TaskId, (before, after): (Option<Moment>, Option<Moment>)) {
        if before != after {
            before.into_iter().for_each(|moment| self.watch.late.remove(moment, id.0));
            after.into_iter().for_each(|moment| self.watch.late.insert(moment, id.0));
        }
    }

    /// Returns how many open tasks are late, see [`Task::late_after`].
    #[must_use]
    pub fn late_total(&self, now: Moment) -> usize {
        self.watch.late.past(now)
    }

    /// Visits the open tasks that are late, the longest so first.
    pub fn late(&self, now: Moment) -> impl Iterator<Item = &Task> + '_ {
        self.watch.late.overdue(now).map(|id| &self.tasks[TaskId(id)])
    }

    /// Returns how many open escalations count for the health: all but the alert about it.
    #[must_use]
    pub fn watched_escalations(&self) -> usize {
        self.watch.escalations.len()
    }

    /// Returns how many of these are past their ack time.
    #[must_use]
    pub fn overdue_escalations(&self, now: Moment) -> usize {
        self.watch.escalations.past(now)
    }

    /// Visits the open escalations past their ack time, the longest so first; not the alert about the health.
    pub fn escalations_overdue(&self, now: Moment) -> impl Iterator<Item = &Escalation> + '_ {
        self.watch.escalations.overdue(now).filter_map(|id| self.escalations.get(id as usize - 1))
    }

    /// Visits the failed and cancelled tasks that open ones wait for.
    pub fn dead_ends(&self) -> impl Iterator<Item = &Task> + '_ {
        self.watch.dead_ends.iter().map(|&id| &self.tasks[id])
    }

    /// Returns how many agents are registered and not removed.
    #[must_use]
    pub fn registered(&self) -> usize {
        self.registered
    }

    /// Compares the indexes with what they are derived from.
    pub(crate) fn check_watch(&self) -> Result<(), String> {
        let mut plain = Watch { class_keys: self.watch.class_keys.clone(), ..Watch::default() };
        for task in self.tasks.iter() {
            plain.count(task, true);
            if self.is_dead_end(task.id) {
                plain.dead_ends.insert(task.id);
            }
        }
        plain.demand.resize(self.watch.demand.len().max(plain.demand.len()), 0);
        for escalation in self.escalations.iter().filter(|it| it.settled.is_none()) {
            if escalation.kind != EscalationKind::HealthLow {
                plain.escalations.insert(escalation.late_at(), escalation.id.0);
            }
        }
        let registered = self.agents.iter().filter(|agent| agent.state != AgentState::Removed).count();
        let differs = [
            ("queued tasks by due time", plain.waiting != self.watch.waiting),
            ("escalations by due time", plain.escalations != self.watch.escalations),
            ("tasks by when they are late", plain.late != self.watch.late),
            ("critical tasks", plain.critical != self.watch.critical),
            ("demand by class", !plain.demand.starts_with(&self.watch.demand)),
            ("work that is set aside", plain.later != self.watch.later),
            ("dead ends", plain.dead_ends != self.watch.dead_ends),
            ("registered agents", registered != self.registered),
        ];
        match differs.iter().find(|(_, differs)| *differs) {
            Some((what, _)) => Err(format!("the index of {what} is not what the facts give")),
            None => Ok(()),
        }
    }
}

/// FNV-1a over parts, each closed by its length.
struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    fn add(&mut self, part: &[u8]) {
        let length = part.len() as u64;
        for &byte in part.iter().chain(&length.to_le_bytes()) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
