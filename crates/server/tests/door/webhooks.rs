//! Webhooks against a receiver of our own: what arrives is verified here without the code that signs it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kapell_server::WebhookOptions;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::served::Served;

/// What a receiver does with a request.
#[derive(Clone, Debug)]
enum Does {
    /// Answers with this status, and these lines of its head.
    Answers(u16, &'static str),
    /// Says nothing for so long, then closes.
    Hangs(Duration),
    /// Answers 200 a byte at a time, with so long between two.
    Drips(Duration),
    /// Answers 200 with a head without an end.
    Floods,
}

const OK: Does = Does::Answers(204, "");

/// One request as it arrived.
#[derive(Clone, Debug)]
struct Arrived {
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Arrived {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    fn event(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn position(&self) -> u64 {
        self.event()["sequence"].as_str().expect("a text").parse().expect("a number")
    }

    /// Tells whether one of the signatures is that of `secret`.
    fn is_signed_with(&self, secret: &str) -> bool {
        let key = decoded(secret.strip_prefix("whsec_").expect("it begins so"));
        let mut signed = format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp"));
        signed.push_str(std::str::from_utf8(&self.body).expect("UTF-8"));
        let wanted = format!("v1,{}", encoded(&hmac(&key, signed.as_bytes())));
        self.header("webhook-signature").split(' ').any(|given| given == wanted)
    }
}

/// HMAC-SHA256 by RFC 2104, for keys of up to a block.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    assert!(key.len() <= 64);
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let sextet = (word >> (18 - 6 * place)) & 63;
            text.push(if place <= chunk.len() { char::from(ALPHABET[sextet as usize]) } else { '=' });
        }
    }
    text
}

fn decoded(text: &str) -> Vec<u8> {
    let place = |c: u8| ALPHABET.iter().position(|&known| known == c).expect("base64") as u32;
    let letters: Vec<u32> = text.trim_end_matches('=').bytes().map(place).collect();
    let bits = letters.iter().fold(Vec::new(), |mut bits: Vec<u8>, letter| {
        bits.extend((0..6).rev().map(|bit| (letter >> bit & 1) as u8));
        bits
    });
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect()
}

#[test]
fn the_verification_here_agrees_with_the_published_example() {
    let arrived = Arrived {
        headers: [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        body: br#"{"test": 2432232314}"#.to_vec(),
    };
    assert!(arrived.is_signed_with("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    assert!(!arrived.is_signed_with("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"));
}

/// A receiver that does what its plan says, request by request, and the last of it for ever.
struct Receiver {
    address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    plan: Arc<Mutex<Vec<Does>>>,
    stop: Arc<AtomicBool>,
}

impl Receiver {
    fn start(plan: &[Does]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let receiver = Self {
            address,
            arrived: Arc::default(),
            plan: Arc::new(Mutex::new(plan.to_vec())),
            stop: Arc::default(),
        };
        let (arrived, plan, stop) =
            (Arc::clone(&receiver.arrived), Arc::clone(&receiver.plan), Arc::clone(&receiver.stop));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (arrived, plan) = (Arc::clone(&arrived), Arc::clone(&plan));
                std::thread::spawn(move || receive(stream, &arrived, &plan));
            }
        });
        receiver
    }

    fn url(&self) -> String {
        format!("http://{}/hook?team=1", self.address)
    }

    fn plan(&self, plan: &[Does]) {
        *self.plan.lock().expect("the plan") = plan.to_vec();
    }

    fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().expect("what has arrived").clone()
    }

    /// Waits until so many requests have come.
    fn wait_for(&self, count: usize) -> Vec<Arrived> {
        until(&format!("{count} requests"), || Some(self.arrived()).filter(|all| all.len() >= count))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn receive(mut stream: TcpStream, arrived: &Mutex<Vec<Arrived>>, plan: &Mutex<Vec<Does>>) {
    let mut bytes = Vec::new();
    let mut piece = [0_u8; 4_096];
    let (head, length) = loop {
        let Ok(read @ 1..) = stream.read(&mut piece) else { return };
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        bytes.drain(..end + 4);
        break (head, length.unwrap_or(0));
    };
    while bytes.len() < length {
        let Ok(read @ 1..) = stream.read(&mut piece) else { return };
        bytes.extend_from_slice(&piece[..read]);
    }
    let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    arrived.lock().expect("what has arrived").push(Arrived { headers, body: bytes });
    let does = {
        let mut plan = plan.lock().expect("the plan");
        if plan.len() > 1 { plan.remove(0) } else { plan[0].clone() }
    };
    match does {
        Does::Answers(status, lines) => {
            let _ = write!(stream, "HTTP/1.1 {status} x\r\n{lines}content-length: 0\r\n\r\n");
        }
        Does::Hangs(time) => std::thread::sleep(time),
        Does::Drips(pause) => {
            for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" {
                std::thread::sleep(pause);
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
            }
        }
        Does::Floods => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
            while stream.write_all(&[b'x'; 4_096]).is_ok() {}
        }
    }
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < end, "no {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A server that lets webhooks go to this machine and does not wait long between attempts.
fn serve_on(data: TempDir) -> Served {
    serve_within(data, Duration::from_secs(10))
}

/// The same, with another time for one attempt.
fn serve_within(data: TempDir, timeout: Duration) -> Served {
    Served::with(data, |options| {
        options.webhooks = WebhookOptions {
            private_targets: true,
            retry_first: Duration::from_millis(20),
            retry_max: Duration::from_millis(100),
            attempts_max: 4,
            timeout,
        };
    })
}

fn serve() -> Served {
    serve_on(TempDir::new().expect("a directory"))
}

fn add(served: &Served, name: &str, receiver: &Receiver, types: &[&str]) -> String {
    let made = served.post("/v1/webhooks", &json!({"name": name, "url": receiver.url(), "types": types}));
    made["secret"].as_str().expect("a secret").to_owned()
}

fn submit(served: &Served, title: &str) {
    served.post("/v1/tasks", &json!({"title": title}));
}

fn hook(served: &Served, name: &str) -> Value {
    let all = served.get("/v1/webhooks");
    let found = all["items"].as_array().expect("a list").iter().find(|it| it["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("no {name}: {all}"))
}

/// Waits until a field of a webhook is so.
fn wait_hook(served: &Served, name: &str, field: &str, wanted: &Value) -> Value {
    until(&format!("{field} {wanted} of {name}"), || {
        Some(hook(served, name)).filter(|hook| hook[field] == *wanted)
    })
}

#[test]
fn an_escalation_reaches_the_outside_signed_as_a_cloud_event() {
    let (served, receiver) = (serve(), Receiver::start(&[OK]));
    submit(&served, "before");
    // Without types it is escalations that are sent.
    let secret = add(&served, "pager", &receiver, &[]);
    assert_eq!(hook(&served, "pager")["types"], json!(["kapell.escalation.*"]));
    let hard = json!({"title": "hard", "priority": "critical", "requires": [{"capability": "ada83"}]});
    served.post("/v1/tasks", &hard);
    served.post("/v1/escalations/E-1/acknowledge", &json!({}));
    served.post("/v1/escalations/E-1/settle", &json!({"note": "known"}));
    let arrived = receiver.wait_for(3);
    let types: Vec<Value> = arrived.iter().map(|it| it.event()["type"].clone()).collect();
    assert_eq!(
        types,
        ["kapell.escalation.raised", "kapell.escalation.acknowledged", "kapell.escalation.settled"]
    );
    for it in &arrived {
        assert!(it.is_signed_with(&secret), "{it:?}");
        assert!(!it.is_signed_with("whsec_AAAA"));
        let event = it.event();
        assert_eq!(it.header("content-type"), "application/cloudevents+json");
        assert_eq!(
            (&event["specversion"], it.header("webhook-id")),
            (&json!("1.0"), event["id"].as_str().expect("an id"))
        );
        let (sent, now) =
            (it.header("webhook-timestamp").parse::<u64>().expect("seconds"), std::time::SystemTime::now());
        let now = now.duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs();
        assert!(now - sent < 120, "{sent} {now}");
        let logged = served.get(&format!("/v1/events?after={}&limit=1", it.position() - 1));
        assert_eq!(event["data"], logged["events"][0], "it says what the log says");
    }
    assert_eq!(arrived[0].event()["subject"], "T-2");
    let shown = wait_hook(&served, "pager", "delivered", &json!(3));
    assert_eq!(
        (&shown["state"], &shown["waiting"], &shown["dead"]),
        (&json!("active"), &json!(0), &json!(0))
    );
}

#[test]
fn what_is_not_accepted_is_tried_again_later_events_pass_and_then_it_is_dead() {
    let (served, receiver) =
        (serve(), Receiver::start(&[Does::Answers(500, ""), OK, OK, Does::Answers(503, ""), OK]));
    add(&served, "log", &receiver, &["kapell.task.submitted"]);
    submit(&served, "first");
    let arrived = receiver.wait_for(2);
    assert_eq!(arrived[0].header("webhook-id"), arrived[1].header("webhook-id"), "it is the same message");
    wait_hook(&served, "log", "delivered", &json!(1));

    // One event that is never accepted does not hold up the others.
    receiver.plan(&[Does::Answers(400, "")]);
    submit(&served, "second");
    let dead = wait_hook(&served, "log", "dead", &json!(1));
    assert_eq!((&dead["waiting"], &dead["delivered"]), (&json!(0), &json!(1)));
    receiver.plan(&[OK]);
    submit(&served, "third");
    wait_hook(&served, "log", "delivered", &json!(2));
    let letters = served.get("/v1/webhooks/log/dead");
    let letter = letters["items"][0].clone();
    assert_eq!(
        (&letter["attempts"], &letter["type"]),
        (&json!(4), &json!("kapell.task.submitted")),
        "{letter}"
    );
    assert_eq!(letter["reason"], "answered 400");
    let second = letter["position"].as_u64().expect("a position");
    let tries = receiver.arrived().iter().filter(|it| it.position() == second).count();
    assert_eq!(tries, 4, "as often as it is said");

    // It is kept over a restart, and delivered once somebody says so.
    let served = serve_on(served.stop());
    assert_eq!(served.get("/v1/webhooks/log/dead"), letters);
    assert_eq!(served.post("/v1/webhooks/log/retry", &json!({"position": second + 1}))["count"], 0);
    assert_eq!(served.post("/v1/webhooks/log/retry", &json!({"position": second}))["count"], 1);
    wait_hook(&served, "log", "delivered", &json!(3));
    assert_eq!(served.get("/v1/webhooks/log/dead")["items"], json!([]));
    assert_eq!(served.post("/v1/webhooks/log/discard", &json!({}))["count"], 0);
}

#[test]
fn receivers_that_hang_drip_flood_or_lead_elsewhere_are_left_in_time() {
    let elsewhere = Receiver::start(&[OK]);
    let served = serve_within(TempDir::new().expect("a directory"), Duration::from_secs(2));
    let elsewhere_url = elsewhere.url();
    let slow = [Does::Hangs(Duration::from_secs(30)), Does::Drips(Duration::from_millis(100)), Does::Floods];
    for (index, does) in slow.iter().enumerate() {
        let receiver = Receiver::start(std::slice::from_ref(does));
        add(&served, &format!("slow{index}"), &receiver, &["kapell.task.submitted"]);
        let started = Instant::now();
        let tried = served.post(&format!("/v1/webhooks/slow{index}/test"), &json!({}));
        assert_eq!(tried["accepted"], false, "{does:?}: {tried}");
        assert!(started.elapsed() < Duration::from_secs(20), "{does:?}: {tried}");
    }
    let leads: &'static str = Box::leak(format!("location: {elsewhere_url}\r\n").into_boxed_str());
    let receiver = Receiver::start(&[Does::Answers(307, leads)]);
    add(&served, "leads", &receiver, &["kapell.task.submitted"]);
    let tried = served.post("/v1/webhooks/leads/test", &json!({}));
    assert_eq!((&tried["status"], &tried["accepted"]), (&json!(307), &json!(false)), "{tried}");
    assert!(elsewhere.arrived().is_empty(), "a redirect is not followed");
    // None of them keeps another from its events, and the writer does not know of them.
    let good = Receiver::start(&[OK]);
    add(&served, "good", &good, &["kapell.task.submitted"]);
    submit(&served, "first");
    good.wait_for(1);
    let test = served.post("/v1/webhooks/good/test", &json!({}));
    assert_eq!((&test["accepted"], &test["status"]), (&json!(true), &json!(204)), "{test}");
    let arrived = good.wait_for(2);
    assert_eq!(arrived[1].event()["type"], "kapell.webhook.test");
}

#[test]
fn a_test_that_nobody_waits_for_any_more_keeps_its_turn_until_it_ends() {
    let receiver = Receiver::start(&[Does::Hangs(Duration::from_secs(60))]);
    let served = serve();
    add(&served, "slow", &receiver, &["kapell.task.submitted"]);
    let address = served.base.trim_start_matches("http://");
    for sent in 1..=4 {
        let mut stream = TcpStream::connect(address).expect("a connection");
        let admin = &served.admin;
        write!(
            stream,
            "POST /v1/webhooks/slow/test HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {admin}\r\ncontent-length: 0\r\n\r\n"
        )
        .expect("it is sent");
        receiver.wait_for(sent);
        // Whoever asked goes away.
        drop(stream);
    }
    std::thread::sleep(Duration::from_millis(200));
    let (status, busy) = served.ask("POST", "/v1/webhooks/slow/test", &json!({}));
    assert_eq!((status, &busy["code"]), (503, &json!("busy")), "{busy}");
    assert_eq!(receiver.arrived().len(), 4);
    receiver.plan(&[OK]);
    until("turn again", || (served.ask("POST", "/v1/webhooks/slow/test", &json!({})).0 == 200).then_some(()));
}

#[test]
fn gone_stops_a_webhook_and_loses_nothing() {
    let (served, receiver) = (serve(), Receiver::start(&[Does::Answers(410, "")]));
    add(&served, "log", &receiver, &["kapell.task.submitted"]);
    submit(&served, "first");
    let stopped = wait_hook(&served, "log", "state", &json!("stopped"));
    assert!(stopped["reason"].as_str().is_some_and(|why| why.contains("410 Gone")), "{stopped}");
    // Whoever looks at the fleet is told, and not where it went.
    let wanted = json!([{"name": "log", "state": "stopped", "reason": stopped["reason"]}]);
    for path in ["/v1/status", "/v1/overview"] {
        assert_eq!(served.get(path)["webhooks_stuck"], wanted, "{path}");
    }
    assert_eq!(served.get("/v1/status?at=1")["webhooks_stuck"], json!([]));
    submit(&served, "second");
    let served = serve_on(served.stop());
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(receiver.arrived().len(), 1, "it is left in peace");
    receiver.plan(&[OK]);
    assert_eq!(served.post("/v1/webhooks/log/resume", &json!({}))["state"], "active");
    wait_hook(&served, "log", "delivered", &json!(2));
    assert_eq!(served.get("/v1/status")["webhooks_stuck"], json!([]));
    let mut told: Vec<Value> =
        receiver.arrived()[1..].iter().map(|it| it.event()["subject"].clone()).collect();
    told.sort_by_key(ToString::to_string);
    assert_eq!(told, ["T-1", "T-2"]);
}

#[test]
fn a_restart_in_the_middle_loses_nothing_and_keeps_the_order() {
    let (mut served, receiver) = (serve(), Receiver::start(&[OK]));
    add(&served, "log", &receiver, &["kapell.task.submitted"]);
    for round in 0..4 {
        for task in 0..25 {
            submit(&served, &format!("task {round}.{task}"));
        }
        served = serve_on(served.stop());
    }
    wait_hook(&served, "log", "behind", &json!(0));
    let positions: Vec<u64> = until("every event", || {
        let mut seen = std::collections::BTreeSet::new();
        let fresh = receiver
            .arrived()
            .iter()
            .map(Arrived::position)
            .filter(|it| seen.insert(*it))
            .collect::<Vec<_>>();
        (fresh.len() >= 100).then_some(fresh)
    });
    assert_eq!(positions.len(), 100);
    assert!(positions.is_sorted(), "first attempts follow the log: {positions:?}");
}

#[test]
fn secrets_overlap_while_they_are_rotated_and_stand_in_their_file_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (served, receiver) = (serve(), Receiver::start(&[OK]));
    let first = add(&served, "log", &receiver, &["kapell.task.submitted"]);
    let rotated = served.post("/v1/webhooks/log/rotate", &json!({"grace_ms": 60_000}));
    let second = rotated["secret"].as_str().expect("a secret").to_owned();
    assert_eq!(rotated["secrets"], 2);
    submit(&served, "first");
    let arrived = receiver.wait_for(1);
    assert!(arrived[0].is_signed_with(&first) && arrived[0].is_signed_with(&second));
    let third = served.post("/v1/webhooks/log/rotate", &json!({"grace_ms": 0}));
    let third = third["secret"].as_str().expect("a secret").to_owned();
    submit(&served, "second");
    let arrived = receiver.wait_for(2);
    assert!(arrived[1].is_signed_with(&third));
    assert!(!arrived[1].is_signed_with(&first) && !arrived[1].is_signed_with(&second));
    // Only its file has it, and only its owner may read that.
    let mut told = String::new();
    for path in ["/v1/webhooks", "/v1/events?limit=1000", "/v1/report", "/v1/status"] {
        told.push_str(&served.get(path).to_string());
    }
    assert!(!told.contains("whsec_"), "a secret was told");
    let data = served.stop();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(data.path()).expect("it can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("it can be read");
            if bytes.windows(third.len()).any(|window| window == third.as_bytes()) {
                found.push(path);
            }
        }
    }
    assert_eq!(found, [data.path().join("webhook-secrets.json")]);
    assert_eq!(std::fs::metadata(&found[0]).expect("it is there").permissions().mode() & 0o777, 0o600);
    // Without the file nothing is sent unsigned.
    std::fs::remove_file(&found[0]).expect("it goes");
    let served = serve_on(data);
    let stopped = hook(&served, "log");
    assert_eq!((&stopped["state"], &stopped["secrets"]), (&json!("stopped"), &json!(0)), "{stopped}");
    assert_eq!(served.post("/v1/webhooks/log/resume", &json!({}))["state"], "stopped");
    let test = served.post("/v1/webhooks/log/test", &json!({}));
    assert!(test["accepted"] == false && test["reason"].to_string().contains("secret is missing"), "{test}");
    assert_eq!(receiver.arrived().len(), 2, "nothing has come");
    served.post("/v1/webhooks/log/rotate", &json!({}));
    assert_eq!(served.post("/v1/webhooks/log/resume", &json!({}))["state"], "active");
}

#[test]
fn targets_inside_are_refused_unless_the_server_was_started_so() {
    let served = Served::start();
    for url in [
        "http://127.0.0.1:1/",
        "http://localhost/",
        "https://[::1]/",
        "http://10.0.0.1",
        "http://169.254.169.254/latest/",
    ] {
        let (status, refused) = served.ask("POST", "/v1/webhooks", &json!({"name": "in", "url": url}));
        assert_eq!((status, &refused["field"]), (400, &json!("url")), "{url}: {refused}");
        assert!(refused["detail"].to_string().contains("--private-webhooks"), "{refused}");
    }
    served.post("/v1/webhooks", &json!({"name": "in", "url": "https://example.invalid/hook"}));
    let (status, taken) =
        served.ask("POST", "/v1/webhooks", &json!({"name": "in", "url": "https://example.org"}));
    assert_eq!((status, &taken["code"]), (409, &json!("duplicate")), "{taken}");
    assert_eq!(served.ask("DELETE", "/v1/webhooks/in", &Value::Null).0, 204);
    assert_eq!(served.get("/v1/webhooks")["items"], json!([]));
    assert_eq!(served.ask("DELETE", "/v1/webhooks/in", &Value::Null).0, 404);
}
