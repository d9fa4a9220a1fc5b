//! Which classes with waiting tasks ask for a capability, so that an agent does not have to look at every class.

use crate::class::Class;
use crate::id::{ClassId, Word};

/// Parts that a class's weights are divided into.
const SHARES: u64 = 1 << 20;

/// A class with waiting tasks, under one of the capabilities that it requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Which class.
    pub class: ClassId,
    /// Which of its requirements this is.
    slot: u32,
    /// The requirement's part of the weights of all of them, rounded up, in parts of [`Want::WHOLE`].
    pub share: u32,
}

impl Want {
    /// The share of an only requirement.
    pub const WHOLE: u32 = SHARES as u32;
}

/// The classes with waiting tasks, by what they require.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wants {
    /// By word: which classes want it, in no order that means anything.
    wants: Vec<Vec<Want>>,
    /// The classes with waiting tasks that require nothing.
    undemanding: Vec<ClassId>,
    /// By class: where each of its requirements stands among the wants; empty where it has nothing waiting.
    places: Vec<Vec<u32>>,
}

impl Wants {
    pub(crate) fn of(&self, capability: Word) -> &[Want] {
        self.wants.get(capability.index()).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn undemanding(&self) -> &[ClassId] {
        &self.undemanding
    }

    /// Takes up a class that has got its first waiting task.
    pub(crate) fn want(&mut self, id: ClassId, class: &Class) {
        if self.places.len() <= id.index() {
            self.places.resize_with(id.index() + 1, Vec::new);
        }
        if class.requires.is_empty() {
            self.places[id.index()].push(place(self.undemanding.len()));
            self.undemanding.push(id);
            return;
        }
        let weights: u64 = class.requires.iter().map(|requirement| u64::from(requirement.weight)).sum();
        for (requirement, slot) in class.requires.iter().zip(0..) {
            let word = requirement.capability.index();
            if self.wants.len() <= word {
                self.wants.resize_with(word + 1, Vec::new);
            }
            let share = (u64::from(requirement.weight) * SHARES).div_ceil(weights.max(1));
            self.places[id.index()].push(place(self.wants[word].len()));
            let share = u32::try_from(share).unwrap_or(Want::WHOLE);
            self.wants[word].push(Want { class: id, slot, share });
        }
    }

    /// Lets go of a class whose last waiting task has left.
    pub(crate) fn unwant(&mut self, id: ClassId, class: &Class) {
        let Some(places) = self.places.get_mut(id.index()).map(std::mem::take) else { return };
        if class.requires.is_empty() {
            for at in places {
                self.undemanding.swap_remove(at as usize);
                if let Some(moved) = self.undemanding.get(at as usize) {
                    self.places[moved.index()][0] = at;
                }
            }
            return;
        }
        for (requirement, at) in class.requires.iter().zip(places) {
            let list = &mut self.wants[requirement.capability.index()];
            list.swap_remove(at as usize);
            if let Some(moved) = list.get(at as usize) {
                self.places[moved.class.index()][moved.slot as usize] = at;
            }
        }
    }
}

fn place(at: usize) -> u32 {
    u32::try_from(at).expect("classes are fewer than tasks")
}
