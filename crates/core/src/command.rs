//! What can be asked of a fleet.

mod spec;

use std::sync::Arc;

use kapell_model::{
    AssignmentId, Budget, CommandId, ConflictId, DependencyKind, EmergencyId, EscalationId, ForceId,
    Forecast, Hours, Limits, MessageId, Moment, Name, Need, NoticeId, OfferId, PermissionId, Plan, Policy,
    Position, Priority, Ratio, ReservationId, Span, TaskId, Text, WaitId,
};

use crate::analysis::CapabilitySpec;
use crate::breakdown::{Component, ComponentSource};
use crate::budget::{BudgetTarget, UsageReport};
use crate::edit::TaskEdit;
use crate::emergency::EmergencyKind;
use crate::handoff::Package;
use crate::permission::PermissionAsk;
pub use spec::{AgentSpec, Closed, Milestone, ProjectSpec, Require, TaskSpec};

/// A command with what the door knows of it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The command's own id.
    pub id: CommandId,
    /// A digest of the body, where the caller gave an idempotency key; the id is then made from the key.
    pub fingerprint: Option<u64>,
    /// Who asks, as the log shows it: `admin`, `agent:backend-1`, `clock`.
    pub actor: Arc<str>,
    /// When. A moment before the fleet's last one counts as that one.
    pub at: Moment,
    /// What is asked.
    pub command: Command,
}

/// A task by its id or by its submitter's own key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskRef {
    /// `T-12`.
    Id(TaskId),
    /// The submitter's key.
    Key(Name),
}

/// A reservation, or a request that waits to become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservationRef {
    /// `R-7`.
    Held(ReservationId),
    /// `W-3`.
    Waiting(WaitId),
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// To one agent.
    Agent(Name),
    /// To the other members of a channel.
    Channel(Name),
}

/// A message to be sent.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The sender; nothing where a manager sends it.
    pub from: Option<Name>,
    /// Where it goes.
    pub to: Address,
    /// What it says.
    pub text: Text,
    /// How urgent it is: its ack time follows from it.
    pub priority: Priority,
    /// The task that it is about.
    pub task: Option<TaskRef>,
    /// The message that it answers: it goes into its thread.
    pub reply_to: Option<MessageId>,
    /// Whether reading it is not enough.
    pub ack: bool,
}

/// What becomes of a request for what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InLine {
    /// It is refused.
    Refused,
    /// It waits in line, for so long, or for as long as the policy says.
    For(Option<Span>),
}

/// A command. Each arm says who sends it; whether the sender may is the door's business.
#[derive(Clone, Debug)]
pub enum Command {
    /// A manager, or an agent with a join token: adds an agent, or brings a removed one back.
    RegisterAgent {
        /// What it is.
        spec: AgentSpec,
        /// Whether it is calling itself, and so can be reached.
        online: bool,
    },
    /// A manager: lets an agent end what it has and gives it nothing new, or gives it work again.
    DrainAgent {
        /// Its name.
        agent: Name,
        /// Whether it is to be drained, or to get work again.
        draining: bool,
    },
    /// A manager, or the agent itself: sets its working hours, or takes them away.
    SetHours {
        /// Its name.
        agent: Name,
        /// When it works; nothing where that is always.
        hours: Option<Box<Hours>>,
    },
    /// A manager: takes an agent out; its open tasks return to the queue.
    RemoveAgent {
        /// Its name.
        agent: Name,
    },
    /// The door, on any call of an agent that is not online.
    AgentBack {
        /// Its name.
        agent: Name,
    },
    /// The clock: the agent's lease was missed.
    AgentUnreachable {
        /// Its name.
        agent: Name,
        /// When it was last heard of.
        last_seen: Moment,
    },
    /// The clock: the grace has passed too. Its open tasks return to the queue.
    AgentOffline {
        /// Its name.
        agent: Name,
        /// When it was last heard of.
        last_seen: Moment,
    },
    /// An agent, or a manager for it: it goes, and nobody waits for it. What it owns returns to the queue.
    SignOff {
        /// Its name.
        agent: Name,
    },
    /// A manager: adds a project.
    CreateProject(ProjectSpec),
    /// A manager or an import: adds a task.
    Submit {
        /// What it is.
        spec: Arc<TaskSpec>,
        /// What it waits for or has to do with.
        edges: Vec<(TaskRef, DependencyKind)>,
    },
    /// A manager: changes what a task is.
    Edit {
        /// Which.
        task: TaskRef,
        /// What is different.
        edit: Box<TaskEdit>,
        /// Where the editor saw it change last; refused where it has changed since. Nothing where the editor does not care.
        seen: Option<Position>,
    },
    /// A manager: calls a task off.
    Cancel {
        /// Which.
        task: TaskRef,
        /// Why.
        reason: Text,
    },
    /// A manager: gives a failed or cancelled task a new series of attempts.
    Reopen {
        /// Which.
        task: TaskRef,
        /// Why.
        reason: Text,
    },
    /// A manager: places by hand, above any threshold, up to the agent's limit.
    Assign {
        /// Which task.
        task: TaskRef,
        /// To whom.
        agent: Name,
    },
    /// A manager: gives an owned task to another agent, above any threshold, up to the agent's limit.
    Move {
        /// Which task.
        task: TaskRef,
        /// To whom.
        agent: Name,
        /// Why, and what the new owner should know.
        note: Option<Text>,
    },
    /// The planner: what it proposes for the whole fleet. Each item is judged against what is so by now.
    ApplyPlan(Box<Plan>),
    /// The owner, or a manager: begins a supervised handoff.
    RequestHandoff {
        /// Of which task.
        task: TaskRef,
        /// The owner with its fencing token; nothing where a manager asks.
        owner: Option<(Name, AssignmentId)>,
        /// To whom; to the best other agent where nobody is named.
        to: Option<Name>,
        /// Why.
        note: Option<Text>,
    },
    /// The donor: what the next owner must know.
    SubmitPackage {
        /// Of which task.
        task: TaskRef,
        /// The owner.
        agent: Name,
        /// The fencing token.
        assignment: AssignmentId,
        /// The package.
        package: Arc<Package>,
    },
    /// The recipient has what it needs.
    ConfirmHandoff {
        /// Of which task.
        task: TaskRef,
        /// The recipient.
        agent: Name,
    },
    /// The recipient does not want the task, before or after it got it.
    DeclineHandoff {
        /// Which task.
        task: TaskRef,
        /// The recipient.
        agent: Name,
        /// Why.
        reason: Text,
    },
    /// The owner, or a manager: the task stays where it is.
    CancelHandoff {
        /// Of which task.
        task: TaskRef,
        /// The owner; nothing where a manager says so.
        agent: Option<Name>,
        /// Why.
        reason: Text,
    },
    /// An agent, or a manager: sends a message.
    SendMessage(Box<NewMessage>),
    /// An agent has read its messages.
    ReadMessages {
        /// Whose.
        agent: Name,
        /// The last one that it has read.
        up_to: MessageId,
    },
    /// An agent acknowledges a message.
    AcknowledgeMessage {
        /// Whose.
        agent: Name,
        /// Which.
        message: MessageId,
    },
    /// An agent for itself, or a manager: makes a channel.
    OpenChannel {
        /// Its name.
        channel: Name,
        /// Who is in it.
        members: Vec<Name>,
    },
    /// An agent for itself, or a manager: brings somebody into a channel, or out of it.
    ChannelMember {
        /// Which.
        channel: Name,
        /// Who.
        agent: Name,
        /// Whether it comes or goes.
        joins: bool,
    },
    /// An agent has read its notices.
    ReadNotices {
        /// Whose.
        agent: Name,
        /// The last one that it has read.
        up_to: NoticeId,
    },
    /// An agent asks for a named task.
    Claim {
        /// Which task.
        task: TaskRef,
        /// Who asks.
        agent: Name,
    },
    /// The owner has begun.
    Start {
        /// Which task.
        task: TaskRef,
        /// Who reports.
        agent: Name,
        /// The fencing token.
        assignment: AssignmentId,
    },
    /// The owner tells how far it is.
    Progress {
        /// Which task.
        task: TaskRef,
        /// Who reports.
        agent: Name,
        /// The fencing token.
        assignment: AssignmentId,
        /// Percent done, 0..=100.
        percent: Option<u8>,
        /// What it is doing.
        note: Option<Text>,
    },
    /// The owner has finished. With an outdated token the result is kept as an offer.
    Finish {
        /// Which task.
        task: TaskRef,
        /// Who reports.
        agent: Name,
        /// The fencing token.
        assignment: AssignmentId,
        /// What came of it.
        result: Option<Text>,
    },
    /// A reviewer, a person, or whoever has run the command: what is said of finished work before its gate.
    JudgeGate {
        /// Which task.
        task: TaskRef,
        /// Which gate, counted from 1; the one before which it stands where nothing is said.
        gate: Option<u8>,
        /// Who says it; nothing where a manager does.
        agent: Option<Name>,
        /// What is said.
        word: GateWord,
    },
    /// The owner wants leave for something.
    AskPermission {
        /// Which task.
        task: TaskRef,
        /// Who asks.
        agent: Name,
        /// The fencing token.
        assignment: AssignmentId,
        /// What for.
        ask: Box<PermissionAsk>,
    },
    /// The owner, or whoever runs it, does not want it any more.
    WithdrawPermission {
        /// Which task.
        task: TaskRef,
        /// Who asked.
        agent: Name,
        /// The fencing token.
        assignment: AssignmentId,
        /// Why.
        reason: Text,
    },
    /// A person, or a manager: what is said to what the owner of a task wants leave for.
    AnswerPermission {
        /// Which task.
        task: TaskRef,
        /// Who says it; nothing where a manager does.
        agent: Option<Name>,
        /// To which request.
        request: PermissionId,
        /// Whether it may.
        allowed: bool,
        /// Which of the options; the first of that sort where nothing is said.
        option: Option<Text>,
        /// Why.
        notes: Text,
    },
    /// A manager, or the server for what the policy wants: breaks a task down.
    BreakDown {
        /// Which.
        task: TaskRef,
        /// Into which components; into those that it declares, or that its planning will say, where nothing stands here.
        components: Vec<Component>,
        /// Where they come from; declared where nothing is said.
        source: Option<ComponentSource>,
        /// Which model has said them, where one was asked.
        model: Option<Text>,
        /// Only where it waits for that, because the policy wants it.
        by_policy: bool,
    },
    /// A manager: a task that the policy wants broken down stays whole.
    KeepWhole {
        /// Which.
        task: TaskRef,
    },
    /// The owner of a planning: which components there are.
    ProposeComponents {
        /// The planning.
        task: TaskRef,
        /// Who reports.
        agent: Name,
        /// The fencing token.
        assignment: AssignmentId,
        /// The components.
        components: Vec<Component>,
    },
    /// The owner could not do it.
    Fail {
        /// Which task.
        task: TaskRef,
        /// Who reports.
        agent: Name,
        /// The fencing token.
        assignment: AssignmentId,
        /// Why.
        reason: Text,
        /// Whether another attempt makes sense.
        retry: bool,
    },
    /// The owner gives it back, without blame.
    Release {
        /// Which task.
        task: TaskRef,
        /// Who reports.
        agent: Name,
        /// The fencing token.
        assignment: AssignmentId,
        /// Why, and what the next one should know.
        note: Option<Text>,
    },
    /// The clock: nobody fetched these assignments within their ack time.
    ReturnUnfetched {
        /// Which; those that have ended or begun meanwhile are passed over.
        assignments: Vec<AssignmentId>,
    },
    /// The clock: brings back what was deferred until now, and finishes a round that hit its bound.
    Tick,
    /// The clock: looks at the health of the fleet.
    LookAtHealth,
    /// The clock: looks for what holds the work up.
    LookForBottlenecks,
    /// The clock: notes how the fleet stands.
    NoteCourse,
    /// The clock: brings the estimates of waiting tasks up to date that nobody has declared.
    RefreshEstimates {
        /// Behind so many of the fleet's tasks, in the order of submission; a bounded number of them is looked at.
        after: u32,
    },
    /// The clock: lets what was measured of agents' capabilities age.
    AgeCapabilities {
        /// Behind so many agents, in the order of registration; a bounded number of them is looked at.
        after: u32,
    },
    /// The clock: looks at the running work whose time has come.
    CheckProgress,
    /// The clock: nobody served for a while, or the clock was set forward.
    ResumeServing {
        /// For how long.
        away: Span,
    },
    /// A manager or an import: adds an edge.
    AddDependency {
        /// The dependent.
        task: TaskRef,
        /// What it has to do with.
        on: TaskRef,
        /// In which way.
        kind: DependencyKind,
        /// Who vouches for it.
        source: EdgeSource,
    },
    /// A manager: puts an edge back that was taken away because it closed a cycle.
    RestoreDependency {
        /// The dependent.
        task: TaskRef,
        /// What it is to wait for again.
        on: TaskRef,
        /// The edge of the cycle that goes instead, the dependent first.
        instead: Option<(TaskRef, TaskRef)>,
    },
    /// A manager: takes an edge away, so that the dependent no longer waits for it.
    WaiveDependency {
        /// The dependent.
        task: TaskRef,
        /// What it waited for.
        on: TaskRef,
    },
    /// The current owner, a reviewer or a manager: the task completes with the offered result.
    AcceptOffer {
        /// Which.
        offer: OfferId,
    },
    /// The current owner, a reviewer or a manager: the offer is put away.
    DeclineOffer {
        /// Which.
        offer: OfferId,
        /// Why.
        reason: Text,
    },
    /// A manager: sets the policy for what is decided later.
    SetPolicy(NewPolicy),
    /// A manager: says what a capability is and by which words it is known.
    DefineCapability(CapabilitySpec),
    /// A manager: takes such a definition back.
    RemoveCapability {
        /// Of which capability.
        name: Name,
    },
    /// A manager: lets the text of a task that nobody owns be read again.
    Analyse {
        /// Which.
        task: TaskRef,
    },
    /// An agent, or a manager for it: reserves resources, all of them or none.
    Reserve {
        /// Who gets them.
        agent: Name,
        /// The task that they are for, which the agent owns.
        task: Option<TaskRef>,
        /// What.
        needs: Arc<[Need]>,
        /// For how long; by the policy where nothing is said.
        ttl: Option<Span>,
        /// What becomes of it where something is held.
        line: InLine,
    },
    /// The holder, or a manager: begins the lease anew.
    RenewReservation {
        /// Which.
        reservation: ReservationId,
        /// The holder; nothing where a manager asks in its own name.
        agent: Option<Name>,
        /// For how long; as long as before where nothing is said.
        ttl: Option<Span>,
    },
    /// The holder, or a manager by force: releases a reservation or leaves the line.
    ReleaseReservation {
        /// Which.
        reservation: ReservationRef,
        /// The holder; nothing where a manager does it by force.
        agent: Option<Name>,
        /// Why; needed with force.
        reason: Option<Text>,
    },
    /// The clock, after a start or a jump: every reservation has its full length again.
    ExtendReservations,
    /// A member: asks for a decision.
    OpenDecision(Box<NewDecision>),
    /// An agent: proposes an option.
    Propose(Box<NewProposal>),
    /// An agent says that an owned task is its own.
    FileDispute {
        /// Which task.
        task: TaskRef,
        /// Who says so.
        agent: Name,
        /// Who takes it for its own too; needed where the owner says so.
        against: Option<Name>,
        /// Why.
        reason: Text,
    },
    /// A member says how urgent a task is.
    AssertPriority {
        /// Which task.
        task: TaskRef,
        /// Who says so; nothing where a manager does.
        agent: Option<Name>,
        /// How urgent.
        priority: Priority,
        /// Why.
        reason: Text,
    },
    /// A member says that one task is to come before another.
    AssertOrder {
        /// What is to come first.
        first: TaskRef,
        /// What is to come after it.
        then: TaskRef,
        /// Who says so; nothing where a manager does.
        agent: Option<Name>,
        /// Why.
        reason: Text,
    },
    /// Who said so, or a manager: takes an order back, and with it what it has moved.
    DropOrder {
        /// What was to come first.
        first: TaskRef,
        /// What was to come after it.
        then: TaskRef,
        /// Who asks; nothing where a manager does.
        agent: Option<Name>,
    },
    /// The architect, or a person: rules on a conflict.
    Rule {
        /// Which.
        conflict: ConflictId,
        /// Who rules; nothing where a manager does.
        agent: Option<Name>,
        /// The option of a decision.
        option: Option<Text>,
        /// Why.
        reason: Text,
    },
    /// Who opened it, or a manager: takes a decision back that nobody has made.
    WithdrawConflict {
        /// Which.
        conflict: ConflictId,
        /// Who asks; nothing where a manager does.
        agent: Option<Name>,
        /// Why.
        reason: Text,
    },
    /// A manager: declares an emergency.
    DeclareEmergency(Box<NewEmergency>),
    /// A manager: ends an emergency; what was done about it is undone.
    EndEmergency {
        /// Which.
        emergency: EmergencyId,
        /// Why.
        reason: Text,
    },
    /// A manager: makes a task force.
    FormForce(Box<NewForce>),
    /// A manager: disbands a task force.
    DisbandForce {
        /// Which.
        force: ForceId,
        /// Why.
        reason: Text,
    },
    /// The owner, also one whose token is outdated: what an attempt has used.
    ReportUsage(UsageReport),
    /// A manager or an import: submits or edits a task and, in the same step, says what it may cost.
    WithBudget {
        /// Its own limits; those of the policy where nothing stands here.
        limits: Option<Limits>,
        /// What is done: [`Command::Submit`] or [`Command::Edit`].
        command: Box<Command>,
    },
    /// The owner reports something else, and with it what the attempt has used.
    WithUsage {
        /// What it has used.
        report: UsageReport,
        /// What else it reports.
        command: Box<Command>,
    },
    /// A manager: what something may cost; as the policy says where nothing stands here.
    SetBudget {
        /// Whose budget.
        target: BudgetTarget,
        /// Its limits.
        budget: Option<Budget>,
    },
    /// The planner: when a project will be done.
    RecordForecast(Box<Forecast>),
    /// A manager, or whom it calls: takes an escalation on.
    AcknowledgeEscalation {
        /// Which.
        escalation: EscalationId,
        /// Who; nothing where a manager does.
        agent: Option<Name>,
    },
    /// A manager, or whom it calls: closes an escalation.
    SettleEscalation {
        /// Which.
        escalation: EscalationId,
        /// Who; nothing where a manager does.
        agent: Option<Name>,
        /// How.
        note: Text,
    },
}

/// What is said of finished work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateWord {
    /// It may pass.
    Passed {
        /// What is to be known.
        notes: Text,
        /// How good it is, in a review.
        score: Option<Ratio>,
    },
    /// It goes back.
    Rejected {
        /// What is to be done.
        notes: Text,
        /// How good it is, in a review.
        score: Option<Ratio>,
    },
    /// The command was run.
    Ran {
        /// The end of its output.
        notes: Text,
        /// Its exit code; 0 passes.
        exit_code: i32,
        /// A digest of its whole output.
        digest: Text,
    },
}

/// Where an edge comes from. A person hears of a cycle and can think again; a file and a text cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeSource {
    /// Somebody says so now: a cycle is refused.
    Declared,
    /// A file says so: declared, and a cycle is broken.
    Imported,
    /// It was read out of a text: less trusted, and a cycle is broken.
    Inferred,
}

/// An emergency that a person declares.
#[derive(Clone, Debug)]
pub struct NewEmergency {
    /// What sort it is.
    pub kind: EmergencyKind,
    /// The task that fails.
    pub task: Option<TaskRef>,
    /// The project that will be late.
    pub project: Option<Name>,
    /// What is the matter.
    pub reason: Text,
}

/// A task force that a manager makes: for a task or for a project.
#[derive(Clone, Debug)]
pub struct NewForce {
    /// For which task.
    pub task: Option<TaskRef>,
    /// For which project.
    pub project: Option<Name>,
    /// What is required; a task's own requirements where nothing is said.
    pub requires: Vec<Require>,
}

/// What is to be decided.
#[derive(Clone, Debug)]
pub struct NewDecision {
    /// The question, in words.
    pub title: Text,
    /// The capability whose holders' words count.
    pub capability: Name,
    /// Until when proposals are taken; the ack time of medium priority where nothing is said.
    pub deadline: Option<Moment>,
    /// It cannot be taken back.
    pub irreversible: bool,
    /// It shapes what is built on it.
    pub architectural: bool,
    /// What there is to choose from; whatever is proposed where nothing stands here.
    pub options: Vec<Text>,
    /// Who is asked.
    pub asked: Vec<Name>,
    /// The tasks that wait for it.
    pub tasks: Vec<TaskRef>,
    /// Who opens it; nothing where a manager does.
    pub agent: Option<Name>,
}

/// What an agent proposes.
#[derive(Clone, Debug)]
pub struct NewProposal {
    /// To which decision.
    pub conflict: ConflictId,
    /// Who.
    pub agent: Name,
    /// Which option.
    pub option: Text,
    /// Why.
    pub reasons: Text,
    /// How sure it is.
    pub confidence: Ratio,
}

/// A policy, and the version that its writer had seen.
#[derive(Clone, Debug)]
pub struct NewPolicy {
    /// The whole policy.
    pub policy: Box<Policy>,
    /// Refused where the present version is another; nothing where the writer does not care.
    pub seen: Option<u32>,
}
