//! JSON Lines: one object a line, each broken line with its place and what is wrong with it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::report::Refusal;

/// Walks the lines of a file that are not blank, with their numbers from 1.
pub fn of(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    text.split(|&byte| byte == b'\n')
        .enumerate()
        .map(|(place, line)| (place + 1, line.strip_suffix(b"\r").unwrap_or(line)))
        .filter(|(_, line)| !line.trim_ascii().is_empty())
}

/// Reads one line as an object.
///
/// # Errors
/// Where it is not UTF-8, not JSON, not an object, or has a field twice.
pub fn object(line: usize, bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let text = text(line, bytes)?;
    match serde_json::from_str::<Object>(text) {
        Ok(Object(fields)) => Ok(fields),
        Err(error) => Err(broken(line, text, &error)),
    }
}

/// Checks that a line is UTF-8.
///
/// # Errors
/// With the first byte that is not.
pub fn text(line: usize, bytes: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes).map_err(|error| Refusal {
        file: None,
        line,
        column: Some(error.valid_up_to() + 1),
        field: None,
        reason: "not UTF-8".to_owned(),
    })
}

fn broken(line: usize, text: &str, error: &serde_json::Error) -> Refusal {
    let conflict = ["<<<<<<<", "=======", ">>>>>>>", "|||||||"].iter().any(|marker| text.starts_with(marker));
    let reason = if conflict {
        "not JSON: the mark of an unfinished git merge".to_owned()
    } else if error.is_data() {
        without_place(error)
    } else {
        format!("not JSON: {}", without_place(error))
    };
    Refusal { file: None, line, column: Some(error.column().max(1)), field: None, reason }
}

/// Returns what an error of serde_json says, without its own line and column.
pub fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
}

/// An object none of whose fields stands there twice: the second would hide the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Object(pub Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Object, A::Error> {
        let mut fields = Map::new();
        while let Some((field, value)) = access.next_entry::<String, Value>()? {
            if fields.contains_key(&field) {
                return Err(A::Error::custom(format_args!(
                    "the field `{}` stands there twice",
                    field.escape_debug()
                )));
            }
            fields.insert(field, value);
        }
        Ok(Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> (usize, Option<usize>, String) {
        let refusal = object(7, bytes).expect_err("the line is broken");
        (refusal.line, refusal.column, refusal.reason)
    }

    #[test]
    fn blank_lines_keep_the_numbers_of_the_others() {
        let lines: Vec<_> = of(b"a\r\n\n  \nb").collect();
        assert_eq!(lines, [(1, b"a".as_slice()), (4, b"b".as_slice())]);
    }

    #[test]
    fn a_broken_line_tells_its_place_and_fault() {
        assert_eq!(refused(b"{\"id\": }"), (7, Some(8), "not JSON: expected value".to_owned()));
        assert_eq!(refused(b"{\"id\": 1"), (7, Some(8), "not JSON: EOF while parsing an object".to_owned()));
        assert_eq!(refused(b"{\"a\":\"\xff\"}"), (7, Some(7), "not UTF-8".to_owned()));
        assert_eq!(refused(b"[1]"), (7, Some(1), "invalid type: sequence, expected an object".to_owned()));
        assert_eq!(
            refused(b"<<<<<<< HEAD"),
            (7, Some(1), "not JSON: the mark of an unfinished git merge".to_owned())
        );
    }

    #[test]
    fn a_field_that_stands_there_twice_is_refused() {
        let (_, _, reason) = refused(b"{\"id\":\"a\",\"id\":\"b\"}");
        assert_eq!(reason, "the field `id` stands there twice");
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        assert!(refused(deep.as_bytes()).2.contains("recursion limit"));
    }
}
