//! The fuzz targets in the ordinary tests: on the corpus as it stands, on changed copies of it, and on bytes that were drawn.

use std::path::Path;

use kapell_core::Event;
use kapell_fuzz::{TARGETS, bodies, requests, target};
use proptest::prelude::*;

/// The log of every kind of event, one a line: position, time, command, actor, kind, body.
const EVENTS: &str = include_str!("../../crates/core/tests/samples/log-v1.txt");

/// Returns what stands in the corpus of a target; that of the log has the samples of every kind besides.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let mut inputs: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).expect("an input")).collect();
    if name == "log" {
        let samples = EVENTS.lines().map(|line| {
            let mut words = line.splitn(6, ' ').skip(4);
            format!("{}\n{}", words.next().expect("a kind"), words.next().expect("a body")).into_bytes()
        });
        inputs.extend(samples);
    }
    assert!(!inputs.is_empty(), "{name} has no corpus");
    inputs
}

/// A change of an input.
#[derive(Debug, Clone)]
enum Change {
    Set(usize, u8),
    Insert(usize, Vec<u8>),
    Remove(usize, usize),
    Copy(usize, usize, usize),
}

/// What is put in somewhere.
const WORDS: &[&str] = &[
    "\"",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "-1",
    "1e999",
    "\"a\"",
    "\n",
    "\\u0000",
    "18446744073709551616",
    "{}",
    "\u{85}",
    "'",
];

fn change() -> impl Strategy<Value = Change> {
    let words = prop::sample::select(WORDS);
    let insert = prop_oneof![
        words.prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..8)
    ];
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<usize>(), insert).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<usize>(), 1..16_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (any::<usize>(), any::<usize>(), 1..32_usize)
            .prop_map(|(from, to, count)| Change::Copy(from, to, count)),
    ]
}

fn changed(mut input: Vec<u8>, changes: Vec<Change>) -> Vec<u8> {
    for change in changes {
        let length = input.len();
        let place = |at: usize| at.checked_rem(length + 1).unwrap_or(0);
        match change {
            Change::Set(at, byte) => {
                if let Some(here) = input.get_mut(place(at)) {
                    *here = byte;
                }
            }
            Change::Insert(at, bytes) => drop(input.splice(place(at)..place(at), bytes)),
            Change::Remove(at, count) => drop(input.drain(place(at)..length.min(place(at) + count))),
            Change::Copy(from, to, count) => {
                let bytes = input[place(from)..length.min(place(from) + count)].to_vec();
                input.splice(place(to)..place(to), bytes);
            }
        }
    }
    input
}

/// Runs a target on its corpus, and on `cases` inputs of two sorts: drawn, and changed from the corpus.
fn holds(name: &str, cases: u32) {
    let run = target(name).expect("a target").run;
    let corpus = corpus(name);
    for input in &corpus {
        run(input);
    }
    let near = (prop::sample::select(corpus), prop::collection::vec(change(), 0..6))
        .prop_map(|(input, changes)| changed(input, changes));
    let drawn = prop::collection::vec(any::<u8>(), 0..600);
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 60,
        ..ProptestConfig::default()
    };
    proptest!(config, |(input in prop_oneof![near, drawn])| run(&input));
}

#[test]
fn bodies_are_written_back_as_they_were_read() {
    holds("bodies", 2_000);
}

#[test]
fn files_are_read_or_refused_by_name() {
    holds("files", 1_000);
}

#[test]
fn globs_agree_with_a_plain_matcher() {
    holds("globs", 200);
}

#[test]
fn imports_lose_nothing_in_silence() {
    holds("imports", 40);
}

#[test]
fn events_are_read_and_written_or_refused_by_name() {
    holds("log", 2_000);
}

#[test]
fn requests_are_answered_as_published() {
    holds("requests", 16);
}

/// A target whose requests are all refused would hold whatever the server does.
#[test]
fn every_route_of_the_published_document_is_taken_somewhere() {
    let not_taken = requests::not_taken();
    assert!(not_taken.is_empty(), "nothing takes {not_taken:?}: they go into fuzz/src/tour.rs");
}

#[test]
fn every_body_of_the_published_document_is_in_the_target() {
    let known: std::collections::BTreeSet<String> =
        bodies::TYPES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let missing: Vec<_> = requests::bodies().difference(&known).cloned().collect();
    assert!(missing.is_empty(), "no target reads {missing:?}: they go into `types!` in fuzz/src/bodies.rs");
}

/// A target that cannot fail proves nothing: each has its folder, and the log's samples cover every kind.
#[test]
fn every_target_has_a_corpus_and_every_kind_of_event_a_sample() {
    for target in TARGETS {
        assert!(!corpus(target.name).is_empty(), "{}", target.name);
    }
    let samples = corpus("log");
    for kind in Event::KINDS {
        assert!(
            samples.iter().any(|it| it.starts_with(format!("{kind}\n").as_bytes())),
            "no sample of {kind}"
        );
    }
}
