//! Path globs, and whether some path matches two of them.
//!
//! A glob is read once into alternatives (braces are multiplied out), each a row of segments. What may be written is
//! bounded (`limits.rs`), so that the test of two globs is bounded too: see `glob/meet.rs`.
//!
//! ```text
//! *      any characters of one segment      src/*.rs
//! ?      one character                      v?/api
//! [a-c]  one of these, [!a-c] none of them  [0-9]*.sql
//! {a,b}  either; may hold slashes           {src,tests/unit}/**
//! **     any number of whole segments       src/**/mod.rs, and src/** is src itself too
//! ```

mod expand;
mod meet;
mod segment;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::limits;
use meet::meet;
use segment::Segment;

/// A path glob: a set of paths relative to the root of what the team works on.
///
/// Two globs are equal where their texts are; whether they have a path in common tells [`Glob::overlaps`]. Letters
/// are compared as they are, and a leading dot is like any other character.
#[derive(Clone)]
pub struct Glob {
    text: Arc<str>,
    alternatives: Arc<[Box<[Segment]>]>,
}

/// Why a text is no glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {reason}")]
pub struct GlobError {
    /// Where, in bytes from the beginning.
    pub at: usize,
    /// What is wrong there, and what may stand there instead.
    pub reason: &'static str,
}

impl GlobError {
    const fn new(at: usize, reason: &'static str) -> Self {
        Self { at, reason }
    }
}

impl Glob {
    /// Reads a glob.
    ///
    /// # Errors
    /// Where it is empty, absolute, not well formed or over its bounds; with the place.
    pub fn new(text: &str) -> Result<Self, GlobError> {
        if text.len() > limits::GLOB_BYTES_MAX {
            return Err(GlobError::new(limits::GLOB_BYTES_MAX, "a glob has at most 256 bytes"));
        }
        let rows = expand::expand(text)?;
        if rows.iter().map(Vec::len).sum::<usize>() > limits::GLOB_SIGNS_MAX {
            let reason = "with its braces multiplied out a glob has at most 512 characters";
            return Err(GlobError::new(0, reason));
        }
        let alternatives = rows.iter().map(|row| segment::segments(row, text.len()));
        Ok(Self { text: Arc::from(text), alternatives: alternatives.collect::<Result<_, _>>()? })
    }

    /// Returns the glob as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Tells exactly whether some path matches both. Costs at most the product of the two lengths.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let pair = |one: &[Segment], two: &[Segment]| meet(one, two, Segment::is_any, Segment::overlaps);
        self.alternatives.iter().any(|one| other.alternatives.iter().any(|two| pair(one, two)))
    }

    /// Returns, per alternative, the segments in front that have no sign in them, each with a slash behind it. Two globs
    /// overlap only where a beginning of one is a beginning of one of the other's.
    pub fn beginnings(&self) -> impl Iterator<Item = String> + '_ {
        self.alternatives.iter().map(|segments| {
            let literal = segments.iter().map_while(Segment::literal);
            literal.fold(String::new(), |all, segment| all + segment + "/")
        })
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl Hash for Glob {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        Glob::new(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_overlaps_and_what_does_not() {
        let table = [
            ("src/a.rs", "src/a.rs", true),
            ("src/a.rs", "src/b.rs", false),
            ("src/*.rs", "src/main.*", true),
            ("src/*.rs", "src/deep/main.rs", false),
            ("src/**/*.rs", "src/deep/down/main.rs", true),
            ("src/**", "src", true),
            ("src/**", "srcs/a", false),
            ("**/mod.rs", "src/**", true),
            ("**/a/**/b", "**/b/**/a", false),
            ("**/a/**", "**/b/**", true),
            ("*a", "b*", true),
            ("a*b", "a*c", false),
            ("[a-c]x", "[!a-b]x", true),
            ("[a-b]x", "[!a-b]x", false),
            ("?", "ab", false),
            ("{src,tests/unit}/**", "tests/*/x.rs", true),
            ("{src,tests/unit}/**", "tests/end/x.rs", false),
            ("a{,b}.rs", "ab.*", true),
            ("{a,b{c,d}}", "bd", true),
            ("{a,b{c,d}}", "b", false),
            (".github/**", "*/**", true),
            ("[]]x", "]x", true),
            ("[!!]", "!", false),
            ("[a-]", "-", true),
            ("[{]", "[a-{]", true),
        ];
        for (one, two, wanted) in table {
            assert_eq!(glob(one).overlaps(&glob(two)), wanted, "{one} and {two}");
            assert_eq!(glob(two).overlaps(&glob(one)), wanted, "{two} and {one}");
        }
    }

    #[test]
    fn a_bad_glob_is_refused_with_its_place() {
        let table = [
            ("", 0, "empty"),
            ("/etc", 0, "empty segment"),
            ("a//b", 2, "empty segment"),
            ("a/", 2, "empty segment"),
            ("a/../b", 2, "`.` and `..`"),
            ("./a", 0, "`.` and `..`"),
            ("a/[bc", 2, "not closed"),
            ("a/[c-b]", 3, "backwards"),
            ("a/[b/c]", 4, "`/`"),
            ("{a,b", 0, "not closed"),
            ("a}", 1, "no `{`"),
            ("a**", 1, "whole segments"),
            ("a/***", 2, "whole segments"),
            ("a\\b", 1, "`\\`"),
            ("a\u{7}", 1, "control"),
            ("{a,}/b", 4, "empty segment"),
            ("[!\u{1}-\u{10ffff}]", 0, "nothing"),
            ("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", 25, "alternatives"),
        ];
        for (text, at, reason) in table {
            let error = Glob::new(text).expect_err(text);
            assert!(error.reason.contains(reason), "{text}: {error}");
            assert_eq!(error.at, at, "{text}: {error}");
        }
        assert!(Glob::new(&"a".repeat(257)).is_err());
        let wide = format!("{{{}}}/{}", vec!["a"; 32].join(","), "b".repeat(100));
        assert!(Glob::new(&wide).expect_err("too wide").reason.contains("512"));
    }

    #[test]
    fn beginnings_are_what_stands_before_the_first_sign() {
        let beginnings: Vec<String> = glob("{src,tests/unit}/**/x").beginnings().collect();
        assert_eq!(beginnings, ["src/", "tests/unit/"]);
        assert_eq!(glob("**/x").beginnings().collect::<Vec<_>>(), [""]);
        assert_eq!(glob("a/b.rs").beginnings().collect::<Vec<_>>(), ["a/b.rs/"]);
    }
}
