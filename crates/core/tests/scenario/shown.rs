//! What is shown of notices, inboxes, handoffs and broken cycles.

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
        let shown: Vec<String> = shown.collect();
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
}
