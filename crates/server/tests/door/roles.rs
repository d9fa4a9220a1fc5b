//! Who may do what: one row for each operation of the served OpenAPI document, tried with every sort of token.

use std::collections::BTreeSet;

use crate::served::Served;
use serde_json::{Value, json};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// Whom an operation is open to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// Everybody, without a token.
    Everybody,
    /// Every valid token.
    Tokens,
    /// The agent that it names, managers and admins.
    Itself,
    /// Managers and admins; an agent only where it owns the task in question, which ada does not here.
    Managers,
    /// Admins.
    Admins,
}

use For::{Admins, Everybody, Itself, Managers, Tokens};

/// Method, path of the document, whom it is open to, the path that is tried, its body.
const TABLE: &[(&str, &str, For, &str, &str)] = &[
    ("GET", "/v1/health", Everybody, "/v1/health", ""),
    ("GET", "/v1/errors/{code}", Everybody, "/v1/errors/busy", ""),
    ("GET", "/v1/status", Tokens, "/v1/status", ""),
    ("GET", "/v1/report", Tokens, "/v1/report", ""),
    ("POST", "/v1/report", Managers, "/v1/report", ""),
    ("GET", "/v1/policy", Tokens, "/v1/policy", ""),
    ("PUT", "/v1/policy", Managers, "/v1/policy", "POLICY"),
    ("GET", "/v1/projects", Tokens, "/v1/projects", ""),
    ("POST", "/v1/projects", Managers, "/v1/projects", r#"{"name":"web"}"#),
    ("GET", "/v1/projects/{project}/forecast", Tokens, "/v1/projects/none/forecast", ""),
    ("POST", "/v1/projects/{project}/forecast", Managers, "/v1/projects/none/forecast", "{}"),
    ("GET", "/v1/emergencies", Tokens, "/v1/emergencies", ""),
    (
        "POST",
        "/v1/emergencies",
        Managers,
        "/v1/emergencies",
        r#"{"kind":"critical_task_failure","task":"none","reason":"r"}"#,
    ),
    ("GET", "/v1/emergencies/{emergency}", Tokens, "/v1/emergencies/X-9", ""),
    ("POST", "/v1/emergencies/{emergency}/end", Managers, "/v1/emergencies/X-9/end", r#"{"reason":"r"}"#),
    ("GET", "/v1/forces", Tokens, "/v1/forces", ""),
    ("POST", "/v1/forces", Managers, "/v1/forces", r#"{"task":"none"}"#),
    ("GET", "/v1/forces/{force}", Tokens, "/v1/forces/F-9", ""),
    ("POST", "/v1/forces/{force}/disband", Managers, "/v1/forces/F-9/disband", r#"{"reason":"r"}"#),
    ("GET", "/v1/capabilities", Tokens, "/v1/capabilities", ""),
    ("PUT", "/v1/capabilities/{capability}", Managers, "/v1/capabilities/lisp", r#"{"aliases":["scheme"]}"#),
    ("DELETE", "/v1/capabilities/{capability}", Managers, "/v1/capabilities/lisp", ""),
    ("GET", "/v1/offers", Tokens, "/v1/offers", ""),
    ("POST", "/v1/offers/{offer}/accept", Managers, "/v1/offers/O-7/accept", "{}"),
    ("POST", "/v1/offers/{offer}/decline", Managers, "/v1/offers/O-7/decline", "{}"),
    ("GET", "/v1/escalations", Tokens, "/v1/escalations", ""),
    ("GET", "/v1/inbox", Tokens, "/v1/inbox", ""),
    (
        "POST",
        "/v1/escalations/{escalation}/acknowledge",
        Itself,
        "/v1/escalations/E-9/acknowledge",
        r#"{"agent":"ada"}"#,
    ),
    (
        "POST",
        "/v1/escalations/{escalation}/settle",
        Itself,
        "/v1/escalations/E-9/settle",
        r#"{"agent":"ada"}"#,
    ),
    ("GET", "/v1/session", Tokens, "/v1/session", ""),
    ("GET", "/v1/overview", Tokens, "/v1/overview", ""),
    ("GET", "/v1/board", Tokens, "/v1/board", ""),
    ("GET", "/v1/graph", Tokens, "/v1/graph", ""),
    ("GET", "/v1/timeline", Tokens, "/v1/timeline", ""),
    ("PATCH", "/v1/tasks/{task}", Managers, "/v1/tasks/two", r#"{"title":"renamed"}"#),
    ("GET", "/v1/cycles", Tokens, "/v1/cycles", ""),
    (
        "POST",
        "/v1/tasks/{task}/dependencies/{on}/restore",
        Managers,
        "/v1/tasks/two/dependencies/none/restore",
        "{}",
    ),
    ("GET", "/v1/agents", Tokens, "/v1/agents", ""),
    ("POST", "/v1/agents", Managers, "/v1/agents", r#"{"name":"eve","role":"developer"}"#),
    ("GET", "/v1/agents/{agent}", Tokens, "/v1/agents/ada", ""),
    ("DELETE", "/v1/agents/{agent}", Managers, "/v1/agents/nobody", ""),
    ("POST", "/v1/agents/{agent}/drain", Managers, "/v1/agents/bob/drain", ""),
    ("POST", "/v1/agents/{agent}/resume", Managers, "/v1/agents/bob/resume", ""),
    (
        "PUT",
        "/v1/agents/{agent}/hours",
        Managers,
        "/v1/agents/ada/hours",
        r#"{"zone":"UTC","week":{"mon":["09:00-17:00"]}}"#,
    ),
    ("DELETE", "/v1/agents/{agent}/hours", Managers, "/v1/agents/ada/hours", ""),
    ("POST", "/v1/agents/{agent}/heartbeat", Itself, "/v1/agents/ada/heartbeat", ""),
    ("POST", "/v1/agents/{agent}/leave", Itself, "/v1/agents/ada/leave", ""),
    ("POST", "/v1/agents/{agent}/next", Itself, "/v1/agents/ada/next", "{}"),
    ("GET", "/v1/agents/{agent}/assignments", Tokens, "/v1/agents/ada/assignments", ""),
    ("GET", "/v1/agents/{agent}/notices", Tokens, "/v1/agents/ada/notices", ""),
    ("POST", "/v1/agents/{agent}/notices/read", Itself, "/v1/agents/ada/notices/read", r#"{"up_to":"N-9"}"#),
    ("GET", "/v1/tasks", Tokens, "/v1/tasks", ""),
    ("POST", "/v1/tasks", Managers, "/v1/tasks", r#"{"title":"t"}"#),
    ("GET", "/v1/tasks/{task}", Tokens, "/v1/tasks/one", ""),
    ("POST", "/v1/tasks/{task}/cancel", Managers, "/v1/tasks/none/cancel", r#"{"reason":"no"}"#),
    ("POST", "/v1/tasks/{task}/reopen", Managers, "/v1/tasks/one/reopen", r#"{"reason":"again"}"#),
    ("POST", "/v1/tasks/{task}/assign", Managers, "/v1/tasks/two/assign", r#"{"agent":"ada"}"#),
    ("POST", "/v1/tasks/{task}/move", Managers, "/v1/tasks/two/move", r#"{"agent":"ada"}"#),
    ("POST", "/v1/tasks/{task}/claim", Itself, "/v1/tasks/two/claim", r#"{"agent":"ada"}"#),
    (
        "POST",
        "/v1/tasks/{task}/dispute",
        Itself,
        "/v1/tasks/two/dispute",
        r#"{"agent":"ada","reason":"it is mine"}"#,
    ),
    (
        "POST",
        "/v1/tasks/{task}/priority",
        Itself,
        "/v1/tasks/two/priority",
        r#"{"agent":"ada","priority":"medium","reason":"so"}"#,
    ),
    ("GET", "/v1/bottlenecks", Tokens, "/v1/bottlenecks", ""),
    ("GET", "/v1/orders", Tokens, "/v1/orders", ""),
    (
        "POST",
        "/v1/orders",
        Itself,
        "/v1/orders",
        r#"{"first":"one","then":"none","agent":"ada","reason":"so"}"#,
    ),
    ("POST", "/v1/orders/drop", Itself, "/v1/orders/drop", r#"{"first":"one","then":"none","agent":"ada"}"#),
    ("POST", "/v1/tasks/{task}/analyse", Managers, "/v1/tasks/two/analyse", ""),
    ("GET", "/v1/tasks/{task}/offers", Tokens, "/v1/tasks/one/offers", ""),
    ("GET", "/v1/tasks/{task}/dependencies", Tokens, "/v1/tasks/one/dependencies", ""),
    ("POST", "/v1/tasks/{task}/dependencies", Managers, "/v1/tasks/two/dependencies", r#"{"on":"none"}"#),
    ("DELETE", "/v1/tasks/{task}/dependencies/{on}", Managers, "/v1/tasks/two/dependencies/none", ""),
    ("GET", "/v1/tasks/{task}/why", Tokens, "/v1/tasks/one/why", ""),
    ("GET", "/v1/tasks/{task}/why-not/{agent}", Tokens, "/v1/tasks/one/why-not/ada", ""),
    ("POST", "/v1/tasks/{task}/start", Itself, "/v1/tasks/two/start", REPORT),
    ("POST", "/v1/tasks/{task}/progress", Itself, "/v1/tasks/two/progress", REPORT),
    ("POST", "/v1/tasks/{task}/done", Itself, "/v1/tasks/two/done", REPORT),
    (
        "POST",
        "/v1/tasks/{task}/fail",
        Itself,
        "/v1/tasks/two/fail",
        r#"{"agent":"ada","assignment":"A-9","reason":"no"}"#,
    ),
    ("POST", "/v1/tasks/{task}/release", Itself, "/v1/tasks/two/release", REPORT),
    ("GET", "/v1/messages", Tokens, "/v1/messages", ""),
    ("POST", "/v1/messages", Itself, "/v1/messages", r#"{"from":"ada","to":"bob","text":"hello"}"#),
    ("GET", "/v1/messages/{message}", Tokens, "/v1/messages/M-99", ""),
    ("POST", "/v1/messages/{message}/ack", Itself, "/v1/messages/M-99/ack", r#"{"agent":"ada"}"#),
    ("GET", "/v1/agents/{agent}/messages", Tokens, "/v1/agents/ada/messages", ""),
    (
        "POST",
        "/v1/agents/{agent}/messages/read",
        Itself,
        "/v1/agents/ada/messages/read",
        r#"{"up_to":"M-99"}"#,
    ),
    ("GET", "/v1/channels", Tokens, "/v1/channels", ""),
    ("POST", "/v1/channels", Itself, "/v1/channels", r#"{"name":"web","members":["ada"]}"#),
    ("POST", "/v1/channels/{channel}/join", Itself, "/v1/channels/web/join", r#"{"agent":"ada"}"#),
    ("POST", "/v1/channels/{channel}/leave", Itself, "/v1/channels/web/leave", r#"{"agent":"ada"}"#),
    ("GET", "/v1/handoffs", Tokens, "/v1/handoffs", ""),
    ("GET", "/v1/handoffs/{handoff}", Tokens, "/v1/handoffs/H-99", ""),
    ("POST", "/v1/tasks/{task}/handoff", Itself, "/v1/tasks/two/handoff", REPORT),
    ("POST", "/v1/tasks/{task}/handoff/package", Itself, "/v1/tasks/two/handoff/package", REPORT),
    (
        "POST",
        "/v1/tasks/{task}/handoff/confirm",
        Itself,
        "/v1/tasks/two/handoff/confirm",
        r#"{"agent":"ada"}"#,
    ),
    (
        "POST",
        "/v1/tasks/{task}/handoff/decline",
        Itself,
        "/v1/tasks/two/handoff/decline",
        r#"{"agent":"ada","reason":"no"}"#,
    ),
    (
        "POST",
        "/v1/tasks/{task}/handoff/cancel",
        Itself,
        "/v1/tasks/two/handoff/cancel",
        r#"{"agent":"ada","reason":"no"}"#,
    ),
    ("GET", "/v1/reservations", Tokens, "/v1/reservations", ""),
    (
        "POST",
        "/v1/reservations",
        Itself,
        "/v1/reservations",
        r#"{"agent":"ada","resources":[{"resource":"env:a"}]}"#,
    ),
    ("GET", "/v1/reservations/{reservation}", Tokens, "/v1/reservations/R-99", ""),
    (
        "POST",
        "/v1/reservations/{reservation}/renew",
        Itself,
        "/v1/reservations/R-99/renew",
        r#"{"agent":"ada"}"#,
    ),
    (
        "POST",
        "/v1/reservations/{reservation}/release",
        Itself,
        "/v1/reservations/R-99/release",
        r#"{"agent":"ada"}"#,
    ),
    ("GET", "/v1/conflicts", Tokens, "/v1/conflicts", ""),
    ("GET", "/v1/conflicts/{conflict}", Tokens, "/v1/conflicts/C-99", ""),
    (
        "POST",
        "/v1/decisions",
        Itself,
        "/v1/decisions",
        r#"{"agent":"ada","topic":"which way","capability":"rust"}"#,
    ),
    (
        "POST",
        "/v1/conflicts/{conflict}/proposals",
        Itself,
        "/v1/conflicts/C-99/proposals",
        r#"{"agent":"ada","option":"left","reasons":"shorter"}"#,
    ),
    (
        "POST",
        "/v1/conflicts/{conflict}/rule",
        Itself,
        "/v1/conflicts/C-99/rule",
        r#"{"agent":"ada","option":"left","reason":"shorter"}"#,
    ),
    (
        "POST",
        "/v1/conflicts/{conflict}/withdraw",
        Itself,
        "/v1/conflicts/C-99/withdraw",
        r#"{"agent":"ada","reason":"settled"}"#,
    ),
    ("POST", "/v1/tasks/{task}/breakdown", Managers, "/v1/tasks/T-99/breakdown", "{}"),
    ("GET", "/v1/tasks/{task}/breakdown", Tokens, "/v1/tasks/T-99/breakdown", ""),
    (
        "POST",
        "/v1/tasks/{task}/components",
        Itself,
        "/v1/tasks/T-99/components",
        r#"{"agent":"ada","assignment":"A-1","components":[{"title":"x"}]}"#,
    ),
    ("GET", "/v1/gates", Tokens, "/v1/gates", ""),
    (
        "POST",
        "/v1/tasks/{task}/verdict",
        Itself,
        "/v1/tasks/T-99/verdict",
        r#"{"agent":"ada","verdict":"approve"}"#,
    ),
    (
        "POST",
        "/v1/tasks/{task}/check",
        Itself,
        "/v1/tasks/T-99/check",
        r#"{"agent":"ada","exit_code":0,"digest":"sha256:0"}"#,
    ),
    ("GET", "/v1/permissions", Tokens, "/v1/permissions", ""),
    (
        "POST",
        "/v1/tasks/{task}/permission",
        Itself,
        "/v1/tasks/T-99/permission",
        r#"{"agent":"ada","assignment":"A-1","name":"1","title":"x","kind":"execute","options":[{"id":"a","name":"","kind":"allow_once"}]}"#,
    ),
    (
        "POST",
        "/v1/tasks/{task}/permission/withdraw",
        Itself,
        "/v1/tasks/T-99/permission/withdraw",
        r#"{"agent":"ada","assignment":"A-1"}"#,
    ),
    ("GET", "/v1/budgets", Tokens, "/v1/budgets", ""),
    ("PUT", "/v1/budgets", Managers, "/v1/budgets", r#"{"of":"fleet"}"#),
    ("GET", "/v1/costs", Tokens, "/v1/costs", ""),
    (
        "POST",
        "/v1/tasks/{task}/usage",
        Itself,
        "/v1/tasks/T-99/usage",
        r#"{"agent":"ada","assignment":"A-9","usage":{}}"#,
    ),
    ("GET", "/v1/events", Tokens, "/v1/events", ""),
    ("GET", "/v1/events/stream", Tokens, "/v1/events/stream?after=none", ""),
    // Its lines are judged one by one: see `a_line_of_a_bulk_has_the_rights_of_its_token`.
    ("POST", "/v1/bulk", Tokens, "/v1/bulk", "BULK"),
    ("GET", "/v1/tokens", Admins, "/v1/tokens", ""),
    ("POST", "/v1/tokens", Admins, "/v1/tokens", r#"{"access":"viewer"}"#),
    ("POST", "/v1/tokens/{id}/rotate", Admins, "/v1/tokens/9999/rotate", "{}"),
    ("DELETE", "/v1/tokens/{id}", Admins, "/v1/tokens/9999", ""),
    ("GET", "/v1/webhooks", Managers, "/v1/webhooks", ""),
    ("POST", "/v1/webhooks", Managers, "/v1/webhooks", r#"{"name":"log","url":"ftp://example.org"}"#),
    ("DELETE", "/v1/webhooks/{webhook}", Managers, "/v1/webhooks/none", ""),
    ("POST", "/v1/webhooks/{webhook}/rotate", Managers, "/v1/webhooks/none/rotate", "{}"),
    ("POST", "/v1/webhooks/{webhook}/test", Managers, "/v1/webhooks/none/test", ""),
    ("POST", "/v1/webhooks/{webhook}/resume", Managers, "/v1/webhooks/none/resume", ""),
    ("GET", "/v1/webhooks/{webhook}/dead", Managers, "/v1/webhooks/none/dead", ""),
    ("POST", "/v1/webhooks/{webhook}/retry", Managers, "/v1/webhooks/none/retry", "{}"),
    ("POST", "/v1/webhooks/{webhook}/discard", Managers, "/v1/webhooks/none/discard", "{}"),
];

const REPORT: &str = r#"{"agent":"ada","assignment":"A-9"}"#;

fn team(served: &Served) {
    for name in ["ada", "bob"] {
        served.post("/v1/agents", &json!({"name": name, "role": "developer"}));
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
    served.post("/v1/tasks", &json!({"title": "first", "key": "one"}));
    served.post("/v1/tasks", &json!({"title": "second", "key": "two", "depends_on": ["one"]}));
}

#[test]
fn every_operation_of_the_document_has_its_row() {
    let document: Value = serde_json::from_str(&kapell_server::openapi()).expect("JSON");
    let mut served = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let open = operation["security"] == json!([{}]);
            served.insert((method.to_uppercase(), path.clone(), open));
        }
    }
    let rows: BTreeSet<_> = TABLE
        .iter()
        .map(|(method, path, whom, _, _)| ((*method).to_owned(), (*path).to_owned(), *whom == Everybody))
        .collect();
    assert_eq!(rows.len(), TABLE.len(), "a row stands twice");
    let missing: Vec<_> = served.difference(&rows).collect();
    let stale: Vec<_> = rows.difference(&served).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "without a row: {missing:?}; only in the table: {stale:?}"
    );
}

#[test]
fn every_operation_is_open_to_those_of_its_row_and_nobody_else() {
    let served = Served::start();
    team(&served);
    let (manager, viewer) = (served.token("manager", None), served.token("viewer", None));
    let (ada, bob) = (served.token("agent", Some("ada")), served.token("agent", Some("bob")));
    let policy = served.get("/v1/policy").to_string();
    for (method, path, whom, tried, body) in TABLE {
        let (headers, body) = match *body {
            "POLICY" => (&JSON, policy.as_str()),
            "BULK" => (&[("content-type", "application/x-ndjson")], r#"{"heartbeat":{"agent":"ada"}}"#),
            body => (&JSON, body),
        };
        let rank = match whom {
            Everybody => 6,
            Tokens => 5,
            Itself => 3,
            Managers => 2,
            Admins => 1,
        };
        let who = [
            ("admin", served.admin.as_str()),
            ("manager", &manager),
            ("ada", &ada),
            ("bob", &bob),
            ("viewer", &viewer),
        ];
        for (index, (name, token)) in who.into_iter().enumerate() {
            let (status, answer) = served.send(method, tried, token, headers, body.as_bytes());
            let what = format!("{name}: {method} {path}: {status} {answer}");
            if index < rank {
                // What it may do it may also do wrongly: only "not you" is out of the question.
                assert!(!matches!(status, 401 | 403 | 405 | 415 | 500..), "{what}");
            } else {
                assert_eq!(status, 403, "{what}");
                assert_eq!(answer["code"], "forbidden", "{what}");
            }
        }
        for token in ["", "wrong", "kpl_0000000000000000000000000000000000000000000000000000000000000000"] {
            let (status, answer) = served.send(method, tried, token, headers, body.as_bytes());
            let wanted = if *whom == Everybody { 200 } else { 401 };
            assert_eq!(status, wanted, "token `{token}`: {method} {path}: {answer}");
        }
    }
}

#[test]
fn a_line_of_a_bulk_has_the_rights_of_its_token() {
    let served = Served::start();
    team(&served);
    let (ada, viewer) = (served.token("agent", Some("ada")), served.token("viewer", None));
    // Line, whether ada may.
    let table = [
        (r#"{"register":{"name":"eve","role":"developer"}}"#, false),
        (r#"{"submit":{"title":"t"}}"#, false),
        (r#"{"heartbeat":{"agent":"ada"}}"#, true),
        (r#"{"heartbeat":{"agent":"bob"}}"#, false),
        (r#"{"next":{"agent":"bob"}}"#, false),
        (r#"{"read":{"agent":"bob","up_to":"N-1"}}"#, false),
        (r#"{"start":{"task":"one","agent":"bob","assignment":"A-1"}}"#, false),
        (r#"{"progress":{"task":"one","agent":"bob","assignment":"A-1"}}"#, false),
        (r#"{"done":{"task":"one","agent":"bob","assignment":"A-1"}}"#, false),
        (r#"{"fail":{"task":"one","agent":"bob","assignment":"A-1","reason":"no"}}"#, false),
        (r#"{"release":{"task":"one","agent":"bob","assignment":"A-1"}}"#, false),
        (r#"{"reserve":{"agent":"bob","resources":[{"resource":"env:a"}]}}"#, false),
        (r#"{"renew_reservation":{"reservation":"R-1","agent":"bob"}}"#, false),
        (r#"{"release_reservation":{"reservation":"R-1","agent":"bob"}}"#, false),
    ];
    let lines: Vec<&str> = table.iter().map(|(line, _)| *line).collect();
    let ndjson = [("content-type", "application/x-ndjson")];
    for (token, is_ada) in [(&ada, true), (&viewer, false)] {
        let (status, text) =
            served.send_text("POST", "/v1/bulk", token, &ndjson, lines.join("\n").as_bytes());
        assert_eq!(status, 200, "{text}");
        let answers: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(answers.len(), table.len());
        for ((line, may), answer) in table.iter().zip(answers) {
            let refused = answer["error"]["code"] == "forbidden";
            assert_eq!(refused, !(*may && is_ada), "{line}: {answer}");
        }
    }
}

/// A valid agent that was talked into something: it has another's assignment, and says that it is its own.
#[test]
fn an_agent_acts_only_as_itself_and_only_on_what_it_owns() {
    let served = Served::start();
    team(&served);
    let owner = served.get("/v1/tasks/one")["owner"].as_str().expect("an owner").to_owned();
    let thief = if owner == "ada" { "bob" } else { "ada" };
    let (own, other) = (served.token("agent", Some(&owner)), served.token("agent", Some(thief)));
    let next = served.post(&format!("/v1/agents/{owner}/next"), &json!({}));
    let assignment = next["assignments"][0]["assignment"].clone();
    let before = served.get("/v1/tasks/one");
    for verb in ["start", "progress", "done", "fail", "release"] {
        for (name, wanted) in [(thief, 409), (owner.as_str(), 403)] {
            let mut body = json!({"agent": name, "assignment": assignment});
            if verb == "fail" {
                body["reason"] = json!("no");
            }
            let body = body.to_string();
            let path = format!("/v1/tasks/one/{verb}");
            let (status, answer) = served.send("POST", &path, &other, &JSON, body.as_bytes());
            assert_eq!(status, wanted, "{verb} as {name}: {answer}");
        }
    }
    let after = served.get("/v1/tasks/one");
    assert_eq!((&after["state"], &after["owner"]), (&before["state"], &before["owner"]));
    assert_eq!(after["result"], Value::Null, "another's word is no result");
    // A reservation of another is not renewed or released either.
    let held = json!({"agent": owner, "resources": [{"resource": "env:staging"}]}).to_string();
    let (status, held) = served.send("POST", "/v1/reservations", &own, &JSON, held.as_bytes());
    assert_eq!(status, 201, "{held}");
    let reservation = held["reservation"].as_str().expect("a reservation").to_owned();
    for verb in ["renew", "release"] {
        let path = format!("/v1/reservations/{reservation}/{verb}");
        let body = json!({"agent": thief}).to_string();
        let (status, answer) = served.send("POST", &path, &other, &JSON, body.as_bytes());
        assert_eq!((status, &answer["holder"]), (409, &json!(owner)), "{verb}: {answer}");
    }
    // A late result is settled by a manager or the present owner, never by who brought it or by another.
    let report = json!({"agent": owner, "assignment": assignment});
    for (verb, status) in [("start", 200), ("release", 200)] {
        let path = format!("/v1/tasks/one/{verb}");
        assert_eq!(
            served.send("POST", &path, &own, &JSON, report.to_string().as_bytes()).0,
            status,
            "{verb}"
        );
    }
    let _ = served.ask("POST", "/v1/tasks/one/assign", &json!({"agent": thief}));
    assert_eq!(served.get("/v1/tasks/one")["owner"], json!(thief));
    let late = json!({"agent": owner, "assignment": assignment, "result": "mine"}).to_string();
    let (status, answer) = served.send("POST", "/v1/tasks/one/done", &own, &JSON, late.as_bytes());
    assert_eq!(status, 409, "{answer}");
    let offer = answer["offer"].as_str().expect("an offer");
    let third = served.token("agent", Some("eve"));
    for verb in ["accept", "decline"] {
        let path = format!("/v1/offers/{offer}/{verb}");
        for token in [&own, &third] {
            assert_eq!(served.send("POST", &path, token, &JSON, b"{}").0, 403, "{verb}");
        }
    }
    assert_eq!(served.get("/v1/tasks/one")["result"], Value::Null);
    let path = format!("/v1/offers/{offer}/accept");
    let (status, answer) = served.send("POST", &path, &other, &JSON, b"{}");
    assert_eq!(status, 200, "{answer}");
    assert_eq!(served.get("/v1/tasks/one")["result"], "mine");
}
