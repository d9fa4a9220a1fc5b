//! When a project will be done, as a client sees it.

use crate::served::Served;
use serde_json::{Value, json};

/// A team of one, a project with a deadline in the past, and a chain of two tasks beside a third.
fn served() -> Served {
    let served = Served::start();
    served.post("/v1/projects", &json!({"name": "web", "deadline": "2026-01-01T00:00:00Z"}));
    served.post("/v1/agents", &json!({"name": "ada", "role": "developer", "capabilities": {"rust": 0.9}}));
    served.post("/v1/agents/ada/next", &json!({"wait_ms": 0}));
    for (key, on) in [("one", json!([])), ("two", json!(["one"])), ("three", json!([]))] {
        served.post(
            "/v1/tasks",
            &json!({"title": key, "key": key, "project": "web", "estimate_hours": 2, "depends_on": on,
                "requires": [{"capability": "rust"}]}),
        );
    }
    served
}

#[test]
fn a_forecast_is_made_on_demand_recorded_and_can_be_made_again_from_its_seed() {
    let served = served();
    let (status, problem) = served.ask("GET", "/v1/projects/web/forecast", &Value::Null);
    assert!(status == 404 && problem.to_string().contains("no forecast of project `web` yet"), "{problem}");
    let made = served.post("/v1/projects/web/forecast", &json!({"seed": "00000000000000ff"}));
    assert_eq!(served.get("/v1/projects/web/forecast"), made);
    assert_eq!(
        (&made["seed"], &made["open"], &made["at_risk"]),
        (&json!("00000000000000ff"), &json!(3), &json!(true))
    );
    assert!(made["slack_hours"].as_f64().is_some_and(|slack| slack < 0.0), "{made}");
    let path: Vec<&str> =
        made["path"].as_array().expect("a path").iter().filter_map(|it| it["task"].as_str()).collect();
    assert_eq!((path, &made["path_hours"]), (vec!["T-1", "T-2"], &json!(4.0)));
    assert_eq!(made["gains"][0]["capability"], "rust");
    assert_eq!(made["outdated"], false);
    // The emergency that comes of it shows the path and the slack too.
    let late = served.get("/v1/emergencies/X-1");
    assert_eq!((&late["kind"], &late["path_hours"]), (&json!("deadline_risk"), &json!(4.0)), "{late}");
    assert_eq!((&late["path"], &late["slack_hours"]), (&made["path"], &made["slack_hours"]));
    for format in ["markdown", "html"] {
        let path = format!("/v1/report?format={format}");
        let (_, page) = served.send_text("GET", &path, &served.admin, &[], &[]);
        let page = page.replace('\\', "");
        let longest = "T-1 (2h 0m), T-2 (2h 0m); 4h 0m in all";
        assert_eq!(page.matches(longest).count(), 2, "of the emergency and of the forecast: {page}");
        assert!(page.contains("Slack: -"), "{page}");
    }
    let (p50, p80, p90) = (made["p50"].as_str(), made["p80"].as_str(), made["p90"].as_str());
    assert!(p50 < p80 && p80 < p90, "{made}");

    let event = served.get("/v1/events?kind=forecast.made")["events"][0].clone();
    assert_eq!((&event["data"]["seed"], &event["data"]["p80"]), (&made["seed"], &made["p80"]));
    let task = json!({"agent": "ada", "assignment": served.get("/v1/tasks/one")["assignment"]});
    served.post("/v1/tasks/one/start", &task);
    assert_eq!(served.get("/v1/projects/web/forecast")["outdated"], true);
}

#[test]
fn a_forecast_is_made_unasked_where_something_has_changed() {
    let served = served();
    let mut policy = served.get("/v1/policy");
    assert_eq!(policy["forecasts"], json!({"period_ms": 300_000}));
    policy["forecasts"]["period_ms"] = json!(10);
    assert_eq!(served.ask("PUT", "/v1/policy", &policy).0, 200);
    let made = loop {
        let (status, made) = served.ask("GET", "/v1/projects/web/forecast", &Value::Null);
        if status == 200 {
            break made;
        }
        std::thread::yield_now();
    };
    assert_eq!(made["open"], 3);
    let event = served.get("/v1/events?kind=forecast.made")["events"][0].clone();
    assert_eq!(event["actor"], "clock");
}

#[test]
fn what_does_not_fit_is_refused_with_field_and_reason() {
    let served = served();
    for (body, path, status, words) in [
        (json!({"seed": "ff"}), "/v1/projects/web/forecast", 400, "16 hexadecimal digits"),
        (json!({"seed": "+000000000000001"}), "/v1/projects/web/forecast", 400, "seed"),
        (json!({"sed": "ff"}), "/v1/projects/web/forecast", 400, "sed"),
        (json!({}), "/v1/projects/none/forecast", 404, "there is no project `none`"),
        (json!({}), "/v1/projects/a%20b/forecast", 400, "project"),
    ] {
        let (found, problem) = served.ask("POST", path, &body);
        assert!(found == status && problem.to_string().contains(words), "{path} {body}: {found} {problem}");
    }
    assert_eq!(served.ask("GET", "/v1/projects/none/forecast", &Value::Null).0, 404);
    let mut policy = served.get("/v1/policy");
    policy["forecasts"]["period_ms"] = json!(9);
    let (status, problem) = served.ask("PUT", "/v1/policy", &policy);
    assert!(status == 400 && problem.to_string().contains("forecasts.period_ms"), "{problem}");
}
