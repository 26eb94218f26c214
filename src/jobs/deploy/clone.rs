//! Clones the template, gives the clone its size, its disk and its network, and has its guest customised.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Ground;
use super::deeds::{Customise, Equip, hardware_of};
use crate::domain::deployment::Deployment;
use crate::domain::disk::guest_uuid;
use crate::domain::hardware::NicNetwork;
use crate::domain::job::{Failure, FailureKind, Level};
use crate::domain::moref::VmRef;
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::jobs::vsphere_make::{Made, MakeVm, Making};
use crate::jobs::vsphere_task::once;
use crate::jobs::vsphere_vm::PlannedVm;
use crate::vsphere::verbs::{CloneVm, Reconfigure};
use crate::vsphere::{Client, Reason};

/// How often it is tried to destroy the clone while a task is under way on it, and the pause between.
const PATIENCE: u32 = 5;
const PAUSE: Duration = Duration::from_secs(3);

pub(super) struct Clone(pub(super) Arc<Ground>);

/// What is decided before anything is made.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Intent {
    /// The number that the guest has to give back with its host key.
    pub(super) nonce: String,
}

/// The clone.
#[derive(Debug, std::clone::Clone, Serialize, Deserialize)]
pub(super) struct Cloned {
    /// Which virtual machine.
    pub(super) vm_moref: VmRef,
    /// Its instance UUID.
    pub(super) instance_uuid: Option<String>,
    /// The UUID of the disk for the pool, as the guest shows it; none where the server does not say it.
    pub(super) disk_uuid: Option<String>,
    /// The disk's file.
    pub(super) disk_file: Option<String>,
    /// The MAC address of the NIC that was configured.
    pub(super) mac: Option<String>,
    /// The number that the guest has to give back.
    pub(super) nonce: String,
}

impl Cloned {
    /// The virtual machine as later steps look for it again.
    pub(super) fn planned(&self, input: &Deployment) -> Option<PlannedVm> {
        Some(PlannedVm {
            vm: self.vm_moref.clone(),
            instance_uuid: self.instance_uuid.clone()?,
            name: input.vm_name.clone(),
            folder: None,
        })
    }
}

/// What is made, the same in every attempt.
pub(super) fn making(cx: &StepContext, input: &Deployment) -> MakeVm {
    let config = Reconfigure {
        cpus: i32::try_from(input.cpu_count).ok(),
        memory_mib: Some(i64::from(input.memory_gb) * 1024),
        ..Reconfigure::default()
    };
    let clone = CloneVm {
        source: input.template_moref.clone(),
        name: input.vm_name.clone(),
        folder: input.place.folder.clone(),
        pool: input.place.pool.clone(),
        datastore: Some(input.place.datastore.clone()),
        host: input.place.host.clone(),
        config: Some(config),
        customization: None,
        power_on: false,
    };
    MakeVm::new(Making::Clone(clone), format!("{}/clone", cx.job().id))
}

#[async_trait]
impl Step for Clone {
    fn name(&self) -> &'static str {
        "clone"
    }

    fn percent(&self) -> (u8, u8) {
        (0, 20)
    }

    async fn intent(&self, _cx: &StepContext) -> Result<Value, Failure> {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        recorded(Intent { nonce: bytes.iter().map(|byte| format!("{byte:02x}")).collect() })
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let input: Deployment = cx.input()?;
        let Intent { nonce } = Intent::deserialize(intent)
            .map_err(|error| Failure::permanent(format!("The recorded intent is not readable: {error}.")))?;
        let client = self.0.vcenters.client(input.vcenter_id).await?;
        if client.properties(&input.template_moref, VmRef::KIND, &["name"]).await.is_err_and(is_gone) {
            return Err(template_gone(&input));
        }
        // Of a distributed switch only the port group's key is known, which need not be an id to ask for.
        if let NicNetwork::Standard { network: Some(network), .. } = &input.place.network
            && client.properties(network.clone(), "Network", &["name"]).await.is_err_and(is_gone)
        {
            return Err(network_gone(&input));
        }
        cx.info(format!("Cloning {:?} to {:?}.", input.template_name, input.vm_name));
        let Made { vm, instance_uuid } =
            once(cx, &client, &making(cx, &input)).await.map_err(|failure| explained(failure, &input))?;
        cx.progress(0.7);
        let equip = Equip { vm: vm.clone(), input: &input, nonce: nonce.clone() };
        let disk = once(cx, &client, &equip).await.map_err(|failure| explained(failure, &input))?;
        cx.info(format!(
            "Added a disk of {} GiB: {}.",
            input.zfs_disk_gb,
            disk.file.as_deref().unwrap_or("-")
        ));
        cx.progress(0.85);
        once(cx, &client, &Customise { vm: vm.clone(), input: &input }).await?;
        let mac = first_mac(&client, &vm).await?;
        cx.console(Level::Success, format!("{:?} is cloned: {vm}.", input.vm_name));
        let disk_uuid = disk.uuid.as_deref().and_then(guest_uuid);
        recorded(Cloned { vm_moref: vm, instance_uuid, disk_uuid, disk_file: disk.file, mac, nonce })
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let input: Deployment = cx.input()?;
        let client = self.0.vcenters.client(input.vcenter_id).await?;
        let made = cx.output::<Cloned>("clone")?;
        let made = made.map(|one| Made { vm: one.vm_moref, instance_uuid: one.instance_uuid });
        // A change of it that is still under way keeps it from being destroyed, and ends by itself.
        for _ in 0..PATIENCE {
            match making(cx, &input).take_back(cx, &client, made.as_ref()).await {
                Err(failure) if failure.kind == FailureKind::Transient => {
                    cx.info(format!("{} Trying again.", failure.message));
                    cx.pause(PAUSE).await?;
                }
                outcome => return outcome.map(drop),
            }
        }
        making(cx, &input).take_back(cx, &client, made.as_ref()).await.map(drop)
    }
}

async fn first_mac(client: &Client, vm: &VmRef) -> Result<Option<String>, Failure> {
    let found = client.properties(vm, VmRef::KIND, &["config.hardware.device"]).await?;
    Ok(hardware_of(&found).nics.first().and_then(|nic| nic.mac.clone()))
}

fn is_gone(error: crate::vsphere::VsphereError) -> bool {
    matches!(error.reason(), Some(Reason::ObjectNotFound { .. }))
}

fn template_gone(input: &Deployment) -> Failure {
    Failure::permanent(format!(
        "The template {:?} ({}) is not in the vCenter.",
        input.template_name, input.template_moref
    ))
    .advise("Refresh the sync of the vCenter and check that the template exists; register it anew if it was replaced.")
}

fn network_gone(input: &Deployment) -> Failure {
    Failure::permanent(format!("Network {:?} not found: it is no longer in the vCenter.", input.place.network_name))
        .advise(
            "Refresh the sync of the vCenter. If the network was made anew under the same name, clean this deployment up and \
             start another one, in which the network is chosen again.",
        )
}

/// What was asked for stands beside what vSphere says, which names only itself.
fn explained(failure: Failure, input: &Deployment) -> Failure {
    let lower = failure.message.to_lowercase();
    let advice = if lower.contains("resources do not suffice") || lower.contains("is full") {
        format!(
            "Asked for were {} virtual CPUs, {} GiB of memory and a disk of {} GiB ({}). Compare with what the resource \
             pool and the datastore have free, choose others or ask for less, then retry.",
            input.cpu_count,
            input.memory_gb,
            input.zfs_disk_gb,
            if input.thin { "thin" } else { "thick" }
        )
    } else if ["network", "portgroup", "backing"].iter().any(|word| lower.contains(word)) {
        format!(
            "The network {:?} was chosen. Check in vCenter that it exists and that the host has it.",
            input.place.network_name
        )
    } else {
        return failure;
    };
    failure.advise(advice)
}
