//! Cycles that files and texts bring in are broken by the stated order, with a record, and can be put back.

mod scenario;

use std::collections::BTreeSet;

use kapell_core::{BreakCause, Command, EdgeSource, Event, State, invariant};
use kapell_model::{Cycles, DependencyKind, Position, Priority, TaskId, TaskState};
use petgraph::algo::is_cyclic_directed;
use petgraph::graphmap::DiGraphMap;
use proptest::prelude::*;
use scenario::{Scenario, reference};

fn events(scenario: &Scenario, kind: &str) -> usize {
    scenario.log.iter().filter(|record| record.event.kind() == kind).count()
}

#[test]
fn of_edges_that_are_alike_the_newest_goes_and_can_be_put_back_for_another() {
    Scenario::play(
        "submit t1
         submit t2 after=t1
         submit t3 after=t2
         dep t1 t3       -> refused: task T-1 cannot wait for T-3: T-1 waits for T-3 waits for T-2 waits for T-1
         imported t1 t3  -> ready
         cycles          -> T-1 on T-3: newest
         restore t1 t3   -> refused: task T-1 cannot wait for T-3: T-1 waits for T-3 waits for T-2 waits for T-1
         restore t1 t3 instead=t1,t3 -> refused: field `instead` is T-1 on T-3; allowed is another edge of the cycle T-1 waits for T-3 waits for T-2 waits for T-1
         restore t2 t1   -> refused: there is no dependency that was taken away `T-2 on T-1`
         restore t1 t3 instead=t3,t2 -> blocked
         cycles          -> T-1 on T-3: restored, T-3 on T-2: by_hand
         show t3         -> ready medium
         restore t3 t2 instead=t1,t3 -> blocked
         show t1         -> ready medium
         waive t2 t1
         restore t1 t3   -> blocked   # nothing is in its way any more",
    );
}

#[test]
fn the_least_urgent_dependent_loses_its_edge() {
    Scenario::play(
        "submit t1 priority=high
         submit t2 after=t1 priority=low
         submit t3 priority=high
         submit t4 after=t3,t2 priority=high
         imported t1 t2 -> ready       # T-2 is high too, since T-4 waits for it: the newest goes
         submit t5 after=t3 priority=low
         imported t3 t5 -> blocked
         show t5        -> ready high
         cycles         -> T-1 on T-2: newest, T-5 on T-3: least_urgent",
    );
}

#[test]
fn what_was_inferred_goes_before_what_was_declared() {
    let scenario = Scenario::play(
        "submit t1
         submit t2
         submit t3
         guessed t2 t1   -> blocked
         imported t3 t2  -> blocked
         imported t1 t3  -> blocked
         cycles          -> T-2 on T-1: inferred
         show t2         -> ready medium
         guessed t2 t1   -> ready      # said again, and it still closes the cycle: that is known
         imported t2 t1  -> ready      # declared it is trusted as the others are, and it is the newest
         cycles          -> T-2 on T-1: inferred
         waive t1 t3
         guessed t2 t1   -> blocked    # nothing is in its way any more
         cycles          -> T-2 on T-1: restored
         guessed t2 t1   -> refused: there is already an edge `T-2 blocks T-1`",
    );
    assert_eq!(events(&scenario, "cycle.broken"), 1);
    let edges = scenario.engine.state().task(TaskId(2)).edges.len();
    assert_eq!(edges, 1, "and there is one edge, not one for each time that it was said");
}

#[test]
fn where_a_person_is_to_decide_the_new_edge_waits_outside_and_one_is_called() {
    let mut scenario = Scenario::play(
        "policy cycles=escalate
         submit t1
         submit t2 after=t1
         submit t3 after=t2
         imported t1 t2  -> ready
         imported t1 t3  -> ready
         imported t1 t3  -> ready      # sent once more
         guessed t1 t2   -> ready
         cycles          -> T-1 on T-2: kept_out, T-1 on T-3: kept_out
         restore t1 t3 instead=t3,t2 -> blocked
         show t3         -> ready medium",
    );
    assert_eq!(events(&scenario, "escalation.raised"), 2, "one call for each edge that was kept out");
    assert_eq!(events(&scenario, "escalation.settled"), 1, "a person has decided about one of them");
    scenario.also("restart -> as live\n cancel t2");
    assert_eq!(events(&scenario, "escalation.settled"), 2, "what the other would wait for has ended");
    assert_eq!(scenario.engine.state().open_escalations(), 0);
}

#[test]
fn work_that_has_an_owner_is_not_made_to_wait_and_its_owner_is_told() {
    let scenario = Scenario::play(
        "agent A
         submit t1       -> assigned A
         submit t2 after=t1
         submit t3
         imported t1 t3  -> refused: task T-1 is assigned; waiting for another task is possible from blocked, ready, deferred
         imported t1 t2  -> assigned A
         cycles          -> T-1 on T-2: in_work
         notices A       -> cycle_broken T-1",
    );
    assert_eq!(events(&scenario, "cycle.broken"), 1);
}

const TASKS: u32 = 9;

type Edges = BTreeSet<(TaskId, TaskId)>;

/// Every edge that gates between tasks that are not completed.
fn gates(state: &State) -> Edges {
    let open = |id: TaskId| state.task(id).state() != TaskState::Completed;
    let tasks = state.tasks().iter().filter(|task| open(task.id));
    tasks.flat_map(|task| task.gates().filter(|&on| open(on)).map(|on| (task.id, on))).collect()
}

fn is_cyclic(edges: &Edges) -> bool {
    is_cyclic_directed(&DiGraphMap::<u32, ()>::from_edges(edges.iter().map(|(task, on)| (task.0, on.0))))
}

/// What the order of trust looks at: smaller goes first.
fn rank(
    state: &State,
    edge: (TaskId, TaskId),
    new: (TaskId, TaskId),
    inferred: bool,
) -> (bool, std::cmp::Reverse<Priority>, std::cmp::Reverse<Position>) {
    let (guess, added) = if edge == new {
        (inferred, Position(u64::MAX))
    } else {
        let kept =
            state.task(edge.0).edges.iter().find(|it| it.on == edge.1 && it.gates()).expect("it gates");
        (kept.inferred, kept.added)
    };
    (!guess, std::cmp::Reverse(state.task(edge.0).effective), std::cmp::Reverse(added))
}

/// Checks what one edge has led to against the definition.
fn check_break(
    before: &State,
    after: &State,
    new: (TaskId, TaskId),
    inferred: bool,
    broken: &[Event],
) -> Result<(), TestCaseError> {
    let mut edges = gates(before);
    edges.insert(new);
    let known = before.task(new.0).edges.iter().any(|edge| edge.on == new.1 && edge.broken);
    if known && broken.is_empty() && is_cyclic(&edges) {
        prop_assert!(!gates(after).contains(&new), "what went before has gone again, without another record");
        return Ok(());
    }
    prop_assert_eq!(
        is_cyclic(&edges),
        !broken.is_empty(),
        "an edge goes where and only where a cycle would be closed"
    );
    let mut removed = Edges::new();
    for event in broken {
        let Event::CycleBroken { task, on, cycle, closed_by, because, .. } = event else { continue };
        prop_assert_eq!(*closed_by, new);
        prop_assert!(cycle.first() == cycle.last() && cycle.len() > 2);
        let links: Vec<_> = cycle.windows(2).map(|pair| (pair[0], pair[1])).collect();
        prop_assert!(links.iter().all(|link| edges.contains(link)), "{:?} is a cycle", links);
        let wanted =
            links.iter().copied().min_by_key(|&link| rank(before, link, new, inferred)).expect("edges");
        let all_declared = links.iter().all(|&link| rank(before, link, new, inferred).0);
        if all_declared && before.policy().cycles == Cycles::Escalate {
            prop_assert_eq!(((*task, *on), *because), (new, BreakCause::KeptOut));
        } else {
            prop_assert_eq!((*task, *on), wanted, "the least trusted edge");
        }
        removed.insert((*task, *on));
    }
    if removed.contains(&new) {
        prop_assert_eq!(removed.len(), 1, "where the new edge goes, nothing else has to");
    }
    for edge in &removed {
        let mut without: Edges = edges.difference(&removed).copied().collect();
        prop_assert!(!is_cyclic(&without));
        without.insert(*edge);
        prop_assert!(is_cyclic(&without), "no edge goes that need not");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn cycles_are_broken_as_the_definition_says(
        escalate in any::<bool>(),
        steps in prop::collection::vec((0..6_u8, 1..=TASKS, 1..=TASKS, 0..4_usize), 1..60),
    ) {
        let mut scenario = Scenario::play(if escalate { "policy cycles=escalate" } else { "" });
        for task in 0..TASKS {
            let priority = Priority::ALL[(task as usize * 7) % 4];
            scenario.also(&format!("submit t{} priority={priority}", task + 1));
        }
        for (what, task, on, more) in steps {
            let (task, on) = (TaskId(task), TaskId(on));
            let before = scenario.engine.state().clone();
            let events = scenario.log.len();
            let (one, other) = (reference(&task.to_string()), reference(&on.to_string()));
            let command = match what {
                0..=3 => {
                    let source = [EdgeSource::Declared, EdgeSource::Imported, EdgeSource::Inferred, EdgeSource::Imported][more];
                    Command::AddDependency { task: one, on: other, kind: DependencyKind::Blocks, source }
                }
                4 => Command::WaiveDependency { task: one, on: other },
                _ => Command::RestoreDependency { task: one, on: other, instead: None },
            };
            let inferred = matches!(command, Command::AddDependency { source: EdgeSource::Inferred, .. });
            let added = matches!(command, Command::AddDependency { .. });
            let done = scenario.execute(command, None).is_ok();
            invariant::check(scenario.engine.state()).map_err(|broken| TestCaseError::fail(broken.to_string()))?;
            prop_assert!(!is_cyclic(&gates(scenario.engine.state())));
            let emitted = scenario.log[events..].iter().map(|record| record.event.clone());
            let broken: Vec<Event> = emitted.filter(|event| matches!(event, Event::CycleBroken { .. })).collect();
            if added && done {
                check_break(&before, scenario.engine.state(), (task, on), inferred, &broken)?;
            }
        }
        undo(&mut scenario)?;
    }
}

/// Whatever was taken away can be put back: alone where it closes no cycle any more, else for another edge of the cycle.
fn undo(scenario: &mut Scenario) -> Result<(), TestCaseError> {
    let broken: Edges = scenario.engine.state().broken_edges().map(|it| (it.task, it.on)).collect();
    for (task, on) in broken {
        let name = |id: TaskId| reference(&id.to_string());
        let mut instead = None;
        for _ in 0..TASKS {
            let state = scenario.engine.state();
            if !state.task(task).edges.iter().any(|edge| edge.on == on && edge.broken) {
                break;
            }
            let command =
                Command::RestoreDependency { task: name(task), on: name(on), instead: instead.clone() };
            match scenario.execute(command, None) {
                Ok(_) => {
                    prop_assert!(gates(scenario.engine.state()).contains(&(task, on)), "it gates again");
                    break;
                }
                // Two cycles need two edges: the first goes by hand.
                Err(kapell_core::Rejection::Cycle { cycle, .. }) if instead.is_none() => {
                    instead = Some((name(cycle[1]), name(cycle[2])));
                }
                Err(kapell_core::Rejection::Cycle { cycle, .. }) => {
                    let waive = Command::WaiveDependency { task: name(cycle[1]), on: name(cycle[2]) };
                    scenario.execute(waive, None).expect("an edge of a cycle gates");
                    instead = None;
                }
                Err(kapell_core::Rejection::Duplicate { .. }) => break,
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            }
            prop_assert!(!is_cyclic(&gates(scenario.engine.state())));
        }
    }
    invariant::check(scenario.engine.state()).map_err(|broken| TestCaseError::fail(broken.to_string()))
}
