//! What waits to be placed: the queues of the classes, and which of them have changed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use crate::class::{Class, Gate, Requirement};
use crate::excerpt::Waiting;
use crate::id::{AgentId, ClassId, TaskId};
use crate::limits;
use crate::moment::Moment;
use crate::vocabulary::Priority;
use crate::wants::Wants;

/// The order of the queue (SEMANTICS 3.2): the smallest is placed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueKey {
    /// Effective priority.
    pub priority: Priority,
    /// Deadline minus remaining critical path; where no deadline applies, [`Moment::NEVER`] minus that.
    pub latest_start: Moment,
    /// When the task was submitted.
    pub submitted: Moment,
    /// The task.
    pub task: TaskId,
}

/// The queue of one class.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub(crate) class: Arc<Class>,
    pub(crate) waiting: BTreeSet<QueueKey>,
    /// Whether the class is among those in which tasks have arrived.
    pub(crate) arrived: bool,
    pub(crate) gate: Gate,
}

/// The queues by class.
#[derive(Clone, Debug)]
enum Lines {
    /// Of every class.
    All(Vec<Queue>),
    /// Of some of so many classes: an excerpt takes along only those that it has tasks of.
    Taken(usize, BTreeMap<ClassId, Queue>),
}

impl Index<ClassId> for Lines {
    type Output = Queue;

    fn index(&self, id: ClassId) -> &Queue {
        match self {
            Self::All(queues) => &queues[id.index()],
            Self::Taken(_, queues) => &queues[&id],
        }
    }
}

impl IndexMut<ClassId> for Lines {
    fn index_mut(&mut self, id: ClassId) -> &mut Queue {
        match self {
            Self::All(queues) => &mut queues[id.index()],
            Self::Taken(_, queues) => queues.get_mut(&id).expect("a class of the excerpt"),
        }
    }
}

/// The queues of all classes. Only classes with tasks whose gates are not shut have a head.
#[derive(Clone, Debug)]
pub(crate) struct Queues {
    lines: Lines,
    pub(crate) heads: BTreeSet<(QueueKey, ClassId)>,
    /// The heads of the queues behind shut gates.
    shut_heads: BTreeSet<(QueueKey, ClassId)>,
    vetoes: BTreeMap<TaskId, AgentId>,
    pub(crate) waiting: usize,
    pub(crate) arrived: Vec<ClassId>,
    pub(crate) wants: Wants,
}

impl Default for Queues {
    fn default() -> Self {
        Self::of(Lines::All(Vec::new()))
    }
}

impl Queues {
    fn of(lines: Lines) -> Self {
        Self {
            lines,
            heads: BTreeSet::new(),
            shut_heads: BTreeSet::new(),
            vetoes: BTreeMap::new(),
            waiting: 0,
            arrived: Vec::new(),
            wants: Wants::default(),
        }
    }

    /// Returns the tasks that a round could place which gives each class at most `slots` of them, the most urgent first, at most
    /// [`limits::EXCERPT_TASKS_MAX`] in all; with empty queues of their classes. Costs time in these tasks alone.
    pub(crate) fn excerpt(&self, slots: usize) -> (Self, Vec<Waiting>) {
        let (mut waiting, mut taken) = (Vec::new(), BTreeMap::new());
        let mut heads = self.heads.iter().copied().filter(|_| slots > 0).peekable();
        // The next one of each class that has been begun with; heads of other classes come in when it is their turn.
        let mut begun: BinaryHeap<Reverse<(QueueKey, ClassId)>> = BinaryHeap::new();
        while waiting.len() < limits::EXCERPT_TASKS_MAX {
            let next = begun.peek().map(|&Reverse(next)| next);
            let head = heads.peek().copied();
            let Some((key, class)) = next.into_iter().chain(head).min() else { break };
            if next == Some((key, class)) {
                begun.pop();
            } else {
                heads.next();
            }
            waiting.push(Waiting { class, key, veto: self.veto(key.task) });
            let rest =
                taken.entry(class).or_insert_with(|| self.lines[class].waiting.iter().take(slots).skip(1));
            begun.extend(rest.next().map(|&next| Reverse((next, class))));
        }
        let bare = |class: ClassId| {
            let Queue { class: terms, gate, .. } = &self.lines[class];
            let queue =
                Queue { class: Arc::clone(terms), waiting: BTreeSet::new(), arrived: false, gate: *gate };
            (class, queue)
        };
        let queues = taken.into_keys().map(bare).collect();
        (Self::of(Lines::Taken(self.class_count(), queues)), waiting)
    }

    /// Returns how many classes there are, with queues or without.
    pub(crate) fn class_count(&self) -> usize {
        match &self.lines {
            Lines::All(queues) => queues.len(),
            Lines::Taken(count, _) => *count,
        }
    }

    /// Returns the queue of a class.
    pub(crate) fn line(&self, id: ClassId) -> &Queue {
        &self.lines[id]
    }

    /// Returns the first `most` waiting tasks of all classes, in order, whether they can be placed or not.
    pub(crate) fn first_waiting(&self, most: usize) -> Vec<QueueKey> {
        // Whatever comes first is in a class whose head is among the first heads.
        let heads = self.heads.iter().take(most).chain(self.shut_heads.iter().take(most));
        let mut first: Vec<QueueKey> =
            heads.flat_map(|&(_, class)| self.lines[class].waiting.iter().take(most)).copied().collect();
        first.sort_unstable();
        first.truncate(most);
        first
    }

    /// Returns the agent that failed a task in its last attempt.
    pub(crate) fn veto(&self, task: TaskId) -> Option<AgentId> {
        if self.vetoes.is_empty() { None } else { self.vetoes.get(&task).copied() }
    }

    /// Takes a new class; its id is the next one.
    pub(crate) fn push(&mut self, class: Class) -> ClassId {
        let id = ClassId(u32::try_from(self.class_count()).expect("classes are fewer than tasks"));
        let class = Arc::new(class);
        let queue = Queue { class, waiting: BTreeSet::new(), arrived: false, gate: Gate::Open };
        match &mut self.lines {
            Lines::All(queues) => queues.push(queue),
            Lines::Taken(count, queues) => {
                *count += 1;
                queues.insert(id, queue);
            }
        }
        id
    }

    /// Takes what a class requires from now on, and marks it as changed.
    pub(crate) fn set_requires(&mut self, id: ClassId, requires: Box<[Requirement]>) {
        let queue = &mut self.lines[id];
        if !queue.waiting.is_empty() {
            self.wants.unwant(id, &queue.class);
        }
        Arc::make_mut(&mut queue.class).requires = requires;
        if !queue.waiting.is_empty() {
            self.wants.want(id, &queue.class);
        }
        if !queue.waiting.is_empty() && !queue.arrived {
            queue.arrived = true;
            self.arrived.push(id);
        }
    }

    /// Puts a task into the queue of its class; `veto` is the agent that has just failed it.
    pub(crate) fn enqueue(&mut self, id: ClassId, key: QueueKey, veto: Option<AgentId>, paused: bool) {
        let queue = &mut self.lines[id];
        let head = queue.waiting.first().copied();
        queue.waiting.insert(key);
        self.waiting += 1;
        let shut = queue.gate == Gate::Shut;
        if head.is_none() {
            self.wants.want(id, &queue.class);
        }
        let ahead = paused && head.is_some_and(|head| key < head);
        if (head.is_none() || ahead) && !queue.arrived && !shut {
            queue.arrived = true;
            self.arrived.push(id);
        }
        if head.is_none_or(|head| key < head) {
            let heads = if shut { &mut self.shut_heads } else { &mut self.heads };
            if let Some(head) = head {
                heads.remove(&(head, id));
            }
            heads.insert((key, id));
        }
        if let Some(agent) = veto {
            self.vetoes.insert(key.task, agent);
        }
    }

    /// Takes a task out of the queue of its class.
    pub(crate) fn dequeue(&mut self, id: ClassId, key: &QueueKey) {
        let queue = &mut self.lines[id];
        let was_head = queue.waiting.first() == Some(key);
        if !queue.waiting.remove(key) {
            return;
        }
        self.waiting -= 1;
        if was_head {
            let shut = queue.gate == Gate::Shut;
            let heads = if shut { &mut self.shut_heads } else { &mut self.heads };
            heads.remove(&(*key, id));
            if let Some(&head) = queue.waiting.first() {
                heads.insert((head, id));
            }
        }
        if queue.waiting.is_empty() {
            self.wants.unwant(id, &queue.class);
        }
        if !self.vetoes.is_empty() {
            self.vetoes.remove(&key.task);
        }
    }

    /// Opens or shuts the gate of a class, and returns how it was. Where more may take its tasks than before, the next round
    /// looks at it.
    pub(crate) fn set_gate(&mut self, id: ClassId, gate: Gate) -> Gate {
        let queue = &mut self.lines[id];
        let before = std::mem::replace(&mut queue.gate, gate);
        let Some(&head) = queue.waiting.first().filter(|_| before != gate) else { return before };
        if gate == Gate::Shut {
            self.heads.remove(&(head, id));
            self.shut_heads.insert((head, id));
            return before;
        }
        self.shut_heads.remove(&(head, id));
        self.heads.insert((head, id));
        let narrower = before == Gate::Open;
        if !narrower && !queue.arrived {
            queue.arrived = true;
            self.arrived.push(id);
        }
        before
    }

    /// Forgets which classes have changed.
    pub(crate) fn settle(&mut self) {
        for id in self.arrived.drain(..) {
            self.lines[id].arrived = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Word;

    fn class(kind: u32) -> Class {
        Class {
            requires: Box::default(),
            kind: Word(kind),
            project: None,
            role: None,
            pin: None,
            exclude: Box::default(),
            needs: Box::default(),
        }
    }

    fn key(priority: Priority, task: u32) -> QueueKey {
        QueueKey { priority, latest_start: Moment::NEVER, submitted: Moment(0), task: TaskId(task) }
    }

    #[test]
    fn an_excerpt_takes_tasks_in_the_order_of_all_queues_and_only_their_classes() {
        let mut queues = Queues::default();
        let classes: Vec<ClassId> = (0..5).map(|kind| queues.push(class(kind))).collect();
        for (class, priority, task) in [
            (0, Priority::Critical, 1),
            (0, Priority::Low, 2),
            (0, Priority::Low, 3),
            (0, Priority::Low, 4),
            (2, Priority::High, 5),
            (2, Priority::High, 6),
            (4, Priority::Critical, 7),
        ] {
            queues.enqueue(classes[class], key(priority, task), None, false);
        }
        queues.set_gate(classes[4], Gate::Shut);
        let (taken, waiting) = queues.excerpt(3);
        let tasks: Vec<u32> = waiting.iter().map(|waiting| waiting.key.task.0).collect();
        assert_eq!(tasks, [1, 5, 6, 2, 3], "three of a class at most, and none behind a shut gate");
        assert_eq!(taken.class_count(), 5, "ids are as they were");
        let Lines::Taken(_, lines) = &taken.lines else { panic!("an excerpt has some queues") };
        assert!(lines.keys().eq([&classes[0], &classes[2]]), "{:?}", lines.keys());
        assert_eq!(queues.excerpt(0).1, []);
    }

    #[test]
    fn what_is_critical_is_never_cut_off_for_what_is_not() {
        // Each class begins with a critical task, so by classes the last ones would fall away.
        let (mut queues, mut next) = (Queues::default(), 0);
        let per_class = limits::EXCERPT_TASKS_MAX / 20;
        for kind in 0..22 {
            let class = queues.push(class(kind));
            for place in 0..per_class {
                next += 1;
                let priority = if place < 2 { Priority::Critical } else { Priority::Low };
                queues.enqueue(class, key(priority, next), None, false);
            }
        }
        let (_, waiting) = queues.excerpt(per_class);
        assert_eq!(waiting.len(), limits::EXCERPT_TASKS_MAX);
        assert!(waiting.is_sorted_by_key(|waiting| waiting.key));
        let critical = waiting.iter().filter(|waiting| waiting.key.priority == Priority::Critical);
        assert_eq!(critical.count(), 44);
    }
}
