//! Reads a team from a folder with one Markdown file per agent: files that list `capability: score`, and sub-agents of Claude
//! Code, whose capabilities are inferred from their names and descriptions.
//!
//! | file | agent |
//! | --- | --- |
//! | `name` of the front matter, else the file's name | its name |
//! | `role` of the front matter | its role; `developer` where there is none |
//! | lines `rust: 0.9`, with or without a dash before | its capabilities, and then nothing is inferred |
//! | the name without `-pro`, `-expert`, `-engineer`, ... | a capability of 0.8 |
//! | a capability that the fleet or another file of the folder has, named in its description | a capability of 0.5 |
//!
//! `tools` and `model` say what runs an agent, not what it is good at, and are left out. A file without front matter and
//! without scores is no agent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use kapell_api::AgentRegistration;
use serde_json::json;

use super::Team;

/// What a capability is worth that an agent is named for.
const NAMED: f64 = 0.8;
/// And one that its description mentions.
const MENTIONED: f64 = 0.5;
/// Ends of names that say how, and not what.
const ENDS: &[&str] =
    &["-pro", "-expert", "-engineer", "-developer", "-specialist", "-architect", "-agent", "-master", "-dev"];

/// A team and what was inferred for it, in words.
#[derive(Debug)]
pub struct Read {
    /// The team.
    pub team: Team,
    /// A line for each inferred capability, with what it was read from.
    pub inferred: Vec<String>,
    /// Files that are no agents.
    pub passed_over: Vec<String>,
}

/// One file.
#[derive(Debug, Default, PartialEq)]
struct Page {
    name: String,
    role: Option<String>,
    description: String,
    scores: BTreeMap<String, f64>,
}

/// Reads a folder and the folders in it. `known` are the capabilities that the fleet has already.
pub fn read(folder: &Path, known: &[String]) -> anyhow::Result<Read> {
    let mut files = Vec::new();
    gather(folder, &mut files)?;
    files.sort();
    let (mut pages, mut passed_over) = (Vec::new(), Vec::new());
    for file in files {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {shown}"))?;
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        match page(stem, &text).with_context(|| shown.clone())? {
            Some(page) => pages.push((shown, page)),
            None => passed_over.push(shown),
        }
    }
    if pages.is_empty() {
        bail!(
            "{} has no agent: a Markdown file with front matter, or with lines `capability: score`",
            folder.display()
        );
    }
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for (file, page) in &pages {
        if let Some(other) = names.insert(&page.name, file) {
            bail!("agent `{}` stands in {other} and in {file}", page.name);
        }
    }
    let mut words: BTreeSet<String> = known.iter().map(|name| name.to_lowercase()).collect();
    words.extend(pages.iter().flat_map(|(_, page)| page.scores.keys().cloned()));
    words
        .extend(pages.iter().filter(|(_, page)| page.scores.is_empty()).map(|(_, page)| subject(&page.name)));
    let mut inferred = Vec::new();
    let agents = pages.into_iter().map(|(_, page)| registration(page, &words, &mut inferred));
    let agents = agents.collect::<anyhow::Result<_>>()?;
    Ok(Read { team: Team { agents, capabilities: Vec::new() }, inferred, passed_over })
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            gather(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    Ok(())
}

/// Reads a file; nothing where it is no agent.
fn page(stem: &str, text: &str) -> anyhow::Result<Option<Page>> {
    let (front, body) = front_matter(text);
    let mut page = Page { name: stem.to_owned(), ..Page::default() };
    if let Some(front) = &front {
        let field = |name: &str| front.get(name).filter(|value| !value.is_empty()).cloned();
        page.name = field("name").unwrap_or(page.name);
        page.role = field("role");
        page.description = field("description").unwrap_or_default();
    }
    let mut fenced = false;
    for (place, line) in body.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        let Some((name, score)) = scored(line).filter(|_| !fenced) else { continue };
        if !(0.0..=1.0).contains(&score) {
            bail!(
                "line {} of the text: capability `{name}` is {score}; allowed is a number within 0..=1",
                place + 1
            );
        }
        if page.scores.insert(name.clone(), score).is_some() {
            bail!("line {} of the text: capability `{name}` stands there twice", place + 1);
        }
    }
    Ok((front.is_some() || !page.scores.is_empty()).then_some(page))
}

/// Reads a line `- rust: 0.9`.
fn scored(line: &str) -> Option<(String, f64)> {
    let line = line.trim().trim_start_matches(['-', '*']).trim_start().replace(['`', '*'], "");
    let (name, score) = line.split_once(':')?;
    let score = score.trim().parse().ok()?;
    let name = name.trim().to_lowercase().replace(' ', "-");
    kapell_model::Name::new(&name).is_ok().then_some((name, score))
}

/// Takes the front matter apart: `name: value`, with texts over several lines joined.
fn front_matter(text: &str) -> (Option<BTreeMap<String, String>>, &str) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else {
        return (None, text);
    };
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let mut last: Option<String> = None;
    let mut used = 0;
    for line in rest.split_inclusive('\n') {
        used += line.len();
        let line = line.trim_end();
        if line == "---" {
            return (Some(fields), &rest[used..]);
        }
        match line.split_once(':').filter(|_| !line.starts_with([' ', '\t', '#', '-'])) {
            Some((name, value)) => {
                let value = value.trim();
                let block = matches!(value, ">" | "|" | ">-" | "|-" | ">+" | "|+");
                let value = if block { "" } else { unquoted(value) };
                fields.insert(name.trim().to_owned(), value.to_owned());
                last = Some(name.trim().to_owned());
            }
            None => {
                if let Some(value) = last.as_ref().and_then(|last| fields.get_mut(last)) {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            }
        }
    }
    (None, text)
}

fn unquoted(value: &str) -> &str {
    let inner = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
}

/// Returns what an agent is named for: `php` of `php-pro`.
fn subject(name: &str) -> String {
    let name = name.to_lowercase();
    ENDS.iter()
        .find_map(|end| name.strip_suffix(end))
        .filter(|rest| !rest.is_empty())
        .unwrap_or(&name)
        .to_owned()
}

fn registration(
    page: Page,
    words: &BTreeSet<String>,
    inferred: &mut Vec<String>,
) -> anyhow::Result<AgentRegistration> {
    let mut capabilities = page.scores;
    if capabilities.is_empty() {
        let own = subject(&page.name);
        inferred.push(format!("{}: {own} {NAMED}, from its name", page.name));
        let mentioned = words.iter().filter(|word| **word != own && mentions(&page.description, word));
        for word in mentioned {
            inferred.push(format!(
                "{}: {word} {MENTIONED}, from `{}` in its description",
                page.name,
                evidence(&page.description, word)
            ));
            capabilities.insert(word.clone(), MENTIONED);
        }
        capabilities.insert(own, NAMED);
    }
    let mut agent = json!({"name": page.name, "capabilities": capabilities});
    if let Some(role) = page.role {
        agent["role"] = role.into();
    }
    Ok(serde_json::from_value(agent)?)
}

/// Returns where a word stands in a text as a whole, hyphens of the word being blanks or hyphens there.
fn place(text: &str, word: &str) -> Option<usize> {
    let text = text.to_ascii_lowercase().replace('-', " ");
    let word = word.to_ascii_lowercase().replace('-', " ");
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '+' || c == '#';
    let whole = |at: &usize| !text[..*at].ends_with(part) && !text[at + word.len()..].starts_with(part);
    text.match_indices(&word).map(|(at, _)| at).find(whole)
}

fn mentions(text: &str, word: &str) -> bool {
    place(text, word).is_some()
}

/// Returns a word as it stands in the text.
fn evidence<'a>(text: &'a str, word: &str) -> &'a str {
    place(text, word).and_then(|at| text.get(at..at + word.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/backlogs/claude-agents");

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        folder
    }

    #[test]
    fn scores_that_are_listed_are_taken_and_nothing_is_inferred() {
        let folder = folder(&[
            (
                "backend-1.md",
                "# Backend\n\nKnows its way.\n\n- rust: 0.9\n* **SQL**: 0.6\nunit tests: 1\n```\nx: 0.1\n```\n",
            ),
            ("notes.md", "# Notes\n\nNothing: here\n"),
        ]);
        let read = read(folder.path(), &[]).expect("a team");
        let agent = &read.team.agents[0];
        let wanted =
            [("rust", 0.9), ("sql", 0.6), ("unit-tests", 1.0)].map(|(name, score)| (name.to_owned(), score));
        assert_eq!((agent.name.as_str(), &agent.capabilities), ("backend-1", &BTreeMap::from(wanted)));
        assert_eq!((read.inferred.len(), read.passed_over.len()), (0, 1));
    }

    #[test]
    fn sub_agents_get_what_their_names_and_descriptions_say_with_evidence() {
        let folder = folder(&[
            (
                "php-pro.md",
                "---\nname: php-pro\ndescription: Writes PHP and tunes SQL queries.\ntools: Read\n---\nYou write.\n",
            ),
            (
                "sql.md",
                "---\nname: sql-expert\ndescription: >\n  Queries and\n  unit testing.\nrole: dba\n---\n",
            ),
        ]);
        let read = read(folder.path(), &["Unit-Testing".to_owned(), "go".to_owned()]).expect("a team");
        assert_eq!(
            read.inferred,
            [
                "php-pro: php 0.8, from its name",
                "php-pro: sql 0.5, from `SQL` in its description",
                "sql-expert: sql 0.8, from its name",
                "sql-expert: unit-testing 0.5, from `unit testing` in its description",
            ]
        );
        assert_eq!(
            (read.team.agents[0].role.as_str(), read.team.agents[1].role.as_str()),
            ("developer", "dba")
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_file() {
        for (files, names) in [
            (&[("a.md", "rust: 1.5\n")][..], &["a.md", "line 1", "1.5", "0..=1"][..]),
            (&[("a.md", "rust: 1\nRust: 0.5\n")], &["a.md", "line 2", "twice"]),
            (&[("a.md", "---\nname: x\n---\n"), ("b.md", "---\nname: x\n---\n")], &["`x`", "a.md", "b.md"]),
            (&[("a.md", "nothing")], &["has no agent"]),
        ] {
            let folder = folder(files);
            let error = format!("{:#}", read(folder.path(), &[]).expect_err("it is wrong"));
            for name in names {
                assert!(error.contains(name), "{name:?} is not in {error}");
            }
        }
    }

    #[test]
    fn every_real_sub_agent_becomes_an_agent() {
        let mut files = Vec::new();
        gather(Path::new(AGENTS), &mut files).expect("the real sub-agents are beside the project");
        let mut names = BTreeSet::new();
        let mut repeated = 0;
        for file in &files {
            let text = std::fs::read_to_string(file).expect("a file");
            let read = page("file", &text).expect("it is read").expect("it is an agent");
            assert!(!read.description.is_empty() && read.name != "file", "{}", file.display());
            repeated += usize::from(!names.insert(read.name));
        }
        assert_eq!((files.len(), names.len() + repeated), (94, 94));
    }
}
