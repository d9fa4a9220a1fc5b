//! Runs of cases that are the same every time, for tests that count what their draws have reached.

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};

/// Plays so many cases, and returns what they have reached.
pub fn reached<S: Strategy>(
    cases: u32,
    drawn: &S,
    play: impl Fn(S::Value, &mut BTreeSet<String>) -> TestCaseResult,
) -> BTreeSet<String> {
    let config = Config { failure_persistence: None, ..Config::with_cases(cases) };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let all = RefCell::new(BTreeSet::new());
    runner.run(drawn, |value| play(value, &mut all.borrow_mut())).unwrap_or_else(|broken| panic!("{broken}"));
    all.into_inner()
}
