//! Breakdown: large tasks become several that follow each other (SEMANTICS 9).

mod scenario;

use kapell_core::{BudgetOf, Command, Component, EdgeSource, Event, Require, State, Task, TaskRef};
use kapell_model::{DependencyKind, Ratio, Span, TaskId, TaskState, Text};
use proptest::prelude::*;
use scenario::{Scenario, name};

const TEAM: &str = "agent A rust=0.9 slots=3
    agent B rust=0.8 slots=3
    agent C role=architect
    agent Q role=qa_engineer";

fn play(text: &str) -> Scenario {
    let mut scenario = Scenario::play(TEAM);
    scenario.also(text);
    scenario
}

fn task<'a>(state: &'a State, id: &str) -> &'a Task {
    state.task(id.parse().expect("an id"))
}

#[test]
fn a_task_becomes_planning_components_integration_and_testing() {
    let scenario = play(
        "submit t0 role=nobody
        submit t1 after=t0 needs=rust project=web priority=high
        submit t2 after=t1
        breakdown t1 into=api,page -> archived
        show T-4 -> blocked high                 # planning
        show T-5 -> blocked high
        show T-6 -> blocked high
        show T-7 -> blocked high                 # integration
        show T-8 -> blocked high                 # testing
        cancel t0
        waive T-4 t0
        show T-4 -> assigned high C
        done T-4 C -> completed
        done T-5 A -> completed
        show T-7 -> blocked high
        done T-6 B -> completed
        show T-8 -> blocked high
        done T-7 A -> completed
        show t2 -> blocked medium
        done T-8 Q -> completed
        show t2 -> assigned medium C
        cancel t1 -> refused: task T-2 is archived; cancelling is possible from blocked, ready, deferred, assigned, in_progress, in_review, waiting",
    );
    let state = scenario.engine.state();
    let titles: Vec<&str> =
        ["T-4", "T-5", "T-6", "T-7", "T-8"].iter().map(|id| task(state, id).spec.title.as_str()).collect();
    assert_eq!(titles, ["Plan: a task", "api", "page", "Integrate: a task", "Test: a task"]);
    let project = |id| task(state, id).spec.project.as_ref().map(ToString::to_string);
    assert!(["T-4", "T-5", "T-8"].iter().all(|id| project(id).as_deref() == Some("web")));
}

#[test]
fn a_component_that_requires_its_own_goes_to_the_best_agent_for_that() {
    let component = |title, needs| Component {
        title: Text::from(title),
        description: Text::default(),
        requires: vec![Require { capability: name(needs), weight: Ratio::UNIT, minimum: Ratio::ZERO }],
        estimate: None,
    };
    for components in [[("query", "sql"), ("service", "rust")], [("service", "rust"), ("query", "sql")]] {
        let mut scenario = Scenario::play(
            "agent A rust=0.9 sql=0.4 slots=3
            agent B rust=0.4 sql=0.9 slots=3
            submit t1 needs=cobol",
        );
        let components = components.map(|(title, needs)| component(title, needs)).to_vec();
        let whole = TaskRef::Id(TaskId(1));
        let broken =
            Command::BreakDown { task: whole, components, source: None, model: None, by_policy: false };
        scenario.execute(broken, None).expect("it is ready");
        scenario.also("agent C role=architect\ndone T-2 C -> completed");
        let state = scenario.engine.state();
        let owner = |id| {
            let task = task(state, id);
            let owner = task.owner.as_ref().map(|owner| state.agent(owner.agent).spec.name.to_string());
            (task.spec.title.to_string(), owner.unwrap_or_default())
        };
        let mut owners = [owner("T-3"), owner("T-4")];
        owners.sort();
        assert_eq!(owners, [("query", "B"), ("service", "A")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}

#[test]
fn the_planning_says_the_components_where_nobody_else_has() {
    play(
        "submit t1 needs=rust
        show t1 -> assigned medium A
        release t1 A
        submit t2 role=nobody
        breakdown t2 -> archived
        show T-3 -> assigned medium C
        show T-4 -> blocked medium
        plan T-3 C into=x,y
        plan T-3 C into=one,two,three
        done T-3 C -> completed
        show T-6 -> ready medium                 # the role of the whole is inherited
        show T-8 -> ready medium
        show T-4 -> blocked medium
        plan T-3 C into=x -> refused: assignment A-3 of task T-3 is outdated; nobody owns the task now",
    );
    let scenario = play(
        "submit t1 role=nobody
        breakdown t1
        done T-2 C
        show T-5 -> ready medium",
    );
    let state = scenario.engine.state();
    assert_eq!(task(state, "T-5").spec.title, task(state, "T-1").spec.title, "one for all of it");
    assert_eq!(task(state, "T-3").gates().count(), 2);
}

#[test]
fn only_what_nobody_has_begun_is_broken_down_and_at_most_three_levels_deep() {
    play(
        "submit t1 needs=rust
        breakdown t1 into=a -> refused: task T-1 is assigned; breaking it down is possible from blocked, ready, deferred, waiting
        submit t2 role=nobody
        breakdown t2 into=a
        breakdown T-4 into=b                     # the component
        breakdown T-8 into=c
        breakdown T-12 into=d -> refused: T-12 cannot be broken down: it lies 3 levels deep already
        breakdown T-3 into=x -> refused: task T-3 is assigned; breaking it down is possible from blocked, ready, deferred, waiting
        breakdown T-5 into=x -> refused: T-5 cannot be broken down: it is an integration
        breakdown t2 into=x -> refused: task T-2 is archived; breaking it down is possible from blocked, ready, deferred, waiting
        submit t9 role=nobody
        breakdown t9 into=x,x -> refused: field `components[1].title` is `x` twice; allowed is each title once
        submit t10 after=t2
        show t10 -> blocked medium               # it waits for what stands for t2",
    );
}

#[test]
fn a_wait_for_what_was_broken_down_is_not_put_back() {
    play(
        "submit t1 role=nobody
        submit t2 role=nobody after=t1
        imported t1 t2                           # closes a cycle, and goes
        breakdown t2 into=a -> archived
        restore t1 t2 -> refused: task T-2 is archived; being waited for is possible from blocked, ready, deferred, assigned, in_progress, in_review, waiting, completed, failed, cancelled",
    );
}

#[test]
fn an_integration_that_is_free_waits_for_what_the_planning_names() {
    play(
        "submit t1 role=nobody
        breakdown t1
        waive T-3 T-2
        show T-3 -> ready medium
        done T-2 C
        show T-3 -> blocked medium",
    );
}

#[test]
fn the_policy_has_large_tasks_broken_down_before_anybody_begins() {
    let scenario = play(
        "policy breakdown=policy
        submit t1 effort=40h
        show t1 -> assigned medium A
        submit t2 effort=41h
        show t2 -> waiting medium
        restart -> as live
        submit t3 effort=41h
        keepwhole t3
        show t3 -> assigned medium B
        broken t2 into=a,b -> archived
        broken t3 into=a -> assigned B           # nobody wants that any more",
    );
    assert_eq!(scenario.engine.state().breakdowns_wanted().count(), 0);
}

#[test]
fn components_that_are_large_are_broken_down_in_turn_and_edits_can_make_a_task_large() {
    let wanted = |scenario: &Scenario| {
        scenario.engine.state().breakdowns_wanted().map(|task| task.id.to_string()).collect::<Vec<_>>()
    };
    let mut scenario = play(
        "policy breakdown=policy
        submit t1 effort=200h
        broken t1 into=a,b -> archived
        done T-2 C -> completed",
    );
    assert_eq!(wanted(&scenario), ["T-3", "T-4"], "60 h each; an integration is never broken down");
    scenario.also("show T-3 -> waiting medium\nbroken T-3 into=c -> archived");
    assert_eq!(wanted(&scenario), ["T-4"], "36 h");
    play(
        "policy breakdown=policy
        submit t2 effort=30h role=nobody
        show t2 -> ready medium
        edit t2 estimate=41h
        show t2 -> waiting medium
        keepwhole t2
        show t2 -> ready medium
        edit t2 estimate=42h
        show t2 -> ready medium                  # it was large before",
    );
}

#[test]
fn the_end_stands_before_the_gates_of_the_whole() {
    let scenario = play(
        "policy gates=review
        submit t1 type=bug gates=approval role=nobody
        breakdown t1 into=a -> archived",
    );
    let state = scenario.engine.state();
    let gates = |id: &str| state.gates_of(&task(state, id).spec).len();
    assert_eq!(["T-2", "T-3", "T-4", "T-5"].map(gates), [0, 0, 0, 2]);
}

#[test]
fn what_may_be_spent_on_the_whole_yet_is_shared() {
    let scenario = play(
        "submit t1 needs=rust
        usage t1 A money=2
        drain A
        drain B
        release t1 A
        budget t1 hard=12 soft=10
        breakdown t1 into=a,b -> archived
        resume A
        done T-2 C -> completed
        usage T-3 A money=3
        calls -> E-1 budget_reached T-3
        show T-3 -> deferred medium",
    );
    let state = scenario.engine.state();
    let limits = |id: &str| {
        let money = state.budget(&BudgetOf::Task(task(state, id).id)).total.money;
        (money.soft.expect("a soft limit"), money.hard.expect("a hard limit"))
    };
    let of_millions = [(8, 10), (24, 30), (24, 30), (12, 15), (12, 15)];
    let shares = of_millions.map(|(soft, hard)| (soft * 100_000, hard * 100_000));
    assert_eq!(["T-2", "T-3", "T-4", "T-5", "T-6"].map(limits), shares);
}

#[test]
fn a_guessed_wait_stays_a_guess() {
    play(
        "policy on_failed=cancel
        submit t0 role=nobody
        submit t1 role=nobody
        guessed t1 t0
        breakdown t1 into=a -> archived
        show T-3 -> blocked medium
        cancel t0
        show T-3 -> blocked medium               # somebody may waive it
        waive T-3 t0
        show T-3 -> assigned medium C",
    );
}

#[test]
fn the_deadline_is_spread_back_along_the_longest_path() {
    let scenario = play(
        "submit t1 role=nobody effort=100h deadline=+200h
        breakdown t1 into=a,b,c",
    );
    let state = scenario.engine.state();
    let end = task(state, "T-1").spec.deadline.expect("a deadline");
    let before = |id: &str| end.since(task(state, id).spec.deadline.expect("a deadline"));
    assert_eq!(before("T-7"), Span(0));
    assert_eq!(before("T-6"), Span::hours(15));
    assert_eq!(before("T-3"), Span::hours(30));
    assert_eq!(before("T-2"), Span::hours(50), "the components share 60 h and are done side by side");
    assert_eq!(task(state, "T-3").estimate, Span::hours(20));
    assert_eq!(task(state, "T-2").estimate, Span::hours(10));
}

#[test]
fn factors_as_worked_out_by_hand() {
    let scenario = play("submit t1 role=nobody effort=20h needs=a,b");
    let state = scenario.engine.state();
    let factors = state.factors(task(state, "T-1"));
    // (3/5 + 2/5) / 2; 20 of 40 h; nothing; one of four is not known: when it is done.
    let micros = [factors.technical, factors.size, factors.dependencies, factors.unknowns, factors.total];
    assert_eq!(micros.map(|it| it.as_micros()), [500_000, 500_000, 0, 250_000, 375_000]);
    assert!(!state.needs_breakdown(&factors, Span::hours(20)));
    assert!(state.needs_breakdown(&factors, Span(Span::hours(40).0 + 1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever waits for what, and whatever is broken down in whichever order: in the end everything is completed, and no task
    /// is begun before what it waits for.
    #[test]
    fn whatever_is_broken_down_everything_comes_to_its_end(
        edges in prop::collection::vec((0..6_u32, 0..6_u32), 0..8),
        broken in prop::collection::vec((1..20_u32, 0..4_usize), 0..6),
    ) {
        let mut scenario = Scenario::play("agent A slots=9\nagent C role=architect slots=9\nagent Q role=qa_engineer slots=9");
        scenario.also("submit t0 at=+1h\nsubmit t1 at=+1h\nsubmit t2 at=+1h\nsubmit t3 at=+1h\nsubmit t4 at=+1h\nsubmit t5 at=+1h");
        for (task, on) in edges {
            if on < task {
                let (task, on) = (TaskId(task + 1), TaskId(on + 1));
                let (kind, source) = (DependencyKind::Blocks, EdgeSource::Declared);
                let (task, on) = (TaskRef::Id(task), TaskRef::Id(on));
                let _ = scenario.execute(Command::AddDependency { task, on, kind, source }, None);
            }
        }
        for (id, components) in broken {
            let components = ["into=a", "into=a", "into=a,b", "into=a,b,c"][components.min(3)];
            let components = if id % 3 == 0 { Vec::new() } else { scenario::breakdown::components(components) };
            let task = TaskRef::Id(TaskId(id));
            let command = Command::BreakDown { task, components, source: None, model: None, by_policy: false };
            let _ = scenario.execute(command, None);
            kapell_core::invariant::check(scenario.engine.state()).expect("every invariant");
        }
        scenario.also("tick +2h");
        for _ in 0..200 {
            scenario.also("tick +1s");
            let state = scenario.engine.state();
            let Some(running) = state.tasks().iter().find(|task| task.owner.is_some()) else { break };
            let owner = running.owner.as_ref().expect("an owner");
            let (id, agent) = (running.id, state.agent(owner.agent).spec.name.clone());
            scenario.also(&format!("done {id} {agent}"));
        }
        // By the log, at the moment at which each was given to somebody.
        let mut state = State::default();
        for record in &scenario.log {
            if let Event::TaskAssigned { task, .. } | Event::TaskStarted { task, .. } = record.event {
                let open = state.task(task).gates().find(|&on| state.task(on).state() != TaskState::Completed);
                prop_assert!(open.is_none(), "{} is begun and waits for {:?}", task, open);
            }
            state.apply(record);
        }
        for task in scenario.engine.state().tasks().iter() {
            prop_assert!(matches!(task.state(), TaskState::Completed | TaskState::Archived), "{} is {}", task.id, task.state());
        }
    }
}
