//! `kapell watch` against a real server: a beads file and the fleet in step, both ways.

mod served;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kapell_api::{AgentRegistration, Client, DoneReport, TaskEdit, TaskSubmission};
use serde_json::{Value, json};
use served::{Server, template};

const FILE: &str = r#"{"title":"Store","id":"bd-1","status":"open","priority":2,"issue_type":"bug","odd":{"deep":[1]},"created_at":"2026-01-01T00:00:00Z"}
{"id":"bd-2","title":"Serve","status":"open","priority":2,"issue_type":"task","dependencies":[{"issue_id":"bd-2","depends_on_id":"bd-1","type":"blocks"}]}
{"id":"bd-3","title":"Paint","status":"open","priority":3,"issue_type":"task","dependencies":[{"issue_id":"bd-3","depends_on_id":"bd-2","type":"blocks"}]}
"#;

struct Place {
    folder: tempfile::TempDir,
    server: Server,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let server = Server::start(&folder.path().join("data"));
        fs::write(folder.path().join("issues.jsonl"), FILE).expect("a file");
        Self { folder, server }
    }

    fn client(&self) -> &Client {
        &self.server.client
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("issues.jsonl")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).expect("the file")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
        let state: &Path = self.folder.path();
        command
            .arg("watch")
            .arg(self.file())
            .arg("--data")
            .arg(state.join("data"))
            .env("XDG_STATE_HOME", state);
        command.env_remove("KAPELL_TOKEN").env_remove("KAPELL_SERVER");
        command
    }

    /// Brings both in step once; returns what was said on standard output.
    fn once(&self) -> String {
        let output = self.command().arg("--once").output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn record(&self, id: &str) -> Value {
        let lines = self.text();
        let mut values = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        values.find(|value| value["id"] == id).unwrap_or_else(|| panic!("{id} in {lines}"))
    }

    /// Changes a record of the file as another program would.
    fn change(&self, id: &str, change: impl Fn(&mut Value)) {
        let text = self.text();
        let lines = text.lines().map(|line| {
            let mut value: Value = serde_json::from_str(line).expect("JSON");
            if value["id"] == id {
                change(&mut value);
            }
            value.to_string() + "\n"
        });
        fs::write(self.file(), lines.collect::<String>()).expect("the file");
    }

    fn state(&self, task: &str) -> String {
        self.client().task(task).expect("a task").state
    }

    fn done(&self, task: &str, result: &str) {
        let agent: AgentRegistration = serde_json::from_str(r#"{"name":"ada"}"#).expect("an agent");
        self.client().register(&agent).expect("an agent");
        let given = self.client().next("ada", 1, Duration::from_secs(10)).expect("work").assignments;
        let it = given
            .iter()
            .find(|it| self.client().task(task).expect("a task").id == it.task)
            .expect("this task");
        let (agent, assignment) = ("ada".to_owned(), it.assignment.clone());
        let report =
            DoneReport { task: None, agent, assignment, result: Some(result.to_owned()), usage: None };
        // Else it would be given the next task at once.
        self.client().drain_agent("ada", true).expect("drained");
        self.client().done(task, &report).expect("done");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.server.process.kill();
        let _ = self.server.process.wait();
    }
}

#[test]
fn what_either_side_changes_is_so_on_the_other() {
    let place = Place::new();
    assert!(place.once().contains("bd-3 is new"));
    assert_eq!(place.text(), FILE, "nothing has changed");
    assert_eq!((place.state("bd-1").as_str(), place.state("bd-2").as_str()), ("ready", "blocked"));

    // The fleet works: the file says so, and keeps what it does not know.
    place.done("bd-1", "stored");
    place.once();
    let first = place.record("bd-1");
    assert_eq!(
        (&first["status"], &first["close_reason"], &first["odd"]),
        (&json!("closed"), &json!("stored"), &json!({"deep": [1]}))
    );
    assert_eq!(
        place.text().lines().skip(1).collect::<Vec<_>>(),
        FILE.lines().skip(1).collect::<Vec<_>>(),
        "as they were"
    );

    // The file is edited: the fleet follows, and the file keeps what was written.
    place.change("bd-2", |record| {
        record["title"] = json!("Serve all");
        record["priority"] = json!(0);
        record["comments"] = json!([{"text": "soon"}]);
    });
    let written = place.text();
    let said = place.once();
    assert!(said.contains("bd-2 is edited"), "{said}");
    let second = place.client().task("bd-2").expect("a task");
    assert_eq!((second.title.as_str(), second.declared_priority.as_str()), ("Serve all", "critical"));
    assert_eq!(place.text(), written);

    // The fleet edits the same field later: the file follows, since it has not changed.
    let edit = TaskEdit { title: Some("Serve everything".to_owned()), ..TaskEdit::default() };
    place.client().edit("bd-2", &edit).expect("edited");
    place.change("bd-2", |record| record["updated_at"] = json!("2026-01-01T00:00:00Z"));
    place.once();
    // beads takes a record only where it is newer than what it has.
    assert!(place.record("bd-2")["updated_at"].as_str().is_some_and(|at| at > "2026-01-02"));
    let written = place.text();
    place.once();
    assert_eq!(place.text(), written, "it is moved on once");
    assert_eq!(
        (&place.record("bd-2")["title"], &place.record("bd-2")["comments"][0]["text"]),
        (&json!("Serve everything"), &json!("soon"))
    );

    // The file closes what nobody works on: what waited for it goes on.
    place.change("bd-2", |record| {
        record["status"] = json!("closed");
        record["close_reason"] = json!("by hand");
    });
    let written = place.text();
    place.once();
    assert_eq!((place.state("bd-2").as_str(), place.state("bd-3").as_str()), ("cancelled", "ready"));
    assert_eq!(place.text(), written);
    place.change("bd-2", |record| record["status"] = json!("open"));
    place.once();
    assert_eq!(place.state("bd-2"), "ready");
}

#[test]
fn an_edge_to_nothing_is_told() {
    let place = Place::new();
    place.change("bd-1", |record| {
        record["dependencies"] = json!([{"issue_id": "bd-1", "depends_on_id": "bd-9", "type": "blocks"}]);
    });
    let output = place.command().arg("--once").output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("leads nowhere yet: line 1: bd-1 blocks bd-9: not in this file"), "{told}");
}

#[test]
fn tasks_that_begin_in_the_fleet_stand_in_the_file_once() {
    let place = Place::new();
    place.once();
    let task = TaskSubmission { title: "Born here".to_owned(), ..template() };
    place.client().submit(&task).expect("a task");
    place.once();
    assert_eq!(place.record("bd-t4")["title"], "Born here");
    let mut text = place.text();
    text += "{\"id\":\"bd-5\",\"title\":\"After it\",\"status\":\"open\",\"priority\":2,\"dependencies\":[{\"issue_id\":\"bd-5\",\"depends_on_id\":\"bd-t4\",\"type\":\"blocks\"}]}\n";
    fs::write(place.file(), &text).expect("the file");
    place.once();
    place.once();
    let tasks = place.client().tasks(&[]).expect("tasks");
    assert_eq!(tasks.len(), 5);
    assert_eq!(place.client().task("bd-5").expect("a task").depends_on[0].task, "T-4");
    assert_eq!(place.text(), text);
}

#[test]
fn a_file_that_cannot_be_read_whole_is_left_alone() {
    let place = Place::new();
    place.once();
    for (more, wanted) in [
        ("<<<<<<< HEAD\n", "unfinished git merge"),
        ("{\"id\":\"bd-1\",\"title\":\"again\",\"priority\":1}\n", "stands there twice"),
    ] {
        let broken = format!("{FILE}{more}");
        fs::write(place.file(), &broken).expect("the file");
        let output = place.command().arg("--once").output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(wanted), "{said}");
        assert_eq!(place.text(), broken);
    }
}

#[test]
fn a_watch_goes_on_by_itself() {
    let place = Place::new();
    let mut watch = place
        .command()
        .args(["--every", "50"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs");
    let until = |what: &str, look: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !look() {
            assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until("the tasks are there", &|| place.client().tasks(&[]).is_ok_and(|tasks| tasks.len() == 3));
    place.done("bd-1", "stored");
    until("the file says so", &|| place.record("bd-1")["status"] == "closed");
    place.change("bd-3", |record| record["title"] = json!("Paint it blue"));
    until("the fleet says so", &|| {
        place.client().task("bd-3").is_ok_and(|task| task.title == "Paint it blue")
    });
    watch.kill().expect("it can be killed");
    watch.wait().expect("it ends");
}
