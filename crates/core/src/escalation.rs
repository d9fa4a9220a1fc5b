//! What only a role or a person can settle (SEMANTICS 1, "escalation").
//!
//! There is at most one open escalation per cause: the kind together with what it is about.

use kapell_model::{AgentId, ConflictId, EscalationId, Moment, Name, Priority, TaskId, TaskState, Text};
use serde::{Deserialize, Serialize};

use crate::decide::agents::own_text;
use crate::decide::decisions::ARCHITECT;
use crate::event::Event;
use crate::state::State;

/// What sort of matter it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscalationKind {
    /// A critical task that nobody can take.
    NoSuitableAgent,
    /// A task that was given up.
    TaskFailed,
    /// A fleet that is not well.
    HealthLow,
    /// Running work whose owner does not answer.
    Stalled,
    /// A task that is handed out and taken back over and over.
    RedispatchLoop,
    /// Declared edges close a cycle, and the policy wants a person to decide.
    CircularDependency,
    /// A handoff that does not get on.
    HandoffStuck,
    /// A decision that the tally may not make.
    DecisionNeeded,
}

impl EscalationKind {
    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSuitableAgent => "no_suitable_agent",
            Self::TaskFailed => "task_failed",
            Self::HealthLow => "health_low",
            Self::Stalled => "stalled",
            Self::RedispatchLoop => "redispatch_loop",
            Self::CircularDependency => "circular_dependency",
            Self::HandoffStuck => "handoff_stuck",
            Self::DecisionNeeded => "decision_needed",
        }
    }

    /// Tells whether `event`, which is about the same task, takes the cause away.
    fn is_settled_by(self, event: &Event) -> bool {
        match event {
            Event::TaskCompleted { .. } | Event::TaskCancelled { .. } | Event::TaskReopened { .. } => true,
            Event::TaskAssigned { .. } => matches!(self, Self::NoSuitableAgent | Self::TaskFailed),
            Event::TaskProgressed { .. } => matches!(self, Self::Stalled | Self::RedispatchLoop),
            Event::TaskFailed { .. } => {
                matches!(self, Self::Stalled | Self::RedispatchLoop | Self::HandoffStuck)
            }
            Event::TaskReturned { .. } | Event::TaskMoved { .. } | Event::AttemptFailed { .. } => {
                matches!(self, Self::Stalled | Self::HandoffStuck)
            }
            Event::HandoffRequested { .. } | Event::HandoffEnded { .. } | Event::HandoffRedirected { .. } => {
                self == Self::HandoffStuck
            }
            Event::HandoffTransferred { .. } | Event::HandoffConfirmed { .. } => {
                matches!(self, Self::HandoffStuck | Self::Stalled)
            }
            _ => self == Self::Stalled,
        }
    }

    /// Returns the role that is called.
    #[must_use]
    pub const fn role(self) -> &'static str {
        match self {
            Self::NoSuitableAgent
            | Self::TaskFailed
            | Self::HealthLow
            | Self::Stalled
            | Self::RedispatchLoop
            | Self::CircularDependency
            | Self::HandoffStuck => "agent_manager",
            Self::DecisionNeeded => ARCHITECT,
        }
    }
}

/// What an escalation is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A task.
    Task(TaskId),
    /// An agent.
    Agent(AgentId),
    /// A project.
    Project(Name),
    /// A resource, as it is written.
    Resource(Text),
    /// A conflict.
    Conflict(ConflictId),
    /// The fleet as a whole.
    Fleet {},
}

/// Why somebody is called. There is at most one open escalation of each.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Matter {
    pub(crate) subject: Subject,
    pub(crate) kind: EscalationKind,
}

/// Something that only a role or a person can settle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// Its id.
    pub id: EscalationId,
    /// What sort of matter it is.
    pub kind: EscalationKind,
    /// What it is about.
    pub subject: Subject,
    /// How urgent it is.
    pub severity: Priority,
    /// What is the matter, in words.
    pub detail: Text,
    /// When it was raised.
    pub at: Moment,
    /// When somebody should have seen to it: the ack time of its severity after it was raised.
    pub due: Moment,
    /// How and when it was settled.
    pub settled: Option<(Moment, Text)>,
}

impl Escalation {
    /// Returns the task that it is about, where it is about one.
    #[must_use]
    pub fn task(&self) -> Option<TaskId> {
        match self.subject {
            Subject::Task(task) => Some(task),
            _ => None,
        }
    }

    pub(crate) fn matter(&self) -> Matter {
        Matter { subject: self.subject.clone(), kind: self.kind }
    }
}

/// The severity that stands for one that is not written.
pub(crate) const SEVERITY_UNWRITTEN: Priority = Priority::High;

impl State {
    /// Tells whether an escalation of `kind` about `subject` is open.
    #[must_use]
    pub fn is_escalated(&self, kind: EscalationKind, subject: &Subject) -> bool {
        self.open_escalations.contains_key(&Matter { subject: subject.clone(), kind })
    }

    /// Visits the open escalations, by what they are about.
    pub fn open(&self) -> impl Iterator<Item = &Escalation> + '_ {
        self.open_escalations.values().filter_map(|id| self.escalations.get(id.0 as usize - 1))
    }

    /// Returns the open escalations about a task.
    pub(crate) fn escalated(
        &self,
        task: TaskId,
    ) -> impl Iterator<Item = (EscalationKind, EscalationId)> + '_ {
        let first = Matter { subject: Subject::Task(task), kind: EscalationKind::NoSuitableAgent };
        let open = self.open_escalations.range(first..);
        open.take_while(move |(matter, _)| matter.subject == Subject::Task(task))
            .map(|(matter, &id)| (matter.kind, id))
    }

    /// Raises an escalation in `out`, unless one of the same cause is open or stands in `out` already.
    pub(crate) fn raise(
        &self,
        kind: EscalationKind,
        subject: Subject,
        severity: Priority,
        detail: &str,
        out: &mut Vec<Event>,
    ) {
        let raised = |event: &Event| match event {
            Event::EscalationRaised { kind, subject, .. } => Some((*kind, subject.clone())),
            _ => None,
        };
        let others: Vec<_> = out.iter().filter_map(raised).collect();
        if self.is_escalated(kind, &subject) || others.contains(&(kind, subject.clone())) {
            return;
        }
        let escalation = self.escalation_after(others.len());
        out.push(Event::EscalationRaised { escalation, kind, subject, severity, detail: own_text(detail) });
    }

    /// Returns the next escalation id where `raised` others come first in the same step.
    pub(crate) fn escalation_after(&self, raised: usize) -> EscalationId {
        EscalationId(
            u32::try_from(self.escalations.len() + raised + 1).expect("escalations are fewer than events"),
        )
    }

    /// Returns the settlings of open escalations whose cause `event` takes away.
    pub(crate) fn settled_by(&self, event: &Event) -> Vec<Event> {
        if self.open_escalations.is_empty() {
            return Vec::new();
        }
        if let Event::DependencyRestored { task, on } = event {
            let kinds = self.escalated(*task).filter(|(kind, _)| *kind == EscalationKind::CircularDependency);
            let note = own_text(&format!("{task} waits for {on} again"));
            return kinds
                .map(|(_, escalation)| Event::EscalationSettled { escalation, note: note.clone() })
                .collect();
        }
        if let Event::DecisionMade { conflict, reason: how, .. }
        | Event::DecisionWithdrawn { conflict, reason: how } = event
        {
            let matter =
                Matter { subject: Subject::Conflict(*conflict), kind: EscalationKind::DecisionNeeded };
            let open = self.open_escalations.get(&matter);
            let settled = |&escalation| Event::EscalationSettled { escalation, note: how.clone() };
            return open.map(settled).into_iter().collect();
        }
        let name = |agent: &AgentId| &self.agent(*agent).spec.name;
        let (task, note) = match event {
            Event::TaskAssigned { task, agent, .. } => (task, format!("assigned to `{}`", name(agent))),
            Event::TaskMoved { task, agent, .. } => (task, format!("went to `{}`", name(agent))),
            Event::TaskStarted { task, agent, .. } => (task, format!("begun by `{}`", name(agent))),
            Event::TaskProgressed { task, agent, .. } => (task, format!("`{}` has answered", name(agent))),
            Event::TaskReturned { task, .. } | Event::AttemptFailed { task, .. } => {
                (task, "back in the queue".to_owned())
            }
            Event::TaskFailed { task, .. } => (task, "given up".to_owned()),
            Event::TaskCompleted { task, .. } => (task, "completed".to_owned()),
            Event::TaskCancelled { task, .. } => (task, "cancelled".to_owned()),
            Event::TaskReopened { task, .. } => (task, "reopened".to_owned()),
            Event::HandoffRequested { task, handoff, .. } => (task, format!("{handoff} begins")),
            Event::HandoffTransferred { task, agent, .. } => (task, format!("went to `{}`", name(agent))),
            Event::HandoffConfirmed { task, agent, .. } => (task, format!("confirmed by `{}`", name(agent))),
            Event::HandoffRedirected { task, to, .. } => (task, format!("goes to `{}`", name(to))),
            Event::HandoffEnded { task, handoff, outcome, .. } => {
                (task, format!("{handoff} is {}", outcome.as_str().replace('_', " ")))
            }
            Event::HealthRecovered { health } => {
                let matter = Matter { subject: Subject::Fleet {}, kind: EscalationKind::HealthLow };
                let note = own_text(&format!("the health is {} again", health.total));
                let open = self.open_escalations.get(&matter);
                return open
                    .map(|&escalation| Event::EscalationSettled { escalation, note })
                    .into_iter()
                    .collect();
            }
            _ => return Vec::new(),
        };
        self.escalated(*task)
            .filter(|(kind, _)| kind.is_settled_by(event))
            .map(|(_, escalation)| Event::EscalationSettled { escalation, note: own_text(&note) })
            .collect()
    }

    pub(crate) fn escalation_raised(
        &mut self,
        id: EscalationId,
        kind: EscalationKind,
        subject: &Subject,
        severity: Priority,
        detail: &Text,
    ) {
        let escalation = Escalation {
            id,
            kind,
            subject: subject.clone(),
            severity,
            detail: detail.clone(),
            at: self.at,
            due: self.at.after(self.policy.ack.of(severity)),
            settled: None,
        };
        self.open_escalations.insert(escalation.matter(), id);
        self.escalations.push(escalation);
        self.watch_escalation(id, true);
        if let Subject::Task(task) = *subject {
            self.note_called(task, kind);
        }
    }

    pub(crate) fn escalation_settled(&mut self, id: EscalationId, note: &Text) {
        let escalation = self.escalations.get_mut(id.0 as usize - 1).expect("an escalation of this fleet");
        escalation.settled = Some((self.at, note.clone()));
        let matter = escalation.matter();
        self.open_escalations.remove(&matter);
        self.watch_escalation(id, false);
        if let Subject::Task(task) = matter.subject {
            self.note_called(task, matter.kind);
        }
    }

    /// Remembers with a task that somebody was called because of what is still so, so that nobody is again when it was settled.
    fn note_called(&mut self, id: TaskId, kind: EscalationKind) {
        let task = &mut self.tasks[id];
        match kind {
            EscalationKind::NoSuitableAgent => {
                task.called = task.state() == TaskState::Ready && task.priority == Priority::Critical;
            }
            EscalationKind::Stalled => {
                let stall = task.owner.as_mut().and_then(|owner| owner.clocks.stall.as_mut());
                if let Some(stall) = stall.filter(|stall| stall.unanswered) {
                    stall.called = true;
                }
            }
            _ => {}
        }
    }
}
