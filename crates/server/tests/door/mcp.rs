//! The Model Context Protocol at `/mcp`, spoken as its clients do: the era of sessions, and the one without.

use serde_json::{Value, json};

use crate::served::Served;

const ACCEPT: (&str, &str) = ("accept", "application/json, text/event-stream");
const JSON: (&str, &str) = ("content-type", "application/json");

/// Sends a message of the era before 2026-07-28 and returns its result.
fn asked(served: &Served, path: &str, token: &str, method: &str, params: &Value) -> Value {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let headers = [ACCEPT, JSON, ("mcp-protocol-version", "2025-11-25")];
    let (status, answer) = served.send("POST", path, token, &headers, message.to_string().as_bytes());
    assert_eq!(status, 200, "{method}: {answer}");
    answer
}

/// Calls a tool and returns whether it was refused, and its structured answer.
fn called(served: &Served, token: &str, tool: &str, arguments: &Value) -> (bool, Value) {
    let params = json!({"name": tool, "arguments": arguments});
    let answer = asked(served, "/mcp", token, "tools/call", &params);
    let result = &answer["result"];
    assert!(result["content"][0]["text"].is_string(), "{answer}");
    (result["isError"] == true, result["structuredContent"].clone())
}

fn well(served: &Served, token: &str, tool: &str, arguments: &Value) -> Value {
    let (refused, answer) = called(served, token, tool, arguments);
    assert!(!refused, "{tool}: {answer}");
    answer
}

#[test]
fn an_agent_joins_works_restarts_and_resumes() {
    let served = Served::start();
    let admin = served.admin.clone();
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let opened = asked(&served, "/mcp", &admin, "initialize", &hello);
    assert_eq!(opened["result"]["protocolVersion"], "2025-11-25", "{opened}");

    let joined = well(&served, &admin, "join", &json!({"name": "ada", "capabilities": ["rust=0.9"]}));
    let handle = joined["handle"].clone();
    assert_eq!(joined["assignments"], json!([]));
    let none = well(&served, &admin, "next", &json!({"handle": handle, "wait_seconds": 0}));
    assert_eq!(none["assignments"], json!([]));
    served.post("/v1/tasks", &json!({"title": "Mend it", "requires": [{"capability": "rust"}]}));
    let handed = well(&served, &admin, "next", &json!({"handle": handle, "wait_seconds": 30}));
    let (task, assignment) = (&handed["assignments"][0]["task"], &handed["assignments"][0]["assignment"]);
    assert_eq!(task, "T-1");
    let begun = json!({"handle": handle, "task": task, "assignment": assignment, "percent": 10});
    assert_eq!(well(&served, &admin, "progress", &begun)["state"], "in_progress");

    // A new connection, even a new server: the same agent has the same handle and its work.
    let served = Served::on(served.stop());
    let again = well(&served, &admin, "join", &json!({"name": "ada"}));
    assert_eq!(again["handle"], handle);
    assert_eq!(&again["assignments"][0]["task"], task);
    let done =
        json!({"handle": handle, "task": task, "assignment": assignment, "result": "mended, tests pass"});
    assert_eq!(well(&served, &admin, "done", &done)["state"], "completed");
    assert_eq!(served.get("/v1/tasks/T-1")["result"], "mended, tests pass");
    assert_eq!(well(&served, &admin, "why", &json!({"task": "T-1"}))["state"], "completed");
}

#[test]
fn what_is_reserved_is_held_in_the_mode_that_was_asked_for() {
    let served = Served::start();
    let admin = served.admin.clone();
    let handle = well(&served, &admin, "join", &json!({"name": "ada"}))["handle"].clone();
    let wanted = |more: &Value| {
        let mut all = json!({"handle": handle, "resources": ["path:src/**"]});
        all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        all
    };
    for (more, mode) in [
        (json!({}), "exclusive"),
        (json!({"shared": true}), "shared"),
        (json!({"reads": true}), "reads"),
        (json!({"reads": true, "shared": false}), "reads"),
    ] {
        let given = well(&served, &admin, "reserve", &wanted(&more))["reservation"].clone();
        let held = served.get("/v1/reservations")["items"].clone();
        let ours = held.as_array().expect("a list").iter().find(|it| it["id"] == given).expect("it is held");
        assert_eq!(ours["resources"], json!([{"resource": "path:src/**", "mode": mode}]), "{more}");
    }
    let (refused, problem) =
        called(&served, &admin, "reserve", &wanted(&json!({"reads": true, "shared": true})));
    assert!(refused && problem["field"] == "reads", "{problem}");
}

#[test]
fn what_an_agent_has_used_is_counted_by_its_reports() {
    let served = Served::start();
    let admin = served.admin.clone();
    let joined = well(&served, &admin, "join", &json!({"name": "ada"}));
    let limit =
        json!({"of": "agent", "name": "ada", "budget": {"total": {"money_micros": {"hard": 400_000}}}});
    assert_eq!(served.ask("PUT", "/v1/budgets", &limit).0, 200);
    served.post("/v1/tasks", &json!({"title": "Mend it"}));
    let handed = well(&served, &admin, "next", &json!({"handle": joined["handle"], "wait_seconds": 30}));
    let (task, assignment) = (&handed["assignments"][0]["task"], &handed["assignments"][0]["assignment"]);
    let report = |usage: Value| json!({"handle": joined["handle"], "task": task, "assignment": assignment, "usage": usage});
    for wrong in [json!([]), json!([1, 2, 3, 4]), json!({"tokens": 1}), json!({"output_tokens": -1})] {
        let (refused, problem) = called(&served, &admin, "progress", &report(wrong));
        assert!(refused && problem["field"].as_str().is_some_and(|it| it.starts_with("usage")), "{problem}");
    }
    let used = json!({"input_tokens": 100, "cached_tokens": 0, "output_tokens": 20, "money_micros": 250_000});
    well(
        &served,
        &admin,
        "progress",
        &report(json!({"input_tokens": 100, "output_tokens": 20, "money_micros": 250_000})),
    );
    assert_eq!(served.get("/v1/costs")["agents"][0]["total"], used);
    let mut done = report(json!({"input_tokens": 150, "output_tokens": 30, "money_micros": 400_000}));
    done["result"] = json!("mended");
    assert_eq!(well(&served, &admin, "done", &done)["state"], "completed");
    let total =
        json!({"input_tokens": 150, "cached_tokens": 0, "output_tokens": 30, "money_micros": 400_000});
    assert_eq!(served.get("/v1/tasks/T-1")["cost"]["standing"]["total"], total);
    let closed = served.get("/v1/costs");
    assert_eq!(
        (&closed["closed"][0]["name"], &closed["closed"][0]["state"]),
        (&json!("ada"), &json!("reached"))
    );
}

#[test]
fn a_client_of_the_era_without_sessions_is_served_by_the_same_handler() {
    let served = Served::start();
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let ask = |method: &str, name: Option<&str>, params: Value| {
        let mut params = params;
        params["_meta"] = meta.clone();
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
        let mut headers = vec![ACCEPT, JSON, ("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
        headers.extend(name.map(|name| ("mcp-name", name)));
        let bytes = message.to_string();
        let (status, answer) = served.send("POST", "/mcp", &served.admin, &headers, bytes.as_bytes());
        assert_eq!(status, 200, "{method}: {answer}");
        answer["result"].clone()
    };
    let found = ask("server/discover", None, json!({}));
    assert!(
        found["supportedVersions"].as_array().is_some_and(|all| all.contains(&json!("2026-07-28"))),
        "{found}"
    );
    let listed = ask("tools/list", None, json!({}));
    assert!(listed["ttlMs"].is_u64() && listed["cacheScope"].is_string(), "{listed}");
    let joined = ask("tools/call", Some("join"), json!({"name": "join", "arguments": {"name": "bob"}}));
    assert_eq!(joined["structuredContent"]["agent"], "bob", "{joined}");
}

#[test]
fn the_tiers_grow_and_keep_their_order() {
    let served = Served::start();
    let names = |path: &str| -> Vec<String> {
        let listed = asked(&served, path, &served.admin, "tools/list", &json!({}));
        let tools = listed["result"]["tools"].as_array().expect("tools").clone();
        tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
    };
    let (core, standard, all) = (names("/mcp"), names("/mcp?tools=standard"), names("/mcp?tools=all"));
    assert_eq!(core, ["join", "next", "progress", "done", "fail", "reserve", "message", "why"]);
    assert_eq!(standard[..core.len()], core);
    assert_eq!(all[..standard.len()], standard);
    assert_eq!(names("/mcp"), core);
}

#[test]
fn refusals_say_what_to_do() {
    let served = Served::start();
    let own = served.token("agent", Some("eve"));
    let (refused, problem) = called(&served, &own, "join", &json!({"name": "eve"}));
    assert!(
        refused && problem["hint"].as_str().is_some_and(|hint| hint.contains("kapell agent add eve")),
        "{problem}"
    );
    served.post("/v1/agents", &json!({"name": "eve"}));
    let handle = well(&served, &own, "join", &json!({"name": "eve"}))["handle"].clone();
    // The handle of one token is nothing under another.
    let (refused, problem) =
        called(&served, &served.admin, "next", &json!({"handle": handle, "wait_seconds": 0}));
    assert!(refused && problem["field"] == "handle", "{problem}");
    let (refused, problem) = called(&served, &own, "next", &json!({"handle": handle, "wait_seconds": 31}));
    assert!(refused && problem["allowed"] == "0 to 30", "{problem}");
    let (refused, problem) = called(&served, &own, "next", &json!({"handle": handle, "wait": 1}));
    assert!(
        refused && problem["detail"].as_str().is_some_and(|text| text.contains("unknown field")),
        "{problem}"
    );
    served.post("/v1/tasks", &json!({"title": "x"}));
    let late = json!({"handle": handle, "task": "T-1", "assignment": "A-99", "result": "x"});
    let (refused, problem) = called(&served, &own, "done", &late);
    assert!(refused && problem["code"] == "stale_assignment", "{problem}");
    // An agent cannot speak as another: not by a handle, for its token is its own.
    served.post("/v1/agents", &json!({"name": "bob"}));
    let (refused, problem) = called(&served, &own, "join", &json!({"name": "bob"}));
    assert!(refused && problem["code"] == "forbidden", "{problem}");
}

#[test]
fn strangers_stay_outside() {
    let served = Served::start();
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}).to_string();
    let send = |token: &str, more: (&str, &str)| {
        served.send("POST", "/mcp", token, &[ACCEPT, JSON, more], message.as_bytes())
    };
    assert_eq!(send("kpl_wrong", ("x-nothing", "1")).0, 401);
    assert_eq!(send(&served.admin, ("origin", "http://evil.example")).0, 403);
    assert_eq!(send(&served.admin, ("origin", "null")).0, 403);
    assert_eq!(send(&served.admin, ("origin", "http://localhost:3000")).0, 403);
    assert_eq!(send(&served.admin, ("origin", &served.base)).0, 200);
    assert_eq!(send(&served.admin, ("host", "evil.example")).0, 403);
    assert_eq!(send(&served.admin, ("host", "rooms.lan")).0, 200, "a name that the server was given");
    let described = served.get("/.well-known/oauth-protected-resource/mcp");
    assert_eq!(described["resource"], format!("{}/mcp", served.base));
}

#[test]
fn resources_and_prompts_are_there() {
    let served = Served::start();
    let admin = served.admin.clone();
    served.post("/v1/tasks", &json!({"title": "First", "description": "```\n# not a heading"}));
    let ask = |method: &str, params: Value| asked(&served, "/mcp", &admin, method, &params);
    let board = ask("resources/read", json!({"uri": "kapell://board"}));
    assert!(
        board["result"]["contents"][0]["text"].as_str().is_some_and(|text| text.contains("First")),
        "{board}"
    );
    let package = ask("resources/read", json!({"uri": "kapell://task/T-1/package"}));
    let text = package["result"]["contents"][0]["text"].as_str().expect("a text").to_owned();
    assert!(
        text.starts_with("# T-1\n")
            && text.contains("```text\nFirst\n```\n")
            && text.contains("````text\n```\n"),
        "{text}"
    );
    for uri in ["kapell://task/T-9", "kapell://else", "kapell://task/T-1/else"] {
        assert!(ask("resources/read", json!({"uri": uri}))["error"]["code"].is_i64(), "{uri}");
    }
    let prompt = ask("prompts/get", json!({"name": "join", "arguments": {"name": "ada"}}));
    assert!(
        prompt["result"]["messages"][0]["content"]["text"]
            .as_str()
            .is_some_and(|text| text.contains("`ada`"))
    );
    assert_eq!(ask("prompts/get", json!({"name": "join"}))["error"]["code"], -32602);
}

/// Calls a tool of any tier.
fn of_all(served: &Served, tool: &str, arguments: &Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    let answer = asked(served, "/mcp?tools=all", &served.admin, "tools/call", &params);
    assert!(answer["result"]["isError"] != true, "{tool}: {answer}");
    answer["result"]["structuredContent"].clone()
}

#[test]
fn agents_judge_check_dispute_order_and_take_tasks_apart() {
    let served = Served::start();
    let joined = |name: &str| of_all(&served, "join", &json!({"name": name}))["handle"].clone();
    let (ada, bob) = (joined("ada"), joined("bob"));
    let gates = json!([{"kind": "command", "command": "true"}, {"kind": "review"}]);
    served.post("/v1/tasks", &json!({"title": "Mend it", "agent": "ada", "gates": gates}));
    let handed = of_all(&served, "next", &json!({"handle": ada, "wait_seconds": 0}));
    let assignment = handed["assignments"][0]["assignment"].clone();
    let done = json!({"handle": ada, "task": "T-1", "assignment": assignment, "result": "mended"});
    assert_eq!(of_all(&served, "done", &done)["state"], "waiting");
    let check = json!({"handle": ada, "task": "T-1", "exit_code": 0, "digest": "sha256:0"});
    assert_eq!(of_all(&served, "check", &check)["state"], "in_review");
    let verdict = json!({"handle": bob, "task": "T-1", "verdict": "approve", "score": 0.9});
    assert_eq!(of_all(&served, "verdict", &verdict)["state"], "completed");

    served.post("/v1/tasks", &json!({"title": "Whose", "agent": "ada"}));
    let dispute = json!({"handle": bob, "task": "T-2", "reason": "I began it"});
    assert!(of_all(&served, "dispute", &dispute)["conflict"].is_string());
    assert_eq!(served.get("/v1/conflicts?kind=task_dispute")["items"].as_array().map(Vec::len), Some(1));

    for title in ["Late", "Early"] {
        served.post("/v1/tasks", &json!({"title": title, "key": title, "role": "nobody"}));
    }
    of_all(&served, "order", &json!({"first": "Early", "then": "Late", "reason": "it is read there"}));
    assert_eq!(served.get("/v1/orders")["items"].as_array().map(Vec::len), Some(1));
    of_all(
        &served,
        "prioritise",
        &json!({"task": "Late", "priority": "high", "reason": "a customer waits", "handle": ada}),
    );
    assert_eq!(served.get("/v1/tasks/Late/breakdown")["needed"], false);

    served.post("/v1/tasks", &json!({"title": "Large", "key": "large", "role": "nobody"}));
    served.post("/v1/agents", &json!({"name": "eve", "role": "architect"}));
    let eve = joined("eve");
    assert_eq!(of_all(&served, "break_down", &json!({"task": "large"}))["state"], "archived");
    let planning =
        of_all(&served, "next", &json!({"handle": eve, "wait_seconds": 0}))["assignments"][0].clone();
    let parts = json!([{"title": "the store", "description": "Done when it holds."}, {"title": "the door"}]);
    let plan = json!({"handle": eve, "task": planning["task"], "assignment": planning["assignment"], "components": parts});
    of_all(&served, "components", &plan);
    let done = json!({"handle": eve, "task": planning["task"], "assignment": planning["assignment"], "result": "planned"});
    of_all(&served, "done", &done);
    let breakdown = served.get("/v1/tasks/large/breakdown");
    assert_eq!(
        (&breakdown["into"][1]["title"], &breakdown["into"][2]["title"]),
        (&json!("the store"), &json!("the door"))
    );
}
