//! The data directory and the lock that keeps a second server out of it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::FlockOperation;
use thiserror::Error;

/// The file that is locked; it holds the number of the process that has the lock.
const LOCK_FILE: &str = "kapell.lock";

/// A directory that this process alone may write, for as long as a clone of this value lives.
///
/// The lock belongs to the open file, so it goes with the process however that ends; a lock file left behind means
/// nothing.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
    lock: Arc<File>,
}

impl DataDir {
    /// Makes the directory where it is not there (for its owner alone, mode 0700) and locks it.
    pub fn lock(path: impl Into<PathBuf>) -> Result<Self, DataDirError> {
        let path = path.into();
        make_directory(&path).map_err(|source| failed("create", &path, source))?;
        let lock_path = path.join(LOCK_FILE);
        let mut file = open_lock(&lock_path).map_err(|source| failed("open", &lock_path, source))?;
        // Whoever asks whether it is held has the lock for a moment.
        let mut tries = 5;
        let locked = loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(rustix::io::Errno::WOULDBLOCK) if tries > 0 => {
                    tries -= 1;
                    std::thread::sleep(Duration::from_millis(10));
                }
                other => break other,
            }
        };
        match locked {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(DirectoryHeld { path, process: read_process(&mut file) }.into());
            }
            Err(source) => return Err(failed("lock", &lock_path, source.into())),
        }
        write_process(&mut file).map_err(|source| failed("write", &lock_path, source))?;
        Ok(Self { path, lock: Arc::new(file) })
    }

    /// Tells whether a process holds the directory at `path`; nobody does where there is none.
    ///
    /// # Errors
    /// Where its lock file cannot be looked at.
    pub fn is_held(path: &Path) -> Result<bool, DataDirError> {
        let lock_path = path.join(LOCK_FILE);
        let file = match File::open(&lock_path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(failed("open", &lock_path, source)),
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
            Err(source) => Err(failed("lock", &lock_path, source.into())),
        }
    }

    /// Returns where the directory is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the number of handles that keep the lock.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.lock)
    }
}

/// Why a data directory could not be taken.
#[derive(Debug, Error)]
pub enum DataDirError {
    /// Another process has it.
    #[error(transparent)]
    Held(#[from] DirectoryHeld),
    /// The file system refused.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done: "create", "open", "lock" or "write".
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// A data directory that another process holds.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the data directory {} is in use by {}", path.display(), holder(*process))]
pub struct DirectoryHeld {
    /// The directory.
    pub path: PathBuf,
    /// The process that holds it; none where it has not written its number yet.
    pub process: Option<u32>,
}

fn holder(process: Option<u32>) -> String {
    process.map_or_else(|| "another process".to_owned(), |number| format!("process {number}"))
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> DataDirError {
    DataDirError::Io { doing, path: path.to_owned(), source }
}

fn make_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // A directory is durable when its parent's list of names is.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn read_process(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_process(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    file.flush()
}
