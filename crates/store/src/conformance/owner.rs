//! One owner at a time.

use super::{Case, Opener, assert_refused, batch, read_all, written};
use crate::error::StoreError;

pub(super) const CASES: &[Case] = &[
    Case { name: "every claim gives a larger epoch", run: every_claim_gives_a_larger_epoch },
    Case { name: "a former owner is fenced off", run: a_former_owner_is_fenced_off },
    Case { name: "a zombie's second append does not pass", run: a_zombies_second_append_does_not_pass },
    Case { name: "an epoch that nobody has is fenced off", run: an_epoch_that_nobody_has_is_fenced_off },
    Case {
        name: "a refused append leaves the handle usable",
        run: a_refused_append_leaves_the_handle_usable,
    },
];

fn every_claim_gives_a_larger_epoch(open: &mut Opener) {
    let mut epochs = Vec::new();
    for _ in 0..3 {
        let mut store = open();
        epochs.push(store.open_fleet("default").unwrap().epoch);
        epochs.push(store.open_fleet("default").unwrap().epoch);
    }
    assert_eq!(epochs, [1, 2, 3, 4, 5, 6]);
    assert_eq!(open().open_fleet("other").unwrap().epoch, 1);
}

fn a_former_owner_is_fenced_off(open: &mut Opener) {
    let (mut former, mut present) = (open(), open());
    let old = former.open_fleet("default").unwrap();
    former.append(old.key, old.epoch, 0, &batch(1, 1)).unwrap();
    let new = present.open_fleet("default").unwrap();
    assert_eq!((new.epoch, new.position), (old.epoch + 1, 1));
    match former.append(old.key, old.epoch, 1, &batch(2, 1)) {
        Err(StoreError::Fenced(fenced)) => {
            assert_eq!((fenced.given, fenced.current), (old.epoch, new.epoch));
        }
        other => panic!("expected to be fenced off, got {other:?}"),
    }
    assert_eq!(present.append(new.key, new.epoch, 1, &batch(3, 1)).unwrap(), 2);
    let expected = [written(&batch(1, 1), old.epoch, 0), written(&batch(3, 1), new.epoch, 1)].concat();
    assert_eq!(read_all(&mut *present, new.key, 10), expected);
}

/// The zombie's log has not moved, so the positions fit: only its epoch tells.
fn a_zombies_second_append_does_not_pass(open: &mut Opener) {
    let (mut zombie, mut owner) = (open(), open());
    let old = zombie.open_fleet("default").unwrap();
    let after = zombie.append(old.key, old.epoch, 0, &batch(1, 2)).unwrap();
    let new = owner.open_fleet("default").unwrap();
    assert_refused!(zombie.append(old.key, old.epoch, after, &batch(3, 1)), StoreError::Fenced(_));
    assert_refused!(zombie.append(old.key, old.epoch, after, &batch(3, 1)), StoreError::Fenced(_));
    assert_eq!(read_all(&mut *owner, new.key, 10), written(&batch(1, 2), old.epoch, 0));
}

fn an_epoch_that_nobody_has_is_fenced_off(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    for epoch in [0, head.epoch + 1, u64::MAX] {
        assert_refused!(store.append(head.key, epoch, 0, &batch(1, 1)), StoreError::Fenced(_));
    }
}

fn a_refused_append_leaves_the_handle_usable(open: &mut Opener) {
    let mut store = open();
    let head = store.open_fleet("default").unwrap();
    assert_refused!(store.append(head.key, head.epoch, 5, &batch(1, 1)), StoreError::Conflict(_));
    assert_refused!(store.append(head.key, 0, 0, &batch(1, 1)), StoreError::Fenced(_));
    assert_eq!(store.append(head.key, head.epoch, 0, &batch(1, 1)).unwrap(), 1);
    assert!(store.verify(head.key).unwrap().is_whole());
}
