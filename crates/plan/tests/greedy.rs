//! What the greedy strategy places, told as scenarios. Unless a line says otherwise every agent is worth
//! 0.40 capability + 0.30 workload + 0.14 performance + 0.05 cohesion.

mod world;

use world::scenario::run;

#[test]
fn the_threshold_is_strict() {
    // 0.525 * 0.4 = 0.21, and 0.21 + 0.3 + 0.14 + 0.05 = 0.70 exactly. A millionth of capability more is worth
    // 0.4 millionths, which is rounded away; two are worth 0.8 millionths, rounded to one.
    run("
        agent  ann 0/1 rust=0.525
        agent  bob 0/1 rust=0.525001
        task   T-1 rust
        round  -
        agent  cid 0/1 rust=0.525002
        round  T-1:cid
    ");
}

#[test]
fn one_of_two_slots_taken_asks_for_more_than_nine_tenths() {
    run("
        agent  ann 1/2 rust=0.9
        agent  bob 1/2 rust=0.900001
        task   T-1 rust
        round  -
        agent  cid 1/2 rust=0.900002
        round  T-1:cid
    ");
}

#[test]
fn the_best_score_wins() {
    run("
        agent  ann 0/1 rust=0.8
        agent  bob 0/1 rust=0.9
        agent  cid 0/1 rust=0.7
        task   T-1 rust
        round  T-1:bob
    ");
}

#[test]
fn weights_decide_which_capability_counts() {
    run("
        agent  ann 0/1 rust=1.0 docs=0.4
        agent  bob 0/1 rust=0.5 docs=1.0
        task   T-1 rust*3 docs
        task   T-2 rust docs*3
        round  T-1:ann T-2:bob
    ");
}

#[test]
fn an_agent_under_a_minimum_is_no_candidate() {
    run("
        agent  ann 0/1 rust=1.0 docs=0.299999
        agent  bob 0/1 rust=0.6 docs=0.3
        task   T-1 rust*9 docs>=0.3
        round  T-1:bob
    ");
}

#[test]
fn a_missing_capability_scores_nothing() {
    run("
        agent  ann 0/1 rust=1.0
        agent  bob 0/1 rust=0.6 docs=0.6
        task   T-1 rust docs
        round  T-1:bob
    ");
}

#[test]
fn a_task_without_requirements_goes_to_anybody() {
    run("
        agent  ann 0/1
        task   T-1
        round  T-1:ann
    ");
}

#[test]
fn ties_go_to_fewer_tasks_then_longer_idle_then_smaller_id() {
    // 1/4 and 2/8 are the same share of free slots.
    run("
        agent  ann 2/8 since=1
        agent  bob 1/4 since=9
        agent  cid 1/4 since=8
        agent  dan 1/4 since=8
        task   T-1
        round  T-1:cid
    ");
}

#[test]
fn loads_beyond_a_byte_still_tell_who_has_fewer() {
    run("
        agent  ann 400/800 since=1
        agent  bob 300/600 since=2
        policy threshold=0.6
        task   T-1
        round  T-1:bob
    ");
}

#[test]
fn roles_pins_and_exclusions_are_kept() {
    run("
        agent  ann 0/1 role=dev
        agent  bob 0/1 role=qa
        agent  cid 0/1 role=dev
        task   T-1 role=qa
        task   T-2 pin=cid
        task   T-3 not=cid,bob
        task   T-4 pin=cid
        round  T-1:bob T-2:cid T-3:ann
    ");
}

#[test]
fn only_online_agents_get_work() {
    run("
        agent  ann 0/1 state=unreachable
        agent  bob 0/1 state=offline
        agent  cid 0/1 state=removed
        task   T-1
        round  -
        state  bob online
        round  T-1:bob
    ");
}

#[test]
fn the_agent_that_failed_a_task_steps_back_where_another_passes() {
    run("
        agent  ann 0/1 rust=1.0
        agent  bob 0/1 rust=0.6
        task   T-1 rust veto=ann
        round  T-1:bob
    ");
}

#[test]
fn the_agent_that_failed_a_task_gets_it_again_where_nobody_else_passes() {
    run("
        agent  ann 0/1 rust=1.0
        agent  bob 0/1 rust=0.5
        task   T-1 rust veto=ann
        round  T-1:ann
    ");
}

#[test]
fn a_veto_holds_for_its_task_alone() {
    run("
        agent  ann 0/1 rust=1.0
        agent  bob 0/1 rust=0.9
        task   T-1 rust
        task   T-2 rust veto=ann
        round  T-1:ann T-2:bob
    ");
}

#[test]
fn tasks_come_by_priority_then_latest_start_then_age_then_id() {
    run("
        agent  ann 0/1
        agent  bob 0/1
        agent  cid 0/1
        agent  dan 0/1
        agent  eve 0/1
        task   T-9 low start=1
        task   T-8 high submitted=2
        task   T-7 high submitted=1
        task   T-6 high submitted=1
        task   T-5 high start=10 submitted=3 type=bug
        task   T-4 critical submitted=9 type=bug
        round  T-4:ann T-5:bob T-6:cid T-7:dan T-8:eve
    ");
}

#[test]
fn an_unplaceable_head_does_not_use_up_the_round() {
    run("
        agent  ann 0/1 rust=0.9
        agent  bob 0/1 rust=0.9
        task   T-1 critical haskell
        task   T-2 critical haskell
        task   T-3 high docs
        task   T-4 low rust
        task   T-5 low rust
        task   T-6 low rust
        round  T-4:ann T-5:bob
    ");
}

#[test]
fn a_round_fills_every_slot_that_may_be_filled() {
    // 0 of 3: 0.89; 1 of 3: 0.79; 2 of 3: 0.40 + 0.10 + 0.19 = 0.69, so the third slot stays empty.
    run("
        agent  ann 0/3
        agent  bob 0/1
        task   T-1
        task   T-2
        task   T-3
        task   T-4
        round  T-1:ann T-2:bob T-3:ann
        round  -
        finish T-1
        round  T-4:ann
    ");
}

#[test]
fn a_freed_agent_takes_the_first_task_that_it_can() {
    run("
        agent  ann 0/1 rust=0.9
        agent  bob 0/1 docs=0.9
        task   T-1 rust
        task   T-2 docs
        round  T-1:ann T-2:bob
        task   T-3 high docs
        task   T-4 low rust
        task   T-5 low rust
        round  -
        finish T-1
        round  T-4:ann
        finish T-2
        round  T-3:bob
        finish T-4
        round  T-5:ann
    ");
}

#[test]
fn new_tasks_and_freed_agents_meet_in_one_round_in_order() {
    run("
        agent  ann 0/1 rust=0.9
        agent  bob 0/1 rust=0.8
        agent  cid 0/1 docs=0.9
        task   T-1 rust
        task   T-2 rust
        round  T-1:ann T-2:bob
        task   T-3 low rust
        task   T-4 medium rust type=bug
        round  -
        task   T-5 high docs
        task   T-6 critical rust type=feature
        finish T-2
        round  T-6:bob T-5:cid
        finish T-1
        round  T-4:ann
        finish T-6
        round  T-3:bob
    ");
}

#[test]
fn a_change_of_policy_looks_at_everything_again() {
    run("
        agent  ann 0/1 rust=0.5
        task   T-1 rust
        round  -
        policy threshold=0.6
        round  T-1:ann
    ");
}

#[test]
fn a_new_agent_and_a_better_one_are_seen() {
    run("
        agent  ann 1/1 rust=0.9
        task   T-1 rust
        task   T-2 rust
        round  -
        load   ann 1/3
        round  T-1:ann
        agent  bob 0/1 rust=0.6
        round  T-2:bob
    ");
}

#[test]
fn a_dropped_placement_is_not_proposed_again_in_the_round() {
    // Where only new tasks are looked at: the agents are long known.
    run("
        agent  ann 0/1
        agent  bob 0/1
        round  -
        task   T-1 high
        task   T-2
        task   T-3 low type=bug
        refuse T-1
        round  (T-1) T-3:ann
    ");
    // Where an agent has been freed, so that all heads are walked.
    run("
        agent  ann 0/1
        task   T-1
        round  T-1:ann
        task   T-2
        task   T-3 low type=bug
        round  -
        finish T-1
        refuse T-2
        round  (T-2) T-3:ann
    ");
    // Where the freed agent is full again and the round goes on with the new tasks.
    run("
        agent  ann 0/1 docs=1.0
        agent  bob 0/1 rust=1.0
        task   T-1 docs
        round  T-1:ann
        finish T-1
        task   T-2 high docs
        task   T-3 rust
        task   T-4 low rust type=bug
        refuse T-3
        round  T-2:ann (T-3) T-4:bob
    ");
    // Where the class was refused before the round went over to the new tasks.
    run("
        agent  ann 0/1 docs=1.0
        agent  bob 0/1 rust=1.0
        task   T-1 docs
        round  T-1:ann
        finish T-1
        task   T-2 high rust
        task   T-3 docs
        refuse T-2
        round  (T-2) T-3:ann
    ");
}
