//! The inventory: what the vCenters have, to be looked at.

use std::collections::BTreeMap;

use super::AppError;
use super::vcenters::VcenterCases;
use crate::domain::hardware::NicNetwork;
use crate::domain::ids::VcenterId;
use crate::domain::moref::{ManagedRef, VmRef};

pub use crate::domain::hardware::{Disk, Hardware, Nic, PowerState};

pub use crate::domain::inventory::{
    Datastore, DiskPlace, Drift, Known, Network, NfsExport, OnAppliance, Page, Place, PlaceKind, Vm,
    VmFilter, VmLine, VmSort,
};

/// The most lines on one page.
pub(super) const LARGEST_PAGE: u32 = 1001;

/// A virtual machine with what surrounds it.
#[derive(Debug, Clone)]
pub struct VmView {
    /// The machine.
    pub vm: Known<Vm>,
    /// Where its disks lie; nothing for one that is gone.
    pub disks: Vec<DiskPlace>,
    /// The networks of its cards, in their order; none where the inventory does not know it.
    pub networks: Vec<Option<Network>>,
    /// Its host's name.
    pub host: Option<String>,
    /// The name of its host's cluster.
    pub cluster: Option<String>,
    /// Its folders from the datacenter on, with slashes between.
    pub folder: String,
    /// The name of its resource pool.
    pub pool: Option<String>,
}

impl VcenterCases {
    /// A virtual machine with what surrounds it.
    ///
    /// # Errors
    /// If it was never seen, or the database does not answer.
    pub async fn vm_view(&self, vcenter: VcenterId, vm: &VmRef) -> Result<VmView, AppError> {
        let vm = self.vm(vcenter, vm).await?;
        let disks = self.disk_places(vcenter, &vm.object.object).await?;
        let places: BTreeMap<ManagedRef, Place> = self
            .places(vcenter, None)
            .await?
            .into_iter()
            .map(|place| (place.object.object.clone(), place.object))
            .collect();
        let known: Vec<Network> =
            self.networks(vcenter).await?.into_iter().map(|network| network.object).collect();
        let network = |of: &NicNetwork| {
            let key = of.key()?;
            let is = |one: &&Network| {
                one.portgroup_key.as_deref() == Some(key) || one.object.id == key || one.name == key
            };
            known.iter().find(is).cloned()
        };
        let place = |of: &Option<ManagedRef>| of.as_ref().and_then(|object| places.get(object));
        let host = place(&vm.object.host);
        let cluster = host.and_then(|host| place(&host.parent));
        let (mut folders, mut at) = (Vec::new(), place(&vm.object.parent));
        while let Some(folder) = at.filter(|_| folders.len() < 32) {
            folders.push(folder.name.clone());
            at = place(&folder.parent).filter(|above| above.kind != PlaceKind::Datacenter);
        }
        folders.reverse();
        Ok(VmView {
            networks: vm.object.hardware.nics.iter().map(|nic| network(&nic.network)).collect(),
            host: host.map(|host| host.name.clone()),
            cluster: cluster.filter(|one| one.kind == PlaceKind::Cluster).map(|one| one.name.clone()),
            folder: folders.join("/"),
            pool: place(&vm.object.pool).map(|pool| pool.name.clone()),
            vm,
            disks,
        })
    }

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
        found.ok_or_else(|| {
            AppError::NotFound(format!("vCenter connection {vcenter} has no virtual machine {vm}"))
        })
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
