//! Files that people write: a team's and a runner's. One that is refused is named, with what is wrong in it; one that is
//! accepted is within its bounds.
//!
//! The first byte chooses which; its highest bit says whether the others are the text or choose its lines.

use std::collections::BTreeSet;
use std::path::Path;

use arbitrary::Unstructured;
use kapell_cli::team;
use kapell_runner::Config;

use crate::made;

const FIELDS: &[&str] = &[
    "name",
    "role",
    "kind",
    "lease",
    "max_concurrent_tasks",
    "capabilities",
    "aliases",
    "definition",
    "repository",
    "base",
    "dirty",
    "state",
    "worktree",
    "commit_leftovers",
    "time_limit",
    "stop_grace",
    "output_max_kib",
    "env",
    "at_once",
    "command",
    "input",
    "output",
    "permissions",
    "set",
    "secrets",
    "colour",
];
const HEADS: &[&str] =
    &["[[agent]]", "[[capability]]", "[agent.capabilities]", "[agent.set]", "[capability]"];
const VALUES: &[&str] = &[
    "\"a\"",
    "\"b\"",
    "'{task}'",
    "\"{prompt}\"",
    "\"{title} {nothing}\"",
    "1",
    "0",
    "-1",
    "101",
    "1.5",
    "0.5",
    "nan",
    "inf",
    "true",
    "[]",
    "[\"sh\", \"-c\", \"{prompt}\"]",
    "[\"PATH\", \"A_TOKEN\"]",
    "\"30m\"",
    "\"8d\"",
    "\"soon\"",
    "\"keep\"",
    "\"remove_done\"",
    "\"stdin\"",
    "\"text\"",
    "\"acp\"",
    "\"claude\"",
    "{ a = 1 }",
    "\"\"",
    "\"\\u001b\"",
    "'''x'''",
    "2025-01-01",
    "16",
    "4096",
];

/// Runs the target.
///
/// # Panics
/// Where a refusal does not name the file, or what is accepted is out of its bounds.
pub fn run(bytes: &[u8]) {
    let Some((&sort, rest)) = bytes.split_first() else { return };
    let made = if sort & 0x80 == 0 { None } else { Some(lines(&mut Unstructured::new(rest))) };
    let Some(text) = made.as_deref().or_else(|| std::str::from_utf8(rest).ok()) else { return };
    if sort & 1 == 0 { a_team(text) } else { a_runner(text) }
}

fn lines(bytes: &mut Unstructured<'_>) -> String {
    let mut text = String::new();
    while !bytes.is_empty() && text.len() < 4_096 {
        if made::rarely(bytes, 4) {
            text.push_str(made::word(bytes, HEADS));
        } else {
            text.push_str(made::word(bytes, FIELDS));
            text.push_str(" = ");
            text.push_str(made::word(bytes, VALUES));
        }
        text.push('\n');
    }
    text
}

fn a_team(text: &str) {
    match team::read_text("team.toml", text) {
        Ok(team) => {
            let names: BTreeSet<_> = team.agents.iter().map(|agent| &agent.name).collect();
            assert!(!names.is_empty() && names.len() == team.agents.len(), "{names:?}");
            let scores = team.agents.iter().flat_map(|agent| agent.capabilities.values());
            assert!(
                scores.clone().all(|score| (0.0..=1.0).contains(score)),
                "{:?}",
                scores.collect::<Vec<_>>()
            );
            let defined: BTreeSet<_> = team.capabilities.iter().map(|(name, _)| name).collect();
            assert_eq!(defined.len(), team.capabilities.len());
        }
        Err(error) => assert!(format!("{error:#}").contains("team.toml"), "{error:#}"),
    }
}

fn a_runner(text: &str) {
    match Config::parse("runner.toml", Path::new("/there/runner.toml"), text) {
        Ok(config) => {
            let names: BTreeSet<_> = config.agents.iter().map(|agent| &agent.name).collect();
            assert!(!names.is_empty() && names.len() == config.agents.len(), "{names:?}");
            assert!(
                config.agents.iter().all(|agent| (1..=100).contains(&agent.at_once)),
                "{:?}",
                config.agents
            );
        }
        Err(error) => {
            let told = error.to_string();
            assert!(told.starts_with("runner.toml"), "{told}");
            if let Some(line) = told
                .strip_prefix("runner.toml:")
                .and_then(|rest| rest.split(':').next()?.parse::<usize>().ok())
            {
                assert!((1..=text.lines().count().max(1)).contains(&line), "line {line} of {text:?}: {told}");
            }
        }
    }
}
