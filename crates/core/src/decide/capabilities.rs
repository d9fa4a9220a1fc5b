//! The fleet's capability vocabulary: what a capability is, and by which words it is known.

use kapell_model::{Name, limits};

use super::invalid;
use crate::analysis::CapabilitySpec;
use crate::engine::Reply;
use crate::event::Event;
use crate::rejection::Rejection;
use crate::state::State;

impl State {
    pub(super) fn define_capability(
        &self,
        spec: &CapabilitySpec,
        out: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        if spec.aliases.len() > limits::ALIASES_MAX {
            return Err(Rejection::LimitExceeded {
                what: "aliases of a capability",
                limit: limits::ALIASES_MAX,
            });
        }
        for (index, alias) in spec.aliases.iter().enumerate() {
            let field = || format!("aliases[{index}]");
            if !alias.as_str().contains(char::is_alphanumeric) {
                return Err(invalid(
                    field(),
                    format!("`{alias}`"),
                    "a word, or the ending of a file such as .rs",
                ));
            }
            let taken = |other: &&CapabilitySpec| other.name != spec.name && other.aliases.contains(alias);
            if let Some(other) = self.capabilities.values().find(taken) {
                return Err(invalid(
                    field(),
                    format!("`{alias}`"),
                    format!("a word that is not already an alias of `{}`", other.name),
                ));
            }
            if spec.aliases[..index].contains(alias) {
                return Err(invalid(field(), format!("`{alias}` twice"), "each alias once"));
            }
        }
        let known = self.capabilities.get(&spec.name);
        if known.is_none() && self.capabilities.len() >= limits::CAPABILITY_DEFINITIONS_MAX {
            let limit = limits::CAPABILITY_DEFINITIONS_MAX;
            return Err(Rejection::LimitExceeded { what: "defined capabilities", limit });
        }
        if known != Some(spec) {
            out.push(Event::CapabilityDefined { spec: spec.clone() });
        }
        Ok(Reply::default())
    }

    pub(super) fn remove_capability(&self, name: &Name, out: &mut Vec<Event>) -> Result<Reply, Rejection> {
        if !self.capabilities.contains_key(name) {
            return Err(Rejection::NotFound { what: "defined capability", given: name.to_string() });
        }
        out.push(Event::CapabilityRemoved { name: name.clone() });
        Ok(Reply::default())
    }
}
