//! What the dashboard is made of: its page, and the routes that gather what it shows.

use std::collections::BTreeSet;

use crate::served::Served;
use serde_json::{Value, json};

fn fleet() -> Served {
    let served = Served::start();
    served.post("/v1/agents", &json!({"name": "ada", "max_concurrent_tasks": 1}));
    served.post("/v1/tasks", &json!({"title": "first", "key": "one", "estimate_hours": 2}));
    served.post(
        "/v1/tasks",
        &json!({"title": "second", "key": "two", "depends_on": ["one"], "estimate_hours": 3,
            "deadline": "2020-01-01T00:00:00Z"}),
    );
    served.post("/v1/tasks", &json!({"title": "alone", "key": "three", "priority": "low"}));
    served
}

#[test]
fn the_page_needs_no_token_holds_no_data_and_lets_nothing_in_from_outside() {
    let served = fleet();
    let page = ureq::get(format!("{}/", served.base)).call().expect("a page");
    let policy = page.headers()["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self' 'nonce-"), "{policy}");
    let (status, text) = served.send_text("GET", "/", "none", &[], &[]);
    assert_eq!(status, 200);
    assert!(!text.contains("first") && !text.contains("{{nonce}}"), "{text}");
    assert_eq!(served.send_text("GET", "/assets/js/main.js", "none", &[], &[]).0, 200);
    assert_eq!(served.send("GET", "/assets/../Cargo.toml", "none", &[], &[]).0, 404);
    for path in ["session", "overview", "board", "graph", "timeline"] {
        assert_eq!(served.send("GET", &format!("/v1/{path}"), "none", &[], &[]).0, 401, "{path}");
    }
    let viewer = served.token("viewer", None);
    assert_eq!(served.send("GET", "/v1/session", &viewer, &[], &[]).1["access"], "viewer");
}

#[test]
fn the_board_tells_what_has_changed_and_nothing_else() {
    let served = fleet();
    let board = served.get("/v1/board");
    let cards = board["cards"].as_array().expect("cards");
    assert_eq!((cards.len(), &board["left_out"], &cards[1]["blockers"]), (3, &json!(0), &json!(1)));
    let position = &board["position"];
    assert_eq!(served.get(&format!("/v1/board?since={position}"))["cards"], json!([]));
    served.post("/v1/tasks/three/cancel", &json!({"reason": "no more"}));
    let changed = served.get(&format!("/v1/board?since={position}"));
    assert_eq!(changed["cards"].as_array().map(Vec::len), Some(1), "{changed}");
    assert_eq!(changed["cards"][0]["state"], "cancelled");
    // What is inherited is a change too.
    let position = &changed["position"];
    served.post("/v1/tasks", &json!({"title": "urgent", "priority": "critical", "depends_on": ["one"]}));
    let changed = served.get(&format!("/v1/board?since={position}"));
    assert_eq!(changed["cards"][0]["priority"], "critical", "{changed}");
    let (status, problem) = served.ask("GET", "/v1/board?since=999999", &Value::Null);
    assert_eq!((status, &problem["field"]), (400, &json!("since")), "{problem}");
}

#[test]
fn the_glance_says_what_waits_and_why_and_what_is_late() {
    let served = fleet();
    let now = served.get("/v1/overview");
    assert_eq!(now["queue"].as_array().map(Vec::len), Some(2), "{now}");
    assert_eq!(now["queue"][0]["reason"], "none of 1 agents is a candidate");
    let adds: f64 =
        now["health"]["parts"].as_array().expect("parts").iter().filter_map(|it| it["adds"].as_f64()).sum();
    assert!((adds - now["health"]["total"].as_f64().expect("a number")).abs() < 1e-9);
    // The second is overdue, and the first should have begun for it.
    let late: Vec<_> =
        now["late"].as_array().expect("late").iter().map(|it| it["lateness"].clone()).collect();
    assert_eq!((late, &now["late_total"]), (vec![json!("at_risk"), json!("overdue")], &json!(2)));
    assert_eq!(now["flow"][23]["submitted"], 3);
}

#[test]
fn the_graph_is_laid_out_with_its_longest_path_and_the_timeline_shows_who_had_what() {
    let served = fleet();
    let graph = served.get("/v1/graph");
    assert_eq!(
        (&graph["edges"], &graph["critical"], &graph["alone"]),
        (&json!([[0, 1]]), &json!([0, 1]), &json!(1))
    );
    assert_eq!(graph["critical_hours"], 5.0);
    let handed = served.post("/v1/agents/ada/next", &json!({}))["assignments"][0].clone();
    let body = json!({"agent": "ada", "assignment": handed["assignment"]});
    let task = handed["task"].as_str().expect("a task");
    served.post(&format!("/v1/tasks/{task}/start"), &body);
    served.post(&format!("/v1/tasks/{task}/done"), &body);
    let lines = served.get("/v1/timeline?hours=1");
    let bars = lines["bars"].as_array().expect("bars");
    assert_eq!(
        (&bars[0]["end"], &bars[1]["end"], bars.len()),
        (&json!("completed"), &json!("open"), 2),
        "{lines}"
    );
    assert_eq!(lines["agents"], json!(["ada"]));
    let steps = lines["steps"].as_array().expect("steps");
    assert_eq!(steps.iter().filter_map(|step| step["completed"].as_u64()).sum::<u64>(), 1);
    assert_eq!(steps.last().expect("a step")["position"], lines["position"]);
    // Of a project only its own, at the same positions of the log.
    served.post("/v1/projects", &json!({"name": "other"}));
    served.post("/v1/tasks", &json!({"title": "elsewhere", "project": "other"}));
    let other = served.get("/v1/timeline?hours=1&project=other");
    assert_eq!((&other["bars"], &other["agents"]), (&json!([]), &json!([])), "{other}");
    let steps = other["steps"].as_array().expect("steps");
    let sum = |of: &str| steps.iter().filter_map(|step| step[of].as_u64()).sum::<u64>();
    assert_eq!((sum("submitted"), sum("completed")), (1, 0));
    assert_eq!(steps.last().expect("a step")["position"], other["position"]);
    assert_eq!(served.ask("GET", "/v1/timeline?hours=0", &Value::Null).0, 400);
}

/// Returns the bars that last: every task that is owned has one, and no other.
fn open_bars(served: &Served) -> Vec<Value> {
    let lines = served.get("/v1/timeline?hours=1");
    let open: Vec<Value> = bars(&lines).filter(|bar| bar["end"] == "open").cloned().collect();
    let shown: BTreeSet<String> =
        open.iter().map(|bar| format!("{} {} {}", bar["task"], bar["agent"], bar["assignment"])).collect();
    let tasks = served.get("/v1/tasks");
    let owned: BTreeSet<String> = tasks["items"]
        .as_array()
        .expect("tasks")
        .iter()
        .filter(|task| task["owner"].is_string())
        .map(|task| format!("{} {} {}", task["id"], task["owner"], task["assignment"]))
        .collect();
    assert_eq!(shown, owned, "{lines}");
    open
}

fn bars(lines: &Value) -> impl Iterator<Item = &Value> {
    lines["bars"].as_array().expect("bars").iter()
}

#[test]
fn the_timeline_ends_a_bar_with_whatever_takes_a_task_from_its_owner() {
    let served = Served::start();
    let register = |name: &str| {
        served.post("/v1/agents", &json!({"name": name, "max_concurrent_tasks": 9}));
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    };
    let begun = |key: &str, more: Value| {
        let mut asked = json!({"title": key, "key": key});
        asked.as_object_mut().expect("a task").extend(more.as_object().expect("fields").clone());
        let made = served.post("/v1/tasks", &asked);
        let body = json!({"agent": "ada", "assignment": made["assignment"]});
        served.post(&format!("/v1/tasks/{key}/start"), &body);
        body
    };
    let ends = |key: &str| -> Vec<Value> {
        let id = served.get(&format!("/v1/tasks/{key}"))["id"].clone();
        let lines = served.get("/v1/timeline?hours=1");
        bars(&lines).filter(|bar| bar["task"] == id).map(|bar| bar["end"].clone()).collect()
    };
    register("ada");
    // Sent back by its gate it is begun anew; finished again it waits, until its owner leaves.
    let body = begun("gated", json!({"gates": [{"kind": "approval"}]}));
    served.post("/v1/tasks/gated/done", &body);
    let waits = open_bars(&served);
    assert_eq!(waits.len(), 1);
    assert!(waits[0]["started"].is_string() && waits[0]["finished"].is_string(), "{waits:?}");
    served.post("/v1/tasks/gated/verdict", &json!({"verdict": "reject", "notes": "in red, please"}));
    let anew = open_bars(&served);
    assert_eq!(anew.len(), 1);
    assert!(anew[0]["started"].is_null() && anew[0]["finished"].is_null(), "{anew:?}");
    served.post("/v1/tasks/gated/start", &body);
    served.post("/v1/tasks/gated/done", &body);
    // A late result is accepted while another owns the task.
    let late = begun("late", json!({}));
    register("bob");
    served.post("/v1/tasks/late/move", &json!({"agent": "bob"}));
    assert_eq!(served.ask("POST", "/v1/tasks/late/done", &late).0, 409);
    assert_eq!(open_bars(&served).len(), 2);
    let offer = served.get("/v1/offers?state=open")["items"][0]["id"].clone();
    served.post(&format!("/v1/offers/{}/accept", offer.as_str().expect("an offer")), &json!({}));
    assert_eq!(open_bars(&served).len(), 1);
    let pinned = json!({"agent": "ada", "max_attempts": 1});
    let mut failed = begun("failed", pinned.clone());
    failed["reason"] = json!("it cannot be");
    served.post("/v1/tasks/failed/fail", &failed);
    begun("cancelled", pinned.clone());
    served.post("/v1/tasks/cancelled/cancel", &json!({"reason": "nobody asks for it"}));
    begun("returned", pinned);
    assert_eq!(open_bars(&served).len(), 2);
    served.ask("DELETE", "/v1/agents/ada", &Value::Null);
    assert_eq!(served.get("/v1/tasks/gated")["state"], "waiting");
    open_bars(&served);
    assert_eq!(ends("gated"), ["sent_back", "returned"]);
    assert_eq!(ends("late"), ["moved", "cancelled"]);
    assert_eq!(ends("failed"), ["failed"]);
    assert_eq!(ends("cancelled"), ["cancelled"]);
    assert_eq!(ends("returned").first(), Some(&json!("returned")));
    // What was accepted counts once.
    let lines = served.get("/v1/timeline?hours=1");
    let steps = lines["steps"].as_array().expect("steps").iter();
    assert_eq!(steps.filter_map(|step| step["completed"].as_u64()).sum::<u64>(), 1);
}

#[test]
fn the_events_of_a_task_are_found_at_once_however_much_else_has_happened() {
    let served = fleet();
    let many: Vec<String> =
        (0..600).map(|at| json!({"submit": {"title": format!("other {at}")}}).to_string()).collect();
    let kind = [("content-type", "application/x-ndjson")];
    let (status, _) = served.send_text("POST", "/v1/bulk", &served.admin, &kind, many.join("\n").as_bytes());
    assert_eq!(status, 200);
    served.post("/v1/tasks", &json!({"title": "the last", "key": "last"}));
    served.post("/v1/tasks/one/cancel", &json!({"reason": "no more"}));
    for (task, kinds) in [("last", vec!["task.submitted"]), ("one", vec!["task.submitted", "task.cancelled"])]
    {
        let page = served.get(&format!("/v1/events?task={task}"));
        let found: Vec<&Value> =
            page["events"].as_array().expect("events").iter().map(|event| &event["kind"]).collect();
        let ends: Vec<&Value> = vec![found[0], found[found.len() - 1]];
        assert_eq!((ends[0], ends[1]), (&json!(kinds[0]), &json!(kinds[kinds.len() - 1])), "{page}");
        assert_eq!(page["at_end"], true, "one page is enough");
    }
}

#[test]
fn what_many_ask_at_once_is_answered_as_new_as_each_of_them_asked() {
    let served = fleet();
    std::thread::scope(|scope| {
        for at in 0..8 {
            let served = &served;
            scope.spawn(move || {
                for turn in 0..5 {
                    let key = format!("k-{at}-{turn}");
                    let made = served.post("/v1/tasks", &json!({"title": key, "key": key}));
                    let position = served.get("/v1/health")["durable_position"].as_u64();
                    for path in ["overview", "board", "graph", "timeline?hours=1"] {
                        let answer = served.get(&format!("/v1/{path}"));
                        assert!(answer["position"].as_u64() >= position, "{path} after {made}: {answer}");
                    }
                }
            });
        }
    });
}
