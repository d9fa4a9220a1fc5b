//! Tasks that are handed out and taken back over and over: found, held back, and let go again.

mod scenario;

use scenario::Scenario;

fn events(scenario: &Scenario, kind: &str) -> usize {
    scenario.log.iter().filter(|record| record.event.kind() == kind).count()
}

#[test]
fn a_task_that_goes_round_is_held_back_with_a_growing_pause_and_calls_once() {
    let scenario = Scenario::play(
        "policy turns=3
         agent A
         submit t1         -> assigned A
         release t1 A      -> assigned A
         unfetched t1 A
         show t1           -> assigned medium A
         start t1 A        # a start is no progress
         tick +1m
         release t1 A      -> deferred
         tick +9m
         show t1           -> deferred medium
         tick +1m
         show t1           -> assigned medium A
         release t1 A      -> deferred     # once more is enough by now, and the pause is twice as long
         tick +19m
         show t1           -> deferred medium
         tick +1m
         show t1           -> assigned medium A",
    );
    assert_eq!((events(&scenario, "task.held"), events(&scenario, "escalation.raised")), (2, 1));
    let raised = scenario.engine.state().escalations().get(0).expect("one");
    assert_eq!((raised.kind.as_str(), raised.settled.is_some()), ("redispatch_loop", false));
    assert_eq!(
        raised.detail.as_str(),
        "taken back 3 times within 1m 0s without progress: `A` gave it back, `A` did not fetch it, `A` gave it back"
    );
}

#[test]
fn progress_makes_it_forget() {
    let scenario = Scenario::play(
        "policy turns=3
         agent A
         submit t1
         release t1 A      -> assigned A
         release t1 A      -> assigned A
         start t1 A
         progress t1 A 10
         release t1 A      -> assigned A
         release t1 A      -> assigned A
         release t1 A      -> deferred
         tick +10m
         progress t1 A 20  # settles it
         release t1 A      -> assigned A
         done t1 A         -> completed",
    );
    assert_eq!((events(&scenario, "escalation.raised"), events(&scenario, "escalation.settled")), (1, 1));
}

#[test]
fn turns_that_lie_apart_are_no_loop() {
    let scenario = Scenario::play(
        "policy turns=3
         agent A
         submit t1
         release t1 A      -> assigned A
         tick +31m
         release t1 A      -> assigned A
         tick +31m
         release t1 A      -> assigned A
         tick +31m
         release t1 A      -> assigned A",
    );
    assert_eq!(events(&scenario, "task.held"), 0);
}

#[test]
fn who_settles_the_escalation_lets_it_go() {
    let scenario = Scenario::play(
        "policy turns=3
         agent A
         submit t1
         release t1 A
         release t1 A
         release t1 A      -> deferred
         settle E-1        -> assigned A
         release t1 A      -> assigned A
         release t1 A      -> assigned A
         release t1 A      -> deferred
         cancel t1         -> cancelled",
    );
    assert_eq!((events(&scenario, "escalation.raised"), events(&scenario, "escalation.settled")), (2, 2));
    assert_eq!(events(&scenario, "task.hold_released"), 1);
}

#[test]
fn who_changes_what_a_task_asks_for_lets_it_go_too() {
    let scenario = Scenario::play(
        "policy turns=3
         agent A
         submit t1
         release t1 A
         release t1 A
         release t1 A            -> deferred
         edit t1 title=A_title   -> deferred
         edit t1 estimate=2h     -> assigned A
         release t1 A            -> assigned A
         release t1 A            -> assigned A
         release t1 A            -> deferred
         restart                 -> as live",
    );
    assert_eq!((events(&scenario, "escalation.raised"), events(&scenario, "escalation.settled")), (2, 1));
    assert_eq!(events(&scenario, "task.hold_released"), 1);
}

#[test]
fn lost_and_silent_owners_are_turns_too() {
    let scenario = Scenario::play(
        "policy turns=3
         agent A
         submit t1 priority=critical
         agent B
         start t1 A
         check +30m
         check +5m
         show t1           -> assigned critical B
         unreachable B
         offline B
         show t1           -> assigned critical A
         release t1 A      -> deferred",
    );
    assert_eq!(events(&scenario, "task.held"), 1);
}
