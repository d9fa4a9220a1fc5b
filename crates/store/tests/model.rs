//! Both engines answer alike, whatever is asked in whatever order.

use kapell_store::{DataDir, FleetHead, MemoryDisk, Reader, RowBatch, SqliteStore, Store, StoreError};
use proptest::prelude::*;

/// A call with small numbers, so that right and nearly right ones both come often.
#[derive(Debug, Clone)]
enum Call {
    Open { fleet: usize },
    Append { fleet: usize, epoch_off: i8, after_off: i8, rows: u8, body: String },
    Read { fleet: usize, after: u64, max_rows: usize },
    Snapshot { fleet: usize, position: u64, size: usize },
    Latest { fleet: usize },
    Put { name: String, size: usize },
    Get { name: String },
    Verify { fleet: usize },
    List,
    Restart,
}

const FLEETS: [&str; 3] = ["default", "night", "d\u{e9}j\u{e0} vu"];

fn call() -> impl Strategy<Value = Call> {
    let fleet = 0..FLEETS.len();
    let off = prop_oneof![8 => Just(0_i8), 1 => Just(-1), 1 => Just(1)];
    let name = prop_oneof!["[ab]", Just(String::new())];
    prop_oneof![
        3 => fleet.clone().prop_map(|fleet| Call::Open { fleet }),
        8 => (fleet.clone(), off.clone(), off, 0..5_u8, ".{0,40}").prop_map(|(fleet, epoch_off, after_off, rows, body)| {
            Call::Append { fleet, epoch_off, after_off, rows, body }
        }),
        3 => (fleet.clone(), 0..12_u64, 0..9_usize)
            .prop_map(|(fleet, after, max_rows)| Call::Read { fleet, after, max_rows }),
        2 => (fleet.clone(), 0..12_u64, 0..50_usize)
            .prop_map(|(fleet, position, size)| Call::Snapshot { fleet, position, size }),
        2 => fleet.clone().prop_map(|fleet| Call::Latest { fleet }),
        1 => (name.clone(), 0..50_usize).prop_map(|(name, size)| Call::Put { name, size }),
        1 => name.prop_map(|name| Call::Get { name }),
        1 => fleet.prop_map(|fleet| Call::Verify { fleet }),
        1 => Just(Call::List),
        1 => Just(Call::Restart),
    ]
}

/// One engine, and where its caller thinks that each fleet stands.
struct Side {
    open: Box<dyn FnMut() -> Box<dyn Store>>,
    store: Option<Box<dyn Store>>,
    heads: [Option<FleetHead>; FLEETS.len()],
}

impl Side {
    fn new(mut open: Box<dyn FnMut() -> Box<dyn Store>>) -> Self {
        let store = Some(open());
        Self { open, store, heads: [None; FLEETS.len()] }
    }

    /// Carries out a call and tells everything that a caller can see of the outcome.
    fn tell(&mut self, call: &Call) -> String {
        let store = self.store.as_deref_mut().expect("the storage is open");
        match call {
            Call::Open { fleet } => match store.open_fleet(FLEETS[*fleet]) {
                Ok(head) => {
                    self.heads[*fleet] = Some(head);
                    format!("epoch {} position {}", head.epoch, head.position)
                }
                Err(error) => format!("{error:?}"),
            },
            Call::Append { fleet, epoch_off, after_off, rows, body } => {
                let Some(head) = &mut self.heads[*fleet] else { return "no key".to_owned() };
                let epoch = head.epoch.wrapping_add_signed((*epoch_off).into());
                let after = head.position.wrapping_add_signed((*after_off).into());
                let result = store.append(head.key, epoch, after, &batch(*rows, body));
                head.position = *result.as_ref().unwrap_or(&head.position);
                format!("{result:?}")
            }
            Call::Restart => {
                self.store = None;
                self.store = Some((self.open)());
                String::new()
            }
            Call::Put { name, size } => format!("{:?}", store.put_document(name, &vec![1; *size])),
            Call::Get { name } => format!("{:?}", store.get_document(name)),
            Call::List => format!("{:?}", store.fleets()),
            Call::Read { fleet, .. }
            | Call::Snapshot { fleet, .. }
            | Call::Latest { fleet }
            | Call::Verify { fleet } => match self.heads[*fleet] {
                Some(head) => tell_of_fleet(store, head, call),
                None => format!("{:?}", store.fleet(FLEETS[*fleet])),
            },
        }
    }
}

fn tell_of_fleet(store: &mut dyn Store, head: FleetHead, call: &Call) -> String {
    match call {
        Call::Read { after, max_rows, .. } => {
            let mut seen = String::new();
            let last =
                store.read(head.key, *after, *max_rows, &mut |row| seen.push_str(&format!("{row:?}\n")));
            format!("{seen}{last:?}")
        }
        Call::Snapshot { position, size, .. } => {
            format!("{:?}", store.write_snapshot(head.key, *position, *size as u32, &vec![2; *size]))
        }
        Call::Latest { .. } => format!("{:?}", store.latest_snapshot(head.key)),
        _ => format!("{:?}", store.verify(head.key)),
    }
}

fn batch(rows: u8, body: &str) -> RowBatch {
    let mut batch = RowBatch::new();
    for number in 0..rows {
        batch.push(number.into(), [number; 16], body, "noted", |buffer| {
            buffer.extend_from_slice(body.as_bytes());
        });
    }
    batch
}

fn whole<R: Reader + ?Sized>(store: &mut R) -> Result<bool, StoreError> {
    for fleet in store.fleets()? {
        let head = store.fleet(&fleet)?.expect("a listed fleet is there");
        if !store.verify(head.key)?.is_whole() {
            return Ok(false);
        }
    }
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sqlite_answers_as_memory_does(calls in proptest::collection::vec(call(), 1..60)) {
        let place = tempfile::tempdir().unwrap();
        let directory = DataDir::lock(place.path()).unwrap();
        let disk = MemoryDisk::new();
        let mut memory = Side::new(Box::new(move || Box::new(disk.open())));
        let mut sqlite = Side::new(Box::new(move || Box::new(SqliteStore::open(&directory).unwrap())));
        for call in &calls {
            prop_assert_eq!(sqlite.tell(call), memory.tell(call), "at {:?}", call);
        }
        prop_assert!(whole(&mut **sqlite.store.as_mut().unwrap()).unwrap());
    }
}
