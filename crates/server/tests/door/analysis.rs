//! What is inferred from texts is shown with what it was read from, wherever it is shown.

use crate::served::Served;
use serde_json::{Value, json};

fn register(served: &Served, name: &str, capability: &str) {
    served.post("/v1/agents", &json!({"name": name, "role": "developer", "capabilities": {capability: 0.9}}));
    served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
}

fn reasons(served: &Served, task: &str) -> String {
    served.get(&format!("/v1/tasks/{task}/why"))["reasons"].to_string()
}

#[test]
fn an_inferred_requirement_is_shown_with_its_evidence_and_decides() {
    let served = Served::start();
    register(&served, "ada", "rust");
    register(&served, "bob", "ledger");
    let definition = json!({"aliases": ["invoice", ".inv"], "definition": "What customers owe"});
    let (status, _) = served.ask("PUT", "/v1/capabilities/ledger", &definition);
    assert_eq!(status, 200);
    let known = served.get("/v1/capabilities");
    assert_eq!(
        known["items"],
        json!([
            {"name": "ledger", "agents": 1, "defined": true, "aliases": ["invoice", ".inv"],
             "definition": "What customers owe"},
            {"name": "rust", "agents": 1, "defined": false},
        ])
    );
    served.post(
        "/v1/tasks",
        &json!({"title": "Print every invoice twice", "key": "one", "labels": ["invoice"]}),
    );
    let task = served.get("/v1/tasks/one");
    assert_eq!(task["owner"], "bob");
    let requires = json!([{
        "capability": "ledger", "weight": 1.0, "minimum": 0.0, "inferred": true,
        "evidence": [{"field": "labels", "words": "invoice"}, {"field": "title", "words": "invoice"}],
    }]);
    assert_eq!(task["requires"], requires);
    let why = reasons(&served, "one");
    assert!(why.contains(r#"needs ledger, inferred from labels \"invoice\", title"#), "{why}");
    let events = served.get("/v1/events?task=T-1&limit=1");
    let inferred = &events["events"][0]["data"]["inferred"];
    assert_eq!(inferred["requires"][0]["capability"], "ledger", "{events}");
    assert_eq!(events["events"][0]["data"]["requires"], json!([]), "never among the declared");

    // Nobody could take it, so it is shown and not asked for.
    served.post("/v1/tasks", &json!({"title": "Say nothing", "key": "two"}));
    assert_eq!(served.get("/v1/tasks/two")["owner"], "ada");
    assert!(reasons(&served, "two").contains("none is declared, and its text names none"));
    served.ask("PUT", "/v1/capabilities/sql", &json!({"aliases": ["postgres"]}));
    served.post("/v1/tasks", &json!({"title": "Tune postgres", "key": "three"}));
    assert_eq!(served.get("/v1/tasks/three")["requires"][0]["set_aside"], true);
    assert!(reasons(&served, "three").contains("set aside"));

    // A definition that is taken back counts for what is read from then on.
    assert_eq!(served.ask("DELETE", "/v1/capabilities/sql", &Value::Null).0, 204);
    assert_eq!(served.get("/v1/tasks/three")["requires"][0]["capability"], "sql");
    assert_eq!(served.ask("POST", "/v1/tasks/three/analyse", &json!({})).0, 200);
    assert_eq!(served.get("/v1/tasks/three").get("requires"), None);
    let last = served.get("/v1/events?task=three&after=0&limit=100");
    let kinds: Vec<_> =
        last["events"].as_array().expect("a list").iter().map(|event| &event["kind"]).collect();
    assert!(kinds.contains(&&json!("task.analysed")), "{kinds:?}");

    // A restart changes nothing of it.
    let before = served.get("/v1/tasks/one");
    let served = Served::on(served.stop());
    assert_eq!(served.get("/v1/tasks/one")["requires"], before["requires"]);
    assert_eq!(served.get("/v1/capabilities")["items"], known["items"]);
}

#[test]
fn an_inferred_wait_is_marked_and_can_be_waived() {
    let served = Served::start();
    served.post("/v1/tasks", &json!({"title": "first", "key": "x-1"}));
    let import = json!({
        "title": "second", "key": "x-2", "source": {"$format": "test"},
        "description": "Depends on #1, and on x-9.\n\n> blocked by x-7",
    });
    served.post("/v1/tasks", &import);
    let task = served.get("/v1/tasks/x-2");
    assert_eq!(task["state"], "blocked");
    let edges = json!([{
        "task": "T-1", "kind": "blocks", "state": "ready", "inferred": true,
        "evidence": {"field": "description", "words": "Depends on #1"},
    }]);
    assert_eq!(task["depends_on"], edges);
    let why = reasons(&served, "x-2");
    assert!(why.contains("waits for T-1, inferred from description"), "{why}");
    assert!(why.contains("no such task was there"), "{why}");
    assert_eq!(served.ask("DELETE", "/v1/tasks/x-2/dependencies/x-1", &Value::Null).0, 200);
    assert_eq!(served.get("/v1/tasks/x-2")["state"], "ready");

    // The policy turns it off, for what comes later.
    let mut policy = served.get("/v1/policy");
    assert_eq!(policy["inference"], "on");
    policy["inference"] = json!("maybe");
    let (status, problem) = served.ask("PUT", "/v1/policy", &policy);
    assert!(status == 400 && problem.to_string().contains("on, off"), "{problem}");
    policy["inference"] = json!("off");
    assert_eq!(served.ask("PUT", "/v1/policy", &policy).0, 200);
    served.post(
        "/v1/tasks",
        &json!({"title": "third", "key": "x-3", "source": {}, "description": "after x-1"}),
    );
    assert_eq!(served.get("/v1/tasks/x-3")["state"], "ready");
    assert!(reasons(&served, "x-3").contains("inference is off"));
}
