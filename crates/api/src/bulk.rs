//! Many commands in one request: one JSON object a line, each standing alone.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::agent::{AgentRegistration, Assignment};
use crate::problem::Problem;
use crate::report::{Ack, DoneReport, FailReport, ProgressReport, ReleaseReport, StartReport};
use crate::reservation::{NewReservation, ReleaseReservation, RenewReservation};
use crate::task::TaskSubmission;

/// One line: an object with one member, the verb, that holds its body: `{"done":{"task":"T-1",...}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BulkLine {
    /// Registers an agent.
    Register(AgentRegistration),
    /// Submits a task.
    Submit(Box<TaskSubmission>),
    /// Fetches assignments, without waiting.
    Next(NextLine),
    /// Renews a lease.
    Heartbeat(HeartbeatLine),
    /// Tells that an agent has read its notices.
    Read(ReadLine),
    /// Reports a start.
    Start(StartReport),
    /// Reports progress.
    Progress(ProgressReport),
    /// Reports a result.
    Done(DoneReport),
    /// Reports a failed attempt.
    Fail(FailReport),
    /// Gives a task back.
    Release(ReleaseReport),
    /// Reserves resources.
    Reserve(NewReservation),
    /// Begins a lease anew.
    RenewReservation(RenewReservation),
    /// Releases a reservation, or leaves the line.
    ReleaseReservation(ReleaseReservation),
}

/// Fetches assignments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NextLine {
    /// For whom.
    pub agent: String,
    /// At most so many, 1..=100. Default 1.
    #[serde(default = "one")]
    pub max: usize,
}

const fn one() -> usize {
    1
}

/// Tells that an agent has read its notices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadLine {
    /// Whose.
    pub agent: String,
    /// The last one that it has read, `N-3`.
    pub up_to: String,
}

/// Renews a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatLine {
    /// Whose.
    pub agent: String,
}

/// The answer to one line, in the order of the lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BulkAnswer {
    /// It was done.
    Ok(Ack),
    /// The assignments asked for.
    Assignments(Vec<Assignment>),
    /// It was refused, and changed nothing.
    Error(Problem),
}
