//! One play: callers, server, storage and time, all from one seed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use kapell_core::{AgentSpec, Command, NewPolicy, Request};
use kapell_model::{Ack, AgentKind, CommandId, Moment, Name, Policy, Ratio, Span, Strategy};
use kapell_store::{Chance, FaultPlan, FaultRates, Faults, Faulty, MemoryDisk};

use crate::actor::{Actor, Wish, pick};
use crate::node::{Answer, Node, Waiting};
use crate::oracle::Oracle;
use crate::{Bug, Violation};

/// Agents of one play.
const AGENTS: usize = 5;
/// Steps after the faults have stopped within which everything must end.
const HEALING_STEPS: u64 = 30_000;

/// What one seed has shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Steps of callers, clock and storage.
    pub steps: u64,
    /// Events folded and checked.
    pub events: u64,
    /// Deaths of the server.
    pub crashes: u64,
    /// Acknowledgements that the oracle has noted.
    pub acknowledged: u64,
    /// Owners that were asked for a status.
    pub stalls: u64,
    /// Tasks that went to somebody else for want of an answer.
    pub relieved: u64,
    /// Tasks that were held back for going round in a loop.
    pub held: u64,
    /// Tasks that were moved to even the load.
    pub balanced: u64,
    /// Optimal rounds that placed something.
    pub rounds: u64,
    /// Edges that were taken out of cycles.
    pub broken: u64,
    /// A digest of everything that was said: the same seed gives the same.
    pub digest: u64,
}

struct World {
    chance: Chance,
    now: i64,
    disk: MemoryDisk,
    faults: Faults,
    node: Option<Node>,
    actors: Vec<Actor>,
    oracle: Oracle,
    report: Report,
    bug: Option<Bug>,
    healing: bool,
    /// Every third seed plays with optimal rounds.
    strategy: Strategy,
}

/// Plays a seed for `steps` steps, then lets everything heal and end.
///
/// # Errors
/// What the seed has shown to be broken; a panic is that too.
pub fn simulate(seed: u64, steps: u64, bug: Option<Bug>) -> Result<Report, Violation> {
    let mut world = World::new(seed, bug);
    let played = catch_unwind(AssertUnwindSafe(|| world.play(steps)));
    let played = played.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("a panic: {}", words.unwrap_or("without words")))
    });
    played.map_err(|what| Violation { seed, step: world.report.steps, what })?;
    Ok(world.report)
}

impl World {
    fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut chance = Chance::new(seed);
        // Every seed draws its own mix of faults.
        let mut rate = |most: usize| u16::try_from(pick(&mut chance, most)).unwrap_or(0);
        let rates = FaultRates {
            fail_before_per_1000: rate(12),
            fail_after_per_1000: rate(12),
            crash_before_per_1000: rate(25),
            crash_after_per_1000: rate(25),
            torn_per_1000: rate(12),
            slow_per_1000: 0,
        };
        let faults = Faults::new(FaultPlan::random(Chance::new(seed ^ 0x5eed), rates));
        let mut actors: Vec<Actor> = (0..AGENTS).map(|index| Actor::agent(index, &mut chance)).collect();
        actors.extend((0..2).map(Actor::manager));
        Self {
            chance,
            now: 1_000_000,
            disk: MemoryDisk::new(),
            faults,
            node: None,
            actors,
            oracle: Oracle::default(),
            report: Report::default(),
            bug,
            healing: false,
            strategy: if seed.is_multiple_of(3) { Strategy::Optimal } else { Strategy::Greedy },
        }
    }

    fn play(&mut self, steps: u64) -> Result<(), String> {
        for _ in 0..steps {
            self.step()?;
        }
        self.healing = true;
        self.faults.heal();
        for actor in &mut self.actors {
            actor.reform();
        }
        for _ in 0..HEALING_STEPS {
            self.step()?;
            if self.report.steps.is_multiple_of(64) && self.is_over() {
                return self.end();
            }
        }
        let state = self.node.as_ref().map(Node::state);
        let left = state.map(|state| {
            let open = state.tasks().iter().filter(|task| task.is_open());
            open.map(|task| format!("{} {}", task.id, task.state())).collect::<Vec<_>>().join(", ")
        });
        Err(format!("not everything ended when the faults had stopped: {}", left.unwrap_or_default()))
    }

    fn is_over(&self) -> bool {
        let over = |node: &Node| node.state().tasks().iter().all(|task| !task.is_open());
        self.node.as_ref().is_some_and(over)
    }

    /// One last death and one last start: what was promised must still be so.
    fn end(&mut self) -> Result<(), String> {
        for _ in 0..4 {
            self.append()?;
        }
        if let Some(node) = &self.node {
            node.compare()?;
        }
        self.die();
        self.start()?;
        let bytes = self.node.as_ref().map(|node| node.state().to_snapshot()).unwrap_or_default();
        self.mix(&bytes);
        self.report.acknowledged = self.oracle.noted;
        Ok(())
    }

    fn step(&mut self) -> Result<(), String> {
        self.report.steps += 1;
        self.now += i64::try_from(pick(&mut self.chance, 400)).unwrap_or(0);
        if self.node.is_none() {
            return self.start();
        }
        let now = Moment(self.now);
        match pick(&mut self.chance, 100) {
            0..=59 => {
                let who = pick(&mut self.chance, self.actors.len());
                self.act(who)
            }
            60..=89 => self.append(),
            90..=95 => {
                self.beat()?;
                self.node.as_mut().map_or(Ok(()), |node| node.tick(now))
            }
            96 if !self.healing && pick(&mut self.chance, 8) == 0 => {
                // The clock jumps: nobody may be disowned for it.
                self.now += 3_600_000;
                Ok(())
            }
            97 if !self.healing && pick(&mut self.chance, 4) == 0 => {
                self.die();
                Ok(())
            }
            98 => {
                if self.node.as_mut().is_some_and(|node| !node.snapshot()) {
                    self.die();
                }
                Ok(())
            }
            _ => {
                // Time passes by itself, so that leases can lapse.
                self.now += 20_000;
                Ok(())
            }
        }
    }

    /// Lets every agent that is not silent heartbeat.
    fn beat(&mut self) -> Result<(), String> {
        let now = Moment(self.now);
        let Some(node) = &mut self.node else { return Ok(()) };
        for name in
            self.actors.iter().filter(|actor| actor.is_alive(now)).filter_map(|actor| actor.name.as_ref())
        {
            node.heartbeat(name, now)?;
        }
        Ok(())
    }

    fn act(&mut self, who: usize) -> Result<(), String> {
        let now = Moment(self.now);
        let Some(node) = &mut self.node else { return Ok(()) };
        let sent = self.actors[who].act(node.state(), &mut self.chance, now, self.healing);
        let Some((number, wish)) = sent else { return Ok(()) };
        let name = self.actors[who].name.clone();
        let answers = match (wish, &name) {
            (Wish::Next, Some(name)) => node.next(who, number, name, now, self.healing)?,
            (Wish::Next, None) => Vec::new(),
            (Wish::Command { id, keyed, command }, name) => {
                let actor = Arc::from(name.as_ref().map_or("manager", |name| name.as_str()));
                let fingerprint = keyed.then_some(7);
                node.take(who, number, name.as_ref(), Request { id, fingerprint, actor, at: now, command })?
            }
        };
        self.let_out(answers)
    }

    fn append(&mut self) -> Result<(), String> {
        let Some(node) = &mut self.node else { return Ok(()) };
        match node.append() {
            Some(answers) => self.let_out(answers),
            None => {
                self.die();
                Ok(())
            }
        }
    }

    fn let_out(&mut self, answers: Vec<Waiting>) -> Result<(), String> {
        for (who, number, answer) in answers {
            self.mix(format!("{who} {number} {answer:?}").as_bytes());
            let actor = &self.actors[who];
            match (&answer, &actor.sent) {
                (Answer::Told(told), Some((sent, Wish::Command { id, keyed, command })))
                    if *sent == number =>
                {
                    self.oracle.told(*id, *keyed, command, told)?;
                }
                (Answer::Handed(handed), _) => {
                    if let Some(name) = &actor.name {
                        for &(task, assignment) in handed {
                            self.oracle.handed(name, task, assignment)?;
                        }
                    }
                }
                _ => {}
            }
            self.actors[who].answered(number, &answer, &mut self.chance);
        }
        Ok(())
    }

    fn die(&mut self) {
        if let Some(node) = self.node.take() {
            self.report.crashes += 1;
            self.report.events += node.events;
            self.report.stalls += node.stalls;
            self.report.relieved += node.relieved;
            self.report.held += node.held;
            self.report.balanced += node.balanced;
            self.report.rounds += node.rounds;
            self.report.broken += node.broken;
        }
        for actor in &mut self.actors {
            actor.server_died();
        }
    }

    fn start(&mut self) -> Result<(), String> {
        let store = Faulty::new(self.disk.open(), self.faults.clone());
        let mut node = Node::start(store, Moment(self.now), self.bug)?;
        self.oracle.check(node.state())?;
        if node.state().agents().is_empty() {
            for index in 0..AGENTS {
                let command = Command::RegisterAgent { spec: agent(index), online: true };
                let id = CommandId(index as u128 + 10);
                let request = Request {
                    id,
                    fingerprint: None,
                    actor: Arc::from("manager"),
                    at: Moment(self.now),
                    command,
                };
                node.take(usize::MAX, 0, None, request).map(|_| ())?;
            }
            let id = CommandId(9);
            let command =
                Command::SetPolicy(NewPolicy { policy: Box::new(impatient(self.strategy)), seen: None });
            let request =
                Request { id, fingerprint: None, actor: Arc::from("manager"), at: Moment(self.now), command };
            node.take(usize::MAX, 0, None, request).map(|_| ())?;
            node.forget_answers();
        }
        self.node = Some(node);
        Ok(())
    }

    /// Mixes bytes into the digest (FNV-1a).
    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.report.digest = (self.report.digest ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

/// The founding policy with less patience, so that a play has time for a whole investigation.
fn impatient(strategy: Strategy) -> Policy {
    let mut policy = Policy { strategy, ..Policy::default() };
    policy.stalls.quiet_min = Span::minutes(3);
    policy.stalls.quiet_share = Ratio::ZERO;
    policy.redispatch.turns_max = 3;
    policy.redispatch.pause_max = Span::minutes(20);
    policy.ack = Ack {
        critical: Span::minutes(1),
        high: Span::minutes(2),
        medium: Span::minutes(3),
        low: Span::minutes(4),
    };
    policy
}

fn agent(index: usize) -> AgentSpec {
    let score = Ratio::micros(700_000 + u32::try_from(index).unwrap_or(0) * 60_000);
    AgentSpec {
        name: Name::new(&format!("agent-{index}")).expect("a name"),
        role: Name::new("developer").expect("a name"),
        kind: AgentKind::Service,
        capabilities: vec![(Name::new("rust").expect("a name"), score)],
        max_concurrent: 1 + u32::try_from(index % 2).unwrap_or(0),
        lease: None,
    }
}
