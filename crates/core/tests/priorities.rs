//! What comes first: priorities that differ, orders that contradict, and the impact that rules (SEMANTICS 7, `PRIORITY_CONFLICT`).

mod scenario;

use std::collections::{BTreeMap, BTreeSet};

use kapell_core::{
    Change, Command, EdgeSource, Event, Hundredths, Impact, Rejection, Ruler, State, TaskEdit, Voice,
};
use kapell_model::{DependencyKind, Moment, Priority, Span, TaskId, TaskState, Text};
use proptest::prelude::*;
use scenario::{Scenario, reference};

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
        say t2 low by=B -> C-3                  # (5 + 13 + 2) / 3 / 2 h = 3.33
        conflict C-3 -> resolved of A,B as T-2 critical
        notices A -> priority_ruled T-2
        notices B -> none",
    );
    assert_eq!(count(&scenario, "task.edited"), 1);
}

#[test]
fn what_was_ruled_is_not_what_was_given() {
    // The founding case: who was wrong takes it back, and everybody says what was given.
    let scenario = play(
        "submit t1 priority=low effort=1h
        say t1 critical by=A -> C-1             # (2 + 13) / 2 / 1 h = 7.50
        show t1 -> ready critical
        say t1 low by=A -> ready
        show t1 -> ready low
        restart -> as live
        say t1 critical by=B -> C-2
        show t1 -> ready critical
        restart -> as live",
    );
    let said =
        scenario.engine.state().conflicts().iter().filter_map(|it| it.precedence()).map(|it| it.said.len());
    assert_eq!(said.collect::<Vec<_>>(), [2, 3], "what was given and one word of each who has said one");
    assert_eq!(scenario.engine.state().task(TaskId(1)).given_priority(), Priority::Low);
    // What somebody gives it afterwards takes the place of what it was given, the same level too.
    let scenario = play(
        "submit t1 priority=low effort=1h
        say t1 critical by=A -> C-1
        edit t1 priority=critical
        say t1 critical by=B -> ready
        say t1 low by=B -> C-2                  # (13 + 13 + 2) / 3 / 1 h = 9.33
        show t1 -> ready critical
        say t1 critical by=B -> ready
        show t1 -> ready critical",
    );
    assert_eq!(scenario.engine.state().task(TaskId(1)).given_priority(), Priority::Critical);
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
    let scenario = play(
        "submit t1
        submit t2
        submit t3 priority=high
        queue -> t3 high, t1 medium, t2 medium
        order t2 t1 by=A -> ready
        queue -> t3 high, t2 medium, t1 medium
        order t1 t3 -> ready
        queue -> t2 high, t1 high, t3 high        # what is to come before t1 goes along
        edit t1 deadline=+1h
        queue -> t2 high, t1 high, t3 high
        restart -> as live",
    );
    let own: Vec<Priority> = scenario.engine.state().tasks().iter().map(|task| task.priority).collect();
    assert_eq!(own, [Priority::Medium, Priority::Medium, Priority::High], "it is as it was given");
}

#[test]
fn an_order_follows_what_changes_later() {
    play(
        "submit t1
        submit t2
        submit t3 priority=high
        order t2 t1 by=A
        queue -> t3 high, t2 medium, t1 medium
        edit t1 deadline=+1h
        queue -> t3 high, t2 medium, t1 medium
        edit t1 priority=critical
        queue -> t2 critical, t1 critical, t3 high
        edit t1 priority=low
        queue -> t3 high, t2 medium, t1 low
        submit t4 priority=critical after=t1      # what t1 inherits t2 inherits too
        queue -> t2 critical, t1 critical, t3 high
        cancel t4
        queue -> t3 high, t2 medium, t1 low
        edit t2 priority=low estimate=1h
        queue -> t3 high, t2 low, t1 low
        restart -> as live",
    );
}

#[test]
fn what_waits_is_as_urgent_as_what_comes_before() {
    play(
        "submit t1
        submit t2 after=t1
        submit t3 priority=critical
        submit t4 priority=high
        order t2 t3 by=A                          # t2 can only come first where t1 is done
        queue -> t1 critical, t3 critical, t4 high
        disorder t2 t3 by=A
        queue -> t3 critical, t4 high, t1 medium",
    );
}

#[test]
fn taken_back_an_order_leaves_nothing_behind() {
    let scenario = play(
        "submit t1 effort=1h
        submit t2 effort=2h
        submit t3 effort=4h priority=high
        queue -> t3 high, t2 medium, t1 medium
        order t1 t2 by=A
        order t2 t3 by=B
        queue -> t1 high, t2 high, t3 high
        disorder t2 t3 by=B
        queue -> t3 high, t1 medium, t2 medium
        disorder t1 t2                            # a manager may take any back
        queue -> t3 high, t2 medium, t1 medium
        order t1 t3 by=A
        cancel t3                                 # its end is the end of the order
        queue -> t2 medium, t1 medium",
    );
    assert!(scenario.engine.state().tasks().iter().all(|task| task.place.is_none()));
}

#[test]
fn a_ruling_holds_while_an_order_that_it_left_does() {
    play(
        "submit t1 effort=1h
        submit t2 effort=2h
        submit t3 effort=4h
        order t3 t2 by=A
        order t2 t1 by=B
        order t1 t3 by=C -> C-1
        queue -> t1 medium, t2 medium, t3 medium
        edit t3 priority=critical
        queue -> t1 critical, t2 critical, t3 critical
        disorder t2 t3 by=A -> refused: that T-2 is to come before T-3 was said by the ruling of C-1, not by `A`
        disorder t1 t3 by=C                       # the last that was left
        queue -> t3 critical, t2 medium, t1 medium
        order t3 t2 by=A -> ready",
    );
    play(
        "submit t1 effort=1h
        submit t2 effort=2h
        submit t3 effort=4h
        order t3 t2 by=A
        order t2 t1 by=B
        order t1 t3 by=C -> C-1
        cancel t2                                 # what was ruled about the others stays
        queue -> t1 medium, t3 medium
        disorder t1 t3                            # a manager takes back what is said and what is ruled
        queue -> t3 medium, t1 medium",
    );
}

#[test]
fn who_takes_back_the_own_word_does_not_split_what_was_ruled() {
    // The ruling is t1, t2, t3; B's own order is a link of it, and C's is another ground.
    let scenario = play(
        "submit t1 effort=1h
        submit t2 effort=2h
        submit t3 effort=4h
        order t2 t3 by=B
        order t3 t1 by=A
        order t1 t2 by=C -> C-1
        conflict C-1 -> resolved of B,A,C as T-1,T-2,T-3
        edit t3 priority=critical
        disorder t2 t3 by=B
        queue -> t1 critical, t2 critical, t3 critical
        disorder t2 t3 by=B -> refused: that T-2 is to come before T-3 was said by the ruling of C-1, not by `B`
        restart -> as live
        disorder t1 t2 by=C                       # the last ground
        queue -> t3 critical, t2 medium, t1 medium",
    );
    assert!(scenario.engine.state().orders().is_empty());
    // A manager takes the link back too.
    let scenario = play(
        "submit t1 effort=1h
        submit t2 effort=2h
        submit t3 effort=4h
        order t2 t3 by=B
        order t3 t1 by=A
        order t1 t2 by=C
        disorder t2 t3",
    );
    let left: Vec<_> =
        scenario.engine.state().orders().pairs().map(|(first, then)| (first.0, then.0)).collect();
    assert_eq!(left, [(1, 2)]);
}

#[test]
fn a_ruling_ends_with_the_tasks_of_the_last_order_that_it_left() {
    // What is left of what was said is t1 before t4.
    let scenario = play(
        "submit t1 effort=1h
        submit t2 effort=2h
        submit t3 effort=4h
        submit t4 effort=8h
        order t4 t3 by=A
        order t3 t2 by=A
        order t2 t1 by=B
        order t1 t4 by=C -> C-1
        conflict C-1 -> resolved of B,A,C as T-1,T-2,T-3,T-4
        edit t3 priority=critical
        queue -> t1 critical, t2 critical, t3 critical, t4 medium
        cancel t4
        queue -> t3 critical, t2 medium, t1 medium
        restart -> as live",
    );
    assert!(scenario.engine.state().orders().is_empty());
    assert_eq!(count(&scenario, "priority.ruling_lifted"), 1);
}

#[test]
fn a_ruling_ends_where_a_later_one_drops_the_last_order_that_it_left() {
    // C-1 is t1, t2, t3 by the order of t1 before t2; then t2 waits for t1's follower, and that order falls.
    let scenario = play(
        "submit t1 effort=1h
        submit t2 effort=2h
        submit t3 effort=4h
        submit t4 effort=8h
        order t2 t3 by=B
        order t3 t1 by=A
        order t1 t2 by=C -> C-1
        disorder t2 t3 by=B
        edit t3 priority=critical
        queue -> t1 critical, t2 critical, t3 critical, t4 medium
        dep t1 t4                                 # t1 waits for t4
        dep t4 t2                                 # and that for t2: t1 before t2 falls
        queue -> t3 critical, t2 medium",
    );
    let orders = scenario.engine.state().orders();
    assert!(orders.is_empty(), "{:?}", orders.pairs().collect::<Vec<_>>());
    assert_eq!(count(&scenario, "priority.ruling_lifted"), 1);
}

#[test]
fn what_waits_is_right_against_orders() {
    let scenario = play(
        "submit t1
        submit t2
        submit t3
        order t1 t2 by=A
        order t2 t3 by=B
        dep t1 t3                                 # t1 waits for t3
        conflict C-1 -> resolved of A,B as T-3,T-1,T-2
        notices A -> priority_ruled T-3
        notices B -> priority_ruled T-3
        restart -> as live",
    );
    let left: Vec<_> = scenario.engine.state().orders().iter().map(|it| (it.0.0, it.1.0)).collect();
    assert_eq!(left, [(1, 2)], "only what the wait contradicts is gone");
    assert_eq!(
        (count(&scenario, "priority.order_dropped"), count(&scenario, "priority.order_ruled")),
        (1, 1)
    );
    let reason = scenario.log.iter().find_map(|record| match &record.event {
        Event::PrecedenceRuled { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    let reason = reason.expect("a ruling");
    let said = "T-1 waits for T-3; in this order: T-3, T-1, T-2; does not stand: T-2 before T-3; ";
    assert!(reason.starts_with(said), "{reason}");
}

#[test]
fn rings_of_orders_and_waits_are_ruled_with_the_impact_of_what_waits() {
    // t1 before t2, t3 waits for t2, and t3 before t1 comes round.
    let scenario = play(
        "submit t1 effort=2h
        submit t2 effort=8h
        submit t3 effort=1h after=t2
        order t1 t2 by=A
        order t3 t1 by=B -> C-1
        conflict C-1 -> resolved of A,B as T-2,T-3,T-1
        queue -> t2 medium, t1 medium",
    );
    let left: Vec<_> = scenario.engine.state().orders().iter().map(|it| (it.0.0, it.1.0)).collect();
    assert_eq!(left, [(3, 1)], "t3 costs most to delay, and t2 must be done before it");
    let conflict = scenario.engine.state().conflicts().iter().next().expect("one conflict");
    let ruling = conflict.precedence().and_then(|it| it.ruling.as_ref()).expect("it is ruled");
    assert_eq!(ruling.carried, [(TaskId(2), TaskId(3))]);
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

    /// Whatever urgencies and waits change, the queue holds every order that stands, what is ruled holds while it does, waits and
    /// orders never come round together, and with the last order everything that they have moved is back.
    #[test]
    fn orders_hold_whatever_changes(
        steps in prop::collection::vec((0..16_u8, 1..=TASKS, 1..=TASKS, 0..4_usize, any::<bool>()), 1..60),
    ) {
        let mut scenario = play("submit t1 effort=1h\nsubmit t2 effort=2h\nsubmit t3 effort=3h priority=high
            submit t4 effort=1h after=t3\nsubmit t5 effort=5h priority=low\nsubmit t6 effort=1h\nsubmit t7 effort=2h after=t6");
        for (what, task, other, which, flag) in steps {
            let (id, before) = (TaskId(task), scenario.log.len());
            let (task, on) = (reference(&id.to_string()), reference(&TaskId(other).to_string()));
            let agent = [Some("A"), Some("B"), Some("C"), None][which].map(scenario::name);
            let edit = |edit: TaskEdit| Command::Edit { task: task.clone(), edit: Box::new(edit), seen: None };
            let command = match what {
                0..=5 => Command::AssertOrder { first: task, then: on, agent, reason: Text::from("so") },
                6 => Command::DropOrder { first: task, then: on, agent: None },
                7 => match scenario.engine.state().orders().iter().nth(which) {
                    Some((first, then, said)) => Command::DropOrder {
                        first: reference(&first.to_string()),
                        then: reference(&then.to_string()),
                        agent: match said.by {
                            Ruler::Agent(by) if flag => {
                                Some(scenario.engine.state().agent(by).spec.name.clone())
                            }
                            _ => None,
                        },
                    },
                    None => continue,
                },
                8 => edit(TaskEdit { priority: Some(Priority::ALL[which]), ..TaskEdit::default() }),
                9 => {
                    let at = Moment(scenario.now).after(Span::hours(i64::from(other)));
                    let deadline = if flag { Change::To(at) } else { Change::Clear };
                    edit(TaskEdit { deadline: Some(deadline), ..TaskEdit::default() })
                }
                10 => edit(TaskEdit { estimate: Some(Change::To(Span::hours(i64::from(other)))), ..TaskEdit::default() }),
                11 => Command::AssertPriority { task, agent, priority: Priority::ALL[which], reason: Text::from("so") },
                12 | 13 => {
                    let source = if flag { EdgeSource::Imported } else { EdgeSource::Declared };
                    Command::AddDependency { task, on, kind: DependencyKind::Blocks, source }
                }
                14 if flag => Command::WaiveDependency { task, on },
                14 => Command::RestoreDependency { task, on, instead: None },
                _ if flag => Command::Cancel { task, reason: "no".into() },
                _ => Command::Reopen { task, reason: "again".into() },
            };
            let refused = scenario.execute(command, None).err();
            prop_assert!(!matches!(refused, Some(Rejection::LimitExceeded { .. })), "{refused:?}");
            let state = scenario.engine.state();
            kapell_core::invariant::check(state).map_err(|broken| TestCaseError::fail(broken.to_string()))?;
            holds(state)?;
            rests(state)?;
            let ruled = scenario.log[before..].iter().find_map(|record| match &record.event {
                Event::OrderRuled { order, .. } => Some(order),
                _ => None,
            });
            for pair in ruled.iter().flat_map(|order| order.windows(2)) {
                prop_assert!(state.orders().ruled(pair[0], pair[1]).is_some(), "{} before {}", pair[0], pair[1]);
            }
        }
        scenario.also("restart -> as live");
        let pairs: Vec<_> = scenario.engine.state().orders().pairs().collect();
        for (first, then) in pairs {
            let (first, then) = (reference(&first.to_string()), reference(&then.to_string()));
            // What was ruled may be gone with the order that it was left by.
            let _ = scenario.execute(Command::DropOrder { first, then, agent: None }, None);
            holds(scenario.engine.state())?;
        }
        let state = scenario.engine.state();
        prop_assert!(state.orders().is_empty());
        let placed = state.tasks().iter().find(|task| task.is_open() && task.place.is_some());
        prop_assert!(placed.is_none(), "{:?}", placed.map(|task| task.id));
    }
}

const TASKS: u32 = 7;

/// Every ruling that holds rests on an order that was said in its conflict.
fn rests(state: &State) -> Result<(), TestCaseError> {
    for (first, then, id) in state.orders().rulings() {
        let said = state.conflict(id).and_then(|it| it.precedence()).map_or(&[][..], |it| &it.said);
        let stands = said.iter().any(|voice| match voice {
            Voice::Order { first, then, .. } => state.orders().get(*first, *then).is_some(),
            Voice::Priority { .. } => false,
        });
        prop_assert!(stands, "{} holds {} before {}", id, first, then);
    }
    Ok(())
}

/// The queue is as the orders say, urgency is what waits and orders make of it, and both together never come round.
fn holds(state: &State) -> Result<(), TestCaseError> {
    for (first, then) in state.orders().pairs() {
        let key = |id| state.task(id).queue_key();
        prop_assert!(key(first) < key(then), "{} stands behind {}", first, then);
    }
    let queue: Vec<TaskId> = state.situation().first_waiting(100).iter().map(|key| key.task).collect();
    let place = |id| queue.iter().position(|&task| task == id);
    for (first, then) in state.orders().pairs() {
        if let (Some(first), Some(then)) = (place(first), place(then)) {
            prop_assert!(first < then, "{queue:?}");
        }
    }
    let waits = state.tasks().iter().filter(|task| task.state() != TaskState::Completed);
    let waits = waits.flat_map(|task| task.gates().map(|on| (on, task.id)));
    let mut after: BTreeMap<TaskId, BTreeSet<TaskId>> = BTreeMap::new();
    for (first, then) in waits.chain(state.orders().pairs()) {
        after.entry(first).or_default().insert(then);
    }
    for task in state.tasks().iter() {
        let (mut seen, mut next) = (BTreeSet::new(), vec![task.id]);
        let mut highest = task.priority;
        while let Some(id) = next.pop() {
            for &then in after.get(&id).into_iter().flatten() {
                prop_assert!(then != task.id, "{} comes before itself", then);
                if seen.insert(then) {
                    next.push(then);
                    highest = highest.min(state.task(then).priority);
                }
            }
        }
        let through_ended = seen.iter().any(|&id| !state.task(id).is_open());
        if task.is_open() && !through_ended {
            prop_assert_eq!(task.effective, highest, "{}", task.id);
        }
    }
    Ok(())
}

#[test]
fn a_bounded_number_of_orders_stands_by_the_word_of_one_agent() {
    let mut scenario = play("submit t0");
    for index in 1..=101 {
        scenario.also(&format!("submit t{index}"));
    }
    for index in 1..=100 {
        assert_eq!(scenario.line(&format!("order t0 t{index} by=A")), "ready");
    }
    let refused = scenario.line("order t0 t101 by=A");
    assert!(refused.contains("orders of an agent are limited to 100"), "{refused}");
    // What stands already is no further order; others, and managers, have their own.
    assert_eq!(scenario.line("order t0 t7 by=A"), "ready");
    assert_eq!(scenario.line("order t0 t101 by=B"), "ready");
    // A manager takes one back, and there is room again.
    assert_eq!(scenario.line("disorder t0 t7"), "ready");
    assert_eq!(scenario.line("order t0 t7 by=A"), "ready");
    assert!(scenario.line("order t1 t101 by=A").contains("orders of an agent are limited to 100"));
    assert_eq!(scenario.line("order t1 t101"), "ready");
}
