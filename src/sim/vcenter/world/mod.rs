//! What a simulated vCenter holds: its inventory, its tasks, its events, and what is due when.
//!
//! In: state and the rules that keep it whole. Out: how it looks to a client ([`super::show`]), and the calls that
//! change it ([`super::methods`]).

mod agenda;
mod compute;
mod customize;
mod datastore;
mod device;
mod event;
mod guest;
mod machine;
mod network;
mod snapshot;
mod task;
mod tree;
mod vm;
mod vmx;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::options::Options;
use super::soap::{Data, Fault, Moref};

pub(super) use agenda::Due;
pub(super) use compute::HostPortgroup;
pub(super) use compute::{Cluster, Host, Pool};
pub(super) use customize::check as check_customization;
pub(super) use datastore::{Backing, Datastore, DatastorePath};
pub(super) use device::{
    FIXED_CONTROLLERS, card_network, controller_range, fixed, is_controller, is_disk, is_nic, key_at,
    network_backing, units,
};
pub(super) use event::Occurrence;
pub(super) use guest::{Address, Guest};
pub(super) use network::{Network, Portgroup, Switch, Vlan};
pub(super) use snapshot::Snapshot;
pub(super) use task::{Plan, Task};
pub(super) use tree::{Datacenter, Folder};
pub(super) use vm::{Power, Question, Vm, chain};
pub(super) use vmx::{described, descriptor, parse as parse_vmx};

/// What an object is, beside its name and place.
#[derive(Debug)]
pub(super) enum Body {
    Folder(Folder),
    Datacenter(Datacenter),
    Cluster(Cluster),
    Host(Box<Host>),
    Pool(Pool),
    Network(Network),
    Portgroup(Portgroup),
    Switch(Switch),
    Datastore(Box<Datastore>),
    Vm(Box<Vm>),
    Snapshot(Snapshot),
    Task(Box<Task>),
}

/// A managed object.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) moref: Moref,
    pub(super) name: String,
    pub(super) parent: Option<Moref>,
    /// The number of the last change to it, out of [`World::change`].
    pub(super) changed: u64,
    pub(super) body: Body,
}

/// A vCenter's state.
#[derive(Debug)]
pub(super) struct World {
    pub(super) options: Options,
    pub(super) objects: HashMap<Arc<str>, Object>,
    /// Counts every change.
    pub(super) change: u64,
    /// [`World::change`] when an object last came, went or moved.
    pub(super) structure: u64,
    pub(super) root: Moref,
    pub(super) now: Instant,
    agenda: BTreeMap<(Instant, u64), Due>,
    pub(super) tasks: VecDeque<Moref>,
    pub(super) events: VecDeque<Data>,
    pub(super) specs: BTreeMap<String, Data>,
    /// Whose call is being worked on.
    pub(super) caller: String,
    /// A fault rule's fault for the task that the present call starts.
    pub(super) next_task_fault: Option<Fault>,
    /// The instance UUID of this vCenter.
    pub(super) uuid: String,
    ids: u64,
    leases: u32,
    macs: u32,
}

impl World {
    pub(super) fn new(options: Options, uuid: String) -> Self {
        let root = Moref::new("Folder", "group-d1");
        let macs = options
            .site
            .bytes()
            .fold(options.seed as u32, |sum, byte| sum.wrapping_mul(131) + u32::from(byte))
            << 15
            & 0x3f_0000;
        let mut world = Self {
            options,
            objects: HashMap::new(),
            change: 1,
            structure: 1,
            root: root.clone(),
            now: Instant::now(),
            agenda: BTreeMap::new(),
            tasks: VecDeque::new(),
            events: VecDeque::new(),
            specs: BTreeMap::new(),
            caller: "VSPHERE.LOCAL\\vpxd".to_owned(),
            next_task_fault: None,
            uuid,
            ids: 1,
            leases: 0,
            // Sites that are joined by a network must not share addresses.
            macs,
        };
        world.put(root, "Datacenters", None, Body::Folder(Folder::of(&["Folder", "Datacenter"])));
        world
    }

    /// A reference that nobody has yet: `vm-17`.
    pub(super) fn fresh(&mut self, kind: &'static str, prefix: &str) -> Moref {
        self.ids += 1;
        Moref::new(kind, format!("{prefix}{}", self.ids))
    }

    pub(super) fn put(&mut self, moref: Moref, name: &str, parent: Option<Moref>, body: Body) {
        self.change += 1;
        self.structure = self.change;
        if let Some(parent) = &parent {
            self.adopt(parent, &moref);
        }
        let object =
            Object { moref: moref.clone(), name: name.to_owned(), parent, changed: self.change, body };
        self.objects.insert(moref.id, object);
    }

    /// Takes an object out of the inventory.
    pub(super) fn remove(&mut self, moref: &Moref) {
        let Some(object) = self.objects.remove(&moref.id) else { return };
        self.change += 1;
        self.structure = self.change;
        if let Some(parent) = object.parent {
            self.disown(&parent, moref);
        }
    }

    /// Says that something about an object is not as it was.
    pub(super) fn touch(&mut self, moref: &Moref) {
        self.change += 1;
        let change = self.change;
        if let Some(object) = self.objects.get_mut(&moref.id) {
            object.changed = change;
        }
    }

    /// Says that an object is elsewhere now.
    pub(super) fn restructured(&mut self, moref: &Moref) {
        self.touch(moref);
        self.structure = self.change;
    }

    pub(super) fn object(&self, moref: &Moref) -> Result<&Object, Fault> {
        self.objects
            .get(&moref.id)
            .filter(|object| object.moref.kind == moref.kind)
            .ok_or_else(|| Fault::gone(moref))
    }

    pub(super) fn object_mut(&mut self, moref: &Moref) -> Result<&mut Object, Fault> {
        self.objects
            .get_mut(&moref.id)
            .filter(|object| object.moref.kind == moref.kind)
            .ok_or_else(|| Fault::gone(moref))
    }

    /// The name of an object, or nothing if it is gone.
    pub(super) fn name(&self, moref: &Moref) -> &str {
        self.objects.get(&moref.id).map_or("", |object| &object.name)
    }

    /// A MAC address of those that a vCenter assigns.
    pub(super) fn new_mac(&mut self) -> String {
        self.macs += 1;
        let number = self.macs;
        format!(
            "00:50:56:{:02x}:{:02x}:{:02x}",
            0x80 | number >> 16 & 0x3f,
            number >> 8 & 0xff,
            number & 0xff
        )
    }

    /// A UUID that nothing else of this world has; the same at the same moment of the same world.
    pub(super) fn new_uuid(&mut self, first: &str) -> String {
        self.ids += 1;
        let site = self
            .options
            .site
            .bytes()
            .fold(self.options.seed, |sum, byte| sum.rotate_left(7) ^ u64::from(byte));
        let mixed = (site ^ self.ids.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let second = (mixed ^ self.ids).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        format!(
            "{first}{:04x}-{:04x}-{:04x}-{:04x}-{:012x}",
            mixed >> 48,
            mixed >> 32 & 0xffff,
            mixed >> 16 & 0xffff,
            0x8000 | second >> 50,
            second & 0xffff_ffff_ffff
        )
    }

    /// How long something takes that takes so long in life.
    pub(super) fn pace(&self, life: Duration) -> Duration {
        life.mul_f64(self.options.pace.clamp(0.0, 100.0))
    }

    pub(super) fn timestamp(&self) -> Timestamp {
        Timestamp::now()
    }

    /// All objects of one kind, by age.
    pub(super) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Object> {
        let mut found: Vec<_> = self.objects.values().filter(|object| object.moref.kind == kind).collect();
        found.sort_by_key(|object| age(&object.moref));
        found.into_iter()
    }

    /// All virtual machines, in no order.
    pub(super) fn vms(&self) -> impl Iterator<Item = (&Object, &Vm)> {
        self.objects.values().filter_map(|object| match &object.body {
            Body::Vm(vm) => Some((object, &**vm)),
            _ => None,
        })
    }
}

/// References count upwards, so their number says their age.
pub(super) fn age(moref: &Moref) -> u64 {
    let digits = moref.id.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    digits.parse().unwrap_or(u64::MAX)
}

macro_rules! bodies {
    ($($read:ident $write:ident $variant:ident $ty:ty;)+) => {
        impl World {
            $(
                pub(super) fn $read(&self, moref: &Moref) -> Result<&$ty, Fault> {
                    match &self.object(moref)?.body {
                        Body::$variant(body) => Ok(body),
                        _ => Err(Fault::gone(moref)),
                    }
                }

                /// The same to change it; it counts as changed.
                #[allow(dead_code, reason = "every kind has both, used or not")]
                pub(super) fn $write(&mut self, moref: &Moref) -> Result<&mut $ty, Fault> {
                    self.touch(moref);
                    match &mut self.object_mut(moref)?.body {
                        Body::$variant(body) => Ok(body),
                        _ => Err(Fault::gone(moref)),
                    }
                }
            )+
        }
    };
}

bodies! {
    folder folder_mut Folder Folder;
    cluster cluster_mut Cluster Cluster;
    host host_mut Host Host;
    pool pool_mut Pool Pool;
    network network_mut Network Network;
    portgroup portgroup_mut Portgroup Portgroup;
    switch switch_mut Switch Switch;
    datastore datastore_mut Datastore Datastore;
    vm vm_mut Vm Vm;
    snapshot snapshot_mut Snapshot Snapshot;
    task task_mut Task Task;
}
