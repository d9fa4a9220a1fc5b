//! The published contract of Kapell, version 1: what goes over the wire, and a typed client.
//!
//! These types are not the ones inside: one file of the server converts. Scores are decimals within 0..=1, times are
//! RFC 3339 in UTC, durations are whole milliseconds with the suffix `_ms`, ids are texts such as `T-12`.

pub mod client;

mod agent;
mod breakdown;
mod budget;
mod bulk;
mod capability;
mod conflict;
mod cycle;
mod emergency;
mod event;
mod fleet;
mod forecast;
mod gate;
mod handoff;
mod hours;
mod inbox;
mod message;
mod object;
mod orchestration;
mod overview;
mod permission;
mod policy;
mod problem;
mod report;
mod reservation;
mod task;
mod token;
mod webhook;
mod why;

pub use agent::{
    Agent, AgentRegistration, Alive, Assignment, Assignments, CapabilityScore, NextRequest, Notice,
    NoticesRead,
};
pub use breakdown::{Breaking, Component, Factors, NewBreakdown, ProposedComponents, Subtask, TaskBreakdown};
pub use budget::{
    AttemptCost, Budget, BudgetStanding, Budgets, Cost, CostTotals, Costs, DayCost, ExpectedCost, Limit,
    Limits, NamedCost, NewBudget, TaskCost, Usage, UsageReport,
};
pub use bulk::{BulkAnswer, BulkLine, HeartbeatLine, NextLine, ReadLine};
pub use capability::{Capability, CapabilityDefinition, Evidence, RequiredCapability};
pub use client::{Client, ClientError};
pub use conflict::{
    Conflict, Deliberation, Dispute, Impact, NewAssertion, NewDecision, NewDispute, NewOrder, NewProposal,
    NewRuling, OptionTally, Order, OrderTakenBack, Precedence, Proposal, Voice, Withdrawal,
};
pub use cycle::{BrokenEdge, EdgeName, Restoration};
pub use emergency::{
    Emergency, EmergencyAction, Ending, ForceCheckpoint, ForceMember, NewEmergency, NewTaskForce, TaskForce,
};
pub use event::{Event, Events};
pub use fleet::{
    AgentTotals, Decision, Escalation, Health, Milestone, Monitor, NewProject, Offer, Page, Project, Status,
    TaskTotals,
};
pub use forecast::{Forecast, ForecastGain, ForecastStep, ForecastTask, NewForecast};
pub use gate::{CheckReport, Gate, Gating, NewVerdict, OpenGate, TaskGate};
pub use handoff::{
    Handoff, HandoffCancellation, HandoffConfirmation, HandoffPackage, HandoffRefusal, HandoffRequest, Packed,
};
pub use hours::{QuietTime, WorkingHours};
pub use inbox::{Escalating, EscalationWord, Inbox, InboxItem};
pub use message::{Channel, ChannelMember, Message, MessageAck, MessagesRead, NewChannel, NewMessage};
pub use object::{Objects, from_slice};
pub use orchestration::{
    AgentLine, Bottleneck, BottleneckAction, HealthPart, KindTimes, Measured, Performance, Rates,
    Recommendation, Report, Sample, SavedReport, SystemHealth, TaskMetrics, WaitTimes,
};
pub use overview::{
    AgentLoad, Bar, Board, Card, FlowHour, Graph, GraphNode, HealthNow, HealthShare, Late, Overview, Queued,
    Session, Step, Timeline, WorkItem,
};
pub use permission::{NewPermission, Permission, PermissionOption, PermissionWithdrawal};
pub use policy::{
    AckTimes, Balancing, Emergencies, Flow, Forecasting, Handing, HealthWeights, Messaging, Policy,
    Redispatch, Reporting, Reserving, Stalls, Weights,
};
pub use problem::{ErrorCode, Problem};
pub use report::{Ack, DoneReport, FailReport, ProgressReport, ReleaseReport, StartReport};
pub use reservation::{NewReservation, ReleaseReservation, RenewReservation, Reservation, ResourceNeed};
pub use task::{
    AgentChoice, ClosedWork, Dependency, MoveTo, NewDependency, Reason, RelatedTask, Requirement, Task,
    TaskEdit, TaskSubmission, Tree,
};
pub use token::{MadeToken, NewToken, RotateToken, Token};
pub use webhook::{
    DeadLetter, DeadLetterChoice, DeadLetterCount, MadeWebhook, NewWebhook, RotateWebhook, StuckWebhook,
    Webhook, WebhookTest,
};
pub use why::{
    AsOf, Decided, LoadOf, MovedFrom, NotCandidate, Part, Placement, Scored, Standing, Why, WhyNot,
};
