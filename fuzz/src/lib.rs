//! Fuzz targets: one function each, which takes bytes and panics where a promise is broken.
//!
//! `cargo xtask fuzz` has libFuzzer drive them; `tests/properties.rs` runs the same functions in the ordinary tests, on what
//! stands in `corpus` and on changed copies of it. The bytes either are the input itself or choose what it is made of
//! (`made.rs`), so that a few flipped bits make another input of the right form.

pub mod bodies;
pub mod files;
pub mod globs;
pub mod imports;
pub mod log;
mod made;
pub mod requests;
mod tour;

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in `corpus`.
    pub name: &'static str,
    /// Runs it on one input; panics where a promise is broken.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "bodies", run: bodies::run },
    Target { name: "files", run: files::run },
    Target { name: "globs", run: globs::run },
    Target { name: "imports", run: imports::run },
    Target { name: "log", run: log::run },
    Target { name: "requests", run: requests::run },
];

/// Returns the target of that name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
