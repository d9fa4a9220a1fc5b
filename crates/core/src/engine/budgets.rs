//! What a step does about budgets whose sums or limits have changed.

use kapell_model::Placer;

use super::{Engine, Step};
use crate::budget::BudgetOf;
use crate::event::Event;

impl<P: Placer> Engine<P> {
    /// Warns, closes, opens and calls, and stops what runs under a budget that is spent.
    pub(super) fn see_to_budgets(&mut self, step: &mut Step<'_>) {
        while !step.is_full() {
            if let Some(of) = self.state.ledgers.due.pop_first() {
                let events = self.state.budget_looked_at(&of);
                events.into_iter().for_each(|event| self.emit(step, event));
            } else if let Some(task) = self.state.ledgers.stops.pop_first() {
                let events = self.state.stopped(self.state.task(task));
                events.into_iter().for_each(|event| self.emit(step, event));
            } else {
                return;
            }
        }
    }
}

/// Tells whether an event takes an agent out of a round that is under way: what it was to get can go to another one.
pub(super) fn takes_an_agent_out(event: &Event) -> bool {
    matches!(event, Event::BudgetClosed { of: BudgetOf::Agent(_), .. })
}
