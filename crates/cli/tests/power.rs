//! The real server under load, and the power goes: what was not synced is lost, or there in part. Nothing that was acknowledged
//! is lost.

#[path = "power/disk.rs"]
mod disk;
mod served;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use disk::{Chance, Cut, Disk};
use kapell_api::{Client, NewWebhook, RotateWebhook};
use served::Server;
use served::load::{self, Load, Told};

/// Cuts of the ordinary run; `cargo xtask power --cuts N` sets others.
const CUTS: usize = 2;
/// Bytes of a task: enough that the write-ahead log is moved into the main file in the middle of it.
const TASK_BYTES: usize = 30_000;

#[test]
fn nothing_acknowledged_is_lost_when_the_power_goes() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().canonicalize().expect("a path");
    let journaller = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power/disk.c");
    let journaller = served::preloaded(&journaller, &root);
    let cuts = std::env::var("KAPELL_POWER_CUTS").ok().and_then(|text| text.parse().ok()).unwrap_or(CUTS);
    let told = Told::default();
    let mut secrets = BTreeMap::new();
    let (mut before, mut unsynced, mut moved) = (root.join("disk-0"), 0, 0);
    std::fs::create_dir(&before).expect("a directory");
    for round in 0..cuts {
        let mut chance = Chance(round as u64);
        let mut disk = Disk::of(&before);
        let journal = root.join("journal");
        let mut command = Command::new(env!("CARGO_BIN_EXE_kapell"));
        command.env("LD_PRELOAD", &journaller).env("DISK_ROOT", &before).env("DISK_JOURNAL", &journal);
        let server = Server::run(&before.join("data"), command);
        if round == 0 {
            load::register(&server.client);
        }
        let (name, secret) = webhook(&server.client, round);
        secrets.insert(name, secret);
        let load = Load::begin(&server.client, &told, TASK_BYTES);
        load.work(10 + chance.below(30));
        // Every fifth time the server has ended in order before the power goes.
        if round % 5 == 4 {
            server.terminate();
        } else {
            // Nothing is half done, and half told, when it ends.
            let held = std::fs::File::open(&journal).expect("a journal");
            held.lock().expect("it is held");
            server.kill();
        }
        load.end();
        let written = std::fs::read(&journal).expect("a journal");
        std::fs::remove_file(&journal).expect("it goes");
        disk.replay(&written);
        disk.agrees().unwrap_or_else(|what| panic!("cut {round}: the journal is not the disk: {what}"));
        unsynced += disk.unsynced();
        moved += usize::from(written_to_the_main_file(&written));
        let next = root.join(format!("disk-{}", round + 1));
        for (way, cut) in Cut::ALL.into_iter().enumerate() {
            let left = root.join("left");
            disk.after(cut, &mut chance.clone(), &left);
            let server = Server::start(&left.join("data"));
            told.holds(&server.client);
            signs(&server.client, &left.join("data"), &secrets);
            server.kill();
            served::verify(&left.join("data"));
            std::fs::remove_dir_all(&left).expect("it goes");
            if way == round % Cut::ALL.len() {
                disk.after(cut, &mut chance.clone(), &next);
            }
        }
        std::fs::remove_dir_all(&before).expect("it goes");
        before = next;
    }
    assert!(told.count() > cuts * 10, "{} tasks", told.count());
    // A disk with nothing to lose shows nothing.
    assert!(unsynced > 0, "everything was synced at every cut");
    eprintln!(
        "{cuts} cuts, {} ways each, {} acknowledged tasks, {unsynced} bytes not synced, the main file was written in {moved}",
        Cut::ALL.len(),
        told.count()
    );
}

/// Makes a webhook and a second secret of it; what is acknowledged last is returned.
fn webhook(client: &Client, round: usize) -> (String, String) {
    let name = format!("pager-{}", round % 8);
    if client.webhooks().expect("the webhooks").iter().all(|it| it.name != name) {
        let url = "https://example.invalid/".to_owned();
        let new = NewWebhook {
            name: name.clone(),
            url,
            types: vec!["kapell.forecast.made".to_owned()],
            after: None,
        };
        client.add_webhook(&new).expect("it is made");
    }
    let rotated = client.rotate_webhook(&name, &RotateWebhook { grace_ms: 0 }).expect("it is rotated");
    (name, rotated.secret)
}

/// Holds a server to the webhooks that it has acknowledged, and to their secrets.
fn signs(client: &Client, data: &Path, secrets: &BTreeMap<String, String>) {
    let kept = std::fs::read_to_string(data.join("webhook-secrets.json")).expect("the secrets");
    let hooks = client.webhooks().expect("the webhooks");
    for (name, secret) in secrets {
        let hook = hooks.iter().find(|it| it.name == *name);
        let hook = hook.unwrap_or_else(|| panic!("{name} was acknowledged and is gone"));
        assert!(hook.state == "active" && kept.contains(secret), "the secret of {name} is gone: {hook:?}");
    }
}

/// Whether what was open under the database's own name was written to.
fn written_to_the_main_file(journal: &[u8]) -> bool {
    let (mut rest, mut inode, mut writes) = (journal, None, 0);
    while let Some((operation, number, _, one, _)) = disk::record(&mut rest) {
        match operation {
            b'O' | b'C' if one.ends_with(b"/kapell.db") => inode = Some(number),
            b'W' if inode == Some(number) => writes += 1,
            _ => {}
        }
    }
    writes > 0
}

#[test]
fn a_cut_takes_what_was_not_synced_and_leaves_what_was() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    let mut journal = Vec::new();
    let mut tell = |operation: u8, inode: u64, place: u64, one: &[u8], two: &[u8]| {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("it is short");
        journal.extend((29 + length(one) + length(two)).to_le_bytes());
        journal.push(operation);
        journal.extend(inode.to_le_bytes());
        journal.extend(place.to_le_bytes());
        journal.extend(length(one).to_le_bytes());
        journal.extend(length(two).to_le_bytes());
        journal.extend(one);
        journal.extend(two);
    };
    let path = |name: &str| root.join(name).display().to_string().into_bytes();
    tell(b'C', 1, 0, &path("kept"), b"");
    tell(b'W', 1, 0, b"durable", b"");
    tell(b'S', 1, 0, b"", b"");
    tell(b'C', 2, 0, &path("empty"), b"");
    tell(b'D', 0, 0, &path(""), b"");
    tell(b'W', 1, 0, b"changed", b"");
    tell(b'W', 2, 0, b"never synced", b"");
    tell(b'C', 3, 0, &path("nameless"), b"");
    tell(b'W', 3, 0, b"synced, but its name is not", b"");
    tell(b'S', 3, 0, b"", b"");
    tell(b'R', 0, 0, &path("kept"), &path("moved"));
    journal.extend(b"broken off");
    let mut disk = Disk::of(root);
    disk.replay(&journal);
    let read = |folder: &Path, name: &str| std::fs::read(folder.join(name)).ok();
    let lost = root.join("lost");
    disk.after(Cut::Lost, &mut Chance(0), &lost);
    assert_eq!(read(&lost, "kept").as_deref(), Some(&b"durable"[..]));
    assert_eq!(
        (read(&lost, "empty"), read(&lost, "nameless"), read(&lost, "moved")),
        (Some(Vec::new()), None, None)
    );
    let ways: std::collections::BTreeSet<_> = (0..64)
        .map(|seed| {
            let some = root.join(format!("some-{seed}"));
            disk.after(Cut::Some, &mut Chance(seed), &some);
            (
                read(&some, "kept"),
                read(&some, "moved"),
                read(&some, "empty"),
                read(&some, "nameless").is_some(),
            )
        })
        .collect();
    // Two contents each of two files, and none, one or both of the names, in their order.
    assert_eq!(ways.len(), 2 * 2 * 3, "{ways:?}");
}
