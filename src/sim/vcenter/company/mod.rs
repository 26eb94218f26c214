//! The inventory that a simulated site begins with: a small company's, or as many machines as one wants.

mod roles;

use super::methods::extent_of;
use super::options::{NfsDatastore, Options};
use super::soap::{Data, Fault, Moref, Value, data};
use super::world::{
    Address, Backing, Body, Cluster, Datacenter, Datastore, Folder, Guest, Host, HostPortgroup, Network,
    Pool, Portgroup, Power, Switch, Vlan, Vm, World, network_backing,
};
use crate::sim::exports::Export;
use roles::{LINUX, ROLES, Role, TEMPLATES, WINDOWS, number_of, role_of};

const GIB: u64 = 1 << 30;
/// Machines per host before there is another one.
const PER_HOST: usize = 40;

const PORTGROUPS: [(&str, i64); 6] = [
    ("Servers", 110),
    ("DMZ", 120),
    ("Databases", 130),
    ("Clients", 140),
    ("Replication", 150),
    ("Isolated test", 199),
];

/// A site while it is made.
struct Site {
    world: World,
    datacenter: Moref,
    folders: Vec<(&'static str, Moref)>,
    pool: Moref,
    hosts: Vec<Moref>,
    /// By name as in [`PORTGROUPS`].
    networks: Vec<(&'static str, Moref)>,
    standard: Moref,
    local: Vec<Moref>,
    nfs: Vec<Moref>,
    san: Moref,
}

/// Makes the inventory.
pub(super) fn build(options: Options) -> Result<World, Fault> {
    let mut world = World::new(options, String::new());
    world.uuid = world.new_uuid("a1b2");
    let mut site = frame(world)?;
    site.datastores()?;
    site.pool_tree();
    let count = site.world.options.vms;
    let templates = if site.world.options.esxi { &[][..] } else { &TEMPLATES[..] };
    for (index, role) in templates.iter().enumerate() {
        let vm = site.machine(role, role.name, index, &site.san.clone())?;
        let vm = site.world.vm_mut(&vm)?;
        vm.template = true;
        if role.name.ends_with("-zfs") {
            vm.extra.insert("sim.machine".to_owned(), "appliance".to_owned());
        }
        vm.pool = None;
    }
    for index in 0..count {
        let role = &ROLES[role_of(index)];
        let name = format!("{}{:02}", role.name, number_of(index));
        let datastore = match index % 10 {
            0..=5 => site.nfs.get(index / 10 % site.nfs.len().max(1)).cloned(),
            9 => site.local.get(index % site.local.len().max(1)).cloned(),
            _ => None,
        };
        let datastore = datastore.unwrap_or_else(|| site.san.clone());
        let vm = site.machine(role, &name, index, &datastore)?;
        // Every twelfth machine is off, as somewhere always.
        if index % 12 != 11 {
            site.running(&vm, index)?;
        }
    }
    for datastore in [&site.local, &site.nfs].into_iter().flatten().chain([&site.san]) {
        site.world.refresh(datastore)?;
    }
    site.world.events.clear();
    Ok(site.world)
}

fn folder(world: &mut World, parent: &Moref, name: &str, prefix: &str, types: &[&'static str]) -> Moref {
    let moref = world.fresh("Folder", prefix);
    world.put(moref.clone(), name, Some(parent.clone()), Body::Folder(Folder::of(types)));
    moref
}

/// Datacenter, folders, cluster, hosts, networks.
fn frame(mut world: World) -> Result<Site, Fault> {
    let name = world.options.site.clone();
    let datacenter = world.fresh("Datacenter", "datacenter-");
    let vm_folder =
        folder(&mut world, &datacenter, "vm", "group-v", &["Folder", "VirtualMachine", "VirtualApp"]);
    let host_folder = folder(&mut world, &datacenter, "host", "group-h", &["Folder", "ComputeResource"]);
    let datastore_folder =
        folder(&mut world, &datacenter, "datastore", "group-s", &["Folder", "Datastore", "StoragePod"]);
    let network_folder = folder(
        &mut world,
        &datacenter,
        "network",
        "group-n",
        &["Folder", "Network", "DistributedVirtualSwitch"],
    );
    let body = Datacenter {
        vm_folder: vm_folder.clone(),
        host_folder: host_folder.clone(),
        datastore_folder,
        network_folder: network_folder.clone(),
    };
    let root = world.root.clone();
    world.put(datacenter.clone(), &format!("DC-{name}"), Some(root), Body::Datacenter(body));
    let types = ["Folder", "VirtualMachine", "VirtualApp"];
    let esxi = world.options.esxi;
    let folders = ["Business", "Databases", "Web", "Infrastructure", "Desktops", "Templates"].map(|name| {
        // A single host keeps all its machines in one folder.
        let mut own = || folder(&mut world, &vm_folder, name, "group-v", &types);
        (name, if esxi { vm_folder.clone() } else { own() })
    });
    let kind = if esxi { "ComputeResource" } else { "ClusterComputeResource" };
    let cluster = world.fresh(kind, "domain-c");
    let pool = world.fresh("ResourcePool", "resgroup-");
    world.put(
        pool.clone(),
        "Resources",
        Some(cluster.clone()),
        Body::Pool(Pool { owner: cluster.clone(), children: Vec::new() }),
    );
    let body = Cluster { hosts: Vec::new(), pool: pool.clone() };
    world.put(cluster.clone(), &format!("CL-{name}"), Some(host_folder), Body::Cluster(body));
    let count = if esxi { 1 } else { world.options.vms.div_ceil(PER_HOST).max(3) };
    let octet = world.site_octet();
    let mut hosts = Vec::new();
    for number in 1..=count {
        let moref = world.fresh("HostSystem", "host-");
        let host = Host {
            uuid: world.new_uuid("4c4c"),
            address: format!("10.{octet}.{}.{}", number / 250, 10 + number % 240),
            cores: 56,
            memory: 1024 * GIB as i64,
            connection: "connected",
            maintenance: false,
            portgroups: vec![HostPortgroup {
                name: "VM Network".to_owned(),
                vlan: 0,
                switch: "vSwitch0".to_owned(),
            }],
            settings: vec![
                ("NFS.MaxVolumes".to_owned(), i64::from(world.options.nfs_max_volumes)),
                ("NFS41.MaxVolumes".to_owned(), 32),
                ("NFS.MaxQueueDepth".to_owned(), 4_294_967_295),
                ("Net.TcpipHeapSize".to_owned(), 32),
                ("Net.TcpipHeapMax".to_owned(), 1536),
            ],
        };
        let host_name = format!("esx{number:02}.{name}.example");
        world.put(moref.clone(), &host_name, Some(cluster.clone()), Body::Host(Box::new(host)));
        hosts.push(moref);
    }
    let standard = world.fresh("Network", "network-");
    let network = Network { vlan: 0, hosts: hosts.clone() };
    world.put(standard.clone(), "VM Network", Some(network_folder.clone()), Body::Network(network));
    let folders = folders.to_vec();
    let networks = if esxi { Vec::new() } else { distributed(&mut world, &network_folder, &hosts)? };
    let san = datacenter.clone();
    let (local, nfs) = (Vec::new(), Vec::new());
    Ok(Site { world, datacenter, folders, pool, hosts, networks, standard, local, nfs, san })
}

/// A distributed switch and its port groups, by the names that roles have for them.
fn distributed(
    world: &mut World,
    network_folder: &Moref,
    hosts: &[Moref],
) -> Result<Vec<(&'static str, Moref)>, Fault> {
    let name = world.options.site.clone();
    let switch = world.fresh("VmwareDistributedVirtualSwitch", "dvs-");
    let uuid = world.new_uuid("5011");
    let hex = uuid.replace('-', "");
    let pairs: Vec<_> = hex.as_bytes().chunks(2).map(String::from_utf8_lossy).collect();
    let uuid = format!("{}-{}", pairs[..8].join(" "), pairs[8..].join(" "));
    let body = Switch { uuid, portgroups: Vec::new(), hosts: hosts.to_vec() };
    world.put(switch.clone(), &format!("DSwitch-{name}"), Some(network_folder.clone()), Body::Switch(body));
    let mut networks = Vec::new();
    let mut groups: Vec<(String, Vlan, &'static str)> = PORTGROUPS
        .iter()
        .map(|(group, vlan)| (format!("{group} (VLAN {vlan})"), Vlan::Id(*vlan), *group))
        .collect();
    groups.push((format!("DSwitch-{name}-Uplinks"), Vlan::Trunk(0, 4094), ""));
    for (group, vlan, short) in groups {
        let moref = world.fresh("DistributedVirtualPortgroup", "dvportgroup-");
        let key = moref.id.to_string();
        let body = Portgroup { key, switch: switch.clone(), vlan, uplink: short.is_empty(), ports: 0 };
        world.put(moref.clone(), &group, Some(network_folder.clone()), Body::Portgroup(body));
        world.switch_mut(&switch)?.portgroups.push(moref.clone());
        networks.push((short, moref));
    }
    Ok(networks)
}

impl Site {
    fn datastore(
        &mut self,
        name: &str,
        backing: Backing,
        capacity: u64,
        hosts: Vec<Moref>,
    ) -> Result<Moref, Fault> {
        let moref = self.world.fresh("Datastore", "datastore-");
        let hex = self.world.new_uuid("").replace('-', "");
        let volume = match backing {
            Backing::Vmfs(_) => format!("{}-{}-{}-{}", &hex[..8], &hex[8..16], &hex[16..20], &hex[20..]),
            Backing::Nas { .. } => format!("{}-{}", &hex[..8], &hex[8..16]),
        };
        let body = Datastore { backing, volume, capacity, free: capacity, accessible: true, hosts };
        let folder = self.world.datacenter(&self.datacenter)?.datastore_folder.clone();
        self.world.put(moref.clone(), name, Some(folder), Body::Datastore(Box::new(body)));
        Ok(moref)
    }

    fn datastores(&mut self) -> Result<(), Fault> {
        let site = self.world.options.site.clone();
        let vmfs = || Backing::Vmfs(crate::sim::files::Tree::default());
        let scale = self.world.options.vms as u64 / 100 + 1;
        let hosts = self.hosts.clone();
        self.san =
            self.datastore(&format!("san-{site}-01"), vmfs(), 20 * 1024 * GIB * scale, hosts.clone())?;
        for (number, host) in hosts.iter().enumerate() {
            let name = format!("local-esx{:02}", number + 1);
            let local = self.datastore(&name, vmfs(), 900 * GIB, vec![host.clone()])?;
            self.local.push(local);
        }
        let octet = self.world.site_octet();
        let own = || {
            ["01", "02"].map(|number| NfsDatastore {
                name: format!("nfs-{site}-{number}"),
                server: format!("10.{octet}.150.11"),
                path: format!("/tank/vm{number}"),
            })
        };
        let wanted = self.world.options.nfs.clone().unwrap_or_else(|| own().to_vec());
        for one in wanted {
            let export = Export::new(one.server, one.path);
            let room = self.world.options.exports.mount(&export).map_err(|error| {
                Fault::new(
                    "NasVolumeNotMounted",
                    format!("the datastore {} cannot be mounted: {error}", one.name),
                )
            })?;
            let backing = Backing::Nas { export, kind: "NFS", read_only: false };
            let datastore = self.datastore(&one.name, backing, room.capacity, hosts.clone())?;
            self.nfs.push(datastore);
        }
        Ok(())
    }

    fn pool_tree(&mut self) {
        let owner = self.world.pool(&self.pool).map(|pool| pool.owner.clone());
        let Ok(owner) = owner else { return };
        for name in ["Production", "Recovery"] {
            let moref = self.world.fresh("ResourcePool", "resgroup-");
            let body = Body::Pool(Pool { owner: owner.clone(), children: Vec::new() });
            self.world.put(moref, name, Some(self.pool.clone()), body);
        }
    }

    /// A machine that is off, with its files.
    fn machine(&mut self, role: &Role, name: &str, index: usize, datastore: &Moref) -> Result<Moref, Fault> {
        let moref = self.world.fresh("VirtualMachine", "vm-");
        let vmx = self.world.path_on(datastore, format!("{name}/{name}.vmx"));
        let hosts = self.world.datastore(datastore)?.hosts.clone();
        let mut vm = Vm::new(vmx, jiff::Timestamp::UNIX_EPOCH);
        // Machines are years old, and not all equally.
        let age = jiff::SignedDuration::from_hours(24 * (200 + index as i64 % 900));
        vm.created = self.world.timestamp().checked_sub(age).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        vm.uuid = self.world.new_uuid("4238");
        vm.instance_uuid = self.world.new_uuid("5038");
        vm.guest_id = role.guest.to_owned();
        vm.firmware = if role.efi { "efi" } else { "bios" }.to_owned();
        vm.secure_boot = role.efi && role.guest != LINUX;
        vm.cpus = role.cpus;
        vm.memory_mb = role.memory_mb;
        vm.annotation = role.note.to_owned();
        vm.cpu_hot_add = index.is_multiple_of(3);
        vm.memory_hot_add = index.is_multiple_of(3);
        vm.host = Some(hosts[index % hosts.len()].clone());
        vm.pool = Some(self.pool.clone());
        vm.extra.insert("disk.EnableUUID".to_owned(), "TRUE".to_owned());
        let scsi =
            if role.guest == WINDOWS { "VirtualLsiLogicSASController" } else { "ParaVirtualSCSIController" };
        vm.devices.push(data(scsi).with("key", 1000).with("busNumber", 0).with("sharedBus", "noSharing"));
        for (number, gib) in role.disks_gib.iter().enumerate() {
            let suffix = if number == 0 { String::new() } else { format!("_{number}") };
            let at = self.world.path_on(datastore, format!("{name}/{name}{suffix}.vmdk"));
            self.world.make_disk(&at, gib * GIB)?;
            self.world.allocate(&extent_of(&at), gib * GIB / 3)?;
            let (backing, capacity) = self.world.open_disk(&at)?;
            let unit = if number < 7 { number } else { number + 1 };
            vm.devices.push(disk(unit, backing, capacity));
        }
        let network =
            self.networks.iter().find(|(short, _)| *short == role.portgroup).map(|(_, moref)| moref.clone());
        if self.world.options.esxi {
            let backing = network_backing(&self.world, &self.standard);
            let mac = self.world.new_mac();
            vm.devices.push(card(backing, mac));
        } else if let Some(network) = network {
            let mut backing = network_backing(&self.world, &network);
            let portgroup = self.world.portgroup_mut(&network)?;
            portgroup.ports += 1;
            let port = portgroup.ports.to_string();
            if let Some(Value::Data(connection)) = backing.get_mut("port") {
                connection.set("portKey", port);
            }
            let mac = self.world.new_mac();
            vm.devices.push(card(backing, mac));
        }
        let stem = format!("{name}/{name}");
        for (ending, size) in [(".nvram", 8684), (".vmsd", 0)] {
            let at = self.world.path_on(datastore, format!("{stem}{ending}"));
            self.world.allocate(&at, size)?;
        }
        let folder = self.folders.iter().find(|(of, _)| *of == role.folder).map(|(_, moref)| moref.clone());
        self.world.put(moref.clone(), name, folder, Body::Vm(Box::new(vm)));
        self.world.save(&moref)?;
        Ok(moref)
    }

    /// Lets a machine have been running for a while.
    fn running(&mut self, moref: &Moref, index: usize) -> Result<(), Fault> {
        let vlan = self
            .world
            .networks_of(self.world.vm(moref)?)
            .first()
            .map_or(0, |network| self.world.vlan_of(network));
        let octet = self.world.site_octet();
        let name = self.world.name(moref).to_owned();
        let now = self.world.timestamp();
        let days = jiff::SignedDuration::from_hours(24 * (1 + index as i64 % 90));
        let vm = self.world.vm_mut(moref)?;
        vm.power = Power::On;
        vm.boots = 1;
        vm.boot_time = now.checked_sub(days).ok();
        let net = format!("10.{octet}.{}", (vlan as usize + index / 200) % 256);
        let address = Address {
            ip: format!("{net}.{}", 20 + index % 200),
            prefix: 24,
            gateway: Some(format!("{net}.1")),
        };
        vm.guest = Guest {
            running: true,
            host_name: Some(name),
            fixed: vec![(4000, address.clone())],
            addresses: vec![(4000, address)],
        };
        Ok(())
    }
}

fn disk(unit: usize, backing: Data, capacity: u64) -> Data {
    data("VirtualDisk")
        .with("key", 2000 + unit)
        .with("backing", backing)
        .with("controllerKey", 1000)
        .with("unitNumber", unit)
        .with("capacityInKB", capacity / 1024)
        .with("capacityInBytes", capacity)
}

fn card(backing: Data, mac: String) -> Data {
    let connect = data("VirtualDeviceConnectInfo")
        .with("startConnected", true)
        .with("allowGuestControl", true)
        .with("connected", true)
        .with("status", "ok");
    data("VirtualVmxnet3")
        .with("key", 4000)
        .with("backing", backing)
        .with("connectable", connect)
        .with("controllerKey", 100)
        .with("unitNumber", 7)
        .with("addressType", "assigned")
        .with("macAddress", mac)
        .with("wakeOnLanEnabled", true)
}
