//! How fast a start folds its log.

use std::time::Instant;

use kapell_core::{Command, TaskRef};
use kapell_store::{DataDir, RowBatch, SqliteStore, Store as _};

use crate::Options;
use crate::core_life::{Fleet, agent_name, kinds};
use crate::table::{Table, median, per_second, thousands};

/// Writes a log of whole lives, then opens it as a server does.
pub fn measure(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let tasks = if options.quick { 50_000 } else { 250_000 };
    let directory = tempfile::tempdir()?;
    let events = write(directory.path(), tasks)?;
    let mut rates = Vec::new();
    for _ in 0..3 {
        let locked = DataDir::lock(directory.path())?;
        let store = SqliteStore::open(&locked)?;
        let mut reader = store.reader()?;
        let head = reader.fleet("default")?.expect("it was written");
        let started = Instant::now();
        let loaded = kapell_server::load(reader.as_mut(), "default", head.key)?;
        rates.push(events as f64 / started.elapsed().as_secs_f64());
        anyhow::ensure!(loaded.state.position().0 == events, "the log was folded to its end");
    }
    table.add(
        "replay of a log in SQLite",
        format!("{} events", per_second(median(rates))),
        "400,000/s",
        &format!(
            "{} events of {} whole lives, every row verified",
            thousands(events as f64),
            thousands(tasks as f64)
        ),
    );
    Ok(())
}

fn write(directory: &std::path::Path, tasks: usize) -> anyhow::Result<u64> {
    let locked = DataDir::lock(directory)?;
    let mut store = SqliteStore::open(&locked)?;
    let head = store.open_fleet("default")?;
    let mut fleet = Fleet::new(0);
    let mut rows = RowBatch::new();
    let mut position = 0;
    let mut flush = |fleet: &Fleet, rows: &mut RowBatch, all: bool| -> anyhow::Result<()> {
        for record in &fleet.records {
            let command = record.command.0.to_be_bytes();
            rows.push(record.at.0, command, &record.actor, record.event.kind(), |out| {
                record.event.encode(out);
            });
        }
        if all || rows.len() > 20_000 {
            position = store.append(head.key, head.epoch, position, rows)?;
            rows.clear();
        }
        Ok(())
    };
    for index in 0..100 {
        fleet.execute(Command::RegisterAgent { spec: crate::core_life::agent(index), online: true });
        flush(&fleet, &mut rows, false)?;
    }
    let kinds = kinds();
    let mut open = std::collections::VecDeque::new();
    for index in 0..tasks {
        fleet.execute(Command::Submit {
            spec: std::sync::Arc::clone(&kinds[index % kinds.len()]),
            edges: Vec::new(),
        });
        flush(&fleet, &mut rows, false)?;
        crate::core_life::assigned(&fleet.records, &mut open);
        while let Some((task, agent, assignment)) = open.pop_front() {
            let (task, agent) = (TaskRef::Id(task), agent_name(agent));
            fleet.execute(Command::Start { task: task.clone(), agent: agent.clone(), assignment });
            flush(&fleet, &mut rows, false)?;
            fleet.execute(Command::Finish { task, agent, assignment, result: None });
            flush(&fleet, &mut rows, false)?;
            crate::core_life::assigned(&fleet.records, &mut open);
        }
    }
    fleet.records.clear();
    flush(&fleet, &mut rows, true)?;
    Ok(fleet.engine.state().position().0)
}
