//! What agents say on standard output: Kapell's own lines, and the JSON lines of known agents.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// What a line of the protocol begins with.
const MARK: &str = "kapell: ";

/// How an agent's standard output is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Dialect {
    /// Text, with lines that begin with `kapell: `.
    #[default]
    Lines,
    /// `claude -p --output-format stream-json --verbose`.
    Claude,
    /// `codex exec --json`.
    Codex,
    /// `gemini -o stream-json`.
    Gemini,
    /// `opencode run --format json`.
    OpenCode,
    /// The Agent Client Protocol on standard input and output.
    Acp,
}

/// One thing that an agent said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    /// How far it is, and what it is doing.
    Progress { percent: Option<u8>, note: Option<String> },
    /// What came of it; the last one counts.
    Result(String),
    /// It cannot do it.
    Failed { reason: String, retry: bool },
    /// It gives the task back, without blame.
    GivenBack(String),
    /// What it has used since the beginning.
    UsedInAll(Usage),
    /// What it has used since it last said so.
    UsedMore(Usage),
    /// What one message of its model has used, as far as it is; said again and again while that goes on.
    UsedFor { message: String, usage: Usage },
    /// A text to whoever reads; the last one is its result where it names none.
    Text(String),
    /// Its turn is over: nothing more comes of it, though it goes on running.
    Finished,
}

impl Said {
    /// Changes every text in it.
    pub(crate) fn with_texts(self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Progress { percent, note } => {
                Self::Progress { percent, note: note.map(|note| change(&note)) }
            }
            Self::Result(text) => Self::Result(change(&text)),
            Self::Failed { reason, retry } => Self::Failed { reason: change(&reason), retry },
            Self::GivenBack(text) => Self::GivenBack(change(&text)),
            Self::Text(text) => Self::Text(change(&text)),
            other => other,
        }
    }
}

/// What an agent has used, as it says itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Tokens read, those from a cache included.
    pub(crate) input: u64,
    /// Of these, from a cache.
    pub(crate) cached: u64,
    /// Tokens written.
    pub(crate) output: u64,
    /// Money, in millionths of a US dollar.
    pub(crate) cost: Option<u64>,
}

impl Usage {
    /// Returns it as it is reported, beside what the same attempt had used before.
    pub(crate) fn reported(self, before: &kapell_api::Usage) -> kapell_api::Usage {
        kapell_api::Usage {
            input_tokens: before.input_tokens.saturating_add(self.input),
            cached_tokens: before.cached_tokens.saturating_add(self.cached.min(self.input)),
            output_tokens: before.output_tokens.saturating_add(self.output),
            money_micros: before.money_micros.saturating_add(self.cost.unwrap_or(0)),
        }
    }

    pub(crate) fn add(&mut self, more: Self) {
        self.input = self.input.saturating_add(more.input);
        self.cached = self.cached.saturating_add(more.cached);
        self.output = self.output.saturating_add(more.output);
        self.cost = match (self.cost, more.cost) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        };
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens in ({} cached), {} out", self.input, self.cached, self.output)?;
        match self.cost {
            Some(cost) => write!(f, ", {}.{:06} USD", cost / 1_000_000, cost % 1_000_000),
            None => Ok(()),
        }
    }
}

impl Dialect {
    /// Reads a line of standard output. What is in no known form says nothing. A conversation is read by its own reader.
    pub(crate) fn hear(self, line: &str) -> Vec<Said> {
        if self == Self::Lines {
            return spoken(line).into_iter().collect();
        }
        let Ok(value) = serde_json::from_str::<Value>(line) else { return Vec::new() };
        match self {
            Self::Lines | Self::Acp => Vec::new(),
            Self::Claude => claude(&value),
            Self::Codex => codex(&value),
            Self::Gemini => gemini(&value),
            Self::OpenCode => opencode(&value),
        }
    }
}

/// Reads a line of the protocol.
fn spoken(line: &str) -> Option<Said> {
    let (verb, rest) = line.strip_prefix(MARK)?.trim_end().split_once(' ')?;
    let rest = rest.trim();
    if rest.is_empty() {
        return None;
    }
    match verb {
        "progress" => {
            let (number, note) = rest.split_once(' ').unwrap_or((rest, ""));
            let percent = number.trim_end_matches('%').parse().ok().filter(|percent| *percent <= 100)?;
            let note = Some(note.trim().to_owned()).filter(|note| !note.is_empty());
            Some(Said::Progress { percent: Some(percent), note })
        }
        "note" => Some(Said::Progress { percent: None, note: Some(rest.to_owned()) }),
        "result" => Some(Said::Result(rest.to_owned())),
        "fail" => Some(Said::Failed { reason: rest.to_owned(), retry: true }),
        "give-up" => Some(Said::Failed { reason: rest.to_owned(), retry: false }),
        "give-back" => Some(Said::GivenBack(rest.to_owned())),
        "usage" => usage(rest).map(Said::UsedInAll),
        _ => None,
    }
}

/// Reads `input=1200 cached=900 output=300 cost_usd=0.42`, in any order, each where it is known.
fn usage(text: &str) -> Option<Usage> {
    let mut usage = Usage::default();
    for (name, value) in text.split_whitespace().map(|pair| pair.split_once('=').unwrap_or((pair, ""))) {
        match name {
            "input" => usage.input = value.parse().ok()?,
            "cached" => usage.cached = value.parse().ok()?,
            "output" => usage.output = value.parse().ok()?,
            "cost_usd" => usage.cost = Some(millionths(value.parse().ok()?)?),
            _ => return None,
        }
    }
    Some(usage)
}

/// Returns dollars as millionths of one.
pub(crate) fn millionths(dollars: f64) -> Option<u64> {
    let millionths = (dollars * 1e6).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be within bounds"
    )]
    (0.0..=1e15).contains(&millionths).then_some(millionths as u64)
}

/// A text of a known agent: its lines of the protocol, and itself.
pub(crate) fn text(text: &str) -> Vec<Said> {
    let mut said: Vec<_> = text.lines().filter_map(spoken).collect();
    if !text.trim().is_empty() {
        said.push(Said::Text(text.to_owned()));
    }
    said
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn claude(line: &Value) -> Vec<Said> {
    match line["type"].as_str() {
        Some("assistant") => {
            let blocks = line["message"]["content"].as_array().into_iter().flatten();
            let said = blocks.filter_map(|block| block["text"].as_str()).flat_map(text);
            let used = &line["message"]["usage"];
            let message = line["message"]["id"].as_str().filter(|_| used.is_object());
            let usage = claude_usage(used, None);
            said.chain(message.map(|id| Said::UsedFor { message: id.to_owned(), usage })).collect()
        }
        Some("result") => {
            let cost = line["total_cost_usd"].as_f64().and_then(millionths);
            let usage = claude_usage(&line["usage"], cost);
            let mut said = vec![Said::UsedInAll(usage)];
            let last = line["result"].as_str().unwrap_or_default();
            if line["is_error"].as_bool() == Some(true) {
                let reason = if last.is_empty() { line["subtype"].as_str().unwrap_or("error") } else { last };
                said.push(Said::Failed { reason: reason.to_owned(), retry: true });
            } else if !last.trim().is_empty() {
                said.push(Said::Text(last.to_owned()));
            }
            said
        }
        _ => Vec::new(),
    }
}

fn claude_usage(used: &Value, cost: Option<u64>) -> Usage {
    let cached = number(&used["cache_read_input_tokens"]);
    let input = number(&used["input_tokens"]) + number(&used["cache_creation_input_tokens"]) + cached;
    Usage { input, cached, output: number(&used["output_tokens"]), cost }
}

fn codex(line: &Value) -> Vec<Said> {
    match line["type"].as_str() {
        Some("item.completed") if line["item"]["type"] == "agent_message" => {
            text(line["item"]["text"].as_str().unwrap_or_default())
        }
        Some("turn.completed") => {
            let used = &line["usage"];
            vec![Said::UsedMore(Usage {
                input: number(&used["input_tokens"]),
                cached: number(&used["cached_input_tokens"]),
                output: number(&used["output_tokens"]),
                cost: None,
            })]
        }
        Some("turn.failed") => {
            let reason = line["error"]["message"].as_str().unwrap_or("the turn failed").to_owned();
            vec![Said::Failed { reason, retry: true }]
        }
        _ => Vec::new(),
    }
}

fn gemini(line: &Value) -> Vec<Said> {
    match line["type"].as_str() {
        Some("message") if line["role"] == "assistant" => text(line["content"].as_str().unwrap_or_default()),
        Some("result") => {
            let used = &line["stats"];
            let mut said = vec![Said::UsedInAll(Usage {
                input: number(&used["input_tokens"]),
                cached: number(&used["cached"]),
                output: number(&used["output_tokens"]),
                cost: None,
            })];
            if line["status"] == "error" {
                let reason = line["error"]["message"].as_str().unwrap_or("error").to_owned();
                said.push(Said::Failed { reason, retry: true });
            }
            said
        }
        _ => Vec::new(),
    }
}

fn opencode(line: &Value) -> Vec<Said> {
    let part = &line["part"];
    match line["type"].as_str() {
        Some("text") => text(part["text"].as_str().unwrap_or_default()),
        Some("step_finish") => {
            let used = &part["tokens"];
            let cached = number(&used["cache"]["read"]);
            vec![Said::UsedMore(Usage {
                input: number(&used["input"]) + number(&used["cache"]["write"]) + cached,
                cached,
                output: number(&used["output"]) + number(&used["reasoning"]),
                cost: part["cost"].as_f64().and_then(millionths),
            })]
        }
        Some("error") => {
            let reason = line["error"]["data"]["message"].as_str().unwrap_or("error").to_owned();
            vec![Said::Failed { reason, retry: true }]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(percent: Option<u8>, note: Option<&str>) -> Said {
        Said::Progress { percent, note: note.map(str::to_owned) }
    }

    #[test]
    fn lines_of_the_protocol_are_read_and_others_are_not() {
        let used = Usage { input: 1_200, cached: 0, output: 300, cost: Some(420_000) };
        for (line, said) in [
            ("kapell: progress 40 writing the tests", Some(progress(Some(40), Some("writing the tests")))),
            ("kapell: progress 100%", Some(progress(Some(100), None))),
            ("kapell: note reading", Some(progress(None, Some("reading")))),
            ("kapell: result merged as 1f2e3d ", Some(Said::Result("merged as 1f2e3d".to_owned()))),
            ("kapell: fail no network", Some(Said::Failed { reason: "no network".to_owned(), retry: true })),
            (
                "kapell: give-up cannot be",
                Some(Said::Failed { reason: "cannot be".to_owned(), retry: false }),
            ),
            ("kapell: give-back not mine", Some(Said::GivenBack("not mine".to_owned()))),
            ("kapell: usage output=300 input=1200 cost_usd=0.42", Some(Said::UsedInAll(used))),
            ("kapell: progress 101", None),
            ("kapell: progress", None),
            ("kapell: usage cost_usd=-1", None),
            ("kapell: usage money=1", None),
            ("kapell: dance now", None),
            (" kapell: progress 40", None),
            ("progress 40", None),
        ] {
            assert_eq!(Dialect::Lines.hear(line), said.into_iter().collect::<Vec<_>>(), "{line}");
        }
    }

    #[test]
    fn known_agents_tell_texts_usage_and_failure() {
        let claude = r#"{"type":"result","subtype":"success","is_error":false,"result":"Done.","total_cost_usd":0.25,
            "usage":{"input_tokens":10,"cache_creation_input_tokens":20,"cache_read_input_tokens":70,"output_tokens":5}}"#;
        let used = Usage { input: 100, cached: 70, output: 5, cost: Some(250_000) };
        assert_eq!(Dialect::Claude.hear(claude), [Said::UsedInAll(used), Said::Text("Done.".to_owned())]);
        let told = r#"{"type":"assistant","message":{"content":[{"type":"text","text":"kapell: progress 30\nGoing on."}]}}"#;
        let text = Said::Text("kapell: progress 30\nGoing on.".to_owned());
        assert_eq!(Dialect::Claude.hear(told), [progress(Some(30), None), text]);
        let working = r#"{"type":"assistant","message":{"id":"m1","content":[],"usage":{"input_tokens":3,"cache_read_input_tokens":4,"output_tokens":2}}}"#;
        let usage = Usage { input: 7, cached: 4, output: 2, cost: None };
        assert_eq!(Dialect::Claude.hear(working), [Said::UsedFor { message: "m1".to_owned(), usage }]);
        let failed = r#"{"type":"result","subtype":"error_max_turns","is_error":true}"#;
        let reason = "error_max_turns".to_owned();
        assert_eq!(Dialect::Claude.hear(failed)[1], Said::Failed { reason, retry: true });

        let codex = r#"{"type":"turn.completed","usage":{"input_tokens":9,"cached_input_tokens":4,"output_tokens":2}}"#;
        let used = Usage { input: 9, cached: 4, output: 2, cost: None };
        assert_eq!(Dialect::Codex.hear(codex), [Said::UsedMore(used)]);
        let message = r#"{"type":"item.completed","item":{"type":"agent_message","text":"Hello"}}"#;
        assert_eq!(Dialect::Codex.hear(message), [Said::Text("Hello".to_owned())]);

        let gemini =
            r#"{"type":"result","status":"success","stats":{"input_tokens":7,"output_tokens":3,"cached":1}}"#;
        let used = Usage { input: 7, cached: 1, output: 3, cost: None };
        assert_eq!(Dialect::Gemini.hear(gemini), [Said::UsedInAll(used)]);

        let opencode = r#"{"type":"step_finish","part":{"cost":0.001,"tokens":{"input":5,"output":2,"reasoning":1,"cache":{"read":4,"write":0}}}}"#;
        let used = Usage { input: 9, cached: 4, output: 3, cost: Some(1_000) };
        assert_eq!(Dialect::OpenCode.hear(opencode), [Said::UsedMore(used)]);
        assert_eq!(Dialect::OpenCode.hear("kapell: fail plain text says nothing there"), []);
    }

    #[test]
    fn what_was_used_adds_up() {
        let mut all = Usage { input: 1, cached: 0, output: 2, cost: None };
        all.add(Usage { input: 10, cached: 5, output: 20, cost: Some(1_500_000) });
        assert_eq!(all.to_string(), "11 tokens in (5 cached), 22 out, 1.500000 USD");
    }
}
