//! A DR shell that becomes the machine: told by its identity, off, its hardware kept for a rollback before anything of it is
//! changed. Then disks that it has from elsewhere are taken off it, with their files kept, and its cards are those of the
//! recovery, disconnected.

use std::borrow::Cow;

use async_trait::async_trait;

use super::connect::is_there;
use crate::domain::dr_shell::{ShellDisk, ShellNic, ShellSpec};
use crate::domain::hardware::{Controller, Disk, Hardware, Nic, PowerState};
use crate::domain::job::Failure;
use crate::domain::machine::{BootItem, Machine};
use crate::domain::moref::{ManagedRef, TaskRef, VmRef};
use crate::domain::recovery_run::{Before, RunPlan, RunVmPlan, UsedShell};
use crate::engine::StepContext;
use crate::jobs::failure::not_kept;
use crate::jobs::recovery_record::Record;
use crate::jobs::vsphere_make::Made;
use crate::jobs::vsphere_task::{Among, Deed, once};
use crate::jobs::vsphere_vm::{PlannedVm, as_planned};
use crate::vsphere::verbs::{DeviceChange, NicConnection, NicSpec, Reconfigure};
use crate::vsphere::{Client, VsphereError};

/// Makes the shell ready for the disks of the clone.
pub(super) async fn take_shell(
    cx: &StepContext,
    client: &Client,
    record: Record<'_>,
    (plan, vm, shell): (&RunPlan, &RunVmPlan, &UsedShell),
) -> Result<Made, Failure> {
    let take = async {
        let uuid = shell.instance_uuid.clone().ok_or_else(|| {
            Failure::refused(format!(
                "By what the DR shell {:?} ({}) is told from others is not known, so it was not touched.",
                vm.spec.name, shell.vm
            ))
            .advise("Create its DR shell anew, then fail over again.")
        })?;
        let meant = PlannedVm {
            vm: shell.vm.clone(),
            instance_uuid: uuid.clone(),
            name: vm.spec.name.clone(),
            folder: None,
        };
        let now = as_planned(client, &meant).await?;
        for remark in &now.remarks {
            cx.info(remark.clone());
        }
        let made = Made { vm: shell.vm.clone(), instance_uuid: Some(uuid.clone()) };
        if now.power != PowerState::Off {
            let kept = record.store.run_vms(plan.run_id).await.map_err(not_kept)?;
            if kept.iter().any(|one| one.source_uuid == vm.source_uuid && one.vm.as_ref() == Some(&shell.vm))
            {
                return Ok((made, format!("the shell {} runs since an earlier attempt", shell.vm)));
            }
            return Err(Failure::refused(format!(
                "The DR shell {:?} ({}) is not powered off: somebody uses it. Nothing was done to it.",
                now.name, shell.vm
            ))
            .advise(
                "Find out who powered it on, power it off in vCenter, then retry this virtual machine.",
            ));
        }
        let machine = client.machine(&shell.vm).await?;
        let before = Before {
            shell_hardware: Some(machine.hardware),
            shell_boot_order: Some(machine.boot_order),
            shell_bios_uuid: machine.bios_uuid,
            source_was_on: None,
        };
        // First of all: a rollback brings this back.
        record.store.note_run_vm_before(plan.run_id, &vm.source_uuid, &before).await.map_err(not_kept)?;
        let deed = Prepare { plan, vm, shell };
        once(cx, client, &Among { of: vm.source_uuid.clone(), deed }).await?;
        Ok((made, format!("{:?} is the shell {} (instance UUID {uuid}), powered off", now.name, shell.vm)))
    };
    record.step("take_shell", take).await
}

/// The controller of a machine that is the one of the specification.
fn controller_of<'h>(spec: &ShellSpec, disk: &ShellDisk, now: &'h Hardware) -> Option<&'h Controller> {
    let wanted = spec.controllers.iter().find(|one| one.key == disk.controller)?;
    now.controllers.iter().find(|one| one.kind == wanted.kind && one.bus == wanted.bus)
}

/// Everything of the shell that has to be otherwise before the disks are attached.
struct Prepare<'a> {
    plan: &'a RunPlan,
    vm: &'a RunVmPlan,
    shell: &'a UsedShell,
}

fn is_that_card(wanted: &ShellNic, nic: &Nic) -> bool {
    let has = |mac: &str| nic.mac.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(mac));
    wanted.kind == nic.kind && wanted.mac.as_deref().is_none_or(has)
}

impl Prepare<'_> {
    /// Whether a disk is one of the clone, and where it belongs.
    fn belongs(&self, disk: &Disk, now: &Hardware) -> bool {
        let spec = &self.vm.spec;
        spec.disks.iter().any(|wanted| {
            let file = format!("[{}] {}", self.plan.datastore, wanted.path);
            disk.file.as_deref() == Some(&*file)
                && disk.unit == wanted.unit
                && controller_of(spec, wanted, now).is_some_and(|one| one.key == disk.controller)
        })
    }

    /// What has to be changed.
    fn changes(&self, now: &Machine) -> Reconfigure {
        let (spec, hardware) = (&self.vm.spec, &now.hardware);
        let mut devices: Vec<DeviceChange> = Vec::new();
        let foreign = hardware.disks.iter().filter(|disk| !self.belongs(disk, hardware));
        devices.extend(foreign.cloned().map(DeviceChange::DetachDisk));
        let lacks = |wanted: &&Controller| {
            let has = |one: &Controller| one.kind == wanted.kind && one.bus == wanted.bus;
            wanted.kind != "VirtualIDEController" && !hardware.controllers.iter().any(has)
        };
        devices.extend(spec.controllers.iter().filter(lacks).zip(1..).map(|(one, number)| {
            DeviceChange::AddController { key: -number, kind: one.kind.clone(), bus: one.bus }
        }));
        let pairs = || spec.nics.iter().zip(&hardware.nics);
        if spec.nics.len() == hardware.nics.len() && pairs().all(|(wanted, nic)| is_that_card(wanted, nic)) {
            devices.extend(pairs().filter_map(|(wanted, nic)| {
                let is_so = !nic.start_connected && is_there(&nic.network, &wanted.network);
                let off = Nic { start_connected: false, ..nic.clone() };
                let to = NicConnection::of(&wanted.network)?;
                (!is_so).then_some(DeviceChange::ConnectNic(off, to))
            }));
        } else {
            devices.extend(hardware.nics.iter().cloned().map(DeviceChange::RemoveNic));
            devices.extend(spec.nics.iter().filter_map(|nic| {
                Some(DeviceChange::AddNic(NicSpec {
                    kind: nic.kind.clone(),
                    connection: NicConnection::of(&nic.network)?,
                    mac: nic.mac.clone(),
                    start_connected: false,
                }))
            }));
        }
        let same =
            |uuid: &&String| now.bios_uuid.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(uuid));
        let uuid = self.vm.bios_uuid.as_ref().filter(|uuid| !same(uuid)).cloned();
        Reconfigure { uuid, devices, ..Reconfigure::default() }
    }
}

#[async_trait]
impl Deed for Prepare<'_> {
    type Done = ();

    fn key(&self) -> Cow<'static, str> {
        "prepare".into()
    }

    fn what(&self) -> String {
        format!("prepare the DR shell {:?}", self.vm.spec.name)
    }

    fn entity(&self) -> ManagedRef {
        (&self.shell.vm).into()
    }

    fn description(&self) -> &'static str {
        "VirtualMachine.reconfigure"
    }

    async fn look(&self, client: &Client, _result: Option<&ManagedRef>) -> Result<Option<()>, Failure> {
        let now = client.machine(&self.shell.vm).await?;
        Ok((self.changes(&now) == Reconfigure::default()).then_some(()))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        let now = client.machine(&self.shell.vm).await?;
        client.reconfigure(&self.shell.vm, &self.changes(&now)).await
    }
}

/// What a machine tries to start from, as the source does, once its disks are attached.
pub(super) struct BootOrder<'a> {
    pub(super) vm: &'a VmRef,
    pub(super) spec: &'a ShellSpec,
}

impl BootOrder<'_> {
    /// The order by the machine's own keys. It has no CD and no floppy drive to start from.
    fn wanted(&self, now: &Hardware) -> Vec<BootItem> {
        let own = |item: &BootItem| match item {
            BootItem::Disk { key } => {
                let wanted = self.spec.disks.iter().find(|one| one.key == *key)?;
                let controller = controller_of(self.spec, wanted, now)?;
                let at = |disk: &&Disk| disk.controller == controller.key && disk.unit == wanted.unit;
                Some(BootItem::Disk { key: now.disks.iter().find(at)?.key })
            }
            BootItem::Nic { key } => {
                let place = self.spec.nics.iter().position(|one| one.key == *key)?;
                Some(BootItem::Nic { key: now.nics.get(place)?.key })
            }
            BootItem::Cd | BootItem::Floppy => None,
        };
        self.spec.boot_order.iter().filter_map(own).collect()
    }
}

#[async_trait]
impl Deed for BootOrder<'_> {
    type Done = ();

    fn key(&self) -> Cow<'static, str> {
        "boot_order".into()
    }

    fn what(&self) -> String {
        format!("set what {:?} starts from", self.spec.name)
    }

    fn entity(&self) -> ManagedRef {
        self.vm.into()
    }

    fn description(&self) -> &'static str {
        "VirtualMachine.reconfigure"
    }

    async fn look(&self, client: &Client, _result: Option<&ManagedRef>) -> Result<Option<()>, Failure> {
        if self.spec.boot_order.is_empty() {
            return Ok(Some(()));
        }
        let now = client.machine(self.vm).await?;
        let wanted = self.wanted(&now.hardware);
        Ok((wanted.is_empty() || wanted == now.boot_order).then_some(()))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        let now = client.machine(self.vm).await?;
        let boot_order = self.wanted(&now.hardware);
        client.reconfigure(self.vm, &Reconfigure { boot_order, ..Reconfigure::default() }).await
    }
}
