//! What to send and how to receive it, checked when built: who holds one of these holds arguments
//! that `zfs` takes and that destroy nothing.
//!
//! There is no way to say `-F` (zfs-receive(8): roll back and destroy what is newer).

use crate::domain::dataset::{Base, DatasetKind};
use crate::domain::names::{DatasetName, SnapTag, SnapshotName};

use super::property::{Property, PropertyName, ResumeToken};

/// How blocks travel (zfs-send(8)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendFlags {
    /// `-L`: blocks larger than 128 KiB as they are. Once a base was sent without it, later streams
    /// have to go without it too, or the files' blocks are split in one and not in the other.
    pub large_blocks: bool,
    /// `-e`: blocks so small that they live in their pointer, as they are.
    pub embedded: bool,
    /// `-c`: compressed blocks as they are on disk.
    pub compressed: bool,
    /// `-w`: everything as it is on disk; an encrypted dataset stays encrypted and needs no key.
    pub raw: bool,
}

impl SendFlags {
    /// `-L -e -c`, for two ends that know them (OpenZFS 0.8 and later).
    pub const MODERN: Self = Self { large_blocks: true, embedded: true, compressed: true, raw: false };

    /// The same, raw. `-w` implies the others for encrypted datasets (zfs-send(8)).
    #[must_use]
    pub fn with_raw(self) -> Self {
        Self { raw: true, ..self }
    }

    /// The same without `-e`: a dataset that encrypts what it receives refuses embedded blocks.
    #[must_use]
    pub fn without_embedded(self) -> Self {
        Self { embedded: false, ..self }
    }

    fn words(self) -> impl Iterator<Item = &'static str> {
        [("-L", self.large_blocks), ("-e", self.embedded), ("-c", self.compressed), ("-w", self.raw)]
            .into_iter()
            .filter_map(|(word, wanted)| wanted.then_some(word))
    }
}

/// Why arguments do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgsError {
    /// `zfs send -I` refuses a bookmark.
    #[error(
        "the snapshots between bookmark #{base} and @{to} of {dataset} cannot be sent in one stream: \
         send -i from the bookmark first, then -I from the snapshot that arrived"
    )]
    IntermediatesFromBookmark {
        /// The dataset.
        dataset: DatasetName,
        /// The bookmark.
        base: SnapTag,
        /// The snapshot to be sent.
        to: SnapTag,
    },
    /// Base and target are one snapshot.
    #[error("{to} cannot be sent as an increment on itself")]
    SameSnapshot {
        /// The snapshot to be sent.
        to: SnapshotName,
    },
    /// A property that a receive of Zerfaux does not set.
    #[error("property {name} is not set while receiving into {into}: {why}")]
    Property {
        /// The property.
        name: String,
        /// The dataset to be received.
        into: DatasetName,
        /// The reason.
        why: &'static str,
    },
}

/// A stream to produce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendArgs {
    stream: Stream,
    flags: SendFlags,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stream {
    Full { to: SnapshotName },
    Incremental { from: Base, to: SnapshotName, intermediates: bool },
    Resume { token: ResumeToken },
}

impl SendArgs {
    /// Everything in `to`.
    pub fn full(to: SnapshotName, flags: SendFlags) -> Self {
        Self { stream: Stream::Full { to }, flags }
    }

    /// What changed from `from` to `to`; with `intermediates` each snapshot between them as well.
    ///
    /// # Errors
    /// If intermediates are wanted from a bookmark, or base and target are the same snapshot.
    pub fn incremental(
        from: Base,
        to: SnapshotName,
        intermediates: bool,
        flags: SendFlags,
    ) -> Result<Self, ArgsError> {
        match &from {
            Base::Bookmark(base) if intermediates => {
                let (dataset, to) = (to.dataset().clone(), to.tag().clone());
                return Err(ArgsError::IntermediatesFromBookmark { dataset, base: base.clone(), to });
            }
            Base::Snapshot(base) if base == to.tag() => return Err(ArgsError::SameSnapshot { to }),
            _ => {}
        }
        Ok(Self { stream: Stream::Incremental { from, to, intermediates }, flags })
    }

    /// The rest of a stream that broke off. What is sent, and with which flags, is in the token.
    pub fn resume(token: ResumeToken) -> Self {
        Self { stream: Stream::Resume { token }, flags: SendFlags::default() }
    }

    /// The snapshot that is sent; none for a resumed stream, whose token knows.
    pub fn to(&self) -> Option<&SnapshotName> {
        match &self.stream {
            Stream::Full { to } | Stream::Incremental { to, .. } => Some(to),
            Stream::Resume { .. } => None,
        }
    }

    /// What is sent, for a person.
    pub fn describe(&self) -> String {
        match &self.stream {
            Stream::Full { to } => to.to_string(),
            Stream::Incremental { from, to, intermediates: false } => format!("{to} since {}", from.word()),
            Stream::Incremental { from, to, intermediates: true } => {
                format!("{to} and the snapshots before it, since {}", from.word())
            }
            Stream::Resume { .. } => "the rest of an interrupted stream".to_owned(),
        }
    }

    /// The words after `zfs send`.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        words.extend(self.flags.words().map(str::to_owned));
        match &self.stream {
            Stream::Full { to } => words.push(to.to_string()),
            Stream::Incremental { from, to, intermediates } => {
                let how = if *intermediates { "-I" } else { "-i" };
                words.extend([how.to_owned(), from.word(), to.to_string()]);
            }
            Stream::Resume { token } => words.extend(["-t".to_owned(), token.to_string()]),
        }
        words
    }
}

/// A receive to run: unmounted (`-u`), and never with `-F`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiveArgs {
    into: DatasetName,
    resumable: bool,
    set: Vec<Property>,
    exclude: Vec<PropertyName>,
}

impl ReceiveArgs {
    /// Into a replica: read-only, not mounted by itself, not shared, no mount point of its own; what
    /// breaks off can be resumed (`-s`). A volume has none of these properties but `readonly`.
    pub fn replica(into: DatasetName, kind: DatasetKind) -> Self {
        let mut set = vec![Property::fixed("readonly", "on")];
        let mut exclude = Vec::new();
        if kind == DatasetKind::Filesystem {
            set.push(Property::fixed("canmount", "noauto"));
            set.push(Property::fixed("sharenfs", "off"));
            set.push(Property::fixed("atime", "off"));
            exclude.push(PropertyName::fixed("mountpoint"));
        }
        Self { into, resumable: true, set, exclude }
    }

    /// The same receive that keeps nothing when it breaks off.
    #[must_use]
    pub fn not_resumable(self) -> Self {
        Self { resumable: false, ..self }
    }

    /// The same receive which also sets `property` (`-o`), in place of what was said of it before.
    ///
    /// # Errors
    /// If the property belongs to encryption, which a stream brings with it, or if it is `origin`.
    pub fn with(mut self, property: Property) -> Result<Self, ArgsError> {
        let refuse = |why| {
            Err(ArgsError::Property { name: property.name().to_string(), into: self.into.clone(), why })
        };
        if property.name().is_of_encryption() {
            return refuse("a raw stream brings its own encryption");
        }
        if property.name().as_str() == "origin" {
            return refuse("a replica is not received as a clone");
        }
        self.set.retain(|other| other.name() != property.name());
        self.exclude.retain(|other| other != property.name());
        self.set.push(property);
        Ok(self)
    }

    /// The dataset that is received into.
    pub fn into(&self) -> &DatasetName {
        &self.into
    }

    /// Whether an interrupted receive can be resumed.
    pub fn is_resumable(&self) -> bool {
        self.resumable
    }

    /// The properties that it sets.
    pub fn properties(&self) -> &[Property] {
        &self.set
    }

    /// The words after `zfs receive`.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = vec!["-u".to_owned()];
        if self.resumable {
            words.push("-s".to_owned());
        }
        for property in &self.set {
            words.extend(["-o".to_owned(), property.to_string()]);
        }
        for name in &self.exclude {
            words.extend(["-x".to_owned(), name.to_string()]);
        }
        words.push(self.into.to_string());
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> SnapshotName {
        text.parse().unwrap()
    }

    fn tag(text: &str) -> SnapTag {
        text.parse().unwrap()
    }

    #[test]
    fn a_send_is_written_as_zfs_takes_it() {
        let full = SendArgs::full(snapshot("tank/a@s1"), SendFlags::MODERN);
        assert_eq!(full.words(), ["-L", "-e", "-c", "tank/a@s1"]);
        let raw = SendArgs::full(snapshot("tank/a@s1"), SendFlags::default().with_raw());
        assert_eq!(raw.words(), ["-w", "tank/a@s1"]);
        let flags = SendFlags::default();
        let from = Base::Snapshot(tag("s1"));
        let between = SendArgs::incremental(from, snapshot("tank/a@s3"), true, flags).unwrap();
        assert_eq!(between.words(), ["-I", "@s1", "tank/a@s3"]);
        let from = Base::Bookmark(tag("s1"));
        let cursor = SendArgs::incremental(from, snapshot("tank/a@s3"), false, flags).unwrap();
        assert_eq!(cursor.words(), ["-i", "#s1", "tank/a@s3"]);
        let rest = SendArgs::resume("1-c7f2ae-f8-789c".parse().unwrap());
        assert_eq!(rest.words(), ["-t", "1-c7f2ae-f8-789c"]);
    }

    #[test]
    fn intermediates_from_a_bookmark_and_an_increment_on_itself_are_refused() {
        let to = || snapshot("tank/a@s3");
        let flags = SendFlags::MODERN;
        assert!(matches!(
            SendArgs::incremental(Base::Bookmark(tag("s1")), to(), true, flags),
            Err(ArgsError::IntermediatesFromBookmark { .. })
        ));
        assert!(matches!(
            SendArgs::incremental(Base::Snapshot(tag("s3")), to(), false, flags),
            Err(ArgsError::SameSnapshot { .. })
        ));
        // A bookmark may bear its snapshot's name.
        assert!(SendArgs::incremental(Base::Bookmark(tag("s3")), to(), false, flags).is_ok());
    }

    #[test]
    fn a_replica_is_received_unmounted_read_only_and_unshared() {
        let into: DatasetName = "tank/r".parse().unwrap();
        let words = ReceiveArgs::replica(into.clone(), DatasetKind::Filesystem).words();
        let line =
            "-u -s -o readonly=on -o canmount=noauto -o sharenfs=off -o atime=off -x mountpoint tank/r";
        assert_eq!(words.join(" "), line);
        let words = ReceiveArgs::replica(into, DatasetKind::Volume).not_resumable().words();
        assert_eq!(words.join(" "), "-u -o readonly=on tank/r");
    }

    #[test]
    fn encryption_and_origin_cannot_be_set_while_receiving() {
        for name in ["encryption", "keylocation", "keyformat", "pbkdf2iters", "origin"] {
            let args = ReceiveArgs::replica("tank/r".parse().unwrap(), DatasetKind::Filesystem);
            assert!(args.with(Property::new(name, "x").unwrap()).is_err(), "{name} was accepted");
        }
        let args = ReceiveArgs::replica("tank/r".parse().unwrap(), DatasetKind::Filesystem);
        let args = args.with(Property::new("mountpoint", "none").unwrap()).unwrap();
        assert!(args.words().join(" ").ends_with("-o atime=off -o mountpoint=none tank/r"));
    }
}
