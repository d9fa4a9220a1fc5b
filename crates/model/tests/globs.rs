//! The intersection of two globs against a plain matcher, over every path of a small alphabet.

mod plain;

use kapell_model::Glob;
use plain::{alternatives, fits, rows};
use proptest::prelude::*;

/// Tells whether a path matches.
fn matches(glob: &str, path: &str) -> bool {
    alternatives(glob).iter().any(|alternative| fits(alternative, path))
}

/// Draws the pattern of one segment; adjacent stars are no glob.
fn one_segment() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["a", "b", "*", "?", "[a-b]", "[!a-a]", "{a,b}", "{*a,b,ab}"]);
    prop::collection::vec(part, 1..5)
        .prop_map(|parts| parts.concat())
        .prop_filter("adjacent stars", |glob| Glob::new(glob).is_ok())
}

/// Draws a glob of a few segments.
fn several_segments() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["a", "b", "*", "**", "a*", "?", "{a,b/a}", "{b,**}"]);
    prop::collection::vec(part, 1..5).prop_map(|parts| parts.join("/"))
}

fn agree(one: &str, two: &str, paths: &[String]) -> Result<(), TestCaseError> {
    let (left, right) = (Glob::new(one).expect("a glob"), Glob::new(two).expect("a glob"));
    let common = paths.iter().find(|path| matches(one, path) && matches(two, path));
    prop_assert_eq!(left.overlaps(&right), common.is_some(), "{} and {}: {:?}", one, two, common);
    prop_assert_eq!(right.overlaps(&left), common.is_some(), "{} and {}", two, one);
    let keys = |glob: &Glob| glob.beginnings().collect::<Vec<_>>();
    if common.is_some() {
        let (left, right) = (keys(&left), keys(&right));
        let near = |a: &String| right.iter().any(|b| a.starts_with(b.as_str()) || b.starts_with(a.as_str()));
        prop_assert!(left.iter().any(near), "{:?} and {:?} would not find each other", left, right);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn two_segments_overlap_where_some_name_matches_both(one in one_segment(), two in one_segment()) {
        // No common name of two such patterns needs more than the letters of both.
        agree(&one, &two, &rows(&["a", "b", "c"], 7, ""))?;
    }

    #[test]
    fn two_globs_overlap_where_some_path_matches_both(one in several_segments(), two in several_segments()) {
        agree(&one, &two, &rows(&["a", "b", "ab"], 7, "/"))?;
    }

    #[test]
    fn a_path_is_a_glob_that_matches_itself_alone(glob in several_segments(), at in 0..3_000_usize) {
        let paths = rows(&["a", "b", "ab"], 6, "/");
        let path = &paths[at % paths.len()];
        let literal = Glob::new(path).expect("a path is a glob");
        prop_assert_eq!(Glob::new(&glob).expect("a glob").overlaps(&literal), matches(&glob, path), "{} {}", glob, path);
    }

    #[test]
    fn whatever_is_written_is_read_or_refused(text in r"[ab/*?{},\[\]!^.\\-]{0,40}") {
        if let Ok(glob) = Glob::new(&text) {
            prop_assert!(glob.overlaps(&glob), "{} matches nothing", text);
            prop_assert!(glob.overlaps(&Glob::new("**").expect("a glob")));
        }
    }
}

/// The dearest globs that the bounds allow: what they cost is counted in comparisons, so no clock is needed.
#[test]
fn the_dearest_globs_are_within_the_bounds() {
    let stars = format!("{}z", "a*".repeat(100));
    let others = format!("{}y", "*a".repeat(100));
    assert!(!Glob::new(&stars).expect("a glob").overlaps(&Glob::new(&others).expect("a glob")));
    let deep = format!("{}z", "**/a/".repeat(40));
    let other = format!("{}y", "**/a*/".repeat(40));
    assert!(!Glob::new(&deep).expect("a glob").overlaps(&Glob::new(&other).expect("a glob")));
}
