//! The report over HTTP: its numbers, its Markdown, and its files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::served::Served;
use kapell_store::{DataDir, RowBatch, SqliteStore, Store as _};
use serde_json::{Value, json};
use tempfile::TempDir;

fn busy_fleet() -> Served {
    let served = Served::start();
    served.post("/v1/agents", &json!({"name": "ada", "role": "developer", "capabilities": {"rust": 0.9}}));
    served.post("/v1/agents", &json!({"name": "bram", "role": "developer", "capabilities": {"rust": 0.3}}));
    served.post("/v1/agents/ada/heartbeat", &json!({}));
    served.post("/v1/tasks", &json!({"title": "first", "key": "one"}));
    let handed = served.post("/v1/agents/ada/next", &json!({}));
    let report =
        json!({"agent": "ada", "assignment": handed["assignments"][0]["assignment"], "reason": "no"});
    served.post(
        "/v1/tasks/one/fail",
        &json!({"agent": "ada", "assignment": report["assignment"], "reason": "no", "retry": false}),
    );
    served.post("/v1/tasks", &json!({"title": "waits", "key": "two", "depends_on": ["one"]}));
    served.post(
        "/v1/tasks",
        &json!({"title": "nobody | can\n# do", "key": "three", "priority": "critical",
            "requires": [{"capability": "cobol"}], "estimate_hours": 3}),
    );
    served
}

#[test]
fn the_report_says_what_was_spent_by_project_agent_and_type() {
    let served = busy_fleet();
    let page = |format: &str| {
        served.send_text("GET", &format!("/v1/report?format={format}"), &served.admin, &[], &[]).1
    };
    assert!(
        !page("markdown").contains("## Costs") && !page("html").contains("<h2>Costs</h2>"),
        "nothing was spent"
    );
    for (key, kind, money) in [("bug", "bug", 1_500_000), ("more", "bug", 500_000), ("task", "task", 250_000)]
    {
        let project = (kind == "bug").then_some("web");
        let task = json!({"title": key, "key": key, "type": kind, "project": project, "agent": "ada"});
        let made = served.post("/v1/tasks", &task);
        let usage =
            json!({"input_tokens": 100, "cached_tokens": 60, "output_tokens": 20, "money_micros": money});
        let done = json!({"agent": "ada", "assignment": made["assignment"], "usage": usage});
        served.post(&format!("/v1/tasks/{key}/done"), &done);
    }
    let costs = served.get("/v1/report")["costs"].clone();
    assert_eq!(costs["types"], served.get("/v1/costs")["types"]);
    let named = |list: &str| -> Vec<(String, u64)> {
        let items = costs[list].as_array().expect("a list").iter();
        items
            .map(|it| {
                (
                    it["name"].as_str().expect("a name").to_owned(),
                    it["total"]["money_micros"].as_u64().expect("money"),
                )
            })
            .collect()
    };
    assert_eq!(named("types"), [("bug".to_owned(), 2_000_000), ("task".to_owned(), 250_000)]);
    assert_eq!(named("projects"), [("web".to_owned(), 2_000_000)]);
    assert_eq!(named("agents"), [("ada".to_owned(), 2_250_000)]);
    let markdown = page("markdown");
    assert!(markdown.contains("## Costs: 2.25 USD and 360 tokens"), "{markdown}");
    for row in [
        "| web | 2.00 | 200 | 120 | 40 |",
        "| ada | 2.25 | 300 | 180 | 60 |",
        "| bug | 2.00 | 200 | 120 | 40 |",
    ] {
        assert!(markdown.contains(row), "{row}: {markdown}");
    }
    let html = page("html");
    assert!(html.contains("<h2>Costs</h2>") && html.contains("2.25 USD and 360 tokens in all"), "{html}");
    assert!(html.contains("<td>bug</td><td class=\"number\">2.00</td>"), "{html}");

    // Kept across a restart: the sums by type are facts of the log.
    let served = Served::on(served.stop());
    assert_eq!(served.get("/v1/costs")["types"], costs["types"]);
}

fn kinds(report: &Value, list: &str) -> Vec<String> {
    let items = report[list].as_array().expect("a list");
    items.iter().filter_map(|item| item["kind"].as_str().map(str::to_owned)).collect()
}

#[test]
fn the_report_says_how_the_fleet_is_and_what_to_do() {
    let served = busy_fleet();
    let report = served.get("/v1/report");
    let part = |name: &str| {
        let parts = report["health"]["parts"].as_array().expect("parts").clone();
        parts.into_iter().find(|part| part["name"] == name).expect("the part")
    };
    let online = part("online");
    assert_eq!((&online["good"], &online["all"]), (&json!(1), &json!(2)));
    assert_eq!(online["causes"], json!(["bram was never heard of"]));
    let success = part("success");
    assert_eq!((&success["good"], &success["all"]), (&json!(0), &json!(1)));
    assert_eq!(part("running")["no_data"], true);
    // 0.25 x 1/2 + 0.25 x 0 + 0.20 + 0.15 + 0.15.
    assert_eq!(report["health"]["total"], 0.625);
    assert_eq!(served.get("/v1/status")["health"], report["health"]);
    assert_eq!(report["tasks"]["critical"], 1);
    assert_eq!(report["tasks"]["blocked"], 1);
    assert_eq!(report["tasks"]["completed_today"], 0);
    assert_eq!(report["performance"]["last_day"]["success_rate"], 0.0);
    assert_eq!(
        kinds(&report, "bottlenecks"),
        ["critical_without_agent", "capability_gap", "failed_dependency"]
    );
    let recommended = report["recommendations"].as_array().expect("a list");
    let commands: Vec<&str> = recommended.iter().filter_map(|it| it["command"].as_str()).collect();
    assert!(
        commands.contains(&"kapell why T-3") && commands.contains(&"kapell task reopen T-1"),
        "{commands:?}"
    );
    assert_eq!(kinds(&report, "escalations"), ["no_suitable_agent", "task_failed"]);

    let accept = [("accept", "text/markdown")];
    let (status, page) = served.send_text("GET", "/v1/report", &served.admin, &accept, &[]);
    assert_eq!(status, 200);
    let (_, asked) = served.send_text("GET", "/v1/report?format=markdown", &served.admin, &[], &[]);
    for page in [page, asked] {
        assert!(page.starts_with("# Orchestration report, "), "{page}");
        assert!(page.contains("## Health: 0.625") && page.contains("`kapell task reopen T-1`"), "{page}");
        assert!(page.contains("0.5 x 0.25 = 0.125"), "{page}");
    }
}

#[test]
fn escalations_are_filtered_and_settled() {
    let served = busy_fleet();
    let count = |query: &str| {
        served.get(&format!("/v1/escalations?{query}"))["items"].as_array().expect("a list").len()
    };
    assert_eq!(count("state=open"), 2);
    assert_eq!(count("state=open&severity=critical"), 1);
    assert_eq!(count("about=T-1"), 1);
    assert_eq!(count("role=architect"), 0);
    assert_eq!(count("state=overdue"), 0);
    served.post("/v1/escalations/E-1/settle", &json!({"note": "seen"}));
    assert_eq!((count("state=open"), count("state=settled")), (1, 1));
    // Past its ack time it is shown as overdue, and makes the health low.
    let mut policy = served.get("/v1/policy");
    policy["ack_ms"]["critical"] = json!(10);
    policy["ack_ms"]["high"] = json!(10);
    assert_eq!(served.ask("PUT", "/v1/policy", &policy).0, 200);
    served.post(
        "/v1/tasks",
        &json!({"title": "nobody can", "priority": "critical", "requires": [{"capability": "ada83"}]}),
    );
    std::thread::sleep(Duration::from_millis(15));
    assert_eq!(count("state=overdue"), 1);
    assert_eq!(served.get("/v1/status")["escalations_overdue"], 1);
    let parts = served.get("/v1/report")["health"]["parts"].clone();
    let escalations =
        parts.as_array().expect("parts").iter().find(|part| part["name"] == "escalations").cloned();
    let causes = escalations.expect("the part")["causes"].to_string();
    assert!(causes.contains("no_suitable_agent"), "{causes}");
}

#[test]
fn a_report_is_saved_on_demand_as_markdown_html_and_json() {
    let served = busy_fleet();
    let saved = served.post("/v1/report", &json!({}));
    let (text, page, json) = (path(&saved["markdown"]), path(&saved["html"]), path(&saved["json"]));
    assert!(text.starts_with(served.data.path().join("OPERATIONS/REPORTS")), "{text:?}");
    assert!(std::fs::read_to_string(&text).expect("it is there").contains("## Recommendations"));
    assert!(std::fs::read_to_string(&page).expect("it is there").starts_with("<!doctype html>"));
    let kept: Value = serde_json::from_slice(&std::fs::read(json).expect("it is there")).expect("JSON");
    assert_eq!(kept["health"]["total"], 0.625);
    let others = std::fs::read_dir(text.parent().expect("a directory")).expect("it is there").count();
    assert_eq!(others, 3, "nothing unfinished is left");
}

fn path(value: &Value) -> PathBuf {
    PathBuf::from(value.as_str().expect("a path"))
}

/// Waits until a report lies in the directory, and returns its files by name.
fn reports(data: &Path, patience: Duration) -> Vec<String> {
    let started = Instant::now();
    loop {
        let files = std::fs::read_dir(data.join("OPERATIONS/REPORTS")).into_iter().flatten().flatten();
        let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| !name.ends_with(".new")).collect();
        names.sort();
        if names.iter().any(|name| name.ends_with(".json")) || started.elapsed() > patience {
            return names;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_daily_report_that_was_missed_is_written_once_at_the_next_start() {
    let data = TempDir::new().expect("a directory");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let long_ago = i64::try_from(now).expect("soon enough") - 3 * 86_400_000;
    {
        let directory = DataDir::lock(data.path()).expect("nobody else has it");
        let mut store = SqliteStore::open(&directory).expect("a log");
        let head = store.open_fleet("default").expect("a fleet");
        let mut rows = RowBatch::new();
        let body = br#"{"spec":{"name":"web"}}"#;
        rows.push(long_ago, [1; 16], "admin", "project.created", |out| out.extend_from_slice(body));
        store.append(head.key, head.epoch, 0, &rows).expect("it is taken");
    }
    let served = Served::on(data);
    let written = reports(served.data.path(), Duration::from_secs(20));
    let endings: Vec<&str> = written.iter().filter_map(|name| name.rsplit('.').next()).collect();
    assert_eq!(endings, ["html", "json", "md"], "{written:?}");
    let json = served.data.path().join("OPERATIONS/REPORTS").join(&written[1]);
    let made = std::fs::metadata(&json).and_then(|it| it.modified()).expect("it is there");
    let served = Served::on(served.stop());
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(reports(served.data.path(), Duration::ZERO), written);
    assert_eq!(
        std::fs::metadata(&json).and_then(|it| it.modified()).expect("it is there"),
        made,
        "only once"
    );
    // A fleet in which nothing had happened by then has nothing to report on.
    let young = Served::start();
    young.post("/v1/tasks", &json!({"title": "first"}));
    std::thread::sleep(Duration::from_millis(300));
    assert!(reports(young.data.path(), Duration::ZERO).is_empty());
}

#[test]
fn what_holds_the_work_up_is_listed_with_what_was_done_and_what_came_of_it() {
    let served = Served::start();
    let mut policy = served.get("/v1/policy");
    policy["bottlenecks"]["period_ms"] = json!(10);
    assert_eq!(served.ask("PUT", "/v1/policy", &policy).0, 200);
    for (name, capability) in [("ada", "rust"), ("bob", "java"), ("eve", "java")] {
        served.post(
            "/v1/agents",
            &json!({
                "name": name, "role": "developer", "capabilities": {capability: 0.9}, "max_concurrent_tasks": 2,
            }),
        );
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
    for (key, hours) in [("one", 1.0), ("two", 40.0)] {
        let body = json!({
            "title": key, "key": key, "estimate_hours": hours, "requires": [{"capability": "rust"}],
        });
        served.post("/v1/tasks", &body);
    }
    let wait = |path: &str, id: &str| loop {
        let list = served.get(path);
        if list["items"][0]["id"] == id {
            return list["items"][0].clone();
        }
        std::thread::yield_now();
    };
    let found = wait("/v1/bottlenecks", "B-1");
    assert_eq!(
        (&found["kind"], &found["about"], &found["severity"]),
        (&json!("capability_gap"), &json!("rust"), &json!("low")),
        "{found}"
    );
    // 40 h beside one slot that is free and one that will be in an hour; 41 h beside two until both are placed.
    let value = found["measured"]["value"].as_f64().expect("a number");
    assert!((2.5..2.7).contains(&value), "{found}");
    let kinds: Vec<&Value> =
        found["actions"].as_array().expect("a list").iter().map(|it| &it["kind"]).collect();
    assert_eq!(kinds, ["kept", "training"], "{found}");
    assert_eq!(found["actions"][0]["agents"], json!(["ada"]));
    let (_, page) = served.send_text("GET", "/v1/report?format=markdown", &served.admin, &[], &[]);
    assert!(page.contains("| B-1 | capability gap | rust | low | 2."), "{page}");
    let called = served.get("/v1/escalations");
    assert_eq!(
        (&called["items"][0]["kind"], &called["items"][0]["capability"]),
        (&json!("training_needed"), &json!("rust")),
        "{called}"
    );
    served.post("/v1/tasks", &json!({"title": "three", "key": "three"}));
    let why = served.get("/v1/tasks/three/why-not/ada").to_string();
    assert!(why.contains("kept for work that needs `rust`"), "{why}");

    served.post("/v1/tasks/two/cancel", &json!({"reason": "not needed"}));
    let gone = wait("/v1/bottlenecks?state=gone", "B-1");
    assert_eq!(
        (&gone["actions"][0]["ended_because"], &gone["actions"][0]["effect"]),
        (&json!("relieved"), &json!("better")),
        "{gone}"
    );
    let report = served.get("/v1/report");
    assert_eq!(report["actions"][0]["after"]["value"], 0.0, "{report}");
    let (_, page) = served.send_text("GET", "/v1/report?format=markdown", &served.admin, &[], &[]);
    assert!(
        page.contains("What was done, and what came of it")
            && page.contains(" of 1.50 | 0.00 of 1.50 | better |"),
        "{page}"
    );
    let (status, refused) = served.ask("PUT", "/v1/policy", &{
        policy["version"] = Value::Null;
        policy["bottlenecks"]["kept_ms"] = json!(14_400_001);
        policy
    });
    assert!(status == 400 && refused.to_string().contains("10 ms to 4 h"), "{refused}");
}

#[test]
fn messages_handoffs_and_efficiency_by_agent_stand_in_every_report() {
    let served = Served::start();
    for name in ["ada", "bram"] {
        let agent = json!({"name": name, "role": "developer", "capabilities": {"rust": 0.9}});
        served.post("/v1/agents", &agent);
        if name == "ada" {
            served.post("/v1/agents/ada/heartbeat", &json!({}));
            let task = json!({"title": "first", "key": "one", "estimate_hours": 1});
            served.post("/v1/tasks", &task);
        }
    }
    served.post("/v1/agents/bram/heartbeat", &json!({}));
    let report = served.get("/v1/report");
    let day = |report: &Value, name: &str| report["performance"]["last_day"][name].clone();
    assert_eq!((day(&report, "messages"), day(&report, "messages_per_task")), (json!(0), Value::Null));
    assert_eq!(report["agent_table"][1]["efficiency_score"], Value::Null);

    served.post("/v1/channels", &json!({"name": "web", "members": ["ada", "bram"]}));
    for to in ["bram", "bram"] {
        served.post("/v1/messages", &json!({"from": "ada", "to": to, "text": "look"}));
    }
    served.post("/v1/messages", &json!({"from": "bram", "channel": "web", "text": "I do"}));
    let handed = served.post("/v1/agents/ada/next", &json!({}))["assignments"][0]["assignment"].clone();
    served.post("/v1/tasks/one/start", &json!({"agent": "ada", "assignment": handed}));
    served.post("/v1/tasks/one/handoff", &json!({"agent": "ada", "assignment": handed}));
    let package = json!({
        "agent": "ada", "assignment": handed, "completed": "half", "state": "it builds",
        "remaining": "half", "context": "none", "files": ["none"],
    });
    assert_eq!(served.post("/v1/tasks/one/handoff/package", &package)["agent"], "bram");
    let token = served.post("/v1/agents/bram/next", &json!({}))["assignments"][0]["assignment"].clone();
    served.post("/v1/tasks/one/start", &json!({"agent": "bram", "assignment": token}));
    served.post("/v1/tasks/one/done", &json!({"agent": "bram", "assignment": token}));

    let report = served.get("/v1/report");
    for (name, value) in [
        ("messages", json!(3)),
        ("messages_per_task", json!(3.0)),
        ("handoffs", json!(1)),
        ("handoffs_per_task", json!(1.0)),
    ] {
        assert_eq!(day(&report, name), value, "{name}");
    }
    let agents = &report["agent_table"];
    assert_eq!(agents[0].get("efficiency_score"), None, "ada has completed nothing");
    let line = [&agents[1]["efficiency_score"], &agents[1]["success_rate"]];
    assert_eq!((line, agents[1].get("efficiency_before")), ([&json!(1.0), &json!(1.0)], None));
    let (_, page) = served.send_text("GET", "/v1/report?format=markdown", &served.admin, &[], &[]);
    for row in [
        "| messages per task | 3 | no data |",
        "| handoffs per task | 1 | no data |",
        "| bram | developer | online | 0/1 | 1 | 0 | 0 | 1 | no data | 1 |",
    ] {
        assert!(page.contains(row), "{row}: {page}");
    }
    let (_, page) = served.send_text("GET", "/v1/report?format=html", &served.admin, &[], &[]);
    for row in [
        "<td>messages per task</td><td class=\"number\">3</td>",
        "<td>handoffs per task</td><td class=\"number\">1</td>",
        "<th scope=\"col\">Efficiency, last 24 h</th>",
    ] {
        assert!(page.contains(row), "{row}: {page}");
    }
    // They outlive a restart.
    let waits = report["performance"]["queue_waits"].clone();
    let served = Served::on(served.stop());
    assert_eq!(served.get("/v1/report")["performance"]["queue_waits"], waits);
    assert_eq!(served.get("/v1/report")["performance"]["last_day"]["messages"], 3);
    assert_eq!(served.get("/v1/report")["agent_table"][1]["efficiency_score"], 1.0);
}

#[test]
fn waits_in_the_queue_and_for_resources_stand_in_every_report() {
    let served = Served::start();
    served.post("/v1/tasks", &json!({"title": "first", "key": "one", "priority": "high"}));
    for name in ["ada", "bram"] {
        served.post("/v1/agents", &json!({"name": name, "role": "developer"}));
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
    let env = |agent: &str| json!({"agent": agent, "resources": [{"resource": "env:one"}], "wait": true});
    let held = served.post("/v1/reservations", &env("ada"))["reservation"].clone();
    served.post("/v1/reservations", &env("bram"));
    let held = held.as_str().expect("it is free");
    served.post(&format!("/v1/reservations/{held}/release"), &json!({"agent": "ada"}));
    let performance = served.get("/v1/report")["performance"].clone();
    for (list, about) in [("queue_waits", "high"), ("resource_waits", "env:one")] {
        let waits = &performance[list];
        assert_eq!(waits.as_array().map(Vec::len), Some(1), "{waits}");
        assert_eq!((&waits[0]["about"], &waits[0]["count"]), (&json!(about), &json!(1)));
        let times = ["p50_ms", "p90_ms", "longest_ms"].map(|name| waits[0][name].as_i64().expect("a time"));
        assert!((0..60_000).contains(&times[0]) && times == [times[0]; 3], "{times:?}");
    }
    let page = |format: &str| {
        served.send_text("GET", &format!("/v1/report?format={format}"), &served.admin, &[], &[]).1
    };
    let markdown = page("markdown");
    assert!(markdown.contains("\n| high | 1 | ") && markdown.contains("\n| env:one | 1 | "), "{markdown}");
    let html = page("html");
    for row in ["<h2>Waits</h2>", "<td>high</td><td class=\"number\">1</td>", "<td>env:one</td>"] {
        assert!(html.contains(row), "{row}: {html}");
    }
}

#[test]
fn the_report_as_html_is_one_file_with_plots_and_their_numbers_and_no_text_steers_it() {
    let served = Served::start();
    let mut policy = served.get("/v1/policy");
    policy["reporting"]["course_ms"] = json!(10);
    assert_eq!(served.ask("PUT", "/v1/policy", &policy).0, 200);
    for (name, score) in [("ada", 0.9), ("bram", 0.8)] {
        let body = json!({"name": name, "role": "<b>dev</b>", "capabilities": {"rust": score}});
        let plain = json!({"name": name, "role": "developer", "capabilities": {"rust": score}});
        assert_eq!(served.ask("POST", "/v1/agents", &body).0, 400, "a role is a name");
        served.post("/v1/agents", &plain);
        served.post(&format!("/v1/agents/{name}/heartbeat"), &json!({}));
    }
    let hostile = "<script>alert(1)</script><img src=x onerror=alert(2)> \"'&";
    served.post("/v1/tasks", &json!({"title": hostile, "key": "one", "type": "bug"}));
    let handed = served.post("/v1/agents/ada/next", &json!({}));
    let assignment = &handed["assignments"][0]["assignment"];
    served.post("/v1/tasks/one/done", &json!({"agent": "ada", "assignment": assignment}));
    let decision = json!({
        "topic": hostile, "capability": "rust", "options": ["yes", "no"], "ask": ["ada", "bram"],
    });
    served.post("/v1/decisions", &decision);
    let emergency = json!({"kind": "agent_cascade_failure", "reason": hostile});
    served.post("/v1/emergencies", &emergency);
    let started = Instant::now();
    while served.get("/v1/report")["course"].as_array().expect("a list").len() < 3 {
        assert!(started.elapsed() < Duration::from_secs(20), "how the fleet stands is noted");
        served.post("/v1/tasks", &json!({"title": "one more"}));
    }
    let report = served.get("/v1/report");
    let last = report["course"].as_array().expect("a list").last().expect("the present").clone();
    assert_eq!(last["health"], report["health"]["total"]);
    assert_eq!(last["slots"], 2);
    assert!(last["lead_p50_ms"].as_i64().is_some_and(|lead| lead < 60_000), "{last}");

    let accept = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let (status, page) = served.send_text("GET", "/v1/report", &served.admin, &accept, &[]);
    assert_eq!(status, 200);
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&lt;img"), "the emergency tells its reason");
    for bad in ["<script", "<img", "<link", "<iframe", "http:", "https:", "url(", "@import"] {
        assert!(!page.contains(bad), "{bad}: {page}");
    }
    // The health, the load, the flow by hour and by state, and the lead times, each with its numbers.
    let plots = page.matches("<svg class=\"plot\"").count();
    assert_eq!(plots, 5, "{page}");
    // The small lines of the parts of the health share a table.
    assert_eq!(page.matches("<svg class=\"spark\"").count(), 5);
    assert_eq!(page.matches("<details>").count(), plots + 1);
    let (_, asked) = served.send_text("GET", "/v1/report?format=html", &served.admin, &[], &[]);
    assert!(asked.contains("<h2>Conflicts: "), "{asked}");
    let (_, text) = served.send_text("GET", "/v1/report?format=markdown", &served.admin, &[], &[]);
    assert!(text.contains("## Course") && text.contains("| slots taken | `"), "{text}");
}
