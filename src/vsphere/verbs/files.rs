//! Files on datastores: looking, making folders, moving, deleting. Paths are `[datastore] folder/name`.

use crate::domain::moref::{DatacenterRef, DatastoreRef, ManagedRef, TaskRef};
use crate::vsphere::xml::Node;
use crate::vsphere::{Client, Request, VsphereError};

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// The folder that it is in, as the server writes it.
    pub folder: String,
    /// Its name.
    pub name: String,
    /// Its size, if the server says it.
    pub size_bytes: Option<u64>,
    /// Whether it is a folder.
    pub is_folder: bool,
}

impl Client {
    /// Begins to list a folder, alone or with all below it; the task's result is for [`read_listing`](Self::read_listing).
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn search_datastore(
        &self,
        datastore: &DatastoreRef,
        path: &str,
        below: bool,
    ) -> Result<TaskRef, VsphereError> {
        let what = format!("list {path:?}");
        let found = self.properties(datastore, DatastoreRef::KIND, &["browser"]).await?;
        let browser = found.get("browser").and_then(Node::reference);
        let method = if below { "SearchDatastoreSubFolders_Task" } else { "SearchDatastore_Task" };
        let Some(browser) = browser else {
            return Err(VsphereError::Incomplete {
                attempted: what,
                server: self.server().to_owned(),
                missing: "browser of the datastore",
            });
        };
        let request = Request::new(method, browser, what, |xml| {
            xml.text("datastorePath", path);
            xml.element("searchSpec", |xml| {
                xml.element("details", |xml| {
                    xml.flag("fileType", true).flag("fileSize", true);
                    xml.flag("modification", false).flag("fileOwner", false);
                });
                xml.text("matchPattern", "*");
            });
        });
        self.start(&request).await
    }

    /// The entries in the result of a listing.
    pub fn read_listing(result: &Node) -> Vec<FileEntry> {
        // One folder, or an array of them.
        let folders = if result.child("folderPath").is_some() {
            vec![result]
        } else {
            result.children().iter().collect()
        };
        let entry = |folder: &Node, file: &Node| {
            Some(FileEntry {
                folder: folder.string_at("folderPath")?,
                name: file.string_at("path")?,
                size_bytes: file.parse_at("fileSize"),
                is_folder: file.kind() == "FolderFileInfo",
            })
        };
        folders
            .into_iter()
            .flat_map(|folder| folder.all("file").filter_map(move |file| entry(folder, file)))
            .collect()
    }

    /// Makes a folder in one that is there.
    ///
    /// # Errors
    /// If it is there already, or the server refuses or does not answer.
    pub async fn make_directory(&self, path: &str, datacenter: &DatacenterRef) -> Result<(), VsphereError> {
        let what = format!("make the folder {path:?}");
        let request = Request::new("MakeDirectory", self.file_manager(&what)?, what, |xml| {
            xml.text("name", path).reference("datacenter", datacenter).flag("createParentDirectories", false);
        });
        self.call(&request).await.map(drop)
    }

    /// Moves a file or folder. Never over something that is there.
    ///
    /// # Errors
    /// If the target is there, or the server refuses or does not answer.
    pub async fn move_file(
        &self,
        from: &str,
        to: &str,
        datacenter: &DatacenterRef,
    ) -> Result<TaskRef, VsphereError> {
        self.two_paths("MoveDatastoreFile_Task", "move", from, to, datacenter).await
    }

    /// Copies a file or folder. Never over something that is there.
    ///
    /// # Errors
    /// If the target is there, or the server refuses or does not answer.
    pub async fn copy_file(
        &self,
        from: &str,
        to: &str,
        datacenter: &DatacenterRef,
    ) -> Result<TaskRef, VsphereError> {
        self.two_paths("CopyDatastoreFile_Task", "copy", from, to, datacenter).await
    }

    async fn two_paths(
        &self,
        method: &'static str,
        verb: &str,
        from: &str,
        to: &str,
        datacenter: &DatacenterRef,
    ) -> Result<TaskRef, VsphereError> {
        let what = format!("{verb} {from:?} to {to:?}");
        let request = Request::new(method, self.file_manager(&what)?, what, |xml| {
            xml.text("sourceName", from).reference("sourceDatacenter", datacenter);
            xml.text("destinationName", to).reference("destinationDatacenter", datacenter);
            xml.flag("force", false);
        });
        self.start(&request).await
    }

    /// Deletes a file, or a folder with all in it.
    ///
    /// # Errors
    /// If it is not there, or the server refuses or does not answer.
    pub async fn delete_file(&self, path: &str, datacenter: &DatacenterRef) -> Result<TaskRef, VsphereError> {
        let what = format!("delete {path:?}");
        let request = Request::new("DeleteDatastoreFile_Task", self.file_manager(&what)?, what, |xml| {
            xml.text("name", path).reference("datacenter", datacenter);
        });
        self.start(&request).await
    }

    fn file_manager(&self, what: &str) -> Result<ManagedRef, VsphereError> {
        self.content().file_manager.clone().ok_or_else(|| VsphereError::Incomplete {
            attempted: what.to_owned(),
            server: self.server().to_owned(),
            missing: "file manager",
        })
    }
}
