//! How well the analysis of texts does on real backlogs: what is known is hidden, and compared with what is inferred.
//!
//! Constants were tuned on the even half of each corpus; what is printed as "held out" is the odd half.

mod corpus;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use kapell_core::{
    AgentSpec, CapabilitySpec, Command, Engine, Event, InferredRequire, Record, Request, State, TaskRef,
    TaskSpec,
};
use kapell_model::{AgentKind, CommandId, Moment, Name, Ratio, Text, limits, mention, prose};
use kapell_plan::Greedy;

use crate::Options;
use crate::table::{Table, median};
use corpus::Item;

/// Times that a label must occur to count as a capability of the team.
const LABEL_LEAST: usize = 5;
/// Labels that say what sort of work it is, and not what it needs.
const SORTS: &[&str] = &["bug", "enhancement", "feature", "task", "chore", "epic", "regression", "critical"];

/// Measures the three parts of the analysis.
pub fn measure(_: &Options, table: &mut Table) -> anyhow::Result<()> {
    labels(table)?;
    described(table)?;
    coverage(table)?;
    dependencies(table)?;
    effort(table)?;
    cost(table)
}

/// Hits, false alarms and misses.
#[derive(Debug, Clone, Copy, Default)]
struct Score {
    right: usize,
    wrong: usize,
    missed: usize,
}

impl Score {
    fn add(&mut self, found: &BTreeSet<String>, known: &BTreeSet<String>) {
        self.right += found.intersection(known).count();
        self.wrong += found.difference(known).count();
        self.missed += known.difference(found).count();
    }

    fn shown(self) -> String {
        let share = |of: usize| if of == 0 { 0.0 } else { self.right as f64 / of as f64 };
        let (precision, recall) = (share(self.right + self.wrong), share(self.right + self.missed));
        let f1 = if self.right == 0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
        format!("precision {precision:.2}, recall {recall:.2}, F1 {f1:.2}")
    }
}

/// A fleet whose engine reads texts.
struct Reader {
    engine: Engine<Greedy>,
    records: Vec<Record>,
    now: i64,
}

impl Reader {
    fn new() -> Self {
        Self {
            engine: Engine::new(State::default(), Greedy::default()),
            records: Vec::new(),
            now: 1_700_000_000_000,
        }
    }

    fn execute(&mut self, command: Command) {
        self.now += 1;
        let request = Request {
            id: CommandId(self.now as u128),
            fingerprint: None,
            actor: Arc::from("bench"),
            at: Moment(self.now),
            command,
        };
        self.records.clear();
        self.engine.execute(&request, &mut self.records).expect("a bench sends what is allowed");
    }

    fn agent(&mut self, agent: &str, capability: Option<&Name>) {
        let spec = AgentSpec {
            name: name(agent),
            role: name("developer"),
            kind: AgentKind::Agent,
            capabilities: capability.map(|capability| (capability.clone(), Ratio::ONE)).into_iter().collect(),
            max_concurrent: limits::CONCURRENT_TASKS_MAX,
            lease: None,
            standby: false,
        };
        self.execute(Command::RegisterAgent { spec, online: false });
    }

    /// Submits a task and returns what is inferred that it needs.
    fn read(&mut self, spec: TaskSpec) -> Vec<InferredRequire> {
        self.execute(Command::Submit { spec: Arc::new(spec), edges: Vec::new() });
        let submitted = self.records.iter().find_map(|record| match &record.event {
            Event::TaskSubmitted { analysis, .. } => Some(analysis.clone()),
            _ => None,
        });
        submitted.flatten().map(|analysis| analysis.requires.clone()).unwrap_or_default()
    }
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// Makes a task of an item with nothing but its texts.
fn bare(item: &Item) -> TaskSpec {
    let clean = |text: &str| text.replace(|c: char| c.is_control() && !matches!(c, '\n' | '\t'), " ");
    let title = clean(prose::beginning(&item.title, limits::TITLE_BYTES_MAX));
    let mut spec = TaskSpec::titled(Text::new(&title, limits::TITLE_BYTES_MAX).unwrap_or_default());
    let description = clean(prose::beginning(&item.description, limits::DESCRIPTION_BYTES_MAX - 64));
    spec.description = Text::new(&description, limits::DESCRIPTION_BYTES_MAX).unwrap_or_default();
    spec
}

fn named(found: &[InferredRequire]) -> BTreeSet<String> {
    found.iter().map(|require| require.capability.to_string()).collect()
}

/// Hides the labels of Backlog.md and takes them as the capabilities of a team.
fn labels(table: &mut Table) -> anyhow::Result<()> {
    let items = corpus::backlog_md()?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for label in items.iter().flat_map(|item| &item.labels) {
        *counts.entry(label).or_default() += 1;
    }
    let vocabulary: BTreeSet<&str> = counts
        .iter()
        .filter(|(label, count)| {
            **count >= LABEL_LEAST && !SORTS.contains(*label) && Name::new(label).is_ok()
        })
        .map(|(label, _)| *label)
        .collect();
    let mut reader = Reader::new();
    for label in &vocabulary {
        reader.agent(&format!("agent-{label}"), Some(&name(label)));
    }
    let known = |item: &Item| -> BTreeSet<String> {
        item.labels.iter().filter(|label| vocabulary.contains(label.as_str())).cloned().collect()
    };
    let labelled: Vec<&Item> = items.iter().filter(|item| !known(item).is_empty()).collect();
    let most =
        counts.iter().filter(|(label, _)| vocabulary.contains(*label)).max_by_key(|(_, count)| **count);
    let most = BTreeSet::from([most.map(|(label, _)| (*label).to_owned()).unwrap_or_default()]);
    for (half, wanted) in [("tuned on", 0), ("held out", 1)] {
        let (mut score, mut baseline, mut none, mut first) = (Score::default(), Score::default(), 0, 0);
        let part: Vec<_> =
            labelled.iter().enumerate().filter(|(at, _)| at % 2 == wanted).map(|(_, it)| *it).collect();
        for item in &part {
            let found = reader.read(bare(item));
            none += usize::from(found.is_empty());
            first +=
                usize::from(found.first().is_some_and(|best| known(item).contains(best.capability.as_str())));
            score.add(&named(&found), &known(item));
            baseline.add(&most, &known(item));
        }
        let some = part.len() - none;
        table.add(
            &format!("inferred capabilities against hidden labels, {half}"),
            format!("{}; first one right in {first} of {some} where any; nothing inferred in {none}", score.shown()),
            "",
            &format!(
                "Backlog.md, {} tasks with one of {} labels, title and description; always the commonest label: {}",
                part.len(),
                vocabulary.len(),
                baseline.shown()
            ),
        );
    }
    Ok(())
}

/// Defines each sub-agent by the first part of its description and asks for it in the words of when to use it.
fn described(table: &mut Table) -> anyhow::Result<()> {
    let mut seen = BTreeMap::new();
    for agent in corpus::agents()? {
        if let Some((definition, when)) = agent.description.split_once("Use PROACTIVELY") {
            seen.entry(agent.name).or_insert((definition.to_owned(), when.to_owned()));
        }
    }
    let mut reader = Reader::new();
    for (agent, (definition, _)) in &seen {
        reader.agent(&format!("agent-{agent}"), Some(&name(agent)));
        let definition = Text::new(
            prose::beginning(definition, limits::CAPABILITY_DEFINITION_BYTES_MAX),
            limits::CAPABILITY_DEFINITION_BYTES_MAX,
        );
        let spec = CapabilitySpec { name: name(agent), aliases: Vec::new(), definition: definition? };
        reader.execute(Command::DefineCapability(spec));
    }
    for (half, wanted) in [("tuned on", 0), ("held out", 1)] {
        let (mut all, mut first, mut among, mut none) = (0, 0, 0, 0);
        for (agent, (_, when)) in seen.iter().enumerate().filter(|(at, _)| at % 2 == wanted).map(|(_, it)| it)
        {
            let item = Item { title: when.trim().to_owned(), ..Item::default() };
            let found = reader.read(bare(&item));
            all += 1;
            none += usize::from(found.is_empty());
            first += usize::from(found.first().is_some_and(|best| best.capability.as_str() == agent));
            among += usize::from(named(&found).contains(agent));
        }
        table.add(
            &format!("the sub-agent meant by its \"use for\" sentence, {half}"),
            format!("first in {first} of {all}, among the inferred in {among}, nothing inferred in {none}"),
            "",
            &format!(
                "{} sub-agents, each defined by the rest of its description; by chance 1 in {}",
                seen.len(),
                seen.len()
            ),
        );
    }
    Ok(())
}

/// Says how often anything is inferred for a usual team.
fn coverage(table: &mut Table) -> anyhow::Result<()> {
    let team = [
        "rust",
        "go",
        "python",
        "typescript",
        "sql",
        "frontend",
        "docs",
        "testing",
        "devops",
        "security",
        "git",
        "cli",
    ];
    for (corpus, items) in
        [("beads", corpus::beads()?), ("gastown", corpus::gastown()?), ("Backlog.md", corpus::backlog_md()?)]
    {
        let mut reader = Reader::new();
        team.iter().for_each(|each| reader.agent(&format!("agent-{each}"), Some(&name(each))));
        let (mut some, mut counts) = (0, BTreeMap::<String, usize>::new());
        for item in &items {
            let found = reader.read(bare(item));
            some += usize::from(!found.is_empty());
            found.iter().for_each(|it| *counts.entry(it.capability.to_string()).or_default() += 1);
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
        table.add(
            &format!("tasks of {corpus} for which something is inferred"),
            format!("{some} of {} ({})", items.len(), counts.join(", ")),
            "",
            "a team of twelve usual capabilities; no truth is known here",
        );
    }
    Ok(())
}

/// Compares what texts say they wait for with what is recorded.
fn dependencies(table: &mut Table) -> anyhow::Result<()> {
    for (corpus, items) in
        [("beads", corpus::beads()?), ("gastown", corpus::gastown()?), ("Backlog.md", corpus::backlog_md()?)]
    {
        let ids: BTreeSet<&str> = items.iter().map(|item| item.id.as_str()).collect();
        for (half, wanted) in [("tuned on", 0), ("held out", 1)] {
            let (mut score, mut other, mut mentioned, mut recorded) = (Score::default(), 0, 0, 0);
            for item in items.iter().enumerate().filter(|(at, _)| at % 2 == wanted).map(|(_, item)| item) {
                let text = format!("{}\n{}", item.title, item.description);
                let blocks: BTreeSet<String> =
                    item.blocks.iter().filter(|on| ids.contains(on.as_str())).cloned().collect();
                recorded += blocks.len();
                let known: BTreeSet<String> = blocks.into_iter().filter(|on| names(&text, on)).collect();
                mentioned += known.len();
                let found = waits(&text, &item.id, &ids);
                other += found.difference(&known).filter(|on| item.related.contains(on)).count();
                score.add(&found, &known);
            }
            table.add(
                &format!("inferred waits of {corpus} against recorded ones, {half}"),
                format!("{}; {} inferred", score.shown(), score.right + score.wrong),
                "",
                &format!(
                    "{recorded} recorded waits, {mentioned} of them named in the text of the one that waits; {other} inferred \
                     ones are recorded as another relation (and would be passed over)"
                ),
            );
        }
    }
    Ok(())
}

fn waits(text: &str, own: &str, ids: &BTreeSet<&str>) -> BTreeSet<String> {
    let resolve =
        |name: &str| mention::keys(name, Some(own)).into_iter().find(|key| ids.contains(key.as_str()));
    let found = mention::waits(text, Some(own)).into_iter().filter_map(|mention| resolve(mention.name));
    found.filter(|on| on != own).collect()
}

/// Tells whether a text names an id as a word.
fn names(text: &str, id: &str) -> bool {
    text.match_indices(id).any(|(at, _)| {
        let around = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-');
        !around(text[..at].chars().next_back()) && !around(text[at + id.len()..].chars().next())
    })
}

/// Learns from the assignments of gastown one after the other, and asks before each what it is expected to take.
fn effort(table: &mut Table) -> anyhow::Result<()> {
    let episodes = corpus::episodes()?;
    let mut reader = Reader::new();
    reader.agent("ada", None);
    reader.execute(Command::AgentBack { agent: name("ada") });
    let (mut learned, mut tabled, mut global) = (Vec::new(), Vec::new(), Vec::new());
    let (mut seen, mut within) = (Vec::<f64>::new(), 0);
    for episode in &episodes {
        let mut spec = TaskSpec::titled(Text::from("an episode"));
        spec.kind = name(&episode.kind);
        reader.execute(Command::Submit { spec: Arc::new(spec), edges: Vec::new() });
        let last = reader.engine.state().tasks().iter().next_back().expect("it was just submitted");
        let (task, p50, p90) = (last.id, last.estimate, last.estimate_p90());
        let assignment = last.owner.as_ref().expect("it was placed").assignment;
        let report = || (TaskRef::Id(task), name("ada"));
        let (it, agent) = report();
        reader.execute(Command::Start { task: it, agent, assignment });
        reader.now += (episode.minutes * 60_000.0) as i64 - 1;
        let (it, agent) = report();
        reader.execute(Command::Finish { task: it, agent, assignment, result: None });
        let minutes = |millis: i64| millis as f64 / 60_000.0;
        learned.push((minutes(p50.0) - episode.minutes).abs());
        tabled.push((240.0 - episode.minutes).abs());
        within += usize::from(episode.minutes <= minutes(p90.0));
        if !seen.is_empty() {
            global.push((median(seen.clone()) - episode.minutes).abs());
        }
        seen.push(episode.minutes);
    }
    let later = episodes.len() / 2;
    let halves = |errors: &[f64]| median(errors[errors.len().saturating_sub(later)..].to_vec());
    table.add(
        "error of the learned effort, median of the later half",
        format!(
            "{:.0} min; by the table {:.0} min, by the median of all before {:.1} min; {within} of {} within the p90",
            halves(&learned),
            halves(&tabled),
            halves(&global),
            episodes.len()
        ),
        "",
        &format!("gastown, {} completed assignments in the order of their ends, by type", episodes.len()),
    );
    Ok(())
}

/// Measures what the reading of a text costs.
fn cost(table: &mut Table) -> anyhow::Result<()> {
    let mut reader = Reader::new();
    for agent in corpus::agents()? {
        if reader.engine.state().agent_id(&agent.name).is_none() {
            reader.agent(&agent.name, Some(&name(&agent.name)));
            let definition = Text::new(
                prose::beginning(&agent.description, limits::CAPABILITY_DEFINITION_BYTES_MAX),
                limits::CAPABILITY_DEFINITION_BYTES_MAX,
            )?;
            let spec = CapabilitySpec { name: name(&agent.name), aliases: Vec::new(), definition };
            reader.execute(Command::DefineCapability(spec));
        }
    }
    let items = corpus::beads()?;
    let short = |item: &Item| Item { description: String::new(), ..item.clone() };
    for (what, items) in [
        ("title alone", items.iter().map(short).collect::<Vec<_>>()),
        ("title and description", items.clone()),
    ] {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for turn in 0..6 {
            for item in &items {
                let mut spec = bare(item);
                if turn % 2 == 1 {
                    spec.requires = vec![kapell_core::Require {
                        capability: name("php-pro"),
                        weight: Ratio::UNIT,
                        minimum: Ratio::ZERO,
                    }];
                }
                let started = Instant::now();
                reader.read(spec);
                let micros = started.elapsed().as_secs_f64() * 1e6;
                if turn % 2 == 1 { without.push(micros) } else { with.push(micros) }
            }
        }
        let bytes =
            items.iter().map(|item| item.title.len() + item.description.len()).sum::<usize>() / items.len();
        table.add(
            &format!("cost of a submission with its text read, {what}"),
            format!("{:.1} µs; {:.1} µs where a capability is declared", median(with), median(without)),
            "a few µs for a short text",
            &format!("beads, {bytes} bytes each on average, against 81 described capabilities"),
        );
    }
    Ok(())
}
