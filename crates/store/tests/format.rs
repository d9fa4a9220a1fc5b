//! Yesterday's files open; tomorrow's and other programs' are refused by name.

use std::fs;
use std::path::Path;

use kapell_store::{
    DataDir, FleetHead, FormatUnknown, Reader as _, RowBatch, Snapshot, SqliteReader, SqliteStore,
    Store as _, StoreError,
};
use rusqlite::Connection;

const FORMAT_1: &str = include_str!("samples/format_1.sql");

fn sample(directory: &Path) {
    Connection::open(directory.join("kapell.db")).unwrap().execute_batch(FORMAT_1).unwrap();
}

fn open(directory: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(&DataDir::lock(directory).unwrap())
}

/// Returns what the file says about its tables, its program and its version.
fn shape(directory: &Path) -> (Vec<(String, String)>, i64, i64) {
    let connection = Connection::open(directory.join("kapell.db")).unwrap();
    let sql = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    let tables = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get(0)).unwrap();
    (tables.collect::<Result<_, _>>().unwrap(), pragma("application_id"), pragma("user_version"))
}

#[test]
fn a_file_of_format_1_opens_and_reads() {
    let place = tempfile::tempdir().unwrap();
    sample(place.path());
    let mut store = open(place.path()).unwrap();
    assert_eq!(store.fleets().unwrap(), ["default", "night"]);
    let head = store.fleet("default").unwrap().unwrap();
    assert_eq!((head.epoch, head.position), (2, 4));
    let mut rows = Vec::new();
    store.read(head.key, 0, 10, &mut |row| rows.push(format!("{row:?}"))).unwrap();
    let expected = expected_rows();
    assert_eq!(rows, expected.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>());
    let newest = Snapshot { position: 4, format: 1, bytes: br#"{"tasks":1,"finished":1}"#.to_vec() };
    assert_eq!(store.latest_snapshot(head.key).unwrap().snapshot, Some(newest));
    let tokens = store.get_document("tokens").unwrap();
    assert_eq!(tokens.as_deref(), Some(&br#"[{"id":"k1","access":"admin"}]"#[..]));
    let report = store.verify(head.key).unwrap();
    assert_eq!((report.rows, report.snapshots, report.findings), (4, vec![4, 2], vec![]));
}

fn expected_rows() -> Vec<kapell_store::Row<'static>> {
    let numbered = |first: u8| std::array::from_fn(|index| first + index as u8);
    vec![
        kapell_store::Row {
            position: 1,
            epoch: 1,
            at_ms: 1_790_000_000_123,
            command: numbered(0),
            actor: "admin",
            kind: "task_submitted",
            body: br#"{"task":"T-1","title":"Write the overture"}"#,
        },
        kapell_store::Row {
            position: 2,
            epoch: 1,
            at_ms: 1_790_000_001_123,
            command: numbered(16),
            actor: "kapell",
            kind: "task_placed",
            body: br#"{"task":"T-1","agent":"violin/1","score":0.75}"#,
        },
        kapell_store::Row {
            position: 3,
            epoch: 1,
            at_ms: 1_790_000_002_123,
            command: numbered(32),
            actor: "violin/1",
            kind: "task_progressed",
            body: "{\"task\":\"T-1\",\"note\":\"d\\u00e9j\\u00e0 vu, \u{6f22}\u{5b57}, \u{1f980}\"}"
                .as_bytes(),
        },
        kapell_store::Row {
            position: 4,
            epoch: 2,
            at_ms: 1_790_000_004_000,
            command: [0xab; 16],
            actor: "violin/1",
            kind: "task_finished",
            body: br#"{"task":"T-1","result":"done"}"#,
        },
    ]
}

#[test]
fn a_file_of_format_1_takes_further_rows() {
    let place = tempfile::tempdir().unwrap();
    sample(place.path());
    let mut store = open(place.path()).unwrap();
    let head = store.open_fleet("default").unwrap();
    assert_eq!(head, FleetHead { key: head.key, epoch: 3, position: 4 });
    let mut batch = RowBatch::new();
    batch.push(0, [0; 16], "admin", "noted", |body| body.extend_from_slice(b"{}"));
    assert_eq!(store.append(head.key, head.epoch, 4, &batch).unwrap(), 5);
    assert!(store.verify(head.key).unwrap().is_whole());
}

/// The format has changed where this fails: it needs a new version number, a sample of its own, and a way from the
/// old one.
#[test]
fn a_new_file_has_the_format_of_the_sample() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    sample(old.path());
    open(new.path()).unwrap();
    assert_eq!(shape(new.path()), shape(old.path()));
}

#[test]
fn the_log_reads_well_in_sql() {
    let place = tempfile::tempdir().unwrap();
    sample(place.path());
    let connection = Connection::open(place.path().join("kapell.db")).unwrap();
    let sql = "SELECT fleet || '|' || position || '|' || at || '|' || command || '|' || kind FROM log";
    let mut statement = connection.prepare(sql).unwrap();
    let lines: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let expected = [
        "default|1|2026-09-21T14:13:20.123Z|000102030405060708090a0b0c0d0e0f|task_submitted",
        "default|2|2026-09-21T14:13:21.123Z|101112131415161718191a1b1c1d1e1f|task_placed",
        "default|3|2026-09-21T14:13:22.123Z|202122232425262728292a2b2c2d2e2f|task_progressed",
        "default|4|2026-09-21T14:13:24.000Z|abababababababababababababababab|task_finished",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_newer_format_is_refused_by_name_and_left_alone() {
    let place = tempfile::tempdir().unwrap();
    sample(place.path());
    let path = place.path().join("kapell.db");
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 2").unwrap();
    let before = fs::read(&path).unwrap();
    let unknown = FormatUnknown::Newer { path: path.clone(), found: 2, known: 1 };
    let versions =
        "has format version 2, and this version of Kapell knows up to 1; use a newer version of Kapell";
    assert_eq!(unknown.to_string(), format!("{} {versions}", path.display()));
    for result in [open(place.path()).map(drop), SqliteReader::open(place.path()).map(drop)] {
        match result {
            Err(StoreError::Format(found)) => assert_eq!(found, unknown),
            other => panic!("expected an unknown format, got {other:?}"),
        }
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("kapell.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    let before = fs::read(&path).unwrap();
    let error = open(place.path()).unwrap_err();
    let words = "is a database of another program (application id 0x00000000); choose another data directory";
    assert_eq!(error.to_string(), format!("{} {words}", path.display()));
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// A crash between the making of the file and the first transaction leaves it empty.
#[test]
fn an_empty_file_is_a_new_database() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("kapell.db"), b"").unwrap();
    let mut store = open(place.path()).unwrap();
    assert_eq!(store.open_fleet("default").unwrap().epoch, 1);
}

#[test]
fn looking_at_a_directory_without_a_database_makes_none() {
    let place = tempfile::tempdir().unwrap();
    let error = SqliteReader::open(place.path()).unwrap_err();
    assert_eq!(error.to_string(), format!("open {}", place.path().join("kapell.db").display()));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}
