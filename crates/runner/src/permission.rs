//! What an agent of the Agent Client Protocol wants leave for: what the runner's file says to it, and who is asked where that says so.
//!
//! A request that is to be asked is one of the server's, under a name that no other start of an agent uses; the runner looks for its
//! answer and hands it to the agent. Requests are asked one after the other. What the agent is told is what the server says: where
//! nobody has answered in time it is refused once the server has taken it back, and where an answer was faster, that is told.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use kapell_api::{
    Client, ClientError, ErrorCode, NewPermission, Permission, PermissionOption, PermissionWithdrawal,
};
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
/// Bytes of a text that are kept until it is shown: more than is shown, so that no secret is cut in two there.
pub(crate) const KEPT_BYTES_MAX: usize = 16 * 1024;
/// Requests of one agent that wait for their turn.
const WAITING_MAX: usize = 100;

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
                options.push(PermissionOption { name: cut(&option.name, KEPT_BYTES_MAX), ..option });
            }
        }
        Self {
            id: id.clone(),
            title: cut(title.unwrap_or("something"), KEPT_BYTES_MAX),
            kind: kind.to_owned(),
            detail: cut(&detail(field("rawInput"), field("locations"), field("content")), KEPT_BYTES_MAX),
            options: few(options),
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

/// Returns as many options as people are offered, in their order: the first of each kind before the others.
fn few(mut options: Vec<PermissionOption>) -> Vec<PermissionOption> {
    let first = |at: usize| options[..at].iter().all(|other| other.kind != options[at].kind);
    let mut places: Vec<usize> = (0..options.len()).collect();
    places.sort_by_key(|&at| !first(at));
    places.truncate(OPTIONS_MAX);
    let mut at = 0..;
    options.retain(|_| at.next().is_some_and(|at| places.contains(&at)));
    options
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

/// Where people are asked: the server, about one assignment.
pub(crate) trait Office {
    fn ask(&self, wanted: NewPermission) -> Result<(), ClientError>;

    /// Returns what the assignment wants leave for, or last wanted.
    fn known(&self) -> Result<Option<Permission>, ClientError>;

    /// Takes back what is open. Refused by `wrong_state` where it is answered.
    fn withdraw(&self, reason: &str) -> Result<(), ClientError>;
}

impl Office for (&Client, &Run) {
    fn ask(&self, wanted: NewPermission) -> Result<(), ClientError> {
        let it = &self.1.assignment;
        let (agent, assignment) = (it.agent.clone(), it.assignment.clone());
        self.0.ask_permission(&it.task, &NewPermission { agent, assignment, ..wanted }).map(|_| ())
    }

    fn known(&self) -> Result<Option<Permission>, ClientError> {
        let it = &self.1.assignment;
        let task = self.0.task(&it.task)?;
        let own = task.assignment.as_deref() == Some(it.assignment.as_str());
        Ok(task.permission.filter(|_| own))
    }

    fn withdraw(&self, reason: &str) -> Result<(), ClientError> {
        let it = &self.1.assignment;
        let (agent, assignment) = (it.agent.clone(), it.assignment.clone());
        let body = PermissionWithdrawal { agent, assignment, reason: reason.to_owned() };
        self.0.withdraw_permission(&it.task, &body).map(|_| ())
    }
}

/// Takes back what an earlier start wanted leave for. Where that is answered nobody waits for the answer.
pub(crate) fn withdraw(office: &impl Office, reason: &str) -> Result<(), ClientError> {
    office.withdraw(reason).or_else(|error| if is_answered(&error) { Ok(()) } else { Err(error) })
}

fn is_answered(error: &ClientError) -> bool {
    error.problem().is_some_and(|problem| problem.code == ErrorCode::WrongState)
}

/// Tells whether the server has refused something for good: it is neither away nor busy.
fn is_final(error: &ClientError) -> bool {
    error.problem().is_some_and(|problem| problem.retry_after_ms.is_none())
}

/// The requests of one attempt that a person is asked for.
#[derive(Debug)]
pub(crate) struct Desk {
    /// What the names of its requests begin with: no other start has it.
    start: String,
    /// How long an answer is waited for.
    patience: Duration,
    /// How often the server is asked.
    every: Duration,
    waiting: VecDeque<Ask>,
    open: Option<Open>,
    number: u32,
    /// Why what the server was asked is not wanted any more, as long as it does not know that.
    taken_back: Option<&'static str>,
    looked: Option<Instant>,
    /// Since when the agent waits, and for how long it has before.
    since: Option<Instant>,
    before: Duration,
}

#[derive(Debug)]
struct Open {
    ask: Ask,
    name: String,
    /// Whether the server may have been asked.
    sent: bool,
    /// Since when it has been.
    told: Option<Instant>,
}

impl Desk {
    pub(crate) fn new(start: String, patience: Duration) -> Self {
        Self {
            start,
            patience,
            every: LOOK_EVERY,
            waiting: VecDeque::new(),
            open: None,
            number: 0,
            taken_back: None,
            looked: None,
            since: None,
            before: Duration::ZERO,
        }
    }

    /// Takes a request; not where too many wait.
    pub(crate) fn take(&mut self, ask: Ask) -> Result<(), Ask> {
        if self.waiting.len() >= WAITING_MAX {
            return Err(ask);
        }
        self.since.get_or_insert_with(Instant::now);
        self.waiting.push_back(ask);
        Ok(())
    }

    /// Returns how long the agent has waited for people: that is no part of its time limit.
    pub(crate) fn waited(&self) -> Duration {
        self.before + self.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// Forgets a request that the agent has taken back. Returns whether it was there.
    pub(crate) fn forget(&mut self, id: &Value) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|ask| ask.id != *id);
        let mut gone = self.waiting.len() < before;
        if let Some(open) = self.open.take_if(|open| open.ask.id == *id) {
            gone = true;
            if open.sent {
                (self.taken_back, self.looked) = (Some("the agent does not want it any more"), None);
            }
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

    /// Asks, looks for the answer, or takes back what is not wanted any more, where it is time.
    pub(crate) fn look(&mut self, office: &impl Office, redactor: &Redactor) -> Look {
        if self.looked.is_some_and(|at| at.elapsed() < self.every) {
            return Look::Nothing;
        }
        if let Some(reason) = self.taken_back {
            self.looked = Some(Instant::now());
            match withdraw(office, reason) {
                Err(error) if crate::attempt::taken(&error) => return Look::Taken,
                Err(error) if !is_final(&error) => return Look::Nothing,
                _ => self.taken_back = None,
            }
        }
        if self.open.is_none() {
            let Some(ask) = self.waiting.pop_front() else { return Look::Nothing };
            self.number += 1;
            let name = format!("{}-{}", self.start, self.number);
            self.open = Some(Open { ask, name, sent: false, told: None });
        }
        let Some(open) = &mut self.open else { return Look::Nothing };
        self.looked = Some(Instant::now());
        let found = match open.told {
            None => ask(open, office, redactor),
            Some(told) if told.elapsed() >= self.patience => {
                let reason = format!("nobody has answered in {}", span(self.patience));
                match office.withdraw(&reason) {
                    Ok(()) => Ok(Found::Refused(reason)),
                    Err(error) if is_answered(&error) => answer_of(open, office),
                    Err(error) => Err(error),
                }
            }
            Some(_) => answer_of(open, office),
        };
        let (option, word) = match found {
            Ok(Found::Nothing) => return Look::Nothing,
            Ok(Found::Answer(answer)) => {
                let by = answer.by.unwrap_or_else(|| "somebody".to_owned());
                let allowed = answer.state == "allowed";
                let option =
                    answer.option.or_else(|| open.ask.refusal().filter(|_| !allowed).map(str::to_owned));
                (option, format!("{} by {by}", if allowed { "allowed" } else { "refused" }))
            }
            Ok(Found::Refused(reason)) => {
                (open.ask.refusal().map(str::to_owned), format!("refused, since {reason}"))
            }
            Err(error) if crate::attempt::taken(&error) => return Look::Taken,
            Err(error) if is_final(&error) => (
                open.ask.refusal().map(str::to_owned),
                format!("refused, since nobody can be asked ({error})"),
            ),
            // The server is away, or busy.
            Err(_) => return Look::Nothing,
        };
        let ask = self.open.take().expect("it is open").ask;
        self.looked = None;
        self.rest();
        Look::Said(Said { id: ask.id, option, note: format!("{word}: {}", ask.title) })
    }

    /// Stops the clock of waiting where nothing is open.
    fn rest(&mut self) {
        if self.open.is_none() && self.waiting.is_empty() {
            self.before = self.waited();
            self.since = None;
        }
    }
}

/// What the server says to a request.
enum Found {
    Nothing,
    Answer(Box<Permission>),
    /// It was not answered, and why.
    Refused(String),
}

fn ask(open: &mut Open, office: &impl Office, redactor: &Redactor) -> Result<Found, ClientError> {
    let ask = &open.ask;
    let name = |option: &PermissionOption| PermissionOption {
        name: shown(&option.name, redactor, NAME_BYTES_MAX),
        ..option.clone()
    };
    let wanted = NewPermission {
        name: open.name.clone(),
        title: shown(&ask.title.replace('\n', " "), redactor, TITLE_BYTES_MAX),
        kind: ask.kind.clone(),
        detail: shown(&ask.detail, redactor, DETAIL_BYTES_MAX),
        options: ask.options.iter().map(name).collect(),
        ..NewPermission::default()
    };
    open.sent = true;
    office.ask(wanted)?;
    open.told = Some(Instant::now());
    Ok(Found::Nothing)
}

/// Returns what the server says to a request; one that it knows no longer was taken back by somebody else.
fn answer_of(open: &Open, office: &impl Office) -> Result<Found, ClientError> {
    Ok(match office.known()?.filter(|it| it.name == open.name) {
        Some(known) if known.state == "open" => Found::Nothing,
        Some(known) => Found::Answer(Box::new(known)),
        None => Found::Refused("it was taken back".to_owned()),
    })
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

    /// A server that says what it is told to, one answer after the other, and notes what it was asked.
    #[derive(Default)]
    struct Played {
        answers: std::cell::RefCell<VecDeque<Result<(), ClientError>>>,
        known: std::cell::RefCell<Option<Permission>>,
        heard: std::cell::RefCell<Vec<String>>,
    }

    impl Played {
        fn will(&self, answers: impl IntoIterator<Item = Result<(), ClientError>>) {
            self.answers.borrow_mut().extend(answers);
        }

        fn heard(&self) -> Vec<String> {
            std::mem::take(&mut *self.heard.borrow_mut())
        }

        fn next(&self, word: &str) -> Result<(), ClientError> {
            self.heard.borrow_mut().push(word.to_owned());
            self.answers.borrow_mut().pop_front().unwrap_or(Ok(()))
        }
    }

    impl Office for Played {
        fn ask(&self, wanted: NewPermission) -> Result<(), ClientError> {
            let said = self.next("ask");
            let (name, state) = (wanted.name, "open".to_owned());
            *self.known.borrow_mut() = Some(Permission { name, state, ..Permission::default() });
            said
        }

        fn known(&self) -> Result<Option<Permission>, ClientError> {
            self.next("look").map(|()| self.known.borrow().clone())
        }

        fn withdraw(&self, reason: &str) -> Result<(), ClientError> {
            self.next(&format!("withdraw: {reason}"))
        }
    }

    fn away() -> Result<(), ClientError> {
        let source = std::io::Error::other("away").into();
        Err(ClientError::Unreachable { url: "http://kapell".to_owned(), source })
    }

    fn refused(code: ErrorCode) -> Result<(), ClientError> {
        Err(ClientError::Problem(Box::new(kapell_api::Problem::new(code, "no"))))
    }

    fn wanted(id: u32) -> Ask {
        let options = json!([
            {"optionId": "yes", "kind": "allow_once", "name": "Yes"},
            {"optionId": "no", "kind": "reject_once", "name": "No"},
        ]);
        Ask::read(&json!(id), &json!({"toolCall": {"title": "push"}, "options": options}), None)
    }

    fn desk(patience: Duration) -> (Desk, Played, Redactor) {
        let mut desk = Desk::new(crate::ledger::nonce().expect("a name"), patience);
        desk.every = Duration::ZERO;
        desk.take(wanted(7)).expect("room");
        (desk, Played::default(), Redactor::new(Vec::<&str>::new()))
    }

    fn said(look: Look) -> (Option<String>, String) {
        match look {
            Look::Said(said) => (said.option, said.note),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_two_starts_ask_under_the_same_name() {
        let names: std::collections::BTreeSet<_> = (0..8)
            .map(|_| {
                let (mut desk, office, redactor) = desk(Duration::MAX);
                assert_eq!(desk.look(&office, &redactor), Look::Nothing);
                office.known.borrow().clone().expect("it is asked").name
            })
            .collect();
        assert_eq!(names.len(), 8);
    }

    #[test]
    fn an_answer_that_was_faster_than_the_end_of_the_wait_is_told() {
        let (mut desk, office, redactor) = desk(Duration::ZERO);
        assert_eq!(desk.look(&office, &redactor), Look::Nothing);
        let option = Some("yes".to_owned());
        let name = office.known.borrow().clone().expect("it is asked").name;
        let answer = Permission {
            name,
            state: "allowed".to_owned(),
            option,
            by: Some("olga".to_owned()),
            ..Permission::default()
        };
        *office.known.borrow_mut() = Some(answer);
        office.will([refused(ErrorCode::WrongState)]);
        assert_eq!(
            said(desk.look(&office, &redactor)),
            (Some("yes".to_owned()), "allowed by olga: push".to_owned())
        );
        assert_eq!(office.heard(), ["ask", "withdraw: nobody has answered in 0ms", "look"]);
    }

    #[test]
    fn nobody_is_told_what_the_server_does_not_know() {
        // The wait begins when the server has the request, and ends when the server has taken it back.
        let (mut desk, office, redactor) = desk(Duration::ZERO);
        office.will([away(), away(), Ok(()), away(), away()]);
        for _ in 0..5 {
            assert_eq!(desk.look(&office, &redactor), Look::Nothing);
        }
        let (option, note) = said(desk.look(&office, &redactor));
        assert_eq!(
            (option.as_deref(), note.as_str()),
            (Some("no"), "refused, since nobody has answered in 0ms: push")
        );
        let withdraw = "withdraw: nobody has answered in 0ms";
        assert_eq!(office.heard(), ["ask", "ask", "ask", withdraw, withdraw, withdraw]);
    }

    #[test]
    fn what_the_agent_takes_back_is_taken_back_until_the_server_knows_it_and_then_the_next_one_is_asked() {
        let withdraw = "withdraw: the agent does not want it any more";
        for (answers, wanted_of_it) in [
            // Sent, and the answer to that was lost.
            (vec![away(), away(), Ok(())], vec!["ask", withdraw, withdraw, "ask"]),
            (vec![Ok(()), away(), refused(ErrorCode::WrongState)], vec!["ask", withdraw, withdraw, "ask"]),
        ] {
            let (mut desk, office, redactor) = desk(Duration::MAX);
            office.will(answers);
            desk.take(wanted(8)).expect("room");
            assert_eq!(desk.look(&office, &redactor), Look::Nothing);
            assert!(desk.forget(&json!(7)) && !desk.forget(&json!(7)));
            for _ in 0..2 {
                assert_eq!(desk.look(&office, &redactor), Look::Nothing);
            }
            assert_eq!(office.heard(), wanted_of_it);
        }
        let (mut desk, office, redactor) = desk(Duration::MAX);
        assert!(desk.forget(&json!(7)), "it was never sent");
        assert_eq!(desk.look(&office, &redactor), Look::Nothing);
        assert_eq!(office.heard(), Vec::<String>::new());
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_size_and_every_sort_of_answer_is_offered() {
        let (mut desk, ..) = desk(Duration::MAX);
        let taken = (0..200).filter(|id| desk.take(wanted(*id)).is_ok()).count();
        assert_eq!(taken, WAITING_MAX - 1);
        let mut options: Vec<_> = (0..12)
            .map(
                |at| json!({"optionId": format!("y{at}"), "kind": "allow_once", "name": "x".repeat(100_000)}),
            )
            .collect();
        options.push(json!({"optionId": "no", "kind": "reject_once", "name": "No"}));
        let text = "x".repeat(1 << 20);
        let params = json!({"toolCall": {"title": text, "rawInput": {"command": text}}, "options": options});
        let ask = Ask::read(&json!(1), &params, None);
        assert_eq!((ask.options.len(), ask.refusal(), ask.options[0].id.as_str()), (8, Some("no"), "y0"));
        assert!(ask.title.len() + ask.detail.len() + ask.options[0].name.len() < 4 * KEPT_BYTES_MAX);
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
