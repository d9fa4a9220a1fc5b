//! Whatever happens, the quick strategy places exactly what the plain formula places with two nested loops.
//!
//! There are no ties to forgive: the order of tasks and the order of candidates are both total.

mod world;

use kapell_model::{
    AgentId, AgentState, AgentView, Class, Considered, Moment, Policy, Position, Priority, QueueKey, Ratio,
    Requirement, Standing, TaskId, Word, able,
};
use kapell_plan::score::capability;
use kapell_plan::{Greedy, Sums, Tuning, candidates, parts};
use proptest::prelude::*;
use proptest::sample::Index;
use world::{World, agent, class, pairs};

const WORDS: u32 = 4;

/// Something that happens to a fleet.
#[derive(Clone, Debug)]
enum Step {
    Submit { class: Index, priority: Priority, start: i64, veto: Option<Index> },
    Cancel(Index),
    Finish(Index),
    State(Index, AgentState),
    Register(AgentView),
    Amend(Index, AgentView),
    Rescore(Index, Word, Ratio),
    Policy(Box<Policy>),
    Round,
}

fn score() -> impl Strategy<Value = Ratio> {
    // Few values, so that there are ties and exact thresholds; and some in between.
    prop_oneof![
        4 => prop::sample::select(vec![0_u32, 500_000, 525_000, 525_001, 525_002, 900_000, 900_002, 1_000_000]),
        1 => 0..=Ratio::UNIT,
    ]
    .prop_map(Ratio::micros)
}

fn view() -> impl Strategy<Value = AgentView> {
    let capabilities = prop::collection::btree_map((0..WORDS).prop_map(Word), score(), 0..=4);
    let max = prop::sample::select(vec![1_u32, 2, 3, 4, 600]);
    let state = prop::sample::select(vec![AgentState::Online, AgentState::Online, AgentState::Offline]);
    let since = prop_oneof![0..4_u64, (0..4_u64).prop_map(|more| (1 << 36) + more)];
    let kept =
        prop_oneof![4 => Just(Vec::new()), 1 => prop::collection::vec((0..WORDS).prop_map(Word), 1..3)];
    (capabilities, max, 0..=600_u32, state, 0..2_u32, since, proptest::bool::weighted(0.1), kept).prop_map(
        |(capabilities, max, active, state, role, since, draining, kept)| AgentView {
            state,
            kept: kept.into(),
            draining,
            role: Word(role),
            capabilities: capabilities.into_iter().collect(),
            idle_since: Position(since),
            // A wide agent is busy, so that loads beyond a byte occur; the others mostly idle.
            ..agent(if max == 600 { active } else { active % (max + 1) }, max)
        },
    )
}

fn any_class() -> impl Strategy<Value = Class> {
    let minimum = prop_oneof![3 => Just(Ratio::ZERO), 1 => score()];
    let weight = prop::sample::select(vec![1_u32, 500_000, 1_000_000, 3_000_000]);
    let requires = prop::collection::btree_map((0..WORDS).prop_map(Word), (weight, minimum), 0..=3);
    let pin = prop::option::weighted(0.1, (0..6_u32).prop_map(AgentId));
    let role = prop::option::weighted(0.2, (0..2_u32).prop_map(Word));
    let exclude = prop::collection::btree_set((0..6_u32).prop_map(AgentId), 0..=2);
    (requires, 0..2_u32, pin, role, exclude).prop_map(|(requires, kind, pin, role, exclude)| {
        let requirement = |(capability, (weight, minimum))| Requirement { capability, weight, minimum };
        let requires = requires.into_iter().map(requirement).collect::<Vec<_>>();
        Class { kind: Word(kind), pin, role, exclude: exclude.into_iter().collect(), ..class(&requires) }
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    let threshold = prop::sample::select(vec![0_u32, 400_000, 600_000, 690_000, 700_000, 790_000]);
    (threshold, any::<bool>()).prop_map(|(threshold, other_weights)| {
        let mut policy = Policy { threshold: Ratio::micros(threshold), ..Policy::default() };
        if other_weights {
            policy.weights.capability = Ratio::micros(333_333);
            policy.weights.workload = Ratio::micros(366_667);
        }
        policy
    })
}

fn step() -> impl Strategy<Value = Step> {
    let priority = prop::sample::select(Priority::ALL);
    let state = prop::sample::select(AgentState::ALL);
    let veto = prop::option::weighted(0.3, any::<Index>());
    prop_oneof![
        8 => (any::<Index>(), priority, 0..3_i64, veto)
            .prop_map(|(class, priority, start, veto)| Step::Submit { class, priority, start, veto }),
        1 => any::<Index>().prop_map(Step::Cancel),
        6 => any::<Index>().prop_map(Step::Finish),
        2 => (any::<Index>(), state).prop_map(|(agent, state)| Step::State(agent, state)),
        1 => view().prop_map(Step::Register),
        1 => (any::<Index>(), view()).prop_map(|(agent, view)| Step::Amend(agent, view)),
        2 => (any::<Index>(), (0..WORDS).prop_map(Word), score())
            .prop_map(|(agent, capability, score)| Step::Rescore(agent, capability, score)),
        1 => policy().prop_map(|policy| Step::Policy(Box::new(policy))),
        6 => Just(Step::Round),
    ]
}

fn happen(world: &mut World, classes: &[Class], tasks: &mut u32, step: Step) {
    let some_agent =
        |index: Index, world: &World| AgentId(index.index(world.situation.agents().len()) as u32);
    match step {
        Step::Submit { class, priority, start, veto } => {
            *tasks += 1;
            let veto = veto.map(|index| some_agent(index, world));
            let class = world.class(classes[class.index(classes.len())].clone());
            let key = QueueKey {
                priority,
                latest_start: Moment(start),
                submitted: Moment(i64::from(*tasks / 3)),
                task: TaskId(*tasks),
            };
            world.submit(class, key, veto);
        }
        Step::Cancel(index) if !world.waiting.is_empty() => {
            let keys = world.waiting.keys().copied().collect::<Vec<_>>();
            world.cancel(*index.get(&keys));
        }
        Step::Finish(index) if !world.running.is_empty() => {
            world.finish(index.index(world.running.len()));
        }
        Step::State(index, state) => {
            let agent = some_agent(index, world);
            world.situation.set_agent_state(agent, state);
        }
        Step::Register(view) => {
            world.add_agent(view);
        }
        Step::Amend(index, view) => {
            let agent = some_agent(index, world);
            // A load is what the agent owns; only what it can do and how much of it is amended.
            let active = world.situation.agent(agent).active;
            world.situation.put_agent(agent, AgentView { active, ..view });
        }
        Step::Rescore(index, capability, score) => {
            let agent = some_agent(index, world);
            world.situation.set_score(agent, capability, score);
        }
        Step::Policy(policy) => world.situation.set_policy(&policy),
        Step::Cancel(_) | Step::Finish(_) | Step::Round => {}
    }
}

/// Whom a task was taken from is passed over by a round that is whole; one that was interrupted may offer it to that agent
/// before it comes to another that has joined meanwhile.
fn without_veto(step: Step) -> Step {
    match step {
        Step::Submit { class, priority, start, .. } => Step::Submit { class, priority, start, veto: None },
        other => other,
    }
}

/// Runs a round of both kinds from the same start, and compares who got what, and what the situation became.
fn compare_round(world: &mut World, greedy: &mut Greedy) -> Result<(), TestCaseError> {
    let mut naive = world.clone();
    let expected = naive.naive_round();
    let placements = world.round(greedy);
    prop_assert_eq!(pairs(&placements), expected);
    prop_assert_eq!(&world.waiting, &naive.waiting);
    let loads = |world: &World| world.situation.agents().iter().map(|agent| agent.active).collect::<Vec<_>>();
    prop_assert_eq!(loads(world), loads(&naive));
    Ok(())
}

/// Every bound at which a quick way begins or a step ends, so that small fleets take all of them too.
fn tuned() -> impl Strategy<Value = Greedy> {
    let looks_max = prop::sample::select(vec![1_i64, 40, 600, 2_000_000]);
    let (walked_max, one_in) =
        (prop::sample::select(vec![0_usize, 2, 256]), prop::sample::select(vec![0_usize, 1, 3]));
    (looks_max, walked_max, one_in)
        .prop_map(|(looks_max, walked_max, one_in)| Greedy::tuned(Tuning { looks_max, walked_max, one_in }))
}

/// A situation may be asked for an agent that a class names before that agent is there, never the reverse.
fn fleet() -> impl Strategy<Value = Vec<AgentView>> {
    prop::collection::vec(view(), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn rounds_between_changes_leave_the_same_placements(
        policy in policy(),
        agents in fleet(),
        classes in prop::collection::vec(any_class(), 1..6),
        steps in prop::collection::vec(step(), 1..80),
        greedy in tuned(),
    ) {
        let (mut world, mut greedy, mut tasks) = (World::new(&policy), greedy, 0);
        for view in agents {
            world.add_agent(view);
        }
        for step in steps {
            if matches!(step, Step::Round) {
                compare_round(&mut world, &mut greedy)?;
            } else {
                happen(&mut world, &classes, &mut tasks, step);
            }
        }
        compare_round(&mut world, &mut greedy)?;
    }

    #[test]
    fn a_round_over_everything_equals_the_plain_loops(
        policy in policy(),
        agents in prop::collection::vec(view(), 1..40),
        classes in prop::collection::vec(any_class(), 1..10),
        steps in prop::collection::vec(step(), 1..120),
        greedy in tuned(),
    ) {
        let (mut world, mut tasks) = (World::new(&policy), 0);
        for view in agents {
            world.add_agent(view);
        }
        for step in steps {
            happen(&mut world, &classes, &mut tasks, step);
        }
        world.situation.unsettle();
        let mut greedy = greedy;
        compare_round(&mut world, &mut greedy)?;
        world.situation.unsettle();
        prop_assert_eq!(pairs(&world.round(&mut greedy)), vec![], "a settled fleet has nothing left");
    }

    /// Whatever happens between two steps: what is left of the round is a whole round over what is so then.
    #[test]
    fn a_round_that_is_interrupted_goes_on_as_a_new_one_would(
        policy in policy(),
        agents in prop::collection::vec(view(), 1..12),
        classes in prop::collection::vec(any_class(), 1..8),
        before in prop::collection::vec(step(), 1..60),
        between in prop::collection::vec((0..4_usize, prop::collection::vec(step(), 0..4)), 1..12),
        greedy in tuned(),
    ) {
        let (mut world, mut greedy, mut tasks) = (World::new(&policy), greedy, 0);
        for view in agents {
            world.add_agent(view);
        }
        for step in before {
            happen(&mut world, &classes, &mut tasks, without_veto(step));
        }
        for (most, steps) in between {
            world.step(&mut greedy, most, &mut Vec::new());
            for step in steps {
                happen(&mut world, &classes, &mut tasks, without_veto(step));
            }
            compare_round(&mut world.clone(), &mut greedy.clone())?;
        }
        compare_round(&mut world, &mut greedy)?;
    }

    /// The scores that are worked out at once for everybody are those of the plain formula.
    #[test]
    fn a_column_is_what_the_formula_says(
        policy in policy(),
        agents in prop::collection::vec(view(), 1..40),
        classes in prop::collection::vec(any_class(), 1..4),
    ) {
        let mut world = World::new(&policy);
        for view in agents {
            world.add_agent(view);
        }
        let mut sums = Sums::default();
        for class in classes {
            let column = sums.column(&world.situation, &class);
            for (&part, agent) in column.iter().zip((0..).map(AgentId)) {
                let view = world.situation.agent(agent);
                let expected = match able(&class, agent, view) {
                    Ok(()) => world.situation.weights().capability.times(capability(&class, view)).as_micros(),
                    Err(_) => Standing::EXCLUDED,
                };
                prop_assert_eq!(part, expected, "{} for {:?}", agent.0, &class);
            }
        }
    }

    #[test]
    fn a_placement_records_the_best_three_with_their_scores(
        policy in policy(),
        agents in fleet(),
        class in any_class(),
        veto in prop::option::of(any::<Index>()),
        greedy in tuned(),
    ) {
        let mut world = World::new(&policy);
        for view in agents {
            world.add_agent(view);
        }
        let veto = veto.map(|index| AgentId(index.index(world.situation.agents().len()) as u32));
        let id = world.class(class.clone());
        let key = QueueKey {
            priority: Priority::High,
            latest_start: Moment::NEVER,
            submitted: Moment(0),
            task: TaskId(1),
        };
        world.submit(id, key, veto);
        let before = world.situation.clone();
        let ranked = world.ranked(id).into_iter().map(|(agent, _)| agent).collect::<Vec<_>>();
        let explained = candidates(&before, &class, veto);
        let placements = world.round(&mut { greedy });
        prop_assert_eq!(explained.choice, placements.first().map(|placement| placement.agent));
        let told = explained.candidates.iter().map(|considered| considered.agent).collect::<Vec<_>>();
        prop_assert_eq!(&told, &ranked);
        if let Some(placement) = placements.first() {
            let mut best = ranked.into_iter().take(3).collect::<Vec<_>>();
            let chosen = best.iter().position(|agent| *agent == placement.agent).expect("among the best");
            best[..=chosen].rotate_right(1);
            let scored = |agent| Considered { agent, parts: parts(&before, &class, agent) };
            prop_assert_eq!(placement.considered.clone(), best.into_iter().map(scored).collect::<Vec<_>>());
        }
    }
}

#[test]
fn more_freed_agents_than_are_listed_are_all_seen() {
    let mut world = World::new(&Policy::default());
    let mut greedy = Greedy::new();
    for _ in 0..200 {
        world.add_agent(agent(0, 1));
    }
    let id = world.class(class(&[]));
    let key = |task| QueueKey {
        priority: Priority::Low,
        latest_start: Moment::NEVER,
        submitted: Moment(0),
        task: TaskId(task),
    };
    for task in 1..=500 {
        world.submit(id, key(task), None);
    }
    assert_eq!(world.round(&mut greedy).len(), 200);
    for _ in 0..150 {
        world.finish(0);
    }
    let mut naive = world.clone();
    assert_eq!(pairs(&world.round(&mut greedy)), naive.naive_round());
    assert_eq!(world.waiting.len(), 150);
}
