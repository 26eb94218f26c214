//! The inventory: what the vCenters have, to be looked at.

use super::AppError;
use super::vcenters::VcenterCases;
use crate::domain::ids::VcenterId;
use crate::domain::moref::VmRef;

pub use crate::domain::inventory::{
    Datastore, DiskPlace, Drift, Known, Network, NfsExport, Page, Place, PlaceKind, Vm, VmFilter, VmLine,
    VmSort,
};

/// The most lines on one page.
const LARGEST_PAGE: u32 = 500;

impl VcenterCases {
    /// One page of virtual machines and templates.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn vms(&self, filter: &VmFilter) -> Result<Page<VmLine>, AppError> {
        let filter = VmFilter { limit: filter.limit.min(LARGEST_PAGE), ..filter.clone() };
        Ok(self.store().vms(&filter).await?)
    }

    /// A virtual machine with everything that is known of it.
    ///
    /// # Errors
    /// If it was never seen, or the database does not answer.
    pub async fn vm(&self, vcenter: VcenterId, vm: &VmRef) -> Result<Known<Vm>, AppError> {
        let found = self.store().vm(vcenter, vm).await?;
        found.ok_or_else(|| AppError::NotFound(format!("The vCenter has no virtual machine {vm}.")))
    }

    /// A vCenter's places of one sort, by name; all sorts if none is named.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn places(
        &self,
        vcenter: VcenterId,
        sort: Option<PlaceKind>,
    ) -> Result<Vec<Known<Place>>, AppError> {
        Ok(self.store().places(vcenter, sort).await?)
    }

    /// A vCenter's datastores, by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn datastores(&self, vcenter: VcenterId) -> Result<Vec<Known<Datastore>>, AppError> {
        Ok(self.store().datastores(vcenter, false).await?)
    }

    /// A vCenter's networks, by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn networks(&self, vcenter: VcenterId) -> Result<Vec<Known<Network>>, AppError> {
        Ok(self.store().networks(vcenter).await?)
    }

    /// Where the disks of a virtual machine lie: datastore, and export if it is one.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn disk_places(&self, vcenter: VcenterId, vm: &VmRef) -> Result<Vec<DiskPlace>, AppError> {
        Ok(self.store().disk_places(vcenter, Some(vm.clone()), None).await?)
    }

    /// How a virtual machine's disks lie with regard to the export that they should all be on. Derived from
    /// what is known now.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn drift(&self, vcenter: VcenterId, vm: &VmRef, wanted: &NfsExport) -> Result<Drift, AppError> {
        Ok(Drift::of(self.disk_places(vcenter, vm).await?, wanted))
    }
}
