//! Names and texts, checked once at the door.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits;

/// A validated name of an agent, project, capability, type, role or task key.
///
/// 1 to 100 ASCII letters, digits and `. _ - / @ : + #`, beginning with a letter or digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a name: {reason}")]
pub struct NameError {
    /// What came, cut to 100 characters, control characters escaped.
    pub given: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl NameError {
    /// What names are allowed to be, for error messages.
    pub const ALLOWED: &'static str =
        "1 to 100 ASCII letters, digits and . _ - / @ : + #, beginning with a letter or digit";
}

impl Name {
    /// Checks `text` and makes it a name.
    ///
    /// # Errors
    /// Where it is empty, too long, begins with a sign, or holds another character.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let refuse = |reason| Err(NameError { given: text.escape_default().take(100).collect(), reason });
        let Some(first) = text.bytes().next() else { return refuse("empty") };
        if text.len() > limits::NAME_BYTES_MAX {
            return refuse("it is longer than 100 characters");
        }
        if !first.is_ascii_alphanumeric() {
            return refuse("it does not begin with a letter or digit");
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/@:+#".contains(&byte)) {
            return refuse("only ASCII letters, digits and . _ - / @ : + # are allowed");
        }
        Ok(Self(Arc::from(text)))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// A validated text: no control characters but line breaks and tabs, and at most the bytes of its field.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(Arc<str>);

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It is longer than its field allows.
    #[error("{bytes} bytes, more than {bytes_max}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// It holds a control character.
    #[error("a text with the control character U+{code:04X} at byte {at}")]
    Control {
        /// The character's code point.
        code: u32,
        /// Where it stands, in bytes from the beginning.
        at: usize,
    },
    /// It is empty or white space where something is needed.
    #[error("empty")]
    Empty,
}

impl Text {
    /// Checks `text` against `bytes_max`.
    ///
    /// # Errors
    /// Where it is too long or holds a control character other than `\n`, `\r` and `\t`.
    pub fn new(text: &str, bytes_max: usize) -> Result<Self, TextError> {
        if text.len() > bytes_max {
            return Err(TextError::TooLong { bytes: text.len(), bytes_max });
        }
        let control = |&(_, c): &(usize, char)| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        if let Some((at, c)) = text.char_indices().find(control) {
            return Err(TextError::Control { code: c.into(), at });
        }
        Ok(Self(Arc::from(text)))
    }

    /// Checks `text` as [`Text::new`] does, and that something stands in it.
    ///
    /// # Errors
    /// As [`Text::new`], and where it is blank.
    pub fn filled(text: &str, bytes_max: usize) -> Result<Self, TextError> {
        if text.trim().is_empty() {
            return Err(TextError::Empty);
        }
        Self::new(text, bytes_max)
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether nothing stands in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Default for Text {
    fn default() -> Self {
        Self(Arc::from(""))
    }
}

impl From<&'static str> for Text {
    /// Takes a text of the program's own.
    fn from(text: &'static str) -> Self {
        Self(Arc::from(text))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["a", "T", "backend-2", "gas/polecats/nux", "c++", "c#", "a@b:c.d_e"] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", " a", "a b", "ä", "a\u{7}", &"x".repeat(101)] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn control_characters_are_refused_with_their_place() {
        assert_eq!(Text::new("ok\n\tfine", 100).map(|text| text.as_str().len()), Ok(8));
        assert_eq!(Text::new("a\u{1b}[31m", 100), Err(TextError::Control { code: 0x1b, at: 1 }));
        assert_eq!(Text::new("abc", 2), Err(TextError::TooLong { bytes: 3, bytes_max: 2 }));
        assert_eq!(Text::filled(" \n", 10), Err(TextError::Empty));
    }
}
