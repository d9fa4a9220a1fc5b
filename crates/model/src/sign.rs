//! Signs that must not be shown as they are.

/// Tells whether nobody sees a sign though it is there: it turns the direction of writing, joins or parts its neighbours without
/// a trace, or tags them. With it a text shows what it does not say, or says what it does not show. Control characters are another
/// matter (`char::is_control`).
///
/// These are the code points that Unicode calls `Default_Ignorable_Code_Point`, with line and paragraph separators and the marks
/// of annotations, but without the variation selectors U+FE00 to U+FE0F, which choose how an emoji looks.
#[must_use]
pub const fn is_unseen(sign: char) -> bool {
    matches!(
        sign,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_that_turn_part_or_tag_are_unseen_and_those_of_writing_are_not() {
        for sign in "\u{ad}\u{61c}\u{115f}\u{180e}\u{200b}\u{200d}\u{200e}\u{2028}\u{202e}\u{2060}\u{2069}\u{206a}\u{3164}\u{feff}\u{fff9}\u{e0041}\u{e0100}".chars() {
            assert!(is_unseen(sign), "{}", sign.escape_unicode());
        }
        for sign in "aä日ع ‐…\u{301}\u{2764}\u{fe0f}\u{1f600}\u{fffd}".chars() {
            assert!(!is_unseen(sign), "{}", sign.escape_unicode());
        }
    }
}
