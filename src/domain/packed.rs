//! A value of any size as user properties of ZFS, each of which holds less than 8,192 bytes (zfsprops(7)).
//!
//! JSON, deflated (RFC 1951), in base64, in numbered pieces: `zerfaux:manifest.0`, `zerfaux:manifest.1` and so on. The
//! property without a number, `zerfaux:manifest`, says how many there are and what they have to come to; it is set last, so
//! what has it is whole. Base64 also keeps whatever is in the value, such as a hostile name of a virtual machine, from a
//! shell, a table and a terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write as _};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// As much as one piece holds.
const PIECE: usize = 8000;
/// So many pieces at most: what is larger is not put on a dataset.
const MOST_PIECES: usize = 128;
/// Nothing larger is read back, whatever its first property says.
const MOST_BYTES: u64 = 64 << 20;
/// The form that this program writes. Others are read as far as they can be.
const FORM: u32 = 1;

/// Properties with their values.
pub type Properties = Vec<(String, String)>;

/// Why a value cannot be put on a dataset, or read from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// It would be too many properties.
    #[error("it takes {pieces} properties, and more than {MOST_PIECES} are not set")]
    TooLarge {
        /// How many.
        pieces: usize,
    },
    /// It cannot be written as JSON.
    #[error("it cannot be written: {0}")]
    Unwritable(String),
    /// The property that describes the others is not understood.
    #[error("{name} says {value:?}, which is not understood")]
    Description {
        /// The property.
        name: String,
        /// Its value.
        value: String,
    },
    /// One of the pieces is missing.
    #[error("{0} is missing")]
    Missing(String),
    /// The pieces are not what they were.
    #[error("the pieces of {0} do not come to what was written: the checksum differs")]
    Damaged(String),
    /// They are what they were, and mean nothing here.
    #[error("what {name} holds was written by another version and is not understood: {why}")]
    Unreadable {
        /// The property.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// The value as properties whose names begin with `name`, in the order in which they are to be set: the last one says that
/// the others are whole.
///
/// # Errors
/// If it is too large.
pub fn pack<T: Serialize>(name: &str, value: &T) -> Result<Properties, PackError> {
    let json = serde_json::to_vec(value).map_err(|error| PackError::Unwritable(error.to_string()))?;
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
    let deflated = deflate.write_all(&json).and_then(|()| deflate.finish());
    let text = STANDARD.encode(deflated.map_err(|error| PackError::Unwritable(error.to_string()))?);
    let pieces: Vec<&str> = text
        .as_bytes()
        .chunks(PIECE)
        // Base64 is ASCII: every cut is between characters.
        .map(|piece| std::str::from_utf8(piece).unwrap_or_default())
        .collect();
    if pieces.len() > MOST_PIECES {
        return Err(PackError::TooLarge { pieces: pieces.len() });
    }
    let numbered =
        pieces.iter().enumerate().map(|(number, piece)| (piece_name(name, number), (*piece).to_owned()));
    let description =
        format!("{FORM} pieces={} bytes={} sha256={}", pieces.len(), json.len(), hex(&Sha256::digest(&json)));
    Ok(numbered.chain([(name.to_owned(), description)]).collect())
}

/// The properties that belong to the one called `name`, as that one says; none if it says nothing that is understood.
pub fn piece_names(name: &str, description: &str) -> Option<Vec<String>> {
    let Description { pieces, .. } = Description::read(description)?;
    Some((0..pieces).map(|number| piece_name(name, number)).collect())
}

/// The value that was packed; none if there is none.
///
/// # Errors
/// If it is not whole, not what was written, or not understood.
pub fn unpack<T: DeserializeOwned>(
    name: &str,
    properties: &BTreeMap<String, String>,
) -> Result<Option<T>, PackError> {
    let Some(description) = properties.get(name) else { return Ok(None) };
    let described = Description::read(description).ok_or_else(|| PackError::Description {
        name: name.to_owned(),
        value: description.chars().take(200).collect(),
    })?;
    let mut text = String::new();
    for number in 0..described.pieces {
        let piece = piece_name(name, number);
        text.push_str(properties.get(&piece).ok_or(PackError::Missing(piece))?);
    }
    let damaged = || PackError::Damaged(name.to_owned());
    let deflated = STANDARD.decode(text).map_err(|_not_base64| damaged())?;
    let mut json = Vec::new();
    let limit = described.bytes.min(MOST_BYTES).saturating_add(1);
    DeflateDecoder::new(&deflated[..]).take(limit).read_to_end(&mut json).map_err(|_cut_off| damaged())?;
    if json.len() as u64 != described.bytes || hex(&Sha256::digest(&json)) != described.sha256 {
        return Err(damaged());
    }
    let unreadable =
        |error: serde_json::Error| PackError::Unreadable { name: name.to_owned(), why: error.to_string() };
    serde_json::from_slice(&json).map(Some).map_err(unreadable)
}

fn piece_name(name: &str, number: usize) -> String {
    format!("{name}.{number}")
}

/// What the property without a number says.
struct Description {
    pieces: usize,
    bytes: u64,
    sha256: String,
}

impl Description {
    /// Words that are not known are passed over: a later version may add some.
    fn read(text: &str) -> Option<Self> {
        let (_form, rest) = text.split_once(' ')?;
        let of = |wanted: &str| {
            rest.split(' ').filter_map(|word| word.split_once('=')).find(|(name, _)| *name == wanted)
        };
        let pieces = of("pieces")?.1.parse().ok().filter(|count| *count <= MOST_PIECES)?;
        let bytes = of("bytes")?.1.parse().ok().filter(|count| *count <= MOST_BYTES)?;
        Some(Self { pieces, bytes, sha256: of("sha256")?.1.to_owned() })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "zerfaux:thing";

    fn packed(value: &str) -> BTreeMap<String, String> {
        pack(NAME, &value).unwrap().into_iter().collect()
    }

    #[test]
    fn what_is_damaged_or_not_whole_is_told_apart_and_never_taken_for_the_value() {
        let noise: String = (0..500_u32).map(|n| hex(&Sha256::digest(n.to_be_bytes()))).collect();
        let whole = packed(&noise);
        assert!(whole.len() > 3, "several pieces: {}", whole.len());
        assert_eq!(unpack::<String>(NAME, &whole), Ok(Some(noise.clone())));
        let mut missing = whole.clone();
        missing.remove("zerfaux:thing.1");
        assert_eq!(unpack::<String>(NAME, &missing), Err(PackError::Missing("zerfaux:thing.1".into())));
        let mut swapped = whole.clone();
        let (zero, one) = (whole["zerfaux:thing.0"].clone(), whole["zerfaux:thing.1"].clone());
        swapped.extend([("zerfaux:thing.0".into(), one), ("zerfaux:thing.1".into(), zero)]);
        assert_eq!(unpack::<String>(NAME, &swapped), Err(PackError::Damaged(NAME.into())));
        let mut other = whole.clone();
        other.insert(NAME.into(), packed("another")[NAME].clone());
        assert!(unpack::<String>(NAME, &other).is_err());
        let mut nonsense = whole.clone();
        nonsense.insert(NAME.into(), "2 pieces=9999999 bytes=1 sha256=00".into());
        assert!(matches!(unpack::<String>(NAME, &nonsense), Err(PackError::Description { .. })));
        assert_eq!(unpack::<String>(NAME, &BTreeMap::new()), Ok(None));
        assert!(matches!(unpack::<u8>(NAME, &packed("a")), Err(PackError::Unreadable { .. })));
    }

    #[test]
    fn a_later_form_with_more_words_is_read() {
        let mut later = packed("x");
        let description = later[NAME].replacen('1', "7", 1) + " colour=blue";
        later.insert(NAME.into(), description);
        assert_eq!(unpack::<String>(NAME, &later), Ok(Some("x".to_owned())));
    }

    #[test]
    fn what_swells_beyond_what_was_announced_is_not_read() {
        let mut bomb = packed(&"0".repeat(1 << 20));
        let description = format!("1 pieces=1 bytes=10 sha256={}", hex(&Sha256::digest(b"0000000000")));
        bomb.insert(NAME.into(), description);
        assert_eq!(unpack::<String>(NAME, &bomb), Err(PackError::Damaged(NAME.into())));
    }

    proptest! {
        #[test]
        fn every_text_survives_in_properties_that_zfs_takes(text in "\\PC{0,2000}") {
            let packed = pack(NAME, &text).unwrap();
            for (name, value) in &packed {
                prop_assert!(value.len() < 8192 && value.is_ascii() && !value.contains(['\t', '\n', '\'', '$']));
                prop_assert!(name.len() < 256);
            }
            prop_assert_eq!(packed.last().map(|one| one.0.as_str()), Some(NAME));
            prop_assert_eq!(unpack(NAME, &packed.into_iter().collect()), Ok(Some(text)));
        }
    }
}
