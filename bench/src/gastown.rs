//! A real event log of a team of agents, replayed into the core: what it would have found stalled, and which tasks go
//! round in a loop. `docs/gastown.md` explains the rows.
//!
//! The core is driven by the log's own times: what the log says comes in as commands, and between two of them the clock
//! looks whenever something is due. It learns its estimates along the way from what was completed until then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use kapell_core::{
    AgentSpec, Churn, Command, Engine, Event, NewPolicy, Record, Request, State, TaskRef, TaskSpec, Turn,
    TurnCause,
};
use kapell_model::{
    AgentId, AgentKind, AssignmentId, ClassId, CommandId, Considered, Moment, Name, Placement, Placer,
    Policy, Priority, Ratio, Redispatch, Situation, Span, TaskId, Text,
};
use kapell_plan::Greedy;
use serde_json::Value;

use crate::Options;
use crate::table::Table;

/// Where the data is: beside the repository.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/gastown")
}

/// One assignment of the log.
#[derive(Debug, Clone)]
struct Episode {
    issue: String,
    kind: String,
    agent: String,
    start: i64,
    end: Option<i64>,
    /// Taken back or given to somebody else; nothing where it was still open at the end of the log.
    taken_back: Option<bool>,
}

impl Episode {
    fn minutes(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of two days")]
        self.end.map(|end| (end - self.start) as f64 / 60_000.0)
    }
}

struct Log {
    episodes: Vec<Episode>,
    /// What an agent did to an issue: when, who, which, and whether it says that work began.
    acts: Vec<(i64, String, String, bool)>,
    /// Changes of an issue's state: when, which, from, to.
    changes: Vec<(i64, String, String, String)>,
}

/// Reads RFC 3339 in UTC to the second, as the data has it.
fn millis(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // Days since 1970 in the proleptic Gregorian calendar, with March as the first month.
    let (shifted, moved) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = shifted.div_euclid(400);
    let of_era = shifted - era * 400;
    let of_year = (153 * moved + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000)
}

fn lines(name: &str) -> anyhow::Result<Vec<Value>> {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// Returns a word, or another one where the log has none.
fn word(text: String, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn read() -> anyhow::Result<Log> {
    let kinds: BTreeMap<String, String> =
        lines("issues.jsonl")?.iter().map(|issue| (text(issue, "id"), text(issue, "issue_type"))).collect();
    let mut episodes = Vec::new();
    for line in lines("episodes.jsonl")? {
        let issue = text(&line, "issue");
        episodes.push(Episode {
            kind: word(kinds.get(&issue).cloned().unwrap_or_default(), "task"),
            agent: word(text(&line, "agent"), "nobody"),
            start: millis(&text(&line, "start")).context("a start")?,
            end: line["end"].as_str().and_then(millis),
            taken_back: match text(&line, "outcome").as_str() {
                "closed" => Some(false),
                "returned" | "reassigned" => Some(true),
                _ => None,
            },
            issue,
        });
    }
    episodes.sort_by(|a, b| (a.start, &a.issue).cmp(&(b.start, &b.issue)));
    let (mut acts, mut changes) = (Vec::new(), Vec::new());
    for event in lines("events.jsonl")? {
        let at = millis(&text(&event, "ts_utc")).context("a time")?;
        let issue = text(&event, "issue_id");
        let to = event["new"]["status"].as_str().unwrap_or_default().to_owned();
        acts.push((at, text(&event, "actor"), issue.clone(), to == "in_progress"));
        let from = event["old"]["status"].as_str().unwrap_or_default().to_owned();
        match event["event_type"].as_str() {
            Some("status_changed") => changes.push((at, issue, from, to)),
            Some("closed") => changes.push((at, issue, from, "closed".to_owned())),
            _ => {}
        }
    }
    acts.sort();
    changes.sort();
    Ok(Log { episodes, acts, changes })
}

/// The log says who gets what.
#[derive(Default)]
struct Nobody(Greedy);

impl Placer for Nobody {
    fn begin(&mut self, _: &Situation) {}

    fn next(&mut self, _: &Situation) -> Option<Placement> {
        None
    }

    fn consider(&mut self, situation: &Situation, class: ClassId, agent: AgentId) -> Considered {
        self.0.consider(situation, class, agent)
    }

    fn better_idle(&mut self, _: &Situation, _: ClassId, _: &Considered) -> Option<Considered> {
        None
    }

    fn best_of(&mut self, _: &Situation, _: ClassId, _: &[AgentId]) -> Option<Considered> {
        None
    }
}

/// The core, driven by the log.
struct Replay {
    engine: Engine<Nobody>,
    commands: u128,
    /// The task of an issue that is not closed, and the assignment of an episode that is not over.
    tasks: BTreeMap<String, TaskId>,
    owned: BTreeMap<String, (usize, AssignmentId, bool)>,
    /// When an episode was found stalled for the first time.
    flagged: Vec<Option<i64>>,
}

impl Replay {
    fn new(policy: &Policy, episodes: usize) -> Self {
        let engine = Engine::new(State::default(), Nobody::default());
        let mut replay = Self {
            engine,
            commands: 0,
            tasks: BTreeMap::new(),
            owned: BTreeMap::new(),
            flagged: vec![None; episodes],
        };
        let command = Command::SetPolicy(NewPolicy { policy: Box::new(policy.clone()), seen: None });
        replay.execute(0, command);
        replay
    }

    fn execute(&mut self, at: i64, command: Command) -> Vec<Record> {
        self.commands += 1;
        let mut records = Vec::new();
        let id = CommandId(self.commands);
        let request = Request { id, fingerprint: None, actor: Arc::from("log"), at: Moment(at), command };
        let told = self.engine.execute(&request, &mut records);
        assert!(told.is_ok(), "{told:?}");
        for record in &records {
            if let Event::TaskStalled { assignment, .. } = &record.event
                && let Some(&(episode, ..)) =
                    self.owned.values().find(|(_, current, _)| current == assignment)
            {
                self.flagged[episode].get_or_insert(record.at.0);
            }
        }
        records
    }

    /// Looks at running work whenever something is due before `at`.
    fn pass(&mut self, at: i64) {
        while let Some(due) = self.engine.state().next_check().filter(|due| due.0 < at) {
            self.execute(due.0.max(self.engine.state().at().0), Command::CheckProgress);
        }
    }

    fn begin(&mut self, index: usize, episode: &Episode) -> anyhow::Result<()> {
        let agent = Name::new(&episode.agent)?;
        if self.engine.state().agent_id(agent.as_str()).is_none() {
            let spec = AgentSpec {
                name: agent.clone(),
                role: Name::new("developer")?,
                kind: AgentKind::Agent,
                capabilities: Vec::new(),
                // The log has a few that overlap, though every agent should have one thing at a time.
                max_concurrent: 16,
                lease: None,
                standby: false,
            };
            self.execute(episode.start, Command::RegisterAgent { spec, online: true });
        }
        // A task enters when the log hands it out first: Kapell fixes an estimate when work is ready.
        if !self.tasks.contains_key(&episode.issue) {
            let mut spec = TaskSpec::titled(Text::from("an issue"));
            spec.kind = Name::new(&episode.kind)?;
            spec.priority = Priority::High;
            let task = TaskId(u32::try_from(self.engine.state().tasks().len() + 1)?);
            self.execute(episode.start, Command::Submit { spec: Arc::new(spec), edges: Vec::new() });
            self.tasks.insert(episode.issue.clone(), task);
        }
        let task = self.tasks[&episode.issue];
        self.execute(episode.start, Command::Assign { task: TaskRef::Id(task), agent });
        let owner = self.engine.state().task(task).owner.as_ref().context("an owner")?;
        self.owned.insert(episode.issue.clone(), (index, owner.assignment, false));
        Ok(())
    }

    fn act(&mut self, at: i64, issue: &str, starts: bool) -> anyhow::Result<()> {
        let Some(&(_, assignment, started)) = self.owned.get(issue) else { return Ok(()) };
        let task = TaskRef::Id(self.tasks[issue]);
        let owner = self.engine.state().task(self.tasks[issue]).owner.as_ref().context("an owner")?;
        let agent = self.engine.state().agent(owner.agent).spec.name.clone();
        if starts && !started {
            self.execute(at, Command::Start { task, agent, assignment });
            self.owned.entry(issue.to_owned()).and_modify(|it| it.2 = true);
        } else {
            self.execute(at, Command::Progress { task, agent, assignment, percent: None, note: None });
        }
        Ok(())
    }

    fn end(&mut self, episode: &Episode, at: i64) -> anyhow::Result<()> {
        let Some((_, assignment, _)) = self.owned.remove(&episode.issue) else { return Ok(()) };
        let (task, agent) = (TaskRef::Id(self.tasks[&episode.issue]), Name::new(&episode.agent)?);
        if episode.taken_back == Some(true) {
            self.execute(at, Command::Release { task, agent, assignment, note: None });
        } else {
            self.execute(at, Command::Finish { task, agent, assignment, result: None });
            self.tasks.remove(&episode.issue);
        }
        Ok(())
    }
}

/// Replays the log under a policy, and returns when each episode was first found stalled.
fn replay(log: &Log, policy: &Policy) -> anyhow::Result<Vec<Option<i64>>> {
    let mut steps: Vec<(i64, u8, usize)> = Vec::new();
    for (index, episode) in log.episodes.iter().enumerate() {
        steps.push((episode.start, 1, index));
        steps.extend(episode.end.map(|end| (end, 0, index)));
    }
    steps.extend(log.acts.iter().enumerate().map(|(index, act)| (act.0, 2, index)));
    steps.sort_unstable();
    let mut replay = Replay::new(policy, log.episodes.len());
    for (at, what, index) in steps {
        replay.pass(at);
        match what {
            0 => replay.end(&log.episodes[index], at)?,
            1 => replay.begin(index, &log.episodes[index])?,
            _ => {
                let (_, actor, issue, starts) = &log.acts[index];
                let by_owner = replay
                    .owned
                    .get(issue)
                    .is_some_and(|(episode, ..)| log.episodes[*episode].agent == *actor);
                if by_owner {
                    replay.act(at, issue, *starts)?;
                }
            }
        }
    }
    Ok(replay.flagged)
}

/// How well flags fit what was taken back.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Fit {
    hits: u32,
    false_alarms: u32,
    missed: u32,
}

impl Fit {
    fn of<'a>(judged: impl Iterator<Item = (&'a Episode, bool)>) -> Self {
        let mut fit = Self::default();
        for (episode, flagged) in judged {
            match (episode.taken_back, flagged) {
                (Some(true), true) => fit.hits += 1,
                (Some(false), true) => fit.false_alarms += 1,
                (Some(true), false) => fit.missed += 1,
                _ => {}
            }
        }
        fit
    }

    fn precision(self) -> f64 {
        f64::from(self.hits) / f64::from((self.hits + self.false_alarms).max(1))
    }

    fn recall(self) -> f64 {
        f64::from(self.hits) / f64::from((self.hits + self.missed).max(1))
    }

    fn f1(self) -> f64 {
        2.0 * f64::from(self.hits) / f64::from((2 * self.hits + self.false_alarms + self.missed).max(1))
    }

    fn words(self) -> String {
        format!("F1 {:.2}, precision {:.2}, recall {:.2}", self.f1(), self.precision(), self.recall())
    }
}

/// The two halves of the finished episodes by the time of their start, and all of them.
fn parts(log: &Log) -> [std::ops::Range<usize>; 3] {
    let half = log.episodes.len() / 2;
    [0..half, half..log.episodes.len(), 0..log.episodes.len()]
}

fn fits(log: &Log, flags: &[bool]) -> [Fit; 3] {
    parts(log).map(|part| Fit::of(log.episodes[part.clone()].iter().zip(flags[part].iter().copied())))
}

fn by_age(log: &Log, minutes: f64) -> Vec<bool> {
    log.episodes.iter().map(|episode| episode.minutes().is_some_and(|age| age > minutes)).collect()
}

fn by_policy(log: &Log, policy: &Policy) -> anyhow::Result<Vec<bool>> {
    Ok(replay(log, policy)?.iter().map(Option::is_some).collect())
}

/// A policy whose durations are those of a fleet that is done within minutes: the table that estimates are shrunk towards,
/// and the ack times, which an assignment that was never begun has first.
fn fast() -> Policy {
    let mut policy = Policy { estimate_by_complexity: [Span::minutes(5); 5], ..Policy::default() };
    policy.ack.high = Span::minutes(1);
    policy.stalls.quiet_min = Span::hours(24 * 366);
    policy.stalls.quiet_share = Ratio::ZERO;
    policy.stalls.overdue_factor = 100 * Ratio::UNIT;
    policy
}

fn quiet(minutes: u32) -> Policy {
    let mut policy = fast();
    policy.stalls.quiet_min = Span::minutes(i64::from(minutes));
    policy
}

fn overdue(hundredths: u32) -> Policy {
    let mut policy = fast();
    policy.stalls.overdue_factor = hundredths * (Ratio::UNIT / 100);
    policy
}

fn aside(hundredths: u32, minutes: i64) -> Policy {
    let mut policy = overdue(hundredths);
    policy.stalls.aside_min = Some(Span::minutes(minutes));
    policy
}

/// Returns the one of some policies whose F1 is best on the first half.
fn tuned<T: Copy>(
    log: &Log,
    choices: impl IntoIterator<Item = T>,
    flags: impl Fn(T) -> anyhow::Result<Vec<bool>>,
) -> anyhow::Result<(T, [Fit; 3])> {
    let mut best: Option<(T, [Fit; 3])> = None;
    for choice in choices {
        let fit = fits(log, &flags(choice)?);
        if best.is_none_or(|(_, known)| fit[0].f1() > known[0].f1()) {
            best = Some((choice, fit));
        }
    }
    best.context("a choice")
}

/// Returns the issues that go round in a loop, with how often each was taken back and when it was found.
fn loops(log: &Log, redispatch: &Redispatch) -> BTreeMap<String, (usize, i64)> {
    let mut churns: BTreeMap<&str, (Churn, usize)> = BTreeMap::new();
    let mut found: BTreeMap<String, (usize, i64)> = BTreeMap::new();
    for (at, issue, _, to) in &log.changes {
        match to.as_str() {
            // Taken back, or set to open once more though nobody had it.
            "open" => {
                let (churn, count) = churns.entry(issue).or_default();
                *count += 1;
                let turn = Turn { at: Moment(*at), agent: AgentId(0), cause: TurnCause::Released };
                if churn.turn(turn, redispatch) {
                    found.entry(issue.clone()).or_insert((0, *at)).0 = *count;
                }
                if let Some(entry) = found.get_mut(issue) {
                    entry.0 = *count;
                }
            }
            "closed" => drop(churns.remove(issue.as_str())),
            _ => {}
        }
    }
    found
}

/// Measures how well stalls and loops are found in the log.
pub(crate) fn measure(_: &Options, table: &mut Table) -> anyhow::Result<()> {
    let log = read()?;
    let finished = log.episodes.iter().filter(|episode| episode.taken_back.is_some()).count();
    let taken_back = log.episodes.iter().filter(|episode| episode.taken_back == Some(true)).count();
    let mut row = |name: &str, fit: [Fit; 3]| {
        table.add(
            name,
            fit[1].words(),
            "",
            &format!("first half {:.2}, all {:.2}", fit[0].f1(), fit[2].f1()),
        );
    };
    let ages = || (1..=40).map(f64::from);
    let best_of_all = ages().max_by(|&a, &b| {
        fits(&log, &by_age(&log, a))[2].f1().total_cmp(&fits(&log, &by_age(&log, b))[2].f1())
    });
    let best_of_all = best_of_all.context("an age")?;
    row(
        &format!("gastown stalls, older than {best_of_all} min (best in hindsight)"),
        fits(&log, &by_age(&log, best_of_all)),
    );
    let (age, fit) = tuned(&log, ages(), |age| Ok(by_age(&log, age)))?;
    row(&format!("gastown stalls, older than {age} min (tuned on the first half)"), fit);
    row("gastown stalls, the policy as shipped", fits(&log, &by_policy(&log, &Policy::default())?));
    let (minutes, fit) = tuned(&log, 1..=30, |minutes| by_policy(&log, &quiet(minutes)))?;
    row(&format!("gastown stalls, quiet for {minutes} min (tuned)"), fit);
    let factors = || (20..=200).step_by(5);
    let (factor, fit) = tuned(&log, factors(), |factor| by_policy(&log, &overdue(factor)))?;
    row(&format!("gastown stalls, over {}.{:02} x learned p90 (tuned)", factor / 100, factor % 100), fit);
    let choices = factors().flat_map(|factor| [1, 2, 5, 10].map(|minutes| (factor, minutes)));
    let ((factor, minutes), fit) =
        tuned(&log, choices, |(factor, minutes)| by_policy(&log, &aside(factor, minutes)))?;
    let name = format!(
        "gastown stalls, the same or aside for {minutes} min, {}.{:02} x p90 (tuned)",
        factor / 100,
        factor % 100
    );
    row(&name, fit);
    let found = loops(&log, &Redispatch::default());
    let named: Vec<String> = found.iter().map(|(issue, (turns, _))| format!("{issue} {turns}")).collect();
    table.add(
        "gastown loops, the policy as shipped",
        named.join(", "),
        "",
        &format!("{finished} finished episodes, {taken_back} taken back"),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The data lies beside the repository and is not part of it.
    fn log() -> Option<Log> {
        folder().is_dir().then(|| read().expect("the log of gastown"))
    }

    #[test]
    fn times_are_read() {
        assert_eq!(millis("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(millis("2026-02-26T23:13:23Z"), Some(1_772_147_603_000));
        assert_eq!(millis("2024-02-29T12:00:00Z"), Some(1_709_208_000_000));
        assert_eq!(millis("soon"), None);
    }

    #[test]
    fn the_four_loops_are_found_and_no_other() {
        let Some(log) = log() else { return };
        let found = loops(&log, &Redispatch::default());
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["gt-1emx", "gt-1fje", "gt-qae2", "gt-x9xm"]);
        // Early: at the sixth turn of dozens and hundreds.
        for (issue, &(turns, at)) in &found {
            let until = log
                .changes
                .iter()
                .filter(|(time, of, _, to)| of == issue && to == "open" && *time <= at)
                .count();
            assert!(turns > 70 && until <= 8, "{issue}: {turns} turns, found after {until}");
        }
    }

    #[test]
    fn what_was_learned_carries_over_to_the_second_half_and_an_age_does_not() {
        let Some(log) = log() else { return };
        let shipped = fits(&log, &by_policy(&log, &Policy::default()).expect("a replay"));
        assert!(
            shipped[2].recall() < 0.2,
            "a floor of 30 min finds little where work takes five: {shipped:?}"
        );
        let aged = fits(&log, &by_age(&log, 8.0));
        assert!((aged[2].f1() - 0.59).abs() < 0.01, "{aged:?}");
        let (_, tuned_age) =
            tuned(&log, (1..=40).map(f64::from), |age| Ok(by_age(&log, age))).expect("an age");
        let learned = fits(&log, &by_policy(&log, &overdue(65)).expect("a replay"));
        assert!(learned[1].f1() > 0.6 && learned[1].f1() > tuned_age[1].f1(), "{learned:?} {tuned_age:?}");
    }
}
