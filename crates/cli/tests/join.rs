//! `kapell join` and `kapell prime` against a real server.

mod served;

use std::path::Path;
use std::process::{Command, Output};

use kapell_api::{AgentRegistration, TaskSubmission};
use served::{Server, template};

fn kapell(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
    command.args(arguments).arg("--data").arg(data).env_remove("KAPELL_TOKEN").env_remove("KAPELL_SERVER");
    command.output().expect("it runs")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_is_printed_connects_over_both_transports() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::start(&data);
    let printed = said(&kapell(&data, &["join", "backend-1", "--for", "codex"]));
    assert!(
        printed.contains("[mcp_servers.kapell]") && printed.contains(&data.display().to_string()),
        "{printed}"
    );
    for more in [&["join", "backend-1", "--check"][..], &["join", "backend-1", "--check", "--own-token"]] {
        let checked = said(&kapell(&data, more));
        let lines: Vec<&str> = checked.lines().collect();
        assert_eq!(lines.len(), 2, "{checked}");
        for line in lines {
            assert!(line.contains("kapell ") && line.contains("tools: join, next, "), "{line}");
            assert!(line.ends_with("the board can be read"), "{line}");
        }
    }
    let entries: serde_json::Value =
        serde_json::from_str(&said(&kapell(&data, &["join", "backend-1", "--own-token", "--json"])))
            .expect("JSON");
    assert_eq!(entries.as_array().map(Vec::len), Some(8));
    let own = || -> Vec<u32> {
        let tokens = server.client.tokens().expect("the tokens");
        tokens.iter().filter(|it| it.agent.as_deref() == Some("backend-1")).map(|it| it.id).collect()
    };
    let first = own();
    assert_eq!(first.len(), 1, "what was made to check is taken back");
    let again = kapell(&data, &["join", "backend-1", "--own-token"]);
    let told = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said(&again).contains("Bearer kpl_"));
    assert!(told.contains(&format!("earlier tokens of `kapell join`, too: {}.", first[0])), "{told}");
    assert_eq!(own().len(), 2, "an entry that holds the first still works");
    said(&kapell(&data, &["join", "backend-1", "--check", "--own-token"]));
    assert_eq!(own().len(), 2);
    assert!(entries[1]["text"].as_str().expect("a text").contains("Bearer kpl_"), "{entries}");
    server.kill();
    let gone = kapell(&data, &["join", "backend-1", "--check"]);
    assert!(!gone.status.success(), "a server that is not there is no success");
}

#[test]
fn a_fresh_session_is_told_what_is_its_own() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::start(&data);
    let agent: AgentRegistration = serde_json::from_str(r#"{"name":"backend-1"}"#).expect("an agent");
    server.client.register(&agent).expect("it is registered");
    server.client.heartbeat("backend-1").expect("it is alive");
    let description = "Show which rooms are free. ".repeat(2_000);
    let task = TaskSubmission { title: "Serve the list".to_owned(), description, ..template() };
    server.client.submit(&task).expect("it is submitted");
    let text = said(&kapell(&data, &["prime", "backend-1"]));
    assert!(text.contains("### T-1 under A-1\n\n`Serve the list`\n") && text.contains("[cut]"), "{text}");
    let prime: serde_json::Value =
        serde_json::from_str(&said(&kapell(&data, &["prime", "backend-1", "--tokens", "600", "--json"])))
            .expect("JSON");
    assert!(prime["tokens"].as_u64().is_some_and(|tokens| tokens > 300 && tokens <= 600), "{prime}");
    let stranger = said(&kapell(&data, &["prime", "nobody"]));
    assert!(stranger.contains("call `join` with the agent nobody"), "{stranger}");
    // A text may begin like a flag.
    said(&kapell(&data, &["task", "add", "List", "--description", "- a\n- b"]));
    server.kill();
}
