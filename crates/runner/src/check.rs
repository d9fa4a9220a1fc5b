//! Commands that finished work must pass (gates of the kind `command`): run where the work is, and reported.

use std::io::{ErrorKind, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use kapell_api::{CheckReport, ErrorCode};

use crate::attempt::Signals;
use crate::crew::Crew;
use crate::environment::{self, MARKER};
use crate::ledger::Run;
use crate::outcome::span;
use crate::{git, process};

/// Commands of one task; the server has the same bound.
const CHECKS_MAX: usize = 8;
/// States in which nothing comes back.
const ENDED: [&str; 4] = ["completed", "failed", "cancelled", "archived"];
/// What is reported of the end of an output.
const NOTES_BYTES_MAX: usize = 3 * 1024;
/// What is kept of an output, beside its digest.
const END_BYTES_MAX: usize = 64 * 1024;
/// What is said to have ended a command that was stopped.
const STOPPED: i32 = 124;

/// How a command ended.
struct Ended {
    exit_code: i32,
    digest: String,
    notes: String,
}

/// Runs the commands before which finished work stands, one after the other, as long as they pass. Tells whether the work is
/// over for this assignment; else it stands before another gate, was sent back, or nothing is known.
pub(crate) fn is_over(crew: &Crew, run: &Run, signals: &Signals) -> bool {
    let (shared, it) = (&crew.shared, &run.assignment);
    let hurried = || shared.stop.asked() || signals.stopped().is_some();
    for _ in 0..CHECKS_MAX {
        let task = match shared.client.task(&it.task) {
            Ok(task) => task,
            Err(error) => return error.problem().is_some_and(|problem| problem.code == ErrorCode::NotFound),
        };
        let ours = task.assignment.as_deref() == Some(&it.assignment);
        if ENDED.contains(&task.state.as_str()) || !ours || !git::stands(&run.worktree, &run.branch) {
            return true;
        }
        let open = task.gates.iter().find(|gate| gate.state == "open");
        let Some((number, line)) = open.and_then(|gate| Some((gate.number, gate.command.clone()?))) else {
            return false;
        };
        shared.tell(&format!("{} {} {}: runs `{line}`", it.agent, it.assignment, it.task));
        let ended = execute(crew, run, &line, &hurried);
        if hurried() {
            // The runner is what has ended it: it is run again by the next one.
            return false;
        }
        shared.tell(&format!(
            "{} {} {}: `{line}` ended with {}",
            it.agent, it.assignment, it.task, ended.exit_code
        ));
        let report = CheckReport {
            exit_code: ended.exit_code,
            digest: ended.digest,
            notes: ended.notes,
            gate: u8::try_from(number).ok(),
            agent: Some(it.agent.clone()),
        };
        if let Err(error) = shared.client.check(&it.task, &report) {
            shared.tell(&format!("{} {} {}: {error}", it.agent, it.assignment, it.task));
            return false;
        }
    }
    false
}

fn execute(crew: &Crew, run: &Run, line: &str, hurried: &dyn Fn() -> bool) -> Ended {
    let it = &run.assignment;
    let fill = |name: &str| match name {
        "agent" => it.agent.clone(),
        "assignment" => it.assignment.clone(),
        "task" => it.task.clone(),
        _ => run.worktree.display().to_string(),
    };
    let environment = environment::of(&crew.agent, crew.shared.environment(), fill, &[&crew.shared.token]);
    let child = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{line}")])
        .current_dir(&run.worktree)
        .env_clear()
        .envs(&environment.variables)
        .env(MARKER, &run.mark)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let begun = Instant::now();
    let (exit_code, output) = match child {
        Ok(child) => attend(child, run, crew.agent.time_limit, hurried),
        Err(error) => (127, Output::of(format!("it could not be started: {error}").as_bytes())),
    };
    let told = String::from_utf8_lossy(&output.end).into_owned();
    let shown: String =
        environment.redactor.text(&told).chars().filter(|c| !c.is_control() || *c == '\n').collect();
    let start = shown.ceil_char_boundary(shown.len().saturating_sub(NOTES_BYTES_MAX));
    let notes =
        format!("`{line}` ended with {exit_code} after {}\n{}", span(begun.elapsed()), shown[start..].trim());
    Ended {
        exit_code,
        digest: format!("blake3:{}", output.digest.finalize().to_hex()),
        notes: notes.trim().to_owned(),
    }
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

/// Waits for a command and whatever it has started, up to `longest`; then all of it is killed.
fn attend(mut child: Child, run: &Run, longest: Duration, hurried: &dyn Fn() -> bool) -> (i32, Output) {
    let (say, hear) = channel();
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
    let mut stopped = false;
    let output = loop {
        match hear.recv_timeout(Duration::from_millis(100)) {
            Ok(output) => break output,
            Err(RecvTimeoutError::Disconnected) => break Output::default(),
            Err(RecvTimeoutError::Timeout) if begun.elapsed() > longest || hurried() => {
                stopped = true;
                let _ = child.kill();
                process::sweep(&run.mark);
            }
            // It has ended, and somebody whom it has started holds its output open.
            Err(RecvTimeoutError::Timeout) if child.try_wait().is_ok_and(|status| status.is_some()) => {
                process::sweep(&run.mark);
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    process::sweep(&run.mark);
    let code = child.wait().ok().and_then(|status| status.code()).unwrap_or(STOPPED);
    (if stopped { STOPPED } else { code }, output)
}
