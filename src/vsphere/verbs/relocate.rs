//! Moving a virtual machine's storage, its host, or single disks.

use crate::domain::moref::{DatastoreRef, EsxiRef, PoolRef, TaskRef, VmRef};
use crate::vsphere::{Client, Request, VsphereError};

/// Where to. What is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RelocateVm {
    /// The datastore of its own files, and of every disk that is not named.
    pub datastore: Option<DatastoreRef>,
    /// The resource pool.
    pub pool: Option<PoolRef>,
    /// The host.
    pub host: Option<EsxiRef>,
    /// Disks by their keys, and where each goes.
    pub disks: Vec<(i32, DatastoreRef)>,
}

impl Client {
    /// Moves a virtual machine, running or not.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn relocate_vm(&self, vm: &VmRef, to: &RelocateVm) -> Result<TaskRef, VsphereError> {
        let request = Request::new("RelocateVM_Task", vm, format!("move {vm}"), |xml| {
            xml.element("spec", |xml| {
                if let Some(datastore) = &to.datastore {
                    xml.reference("datastore", datastore);
                }
                if let Some(pool) = &to.pool {
                    xml.reference("pool", pool);
                }
                if let Some(host) = &to.host {
                    xml.reference("host", host);
                }
                for (key, datastore) in &to.disks {
                    xml.element("disk", |xml| {
                        xml.number("diskId", *key).reference("datastore", datastore);
                    });
                }
            });
        });
        self.require_vcenter(&request, "move virtual machines between datastores or hosts")?;
        self.start(&request).await
    }
}
