//! `kapell import` against a real server: two backlogs that number their tasks alike.

mod served;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use served::Server;

/// A Task Master file whose second task waits for its first.
fn tasks(of: &str) -> String {
    let task = |id: u32, wait: &str| {
        format!(
            r#"{{"id":{id},"title":"{of} {id}","status":"pending","priority":"medium","dependencies":[{wait}]}}"#
        )
    };
    format!(r#"{{"master":{{"tasks":[{},{}]}}}}"#, task(1, ""), task(2, "1"))
}

fn import(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
    command.arg("import").args(arguments).arg("--data").arg(data);
    command.env_remove("KAPELL_TOKEN").env_remove("KAPELL_SERVER").output().expect("it runs")
}

#[test]
fn a_second_backlog_that_numbers_alike_is_kept_apart() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let server = Server::start(&data);
    let file = |name: &str, of: &str| {
        let path = directory.path().join(name);
        fs::write(&path, tasks(of)).expect("a file");
        path.display().to_string()
    };
    let (first, second) = (file("first.json", "One"), file("second.json", "Two"));
    assert!(import(&data, &[&first]).status.success());
    let before = server.client.status().expect("it serves").position;

    let refused = import(&data, &[&second]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{told}");
    assert!(told.contains(r#"`master:1` is T-1, "One 1""#) && told.contains("--prefix NAME"), "{told}");
    assert_eq!(server.client.status().expect("it serves").position, before, "nothing was submitted");

    let apart = import(&data, &[&second, "--prefix", "shop"]);
    assert!(apart.status.success(), "{}", String::from_utf8_lossy(&apart.stderr));
    let waits = server.client.task("shop:master:2").expect("it is there");
    let on = server.client.task("shop:master:1").expect("it is there");
    assert_eq!(waits.depends_on.iter().map(|edge| &edge.task).collect::<Vec<_>>(), [&on.id]);
    assert_eq!(on.title, "Two 1");

    // The first again, with a task that is new: what is here already is said, and left as it is.
    let more = r#",{"id":3,"title":"One 3","status":"pending","priority":"low","dependencies":[2]}]"#;
    let newer = tasks("One").replace("One 1", "One, renamed").replace("]}}", &format!("{more}}}}}"));
    fs::write(&first, newer).expect("a file");
    assert!(String::from_utf8_lossy(&import(&data, &[&first]).stderr).contains("--again"));
    for submitted in ["1 tasks submitted, 2 already here", "0 tasks submitted, 3 already here"] {
        let again = import(&data, &[&first, "--again"]);
        let told = String::from_utf8_lossy(&again.stderr);
        assert!(again.status.success() && told.contains(submitted), "{told}");
        assert!(told.contains("left as they are, 0 refused"), "{told}");
    }
    assert_eq!(server.client.task("master:1").expect("it is there").title, "One 1");
    assert_eq!(server.client.task("master:3").expect("it is there").title, "One 3");
    server.kill();
}
