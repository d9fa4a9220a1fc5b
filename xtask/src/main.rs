//! Kapell's own checks, benches and release steps.
//!
//! `cargo xtask check` is the quick part, `cargo xtask test` is everything; `fix` repairs what `check` finds in the
//! formatting, `bench` measures.

#![expect(clippy::print_stdout, reason = "the summary is its output")]

mod browser;
mod clients;
mod contract;
mod fuzz;
mod node;
mod steps;
mod supply;
mod walls;

use std::process::{Command, ExitCode, Stdio};

use steps::Steps;

const HELP: &str = "\
usage: cargo xtask COMMAND

  check         formatting, walls, clippy, docs, the rooms' own tests with new cases of every property (changes nothing)
  test          check, and all tests with the same cases each time, the simulator, the demo, the dashboard in a browser
                and clients of others
  browser [BINARY]  only the tests of the dashboard, against target/release/kapell where no other is named
  clients [BINARY]  only the tests by clients of others: the conformance suite of MCP, its inspector, coding agents
  contract [BINARY]  only the published document against the server, by schemathesis
  walls         only what the project demands of itself: rooms, clocks, pages (part of check)
  supply        licences, sources and bans of what comes from outside (part of check)
  crash [--cycles N]  ends the real server under load N times (1000)
  power [--cuts N]  cuts the power under the real server N times (30): what was not synced is lost, or there in part
  sim [--minutes M | --mutations | ...]  plays 4,000 seeds; or as many as fit in, of others; or looks for every seeded bug
  fuzz [TARGET] [--minutes N]  fuzzes every target, or one, for N minutes each (10)
  fix           repairs the formatting
  bench [ARGS]  measures, and writes docs/benchmarks.md";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let mut steps = Steps::default();
    match command.as_str() {
        "check" => check(&mut steps),
        "test" => {
            steps.draw_the_same_cases();
            check(&mut steps);
            test(&mut steps);
        }
        "walls" => steps.findings("walls", walls::check()),
        "supply" => steps.findings("supply", supply::check()),
        "browser" => browser::run(&mut steps, rest.first().map_or(browser::BINARY, String::as_str)),
        "clients" => clients::run(&mut steps, rest.first().map_or(browser::BINARY, String::as_str)),
        "contract" => contract::run(&mut steps, rest.first().map_or(browser::BINARY, String::as_str)),
        "crash" => ends(&mut steps, &rest, &CRASH),
        "power" => ends(&mut steps, &rest, &POWER),
        "sim" => sim(&mut steps, &rest),
        "fuzz" => fuzz::run(&mut steps, &rest),
        "fix" => steps.run("format", &["cargo", "fmt", "--all"]),
        "bench" => {
            let mut line = vec![
                "cargo",
                "run",
                "--release",
                "-p",
                "kapell-bench",
                "--",
                "--write",
                "docs/benchmarks.md",
            ];
            line.extend(rest.iter().map(String::as_str));
            steps.run("bench", &line);
        }
        "--help" | "-h" | "help" => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprintln!("error: there is no command `{other}`\n\n{HELP}");
            return ExitCode::from(2);
        }
    }
    steps.close()
}

fn check(steps: &mut Steps) {
    steps.run("format", &["cargo", "fmt", "--all", "--check"]);
    steps.findings("walls", walls::check());
    steps.findings("supply", supply::check());
    steps.run(
        "clippy",
        &["cargo", "clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"],
    );
    steps.run_with(
        "docs",
        &["cargo", "doc", "--workspace", "--no-deps", "--quiet"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    );
    steps.tests("unit tests", &["--workspace", "--lib", "--bins"]);
}

fn test(steps: &mut Steps) {
    let mut all = vec!["--workspace", "--test", "*"];
    if !can_mount() {
        steps.skip("full file system", "this account may mount nothing in a namespace of its own");
        all.extend(["--", "--skip", "nothing_acknowledged_is_lost_on_a_file_system_that_is_full"]);
    }
    steps.tests("integration tests", &all);
    steps.doc_tests();
    steps.run("release build", &["cargo", "build", "--release", "--workspace"]);
    if std::path::Path::new("sim/src/main.rs").exists() {
        sim(steps, &[]);
        sim(steps, &["--mutations".to_owned()]);
    }
    steps.run("demo", &["cargo", "run", "--release", "--quiet", "--", "demo"]);
    browser::run(steps, browser::BINARY);
    clients::run(steps, browser::BINARY);
    contract::run(steps, browser::BINARY);
}

/// Tells whether a test can have a file system of its own, as `crates/cli/tests/small_disk.rs` makes one.
fn can_mount() -> bool {
    let mut probe = Command::new("unshare");
    probe.args(["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/tmp"]);
    probe.stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// Plays the simulator; with the feature that seeds bugs only where they are looked for. The long run is worth a slower build.
fn sim(steps: &mut Steps, rest: &[String]) {
    let long = rest.iter().any(|argument| argument == "--minutes");
    let profile = if long { "dist" } else { "release" };
    let mut line = vec!["cargo", "run", "--profile", profile, "--quiet", "-p", "kapell-sim"];
    if rest.iter().any(|argument| argument == "--mutations" || argument == "--bug") {
        line.extend(["--features", "mutations"]);
    }
    line.push("--");
    line.extend(rest.iter().map(String::as_str));
    steps.run("simulator", &line);
}

/// A test that ends the real server again and again, as often as a variable says.
struct Ends {
    name: &'static str,
    flag: &'static str,
    often: &'static str,
    program: &'static str,
    variable: &'static str,
}

const CRASH: Ends =
    Ends { name: "crash", flag: "--cycles", often: "1000", program: "kill", variable: "KAPELL_CRASH_CYCLES" };
const POWER: Ends =
    Ends { name: "power", flag: "--cuts", often: "30", program: "power", variable: "KAPELL_POWER_CUTS" };

fn ends(steps: &mut Steps, rest: &[String], ends: &Ends) {
    let Ends { name, flag, often, program, variable } = *ends;
    let often = match rest {
        [] => often,
        [given, count] if given == flag && count.parse::<usize>().is_ok_and(|count| count > 0) => count,
        _ => {
            steps.findings(name, Ok(vec![format!("usage: cargo xtask {name} [{flag} N], N from 1")]));
            return;
        }
    };
    let line = [
        "cargo",
        "test",
        "--release",
        "-p",
        "kapell-cli",
        "--test",
        program,
        "nothing_acknowledged",
        "--",
        "--nocapture",
    ];
    steps.run_with(name, &line, &[(variable, often)]);
}
