//! Refusals on the wire: RFC 9457 problem details with stable codes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:literal, $title:literal;)+) => {
        /// A stable error code. Each has a page that explains it, served at `/v1/errors/CODE`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode { $($(#[$doc])* $variant),+ }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the code as it stands on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// Returns the HTTP status that it comes with.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// Returns what it means, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }

            /// Returns the page that explains it, as Markdown.
            #[must_use]
            pub const fn page(self) -> &'static str {
                match self { $(Self::$variant => include_str!(concat!("../../../docs/errors/", $code, ".md"))),+ }
            }
        }
    };
}

codes! {
    /// A field is missing, unknown or has a value that is not allowed.
    BadRequest = "bad_request", 400, "the request is not allowed as it is";
    /// No token, or one that is not known.
    Unauthenticated = "unauthenticated", 401, "a valid token is needed";
    /// The token may not do this.
    Forbidden = "forbidden", 403, "the token may not do this";
    /// Something that it names does not exist.
    NotFound = "not_found", 404, "not found";
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", 405, "method not allowed";
    /// Something of that name exists already.
    Duplicate = "duplicate", 409, "it exists already";
    /// Not possible from the state that it is in.
    WrongState = "wrong_state", 409, "not possible in this state";
    /// The report's fencing token is outdated.
    StaleAssignment = "stale_assignment", 409, "the assignment is outdated";
    /// Another agent owns the task.
    NotOwner = "not_owner", 409, "another agent owns the task";
    /// The edge would close a cycle.
    Cycle = "cycle", 409, "the dependency would close a cycle";
    /// The agent cannot take the task now.
    NotACandidate = "not_a_candidate", 409, "the agent is no candidate";
    /// Somebody else has reserved what is wanted.
    ResourceHeld = "resource_held", 409, "somebody else has reserved it";
    /// The reservation has ended.
    StaleReservation = "stale_reservation", 409, "the reservation has ended";
    /// Claims are off in this fleet.
    ClaimsOff = "claims_off", 409, "claims are off";
    /// The idempotency key came before with another body.
    IdempotencyMismatch = "idempotency_mismatch", 409, "the key was used with another body";
    /// The idempotency key is so old that it may have been forgotten, or it is of the future.
    IdempotencyExpired = "idempotency_expired", 409, "the key is out of its time";
    /// A bound of the fleet was reached.
    LimitExceeded = "limit_exceeded", 409, "a limit was reached";
    /// The body is over its bound.
    PayloadTooLarge = "payload_too_large", 413, "the body is too large";
    /// The body is not JSON by its content type.
    UnsupportedMediaType = "unsupported_media_type", 415, "the body must be JSON";
    /// Too much is waiting; try again a little later.
    Busy = "busy", 503, "too busy; try again";
    /// The server is stopping.
    ShuttingDown = "shutting_down", 503, "the server is shutting down";
    /// A promise of ours was broken.
    Internal = "internal", 500, "an error of the server";
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Where the page of its code is: `/v1/errors/CODE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it means, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: ErrorCode,
    /// What happened here.
    pub detail: String,
    /// The field that is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<String>,
    /// What is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// When to try again, with `busy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The late result that was kept, with `stale_assignment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// The whole cycle, with `cycle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<Vec<String>>,
    /// Who has it, with `resource_held`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Under which reservation or place in line, with `resource_held`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<String>,
    /// Until when, with `resource_held`; absent where it is held as long as a task is owned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

impl Problem {
    /// Returns a problem of `code` that says `detail`.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/v1/errors/{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            code,
            detail: detail.into(),
            field: None,
            given: None,
            allowed: None,
            hint: None,
            retry_after_ms: None,
            offer: None,
            cycle: None,
            holder: None,
            reservation: None,
            expires_at: None,
        }
    }

    /// Returns the problem of a field with a value that is not allowed.
    #[must_use]
    pub fn field(field: impl Into<String>, given: impl Into<String>, allowed: impl Into<String>) -> Self {
        let (field, given, allowed) = (field.into(), given.into(), allowed.into());
        let detail = format!("field `{field}` is {given}; allowed is {allowed}");
        let (field, given, allowed) = (Some(field), Some(given), Some(allowed));
        Self { field, given, allowed, ..Self::new(ErrorCode::BadRequest, detail) }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_that_names_it() {
        for code in ErrorCode::ALL {
            assert!(code.page().starts_with(&format!("# {}\n", code.as_str())), "{}", code.as_str());
            let word = serde_json::to_value(code).expect("a word");
            assert_eq!(word, code.as_str());
        }
    }
}
