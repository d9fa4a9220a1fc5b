//! The rules of reservations as tables.

mod scenario;

use kapell_core::{Event, ReleaseCause};
use scenario::Scenario;

fn causes(scenario: &Scenario) -> Vec<ReleaseCause> {
    let cause = |event: &Event| match event {
        Event::ReservationReleased { cause, .. } | Event::ReservationWithdrawn { cause, .. } => Some(*cause),
        _ => None,
    };
    scenario.log.iter().filter_map(|record| cause(&record.event)).collect()
}

#[test]
fn what_is_held_is_refused_with_its_holder_and_end() {
    Scenario::play(
        "agent A
         agent B
         reserve A path:src/**,env:one         -> R-1
         reserve B path:docs/**                -> R-2
         reserve B path:src/main.rs            -> refused: `path:src/main.rs`, which overlaps `path:src/**`, is held exclusive by `A` under R-1 for another 30m 0s
         reserve B env:two,env:one             -> refused: `env:one` is held exclusive by `A` under R-1 for another 30m 0s
         held                                  -> R-1 A path:src/** env:one, R-2 B path:docs/**
         free B R-1                            -> refused: R-1 belongs to `A`, not to `B`
         free A R-1                            -> R-1
         reserve B env:two,env:one             -> R-3
         free A R-1                            -> refused: reservation R-1 has ended
         renew A R-1                           -> refused: reservation R-1 has ended
         free A R-9                            -> refused: there is no reservation `R-9`",
    );
}

#[test]
fn what_is_shared_is_shared_and_nobody_stands_in_their_own_way() {
    Scenario::play(
        "agent A
         agent B
         reserve A env:one shared      -> R-1
         reserve B env:one shared      -> R-2
         reserve B env:one             -> refused: `env:one` is held shared by `A` under R-1 for another 30m 0s
         free A R-1
         reserve B env:one             -> R-3
         reserve A env:one shared      -> refused: `env:one` is held exclusive by `B` under R-3 for another 30m 0s",
    );
}

#[test]
fn a_lease_ends_unless_it_is_renewed() {
    let scenario = Scenario::play(
        "agent A
         agent B
         reserve A env:one ttl=60s       -> R-1
         reserve B env:two ttl=60s       -> R-2
         reserve B env:one wait=10s      -> waits as W-1
         tick +11s                       # who waits too long leaves the line
         held                            -> R-1 A env:one, R-2 B env:two
         tick +20s
         renew A R-1                     -> R-1
         tick +30s
         held                            -> R-1 A env:one
         reserve B env:one wait          -> waits as W-2
         tick +30s                       # released, and given on in the same step
         held                            -> R-3 B env:one
         reserve A env:x ttl=0s          -> refused: field `ttl_ms` is 0 ms; allowed is 1000 to 86400000 ms, by the policy
         reserve A env:x wait=2h         -> refused: field `wait_ms` is 7200000 ms; allowed is 10 to 3600000 ms, by the policy
         reserve A env:x,env:x           -> refused: field `resources[1]` is `env:x` twice; allowed is each resource once",
    );
    assert_eq!(causes(&scenario), [ReleaseCause::Expired; 3]);
}

#[test]
fn the_line_is_served_by_priority_then_deadline_then_time() {
    Scenario::play(
        "agent A
         agent B
         agent C
         agent D
         agent E
         submit low priority=low agent=B          -> assigned B
         submit soon deadline=+2h agent=C         -> assigned C
         submit high priority=high agent=D        -> assigned D
         reserve A env:one                        -> R-1
         reserve B env:one task=low wait          -> waits as W-1
         reserve E env:one wait                   -> waits as W-2
         reserve C env:one task=soon wait         -> waits as W-3
         reserve D env:one task=high wait         -> waits as W-4
         free A R-1
         held                                     -> R-2 D env:one, W-1 B env:one, W-2 E env:one, W-3 C env:one
         done high D                              # what was reserved for the task goes with it
         held                                     -> R-3 C env:one, W-1 B env:one, W-2 E env:one
         free C R-3
         held                                     -> R-4 E env:one, W-1 B env:one
         free B W-1                               -> waits as W-1
         held                                     -> R-4 E env:one",
    );
}

#[test]
fn nobody_overtakes_who_waits_to_write() {
    Scenario::play(
        "agent A
         agent B
         agent C
         submit high priority=high agent=C      -> assigned C
         reserve A env:one shared               -> R-1
         reserve B env:one wait                 -> waits as W-1
         reserve A env:one,env:two shared       -> refused: `env:one` is awaited by `B` under W-1, who comes first
         reserve C env:one shared task=high     -> R-2
         free A R-1
         held                                   -> R-2 C env:one, W-1 B env:one
         free C R-2
         held                                   -> R-3 B env:one",
    );
}

#[test]
fn who_is_gone_holds_nothing_and_force_needs_a_reason() {
    let scenario = Scenario::play(
        "agent A
         agent B
         agent C
         submit t1 agent=A           -> assigned A
         reserve A env:one           -> R-1
         reserve A env:two task=t1   -> R-2
         reserve B env:one wait      -> waits as W-1
         reserve C env:one wait      -> waits as W-2
         reserve B env:x task=t1     -> refused: task T-1 is owned by `A`, not by `B`
         remove B
         unreachable A
         held                        -> R-1 A env:one, R-2 A env:two, W-2 C env:one
         offline A
         held                        -> R-3 C env:one
         reserve A env:x             -> refused: agent `A` is offline
         force R-3                   -> refused: field `reason` is missing; allowed is a reason, where it is released by force
         force R-3 because           -> R-3
         held                        -> nothing",
    );
    use ReleaseCause::{Forced, HolderGone, TaskEnded};
    assert_eq!(causes(&scenario), [HolderGone, TaskEnded, HolderGone, Forced]);
}

#[test]
fn a_task_waits_for_its_resources_and_gets_them_with_its_owner() {
    Scenario::play(
        "agent A slots=2
         agent B slots=2
         reserve A env:stage                 -> R-1
         submit other agent=B takes=env:stage -> ready
         claim other B                       -> refused: `env:stage` is held exclusive by `A` under R-1 for another 30m 0s
         free A R-1
         show other                          -> assigned medium B
         held                                -> R-2 B env:stage
         submit t2 takes=env:stage           -> ready
         submit t3 takes=env:stage priority=high -> ready
         submit t4 reads=path:docs/**        -> assigned A
         submit t5 reads=path:docs/a.md      -> assigned A
         assign t2 B                         -> refused: `env:stage` is held exclusive by `B` under R-2 as long as it owns T-1
         tick +25h                           # it has no end of its own
         held                                -> R-2 B env:stage, R-3 A path:docs/**, R-4 A path:docs/a.md
         done other B
         show t3                             -> assigned high B
         show t2                             -> ready medium
         cancel t3
         show t2                             -> assigned medium B
         release t2 B                        # nobody else is free, so it comes back to B
         held                                -> R-3 A path:docs/**, R-4 A path:docs/a.md, R-7 B env:stage",
    );
}

#[test]
fn only_one_of_several_ready_tasks_gets_what_all_need() {
    Scenario::play(
        "submit t1 takes=path:src/**
         submit t2 takes=path:src/a.rs
         submit t3 takes=path:src/b.rs
         submit t4 takes=path:**/b.rs
         agent A slots=10
         show t1     -> assigned medium A
         show t2     -> ready medium
         show t4     -> ready medium
         done t1 A
         show t2     -> assigned medium A
         show t3     -> assigned medium A
         show t4     -> ready medium
         done t3 A
         show t4     -> assigned medium A",
    );
}

#[test]
fn what_an_agent_holds_for_itself_it_has_for_its_tasks() {
    Scenario::play(
        "agent A slots=3
         agent B slots=3
         reserve A path:src/**           -> R-1
         submit t1 takes=path:src/a.rs   -> assigned A   # A alone can have it
         submit t2 takes=path:src/a.rs   -> ready        # two tasks of one agent stand in each other's way
         submit t3 takes=path:src/b.rs agent=B -> ready
         submit t4 takes=path:src/c.rs   -> assigned A
         free A R-1
         show t3                         -> assigned medium B
         done t1 A
         show t2                         -> assigned medium A",
    );
}

#[test]
fn a_task_that_comes_first_is_not_overtaken_by_the_line_nor_the_line_by_the_rest() {
    Scenario::play(
        "agent A slots=4
         agent B
         submit run reads=env:one              -> assigned A
         drain B
         reserve B env:one wait                -> waits as W-1
         submit later reads=env:one            -> ready          # behind who waits to write
         submit first reads=env:one priority=critical -> assigned A
         done run A
         held                                  -> R-2 A env:one, W-1 B env:one
         done first A
         held                                  -> R-3 B env:one
         show later                            -> ready medium
         free B R-3
         show later                            -> assigned medium A",
    );
}

#[test]
fn a_ring_of_waits_is_broken_at_its_weakest_holder() {
    let scenario = Scenario::play(
        "agent A
         agent B
         agent C
         submit high priority=high agent=A    -> assigned A
         reserve A env:one task=high          -> R-1
         reserve B env:two                    -> R-2
         reserve C env:three ttl=10m          -> R-3
         reserve A env:two task=high wait     -> waits as W-1
         reserve B env:three wait             -> waits as W-2
         reserve C env:one wait               -> waits as W-3     # closes the ring; C came last of the two that are medium
         renew C R-3                          -> refused: reservation R-3 cannot be renewed: others wait for it in a ring; it ends in 10m 0s
         renew B R-2                          -> R-2
         tick +600s
         held                                 -> R-1 A env:one, R-2 B env:two, R-4 B env:three, W-1 A env:two, W-3 C env:one
         free B R-2
         held                                 -> R-1 A env:one, R-4 B env:three, R-5 A env:two, W-3 C env:one",
    );
    let rings: Vec<&Event> = scenario
        .log
        .iter()
        .map(|record| &record.event)
        .filter(|event| event.kind() == "reservation.ring")
        .collect();
    let [Event::ReservationRing { ring, reservation, .. }] = rings.as_slice() else { panic!("{rings:?}") };
    assert_eq!(reservation.to_string(), "R-3");
    let steps: Vec<String> = ring.iter().map(|step| format!("{} {}", step.agent.0, step.holder.0)).collect();
    assert_eq!(steps, ["2 0", "0 1", "1 2"]);
}

#[test]
fn a_ring_that_only_a_change_of_priority_or_deadline_closes_is_found_too() {
    for change in ["priority=critical", "deadline=+2h"] {
        Scenario::play(&format!(
            "agent A
             agent B
             agent C
             submit a agent=A                     -> assigned A
             submit b agent=B deadline=+9h        -> assigned B
             submit x after=b priority=medium deadline=+1h
             edit a deadline=+3h
             reserve A env:x ttl=10m              -> R-1
             reserve C env:y                      -> R-2
             reserve A env:y task=a wait          -> waits as W-1
             reserve B env:x,env:y task=b wait    -> waits as W-2
             renew A R-1                          -> R-1
             edit b {change}                      -> assigned B
             renew A R-1                          -> refused: reservation R-1 cannot be renewed: others wait for it in a ring; it ends in 10m 0s
             free C R-2
             held                                 -> R-1 A env:x, W-1 A env:y, W-2 B env:x env:y
             tick +10m
             held                                 -> R-3 B env:x env:y, W-1 A env:y
             restart                              -> as live"
        ));
    }
}

#[test]
fn a_ring_that_a_grant_closes_is_found_too() {
    Scenario::play(
        "agent A slots=2
         agent B
         agent C
         reserve C env:y                                -> R-1
         reserve B env:x                                -> R-2
         reserve B env:y wait                           -> waits as W-1
         reserve A env:x wait                           -> waits as W-2
         renew B R-2                                    -> R-2
         submit t1 priority=high agent=A takes=env:y    -> ready
         free C R-1                                     # the task comes before B, and A waits for B
         held                                           -> R-2 B env:x, R-3 A env:y, W-1 B env:y, W-2 A env:x
         renew B R-2                                    -> refused: reservation R-2 cannot be renewed: others wait for it in a ring; it ends in 30m 0s
         tick +30m
         held                                           -> R-3 A env:y, R-4 A env:x, W-1 B env:y",
    );
}

#[test]
fn a_ring_through_the_line_is_found_too() {
    Scenario::play(
        "agent A
         agent B
         agent C
         reserve A env:one                   -> R-1
         reserve B env:two                   -> R-2
         reserve C env:two wait              -> waits as W-1
         reserve C env:one wait              -> waits as W-2
         reserve A env:two wait              -> waits as W-3     # behind C for env:two, and C waits for A: a ring
         renew A R-1                         -> refused: reservation R-1 cannot be renewed: others wait for it in a ring; it ends in 30m 0s
         free A R-1
         held                                -> R-2 B env:two, R-3 C env:one, W-1 C env:two, W-3 A env:two",
    );
}

#[test]
fn after_a_start_every_lease_has_its_full_length() {
    Scenario::play(
        "agent A
         agent B
         reserve A env:one ttl=60s       -> R-1
         reserve B env:one wait=90s      -> waits as W-1
         tick +50s
         extend
         tick +50s
         held                            -> R-1 A env:one, W-1 B env:one
         tick +11s
         held                            -> R-2 B env:one",
    );
}

#[test]
fn a_critical_task_that_is_held_back_calls_nobody_until_its_resources_are_free() {
    let scenario = Scenario::play(
        "agent A
         reserve A env:one                                 -> R-1
         submit t1 priority=critical takes=env:one needs=go agent=A -> ready
         submit t2 priority=critical takes=env:two needs=go         -> ready",
    );
    let raised = |scenario: &Scenario| {
        scenario.log.iter().filter(|record| record.event.kind() == "escalation.raised").count()
    };
    assert_eq!(raised(&scenario), 1, "the second lacks an agent; of the first nobody knows yet");
    let scenario = Scenario::play(
        "agent A
         reserve A env:one                                 -> R-1
         submit t1 priority=critical takes=env:one needs=go agent=A -> ready
         free A R-1
         show t1                                           -> ready critical",
    );
    assert_eq!(raised(&scenario), 1);
}
