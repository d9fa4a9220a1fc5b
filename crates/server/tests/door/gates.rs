//! Gates over HTTP: finished work that waits for a command, a review and an approval.

use crate::served::Served;
use serde_json::json;

fn team(served: &Served) {
    for (name, kind) in [("ada", "agent"), ("bob", "agent"), ("eve", "person")] {
        served.post("/v1/agents", &json!({"name": name, "role": "developer", "kind": kind}));
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
}

#[test]
fn finished_work_passes_its_gates_at_the_door() {
    let served = Served::start();
    team(&served);
    let gates =
        json!([{"kind": "approval"}, {"kind": "review"}, {"kind": "command", "command": "make test"}]);
    let made =
        served.post("/v1/tasks", &json!({"title": "first", "key": "one", "agent": "ada", "gates": gates}));
    let assignment = made["assignment"].as_str().expect("it is assigned").to_owned();
    let done = served
        .post("/v1/tasks/one/done", &json!({"agent": "ada", "assignment": assignment, "result": "it works"}));
    assert_eq!(done["state"], "waiting", "{done}");

    let task = served.get("/v1/tasks/one");
    let shown: Vec<_> =
        task["gates"].as_array().expect("gates").iter().map(|it| (&it["kind"], &it["state"])).collect();
    let (open, ahead) = (json!("open"), json!("ahead"));
    assert_eq!(
        shown,
        [(&json!("command"), &open), (&json!("review"), &ahead), (&json!("approval"), &ahead)],
        "{task}"
    );
    assert!(task["because"].to_string().contains("nobody has reported how it ended"), "{task}");

    // The command fails: the work comes back to its author, under the same token.
    let report =
        |code: i32| json!({"agent": "ada", "exit_code": code, "digest": "sha256:0", "notes": "2 failed"});
    let back = served.post("/v1/tasks/one/check", &report(1));
    assert_eq!((&back["state"], &back["assignment"]), (&json!("assigned"), &json!(assignment)), "{back}");
    let next = served.post("/v1/agents/ada/next", &json!({}));
    assert_eq!(next["assignments"][0]["assignment"], json!(assignment), "{next}");
    assert!(served.get("/v1/agents/ada/notices").to_string().contains("2 failed"));

    served.post(
        "/v1/tasks/one/done",
        &json!({"agent": "ada", "assignment": assignment, "result": "now it does"}),
    );
    assert_eq!(served.post("/v1/tasks/one/check", &report(0))["state"], "in_review");
    let open = served.get("/v1/gates?kind=review");
    let reviewer = open["items"][0]["gate"]["reviewer"].as_str().expect("somebody is asked").to_owned();
    assert_ne!(reviewer, "ada");
    assert_eq!(open["items"][0]["rejections"], 1, "{open}");
    let own = json!({"agent": "ada", "verdict": "approve"});
    let (status, refused) = served.ask("POST", "/v1/tasks/one/verdict", &own);
    assert_eq!((status, &refused["code"]), (403, &json!("forbidden")), "{refused}");

    // Kept across a restart.
    let served = Served::on(served.stop());
    let word = json!({"agent": reviewer, "verdict": "approve", "notes": "well done", "score": 0.9});
    assert_eq!(served.post("/v1/tasks/one/verdict", &word)["state"], "waiting");
    assert_eq!(served.get("/v1/status")["tasks"]["waiting"], 1);
    let approvals = served.get("/v1/gates?kind=approval");
    assert_eq!(approvals["items"][0]["result"], "now it does", "{approvals}");
    assert_eq!(served.post("/v1/tasks/one/verdict", &json!({"verdict": "approve"}))["state"], "completed");
    let task = served.get("/v1/tasks/one");
    assert_eq!((&task["finished_by"], &task["gates"][1]["score"]), (&json!("ada"), &json!(0.9)), "{task}");
    assert_eq!(task["gates"][2]["by"], "manager", "{task}");
    assert_eq!(served.get("/v1/gates")["items"], json!([]));
}

#[test]
fn the_policy_gates_a_type() {
    let served = Served::start();
    team(&served);
    let mut policy = served.get("/v1/policy");
    policy["gates"] = json!({"by_type": {"bug": [{"kind": "approval"}]}});
    let (status, answer) = served.ask("PUT", "/v1/policy", &policy);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(served.get("/v1/policy")["gates"]["review_ms"], 3_600_000);
    let made = served.post("/v1/tasks", &json!({"title": "first", "type": "bug", "agent": "ada"}));
    let done = json!({"agent": "ada", "assignment": made["assignment"]});
    assert_eq!(served.post("/v1/tasks/T-1/done", &done)["state"], "waiting");
    policy["gates"] = json!({"by_type": {"bug": [{"kind": "vote"}]}, "rejections_max": 3});
    let (status, refused) = served.ask("PUT", "/v1/policy", &policy);
    assert_eq!((status, &refused["field"]), (400, &json!("gates.by_type.bug[0].kind")), "{refused}");
}
