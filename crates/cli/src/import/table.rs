//! Tables with commas, semicolons or tabs (RFC 4180 but for the separator), and what their cells hold: lists, days, moments, estimates.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::record::Record;
use super::report::{ImportReport, Refusal};

/// A row: its line, from 1, and its cells by the names of their columns. A column that stands there more than once is a list of
/// what is not empty.
pub type Row = (usize, Map<String, Value>);

/// Returns the names of the columns, where the first line can be one of a table.
pub fn columns(bytes: &[u8]) -> Option<Vec<String>> {
    let bytes = without_mark(bytes);
    let mut reader = csv::ReaderBuilder::new().delimiter(separator(bytes)).flexible(true).from_reader(bytes);
    let names = reader.headers().ok()?;
    Some(names.iter().map(|name| name.trim().to_owned()).collect())
}

/// Reads the rows; what cannot be read is in the report.
pub fn rows(bytes: &[u8], report: &mut ImportReport) -> Vec<Row> {
    let names = columns(bytes).unwrap_or_default();
    let bytes = without_mark(bytes);
    let mut reader = csv::ReaderBuilder::new().delimiter(separator(bytes)).from_reader(bytes);
    let mut rows = Vec::new();
    for record in reader.records() {
        report.records += 1;
        match record {
            Ok(record) => {
                let line =
                    record.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(0));
                rows.push((line, cells(&names, &record)));
            }
            Err(error) => {
                let line =
                    error.position().map_or(0, |position| usize::try_from(position.line()).unwrap_or(0));
                let reason = match error.kind() {
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!("{len} cells stand in it, and the first line has {expected_len}")
                    }
                    csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
                    _ => error.to_string(),
                };
                report.refused.push(Refusal { file: None, line, column: None, field: None, reason });
            }
        }
    }
    rows
}

/// Returns the separator of a table: what of comma, semicolon and tab stands most often between the names of its columns, in
/// doubt the one that is named first.
fn separator(bytes: &[u8]) -> u8 {
    const SEPARATORS: [u8; 3] = *b",;\t";
    let mut counts = [0_usize; SEPARATORS.len()];
    let mut quoted = false;
    for byte in bytes {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => {
                if let Some(at) = SEPARATORS.iter().position(|it| it == byte) {
                    counts[at] += 1;
                }
            }
        }
    }
    let most = counts.iter().max();
    let at = counts.iter().position(|count| Some(count) == most).unwrap_or(0);
    SEPARATORS[at]
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn cells(names: &[String], record: &csv::StringRecord) -> Map<String, Value> {
    let mut cells = Map::new();
    for (name, cell) in names.iter().zip(record) {
        let often = names.iter().filter(|other| *other == name).count() > 1;
        match cells.get_mut(name) {
            Some(Value::Array(_)) if cell.is_empty() => {}
            Some(Value::Array(items)) => items.push(Value::from(cell)),
            _ if often => {
                let items: Vec<&str> = Some(cell).filter(|cell| !cell.is_empty()).into_iter().collect();
                cells.insert(name.clone(), Value::from(items));
            }
            _ if cell.is_empty() => {}
            _ => {
                cells.insert(name.clone(), Value::from(cell));
            }
        }
    }
    cells
}

/// Returns what a column holds, in one cell or in many; one cell is taken apart at `separator`.
pub fn listed(record: &Record<'_>, column: &str, separator: &str) -> Vec<String> {
    let apart = |text: &str| -> Vec<String> {
        text.split(separator).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    match record.value(column) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).flat_map(apart).collect(),
        Some(Value::String(text)) => apart(text),
        _ => Vec::new(),
    }
}

/// Returns the moment of a cell, a day being taken as `day` says; what is neither is reported and not used. Times without an
/// offset are taken as UTC.
pub fn moment(record: &Record<'_>, column: &str, day: Day, report: &mut ImportReport) -> Option<String> {
    let text = listed(record, column, "\u{0}").into_iter().next()?;
    let found = read(&text, day).filter(|(moment, _)| *moment >= Timestamp::UNIX_EPOCH);
    match &found {
        None => report.not_kept.push(record.finding(column, "no day or moment since 1970 that is known")),
        Some((_, true)) => {}
        Some((moment, false)) => {
            report
                .inferred
                .push(record.finding(column, format!("without an offset from UTC, taken as {moment}")));
        }
    }
    found.map(|(moment, _)| moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

/// What a day without a time means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// Its first moment.
    Begins,
    /// Its last.
    Ends,
}

/// Reads a moment, and tells whether it said its offset.
fn read(text: &str, day: Day) -> Option<(Timestamp, bool)> {
    if let Ok(moment) = text.parse() {
        return Some((moment, true));
    }
    // `Thu Jun 25 2026 23:00:00 GMT+0000 (GMT+00:00)`, as browsers write it.
    let plain = text.split(" (").next().unwrap_or(text);
    if let Ok(zoned) = jiff::fmt::strtime::parse("%a %b %d %Y %H:%M:%S GMT%z", plain)
        && let Ok(moment) = zoned.to_timestamp()
    {
        return Some((moment, true));
    }
    let in_utc = |time: DateTime| time.to_zoned(TimeZone::UTC).ok().map(|zoned| (zoned.timestamp(), false));
    for form in
        ["%d/%b/%y %I:%M %p", "%d/%b/%Y %I:%M %p", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%d/%b/%y %H:%M"]
    {
        if let Ok(time) = DateTime::strptime(form, text) {
            return in_utc(time);
        }
    }
    for form in ["%Y-%m-%d", "%d/%b/%y", "%d/%b/%Y", "%b %d, %Y"] {
        if let Ok(date) = Date::strptime(form, text) {
            return in_utc(match day {
                Day::Begins => date.at(0, 0, 0, 0),
                Day::Ends => date.at(23, 59, 59, 999_000_000),
            });
        }
    }
    None
}

/// Makes a name of a text: what a name cannot hold becomes a dash.
pub fn name(text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/@:+#".contains(c);
    let name: String = text.trim().chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let name = name.trim_matches('-').to_owned();
    kapell_model::Name::new(&name).is_ok().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_the_one_of_the_first_line() {
        for (text, wanted) in [
            ("a,b,c\n1;2;3;4;5", b','),
            ("a;b;c\n1,2,3,4,5,6", b';'),
            ("a\tb,c\td\n", b'\t'),
            ("\"a,b,\nc\";d\r\n", b';'),
            ("a;b,c", b','),
            ("a", b','),
            ("", b','),
        ] {
            assert_eq!(separator(text.as_bytes()), wanted, "{text}");
        }
    }

    #[test]
    fn days_and_moments_are_read_in_the_forms_of_other_programs() {
        let read = |text: &str, day| read(text, day).map(|(moment, exact)| (moment.to_string(), exact));
        for (text, day, wanted, exact) in [
            ("2026-06-25T23:00:00Z", Day::Ends, "2026-06-25T23:00:00Z", true),
            ("Thu Jun 25 2026 23:00:00 GMT+0200 (GMT+02:00)", Day::Ends, "2026-06-25T21:00:00Z", true),
            ("02/Mar/26 12:00 AM", Day::Ends, "2026-03-02T00:00:00Z", false),
            ("02/Mar/2026 4:30 PM", Day::Ends, "2026-03-02T16:30:00Z", false),
            ("02/Mar/26", Day::Ends, "2026-03-02T23:59:59.999Z", false),
            ("2026-03-02", Day::Begins, "2026-03-02T00:00:00Z", false),
        ] {
            assert_eq!(read(text, day), Some((wanted.to_owned(), exact)), "{text}");
        }
        assert_eq!(read("soon", Day::Ends), None);
    }
}
