//! What an agent finds in its environment: little, and nothing of Kapell's own secrets.

use std::collections::BTreeMap;

use crate::config::AgentSettings;
use crate::redact::{Redactor, secret_name};

/// The variable that marks every process of a run; its value is the run's own.
pub(crate) const MARKER: &str = "KAPELL_RUN";
/// Variables that every agent gets, where the runner has them.
const HANDED_ON: &[&str] =
    &["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR"];

/// An agent's environment, and what of it must not be shown.
pub(crate) struct Environment {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) redactor: Redactor,
}

/// Makes an agent's environment out of the runner's; `fill` says what placeholders stand for. `hidden` are secrets that the
/// agent does not get and must not print all the same.
pub(crate) fn of(
    agent: &AgentSettings,
    inherited: impl Iterator<Item = (String, String)>,
    fill: impl Fn(&str) -> String,
    hidden: &[&str],
) -> Environment {
    let mut variables: BTreeMap<String, String> = inherited
        .filter(|(name, _)| {
            HANDED_ON.contains(&name.as_str()) || name.starts_with("LC_") || agent.env.contains(name)
        })
        .collect();
    variables.insert("TERM".to_owned(), "dumb".to_owned());
    variables.insert("GIT_TERMINAL_PROMPT".to_owned(), "0".to_owned());
    for (name, value) in &agent.set {
        variables.insert(name.clone(), value.fill(&fill));
    }
    for (name, placeholder) in
        [("KAPELL_TASK", "task"), ("KAPELL_ASSIGNMENT", "assignment"), ("KAPELL_AGENT", "agent")]
    {
        variables.insert(name.to_owned(), fill(placeholder));
    }
    let secret = variables.iter().filter(|(name, _)| secret_name(name) || agent.secrets.contains(*name));
    let redactor = Redactor::new(secret.map(|(_, value)| value.as_str()).chain(hidden.iter().copied()));
    Environment { variables, redactor }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::config::Input;
    use crate::dialect::Dialect;
    use crate::permission::Permissions;
    use crate::template::Template;

    #[test]
    fn only_what_is_named_is_handed_on() {
        let agent = AgentSettings {
            name: "a".to_owned(),
            role: "developer".to_owned(),
            capabilities: BTreeMap::new(),
            at_once: 1,
            reserve: false,
            command: Vec::new(),
            input: Input::None,
            output: Dialect::Lines,
            permissions: Permissions::default(),
            env: BTreeSet::from(["API_KEY".to_owned()]),
            set: BTreeMap::from([("WHERE".to_owned(), Template::parse("{task}!").expect("a word"))]),
            secrets: BTreeSet::from(["WHERE".to_owned()]),
            time_limit: Duration::from_secs(1),
            permission_wait: Duration::from_secs(1),
        };
        let inherited = [
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("API_KEY", "abcdefgh"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("KAPELL_TOKEN", "kpl_x"),
            ("KAPELL_DATA", "/data"),
        ];
        let inherited = inherited.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut made = of(&agent, inherited, |name| format!("<{name}>"), &["the runner's token"]);
        let names: Vec<&str> = made.variables.keys().map(String::as_str).collect();
        let expected = [
            "API_KEY",
            "GIT_TERMINAL_PROMPT",
            "KAPELL_AGENT",
            "KAPELL_ASSIGNMENT",
            "KAPELL_TASK",
            "LC_ALL",
            "PATH",
            "TERM",
            "WHERE",
        ];
        assert_eq!(names, expected);
        let said = made.redactor.line("abcdefgh <task>! the runner's token");
        assert_eq!(said, "[redacted] [redacted] [redacted]");
    }
}
