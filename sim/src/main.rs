//! Plays seeds and says what they have shown.
//!
//! ```text
//! kapell-sim [--seeds FROM..TO] [--steps N] [--minutes M]   plays seeds; with minutes as many as fit in
//! kapell-sim --show SEED [--steps N] [--bug NAME]           prints the scenario of a seed
//! kapell-sim --shrink SEED [--steps N] [--bug NAME]         cuts a failing seed down and prints the scenario
//! kapell-sim --replay FILE [--tell events]                  plays a scenario file, and tells every event on standard error
//! kapell-sim --mutations [NAME] [--steps N]                 looks for every seeded bug, or one of them, and prints a table
//! ```
//!
//! Exit 1 where something is broken, or a seeded bug is not found; each failure comes with the command to play it again.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kapell_sim::{Bug, Found, Hunt, Report, Scenario, Violation, hunt, shrink, simulate};

const USAGE: &str = "usage: kapell-sim [--seeds FROM..TO] [--minutes M] [--steps N] \
    | --show SEED | --shrink SEED [--bug NAME] | --replay FILE | --mutations [NAME]";
/// Plays that shrinking takes at most.
const SHRINK_PLAYS: u32 = 1_500;

#[derive(Default)]
struct Options {
    from: u64,
    to: u64,
    steps: u32,
    minutes: Option<u64>,
    show: Option<u64>,
    shrink: Option<u64>,
    replay: Option<String>,
    tells: bool,
    mutations: Option<String>,
    bug: Option<Bug>,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // A panic inside a play is a finding, and is printed as one.
    std::panic::set_hook(Box::new(|_| {}));
    let drawn = |seed: u64| Scenario::draw(seed, options.steps).with(options.bug);
    if let Some(seed) = options.show {
        return print(&drawn(seed).to_string(), true);
    }
    if let Some(seed) = options.shrink {
        return print_shrunk(&drawn(seed));
    }
    match (&options.replay, &options.mutations) {
        (Some(file), _) => replay(file, options.tells),
        (_, Some(name)) => mutations(name, options.steps),
        _ => seeds(&options),
    }
}

fn print(text: &str, well: bool) -> ExitCode {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_shrunk(scenario: &Scenario) -> ExitCode {
    let Some(shrunk) = shrink(scenario, SHRINK_PLAYS) else {
        return print("nothing is broken\n", true);
    };
    let text = format!(
        "# {}\n# {} steps are left of {}, after {} plays\n# play it again: cargo run --release -p kapell-sim{} -- --replay FILE\n{}",
        shrunk.violation,
        shrunk.steps,
        scenario.steps,
        shrunk.plays,
        if cfg!(feature = "mutations") { " --features mutations" } else { "" },
        shrunk.scenario
    );
    print(&text, false)
}

fn replay(file: &str, tells: bool) -> ExitCode {
    let scenario = std::fs::read_to_string(file).map_err(|error| error.to_string());
    let mut scenario = match scenario.and_then(|text| Scenario::read(&text)) {
        Ok(scenario) => scenario,
        Err(error) => {
            eprintln!("error: {file}: {error}");
            return ExitCode::from(2);
        }
    };
    scenario.tells = tells;
    match simulate(&scenario) {
        Ok(report) => print(&format!("nothing is broken: {}\n", summary(&report)), true),
        Err(violation) => print(&format!("{violation}\n"), false),
    }
}

fn mutations(name: &str, steps: u32) -> ExitCode {
    let bugs: Vec<Bug> =
        Bug::all().into_iter().filter(|bug| name.is_empty() || bug.to_string() == name).collect();
    if bugs.is_empty() {
        eprintln!("error: --mutations: there is no seeded bug `{name}` here; `--features mutations` has all");
        return ExitCode::from(2);
    }
    let started = Instant::now();
    let next = AtomicU64::new(0);
    let found = Mutex::new(vec![None::<Found>; bugs.len()]);
    on_all_processors(|| {
        loop {
            let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
            let Some(&bug) = bugs.get(index) else { return };
            let one = hunt(bug, Hunt { seeds: 600, steps });
            found.lock().expect("no worker has panicked")[index] = one;
        }
    });
    let found = found.into_inner().expect("no worker has panicked");
    let mut text =
        "| bug | found by | seed | step | steps in all |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for (bug, found) in bugs.iter().zip(&found) {
        let _ = match found {
            Some(Found { broken, seed, step, steps, .. }) => {
                writeln!(text, "| `{bug}` | {} | {seed} | {step} | {steps} |", broken.id)
            }
            None => writeln!(text, "| `{bug}` | NOT FOUND | | | |"),
        };
    }
    let count = found.iter().flatten().count();
    let _ = writeln!(text, "\n{count} of {} found, {:.1} s", bugs.len(), started.elapsed().as_secs_f64());
    print(&text, count == bugs.len())
}

fn seeds(options: &Options) -> ExitCode {
    if options.minutes.is_none() && options.from >= options.to {
        eprintln!(
            "error: --seeds {}..{}: there is none; the first is below the last",
            options.from, options.to
        );
        return ExitCode::from(2);
    }
    let started = Instant::now();
    let deadline = options.minutes.map(|minutes| started + Duration::from_secs(60 * minutes));
    let next = AtomicU64::new(options.from);
    let over = AtomicBool::new(false);
    let totals = Mutex::new((0_u64, Report::default(), Vec::<Violation>::new(), started));
    on_all_processors(|| {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if (deadline.is_none() && seed >= options.to) || late || over.load(Ordering::Relaxed) {
                return;
            }
            let played = simulate(&Scenario::draw(seed, options.steps).with(options.bug));
            let mut totals = totals.lock().expect("no worker has panicked");
            totals.0 += 1;
            match played {
                Ok(report) => totals.1.add(&report),
                Err(violation) => {
                    eprintln!("{violation}");
                    totals.2.push(violation);
                    over.store(totals.2.len() >= 20, Ordering::Relaxed);
                }
            }
            if totals.3.elapsed() >= Duration::from_secs(30) {
                totals.3 = Instant::now();
                let took = started.elapsed().as_secs_f64();
                eprintln!(
                    "{took:.0} s: {} seeds, {} steps, {} broken",
                    totals.0,
                    totals.1.steps,
                    totals.2.len()
                );
            }
        }
    });
    let (count, total, mut violations, _) = totals.into_inner().expect("no worker has panicked");
    violations.sort_by_key(|violation| violation.seed);
    let took = started.elapsed().as_secs_f64();
    let mut text = format!("{count} seeds, {}, {} violations\n", summary(&total), violations.len());
    let busy = processor_seconds();
    let rate = total.steps as f64 / took;
    let _ = writeln!(
        text,
        "{took:.1} s, {rate:.0} steps/s; {busy:.1} s of processor time, {:.0} steps a second of it",
        total.steps as f64 / busy.max(0.001)
    );
    for violation in violations.iter().take(5) {
        let (seed, steps) = (violation.seed, options.steps);
        let _ = writeln!(
            text,
            "{violation}\n  cut it down: cargo run --release -p kapell-sim -- --shrink {seed} --steps {steps}"
        );
    }
    print(&text, violations.is_empty())
}

fn on_all_processors(work: impl Fn() + Sync) {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(&work);
        }
    });
}

/// Returns the time that the processors have spent on this process, in seconds; 0 where the system does not tell.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn summary(report: &Report) -> String {
    let seen = &report.seen;
    format!(
        "{} steps, {} commands, {} events, {} looks at every invariant, {} acknowledgements, {} deaths of the server, {} stalls of which {} moved, \
         {} loops held back, {} moved to even the load, {} handed over and {} mediations, {} cycles broken, {} optimal rounds, {} keys out of time",
        report.steps,
        seen.commands,
        seen.events,
        seen.looks,
        report.acknowledged,
        report.crashes,
        seen.stalls,
        seen.relieved,
        seen.held,
        seen.balanced,
        seen.handed_over,
        seen.mediated,
        seen.broken,
        seen.rounds,
        seen.out_of_time,
    )
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { to: 4_000, steps: 4_200, ..Options::default() };
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        if argument == "--mutations" {
            options.mutations = Some(arguments.next_if(|next| !next.starts_with("--")).unwrap_or_default());
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{argument} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("`{value}` is no number"));
        match argument.as_str() {
            "--seeds" => {
                let range = value.split_once("..");
                let range = range.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
                (options.from, options.to) =
                    range.ok_or_else(|| format!("`{value}` is no range such as 0..200"))?;
            }
            "--steps" => {
                options.steps =
                    u32::try_from(number()?).map_err(|_| format!("`{value}` steps are too many"))?;
            }
            "--minutes" => options.minutes = Some(number()?),
            "--show" => options.show = Some(number()?),
            "--shrink" => options.shrink = Some(number()?),
            "--replay" => options.replay = Some(value),
            "--tell" => options.tells = value == "events",
            "--bug" => {
                options.bug = Some(Bug::read(&value).ok_or_else(|| format!("there is no bug `{value}`"))?);
            }
            other => return Err(format!("unknown argument `{other}`")),
        }
    }
    Ok(options)
}
