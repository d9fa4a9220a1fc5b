//! Balancing (SEMANTICS 5) comes to rest, passes no limit, and makes the larger utilization smaller with each move.

mod scenario;

use std::sync::Arc;

use kapell_core::{Command, Event, Record, TaskSpec, WorkloadMonitor, invariant};
use kapell_model::{Ratio, Span, Text};
use proptest::prelude::*;
use scenario::{Scenario, name, reference};

#[test]
fn an_overloaded_agent_is_relieved_and_all_is_explained() {
    let scenario = Scenario::play(
        "policy started=move
         agent A rust=0.9 slots=4
         submit t1 needs=rust agent=A   -> assigned A
         submit t2 needs=rust priority=low at=+1h
         submit t3 needs=rust at=+1h
         submit t4 needs=rust at=+1h
         assign t2 A
         assign t3 A
         assign t4 A
         progress t2 A 11
         progress t3 A 10
         balance                 -> even       # nobody has little
         agent B rust=0.71 slots=4
         agent C rust=0.72 slots=4
         agent D rust=0.7 slots=4              # a match of 0.7 is not above 0.7
         balance                 -> T-4 A>C, T-3 A>B
         notices A               -> moved T-4, moved T-3
         notices B               -> none
         balance                 -> nothing
         progress t3 A 12        -> refused: assignment A-3 of task T-3 is outdated; the current one is A-6, held by `B`
         tick +11m
         balance                 -> nothing",
    );
    let loads = scenario.log.iter().filter_map(|record| match &record.event {
        Event::TaskMoved { loads: Some(loads), .. } => Some((loads.from, loads.to, loads.average)),
        _ => None,
    });
    let quarter = Ratio::of(1, 4);
    assert_eq!(loads.collect::<Vec<_>>(), [((4, 4), (0, 4), quarter), ((3, 4), (0, 4), quarter)]);
}

#[test]
fn what_was_moved_stays_for_a_while_and_is_moved_twice_at_most() {
    let mut scenario = Scenario::play(
        "agent A rust=0.9 slots=4
         agent B rust=0.9 slots=4
         submit t1 needs=rust at=+1h
         submit t2 needs=rust at=+1h
         assign t1 A
         assign t2 A
         balance                 -> T-1 A>B
         move t1 A
         balance                 -> T-2 A>B
         move t2 A
         balance                 -> nothing
         tick +10m
         balance                 -> nothing     # each was moved twice",
    );
    scenario.also(
        "submit t3 needs=rust at=+1h
         assign t3 A
         balance                 -> T-3 A>B",
    );
}

#[test]
fn a_plan_that_comes_too_late_is_judged_by_what_is_so() {
    let mut scenario = Scenario::play(
        "agent A rust=0.9 slots=4
         agent B rust=0.9 slots=4
         submit t1 needs=rust at=+1h
         submit t2 needs=rust at=+1h
         submit t3 needs=rust at=+1h
         submit t4 needs=rust at=+1h
         assign t1 A
         assign t2 A
         assign t3 A
         assign t4 A",
    );
    let view = scenario.engine.state().balance_view(scenario.engine.state().at()).expect("uneven");
    let plan = kapell_plan::balance(&view);
    assert_eq!(plan.items.len(), 1, "0.75 is not above 1.5 x 0.5");
    scenario.also("progress t1 A 50");
    scenario.execute(Command::ApplyPlan(Box::new(plan)), None).expect("a plan is never refused whole");
    let reason = scenario.log.iter().find_map(|record| match &record.event {
        Event::PlanApplied { applied: 0, dropped, .. } => Some(dropped[0].reason.to_string()),
        _ => None,
    });
    assert_eq!(reason.as_deref(), Some("50 % are done, more than 10 %"));
}

/// Plans the moves of a fleet, lets something happen, and returns why the first of them falls away.
fn dropped_after(fleet: &str, happens: &str) -> Option<String> {
    let mut scenario = Scenario::play(fleet);
    let view = scenario.engine.state().balance_view(scenario.engine.state().at()).expect("uneven");
    let plan = kapell_plan::balance(&view);
    assert!(!plan.items.is_empty());
    scenario.also(happens);
    scenario.execute(Command::ApplyPlan(Box::new(plan)), None).expect("a plan is never refused whole");
    scenario.log.iter().find_map(|record| match &record.event {
        Event::PlanApplied { dropped, .. } => Some(dropped.first()?.reason.to_string()),
        _ => None,
    })
}

#[test]
fn a_planned_move_falls_away_where_the_rules_of_balancing_do_not_ask_for_it_any_more() {
    let fleet = "agent A rust=0.9 slots=4
         agent B rust=0.9 slots=4
         agent C go=0.9 slots=4
         submit t1 needs=rust at=+1h
         submit t2 needs=rust at=+1h
         submit t3 needs=rust at=+1h
         submit t4 needs=rust at=+1h
         submit t5 at=+1h
         submit t6 at=+1h
         submit t7 at=+1h
         submit t8 at=+1h
         assign t1 A
         assign t2 A
         assign t3 A
         assign t4 A";
    assert_eq!(dropped_after(fleet, ""), None);
    assert_eq!(
        dropped_after(fleet, "assign t5 C\n assign t6 C\n assign t7 C\n assign t8 C").as_deref(),
        Some("its owner is not overloaded by now: 1.00, 0.666667 on average")
    );
    assert_eq!(
        dropped_after(fleet, "assign t5 B").as_deref(),
        Some("that agent is not underloaded by now: 0.25, 0.416667 on average")
    );
    assert_eq!(
        dropped_after(fleet, "policy match=0.9").as_deref(),
        Some("its capability match is 0.90 by now, not above 0.90")
    );
}

/// What a fleet is drawn from: slots and score of each agent, and who has which task, how far.
type Drawn = (Vec<(u32, u32)>, Vec<(usize, u8, u8)>);

fn fleets() -> impl Strategy<Value = Drawn> {
    let agents = prop::collection::vec(
        (1..10_u32, prop_oneof![3 => 700_001..1_000_000_u32, 1 => 0..700_001_u32]),
        2..9,
    );
    let tasks = prop::collection::vec((0..9_usize, 0..4_u8, 0..15_u8), 0..40);
    (agents, tasks)
}

fn built((agents, tasks): &Drawn) -> Scenario {
    let mut scenario = Scenario::play("");
    for (index, (slots, score)) in agents.iter().enumerate() {
        scenario.also(&format!("agent a{index} rust=0.{score:06} slots={slots}"));
    }
    for (index, (who, needs, percent)) in tasks.iter().enumerate() {
        let who = format!("a{}", who % agents.len());
        let wants = match needs {
            0 => String::new(),
            1 => format!("agent={who}"),
            _ => "needs=rust".to_owned(),
        };
        scenario.also(&format!("submit t{index} at=+900h {wants}"));
        let command = Command::Assign { task: reference(&format!("t{index}")), agent: name(&who) };
        if scenario.execute(command, None).is_ok() && *percent > 3 {
            let task = reference(&format!("t{index}"));
            let state = scenario.engine.state();
            let owner = state.task(state.task_id(&task).expect("a task")).owner.as_ref().expect("an owner");
            let assignment = owner.assignment;
            let progress = Command::Progress {
                task,
                agent: name(&who),
                assignment,
                percent: Some(*percent),
                note: None,
            };
            scenario.execute(progress, None).expect("its owner reports");
        }
    }
    scenario
}

/// Checks the moves of one plan, and returns how many there were.
fn check_moves(log: &[Record]) -> Result<usize, TestCaseError> {
    let mut moves = 0;
    for record in log {
        match &record.event {
            Event::TaskMoved { loads, .. } => {
                let loads = loads.expect("each move says what it evens out");
                let ratio = |(active, max): (u32, u32)| (u64::from(active), u64::from(max));
                let ((has, of), (other, of_other)) = (ratio(loads.from), ratio(loads.to));
                prop_assert!(
                    has * of_other > (other + 1) * of,
                    "{:?}: the larger one becomes smaller",
                    loads
                );
                prop_assert!(other < of_other, "{:?}: no limit is passed", loads);
                moves += 1;
            }
            Event::PlanApplied { dropped, .. } => {
                prop_assert!(dropped.is_empty(), "nothing has changed since: {:?}", dropped);
            }
            _ => {}
        }
    }
    Ok(moves)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_fleet_that_was_balanced_stays_as_it_is(drawn in fleets()) {
        let mut scenario = built(&drawn);
        let before = scenario.log.len();
        scenario.balance();
        check_moves(&scenario.log[before..])?;
        invariant::check(scenario.engine.state()).map_err(|broken| TestCaseError::fail(broken.to_string()))?;
        for _ in 0..3 {
            scenario.also("tick +11m");
            let again = scenario.balance();
            prop_assert!(again == "even" || again == "nothing", "{}", again);
        }
    }

    #[test]
    fn between_rounds_of_placing_it_comes_to_rest_too(
        drawn in fleets(),
        arrivals in prop::collection::vec((0..9_usize, any::<bool>()), 0..30),
    ) {
        let mut scenario = built(&drawn);
        for (index, (who, joins)) in arrivals.iter().enumerate() {
            if *joins && index % 5 == 0 {
                scenario.also(&format!("agent b{index} rust=0.95 slots={}", who + 1));
            } else {
                let mut spec = TaskSpec::titled(Text::from("more work"));
                spec.estimate = Some(Span::hours(1));
                scenario.execute(Command::Submit { spec: Arc::new(spec), edges: Vec::new() }, None).expect("a task");
            }
            let before = scenario.log.len();
            scenario.balance();
            check_moves(&scenario.log[before..])?;
            invariant::check(scenario.engine.state()).map_err(|broken| TestCaseError::fail(broken.to_string()))?;
        }
        // Nothing comes any more. What placing puts into freed slots may be moved again, but never more than twice.
        let tasks = scenario.engine.state().tasks().len();
        let mut rests = false;
        for _ in 0..=2 * tasks {
            scenario.also("tick +11m");
            let before = scenario.log.len();
            scenario.balance();
            if check_moves(&scenario.log[before..])? == 0 {
                rests = true;
                break;
            }
        }
        prop_assert!(rests, "it comes to rest");
        prop_assert!(scenario.engine.state().tasks().iter().all(|task| task.moves <= 2));
    }
}

#[test]
fn the_workload_monitor_looks_only_where_something_has_changed() {
    let mut scenario = Scenario::play(
        "agent A rust=0.9 slots=4
         agent B go=0.9 slots=4
         submit t1 needs=rust at=+1h
         submit t2 needs=rust at=+1h
         assign t1 A
         assign t2 A",
    );
    let start = scenario.engine.state().at();
    let mut monitor = WorkloadMonitor::new(scenario.engine.state(), start);
    let at = |seconds| start.after(Span::seconds(seconds));
    assert!(!monitor.is_due(scenario.engine.state(), at(59)), "the first look is a period after the start");
    assert!(monitor.is_due(scenario.engine.state(), at(60)));
    assert!(!monitor.is_due(scenario.engine.state(), at(200)), "one plan at a time");
    monitor.planned(scenario.engine.state(), 0, at(200));
    assert!(
        !monitor.is_due(scenario.engine.state(), at(100_000)),
        "nobody can take it, and nothing has changed"
    );
    scenario.also("agent C rust=0.9 slots=4");
    assert!(monitor.is_due(scenario.engine.state(), at(100_060)));
    monitor.planned(scenario.engine.state(), 1, at(100_060));
    assert!(!monitor.is_due(scenario.engine.state(), at(100_100)), "a period lies between");
    scenario.also("move t1 C");
    assert!(!monitor.is_due(scenario.engine.state(), at(100_200)), "the load is even by then");
    scenario.also("move t1 A");
    assert!(monitor.is_due(scenario.engine.state(), at(100_300)));
    let moved = scenario.engine.state().at();
    monitor.planned(scenario.engine.state(), 0, moved);
    assert_eq!(scenario.engine.state().next_cooled(moved), Some(moved.after(Span::minutes(10))));
}
