//! What an owner wants leave for: who is called, who may answer, and how it ends (SEMANTICS 15).

mod scenario;

use kapell_core::{EscalationKind, Event};
use proptest::prelude::*;
use scenario::Scenario;

const TEAM: &str = "agent A rust=0.9
    agent B rust=0.8 slots=3
    agent P kind=person
    agent O role=owner kind=person
    submit t1 needs=rust
    start t1 A";

fn begun(text: &str) -> Scenario {
    let mut scenario = Scenario::play(TEAM);
    scenario.also(text);
    scenario
}

fn events(scenario: &Scenario, kind: &str) -> usize {
    scenario.log.iter().filter(|record| record.event.kind() == kind).count()
}

#[test]
fn a_person_is_called_and_its_answer_is_kept_for_who_asked() {
    let scenario = begun(
        "ask t1 A run -> in_progress A
         escalations -> E-1 permission_needed for owner +0
         notices O -> called T-1
         ask t1 A run -> in_progress A          # the same again
         pass t1 by=P -> refused: field `request` is missing; allowed is P-8, since the work is not finished: its owner wants leave
         settle E-1 -> refused: E-1 asks what the owner of T-1 may do; it ends with an answer to that
         allow t1 run by=A -> refused: `A` may not give the request for leave of T-1: it is the one who asks
         allow t1 run by=B -> refused: `B` may not give the request for leave of T-1: the answer is for a person
         allow t1 walk by=P -> refused: there is no request for leave `P-0 of T-1`
         allow t1 run by=P option=reject_once -> refused: field `option` is reject_once; allowed is one of: allow_always, allow_once
         allow t1 run by=P -> in_progress A
         escalations -> none
         deny t1 run -> refused: request P-8 of T-1 is already answered
         ask t1 A run -> in_progress A          # and once more: it was answered
         restart -> as live
         ask t1 A again -> in_progress A
         escalations -> E-2 permission_needed for owner +0
         deny t1 again -> in_progress A
         escalations -> none",
    );
    let said = scenario.log.iter().filter_map(|record| match &record.event {
        Event::PermissionAnswered { answer, .. } => {
            Some((answer.allowed, answer.option.clone().expect("an option").to_string(), answer.by.is_some()))
        }
        _ => None,
    });
    let said: Vec<_> = said.collect();
    assert_eq!(said, [(true, "allow_once".to_owned(), true), (false, "reject_once".to_owned(), false)]);
    assert_eq!((events(&scenario, "permission.asked"), events(&scenario, "escalation.raised")), (2, 2));
}

#[test]
fn an_agent_that_offers_one_sort_of_answer_gets_no_other_one() {
    let scenario = begun(
        "ask t1 A run allow_always
         deny t1 run -> in_progress A
         ask t1 A walk reject_always
         allow t1 walk -> refused: field `verdict` is approve; allowed is reject: the agent offers nothing else
         deny t1 walk -> in_progress A
         ask t1 A stop , -> refused: field `options` is 0; allowed is 1 to 8 options
         ask t1 A stop reject_once,reject_once -> refused: field `options[1].id` is reject_once; allowed is each id once
         ask t1 B stop -> refused: there is no assignment A-9999, of task T-1 or any other",
    );
    let last = scenario.log.iter().rev().find_map(|record| match &record.event {
        Event::PermissionAnswered { answer, .. } if !answer.allowed && answer.option.is_none() => {
            Some(answer.option.clone())
        }
        _ => None,
    });
    assert_eq!(last, Some(None), "it offers nothing to refuse");
}

#[test]
fn nobody_is_asked_how_far_it_is_while_it_waits_for_leave() {
    begun(
        "check +20m
         ask t1 A run
         check +5h
         show t1 -> in_progress medium A
         progress t1 A 10                  # its runner says what it says
         check +5h
         show t1 -> in_progress medium A
         restart -> as live
         allow t1 run by=P
         check +29m
         show t1 -> in_progress medium A
         check +1m
         show t1 -> in_progress medium A stalled
         ask t1 A again                    # an answer, too
         show t1 -> in_progress medium A
         check +5h
         unask t1 A
         check +29m
         show t1 -> in_progress medium A
         check +1m
         show t1 -> in_progress medium A stalled",
    );
}

#[test]
fn the_time_in_which_it_waits_counts_for_no_attempt() {
    // An attempt at work of an hour is overdue after four.
    begun(
        "submit t2 agent=B effort=1h
         start t2 B
         progress t2 B 10
         ask t2 B run
         away +1h
         check +9h
         deny t2 run by=P
         check +20m
         progress t2 B 20
         show t2 -> in_progress medium B",
    );
}

#[test]
fn it_ends_with_the_assignment_however_that_ends() {
    for (end, after) in [
        ("done t1 A", "completed"),
        ("fail t1 A", "deferred medium"),
        ("cancel t1", "cancelled medium"),
        ("unreachable A\noffline A", "assigned high B"),
        ("move t1 B", "assigned medium B"),
    ] {
        let mut scenario = begun("ask t1 A run\n escalations -> E-1 permission_needed for owner +0");
        scenario.also(&format!("{end}\n escalations -> none"));
        let shown = scenario.line("show t1");
        assert!(shown.starts_with(after), "{end}: {shown}");
        scenario.also(
            "allow t1 run by=P -> refused: there is no request for leave `P-8 of T-1`\n restart -> as live",
        );
        assert_eq!(events(&scenario, "escalation.settled"), 1, "{end}");
    }
}

#[test]
fn another_request_takes_the_place_of_one_that_is_open_and_who_withdraws_twice_has_withdrawn_once() {
    let scenario = begun(
        "ask t1 A run
         ask t1 A walk
         escalations -> E-2 permission_needed for owner +0
         allow t1 run by=P -> refused: there is no request for leave `P-8 of T-1`
         unask t1 A
         unask t1 A
         escalations -> none
         submit t2 agent=B
         ask t2 B run -> refused: task T-2 is assigned; leave for something is possible from in_progress",
    );
    assert_eq!(events(&scenario, "permission.withdrawn"), 2);
}

#[test]
fn a_word_goes_to_the_request_that_was_read_whatever_the_next_one_is_called() {
    // Another owner, another start, another rework: each asks under the name that was used before.
    begun(
        "ask t1 A run
         fail t1 A
         tick +1h
         show t1 -> assigned medium B
         start t1 B
         ask t1 B run allow_once,reject_once fetch
         allow t1 run#1 by=P -> refused: there is no request for leave `P-8 of T-1`
         unask t1 B
         ask t1 B run allow_once,reject_once push
         allow t1 run#2 by=P -> refused: there is no request for leave `P-16 of T-1`
         allow t1 run#3 by=P -> in_progress B",
    );
    let scenario = begun(
        "submit t2 agent=B gates=approval
         start t2 B
         done t2 B
         reject t2 by=O
         start t2 B
         ask t2 B run
         done t2 B
         reject t2 by=O
         start t2 B
         ask t2 B run
         deny t2 run#2 by=O -> in_progress B",
    );
    assert_eq!((events(&scenario, "permission.asked"), events(&scenario, "permission.answered")), (2, 1));
}

#[test]
fn an_old_answer_is_none_for_something_else_of_the_same_name() {
    begun(
        "ask t1 A run
         allow t1 run by=P
         ask t1 A run allow_once,reject_once push
         escalations -> E-2 permission_needed for owner +0
         unask t1 A
         escalations -> none
         ask t1 A run
         allow t1 run by=P
         unask t1 A -> refused: request P-18 of T-1 is already answered",
    );
}

#[test]
fn requests_under_one_assignment_are_bounded() {
    let mut scenario = begun("");
    for number in 0..kapell_model::limits::PERMISSIONS_PER_ASSIGNMENT_MAX {
        scenario.line(&format!("ask t1 A r{number}"));
    }
    scenario.also(
        "ask t1 A run -> refused: requests for leave under one assignment are limited to 1000
         ask t1 A r999 -> in_progress A        # the same again
         restart -> as live",
    );
}

#[test]
fn where_nobody_has_the_role_the_highest_of_the_ladder_that_somebody_has_is_called() {
    Scenario::play(
        "agent A rust=0.9
         agent K role=architect kind=person
         agent M role=agent_manager kind=person
         submit t1 needs=rust
         start t1 A
         ask t1 A run
         escalations -> E-1 permission_needed for agent_manager +0
         notices M -> called T-1
         restart -> as live",
    );
}

#[test]
fn finished_work_wants_no_leave_and_begins_anew_when_it_is_sent_back() {
    begun(
        "submit t2 agent=B gates=approval
         start t2 B
         ask t2 B run
         done t2 B -> waiting B
         escalations -> E-2 approval_needed for owner +0
         reject t2 by=O -> assigned B
         start t2 B
         ask t2 B run
         escalations -> E-3 permission_needed for owner +0
         allow t2 run by=O -> in_progress B
         done t2 B -> waiting B",
    );
}

#[test]
fn what_waits_for_leave_stays_where_it_is() {
    begun(
        "ask t1 A run
         handoff t1 by=A to=B -> in_progress A
         package t1 A -> assigned B
         escalations -> none
         show t1 -> assigned medium B",
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever comes one after the other: a person is called for what waits for leave, and for nothing else; nobody twice for
    /// the same, and nobody is answered who has not asked.
    #[test]
    fn a_person_is_called_exactly_as_long_as_somebody_waits(lines in prop::collection::vec(prop::sample::select(vec![
        "ask t1 A run", "ask t1 A walk", "ask t1 A run", "ask t2 B run", "ask t2 B walk", "unask t1 A", "unask t2 B",
        "allow t1 run by=P", "deny t1 walk", "allow t2 run by=O", "deny t2 walk by=P", "allow t1 run by=A", "start t1 A",
        "start t2 B", "progress t1 A 50", "done t2 B", "fail t1 A", "release t1 A", "cancel t2", "reopen t2", "unreachable A", "offline A", "back A",
        "move t1 B", "check +20m", "away +2h", "settle E-1", "handoff t1 by=A to=B", "package t1 A", "restart",
    ]), 1..40)) {
        let mut scenario = begun("submit t2 agent=B gates=approval\n start t2 B");
        for line in lines {
            scenario.line(line);
            let state = scenario.engine.state();
            let wanted: Vec<_> = state.tasks().iter().filter(|it| it.wanted().is_some()).map(|it| it.id).collect();
            let called = state.open().filter(|it| it.kind == EscalationKind::PermissionNeeded);
            let mut called: Vec<_> = called.filter_map(|it| it.task()).collect();
            called.sort_unstable();
            prop_assert_eq!(wanted, called, "{}", line);
        }
        let ended = events(&scenario, "permission.answered") + events(&scenario, "permission.withdrawn");
        prop_assert!(ended <= events(&scenario, "permission.asked"));
    }
}

#[test]
fn who_wants_leave_has_answered_and_nobody_is_called_for_its_silence_any_more() {
    Scenario::play(
        "policy emergencies=off
         agent A rust=0.9
         agent O role=owner kind=person
         submit t1 priority=critical needs=rust
         start t1 A
         check +30m
         check +5m
         show t1 -> in_progress critical A unanswered
         calls -> E-1 stalled T-1
         ask t1 A run -> in_progress A
         calls -> E-2 permission_needed T-1",
    );
    let mut scenario =
        begun("submit t2 priority=critical agent=B\n start t2 B\n check +30m\n check +5m\n ask t2 B run");
    let settled = scenario.log.iter().filter_map(|record| match &record.event {
        Event::EscalationSettled { note, .. } => Some(note.as_str()),
        _ => None,
    });
    assert!(settled.clone().any(|note| note == "`B` wants leave"), "{:?}", settled.collect::<Vec<_>>());
    scenario.also("look +1m");
    assert_eq!(events(&scenario, "emergency.ended"), events(&scenario, "emergency.declared"));
}
