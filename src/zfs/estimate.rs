//! How much a stream would be.

use super::args::SendArgs;
use super::error::ZfsError;
use super::parse::Unreadable;
use super::{Zfs, verbs};

impl Zfs {
    /// How many bytes the stream would have, by `zfs send -nvP`: an estimate, a few percent off where
    /// blocks are compressed or embedded.
    ///
    /// # Errors
    /// If the stream cannot be sent, for example because its base is gone or its token is stale.
    pub async fn estimate(&self, stream: &SendArgs) -> Result<u64, ZfsError> {
        let command = verbs::estimate(stream);
        let answer = self.ask(&command).await?;
        if !answer.succeeded() {
            return Err(self.refused(&command, answer.exit, &answer.stderr));
        }
        // 2.x prints on standard output, some older releases on standard error.
        read(&answer.stdout).or_else(|| read(&answer.stderr)).ok_or_else(|| {
            let last = answer.stdout.lines().last().unwrap_or_default();
            self.unreadable(&command, Unreadable::new("no line with the size", last))
        })
    }
}

/// The line `size<tab>bytes`, the last one.
pub(super) fn read(text: &str) -> Option<u64> {
    text.lines().rev().find_map(|line| line.strip_prefix("size")?.trim().parse().ok())
}
