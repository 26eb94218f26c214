//! Holds: while a snapshot has one, it cannot be destroyed (zfs-hold(8)).

use jiff::Timestamp;

use crate::domain::names::SnapshotName;

use super::complaint::Complaint;
use super::error::ZfsError;
use super::parse::{Unreadable, time};
use super::property::HoldTag;
use super::{Zfs, pieces, verbs};

/// A hold on a snapshot, anybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The snapshot.
    pub snapshot: SnapshotName,
    /// Its tag: any text.
    pub tag: String,
    /// When it was set.
    pub since: Timestamp,
}

impl Zfs {
    /// Puts a hold with `tag` on each snapshot; one that has it already is left as it is.
    ///
    /// # Errors
    /// If a snapshot does not exist or cannot be held. The others are held then.
    pub async fn hold(&self, tag: &HoldTag, snapshots: &[SnapshotName]) -> Result<(), ZfsError> {
        for piece in pieces(snapshots) {
            let Some((first, others)) = piece.split_first() else { continue };
            let already = |complaint: &Complaint| *complaint == Complaint::HoldExists;
            self.run_unless(&verbs::hold(tag, first, others), already).await?;
        }
        Ok(())
    }

    /// Takes the hold with `tag` away from each snapshot; one that does not have it, or is gone, is
    /// passed over.
    ///
    /// # Errors
    /// If a hold cannot be released.
    pub async fn release(&self, tag: &HoldTag, snapshots: &[SnapshotName]) -> Result<(), ZfsError> {
        for piece in pieces(snapshots) {
            let Some((first, others)) = piece.split_first() else { continue };
            let already = |complaint: &Complaint| {
                matches!(complaint, Complaint::HoldMissing | Complaint::DatasetMissing(_))
            };
            self.run_unless(&verbs::release(tag, first, others), already).await?;
        }
        Ok(())
    }

    /// The holds of these snapshots, anybody's; a snapshot that does not exist has none.
    ///
    /// # Errors
    /// If the host cannot be reached, or the output is not understood.
    pub async fn holds(&self, snapshots: &[SnapshotName]) -> Result<Vec<Hold>, ZfsError> {
        let mut holds = Vec::new();
        for piece in pieces(snapshots) {
            let command = verbs::holds(piece);
            let text = self.table(&command).await?;
            holds.extend(read(&text).map_err(|bad| self.unreadable(&command, bad))?);
        }
        Ok(holds)
    }
}

/// Lines of snapshot, tag, time. A tag is any text, so the columns are taken from both ends.
pub(super) fn read(text: &str) -> Result<Vec<Hold>, Unreadable> {
    let hold = |line: &str| {
        let parts = line.split_once('\t').and_then(|(name, rest)| Some((name, rest.rsplit_once('\t')?)));
        let (name, (tag, since)) = parts.ok_or_else(|| Unreadable::new("less than three columns", line))?;
        Ok(Hold {
            snapshot: name.parse().map_err(|error| Unreadable::new(format!("{error}"), line))?,
            tag: tag.to_owned(),
            since: time(since, "timestamp", line)?,
        })
    };
    text.lines().map(hold).collect()
}
