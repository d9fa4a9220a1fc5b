//! The dashboard of the real binary in a real browser (`web-tests`). What it takes is installed where that is possible, and
//! where it is not the tests are skipped by name.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::steps::Steps;

/// The binary that is tested where no other is named.
pub const BINARY: &str = "target/release/kapell";

const NAME: &str = "browser tests";
const FOLDER: &str = "web-tests";
const CHROMIUM: &str = "/usr/bin/chromium";

/// Runs them against `binary`, or says why not.
pub fn run(steps: &mut Steps, binary: &str) {
    let binary = match std::path::absolute(binary) {
        Ok(path) if path.exists() => path.display().to_string(),
        _ => return steps.skip(NAME, &format!("there is no {binary}")),
    };
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| CHROMIUM.to_owned());
    if let Err(why) = prepared(&chromium) {
        return steps.skip(NAME, &why);
    }
    steps.node_tests(NAME, FOLDER, &[("KAPELL_BIN", &binary), ("CHROMIUM", &chromium)]);
}

/// Installs what is missing; returns why that cannot be done.
fn prepared(chromium: &str) -> Result<(), String> {
    for program in ["node", "npm"] {
        if !runs(program, &["--version"]) {
            return Err(format!("there is no {program}"));
        }
    }
    if !Path::new(chromium).exists() {
        if !root() {
            return Err(format!("there is no {chromium}, and only root may install it"));
        }
        let installed = runs("apt-get", &["update", "--quiet"])
            && runs("apt-get", &["install", "--quiet", "--yes", "--no-install-recommends", "chromium"]);
        if !installed || !Path::new(chromium).exists() {
            return Err("apt-get does not install chromium".to_owned());
        }
    }
    let modules = ["playwright-core", "axe-core"];
    let there = |module: &&str| Path::new(FOLDER).join("node_modules").join(module).exists();
    if !modules.iter().all(there)
        && !runs("npm", &["install", "--prefix", FOLDER, "--ignore-scripts", "--no-package-lock"])
    {
        return Err("npm does not install playwright-core and axe-core".to_owned());
    }
    Ok(())
}

fn root() -> bool {
    let who = Command::new("id").arg("-u").output();
    who.is_ok_and(|who| who.stdout.trim_ascii() == b"0")
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
