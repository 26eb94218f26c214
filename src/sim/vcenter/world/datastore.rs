//! Datastores and the files on them.

use std::fmt;

use super::{Body, World};
use crate::sim::exports::{Export, ExportError};
use crate::sim::files::{FileEntry, FileError, Tree};
use crate::sim::vcenter::soap::{Fault, Moref};

/// Where a datastore's files are.
#[derive(Debug)]
pub(in crate::sim::vcenter) enum Backing {
    /// A VMFS volume that only this vCenter's hosts have.
    Vmfs(Tree),
    /// An NFS export. `kind` is `NFS` or `NFS41`.
    Nas { export: Export, kind: &'static str, read_only: bool },
}

/// A datastore.
#[derive(Debug)]
pub(in crate::sim::vcenter) struct Datastore {
    pub(in crate::sim::vcenter) backing: Backing,
    /// The id in its URL and in the hosts' mount paths.
    pub(in crate::sim::vcenter) volume: String,
    /// Bytes, as last looked at.
    pub(in crate::sim::vcenter) capacity: u64,
    pub(in crate::sim::vcenter) free: u64,
    pub(in crate::sim::vcenter) accessible: bool,
    pub(in crate::sim::vcenter) hosts: Vec<Moref>,
}

impl Datastore {
    pub(in crate::sim::vcenter) fn kind(&self) -> &'static str {
        match &self.backing {
            Backing::Vmfs(_) => "VMFS",
            Backing::Nas { kind, .. } => kind,
        }
    }

    pub(in crate::sim::vcenter) fn url(&self) -> String {
        format!("ds:///vmfs/volumes/{}/", self.volume)
    }
}

/// A file by its datastore and its path there: `[datastore] directory/file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sim::vcenter) struct DatastorePath {
    pub(in crate::sim::vcenter) datastore: Moref,
    pub(in crate::sim::vcenter) name: String,
    pub(in crate::sim::vcenter) path: String,
}

impl fmt::Display for DatastorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.is_empty() {
            true => write!(f, "[{}]", self.name),
            false => write!(f, "[{}] {}", self.name, self.path),
        }
    }
}

impl DatastorePath {
    /// The same with another path.
    pub(in crate::sim::vcenter) fn at(&self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self.clone() }
    }

    /// The directory that it is in, without a slash at the end.
    pub(in crate::sim::vcenter) fn directory(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(directory, _)| directory)
    }
}

/// The two parts of `[datastore] path`.
pub(in crate::sim::vcenter) fn split(text: &str) -> Option<(&str, &str)> {
    let (name, path) = text.strip_prefix('[')?.split_once(']')?;
    Some((name, path.trim().trim_matches('/')))
}

impl World {
    /// Reads `[datastore] path`; the datastore has to be in that datacenter.
    pub(in crate::sim::vcenter) fn datastore_path(
        &self,
        text: &str,
        datacenter: Option<&Moref>,
    ) -> Result<DatastorePath, Fault> {
        let invalid = || {
            Fault::new("InvalidDatastorePath", format!("Invalid datastore path '{text}'."))
                .with("datastorePath", text.to_owned())
        };
        let (name, path) = split(text).ok_or_else(invalid)?;
        let here = |moref: &Moref| datacenter.is_none() || self.datacenter_of(moref).as_ref() == datacenter;
        let found = self.of_kind("Datastore").find(|object| object.name == name && here(&object.moref));
        let datastore = found.ok_or_else(invalid)?.moref.clone();
        if path.split('/').any(|part| part == "..") {
            return Err(invalid());
        }
        Ok(DatastorePath { datastore, name: name.to_owned(), path: path.to_owned() })
    }

    /// A path on a datastore that is known.
    pub(in crate::sim::vcenter) fn path_on(
        &self,
        datastore: &Moref,
        path: impl Into<String>,
    ) -> DatastorePath {
        DatastorePath {
            datastore: datastore.clone(),
            name: self.name(datastore).to_owned(),
            path: path.into(),
        }
    }

    pub(in crate::sim::vcenter) fn look(&self, at: &DatastorePath) -> Result<Option<FileEntry>, Fault> {
        match &self.usable(at)?.backing {
            Backing::Vmfs(tree) => Ok(tree.look(&at.path)),
            Backing::Nas { export, .. } => {
                self.options.exports.look(export, &at.path).map_err(|error| file_fault(at, &error))
            }
        }
    }

    pub(in crate::sim::vcenter) fn exists(&self, at: &DatastorePath) -> Result<bool, Fault> {
        Ok(self.look(at)?.is_some())
    }

    pub(in crate::sim::vcenter) fn list(&self, at: &DatastorePath) -> Result<Vec<FileEntry>, Fault> {
        match &self.usable(at)?.backing {
            Backing::Vmfs(tree) => tree.list(&at.path).map_err(|error| file_fault(at, &error.into())),
            Backing::Nas { export, .. } => {
                self.options.exports.list(export, &at.path).map_err(|error| file_fault(at, &error))
            }
        }
    }

    pub(in crate::sim::vcenter) fn read(&self, at: &DatastorePath) -> Result<Vec<u8>, Fault> {
        match &self.usable(at)?.backing {
            Backing::Vmfs(tree) => tree.read(&at.path).map_err(|error| file_fault(at, &error.into())),
            Backing::Nas { export, .. } => {
                self.options.exports.read(export, &at.path).map_err(|error| file_fault(at, &error))
            }
        }
    }

    pub(in crate::sim::vcenter) fn write(&mut self, at: &DatastorePath, content: &[u8]) -> Result<(), Fault> {
        let now = self.timestamp();
        self.alter(
            at,
            |tree| tree.write(&at.path, content, now),
            |exports, export| exports.write(export, &at.path, content),
        )
    }

    pub(in crate::sim::vcenter) fn allocate(&mut self, at: &DatastorePath, size: u64) -> Result<(), Fault> {
        let now = self.timestamp();
        self.alter(
            at,
            |tree| tree.allocate(&at.path, size, now),
            |exports, export| exports.allocate(export, &at.path, size),
        )
    }

    pub(in crate::sim::vcenter) fn make_directory(
        &mut self,
        at: &DatastorePath,
        parents: bool,
    ) -> Result<(), Fault> {
        let now = self.timestamp();
        self.alter(
            at,
            |tree| tree.make_directory(&at.path, parents, now),
            |exports, export| exports.make_directory(export, &at.path, parents),
        )
    }

    /// Removes a file, or a directory with all that is in it.
    pub(in crate::sim::vcenter) fn remove_file(&mut self, at: &DatastorePath) -> Result<(), Fault> {
        self.alter(at, |tree| tree.remove(&at.path), |exports, export| exports.remove(export, &at.path))
    }

    /// Moves a file or directory, also to another datastore.
    pub(in crate::sim::vcenter) fn move_file(
        &mut self,
        from: &DatastorePath,
        to: &DatastorePath,
    ) -> Result<(), Fault> {
        if from.datastore != to.datastore {
            self.copy_file(from, to)?;
            return self.remove_file(from);
        }
        self.alter(
            from,
            |tree| tree.rename(&from.path, &to.path),
            |exports, export| exports.rename(export, &from.path, &to.path),
        )
    }

    /// Copies a file, or a directory with all that is in it.
    pub(in crate::sim::vcenter) fn copy_file(
        &mut self,
        from: &DatastorePath,
        to: &DatastorePath,
    ) -> Result<(), Fault> {
        let entry = self.look(from)?.ok_or_else(|| Fault::file_not_found(&from.to_string()))?;
        if entry.directory {
            self.make_directory(to, true)?;
            for inside in self.list(from)? {
                let name = inside.name().to_owned();
                self.copy_file(&from.at(inside.path), &to.at(format!("{}/{name}", to.path)))?;
            }
            return Ok(());
        }
        let content = self.read(from)?;
        match content.len() as u64 == entry.size {
            true => self.write(to, &content),
            false => self.allocate(to, entry.size),
        }
    }

    fn usable(&self, at: &DatastorePath) -> Result<&Datastore, Fault> {
        let datastore = self.datastore(&at.datastore)?;
        match datastore.accessible {
            true => Ok(datastore),
            false => Err(Fault::new(
                "InaccessibleDatastore",
                format!("Datastore '{}' is not accessible.", at.name),
            )
            .with("datastore", &at.datastore)
            .with("name", at.name.clone())),
        }
    }

    fn alter(
        &mut self,
        at: &DatastorePath,
        local: impl FnOnce(&mut Tree) -> Result<(), FileError>,
        remote: impl FnOnce(&dyn crate::sim::exports::Exports, &Export) -> Result<(), ExportError>,
    ) -> Result<(), Fault> {
        self.usable(at)?;
        let exports = self.options.exports.clone();
        let Body::Datastore(datastore) = &mut self.object_mut(&at.datastore)?.body else {
            return Err(Fault::gone(&at.datastore));
        };
        let outcome = match &mut datastore.backing {
            Backing::Vmfs(tree) => local(tree).map_err(ExportError::from),
            Backing::Nas { read_only: true, .. } => Err(FileError::ReadOnly.into()),
            Backing::Nas { export, .. } => remote(&*exports, export),
        };
        outcome.map_err(|error| file_fault(at, &error))
    }

    /// Asks the file system how much room there is.
    pub(in crate::sim::vcenter) fn refresh(&mut self, moref: &Moref) -> Result<(), Fault> {
        let (capacity, free, accessible) = match &self.datastore(moref)?.backing {
            Backing::Vmfs(tree) => {
                let capacity = self.datastore(moref)?.capacity;
                (capacity, capacity.saturating_sub(tree.used()), true)
            }
            Backing::Nas { export, .. } => match self.options.exports.mount(export) {
                Ok(room) => (room.capacity, room.free, true),
                Err(_) => {
                    let datastore = self.datastore(moref)?;
                    (datastore.capacity, datastore.free, false)
                }
            },
        };
        let datastore = self.datastore(moref)?;
        if (datastore.capacity, datastore.free, datastore.accessible) != (capacity, free, accessible) {
            let datastore = self.datastore_mut(moref)?;
            (datastore.capacity, datastore.free, datastore.accessible) = (capacity, free, accessible);
        }
        Ok(())
    }
}

/// What a failed file operation looks like to a client of vSphere.
fn file_fault(at: &DatastorePath, error: &ExportError) -> Fault {
    let file = |ty, message: String| Fault::new(ty, message).with("file", at.to_string());
    match error {
        ExportError::File(FileError::NotFound(_)) => Fault::file_not_found(&at.to_string()),
        ExportError::File(FileError::Exists(_)) => Fault::file_exists(&at.to_string()),
        ExportError::File(FileError::ReadOnly) => {
            file("FileNotWritable", format!("File {at} cannot be written."))
        }
        ExportError::File(FileError::NoSpace) => {
            file("NoDiskSpace", format!("Insufficient disk space on datastore '{}'.", at.name))
                .with("datastore", at.name.clone())
        }
        ExportError::File(FileError::Locked(_)) => file("FileLocked", format!("File {at} is locked.")),
        ExportError::NotExported(_) | ExportError::Unreachable(_) => {
            file("CannotAccessFile", format!("Unable to access file {at}: {error}."))
        }
    }
}
