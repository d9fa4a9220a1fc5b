//! `kapell webhook` and `kapell token` as a person and a script see them.

mod served;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use served::Server;

fn kapell(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
    command.args(arguments).arg("--data").arg(data).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn parsed(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)))
}

#[test]
fn secrets_are_shown_alone_scripts_get_json_and_what_is_stuck_is_said() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::start(&data);
    let added = kapell(&data, &["webhook", "add", "pager", "https://example.invalid/hidden"]);
    assert!(
        text(&added.stdout).starts_with("whsec_") && text(&added.stdout).lines().count() == 1,
        "{added:?}"
    );
    assert!(text(&added.stderr).contains("shown this once"), "{added:?}");
    let made = parsed(&kapell(&data, &["token", "new", "--json"]));
    let id = made["id"].to_string();
    assert_eq!(parsed(&kapell(&data, &["token", "revoke", &id, "--json"]))["revoked"], made["id"]);
    let doctor = kapell(&data, &["doctor"]);
    assert!(!text(&doctor.stdout).contains("webhook"), "nothing is wrong: {doctor:?}");

    // Without its secret it says nothing to anybody, and that is said here.
    server.terminate();
    std::fs::remove_file(data.join("webhook-secrets.json")).expect("it goes");
    let server = Server::start(&data);
    let wanted = "webhook `pager` is stopped: its secret is missing";
    let status = kapell(&data, &["status"]);
    assert!(text(&status.stdout).contains(wanted), "{status:?}");
    let doctor = kapell(&data, &["doctor"]);
    assert!(
        !doctor.status.success() && text(&doctor.stdout).contains(&format!("ILL   {wanted}")),
        "{doctor:?}"
    );
    assert!(!text(&doctor.stdout).contains("hidden"), "its address is nobody's: {doctor:?}");
    let removed = parsed(&kapell(&data, &["webhook", "remove", "pager", "--json"]));
    assert_eq!(removed["removed"], "pager");
    assert!(!text(&kapell(&data, &["status"]).stdout).contains("webhook"));
    server.kill();
}
