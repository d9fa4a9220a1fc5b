//! Handles: what joining returns and every later call carries.
//!
//! A handle is the agent's name and a digest of the name under the token that joined. It keeps one agent from speaking as
//! another by mistake; what a caller may do is the token's matter alone. Nothing is stored: the same agent that joins again
//! with the same token gets the same handle, after a restart of anything.

use kapell_api::{ErrorCode, Problem};

/// Never part of an agent's name.
const MARK: char = '~';
/// Hexadecimal digits of the digest: 64 bits.
const DIGITS: usize = 16;

/// Makes the handle of `agent` under `token`.
pub(crate) fn made(agent: &str, token: &str) -> String {
    format!("{agent}{MARK}{}", digest(agent, token))
}

/// Returns the agent that a handle stands for.
pub(crate) fn agent<'a>(handle: &'a str, token: &str) -> Result<&'a str, Problem> {
    match handle.trim().rsplit_once(MARK) {
        Some((agent, mark)) if mark == digest(agent, token) => Ok(agent),
        _ => Err(Problem::field("handle", "not one that was made with this token", "what `join` returned")
            .hint("call `join` with your name again, and use the handle that it returns")),
    }
}

/// Returns the problem of a missing name.
pub(crate) fn nameless() -> Problem {
    Problem::new(ErrorCode::BadRequest, "field `name` is missing")
        .hint("choose a name and pass it, such as backend-1")
}

fn digest(agent: &str, token: &str) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("kapell mcp handle, version 1");
    hasher.update(token.as_bytes()).update(&[0]).update(agent.as_bytes());
    hasher.finalize().to_hex()[..DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_stands_for_its_agent_and_token_alone() {
        let handle = made("gas/nux#1", "kpl_a");
        assert_eq!(agent(&handle, "kpl_a").ok(), Some("gas/nux#1"));
        assert_eq!(handle, made("gas/nux#1", "kpl_a"));
        assert!(agent(&handle, "kpl_b").is_err());
        assert!(agent(&handle.replace("nux", "nix"), "kpl_a").is_err());
        assert!(agent("gas/nux#1", "kpl_a").is_err());
    }
}
