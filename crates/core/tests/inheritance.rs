//! Priority inheritance (SEMANTICS 6) equals its definition, whatever has happened: it is there while its reason is, and gone
//! with it.

mod scenario;

use std::collections::BTreeSet;

use kapell_core::{Command, EdgeSource, State};
use kapell_model::{DependencyKind, Priority, TaskId, TaskState};
use proptest::prelude::*;
use scenario::{Scenario, reference};

const TASKS: u32 = 10;

/// The highest priority of a task's own and of every open task that transitively waits for it, as it is defined.
fn defined(state: &State, id: TaskId) -> Priority {
    let mut highest = state.task(id).priority;
    let (mut seen, mut next) = (BTreeSet::from([id]), vec![id]);
    while let Some(on) = next.pop() {
        for task in state.tasks().iter().filter(|task| task.is_open() && task.gates().any(|gate| gate == on))
        {
            if seen.insert(task.id) {
                highest = highest.min(task.priority);
                next.push(task.id);
            }
        }
    }
    highest
}

fn equals_definition(state: &State) -> Result<(), TestCaseError> {
    for task in state.tasks().iter().filter(|task| task.is_open()) {
        prop_assert_eq!(task.effective, defined(state, task.id), "{}", task.id);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn inheritance_equals_its_definition_and_goes_with_its_reason(
        edges in prop::collection::vec((1..=TASKS, 1..=TASKS), 0..25),
        steps in prop::collection::vec((0..8_u8, 1..=TASKS, 1..=TASKS, any::<bool>()), 1..60),
    ) {
        let mut scenario = Scenario::play("agent A slots=3");
        for id in 1..=TASKS {
            let after = edges.iter().filter(|(task, on)| *task == id && on < task).map(|(_, on)| format!("t{on}"));
            let after: BTreeSet<String> = after.collect();
            let after = if after.is_empty() { String::new() } else { format!("after={}", Vec::from_iter(after).join(",")) };
            let priority = Priority::ALL[(id as usize * 13) % 4];
            scenario.also(&format!("submit t{id} priority={priority} {after}"));
            equals_definition(scenario.engine.state())?;
        }
        for (what, task, on, flag) in steps {
            let id = TaskId(task);
            let (task, other) = (reference(&id.to_string()), reference(&TaskId(on).to_string()));
            let state = scenario.engine.state();
            let owner = state.task(id).owner.as_ref();
            let command = match (what, owner) {
                (0 | 1, Some(owner)) => {
                    let agent = state.agent(owner.agent).spec.name.clone();
                    let assignment = owner.assignment;
                    if flag {
                        Command::Finish { task, agent, assignment, result: None }
                    } else {
                        Command::Fail { task, agent, assignment, reason: "no".into(), retry: what == 0 }
                    }
                }
                (2, _) => Command::Cancel { task, reason: "no".into() },
                (3, _) => Command::Reopen { task, reason: "again".into() },
                (4, _) => Command::WaiveDependency { task, on: other },
                (5, _) => Command::RestoreDependency { task, on: other, instead: None },
                (6, _) if flag => Command::Tick,
                _ => {
                    let source = if flag { EdgeSource::Inferred } else { EdgeSource::Imported };
                    Command::AddDependency { task, on: other, kind: DependencyKind::Blocks, source }
                }
            };
            let _ = scenario.execute(command, None);
            equals_definition(scenario.engine.state())?;
        }
        // Every reason goes: what waits is called off, one after another.
        let open: Vec<TaskId> = scenario.engine.state().tasks().iter().filter(|task| task.is_open()).map(|task| task.id).collect();
        for id in open.into_iter().filter(|id| !id.0.is_multiple_of(2)) {
            let command = Command::Cancel { task: reference(&id.to_string()), reason: "no".into() };
            scenario.execute(command, None).expect("it is open");
            equals_definition(scenario.engine.state())?;
        }
        let state = scenario.engine.state();
        for task in state.tasks().iter().filter(|task| task.is_open()) {
            let waits = |id: TaskId| state.tasks().iter().any(|other| other.is_open() && other.gates().any(|on| on == id));
            if !waits(task.id) {
                prop_assert_eq!(task.effective, task.priority, "nobody waits for {} any more", task.id);
            }
            prop_assert!(task.state() != TaskState::Completed);
        }
    }
}
