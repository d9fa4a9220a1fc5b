//! What owners report.

use axum::Json;
use kapell_api::{
    Ack, DoneReport, ErrorCode, FailReport, Problem, ProgressReport, ReleaseReport, StartReport,
};
use kapell_core::{Command, TaskRef, UsageReport};
use kapell_model::{AssignmentId, Name, limits};

use super::door::{Body, Door, Path};
use super::problem::Refusals;
use super::{Refusal, budgets, parse};

/// Who reports on what, under which token.
pub(super) struct Reporter {
    pub(super) task: TaskRef,
    pub(super) agent: Name,
    pub(super) assignment: AssignmentId,
}

/// A report that can be read into a command.
pub(super) trait Report {
    /// Returns the task of a bulk line, who reports, and the token.
    fn head(&self) -> (Option<&str>, &str, &str);

    /// Returns what the attempt has used, where the report says that too.
    fn usage(&self) -> Option<&kapell_api::Usage>;

    /// Returns the command.
    fn command(&self, reporter: Reporter) -> Result<Command, Problem>;

    /// Reads the report; `task` is the one of the path, a bulk line names its own.
    fn read(&self, task: Option<&str>) -> Result<(Name, Command), Problem> {
        let (own, agent, assignment) = self.head();
        let task = match (task, own) {
            (Some(path), Some(own)) if path != own => {
                return Err(Problem::field(
                    "task",
                    format!("`{}`", own.escape_default()),
                    "the task of the path",
                ));
            }
            (Some(task), _) | (None, Some(task)) => parse::task("task", task)?,
            (None, None) => return Err(Problem::field("task", "missing", "T-12 or a key")),
        };
        let agent = parse::name("agent", agent)?;
        let assignment = parse::assignment(assignment)?;
        let used = |usage| UsageReport {
            task: task.clone(),
            agent: agent.clone(),
            assignment,
            usage: budgets::used(usage),
        };
        let report = self.usage().map(used);
        let command = self.command(Reporter { task, agent: agent.clone(), assignment })?;
        let command = match report {
            Some(report) => Command::WithUsage { report, command: Box::new(command) },
            None => command,
        };
        Ok((agent, command))
    }
}

macro_rules! head {
    ($usage:expr) => {
        fn usage(&self) -> Option<&kapell_api::Usage> {
            let usage: fn(&Self) -> Option<&kapell_api::Usage> = $usage;
            usage(self)
        }

        fn head(&self) -> (Option<&str>, &str, &str) {
            (self.task.as_deref(), &self.agent, &self.assignment)
        }
    };
}

impl Report for StartReport {
    head!(|_| None);

    fn command(&self, Reporter { task, agent, assignment }: Reporter) -> Result<Command, Problem> {
        Ok(Command::Start { task, agent, assignment })
    }
}

impl Report for ProgressReport {
    head!(|it| it.usage.as_ref());

    fn command(&self, Reporter { task, agent, assignment }: Reporter) -> Result<Command, Problem> {
        let note = parse::note("note", self.note.as_deref())?;
        Ok(Command::Progress { task, agent, assignment, percent: self.percent, note })
    }
}

impl Report for DoneReport {
    head!(|it| it.usage.as_ref());

    fn command(&self, Reporter { task, agent, assignment }: Reporter) -> Result<Command, Problem> {
        let result = self.result.as_deref();
        let result =
            result.map(|result| parse::text("result", result, limits::RESULT_BYTES_MAX)).transpose()?;
        Ok(Command::Finish { task, agent, assignment, result })
    }
}

impl Report for FailReport {
    head!(|it| it.usage.as_ref());

    fn command(&self, Reporter { task, agent, assignment }: Reporter) -> Result<Command, Problem> {
        let reason = parse::filled("reason", &self.reason, limits::NOTE_BYTES_MAX)?;
        Ok(Command::Fail { task, agent, assignment, reason, retry: self.retry })
    }
}

impl Report for ReleaseReport {
    head!(|it| it.usage.as_ref());

    fn command(&self, Reporter { task, agent, assignment }: Reporter) -> Result<Command, Problem> {
        Ok(Command::Release { task, agent, assignment, note: parse::note("note", self.note.as_deref())? })
    }
}

async fn report<T: Report>(door: &Door, task: &str, body: Body<T>) -> Result<Json<Ack>, Refusal> {
    let (agent, command) = body.value.read(Some(task))?;
    door.speak_for(&agent)?;
    let late = match &command {
        Command::WithUsage { report, .. } => Some(Command::ReportUsage(report.clone())),
        _ => None,
    };
    let answer = door.acknowledged(body.fingerprint.clone(), Some(agent.clone()), command).await;
    if let (Err(Refusal(problem)), Some(late)) = (&answer, late)
        && problem.code == ErrorCode::StaleAssignment
    {
        // The report is refused; what it says was used has been spent all the same.
        let ask = door.ask(1, || body.fingerprint.digest, Some(agent), late);
        let _ = door.app.fleet.command(ask).await;
    }
    answer
}

macro_rules! routes {
    ($($(#[$doc:meta])* $name:ident, $path:literal, $report:ty;)+) => {$(
        $(#[$doc])*
        #[utoipa::path(post, path = $path, request_body = $report, tag = "reports",
            params(
                ("task" = String, Path, description = "T-12 or its key"),
                ("Idempotency-Key" = Option<String>, Header, description = "a UUID of version 7 made for this command; within 23 hours the same key again is answered as the first time, later it is refused"),
            ),
            responses((status = 200, body = Ack), Refusals))]
        pub(super) async fn $name(
            door: Door,
            Path(task): Path<String>,
            body: Body<$report>,
        ) -> Result<Json<Ack>, Refusal> {
            report(&door, &task, body).await
        }
    )+};
}

routes! {
    /// Reports that the owner has begun.
    start, "/v1/tasks/{task}/start", StartReport;
    /// Reports how far the owner is. Begins the task where it was not begun.
    progress, "/v1/tasks/{task}/progress", ProgressReport;
    /// Reports a result. Under an outdated token it is kept as an offer, and the answer is a 409 that names it.
    done, "/v1/tasks/{task}/done", DoneReport;
    /// Reports a failed attempt.
    fail, "/v1/tasks/{task}/fail", FailReport;
    /// Gives the task back.
    release, "/v1/tasks/{task}/release", ReleaseReport;
}
