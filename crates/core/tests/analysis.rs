//! What a task's text is taken to say (SEMANTICS 2.2), and what follows from it.

mod scenario;

use kapell_core::{Event, State};
use scenario::Scenario;

#[test]
fn what_is_not_declared_is_inferred_and_decides_who_gets_it() {
    Scenario::play(
        "agent P python=0.9
         agent S sql=0.9
         submit t1 title=Tune_the_postgres_index       -> assigned S
         said t1                                       -> sql
         submit t2 title=Tune_the_postgres_index       -> ready
         submit t3 title=Tune_the_postgres_index needs=python  -> assigned P
         said t3                                       ->
         done t3 P
         submit t4 title=Water_the_flowers             -> assigned P
         said t4                                       ->
         done t1 S                                     -> completed
         show t2                                       -> assigned medium S",
    );
}

#[test]
fn a_guess_that_nobody_in_the_fleet_could_meet_is_set_aside() {
    Scenario::play(
        "agent P python=0.9
         define sql postgres
         submit t1 title=Tune_postgres       -> assigned P
         said t1                             -> sql:set-aside
         submit t2 title=Tune_postgres       -> ready
         agent S sql=0.9                     # from now on somebody could
         show t2                             -> assigned medium S
         said t2                             -> sql
         submit t3 title=Tune_postgres       -> ready
         done t1 P                           -> completed
         show t3                             -> ready medium
         unreachable S
         offline S                           # it may come back: they wait for it
         show t2                             -> ready high
         remove S                            # and now nobody can
         show t2                             -> assigned high P
         show t3                             -> ready medium
         said t3                             -> sql:set-aside",
    );
}

#[test]
fn of_guesses_that_nobody_could_meet_together_the_weakest_are_set_aside() {
    Scenario::play(
        "agent P python=0.9
         agent S sql=0.9
         define sql postgres
         define security pentest
         submit t1 title=Tune_postgres_for_python,_after_the_pentest -> assigned P
         said t1                             -> python security:set-aside sql:set-aside
         agent B python=0.9 sql=0.9
         said t1                             -> python security sql
         remove B
         said t1                             -> python security:set-aside sql:set-aside",
    );
}

#[test]
fn a_weak_holder_or_one_of_another_role_does_not_make_a_guess_binding() {
    Scenario::play(
        "agent W sql=0.5
         agent Q role=qa sql=0.9
         submit t1 title=Tune_postgres role=developer   -> assigned W
         said t1                                        -> sql:set-aside",
    );
}

#[test]
fn a_removed_agent_frees_what_waited_for_it_in_the_same_step() {
    Scenario::play(
        "agent P python=0.9
         agent S sql=0.9
         submit t0 title=Tune_postgres   -> assigned S
         submit t1 title=Tune_postgres   -> ready
         remove S
         show t0                         -> assigned medium P
         said t1                         -> sql:set-aside
         done t0 P
         show t1                         -> assigned medium P",
    );
}

#[test]
fn the_policy_can_turn_it_off() {
    Scenario::play(
        "policy inference=off
         agent S sql=0.9
         submit t1
         submit t2 title=Tune_postgres import=blocked_by_t1  -> ready
         said t2                                             -> ",
    );
}

#[test]
fn what_an_import_says_it_waits_for_becomes_an_inferred_edge() {
    let scenario = Scenario::play(
        "submit bd-1
         submit bd-2
         submit bd-3 import=Depends_on_bd-1_and_#2;_see_bd-9      -> blocked
         said bd-3                                                -> +T-1 +T-2
         submit bd-4 import=blocked_by_bd-77,_after_bd-4          -> ready
         said bd-4                                                -> unknown?blocked by bd-77
         submit bd-5 title=Do_it_after_bd-1                       -> ready
         said bd-5                                                ->
         submit bd-6 after=bd-1 import=depends_on_bd-1            -> blocked
         said bd-6                                                ->
         cancel bd-2                                              -> cancelled
         submit bd-7 import=requires_bd-2                         -> ready
         said bd-7                                                -> ended?requires bd-2
         submit bd-8 import=not_blocked_by_bd-1                   -> ready",
    );
    let submitted = scenario.log.iter().filter_map(|record| match &record.event {
        Event::TaskSubmitted { edges, analysis, .. } => {
            Some((edges.len(), analysis.as_ref().map_or(0, |it| it.edges.len())))
        }
        _ => None,
    });
    assert_eq!(
        submitted.filter(|counts| counts.1 > 0).collect::<Vec<_>>(),
        [(0, 2)],
        "never among the declared"
    );
}

#[test]
fn a_guess_calls_nothing_off() {
    Scenario::play(
        "policy on_failed=cancel
         submit bd-1
         submit bd-2 after=bd-1
         submit bd-3 import=depends_on_bd-1
         cancel bd-1
         show bd-2    -> cancelled medium
         show bd-3    -> blocked medium
         waive bd-3 bd-1  -> ready",
    );
}

#[test]
fn a_text_can_be_read_again_when_more_is_known() {
    let scenario = Scenario::play(
        "submit bd-1 title=Tune_postgres import=depends_on_bd-2     -> ready
         said bd-1                                                  -> unknown?depends on bd-2
         submit bd-2 import=after_bd-1                              -> blocked
         submit bd-3 import=after_bd-4
         submit bd-4
         define sql postgres
         analyse bd-1                                               -> ready
         said bd-1                                                  -> sql:set-aside cycle?depends on bd-2 -T-2
         analyse bd-3                                               -> blocked
         said bd-3                                                  -> +T-4
         analyse bd-3                                               -> blocked
         undefine sql
         analyse bd-1                                               -> ready
         said bd-1                                                  -> -T-2
         policy inference=off
         analyse bd-3                                               -> ready
         said bd-3                                                  -> -T-4
         analyse bd-9                                               -> refused: there is no task `bd-9`
         undefine sql                                               -> refused: there is no defined capability `sql`",
    );
    // What was inferred is in the log: a fold of it never reads a text.
    let live = scenario.engine.state().to_snapshot();
    let mut replayed = State::default();
    for record in &scenario.log {
        replayed.apply(record);
    }
    assert_eq!(replayed.to_snapshot(), live);
    let back = State::from_snapshot(kapell_core::SNAPSHOT_FORMAT, &live).expect("a snapshot");
    kapell_core::invariant::check(&back).expect("every invariant");
    assert_eq!(back.to_snapshot(), live);
}
