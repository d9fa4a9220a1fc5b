//! What can be reserved: paths, environments, branches, devices.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::glob::{Glob, GlobError};
use crate::name::Name;

/// A named resource, written `path:src/**`, `env:staging`, `branch:main` or `device:gpu-0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// The paths that a glob matches.
    Path(Glob),
    /// An environment.
    Environment(Name),
    /// A branch.
    Branch(Name),
    /// A device.
    Device(Name),
}

/// Why a text is no resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no resource: {reason}")]
pub struct ResourceError {
    /// What came, cut to 300 characters, control characters escaped.
    pub given: String,
    /// What is wrong with it, and where.
    pub reason: String,
}

impl ResourceError {
    /// What resources are allowed to be, for error messages.
    pub const ALLOWED: &'static str =
        "path:GLOB (relative; with *, **, ?, [a-z], {a,b}), env:NAME, branch:NAME or device:NAME";
}

impl Resource {
    /// Tells exactly whether the two have something in common.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Path(one), Self::Path(two)) => one.overlaps(two),
            _ => self == other,
        }
    }

    /// Returns the word of its kind: `path`, `env`, `branch` or `device`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Path(_) => "path",
            Self::Environment(_) => "env",
            Self::Branch(_) => "branch",
            Self::Device(_) => "device",
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Path(glob) => glob.as_str(),
            Self::Environment(name) | Self::Branch(name) | Self::Device(name) => name.as_str(),
        }
    }

    /// Returns what an index can find it under: for a path the beginnings of its alternatives, else its whole text.
    /// Two resources overlap only where a key of one is a beginning of a key of the other.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        match self {
            Self::Path(glob) => glob.beginnings().map(|beginning| format!("path:{beginning}")).collect(),
            other => vec![format!("{other}/")],
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind(), self.text())
    }
}

impl FromStr for Resource {
    type Err = ResourceError;

    fn from_str(text: &str) -> Result<Self, ResourceError> {
        let refuse = |reason: String| ResourceError {
            given: text.chars().flat_map(char::escape_default).take(300).collect(),
            reason,
        };
        let (kind, rest) = text.split_once(':').ok_or_else(|| {
            refuse("it begins with no kind; write path:, env:, branch: or device:".to_owned())
        })?;
        let name = || Name::new(rest).map_err(|error| refuse(format!("its name: {}", error.reason)));
        match kind {
            "path" => {
                let placed = |error: GlobError| GlobError { at: error.at + "path:".len(), ..error };
                Glob::new(rest).map(Self::Path).map_err(|error| refuse(placed(error).to_string()))
            }
            "env" => name().map(Self::Environment),
            "branch" => name().map(Self::Branch),
            "device" => name().map(Self::Device),
            _ => Err(refuse("its kind is not path, env, branch or device".to_owned())),
        }
    }
}

impl Serialize for Resource {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether others may hold a resource at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Others may hold it shared too: to read.
    Shared,
    /// Nobody else, to read undisturbed; where the resource is narrow it is shared.
    Reads,
    /// Nobody else: to write.
    Exclusive,
}

impl Mode {
    /// Every mode.
    pub const ALL: &'static [Self] = &[Self::Shared, Self::Reads, Self::Exclusive];

    /// Returns the word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Reads => "reads",
            Self::Exclusive => "exclusive",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mode| mode.as_str() == text)
    }
}

/// A resource with the mode in which it is wanted or held.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Need {
    /// What.
    pub resource: Resource,
    /// How.
    pub mode: Mode,
}

impl Need {
    /// Tells whether the two cannot be held at the same time by two that do not work together.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        let both_shared = self.mode == Mode::Shared && other.mode == Mode::Shared;
        !both_shared && self.resource.overlaps(&other.resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_read_back_and_overlap_within_their_kind() {
        for text in ["path:src/**/*.rs", "env:staging", "branch:feature/login", "device:gpu-0"] {
            let resource: Resource = text.parse().expect("a resource");
            assert_eq!(resource.to_string(), text);
            assert!(resource.overlaps(&resource));
        }
        let of = |text: &str| text.parse::<Resource>().expect("a resource");
        assert!(!of("env:main").overlaps(&of("branch:main")));
        assert!(!of("env:one").overlaps(&of("env:two")));
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        for (text, reason) in [
            ("src/**", "no kind"),
            ("file:src", "its kind is not"),
            ("env:", "empty"),
            ("env:a b", "only ASCII"),
            ("path:src/[a", "at byte 9"),
        ] {
            let error = text.parse::<Resource>().expect_err(text);
            assert!(error.reason.contains(reason), "{text}: {error}");
        }
    }
}
