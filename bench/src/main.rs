//! Benchmarks of Kapell beside the machine's own limits, measured in the same run.
//!
//! `kapell-bench [NAME...] [--quick] [--write FILE]` runs the named measurements, or all, prints a table and, where
//! asked, writes it as a page. Every figure is the median of several runs; what it is measured on stands above it.

mod analysis;
mod core_life;
mod cost;
mod gastown;
mod http;
mod machine;
mod optimal;
mod overload;
mod placing;
mod replay;
mod routing;
mod scale;
mod table;
mod wire;
mod workflows;

use std::process::ExitCode;

use table::Table;

/// What the `kapell` program uses too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One measurement: its name, and what it does with the table.
type Measurement = (&'static str, fn(&Options, &mut Table) -> anyhow::Result<()>);

const MEASUREMENTS: &[Measurement] = &[
    ("machine", machine::measure),
    // Before the others have left memory behind that it would be given: it measures what it takes.
    ("scale", scale::measure),
    ("core", core_life::measure),
    ("cost", cost::measure),
    ("singles", http::measure_singles),
    ("bulks", http::measure_bulks),
    ("idle", http::measure_idle),
    ("layers", http::measure_layers),
    ("overload", overload::measure),
    ("optimal", optimal::measure),
    ("gastown", gastown::measure),
    ("replay", replay::measure),
    ("workflows", workflows::measure),
    ("routing", routing::measure),
    ("analysis", analysis::measure),
    ("placing", placing::measure),
];

/// What the command line asks for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Smaller sizes, for a look in between.
    pub quick: bool,
    names: Vec<String>,
    write: Option<String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|first| first == overload::SERVE).is_some() {
        let data =
            arguments.next().ok_or_else(|| anyhow::anyhow!("{} wants a directory", overload::SERVE))?;
        return overload::serve(data.as_ref());
    }
    if arguments.next_if(|first| first == overload::SERVE_NOTHING).is_some() {
        return overload::serve_nothing();
    }
    let options = parse(arguments)?;
    let mut table = Table::default();
    for (name, measure) in MEASUREMENTS {
        if options.names.is_empty() || options.names.iter().any(|wanted| wanted == name) {
            eprintln!("measuring {name} ...");
            measure(&options, &mut table)?;
        }
    }
    let page = table.page();
    table::print(&page);
    if let Some(path) = &options.write {
        std::fs::write(path, page)?;
    }
    Ok(())
}

fn parse(arguments: impl Iterator<Item = String>) -> anyhow::Result<Options> {
    let mut options = Options::default();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--write" => {
                let path = arguments.next();
                options.write = Some(path.ok_or_else(|| anyhow::anyhow!("--write wants a file"))?);
            }
            name if MEASUREMENTS.iter().any(|(known, _)| *known == name) => options.names.push(argument),
            other => {
                let known: Vec<_> = MEASUREMENTS.iter().map(|(name, _)| *name).collect();
                anyhow::bail!(
                    "unknown argument `{other}`; allowed are {}, --quick, --write FILE",
                    known.join(", ")
                );
            }
        }
    }
    Ok(options)
}
