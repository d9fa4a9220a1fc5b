//! A round planned optimally, begun anew and from the last one, beside the greedy round over the same tasks.

use std::time::Instant;

use kapell_model::{
    AgentId, AgentState, AgentView, Class, ClassId, Moment, Policy, Position, Priority, QueueKey, Ratio,
    Requirement, Situation, TaskId, Word,
};
use kapell_plan::{Optimal, Totals, greedy_round};

use crate::Options;
use crate::table::{Table, median};

/// What a fleet is made of.
struct Case {
    what: &'static str,
    /// Capabilities in all, and of each agent.
    capabilities: (u32, u32),
    slots: u32,
    levels: usize,
    wanted: bool,
}

const CASES: &[Case] = &[
    Case { what: "4 of 16 capabilities", capabilities: (16, 16), slots: 1, levels: 1, wanted: true },
    Case { what: "4 of 256 capabilities", capabilities: (256, 16), slots: 1, levels: 1, wanted: true },
    Case { what: "4 of 16, four levels", capabilities: (16, 16), slots: 1, levels: 4, wanted: false },
    Case {
        what: "4 of 16, half the agents, 2 slots",
        capabilities: (16, 16),
        slots: 2,
        levels: 1,
        wanted: false,
    },
];

/// Measures every case.
///
/// # Errors
/// Never.
pub fn measure(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let (agents, tasks) = if options.quick { (200, 2_000) } else { (1_000, 10_000) };
    for case in CASES {
        let mut fleet = Fleet::new(case, agents / case.slots, tasks);
        let (mut cold, mut warm, mut greedy) = (Vec::new(), Vec::new(), Vec::new());
        let mut optimal = Optimal::new();
        let (mut best, mut served, mut placed) = (0, 0, 0);
        for run in 0..5 {
            if run > 0 {
                fleet.change(case, tasks / 100, agents / case.slots / 100);
            }
            let excerpt = fleet.situation.excerpt();
            let (round, millis) = timed(|| Optimal::new().plan(&excerpt));
            cold.push(millis);
            let (again, millis) = timed(|| optimal.plan(&excerpt));
            if run > 0 {
                warm.push(millis);
            }
            anyhow::ensure!(round.totals == again.totals, "what is left of the last round changed the total");
            let (plain, millis) = timed(|| greedy_round(&excerpt));
            greedy.push(millis);
            anyhow::ensure!(round.totals >= plain.totals, "greedy was better");
            (best, served, placed) =
                (best + sum(&round.totals), served + sum(&plain.totals), round.placements.len());
        }
        let size = format!("{} agents, {tasks} tasks of as many classes, {}", agents / case.slots, case.what);
        let asked = |millis| if case.wanted { millis } else { "" };
        let cold_note = format!("{size}; {placed} placed; greedy's round took {:.0} ms", median(greedy));
        table.add("optimal round, cold", format!("{:.0} ms", median(cold)), asked("200 ms"), &cold_note);
        table.add(
            "optimal round, warm",
            format!("{:.1} ms", median(warm)),
            asked("20 ms"),
            "1 % of agents and tasks changed",
        );
        let lost = 100.0 * (best - served) as f64 / best as f64;
        table.add("what greedy loses", format!("{lost:.1} % of the total score"), "", &size);
    }
    Ok(())
}

fn sum(totals: &Totals) -> u64 {
    totals.iter().sum()
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed().as_secs_f64() * 1e3)
}

struct Fleet {
    situation: Situation,
    waiting: Vec<(ClassId, QueueKey)>,
    tasks: u32,
    dice: Dice,
}

impl Fleet {
    fn new(case: &Case, agents: u32, tasks: u32) -> Self {
        let situation = Situation::new(&Policy::default());
        let mut fleet = Self { situation, waiting: Vec::new(), tasks: 0, dice: Dice(11) };
        for id in 0..agents {
            let view = fleet.agent(case);
            fleet.situation.put_agent(AgentId(id), view);
        }
        for _ in 0..tasks {
            fleet.submit(case);
        }
        fleet
    }

    /// Replaces so many tasks by others, and so many agents.
    fn change(&mut self, case: &Case, tasks: u32, agents: u32) {
        for _ in 0..tasks {
            let at = self.dice.roll(self.waiting.len() as u64) as usize;
            let (class, key) = self.waiting.swap_remove(at);
            self.situation.dequeue(class, &key);
            self.submit(case);
        }
        for _ in 0..agents {
            let id = AgentId(self.dice.roll(self.situation.agents().len() as u64) as u32);
            let view = self.agent(case);
            self.situation.put_agent(id, view);
        }
        self.situation.settle();
    }

    fn agent(&mut self, case: &Case) -> AgentView {
        let (all, own) = case.capabilities;
        let capabilities = self.words(all, own).into_iter().map(|word| (word, self.score())).collect();
        AgentView {
            state: AgentState::Online,
            draining: false,
            active: 0,
            max: case.slots,
            role: Word(0),
            capabilities,
            kept: [].into(),
            idle_since: Position(0),
        }
    }

    fn score(&mut self) -> Ratio {
        Ratio::micros(500_000 + self.dice.roll(500_001) as u32)
    }

    /// Every task is in a class of its own, by its weights.
    fn submit(&mut self, case: &Case) {
        self.tasks += 1;
        let words = self.words(case.capabilities.0, 4);
        let mut weight = || 1 + self.dice.roll(1_000) as u32;
        let requires = words.into_iter().map(|capability| Requirement {
            capability,
            weight: weight() * 1_000,
            minimum: Ratio::ZERO,
        });
        let class = self.situation.push_class(Class {
            requires: requires.collect(),
            kind: Word(self.tasks % 8),
            project: None,
            role: None,
            pin: None,
            exclude: Box::default(),
            needs: Box::default(),
        });
        let key = QueueKey {
            priority: Priority::ALL[self.tasks as usize % case.levels],
            latest_start: Moment::NEVER,
            submitted: Moment(i64::from(self.tasks)),
            task: TaskId(self.tasks),
        };
        self.situation.enqueue(class, key, None);
        self.waiting.push((class, key));
    }

    /// Draws different words, in order.
    fn words(&mut self, all: u32, count: u32) -> Vec<Word> {
        let mut words = std::collections::BTreeSet::new();
        while words.len() < count as usize {
            words.insert(Word(self.dice.roll(u64::from(all)) as u32));
        }
        words.into_iter().collect()
    }
}

/// A small generator of numbers that look random (splitmix64), so that every run is the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}
