//! When the monitors of load and of forecasts are due (SEMANTICS 14): they look only where something has changed.
//!
//! Like the leases they have no clock: every call brings the moment. What they know is kept in memory: after a start they look anew.

use kapell_model::{Moment, Name, Span};

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

/// The forecast monitor of one fleet: one forecast at a time, of the project whose last one is outdated for longest.
#[derive(Debug)]
pub struct ForecastMonitor {
    /// When it looks next.
    next: Moment,
    /// Whether a forecast is being made.
    forecasting: bool,
}

/// The longest pause between two looks at which forecasts are outdated.
const FORECASTS_LOOKED_AT: Span = Span::seconds(10);

impl ForecastMonitor {
    /// Begins at `now`; the first look is a little later.
    #[must_use]
    pub fn new(state: &State, now: Moment) -> Self {
        Self { next: now.after(state.policy().forecasts.period.min(FORECASTS_LOOKED_AT)), forecasting: false }
    }

    /// Returns the project of which a forecast should be made now: none where one is being made, or where nothing is outdated.
    pub fn is_due<'a>(&mut self, state: &'a State, now: Moment) -> Option<&'a Name> {
        let period = state.policy().forecasts.period;
        // A clock that was set back, or a shorter period, does not put the next look off.
        if self.forecasting || (now < self.next && now.after(period) >= self.next) {
            return None;
        }
        self.next = now.after(period.min(FORECASTS_LOOKED_AT));
        let due = state.outdated_forecast(now, period);
        self.forecasting = due.is_some();
        due
    }

    /// Takes note that the forecast has come back; there may be another one at once.
    pub fn forecast(&mut self, now: Moment) {
        self.forecasting = false;
        self.next = now;
    }
}
