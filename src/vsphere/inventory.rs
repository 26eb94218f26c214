//! Which properties the inventory is made of, and how they become its objects. Leaves wherever the schema allows:
//! a path into a subtype's own fields makes a real vCenter refuse the whole call.

use std::collections::{BTreeMap, BTreeSet};

use super::hardware::read_hardware;
use super::property::{Change, ObjectContent, ObjectUpdate, PropertySet};
use super::xml::Node;
use crate::domain::hardware::{Firmware, PowerState};
use crate::domain::inventory::{Datastore, Inventory, Network, NfsExport, Place, PlaceKind, Vm};
use crate::domain::moref::{DatastoreRef, EsxiRef, ManagedRef, VmRef};

/// The types that the inventory is made of, for a view of them. Subtypes are named too: some servers take a type
/// for itself alone.
pub const KINDS: [&str; 13] = [
    "Datacenter",
    "ComputeResource",
    "ClusterComputeResource",
    "HostSystem",
    "ResourcePool",
    "VirtualApp",
    "Folder",
    "DistributedVirtualSwitch",
    "VmwareDistributedVirtualSwitch",
    "Datastore",
    "Network",
    "DistributedVirtualPortgroup",
    "VirtualMachine",
];

/// What is read of each.
pub fn property_sets() -> Vec<PropertySet> {
    let set = |kind, more: &[&'static str]| {
        let paths = ["name", "parent"].into_iter().chain(more.iter().copied()).collect();
        PropertySet { kind, paths }
    };
    vec![
        set("Datacenter", &["vmFolder", "hostFolder", "datastoreFolder", "networkFolder"]),
        set("ComputeResource", &["resourcePool"]),
        set("ClusterComputeResource", &["resourcePool"]),
        set(
            "HostSystem",
            &[
                "runtime.connectionState",
                "runtime.inMaintenanceMode",
                "config.product.fullName",
                "config.product.version",
                "config.network.portgroup",
            ],
        ),
        set("ResourcePool", &[]),
        set("VirtualApp", &[]),
        set("Folder", &["childType"]),
        set("DistributedVirtualSwitch", &["uuid"]),
        set("VmwareDistributedVirtualSwitch", &["uuid"]),
        set(
            "Datastore",
            &["summary.type", "summary.capacity", "summary.freeSpace", "summary.accessible", "info", "host"],
        ),
        set("Network", &[]),
        set(
            "DistributedVirtualPortgroup",
            &["key", "config.distributedVirtualSwitch", "config.defaultPortConfig"],
        ),
        set(
            "VirtualMachine",
            &[
                "config.template",
                "config.instanceUuid",
                "config.uuid",
                "config.guestFullName",
                "config.guestId",
                "config.firmware",
                "config.files.vmPathName",
                "config.hardware.numCPU",
                "config.hardware.memoryMB",
                "config.hardware.device",
                "runtime.powerState",
                "runtime.host",
                "runtime.question",
                "guest.hostName",
                "guest.ipAddress",
                "guest.toolsRunningStatus",
                "resourcePool",
                "datastore",
                "snapshot.rootSnapshotList",
            ],
        ),
    ]
}

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A place, and the VLANs of the standard port groups that it has if it is a host.
    Place(Place, Vec<(String, String)>),
    /// A datastore.
    Datastore(Datastore),
    /// A network.
    Network(Network),
    /// A virtual machine.
    Vm(Box<Vm>),
}

/// Reads an object. None: of a type that does not belong to the inventory, or without a name.
pub fn read(content: ObjectContent) -> Option<Item> {
    let name = decoded(content.text("name")?);
    let parent = content.get("parent").and_then(Node::reference);
    let place = |kind, facts| {
        let place =
            Place { object: content.object.clone(), kind, name: name.clone(), parent: parent.clone(), facts };
        Some(Item::Place(place, Vec::new()))
    };
    let facts = |paths: &[(&str, &str)]| -> BTreeMap<String, String> {
        let fact = |(key, path): &(&str, &str)| Some(((*key).to_owned(), content.text(path)?.to_owned()));
        paths.iter().filter_map(fact).collect()
    };
    match content.object.kind.as_str() {
        "Datacenter" => place(
            PlaceKind::Datacenter,
            facts(&[
                ("vm_folder", "vmFolder"),
                ("host_folder", "hostFolder"),
                ("datastore_folder", "datastoreFolder"),
                ("network_folder", "networkFolder"),
            ]),
        ),
        "ClusterComputeResource" => place(PlaceKind::Cluster, facts(&[("pool", "resourcePool")])),
        "ComputeResource" => place(PlaceKind::StandaloneHost, facts(&[("pool", "resourcePool")])),
        "HostSystem" => {
            let facts = facts(&[
                ("connection", "runtime.connectionState"),
                ("maintenance", "runtime.inMaintenanceMode"),
                ("product", "config.product.fullName"),
                ("version", "config.product.version"),
            ]);
            let vlans = content.get("config.network.portgroup").map(standard_vlans).unwrap_or_default();
            let place = Place { object: content.object, kind: PlaceKind::Host, name, parent, facts };
            Some(Item::Place(place, vlans))
        }
        "ResourcePool" | "VirtualApp" => place(PlaceKind::Pool, BTreeMap::new()),
        "Folder" => {
            let types = content.get("childType").map(Node::children).unwrap_or_default();
            let types: Vec<_> = types.iter().map(Node::text).collect();
            place(PlaceKind::Folder, BTreeMap::from([("holds".to_owned(), types.join(" "))]))
        }
        "DistributedVirtualSwitch" | "VmwareDistributedVirtualSwitch" => {
            place(PlaceKind::Switch, facts(&[("uuid", "uuid")]))
        }
        "Datastore" => Some(Item::Datastore(datastore(&content, name, parent))),
        "Network" | "DistributedVirtualPortgroup" | "OpaqueNetwork" => {
            Some(Item::Network(network(&content, name, parent)))
        }
        "VirtualMachine" => Some(Item::Vm(Box::new(vm(&content, name, parent)))),
        _ => None,
    }
}

/// An object that came into view, which brings all its properties.
pub fn read_entered(update: ObjectUpdate) -> Option<Item> {
    debug_assert_eq!(update.change, Change::Entered);
    let properties = update.properties.into_iter().filter_map(|(path, value)| Some((path, value?))).collect();
    read(ObjectContent { object: update.object, properties, missing: Vec::new() })
}

/// Puts objects together. Standard networks get the VLAN that the hosts' port groups of that name have.
pub fn assemble(items: impl IntoIterator<Item = Item>) -> Inventory {
    let (mut inventory, mut vlans) = (Inventory::default(), BTreeMap::<String, BTreeSet<String>>::new());
    let mut networks = BTreeSet::new();
    for item in items {
        match item {
            Item::Place(place, found) => {
                inventory.places.push(place);
                found.into_iter().for_each(|(name, vlan)| {
                    vlans.entry(name).or_default().insert(vlan);
                });
            }
            Item::Datastore(datastore) => inventory.datastores.push(datastore),
            // Some servers name a network twice.
            Item::Network(network) if networks.insert(network.object.clone()) => {
                inventory.networks.push(network)
            }
            Item::Network(_) => {}
            Item::Vm(vm) => inventory.vms.push(*vm),
        }
    }
    for network in inventory.networks.iter_mut().filter(|one| one.object.kind == "Network") {
        if let Some(found) = vlans.get(&network.name) {
            let words: Vec<_> = found.iter().filter(|vlan| *vlan != "0").cloned().collect();
            network.vlan = (!words.is_empty()).then(|| words.join(" or "));
        }
    }
    inventory
}

/// vSphere writes `%`, `/` and `\` in names as `%25`, `%2f` and `%5c`.
fn decoded(name: &str) -> String {
    let mut out = name.to_owned();
    for (code, character) in [("%2f", "/"), ("%2F", "/"), ("%5c", "\\"), ("%5C", "\\"), ("%25", "%")] {
        out = out.replace(code, character);
    }
    out
}

fn standard_vlans(portgroups: &Node) -> Vec<(String, String)> {
    let one = |group: &Node| Some((group.string_at("spec.name")?, group.string_at("spec.vlanId")?));
    portgroups.children().iter().filter_map(one).collect()
}

fn datastore(content: &ObjectContent, name: String, parent: Option<ManagedRef>) -> Datastore {
    let number = |path| content.text(path).and_then(|text| text.parse::<i64>().ok());
    let bytes = |path| number(path).and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
    let nas = content.get("info").and_then(|info| info.child("nas"));
    let nfs = nas.and_then(|nas| {
        Some(NfsExport { host: nas.string_at("remoteHost")?, path: nas.string_at("remotePath")? })
    });
    let mounts = content.get("host").map(Node::children).unwrap_or_default();
    let mounted = mounts.iter().filter(|mount| mount.flag_at("mountInfo.mounted") != Some(false));
    Datastore {
        object: DatastoreRef::new(&*content.object.id),
        name,
        parent,
        kind: content.text("summary.type").unwrap_or("unknown").to_owned(),
        capacity_bytes: bytes("summary.capacity"),
        free_bytes: bytes("summary.freeSpace"),
        accessible: content.get("summary.accessible").and_then(Node::flag).unwrap_or(false),
        nfs,
        hosts: mounted.filter_map(|mount| mount.text_at("key")).map(EsxiRef::new).collect(),
    }
}

fn network(content: &ObjectContent, name: String, parent: Option<ManagedRef>) -> Network {
    let vlan = content.get("config.defaultPortConfig").and_then(|config| config.child("vlan"));
    let vlan = vlan.and_then(|vlan| {
        // A number, ranges of a trunk, or the secondary id of a private VLAN.
        let ranges: Vec<_> = vlan
            .all("vlanId")
            .filter_map(|id| match (id.text_at("start"), id.text_at("end")) {
                (Some(start), Some(end)) => Some(format!("{start}-{end}")),
                _ => Some(id.text().to_owned()).filter(|text| !text.is_empty() && text != "0"),
            })
            .collect();
        let private = vlan.text_at("pvlanId").map(|id| format!("private {id}"));
        private.or_else(|| (!ranges.is_empty()).then(|| ranges.join(", ")))
    });
    Network {
        object: content.object.clone(),
        name,
        parent,
        vlan,
        portgroup_key: content.text("key").map(str::to_owned),
        switch: content.get("config.distributedVirtualSwitch").and_then(Node::reference),
    }
}

fn vm(content: &ObjectContent, name: String, parent: Option<ManagedRef>) -> Vm {
    let text = |path| content.text(path).map(str::to_owned);
    let reference = |path| content.get(path).and_then(Node::reference);
    let mebibytes = content.text("config.hardware.memoryMB").and_then(|text| text.parse::<u64>().ok());
    let datastores = content.get("datastore").map(Node::children).unwrap_or_default();
    Vm {
        object: VmRef::new(&*content.object.id),
        name,
        parent,
        template: content.get("config.template").and_then(Node::flag).unwrap_or(false),
        instance_uuid: text("config.instanceUuid"),
        bios_uuid: text("config.uuid"),
        power: match content.text("runtime.powerState") {
            Some("poweredOn") => PowerState::On,
            Some("poweredOff") => PowerState::Off,
            Some("suspended") => PowerState::Suspended,
            _ => PowerState::Unknown,
        },
        guest: text("config.guestFullName"),
        guest_id: text("config.guestId"),
        guest_host_name: text("guest.hostName"),
        guest_ip: text("guest.ipAddress"),
        tools: text("guest.toolsRunningStatus"),
        cpus: content.text("config.hardware.numCPU").and_then(|text| text.parse().ok()).unwrap_or(0),
        memory_bytes: mebibytes.unwrap_or(0).saturating_mul(1 << 20),
        firmware: match content.text("config.firmware") {
            Some("bios") => Some(Firmware::Bios),
            Some("efi") => Some(Firmware::Efi),
            _ => None,
        },
        path: text("config.files.vmPathName"),
        host: reference("runtime.host"),
        pool: reference("resourcePool"),
        has_snapshot: content
            .get("snapshot.rootSnapshotList")
            .is_some_and(|list| !list.children().is_empty()),
        has_question: content.get("runtime.question").is_some(),
        datastores: datastores
            .iter()
            .filter_map(Node::reference)
            .map(|one| DatastoreRef::new(one.id))
            .collect(),
        hardware: content.get("config.hardware.device").map(read_hardware).unwrap_or_default(),
    }
}
