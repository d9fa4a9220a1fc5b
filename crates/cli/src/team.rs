//! Reads a team from TOML: one `[[agent]]` table an agent, one `[[capability]]` table a definition.

pub mod folder;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, bail};
use kapell_api::{AgentRegistration, CapabilityDefinition};
use serde::Deserialize;

use crate::words;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    agent: Vec<Member>,
    #[serde(default)]
    capability: Vec<Known>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    definition: String,
}

/// What a team file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Team {
    /// Its agents.
    pub agents: Vec<AgentRegistration>,
    /// The capabilities that it defines, by name.
    pub capabilities: Vec<(String, CapabilityDefinition)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    name: String,
    #[serde(default = "developer")]
    role: String,
    #[serde(default = "agent")]
    kind: String,
    #[serde(default = "one")]
    max_concurrent_tasks: u32,
    lease: Option<String>,
    #[serde(default)]
    capabilities: BTreeMap<String, f64>,
}

fn developer() -> String {
    "developer".to_owned()
}

fn agent() -> String {
    "agent".to_owned()
}

const fn one() -> u32 {
    1
}

/// Reads a team file.
pub fn read(path: &Path) -> anyhow::Result<Team> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    read_text(&path.display().to_string(), &text)
}

/// Reads the text of a team file called `name`.
pub fn read_text(name: &str, text: &str) -> anyhow::Result<Team> {
    let team: File = toml::from_str(text).with_context(|| format!("{name} is no team file"))?;
    if team.agent.is_empty() {
        bail!("{name} has no [[agent]]");
    }
    let mut names = BTreeSet::new();
    for member in &team.agent {
        if !names.insert(&member.name) {
            bail!("{name}: agent `{}` stands there twice", member.name);
        }
        for (capability, score) in &member.capabilities {
            if !(0.0..=1.0).contains(score) {
                let agent = &member.name;
                bail!(
                    "{name}: agent `{agent}`, capability `{capability}` is {score}; allowed is a number within 0..=1"
                );
            }
        }
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = team.capability.iter().find(|known| !names.insert(&known.name)) {
        bail!("{name}: capability `{}` stands there twice", twice.name);
    }
    let agents = team.agent.into_iter().map(|member| registration(name, member));
    let defined = |known: Known| {
        (known.name, CapabilityDefinition { aliases: known.aliases, definition: known.definition })
    };
    let capabilities = team.capability.into_iter().map(defined).collect();
    Ok(Team { agents: agents.collect::<anyhow::Result<_>>()?, capabilities })
}

fn registration(name: &str, member: Member) -> anyhow::Result<AgentRegistration> {
    let lease = member.lease.as_deref().map(words::duration).transpose();
    let lease_ms =
        lease.map_err(|error| anyhow::anyhow!("{name}: agent `{}`, lease: {error}", member.name))?;
    Ok(AgentRegistration {
        name: member.name,
        role: member.role,
        kind: member.kind,
        capabilities: member.capabilities,
        max_concurrent_tasks: member.max_concurrent_tasks,
        lease_ms,
        standby: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_is_read() {
        let text = "[[agent]]\nname = \"a\"\nlease = \"30m\"\n[agent.capabilities]\nrust = 0.9\n";
        let text = format!("{text}[[capability]]\nname = \"sql\"\naliases = [\"postgres\"]\n");
        let team = read_text("team.toml", &text).expect("a team");
        let agent = &team.agents[0];
        assert_eq!((agent.lease_ms, agent.capabilities["rust"]), (Some(1_800_000), 0.9));
        let definition =
            CapabilityDefinition { aliases: vec!["postgres".to_owned()], ..CapabilityDefinition::default() };
        assert_eq!(team.capabilities, [("sql".to_owned(), definition)]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, names) in [
            ("", "no [[agent]]"),
            ("[[agent]]\nname = \"a\"\ncolour = 1\n", "colour"),
            ("[[agent]]\nname = \"a\"\n[[agent]]\nname = \"a\"\n", "twice"),
            ("[[agent]]\nname = \"a\"\n[agent.capabilities]\nrust = 1.5\n", "1.5"),
            ("[[agent]]\nname = \"a\"\n[agent.capabilities]\nrust = nan\n", "NaN"),
            ("[[agent]]\nname = \"a\"\nlease = \"soon\"\n", "soon"),
            ("[[agent]]\nname = \"a\"\n[[capability]]\nname = \"c\"\nalias = [\"d\"]\n", "alias"),
            (
                "[[agent]]\nname = \"a\"\n[[capability]]\nname = \"c\"\n[[capability]]\nname = \"c\"\n",
                "twice",
            ),
        ] {
            let error = format!("{:#}", read_text("team.toml", text).expect_err(text));
            assert!(error.contains(names) && error.contains("team.toml"), "{error}");
        }
    }
}
