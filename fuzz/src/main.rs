//! The program that libFuzzer drives: `KAPELL_FUZZ_TARGET` names the target. `cargo xtask fuzz` builds and runs it.

#![no_main]

use std::sync::OnceLock;

use kapell_fuzz::{Target, target};

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fn named() -> &'static Target {
    let name = std::env::var("KAPELL_FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| panic!("KAPELL_FUZZ_TARGET is `{name}`, which is no target"))
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (TARGET.get_or_init(named).run)(bytes));
