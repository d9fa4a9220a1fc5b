//! One play: callers, network, server, storage and time, all from one scenario.

use std::panic::{AssertUnwindSafe, catch_unwind};

use kapell_core::{Command, NewPolicy};
use kapell_model::Moment;
use kapell_store::{Chance, Fault, FaultPlan, Faults, Faulty, MemoryDisk};

use crate::actor::{Actor, Call};
use crate::bug::Bug;
use crate::manage::{agent, policy};
use crate::network::{Message, Network};
use crate::node::{Appended, Node, Seen, Waiting};
use crate::oracle::Oracle;
use crate::scenario::{Knob, Scenario, below, chance_of, pick};
use crate::watcher::Durable;
use crate::{Broken, Violation};

/// Steps after the faults have stopped within which everything must end.
const HEALING_STEPS: u32 = 60_000;

/// What one play has shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Steps of callers, network, clock and storage.
    pub steps: u64,
    /// Deaths of the server.
    pub crashes: u64,
    /// Acknowledgements that the oracle has noted.
    pub acknowledged: u64,
    /// What has happened in the server.
    pub seen: Seen,
    /// A digest of everything that was said: the same scenario gives the same.
    pub digest: u64,
}

impl Report {
    /// Adds what another play has shown.
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.crashes += other.crashes;
        self.acknowledged += other.acknowledged;
        self.seen.add(&other.seen);
    }
}

struct World<'a> {
    scenario: &'a Scenario,
    step: u32,
    now: i64,
    disk: MemoryDisk,
    faults: Faults,
    full_until: i64,
    busy_until: i64,
    node: Option<Node>,
    /// Where the log may end after the last death.
    ends: [u64; 2],
    /// A process that was thought dead.
    zombie: Option<Node>,
    network: Network,
    actors: Vec<Actor>,
    oracle: Oracle,
    durable: Durable,
    report: Report,
    healing: bool,
}

/// Plays a scenario, then lets everything heal and end.
///
/// # Errors
/// What it has shown to be broken; a panic is that too.
pub fn simulate(scenario: &Scenario) -> Result<Report, Violation> {
    let mut world = World::new(scenario);
    Bug::switch(scenario.bug);
    let played = catch_unwind(AssertUnwindSafe(|| world.play()));
    Bug::switch(None);
    let played = played.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
        let what = words.unwrap_or("without words").to_owned();
        Err(Broken { id: "panic".to_owned(), what })
    });
    played.map_err(|broken| Violation { seed: scenario.seed, step: world.report.steps, broken })?;
    Ok(world.report)
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let mut chance = Chance::new(scenario.seed ^ 0xac70);
        let agents = scenario.agents.iter().enumerate();
        let mut actors: Vec<Actor> =
            agents.map(|(index, &character)| Actor::agent(index, character, &mut chance)).collect();
        let first = actors.len();
        actors.extend((0..scenario.managers as usize).map(|index| Actor::manager(first + index)));
        Self {
            scenario,
            step: 0,
            // A day after the beginning of time, so that no clock is before it.
            now: 100_000_000,
            disk: MemoryDisk::new(),
            faults: Faults::new(FaultPlan::none()),
            full_until: 0,
            busy_until: 0,
            node: None,
            ends: [0; 2],
            zombie: None,
            network: Network::default(),
            actors,
            oracle: Oracle::default(),
            durable: Durable::default(),
            report: Report::default(),
            healing: false,
        }
    }

    fn play(&mut self) -> Result<(), Broken> {
        for step in 0..self.scenario.steps {
            if !self.scenario.skips(step) {
                self.step = step;
                self.step()?;
            }
        }
        self.healing = true;
        self.faults.set_full(false);
        self.actors.iter_mut().for_each(Actor::reform);
        for step in 0..HEALING_STEPS {
            self.step = self.scenario.steps + step;
            self.step()?;
            if step % 64 == 0 && self.is_over() {
                return self.end();
            }
        }
        let state = self.node.as_ref().map(Node::state);
        let left = state.map(|state| {
            let open = state.tasks().iter().filter(|task| task.is_open());
            open.map(|task| format!("{} {}", task.id, task.state())).collect::<Vec<_>>().join(", ")
        });
        let what = format!("not everything ended when the faults had stopped: {}", left.unwrap_or_default());
        Err(Broken { id: "liveness".to_owned(), what })
    }

    fn is_over(&self) -> bool {
        let over = |node: &Node| node.state().tasks().iter().all(|task| !task.is_open());
        self.node.as_ref().is_some_and(over)
    }

    /// One last death and one last start: what was promised must still be so, by a fold over the whole log too.
    fn end(&mut self) -> Result<(), Broken> {
        for _ in 0..4 {
            self.append(None)?;
        }
        if let Some(node) = &mut self.node {
            node.look()?;
            let _ = node.snapshot(&self.durable)?;
        }
        self.die(false)?;
        self.start()?;
        if let Some(node) = &mut self.node {
            self.durable.compare_log(&node.rows(0)?)?;
        }
        let bytes = self.durable.state().to_snapshot();
        self.mix(&bytes);
        self.die(false)?;
        self.report.acknowledged = self.oracle.noted;
        Ok(())
    }

    fn happens(&self, chance: &mut Chance, knob: Knob, of: u32) -> bool {
        below(chance, of) < self.scenario.get(knob) && !self.healing
    }

    fn step(&mut self) -> Result<(), Broken> {
        self.report.steps += 1;
        let chance = &mut chance_of(self.scenario.seed, self.step);
        self.now += i64::try_from(pick(chance, 400)).unwrap_or(0);
        self.mishap(chance)?;
        if self.node.is_none() {
            self.now += 2_000;
            return self.start();
        }
        match pick(chance, 100) {
            0..=29 => self.act(chance),
            30..=69 => match self.network.deliver(self.now) {
                Some(message) => self.deliver(message, chance),
                None => self.act(chance),
            },
            // Of all steps the one that costs most: both states are written down.
            95 if self.step.is_multiple_of(2) => self.snapshot(chance),
            70..=90 | 95 => {
                let fault = self.fault(chance);
                self.append(fault)
            }
            91..=94 => self.tick(),
            _ => {
                // Time passes by itself, so that leases can lapse.
                self.now += 20_000;
                Ok(())
            }
        }
    }

    /// What goes wrong around the server.
    fn mishap(&mut self, chance: &mut Chance) -> Result<(), Broken> {
        if self.happens(chance, Knob::Jump, 10_000) {
            self.now += 3_600_000;
        }
        if self.happens(chance, Knob::Back, 10_000) {
            self.now -= i64::from(below(chance, 600_000));
        }
        if self.happens(chance, Knob::Sleep, 10_000) {
            self.now += 25 * 3_600_000;
        }
        if self.happens(chance, Knob::Partition, 10_000) {
            let who = pick(chance, self.actors.len());
            self.network.cut(who, self.now + i64::from(below(chance, 300_000)));
        }
        if self.happens(chance, Knob::Full, 10_000) {
            self.full_until = self.now + i64::from(below(chance, 200_000));
            self.faults.set_full(true);
        } else if self.now >= self.full_until {
            self.faults.set_full(false);
        }
        if self.happens(chance, Knob::Kill, 10_000) {
            let zombie = self.happens(chance, Knob::Zombie, 100);
            self.die(zombie)?;
        }
        Ok(())
    }

    /// Draws what becomes of the next append.
    fn fault(&mut self, chance: &mut Chance) -> Option<Fault> {
        let part_of_256 = u8::try_from(below(chance, 256)).unwrap_or(0);
        let faults = [
            (Knob::FailBefore, Fault::FailBefore),
            (Knob::FailAfter, Fault::FailAfter),
            (Knob::CrashBefore, Fault::CrashBefore),
            (Knob::CrashAfter, Fault::CrashAfter),
            (Knob::Torn, Fault::Torn { part_of_256 }),
        ];
        if self.happens(chance, Knob::Slow, 1_000) {
            self.busy_until = self.now + i64::from(below(chance, 8_000));
        }
        let mut place = below(chance, 10_000);
        for (knob, fault) in faults {
            let rate = if self.healing { 0 } else { self.scenario.get(knob) };
            if place < rate {
                return Some(fault);
            }
            place -= rate;
        }
        None
    }

    /// Lets every agent that is not silent heartbeat, and the clock look at what has lapsed.
    fn tick(&mut self) -> Result<(), Broken> {
        let now = Moment(self.now);
        let Some(node) = &mut self.node else { return Ok(()) };
        let alive = self.actors.iter().filter(|actor| actor.is_alive(now));
        for name in alive.filter_map(|actor| actor.name.as_ref()) {
            node.heard(name, now)?;
        }
        node.tick(now)
    }

    fn act(&mut self, chance: &mut Chance) -> Result<(), Broken> {
        let Some(node) = &self.node else { return Ok(()) };
        // The first, from any one on, that has something to say.
        let (first, now) = (pick(chance, self.actors.len()), Moment(self.now));
        for index in 0..self.actors.len() {
            let who = (first + index) % self.actors.len();
            let call = self.actors[who].act(node.state(), self.scenario, chance, now, self.healing);
            if let Some(call) = call {
                self.network.send(Message::Request(call), self.now, self.scenario, chance, self.healing);
                break;
            }
        }
        Ok(())
    }

    fn deliver(&mut self, message: Message, chance: &mut Chance) -> Result<(), Broken> {
        match message {
            Message::Request(call) => self.request(call),
            Message::Response { who, number, answer } => {
                self.actors[who].answered(number, &answer, self.scenario, chance);
                Ok(())
            }
        }
    }

    fn request(&mut self, call: Call) -> Result<(), Broken> {
        let Some(node) = &mut self.node else { return Ok(()) };
        let name = self.actors[call.who].name.clone();
        let answers = node.take(call, name.as_ref(), Moment(self.now))?;
        self.let_out(answers)
    }

    fn append(&mut self, fault: Option<Fault>) -> Result<(), Broken> {
        if self.now < self.busy_until && !self.healing {
            return Ok(());
        }
        let Some(node) = &mut self.node else { return Ok(()) };
        self.faults.break_next(fault);
        match node.append(&mut self.durable)? {
            Appended::Nothing => Ok(()),
            Appended::Answers(answers) => self.let_out(answers),
            Appended::Dead => self.die(false),
        }
    }

    fn let_out(&mut self, answers: Vec<Waiting>) -> Result<(), Broken> {
        for waiting in answers {
            let (who, number) = (waiting.call.who, waiting.call.number);
            self.oracle.told(&waiting, self.actors[who].name.as_ref())?;
            self.mix_answer(&waiting);
            let message = Message::Response { who, number, answer: waiting.answer };
            let chance = &mut chance_of(self.scenario.seed ^ number, self.step);
            self.network.send(message, self.now, self.scenario, chance, self.healing);
        }
        Ok(())
    }

    fn snapshot(&mut self, chance: &mut Chance) -> Result<(), Broken> {
        let broken = self.happens(chance, Knob::CrashBefore, 1_000);
        let Some(node) = &mut self.node else { return Ok(()) };
        self.faults.break_next(broken.then_some(Fault::CrashBefore));
        if node.snapshot(&self.durable)? { Ok(()) } else { self.die(false) }
    }

    fn die(&mut self, zombie: bool) -> Result<(), Broken> {
        if let Some(node) = self.node.take() {
            self.report.crashes += 1;
            self.report.seen.add(&node.seen);
            self.ends = node.ends();
            self.zombie = zombie.then_some(node);
        }
        self.busy_until = 0;
        self.network.server_died();
        self.actors.iter_mut().for_each(Actor::server_died);
        Ok(())
    }

    fn start(&mut self) -> Result<(), Broken> {
        self.faults.break_next(None);
        let store = Faulty::new(self.disk.open(), self.faults.clone());
        let (every, bug) = (self.scenario.check_every, self.scenario.bug);
        let Some(mut node) = Node::start(store, Moment(self.now), every, bug, &mut self.durable)? else {
            return Ok(());
        };
        node.tell(self.scenario.tells);
        if !self.ends.contains(&node.durable()) {
            let what = format!("the log ends at {}, it may end at {:?}", node.durable(), self.ends);
            return Err(Broken { id: "batches-are-whole".to_owned(), what });
        }
        self.oracle.check_end(node.durable())?;
        self.oracle.check(node.state())?;
        self.check_rows(&mut node)?;
        if let Some(zombie) = self.zombie.take() {
            zombie.append_as_zombie()?;
        }
        if node.state().agents().is_empty() {
            let now = Moment(self.now);
            for index in 0..self.scenario.agents.len() {
                node.command(Command::RegisterAgent { spec: agent(index), online: true }, now)?;
            }
            let policy = Box::new(policy(self.scenario));
            node.command(Command::SetPolicy(NewPolicy { policy, seen: None }), now)?;
        }
        self.node = Some(node);
        Ok(())
    }

    /// Looks for the rows of the commands that were acknowledged since the last start.
    fn check_rows(&mut self, node: &mut Node) -> Result<(), Broken> {
        let rows = self.oracle.unseen_rows();
        let Some(first) = rows.iter().map(|row| row.0).min() else { return Ok(()) };
        let records = node.rows(first - 1)?;
        for (position, command) in rows {
            let found = records.get(usize::try_from(position - first).unwrap_or(usize::MAX));
            if found.is_none_or(|record| record.command != command) {
                let what = format!("the row at {position} of an acknowledged command is {found:?}");
                return Err(Broken { id: "acknowledged-is-kept".to_owned(), what });
            }
        }
        Ok(())
    }

    fn mix_answer(&mut self, waiting: &Waiting) {
        let said = [waiting.call.who as u64, waiting.call.number, waiting.seen, waiting.row.unwrap_or(0)];
        for number in said {
            self.mix(&number.to_le_bytes());
        }
    }

    /// Mixes bytes into the digest (FNV-1a).
    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.report.digest = (self.report.digest ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

impl Seen {
    /// Adds what another one has seen.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.looks += other.looks;
        self.commands += other.commands;
        self.stalls += other.stalls;
        self.relieved += other.relieved;
        self.emergencies += other.emergencies;
        self.forces += other.forces;
        self.held += other.held;
        self.balanced += other.balanced;
        self.handed_over += other.handed_over;
        self.mediated += other.mediated;
        self.broken += other.broken;
        self.rounds += other.rounds;
        self.out_of_time += other.out_of_time;
    }
}
