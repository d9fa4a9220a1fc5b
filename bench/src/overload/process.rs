//! The server in a process of its own, and what of the machine either side takes.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::time::{ClockId, clock_gettime};

use crate::wire::Server;

/// The argument with which this program serves a data directory instead of measuring.
pub const SERVE: &str = "--serve";
/// The argument with which it serves an endpoint that does nothing.
pub const SERVE_NOTHING: &str = "--serve-nothing";
/// Ticks a second in `/proc/PID/stat`, on every Linux that there is.
const TICKS: f64 = 100.0;

/// Serves `data` until standard input ends.
pub fn serve(data: &Path) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let server = Server::start(data).await?;
        until_input_ends(server.address, &server.token).await?;
        server.stop().await
    })
}

/// Serves an endpoint that answers a `POST` of 17 bytes with 53, until standard input ends.
pub fn serve_nothing() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let answer = || async {
            (
                [("content-type", "application/json")],
                r#"{"task":"T-1","state":"ready","agent":"a","position":1}"#,
            )
        };
        let app = axum::Router::new().route("/v1/tasks", axum::routing::post(move |_: String| answer()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        until_input_ends(address, "none").await?;
        server.abort();
        Ok(())
    })
}

/// Tells where it serves, and waits.
async fn until_input_ends(address: SocketAddr, token: &str) -> anyhow::Result<()> {
    crate::table::print(&format!("{address} {token}\n"));
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    Ok(())
}

/// A server in a process of its own.
pub struct Served {
    process: Child,
    pub address: SocketAddr,
    pub token: String,
}

impl Served {
    pub fn start(data: &Path) -> anyhow::Result<Self> {
        Self::run(Command::new(std::env::current_exe()?).arg(SERVE).arg(data))
    }

    pub fn start_nothing() -> anyhow::Result<Self> {
        Self::run(Command::new(std::env::current_exe()?).arg(SERVE_NOTHING))
    }

    fn run(command: &mut Command) -> anyhow::Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("its output")?).read_line(&mut line)?;
        let (address, token) = line.trim().split_once(' ').context("an address and a token")?;
        Ok(Self { address: address.parse()?, token: token.to_owned(), process })
    }

    pub fn resident(&self) -> anyhow::Result<f64> {
        crate::scale::resident(&self.process.id().to_string())
    }

    /// Returns the processor time that the server and this process have taken so far.
    pub fn used(&self) -> anyhow::Result<Used> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // Behind the name, which may hold anything, `utime` and `stime` are the 12th and 13th.
        let (_, behind) = stat.rsplit_once(')').context("a name")?;
        let ticks = behind.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        let server = ticks.sum::<Result<f64, _>>()? / TICKS;
        let spent = clock_gettime(ClockId::ProcessCPUTime);
        Ok(Used { server, generator: spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9 })
    }

    pub fn stop(mut self) -> anyhow::Result<()> {
        drop(self.process.stdin.take());
        ensure!(self.process.wait()?.success(), "the server ends in order");
        Ok(())
    }
}

/// Seconds of processor time.
pub struct Used {
    server: f64,
    generator: f64,
}

impl Used {
    /// Returns what was taken of all processors since `begun`, `passed` ago.
    pub fn since(&self, begun: &Self, passed: Duration) -> Shares {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let all = passed.as_secs_f64() * cores as f64;
        Shares {
            server: (self.server - begun.server) / all,
            generator: (self.generator - begun.generator) / all,
        }
    }
}

/// Shares of all processors, 0 to 1.
pub struct Shares {
    server: f64,
    generator: f64,
}

impl std::fmt::Display for Shares {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (server, generator) = (100.0 * self.server, 100.0 * self.generator);
        write!(f, "processors: server {server:.0} %, generator {generator:.0} %")
    }
}
