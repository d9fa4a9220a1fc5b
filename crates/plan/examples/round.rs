//! Prints what placing costs: one pick among 1,000 and 10,000 free agents, the pick where one agent has been
//! freed, and a whole round of 10,000 agents over 1,000,000 tasks in 200 classes.
//!
//! `cargo run --release -p kapell-plan --example round`

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use kapell_model::{
    AgentId, AgentState, AgentView, Class, ClassId, Moment, Placer, Policy, Position, Priority, QueueKey,
    Ratio, Requirement, Situation, TaskId, Word,
};
use kapell_plan::Greedy;

const CAPABILITIES: u64 = 16;

fn main() {
    for agents in [1_000, 10_000] {
        for classes in [1, 200] {
            pick(agents, classes);
        }
    }
    freed(10_000, 200);
    round(10_000, 200, 1_000_000);
}

/// Submits a task, places it, finishes it; everyone is free all the time.
fn pick(agents: u32, classes: u32) {
    let mut fleet = Fleet::new(agents, classes, 4);
    let mut picks = 2_000;
    fleet.lives(picks);
    let mut spent = Duration::ZERO;
    while spent < Duration::from_millis(300) {
        picks *= 2;
        let begun = Instant::now();
        fleet.lives(picks);
        spent = begun.elapsed();
    }
    let placed = f64::from(fleet.placed) / f64::from(fleet.tasks);
    println!(
        "one pick,   {agents:>6} agents free, {classes:>3} classes: {:>8.0} ns ({:.0}% placed)",
        per(spent, picks),
        placed * 100.0
    );
}

/// Frees one agent where every class has tasks that only few can take.
fn freed(agents: u32, classes: u32) {
    let mut fleet = Fleet::new(agents, classes, 2);
    for class in 0..classes {
        for _ in 0..agents / classes * 4 {
            fleet.submit(ClassId(class));
        }
    }
    fleet.round();
    let running = fleet.running.clone();
    let begun = Instant::now();
    for &agent in &running {
        fleet.finish(agent);
        fleet.round();
    }
    let spent = begun.elapsed();
    println!(
        "one freed,  {agents:>6} agents busy, {classes:>3} classes: {:>8.0} ns",
        per(spent, running.len() as u32)
    );
}

fn round(agents: u32, classes: u32, tasks: u32) {
    let mut fleet = Fleet::new(agents, classes, 1);
    for task in 0..tasks {
        fleet.submit(ClassId(task % classes));
    }
    fleet.situation.unsettle();
    let begun = Instant::now();
    fleet.round();
    let spent = begun.elapsed();
    println!(
        "full round, {agents:>6} agents, {classes} classes, {tasks} tasks: {spent:?} for {} placements",
        fleet.placed
    );
    fleet.situation.unsettle();
    let begun = Instant::now();
    fleet.round();
    println!("the same again, with nothing to place: {:?}", begun.elapsed());
}

struct Fleet {
    situation: Situation,
    greedy: Greedy,
    classes: u32,
    tasks: u32,
    placed: u32,
    position: u64,
    class_of: Vec<ClassId>,
    running: Vec<AgentId>,
}

impl Fleet {
    fn new(agents: u32, classes: u32, slots: u32) -> Self {
        let mut situation = Situation::new(&Policy::default());
        let mut dice = Dice(7);
        for id in 0..agents {
            situation.put_agent(AgentId(id), agent(&mut dice, u64::from(id), slots));
        }
        for _ in 0..classes {
            situation.push_class(class(&mut dice));
        }
        Self {
            situation,
            greedy: Greedy::new(),
            classes,
            tasks: 0,
            placed: 0,
            position: u64::from(agents),
            class_of: Vec::new(),
            running: Vec::new(),
        }
    }

    fn lives(&mut self, count: u32) {
        for task in 0..count {
            self.submit(ClassId(task % self.classes));
            self.round();
            if let Some(agent) = self.running.pop() {
                self.finish(agent);
            }
            // What cannot be placed would be tried with everyone that is freed, which is not measured here.
            while let Some((key, class)) = { self.situation.heads(None).next() } {
                self.situation.dequeue(class, &key);
            }
        }
    }

    fn submit(&mut self, class: ClassId) {
        self.tasks += 1;
        self.class_of.push(class);
        self.situation.enqueue(class, key(self.tasks), None);
    }

    fn finish(&mut self, agent: AgentId) {
        self.position += 1;
        self.situation.give_slot(agent, Position(self.position));
    }

    fn round(&mut self) {
        while !self.step() {}
    }

    fn step(&mut self) -> bool {
        self.greedy.begin(&self.situation);
        while let Some(placement) = self.greedy.next(&self.situation) {
            let class = self.class_of[placement.task.index()];
            self.situation.dequeue(class, &key(placement.task.0));
            self.situation.take_slot(placement.agent);
            self.running.push(placement.agent);
            self.placed += 1;
            black_box(&placement);
        }
        if self.greedy.is_under_way() {
            self.situation.pause();
            return false;
        }
        self.situation.settle();
        true
    }
}

fn key(task: u32) -> QueueKey {
    QueueKey {
        priority: Priority::ALL[task as usize % 4],
        latest_start: Moment::NEVER,
        submitted: Moment(i64::from(task)),
        task: TaskId(task),
    }
}

fn agent(dice: &mut Dice, id: u64, slots: u32) -> AgentView {
    let mut capabilities = Vec::new();
    for word in 0..CAPABILITIES as u32 {
        if dice.roll(3) == 0 {
            capabilities.push((Word(word), Ratio::micros(500_000 + dice.roll(500_001) as u32)));
        }
    }
    AgentView {
        state: AgentState::Online,
        draining: false,
        active: 0,
        max: slots,
        role: Word(0),
        capabilities: capabilities.into(),
        kept: [].into(),
        idle_since: Position(id),
    }
}

fn class(dice: &mut Dice) -> Class {
    let first = dice.roll(CAPABILITIES - 1);
    let second = first + 1 + dice.roll(CAPABILITIES - 1 - first);
    let requires = [first, second].map(|word| Requirement {
        capability: Word(word as u32),
        weight: Ratio::UNIT,
        minimum: Ratio::ZERO,
    });
    Class {
        requires: requires.into(),
        kind: Word(dice.roll(8) as u32),
        project: None,
        role: None,
        pin: None,
        exclude: Box::default(),
        needs: Box::default(),
    }
}

fn per(spent: Duration, count: u32) -> f64 {
    spent.as_secs_f64() * 1e9 / f64::from(count)
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
