//! `kapell log verify` and `doctor`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use kapell_api::ClientError;
use kapell_server::{ADMIN_TOKEN_FILE, Verified};
use serde::Serialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Format};
use crate::progress;

#[derive(Debug, clap::Subcommand)]
pub enum LogVerb {
    /// Check every row, fold the log from its first event, and check every invariant; changes nothing
    Verify,
}

impl LogVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let Self::Verify = self;
        let verified = verified(context, &context.data()?)?;
        match context.format() {
            Format::Human => verified.iter().flat_map(told).for_each(output::line),
            Format::Json => output::json(&verified.iter().map(shown).collect::<Vec<_>>())?,
        }
        let whole = verified.iter().all(Verified::is_whole);
        Ok(if whole { Exit::Ok } else { Exit::Error })
    }
}

/// Checks the log, and shows on a terminal how far that is.
fn verified(context: &Context, data: &Path) -> anyhow::Result<Vec<Verified>> {
    let progress = progress::bar(context.format(), "checking the log", None);
    Ok(kapell_server::verify_watched(data, |position, head| progress.at(position, head))?)
}

/// Says what was found.
pub fn told(verified: &Verified) -> Vec<String> {
    let report = &verified.report;
    let mut lines = vec![format!(
        "fleet `{}`: {} rows read and verified up to position {}, {} bytes of bodies, {} owners, snapshots at {:?}",
        verified.fleet, report.rows, report.head, report.body_bytes, report.epochs, report.snapshots
    )];
    lines.extend(report.findings.iter().map(|damage| format!("damaged: {damage}")));
    match &verified.folded {
        Ok(folded) => {
            lines.push(format!(
                "folds to {} tasks and {} agents at event {}",
                folded.tasks, folded.agents, folded.position
            ));
            if let Some(snapshot) = folded.differs {
                lines.push(format!("the snapshot at {snapshot} differs from what the log folds to"));
            }
            lines.push(match &folded.broken {
                Some((position, broken)) => format!("broken after event {position}: {broken}"),
                None => {
                    format!(
                        "every invariant holds, checked after {} of {} events",
                        folded.checked, report.rows
                    )
                }
            });
        }
        Err(error) => lines.push(format!("does not fold: {error}")),
    }
    lines
}

fn shown(verified: &Verified) -> Value {
    let report = &verified.report;
    let folded = verified.folded.as_ref();
    json!({
        "fleet": verified.fleet,
        "whole": verified.is_whole(),
        "rows": report.rows,
        "position": report.head,
        "body_bytes": report.body_bytes,
        "owners": report.epochs,
        "snapshots": report.snapshots,
        "damaged": report.findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "tasks": folded.ok().map(|it| it.tasks),
        "agents": folded.ok().map(|it| it.agents),
        "checked_events": folded.ok().map(|it| it.checked),
        "broken": folded.ok().and_then(|it| it.broken.as_ref()).map(|(position, broken)| {
            json!({ "position": position, "invariant": broken.to_string() })
        }),
        "differing_snapshot": folded.ok().and_then(|it| it.differs),
        "error": folded.err(),
    })
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    well: bool,
    what: String,
}

/// Looks for what is wrong, and says what to do.
pub fn run(context: &Context) -> anyhow::Result<Exit> {
    let data = context.data()?;
    let mut findings = Vec::new();
    kept_from_others(&data, &mut findings);
    served(context, &mut findings)?;
    if data.exists() {
        match verified(context, &data) {
            Ok(all) => findings
                .extend(all.iter().map(|it| Finding { well: it.is_whole(), what: told(it).join("; ") })),
            Err(error) => {
                let what = format!("the log cannot be checked: {error:#}");
                findings.push(Finding { well: false, what });
            }
        }
    }
    match context.format() {
        Format::Json => output::json(&findings)?,
        Format::Human => {
            for Finding { well, what } in &findings {
                output::line(format!("{} {what}", if *well { "ok   " } else { "ILL  " }));
            }
        }
    }
    Ok(if findings.iter().all(|finding| finding.well) { Exit::Ok } else { Exit::Error })
}

/// Looks at who may read what.
fn kept_from_others(data: &Path, findings: &mut Vec<Finding>) {
    let Ok(metadata) = std::fs::metadata(data) else {
        let what = format!("no data directory at {} yet; `kapell up` makes it", data.display());
        findings.push(Finding { well: true, what });
        return;
    };
    let mut look = |path: &Path, mode: u32, should: u32| {
        findings.push(Finding {
            well: mode & 0o077 == 0,
            what: format!("{} has mode {:o}; {should:o} keeps others out", path.display(), mode & 0o777),
        });
    };
    look(data, metadata.permissions().mode(), 0o700);
    let token = data.join(ADMIN_TOKEN_FILE);
    if let Ok(metadata) = std::fs::metadata(&token) {
        look(&token, metadata.permissions().mode(), 0o600);
    }
}

/// Asks the server how it is.
fn served(context: &Context, findings: &mut Vec<Finding>) -> anyhow::Result<()> {
    let server = context.server()?;
    let client = context.client()?.with_patience(Duration::ZERO);
    let health = match client.health() {
        Ok(health) => health,
        Err(ClientError::Problem(problem)) => {
            let what = format!("server {server} answers, and does not serve: {}", problem.detail);
            findings.push(Finding { well: false, what });
            return Ok(());
        }
        Err(_) => {
            let what = format!("no server answers at {server}; `kapell up` starts one");
            findings.push(Finding { well: !context.names_server(), what });
            return Ok(());
        }
    };
    let own = env!("CARGO_PKG_VERSION");
    let what = format!("server {server} answers, version {}; this is {own}", health.version);
    findings.push(Finding { well: health.version == own, what });
    match client.status() {
        Ok(status) => {
            let what = format!("the token is valid; {} events are durable", status.position);
            findings.push(Finding { well: true, what });
            let stuck = super::webhook::stuck(&status.webhooks_stuck).into_iter();
            findings.extend(stuck.map(|what| Finding { well: false, what }));
        }
        Err(error) => findings.push(Finding { well: false, what: format!("the token does not do: {error}") }),
    }
    Ok(())
}
