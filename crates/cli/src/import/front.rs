//! Front matter of Markdown files: the part of YAML that is written there. Every scalar is a text; nothing is guessed about its type.
//!
//! Texts plain, in quotes, folded (`>`) and literal (`|`), lists in lines and in brackets. What is nested deeper is taken as one
//! text.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Value};

/// Takes a file apart: its front matter, without the lines around it, and what stands behind.
pub fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rest = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n"))?;
    let mut used = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some((&rest[..used], &rest[used + line.len()..]));
        }
        used += line.len();
    }
    None
}

/// Reads the fields.
///
/// # Errors
/// With the line, from 1, and what is wrong with it.
pub fn fields(front: &str) -> Result<Map<String, Value>, (usize, String)> {
    let lines: Vec<&str> = front.lines().collect();
    let mut fields = Map::new();
    for (name, range) in entries(&lines)? {
        let first = lines[range.start].split_once(':').map_or("", |(_, value)| value).trim();
        let value = value(first, &lines[range.start + 1..range.end]);
        if fields.insert(name.clone(), value).is_some() {
            return Err((range.start + 1, format!("field `{name}` stands there twice")));
        }
    }
    Ok(fields)
}

/// Returns the line of the file, from 1, on which each field begins: in the file there is one line before them.
pub fn lines(front: &str) -> BTreeMap<String, usize> {
    let lines: Vec<&str> = front.lines().collect();
    entries(&lines).unwrap_or_default().into_iter().map(|(name, range)| (name, range.start + 2)).collect()
}

/// Puts other lines in the place of a field, or behind the last.
pub fn replaced(front: &str, field: &str, value: &Value) -> String {
    let lines: Vec<&str> = front.lines().collect();
    let found = entries(&lines).ok().and_then(|all| all.into_iter().find(|(name, _)| name == field));
    let range = found.map_or(lines.len()..lines.len(), |(_, range)| range);
    let mut out: Vec<String> = lines[..range.start].iter().map(|line| (*line).to_owned()).collect();
    match value {
        Value::Array(items) if items.is_empty() => out.push(format!("{field}: []")),
        Value::Array(items) => {
            out.push(format!("{field}:"));
            out.extend(items.iter().map(|item| format!("  - {}", scalar(item.as_str().unwrap_or_default()))));
        }
        other => out.push(format!("{field}: {}", scalar(other.as_str().unwrap_or_default()))),
    }
    out.extend(lines[range.end..].iter().map(|line| (*line).to_owned()));
    out.join("\n") + "\n"
}

/// Writes a text so that every reader of YAML reads the same text.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == ')')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " _./()-".contains(c))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_lowercase().as_str());
    if plain {
        text.to_owned()
    } else if text.contains(char::is_control) {
        Value::from(text).to_string()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// A field and its lines.
type Entry = (String, Range<usize>);

/// Finds the lines of each field.
fn entries(lines: &[&str]) -> Result<Vec<Entry>, (usize, String)> {
    let mut found: Vec<Entry> = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let inner = line.is_empty() || line.starts_with([' ', '\t', '-', '#']);
        if let (true, Some((_, range))) = (inner, found.last_mut()) {
            range.end = place + 1;
            continue;
        }
        if inner {
            continue;
        }
        let name =
            line.split_once(':').filter(|(_, value)| value.is_empty() || value.starts_with([' ', '\t']));
        let Some((name, _)) = name else {
            return Err((place + 1, "a field `name: value` is expected".to_owned()));
        };
        found.push((name.trim().trim_matches(['"', '\'']).to_owned(), place..place + 1));
    }
    Ok(found)
}

fn value(first: &str, more: &[&str]) -> Value {
    let folded = || more.iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    match first.chars().next() {
        None | Some('#') => {
            let items = folded().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
            match items.first() {
                None => Value::Null,
                Some(line) if line.starts_with('-') => list(&items),
                Some(_) => Value::from(more.join("\n")),
            }
        }
        Some('[') => {
            let whole = std::iter::once(first).chain(folded()).collect::<Vec<_>>().join(" ");
            let inner = whole.strip_prefix('[').unwrap_or_default();
            let inner = inner.rfind(']').map_or(inner, |end| &inner[..end]);
            parts(inner).iter().map(|item| text(item)).filter(|item| !item.is_null()).collect()
        }
        Some(kind @ ('>' | '|')) => Value::from(block(kind, first, more)),
        Some(_) => text(&std::iter::once(first).chain(folded()).collect::<Vec<_>>().join(" ")),
    }
}

/// Reads a list in lines; a line without a dash goes on with the item before.
fn list(lines: &[&str]) -> Value {
    let mut items: Vec<String> = Vec::new();
    for line in lines {
        match (line.strip_prefix('-'), items.last_mut()) {
            (Some(item), _) => items.push(item.trim().to_owned()),
            (None, Some(last)) => {
                last.push(' ');
                last.push_str(line);
            }
            (None, None) => {}
        }
    }
    items.iter().map(|item| text(item)).filter(|item| !item.is_null()).collect()
}

fn block(kind: char, first: &str, more: &[&str]) -> String {
    let indent = |line: &&&str| line.len() - line.trim_start().len();
    let depth =
        more.iter().filter(|line| !line.trim().is_empty()).map(|line| indent(&line)).min().unwrap_or(0);
    let lines: Vec<&str> = more.iter().map(|line| line.get(depth..).unwrap_or_default()).collect();
    let mut out = String::new();
    for (place, line) in lines.iter().enumerate() {
        if place > 0 && (kind == '|' || line.is_empty()) {
            out.push('\n');
        } else if place > 0 && !lines[place - 1].is_empty() {
            out.push(' ');
        }
        out.push_str(line);
    }
    let text = out.trim_end_matches('\n');
    if first.contains('-') { text.to_owned() } else { format!("{text}\n") }
}

/// Takes a list in brackets apart at the commas that stand in no quotes.
fn parts(inner: &str) -> Vec<&str> {
    let (mut parts, mut from, mut quote) = (Vec::new(), 0, None);
    for (at, c) in inner.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') if inner[from..at].trim().is_empty() => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, ',') => {
                parts.push(&inner[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[from..]);
    parts
}

/// Reads a scalar; nothing, `null` and `~` are null.
fn text(given: &str) -> Value {
    let given = given.trim();
    if let Some(inner) = given.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Value::from(inner.replace("''", "'"));
    }
    if given.starts_with('"')
        && let Ok(Value::String(text)) = serde_json::from_str(given)
    {
        return Value::from(text);
    }
    if let Some(inner) = given.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return Value::from(inner);
    }
    let plain = given.split(" #").next().unwrap_or_default().trim_end();
    match plain {
        "" | "~" | "null" => Value::Null,
        plain => Value::from(plain),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PAGE: &str = "---\nid: BACK-7\ntitle: 'It''s: a \"test\"'\nassignee: @kim\nlabels: [\"a, b\", c]\ndependencies:\n  - task-1\ntags:\n- x # y\nlong: two\n  lines\nfolded: >-\n  one\n  two\n\n  three\nliteral: |\n  a\n    b\nnone:\nnumber: 1.10\n---\n\n# Body\n---\n";

    #[test]
    fn what_stands_in_front_is_read_as_texts_and_lists() {
        let (front, body) = split(PAGE).expect("a front");
        assert_eq!(body, "\n# Body\n---\n");
        let fields = fields(front).expect("fields");
        assert_eq!(
            Value::Object(fields),
            json!({"id": "BACK-7", "title": "It's: a \"test\"", "assignee": "@kim", "labels": ["a, b", "c"], "dependencies": ["task-1"],
                "tags": ["x"], "long": "two lines", "folded": "one two\nthree", "literal": "a\n  b\n", "none": null, "number": "1.10"})
        );
    }

    #[test]
    fn a_field_is_replaced_and_the_rest_stays_as_it_was() {
        let front = "id: a # odd\nlabels:\n  - x\n\nstatus: To Do\n";
        let front = replaced(front, "labels", &json!(["it's", "yes"]));
        assert_eq!(front, "id: a # odd\nlabels:\n  - 'it''s'\n  - 'yes'\nstatus: To Do\n");
        let front = replaced(&front, "priority", &json!("high"));
        assert!(front.ends_with("status: To Do\npriority: high\n"), "{front}");
        assert_eq!(fields(&front).expect("fields")["labels"], json!(["it's", "yes"]));
    }

    #[test]
    fn what_is_no_field_is_refused_with_its_line() {
        assert_eq!(fields("a: b\nnonsense\n").expect_err("refused").0, 2);
        assert_eq!(fields("a: b\na: c\n").expect_err("refused").0, 2);
        assert!(split("no front").is_none() && split("---\na: b\n").is_none());
    }
}
