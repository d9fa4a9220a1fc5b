//! Processes as `/proc` tells of them: who descends from whom, and who carries a run's mark.
//!
//! A number can be given to another process between a look and a signal. So a process is a number with the time at which it
//! was started, and signals go through a file descriptor that is checked against it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::environment::MARKER;

/// How long a sweep goes on at most: processes that are killed need a moment to go.
const SWEEP_LONGEST: Duration = Duration::from_secs(5);

/// A process that is not a zombie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    pub(crate) number: i32,
    pub(crate) parent: i32,
    /// In ticks since the machine was started.
    started: u64,
    pub(crate) zombie: bool,
}

/// Returns every process there is, zombies included.
fn all() -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(look).collect()
}

/// Looks at one process.
fn look(number: i32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // The name stands in parentheses and may hold anything, parentheses too.
    let fields: Vec<&str> = stat[stat.rfind(')')? + 1..].split_whitespace().collect();
    let zombie = matches!(*fields.first()?, "Z" | "X");
    Some(Process {
        number,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
        zombie,
    })
}

/// Returns whoever descends from `ancestor`, zombies included.
pub(crate) fn descendants(ancestor: i32) -> Vec<Process> {
    let all = all();
    let mut family = BTreeSet::from([ancestor]);
    let mut found = Vec::new();
    loop {
        let before = found.len();
        for process in &all {
            if family.contains(&process.parent) && family.insert(process.number) {
                found.push(*process);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// Returns whoever carries the mark in its environment, this process left out.
pub(crate) fn marked(mark: &str) -> Vec<Process> {
    let wanted = format!("{MARKER}={mark}");
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let carries = |process: &Process| {
        let environment = std::fs::read(format!("/proc/{}/environ", process.number)).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    all().into_iter().filter(|it| it.number != own && !it.zombie).filter(carries).collect()
}

/// Sends a signal to a process, if it is still the same one.
pub(crate) fn signal(process: Process, signal: Signal) {
    let Some(pid) = Pid::from_raw(process.number) else { return };
    let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if look(process.number).is_some_and(|now| now.started == process.started) {
        // It may have ended in between: then there is nobody to tell.
        let _ = pidfd_send_signal(&handle, signal);
    }
}

/// Kills whoever carries the mark, until nobody does. Returns how many there were; nothing where some could not be killed.
pub(crate) fn sweep(mark: &str) -> Option<usize> {
    let begun = Instant::now();
    let mut seen = BTreeSet::new();
    loop {
        let found = marked(mark);
        if found.is_empty() {
            return Some(seen.len());
        }
        if begun.elapsed() > SWEEP_LONGEST {
            return None;
        }
        for process in found {
            seen.insert((process.number, process.started));
            signal(process, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_sweep_ends_whoever_carries_the_mark_and_nobody_else() {
        let mark = format!("test-{}", std::process::id());
        let start = |mark: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", "sleep 600 & wait"]).env(MARKER, mark).stdout(Stdio::null());
            command.spawn().expect("sh starts")
        };
        let (mut one, mut other) = (start(&mark), start(&format!("{mark}-other")));
        // Two shells, and what each of them has started.
        let own = i32::try_from(std::process::id()).expect("a number");
        while descendants(own).len() < 4 || marked(&mark).len() < 2 {
            std::thread::yield_now();
        }
        assert!(sweep(&mark) >= Some(2));
        assert!(marked(&mark).is_empty());
        assert!(!one.wait().expect("it ends").success());
        assert!(other.try_wait().expect("it can be asked").is_none(), "the other one lives");
        sweep(&format!("{mark}-other"));
        other.wait().expect("it ends");
    }
}
