//! The faulty engine breaks as its plan says, and what it breaks is what a crash breaks.

use kapell_store::{
    Chance, Fault, FaultCounts, FaultPlan, FaultRates, Faults, Faulty, FleetHead, MemoryDisk, Reader as _,
    RowBatch, Store as _, StoreError,
};

fn rows(count: usize) -> RowBatch {
    let mut batch = RowBatch::new();
    for _ in 0..count {
        batch.push(1, [1; 16], "ann", "noted", |body| body.extend_from_slice(b"{}"));
    }
    batch
}

/// Appends ten rows, then ten more with a fault, and returns how the second append ended and where the log stands
/// after a restart.
fn second_append(fault: Fault) -> (Result<u64, StoreError>, u64) {
    let disk = MemoryDisk::new();
    let faults = Faults::new(FaultPlan::none().at_append(2, fault));
    let mut store = Faulty::new(disk.open(), faults.clone());
    let head = store.open_fleet("default").unwrap();
    store.append(head.key, head.epoch, 0, &rows(10)).unwrap();
    let second = store.append(head.key, head.epoch, 10, &rows(10));
    let mut restarted = Faulty::new(disk.open(), faults);
    let head = restarted.open_fleet("default").unwrap();
    let mut seen = 0;
    restarted.read(head.key, 0, 100, &mut |row| seen = row.position).unwrap();
    assert_eq!(seen, head.position);
    assert!(restarted.verify(head.key).unwrap().is_whole());
    (second, head.position)
}

#[test]
fn each_fault_leaves_all_of_a_batch_or_nothing() {
    let cases = [
        (Fault::FailBefore, 10),
        (Fault::FailAfter, 20),
        (Fault::CrashBefore, 10),
        (Fault::CrashAfter, 20),
        (Fault::Torn { part_of_256: 0 }, 10),
        (Fault::Torn { part_of_256: 128 }, 10),
        (Fault::Torn { part_of_256: 255 }, 10),
    ];
    for (fault, expected) in cases {
        let (result, position) = second_append(fault);
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{fault:?} answered {result:?}");
        assert_eq!(position, expected, "after {fault:?}");
    }
}

#[test]
fn a_slow_write_is_a_write() {
    let (result, position) = second_append(Fault::Slow);
    assert_eq!((result.unwrap(), position), (20, 20));
}

#[test]
fn a_busy_file_changes_nothing_and_ends_nothing() {
    let disk = MemoryDisk::new();
    let plan = FaultPlan::none().at_append(2, Fault::Busy).at_snapshot(1, Fault::Busy);
    let mut store = Faulty::new(disk.open(), Faults::new(plan));
    let head = store.open_fleet("default").unwrap();
    store.append(head.key, head.epoch, 0, &rows(1)).unwrap();
    assert!(matches!(store.append(head.key, head.epoch, 1, &rows(1)), Err(StoreError::Busy(_))));
    assert!(matches!(store.write_snapshot(head.key, 1, 1, b""), Err(StoreError::Busy(_))));
    assert!(!store.is_stopped());
    assert_eq!(store.append(head.key, head.epoch, 1, &rows(1)).unwrap(), 2);
}

#[test]
fn half_a_batch_is_never_seen_by_another_handle() {
    let disk = MemoryDisk::new();
    let plan = FaultPlan::none().at_append(1, Fault::Torn { part_of_256: 128 });
    let mut store = Faulty::new(disk.open(), Faults::new(plan));
    let head = store.open_fleet("default").unwrap();
    store.append(head.key, head.epoch, 0, &rows(10)).unwrap_err();
    let mut other = disk.open();
    assert_eq!(other.fleet("default").unwrap().map(|head| head.position), Some(0));
    assert_eq!(other.read(head.key, 0, 100, &mut |row| panic!("saw {row:?}")).unwrap(), 0);
    let head = other.open_fleet("default").unwrap();
    assert_eq!(other.append(head.key, head.epoch, 0, &rows(1)).unwrap(), 1);
    assert!(other.verify(head.key).unwrap().is_whole());
}

#[test]
fn after_a_fault_every_handle_of_that_life_is_stopped() {
    let disk = MemoryDisk::new();
    let faults = Faults::new(FaultPlan::none().at_append(1, Fault::CrashAfter));
    let mut store = Faulty::new(disk.open(), faults.clone());
    let head = store.open_fleet("default").unwrap();
    let (mut reader, mut second) = (store.reader().unwrap(), store.second().unwrap());
    store.append(head.key, head.epoch, 0, &rows(1)).unwrap_err();
    assert!(store.is_stopped());
    let cause = "crash after a write to the faulty storage: fault by plan";
    let words = format!("an earlier write failed ({cause}); open the storage again");
    assert_eq!(store.append(head.key, head.epoch, 1, &rows(1)).unwrap_err().to_string(), words);
    assert_eq!(reader.fleets().unwrap_err().to_string(), words);
    assert_eq!(second.put_document("tokens", b"").unwrap_err().to_string(), words);
    let mut restarted = Faulty::new(disk.open(), faults);
    assert_eq!(restarted.open_fleet("default").unwrap(), FleetHead { key: head.key, epoch: 2, position: 1 });
    assert!(store.is_stopped() && !restarted.is_stopped());
}

#[test]
fn a_crash_between_writes_loses_nothing() {
    let disk = MemoryDisk::new();
    let mut store = Faulty::new(disk.open(), Faults::new(FaultPlan::none()));
    let head = store.open_fleet("default").unwrap();
    store.append(head.key, head.epoch, 0, &rows(3)).unwrap();
    store.crash();
    assert!(matches!(store.fleets(), Err(StoreError::Poisoned(_))));
    assert_eq!(disk.open().fleet("default").unwrap().map(|head| head.position), Some(3));
}

#[test]
fn a_crash_at_a_snapshot_keeps_the_older_one() {
    for (fault, expected) in [(Fault::CrashBefore, 1), (Fault::CrashAfter, 2), (Fault::FailBefore, 1)] {
        let disk = MemoryDisk::new();
        let mut store = Faulty::new(disk.open(), Faults::new(FaultPlan::none().at_snapshot(2, fault)));
        let head = store.open_fleet("default").unwrap();
        store.append(head.key, head.epoch, 0, &rows(2)).unwrap();
        store.write_snapshot(head.key, 1, 1, b"one").unwrap();
        store.write_snapshot(head.key, 2, 1, b"two").unwrap_err();
        let latest = disk.open().latest_snapshot(head.key).unwrap();
        assert_eq!(latest.snapshot.map(|snapshot| snapshot.position), Some(expected), "after {fault:?}");
    }
}

#[test]
fn damage_on_the_memory_disk_is_found() {
    let disk = MemoryDisk::new();
    let mut store = disk.open();
    let head = store.open_fleet("default").unwrap();
    store.append(head.key, head.epoch, 0, &rows(3)).unwrap();
    assert_eq!((disk.damage_snapshot("default"), disk.damage_row("default", 4)), (false, false));
    store.write_snapshot(head.key, 1, 1, b"one").unwrap();
    store.write_snapshot(head.key, 2, 1, b"two").unwrap();
    assert_eq!((disk.damage_snapshot("default"), disk.damage_row("default", 2)), (true, true));
    let latest = store.latest_snapshot(head.key).unwrap();
    assert_eq!((latest.snapshot.map(|snapshot| snapshot.position), latest.skipped.len()), (Some(1), 1));
    assert!(matches!(store.read(head.key, 0, 10, &mut |_| {}), Err(StoreError::Damaged(_))));
    assert_eq!(store.verify(head.key).unwrap().findings.len(), 2);
}

/// Appends 500 times with faults by chance, restarting after each, and tells the story in numbers.
fn story(seed: u64) -> (FaultCounts, Vec<u64>) {
    let disk = MemoryDisk::new();
    let rates = FaultRates {
        fail_before_per_1000: 30,
        fail_after_per_1000: 30,
        crash_before_per_1000: 30,
        crash_after_per_1000: 30,
        torn_per_1000: 30,
        slow_per_1000: 100,
    };
    let faults = Faults::new(FaultPlan::random(Chance::new(seed), rates));
    let mut store = Faulty::new(disk.open(), faults.clone());
    let mut head = store.open_fleet("default").unwrap();
    let mut positions = Vec::new();
    for _ in 0..500 {
        match store.append(head.key, head.epoch, head.position, &rows(3)) {
            Ok(position) => head.position = position,
            Err(_) => {
                store = Faulty::new(disk.open(), faults.clone());
                head = store.open_fleet("default").unwrap();
            }
        }
        positions.push(head.position);
    }
    assert!(store.verify(head.key).unwrap().is_whole());
    (faults.counts(), positions)
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let (counts, positions) = story(7);
    assert_eq!(story(7), (counts, positions.clone()));
    assert_ne!(story(8).1, positions);
    assert_eq!(counts.appends, 500);
    assert!(counts.failed > 0 && counts.crashed > 0 && counts.torn > 0 && counts.slow > 0, "{counts:?}");
}

#[test]
fn a_healed_plan_breaks_nothing_more() {
    let rates = FaultRates { crash_before_per_1000: 1000, ..FaultRates::default() };
    let faults = Faults::new(FaultPlan::random(Chance::new(1), rates));
    let disk = MemoryDisk::new();
    let mut store = Faulty::new(disk.open(), faults.clone());
    let head = store.open_fleet("default").unwrap();
    store.append(head.key, head.epoch, 0, &rows(1)).unwrap_err();
    faults.heal();
    let mut store = Faulty::new(disk.open(), faults.clone());
    let head = store.open_fleet("default").unwrap();
    for after in 0..100 {
        store.append(head.key, head.epoch, after, &rows(1)).unwrap();
    }
    assert_eq!(faults.counts(), FaultCounts { appends: 101, crashed: 1, ..FaultCounts::default() });
}

#[test]
fn chance_gives_the_known_numbers_of_its_method() {
    let mut chance = Chance::new(0);
    let drawn = [chance.draw(), chance.draw(), chance.draw()];
    assert_eq!(drawn, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
}
