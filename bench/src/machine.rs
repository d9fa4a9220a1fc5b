//! What the machine itself can do: nothing of Kapell is in these figures.

use std::fs::File;
use std::io::Write as _;
use std::time::Instant;

use kapell_store::{DataDir, RowBatch, SqliteStore, Store as _};

use crate::Options;
use crate::table::{Table, median, per_second};

/// Measures `fdatasync` and bare SQLite at the sizes that the other measurements use.
pub fn measure(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism()?;
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        model.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    table.add("machine", format!("{cores} cores, {}", model.unwrap_or("unknown")), "", "");
    let rounds = if options.quick { 50 } else { 300 };
    let sync = fdatasync(rounds)?;
    table.add("fdatasync, 4 KiB", format!("{:.0} µs", sync * 1e6), "", "one file, appended, median");
    table.add(
        "bare SQLite, one row a commit",
        per_second(1.0 / commit(rounds, 1)?),
        "",
        "WAL, synchronous=FULL, 200-byte rows",
    );
    let rows = 20_000;
    let rate = rows as f64 / commit(if options.quick { 3 } else { 15 }, rows)?;
    table.add("bare SQLite, 20,000 rows a commit", per_second(rate), "", "the same table and rows");
    Ok(())
}

fn fdatasync(rounds: usize) -> anyhow::Result<f64> {
    let directory = tempfile::tempdir()?;
    let mut file = File::create(directory.path().join("sync"))?;
    let mut took = Vec::new();
    for _ in 0..rounds {
        let started = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        took.push(started.elapsed().as_secs_f64());
    }
    Ok(median(took))
}

/// Returns the median seconds of a commit of `rows` rows.
pub fn commit(rounds: usize, rows: usize) -> anyhow::Result<f64> {
    let directory = tempfile::tempdir()?;
    let mut connection = rusqlite::Connection::open(directory.path().join("bare.db"))?;
    connection.execute_batch(
        "pragma journal_mode=wal; pragma synchronous=full;
         create table log (fleet integer, position integer, epoch integer, at integer, command blob, actor text,
                           kind text, body text, primary key (fleet, position)) without rowid, strict;",
    )?;
    let body = "x".repeat(140);
    let mut position = 0_i64;
    let mut took = Vec::new();
    for _ in 0..rounds {
        let started = Instant::now();
        let transaction = connection.transaction()?;
        {
            let mut insert =
                transaction.prepare_cached("insert into log values (1, ?1, 1, ?2, ?3, ?4, ?5, ?6)")?;
            for _ in 0..rows {
                position += 1;
                insert.execute((
                    position,
                    1_700_000_000_000_i64,
                    [7_u8; 16].as_slice(),
                    "admin:1",
                    "task.started",
                    &body,
                ))?;
            }
        }
        transaction.commit()?;
        took.push(started.elapsed().as_secs_f64());
    }
    Ok(median(took))
}

/// Returns how many rows a second Kapell's own store appends, `rows` in all with bodies of `bytes` bytes.
pub fn store_rate(rows: usize, bytes: usize) -> anyhow::Result<f64> {
    let directory = tempfile::tempdir()?;
    let locked = DataDir::lock(directory.path())?;
    let mut store = SqliteStore::open(&locked)?;
    let head = store.open_fleet("default")?;
    // A JSON text of the size that the rows had, envelope words included.
    let body = format!("\"{}\"", "x".repeat(bytes.saturating_sub(22).max(1)));
    let mut batch = RowBatch::new();
    let mut position = 0;
    let started = Instant::now();
    while usize::try_from(position)? < rows {
        batch.clear();
        for _ in 0..20_000.min(rows - usize::try_from(position)?) {
            batch.push(1_700_000_000_000, [7; 16], "admin:1", "task.started", |out| {
                out.extend_from_slice(body.as_bytes());
            });
        }
        position = store.append(head.key, head.epoch, position, &batch)?;
    }
    Ok(rows as f64 / started.elapsed().as_secs_f64())
}
