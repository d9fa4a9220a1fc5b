//! The real binary driven by clients that nobody here wrote (`client-tests`). What it takes is installed from npm, and where
//! that cannot be the tests are skipped by name.

use crate::node;
use crate::steps::Steps;

const NAME: &str = "client tests";
const FOLDER: &str = "client-tests";

/// Runs them against `binary`, or says why not.
pub fn run(steps: &mut Steps, binary: &str) {
    match node::binary(binary).and_then(|binary| node::installed(FOLDER).map(|()| binary)) {
        Ok(binary) => steps.node_tests(NAME, FOLDER, &[("KAPELL_BIN", &binary)]),
        Err(why) => steps.skip(NAME, &why),
    }
}
