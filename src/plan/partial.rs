//! Partly received streams: whose they are, and whether they can go on.

use serde::{Deserialize, Serialize};

use crate::domain::dataset::{Dataset, PartialReceive, Snapshot};

/// Why a partly received stream cannot be resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadPartial {
    /// Its token could not be read.
    Unreadable,
    /// The snapshot that was being sent is gone, or the source was renamed since.
    SnapshotGone,
    /// The base of the increment is gone at the source.
    BaseGone,
    /// It was sent raw and would now be sent in clear, or the other way round.
    RawDiffers,
    /// Something else arrived in the meantime, so it would not fit any more.
    Overtaken,
}

impl DeadPartial {
    /// The reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unreadable => "its resume token could not be read",
            Self::SnapshotGone => "the snapshot it was made from is gone at the source",
            Self::BaseGone => "the base it builds on is gone",
            Self::RawDiffers => "the source's encryption is not what it was",
            Self::Overtaken => "the destination has received something else since",
        }
    }
}

/// Whether a partly received stream can go on: the snapshot it completes and the bytes that are there.
pub(super) fn judge_partial<'a>(
    source: &'a Dataset,
    destination: &Dataset,
    partial: &PartialReceive,
) -> Result<(&'a Snapshot, u64), DeadPartial> {
    let contents = partial.contents.as_ref().ok_or(DeadPartial::Unreadable)?;
    // `zfs send -t` finds the snapshot by the name in the token, so a renamed source has lost it.
    let dataset = contents.to_name.split('@').next().unwrap_or_default();
    let to = source.snapshot_by_guid(contents.to_guid).filter(|_| dataset == source.name.as_str());
    let to = to.ok_or(DeadPartial::SnapshotGone)?;
    if contents.raw != source.encryption.is_on() {
        return Err(DeadPartial::RawDiffers);
    }
    if destination.snapshot_by_guid(contents.to_guid).is_some() {
        return Err(DeadPartial::Overtaken);
    }
    match contents.from_guid {
        None if destination.snapshots.is_empty() => Ok((to, contents.bytes)),
        None => Err(DeadPartial::Overtaken),
        Some(base) => {
            let known = source.snapshot_by_guid(base).is_some()
                || source.bookmarks.iter().any(|bookmark| bookmark.guid == base);
            if !known || destination.snapshot_by_guid(base).is_none() {
                return Err(DeadPartial::BaseGone);
            }
            Ok((to, contents.bytes))
        }
    }
}

/// What the destination's partial receive is of, if it did not come from this source: neither is its snapshot
/// one of the source's (under whatever name), nor does its name speak of the source.
pub(super) fn somebody_elses(source: &Dataset, destination: &Dataset) -> Option<String> {
    let contents = destination.partial.as_ref()?.contents.as_ref()?;
    let named = contents.to_name.split('@').next() == Some(source.name.as_str());
    let known = source.snapshot_by_guid(contents.to_guid).is_some()
        || source.bookmarks.iter().any(|bookmark| bookmark.guid == contents.to_guid);
    (!named && !known).then(|| contents.to_name.clone())
}

pub(super) fn token_of(destination: &Dataset) -> String {
    destination.partial.as_ref().map(|partial| partial.token.clone()).unwrap_or_default()
}
