//! The result of walking through a whole log.

use crate::batch::Row;
use crate::chain::Chain;
use crate::error::{Damage, DamageKind};
use crate::limits::FINDINGS_MAX;

/// What a verification saw and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// The fleet.
    pub fleet: String,
    /// The last position that was acknowledged.
    pub head: u64,
    /// Rows that were read.
    pub rows: u64,
    /// Bytes in their bodies.
    pub body_bytes: u64,
    /// Owners that have written, counted by their epochs.
    pub epochs: u64,
    /// Positions of the snapshots that are whole, newest first.
    pub snapshots: Vec<u64>,
    /// What is damaged, in the order of the log, then the snapshots, then the file; at most
    /// [`FINDINGS_MAX`](crate::limits::FINDINGS_MAX).
    pub findings: Vec<Damage>,
}

impl VerifyReport {
    /// Says whether nothing is damaged.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    /// Notes a damage, unless there are too many already.
    pub(crate) fn note(&mut self, damage: Damage) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(damage);
        }
    }
}

/// Walks along a log and fills a report.
pub(crate) struct Verifier {
    report: VerifyReport,
    chain: Chain,
    /// The checksum of the last acknowledged row.
    head_checksum: u64,
}

impl Verifier {
    pub(crate) fn new(fleet: &str, head: u64, head_checksum: u64) -> Self {
        let report = VerifyReport {
            fleet: fleet.to_owned(),
            head,
            rows: 0,
            body_bytes: 0,
            epochs: 0,
            snapshots: Vec::new(),
            findings: Vec::new(),
        };
        Self { report, chain: Chain::start(fleet), head_checksum }
    }

    /// Looks at the next row.
    pub(crate) fn row(&mut self, row: &Row<'_>, stored: u64) {
        let before = self.chain;
        self.report.rows += 1;
        self.report.body_bytes += row.body.len() as u64;
        self.report.epochs += u64::from(row.epoch > before.epoch);
        if let Err(kind) = self.chain.accept(row, stored) {
            let position = match kind {
                DamageKind::RowsMissing { .. } => before.position + 1,
                _ => row.position,
            };
            self.note(position, kind);
        }
    }

    /// Notes a row that cannot even be read as one.
    pub(crate) fn unreadable(&mut self, position: u64, field: &'static str, stored: Option<u64>) {
        self.report.rows += 1;
        self.note(position, DamageKind::FieldUnreadable { field });
        self.chain.position = position;
        self.chain.checksum = stored.unwrap_or(self.chain.checksum);
    }

    /// Compares the end of the log with the acknowledged one and gives the report out. No row behind the head may have
    /// been walked; `surplus` says whether there are any.
    pub(crate) fn finish(mut self, surplus: bool) -> VerifyReport {
        let (head, last) = (self.report.head, self.chain);
        if last.position < head {
            self.note(last.position + 1, DamageKind::EndMissing { head });
        } else if last.checksum != self.head_checksum {
            self.note(head, DamageKind::LinkBroken);
        }
        if surplus {
            self.note(head + 1, DamageKind::EndUnknown { head });
        }
        self.report
    }

    fn note(&mut self, position: u64, kind: DamageKind) {
        let damage = Damage::log(&self.report.fleet, position, kind);
        self.report.note(damage);
    }
}
