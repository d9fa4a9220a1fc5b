//! What a tool answers with: structured data, or a problem in words that an agent can act on.

use kapell_api::{ErrorCode, Problem};
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::Value;

/// Returns the result of a call.
pub(crate) fn result(answer: Result<Value, Problem>) -> CallToolResult {
    match answer {
        Ok(value) => CallToolResult::structured(value),
        Err(problem) => refused(&problem),
    }
}

fn refused(problem: &Problem) -> CallToolResult {
    let mut text = format!("{}: {}", problem.code.as_str(), problem.detail);
    if let Some(next) = problem.hint.as_deref().or_else(|| advice(problem.code)) {
        text += ". What to do: ";
        text += next;
    }
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    result.structured_content = serde_json::to_value(problem).ok();
    result
}

/// Returns what an agent does next, where the refusal itself does not say it.
fn advice(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::StaleAssignment | ErrorCode::NotOwner => {
            "stop working on this task: it is not yours any more. Call `next` for other work"
        }
        ErrorCode::Busy | ErrorCode::ShuttingDown => "wait a few seconds and make the same call again",
        ErrorCode::Unauthenticated => {
            "the token in your MCP configuration is not valid; a manager makes one with `kapell token`"
        }
        ErrorCode::Forbidden => "ask a manager of the fleet, or use the token that was made for you",
        ErrorCode::StaleReservation => "stop using what it was for, and call `reserve` again",
        ErrorCode::NotFound => "check the id; tasks are T-12 or their own key",
        ErrorCode::BadRequest => "mend the field that is named and call again",
        ErrorCode::WrongState => "call `why` with the task to see where it stands",
        _ => return None,
    })
}
