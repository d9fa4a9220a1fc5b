//! Far more requests than can be served: whether admitted work keeps its pace, refusals come fast, memory stays bounded, and
//! no lease ends for it.
//!
//! The server is a process of its own. 32 workers do whole lives of tasks, first by themselves, then beside a flood: thousands
//! of connections that ask for work as fast as they are answered, streams of events whose readers have stopped reading, and connections that
//! send a byte a second. Client and server share the machine, so the flood is what is left of it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use kapell_api::{Assignment, Assignments, Client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Options;
use crate::table::{Table, per_second};
use crate::wire::{Connection, Server};

/// The argument with which this program serves a data directory instead of measuring.
pub const SERVE: &str = "--serve";

/// Agents that do work.
const WORKERS: usize = 32;
/// Agents in whose name the flood asks for work that there is none of.
const IDLE: usize = 1_000;
/// Connections of the flood, where the system allows as many open files: more than may wait for the writer.
const FLOOD: usize = 9_500;
/// Streams of events that are opened at the end of the log and never read from.
const STREAMS: usize = 100;
/// Connections that send a byte a second.
const SLOW: usize = 100;
/// Files of this process that are not connections.
const SPARE_FILES: u64 = 200;
/// The workers' lease: so short that it would end if a flood could stop a renewal.
const LEASE_MS: i64 = 3_000;

/// Serves `data` until standard input ends.
pub fn serve(data: &Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::start(data).await?;
        crate::table::print(&format!("{} {}\n", server.address, server.token));
        let end = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        end.await??;
        server.stop().await
    })
}

/// A server in a process of its own.
struct Served {
    process: Child,
    address: SocketAddr,
    token: String,
}

impl Served {
    fn start(data: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("its output")?).read_line(&mut line)?;
        let (address, token) = line.trim().split_once(' ').context("an address and a token")?;
        Ok(Self { address: address.parse()?, token: token.to_owned(), process })
    }

    fn resident(&self) -> anyhow::Result<f64> {
        crate::scale::resident(&self.process.id().to_string())
    }

    fn stop(mut self) -> anyhow::Result<()> {
        drop(self.process.stdin.take());
        ensure!(self.process.wait()?.success(), "the server ends in order");
        Ok(())
    }
}

/// Answers of one kind: how long each took, in ms.
#[derive(Debug, Default)]
struct Answers {
    admitted: Vec<f64>,
    busy: Vec<f64>,
    other: u32,
}

impl Answers {
    fn note(&mut self, status: u16, began: Instant) {
        let took = began.elapsed().as_secs_f64() * 1e3;
        match status {
            200..300 => self.admitted.push(took),
            503 => self.busy.push(took),
            _ => self.other += 1,
        }
    }

    fn join(&mut self, other: Self) {
        self.admitted.extend(other.admitted);
        self.busy.extend(other.busy);
        self.other += other.other;
    }
}

fn p99(took: &mut [f64]) -> f64 {
    took.sort_by(f64::total_cmp);
    took.get(took.len() * 99 / 100).copied().unwrap_or(0.0)
}

/// Measures what a flood does to work that was admitted.
pub fn measure(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let span = Duration::from_secs(if options.quick { 2 } else { 8 });
    let data = tempfile::tempdir()?;
    let served = Served::start(data.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let client = Client::new(&format!("http://{}", served.address), &served.token);
    let mut policy = client.policy()?;
    policy.heartbeat_lease_ms = LEASE_MS;
    policy.call_lease_ms = LEASE_MS;
    // The idle agents are silent until the flood begins: with these leases that is a cascade, which would pause all work.
    policy.emergencies.detect = false;
    client.set_policy(&policy)?;
    runtime.block_on(register(&served))?;
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let others = (STREAMS + SLOW + WORKERS) as u64 + SPARE_FILES;
    let flood =
        usize::try_from(files.saturating_sub(others))?.min(if options.quick { FLOOD / 20 } else { FLOOD });

    // Warm, then measured.
    runtime.block_on(work(&served, span / 2, &Arc::default()))?;
    let (mut calm, calm_lives) = runtime.block_on(work(&served, span, &Arc::default()))?;
    let before = served.resident()?;
    let flooded = runtime.block_on(flooded(&served, flood, span))?;
    let Flooded { mut loaded, mut refused, lives: loaded_lives, begun, open, most, streams } = flooded;
    let lost = lost(&client, begun)?;
    drop(runtime);
    served.stop()?;

    let rate = |lives: u32| f64::from(lives) / span.as_secs_f64();
    let on = format!(
        "{WORKERS} workers beside {flood} connections that never wait, {streams} streams, {SLOW} slow senders; server in a process of its own, machine shared"
    );
    let all_calm = calm.admitted.len() as f64 / span.as_secs_f64();
    let all_loaded = (loaded.admitted.len() + refused.admitted.len()) as f64 / span.as_secs_f64();
    table.add(
        "overload: requests served, calm and flooded",
        format!("{}, {}", per_second(all_calm), per_second(all_loaded)),
        "90 %",
        &on,
    );
    table.add(
        "overload: whole lives of the workers, calm and flooded",
        format!("{}, {}", per_second(rate(calm_lives)), per_second(rate(loaded_lives))),
        "",
        "each has one request in flight of some ten thousand",
    );
    table.add(
        "overload: p99 of admitted requests, calm and flooded",
        format!("{:.1} ms, {:.1} ms", p99(&mut calm.admitted), p99(&mut loaded.admitted)),
        "5 x, or 250 ms",
        "the workers' requests",
    );
    table.add(
        "overload: answered busy, p99 of that",
        format!(
            "{} of {}, {:.1} ms",
            refused.busy.len() + loaded.busy.len(),
            { refused.busy.len() + refused.admitted.len() + loaded.admitted.len() + loaded.busy.len() },
            p99(&mut refused.busy)
        ),
        "",
        &format!("any other refusal: {}", refused.other + loaded.other),
    );
    table.add(
        "overload: leases that ended falsely",
        lost.0.to_string(),
        "0",
        &format!("leases of {LEASE_MS} ms, renewed by every call; {} of the flood's own", lost.1),
    );
    table.add(
        "overload: memory of the server, calm, open and flooded",
        format!(
            "{:.0} MiB, {:.0} MiB with all connections open, {:.0} MiB ({:.2} x)",
            before / MIB,
            open / MIB,
            most / MIB,
            most / open
        ),
        "1.25 x",
        "resident, against that with all connections open",
    );
    Ok(())
}

/// Counts the leases of workers and of the flood's agents that ended while they called.
fn lost(client: &Client, begun: u64) -> anyhow::Result<(u32, u32)> {
    let (mut after, mut workers, mut others) = (begun, 0, 0);
    loop {
        let page = client.events(after, 1_000, &[("kind", "agent.unreachable")])?;
        for event in &page.events {
            match event.agent.as_deref().is_some_and(|agent| agent.starts_with("worker-")) {
                true => workers += 1,
                false => others += 1,
            }
        }
        if page.at_end {
            return Ok((workers, others));
        }
        after = page.next_after;
    }
}

const MIB: f64 = 1024.0 * 1024.0;

async fn register(served: &Served) -> anyhow::Result<()> {
    let mut lines = String::new();
    for (kind, count) in [("worker", WORKERS), ("idle", IDLE)] {
        for index in 0..count {
            lines += &format!(
                "{{\"register\":{{\"name\":\"{kind}-{index}\",\"capabilities\":{{\"{kind}\":1.0}}}}}}\n"
            );
            lines += &format!("{{\"heartbeat\":{{\"agent\":\"{kind}-{index}\"}}}}\n");
        }
    }
    Connection::open(served.address, &served.token).await?.bulk(lines.as_bytes()).await?;
    Ok(())
}

/// Lets the workers work for `span`; returns how their requests were answered and how many tasks they did.
async fn work(served: &Served, span: Duration, stop: &Arc<AtomicBool>) -> anyhow::Result<(Answers, u32)> {
    let workers = (0..WORKERS).map(|index| {
        let (address, token, stop) = (served.address, served.token.clone(), Arc::clone(stop));
        tokio::spawn(async move { lives(address, &token, index, span, &stop).await })
    });
    let (mut answers, mut lives) = (Answers::default(), 0);
    for worker in workers.collect::<Vec<_>>() {
        let (its, count) = worker.await??;
        answers.join(its);
        lives += count;
    }
    Ok((answers, lives))
}

async fn lives(
    address: SocketAddr,
    token: &str,
    index: usize,
    span: Duration,
    stop: &AtomicBool,
) -> anyhow::Result<(Answers, u32)> {
    let mut connection = Connection::open(address, token).await?;
    let next = format!("/v1/agents/worker-{index}/next");
    let task =
        format!(r#"{{"title":"Do it","agent":"worker-{index}","requires":[{{"capability":"worker"}}]}}"#);
    let (mut answers, mut count) = (Answers::default(), 0);
    let started = Instant::now();
    while started.elapsed() < span && !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let (status, _) = connection.post("/v1/tasks", task.as_bytes()).await?;
        answers.note(status, began);
        if status != 201 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        let assigned: Assignments = loop {
            let began = Instant::now();
            let (status, answer) = connection.post(&next, b"{}").await?;
            answers.note(status, began);
            if status == 200 {
                break serde_json::from_slice(answer)?;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        for Assignment { task, assignment, .. } in assigned.assignments {
            let body = format!(r#"{{"agent":"worker-{index}","assignment":"{assignment}"}}"#);
            loop {
                let began = Instant::now();
                let (status, _) = connection.post(&format!("/v1/tasks/{task}/done"), body.as_bytes()).await?;
                answers.note(status, began);
                if status == 200 {
                    break;
                }
                ensure!(status == 503, "done is answered {status}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            count += 1;
        }
    }
    Ok((answers, count))
}

/// What became of work beside a flood.
struct Flooded {
    /// The workers' answers.
    loaded: Answers,
    /// The flood's.
    refused: Answers,
    /// Tasks that the workers did.
    lives: u32,
    /// A position of the log at which everybody had called again.
    begun: u64,
    /// Memory with all connections open, before the first request.
    open: f64,
    /// The most memory.
    most: f64,
    /// Streams that were opened.
    streams: usize,
}

/// Returns the last durable position of the log.
async fn position(served: &Served) -> anyhow::Result<u64> {
    let (url, token) = (format!("http://{}", served.address), served.token.clone());
    Ok(tokio::task::spawn_blocking(move || Client::new(&url, &token).health()).await??.durable_position)
}

async fn flooded(served: &Served, flood: usize, span: Duration) -> anyhow::Result<Flooded> {
    let stop = Arc::new(AtomicBool::new(false));
    let end = position(served).await?;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = TcpStream::connect(served.address).await?;
        let head = format!(
            "GET /v1/events/stream?after={end} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\naccept: text/event-stream\r\n\r\n",
            served.address, served.token
        );
        stream.write_all(head.as_bytes()).await?;
        let mut first = [0; 12];
        stream.read_exact(&mut first).await?;
        if &first[9..12] == b"200" {
            streams.push(stream);
        }
    }
    let slow: Vec<_> = (0..SLOW).map(|_| tokio::spawn(drip(served.address, Arc::clone(&stop)))).collect();
    let mut connections = Vec::new();
    for _ in 0..flood {
        connections.push(Connection::open(served.address, &served.token).await?);
    }
    let open = served.resident()?;
    let mut floods = Vec::new();
    for (index, mut connection) in connections.into_iter().enumerate() {
        let stop = Arc::clone(&stop);
        floods.push(tokio::spawn(async move {
            let mut answers = Answers::default();
            let next = format!("/v1/agents/idle-{}/next", index % IDLE);
            while !stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                let (status, _) = connection.post(&next, b"{}").await?;
                answers.note(status, began);
            }
            Ok::<_, anyhow::Error>(answers)
        }));
    }
    let memory = {
        let (stop, pid) = (Arc::clone(&stop), served.process.id().to_string());
        tokio::spawn(async move {
            let mut most = 0.0_f64;
            while !stop.load(Ordering::Relaxed) {
                most = most.max(crate::scale::resident(&pid)?);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok::<_, anyhow::Error>(most)
        })
    };
    let never = Arc::default();
    let ((loaded, lives), begun) = tokio::try_join!(work(served, span, &never), async {
        tokio::time::sleep(span / 4).await;
        position(served).await
    })?;
    stop.store(true, Ordering::Relaxed);
    let mut refused = Answers::default();
    for flood in floods {
        refused.join(flood.await??);
    }
    for slow in slow {
        slow.abort();
    }
    let most = memory.await??;
    Ok(Flooded { loaded, refused, lives, begun, open, most, streams: streams.len() })
}

/// Sends the head of a request, a byte a second.
async fn drip(address: SocketAddr, stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    for byte in b"POST /v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n".iter().cycle() {
        if stop.load(Ordering::Relaxed) || stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}
