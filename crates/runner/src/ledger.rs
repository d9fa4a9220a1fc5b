//! What is under way, in files: a directory a run. It outlives the runner.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use kapell_api::Assignment;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;

/// Ended runs that are kept to look at; the oldest go first.
const KEPT_MAX: usize = 200;
const RUN_FILE: &str = "run.json";

/// Returns 32 characters that nobody has had before.
pub(crate) fn nonce() -> io::Result<String> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// One assignment in one worktree.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    /// What its processes carry in their environment.
    pub(crate) mark: String,
    pub(crate) assignment: Assignment,
    pub(crate) worktree: PathBuf,
    /// Empty until the worktree has been made.
    pub(crate) branch: String,
    /// The commit that the branch began at.
    pub(crate) base: String,
    /// How often it was begun again after the runner was gone.
    pub(crate) resumed: u32,
    /// What its agent has used in all, once that is known.
    #[serde(default)]
    pub(crate) usage: Option<kapell_api::Usage>,
    /// How the command of a gate ended, as long as the server does not know.
    #[serde(default)]
    pub(crate) check: Option<kapell_api::CheckReport>,
    pub(crate) stage: Stage,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// It is being prepared, or its agent works.
    Working,
    /// Its agent has ended; the server does not know yet.
    Ended(Outcome),
    /// The server knows that the work is finished; it may still stand before gates, or be sent back.
    Finished,
    /// Nothing is left to do.
    Closed,
}

/// The directory of a runner. Only one runner has it at a time.
#[derive(Debug)]
pub(crate) struct Ledger {
    state: PathBuf,
    _lock: File,
}

impl Ledger {
    /// Takes the directory; made where it is new. Nothing where another runner has it.
    pub(crate) fn open(state: &Path) -> io::Result<Option<Self>> {
        use std::os::unix::fs::DirBuilderExt as _;
        let mut builder = fs::DirBuilder::new();
        // Prompts and output are not for other users of the machine.
        builder.recursive(true).mode(0o700);
        for folder in [state.to_owned(), state.join("runs"), state.join("worktrees")] {
            builder.create(folder)?;
        }
        let lock = File::create(state.join("lock"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { state: fs::canonicalize(state)?, _lock: lock })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the directory of a run.
    pub(crate) fn folder(&self, assignment: &str) -> PathBuf {
        self.state.join("runs").join(assignment)
    }

    /// Begins a run. Work that was sent back goes on in its place, on its branch.
    pub(crate) fn begin(&self, assignment: &Assignment) -> io::Result<Run> {
        let folder = self.folder(&assignment.assignment);
        fs::create_dir_all(&folder)?;
        let before = fs::read(folder.join(RUN_FILE)).ok();
        let before = before.and_then(|bytes| serde_json::from_slice::<Run>(&bytes).ok());
        let before = before.filter(|run| run.stage == Stage::Finished && run.worktree.exists());
        let (branch, base, resumed) =
            before.map(|run| (run.branch, run.base, run.resumed.max(1))).unwrap_or_default();
        let run = Run {
            mark: nonce()?,
            worktree: self
                .state
                .join("worktrees")
                .join(format!("{}-{}", assignment.task, assignment.assignment)),
            assignment: assignment.clone(),
            branch,
            base,
            resumed,
            usage: None,
            check: None,
            stage: Stage::Working,
        };
        self.write(&run)?;
        Ok(run)
    }

    /// Writes a run, whole or not at all.
    pub(crate) fn write(&self, run: &Run) -> io::Result<()> {
        let folder = self.folder(&run.assignment.assignment);
        let new = folder.join("run.json.new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(run)?)?;
        file.sync_data()?;
        fs::rename(new, folder.join(RUN_FILE))
    }

    /// Returns the runs that are not closed, and takes away the oldest of the others. Unreadable ones are named.
    pub(crate) fn open_runs(&self) -> io::Result<(Vec<Run>, Vec<String>)> {
        let (mut open, mut closed, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
        for entry in fs::read_dir(self.state.join("runs"))? {
            let path = entry?.path();
            let file = path.join(RUN_FILE);
            let read = fs::read(&file).map_err(|error| error.to_string());
            match read
                .and_then(|bytes| serde_json::from_slice::<Run>(&bytes).map_err(|error| error.to_string()))
            {
                Ok(run) if run.stage == Stage::Closed => {
                    closed.push((fs::metadata(&file)?.modified()?, path));
                }
                Ok(run) => open.push(run),
                Err(error) => unreadable.push(format!("{}: {error}", file.display())),
            }
        }
        open.sort_by(|a, b| a.assignment.assignment.cmp(&b.assignment.assignment));
        closed.sort();
        for (_, path) in closed.iter().rev().skip(KEPT_MAX) {
            fs::remove_dir_all(path)?;
        }
        Ok((open, unreadable))
    }
}
