//! `kapell policy`: what the fleet is run by.

use anyhow::{Context as _, bail};
use kapell_api::{Objects, Policy};
use serde_json::Value;

use crate::context::Context;
use crate::exit::{Ends, Exit};
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Subcommand)]
pub enum PolicyVerb {
    /// Show every field
    Show,
    /// Change fields; all of them at once, or none
    Set {
        /// A field as `policy show` names it, and its new value, such as `claims=scored`
        #[arg(required = true, value_name = "FIELD=VALUE")]
        changes: Vec<String>,
    },
}

impl PolicyVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        let mut policy = client.policy()?;
        if let Self::Set { changes } = self {
            let changed = changed(&policy, &changes)
                .map_err(|error| Ends { exit: Exit::Usage, what: format!("{error:#}") })?;
            client.set_policy(&changed)?;
            let before = std::mem::replace(&mut policy, client.policy()?);
            if context.format() == Format::Human {
                let (before, now) = (serde_json::to_value(&before)?, serde_json::to_value(&policy)?);
                differences(&before, &now).into_iter().for_each(output::line);
                return Ok(Exit::Ok);
            }
        }
        match context.format() {
            Format::Json => output::json(&policy)?,
            Format::Human => {
                let rows = fields(&serde_json::to_value(&policy)?);
                let row = |(field, value): (String, Value)| vec![field, shown(&value)];
                output::table(&["FIELD", "VALUE"], rows.into_iter().map(row).collect());
            }
        }
        Ok(Exit::Ok)
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Says which fields are others now.
fn differences(before: &Value, now: &Value) -> Vec<String> {
    let before = fields(before);
    let was = |name: &str| before.iter().find(|(field, _)| field == name).map(|(_, value)| value);
    let changed =
        fields(now).into_iter().filter(|(field, value)| field != "version" && was(field) != Some(value));
    let lines: Vec<String> = changed
        .map(|(field, value)| {
            let old = was(&field).map_or_else(|| "nothing".to_owned(), shown);
            format!("{field}: {old} -> {}", shown(&value))
        })
        .collect();
    if lines.is_empty() { vec!["nothing is different: the policy was so".to_owned()] } else { lines }
}

/// Applies changes to a policy. The version stays that of the policy, so that nobody's change is overwritten.
fn changed(policy: &Policy, changes: &[String]) -> anyhow::Result<Policy> {
    let mut value = serde_json::to_value(policy)?;
    let known = fields(&value);
    for change in changes {
        let (field, new) = change.split_once('=').with_context(|| {
            format!("`{change}` is no change; allowed is FIELD=VALUE, such as claims=scored")
        })?;
        let old = known.iter().find(|(name, _)| name == field);
        let Some((_, old)) = old.filter(|(name, _)| name != "version") else {
            let names = known.iter().map(|(name, _)| name.as_str()).filter(|&name| name != "version");
            let names: Vec<_> = names.collect();
            bail!("the policy has no field `{field}` to set; allowed are {}", names.join(", "));
        };
        // A word needs no quotes; whatever was no text stays what it was.
        let new = if old.is_string() {
            Value::from(new)
        } else {
            let span = field.split('.').any(|part| part.ends_with("_ms"));
            match serde_json::from_str(new) {
                Ok(value) => value,
                Err(_) if span => Value::from(words::duration(new).map_err(|allowed| {
                    anyhow::anyhow!("field `{field}`: {allowed}, or a number of milliseconds")
                })?),
                Err(_) => bail!("field `{field}` is `{new}`; allowed is a value like {old}"),
            }
        };
        let pointer = format!("/{}", field.replace('.', "/"));
        *value.pointer_mut(&pointer).context("a field that was just listed")? = new;
    }
    serde_path_to_error::deserialize(Objects::new(value)).map_err(|error| {
        anyhow::anyhow!("field `{}` of the changed policy does not fit: {}", error.path(), error.inner())
    })
}

/// Lists the fields, those of an object under a dotted name.
fn fields(value: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Object(_) => {
                let inner = fields(value).into_iter();
                found.extend(inner.map(|(inner, value)| (format!("{name}.{inner}"), value)));
            }
            _ => found.push((name.clone(), value.clone())),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        let policy = r#"{
            "version": 3, "threshold": 0.7,
            "weights": {"capability": 0.4, "workload": 0.3, "performance": 0.2, "cohesion": 0.1},
            "performance_default": 0.7, "cohesion_default": 0.5, "claims": "first",
            "heartbeat_lease_ms": 120000, "call_lease_ms": 1800000, "person_lease_ms": 259200000,
            "grace_ms": 30000, "ack_ms": {"critical": 1, "high": 2, "medium": 3, "low": 4},
            "max_attempts": 3, "max_losses": 10, "retry_backoff_ms": 30000, "retry_backoff_max_ms": 3600000,
            "on_failed_dependency": "block", "estimate_hours_by_complexity": [1.0, 2.0, 4.0, 8.0, 16.0]
        }"#;
        serde_json::from_str(policy).expect("a policy")
    }

    #[test]
    fn changes_go_where_they_are_named() {
        let changes = [
            "claims=scored",
            "weights.capability=0.5",
            "max_attempts=5",
            "grace_ms=1.5m",
            "ack_ms.critical=10s",
        ];
        let changes = changes.map(str::to_owned);
        let changed = changed(&policy(), &changes).expect("it fits");
        assert_eq!((changed.claims.as_str(), changed.weights.capability), ("scored", 0.5));
        assert_eq!((changed.max_attempts, changed.threshold), (5, policy().threshold));
        assert_eq!((changed.grace_ms, changed.ack_ms.critical), (90_000, 10_000));
        assert_eq!(changed.version, policy().version);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (change, words) in [
            ("claims", "FIELD=VALUE"),
            ("claim=scored", "no field `claim`"),
            ("version=7", "no field `version`"),
            ("threshold=high", "`high`"),
            ("max_attempts=-1", "field `max_attempts` of the changed policy does not fit"),
            ("grace_ms=soon", "field `grace_ms`: `soon` is no duration"),
            ("weights=1", "no field `weights`"),
        ] {
            let error = changed(&policy(), &[change.to_owned()]).expect_err(change);
            assert!(format!("{error:#}").contains(words), "{change}: {error:#}");
        }
    }
}
