//! What only a role or a person can settle (SEMANTICS 1, "escalation").
//!
//! There is at most one open escalation per cause: the kind together with what it is about.

use kapell_model::{AgentId, ConflictId, EscalationId, Moment, Name, Priority, TaskId, TaskState, Text};
use serde::{Deserialize, Serialize};

use crate::bottleneck::Narrow;
use crate::budget::{Closing, Grade};
use crate::call::Acknowledged;
use crate::decide::agents::own_text;
use crate::decide::decisions::ARCHITECT;
use crate::emergency::Scope;
use crate::event::Event;
use crate::mutation::mutated;
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
    /// An agent that does not read what is sent to it.
    MessageUnanswered,
    /// Finished work that nobody may review.
    NoReviewer,
    /// Work that was sent back over and over.
    SentBack,
    /// An emergency.
    Emergency,
    /// A capability of which more is wanted than there is.
    TrainingNeeded,
    /// Finished work that a person must approve of.
    ApprovalNeeded,
    /// A budget under which nothing more can be assigned.
    BudgetReached,
    /// Something that an agent does only with a person's leave.
    PermissionNeeded,
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
            Self::MessageUnanswered => "message_unanswered",
            Self::NoReviewer => "no_reviewer",
            Self::SentBack => "sent_back",
            Self::Emergency => "emergency",
            Self::TrainingNeeded => "training_needed",
            Self::ApprovalNeeded => "approval_needed",
            Self::BudgetReached => "budget_reached",
            Self::PermissionNeeded => "permission_needed",
        }
    }

    /// Tells whether `event`, which is about the same task, takes the cause away.
    fn is_settled_by(self, event: &Event) -> bool {
        match event {
            Event::TaskEdited { .. } => self == Self::NoSuitableAgent,
            Event::HoldReleased { .. } => self == Self::RedispatchLoop,
            Event::TaskCompleted { .. } | Event::TaskCancelled { .. } | Event::TaskReopened { .. } => true,
            // It goes on with what the task has become.
            Event::TaskArchived { .. } => self != Self::Emergency,
            Event::GatesOpened { .. } => {
                matches!(
                    self,
                    Self::Stalled | Self::RedispatchLoop | Self::HandoffStuck | Self::PermissionNeeded
                )
            }
            Event::PermissionAnswered { .. } | Event::PermissionWithdrawn { .. } => {
                self == Self::PermissionNeeded
            }
            Event::ReviewPlaced { agent, .. } => self == Self::NoReviewer && agent.is_some(),
            Event::GatePassed { .. } | Event::GateRejected { .. } => {
                matches!(self, Self::NoReviewer | Self::ApprovalNeeded)
            }
            Event::TaskAssigned { .. } => matches!(self, Self::NoSuitableAgent | Self::TaskFailed),
            Event::TaskProgressed { .. } => matches!(self, Self::Stalled | Self::RedispatchLoop),
            Event::TaskFailed { .. } => {
                matches!(
                    self,
                    Self::Stalled
                        | Self::RedispatchLoop
                        | Self::HandoffStuck
                        | Self::BudgetReached
                        | Self::PermissionNeeded
                )
            }
            Event::TaskReturned { .. } | Event::TaskMoved { .. } | Event::AttemptFailed { .. } => {
                matches!(self, Self::Stalled | Self::HandoffStuck | Self::PermissionNeeded)
            }
            Event::HandoffRequested { .. } | Event::HandoffEnded { .. } | Event::HandoffRedirected { .. } => {
                self == Self::HandoffStuck
            }
            Event::HandoffConfirmed { .. } => matches!(self, Self::HandoffStuck | Self::Stalled),
            Event::HandoffTransferred { .. } => {
                matches!(self, Self::HandoffStuck | Self::Stalled | Self::PermissionNeeded)
            }
            _ => self == Self::Stalled,
        }
    }

    /// Returns the role that is called first.
    #[must_use]
    pub const fn role(self) -> &'static str {
        match self {
            Self::NoSuitableAgent
            | Self::TaskFailed
            | Self::HealthLow
            | Self::Stalled
            | Self::RedispatchLoop
            | Self::CircularDependency
            | Self::HandoffStuck
            | Self::MessageUnanswered
            | Self::NoReviewer
            | Self::SentBack
            | Self::Emergency
            | Self::TrainingNeeded
            | Self::BudgetReached => "agent_manager",
            Self::DecisionNeeded => ARCHITECT,
            Self::ApprovalNeeded | Self::PermissionNeeded => OWNER,
        }
    }
}

impl Event {
    /// Returns the task about which somebody may have been called for something that is over with this event.
    fn ends_a_matter_of(&self) -> Option<TaskId> {
        match self {
            Self::TaskAssigned { task, .. }
            | Self::TaskMoved { task, .. }
            | Self::TaskStarted { task, .. }
            | Self::TaskProgressed { task, .. }
            | Self::TaskReturned { task, .. }
            | Self::AttemptFailed { task, .. }
            | Self::TaskFailed { task, .. }
            | Self::GatesOpened { task, .. }
            | Self::ReviewPlaced { task, .. }
            | Self::GatePassed { task, .. }
            | Self::GateRejected { task, .. }
            | Self::PermissionAsked { task, .. }
            | Self::PermissionAnswered { task, .. }
            | Self::PermissionWithdrawn { task, .. }
            | Self::TaskCompleted { task, .. }
            | Self::TaskArchived { task, .. }
            | Self::TaskCancelled { task, .. }
            | Self::TaskReopened { task, .. }
            | Self::HandoffRequested { task, .. }
            | Self::HandoffTransferred { task, .. }
            | Self::HandoffConfirmed { task, .. }
            | Self::HandoffRedirected { task, .. }
            | Self::HandoffEnded { task, .. }
            | Self::HoldReleased { task } => Some(*task),
            Self::TaskEdited { task, edit, .. } => {
                edit.priority.filter(|&priority| priority != Priority::Critical).map(|_| *task)
            }
            _ => None,
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
    /// A capability.
    Capability(Name),
    /// Who could take work that nobody can who is online: `role architect`, `agent ann`, `anybody but ann`.
    Taker(Text),
    /// A wait of one task for another.
    Edge {
        /// The dependent.
        task: TaskId,
        /// What it would wait for.
        on: TaskId,
    },
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
    /// Who is called: the roles in the order in which it went up, the present one last.
    pub called: Vec<Name>,
    /// When somebody should have taken it on: the ack time of its severity after it was raised.
    pub due: Moment,
    /// When it is raised again, as long as nobody has.
    pub again_at: Option<Moment>,
    /// Who has taken it on.
    pub acknowledged: Option<Acknowledged>,
    /// How and when it was settled.
    pub settled: Option<(Moment, Text)>,
}

impl Escalation {
    /// Returns the task that it is about, where it is about one.
    #[must_use]
    pub fn task(&self) -> Option<TaskId> {
        match self.subject {
            Subject::Task(task) | Subject::Edge { task, .. } => Some(task),
            _ => None,
        }
    }

    pub(crate) fn matter(&self) -> Matter {
        Matter { subject: self.subject.clone(), kind: self.kind }
    }
}

/// The role of those who own what the fleet works on.
const OWNER: &str = "owner";

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

    /// Raises an escalation in `out`, unless one of the same cause is open or stands in `out` already. Only where it is raised is
    /// its text made.
    pub(crate) fn raise(
        &self,
        kind: EscalationKind,
        subject: Subject,
        severity: Priority,
        detail: impl FnOnce() -> String,
        out: &mut Vec<Event>,
    ) {
        if self.is_escalated(kind, &subject) && !mutated!(EscalatedTwice) {
            return;
        }
        let mut others = 0;
        for event in &*out {
            if let Event::EscalationRaised { kind: other, subject: about, .. } = event {
                if (*other, about) == (kind, &subject) {
                    return;
                }
                others += 1;
            }
        }
        let escalation = self.escalation_after(others);
        let detail = own_text(&detail());
        out.push(Event::EscalationRaised { escalation, kind, subject, severity, detail });
    }

    /// Returns the next escalation id where `raised` others come first in the same step.
    pub(crate) fn escalation_after(&self, raised: usize) -> EscalationId {
        EscalationId(
            u32::try_from(self.escalations.len() + raised + 1).expect("escalations are fewer than events"),
        )
    }

    /// Returns the settlings of open escalations whose cause `event` takes away.
    pub(crate) fn settled_by(&self, event: &Event) -> Vec<Event> {
        if self.open_escalations.is_empty() || mutated!(EscalationKept) {
            return Vec::new();
        }
        if let Some(settled) = self.unread_settled_by(event) {
            return vec![settled];
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
        if let Event::EmergencyEnding { emergency, reason, .. } = event {
            let open = self.emergencies.all.get(*emergency).and_then(|it| {
                let subject = match &it.scope {
                    Scope::Fleet {} => Subject::Fleet {},
                    Scope::Task(task) => Subject::Task(*task),
                    Scope::Project(project) => Subject::Project(project.clone()),
                };
                self.open_escalations.get(&Matter { subject, kind: EscalationKind::Emergency })
            });
            let settled = |&escalation| Event::EscalationSettled { escalation, note: reason.clone() };
            return open.map(settled).into_iter().collect();
        }
        if let Event::BottleneckGone { bottleneck, .. } = event {
            let about = self.bottlenecks.get(*bottleneck).map(|bottleneck| &bottleneck.about);
            let (subject, note) = match about {
                Some(Narrow::Capability(name)) => {
                    let note = format!("there is enough of {name} again ({bottleneck})");
                    (Subject::Capability(name.clone()), note)
                }
                Some(Narrow::Taker(who)) => {
                    let note = format!("no ready work waits for {who} any more ({bottleneck})");
                    (Subject::Taker(who.clone()), note)
                }
                _ => return Vec::new(),
            };
            let (matter, note) = (Matter { subject, kind: EscalationKind::TrainingNeeded }, own_text(&note));
            let open = self.open_escalations.get(&matter);
            return open
                .map(|&escalation| Event::EscalationSettled { escalation, note })
                .into_iter()
                .collect();
        }
        if let Event::BudgetOpened { of }
        | Event::BudgetClosed { of, closing: Closing { grade: Grade::Tight, .. } } = event
        {
            let matter = Matter { subject: of.subject(), kind: EscalationKind::BudgetReached };
            let note = own_text(&format!("{} has room again", self.budget_name(of)));
            let open = self.open_escalations.get(&matter);
            let settled = |&escalation| Event::EscalationSettled { escalation, note };
            return open.map(settled).into_iter().collect();
        }
        let mut settled = self.edges_settled_by(event);
        settled.extend(self.tasks_settled_by(event));
        settled
    }

    /// Returns the settlings of calls about waits that `event` decides, or makes pointless.
    fn edges_settled_by(&self, event: &Event) -> Vec<Event> {
        let (edges, note) = match event {
            Event::DependencyRestored { task, on } | Event::DependencyAdded { task, on, .. } => {
                // Before there were calls about single edges, one was about all of a task.
                let of_task =
                    Matter { subject: Subject::Task(*task), kind: EscalationKind::CircularDependency };
                let open = [self.edge_escalation(*task, *on), self.open_escalations.get(&of_task).copied()];
                (open.into_iter().flatten().collect(), format!("{task} waits for {on} again"))
            }
            Event::TaskCompleted { task, .. }
            | Event::TaskCancelled { task, .. }
            | Event::TaskArchived { task, .. }
            | Event::TaskFailed { task, .. }
                if !self.kept_out.is_empty() =>
            {
                let around = self.kept_out.range((*task, TaskId(0))..=(*task, TaskId(u32::MAX)));
                let edges = around.flat_map(|&(task, other)| {
                    self.edge_escalation(task, other).into_iter().chain(self.edge_escalation(other, task))
                });
                (edges.collect::<Vec<_>>(), format!("{task} has ended"))
            }
            _ => return Vec::new(),
        };
        let settled = |escalation| Event::EscalationSettled { escalation, note: own_text(&note) };
        edges.into_iter().map(settled).collect()
    }

    fn edge_escalation(&self, task: TaskId, on: TaskId) -> Option<EscalationId> {
        let (subject, kind) = (Subject::Edge { task, on }, EscalationKind::CircularDependency);
        self.open_escalations.get(&Matter { subject, kind }).copied()
    }

    /// Returns the settlings of calls about a task, or about the fleet, whose cause `event` takes away.
    fn tasks_settled_by(&self, event: &Event) -> Vec<Event> {
        if let Event::HealthRecovered { health } = event {
            let matter = Matter { subject: Subject::Fleet {}, kind: EscalationKind::HealthLow };
            let note = own_text(&format!("the health is {} again", health.total));
            let open = self.open_escalations.get(&matter);
            return open
                .map(|&escalation| Event::EscalationSettled { escalation, note })
                .into_iter()
                .collect();
        }
        let Some(task) = event.ends_a_matter_of() else { return Vec::new() };
        let mut settled = self.escalated(task).filter(|(kind, _)| kind.is_settled_by(event)).peekable();
        if settled.peek().is_none() {
            return Vec::new();
        }
        let note = own_text(&self.settling_note(event));
        settled.map(|(_, escalation)| Event::EscalationSettled { escalation, note: note.clone() }).collect()
    }

    /// Says in words how an event takes away what somebody was called for.
    fn settling_note(&self, event: &Event) -> String {
        let name = |agent: &AgentId| &self.agent(*agent).spec.name;
        match event {
            Event::TaskAssigned { agent, .. } => format!("assigned to `{}`", name(agent)),
            Event::TaskMoved { agent, .. } => format!("went to `{}`", name(agent)),
            Event::TaskStarted { agent, .. } => format!("begun by `{}`", name(agent)),
            Event::TaskProgressed { agent, .. } => format!("`{}` has answered", name(agent)),
            Event::TaskReturned { .. } | Event::AttemptFailed { .. } => "back in the queue".to_owned(),
            Event::TaskFailed { .. } => "given up".to_owned(),
            Event::GatesOpened { .. } => "finished".to_owned(),
            Event::ReviewPlaced { agent: Some(agent), .. } => format!("`{}` is asked", name(agent)),
            Event::GatePassed { .. } => "it has passed".to_owned(),
            Event::GateRejected { .. } => "it was sent back".to_owned(),
            Event::PermissionAsked { agent, .. } => format!("`{}` wants leave", name(agent)),
            Event::PermissionAnswered { answer, .. } => {
                if answer.allowed { "allowed" } else { "refused" }.to_owned()
            }
            Event::PermissionWithdrawn { reason, .. } => format!("withdrawn: {reason}"),
            Event::TaskCompleted { .. } => "completed".to_owned(),
            Event::TaskCancelled { .. } => "cancelled".to_owned(),
            Event::TaskArchived { .. } => "broken down".to_owned(),
            Event::TaskReopened { .. } => "reopened".to_owned(),
            Event::HandoffRequested { handoff, .. } => format!("{handoff} begins"),
            Event::HandoffTransferred { agent, .. } => format!("went to `{}`", name(agent)),
            Event::HandoffConfirmed { agent, .. } => format!("confirmed by `{}`", name(agent)),
            Event::HandoffRedirected { to, .. } => format!("goes to `{}`", name(to)),
            Event::HandoffEnded { handoff, outcome, .. } => {
                format!("{handoff} is {}", outcome.as_str().replace('_', " "))
            }
            Event::TaskEdited { edit, .. } => {
                let priority = edit.priority.map_or("another one", Priority::as_str);
                format!("its priority is {priority} now")
            }
            Event::HoldReleased { .. } => "a manager has seen to it".to_owned(),
            _ => String::new(),
        }
    }

    pub(crate) fn escalation_raised(
        &mut self,
        id: EscalationId,
        kind: EscalationKind,
        subject: &Subject,
        severity: Priority,
        detail: &Text,
    ) {
        let due = self.at.after(self.policy.ack.of(severity));
        let escalation = Escalation {
            id,
            kind,
            subject: subject.clone(),
            severity,
            detail: detail.clone(),
            at: self.at,
            called: vec![self.first_called(kind)],
            due,
            again_at: Some(due).filter(|_| self.policy.escalations.reraises_max > 0),
            acknowledged: None,
            settled: None,
        };
        self.open_escalations.insert(escalation.matter(), id);
        self.escalations.push(escalation);
        self.index_call(id, true);
        match *subject {
            Subject::Task(task) if kind == EscalationKind::NoReviewer => self.note_unreviewed(task),
            Subject::Task(task) => self.note_called(task, kind),
            Subject::Edge { task, on } => self.kept_out.extend([(task, on), (on, task)]),
            _ => {}
        }
    }

    /// Returns the role that an escalation calls first. What any person may say is asked of the highest of the ladder that
    /// somebody has, where nobody has the role that it calls.
    fn first_called(&self, kind: EscalationKind) -> Name {
        let role = Name::new(kind.role()).expect("a name");
        let by_anybody = matches!(kind, EscalationKind::PermissionNeeded | EscalationKind::ApprovalNeeded);
        if !by_anybody || self.of_role(&role).next().is_some() {
            return role;
        }
        let mut ladder = self.policy.escalations.ladder.iter().rev();
        ladder.find(|role| self.of_role(role).next().is_some()).cloned().unwrap_or(role)
    }

    pub(crate) fn escalation_settled(&mut self, id: EscalationId, note: &Text) {
        let settled = Some((self.at, note.clone()));
        self.change_escalation(id, |escalation| escalation.settled = settled);
        let matter = self.escalation(id).expect("an escalation of this fleet").matter();
        self.open_escalations.remove(&matter);
        match matter.subject {
            Subject::Task(task) => self.note_called(task, matter.kind),
            Subject::Edge { task, on } if self.edge_escalation(on, task).is_none() => {
                self.kept_out.remove(&(task, on));
                self.kept_out.remove(&(on, task));
            }
            _ => {}
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
