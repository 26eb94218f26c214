//! Folders of the inventory, and finding things by their names.

use crate::domain::moref::{DatacenterRef, FolderRef, ManagedRef, TaskRef, VmRef};
use crate::vsphere::{Client, Reason, Request, VsphereError};

impl Client {
    /// Makes a folder below another one.
    ///
    /// # Errors
    /// [`crate::vsphere::Reason::DuplicateName`], with the one that has the name; or if the server refuses.
    pub async fn create_folder(&self, parent: &FolderRef, name: &str) -> Result<FolderRef, VsphereError> {
        let request = Request::new("CreateFolder", parent, format!("make the folder {name:?}"), |xml| {
            xml.text("name", name);
        });
        self.require_vcenter(&request, "have folders")?;
        Ok(FolderRef::new(self.call_for_reference(&request).await?.id))
    }

    /// Moves virtual machines or folders into another folder of the inventory. Their files stay where they are.
    ///
    /// # Errors
    /// [`crate::vsphere::Reason::DuplicateName`] if the folder has something of that name; or if the server refuses.
    pub async fn move_into_folder(
        &self,
        folder: &FolderRef,
        objects: &[ManagedRef],
    ) -> Result<TaskRef, VsphereError> {
        let what = format!("move {} objects into the folder {folder}", objects.len());
        let request = Request::new("MoveIntoFolder_Task", folder, what, |xml| {
            for object in objects {
                xml.reference("list", object.clone());
            }
        });
        self.require_vcenter(&request, "have folders")?;
        self.start(&request).await
    }

    /// Gives an object of the inventory another name. A virtual machine's files keep theirs.
    ///
    /// # Errors
    /// [`crate::vsphere::Reason::DuplicateName`] if the name is taken; or if the server refuses.
    pub async fn rename(&self, object: impl Into<ManagedRef>, name: &str) -> Result<TaskRef, VsphereError> {
        let object = object.into();
        let request =
            Request::new("Rename_Task", object.clone(), format!("rename {object} to {name:?}"), |xml| {
                xml.text("newName", name);
            });
        self.start(&request).await
    }

    /// The root of a datacenter's folders of virtual machines.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn vm_folder(&self, datacenter: &DatacenterRef) -> Result<Option<FolderRef>, VsphereError> {
        let found = self.properties(datacenter, DatacenterRef::KIND, &["vmFolder"]).await?;
        Ok(found.get("vmFolder").and_then(|node| node.reference()).map(|one| FolderRef::new(one.id)))
    }

    /// What has this name directly in that object: a folder's child, a datacenter's folder.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn find_child(
        &self,
        parent: impl Into<ManagedRef>,
        name: &str,
    ) -> Result<Option<ManagedRef>, VsphereError> {
        let request = Request::new("FindChild", self.search_index()?, format!("find {name:?}"), |xml| {
            xml.reference("entity", parent).text("name", name);
        });
        Ok(self.call(&request).await?.reference_at("returnval"))
    }

    /// The virtual machines with this UUID: of the instance, or of the BIOS. More than one has it after
    /// somebody copied one by hand.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn find_vms_by_uuid(&self, uuid: &str, instance: bool) -> Result<Vec<VmRef>, VsphereError> {
        let what = format!("find the virtual machine with the UUID {uuid}");
        let request = Request::new("FindAllByUuid", self.search_index()?, what, |xml| {
            xml.text("uuid", uuid).flag("vmSearch", true).flag("instanceUuid", instance);
        });
        let answer = match self.call(&request).await {
            // Some servers find only one.
            Err(error) if error.reason() == Some(&Reason::NotSupported) => {
                let one = Request { method: "FindByUuid", ..request };
                self.call(&one).await?
            }
            other => other?,
        };
        Ok(answer
            .all("returnval")
            .filter_map(|node| node.reference())
            .map(|one| VmRef::new(one.id))
            .collect())
    }

    fn search_index(&self) -> Result<ManagedRef, VsphereError> {
        self.content().search_index.clone().ok_or_else(|| VsphereError::Incomplete {
            attempted: "search the inventory".to_owned(),
            server: self.server().to_owned(),
            missing: "search index",
        })
    }
}
