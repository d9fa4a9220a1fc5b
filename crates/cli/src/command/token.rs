//! `kapell token`.

use kapell_api::{NewToken, Token};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::words;

#[derive(Debug, clap::Subcommand)]
pub enum TokenVerb {
    /// Make a token; it is shown this once
    New {
        /// admin, manager, agent or viewer
        #[arg(long, default_value = "viewer")]
        access: String,
        /// The agent that it is bound to, with access agent
        #[arg(long)]
        agent: Option<String>,
        /// What it is for
        #[arg(long, default_value = "")]
        label: String,
    },
    /// List the tokens, without themselves
    List,
    /// Take a token back
    Revoke {
        /// Its number
        id: u32,
    },
}

impl TokenVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        match self {
            Self::New { access, agent, label } => {
                let made = client.make_token(&NewToken { access, agent, label })?;
                match context.format() {
                    Format::Json => output::json(&made)?,
                    Format::Human => output::line(&made.token),
                }
            }
            Self::List => {
                let tokens = client.tokens()?;
                match context.format() {
                    Format::Json => output::json(&tokens)?,
                    Format::Human => {
                        let row = |it: &Token| {
                            let agent = it.agent.clone().unwrap_or_default();
                            vec![
                                it.id.to_string(),
                                it.access.clone(),
                                agent,
                                words::age(&it.made_at),
                                it.label.clone(),
                            ]
                        };
                        output::table(
                            &["ID", "ACCESS", "AGENT", "AGE", "LABEL"],
                            tokens.iter().map(row).collect(),
                        );
                    }
                }
            }
            Self::Revoke { id } => {
                client.revoke_token(id)?;
                output::line(format!("token {id} is revoked"));
            }
        }
        Ok(Exit::Ok)
    }
}
