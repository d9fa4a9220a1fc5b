//! Every seeded bug is found within the budget: `cargo test --release -p kapell-sim --features mutations --test mutations`.

use kapell_sim::{Bug, Hunt, hunt};

#[test]
fn every_seeded_bug_is_found() {
    std::panic::set_hook(Box::new(|_| {}));
    let bugs = Bug::all();
    assert!(bugs.len() >= 25, "{} bugs", bugs.len());
    let missed: Vec<_> = bugs
        .into_iter()
        .filter(|&bug| hunt(bug, Hunt { seeds: 60, steps: 4_000 }).is_none())
        .map(|bug| bug.to_string())
        .collect();
    assert_eq!(missed, Vec::<String>::new());
}
