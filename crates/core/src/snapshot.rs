//! A state as bytes, so that a start need not fold the whole log.
//!
//! Only the facts are written (`MessagePack` with field names, so that a field may be added); everything derived
//! is made again. A snapshot of another format is not an error of the log: the log is folded from its beginning.

use std::collections::BTreeMap;

use kapell_model::{AgentState, AssignmentId, Moment, Name, NoticeId, Policy, Position};
use serde::{Deserialize, Serialize};

use crate::agent::{Agent, Project};
use crate::analysis::CapabilitySpec;
use crate::effort::Learning;
use crate::escalation::Escalation;
use crate::history::History;
use crate::keys::Keyed;
use crate::state::{Offer, OfferState, State};
use crate::task::Task;
use crate::tasks::Tasks;

/// The number of the format in which [`State::to_snapshot`] writes.
pub const SNAPSHOT_FORMAT: u32 = 3;

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

#[derive(Serialize)]
struct Facts<'a> {
    position: Position,
    at: Moment,
    policy: &'a Policy,
    policy_version: u32,
    agents: &'a [Agent],
    tasks: &'a Tasks,
    projects: &'a BTreeMap<Name, Project>,
    offers: &'a [Offer],
    escalations: &'a [Escalation],
    last_assignment: AssignmentId,
    last_notice: NoticeId,
    keys: Vec<Keyed>,
    history: &'a History,
    learning: &'a Learning,
    capabilities: &'a BTreeMap<Name, CapabilitySpec>,
}

#[derive(Deserialize)]
struct OwnedFacts {
    position: Position,
    at: Moment,
    policy: Policy,
    policy_version: u32,
    agents: Vec<Agent>,
    tasks: Vec<Task>,
    projects: BTreeMap<Name, Project>,
    offers: Vec<Offer>,
    escalations: Vec<Escalation>,
    last_assignment: AssignmentId,
    last_notice: NoticeId,
    keys: Vec<Keyed>,
    history: History,
    learning: Learning,
    #[serde(default)]
    capabilities: BTreeMap<Name, CapabilitySpec>,
}

impl State {
    /// Writes the facts. The same history gives the same bytes.
    ///
    /// # Panics
    /// Never: every fact can be written.
    #[must_use]
    pub fn to_snapshot(&self) -> Vec<u8> {
        let facts = Facts {
            position: self.position,
            at: self.at,
            policy: &self.policy,
            policy_version: self.policy_version,
            agents: &self.agents,
            tasks: &self.tasks,
            projects: &self.projects,
            offers: &self.offers,
            escalations: &self.escalations,
            last_assignment: self.last_assignment,
            last_notice: self.last_notice,
            keys: self.keys.all(),
            history: &self.history,
            learning: &self.learning,
            capabilities: &self.capabilities,
        };
        rmp_serde::to_vec_named(&facts).expect("facts can be written")
    }

    /// Reads what [`State::to_snapshot`] wrote.
    ///
    /// # Errors
    /// Where the format is another one, or the bytes do not fit it.
    pub fn from_snapshot(format: u32, bytes: &[u8]) -> Result<Self, SnapshotError> {
        if format != SNAPSHOT_FORMAT {
            return Err(SnapshotError::Format { given: format });
        }
        let facts: OwnedFacts = rmp_serde::from_slice(bytes)?;
        let mut state = Self::new(facts.policy);
        state.position = facts.position;
        state.at = facts.at;
        state.policy_version = facts.policy_version;
        state.projects = facts.projects;
        state.last_assignment = facts.last_assignment;
        state.last_notice = facts.last_notice;
        for keyed in facts.keys {
            state.keys.remember(keyed);
        }
        state.capabilities = facts.capabilities;
        for name in state.capabilities.keys() {
            state.vocabulary.defined(name, state.capabilities.get(name));
        }
        for agent in facts.agents {
            let id = agent.id;
            state.agent_ids.insert(agent.spec.name.clone(), id);
            state.online += usize::from(agent.state == AgentState::Online);
            let present = agent.state != AgentState::Removed;
            state.agents.push(agent);
            state.view_agent(id);
            if present {
                state.agent_counts(id);
            }
        }
        state.restore_history(facts.history);
        state.learning = facts.learning;
        for task in facts.tasks {
            state.restore_task(task);
        }
        state.open_offers =
            facts.offers.iter().filter(|offer| offer.state == OfferState::Open).map(|_| 1_u32).sum();
        state.offers = facts.offers;
        for escalation in facts.escalations.iter().filter(|escalation| escalation.settled.is_none()) {
            state.open_escalations.insert(escalation.matter(), escalation.id);
        }
        state.escalations = facts.escalations;
        Ok(state)
    }

    fn restore_history(&mut self, history: History) {
        for (agent, kind, performance) in history.performances() {
            let word = self.words.intern(kind);
            self.situation.set_performance(agent, word, performance);
        }
        self.history = history.clone();
        for (agent, project) in history.known() {
            self.view_cohesion(agent, project);
        }
    }

    fn restore_task(&mut self, mut task: Task) {
        let id = task.id;
        task.class = self.class_of(&task.spec.clone(), task.analysis.as_deref());
        if let Some(key) = &task.spec.key {
            self.task_keys.insert(key.clone(), id);
        }
        if let Some(owner) = &task.owner {
            self.assigned.insert(owner.assignment, id);
        }
        self.tasks.push(task);
        self.enter(id);
    }
}
