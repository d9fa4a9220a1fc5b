//! `kapell capability`: by which words the fleet's capabilities are known.

use kapell_api::{Capability, CapabilityDefinition};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};

#[derive(Debug, clap::Subcommand)]
pub enum CapabilityVerb {
    /// Define a capability, or define it anew
    Add {
        /// Its name, as agents declare it
        name: String,
        /// A word or file ending that speaks for it, such as postgres or .sql; may be repeated
        #[arg(long = "alias", value_name = "WORD")]
        aliases: Vec<String>,
        /// What it is, in a line
        #[arg(long, default_value = "")]
        definition: String,
    },
    /// List the capabilities that agents declare or the fleet defines
    List,
    /// Take a definition back; agents keep what they declare
    Remove {
        /// Its name
        name: String,
    },
}

impl CapabilityVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        match self {
            Self::Add { name, aliases, definition } => {
                client.define_capability(&name, &CapabilityDefinition { aliases, definition })?;
                if context.format() == Format::Human {
                    output::line(format!(
                        "defined {name}; texts that are read from now on are compared with it"
                    ));
                }
            }
            Self::List => {
                let capabilities = client.capabilities()?;
                match context.format() {
                    Format::Json => output::json(&capabilities)?,
                    Format::Human => list(&capabilities),
                }
            }
            Self::Remove { name } => {
                client.remove_capability(&name)?;
                if context.format() == Format::Human {
                    output::line(format!("the definition of {name} is taken back"));
                }
            }
        }
        Ok(Exit::Ok)
    }
}

fn list(capabilities: &[Capability]) {
    let row = |it: &Capability| {
        vec![
            it.name.clone(),
            it.agents.to_string(),
            if it.defined { "defined" } else { "declared" }.to_owned(),
            output::plain(&it.aliases.join(", ")),
            output::cut(&it.definition, 60),
        ]
    };
    let rows = capabilities.iter().map(row).collect();
    output::table(&["CAPABILITY", "AGENTS", "IS", "ALIASES", "DEFINITION"], rows);
}
