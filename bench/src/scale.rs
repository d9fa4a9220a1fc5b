//! A fleet of a million open tasks: its memory, its snapshots, its start, and a tick in which nothing happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kapell_core::{Command, Engine, Liveness, Require, SNAPSHOT_FORMAT, State, TaskRef, TaskSpec};
use kapell_model::{DependencyKind, Moment, Name, Priority, Ratio, Span, TaskId, Text};
use kapell_plan::Greedy;
use rustix::time::{ClockId, clock_gettime};

use crate::Options;
use crate::core_life::{Fleet, agent};
use crate::table::{Table, median, thousands};

/// Measures all of it on one fleet.
pub fn measure(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let (agents, tasks) = if options.quick { (1_000, 100_000) } else { (10_000, 1_000_000) };
    let on =
        format!("{} open tasks in 200 classes, {} agents", thousands(tasks as f64), thousands(agents as f64));
    let mut fleet = Fleet::new(0);
    // Nobody is online, so that every task stays open and waits.
    for index in 0..agents {
        fleet.execute(Command::RegisterAgent { spec: agent(index), online: false });
    }
    let (before, mut text) = (resident("self")?, 0);
    for index in 0..tasks {
        let (spec, edges) = task(index);
        text += spec.title.as_str().len() + spec.description.as_str().len();
        fleet.execute(Command::Submit { spec, edges });
    }
    let bytes = (resident("self")? - before - text as f64) / tasks as f64;
    table.add("memory of an open task without its text", format!("{bytes:.0} bytes"), "1,536", &format!(
        "{on}; resident size; each with its own key and names, two requirements, a quarter of them behind another one"
    ));
    tick(&mut fleet, table, &on);
    snapshot(fleet, table, &on)
}

/// Looks at every lease and timer where nothing is due.
fn tick(fleet: &mut Fleet, table: &mut Table, on: &str) {
    let now = fleet.engine.state().at();
    let mut liveness = Liveness::new(fleet.engine.state(), now);
    let mut spent = Vec::new();
    for second in 1..=30 {
        let started = cpu();
        let commands = liveness.lapsed(fleet.engine.state(), Moment(now.0 + second * 1_000));
        assert!(commands.is_empty(), "nothing has lapsed");
        fleet.execute(Command::Tick);
        spent.push((cpu() - started).as_secs_f64() * 1e3);
    }
    table.add(
        "a tick in which nothing has changed",
        format!("{:.3} ms", median(spent)),
        "1 ms",
        &format!("{on}; CPU time"),
    );
}

/// Takes a view, changes tasks while it is written elsewhere, and starts from what was written.
fn snapshot(mut fleet: Fleet, table: &mut Table, on: &str) -> anyhow::Result<()> {
    let tasks = fleet.engine.state().tasks().len();
    let started = cpu();
    let facts = fleet.engine.state().facts();
    let taken = (cpu() - started).as_secs_f64() * 1e3;
    let writing = std::thread::spawn(move || (facts.to_bytes(), cpu()));
    let (mut longest, mut commands) = (Duration::ZERO, 0_usize);
    while !writing.is_finished() || commands < 10_000 {
        // Tasks from all over the fleet, so that every one lies in a segment that the view still shares.
        let id = TaskId(u32::try_from(commands * 7_919 % tasks + 1)?);
        let reason = Text::from("measured");
        let started = cpu();
        if commands.is_multiple_of(2) {
            fleet.try_execute(Command::Cancel { task: TaskRef::Id(id), reason });
        } else {
            fleet.try_execute(Command::Reopen { task: TaskRef::Id(id), reason });
        }
        longest = longest.max(cpu() - started);
        commands += 1;
    }
    let (bytes, wrote) = writing.join().expect("it was written");
    let longest = longest.as_secs_f64() * 1e3;
    table.add(
        "a snapshot: longest pause of the writer",
        format!("{:.2} ms", taken.max(longest)),
        "",
        &format!(
            "{on}; a view in {taken:.2} ms, the longest of {} commands meanwhile {longest:.2} ms; {:.0} MB \
             written beside it in {:.1} s; CPU time",
            thousands(commands as f64),
            bytes.len() as f64 / 1e6,
            wrote.as_secs_f64()
        ),
    );
    drop(fleet);
    let (started, busy) = (Instant::now(), cpu());
    let state = State::from_snapshot(SNAPSHOT_FORMAT, &bytes)?;
    let engine = Engine::new(state, Greedy::default());
    let (took, busy) = (started.elapsed().as_secs_f64(), (cpu() - busy).as_secs_f64());
    anyhow::ensure!(engine.state().tasks().len() == tasks, "every task is there");
    table.add(
        "start from a snapshot",
        format!("{took:.2} s, {busy:.2} s of CPU"),
        "5 s",
        &format!("{on}; from its bytes to an engine"),
    );
    Ok(())
}

/// Returns the bytes of a process that are in memory; its id, or `self`.
pub fn resident(process: &str) -> anyhow::Result<f64> {
    let pages = std::fs::read_to_string(format!("/proc/{process}/statm"))?;
    let pages: f64 = pages.split(' ').nth(1).unwrap_or("0").parse()?;
    Ok(pages * rustix::param::page_size() as f64)
}

/// Returns the CPU time of this thread.
pub fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

/// Returns task `index` as it would come through the door: nothing of it is shared with another one.
fn task(index: usize) -> (Arc<TaskSpec>, Vec<(TaskRef, DependencyKind)>) {
    let name = |text: String| Name::new(&text).expect("a name");
    let class = index % 200;
    let require = |number: usize| Require {
        capability: name(format!("capability-{}", number % 16)),
        weight: Ratio::UNIT,
        minimum: Ratio::ZERO,
    };
    let title = format!("Task {index}: one line that tells what is to be done here");
    let description = format!("{title}. {}", "It goes on for a while with what should be known. ".repeat(8));
    let mut spec = TaskSpec::titled(Text::filled(&title, 500).expect("a title"));
    spec.description = Text::filled(&description, 64 * 1024).expect("a description");
    spec.kind = name(["task", "bug", "feature"][class % 3].to_owned());
    spec.priority = Priority::ALL[1 + class % 3];
    spec.key = Some(name(format!("bench/task-{index}")));
    spec.project = Some(name(format!("project-{}", class / 40)));
    spec.requires = vec![require(class), require(class / 16 + class + 1)];
    spec.estimate = Some(Span::hours(1 + i64::try_from(class % 8).unwrap_or(0)));
    spec.labels = vec![Text::filled(["backend", "frontend"][class % 2], 100).expect("a label")];
    let on = TaskRef::Id(TaskId(u32::try_from(index / 2 + 1).unwrap_or(1)));
    let edges = if index % 4 == 3 { vec![(on, DependencyKind::Blocks)] } else { Vec::new() };
    (Arc::new(spec), edges)
}
