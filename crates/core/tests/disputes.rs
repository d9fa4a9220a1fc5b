//! Disputes: whose a task is where more than one agent takes it for its own (SEMANTICS 3.4 and 7, `TASK_DISPUTE`).

mod scenario;

use kapell_core::{AwardRule, Event};
use scenario::Scenario;

/// `A` owns `t1` and has begun it.
const OWNED: &str = "agent A rust=0.9 slots=2
    submit t1 needs=rust
    start t1 A -> in_progress A
    agent B rust=0.95
    agent C rust=0.8";

fn play(text: &str) -> Scenario {
    let mut scenario = Scenario::play(OWNED);
    scenario.also(text);
    scenario
}

/// Returns how the last dispute was ruled.
fn ruled(scenario: &Scenario) -> (AwardRule, usize) {
    let ruled = scenario.log.iter().rev().find_map(|record| match &record.event {
        Event::DisputeRuled { rule, considered, .. } => Some((*rule, considered.len())),
        _ => None,
    });
    ruled.expect("a dispute was ruled")
}

#[test]
fn the_holder_of_a_live_assignment_is_right() {
    let scenario = play(
        "dispute t1 B -> C-1
        conflict C-1 -> resolved of A,B to A by live_assignment
        show t1 -> in_progress medium A
        notices B -> dispute_ruled T-1
        notices A -> none
        dispute t1 B -> C-1                     # said again: nothing new
        notices B -> dispute_ruled T-1
        dispute t1 C -> C-2
        conflict C-2 -> resolved of A,B,C to A by live_assignment
        progress t1 A 50 -> in_progress A",
    );
    assert_eq!(ruled(&scenario), (AwardRule::LiveAssignment, 0));
}

#[test]
fn the_owner_says_against_whom() {
    play(
        "dispute t1 A -> refused: field `against` is missing; allowed is the agent that takes it for its own too: the task is yours
        dispute t1 A against=A -> refused: field `against` is `A`, the owner itself; allowed is another agent
        dispute t1 B against=C -> refused: field `against` is `C`; allowed is the owner, `A`, or nothing
        dispute t1 A against=B -> C-1
        conflict C-1 -> resolved of A,B to A by live_assignment
        notices B -> dispute_ruled T-1",
    );
}

#[test]
fn only_what_somebody_owns_is_disputed() {
    play(
        "submit t2 needs=nothing
        dispute t2 B -> refused: task T-2 is ready; disputing is possible from assigned, in_progress
        dispute t9 B -> refused: there is no task `t9`
        dispute t1 Z -> refused: there is no agent `Z`",
    );
}

#[test]
fn a_claim_of_what_another_owns_is_refused_until_that_one_is_stalled() {
    let scenario = play(
        "claim t1 B -> refused: task T-1 is owned by `A`, not by `B`
        check +31m
        show t1 -> in_progress medium A stalled
        claim t1 B -> C-1
        conflict C-1 -> resolved of A,B to B by highest_score
        show t1 -> assigned medium B
        notices A -> status_requested T-1, dispute_ruled T-1
        progress t1 A 60 -> refused: assignment A-1 of task T-1 is outdated; the current one is A-2, held by `B`
        done t1 B -> completed",
    );
    assert_eq!(ruled(&scenario), (AwardRule::HighestScore, 2));
}

#[test]
fn a_stalled_holder_keeps_what_it_is_better_at() {
    // With the task counted against nobody: A has two slots free of two, C one of one; A is the better one.
    play(
        "check +31m
        claim t1 C -> C-1
        conflict C-1 -> resolved of A,C to A by highest_score
        show t1 -> in_progress medium A stalled
        notices C -> dispute_ruled T-1
        claim t1 C -> refused: task T-1 is owned by `A`, not by `C`",
    );
}

#[test]
fn the_first_claim_counts_where_nobody_could_have_it() {
    let scenario = play(
        "check +31m
        unreachable A
        submit t2 agent=B
        claim t1 B -> C-1
        conflict C-1 -> resolved of A,B to A by first_claim",
    );
    assert_eq!(ruled(&scenario), (AwardRule::FirstClaim, 0));
}

#[test]
fn those_who_claimed_before_are_considered_too() {
    play(
        "dispute t1 B -> C-1
        check +31m
        claim t1 C -> C-2
        conflict C-2 -> resolved of A,B,C to B by highest_score
        show t1 -> assigned medium B
        notices C -> dispute_ruled T-1",
    );
}

#[test]
fn a_late_result_contests_the_owner() {
    let scenario = Scenario::play(
        "agent A slots=2
        submit t1
        start t1 A
        agent B
        unreachable A
        offline A
        show t1 -> assigned high B
        back A
        done t1 A -> stale, kept as O-1
        conflict C-1 -> resolved of B,A to B by live_assignment
        notices A -> dispute_ruled T-1
        done t1 A -> stale, kept as O-1          # the same report: nothing new
        agent C
        claim t1 C -> C-2                        # contested, so a claim is heard
        conflict C-2 -> resolved of B,A,C to B by live_assignment
        accept O-1 -> completed",
    );
    let opened = scenario.log.iter().filter(|record| record.event.kind() == "dispute.opened").count();
    assert_eq!(opened, 2);
}

#[test]
fn what_is_reserved_for_the_task_goes_with_the_award_and_a_handoff_ends() {
    play(
        "check +31m
        progress t1 A 10
        reserve A env:one task=t1 -> R-1
        handoff t1 to=C -> in_progress A
        check +31m
        claim t1 B -> C-1
        handoffs -> H-1 T-1 A>C overtaken
        held -> nothing
        show t1 -> assigned medium B",
    );
}

#[test]
fn claims_that_are_off_open_nothing() {
    play(
        "policy claims=off
        check +31m
        claim t1 B -> refused: claims are off in this fleet; work is handed out by score
        dispute t1 B -> C-1
        restart -> as live",
    );
}
