//! A DR shell that a failover gave disks of its clone: powered off, and made again what it was before.
//!
//! It is told by its reference and its instance UUID together. What has only one of them is not touched: while it could use
//! the clone that is refused, else the shell counts as gone.

use std::borrow::Cow;

use async_trait::async_trait;

use super::vsphere_power::SetPower;
use super::vsphere_task::{Among, Deed, let_tasks_end, once};
use crate::domain::hardware::{Hardware, PowerState};
use crate::domain::job::Failure;
use crate::domain::moref::{ManagedRef, TaskRef};
use crate::domain::recovery_run::{Before, UsedShell};
use crate::engine::StepContext;
use crate::plan::shell_return::{Changes, Was, lies_on, returned};
use crate::vsphere::verbs::{AttachDisk, DeviceChange, NicConnection, NicSpec, Reconfigure};
use crate::vsphere::{Client, MachineNow, Reason, VsphereError};

/// A shell, and what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Shell<'a> {
    pub(super) shell: &'a UsedShell,
    /// Its name, for people.
    pub(super) name: &'a str,
    /// The instance UUID of the protected virtual machine.
    pub(super) source: &'a str,
    /// The clone's name as a datastore.
    pub(super) clone: &'a str,
}

impl Shell<'_> {
    /// As the DR vCenter has it now; none: it is gone.
    pub(super) async fn now(&self, client: &Client) -> Result<Option<MachineNow>, Failure> {
        let Some(uuid) = self.shell.instance_uuid.as_deref() else {
            return Err(Failure::refused(format!(
                "The instance UUID of the shell {:?} ({}) is not known, so it cannot be told from others. Nothing was done to it.",
                self.name, self.shell.vm
            ))
            .advise("Look at it in vCenter: power it off and detach its disks, keeping their files, then retry."));
        };
        match client.machines(std::slice::from_ref(&self.shell.vm)).await {
            Ok(all) => {
                let Some(found) = all.into_iter().next() else {
                    return Err(Failure::transient(format!(
                        "The vCenter does not say how the shell {:?} is configured.",
                        self.name
                    ))
                    .advise("Is its host or its datastore away? Bring it back, then retry."));
                };
                let own = found.machine.instance_uuid.as_deref();
                if own.is_some_and(|own| own.eq_ignore_ascii_case(uuid)) {
                    return Ok(Some(found));
                }
                // The reference is another machine's, or somebody changed its identity.
                self.may_be_left(&found)?;
            }
            Err(error) if matches!(error.reason(), Some(Reason::ObjectNotFound { .. })) => {}
            Err(error) => return Err(error.into()),
        }
        self.elsewhere(client, uuid).await.map(|()| None)
    }

    /// Refuses if a machine of the same identity under another reference runs, or could use the clone.
    async fn elsewhere(&self, client: &Client, uuid: &str) -> Result<(), Failure> {
        let others = client.find_vms_by_uuid(uuid, true).await?;
        for other in client.machines(&others).await? {
            self.may_be_left(&other)?;
            if other.power != PowerState::Off {
                return Err(Failure::refused(format!(
                    "The shell {:?} is no longer {} but {}: it was registered anew, and it runs. Nothing was done to it.",
                    self.name, self.shell.vm, other.vm
                ))
                .advise("Power it off in vCenter, then retry."));
            }
        }
        Ok(())
    }

    /// Refuses if a machine that has only one half of the identity could use the clone.
    fn may_be_left(&self, other: &MachineNow) -> Result<(), Failure> {
        if !other.machine.hardware.disks.iter().any(|disk| lies_on(disk, self.clone)) {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "{:?} ({}) has disks of the clone, and it is not the shell {:?} ({}) any more by reference and instance UUID. \
             Nothing was done to it.",
            other.machine.name, other.vm, self.name, self.shell.vm
        ))
        .advise(format!(
            "Power it off in vCenter and detach its disks on {:?}, keeping their files, then retry.",
            self.clone
        )))
    }

    /// Powers it off, if it is there and on, and answers what was seen.
    pub(super) async fn off(&self, cx: &StepContext, client: &Client) -> Result<String, Failure> {
        // A process that was killed may have left a task that has not ended yet.
        for description in ["VirtualMachine.reconfigure", "VirtualMachine.powerOn"] {
            let what = format!("change {:?}", self.name);
            match let_tasks_end(cx, client, ((&self.shell.vm).into(), description), &what).await {
                Err(failure) if self.now(client).await?.is_some() => return Err(failure),
                _ => {}
            }
        }
        let Some(now) = self.now(client).await? else { return Ok(GONE.to_owned()) };
        if now.power != PowerState::Off {
            let deed = SetPower { vm: now.vm, name: now.machine.name, on: false, host: None };
            once(cx, client, &Among { of: self.source.to_owned(), deed }).await?;
        }
        Ok("the vCenter says poweredOff".to_owned())
    }

    /// Makes it what it was, and answers what was read back.
    pub(super) async fn give_back(
        &self,
        cx: &StepContext,
        client: &Client,
        before: &Before,
    ) -> Result<String, Failure> {
        let Some(hardware) = &before.shell_hardware else { return Ok(UNTOUCHED.to_owned()) };
        // Somebody may have powered it on since.
        self.off(cx, client).await?;
        let Some(now) = self.now(client).await? else { return Ok(GONE.to_owned()) };
        if now.machine.has_snapshot && now.machine.hardware.disks.iter().any(|disk| lies_on(disk, self.clone))
        {
            return Err(Failure::refused(format!(
                "The shell {:?} has a snapshot of vSphere's, which keeps the clone's disks.",
                now.machine.name
            ))
            .advise("Delete its snapshots in vCenter, then retry."));
        }
        let was = Was {
            hardware,
            boot_order: before.shell_boot_order.as_deref(),
            bios_uuid: before.shell_bios_uuid.as_deref(),
        };
        for part in [Part::Disks, Part::Devices, Part::BootOrder] {
            let deed = Return { of: *self, was, part };
            once(cx, client, &Among { of: self.source.to_owned(), deed }).await?;
        }
        let Some(now) = self.now(client).await? else { return Ok(GONE.to_owned()) };
        let (_, strange) = self.changes(was, &now)?;
        for one in &strange {
            cx.warn(format!("{:?}: {one}.", now.machine.name));
        }
        let disks = match hardware.disks.len() {
            0 => "no disk of the clone".to_owned(),
            some => format!("the {some} disks that it had"),
        };
        let mut seen = format!("{:?} has {disks}, and its cards are as before", now.machine.name);
        for one in strange {
            seen.push_str("; ");
            seen.push_str(&one);
        }
        Ok(seen)
    }

    fn changes(&self, was: Was<'_>, now: &MachineNow) -> Result<(Changes, Vec<String>), Failure> {
        returned(was, self.clone, &now.machine).map_err(|why| {
            Failure::refused(format!("The shell {:?} cannot be made what it was: {why}.", now.machine.name))
                .advise("Somebody changed its hardware. Look at it in vCenter, undo that, then retry.")
        })
    }
}

const GONE: &str = "the DR vCenter does not have it any more: somebody removed it";
/// What is said of one that the failover had not come to.
pub(super) const UNTOUCHED: &str = "the failover had not touched it";

/// One after the other, because each builds upon the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The disks of the clone are taken off.
    Disks,
    /// Its other devices and its identity are as they were.
    Devices,
    /// It starts from what it started from.
    BootOrder,
}

impl Part {
    fn of(self, all: Changes) -> Changes {
        match self {
            Self::Disks => Changes { take_off: all.take_off, ..Changes::default() },
            Self::Devices => Changes { devices: all.devices, ..Changes::default() },
            Self::BootOrder => Changes { boot_order: all.boot_order, ..Changes::default() },
        }
    }
}

/// One part of what makes the shell what it was.
struct Return<'a> {
    of: Shell<'a>,
    was: Was<'a>,
    part: Part,
}

impl Return<'_> {
    /// What is left to be changed; none: nothing, or the shell is gone.
    async fn left(&self, client: &Client) -> Result<Option<(MachineNow, Changes)>, Failure> {
        let Some(now) = self.of.now(client).await? else { return Ok(None) };
        let changes = self.part.of(self.of.changes(self.was, &now)?.0);
        Ok((!changes.are_none()).then_some((now, changes)))
    }
}

#[async_trait]
impl Deed for Return<'_> {
    type Done = ();

    fn key(&self) -> Cow<'static, str> {
        match self.part {
            Part::Disks => "take_off",
            Part::Devices => "give_back",
            Part::BootOrder => "boot_order",
        }
        .into()
    }

    fn what(&self) -> String {
        match self.part {
            Part::Disks => format!("take the clone's disks off the shell {:?}", self.of.name),
            Part::Devices | Part::BootOrder => format!("make the shell {:?} what it was", self.of.name),
        }
    }

    fn entity(&self) -> ManagedRef {
        (&self.of.shell.vm).into()
    }

    fn description(&self) -> &'static str {
        "VirtualMachine.reconfigure"
    }

    async fn look(&self, client: &Client, _result: Option<&ManagedRef>) -> Result<Option<()>, Failure> {
        Ok(self.left(client).await?.is_none().then_some(()))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        // It was looked at just before; what is wrong with it is said by the next look.
        let Some(now) = client.machines(std::slice::from_ref(&self.of.shell.vm)).await?.into_iter().next()
        else {
            return Err(VsphereError::Incomplete {
                attempted: format!("read the shell {:?}", self.of.name),
                server: client.server().to_owned(),
                missing: "configuration of the virtual machine",
            });
        };
        let all = self.of.changes(self.was, &now).map(|(all, _)| all).unwrap_or_default();
        client.reconfigure(&self.of.shell.vm, &reconfigure(self.part.of(all), &now.machine.hardware)).await
    }
}

fn reconfigure(changes: Changes, now: &Hardware) -> Reconfigure {
    let Changes { take_off, devices: wanted, boot_order } = changes;
    let mut devices: Vec<DeviceChange> = Vec::new();
    devices.extend(take_off.into_iter().map(DeviceChange::DetachDisk));
    devices.extend(wanted.drop_nics.into_iter().map(DeviceChange::RemoveNic));
    devices.extend(wanted.drop_controllers.into_iter().map(DeviceChange::RemoveController));
    let mut keys: Vec<(String, i32, i32)> =
        now.controllers.iter().map(|one| (one.kind.clone(), one.bus, one.key)).collect();
    for (one, number) in wanted.add_controllers.into_iter().zip(1..) {
        keys.push((one.kind.clone(), one.bus, -number));
        devices.push(DeviceChange::AddController { key: -number, kind: one.kind, bus: one.bus });
    }
    devices.extend(wanted.attach.into_iter().filter_map(|disk| {
        let (kind, bus) = disk.controller;
        let controller = keys.iter().find(|one| one.0 == kind && one.1 == bus)?.2;
        // Without a size: the vCenter is to read it from the file.
        let new = AttachDisk { controller, unit: disk.unit, file: disk.file, capacity_bytes: None };
        Some(DeviceChange::AttachDisk(new))
    }));
    devices.extend(wanted.add_nics.into_iter().filter_map(|nic| {
        Some(DeviceChange::AddNic(NicSpec {
            connection: NicConnection::of(&nic.network)?,
            kind: nic.kind,
            mac: nic.mac,
            start_connected: nic.start_connected,
        }))
    }));
    devices.extend(
        wanted
            .connect
            .into_iter()
            .filter_map(|(nic, network)| Some(DeviceChange::ConnectNic(nic, NicConnection::of(&network)?))),
    );
    let clear_boot_order = boot_order.as_ref().is_some_and(Vec::is_empty);
    Reconfigure {
        uuid: wanted.bios_uuid,
        devices,
        boot_order: boot_order.unwrap_or_default(),
        clear_boot_order,
        ..Reconfigure::default()
    }
}
