//! What was written once is read for ever. The sample of a version stays as it was written: a kind keeps its meaning, a
//! new field has a default, and another meaning is another kind.

use std::collections::BTreeSet;
use std::sync::Arc;

use kapell_core::{Event, OfferState, Record, State, invariant};
use kapell_model::{CommandId, Moment, Position, TaskState};

/// One event a line: position, milliseconds, command, actor, kind, body.
const VERSION_1: &str = include_str!("samples/log-v1.txt");

fn records() -> Vec<(Record, &'static str)> {
    let read = |line: &'static str| {
        let mut words = line.splitn(6, ' ');
        let mut word = || words.next().expect("six words");
        let position = Position(word().parse().expect("a position"));
        let at = Moment(word().parse().expect("milliseconds"));
        let command = CommandId(word().parse().expect("a number"));
        let (actor, kind, body) = (Arc::from(word()), word(), word());
        let event = Event::decode(kind, body.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error:?}"));
        (Record { position, at, command, actor, event }, body)
    };
    VERSION_1.lines().map(read).collect()
}

#[test]
fn every_event_of_version_1_is_read_and_written_as_it_stands() {
    let mut kinds = BTreeSet::new();
    for (record, body) in records() {
        let mut written = Vec::new();
        record.event.encode(&mut written);
        assert_eq!(String::from_utf8_lossy(&written), body, "{}", record.event.kind());
        kinds.insert(record.event.kind());
    }
    let missing: Vec<_> = Event::KINDS.iter().filter(|kind| !kinds.contains(**kind)).collect();
    assert!(missing.is_empty(), "no sample of {missing:?}: add one to a sample of their version");
}

#[test]
fn the_log_of_version_1_means_what_it_meant() {
    let mut state = State::default();
    for (record, _) in records() {
        state.apply(&record);
        invariant::check(&state).unwrap_or_else(|broken| panic!("event {}: {broken}", record.position.0));
    }
    let states: Vec<TaskState> = state.tasks().iter().map(|task| task.state()).collect();
    assert_eq!(
        states,
        [
            TaskState::Completed,
            TaskState::InProgress,
            TaskState::Blocked,
            TaskState::Cancelled,
            TaskState::Assigned,
            TaskState::Failed,
            TaskState::Ready,
            TaskState::Blocked,
            TaskState::Ready,
            TaskState::Cancelled,
            TaskState::Archived,
            TaskState::Blocked,
            TaskState::Ready,
            TaskState::Blocked,
            TaskState::Blocked,
            TaskState::Blocked
        ]
    );
    let inferred = state.tasks().iter().flat_map(|task| &task.edges).filter(|edge| edge.inferred).count();
    assert_eq!(inferred, 3, "an edge that was inferred is told from one that was declared");
    let offers: Vec<OfferState> = state.offers().iter().map(|offer| offer.state).collect();
    assert_eq!(offers, [OfferState::Accepted, OfferState::Declined]);
    let owners = state.tasks().iter().filter_map(|task| task.owner.as_ref());
    assert_eq!(owners.map(|owner| owner.assignment.to_string()).collect::<Vec<_>>(), ["A-11", "A-10"]);
}

#[test]
fn a_kind_or_body_that_does_not_fit_is_refused_by_name() {
    let unknown = Event::decode("task.teleported", b"{}").expect_err("no such kind");
    assert!(unknown.to_string().contains("task.teleported"), "{unknown}");
    let body = Event::decode("task.resumed", br#"{"task":"T-0"}"#).expect_err("no such task");
    assert!(body.to_string().contains("task.resumed"), "{body}");
}
