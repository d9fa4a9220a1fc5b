//! A plain matcher of globs, by the letter of their definition: braces first, then segments, then characters. The tests here and
//! the fuzz target of globs hold `Glob` against it.

/// Multiplies the braces out.
pub fn alternatives(glob: &str) -> Vec<String> {
    match braces(glob) {
        Some((front, inner, back)) => {
            inner.iter().flat_map(|part| alternatives(&format!("{front}{part}{back}"))).collect()
        }
        None => vec![glob.to_owned()],
    }
}

/// Tells whether a path matches a glob without braces.
pub fn fits(alternative: &str, path: &str) -> bool {
    segments(&alternative.split('/').collect::<Vec<_>>(), &path.split('/').collect::<Vec<_>>())
}

/// Cuts the first braces out, whatever stands in them.
fn braces(glob: &str) -> Option<(&str, Vec<&str>, &str)> {
    let open = glob.find('{')?;
    let (mut depth, mut from, mut inner) = (0, open + 1, Vec::new());
    for (at, sign) in glob.char_indices().skip_while(|(at, _)| *at < open) {
        match sign {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => {
                inner.push(&glob[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        if depth == 0 {
            inner.push(&glob[from..at]);
            return Some((&glob[..open], inner, &glob[at + 1..]));
        }
    }
    None
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
pub fn rows(parts: &[&str], most: usize, between: &str) -> Vec<String> {
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
