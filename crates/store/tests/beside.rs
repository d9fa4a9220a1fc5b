//! Readers and the checkpoint thread work beside the writer.

use std::fs;

use kapell_store::{DataDir, FleetHead, RowBatch, SqliteStore, Store as _};

fn batch(rows: usize) -> RowBatch {
    let mut batch = RowBatch::new();
    for _ in 0..rows {
        batch.push(1, [1; 16], "ann", "noted", |body| body.resize(body.len() + 1_000, b' '));
    }
    batch
}

fn store(directory: &std::path::Path) -> (SqliteStore, FleetHead) {
    let mut store = SqliteStore::open(&DataDir::lock(directory).unwrap()).unwrap();
    let head = store.open_fleet("default").unwrap();
    (store, head)
}

#[test]
fn the_write_ahead_log_does_not_grow_with_what_is_written() {
    let place = tempfile::tempdir().unwrap();
    let (mut store, head) = store(place.path());
    let mebibytes = |name: &str| fs::metadata(place.path().join(name)).unwrap().len() >> 20;
    for round in 0..100 {
        store.append(head.key, head.epoch, round * 1_000, &batch(1_000)).unwrap();
    }
    assert!(mebibytes("kapell.db-wal") < 48, "{} MiB", mebibytes("kapell.db-wal"));
    assert!(mebibytes("kapell.db") > 48, "{} MiB", mebibytes("kapell.db"));
    drop(store);
    assert!(!place.path().join("kapell.db-wal").exists());
}

/// More than the trait promises (the memory engine would wait for itself here), and what keeps a slow reader of events
/// from stopping the writer.
#[test]
fn a_writer_goes_on_while_a_reader_is_in_the_middle_of_a_read() {
    let place = tempfile::tempdir().unwrap();
    let (mut store, head) = store(place.path());
    store.append(head.key, head.epoch, 0, &batch(10)).unwrap();
    let mut reader = store.reader().unwrap();
    let mut seen = 0;
    reader
        .read(head.key, 0, 1_000, &mut |row| {
            store.append(head.key, head.epoch, 9 + row.position, &batch(1)).unwrap();
            seen += 1;
        })
        .unwrap();
    assert_eq!(seen, 10, "a read shows one moment");
    assert_eq!(reader.fleet("default").unwrap().map(|head| head.position), Some(20));
    assert!(reader.verify(head.key).unwrap().is_whole());
}

#[test]
fn handles_work_from_several_threads_at_once() {
    let place = tempfile::tempdir().unwrap();
    let (mut store, head) = store(place.path());
    let (mut reader, mut second) = (store.reader().unwrap(), store.second().unwrap());
    store.append(head.key, head.epoch, 0, &batch(1)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for after in 1..300 {
                store.append(head.key, head.epoch, after, &batch(1)).unwrap();
            }
        });
        scope.spawn(move || {
            for number in 0..20 {
                second.write_snapshot(head.key, 1, number, &vec![7; 5_000_000]).unwrap();
                second.put_document("tokens", &number.to_le_bytes()).unwrap();
            }
        });
        scope.spawn(move || {
            let mut after = 0;
            while after < 300 {
                after =
                    reader.read(head.key, after, 50, &mut |row| assert_eq!(row.body.len(), 1_000)).unwrap();
                let latest = reader.latest_snapshot(head.key).unwrap();
                assert_eq!(latest.skipped, []);
            }
        });
    });
}
