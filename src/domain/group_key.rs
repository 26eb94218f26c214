//! The key of a protection group whose datasets are encrypted: without it nothing on the replica can be read at the DR side.

use jiff::Timestamp;

use super::ids::{GroupId, SecretId};
use super::names::DatasetName;

/// Bytes of a passphrase at most (zfsprops(7), `keyformat=passphrase`: 8 to 512).
pub const LONGEST: usize = 512;
/// Bytes of a passphrase at least.
pub const SHORTEST: usize = 8;
/// Bytes of a key that is no passphrase (`keyformat=raw`), and half the digits of one with `keyformat=hex`.
const RAW: usize = 32;

/// What is known of a group's key. The key itself is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupKey {
    /// Whose key it is.
    pub group: GroupId,
    /// Where it is sealed.
    pub secret: SecretId,
    /// The encryption root that took it, and when; none: no appliance has answered yet.
    pub tried: Option<(DatasetName, Timestamp)>,
    /// Who entered it.
    pub set_by: String,
    /// When.
    pub set_at: Timestamp,
}

/// Why a text can be no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// Too short or too long.
    #[error("A passphrase has {SHORTEST} to {LONGEST} bytes, a key in hexadecimal 64 digits.")]
    Length,
    /// A line break or another control character.
    #[error("A key is one line, without control characters.")]
    Control,
    /// Not 64 hexadecimal digits.
    #[error("A raw key is entered as its 64 hexadecimal digits.")]
    NoDigits,
}

/// Looks whether a text can be a key.
///
/// # Errors
/// Why it cannot.
pub fn check(text: &str) -> Result<(), KeyTextError> {
    if text.chars().any(char::is_control) {
        return Err(KeyTextError::Control);
    }
    if !(SHORTEST..=LONGEST).contains(&text.len()) {
        return Err(KeyTextError::Length);
    }
    Ok(())
}

/// What `zfs load-key` reads for a dataset with this property `keyformat` (zfs-load-key(8)): the text itself, but the bytes
/// of a raw key, which a person enters as hexadecimal digits.
///
/// # Errors
/// If the format is `raw` and these are no such digits.
pub fn material(text: &str, format: &str) -> Result<Vec<u8>, KeyTextError> {
    if format != "raw" {
        return Ok(text.as_bytes().to_vec());
    }
    let digits: Vec<u32> = text.chars().filter_map(|one| one.to_digit(16)).collect();
    if digits.len() != text.chars().count() || digits.len() != 2 * RAW {
        return Err(KeyTextError::NoDigits);
    }
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).unwrap_or_default();
    Ok(digits.chunks_exact(2).map(byte).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_taken_as_it_stands_and_a_raw_key_as_its_bytes() {
        assert_eq!(material("correct horse", "passphrase").unwrap(), b"correct horse");
        let hex = "00ff".repeat(16);
        assert_eq!(material(&hex, "hex").unwrap(), hex.as_bytes());
        assert_eq!(material(&hex, "raw").unwrap(), [0, 255].repeat(16));
        for wrong in ["00ff", &"0g".repeat(32), "correct horse"] {
            assert_eq!(material(wrong, "raw"), Err(KeyTextError::NoDigits), "{wrong}");
        }
    }

    #[test]
    fn what_can_be_no_key_is_refused_before_anybody_is_asked() {
        assert_eq!(check("12345678"), Ok(()));
        assert_eq!(check(&"x".repeat(512)), Ok(()));
        assert_eq!(check("1234567"), Err(KeyTextError::Length));
        assert_eq!(check(&"x".repeat(513)), Err(KeyTextError::Length));
        assert_eq!(check("two\nlines of text"), Err(KeyTextError::Control));
    }
}
