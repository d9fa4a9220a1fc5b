//! What an agent wants leave for in the middle of its work, and what a person says to that (SEMANTICS 15, approvals).
//!
//! ```text
//! asked --answered--> the agent goes on with the option that was chosen
//!   |
//!   +--withdrawn by whoever runs it, or over with the assignment
//! ```
//! It is the assignment's: whoever gets the task next has asked for nothing. As long as it is open a person is called, and nobody
//! asks the owner how far it is.

use kapell_model::{AgentId, AgentKind, AssignmentId, Moment, PermissionId, TaskId, Text};
use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::escalation::{EscalationKind, Subject};
use crate::event::Event;
use crate::mutation::mutated;
use crate::state::State;
use crate::task::{Owner, Task};

/// What an option means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptionKind {
    /// This once.
    AllowOnce,
    /// And whenever it is wanted again.
    AllowAlways,
    /// Not this once.
    RejectOnce,
    /// Never.
    RejectAlways,
}

impl OptionKind {
    /// Every kind, those that come first where nothing is said before the others of their sort.
    pub const ALL: [Self; 4] = [Self::AllowOnce, Self::AllowAlways, Self::RejectOnce, Self::RejectAlways];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllowOnce => "allow_once",
            Self::AllowAlways => "allow_always",
            Self::RejectOnce => "reject_once",
            Self::RejectAlways => "reject_always",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Tells whether it lets the agent do what it wants.
    #[must_use]
    pub const fn allows(self) -> bool {
        matches!(self, Self::AllowOnce | Self::AllowAlways)
    }
}

/// One answer that an agent offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionOption {
    /// What the agent calls it.
    pub id: Text,
    /// What it says to people.
    pub name: Text,
    /// What it means.
    pub kind: OptionKind,
}

/// What an agent wants leave for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionAsk {
    /// What whoever asks calls it, so that the same again is known; people know it by its [`Permission::id`].
    #[serde(rename = "request")]
    pub name: Text,
    /// What it would do, in a line.
    pub title: Text,
    /// What sort of thing that is, as `execute`.
    pub kind: Text,
    /// The command, the paths, and what else the agent says of it.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub detail: Text,
    /// What may be answered.
    pub options: Vec<PermissionOption>,
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionAnswer {
    /// Whether it may.
    pub allowed: bool,
    /// Which option that is; nothing where it offers none to refuse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub option: Option<Text>,
    /// Which person says so; nothing where a manager does, whom the event names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<AgentId>,
    /// Why.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub notes: Text,
}

/// What the owner of a task last wanted leave for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// What an answer names: no other request of the fleet is ever called so.
    pub id: PermissionId,
    /// What for.
    pub ask: PermissionAsk,
    /// Since when.
    pub at: Moment,
    /// What was said, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<(Moment, PermissionAnswer)>,
}

impl Owner {
    /// Returns what it wants leave for and has no answer to.
    #[must_use]
    pub fn wanted(&self) -> Option<&Permission> {
        self.permission.as_deref().filter(|permission| permission.answer.is_none())
    }
}

impl Task {
    /// Returns what its owner wants leave for and has no answer to.
    #[must_use]
    pub fn wanted(&self) -> Option<&Permission> {
        self.owner.as_ref()?.wanted()
    }

    /// Tells whether it waits for others than its owner: before a gate, or for leave.
    pub(crate) fn rests(&self) -> bool {
        self.is_before_gates() || self.wanted().is_some()
    }
}

impl State {
    /// Says why an agent may not answer what the owner of a task wants leave for; nothing where it may.
    #[must_use]
    pub fn may_not_answer(&self, owner: &Owner, agent: &Agent) -> Option<String> {
        if mutated!(AnyoneAnswers) {
            return None;
        }
        if agent.id == owner.agent {
            return Some("it is the one who asks".to_owned());
        }
        (agent.spec.kind != AgentKind::Person).then(|| "the answer is for a person".to_owned())
    }

    /// Returns the call for a person, where the owner of a task wants leave.
    pub(crate) fn permission_called(&self, id: TaskId) -> Option<Event> {
        let task = self.task(id);
        let (owner, wanted) = (task.owner.as_ref()?, task.wanted()?);
        let (ask, request) = (&wanted.ask, wanted.id);
        let detail = || {
            let agent = &self.agent(owner.agent).spec.name;
            format!("{id}: `{agent}` wants leave ({request}, {}): {}", ask.kind, ask.title)
        };
        let mut out = Vec::new();
        self.raise(EscalationKind::PermissionNeeded, Subject::Task(id), task.effective, detail, &mut out);
        out.pop()
    }

    // Folding.

    pub(crate) fn permission_asked(&mut self, id: TaskId, assignment: AssignmentId, ask: &PermissionAsk) {
        let (at, request) = (self.at, PermissionId(self.position.0));
        // It has said something, and rests from now on.
        self.heard(id);
        self.note_sign_of_life(id);
        self.stop_clocks(id);
        let owner = self.tasks[id].owner.as_mut().filter(|owner| owner.assignment == assignment);
        let owner = owner.expect("the owner asks");
        owner.reported_at = at;
        owner.permission = Some(Box::new(Permission { id: request, ask: ask.clone(), at, answer: None }));
        owner.asked += 1;
        self.touch(id);
    }

    pub(crate) fn permission_answered(&mut self, id: TaskId, answer: &PermissionAnswer) {
        let at = self.at;
        self.goes_on(id, |owner| {
            let permission = owner.permission.as_mut().expect("it has asked");
            permission.answer = Some((at, answer.clone()));
        });
    }

    pub(crate) fn permission_withdrawn(&mut self, id: TaskId) {
        self.goes_on(id, |owner| owner.permission = None);
    }

    /// Takes the time that an owner waited for others out of its clocks.
    fn goes_on(&mut self, id: TaskId, change: impl FnOnce(&mut Owner)) {
        let owner = self.tasks[id].owner.as_ref().expect("the owner has asked");
        let asked = owner.wanted().expect("it has no answer yet").at;
        let worked = self.agent(owner.agent).worked(asked, self.at);
        let passed = self.at.since(asked);
        let owner = self.tasks[id].owner.as_mut().expect("the owner has asked");
        owner.reported_at = self.at;
        owner.rested.add(worked, passed);
        change(owner);
        self.has_rested(id);
        self.touch(id);
    }
}
