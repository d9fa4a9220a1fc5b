//! What an agent of the Agent Client Protocol wants leave for: what the runner's file says to it, and who is asked where that says so.
//!
//! A request that is to be asked is one of the server's, under a name of its own; the runner looks for its answer and hands it to the
//! agent. Requests are asked one after the other. The name holds the number of the start, so a request of an agent that its runner
//! has lost is never answered to another one.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use kapell_api::{Client, ClientError, NewPermission, Permission, PermissionOption, PermissionWithdrawal};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::ledger::Run;
use crate::outcome::{cut, span};
use crate::redact::Redactor;

/// The kinds of things that the protocol knows.
const KINDS: &[&str] =
    &["read", "edit", "delete", "move", "search", "execute", "think", "fetch", "switch_mode", "other"];
/// The kind that stands for all that are not named.
pub(crate) const OTHER: &str = "other";
/// How often the server is asked for the answer, and tried again where it is away.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Bytes of what is shown of a request, as the server takes them.
const TITLE_BYTES_MAX: usize = 900;
const DETAIL_BYTES_MAX: usize = 4_000;
const NAME_BYTES_MAX: usize = 190;
/// Answers that are offered to people.
const OPTIONS_MAX: usize = 8;

/// What is said to one kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rule {
    /// No, this time.
    #[default]
    Refuse,
    /// Yes, this time.
    Allow,
    /// A person is asked.
    Ask,
}

/// What an agent is answered, by the kind of what it wants: one word for all, or one each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Permissions(BTreeMap<String, Rule>);

impl Permissions {
    pub(crate) fn all(rule: Rule) -> Self {
        Self([(OTHER.to_owned(), rule)].into())
    }

    /// Returns what is said to a kind; one that is not named is as `other`.
    pub(crate) fn of(&self, kind: &str) -> Rule {
        self.0.get(kind).or_else(|| self.0.get(OTHER)).copied().unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Rules)
    }
}

struct Rules;

impl<'de> Visitor<'de> for Rules {
    type Value = Permissions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "`refuse`, `allow`, `ask`, or a table of kinds such as { read = \"allow\", execute = \"ask\" }",
        )
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Permissions, E> {
        Rule::deserialize(serde::de::value::StrDeserializer::new(word)).map(Permissions::all)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Permissions, A::Error> {
        let mut rules = BTreeMap::new();
        while let Some((kind, rule)) = map.next_entry::<String, Rule>()? {
            if !KINDS.contains(&kind.as_str()) {
                return Err(A::Error::unknown_field(&kind, KINDS));
            }
            rules.insert(kind, rule);
        }
        Ok(Permissions(rules))
    }
}

/// What an agent wants leave for, in its own words.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ask {
    /// Its request, as it is answered.
    pub(crate) id: Value,
    pub(crate) title: String,
    pub(crate) kind: String,
    /// Its command, its paths, and what else it says.
    pub(crate) detail: String,
    pub(crate) options: Vec<PermissionOption>,
}

impl Ask {
    /// Reads a request; what an earlier message said of the same tool call stands where it says nothing.
    pub(crate) fn read(id: &Value, params: &Value, known: Option<&Value>) -> Self {
        let call = &params["toolCall"];
        let field = |name: &str| match &call[name] {
            Value::Null => known.map_or(&Value::Null, |known| &known[name]),
            value => value,
        };
        let title = field("title").as_str().map(str::trim).filter(|title| !title.is_empty());
        let kind = field("kind").as_str().filter(|kind| KINDS.contains(kind)).unwrap_or(OTHER);
        let mut options: Vec<PermissionOption> = Vec::new();
        for option in params["options"].as_array().into_iter().flatten() {
            let text = |name: &str| option[name].as_str().unwrap_or_default().to_owned();
            let option = PermissionOption { id: text("optionId"), name: text("name"), kind: text("kind") };
            let known = ["allow_once", "allow_always", "reject_once", "reject_always"];
            let fits = known.contains(&option.kind.as_str()) && !option.id.trim().is_empty();
            if fits && option.id.len() <= NAME_BYTES_MAX && options.iter().all(|other| other.id != option.id)
            {
                options.push(option);
            }
        }
        Self {
            id: id.clone(),
            title: title.unwrap_or("something").to_owned(),
            kind: kind.to_owned(),
            detail: detail(field("rawInput"), field("locations"), field("content")),
            options,
        }
    }

    /// Returns the option that is the first of `kinds` which it offers.
    pub(crate) fn offered(&self, kinds: &[&str]) -> Option<&str> {
        let of = |kind: &&str| self.options.iter().find(|option| option.kind == **kind);
        kinds.iter().find_map(of).map(|option| option.id.as_str())
    }

    /// Returns the option that refuses, this time rather than for ever.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.offered(&["reject_once", "reject_always"])
    }
}

/// Returns the command, the paths, and what else stands in the input of a tool call.
fn detail(input: &Value, locations: &Value, content: &Value) -> String {
    let mut lines = Vec::new();
    match &input["command"] {
        Value::String(command) => lines.push(format!("command: {command}")),
        Value::Array(words) => {
            let words: Vec<_> = words.iter().map(|word| word.as_str().unwrap_or_default()).collect();
            lines.push(format!("command: {}", words.join(" ")));
        }
        _ => {}
    }
    let all = locations.as_array().into_iter().chain(content.as_array()).flatten();
    for path in all.filter_map(|it| it["path"].as_str()) {
        let line = format!("path: {path}");
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    if input.as_object().is_some_and(|input| input.keys().any(|name| name != "command")) {
        lines.push(format!("input: {input}"));
    }
    lines.join("\n")
}

/// Makes a text fit to be shown: no secrets, no control characters, no more than so many bytes.
fn shown(text: &str, redactor: &Redactor, most: usize) -> String {
    let clean: String =
        redactor.text(text).chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    cut(&clean, most)
}

/// What is to be said to the agent.
#[derive(Debug, PartialEq)]
pub(crate) struct Said {
    /// To which request.
    pub(crate) id: Value,
    /// Which option; nothing where it is cancelled.
    pub(crate) option: Option<String>,
    /// What is noted of it.
    pub(crate) note: String,
}

/// What came of a look.
#[derive(Debug, PartialEq)]
pub(crate) enum Look {
    /// There is nothing to say yet.
    Nothing,
    /// There is.
    Said(Said),
    /// The task is no longer this assignment's.
    Taken,
}

/// The requests of one attempt that a person is asked for.
#[derive(Debug)]
pub(crate) struct Desk {
    /// How long an answer is waited for.
    patience: Duration,
    waiting: VecDeque<Ask>,
    open: Option<Open>,
    number: u32,
    /// Since when the agent waits, and for how long it has before.
    since: Option<Instant>,
    before: Duration,
}

#[derive(Debug)]
struct Open {
    ask: Ask,
    request: String,
    since: Instant,
    /// Whether the server has been asked.
    told: bool,
    looked: Option<Instant>,
}

impl Desk {
    pub(crate) fn new(patience: Duration) -> Self {
        let (waiting, before) = (VecDeque::new(), Duration::ZERO);
        Self { patience, waiting, open: None, number: 0, since: None, before }
    }

    pub(crate) fn take(&mut self, ask: Ask) {
        self.since.get_or_insert_with(Instant::now);
        self.waiting.push_back(ask);
    }

    /// Returns how long the agent has waited for people: that is no part of its time limit.
    pub(crate) fn waited(&self) -> Duration {
        self.before + self.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Forgets a request that the agent has taken back. Returns whether it was there.
    pub(crate) fn forget(&mut self, id: &Value, client: &Client, run: &Run) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|ask| ask.id != *id);
        let mut gone = self.waiting.len() < before;
        if let Some(open) = self.open.take_if(|open| open.ask.id == *id) {
            gone = true;
            self.withdraw(&open, client, run, "the agent does not want it any more");
        }
        self.rest();
        gone
    }

    /// Returns the requests that are open still, with the end of the attempt: the server ends them with the assignment.
    pub(crate) fn close(&mut self) -> Vec<Value> {
        let open = self.open.take().map(|open| open.ask);
        let all = open.into_iter().chain(self.waiting.drain(..)).map(|ask| ask.id).collect();
        self.rest();
        all
    }

    /// Asks, or looks for the answer, where it is time.
    pub(crate) fn look(&mut self, client: &Client, run: &Run, redactor: &Redactor) -> Look {
        if self.open.is_none() {
            let Some(ask) = self.waiting.pop_front() else { return Look::Nothing };
            self.number += 1;
            let request = format!("{}-{}", run.resumed, self.number);
            self.open = Some(Open { ask, request, since: Instant::now(), told: false, looked: None });
        }
        let Some(open) = &mut self.open else { return Look::Nothing };
        if open.since.elapsed() >= self.patience {
            let reason = format!("nobody has answered in {}", span(self.patience));
            let open = self.open.take().expect("it is open");
            self.withdraw(&open, client, run, &reason);
            return self.say(
                &open.ask,
                open.ask.refusal().map(str::to_owned),
                &format!("refused, since {reason}"),
            );
        }
        if open.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Look::Nothing;
        }
        open.looked = Some(Instant::now());
        let asked = if open.told { answer_of(open, client, run) } else { ask(open, client, run, redactor) };
        match asked {
            Ok(None) => Look::Nothing,
            Ok(Some(answer)) => {
                let ask = self.open.take().expect("it is open").ask;
                let by = answer.by.unwrap_or_else(|| "somebody".to_owned());
                let word = if answer.state == "allowed" { "allowed" } else { "refused" };
                self.say(&ask, answer.option, &format!("{word} by {by}"))
            }
            Err(error) if crate::attempt::taken(&error) => Look::Taken,
            Err(ClientError::Problem(problem)) if problem.retry_after_ms.is_none() => {
                let ask = self.open.take().expect("it is open").ask;
                let refusal = ask.refusal().map(str::to_owned);
                self.say(&ask, refusal, &format!("refused, since nobody can be asked ({problem})"))
            }
            // The server is away, or busy.
            Err(_) => Look::Nothing,
        }
    }

    fn say(&mut self, ask: &Ask, option: Option<String>, word: &str) -> Look {
        self.rest();
        Look::Said(Said { id: ask.id.clone(), option, note: format!("{word}: {}", ask.title) })
    }

    /// Stops the clock of waiting where nothing is open.
    fn rest(&mut self) {
        if self.open.is_none() && self.waiting.is_empty() {
            self.before = self.waited();
            self.since = None;
        }
    }

    fn withdraw(&self, open: &Open, client: &Client, run: &Run, reason: &str) {
        if open.told {
            // Where it does not get through, the next request takes its place, or the end of the assignment ends it.
            let _ = withdraw(client, run, reason);
        }
    }
}

/// Takes back what the assignment wanted leave for, as far as it is open.
pub(crate) fn withdraw(client: &Client, run: &Run, reason: &str) -> Result<(), ClientError> {
    let it = &run.assignment;
    let (agent, assignment) = (it.agent.clone(), it.assignment.clone());
    let body = PermissionWithdrawal { agent, assignment, reason: reason.to_owned() };
    client.withdraw_permission(&it.task, &body).map(|_| ())
}

fn ask(
    open: &mut Open,
    client: &Client,
    run: &Run,
    redactor: &Redactor,
) -> Result<Option<Permission>, ClientError> {
    let (it, ask) = (&run.assignment, &open.ask);
    let name = |option: &PermissionOption| PermissionOption {
        name: shown(&option.name, redactor, NAME_BYTES_MAX),
        ..option.clone()
    };
    let body = NewPermission {
        agent: it.agent.clone(),
        assignment: it.assignment.clone(),
        request: open.request.clone(),
        title: shown(&ask.title.replace('\n', " "), redactor, TITLE_BYTES_MAX),
        kind: ask.kind.clone(),
        detail: shown(&ask.detail, redactor, DETAIL_BYTES_MAX),
        options: ask.options.iter().take(OPTIONS_MAX).map(name).collect(),
    };
    client.ask_permission(&it.task, &body)?;
    open.told = true;
    Ok(None)
}

/// Returns what the server says to a request; one that it knows no longer was taken back by somebody else, and is refused.
fn answer_of(open: &Open, client: &Client, run: &Run) -> Result<Option<Permission>, ClientError> {
    let task = client.task(&run.assignment.task)?;
    let own = task.assignment.as_deref() == Some(run.assignment.assignment.as_str());
    let known = task.permission.filter(|it| own && it.request == open.request);
    match known {
        Some(known) if known.state == "open" => Ok(None),
        Some(known) => Ok(Some(known)),
        None => Ok(Some(Permission { state: "refused".to_owned(), ..Permission::default() })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_go_by_kind_and_the_others_are_as_other() {
        let read =
            |text: &str| toml::from_str::<BTreeMap<String, Permissions>>(text).map(|mut it| it.remove("p"));
        let rules = read("p = { read = \"allow\", execute = \"ask\" }").expect("TOML").expect("rules");
        assert_eq!(
            (rules.of("read"), rules.of("execute"), rules.of("edit")),
            (Rule::Allow, Rule::Ask, Rule::Refuse)
        );
        let rules = read("p = { read = \"allow\", other = \"ask\" }").expect("TOML").expect("rules");
        assert_eq!((rules.of("read"), rules.of("edit")), (Rule::Allow, Rule::Ask));
        assert_eq!(read("p = \"ask\"").expect("TOML").expect("rules").of("delete"), Rule::Ask);
        for (wrong, names) in [
            ("p = \"maybe\"", &["maybe", "refuse", "ask"][..]),
            ("p = { cook = \"ask\" }", &["cook", "execute"]),
            ("p = { read = 1 }", &["line 1", "1"]),
            ("p = 7", &["table of kinds"]),
        ] {
            let error = read(wrong).expect_err(wrong).to_string();
            assert!(names.iter().all(|name| error.contains(name)), "{wrong}: {error}");
        }
    }

    #[test]
    fn what_is_wanted_is_read_with_what_was_said_of_it_before() {
        let known = json!({"title": "Run tests", "kind": "execute", "rawInput": {"command": ["make", "test"], "cwd": "/w"}});
        let params = json!({
            "toolCall": {"toolCallId": "c", "locations": [{"path": "/w/a.rs"}], "content": [{"type": "diff", "path": "/w/a.rs"}]},
            "options": [
                {"optionId": "y", "kind": "allow_once", "name": "Yes"},
                {"optionId": "y", "kind": "allow_always", "name": "Twice"},
                {"optionId": "z", "kind": "perhaps", "name": "?"},
                {"optionId": "n", "kind": "reject_always", "name": "No"},
            ],
        });
        let ask = Ask::read(&json!(7), &params, Some(&known));
        assert_eq!((ask.title.as_str(), ask.kind.as_str()), ("Run tests", "execute"));
        let lines =
            "command: make test\npath: /w/a.rs\ninput: {\"command\":[\"make\",\"test\"],\"cwd\":\"/w\"}";
        assert_eq!(ask.detail, lines);
        assert_eq!(
            (ask.options.len(), ask.refusal(), ask.offered(&["allow_always", "allow_once"])),
            (2, Some("n"), Some("y"))
        );
        let bare = Ask::read(&json!(8), &json!({"toolCall": {"kind": "magic"}}), None);
        assert_eq!((bare.title.as_str(), bare.kind.as_str(), bare.detail.as_str()), ("something", OTHER, ""));
        let redactor = Redactor::new(["hunter2hunter2"]);
        assert_eq!(shown("a\u{1b}[31m hunter2hunter2", &redactor, 100), "a [31m [redacted]");
    }
}
