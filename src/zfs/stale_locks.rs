//! Lock files that hosts left in what was cloned: `.lck-…` beside each open file of an NFS datastore, `….lck` elsewhere. A
//! clone of a running virtual machine has those of the host that ran it, which nobody will ever let go of.

use super::Zfs;
use super::error::ZfsError;

impl Zfs {
    /// The lock files below `root`, a directory, in its own file system only.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn stale_locks(&self, root: &str) -> Result<Vec<String>, ZfsError> {
        let mut found = Vec::new();
        for pattern in [".lck-*", "*.lck"] {
            let words = ["find", root, "-xdev", "-type", "f", "-name", pattern, "-print0"];
            let listed = self.plain(&words, &format!("look for lock files in {root}")).await?;
            let below = format!("{}/", root.trim_end_matches('/'));
            found.extend(listed.split('\0').filter(|path| path.starts_with(&below)).map(str::to_owned));
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// Removes such files; one that is gone is passed over.
    ///
    /// # Errors
    /// If the user may not. Those before it are gone then.
    pub async fn remove_stale_locks(&self, found: &[String]) -> Result<(), ZfsError> {
        // One at a time: what the preparation script lets a user remove is a pattern that one path fits.
        for path in found {
            self.privileged(&["rm", "-f", "--", path], &format!("remove the stale lock file {path}")).await?;
        }
        Ok(())
    }
}
