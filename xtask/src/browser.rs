//! The dashboard of the real binary in a real browser (`web-tests`). What it takes is installed where that is possible, and
//! where it is not the tests are skipped by name.

use std::path::Path;
use std::process::Command;

use crate::node;
use crate::steps::Steps;

/// The binary that is tested where no other is named.
pub const BINARY: &str = "target/release/kapell";

const NAME: &str = "browser tests";
const FOLDER: &str = "web-tests";
const CHROMIUM: &str = "/usr/bin/chromium";

/// Runs them against `binary`, or says why not.
pub fn run(steps: &mut Steps, binary: &str) {
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| CHROMIUM.to_owned());
    match node::binary(binary).and_then(|binary| prepared(&chromium).map(|()| binary)) {
        Ok(binary) => {
            steps.node_tests(NAME, FOLDER, &[("KAPELL_BIN", &binary), ("CHROMIUM", &chromium)]);
        }
        Err(why) => steps.skip(NAME, &why),
    }
}

/// Installs what is missing; returns why that cannot be done.
fn prepared(chromium: &str) -> Result<(), String> {
    if !Path::new(chromium).exists() {
        if !root() {
            return Err(format!("there is no {chromium}, and only root may install it"));
        }
        let installed = node::runs("apt-get", &["update", "--quiet"])
            && node::runs("apt-get", &["install", "--quiet", "--yes", "--no-install-recommends", "chromium"]);
        if !installed || !Path::new(chromium).exists() {
            return Err("apt-get does not install chromium".to_owned());
        }
    }
    node::installed(FOLDER)
}

fn root() -> bool {
    let who = Command::new("id").arg("-u").output();
    who.is_ok_and(|who| who.stdout.trim_ascii() == b"0")
}
