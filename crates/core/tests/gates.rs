//! Gates: finished work that another agent, a person or a command must pass (SEMANTICS 15).

mod scenario;

use scenario::Scenario;

const TEAM: &str = "agent A rust=0.9
    agent B rust=0.8
    agent Q role=qa
    agent P kind=person";

fn play(text: &str) -> Scenario {
    let mut scenario = Scenario::play(TEAM);
    scenario.also(text);
    scenario
}

#[test]
fn finished_work_waits_for_its_gates_one_after_the_other() {
    play(
        "submit t1 agent=A gates=approval,review,cmd:make_test
        submit t2 after=t1 agent=A
        start t1 A
        done t1 A -> waiting A
        ran t1 A 0 -> in_review A
        notices B -> review_asked T-1
        pass t1 by=B -> waiting A
        show t2 -> blocked medium
        pass t1 by=P -> completed
        show t2 -> assigned medium A",
    );
}

#[test]
fn a_policy_gates_a_type_for_what_is_finished_later() {
    play(
        "submit t1 agent=A type=bug
        submit t2 agent=B type=bug
        done t1 A -> completed
        policy gates=review
        done t2 B -> in_review B
        policy default
        show t2 -> in_review medium B
        pass t2 by=A -> completed",
    );
}

#[test]
fn the_author_never_reviews_its_own_and_roles_are_kept() {
    play(
        "submit t1 agent=A gates=review:qa,approval
        done t1 A -> in_review A
        notices Q -> review_asked T-1
        pass t1 by=A -> refused: `A` may not give the review of T-1: it is the author
        pass t1 by=B -> refused: `B` may not give the review of T-1: the review is for the role `qa`
        pass t1 gate=2 by=Q -> refused: field `gate` is 2; allowed is 1, the gate before which it stands
        ran t1 A 0 -> refused: `A` may not give the review of T-1: it is the author
        ran t1 Q 0 -> refused: field `exit_code` is 0; allowed is approve or reject: no command is due
        pass t1 by=Q -> waiting A
        pass t1 by=B -> refused: `B` may not give the approval of T-1: the approval is for a person
        pass t1 -> completed                     # a manager
        pass t1 -> refused: task T-1 is completed; a word about finished work is possible from in_review, waiting",
    );
    play(
        "submit t1 agent=P gates=approval
        done t1 P -> waiting P
        pass t1 by=P -> refused: `P` may not give the approval of T-1: it is the author",
    );
}

#[test]
fn work_that_is_sent_back_comes_under_the_same_token_and_is_counted() {
    let scenario = play(
        "policy sent_back=2
        submit t1 agent=A gates=cmd:make_test,review
        start t1 A
        done t1 A -> waiting A
        ran t1 A 2 -> assigned A
        notices A -> sent_back T-1
        start t1 A -> in_progress A
        done t1 A -> waiting A
        ran t1 A 0 -> in_review A
        notices B -> review_asked T-1
        reject t1 by=B -> assigned A
        start t1 A
        done t1 A -> waiting A
        ran t1 A 0 -> in_review A
        pass t1 by=B -> completed",
    );
    let state = scenario.engine.state();
    let task = state.tasks().iter().next().expect("a task");
    let acceptance = task.acceptance.as_ref().expect("gates");
    assert_eq!((acceptance.rejections, task.attempts), (2, 1));
    let called = scenario.log.iter().filter(|it| it.event.kind() == "escalation.raised").count();
    assert_eq!(called, 1, "somebody is called with the second time");
}

#[test]
fn what_was_sent_back_and_not_fetched_returns_to_the_queue() {
    play(
        "submit t1 gates=review
        show t1 -> assigned medium A
        done t1 A -> in_review A
        reject t1 by=B -> assigned A
        unfetched t1 A
        show t1 -> assigned medium B",
    );
}

#[test]
fn finished_work_outlives_its_author() {
    play(
        "submit t1 agent=A gates=review,approval
        done t1 A -> in_review A
        unreachable A
        offline A
        show t1 -> in_review medium
        done t1 A -> in_review                   # told again, changes nothing
        pass t1 by=B -> waiting
        pass t1 -> completed",
    );
    play(
        "submit t1 agent=A gates=review
        done t1 A -> in_review A
        unreachable A
        offline A
        reject t1 by=B -> ready                  # pinned to one who is gone
        back A
        show t1 -> assigned medium A",
    );
}

#[test]
fn a_review_goes_on_to_another_where_it_is_not_given() {
    play(
        "submit t1 agent=A gates=review:developer
        done t1 A -> in_review A
        notices B -> review_asked T-1
        notices P -> none
        tick +61m
        notices P -> review_asked T-1
        unreachable P
        offline P
        settle E-1                               # nobody else is there
        agent C
        notices C -> review_asked T-1
        pass t1 by=B -> completed                # who was asked before may still say it",
    );
}

#[test]
fn nobody_who_may_review_is_a_reason_and_somebody_is_called() {
    let mut scenario = Scenario::play(
        "agent A
        submit t1 gates=review
        done t1 A -> in_review A",
    );
    let state = scenario.engine.state();
    let task = state.tasks().iter().next().expect("a task");
    assert_eq!(
        state.gate_text(task).as_deref(),
        Some("another agent must review it, and nobody who may is there")
    );
    assert!(state.escalations().iter().all(|it| it.settled.is_none()));
    scenario.also(
        "restart -> as live
        agent B
        notices B -> review_asked T-1
        settle E-1 -> refused: E-1 is already settled
        pass t1 by=B -> completed",
    );
}

#[test]
fn one_slot_each_is_enough_to_review_each_other() {
    Scenario::play(
        "agent A
        agent B
        submit t1 agent=A gates=review
        submit t2 agent=B gates=review
        done t1 A -> in_review A
        done t2 B -> in_review B
        pass t1 by=B -> completed
        pass t2 by=A -> completed",
    );
}

#[test]
fn a_late_result_that_is_accepted_passes_the_gates_too() {
    play(
        "submit t1 gates=review takes=env:one
        show t1 -> assigned medium A
        unreachable A
        offline A
        show t1 -> assigned high B
        done t1 A -> stale, kept as O-1
        accept O-1 -> in_review
        held -> nothing
        back A
        pass t1 by=A -> refused: `A` may not give the review of T-1: it is the author
        pass t1 by=B -> completed",
    );
}

#[test]
fn work_before_a_gate_is_not_moved_nor_asked_about() {
    play(
        "submit t1 agent=A gates=approval
        start t1 A
        done t1 A -> waiting A
        progress t1 A 50 -> refused: task T-1 is waiting; a report is possible from assigned, in_progress
        move t1 B -> refused: task T-1 is waiting; moving is possible from assigned, in_progress
        check +200h
        show t1 -> waiting medium A
        cancel t1 -> cancelled",
    );
}
