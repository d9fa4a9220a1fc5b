//! A scripted agent: a process of its own that speaks the published API like any agent. It works in scaled time,
//! reports progress, and sometimes fails a first attempt.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kapell_api::{Assignment, Client, DoneReport, ErrorCode, FailReport, ProgressReport, StartReport};

use crate::exit::Exit;

/// How often a scripted agent heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// The longest that it says nothing, should nobody ever tell it anything.
const QUIET_LONGEST: Duration = Duration::from_secs(30);
/// Hours that a task takes where nobody has estimated it.
const HOURS_DEFAULT: f64 = 4.0;

#[derive(Debug, clap::Args)]
pub struct Scripted {
    /// The server
    #[arg(long = "at")]
    server: String,
    /// Its name
    #[arg(long)]
    name: String,
    /// Milliseconds that an hour of estimated work takes
    #[arg(long)]
    ms_per_hour: f64,
    /// The key of the task about which it says nothing at the first attempt, until it is told that the task has gone
    #[arg(long)]
    quiet_on: Option<String>,
    /// Of a hundred first attempts, so many fail
    #[arg(long, default_value_t = 0)]
    fails: u64,
}

impl Scripted {
    /// Works until it is ended or the server has gone.
    pub fn run(self) -> anyhow::Result<Exit> {
        // The token comes through the environment: a command line can be read by everybody on the machine.
        let token = std::env::var("KAPELL_AGENT_TOKEN").unwrap_or_default();
        let client = Client::new(&self.server, &token);
        let over = Arc::new(AtomicBool::new(false));
        let beating = self.heartbeat(client.clone(), Arc::clone(&over));
        while !over.load(Ordering::Relaxed) {
            let Ok(next) = client.next(&self.name, 4, Duration::from_secs(2)) else { break };
            // Several at once where it has several slots: each in its own thread, as a team of one would.
            std::thread::scope(|scope| {
                for assignment in &next.assignments {
                    scope.spawn(|| self.work(&client, assignment));
                }
            });
        }
        over.store(true, Ordering::Relaxed);
        let _ = beating.join();
        Ok(Exit::Ok)
    }

    fn heartbeat(&self, client: Client, over: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
        let name = self.name.clone();
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                if client.heartbeat(&name).is_err() {
                    over.store(true, Ordering::Relaxed);
                }
                std::thread::sleep(HEARTBEAT);
            }
        })
    }

    /// Does one task. A report that comes too late ends it; the server has kept the result.
    fn work(&self, client: &Client, it: &Assignment) {
        let agent = || self.name.clone();
        let assignment = || it.assignment.clone();
        let start = StartReport { task: None, agent: agent(), assignment: assignment() };
        if client.start(&it.task, &start).is_err() {
            return;
        }
        if it.attempt == 1 && it.key.is_some() && it.key == self.quiet_on {
            self.say_nothing(client, &it.task);
            return;
        }
        // Work that has really begun stays with who began it.
        let begun = ProgressReport {
            task: None,
            agent: agent(),
            assignment: assignment(),
            percent: Some(12),
            note: Some("looking around".to_owned()),
            usage: None,
        };
        let _ = client.progress(&it.task, &begun);
        let hours = it.estimate_hours.unwrap_or(HOURS_DEFAULT);
        let share = 0.7 + f64::from(u32::try_from(chance(it) % 60).unwrap_or(0)) / 100.0;
        let quarter =
            Duration::from_secs_f64((hours * share * self.ms_per_hour / 4_000.0).clamp(0.001, 60.0));
        let fails = it.attempt == 1 && (chance(it) >> 8) % 100 < self.fails;
        for part in 1..=4_u8 {
            std::thread::sleep(quarter);
            if fails && part == 2 {
                let reason = "the first approach did not pass the tests".to_owned();
                let report = FailReport {
                    task: None,
                    agent: agent(),
                    assignment: assignment(),
                    reason,
                    retry: true,
                    usage: None,
                };
                let _ = client.fail(&it.task, &report);
                return;
            }
            if part < 4 {
                let note = Some(["reading", "writing", "testing"][usize::from(part) - 1].to_owned());
                let percent = Some(part * 25);
                let report = ProgressReport {
                    task: None,
                    agent: agent(),
                    assignment: assignment(),
                    percent,
                    note,
                    usage: None,
                };
                // An outdated report of progress is no reason to throw the work away: the result may still be wanted.
                let _ = client.progress(&it.task, &report);
            }
        }
        let result = Some(format!("{} by {}, attempt {}", it.title, self.name, it.attempt));
        let done = client.done(
            &it.task,
            &DoneReport { task: None, agent: agent(), assignment: assignment(), result, usage: None },
        );
        if let Err(error) = done
            && error.problem().is_none_or(|problem| problem.code != ErrorCode::StaleAssignment)
        {
            eprintln!("{}: {error}", self.name);
        }
    }
}

impl Scripted {
    /// Is alive and says nothing about a task, until it is told that somebody else has it.
    fn say_nothing(&self, client: &Client, task: &str) {
        let until = Instant::now() + QUIET_LONGEST;
        let gone = |it: &kapell_api::Notice| it.kind == "moved" && it.task.as_deref() == Some(task);
        while Instant::now() < until && !client.notices(&self.name).is_ok_and(|all| all.iter().any(gone)) {
            std::thread::sleep(HEARTBEAT);
        }
    }
}

/// Returns a number that is the same for the same task and attempt, so that a demo fails the same way twice.
fn chance(it: &Assignment) -> u64 {
    let text = format!("{}/{}", it.key.as_ref().unwrap_or(&it.title), it.attempt);
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
        >> 7
}
