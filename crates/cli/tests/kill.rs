//! The real server, killed with SIGKILL under load, again and again: nothing that was acknowledged is lost.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kapell_api::{AgentRegistration, Client, DoneReport, TaskSubmission};

const KILLS: usize = 20;
const AGENTS: usize = 4;

/// What callers were told: task to whether it was acknowledged as done, and with which result.
type Told = Arc<Mutex<BTreeMap<String, Option<String>>>>;

struct Server {
    process: Child,
    client: Client,
}

impl Server {
    #[expect(clippy::zombie_processes, reason = "the one that a failed start leaves ends with the test")]
    fn start(data: &Path) -> Self {
        let _ = std::fs::remove_file(data.join("address"));
        let process = Command::new(env!("CARGO_BIN_EXE_kapell"))
            .args(["up", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let started = Instant::now();
        loop {
            let address = std::fs::read_to_string(data.join("address"));
            let token = std::fs::read_to_string(data.join("admin.token"));
            if let (Ok(address), Ok(token)) = (address, token) {
                let client = Client::new(address.trim(), token.trim()).with_patience(Duration::ZERO);
                if client.health().is_ok() {
                    return Self { process, client };
                }
            }
            assert!(started.elapsed() < Duration::from_secs(30), "the server did not come up");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn kill(mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it ends");
    }
}

fn submitter(client: Client, over: Arc<AtomicBool>, told: Told) {
    while !over.load(Ordering::Relaxed) {
        let task = TaskSubmission { title: "Keep what was promised".to_owned(), ..template() };
        if let Ok(ack) = client.submit(&task) {
            told.lock().expect("a lock").entry(ack.task.expect("a task")).or_insert(None);
        }
    }
}

fn template() -> TaskSubmission {
    TaskSubmission { kind: "task".to_owned(), priority: "medium".to_owned(), ..TaskSubmission::default() }
}

fn worker(client: Client, name: String, over: Arc<AtomicBool>, told: Told, done: Arc<AtomicUsize>) {
    while !over.load(Ordering::Relaxed) {
        let Ok(assignments) = client.next(&name, 1, Duration::from_millis(50)) else { continue };
        for it in assignments.assignments {
            let result = format!("{} by {name}", it.assignment);
            let report = DoneReport {
                task: None,
                agent: name.clone(),
                assignment: it.assignment,
                result: Some(result.clone()),
            };
            if client.done(&it.task, &report).is_ok() {
                told.lock().expect("a lock").insert(it.task, Some(result));
                done.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed_under_load() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let told: Told = Arc::default();
    let done = Arc::new(AtomicUsize::new(0));
    for round in 0..KILLS {
        let server = Server::start(&data);
        if round == 0 {
            for index in 0..AGENTS {
                let name = format!("agent-{index}");
                let agent = AgentRegistration {
                    name,
                    role: "developer".to_owned(),
                    kind: "agent".to_owned(),
                    capabilities: BTreeMap::new(),
                    max_concurrent_tasks: 1,
                    lease_ms: None,
                };
                server.client.register(&agent).expect("an agent is registered");
            }
        }
        let over = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for _ in 0..2 {
            let (client, over, told) = (server.client.clone(), Arc::clone(&over), Arc::clone(&told));
            threads.push(std::thread::spawn(move || submitter(client, over, told)));
        }
        for index in 0..AGENTS {
            let (client, over, told) = (server.client.clone(), Arc::clone(&over), Arc::clone(&told));
            let (name, done) = (format!("agent-{index}"), Arc::clone(&done));
            threads.push(std::thread::spawn(move || worker(client, name, over, told, done)));
        }
        // Killed in the middle of work, not after a time: so many more tasks must have been acknowledged as done.
        let wanted = done.load(Ordering::Relaxed) + 20 + 7 * round;
        let started = Instant::now();
        while done.load(Ordering::Relaxed) < wanted {
            assert!(started.elapsed() < Duration::from_secs(60), "nothing gets done in round {round}");
            std::thread::sleep(Duration::from_millis(1));
        }
        server.kill();
        over.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().expect("a client ends");
        }
    }
    let server = Server::start(&data);
    let mut tasks: BTreeMap<_, _> = server
        .client
        .tasks(&[])
        .expect("the tasks")
        .into_iter()
        .map(|task| (task.id.clone(), task))
        .collect();
    let told = told.lock().expect("a lock");
    assert!(told.len() > KILLS * 20, "{} tasks", told.len());
    for (id, result) in told.iter() {
        let task = tasks.remove(id).unwrap_or_else(|| panic!("{id} was acknowledged and is gone"));
        if let Some(result) = result {
            assert_eq!((task.state.as_str(), task.result.as_ref()), ("completed", Some(result)), "{id}");
        }
    }
    drop(told);
    server.kill();
    let verified = Command::new(env!("CARGO_BIN_EXE_kapell"))
        .args(["log", "verify", "--data"])
        .arg(&data)
        .output()
        .expect("the log can be verified");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn a_second_server_on_the_same_data_is_refused_with_the_holders_number() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::start(&data);
    let second = Command::new(env!("CARGO_BIN_EXE_kapell"))
        .args(["up", "--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && told.contains(&server.process.id().to_string()), "{told}");
    server.kill();
}
