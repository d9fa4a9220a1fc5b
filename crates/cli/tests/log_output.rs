//! What the server writes to its log.

mod served;

use std::process::Command;

use kapell_api::{Client, NewToken, NewWebhook, TaskSubmission};
use served::{Server, template};

#[test]
fn a_secret_is_in_no_line_of_the_log_whatever_is_logged() {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, log) = (directory.path().join("data"), directory.path().join("log"));
    let written = std::fs::File::create(&log).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
    let (key, hidden) = ("sk-planted-0123456789", "planted-in-the-path");
    command.env("KAPELL_LOG", "trace,ureq::run=trace").stderr(written);
    // A model that nobody answers for is asked all the same.
    command
        .env("KAPELL_LLM_URL", "http://127.0.0.1:9/v1")
        .env("KAPELL_LLM_MODEL", "small")
        .env("KAPELL_LLM_KEY", key);
    let server = Server::run_where(&data, &data, command, "127.0.0.1:0");
    let admin = std::fs::read_to_string(data.join("admin.token")).expect("the token");
    let canary = {
        let (access, agent) = ("agent".to_owned(), Some("ada".to_owned()));
        let new = NewToken { access, agent, label: "canary".to_owned(), expires_in_ms: None };
        server.client.make_token(&new).expect("a token").token
    };
    let base = std::fs::read_to_string(data.join("address")).expect("the address");
    // Used rightly, for what it may not do, and with its last sign changed.
    let agent = Client::new(base.trim(), &canary);
    agent.status().expect("a token reads");
    let task = TaskSubmission { title: "Not mine to submit".to_owned(), ..template() };
    agent.submit(&task).expect_err("an agent submits nothing");
    let wrong = format!("{}x", &canary[..canary.len() - 1]);
    Client::new(base.trim(), &wrong).status().expect_err("it is no token");
    // What is sent outside.
    let url = format!("http://example.invalid/{hidden}?and={hidden}");
    let hook = NewWebhook { name: "pager".to_owned(), url, types: vec!["*".to_owned()], after: None };
    let signs = server.client.add_webhook(&hook).expect("a webhook").secret;
    let tried = server.client.test_webhook("pager").expect("it is tried");
    assert!(!tried.accepted, "{tried:?}");
    let task = TaskSubmission { title: "Large".to_owned(), ..template() };
    let large = server.client.submit(&task).expect("it is submitted").task.expect("a task");
    let path = format!("/v1/tasks/{large}/breakdown");
    let broken = server.client.ask("POST", &path, Some(&serde_json::json!({}))).expect("it is broken down");
    assert!(broken.to_string().contains("no answer"), "the model was asked: {broken}");
    server.terminate();
    let log = std::fs::read_to_string(&log).expect("the log");
    // What was looked through is the log, from the first line to the last.
    let whole = log.contains("listens on") && log.contains("stopped: everything");
    assert!(whole, "that is not the whole log: {log}");
    for secret in [admin.trim(), &canary, &wrong, key, hidden, &signs] {
        let at = log.lines().find(|line| line.contains(secret));
        assert!(at.is_none(), "a secret stands in the log: {at:?}");
    }
}
