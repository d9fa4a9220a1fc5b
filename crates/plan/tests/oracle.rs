//! The optimal strategy against an independent solver (the Hungarian method of `pathfinding`) where there are a
//! thousand agents.

mod world;

use kapell_model::{
    AgentId, AgentView, Moment, Policy, Priority, QueueKey, Ratio, Requirement, TaskId, Word,
};
use kapell_plan::{Optimal, candidate};
use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;
use world::{World, agent, class};

/// A small generator of numbers that look random (splitmix64), so that every run is the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % u64::from(sides)) as u32
    }
}

/// Agents with three of eight capabilities; every task in a class of its own.
fn fleet(agents: u32, tasks: u32, levels: u32) -> World {
    let (mut world, mut dice) = (World::new(&Policy::default()), Dice(5));
    for _ in 0..agents {
        let mut capabilities = std::collections::BTreeMap::new();
        while capabilities.len() < 3 {
            capabilities.insert(Word(dice.roll(8)), Ratio::micros(500_000 + dice.roll(500_001)));
        }
        world.add_agent(AgentView { capabilities: capabilities.into_iter().collect(), ..agent(0, 1) });
    }
    for task in 1..=tasks {
        let mut requires = std::collections::BTreeMap::new();
        while requires.len() < 2 {
            requires.insert(Word(dice.roll(8)), 1_000 * (1 + dice.roll(1_000)));
        }
        let requirement = |(capability, weight)| Requirement { capability, weight, minimum: Ratio::ZERO };
        let id = world.class(class(&requires.into_iter().map(requirement).collect::<Vec<_>>()));
        let key = QueueKey {
            priority: Priority::ALL[dice.roll(levels) as usize],
            latest_start: Moment::NEVER,
            submitted: Moment(0),
            task: TaskId(task),
        };
        world.submit(id, key, None);
    }
    world
}

fn equals_the_hungarian_method(agents: u32, tasks: u32, levels: u32) {
    let world = fleet(agents, tasks, levels);
    let excerpt = world.situation.excerpt();
    let round = Optimal::new().plan(&excerpt);
    // The levels in one number, as far apart as a thousand scores can reach.
    let base = 1_i128 << 31;
    let worth = |level: usize, score: u64| i128::from(score) * base.pow(levels - 1 - level as u32);
    let level = |priority| Priority::ALL.iter().position(|&it| it == priority).expect("one of all");
    let waiting: Vec<_> = world.waiting.iter().collect();
    let weights = Matrix::from_fn(agents as usize, tasks as usize, |(row, column)| {
        let (key, class) = waiting[column];
        let scored = candidate(&world.situation, &world.classes[class.index()], AgentId(row as u32));
        let total = scored.expect("everybody is free").total;
        let counts = total > world.situation.threshold();
        if counts { worth(level(key.priority), u64::from(total.as_micros())) } else { 0 }
    });
    let (expected, _) = kuhn_munkres(&weights);
    let found = round.totals.iter().take(levels as usize).zip(0..).map(|(&total, level)| worth(level, total));
    assert_eq!(found.sum::<i128>(), expected);
    assert!(round.placements.len() > agents as usize / 2, "the case is worth solving");
}

#[test]
fn a_thousand_agents_at_one_level() {
    equals_the_hungarian_method(1_000, 1_100, 1);
}

#[test]
fn three_hundred_agents_at_four_levels() {
    equals_the_hungarian_method(300, 400, 4);
}
