//! Commands that finished work must pass (gates of the kind `command`): run where the work is, and reported.

use std::io::{self, ErrorKind, Read as _};
use std::process::{Child, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use kapell_api::{CheckReport, ErrorCode, Task};

use crate::attempt::{Orders, Signals, keep, persist};
use crate::crew::Crew;
use crate::environment::{self, MARKER};
use crate::ledger::Run;
use crate::outcome::{cut, span};
use crate::supervise::{self, Launch};
use crate::{git, process};

/// Commands of one task; the server has the same bound.
const CHECKS_MAX: usize = 8;
/// States in which nothing comes back.
const ENDED: [&str; 4] = ["completed", "failed", "cancelled", "archived"];
/// What is reported of the end of an output, and of the command before it: less in all than the server takes as notes (4 KiB).
const NOTES_BYTES_MAX: usize = 3 * 1024;
const LINE_BYTES_MAX: usize = 200;
/// What is kept of an output, beside its digest.
const END_BYTES_MAX: usize = 64 * 1024;
/// What is said to have ended a command that was stopped, or whose end nobody saw.
const STOPPED: i32 = 124;
/// The code of a command that could not be started.
const NOT_STARTED: i32 = 127;
/// What is added to the number of a signal that has ended a command, as shells do.
const BY_SIGNAL: i32 = 128;
/// Whoever holds the output open is waited for no longer than this, once the supervisor has gone.
const GONE_LONGEST: Duration = Duration::from_secs(2);

/// Runs the commands before which finished work stands, one after the other, as long as they pass. Tells whether the work is
/// over for this assignment; else it stands before another gate, was sent back, or the runner stops. A server that is away is
/// waited for, and how a command ended is kept until it knows.
pub(crate) fn is_over(crew: &Crew, run: &mut Run, signals: &Signals) -> bool {
    let shared = &crew.shared;
    let it = run.assignment.clone();
    let mut refused = None;
    // Once more than there are gates: the last one may have been reported before this began.
    for _ in 0..=CHECKS_MAX {
        if let Some(report) = run.check.clone() {
            match persist(shared, &it, || shared.client.check(&it.task, &report)) {
                Some(Ok(_)) => {}
                // The server may have known it already, and then goes on to the next gate.
                Some(Err(_)) => refused = report.gate,
                None => return false,
            }
            run.check = None;
            keep(shared, run);
        }
        let task = match persist(shared, &it, || shared.client.task(&it.task)) {
            Some(Ok(task)) => task,
            Some(Err(problem)) => return problem.code == ErrorCode::NotFound,
            None => return false,
        };
        if !is_of(&task, &it.assignment) || !git::stands(&run.worktree, &run.branch) {
            return true;
        }
        if signals.stopped().is_some() {
            return false;
        }
        let open = task.gates.iter().find(|gate| gate.state == "open");
        let Some((number, line)) = open.and_then(|gate| Some((gate.number, gate.command.clone()?))) else {
            return false;
        };
        let gate = u8::try_from(number).ok();
        if refused.is_some() && refused == gate {
            return false;
        }
        let shown = cut(&line, LINE_BYTES_MAX);
        if !shared.config.checks.allow(&line) {
            shared.tell(&format!(
                "{} {} {}: `{shown}` is not run here, by `checks`; somebody else must report how it ends",
                it.agent, it.assignment, it.task
            ));
            return false;
        }
        shared.tell(&format!("{} {} {}: runs `{shown}`", it.agent, it.assignment, it.task));
        let report = execute(crew, run, &line, signals);
        if shared.stop.asked() {
            // The runner is what has ended it: it is run again by the next one.
            return false;
        }
        if signals.stopped().is_some() {
            // The work is not its own any more; the server says so again.
            continue;
        }
        shared.tell(&format!(
            "{} {} {}: `{shown}` ended with {}",
            it.agent, it.assignment, it.task, report.exit_code
        ));
        run.check = Some(CheckReport { gate, agent: Some(it.agent.clone()), ..report });
        keep(shared, run);
    }
    false
}

/// Tells whether a task that has not ended is this assignment's.
pub(crate) fn is_of(task: &Task, assignment: &str) -> bool {
    task.assignment.as_deref() == Some(assignment) && !ENDED.contains(&task.state.as_str())
}

/// Runs one command where the work is, under a supervisor like an agent.
fn execute(crew: &Crew, run: &Run, line: &str, signals: &Signals) -> CheckReport {
    let it = &run.assignment;
    let fill = |name: &str| match name {
        "agent" => it.agent.clone(),
        "assignment" => it.assignment.clone(),
        "task" => it.task.clone(),
        _ => run.worktree.display().to_string(),
    };
    let environment = environment::of(&crew.agent, crew.shared.environment(), fill, &[&crew.shared.token]);
    let begun = Instant::now();
    let folder = crew.shared.ledger.folder(&it.assignment).join("check");
    let start = || -> io::Result<Child> {
        std::fs::create_dir_all(&folder)?;
        let launch = Launch {
            program: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), format!("exec 2>&1\n{line}")],
            directory: run.worktree.clone(),
            input: None,
            talks: false,
        };
        let mut command = supervise::supervisor(&folder, &launch)?;
        command.env_clear().envs(&environment.variables).env(MARKER, &run.mark).stderr(Stdio::null()).spawn()
    };
    let not_started =
        |error: &str| (NOT_STARTED, Output::of(format!("it could not be started: {error}").as_bytes()));
    let (exit_code, output) = match start() {
        Ok(child) => {
            let (stopped, output) = attend(crew, child, run, signals);
            match supervise::ended(&folder) {
                _ if stopped => (STOPPED, output),
                Some(supervise::Ended::Code(code)) => (code, output),
                Some(supervise::Ended::Signal(signal)) => (BY_SIGNAL + signal, output),
                Some(supervise::Ended::NotStarted(error)) => not_started(&error),
                None => (STOPPED, output),
            }
        }
        Err(error) => not_started(&error.to_string()),
    };
    let told = String::from_utf8_lossy(&output.end).into_owned();
    let shown: String =
        environment.redactor.text(&told).chars().filter(|c| !c.is_control() || *c == '\n').collect();
    let start = shown.ceil_char_boundary(shown.len().saturating_sub(NOTES_BYTES_MAX));
    let line = cut(line, LINE_BYTES_MAX);
    let notes =
        format!("`{line}` ended with {exit_code} after {}\n{}", span(begun.elapsed()), shown[start..].trim());
    let digest = format!("blake3:{}", output.digest.finalize().to_hex());
    CheckReport { exit_code, digest, notes: notes.trim().to_owned(), gate: None, agent: None }
}

/// What a command has written: the digest of all of it, and its end.
#[derive(Default)]
struct Output {
    digest: blake3::Hasher,
    end: Vec<u8>,
}

impl Output {
    fn of(bytes: &[u8]) -> Self {
        let mut output = Self::default();
        output.add(bytes);
        output
    }

    fn add(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.end.extend_from_slice(bytes);
        // The redactor looks at more than what is told, so that a secret that begins before it is found whole.
        if self.end.len() > 4 * END_BYTES_MAX {
            self.end.drain(..self.end.len() - END_BYTES_MAX);
        }
    }
}

/// Waits for a command and whatever it has started, up to the time limit; then all of it is stopped. Tells whether it was.
fn attend(crew: &Crew, mut child: Child, run: &Run, signals: &Signals) -> (bool, Output) {
    let (say, hear) = channel();
    let mut orders = Orders(child.stdin.take());
    let mut pipe = child.stdout.take();
    std::thread::spawn(move || {
        let (mut output, mut chunk) = (Output::default(), vec![0; 16 * 1024]);
        while let Some(pipe) = &mut pipe {
            match pipe.read(&mut chunk) {
                Ok(count) if count > 0 => output.add(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        let _ = say.send(output);
    });
    let begun = Instant::now();
    let (mut stopped, mut hurried) = (false, false);
    let mut gone: Option<Instant> = None;
    let output = loop {
        match hear.recv_timeout(Duration::from_millis(100)) {
            Ok(output) => break output,
            Err(RecvTimeoutError::Disconnected) => break Output::default(),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let stop = &crew.shared.stop;
        let late = begun.elapsed() > crew.agent.time_limit;
        if !stopped && (late || stop.asked() || signals.stopped().is_some()) {
            stopped = true;
            orders.stop(crew.shared.config.stop_grace);
        }
        if stop.at_once() && !hurried {
            hurried = true;
            orders.stop(Duration::ZERO);
        }
        // The supervisor was killed: whoever is left holds the output open.
        match gone {
            None if child.try_wait().is_ok_and(|status| status.is_some()) => {
                process::sweep(&run.mark);
                gone = Some(Instant::now());
            }
            Some(since) if since.elapsed() > GONE_LONGEST => break Output::default(),
            _ => {}
        }
    };
    process::sweep(&run.mark);
    let _ = child.wait();
    (stopped, output)
}
