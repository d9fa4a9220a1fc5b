//! Rows on their way to the disk, and rows on their way back.

use crate::error::Refusal;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, BODY_BYTES_MAX, NAME_BYTES_MAX};

/// One record of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// Place in the fleet's log: 1 for the first, without gaps.
    pub position: u64,
    /// The epoch of the owner that wrote it; never falls along the log.
    pub epoch: u64,
    /// When it happened, milliseconds since 1970-01-01 UTC, as the writer said.
    pub at_ms: i64,
    /// The command that it comes from (a UUID).
    pub command: [u8; 16],
    /// Who did it.
    pub actor: &'a str,
    /// What kind of record it is.
    pub kind: &'a str,
    /// What happened: JSON text, in UTF-8. The store does not look inside.
    pub body: &'a [u8],
}

/// Rows to be appended in one transaction, gathered in one buffer that can be used again.
///
/// The texts of all rows lie behind each other in one arena, so a row costs no allocation of its own.
#[derive(Debug, Clone, Default)]
pub struct RowBatch {
    entries: Vec<Entry>,
    arena: Vec<u8>,
}

/// One row's envelope and where its texts end in the arena; they begin where those of the row before end.
#[derive(Debug, Clone, Copy)]
struct Entry {
    at_ms: i64,
    command: [u8; 16],
    actor_end: usize,
    kind_end: usize,
    body_end: usize,
}

impl RowBatch {
    /// Returns an empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns an empty batch with room for `rows` rows and `bytes` bytes of text.
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        Self { entries: Vec::with_capacity(rows), arena: Vec::with_capacity(bytes) }
    }

    /// Adds a row; `body` writes the row's JSON text behind what the buffer holds already.
    ///
    /// # Panics
    /// Where `body` shortens the buffer: the rows before would be lost.
    pub fn push(
        &mut self,
        at_ms: i64,
        command: [u8; 16],
        actor: &str,
        kind: &str,
        body: impl FnOnce(&mut Vec<u8>),
    ) {
        self.arena.extend_from_slice(actor.as_bytes());
        let actor_end = self.arena.len();
        self.arena.extend_from_slice(kind.as_bytes());
        let kind_end = self.arena.len();
        body(&mut self.arena);
        let body_end = self.arena.len();
        assert!(body_end >= kind_end, "a body only writes behind what the buffer holds");
        self.entries.push(Entry { at_ms, command, actor_end, kind_end, body_end });
    }

    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.arena.clear();
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Says whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the bytes of all texts together.
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// Returns the rows as they will stand in the log behind position `after`, written in `epoch`.
    ///
    /// Bodies are given as they are; only [`Store::append`](crate::Store::append) judges them.
    pub fn rows(&self, epoch: u64, after: u64) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).map(move |index| self.row(index, epoch, after + index as u64 + 1))
    }

    /// Returns the row at `index`, as it stands in the log.
    pub(crate) fn row(&self, index: usize, epoch: u64, position: u64) -> Row<'_> {
        let start = if index == 0 { 0 } else { self.entries[index - 1].body_end };
        let entry = &self.entries[index];
        Row {
            position,
            epoch,
            at_ms: entry.at_ms,
            command: entry.command,
            actor: text(&self.arena[start..entry.actor_end]),
            kind: text(&self.arena[entry.actor_end..entry.kind_end]),
            body: &self.arena[entry.kind_end..entry.body_end],
        }
    }

    /// Copies row `index` of another batch behind the own rows.
    pub(crate) fn push_from(&mut self, other: &RowBatch, index: usize) {
        let row = other.row(index, 0, 0);
        self.push(row.at_ms, row.command, row.actor, row.kind, |buffer| buffer.extend_from_slice(row.body));
    }

    /// Keeps the first `rows` rows only.
    pub(crate) fn truncate(&mut self, rows: usize) {
        self.entries.truncate(rows);
        self.arena.truncate(self.entries.last().map_or(0, |entry| entry.body_end));
    }

    /// Refuses a batch that is over a bound, or that has a body which is not UTF-8.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        Refusal::over("rows in a batch", self.len(), BATCH_ROWS_MAX)?;
        Refusal::over("bytes in a batch", self.bytes(), BATCH_BYTES_MAX)?;
        let mut start = 0;
        for entry in &self.entries {
            Refusal::over("bytes in an actor", entry.actor_end - start, NAME_BYTES_MAX)?;
            Refusal::over("bytes in a kind", entry.kind_end - entry.actor_end, NAME_BYTES_MAX)?;
            Refusal::over("bytes in a body", entry.body_end - entry.kind_end, BODY_BYTES_MAX)?;
            start = entry.body_end;
        }
        self.check_text()
    }

    /// The arena is UTF-8 as a whole and no text begins inside a character: then each text is UTF-8.
    fn check_text(&self) -> Result<(), Refusal> {
        let whole = std::str::from_utf8(&self.arena).map_err(|error| self.not_text(error.valid_up_to()))?;
        let split = |entry: &&Entry| !whole.is_char_boundary(entry.body_end);
        match self.entries.iter().find(split) {
            None => Ok(()),
            Some(entry) => Err(self.not_text(entry.body_end - 1)),
        }
    }

    fn not_text(&self, offset: usize) -> Refusal {
        Refusal::BodyNotText { index: self.entries.partition_point(|entry| entry.body_end <= offset) }
    }
}

/// Actors and kinds came in as `&str`, and the arena only grows.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("actors and kinds are written as text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch_of(bodies: &[&[u8]]) -> RowBatch {
        let mut batch = RowBatch::new();
        for body in bodies {
            batch.push(1, [7; 16], "ann", "noted", |buffer| buffer.extend_from_slice(body));
        }
        batch
    }

    #[test]
    fn rows_come_back_as_they_were_pushed() {
        let mut batch = RowBatch::with_capacity(2, 64);
        batch.push(5, [1; 16], "ann", "submitted", |buffer| buffer.extend_from_slice(b"{}"));
        batch.push(6, [2; 16], "", "started", |_| {});
        let rows: Vec<_> = batch.rows(3, 40).collect();
        let first = Row {
            position: 41,
            epoch: 3,
            at_ms: 5,
            command: [1; 16],
            actor: "ann",
            kind: "submitted",
            body: b"{}",
        };
        let second =
            Row { position: 42, epoch: 3, at_ms: 6, command: [2; 16], actor: "", kind: "started", body: b"" };
        assert_eq!(rows, [first, second]);
    }

    #[test]
    fn a_cleared_batch_starts_afresh() {
        let mut batch = batch_of(&[b"{}", b"[]"]);
        batch.clear();
        assert_eq!((batch.len(), batch.bytes(), batch.is_empty()), (0, 0, true));
        batch.push(9, [0; 16], "bo", "noted", |buffer| buffer.extend_from_slice(b"1"));
        assert_eq!(batch.rows(1, 0).map(|row| row.body.to_vec()).collect::<Vec<_>>(), [b"1"]);
    }

    #[test]
    fn the_body_that_is_not_text_is_named() {
        assert_eq!(batch_of(&[b"{}", b"\xff", b"{}"]).check(), Err(Refusal::BodyNotText { index: 1 }));
        assert_eq!(batch_of(&[b"\xc3", b"{}"]).check(), Err(Refusal::BodyNotText { index: 0 }));
    }

    #[test]
    fn a_character_cut_in_two_at_the_very_end_is_refused() {
        assert_eq!(batch_of(&[b"{}", b"a\xe2\x82"]).check(), Err(Refusal::BodyNotText { index: 1 }));
        assert_eq!(batch_of(&["\u{20ac}".as_bytes()]).check(), Ok(()));
    }

    #[test]
    fn a_body_over_the_bound_is_refused() {
        let large = vec![b' '; BODY_BYTES_MAX + 1];
        let given = BODY_BYTES_MAX + 1;
        let refusal = Refusal::Over { what: "bytes in a body", given, allowed: BODY_BYTES_MAX };
        assert_eq!(batch_of(&[&large]).check(), Err(refusal));
    }
}
