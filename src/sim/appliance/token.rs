//! Resume tokens: the form of OpenZFS's (`1-checksum-length-data`, all hexadecimal), with the simulator's own data.

use serde::{Deserialize, Serialize};

use super::model::dataset::Partial;
use super::stream::checksum;

/// What a token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Contents {
    pub(crate) from_guid: Option<u64>,
    pub(crate) object: u64,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    pub(crate) to_guid: u64,
    pub(crate) to_name: String,
    pub(crate) large: bool,
    pub(crate) embedded: bool,
    pub(crate) compressed: bool,
    pub(crate) raw: bool,
}

/// The token of an interrupted receive.
pub(crate) fn of(partial: &Partial) -> String {
    let begin = &partial.begin;
    let contents = Contents {
        from_guid: begin.from_guid,
        object: partial.reached.0,
        offset: partial.reached.1,
        bytes: partial.bytes,
        to_guid: begin.to_guid,
        to_name: begin.to_name.clone(),
        large: begin.large,
        embedded: begin.embedded,
        compressed: begin.compressed,
        raw: begin.raw.is_some(),
    };
    let data = serde_json::to_vec(&contents).unwrap_or_default();
    let hexadecimal: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("1-{:x}-{:x}-{hexadecimal}", checksum(&data) & 0xf_ffff_ffff, data.len())
}

/// Reads a token; none if it is damaged.
pub(crate) fn read(token: &str) -> Option<Contents> {
    let mut parts = token.split('-');
    let (version, sum, length, text) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let digits = text.as_bytes();
    if version != "1" || parts.next().is_some() || digits.len() % 2 != 0 {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let data: Vec<u8> = digits.chunks(2).map(byte).collect::<Option<_>>()?;
    let sound = u64::from_str_radix(sum, 16).ok()? == checksum(&data) & 0xf_ffff_ffff
        && usize::from_str_radix(length, 16).ok()? == data.len();
    if sound { serde_json::from_slice(&data).ok() } else { None }
}

/// What `zfs send -nvt` prints of a token.
pub(crate) fn describe(contents: &Contents) -> String {
    let mut text = "resume token contents:\nnvlist version: 0\n".to_owned();
    if let Some(from) = contents.from_guid {
        text.push_str(&format!("\tfromguid = {from:#x}\n"));
    }
    text.push_str(&format!(
        "\tobject = {:#x}\n\toffset = {:#x}\n\tbytes = {:#x}\n\ttoguid = {:#x}\n\ttoname = {}\n",
        contents.object, contents.offset, contents.bytes, contents.to_guid, contents.to_name
    ));
    let flags = [
        ("largeblockok", contents.large),
        ("embedok", contents.embedded),
        ("compressok", contents.compressed),
        ("rawok", contents.raw),
    ];
    for (name, _) in flags.iter().filter(|(_, set)| *set) {
        text.push_str(&format!("\t{name} = 1\n"));
    }
    text
}
