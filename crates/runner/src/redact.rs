//! Takes secrets out of what agents print, before it is kept or told to anybody.
//!
//! Known are the values of variables whose names say that they are secret, and the forms of common tokens. What an agent
//! writes in another form (in base64, say) is not found.

/// What stands in the place of a secret.
const GONE: &str = "[redacted]";
/// A shorter value of a variable is no secret that could be found without hiding ordinary words.
const VALUE_BYTES_MIN: usize = 6;
/// What common tokens begin with, and how many letters must follow at least.
const FORMS: &[(&str, usize)] = &[
    ("kpl_", 16),
    ("sk-", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("ghu_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxa-", 10),
    ("AKIA", 16),
    ("AIza", 30),
    ("eyJ", 40),
    ("Bearer ", 12),
];
/// Parts of names of variables that hold secrets.
const NAMES: &[&str] = &["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "AUTH"];

/// Returns whether a variable's name says that its value is secret.
pub(crate) fn secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    NAMES.iter().any(|part| name.contains(part))
}

/// Takes secrets out of lines. It remembers whether it is inside a private key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redactor {
    values: Vec<String>,
    in_key: bool,
}

impl Redactor {
    /// Returns one that knows the values of secret variables.
    pub(crate) fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut known = Vec::new();
        for line in values.into_iter().flat_map(str::lines).map(str::trim) {
            // As it stands in a JSON text, too.
            let quoted = serde_json::Value::from(line).to_string();
            known.push(quoted[1..quoted.len() - 1].to_owned());
            known.push(line.to_owned());
        }
        known.retain(|value| value.len() >= VALUE_BYTES_MIN);
        // Longest first: a value that holds another one must not leave its rest.
        known.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        known.dedup();
        Self { values: known, in_key: false }
    }

    /// Returns a line without the secrets in it.
    pub(crate) fn line(&mut self, line: &str) -> String {
        if self.in_key {
            self.in_key = !line.contains("-----END ");
            return GONE.to_owned();
        }
        if let Some(at) = line.find("-----BEGIN ")
            && line[at..].contains("PRIVATE KEY-----")
        {
            self.in_key = !line[at..].contains("-----END ");
            return GONE.to_owned();
        }
        let mut out = line.to_owned();
        for value in &self.values {
            if out.contains(value.as_str()) {
                out = out.replace(value.as_str(), GONE);
            }
        }
        forms(&credentials(&out))
    }

    /// Returns a text without the secrets in it.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut lines = Self { in_key: false, ..self.clone() };
        text.split('\n').map(|line| lines.line(line)).collect::<Vec<_>>().join("\n")
    }
}

/// Takes out what has the form of a token.
fn forms(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let form =
            FORMS.iter().find(|(prefix, _)| rest.starts_with(prefix) && !before.is_ascii_alphanumeric());
        if let Some((prefix, least)) = form {
            let token = |c: char| c.is_ascii_alphanumeric() || "_-.~+/=".contains(c);
            let behind = &rest[prefix.len()..];
            let length = behind.find(|c: char| !token(c)).unwrap_or(behind.len());
            if length >= *least {
                out += GONE;
                rest = &behind[length..];
                before = ']';
                continue;
            }
        }
        out.push(first);
        before = first;
        rest = &rest[first.len_utf8()..];
    }
    out
}

/// Takes passwords out of addresses: `https://user:password@host`.
fn credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, behind) = rest.split_at(at + 3);
        out += head;
        let end = behind.find(|c: char| c.is_whitespace() || "/\"'<>".contains(c)).unwrap_or(behind.len());
        rest = behind;
        if let Some(sign) = behind[..end].rfind('@')
            && behind[..sign].contains(':')
        {
            out += GONE;
            rest = &behind[sign..];
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_forms_are_taken_out_and_ordinary_words_stay() {
        let mut redactor =
            Redactor::new(["hunter2-hunter2", "with \"quotes\"", "short", "line one\nline two"]);
        for (line, clean) in [
            ("password is hunter2-hunter2.", "password is [redacted]."),
            (r#"{"a":"with \"quotes\""}"#, r#"{"a":"[redacted]"}"#),
            ("a short word", "a short word"),
            ("x line two y", "x [redacted] y"),
            ("token kpl_0123456789abcdef0123", "token [redacted]"),
            ("Authorization: Bearer abcdefghijklmnop", "Authorization: [redacted]"),
            ("key=ghp_0123456789abcdefABCDEF done", "key=[redacted] done"),
            (
                "a task-list and sk-x and disk-0123456789abcdefgh",
                "a task-list and sk-x and disk-0123456789abcdefgh",
            ),
            ("https://me:pw@host/x and http://host/a:b@c", "https://[redacted]@host/x and http://host/a:b@c"),
        ] {
            assert_eq!(redactor.line(line), clean);
        }
    }

    #[test]
    fn a_private_key_is_gone_whole() {
        let redactor = Redactor::default();
        let key =
            "a\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\nNhAAAA\n-----END OPENSSH PRIVATE KEY-----\nz";
        assert_eq!(redactor.text(key), "a\n[redacted]\n[redacted]\n[redacted]\n[redacted]\nz");
    }

    #[test]
    fn names_say_what_is_secret() {
        for (name, secret) in
            [("ANTHROPIC_API_KEY", true), ("gh_token", true), ("PATH", false), ("LANG", false)]
        {
            assert_eq!(secret_name(name), secret, "{name}");
        }
    }
}
