//! The orders that stand, kept from the events alone and apart from the core, and held against every placement.

use std::collections::{BTreeMap, BTreeSet};

use kapell_core::{Decision, Event, State};
use kapell_model::{ConflictId, Strategy, TaskId, TaskState};

use crate::Broken;

/// One task before another.
type Pair = (TaskId, TaskId);

/// What is said, and what was ruled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    said: BTreeSet<Pair>,
    ruled: BTreeMap<Pair, ConflictId>,
}

impl Orders {
    /// Takes an event into account.
    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            Event::OrderAsserted { first, then, .. } => {
                self.said.insert((*first, *then));
            }
            Event::OrderDropped { first, then, ruling_stays } => {
                self.said.remove(&(*first, *then));
                if !ruling_stays {
                    self.ruled.remove(&(*first, *then));
                }
            }
            Event::OrderRuled { conflict, order } => {
                self.ruled.retain(|(first, then), _| !order.contains(first) || !order.contains(then));
                self.ruled.extend(order.windows(2).map(|pair| ((pair[0], pair[1]), *conflict)));
            }
            Event::RulingLifted { conflict } => self.ruled.retain(|_, by| by != conflict),
            _ => {}
        }
    }

    /// Takes note of the end of a task: what was ruled goes on without it.
    pub(crate) fn ended(&mut self, task: TaskId) {
        self.said.retain(|&(first, then)| first != task && then != task);
        let before = self.ruled.iter().filter(|((_, then), _)| *then == task);
        let after =
            |by: ConflictId| self.ruled.iter().find(move |((first, _), it)| *first == task && **it == by);
        let across =
            before.filter_map(|(&(first, _), &by)| after(by).map(|(&(_, then), _)| ((first, then), by)));
        let across: Vec<_> = across.collect();
        self.ruled.retain(|&(first, then), _| first != task && then != task);
        across.into_iter().for_each(|(pair, by)| {
            self.ruled.entry(pair).or_insert(by);
        });
    }

    /// Holds a placement to the orders, in the state in which it was decided: whatever is to come first stands before it in the
    /// queue, and is not passed over where it waits for the same and the agent could have taken it.
    ///
    /// # Errors
    /// The order that is broken.
    pub(crate) fn hold(&self, state: &State, event: &Event) -> Result<(), Broken> {
        let Event::TaskAssigned { task, agent, decision: Decision::Placed, .. } = event else {
            return Ok(());
        };
        let placed = state.task(*task);
        let pairs = self.said.iter().chain(self.ruled.keys());
        for &(first, _) in pairs.filter(|(_, then)| then == task) {
            let other = state.task(first);
            let behind = other.queue_key() > placed.queue_key();
            // Who has failed it steps back; behind what is reserved turns count too.
            let alike = other.class == placed.class && placed.spec.resources.is_empty();
            let passed_over = other.state() == TaskState::Ready && alike && other.failed_by != Some(*agent);
            if behind || (passed_over && state.policy().strategy == Strategy::Greedy) {
                let what =
                    format!("{task} was placed, and {first} is to come before it (behind it: {behind})");
                return Err(Broken { id: "orders-hold".to_owned(), what });
            }
        }
        Ok(())
    }
}
