//! What the server writes to its log.

mod served;

use std::process::Command;

use kapell_api::{Client, NewToken, TaskSubmission};
use served::{Server, template};

#[test]
fn a_secret_is_in_no_line_of_the_log_whatever_is_logged() {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, log) = (directory.path().join("data"), directory.path().join("log"));
    let written = std::fs::File::create(&log).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
    command.env("KAPELL_LOG", "trace").stderr(written);
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
    server.terminate();
    let log = std::fs::read_to_string(&log).expect("the log");
    // What was looked through is the log, from the first line to the last.
    let whole = log.contains("listens on") && log.contains("stopped: everything");
    assert!(whole, "that is not the whole log: {log}");
    for secret in [admin.trim(), &canary, &wrong] {
        let at = log.lines().find(|line| line.contains(secret));
        assert!(at.is_none(), "a secret stands in the log: {at:?}");
    }
}
