//! How a run ended, and in which words the server is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dialect::Usage;
use crate::git::Change;
use crate::supervise::Ended;

/// The server's bound for a result, with room for what is said beside it.
const RESULT_BYTES_MAX: usize = 60 * 1024;
/// The server's bound for reasons and notes.
const REASON_BYTES_MAX: usize = 4 * 1024;

/// What is to be told to the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It is done.
    Done { result: String },
    /// The attempt failed.
    Failed { reason: String, retry: bool },
    /// The task goes back, without blame.
    Released { note: String },
    /// The task was taken away: nobody waits for a word.
    Taken,
}

/// Why a run was stopped before its agent ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The task is somebody else's, or nobody's, by now.
    Taken,
    /// It took too long.
    TimeLimit,
    /// The runner stops.
    Shutdown,
}

/// What an agent said about its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Word {
    pub(crate) result: Option<String>,
    /// The last text of a known agent.
    pub(crate) text: Option<String>,
    pub(crate) failed: Option<(String, bool)>,
    pub(crate) given_back: Option<String>,
    /// Its turn was over before it was ended.
    pub(crate) finished: bool,
    pub(crate) usage: Option<Usage>,
}

/// Everything that is known when an agent has ended.
pub(crate) struct Evidence<'a> {
    pub(crate) ended: Option<Ended>,
    pub(crate) stopped: Option<Stopped>,
    pub(crate) word: Word,
    pub(crate) took: Duration,
    pub(crate) time_limit: Duration,
    pub(crate) branch: &'a str,
    pub(crate) change: Option<Change>,
    pub(crate) tail: String,
}

impl Evidence<'_> {
    /// Judges how the run ended. What stopped it counts first, then what the agent said, then how it ended.
    pub(crate) fn judge(&self) -> Outcome {
        let how = self.how();
        match self.stopped {
            Some(Stopped::Taken) => return Outcome::Taken,
            Some(Stopped::Shutdown) => {
                return Outcome::Released { note: self.told(&format!("the runner stopped; {how}")) };
            }
            Some(Stopped::TimeLimit) => {
                let reason = format!("the time limit of {} was reached; {how}", span(self.time_limit));
                return Outcome::Failed { reason: self.told(&reason), retry: true };
            }
            None => {}
        }
        if let Some(Ended::NotStarted(why)) = &self.ended {
            return Outcome::Released { note: self.told(&format!("the agent could not be started: {why}")) };
        }
        if let Some(note) = &self.word.given_back {
            return Outcome::Released { note: self.told(note) };
        }
        if let Some((reason, retry)) = &self.word.failed {
            return Outcome::Failed { reason: self.told(reason), retry: *retry };
        }
        match self.ended {
            _ if self.word.finished => Outcome::Done { result: self.result(&how) },
            Some(Ended::Code(0)) => Outcome::Done { result: self.result(&how) },
            _ => Outcome::Failed { reason: self.told(&how), retry: true },
        }
    }

    /// The agent's own result with what stands on the branch.
    fn result(&self, how: &str) -> String {
        let said = self.word.result.as_ref().or(self.word.text.as_ref());
        let result = cut(said.map_or("", |text| text.trim()), RESULT_BYTES_MAX);
        format!("{result}\n\n{}\n{how}", self.work()).trim().to_owned()
    }

    /// A word with what stands on the branch, what the agent said last and the end of its output, within the server's bound.
    fn told(&self, word: &str) -> String {
        let mut text = format!("{}\n{}", cut(word, REASON_BYTES_MAX / 2), self.work());
        let said = self.word.text.as_deref().map(str::trim).filter(|said| !word.contains(said));
        for (title, told) in [("last said", said.unwrap_or_default()), ("last output", &self.tail)] {
            let room = REASON_BYTES_MAX.saturating_sub(text.len() + 20);
            let start = told.len().saturating_sub(room);
            let start = (start..=told.len()).find(|at| told.is_char_boundary(*at)).unwrap_or(told.len());
            if start < told.len() {
                text += &format!("\n{title}:\n{}", &told[start..]);
            }
        }
        text
    }

    fn how(&self) -> String {
        let took = span(self.took);
        let mut how = match &self.ended {
            _ if self.word.finished && self.stopped.is_none() => format!("its turn ended after {took}"),
            Some(Ended::Code(code)) => format!("exit code {code} after {took}"),
            Some(Ended::Signal(signal)) => format!("ended by signal {signal} after {took}"),
            Some(Ended::NotStarted(why)) => format!("it could not be started: {why}"),
            None => format!("its supervisor was killed after {took}"),
        };
        if let Some(usage) = self.word.usage {
            how += &format!("; {usage}");
        }
        how
    }

    fn work(&self) -> String {
        match &self.change {
            Some(change) if change.commits > 0 => {
                let stat = if change.stat.is_empty() { "no difference" } else { &change.stat };
                let commits = if change.commits == 1 { "commit" } else { "commits" };
                let short = change.commit.get(..12).unwrap_or(&change.commit);
                format!("branch {} at {short}: {} {commits}, {stat}", self.branch, change.commits)
            }
            Some(_) => "no commits".to_owned(),
            None => "what it committed is not known".to_owned(),
        }
    }
}

/// Cuts a text to `most` bytes.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{} […]", &text[..end])
}

/// Writes a time as `3m12s`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{}ms", time.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(ended: Ended) -> Evidence<'static> {
        Evidence {
            ended: Some(ended),
            stopped: None,
            word: Word::default(),
            took: Duration::from_secs(192),
            time_limit: Duration::from_secs(7_200),
            branch: "kapell/T-1-do",
            change: Some(Change {
                commit: "0123456789abcdef".to_owned(),
                commits: 2,
                stat: "1 file changed, 3 insertions(+)".to_owned(),
            }),
            tail: "all tests are green".to_owned(),
        }
    }

    #[test]
    fn what_stopped_it_counts_first_then_its_word_then_its_code() {
        let work = "branch kapell/T-1-do at 0123456789ab: 2 commits, 1 file changed, 3 insertions(+)";
        let mut it = evidence(Ended::Code(0));
        it.word.text = Some("Done.".to_owned());
        it.word.usage = Some(Usage { input: 5, cached: 1, output: 2, cost: None });
        let how = "exit code 0 after 3m12s; 5 tokens in (1 cached), 2 out";
        assert_eq!(it.judge(), Outcome::Done { result: format!("Done.\n\n{work}\n{how}") });
        it.word.failed = Some(("no way".to_owned(), false));
        let last = "last output:\nall tests are green";
        let said = "last said:\nDone.";
        let reason = format!("no way\n{work}\n{said}\n{last}");
        assert_eq!(it.judge(), Outcome::Failed { reason, retry: false });
        it.word.given_back = Some("Not mine. Done.".to_owned());
        assert_eq!(it.judge(), Outcome::Released { note: format!("Not mine. Done.\n{work}\n{last}") });
        it.stopped = Some(Stopped::TimeLimit);
        let Outcome::Failed { reason, retry: true } = it.judge() else { panic!("{:?}", it.judge()) };
        assert!(
            reason.starts_with("the time limit of 2h00m was reached; exit code 0 after 3m12s"),
            "{reason}"
        );
        it.stopped = Some(Stopped::Taken);
        assert_eq!(it.judge(), Outcome::Taken);

        let failed = evidence(Ended::Code(3)).judge();
        assert!(
            matches!(&failed, Outcome::Failed { reason, retry: true } if reason.starts_with("exit code 3"))
        );
        let lost = evidence(Ended::NotStarted("no such file".to_owned())).judge();
        assert!(matches!(&lost, Outcome::Released { note } if note.contains("no such file")), "{lost:?}");
    }

    #[test]
    fn reasons_keep_to_the_bound_of_the_server() {
        let mut it = evidence(Ended::Code(1));
        it.tail = "ä".repeat(10_000);
        it.word.failed = Some(("ö".repeat(10_000), true));
        let Outcome::Failed { reason, .. } = it.judge() else { panic!("it failed") };
        assert!(
            reason.len() <= REASON_BYTES_MAX && reason.len() > REASON_BYTES_MAX - 100,
            "{}",
            reason.len()
        );
        it.word.text = Some("ü".repeat(10_000));
        it.word.failed = Some(("it failed".to_owned(), true));
        let Outcome::Failed { reason, .. } = it.judge() else { panic!("it failed") };
        assert!(reason.len() <= REASON_BYTES_MAX && reason.ends_with('ü'), "{reason}");
    }
}
