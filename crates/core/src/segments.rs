//! A sequence that grows without copying, and of which a whole view can be had at once.
//!
//! It lies in segments that never move: adding the millionth element costs what adding the first did, where one growing
//! array would copy all of them every now and then. A clone shares the segments, so that it costs a pointer for each; who
//! changes an element of a shared segment afterwards gets a copy of that segment first. So a snapshot can be written
//! on another thread from a clone, while the writer goes on.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Elements of one segment: few enough that copying one is no pause, enough that the pointers are few.
const SEGMENT: usize = 256;

/// Elements in the order in which they were pushed.
#[derive(Clone, Debug)]
pub struct Segments<T> {
    segments: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T> Default for Segments<T> {
    fn default() -> Self {
        Self { segments: Vec::new(), len: 0 }
    }
}

impl<T> Segments<T> {
    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the element at `index`, where there is one.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.segments.get(index / SEGMENT)?.get(index % SEGMENT)
    }

    /// Visits every element in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        self.segments.iter().flat_map(|segment| segment.iter())
    }

    /// Visits the elements behind the first `count`.
    pub fn skip(&self, count: usize) -> impl Iterator<Item = &T> + Clone {
        let first = self
            .segments
            .get(count / SEGMENT)
            .map_or(&[][..], |segment| segment.get(count % SEGMENT..).unwrap_or_default());
        first.iter().chain(self.segments.iter().skip(count / SEGMENT + 1).flat_map(|segment| segment.iter()))
    }
}

impl<T: Clone> Segments<T> {
    /// Returns the element at `index`, to be changed; copies its segment where a clone shares it.
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        Arc::make_mut(self.segments.get_mut(index / SEGMENT)?).get_mut(index % SEGMENT)
    }

    pub(crate) fn push(&mut self, element: T) {
        if self.len.is_multiple_of(SEGMENT) {
            self.segments.push(Arc::new(Vec::with_capacity(SEGMENT)));
        }
        if let Some(last) = self.segments.last_mut() {
            let last = Arc::make_mut(last);
            last.reserve_exact(SEGMENT - last.len());
            last.push(element);
            self.len += 1;
        }
    }
}

impl<T: Serialize> Serialize for Segments<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.len))?;
        for element in self.iter() {
            sequence.serialize_element(element)?;
        }
        sequence.end()
    }
}

impl<'de, T: Deserialize<'de> + Clone> Deserialize<'de> for Segments<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Pushing(PhantomData))
    }
}

struct Pushing<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Clone> Visitor<'de> for Pushing<T> {
    type Value = Segments<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut segments = Segments::default();
        while let Some(element) = sequence.next_element()? {
            segments.push(element);
        }
        Ok(segments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_stays_as_it_was_and_shares_what_nobody_changes() {
        let count = 3 * SEGMENT + 7;
        let mut live = Segments::default();
        (0..count).for_each(|number| live.push(number));
        let view = live.clone();
        *live.get_mut(SEGMENT + 1).expect("it is there") = 0;
        live.push(count);
        assert_eq!(view.iter().copied().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        assert_eq!((live.len(), live.get(SEGMENT + 1), live.get(count)), (count + 1, Some(&0), Some(&count)));
        let shared = live.segments.iter().zip(&view.segments).filter(|(one, other)| Arc::ptr_eq(one, other));
        assert_eq!(shared.count(), 2, "the first and the third");
    }

    #[test]
    fn skipping_is_what_an_iterator_skips() {
        let mut segments = Segments::default();
        (0..2 * SEGMENT + 3).for_each(|number| segments.push(number));
        for count in [0, 1, SEGMENT - 1, SEGMENT, 2 * SEGMENT, 2 * SEGMENT + 3, 9 * SEGMENT] {
            let expected: Vec<_> = segments.iter().skip(count).collect();
            assert_eq!(segments.skip(count).collect::<Vec<_>>(), expected, "{count}");
        }
    }

    #[test]
    fn read_back_as_written() {
        let mut segments = Segments::default();
        (0..SEGMENT + 3).for_each(|number| segments.push(number));
        let bytes = rmp_serde::to_vec(&segments).expect("it can be written");
        assert_eq!(bytes, rmp_serde::to_vec(&segments.iter().collect::<Vec<_>>()).expect("it too"));
        let back: Segments<usize> = rmp_serde::from_slice(&bytes).expect("it can be read");
        assert!(back.iter().eq(segments.iter()));
    }
}
