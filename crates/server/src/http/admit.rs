//! Which request is let in, told from its head alone: a refusal must cost little, or it is no help.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use kapell_model::Name;
use tokio::time::Instant;

use super::problem::Told;
use super::{App, Refusal, door};
use crate::admission::Lane;
use crate::fleet::Refused;
use crate::token::Access;
use crate::writer::now;

/// Bytes of a refused request's body that are taken and thrown away, so that its connection can be used again.
const REST_BYTES_MAX: u64 = 64 * 1024;
/// How long they may take to come.
const REST: Duration = Duration::from_secs(5);

/// How long somebody who came early is kept waiting, before it is told once more to stay away.
const KEPT_MAX: Duration = Duration::from_secs(5);

/// How long whoever sends on a connection was told to stay away, and with what. What comes earlier all the same is looked at only
/// then, so that a flood of callers that never wait is no faster than one of callers that do; what goes before it is looked at,
/// and what somebody else sends, since a proxy in front sends for many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Absence(Arc<Mutex<Option<Away>>>);

#[derive(Clone, Copy, Debug)]
struct Away {
    caller: u64,
    lane: Lane,
    until: Instant,
}

impl Absence {
    fn begin(&self, caller: u64, lane: Lane, until: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Away { caller, lane, until });
    }

    /// Returns the end of the absence, where a request of `lane` is among what was meant.
    fn end(&self, caller: u64, lane: Lane) -> Option<Instant> {
        let told = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        (caller == told.caller && lane >= told.lane && told.until > Instant::now()).then_some(told.until)
    }
}

/// Answers `busy`, before the body is read, where more is under way than the request's lane allows.
pub(super) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_awaited = |agent: &str| app.fleet.awaited.is(agent);
    let Some(lane) = lane(request.method(), request.uri().path(), is_awaited) else {
        return next.run(request).await;
    };
    if let Some(since) = app.fleet.admission.stuck() {
        throw_away(request);
        return Refusal::from(Refused::Stuck { since }).into_response();
    }
    let absence = request.extensions().get::<Absence>().cloned();
    let caller = caller(request.headers());
    let mut early = absence.as_ref().and_then(|absence| absence.end(caller, lane));
    let _kept = early.and_then(|_| agent_of(&app, &request)).map(|agent| app.fleet.heard.keep(agent));
    let kept = Instant::now() + KEPT_MAX;
    loop {
        if let Some(end) = early {
            tokio::time::sleep_until(end).await;
        }
        let Err(after) = app.fleet.admission.admit(lane) else {
            let asks = request.uri().path().ends_with("/next");
            let response = next.run(request).await;
            // Who asks for work on more connections than it may is kept waiting like whoever found no room.
            if let (true, Some(absence), Some(told)) = (asks, absence, response.extensions().get::<Told>()) {
                absence.begin(caller, Lane::Look, Instant::now() + told.0);
            }
            return response;
        };
        let until = Instant::now() + after;
        // To be told the same again would cost more than to wait here.
        if early.is_some() && until <= kept {
            early = Some(until);
            continue;
        }
        // What is refused is no silence.
        agent_of(&app, &request).into_iter().for_each(|agent| app.fleet.heard.note(agent));
        if early.is_none() {
            throw_away(request);
        }
        if let Some(absence) = absence {
            absence.begin(caller, lane, until);
        }
        return Refusal::from(Refused::Busy { after }).into_response();
    }
}

/// Tells callers of one connection apart, by what they show.
fn caller(headers: &HeaderMap) -> u64 {
    let mut hasher = DefaultHasher::new();
    headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).hash(&mut hasher);
    hasher.finish()
}

/// Returns the agent that is heard of by a request, where its token may speak for it.
fn agent_of(app: &App, request: &Request) -> Option<Name> {
    let caller = app.tokens.caller(door::token(request.headers())?, now())?;
    if let Some(agent) = &caller.agent {
        return Some(agent.clone());
    }
    // Whoever manages calls in the name of an agent only with these.
    let (agent, verb) = request.uri().path().strip_prefix("/v1/agents/")?.split_once('/')?;
    let calls = matches!(verb, "heartbeat" | "next" | "messages/read" | "notices/read");
    let speaks = caller.access <= Access::Manager && request.method() == Method::POST && calls;
    Name::new(agent).ok().filter(|_| speaks)
}

/// Returns the lane of a request; none where it is always let in. `is_awaited` tells whether work waits to be fetched by the
/// agent of a name.
fn lane(method: &Method, path: &str, is_awaited: impl Fn(&str) -> bool) -> Option<Lane> {
    let mut parts = path.split('/').skip(2);
    let [one, two, three, four] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    // These ask nobody, or have a bound of their own.
    if matches!((one, two), ("health" | "errors", _) | ("events", "stream")) {
        return None;
    }
    if method == Method::GET || method == Method::HEAD {
        return Some(Lane::Look);
    }
    Some(match (one, three, four) {
        (
            "tasks",
            "start" | "progress" | "done" | "fail" | "release" | "check" | "usage" | "permission",
            _,
        )
        | ("tasks", "handoff", "package" | "confirm" | "decline")
        | ("agents", "heartbeat" | "leave", _)
        | ("reservations", "renew" | "release", _) => Lane::Owed,
        ("agents", "drain", _) | ("emergencies" | "policy" | "tokens", ..) => Lane::Control,
        ("agents", "next", _) if is_awaited(two) => Lane::Owed,
        ("agents", "next", _) => Lane::Look,
        _ => Lane::Change,
    })
}

/// Takes a small body that is on its way; the connection ends behind one that is not. (Of whoever was kept waiting it has come, or
/// will not.)
fn throw_away(request: Request) {
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    // Who awaits a word before the body does not send it now.
    let comes = matches!(length, Some(1..=REST_BYTES_MAX)) && !headers.contains_key(header::EXPECT);
    if !comes {
        return;
    }
    let rest = async move {
        let mut body = request.into_body().into_data_stream();
        while let Some(Ok(_)) = body.next().await {}
    };
    tokio::spawn(tokio::time::timeout(REST, rest));
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;
    use std::sync::mpsc;

    use kapell_api::Problem;
    use serde_json::json;

    use super::*;
    use crate::in_process::InProcess;

    #[test]
    fn reports_go_before_changes_and_changes_before_looking() {
        use Lane::{Change, Control, Look, Owed};
        let table = [
            ("POST", "/v1/tasks/T-1/done", Some(Owed)),
            ("POST", "/v1/tasks/T-1/start", Some(Owed)),
            ("POST", "/v1/tasks/T-1/permission", Some(Owed)),
            ("POST", "/v1/tasks/T-1/permission/withdraw", Some(Owed)),
            ("POST", "/v1/tasks/T-1/handoff/package", Some(Owed)),
            ("POST", "/v1/tasks/T-1/handoff", Some(Change)),
            ("POST", "/v1/agents/ada/heartbeat", Some(Owed)),
            ("POST", "/v1/agents/ada/leave", Some(Owed)),
            // Only where something waits for the agent.
            ("POST", "/v1/agents/ada/next", Some(Owed)),
            ("POST", "/v1/agents/bram/next", Some(Look)),
            ("POST", "/v1/reservations/R-1/renew", Some(Owed)),
            ("POST", "/v1/reservations", Some(Change)),
            ("POST", "/v1/emergencies", Some(Control)),
            ("PUT", "/v1/policy", Some(Control)),
            ("POST", "/v1/agents/ada/drain", Some(Control)),
            ("DELETE", "/v1/tokens/3", Some(Control)),
            ("POST", "/v1/tasks", Some(Change)),
            ("POST", "/v1/bulk", Some(Change)),
            ("PATCH", "/v1/tasks/T-1", Some(Change)),
            // A task may be named like a report.
            ("POST", "/v1/tasks/done/cancel", Some(Change)),
            ("GET", "/v1/tasks", Some(Look)),
            ("GET", "/v1/policy", Some(Look)),
            ("GET", "/v1/board", Some(Look)),
            ("GET", "/v1/health", None),
            ("GET", "/v1/errors/busy", None),
            ("GET", "/v1/events/stream", None),
            ("GET", "/v1/events", Some(Look)),
        ];
        for (method, path, wanted) in table {
            let method = method.parse().expect("a method");
            assert_eq!(lane(&method, path, |agent| agent == "ada"), wanted, "{method} {path}");
        }
    }

    /// More under way than a change is let in beside, by a server that knows nothing of itself.
    const FULL: usize = 300;

    /// Reads one answer: its head, and the problem that it is.
    fn answer(stream: &mut TcpStream) -> (String, Problem) {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("text").to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let mut body = vec![0; length.parse().expect("a number")];
        stream.read_exact(&mut body).expect("a body");
        (head, serde_json::from_slice(&body).expect("a problem"))
    }

    #[test]
    fn a_full_server_refuses_before_it_reads_and_takes_reports() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let data = tempfile::tempdir().expect("a directory");
        let server = InProcess::start(data.path()).expect("it starts");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("it listens");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = runtime.spawn(crate::listen::answer_all(listener, server.router.clone(), async {
            let _ = stopped.await;
        }));

        // The writer is held up, and more waits for it than a change may wait for.
        let (release, held) = mpsc::channel::<()>();
        let (taken, holding) = mpsc::channel();
        let fleet = server.fleet().clone();
        let first = runtime.spawn(async move {
            let ask = move |_: &crate::View<'_>| {
                taken.send(()).expect("the test waits");
                let _ = held.recv();
            };
            fleet.query(ask).await
        });
        holding.recv().expect("the writer has it");
        let waiting: Vec<_> = (1..FULL)
            .map(|_| {
                let fleet = server.fleet().clone();
                runtime.spawn(async move { fleet.query(|_| ()).await })
            })
            .collect();
        while server.fleet().admission.under_way() < FULL {
            std::thread::yield_now();
        }

        // A submission whose body never comes is answered all the same, and says when to come back.
        let head = |path: &str, length: usize| {
            format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n",
                server.token
            )
        };
        let mut stream = TcpStream::connect(address).expect("it connects");
        stream.write_all(head("/v1/tasks", 9).as_bytes()).expect("it is sent");
        let (refused, problem) = answer(&mut stream);
        assert!(
            refused.starts_with("http/1.1 503") && refused.contains("\r\nretry-after: 1\r\n"),
            "{refused}"
        );
        assert_eq!((problem.code.as_str(), problem.retry_after_ms), ("busy", Some(50)));

        // Who asks for work that there is none of is refused too, and is heard of: by a token that may speak for it.
        for (token, heard) in [("no-token", false), (server.token.as_str(), true)] {
            let mut asks = TcpStream::connect(address).expect("it connects");
            let head = head("/v1/agents/ada/next", 2).replace(&server.token, token);
            asks.write_all(format!("{head}{{}}").as_bytes()).expect("it is sent");
            assert!(answer(&mut asks).0.starts_with("http/1.1 503"));
            let agents = server.fleet().heard.take();
            assert_eq!(agents.iter().any(|agent| agent.as_str() == "ada"), heard, "{agents:?}");
        }

        // On the same connection, whose late body is thrown away, a report gets through to the writer.
        let body = json!({"agent": "ada", "assignment": "A-1"}).to_string();
        stream.write_all(b"{\"title\":").expect("it is sent");
        stream.write_all(head("/v1/tasks/T-1/done", body.len()).as_bytes()).expect("it is sent");
        stream.write_all(body.as_bytes()).expect("it is sent");
        while server.fleet().admission.under_way() <= FULL {
            std::thread::yield_now();
        }
        release.send(()).expect("the writer waits");
        let (decided, problem) = answer(&mut stream);
        assert!(decided.starts_with("http/1.1 404"), "{decided} {problem:?}");

        runtime.block_on(async {
            first.await.expect("it ends").expect("it is answered");
            for one in waiting {
                one.await.expect("it ends").expect("it is answered");
            }
            drop(stop);
            drop(stream);
            serving.await.expect("it ends");
        });
        server.stop();
    }

    #[test]
    fn fetching_is_owed_while_work_waits_to_be_fetched() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let data = tempfile::tempdir().expect("a directory");
        let server = InProcess::start(data.path()).expect("it starts");
        let ask = |method: &str, path: &str, body: serde_json::Value| {
            let (status, answer) = runtime.block_on(server.ask(method, path, body.to_string().into_bytes()));
            assert!((200..300).contains(&status), "{path}: {}", String::from_utf8_lossy(&answer));
        };
        let awaited = || server.fleet().awaited.is("ada");
        ask("POST", "/v1/agents", json!({"name": "ada", "max_concurrent_tasks": 3}));
        ask("POST", "/v1/agents/ada/next", json!({}));
        assert!(!awaited(), "there is no work");
        for _ in 0..3 {
            ask("POST", "/v1/tasks", json!({"title": "Do it", "agent": "ada"}));
        }
        assert!(awaited());
        ask("POST", "/v1/agents/ada/next", json!({}));
        assert!(awaited(), "two of three are still there");
        ask("POST", "/v1/agents/ada/next", json!({"max": 3}));
        assert!(!awaited(), "all have been fetched");
        drop(runtime);
        server.stop();
    }

    #[test]
    fn who_is_told_to_stay_away_may_still_send_what_goes_before() {
        use Lane::{Change, Look, Owed};
        let absence = Absence::default();
        let kept = |caller: u64| [Owed, Change, Look].map(|lane| absence.end(caller, lane).is_some());
        assert_eq!(kept(1), [false, false, false]);
        let hour = Instant::now() + Duration::from_secs(3_600);
        for (refused, wanted) in
            [(Look, [false, false, true]), (Change, [false, true, true]), (Owed, [true, true, true])]
        {
            absence.begin(1, refused, hour);
            assert_eq!(kept(1), wanted, "{refused:?}");
            assert_eq!(kept(2), [false, false, false], "nobody else was meant");
        }
        absence.begin(1, Owed, Instant::now());
        assert_eq!(kept(1), [false, false, false], "it is over");
    }
}
