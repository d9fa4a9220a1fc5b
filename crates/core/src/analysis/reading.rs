//! What a text asks for: its words are looked up in the vocabulary, weighed by where they stand, and the best few kept.

use std::collections::BTreeMap;

use kapell_model::prose::{self, Line};
use kapell_model::{Ratio, limits};

use super::vocabulary::{Vocabulary, WordId};
use super::words::{Token, tokens};
use super::{Evidence, Field, InferredRequire};
use crate::command::TaskSpec;

/// Weight of a word in a label.
const IN_LABEL: u32 = 8;
/// Weight of a word in the type.
const IN_TYPE: u32 = 6;
/// Weight of a word in the title.
const IN_TITLE: u32 = 4;
/// Weight of a word in the description.
const IN_DESCRIPTION: u32 = 1;
/// What the evidence for a capability must reach: a known alias in the title, or a name and an alias in the description.
const EVIDENCE_LEAST: u32 = 160;
/// Words of the description that count for one capability: a long text must not win by its length.
const DESCRIPTION_WORDS_MAX: u32 = 3;
/// Words behind a negation that are not meant.
const NEGATED_WORDS: u32 = 3;
/// Steps of a weight; few, so that tasks that ask for about the same are placed as one class.
const WEIGHT_STEPS: u32 = 4;

const NEGATIONS: &[&str] = &["no", "not", "never", "without", "cannot", "instead", "rath", "non", "except"];

/// One word that speaks for one capability.
struct Hit {
    entry: u32,
    field: Field,
    word: WordId,
    worth: u32,
    said: Box<str>,
}

/// Infers what a task needs from its labels, type, title and description, the strongest first; nothing where the evidence is
/// too thin. The same task and vocabulary give the same answer.
pub(crate) fn requirements(vocabulary: &Vocabulary, task: &TaskSpec) -> Vec<InferredRequire> {
    let mut reading = Reading { vocabulary, hits: Vec::new() };
    if vocabulary.is_empty() {
        return Vec::new();
    }
    for label in &task.labels {
        reading.read(Field::Labels, IN_LABEL, label.as_str());
    }
    reading.read(Field::Type, IN_TYPE, task.kind.as_str());
    reading.read(Field::Title, IN_TITLE, task.title.as_str());
    let description = prose::beginning(task.description.as_str(), limits::ANALYSED_BYTES_MAX);
    for line in prose::lines(description) {
        let (Line::Prose(text) | Line::Fence(text)) = line;
        reading.read(Field::Description, IN_DESCRIPTION, text);
    }
    reading.weighed()
}

struct Reading<'a> {
    vocabulary: &'a Vocabulary,
    hits: Vec<Hit>,
}

impl Reading<'_> {
    fn read(&mut self, field: Field, weight: u32, text: &str) {
        const NOTHING: WordId = WordId::MAX;
        let mut window = [NOTHING; 3];
        let mut starts = [0; 3];
        let mut negated = 0;
        tokens(text, |token| {
            if token.new_clause {
                negated = 0;
            }
            let meant = negated == 0 || field == Field::Labels;
            let known = self.vocabulary.meaning(token.word);
            if let Some((word, meaning)) = known.filter(|_| meant) {
                for phrase in &meaning.phrases {
                    let before = phrase.before.len();
                    if window[3 - before..] == *phrase.before {
                        let from = if before == 0 { token.range.start } else { starts[3 - before] };
                        let said = &text[from..token.range.end];
                        self.hit(phrase.entry, field, word, weight * phrase.strength, said);
                    }
                }
                for (entry, strength) in self.vocabulary.hints(meaning).filter(|&(_, strength)| strength > 0)
                {
                    self.hit(entry, field, word, weight * strength, &text[token.range.clone()]);
                }
            }
            if token.in_sequence {
                window = [window[1], window[2], known.map_or(NOTHING, |(word, _)| word)];
                starts = [starts[1], starts[2], token.range.start];
                negated = after(&token, negated);
            }
        });
    }

    /// Notes a hit; the same word in the same field speaks once, with its strongest meaning.
    fn hit(&mut self, entry: u32, field: Field, word: WordId, worth: u32, said: &str) {
        let same = |hit: &Hit| hit.entry == entry && hit.field == field && hit.word == word;
        let known = self.hits.iter().position(same);
        if known.is_some_and(|at| self.hits[at].worth >= worth) {
            return;
        }
        let said = prose::beginning(said, limits::EVIDENCE_BYTES_MAX).into();
        let hit = Hit { entry, field, word, worth, said };
        match known {
            Some(at) => self.hits[at] = hit,
            None if self.hits.len() < HITS_MAX => self.hits.push(hit),
            None => {}
        }
    }

    fn weighed(mut self) -> Vec<InferredRequire> {
        // The strongest first; the sort is stable, so equal ones stay in the order of the text.
        self.hits.sort_by(|a, b| b.worth.cmp(&a.worth));
        let mut sums: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
        for hit in &self.hits {
            let (sum, described) = sums.entry(hit.entry).or_default();
            if hit.field != Field::Description || *described < DESCRIPTION_WORDS_MAX {
                *sum += hit.worth;
                *described += u32::from(hit.field == Field::Description);
            }
        }
        let mut found: Vec<_> = sums
            .into_iter()
            .filter(|&(_, (sum, _))| sum >= EVIDENCE_LEAST)
            .filter_map(|(entry, (sum, _))| Some((sum, self.vocabulary.name(entry)?, entry)))
            .collect();
        found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        let Some(&(best, ..)) = found.first() else { return Vec::new() };
        let least = best.div_ceil(2);
        let kept = found.into_iter().take(limits::INFERRED_MAX).filter(|&(sum, ..)| sum >= least);
        kept.map(|(sum, name, entry)| InferredRequire {
            capability: name.clone(),
            weight: (sum * WEIGHT_STEPS).div_ceil(best).clamp(1, WEIGHT_STEPS) * (Ratio::UNIT / WEIGHT_STEPS),
            evidence: self.evidence(entry),
        })
        .collect()
    }

    fn evidence(&self, entry: u32) -> Vec<Evidence> {
        let mut evidence: Vec<Evidence> = Vec::new();
        for hit in self.hits.iter().filter(|hit| hit.entry == entry) {
            let one = Evidence { field: hit.field, words: hit.said.clone() };
            if evidence.len() < limits::EVIDENCE_MAX && !evidence.contains(&one) {
                evidence.push(one);
            }
        }
        evidence
    }
}

/// Returns for how many words more a negation holds.
fn after(token: &Token<'_>, negated: u32) -> u32 {
    match token.word {
        // "not only", "not just": what follows is meant.
        "only" | "just" | "but" => 0,
        word if NEGATIONS.contains(&word) => NEGATED_WORDS,
        _ => negated.saturating_sub(1),
    }
}

/// Hits that one task is weighed by; beyond them nothing new is learned.
const HITS_MAX: usize = 256;
