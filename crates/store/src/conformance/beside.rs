//! What lies beside the log: snapshots, documents, further handles, verification.

use super::{Case, Opener, assert_refused, batch, read_all, written};
use crate::error::{Refusal, StoreError};
use crate::limits::{DOCUMENT_BYTES_MAX, SNAPSHOT_PART_BYTES};
use crate::report::VerifyReport;
use crate::store::{LatestSnapshot, Snapshot};

pub(super) const CASES: &[Case] = &[
    Case { name: "the newest snapshot comes back", run: the_newest_snapshot_comes_back },
    Case { name: "two snapshots are kept", run: two_snapshots_are_kept },
    Case {
        name: "a snapshot replaces one at the same place",
        run: a_snapshot_replaces_one_at_the_same_place,
    },
    Case { name: "snapshots of every size come back", run: snapshots_of_every_size_come_back },
    Case { name: "a snapshot is never ahead of the log", run: a_snapshot_is_never_ahead_of_the_log },
    Case { name: "a snapshot leaves other fleets alone", run: a_snapshot_leaves_other_fleets_alone },
    Case { name: "documents are kept and replaced", run: documents_are_kept_and_replaced },
    Case { name: "a bad document is refused", run: a_bad_document_is_refused },
    Case { name: "a reader sees what is durable", run: a_reader_sees_what_is_durable },
    Case { name: "a second handle writes beside the owner", run: a_second_handle_writes_beside_the_owner },
    Case { name: "a whole log verifies", run: a_whole_log_verifies },
];

fn found(position: u64, format: u32, bytes: &[u8]) -> LatestSnapshot {
    LatestSnapshot {
        snapshot: Some(Snapshot { position, format, bytes: bytes.to_vec() }),
        skipped: Vec::new(),
    }
}

fn the_newest_snapshot_comes_back(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    assert_eq!(store.latest_snapshot(head.key).unwrap(), LatestSnapshot::default());
    store.append(head.key, head.epoch, 0, &batch(1, 10)).unwrap();
    store.write_snapshot(head.key, 4, 7, b"four").unwrap();
    assert_eq!(store.latest_snapshot(head.key).unwrap(), found(4, 7, b"four"));
    store.write_snapshot(head.key, 10, 8, b"\0ten\xff").unwrap();
    for (at_most, newest) in
        [(3, None), (4, Some((4, 7))), (9, Some((4, 7))), (10, Some((10, 8))), (99, Some((10, 8)))]
    {
        let snapshot = store.snapshot_at_most(head.key, at_most).unwrap().snapshot;
        assert_eq!(snapshot.map(|it| (it.position, it.format)), newest, "up to {at_most}");
    }
    drop(store);
    assert_eq!(open().latest_snapshot(head.key).unwrap(), found(10, 8, b"\0ten\xff"));
}

fn two_snapshots_are_kept(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    store.append(head.key, head.epoch, 0, &batch(1, 10)).unwrap();
    for position in [2, 4, 6, 9] {
        store.write_snapshot(head.key, position, 1, b"state").unwrap();
    }
    assert_eq!(store.verify(head.key).unwrap().snapshots, [9, 6]);
}

fn a_snapshot_replaces_one_at_the_same_place(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    store.append(head.key, head.epoch, 0, &batch(1, 3)).unwrap();
    store.write_snapshot(head.key, 2, 1, b"two").unwrap();
    store.write_snapshot(head.key, 3, 1, &vec![1; 2 * SNAPSHOT_PART_BYTES]).unwrap();
    store.write_snapshot(head.key, 3, 2, b"three").unwrap();
    assert_eq!(store.latest_snapshot(head.key).unwrap(), found(3, 2, b"three"));
    assert_eq!(store.verify(head.key).unwrap().snapshots, [3, 2]);
}

fn snapshots_of_every_size_come_back(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    let part = SNAPSHOT_PART_BYTES;
    for size in [0, 1, part - 1, part, part + 1, 3 * part + 5] {
        let bytes: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        store.write_snapshot(head.key, 0, 1, &bytes).unwrap();
        assert!(store.latest_snapshot(head.key).unwrap() == found(0, 1, &bytes), "size {size} has changed");
    }
}

fn a_snapshot_is_never_ahead_of_the_log(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    store.append(head.key, head.epoch, 0, &batch(1, 3)).unwrap();
    let ahead = store.write_snapshot(head.key, 4, 1, b"");
    assert_refused!(ahead, StoreError::Refused(Refusal::SnapshotAhead { given: 4, durable: 3 }));
    assert_eq!(store.latest_snapshot(head.key).unwrap(), LatestSnapshot::default());
}

fn a_snapshot_leaves_other_fleets_alone(open: &mut Opener) {
    let mut store = open();
    let (day, night) = (store.open_fleet("day").unwrap(), store.open_fleet("night").unwrap());
    store.write_snapshot(day.key, 0, 1, b"day").unwrap();
    store.append(night.key, night.epoch, 0, &batch(1, 3)).unwrap();
    for position in 1..=3 {
        store.write_snapshot(night.key, position, 1, b"night").unwrap();
    }
    assert_eq!(store.latest_snapshot(day.key).unwrap(), found(0, 1, b"day"));
    assert_eq!(store.latest_snapshot(night.key).unwrap(), found(3, 1, b"night"));
}

fn documents_are_kept_and_replaced(open: &mut Opener) {
    let mut store = open();
    assert_eq!(store.get_document("tokens").unwrap(), None);
    store.put_document("tokens", b"[1]").unwrap();
    store.put_document("settings", b"").unwrap();
    store.put_document("tokens", b"[1,2]\0\xff").unwrap();
    drop(store);
    let mut store = open();
    assert_eq!(store.get_document("tokens").unwrap().as_deref(), Some(&b"[1,2]\0\xff"[..]));
    assert_eq!(store.get_document("settings").unwrap().as_deref(), Some(&b""[..]));
    assert_eq!(store.get_document("token").unwrap(), None);
}

fn a_bad_document_is_refused(open: &mut Opener) {
    let mut store = open();
    assert_refused!(store.put_document("", b""), StoreError::Refused(Refusal::Name { .. }));
    let large = vec![0; DOCUMENT_BYTES_MAX + 1];
    assert_refused!(store.put_document("large", &large), StoreError::Refused(Refusal::Over { .. }));
    assert_eq!(store.get_document("large").unwrap(), None);
}

fn a_reader_sees_what_is_durable(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    let mut reader = store.reader().unwrap();
    assert_eq!(read_all(&mut *reader, head.key, 10), []);
    store.append(head.key, head.epoch, 0, &batch(1, 3)).unwrap();
    store.put_document("tokens", b"[]").unwrap();
    store.write_snapshot(head.key, 3, 1, b"three").unwrap();
    assert_eq!(read_all(&mut *reader, head.key, 10), written(&batch(1, 3), head.epoch, 0));
    assert_eq!(reader.fleets().unwrap(), ["default"]);
    assert_eq!(reader.fleet("default").unwrap().map(|head| head.position), Some(3));
    assert_eq!(reader.get_document("tokens").unwrap().as_deref(), Some(&b"[]"[..]));
    assert_eq!(reader.latest_snapshot(head.key).unwrap(), found(3, 1, b"three"));
    assert!(reader.verify(head.key).unwrap().is_whole());
}

fn a_second_handle_writes_beside_the_owner(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    store.append(head.key, head.epoch, 0, &batch(1, 3)).unwrap();
    let mut second = store.second().unwrap();
    second.write_snapshot(head.key, 3, 1, b"three").unwrap();
    second.put_document("tokens", b"[]").unwrap();
    store.append(head.key, head.epoch, 3, &batch(4, 1)).unwrap();
    assert_eq!(store.latest_snapshot(head.key).unwrap(), found(3, 1, b"three"));
    assert_eq!(store.get_document("tokens").unwrap().as_deref(), Some(&b"[]"[..]));
    assert_eq!(read_all(&mut *second, head.key, 10), written(&batch(1, 4), head.epoch, 0));
}

fn a_whole_log_verifies(open: &mut Opener) {
    let mut store = open();
    let first = store.open_fleet("default").unwrap();
    store.append(first.key, first.epoch, 0, &batch(1, 9)).unwrap();
    let second = store.open_fleet("default").unwrap();
    store.append(second.key, second.epoch, 9, &batch(10, 1)).unwrap();
    store.write_snapshot(second.key, 9, 1, b"nine").unwrap();
    let report = VerifyReport {
        fleet: "default".to_owned(),
        head: 10,
        rows: 10,
        body_bytes: 9 * 12 + 13,
        epochs: 2,
        snapshots: vec![9],
        findings: Vec::new(),
    };
    assert_eq!(store.verify(second.key).unwrap(), report);
}
