//! Holds a whole log to what was promised.

use std::path::Path;

use kapell_core::{State, invariant};
use kapell_store::{Reader as _, SqliteReader, StoreError, VerifyReport};

use crate::open::fold;

/// Tasks and agents that are looked at per event, on average: while a fleet has no more, every invariant is checked
/// after every event; a larger one is checked at every so many events, so that the whole stays linear.
const LOOKS_PER_EVENT: usize = 4_000;

/// What a check of a fleet found.
#[derive(Debug)]
pub struct Verified {
    /// The fleet.
    pub fleet: String,
    /// Rows, snapshots, and what is damaged.
    pub report: VerifyReport,
    /// What folding the log has shown, or why it cannot be folded.
    pub folded: Result<Folded, String>,
}

/// What folding a log has shown.
#[derive(Debug, Default)]
pub struct Folded {
    /// The last position.
    pub position: u64,
    /// Its tasks.
    pub tasks: usize,
    /// Its agents.
    pub agents: usize,
    /// Events after which every invariant was checked; the last one is always among them.
    pub checked: u64,
    /// The first broken invariant, and behind which position.
    pub broken: Option<(u64, invariant::Broken)>,
    /// The position of a snapshot that differs from what the log folds to.
    pub differs: Option<u64>,
}

impl Verified {
    /// Tells whether nothing is damaged and nothing is broken.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let kept = |folded: &Folded| folded.broken.is_none() && folded.differs.is_none();
        self.report.is_whole() && self.folded.as_ref().is_ok_and(kept)
    }
}

/// Checks the log of every fleet in a data directory: every row and its checksum, every invariant while the log is
/// folded from its first event, and that the newest snapshot is what the log folds to. Changes nothing and takes no
/// lock: a server may go on beside it.
///
/// # Errors
/// Where there is no log, or it cannot be read at all.
pub fn verify(data: &Path) -> Result<Vec<Verified>, StoreError> {
    verify_watched(data, |_, _| {})
}

/// Checks as [`verify`] does; `watch` hears which event of a log was folded, and how many that has.
///
/// # Errors
/// Where there is no log, or it cannot be read at all.
pub fn verify_watched(data: &Path, watch: impl Fn(u64, u64)) -> Result<Vec<Verified>, StoreError> {
    let mut reader = SqliteReader::open(data)?;
    let mut verified = Vec::new();
    for fleet in reader.fleets()? {
        let Some(head) = reader.fleet(&fleet)? else { continue };
        let report = reader.verify(head.key)?;
        let snapshot = reader.latest_snapshot(head.key)?.snapshot;
        let mut folded = Folded::default();
        let mut looks = 0;
        let state = fold(&mut reader, &fleet, head.key, State::default(), |state| {
            looks += LOOKS_PER_EVENT;
            folded.position = state.position().0;
            watch(folded.position, report.head);
            let size = state.tasks().len() + state.agents().len();
            if folded.broken.is_none() && looks >= size {
                (looks, folded.checked) = (0, folded.checked + 1);
                folded.broken = invariant::check(state).err().map(|broken| (folded.position, broken));
            }
            if let Some(snapshot) = snapshot.as_ref().filter(|it| it.position == folded.position) {
                let restored = State::from_snapshot(snapshot.format, &snapshot.bytes);
                let same = restored.is_ok_and(|restored| restored.to_snapshot() == state.to_snapshot());
                folded.differs = (!same).then_some(snapshot.position);
            }
        });
        let folded = state.map_err(|error| error.to_string()).map(|state| {
            (folded.tasks, folded.agents) = (state.tasks().len(), state.agents().len());
            if looks > 0 && folded.broken.is_none() {
                folded.checked += 1;
                folded.broken = invariant::check(&state).err().map(|broken| (folded.position, broken));
            }
            folded
        });
        verified.push(Verified { fleet, report, folded });
    }
    Ok(verified)
}
