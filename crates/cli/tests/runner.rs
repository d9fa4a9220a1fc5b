//! `kapell run` with scripted agents in real git repositories, ended in every way: nothing is lost and nobody is left running.
#![cfg(target_os = "linux")]

#[path = "runner/acp.rs"]
mod acp;
mod served;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kapell_api::{AgentRegistration, Client, Permission, Task, TaskSubmission};
use served::{Server, template};

/// The variable by which the tests find processes of their agents.
const MARK: &str = "KAPELL_TEST_MARK";
/// Everything here takes a second or two; a machine under load may take long.
const LONGEST: Duration = Duration::from_secs(90);

/// A server, a repository, and an agent that is a script.
struct Place {
    folder: tempfile::TempDir,
    listen: String,
    server: Option<Server>,
}

impl Place {
    /// Makes one; `script` is what the agent does, with its prompt as `$1` and its result file as `$2`.
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let listen = free.local_addr().expect("an address").to_string();
        drop(free);
        let place = Self { folder, listen, server: None };
        let repository = place.path("repo");
        fs::create_dir(&repository).expect("a directory");
        fs::write(repository.join("README.md"), "# Rooms\n").expect("a file");
        place.git(&["init", "--quiet", "-b", "main"]);
        place.git(&["add", "."]);
        place.git(&["commit", "--quiet", "-m", "first"]);
        fs::write(place.path("agent.sh"), script).expect("a script");
        place.configure("", "");
        place
    }

    fn serve(mut self) -> Self {
        self.start_server();
        self
    }

    fn start_server(&mut self) {
        let program = Command::new(env!("CARGO_BIN_EXE_kapell"));
        self.server = Some(Server::run_at(&self.path("data"), program, &self.listen));
    }

    /// Writes the runner's file, with more lines for it and for its agent.
    fn configure(&self, top: &str, agent: &str) {
        let script = self.path("agent.sh");
        let text = format!(
            "repository = \"repo\"\nstate = \"state\"\nstop_grace = \"2s\"\n{top}\n[[agent]]\nname = \"backend-1\"\n\
             command = [\"sh\", \"{}\", \"{{prompt_file}}\", \"{{result_file}}\"]\n\
             set = {{ {MARK} = \"{}\", PLACE = \"{}\" }}\n{agent}\n",
            script.display(),
            self.mark(),
            self.folder.path().display(),
        );
        fs::write(self.path("kapell.toml"), text).expect("a file");
    }

    fn mark(&self) -> String {
        self.folder.path().file_name().expect("a name").to_string_lossy().into_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn client(&self) -> &Client {
        &self.server.as_ref().expect("a server").client
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Tester", "-c", "user.email=tester@kapell.invalid"])
            .args(arguments)
            .current_dir(self.path("repo"))
            .output()
            .expect("git runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn executable(&self, name: &str) {
        let rights = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(self.path(name), rights).expect("rights");
    }

    fn submit(&self, title: &str) -> String {
        let description = "Show which rooms are free.".to_owned();
        let task = TaskSubmission { title: title.to_owned(), description, ..template() };
        self.client().submit(&task).expect("it is submitted").task.expect("a task")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
        command
            .arg("run")
            .arg(self.path("kapell.toml"))
            .arg("--data")
            .arg(self.path("data"))
            .env("SHOP_API_KEY", "open-sesame-1234")
            .env("UNNAMED_SECRET", "not for agents")
            .stdin(Stdio::null());
        command
    }

    fn run(&self) -> Runner {
        let told = fs::File::options().create(true).append(true).open(self.path("told")).expect("a file");
        Runner(self.command().stderr(told).spawn().expect("the runner starts"))
    }

    fn task(&self, task: &str) -> Task {
        self.client().task(task).expect("the task")
    }

    fn until_state(&self, task: &str, state: &str) -> Task {
        self.until(&format!("{task} is {state}"), || Some(self.task(task)).filter(|task| task.state == state))
    }

    /// Waits until a file of the agent is there, and returns what is in it.
    fn until_written(&self, name: &str) -> String {
        let text = || fs::read_to_string(self.path(name)).ok().filter(|text| text.ends_with('\n'));
        self.until(&format!("{name} is written"), text).trim().to_owned()
    }

    fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            let told = || fs::read_to_string(self.path("told")).unwrap_or_default();
            assert!(begun.elapsed() < LONGEST, "never: {what}\n{}", told());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the command lines of living processes that carry the mark of this place.
    fn strays(&self) -> Vec<String> {
        let wanted = format!("{MARK}={}", self.mark());
        let carries = |path: &Path| {
            let environment = fs::read(path.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
        };
        let processes = fs::read_dir("/proc").expect("processes").flatten().map(|entry| entry.path());
        let line = |path: PathBuf| {
            let line = fs::read(path.join("cmdline")).unwrap_or_default();
            format!("{} {}", path.display(), String::from_utf8_lossy(&line).replace('\0', " "))
        };
        processes.filter(|path| carries(path)).map(line).collect()
    }

    fn until_nobody_is_left(&self) {
        self.until("nobody is left", || self.strays().is_empty().then_some(()));
    }

    fn output(&self) -> String {
        let runs = fs::read_dir(self.path("state/runs")).expect("runs").flatten();
        let logs = runs.map(|run| fs::read_to_string(run.path().join("output.log")).unwrap_or_default());
        logs.collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }
}

struct Runner(Child);

impl Drop for Runner {
    fn drop(&mut self) {
        // Where a test failed in the middle; its supervisors end with it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Runner {
    fn signal(&self, name: &str) {
        signal(name, &self.0.id().to_string());
    }

    fn kill(mut self) {
        self.0.kill().expect("it can be killed");
        self.0.wait().expect("it ends");
    }

    /// Asks it to end, and waits.
    fn stop(mut self) {
        self.signal("TERM");
        let status = self.0.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }
}

fn signal(name: &str, pid: &str) {
    let sent = Command::new("sh").args(["-c", "kill -s $0 $1", name, pid]).status().expect("kill runs");
    assert!(sent.success(), "{name} cannot be sent to {pid}");
}

#[test]
fn a_command_that_finished_work_must_pass_is_run_where_it_is_and_work_that_fails_it_goes_on_there() {
    let place = Place::new(
        r#"
        if grep -q "make it green" "$1"; then echo x > fixed.txt; fi
        echo begun >> begun.txt
        echo "did what I could" > "$2"
        "#,
    )
    .serve();
    let gate = kapell_api::Gate {
        kind: "command".to_owned(),
        role: None,
        command: Some("wc -l < begun.txt; test -e fixed.txt || { echo make it green; exit 3; }".to_owned()),
    };
    let task = TaskSubmission { title: "Make it green".to_owned(), gates: vec![gate], ..template() };
    let task = place.client().submit(&task).expect("it is submitted").task.expect("a task");
    let _runner = place.run();
    let done = place.until_state(&task, "completed");
    assert_eq!((done.attempts, done.rejections), (1, 1), "{done:?}");
    let gate = &done.gates[0];
    assert_eq!((gate.exit_code, gate.by.as_deref()), (Some(0), Some("backend-1")), "{gate:?}");
    assert!(gate.digest.as_deref().is_some_and(|digest| digest.starts_with("blake3:")), "{gate:?}");
    assert!(
        gate.notes.as_deref().is_some_and(|notes| notes.ends_with("\n2")),
        "both worked in one place: {gate:?}"
    );
    place.until("its worktree is gone", || {
        fs::read_dir(place.path("state/worktrees")).expect("a directory").next().is_none().then_some(())
    });
}

/// Submits a task that must pass a command.
fn submit_gated(place: &Place, command: &str) -> String {
    let gate = kapell_api::Gate { kind: "command".to_owned(), role: None, command: Some(command.to_owned()) };
    let task = TaskSubmission { title: "Make it green".to_owned(), gates: vec![gate], ..template() };
    place.client().submit(&task).expect("it is submitted").task.expect("a task")
}

fn until_told(place: &Place, what: &str) {
    place.until(what, || {
        fs::read_to_string(place.path("told")).unwrap_or_default().contains(what).then_some(())
    });
}

/// Waits until a process that carries nobody's mark has ended.
fn until_gone(place: &Place, pid: &str) {
    let path = PathBuf::from(format!("/proc/{pid}/cwd"));
    place.until("a process that a gate left is ended", || fs::read_link(&path).is_err().then_some(()));
}

/// A gate that ends when it may, and writes how often it was begun.
const WAITS: &str = r#"echo begun >> "$PLACE/gate"; until [ -e "$PLACE/go" ]; do sleep 0.05; done"#;

#[test]
fn a_gate_that_ends_while_the_server_is_away_is_reported_once_it_is_back() {
    let mut place = Place::new(r#"echo "as far as it goes" > "$2""#).serve();
    let task = submit_gated(&place, WAITS);
    let runner = place.run();
    place.until_written("gate");
    place.server.take().expect("a server").kill();
    fs::write(place.path("go"), "").expect("a file");
    until_told(&place, "it is reported later");
    place.start_server();
    place.until_state(&task, "completed");
    runner.stop();
}

#[test]
fn how_a_gate_ended_is_kept_over_the_end_of_the_runner() {
    let mut place = Place::new(r#"echo "as far as it goes" > "$2""#).serve();
    let task = submit_gated(&place, WAITS);
    let runner = place.run();
    place.until_written("gate");
    place.server.take().expect("a server").kill();
    fs::write(place.path("go"), "").expect("a file");
    until_told(&place, "it is reported later");
    runner.kill();
    place.start_server();
    let runner = place.run();
    place.until_state(&task, "completed");
    assert_eq!(place.until_written("gate"), "begun", "it is not run again");
    runner.stop();
}

#[test]
fn whoever_a_gate_leaves_behind_is_ended_and_holds_nobody_up() {
    let place = Place::new(r#"echo "as far as it goes" > "$2""#).serve();
    let leaves = r#"env -i setsid sh -c "trap '' TERM; echo \$\$ > '$PLACE/bare'; while :; do sleep 1; done" & until [ -s "$PLACE/bare" ]; do sleep 0.05; done"#;
    let task = submit_gated(&place, leaves);
    let runner = place.run();
    place.until_state(&task, "completed");
    until_gone(&place, &place.until_written("bare"));
    runner.stop();
}

/// Registers the agent with a life so short that it is looked after many times in a gate.
fn register_short_lived(place: &Place) {
    let agent = AgentRegistration {
        name: "backend-1".to_owned(),
        role: "developer".to_owned(),
        kind: "service".to_owned(),
        capabilities: std::collections::BTreeMap::new(),
        max_concurrent_tasks: 1,
        lease_ms: Some(2_000),
        standby: false,
    };
    place.client().register(&agent).expect("it is registered");
}

#[test]
fn a_gate_may_take_longer_than_the_agent_is_looked_after() {
    let place = Place::new(r#"echo "as far as it goes" > "$2""#).serve();
    register_short_lived(&place);
    let task = submit_gated(&place, r#"echo begun >> "$PLACE/gate"; sleep 3"#);
    let runner = place.run();
    place.until_state(&task, "completed");
    assert_eq!(place.until_written("gate"), "begun", "it was run once");
    runner.stop();
}

#[test]
fn a_gate_is_stopped_when_its_task_is_called_off() {
    let place = Place::new(r#"echo "as far as it goes" > "$2""#).serve();
    register_short_lived(&place);
    let task = submit_gated(&place, r#"echo $$ > "$PLACE/bare"; sleep 600"#);
    let runner = place.run();
    let pid = place.until_written("bare");
    place.client().cancel(&task, "not wanted any more").expect("it is called off");
    until_gone(&place, &pid);
    place.until("its worktree is gone", || {
        fs::read_dir(place.path("state/worktrees")).expect("a directory").next().is_none().then_some(())
    });
    runner.stop();
}

#[test]
fn the_time_limit_ends_a_gate_and_all_that_it_has_started() {
    let place = Place::new(r#"echo "as far as it goes" > "$2""#).serve();
    place.configure("time_limit = \"10s\"", "");
    let hangs = r#"env -i setsid sh -c "trap '' TERM; echo \$\$ > '$PLACE/bare'; while :; do sleep 1; done""#;
    let task = submit_gated(&place, hangs);
    let runner = place.run();
    until_told(&place, " ended with 124");
    until_gone(&place, &place.until_written("bare"));
    place.until("it is sent back", || (place.task(&task).rejections > 0).then_some(()));
    runner.stop();
}

#[test]
fn a_runner_that_is_killed_in_a_gate_leaves_nobody_and_the_next_one_runs_it_again() {
    let place = Place::new(r#"echo "as far as it goes" > "$2""#).serve();
    let bare = r#"if [ -e "$PLACE/bare" ]; then exit 0; fi; env -i setsid sh -c "echo \$\$ > '$PLACE/bare'; sleep 600" & wait"#;
    let task = submit_gated(&place, bare);
    let runner = place.run();
    let pid = place.until_written("bare");
    runner.kill();
    until_gone(&place, &pid);
    place.until_nobody_is_left();
    assert_eq!(place.task(&task).state, "waiting");
    let runner = place.run();
    place.until_state(&task, "completed");
    runner.stop();
}

#[test]
fn a_gate_with_a_long_command_and_a_long_output_is_reported() {
    let place = Place::new(r#"echo "as far as it goes" > "$2""#).serve();
    let line = format!(": {}; head -c 9000 /dev/zero | tr '\\0' y", "x".repeat(1_900));
    let task = submit_gated(&place, &line);
    let runner = place.run();
    let done = place.until_state(&task, "completed");
    let notes = done.gates[0].notes.clone().expect("notes");
    assert!(notes.starts_with("`: xxx") && notes.ends_with("yyy") && notes.len() > 3_000, "{notes}");
    runner.stop();
}

#[test]
fn a_gate_that_the_file_does_not_allow_is_not_run() {
    let place = Place::new(r#"echo "as far as it goes" > "$2""#).serve();
    place.configure("checks = [\"true\"]", "");
    let task = submit_gated(&place, "touch \"$PLACE/ran\"");
    let runner = place.run();
    until_told(&place, "is not run here, by `checks`");
    assert_eq!(place.task(&task).state, "waiting");
    let report = kapell_api::CheckReport { exit_code: 0, digest: "none".to_owned(), ..Default::default() };
    place.client().check(&task, &report).expect("a manager may say it");
    place.until_state(&task, "completed");
    assert!(!place.path("ran").exists(), "it was run");
    let allowed = submit_gated(&place, "true");
    place.until_state(&allowed, "completed");
    runner.stop();
}

#[test]
fn a_scripted_agent_works_a_whole_task() {
    let place = Place::new(
        r#"
        cp "$1" "$PLACE/prompt.md"
        env > "$PLACE/env"
        echo "kapell: progress 40 looking for rooms"
        echo "the key is $SHOP_API_KEY" >&2
        echo "free: 3" > rooms.txt
        git add rooms.txt && git -c user.name=a -c user.email=a@a.invalid commit --quiet -m "rooms"
        echo left > left.txt
        echo "kapell: usage input=1200 output=300 cost_usd=0.42"
        until [ -e "$PLACE/go" ]; do sleep 0.05; done
        echo "Three rooms, and $SHOP_API_KEY." > "$2"
        "#,
    )
    .serve();
    place.configure("env = [\"SHOP_API_KEY\"]", "");
    let task = place.submit("Serve the list of rooms");
    let runner = place.run();
    place.until("progress", || place.task(&task).progress_percent.filter(|percent| *percent == 40));
    fs::write(place.path("go"), "").expect("a file");
    let done = place.until_state(&task, "completed");
    let result = done.result.expect("a result");
    for part in [
        "Three rooms, and [redacted].\n",
        "branch kapell/T-1-serve-the-list-of-rooms at ",
        ": 2 commits, 2 files changed, 2 insertions(+)",
        "exit code 0 after ",
        "1200 tokens in (0 cached), 300 out, 0.420000 USD",
    ] {
        assert!(result.contains(part), "{part:?} is not in {result}");
    }
    let branch = "kapell/T-1-serve-the-list-of-rooms";
    assert_eq!(place.git(&["show", &format!("{branch}:rooms.txt")]), "free: 3");
    assert_eq!(
        place.git(&["log", "-1", "--format=%an: %s", branch]),
        "backend-1: T-1: Serve the list of rooms"
    );
    assert!(place.output().contains("the key is [redacted]"), "{}", place.output());
    assert!(!place.output().contains("open-sesame"));
    let prompt = fs::read_to_string(place.path("prompt.md")).expect("a prompt");
    assert!(prompt.contains("```text\nShow which rooms are free.\n```"), "{prompt}");
    let environment = fs::read_to_string(place.path("env")).expect("an environment");
    assert!(environment.contains("SHOP_API_KEY=open-sesame-1234") && !environment.contains("UNNAMED_SECRET"));
    place.until("its worktree is gone", || {
        fs::read_dir(place.path("state/worktrees")).expect("a directory").next().is_none().then_some(())
    });
    runner.stop();
    place.until_nobody_is_left();
}

#[test]
fn an_agent_that_is_killed_fails_its_attempt_and_leaves_nobody() {
    let place =
        Place::new("setsid sleep 600 & echo $$ > \"$PLACE/pid\"; echo half > half.txt; sleep 600").serve();
    let task = place.submit("Serve the list");
    let runner = place.run();
    signal("KILL", &place.until_written("pid"));
    let failed = place.until("it has failed", || Some(place.task(&task)).filter(|task| task.failures == 1));
    let note = failed.note.unwrap_or_default() + &failed.reason.unwrap_or_default();
    assert!(note.contains("ended by signal 9"), "{note}");
    place.until_nobody_is_left();
    let half = place.git(&["show", "kapell/T-1-serve-the-list:half.txt"]);
    assert_eq!(half, "half", "what it left is kept on its branch");
    until_told(&place, "stays: it has work, which is on the branch kapell/T-1-serve-the-list too");
    let worktrees = place.git(&["worktree", "list", "--porcelain"]);
    assert!(worktrees.ends_with("branch refs/heads/kapell/T-1-serve-the-list"), "{worktrees}");
    runner.stop();
}

#[test]
fn a_failed_attempt_that_changed_nothing_leaves_no_worktree() {
    let place = Place::new("echo \"kapell: give-up nothing to be done\"; exit 1").serve();
    let task = place.submit("Serve the list");
    let runner = place.run();
    place.until_state(&task, "failed");
    place.until("its worktree is gone", || {
        let gone = place.git(&["worktree", "list", "--porcelain"]).matches("worktree ").count() == 1;
        (gone && place.git(&["branch", "--list", "kapell/*"]).is_empty()).then_some(())
    });
    runner.stop();
}

/// Begins with a grandchild in a session of its own that does not heed SIGTERM; the second time it ends well.
const CUT_OFF: &str = r#"
    if [ -e before.txt ]; then cat before.txt > "$2"; exit 0; fi
    setsid sh -c "trap '' TERM; while :; do sleep 1; done" &
    echo kept > before.txt
    echo $PPID > "$PLACE/supervisor.new"; mv "$PLACE/supervisor.new" "$PLACE/supervisor"
    sleep 600
"#;

#[test]
fn a_runner_that_is_killed_leaves_nobody_and_its_work_goes_on_at_the_next_start() {
    let place = Place::new(CUT_OFF).serve();
    let task = place.submit("Serve the list");
    let runner = place.run();
    place.until_written("supervisor");
    assert!(place.strays().len() >= 3, "{:?}", place.strays());
    runner.kill();
    place.until_nobody_is_left();
    assert_eq!(place.task(&task).state, "in_progress");
    let runner = place.run();
    let done = place.until_state(&task, "completed");
    assert_eq!(done.attempts, 1, "it is the same attempt, in the same worktree");
    assert!(done.result.expect("a result").starts_with("kept\n"));
    runner.stop();
    place.until_nobody_is_left();
}

#[test]
fn what_runner_and_supervisor_leave_when_both_are_killed_is_ended_by_the_next_start() {
    let place = Place::new(CUT_OFF).serve();
    let task = place.submit("Serve the list");
    let runner = place.run();
    let supervisor = place.until_written("supervisor");
    // Stopped, it cannot see that the runner has gone.
    signal("STOP", &supervisor);
    runner.kill();
    signal("KILL", &supervisor);
    assert!(!place.strays().is_empty(), "the one in a session of its own is left");
    let runner = place.run();
    place.until_state(&task, "completed");
    let told = fs::read_to_string(place.path("told")).expect("what it told");
    assert!(told.contains("processes were left, and are ended"), "{told}");
    runner.stop();
    place.until_nobody_is_left();
}

#[test]
fn a_runner_whose_server_is_killed_keeps_its_agent_and_reports_later() {
    let mut place = Place::new(
        r#"echo begun > "$PLACE/begun"; until [ -e "$PLACE/go" ]; do sleep 0.05; done; echo "made without a server" > "$2""#,
    )
    .serve();
    let task = place.submit("Serve the list");
    let runner = place.run();
    place.until_written("begun");
    place.server.take().expect("a server").kill();
    fs::write(place.path("go"), "").expect("a file");
    place.until_nobody_is_left();
    place.start_server();
    let done = place.until_state(&task, "completed");
    assert_eq!(done.attempts, 1);
    assert!(done.result.expect("a result").starts_with("made without a server\n"));
    runner.stop();
}

#[test]
fn a_result_that_could_not_be_reported_is_reported_by_the_next_start() {
    let mut place = Place::new(
        r#"echo begun > "$PLACE/begun"; until [ -e "$PLACE/go" ]; do sleep 0.05; done; echo "made once" > "$2""#,
    )
    .serve();
    let task = place.submit("Serve the list");
    let runner = place.run();
    place.until_written("begun");
    place.server.take().expect("a server").kill();
    fs::write(place.path("go"), "").expect("a file");
    place.until("the run has ended", || {
        let told = fs::read_to_string(place.path("told")).unwrap_or_default();
        told.contains("it is reported later").then_some(())
    });
    runner.kill();
    fs::remove_file(place.path("begun")).expect("a file");
    place.start_server();
    let runner = place.run();
    let done = place.until_state(&task, "completed");
    assert!(done.result.expect("a result").starts_with("made once\n"));
    assert!(!place.path("begun").exists(), "the agent was not started again");
    runner.stop();
}

#[test]
fn the_time_limit_ends_the_whole_tree() {
    let place = Place::new(
        r#"
        trap '' TERM
        (setsid sh -c "trap '' TERM; (trap '' TERM; sleep 600) & sleep 600" &)
        env -i setsid sleep 600 &
        echo $! > "$PLACE/bare"
        while :; do sleep 1; done
        "#,
    )
    .serve();
    place.configure("time_limit = \"2s\"", "");
    let task = place.submit("Serve the list");
    let runner = place.run();
    let bare = place.until_written("bare");
    let failed = place.until("it has failed", || Some(place.task(&task)).filter(|task| task.failures == 1));
    let note = failed.note.unwrap_or_default() + &failed.reason.unwrap_or_default();
    assert!(note.contains("the time limit of 2s was reached"), "{note}");
    assert_eq!(place.strays(), [] as [String; 0]);
    assert!(!Path::new(&format!("/proc/{bare}/cwd")).exists(), "one without the mark is ended too");
    runner.stop();
}

#[test]
fn a_runner_that_starts_while_the_server_is_away_waits_for_it() {
    let mut place = Place::new(r#"echo "as far as it goes" > "$2""#).serve();
    let task = place.submit("Serve the list");
    place.server.take().expect("a server").kill();
    let runner = place.run();
    place.until("it waits", || {
        let told = fs::read_to_string(place.path("told")).unwrap_or_default();
        told.contains("waiting: no answer from ").then_some(())
    });
    place.start_server();
    place.until_state(&task, "completed");
    runner.stop();
}

#[test]
fn two_at_once_never_share_a_worktree() {
    let place = Place::new(
        r#"
        pwd > "$PLACE/$KAPELL_TASK.new"; mv "$PLACE/$KAPELL_TASK.new" "$PLACE/$KAPELL_TASK"
        until [ -e "$PLACE/T-1" ] && [ -e "$PLACE/T-2" ]; do sleep 0.05; done
        echo "$KAPELL_TASK" > mine.txt
        "#,
    )
    .serve();
    place.configure("", "at_once = 2");
    // An idle agent with one of two slots taken is no candidate for a second task of no requirements: a manager's word is.
    let agent = AgentRegistration {
        name: "backend-1".to_owned(),
        role: "developer".to_owned(),
        kind: "service".to_owned(),
        capabilities: std::collections::BTreeMap::new(),
        max_concurrent_tasks: 2,
        lease_ms: None,
        standby: false,
    };
    place.client().register(&agent).expect("it is registered");
    place.client().heartbeat("backend-1").expect("it is alive");
    for title in ["Same title", "Same title"] {
        let task = place.submit(title);
        if place.task(&task).owner.is_none() {
            place.client().assign(&task, "backend-1").expect("it is assigned");
        }
    }
    let runner = place.run();
    for task in ["T-1", "T-2"] {
        place.until_state(task, "completed");
        let branch = format!("kapell/{task}-same-title:mine.txt");
        assert_eq!(place.git(&["show", &branch]), task);
    }
    assert_ne!(place.until_written("T-1"), place.until_written("T-2"));
    runner.stop();
}

#[test]
fn a_runner_that_is_asked_to_stop_gives_its_task_back_with_the_work_kept() {
    let place = Place::new(
        r#"
        echo half > half.txt
        trap 'echo asked > "$PLACE/asked"; exit 1' TERM
        echo begun > "$PLACE/begun"
        while :; do sleep 0.1; done
        "#,
    )
    .serve();
    let task = place.submit("Serve the list");
    let runner = place.run();
    place.until_written("begun");
    runner.stop();
    place.until_written("asked");
    let back = place.task(&task);
    let note = back.note.expect("a note");
    assert!(
        note.starts_with("the runner stopped; exit code 1") && note.contains("branch kapell/T-1"),
        "{note}"
    );
    assert_eq!((back.failures, back.started_at), (0, None));
    assert_eq!(place.git(&["show", "kapell/T-1-serve-the-list:half.txt"]), "half");
    assert_eq!(place.client().agent("backend-1").expect("the agent").state, "offline", "it has signed off");
    place.until_nobody_is_left();
}

#[test]
fn who_stands_in_reserve_is_started_where_an_emergency_wants_a_replacement() {
    let place = Place::new("echo 'kapell: result replaced'").serve();
    let reserve = |name: &str, role: &str| {
        let script = place.path("agent.sh");
        format!(
            "[[agent]]\nname = \"{name}\"\nrole = \"{role}\"\nreserve = true\ncapabilities = {{ rust = 0.8 }}\n\
             command = [\"sh\", \"{}\"]\n",
            script.display()
        )
    };
    place
        .configure("", &(reserve("spare-architect", "architect") + &reserve("spare-developer", "developer")));
    let lost = AgentRegistration {
        name: "lost".to_owned(),
        role: "developer".to_owned(),
        kind: "service".to_owned(),
        capabilities: [("rust".to_owned(), 0.9)].into(),
        max_concurrent_tasks: 1,
        lease_ms: Some(2_000),
        standby: false,
    };
    place.client().register(&lost).expect("it is registered");
    place.client().heartbeat("lost").expect("it is alive");
    let task = place.submit("Whose owner is lost");
    assert_eq!(place.task(&task).owner.as_deref(), Some("lost"));
    let state = |name: &str| place.client().agent(name).ok().map(|agent| agent.state);
    place.until("it is lost", || state("lost").filter(|state| state != "online"));
    let runner = place.run();
    place.until("the team works", || state("backend-1").filter(|state| state == "online"));
    assert_eq!(state("spare-developer"), None, "nobody has asked for it");
    let emergency = kapell_api::NewEmergency {
        kind: "agent_cascade_failure".to_owned(),
        reason: "agents are failing".to_owned(),
        ..kapell_api::NewEmergency::default()
    };
    place.client().declare_emergency(&emergency).expect("it is declared");
    place.until("the spare is there", || state("spare-developer").filter(|state| state == "online"));
    assert_eq!(state("spare-architect"), None, "it has another role");
    runner.stop();
    assert_eq!(state("spare-developer").as_deref(), Some("offline"), "it is signed off");
    let told = fs::read_to_string(place.path("told")).expect("what was told");
    assert!(told.contains("spare-developer is started in the place of lost, as X-1 wants"), "{told}");
    assert!(!told.contains("not signed off"), "{told}");
}

#[test]
fn an_agent_is_stopped_when_its_task_is_called_off() {
    let place = Place::new("echo begun > \"$PLACE/begun\"; sleep 600").serve();
    register_short_lived(&place);
    let task = place.submit("Serve the list");
    let runner = place.run();
    place.until_written("begun");
    place.client().cancel(&task, "not wanted any more").expect("it is called off");
    place.until_nobody_is_left();
    assert_eq!(place.task(&task).state, "cancelled");
    runner.stop();
}

#[test]
fn an_agent_is_stopped_at_once_when_its_progress_says_that_it_has_come_to_a_limit() {
    let place = Place::new(
        r#"
        trap 'echo asked > "$PLACE/asked"; exit 1' TERM
        echo begun > "$PLACE/begun"
        printf 'kapell: usage input=10 output=10 cost_usd=9.00\nkapell: progress 40 spending\n'
        while :; do sleep 0.1; done
        "#,
    )
    .serve();
    let task = place.submit("Serve the list");
    let money_micros = kapell_api::Limit { soft: None, hard: Some(1_000_000) };
    let total = kapell_api::Limits { money_micros, ..Default::default() };
    let budget = Some(kapell_api::Budget { total, ..Default::default() });
    let new = kapell_api::NewBudget { of: "task".to_owned(), name: Some(task), budget };
    place.client().set_budget(&new).expect("it is set");
    let runner = place.run();
    place.until_written("asked");
    // By itself the runner looks every 10 s what is still its own.
    let written = |name: &str| fs::metadata(place.path(name)).and_then(|it| it.modified()).expect("a time");
    let took = written("asked").duration_since(written("begun")).expect("it is later");
    assert!(took < Duration::from_secs(7), "after {took:?}");
    place.until_nobody_is_left();
    runner.stop();
}

#[test]
fn a_program_of_the_worktree_must_be_committed_and_is_named_where_it_cannot_be_started() {
    let place = Place::new("").serve();
    let text = "repository = \"repo\"\nstate = \"state\"\n[[agent]]\nname = \"backend-1\"\ncommand = [\"./start.sh\"]\n";
    fs::write(place.path("kapell.toml"), text).expect("a file");
    fs::write(place.path("repo/start.sh"), "#!/bin/sh\n").expect("a program");
    place.executable("repo/start.sh");
    let output = place.command().arg("--check").output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{told}");
    assert!(
        told.contains("`command` begins with ./start.sh, which would be run in a worktree of HEAD"),
        "{told}"
    );
    assert!(place.client().agents(None).expect("it answers").is_empty(), "it was refused before it joined");

    place.git(&["add", "."]);
    place.git(&["commit", "--quiet", "-m", "a program"]);
    assert!(place.command().arg("--check").status().expect("it runs").success());
    let runner = place.run();
    place.until("it waits", || {
        fs::read_to_string(place.path("told")).unwrap_or_default().contains("wait for work").then_some(())
    });
    place.git(&["rm", "--quiet", "start.sh"]);
    place.git(&["commit", "--quiet", "-m", "no program"]);
    place.submit("Show the rooms");
    let why = "the agent could not be started: ./start.sh: No such file or directory";
    place.until("the reason is told", || {
        let told = fs::read_to_string(place.path("told")).unwrap_or_default();
        told.lines().any(|line| line.contains("given back") && line.contains(why)).then_some(())
    });
    runner.stop();
}

#[test]
fn what_is_missing_is_named_before_anything_starts() {
    let place = Place::new("exit 0").serve();
    let check = |what: &str| {
        let output = place.command().arg("--check").output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), what.is_empty(), "{told}");
        assert!(told.contains(what), "{what:?} is not in {told}");
    };
    check("");
    fs::write(place.path("repo/README.md"), "# Changed\n").expect("a file");
    check("has changes that are not committed");
    place.configure("dirty = \"allow\"", "");
    check("");
    place.configure("dirty = \"allow\"\nbase = \"no-such-branch\"", "");
    check("`base` is no-such-branch; allowed is a branch, tag or commit of ");
    place.configure("", "at_once = 0");
    check("kapell.toml:9: `at_once` is 0; allowed is 1 to 100");
    // Who is registered already keeps its slots, and what is not set cannot be handed on.
    place.configure("dirty = \"allow\"", "at_once = 2\nenv = [\"NOBODY_SETS_THIS\"]");
    let output = place.command().arg("--check").output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("backend-1: the fleet gives it 1 at once, the file says 2"), "{told}");
    assert!(told.contains("backend-1: `env` hands on NOBODY_SETS_THIS, which is not set here"), "{told}");
    place.configure("colour = 1", "");
    check("unknown field `colour`, expected one of `repository`");
    fs::write(
        place.path("kapell.toml"),
        "[[agent]]\nname = \"a\"\ncommand = [\"no-such-program\"]\nrepository = \"x\"\n",
    )
    .expect("a file");
    check("unknown field `repository`");
    fs::write(place.path("kapell.toml"), "repository = \"repo\"\ndirty = \"allow\"\n[[agent]]\nname = \"a\"\ncommand = [\"no-such-program\"]\n")
        .expect("a file");
    check("agent `a`: `command` begins with no-such-program");
    fs::write(place.path("kapell.toml"), "repository = \".\"\n[[agent]]\nname = \"a\"\ncommand = [\"sh\"]\n")
        .expect("a file");
    check("allowed is a directory in a git repository");
    place.configure("dirty = \"allow\"", "");
    let runner = place.run();
    place.until("it runs", || {
        fs::read_to_string(place.path("told")).unwrap_or_default().contains("wait for work").then_some(())
    });
    check("another runner works with this file");
    runner.stop();
}
