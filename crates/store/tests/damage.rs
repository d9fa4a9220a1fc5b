//! What is damaged is refused, with what, where and what to do; nothing wrong is ever read.

use std::fs;
use std::path::{Path, PathBuf};

use kapell_store::{
    Damage, DamageKind, DamagePlace, DataDir, FleetKey, LatestSnapshot, Reader as _, RowBatch, Snapshot,
    SqliteReader, SqliteStore, Store as _, StoreError,
};
use rusqlite::Connection;
use tempfile::TempDir;

const RESTORE: &str =
    "nothing was repaired: stop the server, keep a copy of the data directory, and restore it from a backup";

/// A directory with a log of five rows, two snapshots and a document, which nobody has open.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        let mut store = place.open().unwrap();
        let head = store.open_fleet("default").unwrap();
        store.append(head.key, head.epoch, 0, &rows(1, 5)).unwrap();
        store.write_snapshot(head.key, 2, 1, b"state at two").unwrap();
        store.write_snapshot(head.key, 4, 1, b"state at four").unwrap();
        store.put_document("tokens", b"[1,2,3]").unwrap();
        place
    }

    fn open(&self) -> Result<SqliteStore, StoreError> {
        SqliteStore::open(&DataDir::lock(self.directory.path()).expect("nobody else has it"))
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("kapell.db")
    }

    /// Changes the file as a person with a database tool would.
    fn change(&self, sql: &str) {
        let connection = Connection::open(self.file()).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// Claims the fleet, reads its whole log and returns the bodies.
    fn read(&self) -> Result<Vec<String>, StoreError> {
        let mut store = self.open()?;
        let head = store.open_fleet("default")?;
        read(&mut store, head.key)
    }

    fn findings(&self) -> Vec<Damage> {
        let mut reader = SqliteReader::open(self.directory.path()).unwrap();
        let key = reader.fleet("default").unwrap().expect("the fleet is there").key;
        reader.verify(key).unwrap().findings
    }
}

fn rows(first: u64, count: u64) -> RowBatch {
    let mut batch = RowBatch::new();
    for number in first..first + count {
        batch.push(number as i64, [number as u8; 16], "ann", "noted", |body| {
            body.extend_from_slice(format!(r#"{{"number":{number}}}"#).as_bytes());
        });
    }
    batch
}

fn bodies(count: u64) -> Vec<String> {
    (1..=count).map(|number| format!(r#"{{"number":{number}}}"#)).collect()
}

fn read(store: &mut SqliteStore, key: FleetKey) -> Result<Vec<String>, StoreError> {
    let mut bodies = Vec::new();
    store.read(key, 0, 1_000, &mut |row| bodies.push(String::from_utf8_lossy(row.body).into_owned()))?;
    Ok(bodies)
}

fn log(position: u64, kind: DamageKind) -> Damage {
    Damage { place: DamagePlace::Log { fleet: "default".to_owned(), position }, kind }
}

fn snapshot(position: u64) -> Damage {
    let place = DamagePlace::Snapshot { fleet: "default".to_owned(), position };
    Damage { place, kind: DamageKind::ContentChanged }
}

fn damage_of<T: std::fmt::Debug>(result: Result<T, StoreError>) -> Damage {
    match result {
        Err(StoreError::Damaged(damage)) => damage,
        other => panic!("expected damage, got {other:?}"),
    }
}

#[test]
fn the_undamaged_log_reads() {
    let place = Place::new();
    assert_eq!(place.read().unwrap(), bodies(5));
    assert_eq!(place.findings(), []);
}

#[test]
fn a_changed_body_is_refused_at_its_position() {
    let place = Place::new();
    place.change(r#"UPDATE record SET body = '{"number":9}' WHERE position = 3"#);
    let damage = damage_of(place.read());
    assert_eq!(damage, log(3, DamageKind::BodyChanged));
    let words = "the log of fleet `default` at position 3 is damaged: its body does not fit its checksum";
    assert_eq!(damage.to_string(), format!("{words}; {RESTORE}"));
    assert_eq!(place.findings(), [log(3, DamageKind::BodyChanged)]);
}

#[test]
fn rows_before_a_damaged_one_are_shown_and_none_behind_it() {
    let place = Place::new();
    place.change(r#"UPDATE record SET body = '{"number":9}' WHERE position = 3"#);
    let mut store = place.open().unwrap();
    let head = store.open_fleet("default").unwrap();
    let mut seen = Vec::new();
    store.read(head.key, 0, 100, &mut |row| seen.push(row.position)).unwrap_err();
    assert_eq!(seen, [1, 2]);
}

#[test]
fn a_change_anywhere_else_in_a_row_is_refused_at_its_position() {
    for change in [
        "actor = 'bo'",
        "kind = 'struck'",
        "at_ms = at_ms + 1",
        "epoch = 2",
        "command = zeroblob(16)",
        "checksum = checksum + (1 << 32)",
    ] {
        let place = Place::new();
        place.change(&format!("UPDATE record SET {change} WHERE position = 3"));
        let damage = damage_of(place.read());
        assert_eq!(damage, log(3, DamageKind::LinkBroken), "after {change}");
        assert_eq!(place.findings()[0], damage, "after {change}");
    }
}

#[test]
fn a_value_that_cannot_be_there_is_refused_by_its_field() {
    let place = Place::new();
    place.change("UPDATE record SET command = x'0102' WHERE position = 3");
    let kind = DamageKind::FieldUnreadable { field: "command" };
    assert_eq!(damage_of(place.read()), log(3, kind.clone()));
    assert_eq!(place.findings(), [log(3, kind)]);
}

#[test]
fn a_missing_row_is_refused_where_it_was() {
    let place = Place::new();
    place.change("DELETE FROM record WHERE position = 3");
    let damage = damage_of(place.read());
    assert_eq!(damage, log(3, DamageKind::RowsMissing { next: 4 }));
    let words = "the log of fleet `default` at position 3 is damaged: rows are missing, the log goes on at 4";
    assert_eq!(damage.to_string(), format!("{words}; {RESTORE}"));
    assert_eq!(place.findings(), [damage]);
}

#[test]
fn missing_first_rows_are_refused() {
    let place = Place::new();
    place.change("DELETE FROM record WHERE position <= 2");
    assert_eq!(damage_of(place.read()), log(1, DamageKind::RowsMissing { next: 3 }));
    assert_eq!(place.findings(), [log(1, DamageKind::RowsMissing { next: 3 })]);
}

#[test]
fn two_rows_that_changed_places_are_refused() {
    let place = Place::new();
    place.change(
        "UPDATE record SET position = 99 WHERE position = 3; UPDATE record SET position = 3 WHERE position = 2;
         UPDATE record SET position = 2 WHERE position = 99;",
    );
    assert_eq!(damage_of(place.read()), log(2, DamageKind::LinkBroken));
}

#[test]
fn a_log_that_lost_its_end_cannot_be_claimed() {
    let place = Place::new();
    place.change("DELETE FROM record WHERE position >= 4");
    let kind = DamageKind::EndMissing { head: 5 };
    assert_eq!(damage_of(place.read()), log(5, kind.clone()));
    assert_eq!(place.findings(), [log(4, kind.clone())]);
    let mut reader = SqliteReader::open(place.directory.path()).unwrap();
    let head = reader.fleet("default").unwrap().unwrap();
    assert_eq!(head.epoch, 1, "the refused claim has changed nothing");
    assert_eq!(damage_of(reader.read(head.key, 0, 100, &mut |_| {})), log(4, kind));
}

#[test]
fn a_log_with_rows_behind_its_end_cannot_be_claimed() {
    let place = Place::new();
    place.change("INSERT INTO record SELECT fleet, 6, epoch, at_ms, command, actor, kind, body, checksum FROM record WHERE position = 5");
    assert_eq!(damage_of(place.read()), log(6, DamageKind::EndUnknown { head: 5 }));
    assert_eq!(place.findings(), [log(6, DamageKind::EndUnknown { head: 5 })]);
}

#[test]
fn a_changed_entry_of_a_fleet_is_refused() {
    for change in
        ["name = 'other'", "epoch = epoch + 1", "position = 4", "position = 0", "checksum = 0", "id = 2"]
    {
        let place = Place::new();
        place.change(&format!("UPDATE fleet SET {change}"));
        let damage = damage_of(place.open());
        let name = if change.starts_with("name") { "other" } else { "default" };
        assert_eq!(damage.place, DamagePlace::Fleet { name: name.to_owned() }, "after {change}");
        let words = format!("the entry of fleet `{name}` is damaged: the content does not fit its checksum");
        assert_eq!(damage.to_string(), format!("{words}; {RESTORE}"));
    }
}

#[test]
fn a_log_moved_to_another_fleet_is_refused() {
    let place = Place::new();
    place.open().unwrap().open_fleet("other").unwrap();
    place.change("UPDATE record SET fleet = 3 - fleet");
    let mut store = place.open().unwrap();
    assert_eq!(damage_of(store.open_fleet("other")).kind, DamageKind::EndUnknown { head: 0 });
    assert_eq!(damage_of(store.open_fleet("default")).kind, DamageKind::EndMissing { head: 5 });
}

#[test]
fn a_truncated_file_is_refused_by_its_name() {
    let place = Place::new();
    let length = fs::metadata(place.file()).unwrap().len();
    for kept in [length / 2, 8192, 4096, 100] {
        fs::OpenOptions::new().write(true).open(place.file()).unwrap().set_len(kept).unwrap();
        let damage = damage_of(place.read());
        assert_eq!(damage.place, DamagePlace::File { path: place.file() }, "with {kept} bytes");
        assert!(damage.to_string().ends_with(RESTORE), "{damage}");
    }
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("kapell.db"), "this is not a database, and was never one. ".repeat(400))
        .unwrap();
    let damage = damage_of(SqliteStore::open(&DataDir::lock(place.path()).unwrap()));
    let path = place.path().join("kapell.db");
    let words = format!("the file {} is damaged: file is not a database; {RESTORE}", path.display());
    assert_eq!(damage.to_string(), words);
}

#[test]
fn a_damaged_snapshot_is_passed_over_and_said() {
    let place = Place::new();
    place.change("UPDATE snapshot_part SET content = CAST('state at fore' AS BLOB) WHERE position = 4");
    let mut store = place.open().unwrap();
    let head = store.open_fleet("default").unwrap();
    let older = Snapshot { position: 2, format: 1, bytes: b"state at two".to_vec() };
    let expected = LatestSnapshot { snapshot: Some(older), skipped: vec![snapshot(4)] };
    assert_eq!(store.latest_snapshot(head.key).unwrap(), expected);
    let words =
        "the snapshot of fleet `default` at position 4 is damaged: the content does not fit its checksum";
    let remedy = "the log is complete without it: the next snapshot replaces it";
    assert_eq!(expected.skipped[0].to_string(), format!("{words}; {remedy}"));
    let report = store.verify(head.key).unwrap();
    assert_eq!((report.snapshots, report.findings), (vec![2], vec![snapshot(4)]));
}

#[test]
fn where_no_snapshot_is_whole_none_is_given_and_all_are_named() {
    for change in [
        "DELETE FROM snapshot_part",
        "UPDATE snapshot SET checksum = checksum + 1",
        "UPDATE snapshot SET format = format + 1",
        "UPDATE snapshot SET size = -1",
        "UPDATE snapshot_part SET content = x''",
    ] {
        let place = Place::new();
        place.change(change);
        let mut store = place.open().unwrap();
        let head = store.open_fleet("default").unwrap();
        let expected = LatestSnapshot { snapshot: None, skipped: vec![snapshot(4), snapshot(2)] };
        assert_eq!(store.latest_snapshot(head.key).unwrap(), expected, "after {change}");
        assert_eq!(read(&mut store, head.key).unwrap(), bodies(5));
    }
}

#[test]
fn parts_that_a_crash_left_are_swept_by_the_next_snapshot() {
    let place = Place::new();
    place.change("INSERT INTO snapshot_part VALUES (1, 5, 0, x'00'), (1, 3, 7, x'00')");
    let mut store = place.open().unwrap();
    let head = store.open_fleet("default").unwrap();
    store.write_snapshot(head.key, 5, 1, b"state at five").unwrap();
    let newest = Snapshot { position: 5, format: 1, bytes: b"state at five".to_vec() };
    let expected = LatestSnapshot { snapshot: Some(newest), skipped: Vec::new() };
    assert_eq!(store.latest_snapshot(head.key).unwrap(), expected);
    drop(store);
    let parts = "SELECT count(*) FROM snapshot_part";
    let count: i64 = Connection::open(place.file()).unwrap().query_row(parts, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 2);
}

#[test]
fn a_damaged_document_is_refused_by_its_name() {
    let place = Place::new();
    place.change("UPDATE document SET content = CAST('[1,2,4]' AS BLOB)");
    let damage = damage_of(place.open().unwrap().get_document("tokens"));
    let words = "the document `tokens` is damaged: the content does not fit its checksum";
    let remedy = "nothing was repaired: restore it from a backup or write it anew";
    assert_eq!(damage.to_string(), format!("{words}; {remedy}"));
}

/// Whatever byte of the file changes, either it is said or what is read is still the same.
#[test]
fn a_byte_changed_anywhere_is_said_or_does_not_matter() {
    let place = Place::new();
    let sound = fs::read(place.file()).unwrap();
    let mut refused = 0;
    for offset in (0..sound.len()).step_by(97) {
        let mut bytes = sound.clone();
        bytes[offset] ^= 0x55;
        fs::write(place.file(), &bytes).unwrap();
        match (place.read(), place.open().and_then(|mut store| store.get_document("tokens"))) {
            (Ok(log), Ok(document)) => {
                assert_eq!(log, bodies(5), "the change at {offset} has passed");
                assert_eq!(document.as_deref(), Some(&b"[1,2,3]"[..]), "the change at {offset} has passed");
            }
            (Err(_), _) | (_, Err(_)) => refused += 1,
        }
        remove_journal(place.directory.path());
    }
    assert!(refused > 0);
}

fn remove_journal(directory: &Path) {
    for name in ["kapell.db-wal", "kapell.db-shm", "kapell.db-journal"] {
        let _ = fs::remove_file(directory.join(name));
    }
}

/// A write-ahead log that ends anywhere, as after a loss of power: a batch is there or it is not.
#[test]
fn a_torn_append_leaves_all_of_a_batch_or_nothing() {
    let place = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&DataDir::lock(place.path().join("live")).unwrap()).unwrap();
    let head = store.open_fleet("default").unwrap();
    let mut ends = vec![0];
    for size in [3, 40, 1, 100, 7] {
        let after = *ends.last().unwrap();
        ends.push(store.append(head.key, head.epoch, after, &rows(after + 1, size)).unwrap());
    }
    let main = fs::read(place.path().join("live/kapell.db")).unwrap();
    let wal = fs::read(place.path().join("live/kapell.db-wal")).unwrap();
    let mut found = Vec::new();
    for kept in (0..wal.len()).step_by(1021).chain([wal.len()]) {
        let directory = place.path().join(kept.to_string());
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("kapell.db"), &main).unwrap();
        fs::write(directory.join("kapell.db-wal"), &wal[..kept]).unwrap();
        let mut store = SqliteStore::open(&DataDir::lock(&directory).unwrap()).unwrap();
        let head = store.open_fleet("default").unwrap();
        assert_eq!(read(&mut store, head.key).unwrap(), bodies(head.position));
        assert!(store.verify(head.key).unwrap().is_whole());
        found.push(head.position);
    }
    found.dedup();
    assert_eq!(found, ends);
}

#[test]
fn a_failed_write_ends_all_handles_of_the_storage() {
    let place = Place::new();
    let mut store = place.open().unwrap();
    let head = store.open_fleet("default").unwrap();
    let (mut reader, mut second) = (store.reader().unwrap(), store.second().unwrap());
    place.change("ALTER TABLE record RENAME TO elsewhere");
    let failed = store.append(head.key, head.epoch, 5, &rows(6, 1)).unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable(_)), "{failed:?}");
    place.change("ALTER TABLE elsewhere RENAME TO record");
    let poisoned = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Poisoned(_)));
    assert!(poisoned(store.append(head.key, head.epoch, 5, &rows(6, 1)).map(drop)));
    assert!(poisoned(store.open_fleet("default").map(drop)));
    assert!(poisoned(store.write_snapshot(head.key, 5, 1, b"")));
    assert!(poisoned(second.put_document("tokens", b"[]")));
    assert!(poisoned(reader.read(head.key, 0, 1, &mut |_| {}).map(drop)));
    assert!(poisoned(reader.verify(head.key).map(drop)));
    assert!(poisoned(store.second().map(drop)));
    drop((store, reader, second));
    assert_eq!(place.read().unwrap(), bodies(5));
}
