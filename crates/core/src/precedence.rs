//! What members say about what comes first: priorities of tasks, and orders of two (SEMANTICS 7, `PRIORITY_CONFLICT`).
//!
//! What differs, and orders that come round to where they began, are a conflict. It is ruled in the step in which it is opened, by
//! the business impact: a task gets the level that it earns, and tasks in a ring come in the order of their impact; orders
//! that say otherwise are dropped. A task that is to come before another is made as urgent as that one and takes a place before
//! it in the queue.

use std::collections::{BTreeMap, BTreeSet};

use kapell_model::{Moment, Priority, Span, TaskId, Text};
use serde::{Deserialize, Serialize};

use crate::conflict::{Conflict, ConflictMatter, Ruler};
use crate::impact::{Impact, earned};
use crate::state::State;

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
}

impl Precedence {
    /// Says what is wrong with the ruling.
    pub(crate) fn flaw(&self) -> Option<String> {
        let ruling = self.ruling.as_ref()?;
        if let Some(wrong) = ruling.order.iter().find(|impact| !impact.adds_up()) {
            return Some(format!("does not add up: {}", wrong.text()));
        }
        if let Some(pair) = ruling.order.windows(2).find(|pair| pair[0].wsjf < pair[1].wsjf) {
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

/// The orders that stand, each between two open tasks. They never come round to where they began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    said: BTreeMap<(TaskId, TaskId), OrderSaid>,
    /// The same pairs the other way round.
    #[serde(skip)]
    backward: BTreeSet<(TaskId, TaskId)>,
}

impl Orders {
    /// Visits the orders: what comes first, what after it, and who says so.
    pub fn iter(&self) -> impl Iterator<Item = (TaskId, TaskId, &OrderSaid)> {
        self.said.iter().map(|(&(first, then), said)| (first, then, said))
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.said.len()
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// Returns who says that one comes before another.
    #[must_use]
    pub fn get(&self, first: TaskId, then: TaskId) -> Option<&OrderSaid> {
        self.said.get(&(first, then))
    }

    /// Visits the orders by which something is to come before `task`.
    pub(crate) fn before(&self, task: TaskId) -> impl Iterator<Item = (TaskId, TaskId)> + '_ {
        self.backward.range((task, TaskId(0))..=(task, TaskId(u32::MAX))).map(|&(then, first)| (first, then))
    }

    pub(crate) fn put(&mut self, first: TaskId, then: TaskId, said: OrderSaid) {
        self.said.insert((first, then), said);
        self.backward.insert((then, first));
    }

    pub(crate) fn drop_order(&mut self, first: TaskId, then: TaskId) {
        self.said.remove(&(first, then));
        self.backward.remove(&(then, first));
    }

    /// Forgets all orders about a task that has ended.
    pub(crate) fn forget(&mut self, task: TaskId) {
        if self.said.is_empty() {
            return;
        }
        let around = (task, TaskId(0))..=(task, TaskId(u32::MAX));
        let after: Vec<_> = self.said.range(around.clone()).map(|(&pair, _)| pair).collect();
        let before: Vec<_> = self.backward.range(around).map(|&(then, first)| (first, then)).collect();
        for (first, then) in after.into_iter().chain(before) {
            self.drop_order(first, then);
        }
    }

    pub(crate) fn restore(&mut self) {
        self.backward = self.said.keys().map(|&(first, then)| (then, first)).collect();
    }

    /// Returns the tasks on all ways from one task to another along orders, both ends included; none where there is no way.
    pub(crate) fn between(&self, from: TaskId, to: TaskId) -> BTreeSet<TaskId> {
        let after = reached(from, |task| self.after(task));
        if !after.contains(&to) {
            return BTreeSet::new();
        }
        let before = reached(to, |task| self.before(task).map(|(first, _)| first));
        after.intersection(&before).copied().collect()
    }

    fn after(&self, task: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        self.said.range((task, TaskId(0))..=(task, TaskId(u32::MAX))).map(|(&(_, then), _)| then)
    }

    /// Says what is wrong with the orders.
    pub(crate) fn flaw(&self, state: &State) -> Option<String> {
        let backward: BTreeSet<_> = self.said.keys().map(|&(first, then)| (then, first)).collect();
        if backward != self.backward {
            return Some("the two ways of the orders differ".to_owned());
        }
        for &(first, then) in self.said.keys() {
            if !state.task(first).is_open() || !state.task(then).is_open() {
                return Some(format!("{first} is to come before {then}, and one of them has ended"));
            }
            if !self.between(then, first).is_empty() {
                return Some(format!("{first} is to come before {then} and after it"));
            }
        }
        None
    }
}

/// Returns a task and all that is reached from it step by step.
fn reached<I: Iterator<Item = TaskId>>(from: TaskId, next: impl Fn(TaskId) -> I) -> BTreeSet<TaskId> {
    let (mut all, mut open) = (BTreeSet::from([from]), vec![from]);
    while let Some(task) = open.pop() {
        open.extend(next(task).filter(|&task| all.insert(task)));
    }
    all
}

impl State {
    /// Returns the orders that stand.
    #[must_use]
    pub fn orders(&self) -> &Orders {
        &self.orders
    }
}
