//! Measures appending and reading, beside what SQLite and the disk do without this room.
//!
//! ```text
//! cargo run --release -p kapell-store --example append [-- DIRECTORY]
//! ```
//!
//! The bare table has the same columns, the same key and the same settings, and takes the same rows; it has no
//! checksums, no head and no owner. Three rounds of each in turn, of which the middle one is printed.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use kapell_store::{DataDir, Reader as _, RowBatch, SqliteStore, Store as _};
use rusqlite::{Connection, TransactionBehavior};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Rows per commit, and rows in all.
const LOADS: [(u64, u64); 5] =
    [(1, 5_000), (8, 40_000), (32, 160_000), (1_000, 500_000), (20_000, 1_000_000)];
const ROUNDS: usize = 3;

fn main() -> Outcome<()> {
    let place = match std::env::args_os().nth(1) {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    say(&format!("fdatasync of 4 KiB: {:?} (median)", fdatasync(place.path())?))?;
    say("rows/commit      store rows/s   commits/s    bare rows/s   store/bare   slowest commit")?;
    for (rows, total) in LOADS {
        let mut rounds = Vec::new();
        for round in 0..ROUNDS {
            let directory = place.path().join(format!("{rows}-{round}"));
            let store = append(&directory.join("store"), rows, total)?;
            let bare = append_bare(&directory.join("bare"), rows, total)?;
            rounds.push((store, bare));
        }
        report(rows, total, rounds)?;
    }
    let largest = place.path().join(format!("{}-0", LOADS[LOADS.len() - 1].0)).join("store");
    read(&largest)
}

fn report(rows: u64, total: u64, mut rounds: Vec<(Spent, Duration)>) -> io::Result<()> {
    let per_second = |count: u64, time: Duration| count as f64 / time.as_secs_f64();
    rounds.sort_by_key(|(store, _)| store.whole);
    let (store, slowest) = (rounds[ROUNDS / 2].0.whole, rounds[ROUNDS / 2].0.slowest);
    rounds.sort_by_key(|(_, bare)| *bare);
    let bare = rounds[ROUNDS / 2].1;
    say(&format!(
        "{rows:>11} {:>17.0} {:>11.0} {:>14.0} {:>11.0}% {slowest:>16.1?}",
        per_second(total, store),
        per_second(total / rows, store),
        per_second(total, bare),
        100.0 * bare.as_secs_f64() / store.as_secs_f64(),
    ))
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// What a run took.
struct Spent {
    whole: Duration,
    slowest: Duration,
}

fn fdatasync(directory: &Path) -> io::Result<Duration> {
    let mut file = File::create(directory.join("fdatasync"))?;
    let mut times = Vec::new();
    for _ in 0..500 {
        let start = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times[times.len() / 2])
}

/// Fills a batch with rows of about 200 bytes of JSON.
fn fill(batch: &mut RowBatch, after: u64, rows: u64) {
    batch.clear();
    for number in after + 1..=after + rows {
        let command = (u128::from(number) * 0x9e37_79b9_7f4a_7c15).to_be_bytes();
        batch.push(1_700_000_000_000 + number as i64, command, "agent-0042", "task_completed", |body| {
            write!(
                body,
                r#"{{"task":{number},"assignment":{},"agent":42,"result":"{:0<100}","duration_ms":{},"placed":[{},{}]}}"#,
                number * 3,
                number * 7,
                number % 100_000,
                number + 1,
                number + 2,
            )
            .expect("a vector takes every byte");
        });
    }
}

fn append(directory: &Path, rows: u64, total: u64) -> Outcome<Spent> {
    let mut store = SqliteStore::open(&DataDir::lock(directory)?)?;
    let head = store.open_fleet("default")?;
    let mut batch = RowBatch::new();
    let (mut position, mut spent) = (0, Spent { whole: Duration::ZERO, slowest: Duration::ZERO });
    while position < total {
        fill(&mut batch, position, rows);
        let start = Instant::now();
        position = store.append(head.key, head.epoch, position, &batch)?;
        let time = start.elapsed();
        spent.whole += time;
        spent.slowest = spent.slowest.max(time);
    }
    Ok(spent)
}

fn append_bare(directory: &Path, rows: u64, total: u64) -> Outcome<Duration> {
    let mut connection = bare(directory)?;
    let mut batch = RowBatch::new();
    let (mut position, mut whole) = (0, Duration::ZERO);
    while position < total {
        fill(&mut batch, position, rows);
        let start = Instant::now();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO record VALUES (1, ?1, 1, ?2, ?3, ?4, ?5, ?6, 0)")?;
            for row in batch.rows(1, position) {
                let body = std::str::from_utf8(row.body)?;
                insert.execute((
                    row.position as i64,
                    row.at_ms,
                    &row.command[..],
                    row.actor,
                    row.kind,
                    body,
                ))?;
            }
        }
        transaction.commit()?;
        whole += start.elapsed();
        position += rows;
    }
    Ok(whole)
}

fn bare(directory: &Path) -> Outcome<Connection> {
    std::fs::create_dir_all(directory)?;
    let connection = Connection::open(directory.join("bare.db"))?;
    connection.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;
         PRAGMA wal_autocheckpoint = 2000;
         CREATE TABLE record (fleet INTEGER NOT NULL, position INTEGER NOT NULL, epoch INTEGER NOT NULL,
             at_ms INTEGER NOT NULL, command BLOB NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL,
             body TEXT NOT NULL, checksum INTEGER NOT NULL, PRIMARY KEY (fleet, position)) STRICT, WITHOUT ROWID;",
    )?;
    Ok(connection)
}

fn read(directory: &Path) -> Outcome<()> {
    let mut store = SqliteStore::open(&DataDir::lock(directory)?)?;
    let head = store.fleet("default")?.ok_or("the fleet is there")?;
    let start = Instant::now();
    let (mut after, mut bytes) = (0, 0);
    while after < head.position {
        after = store.read(head.key, after, 10_000, &mut |row| bytes += black_box(row.body).len())?;
    }
    let time = start.elapsed();
    let rate = head.position as f64 / time.as_secs_f64();
    let size = OpenOptions::new().read(true).open(directory.join("kapell.db"))?.metadata()?.len();
    say(&format!("read and verified: {rate:.0} rows/s ({bytes} bytes of bodies, the file has {size})"))?;
    let start = Instant::now();
    let report = store.verify(head.key)?;
    say(&format!(
        "whole verification: {:.0} rows/s, {}",
        report.rows as f64 / start.elapsed().as_secs_f64(),
        report.is_whole()
    ))
    .map_err(Into::into)
}
