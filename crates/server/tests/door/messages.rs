//! Messages and channels over HTTP.

use std::time::{Duration, Instant};

use crate::served::Served;
use serde_json::{Value, json};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn team(served: &Served) {
    for name in ["ada", "bram", "chidi"] {
        served.post("/v1/agents", &json!({"name": name, "role": "developer"}));
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
}

#[test]
fn a_message_comes_with_next_and_leaves_the_inbox_when_it_is_read_and_acknowledged() {
    let served = Served::start();
    team(&served);
    served.post("/v1/tasks", &json!({"title": "first", "key": "one", "priority": "low"}));
    let (ada, bram) = (served.token("agent", Some("ada")), served.token("agent", Some("bram")));
    let send = |token: &str, path: &str, body: &Value| {
        served.send("POST", path, token, &JSON, body.to_string().as_bytes())
    };
    let hello = json!({"from": "ada", "to": "bram", "text": "is the parser yours?", "task": "one"});
    let (status, ack) = send(&ada, "/v1/messages", &hello);
    assert_eq!((status, &ack["message"]), (201, &json!("M-1")), "{ack}");
    let urgent = json!({"from": "ada", "to": "bram", "text": "stop", "priority": "critical", "ack": true});
    send(&ada, "/v1/messages", &urgent);
    let next = served.post("/v1/agents/bram/next", &json!({"wait_ms": 20_000}));
    let ids = [&next["messages"][0]["id"], &next["messages"][1]["id"]];
    assert_eq!((ids, &next["messages_unread"]), ([&json!("M-2"), &json!("M-1")], &json!(2)), "{next}");
    let reply = json!({"from": "bram", "to": "ada", "text": "yes", "reply_to": "M-1"});
    assert_eq!(send(&bram, "/v1/messages", &reply).0, 201);
    assert_eq!(send(&bram, "/v1/agents/bram/messages/read", &json!({"up_to": "M-2"})).0, 200);
    let inbox = served.get("/v1/agents/bram/messages")["items"].clone();
    assert_eq!((inbox.as_array().map(Vec::len), &inbox[0]["id"]), (Some(1), &json!("M-2")), "{inbox}");
    assert_eq!(served.get("/v1/messages/M-2")["unread_by"], json!(["bram"]));
    assert_eq!(send(&bram, "/v1/messages/M-2/ack", &json!({"agent": "bram"})).0, 200);
    assert_eq!(served.get("/v1/agents/bram/messages")["items"], json!([]));
    let thread = served.get("/v1/messages?thread=M-1")["items"].clone();
    let texts: Vec<&Value> = thread.as_array().into_iter().flatten().map(|it| &it["text"]).collect();
    assert_eq!(texts, ["yes", "is the parser yours?"]);
    assert_eq!(served.get("/v1/messages?task=one")["items"][0]["id"], "M-1");
    let stands = |it: &Value| (it["to"].clone(), it["unread"].clone());
    let stands: Vec<_> = thread.as_array().into_iter().flatten().map(stands).collect();
    assert_eq!(stands, [(json!("ada"), json!(1)), (json!("bram"), json!(0))]);
}

#[test]
fn a_message_that_nobody_reads_is_sent_again_and_then_somebody_is_called() {
    let served = Served::start();
    team(&served);
    let mut policy = served.get("/v1/policy");
    policy["ack_ms"]["critical"] = json!(20);
    let (status, answer) = served.ask("PUT", "/v1/policy", &policy);
    assert_eq!(status, 200, "{answer}");
    served.post("/v1/messages", &json!({"to": "bram", "text": "stop", "priority": "critical"}));
    let patience = Instant::now() + Duration::from_secs(30);
    while served.get("/v1/escalations?state=open")["items"] == json!([]) {
        assert!(Instant::now() < patience, "nobody is called");
        std::thread::sleep(Duration::from_millis(10));
    }
    let called = served.get("/v1/escalations?state=open")["items"][0].clone();
    assert_eq!(
        (&called["kind"], &called["agent"]),
        (&json!("message_unanswered"), &json!("bram")),
        "{called}"
    );
    let kinds = served.get("/v1/events?limit=1000").to_string();
    assert!(kinds.contains("message.resent") && kinds.contains("message.escalated"), "{kinds}");
    served.post("/v1/agents/bram/messages/read", &json!({"up_to": "M-1"}));
    assert_eq!(served.get("/v1/escalations?state=open")["items"], json!([]), "it has read it by now");
}

#[test]
fn a_channel_reaches_its_other_members() {
    let served = Served::start();
    team(&served);
    served.post("/v1/channels", &json!({"name": "web", "members": ["ada", "bram"]}));
    served.post("/v1/channels/web/join", &json!({"agent": "chidi"}));
    served.post("/v1/messages", &json!({"from": "ada", "channel": "web", "text": "hello"}));
    for (agent, count) in [("ada", 0), ("bram", 1), ("chidi", 1)] {
        let inbox = served.get(&format!("/v1/agents/{agent}/messages"))["items"].clone();
        assert_eq!(inbox.as_array().map(Vec::len), Some(count), "{agent}: {inbox}");
    }
    served.post("/v1/channels/web/leave", &json!({"agent": "bram"}));
    let channel = served.get("/v1/channels")["items"][0].clone();
    assert_eq!((&channel["members"], &channel["sent"]), (&json!(["ada", "chidi"]), &json!(1)), "{channel}");
    let eve = served.token("agent", Some("bram"));
    let body = json!({"name": "own", "members": ["ada"]}).to_string();
    assert_eq!(served.send("POST", "/v1/channels", &eve, &JSON, body.as_bytes()).0, 403, "not its own");
}

#[test]
fn every_refusal_of_a_message_names_the_field_and_changes_nothing() {
    let served = Served::start();
    team(&served);
    let before = served.get("/v1/status")["position"].clone();
    let long = format!(r#"{{"to":"ada","text":"{}"}}"#, "x".repeat(4097));
    let table: &[(&str, &str, &str, &[&str])] = &[
        ("/v1/messages", r#"{"text":"hello"}"#, "bad_request", &["to", "either"]),
        ("/v1/messages", r#"{"to":"ada","channel":"web","text":"hello"}"#, "bad_request", &["to", "either"]),
        ("/v1/messages", r#"{"to":"ada","text":""}"#, "bad_request", &["text", "1 to"]),
        ("/v1/messages", &long, "bad_request", &["text", "4096"]),
        ("/v1/messages", r#"{"to":"eve","text":"hello"}"#, "not_found", &["eve"]),
        ("/v1/messages", r#"{"channel":"web","text":"hello"}"#, "not_found", &["channel", "web"]),
        ("/v1/messages", r#"{"from":"ada","to":"ada","text":"x"}"#, "bad_request", &["another agent"]),
        (
            "/v1/messages",
            r#"{"to":"ada","text":"x","priority":"now"}"#,
            "bad_request",
            &["priority", "critical"],
        ),
        ("/v1/messages", r#"{"to":"ada","text":"x","reply_to":"3"}"#, "bad_request", &["reply_to", "M-3"]),
        ("/v1/messages", r#"{"to":"ada","text":"x","reply_to":"M-3"}"#, "not_found", &["M-3"]),
        ("/v1/messages", r#"{"to":"ada","text":"x","task":"T-9"}"#, "not_found", &["T-9"]),
        ("/v1/messages/M-1/ack", r#"{"agent":"ada"}"#, "not_found", &["M-1"]),
        ("/v1/agents/ada/messages/read", r#"{"up_to":"M-1"}"#, "not_found", &["M-1"]),
        ("/v1/channels", r#"{"name":"a b"}"#, "bad_request", &["name"]),
        ("/v1/channels", r#"{"name":"web","members":["eve"]}"#, "not_found", &["eve"]),
        ("/v1/channels/web/join", r#"{"agent":"ada"}"#, "not_found", &["channel", "web"]),
    ];
    for (path, body, code, words) in table {
        let (_, problem) = served.send("POST", path, &served.admin, &JSON, body.as_bytes());
        assert_eq!(problem["code"], *code, "{path} {body}: {problem}");
        for word in *words {
            assert!(problem.to_string().contains(word), "{path}: `{word}` is missing in {problem}");
        }
    }
    assert_eq!(served.get("/v1/status")["position"], before, "nothing has changed");
}

#[test]
fn a_digest_ends_a_wait_that_single_messages_do_not() {
    let served = Served::start();
    team(&served);
    let mut policy = served.get("/v1/policy");
    policy["bottlenecks"]["period_ms"] = json!(10);
    policy["messages"]["digest_ms"] = json!(86_400_001_i64);
    let (status, refused) = served.ask("PUT", "/v1/policy", &policy);
    assert_eq!((status, &refused["field"]), (400, &json!("messages.digest_ms")), "{refused}");
    policy["messages"]["digest_ms"] = json!(1_500);
    assert_eq!(served.ask("PUT", "/v1/policy", &policy).0, 200);
    for _ in 0..20 {
        served.post("/v1/messages", &json!({"from": "ada", "to": "bram", "text": "hello"}));
    }
    let patience = Instant::now() + Duration::from_secs(30);
    let digests = || {
        let found = served.get("/v1/bottlenecks");
        let actions = found["items"][0]["actions"].as_array().cloned().unwrap_or_default();
        actions.iter().any(|action| action["kind"] == "digest")
    };
    while !digests() {
        assert!(Instant::now() < patience, "nobody finds that they talk much");
        std::thread::sleep(Duration::from_millis(10));
    }
    served.post("/v1/agents/bram/messages/read", &json!({"up_to": "M-20"}));
    let next = served.post("/v1/agents/bram/next", &json!({"wait_ms": 0}));
    assert_eq!(next.get("messages_unread"), None, "{next}");
    let read =
        next["notices"].as_array().and_then(|notices| notices.last()?["id"].as_str().map(str::to_owned));
    served.post("/v1/agents/bram/notices/read", &json!({"up_to": read.expect("they were told")}));
    served.post("/v1/messages", &json!({"from": "ada", "to": "bram", "text": "one"}));
    served.post("/v1/messages", &json!({"from": "ada", "to": "bram", "text": "two"}));
    assert_eq!(served.get("/v1/messages/M-21")["unread_by"], json!(["bram"]));
    let next = served.post("/v1/agents/bram/next", &json!({"wait_ms": 20_000}));
    let said = &next["messages"][0];
    assert_eq!(said["digest"], json!(["M-21", "M-22"]), "{next}");
    assert_eq!(said["text"], "digest of 2 messages:\nM-21 `ada`: one\nM-22 `ada`: two");
    assert_eq!(served.get("/v1/messages/M-21").get("unread_by"), None, "it has been read");
}
