//! Estimates that were not declared (SEMANTICS 16, "Learned numbers"): frozen when a task becomes ready, and brought up to date
//! now and then while it waits.

use kapell_model::{Span, TaskId, TaskState, limits};

use crate::engine::Reply;
use crate::event::Event;
use crate::state::State;
use crate::task::Task;

/// A waiting task keeps its estimate while what is known by now differs from it by no more than one part in so many.
const TOLERANCE: i64 = 10;

impl State {
    /// Returns what a task in the queue is expected to take by what is known now, where nobody has declared it and that is
    /// something else.
    pub(crate) fn estimated_anew(&self, id: TaskId) -> Option<Event> {
        let task =
            self.tasks.get(id).filter(|it| it.state() == TaskState::Ready && it.spec.estimate.is_none())?;
        let (estimate, learned) = self.estimate(&task.spec);
        let p90 = learned.map(|learned| learned.p90);
        let differs = (estimate, p90) != (task.estimate, task.learned.map(|learned| learned.p90));
        differs.then_some(Event::TaskEstimated { task: id, estimate, learned })
    }

    /// Tells whether any of the tasks behind `after` that [`State::refresh_estimates`] would look at waits with an outdated
    /// estimate.
    pub(crate) fn has_stale_estimates(&self, after: u32) -> bool {
        self.stale_estimates(after).next().is_some()
    }

    pub(super) fn refresh_estimates(&self, after: u32, out: &mut Vec<Event>) -> Reply {
        out.extend(self.stale_estimates(after));
        Reply::default()
    }

    /// Visits those of the tasks behind `after`, up to a bound, whose estimate what is known by now differs from for good.
    fn stale_estimates(&self, after: u32) -> impl Iterator<Item = Event> + '_ {
        let tasks = self.tasks.skip(after as usize).take(limits::ESTIMATES_PER_LOOK_MAX);
        tasks.filter_map(|task| self.estimated_anew(task.id).filter(|event| is_far_off(task, event)))
    }
}

fn is_far_off(task: &Task, event: &Event) -> bool {
    let Event::TaskEstimated { estimate, .. } = event else { return false };
    let Span(old) = task.estimate;
    (estimate.0 - old).abs() > old / TOLERANCE
}
