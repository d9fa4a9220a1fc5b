//! What is opened and ends again, under numbers from 1: emergencies, task forces. At most one about the same thing is open.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::segments::Segments;

/// One that is opened and ends again.
pub trait Case: Clone {
    /// Its id.
    type Id: Copy;
    /// What it is about.
    type About: Ord;

    /// Returns its id.
    fn id(&self) -> Self::Id;

    /// Returns what it is about.
    fn about(&self) -> Self::About;

    /// Tells whether it has not ended.
    fn is_open(&self) -> bool;

    /// Returns the number of an id.
    fn number(id: Self::Id) -> u32;

    /// Returns the id of a number.
    fn numbered(number: u32) -> Self::Id;
}

/// All of one sort, as a snapshot holds them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent, bound(serialize = "T: Serialize", deserialize = "T: Deserialize<'de>"))]
pub struct Cases<T: Case> {
    all: Segments<T>,
    /// Those that have not ended, by what they are about; derived.
    #[serde(skip)]
    open: BTreeMap<T::About, T::Id>,
}

impl<T: Case> Default for Cases<T> {
    fn default() -> Self {
        Self { all: Segments::default(), open: BTreeMap::new() }
    }
}

impl<T: Case> Cases<T> {
    /// Visits every one, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        self.all.iter()
    }

    /// Returns how many there have been.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Tells whether there has been none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Visits those behind the first `count`.
    pub fn skip(&self, count: usize) -> impl Iterator<Item = &T> + Clone {
        self.all.skip(count)
    }

    /// Returns the one with this id.
    #[must_use]
    pub fn get(&self, id: T::Id) -> Option<&T> {
        self.all.get((T::number(id) as usize).checked_sub(1)?)
    }

    /// Visits those that have not ended.
    pub fn open(&self) -> impl Iterator<Item = &T> + '_ {
        self.open.values().filter_map(|&id| self.get(id))
    }

    /// Returns the ids of those that have not ended, by what they are about.
    pub(crate) fn open_ids(&self) -> &BTreeMap<T::About, T::Id> {
        &self.open
    }

    /// Returns the open one about something.
    #[must_use]
    pub fn of(&self, about: &T::About) -> Option<&T> {
        self.get(*self.open.get(about)?)
    }

    pub(crate) fn of_mut(&mut self, about: &T::About) -> Option<&mut T> {
        self.get_mut(*self.open.get(about)?)
    }

    pub(crate) fn get_mut(&mut self, id: T::Id) -> Option<&mut T> {
        self.all.get_mut((T::number(id) as usize).checked_sub(1)?)
    }

    pub(crate) fn next_id(&self) -> T::Id {
        T::numbered(u32::try_from(self.all.len() + 1).expect("there are fewer than events"))
    }

    pub(crate) fn opened(&mut self, case: T) {
        self.open.insert(case.about(), case.id());
        self.all.push(case);
    }

    /// Takes one that has ended from those that are open.
    pub(crate) fn ended(&mut self, about: &T::About) {
        self.open.remove(about);
    }

    /// Makes what is derived again.
    pub(crate) fn restore(&mut self) {
        self.open =
            self.all.iter().filter(|case| case.is_open()).map(|case| (case.about(), case.id())).collect();
    }
}
