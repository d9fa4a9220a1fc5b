//! Kapell as its users have it: durable in SQLite, over HTTP. Client and server share this machine.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use kapell_api::{Assignment, Assignments, BulkAnswer};
use serde::Deserialize;

use crate::Options;
use crate::machine;
use crate::table::{Table, median, per_second};
use crate::wire::{Connection, Server};

/// Measures single requests: submit, next and done of 32 agents, beside an endpoint that does nothing.
pub fn measure_singles(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let trivial = trivial(Duration::from_secs(if options.quick { 1 } else { 3 })).await?;
        table.add(
            "trivial HTTP endpoint, 32 connections",
            per_second(trivial),
            "",
            "POST of 60 bytes, 40 back",
        );
        one_by_one(options, table, trivial).await
    })
}

/// Measures bulks, beside what the store does with the same rows.
pub fn measure_bulks(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    runtime()?.block_on(batched(options, table))
}

/// Measures the latency of an idle system.
pub fn measure_idle(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    runtime()?.block_on(idle(options, table))
}

/// Measures a layered backlog.
pub fn measure_layers(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    runtime()?.block_on(layers(options, table))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("client").enable_all().build()
}

async fn trivial(span: Duration) -> anyhow::Result<f64> {
    let answer = || async {
        ([("content-type", "application/json")], r#"{"task":"T-1","state":"ready","agent":"a"}"#)
    };
    let app = axum::Router::new().route("/v1/tasks", axum::routing::post(move |_: String| answer()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let mut clients = Vec::new();
    let started = Instant::now();
    for _ in 0..32 {
        clients.push(tokio::spawn(async move {
            let mut connection = Connection::open(address, "none").await?;
            let mut count = 0_u32;
            while started.elapsed() < span {
                let (status, _) = connection
                    .post("/v1/tasks", br#"{"title":"Add a retry to the client","priority":"high"}"#)
                    .await?;
                ensure!(status == 200, "{status}");
                count += 1;
            }
            Ok(count)
        }));
    }
    let mut total = 0.0;
    for client in clients {
        total += f64::from(client.await??);
    }
    let rate = total / started.elapsed().as_secs_f64();
    server.abort();
    Ok(rate)
}

fn register_lines(agents: usize, slots: u32) -> Vec<u8> {
    let mut lines = String::new();
    for index in 0..agents {
        lines +=
            &format!("{{\"register\":{{\"name\":\"agent-{index}\",\"max_concurrent_tasks\":{slots}}}}}\n");
        lines += &format!("{{\"heartbeat\":{{\"agent\":\"agent-{index}\"}}}}\n");
    }
    lines.into_bytes()
}

async fn one_by_one(options: &Options, table: &mut Table, trivial: f64) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let server = Server::start(directory.path()).await?;
    let mut connection = Connection::open(server.address, &server.token).await?;
    connection.bulk(&register_lines(32, 1)).await?;
    let span = Duration::from_secs(if options.quick { 2 } else { 6 });
    let mut clients = Vec::new();
    let started = Instant::now();
    for index in 0..32 {
        clients.push(tokio::spawn(lives(server.address, server.token.clone(), index, started, span)));
    }
    let mut total = 0.0;
    for client in clients {
        total += f64::from(client.await??);
    }
    let rate = total / started.elapsed().as_secs_f64();
    table.add(
        "one by one over HTTP: submit, next, done; 32 connections",
        format!(
            "{} tasks, {} requests, {:.0} % of the trivial endpoint",
            per_second(rate),
            per_second(rate * 3.0),
            rate * 300.0 / trivial
        ),
        "8,000 tasks/s; 30 %",
        "each reply durable; 32 agents",
    );
    server.stop().await
}

async fn lives(
    address: SocketAddr,
    token: String,
    index: usize,
    started: Instant,
    span: Duration,
) -> anyhow::Result<u32> {
    let mut connection = Connection::open(address, &token).await?;
    let agent = format!("agent-{index}");
    let next = format!("/v1/agents/{agent}/next");
    let mut count = 0;
    while started.elapsed() < span {
        let (status, answer) = connection
            .post("/v1/tasks", br#"{"title":"Add a retry to the payment client","priority":"high"}"#)
            .await?;
        ensure!(status == 201, "{status} {}", String::from_utf8_lossy(answer));
        let (status, answer) = connection.post(&next, br#"{"wait_ms":2000}"#).await?;
        ensure!(status == 200, "{status} {}", String::from_utf8_lossy(answer));
        let assigned: Assignments = serde_json::from_slice(answer)?;
        for Assignment { task, assignment, .. } in assigned.assignments {
            let body =
                format!(r#"{{"agent":"{agent}","assignment":"{assignment}","result":"merged as 1f2e3d"}}"#);
            let (status, answer) =
                connection.post(&format!("/v1/tasks/{task}/done"), body.as_bytes()).await?;
            ensure!(status == 200, "{status} {}", String::from_utf8_lossy(answer));
            count += 1;
        }
    }
    Ok(count)
}

async fn batched(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let tasks = if options.quick { 60_000 } else { 240_000 };
    let mut rates = Vec::new();
    let mut bytes_and_rows = (0, 0);
    for _ in 0..if options.quick { 1 } else { 5 } {
        let directory = tempfile::tempdir()?;
        let server = Server::start(directory.path()).await?;
        let mut connection = Connection::open(server.address, &server.token).await?;
        connection.bulk(&register_lines(1_000, 10)).await?;
        let started = Instant::now();
        let finished = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let share =
                    Share { client, tasks: tasks / CLIENTS, all: tasks, finished: Arc::clone(&finished) };
                tokio::spawn(batches(server.address, server.token.clone(), share))
            })
            .collect();
        for client in clients {
            client.await??;
        }
        rates.push(tasks as f64 / started.elapsed().as_secs_f64());
        server.stop().await?;
        bytes_and_rows = log_size(directory.path())?;
    }
    let rate = median(rates);
    let (bytes, rows) = bytes_and_rows;
    let bare = machine::store_rate(rows, bytes / rows.max(1))?;
    let bare_tasks = bare / (rows as f64 / tasks as f64);
    table.add(
        "the store alone, the same rows",
        format!("{} rows, enough for {} tasks", per_second(bare), per_second(bare_tasks)),
        "",
        &format!(
            "{:.1} rows a task of {} bytes on average, 20,000 rows a batch",
            rows as f64 / tasks as f64,
            bytes / rows.max(1)
        ),
    );
    table.add(
        "batched over HTTP, durable: submit, place, start, finish",
        format!("{} tasks, {:.0} % of the store alone", per_second(rate), rate * 100.0 / bare_tasks),
        "50,000/s, aim 100,000; 50 %",
        "4 connections, 6,000 tasks open, 1,000 agents of 10 slots, each reply durable",
    );
    Ok(())
}

/// Connections that send bulks.
const CLIENTS: usize = 4;

/// What one of the clients does: it submits `tasks` of `all` and serves every second agent.
struct Share {
    client: usize,
    tasks: usize,
    all: usize,
    finished: Arc<AtomicUsize>,
}

/// What a client looks at in a line of the answer, without a copy.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    ok: Option<Told<'a>>,
    #[serde(borrow, default)]
    assignments: Vec<Handed<'a>>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Told<'a> {
    state: Option<&'a str>,
}

#[derive(Deserialize)]
struct Handed<'a> {
    task: &'a str,
    assignment: &'a str,
    agent: &'a str,
}

/// Submits in bulks and does what its half of the agents is handed, until all tasks of both clients are finished.
async fn batches(address: SocketAddr, token: String, share: Share) -> anyhow::Result<()> {
    let mut connection = Connection::open(address, &token).await?;
    let mut submitted = 0_usize;
    let mut body = Vec::new();
    let mut reports: Vec<u8> = Vec::new();
    let started = Instant::now();
    loop {
        let finished = share.finished.load(Ordering::Relaxed);
        if finished == share.all {
            return Ok(());
        }
        ensure!(
            started.elapsed() < Duration::from_secs(120),
            "{finished} of {} after two minutes",
            share.all
        );
        body.clear();
        body.append(&mut reports);
        // Never more open than the fleet's slots take, so that no client can be left with nothing to do.
        let open = submitted.saturating_sub(finished / CLIENTS);
        for _ in 0..(share.tasks - submitted).min((6000 / CLIENTS).saturating_sub(open)) {
            body.extend_from_slice(
                b"{\"submit\":{\"title\":\"Add a retry to the payment client\",\"priority\":\"high\"}}\n",
            );
            submitted += 1;
        }
        for agent in (share.client..1_000).step_by(CLIENTS) {
            writeln!(body, "{{\"next\":{{\"agent\":\"agent-{agent}\",\"max\":10}}}}")?;
        }
        let answer = connection.bulk(&body).await?;
        for line in answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Line<'_> = serde_json::from_slice(line)?;
            ensure!(line.error.is_none(), "{:?}", line.error);
            if line.ok.is_some_and(|ack| ack.state == Some("completed")) {
                share.finished.fetch_add(1, Ordering::Relaxed);
            }
            for Handed { task, assignment, agent } in line.assignments {
                for verb in ["start", "done"] {
                    writeln!(
                        reports,
                        r#"{{"{verb}":{{"task":"{task}","agent":"{agent}","assignment":"{assignment}"}}}}"#
                    )?;
                }
            }
        }
    }
}

fn log_size(directory: &std::path::Path) -> anyhow::Result<(usize, usize)> {
    let connection = rusqlite::Connection::open(directory.join("kapell.db"))?;
    let sum = "select coalesce(sum(length(body) + length(actor) + length(kind)), 0), count(*) from ";
    let table = connection.query_row(
        "select name from sqlite_master where type = 'table' and sql like '%body%' limit 1",
        (),
        |row| row.get::<_, String>(0),
    )?;
    let (bytes, rows): (i64, i64) =
        connection.query_row(&format!("{sum}{table}"), (), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((usize::try_from(bytes)?, usize::try_from(rows)?))
}

async fn idle(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let server = Server::start(directory.path()).await?;
    let mut manager = Connection::open(server.address, &server.token).await?;
    manager.bulk(&register_lines(1, 1)).await?;
    let mut took = Vec::new();
    for _ in 0..if options.quick { 50 } else { 300 } {
        let mut agent = Connection::open(server.address, &server.token).await?;
        let waiting = tokio::spawn(async move {
            let (_, answer) = agent.post("/v1/agents/agent-0/next", br#"{"wait_ms":5000}"#).await?;
            let answer: Assignments = serde_json::from_slice(answer)?;
            Ok::<_, anyhow::Error>((Instant::now(), answer.assignments))
        });
        tokio::time::sleep(Duration::from_millis(3)).await;
        let started = Instant::now();
        let (status, _) = manager.post("/v1/tasks", br#"{"title":"Look into it"}"#).await?;
        ensure!(status == 201, "{status}");
        let (arrived, assignments) = waiting.await??;
        took.push(arrived.duration_since(started).as_secs_f64() * 1e6);
        let Assignment { task, assignment, .. } = &assignments[0];
        let body = format!(r#"{{"agent":"agent-0","assignment":"{assignment}"}}"#);
        manager.post(&format!("/v1/tasks/{task}/done"), body.as_bytes()).await?;
    }
    let commit = machine::commit(100, 2)? * 1e6;
    table.add(
        "idle: from submit to the waiting agent's answer",
        format!("{:.0} µs, a commit of bare SQLite is {commit:.0} µs", median(took)),
        "one commit + 500 µs",
        "one agent in a long poll, median",
    );
    server.stop().await
}

/// 100 layers of 100 tasks, three dependencies each, worked off by agents that report and fetch in bulks.
async fn layers(options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let mut took = Vec::new();
    for _ in 0..if options.quick { 1 } else { 3 } {
        let directory = tempfile::tempdir()?;
        let server = Server::start(directory.path()).await?;
        let mut connection = Connection::open(server.address, &server.token).await?;
        let mut lines = String::new();
        for layer in 0..100 {
            for place in 0..100 {
                let on = (0..3).map(|offset| format!("\"t{}.{}\"", layer - 1, (place + offset * 33) % 100));
                let on = if layer == 0 { String::new() } else { on.collect::<Vec<_>>().join(",") };
                lines += &format!(
                    "{{\"submit\":{{\"title\":\"Layer {layer}, place {place}\",\"key\":\"t{layer}.{place}\",\"depends_on\":[{on}]}}}}\n"
                );
            }
        }
        connection.bulk(lines.as_bytes()).await?;
        connection.bulk(&register_lines(100, 1)).await?;
        let fetch: String =
            (0..100).map(|agent| format!("{{\"next\":{{\"agent\":\"agent-{agent}\"}}}}\n")).collect();
        let started = Instant::now();
        let (mut done, mut reports) = (0, String::new());
        while done < 10_000 {
            let answer = connection.bulk(format!("{reports}{fetch}").as_bytes()).await?;
            reports.clear();
            for line in answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                match serde_json::from_slice(line)? {
                    BulkAnswer::Ok(_) => done += 1,
                    BulkAnswer::Error(problem) => anyhow::bail!("{problem}"),
                    BulkAnswer::Assignments(assignments) => {
                        for Assignment { task, assignment, agent, .. } in assignments {
                            reports += &format!(
                                "{{\"done\":{{\"task\":\"{task}\",\"agent\":\"{agent}\",\"assignment\":\"{assignment}\"}}}}\n"
                            );
                        }
                    }
                }
            }
            ensure!(started.elapsed() < Duration::from_secs(60), "{done} of 10,000 after a minute");
        }
        took.push(started.elapsed().as_secs_f64());
        server.stop().await?;
    }
    table.add(
        "10,000 tasks in 100 layers of 100, three dependencies each",
        format!("{:.2} s", median(took)),
        "0.5 s",
        "100 agents by one connection in bulks, durable",
    );
    Ok(())
}
