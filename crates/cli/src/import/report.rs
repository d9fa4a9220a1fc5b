//! What an import did: what was mapped, what was inferred, what could not be kept.
//!
//! The report is complete as JSON; as text it shows the first lines of each list and says how many follow.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::Format;

/// Entries of a list that the text shows; the JSON has all.
const SHOWN_MAX: usize = 12;

/// The account of one import.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportReport {
    /// The file's name, as it was given.
    pub file: String,
    /// What the file was read as.
    pub format: Format,
    /// Records that stood in the file: imported, repeated and refused ones.
    pub records: usize,
    /// Tasks that were imported.
    pub tasks: usize,
    /// The source's states and what they became, over the imported tasks.
    pub statuses: Tally,
    /// The source's priorities and what they became, over the imported tasks.
    pub priorities: Tally,
    /// The source's types and what they became, over the imported tasks.
    pub types: Tally,
    /// The edges of the imported tasks by the source's own kind.
    pub edges: BTreeMap<String, EdgeCounts>,
    /// What the source did not say and Kapell filled in.
    pub inferred: Vec<Finding>,
    /// What is different in Kapell; the source's own content is kept beside it.
    pub changed: Vec<Finding>,
    /// What has no place in Kapell. Unless it says otherwise, it is kept with the task's source.
    pub not_kept: Vec<Finding>,
    /// Waits that close a cycle. The server gets them last and takes the least trusted edge of each cycle away, with a record.
    pub closing: Vec<LeftOutEdge>,
    /// Every edge that is not an edge in Kapell, with the reason. All are kept with the task's source.
    pub left_out: Vec<LeftOutEdge>,
    /// Records whose id stood in the file before; the first one was imported.
    pub duplicates: Vec<Duplicate>,
    /// Records that were refused.
    pub refused: Vec<Refusal>,
}

/// How often one value became another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<(String, String), usize>);

/// What became of the edges of one kind; the parts add up to `found`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct EdgeCounts {
    /// Edges in the source.
    pub found: usize,
    /// Edges that are edges in Kapell.
    pub kept: usize,
    /// Edges to something that is not in the file.
    pub dangling: usize,
    /// Edges that close a cycle: waits, which the server breaks, and memberships and relations with itself, which are left out.
    pub cyclic: usize,
    /// Edges that stood there before.
    pub repeated: usize,
    /// Waits that the source itself no longer waits for.
    pub settled: usize,
    /// Edges of a kind, or in a form, that Kapell does not know.
    pub unknown: usize,
}

/// Something that a person may want to know about one field of one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file, with `/`, where a folder was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line of the file, from 1.
    pub line: usize,
    /// The task's key.
    pub task: String,
    /// The source's field.
    pub field: String,
    /// What was found or done.
    pub what: String,
}

/// An edge of the source that is not one in Kapell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOutEdge {
    /// The file, with `/`, where a folder was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line of the file, from 1, of the task that has the edge.
    pub line: usize,
    /// Key of that task.
    pub task: String,
    /// What the edge points at.
    pub on: String,
    /// The source's own kind.
    pub kind: String,
    /// Why it was left out.
    #[serde(flatten)]
    pub why: LeftOut,
}

/// Why an edge was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum LeftOut {
    /// Nothing in the file has that id.
    Dangling,
    /// It closes this cycle: each waits for the next, the last for the first.
    Cyclic {
        /// Keys of the tasks in it.
        cycle: Vec<String>,
        /// Tasks of the cycle that are not listed, a file's cycles being shown up to a bound.
        not_shown: usize,
    },
    /// The same edge stood there before.
    Repeated,
    /// The source does not wait for a task in this state.
    Settled {
        /// The state in the source's words.
        status: String,
    },
    /// Kapell has no such kind.
    UnknownKind,
    /// The edge stands at one task and speaks of another.
    Foreign {
        /// The task that it speaks of.
        owner: String,
    },
}

/// A record whose id stood in the file before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duplicate {
    /// The id, as a key.
    pub id: String,
    /// File of the record that was imported, where a folder was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_file: Option<String>,
    /// Line of the record that was imported.
    pub first_line: usize,
    /// File of this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line of this one.
    pub line: usize,
}

/// A record that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The file, with `/`, where a folder was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line of the file, from 1.
    pub line: usize,
    /// Byte in that line, from 1, where the text itself is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The field that is at fault, where the record could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong.
    pub reason: String,
}

impl ImportReport {
    /// Begins the report of a file.
    #[must_use]
    pub fn new(file: &str, format: Format) -> Self {
        Self {
            file: file.to_owned(),
            format,
            records: 0,
            tasks: 0,
            statuses: Tally::default(),
            priorities: Tally::default(),
            types: Tally::default(),
            edges: BTreeMap::new(),
            inferred: Vec::new(),
            changed: Vec::new(),
            not_kept: Vec::new(),
            closing: Vec::new(),
            left_out: Vec::new(),
            duplicates: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Returns the counts of one kind of edge, in the source's word.
    #[cfg(test)]
    #[must_use]
    pub fn edges_of(&self, kind: &str) -> EdgeCounts {
        self.edges.get(kind).copied().unwrap_or_default()
    }

    /// Records an edge that became an edge.
    pub fn edge_kept(&mut self, kind: &str) {
        let counts = self.edges.entry(kind.to_owned()).or_default();
        counts.found += 1;
        counts.kept += 1;
    }

    /// Records an edge that closes a cycle, which the server is to break.
    pub fn edge_closing(&mut self, edge: LeftOutEdge) {
        let counts = self.edges.entry(edge.kind.clone()).or_default();
        counts.found += 1;
        counts.cyclic += 1;
        self.closing.push(edge);
    }

    /// Records an edge that was left out.
    pub fn edge_left_out(&mut self, edge: LeftOutEdge) {
        let counts = self.edges.entry(edge.kind.clone()).or_default();
        counts.found += 1;
        *match edge.why {
            LeftOut::Dangling => &mut counts.dangling,
            LeftOut::Cyclic { .. } => &mut counts.cyclic,
            LeftOut::Repeated => &mut counts.repeated,
            LeftOut::Settled { .. } => &mut counts.settled,
            LeftOut::UnknownKind | LeftOut::Foreign { .. } => &mut counts.unknown,
        } += 1;
        self.left_out.push(edge);
    }
}

impl Tally {
    /// Counts that `from` became `to`.
    pub fn count(&mut self, from: &str, to: &str) {
        *self.0.entry((from.to_owned(), to.to_owned())).or_default() += 1;
    }

    /// Returns what was counted in all.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }
}

impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row<'a> {
            from: &'a str,
            to: &'a str,
            count: usize,
        }
        serializer.collect_seq(self.0.iter().map(|((from, to), &count)| Row { from, to, count }))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, ((from, to), count)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            if from == to {
                write!(f, "{comma}{from} {count}")?;
            } else {
                write!(f, "{comma}{from} -> {to} {count}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for EdgeCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kept", self.kept)?;
        let left_out = [
            (self.dangling, "dangling"),
            (self.cyclic, "in a cycle"),
            (self.repeated, "repeated"),
            (self.settled, "settled"),
            (self.unknown, "of a form unknown here"),
        ];
        for (count, word) in left_out.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {word}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = place(self.file.as_deref(), self.line);
        write!(f, "{place}: {}, {}: {}", self.task, self.field, self.what)
    }
}

impl fmt::Display for LeftOutEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, task, on, kind, why } = self;
        write!(f, "{}: {task} {kind} {on}: {why}", place(file.as_deref(), *line))
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dangling => f.write_str("not in this file"),
            Self::Cyclic { cycle, not_shown: 0 } => {
                let first = cycle.first().map_or("", String::as_str);
                write!(f, "closes the cycle {} -> {first}", cycle.join(" -> "))
            }
            Self::Cyclic { cycle, not_shown } => {
                write!(f, "closes a cycle of {} tasks", cycle.len() + not_shown)
            }
            Self::Repeated => f.write_str("stands there already"),
            Self::Settled { status } => write!(f, "the source does not wait for what is {status}"),
            Self::UnknownKind => f.write_str("no such kind here"),
            Self::Foreign { owner } => write!(f, "it speaks of {owner}, not of the task that has it"),
        }
    }
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = place(self.first_file.as_deref(), self.first_line);
        write!(f, "{}: {} stands in {first} already", place(self.file.as_deref(), self.line), self.id)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&place(self.file.as_deref(), self.line))?;
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ", {field}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, format, records, tasks, .. } = self;
        writeln!(f, "{file} ({format}): {tasks} tasks from {records} records")?;
        for (title, tally) in
            [("status", &self.statuses), ("priority", &self.priorities), ("type", &self.types)]
        {
            if tally.total() > 0 {
                writeln!(f, "  {title:<9} {tally}")?;
            }
        }
        for (kind, counts) in &self.edges {
            writeln!(f, "  edges     {kind}: {counts}")?;
        }
        section(f, "inferred", &self.inferred)?;
        section(f, "changed", &self.changed)?;
        section(f, "not kept as it was (it stays with the task's source)", &self.not_kept)?;
        section(
            f,
            "waits that close a cycle (the server takes the least trusted edge of each away: kapell dep cycles)",
            &self.closing,
        )?;
        section(f, "edges left out (they stay with the task's source)", &self.left_out)?;
        section(f, "repeated ids (the first one counts)", &self.duplicates)?;
        section(f, "refused", &self.refused)
    }
}

/// Writes where something stands: in the file, or in one of a folder.
fn place(file: Option<&str>, line: usize) -> String {
    file.map_or_else(|| format!("line {line}"), |file| format!("{file}:{line}"))
}

fn section<T: fmt::Display>(f: &mut fmt::Formatter<'_>, title: &str, entries: &[T]) -> fmt::Result {
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title}: {}", entries.len())?;
    for entry in entries.iter().take(SHOWN_MAX) {
        writeln!(f, "  {entry}")?;
    }
    match entries.len().saturating_sub(SHOWN_MAX) {
        0 => Ok(()),
        more => writeln!(f, "  and {more} more (all of them with --json)"),
    }
}
