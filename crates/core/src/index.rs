//! Names to numbers: words, classes, keys. All of it is derived, and made again when a snapshot is read.

use std::collections::BTreeMap;
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
    /// Those whose requirements were inferred: alike to look at, but they may be set aside.
    soft: Map<Arc<Class>, ClassId>,
    by_project: BTreeMap<Word, Vec<ClassId>>,
}

impl Classes {
    /// Returns the id of a class, and the class where it is new.
    pub(crate) fn intern(
        &mut self,
        class: Class,
        soft: bool,
        situation: &mut Situation,
    ) -> (ClassId, Option<Arc<Class>>) {
        let ids = if soft { &mut self.soft } else { &mut self.ids };
        if let Some(&id) = ids.get(&class) {
            return (id, None);
        }
        let id = situation.push_class(class.clone());
        let class = Arc::new(class);
        ids.insert(Arc::clone(&class), id);
        if let Some(project) = class.project {
            self.by_project.entry(project).or_default().push(id);
        }
        (id, Some(class))
    }

    /// Returns the classes of a project.
    pub(crate) fn of_project(&self, project: Word) -> &[ClassId] {
        self.by_project.get(&project).map_or(&[], Vec::as_slice)
    }
}
