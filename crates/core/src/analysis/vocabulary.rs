//! The words by which a fleet's capabilities are known, ready to be looked up one by one.
//!
//! A capability is in it while an agent declares it or the fleet defines it. What it costs to look a text through depends on
//! the text and on how many capabilities share a word, not on how many there are; a change costs the words of what changed.

use std::collections::BTreeMap;

use kapell_model::{Name, Text, limits};
use serde::{Deserialize, Serialize};

use super::defaults;
use super::words::tokens;
use crate::map::Map;

/// A capability as a fleet defines it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilitySpec {
    /// Its name, as agents declare it and tasks require it.
    pub name: Name,
    /// Words that it is also known by; they replace those that the program knows by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Text>,
    /// What it is, in a line.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub definition: Text,
}

/// Strength of a name as a whole.
const NAME: u32 = 100;
/// Strength of an alias that the fleet gave.
const ALIAS: u32 = 90;
/// Strength of an alias that the program knows.
const KNOWN: u32 = 60;
/// Strength of a name that is a common word too.
const COMMON: u32 = 20;
/// Strength of one word of a name of several, where it is rare.
const PART: u32 = 30;
/// Strength of one word of a definition, where it is rare.
const DEFINED: u32 = 14;
/// Capabilities beyond which a word that parts of names or definitions share says nothing.
const SHARED_MAX: usize = 64;
/// Words of one definition that are taken in.
const DEFINITION_WORDS_MAX: usize = 80;
/// Words of one name or alias.
const PHRASE_WORDS_MAX: usize = 4;

/// A word, by its place in the vocabulary.
pub(super) type WordId = u32;

/// A name or alias that ends with a word.
#[derive(Clone, Debug)]
pub(super) struct Phrase {
    pub(super) entry: u32,
    pub(super) strength: u32,
    /// The words that stand before, the nearest last.
    pub(super) before: Box<[WordId]>,
}

/// What a word says.
#[derive(Clone, Debug, Default)]
pub(super) struct Meaning {
    /// Names and aliases that it ends.
    pub(super) phrases: Vec<Phrase>,
    /// Capabilities that it speaks for a little, and how strongly; each once.
    hints: Vec<(u32, u32)>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: Name,
    /// Agents that declare it, removed ones not counted.
    agents: u32,
    words: Vec<WordId>,
}

/// The vocabulary of one fleet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vocabulary {
    entries: Vec<Option<Entry>>,
    vacant: Vec<u32>,
    by_name: BTreeMap<Name, u32>,
    words: Map<Box<str>, WordId>,
    meanings: Vec<Meaning>,
}

impl Vocabulary {
    /// Returns how many capabilities are in it.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Visits every capability by name, with how many agents declare it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Name, u32)> + '_ {
        let agents = |at: u32| self.entries[at as usize].as_ref().map_or(0, |entry| entry.agents);
        self.by_name.iter().map(move |(name, &at)| (name, agents(at)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Takes note that one more agent declares `name`, which `defined` defines where the fleet does.
    pub(crate) fn declared(&mut self, name: &Name, defined: Option<&CapabilitySpec>) {
        if let Some(entry) = self.entry(name, defined) {
            entry.agents += 1;
        }
    }

    /// Takes note that one agent less declares `name`.
    pub(crate) fn dropped(&mut self, name: &Name, defined: Option<&CapabilitySpec>) {
        let Some(&at) = self.by_name.get(name) else { return };
        let Some(entry) = &mut self.entries[at as usize] else { return };
        entry.agents = entry.agents.saturating_sub(1);
        if entry.agents == 0 && defined.is_none() {
            self.remove(at);
        }
    }

    /// Takes a new definition, or that there is none any more.
    pub(crate) fn defined(&mut self, name: &Name, defined: Option<&CapabilitySpec>) {
        let mut agents = 0;
        if let Some(&at) = self.by_name.get(name) {
            agents = self.entries[at as usize].as_ref().map_or(0, |entry| entry.agents);
            self.remove(at);
        }
        if (agents > 0 || defined.is_some())
            && let Some(entry) = self.entry(name, defined)
        {
            entry.agents = agents;
        }
    }

    /// Returns the meaning of a word that was normalised.
    pub(super) fn meaning(&self, word: &str) -> Option<(WordId, &Meaning)> {
        let &id = self.words.get(word)?;
        Some((id, &self.meanings[id as usize]))
    }

    /// Returns the capabilities that a word hints at, with the strength of the hint: the rarer, the stronger.
    pub(super) fn hints<'a>(&self, meaning: &'a Meaning) -> impl Iterator<Item = (u32, u32)> + 'a {
        let shared = meaning.hints.len();
        let hints = if shared > SHARED_MAX { &[][..] } else { &meaning.hints[..] };
        let rarity = (self.len() / shared.max(1)).checked_ilog2().unwrap_or(0).min(RARITY_MAX);
        hints.iter().map(move |&(entry, strength)| (entry, strength * rarity / RARITY_MAX))
    }

    pub(super) fn name(&self, entry: u32) -> Option<&Name> {
        self.entries.get(entry as usize)?.as_ref().map(|entry| &entry.name)
    }

    fn entry(&mut self, name: &Name, defined: Option<&CapabilitySpec>) -> Option<&mut Entry> {
        let at = match self.by_name.get(name) {
            Some(&at) => at,
            None if self.len() >= limits::VOCABULARY_MAX => return None,
            None => self.insert(name, defined),
        };
        self.entries[at as usize].as_mut()
    }

    fn insert(&mut self, name: &Name, defined: Option<&CapabilitySpec>) -> u32 {
        let at = self.vacant.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
        });
        self.entries[at as usize] = Some(Entry { name: name.clone(), agents: 0, words: Vec::new() });
        self.by_name.insert(name.clone(), at);
        self.learn(at, name, defined);
        at
    }

    fn remove(&mut self, at: u32) {
        let Some(entry) = self.entries[at as usize].take() else { return };
        self.by_name.remove(&entry.name);
        self.vacant.push(at);
        for word in entry.words {
            let meaning = &mut self.meanings[word as usize];
            meaning.phrases.retain(|phrase| phrase.entry != at);
            meaning.hints.retain(|&(entry, _)| entry != at);
        }
    }

    fn learn(&mut self, at: u32, name: &Name, defined: Option<&CapabilitySpec>) {
        let spaced = name.as_str().to_ascii_lowercase().replace(['-', '_', '.', '/'], " ");
        let plain: Vec<&str> = spaced.split(' ').filter(|word| !defaults::is_role(word)).collect();
        let plain = plain.join(" ");
        self.phrase(at, name.as_str(), if defaults::is_common(&spaced) { COMMON } else { NAME });
        if plain != spaced && !plain.is_empty() {
            self.phrase(at, &plain, if defaults::is_common(&plain) { COMMON } else { NAME });
        }
        let mut parts = Vec::new();
        tokens(&plain, |token| parts.push(self.word(token.word)));
        if parts.len() > 1 {
            let strength = PART;
            parts.iter().for_each(|&word| self.hint(at, word, strength));
        }
        match defined {
            Some(spec) => {
                spec.aliases.iter().for_each(|alias| self.phrase(at, alias.as_str(), ALIAS));
                self.define(at, spec.definition.as_str());
            }
            None => {
                for alias in defaults::aliases(&plain) {
                    self.phrase(at, alias, KNOWN);
                }
            }
        }
    }

    fn define(&mut self, at: u32, definition: &str) {
        let mut words = Vec::new();
        tokens(definition, |token| {
            if words.len() < DEFINITION_WORDS_MAX
                && !defaults::is_stop(token.word)
                && !defaults::is_role(token.word)
            {
                words.push(self.word(token.word));
            }
        });
        words.iter().for_each(|&word| self.hint(at, word, DEFINED));
    }

    /// Learns a name or alias: as words in sequence, and an identifier as a whole too.
    fn phrase(&mut self, at: u32, text: &str, strength: u32) {
        let mut sequence = Vec::new();
        let mut whole = Vec::new();
        tokens(text, |token| {
            let word = self.word(token.word);
            if token.in_sequence && !text.starts_with('.') { sequence.push(word) } else { whole.push(word) }
        });
        if text.starts_with('.') {
            // The ending of a file: the word behind the point alone says nothing.
            whole.truncate(1);
        }
        if let Some((&last, before)) = sequence.split_last()
            && before.len() < PHRASE_WORDS_MAX
        {
            let before: Box<[WordId]> = before.into();
            self.teach(at, last, Phrase { entry: at, strength, before });
        }
        for word in whole {
            self.teach(at, word, Phrase { entry: at, strength, before: Box::default() });
        }
    }

    fn teach(&mut self, at: u32, word: WordId, phrase: Phrase) {
        let known = self.meanings[word as usize]
            .phrases
            .iter_mut()
            .find(|other| other.entry == at && other.before == phrase.before);
        match known {
            Some(known) => known.strength = known.strength.max(phrase.strength),
            None => self.meanings[word as usize].phrases.push(phrase),
        }
        self.note(at, word);
    }

    fn hint(&mut self, at: u32, word: WordId, strength: u32) {
        let hints = &mut self.meanings[word as usize].hints;
        match hints.iter_mut().find(|(entry, _)| *entry == at) {
            Some((_, known)) => *known = (*known).max(strength),
            None => hints.push((at, strength)),
        }
        self.note(at, word);
    }

    fn note(&mut self, at: u32, word: WordId) {
        if let Some(entry) = &mut self.entries[at as usize]
            && !entry.words.contains(&word)
        {
            entry.words.push(word);
        }
    }

    fn word(&mut self, word: &str) -> WordId {
        if let Some(&id) = self.words.get(word) {
            return id;
        }
        let id = u32::try_from(self.meanings.len()).unwrap_or(u32::MAX);
        self.words.insert(Box::from(word), id);
        self.meanings.push(Meaning::default());
        id
    }
}

/// Doublings of rarity beyond which a word is no rarer.
const RARITY_MAX: u32 = 4;
