//! People over HTTP: working hours, and what follows from them.

use crate::served::Served;
use serde_json::{Value, json};

fn begin() -> Served {
    let served = Served::start();
    served.post("/v1/agents", &json!({"name": "eve", "kind": "person", "max_concurrent_tasks": 2}));
    served.post("/v1/agents/eve/heartbeat", &json!({}));
    served
}

fn set(served: &Served, hours: &Value) -> (u16, Value) {
    served.ask("PUT", "/v1/agents/eve/hours", hours)
}

#[test]
fn a_person_says_when_it_works_and_gets_work_then() {
    let served = begin();
    // Always at work, but away for two days from yesterday on.
    let day = |days: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
        jiff::Timestamp::from_second(at.as_second()).expect("a time").to_string()
    };
    let whole =
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map(|day| (day.to_owned(), json!(["00:00-24:00"])));
    let week: Value = serde_json::Map::from_iter(whole).into();
    let (from, to) = (day(-1), day(1));
    let hours = json!({"zone": "Europe/Berlin", "week": week, "quiet": [{"from": from, "to": to}]});
    let own = served.token("agent", Some("eve"));
    let body = serde_json::to_vec(&hours).expect("a body");
    let json_body = [("content-type", "application/json")];
    let (status, answer) = served.send("PUT", "/v1/agents/eve/hours", &own, &json_body, &body);
    assert_eq!(status, 200, "{answer}");

    let agent = served.get("/v1/agents/eve");
    assert_eq!(agent["hours"], hours, "{agent}");
    assert_eq!(agent["away_until"].as_str().map(|at| &at[..19]), Some(&to[..19]), "{agent}");
    let made = served.post("/v1/tasks", &json!({"title": "first", "key": "one"}));
    assert_eq!(made["state"], "ready", "{made}");
    let why = served.get("/v1/tasks/one/why");
    assert!(why["now"]["not_candidates"].to_string().contains("outside working hours until"), "{why}");
    assert!(served.get("/v1/events?limit=1000").to_string().contains("agent.hours_set"));

    // Kept across a restart.
    let served = Served::on(served.stop());
    assert_eq!(served.get("/v1/agents/eve")["hours"]["zone"], "Europe/Berlin");
    let hours = json!({"zone": "Europe/Berlin", "week": week});
    assert_eq!(set(&served, &hours).0, 200);
    assert_eq!(served.get("/v1/tasks/one")["owner"], "eve");
    assert_eq!(served.ask("DELETE", "/v1/agents/eve/hours", &json!({})).0, 204);
    assert_eq!(served.get("/v1/agents/eve")["hours"], Value::Null);
}

#[test]
fn the_same_hours_again_change_nothing_and_no_agent_sets_its_own() {
    let served = begin();
    let hours = json!({"zone": "Europe/Berlin", "week": {"mon": ["09:00-17:00"]}});
    for _ in 0..3 {
        assert_eq!(set(&served, &hours).0, 200);
    }
    let told = served.get("/v1/events?limit=1000").to_string();
    assert_eq!(told.matches("agent.hours_set").count(), 1, "{told}");
    let moved = json!({"zone": "Europe/Berlin", "week": {"mon": ["09:00-18:00"]}});
    assert_eq!(set(&served, &moved).0, 200);
    assert_eq!(served.get("/v1/agents/eve")["hours"], moved);

    served.post("/v1/agents", &json!({"name": "bot", "kind": "agent"}));
    let own = served.token("agent", Some("bot"));
    let json_body = [("content-type", "application/json")];
    for (method, body) in [("PUT", hours.to_string()), ("DELETE", "{}".to_owned())] {
        let (status, refused) =
            served.send(method, "/v1/agents/bot/hours", &own, &json_body, body.as_bytes());
        assert_eq!((status, &refused["code"]), (403, &json!("forbidden")), "{refused}");
        assert!(refused["detail"].as_str().is_some_and(|it| it.contains("no person")), "{refused}");
    }
}

#[test]
fn a_task_says_that_its_owner_has_gone_home() {
    let served = begin();
    let day = |days: i64| (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days)).to_string();
    let made = served.post("/v1/tasks", &json!({"title": "first", "key": "one", "agent": "eve"}));
    assert_eq!(made["agent"], "eve", "{made}");
    let quiet = json!([{"from": day(-1), "to": day(20)}]);
    let week = json!({"mon": ["09:00-17:00"], "tue": ["09:00-17:00"]});
    assert_eq!(set(&served, &json!({"zone": "UTC", "week": week, "quiet": quiet})).0, 200);
    let because = served.get("/v1/tasks/one")["because"].to_string();
    assert!(because.contains("eve is outside its working hours until 20"), "{because}");
}

#[test]
fn hours_that_are_none_are_refused_with_their_field() {
    let served = begin();
    let week = json!({"mon": ["09:00-17:00"]});
    let refused = [
        (json!({"zone": "Mars/Olympus", "week": week}), "zone", "a time zone of the IANA database"),
        (json!({"zone": "UTC", "week": {"monday": ["09:00-17:00"]}}), "week", "mon, tue"),
        (json!({"zone": "UTC", "week": {"mon": ["9-17"]}}), "week.mon", "a shift such as 09:00-17:00"),
        (json!({"zone": "UTC", "week": {"mon": ["17:00-09:00"]}}), "week", "begin before they end"),
        (json!({"zone": "UTC", "week": {"mon": ["09:00-12:00", "11:00-13:00"]}}), "week", "do not overlap"),
        (json!({"zone": "UTC", "week": {}}), "week", "1 to 42 shifts"),
        (
            json!({"zone": "UTC", "week": week, "quiet": [{"from": "tomorrow", "to": "later"}]}),
            "quiet",
            "RFC 3339",
        ),
    ];
    for (hours, field, words) in refused {
        let (status, problem) = set(&served, &hours);
        assert_eq!((status, &problem["field"]), (400, &json!(field)), "{problem}");
        assert!(problem.to_string().contains(words), "{problem}");
    }
    let (status, problem) =
        served.ask("PUT", "/v1/agents/nobody/hours", &json!({"zone": "UTC", "week": week}));
    assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{problem}");
    assert_eq!(served.get("/v1/agents/eve")["hours"], Value::Null);
}
