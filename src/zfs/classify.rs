//! What `zfs` and `zpool` say on standard error, told apart.
//!
//! The texts are those of OpenZFS 2.3.2, recorded in `tests/golden`; where an older release words it
//! differently and that is known, both are matched. The commands run with `LC_ALL=C`.

use super::complaint::Complaint;
use super::property::ResumeToken;

/// Tells what `stderr` complains of. Of several complaints in one text the one that explains most
/// counts: the order of the rules below.
pub fn classify(stderr: &str) -> Complaint {
    let text = Text { whole: stderr, bare: without_quoted(stderr) };
    from_the_stream(&text)
        .or_else(|| from_the_system(&text))
        .or_else(|| from_encryption(&text))
        .or_else(|| from_what_is_there(&text))
        .or_else(|| from_what_is_missing(&text))
        .unwrap_or(Complaint::Unrecognised)
}

/// What was said, and the same without names, so that a dataset called `out of space` misleads nobody.
struct Text<'a> {
    whole: &'a str,
    bare: String,
}

/// `text` without what stands in single quotes. The apostrophe of `it's` opens none.
fn without_quoted(text: &str) -> String {
    let mut bare = String::new();
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        while let Some(start) = rest.find('\'') {
            let (before, after) = rest.split_at(start);
            let opens = !before.ends_with(|c: char| c.is_ascii_alphanumeric());
            let end = if opens { after[1..].find('\'') } else { None };
            let kept = end.map_or(1, |_| 0);
            bare.push_str(before);
            bare.push_str(&after[..kept]);
            rest = &after[end.map_or(1, |end| end + 2)..];
        }
        bare.push_str(rest);
    }
    bare
}

/// The complaints of a command on several names, which prints a line for each. The help that `zfs`
/// prints after some of them (`usage: …`) is left out.
pub(super) fn each_line(stderr: &str) -> Vec<Complaint> {
    stderr
        .lines()
        .take_while(|line| !line.starts_with("usage:"))
        // The second is what `zfs holds` adds when none of its snapshots exist.
        .filter(|line| !line.trim().is_empty() && *line != "no datasets available")
        .map(classify)
        .collect()
}

/// The snapshots that `zfs release` says have no such hold.
pub(super) fn missing_tag_on(stderr: &str) -> Vec<String> {
    let lines = stderr.lines().filter(|line| line.contains("no such tag on this dataset"));
    lines.filter_map(|line| quoted_after(line, "cannot release hold from snapshot")).collect()
}

/// The properties that a receive which succeeded could not set (`cannot receive readonly property on
/// tank/r: permission denied`): OpenZFS then exits 0 all the same.
pub fn properties_not_received(stderr: &str) -> Vec<String> {
    let property = |line: &str| {
        let rest = line.trim().strip_prefix("cannot receive ")?;
        let (name, _) = rest.split_once(" property on ")?;
        Some(name.to_owned())
    };
    stderr.lines().filter_map(property).collect()
}

fn has(text: &Text<'_>, needles: &[&str]) -> bool {
    needles.iter().any(|needle| text.bare.contains(needle))
}

/// The first text in single quotes after `before`.
fn quoted_after(text: &str, before: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    let (_, rest) = rest.split_once('\'')?;
    rest.split_once('\'').map(|(name, _)| name.to_owned())
}

/// What only `send` and `receive` say.
fn from_the_stream(text: &Text<'_>) -> Option<Complaint> {
    let found = if has(text, &["Partially received snapshot is saved", "A resuming stream can be generated"])
    {
        Complaint::ResumeStateLeft(token_in(text.whole))
    } else if has(
        text,
        &["used in the initial send no longer exists", "cannot resume send: Invalid cross-device"],
    ) || text.bare.contains("cannot resume send") && text.bare.contains("does not exist")
    {
        Complaint::TokenStale
    } else if has(text, &["resume token is corrupt", "unable to read resume token"]) {
        Complaint::TokenCorrupt
    } else if text.bare.contains("contains partially-complete state") {
        Complaint::PartialInTheWay
    } else if has(text, &["does not have any resumable receive state"]) {
        Complaint::NothingToAbort
    } else if has(
        text,
        &[
            "cannot receive resume stream: kernel modules must be upgraded",
            "cannot receive resume stream: incompatible embedded data stream feature",
        ],
    ) {
        // On 2.3.2 this is what a resumed stream meets that does not begin where the interrupted one ended: its
        // token is another dataset's, or the receive has gone on since. Which of the two texts it is depends on
        // nothing but whether the stream may hold embedded blocks.
        Complaint::TokenMismatch
    } else if text.bare.contains("cannot resume send") {
        Complaint::TokenStale
    } else if text.bare.contains("has been modified") {
        Complaint::DestinationModified
    } else if has(text, &["match incremental source"]) {
        Complaint::NotTheBase
    } else if has(text, &["not an earlier snapshot from the same fs"]) {
        Complaint::NotAnEarlierSnapshot
    } else if text.bare.contains("incremental source") && text.bare.contains("does not exist") {
        Complaint::IncrementalSourceMissing(in_parentheses_after(text.whole, "incremental source"))
    } else if text.bare.contains("cannot send") && text.bare.contains("No such process") {
        // What a dry run (`zfs send -n`) says of a bookmark that is not there.
        Complaint::IncrementalSourceMissing(None)
    } else if has(text, &["must specify -F to overwrite it"]) {
        Complaint::DestinationExists
    } else if has(text, &["failed to read from stream", "invalid stream", "invalid backup stream"]) {
        Complaint::NotAStream
    } else {
        return None;
    };
    Some(found)
}

fn in_parentheses_after(text: &str, before: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    let (_, rest) = rest.split_once('(')?;
    rest.split_once(')').map(|(name, _)| name.to_owned())
}

fn token_in(text: &str) -> Option<ResumeToken> {
    let (_, rest) = text.split_once("zfs send -t")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// What the machine says, whatever was asked of it.
fn from_the_system(text: &Text<'_>) -> Option<Complaint> {
    let found = if has(text, &["a password is required", "a terminal is required to read the password"]) {
        Complaint::SudoPassword
    } else if text.bare.contains("sudo:")
        && has(text, &["not allowed to", "may not run", "not in the sudoers"])
    {
        Complaint::SudoRefused
    } else if has(text, &["/dev/zfs and /proc/self/mounts", "ZFS modules", "Failed to load ZFS module"])
        || text.bare.contains("/dev/zfs") && has(text, &["No such file", "does not exist"])
        || text.bare.contains("The ZFS modules cannot be auto-loaded")
    {
        Complaint::ModuleNotLoaded
    } else if has(text, &["command not found", ": not found"])
        || text.bare.lines().any(|line| line.starts_with("env: ") && line.contains("No such file"))
    {
        Complaint::CommandNotFound
    } else if has(text, &["is suspended", "currently suspended", "pool I/O is currently suspended"]) {
        Complaint::PoolSuspended
    } else if has(text, &["I/O error", "Input/output error"]) {
        Complaint::IoError
    } else if has(text, &["out of space", "No space left on device"]) {
        Complaint::NoSpace
    } else if has(text, &["quota exceeded", "Disk quota exceeded", "Disc quota exceeded"]) {
        Complaint::QuotaExceeded
    } else if has(text, &["ermission denied", "must be run as root"]) {
        Complaint::PermissionDenied
    } else {
        return None;
    };
    Some(found)
}

fn from_encryption(text: &Text<'_>) -> Option<Complaint> {
    let found = if has(text, &["Key already loaded"]) {
        Complaint::KeyLoaded
    } else if has(text, &["Key already unloaded"]) {
        Complaint::KeyNotLoaded
    } else if has(text, &["Incorrect key provided"]) {
        Complaint::KeyWrong
    } else if has(text, &["is not encrypted.", "Keys must be loaded for encryption root"]) {
        Complaint::NotAnEncryptionRoot
    } else if has(text, &["key must be loaded", "encryption key not loaded", "Key load error"]) {
        Complaint::KeyUnavailable
    } else if has(
        text,
        &[
            "IV set guid m",
            "on top of existing unencrypted",
            "top of existing encrypted",
            "does not have encryption",
            "zfs receive -F cannot be used to destroy an encrypted",
            "raw receive",
        ],
    ) {
        Complaint::EncryptionMismatch
    } else {
        return None;
    };
    Some(found)
}

fn from_what_is_there(text: &Text<'_>) -> Option<Complaint> {
    let found = if has(text, &["tag already exists"]) {
        Complaint::HoldExists
    } else if has(text, &["no such tag on this dataset"]) {
        Complaint::HoldMissing
    } else if has(text, &["it's being held", "snapshot is held"]) {
        Complaint::HasHolds
    } else if has(text, &["has dependent clones"]) {
        Complaint::HasClones(listed_after_hint(text.whole))
    } else if has(text, &["has children", "has snapshots"]) {
        Complaint::HasChildren
    } else if has(text, &["conflicting snapshot"]) {
        Complaint::PromoteConflict(quoted_after(text.whole, "conflicting snapshot"))
    } else if has(text, &["not a cloned filesystem"]) {
        Complaint::NotAClone
    } else if has(text, &["already mounted"]) {
        Complaint::AlreadyMounted
    } else if has(text, &["cannot mount"])
        && has(text, &["property is set to", "no mountpoint set", "legacy mountpoint"])
    {
        Complaint::NotMountable
    } else if has(text, &["not currently mounted"]) {
        Complaint::NotMounted
    } else if has(text, &["is busy"]) {
        Complaint::Busy
    } else if has(text, &["already exists", "bookmark exists"]) {
        Complaint::AlreadyExists
    } else if has(text, &["not apply to datasets of this type", "not applicable to datasets of this type"]) {
        Complaint::WrongKind
    } else {
        return None;
    };
    Some(found)
}

/// After `use '-R' to destroy the following datasets:` comes one name per line.
fn listed_after_hint(text: &str) -> Vec<String> {
    text.lines()
        .skip_while(|line| !line.contains("to destroy the following datasets"))
        .skip(1)
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

fn from_what_is_missing(text: &Text<'_>) -> Option<Complaint> {
    let found = if has(text, &["no such pool"]) {
        let pool =
            quoted_after(text.whole, "no such pool").or_else(|| quoted_after(text.whole, "cannot open"));
        Complaint::PoolMissing(pool)
    } else if has(text, &["could not find any snapshots to destroy", "parent does not exist"]) {
        Complaint::DatasetMissing(None)
    } else if has(text, &["does not exist", "no longer exists"]) {
        let name = quoted_after(text.whole, "cannot open").or_else(|| quoted_after(text.whole, "cannot"));
        Complaint::DatasetMissing(name.or_else(|| quoted_after(text.whole, "bookmark")))
    } else if has(
        text,
        &["must be one of", "invalid property", "bad property", "is readonly", "cannot be set"],
    ) {
        Complaint::BadProperty
    } else if has(text, &["must be upgraded", "has unsupported feature", "feature is not", "not supported"]) {
        Complaint::Unsupported
    } else if has(text, &["incomplete stream", "checksum mismatch"]) {
        Complaint::StreamIncomplete
    } else {
        return None;
    };
    Some(found)
}
