//! The door to one fleet: what the outside hands to the writer, and what it gets back.
//!
//! A [`Fleet`] can be cloned and used from any task. Everything goes through one bounded queue to the writer
//! thread, which owns the state; answers come once the events that they saw are durable.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use crossbeam_channel::TrySendError;
use kapell_core::{Command, Delivery, Message as Sent, Notice, Record, Rejection, Reply, State, TaskSpec};
use kapell_model::{AgentId, AssignmentId, CommandId, Moment, Name, Position, Priority, TaskId, Text};
use kapell_store::RowBatch;
use tokio::sync::{broadcast, oneshot};

use crate::admission::{Admission, RETRY_AFTER, UnderWay};

/// Messages that may wait for the writer; beyond it the door answers `busy`.
pub(crate) const QUEUE_MAX: usize = 8_192;
/// Requests for work in the name of one agent that may be under way at once, the waiting ones included; beyond it the door
/// answers `busy`, so that one that asks on hundreds of connections takes no one else's turn.
const NEXT_MAX: usize = 4;
/// Commands of one agent that may be under way at once, for the same reason.
const COMMANDS_MAX: usize = 64;
/// How long a wait that has ended is answered at most.
const ONCE_MORE: Duration = Duration::from_secs(2);
/// Agents that were refused and are to be heard of all the same; more than any fleet has.
const HEARD_MAX: usize = 100_000;

/// A command with what the door knows of its sender.
#[derive(Debug)]
pub struct Ask {
    /// The command's id: made from the caller's idempotency key, or fresh.
    pub id: CommandId,
    /// A digest of the body, where the caller gave an idempotency key.
    pub fingerprint: Option<u64>,
    /// The sender, as the log shows it.
    pub actor: Arc<str>,
    /// The agent that is thereby heard of, if the sender is one or speaks for one.
    pub contact: Option<Name>,
    /// The command.
    pub command: Command,
}

/// One line of a bulk request.
#[derive(Debug)]
pub enum Line {
    /// A command.
    Command(Ask),
    /// Fetch assignments, without waiting.
    Next {
        /// For whom.
        agent: Name,
        /// At most so many.
        max: usize,
    },
    /// Renew a lease.
    Heartbeat {
        /// Whose.
        agent: Name,
    },
}

/// What a line of a bulk request is answered with.
#[derive(Debug)]
pub enum Answer {
    /// Of a command.
    Reply(Reply),
    /// Of a fetch.
    Handed(Handout),
    /// Of a heartbeat: how many notices the agent has not read.
    Alive {
        /// So many.
        notices: u32,
    },
}

/// An assignment on its way to its agent.
#[derive(Debug, Clone)]
pub struct Handed {
    /// The fencing token.
    pub assignment: AssignmentId,
    /// The task.
    pub task: TaskId,
    /// The agent.
    pub agent: AgentId,
    /// What it is about.
    pub spec: Arc<TaskSpec>,
    /// How urgent it is, for its own sake or for those that wait for it.
    pub priority: Priority,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// Since when it is owned.
    pub since: Moment,
    /// Whether the agent has begun.
    pub started: bool,
    /// What the last owner left.
    pub note: Option<Text>,
}

/// What an agent that asks for work is answered with.
#[derive(Debug, Clone, Default)]
pub struct Handout {
    /// Its assignments that it has not started, oldest first.
    pub assignments: Vec<Handed>,
    /// What it has been told and has not read yet, oldest first.
    pub notices: Vec<Notice>,
    /// The most urgent messages that it has to read, and how many there are in all.
    pub messages: (Vec<(Sent, Delivery)>, u32),
}

/// The queue is full.
const BUSY: Refused = Refused::Busy { after: RETRY_AFTER };

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// The rules say no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too much is waiting for the writer.
    #[error("more is asked than can be answered in time")]
    Busy {
        /// When to try again.
        after: Duration,
    },
    /// An append hangs: whoever is let in waits for as long.
    #[error("the log has not been written for {} s: its disk hangs, or another program holds its file", .since.as_secs())]
    Stuck {
        /// For how long.
        since: Duration,
    },
    /// As many requests of one agent are under way as may be.
    #[error("{most} {what} of this agent are under way already")]
    Asking {
        /// What of.
        what: &'static str,
        /// So many.
        most: usize,
        /// When to try again.
        after: Duration,
    },
    /// The writer has stopped: the server is shutting down, or its log could not be written.
    #[error("the server is shutting down")]
    Down,
}

/// What a query sees.
#[derive(Debug)]
pub struct View<'a> {
    /// The state, whose every event is durable before the answer leaves.
    pub state: &'a State,
    /// When each agent was last heard of, asked by id.
    pub liveness: &'a kapell_core::Liveness,
    /// When the load is looked at.
    pub workload: &'a kapell_core::WorkloadMonitor,
    /// Now.
    pub now: Moment,
}

/// Something to do once a batch is durable; called with `false` where it never will be.
pub(crate) type Deferred = Box<dyn FnOnce(bool) + Send>;

pub(crate) enum Message {
    Lines {
        lines: Vec<Line>,
        answer: Answering<LineAnswers>,
    },
    Next {
        agent: Name,
        max: usize,
        wait: bool,
        answer: Answering<Result<Handout, Refused>>,
    },
    Query(Box<dyn FnOnce(&View<'_>) -> Deferred + Send>),
    /// A batch is durable and its replies have left; its rows can be filled again.
    Appended(RowBatch),
    /// The planner has thought.
    Planned(Box<kapell_model::Plan>),
    /// A forecast has been made.
    Forecast(Box<kapell_model::Forecast>),
    Stop,
}

/// Where an answer goes. Its request is under way until it has gone, whether or not somebody waits for it still: who goes away
/// makes no room by it.
#[derive(Debug)]
pub(crate) struct Answering<T> {
    sender: oneshot::Sender<T>,
    under_way: Option<UnderWay>,
    _turn: Option<Turn>,
}

impl<T> Answering<T> {
    fn new(under_way: UnderWay, turn: Option<Turn>) -> (Self, oneshot::Receiver<T>) {
        let (sender, answered) = oneshot::channel();
        (Self { sender, under_way: Some(under_way), _turn: turn }, answered)
    }

    /// Answers, where somebody waits for it.
    pub(crate) fn send(self, answer: T) {
        let _ = self.sender.send(answer);
    }

    /// Notes that the request has been heard: it costs nobody anything while it waits for something to happen.
    pub(crate) fn heard(&mut self) {
        self.under_way = None;
    }

    /// Tells whether nobody waits for the answer any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

/// A durable batch, on its way to those who follow the log.
#[derive(Debug)]
pub struct Published {
    /// What has happened.
    pub records: Vec<Record>,
    /// How that is shown: made by the first who shows it, for all others too.
    pub(crate) shown: OnceLock<Vec<Arc<Shown>>>,
}

/// An event as it is told to the outside.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) position: u64,
    pub(crate) kind: &'static str,
    pub(crate) json: String,
}

/// The door to one fleet.
#[derive(Clone, Debug)]
pub struct Fleet {
    pub(crate) queue: crossbeam_channel::Sender<Message>,
    pub(crate) durable: Arc<AtomicU64>,
    pub(crate) published: broadcast::Sender<Arc<Published>>,
    pub(crate) names: Arc<RwLock<Arc<Vec<Name>>>>,
    pub(crate) asking: Asking,
    pub(crate) commanding: Asking,
    pub(crate) heard: Heard,
    pub(crate) admission: Arc<Admission>,
    pub(crate) awaited: Awaited,
}

/// The answers to lines, or why there are none.
pub type LineAnswers = Result<Vec<Result<Answer, Rejection>>, Refused>;

/// Lines that the writer has, and their answers once they come.
#[derive(Debug)]
pub struct Offered {
    answered: oneshot::Receiver<LineAnswers>,
}

impl Offered {
    /// Waits for the answers.
    ///
    /// # Errors
    /// Where the server stops.
    pub async fn answers(self) -> LineAnswers {
        self.answered.await.unwrap_or(Err(Refused::Down))
    }
}

/// The agents that have been given work and have not fetched it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Awaited(Arc<Mutex<HashSet<Name>>>);

impl Awaited {
    /// Notes that something waits for an agent, or nothing any more.
    pub(crate) fn set(&self, agent: &Name, awaited: bool) {
        let mut agents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !awaited {
            agents.remove(agent);
        } else if !agents.contains(agent) {
            agents.insert(agent.clone());
        }
    }

    /// Tells whether something waits for the agent of this name.
    pub(crate) fn is(&self, agent: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(agent)
    }
}

/// The agents whose calls were refused since silence was last judged, or are kept waiting: they are not silent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<Mutex<Callers>>);

#[derive(Debug, Default)]
struct Callers {
    refused: HashSet<Name>,
    /// How many calls of each are kept waiting.
    kept: HashMap<Name, usize>,
}

/// A call that is kept waiting, until it is dropped.
#[derive(Debug)]
pub(crate) struct Kept {
    heard: Heard,
    agent: Name,
}

impl Heard {
    /// Notes that an agent has called, where the caller may speak for it.
    pub(crate) fn note(&self, agent: Name) {
        let mut callers = self.callers();
        if callers.refused.len() < HEARD_MAX {
            callers.refused.insert(agent);
        }
    }

    /// Notes that a call of an agent is kept waiting.
    pub(crate) fn keep(&self, agent: Name) -> Kept {
        *self.callers().kept.entry(agent.clone()).or_default() += 1;
        Kept { heard: self.clone(), agent }
    }

    /// Returns all that are not silent; those that were refused once.
    pub(crate) fn take(&self) -> HashSet<Name> {
        let mut callers = self.callers();
        let mut agents = std::mem::take(&mut callers.refused);
        agents.extend(callers.kept.keys().cloned());
        agents
    }

    fn callers(&self) -> MutexGuard<'_, Callers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut callers = self.heard.callers();
        if let Some(count) = callers.kept.get_mut(&self.agent) {
            *count -= 1;
            if *count == 0 {
                callers.kept.remove(&self.agent);
            }
        }
    }
}

/// How many requests are under way, by agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asking(Arc<Mutex<HashMap<Name, usize>>>);

/// One request of an agent that is under way, until it is dropped.
#[derive(Debug)]
struct Turn {
    asking: Asking,
    agent: Name,
}

impl Asking {
    /// Takes a turn for `agent`, where fewer than `most` of its requests are under way.
    fn turn(
        &self,
        agent: &Name,
        (what, most): (&'static str, usize),
        admission: &Admission,
    ) -> Result<Turn, Refused> {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = under_way.entry(agent.clone()).or_default();
        if *count >= most {
            return Err(Refused::Asking { what, most, after: admission.come_back() });
        }
        *count += 1;
        Ok(Turn { asking: self.clone(), agent: agent.clone() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut under_way = self.asking.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = under_way.get_mut(&self.agent) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.agent);
            }
        }
    }
}

impl Fleet {
    /// Executes a command.
    ///
    /// # Errors
    /// Where the rules refuse it, too many of the agent's commands are under way, the writer is overrun, or the server stops.
    pub async fn command(&self, ask: Ask) -> Result<Reply, Refused> {
        let turn = |agent| self.commanding.turn(agent, ("commands", COMMANDS_MAX), &self.admission);
        let turn = ask.contact.as_ref().map(turn).transpose()?;
        let offered = self.offer(vec![Line::Command(ask)], turn).map_err(|(refused, _)| refused)?;
        let mut answers = offered.answers().await?;
        match answers.pop() {
            Some(Ok(Answer::Reply(reply))) => Ok(reply),
            Some(Err(rejection)) => Err(rejection.into()),
            _ => Err(Refused::Down),
        }
    }

    /// Executes lines in their order, each standing alone.
    ///
    /// # Errors
    /// Where the writer is overrun or the server stops.
    pub async fn lines(&self, lines: Vec<Line>) -> LineAnswers {
        self.offer_lines(lines).map_err(|(refused, _)| refused)?.answers().await
    }

    /// Hands lines to the writer without waiting for the answers, so that several chunks can be under way.
    ///
    /// # Errors
    /// Where the writer is overrun or the server stops; the lines come back.
    pub fn offer_lines(&self, lines: Vec<Line>) -> Result<Offered, (Refused, Vec<Line>)> {
        self.offer(lines, None)
    }

    fn offer(&self, lines: Vec<Line>, turn: Option<Turn>) -> Result<Offered, (Refused, Vec<Line>)> {
        if let Err(refused) = self.has_room() {
            return Err((refused, lines));
        }
        let (answer, answered) = Answering::new(self.admission.enter(), turn);
        let back = |message| match message {
            Message::Lines { lines, .. } => lines,
            _ => Vec::new(),
        };
        match self.queue.try_send(Message::Lines { lines, answer }) {
            Ok(()) => Ok(Offered { answered }),
            Err(TrySendError::Full(message)) => Err((BUSY, back(message))),
            Err(TrySendError::Disconnected(message)) => Err((Refused::Down, back(message))),
        }
    }

    /// Returns the open, not started assignments of `agent`, at most `max`, oldest first, and its unread notices; waits up to
    /// `wait` until there is an assignment or a notice that it was not shown before. The agent is thereby heard of.
    ///
    /// # Errors
    /// Where there is no such agent, too many of its requests for work are under way, the writer is overrun, or the server
    /// stops.
    pub async fn next(&self, agent: Name, max: usize, wait: Duration) -> Result<Handout, Refused> {
        let _turn = self.asking.turn(&agent, ("requests for work", NEXT_MAX), &self.admission)?;
        if wait.is_zero() {
            return self.ask_next(agent, max, false)?.await.unwrap_or(Err(Refused::Down));
        }
        let answered = self.ask_next(agent.clone(), max, true)?;
        match tokio::time::timeout(wait, answered).await {
            Ok(answer) => answer.unwrap_or(Err(Refused::Down)),
            // What came in this moment was shown to nobody: it is asked for once more.
            Err(_) => match self.ask_next(agent, max, false) {
                Ok(answered) => match tokio::time::timeout(ONCE_MORE, answered).await {
                    Ok(answer) => answer.unwrap_or(Err(Refused::Down)),
                    Err(_) => Ok(Handout::default()),
                },
                Err(Refused::Busy { .. }) => Ok(Handout::default()),
                Err(refused) => Err(refused),
            },
        }
    }

    fn ask_next(
        &self,
        agent: Name,
        max: usize,
        wait: bool,
    ) -> Result<oneshot::Receiver<Result<Handout, Refused>>, Refused> {
        self.has_room()?;
        let (answer, answered) = Answering::new(self.admission.enter_to_look(), None);
        self.send(Message::Next { agent, max, wait, answer })?;
        Ok(answered)
    }

    /// Asks the state.
    ///
    /// # Errors
    /// Where the writer is overrun or the server stops.
    pub async fn query<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        self.has_room()?;
        let (answer, answered) = Answering::new(self.admission.enter_to_look(), None);
        self.send(Message::Query(Box::new(move |view| {
            if answer.is_closed() {
                return Box::new(|_| ());
            }
            let found = ask(view);
            Box::new(move |durable| {
                if durable {
                    answer.send(found);
                }
            })
        })))?;
        answered.await.map_err(|_| Refused::Down)
    }

    /// Returns the place of the last durable event.
    #[must_use]
    pub fn durable(&self) -> Position {
        Position(self.durable.load(Ordering::Acquire))
    }

    /// Returns the stream of durable batches from here on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Published>> {
        self.published.subscribe()
    }

    /// Returns the names of all agents by id, as the writer knows them.
    #[must_use]
    pub fn names(&self) -> Arc<Vec<Name>> {
        Arc::clone(&self.names.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_names(&self, names: Vec<Name>) {
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(names);
    }

    /// Asks the writer to finish what it has, write a snapshot and end.
    pub fn stop(&self) {
        let _ = self.queue.send(Message::Stop);
    }

    /// Looks before anything is counted: what finds no room is no answer, by which the rate is measured.
    fn has_room(&self) -> Result<(), Refused> {
        if self.queue.is_full() { Err(BUSY) } else { Ok(()) }
    }

    fn send(&self, message: Message) -> Result<(), Refused> {
        self.queue.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => BUSY,
            TrySendError::Disconnected(_) => Refused::Down,
        })
    }
}

#[cfg(test)]
mod tests {
    use kapell_core::AgentSpec;
    use kapell_model::{AgentKind, AgentState, Span};
    use kapell_store::MemoryDisk;

    use super::*;
    use crate::open::open;

    #[test]
    fn who_is_refused_is_not_silent() {
        let fleet = open(Box::new(MemoryDisk::new().open()), "default").expect("it opens").fleet;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            for (number, name) in [(1, "ada"), (2, "bram")] {
                let spec = AgentSpec {
                    name: Name::new(name).expect("a name"),
                    role: Name::new("developer").expect("a name"),
                    kind: AgentKind::Service,
                    capabilities: Vec::new(),
                    max_concurrent: 1,
                    lease: Some(Span::seconds(1)),
                    standby: false,
                };
                let command = Command::RegisterAgent { spec, online: true };
                let actor = "test".into();
                let ask = Ask { id: CommandId(number), fingerprint: None, actor, contact: None, command };
                fleet.command(ask).await.expect("it is registered");
            }
            let states = |view: &View<'_>| [0, 1].map(|id| view.state.agent(AgentId(id)).state);
            // Until it has been seen that silence ends a lease, the calls of one of them are refused.
            loop {
                let began = std::time::Instant::now();
                fleet.heard.note(Name::new("ada").expect("a name"));
                let [ada, bram] = fleet.query(states).await.expect("it is answered");
                // A machine that is busy elsewhere proves nothing.
                assert!(ada == AgentState::Online || began.elapsed() > Duration::from_millis(300));
                if bram != AgentState::Online {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        fleet.stop();
    }

    #[test]
    fn who_is_kept_waiting_is_heard_all_the_while() {
        let (heard, ada) = (Heard::default(), Name::new("ada").expect("a name"));
        let [first, second] = [heard.keep(ada.clone()), heard.keep(ada.clone())];
        drop(first);
        assert_eq!([heard.take().len(), heard.take().len()], [1, 1]);
        drop(second);
        assert!(heard.take().is_empty());
        heard.note(ada);
        assert_eq!([heard.take().len(), heard.take().len()], [1, 0]);
    }
}
