//! When the workload monitor is due (SEMANTICS 14): it looks only where something has changed, and moves only with a reason.
//!
//! Like the leases it has no clock: every call brings the moment. What it knows is kept in memory: after a start it looks anew.

use kapell_model::Moment;

use crate::state::State;

/// The workload monitor of one fleet.
#[derive(Debug)]
pub struct WorkloadMonitor {
    /// When it looks next.
    next: Moment,
    /// What the loads were when it last found nothing to do, and when that could change by time alone.
    at_rest: Option<(u64, Option<Moment>)>,
    /// Whether a plan is being made.
    planning: bool,
    looked: u64,
}

impl WorkloadMonitor {
    /// Begins at `now`; the first look is a period later.
    #[must_use]
    pub fn new(state: &State, now: Moment) -> Self {
        Self { next: now.after(state.policy().balancing.period), at_rest: None, planning: false, looked: 0 }
    }

    /// Returns when it looks next.
    #[must_use]
    pub fn next(&self) -> Moment {
        self.next
    }

    /// Tells whether a plan should be made now: the period is over, load is uneven, and something has changed since there was
    /// last nothing to do. A fleet in which nothing has changed costs next to nothing, whatever its size.
    pub fn is_due(&mut self, state: &State, now: Moment) -> bool {
        let period = state.policy().balancing.period;
        // A clock that was set back, or a shorter period, does not put the next look off.
        if self.planning || (now < self.next && now.after(period) >= self.next) {
            return false;
        }
        self.next = now.after(period);
        let loads = state.situation().loads();
        if !loads.is_uneven(&state.policy().balancing) {
            return false;
        }
        match self.at_rest {
            Some((version, cooled)) if version == loads.version() && cooled.is_none_or(|at| at > now) => {
                false
            }
            _ => {
                self.looked = loads.version();
                self.planning = true;
                true
            }
        }
    }

    /// Takes note of what a plan has brought: how many items it had.
    pub fn planned(&mut self, state: &State, items: usize, now: Moment) {
        self.planning = false;
        self.at_rest = (items == 0).then(|| (self.looked, state.next_cooled(now)));
    }
}
