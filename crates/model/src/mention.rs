//! How a text says that its task waits for another one: "blocked by #12", "depends on bd-7 and bd-9", "after T5".
//!
//! Only the form is known here. Whether there is such a task, and whether it becomes an edge, is the core's business.

use crate::limits;
use crate::prose::{self, Line};

/// A task that a text says it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mention<'a> {
    /// The words that say so, cut to the name alone where they are many.
    pub words: &'a str,
    /// How the other task is called there: `bd-7`, `#12`, or `12` behind a word such as "task".
    pub name: &'a str,
}

/// Words behind which tasks are named that must come first, and whether the name may stand in brackets further on.
const CUES: &[(&str, bool)] = &[
    ("blocked by", true),
    ("blocked on", true),
    ("depends on", true),
    ("depends upon", true),
    ("depend on", true),
    ("dependent on", true),
    ("requires", true),
    ("waiting for", true),
    ("waiting on", true),
    ("waits for", true),
    ("waits on", true),
    ("builds on", true),
    ("prerequisite:", true),
    ("prerequisites:", true),
    ("after", false),
    ("needs", false),
];

/// Words shortly before a cue that turn it round, or tell of the past.
const NEGATIONS: &[&str] = &[
    "no",
    "not",
    "never",
    "without",
    "cannot",
    "nothing",
    "nor",
    "neither",
    "longer",
    "previously",
    "formerly",
    "originally",
    "was",
    "were",
    "been",
    "if",
    "unless",
    "whether",
];

/// Words that may stand between a cue and a name.
const FILLERS: &[&str] = &["the", "completion", "completing", "finishing", "of", "both", "on"];
/// Words behind which a bare number names a task.
const THINGS: &[&str] = &[
    "task", "tasks", "issue", "issues", "ticket", "tickets", "bead", "beads", "story", "stories", "epic",
    "subtask", "subtasks",
];

/// Cues of one line that are looked at.
const CUES_MAX: usize = 64;
/// How far behind a cue a name in brackets is looked for, in bytes.
const BRACKET_REACH: usize = 80;
/// Fillers, and the name, that are read behind a cue.
const WORDS_BETWEEN: usize = 6;
/// Words before a cue that are looked at for a negation.
const WORDS_BEFORE: usize = 4;

/// Finds what `text`, of a task with the key `own`, says that it waits for: in the order of the text, at most
/// [`limits::MENTIONS_MAX`] of them, in its first [`limits::ANALYSED_BYTES_MAX`] bytes. Negations ("not blocked by"),
/// quotations and code are no mentions, nor is what the text says of another task ("bd-7 depends on bd-9").
#[must_use]
pub fn waits<'a>(text: &'a str, own: Option<&str>) -> Vec<Mention<'a>> {
    let mut found = Vec::new();
    for line in prose::lines(prose::beginning(text, limits::ANALYSED_BYTES_MAX)) {
        let Line::Prose(line) = line else { continue };
        let lower = line.to_ascii_lowercase();
        let mut places = places(&lower);
        places.sort_unstable();
        places.truncate(CUES_MAX);
        for (from, to, in_brackets) in places {
            if !speaks_of_itself(line, &lower, from, own) {
                continue;
            }
            for name in names(line, to, in_brackets) {
                if found.len() == limits::MENTIONS_MAX {
                    return found;
                }
                let end = name.end;
                let words = if end - from <= limits::EVIDENCE_BYTES_MAX { from..end } else { name.clone() };
                let mention = Mention { words: &line[words], name: &line[name] };
                if found.iter().all(|other: &Mention<'_>| other.name != mention.name) {
                    found.push(mention);
                }
            }
        }
    }
    found
}

/// Returns where the cues of a line begin and end.
fn places(lower: &str) -> Vec<(usize, usize, bool)> {
    let mut places = Vec::new();
    for &(cue, in_brackets) in CUES {
        for (from, _) in lower.match_indices(cue) {
            let to = from + cue.len();
            let joined = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
            let before = lower[..from].chars().next_back().is_some_and(joined);
            let behind = !cue.ends_with(':') && lower[to..].chars().next().is_some_and(joined);
            if !before && !behind {
                places.push((from, to, in_brackets));
            }
        }
    }
    places
}

/// Tells whether a cue is meant: not negated, not within quotation marks or code, and not said of another task.
fn speaks_of_itself(line: &str, lower: &str, from: usize, own: Option<&str>) -> bool {
    let before = &line[..from];
    if before.matches('"').count() % 2 == 1 || before.matches('`').count() % 2 == 1 {
        return false;
    }
    let clause = before.rfind([';', '!', '?', '(', '|']).map_or(0, |at| at + 1);
    let clause = before.rfind(". ").map_or(clause, |at| clause.max(at + 2));
    let words = lower[clause..from].split_whitespace().rev().take(WORDS_BEFORE);
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    if words.clone().any(|word| NEGATIONS.contains(&bare(word).as_str()) || bare(word).ends_with("n't")) {
        return false;
    }
    let subject = line[clause..from].split_whitespace().rev().find(|word| word.len() > 1);
    let subject = subject.map(|word| word.trim_matches(|c: char| !(c.is_alphanumeric() || c == '#')));
    subject.is_none_or(|subject| !is_name(subject, false) || Some(subject) == own)
}

/// Returns where the names behind a cue stand: a list of them, or one in brackets behind a few words.
fn names(line: &str, from: usize, in_brackets: bool) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let (mut at, mut thing) = (from, false);
    loop {
        let (name, next) = name(line, at, in_brackets, &mut thing);
        let Some(name) = name else { break };
        found.push(name);
        match separator(line, next) {
            Some(behind) if found.len() < limits::MENTIONS_MAX => at = behind,
            _ => break,
        }
    }
    if found.is_empty() && in_brackets {
        found.extend(bracketed(line, from));
    }
    found
}

/// Reads one name, passing over fillers, and returns where it ends too; `thing` says whether a word such as "tasks" came
/// before it, so that bare numbers are names.
fn name(
    line: &str,
    from: usize,
    after_colon: bool,
    thing: &mut bool,
) -> (Option<std::ops::Range<usize>>, usize) {
    let mut at = from;
    for _ in 0..WORDS_BETWEEN {
        at += line[at..]
            .find(|c: char| !(c == ' ' || matches!(c, '`' | '[' | '*') || (c == ':' && after_colon)))
            .unwrap_or(line.len() - at);
        let end = at + word(&line[at..]);
        let given = &line[at..end];
        if is_name(given, *thing) {
            return (Some(at..end), end);
        }
        let lower = given.to_ascii_lowercase();
        if THINGS.contains(&lower.as_str()) {
            *thing = true;
        } else if !FILLERS.contains(&lower.as_str()) {
            break;
        }
        at = end;
    }
    (None, at)
}

/// Returns how many bytes of `text` are one name, without the punctuation behind it.
fn word(text: &str) -> usize {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "._-/@:+#".contains(c)));
    text[..end.unwrap_or(text.len())].trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len()
}

/// Tells whether a word has the form of a task's name; a bare number has it behind a word such as "task" alone.
fn is_name(word: &str, behind_thing: bool) -> bool {
    let number = word.strip_prefix('#').unwrap_or(word);
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return behind_thing || word.starts_with('#');
    }
    let begins = word.starts_with(|c: char| c.is_ascii_alphabetic());
    let digits = word.contains(|c: char| c.is_ascii_digit());
    begins && (digits || word.contains(['-', ':'])) && !word.contains("://")
}

/// Passes over an explanation in brackets and what joins a list; nothing where the list ends.
fn separator(line: &str, from: usize) -> Option<usize> {
    let mut at = from + usize::from(line[from..].starts_with('`'));
    at += usize::from(line[at..].starts_with(']'));
    let rest = &line[at..];
    if rest.trim_start().starts_with('(') {
        at += rest.find(')').filter(|&close| close <= BRACKET_REACH)? + 1;
    }
    let rest = line[at..].trim_start();
    let comma = rest.strip_prefix([',', '&', '/', '+']).map(str::trim_start);
    let joined = comma.unwrap_or(rest);
    let and =
        joined.strip_prefix("and ").or_else(|| joined.strip_prefix("AND ").or(joined.strip_prefix("& ")));
    let rest = and.or(comma)?;
    Some(line.len() - rest.len())
}

/// Finds a name that stands alone in brackets in the same clause.
fn bracketed(line: &str, from: usize) -> Option<std::ops::Range<usize>> {
    let clause = prose::beginning(&line[from..], BRACKET_REACH);
    let clause = &clause
        [..clause.find([';', '.', '!', '?']).filter(|&end| end < clause.len()).unwrap_or(clause.len())];
    let at = from + clause.find('(')? + 1;
    let end = at + word(&line[at..]);
    let alone = line[end..].starts_with(')');
    (alone && is_name(&line[at..end], false)).then_some(at..end)
}

/// Lists the keys that a name may stand for in the fleet of a task with the key `own`: itself, and the name with the
/// prefix of `own`, where it is a number or differs from it in case alone.
#[must_use]
pub fn keys(name: &str, own: Option<&str>) -> Vec<String> {
    let mut keys = Vec::new();
    let Some(prefix) = own.map(prefix) else { return vec![name.to_owned()] };
    if let Some(number) = number(name) {
        keys.push(format!("{prefix}{number}"));
    }
    if name.len() > prefix.len() && name.is_char_boundary(prefix.len()) {
        let (begin, rest) = name.split_at(prefix.len());
        if begin.eq_ignore_ascii_case(prefix) {
            keys.push(format!("{prefix}{rest}"));
        }
    }
    if !name.starts_with('#') && !keys.iter().any(|key| key == name) {
        keys.push(name.to_owned());
    }
    keys
}

/// Tells whether a name is of the form of `own`, so that it is worth telling where it names nothing.
#[must_use]
pub fn is_of_form(name: &str, own: Option<&str>) -> bool {
    let alike = |own: &str| {
        let prefix = prefix(own);
        !prefix.is_empty()
            && name.len() > prefix.len()
            && name.as_bytes()[..prefix.len()].eq_ignore_ascii_case(prefix.as_bytes())
    };
    number(name).is_some() || own.is_some_and(alike)
}

/// Returns the number of a name that is one, with or without `#` or a word such as `task-` before it.
fn number(name: &str) -> Option<&str> {
    let bare = name.strip_prefix('#').unwrap_or(name);
    let bare = match bare.split_once('-') {
        Some((thing, number)) if THINGS.contains(&thing.to_ascii_lowercase().as_str()) => number,
        _ => bare,
    };
    (bare.starts_with(|c: char| c.is_ascii_digit())
        && bare.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
    .then_some(bare)
}

/// Returns what the keys of one source have in common: up to the last sign before the number or digest.
fn prefix(own: &str) -> &str {
    match own.rfind(['-', ':', '#', '/']) {
        Some(at) => &own[..=at],
        None => own.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text on the left, the names that it waits for on the right.
    const TABLE: &[(&str, &[&str])] = &[
        ("Blocked by #12.", &["#12"]),
        ("This is blocked by bd-7, bd-8 and bd-9 until Friday", &["bd-7", "bd-8", "bd-9"]),
        ("Depends on bd-ar2.10 (hasJSONLChanged update), bd-phtv", &["bd-ar2.10", "bd-phtv"]),
        ("- **Depends on:** [bd-3](http://x/bd-3)", &["bd-3"]),
        ("depends on `bd-3`, `bd-4`", &["bd-3", "bd-4"]),
        ("Requires: identity configuration (bd-kwro.7)", &["bd-kwro.7"]),
        ("Depends on: Phase 2 (bd-u3t)", &["bd-u3t"]),
        ("Requires a build (which bd-3 made)", &[]),
        ("do it after t3", &["t3"]),
        ("after the completion of task 29.1", &["29.1"]),
        ("After sync: bd-1 keeps #42", &[]),
        ("Waiting for tasks 1, 2 and 3", &["1", "2", "3"]),
        ("waiting on task #4", &["#4"]),
        ("hereafter bd-1, unblocked by bd-2", &[]),
        ("This blocks bd-7", &[]),
        ("It is not blocked by bd-7; it is blocked by bd-8", &["bd-8"]),
        ("no longer depends on bd-7", &[]),
        ("doesn't depend on bd-7", &[]),
        ("It was blocked by bd-7", &[]),
        ("bd-5 depends on bd-6", &[]),
        ("own-1 depends on bd-6", &["bd-6"]),
        ("> depends on bd-6", &[]),
        ("```\ndepends on bd-6\n```", &[]),
        ("he said \"depends on bd-6\"", &[]),
        ("run `after bd-6`", &[]),
        ("after 12 days it requires 3 people", &[]),
        ("requires https://host-1/x", &[]),
        ("nach ä blocked by ü-1, blocked by é", &[]),
        ("Größe: depends on bd-6 — später", &["bd-6"]),
        ("depends on", &[]),
        ("blocked by (", &[]),
    ];

    #[test]
    fn what_a_text_waits_for() {
        for (text, wanted) in TABLE {
            let found: Vec<_> = waits(text, Some("own-1")).iter().map(|mention| mention.name).collect();
            assert_eq!(found, *wanted, "{text}");
        }
    }

    #[test]
    fn the_words_are_those_of_the_text() {
        let words: Vec<_> = waits("It is Blocked by bd-7, bd-8.", None).iter().map(|it| it.words).collect();
        assert_eq!(words, ["Blocked by bd-7", "Blocked by bd-7, bd-8"]);
    }

    #[test]
    fn a_name_stands_for_keys_of_its_source() {
        for (name, own, wanted) in [
            ("#12", Some("bd-7"), &["bd-12"][..]),
            ("12", Some("master:7"), &["master:12", "12"]),
            ("29.1", Some("master:29.2"), &["master:29.1", "29.1"]),
            ("task-12", Some("BACK-88"), &["BACK-12", "task-12"]),
            ("back-12", Some("BACK-88"), &["BACK-12", "back-12"]),
            ("bd-7", Some("bd-8"), &["bd-7"]),
            ("t3", Some("t4"), &["t3"]),
            ("#12", None, &["#12"]),
        ] {
            assert_eq!(keys(name, own), wanted, "{name} {own:?}");
        }
        assert!(
            is_of_form("#1", None) && is_of_form("bd-x", Some("bd-7")) && !is_of_form("re-run", Some("bd-7"))
        );
    }

    #[test]
    fn hostile_texts_are_bounded() {
        let many: String = (0..5_000).map(|n| format!("blocked by x-{n}; ")).collect();
        assert_eq!(waits(&many, None).len(), limits::MENTIONS_MAX);
        for text in [
            "blocked by ".repeat(50_000),
            "(".repeat(100_000),
            "depends on (".repeat(9_999),
            "é,".repeat(9_999),
        ] {
            assert!(waits(&text, Some("é")).is_empty());
        }
    }
}
