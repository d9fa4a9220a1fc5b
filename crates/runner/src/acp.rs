//! The client's side of the Agent Client Protocol, version 1: JSON-RPC in lines, as values in and lines out.
//!
//! It asks for one session in the worktree, sends the prompt as one turn, and answers what the agent asks for. It offers
//! neither files nor terminals: an agent has its own. What an agent may do is decided by the rules for permissions, or by who is
//! asked; what it is answered by the kind of the options that it offers, never by their place.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::dialect::{Said, Usage, millionths};
use crate::outcome::cut;
use crate::permission::{Ask, KEPT_BYTES_MAX, Permissions, Rule};

/// The version of the protocol.
const VERSION: u64 = 1;
/// Texts of the agent are put together up to here; of a longer one the end is kept.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Tool calls of which is remembered what was said of them.
const CALLS_MAX: usize = 64;
/// Paths that are remembered of a large one, and bytes of each.
const PATHS_MAX: usize = 64;
const PATH_BYTES_MAX: usize = 1_024;

/// What the last request was that the agent has not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Hello,
    Session,
    Turn,
    Nothing,
}

/// A conversation with one agent.
#[derive(Debug)]
pub(crate) struct Conversation {
    directory: String,
    prompt: String,
    permissions: Permissions,
    waiting: Waiting,
    number: u64,
    session: Option<String>,
    /// What the agent has said since it last did something else.
    text: String,
    usage: Usage,
    /// What was said of the last tool calls, by their ids.
    calls: VecDeque<(String, Value)>,
}

/// What a line of the agent leads to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Turn {
    /// What it says.
    pub(crate) said: Vec<Said>,
    /// Lines that it is sent.
    pub(crate) answers: Vec<String>,
    /// What a person is asked.
    pub(crate) asks: Vec<Ask>,
    /// Requests that it has taken back.
    pub(crate) taken_back: Vec<Value>,
}

impl Conversation {
    pub(crate) fn new(directory: &str, prompt: &str, permissions: &Permissions) -> Self {
        Self {
            directory: directory.to_owned(),
            prompt: prompt.to_owned(),
            permissions: permissions.clone(),
            waiting: Waiting::Nothing,
            number: 0,
            session: None,
            text: String::new(),
            usage: Usage::default(),
            calls: VecDeque::new(),
        }
    }

    /// Returns the line that begins the conversation.
    pub(crate) fn begin(&mut self) -> String {
        let capabilities = json!({"fs": {"readTextFile": false, "writeTextFile": false}, "terminal": false});
        let me = json!({"name": "kapell", "version": env!("CARGO_PKG_VERSION")});
        let hello = json!({"protocolVersion": VERSION, "clientCapabilities": capabilities, "clientInfo": me});
        self.request("initialize", hello, Waiting::Hello)
    }

    /// Returns the line that asks the agent to end its turn, where it has one.
    pub(crate) fn cancel(&self) -> Option<String> {
        let session = self.session.as_ref().filter(|_| self.waiting == Waiting::Turn)?;
        let params = json!({"sessionId": session});
        Some(json!({"jsonrpc": "2.0", "method": "session/cancel", "params": params}).to_string())
    }

    /// Reads a line of the agent. What is no message is passed over: launchers print there, too.
    pub(crate) fn hear(&mut self, line: &str) -> Turn {
        let Ok(message) = serde_json::from_str::<Value>(line) else { return Turn::default() };
        match (message["method"].as_str(), message.get("id").filter(|id| !id.is_null())) {
            (Some(method), Some(id)) => self.asked(method, id, &message["params"]),
            (Some("session/update"), None) => {
                Turn { said: self.update(&message["params"]["update"]), ..Turn::default() }
            }
            (Some("$/cancel_request"), None) => {
                Turn { taken_back: vec![message["params"]["requestId"].clone()], ..Turn::default() }
            }
            (Some(_), None) => Turn::default(),
            (None, Some(id)) if *id == json!(self.number) => self.answered(&message),
            (None, _) => Turn::default(),
        }
    }

    fn request(&mut self, method: &str, params: Value, waiting: Waiting) -> String {
        self.number += 1;
        self.waiting = waiting;
        json!({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}).to_string()
    }

    fn answered(&mut self, message: &Value) -> Turn {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Nothing);
        if let Some(error) = message.get("error") {
            let what = match waiting {
                Waiting::Hello => "initialize",
                Waiting::Session => "session/new",
                Waiting::Turn | Waiting::Nothing => "session/prompt",
            };
            let told = error["message"].as_str().unwrap_or("no reason");
            return failed(format!("the agent refused {what}: {told}"));
        }
        let result = &message["result"];
        match waiting {
            Waiting::Nothing => Turn::default(),
            Waiting::Hello if result["protocolVersion"] != json!(VERSION) => failed(format!(
                "the agent speaks version {} of its protocol; allowed is {VERSION}",
                result["protocolVersion"]
            )),
            Waiting::Hello => {
                let params = json!({"cwd": self.directory, "mcpServers": []});
                let line = self.request("session/new", params, Waiting::Session);
                Turn { answers: vec![line], ..Turn::default() }
            }
            Waiting::Session => {
                let Some(session) = result["sessionId"].as_str() else {
                    return failed("the agent opened no session".to_owned());
                };
                self.session = Some(session.to_owned());
                let text = json!([{"type": "text", "text": self.prompt}]);
                let params = json!({"sessionId": session, "prompt": text});
                let line = self.request("session/prompt", params, Waiting::Turn);
                Turn { answers: vec![line], ..Turn::default() }
            }
            Waiting::Turn => Turn { said: self.turn_ended(result), ..Turn::default() },
        }
    }

    fn turn_ended(&mut self, result: &Value) -> Vec<Said> {
        let mut said = self.spoken();
        let used = &result["usage"];
        if used.is_object() {
            let number = |name: &str| used[name].as_u64().unwrap_or(0);
            self.usage.cached = number("cachedReadTokens");
            let fresh = number("inputTokens").saturating_add(number("cachedWriteTokens"));
            self.usage.input = fresh.saturating_add(self.usage.cached);
            self.usage.output = number("outputTokens");
        }
        // Gemini CLI reports in a place of its own.
        let counted = &result["_meta"]["quota"]["token_count"];
        if !used.is_object() && counted.is_object() {
            self.usage.input = counted["input_tokens"].as_u64().unwrap_or(0);
            self.usage.output = counted["output_tokens"].as_u64().unwrap_or(0);
        }
        if self.usage != Usage::default() {
            said.push(Said::UsedInAll(self.usage));
        }
        match result["stopReason"].as_str() {
            Some("end_turn") => {}
            Some("refusal") => {
                let reason = "the agent refuses to do it".to_owned();
                said.push(Said::Failed { reason, retry: false });
            }
            other => {
                let reason = format!("the turn ended by {}", other.unwrap_or("nothing known"));
                said.push(Said::Failed { reason, retry: true });
            }
        }
        said.push(Said::Finished);
        said
    }

    fn update(&mut self, update: &Value) -> Vec<Said> {
        match update["sessionUpdate"].as_str() {
            Some("agent_message_chunk") => {
                self.text += update["content"]["text"].as_str().unwrap_or_default();
                if self.text.len() > TEXT_BYTES_MAX {
                    let start = self.text.len() - TEXT_BYTES_MAX / 2;
                    let start = (start..).find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
                    self.text.drain(..start);
                }
                Vec::new()
            }
            Some("tool_call_update") => {
                self.note_call(update);
                Vec::new()
            }
            Some("tool_call") => {
                self.note_call(update);
                let mut said = self.spoken();
                let note = update["title"].as_str().filter(|title| !title.trim().is_empty());
                said.extend(note.map(|note| Said::Progress { percent: None, note: Some(note.to_owned()) }));
                said
            }
            Some("plan") => plan(&update["entries"]).into_iter().collect(),
            Some("usage_update") => {
                let cost = &update["cost"];
                if cost["currency"].as_str().is_none_or(|currency| currency == "USD") {
                    self.usage.cost = cost["amount"].as_f64().and_then(millionths).or(self.usage.cost);
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Takes what the agent has said up to now.
    pub(crate) fn spoken(&mut self) -> Vec<Said> {
        crate::dialect::text(&std::mem::take(&mut self.text))
    }

    fn asked(&mut self, method: &str, id: &Value, params: &Value) -> Turn {
        if method != "session/request_permission" {
            let error = json!({"code": -32601, "message": format!("there is no {method} here")});
            let answer = json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string();
            return Turn { answers: vec![answer], ..Turn::default() };
        }
        let call = params["toolCall"]["toolCallId"].as_str();
        let known = call.and_then(|call| self.calls.iter().find(|(id, _)| id == call));
        let ask = Ask::read(id, params, known.map(|(_, said)| said));
        let rule = self.permissions.of(&ask.kind);
        let (chosen, word) = match rule {
            Rule::Ask if !ask.options.is_empty() => {
                let note = Some(format!("waits for leave: {}", ask.title));
                let said = vec![Said::Progress { percent: None, note }];
                return Turn { said, asks: vec![ask], ..Turn::default() };
            }
            Rule::Allow => (ask.offered(&["allow_once", "allow_always"]), "allowed"),
            Rule::Refuse | Rule::Ask => (ask.refusal(), "refused"),
        };
        let word = if chosen.is_some() { word } else { "refused" };
        let note = Some(format!("{word}: {}", ask.title));
        let answers = vec![answer(id, chosen)];
        Turn { said: vec![Said::Progress { percent: None, note }], answers, ..Turn::default() }
    }

    /// Remembers what is said of a tool call: a request for leave may say less.
    fn note_call(&mut self, update: &Value) {
        let Some(call) = update["toolCallId"].as_str() else { return };
        let known = self.calls.iter().position(|(id, _)| id == call).and_then(|at| self.calls.remove(at));
        let (_, mut said) = known.unwrap_or_else(|| (call.to_owned(), json!({})));
        for name in ["title", "kind", "rawInput", "locations", "content"] {
            if !update[name].is_null() {
                said[name] = kept(&update[name]);
            }
        }
        self.calls.push_back((call.to_owned(), said));
        if self.calls.len() > CALLS_MAX {
            self.calls.pop_front();
        }
    }
}

/// Returns what is remembered of a part of a tool call: as much of a large one as may be shown of it.
fn kept(part: &Value) -> Value {
    match part {
        Value::String(text) => json!(cut(text, KEPT_BYTES_MAX)),
        Value::Array(items) if part.to_string().len() > KEPT_BYTES_MAX => {
            let paths = items.iter().filter_map(|item| item["path"].as_str()).take(PATHS_MAX);
            paths.map(|path| json!({"path": cut(path, PATH_BYTES_MAX)})).collect()
        }
        _ if part.to_string().len() > KEPT_BYTES_MAX => {
            let command = match &part["command"] {
                Value::String(command) => json!(cut(command, KEPT_BYTES_MAX)),
                Value::Array(words) => {
                    let words: Vec<_> = words.iter().map(|word| word.as_str().unwrap_or_default()).collect();
                    json!(cut(&words.join(" "), KEPT_BYTES_MAX))
                }
                _ => Value::Null,
            };
            json!({"command": command, "beginning": cut(&part.to_string(), KEPT_BYTES_MAX)})
        }
        _ => part.clone(),
    }
}

/// Returns the line that answers a request for leave: by an option, or that it is cancelled.
pub(crate) fn answer(id: &Value, option: Option<&str>) -> String {
    let outcome = match option {
        Some(option) => json!({"outcome": "selected", "optionId": option}),
        None => json!({"outcome": "cancelled"}),
    };
    json!({"jsonrpc": "2.0", "id": id, "result": {"outcome": outcome}}).to_string()
}

fn failed(reason: String) -> Turn {
    Turn { said: vec![Said::Failed { reason, retry: true }, Said::Finished], ..Turn::default() }
}

/// Reads how far an agent is by its own plan.
fn plan(entries: &Value) -> Option<Said> {
    let entries = entries.as_array().filter(|entries| !entries.is_empty())?;
    let of = |status: &'static str| entries.iter().filter(move |entry| entry["status"] == status);
    let percent = u8::try_from(of("completed").count() * 100 / entries.len()).ok();
    let note = of("in_progress").next().and_then(|entry| entry["content"].as_str()).map(str::to_owned);
    Some(Said::Progress { percent, note })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(rule: Rule) -> Conversation {
        let mut it = Conversation::new("/w", "Do it.", &Permissions::all(rule));
        let hello: Value = serde_json::from_str(&it.begin()).expect("JSON");
        assert_eq!(
            (&hello["method"], &hello["params"]["protocolVersion"]),
            (&json!("initialize"), &json!(1))
        );
        let turn = it.hear(r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1}}"#);
        assert!(
            turn.answers[0].contains(r#""method":"session/new""#)
                && turn.answers[0].contains(r#""cwd":"/w""#)
        );
        // Updates may come before the session is named.
        it.hear(r#"{"jsonrpc":"2.0","method":"session/update","params":{"update":{"sessionUpdate":"available_commands_update"}}}"#);
        let turn = it.hear(r#"{"jsonrpc":"2.0","id":2,"result":{"sessionId":"s"}}"#);
        assert!(turn.answers[0].contains(r#""text":"Do it.""#), "{turn:?}");
        it
    }

    fn update(it: &mut Conversation, update: Value) -> Vec<Said> {
        it.hear(&json!({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s", "update": update}}).to_string()).said
    }

    #[test]
    fn a_turn_is_heard_to_its_end() {
        let mut it = begun(Rule::Allow);
        for part in ["Look", "ing."] {
            let said = update(
                &mut it,
                json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": part}}),
            );
            assert_eq!(said, []);
        }
        let note = |note: &str| Said::Progress { percent: None, note: Some(note.to_owned()) };
        let called = update(&mut it, json!({"sessionUpdate": "tool_call", "title": "Read a.txt"}));
        assert_eq!(called, [Said::Text("Looking.".to_owned()), note("Read a.txt")]);
        let entries = json!([
            {"content": "read", "status": "completed"},
            {"content": "write", "status": "in_progress"},
            {"content": "test", "status": "pending"},
        ]);
        let planned = update(&mut it, json!({"sessionUpdate": "plan", "entries": entries}));
        assert_eq!(planned, [Said::Progress { percent: Some(33), note: Some("write".to_owned()) }]);
        update(
            &mut it,
            json!({"sessionUpdate": "usage_update", "used": 9, "size": 10, "cost": {"amount": 0.5, "currency": "USD"}}),
        );
        update(
            &mut it,
            json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "Done."}}),
        );
        assert!(it.cancel().is_some());
        let ended = it.hear(r#"{"jsonrpc":"2.0","id":3,"result":{"stopReason":"end_turn","usage":{"inputTokens":7,"outputTokens":2}}}"#);
        let used = Usage { input: 7, cached: 0, output: 2, cost: Some(500_000) };
        assert_eq!(ended.said, [Said::Text("Done.".to_owned()), Said::UsedInAll(used), Said::Finished]);
        assert_eq!(it.cancel(), None);
    }

    #[test]
    fn what_gemini_counts_is_read_where_nothing_else_says_it() {
        let mut it = begun(Rule::Allow);
        let ended = it.hear(
            r#"{"jsonrpc":"2.0","id":3,"result":{"stopReason":"end_turn","_meta":{"quota":{"token_count":{"input_tokens":20,"output_tokens":10}}}}}"#,
        );
        let used = Usage { input: 20, cached: 0, output: 10, cost: None };
        assert_eq!(ended.said, [Said::UsedInAll(used), Said::Finished]);
    }

    #[test]
    fn permissions_are_chosen_by_kind() {
        let ask = |kinds: &[&str], permissions| {
            let mut it = begun(permissions);
            let options: Vec<_> =
                kinds.iter().map(|kind| json!({"optionId": format!("id-{kind}"), "kind": kind})).collect();
            let params = json!({"sessionId": "s", "toolCall": {"title": "rm"}, "options": options});
            let request = json!({"jsonrpc": "2.0", "id": "x", "method": "session/request_permission", "params": params});
            let turn = it.hear(&request.to_string());
            let answer: Value = serde_json::from_str(&turn.answers[0]).expect("JSON");
            assert_eq!(answer["id"], "x");
            let outcome = &answer["result"]["outcome"];
            let Said::Progress { note: Some(note), .. } = &turn.said[0] else { panic!("{turn:?}") };
            (outcome["optionId"].as_str().unwrap_or("cancelled").to_owned(), note.clone())
        };
        let all = ["reject_always", "allow_always", "reject_once", "allow_once"];
        for (kinds, permissions, chosen, note) in [
            (&all[..], Rule::Allow, "id-allow_once", "allowed: rm"),
            (&all, Rule::Refuse, "id-reject_once", "refused: rm"),
            (&all[..2], Rule::Allow, "id-allow_always", "allowed: rm"),
            (&["reject_once"], Rule::Allow, "cancelled", "refused: rm"),
            (&["allow_once"], Rule::Refuse, "cancelled", "refused: rm"),
        ] {
            assert_eq!(ask(kinds, permissions), (chosen.to_owned(), note.to_owned()), "{kinds:?}");
        }
    }

    #[test]
    fn what_is_to_be_asked_waits_with_what_was_said_of_the_call_before() {
        let mut it = begun(Rule::Ask);
        let call = json!({"sessionUpdate": "tool_call", "toolCallId": "c", "title": "Run it", "kind": "execute", "rawInput": {"command": "make"}});
        update(&mut it, call);
        update(
            &mut it,
            json!({"sessionUpdate": "tool_call_update", "toolCallId": "c", "rawInput": {"command": "make test"}}),
        );
        let options = json!([{"optionId": "no", "kind": "reject_once", "name": "No"}]);
        let params = json!({"sessionId": "s", "toolCall": {"toolCallId": "c"}, "options": options});
        let request =
            json!({"jsonrpc": "2.0", "id": 5, "method": "session/request_permission", "params": params});
        let turn = it.hear(&request.to_string());
        assert_eq!((turn.answers.len(), turn.asks.len()), (0, 1), "{turn:?}");
        let ask = &turn.asks[0];
        assert_eq!(
            (ask.title.as_str(), ask.kind.as_str(), ask.detail.as_str()),
            ("Run it", "execute", "command: make test")
        );
        assert_eq!(answer(&ask.id, ask.refusal()), answer(&json!(5), Some("no")));
        let back = it.hear(r#"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":5}}"#);
        assert_eq!(back.taken_back, [json!(5)]);
        // Who offers nothing that could be chosen is not asked about.
        let bare = json!({"jsonrpc": "2.0", "id": 6, "method": "session/request_permission", "params": {"toolCall": {}}});
        assert_eq!(it.hear(&bare.to_string()).answers, [answer(&json!(6), None)]);
    }

    #[test]
    fn what_is_not_offered_is_refused_and_errors_end_it() {
        let mut it = begun(Rule::Allow);
        let turn = it.hear(r#"{"jsonrpc":"2.0","id":7,"method":"fs/read_text_file","params":{}}"#);
        assert!(turn.answers[0].contains("-32601"), "{turn:?}");
        assert_eq!(it.hear("npm notice: a new version"), Turn::default());
        let turn = it
            .hear(r#"{"jsonrpc":"2.0","id":3,"error":{"code":-32000,"message":"Authentication required"}}"#);
        let Said::Failed { reason, retry: true } = &turn.said[0] else { panic!("{turn:?}") };
        assert_eq!(reason, "the agent refused session/prompt: Authentication required");
        let mut old = Conversation::new("/w", "x", &Permissions::all(Rule::Allow));
        old.begin();
        let turn = old.hear(r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":2}}"#);
        assert_eq!(turn.said.last(), Some(&Said::Finished));
        let mut stopped = begun(Rule::Allow);
        let turn = stopped.hear(r#"{"jsonrpc":"2.0","id":3,"result":{"stopReason":"max_tokens"}}"#);
        let reason = "the turn ended by max_tokens".to_owned();
        assert_eq!(turn.said, [Said::Failed { reason, retry: true }, Said::Finished]);
    }
}
