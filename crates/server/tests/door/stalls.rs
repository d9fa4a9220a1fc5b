//! Silence about running work, as a client sees it.

use crate::served::Served;
use serde_json::{Value, json};

/// Waits for the answer of `ask`, which comes with the clock.
fn until(mut ask: impl FnMut() -> Option<Value>) -> Value {
    loop {
        if let Some(found) = ask() {
            return found;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_quiet_agent_is_asked_and_what_it_does_not_answer_goes_to_another() {
    let served = Served::start();
    let mut policy = served.get("/v1/policy");
    assert_eq!(
        policy["stalls"],
        json!({"quiet_min_ms": 1_800_000, "quiet_share": 0.25, "overdue_factor": 2.0, "aside_min_ms": null})
    );
    policy["stalls"]["quiet_min_ms"] = json!(10);
    policy["stalls"]["quiet_share"] = json!(0);
    policy["ack_ms"]["critical"] = json!(60_000);
    assert_eq!(served.ask("PUT", "/v1/policy", &policy).0, 200);
    for name in ["ada", "bram"] {
        served.post("/v1/agents", &json!({"name": name, "role": "developer", "capabilities": {"rust": 0.9}}));
    }
    served.post("/v1/agents/ada/next", &json!({"wait_ms": 0}));
    served.post("/v1/tasks", &json!({"title": "first", "key": "one", "priority": "critical", "requires": [{"capability": "rust"}]}));
    let handed = served.post("/v1/agents/ada/next", &json!({"wait_ms": 0}))["assignments"][0].clone();
    let report = json!({"agent": "ada", "assignment": handed["assignment"]});
    assert_eq!(served.ask("POST", "/v1/tasks/one/start", &report).0, 200);

    // It waits for work and is woken by the question instead.
    let woken = served.post("/v1/agents/ada/next", &json!({"wait_ms": 30_000}));
    assert_eq!(woken["notices"][0]["kind"], "status_requested");
    assert_eq!(woken["notices"][0]["task"], "T-1");
    let task = served.get("/v1/tasks/one");
    assert_eq!(task["stall_cause"], "quiet");
    assert_eq!(task["answer_due"], woken["notices"][0]["due"]);
    let because = task["because"].to_string();
    assert!(because.contains("stalled since") && because.contains("an answer is wanted by"), "{because}");
    let why = served.get("/v1/tasks/one/why")["reasons"].to_string();
    assert!(why.contains("stalled since"), "{why}");
    assert_eq!(served.get("/v1/status")["stalled"], 1);
    assert_eq!(served.get("/v1/tasks?stalled=true")["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(served.get("/v1/tasks?stalled=false")["items"].as_array().map(Vec::len), Some(0));
    assert_eq!(served.ask("GET", "/v1/tasks?stalled=maybe", &Value::Null).0, 400);

    // A claim by somebody else opens a dispute; who is no better keeps away, and is not told the token.
    let (status, ruled) = served.ask("POST", "/v1/tasks/one/claim", &json!({"agent": "bram"}));
    assert_eq!((status, &ruled["conflict"], &ruled["agent"]), (200, &json!("C-1"), &json!("ada")), "{ruled}");
    assert!(ruled["assignment"].is_null(), "{ruled}");

    // Without an answer somebody else gets it, and one escalation says so.
    let mut policy = served.get("/v1/policy");
    policy["ack_ms"]["critical"] = json!(10);
    assert_eq!(served.ask("PUT", "/v1/policy", &policy).0, 200);
    let answer = json!({"agent": "ada", "assignment": handed["assignment"], "percent": 5});
    assert_eq!(served.ask("POST", "/v1/tasks/one/progress", &answer).0, 200);
    served.post("/v1/agents/bram/next", &json!({"wait_ms": 0}));
    let moved = until(|| Some(served.get("/v1/tasks/one")).filter(|task| task["owner"] == "bram"));
    assert!(moved["note"].as_str().is_some_and(|note| note.contains("`ada` had done 5 %")), "{moved}");
    let escalations = served.get("/v1/escalations");
    assert_eq!(escalations["items"][0]["kind"], "stalled");
    assert_eq!(escalations["items"][0]["severity"], "critical");
}

#[test]
fn what_is_borne_has_its_range() {
    let served = Served::start();
    let policy = served.get("/v1/policy");
    for (group, field, value, words) in [
        ("stalls", "quiet_min_ms", json!(9), "10 ms to 366 days"),
        ("stalls", "quiet_share", json!(1.5), "0..=1"),
        ("stalls", "overdue_factor", json!(0.05), "0.1 to 100"),
        ("stalls", "aside_min_ms", json!(1), "10 ms to 366 days"),
        ("redispatch", "max_turns", json!(1), "2 to 100"),
        ("redispatch", "pause_max_ms", json!(1_000), "at least redispatch.pause_ms"),
    ] {
        let mut changed = policy.clone();
        changed[group][field] = value;
        let (status, problem) = served.ask("PUT", "/v1/policy", &changed);
        let problem = problem.to_string();
        assert_eq!(status, 400, "{problem}");
        assert!(problem.contains(&format!("{group}.{field}")) && problem.contains(words), "{problem}");
    }
    assert_eq!(served.get("/v1/policy"), policy, "nothing was changed");
}
