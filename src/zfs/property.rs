//! Words that go into a command and are not names of datasets: properties, hold tags, resume tokens.

use std::fmt;
use std::str::FromStr;

/// The longest value of a property, in bytes (`ZAP_MAXVALUELEN` less the NUL).
const MAX_VALUE: usize = 8191;
/// The longest hold tag, in bytes (`ZAP_MAXNAMELEN` less the NUL).
const MAX_TAG: usize = 255;
/// Tokens seen in the wild are a few hundred bytes; this bounds what goes on a command line.
const MAX_TOKEN: usize = 16 * 1024;

/// Why a text is not what it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} {why}")]
pub struct WordError {
    what: &'static str,
    text: String,
    why: &'static str,
}

fn refuse<T>(what: &'static str, text: &str, why: &'static str) -> Result<T, WordError> {
    // A hostile text may be long; the beginning says enough.
    let text = text.chars().take(100).collect();
    Err(WordError { what, text, why })
}

/// A property and the value to give it (zfsprops(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    name: PropertyName,
    value: String,
}

impl Property {
    /// The property `name` with `value`.
    ///
    /// # Errors
    /// If `name` is not a property's name, or `value` holds a control character or is longer than
    /// OpenZFS stores.
    pub fn new(name: &str, value: &str) -> Result<Self, WordError> {
        let name: PropertyName = name.parse()?;
        if value.len() > MAX_VALUE {
            return refuse("property value", value, "is longer than 8191 bytes");
        }
        // A tab or a line break would also break the table in which it is read back.
        if value.chars().any(char::is_control) {
            return refuse("property value", value, "contains a control character");
        }
        Ok(Self { name, value: value.to_owned() })
    }

    /// A property that the program itself writes, both parts known to be sound.
    pub(super) fn fixed(name: &'static str, value: &'static str) -> Self {
        Self { name: PropertyName(name.to_owned()), value: value.to_owned() }
    }

    /// The same with a value that the program itself has put together.
    pub(super) fn written(name: &'static str, value: String) -> Self {
        Self { name: PropertyName(name.to_owned()), value }
    }

    /// Its name.
    pub fn name(&self) -> &PropertyName {
        &self.name
    }

    /// Its value.
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

/// The name of a native property (`readonly`) or of a user property (`zerfaux:group`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PropertyName(String);

impl PropertyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn fixed(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// Whether it belongs to encryption: such properties cannot be set on a raw stream, and Zerfaux
    /// never changes them.
    pub(super) fn is_of_encryption(&self) -> bool {
        matches!(self.as_str(), "encryption" | "keyformat" | "keylocation" | "pbkdf2iters")
    }
}

impl FromStr for PropertyName {
    type Err = WordError;
    fn from_str(text: &str) -> Result<Self, WordError> {
        const WHAT: &str = "property name";
        // zfsprops(7): lower case letters, digits, and : + . _ (user properties also -), 256 at most.
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ":+._-@#".contains(c);
        if text.is_empty() || text.len() > MAX_TAG {
            return refuse(WHAT, text, "is empty or longer than 255 bytes");
        }
        if !text.chars().all(allowed) {
            return refuse(WHAT, text, "contains a character that property names do not have");
        }
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return refuse(WHAT, text, "does not begin with a letter or digit");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for PropertyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The tag of a hold (zfs-hold(8)). OpenZFS takes nearly any text; Zerfaux only sets and releases its
/// own tags, which need no more than this.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HoldTag(String);

impl HoldTag {
    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HoldTag {
    type Err = WordError;
    fn from_str(text: &str) -> Result<Self, WordError> {
        const WHAT: &str = "hold tag";
        if text.is_empty() || text.len() > MAX_TAG {
            return refuse(WHAT, text, "is empty or longer than 255 bytes");
        }
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || "_.:-".contains(c)) {
            return refuse(WHAT, text, "contains something else than letters, digits and _ . : -");
        }
        if text.starts_with(['-', '.']) {
            return refuse(WHAT, text, "begins with '-' or '.'");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for HoldTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A resume token as the property `receive_resume_token` shows it: `1-<checksum>-<length>-<data>`,
/// all hexadecimal. Opaque but for that form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResumeToken(String);

impl ResumeToken {
    /// The token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ResumeToken {
    type Err = WordError;
    fn from_str(text: &str) -> Result<Self, WordError> {
        const WHAT: &str = "resume token";
        if text.len() > MAX_TOKEN {
            return refuse(WHAT, text, "is too long");
        }
        let parts: Vec<&str> = text.split('-').collect();
        let hexadecimal = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if parts.len() != 4 || !parts.iter().all(hexadecimal) {
            return refuse(WHAT, text, "does not have the form of four hexadecimal numbers");
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_could_be_misread_are_refused() {
        for name in ["", "-o", "READONLY", "a=b", "a b", "a\nb", "é:x"] {
            assert!(name.parse::<PropertyName>().is_err(), "{name:?} was accepted");
        }
        assert!(Property::new("zerfaux:group", "a\tb").is_err());
        assert!(Property::new("zerfaux:group", "a\0b").is_err());
        assert!(Property::new("zerfaux:group", &"x".repeat(8192)).is_err());
        for tag in ["", "-r", "a b", "a\nb", ".send-1"] {
            assert!(tag.parse::<HoldTag>().is_err(), "{tag:?} was accepted");
        }
        for token in ["", "-n", "1-2-3", "1-2-3-4-5", "1-2-3-x", "1-2--4"] {
            assert!(token.parse::<ResumeToken>().is_err(), "{token:?} was accepted");
        }
    }

    #[test]
    fn sound_words_are_kept_as_they_are() {
        assert_eq!(Property::new("zerfaux:group", "g 1=$x").unwrap().to_string(), "zerfaux:group=g 1=$x");
        assert_eq!("zerfaux:0193".parse::<HoldTag>().unwrap().as_str(), "zerfaux:0193");
        assert_eq!("1-c7f2ae-f8-789c".parse::<ResumeToken>().unwrap().as_str(), "1-c7f2ae-f8-789c");
    }
}
