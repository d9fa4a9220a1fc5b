//! The tools: a file per tier.

mod core;
mod manage;
mod standard;

pub(crate) use core::core;
pub(crate) use manage::all;
pub(crate) use standard::standard;

use serde_json::{Value, json};

use crate::gate::escaped;

fn agent_path(agent: &str, rest: &str) -> String {
    format!("/v1/agents/{}{rest}", escaped(agent))
}

fn task_path(task: &str, rest: &str) -> String {
    format!("/v1/tasks/{}{rest}", escaped(task))
}

/// The schema of an acknowledgement.
fn acknowledged() -> Value {
    json!({"type": "object", "properties": {
        "task": {"type": "string"},
        "state": {"type": "string"},
        "agent": {"type": "string"},
        "assignment": {"type": "string"},
        "notices": {"type": "integer", "description": "Unread notices: call next"},
    }})
}

/// The schema of anything, where the contract says what it is.
fn anything() -> Value {
    json!({"type": "object"})
}

/// The schema of a list.
fn listed() -> Value {
    json!({"type": "object", "properties": {
        "items": {"type": "array", "items": {"type": "object"}},
        "next_cursor": {"type": "string"},
    }, "required": ["items"]})
}
