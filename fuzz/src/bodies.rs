//! What the door reads as JSON: a body that is read is written back as it was, and one that is not says where it is wrong.
//!
//! The first line names the type, or its first byte chooses one; the rest is the body.

use kapell_api as api;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a body and writes it back; nothing where it does not fit.
type Read = fn(&[u8]) -> Option<Value>;

macro_rules! types {
    ($($name:ident),+ $(,)?) => {
        /// Every type of a body, by its name in the published document.
        pub const TYPES: &[(&str, Read)] = &[$((stringify!($name), read::<api::$name>)),+];
    };
}

types! {
    AgentChoice, AgentRegistration, BulkLine, CapabilityDefinition, ChannelMember, CheckReport, DeadLetterChoice, Decision, DoneReport, Ending, EscalationWord, FailReport, HandoffCancellation, HandoffConfirmation, HandoffPackage, HandoffRefusal, HandoffRequest, MessageAck, MessagesRead, MoveTo, NewAssertion, NewBreakdown, NewBudget, NewChannel, NewDecision, NewDependency, NewDispute, NewEmergency, NewForecast, NewMessage, NewOrder, NewPermission, NewProject, NewProposal, NewReservation, NewRuling, NewTaskForce, NewToken, NewVerdict, NewWebhook, NextRequest, NoticesRead, OrderTakenBack, PermissionWithdrawal, Policy, ProgressReport, ProposedComponents, Reason, ReleaseReport, ReleaseReservation, RenewReservation, Restoration, RotateToken, RotateWebhook, StartReport, TaskEdit, TaskSubmission, UsageReport, Withdrawal, WorkingHours,
}

fn read<T: Serialize + DeserializeOwned>(body: &[u8]) -> Option<Value> {
    let value: T = api::from_slice(body).ok()?;
    let written = serde_json::to_value(&value).expect("what was read can be written");
    let again: T = serde_json::from_value(written.clone()).expect("what was written can be read");
    assert_eq!(
        serde_json::to_value(&again).expect("it can be written"),
        written,
        "it changes when it is read again"
    );
    Some(written)
}

/// Runs the target.
///
/// # Panics
/// Where a body that is accepted is not written back as it was.
pub fn run(bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else { return };
    let (named, body) = (&bytes[..end], &bytes[end + 1..]);
    let chosen = TYPES.iter().position(|(name, _)| name.as_bytes() == named);
    let chosen = chosen.unwrap_or_else(|| usize::from(named.first().copied().unwrap_or(0)) % TYPES.len());
    let (name, read) = TYPES[chosen];
    let Some(written) = read(body) else { return };
    let Ok(given) = serde_json::from_slice::<Value>(body) else { panic!("{name}: no JSON is accepted") };
    check(name, &|value| read(value.to_string().as_bytes()), &given, &given, &written, &mut Vec::new());
}

/// Holds what was written to what was given: every member is there with its value, unless it makes no difference.
fn check(
    name: &str,
    read: &dyn Fn(&Value) -> Option<Value>,
    whole: &Value,
    given: &Value,
    written: &Value,
    path: &mut Vec<String>,
) {
    match (given, written) {
        (Value::Object(given), Value::Object(written)) => {
            for (member, value) in given {
                path.push(member.clone());
                match written.get(member) {
                    Some(now) => check(name, read, whole, value, now, path),
                    None => {
                        let without = without(whole, path);
                        assert_eq!(read(&without), read(whole), "{name}: {path:?} is lost of {whole}");
                    }
                }
                path.pop();
            }
        }
        (Value::Array(given), Value::Array(written)) => {
            assert_eq!(given.len(), written.len(), "{name}: {path:?} of {whole}");
            for (index, (given, written)) in given.iter().zip(written).enumerate() {
                path.push(index.to_string());
                check(name, read, whole, given, written, path);
                path.pop();
            }
        }
        (Value::Number(given), Value::Number(written)) => {
            assert_eq!(given.as_f64(), written.as_f64(), "{name}: {path:?} of {whole}");
        }
        _ => assert_eq!(given, written, "{name}: {path:?} of {whole}"),
    }
}

fn without(whole: &Value, path: &[String]) -> Value {
    let mut whole = whole.clone();
    let (last, front) = path.split_last().expect("a member has a name");
    let mut at = &mut whole;
    for step in front {
        at = match at {
            Value::Array(items) => &mut items[step.parse::<usize>().expect("a place")],
            other => &mut other[step.as_str()],
        };
    }
    at.as_object_mut().expect("members stand in an object").remove(last);
    whole
}
