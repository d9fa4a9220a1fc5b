//! What is different now from what an import of the same record says, and how it is written into the record.

use jiff::Timestamp;
use kapell_api::{Limits, Requirement, Task, TaskSubmission};
use serde_json::{Map, Value};

/// A record while it is brought up to date.
pub type Record = Map<String, Value>;

/// Returns a text field that says something.
pub fn filled<'a>(record: &'a Record, field: &str) -> Option<&'a str> {
    record.get(field).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// Sets a field.
pub fn set(record: &mut Record, field: &str, value: impl Into<Value>) {
    record.insert(field.to_owned(), value.into());
}

/// Sets a field, or takes it out where there is nothing to say.
pub fn set_or_remove(record: &mut Record, field: &str, value: Option<impl Into<Value>>) {
    match value {
        Some(value) => set(record, field, value),
        None => {
            record.remove(field);
        }
    }
}

/// Writes a changed title and description. Sections of the description that are still there go back to their fields.
pub fn texts(record: &mut Record, task: &Task, base: &TaskSubmission, sections: &[(&str, &str)]) {
    if task.title != base.title {
        set(record, "title", task.title.as_str());
    }
    if task.description == base.description {
        return;
    }
    let mut rest = task.description.as_str();
    for (field, heading) in sections.iter().rev() {
        let Some(text) = filled(record, field) else { continue };
        let section = format!("## {heading}\n\n{text}");
        match rest.strip_suffix(section.as_str()) {
            Some(before) => rest = before.strip_suffix("\n\n").unwrap_or(before),
            None => {
                record.remove(*field);
            }
        }
    }
    set(record, "description", rest);
}

/// Tells whether two times by RFC 3339 mean the same moment, or are both missing.
pub fn same_moment(one: Option<&str>, other: Option<&str>) -> bool {
    let read = |text: Option<&str>| text.map(|text| text.parse::<Timestamp>().map(Timestamp::as_millisecond));
    match (read(one), read(other)) {
        (None, None) => true,
        (Some(Ok(one)), Some(Ok(other))) => one == other,
        _ => false,
    }
}

/// Returns the effort that was declared, in hours.
pub fn declared_estimate(task: &Task) -> Option<f64> {
    (task.estimate_source == "declared").then_some(task.estimate_hours)
}

/// Returns the capabilities that were declared to be required; what was read out of the text can be read again.
pub fn declared_requirements(task: &Task) -> Vec<Requirement> {
    let declared = task.requires.iter().filter(|it| !it.inferred);
    let plain = |it: &kapell_api::RequiredCapability| Requirement {
        capability: it.capability.clone(),
        weight: it.weight,
        minimum: it.minimum,
    };
    declared.map(plain).collect()
}

/// Tells whether two efforts are the same to the millisecond, as they are kept.
pub fn same_effort(one: Option<f64>, other: Option<f64>) -> bool {
    let millis = |hours: Option<f64>| hours.map(|hours| (hours * 3_600_000.0).round());
    millis(one) == millis(other)
}

/// Tells whether nothing has happened to a task since it was imported as `base`.
pub fn is_where_it_was(task: &Task, base: &TaskSubmission) -> bool {
    match base.closed.as_ref().map(|closed| closed.state.as_str()) {
        Some(state) => task.state == state && task.attempts == 0,
        None => !is_ended(task) && task.attempts == 0 && task.owner.is_none(),
    }
}

/// Returns what a task may cost by its own budget, where it has one.
pub fn own_budget(task: &Task) -> Option<Limits> {
    task.cost.as_ref().map(|cost| &cost.standing).filter(|it| it.own).map(|it| it.budget.total)
}

/// Tells whether a task has ended.
pub fn is_ended(task: &Task) -> bool {
    matches!(task.state.as_str(), "completed" | "failed" | "cancelled" | "archived")
}
