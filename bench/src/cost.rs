//! What a command costs where many tasks are open: it must not grow with their number.

use std::sync::Arc;
use std::time::Instant;

use kapell_core::{Command, Event, TaskRef};

use crate::Options;
use crate::core_life::{Fleet, agent_name, kinds};
use crate::table::{Table, median};

/// Measures submit and finish-and-place with a thousand, a hundred thousand and a million open tasks.
pub fn measure(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let sizes: &[usize] = if options.quick { &[1_000, 100_000] } else { &[1_000, 100_000, 1_000_000] };
    for &size in sizes {
        let (submit, finish) = costs(size);
        let figure = format!("submit {submit:.2} µs, finish and place the next {finish:.2} µs");
        table.add(
            &format!("cost of a command with {size} open tasks"),
            figure,
            "does not grow",
            "100 agents, all busy, 40 classes",
        );
    }
    Ok(())
}

/// Returns the median microseconds of a submit and of a finish that frees a slot for a waiting task.
fn costs(open: usize) -> (f64, f64) {
    let mut fleet = Fleet::new(100);
    let kinds = kinds();
    let mut owned = std::collections::VecDeque::new();
    let note = |fleet: &Fleet| -> Vec<_> {
        let assigned = fleet.records.iter().filter_map(|record| match record.event {
            Event::TaskAssigned { task, agent, assignment, .. } => Some((task, agent, assignment)),
            _ => None,
        });
        assigned.collect()
    };
    for index in 0..open {
        fleet.execute(Command::Submit { spec: Arc::clone(&kinds[index % kinds.len()]), edges: Vec::new() });
        owned.extend(note(&fleet));
    }
    let (mut submits, mut finishes) = (Vec::new(), Vec::new());
    for index in 0..2_000_usize.min(open / 2) {
        let started = Instant::now();
        fleet.execute(Command::Submit { spec: Arc::clone(&kinds[index % kinds.len()]), edges: Vec::new() });
        submits.push(started.elapsed().as_secs_f64() * 1e6);
        owned.extend(note(&fleet));
        let (task, agent, assignment) = owned.pop_front().expect("agents are busy");
        let command = Command::Finish {
            task: TaskRef::Id(task),
            agent: agent_name(agent.index()),
            assignment,
            result: None,
        };
        let started = Instant::now();
        fleet.execute(command);
        finishes.push(started.elapsed().as_secs_f64() * 1e6);
        owned.extend(note(&fleet));
    }
    (median(submits), median(finishes))
}
