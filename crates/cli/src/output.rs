//! Where output goes: data to standard output, as a table for people or as JSON; everything else to standard error.

use std::io::Write as _;

use comfy_table::{Table, presets};
use serde::Serialize;

/// How data is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON document.
    Json,
}

/// Writes a line of data.
pub fn line(text: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone (`kapell task list | head`) is no error.
    let _ = writeln!(out, "{}", text.as_ref());
}

/// Writes bytes of data.
pub fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes a value as JSON.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Replaces control characters and those that nobody sees, so that a task's text cannot steer the terminal
/// or show what it does not say. Line breaks and tabs stay.
pub fn plain(text: &str) -> String {
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.chars().map(|c| if steers(c) || kapell_model::is_unseen(c) { '\u{fffd}' } else { c }).collect()
}

/// Returns a text on one line, cut to `width` characters.
pub fn cut(text: &str, width: usize) -> String {
    let one: String = plain(text).chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    if one.chars().count() <= width {
        return one;
    }
    let mut short: String = one.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Writes rows under their headings, as kubectl does: no lines, two blanks between the columns.
pub fn table(headings: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        eprintln!("nothing to show");
    } else {
        line(grid(headings, rows));
    }
}

/// Returns rows under their headings.
pub fn grid(headings: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headings.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_lose_their_power() {
        assert_eq!(plain("a\u{1b}[31mred\nb"), "a\u{fffd}[31mred\nb");
        assert_eq!(plain("done \u{202e}ton"), "done \u{fffd}ton");
        assert_eq!(plain("a\u{200b}d\u{2060}a\u{e0041}"), "a\u{fffd}d\u{fffd}a\u{fffd}");
        assert_eq!(cut("one\ntwo three", 8), "one two…");
    }

    #[test]
    fn tables_stand_without_lines() {
        let rows =
            vec![vec!["T-1".to_owned(), "ready".to_owned()], vec!["T-12".to_owned(), "blocked".to_owned()]];
        assert_eq!(grid(&["TASK", "STATE"], rows), "TASK  STATE\nT-1   ready\nT-12  blocked");
    }
}
