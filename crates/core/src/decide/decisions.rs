//! Decisions: opened, proposed to, tallied, escalated, ruled and taken back (SEMANTICS 7, `DECISION_CONFLICT`).

use std::collections::BTreeSet;

use kapell_model::{AgentId, AgentKind, ConflictId, Moment, Name, Priority, Text, limits};

use super::tasks::OPEN;
use super::{invalid, require_state};
use crate::agent::Agent;
use crate::command::{NewDecision, NewProposal};
use crate::conflict::{Conflict, ConflictState, Deliberation, Resolution, Ruler};
use crate::decide::agents::own_text;
use crate::deliberation::{Proposal, Topic, Votes};
use crate::engine::Reply;
use crate::escalation::{EscalationKind, Subject};
use crate::event::Event;
use crate::mutation::mutated;
use crate::notice::NoticeKind;
use crate::rejection::Rejection;
use crate::state::State;

/// The role that rules where a tally may not.
pub(crate) const ARCHITECT: &str = "architect";
/// Decisions that fall due in one command: each may tell every party and let every task go on.
const DUE_AT_ONCE_MAX: usize = 20;

impl State {
    pub(super) fn open_decision(
        &self,
        now: Moment,
        new: &NewDecision,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let by = new.agent.as_ref().map(|name| self.find_agent(name).map(|agent| agent.id)).transpose()?;
        let asked = new.asked.iter().map(|name| self.find_agent(name).map(|agent| agent.id));
        let asked: Vec<AgentId> = asked.collect::<Result<_, _>>()?;
        let tasks = new.tasks.iter().map(|task| self.find_task(task)).collect::<Result<Vec<_>, _>>()?;
        let deadline = new.deadline.unwrap_or_else(|| now.after(self.policy.ack.of(Priority::Medium)));
        if deadline <= now || deadline > now.after(limits::DURATION_MAX) {
            let allowed = "a time from now on, and within a year";
            return Err(invalid("deadline", format!("{} ms from now", deadline.0 - now.0), allowed));
        }
        once("options", new.options.iter(), limits::OPTIONS_MAX)?;
        if new.options.len() == 1 {
            return Err(invalid("options", "1 option", "none, or at least 2"));
        }
        once("ask", new.asked.iter(), limits::ASKED_MAX)?;
        once("tasks", tasks.iter().map(|task| task.id), limits::TASKS_PER_DECISION_MAX)?;
        for task in &tasks {
            require_state(task, "waiting for a decision", OPEN)?;
        }
        if self.open_conflicts.len() >= limits::OPEN_CONFLICTS_MAX {
            let limit = limits::OPEN_CONFLICTS_MAX;
            return Err(Rejection::LimitExceeded { what: "open conflicts of a fleet", limit });
        }
        if let Some(by) = by {
            let own =
                |conflict: &&Conflict| conflict.deliberation().is_some_and(|it| it.topic.by == Some(by));
            let limit = limits::OPEN_DECISIONS_PER_AGENT_MAX;
            if self.open_conflicts().filter(own).count() >= limit {
                return Err(Rejection::LimitExceeded { what: "open decisions of an agent", limit });
            }
        }
        let conflict = self.next_conflict();
        let topic = Topic {
            title: new.title.clone(),
            capability: new.capability.clone(),
            deadline,
            irreversible: new.irreversible,
            architectural: new.architectural,
            options: new.options.clone(),
            asked,
            tasks: tasks.iter().map(|task| task.id).collect(),
            by,
        };
        let left = deadline.since(now);
        let text = format!("{conflict}: {}; what do you propose? Open for {left}", topic.title);
        let asked = topic.asked.clone();
        let task = topic.tasks.first().copied();
        out.push(Event::DecisionOpened { conflict, topic: Box::new(topic) });
        for agent in asked {
            self.notify(agent, NoticeKind::ProposalAsked, task, &text, Some(deadline), out);
        }
        Ok(Reply { conflict: Some(conflict), ..Reply::default() })
    }

    /// Takes a proposal; a second one of the same agent takes the place of its first. The tally follows at once.
    pub(super) fn propose(
        &self,
        now: Moment,
        new: &NewProposal,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (conflict, deliberation) = self.find_decision(new.conflict)?;
        let agent = self.find_agent(&new.agent)?;
        let topic = &deliberation.topic;
        if !topic.options.is_empty() && !topic.options.contains(&new.option) {
            let options: Vec<&str> = topic.options.iter().map(Text::as_str).collect();
            return Err(invalid("option", format!("`{}`", new.option), options.join(", ")));
        }
        require_open(conflict)?;
        if now >= topic.deadline {
            return Err(Rejection::DeadlinePassed { conflict: conflict.id, ago: now.since(topic.deadline) });
        }
        let known = deliberation.proposals.iter().any(|proposal| proposal.agent == agent.id);
        if !known && deliberation.proposals.len() >= limits::PROPOSALS_MAX {
            return Err(Rejection::LimitExceeded { what: "proposals", limit: limits::PROPOSALS_MAX });
        }
        let proposal = Proposal {
            agent: agent.id,
            option: new.option.clone(),
            reasons: new.reasons.clone(),
            confidence: new.confidence,
            score: self.capability_of(agent, &topic.capability).used,
            at: now,
        };
        let mut deliberation = deliberation.clone();
        deliberation.propose(proposal.clone());
        let mut parties = conflict.parties.clone();
        parties.push(agent.id);
        out.push(Event::DecisionProposed { conflict: conflict.id, proposal: Box::new(proposal) });
        if conflict.state == ConflictState::Open {
            self.tally(conflict.id, &deliberation, &parties, false, out);
        }
        Ok(Reply { conflict: Some(conflict.id), agent: Some(new.agent.clone()), ..Reply::default() })
    }

    /// Closes what is due: decided by the tally, or escalated.
    pub(super) fn close_decisions(&self, now: Moment, out: &mut Vec<Event>) {
        let due = self.decisions_due.iter().take_while(|&&(at, _)| at <= now).take(DUE_AT_ONCE_MAX);
        let due = due.filter(|_| !mutated!(DecisionNeverDue));
        for conflict in due.filter_map(|&(_, id)| self.conflict(id)) {
            if let Some(deliberation) = conflict.deliberation() {
                self.tally(conflict.id, deliberation, &conflict.parties, true, out);
            }
        }
    }

    /// Lets the tally decide where it may, or calls the architect where waiting brings nothing more.
    fn tally(
        &self,
        id: ConflictId,
        deliberation: &Deliberation,
        parties: &[AgentId],
        passed: bool,
        out: &mut Vec<Event>,
    ) {
        let topic = &deliberation.topic;
        let heard = topic.is_heard(&deliberation.proposals);
        if !passed && !heard {
            return;
        }
        let tally = Votes::of(&deliberation.proposals);
        match topic.decided(&tally, passed) {
            Ok(leading) => {
                let option = leading.option.clone();
                let reason = own_text(&format!("by the tally: {}", tally.text()));
                self.made(id, topic, Resolution { option, ruled: None, tally }, &reason, parties, out);
            }
            Err(why) if passed || topic.is_reserved() => {
                let severity = topic.tasks.iter().map(|&task| self.task(task).effective).min();
                let detail = format!("{id}: {}: {}; {}", topic.title, why.text(), tally.text());
                out.push(Event::DecisionEscalated { conflict: id, tally, because: own_text(&why.text()) });
                let (kind, subject) = (EscalationKind::DecisionNeeded, Subject::Conflict(id));
                self.raise(kind, subject, severity.unwrap_or(Priority::Medium), || detail, out);
            }
            Err(_) => {}
        }
    }

    /// Decides, and tells the parties and those who own what was about it.
    fn made(
        &self,
        id: ConflictId,
        topic: &Topic,
        outcome: Resolution,
        reason: &Text,
        parties: &[AgentId],
        out: &mut Vec<Event>,
    ) {
        let text = format!("{id}: {}: decided for `{}`, {reason}", topic.title, outcome.option);
        let Resolution { option, ruled, tally } = outcome;
        out.push(Event::DecisionMade { conflict: id, option, ruled, tally, reason: reason.clone() });
        let task = topic.tasks.first().copied();
        for agent in self.told_of(topic, parties) {
            self.notify(agent, NoticeKind::DecisionMade, task, &text, None, out);
        }
    }

    /// Returns who hears of a decision: its parties, who opened it, and who owns what was about it.
    fn told_of(&self, topic: &Topic, parties: &[AgentId]) -> BTreeSet<AgentId> {
        let owners = topic.tasks.iter().filter_map(|&task| Some(self.task(task).owner.as_ref()?.agent));
        parties.iter().copied().chain(topic.by).chain(owners).collect()
    }

    /// The architect or a person decides; the word is binding.
    pub(super) fn rule(
        &self,
        id: ConflictId,
        agent: Option<&Name>,
        option: Option<&Text>,
        reason: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (conflict, deliberation) = self.find_decision(id)?;
        let ruler = agent.map(|name| self.find_agent(name)).transpose()?;
        let topic = &deliberation.topic;
        let proposed = deliberation.proposals.iter().map(|proposal| &proposal.option);
        let known: BTreeSet<&Text> = topic.options.iter().chain(proposed).collect();
        let Some(option) = option.filter(|option| !option.is_empty()) else {
            return Err(invalid("option", "missing", "the option that is decided for"));
        };
        if !topic.options.is_empty() && !known.contains(option) {
            let known: Vec<&str> = known.into_iter().map(Text::as_str).collect();
            return Err(invalid("option", format!("`{option}`"), known.join(", ")));
        }
        require_open(conflict)?;
        if let Some(agent) = ruler.filter(|agent| !may_rule(agent)) {
            let agent = agent.spec.name.clone();
            return Err(Rejection::MayNotRule { conflict: id, agent, role: ARCHITECT });
        }
        let ruled = Some(ruler.map_or(Ruler::Manager, |agent| Ruler::Agent(agent.id)));
        let tally = Votes::of(&deliberation.proposals);
        let outcome = Resolution { option: option.clone(), ruled, tally };
        self.made(id, topic, outcome, reason, &conflict.parties, out);
        Ok(Reply { conflict: Some(id), ..Reply::default() })
    }

    /// Takes a decision back that nobody has made: by whoever opened it, or a manager. What waits for it goes on.
    pub(super) fn withdraw(
        &self,
        id: ConflictId,
        agent: Option<&Name>,
        reason: &Text,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let (conflict, deliberation) = self.find_decision(id)?;
        let asker = agent.map(|name| self.find_agent(name).map(|agent| agent.id)).transpose()?;
        require_open(conflict)?;
        let topic = &deliberation.topic;
        if asker.is_some() && asker != topic.by {
            let holder =
                topic.by.map_or_else(|| "a manager".to_owned(), |by| format!("`{}`", self.name_of(by)));
            let agent = agent.cloned().expect("an agent asks");
            return Err(Rejection::NotOpener { conflict: id, agent, opener: holder });
        }
        out.push(Event::DecisionWithdrawn { conflict: id, reason: reason.clone() });
        let text = format!("{id}: {}: taken back: {reason}", topic.title);
        let task = topic.tasks.first().copied();
        for agent in self.told_of(topic, &conflict.parties) {
            self.notify(agent, NoticeKind::DecisionMade, task, &text, None, out);
        }
        Ok(Reply { conflict: Some(id), ..Reply::default() })
    }

    pub(super) fn find_conflict(&self, id: ConflictId) -> Result<&Conflict, Rejection> {
        self.conflict(id).ok_or_else(|| Rejection::NotFound { what: "conflict", given: id.to_string() })
    }

    fn find_decision(&self, id: ConflictId) -> Result<(&Conflict, &Deliberation), Rejection> {
        let conflict = self.find_conflict(id)?;
        let not_one = || {
            let given = format!("{id}, a {}", conflict.kind().as_str());
            invalid("conflict", given, "a decision_conflict")
        };
        Ok((conflict, conflict.deliberation().ok_or_else(not_one)?))
    }

    /// Says which open decisions keep a task from being handed out.
    #[must_use]
    pub fn awaited_decisions(&self, task: &crate::task::Task) -> Vec<&Conflict> {
        task.awaits().iter().filter_map(|&id| self.conflict(id)).collect()
    }
}

impl Deliberation {
    /// Takes a proposal in; it takes the place of one that the same agent made before.
    pub(crate) fn propose(&mut self, proposal: Proposal) {
        match self.proposals.iter_mut().find(|known| known.agent == proposal.agent) {
            Some(known) => *known = proposal,
            None => self.proposals.push(proposal),
        }
    }
}

/// Tells whether an agent's ruling is binding: the architect's, or a person's.
fn may_rule(agent: &Agent) -> bool {
    agent.spec.role.as_str() == ARCHITECT || agent.spec.kind == AgentKind::Person
}

fn require_open(conflict: &Conflict) -> Result<(), Rejection> {
    if conflict.state.is_open() || mutated!(DecisionTwice) {
        return Ok(());
    }
    Err(Rejection::Settled { what: conflict.id.to_string(), state: conflict.state.as_str() })
}

/// Checks that a list names nothing twice and is not too long.
fn once<T: Ord + std::fmt::Debug>(
    field: &'static str,
    items: impl Iterator<Item = T>,
    most: usize,
) -> Result<(), Rejection> {
    let mut seen = BTreeSet::new();
    for (index, item) in items.enumerate() {
        if index == most {
            return Err(invalid(field, format!("more than {most}"), format!("at most {most}")));
        }
        let shown = format!("{item:?} twice");
        if !seen.insert(item) {
            return Err(invalid(format!("{field}[{index}]"), shown, "each once"));
        }
    }
    Ok(())
}
