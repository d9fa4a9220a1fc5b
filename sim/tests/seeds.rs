//! The simulation itself: nothing is broken, the same seed gives the same, and planted bugs are found.

use kapell_sim::{Bug, simulate};

#[test]
fn forty_seeds_show_nothing_broken() {
    let (mut stalls, mut relieved, mut held, mut balanced, mut broken, mut rounds) = (0, 0, 0, 0, 0, 0);
    for seed in 0..40 {
        match simulate(seed, 1_000, None) {
            Ok(report) => {
                stalls += report.stalls;
                relieved += report.relieved;
                held += report.held;
                balanced += report.balanced;
                broken += report.broken;
                rounds += report.rounds;
            }
            Err(violation) => panic!("{violation}"),
        }
    }
    assert!(balanced > 10 && broken > 3, "{balanced} moved to even the load, {broken} cycles broken");
    assert!(rounds > 100, "{rounds} optimal rounds placed something");
    assert!(held > 0, "no loop was held back");
    assert!(stalls > relieved && relieved > 10, "{stalls} stalls of which {relieved} moved");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for seed in [3, 17, 4_711] {
        let first = simulate(seed, 800, None).expect("nothing is broken");
        let second = simulate(seed, 800, None).expect("nothing is broken");
        assert_eq!(first, second, "seed {seed}");
    }
    let digests: std::collections::BTreeSet<u64> =
        (0..8).map(|seed| simulate(seed, 300, None).expect("nothing is broken").digest).collect();
    assert_eq!(digests.len(), 8, "other seeds say other things");
}

#[test]
fn every_planted_bug_is_found() {
    for &bug in Bug::ALL {
        let found = (0..60).find_map(|seed| simulate(seed, 1_500, Some(bug)).err());
        assert!(found.is_some(), "{bug:?} was not found");
    }
}
