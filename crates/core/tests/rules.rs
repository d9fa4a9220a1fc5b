//! The rules as tables: what is done, and what must come of it.

mod scenario;

use kapell_core::{Command, Event, Rejection, State, TaskEdit, TaskRef};
use kapell_model::{
    AgentId, ClassId, Considered, Moment, MoveSeen, Placement, Placer, Plan, PlanItem, PlanKind, Position,
    Situation, TaskId, Text,
};
use scenario::{Scenario, name, reference};

fn events(scenario: &Scenario, kind: &str) -> usize {
    scenario.log.iter().filter(|record| record.event.kind() == kind).count()
}

#[test]
fn a_task_goes_from_submission_to_its_end() {
    Scenario::play(
        "agent A rust=0.9
         submit t1 needs=rust     -> assigned A
         start t1 A               -> in_progress A
         progress t1 A 50         -> in_progress A
         done t1 A                -> completed
         done t1 A                -> completed   # the same report twice is answered as the first time
         cancel t1                -> refused: task T-1 is completed; cancelling is possible from blocked, ready, deferred, assigned, in_progress, in_review, waiting",
    );
}

#[test]
fn what_waits_becomes_ready_in_the_same_step() {
    let scenario = Scenario::play(
        "agent A
         submit t1
         submit t2 after=t1      -> blocked
         submit t3 after=t1,t2   -> blocked
         done t1 A               -> completed
         show t2                 -> assigned medium A
         show t3                 -> blocked medium
         done t2 A
         show t3                 -> assigned medium A",
    );
    let commands: Vec<_> =
        scenario.log.iter().filter(|record| record.event.kind() == "task.assigned").collect();
    let done = scenario.log.iter().find(|record| record.event.kind() == "task.completed").expect("one");
    assert_eq!(commands[1].command, done.command, "placed by the very command that freed it");
}

#[test]
fn an_edge_that_would_close_a_cycle_is_refused_with_all_of_it() {
    Scenario::play(
        "submit t1
         submit t2 after=t1
         submit t3 after=t2
         dep t1 t3   -> refused: task T-1 cannot wait for T-3: T-1 waits for T-3 waits for T-2 waits for T-1
         dep t1 t1   -> refused: field `on` is T-1, the task itself; allowed is another task
         waive t2 t1 -> ready
         dep t1 t3   -> blocked",
    );
}

#[test]
fn a_failed_dependency_keeps_its_dependents_blocked_until_somebody_decides() {
    Scenario::play(
        "agent A
         submit t1 attempts=1
         submit t2 after=t1
         fail t1 A                -> failed
         show t2                  -> blocked medium
         waive t2 t1              -> assigned A",
    );
    Scenario::play(
        "policy on_failed=cancel
         agent A
         submit t1 attempts=1
         submit t2 after=t1
         submit t3 after=t2
         fail t1 A                -> failed
         show t2                  -> cancelled medium
         show t3                  -> cancelled medium
         submit t4 after=t1       -> cancelled",
    );
}

#[test]
fn a_failed_attempt_comes_back_after_a_pause_and_the_third_is_the_last() {
    let scenario = Scenario::play(
        "agent A
         submit t1
         fail t1 A     -> deferred
         tick +1s
         show t1       -> deferred medium
         tick +60s
         show t1       -> assigned medium A
         fail t1 A     -> deferred
         tick +120s
         fail t1 A     -> failed
         reopen t1     -> assigned A
         done t1 A     -> completed
         reopen t1     -> refused: task T-1 is completed; reopening is possible from failed, cancelled",
    );
    assert_eq!((events(&scenario, "escalation.raised"), events(&scenario, "escalation.settled")), (1, 1));
}

#[test]
fn somebody_else_gets_what_an_agent_failed_and_it_alone_gets_it_again() {
    Scenario::play(
        "agent A rust=1
         agent B rust=0.9
         submit t1 needs=rust    -> assigned A
         fail t1 A
         tick +60s
         show t1                 -> assigned medium B
         release t1 B            -> assigned A   # B gave it back, so A is asked first",
    );
}

#[test]
fn a_lost_owner_gives_its_work_back_with_one_boost_and_is_fenced() {
    let scenario = Scenario::play(
        "agent A
         submit t1
         start t1 A
         agent B
         unreachable A
         show t1            -> in_progress medium A   # quiet is not dead
         offline A
         show t1            -> assigned high B
         back A
         progress t1 A 60   -> refused: assignment A-1 of task T-1 is outdated; the current one is A-2, held by `B`
         done t1 A          -> stale, kept as O-1
         done t1 A          -> stale, kept as O-1      # once
         show t1            -> assigned high B
         accept O-1         -> completed
         accept O-1         -> refused: O-1 is already accepted
         done t1 B          -> stale, kept as O-2      # B's own late work is kept too
         decline O-2",
    );
    assert_eq!(events(&scenario, "offer.made"), 2);
}

#[test]
fn a_task_that_loses_too_many_owners_is_failed() {
    Scenario::play(
        "policy losses=2
         agent A
         submit t1
         unreachable A
         offline A
         show t1        -> ready high
         back A
         show t1        -> assigned high A
         unreachable A
         offline A
         show t1        -> failed high",
    );
}

#[test]
fn an_invented_token_is_no_late_result() {
    Scenario::play(
        "agent A slots=2
         agent B
         submit t1 agent=A
         done t1 B   -> refused: there is no assignment A-9999, of task T-1 or any other",
    );
}

#[test]
fn what_nobody_fetches_goes_back_without_blame() {
    Scenario::play(
        "agent A rust=1
         agent B rust=0.9
         submit t1 needs=rust -> assigned A
         unfetched t1 A
         show t1              -> assigned medium B
         start t1 B
         unfetched t1 B
         show t1              -> in_progress medium B",
    );
}

#[test]
fn claims_go_to_the_first_candidate_that_asks() {
    Scenario::play(
        "agent A rust=0.4
         agent B
         submit t1 needs=rust:0.3  -> ready
         claim t1 B   -> refused: `B` is no candidate for task T-1: its `rust` is 0.00, the task demands at least 0.30
         claim t1 A   -> assigned A
         claim t1 A   -> assigned A
         claim t1 B   -> refused: task T-1 is owned by `A`, not by `B`
         policy claims=off
         submit t2 needs=rust
         claim t2 B   -> refused: claims are off in this fleet; work is handed out by score",
    );
}

#[test]
fn a_scored_claim_needs_the_threshold() {
    Scenario::play(
        "policy claims=scored
         agent A rust=0.5
         agent B rust=0.6
         agent C rust=0.9 slots=2
         submit t0 needs=rust:0.8   -> assigned C
         submit t1 needs=rust:0.8   -> ready      # C has one of two: 0.70, which is not above 0.70
         claim t1 A   -> refused: `A` is no candidate for task T-2: its `rust` is 0.50, the task demands at least 0.80
         claim t1 C   -> refused: `C` is no candidate for task T-2: its score 0.70 is not above 0.70",
    );
}

/// A fleet in which nobody hands work out: everything is claimed.
#[derive(Default)]
struct Nobody(kapell_plan::Greedy);

impl Placer for Nobody {
    fn begin(&mut self, _: &Situation) {}

    fn next(&mut self, _: &Situation) -> Option<Placement> {
        None
    }

    fn consider(&mut self, situation: &Situation, class: ClassId, agent: AgentId) -> Considered {
        self.0.consider(situation, class, agent)
    }

    fn better_idle(
        &mut self,
        situation: &Situation,
        class: ClassId,
        than: &Considered,
    ) -> Option<Considered> {
        self.0.better_idle(situation, class, than)
    }

    fn best_of(&mut self, situation: &Situation, class: ClassId, agents: &[AgentId]) -> Option<Considered> {
        self.0.best_of(situation, class, agents)
    }
}

#[test]
fn a_scored_claim_is_granted_to_the_best_of_the_idle() {
    Scenario::play_with(
        Nobody::default(),
        "policy claims=scored
         agent A rust=0.7
         agent B rust=0.9
         submit t1 needs=rust
         submit t2 needs=rust
         claim t1 A   -> refused: `A` is no candidate for task T-1: its score is 0.77, and `B`, who is idle, has 0.85
         claim t1 B   -> assigned B
         claim t2 A   -> assigned A   # B is not idle any more",
    );
}

#[test]
fn by_hand_goes_above_the_threshold_and_not_above_the_limit() {
    Scenario::play(
        "agent A
         submit t1 needs=rust  -> ready
         assign t1 A           -> assigned A
         submit t2 needs=rust
         assign t2 A           -> refused: `A` is no candidate for task T-2: it is at its limit, 1 of 1 tasks
         submit t3 after=t2
         assign t3 A           -> refused: task T-3 is blocked; assigning is possible from ready, deferred",
    );
}

#[test]
fn what_is_not_to_be_begun_yet_waits_for_its_time() {
    Scenario::play(
        "agent A
         submit t1 at=+60s   -> deferred
         tick +59s
         show t1             -> deferred medium
         tick +1s
         show t1             -> assigned medium A",
    );
}

#[test]
fn urgency_flows_to_what_is_waited_for_and_goes_with_its_reason() {
    Scenario::play(
        "submit t1 priority=low
         submit t2 priority=low after=t1
         submit t3 priority=critical after=t2
         show t1      -> ready critical
         cancel t3
         show t1      -> ready low
         show t2      -> blocked low",
    );
}

#[test]
fn the_latest_start_counts_the_way_that_is_left() {
    let scenario = Scenario::play(
        "submit t1
         submit t2 after=t1
         submit t3 after=t2 deadline=+10h",
    );
    let state = scenario.engine.state();
    let starts: Vec<i64> =
        state.tasks().iter().map(|task| (task.latest_start.0 - 1_000_000) / 3_600_000).collect();
    assert_eq!(starts, [7, 8, 9], "each takes an hour, and ten are left for all three");
}

#[test]
fn an_edit_moves_a_task_to_where_it_belongs_now() {
    Scenario::play(
        "agent A rust=1.0 slots=1
         submit t1
         show t1                       -> assigned medium A
         submit t2
         submit t3 after=t2 priority=low
         edit t3 priority=critical     -> blocked
         show t2                       -> ready critical       # its urgency follows
         edit t3 priority=low          -> blocked
         show t2                       -> ready medium         # and goes with its reason
         edit t2 needs=cobol           -> ready
         edit t1 priority=high title=x -> assigned A           # text and urgency of owned work may change
         edit t1 needs=rust            -> refused: task T-1 is assigned; editing requirements, agents and effort is possible from blocked, ready, deferred
         edit t1 estimate=2h           -> refused: task T-1 is assigned; editing requirements, agents and effort is possible from blocked, ready, deferred
         edit t2 complexity=9          -> refused: field `complexity` is 9; allowed is 1 to 5
         done t1 A                     -> completed
         show t2                       -> ready medium         # nobody knows cobol
         edit t2 needs=rust            -> assigned A
         edit t1 title=y               -> refused: task T-1 is completed; editing is possible from blocked, ready, deferred, assigned, in_progress, in_review, waiting
         edit t3 estimate=2h deadline=+10h -> blocked",
    );
}

#[test]
fn an_edit_of_what_has_moved_or_of_nothing_changes_nothing() {
    let mut scenario = Scenario::play("submit t1");
    let edit =
        |text: &'static str| Box::new(TaskEdit { title: Some(Text::from(text)), ..TaskEdit::default() });
    let task = || TaskRef::Key(name("t1"));
    let seen = scenario.engine.state().tasks().iter().next().expect("a task").changed;
    let first = Command::Edit { task: task(), edit: edit("one"), seen: Some(seen) };
    scenario.execute(first.clone(), None).expect("it is as it was seen");
    let refused = scenario.execute(first, None).expect_err("it has moved");
    assert!(matches!(refused, Rejection::TaskMoved { seen: it, .. } if it == seen), "{refused}");
    let events = scenario.log.len();
    scenario.execute(Command::Edit { task: task(), edit: edit("one"), seen: None }, None).expect("the same");
    assert_eq!(scenario.log.len(), events, "what changes nothing is no event");
}

#[test]
fn without_a_deadline_the_longest_remaining_path_goes_first() {
    let scenario = Scenario::play(
        "submit t1
         submit t2
         submit t3 after=t2
         submit t4 deadline=+900h
         agent A slots=2
         show t4      -> assigned medium A    # a deadline goes before none
         show t2      -> assigned medium A    # t3 waits for it
         show t1      -> ready medium
         done t2 A    -> completed
         show t1      -> assigned medium A    # as long as t3, and older
         show t3      -> ready medium",
    );
    let starts: Vec<bool> =
        scenario.engine.state().tasks().iter().map(|task| task.must_start_by().is_some()).collect();
    assert_eq!(starts, [false, false, false, true], "only a deadline makes a latest start");
}

#[test]
fn a_critical_task_that_nobody_can_take_calls_once() {
    let scenario = Scenario::play(
        "agent A rust=0.3
         submit t1 needs=rust priority=critical -> ready
         tick +60s
         agent B rust=0.2
         tick +60s
         show t1 -> ready critical
         agent C rust=0.9
         show t1 -> assigned critical C",
    );
    let detail = scenario.log.iter().find_map(|record| match &record.event {
        Event::EscalationRaised { detail, .. } => Some(detail.to_string()),
        _ => None,
    });
    assert_eq!(
        detail.as_deref(),
        Some(
            "no agent scores above 0.70 for critical task T-1; 1 of 1 agents online, 1 with a free slot; rust: best 0.30 by `A` (online)"
        )
    );
    assert_eq!((events(&scenario, "escalation.raised"), events(&scenario, "escalation.settled")), (1, 1));
}

#[test]
fn the_same_key_gives_the_same_answer_and_another_body_is_refused() {
    let mut scenario = Scenario::play("agent A\n submit t1");
    let command = || Command::Cancel { task: reference("t1"), reason: kapell_model::Text::from("x") };
    let first = scenario.execute(command(), Some((77, 1))).expect("it is accepted");
    let events = scenario.log.len();
    assert_eq!(scenario.execute(command(), Some((77, 1))), Ok(first.clone()));
    assert_eq!(scenario.execute(command(), Some((77, 2))), Err(kapell_core::Rejection::KeyReused));
    assert_eq!(scenario.log.len(), events, "nothing was changed");
    let snapshot = scenario.engine.state().to_snapshot();
    let restored = State::from_snapshot(kapell_core::SNAPSHOT_FORMAT, &snapshot).expect("a snapshot");
    scenario.engine = kapell_core::Engine::new(restored, kapell_plan::Greedy::default());
    assert_eq!(scenario.execute(command(), Some((77, 1))), Ok(first), "a restart has not forgotten it");
}

#[test]
fn a_removed_agent_owns_nothing_and_may_come_back_under_its_name() {
    Scenario::play(
        "agent A
         submit t1    -> assigned A
         agent A      -> refused: there is already an agent `A`
         remove A
         show t1      -> ready medium
         back A       -> refused: there is no agent `A`
         agent A
         show t1      -> assigned medium A",
    );
    let _ = name("A");
}

#[test]
fn pins_roles_and_exclusions_hold() {
    Scenario::play(
        "agent A
         agent B role=architect
         submit t1 role=architect        -> assigned B
         submit t2 not=A                 -> ready
         submit t3 agent=A               -> assigned A
         assign t2 A                     -> refused: `A` is no candidate for task T-2: it is at its limit, 1 of 1 tasks
         done t3 A
         assign t2 A                     -> refused: `A` is no candidate for task T-2: the task excludes it",
    );
}

/// Idle agents: 0.4 capability + 0.3 + 0.2 performance + 0.1 cohesion.
#[test]
fn the_record_of_an_agent_counts_for_tasks_of_that_type_alone() {
    let scenario = Scenario::play(
        "agent A rust=1
         agent B rust=0.8
         submit t1 needs=rust           -> assigned A   # 0.89 against 0.81
         fail t1 A
         submit t2 needs=rust           -> assigned B   # A has failed one of one: 0.75
         done t2 B                      -> completed
         submit t3 needs=rust type=bug  -> assigned A   # of bugs nobody has a record
         done t3 A
         submit t4 needs=rust type=bug  -> assigned A",
    );
    let considered: Vec<Vec<u32>> = scenario
        .log
        .iter()
        .filter_map(|record| match &record.event {
            Event::TaskAssigned { considered, .. } => {
                Some(considered.iter().map(|it| it.parts.performance.as_micros()).collect())
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        considered,
        [vec![700_000, 700_000], vec![700_000, 0], vec![700_000, 700_000], vec![1_000_000, 700_000]]
    );
}

/// A stranger to a team has 0.25; who completed one of its tasks (1/5 + 1/2) / 2 = 0.35.
#[test]
fn who_knows_the_project_goes_before_who_does_not() {
    let scenario = Scenario::play(
        "agent A rust=0.9
         agent B rust=0.9
         submit t1 needs=rust project=web           -> assigned A
         done t1 A
         submit t2 needs=rust project=web type=bug  -> assigned A   # 0.835 against 0.825; B has been idle for longer
         submit t3 needs=rust type=bug              -> assigned B   # no project, no team",
    );
    let Some(Event::TaskAssigned { considered, .. }) = scenario
        .log
        .iter()
        .map(|record| &record.event)
        .filter(|event| matches!(event, Event::TaskAssigned { .. }))
        .nth(1)
    else {
        panic!("a second assignment");
    };
    let cohesion: Vec<u32> = considered.iter().map(|it| it.parts.cohesion.as_micros()).collect();
    assert_eq!(cohesion, [350_000, 250_000]);
    // What a snapshot brings back is what was there.
    let state = scenario.engine.state();
    let restored =
        State::from_snapshot(kapell_core::SNAPSHOT_FORMAT, &state.to_snapshot()).expect("a snapshot");
    for task in state.tasks().iter() {
        let (one, other) = (state.situation().class(task.class), restored.situation());
        let class = other.class(restored.task(task.id).class);
        for agent in state.agents() {
            let before = state.situation().cohesion(agent.id, one.project);
            assert_eq!(other.cohesion(agent.id, class.project), before);
            let before = state.situation().performance(agent.id, one.kind);
            assert_eq!(other.performance(agent.id, class.kind), before);
        }
    }
}

#[test]
fn a_drained_agent_ends_what_it_has_and_gets_nothing_new() {
    let scenario = Scenario::play(
        "agent A slots=2
         submit t1    -> assigned A
         drain A
         submit t2    -> ready
         assign t2 A  -> refused: `A` is no candidate for task T-2: it is being drained
         drain A
         done t1 A    -> completed
         show t2      -> ready medium
         resume A
         show t2      -> assigned medium A",
    );
    assert_eq!((events(&scenario, "agent.drained"), events(&scenario, "agent.resumed")), (1, 1));
}

/// The table says 4 h for complexity 3, which counts as much as three tasks.
#[test]
fn what_is_not_declared_is_learned_from_what_was_completed() {
    let scenario = Scenario::play(
        "agent A
         submit t1 effort=learned
         start t1 A
         tick +1h
         done t1 A
         submit t2 effort=learned
         submit t3 effort=learned type=bug
         submit t4",
    );
    let state = scenario.engine.state();
    let hours = |key: &str| {
        let task = state.task(state.task_id(&reference(key)).expect("a task"));
        let of = |span: kapell_model::Span| (span.0 * 100 + 1_800_000) / 3_600_000;
        (of(task.estimate), of(task.estimate_p90()), task.learned.map(|learned| learned.from))
    };
    assert_eq!(hours("t1"), (400, 800, None));
    // (3 * 4 h + 1 h) / 4 and (3 * 8 h + 1 h) / 4.
    assert_eq!(hours("t2"), (325, 625, Some(1)));
    assert_eq!(hours("t3"), (400, 800, None), "of bugs nothing is known");
    assert_eq!(hours("t4"), (100, 200, None), "declared");
}

#[test]
fn what_is_learned_is_frozen_when_a_task_becomes_ready_and_refreshed_while_it_waits() {
    let mut scenario = Scenario::play(
        "agent A
         submit t1 effort=learned
         submit t2 effort=learned after=t1
         submit t3 effort=learned needs=go
         submit t4 after=t1 needs=go
         submit t5 effort=learned at=+2h
         start t1 A
         tick +1h
         done t1 A
         show t2                  -> assigned medium A",
    );
    let hours = |scenario: &Scenario, key: &str| {
        let task =
            scenario.engine.state().task(scenario.engine.state().task_id(&reference(key)).expect("a task"));
        (task.estimate.0 / 36_000, task.learned.map(|learned| learned.from))
    };
    assert_eq!(hours(&scenario, "t2"), (325, Some(1)), "it became ready when t1 was known");
    assert_eq!(hours(&scenario, "t3"), (400, None), "it has been ready before");
    assert_eq!(hours(&scenario, "t4"), (100, None), "declared");
    scenario.also("refresh\n refresh");
    assert_eq!(hours(&scenario, "t3"), (325, Some(1)));
    assert_eq!(hours(&scenario, "t5"), (400, None), "it does not wait in the queue yet");
    scenario.also(
        "start t2 A
         tick +3h
         done t2 A",
    );
    assert_eq!(hours(&scenario, "t5"), (325, Some(1)), "when it came back one was known");
    // (3 * 4 h + 2 * 1 h) / 5 is 2.8 h: more than a tenth away.
    scenario.also("refresh\n restart -> as live");
    assert_eq!(hours(&scenario, "t3"), (280, Some(2)));
    assert_eq!(events(&scenario, "task.estimated"), 4);
    assert_eq!(hours(&scenario, "t5"), (325, Some(1)), "somebody owns it");
}

#[test]
fn the_clock_looks_at_estimates_once_a_minute_and_only_where_one_is_outdated() {
    let scenario = Scenario::play(
        "agent A
         submit t1 effort=learned
         submit t2 effort=learned needs=go
         start t1 A
         tick +1h
         done t1 A",
    );
    let (state, start) = (scenario.engine.state(), scenario.now);
    let mut liveness = kapell_core::Liveness::new(state, Moment(start));
    let mut looked = Vec::new();
    for second in 0..=130 {
        let commands = liveness.lapsed(state, Moment(start + second * 1_000));
        looked.extend(
            commands.iter().filter(|it| matches!(it, Command::RefreshEstimates { after: 0 })).map(|_| second),
        );
    }
    assert_eq!(looked, [60, 120]);
    let fresh = Scenario::play("agent A\n submit t1 effort=learned needs=go");
    let mut liveness = kapell_core::Liveness::new(fresh.engine.state(), Moment(fresh.now));
    assert!(liveness.lapsed(fresh.engine.state(), Moment(fresh.now + 60_000)).is_empty());
}

#[test]
fn a_manager_takes_a_boost_away_and_no_second_one_follows() {
    let scenario = Scenario::play(
        "agent A
         submit t1                -> assigned A
         unreachable A
         offline A
         show t1                  -> ready high
         edit t1 priority=medium  -> ready
         edit t1 priority=medium  -> ready     # that changes nothing
         show t1                  -> ready medium
         back A
         show t1                  -> assigned medium A
         unreachable A
         offline A
         show t1                  -> ready medium",
    );
    assert_eq!(events(&scenario, "task.edited"), 1);
}

#[test]
fn who_makes_a_critical_task_less_urgent_has_answered_the_call_for_it() {
    let scenario = Scenario::play(
        "submit t1 priority=critical needs=go   -> ready
         edit t1 title=Another_title
         edit t1 priority=high                  -> ready
         restart                                -> as live
         edit t1 priority=critical              -> ready
         restart                                -> as live",
    );
    assert_eq!((events(&scenario, "escalation.raised"), events(&scenario, "escalation.settled")), (2, 1));
}

#[test]
fn owned_work_goes_to_another_agent_in_one_step_of_the_fence() {
    let scenario = Scenario::play(
        "agent A rust=0.9
         agent B rust=0.1
         submit t1 needs=rust     -> assigned A
         progress t1 A 40
         move t1 A                -> refused: field `agent` is `A`, its owner; allowed is another agent
         move t1 B                -> assigned B
         done t1 A                -> stale, kept as O-1
         notices A                -> moved T-1, dispute_ruled T-1
         notices B                -> none
         read A N-3               -> refused: there is no notice `N-3`
         read A N-2               -> done
         read A N-2               -> done
         notices A                -> none
         submit t2 needs=rust     -> assigned A
         move t2 B                -> refused: `B` is no candidate for task T-2: it is at its limit, 1 of 1 tasks
         done t1 B                -> completed
         move t1 A                -> refused: task T-1 is completed; moving is possible from assigned, in_progress",
    );
    let moved = scenario.log.iter().find_map(|record| match &record.event {
        Event::TaskMoved { note: Some(note), considered, ended, assignment, .. } => {
            assert_eq!((considered.len(), ended.0, assignment.0), (1, 1, 2));
            Some(note.to_string())
        }
        _ => None,
    });
    assert_eq!(moved.as_deref(), Some("`A` had done 40 %; because"));
    assert_eq!(events(&scenario, "notice.read"), 1, "what is read is read once");
}

#[test]
fn a_plan_is_judged_item_by_item() {
    let mut scenario = Scenario::play(
        "policy strategy=optimal
         agent A rust=0.9 slots=2
         agent B rust=0.9
         submit t1 needs=rust
         submit t2 needs=rust     -> ready
         submit t3 needs=rust     -> ready
         submit t4                -> ready
         assign t1 A",
    );
    let place = |task, agent| {
        PlanItem::Place(Placement { task: TaskId(task), agent: AgentId(agent), considered: Vec::new() })
    };
    let shift = |task, from, to| PlanItem::Move {
        task: TaskId(task),
        from: AgentId(from),
        to: AgentId(to),
        considered: Vec::new(),
        seen: MoveSeen::default(),
    };
    let items =
        vec![place(2, 1), place(3, 1), place(1, 0), place(9, 0), shift(1, 1, 0), shift(2, 1, 0), place(4, 1)];
    let plan = Plan { kind: PlanKind::Optimal, seen: Position(3), items };
    scenario.execute(Command::ApplyPlan(Box::new(plan)), None).expect("a plan is never refused whole");
    let dropped = scenario.log.iter().find_map(|record| match &record.event {
        Event::PlanApplied { applied, dropped, .. } => {
            let reasons = dropped.iter().map(|item| format!("{} {}", item.task, item.reason));
            Some((*applied, reasons.collect::<Vec<_>>()))
        }
        _ => None,
    });
    let reasons = [
        "T-3 it is at its limit, 1 of 1 tasks",
        "T-1 the task is assigned",
        "T-9 there is no such task",
        "T-1 the task is assigned and not that agent's any more",
    ];
    assert_eq!(dropped, Some((3, reasons.map(str::to_owned).to_vec())));
}

#[test]
fn an_optimal_round_gives_the_fleet_more_than_the_order_of_the_queue_would() {
    Scenario::play(
        "submit t1 needs=rust
         submit t2 needs=rust,go
         agent B rust=0.6
         agent A rust=0.9 go=0.9
         show t1                  -> assigned medium B
         done t1 B
         done t2 A
         drain A
         drain B
         submit t3 needs=rust
         submit t4 needs=rust,go
         resume A
         show t3                  -> assigned medium A
         resume B
         show t4                  -> ready medium",
    );
    Scenario::play(
        "policy strategy=optimal
         submit t1 needs=rust     -> ready
         submit t2 needs=rust,go  -> ready
         agent A rust=0.9 go=0.9
         agent B rust=0.8
         show t1                  -> ready medium
         rounds                   -> 2 placed
         show t1                  -> assigned medium B
         show t2                  -> assigned medium A
         rounds                   -> 0 placed
         done t2 A                -> completed
         submit t3 needs=rust     -> ready
         assign t3 A              -> assigned A
         rounds                   -> 0 placed",
    );
}

#[test]
fn a_critical_task_calls_only_when_a_round_has_seen_it_and_found_nobody() {
    let scenario = Scenario::play(
        "policy strategy=optimal
         agent A rust=0.9
         submit t1 needs=rust priority=critical  -> ready
         rounds                                  -> 1 placed
         submit t2 needs=go priority=critical    -> ready
         rounds                                  -> 0 placed
         rounds                                  -> 0 placed",
    );
    assert_eq!(events(&scenario, "escalation.raised"), 1, "for t2 alone, and once");
}

#[test]
fn a_placement_that_has_lost_its_score_meanwhile_falls_away() {
    let mut scenario = Scenario::play(
        "policy strategy=optimal
         agent A rust=0.9 slots=2
         submit t1 needs=rust
         submit t2 needs=rust",
    );
    let place =
        |task| PlanItem::Place(Placement { task: TaskId(task), agent: AgentId(0), considered: Vec::new() });
    // The second would be A's second task: 0.9 x 0.4 + 0.5 x 0.3 + 0.7 x 0.2 + 0.5 x 0.1 = 0.70, which is not above it.
    let plan = Plan { kind: PlanKind::Optimal, seen: Position(4), items: vec![place(1), place(2)] };
    scenario.execute(Command::ApplyPlan(Box::new(plan)), None).expect("a plan is never refused whole");
    let dropped = scenario.log.iter().find_map(|record| match &record.event {
        Event::PlanApplied { dropped, .. } => Some(dropped[0].reason.to_string()),
        _ => None,
    });
    assert_eq!(dropped.as_deref(), Some("its score is 0.70 by now, not above 0.70"));
}
