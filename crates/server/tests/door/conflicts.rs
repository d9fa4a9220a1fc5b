//! Conflicts over HTTP: decisions proposed to, tallied, escalated, ruled; and one list of all kinds.

use crate::served::Served;
use serde_json::{Value, json};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn team(served: &Served) {
    for (name, role, score) in
        [("ada", "developer", 0.9), ("bob", "developer", 0.6), ("eve", "architect", 0.0)]
    {
        served.post("/v1/agents", &json!({"name": name, "role": role, "capabilities": {"dba": score}}));
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
}

fn ids(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("a list");
    items.iter().map(|item| item["id"].as_str().expect("an id")).collect()
}

#[test]
fn a_decision_is_tallied_told_and_lets_its_task_go_on() {
    let served = Served::start();
    team(&served);
    served.post("/v1/tasks", &json!({"title": "first", "key": "one", "role": "nobody"}));
    let opened = served.post(
        "/v1/decisions",
        &json!({"topic": "Which database?", "capability": "dba", "tasks": ["one"], "ask": ["bob"]}),
    );
    assert_eq!(opened["conflict"], "C-1");
    let task = served.get("/v1/tasks/one");
    assert_eq!(task["state"], "blocked");
    assert!(
        task["because"][0].as_str().is_some_and(|why| why.contains("waits for the decision C-1")),
        "{task}"
    );

    served.post(
        "/v1/conflicts/C-1/proposals",
        &json!({"agent": "ada", "option": "postgres", "reasons": "known"}),
    );
    let open = served.get("/v1/conflicts/C-1");
    assert_eq!(
        (&open["state"], &open["decision"]["tally"][0]["support"]),
        (&json!("open"), &json!(1.0)),
        "{open}"
    );
    assert!(open["because"].to_string().contains("asked and not heard yet: bob"), "{open}");

    // Kept across a restart.
    let served = Served::on(served.stop());
    for agent in ["ada", "bob", "eve"] {
        served.post(&format!("/v1/agents/{agent}/heartbeat"), &json!({}));
    }
    served.post(
        "/v1/conflicts/C-1/proposals",
        &json!({"agent": "bob", "option": "sqlite", "reasons": "small", "confidence": 0.5}),
    );
    let made = served.get("/v1/conflicts/C-1");
    let decision = &made["decision"];
    assert_eq!((&made["state"], &decision["decided"]), (&json!("resolved"), &json!("postgres")), "{made}");
    assert_eq!((&decision["decided_by"], &decision["margin"]), (&json!("tally"), &json!(0.5)), "{made}");
    assert_eq!(decision["tally"][0]["weight"], json!(0.9), "{made}");
    assert_eq!(served.get("/v1/tasks/one")["state"], "ready");
    let told = served.get("/v1/agents/ada/notices");
    assert!(told.to_string().contains("decision_made"), "{told}");
}

#[test]
fn what_cannot_be_taken_back_goes_to_the_architect() {
    let served = Served::start();
    team(&served);
    let architect = served.token("agent", Some("eve"));
    let ada = served.token("agent", Some("ada"));
    served.post("/v1/decisions", &json!({"topic": "Drop it?", "capability": "dba", "irreversible": true}));
    for (agent, option) in [("ada", "yes"), ("bob", "yes")] {
        let body = json!({"agent": agent, "option": option, "reasons": "so"});
        served.post("/v1/conflicts/C-1/proposals", &body);
    }
    assert_eq!(ids(&served.get("/v1/conflicts?state=escalated&kind=decision_conflict&agent=bob")), ["C-1"]);
    let called = served.get("/v1/escalations?role=architect");
    assert_eq!(called["items"][0]["conflict"], "C-1", "{called}");
    let id = called["items"][0]["id"].as_str().expect("an id");
    let (status, refused) =
        served.ask("POST", &format!("/v1/escalations/{id}/settle"), &json!({"note": "x"}));
    assert_eq!((status, &refused["code"]), (409, &json!("wrong_state")), "{refused}");

    let ruling = json!({"option": "no", "reason": "we need it"}).to_string();
    let (status, refused) = served.send("POST", "/v1/conflicts/C-1/rule", &ada, &JSON, ruling.as_bytes());
    assert_eq!((status, &refused["code"]), (403, &json!("forbidden")), "{refused}");
    let (status, ruled) = served.send("POST", "/v1/conflicts/C-1/rule", &architect, &JSON, ruling.as_bytes());
    assert_eq!((status, &ruled["conflict"]), (200, &json!("C-1")), "{ruled}");
    let made = served.get("/v1/conflicts/C-1");
    assert_eq!(
        (&made["decision"]["decided_by"], &made["ruling"]),
        (&json!("eve"), &json!("we need it")),
        "{made}"
    );
    assert_eq!(served.get("/v1/escalations?role=architect")["items"][0]["state"], "settled");
    let late = json!({"agent": "bob", "option": "yes", "reasons": "so"});
    let (status, refused) = served.ask("POST", "/v1/conflicts/C-1/proposals", &late);
    assert_eq!((status, &refused["code"]), (409, &json!("wrong_state")), "{refused}");
}

#[test]
fn who_waits_for_a_resource_stands_in_the_same_list() {
    let served = Served::start();
    team(&served);
    let wants = |agent: &str| json!({"agent": agent, "resources": [{"resource": "env:one"}], "wait": true});
    served.post("/v1/reservations", &wants("ada"));
    served.post("/v1/reservations", &wants("bob"));
    let list = served.get("/v1/conflicts?state=unsettled");
    let found = &list["items"][0];
    assert_eq!((&found["kind"], &found["wait"]), (&json!("resource_contention"), &json!("W-1")), "{list}");
    assert_eq!(found["parties"], json!(["bob", "ada"]));
    assert!(found["because"].to_string().contains("R-1"), "{list}");
    served.post("/v1/reservations/R-1/release", &json!({"agent": "ada"}));
    let settled = served.get("/v1/conflicts/C-1");
    assert_eq!(
        (&settled["state"], &settled["reservation"]),
        (&json!("resolved"), &json!("R-2")),
        "{settled}"
    );
    let kinds = served.get("/v1/events?limit=1000").to_string();
    assert!(kinds.contains("conflict.contention_opened") && kinds.contains("conflict.contention_resolved"));
}

#[test]
fn a_dispute_is_ruled_at_once_and_told() {
    let served = Served::start();
    team(&served);
    served.post("/v1/tasks", &json!({"title": "first", "key": "one", "agent": "ada"}));
    let bob = served.token("agent", Some("bob"));
    let body = json!({"agent": "bob", "reason": "I began it yesterday"}).to_string();
    let (status, ack) = served.send("POST", "/v1/tasks/one/dispute", &bob, &JSON, body.as_bytes());
    assert_eq!((status, &ack["conflict"], &ack["agent"]), (201, &json!("C-1"), &json!("ada")), "{ack}");
    assert!(ack["assignment"].is_null(), "the token is its holder's alone: {ack}");
    let found = served.get("/v1/conflicts?kind=task_dispute&agent=bob&task=one");
    let dispute = &found["items"][0]["dispute"];
    assert_eq!(
        (&dispute["awarded_to"], &dispute["rule"], &dispute["stalled"]),
        (&json!("ada"), &json!("live_assignment"), &json!(false)),
        "{found}"
    );
    let told = served.get("/v1/agents/bob/notices").to_string();
    assert!(told.contains("dispute_ruled") && told.contains("live and not stalled"), "{told}");
    let why = served.get("/v1/tasks/one/why").to_string();
    assert!(why.contains("C-1 ruled: it is ada's"), "{why}");
}

#[test]
fn what_comes_first_is_ruled_by_the_impact_with_every_number() {
    let served = Served::start();
    for (key, hours) in [("one", 4.0), ("two", 2.0)] {
        let body = json!({"title": key, "key": key, "estimate_hours": hours, "role": "nobody"});
        served.post("/v1/tasks", &body);
    }
    team(&served);
    served.post("/v1/tasks/two/priority", &json!({"agent": "ada", "priority": "critical", "reason": "now"}));
    let ruled = served.get("/v1/conflicts/C-1");
    let (precedence, impact) = (&ruled["precedence"], &ruled["precedence"]["order"][0]);
    assert_eq!(
        (&impact["value"], &impact["cost_of_delay"], &impact["wsjf"]),
        (&json!(9.0), &json!(9.0), &json!(4.5)),
        "{ruled}"
    );
    assert_eq!(
        (&precedence["priority"], &precedence["asked_for"]["critical"]),
        (&json!("critical"), &json!(3.25))
    );
    assert_eq!(served.get("/v1/tasks/two")["priority"], "critical");
    let why = served.get("/v1/tasks/two/why").to_string();
    assert!(why.contains("ada says that it is critical") && why.contains("WSJF 4.50"), "{why}");

    served.post("/v1/orders", &json!({"first": "one", "then": "two", "agent": "bob", "reason": "so"}));
    assert_eq!(served.get("/v1/orders")["items"][0]["by"], "bob");
    let one = served.get("/v1/tasks/one");
    assert_eq!((&one["priority"], &one["effective_priority"]), (&json!("medium"), &json!("critical")));
    let why = served.get("/v1/tasks/one/why").to_string();
    assert!(why.contains("comes before T-2, so it is critical too, as bob says: so"), "{why}");
    assert!(why.contains("bob says that T-1 comes before T-2: so"), "{why}");
    let ack = served.post("/v1/orders", &json!({"first": "two", "then": "one", "reason": "no"}));
    assert_eq!(ack["conflict"], "C-2", "{ack}");
    let ruled = served.get("/v1/conflicts/C-2");
    assert_eq!(ruled["tasks"], json!(["T-2", "T-1"]), "{ruled}");
    assert_eq!(ruled["precedence"]["said"][1], json!({"by": "manager", "first": "T-2", "then": "T-1"}));
    let order = &served.get("/v1/orders")["items"][0];
    assert_eq!((&order["first"], &order["conflict"]), (&json!("T-2"), &json!("C-2")), "{order}");
    let why = served.get("/v1/tasks/one/why").to_string();
    assert!(why.contains("in this order: T-2, T-1; does not stand: T-1 before T-2"), "{why}");
    assert!(why.contains("comes after T-2, as manager says: no"), "{why}");
    let (status, refused) =
        served.ask("POST", "/v1/orders/drop", &json!({"first": "two", "then": "one", "agent": "bob"}));
    assert_eq!((status, &refused["code"]), (403, &json!("forbidden")), "{refused}");
    served.post("/v1/orders/drop", &json!({"first": "two", "then": "one"}));
    assert_eq!(served.get("/v1/orders")["items"], json!([]), "what was ruled goes with it");
    assert_eq!(served.get("/v1/tasks/one")["effective_priority"], "medium");
}
