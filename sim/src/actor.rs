//! Scripted callers: agents of several characters, and managers who submit, cancel, tie and settle.

use std::sync::Arc;

use kapell_core::{
    Command, EdgeSource, InLine, OfferState, Require, ReservationRef, State, TaskRef, TaskSpec,
};
use kapell_model::{
    AssignmentId, CommandId, DependencyKind, Mode, Moment, Name, Need, OfferId, Priority, Ratio,
    ReservationId, Span, TaskId, TaskState, Text, WaitId,
};
use kapell_store::Chance;

use crate::node::Answer;

/// How an agent behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Character {
    /// Does its work.
    Honest,
    /// Takes long, and reports progress.
    Slow,
    /// Fails most first attempts.
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
}

const CHARACTERS: [Character; 8] = [
    Character::Honest,
    Character::Slow,
    Character::Failing,
    Character::Late,
    Character::Vanishing,
    Character::Duplicating,
    Character::Releasing,
    Character::Quiet,
];

/// What a caller wants.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Fetch assignments.
    Next,
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

/// A scripted caller.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The agent's name; nothing for a manager.
    pub name: Option<Name>,
    character: Character,
    work: Option<(TaskId, AssignmentId, u8)>,
    silent_until: Moment,
    /// The request that has no answer yet.
    pub sent: Option<(u64, Wish)>,
    repeat: Option<Wish>,
    keys: u128,
    number: u64,
    /// Whether it reserves things while it works.
    reserves: bool,
}

impl Actor {
    /// Returns agent `index`.
    pub fn agent(index: usize, chance: &mut Chance) -> Self {
        let name = Name::new(&format!("agent-{index}")).expect("a name");
        let character = CHARACTERS[pick(chance, CHARACTERS.len())];
        Self::new(Some(name), character, index)
    }

    /// Returns a manager.
    pub fn manager(index: usize) -> Self {
        Self::new(None, Character::Honest, 1_000 + index)
    }

    fn new(name: Option<Name>, character: Character, index: usize) -> Self {
        let keys = (index as u128 + 1) << 96;
        Self {
            name,
            character,
            work: None,
            silent_until: Moment(0),
            sent: None,
            repeat: None,
            keys,
            number: 0,
            reserves: true,
        }
    }

    /// Becomes honest, for the end of the play.
    pub fn reform(&mut self) {
        self.character = Character::Honest;
        self.reserves = false;
        self.silent_until = Moment(0);
    }

    /// Takes note that the server has died: what had no answer is sent again.
    pub fn server_died(&mut self) {
        if let Some((_, wish)) = self.sent.take() {
            self.repeat = Some(wish);
        }
    }

    /// Tells whether its runner renews its lease now, whatever it says itself.
    pub fn is_alive(&self, now: Moment) -> bool {
        self.character == Character::Quiet || !self.is_silent(now)
    }

    /// Tells whether it says nothing now.
    pub fn is_silent(&self, now: Moment) -> bool {
        now < self.silent_until
    }

    /// Returns what it wants now, and notes that it was sent.
    pub fn act(
        &mut self,
        state: &State,
        chance: &mut Chance,
        now: Moment,
        healing: bool,
    ) -> Option<(u64, Wish)> {
        if self.sent.is_some() || self.is_silent(now) {
            return None;
        }
        let wish = match self.repeat.take() {
            Some(wish) => wish,
            None if self.name.is_some() => self.work_on(chance, now)?,
            None => self.manage(state, chance, healing)?,
        };
        self.number += 1;
        self.sent = Some((self.number, wish));
        self.sent.clone()
    }

    /// Takes an answer.
    pub fn answered(&mut self, number: u64, answer: &Answer, chance: &mut Chance) {
        let Some((_, wish)) = self.sent.take_if(|(sent, _)| *sent == number) else { return };
        if let Answer::Handed(handed) = answer
            && self.work.is_none()
        {
            self.work = handed.first().map(|&(task, assignment)| (task, assignment, 0));
        }
        let finished = matches!(wish, Wish::Command { command: Command::Finish { .. }, .. });
        let again = match wish {
            // A line that delivers twice: what has a key may come again.
            Wish::Command { keyed: true, .. } => pick(chance, 8) == 0,
            _ => false,
        };
        if again || (finished && self.character == Character::Duplicating && pick(chance, 2) == 0) {
            self.repeat = Some(wish);
        }
    }

    /// What an agent does next: fetch, begin, go on, finish, or what its character makes of it.
    fn work_on(&mut self, chance: &mut Chance, now: Moment) -> Option<Wish> {
        let Some((task, assignment, done)) = self.work else { return Some(Wish::Next) };
        let (agent, task_ref) = (self.name.clone()?, TaskRef::Id(task));
        let text = || Text::from("so it went");
        let keyed = pick(chance, 2) == 0;
        if done == 1 && self.misbehaves(chance, now) {
            return None;
        }
        if self.reserves && done > 0 && pick(chance, 3) == 0 {
            return Some(self.command(reservation(agent, task_ref, chance), keyed));
        }
        self.work = Some((task, assignment, done + 1));
        let last = if self.character == Character::Slow { 6 } else { 2 };
        let command = match done {
            0 => Command::Start { task: task_ref, agent, assignment },
            1 if self.character == Character::Failing && pick(chance, 3) > 0 => {
                self.work = None;
                Command::Fail { task: task_ref, agent, assignment, reason: text(), retry: true }
            }
            1 if self.character == Character::Releasing && pick(chance, 4) == 0 => {
                self.work = None;
                Command::Release { task: task_ref, agent, assignment, note: Some(text()) }
            }
            step if step < last => {
                Command::Progress { task: task_ref, agent, assignment, percent: Some(step * 10), note: None }
            }
            _ => {
                self.work = None;
                Command::Finish { task: task_ref, agent, assignment, result: Some(text()) }
            }
        };
        Some(self.command(command, keyed))
    }

    /// Falls silent, where that is its character and chance has it so.
    fn misbehaves(&mut self, chance: &mut Chance, now: Moment) -> bool {
        let away = match self.character {
            Character::Quiet if pick(chance, 2) == 0 => 1_500_000,
            Character::Late if pick(chance, 3) == 0 => 400_000,
            Character::Vanishing if pick(chance, 3) == 0 => {
                self.work = None;
                600_000
            }
            _ => return false,
        };
        self.silent_until = Moment(now.0 + away);
        if let Some(work) = &mut self.work {
            // It goes on where it was, and does not fall silent over the same task again.
            work.2 = 2;
        }
        true
    }

    /// What a manager does: mostly submit; now and then cancel, tie, waive, settle. In the end only what helps.
    fn manage(&mut self, state: &State, chance: &mut Chance, healing: bool) -> Option<Wish> {
        let keyed = pick(chance, 2) == 0;
        let count = state.tasks().len();
        if healing {
            return helpful(state).map(|command| self.command(command, keyed));
        }
        let drawn = |chance: &mut Chance| {
            TaskRef::Id(TaskId(u32::try_from(pick(chance, count.max(1)) + 1).unwrap_or(1)))
        };
        let text = || Text::from("so it went");
        let command = match pick(chance, 20) {
            0..=8 if count < TASKS_MAX => submission(self.keys + 1, keyed, count, chance),
            9 => Command::Cancel { task: drawn(chance), reason: text() },
            10 => Command::Reopen { task: drawn(chance), reason: text() },
            11 | 12 => Command::AddDependency {
                task: drawn(chance),
                on: drawn(chance),
                kind: DependencyKind::Blocks,
                source: [EdgeSource::Declared, EdgeSource::Imported, EdgeSource::Inferred][pick(chance, 3)],
            },
            19 => {
                let broken = state.broken_edges().nth(pick(chance, state.broken_edges().len().max(1)))?;
                let instead = state.broken_edges().last().map(|it| (it.cycle[1], it.cycle[2]));
                let instead = instead.filter(|_| pick(chance, 2) == 0);
                Command::RestoreDependency {
                    task: TaskRef::Id(broken.task),
                    on: TaskRef::Id(broken.on),
                    instead: instead.map(|(task, on)| (TaskRef::Id(task), TaskRef::Id(on))),
                }
            }
            13 => Command::WaiveDependency { task: drawn(chance), on: drawn(chance) },
            14 => {
                let open = state.offers().iter().find(|offer| offer.state == OfferState::Open)?;
                if pick(chance, 2) == 0 {
                    Command::AcceptOffer { offer: open.id }
                } else {
                    Command::DeclineOffer { offer: open.id, reason: text() }
                }
            }
            15 => Command::AcceptOffer { offer: OfferId(u32::try_from(pick(chance, 5)).unwrap_or(0)) },
            what @ (16 | 17) => {
                let agents = state.agents();
                let agent = agents.get(pick(chance, agents.len().max(1)))?.spec.name.clone();
                match what {
                    16 => Command::Assign { task: drawn(chance), agent },
                    _ => Command::DrainAgent { agent, draining: pick(chance, 3) == 0 },
                }
            }
            18 => Command::ReleaseReservation {
                reservation: ReservationRef::Held(state.reservations().held().next()?.id),
                agent: None,
                reason: Some(text()),
            },
            _ => return None,
        };
        Some(self.command(command, keyed))
    }

    fn command(&mut self, command: Command, keyed: bool) -> Wish {
        self.keys += 1;
        Wish::Command { id: CommandId(self.keys), keyed, command }
    }
}

/// How the title of a keyed submission begins.
pub const KEYED: &str = "work of key ";

/// Tasks that one play submits.
const TASKS_MAX: usize = 36;

/// Draws a number below `below`.
pub fn pick(chance: &mut Chance, below: usize) -> usize {
    usize::try_from(chance.draw() % below.max(1) as u64).unwrap_or(0)
}

/// Returns a submission; the title of a keyed one carries its key, so that a second task of one key is seen.
fn submission(key: u128, keyed: bool, count: usize, chance: &mut Chance) -> Command {
    let title = if keyed { format!("{KEYED}{key:x}") } else { "work to be done".to_owned() };
    let mut spec = TaskSpec::titled(Text::new(&title, 200).expect("a title"));
    spec.priority = Priority::ALL[pick(chance, 4)];
    spec.project = (pick(chance, 2) == 0).then(|| Name::new("web").expect("a name"));
    if pick(chance, 2) == 0 {
        let capability = Name::new("rust").expect("a name");
        spec.requires = vec![Require { capability, weight: Ratio::UNIT, minimum: Ratio::ZERO }];
    }
    if pick(chance, 4) == 0 {
        spec.resources = needs(chance);
    }
    let edges = (0..pick(chance, 3))
        .map(|_| TaskRef::Id(TaskId(u32::try_from(pick(chance, count.max(1)) + 1).unwrap_or(1))))
        .map(|on| (on, DependencyKind::Blocks))
        .collect();
    Command::Submit { spec: Arc::new(spec), edges }
}

/// What agents and tasks contend for.
const RESOURCES: [&str; 6] =
    ["path:src/**", "path:src/a.rs", "path:**/a.*", "path:docs/*", "env:staging", "device:gpu-0"];

fn needs(chance: &mut Chance) -> Vec<Need> {
    let first = pick(chance, RESOURCES.len());
    let second = pick(chance, RESOURCES.len());
    let mut all = vec![first];
    all.extend(Some(second).filter(|&second| second != first && second > 3));
    let mode = if pick(chance, 3) == 0 { Mode::Shared } else { Mode::Exclusive };
    let need = |index: usize| Need { resource: RESOURCES[index].parse().expect("a resource"), mode };
    all.into_iter().map(need).collect()
}

/// Returns what an agent does about resources while it works: it mostly reserves, for its task or for itself, and renews or
/// releases what may or may not be its own.
fn reservation(agent: Name, task: TaskRef, chance: &mut Chance) -> Command {
    let reservation = ReservationId(pick(chance, 24) as u64);
    match pick(chance, 6) {
        0 => Command::RenewReservation { reservation, agent: Some(agent), ttl: None },
        1 => Command::ReleaseReservation {
            reservation: match pick(chance, 3) {
                0 => ReservationRef::Waiting(WaitId(pick(chance, 12) as u64)),
                _ => ReservationRef::Held(reservation),
            },
            agent: Some(agent),
            reason: None,
        },
        _ => Command::Reserve {
            agent,
            task: (pick(chance, 2) == 0).then_some(task),
            needs: needs(chance).into(),
            ttl: Some(Span::minutes(1)),
            line: match pick(chance, 3) {
                0 => InLine::Refused,
                _ => InLine::For(Some(Span::minutes(2))),
            },
        },
    }
}

/// Finds what keeps a task from its end and can be put right: a wait for something that will not come.
fn helpful(state: &State) -> Option<Command> {
    if let Some(agent) = state.agents().iter().find(|agent| agent.draining) {
        return Some(Command::DrainAgent { agent: agent.spec.name.clone(), draining: false });
    }
    let gone = |on: &TaskId| matches!(state.task(*on).state(), TaskState::Failed | TaskState::Cancelled);
    let blocked = state.tasks().iter().filter(|task| task.state() == TaskState::Blocked);
    let (task, on) = blocked.filter_map(|task| Some((task.id, task.gates().find(gone)?))).next()?;
    Some(Command::WaiveDependency { task: TaskRef::Id(task), on: TaskRef::Id(on) })
}
