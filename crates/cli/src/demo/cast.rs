//! The agents of the demo as processes, and what happens to two of them.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use kapell_api::{Client, Status};
use rustix::process::{Pid, Signal, kill_process};

use super::narrator::Narrator;

/// How long the silent one stays silent: beyond lease and grace, so that its work is taken away.
const SILENCE: Duration = Duration::from_millis(2_300);
/// How long a killed agent stays away before somebody starts it again.
const ABSENCE: Duration = Duration::from_millis(3_500);

struct Player {
    token: String,
    process: Child,
}

/// What is to happen yet.
#[derive(Debug, Clone, PartialEq)]
enum Cue {
    /// Once a fifth of the work is done, somebody in the middle of a task is killed.
    Kill,
    /// It is started again at this moment.
    Restart(String, Instant),
    /// Once a third is done, somebody in the middle of a long task falls silent.
    Silence,
    /// It comes back at this moment.
    Return(String, Instant),
    /// It has come back, and its late result must arrive before this moment.
    Offer(Instant),
}

/// The agents.
pub struct Cast {
    server: String,
    ms_per_hour: f64,
    fails: u64,
    players: BTreeMap<String, Player>,
    cues: Vec<Cue>,
}

impl Cast {
    /// Returns an empty stage.
    pub fn new(server: &str, ms_per_hour: f64, fails: u64) -> Self {
        let cues = vec![Cue::Kill, Cue::Silence];
        Self { server: server.to_owned(), ms_per_hour, fails, players: BTreeMap::new(), cues }
    }

    /// Starts an agent.
    pub fn enter(&mut self, name: &str, token: &str) -> anyhow::Result<()> {
        let process = self.start(name, token)?;
        self.players.insert(name.to_owned(), Player { token: token.to_owned(), process });
        Ok(())
    }

    fn start(&self, name: &str, token: &str) -> anyhow::Result<Child> {
        let program = std::env::current_exe().context("the program's own path")?;
        Command::new(program)
            .args(["scripted-agent", "--at", &self.server, "--name", name])
            .args(["--quiet-on", super::prologue::QUIET])
            .args(["--ms-per-hour", &self.ms_per_hour.to_string(), "--fails", &self.fails.to_string()])
            .env("KAPELL_AGENT_TOKEN", token)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("starting agent {name}"))
    }

    /// Tells whether somebody is away who is to come back.
    pub fn has_cues(&self) -> bool {
        self.cues.iter().any(|cue| !matches!(cue, Cue::Kill | Cue::Silence))
    }

    /// Does what is due.
    pub fn cues(&mut self, client: &Client, status: &Status, narrator: &Narrator) -> anyhow::Result<()> {
        let ended = status.tasks.completed + status.tasks.cancelled + status.tasks.failed;
        for cue in std::mem::take(&mut self.cues) {
            let next = match &cue {
                Cue::Kill if ended * 5 >= status.tasks.total && narrator.moved() => {
                    self.kill(client, narrator)?
                }
                Cue::Silence if ended * 3 >= status.tasks.total && narrator.moved() => {
                    self.silence(client, narrator)?
                }
                Cue::Restart(name, at) if Instant::now() >= *at => {
                    self.restart(name, narrator)?;
                    continue;
                }
                Cue::Return(name, at) if Instant::now() >= *at => {
                    self.signal(name, Signal::CONT)?;
                    narrator.say(&format!("{name} comes back, and knows nothing of it"));
                    Some(Cue::Offer(Instant::now() + Duration::from_secs(15)))
                }
                Cue::Offer(until) if status.offers_open > 0 || Instant::now() >= *until => continue,
                _ => None,
            };
            self.cues.push(next.unwrap_or(cue));
        }
        Ok(())
    }

    /// Finds an agent in the middle of a task, the one with the longest way to go.
    fn busy(&self, client: &Client) -> anyhow::Result<Option<(String, String)>> {
        let tasks = client.tasks(&[("state", "in_progress")])?;
        let away = |owner: &str| {
            self.cues
                .iter()
                .any(|cue| matches!(cue, Cue::Restart(name, _) | Cue::Return(name, _) if name == owner))
        };
        // Whoever says nothing is a scene of its own.
        let tasks = tasks.into_iter().filter(|task| task.key.as_deref() != Some(super::prologue::QUIET));
        let candidates = tasks.filter(|task| task.progress_percent.is_none_or(|percent| percent < 50));
        let candidates =
            candidates.filter_map(|task| Some((task.estimate_hours, task.owner.clone()?, task.id)));
        let longest = candidates.filter(|(_, owner, _)| !away(owner)).max_by(|a, b| a.0.total_cmp(&b.0));
        Ok(longest.map(|(_, owner, task)| (owner, task)))
    }

    fn kill(&mut self, client: &Client, narrator: &Narrator) -> anyhow::Result<Option<Cue>> {
        let Some((name, task)) = self.busy(client)? else { return Ok(None) };
        let player = self.players.get_mut(&name).context("an owner is on the stage")?;
        player.process.kill()?;
        player.process.wait()?;
        narrator.say(&format!("{name} is killed (SIGKILL) in the middle of {task}"));
        Ok(Some(Cue::Restart(name, Instant::now() + ABSENCE)))
    }

    fn restart(&mut self, name: &str, narrator: &Narrator) -> anyhow::Result<()> {
        let token = self.players.get(name).context("it was on the stage")?.token.clone();
        self.enter(name, &token)?;
        narrator.say(&format!("{name} is started again"));
        Ok(())
    }

    fn silence(&mut self, client: &Client, narrator: &Narrator) -> anyhow::Result<Option<Cue>> {
        let Some((name, task)) = self.busy(client)? else { return Ok(None) };
        self.signal(&name, Signal::STOP)?;
        narrator.say(&format!("{name} falls silent (SIGSTOP) in the middle of {task}"));
        Ok(Some(Cue::Return(name, Instant::now() + SILENCE)))
    }

    fn signal(&self, name: &str, signal: Signal) -> anyhow::Result<()> {
        let process = self.players.get(name).context("it is on the stage")?.process.id();
        let pid = i32::try_from(process).ok().and_then(Pid::from_raw).context("a process id")?;
        Ok(kill_process(pid, signal)?)
    }
}

impl Drop for Cast {
    /// Nobody outlives the play.
    fn drop(&mut self) {
        for player in self.players.values_mut() {
            let _ = player.process.kill();
            let _ = player.process.wait();
        }
    }
}
