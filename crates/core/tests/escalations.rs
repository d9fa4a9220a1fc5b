//! Escalations: who is called, who takes them on, where they go when nobody does, and what goes on once they are settled.

mod scenario;

use proptest::prelude::*;
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// However ticks, words and causes come one after the other: one open escalation a cause, raised again only while nobody has
    /// taken it on, and never more often than the policy says.
    #[test]
    fn no_escalation_is_raised_twice_for_one_cause(steps in prop::collection::vec((0..6_u8, 1..3_u32), 1..60)) {
        let mut scenario = Scenario::play(TEAM);
        for (number, (step, which)) in steps.into_iter().enumerate() {
            let line = match step {
                0 => format!("submit t{number} priority=critical needs=lisp{which}"),
                1 => format!("acknowledge E-{which} by=M"),
                2 => format!("settle E-{which} by=O"),
                3 => format!("cancel T-{which}"),
                _ => "tick +4m".to_owned(),
            };
            scenario.line(&line);
            kapell_core::invariant::check(scenario.engine.state()).expect("every invariant");
        }
        let state = scenario.engine.state();
        let mut open: Vec<_> = state.open().map(|it| (it.kind, it.subject.clone())).collect();
        let all = open.len();
        open.dedup();
        prop_assert_eq!(open.len(), all);
        for escalation in state.escalations().iter() {
            prop_assert!(escalation.raised_again() <= 3);
        }
    }
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
