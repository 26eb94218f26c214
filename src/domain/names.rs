//! ZFS names, parsed at the edge: who holds one of these types holds a valid name.
//!
//! The rules are OpenZFS's own (zfs(8), zpool(8), `zfs_namecheck.c`): components of
//! `[A-Za-z0-9_.: -]`, at most 255 bytes in all, pools begin with a letter. Zerfaux is a little stricter,
//! for safety: a component may neither begin with `-` nor be `.` or `..`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest full name, in bytes (`ZFS_MAX_DATASET_NAME_LEN` less the terminating NUL).
pub const MAX_NAME_LEN: usize = 255;

/// Why a text is not a ZFS name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there, or nothing between two separators.
    #[error("{what} {text:?} has an empty part")]
    Empty {
        /// What was being read.
        what: &'static str,
        /// What was given.
        text: String,
    },
    /// Longer than OpenZFS allows.
    #[error("{what} {text:?} is {len} bytes long; OpenZFS allows {MAX_NAME_LEN}")]
    TooLong {
        /// What was being read.
        what: &'static str,
        /// What was given.
        text: String,
        /// Its length in bytes.
        len: usize,
    },
    /// A character that OpenZFS does not allow there.
    #[error("{what} {text:?} contains {character:?}; allowed are letters, digits, and _ . : - and the space")]
    Character {
        /// What was being read.
        what: &'static str,
        /// What was given.
        text: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// A form that is not allowed although each character is.
    #[error("{what} {text:?} {why}")]
    Form {
        /// What was being read.
        what: &'static str,
        /// What was given.
        text: String,
        /// The rule that it breaks.
        why: &'static str,
    },
}

fn check_component(what: &'static str, whole: &str, part: &str) -> Result<(), NameError> {
    let text = || whole.to_owned();
    if part.is_empty() {
        return Err(NameError::Empty { what, text: text() });
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.: -".contains(c);
    if let Some(character) = part.chars().find(|c| !allowed(*c)) {
        return Err(NameError::Character { what, text: text(), character });
    }
    if part.starts_with('-') {
        return Err(NameError::Form { what, text: text(), why: "has a part that begins with '-'" });
    }
    if part == "." || part == ".." {
        return Err(NameError::Form { what, text: text(), why: "has a part that is '.' or '..'" });
    }
    if part.starts_with(' ') || part.ends_with(' ') {
        return Err(NameError::Form {
            what,
            text: text(),
            why: "has a part that begins or ends with a space",
        });
    }
    Ok(())
}

fn check_length(what: &'static str, text: &str) -> Result<(), NameError> {
    if text.len() > MAX_NAME_LEN {
        return Err(NameError::TooLong { what, text: text.to_owned(), len: text.len() });
    }
    Ok(())
}

macro_rules! text_serde {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A file system or volume: `pool/path/of/parts`. A pool's root dataset is its name alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DatasetName(String);
text_serde!(DatasetName);

impl DatasetName {
    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The pool it lies in.
    pub fn pool(&self) -> &str {
        self.0.split('/').next().unwrap_or(&self.0)
    }

    /// The dataset above, none for a pool's root.
    pub fn parent(&self) -> Option<DatasetName> {
        self.0.rsplit_once('/').map(|(above, _)| Self(above.to_owned()))
    }

    /// All datasets above, the pool's root first.
    pub fn ancestors(&self) -> Vec<DatasetName> {
        let mut above: Vec<DatasetName> = std::iter::successors(self.parent(), Self::parent).collect();
        above.reverse();
        above
    }

    /// The last part of the name.
    pub fn leaf(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The dataset `relative` below this one (`a/b` below `tank` is `tank/a/b`).
    ///
    /// # Errors
    /// If the result is not a valid name.
    pub fn child(&self, relative: &str) -> Result<DatasetName, NameError> {
        format!("{}/{relative}", self.0).parse()
    }

    /// What follows `ancestor/` in this name: `Some("")` for the ancestor itself, `None` if this is
    /// not below it.
    pub fn below<'a>(&'a self, ancestor: &DatasetName) -> Option<&'a str> {
        let rest = self.0.strip_prefix(ancestor.as_str())?;
        if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
    }

    /// The snapshot of this dataset with that tag.
    ///
    /// # Errors
    /// If both together are longer than OpenZFS allows.
    pub fn snapshot(&self, tag: &SnapTag) -> Result<SnapshotName, NameError> {
        format!("{}@{tag}", self.0).parse()
    }

    /// The bookmark of this dataset with that tag.
    ///
    /// # Errors
    /// If both together are longer than OpenZFS allows.
    pub fn bookmark(&self, tag: &SnapTag) -> Result<BookmarkName, NameError> {
        format!("{}#{tag}", self.0).parse()
    }
}

impl FromStr for DatasetName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        const WHAT: &str = "dataset name";
        check_length(WHAT, text)?;
        for part in text.split('/') {
            check_component(WHAT, text, part)?;
        }
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let why = "begins with something else than a letter, which no pool name does";
            return Err(NameError::Form { what: WHAT, text: text.to_owned(), why });
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What follows `@` in a snapshot's name or `#` in a bookmark's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SnapTag(String);
text_serde!(SnapTag);

impl SnapTag {
    /// The tag, without the `@`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SnapTag {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        const WHAT: &str = "snapshot tag";
        check_length(WHAT, text)?;
        check_component(WHAT, text, text)?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SnapTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! tagged_name {
    ($(#[$doc:meta])* $name:ident, $separator:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name {
            dataset: DatasetName,
            tag: SnapTag,
        }
        text_serde!($name);

        impl $name {
            /// The dataset that it belongs to.
            pub fn dataset(&self) -> &DatasetName {
                &self.dataset
            }

            /// What follows the separator.
            pub fn tag(&self) -> &SnapTag {
                &self.tag
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                check_length($what, text)?;
                let Some((dataset, tag)) = text.split_once($separator) else {
                    let why = concat!("has no '", $separator, "'");
                    return Err(NameError::Form { what: $what, text: text.to_owned(), why });
                };
                Ok(Self { dataset: dataset.parse()?, tag: tag.parse()? })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}{}", self.dataset, $separator, self.tag)
            }
        }
    };
}

tagged_name!(
    /// `dataset@tag`.
    SnapshotName,
    '@',
    "snapshot name"
);
tagged_name!(
    /// `dataset#tag`: the memory of a snapshot, good as the base of an incremental send
    /// (zfs-bookmark(8)).
    BookmarkName,
    '#',
    "bookmark name"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_names_come_apart_and_go_together() {
        let dataset: DatasetName = "tank/vm data/erp_1.2:x".parse().unwrap();
        assert_eq!(dataset.pool(), "tank");
        assert_eq!(dataset.parent().unwrap().as_str(), "tank/vm data");
        assert_eq!(dataset.leaf(), "erp_1.2:x");
        assert_eq!(dataset.below(&"tank".parse().unwrap()), Some("vm data/erp_1.2:x"));
        assert_eq!(dataset.below(&"tan".parse().unwrap()), None);
        assert_eq!(dataset.below(&dataset), Some(""));
        let snapshot: SnapshotName = "tank/a@zx-1".parse().unwrap();
        assert_eq!((snapshot.dataset().as_str(), snapshot.tag().as_str()), ("tank/a", "zx-1"));
    }

    #[test]
    fn what_openzfs_or_a_shell_could_misread_is_refused() {
        let long = "a".repeat(256);
        let bad = [
            "",
            "/",
            "tank/",
            "/tank",
            "tank//a",
            "tank/..",
            "tank/./a",
            "-tank",
            "tank/-r",
            "tank/a@b",
            "tank/a#b",
            "tank/a%b",
            "tank/a\nb",
            "tank/a;b",
            "tank/$(x)",
            "tänk",
            "1tank",
            "tank/a ",
            long.as_str(),
        ];
        for text in bad {
            assert!(text.parse::<DatasetName>().is_err(), "{text:?} was accepted");
        }
        for text in ["tank", "tank@", "tank@a@b", "tank@a/b", "@a", "tank@-r", "tank@a,b", "tank@a%b"] {
            assert!(text.parse::<SnapshotName>().is_err(), "{text:?} was accepted");
        }
    }
}
