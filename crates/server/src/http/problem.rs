//! The one table that turns refusals into codes and statuses.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kapell_api::{ErrorCode, Problem};
use kapell_core::{Rejection, Taken};
use utoipa::IntoResponses;

use super::convert::time;
use crate::admission::STUCK_AFTER;
use crate::fleet::Refused;
use crate::past::PastError;
use crate::token::TokenError;

/// What a caller should wait, in ms, while somebody else looks at the past.
const PAST_RETRY_MS: u64 = 500;

/// How long a caller was told to stay away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told(pub(super) Duration);

/// A problem on its way out.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Problem);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(header::CONTENT_TYPE, kind)], body).into_response();
        if let Some(millis) = self.0.retry_after_ms {
            // The header knows whole seconds only.
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(millis.div_ceil(1_000)));
            response.extensions_mut().insert(Told(Duration::from_millis(millis)));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self(problem_of(&rejection))
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::TooMany => Self(Problem::new(ErrorCode::LimitExceeded, error.to_string())),
            other => {
                tracing::error!(error = %other, "tokens");
                Self(Problem::new(ErrorCode::Internal, other.to_string()))
            }
        }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Rejected(rejection) => rejection.into(),
            Refused::Busy { .. } | Refused::Asking { .. } | Refused::Stuck { .. } => {
                let after = match refused {
                    Refused::Busy { after } | Refused::Asking { after, .. } => after,
                    _ => STUCK_AFTER,
                };
                let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
                let problem = Problem::new(ErrorCode::Busy, refused.to_string());
                Self(Problem { retry_after_ms: Some(millis), ..problem })
            }
            Refused::Down => Self(Problem::new(ErrorCode::ShuttingDown, "the server is shutting down")),
        }
    }
}

impl From<PastError> for Refusal {
    fn from(error: PastError) -> Self {
        match error {
            PastError::Busy => {
                let problem = Problem::new(ErrorCode::Busy, error.to_string());
                Self(Problem { retry_after_ms: Some(PAST_RETRY_MS), ..problem })
            }
            PastError::Log(source) => {
                tracing::error!(error = %source, "the past");
                Self(Problem::new(ErrorCode::Internal, source.to_string()))
            }
            PastError::Down => Self(Problem::new(ErrorCode::ShuttingDown, error.to_string())),
        }
    }
}

/// Returns the problem that a refusal by the rules is shown as.
pub(crate) fn problem_of(rejection: &Rejection) -> Problem {
    let of = |code| Problem::new(code, rejection.to_string());
    match rejection {
        Rejection::NotFound { what, given } => {
            let hint = match *what {
                "agent" => Some("`kapell agent list` shows who is registered"),
                "task" => Some("tasks are named T-12 or by the key that they were submitted with"),
                _ => None,
            };
            let problem = Problem { given: Some(given.clone()), ..of(ErrorCode::NotFound) };
            hint.map_or_else(|| problem.clone(), |hint| problem.clone().hint(hint))
        }
        Rejection::Duplicate { given, .. } => {
            Problem { given: Some(given.clone()), ..of(ErrorCode::Duplicate) }
        }
        Rejection::Invalid { field, given, allowed } => {
            Problem::field(field.as_str(), given.as_str(), allowed.as_str())
        }
        Rejection::Policy(error) => Problem::field(error.field, error.given.as_str(), error.allowed),
        Rejection::PolicyMoved { .. }
        | Rejection::TaskMoved { .. }
        | Rejection::WrongState { .. }
        | Rejection::InHandoff { .. }
        | Rejection::WrongStage { .. }
        | Rejection::Settled { .. } => of(ErrorCode::WrongState),
        Rejection::AgentState { .. } | Rejection::Indivisible { .. } | Rejection::NoGate { .. } => {
            of(ErrorCode::WrongState)
        }
        Rejection::StaleAssignment { .. } => of(ErrorCode::StaleAssignment).hint(STALE_HINT),
        Rejection::WrongAssignment { of, .. } => {
            let hint = match of {
                Some(of) => format!("name {of} with it, or the task with its own assignment"),
                None => {
                    "each task is reported under the assignment that it was handed out with, such as A-12"
                        .to_owned()
                }
            };
            Problem::new(ErrorCode::StaleAssignment, rejection.to_string()).hint(hint)
        }
        Rejection::NotOwner { .. } | Rejection::NotRecipient { .. } => of(ErrorCode::NotOwner),
        Rejection::NoRecipient { .. } => of(ErrorCode::NotACandidate),
        Rejection::NotCandidate { agent, task, .. } => {
            of(ErrorCode::NotACandidate).hint(format!("`kapell why-not {agent} {task}` shows all of it"))
        }
        Rejection::ResourceHeld { obstacle, holder, .. } => {
            let (reservation, expires_at) = match obstacle.by {
                Taken::Held(id, until) => (id.to_string(), until),
                Taken::Awaited(id, until) => (id.to_string(), Some(until)),
            };
            Problem {
                holder: Some(holder.to_string()),
                reservation: Some(reservation),
                expires_at: expires_at.map(time),
                ..of(ErrorCode::ResourceHeld).hint("ask again with `wait` to stand in line")
            }
        }
        Rejection::NotHolder { holder, what, .. } => Problem {
            holder: Some(holder.to_string()),
            reservation: Some(what.clone()),
            ..of(ErrorCode::ResourceHeld)
        },
        Rejection::StaleReservation { .. } => {
            of(ErrorCode::StaleReservation).hint("stop using what it was for, and reserve it again to go on")
        }
        Rejection::AskedToRelease { .. } => {
            of(ErrorCode::WrongState).hint("release it, and ask for what you need anew, with `wait`")
        }
        Rejection::DeadlinePassed { conflict, .. } => of(ErrorCode::WrongState)
            .hint(format!("`kapell decision show {conflict}` shows how it was decided, or who is called")),
        Rejection::MayNotRule { .. }
        | Rejection::MayNotPass { .. }
        | Rejection::NotOpener { .. }
        | Rejection::OrderOfAnother { .. }
        | Rejection::NotCalled { .. } => of(ErrorCode::Forbidden),
        Rejection::NeedsRuling { conflict, .. } => {
            of(ErrorCode::WrongState).hint(format!("`kapell decision rule {conflict}` decides"))
        }
        Rejection::NeedsAnswer { .. } => of(ErrorCode::WrongState)
            .hint("`kapell inbox` shows what is wanted, and the command that answers it"),
        Rejection::NeedsVerdict { task, .. } => of(ErrorCode::WrongState)
            .hint(format!("`kapell approve {task}` and `kapell reject {task}` say it")),
        Rejection::Paused { .. } => of(ErrorCode::WrongState).hint("`kapell emergency list` shows it"),
        Rejection::ClaimsOff => of(ErrorCode::ClaimsOff),
        Rejection::Cycle { cycle, .. } => {
            Problem { cycle: Some(cycle.iter().map(ToString::to_string).collect()), ..of(ErrorCode::Cycle) }
        }
        Rejection::OrderAgainstWaits { path, .. } => {
            Problem { cycle: Some(path.iter().map(ToString::to_string).collect()), ..of(ErrorCode::Cycle) }
        }
        Rejection::LimitExceeded { .. } => of(ErrorCode::LimitExceeded),
        Rejection::KeyReused => of(ErrorCode::IdempotencyMismatch).hint("make a fresh key for every command"),
        Rejection::KeyOutOfTime { .. } => {
            let problem =
                Problem { field: Some("Idempotency-Key".to_owned()), ..of(ErrorCode::IdempotencyExpired) };
            problem.hint("look whether the command was executed; if it was not, send it with a fresh key")
        }
    }
}

/// What an agent that reports under an outdated token should do.
pub(crate) const STALE_HINT: &str = "stop working on it and ask for the next task";

/// What every route may refuse with, for the OpenAPI document.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "stands in the document only")]
pub(crate) enum Refusals {
    /// The request is not allowed as it is.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(Problem),
    /// A valid token is needed.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(Problem),
    /// The token may not do this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// Something that it names does not exist.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// Not possible now; the code says why.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Problem),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// The body must be JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(Problem),
    /// An error of the server.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(Problem),
    /// Too busy, or shutting down.
    #[response(status = 503, content_type = "application/problem+json")]
    Busy(Problem),
}
