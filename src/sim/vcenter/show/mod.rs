//! How the simulated vCenter looks to a client: the properties of its managed objects.
//!
//! In: reading. Out: changing. Everything here is worked out of [`World`] when it is asked for, so that a summary
//! cannot say anything else than the configuration that it sums up.

mod compute;
mod datastore;
mod entity;
mod host;
mod network;
mod service;
mod task;
mod vm;
mod vm_config;
mod vm_files;
mod vm_guest;
mod vm_state;

use super::session::Session;
use super::soap::{Data, Fault, Moref, Value, schema};
use super::world::{Body, World};

pub(super) use service::{SINGLETONS, content};

/// What a session sees of a world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'a> {
    pub(super) world: &'a World,
    pub(super) session: Option<&'a Session>,
}

/// Parts of a host, a cluster or a datastore that have references of their own: prefix, type, type of the owner.
const PARTS: [(&str, &str, &str); 6] = [
    ("datastoreSystem-", "HostDatastoreSystem", "HostSystem"),
    ("storageSystem-", "HostStorageSystem", "HostSystem"),
    ("networkSystem-", "HostNetworkSystem", "HostSystem"),
    ("EsxHostAdvSettings-", "OptionManager", "HostSystem"),
    ("datastoreBrowser-", "HostDatastoreBrowser", "Datastore"),
    ("envbrowser-", "EnvironmentBrowser", "ClusterComputeResource"),
];

/// The reference of a part of an object.
pub(super) fn part(kind: &'static str, owner: &Moref) -> Moref {
    let prefix = PARTS.iter().find(|(_, of, _)| *of == kind).map_or("", |(prefix, _, _)| prefix);
    Moref::new(kind, format!("{prefix}{}", owner.id))
}

impl Sight<'_> {
    /// The object that a part belongs to.
    pub(super) fn owner(&self, moref: &Moref) -> Option<Moref> {
        let (prefix, _, owner) =
            PARTS.iter().find(|(prefix, kind, _)| *kind == moref.kind && moref.id.starts_with(prefix))?;
        let object = self.world.objects.get(&moref.id[prefix.len()..])?;
        (object.moref.kind == *owner).then(|| object.moref.clone())
    }

    pub(super) fn must_exist(&self, moref: &Moref) -> Result<(), Fault> {
        let exists = SINGLETONS.iter().any(|(kind, id)| *kind == moref.kind && *id == &*moref.id)
            || self.world.object(moref).is_ok()
            || self.session.is_some_and(|session| session.has(moref))
            || self.owner(moref).is_some();
        if exists { Ok(()) } else { Err(Fault::gone(moref)) }
    }

    /// The number of the last change to an object.
    pub(super) fn changed(&self, moref: &Moref) -> u64 {
        match self.world.objects.get(&moref.id) {
            Some(object) => object.changed,
            // Services and parts change with whatever they show.
            None => self.world.change,
        }
    }

    pub(super) fn views_changed(&self) -> u64 {
        self.session.map_or(0, |session| session.views_changed)
    }

    /// A property of an object; None if it is not set.
    pub(super) fn property(&self, moref: &Moref, name: &str) -> Result<Option<Value>, Fault> {
        let Some(field) = schema().get(moref.kind).and_then(|ty| ty.field(name)) else {
            return Err(Fault::invalid_property(name));
        };
        let value = self.value(moref, name)?;
        Ok(value.filter(|value| {
            !field.optional || field.array || !matches!(value, Value::List(list) if list.is_empty())
        }))
    }

    fn value(&self, moref: &Moref, name: &str) -> Result<Option<Value>, Fault> {
        if let Ok(object) = self.world.object(moref) {
            if let Some(value) = self.entity_property(object, name) {
                return Ok(value);
            }
            let world = self.world;
            return Ok(match &object.body {
                Body::Vm(vm) => self.vm_property(object, vm, name),
                Body::Host(host) => self.host_property(object, host, name),
                Body::Cluster(cluster) => self.cluster_property(object, cluster, name),
                Body::Pool(pool) => self.pool_property(object, pool, name),
                Body::Datastore(datastore) => self.datastore_property(object, datastore, name),
                Body::Network(network) => self.network_property(object, network, name),
                Body::Portgroup(portgroup) => self.portgroup_property(object, portgroup, name),
                Body::Switch(switch) => self.switch_property(object, switch, name),
                Body::Task(task) => (name == "info").then(|| task::info(world, &object.moref, task).into()),
                Body::Snapshot(snapshot) => self.snapshot_property(snapshot, object, name),
                Body::Folder(folder) => match name {
                    "childType" => {
                        Some(folder.types.iter().map(|ty| Value::from(*ty)).collect::<Vec<_>>().into())
                    }
                    "childEntity" => Some(folder.children.clone().into()),
                    _ => None,
                },
                Body::Datacenter(_) => self.datacenter_property(object, name),
            });
        }
        self.must_exist(moref)?;
        Ok(match self.owner(moref) {
            Some(owner) => self.part_property(moref, &owner, name),
            None => self.service_property(moref, name),
        })
    }
}

/// A list of data objects as a value.
fn list(items: impl IntoIterator<Item = Data>) -> Option<Value> {
    Some(items.into_iter().collect::<Vec<_>>().into())
}
