//! Scripted callers: agents of several characters, and managers. What they send is in `work` and `manage`; here is how
//! they send it: one request at a time, again with the same key where no answer comes.

use std::rc::Rc;

use kapell_core::{Command, Rejection, State};
use kapell_model::{AssignmentId, CommandId, Moment, Name, TaskId};
use kapell_store::Chance;

use crate::node::Answer;
use crate::scenario::{Character, Knob, Scenario, below, pick};

/// What a caller wants.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Fetch assignments; with `resume` those that it has begun too, as an agent asks that has forgotten what it was doing.
    Next {
        /// Also what it has begun.
        resume: bool,
    },
    /// Execute a command; with a key it may be sent again.
    Command {
        /// The id, made from the key where there is one.
        id: CommandId,
        /// Whether there is a key.
        keyed: bool,
        /// What.
        command: Command,
    },
}

/// A request on its way.
#[derive(Clone, Debug)]
pub struct Call {
    /// The caller.
    pub who: usize,
    /// Its number among the caller's requests.
    pub number: u64,
    /// What is wanted.
    pub wish: Rc<Wish>,
}

/// What an agent is working on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) task: TaskId,
    pub(crate) assignment: AssignmentId,
    /// Steps done.
    pub(crate) done: u8,
}

/// A request without an answer.
#[derive(Clone, Debug)]
struct Pending {
    number: u64,
    wish: Rc<Wish>,
    until: Moment,
}

/// A scripted caller.
#[derive(Clone, Debug)]
pub struct Actor {
    who: usize,
    /// The agent's name; nothing for a manager.
    pub name: Option<Name>,
    pub(crate) character: Character,
    pub(crate) work: Option<Work>,
    /// The last work that ended, to come back to.
    pub(crate) past: Option<Work>,
    /// The last keyed command.
    pub(crate) last: Option<Rc<Wish>>,
    silent_until: Moment,
    pending: Option<Pending>,
    again: Option<Rc<Wish>>,
    /// Whether it does not know what it has.
    lost: bool,
    /// Whether the end of the play has begun: from here on it only works.
    pub(crate) reformed: bool,
    keys: u64,
    number: u64,
    /// How far its clock is ahead, in milliseconds.
    skew: i64,
}

impl Actor {
    /// Returns agent `index`.
    #[must_use]
    pub fn agent(index: usize, character: Character, chance: &mut Chance) -> Self {
        let mut agent = Self::new(index, Some(agent_name(index)), character);
        // Up to half an hour either way is nothing to speak of; the others are turned away or come too late.
        let far = [1_200_000, 1_800_000, 7_200_000, 90_000_000][pick(chance, 4)];
        if character == Character::Skewed {
            agent.skew = if pick(chance, 2) == 0 { far } else { -far };
        }
        agent
    }

    /// Returns a manager.
    #[must_use]
    pub fn manager(who: usize) -> Self {
        Self::new(who, None, Character::Honest)
    }

    fn new(who: usize, name: Option<Name>, character: Character) -> Self {
        Self {
            who,
            name,
            character,
            work: None,
            past: None,
            last: None,
            silent_until: Moment(0),
            pending: None,
            again: None,
            lost: false,
            reformed: false,
            keys: 0,
            number: 0,
            skew: 0,
        }
    }

    /// Becomes honest, for the end of the play.
    pub fn reform(&mut self) {
        self.character = Character::Honest;
        self.silent_until = Moment(0);
        self.skew = 0;
        self.lost = true;
        self.reformed = true;
    }

    /// Takes note that the server has died: the connection breaks.
    pub fn server_died(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.until = Moment(0);
        }
    }

    /// Tells whether its runner renews its lease now, whatever it says itself.
    #[must_use]
    pub fn is_alive(&self, now: Moment) -> bool {
        self.character == Character::Quiet || now >= self.silent_until
    }

    /// Falls silent.
    pub(crate) fn fall_silent(&mut self, until: Moment) {
        self.silent_until = until;
    }

    /// Forgets what it was doing.
    pub(crate) fn forget(&mut self) {
        self.work = None;
        self.lost = true;
    }

    /// Returns the request that it sends now.
    pub fn act(
        &mut self,
        state: &State,
        scenario: &Scenario,
        chance: &mut Chance,
        now: Moment,
        healing: bool,
    ) -> Option<Call> {
        if now < self.silent_until {
            return None;
        }
        if let Some(pending) = &self.pending {
            if now < pending.until {
                return None;
            }
            let pending = self.pending.take()?;
            match &*pending.wish {
                Wish::Command { keyed: true, .. } => self.again = Some(pending.wish),
                // Whether it happened is not known: an agent asks what it has.
                _ => self.lost = true,
            }
        }
        let wish = match self.again.take() {
            Some(wish) => wish,
            None if self.name.is_some() && (self.work.is_none() || self.lost) => {
                let resume = std::mem::take(&mut self.lost);
                Rc::new(Wish::Next { resume: resume || pick(chance, 16) == 0 })
            }
            None if self.name.is_some() => self.work_on(state, scenario, chance, now)?,
            None => self.manage(state, scenario, chance, now, healing)?,
        };
        if let Wish::Command { keyed: true, .. } = &*wish {
            self.last = Some(Rc::clone(&wish));
        }
        self.number += 1;
        let until = now.after(kapell_model::Span(30_000 + i64::from(below(chance, 60_000))));
        self.pending = Some(Pending { number: self.number, wish: Rc::clone(&wish), until });
        Some(Call { who: self.who, number: self.number, wish })
    }

    /// Takes an answer; one that it does not wait for any more goes nowhere.
    pub fn answered(&mut self, number: u64, answer: &Answer, scenario: &Scenario, chance: &mut Chance) {
        let Some(pending) = self.pending.take_if(|pending| pending.number == number) else { return };
        match answer {
            Answer::Handed(handed) => {
                let known = self.work.filter(|work| {
                    handed
                        .iter()
                        .any(|&(task, assignment)| (task, assignment) == (work.task, work.assignment))
                });
                self.work = known.or_else(|| {
                    let &(task, assignment) = handed.first()?;
                    Some(Work { task, assignment, done: 0 })
                });
            }
            Answer::Told(told) => self.heard(&pending.wish, told),
        }
        if let Wish::Command { keyed: true, command, .. } = &*pending.wish {
            let result = matches!(command, Command::Finish { .. });
            let twice = result && self.character == Character::Duplicating && pick(chance, 2) == 0;
            // A caller that has lost its notes sends what it has had an answer to.
            if twice || (scenario.get(Knob::Duplicate) > 0 && pick(chance, 12) == 0) {
                self.again = Some(pending.wish);
            }
        }
    }

    fn heard(&mut self, wish: &Wish, told: &Result<kapell_core::Reply, Rejection>) {
        let Wish::Command { command, .. } = wish else { return };
        let refused = match told {
            Ok(reply) => reply.stale,
            Err(
                Rejection::StaleAssignment { .. }
                | Rejection::WrongAssignment { .. }
                | Rejection::NotOwner { .. }
                | Rejection::WrongState { .. },
            ) => true,
            Err(_) => false,
        };
        let command = match command {
            Command::WithUsage { command, .. } => command,
            command => command,
        };
        let ended = matches!(
            command,
            Command::Finish { .. }
                | Command::Fail { .. }
                | Command::Release { .. }
                | Command::ReturnUnfetched { .. }
        );
        let about = match command {
            Command::Start { assignment, .. }
            | Command::Progress { assignment, .. }
            | Command::Finish { assignment, .. }
            | Command::Fail { assignment, .. }
            | Command::Release { assignment, .. } => Some(*assignment),
            _ => None,
        };
        if self.work.is_some_and(|work| Some(work.assignment) == about) {
            // Who is late does not listen.
            let stubborn = self.character == Character::Late && !ended;
            if (ended && told.is_ok()) || (refused && !stubborn) {
                self.past = self.work.take();
            }
        }
        if let Err(Rejection::KeyOutOfTime { .. }) = told {
            // Whether an earlier copy happened it cannot know.
            self.lost = true;
        }
    }

    /// Makes a wish of a command. A key carries the moment at which it was made, by the caller's own clock.
    pub(crate) fn command(&mut self, command: Command, keyed: bool, now: Moment) -> Rc<Wish> {
        self.keys += 1;
        let time = u128::from((now.0 + self.skew).max(0).unsigned_abs()) << 80;
        let id = CommandId(time | (self.who as u128 + 1) << 64 | u128::from(self.keys));
        Rc::new(Wish::Command { id, keyed, command })
    }
}

/// Returns the name of agent `index`.
#[must_use]
pub fn agent_name(index: usize) -> Name {
    Name::new(&format!("agent-{index}")).expect("a name")
}
