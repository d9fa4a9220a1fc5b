//! A text as words that can be compared: in small letters, identifiers taken apart, endings taken off.
//!
//! `src/HttpServer.rs` is `http`, `server`, `httpserver` and `.rs`; `caching` and `caches` are both `cach`. The endings are those
//! of English; what they leave need not be a word, it need only be the same on both sides.

use std::ops::Range;

use super::defaults;

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// As it is compared.
    pub(crate) word: &'a str,
    /// Where it stands in the text.
    pub(crate) range: Range<usize>,
    /// Whether it is the next word of the text; an identifier as a whole and the ending of a file stand beside them.
    pub(crate) in_sequence: bool,
    /// Whether a clause began since the word before.
    pub(crate) new_clause: bool,
}

/// Walks the words of `text` in their order.
pub(crate) fn tokens(text: &str, mut visit: impl FnMut(Token<'_>)) {
    let mut buffer = String::new();
    let mut at = 0;
    let mut new_clause = true;
    while let Some(gap) = text[at..].find(char::is_alphanumeric) {
        let from = at + gap;
        new_clause |= text[at..from].contains(['.', ',', ';', ':', '!', '?', '\n', '(', ')', '|']);
        let length = text[from..].find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len() - from);
        let end = from + length;
        at = end;
        if text[..from].ends_with('.') {
            normal(&mut buffer, &text[from - 1..end], false);
            visit(Token { word: &buffer, range: from - 1..end, in_sequence: false, new_clause: false });
        }
        let behind = &text[end..];
        if behind.starts_with("'t") || behind.starts_with("’t") {
            visit(Token { word: "not", range: from..end, in_sequence: true, new_clause });
            at = end + behind.chars().take(2).map(char::len_utf8).sum::<usize>();
            new_clause = false;
            continue;
        }
        let sign = signed(&text[from..end], behind);
        if sign > 0 {
            at = end + sign;
            normal(&mut buffer, &text[from..at], false);
            visit(Token { word: &buffer, range: from..at, in_sequence: true, new_clause });
            new_clause = false;
            continue;
        }
        let mut parts = Parts::of(&text[from..end]);
        let first = parts.next().unwrap_or(0..length);
        if first.end < length {
            normal(&mut buffer, &text[from..end], true);
            visit(Token { word: &buffer, range: from..end, in_sequence: false, new_clause: false });
        }
        for part in std::iter::once(first).chain(parts) {
            let range = from + part.start..from + part.end;
            normal(&mut buffer, &text[range.clone()], true);
            visit(Token { word: &buffer, range, in_sequence: true, new_clause });
            new_clause = false;
        }
    }
}

/// Returns how many bytes of sign belong to a name such as `c++` or `c#`.
fn signed(run: &str, behind: &str) -> usize {
    let letter = run.len() == 1 && run.starts_with(|c: char| c.is_ascii_alphabetic());
    match behind {
        _ if !letter => 0,
        _ if behind.starts_with("++") => 2,
        _ if behind.starts_with('#') => 1,
        _ => 0,
    }
}

/// The parts of an identifier in camel case; one part where it has none, or where the word is known to be one.
struct Parts<'a> {
    run: &'a str,
    at: usize,
    whole: bool,
}

impl<'a> Parts<'a> {
    fn of(run: &'a str) -> Self {
        Self { run, at: 0, whole: !run.is_ascii() || defaults::is_one_word(run) }
    }
}

impl Iterator for Parts<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let from = self.at;
        if from == self.run.len() {
            return None;
        }
        self.at = if self.whole { self.run.len() } else { hump(self.run.as_bytes(), from) };
        Some(from..self.at)
    }
}

/// Returns where the hump that begins at `from` ends.
fn hump(run: &[u8], from: usize) -> usize {
    for at in from + 1..run.len() {
        let up = run[at].is_ascii_uppercase();
        let after_low = up && !run[at - 1].is_ascii_uppercase();
        // `HTTPServer` has two parts, `URLs` one.
        let before_low =
            up && run[at + 1..].iter().take(2).filter(|byte| byte.is_ascii_lowercase()).count() == 2;
        if after_low || before_low {
            return at;
        }
    }
    run.len()
}

/// Puts a word into `buffer` as it is compared.
fn normal(buffer: &mut String, word: &str, stemmed: bool) {
    buffer.clear();
    if word.is_ascii() {
        buffer.push_str(word);
        buffer.make_ascii_lowercase();
        if stemmed && buffer.bytes().all(|byte| byte.is_ascii_lowercase()) {
            let length = stem(buffer);
            buffer.truncate(length);
            if word.len() > length + 2 && (word.ends_with("ies") || word.ends_with("IES")) {
                buffer.push('y');
            }
        }
    } else {
        buffer.extend(word.chars().flat_map(char::to_lowercase));
    }
}

/// Returns the length of what is left of an English word without its ending.
fn stem(word: &str) -> usize {
    let mut stem = word;
    let without = |stem: &mut &str, ending: &str, at_least: usize| {
        let cut = stem.strip_suffix(ending).filter(|rest| rest.len() >= at_least).map(str::len);
        if let Some(length) = cut {
            *stem = &stem[..length];
        }
        cut.is_some()
    };
    if without(&mut stem, "ies", 2) {
        return stem.len();
    }
    if !["ss", "us", "is"].iter().any(|ending| stem.ends_with(ending)) {
        without(&mut stem, "s", 3);
    }
    let cut = ["ation", "ating", "ated", "ate", "ment", "ing", "ed", "er"]
        .into_iter()
        .any(|ending| without(&mut stem, ending, 4) || (ending == "ing" && without(&mut stem, ending, 3)));
    if cut {
        let bytes = stem.as_bytes();
        if bytes.len() > 3
            && bytes[bytes.len() - 1] == bytes[bytes.len() - 2]
            && !matches!(bytes[bytes.len() - 1], b's' | b'l')
        {
            return stem.len() - 1;
        }
    }
    without(&mut stem, "e", 3);
    stem.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        tokens(text, |token| words.push(token.word.to_owned()));
        words
    }

    #[test]
    fn texts_are_taken_apart() {
        for (text, wanted) in [
            ("Fix the Parser", &["fix", "the", "pars"][..]),
            ("src/HttpServer.rs", &["src", "httpserv", "http", "serv", ".rs", "rs"]),
            ("parse_json parseJSON", &["pars", "json", "parsejson", "pars", "json"]),
            ("JavaScript GitHub PostgreSQL", &["javascript", "github", "postgresql"]),
            ("C++ and c# but not go", &["c++", "and", "c#", "but", "not", "go"]),
            ("don't", &["not"]),
            ("caching caches cached queries query", &["cach", "cach", "cach", "query", "query"]),
            ("tests testing tested migrations migrate", &["test", "test", "test", "migr", "migr"]),
            ("running plugins class status", &["run", "plugin", "class", "status"]),
            ("Größe ändern", &["größe", "ändern"]),
            ("k8s e2e 3.14", &["k8s", "e2e", "3", ".14", "14"]),
            ("", &[]),
            ("-- ++ ##", &[]),
        ] {
            assert_eq!(words(text), wanted, "{text}");
        }
    }

    #[test]
    fn places_are_those_of_the_text() {
        let text = "ä: use fooBar.rs";
        tokens(text, |token| {
            let there = text[token.range.clone()].to_lowercase();
            assert!(there.starts_with(token.word), "{there} {}", token.word);
        });
    }
}
