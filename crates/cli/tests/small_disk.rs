//! The real server on a file system that is too small: it ends with an error, and nothing that was acknowledged is lost.

mod served;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use kapell_api::TaskSubmission;
use served::{Server, template};

/// A file system of its own, in a mount namespace of its own: no rights are needed, and it goes with the process that holds it.
struct SmallDisk {
    holder: Child,
    at: PathBuf,
}

impl SmallDisk {
    /// Makes one; says why where the machine allows none.
    fn new(at: &Path, mib: u32) -> Result<Self, String> {
        let script = "mount -t tmpfs -o size=$0m none \"$1\" && echo ready && exec sleep 1000";
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, &mib.to_string()])
            .arg(at)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut told = String::new();
        let out = holder.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut told).expect("it can be read");
        if told.trim() == "ready" {
            return Ok(Self { holder, at: at.to_owned() });
        }
        Err(format!("a file system cannot be mounted: {}", holder.wait().expect("it ends")))
    }

    /// Begins a command line that runs in there.
    fn run(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args([
            "--target",
            &self.holder.id().to_string(),
            "--user",
            "--mount",
            "--preserve-credentials",
            program,
        ]);
        command
    }

    /// Returns where a path of the inside is seen from here.
    fn seen(&self, inside: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(inside.strip_prefix("/").expect("an absolute path"))
    }

    fn resize(&self, mib: u32) {
        let size = format!("remount,size={mib}m");
        let done = self.run("mount").args(["-o", &size]).arg(&self.at).status().expect("mount runs");
        assert!(done.success(), "it cannot be resized");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn nothing_acknowledged_is_lost_on_a_file_system_that_is_full() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().canonicalize().expect("a path");
    let disk = SmallDisk::new(&place, 8).unwrap_or_else(|why| {
        panic!("this machine cannot show it, leave it out by name (`-E 'not binary(small_disk)'`): {why}")
    });
    let (data, program) = (place.join("data"), env!("CARGO_BIN_EXE_kapell"));
    let seen = disk.seen(&data);
    let mut server = Server::run_where(&data, &seen, disk.run(program), "127.0.0.1:0");
    let task =
        TaskSubmission { title: "Fill the disk".to_owned(), description: "x".repeat(8_000), ..template() };
    let mut told = Vec::new();
    let status = loop {
        if let Ok(ack) = server.client.submit(&task) {
            told.push(ack.task.expect("a task"));
        }
        if let Some(status) = server.process.try_wait().expect("it can be asked") {
            break status;
        }
        assert!(told.len() < 20_000, "the disk is never full");
    };
    assert!(!status.success(), "a server that cannot write ends with an error: {status}");
    assert!(told.len() > 20, "{} tasks fitted", told.len());
    // What is there is taken up again once there is room.
    disk.resize(64);
    let server = Server::run_where(&data, &seen, disk.run(program), "127.0.0.1:0");
    let tasks = server.client.tasks(&[]).expect("the tasks");
    let known: std::collections::BTreeSet<_> = tasks.into_iter().map(|task| task.id).collect();
    let lost: Vec<_> = told.iter().filter(|id| !known.contains(*id)).collect();
    assert!(lost.is_empty(), "acknowledged and gone: {lost:?}");
    server.terminate();
    let verified = disk.run(program).args(["log", "verify", "--data"]).arg(&data).output().expect("it runs");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
