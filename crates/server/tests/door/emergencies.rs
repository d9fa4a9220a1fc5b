//! Emergencies and task forces, as a client sees them.

use crate::served::Served;
use serde_json::{Value, json};

fn team(served: &Served) {
    served.post("/v1/agents", &json!({"name": "ada", "role": "developer", "capabilities": {"rust": 0.9, "sql": 0.2}, "max_concurrent_tasks": 4}));
    served.post("/v1/agents", &json!({"name": "bob", "role": "developer", "capabilities": {"sql": 0.9}}));
    served.post(
        "/v1/agents",
        &json!({"name": "sam", "role": "developer", "capabilities": {"rust": 0.9}, "standby": true}),
    );
    for agent in ["ada", "bob", "sam"] {
        served.post(&format!("/v1/agents/{agent}/heartbeat"), &json!({}));
    }
    served.post(
        "/v1/tasks",
        &json!({"title": "first", "key": "one", "priority": "critical", "project": "web", "estimate_hours": 8,
            "requires": [{"capability": "rust"}, {"capability": "sql", "weight": 0.1}]}),
    );
    served.post("/v1/tasks", &json!({"title": "second", "key": "two", "requires": [{"capability": "rust"}]}));
}

fn listed(answer: &Value) -> usize {
    answer["items"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_declared_emergency_shows_what_it_does_and_undoes_it_when_it_ends() {
    let served = Served::start();
    team(&served);
    assert_eq!(served.get("/v1/tasks/two")["owner"], "ada");
    let ack = served.post(
        "/v1/emergencies",
        &json!({"kind": "critical_task_failure", "task": "one", "reason": "it must not fail"}),
    );
    assert_eq!(ack["emergency"], "X-1");
    let shown = served.get("/v1/emergencies/X-1");
    assert_eq!(
        (&shown["state"], &shown["cause"], &shown["task"]),
        (&json!("open"), &json!("declared"), &json!("T-1"))
    );
    let actions: Vec<&str> =
        shown["actions"].as_array().expect("actions").iter().filter_map(|it| it["action"].as_str()).collect();
    assert_eq!(actions, ["force_formed", "overtime_raised", "overtime_raised", "work_deferred"]);
    assert_eq!(shown["actions"][3]["says"], "T-2 is set aside");

    // The agents, the tasks and the report say so too.
    let ada = served.get("/v1/agents/ada");
    assert_eq!(ada["max_concurrent_tasks"], 5);
    assert!(ada["because"].to_string().contains("1 task more"), "{ada}");
    let two = served.get("/v1/tasks/two");
    assert_eq!(two["state"], "deferred");
    assert!(two["because"].to_string().contains("set aside by emergency X-1"), "{two}");
    let why = served.get("/v1/tasks/one/why")["reasons"].to_string();
    assert!(
        why.contains("emergency X-1 is open") && why.contains("task force F-1 works on it, led by ada"),
        "{why}"
    );
    let report = served.get("/v1/report");
    assert_eq!(report["emergencies"][0]["id"], "X-1");
    assert_eq!(report["forces"][0]["id"], "F-1");
    let (_, page) = served.send_text("GET", "/v1/report?format=markdown", &served.admin, &[], &[]);
    assert!(page.contains("## Emergencies") && page.contains("X-1"), "{page}");
    assert_eq!(served.get("/v1/escalations")["items"][0]["kind"], "emergency");

    let force = served.get("/v1/forces/F-1");
    assert_eq!(
        (&force["lead"], &force["channel"], &force["emergency"]),
        (&json!("ada"), &json!("force-1"), &json!("X-1"))
    );
    assert_eq!(
        force["members"],
        json!([{"agent": "ada", "answers_for": ["rust"]}, {"agent": "bob", "answers_for": ["sql"]}])
    );
    assert_eq!(force["checkpoints"].as_array().map(Vec::len), Some(4));
    let (status, problem) = served.ask("POST", "/v1/forces/F-1/disband", &json!({"reason": "no"}));
    assert!(status == 400 && problem.to_string().contains("X-1"), "{problem}");

    served.post("/v1/emergencies/X-1/end", &json!({"reason": "it is well"}));
    let shown = served.get("/v1/emergencies/X-1");
    assert_eq!((&shown["state"], &shown["ended_because"]), (&json!("ended"), &json!("it is well")));
    assert!(
        shown["actions"].as_array().expect("actions").iter().all(|it| it["settled"] == "undone"),
        "{shown}"
    );
    assert_eq!(served.get("/v1/tasks/two")["owner"], "ada");
    assert_eq!(served.get("/v1/agents/ada")["max_concurrent_tasks"], 4);
    assert_eq!(served.get("/v1/forces/F-1")["state"], "disbanded");
    assert_eq!(listed(&served.get("/v1/emergencies?state=unsettled")), 0);
    assert_eq!(listed(&served.get("/v1/emergencies?state=ended&kind=critical_task_failure")), 1);
    assert_eq!(listed(&served.get("/v1/forces?state=at_work")), 0);
    let kinds = served.get("/v1/events?kind=emergency.settled")["events"].as_array().map(Vec::len);
    assert_eq!(kinds, Some(4));
}

#[test]
fn a_task_force_without_an_emergency_stands_in_every_report() {
    let served = Served::start();
    team(&served);
    let ack = served.post("/v1/forces", &json!({"project": "web", "requires": [{"capability": "rust"}]}));
    assert_eq!(ack["force"], "F-1");
    assert_eq!(listed(&served.get("/v1/emergencies")), 0);
    assert_eq!(served.get("/v1/report")["forces"][0]["id"], "F-1");
    for (format, row) in [("markdown", "| F-1 | web | ada |"), ("html", ">F-1</td><td>web</td><td>ada</td>")]
    {
        let path = format!("/v1/report?format={format}");
        let (_, page) = served.send_text("GET", &path, &served.admin, &[], &[]);
        assert!(page.contains(row), "{page}");
    }
}

#[test]
fn agents_that_are_lost_together_pause_assignments_until_they_are_back() {
    let served = Served::start();
    let mut policy = served.get("/v1/policy");
    assert_eq!(
        policy["emergencies"],
        json!({"detect": true, "window_ms": 300_000, "agents_min": 3, "share_min": 0.2, "recovered_share": 0.8,
            "recovered_for_ms": 300_000, "resume_every_ms": 30_000})
    );
    policy["emergencies"]["recovered_for_ms"] = json!(10);
    policy["emergencies"]["resume_every_ms"] = json!(10);
    policy["grace_ms"] = json!(3_600_000);
    assert_eq!(served.ask("PUT", "/v1/policy", &policy).0, 200);
    for name in ["a", "b", "c"] {
        served.post(
            "/v1/agents",
            &json!({"name": name, "role": "developer", "capabilities": {"rust": 0.9}, "lease_ms": 10}),
        );
        served.post("/v1/tasks", &json!({"title": name, "agent": name}));
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
    while listed(&served.get("/v1/emergencies")) == 0 {
        std::thread::yield_now();
    }
    let shown = served.get("/v1/emergencies/X-1");
    assert_eq!((&shown["kind"], &shown["cause"]), (&json!("agent_cascade_failure"), &json!("agents")));
    served.post("/v1/tasks", &json!({"title": "t", "key": "one", "requires": [{"capability": "rust"}]}));
    for name in ["d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"] {
        served.post("/v1/agents", &json!({"name": name, "role": "developer", "capabilities": {"rust": 0.9}}));
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
    // More than eight of ten are online, and after four rounds everything is as it was.
    while served.get("/v1/emergencies/X-1")["state"] != "ended" {
        std::thread::yield_now();
    }
    assert_ne!(served.get("/v1/tasks/one")["owner"], Value::Null);
}

#[test]
fn what_does_not_fit_is_refused_with_field_and_reason() {
    let served = Served::start();
    team(&served);
    let before = served.get("/v1/status")["position"].clone();
    for (path, body, status, words) in [
        (
            "/v1/emergencies",
            json!({"kind": "fire", "reason": "r"}),
            400,
            "agent_cascade_failure, critical_task_failure, deadline_risk",
        ),
        ("/v1/emergencies", json!({"kind": "deadline_risk", "project": "web", "reason": ""}), 400, "reason"),
        ("/v1/emergencies", json!({"kind": "deadline_risk", "reason": "r"}), 400, "a project and no task"),
        (
            "/v1/emergencies",
            json!({"kind": "deadline_risk", "project": "none", "reason": "r"}),
            404,
            "there is no project `none`",
        ),
        (
            "/v1/emergencies",
            json!({"kind": "critical_task_failure", "task": "none", "reason": "r"}),
            404,
            "none",
        ),
        ("/v1/emergencies", json!({"kind": "agent_cascade_failure", "why": "r"}), 400, "why"),
        ("/v1/emergencies/X-7/end", json!({"reason": "r"}), 404, "X-7"),
        ("/v1/emergencies/7/end", json!({"reason": "r"}), 404, "X-2"),
        ("/v1/forces", json!({}), 400, "a task, or a project"),
        ("/v1/forces", json!({"project": "web"}), 400, "requires"),
        (
            "/v1/forces",
            json!({"project": "web", "requires": [{"capability": "a b"}]}),
            400,
            "requires[0].capability",
        ),
        ("/v1/forces/F-7/disband", json!({"reason": "r"}), 404, "F-7"),
        (
            "/v1/projects",
            json!({"name": "p", "milestones": [{"title": "", "at": "2027-01-01T00:00:00Z"}]}),
            400,
            "milestones[0].title",
        ),
        (
            "/v1/projects",
            json!({"name": "p", "milestones": [{"title": "m", "at": "soon"}]}),
            400,
            "milestones[0].at",
        ),
    ] {
        let (found, problem) = served.ask("POST", path, &body);
        assert!(found == status && problem.to_string().contains(words), "{path} {body}: {found} {problem}");
    }
    for path in [
        "/v1/emergencies?state=closed",
        "/v1/emergencies?kind=fire",
        "/v1/forces?state=open",
        "/v1/emergencies?color=red",
    ] {
        assert_eq!(served.ask("GET", path, &Value::Null).0, 400, "{path}");
    }
    for (field, value) in [
        ("agents_min", json!(1)),
        ("recovered_share", json!(1.0)),
        ("share_min", json!(1.5)),
        ("window_ms", json!(9)),
    ] {
        let mut policy = served.get("/v1/policy");
        policy["emergencies"][field] = value;
        let (status, problem) = served.ask("PUT", "/v1/policy", &policy);
        assert!(
            status == 400 && problem.to_string().contains(&format!("emergencies.{field}")),
            "{field}: {problem}"
        );
    }
    assert_eq!(served.get("/v1/status")["position"], before);
}
