//! The checksums that hold a log together.
//!
//! A row's checksum has two halves of 32 bits (CRC-32, IEEE). The low half covers the body. The high half, the link,
//! covers the link of the row before, the envelope (position, epoch, time, command, actor, kind) and the body's half;
//! the first row is linked to the fleet's name. So a changed byte shows in its own row, and a row that is missing,
//! doubled, out of place or from another log shows at the next link.
//!
//! Why CRC-32: it costs about a twentieth of what an append costs, finds each burst of up to 32 damaged bits, and any
//! other damage but for one case in four thousand million. It protects against failing hardware and stray edits, not
//! against a person who means harm: who can write the file can also write new checksums.
//!
//! Why the body has a half of its own: a body can later be overwritten on purpose (a secret in a text) without
//! writing all following rows anew, because the links need the old body's checksum only, not its bytes.

use crate::batch::Row;
use crate::error::DamageKind;

/// The end of a log, or of the part of it that has been walked: what the next row must fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Position of the last row; 0 before the first.
    pub position: u64,
    /// Epoch of the last row; 0 before the first.
    pub epoch: u64,
    /// Checksum of the last row; before the first, one made of the fleet's name.
    pub checksum: u64,
}

impl Chain {
    /// Returns the chain of an empty log.
    pub(crate) fn start(fleet: &str) -> Self {
        Self { position: 0, epoch: 0, checksum: u64::from(crc32fast::hash(fleet.as_bytes())) << 32 }
    }

    /// Adds the next row, which is taken to be right, and returns its checksum.
    pub(crate) fn extend(&mut self, row: &Row<'_>) -> u64 {
        let body = crc32fast::hash(row.body);
        let link = link((self.checksum >> 32) as u32, row, body);
        let checksum = u64::from(link) << 32 | u64::from(body);
        *self = Self { position: row.position, epoch: row.epoch, checksum };
        checksum
    }

    /// Compares the next row with what it has to be and goes on behind it, whatever it is, so that one damage is
    /// found once.
    pub(crate) fn accept(&mut self, row: &Row<'_>, stored: u64) -> Result<(), DamageKind> {
        let before = *self;
        let computed = self.extend(row);
        self.checksum = stored;
        if row.position != before.position + 1 {
            return Err(DamageKind::RowsMissing { next: row.position });
        }
        if row.epoch < before.epoch {
            return Err(DamageKind::EpochFell { before: before.epoch, found: row.epoch });
        }
        if computed as u32 != stored as u32 {
            return Err(DamageKind::BodyChanged);
        }
        if computed != stored {
            return Err(DamageKind::LinkBroken);
        }
        Ok(())
    }
}

/// Bytes of an envelope with a fixed length; the texts follow it.
const ENVELOPE_BYTES: usize = 4 + 8 + 8 + 8 + 16 + 4 + 4 + 4;

/// The layout is part of the stored format: a change needs a new format version.
fn link(before: u32, row: &Row<'_>, body: u32) -> u32 {
    let mut envelope = [0_u8; ENVELOPE_BYTES];
    let mut rest = &mut envelope[..];
    put(&mut rest, &before.to_le_bytes());
    put(&mut rest, &row.position.to_le_bytes());
    put(&mut rest, &row.epoch.to_le_bytes());
    put(&mut rest, &row.at_ms.to_le_bytes());
    put(&mut rest, &row.command);
    put(&mut rest, &(row.actor.len() as u32).to_le_bytes());
    put(&mut rest, &(row.kind.len() as u32).to_le_bytes());
    put(&mut rest, &body.to_le_bytes());
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&envelope);
    hasher.update(row.actor.as_bytes());
    hasher.update(row.kind.as_bytes());
    hasher.finalize()
}

fn put(rest: &mut &mut [u8], bytes: &[u8]) {
    let (field, after) = std::mem::take(rest).split_at_mut(bytes.len());
    field.copy_from_slice(bytes);
    *rest = after;
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Row<'static> = Row {
        position: 1,
        epoch: 2,
        at_ms: 1_700_000_000_123,
        command: [9; 16],
        actor: "ann",
        kind: "submitted",
        body: br#"{"task":1}"#,
    };

    fn stored(rows: &[Row<'_>]) -> Vec<u64> {
        let mut chain = Chain::start("default");
        rows.iter().map(|row| chain.extend(row)).collect()
    }

    /// The value was worked out by another program (zlib in Python), from the description above.
    #[test]
    fn the_stored_format_of_a_checksum_stays() {
        assert_eq!(stored(&[ROW]), [9_652_810_835_609_080_052]);
    }

    #[test]
    fn every_part_of_a_row_is_covered() {
        let right = stored(&[ROW])[0];
        let changed = [
            (Row { at_ms: ROW.at_ms + 1, ..ROW }, DamageKind::LinkBroken),
            (Row { epoch: 3, ..ROW }, DamageKind::LinkBroken),
            (Row { command: [8; 16], ..ROW }, DamageKind::LinkBroken),
            (Row { actor: "bo", ..ROW }, DamageKind::LinkBroken),
            (Row { actor: "anns", kind: "ubmitted", ..ROW }, DamageKind::LinkBroken),
            (Row { body: br#"{"task":2}"#, ..ROW }, DamageKind::BodyChanged),
            (Row { position: 2, ..ROW }, DamageKind::RowsMissing { next: 2 }),
        ];
        for (row, damage) in changed {
            assert_eq!(Chain::start("default").accept(&row, right), Err(damage));
        }
        assert_eq!(Chain::start("default").accept(&ROW, right), Ok(()));
        assert_eq!(Chain::start("other").accept(&ROW, right), Err(DamageKind::LinkBroken));
    }

    #[test]
    fn one_damaged_row_is_found_once() {
        let rows = [ROW, Row { position: 2, ..ROW }, Row { position: 3, ..ROW }];
        let stored = stored(&rows);
        let mut chain = Chain::start("default");
        let damaged = Row { body: b"{}", ..rows[1] };
        let found = [rows[0], damaged, rows[2]]
            .into_iter()
            .zip(stored)
            .map(|(row, stored)| chain.accept(&row, stored));
        assert_eq!(found.collect::<Vec<_>>(), [Ok(()), Err(DamageKind::BodyChanged), Ok(())]);
    }

    #[test]
    fn a_row_of_an_older_owner_behind_a_newer_one_is_found() {
        let older = Row { position: 2, epoch: 1, ..ROW };
        let stored = stored(&[ROW, older]);
        let mut chain = Chain::start("default");
        assert_eq!(chain.accept(&ROW, stored[0]), Ok(()));
        assert_eq!(chain.accept(&older, stored[1]), Err(DamageKind::EpochFell { before: 2, found: 1 }));
    }
}
