//! A real server for tests of the program.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod load;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kapell_api::{Client, TaskSubmission};

/// A machine that does much else may take long to start a program.
const COMING_UP: Duration = Duration::from_secs(120);

/// A server in a process of its own.
pub struct Server {
    pub process: Child,
    pub client: Client,
}

impl Server {
    /// Starts one on a free port.
    pub fn start(data: &Path) -> Self {
        Self::run(data, Command::new(env!("CARGO_BIN_EXE_kapell")))
    }

    /// Starts by a command line that ends with the program.
    pub fn run(data: &Path, command: Command) -> Self {
        Self::run_at(data, command, "127.0.0.1:0")
    }

    /// Starts one on an address.
    pub fn run_at(data: &Path, mut command: Command, listen: &str) -> Self {
        command.stderr(Stdio::null());
        Self::run_where(data, data, command, listen)
    }

    /// Starts one whose data directory is `data` for it, and `seen` from here.
    #[expect(clippy::zombie_processes, reason = "the one that a failed start leaves ends with the test")]
    pub fn run_where(data: &Path, seen: &Path, mut command: Command, listen: &str) -> Self {
        let _ = std::fs::remove_file(seen.join("address"));
        let process =
            command.args(["up", "--listen", listen, "--data"]).arg(data).spawn().expect("the server starts");
        let started = Instant::now();
        loop {
            let address = std::fs::read_to_string(seen.join("address"));
            let token = std::fs::read_to_string(seen.join("admin.token"));
            if let (Ok(address), Ok(token)) = (address, token) {
                let client = Client::new(address.trim(), token.trim()).with_patience(Duration::ZERO);
                if client.health().is_ok() {
                    return Self { process, client };
                }
            }
            assert!(started.elapsed() < COMING_UP, "the server did not come up");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks it to end.
    pub fn ask_to_end(&self) {
        let pid = self.process.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -TERM $0", &pid]).status().expect("kill runs");
        assert!(sent.success(), "SIGTERM cannot be sent");
    }

    /// Asks it to end, and waits.
    pub fn terminate(mut self) {
        self.ask_to_end();
        let status = self.process.wait().expect("it ends");
        assert!(status.success(), "it does not end in order: {status}");
    }

    /// Kills it.
    pub fn kill(mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it ends");
    }
}

/// A task without a title.
pub fn template() -> TaskSubmission {
    TaskSubmission { kind: "task".to_owned(), priority: "medium".to_owned(), ..TaskSubmission::default() }
}

/// Builds a library of C that is preloaded into a server.
pub fn preloaded(source: &Path, into: &Path) -> PathBuf {
    let library = into.join("preloaded.so");
    let built =
        Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).args([library.as_path(), source]).status();
    assert!(built.expect("cc runs").success(), "{} does not build", source.display());
    library
}

/// Walks the log of a server that has ended.
pub fn verify(data: &Path) {
    let verified =
        Command::new(env!("CARGO_BIN_EXE_kapell")).args(["log", "verify", "--data"]).arg(data).output();
    let verified = verified.expect("the log can be verified");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
