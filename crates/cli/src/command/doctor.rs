//! `kapell log verify` and `doctor`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use kapell_server::Verified;

use crate::context::Context;
use crate::exit::Exit;
use crate::output;

#[derive(Debug, clap::Subcommand)]
pub enum LogVerb {
    /// Check every row, fold the log, and check every invariant; changes nothing
    Verify,
}

impl LogVerb {
    pub fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let Self::Verify = self;
        verify(&context.data()?)
    }
}

fn verify(data: &Path) -> anyhow::Result<Exit> {
    let mut exit = Exit::Ok;
    for verified in kapell_server::verify(data)? {
        let (lines, whole) = told(&verified);
        for line in lines {
            output::line(line);
        }
        if !whole {
            exit = Exit::Error;
        }
    }
    Ok(exit)
}

/// Says what was found, and whether all of it is whole.
pub fn told(verified: &Verified) -> (Vec<String>, bool) {
    let report = &verified.report;
    let mut lines = vec![format!(
        "fleet `{}`: {} rows read and verified up to position {}, {} bytes of bodies, {} owners, snapshots at {:?}",
        verified.fleet, report.rows, report.head, report.body_bytes, report.epochs, report.snapshots
    )];
    lines.extend(report.findings.iter().map(|damage| format!("damaged: {damage}")));
    let folded = match &verified.folded {
        Ok(folded) => {
            lines.push(format!(
                "folds to {} tasks and {} agents at event {}",
                folded.tasks, folded.agents, folded.position
            ));
            match &folded.broken {
                Some(broken) => lines.push(format!("broken: {broken}")),
                None => lines.push("every invariant holds".to_owned()),
            }
            folded.broken.is_none()
        }
        Err(error) => {
            lines.push(format!("does not fold: {error}"));
            false
        }
    };
    (lines, folded && verified.report.is_whole())
}

/// Looks for what is wrong, and says what to do.
pub fn run(context: &Context) -> anyhow::Result<Exit> {
    let data = context.data()?;
    let mut ill = 0;
    let mut say = |well: bool, what: String| {
        ill += u32::from(!well);
        output::line(format!("{} {what}", if well { "ok   " } else { "ILL  " }));
    };
    match std::fs::metadata(&data) {
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o777;
            say(
                mode & 0o077 == 0,
                format!("data directory {} has mode {mode:o}; 700 keeps others out", data.display()),
            );
        }
        Err(_) => say(true, format!("no data directory at {} yet; `kapell up` makes it", data.display())),
    }
    let token = data.join(kapell_server::ADMIN_TOKEN_FILE);
    if let Ok(metadata) = std::fs::metadata(&token) {
        let mode = metadata.permissions().mode() & 0o777;
        say(mode & 0o077 == 0, format!("{} has mode {mode:o}; 600 keeps others out", token.display()));
    }
    let client = context.client()?.with_patience(std::time::Duration::ZERO);
    match client.health() {
        Ok(health) => {
            let own = env!("CARGO_PKG_VERSION");
            say(
                health.version == own,
                format!("server {} answers, version {}; this is {own}", context.server()?, health.version),
            );
            match client.status() {
                Ok(status) => {
                    say(true, format!("the token is valid; {} events are durable", status.position));
                }
                Err(error) => say(false, format!("the token does not do: {error}")),
            }
        }
        Err(_) => {
            say(true, format!("no server answers at {}; `kapell up` starts one", context.server()?));
            if data.exists() {
                match kapell_server::verify(&data) {
                    Ok(all) => {
                        for verified in all {
                            let (lines, whole) = told(&verified);
                            say(whole, lines.join("; "));
                        }
                    }
                    Err(error) => {
                        say(false, format!("the log cannot be checked: {:#}", anyhow::Error::from(error)));
                    }
                }
            }
        }
    }
    Ok(if ill == 0 { Exit::Ok } else { Exit::Error })
}
