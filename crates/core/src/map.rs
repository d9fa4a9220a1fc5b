//! A hash map with a fixed seed and without iteration: the same history gives the same state everywhere,
//! and no order that means nothing can leak into an event.

use std::borrow::Borrow;
use std::hash::Hash;

use foldhash::fast::FixedState;

/// A map from `K` to `V` that can be asked and changed by key only.
#[derive(Clone, Debug)]
pub(crate) struct Map<K, V>(std::collections::HashMap<K, V, FixedState>);

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self(std::collections::HashMap::with_hasher(FixedState::with_seed(0x6b61_7065_6c6c)))
    }
}

impl<K: Eq + Hash, V> Map<K, V> {
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key)
    }
}
