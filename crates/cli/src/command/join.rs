//! `kapell join`: what to paste into the configuration of each known agent, and whether it connects.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use kapell_api::{AgentRegistration, Client, ErrorCode, MadeToken, NewToken};
use serde::Serialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};

/// What stands for a token that was not made yet.
const NO_TOKEN: &str = "TOKEN";
/// What a token that is made here is for.
const LABEL: &str = "kapell join";
/// The revision that the check speaks; the server speaks others too.
const REVISION: &str = "2025-11-25";

/// An agent that speaks the Model Context Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Known {
    Claude,
    Codex,
    Gemini,
    #[value(name = "opencode")]
    OpenCode,
}

impl Known {
    const ALL: [Self; 4] = [Self::Claude, Self::Codex, Self::Gemini, Self::OpenCode];

    fn title(self) -> &'static str {
        match self {
            Self::Claude => "Claude Code",
            Self::Codex => "Codex",
            Self::Gemini => "Gemini CLI",
            Self::OpenCode => "opencode",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Claude => ".mcp.json of the project",
            Self::Codex => "~/.codex/config.toml",
            Self::Gemini => "~/.gemini/settings.json",
            Self::OpenCode => "opencode.json of the project",
        }
    }

    /// Writes the entry for a server that the agent starts.
    fn stdio(self, way: &Way) -> String {
        let environment = way.token.as_ref().map(|token| json!({"KAPELL_TOKEN": token}));
        match self {
            Self::Claude | Self::Gemini => {
                let mut entry = json!({"command": way.program, "args": way.arguments});
                if let Some(environment) = environment {
                    entry["env"] = environment;
                }
                pretty(&json!({"mcpServers": {"kapell": entry}}))
            }
            Self::Codex => {
                // A JSON text is a basic string of TOML, too.
                let (program, arguments) = (json!(way.program), json!(way.arguments));
                let mut text = format!(
                    "[mcp_servers.kapell]\ncommand = {program}\nargs = {arguments}\ntool_timeout_sec = 60\n"
                );
                if let Some(token) = &way.token {
                    text += &format!("\n[mcp_servers.kapell.env]\nKAPELL_TOKEN = {}\n", json!(token));
                }
                text.trim_end().to_owned()
            }
            Self::OpenCode => {
                let mut command = vec![way.program.clone()];
                command.extend(way.arguments.iter().cloned());
                let mut entry = json!({"type": "local", "command": command, "enabled": true});
                if let Some(environment) = environment {
                    entry["environment"] = environment;
                }
                pretty(&json!({"mcp": {"kapell": entry}}))
            }
        }
    }

    /// Writes the entry for the server's own address.
    fn http(self, way: &Way) -> String {
        let token = way.token.as_deref().unwrap_or(NO_TOKEN);
        let headers = json!({"Authorization": format!("Bearer {token}")});
        match self {
            Self::Claude => pretty(
                &json!({"mcpServers": {"kapell": {"type": "http", "url": way.url, "headers": headers}}}),
            ),
            Self::Codex => format!(
                "[mcp_servers.kapell]\nurl = {}\nhttp_headers = {{ Authorization = {} }}\ntool_timeout_sec = 60",
                json!(way.url),
                headers["Authorization"]
            ),
            Self::Gemini => {
                let entry = json!({"httpUrl": way.url, "headers": headers, "timeout": 60_000});
                pretty(&json!({"mcpServers": {"kapell": entry}}))
            }
            Self::OpenCode => {
                let entry = json!({"type": "remote", "url": way.url, "headers": headers, "enabled": true});
                pretty(&json!({"mcp": {"kapell": entry}}))
            }
        }
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// How an agent gets to the fleet.
#[derive(Debug, Clone)]
struct Way {
    program: String,
    arguments: Vec<String>,
    url: String,
    /// The agent's own token, where it has one.
    token: Option<String>,
}

#[derive(Debug, Serialize)]
struct Entry {
    agent: Known,
    transport: &'static str,
    file: &'static str,
    text: String,
}

/// Takes a name that an agent may have.
fn named(text: &str) -> Result<String, kapell_model::NameError> {
    kapell_model::Name::new(text).map(|name| name.to_string())
}

#[derive(Debug, clap::Args)]
pub struct Join {
    /// The name under which the agent joins
    #[arg(value_parser = named)]
    name: String,
    /// Only for this agent
    #[arg(long = "for", value_name = "AGENT")]
    only: Option<Known>,
    /// Make a new token that can act as this agent alone, and write it into what is printed; registers the agent where it is new. With
    /// --check it is taken back in the end
    #[arg(long)]
    own_token: bool,
    /// Connect over both transports as the agent would, and say what was found
    #[arg(long)]
    check: bool,
}

impl Join {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let own = self.own_token.then(|| own_token(&client, &self.name, self.check)).transpose()?;
        let token = own.as_ref().map(|own| own.token.clone());
        let mut arguments = vec!["mcp".to_owned(), "--agent".to_owned(), self.name.clone()];
        arguments.extend(context.named());
        let url = format!("{}/mcp?agent={}", context.server()?.trim_end_matches('/'), escaped(&self.name));
        let way = Way { program: program()?, arguments, url, token };
        if self.check {
            let checked = check(&way, context);
            if let Some(own) = own {
                client.revoke_token(own.made.id)?;
            }
            return checked;
        }
        let known = Known::ALL.into_iter().filter(|known| self.only.is_none_or(|only| only == *known));
        let entries: Vec<Entry> = known.flat_map(|agent| entries(agent, &way)).collect();
        match context.format() {
            Format::Json => output::json(&entries)?,
            Format::Human => {
                for entry in &entries {
                    let how = match entry.transport {
                        "stdio" => "over standard input and output",
                        _ => "over HTTP",
                    };
                    output::line(format!(
                        "# {}, {how}: {}\n{}\n",
                        entry.agent.title(),
                        entry.file,
                        entry.text
                    ));
                }
                eprintln!(
                    "of the two entries of an agent take one; over standard input and output where it runs on this machine"
                );
                if way.token.is_none() {
                    eprintln!(
                        "{NO_TOKEN} stands for a token: `kapell join {} --own-token` makes one",
                        self.name
                    );
                }
                eprintln!("then tell the agent: Join Kapell and work off its tasks.");
            }
        }
        Ok(Exit::Ok)
    }
}

fn entries(agent: Known, way: &Way) -> [Entry; 2] {
    let entry = |transport, text| Entry { agent, transport, file: agent.file(), text };
    [entry("stdio", agent.stdio(way)), entry("http", agent.http(way))]
}

/// Makes a token that is bound to the agent. Those of before cannot be shown again, so that they are only told of.
fn own_token(client: &Client, name: &str, check: bool) -> anyhow::Result<MadeToken> {
    match client.agent(name) {
        Err(error) if error.problem().is_some_and(|problem| problem.code == ErrorCode::NotFound) => {
            let agent: AgentRegistration = serde_json::from_value(json!({"name": name}))?;
            client.register(&agent)?;
            eprintln!("registered {name}; `kapell agent` tells what it can do");
        }
        known => {
            known?;
        }
    }
    let standing: Vec<String> = client
        .tokens()?
        .iter()
        .filter(|it| it.agent.as_deref() == Some(name) && it.label == LABEL)
        .map(|it| it.id.to_string())
        .collect();
    if !check && !standing.is_empty() {
        eprintln!(
            "{name} can be acted as by earlier tokens of `kapell join`, too: {}. They are shown to nobody again; \
             `kapell token revoke ID` takes one back, which entries that hold it notice",
            standing.join(", ")
        );
    }
    let (access, agent, label) = ("agent".to_owned(), Some(name.to_owned()), LABEL.to_owned());
    Ok(client.make_token(&NewToken { access, agent, label, expires_in_ms: None })?)
}

/// Returns how an agent can start this program: by its name where that finds it.
fn program() -> anyhow::Result<String> {
    let own = std::env::current_exe().context("this program does not know where it is")?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("kapell")).find(|file| file.is_file());
    let same = |file: &Path| file.canonicalize().ok() == own.canonicalize().ok();
    Ok(if found.is_some_and(|file| same(&file)) { "kapell".to_owned() } else { own.display().to_string() })
}

/// Escapes a query value (RFC 3986).
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|it| if plain(it) { char::from(it).to_string() } else { format!("%{it:02X}") }).collect()
}

/// Connects as an agent would.
fn check(way: &Way, context: &Context) -> anyhow::Result<Exit> {
    let token = match &way.token {
        Some(token) => token.clone(),
        None => context.token()?,
    };
    let mut stdio = Started::start(way, &token)?;
    output::line(format!("standard input and output: {}", talk(|message| stdio.ask(message))?));
    let client = Client::new(way.url.split("/mcp?").next().unwrap_or_default(), &token);
    let path = format!("/mcp?{}", way.url.split("/mcp?").nth(1).unwrap_or_default());
    let told = talk(|message| Ok(client.ask("POST", &path, Some(message))?));
    output::line(format!("HTTP: {}", told?));
    Ok(Exit::Ok)
}

/// Introduces itself, asks for the tools and reads the board; that needs the server and a token.
fn talk(mut ask: impl FnMut(&Value) -> anyhow::Result<Value>) -> anyhow::Result<String> {
    let mut number = 0;
    let mut call = |method: &str, params: Value| -> anyhow::Result<Value> {
        number += 1;
        let message = json!({"jsonrpc": "2.0", "id": number, "method": method, "params": params});
        let answer = ask(&message)?;
        if let Some(error) = answer.get("error") {
            bail!("{method}: {}", error["message"].as_str().unwrap_or("refused"));
        }
        Ok(answer["result"].clone())
    };
    let me = json!({"name": "kapell-join", "version": env!("CARGO_PKG_VERSION")});
    let hello = json!({"protocolVersion": REVISION, "capabilities": {}, "clientInfo": me});
    let server = call("initialize", hello)?;
    let tools = call("tools/list", json!({}))?;
    let tools: Vec<&str> =
        tools["tools"].as_array().into_iter().flatten().filter_map(|it| it["name"].as_str()).collect();
    ensure!(!tools.is_empty(), "there are no tools");
    call("resources/read", json!({"uri": "kapell://board"}))?;
    let info = &server["serverInfo"];
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    Ok(format!(
        "{} {} answers by {}; tools: {}; the board can be read",
        word(&info["name"]),
        word(&info["version"]),
        word(&server["protocolVersion"]),
        tools.join(", ")
    ))
}

/// A server that was started as an agent starts it.
struct Started {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Started {
    fn start(way: &Way, token: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(&way.program);
        command.args(&way.arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        if !token.is_empty() {
            command.env("KAPELL_TOKEN", token);
        }
        let mut child = command.spawn().with_context(|| format!("{} cannot be started", way.program))?;
        let answers = BufReader::new(child.stdout.take().context("it has no output")?);
        Ok(Self { child, answers })
    }

    fn ask(&mut self, message: &Value) -> anyhow::Result<Value> {
        let input = self.child.stdin.as_mut().context("it has no input")?;
        writeln!(input, "{message}")?;
        if message["method"] == "initialize" {
            writeln!(input, r#"{{"jsonrpc":"2.0","method":"notifications/initialized"}}"#)?;
        }
        loop {
            let mut line = String::new();
            ensure!(self.answers.read_line(&mut line)? > 0, "it ended without an answer");
            let answer: Value = serde_json::from_str(&line).context("its answer is no JSON")?;
            if answer["id"] == message["id"] {
                return Ok(answer);
            }
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(token: Option<&str>) -> Way {
        let arguments = ["mcp", "--agent", "a/1"].map(str::to_owned).to_vec();
        let url = format!("http://127.0.0.1:7117/mcp?agent={}", escaped("a/1"));
        Way { program: "kapell".to_owned(), arguments, url, token: token.map(str::to_owned) }
    }

    #[test]
    fn every_entry_is_what_its_file_can_hold() {
        for token in [None, Some("kpl_x")] {
            let way = way(token);
            for entry in Known::ALL.into_iter().flat_map(|agent| entries(agent, &way)) {
                let value: Value = if entry.agent == Known::Codex {
                    toml::from_str(&entry.text).expect("TOML")
                } else {
                    serde_json::from_str(&entry.text).expect("JSON")
                };
                let text = value.to_string();
                let wanted = if entry.transport == "stdio" { "--agent" } else { "mcp?agent=a%2F1" };
                assert!(text.contains(wanted), "{text}");
                let shown = token.or((entry.transport == "http").then_some(NO_TOKEN));
                assert!(shown.is_none_or(|token| text.contains(token)), "{text}");
            }
        }
    }
}
