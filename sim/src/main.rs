//! Plays seeds and says what they have shown.
//!
//! `kapell-sim [--seeds FROM..TO] [--steps N]`: exit 1 with the seed and the command to play it again, where one shows
//! something broken.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use kapell_sim::{Report, Violation, simulate};

struct Options {
    from: u64,
    to: u64,
    steps: u64,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\nusage: kapell-sim [--seeds FROM..TO] [--steps N]");
            return ExitCode::from(2);
        }
    };
    let started = Instant::now();
    let next = AtomicU64::new(options.from);
    let totals = Mutex::new((Report::default(), Vec::<Violation>::new()));
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= options.to {
                        return;
                    }
                    let played = simulate(seed, options.steps, None);
                    let mut totals = totals.lock().expect("no worker has panicked");
                    match played {
                        Ok(report) => add(&mut totals.0, &report),
                        Err(violation) => totals.1.push(violation),
                    }
                }
            });
        }
    });
    let (total, mut violations) = totals.into_inner().expect("no worker has panicked");
    violations.sort_by_key(|violation| violation.seed);
    let took = started.elapsed().as_secs_f64();
    let mut out = std::io::stdout().lock();
    let _ = writeln!(
        out,
        "{} seeds, {} steps, {} events each checked against every invariant, {} acknowledgements, {} crashes, {} stalls of which {} moved, {} loops held back, {} moved to even the load, {} cycles broken, {} optimal rounds, {} violations; \
         {:.1} s, {:.0} steps/s",
        options.to.saturating_sub(options.from),
        total.steps,
        total.events,
        total.acknowledged,
        total.crashes,
        total.stalls,
        total.relieved,
        total.held,
        total.balanced,
        total.broken,
        total.rounds,
        violations.len(),
        took,
        total.steps as f64 / took
    );
    for violation in violations.iter().take(5) {
        let seed = violation.seed;
        let _ = writeln!(out, "{violation}");
        let _ = writeln!(
            out,
            "  play it again: cargo run --release -p kapell-sim -- --seeds {seed}..{} --steps {}",
            seed + 1,
            options.steps
        );
    }
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn add(total: &mut Report, report: &Report) {
    total.steps += report.steps;
    total.events += report.events;
    total.crashes += report.crashes;
    total.acknowledged += report.acknowledged;
    total.stalls += report.stalls;
    total.relieved += report.relieved;
    total.held += report.held;
    total.balanced += report.balanced;
    total.broken += report.broken;
    total.rounds += report.rounds;
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { from: 0, to: 200, steps: 2_000 };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{argument} wants a value"))?;
        match argument.as_str() {
            "--seeds" => {
                let range = value
                    .split_once("..")
                    .and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
                (options.from, options.to) =
                    range.ok_or_else(|| format!("`{value}` is no range such as 0..200"))?;
            }
            "--steps" => {
                options.steps = value.parse().map_err(|_| format!("`{value}` is no number of steps"))?;
            }
            other => return Err(format!("unknown argument `{other}`")),
        }
    }
    Ok(options)
}
