//! Braces, multiplied out.

use super::GlobError;
use crate::limits;

/// A character of an alternative, with its place in what was written.
pub(super) type Placed = (usize, char);

/// Returns the alternatives of a glob, at most [`limits::GLOB_ALTERNATIVES_MAX`].
pub(super) fn expand(text: &str) -> Result<Vec<Vec<Placed>>, GlobError> {
    if text.is_empty() {
        return Err(GlobError::new(0, "a glob is not empty"));
    }
    let mut reader = Reader { text: text.char_indices().collect(), at: 0 };
    let rows = reader.row(false)?;
    match reader.peek() {
        Some((at, _)) => Err(GlobError::new(at, "`}` with no `{` before it")),
        None => Ok(rows),
    }
}

struct Reader {
    text: Vec<Placed>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<Placed> {
        self.text.get(self.at).copied()
    }

    /// Reads up to the end, or within braces up to what ends an alternative.
    fn row(&mut self, within: bool) -> Result<Vec<Vec<Placed>>, GlobError> {
        let mut rows = vec![Vec::new()];
        while let Some((at, sign)) = self.peek() {
            match sign {
                '}' => break,
                ',' if within => break,
                '{' => rows = product(&rows, &self.braces(at)?, at)?,
                '[' => {
                    let set = self.set(at)?;
                    rows.iter_mut().for_each(|row| row.extend_from_slice(&set));
                }
                _ => {
                    self.at += 1;
                    rows.iter_mut().for_each(|row| row.push((at, sign)));
                }
            }
        }
        Ok(rows)
    }

    fn braces(&mut self, open: usize) -> Result<Vec<Vec<Placed>>, GlobError> {
        let mut rows = Vec::new();
        loop {
            self.at += 1;
            rows.extend(self.row(true)?);
            if rows.len() > limits::GLOB_ALTERNATIVES_MAX {
                return Err(too_many(open));
            }
            match self.peek() {
                Some((_, ',')) => {}
                Some(_) => {
                    self.at += 1;
                    return Ok(rows);
                }
                None => return Err(GlobError::new(open, "`{` is not closed by `}`")),
            }
        }
    }

    /// Reads a set as it stands: no brace or comma in it means anything.
    fn set(&mut self, open: usize) -> Result<Vec<Placed>, GlobError> {
        let start = self.at;
        self.at += 1;
        if matches!(self.peek(), Some((_, '!' | '^'))) {
            self.at += 1;
        }
        let first = self.at;
        while let Some((at, sign)) = self.peek() {
            self.at += 1;
            match sign {
                ']' if self.at - 1 > first => return Ok(self.text[start..self.at].to_vec()),
                '/' => return Err(GlobError::new(at, "`/` in brackets; it stands between segments only")),
                _ => {}
            }
        }
        Err(GlobError::new(open, "`[` is not closed by `]`"))
    }
}

fn product(rows: &[Vec<Placed>], behind: &[Vec<Placed>], at: usize) -> Result<Vec<Vec<Placed>>, GlobError> {
    if rows.len() * behind.len() > limits::GLOB_ALTERNATIVES_MAX {
        return Err(too_many(at));
    }
    Ok(rows.iter().flat_map(|row| behind.iter().map(|more| [row.as_slice(), more].concat())).collect())
}

fn too_many(at: usize) -> GlobError {
    GlobError::new(at, "more than 32 alternatives; write several globs")
}
