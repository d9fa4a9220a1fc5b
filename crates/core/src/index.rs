//! Names to numbers: words, classes, keys. All of it is derived, and made again when a snapshot is read.

use std::sync::Arc;

use kapell_model::{Class, ClassId, Name, Situation, Word};

use crate::map::Map;

/// The names of capabilities, types, roles and projects of one fleet, as dense numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    ids: Map<Name, Word>,
    names: Vec<Name>,
}

impl Words {
    pub(crate) fn intern(&mut self, name: &Name) -> Word {
        if let Some(&word) = self.ids.get(name) {
            return word;
        }
        let word = Word(u32::try_from(self.names.len()).expect("names are fewer than tasks"));
        self.ids.insert(name.clone(), word);
        self.names.push(name.clone());
        word
    }

    pub(crate) fn name(&self, word: Word) -> &Name {
        &self.names[word.index()]
    }

    pub(crate) fn find(&self, name: &str) -> Option<Word> {
        self.ids.get(name).copied()
    }
}

/// The classes of one fleet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Classes {
    ids: Map<Arc<Class>, ClassId>,
}

impl Classes {
    pub(crate) fn intern(&mut self, class: Class, situation: &mut Situation) -> ClassId {
        if let Some(&id) = self.ids.get(&class) {
            return id;
        }
        let id = situation.push_class(class.clone());
        self.ids.insert(Arc::new(class), id);
        id
    }
}
