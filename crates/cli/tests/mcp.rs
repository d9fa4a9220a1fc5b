//! An agent over `kapell mcp`, ended in every way in the middle of its work: nothing is lost and nobody is left running.

mod served;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use kapell_api::TaskSubmission;
use serde_json::{Value, json};
use served::{Server, template};

/// The program as an agent starts it.
struct Agent {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    calls: u64,
}

impl Agent {
    fn start(data: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
        command.args(["mcp", "--agent", "backend-1", "--data"]).arg(data);
        command
            .env_remove("KAPELL_TOKEN")
            .env_remove("KAPELL_SERVER")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().expect("it starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("an output"));
        let mut agent = Self { child, input, output, calls: 0 };
        let me = json!({"name": "t", "version": "1"});
        agent.ask(
            "initialize",
            &json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": me}),
        );
        agent.tell(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        agent
    }

    fn tell(&mut self, message: &Value) {
        let input = self.input.as_mut().expect("an input");
        writeln!(input, "{message}").and_then(|()| input.flush()).expect("it reads");
    }

    fn begin(&mut self, method: &str, params: &Value) {
        self.calls += 1;
        let message = json!({"jsonrpc": "2.0", "id": self.calls, "method": method, "params": params});
        self.tell(&message);
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.begin(method, params);
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).expect("a line") > 0, "it ended without an answer");
            let answer: Value = serde_json::from_str(&line).expect("JSON");
            if answer["id"] == self.calls {
                return answer["result"].clone();
            }
        }
    }

    /// Calls a tool; returns whether it was refused, and its answer.
    fn call(&mut self, tool: &str, arguments: &Value) -> (bool, Value) {
        let result = self.ask("tools/call", &json!({"name": tool, "arguments": arguments}));
        (result["isError"] == true, result["structuredContent"].clone())
    }

    fn well(&mut self, tool: &str, arguments: &Value) -> Value {
        let (refused, answer) = self.call(tool, arguments);
        assert!(!refused, "{tool}: {answer}");
        answer
    }

    fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Closes its input, as the end of the agent that started it does, and waits.
    fn left_alone(mut self) {
        drop(self.input.take());
        let begun = Instant::now();
        while self.child.try_wait().expect("it can be asked").is_none() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it goes on without its agent");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn submit(server: &Server, title: &str) {
    let task = TaskSubmission { title: title.to_owned(), ..template() };
    server.client.submit(&task).expect("it is submitted");
}

/// Joins, takes a task and begins it; returns what each later call carries.
fn working(agent: &mut Agent, percent: u8) -> Value {
    let joined = agent.well("join", &json!({}));
    let handle = joined["handle"].clone();
    let given = match joined["assignments"].as_array().is_some_and(|all| !all.is_empty()) {
        true => joined,
        false => agent.well("next", &json!({"handle": handle, "wait_seconds": 20})),
    };
    let (task, assignment) = (&given["assignments"][0]["task"], &given["assignments"][0]["assignment"]);
    let call = json!({"handle": handle, "task": task, "assignment": assignment});
    let mut progress = call.clone();
    progress["percent"] = json!(percent);
    assert_eq!(agent.well("progress", &progress)["state"], "in_progress");
    call
}

fn done(mut call: Value) -> Value {
    call["result"] = json!("mended");
    call
}

#[test]
fn an_agent_that_is_killed_goes_on_where_it_was() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::start(&data);
    submit(&server, "Mend it");
    let mut agent = Agent::start(&data);
    let before = working(&mut agent, 40);
    agent.kill();
    let task = server.client.task("T-1").expect("the task");
    assert_eq!((task.state.as_str(), task.progress_percent, task.attempts), ("in_progress", Some(40), 1));
    let mut agent = Agent::start(&data);
    let after = working(&mut agent, 50);
    assert_eq!(after, before, "the same handle, task and assignment");
    assert_eq!(agent.well("done", &done(after))["state"], "completed");
    // One that is killed while it waits is given what comes, and finds it when it comes back.
    agent.begin(
        "tools/call",
        &json!({"name": "next", "arguments": {"handle": before["handle"], "wait_seconds": 30}}),
    );
    agent.kill();
    submit(&server, "Mend another");
    let mut agent = Agent::start(&data);
    let call = working(&mut agent, 1);
    assert_eq!(
        (&call["task"], agent.well("done", &done(call.clone()))["state"].as_str()),
        (&json!("T-2"), Some("completed"))
    );
    agent.left_alone();
    server.kill();
}

#[test]
fn an_agent_whose_server_is_killed_keeps_its_work_and_reports_later() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = free.local_addr().expect("an address").to_string();
    drop(free);
    let start = || Server::run_at(&data, Command::new(env!("CARGO_BIN_EXE_kapell")), &listen);
    let server = start();
    submit(&server, "Mend it");
    let mut agent = Agent::start(&data);
    let call = working(&mut agent, 40);
    server.kill();
    let (refused, problem) = agent.call("done", &done(call.clone()));
    assert!(
        refused && problem["hint"].as_str().is_some_and(|hint| hint.contains("keep your work")),
        "{problem}"
    );
    let server = start();
    assert_eq!(agent.well("done", &done(call))["state"], "completed");
    assert_eq!(server.client.task("T-1").expect("the task").result.as_deref(), Some("mended"));
    agent.left_alone();
    server.kill();
}

#[test]
fn the_program_ends_with_the_agent_that_started_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::start(&data);
    let mut agent = Agent::start(&data);
    let handle = agent.well("join", &json!({}))["handle"].clone();
    agent.begin("tools/call", &json!({"name": "next", "arguments": {"handle": handle, "wait_seconds": 30}}));
    agent.left_alone();
    server.kill();
}
