//! `kapell up`: the server.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use kapell_server::{ADMIN_TOKEN_FILE, LlmOptions, Secret, ServeOptions, Started, WebhookOptions};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::context::{Context, DEFAULT_LISTEN};
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub struct Up {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = DEFAULT_LISTEN, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// A name by which browsers and proxies may ask for this server, besides its addresses and localhost
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Serves what the conformance suite of the Model Context Protocol calls, in the place of the tools
    #[arg(long, hide = true)]
    mcp_fixtures: bool,
    /// The OpenAI-compatible endpoint of a language model, such as http://127.0.0.1:11434/v1: it is asked for the components of
    /// large tasks that name none, and is sent their title and description
    #[arg(long, env = "KAPELL_LLM_URL", value_name = "URL", requires = "llm_model")]
    llm_url: Option<String>,
    /// The model's name there
    #[arg(long, env = "KAPELL_LLM_MODEL", value_name = "NAME")]
    llm_model: Option<String>,
    /// A file with the key of the endpoint; else KAPELL_LLM_KEY holds it, where one is wanted
    #[arg(long, env = "KAPELL_LLM_KEY_FILE", value_name = "FILE")]
    llm_key_file: Option<PathBuf>,
    /// Let webhooks go to addresses of this machine and of private networks too
    #[arg(long)]
    private_webhooks: bool,
}

impl Up {
    /// Returns the model that is configured, with its key.
    fn llm(&self) -> anyhow::Result<Option<LlmOptions>> {
        let (Some(url), Some(model)) = (self.llm_url.clone(), self.llm_model.clone()) else {
            return Ok(None);
        };
        let key = match &self.llm_key_file {
            Some(file) => {
                let text = std::fs::read_to_string(file);
                Some(text.with_context(|| format!("cannot read the key of the model in {}", file.display()))?)
            }
            None => std::env::var("KAPELL_LLM_KEY").ok().filter(|key| !key.is_empty()),
        };
        let key = key.map(|key| Secret::new(&key));
        Ok(Some(LlmOptions { url, model, key, timeout: LlmOptions::TIMEOUT }))
    }

    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let filter = tracing_subscriber::EnvFilter::try_from_env("KAPELL_LOG");
        let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
        // At a finer level it writes what it sends: addresses of webhooks, their signatures, the key of the model.
        let discreet = filter_fn(|it| !(it.target().starts_with("ureq") && *it.level() > LevelFilter::INFO));
        let written = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        written.finish().with(discreet).init();
        let data = context.data()?;
        if !self.listen.ip().is_loopback() {
            eprintln!("warning: {} can be reached from other machines, and there is no TLS yet", self.listen);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let llm = self.llm()?;
        let options = ServeOptions {
            data: data.clone(),
            listen: self.listen,
            hosts: self.hosts,
            mcp_fixtures: self.mcp_fixtures,
            llm,
            webhooks: WebhookOptions { private_targets: self.private_webhooks, ..WebhookOptions::default() },
        };
        let started = |started: &Started| {
            for line in found(started) {
                eprintln!("{line}");
            }
            eprintln!("{}", dashboard(started, &data));
            eprintln!("data in {}; stop with Ctrl-C", data.display());
        };
        let stop = {
            let _inside = runtime.enter();
            stop_signal()?
        };
        runtime.block_on(kapell_server::serve(options, started, stop))?;
        eprintln!("stopped: everything that was acknowledged is durable");
        Ok(Exit::Ok)
    }
}

/// Says what a start found and did.
fn found(started: &Started) -> Vec<String> {
    let found = &started.found;
    let mut lines =
        vec![format!("kapell {} listens on http://{}", env!("CARGO_PKG_VERSION"), started.address)];
    lines.push(format!(
        "fleet `{}`: {} events in the log, {} folded in {:.0?} after a snapshot at {}; epoch {}",
        found.fleet, found.position, found.replayed, found.took, found.snapshot, found.epoch
    ));
    lines.push(format!(
        "{} agents, {} online as the log has it (every lease begins again); {} tasks owned, {} ready, {} blocked, {} ended",
        found.agents, found.online, found.owned, found.ready, found.blocked, found.ended
    ));
    lines.extend(found.skipped.iter().map(|skipped| format!("warning: {skipped}")));
    if let Some(path) = &started.new_token {
        lines.push(format!("made an admin token in {}; the command line finds it by itself", path.display()));
    }
    lines
}

/// Says where the dashboard is. The link carries the admin token in its fragment, which no browser sends on; it is printed to a
/// terminal alone, so that no token gets into the journal of a service.
fn dashboard(started: &Started, data: &Path) -> String {
    let path = data.join(ADMIN_TOKEN_FILE);
    match std::fs::read_to_string(&path) {
        Ok(token) if std::io::stderr().is_terminal() => {
            format!("dashboard: http://{}/#token={}", started.address, token.trim())
        }
        _ => format!("dashboard: http://{}/ with the token in {}", started.address, path.display()),
    }
}

/// Listens for signals to stop from here on, and returns the wait for the first. One more ends the process at once: a stop may wait
/// for a disk that hangs.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut asked = async move || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    Ok(async move {
        asked().await;
        eprintln!("stopping; once more ends at once");
        tokio::spawn(async move {
            asked().await;
            eprintln!("ended at once: everything that was acknowledged is durable");
            std::process::exit(1);
        });
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kapell_server::Found;

    use super::*;

    #[test]
    fn a_start_says_what_it_found() {
        let found = Found {
            fleet: "default".to_owned(),
            epoch: 3,
            position: 120,
            snapshot: 100,
            skipped: vec!["snapshot at position 110 is passed over".to_owned()],
            replayed: 20,
            took: Duration::from_millis(7),
            agents: 5,
            online: 4,
            owned: 3,
            ready: 2,
            blocked: 1,
            ended: 6,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 7_400));
        let lines = self::found(&Started { address, found, new_token: None });
        assert_eq!(
            lines[1..],
            [
                "fleet `default`: 120 events in the log, 20 folded in 7ms after a snapshot at 100; epoch 3",
                "5 agents, 4 online as the log has it (every lease begins again); 3 tasks owned, 2 ready, 1 blocked, 6 ended",
                "warning: snapshot at position 110 is passed over",
            ]
        );
        assert!(lines[0].ends_with("listens on http://127.0.0.1:7400"), "{}", lines[0]);
    }
}
