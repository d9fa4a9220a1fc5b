//! `kapell demo`: a server on an embedded store in a temporary directory, and a team of scripted agents as processes
//! of their own. One has too much and is relieved, two tasks wait for each other, one agent says nothing about its work,
//! one is killed in the middle of a task, one falls silent and comes back with a late result.

mod cast;
mod narrator;
mod prologue;
mod summary;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use kapell_api::{
    AckTimes, AgentRegistration, Balancing, CapabilityDefinition, Client, NewToken, Policy, Reporting,
    Stalls, TaskSubmission,
};
use kapell_server::{ServeOptions, WebhookOptions};
use tokio::sync::oneshot;

use crate::command::import as command_import;
use crate::exit::Exit;
use crate::{import, output, team};
use cast::Cast;
use narrator::Narrator;

/// Scaled work of the whole backlog, were it spread evenly: keeps the demo well under a minute.
const WORK: Duration = Duration::from_secs(11);
/// Scaled length of the longest chain of dependencies.
const CHAIN: Duration = Duration::from_secs(14);
/// With nobody at work and nothing happening for so long, what is left cannot be done by this team.
const STUCK: Duration = Duration::from_secs(12);
/// The longest demo.
const LONGEST: Duration = Duration::from_secs(300);
/// Of a hundred first attempts, so many fail.
const FAILS: u64 = 6;
/// An owner that says nothing about its work for so long is asked.
const QUIET_MS: i64 = 3_000;
/// An agent that is silent for so long has missed its lease.
const LEASE_MS: i64 = 1_200;
/// And for so much longer, it is offline.
const GRACE_MS: i64 = 400;

#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Your own backlog: whatever `kapell import` reads
    #[arg(long, value_name = "FILE")]
    backlog: Option<PathBuf>,
    /// Your own team: TOML
    #[arg(long, value_name = "FILE")]
    team: Option<PathBuf>,
    /// Keep the data directory, here
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// What a demo is played with.
struct Play {
    tasks: Vec<TaskSubmission>,
    later: Vec<(String, String, String)>,
    team: Vec<AgentRegistration>,
    capabilities: Vec<(String, CapabilityDefinition)>,
    /// Whether backlog and team are the bundled ones, for which the scenes of the prologue are made.
    bundled: bool,
}

impl Demo {
    pub fn run(self) -> anyhow::Result<Exit> {
        let play = self.play()?;
        let temporary = tempfile::Builder::new().prefix("kapell-demo-").tempdir()?;
        let data = self.keep.clone().unwrap_or_else(|| temporary.path().join("data"));
        let server = Server::start(&data)?;
        let client = Client::new(&server.url, &server.token).with_patience(Duration::from_secs(10));
        let played = act(&client, &server, &play);
        let told = played.and_then(|ended| Ok((ended, summary::tell(&client)?)));
        server.stop()?;
        let (ended, well) = told?;
        let whole = summary::verify(&data)?;
        if let Some(keep) = &self.keep {
            eprintln!("the data is kept in {}; look at it with `kapell up --data {0}`", keep.display());
        }
        Ok(if ended && well && whole { Exit::Ok } else { Exit::Error })
    }

    fn play(&self) -> anyhow::Result<Play> {
        let imported = match &self.backlog {
            Some(path) => {
                let imported = import::read(path, None, false)?;
                eprintln!("{}", imported.report);
                imported
            }
            None => import::read_bytes(
                "the demo's backlog",
                include_bytes!("../assets/demo-backlog.jsonl"),
                Some(import::Format::Kapell),
                true,
            )?,
        };
        let team = match &self.team {
            Some(path) => team::read(path)?,
            None => team::read_text("the demo's team", include_str!("../assets/demo-team.toml"))?,
        };
        let agents = team.agents.into_iter();
        let agents = agents.map(|agent| AgentRegistration { lease_ms: Some(LEASE_MS), ..agent }).collect();
        let capabilities = team.capabilities;
        let bundled = self.backlog.is_none() && self.team.is_none();
        Ok(Play { tasks: imported.tasks, later: imported.later, team: agents, capabilities, bundled })
    }
}

/// Plays it. Returns whether every task has ended.
fn act(client: &Client, server: &Server, play: &Play) -> anyhow::Result<bool> {
    client.set_policy(&policy(client.policy()?, play.bundled)).context("the demo's policy")?;
    let mut cast = Cast::new(&server.url, scale(play), FAILS);
    for (name, definition) in &play.capabilities {
        client.define_capability(name, definition).with_context(|| format!("defining {name}"))?;
    }
    let mut first = None;
    for agent in &play.team {
        client.register(agent).with_context(|| format!("registering {}", agent.name))?;
    }
    let mut narrator = Narrator::new(client)?;
    if play.bundled {
        prologue::overload(client)?;
    }
    for agent in &play.team {
        let name = agent.name.clone();
        let token = NewToken {
            access: "agent".to_owned(),
            agent: Some(name.clone()),
            label: "demo".to_owned(),
            expires_in_ms: None,
        };
        let token = client.make_token(&token)?.token;
        if play.bundled && name == prologue::FIRST {
            first = Some(token);
        } else {
            cast.enter(&name, &token)?;
        }
    }
    if let Some(token) = first {
        prologue::relief(client, &mut cast, &mut narrator, &token)?;
    }
    for refusal in command_import::submit(client, &play.tasks, |_| {})?.not_taken() {
        eprintln!("refused: {}", output::plain(&refusal));
    }
    for (task, on, kind) in &play.later {
        client.add_dependency(task, on, kind).with_context(|| format!("{task} {kind} {on}"))?;
    }
    let started = Instant::now();
    let (mut position, mut moved) = (0, Instant::now());
    loop {
        let status = client.status()?;
        narrator.show(&status);
        let open = status.tasks.total - status.tasks.completed - status.tasks.failed - status.tasks.cancelled;
        if open == 0 && !cast.has_cues() {
            break;
        }
        cast.cues(client, &status, &narrator)?;
        if status.position != position {
            (position, moved) = (status.position, Instant::now());
        }
        if moved.elapsed() > STUCK || started.elapsed() > LONGEST {
            narrator.end();
            eprintln!("{open} tasks are left, and nobody of this team can take them:");
            summary::stuck(client)?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(60));
    }
    narrator.end();
    Ok(true)
}

/// Returns how many milliseconds an hour of estimated work takes, so that the whole lasts well under a minute.
fn scale(play: &Play) -> f64 {
    let open = |task: &&TaskSubmission| task.closed.is_none();
    let hours = |task: &TaskSubmission| task.estimate_hours.unwrap_or(4.0);
    let sum: f64 = play.tasks.iter().filter(open).map(hours).sum();
    let mut ends = std::collections::BTreeMap::new();
    let mut longest: f64 = 0.0;
    for task in &play.tasks {
        let before =
            task.depends_on.iter().filter_map(|on| ends.get(on.as_str()).copied()).fold(0.0, f64::max);
        let end = before + if task.closed.is_none() { hours(task) } else { 0.0 };
        longest = longest.max(end);
        if let Some(key) = &task.key {
            ends.insert(key.as_str(), end);
        }
    }
    let slots: f64 = play.team.iter().map(|agent| f64::from(agent.max_concurrent_tasks)).sum();
    let by_work = WORK.as_secs_f64() * 1e3 * slots.max(1.0) / sum.max(0.1);
    by_work.min(CHAIN.as_secs_f64() * 1e3 / longest.max(0.1)).min(2_000.0)
}

/// Returns the founding policy with short durations.
fn policy(founding: Policy, bundled: bool) -> Policy {
    let stalls = if bundled {
        Stalls { quiet_min_ms: QUIET_MS, quiet_share: 0.0, ..founding.stalls }
    } else {
        founding.stalls
    };
    Policy {
        stalls,
        balancing: Balancing { period_ms: 300, ..founding.balancing },
        reporting: founding.reporting.map(|reporting| Reporting { course_ms: 500, ..reporting }),
        grace_ms: GRACE_MS,
        ack_ms: AckTimes { critical: 5_000, high: 5_000, medium: 5_000, low: 5_000 },
        retry_backoff_ms: 200,
        retry_backoff_max_ms: 2_000,
        max_attempts: 5,
        on_failed_dependency: "cancel".to_owned(),
        ..founding
    }
}

/// The server, on threads of this process.
struct Server {
    url: String,
    token: String,
    stop: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<Result<(), kapell_server::ServeError>>,
}

impl Server {
    fn start(data: &std::path::Path) -> anyhow::Result<Self> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, serving) = std::sync::mpsc::channel();
        let options = ServeOptions {
            data: data.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            hosts: Vec::new(),
            mcp_fixtures: false,
            llm: None,
            webhooks: WebhookOptions::default(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let thread = std::thread::Builder::new().name("demo-server".to_owned()).spawn(move || {
            runtime.block_on(kapell_server::serve(
                options,
                |started| {
                    let _ = ready.send(started.address);
                },
                async {
                    let _ = stopped.await;
                },
            ))
        })?;
        let Ok(address) = serving.recv() else {
            let ended = thread.join().map_err(|_| anyhow::anyhow!("the server's thread broke"))?;
            ended?;
            anyhow::bail!("the server did not start");
        };
        let token = std::fs::read_to_string(data.join(kapell_server::ADMIN_TOKEN_FILE))?;
        Ok(Self { url: format!("http://{address}"), token: token.trim().to_owned(), stop, thread })
    }

    fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        Ok(self.thread.join().map_err(|_| anyhow::anyhow!("the server's thread broke"))??)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn bundled() -> Play {
        Demo { backlog: None, team: None, keep: None }.play().expect("the bundled play is sound")
    }

    #[test]
    fn every_bundled_task_has_two_agents_above_the_founding_threshold() {
        let play = bundled();
        for task in &play.tasks {
            let able = play.team.iter().filter(|agent| {
                let score = |need: &kapell_api::Requirement| {
                    agent.capabilities.get(&need.capability).copied().unwrap_or(0.0)
                };
                let weights: f64 = task.requires.iter().map(|need| need.weight).sum();
                let sum: f64 = task.requires.iter().map(|need| need.weight * score(need)).sum();
                let enough = task.requires.iter().all(|need| score(need) >= need.minimum);
                enough && 0.4 * sum / weights + 0.3 + 0.2 * 0.7 + 0.1 * 0.5 > 0.7001
            });
            let names: Vec<_> = able.map(|agent| agent.name.as_str()).collect();
            assert!(names.len() >= 2, "{:?} has only {names:?}", task.key);
        }
    }

    #[test]
    fn the_bundled_backlog_is_what_the_demo_promises() {
        let play = bundled();
        let projects: BTreeSet<_> = play.tasks.iter().filter_map(|task| task.project.as_deref()).collect();
        assert_eq!((play.tasks.len(), projects.len(), play.team.len()), (60, 5, 9));
        let keys: BTreeSet<_> = play.tasks.iter().filter_map(|task| task.key.as_deref()).collect();
        assert_eq!(keys.len(), 60);
        assert!(play.tasks.iter().flat_map(|task| &task.depends_on).all(|on| keys.contains(on.as_str())));
    }
}
