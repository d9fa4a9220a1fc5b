//! Requests: a server in this process is asked what its own published document describes, and what it does not. Every answer is
//! one that the document names, every refusal says what is wrong, nothing breaks an invariant.
//!
//! The bytes choose how far the fleet has come (`tour.rs`), operations, and bodies by their schemas, most often with values that
//! mean something.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use arbitrary::Unstructured;
use kapell_api::{ErrorCode, Problem, TaskSubmission};
use kapell_core::invariant;
use kapell_server::InProcess;
use serde_json::{Map, Value, json};

use crate::made;
use crate::tour::{POLICY, TOUR};

/// Requests of one input.
const REQUESTS_MAX: usize = 24;
/// An answer that takes longer is one that waits for work.
const PATIENCE: Duration = Duration::from_millis(50);
/// Operations that are not asked, and why. Every other one is answered well somewhere on the tour.
pub const NOT_ASKED: &[(&str, &str)] = &[("GET /v1/events/stream", "its answer does not end")];
/// How deep a body goes.
const DEPTH: usize = 5;

/// What fits where, by the name of a member or parameter.
const FITTING: &[(&str, &[&str])] = &[
    ("task", &["T-1", "T-2", "T-3", "T-5", "T-14", "key"]),
    ("on", &["T-1", "T-2", "T-3"]),
    ("parent", &["T-1", "T-2"]),
    ("depends_on", &["T-1", "T-2"]),
    ("agent", &["ann", "bob", "cyd", "dee"]),
    ("to", &["ann", "bob"]),
    ("from", &["ann", "bob"]),
    ("name", &["cyd", "ann", "docs", "pager", "T-1"]),
    ("assignment", &["A-1", "A-2", "A-3", "A-4"]),
    ("reservation", &["R-1", "R-2"]),
    ("conflict", &["C-1", "C-2"]),
    ("handoff", &["H-1", "H-2"]),
    ("message", &["M-1", "M-2"]),
    ("emergency", &["X-1", "X-2"]),
    ("force", &["F-1"]),
    ("escalation", &["E-1", "E-2"]),
    ("offer", &["O-1", "O-2"]),
    ("up_to", &["N-1", "N-2", "M-1"]),
    ("id", &["1", "2"]),
    ("code", &["busy", "cycle"]),
    ("capability", &["rust", "sql"]),
    ("project", &["docs", "key"]),
    ("channel", &["docs"]),
    ("key", &["key", "other"]),
    ("priority", &["critical", "high", "medium", "low"]),
    ("state", &["ready", "completed", "cancelled", "open", "settled"]),
    ("type", &["task", "bug"]),
    ("kind", &["agent", "person", "blocks", "related", "command", "review", "approval", "choice", "request"]),
    ("role", &["developer", "reviewer", "architect"]),
    ("mode", &["exclusive", "shared"]),
    ("resource", &["path:src/**", "path:src/a.rs", "env:A", "branch:main", "device:gpu0"]),
    ("resources", &["path:src/**"]),
    ("strategy", &["greedy", "optimal"]),
    ("claims", &["scored", "first", "off"]),
    ("inference", &["on", "off"]),
    ("cycles", &["break", "escalate"]),
    ("on_failed_dependency", &["block", "cancel"]),
    ("started", &["hand_over", "keep", "finish"]),
    ("daily_at", &["00:00", "23:59"]),
    ("source", &["declared", "imported", "inferred"]),
    ("access", &["admin", "manager", "agent", "viewer"]),
    ("deadline", &["2099-01-01T00:00:00Z"]),
    ("at", &["1", "5", "2030-01-01T00:00:00Z"]),
    ("after", &["0", "1"]),
    ("limit", &["1", "1000"]),
    ("cursor", &["0", "1"]),
    ("webhook", &["pager", "other"]),
    ("url", &["https://example.org/hook"]),
    ("types", &["*", "kapell.task.*", "kapell.escalation.raised"]),
    ("command", &["make test"]),
    ("digest", &["sha256:2c26b46b68ff"]),
    ("verdict", &["approve", "reject"]),
    ("of", &["fleet", "task", "agent", "project"]),
    ("format", &["json", "markdown", "html"]),
];

/// An operation of the published document.
struct Operation {
    method: String,
    path: String,
    query: Vec<(String, Value)>,
    body: Option<Value>,
    statuses: BTreeSet<u16>,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Tells whether a path is one of this operation.
    fn has(&self, path: &str) -> bool {
        let (own, given) = (self.path.split('/'), path.split('/'));
        own.clone().count() == given.clone().count()
            && own.zip(given).all(|(own, given)| own == given || own.starts_with('{'))
    }
}

struct Published {
    operations: Vec<Operation>,
    schemas: Value,
}

fn published() -> &'static Published {
    static PUBLISHED: OnceLock<Published> = OnceLock::new();
    PUBLISHED.get_or_init(|| {
        let document: Value = serde_json::from_str(&kapell_server::openapi()).expect("the document is JSON");
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().into_iter().flatten() {
                operations.push(operation_of(path, method, operation));
            }
        }
        let not_asked: Vec<Operation> = operations
            .extract_if(.., |operation| NOT_ASKED.iter().any(|(name, _)| *name == operation.name()))
            .collect();
        assert_eq!(not_asked.len(), NOT_ASKED.len(), "one that is not asked is not published any more");
        Published { operations, schemas: document["components"]["schemas"].clone() }
    })
}

fn operation_of(path: &str, method: &str, operation: &Value) -> Operation {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let query = parameters.filter(|it| it["in"] == "query");
    let statuses = operation["responses"].as_object().into_iter().flatten();
    Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        query: query
            .map(|it| (it["name"].as_str().unwrap_or_default().to_owned(), it["schema"].clone()))
            .collect(),
        body: operation["requestBody"]["content"]
            .as_object()
            .and_then(|it| it.values().next()?.get("schema").cloned()),
        statuses: statuses.filter_map(|(status, _)| status.parse().ok()).collect(),
    }
}

/// Names the schemas of all bodies.
#[must_use]
pub fn bodies() -> BTreeSet<String> {
    let references = published().operations.iter().filter_map(|it| it.body.as_ref()?.get("$ref")?.as_str());
    references.filter_map(|reference| Some(reference.rsplit_once('/')?.1.to_owned())).collect()
}

/// Runs the target.
///
/// # Panics
/// Where an answer is none that the document names, a refusal does not say what is wrong, or an invariant breaks.
pub fn run(bytes: &[u8]) {
    let mut bytes = Unstructured::new(bytes);
    in_process(async |server| {
        prologue(server).await;
        tour(server, bytes.int_in_range(0..=TOUR.len()).unwrap_or(0)).await;
        for _ in 0..REQUESTS_MAX {
            if bytes.is_empty() {
                break;
            }
            let operation = made::one(&mut bytes, &published().operations);
            let (path, body) = (path(&mut bytes, operation), body(&mut bytes, operation));
            let asked = server.ask(&operation.method, &path, body.clone());
            let Ok((status, answer)) = tokio::time::timeout(PATIENCE, asked).await else { continue };
            let what = || format!("{} {path} {}", operation.method, String::from_utf8_lossy(&body));
            judge(operation, status, &answer, &what);
        }
        let held =
            server.fleet().query(|view| invariant::check(view.state)).await.expect("the writer answers");
        held.unwrap_or_else(|broken| panic!("{broken}"));
    });
}

/// Goes on the whole tour, and names the operations that were not answered well anywhere.
///
/// # Panics
/// Where a step is not answered as it should be.
#[must_use]
pub fn not_taken() -> Vec<String> {
    let mut taken = BTreeSet::new();
    in_process(async |server| {
        prologue(server).await;
        taken = tour(server, TOUR.len()).await;
    });
    published().operations.iter().map(Operation::name).filter(|name| !taken.contains(name)).collect()
}

/// Submits tasks as an import does; where `all` must be taken, one that is refused is a fault.
///
/// # Panics
/// Where one is refused that should not be, or a refusal does not say what is wrong.
pub fn taken(tasks: &[TaskSubmission], all: bool) {
    if tasks.is_empty() {
        return;
    }
    in_process(async |server| {
        for task in tasks {
            let body = serde_json::to_vec(task).expect("a task can be written");
            let (status, answer) = server.ask("POST", "/v1/tasks", body).await;
            let what = || format!("{task:?} is answered {}", String::from_utf8_lossy(&answer));
            assert!(status == 201 || (!all && (400..500).contains(&status)), "{}", what());
        }
    });
}

fn in_process(ask: impl AsyncFnOnce(&InProcess)) {
    let data = tempfile::tempdir().expect("a directory");
    let server = InProcess::start(data.path()).expect("it starts");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(ask(&server));
    drop(runtime);
    server.stop();
}

/// Two agents, two tasks of which one waits for the other, and an assignment.
async fn prologue(server: &InProcess) {
    let agent = |name: &str| json!({"name": name, "role": "developer", "capabilities": {"rust": 0.9}, "max_concurrent_tasks": 2});
    for (path, body) in [
        ("/v1/agents", agent("ann")),
        ("/v1/agents", agent("bob")),
        ("/v1/tasks", json!({"title": "One", "key": "key", "requires": [{"capability": "rust"}]})),
        (
            "/v1/tasks",
            json!({"title": "Two", "depends_on": ["T-1"], "resources": [{"resource": "path:src/**", "mode": "exclusive"}]}),
        ),
        ("/v1/agents/ann/next", json!({})),
    ] {
        let (status, answer) = server.ask("POST", path, body.to_string().into_bytes()).await;
        assert!((200..300).contains(&status), "{path}: {}", String::from_utf8_lossy(&answer));
    }
}

/// Goes the first steps of the tour, and names the operations that were answered well.
async fn tour(server: &InProcess, steps: usize) -> BTreeSet<String> {
    let (mut taken, mut policy) = (BTreeSet::new(), Vec::new());
    for &(wanted, method, path, body) in &TOUR[..steps] {
        let operation = published().operations.iter().find(|it| it.method == method && it.has(path));
        let operation = operation.unwrap_or_else(|| panic!("{method} {path} is not published"));
        let body = if body == POLICY { std::mem::take(&mut policy) } else { body.as_bytes().to_vec() };
        let (status, answer) = server.ask(method, path, body).await;
        judge(operation, status, &answer, &|| format!("{method} {path} of the tour"));
        assert_eq!(status, wanted, "{method} {path} of the tour: {}", String::from_utf8_lossy(&answer));
        if (method, path) == ("GET", "/v1/policy") {
            policy = answer;
        }
        if status < 300 {
            taken.insert(operation.name());
        }
    }
    taken
}

fn judge(operation: &Operation, status: u16, answer: &[u8], what: &dyn Fn() -> String) {
    let shown = || format!("{} is answered {status} {}", what(), String::from_utf8_lossy(answer));
    // A path that is no address cannot be sent.
    if status == 0 {
        return;
    }
    assert!(status != 500 && operation.statuses.contains(&status), "{}", shown());
    if status < 400 {
        return;
    }
    let problem: Problem =
        serde_json::from_slice(answer).unwrap_or_else(|error| panic!("{}: {error}", shown()));
    assert_eq!((problem.status, problem.code.status()), (status, status), "{}", shown());
    assert!(!problem.detail.is_empty() && problem.detail.len() < 4_096, "{}", shown());
    assert!(!problem.detail.contains('\u{1b}') && !problem.detail.contains('\0'), "{}", shown());
    if let Some(field) = &problem.field {
        assert!(!field.is_empty(), "{}", shown());
    } else if problem.code == ErrorCode::BadRequest {
        let whole = ["the body", "the query", "the path", "something stands behind"];
        assert!(whole.iter().any(|word| problem.detail.contains(word)), "no field is named: {}", shown());
    }
}

fn fitting(bytes: &mut Unstructured<'_>, name: &str) -> String {
    match FITTING.iter().find(|(known, _)| *known == name) {
        Some((_, words)) if !made::rarely(bytes, 8) => made::word(bytes, words).to_owned(),
        _ => made::text(bytes),
    }
}

fn path(bytes: &mut Unstructured<'_>, operation: &Operation) -> String {
    let mut path = String::new();
    for (place, part) in operation.path.split('/').enumerate() {
        if place > 0 {
            path.push('/');
        }
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(_) if made::rarely(bytes, 64) => path.push_str("%ff"),
            Some(name) => escaped(&fitting(bytes, name), &mut path),
            None => path.push_str(part),
        }
    }
    let mut sign = '?';
    for (name, schema) in &operation.query {
        if made::rarely(bytes, 3) {
            path.push(sign);
            path.push_str(name);
            path.push('=');
            let text = match value(bytes, schema, name, 1) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            escaped(&text, &mut path);
            sign = '&';
        }
    }
    path
}

fn escaped(text: &str, path: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
}

fn body(bytes: &mut Unstructured<'_>, operation: &Operation) -> Vec<u8> {
    let Some(schema) = &operation.body else { return Vec::new() };
    if made::rarely(bytes, 64) {
        let raw = bytes.arbitrary::<&[u8]>().unwrap_or_default();
        return raw[..raw.len().min(256)].to_vec();
    }
    value(bytes, schema, "", DEPTH).to_string().into_bytes()
}

/// Makes a value by its schema; now and then another.
fn value(bytes: &mut Unstructured<'_>, schema: &Value, name: &str, depth: usize) -> Value {
    if made::rarely(bytes, 48) {
        return made::value(bytes);
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let name_of = reference.rsplit_once('/').map_or(reference, |(_, name)| name);
        return value(bytes, &published().schemas[name_of], name, depth);
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[choice].as_array().filter(|choices| !choices.is_empty()) {
            let chosen = made::one(bytes, choices);
            return value(bytes, chosen, name, depth);
        }
    }
    if let Some(words) = schema["enum"].as_array().filter(|words| !words.is_empty()) {
        return made::one(bytes, words).clone();
    }
    let sort = match &schema["type"] {
        Value::Array(sorts) if !sorts.is_empty() => made::one(bytes, sorts).as_str().unwrap_or_default(),
        other => other.as_str().unwrap_or_default(),
    };
    match sort {
        "string" => Value::from(fitting(bytes, name)),
        "integer" | "number" => made::number(bytes),
        "boolean" => Value::from(made::rarely(bytes, 2)),
        "null" => Value::Null,
        "array" => {
            let count = if depth == 0 { 0 } else { made::few(bytes) };
            (0..count).map(|_| value(bytes, &schema["items"], name, depth - 1)).collect()
        }
        "object" => object(bytes, schema, name, depth),
        _ => made::value(bytes),
    }
}

fn object(bytes: &mut Unstructured<'_>, schema: &Value, name: &str, depth: usize) -> Value {
    let mut object = Map::new();
    let required: BTreeSet<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (member, inner) in schema["properties"].as_object().into_iter().flatten() {
        let wanted = if required.contains(member.as_str()) {
            !made::rarely(bytes, 48)
        } else {
            made::rarely(bytes, 3)
        };
        if wanted && depth > 0 {
            object.insert(member.clone(), value(bytes, inner, member, depth - 1));
        }
    }
    if depth > 0 && schema["additionalProperties"].is_object() {
        for _ in 0..made::few(bytes) {
            let key = fitting(bytes, if name == "capabilities" { "capability" } else { "type" });
            object.insert(key, value(bytes, &schema["additionalProperties"], "", depth - 1));
        }
    }
    if made::rarely(bytes, 64) {
        object.insert("unknown".to_owned(), Value::Null);
    }
    object.into()
}
