//! What agents want leave for, over HTTP: asked, shown, answered by a person.

use crate::served::Served;
use serde_json::{Value, json};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn begun(served: &Served) -> Value {
    for (name, role, kind) in
        [("ada", "developer", "agent"), ("bob", "developer", "agent"), ("olga", "owner", "person")]
    {
        served.post("/v1/agents", &json!({"name": name, "role": role, "kind": kind}));
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
    let made = served.post("/v1/tasks", &json!({"title": "Mend it", "agent": "ada"}));
    served.post("/v1/tasks/T-1/start", &json!({"agent": "ada", "assignment": made["assignment"]}));
    made["assignment"].clone()
}

fn wanted(assignment: &Value, name: &str) -> Value {
    json!({
        "agent": "ada", "assignment": assignment, "name": name, "title": "remove the build", "kind": "execute",
        "detail": "command: rm -r target\npath: target",
        "options": [
            {"id": "no", "name": "No", "kind": "reject_once"},
            {"id": "always", "name": "Yes, always", "kind": "allow_always"},
            {"id": "once", "name": "Yes", "kind": "allow_once"},
        ],
    })
}

#[test]
fn a_person_sees_what_is_wanted_and_settles_it() {
    let served = Served::start();
    let assignment = begun(&served);
    for _ in 0..2 {
        served.post("/v1/tasks/T-1/permission", &wanted(&assignment, "0-1"));
    }
    let inbox = served.get("/v1/inbox?agent=olga");
    let item = &inbox["items"][0];
    assert_eq!((&inbox["total"], &item["matter"]), (&json!(1), &json!("permission_needed")), "{inbox}");
    let request = item["permission"]["request"].clone();
    assert!(request.as_str().is_some_and(|it| it.starts_with("P-")), "{item}");
    assert_eq!(item["permission"]["name"], "0-1");
    let answer = format!("kapell approve T-1 --request {}", request.as_str().unwrap_or_default());
    assert_eq!(item["answer"], json!(answer));
    assert!(item["detail"].as_str().is_some_and(|it| it.contains(request.as_str().unwrap_or("?"))), "{item}");
    assert_eq!(item["permission"]["detail"], "command: rm -r target\npath: target");
    let listed = served.get("/v1/permissions");
    assert_eq!(listed["items"], json!([served.get("/v1/tasks/T-1")["permission"]]), "{listed}");
    assert_eq!((&listed["items"][0]["state"], &listed["items"][0]["agent"]), (&json!("open"), &json!("ada")));
    let (status, refused) = served.ask("POST", "/v1/escalations/E-1/settle", &json!({"note": "fine"}));
    assert_eq!((status, &refused["code"]), (409, &json!("wrong_state")), "{refused}");
    // Whose word is not named could be about anything.
    let (status, refused) = served.ask("POST", "/v1/tasks/T-1/verdict", &json!({"verdict": "approve"}));
    assert_eq!((status, &refused["field"]), (400, &json!("request")), "{refused}");
    let word = json!({"verdict": "approve", "request": request, "option": "always"});
    for name in ["ada", "bob"] {
        let token = served.token("agent", Some(name));
        let (status, refused) =
            served.send("POST", "/v1/tasks/T-1/verdict", &token, &JSON, word.to_string().as_bytes());
        assert_eq!((status, &refused["code"]), (403, &json!("forbidden")), "{name}: {refused}");
    }

    let served = Served::on(served.stop());
    let olga = served.token("agent", Some("olga"));
    let (status, _) = served.send("POST", "/v1/tasks/T-1/verdict", &olga, &JSON, word.to_string().as_bytes());
    assert_eq!(status, 200);
    let said = served.get("/v1/tasks/T-1")["permission"].clone();
    assert_eq!(
        (&said["state"], &said["option"], &said["by"]),
        (&json!("allowed"), &json!("always"), &json!("olga")),
        "{said}"
    );
    assert_eq!(served.get("/v1/permissions")["items"], json!([]));
    assert_eq!(served.get("/v1/inbox?agent=olga")["total"], 0);
    let (status, refused) = served.ask("POST", "/v1/tasks/T-1/verdict", &word);
    assert_eq!((status, &refused["code"]), (409, &json!("wrong_state")), "{refused}");
    let events = served.get("/v1/events?task=T-1");
    let told = |it: &&Value| it["kind"].as_str().is_some_and(|kind| kind.starts_with("permission."));
    let told = events["events"].as_array().expect("events").iter().filter(told);
    assert!(told.clone().all(|it| it["data"]["request"] == request), "{events}");
    let kinds: Vec<&str> =
        events["events"].as_array().expect("events").iter().filter_map(|it| it["kind"].as_str()).collect();
    assert_eq!(kinds.iter().filter(|kind| kind.starts_with("permission.")).count(), 2, "{kinds:?}");
}

#[test]
fn any_person_finds_what_it_may_answer_and_the_task_says_what_it_waits_for() {
    let served = Served::start();
    let assignment = begun(&served);
    served.post("/v1/agents", &json!({"name": "kim", "role": "developer", "kind": "person"}));
    served.post("/v1/tasks/T-1/permission", &wanted(&assignment, "0-1"));
    let request =
        served.get("/v1/tasks/T-1")["permission"]["request"].as_str().expect("a request").to_owned();
    for (name, total) in [("olga", 1), ("kim", 1), ("bob", 0), ("ada", 0)] {
        let inbox = served.get(&format!("/v1/inbox?agent={name}"));
        assert_eq!(inbox["total"], total, "{name}: {inbox}");
    }
    let because = served.get("/v1/tasks/T-1")["because"].to_string();
    assert!(because.contains("waits for leave since 20"), "{because}");
    assert!(because.contains(&format!("({request}, execute): remove the build")), "{because}");
}

#[test]
fn a_word_about_what_was_read_goes_to_nothing_else_of_that_name() {
    let served = Served::start();
    let assignment = begun(&served);
    served.post("/v1/tasks/T-1/permission", &wanted(&assignment, "0-1"));
    let read = served.get("/v1/tasks/T-1")["permission"]["request"].clone();
    let mut next = wanted(&assignment, "0-1");
    next["title"] = json!("push");
    served.post("/v1/tasks/T-1/permission", &next);
    let word = json!({"verdict": "approve", "request": read});
    let (status, refused) = served.ask("POST", "/v1/tasks/T-1/verdict", &word);
    assert_eq!((status, &refused["code"]), (404, &json!("not_found")), "{refused}");
    let shown = served.get("/v1/tasks/T-1")["permission"].clone();
    assert_eq!((&shown["title"], &shown["state"]), (&json!("push"), &json!("open")), "{shown}");
    served.post("/v1/tasks/T-1/verdict", &json!({"verdict": "approve", "request": shown["request"]}));
    // Who takes it back goes by the answer.
    let back = json!({"agent": "ada", "assignment": assignment, "reason": "too late"});
    let (status, refused) = served.ask("POST", "/v1/tasks/T-1/permission/withdraw", &back);
    assert_eq!((status, &refused["code"]), (409, &json!("wrong_state")), "{refused}");
}

#[test]
fn what_is_withdrawn_or_over_waits_for_nobody() {
    let served = Served::start();
    let assignment = begun(&served);
    served.post("/v1/tasks/T-1/permission", &wanted(&assignment, "0-1"));
    let back = json!({"agent": "ada", "assignment": assignment, "reason": "it was restarted"});
    served.post("/v1/tasks/T-1/permission/withdraw", &back);
    assert_eq!(served.get("/v1/escalations")["items"][0]["note"], "withdrawn: it was restarted");
    served.post("/v1/tasks/T-1/permission", &wanted(&assignment, "0-2"));
    served.post("/v1/tasks/T-1/cancel", &json!({"reason": "not today"}));
    assert_eq!(served.get("/v1/permissions")["items"], json!([]));
    assert_eq!(served.get("/v1/inbox")["total"], 0);
    let (status, refused) = served.ask("POST", "/v1/tasks/T-1/permission", &wanted(&assignment, "0-3"));
    assert_eq!((status, &refused["code"]), (409, &json!("stale_assignment")), "{refused}");
}
