//! What `zfs` and `zpool` can complain of. What it means and what to do about it is in `error`; how it is
//! recognised, in `classify`.

use super::property::ResumeToken;

/// What `zfs`, `zpool`, `sudo` or the shell complained of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// The dataset is mounted and in use, or another operation holds it.
    Busy,
    /// There is no such dataset, snapshot or bookmark; its name if it was given.
    DatasetMissing(Option<String>),
    /// There is no such pool, or it is not imported; its name if it was given.
    PoolMissing(Option<String>),
    /// Something of that name is there already.
    AlreadyExists,
    /// A full stream was sent to a dataset that is there already.
    DestinationExists,
    /// The destination was written to after the base of the stream.
    DestinationModified,
    /// The newest snapshot of the destination is not the base of the stream.
    NotTheBase,
    /// The base of an increment is not there (any more).
    IncrementalSourceMissing(Option<String>),
    /// The base is not an earlier snapshot of the same dataset.
    NotAnEarlierSnapshot,
    /// The pool is full.
    NoSpace,
    /// A quota is used up.
    QuotaExceeded,
    /// A hold keeps the snapshot.
    HasHolds,
    /// Clones keep the snapshot; their names.
    HasClones(Vec<String>),
    /// Datasets or snapshots below keep the dataset.
    HasChildren,
    /// The hold is there already.
    HoldExists,
    /// There is no such hold.
    HoldMissing,
    /// The stream broke off and what came is kept: it can be resumed with this token.
    ResumeStateLeft(Option<ResumeToken>),
    /// The stream broke off and nothing is kept.
    StreamIncomplete,
    /// What came was no stream.
    NotAStream,
    /// A partial receive stands in the way of another stream.
    PartialInTheWay,
    /// There is no partial receive to abort.
    NothingToAbort,
    /// What the token speaks of is no longer there.
    TokenStale,
    /// The token does not go with the partial receive.
    TokenMismatch,
    /// The token cannot be read.
    TokenCorrupt,
    /// A key is not loaded.
    KeyUnavailable,
    /// The key is not the right one.
    KeyWrong,
    /// The key is loaded already.
    KeyLoaded,
    /// The key is not loaded (when unloading).
    KeyNotLoaded,
    /// The dataset is not encrypted, or is not the root of its encryption.
    NotAnEncryptionRoot,
    /// Raw and plain streams, or encrypted and plain datasets, were mixed.
    EncryptionMismatch,
    /// The pool has stopped I/O.
    PoolSuspended,
    /// Data could not be read or written.
    IoError,
    /// The user may not do that.
    PermissionDenied,
    /// `sudo` asks for a password.
    SudoPassword,
    /// `sudo` does not let the user run this command.
    SudoRefused,
    /// There is no such command.
    CommandNotFound,
    /// The kernel module is not loaded.
    ModuleNotLoaded,
    /// A snapshot of the clone has the name of one that it would take over.
    PromoteConflict(Option<String>),
    /// It is not a clone.
    NotAClone,
    /// It is mounted already.
    AlreadyMounted,
    /// It is not mounted.
    NotMounted,
    /// Its `canmount` or `mountpoint` says that it is not mounted.
    NotMountable,
    /// It does not apply to this kind of dataset.
    WrongKind,
    /// A property or its value is not accepted.
    BadProperty,
    /// The receiving OpenZFS is too old for what is in the stream, or the pool lacks a feature.
    Unsupported,
    /// Something else; see the text.
    Unrecognised,
}
