//! What was acknowledged outlives the process, however it ends.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kapell_store::{DataDir, Reader as _, RowBatch, SqliteStore, Store as _};

/// Set in the process that is to be killed: the directory that it writes to.
const DIRECTORY: &str = "KAPELL_TEST_KILL_DIRECTORY";
const TEST: &str = "what_was_acknowledged_outlives_a_kill";

#[test]
fn what_was_acknowledged_outlives_a_kill() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        write_until_killed(Path::new(&directory));
    }
    let place = tempfile::tempdir().unwrap();
    for (round, acknowledgements) in [3, 400, 1, 950, 200].into_iter().enumerate() {
        let acknowledged = kill_after(acknowledgements, place.path().as_os_str());
        let mut store = SqliteStore::open(&DataDir::lock(place.path()).unwrap()).unwrap();
        let head = store.open_fleet("default").unwrap();
        assert!(head.position >= acknowledged, "{} < {acknowledged} in round {round}", head.position);
        assert_eq!(head.position % 7, 0, "a part of a batch is there");
        let report = store.verify(head.key).unwrap();
        assert_eq!((report.rows, report.findings), (head.position, vec![]));
        assert_eq!(store.latest_snapshot(head.key).unwrap().skipped, []);
    }
}

/// Starts a writer, reads that many acknowledgements, kills it and returns the last one.
fn kill_after(acknowledgements: usize, directory: &OsStr) -> u64 {
    let mut writer = start(directory);
    let told = BufReader::new(writer.stdout.take().unwrap()).lines();
    let positions =
        told.map(|line| line.unwrap()).filter_map(|line| line.strip_prefix("durable ")?.parse().ok());
    let last = positions.take(acknowledgements).last().expect("the writer acknowledges");
    writer.kill().unwrap();
    writer.wait().unwrap();
    last
}

fn start(directory: &OsStr) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", TEST, "--nocapture"]).env(DIRECTORY, directory);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Appends batches of seven rows, with a snapshot now and then, and tells what is durable. Ends by itself only where
/// nobody listens any more.
fn write_until_killed(directory: &Path) -> ! {
    let mut store = SqliteStore::open(&DataDir::lock(directory).unwrap()).unwrap();
    let head = store.open_fleet("default").unwrap();
    let mut batch = RowBatch::new();
    for number in 0..7 {
        batch.push(number, [7; 16], "ann", "noted", |body| body.resize(body.len() + 300, b' '));
    }
    let mut position = head.position;
    // The test runner has begun a line.
    let mut told = writeln!(std::io::stdout());
    while told.is_ok() {
        position = store.append(head.key, head.epoch, position, &batch).unwrap();
        told = writeln!(std::io::stdout(), "durable {position}");
        if position.is_multiple_of(350) {
            store.write_snapshot(head.key, position, 1, &vec![1; 300_000]).unwrap();
        }
    }
    std::process::exit(0);
}
