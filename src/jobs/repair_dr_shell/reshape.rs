//! The machine: the disks of the old view taken off, then its settings and devices changed.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{AGAIN, Ground, RepairInput};
use crate::domain::job::{Failure, Level};
use crate::domain::moref::{ManagedRef, TaskRef, VmRef};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::create_dr_shell::{disks::Disks, intended};
use crate::jobs::failure::recorded;
use crate::jobs::vsphere_task::{Deed, give_up, once};
use crate::plan::shell_shape::Shape;
use crate::vsphere::verbs::{DeviceChange, NicConnection, NicSpec, Reconfigure};
use crate::vsphere::{Client, VsphereError};

pub(super) struct Loosen(pub(super) Arc<Ground>);

/// The disks of the shell as they were attached from the view that it has; none: it has none.
fn old_disks(input: &RepairInput, attach: bool) -> Option<Disks<'_>> {
    let view = input.shell.view.as_ref()?;
    Some(Disks {
        vm: input.shell.vm.clone(),
        spec: &input.shell.spec,
        datastore: view.datastore.clone(),
        attach,
    })
}

#[async_trait]
impl Step for Loosen {
    fn name(&self) -> &'static str {
        "loosen"
    }

    fn percent(&self) -> (u8, u8) {
        (40, 45)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RepairInput = cx.input()?;
        if let Some(disks) = old_disks(&input, false) {
            let client = self.0.vcenters.client(input.wish.dr_vcenter_id).await?;
            once(cx, &client, &disks).await?;
            cx.info(format!("The disks of the view {:?} are detached; their files stay.", disks.datastore));
        }
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let input: RepairInput = cx.input()?;
        let (Some(off), Some(on)) = (old_disks(&input, false), old_disks(&input, true)) else {
            return Ok(());
        };
        let client = self.0.vcenters.client(input.wish.dr_vcenter_id).await?;
        give_up(cx, &client, &off).await?;
        once(cx, &client, &on).await.map(drop)
    }
}

/// One change of the machine.
struct Change<'a> {
    vm: &'a VmRef,
    name: &'a str,
    shape: &'a Shape,
    /// For the notes: there and back are two deeds.
    key: &'static str,
}

#[async_trait]
impl Deed for Change<'_> {
    type Done = ();

    fn key(&self) -> Cow<'static, str> {
        self.key.into()
    }

    fn what(&self) -> String {
        format!("change the hardware of the shell {:?}", self.name)
    }

    fn entity(&self) -> ManagedRef {
        self.vm.into()
    }

    fn description(&self) -> &'static str {
        "VirtualMachine.reconfigure"
    }

    async fn look(&self, client: &Client, _result: Option<&ManagedRef>) -> Result<Option<()>, Failure> {
        Ok(self.shape.is_had_by(&client.machine(self.vm).await?).then_some(()))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        let now = client.machine(self.vm).await?;
        let shape = self.shape;
        let found = shape.devices(&now.hardware);
        let mut devices: Vec<DeviceChange> = Vec::new();
        devices.extend(found.drop_nics.into_iter().map(DeviceChange::RemoveNic));
        devices.extend(found.drop_controllers.into_iter().map(DeviceChange::RemoveController));
        devices.extend(
            found.add_controllers.into_iter().zip(1..).map(|(one, number)| DeviceChange::AddController {
                key: -number,
                kind: one.kind,
                bus: one.bus,
            }),
        );
        devices.extend(found.add_nics.into_iter().filter_map(|nic| {
            Some(DeviceChange::AddNic(NicSpec {
                connection: NicConnection::of(&nic.network)?,
                kind: nic.kind,
                mac: nic.mac,
                start_connected: nic.start_connected,
            }))
        }));
        devices.extend(
            found.connect_nics.into_iter().filter_map(|(nic, network)| {
                Some(DeviceChange::ConnectNic(nic, NicConnection::of(&network)?))
            }),
        );
        let cpus = (shape.cpus, shape.cores_per_socket) != (now.cpus, now.cores_per_socket);
        let guest = shape.guest_id.clone().filter(|id| now.guest_id.as_ref() != Some(id));
        let mut extra_config = Vec::new();
        if shape.shows_disk_uuids != now.shows_disk_uuids {
            let word = if shape.shows_disk_uuids { "TRUE" } else { "FALSE" };
            extra_config.push(("disk.EnableUUID".to_owned(), word.to_owned()));
        }
        let change = Reconfigure {
            guest_id: guest,
            cpus: cpus.then(|| i32::try_from(shape.cpus).ok()).flatten(),
            cores_per_socket: cpus.then(|| i32::try_from(shape.cores_per_socket).ok()).flatten(),
            memory_mib: (shape.memory_mib != now.memory_mib)
                .then(|| i64::try_from(shape.memory_mib).ok())
                .flatten(),
            firmware: (shape.firmware != now.firmware).then_some(shape.firmware),
            secure_boot: (shape.secure_boot != now.secure_boot).then_some(shape.secure_boot),
            devices,
            extra_config,
            ..Reconfigure::default()
        };
        client.reconfigure(self.vm, &change).await
    }
}

pub(super) struct Reshape(pub(super) Arc<Ground>);

#[async_trait]
impl Step for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn percent(&self) -> (u8, u8) {
        (45, 55)
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    /// How it is before: the step is taken back to this.
    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let input: RepairInput = cx.input()?;
        let client = self.0.vcenters.client(input.wish.dr_vcenter_id).await?;
        recorded(Shape::of_machine(&client.machine(&input.now(&client).await?.vm).await?))
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RepairInput = cx.input()?;
        let client = self.0.vcenters.client(input.wish.dr_vcenter_id).await?;
        let now = input.now(&client).await?;
        let shape = Shape::of_spec(&input.wish.spec);
        let change = Change { vm: &now.vm, name: &now.name, shape: &shape, key: "there" };
        once(cx, &client, &change).await?;
        cx.console(Level::Success, format!("{:?} has the hardware of {}.", now.name, input.wish.source_name));
        Ok(Value::Null)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let input: RepairInput = cx.input()?;
        let before: Shape = intended(intent)?;
        let client = self.0.vcenters.client(input.wish.dr_vcenter_id).await?;
        let now = input.now(&client).await?;
        let shape = Shape::of_spec(&input.wish.spec);
        let change = |shape, key| Change { vm: &now.vm, name: &now.name, shape, key };
        give_up(cx, &client, &change(&shape, "there")).await?;
        once(cx, &client, &change(&before, "back")).await
    }
}
