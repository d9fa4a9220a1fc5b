//! What lies near a resource: an index whose answer is a little too large, never too small.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use kapell_model::Need;

/// Things that hold or want resources, found by the beginnings of these.
///
/// Two globs overlap only where the literal beginning of one is a beginning of the other's, so a look-up goes through
/// what begins with a key, and through the few beginnings of the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overlaps<K> {
    by_key: BTreeMap<Box<str>, BTreeSet<K>>,
}

impl<K> Default for Overlaps<K> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new() }
    }
}

impl<K: Copy + Ord> Overlaps<K> {
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    pub(crate) fn insert(&mut self, needs: &[Need], id: K) {
        for key in keys(needs) {
            self.by_key.entry(key.into_boxed_str()).or_default().insert(id);
        }
    }

    pub(crate) fn remove(&mut self, needs: &[Need], id: K) {
        for key in keys(needs) {
            if let Some(ids) = self.by_key.get_mut(key.as_str()) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.by_key.remove(key.as_str());
                }
            }
        }
    }

    /// Returns those that could overlap one of `needs`, in order.
    pub(crate) fn near(&self, needs: &[Need]) -> BTreeSet<K> {
        let mut near = BTreeSet::new();
        if self.by_key.is_empty() {
            return near;
        }
        for key in keys(needs) {
            for (at, _) in key.match_indices(['/', ':']).filter(|(at, _)| at + 1 < key.len()) {
                near.extend(self.by_key.get(&key[..=at]).into_iter().flatten());
            }
            let behind = self.by_key.range::<str, _>((Bound::Included(key.as_str()), Bound::Unbounded));
            let within = behind.take_while(|(other, _)| other.starts_with(key.as_str()));
            near.extend(within.flat_map(|(_, ids)| ids));
        }
        near
    }
}

fn keys(needs: &[Need]) -> impl Iterator<Item = String> + '_ {
    needs.iter().flat_map(|need| need.resource.keys())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kapell_model::Mode;

    fn needs(texts: &[&str]) -> Vec<Need> {
        let need = |text: &&str| Need { resource: text.parse().expect("a resource"), mode: Mode::Shared };
        texts.iter().map(need).collect()
    }

    #[test]
    fn what_could_overlap_is_found_and_little_else() {
        let mut index = Overlaps::default();
        let all = ["path:src/a/**", "path:src/b.rs", "path:**/x", "path:docs/*", "env:one", "env:one/two"];
        for (id, text) in all.iter().enumerate() {
            index.insert(&needs(&[text]), id);
        }
        let near = |text| index.near(&needs(&[text])).into_iter().collect::<Vec<_>>();
        assert_eq!(near("path:src/a/deep/file"), [0, 2]);
        assert_eq!(near("path:src/**"), [0, 1, 2]);
        assert_eq!(near("path:**"), [0, 1, 2, 3]);
        assert_eq!(near("path:{docs,src/b.rs}/**"), [1, 2, 3]);
        assert_eq!(near("env:one"), [4, 5]);
        assert!(near("branch:one").is_empty());
        for (id, text) in all.iter().enumerate() {
            index.remove(&needs(&[text]), id);
        }
        assert!(index.is_empty());
    }
}
