//! The runner's file: which agents, how they are started, and where they work.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::dialect::Dialect;
use crate::permission::Permissions;
use crate::template::{self, Template};

/// The most that one agent may have at once here.
const AT_ONCE_MAX: u32 = 100;
/// The longest time limit: a week.
const LIMIT_LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// The longest time between asking an agent to stop and killing it.
const GRACE_LONGEST: Duration = Duration::from_secs(600);

/// Why a runner's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read {file}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not TOML, or has a field that is not known or of another type. The source names line, field and what is allowed.
    #[error("{file} is no runner's file")]
    Malformed {
        /// The file.
        file: String,
        /// Where and why.
        #[source]
        source: toml::de::Error,
    },
    /// A value is not allowed.
    #[error("{file}:{line}: `{field}` is {given}; allowed is {allowed}")]
    NotAllowed {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The field.
        field: &'static str,
        /// What stands there.
        given: String,
        /// What may.
        allowed: String,
    },
    /// There is nobody to start.
    #[error("{file} has no [[agent]]; one with a name and a command is needed")]
    NoAgent {
        /// The file.
        file: String,
    },
}

/// What happens to a worktree when its run has ended. The branch stays, where it has commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WorktreePolicy {
    /// It is always kept.
    Keep,
    /// It is removed where the task was done, and kept otherwise.
    #[default]
    RemoveDone,
    /// It is always removed.
    Remove,
}

/// What a repository with changes that are not committed means: agents would not see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DirtyPolicy {
    /// The runner does not start.
    #[default]
    Refuse,
    /// It starts all the same.
    Allow,
}

/// Which commands of gates are run here: whoever may submit tasks says what stands in them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(untagged, expecting = "`checks` is \"run\", \"refuse\" or a list of command lines")]
pub(crate) enum Checks {
    /// All of them.
    #[default]
    #[serde(skip)]
    Run,
    /// By a word.
    Word(ChecksWord),
    /// These lines, sign by sign.
    Only(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ChecksWord {
    Run,
    Refuse,
}

impl Checks {
    /// Tells whether a line is run.
    pub(crate) fn allow(&self, line: &str) -> bool {
        match self {
            Self::Run | Self::Word(ChecksWord::Run) => true,
            Self::Word(ChecksWord::Refuse) => false,
            Self::Only(lines) => lines.iter().any(|allowed| allowed == line),
        }
    }
}

/// What an agent reads on standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Input {
    /// Nothing.
    #[default]
    None,
    /// The prompt.
    Prompt,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "here")]
    repository: PathBuf,
    #[serde(default = "head")]
    base: String,
    #[serde(default)]
    dirty: DirtyPolicy,
    state: Option<PathBuf>,
    #[serde(default)]
    worktree: WorktreePolicy,
    #[serde(default)]
    checks: Checks,
    #[serde(default = "yes")]
    commit_leftovers: bool,
    time_limit: Option<Spanned<String>>,
    permission_wait: Option<Spanned<String>>,
    stop_grace: Option<Spanned<String>>,
    output_max_kib: Option<Spanned<u64>>,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    agent: Vec<Spanned<Member>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    name: Spanned<String>,
    #[serde(default = "developer")]
    role: String,
    #[serde(default)]
    capabilities: BTreeMap<String, Spanned<f64>>,
    #[serde(default = "one")]
    at_once: Spanned<u32>,
    #[serde(default)]
    reserve: bool,
    command: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    input: Input,
    #[serde(default)]
    output: Dialect,
    #[serde(default)]
    permissions: Permissions,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    set: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    secrets: Vec<String>,
    time_limit: Option<Spanned<String>>,
    permission_wait: Option<Spanned<String>>,
}

fn here() -> PathBuf {
    PathBuf::from(".")
}

fn head() -> String {
    "HEAD".to_owned()
}

const fn yes() -> bool {
    true
}

fn developer() -> String {
    "developer".to_owned()
}

fn one() -> Spanned<u32> {
    Spanned::new(0..0, 1)
}

/// A runner's file, read and checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The repository, as it was named, from where the file is.
    pub(crate) repository: PathBuf,
    /// What branches begin at.
    pub(crate) base: String,
    pub(crate) dirty: DirtyPolicy,
    /// Where runs and worktrees are kept; named, or by the file's path below the user's state directory.
    pub(crate) state: PathBuf,
    pub(crate) worktree: WorktreePolicy,
    pub(crate) checks: Checks,
    pub(crate) commit_leftovers: bool,
    /// From being asked to stop to being killed.
    pub(crate) stop_grace: Duration,
    /// Of a run's output so many bytes are kept.
    pub(crate) output_bytes_max: usize,
    /// Its agents.
    pub agents: Vec<AgentSettings>,
}

/// One agent of a runner's file.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// Its name in the fleet.
    pub name: String,
    pub(crate) role: String,
    pub(crate) capabilities: BTreeMap<String, f64>,
    /// How many assignments it works on at once.
    pub at_once: u32,
    /// Whether it is started only where an emergency wants a replacement.
    pub reserve: bool,
    pub(crate) command: Vec<Template>,
    pub(crate) input: Input,
    pub(crate) output: Dialect,
    /// What an agent of the Agent Client Protocol is answered that asks.
    pub(crate) permissions: Permissions,
    /// Variables that are handed on.
    pub env: BTreeSet<String>,
    /// Variables that are set.
    pub(crate) set: BTreeMap<String, Template>,
    /// Variables whose values are secret, besides those whose names say so.
    pub(crate) secrets: BTreeSet<String>,
    /// For an attempt, without the time in which it waits for people.
    pub(crate) time_limit: Duration,
    /// For a person's answer to what it wants leave for.
    pub(crate) permission_wait: Duration,
}

impl Config {
    /// Reads a runner's file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { file: file.clone(), source })?;
        let absolute = std::path::absolute(path)
            .map_err(|source| ConfigError::Unreadable { file: file.clone(), source })?;
        Self::parse(&file, &absolute, &text)
    }

    /// Reads the text of a runner's file called `file`, which is at `absolute`.
    ///
    /// # Errors
    /// Where it cannot be used, with the file and, where a value is not allowed, the line.
    pub fn parse(file: &str, absolute: &Path, text: &str) -> Result<Self, ConfigError> {
        let read: File = toml::from_str(text)
            .map_err(|source| ConfigError::Malformed { file: file.to_owned(), source })?;
        let at = Place { file, text };
        if read.agent.is_empty() {
            return Err(ConfigError::NoAgent { file: file.to_owned() });
        }
        let folder = absolute.parent().unwrap_or(Path::new("/"));
        let limit = match &read.time_limit {
            Some(limit) => at.duration("time_limit", limit, LIMIT_LONGEST)?,
            None => Duration::from_secs(2 * 3600),
        };
        let wait = match &read.permission_wait {
            Some(wait) => at.duration("permission_wait", wait, LIMIT_LONGEST)?,
            None => Duration::from_secs(3600),
        };
        let stop_grace = match &read.stop_grace {
            Some(grace) => at.duration("stop_grace", grace, GRACE_LONGEST)?,
            None => Duration::from_secs(10),
        };
        let kib = match &read.output_max_kib {
            Some(kib) if !(16..=1_048_576).contains(kib.get_ref()) => {
                return Err(at.refuse("output_max_kib", kib.span(), kib.get_ref(), "16 to 1048576"));
            }
            Some(kib) => *kib.get_ref(),
            None => 4096,
        };
        let mut names = BTreeSet::new();
        let mut agents = Vec::new();
        for member in read.agent {
            let name = member.get_ref().name.get_ref().clone();
            if !names.insert(name.clone()) {
                let span = member.get_ref().name.span();
                return Err(at.refuse("name", span, format!("`{name}` again"), "one agent of each name"));
            }
            agents.push(at.agent(member.into_inner(), &read.env, (limit, wait))?);
        }
        Ok(Self {
            repository: folder.join(read.repository),
            base: read.base,
            dirty: read.dirty,
            state: read.state.map_or_else(|| default_state(absolute), |state| folder.join(state)),
            worktree: read.worktree,
            checks: read.checks,
            commit_leftovers: read.commit_leftovers,
            stop_grace,
            output_bytes_max: usize::try_from(kib * 1024).unwrap_or(usize::MAX),
            agents,
        })
    }

    /// Returns where runs and worktrees are kept.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }
}

/// Names a directory by the file's path, so that two files never share one.
fn default_state(file: &Path) -> PathBuf {
    let home = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")));
    let home = home.unwrap_or_else(|| file.parent().unwrap_or(Path::new("/")).to_owned());
    let letters = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = file.display().to_string().trim_start_matches('/').chars().map(letters).collect();
    let start = name.len().saturating_sub(200);
    home.join("kapell/runner").join(&name[start..])
}

/// A file's name and text, to say where something stands.
struct Place<'a> {
    file: &'a str,
    text: &'a str,
}

impl Place<'_> {
    fn refuse(
        &self,
        field: &'static str,
        span: Range<usize>,
        given: impl ToString,
        allowed: impl Into<String>,
    ) -> ConfigError {
        let before = self.text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let file = self.file.to_owned();
        ConfigError::NotAllowed { file, line, field, given: given.to_string(), allowed: allowed.into() }
    }

    fn duration(
        &self,
        field: &'static str,
        text: &Spanned<String>,
        longest: Duration,
    ) -> Result<Duration, ConfigError> {
        let read = duration(text.get_ref()).filter(|it| !it.is_zero() && *it <= longest);
        let most = longest.as_secs();
        let allowed = || {
            format!("a whole number with ms, s, m, h or d, such as 90s or 2h, above 0 and at most {most}s")
        };
        read.ok_or_else(|| self.refuse(field, text.span(), format!("\"{}\"", text.get_ref()), allowed()))
    }

    fn agent(
        &self,
        member: Member,
        env: &[String],
        (limit, wait): (Duration, Duration),
    ) -> Result<AgentSettings, ConfigError> {
        let at_once = *member.at_once.get_ref();
        if !(1..=AT_ONCE_MAX).contains(&at_once) {
            return Err(self.refuse(
                "at_once",
                member.at_once.span(),
                at_once,
                format!("1 to {AT_ONCE_MAX}"),
            ));
        }
        for score in member.capabilities.values() {
            if !(0.0..=1.0).contains(score.get_ref()) {
                return Err(self.refuse(
                    "capabilities",
                    score.span(),
                    score.get_ref(),
                    "a number within 0..=1",
                ));
            }
        }
        if member.command.get_ref().is_empty() {
            let allowed = "a program and its arguments, each a text of its own";
            return Err(self.refuse("command", member.command.span(), "empty", allowed));
        }
        let command = member.command.get_ref().iter().map(|word| self.template("command", word));
        let set = member.set.iter().map(|(name, word)| Ok((name.clone(), self.template("set", word)?)));
        let time_limit = match &member.time_limit {
            Some(own) => self.duration("time_limit", own, LIMIT_LONGEST)?,
            None => limit,
        };
        let permission_wait = match &member.permission_wait {
            Some(own) => self.duration("permission_wait", own, LIMIT_LONGEST)?,
            None => wait,
        };
        Ok(AgentSettings {
            command: command.collect::<Result<_, _>>()?,
            set: set.collect::<Result<_, _>>()?,
            name: member.name.into_inner(),
            role: member.role,
            capabilities: member.capabilities.into_iter().map(|(n, s)| (n, s.into_inner())).collect(),
            at_once,
            reserve: member.reserve,
            input: member.input,
            output: member.output,
            permissions: member.permissions,
            env: env.iter().chain(&member.env).cloned().collect(),
            secrets: member.secrets.into_iter().collect(),
            time_limit,
            permission_wait,
        })
    }

    fn template(&self, field: &'static str, word: &Spanned<String>) -> Result<Template, ConfigError> {
        Template::parse(word.get_ref()).map_err(|unknown| {
            self.refuse(field, word.span(), format!("`{{{unknown}}}` in it"), template::allowed())
        })
    }
}

/// Reads `500ms`, `30s`, `30m`, `2h`, `1d`.
fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..split].parse().ok()?;
    let scale = match &text[split..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(scale).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: &str = "[[agent]]\nname = \"a\"\ncommand = [\"sh\", \"-c\", \"true\"]\n";

    fn read(text: &str) -> Result<Config, ConfigError> {
        Config::parse("run.toml", Path::new("/team/run.toml"), text)
    }

    #[test]
    fn a_file_is_read_with_its_defaults() {
        let text =
            format!("repository = \"repo\"\nenv = [\"A\"]\n{AGENT}env = [\"B\"]\noutput = \"claude\"\n");
        let config = read(&text).expect("a file");
        assert_eq!(config.repository, Path::new("/team/repo"));
        assert_eq!(
            (config.stop_grace, config.worktree),
            (Duration::from_secs(10), WorktreePolicy::RemoveDone)
        );
        assert!(config.state.ends_with("kapell/runner/team-run.toml"), "{:?}", config.state);
        let agent = &config.agents[0];
        assert_eq!((agent.at_once, agent.time_limit), (1, Duration::from_secs(7_200)));
        assert_eq!(agent.env, BTreeSet::from(["A".to_owned(), "B".to_owned()]));
    }

    #[test]
    fn commands_of_gates_are_run_as_the_file_allows() {
        for (text, test, other) in [
            ("", true, true),
            ("checks = \"run\"\n", true, true),
            ("checks = \"refuse\"\n", false, false),
            ("checks = [\"cargo test\"]\n", true, false),
            ("checks = []\n", false, false),
        ] {
            let checks = read(&format!("{text}{AGENT}")).expect("a file").checks;
            assert_eq!((checks.allow("cargo test"), checks.allow("cargo test; x")), (test, other), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_what_is_allowed() {
        let two = format!("{AGENT}{AGENT}");
        for (text, names) in [
            ("", &["run.toml", "[[agent]]"][..]),
            ("colour = 1\n", &["line 1", "colour", "expected one of", "repository"]),
            ("dirty = \"yes\"\n", &["line 1", "yes", "refuse", "allow"]),
            ("checks = \"yes\"\n", &["line 1", "`checks` is", "refuse", "a list of command lines"]),
            ("checks = [1]\n", &["line 1", "`checks` is", "refuse", "a list of command lines"]),
            ("[[agent]]\nname = \"a\"\n", &["line 1", "command"]),
            ("[[agent]]\nname = \"a\"\ncommand = []\n", &["run.toml:3", "`command`", "a program"]),
            (&two, &["run.toml:5", "`name`", "`a` again"]),
            (&format!("time_limit = \"soon\"\n{AGENT}"), &["run.toml:1", "`time_limit`", "\"soon\"", "2h"]),
            (&format!("stop_grace = \"1d\"\n{AGENT}"), &["run.toml:1", "`stop_grace`", "at most 600s"]),
            (&format!("output_max_kib = 1\n{AGENT}"), &["run.toml:1", "`output_max_kib`", "16 to"]),
            (&format!("{AGENT}at_once = 0\n"), &["run.toml:4", "`at_once`", "1 to 100"]),
            (&format!("{AGENT}permission_wait = \"0s\"\n"), &["run.toml:4", "`permission_wait`", "above 0"]),
            (&format!("{AGENT}permissions = {{ cook = \"ask\" }}\n"), &["line 4", "cook", "execute"]),
            (&format!("{AGENT}output = \"gpt\"\n"), &["line 4", "gpt", "claude"]),
            (&format!("{AGENT}capabilities = {{ rust = 2.0 }}\n"), &["run.toml:4", "2", "0..=1"]),
            (
                "[[agent]]\nname = \"a\"\ncommand = [\n  \"x\",\n  \"{promt_file}\",\n]\n",
                &["run.toml:5", "{promt_file}", "{prompt_file}"],
            ),
        ] {
            let error = read(text).expect_err(text);
            let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            let told = format!("{error}: {source}");
            for name in names {
                assert!(told.contains(name), "{text:?}: {told}");
            }
        }
    }
}
