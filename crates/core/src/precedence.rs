//! What members say about what comes first: priorities of tasks, and orders of two (SEMANTICS 7, `PRIORITY_CONFLICT`).
//!
//! What differs, and orders that come round to where they began, are a conflict. It is ruled in the step in which it is opened, by
//! the business impact: a task gets the level that it earns, and tasks in a ring come in the order of their impact; orders
//! that say otherwise are dropped. What waits for another task is on such rings too, and always right.
//!
//! An order that stands is an edge of inheritance, like a wait: what is to come first is as urgent as what comes after it, and
//! has a place before that in the queue (`apply/graph.rs`). Together with the waits the orders never come round.

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::{ConflictId, Moment, Priority, Span, TaskId, Text};
use serde::{Deserialize, Serialize};

use crate::conflict::{Conflict, ConflictMatter, Ruler};
use crate::impact::{Impact, earned};
use crate::state::State;
use crate::ways::reached;

/// What one member says about the priority of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asserted {
    /// Who.
    pub by: Ruler,
    /// Which.
    pub priority: Priority,
    /// Why.
    pub reason: Text,
    /// When.
    pub at: Moment,
}

/// Who says that one task is to come before another, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderSaid {
    /// Who.
    pub by: Ruler,
    /// Why.
    pub reason: Text,
    /// When.
    pub at: Moment,
}

/// One thing that is said in a conflict over what comes first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// A priority of a task.
    Priority {
        /// Whose word; nothing for the one that it was given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Ruler>,
        /// Which.
        priority: Priority,
    },
    /// One before another.
    Order {
        /// Whose word.
        by: Ruler,
        /// What is to come first.
        first: TaskId,
        /// What is to come after it.
        then: TaskId,
    },
}

/// A conflict over what comes first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precedence {
    /// What is said.
    pub said: Vec<Voice>,
    /// How it was ruled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Ranking>,
}

/// The ruling on what comes first, with every number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranking {
    /// The tasks in the order of their impact, the largest first.
    pub order: Vec<Impact>,
    /// The level that the task has earned, where its priority was what it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// The typical time of a task, by which levels are earned.
    pub typical: Span,
    /// Tasks that come where another one stands that waits for them, each with that one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<(TaskId, TaskId)>,
}

impl Ranking {
    /// Returns the task by whose impact one has its place: its own, or that of one that waits for it.
    #[must_use]
    pub fn carrier(&self, task: TaskId) -> TaskId {
        self.carried.iter().find(|(carried, _)| *carried == task).map_or(task, |&(_, by)| by)
    }
}

impl Precedence {
    /// Says what is wrong with the ruling.
    pub(crate) fn flaw(&self) -> Option<String> {
        let ruling = self.ruling.as_ref()?;
        if let Some(wrong) = ruling.order.iter().find(|impact| !impact.adds_up()) {
            return Some(format!("does not add up: {}", wrong.text()));
        }
        let place = |task| ruling.order.iter().position(|impact| impact.task == task);
        if let Some((task, by)) = ruling.carried.iter().find(|(task, by)| place(*task) >= place(*by)) {
            return Some(format!("{task} does not come before {by}, which waits for it"));
        }
        let weight = |impact: &Impact| place(ruling.carrier(impact.task)).map(|by| ruling.order[by].wsjf);
        if let Some(pair) = ruling.order.windows(2).find(|pair| weight(&pair[0]) < weight(&pair[1])) {
            return Some(format!("{} comes before {}", pair[0].text(), pair[1].text()));
        }
        let levels: BTreeSet<Priority> = self
            .said
            .iter()
            .filter_map(|voice| match voice {
                Voice::Priority { priority, .. } => Some(*priority),
                Voice::Order { .. } => None,
            })
            .collect();
        let right = ruling.order.first().and_then(|impact| earned(&levels, impact.wsjf, ruling.typical));
        (ruling.priority != right).then(|| format!("{:?} was given, {right:?} earned", ruling.priority))
    }
}

impl Conflict {
    /// Returns the matter of what comes first, where it is one.
    #[must_use]
    pub fn precedence(&self) -> Option<&Precedence> {
        match &self.matter {
            ConflictMatter::Precedence(precedence) => Some(precedence),
            _ => None,
        }
    }
}

/// The orders that stand, each between two open tasks: what members say, and neighbours in what was ruled. They never come round
/// to where they began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    said: BTreeMap<(TaskId, TaskId), OrderSaid>,
    ruled: BTreeMap<(TaskId, TaskId), ConflictId>,
    /// All pairs the other way round.
    #[serde(skip)]
    backward: BTreeSet<(TaskId, TaskId)>,
}

impl Orders {
    /// Visits what is said: what comes first, what after it, and who says so.
    pub fn iter(&self) -> impl Iterator<Item = (TaskId, TaskId, &OrderSaid)> {
        self.said.iter().map(|(&(first, then), said)| (first, then, said))
    }

    /// Visits what was ruled: what comes first, what comes next after it, and by which conflict.
    pub fn rulings(&self) -> impl Iterator<Item = (TaskId, TaskId, ConflictId)> + '_ {
        self.ruled.iter().map(|(&(first, then), &conflict)| (first, then, conflict))
    }

    /// Visits every pair once, what comes first in front.
    pub fn pairs(&self) -> impl Iterator<Item = (TaskId, TaskId)> + '_ {
        self.backward.iter().map(|&(then, first)| (first, then))
    }

    /// Returns how many pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.backward.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.backward.is_empty()
    }

    /// Returns how many are said.
    pub(crate) fn said(&self) -> usize {
        self.said.len()
    }

    /// Returns who says that one comes before another.
    #[must_use]
    pub fn get(&self, first: TaskId, then: TaskId) -> Option<&OrderSaid> {
        self.said.get(&(first, then))
    }

    /// Returns by which conflict one comes next before another.
    #[must_use]
    pub fn ruled(&self, first: TaskId, then: TaskId) -> Option<ConflictId> {
        self.ruled.get(&(first, then)).copied()
    }

    /// Visits the orders by which something is to come before `task`.
    pub(crate) fn before(&self, task: TaskId) -> impl Iterator<Item = (TaskId, TaskId)> + '_ {
        self.backward.range(around(task)).map(|&(then, first)| (first, then))
    }

    /// Visits what is to come after `task`; what is said and ruled comes twice.
    pub fn after(&self, task: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        let said = self.said.range(around(task)).map(|(&(_, then), _)| then);
        said.chain(self.ruled.range(around(task)).map(|(&(_, then), _)| then))
    }

    /// Visits the pairs about `task`, those in which it comes first in front.
    pub fn around(&self, task: TaskId) -> impl Iterator<Item = (TaskId, TaskId)> + '_ {
        let after: BTreeSet<TaskId> = self.after(task).collect();
        after.into_iter().map(move |then| (task, then)).chain(self.before(task))
    }

    pub(crate) fn put(&mut self, first: TaskId, then: TaskId, said: OrderSaid) {
        self.said.insert((first, then), said);
        self.backward.insert((then, first));
    }

    /// Lets a ruling hold, in the place of what was ruled between its tasks before.
    pub(crate) fn hold(&mut self, conflict: ConflictId, order: &[TaskId]) {
        let ruled: BTreeSet<TaskId> = order.iter().copied().collect();
        for &task in order {
            let next: Vec<_> = self.ruled.range(around(task)).map(|(&pair, _)| pair).collect();
            next.into_iter().filter(|(_, then)| ruled.contains(then)).for_each(|pair| self.lift_pair(pair));
        }
        for pair in order.windows(2) {
            self.ruled.insert((pair[0], pair[1]), conflict);
            self.backward.insert((pair[1], pair[0]));
        }
    }

    /// Takes what was ruled in a conflict back, and returns what came before something by that.
    pub(crate) fn lift(&mut self, conflict: ConflictId) -> Vec<TaskId> {
        let ruled: Vec<_> = self.rulings().filter(|&(.., by)| by == conflict).collect();
        ruled.iter().for_each(|&(first, then, _)| self.lift_pair((first, then)));
        ruled.into_iter().map(|(first, ..)| first).collect()
    }

    fn lift_pair(&mut self, (first, then): (TaskId, TaskId)) {
        self.ruled.remove(&(first, then));
        if !self.said.contains_key(&(first, then)) {
            self.backward.remove(&(then, first));
        }
    }

    /// Forgets who says that one comes before another; what was ruled about them stays.
    pub(crate) fn unsay(&mut self, first: TaskId, then: TaskId) {
        self.said.remove(&(first, then));
        if !self.ruled.contains_key(&(first, then)) {
            self.backward.remove(&(then, first));
        }
    }

    /// Forgets that one comes before another, said or ruled.
    pub(crate) fn drop_order(&mut self, first: TaskId, then: TaskId) {
        self.said.remove(&(first, then));
        self.ruled.remove(&(first, then));
        self.backward.remove(&(then, first));
    }

    /// Forgets all orders about a task that has ended, and returns what came before it. What was ruled about those around it
    /// stays.
    pub(crate) fn forget(&mut self, task: TaskId) -> Vec<TaskId> {
        let before: Vec<TaskId> = self.before(task).map(|(first, _)| first).collect();
        let after: Vec<TaskId> = self.after(task).collect();
        let across = before.iter().flat_map(|&first| after.iter().map(move |&then| (first, then)));
        let across = across.filter_map(|(first, then)| {
            let conflict = self.ruled(first, task)?;
            (self.ruled(task, then) == Some(conflict)).then_some(((first, then), conflict))
        });
        let across: Vec<_> = across.collect();
        before.iter().for_each(|&first| self.drop_order(first, task));
        after.iter().for_each(|&then| self.drop_order(task, then));
        for ((first, then), conflict) in across {
            self.ruled.entry((first, then)).or_insert(conflict);
            self.backward.insert((then, first));
        }
        before
    }

    pub(crate) fn restore(&mut self) {
        let pairs = self.said.keys().chain(self.ruled.keys());
        self.backward = pairs.map(|&(first, then)| (then, first)).collect();
    }

    /// Says what is wrong with the orders.
    pub(crate) fn flaw(&self, state: &State) -> Option<String> {
        let pairs = self.said.keys().chain(self.ruled.keys());
        let backward: BTreeSet<_> = pairs.map(|&(first, then)| (then, first)).collect();
        if backward != self.backward {
            return Some("the two ways of the orders differ".to_owned());
        }
        for (first, then) in self.pairs() {
            let (before, after) = (state.task(first), state.task(then));
            if !before.is_open() || !after.is_open() {
                return Some(format!("{first} is to come before {then}, and one of them has ended"));
            }
            if reached(then, |task| self.after(task)).contains(&first) {
                return Some(format!("{first} is to come before {then} and after it"));
            }
            if before.queue_key() >= after.queue_key() {
                return Some(format!("{first} is to come before {then} and stands behind it"));
            }
        }
        None
    }
}

fn around(task: TaskId) -> std::ops::RangeInclusive<(TaskId, TaskId)> {
    (task, TaskId(0))..=(task, TaskId(u32::MAX))
}

impl State {
    /// Returns the orders that stand.
    #[must_use]
    pub fn orders(&self) -> &Orders {
        &self.orders
    }
}
