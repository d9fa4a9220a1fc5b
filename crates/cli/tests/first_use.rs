//! What somebody types on the first day, and what is said to it.

mod served;

use std::path::Path;
use std::process::{Command, Output};

use served::Server;

fn kapell(data: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
    command.args(words).arg("--data").arg(data);
    command.env_remove("KAPELL_TOKEN").env_remove("KAPELL_SERVER").output().expect("it runs")
}

/// Returns the exit code and everything that was said.
fn told(output: &Output) -> (i32, String) {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (output.status.code().expect("it ended by itself"), text.concat())
}

#[track_caller]
fn refused(data: &Path, words: &[&str], exit: i32, says: &str) {
    let (code, text) = told(&kapell(data, words));
    assert_eq!(code, exit, "{text}");
    assert!(text.contains(says), "{says:?} is not in {text}");
}

#[test]
fn what_is_typed_wrong_ends_as_usage_and_says_what_is_allowed() {
    let folder = tempfile::tempdir().expect("a directory");
    let data = folder.path().join("data");
    refused(&data, &["status", "--server", "127.0.0.1:7117"], 2, "write http://127.0.0.1:7117");
    refused(&data, &["export", "github"], 2, "[possible values: beads, taskmaster, backlog, kapell]");
    refused(&data, &["join", "x y"], 2, "x y");
    // Nothing listens there; where a server was named, that is no good news.
    refused(&data, &["doctor", "--server", "http://127.0.0.1:9"], 1, "ILL   no server answers");
    let (_, help) = told(&kapell(&data, &["agent", "add", "--help"]));
    let (own, global) = help.split_once("Global options:").expect("they stand apart");
    assert!(global.contains("--server") && global.contains("--json") && !own.contains("--json"), "{help}");

    let server = Server::start(&data);
    refused(&data, &["policy", "set", "foo=1"], 2, "the policy has no field `foo`");
    refused(&data, &["policy", "set", "threshold"], 2, "allowed is FIELD=VALUE");
    refused(&data, &["task", "edit", "T-1"], 2, "there is nothing to change");
    let set = |words: &[&str]| told(&kapell(&data, &[&["policy", "set"], words].concat()));
    let said = set(&["claims=scored", "grace_ms=45s"]);
    assert_eq!(said, (0, "claims: first -> scored\ngrace_ms: 30000 -> 45000\n".to_owned()));
    assert_eq!(set(&["claims=scored"]).1, "nothing is different: the policy was so\n");
    server.kill();
}

#[test]
fn a_team_file_can_be_used_again() {
    let folder = tempfile::tempdir().expect("a directory");
    let data = folder.path().join("data");
    let server = Server::start(&data);
    let file = folder.path().join("team.toml");
    let team = |names: &[&str]| {
        let agent = |name: &&str| format!("[[agent]]\nname = \"{name}\"\nrole = \"developer\"\n");
        std::fs::write(&file, names.iter().map(agent).collect::<String>()).expect("a file");
        let file = file.display().to_string();
        told(&kapell(&data, &["team", &file]))
    };
    assert_eq!(team(&["t1"]), (0, "registered t1\n".to_owned()));
    let all = "registered t3\nt1 is known, and left as it is\nregistered t4\n";
    assert_eq!(team(&["t3", "t1", "t4"]), (0, all.to_owned()));
    assert_eq!(server.client.agents(None).expect("it answers").len(), 3);
    server.kill();
}

#[test]
fn the_last_admin_token_is_not_taken_back_by_mistake() {
    let folder = tempfile::tempdir().expect("a directory");
    let data = folder.path().join("data");
    let server = Server::start(&data);
    let ends = ["token", "new", "--access", "admin", "--expires-in-days", "1"];
    assert_eq!(told(&kapell(&data, &ends)).0, 0);
    refused(&data, &["token", "revoke", "1"], 3, "token 1 is the last one of access admin");
    assert_eq!(told(&kapell(&data, &["token", "revoke", "2"])).0, 0, "another one is");
    assert_eq!(told(&kapell(&data, &["token", "revoke", "1", "--yes"])).0, 0);
    refused(&data, &["status"], 5, "a restart of the server writes a new one there");
    server.terminate();
    let server = Server::start(&data);
    assert_eq!(told(&kapell(&data, &["status"])).0, 0, "as it was said");
    server.kill();
}
