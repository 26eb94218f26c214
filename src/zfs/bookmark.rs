//! Bookmarks: what is left of a snapshot that is enough to send from (zfs-bookmark(8)).

use std::collections::HashMap;

use crate::domain::names::{BookmarkName, SnapshotName};

use super::command::Command;
use super::complaint::Complaint;
use super::error::ZfsError;
use super::{Zfs, verbs};

impl Zfs {
    /// Bookmarks `snapshot`. A bookmark of that name with the snapshot's GUID is taken for it.
    ///
    /// # Errors
    /// If the snapshot does not exist, or the bookmark is of another snapshot.
    pub async fn bookmark(&self, snapshot: &SnapshotName, bookmark: &BookmarkName) -> Result<(), ZfsError> {
        let command = verbs::bookmark(snapshot, bookmark);
        let exists = |complaint: &Complaint| *complaint == Complaint::AlreadyExists;
        if self.run_unless(&command, exists).await? {
            return Ok(());
        }
        self.is_bookmark_of(snapshot, bookmark, &command).await
    }

    /// Refuses a bookmark that was there before and is of another snapshot.
    pub(super) async fn is_bookmark_of(
        &self,
        snapshot: &SnapshotName,
        bookmark: &BookmarkName,
        command: &Command,
    ) -> Result<(), ZfsError> {
        let text = self.run(&verbs::guids(snapshot, bookmark)).await?;
        let guids: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once('\t')).collect();
        let of = |name: &str| guids.get(name).copied();
        match (of(&snapshot.to_string()), of(&bookmark.to_string())) {
            (Some(one), Some(other)) if one == other => Ok(()),
            _ => Err(self.guarded(command, format!("{bookmark} exists and is of another snapshot"))),
        }
    }

    /// [`bookmark`](Self::bookmark) for each of these, in one remote command where all goes well.
    ///
    /// # Errors
    /// As [`bookmark`](Self::bookmark), for the first that fails; those before it are made.
    pub async fn bookmark_all(&self, wanted: &[(SnapshotName, BookmarkName)]) -> Result<(), ZfsError> {
        if let [(_, first), _, ..] = wanted {
            let words: Vec<String> =
                wanted.iter().flat_map(|(from, to)| [from.to_string(), to.to_string()]).collect();
            if self.run_each(&verbs::bookmark_each(first, wanted.len()), 2, &words).await? {
                return Ok(());
            }
        }
        for (snapshot, bookmark) in wanted {
            self.bookmark(snapshot, bookmark).await?;
        }
        Ok(())
    }

    /// [`destroy_bookmark`](Self::destroy_bookmark) for each of these, in one remote command where all goes well.
    ///
    /// # Errors
    /// If one cannot be destroyed.
    pub async fn destroy_bookmarks(&self, bookmarks: &[BookmarkName]) -> Result<(), ZfsError> {
        if let [first, _, ..] = bookmarks {
            let words: Vec<String> = bookmarks.iter().map(ToString::to_string).collect();
            if self.run_each(&verbs::destroy_bookmark_each(first, bookmarks.len()), 1, &words).await? {
                return Ok(());
            }
        }
        for bookmark in bookmarks {
            self.destroy_bookmark(bookmark).await?;
        }
        Ok(())
    }

    /// Destroys a bookmark. One that is gone is passed over.
    ///
    /// # Errors
    /// If it cannot be destroyed.
    pub async fn destroy_bookmark(&self, bookmark: &BookmarkName) -> Result<(), ZfsError> {
        let gone = |complaint: &Complaint| matches!(complaint, Complaint::DatasetMissing(_));
        self.run_unless(&verbs::destroy_bookmark(bookmark), gone).await.map(|_| ())
    }
}
