//! Costs and budgets over HTTP.

use crate::served::Served;
use serde_json::{Value, json};

fn team(served: &Served) {
    for name in ["ada", "bob"] {
        served.post("/v1/agents", &json!({"name": name, "role": "developer"}));
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
}

fn submitted(served: &Served, key: &str) -> String {
    let task = json!({"title": key, "key": key, "project": "web", "agent": "ada"});
    let made = served.post("/v1/tasks", &task);
    made["assignment"].as_str().expect("it is assigned").to_owned()
}

fn used(money: u64) -> Value {
    json!({"input_tokens": 100, "cached_tokens": 80, "output_tokens": 20, "money_micros": money})
}

#[test]
fn what_is_used_is_counted_once_and_shown_everywhere() {
    let served = Served::start();
    team(&served);
    let assignment = submitted(&served, "one");
    let progress = json!({"agent": "ada", "assignment": assignment, "percent": 40, "usage": used(250_000)});
    served.post("/v1/tasks/one/progress", &progress);
    served.post("/v1/tasks/one/progress", &progress);
    served.post(
        "/v1/tasks/one/usage",
        &json!({"agent": "ada", "assignment": assignment, "usage": used(50_000)}),
    );
    served.post(
        "/v1/tasks/one/done",
        &json!({"agent": "ada", "assignment": assignment, "usage": used(400_000)}),
    );
    // Late, and under a token that is outdated: it was spent all the same.
    let late = json!({"agent": "ada", "assignment": assignment, "usage": used(500_000)});
    let (status, refused) = served.ask("POST", "/v1/tasks/one/progress", &late);
    assert_eq!((status, &refused["code"]), (409, &json!("stale_assignment")), "{refused}");

    let task = served.get("/v1/tasks/one");
    assert_eq!(task["cost"]["standing"]["total"], used(500_000), "{task}");
    assert_eq!(task["cost"]["attempts"][0]["agent"], "ada", "{task}");
    let costs = served.get("/v1/costs");
    for it in [&costs["total"], &costs["today"], &costs["agents"][0]["total"], &costs["projects"][0]["today"]]
    {
        assert_eq!(*it, used(500_000), "{costs}");
    }
    assert_eq!(costs["days"].as_array().map(Vec::len), Some(1), "{costs}");
    assert_eq!(served.get("/v1/status")["cost"]["today"], used(500_000));

    // What it has cost is what the next one is expected to cost.
    let assignment = submitted(&served, "two");
    let task = served.get("/v1/tasks/two");
    let expected = json!({"tokens": 120, "money_micros": 400_000});
    assert_eq!(
        (&task["cost"]["expected"]["p50"], &task["cost"]["to_finish"]),
        (&expected, &expected),
        "{task}"
    );
    served.post(
        "/v1/tasks/two/usage",
        &json!({"agent": "ada", "assignment": assignment, "usage": used(100_000)}),
    );
    let because = served.get("/v1/tasks/two")["because"].to_string();
    assert!(because.contains("0.10 USD and 120 tokens used so far, 0.30 USD"), "{because}");

    // Kept across a restart.
    let served = Served::on(served.stop());
    assert_eq!(served.get("/v1/costs")["total"]["money_micros"], 600_000);
}

#[test]
fn a_limit_stops_work_calls_a_person_and_is_raised() {
    let served = Served::start();
    team(&served);
    let budget = |hard: u64| json!({"of": "task", "name": "one", "budget": {"total": {"money_micros": {"hard": hard}}}});
    let assignment = submitted(&served, "one");
    let (status, answer) = served.ask("PUT", "/v1/budgets", &budget(1_000_000));
    assert_eq!(status, 200, "{answer}");
    let report = json!({"agent": "ada", "assignment": assignment, "percent": 60, "note": "half way", "usage": used(1_000_000)});
    served.post("/v1/tasks/one/progress", &report);

    let task = served.get("/v1/tasks/one");
    assert_eq!(
        (&task["state"], &task["cost"]["standing"]["state"]),
        (&json!("deferred"), &json!("reached")),
        "{task}"
    );
    let because = task["because"].to_string();
    assert!(because.contains("the budget of T-1: 1.00 USD of 1.00 USD spent"), "{because}");
    assert!(task["note"].to_string().contains("half way"), "{task}");
    let notices = served.get("/v1/agents/ada/notices").to_string();
    assert!(notices.contains("budget_reached") && notices.contains("stop working on it"), "{notices}");
    let calls = served.get("/v1/escalations?state=open");
    assert_eq!(calls["items"][0]["kind"], "budget_reached", "{calls}");
    let (status, refused) = served.ask("POST", "/v1/tasks/one/assign", &json!({"agent": "ada"}));
    assert_eq!((status, &refused["code"]), (409, &json!("not_a_candidate")), "{refused}");
    let why = served.get("/v1/tasks/one/why").to_string();
    assert!(why.contains("its budget is spent") && why.contains("was stopped: a budget is spent"), "{why}");
    let closed = served.get("/v1/budgets?state=closed");
    assert_eq!(
        (&closed["items"][0]["of"], &closed["items"][0]["name"]),
        (&json!("task"), &json!("T-1")),
        "{closed}"
    );

    let (status, answer) = served.ask("PUT", "/v1/budgets", &budget(5_000_000));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(served.get("/v1/tasks/one")["state"], "assigned");
    assert_eq!(served.get("/v1/escalations?state=open")["items"], json!([]));
}

#[test]
fn a_task_is_submitted_with_its_budget_which_an_edit_changes_and_takes_back() {
    let served = Served::start();
    team(&served);
    let budget = |money: u64| json!({"money_micros": {"hard": money}});
    let made = served
        .post("/v1/tasks", &json!({"title": "one", "key": "one", "agent": "ada", "budget": budget(300_000)}));
    let standing = |served: &Served| served.get("/v1/tasks/one")["cost"]["standing"].clone();
    let known = standing(&served);
    assert_eq!((&known["own"], &known["budget"]["total"]), (&json!(true), &budget(300_000)), "{known}");
    let usage = json!({"agent": "ada", "assignment": made["assignment"], "usage": used(300_000)});
    served.post("/v1/tasks/one/usage", &usage);
    assert_eq!(standing(&served)["state"], "reached");
    let edit = |body: Value| served.ask("PATCH", "/v1/tasks/one", &body);
    assert_eq!(edit(json!({"budget": budget(900_000)})).0, 200);
    assert_eq!(
        (&standing(&served)["state"], &served.get("/v1/tasks/one")["state"]),
        (&json!("open"), &json!("assigned"))
    );
    for (wrong, field) in [
        (json!({"budget": {"money_micros": {"hard": 0}}}), "budget.money"),
        (json!({"budget": {"tokens": {"soft": 9, "hard": 5}}}), "budget.tokens"),
        (json!({"budget": {"euros": 1}}), "budget"),
        (json!({"budget": [1]}), "budget"),
    ] {
        let (status, refused) = edit(wrong.clone());
        assert_eq!((status, &refused["code"]), (400, &json!("bad_request")), "{wrong}: {refused}");
        assert!(refused["field"].as_str().is_some_and(|it| it.starts_with(field)), "{wrong}: {refused}");
    }
    assert_eq!(standing(&served)["budget"]["total"], budget(900_000));
    let before = served.get("/v1/status")["position"].clone();
    assert_eq!(edit(json!({"budget": budget(900_000)})).0, 200);
    assert_eq!(served.get("/v1/status")["position"], before, "the same again changes nothing");
    assert_eq!(edit(json!({"budget": null, "title": "first"})).0, 200);
    let known = served.get("/v1/tasks/one");
    assert_eq!(
        (&known["cost"]["standing"]["own"], &known["title"]),
        (&json!(false), &json!("first")),
        "{known}"
    );

    let line =
        json!({"submit": {"title": "two", "key": "two", "budget": {"tokens": {"soft": 5, "hard": 9}}}});
    let kind = [("content-type", "application/x-ndjson")];
    let (status, answer) =
        served.send_text("POST", "/v1/bulk", &served.admin, &kind, line.to_string().as_bytes());
    assert_eq!(status, 200, "{answer}");
    let known = served.get("/v1/tasks/two")["cost"]["standing"]["budget"].clone();
    assert_eq!(known, json!({"total": {"tokens": {"soft": 5, "hard": 9}}}));
}

#[test]
fn an_agent_and_a_project_without_a_budget_say_so() {
    let served = Served::start();
    team(&served);
    let assignment = submitted(&served, "one");
    let of =
        |of: &str, name: &str| json!({"of": of, "name": name, "budget": {"day": {"tokens": {"hard": 100}}}});
    for body in [of("agent", "ada"), of("project", "web")] {
        assert_eq!(served.ask("PUT", "/v1/budgets", &body).0, 200);
    }
    served.post("/v1/tasks/one/usage", &json!({"agent": "ada", "assignment": assignment, "usage": used(1)}));
    let why = served.get("/v1/tasks/one/why").to_string();
    assert!(why.contains("the budget of project `web` for the day: 120 tokens of 100 tokens spent"), "{why}");
    assert!(why.contains("the budget of agent `ada` for the day"), "{why}");
    let agent = served.get("/v1/agents/ada")["because"].to_string();
    assert!(agent.contains("the budget of agent `ada` for the day"), "{agent}");
    let back = json!({"of": "project", "name": "web"});
    assert_eq!(served.ask("PUT", "/v1/budgets", &back).0, 200);
    assert_eq!(served.get("/v1/budgets?of=project")["items"][0]["own"], false);
}
