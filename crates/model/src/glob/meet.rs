//! Whether two patterns have a word in common.

/// Tells whether some word matches both patterns, whose parts are letters and stars; a star stands for any number of
/// letters, and every letter stands for at least one thing.
///
/// This walks the product of the two automata. A state is how far each pattern has come, and every step goes forward
/// in at least one of them: where a star meets a letter it takes it in, where it meets a star one of the two is left.
/// So one pass over the table in order is enough, and costs at most `one.len() * two.len()` comparisons of letters.
pub(super) fn meet<T>(
    one: &[T],
    two: &[T],
    is_star: impl Fn(&T) -> bool,
    common: impl Fn(&T, &T) -> bool,
) -> bool {
    // One row of the table: which places of `two` can be reached with the part of `one` that was gone through.
    let mut row = vec![false; two.len() + 1];
    let mut next = vec![false; two.len() + 1];
    row[0] = true;
    for a in one {
        next.fill(false);
        for (at, b) in two.iter().enumerate() {
            if !row[at] {
                continue;
            }
            if is_star(a) || is_star(b) {
                next[at] = true;
                row[at + 1] = true;
            } else {
                next[at + 1] |= common(a, b);
            }
        }
        if row[two.len()] && is_star(a) {
            next[two.len()] = true;
        }
        std::mem::swap(&mut row, &mut next);
    }
    for (at, b) in two.iter().enumerate() {
        if row[at] && is_star(b) {
            row[at + 1] = true;
        }
    }
    row[two.len()]
}
