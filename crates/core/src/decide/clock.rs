//! What the passing of time brings.

use kapell_model::{AssignmentId, Moment, TaskState, limits};

use crate::engine::Reply;
use crate::event::{Cause, Event};
use crate::mutation::mutated;
use crate::state::State;
use crate::task::Task;

impl State {
    /// Brings back what was deferred until `now`, ends what was reserved until then and closes what was to be decided by then; more than a bound's worth waits for the next tick.
    pub(super) fn tick(&self, now: Moment, out: &mut Vec<Event>) -> Reply {
        self.turn_shifts(now, out);
        let timers = self.timers.iter().filter(|_| !mutated!(TimerNotLookedAt));
        let due = timers.take_while(|&&(at, _)| at <= now).take(limits::EVENTS_PER_COMMAND_MAX / 4);
        out.extend(due.map(|&(_, task)| Event::TaskResumed { task }));
        if self.ledgers.is_day_open() {
            self.begin_day(now, out);
        }
        self.lapse_reservations(now, out);
        self.lapse_handoffs(now, out);
        self.close_decisions(now, out);
        self.lapse_messages(now, out);
        self.send_digests(now, out);
        self.lapse_escalations(now, out);
        self.lapse_reviews(now, out);
        self.lapse_emergencies(now, out);
        self.lapse_forces(now, out);
        self.end_actions(now, out);
        Reply::default()
    }

    /// Returns assignments that nobody fetched; those that have ended or begun meanwhile are passed over.
    pub(super) fn return_unfetched(&self, assignments: &[AssignmentId], out: &mut Vec<Event>) -> Reply {
        for &assignment in assignments.iter().take(limits::EVENTS_PER_COMMAND_MAX / 4) {
            // Whether the recipient of a handoff has it is asked there.
            let unfetched =
                |task: &&Task| task.state() == TaskState::Assigned && self.handoffs.of(task.id).is_none();
            let Some(task) = self.task_of(assignment).filter(unfetched) else { continue };
            let agent = task.owner.as_ref().expect("an assigned task has an owner").agent;
            out.push(Event::TaskReturned {
                task: task.id,
                agent,
                assignment,
                cause: Cause::NotFetched,
                boosted: false,
                note: None,
            });
        }
        Reply::default()
    }
}
