//! Exit codes, and how an error is told: what, why, and what to do.

use std::process::ExitCode;

use kapell_api::{ClientError, ErrorCode};

/// How a command ends. The numbers are part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Ok,
    /// 1: an error of any other kind.
    Error,
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
            Self::Refused => 3,
            Self::NotFound => 4,
            Self::NotAllowed => 5,
            Self::Unreachable => 6,
            Self::Nothing => 7,
        })
    }
}

/// The exit codes, for the help text.
pub const HELP: &str = "\
Exit codes: 0 done, 1 error, 2 usage, 3 refused by the rules, 4 not found, 5 not allowed, 6 server not reached, \
7 nothing there";

/// Tells an error on standard error and returns how to end.
pub fn report(error: &anyhow::Error) -> Exit {
    let client = error.chain().find_map(|cause| cause.downcast_ref::<ClientError>());
    eprintln!("error: {}", crate::output::plain(&format!("{error:#}")));
    match client {
        Some(ClientError::Problem(problem)) => {
            if let Some(hint) = &problem.hint {
                eprintln!("hint: {}", crate::output::plain(hint));
            }
            of(problem.code)
        }
        Some(ClientError::Unreachable { .. }) => {
            eprintln!("hint: is the server running? start it with `kapell up`, or name it with --server URL");
            Exit::Unreachable
        }
        _ => Exit::Error,
    }
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
