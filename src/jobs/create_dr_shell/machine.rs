//! The virtual machine itself: the source's hardware, off, its home on a datastore that is not replicated, without disks.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Ground, ShellInput};
use crate::domain::dr_shell::ShellSpec;
use crate::domain::hardware::Controller;
use crate::domain::job::{Failure, Level};
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::failure::recorded;
use crate::jobs::vsphere_make::{Made, MakeVm, Making};
use crate::jobs::vsphere_task::once;
use crate::vsphere::verbs::{CreateVm, DeviceChange, NicConnection, NicSpec, Reconfigure};

pub(super) struct Create(pub(super) Arc<Ground>);

/// Whether every virtual machine has this controller without asking.
fn is_given(controller: &Controller) -> bool {
    controller.kind == "VirtualIDEController"
}

/// What is asked of the vCenter.
pub(in crate::jobs) fn request(spec: &ShellSpec, annotation: String) -> CreateVm {
    let controllers = spec.controllers.iter().filter(|one| !is_given(one)).zip(1..).map(|(one, number)| {
        DeviceChange::AddController { key: -number, kind: one.kind.clone(), bus: one.bus }
    });
    let nics = spec.nics.iter().filter_map(|nic| {
        Some(DeviceChange::AddNic(NicSpec {
            kind: nic.kind.clone(),
            connection: NicConnection::of(&nic.network)?,
            mac: nic.mac.clone(),
            start_connected: nic.start_connected,
        }))
    });
    let mut extra_config = Vec::new();
    if spec.shows_disk_uuids {
        extra_config.push(("disk.EnableUUID".to_owned(), "TRUE".to_owned()));
    }
    let config = Reconfigure {
        name: Some(spec.name.clone()),
        version: spec.version.map(|version| format!("vmx-{version:02}")),
        guest_id: spec.guest_id.clone(),
        annotation: Some(annotation),
        cpus: i32::try_from(spec.cpus).ok(),
        cores_per_socket: i32::try_from(spec.cores_per_socket).ok(),
        memory_mib: i64::try_from(spec.memory_mib).ok(),
        firmware: Some(spec.firmware),
        // A server that does not know it is not asked for what it does anyway.
        secure_boot: spec.secure_boot.then_some(true),
        devices: controllers.chain(nics).collect(),
        extra_config,
        ..Reconfigure::default()
    };
    CreateVm {
        folder: spec.folder.clone(),
        pool: spec.pool.clone(),
        host: spec.host.clone(),
        home: format!("[{}]", spec.home_datastore),
        config,
    }
}

/// What is made, the same in every attempt.
fn making(cx: &StepContext, input: &ShellInput) -> MakeVm {
    let source = &input.source_name;
    let annotation = format!("Stands ready for {source}. Made by Zerfaux; do not power it on by hand.");
    let create = request(&input.spec, annotation);
    MakeVm::new(Making::Create(create), super::mark_of(cx.job().id))
}

#[async_trait]
impl Step for Create {
    fn name(&self) -> &'static str {
        "create"
    }

    fn percent(&self) -> (u8, u8) {
        (40, 55)
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: ShellInput = cx.input()?;
        let client = self.0.vcenters.client(input.dr_vcenter_id).await?;
        let made: Made = once(cx, &client, &making(cx, &input)).await?;
        cx.console(
            Level::Success,
            format!("The virtual machine {:?} is there: {}.", input.spec.name, made.vm),
        );
        recorded(made)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let input: ShellInput = cx.input()?;
        let client = self.0.vcenters.client(input.dr_vcenter_id).await?;
        let made = cx.output::<Made>("create")?;
        making(cx, &input).take_back(cx, &client, made.as_ref()).await.map(drop)
    }
}
