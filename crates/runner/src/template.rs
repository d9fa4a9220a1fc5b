//! Words of a command line in which `{name}` stands for what an assignment brings.

/// What a placeholder may stand for.
pub(crate) const NAMES: &[&str] = &[
    "agent",
    "assignment",
    "attempt",
    "branch",
    "prompt",
    "prompt_file",
    "repository",
    "result_file",
    "task",
    "worktree",
];

/// A word with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(&'static str),
}

/// Says which placeholders there are.
pub(crate) fn allowed() -> String {
    NAMES.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ")
}

impl Template {
    /// Reads a word. Only braces around lower-case letters are placeholders, so that JSON stays as it is; returns the name of
    /// one that nobody knows.
    pub(crate) fn parse(word: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = word;
        while let Some(open) = rest.find('{') {
            text += &rest[..open];
            let behind = &rest[open + 1..];
            let name = behind.find('}').map(|close| &behind[..close]);
            let name = name.filter(|name| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            });
            let Some(name) = name else {
                text.push('{');
                rest = behind;
                continue;
            };
            let known = NAMES.iter().find(|known| **known == name).ok_or_else(|| name.to_owned())?;
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(Part::Name(known));
            rest = &behind[name.len() + 1..];
        }
        text += rest;
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Self(parts))
    }

    /// Writes the word with what `value` says for each placeholder.
    pub(crate) fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Name(name) => value(name),
        };
        self.0.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_other_braces_stay() {
        let fill = |word: &str| Template::parse(word).expect(word).fill(|name| format!("<{name}>"));
        assert_eq!(fill("--in={prompt_file},{task}"), "--in=<prompt_file>,<task>");
        assert_eq!(fill(r#"{"a": {"b": 1}} ${HOME} {} {"#), r#"{"a": {"b": 1}} ${HOME} {} {"#);
        assert_eq!(Template::parse("a{tsk}"), Err("tsk".to_owned()));
    }
}
