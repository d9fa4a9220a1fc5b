//! What comes first: priorities that differ, orders that contradict, and the impact that rules (SEMANTICS 7, `PRIORITY_CONFLICT`).

mod scenario;

use kapell_core::{Event, Hundredths, Impact};
use kapell_model::{Span, TaskId};
use proptest::prelude::*;
use scenario::Scenario;

const TEAM: &str = "agent A slots=4
    agent B
    agent C
    drain A
    drain B
    drain C";

fn play(text: &str) -> Scenario {
    let mut scenario = Scenario::play(TEAM);
    scenario.also(text);
    scenario
}

fn count(scenario: &Scenario, kind: &str) -> usize {
    scenario.log.iter().filter(|record| record.event.kind() == kind).count()
}

/// Returns the impacts of the last ruling.
fn impacts(scenario: &Scenario) -> Vec<Impact> {
    let last = scenario.log.iter().rev().find_map(|record| match &record.event {
        Event::PrecedenceRuled { order, .. } => Some(order.clone()),
        _ => None,
    });
    last.expect("a ruling")
}

#[test]
fn the_impact_as_worked_out_by_hand() {
    let scenario = play(
        "submit t1 effort=4h
        submit t2 after=t1
        submit t3 after=t2
        say t1 high by=A -> C-1",
    );
    // Said are medium and high: (5 + 8) / 2. No deadline. Two wait. (6.5 + 0 + 2) / 4 h.
    let expected = Impact {
        task: TaskId(1),
        value: Hundredths(650),
        criticality: Hundredths(0),
        enablement: Hundredths(200),
        waiting: 2,
        slack: None,
        duration: Span::hours(4),
        wsjf: Hundredths(212),
    };
    assert_eq!(impacts(&scenario), [expected]);
    // A deadline in 16 h leaves a slack of 12: 13 * 4 / 16.
    let scenario = play("submit t1 effort=4h deadline=+16h\nsay t1 low by=A -> C-1");
    let expected = Impact {
        value: Hundredths(350),
        criticality: Hundredths(325),
        enablement: Hundredths(0),
        waiting: 0,
        slack: Some(Span::hours(12)),
        wsjf: Hundredths(168),
        ..expected
    };
    assert_eq!(impacts(&scenario), [expected]);
}

#[test]
fn a_task_gets_the_level_that_it_earns() {
    let scenario = play(
        "submit t1 effort=4h
        submit t2 effort=2h
        say t1 critical by=A -> C-1             # (5 + 13) / 2 / 4 h = 2.25, and critical asks for 3.25
        conflict C-1 -> resolved of A as T-1 medium
        show t1 -> ready medium
        say t2 critical by=A -> C-2             # 4.50
        conflict C-2 -> resolved of A as T-2 critical
        show t2 -> ready critical
        say t2 low by=B -> C-3                  # (13 + 13 + 2) / 3 / 2 h = 4.66
        conflict C-3 -> resolved of A,B as T-2 critical
        notices A -> priority_ruled T-2
        notices B -> none",
    );
    assert_eq!(count(&scenario, "task.edited"), 1);
}

#[test]
fn what_nobody_says_otherwise_is_no_conflict() {
    let scenario = play(
        "submit t1
        say t1 medium by=A -> ready
        say t1 medium by=B -> ready
        say t1 medium -> ready
        say t1 high by=B -> C-1
        say t1 high by=B -> C-1                 # said before: nothing new",
    );
    assert_eq!((count(&scenario, "priority.asserted"), count(&scenario, "priority.conflict_opened")), (4, 1));
}

#[test]
fn an_order_is_applied_and_one_within_a_level_takes_its_place() {
    play(
        "submit t1
        submit t2
        submit t3 priority=high
        queue -> t3 high, t1 medium, t2 medium
        order t2 t1 by=A -> ready
        queue -> t3 high, t2 medium, t1 medium
        order t1 t3 -> ready
        queue -> t2 high, t1 high, t3 high        # what is to come before t1 goes along
        edit t1 deadline=+1h
        restart -> as live",
    );
}

#[test]
fn orders_that_come_round_are_ruled_by_the_impact() {
    let scenario = play(
        "submit t1 effort=1h
        submit t2 effort=2h
        submit t3 effort=4h
        order t3 t2 by=A -> ready
        order t2 t1 by=B -> ready
        queue -> t3 medium, t2 medium, t1 medium
        order t1 t3 by=C -> C-1                 # the shortest has the largest impact
        conflict C-1 -> resolved of B,A,C as T-1,T-2,T-3
        queue -> t1 medium, t2 medium, t3 medium
        notices A -> priority_ruled T-1
        notices C -> none",
    );
    // Two said otherwise; the new one stands.
    assert_eq!(count(&scenario, "priority.order_dropped"), 2);
    let orders: Vec<_> =
        scenario.engine.state().orders().iter().map(|(first, then, _)| (first.0, then.0)).collect();
    assert_eq!(orders, [(1, 3)]);
}

#[test]
fn an_order_against_the_impact_is_heard_once() {
    let scenario = play(
        "submit t1 effort=1h
        submit t2 effort=2h
        order t1 t2 by=A -> ready
        order t2 t1 by=B -> C-1
        conflict C-1 -> resolved of A,B as T-1,T-2
        order t2 t1 by=B -> C-1
        order t2 t1 by=C -> C-2",
    );
    assert_eq!(count(&scenario, "priority.order_asserted"), 1);
    assert_eq!(count(&scenario, "priority.order_dropped"), 0);
}

#[test]
fn every_ring_that_an_order_closes_is_ruled() {
    // Two ways lead from t4 to t1; the order from t1 to t4 closes both.
    let scenario = play(
        "submit t1 effort=1h
        submit t2 effort=2h
        submit t3 effort=4h
        submit t4 effort=8h
        order t4 t2 by=A
        order t2 t1 by=A
        order t4 t3 by=B
        order t3 t1 by=B
        order t1 t4 by=C -> C-1
        conflict C-1 -> resolved of A,B,C as T-1,T-2,T-3,T-4
        queue -> t1 medium, t2 medium, t3 medium, t4 medium",
    );
    assert_eq!(count(&scenario, "priority.order_dropped"), 4);
}

#[test]
fn an_order_against_what_waits_is_refused_with_the_way() {
    play(
        "submit t1
        submit t2 after=t1
        submit t3 after=t2
        order t3 t1 by=A -> refused: task T-3 cannot come before T-1: T-3 waits for T-2 waits for T-1
        order t1 t1 by=A -> refused: field `then` is T-1, the task itself; allowed is another task
        order t1 t9 by=A -> refused: there is no task `t9`
        order t1 t3 by=Z -> refused: there is no agent `Z`
        cancel t3
        say t3 high by=A -> refused: task T-3 is cancelled; asserting a priority is possible from blocked, ready, deferred, assigned, in_progress, in_review, waiting
        order t1 t3 by=A -> refused: task T-3 is cancelled; ordering is possible from blocked, ready, deferred, assigned, in_progress, in_review, waiting",
    );
}

#[test]
fn an_order_ends_with_its_task_or_with_the_word_of_who_said_it() {
    let scenario = play(
        "submit t1
        submit t2
        submit t3
        order t1 t2 by=A
        order t2 t3 by=A
        disorder t1 t2 by=B -> refused: that T-1 is to come before T-2 was said by `A`, not by `B`
        disorder t1 t2 by=A -> ready
        disorder t1 t2 by=A -> refused: there is no order `T-1 before T-2`
        cancel t3",
    );
    assert!(scenario.engine.state().orders().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is said, the orders never come round, and the queue holds every one that stands and the last ruling.
    #[test]
    fn orders_never_come_round(said in prop::collection::vec((0..6_u32, 0..6_u32, 0..3_usize), 1..40)) {
        let mut scenario = play("submit t0 effort=1h\nsubmit t1 effort=2h\nsubmit t2 effort=3h priority=high
            submit t3 effort=1h\nsubmit t4 effort=5h priority=low\nsubmit t5 effort=1h");
        for (first, then, who) in said {
            if first == then {
                continue;
            }
            let by = ["A", "B", "C"][who];
            let before = scenario.log.len();
            // Every invariant is looked at behind each line.
            scenario.also(&format!("order t{first} t{then} by={by}"));
            let state = scenario.engine.state();
            let key = |id| state.task(id).queue_key();
            for (first, then, _) in state.orders().iter() {
                prop_assert!(key(first) < key(then), "{first} stands behind {then}");
            }
            let ruled = scenario.log[before..].iter().find_map(|record| match &record.event {
                Event::PrecedenceRuled { order, .. } => Some(order),
                _ => None,
            });
            for pair in ruled.iter().flat_map(|order| order.windows(2)) {
                prop_assert!(key(pair[0].task) < key(pair[1].task), "{} is not ahead of {}", pair[0].task, pair[1].task);
            }
        }
        scenario.also("restart -> as live");
    }
}
