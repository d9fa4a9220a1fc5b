//! The real server, ended under load again and again, by SIGKILL and by SIGTERM: nothing that was acknowledged is lost.

mod served;

use std::fs::File;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kapell_api::{Client, ClientError, ErrorCode, TaskSubmission};
use served::load::{self, Load, Told};
use served::{Server, template};

/// Cycles of the ordinary run; `cargo xtask crash --cycles N` sets others.
const KILLS: usize = 50;
/// A machine that does much else may take long to say that it waits.
const STUCK_MAX: Duration = Duration::from_secs(120);

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed_under_load() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let kills = std::env::var("KAPELL_CRASH_CYCLES").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let told = Told::default();
    for round in 0..kills {
        let server = Server::start(&data);
        if round == 0 {
            load::register(&server.client);
        }
        let load = Load::begin(&server.client, &told, 0);
        load.work(3 + 7 * (round % 5));
        // Every fifth end is asked for.
        if round % 5 == 4 {
            server.terminate();
        } else {
            server.kill();
        }
        load.end();
    }
    let server = Server::start(&data);
    assert!(told.count() > kills * 3, "{} tasks", told.count());
    told.holds(&server.client);
    server.kill();
    served::verify(&data);
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

#[test]
fn whoever_takes_the_port_of_a_server_that_was_killed_is_not_sent_the_admin_token() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::start(&data);
    let told = std::fs::read_to_string(data.join("address")).expect("its address");
    let token = std::fs::read_to_string(data.join("admin.token")).expect("its token");
    server.kill();
    let address = told.trim().strip_prefix("http://").expect("an address");
    let other = TcpListener::bind(address).expect("the port is free");
    let heard = Arc::new(Mutex::new(String::new()));
    let hearing = Arc::clone(&heard);
    std::thread::spawn(move || {
        for mut call in other.incoming().flatten() {
            let mut head = [0; 4096];
            let read = call.read(&mut head).unwrap_or(0);
            hearing.lock().expect("nobody panics").push_str(&String::from_utf8_lossy(&head[..read]));
        }
    });
    // Neither by the address that was left behind, nor by name.
    for named in [None, Some(told.trim())] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
        command.args(["status", "--data"]).arg(&data);
        command.args(named.into_iter().flat_map(|server| ["--server", server]));
        command.env_remove("KAPELL_TOKEN").env_remove("KAPELL_SERVER");
        let output = command.output().expect("it runs");
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let heard = heard.lock().expect("nobody panics");
    assert!(heard.contains("GET /v1/status"), "{heard}");
    assert!(!heard.contains(token.trim()), "{heard}");
}

/// Waits until a server says that it is stuck, or that it is not any more.
fn wait_until_stuck(client: &Client, stuck: bool) {
    let is_stuck =
        || matches!(client.health(), Err(ClientError::Problem(told)) if told.code == ErrorCode::Busy);
    let began = Instant::now();
    while is_stuck() != stuck {
        assert!(began.elapsed() < STUCK_MAX, "it does not become so: {stuck}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn whoever_comes_while_another_program_holds_the_log_file_is_told_and_nothing_is_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::start(&data);
    let task = TaskSubmission { title: "Wait for the file".to_owned(), ..template() };
    server.client.submit(&task).expect("nothing is in the way yet");
    let other = rusqlite::Connection::open(data.join("kapell.db")).expect("the file can be opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("it can be held");
    let waits = std::thread::spawn({
        let (client, task) = (server.client.clone(), task.clone());
        move || client.submit(&task)
    });
    wait_until_stuck(&server.client, true);
    for refused in [server.client.submit(&task).map(drop), server.client.status().map(drop)] {
        match refused {
            Err(ClientError::Problem(told)) => {
                assert_eq!(told.code, ErrorCode::Busy);
                assert!(told.detail.contains("another program holds its file"), "{}", told.detail);
                assert_eq!(told.retry_after_ms, Some(1_000));
            }
            other => panic!("it is let in: {other:?}"),
        }
    }
    other.execute_batch("ROLLBACK").expect("it can be let go");
    let late = waits.join().expect("it ends").expect("what was let in before is done, late");
    wait_until_stuck(&server.client, false);
    server.kill();
    let server = Server::start(&data);
    assert_eq!(server.client.status().expect("it serves").tasks.total, 2);
    assert_eq!(server.client.task(&late.task.expect("a task")).expect("it is there").title, task.title);
    server.kill();
    served::verify(&data);
}

#[test]
fn a_second_signal_ends_a_stop_that_hangs() {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, told) = (directory.path().join("data"), directory.path().join("told"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
    command.stderr(File::create(&told).expect("a file"));
    let mut server = Server::run_where(&data, &data, command, "127.0.0.1:0");
    let other = rusqlite::Connection::open(data.join("kapell.db")).expect("the file can be opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("it can be held");
    let waits = std::thread::spawn({
        let client = server.client.clone();
        move || client.submit(&TaskSubmission { title: "Wait for the file".to_owned(), ..template() })
    });
    wait_until_stuck(&server.client, true);
    let said = |what: &str| {
        let began = Instant::now();
        while !std::fs::read_to_string(&told).expect("it is written").contains(what) {
            assert!(began.elapsed() < STUCK_MAX, "it does not say `{what}`");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    server.ask_to_end();
    said("once more ends at once");
    server.ask_to_end();
    let status = server.process.wait().expect("it ends");
    assert_eq!(status.code(), Some(1));
    said("ended at once");
    assert!(waits.join().expect("it ends").is_err(), "nothing was acknowledged");
    other.execute_batch("ROLLBACK").expect("it can be let go");
    served::verify(&data);
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
    std::fs::write(&source, FAILING_SYNC).expect("the shim's source");
    let shim = served::preloaded(&source, directory.path());
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
