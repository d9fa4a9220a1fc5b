//! What inputs are made of where bytes choose it: JSON, and texts of words that mean something somewhere.

use arbitrary::Unstructured;
use serde_json::{Map, Number, Value};

/// Texts that are something to somebody: names, ids, states, kinds, times, and what is nothing anywhere.
pub const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "b",
    "c",
    "ann",
    "bob",
    "rust",
    "sql",
    "review",
    "T-1",
    "T-2",
    "T-3",
    "T-0",
    "T-01",
    "T-99999999999",
    "A-1",
    "A-2",
    "A-3",
    "R-1",
    "W-1",
    "C-1",
    "C-2",
    "H-1",
    "M-1",
    "M-2",
    "E-1",
    "F-1",
    "X-1",
    "O-1",
    "N-1",
    "N-2",
    "critical",
    "high",
    "medium",
    "low",
    "open",
    "ready",
    "blocked",
    "assigned",
    "in_progress",
    "completed",
    "failed",
    "cancelled",
    "done",
    "closed",
    "pending",
    "deferred",
    "in-progress",
    "tombstone",
    "blocks",
    "parent-child",
    "related",
    "discovered-from",
    "duplicates",
    "declared",
    "imported",
    "inferred",
    "agent",
    "person",
    "developer",
    "architect",
    "exclusive",
    "shared",
    "command",
    "approval",
    "cargo test",
    "src/**",
    "src/*.rs",
    "{a,b}/**",
    "path:src/**",
    "greedy",
    "optimal",
    "scored",
    "first",
    "off",
    "on",
    "cancel",
    "block",
    "break",
    "escalate",
    "keep",
    "hand_over",
    "request",
    "reply",
    "notice",
    "choice",
    "approve",
    "reject",
    "admin",
    "manager",
    "viewer",
    "00:00",
    "23:59",
    "24:00",
    "2025-11-14T09:18:09Z",
    "2025-11-14T09:18:09.123+02:00",
    "1969-12-31T23:59:59Z",
    "9999-12-31T23:59:59Z",
    "2025-11-14",
    "14/Nov/25 9:18 AM",
    "after a",
    "blocked by T-1",
    "depends on #2",
    "#1",
    "gh-1",
    "1",
    "2",
    "1.1",
    "master",
    "master:1",
    "https://github.com/o/r/issues/1",
    "o/r#1",
    "o/r",
    "bug",
    "feature",
    "P0",
    "priority: high",
    "10s",
    "1.5m",
    "0",
    "NaN",
    "null",
    "\u{1b}[31m",
    "a\nb",
    "a\tb",
    "a\u{0}b",
    "\u{feff}a",
    "\u{202e}b",
    "é",
    "漢字",
    "🦀",
    "<b>",
    "```",
    "---",
    "'",
    "\"",
    "\\",
    ",",
    "%2e",
    "../x",
    "/etc",
    "*",
    "?",
];

/// Numbers at the edges of what is allowed somewhere.
const NUMBERS: &[f64] = &[
    0.0,
    1.0,
    2.0,
    3.0,
    0.5,
    0.7,
    -1.0,
    0.000_000_1,
    1.000_000_1,
    10.0,
    60.0,
    100.0,
    1_000.0,
    60_000.0,
    3_600_000.0,
    1e9,
    1e15,
    1e16,
    9.3e18,
    1.9e19,
    1e300,
    -1e300,
    -0.0,
];

/// How deep lists and objects go.
const DEPTH: usize = 3;

/// Chooses one.
pub fn one<'a, T>(bytes: &mut Unstructured<'_>, all: &'a [T]) -> &'a T {
    &all[usize::from(bytes.arbitrary::<u8>().unwrap_or(0)) % all.len()]
}

/// Chooses a word.
pub fn word<'a>(bytes: &mut Unstructured<'_>, all: &[&'a str]) -> &'a str {
    one::<&'a str>(bytes, all)
}

/// Is true about once in so many.
pub fn rarely(bytes: &mut Unstructured<'_>, in_so_many: u8) -> bool {
    bytes.arbitrary::<u8>().unwrap_or(0) % in_so_many == in_so_many - 1
}

/// Makes a text.
pub fn text(bytes: &mut Unstructured<'_>) -> String {
    match bytes.arbitrary::<u8>().unwrap_or(0) {
        0..200 => word(bytes, TEXTS).to_owned(),
        200..230 => format!("{} {}", word(bytes, TEXTS), word(bytes, TEXTS)),
        230..245 => {
            let bytes = bytes.arbitrary::<&[u8]>().unwrap_or_default();
            String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).into_owned()
        }
        length => word(bytes, TEXTS).repeat(1 << (length - 244)),
    }
}

/// Makes a number.
pub fn number(bytes: &mut Unstructured<'_>) -> Value {
    match bytes.arbitrary::<u8>().unwrap_or(0) {
        0..128 => whole(*one(bytes, NUMBERS)),
        128..200 => Value::from(bytes.arbitrary::<i8>().unwrap_or(0)),
        200..230 => Value::from(bytes.arbitrary::<i64>().unwrap_or(0)),
        230..245 => Value::from(bytes.arbitrary::<u64>().unwrap_or(0)),
        _ => Number::from_f64(bytes.arbitrary().unwrap_or(0.5)).map_or(Value::Null, Value::Number),
    }
}

/// Writes a number without a fraction where it has none: `1`, not `1.0`.
#[expect(clippy::cast_possible_truncation, reason = "only where nothing is lost")]
fn whole(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        Value::from(number as i64)
    } else {
        Value::from(number)
    }
}

/// Makes any value.
pub fn value(bytes: &mut Unstructured<'_>) -> Value {
    any(bytes, DEPTH)
}

fn any(bytes: &mut Unstructured<'_>, depth: usize) -> Value {
    let sort = bytes.arbitrary::<u8>().unwrap_or(0) % if depth == 0 { 8 } else { 12 };
    match sort {
        0..=4 => Value::from(text(bytes)),
        5 => number(bytes),
        6 => Value::from(rarely(bytes, 2)),
        7 => Value::Null,
        8 | 9 => (0..few(bytes)).map(|_| any(bytes, depth - 1)).collect(),
        _ => {
            let count = few(bytes);
            Value::Object((0..count).map(|_| (text(bytes), any(bytes, depth - 1))).collect())
        }
    }
}

/// Makes a small number, most often 1.
pub fn few(bytes: &mut Unstructured<'_>) -> usize {
    match bytes.arbitrary::<u8>().unwrap_or(0) {
        0..64 => 0,
        64..192 => 1,
        192..250 => 2,
        more => usize::from(more) - 247,
    }
}

/// Makes an object that has most of these members.
pub fn object(bytes: &mut Unstructured<'_>, members: &[&str]) -> Map<String, Value> {
    let mut object = Map::new();
    for &member in members {
        match bytes.arbitrary::<u8>().unwrap_or(0) {
            0..160 => {
                object.insert(member.to_owned(), Value::from(text(bytes)));
            }
            160..220 => {
                object.insert(member.to_owned(), any(bytes, 2));
            }
            _ => {}
        }
    }
    object
}
