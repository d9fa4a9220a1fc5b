//! A state as bytes, so that a start need not fold the whole log.
//!
//! Only the facts are written (`MessagePack` with field names, so that a field may be added); everything derived
//! is made again. A snapshot of another format is not an error of the log: the log is folded from its beginning.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Write};
use std::sync::Arc;

use kapell_model::{
    AgentState, AssignmentId, Forecast, Moment, Name, NoticeId, Policy, Position, Span, TaskId,
};
use serde::{Deserialize, Serialize};

use crate::agent::{Agent, Project};
use crate::analysis::CapabilitySpec;
use crate::bottleneck::Bottlenecks;
use crate::budget::Ledgers;
use crate::changes::Changes;
use crate::conflict::Conflict;
use crate::course::Course;
use crate::cycle::BrokenEdge;
use crate::effort::Learning;
use crate::emergency::Emergencies;
use crate::escalation::{Escalation, Subject};
use crate::force::Forces;
use crate::handoff::Handoff;
use crate::history::History;
use crate::keys::{KeyLog, Keys};
use crate::message::Messages;
use crate::metrics::Metrics;
use crate::mutation::mutated;
use crate::precedence::Orders;
use crate::reservations::ReservationFacts;
use crate::segments::Segments;
use crate::state::{Offer, OfferState, State};
use crate::tasks::Tasks;

/// The number of the format in which [`State::to_snapshot`] writes.
pub const SNAPSHOT_FORMAT: u32 = 24;

/// A snapshot could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is of another format.
    #[error("the snapshot is of format {given}; this program reads format {SNAPSHOT_FORMAT}")]
    Format {
        /// The format that stands there.
        given: u32,
    },
    /// Its bytes are not what they should be.
    #[error("the snapshot's bytes do not fit its format")]
    Body(#[from] rmp_serde::decode::Error),
}

/// The facts of a state as they were at one moment: a view that shares what has not changed since, so that having one
/// costs far less than writing it, and another thread can do that.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Facts {
    position: Position,
    at: Moment,
    policy: Policy,
    policy_version: u32,
    agents: Vec<Arc<Agent>>,
    tasks: Tasks,
    projects: BTreeMap<Name, Project>,
    offers: Segments<Offer>,
    escalations: Segments<Escalation>,
    #[serde(default)]
    broken: VecDeque<Arc<BrokenEdge>>,
    last_assignment: AssignmentId,
    last_notice: NoticeId,
    #[serde(default)]
    absent: Span,
    keys: KeyLog,
    keys_forgotten: Option<Moment>,
    history: History,
    learning: Learning,
    #[serde(default)]
    capabilities: BTreeMap<Name, CapabilitySpec>,
    metrics: Metrics,
    health_low: Option<Moment>,
    #[serde(default)]
    reservations: ReservationFacts,
    #[serde(default)]
    doomed: BTreeSet<TaskId>,
    handoffs: Segments<Handoff>,
    #[serde(default)]
    conflicts: Segments<Conflict>,
    #[serde(default)]
    messages: Messages,
    #[serde(default)]
    emergencies: Emergencies,
    #[serde(default)]
    forces: Forces,
    #[serde(default)]
    forecasts: BTreeMap<Name, Arc<Forecast>>,
    #[serde(default)]
    agents_changed: Position,
    orders: Orders,
    #[serde(default)]
    bottlenecks: Bottlenecks,
    #[serde(default)]
    course: Course,
    ledgers: Ledgers,
}

/// What is still to come of bytes that are written once more; another byte is an error.
struct Same<'a>(&'a [u8]);

impl Write for Same<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Facts {
    /// Returns the place of the last event that is in them.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Writes the facts. The same history gives the same bytes.
    ///
    /// # Panics
    /// Never: every fact can be written.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("facts can be written")
    }

    /// Tells whether these are the facts that `bytes` were written from.
    #[must_use]
    pub fn are_written_in(&self, bytes: &[u8]) -> bool {
        let mut same = Same(bytes);
        rmp_serde::encode::write_named(&mut same, self).is_ok() && same.0.is_empty()
    }
}

impl State {
    /// Returns a view of the facts as they are now.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts {
            position: self.position,
            at: self.at,
            policy: self.policy.clone(),
            policy_version: self.policy_version,
            agents: self.agents.clone(),
            tasks: self.tasks.clone(),
            projects: self.projects.clone(),
            offers: self.offers.clone(),
            escalations: self.escalations.clone(),
            broken: self.broken.clone(),
            last_assignment: self.last_assignment,
            last_notice: if mutated!(SnapshotLacksNotices) { NoticeId(0) } else { self.last_notice },
            absent: self.absent,
            keys: self.keys.log().clone(),
            keys_forgotten: self.keys.forgotten(),
            history: self.history.clone(),
            learning: self.learning.clone(),
            capabilities: self.capabilities.clone(),
            metrics: self.metrics.clone(),
            health_low: self.health_low,
            reservations: self.reservations.facts(),
            doomed: self.doomed.clone(),
            handoffs: self.handoffs.all.clone(),
            conflicts: self.conflicts.clone(),
            messages: self.messages.clone(),
            emergencies: self.emergencies.clone(),
            forces: self.forces.clone(),
            forecasts: self.forecasts.clone(),
            agents_changed: self.agents_changed,
            orders: self.orders.clone(),
            bottlenecks: self.bottlenecks.clone(),
            course: self.course.clone(),
            ledgers: self.ledgers.clone(),
        }
    }

    /// Writes the facts at once; where a pause matters, [`State::facts`] are written elsewhere.
    #[must_use]
    pub fn to_snapshot(&self) -> Vec<u8> {
        self.facts().to_bytes()
    }

    /// Reads what [`State::to_snapshot`] wrote.
    ///
    /// # Errors
    /// Where the format is another one, or the bytes do not fit it.
    pub fn from_snapshot(format: u32, bytes: &[u8]) -> Result<Self, SnapshotError> {
        if format != SNAPSHOT_FORMAT {
            return Err(SnapshotError::Format { given: format });
        }
        let facts: Facts = rmp_serde::from_slice(bytes)?;
        let mut state = Self::new(facts.policy);
        state.position = facts.position;
        state.at = facts.at;
        state.changes = Changes::beginning_at(facts.position);
        state.policy_version = facts.policy_version;
        state.restore_emergencies(facts.emergencies);
        state.forces = facts.forces;
        state.forces.restore();
        state.projects = facts.projects;
        state.restore_ledgers(facts.ledgers);
        state.last_assignment = facts.last_assignment;
        state.last_notice = facts.last_notice;
        if !mutated!(SnapshotLacksKeys) {
            state.keys = Keys::restore(facts.keys, facts.keys_forgotten);
        }
        state.absent = if mutated!(SnapshotLacksAbsence) { Span(0) } else { facts.absent };
        state.capabilities = facts.capabilities;
        for name in state.capabilities.keys() {
            state.vocabulary.defined(name, state.capabilities.get(name));
        }
        state.course = facts.course;
        // Placing sees for what agents are kept.
        state.bottlenecks = facts.bottlenecks;
        state.bottlenecks.restore();
        state.history = facts.history;
        for agent in facts.agents {
            let id = agent.id;
            state.agent_ids.insert(agent.spec.name.clone(), id);
            state.online += usize::from(agent.state == AgentState::Online);
            let present = agent.state != AgentState::Removed;
            state.registered += usize::from(present);
            state.agents.push(agent);
            state.index_duty(id, true);
            state.view_agent(id);
            state.note_role(id);
            if present {
                state.agent_counts(id);
            }
        }
        state.restore_history();
        state.learning = facts.learning;
        state.metrics = facts.metrics;
        state.health_low = facts.health_low;
        state.tasks = facts.tasks;
        for id in state.tasks.ids() {
            state.restore_task(id);
        }
        for id in state.tasks.ids() {
            state.watch_dead_end(id);
        }
        let open = facts.offers.iter().filter(|offer| offer.state == OfferState::Open);
        state.open_offers = open.map(|offer| offer.id).collect();
        state.offers = facts.offers;
        for escalation in facts.escalations.iter().filter(|escalation| escalation.settled.is_none()) {
            if let Subject::Edge { task, on } = escalation.subject {
                state.kept_out.extend([(task, on), (on, task)]);
            }
            state.open_escalations.insert(escalation.matter(), escalation.id);
        }
        state.escalations = facts.escalations;
        let open: Vec<_> = state.open_escalations.values().copied().collect();
        for id in open {
            state.index_call(id, true);
        }
        state.restore_reservations(facts.reservations);
        state.conflicts = facts.conflicts;
        state.restore_conflicts();
        state.broken = facts.broken;
        state.doomed = facts.doomed;
        state.restore_handoffs(facts.handoffs);
        state.messages = facts.messages;
        state.messages.restore();
        state.forecasts = facts.forecasts;
        state.agents_changed = facts.agents_changed;
        state.orders = facts.orders;
        state.orders.restore();
        Ok(state)
    }

    fn restore_history(&mut self) {
        let history = self.history.clone();
        for (agent, kind, performance) in history.performances() {
            let word = self.words.intern(kind);
            self.situation.set_performance(agent, word, performance);
        }
        for (agent, project) in history.known() {
            self.view_cohesion(agent, project);
        }
    }

    fn restore_handoffs(&mut self, handoffs: Segments<Handoff>) {
        self.handoffs.all = handoffs;
        let open = self.handoffs.iter().filter(|handoff| handoff.is_open()).map(|handoff| handoff.id);
        for id in open.collect::<Vec<_>>() {
            self.index_handoff(id);
        }
    }

    fn restore_task(&mut self, id: TaskId) {
        let task = &self.tasks[id];
        let (spec, analysis) = (Arc::clone(&task.spec), task.analysis.clone());
        let class = self.class_of(&spec, analysis.as_deref());
        let task = &mut self.tasks[id];
        task.class = class;
        if let Some(key) = &spec.key {
            self.task_keys.insert(key.clone(), id);
        }
        if let Some(owner) = &task.owner {
            self.assigned.insert(owner.assignment, id);
        }
        self.enter(id);
        self.restore_clocks(id);
    }
}
