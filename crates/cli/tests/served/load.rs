//! Agents and submitters that keep a server at work, and remember what they were told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kapell_api::{AgentRegistration, Client, DoneReport, TaskSubmission};

use super::template;

const AGENTS: usize = 4;
const SUBMITTERS: usize = 2;
/// Work that takes longer than this has stopped.
const PATIENCE: Duration = Duration::from_secs(60);

/// What callers were told: task to whether it was acknowledged as done, and with which result.
#[derive(Clone, Default)]
pub struct Told {
    tasks: Arc<Mutex<BTreeMap<String, Option<String>>>>,
    done: Arc<AtomicUsize>,
}

impl Told {
    /// Returns how many tasks were acknowledged.
    pub fn count(&self) -> usize {
        self.tasks.lock().expect("a lock").len()
    }

    /// Holds a server to what callers were told.
    pub fn holds(&self, client: &Client) {
        let tasks = client.tasks(&[]).expect("the tasks").into_iter();
        let mut tasks: BTreeMap<_, _> = tasks.map(|task| (task.id.clone(), task)).collect();
        for (id, result) in self.tasks.lock().expect("a lock").iter() {
            let task = tasks.remove(id).unwrap_or_else(|| panic!("{id} was acknowledged and is gone"));
            if let Some(result) = result {
                assert_eq!((task.state.as_str(), task.result.as_ref()), ("completed", Some(result)), "{id}");
            }
        }
    }
}

/// Registers the agents.
pub fn register(client: &Client) {
    for index in 0..AGENTS {
        let agent = AgentRegistration {
            name: format!("agent-{index}"),
            role: "developer".to_owned(),
            kind: "agent".to_owned(),
            capabilities: BTreeMap::new(),
            max_concurrent_tasks: 1,
            lease_ms: None,
            standby: false,
        };
        client.register(&agent).expect("an agent is registered");
    }
}

/// A load that goes on until it is ended.
pub struct Load {
    over: Arc<AtomicBool>,
    told: Told,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Begins; tasks have a description of so many bytes.
    pub fn begin(client: &Client, told: &Told, bytes: usize) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for _ in 0..SUBMITTERS {
            let (client, over, told) = (client.clone(), Arc::clone(&over), told.clone());
            threads.push(std::thread::spawn(move || submitter(&client, &over, &told, bytes)));
        }
        for index in 0..AGENTS {
            let (client, over, told) = (client.clone(), Arc::clone(&over), told.clone());
            threads
                .push(std::thread::spawn(move || worker(&client, &format!("agent-{index}"), &over, &told)));
        }
        Self { over, told: told.clone(), threads }
    }

    /// Waits until so many more tasks were acknowledged as done: in the middle of work, not after a time.
    pub fn work(&self, more: usize) {
        let wanted = self.told.done.load(Ordering::Relaxed) + more;
        let started = Instant::now();
        while self.told.done.load(Ordering::Relaxed) < wanted {
            assert!(started.elapsed() < PATIENCE, "nothing gets done");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends.
    pub fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a client ends");
        }
    }
}

fn submitter(client: &Client, over: &AtomicBool, told: &Told, bytes: usize) {
    let (title, description) = ("Keep what was promised".to_owned(), "x".repeat(bytes));
    let task = TaskSubmission { title, description, ..template() };
    while !over.load(Ordering::Relaxed) {
        if let Ok(ack) = client.submit(&task) {
            told.tasks.lock().expect("a lock").entry(ack.task.expect("a task")).or_insert(None);
        }
    }
}

fn worker(client: &Client, name: &str, over: &AtomicBool, told: &Told) {
    while !over.load(Ordering::Relaxed) {
        let Ok(assignments) = client.next(name, 1, Duration::from_millis(50)) else { continue };
        for it in assignments.assignments {
            let result = format!("{} by {name}", it.assignment);
            let report = DoneReport {
                task: None,
                agent: name.to_owned(),
                assignment: it.assignment,
                result: Some(result.clone()),
                usage: None,
            };
            if client.done(&it.task, &report).is_ok() {
                told.tasks.lock().expect("a lock").insert(it.task, Some(result));
                told.done.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
