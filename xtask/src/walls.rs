//! The walls between the rooms, and what has no place in the repository. Each check is a function over text, so that
//! its own tests can show that it finds something.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

/// Each room with the neighbours that it may know.
const ROOMS: &[(&str, &[&str])] = &[
    ("crates/model", &[]),
    ("crates/core", &["kapell-model"]),
    ("crates/plan", &["kapell-model"]),
    ("crates/store", &[]),
    ("crates/api", &["kapell-model"]),
    (
        "crates/server",
        &["kapell-model", "kapell-core", "kapell-plan", "kapell-store", "kapell-api", "kapell-mcp"],
    ),
    ("crates/mcp", &["kapell-api"]),
    ("crates/runner", &["kapell-api"]),
    ("crates/cli", &["kapell-model", "kapell-api", "kapell-mcp", "kapell-runner", "kapell-server"]),
    ("sim", &["kapell-model", "kapell-core", "kapell-plan", "kapell-store"]),
    ("xtask", &[]),
];

/// What the pure rooms may bring from outside.
const OUTSIDE: &[(&str, &[&str])] = &[
    ("crates/model", &["serde", "thiserror"]),
    ("crates/core", &["foldhash", "rmp-serde", "serde", "serde_json", "thiserror"]),
    ("crates/plan", &["thiserror"]),
];

/// Words that bring a clock, a file, a thread, chance or an order that means nothing into a pure room.
const FORBIDDEN: &[&str] = &[
    "std::time",
    "Instant",
    "SystemTime",
    "std::fs",
    "File",
    "std::thread",
    "spawn",
    "Mutex",
    "RwLock",
    "AtomicU64",
    "AtomicBool",
    "std::env",
    "std::net",
    "std::process",
    "getrandom",
    "RandomState",
    "HashMap",
    "HashSet",
    "println",
    "eprintln",
    "dbg",
    "tracing",
    "async",
];

/// Files that may name one of these words all the same, with the reason there.
const EXCEPTIONS: &[(&str, &str)] = &[("crates/core/src/map.rs", "HashMap")];

/// Longest source file, in lines: beyond it there are two ideas in one.
const LINES_MAX: usize = 900;

/// Runs every check on the tracked files and returns what was found.
pub fn check() -> anyhow::Result<Vec<String>> {
    let files = tracked()?;
    let mut findings = Vec::new();
    for (room, allowed) in ROOMS {
        let manifest = format!("{room}/Cargo.toml");
        if let Ok(text) = fs::read_to_string(&manifest) {
            findings.extend(strangers(&manifest, &text, allowed, outside(room)));
        }
    }
    for file in &files {
        let Ok(text) = fs::read_to_string(file) else { continue };
        if ["crates/model/src/", "crates/core/src/", "crates/plan/src/"]
            .iter()
            .any(|room| file.starts_with(room))
        {
            findings.extend(impure(file, &text));
        }
        if !file.starts_with("xtask/") {
            findings.extend(misplaced(file, &text));
        }
        if file.ends_with(".md") {
            findings.extend(dead_links(file, &text));
            findings.extend(missing_tests(file, &text, |path| fs::read_to_string(path).ok()));
        }
    }
    findings.extend(dependencies()?);
    for file in files.iter().filter(|file| file.ends_with("Cargo.toml")) {
        findings.extend(seeds_bugs(file, &fs::read_to_string(file).unwrap_or_default()));
    }
    for program in ["target/release/kapell", "target/dist/kapell"] {
        findings.extend(has_seeded_bugs(Path::new(program))?);
    }
    findings.extend(vendored(Path::new("crates/server/assets/vendor"))?);
    Ok(findings)
}

/// Finds who switches seeded bugs on: core and store have them behind a feature, the simulator alone may name it.
fn seeds_bugs(file: &str, manifest: &str) -> Vec<String> {
    if file == "sim/Cargo.toml" {
        return Vec::new();
    }
    let named = manifest.lines().enumerate().filter(|(_, line)| {
        let line = line.split('#').next().unwrap_or_default().trim();
        line.contains("mutations") && line != "mutations = []"
    });
    named
        .map(|(number, _)| format!("{file}:{}: seeded bugs belong to the simulator alone", number + 1))
        .collect()
}

/// What stands in every program with seeded bugs.
const SEEDED: &str = "kapell: this build has seeded bugs";

/// Finds seeded bugs in a program that was built to be shipped, where there is one.
fn has_seeded_bugs(program: &Path) -> anyhow::Result<Option<String>> {
    if !program.exists() {
        return Ok(None);
    }
    let found = Command::new("grep").args(["-q", "-a", "-F", SEEDED]).arg(program).status();
    let found = found.context("grep cannot be started")?.success();
    Ok(found.then(|| format!("{}: it was built with seeded bugs", program.display())))
}

fn tracked() -> anyhow::Result<Vec<String>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()?;
    anyhow::ensure!(listed.status.success(), "git does not list the files");
    let text = String::from_utf8(listed.stdout).context("file names are text")?;
    Ok(text.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

fn outside(room: &str) -> Option<&'static [&'static str]> {
    OUTSIDE.iter().find(|(name, _)| *name == room).map(|(_, allowed)| *allowed)
}

/// Finds neighbours that a room may not know.
fn strangers(file: &str, manifest: &str, rooms: &[&str], outside: Option<&[&str]>) -> Vec<String> {
    let mut section = "";
    let mut findings = Vec::new();
    for (number, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            section = line.trim();
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if section != "[dependencies]" || name.is_empty() || name.starts_with(['[', '#']) {
            continue;
        }
        let known = if name.starts_with("kapell-") {
            rooms.contains(&name)
        } else {
            outside.is_none_or(|allowed| allowed.contains(&name))
        };
        if !known {
            let at = number + 1;
            findings.push(format!(
                "{file}:{at}: this room may not know `{name}`; move the code, or write an ADR"
            ));
        }
    }
    findings
}

/// Finds clocks, files, threads, chance and unordered iteration in a pure room.
fn impure(file: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let floats: &[&str] = if file.starts_with("crates/model") { &[] } else { &["f32", "f64"] };
    for (number, line) in code(text).lines().enumerate() {
        for word in FORBIDDEN.iter().chain(floats) {
            let excepted = EXCEPTIONS.iter().any(|(path, allowed)| *path == file && allowed == word);
            if has_word(line, word) && !excepted {
                let at = number + 1;
                findings.push(format!(
                    "{file}:{at}: `{word}` has no place in a pure room; time, ids and chance come in with the command"
                ));
            }
        }
    }
    findings
}

/// Blanks comments, strings and test modules, line by line.
fn code(text: &str) -> String {
    let mut out = String::new();
    let tests = text.find("#[cfg(test)]").unwrap_or(text.len());
    for line in text[..tests].lines() {
        let mut quoted = false;
        let mut escaped = false;
        let mut previous = ' ';
        for c in line.chars() {
            if quoted {
                quoted = escaped || c != '"';
                escaped = !escaped && c == '\\';
                continue;
            }
            if c == '/' && previous == '/' {
                out.pop();
                break;
            }
            if c == '"' {
                quoted = true;
            }
            out.push(c);
            previous = c;
        }
        out.push('\n');
    }
    out
}

fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}

/// Finds what has no place in any file: machine paths, unfinished work, files that are two ideas.
fn misplaced(file: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let source = file.ends_with(".rs");
    for (number, line) in text.lines().enumerate() {
        let at = number + 1;
        for path in ["/work/", "/root/", "/home/"] {
            if line.contains(path) && !line.contains(&format!("..{path}")) {
                findings.push(format!("{file}:{at}: `{path}` is a path of one machine; use a relative one"));
            }
        }
        for mark in ["todo!(", "unimplemented!(", "FIXME", "XXX", "#[ignore"] {
            if source && line.contains(mark) {
                findings.push(format!("{file}:{at}: `{mark}` is unfinished work; finish it or take it out"));
            }
        }
    }
    if source && text.lines().count() > LINES_MAX {
        findings.push(format!("{file}: more than {LINES_MAX} lines; it is two ideas by now"));
    }
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if source && ["utils", "util", "common", "helpers", "misc"].contains(&stem) && !file.contains("/tests/") {
        findings.push(format!("{file}: name it for what lives there"));
    }
    if file == "docs/ARCHITECTURE.md" && text.lines().count() > 200 {
        findings.push(format!("{file}: a map of more than 200 lines is no map"));
    }
    findings
}

/// Finds relative links to files that are not there.
fn dead_links(file: &str, text: &str) -> Vec<String> {
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
    let relative = links.filter(|link| !link.is_empty() && !link.contains("://") && !link.starts_with('/'));
    let dead = relative.filter(|link| !folder.join(link).exists());
    dead.map(|link| format!("{file}: the link to {link} leads nowhere")).collect()
}

/// Finds dependencies without a line of reasons, and lines without a dependency.
fn dependencies() -> anyhow::Result<Vec<String>> {
    let manifest = fs::read_to_string("Cargo.toml")?;
    let page = fs::read_to_string("docs/dependencies.md").unwrap_or_default();
    let used = named(&manifest);
    let explained: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .collect();
    let missing = used
        .difference(&explained)
        .map(|name| format!("docs/dependencies.md: `{name}` has no line: what for, runner-up, licence"));
    let spare =
        explained.difference(&used).map(|name| format!("docs/dependencies.md: nothing uses `{name}`"));
    Ok(missing.chain(spare).collect())
}

/// The page on which every row of the table names a test.
const TESTED: &str = "docs/founding-description.md";

/// Finds tests that a page names, as `path::name` in code style, and that are not there or are no tests; and rows without one on
/// the page where every row has one.
fn missing_tests(file: &str, text: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let at = format!("{file}:{}", number + 1);
        let named: Vec<(&str, &str)> = line.split('`').filter_map(|code| code.split_once(".rs::")).collect();
        for (path, name) in &named {
            if read(&format!("{path}.rs")).is_none_or(|source| !is_test(&source, name)) {
                findings.push(format!("{at}: there is no test `{path}.rs::{name}`"));
            }
        }
        // The heading and the line under it are no rows.
        let is_row =
            line.starts_with("| ") && !line.starts_with("| ---") && !line.starts_with("| function |");
        if file == TESTED && is_row && !line.split(" | ").skip(2).any(|cell| cell.contains(".rs::")) {
            findings.push(format!("{at}: this row names no test"));
        }
    }
    findings
}

/// Tells whether a function stands in a source as a test: an attribute says so, and none of it is commented out.
fn is_test(source: &str, name: &str) -> bool {
    let source = uncommented(source);
    let is_attribute = |line: &str| line.starts_with("#[") || line.starts_with("#![");
    let lines: Vec<&str> = source.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let here = |line: &str| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
    };
    (0..lines.len()).filter(|&at| here(lines[at])).any(|at| {
        let before = lines[..at].iter().rev().take_while(|line| is_attribute(line));
        before.copied().any(|line| line == "#[test]" || line.starts_with("#[tokio::test"))
    })
}

/// Blanks the comments of a source. What is in quotes stays, also where it looks like one.
fn uncommented(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            out.push(' ');
            comment(rest)
        } else {
            let taken = quoted(rest).unwrap_or(c.len_utf8());
            out.push_str(&rest[..taken]);
            taken
        };
        rest = &rest[taken..];
    }
    out
}

/// Returns the length of the block comment that a text begins with; they lie in each other.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Returns the length of the string or sign in quotes that a text begins with.
fn quoted(text: &str) -> Option<usize> {
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let body = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let head = text.len() - body.len();
        return Some(body.find(&end).map_or(text.len(), |at| head + at + end.len()));
    }
    if let Some(body) = text.strip_prefix('"') {
        let mut escaped = false;
        let end = body.char_indices().find(|&(_, c)| {
            let is_end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            is_end
        });
        return Some(end.map_or(text.len(), |(at, _)| at + 2));
    }
    // A lifetime has no quote at its end.
    let body = text.strip_prefix('\'')?;
    let first = body.chars().next()?;
    if first == '\\' {
        return body.char_indices().skip(2).find(|&(_, c)| c == '\'').map(|(at, _)| at + 2);
    }
    body[first.len_utf8()..].starts_with('\'').then(|| first.len_utf8() + 2)
}

/// Finds modules of others that are not as they were published, by `SHA256SUMS` beside them, or have no line there.
fn vendored(folder: &Path) -> anyhow::Result<Vec<String>> {
    let sums = fs::read_to_string(folder.join("SHA256SUMS"))?;
    let listed: BTreeSet<&str> =
        sums.lines().filter_map(|line| line.split_once("  ")).map(|it| it.1).collect();
    let mut findings = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".js") && !listed.contains(name.as_str()) {
            findings.push(format!("{}/{name}: SHA256SUMS has no line for it", folder.display()));
        }
    }
    let checked = Command::new("sha256sum")
        .args(["--check", "--quiet", "--strict", "SHA256SUMS"])
        .current_dir(folder)
        .output();
    let checked = checked.context("sha256sum cannot be started")?;
    let text = String::from_utf8_lossy(&checked.stdout);
    findings.extend(text.lines().map(|line| format!("{}/{line}", folder.display())));
    Ok(findings)
}

/// Returns the names under `[workspace.dependencies]` that come from outside.
fn named(manifest: &str) -> BTreeSet<&str> {
    let lines = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('=').map(|(name, _)| name.trim()))
        .filter(|name| !name.is_empty() && !name.starts_with("kapell-") && !name.starts_with('#'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_found() {
        let manifest =
            "[dependencies]\nkapell-model.workspace = true\nkapell-store.workspace = true\nrand = \"1\"\n";
        let found = strangers("core", manifest, &["kapell-model"], Some(&[]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(
            strangers("core", "[dev-dependencies]\nrand = \"1\"\n", &[], Some(&[])),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_clock_is_found_and_one_in_a_comment_is_not() {
        let text = "let a = Instant::now(); // Instant\nlet b = \"SystemTime\";\nlet filed = 1;\n#[cfg(test)]\nInstant";
        let found = impure("crates/core/src/a.rs", text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(impure("crates/core/src/a.rs", "let a: f64 = 1.0;").len(), 1);
        assert_eq!(impure("crates/core/src/map.rs", "struct Map(HashMap<u8, u8>);").len(), 0);
    }

    #[test]
    fn a_test_that_is_not_there_is_found() {
        let read = |path: &str| (path == "a/b.rs").then(|| "#[test]\nfn there() {}".to_owned());
        let page = "| x | `a/b.rs::there` |\n| y | `a/b.rs::gone` |\n| z | `a/c.rs::there` |";
        let found = missing_tests("page.md", page, read);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("page.md:2:"), "{found:?}");
    }

    #[test]
    fn a_row_without_a_test_is_found_on_the_page_where_every_row_has_one() {
        let read = |_: &str| Some("#[test]\nfn there() {}".to_owned());
        let page = "# Title\n\n| function | module | test |\n| --- | --- | --- |\n| `A` | `a.rs` | `a.rs::there` |\n\
                    | `B` | `a.rs` | looked at by hand |\n| `C` | `a.rs::there` | |\n";
        let found = missing_tests(TESTED, page, read);
        assert_eq!(
            found,
            [6, 7].map(|line| format!("docs/founding-description.md:{line}: this row names no test"))
        );
        assert_eq!(missing_tests("other.md", page, read), Vec::<String>::new());
    }

    #[test]
    fn what_is_commented_out_or_has_no_attribute_is_no_test() {
        for source in [
            "#[test]\nfn it() {}",
            "    #[test]\n    #[expect(clippy::all, reason = \"x\")]\n    /// Why.\n    fn it() {}",
            "#[tokio::test(flavor = \"current_thread\")]\nasync fn it() {}",
            "proptest! {\n    #![proptest_config(x)]\n    #[test]\n    fn it(steps in any()) {}\n}",
            "let a = \"/*\";\nlet b: &'a str = r#\"\"/*\"#;\nlet c = ['\"', '\\''];\n#[test]\nfn it() {}",
            "/* one /* in */ another */\n#[test]\nfn it() {}",
        ] {
            assert!(is_test(source, "it"), "{source}");
        }
        for source in [
            "fn it() {}",
            "// #[test]\nfn it() {}",
            "#[test]\n// fn it() {}",
            "#[test]\nfn it_is_another() {}",
            "#[test]\nfn other() {}\nfn it() {}",
            "/*\n#[test]\nfn it() {}\n*/",
            "/* /* */\n#[test]\nfn it() {}\n*/",
            "#[testing]\nfn it() {}",
            "#[test]\nfn other() { it(); }",
        ] {
            assert!(!is_test(source, "it"), "{source}");
        }
    }

    #[test]
    fn what_has_no_place_is_found() {
        assert_eq!(misplaced("a.rs", "// see /home/me/x\nfn a() { todo!() }").len(), 2);
        assert_eq!(misplaced("crates/a/src/utils.rs", "").len(), 1);
        assert_eq!(misplaced("a.rs", &"x\n".repeat(901)).len(), 1);
    }

    #[test]
    fn seeded_bugs_are_found_in_manifests_and_programs() {
        let own = "[features]\n# mutations\nmutations = []\n";
        assert_eq!(seeds_bugs("crates/core/Cargo.toml", own), Vec::<String>::new());
        let on = "[dependencies]\nkapell-core = { workspace = true, features = [\"mutations\"] }\n";
        assert_eq!(seeds_bugs("crates/cli/Cargo.toml", on).len(), 1);
        assert_eq!(seeds_bugs("crates/core/Cargo.toml", "[features]\ndefault = [\"mutations\"]\n").len(), 1);
        assert_eq!(seeds_bugs("sim/Cargo.toml", "mutations = [\"kapell-core/mutations\"]\n").len(), 0);
        // This program holds the words itself.
        let this = std::env::current_exe().expect("a program");
        assert!(has_seeded_bugs(&this).expect("it is read").is_some());
        assert!(has_seeded_bugs(Path::new("Cargo.toml")).expect("it is read").is_none());
    }

    #[test]
    fn names_of_dependencies_are_read() {
        let manifest = "[workspace.dependencies]\nkapell-model = { path = \"x\" }\nserde = \"1\"\n\n[profile.dev]\na = 1\n";
        assert_eq!(named(manifest), BTreeSet::from(["serde"]));
    }

    #[test]
    fn a_module_that_was_changed_or_has_no_line_is_found() {
        let folder = std::env::temp_dir().join(format!("kapell-vendored-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a directory");
        fs::write(folder.join("a.js"), "").expect("a file");
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        fs::write(folder.join("SHA256SUMS"), format!("{empty}  a.js\n")).expect("a file");
        assert_eq!(vendored(&folder).expect("it runs"), Vec::<String>::new());
        fs::write(folder.join("a.js"), "changed").expect("a file");
        fs::write(folder.join("b.js"), "").expect("a file");
        let found = vendored(&folder).expect("it runs");
        fs::remove_dir_all(&folder).expect("it goes");
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_dead_link_is_found() {
        assert_eq!(dead_links("README.md", "[a](no/such/file.md) [b](https://x.y) [c](#d)").len(), 1);
    }
}
