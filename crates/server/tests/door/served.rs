//! A real server on a temporary data directory, spoken to over its socket.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;

use kapell_server::{ADMIN_TOKEN_FILE, ServeOptions, WebhookOptions, serve};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// A server that stops when it is dropped.
pub struct Served {
    pub base: String,
    pub admin: String,
    pub data: TempDir,
    http: ureq::Agent,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Starts on a fresh directory.
    pub fn start() -> Self {
        Self::on(TempDir::new().expect("a directory"))
    }

    /// Starts on a directory.
    pub fn on(data: TempDir) -> Self {
        Self::with(data, |_| {})
    }

    /// Starts on a directory, with other options.
    pub fn with(data: TempDir, change: impl FnOnce(&mut ServeOptions)) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (sender, started) = mpsc::channel();
        let mut options = ServeOptions {
            data: data.path().to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            hosts: vec!["rooms.lan".to_owned()],
            mcp_fixtures: false,
            llm: None,
            webhooks: WebhookOptions::default(),
        };
        change(&mut options);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime");
            let serving =
                serve(options, |started| sender.send(started.address).expect("the test waits"), async {
                    let _ = stopped.await;
                });
            runtime.block_on(serving).expect("it serves");
        });
        let address = started.recv().expect("it starts");
        // No connection is used twice: after a refusal that did not read the body the server closes it, and a request
        // that is on its way by then would fail.
        let http = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_idle_connections(0)
            .proxy(None)
            .build()
            .new_agent();
        Self {
            base: format!("http://{address}"),
            admin: token_in(data.path()),
            data,
            http,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Stops, and gives the directory back.
    pub fn stop(mut self) -> TempDir {
        self.halt();
        std::mem::replace(&mut self.data, TempDir::new().expect("a directory"))
    }

    fn halt(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it ends in order");
        }
    }

    /// Asks with the admin token and a JSON body.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let bytes = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).expect("JSON") };
        self.send(method, path, &self.admin, &[("content-type", "application/json")], &bytes)
    }

    /// Asks for something without a body.
    pub fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, &Value::Null);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Posts something that must be accepted.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask("POST", path, body);
        assert!((200..300).contains(&status), "{path} {body}: {status} {answer}");
        answer
    }

    /// Sends bytes as they are.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> (u16, Value) {
        let (status, text) = self.send_text(method, path, token, headers, body);
        let answer = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (status, answer)
    }

    /// Sends bytes and returns the answer as text.
    pub fn send_text(
        &self,
        method: &str,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> (u16, String) {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = if body.is_empty() {
            self.http.run(request.body(()).expect("a request"))
        } else {
            self.http.run(request.body(body).expect("a request"))
        };
        let mut answer = answer.expect("an answer");
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().expect("a body");
        (answer.status().as_u16(), text)
    }

    /// Makes a token.
    pub fn token(&self, access: &str, agent: Option<&str>) -> String {
        let made =
            self.post("/v1/tokens", &serde_json::json!({"access": access, "agent": agent, "label": "test"}));
        made["token"].as_str().expect("a token").to_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.halt();
    }
}

fn token_in(data: &Path) -> String {
    let text = std::fs::read_to_string(data.join(ADMIN_TOKEN_FILE)).expect("the admin token");
    text.trim().to_owned()
}
