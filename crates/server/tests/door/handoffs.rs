//! Supervised handoffs over HTTP: a whole one, one that goes wrong, and what is refused.

use crate::served::Served;
use serde_json::{Value, json};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// ada has begun `one`; bram could take it. Returns ada's token of the task.
fn begun(served: &Served) -> String {
    for name in ["ada", "bram"] {
        let agent = json!({"name": name, "role": "developer", "capabilities": {"rust": 0.9}, "max_concurrent_tasks": 2});
        served.post("/v1/agents", &agent);
        if name == "ada" {
            served.post("/v1/agents/ada/heartbeat", &json!({}));
            let task = json!({"title": "first", "key": "one", "requires": [{"capability": "rust"}]});
            served.post("/v1/tasks", &task);
        }
    }
    served.post("/v1/agents/bram/heartbeat", &json!({}));
    let next = served.post("/v1/agents/ada/next", &json!({}));
    let assignment = next["assignments"][0]["assignment"].as_str().expect("an assignment").to_owned();
    served.post("/v1/tasks/one/start", &json!({"agent": "ada", "assignment": assignment}));
    assignment
}

fn package(assignment: &str) -> Value {
    json!({
        "agent": "ada", "assignment": assignment, "completed": "the parser", "state": "it builds",
        "remaining": "the printer", "context": "see the issue", "files": ["src/parser.rs"],
    })
}

#[test]
fn a_task_is_handed_over_with_its_package_and_why_tells_it() {
    let served = Served::start();
    let assignment = begun(&served);
    let held = json!({"agent": "ada", "task": "one", "resources": [{"resource": "env:staging"}]});
    let held = served.post("/v1/reservations", &held)["reservation"].clone();
    let (ada, bram) = (served.token("agent", Some("ada")), served.token("agent", Some("bram")));
    let send = |token: &str, path: &str, body: &Value| {
        served.send("POST", path, token, &JSON, body.to_string().as_bytes())
    };
    let request = json!({"agent": "ada", "assignment": assignment, "note": "more than I can do"});
    let (status, ack) = send(&ada, "/v1/tasks/one/handoff", &request);
    assert_eq!((status, &ack["handoff"], &ack["agent"]), (201, &json!("H-1"), &json!("ada")), "{ack}");
    let offered = served.post("/v1/agents/bram/next", &json!({}));
    assert_eq!(offered["notices"][0]["kind"], "handoff_offered", "{offered}");
    assert_eq!(served.get("/v1/agents/bram")["utilization"], 0.5, "the slot that it keeps counts");
    let task = served.get("/v1/tasks/one");
    assert!(task["because"].to_string().contains("the package is due by"), "{task}");

    let (status, ack) = send(&ada, "/v1/tasks/one/handoff/package", &package(&assignment));
    assert_eq!((status, &ack["agent"]), (200, &json!("ada")), "{ack}");
    assert_eq!(ack["missing"], json!(["`reservations` does not name R-1"]));
    let mut whole = package(&assignment);
    whole["reservations"] = json!([held]);
    let (status, ack) = send(&ada, "/v1/tasks/one/handoff/package", &whole);
    assert_eq!((status, &ack["agent"], &ack["assignment"]), (200, &json!("bram"), &json!("A-2")), "{ack}");
    let reservations = served.get("/v1/reservations")["items"].clone();
    assert_eq!((&reservations[0]["id"], &reservations[0]["agent"]), (&json!("R-2"), &json!("bram")));

    let got = served.post("/v1/agents/bram/next", &json!({}));
    let note = got["assignments"][0]["note"].as_str().expect("what ada left");
    assert!(note.contains("done: the parser") && note.contains("left: the printer"), "{note}");
    let (status, ack) = send(&bram, "/v1/tasks/one/handoff/confirm", &json!({"agent": "bram"}));
    assert_eq!((status, &ack["handoff"]), (200, &json!("H-1")), "{ack}");
    let shown = served.get("/v1/handoffs/H-1");
    assert_eq!((&shown["stage"], &shown["tokens"]), (&json!("released"), &json!(["A-2"])), "{shown}");
    assert_eq!((&shown["package"]["files"], &shown["mediations"]), (&json!(["src/parser.rs"]), &json!(1)));
    assert_eq!(served.get("/v1/handoffs?state=open")["items"], json!([]));
    assert_eq!(served.get("/v1/handoffs?agent=ada&task=one")["items"][0]["id"], "H-1");
    let why = served.get("/v1/tasks/one/why").to_string();
    for words in
        ["more than I can do", "H-1: went from ada to bram under A-2, with 1 reservations", "handed_over"]
    {
        assert!(why.contains(words), "`{words}` is missing in {why}");
    }
    let told = served.get("/v1/agents/ada/notices").to_string();
    assert!(told.contains("handoff_released"), "{told}");
    // The log outside tells the transfer as one event, with the numbers before and after.
    let events = served.get("/v1/events?limit=1000")["events"].clone();
    let moved = events.as_array().into_iter().flatten().find(|event| event["kind"] == "handoff.transferred");
    let moved = moved.expect("a transfer");
    assert_eq!(moved["data"]["reservations"], json!([{"ended": "R-1", "reservation": "R-2"}]), "{moved}");
}

#[test]
fn who_declines_is_replaced_and_a_manager_can_call_it_off() {
    let served = Served::start();
    let assignment = begun(&served);
    let (status, ack) = served.ask("POST", "/v1/tasks/one/handoff", &json!({"to": "bram"}));
    assert_eq!(status, 201, "{ack}");
    served.post("/v1/tasks/one/handoff/decline", &json!({"agent": "bram", "reason": "no time"}));
    let shown = served.get("/v1/handoffs/H-1");
    assert_eq!((&shown["stage"], &shown["trouble"]), (&json!("mediation"), &json!("declined")), "{shown}");
    assert_eq!(shown["tried"], json!(["bram"]));
    let called = served.get("/v1/escalations?state=open")["items"][0].clone();
    assert_eq!((&called["kind"], &called["task"]), (&json!("handoff_stuck"), &json!("T-1")), "{called}");
    let settle = format!("/v1/escalations/{}/settle", called["id"].as_str().expect("an id"));
    served.post(&settle, &json!({"note": "keep it"}));
    assert_eq!(served.get("/v1/handoffs/H-1")["outcome"], "cancelled");
    let report = json!({"agent": "ada", "assignment": assignment, "result": "all of it"});
    assert_eq!(served.post("/v1/tasks/one/done", &report)["state"], "completed");
    served.post("/v1/tasks", &json!({"title": "next", "key": "two", "requires": [{"capability": "rust"}]}));
    served.post("/v1/tasks/two/handoff", &json!({}));
    served.post("/v1/tasks/two/handoff/cancel", &json!({"reason": "not now"}));
    assert_eq!(served.get("/v1/handoffs?state=closed")["items"].as_array().map(Vec::len), Some(2));
}

#[test]
fn every_refusal_of_a_handoff_names_the_field_and_changes_nothing() {
    let served = Served::start();
    begun(&served);
    let before = served.get("/v1/status")["position"].clone();
    let long = format!(r#"{{"agent":"ada","assignment":"A-1","completed":"{}"}}"#, "x".repeat(16 * 1024 + 1));
    let many = format!(r#"{{"agent":"ada","assignment":"A-1","files":[{}"x"]}}"#, r#""x","#.repeat(500));
    let table: &[(&str, &str, &str, &[&str])] = &[
        ("/v1/tasks/none/handoff", "{}", "not_found", &["none"]),
        ("/v1/tasks/one/handoff", r#"{"to":"ada"}"#, "bad_request", &["to", "another agent"]),
        ("/v1/tasks/one/handoff", r#"{"to":"eve"}"#, "not_found", &["eve"]),
        ("/v1/tasks/one/handoff", r#"{"agent":"ada"}"#, "bad_request", &["assignment", "missing"]),
        ("/v1/tasks/one/handoff", r#"{"assignment":"A-1"}"#, "bad_request", &["agent", "missing"]),
        (
            "/v1/tasks/one/handoff",
            r#"{"agent":"ada","assignment":"1"}"#,
            "bad_request",
            &["assignment", "A-34"],
        ),
        (
            "/v1/tasks/one/handoff",
            r#"{"agent":"ada","assignment":"A-9"}"#,
            "stale_assignment",
            &["A-9", "A-1"],
        ),
        ("/v1/tasks/one/handoff", r#"{"whom":"bram"}"#, "bad_request", &["whom", "expected one of"]),
        (
            "/v1/tasks/one/handoff/package",
            r#"{"agent":"ada","assignment":"A-1"}"#,
            "not_found",
            &["open handoff"],
        ),
        ("/v1/tasks/one/handoff/package", &long, "bad_request", &["completed", "16384"]),
        ("/v1/tasks/one/handoff/package", &many, "bad_request", &["files", "501", "500"]),
        (
            "/v1/tasks/one/handoff/package",
            r#"{"agent":"ada","assignment":"A-1","reservations":["7"]}"#,
            "bad_request",
            &["reservations[0]", "R-7"],
        ),
        ("/v1/tasks/one/handoff/confirm", r#"{"agent":"bram"}"#, "not_found", &["open handoff"]),
        (
            "/v1/tasks/one/handoff/decline",
            r#"{"agent":"bram","reason":""}"#,
            "bad_request",
            &["reason", "1 to"],
        ),
        ("/v1/tasks/one/handoff/cancel", "{}", "bad_request", &["reason"]),
    ];
    for (path, body, code, words) in table {
        let (_, problem) = served.send("POST", path, &served.admin, &JSON, body.as_bytes());
        assert_eq!(problem["code"], *code, "{path} {problem}");
        for word in *words {
            assert!(problem.to_string().contains(word), "{path}: `{word}` is missing in {problem}");
        }
    }
    for (path, code) in [
        ("/v1/handoffs/H-1", "not_found"),
        ("/v1/handoffs/one", "not_found"),
        ("/v1/handoffs?state=stuck", "bad_request"),
        ("/v1/handoffs?agent=eve", "not_found"),
        ("/v1/handoffs?task=T-9", "not_found"),
    ] {
        let (_, problem) = served.send("GET", path, &served.admin, &[], &[]);
        assert_eq!(problem["code"], code, "{path} {problem}");
    }
    assert_eq!(served.get("/v1/status")["position"], before, "nothing has changed");
}
