//! Exit codes, and how an error is told: what, why, and what to do.

use std::process::ExitCode;

use kapell_api::{ClientError, ErrorCode};

use crate::output::{self, Format};

/// How a command ends. The numbers are part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Ok,
    /// 1: an error of any other kind.
    Error,
    /// 2: usage: what was typed is not a value that is allowed.
    Usage,
    /// 3: refused by the rules (HTTP 400 and 409).
    Refused,
    /// 4: something that was named does not exist.
    NotFound,
    /// 5: no token, or one that may not do this.
    NotAllowed,
    /// 6: the server cannot be reached, or is too busy.
    Unreachable,
    /// 7: there is nothing, such as no work.
    Nothing,
}

impl Exit {
    /// Returns the number.
    pub fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Ok => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::NotFound => 4,
            Self::NotAllowed => 5,
            Self::Unreachable => 6,
            Self::Nothing => 7,
        })
    }
}

/// What whoever has no valid token can do here.
const TOKENS: &str = "name one with --token or KAPELL_TOKEN; the one in admin.token of the data directory goes only to the server \
    that runs on it, and where it is not let in any more, a restart of the server writes a new one there";

/// The exit codes, for the help text.
pub const HELP: &str = "\
Exit codes: 0 done, 1 error, 2 usage, 3 refused by the rules, 4 not found, 5 not allowed, 6 server not reached, \
7 nothing there";

/// Tells an error on standard error, in words or as JSON, and returns how to end.
pub fn report(error: &anyhow::Error, format: Format) -> Exit {
    let client = error.chain().find_map(|cause| cause.downcast_ref::<ClientError>());
    let (exit, hint) = match client {
        Some(ClientError::Problem(problem)) if problem.code == ErrorCode::Unauthenticated => {
            (of(problem.code), Some(TOKENS))
        }
        Some(ClientError::Problem(problem)) => (of(problem.code), problem.hint.as_deref()),
        Some(ClientError::EmptyName { .. }) => (Exit::NotFound, None),
        Some(ClientError::Unreachable { .. }) => {
            let hint = "is the server running? start it with `kapell up`, or name it with --server URL";
            (Exit::Unreachable, Some(hint))
        }
        _ => (exit_of(error).unwrap_or(Exit::Error), None),
    };
    if format == Format::Json {
        // What the server answered is told as it was.
        let told = match client {
            Some(ClientError::Problem(problem)) => serde_json::json!(problem),
            _ => serde_json::json!({"detail": format!("{error:#}"), "hint": hint}),
        };
        eprintln!("{told}");
        return exit;
    }
    eprintln!("error: {}", output::plain(&format!("{error:#}")));
    if let Some(hint) = hint {
        eprintln!("hint: {}", output::plain(hint));
    }
    exit
}

/// An error of this program's own that ends as one of the server's would.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Ends {
    /// How.
    pub exit: Exit,
    /// What is wrong, and what is allowed.
    pub what: String,
}

fn exit_of(error: &anyhow::Error) -> Option<Exit> {
    error.downcast_ref::<Ends>().map(|ends| ends.exit)
}

fn of(code: ErrorCode) -> Exit {
    match code.status() {
        400 | 409 | 413 | 415 => Exit::Refused,
        401 | 403 => Exit::NotAllowed,
        404 => Exit::NotFound,
        503 => Exit::Unreachable,
        _ => Exit::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_end_by_their_kind() {
        assert_eq!(of(ErrorCode::Cycle), Exit::Refused);
        assert_eq!(of(ErrorCode::NotFound), Exit::NotFound);
        assert_eq!(of(ErrorCode::Forbidden), Exit::NotAllowed);
        assert_eq!(of(ErrorCode::Busy), Exit::Unreachable);
        assert_eq!(of(ErrorCode::Internal), Exit::Error);
    }
}
