//! A start from the log does what a fleet that went on would do, and no more: who was called and has answered is not called
//! again, and a policy holds for what is decided under it.

mod scenario;

use scenario::Scenario;

fn raised(scenario: &Scenario) -> usize {
    scenario.log.iter().filter(|record| record.event.kind() == "escalation.raised").count()
}

#[test]
fn a_settled_call_for_a_critical_task_is_not_made_again() {
    let mut scenario = Scenario::play(
        "agent A rust=0.9
         submit t1 needs=go priority=critical   -> ready
         settle E-1
         restart                                -> as live",
    );
    assert_eq!(raised(&scenario), 1);
    scenario.also(
        "assign t1 A
         release t1 A                           -> ready       # it is in the queue anew, and nobody has been called for that",
    );
    assert_eq!(raised(&scenario), 2);
}

#[test]
fn a_settled_call_about_silence_is_not_made_again() {
    let mut scenario = Scenario::play(
        "policy emergencies=off    # the call alone is looked at
         agent A
         submit t1 priority=critical
         start t1 A
         check +30m
         check +5m
         show t1        -> in_progress critical A unanswered
         settle E-1
         restart        -> as live",
    );
    assert_eq!(raised(&scenario), 1);
    scenario.also(
        "progress t1 A 10
         check +30m
         check +5m
         restart        -> as live",
    );
    assert_eq!(raised(&scenario), 2, "a second silence is another matter");
}

#[test]
fn what_was_blocked_under_another_policy_stays_blocked() {
    Scenario::play(
        "submit t1
         submit t2 after=t1
         submit t3
         submit t4 after=t3
         cancel t1
         policy on_failed=cancel
         show t2        -> blocked medium
         restart        -> as live
         show t2        -> blocked medium
         cancel t3
         show t4        -> cancelled medium
         reopen t4      -> blocked
         restart        -> as live
         show t4        -> blocked medium",
    );
}

#[test]
fn a_loop_that_was_found_while_somebody_owned_the_task_is_held_when_it_is_back() {
    // The third turn is a move for silence: the task has an owner, and is held once that one has failed.
    let mut scenario = Scenario::play(
        "policy turns=2
         agent A
         submit t1 priority=critical
         release t1 A
         start t1 A
         check +30m
         agent B
         check +5m
         show t1        -> assigned critical B
         fail t1 B      -> deferred
         tick +10m
         restart        -> as live",
    );
    assert_eq!(scenario.log.iter().filter(|record| record.event.kind() == "task.held").count(), 1);
    scenario.also("show t1 -> deferred critical");
}
