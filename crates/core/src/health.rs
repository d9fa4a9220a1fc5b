//! How well a fleet is, in one number with its parts, and the alert where it is not (SEMANTICS 13).

use kapell_model::{AgentState, Moment, Priority, Ratio, TaskState};
use serde::{Deserialize, Serialize};

use crate::engine::Reply;
use crate::escalation::{EscalationKind, Subject};
use crate::event::Event;
use crate::state::State;

/// A share: so many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Share {
    /// So many are as they should be.
    pub good: u64,
    /// Of so many.
    pub all: u64,
}

impl From<(u64, u64)> for Share {
    fn from((good, all): (u64, u64)) -> Self {
        Self { good, all }
    }
}

impl From<Share> for (u64, u64) {
    fn from(share: Share) -> Self {
        (share.good, share.all)
    }
}

impl Share {
    fn of(good: usize, all: usize) -> Self {
        Self { good: good as u64, all: all as u64 }
    }

    /// Returns the share; one where there is nothing to have a share of.
    #[must_use]
    pub fn value(self) -> Ratio {
        Ratio::of(self.good, self.all)
    }
}

/// The health of a fleet with its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The weighted sum; each part is rounded to 10^-6 before it is added, so that what is shown adds up.
    pub total: Ratio,
    /// Agents that are online, of those registered.
    pub online: Share,
    /// Attempts that succeeded, of those that ended in the last 24 hours.
    pub success: Share,
    /// Running tasks that are not stalled.
    pub running: Share,
    /// Tasks in the queue that are within their expected wait.
    pub queued: Share,
    /// Open escalations within their ack time; the alert about the health does not count.
    pub escalations: Share,
}

impl Health {
    /// Returns the parts by name, each with its weight.
    #[must_use]
    pub fn parts(&self, weights: &kapell_model::HealthWeights) -> [(&'static str, Share, Ratio); 5] {
        [
            ("online", self.online, weights.online),
            ("success", self.success, weights.success),
            ("running", self.running, weights.running),
            ("queued", self.queued, weights.queued),
            ("escalations", self.escalations, weights.escalations),
        ]
    }
}

/// What a look at the health has found to be new.
enum Turn {
    Fell,
    Recovered,
}

impl State {
    /// Works out the health at `now`. The costs do not grow with the number of tasks.
    #[must_use]
    pub fn health(&self, now: Moment) -> Health {
        let day = self.metrics.last_day(now);
        let ready = self.counts.of(TaskState::Ready) as usize;
        let running = self.counts.of(TaskState::InProgress) as usize;
        let escalations = self.watched_escalations();
        let mut health = Health {
            total: Ratio::ZERO,
            online: Share::of(self.online, self.registered),
            success: Share { good: u64::from(day.succeeded), all: u64::from(day.attempts()) },
            running: Share::of(running - self.stalled_running(), running),
            queued: Share::of(ready - self.overdue_waits(now), ready),
            escalations: Share::of(escalations - self.overdue_escalations(now), escalations),
        };
        let parts = health.parts(&self.policy.reporting.weights);
        let micros =
            parts.iter().map(|(_, share, weight)| weight.times(share.value()).as_micros()).sum::<u32>();
        health.total = Ratio::micros(micros.min(Ratio::UNIT));
        health
    }

    /// Returns since when the health has been low, where it is.
    #[must_use]
    pub fn health_low_since(&self) -> Option<Moment> {
        self.health_low
    }

    /// Tells whether a look at the health at `now` would find anything new.
    #[must_use]
    pub fn health_turns(&self, now: Moment) -> bool {
        self.turn(&self.health(now)).is_some()
    }

    fn turn(&self, health: &Health) -> Option<Turn> {
        let reporting = &self.policy.reporting;
        match self.health_low {
            None if health.total < reporting.health_min => Some(Turn::Fell),
            Some(_) if health.total >= reporting.health_recovered() => Some(Turn::Recovered),
            _ => None,
        }
    }

    /// Looks at the health: one alert where an episode of low health begins, and its end.
    pub(crate) fn look_at_health(&self, now: Moment, out: &mut Vec<Event>) -> Reply {
        let health = self.health(now);
        match self.turn(&health) {
            Some(Turn::Fell) => {
                out.push(Event::HealthFell { health, below: self.policy.reporting.health_min });
                let detail = || self.alert(&health);
                self.raise(EscalationKind::HealthLow, Subject::Fleet {}, Priority::High, detail, out);
            }
            Some(Turn::Recovered) => out.push(Event::HealthRecovered { health }),
            None => {}
        }
        Reply::default()
    }

    fn alert(&self, health: &Health) -> String {
        let reporting = &self.policy.reporting;
        let mut text = format!("the health is {}, below {}", health.total, reporting.health_min);
        for (name, share, weight) in health.parts(&reporting.weights) {
            text += &format!("; {name} {}/{} x {weight}", share.good, share.all);
        }
        let away = self
            .agents
            .iter()
            .filter(|agent| matches!(agent.state, AgentState::Unreachable | AgentState::Offline));
        let names: Vec<String> = away.take(5).map(|agent| agent.spec.name.to_string()).collect();
        if !names.is_empty() {
            text += &format!("; not online: {}", names.join(", "));
            text += if health.online.all - health.online.good > 5 { " and others" } else { "" };
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_without_anything_is_well() {
        let health = State::default().health(Moment(0));
        assert_eq!(health.total, Ratio::ONE);
        assert_eq!(health.online, Share { good: 0, all: 0 });
    }
}
