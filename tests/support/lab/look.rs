//! Looks at what is there as a user would: files through a clone, lists through `zfs`.

use super::scene::Side;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// What stands under a path in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// SHA-256 of the content, in hex.
    File(String),
    /// Anything else: type (`d`, `l`, ...) and, of a symbolic link, where it points.
    Other(String),
}

/// A snapshot as `zfs list` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotSeen {
    /// After the `@`.
    pub tag: String,
    pub guid: u64,
}

impl Side {
    /// Everything in a snapshot (`data@s1`) of a filesystem, by path.
    ///
    /// Looked at through a read-only clone that is destroyed again: the dataset itself is never mounted for it.
    pub fn files(&self, snapshot: &str) -> BTreeMap<String, Entry> {
        let clone = self.clone_name();
        let answer = self.host.try_as(
            "root",
            &format!(
                "zfs clone -o readonly=on -o canmount=noauto -o mountpoint=/run/{clone} {snapshot} {dataset}
                 trap 'cd /; zfs destroy {dataset}; rmdir /run/{clone}' EXIT
                 zfs mount {dataset}
                 cd /run/{clone}
                 find . -mindepth 1 ! -type f -printf '%y %l\\0%P\\0'
                 find . -type f -printf '%P\\0' | xargs -0r sha256sum -z --",
                snapshot = self.word(snapshot),
                dataset = self.word(&clone),
                clone = clone.as_str(),
            ),
        );
        assert!(answer.status == 0, "cannot look into {}: {}", self.name(snapshot), answer.stderr);
        entries(&answer.stdout)
    }

    /// SHA-256 of a volume's snapshot, in hex, read through a clone.
    pub fn volume_hash(&self, snapshot: &str) -> String {
        let clone = self.clone_name();
        let dataset = self.word(&clone);
        let text = self.host.root(&format!(
            "zfs clone -o readonly=on {} {dataset}
             trap 'udevadm settle; zfs destroy {dataset}' EXIT
             udevadm settle
             sha256sum </dev/zvol/{dataset}",
            self.word(snapshot)
        ));
        text.split_whitespace().next().expect("sha256sum prints a hash").to_owned()
    }

    fn clone_name(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        format!("look-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
    }

    /// Snapshots of one dataset, oldest first. Empty when there are none; the dataset must exist.
    pub fn snapshots(&self, dataset: &str) -> Vec<SnapshotSeen> {
        let text = self
            .host
            .root(&format!("zfs list -Hp -d 1 -t snapshot -s createtxg -o name,guid {}", self.word(dataset)));
        let seen = |line: &str| {
            let (name, guid) = line.split_once('\t')?;
            Some(SnapshotSeen { tag: name.split_once('@')?.1.to_owned(), guid: guid.parse().ok()? })
        };
        text.lines().map(|line| seen(line).unwrap_or_else(|| panic!("no snapshot in {line:?}"))).collect()
    }

    /// The tags of [`Side::snapshots`].
    pub fn tags(&self, dataset: &str) -> Vec<String> {
        self.snapshots(dataset).into_iter().map(|snapshot| snapshot.tag).collect()
    }

    /// Everything below the root with its GUID: datasets, snapshots, bookmarks by full name. To be compared before
    /// and after: a case's proof that nothing was destroyed or replaced.
    pub fn inventory(&self) -> BTreeMap<String, u64> {
        let text = self.host.root(&format!(
            "zfs list -Hpr -t filesystem,volume,snapshot,bookmark -o name,guid {}",
            self.word(".")
        ));
        text.lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(name, guid)| (name.to_owned(), guid.parse().expect("a GUID is a number")))
            .collect()
    }

    /// Whether this dataset, snapshot or bookmark exists.
    pub fn exists(&self, relative: &str) -> bool {
        let answer = self.host.try_as("root", &format!("zfs list -H -t all -o name {}", self.word(relative)));
        let absent = answer.stderr.contains("does not exist") || answer.stderr.contains("could not find any");
        assert!(answer.status == 0 || absent, "cannot tell whether {relative} exists: {}", answer.stderr);
        answer.status == 0
    }

    /// Hold tags on a snapshot (`data@s1`), sorted.
    pub fn holds(&self, snapshot: &str) -> Vec<String> {
        let text = self.host.root(&format!("zfs holds -H {}", self.word(snapshot)));
        let mut tags: Vec<String> =
            text.lines().filter_map(|line| line.split('\t').nth(1)).map(str::to_owned).collect();
        tags.sort();
        tags
    }

    /// A property's value in exact figures; `-` where it does not apply.
    pub fn property(&self, relative: &str, property: &str) -> String {
        self.host
            .root(&format!("zfs get -Hp -o value {property} {}", self.word(relative)))
            .trim_end()
            .to_owned()
    }

    /// User properties (those with a colon in their name): value and source (`local`, `received`, `inherited from ..`).
    pub fn user_properties(&self, relative: &str) -> BTreeMap<String, (String, String)> {
        let text =
            self.host.root(&format!("zfs get -Hp -o property,value,source all {}", self.word(relative)));
        text.lines()
            .filter_map(|line| {
                let mut fields = line.split('\t');
                let (name, value, source) = (fields.next()?, fields.next()?, fields.next()?);
                name.contains(':').then(|| (name.to_owned(), (value.to_owned(), source.to_owned())))
            })
            .collect()
    }

    /// The token by which a broken receive can go on, if there is one.
    pub fn resume_token(&self, dataset: &str) -> Option<String> {
        Some(self.property(dataset, "receive_resume_token")).filter(|token| token != "-")
    }
}

fn entries(output: &[u8]) -> BTreeMap<String, Entry> {
    let text = String::from_utf8_lossy(output);
    let mut entries = BTreeMap::new();
    let mut fields = text.split_terminator('\0');
    while let Some(field) = fields.next() {
        match field.split_once("  ") {
            Some((hash, path)) if hash.len() == 64 => {
                entries.insert(path.to_owned(), Entry::File(hash.to_owned()))
            }
            _ => {
                let path = fields.next().expect("every kind is followed by a path");
                entries.insert(path.to_owned(), Entry::Other(field.trim_end().to_owned()))
            }
        };
    }
    entries
}
