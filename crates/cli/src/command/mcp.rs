//! `kapell mcp`: the tools on standard input and output, for an agent that starts this program itself.

use std::sync::Arc;

use anyhow::ensure;
use kapell_api::Client;
use kapell_mcp::{Remote, Tier, serve_stdio};

use crate::context::Context;
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub struct Mcp {
    /// How many tools the agent is shown: core, standard or all
    #[arg(long, default_value = "core", value_parser = tier)]
    tools: Tier,
    /// The name under which the agent joins where it names none
    #[arg(long, short, env = "KAPELL_AGENT")]
    agent: Option<String>,
}

fn tier(word: &str) -> Result<Tier, String> {
    Tier::parse(word).ok_or_else(|| "core, standard or all".to_owned())
}

impl Mcp {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        // A runner's agent has one task and reports by ending: with the tools it would take others, as whoever this entry is for.
        ensure!(
            std::env::var_os("KAPELL_ASSIGNMENT").is_none(),
            "`kapell run` has started this agent for one task and reports for it: it gets no tools"
        );
        context.data()?;
        let own = context.clone();
        let gate = Arc::new(Remote::new(move || {
            let (server, token) = (own.server().unwrap_or_default(), own.token().unwrap_or_default());
            (Client::new(&server, &token), token)
        }));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(serve_stdio(gate, self.tools, self.agent))?;
        // Standard input is read on a thread that cannot be interrupted.
        runtime.shutdown_background();
        Ok(Exit::Ok)
    }
}
