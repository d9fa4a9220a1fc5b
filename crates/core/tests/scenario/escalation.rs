//! The lines about escalations.

use kapell_core::{Command, Escalation};
use kapell_model::{Placer, Text};

use super::{Scenario, by};

impl<P: Placer> Scenario<P> {
    /// Lists the open escalations: kind, the role that is called, how often it was raised again, who has taken it on.
    pub(super) fn escalations(&self) -> String {
        let state = self.engine.state();
        let line = |it: &Escalation| {
            let name = |agent| state.agent(agent).spec.name.to_string();
            let taken = it.acknowledged.as_ref().map(|it| it.agent.map_or(it.by.to_string(), name));
            let taken = taken.map(|who| format!(" by {who}")).unwrap_or_default();
            let overdue = if it.is_overdue(kapell_model::Moment(self.now)) { " overdue" } else { "" };
            let again = it.raised_again();
            format!("{} {} for {} +{again}{taken}{overdue}", it.id, it.kind.as_str(), it.role())
        };
        let shown: Vec<String> = state.escalations_to_settle().into_iter().map(line).collect();
        if shown.is_empty() { "none".to_owned() } else { shown.join("; ") }
    }
}

/// Returns what a word about an escalation asks for: `acknowledge E-1 by=A`, `settle E-1 by=A`.
pub(super) fn said(verb: &str, rest: &[&str]) -> Command {
    let (escalation, agent) = (rest[0].parse().expect("an escalation"), by(rest));
    match verb {
        "acknowledge" => Command::AcknowledgeEscalation { escalation, agent },
        _ => Command::SettleEscalation { escalation, agent, note: Text::from("because") },
    }
}
