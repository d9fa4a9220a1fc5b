//! Holds the server to its leases: who was heard of in time is not called unreachable, and who was not is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kapell_core::{Event, MoveCause, State, Trouble};
use kapell_model::{AgentId, AgentState, HandoffId, Hours, Moment, Span, TaskId, limits};

use crate::Broken;

const MINUTE: i64 = 60_000;

/// When each agent was last heard of, kept apart from the server.
#[derive(Debug)]
pub struct Leases {
    heard: Vec<Moment>,
    ticked: Moment,
    /// Who could be silent for twice as long when the look of the clock began.
    extended: Vec<bool>,
    /// Tasks whose owners were asked for a status, and have let the time for it pass.
    unanswered: BTreeSet<TaskId>,
    /// To whom a handoff has given its task.
    confirming: BTreeMap<HandoffId, AgentId>,
}

impl Leases {
    /// Begins every lease at `now`.
    #[must_use]
    pub fn new(state: &State, now: Moment) -> Self {
        let silent = state.stalled_tasks().filter(|task| {
            task.owner.as_ref().and_then(|owner| owner.stall()).is_some_and(|stall| stall.unanswered)
        });
        let confirming =
            state.handoffs().iter().filter_map(|it| Some((it.id, it.to.filter(|_| it.is_transferred())?)));
        Self {
            heard: vec![now; state.agents().len()],
            ticked: now,
            extended: Vec::new(),
            unanswered: silent.map(|task| task.id).collect(),
            confirming: confirming.collect(),
        }
    }

    /// Takes note of a call of an agent.
    pub fn heard(&mut self, agent: AgentId, now: Moment) {
        if agent.index() >= self.heard.len() {
            self.heard.resize(agent.index() + 1, now);
        }
        self.heard[agent.index()] = now;
    }

    /// A look of the clock begins: where the last one is long ago, or ahead, nobody has served meanwhile and every lease
    /// begins again.
    pub fn tick(&mut self, state: &State, now: Moment) {
        self.heard.resize(state.agents().len(), now);
        let passed = Span(now.0 - self.ticked.0);
        if passed > limits::CLOCK_JUMP || passed.0 < 0 {
            self.heard.fill(now);
        }
        self.ticked = now;
        let extended =
            |agent: &Arc<kapell_core::Agent>| state.lease_of(agent.id) > agent.lease(state.policy());
        self.extended = state.agents().iter().map(extended).collect();
    }

    /// Judges an event.
    ///
    /// `now` is what the clock says, which may have been set back; `at` is when the event happens for the core.
    ///
    /// # Errors
    /// Where an agent is called unreachable that is not.
    pub fn event(&mut self, event: &Event, state: &State, (now, at): (Moment, Moment)) -> Result<(), Broken> {
        let (id, grace) = match event {
            // What was before other hours is no silence by these.
            Event::AgentHoursSet { agent, .. } => {
                self.heard(*agent, now);
                return Ok(());
            }
            Event::StallUnanswered { task, .. } => {
                self.unanswered.insert(*task);
                return Ok(());
            }
            Event::TaskStalled { task, .. } => {
                self.unanswered.remove(task);
                return Ok(());
            }
            Event::HandoffTransferred { handoff, agent, .. } => {
                self.confirming.insert(*handoff, *agent);
                return Ok(());
            }
            // Nor is it late with what it has to hand over or to confirm.
            Event::HandoffMediation { handoff, trouble, .. } => {
                let late = match trouble {
                    Trouble::PackageLate => state.handoffs().get(*handoff).map(|it| it.from),
                    Trouble::NotConfirmed => self.confirming.get(handoff).copied(),
                    _ => None,
                };
                let away = |agent: &AgentId| state.agent(*agent).hours().is_some_and(|it| !it.contains(at));
                if let Some(agent) = late.filter(away) {
                    let what =
                        format!("{handoff} is late by `{}`, which is away", state.agent(agent).spec.name);
                    return Err(Broken { id: "nobody-is-late-at-night".to_owned(), what });
                }
                return Ok(());
            }
            // Who is away loses its task to nobody who claims it, unless it has let the time for its answer pass.
            Event::TaskMoved { task, from, cause: MoveCause::Disputed, .. } => {
                let away = state.agent(*from).hours().is_some_and(|hours| !hours.contains(at));
                if away && !self.unanswered.contains(task) {
                    let what =
                        format!("{task} is taken from `{}`, which is away", state.agent(*from).spec.name);
                    return Err(Broken { id: "nobody-is-disowned-at-night".to_owned(), what });
                }
                return Ok(());
            }
            Event::AgentUnreachable { agent, .. } => (*agent, Span(0)),
            Event::AgentOffline { agent, signed_off: false, .. } => (*agent, state.policy().lease_grace),
            _ => return Ok(()),
        };
        let agent = state.agent(id);
        let own = agent.lease(state.policy());
        let (silent, own) = match agent.hours() {
            Some(hours) if !hours.contains(now) => {
                let what = format!("{} of `{}` outside its working hours", event.kind(), agent.spec.name);
                return Err(Broken { id: "nobody-is-disowned-at-night".to_owned(), what });
            }
            Some(hours) => (self.worked(id, hours, now), agent.borne(own)),
            None => (self.silent(id, now), own),
        };
        let borne = own.0 + grace.0;
        if silent.0 > borne {
            return Ok(());
        }
        let what = format!("{} after a silence of {silent} of {}", event.kind(), Span(borne));
        Err(Broken { id: "leases-are-honoured".to_owned(), what })
    }

    /// Looks for agents that should have been called unreachable in the look of the clock that is over.
    ///
    /// # Errors
    /// Where there is one.
    pub fn check(&self, state: &State, now: Moment) -> Result<(), Broken> {
        for agent in state.agents().iter().filter(|agent| agent.state == AgentState::Online) {
            let own = agent.lease(state.policy());
            let extended = self.extended.get(agent.id.index()).copied().unwrap_or(false);
            let lease = if extended { Span(own.0 * 2) } else { state.lease_of(agent.id) };
            let (silent, lease) = match agent.hours() {
                Some(hours) if agent.is_away() || !hours.contains(now) => continue,
                Some(hours) => (self.worked(agent.id, hours, now), agent.borne(lease)),
                None => (self.silent(agent.id, now), lease),
            };
            if silent > lease {
                let what = format!("`{}` is online after a silence of {silent} of {lease}", agent.spec.name);
                return Err(Broken { id: "leases-lapse".to_owned(), what });
            }
        }
        Ok(())
    }

    /// Returns how long an agent has been silent in its working hours, minute by minute and from one edge to the next.
    fn worked(&self, agent: AgentId, hours: &Hours, now: Moment) -> Span {
        let Some(&heard) = self.heard.get(agent.index()) else { return Span(0) };
        let quiet = hours.quiet.iter().flat_map(|&(from, to)| [from.0, to.0]);
        let edges: Vec<i64> = quiet.chain(hours.offsets.iter().map(|offset| offset.from.0)).collect();
        let (mut at, mut worked) = (heard.0, 0);
        while at < now.0 {
            let edge = edges.iter().copied().filter(|&edge| edge > at).min().unwrap_or(now.0);
            let next = ((at / MINUTE + 1) * MINUTE).min(now.0).min(edge);
            worked += if hours.contains(Moment(at)) { next - at } else { 0 };
            at = next;
        }
        Span(worked)
    }

    fn silent(&self, agent: AgentId, now: Moment) -> Span {
        self.heard.get(agent.index()).map_or(Span(0), |&heard| now.since(heard))
    }
}
