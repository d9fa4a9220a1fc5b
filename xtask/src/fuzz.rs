//! Fuzzing by libFuzzer, with the one toolchain that there is: the compiler's coverage pass needs no unstable flag.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::steps::Steps;

/// Where the instrumented programs are built: a directory of its own, since every crate is built another way.
const BUILT: &str = "target/fuzz";
/// What libFuzzer needs in the code: counters of edges, and what is compared with what.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions=yes -Coverflow-checks=yes -Ccodegen-units=1 \
    --cfg fuzzing";
/// Flags stay away from build scripts where a target is named.
const TRIPLE: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };
/// What one input may take, in seconds, and how much memory, in MiB.
const INPUT_SECONDS_MAX: &str = "20";
const MEMORY_MIB_MAX: &str = "4096";

/// Fuzzes all targets, or one, for so many minutes each.
pub fn run(steps: &mut Steps, rest: &[String]) {
    let (mut only, mut minutes) = (None, 10_u64);
    let mut arguments = rest.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--minutes" {
            match arguments.next().and_then(|text| text.parse().ok()).filter(|minutes| *minutes > 0) {
                Some(given) => minutes = given,
                None => return usage(steps),
            }
        } else if only.is_none() && !argument.starts_with('-') {
            only = Some(argument.as_str());
        } else {
            return usage(steps);
        }
    }
    let targets = match targets() {
        Ok(targets) => targets,
        Err(error) => return steps.findings("fuzz", Err(error)),
    };
    let chosen: Vec<&String> =
        targets.iter().filter(|target| only.is_none_or(|only| only == target.as_str())).collect();
    if chosen.is_empty() {
        return usage(steps);
    }
    let line =
        ["cargo", "build", "--release", "-p", "kapell-fuzz", "--features", "libfuzzer", "--target", TRIPLE];
    steps.run_with("fuzz build", &line, &[("RUSTFLAGS", FLAGS), ("CARGO_TARGET_DIR", BUILT)]);
    for target in chosen {
        if let Err(error) = fuzz(steps, target, minutes * 60) {
            steps.findings(target, Err(error));
        }
    }
}

fn usage(steps: &mut Steps) {
    steps.findings("fuzz", Ok(vec!["usage: cargo xtask fuzz [TARGET] [--minutes N], N from 1".to_owned()]));
}

/// Every target has its folder.
fn targets() -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir("fuzz/corpus").context("fuzz/corpus")?;
    let mut targets: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    targets.sort();
    Ok(targets)
}

/// Runs one target. What it finds new stays below `target/fuzz`; an input that fails stands in `found`.
fn fuzz(steps: &mut Steps, target: &str, seconds: u64) -> anyhow::Result<()> {
    let folder = |name: &str| -> anyhow::Result<PathBuf> {
        let folder = Path::new(BUILT).join(name).join(target);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    };
    let (grown, found) = (folder("corpus")?, folder("found")?);
    if target == "log" {
        samples(&grown)?;
    }
    let program = format!("{BUILT}/{TRIPLE}/release/kapell-fuzz");
    let (grown, kept) = (grown.display().to_string(), format!("fuzz/corpus/{target}"));
    let line = [
        program.as_str(),
        &grown,
        &kept,
        &format!("-artifact_prefix={}/", found.display()),
        &format!("-max_total_time={seconds}"),
        &format!("-timeout={INPUT_SECONDS_MAX}"),
        &format!("-rss_limit_mb={MEMORY_MIB_MAX}"),
        "-print_final_stats=1",
        "-max_len=8192",
    ];
    steps.run_with(&format!("fuzz {target}"), &line, &[("KAPELL_FUZZ_TARGET", target)]);
    Ok(())
}

/// Gives the log's decoder the samples of every kind of event to begin with.
fn samples(corpus: &Path) -> anyhow::Result<()> {
    let samples = fs::read_to_string("crates/core/tests/samples/log-v1.txt")?;
    for (number, line) in samples.lines().enumerate() {
        let mut words = line.splitn(6, ' ').skip(4);
        if let (Some(kind), Some(body)) = (words.next(), words.next()) {
            fs::write(corpus.join(format!("sample-{number}")), format!("{kind}\n{body}"))?;
        }
    }
    Ok(())
}
