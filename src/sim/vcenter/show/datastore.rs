//! Datastores.

use super::{Sight, list, part};
use crate::sim::vcenter::soap::{Data, Moref, Value, data};
use crate::sim::vcenter::world::{Backing, Datastore, Object};

impl Sight<'_> {
    pub(super) fn datastore_property(
        &self,
        object: &Object,
        datastore: &Datastore,
        name: &str,
    ) -> Option<Value> {
        match name {
            "info" => Some(info(object, datastore).into()),
            "summary" => Some(self.datastore_summary(object, datastore).into()),
            "host" => list(datastore.hosts.iter().map(|host| {
                data("DatastoreHostMount").with("key", host).with("mountInfo", mount_info(datastore))
            })),
            "vm" => {
                let mut vms: Vec<Moref> = self
                    .world
                    .vms()
                    .filter(|(_, vm)| self.world.datastores_of(vm).contains(&object.moref))
                    .map(|(object, _)| object.moref.clone())
                    .collect();
                vms.sort_by_key(crate::sim::vcenter::world::age);
                Some(vms.into())
            }
            "browser" => Some(part("HostDatastoreBrowser", &object.moref).into()),
            "capability" => Some(
                data("DatastoreCapability")
                    .with("directoryHierarchySupported", true)
                    .with("rawDiskMappingsSupported", datastore.kind() == "VMFS")
                    .with("perFileThinProvisioningSupported", true)
                    .with("storageIORMSupported", true)
                    .with("nativeSnapshotSupported", false)
                    .with("seSparseSupported", true)
                    .into(),
            ),
            _ => None,
        }
    }

    fn datastore_summary(&self, object: &Object, datastore: &Datastore) -> Data {
        data("DatastoreSummary")
            .with("datastore", &object.moref)
            .with("name", object.name.clone())
            .with("url", datastore.url())
            .with("capacity", datastore.capacity)
            .with("freeSpace", datastore.free)
            .with("uncommitted", 0)
            .with("accessible", datastore.accessible)
            .with("multipleHostAccess", datastore.hosts.len() > 1)
            .with("type", datastore.kind())
            .with("maintenanceMode", "normal")
    }

    /// The file systems that a host has mounted.
    pub(super) fn mounts(&self, host: &Moref) -> Data {
        let world = self.world;
        let infos = world.datastores_on(host).into_iter().filter_map(|moref| {
            let datastore = world.datastore(&moref).ok()?;
            Some(
                data("HostFileSystemMountInfo")
                    .with("mountInfo", mount_info(datastore))
                    .with("volume", volume(world.name(&moref), datastore)),
            )
        });
        let infos: Vec<_> = infos.collect();
        data("HostFileSystemVolumeInfo")
            .with("volumeTypeList", vec!["VMFS".to_owned(), "NFS".to_owned(), "NFS41".to_owned()])
            .with("mountInfo", infos)
    }
}

fn mount_info(datastore: &Datastore) -> Data {
    let read_only = matches!(datastore.backing, Backing::Nas { read_only: true, .. });
    data("HostMountInfo")
        .with("path", format!("/vmfs/volumes/{}", datastore.volume))
        .with("accessMode", if read_only { "readOnly" } else { "readWrite" })
        .with("mounted", true)
        .with("accessible", datastore.accessible)
        .maybe("inaccessibleReason", (!datastore.accessible).then_some("AllPathsDown_Start"))
}

fn volume(name: &str, datastore: &Datastore) -> Data {
    match &datastore.backing {
        Backing::Nas { export, kind, .. } => data("HostNasVolume")
            .with("type", *kind)
            .with("name", name.to_owned())
            .with("capacity", datastore.capacity)
            .with("remoteHost", &export.server)
            .with("remotePath", &export.path)
            .with("remoteHostNames", vec![export.server.clone()])
            .with("protocolEndpoint", false),
        Backing::Vmfs(_) => data("HostVmfsVolume")
            .with("type", "VMFS")
            .with("name", name.to_owned())
            .with("capacity", datastore.capacity)
            .with("blockSizeMb", 1)
            .with("maxBlocks", 63 * 1024 * 1024)
            .with("majorVersion", 6)
            .with("version", "6.82")
            .with("uuid", &datastore.volume)
            .with(
                "extent",
                vec![
                    data("HostScsiDiskPartition")
                        .with("diskName", format!("naa.{}", datastore.volume.replace('-', "")))
                        .with("partition", 1),
                ],
            )
            .with("vmfsUpgradable", false),
    }
}

fn info(object: &Object, datastore: &Datastore) -> Data {
    let (ty, field) = match datastore.backing {
        Backing::Vmfs(_) => ("VmfsDatastoreInfo", "vmfs"),
        Backing::Nas { .. } => ("NasDatastoreInfo", "nas"),
    };
    let largest = 62_i64 << 40;
    let info = match datastore.backing {
        Backing::Vmfs(_) => {
            data(ty).with("maxPhysicalRDMFileSize", largest).with("maxVirtualRDMFileSize", largest)
        }
        Backing::Nas { .. } => data(ty),
    };
    info.with("name", object.name.clone())
        .with("url", datastore.url())
        .with("freeSpace", datastore.free)
        .with("maxFileSize", 62_i64 << 40)
        .with("maxVirtualDiskCapacity", 62_i64 << 40)
        .with("maxMemoryFileSize", 8_i64 << 40)
        .with("containerId", "")
        .with(field, volume(&object.name, datastore))
}
