//! The log's decoder: an event that is read is written as the same event, whatever else stands in the row is refused by name;
//! a snapshot is read whole or refused.
//!
//! A first byte of 0xff makes the others a snapshot; otherwise the input is a kind, a line break, and a body.

use kapell_core::{Event, SNAPSHOT_FORMAT, State, invariant};

/// Runs the target.
///
/// # Panics
/// Where an event changes when it is written and read again, or a refusal does not say what it refuses.
pub fn run(bytes: &[u8]) {
    match bytes.split_first() {
        Some((0xff, snapshot)) => restore(snapshot),
        _ => decode(bytes),
    }
}

fn decode(bytes: &[u8]) {
    let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else { return };
    let Ok(kind) = std::str::from_utf8(&bytes[..end]) else { return };
    let known = Event::KINDS.contains(&kind);
    match Event::decode(kind, &bytes[end + 1..]) {
        Ok(event) => {
            assert!(known && event.kind() == kind, "{kind} is read as {}", event.kind());
            let mut written = Vec::new();
            event.encode(&mut written);
            let again = Event::decode(kind, &written).expect("what was written is read");
            assert!(again == event, "{kind} changes: {event:?} became {again:?}");
            let mut twice = Vec::new();
            again.encode(&mut twice);
            assert_eq!(written, twice, "{kind} is written in two ways");
        }
        Err(error) => {
            let shown: String = kind.chars().take(64).collect();
            assert!(error.to_string().contains(&shown), "`{kind}` is refused without its name: {error}");
        }
    }
}

fn restore(bytes: &[u8]) {
    let Ok(state) = State::from_snapshot(SNAPSHOT_FORMAT, bytes) else { return };
    // A snapshot has a checksum of its own in the store: what it says is not judged here, only kept.
    if invariant::check(&state).is_ok() {
        let written = state.to_snapshot();
        let again = State::from_snapshot(SNAPSHOT_FORMAT, &written).expect("what was written is read");
        assert_eq!(again.to_snapshot(), written, "a snapshot changes when it is read again");
    }
}
