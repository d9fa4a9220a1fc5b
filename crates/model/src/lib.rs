//! The words of Kapell: ids, names, limits, policy, `Situation` and `Placement`.
//!
//! Every other room speaks with these. There are no rules here, and no clock: a [`Moment`] is a
//! number that somebody else read.

mod agent_view;
mod balancing;
mod breaking;
mod budget;
mod class;
mod emergencies;
mod escalating;
mod excerpt;
mod fit;
mod flow;
mod forecast;
mod gating;
mod glob;
mod handing;
mod holders;
mod hours;
mod id;
mod moment;
mod name;
mod patience;
mod placer;
mod plan;
mod policy;
mod queues;
mod ratio;
mod reporting;
mod resource;
mod roster;
mod score;
mod sign;
mod situation;
mod standing;
mod track;
mod vocabulary;
mod wants;

pub mod limits;
pub mod mention;
pub mod prose;

pub use agent_view::AgentView;
pub use balancing::{Average, BalanceAgent, BalanceTask, BalanceView, Balancing, Loads, MoveSeen, relieves};
pub use breaking::{BreakdownBy, Breaking};
pub use budget::{Budget, Budgets, Cost, Day, Expected, Limit, Limits, Period, Unit, Usage};
pub use class::{Class, Gate, Requirement};
pub use emergencies::Emergencies;
pub use escalating::Escalating;
pub use excerpt::{Excerpt, Waiting};
pub use fit::{Unfit, able, capable, fit, kept_from};
pub use flow::{Adjust, Flow};
pub use forecast::{Forecast, ForecastRole, ForecastTask, ForecastView, Forecasting};
pub use gating::{Gating, TaskGate};
pub use glob::{Glob, GlobError};
pub use handing::{Handing, Messaging, StartedWork};
pub use hours::{DAYS, Hours, HoursError, Shift, ZoneOffset};
pub use id::{
    ActionId, AgentId, AssignmentId, BottleneckId, ClassId, CommandId, ConflictId, EmergencyId, EscalationId,
    ForceId, HandoffId, MessageId, NoticeId, OfferId, ParseIdError, PermissionId, Position, ReservationId,
    TaskId, WaitId, Word,
};
pub use moment::{Moment, Span};
pub use name::{Name, NameError, Text, TextError};
pub use patience::{Redispatch, Stalls};
pub use placer::{Placement, Placer};
pub use plan::{Plan, PlanItem, PlanKind};
pub use policy::{
    Ack, Capabilities, Claims, Cycles, Inference, OnFailedDependency, Policy, PolicyError, Reserving,
    Strategy, Weights,
};
pub use queues::QueueKey;
pub use ratio::{Ratio, RatioError};
pub use reporting::{HealthWeights, Reporting};
pub use resource::{Mode, Need, Resource, ResourceError};
pub use score::{Considered, Parts, SCORER_VERSION};
pub use sign::is_unseen;
pub use situation::Situation;
pub use standing::Standing;
pub use vocabulary::{AgentKind, AgentState, DependencyKind, Priority, TaskState};
pub use wants::Want;
