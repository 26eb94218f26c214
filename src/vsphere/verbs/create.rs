//! Making, registering, unregistering and destroying virtual machines.

use super::config::Reconfigure;
use crate::domain::moref::{EsxiRef, FolderRef, PoolRef, TaskRef, VmRef};
use crate::vsphere::{Client, Request, VsphereError};

/// A virtual machine that is made, with its disks attached from existing files or made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateVm {
    /// Its folder.
    pub folder: FolderRef,
    /// Its resource pool.
    pub pool: PoolRef,
    /// Its host; none: vCenter chooses.
    pub host: Option<EsxiRef>,
    /// Where its own files go: `[datastore]` or `[datastore] folder/name.vmx`.
    pub home: String,
    /// Name, hardware and the rest.
    pub config: Reconfigure,
}

impl CreateVm {
    /// The request.
    pub fn request(&self) -> Request {
        let what = format!("make the virtual machine {:?}", self.config.name.as_deref().unwrap_or_default());
        Request::new("CreateVM_Task", &self.folder, what, |xml| {
            xml.element("config", |xml| self.config.write(xml, Some(&self.home)));
            xml.reference("pool", &self.pool);
            if let Some(host) = &self.host {
                xml.reference("host", host);
            }
        })
    }
}

/// A virtual machine whose files are there, and which is put into the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterVm {
    /// Its folder.
    pub folder: FolderRef,
    /// Its resource pool.
    pub pool: PoolRef,
    /// Its host; none: vCenter chooses.
    pub host: Option<EsxiRef>,
    /// `[datastore] folder/name.vmx`.
    pub path: String,
    /// Its name; none: the one in the file.
    pub name: Option<String>,
}

impl Client {
    /// Makes a virtual machine; the task's result is its reference.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn create_vm(&self, create: &CreateVm) -> Result<TaskRef, VsphereError> {
        self.start(&create.request()).await
    }

    /// Puts a virtual machine into the inventory; the task's result is its reference.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn register_vm(&self, register: &RegisterVm) -> Result<TaskRef, VsphereError> {
        let what = format!("register {:?}", register.path);
        let request = Request::new("RegisterVM_Task", &register.folder, what, |xml| {
            xml.text("path", &register.path).maybe("name", register.name.as_deref());
            xml.flag("asTemplate", false).reference("pool", &register.pool);
            if let Some(host) = &register.host {
                xml.reference("host", host);
            }
        });
        self.start(&request).await
    }

    /// Takes a powered-off virtual machine out of the inventory. Its files stay.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn unregister_vm(&self, vm: &VmRef) -> Result<(), VsphereError> {
        self.call(&Request::new("UnregisterVM", vm, format!("unregister {vm}"), |_| ())).await.map(drop)
    }

    /// Destroys a virtual machine with its files AND ITS ATTACHED DISKS. Whoever calls this has made the
    /// virtual machine, has detached every disk that is to stay, and has read the configuration back.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn destroy_vm(&self, vm: &VmRef) -> Result<TaskRef, VsphereError> {
        self.start(&Request::new("Destroy_Task", vm, format!("destroy {vm}"), |_| ())).await
    }
}
