//! Reservations over HTTP: held, refused with the holder, waited for, served, taken away, kept across a restart.

use crate::served::Served;
use serde_json::{Value, json};

fn team(served: &Served) {
    for name in ["ada", "bob"] {
        served.post("/v1/agents", &json!({"name": name, "max_concurrent_tasks": 2}));
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
}

fn wants(agent: &str, resource: &str) -> Value {
    json!({"agent": agent, "resources": [{"resource": resource}]})
}

#[test]
fn what_is_held_is_refused_with_its_holder_and_waited_for_where_asked() {
    let served = Served::start();
    team(&served);
    let (status, ack) = served.ask("POST", "/v1/reservations", &wants("ada", "path:src/**"));
    assert_eq!((status, &ack["reservation"], &ack["agent"]), (201, &json!("R-1"), &json!("ada")), "{ack}");

    let (status, problem) = served.ask("POST", "/v1/reservations", &wants("bob", "path:src/main.rs"));
    assert_eq!((status, &problem["code"]), (409, &json!("resource_held")), "{problem}");
    assert_eq!((&problem["holder"], &problem["reservation"]), (&json!("ada"), &json!("R-1")));
    assert_eq!(problem["expires_at"], ack["expires_at"]);

    let mut body = wants("bob", "path:src/main.rs");
    body["wait"] = json!(true);
    let (status, waiting) = served.ask("POST", "/v1/reservations", &body);
    assert_eq!((status, &waiting["wait"]), (201, &json!("W-1")), "{waiting}");
    let shown = served.get("/v1/reservations/W-1");
    assert_eq!(shown["state"], "waiting");
    assert!(
        shown["because"][0].as_str().is_some_and(|why| why.contains("ada") && why.contains("R-1")),
        "{shown}"
    );

    // Kept across a restart, with its line.
    let served = Served::on(served.stop());
    let ids = |page: &Value| -> Vec<String> {
        page["items"].as_array().expect("a list").iter().map(|it| it["id"].to_string()).collect()
    };
    assert_eq!(ids(&served.get("/v1/reservations")), ["\"R-1\"", "\"W-1\""]);
    let first = served.get("/v1/reservations?limit=1");
    let cursor = first["next_cursor"].as_str().expect("another page");
    assert_eq!(ids(&served.get(&format!("/v1/reservations?limit=1&cursor={cursor}"))), ["\"W-1\""]);
    assert_eq!(ids(&served.get("/v1/reservations?state=waiting&agent=bob")), ["\"W-1\""]);
    assert_eq!(ids(&served.get("/v1/reservations?agent=bob&state=held")), Vec::<String>::new());

    let renewed = served.post("/v1/reservations/R-1/renew", &json!({"agent": "ada", "ttl_ms": 60_000}));
    assert!(renewed["expires_at"].is_string(), "{renewed}");
    served.post("/v1/reservations/R-1/release", &json!({"agent": "ada"}));
    // The turn of the one who waits came in the same step; its place shows what it has become, and it is told.
    let shown = served.get("/v1/reservations/W-1");
    assert_eq!(
        (&shown["id"], &shown["state"], &shown["wait"]),
        (&json!("R-2"), &json!("held"), &json!("W-1"))
    );
    let handed = served.post("/v1/agents/bob/next", &json!({}));
    assert_eq!(handed["notices"][0]["kind"], "reservation_granted", "{handed}");
    let (status, problem) = served.ask("POST", "/v1/reservations/R-1/renew", &json!({"agent": "ada"}));
    assert_eq!((status, &problem["code"]), (409, &json!("stale_reservation")), "{problem}");
}

#[test]
fn agents_act_for_themselves_and_managers_by_force_with_a_reason() {
    let served = Served::start();
    team(&served);
    let (ada, bob) = (served.token("agent", Some("ada")), served.token("agent", Some("bob")));
    let json_body = [("content-type", "application/json")];
    let send = |token: &str, path: &str, body: Value| {
        served.send("POST", path, token, &json_body, body.to_string().as_bytes())
    };
    assert_eq!(send(&ada, "/v1/reservations", wants("ada", "env:staging")).0, 201);
    assert_eq!(send(&bob, "/v1/reservations", wants("ada", "env:other")).0, 403);
    let (status, problem) = send(&bob, "/v1/reservations/R-1/release", json!({}));
    assert_eq!((status, &problem["holder"]), (409, &json!("ada")), "{problem}");
    assert_eq!(send(&ada, "/v1/reservations/R-1/renew", json!({})).0, 200);
    let (status, problem) = served.ask("POST", "/v1/reservations/R-1/release", &json!({}));
    assert_eq!((status, &problem["field"]), (400, &json!("reason")), "{problem}");
    served.post("/v1/reservations/R-1/release", &json!({"reason": "its holder does not answer"}));
    assert_eq!(served.get("/v1/reservations")["items"], json!([]));
    let handed = served.post("/v1/agents/ada/next", &json!({}));
    assert_eq!(handed["notices"][0]["kind"], "reservation_taken", "{handed}");
    let released = served.get("/v1/events?kind=reservation.released");
    let event = released["events"].as_array().into_iter().flatten().next_back().expect("an event");
    assert_eq!(event["data"]["cause"], "forced", "{event}");
}

#[test]
fn a_task_waits_for_its_resources_and_why_says_for_whom() {
    let served = Served::start();
    team(&served);
    served.post("/v1/reservations", &wants("ada", "env:staging"));
    let task = json!({
        "title": "deploy", "key": "deploy", "agent": "bob", "resources": [{"resource": "env:staging"}],
    });
    let (status, ack) = served.ask("POST", "/v1/tasks", &task);
    assert_eq!((status, &ack["state"]), (201, &json!("ready")), "{ack}");
    let why = served.get("/v1/tasks/deploy/why").to_string();
    assert!(
        why.contains("held back") && why.contains("`env:staging` is held exclusive by `ada` under R-1"),
        "{why}"
    );
    let why_not = served.get("/v1/tasks/deploy/why-not/bob");
    assert_eq!(why_not["candidate"], false, "{why_not}");
    let (status, problem) = served.ask("POST", "/v1/tasks/deploy/claim", &json!({"agent": "bob"}));
    assert_eq!((status, &problem["code"]), (409, &json!("resource_held")), "{problem}");
    served.post("/v1/reservations/R-1/release", &json!({"agent": "ada"}));
    let task = served.get("/v1/tasks/deploy");
    assert_eq!((&task["owner"], &task["reservations"]), (&json!("bob"), &json!(["R-2"])), "{task}");
    let held = served.get("/v1/reservations/R-2");
    assert_eq!((&held["task"], &held["expires_at"]), (&json!("T-1"), &Value::Null), "{held}");
}

#[test]
fn a_bulk_reserves_renews_and_releases() {
    let served = Served::start();
    team(&served);
    let lines = [
        r#"{"reserve":{"agent":"ada","resources":[{"resource":"device:gpu-0"}]}}"#,
        r#"{"reserve":{"agent":"bob","resources":[{"resource":"device:gpu-0","mode":"shared"}]}}"#,
        r#"{"renew_reservation":{"reservation":"R-1","agent":"ada"}}"#,
        r#"{"release_reservation":{"reservation":"R-1","agent":"ada"}}"#,
        r#"{"release_reservation":{"agent":"ada"}}"#,
    ];
    let ndjson = [("content-type", "application/x-ndjson")];
    let (status, text) =
        served.send_text("POST", "/v1/bulk", &served.admin, &ndjson, lines.join("\n").as_bytes());
    assert_eq!(status, 200, "{text}");
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers[0]["ok"]["reservation"], "R-1", "{text}");
    assert_eq!(answers[1]["error"]["code"], "resource_held", "{text}");
    assert_eq!(answers[2]["ok"]["reservation"], "R-1", "{text}");
    assert_eq!(answers[3]["ok"]["reservation"], "R-1", "{text}");
    assert_eq!(answers[4]["error"]["field"], "reservation", "{text}");
}
