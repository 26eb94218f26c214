//! Files by absolute path: which dataset a path leads into, or the machine's own disk, and what is done there.

use std::sync::Arc;

use super::names::{Errno, NOT_THERE, READ_ONLY};
use super::object::{Kind, Meta};
use super::tree::{Key, Tree};
use super::{State, Target};

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A file in a dataset, or in a snapshot of it.
    Inside {
        dataset: String,
        tag: Option<String>,
        path: String,
    },
    /// A file of the machine's own, without the first `/`.
    Plain(String),
    /// A disk or a partition of it.
    Device(String),
    Nowhere,
}

/// A tree, and where in it.
pub(crate) struct Found<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) key: Key,
    pub(crate) path: String,
}

/// What stat(2) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) kind: Kind,
    pub(crate) length: u64,
    pub(crate) allocated: u64,
    pub(crate) meta: Meta,
    /// The same for every name of a file.
    pub(crate) number: u64,
    pub(crate) links: usize,
}

/// An absolute path without `//`, `.`, `..` and the last `/`.
pub(crate) fn tidy(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// What lies below `above` in `path`; both tidy.
pub(crate) fn inside<'a>(path: &'a str, above: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(above.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
}

impl State {
    /// Where a mounted dataset is; none if it is not, or its key is not loaded.
    pub(crate) fn mounted_at(&self, name: &str) -> Option<String> {
        let dataset = self.datasets.get(name).filter(|found| found.mounted && !found.is_locked())?;
        let (point, _) =
            self.property(Target::Dataset(name), "mountpoint").filter(|_| !dataset.is_volume())?;
        point.starts_with('/').then(|| tidy(&point))
    }

    /// Every mounted dataset with its mount point.
    pub(crate) fn mounts(&self) -> Vec<(String, String)> {
        let mounted = self.datasets.keys().filter_map(|name| Some((name.clone(), self.mounted_at(name)?)));
        mounted.collect()
    }

    /// The mounted dataset whose mount point is nearest above a path, a volume's device, or the machine's own disk.
    pub(crate) fn locate(&self, path: &str) -> Place {
        if path.is_empty() {
            return Place::Nowhere;
        }
        let path = tidy(path);
        if let Some(name) = path.strip_prefix("/dev/zvol/") {
            let volume = self.datasets.get(name).is_some_and(|dataset| dataset.is_volume());
            let inside = || Place::Inside { dataset: name.to_owned(), tag: None, path: String::new() };
            return if volume { inside() } else { Place::Nowhere };
        }
        if path.starts_with("/dev/") {
            return self.device(&path).map_or(Place::Nowhere, Place::Device);
        }
        let mounts = self.mounts().into_iter();
        let above = mounts.filter_map(|(name, point)| Some((inside(&path, &point)?.to_owned(), point, name)));
        let Some((rest, _, dataset)) = above.max_by_key(|(_, point, _)| point.len()) else {
            return Place::Plain(path.trim_start_matches('/').to_owned());
        };
        match rest.strip_prefix(".zfs/snapshot/") {
            Some(rest) => {
                let (tag, path) = rest.split_once('/').unwrap_or((rest, ""));
                Place::Inside { dataset, tag: Some(tag.to_owned()), path: path.to_owned() }
            }
            None => Place::Inside { dataset, tag: None, path: rest },
        }
    }

    /// The tree that a path leads into, whether there is something or not.
    pub(crate) fn seek(&self, path: &str) -> Option<Found<'_>> {
        match self.locate(path) {
            Place::Inside { dataset, tag, path } => {
                let found = self.datasets.get(&dataset)?;
                let tree = match &tag {
                    Some(tag) => &found.snapshot(tag)?.tree,
                    None => &found.head,
                };
                Some(Found { tree, key: found.key(), path })
            }
            Place::Plain(path) => Some(Found { tree: &self.own, key: None, path }),
            Place::Device(_) | Place::Nowhere => None,
        }
    }

    /// What is there; links are not followed.
    pub(crate) fn look(&self, path: &str) -> Option<Seen> {
        let found = self.seek(path)?;
        match found.tree.object(&found.path) {
            Some(object) => Some(Seen {
                kind: object.kind.clone(),
                length: object.length,
                allocated: object.allocated(),
                meta: object.meta.clone(),
                number: found.tree.names.get(&found.path).copied().unwrap_or(0),
                links: found.tree.links(&found.path),
            }),
            // A place that only exists because something is mounted there, or the top of a file system.
            None if found.path.is_empty() || self.is_above_a_mount(path) => Some(Seen {
                kind: Kind::Directory,
                length: 0,
                allocated: 0,
                meta: Meta { modified: (0, 0), ..Meta::new(0o755) },
                number: 1,
                links: 1,
            }),
            None => None,
        }
    }

    fn is_above_a_mount(&self, path: &str) -> bool {
        let path = tidy(path);
        self.mounts().iter().any(|(_, point)| inside(point, &path).is_some())
    }

    /// Whether something is mounted exactly there.
    pub(crate) fn is_mount_point(&self, path: &str) -> bool {
        let path = tidy(path);
        self.mounts().iter().any(|(_, point)| *point == path)
    }

    /// The path with a symbolic link at its end followed.
    pub(crate) fn follow(&self, path: &str) -> String {
        let mut path = tidy(path);
        for _ in 0..8 {
            let Some(Seen { kind: Kind::Link(target), .. }) = self.look(&path) else { break };
            let above = path.rsplit_once('/').map_or("", |(above, _)| above);
            path = if target.starts_with('/') { tidy(&target) } else { tidy(&format!("{above}/{target}")) };
        }
        path
    }

    /// The names in a directory, sorted; with everything below them if `deep`, other file systems included.
    pub(crate) fn list(&self, path: &str, deep: bool) -> Vec<String> {
        let path = tidy(path);
        let Some(found) = self.seek(&path) else { return Vec::new() };
        let start = if found.path.is_empty() { 0 } else { found.path.len() + 1 };
        let own = found.tree.below(&found.path, deep).map(|(name, _)| name[start..].to_owned());
        let mut names: Vec<String> = own.filter(|name| !name.is_empty()).collect();
        for (_, point) in self.mounts() {
            let Some(rest) = inside(&point, &path).filter(|rest| !rest.is_empty()) else { continue };
            if deep {
                names.push(rest.to_owned());
                let other = self.seek(&point).into_iter();
                names.extend(other.flat_map(|found| {
                    found
                        .tree
                        .names
                        .keys()
                        .filter(|name| !name.is_empty())
                        .map(|name| format!("{rest}/{name}"))
                }));
            } else {
                names.push(rest.split('/').next().unwrap_or(rest).to_owned());
            }
        }
        names.sort();
        names.dedup();
        names
    }

    /// At most `count` bytes of a file from `offset` on; links are followed.
    pub(crate) fn read_at(&self, path: &str, offset: u64, count: u64) -> Result<Vec<u8>, Errno> {
        let found = self.seek(&self.follow(path)).ok_or(NOT_THERE)?;
        match found.tree.object(&found.path) {
            Some(object) if object.is_directory() => Err(super::names::IS_A_DIRECTORY),
            None if found.path.is_empty() => Err(super::names::IS_A_DIRECTORY),
            _ => found.tree.read_at(&found.path, offset, count, found.key).ok_or(NOT_THERE),
        }
    }

    /// Changes the tree that a path leads into. `act` gets it with the path in it, the transaction group and the key.
    pub(crate) fn change<T>(
        &mut self,
        path: &str,
        act: impl FnOnce(&mut Tree, &str, u64, Key) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        match self.locate(path) {
            Place::Plain(path) => act(&mut self.own, &path, 0, None),
            Place::Inside { dataset, tag: None, path } => {
                self.change_in(&dataset, |tree, txg, key| act(tree, &path, txg, key))
            }
            Place::Inside { .. } => Err(READ_ONLY),
            Place::Device(_) | Place::Nowhere => Err(NOT_THERE),
        }
    }

    /// Changes what is in a dataset, if it may be written to.
    pub(crate) fn change_in<T>(
        &mut self,
        dataset: &str,
        act: impl FnOnce(&mut Tree, u64, Key) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        if self.property(Target::Dataset(dataset), "readonly").is_some_and(|(value, _)| value == "on") {
            return Err(READ_ONLY);
        }
        let txg = self.next_txg();
        let found = self.datasets.get_mut(dataset).ok_or(NOT_THERE)?;
        let key = found.key();
        let done = act(Arc::make_mut(&mut found.head), txg, key)?;
        found.changed = txg;
        Ok(done)
    }

    /// Writes into a file at an offset, if there is room; at none, the file is cut to nothing first.
    pub(crate) fn write_at(&mut self, path: &str, offset: Option<u64>, bytes: &[u8]) -> Result<(), Errno> {
        let path = self.follow(path);
        match self.locate(&path) {
            Place::Inside { dataset, tag: None, path } => self.write_in(&dataset, &path, offset, bytes),
            _ => self.change(&path, |tree, path, txg, key| {
                if tree.has_directory(path) {
                    return Err(super::names::IS_A_DIRECTORY);
                }
                if offset.is_none() {
                    tree.set_length(path, 0);
                }
                tree.write(path, offset.unwrap_or(0), bytes, txg, key);
                Ok(())
            }),
        }
    }

    /// The same in a dataset, mounted or not. A volume is never cut.
    pub(crate) fn write_in(
        &mut self,
        dataset: &str,
        path: &str,
        offset: Option<u64>,
        bytes: &[u8],
    ) -> Result<(), Errno> {
        let (room, quota) = self.room(dataset);
        let volume = self.datasets.get(dataset).is_some_and(|found| found.is_volume());
        self.change_in(dataset, |tree, txg, key| {
            if bytes.len() as u64 > room {
                return Err(if quota { "Disk quota exceeded" } else { "No space left on device" });
            }
            if !volume && tree.has_directory(path) {
                return Err(super::names::IS_A_DIRECTORY);
            }
            if offset.is_none() && !volume {
                tree.set_length(path, 0);
            }
            if !bytes.is_empty() || offset.is_none() {
                tree.write(path, offset.unwrap_or(0), bytes, txg, key);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_into_the_dataset_that_is_mounted_nearest_above_it() {
        let mut state = State::default();
        state.add_pool("tank", 1 << 30, "/dev/sdb");
        assert_eq!(
            state.locate("/tank//a/../b/"),
            Place::Inside { dataset: "tank".into(), tag: None, path: "b".into() }
        );
        assert_eq!(state.locate("/tankard/x"), Place::Plain("tankard/x".into()));
        state.write_at("/tank/f", None, b"x").unwrap();
        assert!(state.list("/", false).contains(&"tank".to_owned()));
        assert_eq!(state.read_at("/tank/f", 0, 9), Ok(b"x".to_vec()));
        assert_eq!(state.read_at("/tank", 0, 9), Err(crate::sim::appliance::model::names::IS_A_DIRECTORY));
        state.change("/root/l", |tree, path, _, _| tree.add_link(path, "../tank/f")).unwrap();
        assert_eq!((state.follow("/root/l"), state.look("/root/l").unwrap().length), ("/tank/f".into(), 9));
    }
}
