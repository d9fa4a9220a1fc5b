//! Runs the steps of a command one after the other, shows their output, counts their tests and sums up.

use std::io::BufReader;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Where proptest reads what it draws its cases from.
const SEED: &str = "PROPTEST_RNG_SEED";

/// What has been run so far.
#[derive(Debug, Default)]
pub struct Steps {
    done: Vec<(String, Duration, bool)>,
    passed: u32,
    failed: u32,
    skipped: Vec<String>,
    same_cases: bool,
}

impl Steps {
    /// Lets properties draw the same cases at every run, unless the caller has named a seed: what passed once passes again.
    pub fn draw_the_same_cases(&mut self) {
        self.same_cases = std::env::var_os(SEED).is_none();
    }

    /// Runs a command line; it counts as one test.
    pub fn run(&mut self, name: &str, line: &[&str]) {
        self.run_with(name, line, &[]);
    }

    /// Runs a command line with some variables of the environment set.
    pub fn run_with(&mut self, name: &str, line: &[&str], variables: &[(&str, &str)]) {
        eprintln!("\n== {name}: {}", line.join(" "));
        let started = Instant::now();
        let mut command = Command::new(line[0]);
        command.args(&line[1..]).envs(variables.iter().copied());
        let well = match command.status() {
            Ok(status) => status.success(),
            Err(error) => {
                eprintln!("{} cannot be started: {error}", line[0]);
                false
            }
        };
        self.note(name, started, well);
    }

    /// Notes what a check of our own has found.
    pub fn findings(&mut self, name: &str, findings: anyhow::Result<Vec<String>>) {
        eprintln!("\n== {name}");
        let started = Instant::now();
        let well = match findings {
            Ok(findings) => {
                for finding in &findings {
                    eprintln!("{finding}");
                }
                findings.is_empty()
            }
            Err(error) => {
                eprintln!("{error:#}");
                false
            }
        };
        self.note(name, started, well);
    }

    /// Runs tests by nextest, or by cargo where that is not there.
    pub fn tests(&mut self, name: &str, what: &[&str]) {
        let mut nextest = Command::new("cargo");
        nextest.args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut line = vec!["cargo"];
        if nextest.status().is_ok_and(|status| status.success()) {
            line.extend([
                "nextest",
                "run",
                "--no-fail-fast",
                "--no-tests=pass",
                "--status-level=fail",
                "--final-status-level=slow",
            ]);
        } else {
            line.extend(["test", "--no-fail-fast"]);
        }
        line.extend(what);
        let variables: &[(&str, &str)] = if self.same_cases { &[(SEED, "1")] } else { &[] };
        self.counted_in(name, &line, ".", variables);
    }

    /// Notes what cannot be run here, with the reason.
    pub fn skip(&mut self, name: &str, why: &str) {
        eprintln!("\n== {name}: skipped, {why}");
        self.skipped.push(format!("{name} ({why})"));
    }

    /// Runs the tests of a folder by node, with some variables of the environment set.
    pub fn node_tests(&mut self, name: &str, folder: &str, variables: &[(&str, &str)]) {
        let line = ["node", "--test", "--test-concurrency=1", "--test-reporter=spec"];
        self.counted_in(name, &line, folder, variables);
    }

    /// Runs the examples in the docs.
    pub fn doc_tests(&mut self) {
        self.counted_in("doc tests", &["cargo", "test", "--workspace", "--doc", "--quiet"], ".", &[]);
    }

    fn counted_in(&mut self, name: &str, line: &[&str], folder: &str, variables: &[(&str, &str)]) {
        eprintln!("\n== {name}: {}", line.join(" "));
        let started = Instant::now();
        let (well, passed, failed) = stream(line, folder, variables);
        self.passed += passed;
        self.failed += failed;
        self.done.push((name.to_owned(), started.elapsed(), well));
        if !well && failed == 0 {
            self.failed += 1;
        }
    }

    fn note(&mut self, name: &str, started: Instant, well: bool) {
        if well {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
        self.done.push((name.to_owned(), started.elapsed(), well));
    }

    /// Prints the summary.
    pub fn close(self) -> ExitCode {
        println!();
        for (name, took, well) in &self.done {
            println!("{} {name}: {:.1} s", if *well { "ok    " } else { "FAILED" }, took.as_secs_f64());
        }
        let skipped = if self.skipped.is_empty() { "none".to_owned() } else { self.skipped.join(", ") };
        println!("skipped: {skipped}");
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 && self.done.iter().all(|(_, _, well)| *well) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Runs a command line, shows both of its outputs, and counts the tests that its summaries name.
fn stream(line: &[&str], folder: &str, variables: &[(&str, &str)]) -> (bool, u32, u32) {
    let joined = Command::new(line[0])
        .args(&line[1..])
        .current_dir(folder)
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .env("CARGO_TERM_COLOR", "never")
        .env("NEXTEST_HIDE_PROGRESS_BAR", "1")
        .spawn();
    let Ok(mut child) = joined else {
        eprintln!("{} cannot be started", line[0]);
        return (false, 0, 1);
    };
    let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let reader = std::thread::spawn(move || count(BufReader::new(out)));
    let (passed, failed) = count(BufReader::new(err));
    let (more_passed, more_failed) = reader.join().unwrap_or((0, 1));
    let well = child.wait().is_ok_and(|status| status.success());
    (well, passed + more_passed, failed + more_failed)
}

fn count(lines: impl std::io::BufRead) -> (u32, u32) {
    let (mut passed, mut failed) = (0, 0);
    for line in lines.lines().map_while(Result::ok) {
        eprintln!("{line}");
        if let Some((well, ill)) = summary(&line) {
            passed += well;
            failed += ill;
        }
    }
    (passed, failed)
}

/// Reads the closing line of nextest or of cargo's own runner, or one of the closing lines of node's.
fn summary(line: &str) -> Option<(u32, u32)> {
    let trimmed = line.trim();
    if let Some(count) = trimmed.strip_prefix("ℹ pass ") {
        return Some((count.parse().ok()?, 0));
    }
    if let Some(count) = trimmed.strip_prefix("ℹ fail ") {
        return Some((0, count.parse().ok()?));
    }
    if !(trimmed.starts_with("Summary [") || trimmed.starts_with("test result:")) {
        return None;
    }
    let words: Vec<&str> = trimmed.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
    let before = |word: &str| {
        let at = words.iter().position(|candidate| *candidate == word)?;
        words.get(at.checked_sub(1)?)?.parse::<u32>().ok()
    };
    Some((before("passed").unwrap_or(0), before("failed").unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_read() {
        assert_eq!(
            summary("     Summary [   0.022s] 9 tests run: 8 passed, 1 failed, 0 skipped"),
            Some((8, 1))
        );
        assert_eq!(summary("     Summary [   0.022s] 9 tests run: 9 passed, 0 skipped"), Some((9, 0)));
        assert_eq!(summary("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured"), Some((3, 0)));
        assert_eq!(summary("ℹ pass 17"), Some((17, 0)));
        assert_eq!(summary("ℹ fail 2"), Some((0, 2)));
        assert_eq!(summary("ℹ duration_ms 58884.9"), None);
        assert_eq!(summary("running 3 tests"), None);
    }
}
