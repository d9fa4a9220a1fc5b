//! Segments: what stands between two slashes.

use super::GlobError;
use super::expand::Placed;
use super::meet::meet;

/// A segment of a path glob.
#[derive(Debug)]
pub(super) enum Segment {
    /// `**`.
    Any,
    /// A pattern of one segment; its text where it holds no sign.
    One { literal: Option<Box<str>>, elements: Box<[Element]> },
}

/// A part of a segment's pattern.
#[derive(Debug)]
pub(super) enum Element {
    /// `*`.
    Star,
    /// `?`.
    Any,
    /// A character.
    Is(char),
    /// One of these ranges, which are in order, apart, and never empty.
    In(Box<[(char, char)]>),
}

impl Segment {
    pub(super) fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }

    pub(super) fn literal(&self) -> Option<&str> {
        match self {
            Self::One { literal, .. } => literal.as_deref(),
            Self::Any => None,
        }
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::One { literal: Some(one), .. }, Self::One { literal: Some(two), .. }) => one == two,
            (Self::One { elements: one, .. }, Self::One { elements: two, .. }) => {
                meet(one, two, Element::is_star, Element::overlaps)
            }
            _ => true,
        }
    }
}

impl Element {
    fn is_star(&self) -> bool {
        matches!(self, Self::Star)
    }

    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Is(one), Self::Is(two)) => one == two,
            (Self::Is(one), Self::In(ranges)) | (Self::In(ranges), Self::Is(one)) => {
                ranges.iter().any(|&(from, to)| (from..=to).contains(one))
            }
            (Self::In(one), Self::In(two)) => {
                one.iter().any(|a| two.iter().any(|b| a.0.max(b.0) <= a.1.min(b.1)))
            }
            (Self::Star | Self::Any, _) | (_, Self::Star | Self::Any) => true,
        }
    }
}

/// Reads the segments of one alternative; `end` is where the text ends.
pub(super) fn segments(row: &[Placed], end: usize) -> Result<Box<[Segment]>, GlobError> {
    let mut next = row.iter().map(|&(at, _)| at).chain([end]);
    let mut read = Vec::new();
    for part in row.split(|&(_, sign)| sign == '/') {
        let at = next.next().unwrap_or(end);
        read.push(segment(part, at)?);
        // Go over the segment itself and, with the next turn, over its slash.
        if let Some(last) = part.len().checked_sub(1) {
            next.nth(last);
        }
    }
    Ok(read.into_boxed_slice())
}

fn segment(part: &[Placed], at: usize) -> Result<Segment, GlobError> {
    let text: String = part.iter().map(|&(_, sign)| sign).collect();
    match text.as_str() {
        "" => {
            let reason = "an empty segment; a path is relative and has one `/` between two segments";
            return Err(GlobError::new(at, reason));
        }
        "." | ".." => {
            return Err(GlobError::new(at, "`.` and `..` name no file; write the path that is meant"));
        }
        "**" => return Ok(Segment::Any),
        _ => {}
    }
    let mut elements = Vec::new();
    let mut rest = part;
    while let Some((&(at, sign), behind)) = rest.split_first() {
        rest = behind;
        elements.push(match sign {
            '*' if matches!(rest.first(), Some((_, '*'))) => {
                let reason = "`**` stands for whole segments; write it between two `/`";
                return Err(GlobError::new(at, reason));
            }
            '*' => Element::Star,
            '?' => Element::Any,
            '[' => set(at, &mut rest)?,
            '\\' => {
                let reason =
                    "`\\`: write `/` between segments, and a sign as itself in brackets, as in `[*]`";
                return Err(GlobError::new(at, reason));
            }
            control if control.is_control() => return Err(GlobError::new(at, "a control character")),
            other => Element::Is(other),
        });
    }
    let literal = elements.iter().all(|element| matches!(element, Element::Is(_)));
    Ok(Segment::One {
        literal: literal.then(|| text.into_boxed_str()),
        elements: elements.into_boxed_slice(),
    })
}

/// Reads a set from behind its `[` to its `]`, which is known to be there.
fn set(open: usize, rest: &mut &[Placed]) -> Result<Element, GlobError> {
    let negated = matches!(rest.first(), Some((_, '!' | '^')));
    if negated {
        *rest = &rest[1..];
    }
    let mut ranges = Vec::new();
    let mut first = true;
    while let Some((&(at, sign), behind)) = rest.split_first() {
        *rest = behind;
        if sign == ']' && !first {
            break;
        }
        first = false;
        match **rest {
            [(_, '-'), (_, last), ..] if last != ']' => {
                *rest = &rest[2..];
                if last < sign {
                    return Err(GlobError::new(at, "a range that goes backwards"));
                }
                ranges.push((sign, last));
            }
            _ => ranges.push((sign, sign)),
        }
    }
    let ranges = allowed(ranges, negated);
    if ranges.is_empty() {
        return Err(GlobError::new(open, "a set that nothing is in"));
    }
    Ok(Element::In(ranges.into_boxed_slice()))
}

/// Puts ranges in order, and takes out what is in no file name: `/` and U+0000. A negated set is turned into the
/// ranges between.
fn allowed(mut ranges: Vec<(char, char)>, negated: bool) -> Vec<(char, char)> {
    let never = [('\0', '\0'), ('/', '/')];
    if negated {
        ranges.extend(never);
        return between(ranges);
    }
    let mut others = between(ranges);
    others.extend(never);
    between(others)
}

/// Returns the ranges of the characters that are in none of `ranges`, in order.
fn between(mut ranges: Vec<(char, char)>) -> Vec<(char, char)> {
    ranges.sort_unstable();
    let mut left = Vec::new();
    let mut from = Some('\0');
    for (first, last) in ranges {
        let Some(start) = from else { break };
        if let Some(before) = before(first).filter(|&before| before >= start) {
            left.push((start, before));
        }
        from = after(last).map(|after| after.max(start));
    }
    left.extend(from.map(|start| (start, char::MAX)));
    left
}

fn before(sign: char) -> Option<char> {
    ('\0'..sign).next_back()
}

fn after(sign: char) -> Option<char> {
    (sign..=char::MAX).nth(1)
}
