//! Appending and reading.

use super::{Case, Opener, OwnedRow, assert_refused, batch, read_all, single, written};
use crate::batch::RowBatch;
use crate::error::{Refusal, StoreError};
use crate::limits::{BODY_BYTES_MAX, NAME_BYTES_MAX};
use crate::store::{FleetHead, FleetKey};

pub(super) const CASES: &[Case] = &[
    Case { name: "a new fleet is empty", run: a_new_fleet_is_empty },
    Case { name: "what was appended is read", run: what_was_appended_is_read },
    Case { name: "a read begins and ends where it is told", run: a_read_begins_and_ends_where_it_is_told },
    Case {
        name: "a read ends when it has given enough bytes",
        run: a_read_ends_when_it_has_given_enough_bytes,
    },
    Case { name: "an empty batch changes nothing", run: an_empty_batch_changes_nothing },
    Case { name: "an append begins where the log ends", run: an_append_begins_where_the_log_ends },
    Case { name: "a log outlives its handle", run: a_log_outlives_its_handle },
    Case { name: "fleets do not see each other", run: fleets_do_not_see_each_other },
    Case { name: "text of every kind comes back as it was", run: text_of_every_kind_comes_back },
    Case { name: "large bodies come back as they were", run: large_bodies_come_back },
    Case { name: "a large batch is one append", run: a_large_batch_is_one_append },
    Case { name: "a batch that is not fit changes nothing", run: an_unfit_batch_changes_nothing },
    Case { name: "an unknown fleet is refused", run: an_unknown_fleet_is_refused },
    Case { name: "a bad name of a fleet is refused", run: a_bad_name_is_refused },
];

fn a_new_fleet_is_empty(open: &mut Opener) {
    let mut store = open();
    assert_eq!(store.fleets().unwrap(), Vec::<String>::new());
    assert_eq!(store.fleet("default").unwrap(), None);
    let head = store.open_fleet("default").unwrap();
    assert_eq!(head, FleetHead { key: head.key, epoch: 1, position: 0 });
    assert_eq!(store.fleet("default").unwrap(), Some(head));
    assert_eq!(store.fleets().unwrap(), ["default"]);
    assert_eq!(read_all(&mut *store, head.key, 10), []);
}

fn what_was_appended_is_read(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    let (first, second) = (batch(1, 3), batch(4, 2));
    assert_eq!(store.append(head.key, head.epoch, 0, &first).unwrap(), 3);
    assert_eq!(store.append(head.key, head.epoch, 3, &second).unwrap(), 5);
    let expected = [written(&first, head.epoch, 0), written(&second, head.epoch, 3)].concat();
    assert_eq!(read_all(&mut *store, head.key, 100), expected);
    assert_eq!(read_all(&mut *store, head.key, 2), expected);
    assert_eq!(store.fleet("default").unwrap().map(|head| head.position), Some(5));
}

fn a_read_begins_and_ends_where_it_is_told(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    store.append(head.key, head.epoch, 0, &batch(1, 10)).unwrap();
    let cases = [(0, 0, 0..0), (0, 4, 0..4), (3, 4, 3..7), (8, 4, 8..10), (10, 4, 10..10), (11, 4, 11..11)];
    for (after, max_rows, expected) in cases {
        let mut positions = Vec::new();
        let last = store.read(head.key, after, max_rows, &mut |row| positions.push(row.position)).unwrap();
        assert_eq!((last, positions), (expected.end, expected.map(|index| index + 1).collect()));
    }
    assert_eq!(store.read(head.key, u64::MAX, usize::MAX, &mut |_| {}).unwrap(), u64::MAX);
}

fn a_read_ends_when_it_has_given_enough_bytes(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    let large = " ".repeat(BODY_BYTES_MAX);
    for after in 0..3 {
        store.append(head.key, head.epoch, after, &single(&large)).unwrap();
    }
    assert_eq!(store.read(head.key, 0, 10, &mut |_| {}).unwrap(), 2);
    assert_eq!(store.read(head.key, 2, 10, &mut |_| {}).unwrap(), 3);
}

fn an_empty_batch_changes_nothing(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    assert_eq!(store.append(head.key, head.epoch, 0, &RowBatch::new()).unwrap(), 0);
    store.append(head.key, head.epoch, 0, &batch(1, 2)).unwrap();
    assert_eq!(store.append(head.key, head.epoch, 2, &RowBatch::new()).unwrap(), 2);
    assert_refused!(store.append(head.key, head.epoch, 1, &RowBatch::new()), StoreError::Conflict(_));
    assert_refused!(store.append(head.key, head.epoch + 1, 2, &RowBatch::new()), StoreError::Fenced(_));
    assert_eq!(read_all(&mut *store, head.key, 10), written(&batch(1, 2), head.epoch, 0));
}

fn an_append_begins_where_the_log_ends(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    store.append(head.key, head.epoch, 0, &batch(1, 2)).unwrap();
    for after in [0, 1, 3, u64::MAX] {
        match store.append(head.key, head.epoch, after, &batch(9, 1)) {
            Err(StoreError::Conflict(conflict)) => {
                assert_eq!(
                    (conflict.fleet.as_str(), conflict.expected, conflict.found),
                    ("default", after, 2)
                );
            }
            other => panic!("expected a conflict, got {other:?}"),
        }
    }
    assert_eq!(store.append(head.key, head.epoch, 2, &batch(3, 1)).unwrap(), 3);
    assert_eq!(read_all(&mut *store, head.key, 10), written(&batch(1, 3), head.epoch, 0));
}

fn a_log_outlives_its_handle(open: &mut Opener) {
    let mut store = open();
    let first = store.open_fleet("default").unwrap();
    store.append(first.key, first.epoch, 0, &batch(1, 3)).unwrap();
    drop(store);
    let mut store = open();
    let second = store.open_fleet("default").unwrap();
    assert_eq!(second, FleetHead { key: first.key, epoch: first.epoch + 1, position: 3 });
    store.append(second.key, second.epoch, 3, &batch(4, 1)).unwrap();
    let expected = [written(&batch(1, 3), first.epoch, 0), written(&batch(4, 1), second.epoch, 3)].concat();
    assert_eq!(read_all(&mut *store, second.key, 10), expected);
}

fn fleets_do_not_see_each_other(open: &mut Opener) {
    let mut store = open();
    let names = ["night", "default", "day"];
    let heads = names.map(|name| store.open_fleet(name).unwrap());
    for round in 0..3 {
        for (number, head) in (1..).zip(&heads) {
            store.append(head.key, head.epoch, round, &batch(number * 100 + round, 1)).unwrap();
        }
    }
    assert_eq!(store.fleets().unwrap(), ["day", "default", "night"]);
    for (number, head) in (1..).zip(&heads) {
        assert_eq!(read_all(&mut *store, head.key, 10), written(&batch(number * 100, 3), head.epoch, 0));
        assert!(store.verify(head.key).unwrap().is_whole());
    }
}

fn text_of_every_kind_comes_back(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("\u{fc}bung \u{2603}").unwrap();
    let mut rows = RowBatch::new();
    let bodies =
        ["", "{}", r#"{"a":"\u0000'\"; drop table record; --"}"#, "\"\u{1f980}\u{7f}\u{e9}e\u{301}\"", "\0"];
    for (at_ms, body) in [i64::MIN, -1, 0, 1, i64::MAX].into_iter().zip(bodies) {
        rows.push(at_ms, [0xff; 16], "J\u{fc}rgen \u{6f22}\u{5b57}", "", |buffer| {
            buffer.extend_from_slice(body.as_bytes());
        });
    }
    store.append(head.key, head.epoch, 0, &rows).unwrap();
    assert_eq!(read_all(&mut *store, head.key, 10), written(&rows, head.epoch, 0));
    assert_eq!(store.fleets().unwrap(), ["\u{fc}bung \u{2603}"]);
}

fn large_bodies_come_back(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    let mut rows = RowBatch::new();
    for size in [1, 900, 4_000, 8_192, 65_536, 1_000_000, BODY_BYTES_MAX] {
        rows.push(0, [0; 16], "ann", "noted", |buffer| {
            buffer.extend((0..size).map(|index| b'a' + (index % 23) as u8));
        });
    }
    store.append(head.key, head.epoch, 0, &rows).unwrap();
    assert!(read_all(&mut *store, head.key, 10) == written(&rows, head.epoch, 0), "a large body has changed");
}

fn a_large_batch_is_one_append(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    let rows = batch(1, 5_000);
    assert_eq!(store.append(head.key, head.epoch, 0, &rows).unwrap(), 5_000);
    assert!(read_all(&mut *store, head.key, 700) == written(&rows, head.epoch, 0), "a row has changed");
}

fn an_unfit_batch_changes_nothing(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    let mut not_text = batch(1, 2);
    not_text.push(0, [0; 16], "ann", "noted", |buffer| buffer.push(0xff));
    let mut long_name = batch(1, 2);
    long_name.push(0, [0; 16], &"a".repeat(NAME_BYTES_MAX + 1), "noted", |_| {});
    let append = store.append(head.key, head.epoch, 0, &not_text);
    assert_refused!(append, StoreError::Refused(Refusal::BodyNotText { index: 2 }));
    let append = store.append(head.key, head.epoch, 0, &long_name);
    assert_refused!(append, StoreError::Refused(Refusal::Over { what: "bytes in an actor", .. }));
    assert_eq!(read_all(&mut *store, head.key, 10), Vec::<OwnedRow>::new());
    assert_eq!(store.append(head.key, head.epoch, 0, &batch(1, 1)).unwrap(), 1);
}

fn an_unknown_fleet_is_refused(open: &mut Opener) {
    let mut store = open();
    store.open_fleet("default").unwrap();
    let nobody = FleetKey(4711);
    assert_refused!(store.append(nobody, 1, 0, &batch(1, 1)), StoreError::UnknownFleet(_));
    assert_refused!(store.read(nobody, 0, 1, &mut |_| {}), StoreError::UnknownFleet(_));
    assert_refused!(store.verify(nobody), StoreError::UnknownFleet(_));
    assert_refused!(store.latest_snapshot(nobody), StoreError::UnknownFleet(_));
    assert_refused!(store.write_snapshot(nobody, 0, 1, b""), StoreError::UnknownFleet(_));
}

fn a_bad_name_is_refused(open: &mut Opener) {
    let mut store = open();
    for name in ["", "two\nlines", &"a".repeat(NAME_BYTES_MAX + 1)] {
        assert_refused!(store.open_fleet(name), StoreError::Refused(_));
    }
    assert_eq!(store.fleets().unwrap(), Vec::<String>::new());
}
