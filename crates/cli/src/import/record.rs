//! One record of a source and its door: fields are read once, with their line and name in every refusal.

use jiff::Timestamp;
use kapell_model::{DependencyKind, Name, Text, limits};
use serde_json::{Map, Value};

use super::backlog::{self, PATH_FIELD};
use super::report::{Finding, ImportReport, Refusal};
use super::task::{FORMAT_FIELD, ImportedTask};

/// A task that was read, with edges that still speak of keys nobody has looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Line of the file, from 1.
    pub line: usize,
    /// The task, without edges.
    pub task: ImportedTask,
    /// Its edges, in the source's order.
    pub edges: Vec<DraftEdge>,
    /// Its state in the source's words.
    pub status: String,
    /// Its priority in the source's words.
    pub priority: String,
    /// Its type in the source's words.
    pub kind: String,
    /// The source does not wait for it any more, though it is not finished.
    pub settled: bool,
    /// Gathers other tasks, and so gives them a project.
    pub gathers: bool,
}

/// An edge that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftEdge {
    /// Key of what it points at.
    pub on: String,
    /// The source's own kind.
    pub source_kind: String,
    /// What it is in Kapell, where it is something.
    pub kind: Option<DependencyKind>,
    /// The task that it speaks of, where that is another than the one it stands at.
    pub owner: Option<String>,
}

/// An object of the source while its fields are taken.
pub struct Record<'a> {
    /// Line of the file, from 1.
    pub line: usize,
    /// Key of the task, once known.
    pub key: String,
    /// The fields.
    pub fields: &'a Map<String, Value>,
}

impl Draft {
    /// Returns the file that it was read from, where a folder was read.
    pub fn file(&self) -> Option<String> {
        let source = &self.task.source;
        let folder = source.get(FORMAT_FIELD).is_some_and(|format| format == backlog::NAME);
        source.get(PATH_FIELD).filter(|_| folder).and_then(Value::as_str).map(str::to_owned)
    }
}

impl Record<'_> {
    /// Makes the refusal of a field.
    pub fn refuse(&self, field: &str, reason: impl Into<String>) -> Refusal {
        Refusal {
            file: None,
            line: self.line,
            column: None,
            field: Some(field.to_owned()),
            reason: reason.into(),
        }
    }

    /// Makes a finding about a field.
    pub fn finding(&self, field: &str, what: impl Into<String>) -> Finding {
        Finding {
            file: None,
            line: self.line,
            task: self.key.clone(),
            field: field.to_owned(),
            what: what.into(),
        }
    }

    /// Returns a field, `null` and absent being the same.
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// Returns a text field.
    ///
    /// # Errors
    /// Where something else stands in it.
    pub fn text(&self, field: &str) -> Result<Option<&str>, Refusal> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.refuse(field, format!("a text is expected, not {}", sort_of(other)))),
        }
    }

    /// Returns a list field, empty where it is absent.
    ///
    /// # Errors
    /// Where something else stands in it.
    pub fn list(&self, field: &str) -> Result<&[Value], Refusal> {
        match self.value(field) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(self.refuse(field, format!("a list is expected, not {}", sort_of(other)))),
        }
    }

    /// Checks and cleans a title.
    ///
    /// # Errors
    /// Where it is blank or too long.
    pub fn title(&self, field: &str, given: &str, report: &mut ImportReport) -> Result<String, Refusal> {
        let title = self.one_line(field, given, report);
        match Text::filled(&title, limits::TITLE_BYTES_MAX) {
            Ok(_) => Ok(title),
            Err(error) => Err(self.refuse(field, error.to_string())),
        }
    }

    /// Returns the status; a missing one is taken as `otherwise` and reported.
    pub fn status(&self, otherwise: &str, report: &mut ImportReport) -> Result<String, Refusal> {
        if let Some(status) = self.text("status")?.filter(|status| !status.is_empty()) {
            return Ok(status.to_owned());
        }
        report.inferred.push(self.finding("status", format!("missing, taken as `{otherwise}`")));
        Ok(otherwise.to_owned())
    }

    /// Puts a description together from its main field and those that stand under a heading of their own.
    ///
    /// # Errors
    /// Where the main field alone, or all of them together, are too long.
    pub fn description(
        &self,
        main: &str,
        sections: &[(&str, &str)],
        report: &mut ImportReport,
    ) -> Result<String, Refusal> {
        let mut whole = self.text(main)?.unwrap_or_default().to_owned();
        self.check_description(main, &whole)?;
        for &(field, heading) in sections {
            let section = self.text(field)?.unwrap_or_default();
            if section.trim().is_empty() {
                continue;
            }
            if !whole.is_empty() {
                whole.push_str("\n\n");
            }
            whole.push_str(&format!("## {heading}\n\n{section}"));
            self.check_description(field, &whole)?;
        }
        Ok(self.without_controls(main, &whole, report))
    }

    fn check_description(&self, field: &str, text: &str) -> Result<(), Refusal> {
        match text.len() {
            0..=limits::DESCRIPTION_BYTES_MAX => Ok(()),
            bytes => Err(self.refuse(
                field,
                format!(
                    "{bytes} bytes of description are more than the {} allowed",
                    limits::DESCRIPTION_BYTES_MAX
                ),
            )),
        }
    }

    /// Replaces control characters but line breaks and tabs by U+FFFD, and says so.
    fn without_controls(&self, field: &str, text: &str, report: &mut ImportReport) -> String {
        let strange = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        let count = text.chars().filter(|&c| strange(c)).count();
        if count == 0 {
            return text.to_owned();
        }
        report.changed.push(self.finding(field, format!("{count} control characters replaced")));
        text.chars().map(|c| if strange(c) { '\u{fffd}' } else { c }).collect()
    }

    /// Makes one line of a text: control characters and line breaks become spaces, the ends are trimmed.
    pub fn one_line(&self, field: &str, text: &str, report: &mut ImportReport) -> String {
        let line = text.replace(char::is_control, " ").trim().to_owned();
        if line != text {
            let what = if text.trim() == line {
                "space at the ends removed"
            } else {
                "control characters replaced by spaces"
            };
            report.changed.push(self.finding(field, what));
        }
        line
    }

    /// Checks labels, leaving out what is no label.
    ///
    /// # Errors
    /// Where the field is no list of texts.
    pub fn labels(&self, field: &str, report: &mut ImportReport) -> Result<Vec<String>, Refusal> {
        let mut labels: Vec<String> = Vec::new();
        for item in self.list(field)? {
            let Value::String(text) = item else {
                return Err(self
                    .refuse(field, format!("a list of texts is expected, and {} is in it", sort_of(item))));
            };
            let label = self.one_line(field, text, report);
            if Text::filled(&label, limits::LABEL_BYTES_MAX).is_err() {
                report.not_kept.push(self.finding(field, "a label is blank or longer than 100 bytes"));
            } else if labels.len() == limits::LABELS_MAX {
                report.not_kept.push(self.finding(field, format!("more than {} labels", limits::LABELS_MAX)));
                break;
            } else if !labels.contains(&label) {
                labels.push(label);
            }
        }
        Ok(labels)
    }

    /// Returns a moment as Kapell writes it. What is no moment since 1970 is reported and not used.
    ///
    /// # Errors
    /// Where the field is no text.
    pub fn moment(&self, field: &str, report: &mut ImportReport) -> Result<Option<String>, Refusal> {
        let Some(text) = self.text(field)?.filter(|text| !text.is_empty()) else { return Ok(None) };
        let moment = text.parse().ok().filter(|moment| *moment >= Timestamp::UNIX_EPOCH);
        if moment.is_none() {
            report.not_kept.push(self.finding(
                field,
                "no moment since 1970 with its offset from UTC, such as 2025-11-14T09:18:09Z",
            ));
        }
        Ok(moment.map(|moment: Timestamp| moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()))
    }

    /// Returns a text that fits a reason, one that does not being reported and not used.
    ///
    /// # Errors
    /// Where the field is no text.
    pub fn reason(&self, field: &str, report: &mut ImportReport) -> Result<Option<String>, Refusal> {
        let Some(text) = self.text(field)?.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
        if text.len() > limits::NOTE_BYTES_MAX {
            report.not_kept.push(
                self.finding(field, format!("longer than the {} bytes of a reason", limits::NOTE_BYTES_MAX)),
            );
            return Ok(None);
        }
        Ok(Some(self.without_controls(field, text, report)))
    }

    /// Returns the type of the task: the source's own word where it is a name.
    ///
    /// # Errors
    /// Where the field is no text.
    pub fn kind(&self, field: &str, report: &mut ImportReport) -> Result<String, Refusal> {
        let Some(given) = self.text(field)?.filter(|text| !text.is_empty()) else {
            report.inferred.push(self.finding(field, "missing, taken as `task`"));
            return Ok("task".to_owned());
        };
        if let Err(error) = Name::new(given) {
            report.changed.push(self.finding(field, format!("taken as `task`: {error}")));
            return Ok("task".to_owned());
        }
        Ok(given.to_owned())
    }

    /// Gathers what the source said: every field but those whose content stands unchanged in the task.
    ///
    /// Where that is more than Kapell keeps, the largest fields are left out, each with a finding.
    pub fn source(&self, format: &str, unchanged: &[&str], report: &mut ImportReport) -> Map<String, Value> {
        let mut source = self.fields.clone();
        source.retain(|field, _| !unchanged.contains(&field.as_str()));
        source.insert(FORMAT_FIELD.to_owned(), Value::from(format));
        while bytes(&source) + ROOM > limits::SOURCE_BYTES_MAX {
            let largest = source.iter().max_by_key(|(_, value)| value.to_string().len());
            let Some(field) = largest.map(|(field, _)| field.clone()) else { break };
            source.remove(&field);
            let what = format!("lost: the fields beside the task pass {} bytes", limits::SOURCE_BYTES_MAX);
            report.not_kept.push(self.finding(&field, what));
        }
        source
    }
}

/// Reads a record with a report of its own: findings of one that is refused in the end would speak of a task that nobody gets.
///
/// # Errors
/// Where `read` refuses it.
pub fn with_findings<T>(
    report: &mut ImportReport,
    read: impl FnOnce(&mut ImportReport) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let mut findings = ImportReport::new("", report.format);
    let found = read(&mut findings)?;
    report.inferred.append(&mut findings.inferred);
    report.changed.append(&mut findings.changed);
    report.not_kept.append(&mut findings.not_kept);
    Ok(found)
}

/// Bytes that are left for what the importer itself adds, such as the record's place.
const ROOM: usize = 128;

fn bytes(fields: &Map<String, Value>) -> usize {
    serde_json::to_vec(fields).map_or(0, |bytes| bytes.len())
}

/// Names the sort of a value for a person.
pub fn sort_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Makes a task's key of an id, or says why it cannot be one.
///
/// An id of the form `T-12` would be taken for one of Kapell's own, so it gets the format in front.
///
/// # Errors
/// Where it is no name.
pub fn key_of(format: &str, id: &str) -> Result<String, String> {
    let numbered = id
        .strip_prefix("T-")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    let key = if numbered { format!("{format}:{id}") } else { id.to_owned() };
    Name::new(&key)
        .map(|_| key)
        .map_err(|error| format!("{error}; allowed: {}", kapell_model::NameError::ALLOWED))
}
