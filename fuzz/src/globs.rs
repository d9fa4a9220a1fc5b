//! Globs: two of them overlap where a plain matcher finds a path that both match, and a beginning of one is then a beginning
//! of the other.
//!
//! The bytes choose signs over a small alphabet, so that all paths that could decide can be tried.

use std::sync::OnceLock;

use arbitrary::Unstructured;
use kapell_model::Glob;

use crate::made;

#[path = "../../crates/model/tests/plain/mod.rs"]
mod plain;

/// What the names of one segment are made of.
const SIGNS: &[&str] = &[
    "a",
    "b",
    "c",
    "*",
    "?",
    "[a-b]",
    "[!a-a]",
    "[b-c]",
    "[!b-c]",
    "{a,b}",
    "{*a,b,ab}",
    "{a,{b,c*}}",
    "{,a}",
];
/// What globs of several segments are made of.
const SEGMENTS: &[&str] = &["a", "b", "*", "**", "a*", "?", "{a,b/a}", "{b,**}", "{a/{b,*},b}"];
/// So many of these a glob has at most: no common path of two of them is longer than those that are tried.
const PARTS_MAX: usize = 3;

/// Runs the target.
///
/// # Panics
/// Where the two do not agree.
pub fn run(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        alone(text);
    }
    let mut bytes = Unstructured::new(bytes);
    let names = made::rarely(&mut bytes, 2);
    let (parts, between, paths) =
        if names { (SIGNS, "", names_to_try()) } else { (SEGMENTS, "/", paths_to_try()) };
    together(&glob(&mut bytes, parts, between), &glob(&mut bytes, parts, between), paths);
}

fn together(one: &str, two: &str, paths: &[String]) {
    let (Ok(left), Ok(right)) = (Glob::new(one), Glob::new(two)) else { return };
    let (these, those) = (plain::alternatives(one), plain::alternatives(two));
    let fits = |all: &[String], path: &str| all.iter().any(|alternative| plain::fits(alternative, path));
    let common = paths.iter().find(|path| fits(&these, path) && fits(&those, path));
    assert_eq!(left.overlaps(&right), common.is_some(), "{one} and {two}: {common:?}");
    assert_eq!(right.overlaps(&left), common.is_some(), "{two} and {one}");
    if common.is_some() {
        let (mine, theirs): (Vec<_>, Vec<_>) = (left.beginnings().collect(), right.beginnings().collect());
        let near = |a: &String| theirs.iter().any(|b| a.starts_with(b.as_str()) || b.starts_with(a.as_str()));
        assert!(mine.iter().any(near), "{one} and {two} would not find each other");
    }
}

/// Whatever is a glob matches something; what is none is refused with a place in it.
fn alone(text: &str) {
    let everything = Glob::new("**").expect("a glob");
    match Glob::new(text) {
        Ok(glob) => {
            assert_eq!(glob.as_str(), text);
            assert!(glob.overlaps(&glob) && glob.overlaps(&everything), "{text} matches nothing");
        }
        Err(error) => assert!(error.at <= text.len(), "{text}: {error}"),
    }
}

fn glob(bytes: &mut Unstructured<'_>, parts: &[&str], between: &str) -> String {
    let count = 1 + usize::from(bytes.arbitrary::<u8>().unwrap_or(0)) % PARTS_MAX;
    let chosen: Vec<&str> = (0..count).map(|_| made::word(bytes, parts)).collect();
    chosen.join(between)
}

/// Every name of up to six letters of three, and one more for whatever else there is.
fn names_to_try() -> &'static [String] {
    static NAMES: OnceLock<Vec<String>> = OnceLock::new();
    NAMES.get_or_init(|| plain::rows(&["a", "b", "c", "d"], 6, ""))
}

/// Every path of up to six segments of three names.
fn paths_to_try() -> &'static [String] {
    static PATHS: OnceLock<Vec<String>> = OnceLock::new();
    PATHS.get_or_init(|| plain::rows(&["a", "b", "ab"], 6, "/"))
}
