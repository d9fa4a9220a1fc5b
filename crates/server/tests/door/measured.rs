//! Measured capability over HTTP: always shown as declared, measured, used.

use crate::served::Served;
use serde_json::{Value, json};

fn score(of: &Value) -> (Value, Value, Value, Value) {
    let part = |name: &str| of["scores"][0][name].clone();
    (part("declared"), part("measured"), part("outcomes"), part("used"))
}

#[test]
fn a_score_is_shown_as_declared_measured_and_used() {
    let served = Served::start();
    for (name, rust) in [("ada", 0.9), ("bob", 0.8)] {
        served.post("/v1/agents", &json!({"name": name, "capabilities": {"rust": rust}}));
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
    let needs = json!([{"capability": "rust"}]);
    for key in ["one", "two", "three"] {
        let task = json!({"title": key, "key": key, "agent": "ada", "requires": needs, "max_attempts": 1});
        let made = served.post("/v1/tasks", &task);
        let report = json!({"agent": "ada", "assignment": made["assignment"], "reason": "it broke"});
        served.post(&format!("/v1/tasks/{key}/fail"), &report);
    }
    // (5 * 0.9 + 0) / (5 + 3).
    let agent = served.get("/v1/agents/ada");
    assert_eq!(score(&agent), (json!(0.9), json!(0.5625), json!(3), json!(0.9)), "{agent}");

    let mut policy = served.get("/v1/policy");
    assert_eq!(policy["capabilities"], "declared");
    policy["capabilities"] = json!("guessed");
    let (status, refused) = served.ask("PUT", "/v1/policy", &policy);
    assert_eq!((status, &refused["field"]), (400, &json!("capabilities")), "{refused}");
    policy["capabilities"] = json!("measured");
    assert_eq!(served.ask("PUT", "/v1/policy", &policy).0, 200);

    let agent = served.get("/v1/agents/ada");
    assert_eq!(score(&agent), (json!(0.9), json!(0.5625), json!(3), json!(0.5625)), "{agent}");
    let made = served.post("/v1/tasks", &json!({"title": "four", "key": "four", "requires": needs}));
    assert_eq!(made["agent"], "bob", "{made}");
    let why = served.get("/v1/tasks/four/why-not/ada");
    assert_eq!(why["score"]["capability"]["value"], json!(0.5625), "{why}");
    assert_eq!(score(&why["score"]), (json!(0.9), json!(0.5625), json!(3), json!(0.5625)), "{why}");

    // Kept across a restart.
    let served = Served::on(served.stop());
    assert_eq!(score(&served.get("/v1/agents/ada")).1, json!(0.5625));
}
