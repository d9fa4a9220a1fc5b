use std::sync::atomic::{AtomicUsize, Ordering};

use kapell_store::{FleetKey, LatestSnapshot};

use super::*;

#[test]
fn pauses_grow_fourfold_up_to_a_bound_and_stay_within_a_fifth() {
    let options = WebhookOptions::default();
    let middle: Vec<i64> = (1..9).map(|attempts| options.pause(attempts, 200).0).collect();
    assert_eq!(middle, [5_000, 20_000, 80_000, 320_000, 1_280_000, 5_120_000, 20_480_000, 21_600_000]);
    for attempts in 1..9 {
        let middle = options.pause(attempts, 200).0;
        assert_eq!(options.pause(attempts, 0).0, middle * 4 / 5);
        assert_eq!(options.pause(attempts, 400).0, middle * 6 / 5);
    }
    assert!(options.pause(u32::MAX, u64::MAX).0 <= 21_600_000 * 6 / 5);
}

/// A store whose documents cannot be written, as often as it is said, once as many as it is said have been.
struct Sick {
    inner: Box<dyn Store>,
    passes: Arc<AtomicUsize>,
    fails: Arc<AtomicUsize>,
    tries: Arc<AtomicUsize>,
}

impl kapell_store::Reader for Sick {
    fn fleets(&mut self) -> Result<Vec<String>, StoreError> {
        self.inner.fleets()
    }
    fn fleet(&mut self, fleet: &str) -> Result<Option<kapell_store::FleetHead>, StoreError> {
        self.inner.fleet(fleet)
    }
    fn read(
        &mut self,
        fleet: FleetKey,
        after: u64,
        max_rows: usize,
        visit: &mut dyn FnMut(kapell_store::Row<'_>),
    ) -> Result<u64, StoreError> {
        self.inner.read(fleet, after, max_rows, visit)
    }
    fn snapshot_at_most(&mut self, fleet: FleetKey, position: u64) -> Result<LatestSnapshot, StoreError> {
        self.inner.snapshot_at_most(fleet, position)
    }
    fn get_document(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get_document(name)
    }
    fn verify(&mut self, fleet: FleetKey) -> Result<kapell_store::VerifyReport, StoreError> {
        self.inner.verify(fleet)
    }
}

impl Store for Sick {
    fn open_fleet(&mut self, fleet: &str) -> Result<kapell_store::FleetHead, StoreError> {
        self.inner.open_fleet(fleet)
    }
    fn append(
        &mut self,
        fleet: FleetKey,
        epoch: u64,
        after: u64,
        rows: &kapell_store::RowBatch,
    ) -> Result<u64, StoreError> {
        self.inner.append(fleet, epoch, after, rows)
    }
    fn write_snapshot(
        &mut self,
        fleet: FleetKey,
        position: u64,
        format: u32,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        self.inner.write_snapshot(fleet, position, format, bytes)
    }
    fn put_document(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        let one_less = |count: &AtomicUsize| {
            count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        };
        if !one_less(&self.passes) && one_less(&self.fails) {
            return Err(kapell_store::Poisoned { cause: "a disk that is sick".to_owned() }.into());
        }
        self.inner.put_document(name, bytes)
    }
    fn reader(&self) -> Result<Box<dyn kapell_store::Reader>, StoreError> {
        self.inner.reader()
    }
    fn second(&self) -> Result<Box<dyn Store>, StoreError> {
        self.inner.second()
    }
}

/// Webhooks over a memory that can be made sick.
struct Bench {
    webhooks: Webhooks,
    running: crate::open::Running,
    reader: Box<dyn kapell_store::Reader>,
    passes: Arc<AtomicUsize>,
    fails: Arc<AtomicUsize>,
    tries: Arc<AtomicUsize>,
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::on(|_| {})
    }

    /// Loads what `prepare` puts into the store.
    fn on(prepare: impl FnOnce(&mut dyn Store)) -> Self {
        let directory = tempfile::TempDir::new().expect("a directory");
        let mut store = kapell_store::MemoryDisk::new().open();
        prepare(&mut store);
        let (passes, fails, tries) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let inner = store.second().expect("a second");
        let sick = Sick { inner, passes: passes.clone(), fails: fails.clone(), tries: tries.clone() };
        let (mut reader, beside) = (store.reader().expect("a reader"), store.reader().expect("a reader"));
        let running = crate::open::open(Box::new(store), "default").expect("it opens");
        let key = reader.fleet("default").expect("a fleet").expect("a fleet").key;
        let log = Log { reader: Arc::new(Mutex::new(beside)), key };
        let beside = (running.fleet.clone(), log);
        let webhooks = Webhooks::load(Box::new(sick), directory.path(), beside, WebhookOptions::default());
        let webhooks = webhooks.expect("it is loaded");
        Self { webhooks, running, reader, passes, fails, tries, directory }
    }

    fn add(&self, name: &str) -> Result<Hook, WebhookError> {
        let types = vec!["*".to_owned()];
        self.webhooks.add(named(name), "https://example.invalid", types, 0).map(|(hook, _)| hook)
    }

    fn end(self) {
        self.webhooks.stop();
        self.running.stop();
    }
}

fn named(name: &str) -> Name {
    Name::new(name).expect("a name")
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(60), "not yet: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_cannot_be_kept_is_tried_again_after_a_pause_and_whoever_serves_is_told() {
    let bench = Bench::new();
    let Bench { webhooks, fails, tries, .. } = &bench;
    for name in ["one", "two"] {
        bench.add(name).expect("it is made");
    }
    let mut failed = webhooks.failed();
    // Two threads with nothing to do, and something that cannot be kept.
    let before = tries.load(Ordering::Relaxed);
    fails.store(usize::MAX, Ordering::Relaxed);
    webhooks.inner.lock().unkept.hooks.insert(1);
    webhooks.inner.wake();
    until("somebody has tried", || webhooks.inner.lock().failing);
    std::thread::sleep(Duration::from_millis(300));
    let tried = tries.load(Ordering::Relaxed) - before;
    assert!(tried < 10, "it is not left alone: {tried} times");
    assert!(matches!(failed.try_recv(), Ok(StoreError::Poisoned(_))), "the server ends");
    // As soon as it goes again, it is kept.
    fails.store(0, Ordering::Relaxed);
    webhooks.inner.lock().keep_from = None;
    webhooks.inner.wake();
    until("it is kept", || !webhooks.inner.lock().failing);
    assert!(webhooks.inner.lock().unkept.is_empty());
    bench.end();
}

#[test]
fn what_could_not_be_made_does_not_come_back() {
    let mut bench = Bench::new();
    // One that is gone already is still to be kept. Its document is the last to be written, and that fails.
    bench.webhooks.inner.lock().unkept.hooks.insert(99);
    bench.passes.store(2, Ordering::Relaxed);
    bench.fails.store(1, Ordering::Relaxed);
    assert!(matches!(bench.add("pager"), Err(WebhookError::Store(_))));
    assert!(bench.webhooks.list().is_empty());
    let mut listed = || {
        let index = bench.reader.get_document(book::DOCUMENT).expect("it is read").expect("it is there");
        serde_json::from_slice::<serde_json::Value>(&index).expect("JSON")["hooks"] != serde_json::json!([])
    };
    assert!(listed(), "it stood on the list when the write failed");
    bench.webhooks.inner.lock().keep_from = None;
    bench.webhooks.inner.wake();
    until("it is off the list", || !listed());
    until("nothing is left to keep", || bench.webhooks.inner.lock().unkept.is_empty());
    bench.end();
}

#[test]
fn who_serves_waits_for_no_file_of_secrets() {
    let bench = Bench::new();
    bench.add("pager").expect("it is made");
    let unfinished = bench.directory.path().join("webhook-secrets.json.new");
    let (ended, webhooks) = (Arc::new(AtomicUsize::new(0)), bench.webhooks.clone());
    let rotating = {
        let ended = ended.clone();
        std::thread::spawn(move || {
            while ended.load(Ordering::Relaxed) == 0 {
                webhooks.rotate(&named("pager"), Span(0)).expect("it is rotated");
            }
        })
    };
    // The file is half written, and yet the state is free.
    until("the state was had during a write", || {
        let _state = bench.webhooks.inner.lock();
        let end = Instant::now() + Duration::from_millis(5);
        std::iter::from_fn(|| (Instant::now() < end).then(|| unfinished.exists())).any(|there| there)
    });
    ended.store(1, Ordering::Relaxed);
    rotating.join().expect("it ends");
    bench.end();
}

#[test]
fn one_that_cannot_be_read_never_goes_on_and_stays_as_it_is_until_it_is_taken_back() {
    let mut bench = Bench::on(|store| {
        let index = br#"{"log": "l", "last": 1, "hooks": [1]}"#;
        store.put_document(book::DOCUMENT, index).expect("it is kept");
        store.put_document(&book::document(1), b"broken").expect("it is kept");
    });
    let name = named("lost-1");
    let stuck = bench.webhooks.stuck();
    assert!(
        stuck.len() == 1 && stuck[0].0 == name && stuck[0].2.contains("kapell webhook remove"),
        "{stuck:?}"
    );
    bench.webhooks.rotate(&name, Span(0)).expect("a secret alone does no harm");
    let (hook, _) = bench.webhooks.resume(&name).expect("it is there");
    assert!(hook.stopped.is_some(), "it does not go on");
    let mut kept =
        || bench.reader.get_document(&book::document(1)).expect("it is read").expect("it is there");
    assert_eq!(kept(), b"broken");
    bench.webhooks.remove(&name).expect("it goes");
    assert_eq!((kept(), bench.webhooks.list().len()), (Vec::new(), 0));
    assert_eq!(bench.add("pager").expect("it is made").id, 2);
    bench.end();
}
