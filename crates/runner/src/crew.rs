//! One agent of the file: it takes assignments while it has room, stays alive for the server, and hears what it is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kapell_api::{Assignment, ErrorCode, Notice};

use crate::attempt::{self, Signals};
use crate::check;
use crate::config::AgentSettings;
use crate::ledger::{Run, Stage};
use crate::outcome::Stopped;
use crate::runner::Shared;

/// How long one request for work waits on the server.
const WAIT: Duration = Duration::from_secs(5);
/// How long an agent without room looks again after.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Lives are renewed this often at least, and far within the lease.
const BEAT_LONGEST: Duration = Duration::from_secs(10);
const BEAT_SHORTEST: Duration = Duration::from_millis(20);
/// Whoever could not be started gets nothing new for so long.
const HOLD: Duration = Duration::from_secs(30);
/// The longest pause between two tries to reach the server.
const PAUSE_LONGEST: Duration = Duration::from_secs(10);

/// An agent and what it works on.
pub(crate) struct Crew {
    pub(crate) shared: Arc<Shared>,
    pub(crate) agent: AgentSettings,
    /// How often its life is renewed.
    beat: Duration,
    /// By assignment: the task, and what its run is told.
    running: Mutex<BTreeMap<String, (String, Arc<Signals>)>>,
    held_until: Mutex<Option<Instant>>,
    /// Whether nobody needs its life any more.
    over: Mutex<bool>,
    bell: Condvar,
}

impl Crew {
    pub(crate) fn new(shared: Arc<Shared>, agent: AgentSettings, lease_ms: i64) -> Arc<Self> {
        let lease = Duration::from_millis(u64::try_from(lease_ms).unwrap_or(0));
        let beat = (lease / 4).clamp(BEAT_SHORTEST, BEAT_LONGEST);
        let (running, held_until, over) = (Mutex::default(), Mutex::default(), Mutex::default());
        Arc::new(Self { shared, agent, beat, running, held_until, over, bell: Condvar::new() })
    }

    /// Takes nothing new for a while: what went wrong just now would go wrong again.
    pub(crate) fn hold(&self) {
        *self.held_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + HOLD);
    }

    fn held(&self) -> bool {
        let until = *self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, (String, Arc<Signals>)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with what was cut off, takes what comes, and returns when everything has ended after the runner was to stop.
    pub(crate) fn work(self: &Arc<Self>, leftovers: Vec<Run>) {
        let beating = {
            let crew = Arc::clone(self);
            std::thread::spawn(move || crew.stay_alive())
        };
        let mut workers = self.go_on(leftovers);
        let mut pause = LOOK_EVERY;
        while !self.shared.stop.asked() {
            workers.retain(|worker| !worker.is_finished());
            let room = usize::try_from(self.agent.at_once).unwrap_or(1).saturating_sub(self.running().len());
            if room == 0 || self.held() {
                self.shared.wait(LOOK_EVERY);
                continue;
            }
            match self.shared.client.next(&self.agent.name, room, WAIT) {
                Ok(next) => {
                    pause = LOOK_EVERY;
                    self.attend(&next.notices);
                    let fresh: Vec<_> = next
                        .assignments
                        .into_iter()
                        .filter(|it| !self.running().contains_key(&it.assignment))
                        .collect();
                    if fresh.is_empty() {
                        self.shared.wait(BEAT_SHORTEST);
                    }
                    workers.extend(fresh.iter().filter_map(|it| self.take(it)));
                }
                Err(error) => {
                    if pause == LOOK_EVERY {
                        self.shared.tell(&format!("{}: {error}; what is under way goes on", self.agent.name));
                    }
                    self.shared.wait(pause);
                    pause = (pause * 2).min(PAUSE_LONGEST);
                }
            }
        }
        for (_, signals) in self.running().values() {
            signals.stop(Stopped::Shutdown);
        }
        for worker in workers {
            let _ = worker.join();
        }
        *self.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
        let _ = beating.join();
    }

    /// Goes on with what was under way when the runner was last gone, as far as it is still this agent's; and with what the
    /// server says was begun here and of which nothing is known.
    fn go_on(self: &Arc<Self>, leftovers: Vec<Run>) -> Vec<JoinHandle<()>> {
        let mut workers = Vec::new();
        let mut pause = LOOK_EVERY;
        let owned = loop {
            match self.shared.client.assignments(&self.agent.name) {
                Ok(owned) => break owned,
                Err(_) if self.shared.stop.asked() => return workers,
                Err(_) => self.shared.wait(pause),
            }
            pause = (pause * 2).min(PAUSE_LONGEST);
        };
        let known: Vec<String> = leftovers.iter().map(|run| run.assignment.assignment.clone()).collect();
        for mut run in leftovers {
            let id = run.assignment.assignment.clone();
            let ours = owned.iter().any(|it| it.assignment == id);
            if let Some(outcome) = attempt::ends_cut_off(&run, ours) {
                attempt::give_up(&self.shared, run, outcome);
                continue;
            }
            if run.stage == Stage::Working {
                run.resumed += 1;
            }
            self.shared.tell(&format!("{} {id} {}: goes on", self.agent.name, run.assignment.task));
            if let Err(error) = self.shared.ledger.write(&run) {
                self.shared.tell(&format!("{id}: {error}"));
            }
            workers.push(self.begin(run));
        }
        let forgotten = owned.iter().filter(|it| it.started && !known.contains(&it.assignment));
        workers.extend(forgotten.filter_map(|it| self.take(it)));
        workers
    }

    fn take(self: &Arc<Self>, assignment: &Assignment) -> Option<JoinHandle<()>> {
        match self.shared.ledger.begin(assignment) {
            Ok(run) => Some(self.begin(run)),
            Err(error) => {
                self.shared.tell(&format!("{}: nothing can be begun: {error}", self.agent.name));
                self.hold();
                None
            }
        }
    }

    fn begin(self: &Arc<Self>, run: Run) -> JoinHandle<()> {
        let signals = Arc::<Signals>::default();
        let id = run.assignment.assignment.clone();
        self.running().insert(id.clone(), (run.assignment.task.clone(), Arc::clone(&signals)));
        let crew = Arc::clone(self);
        std::thread::spawn(move || {
            attempt::work(&crew, run, &signals);
            crew.running().remove(&id);
        })
    }

    /// Renews the agent's life, and looks whether what it works on is still its own, as long as there is anything.
    fn stay_alive(&self) {
        loop {
            let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = self.bell.wait_timeout_while(over, self.beat, |over| !*over);
            if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                return;
            }
            match self.shared.client.heartbeat(&self.agent.name) {
                Ok(alive) if alive.notices > 0 => {
                    if let Ok(notices) = self.shared.client.notices(&self.agent.name) {
                        self.attend(&notices);
                    }
                }
                _ => {}
            }
            // Taken before the question: what is begun meanwhile is not in the answer.
            let running: Vec<_> = self.running().iter().map(|(id, it)| (id.clone(), it.clone())).collect();
            if running.is_empty() {
                continue;
            }
            if let Ok(owned) = self.shared.client.assignments(&self.agent.name) {
                for (id, (task, signals)) in running {
                    let own = owned.iter().any(|it| it.assignment == id)
                        || (signals.finished() && self.stands_before_gates(&task, &id));
                    if !own {
                        signals.stop(Stopped::Taken);
                    }
                }
            }
        }
    }

    /// Tells whether finished work is still this assignment's, where the server says.
    fn stands_before_gates(&self, task: &str, assignment: &str) -> bool {
        match self.shared.client.task(task) {
            Ok(task) => check::is_of(&task, assignment),
            Err(error) => error.problem().is_none_or(|problem| problem.code != ErrorCode::NotFound),
        }
    }

    /// Hears what the agent is told, and says that it was heard.
    fn attend(&self, notices: &[Notice]) {
        for notice in notices.iter().filter(|notice| !notice.read) {
            self.shared.tell(&format!("{} was told {}: {}", self.agent.name, notice.kind, notice.text));
            if notice.kind == "status_requested" {
                for (_, signals) in self.running().values() {
                    signals.ask_status();
                }
            }
        }
        if let Some(last) = notices.last().filter(|last| !last.read) {
            // What is not noted is told again.
            let _ = self.shared.client.read_notices(&self.agent.name, &last.id);
        }
    }
}
