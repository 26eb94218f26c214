//! The exports of simulated appliances as the hosts of a simulated site use them: the joint between simulated
//! vCenter and simulated appliance.
//!
//! A dataset that is mounted and has `sharenfs` is an export at its mount point, for the clients that are named there.
//! What a host writes lies in the dataset: in its snapshots, its streams, its clones.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use jiff::Timestamp;

use super::Appliance;
use super::machine::Machine;
use super::model::names::{EXISTS, Errno, NOT_THERE, READ_ONLY};
use super::model::object::Object;
use super::model::tree::{Key, Tree};
use super::model::{State, Target};
use super::tools::shares;
use crate::sim::exports::{Export, ExportError, Exports, Room};
use crate::sim::files::{FileEntry, FileError};

/// Larger files are disks, whose content nobody reads through an export.
const READABLE: u64 = 64 << 20;

/// The appliances that a site's hosts can reach, under the names by which they mount.
#[derive(Default)]
pub struct SiteExports {
    /// The addresses of the hosts: an export has to admit all of them.
    hosts: Vec<IpAddr>,
    servers: Mutex<Vec<(BTreeSet<String>, Weak<Machine>)>>,
}

impl fmt::Debug for SiteExports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiteExports").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// What an export leads to.
struct Mounted {
    dataset: String,
    /// Where in the dataset; empty: its top.
    above: String,
    read_only: bool,
}

impl Mounted {
    fn inside(&self, path: &str) -> String {
        let parts = self.above.split('/').chain(path.split('/'));
        parts.filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
    }
}

impl SiteExports {
    /// For hosts with these addresses. Without any, it is not asked who comes.
    pub fn new(hosts: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { hosts: hosts.into_iter().collect(), servers: Mutex::default() }
    }

    /// Lets the hosts reach an appliance under these names or addresses. A name leads to the appliance that was added
    /// last; one that is gone does not answer.
    pub fn add(&self, appliance: &Appliance, names: impl IntoIterator<Item = impl Into<String>>) {
        let names: BTreeSet<String> = names.into_iter().map(Into::into).collect();
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.push((names, Arc::downgrade(&appliance.machine)));
    }

    fn machine(&self, export: &Export) -> Result<Arc<Machine>, ExportError> {
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let found = servers.iter().rev().find(|(names, _)| names.contains(&export.server));
        let machine = found.and_then(|(_, machine)| machine.upgrade());
        let answers =
            machine.filter(|machine| machine.services().get("nfs-server").copied().unwrap_or(false));
        answers.ok_or_else(|| ExportError::Unreachable(export.clone()))
    }

    /// What an export leads to in that state.
    fn find(&self, state: &State, export: &Export) -> Result<Mounted, ExportError> {
        use super::model::paths::Place;
        let refused = || ExportError::NotExported(export.clone());
        let Place::Inside { dataset, tag: None, path } = state.locate(&export.path) else {
            return Err(refused());
        };
        let share = shares(state).into_iter().find(|share| share.dataset == dataset).ok_or_else(refused)?;
        let mut read_only = false;
        for host in &self.hosts {
            let client = share.clients.iter().find(|client| client.admits(*host)).ok_or_else(refused)?;
            read_only |= client.read_only;
        }
        if self.hosts.is_empty() {
            read_only = share.clients.iter().all(|client| client.read_only);
        }
        let found = state.datasets.get(&dataset).filter(|found| found.head.has_directory(&path));
        found.map(|_| Mounted { dataset, above: path, read_only }).ok_or_else(refused)
    }

    fn seeing<T>(
        &self,
        export: &Export,
        look: impl FnOnce(&Tree, Key, &Mounted) -> Result<T, FileError>,
    ) -> Result<T, ExportError> {
        let machine = self.machine(export)?;
        let state = machine.state();
        let mounted = self.find(&state, export)?;
        let Some(dataset) = state.datasets.get(&mounted.dataset) else {
            return Err(ExportError::NotExported(export.clone()));
        };
        Ok(look(&dataset.head, dataset.key(), &mounted)?)
    }

    fn changing(
        &self,
        export: &Export,
        path: &str,
        act: impl FnOnce(&mut State, &str, &str) -> Result<(), Errno>,
    ) -> Result<(), ExportError> {
        let machine = self.machine(export)?;
        let mut state = machine.state();
        let mounted = self.find(&state, export)?;
        if mounted.read_only {
            return Err(FileError::ReadOnly.into());
        }
        let inside = mounted.inside(path);
        let done = act(&mut state, &mounted.dataset, &inside);
        done.map_err(|why| match why {
            NOT_THERE => FileError::NotFound(path.to_owned()),
            READ_ONLY => FileError::ReadOnly,
            "No space left on device" | "Disk quota exceeded" => FileError::NoSpace,
            _ => FileError::Exists(path.to_owned()),
        })?;
        Ok(())
    }
}

fn entry(path: &str, object: &Object) -> FileEntry {
    let (seconds, nanos) = object.meta.modified;
    let modified = Timestamp::new(seconds, i32::try_from(nanos).unwrap_or(0)).unwrap_or_default();
    let size = if object.is_directory() { 0 } else { object.length };
    FileEntry { path: path.to_owned(), directory: object.is_directory(), size, modified }
}

/// `a//b/` as `a/b`.
fn tidy(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

/// Makes the directories above a path.
fn make_above(tree: &mut Tree, path: &str) {
    if let Some((above, _)) = path.rsplit_once('/') {
        tree.make_directory(above);
    }
}

impl Exports for SiteExports {
    fn mount(&self, export: &Export) -> Result<Room, ExportError> {
        let machine = self.machine(export)?;
        let state = machine.state();
        let mounted = self.find(&state, export)?;
        let free = state.available(&mounted.dataset);
        let own = state.property(Target::Dataset(&mounted.dataset), "referenced");
        let own = own.and_then(|(text, _)| text.parse::<u64>().ok()).unwrap_or(0);
        Ok(Room { capacity: own + free, free })
    }

    fn look(&self, export: &Export, path: &str) -> Result<Option<FileEntry>, ExportError> {
        self.seeing(export, |tree, _, mounted| {
            Ok(tree.object(&mounted.inside(path)).map(|object| entry(&tidy(path), object)))
        })
    }

    fn list(&self, export: &Export, directory: &str) -> Result<Vec<FileEntry>, ExportError> {
        self.seeing(export, |tree, _, mounted| {
            let above = mounted.inside(directory);
            if !tree.has_directory(&above) {
                return Err(FileError::NotFound(tidy(directory)));
            }
            let start = if mounted.above.is_empty() { 0 } else { mounted.above.len() + 1 };
            Ok(tree.below(&above, false).map(|(name, object)| entry(&name[start..], object)).collect())
        })
    }

    fn read(&self, export: &Export, path: &str) -> Result<Vec<u8>, ExportError> {
        self.seeing(export, |tree, key, mounted| {
            let inside = mounted.inside(path);
            let missing = || FileError::NotFound(tidy(path));
            let object = tree.object(&inside).filter(|object| object.is_file()).ok_or_else(missing)?;
            if object.length > READABLE || object.blocks.is_empty() {
                return Ok(Vec::new());
            }
            tree.read(&inside, key).ok_or_else(missing)
        })
    }

    fn write(&self, export: &Export, path: &str, content: &[u8]) -> Result<(), ExportError> {
        self.changing(export, path, |state, dataset, inside| state.write_in(dataset, inside, None, content))
    }

    fn allocate(&self, export: &Export, path: &str, size: u64) -> Result<(), ExportError> {
        self.changing(export, path, |state, dataset, inside| {
            state.change_in(dataset, |tree, _, _| {
                if tree.has_directory(inside) {
                    return Err(EXISTS);
                }
                make_above(tree, inside);
                tree.set_length(inside, size);
                Ok(())
            })
        })
    }

    fn make_directory(&self, export: &Export, path: &str, parents: bool) -> Result<(), ExportError> {
        self.changing(export, path, |state, dataset, inside| {
            state.change_in(dataset, |tree, _, _| {
                if parents && tree.has_directory(inside) {
                    return Ok(());
                }
                if parents {
                    make_above(tree, inside);
                }
                tree.add_directory(inside)
            })
        })
    }

    fn remove(&self, export: &Export, path: &str) -> Result<(), ExportError> {
        self.changing(export, path, |state, dataset, inside| {
            state.change_in(dataset, |tree, _, _| {
                if !inside.is_empty() && tree.remove(inside) { Ok(()) } else { Err(NOT_THERE) }
            })
        })
    }

    fn rename(&self, export: &Export, from: &str, to: &str) -> Result<(), ExportError> {
        self.changing(export, from, |state, dataset, inside| {
            let above = inside.strip_suffix(&tidy(from)).unwrap_or_default();
            let target = format!("{above}{}", tidy(to));
            state.change_in(dataset, |tree, _, _| {
                if tree.object(&target).is_some() {
                    return Err(EXISTS);
                }
                if tree.object(inside).is_none() || target.starts_with(&format!("{inside}/")) {
                    return Err(NOT_THERE);
                }
                make_above(tree, &target);
                tree.rename(inside, &target)
            })
        })
    }
}
