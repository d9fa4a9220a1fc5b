//! `kapell token`.

use kapell_api::{MadeToken, NewToken, RotateToken, Token};
use serde_json::json;

use crate::context::Context;
use crate::exit::{Ends, Exit};
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
        /// Days after which it ends [default: never]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(1..=3650))]
        expires_in_days: Option<i64>,
    },
    /// List the tokens, without themselves
    List,
    /// Put a new token in the place of one, with the same number and rights; it is shown this once
    Rotate {
        /// Its number
        id: u32,
        /// Seconds that the one before is still let in, up to a day
        #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..=86_400))]
        grace: i64,
    },
    /// Take a token back
    Revoke {
        /// Its number
        id: u32,
        /// Take it back though it is the last one that may manage tokens
        #[arg(long)]
        yes: bool,
    },
}

impl TokenVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let client = context.client()?;
        match self {
            Self::New { access, agent, label, expires_in_days } => {
                let expires_in_ms = expires_in_days.map(|days| days * 86_400_000);
                let made = client.make_token(&NewToken { access, agent, label, expires_in_ms })?;
                match context.format() {
                    Format::Json => output::json(&made)?,
                    Format::Human => shown(&made),
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
            Self::Rotate { id, grace } => {
                let made = client.rotate_token(id, &RotateToken { grace_ms: grace * 1_000 })?;
                match context.format() {
                    Format::Json => output::json(&made)?,
                    Format::Human => shown(&made),
                }
            }
            Self::Revoke { id, yes } => {
                if !yes && is_last_admin(id, &client.tokens()?) {
                    let what = format!(
                        "token {id} is the last one of access admin: without it nobody makes or takes back tokens until the server \
                         is started again, which writes a new one to admin.token in its data directory; --yes does it"
                    );
                    return Err(Ends { exit: Exit::Refused, what }.into());
                }
                client.revoke_token(id)?;
                match context.format() {
                    Format::Json => output::json(&json!({ "revoked": id }))?,
                    Format::Human => output::line(format!("token {id} is revoked")),
                }
            }
        }
        Ok(Exit::Ok)
    }
}

/// Returns whether a token is the only one of access admin that does not end.
fn is_last_admin(id: u32, tokens: &[Token]) -> bool {
    let is = |token: &&Token| token.access == "admin" && token.expires_at.is_none();
    let admin = tokens.iter().any(|token| token.id == id && token.access == "admin");
    admin && !tokens.iter().filter(is).any(|token| token.id != id)
}

fn shown(made: &MadeToken) {
    eprintln!("token {}, shown this once:", made.made.id);
    output::line(&made.token);
}
