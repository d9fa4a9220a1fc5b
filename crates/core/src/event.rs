//! What can have happened, and how it is written into the log.

mod cause;

use std::sync::Arc;

use kapell_model::{
    ActionId, AgentId, AssignmentId, BottleneckId, Budget, CommandId, ConflictId, Considered, Day,
    DependencyKind, EmergencyId, EscalationId, ForceId, Forecast, HandoffId, Hours, MessageId, Moment, Name,
    Need, NoticeId, OfferId, Period, PlanKind, Policy, Position, Priority, Ratio, ReservationId, Span,
    TaskGate, TaskId, Text, Unit, Usage, WaitId,
};
use serde::{Deserialize, Serialize};

use crate::analysis::{Analysis, CapabilitySpec};
use crate::bottleneck::{ActionEnd, Measure, Narrow, Remedy, Severity};
use crate::breakdown::{Component, ComponentSource, Factors};
use crate::budget::{BudgetOf, Closing};
use crate::command::{AgentSpec, ProjectSpec, TaskSpec};
use crate::conflict::Ruler;
use crate::contention::WaitsFor;
use crate::course::Sample;
use crate::cycle::BreakCause;
use crate::deliberation::{Proposal, Topic, Votes};
use crate::dispute::{AwardRule, DisputeCause};
use crate::edit::TaskEdit;
use crate::effort::Learned;
use crate::emergency::{Action, EmergencyCause, EmergencyKind, Scope, Settlement};
use crate::engine::Reply;
use crate::escalation::{EscalationKind, SEVERITY_UNWRITTEN, Subject};
use crate::force::{Formation, Progress};
use crate::gate::Verdict;
use crate::handoff::{HandoffCause, Outcome, Package, Trouble};
use crate::health::Health;
use crate::impact::Impact;
use crate::load::MoveLoads;
use crate::message::{Message, Talk};
use crate::notice::NoticeKind;
use crate::permission::{PermissionAnswer, PermissionAsk};
use crate::precedence::Voice;
use crate::stall::StallCause;

pub use cause::{Cause, Decision, Dropped, MoveCause, ReleaseCause};

/// One event with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place.
    pub position: Position,
    /// When it happened; never before the event ahead of it.
    pub at: Moment,
    /// The command that it follows from.
    pub command: CommandId,
    /// Who sent that.
    pub actor: Arc<str>,
    /// What happened.
    pub event: Event,
}

/// A row of the log could not be read as an event.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Its kind is not one that this program knows.
    #[error("unknown event kind `{kind}`; the log may come from a newer version")]
    UnknownKind {
        /// The kind that stands there.
        kind: String,
    },
    /// Its body does not fit its kind.
    #[error("the body of an event of kind `{kind}` does not fit it")]
    Body {
        /// The kind that stands there.
        kind: &'static str,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

macro_rules! events {
    ($( $(#[$doc:meta])* $name:ident = $kind:literal { $( $(#[$field_doc:meta])* $field:ident : $type:ty ),* $(,)? } )+) => {
        /// One fact that happened. The log of these is the only truth.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the fields say their meaning; what each event means stands above it")]
        pub enum Event { $( $(#[$doc])* $name { $( $field: $type ),* } ),+ }

        /// The bodies as they are written; one struct per event, so that reading needs no detour over tags.
        mod body {
            use super::*;
            $(
                #[derive(Serialize)]
                pub(super) struct $name<'a> { $( $(#[$field_doc])* pub(super) $field: &'a $type ),* }
            )+
            pub(super) mod owned {
                use super::*;
                $(
                    #[derive(Deserialize)]
                    pub(in super::super) struct $name { $( $(#[$field_doc])* pub(in super::super) $field: $type ),* }
                )+
            }
        }

        impl Event {
            /// Every kind, as it is written in the log.
            pub const KINDS: &'static [&'static str] = &[$($kind),+];

            /// Returns the kind as it is written in the log.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self { $( Self::$name { .. } => $kind ),+ }
            }

            /// Writes the body as JSON behind what stands in `out`.
            ///
            /// # Panics
            /// Never: every body can be written.
            pub fn encode(&self, out: &mut Vec<u8>) {
                let written = match self {
                    $( Self::$name { $($field),* } => serde_json::to_writer(out, &body::$name { $($field),* }) ),+
                };
                written.expect("every event can be written as JSON");
            }

            /// Reads an event from its kind and body.
            ///
            /// # Errors
            /// Where the kind is unknown or the body does not fit it.
            pub fn decode(kind: &str, json: &[u8]) -> Result<Self, DecodeError> {
                match kind {
                    $( $kind => {
                        let body::owned::$name { $($field),* } = serde_json::from_slice(json)
                            .map_err(|source| DecodeError::Body { kind: $kind, source })?;
                        Ok(Self::$name { $($field),* })
                    } )+
                    other => Err(DecodeError::UnknownKind { kind: other.chars().take(64).collect() }),
                }
            }
        }
    };
}

events! {
    /// An agent joined, or came back after it was removed.
    AgentRegistered = "agent.registered" { agent: AgentId, spec: AgentSpec, online: bool }
    /// An agent was taken out.
    AgentRemoved = "agent.removed" { agent: AgentId }
    /// An agent missed its lease.
    AgentUnreachable = "agent.unreachable" { agent: AgentId, last_seen: Moment }
    /// An agent stayed away for the grace too, or said that it goes.
    AgentOffline = "agent.offline" {
        agent: AgentId,
        last_seen: Moment,
        #[serde(default, skip_serializing_if = "no")]
        signed_off: bool,
    }
    /// An agent can be reached (again).
    AgentBack = "agent.back" { agent: AgentId }
    /// An agent gets no new work; it ends what it has.
    AgentDrained = "agent.drained" { agent: AgentId }
    /// An agent gets work again.
    AgentResumed = "agent.resumed" { agent: AgentId }
    /// It works by these hours from now on, or always.
    AgentHoursSet = "agent.hours_set" {
        agent: AgentId,
        #[serde(default, skip_serializing_if = "absent")]
        hours: Option<Box<Hours>>,
    }
    /// Its shift begins or ends.
    AgentShift = "agent.shift" {
        agent: AgentId,
        working: bool,
        #[serde(default, skip_serializing_if = "absent")]
        until: Option<Moment>,
    }
    /// What was measured of its capabilities has aged.
    CapabilitiesAged = "agent.capabilities_aged" { agent: AgentId }
    /// A project was made.
    ProjectCreated = "project.created" { spec: ProjectSpec }
    /// A task was added. `estimate` is what placing and forecasting use; `analysis` is what its text was taken to say,
    /// and holds the inferred edges.
    TaskSubmitted = "task.submitted" {
        task: TaskId,
        spec: Arc<TaskSpec>,
        #[serde(default, skip_serializing_if = "no_edges")]
        edges: Vec<(TaskId, DependencyKind)>,
        estimate: Span,
        #[serde(default, skip_serializing_if = "absent")]
        learned: Option<Learned>,
        #[serde(default, skip_serializing_if = "absent")]
        analysis: Option<Arc<Analysis>>,
    }
    /// A task has an owner. `considered` holds the best candidates, the chosen one first.
    TaskAssigned = "task.assigned" {
        task: TaskId,
        agent: AgentId,
        assignment: AssignmentId,
        decision: Decision,
        policy: u32,
        scorer: u32,
        threshold: Ratio,
        considered: Vec<Considered>,
    }
    /// What a waiting task is expected to take is known better: nobody has declared it.
    TaskEstimated = "task.estimated" {
        task: TaskId,
        estimate: Span,
        #[serde(default, skip_serializing_if = "absent")]
        learned: Option<Learned>,
    }
    /// The owner began.
    TaskStarted = "task.started" { task: TaskId, agent: AgentId, assignment: AssignmentId }
    /// The owner told how far it is.
    TaskProgressed = "task.progressed" {
        task: TaskId,
        agent: AgentId,
        assignment: AssignmentId,
        #[serde(default, skip_serializing_if = "absent")]
        percent: Option<u8>,
        #[serde(default, skip_serializing_if = "absent")]
        note: Option<Text>,
    }
    /// A task is done; by its owner's report, or by an accepted offer.
    TaskCompleted = "task.completed" {
        task: TaskId,
        agent: AgentId,
        assignment: AssignmentId,
        #[serde(default, skip_serializing_if = "absent")]
        result: Option<Text>,
        #[serde(default, skip_serializing_if = "absent")]
        offer: Option<OfferId>,
    }
    /// Finished work stands before its gates, which are passed in this order; by its owner's report, or as an offer.
    GatesOpened = "gate.opened" {
        task: TaskId,
        agent: AgentId,
        assignment: AssignmentId,
        #[serde(default, skip_serializing_if = "absent")]
        result: Option<Text>,
        #[serde(default, skip_serializing_if = "absent")]
        offer: Option<OfferId>,
        gates: Vec<TaskGate>,
    }
    /// Somebody is asked for a review, or who was asked is not any more. `gate` counts from 0.
    ReviewPlaced = "gate.review_placed" {
        task: TaskId,
        gate: u8,
        #[serde(default, skip_serializing_if = "absent")]
        agent: Option<AgentId>,
        #[serde(default, skip_serializing_if = "absent")]
        due: Option<Moment>,
    }
    /// Finished work has passed a gate; with the last one it is completed.
    GatePassed = "gate.passed" { task: TaskId, gate: u8, verdict: Verdict }
    /// Finished work was sent back: to its owner under the same token, or to the queue where that is gone.
    GateRejected = "gate.rejected" { task: TaskId, gate: u8, verdict: Verdict }
    /// The author of finished work is gone; the work stays before its gates.
    GateOwnerLeft = "gate.owner_left" { task: TaskId, agent: AgentId, assignment: AssignmentId, cause: Cause }
    /// The owner wants leave for something; a person is called.
    PermissionAsked = "permission.asked" {
        task: TaskId,
        agent: AgentId,
        assignment: AssignmentId,
        ask: Box<PermissionAsk>,
    }
    /// It was answered.
    PermissionAnswered = "permission.answered" {
        task: TaskId,
        agent: AgentId,
        assignment: AssignmentId,
        request: Text,
        answer: PermissionAnswer,
    }
    /// It is not wanted any more.
    PermissionWithdrawn = "permission.withdrawn" {
        task: TaskId,
        agent: AgentId,
        assignment: AssignmentId,
        request: Text,
        reason: Text,
    }
    /// An attempt failed. There is another one at `retry_at`, or `task.failed` follows.
    AttemptFailed = "task.attempt_failed" {
        task: TaskId,
        agent: AgentId,
        assignment: AssignmentId,
        reason: Text,
        #[serde(default, skip_serializing_if = "absent")]
        retry_at: Option<Moment>,
    }
    /// A task was given up for good.
    TaskFailed = "task.failed" { task: TaskId, reason: Text }
    /// An owned task returned to the queue.
    TaskReturned = "task.returned" {
        task: TaskId,
        agent: AgentId,
        assignment: AssignmentId,
        cause: Cause,
        boosted: bool,
        #[serde(default, skip_serializing_if = "absent")]
        note: Option<Text>,
    }
    /// An owned task went to another agent, under a new token. The new owner begins anew, with what the old one left.
    TaskMoved = "task.moved" {
        task: TaskId,
        from: AgentId,
        ended: AssignmentId,
        agent: AgentId,
        assignment: AssignmentId,
        cause: MoveCause,
        #[serde(default, skip_serializing_if = "absent")]
        note: Option<Text>,
        #[serde(default, skip_serializing_if = "absent")]
        loads: Option<MoveLoads>,
        policy: u32,
        scorer: u32,
        considered: Vec<Considered>,
    }
    /// Running work was found stalled and its owner asked for a status, to be given by `due`. `silent` and `elapsed` do
    /// not count the time that nobody served; `allowed` is what is borne of the one that is the cause.
    TaskStalled = "task.stalled" {
        task: TaskId,
        agent: AgentId,
        assignment: AssignmentId,
        cause: StallCause,
        silent: Span,
        elapsed: Span,
        allowed: Span,
        due: Moment,
    }
    /// The owner of stalled work did not answer in time.
    StallUnanswered = "task.stall_unanswered" { task: TaskId, agent: AgentId, assignment: AssignmentId }
    /// Somebody has seen to silent work: it stays where it is, and its clocks begin anew.
    StallSettled = "task.stall_settled" { task: TaskId }
    /// The server serves again, or its clock was set forward: the clocks of running work go on from where they stood.
    ServingResumed = "fleet.resumed" { away: Span }
    /// A task that is handed out and taken back over and over is set aside until then. `turns` is how often lately.
    TaskHeld = "task.held" { task: TaskId, turns: u32, until: Moment }
    /// Somebody has decided about such a task: it is handed out again, and its turns are forgotten.
    HoldReleased = "task.hold_released" { task: TaskId }
    /// A plan was judged; `dropped` says which of its items fell away, and why.
    PlanApplied = "plan.applied" {
        kind: PlanKind,
        seen: Position,
        applied: u32,
        #[serde(default, skip_serializing_if = "nothing_dropped")]
        dropped: Vec<Dropped>,
    }
    /// Owned work is to go to another agent; a slot is kept free there.
    HandoffRequested = "handoff.requested" {
        handoff: HandoffId,
        task: TaskId,
        agent: AgentId,
        assignment: AssignmentId,
        to: AgentId,
        cause: HandoffCause,
        #[serde(default, skip_serializing_if = "absent")]
        note: Option<Text>,
        #[serde(default, skip_serializing_if = "none_considered")]
        considered: Vec<Considered>,
    }
    /// The donor has been asked for the package, and with `missing` reminded of it.
    HandoffPackageDue = "handoff.package_due" {
        handoff: HandoffId,
        task: TaskId,
        agent: AgentId,
        due: Moment,
        #[serde(default, skip_serializing_if = "nothing_missing")]
        missing: Vec<Text>,
    }
    /// The donor has sent a package; `missing` says what keeps it from being whole.
    HandoffPackageReceived = "handoff.package_received" {
        handoff: HandoffId,
        task: TaskId,
        package: Arc<Package>,
        #[serde(default, skip_serializing_if = "nothing_missing")]
        missing: Vec<Text>,
    }
    /// The package says all that it must.
    HandoffValidated = "handoff.validated" { handoff: HandoffId, task: TaskId }
    /// A task in a handoff has another owner, under a new token; what is reserved for it goes along, each under a new number.
    HandoffTransferred = "handoff.transferred" {
        handoff: HandoffId,
        task: TaskId,
        from: AgentId,
        ended: AssignmentId,
        agent: AgentId,
        assignment: AssignmentId,
        due: Moment,
        #[serde(default, skip_serializing_if = "nothing_reserved")]
        reservations: Vec<(ReservationId, ReservationId)>,
        note: Text,
        policy: u32,
        scorer: u32,
        considered: Vec<Considered>,
    }
    /// The recipient has confirmed that it has what it needs.
    HandoffConfirmed = "handoff.confirmed" { handoff: HandoffId, task: TaskId, agent: AgentId }
    /// The donor has been let go: the handoff is through.
    HandoffReleased = "handoff.released" { handoff: HandoffId, task: TaskId, agent: AgentId }
    /// Something has gone wrong in a handoff.
    HandoffMediation = "handoff.mediation" { handoff: HandoffId, task: TaskId, trouble: Trouble, detail: Text }
    /// Another agent takes the place of the recipient; the package is due at `due`.
    HandoffRedirected = "handoff.redirected" {
        handoff: HandoffId,
        task: TaskId,
        to: AgentId,
        due: Moment,
        considered: Vec<Considered>,
    }
    /// A handoff has ended without reaching its aim.
    HandoffEnded = "handoff.ended" { handoff: HandoffId, task: TaskId, outcome: Outcome, reason: Text }
    /// A message was sent; `to` holds those who are to read it.
    MessageSent = "message.sent" {
        message: Message,
        to: Vec<AgentId>,
        /// Where it waits to come as part of a digest, and until when.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gathered: Option<(Talk, Moment)>,
        /// Those whose inboxes are full: it waits for room there.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        full: Vec<AgentId>,
    }
    /// There is room again: what waited for it came into the inbox.
    MessagesDelivered = "message.delivered" { agent: AgentId, messages: Vec<MessageId> }
    /// An agent has read its messages, up to this.
    MessagesRead = "message.read" { agent: AgentId, up_to: MessageId }
    /// An agent has acknowledged a message.
    MessageAcknowledged = "message.acknowledged" { agent: AgentId, message: MessageId }
    /// A message that was not read in time was sent again.
    MessageResent = "message.resent" { message: MessageId, agent: AgentId, due: Moment }
    /// Nor was it then: somebody is called.
    MessageEscalated = "message.escalated" { message: MessageId, agent: AgentId }
    /// An inbox is full: messages of low priority were folded into a digest that takes their place.
    MessagesFolded = "message.folded" {
        agent: AgentId,
        digest: Message,
        /// Where it was gathered; nothing where an inbox was full.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gathered: Option<Talk>,
    }
    /// A channel was made.
    ChannelOpened = "channel.opened" { channel: Name, members: Vec<AgentId> }
    /// An agent came into a channel.
    ChannelJoined = "channel.joined" { channel: Name, agent: AgentId }
    /// An agent left a channel.
    ChannelLeft = "channel.left" { channel: Name, agent: AgentId }
    /// An agent is told something.
    NoticeSent = "notice.sent" {
        notice: NoticeId,
        agent: AgentId,
        kind: NoticeKind,
        #[serde(default, skip_serializing_if = "absent")]
        task: Option<TaskId>,
        text: Text,
        #[serde(default, skip_serializing_if = "absent")]
        due: Option<Moment>,
    }
    /// An agent has read what it was told, up to this.
    NoticesRead = "notice.read" { agent: AgentId, up_to: NoticeId }
    /// The time came until which a task was set aside.
    TaskResumed = "task.resumed" { task: TaskId }
    /// A task was called off, by a person or because `after` failed or was called off.
    TaskCancelled = "task.cancelled" {
        task: TaskId,
        reason: Text,
        #[serde(default, skip_serializing_if = "absent")]
        after: Option<TaskId>,
    }
    /// What a task is was changed; `edit` holds what is different, `estimate` what placing uses from now on, where that changed.
    TaskEdited = "task.edited" {
        task: TaskId,
        edit: Box<TaskEdit>,
        #[serde(default, skip_serializing_if = "absent")]
        estimate: Option<Span>,
        #[serde(default, skip_serializing_if = "absent")]
        learned: Option<Learned>,
        /// What it was given, where a ruling sets another priority.
        #[serde(default, skip_serializing_if = "absent")]
        given: Option<Priority>,
    }
    /// A failed or cancelled task got a new series of attempts.
    TaskReopened = "task.reopened" { task: TaskId, reason: Text }
    /// A task has to do with another.
    DependencyAdded = "dependency.added" {
        task: TaskId,
        on: TaskId,
        kind: DependencyKind,
        #[serde(default, skip_serializing_if = "no")]
        inferred: bool,
    }
    /// An edge was taken away.
    DependencyWaived = "dependency.waived" { task: TaskId, on: TaskId }
    /// An edge was taken away, or not let in, because a cycle would have been closed. `cycle` begins and ends with the
    /// dependent of the edge that would have closed it.
    CycleBroken = "cycle.broken" {
        task: TaskId,
        on: TaskId,
        #[serde(default, skip_serializing_if = "no")]
        inferred: bool,
        cycle: Vec<TaskId>,
        closed_by: (TaskId, TaskId),
        because: BreakCause,
    }
    /// An edge that was taken out of a cycle was put back.
    DependencyRestored = "dependency.restored" { task: TaskId, on: TaskId }
    /// A new task is large, and the policy wants it broken down before anybody works on it.
    BreakdownWanted = "breakdown.wanted" { task: TaskId, factors: Factors }
    /// It stays whole.
    BreakdownDeclined = "breakdown.declined" { task: TaskId }
    /// A task was broken down into subtasks, which stand before this event; without a source the planning says the components.
    BrokenDown = "breakdown.made" {
        task: TaskId,
        #[serde(default, skip_serializing_if = "no")]
        by_policy: bool,
        factors: Factors,
        #[serde(default, skip_serializing_if = "absent")]
        source: Option<ComponentSource>,
        #[serde(default, skip_serializing_if = "absent")]
        model: Option<Text>,
        planning: TaskId,
        #[serde(default, skip_serializing_if = "no_tasks")]
        implementations: Vec<TaskId>,
        integration: TaskId,
        testing: TaskId,
    }
    /// Whoever does the planning says which components there are.
    ComponentsProposed = "breakdown.proposed" { task: TaskId, agent: AgentId, components: Vec<Component> }
    /// The planning is over: the implementations, which stand before this event, are there.
    BreakdownPlanned = "breakdown.planned" { task: TaskId, implementations: Vec<TaskId> }
    /// A task waits for another one than before.
    DependencyRewired = "dependency.rewired" { task: TaskId, from: TaskId, on: TaskId }
    /// A task has been replaced by its subtasks.
    TaskArchived = "task.archived" { task: TaskId, reason: Text }
    /// A late result is kept beside its task.
    OfferMade = "offer.made" {
        offer: OfferId,
        task: TaskId,
        agent: AgentId,
        assignment: AssignmentId,
        #[serde(default, skip_serializing_if = "absent")]
        result: Option<Text>,
    }
    /// An offer became the task's result.
    OfferAccepted = "offer.accepted" { offer: OfferId, task: TaskId }
    /// An offer was put away.
    OfferDeclined = "offer.declined" { offer: OfferId, task: TaskId, reason: Text }
    /// The policy changed.
    PolicySet = "policy.set" { version: u32, policy: Box<Policy> }
    /// A capability was defined, or defined anew.
    CapabilityDefined = "capability.defined" { spec: CapabilitySpec }
    /// The definition of a capability was taken back.
    CapabilityRemoved = "capability.removed" { name: Name }
    /// The text of a task was read again; the edges that follow from it are events of their own.
    TaskAnalysed = "task.analysed" { task: TaskId, analysis: Arc<Analysis> }
    /// Somebody is needed.
    EscalationRaised = "escalation.raised" {
        escalation: EscalationId,
        kind: EscalationKind,
        #[serde(flatten)]
        subject: Subject,
        #[serde(default = "severity_unwritten", skip_serializing_if = "is_severity_unwritten")]
        severity: Priority,
        detail: Text,
    }
    /// Somebody has taken it on; `agent` where it is one of those who are called.
    EscalationAcknowledged = "escalation.acknowledged" {
        escalation: EscalationId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
    }
    /// Who has taken it on is gone: it is called for anew, until `due`.
    EscalationDropped = "escalation.dropped" { escalation: EscalationId, agent: AgentId, due: Moment }
    /// Nobody has taken it on in time: `role` is called, until `due`.
    EscalationReraised = "escalation.reraised" { escalation: EscalationId, role: Name, due: Moment }
    /// More has come to it: what is the matter now, and how urgent it is.
    EscalationUpdated = "escalation.updated" { escalation: EscalationId, severity: Priority, detail: Text }
    /// It has been seen to, or its cause is gone.
    EscalationSettled = "escalation.settled" { escalation: EscalationId, note: Text }
    /// The health fell below what the policy wants; an alert goes with it.
    HealthFell = "health.fell" { health: Health, below: Ratio }
    /// The health is well again.
    HealthRecovered = "health.recovered" { health: Health }
    /// How the fleet stands, noted now and then.
    CourseNoted = "fleet.noted" { sample: Box<Sample> }
    /// Somebody holds resources: asked for, from the line (`wait`), or with an assignment (no `ttl`).
    ReservationGranted = "reservation.granted" {
        reservation: ReservationId,
        agent: AgentId,
        #[serde(default, skip_serializing_if = "absent")]
        task: Option<TaskId>,
        needs: Arc<[Need]>,
        #[serde(default, skip_serializing_if = "absent")]
        ttl: Option<Span>,
        #[serde(default, skip_serializing_if = "absent")]
        expires_at: Option<Moment>,
        #[serde(default, skip_serializing_if = "absent")]
        wait: Option<WaitId>,
    }
    /// A reservation lasts longer.
    ReservationRenewed = "reservation.renewed" { reservation: ReservationId, expires_at: Moment }
    /// A reservation ended.
    ReservationReleased = "reservation.released" {
        reservation: ReservationId,
        agent: AgentId,
        cause: ReleaseCause,
        #[serde(default, skip_serializing_if = "absent")]
        reason: Option<Text>,
    }
    /// Somebody waits in line for resources; `behind` is the first reservation in the way.
    ReservationRequested = "reservation.requested" {
        wait: WaitId,
        agent: AgentId,
        #[serde(default, skip_serializing_if = "absent")]
        task: Option<TaskId>,
        needs: Arc<[Need]>,
        ttl: Span,
        expires_at: Moment,
        #[serde(default, skip_serializing_if = "absent")]
        behind: Option<ReservationId>,
    }
    /// Somebody left the line unserved.
    ReservationWithdrawn = "reservation.withdrawn" {
        wait: WaitId,
        agent: AgentId,
        cause: ReleaseCause,
        #[serde(default, skip_serializing_if = "absent")]
        reason: Option<Text>,
    }
    /// Agents wait for each other in a ring. The holder of `reservation` is asked to release it, and it ends at `until`.
    ReservationRing = "reservation.ring" { ring: Vec<WaitsFor>, reservation: ReservationId, until: Moment }
    /// After a start or a jump of the clock every lease on resources has its full length again.
    ReservationsExtended = "reservation.extended" { leases: u32, waits: u32 }
    /// Somebody waits in line for what others have or wait for first.
    ContentionOpened = "conflict.contention_opened" {
        conflict: ConflictId,
        wait: WaitId,
        parties: Vec<AgentId>,
        #[serde(default, skip_serializing_if = "no_tasks")]
        tasks: Vec<TaskId>,
    }
    /// The turn has come, or the place in line was given up.
    ContentionResolved = "conflict.contention_resolved" {
        conflict: ConflictId,
        #[serde(default, skip_serializing_if = "absent")]
        reservation: Option<ReservationId>,
        reason: Text,
    }
    /// Members are asked how something is to be done.
    DecisionOpened = "decision.opened" { conflict: ConflictId, #[serde(flatten)] topic: Box<Topic> }
    /// An agent proposes an option; it takes the place of what it proposed before.
    DecisionProposed = "decision.proposed" { conflict: ConflictId, #[serde(flatten)] proposal: Box<Proposal> }
    /// The tally may not decide, so the architect is called.
    DecisionEscalated = "decision.escalated" { conflict: ConflictId, tally: Votes, because: Text }
    /// It is decided: by the tally, or by who `ruled`.
    DecisionMade = "decision.made" {
        conflict: ConflictId,
        option: Text,
        #[serde(default, skip_serializing_if = "absent")]
        ruled: Option<Ruler>,
        tally: Votes,
        reason: Text,
    }
    /// The question was taken back.
    DecisionWithdrawn = "decision.withdrawn" { conflict: ConflictId, reason: Text }
    /// It was worked out when a project will be done.
    ForecastMade = "forecast.made" { #[serde(flatten)] forecast: Box<Forecast> }
    /// More than one agent takes an owned task for its own; its owner is the first of the parties.
    DisputeOpened = "dispute.opened" {
        conflict: ConflictId,
        task: TaskId,
        assignment: AssignmentId,
        #[serde(default, skip_serializing_if = "no")]
        stalled: bool,
        parties: Vec<AgentId>,
        cause: DisputeCause,
        by: AgentId,
        #[serde(default, skip_serializing_if = "absent")]
        reason: Option<Text>,
    }
    /// The task is this agent's; where it was another's, `task.moved` follows.
    DisputeRuled = "dispute.ruled" {
        conflict: ConflictId,
        task: TaskId,
        agent: AgentId,
        rule: AwardRule,
        #[serde(default, skip_serializing_if = "none_considered")]
        considered: Vec<Considered>,
        reason: Text,
    }
    /// A member says how urgent a task is; it takes the place of what the same one said before.
    PriorityAsserted = "priority.asserted" { task: TaskId, by: Ruler, priority: Priority, reason: Text }
    /// A member says that one task is to come before another.
    OrderAsserted = "priority.order_asserted" { first: TaskId, then: TaskId, by: Ruler, reason: Text }
    /// Such an order does not stand any more: taken back, or against the business impact or what waits.
    OrderDropped = "priority.order_dropped" {
        first: TaskId,
        then: TaskId,
        /// Only the word is taken back; what was ruled about the two stays.
        #[serde(default, skip_serializing_if = "no")]
        ruling_stays: bool,
    }
    /// What was ruled in a conflict holds: each of the tasks comes before the next one, whatever was ruled between them before.
    OrderRuled = "priority.order_ruled" { conflict: ConflictId, order: Vec<TaskId> }
    /// What was ruled in a conflict does not hold any more: of the orders that it left standing none is left.
    RulingLifted = "priority.ruling_lifted" { conflict: ConflictId }
    /// Written by versions in which an order moved tasks once: places in the queue, as if they had to start by then.
    PlacesSet = "priority.places_set" { places: Vec<(TaskId, Moment)> }
    /// What members say about what comes first differs, or comes round to where it began.
    PrecedenceOpened = "priority.conflict_opened" {
        conflict: ConflictId,
        tasks: Vec<TaskId>,
        #[serde(default, skip_serializing_if = "no_parties")]
        parties: Vec<AgentId>,
        said: Vec<Voice>,
    }
    /// The business impact has ruled: the tasks in their order with every number, and the level that one has earned.
    PrecedenceRuled = "priority.conflict_ruled" {
        conflict: ConflictId,
        order: Vec<Impact>,
        #[serde(default, skip_serializing_if = "absent")]
        priority: Option<Priority>,
        typical: Span,
        #[serde(default, skip_serializing_if = "none_carried")]
        carried: Vec<(TaskId, TaskId)>,
        reason: Text,
    }
    /// There is an emergency: declared by a person, or detected.
    EmergencyDeclared = "emergency.declared" {
        emergency: EmergencyId,
        kind: EmergencyKind,
        #[serde(flatten)]
        scope: Scope,
        cause: EmergencyCause,
        detail: Text,
    }
    /// Something is done about it; `action` is its number from 1.
    EmergencyActed = "emergency.acted" { emergency: EmergencyId, action: u32, what: Action }
    /// What was done about it is undone, or stays.
    EmergencySettled = "emergency.settled" { emergency: EmergencyId, action: u32, how: Settlement }
    /// Some assignments are let through again, and more at `next`.
    AssignmentsResuming = "emergency.resuming" { emergency: EmergencyId, allowed: u32, next: Moment }
    /// Its cause is gone, or a person has ended it.
    EmergencyEnding = "emergency.ending" {
        emergency: EmergencyId,
        reason: Text,
        #[serde(default, skip_serializing_if = "no")]
        by_hand: bool,
    }
    /// Everything that was done about it is undone or stays.
    EmergencyEnded = "emergency.ended" { emergency: EmergencyId }
    /// A task force was made.
    ForceFormed = "force.formed" { force: ForceId, formation: Box<Formation> }
    /// It was looked how far a task force is, in percent; `checkpoint` is a number from 1.
    ForceChecked = "force.checked" { force: ForceId, checkpoint: u32, done: u8, found: Progress }
    /// A task force has nothing to do any more.
    ForceDisbanded = "force.disbanded" { force: ForceId, reason: Text }
    /// Something holds the work up, or does so more or less than it did.
    BottleneckFound = "bottleneck.found" {
        bottleneck: BottleneckId,
        about: Narrow,
        severity: Severity,
        measure: Measure,
        detail: Text,
    }
    /// What was measured is within its bound again.
    BottleneckGone = "bottleneck.gone" { bottleneck: BottleneckId, measure: Measure }
    /// Something is done about it, until `expires_at` at the latest; `before` is what was measured when it began.
    ActionTaken = "bottleneck.action_taken" {
        action: ActionId,
        bottleneck: BottleneckId,
        remedy: Remedy,
        before: Measure,
        expires_at: Moment,
    }
    /// That is over and undone; `after` is what is measured then.
    ActionEnded = "bottleneck.action_ended" { action: ActionId, because: ActionEnd, after: Measure }
    /// The fleet does worse than it did.
    PerformanceDegraded = "performance.degraded" { causes: Vec<Text> }
    /// It does as well as it did again.
    PerformanceRecovered = "performance.recovered" { since: Moment }
    /// What an attempt has used in all so far is known.
    UsageReported = "usage.reported" { task: TaskId, agent: AgentId, assignment: AssignmentId, usage: Usage }
    /// Something may cost other than before; nothing stands for what the policy says.
    BudgetSet = "budget.set" {
        of: BudgetOf,
        #[serde(default, skip_serializing_if = "absent")]
        budget: Option<Budget>,
    }
    /// Another day is counted, UTC; `day` counts from 1970-01-01.
    BudgetDayBegan = "budget.day_began" { day: Day }
    /// More was spent than a soft limit.
    BudgetWarned = "budget.warned" { of: BudgetOf, period: Period, measure: Unit, limit: u64, spent: u64 }
    /// Nothing more is assigned under a budget, or there is less room than when that was last said.
    BudgetClosed = "budget.closed" { of: BudgetOf, closing: Closing }
    /// There is room under a budget again.
    BudgetOpened = "budget.opened" { of: BudgetOf }
    /// The command came with an idempotency key; this is its answer, should it come again.
    CommandKeyed = "command.keyed" { fingerprint: u64, reply: Reply }
}

fn absent<T>(value: &&Option<T>) -> bool {
    value.is_none()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn no(value: &&bool) -> bool {
    !**value
}

fn nothing_dropped(dropped: &&Vec<Dropped>) -> bool {
    dropped.is_empty()
}

const fn severity_unwritten() -> Priority {
    SEVERITY_UNWRITTEN
}

fn is_severity_unwritten(severity: &&Priority) -> bool {
    **severity == SEVERITY_UNWRITTEN
}

fn none_considered(considered: &&Vec<Considered>) -> bool {
    considered.is_empty()
}

fn nothing_missing(missing: &&Vec<Text>) -> bool {
    missing.is_empty()
}

fn nothing_reserved(reservations: &&Vec<(ReservationId, ReservationId)>) -> bool {
    reservations.is_empty()
}

fn no_tasks(tasks: &&Vec<TaskId>) -> bool {
    tasks.is_empty()
}

fn none_carried(carried: &&Vec<(TaskId, TaskId)>) -> bool {
    carried.is_empty()
}

fn no_parties(parties: &&Vec<AgentId>) -> bool {
    parties.is_empty()
}

fn no_edges(edges: &&Vec<(TaskId, DependencyKind)>) -> bool {
    edges.is_empty()
}
