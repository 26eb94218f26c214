//! Where the files of a virtual machine lie, as the vCenter says it just now.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::hardware::{PowerState, datastore_path};
use crate::domain::job::Failure;
use crate::domain::moref::{DatastoreRef, EsxiRef, VmRef};
use crate::plan::placement::{Placed, Required};
use crate::vsphere::{Client, Node, ObjectContent, PropertySet, Scope, VsphereError, read_hardware};

const PATHS: [&str; 9] = [
    "name",
    "config.files.vmPathName",
    "config.hardware.device",
    "config.template",
    "datastore",
    "runtime.host",
    "runtime.powerState",
    "runtime.question",
    "snapshot.rootSnapshotList",
];

/// On which datastore each part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layout {
    pub(super) vm: VmRef,
    /// Of the configuration file.
    pub(super) home: DatastoreRef,
    pub(super) disks: Vec<DiskLayout>,
}

/// On which datastore a disk is, with all that it builds upon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DiskLayout {
    pub(super) key: i32,
    pub(super) label: String,
    pub(super) file: String,
    pub(super) capacity_bytes: u64,
    pub(super) datastore: DatastoreRef,
    /// Those of the files that it builds upon, where they are others.
    pub(super) others: Vec<DatastoreRef>,
}

impl Layout {
    /// Whether everything is on that datastore.
    pub(super) fn is_all_on(&self, datastore: &DatastoreRef) -> bool {
        let disk = |disk: &DiskLayout| disk.datastore == *datastore && disk.others.is_empty();
        self.home == *datastore && self.disks.iter().all(disk)
    }

    /// Whether home and disks are on the same datastores as in `other`. Disks that were added since count as well.
    pub(super) fn is_like(&self, other: &Layout) -> bool {
        let same = |disk: &DiskLayout| {
            let now = self.disks.iter().find(|one| one.key == disk.key);
            now.is_none_or(|now| now.datastore == disk.datastore)
        };
        self.home == other.home && other.disks.iter().all(same)
    }
}

async fn properties(client: &Client, vm: &VmRef) -> Result<ObjectContent, VsphereError> {
    client.properties(vm, VmRef::KIND, &PATHS).await
}

/// Where its parts are now.
pub(super) async fn read(client: &Client, vm: &VmRef) -> Result<Layout, Failure> {
    let found = properties(client, vm).await?;
    let names = names_of(client, &found).await?;
    let unknown = |file: &str| {
        Failure::permanent(format!(
            "The vCenter does not say on which datastore {file:?} of {:?} lies.",
            found.text("name").unwrap_or(vm.id())
        ))
        .advise("Look in vCenter whether its files can be reached, then retry.")
    };
    let on = |file: &str| {
        let name = datastore_path(file).map(|(name, _)| name);
        name.and_then(|name| names.get(name)).cloned().ok_or_else(|| unknown(file))
    };
    let home = on(found.text("config.files.vmPathName").unwrap_or_default())?;
    let mut disks = Vec::new();
    for disk in hardware(&found).disks {
        let Some(file) = disk.file else { continue };
        let datastore = match disk.datastore {
            Some(datastore) => datastore,
            None => on(&file)?,
        };
        let mut others = Vec::new();
        for parent in &disk.parents {
            let parent = on(parent)?;
            if parent != datastore && !others.contains(&parent) {
                others.push(parent);
            }
        }
        let (key, label, capacity_bytes) = (disk.key, disk.label, disk.capacity_bytes);
        disks.push(DiskLayout { key, label, file, capacity_bytes, datastore, others });
    }
    Ok(Layout { vm: vm.clone(), home, disks })
}

fn hardware(found: &ObjectContent) -> crate::domain::hardware::Hardware {
    found.get("config.hardware.device").map(read_hardware).unwrap_or_default()
}

/// The datastores that a virtual machine uses, by their names, which are unique within a datacenter.
async fn names_of(client: &Client, vm: &ObjectContent) -> Result<BTreeMap<String, DatastoreRef>, Failure> {
    let list = vm.get("datastore").map(Node::children).unwrap_or_default();
    let objects: Vec<_> = list.iter().filter_map(Node::reference).collect();
    if objects.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sets = [PropertySet { kind: DatastoreRef::KIND, paths: vec!["name"] }];
    let read = client.retrieve(&sets, &Scope::Objects(objects)).await?;
    let named = |one: ObjectContent| Some((one.text("name")?.to_owned(), DatastoreRef::new(&*one.object.id)));
    Ok(read.into_iter().filter_map(named).collect())
}

/// The virtual machine as the plan needs it.
pub(super) async fn placed(client: &Client, vm: &VmRef) -> Result<Placed, Failure> {
    let found = properties(client, vm).await?;
    Ok(Placed {
        name: found.text("name").unwrap_or_default().to_owned(),
        power: match found.text("runtime.powerState") {
            Some("poweredOn") => PowerState::On,
            Some("poweredOff") => PowerState::Off,
            Some("suspended") => PowerState::Suspended,
            _ => PowerState::Unknown,
        },
        template: found.get("config.template").and_then(Node::flag).unwrap_or(false),
        home: found.text("config.files.vmPathName").map(str::to_owned),
        host: found.get("runtime.host").and_then(Node::reference).map(|host| EsxiRef::new(host.id)),
        has_snapshot: found.get("snapshot.rootSnapshotList").is_some_and(|list| !list.children().is_empty()),
        has_question: found.get("runtime.question").is_some(),
        hardware: hardware(&found),
    })
}

/// The datastore as the plan needs it.
pub(super) async fn required(client: &Client, datastore: &DatastoreRef) -> Result<Required, Failure> {
    let paths = ["name", "summary.capacity", "summary.freeSpace", "summary.accessible", "host"];
    let found = client.properties(datastore, DatastoreRef::KIND, &paths).await?;
    let bytes = |path| found.text(path).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let mounts = found.get("host").map(Node::children).unwrap_or_default();
    let mounted = mounts.iter().filter(|mount| mount.flag_at("mountInfo.mounted") != Some(false));
    Ok(Required {
        datastore: datastore.clone(),
        name: found.text("name").unwrap_or_default().to_owned(),
        capacity_bytes: bytes("summary.capacity"),
        free_bytes: bytes("summary.freeSpace"),
        accessible: found.text("summary.accessible") != Some("false"),
        hosts: mounted.filter_map(|mount| mount.text_at("key")).map(EsxiRef::new).collect(),
    })
}
