//! Far more requests than can be served: whether admitted work keeps its pace, refusals come fast, memory stays bounded, and
//! no lease ends for it.
//!
//! The server is a process of its own. 32 workers do whole lives of tasks (submit, fetch, report) without a pause, by themselves
//! and beside some more: the most that any number of them gets done is what the machine sustains, and the fewest that get as much
//! done, but for what runs differ by, are how many that takes. Then they do so beside ten times as many, who ask again at once
//! whatever they are told; beside as many as may be connected; and beside as many that only ask for work that there is none of.
//! All the while streams of events are open whose readers have stopped reading, connections that send a byte a second, and agents
//! without work whose only sign of life is that they ask for some. The workers wait as long as they are told to and send a sign
//! of life meanwhile. At last they work by themselves once more, all connections still open: what the machine sustains then.
//!
//! Client and server share the machine, so each span is printed with the share of either, and the same flood is sent to an
//! endpoint that does nothing: what the machine makes possible.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use kapell_api::{Assignment, Assignments, Client, Problem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Options;
use crate::table::{Table, per_second};
use crate::wire::Connection;

mod process;

pub use process::{SERVE, SERVE_NOTHING, serve, serve_nothing};
use process::{Served, Shares};

/// Agents that do work and are measured.
const WORKERS: usize = 32;
/// Connections that do lives when it is looked for what is sustained.
const STEPS: [usize; 3] = [WORKERS, 4 * WORKERS, 16 * WORKERS];
/// Connections of the flood, where the system allows as many open files: more than may wait for the writer.
const FLOOD: usize = 9_500;
/// Agents in whose name the flood asks for work that there is none of.
const IDLE: usize = 1_000;
/// Streams of events that are opened at the end of the log and never read from.
const STREAMS: usize = 100;
/// Agents without work that only ask for some, and wait as they are told.
const ASKING: usize = 16;
/// What two spans of the same may differ by.
const ALIKE: f64 = 0.97;
/// Connections that send a byte a second.
const SLOW: usize = 100;
/// Files of this process that are not connections.
const SPARE_FILES: u64 = 200;
/// The lease of the workers and of those who ask: so short that it would end if a flood could stop a sign of life.
const LEASE_MS: u64 = 3_000;
/// How often a worker that is told to wait sends one.
const SIGN: Duration = Duration::from_secs(1);
const MIB: f64 = 1024.0 * 1024.0;

/// Answers of one kind: how long each took, in ms.
#[derive(Debug, Default)]
struct Answers {
    admitted: Vec<f64>,
    /// Those of the admitted ones that belong to a task under way: fetching it, and reporting.
    owed: Vec<f64>,
    busy: Vec<f64>,
    other: u32,
    /// Tasks from submission to report.
    lives: u32,
    /// Submissions and reports that were taken: half a life each, so that those under way at the end count in part.
    halves: u32,
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

    fn note_owed(&mut self, status: u16, began: Instant) {
        self.note(status, began);
        if (200..300).contains(&status) {
            self.owed.extend(self.admitted.last());
        }
    }

    fn join(&mut self, other: Self) {
        self.admitted.extend(other.admitted);
        self.owed.extend(other.owed);
        self.busy.extend(other.busy);
        self.other += other.other;
        self.lives += other.lives;
        self.halves += other.halves;
    }
}

fn p99(took: &mut [f64]) -> f64 {
    took.sort_by(f64::total_cmp);
    took.get(took.len() * 99 / 100).copied().unwrap_or(0.0)
}

/// What the connections beside the workers' do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flood {
    /// The same as the workers, without ever waiting.
    Lives,
    /// Ask for work that there is none of, without ever waiting.
    Polls,
}

/// What became of one span.
struct Spanned {
    workers: Answers,
    others: Answers,
    shares: Shares,
    /// The memory of the server when it began, and the most.
    memory: (f64, f64),
    /// Leases of workers, and of those who ask, that ended.
    lost: u32,
    /// How long it lasted.
    seconds: f64,
}

impl Spanned {
    /// Returns the lives done a second, those under way at the end in part.
    fn rate(&self) -> f64 {
        f64::from(self.workers.halves + self.others.halves) / 2.0 / self.seconds
    }
}

/// Measures what a flood does to work that was admitted.
pub fn measure(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let span = Duration::from_secs(if options.quick { 2 } else { 8 });
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let others = (STREAMS + SLOW + WORKERS) as u64 + SPARE_FILES;
    let flood =
        usize::try_from(files.saturating_sub(others))?.min(if options.quick { FLOOD / 20 } else { FLOOD });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(nothing(span, flood, table))?;

    let data = tempfile::tempdir()?;
    let served = Served::start(data.path())?;
    let client = Client::new(&format!("http://{}", served.address), &served.token);
    let mut policy = client.policy()?;
    // The agents of the flood are silent until it begins: that is a cascade, which would pause all work.
    policy.emergencies.detect = false;
    client.set_policy(&policy)?;
    runtime.block_on(flooded(&served, &client, flood, span, table))?;
    drop(runtime);
    served.stop()
}

/// Prints what an endpoint that does nothing makes of the same flood.
async fn nothing(span: Duration, flood: usize, table: &mut Table) -> anyhow::Result<()> {
    let served = Served::start_nothing()?;
    let calm = posts(&served, 0, span / 2).await?;
    let (mut workers, others, shares) = posts(&served, flood, span / 2).await?;
    served.stop()?;
    let seconds = span.as_secs_f64() / 2.0;
    let all = |workers: &Answers, others: &Answers| (workers.admitted.len() + others.admitted.len()) as f64;
    let mut calmly = calm.0.admitted.clone();
    table.add(
        "overload: an endpoint that does nothing, calm and flooded",
        format!(
            "{}, {}; p99 {:.1} ms, {:.1} ms",
            per_second(all(&calm.0, &calm.1) / seconds),
            per_second(all(&workers, &others) / seconds),
            p99(&mut calmly),
            p99(&mut workers.admitted)
        ),
        "",
        &format!("{WORKERS} connections, beside {flood} that never wait; {shares}"),
    );
    Ok(())
}

async fn posts(served: &Served, flood: usize, span: Duration) -> anyhow::Result<(Answers, Answers, Shares)> {
    let mut connections = Vec::new();
    for _ in 0..WORKERS + flood {
        connections.push(Connection::open(served.address, &served.token).await?);
    }
    let begun = served.used()?;
    let started = Instant::now();
    let clients = connections.into_iter().map(|mut connection| {
        tokio::spawn(async move {
            let mut answers = Answers::default();
            while started.elapsed() < span {
                let began = Instant::now();
                let (status, _) = connection.post("/v1/tasks", br#"{"title":"Do it"}"#).await?;
                answers.note(status, began);
            }
            Ok::<_, anyhow::Error>(answers)
        })
    });
    let (mut workers, mut others) = (Answers::default(), Answers::default());
    for (index, client) in clients.collect::<Vec<_>>().into_iter().enumerate() {
        let of = if index < WORKERS { &mut workers } else { &mut others };
        of.join(client.await??);
    }
    Ok((workers, others, served.used()?.since(&begun, started.elapsed())))
}

/// Prints what Kapell makes of it.
async fn flooded(
    served: &Served,
    client: &Client,
    flood: usize,
    span: Duration,
    table: &mut Table,
) -> anyhow::Result<()> {
    register(served, flood).await?;
    let mut connections = Vec::new();
    // Warm, then measured.
    spanned((served, client), (&mut connections, 0, Flood::Lives), span / 2).await?;
    let (mut steps, mut unloaded) = (Vec::new(), 0.0);
    for step in STEPS {
        let beside = (step - WORKERS).min(flood);
        while connections.len() < beside {
            connections.push(Connection::open(served.address, &served.token).await?);
        }
        let mut calm = spanned((served, client), (&mut connections, beside, Flood::Lives), span).await?;
        let rate = calm.rate();
        let p99 = p99(&mut calm.workers.admitted);
        if step == WORKERS {
            unloaded = p99;
        }
        steps.push((rate, step));
        table.add(
            &format!("overload: lives of {step} that never pause, p99 of requests"),
            format!("{}, {p99:.1} ms", per_second(rate)),
            "",
            &format!("three requests a life; {}", calm.shares),
        );
    }

    let sustained = steps.iter().map(|&(rate, _)| rate).fold(0.0, f64::max);
    let callers =
        steps.iter().find(|&&(rate, _)| rate >= ALIKE * sustained).map_or(WORKERS, |&(_, step)| step);

    let stop = Arc::new(AtomicBool::new(false));
    let streams = silent_streams(served, position(client)?).await?;
    let slow: Vec<_> = (0..SLOW).map(|_| tokio::spawn(drip(served.address, Arc::clone(&stop)))).collect();
    while connections.len() < flood {
        connections.push(Connection::open(served.address, &served.token).await?);
    }
    // A connection has its buffers once it was used.
    for (index, connection) in connections.iter_mut().enumerate() {
        connection.post(&format!("/v1/agents/other-{index}/heartbeat"), b"").await?;
    }
    // The first flood fills what the silent streams have of buffers, each from the log: work of its own, and memory that stays.
    let filled = spanned((served, client), (&mut connections, flood, Flood::Lives), span / 2).await?;
    let streamed = filled.memory;
    let mut lost = filled.lost;
    for (what, count, kind) in [
        ("ten times as many", (10 * callers - WORKERS).min(flood), Flood::Lives),
        ("as many as may be, asking for work", flood, Flood::Polls),
        ("as many as may be", flood, Flood::Lives),
    ] {
        let spanned = spanned((served, client), (&mut connections, count, kind), span).await?;
        lost += spanned.lost;
        show((what, count, kind), spanned, (sustained, unloaded), table);
    }
    let after = spanned((served, client), (&mut connections, callers - WORKERS, Flood::Lives), span).await?;
    lost += after.lost;
    table.add(
        &format!("overload: lives of {callers} that never pause, after the floods"),
        format!(
            "{}, {:.0} % of those sustained before",
            per_second(after.rate()),
            100.0 * after.rate() / sustained
        ),
        "",
        &format!("all connections and streams still open; {}", after.shares),
    );
    stop.store(true, Ordering::Relaxed);
    for slow in slow {
        slow.abort();
    }
    table.add(
        "overload: memory of the server while the silent streams fill",
        format!("{:.0} MiB, {:.0} MiB", streamed.0 / MIB, streamed.1 / MIB),
        "",
        &format!("{} streams that nobody reads, in the first flood", streams.len()),
    );
    table.add(
        "overload: leases that ended falsely",
        lost.to_string(),
        "0",
        &format!("leases of {LEASE_MS} ms; {WORKERS} workers, {ASKING} that only ask; {} streams and {SLOW} slow senders all the while", streams.len()),
    );
    Ok(())
}

/// Prints one span.
fn show(
    (what, count, kind): (&str, usize, Flood),
    spanned: Spanned,
    (sustained, unloaded): (f64, f64),
    table: &mut Table,
) {
    let done = spanned.rate();
    let Spanned { mut workers, mut others, shares, memory: (began, most), seconds, .. } = spanned;
    let lives = workers.lives + others.lives;
    let rate = |count: usize| count as f64 / seconds;
    let requests = rate(workers.admitted.len() + others.admitted.len());
    let goodput = match kind {
        Flood::Lives => format!("{}, {:.0} %", per_second(done), 100.0 * done / sustained),
        Flood::Polls => format!(
            "{} and {} other requests, {:.0} % of requests",
            per_second(done),
            per_second(requests - 3.0 * done),
            100.0 * requests / (3.0 * sustained)
        ),
    };
    let on = format!("{WORKERS} workers beside {count} connections that never wait; {shares}");
    table.add(&format!("overload, {what}: lives done, of those sustained"), goodput, "90 %", &on);
    let under_way = match kind {
        Flood::Lives => format!(", {:.1} ms of the flood's work under way", p99(&mut others.owed)),
        Flood::Polls => String::new(),
    };
    let own = workers.admitted.len();
    table.add(
        &format!("overload, {what}: p99 of admitted requests"),
        format!("{:.1} ms of the workers' {own}{under_way}", p99(&mut workers.admitted)),
        "5 x, or 250 ms",
        &format!("{unloaded:.1} ms without the others"),
    );
    let busy = workers.busy.len() + others.busy.len();
    table.add(
        &format!("overload, {what}: answered busy, p99 of that"),
        format!(
            "{busy} of {}, {:.1} ms",
            busy + workers.admitted.len() + others.admitted.len(),
            p99(&mut workers.busy)
        ),
        "",
        &format!(
            "p99 of those who wait as they are told; any other refusal: {}",
            workers.other + others.other
        ),
    );
    table.add(
        &format!("overload, {what}: memory of the server"),
        format!("{:.0} MiB, {:.0} MiB ({:.2} x)", began / MIB, most / MIB, most / began),
        "1.25 x",
        &format!("resident, all connections open and used, and the most; {lives} tasks more are kept"),
    );
}

/// Lets the workers work for `span`, beside `count` of `connections`.
async fn spanned(
    (served, client): (&Served, &Client),
    (connections, count, kind): (&mut Vec<Connection>, usize, Flood),
    span: Duration,
) -> anyhow::Result<Spanned> {
    let stop = Arc::new(AtomicBool::new(false));
    let (begun, began) = (served.used()?, served.resident()?);
    let started = Instant::now();
    let floods: Vec<_> = connections
        .drain(..count)
        .enumerate()
        .map(|(index, connection)| {
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                match kind {
                    Flood::Lives => lives(connection, format!("other-{index}"), false, &stop).await,
                    Flood::Polls => polls(connection, index % IDLE, &stop).await,
                }
            })
        })
        .collect();
    let mut workers = Vec::new();
    for index in 0..WORKERS {
        let (connection, stop) = (Connection::open(served.address, &served.token).await?, Arc::clone(&stop));
        let worker = async move { lives(connection, format!("worker-{index}"), true, &stop).await };
        workers.push(tokio::spawn(worker));
    }
    let mut asking = Vec::new();
    for index in 0..ASKING {
        let connection = Connection::open(served.address, &served.token).await?;
        asking.push(tokio::spawn(asks(connection, index, Arc::clone(&stop))));
    }
    let (mut most, mut heard) = (began, None);
    while started.elapsed() < span {
        most = most.max(served.resident()?);
        tokio::time::sleep(Duration::from_millis(50)).await;
        if heard.is_none() && started.elapsed() > span / 4 {
            // By now every worker has called again.
            heard = Some(position(client)?);
        }
    }
    let end = position(client)?;
    stop.store(true, Ordering::Relaxed);
    let seconds = started.elapsed().as_secs_f64();
    let shares = served.used()?.since(&begun, started.elapsed());
    let (mut all, mut others) = (Answers::default(), Answers::default());
    for worker in workers {
        all.join(worker.await??.1);
    }
    for asking in asking {
        asking.await??;
    }
    for flood in floods {
        let (connection, answers) = flood.await??;
        connections.push(connection);
        others.join(answers);
    }
    let lost = lost(client, heard.unwrap_or(end), end)?;
    Ok(Spanned { workers: all, others, shares, memory: (began, most), lost, seconds })
}

/// Does whole lives of tasks until it is told to stop; one that is `patient` waits as long as it is told to.
async fn lives(
    mut connection: Connection,
    agent: String,
    patient: bool,
    stop: &AtomicBool,
) -> anyhow::Result<(Connection, Answers)> {
    let next = format!("/v1/agents/{agent}/next");
    let task = format!(r#"{{"title":"Do it","agent":"{agent}","requires":[{{"capability":"worker"}}]}}"#);
    let mut answers = Answers::default();
    'lives: while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let (status, answer) = connection.post("/v1/tasks", task.as_bytes()).await?;
        if !stop.load(Ordering::Relaxed) {
            answers.note(status, began);
            answers.halves += u32::from(status == 201);
        }
        if status != 201 {
            let told = told(answer);
            rest(&mut connection, &agent, told.filter(|_| patient), stop).await?;
            continue;
        }
        let assigned: Assignments = loop {
            let began = Instant::now();
            let (status, answer) = connection.post(&next, b"{}").await?;
            if !stop.load(Ordering::Relaxed) {
                answers.note_owed(status, began);
            }
            if status == 200 {
                break serde_json::from_slice(answer)?;
            }
            let told = told(answer);
            rest(&mut connection, &agent, told.filter(|_| patient), stop).await?;
            if stop.load(Ordering::Relaxed) {
                break 'lives;
            }
        };
        for Assignment { task, assignment, .. } in assigned.assignments {
            let body = format!(r#"{{"agent":"{agent}","assignment":"{assignment}"}}"#);
            loop {
                let began = Instant::now();
                let (status, answer) =
                    connection.post(&format!("/v1/tasks/{task}/done"), body.as_bytes()).await?;
                if !stop.load(Ordering::Relaxed) {
                    answers.note_owed(status, began);
                    answers.halves += u32::from(status == 200);
                    answers.lives += u32::from(status == 200);
                }
                if status == 200 {
                    break;
                }
                ensure!(status == 503, "done is answered {status}");
                let told = told(answer);
                rest(&mut connection, &agent, told.filter(|_| patient), stop).await?;
            }
        }
    }
    Ok((connection, answers))
}

/// Returns how long a caller was told to stay away.
fn told(answer: &[u8]) -> Option<Duration> {
    let problem: Problem = serde_json::from_slice(answer).ok()?;
    problem.retry_after_ms.map(Duration::from_millis)
}

/// Waits, and sends signs of life meanwhile.
async fn rest(
    connection: &mut Connection,
    agent: &str,
    told: Option<Duration>,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    let Some(told) = told else { return Ok(()) };
    let until = Instant::now() + told;
    while !stop.load(Ordering::Relaxed) {
        let left = until.saturating_duration_since(Instant::now());
        tokio::time::sleep(left.min(SIGN)).await;
        if left <= SIGN {
            break;
        }
        connection.post(&format!("/v1/agents/{agent}/heartbeat"), b"").await?;
    }
    Ok(())
}

/// Asks for work that there is none of, and waits as it is told; nothing else is heard of its agent.
async fn asks(mut connection: Connection, index: usize, stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    let next = format!("/v1/agents/asking-{index}/next");
    while !stop.load(Ordering::Relaxed) {
        let (status, answer) = connection.post(&next, b"{}").await?;
        let told = if status == 503 { told(answer) } else { None };
        tokio::time::sleep(told.unwrap_or(SIGN).min(SIGN)).await;
    }
    Ok(())
}

async fn polls(
    mut connection: Connection,
    idle: usize,
    stop: &AtomicBool,
) -> anyhow::Result<(Connection, Answers)> {
    let mut answers = Answers::default();
    let next = format!("/v1/agents/idle-{idle}/next");
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let (status, _) = connection.post(&next, b"{}").await?;
        if !stop.load(Ordering::Relaxed) {
            answers.note(status, began);
        }
    }
    Ok((connection, answers))
}

/// Counts the leases of workers, and of those who ask, that ended between two positions of the log.
fn lost(client: &Client, begun: u64, end: u64) -> anyhow::Result<u32> {
    let (mut after, mut workers) = (begun, 0);
    loop {
        let page = client.events(after, 1_000, &[("kind", "agent.unreachable")])?;
        for event in &page.events {
            let agent = event.agent.as_deref().unwrap_or_default();
            let ours = agent.starts_with("worker-") || agent.starts_with("asking-");
            workers += u32::from(ours && event.position <= end);
        }
        if page.at_end || page.next_after >= end {
            return Ok(workers);
        }
        after = page.next_after;
    }
}

async fn register(served: &Served, flood: usize) -> anyhow::Result<()> {
    let mut lines = String::new();
    let lease = format!(r#","lease_ms":{LEASE_MS}"#);
    for (kind, capability, count, lease) in [
        ("worker", "worker", WORKERS, lease.as_str()),
        ("asking", "asking", ASKING, lease.as_str()),
        ("other", "worker", flood, ""),
        ("idle", "idle", IDLE, ""),
    ] {
        for index in 0..count {
            lines += &format!(
                "{{\"register\":{{\"name\":\"{kind}-{index}\",\"capabilities\":{{\"{capability}\":1.0}}{lease}}}}}\n"
            );
            lines += &format!("{{\"heartbeat\":{{\"agent\":\"{kind}-{index}\"}}}}\n");
        }
    }
    Connection::open(served.address, &served.token).await?.bulk(lines.as_bytes()).await?;
    Ok(())
}

/// Returns the last durable position of the log.
fn position(client: &Client) -> anyhow::Result<u64> {
    Ok(client.health()?.durable_position)
}

async fn silent_streams(served: &Served, after: u64) -> anyhow::Result<Vec<TcpStream>> {
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let mut stream = TcpStream::connect(served.address).await?;
        let head = format!(
            "GET /v1/events/stream?after={after} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\naccept: text/event-stream\r\n\r\n",
            served.address, served.token
        );
        stream.write_all(head.as_bytes()).await?;
        let mut first = [0; 12];
        stream.read_exact(&mut first).await?;
        if &first[9..12] == b"200" {
            streams.push(stream);
        }
    }
    Ok(streams)
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
