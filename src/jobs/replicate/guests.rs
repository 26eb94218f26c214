//! The group's virtual machines at the moment of a checkpoint: what its manifest says of them.
//!
//! Read from their vCenter while the checkpoint is taken. If that does not answer, the run goes on: a copy with what was
//! known before is worth more than none, and the manifest says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::look::Looked;
use crate::domain::epoch::Epoch;
use crate::domain::hardware::{Firmware, NicNetwork, PowerState};
use crate::domain::ids::VcenterId;
use crate::domain::inventory::Vm;
use crate::domain::job::Failure;
use crate::domain::machine::Machine;
use crate::domain::manifest::{Manifest, ManifestVm, Read, Rest};
use crate::domain::moref::VmRef;
use crate::domain::protected_vm::ProtectedVm;
use crate::engine::StepContext;
use crate::jobs::failure::not_kept;
use crate::jobs::vcenters::Vcenters;
use crate::vsphere::{Client, MachineNow, Reason, VsphereError};

/// Nobody waits longer for a vCenter to tell.
const LONGEST: Duration = Duration::from_secs(45);
/// The time for all guests of a group to come to rest, unless said otherwise.
const DEFAULT_LIMIT: u32 = 300;

/// The virtual machines that live on what is replicated: those of the run's group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guests {
    /// The vCenter that has them.
    pub vcenter: VcenterId,
    /// Whether they are to be at rest when the checkpoint is taken.
    #[serde(default)]
    pub quiesce: bool,
    /// For how long they are waited for, all together, in seconds.
    #[serde(default = "default_limit")]
    pub limit_seconds: u32,
}

fn default_limit() -> u32 {
    DEFAULT_LIMIT
}

impl Guests {
    /// Those of this vCenter.
    pub fn of(vcenter: VcenterId, quiesce: bool) -> Self {
        Self { vcenter, quiesce, limit_seconds: DEFAULT_LIMIT }
    }
}

/// A manifest on its way, with what its virtual machines were seen to be.
pub(super) struct Gathered {
    pub(super) manifest: Manifest,
    /// None if the vCenter does not answer.
    pub(super) client: Option<Client>,
    /// What their vCenter says of them, by [`key`].
    pub(super) live: HashMap<String, MachineNow>,
    /// Those whose time was over, by [`key`]: a task of theirs may still bring a VMware snapshot.
    pub(super) late: BTreeSet<String>,
}

/// Looks at all of them. None if the group is gone.
pub(super) async fn gather(
    cx: &StepContext,
    vcenters: &Vcenters,
    looked: &Looked,
    guests: &Guests,
) -> Result<Option<Gathered>, Failure> {
    let (store, group) = (vcenters.store(), looked.group);
    let Some(row) = store.protection_group(group).await.map_err(not_kept)? else { return Ok(None) };
    let protected = store.protected_vms(Some(group)).await.map_err(not_kept)?;
    let mut known = HashMap::new();
    for vm in &protected {
        let all = store.vms_by_instance_uuid(&vm.instance_uuid).await.map_err(not_kept)?;
        if let Some(found) = all.into_iter().find(|one| one.vcenter == guests.vcenter) {
            known.insert(vm.instance_uuid.clone(), found.object);
        }
    }
    let asked = tokio::time::timeout(LONGEST, ask(vcenters, guests.vcenter, &protected, &known)).await;
    let (client, live, silent) = match asked {
        Ok(Ok((client, live))) => (Some(client), live, None),
        Ok(Err(failure)) => (None, HashMap::new(), Some(failure.message)),
        Err(_late) => {
            let why = format!("The vCenter did not answer within {} s.", LONGEST.as_secs());
            (None, HashMap::new(), Some(why))
        }
    };
    let remembered = Remembered {
        seen_at: store.vcenter(guests.vcenter).await.map_err(not_kept)?.and_then(|one| one.synced_at),
        before: match live.len() < protected.len() {
            true => store.newest_manifest(group).await.map_err(not_kept)?,
            false => None,
        },
        because: silent.clone().unwrap_or_else(|| "The vCenter does not have it.".to_owned()),
    };
    let vms: Vec<ManifestVm> = protected
        .iter()
        .map(|vm| match live.get(&key(&vm.instance_uuid)) {
            Some(now) => seen(vm, now),
            None => remembered.of(vm, known.get(&vm.instance_uuid)),
        })
        .collect();
    tell(cx, &vms, silent.as_deref(), &remembered);
    let counter = store.group_epoch(group).await.map_err(not_kept)?;
    let epoch = counter.zip(looked.live).map(|(counter, live)| Epoch { counter, live });
    let networks = names_of_networks(vcenters, guests.vcenter, &vms).await?;
    let manifest = Manifest {
        group,
        group_name: row.name,
        epoch: epoch.map(|one| one.to_string()).unwrap_or_default(),
        taken_at: cx.now(),
        kind: Manifest::kind_of(&vms),
        vms,
        networks,
    };
    Ok(Some(Gathered { manifest, client, live, late: BTreeSet::new() }))
}

/// What the vCenter says of them now, by instance UUID. One that has another reference by now is found by its UUID.
async fn ask(
    vcenters: &Vcenters,
    vcenter: VcenterId,
    protected: &[ProtectedVm],
    known: &HashMap<String, Vm>,
) -> Result<(Client, HashMap<String, MachineNow>), Failure> {
    let client = vcenters.client(vcenter).await?;
    let reference = |vm: &ProtectedVm| {
        known.get(&vm.instance_uuid).map_or_else(|| vm.moref.clone(), |found| found.object.clone())
    };
    let references: Vec<VmRef> = protected.iter().map(reference).collect();
    let found = match client.machines(&references).await {
        // One that is gone spoils the question for all.
        Err(error) if is_missing(&error) => Vec::new(),
        other => other?,
    };
    let mut live: HashMap<String, MachineNow> =
        found.into_iter().filter_map(|now| Some((uuid_of(&now)?, now))).collect();
    for vm in protected {
        if live.contains_key(&key(&vm.instance_uuid)) {
            continue;
        }
        let Some(elsewhere) = client.find_vms_by_uuid(&vm.instance_uuid, true).await?.into_iter().next()
        else {
            continue;
        };
        match client.machines(std::slice::from_ref(&elsewhere)).await {
            Err(error) if is_missing(&error) => {}
            other => live.extend(other?.into_iter().filter_map(|now| Some((uuid_of(&now)?, now)))),
        }
    }
    live.retain(|uuid, _| protected.iter().any(|vm| key(&vm.instance_uuid) == *uuid));
    Ok((client, live))
}

/// By what one is found among the live ones: UUIDs are the same in either case.
pub(super) fn key(uuid: &str) -> String {
    uuid.to_ascii_lowercase()
}

fn uuid_of(now: &MachineNow) -> Option<String> {
    now.machine.instance_uuid.as_deref().map(key)
}

fn is_missing(error: &VsphereError) -> bool {
    matches!(error.reason(), Some(Reason::ObjectNotFound { .. }))
}

fn seen(vm: &ProtectedVm, now: &MachineNow) -> ManifestVm {
    ManifestVm {
        vm: now.vm.clone(),
        instance_uuid: vm.instance_uuid.clone(),
        name: now.machine.name.clone(),
        power: now.power,
        machine: Some(now.machine.clone()),
        read: Read::Vcenter,
        rest: Rest::NotAsked,
    }
}

/// What there is to go by where the vCenter does not tell.
struct Remembered {
    seen_at: Option<jiff::Timestamp>,
    before: Option<Manifest>,
    because: String,
}

impl Remembered {
    fn of(&self, vm: &ProtectedVm, known: Option<&Vm>) -> ManifestVm {
        let before = self.before.as_ref();
        let before = before.and_then(|all| all.vms.iter().find(|one| one.instance_uuid == vm.instance_uuid));
        let before = before.and_then(|one| one.machine.as_ref());
        ManifestVm {
            vm: known.map_or_else(|| vm.moref.clone(), |known| known.object.clone()),
            instance_uuid: vm.instance_uuid.clone(),
            name: known.map_or_else(|| vm.name.clone(), |known| known.name.clone()),
            power: known.map_or(PowerState::Unknown, |known| known.power),
            machine: known.map(|known| rebuilt(known, before)).or_else(|| before.cloned()),
            read: Read::Inventory { seen_at: self.seen_at, because: self.because.clone() },
            rest: Rest::NotAsked,
        }
    }
}

/// The inventory's view of a virtual machine; what an inventory does not have is as an earlier checkpoint had it.
fn rebuilt(known: &Vm, before: Option<&Machine>) -> Machine {
    let or = |of: fn(&Machine) -> bool| before.is_some_and(of);
    Machine {
        name: known.name.clone(),
        instance_uuid: known.instance_uuid.clone(),
        bios_uuid: known.bios_uuid.clone(),
        guest_id: known.guest_id.clone(),
        version: before.and_then(|one| one.version),
        cpus: known.cpus,
        cores_per_socket: before
            .map(|one| one.cores_per_socket)
            .filter(|cores| *cores > 0 && known.cpus.is_multiple_of(*cores))
            .unwrap_or(1),
        memory_mib: known.memory_bytes >> 20,
        firmware: known.firmware.or(before.map(|one| one.firmware)).unwrap_or(Firmware::Bios),
        secure_boot: or(|one| one.secure_boot),
        boot_order: before.map(|one| one.boot_order.clone()).unwrap_or_default(),
        shows_disk_uuids: or(|one| one.shows_disk_uuids),
        is_encrypted: or(|one| one.is_encrypted),
        template: known.template,
        has_snapshot: known.has_snapshot,
        home: known.path.clone(),
        hardware: known.hardware.clone(),
    }
}

fn tell(cx: &StepContext, vms: &[ManifestVm], silent: Option<&str>, remembered: &Remembered) {
    let as_of = remembered.seen_at.map_or_else(
        || "nothing is known of when that was".to_owned(),
        |at| format!("as of {}", at.strftime("%Y-%m-%d %H:%M UTC")),
    );
    if let Some(why) = silent {
        cx.warn(format!(
            "What the virtual machines are made of was not read from their vCenter: {why} The manifest of this \
             checkpoint has what was known before, {as_of}."
        ));
        return;
    }
    for vm in vms.iter().filter(|vm| !matches!(vm.read, Read::Vcenter)) {
        cx.warn(format!(
            "The vCenter does not have {:?} any more, or cannot read its configuration. The manifest of this checkpoint \
             has what was known of it before, {as_of}.",
            vm.name
        ));
    }
}

/// What the networks are called whose keys the cards name.
async fn names_of_networks(
    vcenters: &Vcenters,
    vcenter: VcenterId,
    vms: &[ManifestVm],
) -> Result<BTreeMap<String, String>, Failure> {
    let cards = vms.iter().filter_map(|vm| vm.machine.as_ref()).flat_map(|machine| &machine.hardware.nics);
    let keys: Vec<&str> = cards.filter_map(|nic| NicNetwork::key(&nic.network)).collect();
    let all = vcenters.store().networks(vcenter).await.map_err(not_kept)?;
    let named = |key: &&str| {
        let found = all.iter().map(|one| &one.object).find(|one| {
            one.portgroup_key.as_deref() == Some(key) || one.object.id == *key || one.name == *key
        })?;
        Some(((*key).to_owned(), found.name.clone()))
    };
    Ok(keys.iter().filter_map(named).collect())
}
