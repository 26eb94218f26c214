//! What the simulated hosts of a site see of the exports of its simulated appliances.
//!
//! The simulated vCenter asks for files by export through [`Exports`]; the simulated appliance answers for its
//! datasets. Where there is no appliance, [`MemoryExports`] keeps the files itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use thiserror::Error;

use super::files::{FileEntry, FileError, Tree};

/// An export as a host mounts it: the server's address and the path on it, both as they were typed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Export {
    /// Name or address of the NFS server.
    pub server: String,
    /// Absolute path on it.
    pub path: String,
}

impl Export {
    /// An export by server and path.
    pub fn new(server: impl Into<String>, path: impl Into<String>) -> Self {
        Self { server: server.into(), path: path.into() }
    }
}

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.server, self.path)
    }
}

/// Room on an export, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The size of the file system.
    pub capacity: u64,
    /// What is free of it.
    pub free: u64,
}

/// Why a host cannot use an export.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExportError {
    /// The server does not export this path to this host.
    #[error("{0} is not exported to this host")]
    NotExported(Export),
    /// Nothing answers at the server's address.
    #[error("{} does not answer", .0.server)]
    Unreachable(Export),
    /// The file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The NFS servers that the hosts of a simulated site can reach.
///
/// Paths inside an export are relative, with `/` between their parts. Calls must not block for long: they are made
/// while the simulated vCenter holds still.
pub trait Exports: Send + Sync + fmt::Debug {
    /// What mounting says: how much room there is.
    fn mount(&self, export: &Export) -> Result<Room, ExportError>;
    /// One file or directory; None if there is nothing of this name.
    fn look(&self, export: &Export, path: &str) -> Result<Option<FileEntry>, ExportError>;
    /// What is directly in a directory (`""` for the top).
    fn list(&self, export: &Export, directory: &str) -> Result<Vec<FileEntry>, ExportError>;
    /// The content of a small file: a disk descriptor, a virtual machine's configuration.
    fn read(&self, export: &Export, path: &str) -> Result<Vec<u8>, ExportError>;
    /// Makes or replaces a file, with the directories above it.
    fn write(&self, export: &Export, path: &str, content: &[u8]) -> Result<(), ExportError>;
    /// Makes or resizes a file of which nobody will read the content: the extent of a disk. `size` in bytes.
    fn allocate(&self, export: &Export, path: &str, size: u64) -> Result<(), ExportError>;
    /// Makes a directory; with the ones above it if `parents`.
    fn make_directory(&self, export: &Export, path: &str, parents: bool) -> Result<(), ExportError>;
    /// Removes a file, or a directory with all that is in it.
    fn remove(&self, export: &Export, path: &str) -> Result<(), ExportError>;
    /// Moves a file or a directory inside one export.
    fn rename(&self, export: &Export, from: &str, to: &str) -> Result<(), ExportError>;
}

/// Exports whose files are kept in memory.
#[derive(Debug, Default)]
pub struct MemoryExports {
    trees: Mutex<BTreeMap<Export, Tree>>,
    /// Whether what nobody exported yet is exported, empty, when it is first mounted.
    open: bool,
}

impl MemoryExports {
    /// How large every export claims to be: 8 TiB.
    const CAPACITY: u64 = 8 << 40;

    /// Whatever a host wants to mount is exported, and empty at first.
    pub fn open() -> Self {
        Self { open: true, ..Self::default() }
    }

    /// Begins to export a path; what is there already stays.
    pub fn export(&self, export: Export) {
        self.trees().entry(export).or_default();
    }

    fn trees(&self) -> MutexGuard<'_, BTreeMap<Export, Tree>> {
        self.trees.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(
        &self,
        export: &Export,
        act: impl FnOnce(&mut Tree) -> Result<T, FileError>,
    ) -> Result<T, ExportError> {
        let mut trees = self.trees();
        let tree = trees.get_mut(export).ok_or_else(|| ExportError::NotExported(export.clone()))?;
        Ok(act(tree)?)
    }
}

impl Exports for MemoryExports {
    fn mount(&self, export: &Export) -> Result<Room, ExportError> {
        if self.open {
            self.export(export.clone());
        }
        self.with(export, |tree| {
            Ok(Room { capacity: Self::CAPACITY, free: Self::CAPACITY.saturating_sub(tree.used()) })
        })
    }

    fn look(&self, export: &Export, path: &str) -> Result<Option<FileEntry>, ExportError> {
        self.with(export, |tree| Ok(tree.look(path)))
    }

    fn list(&self, export: &Export, directory: &str) -> Result<Vec<FileEntry>, ExportError> {
        self.with(export, |tree| tree.list(directory))
    }

    fn read(&self, export: &Export, path: &str) -> Result<Vec<u8>, ExportError> {
        self.with(export, |tree| tree.read(path))
    }

    fn write(&self, export: &Export, path: &str, content: &[u8]) -> Result<(), ExportError> {
        self.with(export, |tree| tree.write(path, content, Timestamp::now()))
    }

    fn allocate(&self, export: &Export, path: &str, size: u64) -> Result<(), ExportError> {
        self.with(export, |tree| tree.allocate(path, size, Timestamp::now()))
    }

    fn make_directory(&self, export: &Export, path: &str, parents: bool) -> Result<(), ExportError> {
        self.with(export, |tree| tree.make_directory(path, parents, Timestamp::now()))
    }

    fn remove(&self, export: &Export, path: &str) -> Result<(), ExportError> {
        self.with(export, |tree| tree.remove(path))
    }

    fn rename(&self, export: &Export, from: &str, to: &str) -> Result<(), ExportError> {
        self.with(export, |tree| tree.rename(from, to))
    }
}
