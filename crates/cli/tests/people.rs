//! People at the command line: when they work, and what is brought to them.

mod served;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use kapell_api::{AgentRegistration, TaskSubmission};
use served::{Server, template};

fn kapell(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
    command.args(words).arg("--data").arg(folder.join("data")).env("XDG_STATE_HOME", folder);
    command.env_remove("KAPELL_TOKEN").env_remove("KAPELL_SERVER").output().expect("it runs")
}

fn said(folder: &Path, words: &[&str]) -> String {
    let output = kapell(folder, words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_person_says_when_it_works_and_is_written_to() {
    let folder = tempfile::tempdir().expect("a directory");
    let folder = folder.path();
    let server = Server::start(&folder.join("data"));
    let eve = AgentRegistration {
        name: "eve".to_owned(),
        role: "developer".to_owned(),
        kind: "person".to_owned(),
        capabilities: BTreeMap::new(),
        max_concurrent_tasks: 1,
        lease_ms: None,
        standby: false,
    };
    server.client.register(&eve).expect("registered");
    server.client.heartbeat("eve").expect("heard of");

    assert_eq!(said(folder, &["agent", "hours", "eve"]), "it works at any time\n");
    let away = "2020-01-01T00:00:00Z/2020-01-08T00:00:00Z";
    let shift = "mon-fri 09:00-12:00,13:00-17:00";
    let set = ["agent", "hours", "eve", "--zone", "Europe/Berlin", "--shift", shift, "--quiet", away];
    let shown = said(folder, &set);
    assert!(
        shown.starts_with("works by the clock of Europe/Berlin: mon 09:00-12:00,13:00-17:00; tue"),
        "{shown}"
    );
    assert!(shown.contains("away from 2020-01-01T00:00:00Z"), "{shown}");
    // A shift that is moved leaves the times away as they are.
    let moved = ["agent", "hours", "eve", "--zone", "Europe/Berlin", "--shift", "mon-fri 10:00-18:00"];
    let shown = said(folder, &moved);
    assert!(
        shown.contains("mon 10:00-18:00;") && shown.contains("away from 2020-01-01T00:00:00Z"),
        "{shown}"
    );
    let shown = said(folder, &[&moved[..], &["--no-quiet"]].concat());
    assert!(!shown.contains("away"), "{shown}");
    for night in ["mon-fri 22:00-06:00", "fri-mon 09:00-12:00"] {
        let refused = kapell(folder, &["agent", "hours", "eve", "--zone", "Europe/Berlin", "--shift", night]);
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && text.contains("over midnight is two"), "{text}");
    }
    let refused = kapell(folder, &["agent", "hours", "eve", "--zone", "Europe/Berlin", "--shift", "mon 9-5"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && text.contains("week.mon") && text.contains("09:00-17:00"), "{text}");
    assert_eq!(said(folder, &["agent", "hours", "eve", "--always"]), "it works at any time\n");

    let task = TaskSubmission { title: "A [door](x) to paint".to_owned(), ..template() };
    let task = server.client.submit(&task).expect("submitted").task.expect("its id");
    let letter = said(folder, &["digest", "eve", "--link", "https://kapell.example/", "--fetch"]);
    assert!(letter.starts_with("# For eve\n") && letter.contains("## Your tasks (1)"), "{letter}");
    let link = format!("[{task} A \\[door\\](x) to paint](https://kapell.example/#/task/{task})");
    assert!(letter.contains(&link) && letter.contains("## Waiting for a word from you (0)"), "{letter}");
    server.terminate();
}
