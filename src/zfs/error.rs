//! What can go wrong with a `zfs` command: what was attempted, on what, on which host, what came
//! back, and what to do about it.

use std::fmt;

use super::complaint::Complaint;
use crate::domain::exit::Exit;
use crate::host::HostError;

/// What was being done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The verb and its subject, to follow "could not": `destroy snapshot tank/a@x`.
    pub what: String,
    /// The host, as a person knows it.
    pub host: String,
    /// What `zfs allow` would have to grant, and on which dataset, for a user who is not root.
    pub needs: Option<Grant>,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {} on {}", self.what, self.host)
    }
}

/// Permissions to delegate (zfs-allow(8)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The user who runs the commands.
    pub user: String,
    /// Comma-separated permissions.
    pub permissions: &'static str,
    /// The dataset on which they are needed.
    pub dataset: String,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zfs allow -u {} {} {}", self.user, self.permissions, self.dataset)
    }
}

/// A `zfs` or `zpool` command that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ZfsError {
    /// The command ran and complained.
    #[error("{attempt}: {}{}", complaint.meaning(), said(stderr))]
    Refused {
        /// What was being done.
        attempt: Box<Attempt>,
        /// What it complained of.
        complaint: Complaint,
        /// Its exit.
        exit: Exit,
        /// Its own words.
        stderr: String,
    },
    /// There is no OpenZFS on the host.
    #[error("{host} has no zfs command in its PATH, nor in /usr/sbin, /sbin or /usr/local/sbin")]
    NotInstalled {
        /// The host.
        host: String,
    },
    /// The command could not be run, or its end was not seen.
    #[error("{attempt}")]
    Host {
        /// What was being done.
        attempt: Box<Attempt>,
        /// Why.
        #[source]
        source: Box<HostError>,
    },
    /// The command's output was not understood.
    #[error("{attempt}: its output was not understood: {why} in {line:?}")]
    Parse {
        /// What was being done.
        attempt: Box<Attempt>,
        /// What was wrong.
        why: String,
        /// The line.
        line: String,
    },
    /// The dataset or snapshot is not as it was when the decision was taken, so nothing was done.
    #[error("{attempt}: {why}")]
    Guarded {
        /// What was being done.
        attempt: Box<Attempt>,
        /// What stands against it.
        why: String,
    },
    /// Arguments that cannot be made into a command.
    #[error("{attempt}: {why}")]
    Arguments {
        /// What was being done.
        attempt: Box<Attempt>,
        /// What is wrong with them.
        why: String,
    },
}

fn said(stderr: &str) -> String {
    let text = stderr.trim();
    if text.is_empty() { String::new() } else { format!(" (zfs said: {text})") }
}

impl ZfsError {
    /// What the command complained of, if it ran and complained.
    pub fn complaint(&self) -> Option<&Complaint> {
        match self {
            Self::Refused { complaint, .. } => Some(complaint),
            _ => None,
        }
    }

    /// Whether the same command may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { complaint, .. } => complaint.is_transient(),
            Self::Host { source, .. } => source.is_transient(),
            _ => false,
        }
    }

    /// What a person can do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::Refused { attempt, complaint: Complaint::PermissionDenied, .. } => match &attempt.needs {
                Some(grant) => format!("As root on {}, run: {grant}", attempt.host),
                None => Complaint::PermissionDenied.advice().to_owned(),
            },
            Self::Refused { complaint, .. } => complaint.advice().to_owned(),
            Self::NotInstalled { .. } => {
                "Install OpenZFS there (Debian: zfsutils-linux and zfs-dkms), or name another host.".to_owned()
            }
            Self::Host { source, .. } => source.advice(),
            Self::Parse { .. } => {
                "This is a fault of Zerfaux, or an OpenZFS that it does not know: report it with the output of `zfs version`."
                    .to_owned()
            }
            Self::Guarded { .. } => "Look at the dataset, then plan again.".to_owned(),
            Self::Arguments { .. } => "Correct the name or value and try again.".to_owned(),
        }
    }
}

impl Complaint {
    /// Whether it may pass without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::ResumeStateLeft(_) | Self::StreamIncomplete)
    }

    /// What it means, in plain words.
    pub fn meaning(&self) -> &'static str {
        match self {
            Self::Busy => "it is busy",
            Self::DatasetMissing(_) => "there is no such dataset, snapshot or bookmark",
            Self::PoolMissing(_) => "there is no such pool, or it is not imported",
            Self::AlreadyExists => "something of that name exists",
            Self::DestinationExists => "the destination exists, and a full stream needs a new one",
            Self::DestinationModified => {
                "the destination was changed after the snapshot the stream builds on"
            }
            Self::NotTheBase => "the destination's newest snapshot is not the one the stream builds on",
            Self::IncrementalSourceMissing(_) => "the snapshot or bookmark that the stream builds on is gone",
            Self::NotAnEarlierSnapshot => "the base is not an earlier snapshot of the same dataset",
            Self::NoSpace => "the pool is full",
            Self::QuotaExceeded => "a quota is used up",
            Self::HasHolds => "a hold keeps the snapshot",
            Self::HasClones(_) => "clones depend on the snapshot",
            Self::HasChildren => "it has children or snapshots",
            Self::HoldExists => "the hold is there already",
            Self::HoldMissing => "there is no such hold",
            Self::ResumeStateLeft(_) => "the stream broke off; what arrived is kept and can be resumed",
            Self::StreamIncomplete => "the stream broke off, and what arrived was not kept",
            Self::NotAStream => "what arrived is not a ZFS stream",
            Self::PartialInTheWay => "an interrupted receive is waiting there to be resumed or aborted",
            Self::NothingToAbort => "there is no interrupted receive",
            Self::TokenStale => "what the resume token speaks of no longer exists",
            Self::TokenMismatch => "the resumed stream does not go with the interrupted receive",
            Self::TokenCorrupt => "the resume token cannot be read",
            Self::KeyUnavailable => "the encryption key is not loaded",
            Self::KeyWrong => "that is not the dataset's key",
            Self::KeyLoaded => "the key is loaded already",
            Self::KeyNotLoaded => "the key is not loaded",
            Self::NotAnEncryptionRoot => "the dataset has no key of its own",
            Self::EncryptionMismatch => "a raw and a plain stream cannot be mixed in one dataset",
            Self::PoolSuspended => "the pool has stopped because its disks fail",
            Self::IoError => "data could not be read or written",
            Self::PermissionDenied => "permission denied",
            Self::SudoPassword => "sudo asks for a password",
            Self::SudoRefused => "sudo does not allow this command",
            Self::CommandNotFound => "there is no such command",
            Self::ModuleNotLoaded => "the ZFS kernel module is not loaded",
            Self::PromoteConflict(_) => "the clone and its origin both have a snapshot of one name",
            Self::NotAClone => "it is not a clone",
            Self::AlreadyMounted => "it is mounted already",
            Self::NotMounted => "it is not mounted",
            Self::NotMountable => "its canmount or mountpoint says that it is not mounted",
            Self::WrongKind => "that does not apply to this kind of dataset",
            Self::BadProperty => "a property or its value is not accepted",
            Self::Unsupported => "this OpenZFS does not support it",
            Self::Unrecognised => "it failed",
        }
    }

    /// What a person can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Busy => "Find who uses it (fuser -vm, zfs holds, a receive under way) and try again.",
            Self::DatasetMissing(_) => "Check the name with `zfs list -t all`.",
            Self::PoolMissing(_) => "Check `zpool list`; import the pool if it is there (`zpool import`).",
            Self::AlreadyExists => "Choose another name, or look at what is there.",
            Self::DestinationExists => {
                "Nothing is overwritten: keep what is there under another name (zfs rename), or choose another \
                 destination."
            }
            Self::DestinationModified | Self::NotTheBase => {
                "Nothing is rolled back: plan again to see the choices (keep the changed copy under another name \
                 and seed anew, or roll back to the common snapshot by hand)."
            }
            Self::IncrementalSourceMissing(_) | Self::NotAnEarlierSnapshot => {
                "Plan again: another common snapshot or bookmark will be used, or a full stream."
            }
            Self::NoSpace => "Free space in the pool or add disks; retention may keep less.",
            Self::QuotaExceeded => "Raise the quota (zfs get quota,refquota) or free space under it.",
            Self::HasHolds => "See who holds it: zfs holds.",
            Self::HasClones(_) => "Destroy or promote the clones first, when they are no longer needed.",
            Self::HasChildren => "Nothing is destroyed recursively: look at what is below it.",
            Self::HoldExists | Self::HoldMissing | Self::NothingToAbort => "Nothing is to be done.",
            Self::KeyLoaded | Self::KeyNotLoaded | Self::AlreadyMounted | Self::NotMounted => {
                "Nothing is to be done."
            }
            Self::ResumeStateLeft(_) => "Run it again: it goes on where it broke off.",
            Self::StreamIncomplete => "Run it again.",
            Self::NotAStream => {
                "Look at what the sending side said; a login script that prints something also does this."
            }
            Self::PartialInTheWay => "Resume it, or abort it with `zfs receive -A`.",
            Self::TokenStale | Self::TokenMismatch | Self::TokenCorrupt => {
                "Abort the interrupted receive (zfs receive -A) and send a fresh increment; planning does that."
            }
            Self::KeyUnavailable => "Load the key (zfs load-key), or send raw.",
            Self::KeyWrong => "Use the key that the dataset was encrypted with.",
            Self::NotAnEncryptionRoot => "Use the dataset's encryption root (zfs get encryptionroot).",
            Self::EncryptionMismatch => {
                "Keep to raw streams for an encrypted dataset; a replica that was received plain is seeded anew \
                 beside the old one."
            }
            Self::PoolSuspended => "Look at `zpool status`, bring the disks back, then `zpool clear`.",
            Self::IoError => "Look at `zpool status -v` and the kernel's log.",
            Self::PermissionDenied => {
                "Connect as root, allow the user passwordless sudo for zfs and zpool, or delegate with zfs allow."
            }
            Self::SudoPassword | Self::SudoRefused => {
                "Allow it without a password: `USER ALL=(root) NOPASSWD: /usr/sbin/zfs, /usr/sbin/zpool` in a file \
                 under /etc/sudoers.d."
            }
            Self::CommandNotFound => "Install OpenZFS there.",
            Self::ModuleNotLoaded => "Load it with `modprobe zfs` (FreeBSD: kldload zfs).",
            Self::PromoteConflict(_) => "Rename or destroy the clone's snapshot of that name.",
            Self::NotMountable => "Set canmount and mountpoint if it is to be mounted.",
            Self::NotAClone | Self::WrongKind => "Look at the dataset: it is not what was expected.",
            Self::BadProperty => "Check the property in zfsprops(7) of the host's release.",
            Self::Unsupported => "Update OpenZFS there, or send without the newer flags.",
            Self::Unrecognised => "See what the command said; if it is unclear, report it.",
        }
    }
}
