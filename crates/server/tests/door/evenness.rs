//! Load that is evened out and cycles that are broken, over HTTP.

use std::time::{Duration, Instant};

use crate::served::Served;
use serde_json::{Value, json};

#[test]
fn a_cycle_of_a_file_is_broken_listed_and_mended() {
    let served = Served::start();
    served.post("/v1/tasks", &json!({"title": "first", "key": "one"}));
    served.post("/v1/tasks", &json!({"title": "second", "key": "two", "depends_on": ["one"]}));
    let (status, problem) = served.ask("POST", "/v1/tasks/one/dependencies", &json!({"on": "two"}));
    assert_eq!((status, problem["code"].as_str()), (409, Some("cycle")), "{problem}");
    served.post("/v1/tasks/one/dependencies", &json!({"on": "two", "source": "imported"}));
    let listed = served.get("/v1/cycles")["items"].clone();
    let broken = &listed[0];
    assert_eq!((&broken["task"], &broken["on"]), (&json!("T-1"), &json!("T-2")));
    assert_eq!(broken["cycle"], json!(["T-1", "T-2", "T-1"]));
    assert_eq!((&broken["because"], &broken["state"]), (&json!("newest"), &json!("broken")));
    let task = served.get("/v1/tasks/one");
    assert!(task["because"].to_string().contains("does not wait for T-2"), "{task}");
    let viewer = served.token("viewer", None);
    let headers = [("content-type", "application/json")];
    let (status, _) = served.send("POST", "/v1/tasks/one/dependencies/two/restore", &viewer, &headers, b"{}");
    assert_eq!(status, 403, "only managers put edges back");
    assert_eq!(served.send("GET", "/v1/cycles", &viewer, &[], &[]).0, 200);
    let instead = json!({"instead": {"task": "two", "on": "one"}});
    served.post("/v1/tasks/one/dependencies/two/restore", &instead);
    let states: Vec<Value> = served.get("/v1/cycles")["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|broken| broken["state"].clone())
        .collect();
    assert_eq!(states, ["restored", "broken"]);
    assert_eq!(served.get("/v1/tasks/one")["state"], "blocked");
    assert_eq!(served.get("/v1/cycles?state=broken")["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn an_overloaded_agent_is_relieved_by_the_monitor_and_why_shows_both_loads() {
    let served = Served::start();
    let mut policy = served.get("/v1/policy");
    policy["balancing"]["period_ms"] = json!(40);
    let (status, answer) = served.ask("PUT", "/v1/policy", &policy);
    assert_eq!(status, 200, "{answer}");
    let capabilities = json!({"rust": 0.9});
    let agent = |name: &str| json!({"name": name, "role": "developer", "capabilities": capabilities, "max_concurrent_tasks": 4});
    served.post("/v1/agents", &agent("ada"));
    served.post("/v1/agents/ada/heartbeat", &json!({}));
    for key in ["t1", "t2", "t3", "t4"] {
        served.post("/v1/tasks", &json!({"title": "work", "key": key, "not_before": "2199-01-01T00:00:00Z"}));
        served.post(&format!("/v1/tasks/{key}/assign"), &json!({"agent": "ada"}));
    }
    assert_eq!(served.get("/v1/agents/ada")["utilization"], 1.0);
    served.post("/v1/agents", &agent("bram"));
    served.post("/v1/agents/bram/heartbeat", &json!({}));
    let patience = Instant::now() + Duration::from_secs(30);
    while served.get("/v1/agents/bram")["tasks"].as_array().map(Vec::len) == Some(0) {
        assert!(Instant::now() < patience, "nothing has moved");
        std::thread::sleep(Duration::from_millis(10));
    }
    let moved = served.get("/v1/agents/bram")["tasks"][0].as_str().expect("a task").to_owned();
    let why = served.get(&format!("/v1/tasks/{moved}/why"));
    let decision = &why["decision"];
    assert_eq!((&decision["decision"], &decision["agent"]), (&json!("moved"), &json!("bram")), "{why}");
    let from = &decision["moved"];
    assert_eq!((&from["agent"], &from["cause"]), (&json!("ada"), &json!("balancing")), "{why}");
    assert_eq!(
        (&from["from"]["utilization"], &from["to"]["utilization"]),
        (&json!(1.0), &json!(0.0)),
        "{why}"
    );
    assert_eq!(from["average"], 0.5);
    let monitors = served.get("/v1/status")["monitors"].clone();
    assert_eq!((&monitors[1]["name"], &monitors[1]["period_ms"]), (&json!("workload"), &json!(40)));
}
