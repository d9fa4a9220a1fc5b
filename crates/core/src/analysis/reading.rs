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
/// What the evidence for a capability must reach: a known alias in the title, or its name and an alias in the description.
/// Aliases in the description alone are not enough: a design names much that the work does not need.
const EVIDENCE_LEAST: u32 = 160;
/// Words of the description that count for one capability: a long text must not win by its length.
const DESCRIPTION_WORDS_MAX: u32 = 2;
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
        let better = |hit: &Hit| (hit.worth, hit.said.len()) >= (worth, said.len());
        if known.is_some_and(|at| better(&self.hits[at])) {
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
        self.hits.sort_by_key(|hit| std::cmp::Reverse(hit.worth));
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

#[cfg(test)]
mod tests {
    use kapell_model::{Name, Text};
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::CapabilitySpec;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a name")
    }

    fn vocabulary(names: &[&str]) -> Vocabulary {
        let mut vocabulary = Vocabulary::default();
        for each in names {
            vocabulary.declared(&name(each), None);
        }
        vocabulary
    }

    /// Reads `label,label|type|title|description`.
    fn task(text: &str) -> TaskSpec {
        let mut fields = text.splitn(4, '|');
        let mut field = || fields.next().unwrap_or_default();
        let (labels, kind, title, description) = (field(), field(), field(), field());
        let text = |text: &str| Text::new(text, 1 << 20).expect("a text");
        let mut spec = TaskSpec::titled(text(title));
        spec.labels = labels.split(',').filter(|label| !label.is_empty()).map(text).collect();
        spec.kind = name(if kind.is_empty() { "task" } else { kind });
        spec.description = text(description);
        spec
    }

    /// Shows what was inferred as `capability weight/4 field:words`.
    fn shown(vocabulary: &Vocabulary, spec: &TaskSpec) -> String {
        let one = |require: &InferredRequire| {
            let evidence = require.evidence.iter().map(|it| format!(" {}:{}", it.field.as_str(), it.words));
            let steps = require.weight * WEIGHT_STEPS / Ratio::UNIT;
            format!("{} {steps}{}", require.capability, evidence.collect::<String>())
        };
        requirements(vocabulary, spec).iter().map(one).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_a_text_asks_for() {
        let vocabulary =
            vocabulary(&["rust", "sql", "frontend", "docs", "go", "c++", "machine-learning", "python-pro"]);
        for (text, wanted) in [
            ("||Rewrite the parser in Rust", "rust 4 title:Rust"),
            ("rust||Rewrite the parser", "rust 4 labels:rust"),
            ("|rust|Rewrite the parser", "rust 4 type:rust"),
            ("||Speed up the Postgres query planner", "sql 4 title:Postgres"),
            ("||Fix the panic|It is in `src/parser.rs`, a cargo test shows it.", ""),
            ("||Fix src/parser.rs", "rust 4 title:.rs"),
            (
                "||Fix it|Rust: the crate in `src/parser.rs` panics",
                "rust 4 description:Rust description:crate description:.rs",
            ),
            ("||Style the button with tailwind css", "frontend 4 title:tailwind title:css"),
            ("||Update README and the CSS", "docs 4 title:README; frontend 4 title:CSS"),
            ("||Train by machine learning", "machine-learning 4 title:machine learning title:machine"),
            ("||Buy a new machine", ""),
            ("||Parse it in C++", "c++ 4 title:C++"),
            ("||Type it in Python", "python-pro 4 title:Python"),
            ("||Let it go where it wants to go", ""),
            ("go||Let it run", "go 4 labels:go"),
            ("||Do not use Rust for the parser", ""),
            ("||Rewrite it without Rust, in Python", "python-pro 4 title:Python"),
            ("||Use SQL instead of Rust", "sql 4 title:SQL"),
            ("||Not only Rust", "rust 4 title:Rust"),
            ("||Don't touch Rust", ""),
            ("||Fix it|```\nrust rust cargo crate clippy .rs\n```", ""),
            ("||Fix it|> rust and cargo and a crate with clippy", ""),
            ("||Fix it|```rust\nlet a = b;\n```\nuse cargo", "rust 4 description:rust description:cargo"),
            ("||Größe der Ränder: rüst, Ünïcode", ""),
            ("||RUST", "rust 4 title:RUST"),
            ("||trust the rusty crust", ""),
            ("||", ""),
        ] {
            assert_eq!(shown(&vocabulary, &task(text)), wanted, "{text}");
        }
    }

    #[test]
    fn a_word_of_a_definition_counts_the_more_the_fewer_share_it() {
        let mut vocabulary = Vocabulary::default();
        for n in 0..64 {
            let definition = if n == 7 { "Reconciling the payment ledger with invoices" } else { "Invoices" };
            let spec = CapabilitySpec {
                name: name(&format!("x{n}")),
                aliases: Vec::new(),
                definition: Text::new(definition, 100).expect("a text"),
            };
            vocabulary.defined(&spec.name, Some(&spec));
        }
        let found = shown(&vocabulary, &task("||Reconcile the ledger of the payment service"));
        assert_eq!(found, "x7 4 title:Reconcile title:ledger title:payment");
        assert_eq!(shown(&vocabulary, &task("||Print the invoices")), "");
    }

    #[test]
    fn a_definition_replaces_what_is_known_and_goes_without_a_trace() {
        let mut vocabulary = vocabulary(&["sql"]);
        let postgres = task("||Tune postgres");
        assert_eq!(shown(&vocabulary, &postgres), "sql 4 title:postgres");
        let spec = CapabilitySpec {
            name: name("sql"),
            aliases: vec![Text::from("warehouse")],
            definition: Text::default(),
        };
        vocabulary.defined(&spec.name, Some(&spec));
        assert_eq!(shown(&vocabulary, &postgres), "");
        assert_eq!(shown(&vocabulary, &task("||Move the warehouse")), "sql 4 title:warehouse");
        vocabulary.dropped(&spec.name, Some(&spec));
        assert_eq!(shown(&vocabulary, &task("||Move the warehouse")), "sql 4 title:warehouse");
        vocabulary.defined(&spec.name, None);
        assert!(vocabulary.is_empty());
        assert_eq!(shown(&vocabulary, &task("sql||Move the warehouse")), "");
        vocabulary.declared(&spec.name, None);
        assert_eq!(shown(&vocabulary, &postgres), "sql 4 title:postgres");
    }

    #[test]
    fn hostile_texts_are_bounded() {
        let names: Vec<String> = (0..500).map(|n| format!("common-word-{n}")).collect();
        let vocabulary = vocabulary(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for text in
            ["common ".repeat(90_000), "a.".repeat(300_000), "aB".repeat(300_000), names.join(" ").repeat(50)]
        {
            let found = requirements(&vocabulary, &task(&format!("||x|{text}")));
            assert!(found.len() <= limits::INFERRED_MAX, "{}", found.len());
            for require in &found {
                assert!(require.evidence.len() <= limits::EVIDENCE_MAX);
                assert!(require.evidence.iter().all(|it| it.words.len() <= limits::EVIDENCE_BYTES_MAX));
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_the_same_way_twice_and_within_bounds(
            title in "\\PC{0,80}",
            description in "(?s).{0,400}",
            words in proptest::collection::vec("(rust|SQL|\\.rs|not|no|```|>|[a-zA-Z#+.'-]{1,9}|é\u{300}|\n)", 0..60),
        ) {
            let vocabulary = vocabulary(&["rust", "sql", "c++", "front-end", "go", "a.b"]);
            let mut spec = TaskSpec::titled(Text::new(&title, 1000).unwrap_or_default());
            let text = format!("{description}{}", words.join(" "));
            spec.description = Text::new(&text, 1 << 16).unwrap_or_default();
            let found = requirements(&vocabulary, &spec);
            prop_assert_eq!(&found, &requirements(&vocabulary, &spec));
            prop_assert!(found.len() <= limits::INFERRED_MAX);
            for require in found {
                prop_assert!(require.weight > 0 && require.weight <= Ratio::UNIT);
                prop_assert!(!require.evidence.is_empty());
            }
            prop_assert!(kapell_model::mention::waits(&text, Some("a-1")).len() <= limits::MENTIONS_MAX);
        }
    }
}
