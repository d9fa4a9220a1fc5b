//! The optimal strategy against brute force, against greedy, against itself begun anew, and against another solver.

mod world;

use kapell_model::{
    AgentId, AgentState, AgentView, Class, ClassId, Gate, Moment, Policy, Position, Priority, QueueKey,
    Ratio, Requirement, TaskId, Waiting, Word, limits,
};
use kapell_plan::{Optimal, Round, Totals, candidate, greedy_round, parts};
use proptest::prelude::*;
use proptest::sample::Index;
use world::{World, agent, class};

const WORDS: u32 = 3;

#[derive(Clone, Debug)]
struct Job {
    class: Index,
    priority: Priority,
    veto: Option<Index>,
}

fn score() -> impl Strategy<Value = Ratio> {
    prop_oneof![
        2 => prop::sample::select(vec![0_u32, 500_000, 525_002, 800_000, 900_002, 1_000_000]),
        2 => 400_000..=Ratio::UNIT,
    ]
    .prop_map(Ratio::micros)
}

fn view() -> impl Strategy<Value = AgentView> {
    let capabilities = prop::collection::btree_map((0..WORDS).prop_map(Word), score(), 1..=3);
    let state = prop::sample::select(vec![AgentState::Online, AgentState::Online, AgentState::Offline]);
    let kept =
        prop_oneof![4 => Just(Vec::new()), 1 => prop::collection::vec((0..WORDS).prop_map(Word), 1..3)];
    (capabilities, 1..=3_u32, 0..=3_u32, state, 0..2_u32, kept).prop_map(
        |(capabilities, max, active, state, role, kept)| AgentView {
            state,
            kept: kept.into(),
            role: Word(role),
            capabilities: capabilities.into_iter().collect(),
            ..agent(active.min(max), max)
        },
    )
}

fn any_class() -> impl Strategy<Value = Class> {
    let minimum = prop_oneof![4 => Just(Ratio::ZERO), 1 => score()];
    let weight = prop::sample::select(vec![1_u32, 500_000, 1_000_000, 3_000_000, 999_999_999]);
    let requires = prop::collection::btree_map((0..WORDS).prop_map(Word), (weight, minimum), 0..=3);
    let pin = prop::option::weighted(0.1, (0..4_u32).prop_map(AgentId));
    let role = prop::option::weighted(0.2, (0..2_u32).prop_map(Word));
    let exclude = prop::collection::btree_set((0..4_u32).prop_map(AgentId), 0..=1);
    let project = prop::option::of((0..2_u32).prop_map(Word));
    (requires, 0..2_u32, pin, role, exclude, project).prop_map(
        |(requires, kind, pin, role, exclude, project)| {
            let requirement = |(capability, (weight, minimum))| Requirement { capability, weight, minimum };
            let requires = requires.into_iter().map(requirement).collect::<Vec<_>>();
            let exclude = exclude.into_iter().collect();
            Class { kind: Word(kind), pin, role, exclude, project, ..class(&requires) }
        },
    )
}

fn policy() -> impl Strategy<Value = Policy> {
    let threshold = prop::sample::select(vec![0_u32, 400_000, 600_000, 700_000, 700_000]);
    (threshold, any::<bool>()).prop_map(|(threshold, light)| {
        let mut policy = Policy { threshold: Ratio::micros(threshold), ..Policy::default() };
        if light {
            // The load counts for so little that some slots score alike.
            policy.weights.capability = Ratio::micros(699_998);
            policy.weights.workload = Ratio::micros(2);
        }
        policy
    })
}

fn job() -> impl Strategy<Value = Job> {
    let priority = prop::sample::select(Priority::ALL);
    (any::<Index>(), priority, prop::option::weighted(0.25, any::<Index>()))
        .prop_map(|(class, priority, veto)| Job { class, priority, veto })
}

fn submit(world: &mut World, classes: &[Class], task: u32, job: &Job) {
    let veto = job.veto.map(|index| AgentId(index.index(world.situation.agents().len()) as u32));
    let class = world.class(classes[job.class.index(classes.len())].clone());
    let key = QueueKey {
        priority: job.priority,
        latest_start: Moment::NEVER,
        submitted: Moment(i64::from(task / 2)),
        task: TaskId(task),
    };
    world.submit(class, key, veto);
}

fn world(policy: &Policy, agents: Vec<AgentView>, classes: &[Class], jobs: &[Job]) -> World {
    let mut world = World::new(policy);
    for view in agents {
        world.add_agent(view);
    }
    for index in 0..world.situation.agents().len() {
        let (agent, value) = (AgentId(index as u32), Ratio::micros(400_000 + 150_000 * index as u32));
        world.situation.set_performance(agent, Word(1), value);
        world.situation.set_cohesion(agent, Word(1), value, Ratio::micros(300_000));
    }
    for (job, task) in jobs.iter().zip(1..) {
        submit(&mut world, classes, task, job);
    }
    world
}

/// Whether `agent` may get `task` in this round at all, apart from how many it gets.
fn may(world: &World, task: &Waiting, agent: AgentId) -> bool {
    let class = world.situation.class(task.class);
    let above = |agent| {
        candidate(&world.situation, class, agent).is_ok_and(|it| it.total > world.situation.threshold())
    };
    let others = (0..world.situation.agents().len() as u32).map(AgentId);
    above(agent)
        && (task.veto != Some(agent) || !others.into_iter().any(|other| other != agent && above(other)))
}

/// The best totals, by trying every way to hand the tasks out one after the other, in every order.
fn brute_force(world: &World, tasks: &[Waiting]) -> Totals {
    fn go(world: &mut World, allowed: &[Vec<bool>], tasks: &[Waiting], used: u32, totals: Totals) -> Totals {
        let mut best = totals;
        for (at, task) in tasks.iter().enumerate().filter(|(at, _)| used & (1 << at) == 0) {
            for agent in (0..allowed[at].len()).filter(|&agent| allowed[at][agent]) {
                let id = AgentId(agent as u32);
                if !world.situation.agent(id).is_free() {
                    continue;
                }
                let total = parts(&world.situation, world.situation.class(task.class), id).total;
                if total <= world.situation.threshold() {
                    continue;
                }
                let mut then = totals;
                then[level(task)] += u64::from(total.as_micros());
                world.situation.take_slot(id);
                best = best.max(go(world, allowed, tasks, used | 1 << at, then));
                world.situation.give_slot(id, Position(0));
            }
        }
        best
    }
    let agents = world.situation.agents().len() as u32;
    let allowed: Vec<Vec<bool>> = tasks
        .iter()
        .map(|task| (0..agents).map(|agent| may(world, task, AgentId(agent))).collect())
        .collect();
    go(&mut world.clone(), &allowed, tasks, 0, Totals::default())
}

fn level(task: &Waiting) -> usize {
    Priority::ALL.iter().position(|&priority| priority == task.key.priority).expect("one of all")
}

/// Carries a round out item by item, as the core would, and checks what each says of itself.
fn check(world: &mut World, tasks: &[Waiting], round: &Round) -> Result<(), TestCaseError> {
    let mut totals = Totals::default();
    for placement in &round.placements {
        let task = tasks.iter().find(|task| task.key.task == placement.task).expect("a waiting task");
        let class = world.situation.class(task.class);
        let scored = candidate(&world.situation, class, placement.agent).expect("a candidate");
        prop_assert!(scored.total > world.situation.threshold());
        prop_assert_eq!(placement.considered[0].agent, placement.agent);
        for considered in &placement.considered {
            prop_assert_eq!(considered.parts, parts(&world.situation, class, considered.agent));
        }
        prop_assert!(placement.considered.len() <= 3);
        totals[level(task)] += u64::from(scored.total.as_micros());
        let earlier = tasks.iter().filter(|it| {
            it.class == task.class
                && it.key.priority == task.key.priority
                && it.veto.is_none()
                && it.key < task.key
        });
        for earlier in earlier.filter(|_| task.veto.is_none()) {
            let placed = |task: TaskId| round.placements.iter().any(|it| it.task == task);
            prop_assert!(placed(earlier.key.task), "within a class and level the queue goes first");
        }
        world.place(task.key, placement.agent);
    }
    prop_assert_eq!(totals, round.totals);
    Ok(())
}

#[derive(Clone, Debug)]
enum Change {
    Submit(Job),
    Cancel(Index),
    Finish(Index),
    Place(Index),
    State(Index, AgentState),
    Register(AgentView),
    Amend(Index, AgentView),
    Record(Index, Ratio),
    Rescore(Index, Ratio),
    Restate(Index, Class),
    Gate(Index, Gate),
    Apply,
}

fn gate() -> impl Strategy<Value = Gate> {
    prop_oneof![Just(Gate::Open), Just(Gate::Shut), (0..3_u32).prop_map(|agent| Gate::Only(AgentId(agent)))]
}

fn change() -> impl Strategy<Value = Change> {
    let state = prop::sample::select(AgentState::ALL);
    prop_oneof![
        5 => job().prop_map(Change::Submit),
        3 => any::<Index>().prop_map(Change::Cancel),
        3 => any::<Index>().prop_map(Change::Finish),
        2 => any::<Index>().prop_map(Change::Place),
        1 => (any::<Index>(), state).prop_map(|(agent, state)| Change::State(agent, state)),
        1 => view().prop_map(Change::Register),
        1 => (any::<Index>(), view()).prop_map(|(agent, view)| Change::Amend(agent, view)),
        1 => (any::<Index>(), score()).prop_map(|(agent, value)| Change::Record(agent, value)),
        1 => (any::<Index>(), score()).prop_map(|(agent, value)| Change::Rescore(agent, value)),
        1 => (any::<Index>(), any_class()).prop_map(|(class, other)| Change::Restate(class, other)),
        1 => (any::<Index>(), gate()).prop_map(|(class, gate)| Change::Gate(class, gate)),
        1 => Just(Change::Apply),
    ]
}

fn happen(world: &mut World, classes: &[Class], task: &mut u32, change: &Change, round: &Round) {
    let who = |index: &Index, world: &World| AgentId(index.index(world.situation.agents().len()) as u32);
    match change {
        Change::Submit(job) => {
            *task += 1;
            submit(world, classes, *task, job);
        }
        Change::Cancel(index) if !world.waiting.is_empty() => {
            let key = *world.waiting.keys().nth(index.index(world.waiting.len())).expect("within");
            world.cancel(key);
        }
        Change::Finish(index) if !world.running.is_empty() => {
            world.finish(index.index(world.running.len()));
        }
        Change::Place(index) if !world.waiting.is_empty() && !world.situation.free().is_empty() => {
            let key = *world.waiting.keys().nth(index.index(world.waiting.len())).expect("within");
            let agent = *index.get(world.situation.free());
            world.place(key, agent);
        }
        Change::State(index, state) => world.situation.set_agent_state(who(index, world), *state),
        Change::Register(view) => drop(world.add_agent(view.clone())),
        Change::Amend(index, view) => {
            let id = who(index, world);
            let active = world.situation.agent(id).active;
            world.situation.put_agent(id, AgentView { active, ..view.clone() });
        }
        Change::Record(index, value) => {
            let id = who(index, world);
            world.situation.set_performance(id, Word(0), *value);
        }
        Change::Rescore(index, value) => {
            let id = who(index, world);
            world.situation.set_score(id, Word(1), *value);
        }
        Change::Restate(index, other) if world.situation.class_count() > 0 => {
            let class = ClassId(index.index(world.situation.class_count()) as u32);
            world.situation.set_requires(class, other.requires.clone());
        }
        Change::Gate(index, gate) if world.situation.class_count() > 0 => {
            let class = ClassId(index.index(world.situation.class_count()) as u32);
            world.situation.set_gate(class, *gate);
        }
        Change::Apply => {
            for placement in &round.placements {
                let key = world.waiting.keys().find(|key| key.task == placement.task).copied();
                if let Some(key) = key.filter(|_| world.situation.agent(placement.agent).is_free()) {
                    world.place(key, placement.agent);
                }
            }
        }
        Change::Cancel(_) | Change::Finish(_) | Change::Place(_) | Change::Restate(..) | Change::Gate(..) => {
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_round_is_worth_what_brute_force_finds(
        policy in policy(),
        agents in prop::collection::vec(view(), 1..=3),
        classes in prop::collection::vec(any_class(), 1..=4),
        jobs in prop::collection::vec(job(), 0..=5),
    ) {
        let mut world = world(&policy, agents, &classes, &jobs);
        let excerpt = world.situation.excerpt();
        let round = Optimal::new().plan(&excerpt);
        let greedy = greedy_round(&excerpt).totals;
        let best = brute_force(&world, &excerpt.waiting);
        prop_assert!(jobs.iter().any(|job| job.veto.is_some()) || best >= greedy);
        prop_assert_eq!(round.totals, best.max(greedy));
        check(&mut world, &excerpt.waiting, &round)?;
    }

    #[test]
    fn a_round_is_never_worth_less_than_greedys_and_the_same_whoever_plans_it(
        policy in policy(),
        agents in prop::collection::vec(view(), 1..=12),
        classes in prop::collection::vec(any_class(), 1..=8),
        jobs in prop::collection::vec(job(), 0..=40),
    ) {
        let mut world = world(&policy, agents, &classes, &jobs);
        let excerpt = world.situation.excerpt();
        let round = Optimal::new().plan(&excerpt);
        prop_assert!(round.totals >= greedy_round(&excerpt).totals);
        prop_assert_eq!(&round, &Optimal::new().plan(&excerpt));
        check(&mut world, &excerpt.waiting, &round)?;
    }

    #[test]
    fn what_is_left_of_the_last_round_never_makes_one_worse(
        policy in policy(),
        agents in prop::collection::vec(view(), 1..=6),
        classes in prop::collection::vec(any_class(), 1..=6),
        jobs in prop::collection::vec(job(), 0..=20),
        changes in prop::collection::vec(prop::collection::vec(change(), 0..=4), 1..=8),
    ) {
        let mut world = world(&policy, agents, &classes, &jobs);
        let (mut warm, mut task) = (Optimal::new(), 1_000);
        let mut round = warm.plan(&world.situation.excerpt());
        for changes in changes {
            for change in &changes {
                happen(&mut world, &classes, &mut task, change, &round);
            }
            let excerpt = world.situation.excerpt();
            round = warm.plan(&excerpt);
            prop_assert_eq!(round.totals, Optimal::new().plan(&excerpt).totals);
            check(&mut world.clone(), &excerpt.waiting, &round)?;
        }
    }
}

#[test]
fn an_excerpt_takes_of_a_class_no_more_than_there_are_slots() {
    let mut world = World::new(&Policy::default());
    world.add_agent(agent(1, 3));
    world.add_agent(agent(2, 2));
    let id = world.class(class(&[]));
    let key = |task| QueueKey {
        priority: Priority::Low,
        latest_start: Moment::NEVER,
        submitted: Moment(0),
        task: TaskId(task),
    };
    for task in (1..=50).rev() {
        world.submit(id, key(task), None);
    }
    let excerpt = world.situation.excerpt();
    let taken = excerpt.waiting.iter().map(|waiting| waiting.key.task.0).collect::<Vec<_>>();
    assert_eq!(taken, [1, 2]);
    assert_eq!(excerpt.restored().waiting(), 2);
    assert_eq!(excerpt.situation.waiting(), 0);
}

#[test]
fn more_slots_than_a_plan_holds_are_not_planned_at_once() {
    let mut world = World::new(&Policy { threshold: Ratio::ZERO, ..Policy::default() });
    for _ in 0..8 {
        world.add_agent(agent(0, limits::CONCURRENT_TASKS_MAX));
    }
    let id = world.class(class(&[]));
    for task in 1..=6_000 {
        let key = QueueKey {
            priority: Priority::Low,
            latest_start: Moment::NEVER,
            submitted: Moment(0),
            task: TaskId(task),
        };
        world.submit(id, key, None);
    }
    let round = Optimal::new().plan(&world.situation.excerpt());
    assert_eq!(round.placements.len(), limits::PLAN_ITEMS_MAX);
}
