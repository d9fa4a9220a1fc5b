//! Signs that must not be shown as they are.

/// Tells whether nobody sees a sign though it is there: it turns the direction of writing, joins or parts its neighbours without
/// a trace, or tags them. With it a text shows what it does not say, or says what it does not show. Control characters are another
/// matter (`char::is_control`).
#[must_use]
pub const fn is_unseen(sign: char) -> bool {
    matches!(
        sign,
        '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_that_turn_part_or_tag_are_unseen_and_those_of_writing_are_not() {
        for sign in "\u{61c}\u{200b}\u{200d}\u{200e}\u{202e}\u{2060}\u{2069}\u{feff}\u{e0041}".chars() {
            assert!(is_unseen(sign), "{}", sign.escape_unicode());
        }
        for sign in "aä日ع ‐…\u{301}\u{1f600}".chars() {
            assert!(!is_unseen(sign), "{}", sign.escape_unicode());
        }
    }
}
