//! One assignment: prepare a place, start the agent, listen, stop it where it must stop, and tell how it went.

use std::io::{self, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use kapell_api::{
    Ack, ClientError, DoneReport, ErrorCode, FailReport, Problem, ProgressReport, ReleaseReport, StartReport,
    UsageReport,
};

use crate::acp::{self, Conversation};
use crate::config::{Input, WorktreePolicy};
use crate::crew::Crew;
use crate::dialect::{Dialect, Said, Usage};
use crate::environment::{self, Environment, MARKER};
use crate::ledger::{self, Run, Stage};
use crate::log::{LINE_BYTES_MAX, Log, MESSAGE_BYTES_MAX, each_line};
use crate::outcome::{Evidence, Outcome, Stopped, Word, cut, span};
use crate::permission::{self, Desk, Look};
use crate::redact::Redactor;
use crate::runner::Shared;
use crate::supervise::{self, Launch};
use crate::{check, git, process, prompt};

/// How often is looked whether a run should stop.
const TICK: Duration = Duration::from_millis(100);
/// Reports of progress of one run come no closer than this.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// An agent that prints, but names no progress, is reported by its last line this often.
const SIGN_EVERY: Duration = Duration::from_secs(300);
/// A run that was cut off with its runner is begun again so often.
const RESUMED_MAX: u32 = 5;
/// Lines that wait to be read; beyond it the agent waits.
const LINES_MAX: usize = 1_024;
/// Whoever is told that the runner stops waits no longer for the server than this.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);
/// The longest pause between two tries to reach the server.
const PAUSE_LONGEST: Duration = Duration::from_secs(10);
/// The longest single argument that the system takes, with room for what stands around it.
const ARGUMENT_BYTES_MAX: usize = 120 * 1024;
/// The longest result that is read from an agent's file.
const RESULT_FILE_BYTES_MAX: u64 = 256 * 1024;
/// Notes of progress, as reported.
const NOTE_BYTES_MAX: usize = 1_000;
/// Of a reason, on the runner's own line.
const WHY_BYTES_MAX: usize = 200;

/// What others tell a run.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    stopped: Mutex<Option<Stopped>>,
    status_asked: AtomicBool,
    finished: AtomicBool,
}

impl Signals {
    /// Has the run stop; the first reason counts.
    pub(crate) fn stop(&self, why: Stopped) {
        self.stopped.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(why);
    }

    /// Has the run say how far it is, if its agent has said anything.
    pub(crate) fn ask_status(&self) {
        self.status_asked.store(true, Ordering::Relaxed);
    }

    /// Says that its agent has ended: what is finished is no assignment any more, though its gates are still to be passed.
    pub(crate) fn finish(&self) {
        self.finished.store(true, Ordering::SeqCst);
    }

    pub(crate) fn finished(&self) -> bool {
        self.finished.load(Ordering::SeqCst)
    }

    pub(crate) fn stopped(&self) -> Option<Stopped> {
        *self.stopped.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Why a run could not even begin.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the worktree could not be made")]
    Worktree(#[source] git::GitError),
    #[error("the files of the run could not be written")]
    Files(#[from] io::Error),
    #[error("the prompt is too long for an argument; use {{prompt_file}}")]
    PromptTooLong,
    /// It was to stop before it had begun.
    #[error("it was to stop before it had begun")]
    Stopped(Stopped),
}

/// Works on an assignment up to the end, and tells the server.
pub(crate) fn work(crew: &Crew, mut run: Run, signals: &Signals) {
    let shared = &crew.shared;
    if run.stage == Stage::Working {
        let outcome = match Attempt::prepare(crew, &mut run, signals) {
            Ok(attempt) => {
                let (outcome, usage) = attempt.carry_out();
                run.usage = usage;
                outcome
            }
            Err(Trouble::Stopped(Stopped::Taken)) => Outcome::Taken,
            Err(Trouble::Stopped(_)) => {
                Outcome::Released { note: "the runner stopped before it had begun".to_owned() }
            }
            Err(trouble) => {
                crew.hold();
                Outcome::Released { note: cut(&chain(&trouble), NOTE_BYTES_MAX) }
            }
        };
        run.stage = Stage::Ended(outcome);
        keep(shared, &run);
    }
    signals.finish();
    if let Stage::Ended(outcome) = run.stage.clone()
        && report(shared, &run, &outcome)
    {
        if matches!(outcome, Outcome::Done { .. }) {
            run.stage = Stage::Finished;
            keep(shared, &run);
        } else {
            put_away(shared, &mut run, false);
        }
    }
    if run.stage == Stage::Finished && check::is_over(crew, &mut run, signals) {
        put_away(shared, &mut run, true);
    }
}

/// Closes a run that was cut off and that nobody waits for any more, or that no agent of the file can go on with.
pub(crate) fn give_up(shared: &Shared, mut run: Run, outcome: Outcome) {
    if run.stage == Stage::Working {
        save_work(shared, &run, false);
        run.stage = Stage::Ended(outcome);
        keep(shared, &run);
    }
    if let Stage::Ended(outcome) = run.stage.clone()
        && report(shared, &run, &outcome)
    {
        put_away(shared, &mut run, matches!(outcome, Outcome::Done { .. }));
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text += &format!(": {cause}");
        next = cause.source();
    }
    text
}

pub(crate) fn keep(shared: &Shared, run: &Run) {
    if let Err(error) = shared.ledger.write(run) {
        shared.tell(&format!("{}: what is under way cannot be written: {error}", run.assignment.assignment));
    }
}

/// A run that is prepared.
struct Attempt<'a> {
    crew: &'a Crew,
    run: &'a Run,
    signals: &'a Signals,
    launch: Launch,
    environment: Environment,
    result_file: std::path::PathBuf,
    prompt: String,
    /// A name that no other start has.
    start: String,
    /// What was used under this assignment before, by an agent that its runner has lost.
    before: kapell_api::Usage,
}

impl<'a> Attempt<'a> {
    fn prepare(crew: &'a Crew, run: &'a mut Run, signals: &'a Signals) -> Result<Self, Trouble> {
        let shared = &crew.shared;
        let it = run.assignment.clone();
        let (agent, assignment) = (it.agent.clone(), it.assignment.clone());
        let report = StartReport { task: None, agent, assignment };
        answered(shared, signals, || shared.client.start(&it.task, &report))?;
        if run.resumed > 0 || it.started {
            // What an agent that was lost with its runner wanted leave for, nobody waits for any more.
            answered(shared, signals, || {
                permission::withdraw(&(&shared.client, &*run), "its runner begins it again")
            })?;
        }
        let task = answered(shared, signals, || shared.client.task(&it.task))?;
        let mut results = Vec::new();
        for wanted in prompt::wanted(&task) {
            results.push(answered(shared, signals, || shared.client.task(wanted))?);
        }
        let resumed = run.resumed > 0 && git::stands(&run.worktree, &run.branch);
        let earlier = shared.repository.branches(&it.task).map_err(Trouble::Worktree)?;
        if !resumed {
            make_place(shared, run)?;
        }
        let folder = shared.ledger.folder(&it.assignment);
        let result_file = folder.join("result.md");
        if result_file.exists() {
            std::fs::remove_file(&result_file)?;
        }
        let earlier: Vec<String> = earlier.into_iter().filter(|name| *name != run.branch).collect();
        let place = prompt::Place {
            worktree: &run.worktree.display().to_string(),
            branch: &run.branch,
            base: &run.base,
            result_file: &result_file.display().to_string(),
            earlier: &earlier,
            resumed,
        };
        let prompt = prompt::write(&it, &task, &results, &place);
        let prompt_file = folder.join("prompt.md");
        std::fs::write(&prompt_file, &prompt)?;
        let fill = |name: &str| match name {
            "agent" => it.agent.clone(),
            "assignment" => it.assignment.clone(),
            "attempt" => it.attempt.to_string(),
            "branch" => run.branch.clone(),
            "prompt" => prompt.clone(),
            "prompt_file" => prompt_file.display().to_string(),
            "repository" => shared.repository.root.display().to_string(),
            "result_file" => result_file.display().to_string(),
            "task" => it.task.clone(),
            _ => run.worktree.display().to_string(),
        };
        let mut words = crew.agent.command.iter().map(|word| word.fill(fill));
        let program = words.next().unwrap_or_default();
        let arguments: Vec<String> = words.collect();
        if arguments.iter().any(|word| word.len() > ARGUMENT_BYTES_MAX) {
            return Err(Trouble::PromptTooLong);
        }
        let input = (crew.agent.input == Input::Prompt).then(|| prompt_file.clone());
        let talks = crew.agent.output == Dialect::Acp;
        let launch = Launch { program, arguments, directory: run.worktree.clone(), input, talks };
        let environment = environment::of(&crew.agent, shared.environment(), fill, &[&shared.token]);
        let known = task.cost.iter().flat_map(|cost| &cost.attempts);
        let known = known.filter(|_| run.resumed > 0).find(|attempt| attempt.assignment == it.assignment);
        let before = known.map(|attempt| attempt.usage).unwrap_or_default();
        let start = ledger::nonce()?;
        Ok(Self { crew, run, signals, launch, environment, result_file, prompt, start, before })
    }

    /// Starts the agent and stays with it until its last process has gone.
    fn carry_out(&self) -> (Outcome, Option<kapell_api::Usage>) {
        let shared = &self.crew.shared;
        let it = &self.run.assignment;
        let begun = Instant::now();
        let mut child = match self.start() {
            Ok(child) => child,
            Err(error) => {
                self.crew.hold();
                let note = format!("the supervisor could not be started: {error}");
                return (Outcome::Released { note }, None);
            }
        };
        shared.tell(&format!(
            "{} {} {}: began in {}",
            it.agent,
            it.assignment,
            it.task,
            self.run.worktree.display()
        ));
        let mut ear = Ear::new(self);
        let stopped = self.listen(&mut child, &mut ear, begun);
        if process::sweep(&self.run.mark).is_none() {
            shared.tell(&format!("{} {}: processes are left that cannot be killed", it.agent, it.assignment));
        }
        let _ = child.wait();
        ear.hear_out();
        ear.log.as_mut().map(Log::close).unwrap_or_default();
        let ended = supervise::ended(&shared.ledger.folder(&it.assignment));
        if let Some(supervise::Ended::NotStarted(_)) = ended {
            self.crew.hold();
        }
        let mut word = ear.word.clone();
        let used = word.usage.map(|usage| usage.reported(&self.before));
        if let Some(result) = self.result_file() {
            word.result = Some(ear.redactor.text(&result));
        }
        // A result or a code that came before the order to stop still counts as one that was stopped, but for a task that is done.
        let done = stopped == Some(Stopped::Shutdown)
            && ended == Some(supervise::Ended::Code(0))
            && word.result.is_some();
        let stopped = stopped.filter(|_| !done);
        let well = ended == Some(supervise::Ended::Code(0)) && stopped.is_none() && word.failed.is_none();
        let well = well || (word.finished && word.failed.is_none());
        let evidence = Evidence {
            ended,
            stopped,
            word,
            took: begun.elapsed(),
            time_limit: self.crew.agent.time_limit,
            branch: &self.run.branch,
            change: save_work(shared, self.run, well),
            tail: ear.log.as_ref().map(Log::tail).unwrap_or_default(),
        };
        let outcome = evidence.judge();
        let (word, why) = match &outcome {
            Outcome::Done { .. } => ("done", None),
            Outcome::Failed { reason, .. } => ("failed", reason.lines().next()),
            Outcome::Released { note } => ("given back", note.lines().next()),
            Outcome::Taken => ("stopped, since the task is no longer its own", None),
        };
        let took = format!(" after {}", span(evidence.took));
        let ended = match why.map(|why| cut(why, WHY_BYTES_MAX)) {
            // How it ended says itself after how long.
            Some(why) if why.contains(&took) => format!("{word}: {why}"),
            Some(why) => format!("{word}{took}: {why}"),
            None => format!("{word}{took}"),
        };
        shared.tell(&format!("{} {} {}: {ended}", it.agent, it.assignment, it.task));
        (outcome, used)
    }

    fn start(&self) -> io::Result<Child> {
        let folder = self.crew.shared.ledger.folder(&self.run.assignment.assignment);
        let mut command = supervise::supervisor(&folder, &self.launch)?;
        command.env_clear().envs(&self.environment.variables).env(MARKER, &self.run.mark);
        command.spawn()
    }

    /// Listens until both outputs have ended. Returns what stopped the agent, if anything did.
    fn listen(&self, child: &mut Child, ear: &mut Ear<'_>, begun: Instant) -> Option<Stopped> {
        let (say, hear) = sync_channel(LINES_MAX);
        let mut orders = Orders(child.stdin.take());
        if let Some(conversation) = &mut ear.conversation {
            orders.say(&conversation.begin());
        }
        for (reader, error) in [
            (child.stdout.take().map(|it| Box::new(it) as Box<dyn Read + Send>), false),
            (child.stderr.take().map(|it| Box::new(it) as Box<dyn Read + Send>), true),
        ] {
            if let Some(reader) = reader {
                let most = if error || self.crew.agent.output == Dialect::Lines {
                    LINE_BYTES_MAX
                } else {
                    MESSAGE_BYTES_MAX
                };
                read(reader, error, most, say.clone());
            }
        }
        drop(say);
        let mut stopped = None;
        let mut hurried = false;
        let mut dismissed = false;
        let mut gone: Option<Instant> = None;
        loop {
            match hear.recv_timeout(TICK) {
                Ok(line) => {
                    ear.hear(&line, &mut orders);
                    // What is there already is taken at once, a tick's worth at most.
                    for line in hear.try_iter().take(LINES_MAX) {
                        ear.hear(&line, &mut orders);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return stopped,
            }
            ear.report();
            if stopped.is_none() && !dismissed {
                ear.see_to_leave(&mut orders);
                let late = begun.elapsed().saturating_sub(ear.desk.waited()) >= self.crew.agent.time_limit;
                stopped = self.signals.stopped().or(late.then_some(Stopped::TimeLimit));
                if stopped.is_some() {
                    ear.close_desk(&mut orders);
                    if let Some(cancel) = ear.conversation.as_ref().and_then(Conversation::cancel) {
                        orders.say(&cancel);
                    }
                    orders.stop(self.crew.shared.config.stop_grace);
                }
            }
            if ear.word.finished && !dismissed {
                dismissed = true;
                ear.close_desk(&mut orders);
                orders.stop(self.crew.shared.config.stop_grace);
            }
            if self.crew.shared.stop.at_once() && !hurried {
                hurried = true;
                orders.stop(Duration::ZERO);
            }
            // The supervisor was killed: whoever is left holds the outputs open.
            match gone {
                None if child.try_wait().is_ok_and(|status| status.is_some()) => {
                    process::sweep(&self.run.mark);
                    gone = Some(Instant::now());
                }
                Some(since) if since.elapsed() > Duration::from_secs(2) => return stopped,
                _ => {}
            }
        }
    }

    fn result_file(&self) -> Option<String> {
        let file = std::fs::File::open(&self.result_file).ok()?;
        let mut bytes = Vec::new();
        file.take(RESULT_FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Some(text).filter(|text| !text.trim().is_empty())
    }
}

/// The pipe to the supervisor. Where that has gone there is nobody to tell.
pub(crate) struct Orders(pub(crate) Option<ChildStdin>);

impl Orders {
    pub(crate) fn stop(&mut self, grace: Duration) {
        self.write(&supervise::stop_order(grace));
    }

    fn say(&mut self, line: &str) {
        self.write(&supervise::say_order(line));
    }

    fn write(&mut self, order: &str) {
        if let Some(pipe) = &mut self.0 {
            let _ = pipe.write_all(order.as_bytes());
        }
    }
}

struct Line {
    error: bool,
    text: String,
}

fn read(reader: Box<dyn Read + Send>, error: bool, most: usize, say: SyncSender<Line>) {
    std::thread::spawn(move || {
        each_line(BufReader::new(reader), most, |text| {
            let _ = say.send(Line { error, text: text.to_owned() });
        });
    });
}

/// What was heard from an agent, and what of it the server was told.
struct Ear<'a> {
    attempt: &'a Attempt<'a>,
    redactor: Redactor,
    error_redactor: Redactor,
    log: Option<Log>,
    conversation: Option<Conversation>,
    /// What it wants leave for, where a person is asked.
    desk: Desk,
    word: Word,
    /// What is to be reported as soon as it is time.
    progress: Option<(Option<u8>, Option<String>)>,
    last_line: Option<String>,
    reported: Option<Instant>,
    begun: Instant,
    /// Whether the server does not know yet what was used.
    spent: bool,
    /// What was used before the message of the model that is under way, and that message.
    settled: Usage,
    message: Option<(String, Usage)>,
}

impl<'a> Ear<'a> {
    fn new(attempt: &'a Attempt<'a>) -> Self {
        let shared = &attempt.crew.shared;
        let path = shared.ledger.folder(&attempt.run.assignment.assignment).join("output.log");
        let log = Log::open(&path, shared.config.output_bytes_max);
        if let Err(error) = &log {
            shared.tell(&format!("{}: {error}", path.display()));
        }
        Self {
            attempt,
            redactor: attempt.environment.redactor.clone(),
            error_redactor: attempt.environment.redactor.clone(),
            log: log.ok(),
            conversation: (attempt.crew.agent.output == Dialect::Acp).then(|| {
                let directory = attempt.run.worktree.display().to_string();
                Conversation::new(&directory, &attempt.prompt, &attempt.crew.agent.permissions)
            }),
            desk: Desk::new(attempt.start.clone(), attempt.crew.agent.permission_wait),
            word: Word::default(),
            progress: None,
            last_line: None,
            reported: None,
            begun: Instant::now(),
            spent: false,
            settled: Usage::default(),
            message: None,
        }
    }

    fn hear(&mut self, line: &Line, orders: &mut Orders) {
        let redactor = if line.error { &mut self.error_redactor } else { &mut self.redactor };
        let clean = redactor.line(&line.text);
        let dialect = self.attempt.crew.agent.output;
        let message = !line.error && dialect != Dialect::Lines && line.text.trim_start().starts_with('{');
        if let Some(log) = &mut self.log {
            if message { log.message(&clean) } else { log.line(&clean) }
        }
        if !clean.trim().is_empty() {
            self.last_line = Some(cut(clean.trim(), NOTE_BYTES_MAX));
        }
        if line.error {
            return;
        }
        // Read as it came, and then cleaned text by text: what stands for a secret could break a message.
        let said = match &mut self.conversation {
            Some(conversation) => {
                let turn = conversation.hear(&line.text);
                turn.answers.iter().for_each(|answer| orders.say(answer));
                for ask in turn.asks {
                    if let Err(ask) = self.desk.take(ask) {
                        orders.say(&acp::answer(&ask.id, ask.refusal()));
                    }
                }
                for id in turn.taken_back {
                    if self.desk.forget(&id) {
                        orders.say(&acp::answer(&id, None));
                    }
                }
                turn.said
            }
            None => dialect.hear(&line.text),
        };
        self.take_all(said);
    }

    /// Takes what an agent was saying when it was cut off.
    fn hear_out(&mut self) {
        let said = self.conversation.as_mut().map(Conversation::spoken).unwrap_or_default();
        self.take_all(said);
    }

    fn take_all(&mut self, said: Vec<Said>) {
        for said in said {
            let clean = said.with_texts(|text| self.redactor.text(text));
            self.take(clean);
        }
    }

    fn take(&mut self, said: Said) {
        match said {
            Said::Progress { percent, note } => {
                let (before_percent, before_note) = self.progress.take().unwrap_or_default();
                self.progress = Some((percent.or(before_percent), note.or(before_note)));
            }
            Said::Result(result) => self.word.result = Some(result),
            Said::Failed { reason, retry } => self.word.failed = Some((reason, retry)),
            Said::GivenBack(note) => self.word.given_back = Some(note),
            Said::UsedInAll(usage) => self.used(usage),
            Said::UsedMore(more) => {
                let mut usage = self.word.usage.unwrap_or_default();
                usage.add(more);
                self.used(usage);
            }
            Said::UsedFor { message, usage } => {
                if let Some((_, over)) = self.message.take_if(|(known, _)| *known != message) {
                    self.settled.add(over);
                }
                self.message = Some((message, usage));
                let mut all = self.settled;
                all.add(usage);
                self.used(all);
            }
            Said::Text(text) => self.word.text = Some(text),
            Said::Finished => self.word.finished = true,
        }
    }

    /// Asks for what the agent wants leave for, and hands it the answer where there is one.
    fn see_to_leave(&mut self, orders: &mut Orders) {
        let attempt = self.attempt;
        match self.desk.look(&(&attempt.crew.shared.client, attempt.run), &self.redactor) {
            Look::Nothing => {}
            Look::Taken => attempt.signals.stop(Stopped::Taken),
            Look::Said(said) => {
                orders.say(&acp::answer(&said.id, said.option.as_deref()));
                let note = Some(self.redactor.text(&said.note));
                self.take(Said::Progress { percent: None, note });
            }
        }
    }

    /// Answers what is open still, as an agent that is stopped wants it answered.
    fn close_desk(&mut self, orders: &mut Orders) {
        for id in self.desk.close() {
            orders.say(&acp::answer(&id, None));
        }
    }

    fn used(&mut self, usage: Usage) {
        self.spent |= self.word.usage != Some(usage);
        self.word.usage = Some(usage);
    }

    /// Reports what was used, where nothing else is to be reported. Where that has come to a limit, the task is taken away.
    fn report_usage(&mut self, usage: kapell_api::Usage) {
        let it = &self.attempt.run.assignment;
        let (agent, assignment) = (it.agent.clone(), it.assignment.clone());
        let report = UsageReport { agent, assignment, usage };
        self.reported = Some(Instant::now());
        match self.attempt.crew.shared.client.report_usage(&it.task, &report) {
            Ok(ack) if ack.assignment.as_deref() != Some(it.assignment.as_str()) => {
                self.attempt.signals.stop(Stopped::Taken);
            }
            Ok(_) => {}
            Err(ClientError::Problem(problem)) if problem.retry_after_ms.is_none() => {}
            Err(_) => return,
        }
        self.spent = false;
    }

    /// Reports what is to be reported, if it is time. What does not get through is said the next time.
    fn report(&mut self) {
        let soon = self.reported.is_some_and(|at| at.elapsed() < REPORT_EVERY);
        let quiet = self.reported.unwrap_or(self.begun).elapsed();
        let asked = self.attempt.signals.status_asked.load(Ordering::Relaxed);
        let (percent, note) = match (&self.progress, &self.last_line) {
            (Some(progress), _) if !soon => progress.clone(),
            // A sign of life that nobody has worded: an agent that prints nothing gives none.
            (None, Some(line)) if asked || quiet >= SIGN_EVERY => (None, Some(format!("it prints: {line}"))),
            _ => {
                let used = self.word.usage.filter(|_| self.spent && !soon);
                if let Some(usage) = used {
                    self.report_usage(usage.reported(&self.attempt.before));
                }
                return;
            }
        };
        let it = &self.attempt.run.assignment;
        let note = note.map(|note| cut(&note, NOTE_BYTES_MAX));
        let (agent, assignment) = (it.agent.clone(), it.assignment.clone());
        let usage = self.word.usage.filter(|_| self.spent);
        let usage = usage.map(|usage| usage.reported(&self.attempt.before));
        let report = ProgressReport { task: None, agent, assignment, percent, note, usage };
        self.reported = Some(Instant::now());
        match self.attempt.crew.shared.client.progress(&it.task, &report) {
            Ok(ack) if ack.assignment.as_deref() != Some(it.assignment.as_str()) => {
                self.attempt.signals.stop(Stopped::Taken);
            }
            Ok(_) => {}
            Err(error) if taken(&error) => self.attempt.signals.stop(Stopped::Taken),
            Err(ClientError::Problem(problem)) if problem.retry_after_ms.is_none() => {}
            Err(_) => return,
        }
        self.attempt.signals.status_asked.store(false, Ordering::Relaxed);
        self.progress = None;
        self.last_line = None;
        self.spent = false;
    }
}

/// Makes the worktree of a run, on a branch of its own.
fn make_place(shared: &Shared, run: &mut Run) -> Result<(), Trouble> {
    let it = &run.assignment;
    if run.worktree.exists() {
        // What a start that was cut off has left; nothing was done in it yet.
        if run.branch.is_empty() || shared.repository.remove(&run.worktree, &run.branch, &run.base).is_err() {
            std::fs::remove_dir_all(&run.worktree)?;
        }
    }
    let base = shared.repository.commit(&shared.config.base).map_err(Trouble::Worktree)?;
    let wanted = branch_name(&it.task, &it.title);
    run.branch = shared.repository.add(&run.worktree, &wanted, &base).map_err(Trouble::Worktree)?;
    run.base = base;
    shared.ledger.write(run)?;
    Ok(())
}

/// Returns `kapell/T-12-serve-the-list` for a task and its title.
fn branch_name(task: &str, title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 40 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { format!("kapell/{task}") } else { format!("kapell/{task}-{slug}") }
}

/// Commits what is not committed, and returns what stands on the branch. Nobody is at work there any more.
fn save_work(shared: &Shared, run: &Run, well: bool) -> Option<git::Change> {
    if !git::stands(&run.worktree, &run.branch) {
        return None;
    }
    let it = &run.assignment;
    if shared.config.commit_leftovers {
        let title = if well { it.title.as_str() } else { "work in progress" };
        let message = format!("{}: {title}", it.task);
        if let Err(error) = git::commit_leftovers(&run.worktree, &it.agent, &message) {
            shared.tell(&format!(
                "{} {}: what was left could not be committed: {error}",
                it.agent, it.assignment
            ));
        }
    }
    match git::change(&run.worktree, &run.base) {
        Ok(change) => Some(change),
        Err(error) => {
            shared.tell(&format!("{} {}: {error}", it.agent, it.assignment));
            None
        }
    }
}

/// Closes a run of which the server knows how it ended.
fn put_away(shared: &Shared, run: &mut Run, done: bool) {
    if shared.config.worktree != WorktreePolicy::Keep && git::stands(&run.worktree, &run.branch) {
        let any = done || shared.config.worktree == WorktreePolicy::Remove;
        if let Err(why) = clear_away(shared, run, any) {
            let place = run.worktree.display();
            shared.tell(&format!("{}: the worktree {place} stays: {why}", run.assignment.assignment));
        }
    }
    run.stage = Stage::Closed;
    keep(shared, run);
}

/// Removes a worktree, with commits on its branch only where `any` is to go; what could not be committed is never thrown away.
fn clear_away(shared: &Shared, run: &Run, any: bool) -> Result<(), String> {
    let told = |error: git::GitError| error.to_string();
    if git::dirty(&run.worktree).map_err(told)? {
        return Err("it has changes that are not committed".to_owned());
    }
    if !any && git::change(&run.worktree, &run.base).map_err(told)?.commits > 0 {
        return Err(format!("it has work, which is on the branch {} too", run.branch));
    }
    shared.repository.remove(&run.worktree, &run.branch, &run.base).map_err(told)
}

/// Returns whether an answer says that the task is no longer this assignment's.
pub(crate) fn taken(error: &ClientError) -> bool {
    let gone = [ErrorCode::StaleAssignment, ErrorCode::NotOwner, ErrorCode::WrongState, ErrorCode::NotFound];
    error.problem().is_some_and(|problem| gone.contains(&problem.code))
}

/// Asks until there is an answer: a server that is away is waited for.
fn answered<T>(
    shared: &Shared,
    signals: &Signals,
    mut ask: impl FnMut() -> Result<T, ClientError>,
) -> Result<T, Trouble> {
    let mut pause = TICK;
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(error) if taken(&error) => return Err(Trouble::Stopped(Stopped::Taken)),
            Err(ClientError::Problem(problem)) if problem.retry_after_ms.is_none() => {
                return Err(Trouble::Files(io::Error::other(problem.to_string())));
            }
            Err(_) => {}
        }
        if let Some(why) = signals.stopped() {
            return Err(Trouble::Stopped(why));
        }
        shared.wait(pause);
        pause = (pause * 2).min(PAUSE_LONGEST);
    }
}

/// Tells the server how a run ended, until it has taken it in. Returns whether it has: a runner that stops does not wait for
/// ever, and tells it at its next start.
fn report(shared: &Shared, run: &Run, outcome: &Outcome) -> bool {
    persist(shared, &run.assignment, || tell(shared, run, outcome)).is_some()
}

/// Says something to the server until it answers: one that is away is waited for. Returns whether it has taken it in; a refusal is
/// told. Nothing where the runner stops meanwhile.
pub(crate) fn persist<T>(
    shared: &Shared,
    it: &kapell_api::Assignment,
    mut say: impl FnMut() -> Result<T, ClientError>,
) -> Option<Result<T, Box<Problem>>> {
    let mut pause = TICK;
    let mut lost = false;
    let mut asked_to_stop: Option<Instant> = None;
    loop {
        match say() {
            Ok(answer) => return Some(Ok(answer)),
            Err(ClientError::Problem(problem)) if problem.retry_after_ms.is_none() => {
                let offer = problem.offer.as_ref().map(|offer| format!("; it is kept as {offer}"));
                let offer = offer.unwrap_or_default();
                shared.tell(&format!(
                    "{} {} {}: the server refused the report: {problem}{offer}",
                    it.agent, it.assignment, it.task
                ));
                return Some(Err(problem));
            }
            Err(error) if !lost => {
                lost = true;
                shared.tell(&format!(
                    "{} {} {}: {error}; it is reported later",
                    it.agent, it.assignment, it.task
                ));
            }
            Err(_) => {}
        }
        if shared.stop.asked() && asked_to_stop.get_or_insert_with(Instant::now).elapsed() > SHUTDOWN_PATIENCE
        {
            return None;
        }
        shared.wait(pause);
        pause = (pause * 2).min(PAUSE_LONGEST);
    }
}

fn tell(shared: &Shared, run: &Run, outcome: &Outcome) -> Result<Ack, ClientError> {
    let it = &run.assignment;
    let (agent, assignment) = (it.agent.clone(), it.assignment.clone());
    let usage = run.usage;
    match outcome.clone() {
        Outcome::Done { result } => shared
            .client
            .done(&it.task, &DoneReport { task: None, agent, assignment, result: Some(result), usage }),
        Outcome::Failed { reason, retry } => {
            shared.client.fail(&it.task, &FailReport { task: None, agent, assignment, reason, retry, usage })
        }
        Outcome::Released { note } => shared
            .client
            .release(&it.task, &ReleaseReport { task: None, agent, assignment, note: Some(note), usage }),
        // Nobody waits for a word, but it has cost what it has cost.
        Outcome::Taken => match usage {
            Some(usage) => shared.client.report_usage(&it.task, &UsageReport { agent, assignment, usage }),
            None => Ok(Ack::default()),
        },
    }
}

/// Returns how a run that was cut off together with its runner ends without being begun again, where it must.
pub(crate) fn ends_cut_off(run: &Run, still_ours: bool) -> Option<Outcome> {
    if run.stage != Stage::Working {
        return None;
    }
    if !still_ours {
        return Some(Outcome::Taken);
    }
    let times = run.resumed + 1;
    let reason = format!("its runner was gone {times} times while it worked");
    (times > RESUMED_MAX).then_some(Outcome::Failed { reason, retry: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_named_for_the_task() {
        for (title, branch) in [
            ("Serve the list of free rooms", "kapell/T-1-serve-the-list-of-free-rooms"),
            ("  Fix: ../../etc & more!", "kapell/T-1-fix-etc-more"),
            ("日本語", "kapell/T-1"),
            (
                "a very long title that goes on and on and on",
                "kapell/T-1-a-very-long-title-that-goes-on-and-on-an",
            ),
        ] {
            assert_eq!(branch_name("T-1", title), branch);
        }
    }
}
