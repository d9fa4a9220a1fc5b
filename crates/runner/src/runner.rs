//! The runner as a whole: what must be there before it starts, and its agents side by side.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use kapell_api::{AgentRegistration, Client, ClientError, ErrorCode};

use crate::attempt;
use crate::config::{AgentSettings, Config, DirtyPolicy};
use crate::crew::Crew;
use crate::git::{GitError, Repository};
use crate::ledger::{Ledger, Run};
use crate::outcome::Outcome;
use crate::process;
use crate::reserve::Reserve;

/// How often somebody who waits looks whether the runner is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a server is waited for that is to be told that an agent goes.
const SIGNING_OFF: Duration = Duration::from_secs(2);
/// How often a server that is away is asked for.
const AWAY_PAUSE: Duration = Duration::from_secs(1);

/// Why a runner does not start.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// Another one has its directory.
    #[error("another runner works with this file: it has {state}")]
    Running {
        /// The directory.
        state: String,
    },
    /// Its directory cannot be used.
    #[error("the runner's directory {state} cannot be used")]
    State {
        /// The directory.
        state: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What is named as the repository is none.
    #[error("`repository` is {given}; allowed is a directory in a git repository")]
    NoRepository {
        /// What is named.
        given: String,
        /// What git says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The branch or commit that work should begin at is not there.
    #[error("`base` is {given}; allowed is a branch, tag or commit of {repository} (is there a commit yet?)")]
    NoBase {
        /// What is named.
        given: String,
        /// The repository.
        repository: String,
    },
    /// It has changes that agents would not see.
    #[error(
        "{repository} has changes that are not committed, which agents would not see; commit or stash them, or set dirty = \"allow\""
    )]
    Dirty {
        /// The repository.
        repository: String,
    },
    /// An agent's program is not there.
    #[error(
        "agent `{agent}`: `command` begins with {program}, which is not found; allowed is a program on PATH or by its full path"
    )]
    NoProgram {
        /// The agent.
        agent: String,
        /// The program.
        program: String,
    },
    /// An agent's program is to be one of its worktree, and is not there.
    #[error(
        "agent `{agent}`: `command` begins with {program}, which would be run in a worktree of {base}, and that has no such \
         program; commit it with the right to run it, or name it by its full path"
    )]
    NotCommitted {
        /// The agent.
        agent: String,
        /// The program.
        program: String,
        /// Where branches begin.
        base: String,
    },
    /// The server does not know an agent, and does not let it in.
    #[error("agent `{agent}` cannot join")]
    Join {
        /// The agent.
        agent: String,
        /// Why.
        #[source]
        source: ClientError,
    },
}

/// Where the runner says what it does: one line at a time.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// Asks a runner to stop. Asked once, agents are stopped in order and their tasks given back; asked twice, they are killed.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |times| times.checked_add(1));
    }

    /// Tells whether it was asked for.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn at_once(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 1
    }
}

/// What all agents of a runner have in common.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) client: Client,
    /// The runner's own; agents must not print it.
    pub(crate) token: String,
    pub(crate) ledger: Ledger,
    pub(crate) repository: Repository,
    pub(crate) stop: Stop,
    tell: Tell,
}

impl Shared {
    pub(crate) fn tell(&self, line: &str) {
        (self.tell)(line);
    }

    /// Waits, but not beyond the word to stop.
    pub(crate) fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        let asked_before = self.stop.asked();
        while Instant::now() < until && (asked_before || !self.stop.asked()) {
            std::thread::sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now())));
        }
    }

    /// The runner's own environment, as far as it is text.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (String, String)> + use<> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
    }
}

/// A runner that may start.
pub struct Runner {
    shared: Arc<Shared>,
    crews: Vec<Arc<Crew>>,
    reserve: Reserve,
    leftovers: Vec<Run>,
}

impl Runner {
    /// Looks at everything that must be there, ends what a runner before has left running, and lets the agents join. `patient`
    /// waits for a server that is away; else that is an error.
    pub fn new(
        config: Config,
        client: Client,
        token: &str,
        (stop, tell): (Stop, Tell),
        patient: bool,
    ) -> Result<Self, RunnerError> {
        let repository =
            Repository::open(&config.repository).map_err(|source| RunnerError::NoRepository {
                given: config.repository.display().to_string(),
                source: Box::new(source),
            })?;
        fit(&config, &repository).map_err(|error| *error)?;
        for agent in &config.agents {
            let program = agent.command.first().map(|word| word.fill(|name| format!("{{{name}}}")));
            let program = program.unwrap_or_default();
            if program.contains('{') {
                continue;
            }
            let (agent, path) = (agent.name.clone(), Path::new(&program));
            if !program.contains('/') || path.is_absolute() {
                if !found(&program) {
                    return Err(RunnerError::NoProgram { agent, program });
                }
            } else if repository.has_program(&config.base, path).is_ok_and(|has| !has) {
                return Err(RunnerError::NotCommitted { agent, program, base: config.base.clone() });
            }
        }
        let state = config.state.display().to_string();
        let unusable = |source| RunnerError::State { state: state.clone(), source };
        let ledger = Ledger::open(&config.state).map_err(unusable)?;
        let ledger = ledger.ok_or_else(|| RunnerError::Running { state: state.clone() })?;
        let (leftovers, unreadable) = ledger.open_runs().map_err(unusable)?;
        for line in unreadable {
            tell(&format!("passed over: {line}"));
        }
        for run in &leftovers {
            match process::sweep(&run.mark) {
                Some(0) => {}
                Some(count) => tell(&format!(
                    "{}: {count} processes were left, and are ended",
                    run.assignment.assignment
                )),
                None => {
                    tell(&format!("{}: processes are left that cannot be killed", run.assignment.assignment));
                }
            }
        }
        let shared =
            Arc::new(Shared { config, client, token: token.to_owned(), ledger, repository, stop, tell });
        let join = |agent: &AgentSettings| {
            let lease_ms = enrol(&shared, agent, patient)
                .map_err(|source| RunnerError::Join { agent: agent.name.clone(), source })?;
            Ok(Crew::new(Arc::clone(&shared), agent.clone(), lease_ms))
        };
        // Who was cut off in the middle goes on.
        let rests = |agent: &&AgentSettings| {
            agent.reserve && !leftovers.iter().any(|run| run.assignment.agent == agent.name)
        };
        let (reserve, team): (Vec<_>, Vec<_>) = shared.config.agents.iter().partition(rests);
        let crews = team.into_iter().map(join).collect::<Result<_, _>>()?;
        let reserve = Reserve::new(Arc::clone(&shared), reserve.into_iter().cloned().collect());
        Ok(Self { shared, crews, reserve, leftovers })
    }

    /// Works until it is asked to stop and everything has ended.
    pub fn run(self) {
        let Self { shared, crews, reserve, mut leftovers } = self;
        let mut threads = Vec::new();
        let mut started: Vec<String> = crews.iter().map(|crew| crew.agent.name.clone()).collect();
        let reserve = std::thread::spawn(move || reserve.watch());
        for crew in crews {
            let (own, rest) = leftovers.into_iter().partition(|run| run.assignment.agent == crew.agent.name);
            leftovers = rest;
            threads.push(std::thread::spawn(move || crew.work(own)));
        }
        for run in leftovers {
            let note = format!("its runner does not start agent {} any more", run.assignment.agent);
            attempt::give_up(&shared, run, Outcome::Released { note });
        }
        for thread in threads {
            let _ = thread.join();
        }
        started.extend(reserve.join().unwrap_or_default());
        // Else work would be given to them until their leases end, and their silence would be an alarm.
        let client = shared.client.clone().with_patience(SIGNING_OFF);
        for agent in started {
            if let Err(error) = client.leave(&agent) {
                shared.tell(&format!("{agent} is not signed off: {error}"));
            }
        }
    }
}

fn fit(config: &Config, repository: &Repository) -> Result<(), Box<RunnerError>> {
    let name = || repository.root.display().to_string();
    let no_repository =
        |source: GitError| RunnerError::NoRepository { given: name(), source: Box::new(source) };
    if repository.commit(&config.base).is_err() {
        return Err(Box::new(RunnerError::NoBase { given: config.base.clone(), repository: name() }));
    }
    if config.dirty == DirtyPolicy::Refuse && repository.dirty().map_err(no_repository)? {
        return Err(Box::new(RunnerError::Dirty { repository: name() }));
    }
    Ok(())
}

/// Returns whether a program is on PATH, or there by its path.
fn found(program: &str) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let runs =
        |path: &Path| path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
    if program.contains('/') {
        return runs(Path::new(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| runs(&folder.join(program)))
}

/// Makes sure that an agent is registered, and returns its lease. One that is there already stays as it is.
pub(crate) fn enrol(shared: &Shared, agent: &AgentSettings, patient: bool) -> Result<i64, ClientError> {
    let mut waits = false;
    loop {
        match try_to_enrol(shared, agent) {
            Err(ClientError::Unreachable { url, .. }) if patient && !shared.stop.asked() => {
                if !std::mem::replace(&mut waits, true) {
                    shared.tell(&format!("waiting: no answer from {url}"));
                }
                shared.wait(AWAY_PAUSE);
            }
            done => return done,
        }
    }
}

fn try_to_enrol(shared: &Shared, agent: &AgentSettings) -> Result<i64, ClientError> {
    let client = &shared.client;
    match client.agent(&agent.name) {
        Ok(known) if known.state != "removed" => {
            let (name, slots, wanted) = (&agent.name, known.max_concurrent_tasks, agent.at_once);
            if slots < wanted {
                shared.tell(&format!("{name}: the fleet gives it {slots} at once, the file says {wanted}"));
            }
            return Ok(known.lease_ms);
        }
        Err(error) if error.problem().is_none_or(|problem| problem.code != ErrorCode::NotFound) => {
            return Err(error);
        }
        _ => {}
    }
    client.register(&AgentRegistration {
        name: agent.name.clone(),
        role: agent.role.clone(),
        kind: "service".to_owned(),
        capabilities: agent.capabilities.clone(),
        max_concurrent_tasks: agent.at_once,
        lease_ms: None,
        standby: false,
    })?;
    client.agent(&agent.name).map(|agent| agent.lease_ms)
}
