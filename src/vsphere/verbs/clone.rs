//! Cloning a virtual machine or a template, and turning a virtual machine into a template.

use super::config::Reconfigure;
use super::customize::LinuxCustomization;
use crate::domain::moref::{DatastoreRef, EsxiRef, FolderRef, PoolRef, TaskRef, VmRef};
use crate::vsphere::{Client, Request, VsphereError};

/// What a clone is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloneVm {
    /// What it is cloned from.
    pub source: VmRef,
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: FolderRef,
    /// Its resource pool.
    pub pool: PoolRef,
    /// Its datastore.
    pub datastore: Option<DatastoreRef>,
    /// Its host; none: vCenter chooses.
    pub host: Option<EsxiRef>,
    /// Changes of its configuration.
    pub config: Option<Reconfigure>,
    /// What is written into its guest.
    pub customization: Option<LinuxCustomization>,
    /// Whether it is powered on at once. Not every server does.
    pub power_on: bool,
}

impl CloneVm {
    /// The request.
    pub fn request(&self) -> Request {
        let what = format!("clone {} to {:?}", self.source, self.name);
        Request::new("CloneVM_Task", &self.source, what, |xml| {
            xml.reference("folder", &self.folder).text("name", &self.name);
            xml.element("spec", |xml| {
                xml.element("location", |xml| {
                    if let Some(datastore) = &self.datastore {
                        xml.reference("datastore", datastore);
                    }
                    xml.reference("pool", &self.pool);
                    if let Some(host) = &self.host {
                        xml.reference("host", host);
                    }
                });
                xml.flag("template", false);
                if let Some(config) = &self.config {
                    xml.element("config", |xml| config.write(xml, None));
                }
                if let Some(customization) = &self.customization {
                    xml.element("customization", |xml| customization.write(xml));
                }
                xml.flag("powerOn", self.power_on);
            });
        })
    }
}

impl Client {
    /// Clones; the task's result is the new virtual machine.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn clone_vm(&self, clone: &CloneVm) -> Result<TaskRef, VsphereError> {
        let request = clone.request();
        self.require_vcenter(&request, "clone")?;
        self.start(&request).await
    }

    /// Turns a powered-off virtual machine into a template.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn mark_as_template(&self, vm: &VmRef) -> Result<(), VsphereError> {
        let request = Request::new("MarkAsTemplate", vm, format!("make {vm} a template"), |_| ());
        self.require_vcenter(&request, "have templates")?;
        self.call(&request).await.map(drop)
    }

    /// Turns a template back into a virtual machine.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn mark_as_vm(&self, vm: &VmRef, pool: &PoolRef) -> Result<(), VsphereError> {
        let request =
            Request::new("MarkAsVirtualMachine", vm, format!("make {vm} a virtual machine"), |xml| {
                xml.reference("pool", pool);
            });
        self.call(&request).await.map(drop)
    }
}
