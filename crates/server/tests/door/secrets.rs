//! Tokens end and change; secrets stay where they are; a foreign page is not let in.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::served::Served;
use serde_json::{Value, json};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn status(served: &Served, token: &str) -> u16 {
    served.send("GET", "/v1/status", token, &[], &[]).0
}

#[test]
fn what_is_shown_once_takes_no_idempotency_key() {
    let served = Served::start();
    let made = served.post("/v1/tokens", &json!({"access": "viewer"}));
    served.post("/v1/webhooks", &json!({"name": "one", "url": "https://example.org/hook"}));
    let key = "01890a5d-ac96-774b-bcce-b302099a8057";
    let headers = [JSON[0], ("idempotency-key", key)];
    let rotate = format!("/v1/tokens/{}/rotate", made["id"]);
    for (path, body) in [
        ("/v1/tokens", r#"{"access":"viewer"}"#),
        (rotate.as_str(), "{}"),
        ("/v1/webhooks", r#"{"name":"two","url":"https://example.org/hook"}"#),
        ("/v1/webhooks/one/rotate", "{}"),
    ] {
        let before = (served.get("/v1/tokens"), served.get("/v1/webhooks"));
        let (status, told) = served.send("POST", path, &served.admin, &headers, body.as_bytes());
        assert_eq!((status, &told["field"]), (400, &json!("Idempotency-Key")), "{path}: {told}");
        assert!(told["detail"].as_str().is_some_and(|detail| detail.contains(key)), "{told}");
        assert_eq!(before, (served.get("/v1/tokens"), served.get("/v1/webhooks")), "{path} did something");
    }
}

#[test]
fn a_rotated_token_has_the_rights_of_the_one_before_in_its_place() {
    let served = Served::start();
    let made = served.post("/v1/tokens", &json!({"access": "manager", "label": "shift"}));
    let (id, old) = (made["id"].clone(), made["token"].as_str().expect("a token"));
    let rotated = served.post(&format!("/v1/tokens/{id}/rotate"), &json!({}));
    let new = rotated["token"].as_str().expect("a token");
    assert_eq!((&rotated["id"], &rotated["access"]), (&id, &json!("manager")));
    assert_eq!((status(&served, old), status(&served, new)), (401, 200));
    // With a grace both are let in, and only the last two ever are.
    let path = format!("/v1/tokens/{id}/rotate");
    let third =
        served.post(&path, &json!({"grace_ms": 3_600_000}))["token"].as_str().expect("a token").to_owned();
    assert_eq!((status(&served, old), status(&served, new), status(&served, &third)), (401, 200, 200));
    let fourth =
        served.post(&path, &json!({"grace_ms": 3_600_000}))["token"].as_str().expect("a token").to_owned();
    assert_eq!((status(&served, new), status(&served, &third), status(&served, &fourth)), (401, 200, 200));
    for grace in [-1_i64, 86_400_001] {
        let (status, problem) = served.ask("POST", &path, &json!({"grace_ms": grace}));
        assert_eq!((status, &problem["field"]), (400, &json!("grace_ms")), "{problem}");
    }
    // Taken back, neither is.
    assert_eq!(served.ask("DELETE", &format!("/v1/tokens/{id}"), &Value::Null).0, 204);
    assert_eq!((status(&served, &third), status(&served, &fourth)), (401, 401));
}

#[test]
fn the_admin_tokens_file_follows_when_it_is_rotated() {
    let served = Served::start();
    let file = served.data.path().join("admin.token");
    let id = served.get("/v1/tokens")[0]["id"].clone();
    let rotated = served.post(&format!("/v1/tokens/{id}/rotate"), &json!({}));
    let filed = fs::read_to_string(&file).expect("the file");
    assert_eq!(filed.trim(), rotated["token"]);
    assert_eq!((status(&served, &served.admin), status(&served, filed.trim())), (401, 200));
    // And it is the admin token after the next start too.
    let again = Served::on(served.stop());
    assert_eq!((again.admin.as_str(), status(&again, &again.admin)), (filed.trim(), 200));
}

#[test]
fn a_token_ends_when_it_was_said() {
    let served = Served::start();
    let made = served.post("/v1/tokens", &json!({"access": "viewer", "expires_in_ms": 1_000}));
    let token = made["token"].as_str().expect("a token");
    assert!(made["expires_at"].is_string(), "{made}");
    // The clock is the server's: it is asked until the token has ended, however long that takes.
    let mut seen = 0_u64;
    while status(&served, token) == 200 {
        seen += 1;
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(seen < 3_000, "it does not end");
    }
    assert_eq!(status(&served, token), 401);
    for life in [0_i64, 999, 315_360_000_001] {
        let (status, problem) =
            served.ask("POST", "/v1/tokens", &json!({"access": "viewer", "expires_in_ms": life}));
        assert_eq!((status, &problem["field"]), (400, &json!("expires_in_ms")), "{problem}");
    }
}

#[test]
fn a_foreign_page_or_name_is_refused_before_anything_is_read() {
    let served = Served::start();
    let own = served.base.clone();
    let table: &[(&[(&str, &str)], u16)] = &[
        (&[], 200),
        (&[("origin", own.as_str())], 200),
        (&[("origin", "http://evil.example")], 403),
        (&[("origin", "null")], 403),
        (&[("host", "evil.example")], 403),
        (&[("host", "evil.example"), ("origin", "http://evil.example")], 403),
    ];
    for (headers, wanted) in table {
        for path in ["/v1/status", "/v1/health", "/openapi.json"] {
            let (status, answer) = served.send("GET", path, &served.admin, headers, &[]);
            assert_eq!(status, *wanted, "{path} {headers:?}: {answer}");
        }
        let mut headers = headers.to_vec();
        headers.extend(JSON);
        let (status, answer) = served.send("POST", "/v1/tasks", &served.admin, &headers, br#"{"title":"t"}"#);
        assert_eq!(status, if *wanted == 200 { 201 } else { 403 }, "{headers:?}: {answer}");
    }
    assert_eq!(served.get("/v1/status")["tasks"]["ready"], 2, "nothing else came through");
}

#[test]
fn a_secret_is_in_no_file_event_report_or_answer() {
    let served = Served::start();
    let made = served.post("/v1/tokens", &json!({"access": "agent", "agent": "ada", "label": "canary"}));
    let canary = made["token"].as_str().expect("a token").to_owned();
    served.post("/v1/agents", &json!({"name": "ada", "role": "developer"}));
    served.post("/v1/tasks", &json!({"title": "first", "key": "one"}));
    // Used rightly, wrongly, in a key and on a path that is not there.
    let next = served.send("POST", "/v1/agents/ada/next", &canary, &JSON, b"{}").1;
    let report =
        json!({"agent": "ada", "assignment": next["assignments"][0]["assignment"], "result": "done"});
    served.send("POST", "/v1/tasks/one/done", &canary, &JSON, report.to_string().as_bytes());
    let mut told = String::new();
    for (method, path) in
        [("GET", "/v1/tokens"), ("POST", "/v1/agents/bob/next"), ("GET", "/v1/none"), ("POST", "/v1/tasks")]
    {
        told.push_str(&served.send_text(method, path, &canary, &JSON, b"{broken").1);
    }
    for path in [
        "/v1/events",
        "/v1/report",
        "/v1/report?format=markdown",
        "/v1/tokens",
        "/v1/status",
        "/v1/agents",
        "/v1/tasks/one/why",
    ] {
        told.push_str(&served.send_text("GET", path, &served.admin, &[], &[]).1);
    }
    served.post("/v1/report", &json!({}));
    let admin = served.admin.clone();
    let data = served.stop();
    let mut files = Vec::new();
    walk(data.path(), &mut files);
    assert!(files.len() >= 4, "{files:?}");
    let in_bytes =
        |bytes: &[u8], secret: &str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
    for secret in [&canary, &admin] {
        assert!(!told.contains(secret.as_str()), "a secret was told");
        for file in &files {
            let bytes = fs::read(file).expect("it can be read");
            let may = *secret == admin && file.ends_with("admin.token");
            assert_eq!(in_bytes(&bytes, secret), may, "{}", file.display());
        }
    }
    // The search can find: the name of the agent stands in the log.
    assert!(files.iter().any(|file| in_bytes(&fs::read(file).expect("it can be read"), "ada")));
}

#[test]
fn other_users_of_the_machine_can_read_nothing() {
    let outer = tempfile::TempDir::new().expect("a directory");
    let data = outer.path().join("data");
    drop(kapell_store::DataDir::lock(&data).expect("a data directory"));
    assert_eq!(fs::metadata(&data).expect("it is there").permissions().mode() & 0o777, 0o700);
    let served = Served::start();
    let mode =
        fs::metadata(served.data.path().join("admin.token")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Also where the directory lets others in.
    served.post("/v1/report", &json!({}));
    let reports = served.data.path().join("OPERATIONS");
    let mode = fs::metadata(&reports).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let mut files = Vec::new();
    walk(&reports, &mut files);
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        let mode = fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("it can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}
