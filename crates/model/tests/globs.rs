//! The intersection of two globs against a plain matcher, over every path of a small alphabet.

use kapell_model::Glob;
use proptest::prelude::*;

/// Matches by the letter of the definition: braces first, then segments, then characters.
fn matches(glob: &str, path: &str) -> bool {
    match braces(glob) {
        Some((front, inner, back)) => {
            inner.iter().any(|alternative| matches(&format!("{front}{alternative}{back}"), path))
        }
        None => segments(&glob.split('/').collect::<Vec<_>>(), &path.split('/').collect::<Vec<_>>()),
    }
}

/// Cuts the first braces out; these tests do not nest them.
fn braces(glob: &str) -> Option<(&str, Vec<&str>, &str)> {
    let (front, rest) = glob.split_once('{')?;
    let (inner, back) = rest.split_once('}')?;
    Some((front, inner.split(',').collect(), back))
}

fn segments(glob: &[&str], path: &[&str]) -> bool {
    match (glob.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => (0..=path.len()).any(|taken| segments(rest, &path[taken..])),
        (Some((first, rest)), Some((segment, behind))) => {
            let (first, segment): (Vec<char>, Vec<char>) =
                (first.chars().collect(), segment.chars().collect());
            signs(&first, &segment) && segments(rest, behind)
        }
        _ => false,
    }
}

fn signs(glob: &[char], text: &[char]) -> bool {
    match glob {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|taken| signs(rest, &text[taken..])),
        ['?', rest @ ..] => text.split_first().is_some_and(|(_, behind)| signs(rest, behind)),
        ['[', '!', a, '-', b, ']', rest @ ..] => {
            text.split_first().is_some_and(|(first, behind)| !(a..=b).contains(&first) && signs(rest, behind))
        }
        ['[', a, '-', b, ']', rest @ ..] => {
            text.split_first().is_some_and(|(first, behind)| (a..=b).contains(&first) && signs(rest, behind))
        }
        [letter, rest @ ..] => {
            text.split_first().is_some_and(|(first, behind)| first == letter && signs(rest, behind))
        }
    }
}

/// Returns every row of 1 to `most` of `parts`, joined by `between`.
fn rows(parts: &[&str], most: usize, between: &str) -> Vec<String> {
    let mut all: Vec<String> = parts.iter().map(ToString::to_string).collect();
    let mut last = all.clone();
    for _ in 1..most {
        last = last
            .iter()
            .flat_map(|row| parts.iter().map(move |part| format!("{row}{between}{part}")))
            .collect();
        all.extend(last.iter().cloned());
    }
    all
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
