use std::path::{Path, PathBuf};

use kapell_api::{AgentRegistration, Client, DoneReport};
use kapell_server::{ServeOptions, WebhookOptions};
use serde_json::json;
use tokio::sync::oneshot;

use super::*;

const BACKLOGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/backlogs");

/// The real server on a directory of its own.
struct Server {
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    _data: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let data = tempfile::tempdir().expect("a directory");
        let options = ServeOptions {
            data: data.path().join("data"),
            listen: "127.0.0.1:0".parse().expect("an address"),
            hosts: Vec::new(),
            mcp_fixtures: false,
            llm: None,
            webhooks: WebhookOptions::default(),
        };
        let token_file = options.data.join(kapell_server::ADMIN_TOKEN_FILE);
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            let started = move |it: &kapell_server::Started| {
                let _ = tell.send(it.address);
            };
            let stop = async {
                let _ = stopped.await;
            };
            runtime
                .expect("a runtime")
                .block_on(kapell_server::serve(options, started, stop))
                .expect("it serves");
        });
        let address = told.recv().expect("it starts");
        let token = std::fs::read_to_string(token_file).expect("a token");
        let client = Client::new(&format!("http://{address}"), token.trim());
        Self { client, stop: Some(stop), thread: Some(thread), _data: data }
    }

    fn import(&self, bytes: &[u8], format: Format) {
        let imported = import::read_bytes("a file", bytes, Some(format), true).expect("it is read");
        let refused =
            crate::command::import::submit(&self.client, &imported.tasks, |_| {}).expect("it answers");
        assert!(refused.here.is_empty() && refused.refused.is_empty(), "{refused:?}");
        for (task, on, kind) in &imported.later {
            self.client.add_dependency(task, on, kind).expect("an edge");
        }
    }

    fn tasks(&self) -> Vec<Task> {
        let mut tasks = Vec::new();
        self.client.each_task(|task| tasks.push(task)).expect("the tasks");
        tasks
    }

    fn export(&self, format: Format) -> Exported {
        write(format, self.tasks(), None).expect("an export")
    }

    /// Registers an agent, lets it finish `task`, and take nothing else.
    fn finish(&self, task: &str, agent: &str, result: &str) {
        self.own(task, agent);
        let assignment = self.client.task(task).expect("a task").assignment.expect("a token");
        let report = DoneReport {
            task: None,
            agent: agent.to_owned(),
            assignment,
            result: Some(result.to_owned()),
            usage: None,
        };
        self.client.done(task, &report).expect("done");
    }

    fn own(&self, task: &str, agent: &str) {
        let mut policy = self.client.policy().expect("the policy");
        // Nobody gets anything by score: only what is assigned by hand.
        policy.threshold = 1.0;
        self.client.set_policy(&policy).expect("a policy");
        let registration: AgentRegistration =
            serde_json::from_value(json!({ "name": agent, "role": "developer" })).expect("an agent");
        self.client.register(&registration).expect("an agent");
        self.client.heartbeat(agent).expect("a sign of life");
        self.client.assign(task, agent).expect("an assignment");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(Path::new(BACKLOGS).join(folder)).expect("the real backlogs");
    let paths = folder.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    files.sort();
    assert!(!files.is_empty(), "the real backlogs are beside the project");
    files
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn real_beads_files_come_back_as_they_went_in() {
    for path in files("beads", "jsonl") {
        let bytes = std::fs::read(&path).expect("a file");
        let server = Server::start();
        server.import(&bytes, Format::Beads);
        let exported = server.export(Format::Beads);
        let (wanted, found) = (lines(&bytes), lines(&exported.bytes));
        assert_eq!(found.len(), wanted.len(), "{}", path.display());
        for (wanted, found) in wanted.iter().zip(&found) {
            assert_eq!(found, wanted, "{}", path.display());
        }
        assert_eq!(exported.report, ExportReport::new(Format::Beads, wanted.len()), "{}", path.display());
    }
}

#[test]
fn real_task_master_files_come_back_as_they_went_in() {
    for path in files("taskmaster", "json") {
        let bytes = std::fs::read(&path).expect("a file");
        let server = Server::start();
        server.import(&bytes, Format::Taskmaster);
        let exported = server.export(Format::Taskmaster);
        let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON");
        assert_eq!(read(&exported.bytes), read(&bytes), "{}", path.display());
        let tasks = server.tasks().len();
        assert_eq!(exported.report, ExportReport::new(Format::Taskmaster, tasks), "{}", path.display());
    }
}

#[test]
fn every_real_file_survives_a_stay_in_kapell_s_own_format() {
    let beads = files("beads", "jsonl").into_iter().map(|path| (path, Format::Beads));
    let taskmaster = files("taskmaster", "json").into_iter().map(|path| (path, Format::Taskmaster));
    for (path, format) in beads.chain(taskmaster) {
        let server = Server::start();
        server.import(&std::fs::read(&path).expect("a file"), format);
        let own = server.export(Format::Kapell);
        let second = Server::start();
        second.import(&own.bytes, Format::Kapell);
        assert_eq!(second.export(format).bytes, server.export(format).bytes, "{}", path.display());
        assert_eq!(own.report, ExportReport::new(Format::Kapell, server.tasks().len()), "{}", path.display());
    }
}

#[test]
fn a_parent_that_waits_for_its_part_survives_too() {
    let server = Server::start();
    for title in ["The whole", "A part"] {
        let task = json!({ "title": title, "priority": "medium" });
        server.client.submit(&serde_json::from_value(task).expect("a task")).expect("a task");
    }
    server.client.add_dependency("T-2", "T-1", "parent_child").expect("an edge");
    server.client.add_dependency("T-1", "T-2", "blocks").expect("an edge");
    let own = server.export(Format::Kapell);
    let second = Server::start();
    second.import(&own.bytes, Format::Kapell);
    let edges = |server: &Server| -> Vec<(String, String, String)> {
        let name = |id: &str| server.client.task(id).expect("a task").title;
        let tasks = server.tasks();
        let edges = tasks.iter().flat_map(|task| task.depends_on.iter().map(|edge| (&task.id, edge)));
        let mut edges: Vec<_> =
            edges.map(|(task, edge)| (name(task), edge.kind.clone(), name(&edge.task))).collect();
        edges.sort();
        edges
    };
    assert_eq!(edges(&server).len(), 2);
    assert_eq!(edges(&second), edges(&server));
}

const BEADS: &str = r#"{"id":"bd-2","title":"  B ","status":"in_progress","assignee":"kim","priority":4,"issue_type":"task","dependencies":[{"issue_id":"bd-2","depends_on_id":"gone-9","type":"blocks"},{"issue_id":"bd-2","depends_on_id":"bd-1","type":"blocks","by":"x"}],"odd":{"deep":[1,null]}}
{"id":"bd-1","title":"A","status":"open","priority":2,"issue_type":"bug","design":"Plan it","updated_at":"2020-01-01T00:00:00Z","wisp":true}
{"id":"T-7","title":"C","status":"tombstone","priority":3,"issue_type":"task","labels":["a"]}
"#;

#[test]
fn what_kapell_knows_better_stands_in_the_fields_of_beads() {
    let server = Server::start();
    server.import(BEADS.as_bytes(), Format::Beads);
    assert_eq!(lines(&server.export(Format::Beads).bytes), lines(BEADS.as_bytes()));
    server.client.add_dependency("bd-2", "beads:T-7", "related").expect("an edge");
    server.finish("bd-1", "ada", "planned");
    let added = json!({ "title": "D", "priority": "critical", "depends_on": ["bd-2"], "estimate_hours": 0.5,
        "requires": [{ "capability": "rust" }] });
    server.client.submit(&serde_json::from_value(added).expect("a task")).expect("a task");
    let exported = server.export(Format::Beads);
    let mut found = lines(&exported.bytes);
    let original = lines(BEADS.as_bytes());
    let moved = found[0].as_object_mut().and_then(|record| record.remove("updated_at"));
    assert!(moved.is_some(), "what has changed is newer");
    let mut second = original[0].clone();
    let edges = second["dependencies"].as_array_mut().expect("edges");
    edges.push(json!({ "issue_id": "bd-2", "depends_on_id": "T-7", "type": "related" }));
    assert_eq!(found[0], second, "a dangling edge and an unknown field stay, the new edge is there");
    let done = server.client.task("bd-1").expect("a task");
    let mut first = original[1].clone();
    for (field, value) in [
        ("status", json!("closed")),
        ("assignee", json!("ada")),
        ("close_reason", json!("planned")),
        ("closed_at", json!(done.finished_at)),
        ("updated_at", json!(done.state_since)),
    ] {
        first[field] = value;
    }
    assert_eq!(found[1], first);
    assert_eq!(found[2], original[2], "a tombstone stays one");
    let own = &found[3];
    assert_eq!(
        (&own["id"], &own["priority"], &own["estimated_minutes"]),
        (&json!("bd-t4"), &json!(0), &json!(30))
    );
    assert_eq!(
        own["dependencies"],
        json!([{ "issue_id": "bd-t4", "depends_on_id": "bd-2", "type": "blocks" }])
    );
    let lost: Vec<_> = exported.report.not_expressed.into_iter().collect();
    assert_eq!(lost, [("required capabilities", vec!["T-4".to_owned()])]);
    server.client.waive_dependency("bd-2", "bd-1").expect("waived");
    let found = lines(&server.export(Format::Beads).bytes);
    let on = found[0]["dependencies"].as_array().expect("edges").iter().map(|edge| &edge["depends_on_id"]);
    assert_eq!(on.collect::<Vec<_>>(), ["gone-9", "T-7"]);
}

#[test]
fn what_was_edited_is_newer_in_an_export_by_the_moment_of_the_edit() {
    let server = Server::start();
    server.import(BEADS.as_bytes(), Format::Beads);
    server.client.submit(&serde_json::from_value(json!({ "title": "D" })).expect("a task")).expect("a task");
    let edit = |task: &str, edit: Value| {
        let edit = serde_json::from_value(edit).expect("an edit");
        server.client.edit(task, &edit).expect("it is edited");
        server.client.task(task).expect("a task").edited_at.expect("a moment")
    };
    for (place, task, what) in [
        (1, "bd-1", json!({ "title": "A, named anew" })),
        (1, "bd-1", json!({ "labels": ["x"] })),
        (1, "bd-1", json!({ "priority": "high" })),
        (0, "bd-2", json!({ "description": "More." })),
        (3, "T-4", json!({ "title": "D, named anew" })),
    ] {
        let at = edit(task, what.clone());
        let exported = server.export(Format::Beads).bytes;
        assert_eq!(lines(&exported)[place]["updated_at"], json!(at), "{what}");
        assert_eq!(server.export(Format::Beads).bytes, exported, "it is newer once");
    }
    let untouched = &lines(&server.export(Format::Beads).bytes)[2];
    assert_eq!(untouched, &lines(BEADS.as_bytes())[2], "what nobody has edited stays");
    server.finish("bd-1", "ada", "planned");
    let done = server.client.task("bd-1").expect("a task").state_since;
    assert_eq!(lines(&server.export(Format::Beads).bytes)[1]["updated_at"], json!(done), "the later one");
}

const TASKMASTER: &str = r#"{"feature x": {"tasks": [{"id": 1, "title": "A", "status": "review", "dependencies": [77], "priority": "high", "odd": 1,
 "subtasks": [{"id": 1, "description": "only this", "status": "pending"}, {"id": "1.2", "title": "S", "status": "done", "dependencies": [1]}]},
 {"id": 2, "title": "B", "status": "pending", "dependencies": [1, "1.2", 1.1]}], "metadata": {"created": "x"}}, "empty": {"tasks": []}, "version": 3}"#;

#[test]
fn what_kapell_knows_better_stands_in_the_fields_of_task_master() {
    let server = Server::start();
    server.import(TASKMASTER.as_bytes(), Format::Taskmaster);
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON");
    let original = read(TASKMASTER.as_bytes());
    assert_eq!(read(&server.export(Format::Taskmaster).bytes), original);
    server.finish("feature-x:1", "ada", "built");
    server.own("feature-x:1.1", "bo");
    let added = json!({ "title": "N", "project": "feature-x", "parent": "feature-x:1", "depends_on": ["feature-x:1.1"] });
    server.client.submit(&serde_json::from_value(added).expect("a task")).expect("a task");
    let exported = server.export(Format::Taskmaster);
    let mut wanted = original;
    wanted["feature x"]["tasks"][0]["status"] = json!("done");
    let own = json!({ "id": 3, "title": "N", "description": "", "details": "", "testStrategy": "",
        "priority": "medium", "dependencies": [1], "status": "pending" });
    wanted["feature x"]["tasks"][0]["subtasks"].as_array_mut().expect("subtasks").push(own);
    assert_eq!(read(&exported.bytes), wanted);
    let lost: Vec<_> = exported.report.not_expressed.keys().copied().collect();
    assert_eq!(lost, ["owner and progress", "result", "type"]);
}

#[test]
fn kapell_s_own_lines_come_back_whole() {
    let text = r#"{"title":"B","type":"bug","priority":"low","key":"b","project":"p","requires":[{"capability":"rust","weight":2.0,"minimum":0.5}],"role":"dev","estimate_hours":1.5,"complexity":4,"related":[{"task":"c","kind":"related"}],"deadline":"2030-01-01T00:00:00Z","not_before":"2029-01-01T00:00:00Z","labels":["x"],"max_attempts":7,"source":{"a":[1]},"budget":{"money_micros":{"hard":2500000}}}
{"title":"C","type":"task","priority":"medium","key":"c","depends_on":["b"],"closed":{"state":"failed","at":"2024-01-01T00:00:00Z","reason":"no"}}
"#;
    let server = Server::start();
    server.import(text.as_bytes(), Format::Kapell);
    let exported = server.export(Format::Kapell);
    assert_eq!(lines(&exported.bytes), lines(text.as_bytes()));
    assert_eq!(exported.report, ExportReport::new(Format::Kapell, 2));
}

#[test]
fn a_project_alone_is_exported_with_its_edges_to_others_told() {
    let server = Server::start();
    let text = "{\"title\":\"A\",\"key\":\"a\",\"project\":\"p\"}\n{\"title\":\"B\",\"key\":\"b\",\"project\":\"q\",\"depends_on\":[\"a\"]}\n";
    server.import(text.as_bytes(), Format::Kapell);
    let exported = write(Format::Beads, server.tasks(), Some("q")).expect("an export");
    let found = lines(&exported.bytes);
    assert_eq!((found.len(), &found[0]["dependencies"][0]["depends_on_id"]), (1, &json!("a")));
    let lost: Vec<_> = exported.report.not_expressed.keys().copied().collect();
    assert_eq!(lost, ["dependencies", "project"]);
}

#[test]
fn the_real_backlog_md_folder_comes_back_byte_by_byte() {
    let pages = import::backlog::gather(&Path::new(BACKLOGS).join("backlog-md")).expect("the real backlog");
    let server = Server::start();
    server.import(&serde_json::to_vec(&pages).expect("JSON"), Format::Backlog);
    let exported = server.export(Format::Backlog);
    let found: Vec<import::backlog::Page> = serde_json::from_slice(&exported.bytes).expect("pages");
    let found: std::collections::BTreeMap<_, _> =
        found.into_iter().map(|page| (page.path, (page.text, page.was))).collect();
    for page in
        pages.iter().filter(|page| import::front::split(&page.text).is_some() || page.path == "config.yml")
    {
        assert_eq!(found.get(&page.path), Some(&(page.text.clone(), None)), "{}", page.path);
    }
    assert_eq!(exported.report, ExportReport::new(Format::Backlog, server.tasks().len()));
}

const BACKLOG: &[(&str, &str)] = &[
    ("config.yml", "task_prefix: \"back\"\nstatuses: [\"To Do\", \"In Progress\", \"Done\"]\n"),
    (
        "tasks/back-1 - Store.md",
        "---\nid: BACK-1\ntitle: 'Store: all'\nstatus: To Do\nassignee: []\nodd: {a: 1} # kept\ndependencies: [task-2, task-9]\n---\n\n## Description\n\nAll.\n",
    ),
    (
        "tasks/back-2 - Serve.md",
        "---\nid: task-2\ntitle: Serve\nstatus: In Progress\nassignee:\n  - '@kim'\n---\nText",
    ),
];

#[test]
fn keys_with_the_same_number_are_told_where_the_number_is_the_key() {
    let server = Server::start();
    let line = |key: &str| format!("{{\"title\":\"{key}\",\"key\":\"{key}\"}}\n");
    let keys = ["web-1", "mobile-1", "web-2"];
    server.import(keys.map(line).concat().as_bytes(), Format::Kapell);
    let report = server.export(Format::Backlog).report;
    let told = report.not_expressed.get(super::loss::SHARED_NUMBER).expect("it is told");
    assert!(!told.is_empty() && !told.contains(&"T-3".to_owned()), "{report}");
    assert!(!report.not_expressed.contains_key("everything"), "{report}");
}

#[test]
fn what_kapell_knows_better_stands_in_the_files_of_backlog_md() {
    let page = |(path, text): &(&str, &str)| import::backlog::Page {
        path: (*path).to_owned(),
        text: (*text).to_owned(),
        was: None,
    };
    let pages: Vec<_> = BACKLOG.iter().map(page).collect();
    let server = Server::start();
    server.import(&serde_json::to_vec(&pages).expect("JSON"), Format::Backlog);
    let export = || -> Vec<import::backlog::Page> {
        serde_json::from_slice(&server.export(Format::Backlog).bytes).expect("pages")
    };
    let sorted = |mut pages: Vec<import::backlog::Page>| {
        pages.sort_by(|one, other| one.path.cmp(&other.path));
        pages
    };
    assert_eq!(sorted(export()), sorted(pages));
    let labels = serde_json::from_value(json!({ "labels": ["y"] })).expect("an edit");
    server.client.edit("BACK-1", &labels).expect("it is edited");
    let at = server.client.task("BACK-1").expect("a task").edited_at.expect("a moment").replace('T', " ");
    let edited = export().into_iter().find(|page| page.path.ends_with("Store.md")).expect("a page");
    assert!(edited.text.contains(&format!("updated_date: '{}'\n", &at[..16])), "{}", edited.text);
    server.finish("task-2", "ada", "served");
    server.client.cancel("BACK-1", "not now").expect("cancelled");
    let added = json!({ "title": "New: one", "priority": "high", "depends_on": ["task-2"], "labels": ["x"] });
    server.client.submit(&serde_json::from_value(added).expect("a task")).expect("a task");
    let pages = export();
    let text = |path: &str| {
        pages.iter().find(|page| page.path == path).unwrap_or_else(|| panic!("{path} in {pages:?}"))
    };
    let since = server.client.task("task-2").expect("a task").state_since.replace('T', " ");
    let wanted = format!(
        "---\nid: task-2\ntitle: Serve\nstatus: Done\nassignee:\n  - '@kim'\nupdated_date: '{}'\n---\nText",
        &since[..16]
    );
    assert_eq!(text("tasks/back-2 - Serve.md").text, wanted);
    let moved = text("archive/tasks/back-1 - Store.md");
    assert_eq!(moved.was.as_deref(), Some("tasks/back-1 - Store.md"));
    assert!(moved.text.contains("odd: {a: 1} # kept\ndependencies: [task-2, task-9]\n"), "{}", moved.text);
    let new = &text("tasks/back-3 - New-one.md").text;
    assert!(new.starts_with("---\nid: BACK-3\ntitle: 'New: one'\nstatus: To Do\nassignee: []\n"), "{new}");
    assert!(new.contains("dependencies:\n  - task-2\n") && new.contains("priority: high\n---\n"), "{new}");
}
