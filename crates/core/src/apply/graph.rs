//! The dependency graph: gates, unblocking, and the urgency that flows against the edges.
//!
//! Urgency is the effective priority (SEMANTICS 6, "priority inheritance") and the latest start (3.2). Both
//! are kept incrementally: what becomes more urgent is pushed to what it waits for, and only what has lost its
//! reason is computed anew from its dependents. Orders (`precedence.rs`) hand the effective priority on in the same way, and
//! among those of one level a place before what comes after; the place is handed on along orders alone.

use std::collections::{BTreeSet, VecDeque};

use kapell_model::{DependencyKind, Moment, OnFailedDependency, Priority, Span, TaskId, TaskState, limits};

use crate::command::TaskSpec;
use crate::mutation::mutated;
use crate::state::State;
use crate::task::{Edge, Task};

/// Tasks that are to be looked at, first in, first out, each once at a time: one that can be reached on many ways is not gone
/// through once for each of them.
#[derive(Default)]
struct Worklist {
    queue: VecDeque<TaskId>,
    queued: BTreeSet<TaskId>,
}

impl Worklist {
    fn of(tasks: impl IntoIterator<Item = TaskId>) -> Self {
        let mut list = Self::default();
        list.add(tasks);
        list
    }

    fn add(&mut self, tasks: impl IntoIterator<Item = TaskId>) {
        let queued = &mut self.queued;
        self.queue.extend(tasks.into_iter().filter(|&task| queued.insert(task)));
    }

    fn next(&mut self) -> Option<TaskId> {
        let task = self.queue.pop_front()?;
        self.queued.remove(&task);
        Some(task)
    }
}

impl State {
    /// Makes a new task known to those that it waits for, and counts which of them are open.
    pub(super) fn link(&mut self, id: TaskId) {
        let gates: Vec<TaskId> = self.tasks[id].gates().collect();
        for on in gates {
            self.gate(id, on);
        }
    }

    /// Adds the gate of one edge; the task is out of the indexes or not yet in them.
    fn gate(&mut self, id: TaskId, on: TaskId) {
        self.tasks[on].dependents.push(id);
        let blocker = self.tasks[on].state();
        if blocker != TaskState::Completed && !mutated!(GateNotCounted) {
            self.tasks[id].open_blockers += 1;
        }
        if matches!(blocker, TaskState::Failed | TaskState::Cancelled) {
            self.doom(id);
        }
    }

    pub(super) fn dependency_added(&mut self, id: TaskId, on: TaskId, kind: DependencyKind, inferred: bool) {
        let edge = Edge { on, kind, waived: false, inferred, broken: false, added: self.position };
        self.put_edge(id, edge);
    }

    /// Adds an edge to a task that is there.
    pub(crate) fn put_edge(&mut self, id: TaskId, edge: Edge) {
        if !edge.gates() {
            self.change(id, |task| task.edges.push(edge));
            return;
        }
        let before = self.leave(id);
        self.tasks[id].edges.push(edge);
        self.gate(id, edge.on);
        self.touch(id);
        self.tasks[id].since(before, self.at);
        self.enter(id);
        self.raise_blockers(id);
        self.watch_dead_end(edge.on);
    }

    pub(crate) fn dependency_waived(&mut self, id: TaskId, on: TaskId) {
        self.tasks[on].dependents.retain(|&dependent| dependent != id);
        let open = u32::from(self.tasks[on].state() != TaskState::Completed);
        self.change(id, |task| {
            task.open_blockers -= open;
            for edge in task.edges.iter_mut().filter(|edge| edge.on == on && edge.gates()) {
                edge.waived = true;
            }
        });
        self.spare(id);
        self.recompute_urgency([on]);
        self.watch_dead_end(on);
    }

    /// Lets a task wait for another one than before: what it waited for was broken down. That is archived in the same step and its
    /// urgency with it, and its dependents go from the last one on: so all of them cost time in their number.
    pub(super) fn dependency_rewired(&mut self, id: TaskId, from: TaskId, on: TaskId) {
        let dependents = &mut self.tasks[from].dependents;
        if let Some(at) = dependents.iter().rposition(|&dependent| dependent == id) {
            dependents.remove(at);
        }
        let open = u32::from(self.tasks[from].state() != TaskState::Completed);
        let (before, added) = (self.leave(id), self.position);
        let task = &mut self.tasks[id];
        task.open_blockers -= open;
        for edge in task.edges.iter_mut().filter(|edge| edge.on == from && edge.gates()) {
            (edge.on, edge.added) = (on, added);
        }
        self.gate(id, on);
        self.touch(id);
        self.tasks[id].since(before, self.at);
        self.enter(id);
        self.spare(id);
        self.raise_blockers(id);
        self.watch_dead_end(from);
        self.watch_dead_end(on);
    }

    /// Looks whether a task and those that it waits for are dead ends, where it has come, ended or begun anew.
    pub(super) fn watch_dead_ends_around(&mut self, id: TaskId) {
        let gates: Vec<TaskId> = self.tasks[id].gates().collect();
        self.watch_dead_end(id);
        for on in gates {
            self.watch_dead_end(on);
        }
    }

    /// Unblocks what waited for a completed task; costs time in the number of its dependents.
    pub(super) fn release_dependents(&mut self, id: TaskId) {
        let dependents = std::mem::take(&mut self.tasks[id].dependents);
        let told = dependents.len() - usize::from(mutated!(BlockerNotCounted) && !dependents.is_empty());
        for &dependent in &dependents[..told] {
            self.change(dependent, |task| task.open_blockers -= 1);
            self.spare(dependent);
        }
        self.tasks[id].dependents = dependents;
    }

    /// Marks what waits for something that will not come.
    pub(super) fn doom_dependents(&mut self, id: TaskId) {
        let dependents = std::mem::take(&mut self.tasks[id].dependents);
        dependents.iter().for_each(|&dependent| self.doom(dependent));
        self.tasks[id].dependents = dependents;
    }

    /// Marks a task to be cancelled where what it waits for will not come, and the policy of this moment wants that. What was
    /// blocked before under another policy stays so: policies apply to what is decided later.
    fn doom(&mut self, id: TaskId) {
        let cancels = self.policy.on_failed_dependency == OnFailedDependency::Cancel;
        if cancels && self.gone_blocker(id).is_some() {
            self.doomed.insert(id);
        }
    }

    /// Takes the mark from a task that has nothing to be cancelled for any more.
    fn spare(&mut self, id: TaskId) {
        if !self.doomed.is_empty() && self.gone_blocker(id).is_none() {
            self.doomed.remove(&id);
        }
    }

    /// Takes the mark from what waits for a task that is open again.
    pub(super) fn spare_dependents(&mut self, id: TaskId) {
        if !self.doomed.is_empty() {
            let dependents = self.tasks[id].dependents.clone();
            dependents.into_iter().for_each(|dependent| self.spare(dependent));
        }
    }

    /// Takes the mark from all tasks where the policy does not want them cancelled any more.
    pub(super) fn spare_doomed(&mut self) {
        if self.policy.on_failed_dependency != OnFailedDependency::Cancel {
            self.doomed.clear();
        }
    }

    /// Returns what a blocked task was declared to wait for and will not come. What was only inferred blocks, and somebody may
    /// waive it; a guess calls nothing off.
    pub(crate) fn gone_blocker(&self, id: TaskId) -> Option<TaskId> {
        let task = &self.tasks[id];
        let gone = |on: &TaskId| matches!(self.tasks[*on].state(), TaskState::Failed | TaskState::Cancelled);
        let declared = task.edges.iter().filter(|edge| edge.gates() && !edge.inferred).map(|edge| edge.on);
        { declared }.find(gone).filter(|_| task.state() == TaskState::Blocked)
    }

    /// Pushes the urgency of an open task to everything that it transitively waits for, or that is to come before it.
    pub(super) fn raise_blockers(&mut self, id: TaskId) {
        if !self.tasks[id].is_open() || mutated!(UrgencyNotRaised) {
            return;
        }
        if self.tasks[id].open_blockers == 0 && self.orders.is_empty() {
            return;
        }
        let mut raised = Worklist::of([id]);
        while let Some(id) = raised.next() {
            let task = &self.tasks[id];
            let (effective, latest_start) = (task.effective, task.latest_start);
            let blockers: Vec<TaskId> = task.gates().filter(|on| self.tasks[*on].is_open()).collect();
            for on in blockers {
                let blocker = &self.tasks[on];
                let effective = blocker.effective.min(effective);
                let latest_start = blocker.latest_start.min(start_before(latest_start, blocker.estimate));
                if self.set_urgency(on, effective, latest_start) {
                    raised.add([on]);
                }
            }
            for first in self.ordered_before(id) {
                let task = &self.tasks[first];
                if self.set_urgency(first, task.effective.min(effective), task.latest_start) {
                    raised.add([first]);
                }
            }
        }
    }

    /// Returns what is to come before a task, which follows its urgency.
    fn ordered_before(&self, id: TaskId) -> Vec<TaskId> {
        if mutated!(OrderForgotten) {
            return Vec::new();
        }
        self.orders.before(id).map(|(first, _)| first).collect()
    }

    /// Computes the urgency of what an ended task waited for anew: the reason may be gone.
    pub(super) fn lower_blockers(&mut self, id: TaskId) {
        let blockers: Vec<TaskId> = self.tasks[id].gates().collect();
        self.recompute_urgency(blockers);
    }

    /// Computes the urgency of tasks from their own, their open dependents' and that of what is to come after them, and goes on
    /// upwards where it changed.
    pub(super) fn recompute_urgency(&mut self, ids: impl IntoIterator<Item = TaskId>) {
        let mut stale = Worklist::of(ids);
        while let Some(id) = stale.next() {
            let task = &self.tasks[id];
            if !task.is_open() {
                continue;
            }
            let own = self.own_latest_start(&task.spec, task.estimate);
            let open = || {
                task.dependents.iter().map(|dependent| &self.tasks[*dependent]).filter(|task| task.is_open())
            };
            let after = self.orders.after(id).map(|then| &self.tasks[then]);
            let effective = open()
                .chain(after)
                .map(|dependent| dependent.effective)
                .min()
                .map_or(task.priority, |p| p.min(task.priority));
            let latest_start = open()
                .map(|dependent| start_before(dependent.latest_start, task.estimate))
                .min()
                .map_or(own, |m| m.min(own));
            if self.set_urgency(id, effective, latest_start) {
                stale.add(self.tasks[id].gates());
                stale.add(self.ordered_before(id));
            }
        }
    }

    /// Returns when a task must start for its own sake: before its deadline or its project's; without one, before a moment
    /// that lies behind all deadlines and is the same for all, so that the longest remaining path goes first.
    pub(super) fn own_latest_start(&self, spec: &TaskSpec, estimate: Span) -> Moment {
        let deadline = self.project_deadline(spec.project.as_ref()).into_iter().chain(spec.deadline).min();
        start_before(deadline.unwrap_or(Moment::NEVER), estimate)
    }

    /// Sets the urgency of a task and the place that orders give it; tells whether anything has changed.
    fn set_urgency(&mut self, id: TaskId, effective: Priority, latest_start: Moment) -> bool {
        let place = self.place_of(id, effective, latest_start);
        let task = &self.tasks[id];
        if (effective, latest_start, place) == (task.effective, task.latest_start, task.place) {
            return false;
        }
        self.rekey(id, |task| {
            (task.effective, task.latest_start, task.place) = (effective, latest_start, place);
        });
        true
    }

    /// Returns when a task counts as having to start so that it stands before everything of its level that is to come after it;
    /// nothing where it does anyway.
    pub(crate) fn place_of(&self, id: TaskId, effective: Priority, latest_start: Moment) -> Option<Moment> {
        let submitted = (self.tasks[id].submitted_at, id);
        let place = |then: TaskId| {
            let key = self.tasks[then].queue_key();
            let ahead = submitted < (key.submitted, key.task);
            let place = if ahead { key.latest_start } else { key.latest_start.before(Span(1)) };
            (key.priority == effective).then_some(place)
        };
        self.orders.after(id).filter_map(place).min().filter(|&place| place < latest_start)
    }

    /// Changes what the place of a task in the queue is made of.
    fn rekey(&mut self, id: TaskId, change: impl FnOnce(&mut Task)) {
        let task = &mut self.tasks[id];
        let waiting = task.state() == TaskState::Ready;
        let (class, old, late) = (task.class, task.queue_key(), task.late_after());
        let stranded = self.stranded.remove(&old);
        change(task);
        let (new, veto) = (task.queue_key(), task.failed_by);
        let late = (late, task.late_after());
        if stranded {
            self.stranded.insert(new);
        }
        self.touch(id);
        self.watch_lateness(id, late);
        if waiting && !mutated!(QueueKeyStale) {
            self.situation.dequeue(class, &old);
            self.situation.enqueue(class, new, veto);
            self.look_at_gate(class);
        }
        self.turn_moved(id);
        if self.tasks[id].owner.as_ref().is_some_and(|owner| owner.started_at.is_none()) {
            // Until it is begun its clock runs for the ack time of its urgency.
            self.reset_clocks(id, |_| {});
        }
    }
}

/// Returns when something that takes `estimate` must start to be over at `end`. Behind what has no deadline lies a path that
/// is no longer than [`limits::PATH_MAX`].
pub(crate) fn start_before(end: Moment, estimate: Span) -> Moment {
    let floor = Moment::NEVER.before(limits::PATH_MAX);
    let start = end.before(estimate);
    if end >= floor { start.max(floor) } else { start }
}
