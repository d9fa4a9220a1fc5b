//! The capability vocabulary, and what a task's text was taken to say of it.

use std::sync::Arc;

use kapell_model::{AgentId, Name, TaskId};

use crate::analysis::{Analysis, CapabilitySpec};
use crate::state::State;

impl State {
    pub(super) fn capability_defined(&mut self, spec: &CapabilitySpec) {
        self.vocabulary.defined(&spec.name, Some(spec));
        self.capabilities.insert(spec.name.clone(), spec.clone());
    }

    pub(super) fn capability_removed(&mut self, name: &Name) {
        self.capabilities.remove(name);
        self.vocabulary.defined(name, None);
    }

    /// Takes an agent of the fleet into account, once it stands in the situation.
    pub(crate) fn agent_counts(&mut self, id: AgentId) {
        for (name, _) in &self.agents[id.index()].spec.capabilities {
            self.vocabulary.declared(name, self.capabilities.get(name));
        }
        self.soft_agent(id, true);
    }

    /// Forgets an agent that leaves the fleet.
    pub(super) fn agent_counts_no_more(&mut self, id: AgentId) {
        for (name, _) in &self.agents[id.index()].spec.capabilities {
            self.vocabulary.dropped(name, self.capabilities.get(name));
        }
        self.soft_agent(id, false);
    }

    pub(super) fn task_analysed(&mut self, id: TaskId, analysis: &Arc<Analysis>) {
        let spec = Arc::clone(&self.tasks[id].spec);
        let class = self.class_of(&spec, Some(analysis));
        let analysis = Some(Arc::clone(analysis)).filter(|analysis| **analysis != Analysis::default());
        self.change(id, |task| {
            task.class = class;
            task.analysis = analysis;
        });
    }
}
