//! What is shown of notices, inboxes, handoffs, broken cycles, bottlenecks and the queue.

use kapell_core::{Narrow, Remedy};
use kapell_model::Placer;

use super::Scenario;

impl<P: Placer> Scenario<P> {
    /// Returns what an agent has not read: `moved T-1, ...`.
    pub(super) fn notices(&self, agent: &str) -> String {
        let state = self.engine.state();
        let inbox = &state.agent(state.agent_id(agent).expect("an agent")).inbox;
        let shown = inbox.unread().map(|notice| {
            let task = notice.task.map(|task| format!(" {task}")).unwrap_or_default();
            format!("{}{task}", notice.kind.as_str())
        });
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
    }

    /// Lists what an agent has to read.
    pub(super) fn inbox(&self, agent: &str) -> String {
        let state = self.engine.state();
        let shown = state.messages().inbox(state.agent_id(agent).expect("an agent")).map(|(message, it)| {
            let flags =
                [(message.ack, "ack"), (it.read, "read"), (it.resent, "resent"), (it.escalated, "escalated")];
            let flags: String =
                flags.iter().filter(|(is, _)| *is).map(|(_, flag)| format!(" {flag}")).collect();
            format!("{} {}{flags}", message.id, message.priority)
        });
        let gathered = state.messages().gathered_for(state.agent_id(agent).expect("an agent"));
        let gathered = gathered.map(|it| format!("{} gathered", it.messages.len()));
        let waiting = state.messages().undelivered(state.agent_id(agent).expect("an agent"));
        let waiting = waiting.map(|message| format!("{message} waits for room"));
        let shown: Vec<String> = shown.chain(gathered).chain(waiting).collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
    }

    /// Lists the handoffs.
    pub(super) fn handoffs(&self) -> String {
        let state = self.engine.state();
        let name = |agent| state.agent(agent).spec.name.to_string();
        let shown = state.handoffs().iter().map(|it| {
            let (from, to) = (name(it.from), it.to.map_or_else(|| "?".to_owned(), name));
            let end = it.outcome.as_ref().map_or(it.stage.as_str(), |(outcome, _)| outcome.as_str());
            format!("{} {} {from}>{to} {end}", it.id, it.task)
        });
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
    }

    /// Lists the edges that were taken out of cycles.
    pub(super) fn cycles(&self) -> String {
        let shown = self.engine.state().broken_edges().map(|broken| {
            format!(
                "{} on {}: {}",
                broken.task,
                broken.on,
                match broken.state() {
                    "broken" => broken.because.as_str(),
                    other => other,
                }
            )
        });
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
    }

    /// Lists the open bottlenecks with their running actions.
    pub(super) fn bottlenecks(&self) -> String {
        let state = self.engine.state();
        let name = |agent: kapell_model::AgentId| state.agent(agent).spec.name.to_string();
        let shown = state.bottlenecks().open().map(|it| {
            let about = match &it.about {
                Narrow::Capability(name) => name.to_string(),
                Narrow::Taker(text) => format!("[{text}]"),
                Narrow::Resource(text) => text.to_string(),
                Narrow::Pair(one, other) => format!("{}+{}", name(*one), name(*other)),
                Narrow::Channel(name) => format!("@{name}"),
            };
            let mut running: Vec<_> =
                state.bottlenecks().running().filter(|action| action.bottleneck == it.id).collect();
            running.sort_by_key(|action| action.id);
            let running: String = running
                .iter()
                .map(|action| {
                    let who = match &action.remedy {
                        Remedy::Kept { agents, .. } => {
                            let names: Vec<String> = agents.iter().map(|&agent| name(agent)).collect();
                            format!(" {}", names.join(","))
                        }
                        _ => String::new(),
                    };
                    format!(" {} {}{who}", action.id, action.remedy.as_str())
                })
                .collect();
            let (value, bound) = (it.measure.value, it.measure.bound);
            format!("{} {about} {} {value}/{bound}{running}", it.id, it.severity)
        });
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
    }

    /// Lists the ready tasks in the order of the queue, each with its level and its own priority.
    pub(super) fn queue(&self) -> String {
        let state = self.engine.state();
        let keys = state.situation().first_waiting(100);
        let shown = keys.iter().map(|key| {
            let task = state.task(key.task);
            let name = task.spec.key.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{name} {}", task.effective)
        });
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") }
    }
}
