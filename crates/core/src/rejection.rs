//! Why a command changes nothing. Refusals are expected, and are values; the edge turns them into codes.

use kapell_model::{
    AgentState, AssignmentId, ConflictId, EmergencyId, EscalationId, HandoffId, Moment, Name, PolicyError,
    Position, ReservationId, Span, TaskId, TaskState,
};

use crate::handoff::Stage;
use crate::reservations::{Obstacle, Taken};

/// A refused command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Something that it names does not exist.
    #[error("there is no {what} `{given}`")]
    NotFound {
        /// `task`, `agent`, `offer`, ...
        what: &'static str,
        /// The name that came.
        given: String,
    },
    /// Something of that name exists already.
    #[error("there is already {what} `{given}`{}", existing.as_deref().map(|id| format!(", it is {id}")).unwrap_or_default())]
    Duplicate {
        /// `an agent`, `a task with the key`, ...
        what: &'static str,
        /// The name that came.
        given: String,
        /// The id of what has it.
        existing: Option<String>,
    },
    /// A field has a value that is not allowed.
    #[error("field `{field}` is {given}; allowed is {allowed}")]
    Invalid {
        /// The field, dotted.
        field: String,
        /// What came.
        given: String,
        /// What is allowed.
        allowed: String,
    },
    /// The policy has a field out of range.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The policy was changed by somebody else meanwhile.
    #[error("the policy is at version {present}, not {seen}; read it again and repeat the change")]
    PolicyMoved {
        /// The version that the caller had seen.
        seen: u32,
        /// The present version.
        present: u32,
    },
    /// The task was changed by somebody else meanwhile.
    #[error("task {task} changed at {present}, not {seen}; read it again and repeat the edit")]
    TaskMoved {
        /// The task.
        task: TaskId,
        /// Where the caller had seen it change.
        seen: Position,
        /// Where it last changed.
        present: Position,
    },
    /// The task is not in a state from which this is possible.
    #[error("task {task} is {state}; {verb} is possible from {}", list(allowed))]
    WrongState {
        /// The task.
        task: TaskId,
        /// Its state.
        state: TaskState,
        /// What was asked.
        verb: &'static str,
        /// From which states it is possible.
        allowed: &'static [TaskState],
    },
    /// The report carries a token that is not the current one.
    #[error("assignment {given} of task {task} is outdated{}", current_owner(current.as_ref()))]
    StaleAssignment {
        /// The task.
        task: TaskId,
        /// The token that came.
        given: AssignmentId,
        /// The current token and its holder.
        current: Option<(AssignmentId, Name)>,
    },
    /// The report carries a token that never was one of the task.
    #[error("{}", wrong_assignment(*task, *given, of.as_ref()))]
    WrongAssignment {
        /// The task.
        task: TaskId,
        /// The token that came.
        given: AssignmentId,
        /// Which task of the agent's it is the current one of; none where there is no such token at all.
        of: Option<TaskId>,
    },
    /// The token is the current one, but another agent's.
    #[error("task {task} is owned by `{owner}`, not by `{agent}`")]
    NotOwner {
        /// The task.
        task: TaskId,
        /// Who reports.
        agent: Name,
        /// Who owns it.
        owner: Name,
    },
    /// The agent cannot take the task now.
    #[error("`{agent}` is no candidate for task {task}: {reason}")]
    NotCandidate {
        /// The task.
        task: TaskId,
        /// The agent.
        agent: Name,
        /// Why.
        reason: String,
    },
    /// Somebody else has what is wanted, or comes first in line for it.
    #[error("{}", taken(obstacle, holder, *now))]
    ResourceHeld {
        /// What is in the way.
        obstacle: Obstacle,
        /// Whose that is.
        holder: Name,
        /// When this was so.
        now: Moment,
    },
    /// Nothing new is assigned or claimed for now.
    #[error("assignments are held back by emergency {emergency}{}", next.map(|_| ", and let through little by little").unwrap_or_default())]
    Paused {
        /// Which.
        emergency: EmergencyId,
        /// When some are let through.
        next: Option<Moment>,
    },
    /// The reservation has ended; its number is outdated.
    #[error("reservation {reservation} has ended")]
    StaleReservation {
        /// Which.
        reservation: ReservationId,
    },
    /// The reservation or the place in line is another agent's.
    #[error("{what} belongs to `{holder}`, not to `{agent}`")]
    NotHolder {
        /// `R-7` or `W-3`.
        what: String,
        /// Who asks.
        agent: Name,
        /// Whose it is.
        holder: Name,
    },
    /// The reservation is one of a ring of waits, and its holder has been asked to release it.
    #[error("reservation {reservation} cannot be renewed: others wait for it in a ring; it ends in {left}")]
    AskedToRelease {
        /// Which.
        reservation: ReservationId,
        /// How long it lasts still.
        left: Span,
    },
    /// Claims are off in this fleet.
    #[error("claims are off in this fleet; work is handed out by score")]
    ClaimsOff,
    /// The edge would close a cycle.
    #[error("task {task} cannot wait for {on}: {}", cycle.iter().map(ToString::to_string).collect::<Vec<_>>().join(" waits for "))]
    Cycle {
        /// The dependent.
        task: TaskId,
        /// What it should wait for.
        on: TaskId,
        /// The whole cycle, beginning and ending with the dependent.
        cycle: Vec<TaskId>,
    },
    /// What is to come first waits for what is to come after it.
    #[error("task {first} cannot come before {then}: {}", path.iter().map(ToString::to_string).collect::<Vec<_>>().join(" waits for "))]
    OrderAgainstWaits {
        /// What is to come first.
        first: TaskId,
        /// What is to come after it.
        then: TaskId,
        /// The whole way from one to the other.
        path: Vec<TaskId>,
    },
    /// The order is another's word.
    #[error("that {first} is to come before {then} was said by {by}, not by `{agent}`")]
    OrderOfAnother {
        /// What is to come first.
        first: TaskId,
        /// What is to come after it.
        then: TaskId,
        /// Who asks.
        agent: Name,
        /// Who said it.
        by: String,
    },
    /// The agent is in a state in which this is pointless.
    #[error("agent `{agent}` is {state}")]
    AgentState {
        /// The agent.
        agent: Name,
        /// Its state.
        state: AgentState,
    },
    /// The task is being handed over already.
    #[error("task {task} is being handed over already, by {handoff}, which is {}", stage.as_str())]
    InHandoff {
        /// The task.
        task: TaskId,
        /// The handoff.
        handoff: HandoffId,
        /// Where that stands.
        stage: Stage,
    },
    /// Nobody was named, and nobody else can take the task now.
    #[error(
        "no other agent with a free slot scores high enough for task {task} now; name one to go below the threshold"
    )]
    NoRecipient {
        /// The task.
        task: TaskId,
    },
    /// The handoff is not where this is possible.
    #[error("handoff {handoff} of task {task} is {}{}; {verb} is possible {}", stage.as_str(),
        if *transferred { " and the task has changed hands" } else { "" },
        if *transferred { "only before that" } else { "only once the task has changed hands" })]
    WrongStage {
        /// Which.
        handoff: HandoffId,
        /// Its task.
        task: TaskId,
        /// Where it stands.
        stage: Stage,
        /// Whether the task has changed hands.
        transferred: bool,
        /// What was asked.
        verb: &'static str,
    },
    /// The handoff goes to another agent.
    #[error("handoff {handoff} goes to {}, not to `{agent}`", to.as_ref().map_or_else(|| "nobody now".to_owned(), |to| format!("`{to}`")))]
    NotRecipient {
        /// Which.
        handoff: HandoffId,
        /// Who asks.
        agent: Name,
        /// The present recipient.
        to: Option<Name>,
    },
    /// A bound was reached.
    #[error("{what} are limited to {limit}")]
    LimitExceeded {
        /// Of what.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// The offer or escalation has been settled already.
    #[error("{what} is already {state}")]
    Settled {
        /// `O-5` or `E-2`.
        what: String,
        /// As what.
        state: &'static str,
    },
    /// The proposal comes too late.
    #[error("the deadline of {conflict} passed {ago} ago; no more proposals are taken")]
    DeadlinePassed {
        /// The decision.
        conflict: ConflictId,
        /// How long ago.
        ago: Span,
    },
    /// The agent may not rule.
    #[error("`{agent}` may not rule on {conflict}: that takes the role `{role}`, or a person")]
    MayNotRule {
        /// The conflict.
        conflict: ConflictId,
        /// Who wanted to.
        agent: Name,
        /// Who may.
        role: &'static str,
    },
    /// The agent has not opened what it wants to take back.
    #[error("{conflict} was opened by {opener}, not by `{agent}`")]
    NotOpener {
        /// The conflict.
        conflict: ConflictId,
        /// Who asks.
        agent: Name,
        /// Who opened it.
        opener: String,
    },
    /// There is nothing to be said about it.
    #[error("nothing is to be said about {task}: {reason}")]
    NoGate {
        /// Which.
        task: TaskId,
        /// Why.
        reason: String,
    },
    /// The task cannot be broken down.
    #[error("{task} cannot be broken down: {reason}")]
    Indivisible {
        /// Which.
        task: TaskId,
        /// Why.
        reason: String,
    },
    /// The agent may not say whether the work passes.
    #[error("`{agent}` may not give the {gate} of {task}: {reason}")]
    MayNotPass {
        /// The task.
        task: TaskId,
        /// `review` or `approval`.
        gate: &'static str,
        /// Who wanted to.
        agent: Name,
        /// Why it may not.
        reason: String,
    },
    /// The escalation ends with the ruling that it asks for.
    #[error("{escalation} asks for a ruling on {conflict}; it ends with that")]
    NeedsRuling {
        /// The escalation.
        escalation: EscalationId,
        /// What is to be ruled on.
        conflict: ConflictId,
    },
    /// The escalation ends with the approval that it asks for.
    #[error("{escalation} asks for an approval of {task}; it ends with that")]
    NeedsVerdict {
        /// The escalation.
        escalation: EscalationId,
        /// What is to be approved.
        task: TaskId,
    },
    /// The escalation ends with the answer that it asks for.
    #[error("{escalation} asks what the owner of {task} may do; it ends with an answer to that")]
    NeedsAnswer {
        /// The escalation.
        escalation: EscalationId,
        /// Whose owner wants leave.
        task: TaskId,
    },
    /// The agent is not among those who are called.
    #[error("{escalation} calls the role `{role}`, not `{agent}`")]
    NotCalled {
        /// The escalation.
        escalation: EscalationId,
        /// Who spoke.
        agent: Name,
        /// Who is called now.
        role: Name,
    },
    /// The idempotency key came before with another body.
    #[error("this idempotency key was used before with another body")]
    KeyReused,
    /// What was done under keys of that time is forgotten already, or the key comes from the future.
    #[error(
        "the idempotency key was made at {made} ms; keys are taken that were made after {after} and up to {until}"
    )]
    KeyOutOfTime {
        /// When the key was made, in milliseconds since 1970, as are the others.
        made: i64,
        /// Keys made up to then may have been forgotten.
        after: i64,
        /// The latest that is taken.
        until: i64,
    },
}

/// Says who has what is wanted, and for how long.
pub(crate) fn taken(obstacle: &Obstacle, holder: &Name, now: Moment) -> String {
    let wanted = &obstacle.wanted.resource;
    let over = match &obstacle.taken.resource {
        taken if taken == wanted => String::new(),
        taken => format!(", which overlaps `{taken}`,"),
    };
    let of_task = obstacle.task.map(|task| format!(" for {task}")).unwrap_or_default();
    let mode = obstacle.taken.mode.as_str();
    match obstacle.by {
        Taken::Held(id, Some(until)) => {
            let left = until.since(now);
            format!("`{wanted}`{over} is held {mode} by `{holder}` under {id}{of_task} for another {left}")
        }
        Taken::Held(id, None) => {
            format!(
                "`{wanted}`{over} is held {mode} by `{holder}` under {id} as long as it owns{of_task_only}",
                of_task_only = obstacle.task.map(|task| format!(" {task}")).unwrap_or_default()
            )
        }
        Taken::Awaited(id, _) => {
            format!("`{wanted}`{over} is awaited by `{holder}` under {id}{of_task}, who comes first")
        }
    }
}

fn list(states: &[TaskState]) -> String {
    states.iter().map(|state| state.as_str()).collect::<Vec<_>>().join(", ")
}

fn wrong_assignment(task: TaskId, given: AssignmentId, of: Option<&TaskId>) -> String {
    match of {
        Some(of) => format!("assignment {given} is of task {of}, not of {task}"),
        None => format!("there is no assignment {given}, of task {task} or any other"),
    }
}

fn current_owner(current: Option<&(AssignmentId, Name)>) -> String {
    match current {
        Some((assignment, agent)) => format!("; the current one is {assignment}, held by `{agent}`"),
        None => "; nobody owns the task now".to_owned(),
    }
}
