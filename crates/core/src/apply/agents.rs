//! Agents, projects, offers.

use std::collections::BTreeSet;
use std::sync::Arc;

use kapell_model::{AgentId, AgentState, AgentView, Name, OfferId, Text, Word};

use crate::agent::{Agent, Project};
use crate::command::{AgentSpec, ProjectSpec};
use crate::mutation::mutated;
use crate::notice::Inbox;
use crate::state::{Counts, OfferState, State};

impl State {
    pub(super) fn agent_registered(&mut self, id: AgentId, spec: &AgentSpec, online: bool) {
        let agent = Agent {
            id,
            spec: Arc::new(spec.clone()),
            state: if online { AgentState::Online } else { AgentState::Offline },
            state_since: self.at,
            seen: online,
            missed: online,
            draining: false,
            tasks: Vec::new(),
            idle_since: self.position,
            completed: 0,
            failed: 0,
            failed_in_row: 0,
            lost: 0,
            registered_at: self.at,
            inbox: Inbox::default(),
            duty: None,
        };
        if id.index() == self.agents.len() {
            self.agent_ids.insert(spec.name.clone(), id);
            self.agents.push(Arc::new(agent));
        } else {
            let old = &self.agents[id.index()];
            let (completed, failed, lost) = (old.completed, old.failed, old.lost);
            self.agents[id.index()] = Arc::new(Agent { completed, failed, lost, ..agent });
        }
        self.online += usize::from(online);
        self.registered += 1;
        self.agents_changed = self.position;
        self.view_agent(id);
        self.note_role(id);
        self.agent_counts(id);
        self.reviewer_came();
        self.note_online();
    }

    /// Puts an agent into the situation as it stands.
    pub(crate) fn view_agent(&mut self, id: AgentId) {
        let kept = self.kept_words(id);
        let agent = &self.agents[id.index()];
        let role = self.words.intern(&agent.spec.role);
        let mut capabilities: Vec<_> = self
            .capabilities_of(agent)
            .into_iter()
            .map(|it| (self.words.intern(&it.name), it.used))
            .collect();
        capabilities.sort_unstable();
        let view = AgentView {
            kept,
            state: agent.state,
            draining: self.is_passed_over(id),
            active: u32::try_from(agent.tasks.len() + self.handoffs.reserved(id)).expect("slots are bounded"),
            max: self.limit_of(id),
            role,
            capabilities: capabilities.into(),
            idle_since: agent.idle_since,
        };
        self.situation.put_agent(id, view);
    }

    /// Returns for what an agent is kept, as placing sees it.
    pub(super) fn kept_words(&mut self, id: AgentId) -> Arc<[Word]> {
        let kept: Vec<Name> = self.kept_for(id).into_iter().cloned().collect();
        kept.iter().map(|name| self.words.intern(name)).collect()
    }

    pub(super) fn agent_removed(&mut self, id: AgentId) {
        self.agent_counts_no_more(id);
        self.index_duty(id, false);
        self.set_agent_state(id, AgentState::Removed);
    }

    pub(super) fn agent_unreachable(&mut self, id: AgentId) {
        // Who has nothing to do and goes fails nobody.
        let works = !self.agents[id.index()].tasks.is_empty();
        self.agent_mut(id).missed = works;
        self.set_agent_state(id, AgentState::Unreachable);
        if works {
            self.note_lost(id);
        }
    }

    pub(super) fn agent_offline(&mut self, id: AgentId, signed_off: bool) {
        self.agent_mut(id).missed &= !signed_off;
        self.set_agent_state(id, AgentState::Offline);
    }

    pub(super) fn agent_back(&mut self, id: AgentId) {
        let agent = self.agent_mut(id);
        (agent.seen, agent.missed) = (true, true);
        self.set_agent_state(id, AgentState::Online);
        self.reviewer_came();
    }

    fn set_agent_state(&mut self, id: AgentId, state: AgentState) {
        let agent = Arc::make_mut(&mut self.agents[id.index()]);
        self.online -= usize::from(agent.state == AgentState::Online);
        self.online += usize::from(state == AgentState::Online);
        self.registered -= usize::from(state == AgentState::Removed && agent.state != state);
        agent.state = state;
        self.agents_changed = self.position;
        agent.state_since = self.at;
        self.situation.set_agent_state(id, state);
        self.note_online();
    }

    pub(super) fn agent_draining(&mut self, id: AgentId, draining: bool) {
        self.agent_mut(id).draining = draining;
        self.agents_changed = self.position;
        if mutated!(DrainedStillFree) {
            return;
        }
        self.view_agent(id);
        self.reviewer_came();
    }

    pub(super) fn project_created(&mut self, spec: &ProjectSpec) {
        let project = Project {
            spec: spec.clone(),
            counts: Counts::default(),
            created_at: self.at,
            changed: self.position,
            open_ms: 0,
            done_ms: 0,
            optional: BTreeSet::new(),
        };
        self.projects.insert(spec.name.clone(), project);
    }

    pub(super) fn offer_settled(&mut self, id: OfferId, state: OfferState, reason: Option<&Text>) {
        let offer = self.offers.get_mut(id.0 as usize - 1).expect("an offer of this fleet");
        offer.state = state;
        offer.reason = reason.cloned();
        let task = offer.task;
        self.open_offers.remove(&id);
        self.touch(task);
    }

    pub(super) fn project_deadline(&self, project: Option<&Name>) -> Option<kapell_model::Moment> {
        self.projects.get(project?)?.spec.deadline
    }
}
