//! Components from a model: a server on the loopback that speaks the protocol, well and badly.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kapell_server::{LlmOptions, Secret};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::served::Served;

const KEY: &str = "sk-planted-0123456789";

/// What was asked: the first line, the headers, the body.
type Asked = Arc<Mutex<Vec<(String, String, Value)>>>;

/// A server that answers every question alike, after a while.
struct Model {
    asked: Asked,
    /// Questions that are being answered, and the most that ever were.
    at_once: Arc<(AtomicUsize, AtomicUsize)>,
    options: LlmOptions,
}

impl Model {
    fn answering(status: u16, body: String, after: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let asked = Asked::default();
        let notes = Arc::clone(&asked);
        let at_once = Arc::<(AtomicUsize, AtomicUsize)>::default();
        let counts = Arc::clone(&at_once);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (notes, body, counts) = (Arc::clone(&notes), body.clone(), Arc::clone(&counts));
                std::thread::spawn(move || {
                    counts.1.fetch_max(counts.0.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    answer(stream, &notes, status, &body, after, || {
                        counts.0.fetch_sub(1, Ordering::SeqCst);
                    });
                });
            }
        });
        let key = Some(Secret::new(KEY));
        let options = LlmOptions { url, model: "small-1".to_owned(), key, timeout: Duration::from_secs(2) };
        Self { asked, at_once, options }
    }

    fn saying(content: &Value) -> Self {
        Self::saying_after(content, Duration::ZERO)
    }

    fn saying_after(content: &Value, after: Duration) -> Self {
        let message = json!({"role": "assistant", "content": content.to_string()});
        let body = json!({"id": "x", "object": "chat.completion", "model": "small-1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
        Self::answering(200, body.to_string(), after)
    }

    fn asked(&self) -> Vec<(String, String, Value)> {
        self.asked.lock().expect("no panic").clone()
    }

    fn served(&self) -> Served {
        let llm = Some(self.options.clone());
        Served::with(TempDir::new().expect("a directory"), |options| options.llm = llm)
    }
}

fn answer(
    mut stream: TcpStream,
    asked: &Asked,
    status: u16,
    body: &str,
    after: Duration,
    answers: impl FnOnce(),
) {
    let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).expect("a line") == 0 || line == "\r\n" {
            break;
        }
        lines.push(line.trim().to_lowercase());
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.expect("a length").parse().expect("a number");
    let mut question = vec![0; length];
    reader.read_exact(&mut question).expect("a body");
    let question = serde_json::from_slice(&question).expect("JSON");
    let first = lines.remove(0);
    asked.lock().expect("no panic").push((first, lines.join("\n"), question));
    std::thread::sleep(after);
    answers();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // Who asked may have gone.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

fn two() -> Value {
    json!({"components": [
        {"title": "the store", "description": "Done when it is durable."},
        {"title": "the door", "description": ""},
    ]})
}

fn titles(task: &Value) -> Vec<&str> {
    let into = task["breakdown"]["into"].as_array().expect("subtasks");
    into.iter().map(|it| it["title"].as_str().expect("a title")).collect()
}

#[test]
fn what_a_model_says_becomes_subtasks_and_is_said_to_come_from_it() {
    let model = Model::saying(&two());
    let served = model.served();
    let text = "Rebuild it, so that it holds.";
    served.post(
        "/v1/tasks",
        &json!({"title": "all", "key": "all", "role": "nobody", "labels": ["quiet"], "description": text}),
    );
    let done = served.post("/v1/tasks/all/breakdown", &json!({}));
    assert_eq!((&done["state"], &done["note"]), (&json!("archived"), &Value::Null), "{done}");

    let asked = model.asked();
    let [(line, headers, question)] = &asked[..] else { panic!("one question: {asked:?}") };
    assert_eq!(line, "post /v1/chat/completions http/1.1");
    assert!(headers.contains(&format!("authorization: bearer {KEY}")), "{headers}");
    assert_eq!(question["model"], "small-1");
    let schema = &question["response_format"]["json_schema"];
    assert_eq!((&schema["strict"], &schema["schema"]["required"]), (&json!(true), &json!(["components"])));
    let sent: Value =
        serde_json::from_str(question["messages"][1]["content"].as_str().expect("a text")).expect("JSON");
    assert_eq!(sent, json!({"title": "all", "description": text}), "and nothing else of the task");

    let data = served.stop();
    let served = Served::on(data);
    let task = served.get("/v1/tasks/all");
    assert_eq!(
        titles(&task),
        ["Plan: all", "the store", "the door", "Integrate: all", "Test: all"],
        "{task}"
    );
    assert_eq!(
        (&task["breakdown"]["components_from"], &task["breakdown"]["model"]),
        (&json!("model"), &json!("small-1"))
    );
    assert!(task["because"].to_string().contains("2 components (model `small-1`)"), "{task}");
    let events = served.get("/v1/events?kind=breakdown.made");
    assert_eq!(events["events"][0]["data"]["model"], "small-1", "{events}");
    let everything = served.get("/v1/events?limit=1000").to_string();
    assert!(!everything.contains(KEY), "the key is in an event");
    for file in
        std::fs::read_dir(served.data.path()).expect("a directory").flatten().filter(|it| it.path().is_file())
    {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        assert!(
            !bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes()),
            "the key is in {:?}",
            file.path()
        );
    }
}

#[test]
fn who_names_components_asks_no_model() {
    let model = Model::saying(&two());
    let served = model.served();
    for (key, body) in [
        ("declared", json!({"components": [{"title": "one"}]})),
        ("listed", json!({"description": "- [ ] one\n- [ ] two"})),
        ("named", json!({})),
    ] {
        let mut task = json!({"title": key, "key": key, "role": "nobody"});
        task.as_object_mut().expect("an object").extend(body.as_object().expect("an object").clone());
        served.post("/v1/tasks", &task);
    }
    served.post("/v1/tasks/declared/breakdown", &json!({}));
    served.post("/v1/tasks/listed/breakdown", &json!({}));
    served.post("/v1/tasks/named/breakdown", &json!({"components": [{"title": "one"}]}));
    let (status, _) = served.ask("POST", "/v1/tasks/named/breakdown", &json!({}));
    assert_eq!(status, 409, "what was broken down is not sent out again");
    let (status, _) = served.ask("POST", "/v1/tasks/nothing/breakdown", &json!({}));
    assert_eq!(status, 404);
    assert_eq!(model.asked().len(), 0);
}

#[test]
fn without_a_useful_answer_the_planning_says_the_components() {
    let long = json!({"components": [{"title": "a", "description": "x".repeat(300_000)}]});
    let gone = {
        let mut gone = Model::saying(&two());
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        gone.options.url = format!("http://{free}/v1");
        gone
    };
    let instead = |content: Value| Model::saying(&content);
    let failed =
        |status: u16| Model::answering(status, format!("{{\"error\":\"bad key {KEY}\"}}"), Duration::ZERO);
    for (model, says) in [
        (gone, "no answer"),
        (failed(401), "status 401"),
        (failed(307), "status 307"),
        (failed(200), "choices"),
        (instead(json!({"components": []})), "allowed: 1 to 50"),
        (
            instead(json!({"components": [{"title": "a", "description": "", "owner": "ada"}]})),
            "components[0]",
        ),
        (instead(json!({"components": [{"title": "", "description": ""}]})), "components[0].title"),
        (instead(long), "longer than"),
        (Model::answering(200, "{}".to_owned(), Duration::from_secs(20)), "no answer"),
    ] {
        let served = model.served();
        served.post("/v1/tasks", &json!({"title": "all", "key": "all", "role": "nobody"}));
        let since = Instant::now();
        let done = served.post("/v1/tasks/all/breakdown", &json!({}));
        assert!(since.elapsed() < Duration::from_secs(10), "{says}: after {:?}", since.elapsed());
        let note = done["note"].as_str().unwrap_or_default();
        assert!(note.contains(says) && note.contains("the planning says them"), "{says}: {done}");
        assert!(!done.to_string().contains(KEY), "{done}");
        let task = served.get("/v1/tasks/all");
        assert_eq!(titles(&task), ["Plan: all", "Integrate: all", "Test: all"], "{task}");
        assert_eq!(task["breakdown"]["components_from"], Value::Null);
    }
}

#[test]
fn while_a_model_thinks_the_server_goes_on() {
    let model = Model::answering(200, "{}".to_owned(), Duration::from_secs(20));
    let served = model.served();
    served.post("/v1/tasks", &json!({"title": "all", "key": "all", "role": "nobody"}));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| served.post("/v1/tasks/all/breakdown", &json!({})));
        let since = Instant::now();
        while model.asked().is_empty() && since.elapsed() < Duration::from_secs(10) {
            std::thread::yield_now();
        }
        served.post("/v1/tasks", &json!({"title": "another", "key": "another"}));
        assert_eq!(served.get("/v1/tasks/all")["state"], "ready", "it is still asked");
        assert!(!asking.is_finished());
        assert!(asking.join().expect("an answer")["note"].is_string());
    });
}

fn broken_down_by_policy(served: &Served) {
    let mut policy = served.get("/v1/policy");
    policy["breakdown"] = json!({"by": "policy"});
    let (status, answer) = served.ask("PUT", "/v1/policy", &policy);
    assert_eq!(status, 200, "{answer}");
}

fn until(what: &str, mut so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !so() {
        assert!(since.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_slow_model_is_asked_several_things_at_once_and_holds_up_nothing_else() {
    let mut model = Model::saying_after(&two(), Duration::from_secs(3));
    model.options.timeout = Duration::from_secs(60);
    let served = model.served();
    broken_down_by_policy(&served);
    for number in 0..6 {
        served.post("/v1/tasks", &json!({"title": format!("large {number}"), "estimate_hours": 50}));
    }
    until("questions are under way", || !model.asked().is_empty());
    let listed = "- [ ] one\n- [ ] two";
    served.post(
        "/v1/tasks",
        &json!({"title": "listed", "key": "listed", "estimate_hours": 50, "description": listed}),
    );
    until("what names its components is broken down", || {
        served.get("/v1/tasks/listed")["state"] == "archived"
    });
    assert!(
        (1..=6).any(|it| served.get(&format!("/v1/tasks/T-{it}"))["state"] != "archived"),
        "before the others"
    );
    until("all are broken down", || {
        (1..=6).all(|it| served.get(&format!("/v1/tasks/T-{it}"))["state"] == "archived")
    });
    for it in 1..=6 {
        assert_eq!(served.get(&format!("/v1/tasks/T-{it}"))["breakdown"]["model"], "small-1", "T-{it}");
    }
    assert_eq!(model.asked().len(), 6, "each is asked about once");
    let most = model.at_once.1.load(Ordering::SeqCst);
    assert!((2..=4).contains(&most), "{most} at once");
}

#[test]
fn what_has_changed_while_the_model_thought_is_not_broken_down_as_it_was() {
    let mut model = Model::saying_after(&two(), Duration::from_millis(1_500));
    model.options.timeout = Duration::from_secs(60);
    let served = model.served();
    broken_down_by_policy(&served);
    served.post("/v1/tasks", &json!({"title": "large", "estimate_hours": 50}));
    until("it is asked about", || !model.asked().is_empty());
    let edited = json!({"description": "- [ ] one\n- [ ] another"});
    let (status, answer) = served.ask("PATCH", "/v1/tasks/T-1", &edited);
    assert_eq!(status, 200, "{answer}");
    until("it is broken down", || served.get("/v1/tasks/T-1")["state"] == "archived");
    let task = served.get("/v1/tasks/T-1");
    assert_eq!(titles(&task)[1..3], ["one", "another"], "{task}");
}

#[test]
fn what_the_policy_finds_large_goes_to_the_model_too() {
    let model = Model::saying(&two());
    let served = model.served();
    broken_down_by_policy(&served);
    served.post("/v1/tasks", &json!({"title": "large", "estimate_hours": 50}));
    let since = Instant::now();
    while served.get("/v1/tasks/T-1")["state"] != "archived" && since.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let task = served.get("/v1/tasks/T-1");
    assert_eq!(titles(&task)[1..3], ["the store", "the door"], "{task}");
    assert_eq!(task["breakdown"]["model"], "small-1", "{task}");
}
