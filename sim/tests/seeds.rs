//! The simulation itself: nothing is broken, the same scenario gives the same, and bugs of the server around the core are found.

use kapell_sim::{Bug, Hunt, Report, Scenario, ServerBug, hunt, shrink, simulate};

#[test]
fn forty_seeds_show_nothing_broken() {
    let mut total = Report::default();
    for seed in 0..40 {
        match simulate(&Scenario::draw(seed, 1_500)) {
            Ok(report) => total.add(&report),
            Err(violation) => panic!("{violation}"),
        }
    }
    let seen = total.seen;
    assert!(seen.balanced > 0 && seen.broken > 0, "{seen:?}");
    assert!(seen.rounds > 0 && seen.held > 0, "{seen:?}");
    assert!(seen.stalls > seen.relieved && seen.relieved > 0, "{seen:?}");
    assert!(seen.emergencies > 20 && seen.forces > 10, "{seen:?}");
    assert!(total.crashes > 80 && seen.out_of_time > 0, "{total:?}");
}

#[test]
fn the_same_scenario_gives_the_same_bytes() {
    for seed in [3, 17, 4_711] {
        let first = simulate(&Scenario::draw(seed, 800)).expect("nothing is broken");
        let second = simulate(&Scenario::draw(seed, 800)).expect("nothing is broken");
        assert_eq!(first, second, "seed {seed}");
    }
    let digest = |seed| simulate(&Scenario::draw(seed, 300)).expect("nothing is broken").digest;
    let digests: std::collections::BTreeSet<u64> = (0..8).map(digest).collect();
    assert_eq!(digests.len(), 8, "other seeds say other things");
}

#[test]
fn every_bug_of_the_server_is_found() {
    let missed: Vec<_> = ServerBug::ALL
        .iter()
        .map(|&bug| Bug::Server(bug))
        .filter(|&bug| hunt(bug, Hunt { seeds: 40, steps: 2_000 }).is_none())
        .map(|bug| bug.to_string())
        .collect();
    assert_eq!(missed, Vec::<String>::new());
}

#[test]
fn a_failing_play_is_cut_down_to_one_that_fails_alike() {
    let found = hunt(Bug::Server(ServerBug::AckBeforeDurable), Hunt { seeds: 40, steps: 1_000 })
        .expect("it is found");
    let scenario = Scenario::draw(found.seed, 1_000).with(Some(found.bug));
    let shrunk = shrink(&scenario, 300).expect("it fails");
    assert_eq!(shrunk.violation.broken.id, found.broken.id);
    assert!(shrunk.steps < 400, "{} steps are left", shrunk.steps);
    // What is printed plays the same.
    let read = Scenario::read(&shrunk.scenario.to_string()).expect("it reads back");
    assert_eq!(simulate(&read), Err(shrunk.violation));
}
