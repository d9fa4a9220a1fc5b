//! The lines of a Markdown text in which its author speaks: code blocks and quotations are somebody else's words.

/// A line that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Words of the author.
    Prose(&'a str),
    /// What stands behind the opening fence of a code block, such as `rust`; the block itself is passed over.
    Fence(&'a str),
}

/// Walks the lines of `text`. A block that is not closed runs to the end.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut open: Option<(char, usize)> = None;
    text.lines().filter_map(move |line| {
        let trimmed = line.trim_start();
        let fence = fence(trimmed);
        match (open, fence) {
            (None, Some((mark, length))) => {
                open = Some((mark, length));
                Some(Line::Fence(trimmed[length..].trim()))
            }
            (Some((mark, length)), Some((closing, at_least))) => {
                let closes = mark == closing && at_least >= length && trimmed[at_least..].trim().is_empty();
                open = open.filter(|_| !closes);
                None
            }
            (Some(_), None) => None,
            (None, None) => (!trimmed.starts_with('>')).then_some(Line::Prose(line)),
        }
    })
}

/// Returns the mark and the length of a fence, three or more of one mark.
fn fence(line: &str) -> Option<(char, usize)> {
    let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let length = line.chars().take_while(|&c| c == mark).count();
    (length >= 3).then_some((mark, length))
}

/// Returns the longest beginning of `text` of at most `bytes_max` bytes.
#[must_use]
pub fn beginning(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_blocks_and_quotations_are_passed_over() {
        let text = "one\n```rust\ncode\n~~~\n```\n> quoted\n  two\n~~~~\n```\n~~~\n~~~~\nthree\n```\nopen";
        let found: Vec<_> = lines(text).collect();
        let wanted = [
            Line::Prose("one"),
            Line::Fence("rust"),
            Line::Prose("  two"),
            Line::Fence(""),
            Line::Prose("three"),
            Line::Fence(""),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_beginning_ends_at_a_character() {
        assert_eq!(beginning("aä", 2), "a");
        assert_eq!(beginning("aä", 3), "aä");
        assert_eq!(beginning("", 3), "");
    }
}
