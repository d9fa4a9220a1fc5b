//! One process at a time in a data directory.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use kapell_store::{DataDir, DataDirError, DirectoryHeld, SqliteStore, Store as _};

fn held(result: Result<DataDir, DataDirError>) -> DirectoryHeld {
    match result {
        Err(DataDirError::Held(held)) => held,
        other => panic!("expected that the directory is held, got {other:?}"),
    }
}

#[test]
fn a_second_lock_is_refused_with_the_holders_process() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("data");
    let _first = DataDir::lock(&path).unwrap();
    let held = held(DataDir::lock(&path));
    assert_eq!(held, DirectoryHeld { path: path.clone(), process: Some(std::process::id()) });
    let words = format!("the data directory {} is in use by process {}", path.display(), std::process::id());
    assert_eq!(held.to_string(), words);
}

#[test]
fn the_refused_second_lock_leaves_the_first_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let first = DataDir::lock(place.path()).unwrap();
    held(DataDir::lock(place.path()));
    held(DataDir::lock(place.path()));
    drop(first);
    DataDir::lock(place.path()).unwrap();
}

#[test]
fn a_lock_file_left_behind_by_a_dead_process_means_nothing() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("kapell.lock"), "1\n").unwrap();
    DataDir::lock(place.path()).unwrap();
    let holder = fs::read_to_string(place.path().join("kapell.lock")).unwrap();
    assert_eq!(holder, format!("{}\n", std::process::id()));
}

#[test]
fn the_lock_lives_as_long_as_a_store_in_the_directory() {
    let place = tempfile::tempdir().unwrap();
    let directory = DataDir::lock(place.path()).unwrap();
    let store = SqliteStore::open(&directory).unwrap();
    drop(directory);
    let second = store.second().unwrap();
    drop(store);
    held(DataDir::lock(place.path()));
    drop(second);
    DataDir::lock(place.path()).unwrap();
}

#[test]
fn directory_and_database_are_their_owners_alone() {
    let place = tempfile::tempdir().unwrap();
    let directory = DataDir::lock(place.path().join("deep/data")).unwrap();
    let mut store = SqliteStore::open(&directory).unwrap();
    store.open_fleet("default").unwrap();
    let mode = |path: &str| fs::metadata(directory.path().join(path)).unwrap().permissions().mode() & 0o777;
    let modes = [".", "kapell.lock", "kapell.db", "kapell.db-wal"].map(mode);
    assert_eq!(modes, [0o700, 0o600, 0o600, 0o600]);
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_that_names_it() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("file"), "").unwrap();
    let path = place.path().join("file/data");
    let error = DataDir::lock(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("create {}", path.display()));
}
