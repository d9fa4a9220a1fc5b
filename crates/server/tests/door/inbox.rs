//! Inboxes and escalations over HTTP: who is called, who takes it on, who settles it.

use std::time::{Duration, Instant};

use crate::served::Served;
use serde_json::{Value, json};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn team(served: &Served) {
    for (name, role, kind) in
        [("ada", "developer", "agent"), ("mia", "agent_manager", "agent"), ("olga", "owner", "person")]
    {
        served.post("/v1/agents", &json!({"name": name, "role": role, "kind": kind}));
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
}

fn ids(inbox: &Value) -> Vec<&str> {
    inbox["items"].as_array().expect("a list").iter().filter_map(|it| it["id"].as_str()).collect()
}

#[test]
fn an_escalation_is_taken_on_raised_again_and_settled_by_whom_it_calls() {
    let served = Served::start();
    team(&served);
    let mut policy = served.get("/v1/policy");
    assert_eq!(policy["escalations"]["ladder"], json!(["architect", "agent_manager", "owner"]));
    policy["ack_ms"]["critical"] = json!(300);
    policy["escalations"] = json!({"ladder": ["agent_manager", "owner"], "reraises_max": 1});
    assert_eq!(served.ask("PUT", "/v1/policy", &policy).0, 200);
    let hard = json!({"title": "hard", "priority": "critical", "requires": [{"capability": "ada83"}], "key": "hard"});
    served.post("/v1/tasks", &hard);
    let (ada, mia) = (served.token("agent", Some("ada")), served.token("agent", Some("mia")));
    let olga = served.token("agent", Some("olga"));
    let own = |token: &str| served.send("GET", "/v1/inbox", token, &[], b"").1;

    assert_eq!(ids(&own(&mia)), ["E-1"]);
    assert_eq!(own(&mia)["agent"], "mia");
    assert_eq!((own(&ada)["total"].clone(), own(&ada)["items"].clone()), (json!(0), json!([])));
    assert_eq!(ids(&served.get("/v1/inbox?role=owner")), [""; 0]);
    assert_eq!(served.get("/v1/agents/mia/notices")["items"][0]["kind"], "called");

    // Nobody takes it on: it goes to the owner, once, and stays overdue.
    let until = Instant::now() + Duration::from_secs(20);
    while ids(&own(&olga)).is_empty() {
        assert!(Instant::now() < until, "it is not raised again");
        std::thread::sleep(Duration::from_millis(20));
    }
    let item = own(&olga)["items"][0].clone();
    assert_eq!((&item["raised_again"], &item["overdue"]), (&json!(1), &json!(true)), "{item}");
    assert_eq!((&item["matter"], &item["answer"]), (&json!("no_suitable_agent"), &json!("kapell why T-1")));
    assert_eq!(served.get("/v1/escalations?role=owner")["items"][0]["id"], "E-1");
    assert_eq!(served.get("/v1/status")["escalations_overdue"], 1);

    let word = |token: &str, verb: &str| {
        served.send("POST", &format!("/v1/escalations/E-1/{verb}"), token, &JSON, b"{}")
    };
    for verb in ["acknowledge", "settle"] {
        let (status, refused) = word(&ada, verb);
        assert_eq!((status, &refused["code"]), (403, &json!("forbidden")), "{refused}");
        assert!(refused["detail"].to_string().contains("calls the role `owner`"), "{refused}");
    }
    assert_eq!(word(&olga, "acknowledge").0, 200);
    let taken = served.get("/v1/escalations")["items"][0].clone();
    assert_eq!((&taken["acknowledged_by"], &taken["overdue"]), (&json!("olga"), &json!(false)), "{taken}");
    assert_eq!(served.get("/v1/status")["escalations_overdue"], 0);

    // All of it is in the log, and so is kept.
    let served = Served::on(served.stop());
    let taken = served.get("/v1/escalations")["items"][0].clone();
    assert_eq!((&taken["acknowledged_by"], &taken["raised_again"]), (&json!("olga"), &json!(1)), "{taken}");
    let (status, _) = served.send("POST", "/v1/escalations/E-1/settle", &mia, &JSON, br#"{"note":"known"}"#);
    assert_eq!(status, 200);
    assert_eq!(served.get("/v1/escalations")["items"][0]["note"], "known");
    assert_eq!(served.get("/v1/inbox")["total"], 0);
}

#[test]
fn an_inbox_holds_what_one_alone_is_asked() {
    let served = Served::start();
    team(&served);
    served.post("/v1/agents", &json!({"name": "bob", "role": "developer"}));
    served.post("/v1/agents/bob/heartbeat", &json!({}));
    let gates = json!([{"kind": "review"}, {"kind": "approval"}]);
    let made = served.post("/v1/tasks", &json!({"title": "first", "agent": "ada", "gates": gates}));
    served.post("/v1/tasks/T-1/done", &json!({"agent": "ada", "assignment": made["assignment"]}));
    let reviewer = served.get("/v1/gates")["items"][0]["gate"]["reviewer"].as_str().expect("one").to_owned();
    let inbox = served.get(&format!("/v1/inbox?agent={reviewer}"));
    assert_eq!(inbox["items"][0]["kind"], "review", "{inbox}");
    assert_eq!(inbox["items"][0]["answer"], "kapell approve T-1", "{inbox}");
    served.post("/v1/messages", &json!({"to": "ada", "text": "mind the gap", "priority": "high"}));
    assert_eq!(served.get("/v1/inbox?agent=ada")["items"][0]["kind"], "message");
    let due = json!({"topic": "which way", "capability": "rust", "ask": ["ada"]});
    served.post("/v1/decisions", &due);
    let kinds: Vec<Value> = served.get("/v1/inbox?agent=ada")["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it["kind"].clone())
        .collect();
    assert_eq!(kinds, ["message", "proposal"]);
    let first = served.get("/v1/inbox?agent=ada&limit=1");
    let items = first["items"].as_array().expect("a list");
    assert_eq!(
        (items.len(), &items[0]["kind"], &first["total"]),
        (1, &json!("message"), &json!(2)),
        "{first}"
    );

    // The review is given: now the owner is called, and the word settles that.
    served.post("/v1/tasks/T-1/verdict", &json!({"agent": reviewer, "verdict": "approve"}));
    let called = served.get("/v1/inbox?agent=olga");
    assert_eq!(called["items"][0]["matter"], "approval_needed", "{called}");
    let (status, refused) = served.ask("POST", "/v1/escalations/E-1/settle", &json!({"note": "fine"}));
    assert_eq!((status, &refused["code"]), (409, &json!("wrong_state")), "{refused}");
    assert!(refused["hint"].to_string().contains("kapell approve T-1"), "{refused}");
    served.post("/v1/tasks/T-1/verdict", &json!({"agent": "olga", "verdict": "approve"}));
    assert_eq!(served.get("/v1/inbox?agent=olga")["total"], 0);
    assert_eq!(served.get("/v1/escalations?state=open")["items"], json!([]));
}
