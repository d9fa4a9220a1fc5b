//! The supervisor: a process between the runner and an agent that ends the agent's whole tree.
//!
//! ```text
//! runner ── pipe ── supervisor ── agent ── whatever it starts
//! ```
//!
//! The supervisor is a session of its own (nobody's Ctrl-C reaches it) and the reaper of all its descendants (nobody
//! leaves it by forking twice). The agent is again a session of its own, and dies with the supervisor by the kernel's
//! word. The pipe brings orders; where it ends, the runner is gone, and the agent is stopped. When the agent itself
//! has ended, whatever it left behind is ended too. How it went is written to a file, so that a runner that was killed
//! can still read it.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpid, getppid, kill_process_group, set_child_subreaper,
    set_parent_process_death_signal, setsid, waitid,
};
use serde::{Deserialize, Serialize};

use crate::process::{self, Process};

/// The hidden verb of the program under which [`Child::run`] is reached.
pub const CHILD_VERB: &str = "runner-child";
/// This very program, even where its file was replaced meanwhile.
const SELF: &str = "/proc/self/exe";
/// From asking to killing, where the runner is gone or the agent has ended and left something behind.
const GRACE_ALONE: Duration = Duration::from_secs(2);
/// How often ended orphans are reaped while an agent works.
const REAP_EVERY: Duration = Duration::from_secs(30);
/// How often is looked whether everybody has gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a supervisor starts; it stands in a file of the run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) program: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) directory: PathBuf,
    /// What the agent reads; nothing where absent.
    pub(crate) input: Option<PathBuf>,
    /// Whether it reads what the runner says, line by line, instead.
    pub(crate) talks: bool,
}

/// How an agent ended; it stands in a file of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It could not be started.
    NotStarted(String),
}

const LAUNCH_FILE: &str = "launch.json";
const ENDED_FILE: &str = "ended.json";
const NOT_STARTED_FILE: &str = "not-started";

/// What a process of this program does as a runner's child.
#[derive(Debug)]
pub enum Child {
    /// Starts an agent and answers for its tree.
    Supervise {
        /// The directory of the run.
        run: PathBuf,
    },
    /// Becomes the agent.
    BecomeAgent {
        /// The directory of the run.
        run: PathBuf,
        /// The supervisor.
        supervisor: i32,
    },
}

impl Child {
    /// Does it. Becoming the agent returns only where that fails.
    pub fn run(self) -> io::Result<()> {
        match self {
            Self::Supervise { run } => supervise(&run),
            Self::BecomeAgent { run, supervisor } => {
                let error = become_agent(&run, supervisor);
                fs::write(run.join(NOT_STARTED_FILE), error.to_string())?;
                Err(error)
            }
        }
    }
}

/// Returns the command that supervises a run; its standard input takes orders.
pub(crate) fn supervisor(run: &Path, launch: &Launch) -> io::Result<Command> {
    fs::write(run.join(LAUNCH_FILE), serde_json::to_vec(launch)?)?;
    for old in [ENDED_FILE, NOT_STARTED_FILE] {
        match fs::remove_file(run.join(old)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let mut command = Command::new(SELF);
    command.arg0("kapell").arg(CHILD_VERB).arg("supervise").arg(run);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// Returns the order to stop: the agent is asked, and killed after the grace.
pub(crate) fn stop_order(grace: Duration) -> String {
    format!("stop {}\n", grace.as_millis())
}

/// Returns the order to hand a line on to the agent.
pub(crate) fn say_order(line: &str) -> String {
    format!("say {line}\n")
}

/// Returns how a run's agent ended, where its supervisor came to write it.
pub(crate) fn ended(run: &Path) -> Option<Ended> {
    serde_json::from_slice(&fs::read(run.join(ENDED_FILE)).ok()?).ok()
}

enum Heard {
    /// Stop the agent; kill it after so long.
    Stop(Duration),
    /// The agent itself has ended; it is still to be reaped.
    LeaderEnded,
}

fn supervise(run: &Path) -> io::Result<()> {
    setsid()?;
    set_child_subreaper(Some(getpid()))?;
    let launch: Launch = serde_json::from_slice(&fs::read(run.join(LAUNCH_FILE))?)?;
    let (say, hear) = channel();
    let (leader, input) = match start(run, &launch) {
        Ok(started) => started,
        Err(error) => return write_ended(run, &Ended::NotStarted(error.to_string())),
    };
    listen(say.clone(), input);
    watch(leader, say);
    until_ended(leader, &hear);
    end_rest(leader);
    let status = waitid(WaitId::Pid(leader), WaitIdOptions::EXITED)?;
    let ended = match status.map(|status| (status.exit_status(), status.terminating_signal())) {
        Some((Some(_), _)) if run.join(NOT_STARTED_FILE).exists() => {
            Ended::NotStarted(fs::read_to_string(run.join(NOT_STARTED_FILE))?)
        }
        Some((Some(code), _)) => Ended::Code(code),
        Some((_, Some(signal))) => Ended::Signal(signal),
        _ => Ended::NotStarted("it ended in a way that is not known".to_owned()),
    };
    write_ended(run, &ended)
}

/// Starts what will be the agent, by a process of this program that can set what only a process itself can set.
fn start(run: &Path, launch: &Launch) -> io::Result<(Pid, Option<ChildStdin>)> {
    let input = launch.input.as_ref().map(fs::File::open).transpose()?;
    let mut child = Command::new(SELF)
        .arg0("kapell")
        .args([CHILD_VERB, "become-agent"])
        .arg(run)
        .arg(getpid().as_raw_nonzero().to_string())
        .stdin(match input {
            Some(file) => Stdio::from(file),
            None if launch.talks => Stdio::piped(),
            None => Stdio::null(),
        })
        .spawn()?;
    let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let leader = number.ok_or_else(|| io::Error::other("the system gave a number that is none"))?;
    Ok((leader, child.stdin.take()))
}

/// Turns this process into the agent. Returns why it could not.
fn become_agent(run: &Path, supervisor: i32) -> io::Error {
    let prepared = || -> io::Result<Launch> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It could have died before that was set.
        if getppid().map(|parent| parent.as_raw_nonzero().get()) != Some(supervisor) {
            return Err(io::Error::other("the supervisor has gone"));
        }
        setsid()?;
        Ok(serde_json::from_slice(&fs::read(run.join(LAUNCH_FILE))?)?)
    };
    let launch = match prepared() {
        Ok(launch) => launch,
        Err(error) => return error,
    };
    let error = Command::new(&launch.program).args(&launch.arguments).current_dir(&launch.directory).exec();
    io::Error::new(error.kind(), format!("{}: {error}", launch.program))
}

/// Reads orders until the pipe ends, which is an order too. What is for the agent is written by another thread: an agent that
/// does not read must not keep this one from hearing that it is to stop.
fn listen(say: Sender<Heard>, input: Option<ChildStdin>) {
    let hand_on = input.map(|mut input| {
        let (give, take) = channel::<String>();
        std::thread::spawn(move || {
            while let Ok(line) = take.recv() {
                if writeln!(input, "{line}").and_then(|()| input.flush()).is_err() {
                    return;
                }
            }
        });
        give
    });
    std::thread::spawn(move || {
        for line in BufReader::new(io::stdin()).lines().map_while(Result::ok) {
            if let Some(line) = line.strip_prefix("say ") {
                // Where the agent has gone there is nobody to tell.
                let _ = hand_on.as_ref().map(|give| give.send(line.to_owned()));
                continue;
            }
            let grace = line.strip_prefix("stop ").and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
            if let Some(grace) = grace {
                let _ = say.send(Heard::Stop(grace));
            }
        }
        let _ = say.send(Heard::Stop(GRACE_ALONE));
    });
}

/// Waits for the agent itself without reaping it: as long as it is a zombie, its number and its group's are its own.
fn watch(leader: Pid, say: Sender<Heard>) {
    std::thread::spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(leader), options) {}
        let _ = say.send(Heard::LeaderEnded);
    });
}

fn until_ended(leader: Pid, hear: &Receiver<Heard>) {
    let mut kill_at: Option<Instant> = None;
    loop {
        let wait = kill_at.map_or(REAP_EVERY, |at| at.saturating_duration_since(Instant::now()));
        match hear.recv_timeout(wait) {
            Ok(Heard::LeaderEnded) => return,
            Ok(Heard::Stop(grace)) => {
                if kill_at.is_none() {
                    tell_all(leader, Signal::TERM);
                }
                let at = Instant::now() + grace;
                kill_at = Some(kill_at.map_or(at, |before| before.min(at)));
            }
            Err(RecvTimeoutError::Timeout) if kill_at.is_some() => {
                tell_all(leader, Signal::KILL);
                // Somebody that was being made at that moment is met by the next look.
                kill_at = Some(Instant::now() + LOOK_EVERY);
            }
            Err(_) => {
                reap_orphans(leader);
            }
        }
    }
}

/// Ends what the agent has left behind: asks it, and kills it.
fn end_rest(leader: Pid) {
    if reap_orphans(leader).is_empty() {
        return;
    }
    tell_all(leader, Signal::TERM);
    let asked = Instant::now();
    while !reap_orphans(leader).is_empty() {
        if asked.elapsed() > GRACE_ALONE {
            tell_all(leader, Signal::KILL);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Sends a signal to the agent's group and to every descendant outside of it: launchers leave the real agent in another one.
fn tell_all(leader: Pid, signal: Signal) {
    let _ = kill_process_group(leader, signal);
    for process in living(leader) {
        process::signal(process, signal);
    }
}

fn living(leader: Pid) -> Vec<Process> {
    let leader = leader.as_raw_nonzero().get();
    let own = getpid().as_raw_nonzero().get();
    let descendants = process::descendants(own).into_iter();
    descendants.filter(|it| !it.zombie && it.number != leader).collect()
}

/// Reaps ended descendants that came to this process. Returns those who live, the agent itself left out.
fn reap_orphans(leader: Pid) -> Vec<Process> {
    let own = getpid().as_raw_nonzero().get();
    for process in process::descendants(own) {
        if process.zombie
            && process.parent == own
            && let Some(pid) = Pid::from_raw(process.number).filter(|pid| *pid != leader)
        {
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
    }
    living(leader)
}

fn write_ended(run: &Path, ended: &Ended) -> io::Result<()> {
    let written = run.join("ended.json.new");
    fs::write(&written, serde_json::to_vec(ended)?)?;
    fs::rename(written, run.join(ENDED_FILE))
}
