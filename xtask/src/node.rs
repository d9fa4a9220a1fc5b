//! Tests that run in Node: what they need is installed from npm at the versions of their `package.json`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Returns the full path of the binary under test, or why there is none.
pub fn binary(path: &str) -> Result<String, String> {
    match std::path::absolute(path) {
        Ok(path) if path.exists() => Ok(path.display().to_string()),
        _ => Err(format!("there is no {path}")),
    }
}

/// Installs the packages of a folder where they are not there, or are not those that it names now; returns why that cannot
/// be done.
pub fn installed(folder: &str) -> Result<(), String> {
    for program in ["node", "npm"] {
        if !runs(program, &["--version"]) {
            return Err(format!("there is no {program}"));
        }
    }
    let wanted = Path::new(folder).join("package.json");
    let wanted = fs::read_to_string(&wanted).map_err(|error| format!("{}: {error}", wanted.display()))?;
    let mark = Path::new(folder).join("node_modules/installed.json");
    if fs::read_to_string(&mark).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    let line =
        ["install", "--prefix", folder, "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"];
    if !runs("npm", &line) {
        return Err(format!("npm does not install what {folder} needs"));
    }
    fs::write(&mark, wanted).map_err(|error| format!("{}: {error}", mark.display()))
}

/// Tells whether a command line ends well. What it prints is not shown.
pub fn runs(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
