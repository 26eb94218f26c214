//! The disks: attached from the view, read back as proof, and detached with their files kept.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Ground, ShellInput, ViewNames, made};
use crate::domain::dr_shell::{ProvedDisk, ShellDisk, ShellSpec};
use crate::domain::hardware::{Controller, Disk, Hardware};
use crate::domain::job::{Failure, Level};
use crate::domain::moref::{ManagedRef, TaskRef, VmRef};
use crate::domain::size::format_bytes;
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::jobs::vsphere_task::{Deed, give_up, once};
use crate::vsphere::verbs::{AttachDisk, DeviceChange, Reconfigure};
use crate::vsphere::{Client, VsphereError, read_hardware};

/// The disks of a shell, to be attached from a view or detached from it.
pub(in crate::jobs) struct Disks<'a> {
    pub(in crate::jobs) vm: VmRef,
    pub(in crate::jobs) spec: &'a ShellSpec,
    /// The view's name as a datastore.
    pub(in crate::jobs) datastore: String,
    pub(in crate::jobs) attach: bool,
}

impl Disks<'_> {
    async fn hardware(&self, client: &Client) -> Result<Hardware, VsphereError> {
        let found = client.properties(&self.vm, VmRef::KIND, &["config.hardware.device"]).await?;
        Ok(found.get("config.hardware.device").map(read_hardware).unwrap_or_default())
    }

    fn file(&self, disk: &ShellDisk) -> String {
        format!("[{}] {}", self.datastore, disk.path)
    }

    /// The shell's controller that is as the source's.
    fn controller<'h>(&self, disk: &ShellDisk, hardware: &'h Hardware) -> Result<&'h Controller, Failure> {
        let wanted = self.spec.controllers.iter().find(|one| one.key == disk.controller);
        let found = wanted.and_then(|wanted| {
            hardware.controllers.iter().find(|one| one.kind == wanted.kind && one.bus == wanted.bus)
        });
        found.ok_or_else(|| {
            let wanted =
                wanted.map_or_else(|| "its controller".to_owned(), |one| format!("{} {}", one.kind, one.bus));
            Failure::permanent(format!("{:?} has no {wanted} for {}.", self.spec.name, disk.label))
                .advise("Look at its hardware in vCenter: somebody changed it. Clean up and create it anew.")
        })
    }

    fn is_on_view(&self, disk: &Disk) -> bool {
        disk.file.as_deref().is_some_and(|file| file.starts_with(&format!("[{}] ", self.datastore)))
    }

    /// What is attached where it has to be; None while one is not.
    fn proved(&self, hardware: &Hardware) -> Result<Option<Vec<ProvedDisk>>, Failure> {
        let mut proved = Vec::new();
        for wanted in &self.spec.disks {
            let (controller, file) = (self.controller(wanted, hardware)?, self.file(wanted));
            let at = |disk: &&Disk| disk.controller == controller.key && disk.unit == wanted.unit;
            match hardware.disks.iter().find(at) {
                None => return Ok(None),
                Some(disk) if disk.file.as_deref() == Some(&file) => proved.push(ProvedDisk {
                    key: wanted.key,
                    file,
                    capacity_bytes: Some(disk.capacity_bytes).filter(|bytes| *bytes > 0),
                    place: (controller.kind.clone(), controller.bus, wanted.unit),
                }),
                Some(disk) => {
                    return Err(Failure::refused(format!(
                        "Where {} of {:?} belongs there is another disk: {}.",
                        wanted.label,
                        self.spec.name,
                        disk.file.as_deref().unwrap_or(&disk.label)
                    ))
                    .advise("Somebody attached it. Detach it in vCenter, keeping its file, and retry."));
                }
            }
        }
        Ok(Some(proved))
    }
}

#[async_trait]
impl Deed for Disks<'_> {
    type Done = Vec<ProvedDisk>;

    fn key(&self) -> Cow<'static, str> {
        if self.attach { "attach" } else { "detach" }.into()
    }

    fn what(&self) -> String {
        let word = if self.attach { "attach the disks of" } else { "detach the disks from" };
        format!("{word} {:?}", self.spec.name)
    }

    fn entity(&self) -> ManagedRef {
        (&self.vm).into()
    }

    fn description(&self) -> &'static str {
        "VirtualMachine.reconfigure"
    }

    async fn look(
        &self,
        client: &Client,
        _result: Option<&ManagedRef>,
    ) -> Result<Option<Vec<ProvedDisk>>, Failure> {
        let hardware = self.hardware(client).await?;
        if self.attach {
            return self.proved(&hardware);
        }
        Ok((!hardware.disks.iter().any(|disk| self.is_on_view(disk))).then(Vec::new))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        let hardware = self.hardware(client).await?;
        let devices = if self.attach {
            let attach = |wanted: &ShellDisk| {
                // That there is one was looked at.
                let controller = self.controller(wanted, &hardware).ok()?.key;
                let file = self.file(wanted);
                let is_there = hardware.disks.iter().any(|disk| disk.file.as_deref() == Some(&*file));
                // Without a size: the vCenter is to read it from the file.
                let new = AttachDisk { controller, unit: wanted.unit, file, capacity_bytes: None };
                (!is_there).then_some(DeviceChange::AttachDisk(new))
            };
            self.spec.disks.iter().filter_map(attach).collect()
        } else {
            let own = hardware.disks.into_iter().filter(|disk| self.is_on_view(disk));
            own.map(DeviceChange::DetachDisk).collect()
        };
        client.reconfigure(&self.vm, &Reconfigure { devices, ..Reconfigure::default() }).await
    }
}

/// A disk that opens with another size than the source's is no proof.
pub(in crate::jobs) fn compare(
    cx: &StepContext,
    spec: &ShellSpec,
    proved: &[ProvedDisk],
) -> Result<(), Failure> {
    for (wanted, found) in spec.disks.iter().zip(proved) {
        match found.capacity_bytes {
            None => cx.warn(format!(
                "{}: {} opens, but the vCenter does not say its size.",
                wanted.label, found.file
            )),
            // A disk that was grown since the checkpoint is smaller in it.
            Some(bytes) if wanted.capacity_bytes > bytes => cx.warn(format!(
                "{}: {} has {}, and at the source {} now. It was grown since the checkpoint; the next one has its size.",
                wanted.label,
                found.file,
                format_bytes(bytes),
                format_bytes(wanted.capacity_bytes)
            )),
            Some(bytes) if wanted.capacity_bytes != 0 && wanted.capacity_bytes < bytes => {
                return Err(Failure::refused(format!(
                    "{}: {} opens with {}, and at the source it has {}: it is another disk.",
                    wanted.label,
                    found.file,
                    format_bytes(bytes),
                    format_bytes(wanted.capacity_bytes)
                ))
                .advise("Look at the files of the checkpoint and at the source's disks, then make a new plan."));
            }
            Some(bytes) => cx.info(format!(
                "{}: {} opens at {} {}:{} with {}.",
                wanted.label,
                found.file,
                found.place.0,
                found.place.1,
                found.place.2,
                format_bytes(bytes)
            )),
        }
    }
    Ok(())
}

fn disks<'a>(cx: &StepContext, input: &'a ShellInput, vm: VmRef, attach: bool) -> Result<Disks<'a>, Failure> {
    Ok(Disks { vm, spec: &input.spec, datastore: ViewNames::of(cx, input)?.datastore, attach })
}

pub(in crate::jobs) struct Attach(pub(in crate::jobs) Arc<Ground>);

#[async_trait]
impl Step for Attach {
    fn name(&self) -> &'static str {
        "attach"
    }

    fn percent(&self) -> (u8, u8) {
        (55, 75)
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: ShellInput = cx.input()?;
        let made = made(cx)?;
        let client = self.0.vcenters.client(input.dr_vcenter_id).await?;
        let proved = once(cx, &client, &disks(cx, &input, made.vm, true)?).await?;
        compare(cx, &input.spec, &proved)?;
        cx.console(Level::Success, format!("All {} disks open in the DR vCenter.", proved.len()));
        recorded(proved)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let input: ShellInput = cx.input()?;
        let made = made(cx)?;
        let client = self.0.vcenters.client(input.dr_vcenter_id).await?;
        give_up(cx, &client, &disks(cx, &input, made.vm.clone(), true)?).await?;
        match once(cx, &client, &disks(cx, &input, made.vm, false)?).await {
            Ok(_) => Ok(()),
            // With it went what was attached to it.
            Err(failure) => {
                match client.find_vms_by_uuid(&made.instance_uuid.unwrap_or_default(), true).await {
                    Ok(left) if left.is_empty() => Ok(()),
                    _ => Err(failure),
                }
            }
        }
    }
}

pub(in crate::jobs) struct Detach(pub(in crate::jobs) Arc<Ground>);

#[async_trait]
impl Step for Detach {
    fn name(&self) -> &'static str {
        "detach"
    }

    fn percent(&self) -> (u8, u8) {
        (75, 85)
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: ShellInput = cx.input()?;
        if input.keep_view {
            cx.info("The disks stay attached to the view, as was asked for.");
            return Ok(Value::Null);
        }
        let made = made(cx)?;
        let client = self.0.vcenters.client(input.dr_vcenter_id).await?;
        let detach = disks(cx, &input, made.vm, false)?;
        once(cx, &client, &detach).await?;
        let left = detach.hardware(&client).await?.disks;
        if let Some(disk) = left.first() {
            return Err(Failure::refused(format!(
                "The shell still has the disk {}, which this job did not attach.",
                disk.file.as_deref().unwrap_or(&disk.label)
            ))
            .advise("Somebody attached it. Detach it in vCenter, keeping its file, and retry."));
        }
        cx.info("The disks are recorded and detached; their files stay.");
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("the disks are attached again from another clone when they are needed")
    }
}
