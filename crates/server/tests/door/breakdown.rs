//! Breakdown over HTTP: asked for, by the policy, and by whoever does the planning.

use std::time::{Duration, Instant};

use crate::served::Served;
use serde_json::{Value, json};

fn team(served: &Served) {
    for (name, role) in [("ada", "developer"), ("eve", "architect"), ("kim", "qa_engineer")] {
        served.post("/v1/agents", &json!({"name": name, "role": role, "max_concurrent_tasks": 5}));
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
}

fn titles(task: &Value) -> Vec<&str> {
    let into = task["breakdown"]["into"].as_array().expect("subtasks");
    into.iter().map(|it| it["title"].as_str().expect("a title")).collect()
}

#[test]
fn a_checklist_becomes_subtasks_that_outlive_the_server() {
    let served = Served::start();
    team(&served);
    let description =
        "Rebuild it.\n\n- [ ] the store\n- [ ] the door\n\n## Acceptance criteria\n\n- [ ] green";
    served.post(
        "/v1/tasks",
        &json!({"title": "all", "key": "all", "role": "nobody", "description": description}),
    );
    served.post("/v1/tasks", &json!({"title": "after", "key": "after", "depends_on": ["all"]}));
    let done = served.post("/v1/tasks/all/breakdown", &json!({}));
    assert_eq!(done["state"], "archived", "{done}");
    let served = Served::on(served.stop());
    let task = served.get("/v1/tasks/all");
    assert_eq!(
        titles(&task),
        ["Plan: all", "the store", "the door", "Integrate: all", "Test: all"],
        "{task}"
    );
    assert_eq!(task["breakdown"]["components_from"], "checklist", "{task}");
    assert!(task["because"].to_string().contains("2 components (checklist)"), "{task}");
    let after = served.get("/v1/tasks/after");
    let waits: Vec<&Value> = after["depends_on"].as_array().expect("edges").iter().collect();
    assert_eq!(waits[0]["task"], task["breakdown"]["into"][4]["task"], "{after}");
    let part = served.get("/v1/tasks/T-4/breakdown");
    assert_eq!(
        (&part["part"], &part["part_of"], &part["level"]),
        (&json!("implementation"), &json!("T-1"), &json!(1))
    );
    assert_eq!(served.get("/v1/status")["tasks"]["archived"], 1);
    let (status, refused) = served.ask("POST", "/v1/tasks/all/breakdown", &json!({}));
    assert_eq!((status, &refused["code"]), (409, &json!("wrong_state")), "{refused}");
}

#[test]
fn the_planning_says_what_there_is_to_do() {
    let served = Served::start();
    team(&served);
    served.post("/v1/tasks", &json!({"title": "all", "key": "all", "role": "nobody"}));
    served.post("/v1/tasks/all/breakdown", &json!({}));
    let planning = served.get("/v1/tasks/T-2");
    assert_eq!((&planning["owner"], &planning["title"]), (&json!("eve"), &json!("Plan: all")), "{planning}");
    let components = json!([{"title": "one", "requires": [{"capability": "rust"}], "estimate_hours": 3}, {"title": "two"}]);
    let plan = json!({"agent": "eve", "assignment": planning["assignment"], "components": components});
    served.post("/v1/tasks/T-2/components", &plan);
    assert_eq!(titles(&served.get("/v1/tasks/all")).len(), 3, "nothing happens before it is done");
    served.post("/v1/tasks/T-2/done", &json!({"agent": "eve", "assignment": planning["assignment"]}));
    let task = served.get("/v1/tasks/all");
    assert_eq!(titles(&task), ["Plan: all", "one", "two", "Integrate: all", "Test: all"], "{task}");
    assert_eq!(served.get("/v1/tasks/T-5")["estimate_hours"], 3.0);
}

#[test]
fn what_the_policy_finds_large_is_broken_down_at_once() {
    let served = Served::start();
    team(&served);
    let mut policy = served.get("/v1/policy");
    policy["breakdown"] = json!({"by": "policy"});
    let (status, answer) = served.ask("PUT", "/v1/policy", &policy);
    assert_eq!(status, 200, "{answer}");
    let description = "## Import\n\nread\n\n## Export\n\nwrite";
    let made = json!({"title": "large", "estimate_hours": 50, "description": description});
    assert_eq!(served.post("/v1/tasks", &made)["state"], "waiting");
    let since = Instant::now();
    let task = loop {
        let task = served.get("/v1/tasks/T-1");
        if task["state"] == "archived" || since.elapsed() > Duration::from_secs(10) {
            break task;
        }
        std::thread::yield_now();
    };
    assert_eq!(
        titles(&task),
        ["Plan: large", "Import", "Export", "Integrate: large", "Test: large"],
        "{task}"
    );
    assert_eq!(task["breakdown"]["factors"]["size"], 1.0, "{task}");
    let small = served.post("/v1/tasks", &json!({"title": "small", "estimate_hours": 2}));
    assert_eq!(small["state"], "assigned", "{small}");
}
