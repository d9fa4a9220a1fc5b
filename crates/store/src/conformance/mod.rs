//! The suite that every engine runs: an engine is done when it passes.
//!
//! A case gets an [`Opener`] for an empty storage of its own. Each call of it opens another handle on that storage: the
//! first one, a second node's, or the same after a restart (the case drops the earlier ones first).
//!
//! A case panics where the engine breaks a promise, as a test does.

mod append;
mod beside;
mod owner;

use crate::batch::{Row, RowBatch};
use crate::store::{FleetKey, Reader, Store};

/// Opens one more handle on one storage.
pub type Opener = Box<dyn FnMut() -> Box<dyn Store>>;

/// One case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// The promise that it holds the engine to.
    pub name: &'static str,
    /// Runs it on an empty storage.
    pub run: fn(&mut Opener),
}

/// Returns all cases.
pub fn cases() -> Vec<Case> {
    [append::CASES, owner::CASES, beside::CASES].concat()
}

/// Runs all cases, each on a storage that `make` has just made.
pub fn run(make: &mut dyn FnMut() -> Opener) {
    for case in cases() {
        (case.run)(&mut make());
    }
}

/// A row that owns its texts, to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OwnedRow {
    position: u64,
    epoch: u64,
    at_ms: i64,
    command: [u8; 16],
    actor: String,
    kind: String,
    body: String,
}

impl From<Row<'_>> for OwnedRow {
    fn from(row: Row<'_>) -> Self {
        Self {
            position: row.position,
            epoch: row.epoch,
            at_ms: row.at_ms,
            command: row.command,
            actor: row.actor.to_owned(),
            kind: row.kind.to_owned(),
            body: String::from_utf8(row.body.to_vec()).expect("bodies are UTF-8"),
        }
    }
}

/// Returns `count` rows, numbered on from `first`, each with a different body.
fn batch(first: u64, count: u64) -> RowBatch {
    let mut batch = RowBatch::new();
    for number in first..first + count {
        let mut command = [0; 16];
        command[8..].copy_from_slice(&number.to_be_bytes());
        let body = format!(r#"{{"number":{number}}}"#);
        batch.push(1_700_000_000_000 + number as i64, command, "ann", "noted", |buffer| {
            buffer.extend_from_slice(body.as_bytes());
        });
    }
    batch
}

/// Returns one row with the given body.
fn single(body: &str) -> RowBatch {
    let mut batch = RowBatch::new();
    batch.push(0, [0; 16], "ann", "noted", |buffer| buffer.extend_from_slice(body.as_bytes()));
    batch
}

/// Returns what a batch looks like in a log.
fn written(batch: &RowBatch, epoch: u64, after: u64) -> Vec<OwnedRow> {
    batch.rows(epoch, after).map(OwnedRow::from).collect()
}

/// Reads a whole log, in steps of `step` rows.
fn read_all<R: Reader + ?Sized>(store: &mut R, fleet: FleetKey, step: usize) -> Vec<OwnedRow> {
    let (mut rows, mut after) = (Vec::new(), 0);
    loop {
        let last = store.read(fleet, after, step, &mut |row| rows.push(row.into())).expect("the log reads");
        if last == after {
            return rows;
        }
        after = last;
    }
}

/// Asserts that a result is a certain refusal.
macro_rules! assert_refused {
    ($result:expr, $pattern:pat) => {{
        let result = $result;
        assert!(matches!(result, Err($pattern)), "expected {}, got {result:?}", stringify!($pattern));
    }};
}
use assert_refused;
