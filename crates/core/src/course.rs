//! How a fleet has stood: noted now and then, so that a report can show the way to where it stands (SEMANTICS 13).

use std::collections::VecDeque;

use kapell_model::{AgentState, Moment, Span, TaskState, limits};
use serde::{Deserialize, Serialize};

use crate::engine::Reply;
use crate::event::Event;
use crate::health::Health;
use crate::state::State;

/// How a fleet stands at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The health with its parts.
    pub health: Health,
    /// Slots of the agents that are online.
    pub slots: u32,
    /// Of these taken.
    pub slots_used: u32,
    /// Tasks that wait for others.
    pub blocked: u32,
    /// Tasks in the queue.
    pub ready: u32,
    /// Tasks that are set aside.
    pub deferred: u32,
    /// Tasks that are owned and not finished.
    pub running: u32,
    /// Finished tasks before their gates.
    pub gated: u32,
    /// The lead times that half of the last 50 completed tasks did not exceed, and that nine of ten did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<(Span, Span)>,
}

/// The last samples of a fleet, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course(VecDeque<(Moment, Sample)>);

impl Course {
    /// Visits the samples, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Moment, &Sample)> + '_ {
        self.0.iter().map(|(at, sample)| (*at, sample))
    }

    fn last(&self) -> Option<&(Moment, Sample)> {
        self.0.back()
    }

    pub(crate) fn push(&mut self, at: Moment, sample: Sample) {
        if self.0.len() == limits::SAMPLES_MAX {
            self.0.pop_front();
        }
        self.0.push_back((at, sample));
    }
}

impl State {
    /// Returns how the fleet has stood.
    #[must_use]
    pub fn course(&self) -> &Course {
        &self.course
    }

    /// Returns how the fleet stands at `now`. Costs time in the agents.
    #[must_use]
    pub fn sample(&self, now: Moment) -> Sample {
        let count = |state| self.counts.of(state);
        let (mut slots, mut slots_used) = (0_u32, 0_u32);
        for agent in self.agents.iter().filter(|agent| agent.state == AgentState::Online) {
            slots = slots.saturating_add(self.limit_of(agent.id));
            slots_used = slots_used.saturating_add(u32::try_from(agent.tasks.len()).unwrap_or(u32::MAX));
        }
        Sample {
            health: self.health(now),
            slots,
            slots_used,
            blocked: count(TaskState::Blocked),
            ready: count(TaskState::Ready),
            deferred: count(TaskState::Deferred),
            running: count(TaskState::Assigned) + count(TaskState::InProgress),
            gated: count(TaskState::InReview) + count(TaskState::Waiting),
            lead: self.metrics.lead(),
        }
    }

    /// Tells whether there is anything to note at `now`: a fleet in which nothing has changed is left alone.
    #[must_use]
    pub fn course_turns(&self, now: Moment) -> bool {
        match self.course.last() {
            Some((_, last)) => *last != self.sample(now),
            None => self.registered > 0 || self.counts.total() > 0,
        }
    }

    /// Notes how the fleet stands.
    pub(crate) fn note_course(&self, now: Moment, out: &mut Vec<Event>) -> Reply {
        if self.course_turns(now) {
            out.push(Event::CourseNoted { sample: Box::new(self.sample(now)) });
        }
        Reply::default()
    }
}
