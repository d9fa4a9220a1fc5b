//! What may come in from outside: licences, sources and bans of every package in the lock file. A check of our own
//! over `cargo tree` and `Cargo.lock`; it needs no tool beside cargo.

use std::fs;
use std::process::Command;

use anyhow::Context as _;

/// Licences that this project may be given out with.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "NCSA",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// The one place that packages come from.
const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What must not come in, and why.
const BANS: &[(&str, &str)] = &[
    ("openssl-sys", "TLS of the system is no part of one binary"),
    ("native-tls", "TLS of the system is no part of one binary"),
    ("serde_yaml", "unmaintained"),
    ("atty", "unmaintained"),
];

/// Runs the checks and returns what was found.
pub fn check() -> anyhow::Result<Vec<String>> {
    let lock = fs::read_to_string("Cargo.lock").context("Cargo.lock cannot be read")?;
    let tree = Command::new("cargo")
        .args([
            "tree",
            "--workspace",
            "--all-features",
            "--locked",
            "--target",
            "all",
            "--edges",
            "normal,build,dev",
        ])
        .args(["--no-dedupe", "--depth", "99", "--prefix", "none", "--format", "{p}|{l}"])
        .output()
        .context("cargo tree cannot be started")?;
    anyhow::ensure!(tree.status.success(), "cargo tree: {}", String::from_utf8_lossy(&tree.stderr));
    let mut findings = locked(&lock);
    findings.extend(licences(&String::from_utf8_lossy(&tree.stdout)));
    Ok(findings)
}

/// Finds foreign sources, missing checksums and banned packages in a lock file.
fn locked(lock: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for package in lock.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            line.map(|text| text.trim_matches('"'))
        };
        let name = value("name").unwrap_or_default();
        if let Some(source) = value("source") {
            if source != SOURCE {
                findings.push(format!("supply: {name} comes from {source}"));
            }
            if value("checksum").is_none() {
                findings.push(format!("supply: {name} has no checksum"));
            }
        }
        if let Some((_, why)) = BANS.iter().find(|(banned, _)| *banned == name) {
            findings.push(format!("supply: {name} is banned: {why}"));
        }
    }
    findings
}

/// Finds licences that are not allowed in lines of `package|licence`.
fn licences(tree: &str) -> Vec<String> {
    let mut findings: Vec<String> = tree
        .lines()
        .filter(|line| !line.is_empty())
        .filter_map(|line| {
            let (package, licence) = line.split_once('|')?;
            let package = package.split(" (").next().unwrap_or(package);
            (!allowed(licence)).then(|| format!("supply: {package} has the licence `{licence}`"))
        })
        .collect();
    findings.sort();
    findings.dedup();
    findings
}

/// Tells whether an SPDX expression leaves us a choice that is allowed. `OR` binds less than `AND`.
fn allowed(expression: &str) -> bool {
    let text = expression.replace('/', " OR ");
    any(&text, " OR ", |part| {
        !any(part, " AND ", |term| {
            let inner = term.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
            !inner.map_or_else(|| LICENCES.contains(&term.trim()), allowed)
        })
    })
}

/// Tells whether `test` holds for a part between `separator`s that stand in no parentheses.
fn any(text: &str, separator: &str, test: impl Fn(&str) -> bool) -> bool {
    let (mut depth, mut from) = (0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && at >= from && text[at..].starts_with(separator) => {
                if test(&text[from..at]) {
                    return true;
                }
                from = at + separator.len();
            }
            _ => {}
        }
    }
    test(&text[from..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_is_judged_by_the_choice_that_it_leaves() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(GPL-3.0 OR MIT) AND Unicode-3.0",
            "MIT AND BSD-3-Clause",
        ] {
            assert!(allowed(good), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Zlib) AND AGPL-3.0", "GPL-2.0/AGPL-3.0"] {
            assert!(!allowed(bad), "{bad}");
        }
        assert_eq!(licences("a v1 (/p)|MIT\nb v2|GPL-3.0\nb v2|GPL-3.0\n").len(), 1);
        assert_eq!(licences("c v3|\n"), ["supply: c v3 has the licence ``"]);
    }

    #[test]
    fn foreign_sources_and_bans_are_found() {
        let good = format!("[[package]]\nname = \"a\"\nsource = \"{SOURCE}\"\nchecksum = \"0\"\n");
        assert_eq!(locked(&good), Vec::<String>::new());
        let bad = "[[package]]\nname = \"b\"\nsource = \"git+https://example.org/b\"\n\n[[package]]\nname = \"atty\"\n";
        assert_eq!(locked(bad).len(), 3, "{:?}", locked(bad));
    }
}
