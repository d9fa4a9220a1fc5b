//! Agents and projects: who joins, who leaves, who has fallen silent.

use kapell_model::{AgentId, AgentState, Moment, Name, TaskId, Text, limits};

use super::invalid;
use crate::agent::Agent;
use crate::command::{AgentSpec, NewPolicy, ProjectSpec};
use crate::engine::Reply;
use crate::escalation::{EscalationKind, Subject};
use crate::event::{Cause, Event};
use crate::mutation::mutated;
use crate::rejection::Rejection;
use crate::state::State;

impl State {
    pub(super) fn register_agent(
        &self,
        spec: &AgentSpec,
        online: bool,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let known = self.agent_id(spec.name.as_str()).map(|id| self.agent(id));
        if let Some(agent) = known.filter(|agent| agent.state != AgentState::Removed) {
            let given = agent.spec.name.to_string();
            return Err(Rejection::Duplicate { what: "an agent", given, existing: None });
        }
        check_agent(spec)?;
        if known.is_none() && self.agents.len() >= limits::AGENTS_MAX {
            return Err(Rejection::LimitExceeded { what: "agents", limit: limits::AGENTS_MAX });
        }
        let next = || AgentId(u32::try_from(self.agents.len()).expect("agents are bounded"));
        let agent = known.map_or_else(next, |agent| agent.id);
        out.push(Event::AgentRegistered { agent, spec: spec.clone(), online });
        Ok(Reply { agent: Some(spec.name.clone()), ..Reply::default() })
    }

    pub(super) fn remove_agent(&self, name: &Name, out: &mut Vec<Event>) -> Result<Reply, Rejection> {
        let agent = self.find_agent(name)?;
        self.return_all(agent, Cause::OwnerRemoved, out);
        out.push(Event::AgentRemoved { agent: agent.id });
        Ok(Reply { agent: Some(name.clone()), ..Reply::default() })
    }

    pub(super) fn drain_agent(
        &self,
        name: &Name,
        draining: bool,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let agent = self.find_agent(name)?;
        if agent.draining != draining {
            let agent = agent.id;
            out.push(if draining { Event::AgentDrained { agent } } else { Event::AgentResumed { agent } });
        }
        Ok(Reply { agent: Some(name.clone()), ..Reply::default() })
    }

    pub(super) fn decide_agent_back(&self, name: &Name, out: &mut Vec<Event>) -> Result<Reply, Rejection> {
        let agent = self.find_agent(name)?;
        if agent.state != AgentState::Online {
            out.push(Event::AgentBack { agent: agent.id });
        }
        Ok(Reply { agent: Some(name.clone()), ..Reply::default() })
    }

    pub(super) fn unreachable(
        &self,
        name: &Name,
        last_seen: Moment,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let agent = self.find_agent(name)?;
        if agent.state != AgentState::Online || (agent.is_away() && !mutated!(DisownedAtNight)) {
            return Err(Rejection::AgentState { agent: name.clone(), state: agent.state });
        }
        out.push(Event::AgentUnreachable { agent: agent.id, last_seen });
        Ok(Reply::default())
    }

    pub(super) fn offline(
        &self,
        name: &Name,
        last_seen: Moment,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let agent = self.find_agent(name)?;
        if agent.state != AgentState::Unreachable || (agent.is_away() && !mutated!(DisownedAtNight)) {
            return Err(Rejection::AgentState { agent: name.clone(), state: agent.state });
        }
        self.return_all(agent, Cause::OwnerOffline, out);
        out.push(Event::AgentOffline { agent: agent.id, last_seen, signed_off: false });
        Ok(Reply::default())
    }

    /// Takes an agent offline that says that it goes. Once more changes nothing.
    pub(super) fn sign_off(
        &self,
        name: &Name,
        now: Moment,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let agent = self.find_agent(name)?;
        if agent.state != AgentState::Offline || agent.missed {
            self.return_all(agent, Cause::Released, out);
            out.push(Event::AgentOffline { agent: agent.id, last_seen: now, signed_off: true });
        }
        Ok(Reply { agent: Some(name.clone()), ..Reply::default() })
    }

    /// Returns every task of an agent to the queue, before the agent itself goes: so its work has an owner that exists
    /// after every event; a task that has lost too many owners is failed.
    fn return_all(&self, agent: &Agent, cause: Cause, out: &mut Vec<Event>) {
        // What is in a handoff is passed on by the engine, which knows the placer.
        for &id in agent.tasks.iter().filter(|&&id| self.handoffs.of(id).is_none()) {
            match self.task(id).pending_gate() {
                Some(_) => self.author_leaves(self.task(id), cause, out),
                None => self.return_task(id, cause, out),
            }
        }
    }

    /// Returns a task of an agent that is going to the queue.
    pub(crate) fn return_task(&self, id: TaskId, cause: Cause, out: &mut Vec<Event>) {
        let (task, lost) = (self.task(id), cause == Cause::OwnerOffline);
        let owner = task.owner.as_ref().expect("an agent's task has an owner");
        let (agent, assignment, boosted) =
            (owner.agent, owner.assignment, lost && (!task.boosted || mutated!(BoostedTwice)));
        out.push(Event::TaskReturned { task: id, agent, assignment, cause, boosted, note: None });
        if lost && task.losses + 1 >= self.policy.losses_max {
            let name = self.name_of(agent);
            let reason = format!("{} owners were lost, the last one `{name}`", task.losses + 1);
            self.give_up(id, &reason, out);
        }
    }

    /// Fails a task for good and raises the escalation that says so.
    pub(super) fn give_up(&self, task: TaskId, reason: &str, out: &mut Vec<Event>) {
        out.push(Event::TaskFailed { task, reason: own_text(reason) });
        let severity = self.task(task).effective;
        self.raise(EscalationKind::TaskFailed, Subject::Task(task), severity, || reason.to_owned(), out);
    }

    pub(super) fn create_project(
        &self,
        spec: &ProjectSpec,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        if self.projects.contains_key(&spec.name) {
            let given = spec.name.to_string();
            return Err(Rejection::Duplicate { what: "a project", given, existing: None });
        }
        out.push(Event::ProjectCreated { spec: spec.clone() });
        Ok(Reply::default())
    }

    pub(super) fn set_policy(&self, new: &NewPolicy, out: &mut Vec<Event>) -> Result<Reply, Rejection> {
        new.policy.check()?;
        if let Some(seen) = new.seen.filter(|&seen| seen != self.policy_version) {
            return Err(Rejection::PolicyMoved { seen, present: self.policy_version });
        }
        let version = self.policy_version + 1;
        out.push(Event::PolicySet { version, policy: new.policy.clone() });
        Ok(Reply { policy_version: Some(version), ..Reply::default() })
    }
}

fn check_agent(spec: &AgentSpec) -> Result<(), Rejection> {
    if !(1..=limits::CONCURRENT_TASKS_MAX).contains(&spec.max_concurrent) {
        let given = spec.max_concurrent.to_string();
        return Err(invalid("max_concurrent_tasks", given, format!("1 to {}", limits::CONCURRENT_TASKS_MAX)));
    }
    if spec.capabilities.len() > limits::CAPABILITIES_MAX {
        return Err(Rejection::LimitExceeded {
            what: "capabilities of an agent",
            limit: limits::CAPABILITIES_MAX,
        });
    }
    let mut names: Vec<&Name> = spec.capabilities.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(invalid("capabilities", format!("`{}` twice", twice[0]), "each capability once"));
    }
    let allowed = limits::DURATION_MIN..=limits::DURATION_MAX;
    if let Some(lease) = spec.lease.filter(|lease| !allowed.contains(lease)) {
        return Err(invalid("lease_ms", lease.0.to_string(), "10 ms to 366 days"));
    }
    Ok(())
}

/// Makes a text of the program's own words and names, which are free of control characters; cut to the bound.
pub(crate) fn own_text(text: &str) -> Text {
    let mut end = text.len().min(limits::NOTE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Text::new(&text[..end], limits::NOTE_BYTES_MAX).unwrap_or_default()
}
