//! A resource that is narrow is shared by those who only read it, and given to those in line who share it together (SEMANTICS 8,
//! `RESOURCE_CONSTRAINT`).

mod scenario;

use kapell_core::{ActionEnd, Event};
use scenario::Scenario;

/// `A` holds `env:one`, to read or to write, and three have waited for it in vain.
fn narrow(how: &str, policy: &str) -> Scenario {
    let mut scenario =
        Scenario::play(&format!("policy {policy}\nagent A\nagent B\nagent C\nagent D\nagent E"));
    scenario.also(&format!("reserve A env:one {how} ttl=24h -> R-1"));
    for turn in 1..=3 {
        scenario.also(&format!("reserve B env:one shared wait=20m -> waits as W-{turn}\ntick +20m"));
    }
    scenario
}

#[test]
fn who_only_reads_shares_what_is_narrow_holders_too() {
    let mut scenario = narrow("looks", "default");
    scenario.also(
        "reserve B env:one looks wait -> waits as W-4
        reserve C env:one wait -> waits as W-5
        submit t looks=env:one -> ready
        look +1s
        bottlenecks -> B-1 env:one low 1200000/900000 D-1 shorter_leases D-2 sharing
        held -> R-1 A env:one, R-2 C env:one, R-3 B env:one, W-5 C env:one     # in the step in which they share
        show t -> assigned medium C              # nobody else: C, who wants to write too, comes first
        restart -> as live
        free C W-5
        reserve D env:one looks -> R-4
        reserve E env:one -> refused: `env:one` is held shared by `A` under R-1 for another 22h 59m
        restart -> as live",
    );
    // When nobody waits for long any more, who reads has it for itself; what is shared stays so.
    scenario.also(
        "tick +25h
        look +1s
        bottlenecks -> none
        held -> R-2 C env:one
        done t C
        reserve B env:one looks -> R-5
        reserve C env:one looks wait -> waits as W-6
        restart -> as live",
    );
    let ended = scenario.log.iter().filter(|record| {
        matches!(record.event, Event::ActionEnded { because: ActionEnd::Expired | ActionEnd::Relieved, .. })
    });
    assert_eq!(ended.count(), 2);
}

#[test]
fn where_the_policy_does_not_want_it_or_nobody_reads_nothing_is_shared() {
    narrow("looks", "adjust=off").also(
        "reserve B env:one looks wait -> waits as W-4
        look +1s
        bottlenecks -> B-1 env:one low 1200000/900000 D-1 shorter_leases
        held -> R-1 A env:one, W-4 B env:one",
    );
    narrow("", "default").also(
        "reserve B env:one wait -> waits as W-4
        look +1s
        bottlenecks -> B-1 env:one low 1200000/900000 D-1 shorter_leases",
    );
}

#[test]
fn tasks_that_only_read_what_is_narrow_run_side_by_side() {
    let mut scenario = narrow("looks", "default");
    scenario.also(
        "free A R-1
        submit t1 looks=env:one -> assigned A
        submit t2 looks=env:one -> ready
        submit t3 takes=env:one -> ready
        look +1s
        bottlenecks -> B-1 env:one low 1200000/900000 D-1 shorter_leases D-2 sharing
        show t2 -> assigned medium B
        show t3 -> ready medium
        restart -> as live
        done t1 A
        show t3 -> ready medium
        done t2 B
        show t3 -> assigned medium A
        restart -> as live",
    );
}

#[test]
fn those_in_line_who_share_are_served_together_once() {
    let line = "reserve B env:one shared wait -> waits as W-4
        reserve C env:one wait -> waits as W-5
        reserve D env:one shared wait -> waits as W-6
        reserve E env:one,env:two shared wait -> waits as W-7";
    let mut scenario = narrow("", "adjust=off");
    scenario.also(line);
    scenario.also(
        "look +1s\nfree A R-1\nheld -> R-2 B env:one, W-5 C env:one, W-6 D env:one, W-7 E env:one env:two",
    );
    let mut scenario = narrow("", "default");
    scenario.also(line);
    scenario.also(
        "look +1s
        bottlenecks -> B-1 env:one low 1200000/900000 D-1 shorter_leases D-2 batching
        free A R-1
        held -> R-2 B env:one, R-3 D env:one, W-5 C env:one, W-7 E env:one env:two     # C is passed over; E wants something else too
        reserve A env:one shared wait -> waits as W-8
        restart -> as live
        free B R-2
        held -> R-3 D env:one, W-5 C env:one, W-7 E env:one env:two, W-8 A env:one     # who comes later waits behind C
        free D R-3
        held -> R-4 C env:one, W-7 E env:one env:two, W-8 A env:one
        free C R-4
        held -> R-5 E env:one env:two, R-6 A env:one
        restart -> as live",
    );
}

#[test]
fn what_is_beside_the_narrow_one_is_shared_with_it_too() {
    let mut scenario =
        Scenario::play("agent A\nagent B\nreserve A path:src/** looks ttl=24h -> R-1\ndrain A");
    for turn in 1..=3 {
        scenario.also(&format!("reserve B path:src/a shared wait=20m -> waits as W-{turn}\ntick +20m"));
    }
    scenario.also(
        "submit t reads=path:src/b -> ready
        look +1s
        bottlenecks -> B-1 path:src/a low 1200000/900000 D-1 shorter_leases D-2 sharing
        show t -> assigned medium B
        restart -> as live",
    );
}
