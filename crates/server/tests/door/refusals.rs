//! Bad input at the HTTP door: every refusal says what, where and what is allowed, and nothing changes.

use crate::served::Served;
use serde_json::{Value, json};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn team(served: &Served) {
    served.post("/v1/agents", &json!({"name": "ada", "role": "developer", "capabilities": {"rust": 0.9}}));
    served.post("/v1/agents/ada/heartbeat", &json!({}));
    served.post("/v1/tasks", &json!({"title": "first", "key": "one"}));
    served.post("/v1/tasks", &json!({"title": "second", "key": "two", "depends_on": ["one"]}));
    served.post("/v1/tasks", &json!({"title": "third", "key": "three", "depends_on": ["two"]}));
    served.post("/v1/tasks", &json!({"title": "last", "key": "four", "depends_on": ["three"]}));
}

/// Holds a refusal to what every refusal says.
fn refused(served: &Served, (status, problem): (u16, Value), code: &str, words: &[&str], what: &str) {
    assert_eq!(problem["code"], code, "{what}: {problem}");
    assert_eq!(problem["status"], status, "{what}: {problem}");
    let text = problem.to_string();
    for word in words {
        assert!(text.contains(word), "{what}: `{word}` is missing in {text}");
    }
    let page = format!("/v1/errors/{code}");
    assert_eq!(problem["type"], page.as_str(), "{what}");
    let (status, page) = served.send_text("GET", &page, &served.admin, &[], &[]);
    assert!(status == 200 && page.starts_with(&format!("# {code}")), "{what}: {page}");
}

#[test]
fn every_refusal_names_the_field_and_changes_nothing() {
    let served = Served::start();
    team(&served);
    let before = served.get("/v1/status")["position"].clone();
    let long = "x".repeat(501);
    let long_type =
        format!(r#"{{"name":"x","url":"https://example.org","types":["kapell.task{}"]}}"#, "*".repeat(101));
    let deep = format!("{{\"title\":\"t\",\"source\":{}1{}}}", "{\"a\":".repeat(300), "}".repeat(300));
    let table: &[(&str, &str, &str, &str, &[&str])] = &[
        (
            "POST",
            "/v1/tasks",
            r#"{"title":"t","prioritty":"high"}"#,
            "bad_request",
            &["prioritty", "expected one of"],
        ),
        (
            "POST",
            "/v1/tasks",
            r#"{"title":"t","priority":"urgent"}"#,
            "bad_request",
            &["priority", "urgent", "critical, high, medium, low"],
        ),
        ("POST", "/v1/tasks", r#"{"title":""}"#, "bad_request", &["title", "1 to 500"]),
        ("POST", "/v1/tasks", r#"{"key":"t"}"#, "bad_request", &["missing field `title`"]),
        ("POST", "/v1/tasks", r#"{"title":"a","title":"b"}"#, "bad_request", &["duplicate field `title`"]),
        ("POST", "/v1/tasks", r#"{"title":"a"} {"title":"b"}"#, "bad_request", &["behind the JSON object"]),
        ("POST", "/v1/tasks", r#"{"title":"a"#, "bad_request", &["EOF"]),
        ("POST", "/v1/tasks", &format!("{{\"title\":\"{long}\"}}"), "bad_request", &["title", "500"]),
        ("POST", "/v1/tasks", r#"{"title":"bell \u0007"}"#, "bad_request", &["title", "control"]),
        ("POST", "/v1/tasks", r#"{"title":"t","key":"a b"}"#, "bad_request", &["key"]),
        ("POST", "/v1/tasks", r#"{"title":"t","key":"a\u0000b"}"#, "bad_request", &["key"]),
        ("POST", "/v1/tasks", r#"{"title":"t","key":"one"}"#, "duplicate", &["one"]),
        ("POST", "/v1/tasks", r#"{"title":"t","depends_on":["nobody"]}"#, "not_found", &["nobody"]),
        (
            "POST",
            "/v1/tasks",
            r#"{"title":"t","key":"self","depends_on":["self"]}"#,
            "bad_request",
            &["depends_on", "itself"],
        ),
        ("POST", "/v1/tasks", r#"{"title":"t","estimate_hours":1e999}"#, "bad_request", &["estimate_hours"]),
        (
            "POST",
            "/v1/tasks",
            r#"{"title":"t","estimate_hours":-1}"#,
            "bad_request",
            &["estimate_hours", "above 0"],
        ),
        ("POST", "/v1/tasks", r#"{"title":"t","complexity":9}"#, "bad_request", &["complexity", "1"]),
        (
            "POST",
            "/v1/tasks",
            r#"{"title":"t","deadline":"tomorrow"}"#,
            "bad_request",
            &["deadline", "RFC 3339"],
        ),
        (
            "POST",
            "/v1/tasks",
            r#"{"title":"t","requires":[{"capability":"rust","minimum":1.5}]}"#,
            "bad_request",
            &["requires[0].minimum", "1.5", "0..=1"],
        ),
        (
            "POST",
            "/v1/tasks",
            r#"{"title":"t","requires":[{"capability":"rust","weight":-2}]}"#,
            "bad_request",
            &["requires[0].weight", "-2"],
        ),
        ("POST", "/v1/tasks", &deep, "bad_request", &["recursion limit"]),
        ("POST", "/v1/tasks", "\"text\"", "bad_request", &["expected struct"]),
        (
            "POST",
            "/v1/decisions",
            r#"{"topic":"which way","capability":"rust","deadline":"2020-01-01T00:00:00Z"}"#,
            "bad_request",
            &["deadline", "from now on, and within a year"],
        ),
        (
            "POST",
            "/v1/decisions",
            r#"{"topic":"which way","capability":"rust","options":["left"]}"#,
            "bad_request",
            &["options", "1 option", "none, or at least 2"],
        ),
        (
            "POST",
            "/v1/decisions",
            r#"{"topic":"which way","capability":"rust","options":["left"," "]}"#,
            "bad_request",
            &["options[1]", "1 to 200"],
        ),
        (
            "POST",
            "/v1/decisions",
            r#"{"topic":"which way","capability":"rust","ask":["nobody"]}"#,
            "not_found",
            &["nobody"],
        ),
        (
            "POST",
            "/v1/decisions",
            r#"{"topic":"which way","capability":"rust","tasks":["one","one"]}"#,
            "bad_request",
            &["tasks[1]", "T-1 twice"],
        ),
        (
            "POST",
            "/v1/conflicts/C-7/proposals",
            r#"{"agent":"ada","option":"left","reasons":"shorter","confidence":1.5}"#,
            "bad_request",
            &["confidence", "1.5", "0..=1"],
        ),
        (
            "POST",
            "/v1/conflicts/C-7/proposals",
            r#"{"agent":"ada","option":"left","reasons":"shorter"}"#,
            "not_found",
            &["C-7"],
        ),
        ("POST", "/v1/tasks/one/dispute", r#"{"agent":"nobody","reason":"mine"}"#, "not_found", &["nobody"]),
        ("POST", "/v1/tasks/one/dispute", r#"{"agent":"ada","reason":" "}"#, "bad_request", &["reason"]),
        (
            "POST",
            "/v1/tasks/one/priority",
            r#"{"priority":"urgent","reason":"so"}"#,
            "bad_request",
            &["priority", "critical, high, medium, low"],
        ),
        ("POST", "/v1/tasks/one/priority", r#"{"priority":"high","reason":""}"#, "bad_request", &["reason"]),
        (
            "POST",
            "/v1/orders",
            r#"{"first":"one","then":"one","reason":"so"}"#,
            "bad_request",
            &["then", "another task"],
        ),
        (
            "POST",
            "/v1/orders",
            r#"{"first":"one","then":"nothing","reason":"so"}"#,
            "not_found",
            &["nothing"],
        ),
        ("POST", "/v1/orders/drop", r#"{"first":"one","then":"nothing"}"#, "not_found", &["nothing"]),
        ("POST", "/v1/conflicts/X/rule", r#"{"reason":"so"}"#, "not_found", &["C-4"]),
        (
            "POST",
            "/v1/conflicts/C-7/rule",
            r#"{"option":"left"}"#,
            "bad_request",
            &["missing field `reason`"],
        ),
        (
            "POST",
            "/v1/tasks",
            r#"{"title":"x","gates":[{"kind":"vote"}]}"#,
            "bad_request",
            &["gates[0].kind", "vote", "command, review, approval"],
        ),
        (
            "POST",
            "/v1/tasks",
            r#"{"title":"x","gates":[{"kind":"approval"},{"kind":"command"}]}"#,
            "bad_request",
            &["gates[1].command"],
        ),
        (
            "POST",
            "/v1/tasks",
            r#"{"title":"x","gates":[{"kind":"review","command":"make"}]}"#,
            "bad_request",
            &["gates[0].command", "review"],
        ),
        (
            "POST",
            "/v1/tasks",
            r#"{"title":"x","gates":[{"kind":"approval"},{"kind":"approval"}]}"#,
            "bad_request",
            &["gates[1]", "twice"],
        ),
        ("POST", "/v1/tasks/T-1/verdict", r#"{"verdict":"maybe"}"#, "bad_request", &["verdict", "reject"]),
        ("POST", "/v1/tasks/T-1/verdict", r#"{"verdict":"reject"}"#, "bad_request", &["notes"]),
        (
            "POST",
            "/v1/tasks/T-1/verdict",
            r#"{"verdict":"approve","score":2}"#,
            "bad_request",
            &["score", "0..=1"],
        ),
        (
            "POST",
            "/v1/tasks/T-1/verdict",
            r#"{"verdict":"maybe","request":"1"}"#,
            "bad_request",
            &["verdict", "reject"],
        ),
        (
            "POST",
            "/v1/tasks/T-1/verdict",
            r#"{"verdict":"approve","request":""}"#,
            "bad_request",
            &["request"],
        ),
        (
            "POST",
            "/v1/tasks/T-1/verdict",
            r#"{"verdict":"approve","option":"a"}"#,
            "bad_request",
            &["option", "request"],
        ),
        (
            "POST",
            "/v1/tasks/T-1/verdict",
            r#"{"verdict":"approve","request":"1","score":1}"#,
            "bad_request",
            &["score"],
        ),
        (
            "POST",
            "/v1/tasks/T-1/verdict",
            r#"{"verdict":"approve","request":"P-1"}"#,
            "not_found",
            &["request for leave"],
        ),
        (
            "POST",
            "/v1/tasks/T-1/verdict",
            r#"{"verdict":"approve","request":"0-1"}"#,
            "bad_request",
            &["request", "0-1", "P-227"],
        ),
        (
            "POST",
            "/v1/tasks/T-1/permission",
            r#"{"agent":"ada","assignment":"A-1","name":"1","title":"x","kind":"execute","options":[{"id":"a","name":"","kind":"allow"}]}"#,
            "bad_request",
            &["options[0].kind", "reject_once"],
        ),
        (
            "POST",
            "/v1/tasks/T-1/permission",
            r#"{"agent":"ada","assignment":"A-1","name":"1","title":" ","kind":"execute","options":[]}"#,
            "bad_request",
            &["title"],
        ),
        (
            "POST",
            "/v1/tasks/T-1/permission/withdraw",
            r#"{"agent":"ada","assignment":"1"}"#,
            "bad_request",
            &["assignment"],
        ),
        ("POST", "/v1/tasks/T-1/check", r#"{"exit_code":0,"digest":""}"#, "bad_request", &["digest"]),
        ("POST", "/v1/tasks/T-1/check", r#"{"digest":"x"}"#, "bad_request", &["exit_code"]),
        ("POST", "/v1/tasks/T-1/verdict", r#"{"verdict":"approve"}"#, "wrong_state", &["in_review, waiting"]),
        (
            "POST",
            "/v1/tasks/T-1/breakdown",
            r#"{"components":[{"title":"x"},{"title":""}]}"#,
            "bad_request",
            &["components[1].title"],
        ),
        (
            "POST",
            "/v1/tasks/T-1/breakdown",
            r#"{"components":[{"title":"x","requires":[{"capability":"!"}]}]}"#,
            "bad_request",
            &["components[0].requires[0].capability"],
        ),
        (
            "POST",
            "/v1/tasks/T-1/breakdown",
            r#"{"components":[{"title":"x","estimate_hours":-1}]}"#,
            "bad_request",
            &["components[0].estimate_hours"],
        ),
        ("POST", "/v1/tasks/T-99/breakdown", "{}", "not_found", &["T-99"]),
        (
            "POST",
            "/v1/tasks/T-1/components",
            r#"{"agent":"ada","assignment":"A-1","components":[{"name":"x"}]}"#,
            "bad_request",
            &["name"],
        ),
        ("GET", "/v1/gates?kind=wicket", "", "bad_request", &["kind", "approval"]),
        ("GET", "/v1/gates?reviewer=nobody", "", "not_found", &["nobody"]),
        ("GET", "/v1/conflicts?state=closed", "", "bad_request", &["state", "unsettled"]),
        ("GET", "/v1/bottlenecks?state=narrow", "", "bad_request", &["state", "open, gone, all"]),
        ("GET", "/v1/conflicts?kind=war", "", "bad_request", &["kind", "task_dispute"]),
        (
            "POST",
            "/v1/agents",
            r#"{"name":"bob","role":"dev","capabilities":{"rust":1e999}}"#,
            "bad_request",
            &["capabilities"],
        ),
        (
            "POST",
            "/v1/agents",
            r#"{"name":"bob","role":"dev","capabilities":{"rust":NaN}}"#,
            "bad_request",
            &["capabilities"],
        ),
        (
            "POST",
            "/v1/agents",
            r#"{"name":"bob","role":"dev","capabilities":{"rust":-0.1}}"#,
            "bad_request",
            &["capabilities.rust", "-0.1"],
        ),
        (
            "POST",
            "/v1/agents",
            r#"{"name":"bob","role":"dev","capabilities":{"rust":0.1,"rust":0.2}}"#,
            "bad_request",
            &["rust", "twice"],
        ),
        ("POST", "/v1/agents", r#"{"name":"b\nb","role":"dev"}"#, "bad_request", &["name"]),
        ("POST", "/v1/agents", r#"{"name":"","role":"dev"}"#, "bad_request", &["name"]),
        (
            "POST",
            "/v1/agents",
            r#"{"name":"bob","role":"dev","max_concurrent_tasks":0}"#,
            "bad_request",
            &["max_concurrent_tasks"],
        ),
        ("POST", "/v1/agents", r#"{"name":"bob","role":"dev","lease_ms":0}"#, "bad_request", &["lease"]),
        ("POST", "/v1/agents", r#"{"name":"ada","role":"dev"}"#, "duplicate", &["ada"]),
        ("POST", "/v1/tasks/one/dependencies", r#"{"on":"one"}"#, "bad_request", &["T-1", "itself"]),
        (
            "POST",
            "/v1/tasks/two/dependencies",
            r#"{"on":"four"}"#,
            "cycle",
            &["T-2 waits for T-4 waits for T-3 waits for T-2"],
        ),
        ("POST", "/v1/tasks/one/dependencies", r#"{"on":"five"}"#, "not_found", &["five"]),
        (
            "POST",
            "/v1/tasks/three/dependencies",
            r#"{"on":"one","source":"guessed"}"#,
            "bad_request",
            &["source", "guessed", "declared, imported, inferred"],
        ),
        ("POST", "/v1/tasks/two/dependencies/one/restore", "{}", "not_found", &["taken away", "T-2 on T-1"]),
        (
            "POST",
            "/v1/tasks/two/dependencies/one/restore",
            r#"{"instead":{"task":"a b","on":"one"}}"#,
            "bad_request",
            &["instead.task"],
        ),
        (
            "GET",
            "/v1/cycles?state=mended",
            "",
            "bad_request",
            &["state", "mended", "broken, kept_out, restored"],
        ),
        (
            "POST",
            "/v1/tasks/one/dependencies",
            r#"{"on":"two","kind":"likes"}"#,
            "bad_request",
            &["kind", "likes", "blocks"],
        ),
        (
            "POST",
            "/v1/tasks/one/start",
            r#"{"agent":"ada","assignment":"A-9"}"#,
            "stale_assignment",
            &["A-9"],
        ),
        (
            "POST",
            "/v1/tasks/one/start",
            r#"{"agent":"ada","assignment":"nine"}"#,
            "bad_request",
            &["assignment", "A-34"],
        ),
        ("POST", "/v1/tasks/one/start", r#"{"agent":"bob","assignment":"A-1"}"#, "not_found", &["bob"]),
        (
            "POST",
            "/v1/tasks/one/progress",
            r#"{"agent":"ada","assignment":"A-1","percent":101}"#,
            "bad_request",
            &["percent", "100"],
        ),
        ("POST", "/v1/tasks/one/cancel", r#"{"reason":""}"#, "bad_request", &["reason"]),
        ("POST", "/v1/tasks/nothing/cancel", r#"{"reason":"no"}"#, "not_found", &["nothing"]),
        ("POST", "/v1/tasks/one/assign", r#"{"agent":"ada"}"#, "wrong_state", &["assigned"]),
        ("POST", "/v1/tasks/one/reopen", r#"{"reason":"why not"}"#, "wrong_state", &["assigned"]),
        ("POST", "/v1/agents/ada/next", r#"{"wait_ms":60000}"#, "bad_request", &["wait_ms", "30000"]),
        ("POST", "/v1/agents/ada/next", r#"{"max":0}"#, "bad_request", &["max", "100"]),
        ("POST", "/v1/agents/%ff/resume", "", "bad_request", &["path", "UTF-8"]),
        ("PATCH", "/v1/tasks/one", "{\"a\\u001b[1m\":1}", "bad_request", &[r"a\\u{1b}[1m", "title"]),
        ("PUT", "/v1/capabilities/a%20b", "{}", "bad_request", &["capability", "ASCII letters"]),
        (
            "PUT",
            "/v1/capabilities/rust",
            r#"{"alias":["cargo"]}"#,
            "bad_request",
            &["alias", "expected `aliases` or `definition`"],
        ),
        (
            "PUT",
            "/v1/capabilities/rust",
            r#"{"aliases":["cargo",""]}"#,
            "bad_request",
            &["aliases[1]", "1 to 100"],
        ),
        (
            "PUT",
            "/v1/capabilities/rust",
            r#"{"aliases":["--"]}"#,
            "bad_request",
            &["aliases[0]", "--", "a word"],
        ),
        (
            "PUT",
            "/v1/capabilities/rust",
            r#"{"aliases":["cargo","cargo"]}"#,
            "bad_request",
            &["aliases[1]", "each alias once"],
        ),
        (
            "PUT",
            "/v1/capabilities/rust",
            &format!("{{\"definition\":\"{}\"}}", "x".repeat(1_025)),
            "bad_request",
            &["definition", "1024"],
        ),
        (
            "PUT",
            "/v1/capabilities/rust",
            &format!("{{\"aliases\":[{}\"z\"]}}", (0..32).map(|n| format!("\"a{n}\",")).collect::<String>()),
            "limit_exceeded",
            &["aliases", "32"],
        ),
        ("DELETE", "/v1/capabilities/rust", "", "not_found", &["defined capability", "rust"]),
        ("GET", "/v1/capabilities?state=known", "", "bad_request", &["state", "known", "declared"]),
        ("POST", "/v1/tasks/one/analyse", "{}", "wrong_state", &["assigned"]),
        ("POST", "/v1/tasks/T-99/analyse", "{}", "not_found", &["T-99"]),
        (
            "GET",
            "/v1/tasks/one/why?at=yesterday",
            "",
            "bad_request",
            &["at", "yesterday", "position", "RFC 3339"],
        ),
        ("GET", "/v1/tasks/one/why?at=0", "", "bad_request", &["at", "from 1 on"]),
        ("GET", "/v1/status?at=99999", "", "bad_request", &["at", "99999", "end of the log"]),
        ("GET", "/v1/status?at=2999-01-01T00:00:00Z", "", "bad_request", &["at", "2999", "up to now"]),
        ("GET", "/v1/tasks/four?at=1", "", "not_found", &["four"]),
        ("GET", "/v1/report?format=pdf", "", "bad_request", &["format", "pdf", "markdown"]),
        ("POST", "/v1/report", r#"{"format":"pdf"}"#, "bad_request", &["format", "unknown field"]),
        ("POST", "/v1/report", "[]", "bad_request", &["sequence"]),
        ("POST", "/v1/report", "null", "bad_request", &["null"]),
        ("POST", "/v1/report", "pdf", "bad_request", &["expected value"]),
        ("POST", "/v1/agents/ada/heartbeat", r#"{"status":"busy"}"#, "bad_request", &["status"]),
        ("POST", "/v1/agents/ada/drain", r#"{"until":"noon"}"#, "bad_request", &["until"]),
        ("POST", "/v1/agents/ada/resume", r#"{"agent":"ada"}"#, "bad_request", &["agent"]),
        ("POST", "/v1/agents/ada/leave", r#"{"note":"bye"}"#, "bad_request", &["note"]),
        ("POST", "/v1/tasks/two/analyse", r#"{"deep":true}"#, "bad_request", &["deep"]),
        ("POST", "/v1/webhooks/none/test", r#"{"body":1}"#, "bad_request", &["body"]),
        ("POST", "/v1/webhooks/none/resume", r#"{"all":true}"#, "bad_request", &["all"]),
        ("GET", "/v1/escalations?state=late", "", "bad_request", &["state", "late", "overdue"]),
        ("POST", "/v1/webhooks", r#"{"name":"x"}"#, "bad_request", &["url"]),
        ("POST", "/v1/webhooks", r#"{"name":"x y","url":"https://example.org"}"#, "bad_request", &["name"]),
        (
            "POST",
            "/v1/webhooks",
            r#"{"name":"x","url":"ftp://example.org"}"#,
            "bad_request",
            &["url", "https"],
        ),
        (
            "POST",
            "/v1/webhooks",
            r#"{"name":"x","url":"https://me:pw@example.org"}"#,
            "bad_request",
            &["url", "password"],
        ),
        (
            "POST",
            "/v1/webhooks",
            r#"{"name":"x","url":"https://example.org","after":999999}"#,
            "bad_request",
            &["after", "999999"],
        ),
        (
            "POST",
            "/v1/webhooks",
            r#"{"name":"x","url":"https://example.org","types":["*","kapell.nothing.*"]}"#,
            "bad_request",
            &["types[1]", "kapell.nothing.*", "task.failed"],
        ),
        ("POST", "/v1/webhooks", &long_type, "bad_request", &["types[0]", "at most 100 bytes"]),
        ("POST", "/v1/webhooks/none/rotate", r#"{"grace_ms":-1}"#, "bad_request", &["grace_ms", "604800000"]),
        ("POST", "/v1/webhooks/none/rotate", "{}", "not_found", &["webhook"]),
        ("POST", "/v1/webhooks/none/retry", r#"{"positions":[1]}"#, "bad_request", &["positions"]),
        ("GET", "/v1/inbox?role=a&agent=b", "", "bad_request", &["role", "either"]),
        ("GET", "/v1/inbox?agent=nobody", "", "not_found", &["nobody"]),
        ("GET", "/v1/inbox?limit=0", "", "bad_request", &["limit", "1 to 1000"]),
        ("GET", "/v1/inbox?cursor=zz", "", "bad_request", &["cursor"]),
        ("POST", "/v1/escalations/E-9/acknowledge", r#"{"note":"x"}"#, "bad_request", &["note"]),
        ("POST", "/v1/escalations/E-99/acknowledge", "{}", "not_found", &["E-99"]),
        ("POST", "/v1/escalations/next/acknowledge", "{}", "not_found", &["E-2"]),
        ("GET", "/v1/escalations?severity=huge", "", "bad_request", &["severity", "huge", "critical"]),
        ("GET", "/v1/tasks?limit=0", "", "bad_request", &["limit", "1000"]),
        ("GET", "/v1/events?after=9999", "", "bad_request", &["after", "9999", "the last position"]),
        ("GET", "/v1/events/stream?after=9999", "", "bad_request", &["after", "9999", "the last position"]),
        ("GET", "/v1/tasks?stat=ready", "", "bad_request", &["stat"]),
        ("GET", "/v1/tasks?state=reddy", "", "bad_request", &["state", "reddy", "ready"]),
        ("GET", "/v1/tasks?cursor=zz", "", "bad_request", &["cursor"]),
        ("GET", "/v1/tasks/T-99", "", "not_found", &["T-99"]),
        ("GET", "/v1/agents/bob", "", "not_found", &["bob"]),
        ("GET", "/v1/nothing", "", "not_found", &["path"]),
        ("DELETE", "/v1/status", "", "method_not_allowed", &["method"]),
        ("POST", "/v1/tasks/one/move", r#"{"agent":"ada"}"#, "bad_request", &["agent", "its owner"]),
        ("POST", "/v1/tasks/one/move", r#"{"agent":"bob"}"#, "not_found", &["bob"]),
        ("POST", "/v1/tasks/two/move", r#"{"agent":"ada"}"#, "wrong_state", &["blocked", "in_progress"]),
        ("POST", "/v1/agents/ada/notices/read", r#"{"up_to":"3"}"#, "bad_request", &["up_to", "N-3"]),
        ("POST", "/v1/agents/ada/notices/read", r#"{"up_to":"N-3"}"#, "not_found", &["N-3"]),
        ("GET", "/v1/agents/bob/notices", "", "not_found", &["bob"]),
        ("POST", "/v1/offers/O-7/accept", "{}", "not_found", &["O-7"]),
        (
            "POST",
            "/v1/reservations",
            r#"{"agent":"ada","resources":[{"resource":"src/**"}]}"#,
            "bad_request",
            &["resources[0].resource", "src/**", "env:NAME"],
        ),
        (
            "POST",
            "/v1/reservations",
            r#"{"agent":"ada","resources":[{"resource":"path:/etc"}]}"#,
            "bad_request",
            &["resources[0].resource", "at byte 5", "relative"],
        ),
        (
            "POST",
            "/v1/reservations",
            r#"{"agent":"ada","resources":[{"resource":"path:src/[a"}]}"#,
            "bad_request",
            &["at byte 9", "not closed"],
        ),
        (
            "POST",
            "/v1/reservations",
            r#"{"agent":"ada","resources":[{"resource":"env:a b"}]}"#,
            "bad_request",
            &["resources[0].resource", "only ASCII"],
        ),
        (
            "POST",
            "/v1/reservations",
            r#"{"agent":"ada","resources":[{"resource":"env:a","mode":"half"}]}"#,
            "bad_request",
            &["resources[0].mode", "half", "shared, reads, exclusive"],
        ),
        (
            "POST",
            "/v1/reservations",
            r#"{"agent":"ada","resources":[]}"#,
            "bad_request",
            &["resources", "1 to 16"],
        ),
        (
            "POST",
            "/v1/reservations",
            r#"{"agent":"ada","resources":[{"resource":"env:a"},{"resource":"env:a"}]}"#,
            "bad_request",
            &["resources[1]", "twice"],
        ),
        (
            "POST",
            "/v1/reservations",
            r#"{"agent":"ada","resources":[{"resource":"env:a"}],"ttl_ms":1}"#,
            "bad_request",
            &["ttl_ms", "1000 to 86400000"],
        ),
        (
            "POST",
            "/v1/reservations",
            r#"{"agent":"ada","resources":[{"resource":"env:a"}],"wait":true,"wait_ms":0}"#,
            "bad_request",
            &["wait_ms", "10 to 3600000"],
        ),
        (
            "POST",
            "/v1/reservations",
            r#"{"agent":"ada","resources":[{"resource":"env:a"}],"wait_ms":50}"#,
            "bad_request",
            &["wait_ms", "without"],
        ),
        (
            "POST",
            "/v1/reservations",
            r#"{"agent":"ada","task":"two","resources":[{"resource":"env:a"}]}"#,
            "wrong_state",
            &["T-2", "blocked"],
        ),
        (
            "POST",
            "/v1/reservations",
            r#"{"agent":"nobody","resources":[{"resource":"env:a"}]}"#,
            "not_found",
            &["nobody"],
        ),
        ("POST", "/v1/reservations/R-1/renew", r#"{}"#, "not_found", &["R-1"]),
        ("POST", "/v1/reservations/W-1/renew", r#"{}"#, "bad_request", &["reservation", "R-7"]),
        (
            "POST",
            "/v1/reservations/X-1/release",
            r#"{}"#,
            "bad_request",
            &["reservation", "X-1", "R-7 or W-3"],
        ),
        (
            "POST",
            "/v1/reservations/R-1/release",
            r#"{"reservation":"R-2"}"#,
            "bad_request",
            &["reservation", "of the path"],
        ),
        ("POST", "/v1/reservations/W-1/release", r#"{"reason":"no"}"#, "not_found", &["W-1"]),
        ("GET", "/v1/reservations?state=open", "", "bad_request", &["state", "held, waiting"]),
        ("GET", "/v1/reservations?cursor=7", "", "bad_request", &["cursor"]),
        ("GET", "/v1/reservations/R-7", "", "not_found", &["R-7"]),
        (
            "POST",
            "/v1/tasks",
            r#"{"title":"t","resources":[{"resource":"path:a//b"}]}"#,
            "bad_request",
            &["resources[0].resource", "at byte 7", "empty segment"],
        ),
        (
            "POST",
            "/v1/tasks",
            r#"{"title":"t","resources":[{"resource":"env:a"},{"resource":"env:a"}]}"#,
            "bad_request",
            &["resources[1]", "once"],
        ),
        ("GET", "/v1/budgets?of=team", "", "bad_request", &["of", "fleet, project, agent, task"]),
        ("GET", "/v1/budgets?state=open", "", "bad_request", &["state", "closed"]),
        ("GET", "/v1/costs?days=401", "", "bad_request", &["days", "0 to 400"]),
        ("PUT", "/v1/budgets", r#"{"of":"agent"}"#, "bad_request", &["name", "missing", "which agent"]),
        ("PUT", "/v1/budgets", r#"{"of":"fleet","name":"x"}"#, "bad_request", &["name", "absent"]),
        (
            "PUT",
            "/v1/budgets",
            r#"{"of":"fleet","budget":{"day":{"tokens":{"hard":0}}}}"#,
            "bad_request",
            &["day.tokens", "1 to 10^15"],
        ),
        ("PUT", "/v1/budgets", r#"{"of":"project","name":"none"}"#, "not_found", &["project", "none"]),
        (
            "POST",
            "/v1/tasks/T-99/usage",
            r#"{"agent":"ada","assignment":"A-9","usage":{"money":1}}"#,
            "bad_request",
            &["usage", "money", "money_micros"],
        ),
        ("POST", "/v1/tokens", r#"{"access":"root"}"#, "bad_request", &["access", "root", "viewer"]),
        ("POST", "/v1/tokens", r#"{"access":"agent"}"#, "bad_request", &["agent", "missing"]),
        ("DELETE", "/v1/tokens/99", "", "not_found", &["token"]),
    ];
    for (method, path, body, code, words) in table {
        let what = format!("{method} {path} {}", &body[..body.len().min(120)]);
        let answer = served.send(method, path, &served.admin, &JSON, body.as_bytes());
        refused(&served, answer, code, words, &what);
    }
    // What the `next` of an unknown field did is no contact either: nothing at all was written.
    assert_eq!(served.get("/v1/status")["position"], before, "a refused request has written something");
}

#[test]
fn what_is_missing_or_unknown_in_a_body_is_named_as_its_field() {
    let served = Served::start();
    team(&served);
    let task = |more: &str| format!(r#"{{"title":"t",{more}}}"#);
    for (path, body, code, field) in [
        ("/v1/tasks", r#"{"key":"t"}"#.to_owned(), "bad_request", json!("title")),
        ("/v1/tasks", task(r#""requires":[{"weight":2}]"#), "bad_request", json!("requires[0].capability")),
        ("/v1/tasks", task(r#""prioritty":"high""#), "bad_request", json!("prioritty")),
        ("/v1/tasks/one/cancel", "{}".to_owned(), "bad_request", json!("reason")),
        ("/v1/tasks/one/handoff", r#"{"to":"nobody"}"#.to_owned(), "not_found", json!("to")),
        ("/v1/tasks", task(r#""depends_on":["one","nothing"]"#), "not_found", json!("depends_on[1]")),
        ("/v1/orders/drop", r#"{"first":"one","then":"nothing"}"#.to_owned(), "not_found", json!("then")),
        // What the path names is no field of the body, whatever stands there.
        ("/v1/tasks/nothing/handoff", r#"{"to":"nothing"}"#.to_owned(), "not_found", Value::Null),
    ] {
        let (_, problem) = served.send("POST", path, &served.admin, &JSON, body.as_bytes());
        assert_eq!((&problem["code"], &problem["field"]), (&json!(code), &field), "{path} {body}: {problem}");
    }
}

#[test]
fn a_query_that_is_not_known_is_refused() {
    let served = Served::start();
    team(&served);
    for path in ["/v1/channels", "/v1/orders", "/v1/agents/ada/messages"] {
        assert_eq!(served.ask("GET", path, &Value::Null).0, 200, "{path}");
        for (query, named) in [
            ("limit=0", "1 to 1000"),
            ("limit=1001", "1 to 1000"),
            ("cursor=a%20b", "next_cursor"),
            ("stat=x", "stat"),
        ] {
            let answer = served.ask("GET", &format!("{path}?{query}"), &Value::Null);
            refused(&served, answer, "bad_request", &[named], path);
        }
    }
}

#[test]
fn bodies_have_bounds_and_types() {
    let served = Served::start();
    let large = format!("{{\"title\":\"{}\"}}", "x".repeat(1 << 20));
    let answer = served.send("POST", "/v1/tasks", &served.admin, &JSON, large.as_bytes());
    refused(&served, answer, "payload_too_large", &["1048576"], "a body over the bound");
    let text = [("content-type", "text/plain")];
    let answer = served.send("POST", "/v1/tasks", &served.admin, &text, b"{\"title\":\"t\"}");
    refused(&served, answer, "unsupported_media_type", &["text/plain"], "no JSON");
    let key = "k".repeat(129);
    let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
    let answer = served.send("POST", "/v1/tasks", &served.admin, &headers, b"{\"title\":\"t\"}");
    refused(&served, answer, "bad_request", &["Idempotency-Key", "128"], "a long key");
    for key in ["submit-1", "5f0c1b4e-0d43-4a6e-9c7d-1a2b3c4d5e6f"] {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let answer = served.send("POST", "/v1/tasks", &served.admin, &headers, b"{\"title\":\"t\"}");
        refused(
            &served,
            answer,
            "bad_request",
            &["Idempotency-Key", key, "version 7"],
            "a key without a time",
        );
    }
    // A day that has not come yet: what is done under such a key could be forgotten and done again.
    let key = "0fffffff-ffff-774b-bcce-b302099a8057";
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    let answer = served.send("POST", "/v1/tasks", &served.admin, &headers, b"{\"title\":\"t\"}");
    refused(&served, answer, "idempotency_expired", &["Idempotency-Key"], "a key of the future");
    assert_eq!(served.get("/v1/status")["tasks"]["ready"], 0);
}

#[test]
fn a_line_of_a_bulk_stands_alone() {
    let served = Served::start();
    team(&served);
    let lines = [
        r#"{"submit":{"title":"good","key":"good"}}"#,
        r#"{"submit":{"title":"bad","complexity":7}}"#,
        r#"{"submit":{"title":"good again","key":"good"}}"#,
        r#"{"done":{"task":"one","agent":"ada","assignment":"A-77"}}"#,
        "this is no JSON",
        r#"{"fly":{}}"#,
        r#"{"submit":{"title":"last"}}"#,
    ];
    let ndjson = [("content-type", "application/x-ndjson")];
    let (status, text) =
        served.send_text("POST", "/v1/bulk", &served.admin, &ndjson, lines.join("\n").as_bytes());
    assert_eq!(status, 200, "{text}");
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(answers.len(), lines.len());
    assert_eq!(answers[0]["ok"]["task"], "T-5");
    assert_eq!(answers[1]["error"]["field"], "complexity");
    assert_eq!(answers[2]["error"]["code"], "duplicate");
    assert_eq!(answers[3]["error"]["code"], "stale_assignment");
    assert_eq!(answers[4]["error"]["code"], "bad_request");
    assert!(answers[5]["error"]["detail"].as_str().is_some_and(|detail| detail.contains("fly")), "{text}");
    assert_eq!(answers[6]["ok"]["task"], "T-6");
}

#[test]
fn a_token_that_was_taken_back_opens_nothing() {
    let served = Served::start();
    let (manager, viewer) = (served.token("manager", None), served.token("viewer", None));
    let tokens = served.get("/v1/tokens");
    let of_viewer = tokens.as_array().into_iter().flatten().find(|token| token["access"] == "viewer");
    let id = of_viewer.expect("the viewer's token")["id"].clone();
    assert_eq!(served.ask("DELETE", &format!("/v1/tokens/{id}"), &Value::Null).0, 204);
    assert_eq!(served.send("GET", "/v1/status", &viewer, &[], &[]).0, 401);
    assert_eq!(served.send("GET", "/v1/status", &manager, &[], &[]).0, 200);
    // Health and the contract need none.
    assert_eq!(served.send("GET", "/v1/health", "wrong", &[], &[]).0, 200);
    assert_eq!(served.send("GET", "/openapi.json", "wrong", &[], &[]).0, 200);
}

#[test]
fn a_body_that_is_no_json_is_called_so_and_names_no_field() {
    let served = Served::start();
    let json = [("content-type", "application/json")];
    for body in ["{bad", "nothing", ""] {
        let (status, text) = served.send_text("POST", "/v1/tasks", &served.admin, &json, body.as_bytes());
        let problem: Value = serde_json::from_str(&text).expect("a problem");
        assert_eq!((status, &problem["code"]), (400, &serde_json::json!("bad_request")), "{text}");
        assert!(
            problem["detail"].as_str().is_some_and(|it| it.starts_with("the body is no JSON: ")),
            "{text}"
        );
        assert!(problem.get("field").is_none(), "{text}");
    }
}
