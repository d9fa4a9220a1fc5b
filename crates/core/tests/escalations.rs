//! Escalations: who is called, who takes them on, where they go when nobody does, and what goes on once they are settled.

mod fixed;
mod scenario;

use std::collections::{BTreeMap, BTreeSet};

use kapell_core::{Command, Event};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use scenario::Scenario;

const TEAM: &str = "agent A
    agent M role=agent_manager
    agent O role=owner kind=person";

/// A fleet in which a critical task that nobody can take has called the agent manager; its ack time is 5 min.
fn called() -> Scenario {
    let mut scenario = Scenario::play(TEAM);
    scenario.also(
        "submit t1 priority=critical needs=lisp
         escalations -> E-1 no_suitable_agent for agent_manager +0",
    );
    scenario
}

fn events(scenario: &Scenario, kind: &str) -> usize {
    scenario.log.iter().filter(|record| record.event.kind() == kind).count()
}

#[test]
fn whoever_is_called_is_told_and_what_is_taken_on_goes_to_nobody_else() {
    let mut scenario = called();
    scenario.also(
        "notices M -> called T-1
         notices O -> none
         acknowledge E-1 by=A -> refused: E-1 calls the role `agent_manager`, not `A`
         acknowledge E-1 by=M -> ready
         escalations -> E-1 no_suitable_agent for agent_manager +0 by M
         acknowledge E-1 -> ready       # who has taken it on stays
         tick +1h
         escalations -> E-1 no_suitable_agent for agent_manager +0 by M
         settle E-1 by=A -> refused: E-1 calls the role `agent_manager`, not `A`
         settle E-1 by=M -> ready
         acknowledge E-1 by=M -> refused: E-1 is already settled
         acknowledge E-2 -> refused: there is no escalation `E-2`",
    );
    assert_eq!(events(&scenario, "escalation.acknowledged"), 1);
    assert_eq!(events(&scenario, "escalation.reraised"), 0);
}

#[test]
fn what_nobody_takes_on_goes_to_the_next_role_up_a_bounded_number_of_times() {
    let mut scenario = called();
    scenario.also(
        "tick +4m
         escalations -> E-1 no_suitable_agent for agent_manager +0
         tick +1m
         escalations -> E-1 no_suitable_agent for owner +1
         notices O -> called T-1
         tick +5m
         escalations -> E-1 no_suitable_agent for owner +2 overdue
         tick +5m
         tick +10h
         escalations -> E-1 no_suitable_agent for owner +3 overdue
         acknowledge E-1 by=M           # it was called first
         escalations -> E-1 no_suitable_agent for owner +3 by M",
    );
    assert_eq!((events(&scenario, "escalation.reraised"), events(&scenario, "escalation.raised")), (3, 1));
}

#[test]
fn the_policy_says_how_often_and_one_that_is_raised_keeps_what_it_began_with() {
    let mut scenario = called();
    scenario.also(
        "policy reraises=0
         tick +5m
         tick +5m
         escalations -> E-1 no_suitable_agent for owner +1 overdue
         submit t2 priority=critical needs=lisp
         tick +10h
         escalations -> E-1 no_suitable_agent for owner +1 overdue; E-2 no_suitable_agent for agent_manager +0 overdue",
    );
}

#[test]
fn nobody_is_called_for_the_time_in_which_nobody_served() {
    let mut scenario = called();
    scenario.also(
        "away +3h
         tick +4m
         escalations -> E-1 no_suitable_agent for agent_manager +0
         tick +1m
         escalations -> E-1 no_suitable_agent for owner +1",
    );
}

#[test]
fn an_approval_calls_the_owner_and_ends_with_the_word() {
    let mut scenario = Scenario::play(TEAM);
    scenario.also(
        "submit t1 agent=A gates=approval
         done t1 A -> waiting A
         escalations -> E-1 approval_needed for owner +0
         notices O -> called T-1
         settle E-1 -> refused: E-1 asks for an approval of T-1; it ends with that
         reject t1 by=O -> assigned A
         escalations -> none
         done t1 A -> waiting A
         escalations -> E-2 approval_needed for owner +0
         pass t1 by=O -> completed
         escalations -> none",
    );
}

#[test]
fn who_settles_a_stall_lets_the_work_where_it_is_and_its_owner_is_asked_anew() {
    let mut scenario = Scenario::play("agent A");
    scenario.also(
        "submit t1 priority=high
         start t1 A
         check +30m
         check +30m
         show t1     -> in_progress high A unanswered
         escalations -> E-1 stalled for agent_manager +0
         settle E-1  -> in_progress A
         show t1     -> in_progress high A
         check +29m
         show t1     -> in_progress high A
         check +1m
         show t1     -> in_progress high A stalled
         check +30m
         escalations -> E-2 stalled for agent_manager +0",
    );
}

type Draw = (u8, u32, usize);

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    prop::collection::vec((0..45_u8, 1..7_u32, 0..2_usize), 1..200)
}

/// Plays what was drawn, and counts by the log alone what is raised and settled: one open escalation a cause, raised again only
/// while nobody has taken it on, and never more often than the policy says.
fn called_once(draws: Vec<Draw>, reached: &mut BTreeSet<String>) -> TestCaseResult {
    let mut scenario = Scenario::play(
        "policy turns=2
         agent A rust=0.9 slots=2
         agent B rust=0.9 slots=2
         agent M role=agent_manager
         agent O role=owner kind=person
         channel web A,B,M
         submit t0 needs=rust gates=approval attempts=1
         submit t1 needs=rust gates=review:qa
         submit t2 needs=rust gates=approval attempts=9
         submit t3 needs=rust priority=critical attempts=3",
    );
    let (mut seen, mut open, mut taken_on) = (0, BTreeMap::new(), BTreeSet::new());
    for (step, which, who) in draws {
        let (agent, other) = [("A", "B"), ("B", "A")][who];
        let task = which % 4;
        let line = match step {
            0 => format!("submit s{which} priority=critical needs=lisp"),
            1 => format!("release t{task} {agent}"),
            2 | 3 => format!("reopen t{task}"),
            4..=7 => format!("start t{task} {agent}"),
            8 | 9 => format!("fail t{task} {agent}"),
            10 | 11 | 41 => format!("done t{task} {agent}"),
            12 | 13 | 42 => format!("release t{task} {agent}"),
            14 | 15 => format!("handoff t{task} to={other}"),
            37 => format!("package t{task} {agent}"),
            17 => format!("send A @web word {}", ["high", "critical"][who]),
            18 | 19 => format!("send {other} {agent} word critical"),
            20 => format!("readmail {agent} M-{which}"),
            21 => format!("unreachable {agent}"),
            22 => format!("offline {agent}"),
            23 | 24 => format!("back {agent}"),
            25 => format!("acknowledge E-{which} by=M"),
            26 => format!("settle E-{which}"),
            27 => format!("cancel {}{task}", ["s", "t"][who]),
            28 => format!("reopen t{task}"),
            29 | 40 => format!("reject t{task}"),
            16 => format!("refuse t{task} {other}"),
            36 | 38 | 39 => format!("policy {}", ["turns=2", "sent_back=2", "inbox=2"][which as usize % 3]),
            30 => format!("declare critical_task_failure task=t{task}"),
            31 => format!("ask t{task} {agent} build"),
            32..=34 => format!("check {}m", 16 * (who + 1)),
            _ => "tick +6m".to_owned(),
        };
        if step == 35 {
            scenario.execute(Command::LookAtHealth, None).expect("a look is never refused");
        }
        scenario.line(&line);
        for record in &scenario.log[seen..] {
            match &record.event {
                Event::EscalationRaised { escalation, kind, subject, .. } => {
                    let cause = (*kind, subject.clone());
                    prop_assert!(open.values().all(|it| *it != cause), "{:?} is raised twice", cause);
                    open.insert(*escalation, cause);
                    reached.insert(kind.as_str().to_owned());
                }
                Event::EscalationSettled { escalation, .. } => {
                    prop_assert!(
                        open.remove(escalation).is_some(),
                        "{} is settled and was not open",
                        escalation
                    );
                }
                Event::EscalationAcknowledged { escalation, .. } => drop(taken_on.insert(*escalation)),
                Event::EscalationDropped { escalation, .. } => drop(taken_on.remove(escalation)),
                Event::EscalationReraised { escalation, .. } => {
                    prop_assert!(open.contains_key(escalation) && !taken_on.contains(escalation));
                    reached.insert("raised again".to_owned());
                }
                _ => {}
            }
        }
        seen = scenario.log.len();
        kapell_core::invariant::check(scenario.engine.state()).expect("every invariant");
    }
    let state = scenario.engine.state();
    prop_assert_eq!(state.open().count(), open.len());
    for escalation in state.escalations().iter() {
        prop_assert!(escalation.raised_again() <= 3);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_escalation_is_raised_twice_for_one_cause(draws in draws()) {
        called_once(draws, &mut BTreeSet::new())?;
    }
}

#[test]
fn the_draws_reach_many_kinds() {
    let reached = fixed::reached(64, &draws(), called_once);
    let wanted = [
        "approval_needed",
        "emergency",
        "handoff_stuck",
        "health_low",
        "message_unanswered",
        "no_reviewer",
        "no_suitable_agent",
        "raised again",
        "redispatch_loop",
        "stalled",
        "task_failed",
    ];
    let missing: Vec<&str> = wanted.into_iter().filter(|kind| !reached.contains(*kind)).collect();
    assert!(missing.is_empty(), "{missing:?} of {reached:?}");
}

#[test]
fn what_somebody_had_taken_on_who_is_gone_is_called_for_anew() {
    let taken = || {
        let mut scenario = called();
        scenario.also(
            "notices M -> called T-1
             read M N-1
             acknowledge E-1 by=M -> ready
             tick +1h
             escalations -> E-1 no_suitable_agent for agent_manager +0 by M",
        );
        scenario
    };
    let anew = "escalations -> E-1 no_suitable_agent for agent_manager +0
         restart -> as live
         tick +4m
         escalations -> E-1 no_suitable_agent for agent_manager +0
         tick +1m
         escalations -> E-1 no_suitable_agent for owner +1
         restart -> as live";
    let mut scenario = taken();
    scenario.also("unreachable M\noffline M\nnotices M -> called T-1");
    scenario.also(anew);
    let mut scenario = taken();
    scenario.also("remove M");
    scenario.also(anew);
    assert_eq!(events(&scenario, "escalation.dropped"), 1);
    // A manager that has no agent goes nowhere.
    let mut scenario = called();
    scenario.also("acknowledge E-1 -> ready\nremove M");
    assert_eq!(events(&scenario, "escalation.dropped"), 0);
}
