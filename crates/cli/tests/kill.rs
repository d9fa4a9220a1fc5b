//! The real server, ended under load again and again, by SIGKILL and by SIGTERM: nothing that was acknowledged is lost.

mod served;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kapell_api::{AgentRegistration, Client, DoneReport, TaskSubmission};
use served::{Server, template};

/// Cycles of the ordinary run; `cargo xtask crash --cycles N` sets others.
const KILLS: usize = 50;
const AGENTS: usize = 4;

/// What callers were told: task to whether it was acknowledged as done, and with which result.
type Told = Arc<Mutex<BTreeMap<String, Option<String>>>>;

fn submitter(client: Client, over: Arc<AtomicBool>, told: Told) {
    while !over.load(Ordering::Relaxed) {
        let task = TaskSubmission { title: "Keep what was promised".to_owned(), ..template() };
        if let Ok(ack) = client.submit(&task) {
            told.lock().expect("a lock").entry(ack.task.expect("a task")).or_insert(None);
        }
    }
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
    let kills = std::env::var("KAPELL_CRASH_CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let told: Told = Arc::default();
    let done = Arc::new(AtomicUsize::new(0));
    for round in 0..kills {
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
                    standby: false,
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
        let wanted = done.load(Ordering::Relaxed) + 3 + 7 * (round % 5);
        let started = Instant::now();
        while done.load(Ordering::Relaxed) < wanted {
            assert!(started.elapsed() < Duration::from_secs(60), "nothing gets done in round {round}");
            std::thread::sleep(Duration::from_millis(1));
        }
        // Every fifth end is asked for.
        if round % 5 == 4 {
            server.terminate();
        } else {
            server.kill();
        }
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
    assert!(told.len() > kills * 3, "{} tasks", told.len());
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

/// Submits until the server ends by itself. Returns what was acknowledged; the server must have ended with an error.
fn submit_until_it_ends(mut server: Server) -> Vec<String> {
    let mut told = Vec::new();
    let task = TaskSubmission {
        title: "Keep what was promised".to_owned(),
        description: "x".repeat(8_000),
        ..template()
    };
    let status = loop {
        if let Ok(ack) = server.client.submit(&task) {
            told.push(ack.task.expect("a task"));
        }
        if let Some(status) = server.process.try_wait().expect("it can be asked") {
            break status;
        }
        assert!(told.len() < 20_000, "the fault never came");
    };
    assert!(!status.success(), "a server that cannot write ends with an error: {status}");
    told
}

/// Holds the log to what was acknowledged.
fn holds(data: &Path, told: &[String]) {
    let server = Server::start(data);
    let tasks = server.client.tasks(&[]).expect("the tasks");
    let known: std::collections::BTreeSet<_> = tasks.into_iter().map(|task| task.id).collect();
    assert!(!told.is_empty(), "nothing was acknowledged before the fault");
    let lost: Vec<_> = told.iter().filter(|id| !known.contains(*id)).collect();
    assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");
    server.terminate();
}

#[test]
fn nothing_acknowledged_is_lost_when_there_is_no_room_left() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    // A file of the log can grow no further: a write fails as it does on a full disk.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_kapell")]);
    let told = submit_until_it_ends(Server::run(&data, command));
    holds(&data, &told);
}

#[test]
fn nothing_acknowledged_is_lost_when_a_sync_fails() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = directory.path().join("sync.c");
    let shim = directory.path().join("sync.so");
    std::fs::write(&source, FAILING_SYNC).expect("the shim's source");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&shim, &source]).status();
    assert!(built.expect("cc runs").success(), "the shim does not build");
    for good in [60, 75, 90] {
        let data = directory.path().join(format!("data-{good}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
        command.env("LD_PRELOAD", &shim).env("SYNCS_GOOD", good.to_string());
        let told = submit_until_it_ends(Server::run(&data, command));
        holds(&data, &told);
    }
}

/// Syncs that succeed `SYNCS_GOOD` times, and then never again.
const FAILING_SYNC: &str = r#"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/syscall.h>
static int left = -1;
static int fails(void) {
    int was = __atomic_load_n(&left, __ATOMIC_SEQ_CST);
    if (was < 0) { const char *good = getenv("SYNCS_GOOD"); __atomic_store_n(&left, good ? atoi(good) : 0, __ATOMIC_SEQ_CST); }
    if (__atomic_load_n(&left, __ATOMIC_SEQ_CST) == 0) { errno = EIO; return 1; }
    __atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST);
    return 0;
}
int fsync(int fd) { return fails() ? -1 : (int)syscall(SYS_fsync, fd); }
int fdatasync(int fd) { return fails() ? -1 : (int)syscall(SYS_fdatasync, fd); }
"#;
