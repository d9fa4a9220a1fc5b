//! Every engine keeps the promises of a store.

use kapell_store::conformance::{self, Opener};
use kapell_store::{DataDir, FaultPlan, Faults, Faulty, MemoryDisk, SqliteStore};

fn memory() -> Opener {
    let disk = MemoryDisk::new();
    Box::new(move || Box::new(disk.open()))
}

fn faulty_without_faults() -> Opener {
    let disk = MemoryDisk::new();
    let faults = Faults::new(FaultPlan::none());
    Box::new(move || Box::new(Faulty::new(disk.open(), faults.clone())))
}

/// The directory is locked once, by the opener; its handles are those of one process.
fn sqlite() -> Opener {
    let place = tempfile::tempdir().expect("a temporary directory");
    let directory = DataDir::lock(place.path().join("data")).expect("nobody else uses it");
    Box::new(move || {
        assert!(place.path().exists());
        Box::new(SqliteStore::open(&directory).expect("the database opens"))
    })
}

#[test]
fn the_memory_engine_conforms() {
    conformance::run(&mut memory);
}

#[test]
fn the_sqlite_engine_conforms() {
    conformance::run(&mut sqlite);
}

#[test]
fn the_faulty_engine_without_faults_conforms() {
    conformance::run(&mut faulty_without_faults);
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let mut names: Vec<_> = conformance::cases().iter().map(|case| case.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), count), (30, 30));
}
