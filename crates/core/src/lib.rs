//! The rules of Kapell: a command comes in, events come out, the state is a fold over them.
//!
//! [`Engine::execute`] is the way in: it judges a [`Request`] against the [`State`], folds what follows
//! and lets the placer fill what the command has freed, all in one step. Replay is [`State::apply`] over
//! the log. Nothing here reads a clock, a file or a random source: time, ids and chance come in with the
//! request, and the passing of time is a command.

mod agent;
mod analysis;
mod apply;
mod bottleneck;
mod breakdown;
mod budget;
mod call;
mod cases;
mod changes;
mod churn;
mod command;
mod conflict;
mod contention;
mod course;
mod cycle;
mod decide;
mod deliberation;
mod dispute;
mod due;
mod duty;
mod edit;
mod effort;
mod emergency;
mod engine;
mod escalation;
mod event;
mod force;
mod forecast;
mod gap;
mod gate;
mod handoff;
mod health;
mod held_back;
mod history;
mod impact;
mod index;
mod keys;
mod liveness;
mod load;
mod map;
mod measured;
mod message;
mod metrics;
mod monitor;
#[cfg(not(feature = "mutations"))]
mod mutation;
mod notice;
mod overlaps;
mod permission;
mod precedence;
mod rejection;
mod reservations;
mod segments;
mod snapshot;
mod soft;
mod stall;
mod state;
mod task;
mod tasks;
mod watch;
mod ways;

pub mod invariant;
#[cfg(feature = "mutations")]
pub mod mutation;

pub use agent::{Agent, Project};
pub use analysis::{
    Analysis, CapabilitySpec, Evidence, Field, InferredEdge, InferredRequire, PassedOver, Unresolved,
};
pub use bottleneck::{
    ActionEnd, Bottleneck, BottleneckAction, BottleneckKind, Bottlenecks, Measure, Narrow, Remedy, Severity,
    WaitTimes,
};
pub use breakdown::{Breakdown, Broken, Component, ComponentSource, Factors, Membership, Part};
pub use budget::{Account, BudgetOf, BudgetTarget, Closing, Grade, Ledger, Ledgers, UsageReport, money};
pub use call::Acknowledged;
pub use cases::{Case, Cases};
pub use churn::{Churn, Turn, TurnCause};
pub use command::{
    Address, AgentSpec, Closed, Command, EdgeSource, GateWord, InLine, Milestone, NewDecision, NewEmergency,
    NewForce, NewMessage, NewPolicy, NewProposal, ProjectSpec, Request, Require, ReservationRef, TaskRef,
    TaskSpec,
};
pub use conflict::{
    Conflict, ConflictKind, ConflictMatter, ConflictState, Deliberation, Resolution, Ruler, TaskConflicts,
};
pub use contention::WaitsFor;
pub use course::{Course, Sample};
pub use cycle::{BreakCause, BrokenEdge, cycle_text};
pub use deliberation::{MARGIN_MIN, OptionVotes, Proposal, SUPPORT_MIN, Topic, Undecided, Votes};
pub use dispute::{Award, AwardRule, Dispute, DisputeCause};
pub use duty::Duty;
pub use edit::{Change, TaskEdit};
pub use effort::Learned;
pub use emergency::{
    Action, ActionTaken, Emergencies, Emergency, EmergencyCause, EmergencyKind, EmergencyState, OPTIONAL,
    Pause, Scope, Settlement,
};
pub use engine::{Engine, Reply};
pub use escalation::{Escalation, EscalationKind, Subject};
pub use event::{Cause, Decision, DecodeError, Dropped, Event, MoveCause, Record, ReleaseCause};
pub use force::{Checkpoint, Force, Forces, Formation, Progress};
pub use forecast::ForecastSource;
pub use gap::{ABLE, Gap, SLOT_HOURS};
pub use gate::{Acceptance, CommandRun, GateStanding, Verdict};
pub use handoff::{Handoff, HandoffCause, Handoffs, Outcome, Package, Stage, Trouble};
pub use health::{Health, Share};
pub use impact::{Hundredths, Impact, asked_by};
pub use liveness::Liveness;
pub use load::{Load, MoveLoads};
pub use measured::Capability;
pub use message::{Channel, Delivery, Gathered, Message, Messages, Talk, Traffic};
pub use metrics::{Completions, Metrics, Tally};
pub use monitor::{ForecastMonitor, WorkloadMonitor};
pub use notice::{Inbox, Notice, NoticeKind};
pub use permission::{OptionKind, Permission, PermissionAnswer, PermissionAsk, PermissionOption};
pub use precedence::{Asserted, OrderSaid, Orders, Precedence, Ranking, Voice};
pub use rejection::Rejection;
pub use reservations::{Obstacle, Reservation, Reservations, Taken, Wait};
pub use segments::Segments;
pub use snapshot::{Facts, SNAPSHOT_FORMAT, SnapshotError};
pub use stall::{Clocks, Stall, StallCause};
pub use state::{Counts, Offer, OfferState, State};
pub use task::{Edge, Ending, Owner, Task};
pub use tasks::Tasks;
