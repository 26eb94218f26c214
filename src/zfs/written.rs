//! How much was written since a snapshot.

use crate::domain::names::{DatasetName, SnapTag};

use super::{Zfs, ZfsError, verbs};

impl Zfs {
    /// Bytes written to `dataset` since its snapshot `tag`, by property `written@…` (zfsprops(7)). Zero means
    /// that nothing has changed, whatever other snapshots were taken since.
    ///
    /// # Errors
    /// If there is no such dataset or snapshot.
    pub async fn written_since(&self, dataset: &DatasetName, tag: &SnapTag) -> Result<u64, ZfsError> {
        let property = format!("written@{tag}");
        let command = verbs::written_since(dataset, &property);
        let text = self.run(&command).await?;
        let value = text.trim();
        value.parse().map_err(|_| {
            let bad = super::parse::Unreadable {
                why: format!("{property} is not a number"),
                line: value.to_owned(),
            };
            self.unreadable(&command, bad)
        })
    }
}
