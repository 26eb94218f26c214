//! The recovery key: printed once, kept on paper, typed by a person who had a bad day.
//!
//! 160 random bits in eight groups of five characters. The alphabet has no letters that look like others
//! (Crockford's base 32: no I, L, O, U; those typed for 1 and 0 are understood). The last character of each
//! group checks the group and its place, so that a typing mistake is named by its group: every single wrong
//! character, two neighbours swapped, and groups in the wrong order are recognised for certain.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::error::VaultError;
use super::key::{Cipher, DataKey, ID, KEY, random};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const GROUPS: usize = 8;

/// Characters of a group that carry the key; one more checks them.
const CARRYING: usize = 4;

/// Bytes of the key: 160 bits, 20 in each group.
const BYTES: usize = 20;

/// First byte of a wrapped data key.
const VERSION: u8 = 1;

/// What opens a copy of the database on another machine: it wraps the data keys.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RecoveryKey([u8; BYTES]);

/// A mistake in a typed recovery key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryKeyError {
    /// Something is missing, or too much.
    #[error("it has {found} characters instead of 40")]
    Length {
        /// Characters that were typed, without spaces and hyphens.
        found: usize,
    },
    /// A character that no recovery key has.
    #[error("group {group} has a character that no recovery key has")]
    Character {
        /// From 1 to 8.
        group: usize,
    },
    /// The group does not pass its check.
    #[error("group {group} is mistyped, or not in its place")]
    Group {
        /// From 1 to 8.
        group: usize,
    },
}

impl RecoveryKey {
    /// A new one.
    ///
    /// # Errors
    /// If the operating system gives no random numbers.
    pub fn generate() -> Result<Self, VaultError> {
        let mut key = Self([0; BYTES]);
        random(&mut key.0)?;
        Ok(key)
    }

    /// The key to print, as eight groups of five characters. Show it once; keep it nowhere.
    pub fn to_text(&self) -> SecretString {
        let mut text = Zeroizing::new(String::with_capacity(GROUPS * (CARRYING + 2)));
        for group in 0..GROUPS {
            if group > 0 {
                text.push('-');
            }
            let symbols = self.group(group);
            let check = check(group, &symbols);
            for symbol in symbols.into_iter().chain([check]) {
                text.push(char::from(ALPHABET[usize::from(symbol)]));
            }
        }
        SecretString::from(text.as_str())
    }

    /// The key that a person typed, in either case, with or without hyphens and spaces.
    ///
    /// # Errors
    /// With the first group that is mistyped.
    pub fn from_text(text: &SecretString) -> Result<Self, RecoveryKeyError> {
        let typed = Zeroizing::new(
            text.expose_secret().chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<Vec<char>>(),
        );
        if typed.len() != GROUPS * (CARRYING + 1) {
            return Err(RecoveryKeyError::Length { found: typed.len() });
        }
        let mut key = Self([0; BYTES]);
        for (group, characters) in typed.chunks(CARRYING + 1).enumerate() {
            let mut symbols = [0; CARRYING + 1];
            for (symbol, character) in symbols.iter_mut().zip(characters) {
                *symbol = symbol_of(*character).ok_or(RecoveryKeyError::Character { group: group + 1 })?;
            }
            let [carrying @ .., checking] = symbols;
            if check(group, &carrying) != checking {
                return Err(RecoveryKeyError::Group { group: group + 1 });
            }
            key.set_group(group, carrying);
        }
        Ok(key)
    }

    /// Four symbols of five bits.
    fn group(&self, group: usize) -> [u8; CARRYING] {
        let mut symbols = [0; CARRYING];
        for (place, symbol) in symbols.iter_mut().enumerate() {
            for bit in 0..5 {
                let at = (group * CARRYING + place) * 5 + bit;
                *symbol = *symbol << 1 | (self.0[at / 8] >> (7 - at % 8)) & 1;
            }
        }
        symbols
    }

    fn set_group(&mut self, group: usize, symbols: [u8; CARRYING]) {
        for (place, symbol) in symbols.into_iter().enumerate() {
            for bit in 0..5 {
                let at = (group * CARRYING + place) * 5 + bit;
                self.0[at / 8] |= (symbol >> (4 - bit) & 1) << (7 - at % 8);
            }
        }
    }

    /// The data key, readable with this recovery key only: `version | key id | nonce | ciphertext`.
    pub(super) fn wrap(&self, key: &DataKey) -> Result<Vec<u8>, VaultError> {
        let head = [&[VERSION], key.id().as_slice()].concat();
        let sealed = self.cipher().seal(key.bytes(), &head)?;
        let sealed = sealed.ok_or_else(|| VaultError::TooLarge { place: "the data key".to_owned() })?;
        Ok([head, sealed].concat())
    }

    /// The data key in `wrapped`, if this recovery key wrapped it.
    pub(super) fn unwrap(&self, wrapped: &[u8]) -> Option<DataKey> {
        let (head, sealed) = wrapped.split_first_chunk::<{ 1 + ID }>()?;
        if head[0] != VERSION {
            return None;
        }
        let bytes = self.cipher().open(sealed, head)?;
        let key = DataKey::from_bytes(<&[u8; KEY]>::try_from(bytes.as_slice()).ok()?);
        (key.id().as_slice() == &head[1..]).then_some(key)
    }

    fn cipher(&self) -> Cipher {
        Cipher::derive(&self.0, b"zerfaux recovery v1")
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(…)")
    }
}

fn symbol_of(character: char) -> Option<u8> {
    let character = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET.iter().position(|known| char::from(*known) == character).and_then(|at| u8::try_from(at).ok())
}

/// The group's number plus the symbols times 2, 4, 8 and 16, in the field of 32 elements. No factor is 0 or 1
/// and no two are equal, which is what catches a wrong symbol and a swapped pair (also with the check itself).
fn check(group: usize, symbols: &[u8; CARRYING]) -> u8 {
    let place = u8::try_from(group).unwrap_or(0);
    symbols.iter().zip([2, 4, 8, 16]).fold(place, |sum, (symbol, factor)| sum ^ multiply(*symbol, factor))
}

/// Product in GF(32) with x⁵ + x² + 1.
fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        if b & 1 == 1 {
            product ^= a;
        }
        a <<= 1;
        if a & 0b10_0000 != 0 {
            a ^= 0b10_0101;
        }
        b >>= 1;
    }
    product
}
