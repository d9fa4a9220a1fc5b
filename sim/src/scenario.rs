//! Everything that one play is made from: a seed draws it, a file holds it, shrinking takes things out of it.
//!
//! Each step draws from its own numbers, made from the seed and the number of the step. So a step that is left out
//! takes nothing from the others, and a failing play can be cut down step by step.

use std::fmt::{self, Write as _};
use std::ops::Range;

use kapell_store::Chance;

use crate::bug::Bug;

macro_rules! knobs {
    ($( $(#[$doc:meta])* $knob:ident = $name:literal, $most:literal; )+) => {
        /// One number of the mix. Each is 0 where what it says does not happen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Knob { $( $(#[$doc])* $knob ),+ }

        impl Knob {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[ $( Self::$knob ),+ ];

            /// Returns the name, as scenario files have it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$knob => $name ),+ }
            }

            /// Returns the most that a seed draws.
            const fn most(self) -> u32 {
                match self { $( Self::$knob => $most ),+ }
            }
        }
    };
}

knobs! {
    /// Messages of 1,000 that are lost.
    Lose = "network.lose", 60;
    /// Messages of 1,000 that come twice.
    Duplicate = "network.duplicate", 80;
    /// Messages of 1,000 that come late, and so behind later ones.
    Delay = "network.delay", 200;
    /// Requests of 1,000 of which a second copy turns up after a day or more.
    Hold = "network.hold", 40;
    /// Steps of 10,000 in which an actor is cut off for a while.
    Partition = "network.partition", 20;
    /// Appends of 10,000 that the disk refuses.
    FailBefore = "store.fail_before", 60;
    /// Appends of 10,000 that are written and then reported as failed.
    FailAfter = "store.fail_after", 60;
    /// Appends of 10,000 before which the process dies.
    CrashBefore = "store.crash_before", 60;
    /// Appends of 10,000 after which the process dies, before anybody is told.
    CrashAfter = "store.crash_after", 60;
    /// Appends of 10,000 in the middle of which the process dies.
    Torn = "store.torn", 60;
    /// Appends of 1,000 that take long.
    Slow = "store.slow", 40;
    /// Steps of 10,000 in which the disk is full from then on for a while.
    Full = "store.full", 4;
    /// Steps of 10,000 in which the server is killed.
    Kill = "server.kill", 12;
    /// Kills of 100 that leave the old process alive: it goes on writing while the new one serves.
    Zombie = "server.zombie", 50;
    /// Steps of 10,000 in which the clock jumps an hour ahead.
    Jump = "clock.jump", 10;
    /// Steps of 10,000 in which the clock is set back.
    Back = "clock.back", 6;
    /// Steps of 10,000 in which more than a day passes.
    Sleep = "clock.sleep", 6;
    /// How often a manager calls a task off.
    Cancel = "manager.cancel", 3;
    /// How often a manager reopens one.
    Reopen = "manager.reopen", 4;
    /// How often a manager or an import ties tasks.
    Tie = "manager.tie", 5;
    /// How often a manager waives a tie or restores one.
    Untie = "manager.untie", 4;
    /// How often a manager assigns or moves by hand.
    ByHand = "manager.by_hand", 4;
    /// How often a manager drains agents, takes them out and lets them in again.
    Roster = "manager.roster", 3;
    /// How often a manager edits.
    Edit = "manager.edit", 4;
    /// How often a manager sets the policy.
    Policy = "manager.policy", 1;
    /// How often a manager takes or settles offers, escalations and reservations.
    Settle = "manager.settle", 5;
    /// How often a manager asks for a decision, rules on one or takes one back.
    Decide = "manager.decide", 3;
    /// How often a manager says what comes first.
    Precede = "manager.precede", 3;
    /// How often a manager declares an emergency or ends one, makes a task force or disbands one.
    Emergency = "manager.emergency", 2;
    /// How often a manager says when an agent works.
    Hours = "manager.hours", 3;
    /// How often a task needs resources, of 8.
    Resources = "task.resources", 5;
    /// How often a task has gates, of 8.
    Gates = "task.gates", 3;
    /// How often a manager, or an agent through it, says something about finished work.
    Judge = "manager.judge", 8;
    /// How often a manager breaks a task down.
    BreakDown = "manager.break_down", 4;
    /// Whether large tasks are broken down by the policy.
    Breaking = "policy.breakdown", 1;
    /// How often an agent reserves while it works, of 8.
    Reserve = "agent.reserve", 4;
    /// How often an agent hands its work over, of 16.
    Handoff = "agent.handoff", 4;
    /// How often an agent says that a task is its own, or what comes first, of 32.
    Dispute = "agent.dispute", 4;
    /// How often an agent says what it has used, of 6, and a manager sets a budget.
    Spend = "agent.spend", 2;
    /// How often an agent wants leave for something, of 24.
    Leave = "agent.leave", 3;
    /// How often an agent says something to its neighbour or to all, or reads, of 8.
    Talk = "agent.talk", 7;
    /// Whether rounds are optimal ones.
    Optimal = "policy.optimal", 1;
    /// Whether claims go by score.
    Scored = "policy.scored", 1;
    /// Whether what waits for something that failed is cancelled.
    CancelOnFailed = "policy.cancel_on_failed", 1;
    /// Whether a cycle of declared edges is escalated.
    EscalateCycles = "policy.escalate_cycles", 1;
    /// Whether agents are chosen by measured scores.
    Measured = "policy.measured", 1;
    /// Whether load is evened out soon and often.
    Balance = "policy.balance", 1;
}

/// How an agent behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Character {
    /// Does its work.
    Honest,
    /// Takes long, and reports progress.
    Slow,
    /// Fails most attempts.
    Failing,
    /// Falls silent in the middle for a long time, then goes on as if nothing had happened.
    Late,
    /// Falls silent and forgets what it had.
    Vanishing,
    /// Sends every result twice.
    Duplicating,
    /// Gives work back.
    Releasing,
    /// Says nothing about its work for a long time, and can be reached all the while.
    Quiet,
    /// Reports what is not so, under tokens that are not its own, and uses keys again for something else.
    Lying,
    /// Has a clock that is far off.
    Skewed,
    /// Asks for tasks by name, whether they are its to take or not.
    Claiming,
}

impl Character {
    /// Every one of them.
    pub const ALL: &'static [Self] = &[
        Self::Honest,
        Self::Slow,
        Self::Failing,
        Self::Late,
        Self::Vanishing,
        Self::Duplicating,
        Self::Releasing,
        Self::Quiet,
        Self::Lying,
        Self::Skewed,
        Self::Claiming,
    ];

    fn read(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|character| character.to_string() == word)
    }
}

impl fmt::Display for Character {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

/// One play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What all chance comes from.
    pub seed: u64,
    /// Steps with faults; then everything heals.
    pub steps: u32,
    /// The agents.
    pub agents: Vec<Character>,
    /// How many managers there are, at least 1.
    pub managers: u32,
    /// Tasks that are submitted in all.
    pub tasks_max: u32,
    /// The invariants are checked after every event where it is 0, else after every so many commands that changed something.
    pub check_every: u32,
    /// A bug put in on purpose.
    pub bug: Option<Bug>,
    /// Whether every event is told on standard error; no part of what happens, so a file does not say.
    pub tells: bool,
    /// Steps that are left out.
    pub skip: Vec<Range<u32>>,
    knobs: [u32; Knob::ALL.len()],
}

impl Scenario {
    /// Draws the play of a seed: of each fault and of each kind of mischief every second seed has some.
    #[must_use]
    pub fn draw(seed: u64, steps: u32) -> Self {
        let mut chance = Chance::new(seed ^ 0x5ced_a210);
        let mut knobs = [0; Knob::ALL.len()];
        for &knob in Knob::ALL {
            let (on, value) = (chance.draw().is_multiple_of(2), 1 + below(&mut chance, knob.most()));
            knobs[knob as usize] = if on { value } else { 0 };
        }
        let count = 2 + below(&mut chance, 6);
        let kinds = u32::try_from(Character::ALL.len()).unwrap_or(1);
        let agents = (0..count).map(|_| Character::ALL[below(&mut chance, kinds) as usize]).collect();
        let managers = 1 + below(&mut chance, 3);
        // Few tasks over many steps end early, many tasks make each step dear.
        let tasks_max = 12 + below(&mut chance, (steps / 40).min(150));
        let check_every = [0, 0, 0, 0, 1, 1, 2, 4][below(&mut chance, 8) as usize];
        Self {
            seed,
            steps,
            agents,
            managers,
            tasks_max,
            check_every,
            bug: None,
            tells: false,
            skip: Vec::new(),
            knobs,
        }
    }

    /// Puts a bug in.
    #[must_use]
    pub fn with(self, bug: Option<Bug>) -> Self {
        Self { bug, ..self }
    }

    /// Returns a number of the mix.
    #[must_use]
    pub fn get(&self, knob: Knob) -> u32 {
        self.knobs[knob as usize]
    }

    /// Sets a number of the mix.
    pub fn set(&mut self, knob: Knob, value: u32) {
        self.knobs[knob as usize] = value;
    }

    /// Tells whether a step is left out.
    #[must_use]
    pub fn skips(&self, step: u32) -> bool {
        self.skip.iter().any(|range| range.contains(&step))
    }

    /// Reads a scenario file.
    ///
    /// # Errors
    /// The first line that is none, with its number.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut scenario = Self {
            seed: 0,
            steps: 0,
            agents: Vec::new(),
            managers: 1,
            tasks_max: 36,
            check_every: 0,
            bug: None,
            tells: false,
            skip: Vec::new(),
            knobs: [0; Knob::ALL.len()],
        };
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                scenario
                    .line(line)
                    .ok_or_else(|| format!("line {}: `{line}` is no line of a scenario", number + 1))?;
            }
        }
        Ok(scenario)
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let (name, value) = line.split_once(' ')?;
        let value = value.trim();
        let number = || value.parse::<u32>().ok();
        match name {
            "seed" => self.seed = value.parse().ok()?,
            "steps" => self.steps = number()?,
            "managers" => self.managers = number()?.max(1),
            "tasks" => self.tasks_max = number()?,
            "check_every" => self.check_every = number()?,
            "agents" => {
                self.agents = value.split_whitespace().map(Character::read).collect::<Option<_>>()?;
            }
            "bug" => self.bug = Some(Bug::read(value)?),
            "skip" => {
                for range in value.split_whitespace() {
                    let (from, to) = range.split_once("..")?;
                    self.skip.push(from.parse().ok()?..to.parse().ok()?);
                }
            }
            _ => {
                let knob = Knob::ALL.iter().find(|knob| knob.name() == name)?;
                self.set(*knob, number()?);
            }
        }
        Some(())
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agents: Vec<String> = self.agents.iter().map(ToString::to_string).collect();
        writeln!(f, "seed {}\nsteps {}\nagents {}", self.seed, self.steps, agents.join(" "))?;
        writeln!(
            f,
            "managers {}\ntasks {}\ncheck_every {}",
            self.managers, self.tasks_max, self.check_every
        )?;
        for &knob in Knob::ALL {
            if self.get(knob) > 0 {
                writeln!(f, "{} {}", knob.name(), self.get(knob))?;
            }
        }
        if let Some(bug) = self.bug {
            writeln!(f, "bug {bug}")?;
        }
        let mut line = String::new();
        for range in &self.skip {
            let _ = write!(line, " {}..{}", range.start, range.end);
            if line.len() > 100 {
                writeln!(f, "skip{}", std::mem::take(&mut line))?;
            }
        }
        if line.is_empty() { Ok(()) } else { writeln!(f, "skip{line}") }
    }
}

/// Returns the chance of one step.
#[must_use]
pub fn chance_of(seed: u64, step: u32) -> Chance {
    let mut mixed = Chance::new(seed ^ (u64::from(step) << 20));
    Chance::new(mixed.draw())
}

/// Draws a number below `below`.
pub fn below(chance: &mut Chance, below: u32) -> u32 {
    u32::try_from(chance.draw() % u64::from(below.max(1))).unwrap_or(0)
}

/// Draws an index below `below`.
pub fn pick(chance: &mut Chance, below: usize) -> usize {
    usize::try_from(chance.draw() % below.max(1) as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_scenario_reads_back() {
        for seed in 0..50 {
            let mut scenario = Scenario::draw(seed, 900);
            scenario.skip = (0..seed as u32).map(|at| at * 10..at * 10 + 3).collect();
            let text = scenario.to_string();
            assert_eq!(Scenario::read(&text).as_ref(), Ok(&scenario), "{text}");
        }
        assert!(Scenario::read("seed 1\nnetwork.gain 3").is_err_and(|error| error.starts_with("line 2")));
    }
}
