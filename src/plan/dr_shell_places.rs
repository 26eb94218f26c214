//! Where a DR shell is put: cluster or host, pool, folder, and the datastore of its own files.

use super::dr_shell::{Facts, Wish};
use super::findings::Notes;
use crate::domain::inventory::{Datastore, Place, PlaceKind};
use crate::domain::machine::{Machine, newest_hardware_of};
use crate::domain::moref::{EsxiRef, FolderRef, ManagedRef, PoolRef};
use crate::domain::size::format_bytes;

/// What a virtual machine writes beside its disks before it runs: configuration, NVRAM, logs.
const HOME_BYTES: u64 = 64 << 20;

/// Where it is to run.
pub(super) struct Compute<'a> {
    pub(super) pool: PoolRef,
    pub(super) host: Option<EsxiRef>,
    pub(super) hosts: Vec<&'a Place>,
}

fn told(place: &Place) -> (&str, &str) {
    (&place.object.id, &place.name)
}

pub(super) fn find_compute<'a>(wish: &Wish, facts: &Facts<'a>, notes: &mut Notes) -> Option<Compute<'a>> {
    const KINDS: [PlaceKind; 3] = [PlaceKind::Cluster, PlaceKind::StandaloneHost, PlaceKind::Host];
    let places = facts.places;
    let all = || places.iter().filter(|place| KINDS.contains(&place.kind));
    let chosen = match &wish.host {
        Some(named) => notes.one(("host", "cluster or host"), named, all(), told)?,
        None => {
            let mut groups = all().filter(|place| place.kind != PlaceKind::Host);
            match (groups.next(), groups.next()) {
                (Some(only), None) => only,
                _ => {
                    notes.obstacle("host", "Choose the cluster or host on which the shell is to run.");
                    return None;
                }
            }
        }
    };
    let by_ref = |object: &ManagedRef| places.iter().find(|place| place.object == *object);
    let (host, around) = match chosen.kind {
        PlaceKind::Host => (Some(chosen), chosen.parent.as_ref().and_then(by_ref).unwrap_or(chosen)),
        _ => (None, chosen),
    };
    let inside =
        |place: &&Place| place.kind == PlaceKind::Host && place.parent.as_ref() == Some(&around.object);
    let hosts: Vec<&Place> = match host {
        Some(host) => vec![host],
        None => places.iter().filter(inside).filter(|host| !in_maintenance(host)).collect(),
    };
    if hosts.is_empty() {
        notes.obstacle("host", format!("{} has no host that is known.", around.name));
        return None;
    }
    if let Some(host) = host.filter(|host| in_maintenance(host)) {
        notes.obstacle("host", format!("The host {} is in maintenance mode.", host.name));
    }
    let pool = match &wish.resource_pool {
        Some(named) => {
            let above = |place: &'a Place| {
                std::iter::successors(Some(place), |one| by_ref(one.parent.as_ref()?)).take(64)
            };
            let within = places.iter().filter(|place| {
                place.kind == PlaceKind::Pool && above(place).any(|one| one.object == around.object)
            });
            let within: Vec<&Place> = within.collect();
            notes.one(("resource_pool", "resource pool"), named, within.into_iter(), told)?.object.id.clone()
        }
        None => match around.facts.get("pool") {
            Some(root) => root.clone(),
            None => {
                notes.obstacle("resource_pool", format!("Choose a resource pool in {}.", around.name));
                return None;
            }
        },
    };
    let host = host.map(|host| EsxiRef::new(&*host.object.id));
    Some(Compute { pool: PoolRef::new(pool), host, hosts })
}

fn in_maintenance(host: &Place) -> bool {
    host.facts.get("maintenance").is_some_and(|mode| mode == "true")
}

pub(super) fn find_folder(wish: &Wish, facts: &Facts<'_>, notes: &mut Notes) -> Option<FolderRef> {
    let holds =
        |place: &&Place| place.facts.get("holds").is_none_or(|holds| holds.contains("VirtualMachine"));
    let found = match &wish.folder {
        Some(named) => {
            let all = facts.places.iter().filter(|place| place.kind == PlaceKind::Folder).filter(holds);
            let all: Vec<&Place> = all.collect();
            notes.one(("folder", "folder"), named, all.into_iter(), told)?.object.id.clone()
        }
        None => match facts.places.iter().find_map(|place| place.facts.get("vm_folder")) {
            Some(root) => root.clone(),
            None => {
                notes.obstacle("folder", "Choose the folder of the shell.");
                return None;
            }
        },
    };
    Some(FolderRef::new(found))
}

pub(super) fn find_home<'a>(
    wish: &Wish,
    facts: &Facts<'a>,
    compute: Option<&Compute<'_>>,
    notes: &mut Notes,
) -> Option<&'a Datastore> {
    const FIELD: &str = "home_datastore";
    let Some(named) = &wish.home_datastore else {
        notes.obstacle(FIELD, "Choose the datastore of the shell's own files. It must not be replicated.");
        return None;
    };
    let all = facts.datastores.iter();
    let home = notes.one((FIELD, "datastore"), named, all, |one| (one.object.id(), &one.name))?;
    let name = &home.name;
    if !home.accessible {
        notes.obstacle(FIELD, format!("The datastore {name} cannot be reached by its hosts."));
    }
    if is_of_replication(home, facts.appliance) {
        let pool = facts.appliance.1;
        notes.obstacle(
            FIELD,
            format!(
                "{name} is a protection datastore, a replica or a clone of one: a shell's home must stay where it is when \
                 those change. Choose a local datastore or another export, such as {pool}/nfs."
            ),
        );
    }
    let needed = HOME_BYTES.saturating_add(facts.source.memory_mib << 20);
    if home.free_bytes < needed {
        notes.obstacle(
            FIELD,
            format!(
                "{name} has {} free; the shell's files and its swap file need {}.",
                format_bytes(home.free_bytes),
                format_bytes(needed)
            ),
        );
    }
    let without: Vec<&str> = compute
        .into_iter()
        .flat_map(|compute| &compute.hosts)
        .filter(|host| !home.hosts.iter().any(|mounts| mounts.id() == host.object.id))
        .map(|host| host.name.as_str())
        .collect();
    if !without.is_empty() {
        let message = format!("{name} is not on {}.", without.join(", "));
        let only = compute.is_some_and(|compute| compute.hosts.len() == without.len());
        if only {
            notes.obstacle(FIELD, format!("{message} Choose a datastore that the host has."));
        } else {
            notes.warning(FIELD, format!("{message} The shell cannot run there."));
        }
    }
    Some(home)
}

/// Whether a datastore is a protection datastore, a replica, or a clone of one, on an appliance (what hosts mount, its pool).
pub fn is_of_replication(datastore: &Datastore, (address, pool): (&str, &str)) -> bool {
    let below = format!("/{pool}/zerfaux/");
    datastore.nfs.as_ref().is_some_and(|nfs| {
        nfs.path.starts_with("/srv/zerfaux/") || nfs.host == address && nfs.path.starts_with(&below)
    })
}

/// A virtual machine does not start on a host that does not know its hardware version.
pub(super) fn look_at_version(source: &Machine, compute: &Compute<'_>, notes: &mut Notes) {
    let Some(version) = source.version else { return };
    for host in &compute.hosts {
        let release = host.facts.get("version");
        let newest = release.and_then(|release| newest_hardware_of(release));
        if let (Some(release), Some(newest)) = (release, newest)
            && newest < version
        {
            notes.obstacle(
                "host",
                format!(
                    "{} has hardware version {version}; ESXi {release} on {} runs {newest} at most. Choose another host, \
                     or update it.",
                    source.name, host.name
                ),
            );
        }
    }
}
