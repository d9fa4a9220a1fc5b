//! Working hours: set, and the shifts that begin and end by them.

use kapell_model::{Hours, Moment, Name};

use super::invalid;
use crate::engine::Reply;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;

/// Agents whose shifts begin or end that are seen to at once.
const TURNS_MAX: usize = 1_000;

impl State {
    pub(super) fn set_hours(
        &self,
        name: &Name,
        hours: Option<&Hours>,
        now: Moment,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let agent = self.find_agent(name)?;
        if let Some(hours) = hours {
            hours.check(now).map_err(|error| invalid(error.field, error.given, error.allowed))?;
        }
        if agent.hours() != hours {
            let hours = hours.cloned().map(Box::new);
            out.push(Event::AgentHoursSet { agent: agent.id, hours });
        }
        Ok(Reply { agent: Some(name.clone()), ..Reply::default() })
    }

    /// Puts into `out` whose shifts begin or end by `now`.
    pub(super) fn turn_shifts(&self, now: Moment, out: &mut Vec<Event>) {
        let due = self.duties.iter().take_while(|&&(at, _)| at <= now).take(TURNS_MAX);
        for &(_, agent) in due {
            let hours = self.agent(agent).hours().expect("whoever has shifts has hours");
            let (working, until) = (hours.contains(now), hours.next_change(now));
            out.push(Event::AgentShift { agent, working, until });
        }
    }
}
